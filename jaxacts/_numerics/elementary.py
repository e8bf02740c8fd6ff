"""Elementary functions of pairs: exp, expm1, log, log1p, erf, erfc, sin, cos, arctan.

Each has the leading terms of its series in pair arithmetic and the rest in plain floating point, which leaves
about five guard bits. Arguments so large that the result is 0 or 1 are clamped, so nothing here makes a NaN
of a finite pair.
"""

from __future__ import annotations

import math
from fractions import Fraction

import jax
import numpy as np
from jax import lax

from jaxacts._numerics import coefficients
from jaxacts._numerics.constants import LN2, PI, TWO_OVER_ROOT_PI
from jaxacts._numerics.pair import (
    Number,
    Pair,
    Scale,
    absolute,
    add,
    constant,
    divide,
    exact,
    literal,
    multiply,
    negative,
    normal,
    rescale,
    root,
    short,
    square,
    subtract,
    times_power,
    to_float,
    unscaled,
    where,
    with_sign,
)

Array = jax.Array

# Exponent of the scale of small exponentials, and the argument below which it is used: exp(SMALL) times the
# resolution of a pair must be a normal number, and so must the square of the scale.
_SCALE_POWER = {np.dtype(np.float32): 40, np.dtype(np.float64): 300}
_SMALL = {np.dtype(np.float32): -55.0, np.dtype(np.float64): -600.0}
# Below this argument the exponential is zero even over the scale; above the other it overflows.
_LOWEST = {np.dtype(np.float32): -130.0, np.dtype(np.float64): -1080.0}
_HIGHEST = {np.dtype(np.float32): 88.5, np.dtype(np.float64): 709.5}


def is_double(x: Array) -> bool:
    """Whether `x` is in double precision."""
    return np.dtype(x.dtype) == np.dtype(np.float64)


def polynomial(x: Array, terms) -> Array:
    """Sum of terms[k] x^k, by Horner's rule."""
    result = lax.full_like(x, constant(x, terms[-1]))
    for c in reversed(terms[:-1]):
        result = lax.add(lax.mul(result, x), constant(x, c))
    return result


def _reduce(u: Pair) -> tuple[Array, Pair]:
    """(n, r) with u = n ln 2 + r and |r| <= 0.35."""
    # ln 2 in three parts; n times the first is exact.
    bits = 32 if is_double(u.head) else 12
    first = math.floor(LN2 * 2**bits) / 2**bits
    second = _short_float(float(LN2 - Fraction(first)), u)
    third = float(LN2 - Fraction(first) - Fraction(second))
    n = lax.round(lax.mul(u.head, constant(u.head, float(1 / LN2))), lax.RoundingMethod.TO_NEAREST_EVEN)
    high = lax.sub(u.head, lax.mul(n, constant(n, first)))
    low = lax.sub(u.tail, lax.mul(n, constant(n, third)))
    middle = lax.mul(n, constant(n, -second))  # exact: short second, small integer n
    total = add(Pair(short(high), lax.sub(high, short(high))), Pair(middle, low))
    assert isinstance(total, Pair)
    return n, total


def _short_float(value: float, like: Pair) -> float:
    """`value` cut to the head of a pair, at trace time."""
    kind = np.dtype(like.head.dtype)
    bits = 26 if kind == np.float64 else 12
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.trunc(mantissa * 2**bits), exponent - bits)


def _exp_series(r: Pair) -> tuple[Array, Array]:
    """(c, rest) with exp(r) = 1 + r.head + c + rest, c = r.head^2 / 2 exact."""
    terms = 15 if is_double(r.head) else 10
    x = lax.add(r.head, r.tail)
    p = polynomial(x, [1 / math.factorial(k) for k in range(3, terms)])
    c = lax.mul(lax.mul(r.head, r.head), constant(x, 0.5))
    cubic = lax.mul(lax.mul(lax.mul(x, x), x), p)
    mixed = lax.mul(r.tail, lax.add(r.head, lax.mul(r.tail, constant(x, 0.5))))
    return c, lax.add(r.tail, lax.add(mixed, cubic))


