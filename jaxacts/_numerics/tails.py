"""Formulas on series that neither overflow, underflow nor cancel far from the origin."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxacts._numerics import elementary as el
from jaxacts._numerics import pair as pr
from jaxacts._numerics import series
from jaxacts._numerics.constants import EULER, PI
from jaxacts._numerics.pair import Number, Pair, Scale
from jaxacts._numerics.series import Series, _elementary

Array = jax.Array
Parameter = series.Operand
HALF_PI = PI / 2

# where e^u is 0 to any precision, also times a power of u
_GONE = {np.dtype(np.float32): -130.0, np.dtype(np.float64): -1080.0}
# |u| beyond which 1/u is held over a scale, and the exponent of the scale: high enough that 1/u, its square
# and its cube keep their tails while they are normal numbers, low enough that a few more powers are finite
_LARGE = {
    np.dtype(np.float32): ((2.0**16, 16), (2.0**90, 28)),
    np.dtype(np.float64): ((2.0**100, 100),),
}


def number(u: Parameter, like: Array) -> Array:
    """The value of a series or of a constant, as a float array."""
    value = u.value if isinstance(u, Series) else u
    return pr.to_float(value) if isinstance(value, Pair) else lax.full_like(like, float(value))


def beside(x: Series, parameter: Parameter) -> Array:
    """The value of a parameter, as an array like x."""
    value = x.value
    assert isinstance(value, Pair)
    return number(parameter, value.head)


def negative(x: Series) -> Array:
    """Where the value of x is < 0: for functions whose right branch owns the origin."""
    value = x.value
    assert isinstance(value, Pair)
    return lax.lt(value.head, pr.constant(value.head, 0.0))


def zero(x: Series) -> Array:
    """Where the value of x is 0."""
    value = x.value
    assert isinstance(value, Pair)
    return lax.eq(value.head, pr.constant(value.head, 0.0))


def above(x: Series, bound: Parameter) -> Array:
    """Where x > bound."""
    value = x.value
    assert isinstance(value, Pair)
    v = pr.to_float(value)
    return lax.gt(v, number(bound, v))


def beyond(x: Series, bound: Parameter) -> Array:
    """Where |x| > |bound|, also where x is infinite."""
    value = x.value
    assert isinstance(value, Pair)
    overflow = lax.eq(lax.abs(value.head), pr.constant(value.head, math.inf))  # its tail is NaN
    size = lax.abs(lax.select(overflow, value.head, pr.to_float(value)))
    return lax.gt(size, lax.abs(number(bound, size)))


def spent(x: Series, length: Parameter) -> Array:
    """Where e^(-|x| / length) is 0 to any precision, though powers of 1 / length beside it may overflow."""
    return beyond(x, 2200.0 * length)


def decay(u: Series) -> Series:
    """e^u - 1 for u <= 0; -1 itself far out, where derivatives of u may be too large to multiply by 0."""
    value = u.value
    if not isinstance(value, Pair):  # u = 0
        return series.expm1(u)
    value = pr.unscaled(value)
    gone = lax.lt(value.head, pr.constant(value.head, _GONE[np.dtype(value.head.dtype)]))
    return series.where(gone, -1.0, series.expm1(u))


# from here on e^u times a power of u may overflow, and from there on e^u itself does
_HUGE = {np.dtype(np.float32): (80.0, 88.72283), np.dtype(np.float64): (690.0, 709.782712893384)}


def grown(left: Series, u: Series, alpha: Parameter) -> Series:
    """`left`, alpha (e^u - 1) with u = x / alpha, with its infinities where alpha and x are below 0."""
    value = u.value
    if not isinstance(value, Pair):
        return left
    v = pr.to_float(value)
    large, overflows = (lax.gt(v, pr.constant(v, bound)) for bound in _HUGE[np.dtype(v.dtype)])
    large = lax.bitwise_and(large, lax.lt(number(alpha, v), pr.constant(v, 0.0)))
    # the exponential of pairs ends just below the largest float
    y = series.where(large, alpha * (series.exp(u - 1.0) * EULER), left)
    terms = {}
    for k, c in y.terms.items():
        sign = -1.0 if k[0] % 2 == 0 else 1.0  # each derivative in x divides by alpha
        head = c.head if isinstance(c, Pair) else v
        infinite = lax.bitwise_and(large, lax.bitwise_or(overflows, lax.bitwise_not(lax.is_finite(head))))
        terms[k] = pr.where(infinite, pr.literal(v, sign * math.inf), c)
    return Series(y.orders, terms)


def exp_rest(u: Series) -> Series:
    """e^u - 1 - u, which is u^2 / 2 near zero."""
    near = near_zero(u)
    return series.where(near, _exp_rest_near(series.where(near, u, 0.0)), series.expm1(u) - u)


@_elementary
def _exp_rest_near(u: Pair, n: int) -> list[Number]:
    terms = [1 / math.factorial(k) for k in range(4, 18 if el.is_double(u.head) else 11)]
    v = pr.exact(el.polynomial(pr.to_float(u), terms))
    inner = pr.add(pr.multiply(u, pr.add(pr.multiply(u, v), Fraction(1, 6))), 0.5)
    result: list[Number] = [pr.multiply(pr.square(u), inner), el.expm1(u)]
    e = el.exp(u, scaled=False) if n > 1 else 0.0
    return [*result, *(pr.multiply(e, Fraction(1, math.factorial(k))) for k in range(2, n + 1))][: n + 1]


def near_zero(u: Series) -> Array:
    """Where |u| is below 1/3."""
    value = u.value
    assert isinstance(value, Pair)
    value = pr.unscaled(value)
    return lax.lt(lax.abs(value.head), pr.constant(value.head, 0.33))


def by_sign(p: Array | float, below: Array | float, at: Array | float, above: Array | float) -> Array:
    """One of three numbers, for a parameter below, at and above zero: for asymptotes that change sides."""
    return jnp.where(p > 0, above, jnp.where(p < 0, below, at))


def scaled_inverse(u: Pair) -> Pair:
    """1 / u, whose powers keep their precision until they are no longer normal numbers."""
    u = pr.unscaled(u)
    size = lax.abs(u.head)
    up = down = lax.full_like(size, 1.0)
    for limit, power in _LARGE[np.dtype(size.dtype)]:
        large = lax.gt(size, pr.constant(size, limit))
        up, down = (
            lax.select(large, lax.full_like(size, 2.0**p), factor)
            for p, factor in ((power, up), (-power, down))
        )
    quotient = pr.divide(1.0, Pair(lax.mul(u.head, down), lax.mul(u.tail, down)))
    assert isinstance(quotient, Pair)
    return Pair(quotient.head, quotient.tail, Scale(up, down))


@_elementary
def inverse(u: Pair, n: int) -> list[Number]:
    """1 / u over a scale where u is large."""
    result: list[Number] = [scaled_inverse(u)]
    for _ in range(n):
        result.append(pr.negative(pr.multiply(result[-1], result[0])))
    return result


def proportion(x: Series, b: Parameter) -> Series:
    """The quotient x / (b + |x|) for b > 0; at 0 the derivatives are those from the right."""
    part = inverse(series.absolute(x) + b)
    rest = 1.0 - b * part  # where b is the lesser part, this form does not cancel in the derivatives
    far = series.where(negative(x), -rest, rest)
    return series.where(beyond(x, b), far, x * part)


def over_root(x: Series, alpha: Parameter) -> Series:
    """The quotient x / sqrt(1 + alpha x^2) for alpha >= 0."""
    value = x.value
    assert isinstance(value, Pair)
    v = pr.to_float(value)
    large = lax.gt(lax.mul(number(alpha, v), lax.mul(v, v)), pr.constant(v, 1.0))
    w = inverse(x)
    far = series.reciprocal(series.sqrt(w * w + alpha))
    far = series.where(negative(x), -far, far)
    return series.where(large, far, x / series.sqrt(1.0 + alpha * x * x))


def end_of_over_root(alpha: Array | float, side: float = 1.0) -> tuple[Array, Array]:
    """Slope and intercept of `over_root` far out on a side, -1 or 1: a line where alpha is 0, else flat."""
    flat = jnp.asarray(alpha) != 0
    return jnp.where(flat, 0.0, 1.0), side * jnp.where(flat, lax.rsqrt(jnp.where(flat, alpha, 1.0)), 0.0)


def arctan(x: Series) -> Series:
    """Inverse tangent, through that of 1/x where x is large."""
    size = series.absolute(x)
    far = HALF_PI - series.arctan(inverse(size))
    far = series.where(negative(x), -far, far)
    return series.where(beyond(x, 2.0), far, series.arctan(x))


# |x| beyond which `shrink` moves x, and the power of two by which it does
_FAR = {np.dtype(np.float32): (2.0**90, 2.0**-30), np.dtype(np.float64): (2.0**800, 2.0**-200)}


def shrink(x: Array, where: Array | bool = True) -> tuple[Array, Array]:
    """(y, factor) with f(x) = factor f(y), for f that is a multiple of 1/x far out.

    Only the largest floats are moved, and only where the condition holds; elsewhere y = x with a factor of 1.
    """
    limit, step = _FAR[np.dtype(x.dtype)]
    far = (jnp.abs(x) > limit) & where
    factor = jnp.where(far, step, 1.0).astype(x.dtype)
    return x * factor, factor


# mask of the exponent and the largest power of two with an inverse, by type
_EXPONENT = {
    np.dtype(np.float32): (np.int32(0x7F800000), 2.0**126),
    np.dtype(np.float64): (np.int64(0x7FF << 52), 2.0**1022),
}
_PLAIN = (2.0**-6, 2.0**6)  # parameters that need no other unit


def in_units(g: Callable[[Array, Array | float], Array]) -> Callable[[Array, Array | float], Array]:
    """The function g(x, a) = a h(x / a), computed with both arguments in a unit where |a| is about 1.

    The unit is a power of two, so nothing is rounded. It is 1 where x would leave the range in it, unless
    only the sign of x still matters.
    """

    @jax.custom_jvp
    def scaled(x: Array, a: Array) -> Array:
        y, b, unit = _in_unit(x, a)
        return g(y, b) * unit

    @scaled.defjvp
    def _rule(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
        y, b, _ = _in_unit(*primals)  # the unit cancels in first derivatives, before it can flush anything
        return scaled(*primals), jax.jvp(g, (y, b), tangents)[1]

    def function(x: Array, a: Array | float) -> Array:
        if isinstance(a, float) and (a == 0 or _PLAIN[0] <= abs(a) <= _PLAIN[1]):
            return g(x, a)
        a = jnp.asarray(a, x.dtype)
        shape = jnp.broadcast_shapes(x.shape, a.shape)
        return scaled(jnp.broadcast_to(x, shape), jnp.broadcast_to(a, shape))

    return function


def _in_unit(x: Array, a: Array) -> tuple[Array, Array, Array]:
    mask, largest = _EXPONENT[np.dtype(x.dtype)]
    bits = lax.bitcast_convert_type(lax.stop_gradient(a), mask.dtype)
    unit = jnp.clip(lax.bitcast_convert_type(bits & mask, x.dtype), 1 / largest, largest)
    lost = (a == 0) | ((unit > 1) & (jnp.abs(x) / unit < 2.0**-60))
    unit = lax.stop_gradient(jnp.where(lost, 1.0, unit).astype(x.dtype))
    most = np.finfo(x.dtype).max
    return jnp.clip(x / unit, -most, most), a / unit, unit


__all__ = [
    "above",
    "arctan",
    "beside",
    "beyond",
    "by_sign",
    "decay",
    "exp_rest",
    "grown",
    "in_units",
    "inverse",
    "near_zero",
    "negative",
    "number",
    "over_root",
    "proportion",
    "scaled_inverse",
    "shrink",
    "zero",
]
