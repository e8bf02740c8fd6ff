"""Errors in units in the last place, by the rules of the promise; numpy only.

Every array here is float64, which holds each value of the narrower types exactly. A truth is a pair hi + lo,
so that the errors of float64 itself can be measured to a fraction of a unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

Truth = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Format:
    """A binary floating-point format.

    Attributes:
      name: numpy's name of the type.
      bits: explicit bits of the significand.
      low: exponent of the smallest normal number.
      high: exponent of the largest numbers.
      flushes: whether results below the smallest normal may be zero; float16 is computed in float32, where
        its subnormal numbers are normal.
    """

    name: str
    bits: int
    low: int
    high: int
    flushes: bool = True

    @property
    def dtype(self) -> Any:
        """The numpy dtype."""
        return np.dtype(ml_dtypes.bfloat16 if self.name == "bfloat16" else self.name)

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0**self.low

    @property
    def max(self) -> float:
        """The largest finite number."""
        return 2.0**self.high * (2 - 2.0**-self.bits)


FORMATS = {
    "float16": Format("float16", 10, -14, 15, flushes=False),
    "bfloat16": Format("bfloat16", 7, -126, 127),
    "float32": Format("float32", 23, -126, 127),
    "float64": Format("float64", 52, -1022, 1023),
}


def unit(magnitude: np.ndarray, form: Format) -> np.ndarray:
    """The unit in the last place of numbers of this magnitude, at least the spacing of subnormal numbers."""
    exponent = np.frexp(np.where(np.isfinite(magnitude), magnitude, 1.0))[1] - 1
    exponent = np.where(magnitude == 0, form.low, np.clip(exponent, form.low, form.high))
    return np.ldexp(1.0, exponent - form.bits)


def beside_crossing(x: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Which points have a sign change of the quantity within 0.25·max(1, |x|).

    Args:
      x: points, ascending and finite.
      value: the quantity at these points; zeros are passed over.
    """
    known = np.flatnonzero((value != 0) & ~np.isnan(value))
    change = np.flatnonzero(np.diff(np.sign(value[known])))
    left, right = x[known[change]], x[known[change + 1]]
    if not left.size:
        return np.zeros(x.shape, bool)
    low, high = _window(x)
    first = np.searchsorted(right, low, side="left")
    return (first < left.size) & (left[np.minimum(first, left.size - 1)] <= high)


def _window(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    reach = 0.25 * np.maximum(1.0, np.abs(x))
    with np.errstate(over="ignore"):
        return x - reach, x + reach


def window_maximum(x: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The largest |value| within 0.25·max(1, |x|) of each of the ascending points."""
    low, high = _window(x)
    start, stop = np.searchsorted(x, low, side="left"), np.searchsorted(x, high, side="right")
    level = np.where(np.isfinite(value), np.abs(value), 0.0)
    best = np.zeros(x.shape)
    length = 1
    while length <= x.size:  # maxima over runs of 1, 2, 4, … points; two overlapping runs cover any window
        chosen = (stop - start >= length) & (stop - start < 2 * length)
        best[chosen] = np.maximum(level[start[chosen]], level[stop[chosen] - length])
        if 2 * length <= x.size:
            level = np.maximum(level[: x.size - 2 * length + 1], level[length : x.size - length + 1])
        length *= 2
    return best


def scales(x: np.ndarray, truth: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[np.ndarray]:
    """The magnitude whose unit counts, for f, f' and f'', at ascending finite points.

    It is that of the true value, except beside a zero crossing of the quantity: there it is that of
    |x · next derivative| for f and f', and that of the largest |f''| nearby for f'', where these are larger.
    """
    result = []
    for order, value in enumerate(truth):
        size = np.abs(value)
        with np.errstate(over="ignore", invalid="ignore"):
            other = np.abs(x * truth[order + 1]) if order < 2 else window_maximum(x, value)
        other = np.where(np.isfinite(other), other, 0.0)
        result.append(np.where(beside_crossing(x, value), np.fmax(size, other), size))
    return result


def errors(computed: np.ndarray, truth: Truth, scale: np.ndarray, form: Format) -> np.ndarray:
    """The error of each computed number in units in the last place of its scale.

    It is infinite for a NaN, and for an infinity where the true value is finite.

    Args:
      computed: results, exact in float64; may hold NaN and infinities.
      truth: the true values as hi + lo; infinite where they overflow float64.
      scale: see :func:`scales`.
      form: the format of the results.
    """
    hi, lo = truth
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = hi.astype(form.dtype).astype(np.float64)
        # an overflow by less than a few units counts as the next power of two
        overflow = np.isinf(computed) & np.isfinite(hi) & (np.sign(computed) == np.sign(hi))
        top = 2.0**form.high * 2 if form.high < 1023 else np.inf
        got = np.where(
            overflow & (np.abs(hi) > form.max * (1 - 2.0**-form.bits * 32)), np.sign(hi) * top, computed
        )
        error = np.abs((got - hi) - lo) / unit(scale, form)
        error = np.where(computed == rounded, np.where(np.isfinite(rounded), np.fmin(error, 0.5), 0.0), error)
        if form.flushes:
            size = np.abs(hi)
            error = np.where((size < 2 * form.tiny) & (computed == 0), 0.0, error)
            error = np.where((size < form.tiny) & (np.abs(computed) <= 2 * form.tiny), 0.0, error)
    return np.where(np.isnan(error) | np.isnan(computed), np.inf, error)
