"""Float32 values and slopes of the most used functions, in plain arithmetic.

A few rounding errors instead of none, but fast.

`smooth` takes these for the value and the first derivative in float32 (hence for the 16-bit types); higher
derivatives and float64 come from the Taylor series. They are held to the same promise by the same tests.

What keeps the tails: exp(t) stays in parts until everything else is multiplied in. What keeps x times 0 from
becoming NaN: infinite arguments are replaced by finite ones where their limit is 0. The coefficients are made
by tools/fit_quick.py; the worst relative error of each polynomial stands beside it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxacts._numerics.constants import TWO_ROOT_TWO_OVER_PI
from jaxacts._numerics.pair import short

Array = jax.Array

EXP = (  # 2^-22.8
    0.5,
    0.1666657703,
    0.04166655466,
    0.008363173075,
    0.001392617612,
)
EXP2 = (  # 2^-26.3
    0.693147188,
    0.2402265076,
    0.05550357114,
    0.009618082557,
    0.001339086337,
    0.000154531629,
)
LOG1P = (  # 2^-30.1
    0.9999999992,
    -0.4999997949,
    0.3333249754,
    -0.2498649646,
    0.1988582029,
    -0.1608762301,
    0.1237799587,
    -0.08188040924,
    0.04100657369,
    -0.01318782657,
    0.001986696594,
)
TANH = (  # 2^-25.7
    -0.333333327,
    0.1333324229,
    -0.05394670194,
    0.0216799917,
    -0.008089210029,
    0.002038915633,
)
ERFCX = (  # 2^-29.9
    1.237512631,
    -0.1402405867,
    0.003585417318,
    0.08227611073,
    -0.1088042816,
    0.0923134602,
    -0.05868361207,
    0.02831308019,
    -0.00982714443,
    0.001828523089,
    0.0005037961463,
    -0.000203782332,
)
CDF = (  # 2^-30.3
    0.3989422801,
    -0.06649036057,
    0.009973328481,
    -0.001186343989,
    0.0001135022962,
    -7.66053817e-6,
)
GELU_SLOPE = (  # 2^-39.2
    0.7978845608,
    -0.2659615201,
    0.05984133936,
    -0.009498604002,
    0.001154260914,
    -0.0001131502587,
    9.099483078e-6,
    -5.155695373e-7,
)


def _polynomial(x: Array, terms: tuple[float, ...]) -> Array:
    result = np.float32(terms[-1])
    for c in reversed(terms[:-1]):
        result = result * x + np.float32(c)
    return result  # pyright: ignore[reportReturnType]  # an array after the first term


_LOWEST = np.float32(-150.0)  # half of its exponent is that of a normal number


class _Exp(NamedTuple):
    """exp(t) = (1 + q) * a * b: a number near 1 and two powers of two, at most 1, to be multiplied in last.

    Neither is a constant: in a product of two such numbers XLA would multiply constants with each other, and
    what is left with each other, where arrays have a single element.
    """

    q: Array
    a: Array
    b: Array

    @property
    def value(self) -> Array:
        """exp(t) as a number."""
        return (np.float32(1.0) + self.q) * self.a * self.b

    def times(self, y: Array | np.float32, over: Array | None = None) -> Array:
        """`y` exp(t) / `over`, for |y| up to 2^27, without an underflow before the result's own."""
        product = y + y * self.q  # one rounding less than with the sum 1 + q
        return (product if over is None else product / over) * self.a * self.b

    def times_where(self, condition: Array, y: Array | np.float32, over: Array) -> Array:
        """`y` exp(t) / `over` where the condition holds, else `y` / `over`.

        The compiler keeps an expensive operation with several users, such as a division, in an array of its
        own; so the quotient is taken once, here, instead of in both branches of a select.
        """
        one = np.float32(1.0)
        rest = jnp.where(condition, y * self.q, np.float32(0.0))  # infinite y stays so
        a, b = jnp.where(condition, self.a, one), jnp.where(condition, self.b, one)
        return (y + rest) / over * a * b


def _exp(t: Array, low: Array | None = None) -> _Exp:
    """exp(t + low) for t <= 0; with `low`, t must not be below the lowest."""
    if low is None:
        t = lax.max(t, _LOWEST)
    n = lax.round(t * np.float32(1.4426950408889634), lax.RoundingMethod.TO_NEAREST_EVEN)
    # ln 2 in two parts; n times the first is exact
    r = (t - n * np.float32(0.693359375)) - n * np.float32(-2.12194440054690583e-4)
    if low is not None:
        r = r + low
    q = r + r * r * _polynomial(r, EXP)
    return _Exp(q, *_halves(lax.convert_element_type(n, np.int32)))


