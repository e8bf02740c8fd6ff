"""Evaluating a callable on the host in double precision, also while JAX is tracing something else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jaxacts import _declare
from jaxacts._numerics import interpreter

# Points are evaluated in blocks of these sizes only, so that a function is traced for two shapes at most.
_BLOCKS = (1920, 7680)


class TracedCallable(TypeError):
    """The callable closes over a traced value: its numbers do not exist yet."""

    def __init__(self) -> None:
        super().__init__("f closes over a traced value (jit, vmap or grad), but this is computed on the host")


class Program(NamedTuple):
    """A callable (and its derivative) as a function from NumPy to NumPy, and the type it computes in."""

    run: Callable[[np.ndarray], list[np.ndarray]]
    dtype: np.dtype


def is_traced(*values: Any) -> bool:
    """Whether any of the values is a tracer."""
    return any(isinstance(value, Tracer) for value in values)


def value_and_slope(f: Callable[..., Any], x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """f(x) and f'(x) elementwise, in one forward pass."""
    return jax.jvp(f, (x,), (jnp.ones_like(x),))


def check_callable(f: Any, name: str = "f") -> None:
    """Refuse what cannot be called, strings above all."""
    if not callable(f):
        hint = f"; use jaxacts.get({f!r})" if isinstance(f, str) else ""
        raise TypeError(f"{name} must be a callable of one array, was {type(f).__name__}{hint}")


def check_host(f: Any) -> None:
    """Refuse what cannot be called, and what cannot be called now because it depends on something traced."""
    check_callable(f)
    roundoff(f)


def roundoff(f: Callable[..., Any]) -> float:
    """Machine epsilon of the type in which f is evaluated here."""
    # The program with the slope: tables need that one anyway, and tracing is what costs.
    return float(np.finfo(_program_of(f, _BLOCKS[0], True).dtype).eps)


def sample(f: Callable[..., Any], x: np.ndarray, *, slope: bool = False) -> np.ndarray:
    """Values of f (and of f' with `slope`) at the points x, in double precision whenever f allows it.

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
    parts = []
    start = 0
    while start < x.size:
        left = x.size - start
        size = _BLOCKS[0] if left <= 4 * _BLOCKS[0] else _BLOCKS[1]
        block = x[start : start + size]
        padded = np.concatenate([block, np.full(size - block.size, block[0])])
        parts.append(_evaluate(_program_of(f, size, slope), padded)[:, : block.size])
        start += size
    return np.concatenate(parts, axis=1)


def _evaluate(program: Program, x: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        rows = program.run(x.astype(program.dtype))
    for row in rows:
        if row.shape != x.shape:
            raise ValueError(
                f"f must act elementwise: it turned shape {x.shape} into {row.shape}; "
                "functions of a whole vector have no Gaussian moments of this kind"
            )
    return np.stack([row.astype(np.float64) for row in rows])


def _program_of(f: Callable[..., Any], size: int, slope: bool) -> Program:
    _, bound = _declare.unbind(f)
    if is_traced(*bound.values()):
        raise TracedCallable
    # The default type is part of the key: it is what a callable that refuses float64 is given.
    key = (size, slope, np.dtype(jnp.result_type(float)))
    try:
        hash(f)
    except TypeError:
        return _program.__wrapped__(f, *key)
    return _program(f, *key)


@functools.lru_cache(maxsize=1024)
def _program(f: Callable[..., Any], size: int, slope: bool, default: np.dtype) -> Program:
    # The declared derivative traces several times faster than the rules behind jax.grad, and tests hold it to
    # the same truth.
    declared = _declare.derivative(f) if slope and _declare.record(f) is not None else None

    def rows(x: jax.Array) -> tuple[jax.Array, ...]:
        if declared is not None:
            return f(x), declared(x)
        return value_and_slope(f, x) if slope else (f(x),)

    double = np.dtype(np.float64)
    try:
        with double_precision():
            closed = jax.make_jaxpr(rows)(jax.ShapeDtypeStruct((size,), double))
        dtype = double
    except (TypeError, ValueError):  # f mixes its input with single-precision arrays, under strict promotion
        try:
            closed, dtype = jax.make_jaxpr(rows)(jax.ShapeDtypeStruct((size,), default)), default
        except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):  # f wants to see its numbers
            return Program(functools.partial(_eagerly, rows), default)
    if is_traced(*closed.consts):
        raise TracedCallable

    translated = interpreter.translate(closed.jaxpr, closed.consts)

    def run(x: np.ndarray) -> list[np.ndarray]:
        with double_precision():  # for what is handed over to JAX
            return translated(x)

    return Program(run, dtype)


def _eagerly(rows: Callable[..., Any], x: np.ndarray) -> list[np.ndarray]:
    with jax.ensure_compile_time_eval():
        results = rows(jnp.asarray(x))
    if is_traced(*results):
        raise TracedCallable
    return [np.asarray(row) for row in results]


def double_precision() -> Any:
    """A context with float64 as JAX's default type."""
    enable = getattr(jax, "enable_x64", None)
    if enable is None:  # before jax 0.8
        from jax.experimental import enable_x64 as enable  # pyright: ignore[reportAttributeAccessIssue]
    return enable(True)
