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


def require(name: str, value: Any, allowed: bool | Array, description: str) -> None:
    """Refuse a parameter that is a plain number outside its range; arrays are not looked at."""
    if allowed is False:
        raise ValueError(f"{name} must be {description}, was {value}")


@jax.custom_jvp
def ratio(a: Array, x: Array) -> Array:
    """The quotient a / x whose derivatives divide by x step by step, so that no power of x overflows."""
    return a / x


@functools.partial(ratio.defjvp, symbolic_zeros=False)
def _ratio_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (a, x), (da, dx) = primals, tangents
    y = ratio(a, x)
    return y, da * ratio(jnp.ones_like(x), x) - dx * ratio(y, x)
