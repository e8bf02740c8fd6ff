"""An activation that keeps one array for its backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
from jax import lax

Array = jax.Array


@dataclass(frozen=True)
class Lean:
    """What `lean` returns: the function, wrapped; equal and hashable when the function is."""

    fn: Callable[..., Array]

    def __call__(self, x: Any, *args: Any, key: Any = None) -> Array:
        """Apply the function; a `key` is accepted and ignored, as Equinox's `Sequential` passes one."""
        del key
        return _recomputed(self.fn)(x, *args)

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
      f: any function of an array, and possibly of parameters, that `jax.vjp` can differentiate.

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


@functools.cache
def _recomputed(f: Callable[..., Array]) -> Callable[..., Array]:
    @jax.custom_vjp
    def wrapped(*args: Array) -> Array:
        return f(*args)

    def forward(*args: Array) -> tuple[Array, tuple[Array, ...]]:
        return f(*args), args

    def backward(args: tuple[Array, ...], cotangent: Array) -> tuple[Array, ...]:
        # together, so that no derivative is computed, and kept, before its cotangent is there
        args, cotangent = lax.optimization_barrier((args, cotangent))
        return jax.vjp(f, *args)[1](cotangent)

    wrapped.defvjp(forward, backward)
    return wrapped
