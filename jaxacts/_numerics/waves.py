"""Formulas on series for functions that oscillate, up to the largest floats."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import jax
import numpy as np
from jax import lax

from jaxacts._numerics import elementary as el
from jaxacts._numerics import pair as pr
from jaxacts._numerics.pair import Number, Pair
from jaxacts._numerics.phase import Phase
from jaxacts._numerics.series import Series, _elementary, compose
from jaxacts._numerics.smooth import Asymptote, smooth
from jaxacts._numerics.tails import scaled_inverse

Array = jax.Array

_LARGEST = {
    np.dtype(np.float32): float(np.finfo(np.float32).max),
    np.dtype(np.float64): float(np.finfo(np.float64).max),
}


def endless(
    program: Callable[..., Series],
    left: Asymptote = (math.nan, math.nan),
    right: Asymptote = (math.nan, math.nan),
) -> Callable[..., Array]:
    """`smooth` for a program that takes no square of x: no finite x is clamped, infinite x gives NaN."""
    return smooth(program, left=left, right=right, bound=_LARGEST)


@_elementary
def sinc(u: Pair, n: int) -> list[Number]:
    """The quotient sin(u) / u, 1 at 0."""
    # near 0: coefficient k of the Taylor series about u is a power series in u^2, times u for odd k
    square = pr.square(u)
    t = pr.to_float(square)
    count = 16 if el.is_double(t) else 9
    near: list[Number] = []
    for k in range(n + 1):
        start = (k + 1) // 2
        terms = [
            Fraction((-1) ** m * math.comb(2 * m, k), math.factorial(2 * m + 1))
            for m in range(start, start + count)
        ]
        tail = pr.exact(el.polynomial(t, [float(c) for c in terms[2:]]))
        inner = pr.add(pr.multiply(square, pr.add(pr.multiply(square, tail), terms[1])), terms[0])
        near.append(pr.multiply(u, inner) if k % 2 else inner)
    # far: u c_k + c_{k-1} is coefficient k of the sine
    s, c = el.sin_cos(u)
    w = scaled_inverse(u)
    far: list[Number] = []
    for k in range(n + 1):
        wave = (s, c, pr.negative(s), pr.negative(c))[k % 4]
        term = pr.multiply(wave, Fraction(1, math.factorial(k)))
        far.append(pr.multiply(pr.subtract(term, far[-1]) if far else term, w))
    is_near = lax.lt(lax.abs(u.head), pr.constant(u.head, 1.5))
    return [pr.where(is_near, a, b) for a, b in zip(near, far, strict=True)]


def _above_zero(wave: Number, other: Number) -> Number:
    """1 + wave, which touches zero, given the other of sine and cosine, whose zeros are there."""
    assert isinstance(wave, Pair)
    low = lax.lt(wave.head, pr.constant(wave.head, -0.5))
    return pr.where(low, pr.divide(pr.square(other), pr.subtract(1.0, wave)), pr.add(wave, 1.0))


def _at(p: Phase) -> tuple[Pair, Pair, Pair]:
    """A phase with its sine and cosine."""
    u = p.u.value
    assert isinstance(u, Pair)
    return u, *el.sin_cos(u)


def _from_zero(p: Phase, shift: float, period: float, half: float, otherwise: Number) -> Number:
    """1 + wave as 2 sin(half d)^2, d the distance from its zero; `otherwise` where that is no better."""
    found = p.from_zero(shift, period)
    if found is None:
        return otherwise
    sine = el.sin_cos(pr.multiply(found[1], half))[0]
    return pr.where(found[0], pr.times_power(pr.square(sine), 2.0), otherwise)


def _plus_wave(p: Phase, wave: Number, slope: Number, shift: float) -> Series:
    """U + wave, whose derivative is 1 + slope, which is 0 at `shift` turns before 0."""
    n = p.u.degree
    cycle = (wave, slope, pr.negative(wave), pr.negative(slope))
    result = [pr.add(p.u.value, wave)]
    if n:
        result.append(_from_zero(p, shift, 1.0, 0.5, _above_zero(slope, wave)))
    result += [pr.multiply(cycle[k % 4], Fraction(1, math.factorial(k))) for k in range(2, n + 1)]
    return compose(result, p.u)


def plus_sin(p: Phase) -> Series:
    """U + sin(u), with a derivative that is accurate where it touches zero."""
    _, s, c = _at(p)
    return _plus_wave(p, s, c, 0.5)


def plus_cos(p: Phase) -> Series:
    """U + cos(u), in the same way."""
    _, s, c = _at(p)
    return _plus_wave(p, c, pr.negative(s), -0.25)


def snake(p: Phase) -> Series:
    """The sum u + sin(u)^2; its derivative 1 + sin(2 u) is a square, so accurate where it touches zero."""
    u, s, c = _at(p)
    n = p.u.degree
    result = [pr.add(u, pr.square(s))]
    if n:
        # the double of the phase is exact unless it overflows
        size = lax.abs(u.head)
        fits = lax.lt(size, pr.constant(size, 0.5 * _LARGEST[np.dtype(size.dtype)]))
        double = pr.where(fits, pr.times_power(u, 2.0), 0.0)
        assert isinstance(double, Pair)
        slope = pr.where(fits, _above_zero(*el.sin_cos(double)), pr.square(pr.add(s, c)))
        result.append(_from_zero(p, 0.125, 0.5, 1.0, slope))
    if n > 1:
        double_s = pr.times_power(pr.multiply(s, c), 2.0)
        double_c = pr.multiply(pr.subtract(c, s), pr.add(c, s))
        cycle = (double_c, pr.negative(double_s), pr.negative(double_c), double_s)
        for k in range(2, n + 1):
            result.append(pr.multiply(cycle[k % 4 - 2], Fraction(2 ** (k - 1), math.factorial(k))))
    return compose(result, p.u)
