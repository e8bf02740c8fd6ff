"""Parts of functions that are pieced together from exact formulas, without a Taylor series.

A piece that is not selected must still be finite, or `jax.grad` multiplies its infinite slope by zero; so
each piece sees `x` only where it is used.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array


def within(x: Array, low: Any, high: Any) -> Array:
    """`x` where low < x < high, elsewhere 0; NaN stays NaN."""
    return jnp.where((x <= low) | (x >= high), 0.0, x)


def times(a: Any, x: Array) -> Array:
    """The product a x as a slope means it: 0 times infinity is 0."""
    if isinstance(a, float) and a != 0:
        return a * x
    return jnp.where((a == 0) & jnp.isinf(x), 0.0, a * x)


def require(name: str, value: Any, allowed: Any, description: str) -> None:
    """Refuse a parameter that is a plain number outside its range; an array of `allowed` is not looked at."""
    if allowed is False:
        raise ValueError(f"{name} must be {description}, was {value}")


@jax.custom_jvp
def ratio(a: Array, x: Array) -> Array:
    """The quotient a / x whose derivatives divide by x step by step, so that no power of x overflows."""
    return a / x


@ratio.defjvp
def _ratio_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (a, x), (da, dx) = primals, tangents
    y = ratio(a, x)
    inverse = ratio(jnp.ones_like(x), x)
    return y, da * inverse - dx * (y * inverse)  # XLA would turn the quotient (a / x) / x into a / (x x)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def power(c: float, n: int, x: Array) -> Array:
    """C x^n, multiplied from the left, so that no derivative overflows or vanishes before its time."""
    return functools.reduce(lambda y, _: y * x, range(n), jnp.full_like(x, c))


@power.defjvp
def _power_rule(c: float, n: int, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return power(c, n, x), dx * (power(c * n, n - 1, x) if n else jnp.zeros_like(x))