def _halves(n: Array) -> tuple[Array, Array]:
    """Two powers of two whose product is 2^n."""
    half = lax.shift_right_arithmetic(n, np.int32(1))
    return _two_to(half), _two_to(n - half)


def _two_to(k: Array) -> Array:
    return lax.bitcast_convert_type(lax.shift_left(k + np.int32(127), np.int32(23)), np.float32)


def _logistic(x: Array) -> tuple[_Exp, Array]:
    """The number e = exp(-|x|) in parts, and as a number."""
    e = _exp(-lax.abs(x))
    return e, e.value


def _square_of_one_plus(v: Array) -> Array:
    """(1 + v)^2 for 0 <= v <= 1, with fewer rounding errors than the square of a rounded sum."""
    return np.float32(1.0) + v * (np.float32(2.0) + v)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    e, value = _logistic(x)
    one = np.float32(1.0)
    return e.times_where(x < 0, one, one + value)


def sigmoid_slope(x: Array) -> Array:
    """sigmoid(x) sigmoid(-x)."""
    e, value = _logistic(x)
    return e.times(np.float32(1.0), _square_of_one_plus(value))


def silu(x: Array) -> Array:
    """SiLU, x sigmoid(x)."""
    e, value = _logistic(x)
    return e.times_where(x < 0, _above(x, -1e3), np.float32(1.0) + value)


def _above(x: Array, low: float) -> Array:
    """`x` but at least `low`, so that -inf times 0 is 0."""
    return lax.max(x, np.float32(low))


def _modest(x: Array) -> Array:
    """`x` with the far tails cut, where the slope is 0 or 1: infinity times 0 would be NaN."""
    return lax.clamp(np.float32(-1e3), x, np.float32(1e3))


def silu_slope(x: Array) -> Array:
    """sigmoid(x) (1 + x sigmoid(-x))."""
    e, value = _logistic(x)
    y = _modest(x)
    # (1 + x) + e on the left: the part that cancels at the zero is exact
    one = np.float32(1.0)
    top = jnp.where(x < 0, (one + y) + value, one + value * (one + y))
    return e.times_where(x < 0, top, _square_of_one_plus(value))


def softplus(x: Array) -> Array:
    """log(1 + exp(x))."""
    e = _exp(-lax.abs(x))
    value = e.value
    series = _polynomial(value, LOG1P)
    return jnp.where(x > 0, x + value * series, e.times(series))


def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    size = lax.abs(x)
    e = _exp(np.float32(-2.0) * size)
    value = e.value
    far = np.float32(1.0) - np.float32(2.0) * value / (np.float32(1.0) + value)
    s = x * x
    near = x + x * s * _polynomial(s, TANH)
    return jnp.where(size < np.float32(0.625), near, jnp.where(x < 0, -far, far))


def tanh_slope(x: Array) -> Array:
    """1 - tanh(x)^2."""
    e = _exp(np.float32(-2.0) * lax.abs(x))
    return e.times(np.float32(4.0), _square_of_one_plus(e.value))


def _mish_ratio(v: Array, negative: Array) -> tuple[Array, Array]:
    """Numerator and denominator of the gate, without the factor e on the left."""
    # right: (1 + 2e) / (1 + 2e (1 + e)); left: e (2 + e) / (2 + e (2 + e))
    two, one = np.float32(2.0), np.float32(1.0)
    n = jnp.where(negative, two + v, one + two * v)
    return n, jnp.where(negative, two + v * n, one + two * v * (one + v))


def mish(x: Array) -> Array:
    """Mish, x tanh(softplus(x)), as a rational function of e = exp(-|x|)."""
    e, v = _logistic(x)
    n, m = _mish_ratio(v, x < 0)
    return e.times_where(x < 0, _above(x, -1e3) * n, m)


def mish_slope(x: Array) -> Array:
    """tanh(softplus) + x sech^2(softplus) sigmoid, in the same way."""
    e, v = _logistic(x)
    y = _modest(x)
    n, m = _mish_ratio(v, x < 0)
    one, two, four = np.float32(1.0), np.float32(2.0), np.float32(4.0)
    # m^2 with m = c + w, as c^2 + w (2c + w): fewer rounding errors than the square of a rounded sum
    w = jnp.where(x < 0, two * v + v * v, two * v * (one + v))
    square = jnp.where(x < 0, four, one) + w * (jnp.where(x < 0, four, two) + w)
    right = n * m + four * y * (one + v) * (v * v)
    # n m + 4 x (1 + e) with the part that cancels at the zero written as an exact difference
    left = four * (one + y) + v * ((np.float32(6.0) + four * y) + (four * v + v * v))
    return e.times_where(x < 0, jnp.where(x < 0, left, right), square)


