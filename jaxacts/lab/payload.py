"""What the HTML page draws, as plain JSON types with as many digits as a picture shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxacts import plotting
from jaxacts.lab import files, outcomes, statistics, summary
from jaxacts.lab.config import AXES
from jaxacts.lab.measures import CURVES
from jaxacts.lab.store import Results

MOST_POINTS = 240  # a curve on a screen shows no more, and a page should stay below a few megabytes
MOST_COLUMNS = 60  # of a map over layers and steps
MOST_ROWS = 64

QUANTILES = "preactivation_quantiles"  # three curves shown as one: median, and quartiles as a band


def payload(results: Results, found: summary.Summary) -> dict[str, Any]:
    """Everything that the script of the page draws.

    Args:
      results: what a sweep measured.
      found: its summary.

    Returns:
      Plain JSON types: settings, curves with bands, values over layers and steps, theory, sensitivity,
      profiles, and the summary as a document.
    """
    keep, columns = kept(results.steps.size, MOST_POINTS), kept(results.steps.size, MOST_COLUMNS)
    names = {
        f"test_{results.metric}": found.score,
        f"validation_{results.metric}": found.score.replace("test", "validation"),
        "train_loss": "training loss (geometric mean)",
    }
    metrics = {name: text for name, text in names.items() if name in results.curves}
    shown = [name for name in CURVES if name in results.curves and np.isfinite(results.curves[name]).any()]
    mine = {
        facet: [name for name in results.activations if (name, facet) in _pairs(found)]
        for facet in results.facets
    }

    def for_all(make: Any) -> dict[str, dict[str, Any]]:
        return {facet: {name: make(name, facet) for name in mine[facet]} for facet in results.facets}

    def column(key: str) -> dict[str, dict[str, Any]]:
        return for_all(lambda name, facet: _pairs(found)[name, facet][key])

    look = plotting.styles(results.activations)
    return files.finite({
        "facets": results.facets,
        **axes(results),
        "styles": {name: style._asdict() for name, style in look.items()},
        "steps": results.steps[keep].tolist(),
        "layer_steps": results.steps[columns].tolist(),
        "metrics": metrics,
        "measures": measures(shown),
        "score": found.score,
        "metric_word": "accuracy" if results.metric == "accuracy" else "R²",
        "target_metric": f"test_{results.metric}",
        "targets": {row["facet"]: row["target"] for row in reversed(found.rows)},
        "curves": for_all(lambda name, facet: _curves_of(results, name, facet, metrics, keep)),
        "layers": for_all(lambda name, facet: _layers_of(results, name, facet, shown, columns)),
        "ratios": column("gradient_ratio"),
        "predicted": column("gradient_ratio_theory"),
        "theory": {
            facet: {name: short(found.predicted[name, facet]) for name in mine[facet]
                    if (name, facet) in found.predicted}
            for facet in results.facets
        },
        "sensitivity": for_all(lambda name, facet: summary.sensitivity(results, name, facet)),
        "chosen": column("learning_rate"),
        "profiles": {facet: _profile(results, facet, mine[facet]) for facet in results.facets},
        "means": for_all(
            lambda name, facet: [_pairs(found)[name, facet][key] for key in ("mean", "low", "high")]
        ),
        "document": found.document(),
    })  # fmt: skip


def _pairs(found: summary.Summary) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["activation"], row["facet"]): row for row in found.rows}


def axes(results: Results) -> dict[str, Any]:
    """The settings that vary beside activation, learning rate and seed.

    Args:
      results: what a sweep measured.

    Returns:
      ``axes``, the values of each setting that varies, and ``settings``, those of each facet.
    """
    values = {axis: list(dict.fromkeys(run[axis] for run in results.runs if axis in run)) for axis in AXES}
    values = {axis: found for axis, found in values.items() if len(found) > 1}
    settings = {run["facet"]: {axis: run[axis] for axis in values} for run in results.runs}
    return {"axes": values, "settings": settings}


def measures(shown: list[str]) -> dict[str, dict[str, Any]]:
    """How each measure is drawn: its label, its axis and whether on a log scale."""
    found = {name: {"label": CURVES[name].label, "axis": CURVES[name].axis, "log": CURVES[name].log}
             for name in shown}  # fmt: skip
    if "preactivation_q50" in shown:
        label = "pre-activations: median and quartiles"
        found[QUANTILES] = {"label": label, "axis": "layers", "log": False}
    return found


def kept(size: int, most: int) -> np.ndarray:
    """Indices of what is shown: all, or evenly spaced ones with the first and the last."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).round().astype(int))