def _power_of_two(n: Array, extra: Array | int = 0) -> tuple[Array, Array]:
    """Two factors whose product is 2^n, each a normal number."""
    double = is_double(n)
    integer = np.int64 if double else np.int32
    bias, width = (1023, 52) if double else (127, 23)
    k = lax.convert_element_type(n, integer)
    if not isinstance(extra, int):
        k = lax.add(k, lax.convert_element_type(extra, integer))
    half = lax.shift_right_arithmetic(k, lax.full_like(k, 1))

    def build(e: Array) -> Array:
        return lax.bitcast_convert_type(
            lax.shift_left(lax.add(e, integer(bias)), lax.full_like(e, width)), n.dtype
        )

    return build(half), build(lax.sub(k, half))


def exp(u: Number, scaled: bool = True) -> Pair:
    """exp(u), held over a scale where it is small unless `scaled` is false; clamped just below overflow."""
    assert isinstance(u, Pair)
    u = unscaled(u)
    kind = np.dtype(u.head.dtype)
    low, high = constant(u.head, _LOWEST[kind]), constant(u.head, _HIGHEST[kind])
    inside = lax.bitwise_and(lax.gt(u.head, low), lax.lt(u.head, high))
    u = Pair(lax.clamp(low, u.head, high), lax.select(inside, u.tail, lax.full_like(u.tail, 0.0)))
    n, r = _reduce(u)
    c, rest = _exp_series(r)
    one = constant(c, 1.0)
    head = short(lax.add(one, lax.add(r.head, lax.add(c, rest))))
    tail = lax.add(lax.add(lax.add(lax.sub(one, head), r.head), c), rest)
    small = lax.lt(u.head, constant(u.head, _SMALL[kind]))
    power = _SCALE_POWER[kind]
    extra = lax.select(small, lax.full_like(n, float(power)), lax.full_like(n, 0.0)) if scaled else 0
    two_half, two_rest = _power_of_two(n, extra)
    head, tail = (lax.mul(lax.mul(part, two_half), two_rest) for part in (head, tail))
    return rescale(Pair(head, tail), small, power) if scaled else Pair(head, tail)


def expm1(u: Number) -> Pair:
    """exp(u) - 1 to full relative accuracy; clamped just below overflow."""
    assert isinstance(u, Pair)
    plain = unscaled(u)
    assert isinstance(plain, Pair)
    # exp(u) - 1 from the series without its leading 1 where no reduction is needed
    near = lax.lt(lax.abs(plain.head), constant(plain.head, 0.34))
    r = where(near, plain, 0.0)
    assert isinstance(r, Pair)
    c, rest = _exp_series(r)
    short_part = lax.add(c, rest)
    head = short(lax.add(r.head, short_part))
    small = Pair(head, lax.add(lax.add(lax.sub(r.head, head), c), rest))
    result = where(near, small, add(exp(plain, scaled=False), -1.0))
    assert isinstance(result, Pair)
    return _keep_small(u, result)


def _keep_small(u: Pair, result: Pair) -> Pair:
    """`result`, or `u` itself where u is held over a scale: for functions with f(u) = u near zero."""
    if u.scale is None:
        return result
    tiny = lax.gt(u.scale.up, constant(u.head, 1.0))
    kept = where(tiny, u, result)
    assert isinstance(kept, Pair)
    return kept


def _atanh_series(s: Pair, largest: float) -> Pair:
    """Log((1 + s) / (1 - s)) for |s| <= largest."""
    bits = 60 if is_double(s.head) else 33
    count = math.ceil(bits * math.log(2) / -math.log(largest**2))
    x = lax.add(s.head, s.tail)
    x2 = lax.mul(x, x)
    rest = lax.mul(lax.mul(x2, x), polynomial(x2, [2 / (2 * k + 3) for k in range(count)]))
    return normal(lax.mul(s.head, constant(x, 2.0)), lax.add(lax.mul(s.tail, constant(x, 2.0)), rest))


def log1p(u: Number) -> Pair:
    """log(1 + u) for u > -1, to full relative accuracy."""
    assert isinstance(u, Pair)
    plain = unscaled(u)
    assert isinstance(plain, Pair)
    one = constant(plain.head, 1.0)
    near = lax.bitwise_and(lax.gt(plain.head, constant(one, -0.5)), lax.le(plain.head, one))
    safe = where(near, plain, 0.0)
    inside = _atanh_series(divide(safe, add(safe, 2.0)), 1 / 3)  # type: ignore[arg-type]
    result = where(near, inside, log(add(plain, 1.0)))
    assert isinstance(result, Pair)
    return _keep_small(u, result)


