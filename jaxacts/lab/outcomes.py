"""What training runs amount to: ranks, profiles, steps to a target, sensitivity to the learning rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxacts.lab.statistics import Interval, worst_last


def ranks(scores: np.ndarray) -> np.ndarray:
    """Rank of every activation under every seed: 1 is the best, ties share their mean rank, NaN is the worst.

    Args:
      scores: array of shape (activations, seeds).

    Returns:
      Ranks of the same shape.

    Example:
      >>> ranks(np.array([[0.9], [0.5], [np.nan], [0.9]])).ravel().tolist()
      [1.5, 3.0, 4.0, 1.5]

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    scores = worst_last(scores)
    better = (scores[None] > scores[:, None]).sum(axis=1)
    equal = (scores[None] == scores[:, None]).sum(axis=1)
    return better + (equal + 1) / 2


def rank_intervals(
    scores: np.ndarray, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> list[Interval]:
    """Mean rank of every activation with a bootstrap interval over seeds.

    Args:
      scores: array of shape (activations, seeds).
      level: coverage of the interval.
      resamples: how many bootstrap samples of the seeds are drawn; a seed is drawn for all activations
        together.
      seed: seed of the resampling.

    Returns:
      One interval an activation; its ends are NaN for a single seed, of which nothing can be drawn.

    Example:
      >>> rank_intervals(np.array([[0.9, 0.8], [0.5, 0.4]]))[0]
      Interval(estimate=1.0, low=1.0, high=1.0)

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    table = ranks(scores)
    seeds = table.shape[1]
    columns = np.random.default_rng(seed).integers(seeds, size=(resamples, seeds))
    samples = table[:, columns].mean(axis=2)
    low, high = np.quantile(samples, [0.5 - level / 2, 0.5 + level / 2], axis=1)
    if seeds < 2:
        low, high = np.full((2, len(table)), math.nan)
    return [Interval(*map(float, row)) for row in zip(table.mean(axis=1), low, high, strict=True)]


def performance_profile(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Share of runs whose score is above each threshold; a run that diverged is above none.

    Args:
      scores: scores of any shape, runs and tasks together.
      thresholds: array of shape (n,).

    Returns:
      Array of shape (n,), non-increasing for ascending thresholds.

    Example:
      >>> performance_profile(np.array([0.2, 0.8, np.nan]), np.array([0.0, 0.5, 0.9])).round(2).tolist()
      [0.67, 0.33, 0.0]

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    scores = worst_last(scores).reshape(-1)
    return np.mean(scores[:, None] > np.asarray(thresholds, float)[None, :], axis=0)


def profile_interval(
    scores: np.ndarray, thresholds: np.ndarray, *, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise bootstrap interval of :func:`performance_profile` over runs.

    Resampling n runs makes the number above a threshold binomial, so the percentiles need no random numbers.

    Args:
      scores: scores of any shape; NaN for a run that diverged.
      thresholds: array of shape (n,).
      level: coverage of the interval.

    Returns:
      Low and high, each of shape (n,).

    Example:
      >>> low, high = profile_interval(np.array([0.2, 0.4, 0.6, 0.8]), np.array([0.1, 0.5]))
      >>> low.tolist(), high.tolist()
      ([1.0, 0.0], [1.0, 1.0])

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    from scipy.special import bdtr

    share, runs = performance_profile(scores, thresholds), np.size(scores)
    chances = bdtr(np.arange(runs + 1.0)[:, None], runs, share[None])  # P(count <= k)
    low, high = (np.argmax(chances >= q - 1e-12, axis=0) / runs for q in (0.5 - level / 2, 0.5 + level / 2))
    return low, high


def steps_in_words(row: Mapping[str, Any]) -> str:
    """The steps to target of a row of the summary: a number, "never", or "–" where there is no target."""
    steps = row["steps_to_target"]
    return "–" if math.isnan(row["target"]) else f"{steps:,.0f}" if math.isfinite(steps) else "never"


def steps_to_target(steps: np.ndarray, curves: np.ndarray, target: float) -> np.ndarray:
    """First recorded step at which each run reaches the target; infinite for a run that never does.

    Args:
      steps: recorded steps, shape (T,).
      curves: score of every run at these steps, shape (runs, T).
      target: the score to reach.

    Returns:
      Array of shape (runs,).

    Example:
      >>> steps_to_target(np.array([0, 10]), np.array([[0.1, 0.9], [0.1, 0.2]]), 0.8).tolist()
      [10.0, inf]

    Reference:
      Dahl et al., Benchmarking Neural Network Training Algorithms (2023), https://arxiv.org/abs/2306.07179
    """
    reached = np.asarray(curves, float) >= target  # NaN compares false
    first = np.asarray(steps, float)[reached.argmax(axis=1)]
    return np.where(reached.any(axis=1), first, math.inf)


def detectable_difference(pairs: int, sd: float, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """Smallest true mean difference that a paired t-test finds with the given probability.

    Args:
      pairs: number of seeds.
      sd: standard deviation of the paired differences.
      alpha: two-sided level of the test.
      power: wanted probability of finding the difference.

    Returns:
      The difference, in units of `sd`'s scale; infinite for fewer than two pairs.

    Example:
      >>> round(detectable_difference(5, 1.0), 2)
      1.68

    Reference:
      Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 2
    """
    from scipy.special import nctdtr, stdtrit

    if pairs < 2:
        return math.inf
    critical = stdtrit(pairs - 1, 1 - alpha / 2)
    low, high = 0.0, 1.0

    def found(effect: float) -> float:  # the far tail adds less than alpha / 2 and is left out
        return float(1.0 - nctdtr(pairs - 1, effect * math.sqrt(pairs), critical))

    while found(high) < power:
        high *= 2.0
    for _ in range(60):  # bisection to the last bit
        middle = (low + high) / 2.0
        low, high = (middle, high) if found(middle) < power else (low, middle)
    return high * sd


class Sensitivity(NamedTuple):
    """How much the learning rate matters: the best one and the range around it that is nearly as good."""

    best: float
    low: float
    high: float
    decades: float


def learning_rate_sensitivity(
    rates: np.ndarray, scores: np.ndarray, *, share: float = 0.95, best: float | None = None
) -> Sensitivity:
    """Best learning rate of a grid and the unbroken range around it with at least 95 % of its mean score.

    Args:
      rates: learning rates, shape (n,), ascending.
      scores: scores of shape (n, runs), NaN for diverged runs; another rate than the best with such a run is
        never good.
      share: what part of the best mean score counts as good.
      best: the rate that was chosen, whose mean is that of its runs that did not diverge; None takes the one
        with the best mean among those without a diverged run.

    Returns:
      The best rate, the ends of the good range and its width in decades; NaN where no best rate has a mean.

    Raises:
      ValueError: when `best` is none of the rates.

    Example:
      >>> s = learning_rate_sensitivity(np.array([1e-4, 1e-3, 1e-2]), np.array([[0.5], [0.9], [0.88]]))
      >>> s.best, s.low, s.high, round(s.decades, 2)
      (0.001, 0.001, 0.01, 1.0)

    Reference:
      Dahl et al., Benchmarking Neural Network Training Algorithms (2023), https://arxiv.org/abs/2306.07179
    """
    rates, scores = np.asarray(rates, float), np.asarray(scores, float)
    if best is not None and best not in rates:
        raise ValueError(f"best must be one of the rates {rates.tolist()}, was {best!r}")
    means = worst_last(scores.mean(axis=1))
    place = int(means.argmax() if best is None else np.flatnonzero(rates == best)[0])
    known = scores[place][~np.isnan(scores[place])]
    if not known.size or (best is None and means[place] == -math.inf):
        return Sensitivity(math.nan, math.nan, math.nan, math.nan)
    top = known.mean()
    # for a negative best score (an R^2 below 0) 95 % of it would be above it
    good = means >= top - (1.0 - share) * abs(top)
    low = high = place
    while low > 0 and good[low - 1]:
        low -= 1
    while high + 1 < rates.size and good[high + 1]:
        high += 1
    width = math.log10(rates[high] / rates[low])
    return Sensitivity(float(rates[place]), float(rates[low]), float(rates[high]), width)