def expm1(x: Array) -> Array:
    """exp(x) - 1 for x <= 0."""
    t = lax.max(x, np.float32(-30.0))
    n = lax.round(t * np.float32(1.4426950408889634), lax.RoundingMethod.TO_NEAREST_EVEN)
    r = (t - n * np.float32(0.693359375)) - n * np.float32(-2.12194440054690583e-4)
    scale = _two_to(lax.convert_element_type(n, np.int32))
    return (scale - np.float32(1.0)) + scale * (r + r * r * _polynomial(r, EXP))


def exp(x: Array) -> Array:
    """exp(x) for x <= 0."""
    e = _exp(x)
    return e.value


def _split_square(x: Array) -> tuple[Array, Array]:
    """x^2 / 2 as a float and the rest."""
    h = short(x)
    rest = x - h
    half = np.float32(0.5)
    return h * h * half, rest * (x + h) * half


_ROOT_TWO = 1.4142135623730951
_ROOT_TWO_HEAD = 181 / 128  # eight bits of it


def _gauss_erfcx(x: Array) -> tuple[_Exp, Array]:
    """(exp(-x^2/2), erfcx(|x| / sqrt 2))."""
    high, low = _split_square(x)
    size = lax.abs(x)
    t = size * np.float32(0.70710678118654752)
    shift = np.float32(3.75)
    p = _polynomial(np.float32(1.0) - np.float32(7.5) / (t + shift), ERFCX)
    # 1 + sqrt(2) |x|, the first part of it exact
    h = short(size)
    rest = h * np.float32(_ROOT_TWO - _ROOT_TWO_HEAD) + (size - h) * np.float32(_ROOT_TWO)
    return _exp(-high, -low), p / ((np.float32(1.0) + h * np.float32(_ROOT_TWO_HEAD)) + rest)


_ROOT_TWO_PI = 0.3989422804014327
_ROOT_TWO_PI_HEAD = 3268 / 8192  # twelve bits of it


def gelu(x: Array) -> Array:
    """GELU, x Phi(x)."""
    y = lax.clamp(np.float32(-14.5), x, np.float32(14.5))
    e, r = _gauss_erfcx(y)
    tail = e.times(np.float32(0.5) * y * r)  # x Phi(-|x|)
    near = y * (np.float32(0.5) + y * _polynomial(y * y, CDF))
    return jnp.where(lax.abs(x) < 1, near, jnp.where(x < 0, tail, x - tail))


def gelu_slope(x: Array) -> Array:
    """Phi(x) + x phi(x)."""
    y = lax.clamp(np.float32(-14.5), x, np.float32(14.5))
    e, r = _gauss_erfcx(y)
    # Phi(-|x|) - |x| phi(x), the product as an exact part and the rest
    size = lax.abs(y)
    h = short(size)
    rest = (size - h) * np.float32(_ROOT_TWO_PI) + h * np.float32(_ROOT_TWO_PI - _ROOT_TWO_PI_HEAD)
    tail = e.times((np.float32(0.5) * r - h * np.float32(_ROOT_TWO_PI_HEAD)) - rest)
    near = np.float32(0.5) + y * _polynomial(y * y, GELU_SLOPE)
    return jnp.where(lax.abs(x) < 1, near, jnp.where(x < 0, tail, np.float32(1.0) - tail))


_LINEAR = float(TWO_ROOT_TWO_OVER_PI)
_LINEAR_HEAD = 51 / 32  # six bits of it
_CUBIC = 0.044715 * _LINEAR
# the same over ln 2, for a power of two
_LINEAR_2, _LINEAR_2_HEAD = _LINEAR / math.log(2), 73 / 32
_CUBIC_2, _CUBIC_2_HEAD = _CUBIC / math.log(2), 3373 / 32768  # twelve bits of it


