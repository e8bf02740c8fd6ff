r"""Statistics for few, paired seeds: estimates, intervals, tests and what they could have detected.

Everything works on plain NumPy arrays. A score array has one entry a seed, in the same order for every
activation, because the seeds are paired: under one seed all activations see the same data order and the same
normal draws. A run that diverged has the score NaN; estimates leave it out and the caller reports how many
there were, while rankings and the probability of improvement count it as worse than every finite score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FEW = (
    10  # below this many pairs an exact permutation test cannot reach p < 2/2**9, so t-based methods are used
)


class Interval(NamedTuple):
    """An estimate with the ends of its interval; NaN where the data allow none."""

    estimate: float
    low: float
    high: float


def iqm(scores: np.ndarray, axis: int | None = None) -> np.ndarray:
    """Interquartile mean: the mean of what remains when a quarter is cut off at either end.

    As rliable defines it: ``int(0.25 n)`` scores are cut at each end, over runs and tasks together by
    default.

    Args:
      scores: the scores; at least one along `axis`.
      axis: the axis to reduce; None for all of them.

    Returns:
      The mean of the middle half.

    Example:
      >>> float(iqm(np.array([0.0, 0.5, 0.6, 100.0])))
      0.55

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    scores = np.asarray(scores, float)
    if axis is None:
        scores, axis = scores.reshape(-1), 0
    size = scores.shape[axis]
    if size == 0:
        raise ValueError("iqm needs at least one score")
    cut = int(0.25 * size)
    kept = np.partition(scores, (cut, size - cut - 1), axis=axis)
    return np.mean(np.take(kept, range(cut, size - cut), axis=axis), axis=axis)


def t_interval(scores: np.ndarray, level: float = 0.95) -> Interval:
    """Mean of the finite scores with Student's interval.

    Args:
      scores: one score a seed; NaN for a run that diverged.
      level: coverage of the interval.

    Returns:
      Mean, low and high; NaN ends for fewer than two finite scores.

    Example:
      >>> [round(v, 3) for v in t_interval(np.array([1.0, 2.0, 3.0]))]
      [2.0, -0.484, 4.484]

    Reference:
      Student, Biometrika 6 (1908), https://doi.org/10.2307/2331554
    """
    from scipy.special import stdtrit

    scores = finite(scores)
    if scores.size == 0:
        return Interval(math.nan, math.nan, math.nan)
    mean = float(scores.mean())
    if scores.size == 1:
        return Interval(mean, math.nan, math.nan)
    half = float(stdtrit(scores.size - 1, 0.5 + level / 2) * scores.std(ddof=1) / math.sqrt(scores.size))
    return Interval(mean, mean - half, mean + half)


