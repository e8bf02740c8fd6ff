"""One summary of a comparison, used by the terminal table, the JSON output and the HTML report alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxacts.lab import outcomes, paired, prediction, statistics, wording
from jaxacts.lab.files import finite
from jaxacts.lab.store import Results, choice_label, worst_score

SCHEMA = 1
LEVEL = 0.95
ALPHA = 0.05
TARGET_SHARE = 0.9


@dataclass(frozen=True)
class Summary:
    """What a comparison found.

    Attributes:
      rows: one dict an activation (and facet), best first; see :func:`summarise`.
      overall: with several facets, one dict an activation with its interquartile mean over all of them.
      headline: the result in words, a sentence each.
      notes: how it was measured and what to be careful about, a sentence each.
      score: what the score is called, e.g. "test accuracy".
      predicted: gradient norms of the weight matrices relative to the last, as mean-field theory predicts
        them at initialisation, by activation and facet; empty unless asked for.
    """

    rows: list[dict[str, Any]]
    overall: list[dict[str, Any]] = field(default_factory=list)
    headline: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    score: str = "test accuracy"
    predicted: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    @property
    def diverged(self) -> int:
        """How many runs at a chosen learning rate diverged."""
        return sum(row["diverged"] for row in self.rows)

    def document(self) -> dict[str, Any]:
        """The summary as plain JSON types, with a schema version; non-finite numbers are None."""
        return finite(
            {
                "schema": SCHEMA,
                "score": self.score,
                "headline": self.headline,
                "rows": self.rows,
                "overall": self.overall,
                "notes": self.notes,
            }
        )


def summarise(results: Results, *, theory: bool = False) -> Summary:
    """Estimates, intervals, tests and outcomes of every activation at its chosen learning rate.

    Diverged runs are counted and left out of the means; in the order of the rows each counts as a constant
    answer, or as the worst run of its activation where that is worse.
    Every row holds: ``activation, facet, depth, runs, diverged, not_learned, learning_rate, mean, low, high,
    interval, median, iqm, iqm_low, iqm_high, rank, rank_low, rank_high, steps_to_target, reached, target,
    gradient_ratio, gradient_ratio_end, gradient_ratio_theory, dead, saturated, best, as_good, worse,
    difference, difference_low, difference_high, p, p_holm, test, effect, improvement, improvement_low,
    improvement_high, best_rate, good_rates_low, good_rates_high, good_rates_decades, at_edge``.

    Args:
      results: what a sweep measured.
      theory: whether to compute ``gradient_ratio_theory`` too, which takes seconds; it is NaN otherwise.

    Returns:
      The summary.

    Raises:
      ValueError: if the results hold no run at a chosen learning rate.

    Reference:
      Agarwal et al., NeurIPS 2021, https://arxiv.org/abs/2108.13264
    """
    rows = [row for facet in results.facets for row in _facet_rows(results, facet)]
    predicted = prediction.gradient_profiles(results) if theory else {}
    for row in rows:
        profile = predicted.get((row["activation"], row["facet"]))
        row["gradient_ratio_theory"] = math.nan if profile is None else float(profile[0])
    if not rows:
        raise ValueError("the results hold no run at a chosen learning rate")
    name = "test accuracy" if results.metric == "accuracy" else "test R²"
    overall = _overall(results, rows) if len(results.facets) > 1 else []
    words = wording.headline(rows, overall, name), wording.notes(results, rows, name)
    return Summary(rows, overall, *words, name, predicted)


def final_scores(results: Results, activation: str, facet: str, split: str = "test") -> np.ndarray:
    """Final score of every run of an activation at its chosen rate, by seed; NaN where it diverged."""
    index = chosen_runs(results, activation, facet)
    return _last(results, index, split)


def chosen_runs(results: Results, activation: str, facet: str) -> np.ndarray:
    """Indices of the runs of an activation at its chosen learning rate, ordered by seed."""
    index = results.select(chosen=True, activation=activation, facet=facet)
    return index[np.argsort([results.runs[i]["seed"] for i in index], kind="stable")]


def score_curves(results: Results, index: np.ndarray, split: str = "test") -> np.ndarray:
    """Score of the given runs over time, (runs, T); NaN for the whole of a run that diverged."""
    curves = np.asarray(results.curves[f"{split}_{results.metric}"], float)[index]
    return np.where(results.diverged[index][:, None], math.nan, curves)


def chance(results: Results) -> tuple[float, float]:
    """Score of a constant answer on the test split, and the score above which a run has certainly learnt."""
    about = results.manifest.get("dataset", {})
    count = (about.get("sizes") or {}).get("test") or 0
    if results.metric != "accuracy":
        # R² is at most r², and a correlation with unrelated predictions is below 3 / sqrt(n) but for 0.3 %
        return 0.0, 9.0 / count if count else 0.0
    level = float(about.get("chance") or 1.0 / max(1, about.get("classes") or 1))
    return level, level + (3.0 * math.sqrt(level * (1.0 - level) / count) if count else 0.0)


def _last(results: Results, index: np.ndarray, split: str) -> np.ndarray:
    return score_curves(results, index, split)[:, -1]


def _facet_rows(results: Results, facet: str) -> list[dict[str, Any]]:
    names = [name for name in results.activations if chosen_runs(results, name, facet).size]
    if not names:
        return []
    scores = np.stack([final_scores(results, name, facet) for name in names])  # the seeds are paired
    constant, learnt = chance(results)
    order = sorted(range(len(names)), key=lambda i: -_counted(scores[i], constant))
    names, scores = [names[i] for i in order], scores[order]
    target = _target(scores[0], results.config.get("target") or TARGET_SHARE, learnt)
    rows = [_row(results, name, facet, own, target) for name, own in zip(names, scores, strict=True)]
    for row, rank in zip(rows, outcomes.rank_intervals(scores), strict=True):
        row |= {"rank": rank.estimate, "rank_low": rank.low, "rank_high": rank.high}
    _compare_with_best(rows, scores)
    return rows


def _counted(scores: np.ndarray, constant: float) -> float:
    """The mean by which activations are ordered: a diverged run is no better than a constant answer."""
    known = statistics.finite(scores)
    if not known.size:
        return -math.inf
    return float(np.where(np.isfinite(scores), scores, min(constant, known.min())).mean())


def _target(best: np.ndarray, share: float, learnt: float) -> float:
    """A share of the best median, unless runs that learnt nothing reach it too."""
    known = statistics.finite(best)
    target = share * float(np.median(known)) if known.size else math.nan
    return target if target > learnt else math.nan


def _row(results: Results, name: str, facet: str, scores: np.ndarray, target: float) -> dict[str, Any]:
    index = chosen_runs(results, name, facet)
    known = statistics.finite(scores)
    mean, method = statistics.interval(scores, LEVEL)
    mean = _clipped(results, mean)
    middle = statistics.bootstrap_interval(known, statistics.iqm, level=LEVEL)
    steps = outcomes.steps_to_target(results.steps, score_curves(results, index), target)
    rates = sensitivity(results, name, facet)
    _, learnt = chance(results)
    return {
        "activation": name,
        "facet": facet,
        "depth": results.runs[index[0]].get("depth"),
        "runs": int(index.size),
        "diverged": int(results.diverged[index].sum()),
        "not_learned": int(np.sum(known <= learnt)),
        "learning_rate": results.chosen[choice_label(name, facet)],
        "mean": mean.estimate,
        "low": mean.low,
        "high": mean.high,
        "interval": method,
        "median": float(np.median(known)) if known.size else math.nan,
        "iqm": middle.estimate,
        "iqm_low": middle.low,
        "iqm_high": middle.high,
        "target": target,
        "steps_to_target": float(np.median(steps)),
        "reached": int(np.isfinite(steps).sum()),
        **_health(results, index),
        "best_rate": rates["best"],
        "good_rates_low": rates["low"],
        "good_rates_high": rates["high"],
        "good_rates_decades": rates["decades"],
        "at_edge": rates["at_edge"],
    }


def _clipped(results: Results, found: statistics.Interval) -> statistics.Interval:
    """The interval cut at 1, for an accuracy also at 0, which loses no coverage: no score is outside."""
    least = worst_score(results.metric)
    return found._replace(
        low=float(np.clip(found.low, least, 1.0)), high=float(np.clip(found.high, least, 1.0))
    )


def _health(results: Results, index: np.ndarray) -> dict[str, Any]:
    """Gradient flow, dead and saturated units of the runs that did not diverge."""
    index = index[~results.diverged[index]]
    flow = [gradient_ratio(results, index, moment) for moment in (0, -1)]
    return {
        "gradient_ratio": flow[0],
        "gradient_ratio_end": flow[1],
        "dead": _mean(results.curves.get("dead"), index),
        "saturated": _mean(results.curves.get("saturated"), index),
    }


def gradient_ratio(results: Results, index: np.ndarray, moment: int) -> float:
    """Median over runs of the first weight matrix's gradient norm over the last one's, at a record."""
    if "gradient_norm" not in results.curves or not index.size:
        return math.nan
    ratios = []
    for norms in np.asarray(results.curves["gradient_norm"], float)[index, moment]:
        known = norms[np.isfinite(norms)]  # shallower networks are padded with NaN
        if known.size > 1 and known[-1] > 0:
            ratios.append(known[0] / known[-1])
    return float(np.median(ratios)) if ratios else math.nan


def _mean(curves: np.ndarray | None, index: np.ndarray) -> float:
    known = statistics.finite(np.asarray(curves, float)[index, -1]) if curves is not None else np.zeros(0)
    return float(known.mean()) if known.size else math.nan


def sensitivity(results: Results, activation: str, facet: str) -> dict[str, Any]:
    """Validation score at every learning rate of the grid, and what follows for how much it matters.

    Returns:
      rates, means, lows, highs (lists over the grid), diverged (counts), best, low, high, decades, at_edge.
    """
    runs = results.select(activation=activation, facet=facet)
    by_rate: dict[float, dict[int, int]] = {}
    for i in runs:
        by_rate.setdefault(results.runs[i]["learning_rate"], {})[results.runs[i]["seed"]] = int(i)
    rates = sorted(by_rate)
    # every rate is judged on the same seeds, also where the grid was searched with fewer of them
    seeds = sorted(set.intersection(*(set(found) for found in by_rate.values())))
    index = np.array([[by_rate[rate][seed] for seed in seeds] for rate in rates], int)
    scores = _last(results, index.reshape(-1), "validation").reshape(index.shape)
    found = outcomes.learning_rate_sensitivity(
        np.array(rates), scores, best=results.chosen[choice_label(activation, facet)]
    )
    intervals = [_clipped(results, statistics.t_interval(row, LEVEL)) for row in scores]
    best = found.best
    return {
        "rates": rates,
        "means": [i.estimate for i in intervals],
        "lows": [i.low for i in intervals],
        "highs": [i.high for i in intervals],
        "diverged": [int(np.isnan(row).sum()) for row in scores],
        "seeds": len(seeds),
        **found._asdict(),
        "at_edge": len(rates) > 2 and best in (rates[0], rates[-1]),
    }


def _compare_with_best(rows: list[dict[str, Any]], scores: np.ndarray) -> None:
    """Add the comparison of every row with the first, Holm-corrected over the facet's comparisons."""
    others = len(rows) - 1
    tests = [paired.paired_test(scores[0], own, comparisons=others, alpha=ALPHA) for own in scores[1:]]
    adjusted = paired.holm(np.array([test.p for test in tests]))
    rows[0] |= _no_comparison(best=True)
    for row, own, test, p in zip(rows[1:], scores[1:], tests, adjusted, strict=True):
        difference = statistics.t_interval(scores[0] - own, LEVEL)
        if paired.one_amount(scores[0], own):  # their spread is unknown
            difference = difference._replace(low=math.nan, high=math.nan)
        better = statistics.improvement_interval(scores[0], own, level=LEVEL)
        row |= _no_comparison(best=False) | {
            "as_good": None if math.isnan(p) else bool(p >= ALPHA and _sound(row)),
            "worse": None if math.isnan(p) else bool(p < ALPHA and difference.estimate > 0),
            "difference": difference.estimate,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p": test.p,
            "p_holm": float(p),
            "test": test.method,
            "effect": paired.effect_size(scores[0], own),
            "improvement": better.estimate,
            "improvement_low": better.low,
            "improvement_high": better.high,
        }
    rows[0]["detectable"] = _detectable(scores, others)


