"""An activation that keeps one array for its backward pass."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Array = jax.Array


@dataclass(frozen=True)
class Lean:
    """What `lean` returns: the function, wrapped; equal and hashable when the function is."""

    fn: Callable[..., Array]

    def __call__(self, x: Any, *args: Any, key: Any = None, **params: Any) -> Array:
        """Apply the function; a `key`, as Equinox's `Sequential` passes, reaches a function with one."""
        if _takes_key(self.fn, 1 + len(args)):
            params["key"] = key
        leaves, tree = jax.tree.flatten(((x, *args), params))
        # the function sees numbers and words as they are; arrays are kept, those with derivatives apart
        arrays = [leaf for leaf in leaves if isinstance(leaf, jax.Array | np.ndarray)]
        real = [leaf for leaf in arrays if _has_derivatives(leaf)]
        other = [leaf for leaf in arrays if not _has_derivatives(leaf)]

        def call(real: list[Array], other: list[Array]) -> Array:
            both = {True: iter(real), False: iter(other)}
            filled = [
                next(both[_has_derivatives(leaf)]) if isinstance(leaf, jax.Array | np.ndarray) else leaf
                for leaf in leaves
            ]
            positional, named = jax.tree.unflatten(tree, filled)
            return self.fn(*positional, **named)

        return _recomputed(call)(real, other)

    @property
    def __name__(self) -> str:
        return f"lean({getattr(self.fn, '__name__', self.fn)!s})"


def lean(f: Callable[..., Array]) -> Lean:
    r"""An activation that keeps only its input for the backward pass, and computes the rest again.

    Autodiff stores every intermediate that the derivative of `f` needs: up to five arrays of the size of the
    activation for mish or gelu written in plain `jax.numpy`. The wrapped function stores x alone. An
    optimisation barrier in the backward pass keeps the compiler from merging the recomputation with the
    forward pass, which would bring the stored arrays back (a plain `jax.custom_vjp` saves nothing under jit).
    The catalogue's own smooth functions store one array as they are (their derivative); for them the gain is
    that the array is x, which a preceding layer often keeps anyway.

    Args:
      f: any function of an array, and possibly of parameters, that `jax.vjp` can differentiate; they are
        given by place or by name, and a `key` to a function that has one.

    Returns:
      A callable with the same values and derivatives; reverse mode of any order, no forward mode.

    Raises:
      TypeError: if `f` is not callable.

    Example:
      >>> jax.grad(jaxacts.lean(jax.nn.mish))(1.0)
      Array(1.0490361, dtype=float32, weak_type=True)

    Reference:
      Bulò, Porzi & Kontschieder, In-Place Activated BatchNorm (2017), https://arxiv.org/abs/1712.02616, for
      the idea of recomputing activations; Griewank & Walther, Evaluating Derivatives (2008), chapter 12.
    """
    if not callable(f):
        raise TypeError(f"f must be callable, was {type(f).__name__}")
    return Lean(f)


def _has_derivatives(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def _takes_key(f: Callable, given: int) -> bool:
    """Whether a function has a parameter `key` that the positional arguments do not fill."""
    try:
        names = inspect.signature(f).parameters
    except (TypeError, ValueError):  # built in
        return False
    filled = [name for name, p in names.items() if p.kind is not p.KEYWORD_ONLY][:given]
    return "key" in names and "key" not in filled


def _recomputed(f: Callable[[list[Array], list[Array]], Array]) -> Callable[..., Array]:
    """`f` of arrays with and without derivatives, with a backward pass that calls it again."""

    @jax.custom_vjp
    def wrapped(real: list[Array], other: list[Array]) -> Array:
        return f(real, other)

    def forward(real: list[Array], other: list[Array]) -> tuple[Array, tuple[list[Array], list[Array]]]:
        return f(real, other), (real, other)

    def backward(kept: tuple[list[Array], list[Array]], cotangent: Array) -> tuple[list[Array], None]:
        real, other = kept
        # together, so that no derivative is computed, and kept, before its cotangent is there
        real, cotangent = lax.optimization_barrier((real, cotangent))
        return jax.vjp(lambda real: f(real, other), real)[1](cotangent)[0], None

    wrapped.defvjp(forward, backward)
    return wrapped
