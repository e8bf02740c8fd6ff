"""Phases omega x to full precision, also where the product has more digits than a pair, or overflows.

The number of turns, omega x / 2 pi, is formed in integers. The significands are integers; the digits of
omega / 2 pi that matter, those that neither make whole turns nor are too small to count, come from a table.

Source of the method: Payne & Hanek, ACM SIGNUM Newsletter 18 (1983), https://doi.org/10.1145/1057600.1057602
"""

from __future__ import annotations

import functools
import math
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxacts._numerics import pair as pr
from jaxacts._numerics.constants import PI
from jaxacts._numerics.pair import Number, Pair
from jaxacts._numerics.series import Series

Array = jax.Array

# dtype -> (integer, bits of a digit, bits of the significand that are stored, exponent of a significand of 1)
_LAYOUT = {
    np.dtype(np.float32): (np.uint32, 16, 23, 150),
    np.dtype(np.float64): (np.uint64, 32, 52, 1075),
}
# the places at which the table begins and ends, for products of any two floats
_PLACES = {np.dtype(np.float32): (-20, 24), np.dtype(np.float64): (-72, 72)}
_KEPT = 3  # digits of the fraction of a turn: 48 and 96 bits, more than a pair has
_FAR = 64.0  # |omega x| from which this is done; below, a product of pairs is good enough
_CLOSE = 1.0  # the same for the distance from a zero