def _sound(row: dict[str, Any]) -> bool:
    """Whether no run diverged and most learnt."""
    return row["diverged"] == 0 and 2 * row["not_learned"] < row["runs"]


def _no_comparison(best: bool) -> dict[str, Any]:
    names = ("difference", "difference_low", "difference_high", "p", "p_holm", "effect")
    names += ("improvement", "improvement_low", "improvement_high", "detectable")
    verdicts = {"best": best, "as_good": True if best else None, "worse": False if best else None}
    return {**verdicts, "test": "", **dict.fromkeys(names, math.nan)}


def _detectable(scores: np.ndarray, others: int) -> float:
    """The difference that one paired comparison of a typical pair would find in four of five experiments."""
    spreads = [statistics.finite(scores[0] - own) for own in scores[1:]]
    spreads = [float(d.std(ddof=1)) for d in spreads if d.size > 1]
    if not spreads:
        return math.nan
    return outcomes.detectable_difference(scores.shape[1], float(np.median(spreads)), alpha=ALPHA)


def _overall(results: Results, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Interquartile mean over runs and facets together: facets are rliable's tasks."""
    found = []
    for name in results.activations:
        columns = [final_scores(results, name, facet) for facet in results.facets]
        if len({column.size for column in columns}) != 1 or not columns[0].size:
            continue  # not run in every facet
        table = np.stack(columns, axis=1)
        middle = statistics.bootstrap_interval(table, statistics.iqm, level=LEVEL)
        ranks = [row["rank"] for row in rows if row["activation"] == name]
        found.append(
            {
                "activation": name,
                "iqm": middle.estimate,
                "iqm_low": middle.low,
                "iqm_high": middle.high,
                "mean_rank": float(np.mean(ranks)),
                "diverged": int(np.isnan(table).sum()),
                "runs": int(table.size),
            }
        )
    return sorted(found, key=lambda row: round(row["mean_rank"], 9))  # equal ranks, in whatever order summed
