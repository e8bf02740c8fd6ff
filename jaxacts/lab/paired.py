"""Paired comparisons of two activations: tests, their correction for many, and effect sizes.

Scores have one entry a seed, in the same order for both; a run that diverged has the score NaN, and its pair
is left out.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from jaxacts.lab.statistics import FEW, finite

EXACT_PAIRS = 16  # up to here all 2**n sign flips are enumerated (65,536 rows, a few megabytes)


class Test(NamedTuple):
    """A two-sided paired test: the p-value, the method and the number of pairs it used."""

    __test__ = False  # not a test class, whatever its name tells pytest

    p: float
    method: str
    pairs: int


def paired_test(a: np.ndarray, b: np.ndarray, *, comparisons: int = 1, alpha: float = 0.05) -> Test:
    """The paired test that suits the number of pairs: Student's when they are few, sign flips from ten on.

    Sign flips are passed over where, after correction for `comparisons` tests, even their least possible
    p-value 2/2**n could not fall below `alpha`.

    Args:
      a: scores of one activation, one a seed.
      b: scores of the other, same seeds in the same order.
      comparisons: how many tests the p-value will be corrected for.
      alpha: the level that the corrected p-value will be held against.

    Returns:
      The test of a zero mean difference.

    Raises:
      ValueError: if the shapes differ.

    Example:
      >>> paired_test(np.arange(5.0), np.zeros(5)).method
      'paired t'

    Reference:
      Fisher, The Design of Experiments (1935), section 21
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    if a.shape != b.shape:
        raise ValueError(f"paired scores need equal shapes, were {a.shape} and {b.shape}")
    differences = finite(a - b)
    pairs = differences.size
    few = pairs < FEW or comparisons * 2.0 ** (1 - pairs) > alpha
    if few and not one_amount(a, b):
        return paired_t(differences)
    return paired_permutation(differences, rounding=_rounding(a, b))


def paired_t(differences: np.ndarray) -> Test:
    """Student's paired test of a zero mean difference.

    Args:
      differences: one difference a pair; pairs with NaN are left out.

    Returns:
      The two-sided p-value; NaN for fewer than two pairs. Where all pairs differ by the same amount, as
      shares of few test examples may, their spread is unknown and not 0: then it is the sign-flip test.

    Example:
      >>> round(paired_t(np.array([1.0, 2.0, 3.0])).p, 4)
      0.0742
      >>> paired_t(np.ones(5))
      Test(p=0.0625, method='exact permutation', pairs=5)

    Reference:
      Student, Biometrika 6 (1908), https://doi.org/10.2307/2331554
    """
    from scipy.special import stdtr

    differences = finite(differences)
    pairs = differences.size
    if pairs < 2:
        return Test(math.nan, "paired t", pairs)
    mean, error = differences.mean(), differences.std(ddof=1) / math.sqrt(pairs)
    if error <= 1e-6 * np.abs(differences).max():  # scores are float32: what is left is their rounding
        return paired_permutation(differences)
    return Test(float(2.0 * stdtr(pairs - 1, -abs(mean / error))), "paired t", pairs)


def paired_permutation(
    differences: np.ndarray, *, rounding: float = 0.0, resamples: int = 20_000, seed: int = 0
) -> Test:
    """Sign-flip test of differences that are symmetric around 0; exact when all flips can be enumerated.

    Args:
      differences: one difference a pair; pairs with NaN are left out.
      rounding: by how much rounding may have changed each of them.
      resamples: random flips drawn when there are more than 16 pairs; then p = (hits + 1) / (resamples + 1).
      seed: seed of the random flips.

    Returns:
      The two-sided p-value; never below 2/2**n.

    Example:
      >>> paired_permutation(np.array([1.0, 2.0, 3.0]))
      Test(p=0.25, method='exact permutation', pairs=3)

    Reference:
      Fisher, The Design of Experiments (1935), section 21
    """
    differences = finite(differences)
    pairs = differences.size
    if pairs < 1:
        return Test(math.nan, "exact permutation", 0)
    observed = abs(differences.sum())
    # A tie must count as a hit. Sums of the same numbers in another order differ by rounding, and shares of
    # test examples, stored as float32, tie only but for theirs.
    tie = 1e-12 * np.abs(differences).sum() + 2 * pairs * rounding
    if pairs <= EXACT_PAIRS:
        sums = np.zeros(1)
        for d in differences:  # 2**n signed sums, by doubling
            sums = np.concatenate([sums + d, sums - d])
        return Test(float(np.mean(np.abs(sums) >= observed - tie)), "exact permutation", pairs)
    signs = np.random.default_rng(seed).integers(2, size=(resamples, pairs)) * 2 - 1
    hits = int(np.sum(np.abs(signs @ differences) >= observed - tie))
    return Test((hits + 1) / (resamples + 1), "permutation", pairs)


def one_amount(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether all pairs of scores differ by one amount, but for the rounding of float32 scores.

    Shares of few test examples often do. The spread of their differences is then unknown and not 0.

    Args:
      a: scores of one activation, one a seed.
      b: scores of the other, same seeds.

    Returns:
      True for two pairs or more that differ by the same amount.

    Example:
      >>> one_amount(np.float32([0.7, 0.8]), np.float32([0.6, 0.7])), one_amount(np.ones(1), np.ones(1))
      (True, False)
    """
    a, b = np.asarray(a, float), np.asarray(b, float)
    differences = finite(a - b)
    if differences.size < 2:
        return False
    return bool(np.ptp(differences) <= _rounding(a, b))


def _rounding(a: np.ndarray, b: np.ndarray) -> float:
    """By how much the rounding of float32 scores may change a difference."""
    return 4 * 2.0**-24 * max(np.abs(finite(scores)).max(initial=0.0) for scores in (a, b))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p-values: the chance of any false finding stays below the level.

    Args:
      p: raw p-values; NaN stays NaN and is not counted.

    Returns:
      Adjusted p-values in the order of `p`.

    Example:
      >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
      [0.03, 0.06, 0.06]

    Reference:
      Holm, Scandinavian Journal of Statistics 6 (1979), https://www.jstor.org/stable/4615733
    """
    p = np.asarray(p, float)
    adjusted = np.full(p.shape, math.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return adjusted


def effect_size(a: np.ndarray, b: np.ndarray) -> float:
    """Hedges' g of paired scores: mean difference over its standard deviation, corrected for few pairs.

    Args:
      a: scores of one activation, one a seed.
      b: scores of the other, same seeds.

    Returns:
      Positive where `a` is better; NaN for fewer than three pairs, whose correction is 0; infinite where all
      pairs differ by one amount.

    Example:
      >>> round(effect_size(np.array([1.0, 2.0, 3.0]), np.zeros(3)), 3)
      1.143

    Reference:
      Hedges, Journal of Educational Statistics 6 (1981), https://doi.org/10.3102/10769986006002107
    """
    differences = finite(np.asarray(a, float) - np.asarray(b, float))
    if differences.size < 3:
        return math.nan
    mean, sd = float(differences.mean()), float(differences.std(ddof=1))
    if one_amount(a, b):
        return 0.0 if abs(mean) <= _rounding(a, b) else math.copysign(math.inf, mean)
    return mean / sd * (1.0 - 3.0 / (4.0 * (differences.size - 1) - 1.0))