def t_bands(curves: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over runs and Student's interval at every point of the curves; runs with a NaN there are left out.

    Args:
      curves: array of shape (runs, ...).
      level: coverage of the pointwise interval.

    Returns:
      Mean, low and high of shape (...); low and high equal the mean where only one run is left.

    Example:
      >>> mean, low, high = t_bands(np.array([[0.0, 1.0], [2.0, np.nan]]))
      >>> mean.tolist(), round(float(high[0]), 2)
      ([1.0, 1.0], 13.71)

    Reference:
      Student, Biometrika 6 (1908), https://doi.org/10.2307/2331554
    """
    from scipy.special import stdtrit

    curves = np.asarray(curves, float)
    usable = np.isfinite(curves)
    count = usable.sum(axis=0)
    total = np.where(usable, curves, 0.0).sum(axis=0)
    mean = np.where(count > 0, total / np.maximum(count, 1), math.nan)
    squares = np.where(usable, (curves - mean) ** 2, 0.0).sum(axis=0)
    error = np.sqrt(squares / np.maximum(count - 1, 1) / np.maximum(count, 1))
    half = np.where(count > 1, stdtrit(np.maximum(count - 1, 1), 0.5 + level / 2) * error, 0.0)
    return mean, mean - half, mean + half


def log_bands(curves: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Geometric mean over runs and its interval at every point: :func:`t_bands` of the logarithms.

    For losses, which spread over powers of ten and are never negative; an interval of the mean itself may
    reach below zero.

    Args:
      curves: array of shape (runs, ...); entries that are not positive are left out.
      level: coverage of the pointwise interval.

    Returns:
      Geometric mean, low and high of shape (...).

    Example:
      >>> log_bands(np.array([[1.0], [100.0]]))[0].round(6).tolist()
      [10.0]

    Reference:
      Limpert et al., BioScience 51 (2001), https://doi.org/10.1641/0006-3568(2001)051[0341:LNDATS]2.0.CO;2
    """
    curves = np.asarray(curves, float)
    logs = np.log(np.where(curves > 0, curves, math.nan))
    mean, low, high = t_bands(logs, level)
    # two runs of very different losses have an interval of hundreds of e-foldings
    return np.exp(mean), np.exp(np.maximum(low, -700.0)), np.exp(np.minimum(high, 700.0))


def bootstrap_interval(
    scores: np.ndarray,
    statistic: Callable[..., np.ndarray] = iqm,
    *,
    level: float = 0.95,
    resamples: int = 5000,
    seed: int = 0,
) -> Interval:
    """Stratified percentile bootstrap of a statistic over runs and tasks, as rliable defines it.

    Runs are resampled with replacement within every task (column) on its own, so no task is over-represented.

    Args:
      scores: scores of shape (runs,) or (runs, tasks); NaN, for a run that diverged, is left out.
      statistic: vectorised reduction with an `axis` argument, such as :func:`iqm`, ``np.mean`` or
        ``np.median``.
      level: coverage of the interval.
      resamples: how many bootstrap samples are drawn.
      seed: seed of the resampling; the same data always give the same interval.

    Returns:
      The statistic of the data and the percentile interval; NaN ends where a task has fewer than two runs,
      NaN altogether where one has none.

    Example:
      >>> bootstrap_interval(np.array([1.0, 1.0, 1.0]))
      Interval(estimate=1.0, low=1.0, high=1.0)

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    tasks = [finite(column) for column in _as_table(scores).T]
    fewest = min((task.size for task in tasks), default=0)
    if fewest == 0:
        return Interval(math.nan, math.nan, math.nan)
    estimate = float(statistic(np.concatenate(tasks), axis=0))
    if fewest == 1:
        return Interval(estimate, math.nan, math.nan)
    random = np.random.default_rng(seed)
    samples = np.concatenate(
        [task[random.integers(task.size, size=(resamples, task.size))] for task in tasks], axis=1
    )
    low, high = np.quantile(statistic(samples, axis=1), [0.5 - level / 2, 0.5 + level / 2])
    return Interval(estimate, float(low), float(high))


def interval(scores: np.ndarray, level: float = 0.95) -> tuple[Interval, str]:
    """The interval for the mean that suits the number of seeds, and its name.

    Args:
      scores: one score a seed; NaN for a run that diverged.
      level: coverage of the interval.

    Returns:
      Student's interval below ten finite scores, a bootstrap interval of the mean from ten on; and "t" or
      "bootstrap".

    Example:
      >>> interval(np.arange(5.0))[1], interval(np.arange(12.0))[1]
      ('t', 'bootstrap')

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    scores = finite(scores)
    if scores.size < FEW:
        return t_interval(scores, level), "t"
    return bootstrap_interval(scores, np.mean, level=level), "bootstrap"


def probability_of_improvement(a: np.ndarray, b: np.ndarray) -> float:
    """P(a run of `a` beats a run of `b`), averaged over tasks; ties count one half, NaN is the worst score.

    Args:
      a: scores of shape (runs,) or (runs, tasks).
      b: scores of the other, same number of tasks; the number of runs may differ.

    Returns:
      A number from 0 to 1, the Mann-Whitney statistic over the number of pairs, as rliable defines it.

    Example:
      >>> probability_of_improvement(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
      0.875

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    a, b = _as_table(worst_last(a)), _as_table(worst_last(b))
    wins = (a[:, None] > b[None]) + 0.5 * (a[:, None] == b[None])
    return float(wins.mean())


def improvement_interval(
    a: np.ndarray, b: np.ndarray, *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> Interval:
    """:func:`probability_of_improvement` with its stratified bootstrap interval.

    Args:
      a: scores of shape (runs,) or (runs, tasks).
      b: scores of the other.
      level: coverage of the interval.
      resamples: how many bootstrap samples are drawn.
      seed: seed of the resampling.

    Returns:
      The probability and its percentile interval, whose ends are NaN for fewer than two runs.

    Example:
      >>> improvement_interval(np.array([2.0, 3.0]), np.array([0.0, 1.0]))
      Interval(estimate=1.0, low=1.0, high=1.0)

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    a, b = _as_table(worst_last(a)), _as_table(worst_last(b))
    wins = (a[:, None] > b[None]) + 0.5 * (a[:, None] == b[None])  # (runs a, runs b, tasks)
    rng = np.random.default_rng(seed)
    tasks = np.arange(a.shape[1])
    rows = rng.integers(a.shape[0], size=(resamples, a.shape[0], 1, tasks.size))
    columns = rng.integers(b.shape[0], size=(resamples, 1, b.shape[0], tasks.size))
    samples = wins[rows, columns, tasks].mean(axis=(1, 2, 3))
    low, high = np.quantile(samples, [0.5 - level / 2, 0.5 + level / 2])
    if min(a.shape[0], b.shape[0]) < 2:  # of one run, no draw differs from another
        low = high = math.nan
    return Interval(float(wins.mean()), float(low), float(high))


def finite(scores: np.ndarray) -> np.ndarray:
    """The finite entries as a flat array: the runs that did not diverge.

    Args:
      scores: scores of any shape.

    Returns:
      Array of shape (n,).

    Example:
      >>> finite(np.array([1.0, np.nan])).tolist()
      [1.0]

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    scores = np.asarray(scores, float).reshape(-1)
    return scores[np.isfinite(scores)]


def worst_last(scores: np.ndarray) -> np.ndarray:
    """Scores with NaN replaced by minus infinity, so that a diverged run loses every comparison.

    Args:
      scores: scores of any shape.

    Returns:
      Array of the same shape without NaN.

    Example:
      >>> worst_last(np.array([1.0, np.nan])).tolist()
      [1.0, -inf]

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    scores = np.asarray(scores, float)
    return np.where(np.isnan(scores), -math.inf, scores)


def _as_table(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, float)
    return scores[:, None] if scores.ndim == 1 else scores