def log1p_unit(u: Number) -> Pair:
    """log(1 + u) for 0 <= u <= 1."""
    assert isinstance(u, Pair)
    plain = unscaled(u)
    result = _atanh_series(divide(plain, add(plain, 2.0)), 1 / 3)  # type: ignore[arg-type]
    return _keep_small(u, result)


def log(u: Number) -> Pair:
    """Natural logarithm of a positive number."""
    assert isinstance(u, Pair)
    u = unscaled(u)
    double = is_double(u.head)
    integer, bias, width = (np.int64, 1023, 52) if double else (np.int32, 127, 23)
    bits = lax.bitcast_convert_type(u.head, integer)
    # n = exponent of u / sqrt(1/2), so that m = u 2^-n lies in [0.7, 1.42]
    offset = int(np.asarray(math.sqrt(0.5), u.head.dtype).view(integer)) - (bias << width)
    shifted = lax.sub(bits, lax.full_like(bits, offset))
    k = lax.sub(lax.shift_right_arithmetic(shifted, lax.full_like(bits, width)), integer(bias))
    half, rest = _power_of_two(lax.convert_element_type(lax.neg(k), u.head.dtype))
    m = Pair(lax.mul(lax.mul(u.head, half), rest), lax.mul(lax.mul(u.tail, half), rest))
    part = _atanh_series(divide(add(m, -1.0), add(m, 1.0)), 0.1716)  # type: ignore[arg-type]
    n = lax.convert_element_type(k, u.head.dtype)
    whole = multiply(Pair(n, lax.full_like(n, 0.0)), LN2)
    total = add(whole, part)
    assert isinstance(total, Pair)
    return total


def erfcx(x: Pair) -> Pair:
    """exp(x^2) erfc(x) for x >= 0."""
    double = is_double(x.head)
    result = divide(
        _in_unit(x, coefficients.ERFCX_64 if double else coefficients.ERFCX_32), _one_plus_twice(x)
    )
    assert isinstance(result, Pair)
    return result


def ierfcx(x: Pair) -> Pair:
    """exp(x^2) (exp(-x^2) / sqrt(pi) - x erfc(x)) for x >= 0."""
    double = is_double(x.head)
    p = _in_unit(x, coefficients.IERFCX_64 if double else coefficients.IERFCX_32)
    result = divide(divide(p, _one_plus_twice(x)), _one_plus_twice(x))
    assert isinstance(result, Pair)
    return result


def _one_plus_twice(x: Pair) -> Number:
    return add(times_power(x, 2.0), 1.0)


def _in_unit(x: Pair, terms: tuple[float, ...]) -> Number:
    """The polynomial with these coefficients at y = (x - 3.75) / (x + 3.75)."""
    y = divide(add(x, -3.75), add(x, 3.75))
    assert isinstance(y, Pair)
    t = to_float(y)
    q = polynomial(t, terms[1:])
    # the last step of Horner's rule in pairs
    return add(multiply(y, exact(q)), terms[0])


def gauss(x: Pair) -> Pair:
    """exp(-x^2), held over a scale where it is small."""
    x = unscaled(x)
    # Beyond 40 the result is zero in either type; the clamp keeps x^2 finite.
    v = lax.clamp(constant(x.head, -40.0), x.head, constant(x.head, 40.0))
    inside = lax.eq(v, x.head)
    clipped = Pair(v, lax.select(inside, x.tail, lax.full_like(v, 0.0)))
    return exp(negative(square(clipped)))


def erfc(x: Number) -> Pair:
    """Complementary error function; held over a scale where it is small."""
    assert isinstance(x, Pair)
    x = unscaled(x)
    size = absolute(x)
    tail = multiply(gauss(size), erfcx(size))
    near = add(1.0, negative(_erf_near(x)))
    positive = lax.gt(x.head, constant(x.head, 0.0))
    far = where(positive, tail, subtract(2.0, unscaled(tail)))
    result = where(lax.lt(size.head, constant(x.head, 0.5)), near, far)
    assert isinstance(result, Pair)
    return result