def _tanh_exp(y: Array, h: Array) -> _Exp:
    """exp(-c y - k y^3) for 0 <= y <= 12, where h = short(y), c = 2 sqrt(2/pi) and k = 0.044715 c.

    The exponent has two parts, as one rounding error would grow with its size; products of short factors are
    exact.
    """
    rest = y - h
    s = y * y
    sh = short(s)
    low = np.float32(_CUBIC_2_HEAD) * ((h * h - sh) + rest * (y + h))
    low = low + np.float32(_CUBIC_2 - _CUBIC_2_HEAD) * s
    cubic = np.float32(_CUBIC_2_HEAD) * sh
    inner = short(np.float32(_LINEAR_2_HEAD) + cubic)
    low = (cubic - (inner - np.float32(_LINEAR_2_HEAD))) + (low + np.float32(_LINEAR_2 - _LINEAR_2_HEAD))
    high, low = h * inner, h * low + rest * (inner + low)
    n = lax.round(high + low, lax.RoundingMethod.TO_NEAREST_EVEN)
    r = (n - high) - low
    return _Exp(r * _polynomial(r, EXP2), *_halves(-lax.convert_element_type(n, np.int32)))


def gelu_tanh(x: Array) -> Array:
    """GELU with tanh, x sigmoid(v), v = 2 sqrt(2/pi) x (1 + 0.044715 x^2)."""
    y = lax.min(lax.abs(x), np.float32(12.0))
    e = _tanh_exp(y, short(y))
    return e.times_where(x < 0, _above(x, -12.0), np.float32(1.0) + e.value)


def gelu_tanh_slope(x: Array) -> Array:
    """sigmoid(v) (1 + x v' sigmoid(-v))."""
    y = lax.min(lax.abs(x), np.float32(12.0))
    h = short(y)
    e = _tanh_exp(y, h)
    one, linear = np.float32(1.0), np.float32(_LINEAR_HEAD)
    value = e.value
    # w + low = |x v'|; left: (1 - w) + e - low, the part that cancels at the zero as an exact difference
    w = linear * h
    low = linear * (y - h) + y * (np.float32(_LINEAR - _LINEAR_HEAD) + np.float32(3 * _CUBIC) * (y * y))
    top = jnp.where(x < 0, (one - w) + (value - low), one + value * (one + (w + low)))
    return e.times_where(x < 0, top, _square_of_one_plus(value))


def soft_sign(x: Array) -> Array:
    """Soft sign, x / (1 + |x|)."""
    y = lax.clamp(np.float32(-(2.0**100)), x, np.float32(2.0**100))
    return y / (np.float32(1.0) + lax.abs(y))


def soft_sign_slope(x: Array) -> Array:
    """1 / (1 + |x|)^2."""
    one = np.float32(1.0)
    m = one + lax.abs(x)  # where its square overflows, the quotient is 0, as it should be
    return one / (m * m)


def elu(x: Array) -> Array:
    """Exponential linear unit, alpha = 1."""
    return jnp.where(x > 0, x, expm1(x))


def elu_slope(x: Array) -> Array:
    """Its derivative."""
    return jnp.where(x > 0, np.float32(1.0), exp(lax.min(x, np.float32(0.0))))


def log_sigmoid(x: Array) -> Array:
    """-softplus(-x)."""
    return -softplus(-x)


def log_sigmoid_slope(x: Array) -> Array:
    """sigmoid(-x)."""
    return sigmoid(-x)


_SELU_SCALE, _SELU_DEPTH = np.float32(1.0507009873554805), np.float32(1.0507009873554805 * 1.6732632423543772)


def selu(x: Array) -> Array:
    """Scaled exponential linear unit."""
    return jnp.where(x > 0, _SELU_SCALE * x, _SELU_DEPTH * expm1(x))


def selu_slope(x: Array) -> Array:
    """Its derivative."""
    return jnp.where(x > 0, _SELU_SCALE, _SELU_DEPTH * exp(lax.min(x, np.float32(0.0))))


def _square_root_plus(x: Array) -> Array:
    """sqrt(x^2 + 4), where x^2 may overflow."""
    size = lax.abs(x)
    y = lax.min(size, np.float32(2.0**60))
    return lax.max(lax.sqrt(y * y + np.float32(4.0)), size)


def squareplus(x: Array) -> Array:
    """(x + sqrt(x^2 + 4)) / 2."""
    half = np.float32(0.5)
    rounded = np.float32(1.0) / (half * lax.abs(x) + half * _square_root_plus(x))
    return jnp.where(x > 0, x + rounded, rounded)


def squareplus_slope(x: Array) -> Array:
    """(1 + x / sqrt(x^2 + 4)) / 2."""
    # half of 1 - y / sqrt(s), with s = y^2 + 4, is 2 / (y sqrt(s) + s); beyond 2^63.4
    # that is 0 to any precision
    y = lax.min(lax.abs(x), np.float32(2.0**63.4))
    s = y * y + np.float32(4.0)
    part = np.float32(2.0) / (y * lax.sqrt(s) + s)
    return jnp.where(x > 0, np.float32(1.0) - part, part)