@functools.cache
def _inverse_of_two_pi(bits: int) -> int:
    """2^bits / (2 pi), rounded down or nearly so, by Machin's formula."""
    one = 1 << 2 * bits

    def arctan_of_inverse(n: int) -> int:
        return sum((-1) ** k * (one // n ** (2 * k + 1) // (2 * k + 1)) for k in range(bits))

    return (1 << 3 * bits) // (8 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239)))


@functools.cache
def _digits(omega: float, first: int, last: int, size: int) -> tuple[int, ...]:
    """Digits of |omega| / 2 pi in base 2^size from place `first` to `last`; place k counts 2^(-size k)."""
    bits = size * (last + 1) + 1100  # |omega| is below 2^1024
    exact = abs(Fraction(omega)) * _inverse_of_two_pi(bits)
    whole = math.floor(exact / (1 << bits - size * last))
    return tuple(whole >> size * (last - k) & (1 << size) - 1 for k in range(first, last + 1))


def _split(x: Array) -> tuple[Array, Array]:
    """|x| as an integer and the exponent of its factor, a power of two."""
    integer, _, stored, bias = _LAYOUT[np.dtype(x.dtype)]
    bits = lax.bitcast_convert_type(lax.abs(x), integer)
    exponent = (bits >> integer(stored)).astype(np.int32) - np.int32(bias)
    return (bits & integer((1 << stored) - 1)) | integer(1 << stored), exponent


def _carried(columns: list[Array], size: int) -> list[Array]:
    """The same number with digits below 2^size; one more of them."""
    digits, rest = [], jnp.zeros_like(columns[0])
    shift, mask = rest.dtype.type(size), rest.dtype.type((1 << size) - 1)
    for column in columns:
        total = column + rest
        digits.append(total & mask)
        rest = total >> shift
    return [*digits, rest]


class _Turns(NamedTuple):
    """The fraction of a turn, between 0 and 1 or just beyond, as the sum of three floats."""

    first: Array
    second: Array
    third: Array


def _turns(omega: float | Array, x: Array) -> _Turns:
    """What |omega x| has beyond whole turns."""
    integer, size, *_ = _LAYOUT[np.dtype(x.dtype)]
    shift, mask = integer(size), integer((1 << size) - 1)
    significand, exponent = _split(x)
    other = _split(omega) if isinstance(omega, jax.Array) else None
    constant = 1.0 if isinstance(omega, jax.Array) else omega
    if other is not None:
        exponent = exponent + other[1]
    place, left = exponent >> np.int32(int(math.log2(size))), exponent & np.int32(size - 1)
    # the significand times 2^left, lowest digit first
    left = left.astype(integer)
    low, high = (significand & mask) << left, (significand >> shift) << left
    number = _carried([low, high], size)
    if other is not None:
        a, b = other[0] & mask, other[0] >> shift
        columns = [jnp.zeros_like(low) for _ in range(5)]
        for k, digit in enumerate(number):
            for j, product in enumerate((digit * a, digit * b)):
                columns[k + j] = columns[k + j] + (product & mask)
                columns[k + j + 1] = columns[k + j + 1] + (product >> shift)
        number = _carried(columns, size)[:5]
    lowest, highest = _PLACES[np.dtype(x.dtype)]
    table = jnp.asarray(np.array(_digits(constant, lowest, highest, size), integer))
    places = range(1, len(number) + _KEPT + 1)
    window = [jnp.take(table, place + np.int32(k - lowest), mode="clip") for k in places]
    # digit j of the number times digit k of the window counts 2^(size (j - k)): whole turns for k <= j
    columns = [jnp.zeros_like(low) for _ in range(_KEPT + 1)]
    for j, digit in enumerate(number):
        for k in range(_KEPT + 1):
            product = digit * window[j + k]
            columns[k] = columns[k] + (product & mask)
            if k:
                columns[k - 1] = columns[k - 1] + (product >> shift)
    columns[0] = columns[0] & mask
    return _Turns(
        *(columns[k].astype(x.dtype) * pr.constant(x, 2.0 ** (-size * (k + 1))) for k in range(_KEPT))
    )


class Phase(NamedTuple):
    """A product omega x.

    Attributes:
      u: the product for use in sines and cosines: where it is far, its value is without whole turns.
      far: where that is; None if the product of pairs is exact everywhere.
      turns: the fraction of a turn of its magnitude.
      negative: where the product is negative.
      size: its magnitude, which may overflow.
    """

    u: Series
    far: Array | None = None
    turns: _Turns | None = None
    negative: Array | None = None
    size: Array | None = None

    def from_zero(self, shift: float, period: float) -> tuple[Array, Number] | None:
        """Where to use it, and 2 pi (turns + shift) less a multiple of the period, with all digits beside 0.

        Elsewhere the phase is close enough, or exact, as it is.
        """
        if self.turns is None or self.negative is None or self.size is None:
            return None
        apart = lax.ge(self.size, pr.constant(self.size, _CLOSE))
        return apart, _angle(self.turns, self.negative, shift, period)


def _angle(turns: _Turns, negative: Array, shift: float = 0.0, period: float = 1.0) -> Number:
    first, second, third = (lax.select(negative, lax.neg(t), t) for t in turns)
    first = lax.add(first, pr.constant(first, shift))  # exact, like what follows
    whole = lax.round(lax.mul(first, pr.constant(first, 1 / period)), lax.RoundingMethod.TO_NEAREST_EVEN)
    first = lax.sub(first, lax.mul(whole, pr.constant(first, period)))
    return pr.multiply(pr.add(pr.exact(first), pr.normal(second, third)), 2 * PI)


def phase(omega: Series | float, x: Series) -> Phase:
    """The product of a frequency and the variable of the formula, which is finite."""
    u = omega * x
    value = x.value
    if not isinstance(value, Pair) or not isinstance(u.value, Pair):
        return Phase(u)
    v = pr.to_float(value)
    zero = pr.constant(v, 0.0)
    if isinstance(omega, Series):
        assert isinstance(omega.value, Pair)
        w = pr.to_float(omega.value)
        negative = lax.ne(lax.lt(v, zero), lax.lt(w, zero))
        # a frequency that is not finite gives NaN below
        size = lax.select(lax.is_finite(w), lax.abs(lax.mul(v, w)), lax.full_like(v, 0.0))
    elif math.isfinite(omega) and (abs(omega) > 1 or omega.as_integer_ratio()[0].bit_length() > 12):
        w, negative = omega, lax.lt(v, zero) if omega > 0 else lax.gt(v, zero)
        size = lax.mul(lax.abs(v), lax.full_like(v, abs(omega)))
    else:  # so few digits that the product is exact, and it cannot overflow
        return Phase(u)
    turns = _turns(w, v)
    far = lax.ge(size, pr.constant(v, _FAR))
    return Phase(with_value(far, u, _angle(turns, negative)), far, turns, negative, size)


def with_value(condition: Array | None, u: Series, value: Number) -> Series:
    """`u` with another value where the condition holds, if there is one; its derivatives stay."""
    if condition is None:
        return u
    zero = (0,) * len(u.orders)
    return Series(u.orders, {**u.terms, zero: pr.where(condition, value, u.value)})