def ierfc(x: Number) -> Pair:
    """Integral of erfc from x to infinity; held over a scale where it is small."""
    assert isinstance(x, Pair)
    x = unscaled(x)
    size = absolute(x)
    bell = gauss(size)
    # exp(-x^2) / sqrt(pi) - x erfc(x) while that does not cancel
    small = lax.lt(size.head, constant(x.head, 0.5))
    near = subtract(multiply(bell, TWO_OVER_ROOT_PI / 2), multiply(size, subtract(1.0, _erf_near(size))))  # type: ignore[arg-type]
    tail = where(small, near, multiply(bell, ierfcx(size)))
    positive = lax.gt(x.head, constant(x.head, 0.0))
    result = where(positive, tail, add(unscaled(tail), times_power(size, 2.0)))
    assert isinstance(result, Pair)
    return result


def _erf_near(x: Pair) -> Pair:
    """Error function for |x| <= 1."""
    terms = coefficients.ERF_64 if is_double(x.head) else coefficients.ERF_32
    s = square(x)
    inner = add(multiply(s, exact(polynomial(to_float(s), terms[1:]))), terms[0])
    result = multiply(x, inner)
    assert isinstance(result, Pair)
    return result


def erf(x: Number) -> Pair:
    """Error function."""
    assert isinstance(x, Pair)
    plain = unscaled(x)
    assert isinstance(plain, Pair)
    size = absolute(plain)
    far = with_sign(subtract(1.0, unscaled(multiply(gauss(size), erfcx(size)))), plain)  # type: ignore[arg-type]
    result = where(lax.lt(size.head, constant(size.head, 1.0)), _erf_near(plain), far)
    assert isinstance(result, Pair)
    if x.scale is None:
        return result
    return _keep_small(multiply(x, TWO_OVER_ROOT_PI), result)  # type: ignore[arg-type]


def lifted(x: Pair) -> Pair:
    """`x`, held over a scale where it is so small that its powers would lose their tails."""
    kind = np.dtype(x.head.dtype)
    small = lax.lt(lax.abs(x.head), constant(x.head, 2.0 ** (-100 if is_double(x.head) else -20)))
    power = _SCALE_POWER[kind]
    up = lax.select(small, lax.full_like(x.head, 2.0**power), lax.full_like(x.head, 1.0))
    return rescale(Pair(lax.mul(x.head, up), lax.mul(x.tail, up)), small, power)


def _tanh_cubes(count: int) -> list[Fraction]:
    """Coefficients of (x - tanh x) / x^3 in powers of x^2."""
    t = [Fraction(1)]  # of tanh(x) / x, from tanh' = 1 - tanh^2
    for k in range(1, count + 1):
        t.append(-sum((t[i] * t[k - 1 - i] for i in range(k)), Fraction(0)) / (2 * k + 1))
    return [-c for c in t[1:]]


def minus_tanh(x: Pair, tanh: Pair) -> Pair:
    """X - tanh(x), given tanh(x)."""
    plain = unscaled(x)
    assert isinstance(plain, Pair)
    near = lax.lt(lax.abs(plain.head), constant(plain.head, 0.5))
    safe = where(near, plain, 0.0)
    assert isinstance(safe, Pair)
    first, *rest = _tanh_cubes(18 if is_double(plain.head) else 9)
    s = square(safe)
    inner = add(multiply(s, exact(polynomial(to_float(s), [float(c) for c in rest]))), first)
    cubic = multiply(multiply(inner, s), lifted(safe))
    result = where(near, cubic, subtract(plain, unscaled(tanh)))
    assert isinstance(result, Pair)
    return result


# |x| up to which sine and cosine are reduced here, and the bits of the first two parts of pi / 2: a multiple
# of them that occurs is exact
_TURNS = {np.dtype(np.float32): (256.0, 15), np.dtype(np.float64): (8192.0, 39)}


