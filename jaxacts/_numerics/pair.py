"""Pairs: real numbers carried as a short head and a full tail, about half a word more precise than a float.

A pair is the unevaluated sum ``head + tail``. The head keeps only the upper half of the significand, so the
product of two heads is exact and no fused multiply-add that the compiler may form can change it; the tail is
an ordinary float. The relative precision is about 2^-35 in float32 and 2^-78 in float64: enough guard bits
for the product rules and cancellations of second derivatives, at a fraction of the cost of full double-word
arithmetic.

A pair may also carry a power-of-two `scale`; its value is then ``(head + tail) / scale``. Tails of
exponentials live far below 1, where the tail of a pair (and then the head) would be flushed to zero long
before the result is.

Everywhere here a number is a `Pair` or an exact Python float; constants are folded at trace time.

Source of the error-free sum: Knuth, The Art of Computer Programming 2, section 4.2.2; of the split by
masking: Dekker, Numerische Mathematik 18 (1971), https://doi.org/10.1007/BF01397083
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple, overload

import jax
import numpy as np
from jax import lax

Array = jax.Array

# dtype -> (integer type of the same width, mask that clears the lower half of the significand)
_MASKS = {
    np.dtype(np.float32): (np.int32, np.int32(-(1 << 12))),
    np.dtype(np.float64): (np.int64, np.int64(-(1 << 27))),
}
# dtype -> (bits from which to subtract those of b for a guess at 1 / b that is off by an eighth at most,
# Newton steps from there to full precision)
_INVERSE = {
    np.dtype(np.float32): (0x7EF311C7, 4),
    np.dtype(np.float64): (0x7FDE6238502484BA, 5),
}
# the same with half the bits of a for 1 / sqrt(a), off by 4 %; four steps serve both types
_INVERSE_ROOT = {np.dtype(np.float32): 0x5F3759DF, np.dtype(np.float64): 0x5FE6EB50C7B537A9}


class Scale(NamedTuple):
    """A power of two per element and its exact inverse."""

    up: Array
    down: Array


class Pair(NamedTuple):
    """The number (head + tail) / scale; `scale` None means 1."""

    head: Array
    tail: Array
    scale: Scale | None = None


# Constants are exact: a Python float is the number it holds, a Fraction carries digits beyond double
# precision.
Number = Pair | float | Fraction


def constant(like: Array, value: float):
    """`value` as a scalar of the dtype of `like`."""
    return like.dtype.type(value)


def short(x: Array) -> Array:
    """`x` with the lower half of its significand cleared."""
    integer, mask = _MASKS[np.dtype(x.dtype)]
    bits = lax.bitcast_convert_type(x, integer)
    return lax.bitcast_convert_type(lax.bitwise_and(bits, mask), x.dtype)


def exact(x: Array) -> Pair:
    """The pair that equals the float `x`."""
    head = short(x)
    return Pair(head, lax.sub(x, head))


def literal(like: Array, value: float | Fraction) -> Pair:
    """A constant to the full precision of a pair."""
    kind = np.dtype(like.dtype)
    integer, mask = _MASKS[kind]
    head = (np.asarray(float(value), kind).view(integer) & mask).view(kind)
    tail = float(Fraction(value) - Fraction(float(head))) if math.isfinite(value) else 0.0
    return Pair(lax.full_like(like, head), lax.full_like(like, kind.type(tail)))


def _power(value: float | Fraction) -> bool:
    """Whether a constant is a power of two, up to its sign."""
    return abs(math.frexp(value)[0]) == 0.5 and float(value) == value


def to_float(a: Number) -> Array:
    """The nearest float (one rounding)."""
    assert isinstance(a, Pair)
    value = lax.add(a.head, a.tail)
    return value if a.scale is None else lax.mul(value, a.scale.down)


def normal(high: Array, low: Array, scale: Scale | None = None) -> Pair:
    """The pair high + low, for |low| well below |high| unless they cancelled."""
    head = short(lax.add(high, low))
    return Pair(head, lax.add(lax.sub(high, head), low), scale)


def times_power(a: Number, factor: float) -> Number:
    """`a` times a power of two (exact) or times +-1."""
    if not isinstance(a, Pair):
        return a * factor
    c = constant(a.head, factor)
    return Pair(lax.mul(a.head, c), lax.mul(a.tail, c), a.scale)


def negative(a: Number) -> Number:
    """-a."""
    if not isinstance(a, Pair):
        return -a
    return Pair(lax.neg(a.head), lax.neg(a.tail), a.scale)


@overload
def unscaled(a: Pair) -> Pair: ...
@overload
def unscaled(a: Number) -> Number: ...
def unscaled(a: Number) -> Number:
    """`a` without its scale; parts below the smallest normal number are lost."""
    if not isinstance(a, Pair) or a.scale is None:
        return a
    return Pair(lax.mul(a.head, a.scale.down), lax.mul(a.tail, a.scale.down))


def _aligned(a: Pair, b: Pair) -> tuple[Pair, Pair]:
    """Both numbers over one scale, the smaller; a number without one takes it where it is as small."""
    if a.scale is b.scale:
        return a, b
    if a.scale is None or b.scale is None:
        held = a.scale or b.scale
        plain = a if a.scale is None else b
        assert held is not None
        fits = lax.le(lax.abs(plain.head), held.down)
        one = lax.full_like(held.up, 1.0)
        scale = Scale(lax.select(fits, held.up, one), lax.select(fits, held.down, one))
        other = Scale(one, one)
        a, b = (p if p.scale is not None else Pair(p.head, p.tail, other) for p in (a, b))
    else:
        scale = Scale(lax.min(a.scale.up, b.scale.up), lax.max(a.scale.down, b.scale.down))

    def over(p: Pair) -> Pair:
        factor = lax.mul(scale.up, p.scale.down)  # type: ignore[union-attr]
        return Pair(lax.mul(p.head, factor), lax.mul(p.tail, factor), scale)

    return over(a), over(b)


def add(a: Number, b: Number) -> Number:
    """A + b."""
    if not isinstance(a, Pair):
        a, b = b, a
    if not isinstance(a, Pair):
        assert not isinstance(b, Pair)
        return Fraction(a) + Fraction(b)
    if not isinstance(b, Pair):
        return a if b == 0 else _add_constant(unscaled(a), b)
    a, b = _aligned(a, b)
    # Knuth's sum: exact for operands in any order of magnitude.
    s = lax.add(a.head, b.head)
    part = lax.sub(s, a.head)
    error = lax.add(lax.sub(a.head, lax.sub(s, part)), lax.sub(b.head, part))
    return normal(s, lax.add(error, lax.add(a.tail, b.tail)), a.scale)


def _add_constant(a: Pair, value: float | Fraction) -> Pair:
    # With a constant operand XLA rewrites (c + x) - c to x, which would undo Knuth's sum; so order the
    # operands by magnitude and use the three-operation sum, (larger - sum) + smaller, which it leaves alone.
    c = literal(a.head, value)
    first = lax.gt(lax.abs(a.head), lax.abs(c.head))
    larger, smaller = lax.select(first, a.head, c.head), lax.select(first, c.head, a.head)
    s = lax.add(larger, smaller)
    error = lax.add(lax.sub(larger, s), smaller)
    return normal(s, lax.add(error, lax.add(a.tail, c.tail)))


def subtract(a: Number, b: Number) -> Number:
    """A - b."""
    return add(a, negative(b))


def multiply(a: Number, b: Number) -> Number:
    """A b."""
    if not isinstance(a, Pair):
        a, b = b, a
    if not isinstance(a, Pair):
        assert not isinstance(b, Pair)
        return Fraction(a) * Fraction(b)  # a product of floats would round
    if not isinstance(b, Pair):
        if b == 0:
            return 0.0
        if _power(b):
            return a if b == 1 else times_power(a, float(b))
        b = literal(a.head, b)
    high = lax.mul(a.head, b.head)
    low = lax.add(lax.mul(a.head, b.tail), lax.mul(a.tail, lax.add(b.head, b.tail)))
    return normal(high, low, _product_scale(a.scale, b.scale))


def _product_scale(a: Scale | None, b: Scale | None) -> Scale | None:
    if a is None or b is None:
        return a or b
    return Scale(lax.mul(a.up, b.up), lax.mul(a.down, b.down))


def square(a: Number) -> Number:
    """A squared."""
    return multiply(a, a)


def _inverse(b: Array) -> Array:
    """1 / b to a unit in the last place, from products alone.

    XLA keeps a division (or a root) with several users in an array of its own, and all that surrounds it in
    others: with these instead, one formula is one kernel, which compiles and runs about twice as fast.
    """
    kind = np.dtype(b.dtype)
    integer, (guess, steps) = _MASKS[kind][0], _INVERSE[kind]
    # far up the guess is no number: there 1 / b is taken from a smaller b
    largest = float(np.finfo(kind).max)
    b = lax.clamp(constant(b, -largest), b, constant(b, largest))
    shrink = lax.select(
        lax.gt(lax.abs(b), constant(b, largest / 2**20)), lax.full_like(b, 2.0**-32), lax.full_like(b, 1.0)
    )
    b = lax.mul(b, shrink)
    first = y = lax.bitcast_convert_type(lax.sub(integer(guess), lax.bitcast_convert_type(b, integer)), kind)
    one = constant(b, 1.0)
    for _ in range(steps):
        y = lax.add(y, lax.mul(y, lax.sub(one, lax.mul(b, y))))
    y = lax.select(lax.eq(b, constant(b, 0.0)), lax.mul(first, constant(b, math.inf)), y)
    return lax.mul(y, shrink)


def _inverse_root(a: Array) -> Array:
    """1 / sqrt(a) for a >= 0, as :func:`_inverse`; finite for zero, not zero at infinity."""
    kind = np.dtype(a.dtype)
    integer, guess = _MASKS[kind][0], _INVERSE_ROOT[kind]
    a = lax.min(a, constant(a, np.finfo(kind).max))
    bits = lax.bitcast_convert_type(a, integer)
    halved = lax.shift_right_arithmetic(bits, lax.full_like(bits, 1))
    y = lax.bitcast_convert_type(lax.sub(integer(guess), halved), kind)
    half, one = constant(a, 0.5), constant(a, 1.0)
    for _ in range(4):
        y = lax.add(y, lax.mul(lax.mul(half, y), lax.sub(one, lax.mul(lax.mul(a, y), y))))
    return y


def divide(a: Number, b: Number) -> Number:
    """A / b; the divisor loses its scale."""
    if not isinstance(b, Pair):
        if _power(b):
            return times_power(a, 1.0 / float(b))
        if not isinstance(a, Pair):
            return Fraction(a) / Fraction(b)
        b = literal(a.head, b)
    if not isinstance(a, Pair):
        a = literal(b.head, a)
    b = unscaled(b)
    inverse = _inverse(lax.add(b.head, b.tail))
    head = short(lax.mul(lax.add(a.head, a.tail), inverse))
    # The remainder a - head b is exact up to the products with the tails.
    rest = lax.add(lax.sub(a.head, lax.mul(head, b.head)), lax.sub(a.tail, lax.mul(head, b.tail)))
    return Pair(head, lax.mul(rest, inverse), a.scale)


def root(a: Number) -> Number:
    """Square root of a number >= 0."""
    if not isinstance(a, Pair):
        return math.sqrt(a)
    a = unscaled(a)
    value = lax.add(a.head, a.tail)
    inverse = _inverse_root(value)
    y = lax.mul(value, inverse)
    head = short(y)
    rest = lax.add(lax.sub(a.head, lax.mul(head, head)), a.tail)
    # the tail is rest / (head + y), where head + y is 2 y less what the head left off
    half = lax.mul(constant(y, 0.5), inverse)
    left_off = lax.mul(lax.sub(y, head), half)
    return Pair(head, lax.mul(rest, lax.add(half, lax.mul(half, left_off))))


def where(condition: Array, a: Number, b: Number) -> Number:
    """`a` where the condition holds, else `b`; scales are kept apart per element."""
    if not isinstance(a, Pair) and not isinstance(b, Pair) and a == b:
        return a
    like = a.head if isinstance(a, Pair) else b.head if isinstance(b, Pair) else None
    assert like is not None, "one of the two must be a Pair"
    a = a if isinstance(a, Pair) else literal(like, a)
    b = b if isinstance(b, Pair) else literal(like, b)
    scale = None
    if a.scale is not None or b.scale is not None:
        one = lax.full_like(like, 1.0)
        sa, sb = a.scale or Scale(one, one), b.scale or Scale(one, one)
        scale = sa if sa is sb else Scale(*(lax.select(condition, p, q) for p, q in zip(sa, sb, strict=True)))
    return Pair(lax.select(condition, a.head, b.head), lax.select(condition, a.tail, b.tail), scale)


def absolute(a: Pair) -> Pair:
    """|a|."""
    flip = lax.lt(a.head, constant(a.head, 0.0))
    return Pair(lax.abs(a.head), lax.select(flip, lax.neg(a.tail), a.tail), a.scale)


def with_sign(magnitude: Pair, like: Pair) -> Pair:
    """`magnitude`, negated where `like` is negative."""
    flip = lax.lt(like.head, constant(like.head, 0.0))
    return Pair(
        lax.select(flip, lax.neg(magnitude.head), magnitude.head),
        lax.select(flip, lax.neg(magnitude.tail), magnitude.tail),
        magnitude.scale,
    )


def rescale(a: Pair, small: Array, power: int) -> Pair:
    """`a` (unscaled value) over the scale 2^power where `small`: for numbers that come multiplied by it."""
    one, up, down = (lax.full_like(a.head, v) for v in (1.0, 2.0**power, 2.0**-power))
    return Pair(a.head, a.tail, Scale(lax.select(small, up, one), lax.select(small, down, one)))
