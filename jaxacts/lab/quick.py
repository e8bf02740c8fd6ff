"""Quick formulas for value and slope together, for training.

The catalogue's functions are accurate to a few units in the last place everywhere, and pay for it with ten to
thirty times the work of a plain formula. The noise of a minibatch is a million times larger than float32
rounding, so the lab trains with the plain formulas below: one exponential shared by f and f', absolute errors
below 1e-6, the size under which a slope counts as dead. A test compares each with the catalogue. Functions
that are not listed here are trained as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array, lax

import jaxacts
from jaxacts._declare import unbind

Pair = tuple[Array, Array]

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # Klambauer et al., arXiv:1706.02515


def find(f: Any) -> Callable[[Array], Pair] | None:
    """The quick pair (f(z), f'(z)) of a catalogue function at its default parameters, or None.

    Args:
      f: any callable.

    Returns:
      A function of a float32, float16 or bfloat16 array that returns two arrays like it, or None.

    Example:
      >>> from jaxacts.lab import quick
      >>> [round(float(v), 4) for v in quick.find(jaxacts.silu)(jnp.float32(1.0))]
      [0.7311, 0.9277]
      >>> quick.find(jnp.sin) is None
      True
    """
    fn, bound = unbind(f)
    formula = _formulas().get(getattr(fn, "__name__", "")) if jaxacts.record(fn) is not None else None
    if formula is None or bound:
        return None

    def pair(z: Array) -> Pair:
        value, slope = formula(z.astype(jnp.float32))
        return value.astype(z.dtype), slope.astype(z.dtype)

    return pair


def _formulas() -> dict[str, Callable[[Array], Pair]]:
    return {
        "sigmoid": _sigmoid,
        "tanh": _tanh,
        "elu": lambda z: _elu(z, 1.0, 1.0),
        "selu": lambda z: _elu(z, _SELU_ALPHA, _SELU_SCALE),
        "silu": _silu,
        "gelu": _gelu,
        "gelu_tanh": _gelu_tanh,
        "softplus": _softplus,
        "mish": _mish,
    }


def _halves(z: Array) -> tuple[Array, Array, Array]:
    """exp(-|z|), sigmoid(z) and sigmoid(-z) without overflow or cancellation."""
    e = jnp.exp(-jnp.abs(z))
    large = 1.0 / (1.0 + e)
    small = e * large
    return e, jnp.where(z >= 0, large, small), jnp.where(z >= 0, small, large)


def _sigmoid(z: Array) -> Pair:
    _, s, other = _halves(z)
    return s, s * other


def _tanh(z: Array) -> Pair:
    e = jnp.exp(-2.0 * jnp.abs(z))
    return jnp.tanh(z), 4.0 * e / jnp.square(1.0 + e)


def _elu(z: Array, alpha: float, scale: float) -> Pair:
    below = alpha * jnp.expm1(jnp.minimum(z, 0.0))
    return scale * jnp.where(z > 0, z, below), scale * jnp.where(z > 0, 1.0, below + alpha)


def _silu(z: Array) -> Pair:
    _, s, other = _halves(z)
    return z * s, s * (1.0 + z * other)


def _softplus(z: Array) -> Pair:
    e, s, _ = _halves(z)
    return jnp.maximum(z, 0.0) + jnp.log1p(e), s


def _mish(z: Array) -> Pair:
    # tanh(softplus(z)) is a rational function of exp(z), or of exp(-z), which is used on the right.
    e = jnp.exp(-jnp.abs(z))
    right = z >= 0
    n = e * (e + 2.0)
    top = jnp.where(right, 1.0 + 2.0 * e, n)
    inverse = 1.0 / jnp.where(right, 1.0 + 2.0 * e + 2.0 * e * e, n + 2.0)
    t = top * inverse
    rise = 4.0 * e * (1.0 + e) * jnp.where(right, e, 1.0) * inverse * inverse
    return z * t, t + z * rise


def _gelu(z: Array) -> Pair:
    below = 0.5 + 0.5 * lax.erf(z * math.sqrt(0.5))
    return z * below, below + z * jnp.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _gelu_tanh(z: Array) -> Pair:
    k, c = math.sqrt(2 / math.pi), 0.044715
    near = jnp.clip(z, -20.0, 20.0)  # beyond, tanh is 1 to all digits and the cube would overflow
    square = near * near
    inner = k * near * (1.0 + c * square)
    e = jnp.exp(-2.0 * jnp.abs(inner))
    inverse = 1.0 / (1.0 + e)
    below = jnp.where(z >= 0, inverse, e * inverse)  # (1 + tanh(inner))/2
    return z * below, below + 2.0 * near * e * inverse * inverse * k * (1.0 + 3.0 * c * square)