def _sin_cos_near(v: Array, rest: Array) -> tuple[Pair, Pair]:
    """Sine and cosine of v + rest as pairs, for |v| below the bound of `_TURNS`."""
    bits = _TURNS[np.dtype(v.dtype)][1]
    quarter = PI / 2
    first = Fraction(math.floor(quarter * 2**bits), 2**bits)
    second = Fraction(math.floor((quarter - first) * 4**bits), 4**bits)
    third = float(quarter - first - second)
    n = lax.round(lax.mul(v, constant(v, float(1 / quarter))), lax.RoundingMethod.TO_NEAREST_EVEN)
    high = lax.sub(v, lax.mul(n, constant(v, float(first))))  # exact
    low = lax.sub(rest, lax.mul(n, constant(v, third)))
    r = add(exact(high), Pair(lax.neg(lax.mul(n, constant(v, float(second)))), low))
    r2 = square(r)
    t = to_float(r2)
    count = 11 if is_double(v) else 6
    odd = [(-1) ** k / math.factorial(2 * k + 1) for k in range(2, count)]
    even = [(-1) ** k / math.factorial(2 * k) for k in range(2, count + 1)]
    inner = add(multiply(r2, exact(polynomial(t, odd))), Fraction(-1, 6))
    s = add(r, multiply(multiply(r, r2), inner))
    c = add(add(multiply(square(r2), exact(polynomial(t, even))), times_power(r2, -0.5)), 1.0)
    # quarter turns take (s, c) to (c, -s), (-s, -c), (-c, s)
    turns = lax.bitwise_and(lax.convert_element_type(n, np.int32), np.int32(3))
    swap = lax.eq(lax.bitwise_and(turns, np.int32(1)), np.int32(1))
    s_sign = lax.ge(turns, np.int32(2))
    c_sign = lax.bitwise_or(lax.eq(turns, np.int32(1)), lax.eq(turns, np.int32(2)))
    sine, cosine = where(swap, c, s), where(swap, s, c)
    return (
        where(s_sign, negative(sine), sine),  # type: ignore[return-value]
        where(c_sign, negative(cosine), cosine),
    )


def sin_cos(x: Number) -> tuple[Pair, Pair]:
    """Sine and cosine; for large |x| the library's own, plus what the part of x beyond one float adds."""
    assert isinstance(x, Pair)
    x = unscaled(x)
    v = lax.add(x.head, x.tail)
    rest = lax.add(lax.sub(x.head, v), x.tail)
    s, c = lax.sin(v), lax.cos(v)
    rest_s, rest_c = lax.sin(rest), lax.cos(rest)
    far_s = normal(lax.mul(s, rest_c), lax.mul(c, rest_s))
    far_c = normal(lax.mul(c, rest_c), lax.neg(lax.mul(s, rest_s)))
    near = lax.lt(lax.abs(v), constant(v, _TURNS[np.dtype(v.dtype)][0]))
    near_s, near_c = _sin_cos_near(v, rest)
    return where(near, near_s, far_s), where(near, near_c, far_c)  # type: ignore[return-value]


def arctan(x: Number) -> Pair:
    """Inverse tangent."""
    assert isinstance(x, Pair)
    x = unscaled(x)
    y = exact(lax.atan(lax.add(x.head, x.tail)))
    # one step of Newton's method: x = tan(y + d) gives d = (x cos y - sin y) / (cos y + x sin y) for small d
    s, c = sin_cos(y)
    step = divide(subtract(multiply(x, c), s), add(c, multiply(x, s)))
    result = add(y, step)
    assert isinstance(result, Pair)
    return result


def asinh(x: Number) -> Pair:
    """Inverse hyperbolic sine, for |x| whose square does not overflow."""
    assert isinstance(x, Pair)
    size = absolute(unscaled(x))  # type: ignore[arg-type]
    s = square(size)
    inner = add(size, divide(s, add(root(add(s, 1.0)), 1.0)))
    result = with_sign(log1p(inner), x)
    return _keep_small(x, result)


__all__ = [
    "Scale",
    "arctan",
    "asinh",
    "erf",
    "erfc",
    "erfcx",
    "exp",
    "expm1",
    "gauss",
    "is_double",
    "lifted",
    "literal",
    "log",
    "log1p",
    "log1p_unit",
    "minus_tanh",
    "polynomial",
    "sin_cos",
]
