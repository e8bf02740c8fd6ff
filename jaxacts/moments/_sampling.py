"""Evaluating a callable on the host, also while JAX is tracing something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts import _declare

# Points are evaluated in blocks of these sizes only: op-by-op dispatch meets few shapes and compiles little.
_BLOCKS = (640, 1280, 5120, 40960)


class TracedCallable(Exception):
    """The callable closes over a traced value: its numbers do not exist yet."""


def is_traced(*values: Any) -> bool:
    """Whether any of the values is a tracer."""
    return any(isinstance(value, jax.core.Tracer) for value in values)


def value_and_slope(f: Callable[..., Any], x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """f(x) and f'(x) elementwise, in one forward pass."""
    return jax.jvp(f, (x,), (jnp.ones_like(x),))


def check_callable(f: Any, name: str = "f") -> None:
    """Refuse what cannot be called, strings above all."""
    if not callable(f):
        hint = f"; use jaxacts.get({f!r})" if isinstance(f, str) else ""
        raise TypeError(f"{name} must be a callable of one array, was {type(f).__name__}{hint}")


def sample(f: Callable[..., Any], x: np.ndarray, *, slope: bool = False) -> np.ndarray:
    """Values of f (and of f' with `slope`) at the points x as float64, computed in JAX's default float type.

    Args:
      f: an elementwise callable.
      x: points of shape (n,).
      slope: whether to add a second row with f'.

    Returns:
      An array of shape (1, n) or (2, n).

    Raises:
      TracedCallable: if f closes over a tracer.
      ValueError: if f does not keep the shape.
    """
    _, bound = _declare.unbind(f)
    if is_traced(*bound.values()):
        raise TracedCallable
    parts = []
    start = 0
    while start < x.size:
        left = x.size - start
        size = next((block for block in _BLOCKS if block >= left), _BLOCKS[-1])
        block = x[start : start + size]
        padded = np.concatenate([block, np.full(size - block.size, block[0])])
        parts.append(_evaluate(f, padded, slope)[:, : block.size])
        start += size
    return np.concatenate(parts, axis=1)


def _evaluate(f: Callable[..., Any], x: np.ndarray, slope: bool) -> np.ndarray:
    dtype = np.dtype(jnp.result_type(float))
    try:
        with jax.ensure_compile_time_eval():
            points = jnp.asarray(x.astype(dtype))
            rows = value_and_slope(f, points) if slope else (f(points),)
    except jax.errors.UnexpectedTracerError as error:
        raise TracedCallable from error
    if is_traced(*rows):
        raise TracedCallable
    for row in rows:
        if jnp.shape(row) != x.shape:
            raise ValueError(
                f"f must act elementwise: it turned shape {x.shape} into {jnp.shape(row)}; "
                "functions of a whole vector have no Gaussian moments of this kind"
            )
    return np.stack([np.asarray(row).astype(np.float64) for row in rows])