def curves_of_runs(results: Results, name: str, index: np.ndarray) -> np.ndarray:
    """Curves of the given runs; NaN for the whole of a run that diverged."""
    curves = np.asarray(results.curves[name], float)[index]
    gone = results.diverged[index].reshape((-1,) + (1,) * (curves.ndim - 1))
    return np.where(gone, math.nan, curves)


def over_layers(results: Results, name: str, index: np.ndarray) -> np.ndarray:
    """Curves over layers, (runs, T, layers); padding of shallower networks is cut off."""
    values = curves_of_runs(results, name, index)
    used = np.isfinite(values).any(axis=(0, 1))
    return values[..., : int(np.flatnonzero(used).max()) + 1] if used.any() else values


def typical(values: np.ndarray, *, log: bool) -> np.ndarray:
    """Median over runs for what spreads over powers of ten, mean otherwise; NaN only where no run has any."""
    found = np.full(values.shape[1:], math.nan)
    some = np.isfinite(values).any(axis=0)
    known = np.where(np.isfinite(values), values, math.nan)[:, some]
    found[some] = np.nanmedian(known, axis=0) if log else np.nanmean(known, axis=0)
    return found


def _curves_of(
    results: Results, name: str, facet: str, metrics: Mapping[str, str], keep: np.ndarray
) -> dict[str, Any]:
    index = summary.chosen_runs(results, name, facet)
    curves: dict[str, Any] = {}
    for metric in metrics:
        values = curves_of_runs(results, metric, index)[:, keep]
        bands = statistics.log_bands if metric.endswith("loss") else statistics.t_bands
        mean, low, high = bands(values)
        if metric.endswith("accuracy"):  # no accuracy is outside of 0 to 1: cutting there loses no coverage
            low, high = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
        ends = {"mean": short(mean), "low": short(low), "high": short(high)}
        curves[metric] = {**ends, "runs": short(values)}
    return curves


def _layers_of(
    results: Results, name: str, facet: str, shown: list[str], columns: np.ndarray
) -> dict[str, Any]:
    """Every measure of an activation over steps and layers, and the numbers of the layers that are shown."""
    index = summary.chosen_runs(results, name, facet)
    found: dict[str, Any] = {}
    for curve in shown:
        about = CURVES[curve]
        values = over_layers(results, curve, index) if about.axis != "none" else (
            curves_of_runs(results, curve, index)[..., None]
        )  # fmt: skip
        table = typical(values[:, columns], log=about.log)
        rows = kept(table.shape[1], MOST_ROWS)
        if np.isfinite(table).any():
            found[curve] = {"rows": (rows + 1).tolist(), "values": short(table[:, rows])}
    return found


def _profile(results: Results, facet: str, names: list[str]) -> dict[str, Any]:
    scores = {name: summary.final_scores(results, name, facet) for name in names}
    known = statistics.finite(np.concatenate(list(scores.values())))
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = 0.05 * (high - low) or 0.05
    thresholds = np.linspace(low - room, high + room, 101)
    shares = {}
    for name, own in scores.items():
        ends = outcomes.profile_interval(own, thresholds) if own.size > 1 else (None, None)
        shares[name] = {"mean": short(outcomes.performance_profile(own, thresholds))} | {
            key: short(end) for key, end in zip(("low", "high"), ends, strict=True) if end is not None
        }
    return {"thresholds": short(thresholds), "shares": shares}


def short(values: np.ndarray) -> Any:
    """Nested lists with four significant digits, as much as a picture shows; None if not finite."""
    if np.ndim(values) > 1:
        return [short(row) for row in values]
    return [float(f"{v:.4g}") if math.isfinite(v) else None for v in np.asarray(values, float)]
