"""The pictures and the HTML page of a comparison, drawn from stored results, never during training."""

from __future__ import annotations

import base64
import importlib.resources
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxacts import plotting
from jaxacts.lab import outcomes, prediction, statistics, store, summary
from jaxacts.lab.errors import need
from jaxacts.lab.store import Results

HTML = "report.html"
PICTURES = ("convergence.png", "gradient_flow.png", "activations.png")
MOST_POINTS = 240  # a curve on a screen shows no more, and a page should stay below a few megabytes

_MEASURES = {
    "dead": "share of dead units",
    "saturated": "share of saturated units",
    "preactivation_std": "standard deviation of the pre-activations",
}
_COLUMNS = (
    ("activation", "the activation compared"),
    ("{score}", "mean over seeds after the last step, with its 95 % interval"),
    ("steps to target", "median over runs; in brackets how many got there"),
    ("learning rate", "chosen on the validation split"),
    (
        "gradient first/last",
        "gradient norm of the first weight matrix over that of the last, at the first record",
    ),
    ("dead", "share of dead units at the end"),
    ("saturated", "share of saturated unit activations at the end"),
    ("failed", "runs that diverged, and runs that did not learn"),
    ("behind the best by", "mean paired difference to the best"),
    ("p (Holm)", "paired test against the best, corrected for all comparisons"),
    ("P(best wins)", "probability that a run of the best beats a run of this one"),
    ("rank", "mean rank over the seeds with its interval"),
    ("good rates", "decades of learning rates that are nearly as good as the best one"),
)


def write(
    results: Results,
    folder: Path | str,
    *,
    functions: Mapping[str, Callable] | None = None,
    html: bool = True,
    found: summary.Summary | None = None,
) -> list[Path]:
    """Write the three pictures and, unless `html` is False, the page into a folder.

    Args:
      results: what a sweep measured.
      folder: an existing folder.
      functions: the activations by display name; None leaves out those that cannot be found again from the
        manifest, such as a lambda.
      html: whether to write the page too.
      found: the summary, if it is there already.

    Returns:
      The files written.

    Raises:
      MissingExtra: without matplotlib or jinja2.
    """
    folder = Path(folder)
    found = found or summary.summarise(results, theory=True)
    try:
        written = _pictures(results, found, folder, functions or prediction.known_functions(results))
    except ImportError as error:
        raise need("matplotlib") from error
    if html:
        picture = folder / "activations.png"
        store.write_bytes(
            folder / HTML, render(results, found, picture if picture.exists() else None).encode()
        )
        written.append(folder / HTML)
    return written


def _pictures(
    results: Results, found: summary.Summary, folder: Path, functions: Mapping[str, Callable]
) -> list[Path]:
    written = []
    first = results.facets[0]
    title = subtitle(results) + (f" · {first}" if first else "")
    rows = [row for row in found.rows if row["facet"] == first]
    runs = {row["activation"]: summary.chosen_runs(results, row["activation"], first) for row in rows}
    runs = {name: runs[name] for name in results.activations if name in runs}
    scores = {name: statistics.t_bands(summary.score_curves(results, index)) for name, index in runs.items()}
    losses = {
        name: statistics.log_bands(_curves(results, "train_loss", index)) for name, index in runs.items()
    }
    target = rows[0]["target"]
    plotting.convergence(
        results.steps, scores, folder / "convergence.png", losses=losses, label=found.score, title=title,
        loss_label="training loss (geometric mean)", target=target if math.isfinite(target) else None,
    )  # fmt: skip
    written.append(folder / "convergence.png")
    if "gradient_norm" in results.curves:
        moments = {f"at step {results.steps[0]:,}": 0, f"at the end, step {results.steps[-1]:,}": -1}
        flow = {
            text: {name: _norms(results, index)[:, t] for name, index in runs.items()}
            for text, t in moments.items()
        }
        plotting.gradient_flow(flow, folder / "gradient_flow.png", title=f"{title} · median and range")
        written.append(folder / "gradient_flow.png")
    if functions:
        plotting.activations(functions, folder / "activations.png")
        written.append(folder / "activations.png")
    return written


def render(results: Results, found: summary.Summary, picture: Path | None = None) -> str:
    """The page as one self-contained string of HTML.

    Args:
      results: what a sweep measured.
      found: its summary.
      picture: a PNG of the activations to put into the page, or None.

    Returns:
      HTML that opens offline; every text in it is escaped.

    Raises:
      MissingExtra: without jinja2.
    """
    try:
        import jinja2
        import markupsafe
    except ImportError as error:
        raise need("jinja2") from error
    parts = importlib.resources.files("jaxacts.lab") / "templates"
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    environment.policies["json.dumps_kwargs"] = {"allow_nan": False}  # keeps the order of keys
    page = environment.from_string((parts / HTML).read_text("utf-8"))
    data = payload(results, found)
    image = base64.b64encode(picture.read_bytes()).decode() if picture else ""
    return page.render(
        title=f"Activation functions on {results.manifest.get('dataset', {}).get('name', 'data')}",
        subtitle=subtitle(results),
        summary=found,
        facets=results.facets,
        columns=[{"title": title.format(score=found.score), "help": text} for title, text in _COLUMNS],
        table=[_table_row(row, found.score) for row in found.rows],
        has_flow="gradient_norm" in results.curves,
        has_theory=any(math.isfinite(row["gradient_ratio_theory"]) for row in found.rows),
        data=data,
        picture=f"data:image/png;base64,{image}" if image else "",
        details=_details(results),
        css=markupsafe.Markup((parts / "report.css").read_text("utf-8")),
        script=markupsafe.Markup((parts / "report.js").read_text("utf-8")),
    )


def subtitle(results: Results) -> str:
    """One line on the setting: data, network, optimiser, steps and seeds."""
    runs = results.runs

    def several(name: str) -> str:
        return "/".join(dict.fromkeys(str(run[name]) for run in runs if name in run))

    seeds = len({run["seed"] for run in runs})
    return (
        f"{results.manifest.get('dataset', {}).get('name', 'data')} · MLP {several('depth')} × "
        f"{several('width')} · "
        f"{several('optimizer')} · init {several('init')} · {int(results.steps[-1]):,} steps · "
        f"{seeds} paired seed{'s' if seeds != 1 else ''}"
    )


def payload(results: Results, found: summary.Summary) -> dict[str, Any]:
    """What the page draws, as plain JSON types: bands, gradients, sensitivity, profiles, the summary."""
    keep = _kept(results.steps.size)
    names = {
        f"test_{results.metric}": found.score,
        f"validation_{results.metric}": found.score.replace("test", "validation"),
        "train_loss": "training loss (geometric mean)",
    }
    metrics = {name: text for name, text in names.items() if name in results.curves}
    measures = {name: text for name, text in _MEASURES.items() if name in results.curves}
    by_facet: dict[str, dict[str, dict[str, Any]]] = {}
    for facet in results.facets:
        mine = [row["activation"] for row in found.rows if row["facet"] == facet]
        by_facet[facet] = {
            name: _activation_curves(results, name, facet, metrics, measures, keep)
            for name in results.activations
            if name in mine
        }
    look = plotting.styles(results.activations)
    return store.finite({
        "facets": results.facets,
        "styles": {name: style._asdict() for name, style in look.items()},
        "steps": [int(step) for step in results.steps[keep]],
        "metrics": metrics,
        "measures": measures,
        "metric_word": "accuracy" if results.metric == "accuracy" else "R²",
        "target_metric": f"test_{results.metric}",
        "targets": {row["facet"]: row["target"] for row in reversed(found.rows)},
        "ratios": {facet: {r["activation"]: r["gradient_ratio"] for r in found.rows if r["facet"] == facet}
                   for facet in results.facets},
        "curves": by_facet,
        "sensitivity": {
            facet: {name: summary.sensitivity(results, name, facet) for name in by_facet[facet]}
            for facet in results.facets
        },
        "profiles": {facet: _profile(results, facet, list(by_facet[facet])) for facet in results.facets},
        "predicted": {
            facet: {r["activation"]: r["gradient_ratio_theory"] for r in found.rows if r["facet"] == facet}
            for facet in results.facets
        },
        "document": found.document(),
    })  # fmt: skip


def _kept(size: int) -> np.ndarray:
    """Indices of the records that are shown: all, or evenly spaced ones with the first and the last."""
    return np.unique(np.linspace(0, size - 1, min(size, MOST_POINTS)).round().astype(int))


def _activation_curves(
    results: Results, name: str, facet: str, metrics: Mapping, measures: Mapping, keep: np.ndarray
) -> dict[str, Any]:
    index = summary.chosen_runs(results, name, facet)
    curves: dict[str, Any] = {}
    for metric in metrics:
        values = _curves(results, metric, index)[:, keep]
        bands = statistics.log_bands if metric.endswith("loss") else statistics.t_bands
        mean, low, high = (_short(band) for band in bands(values))
        curves[metric] = {"mean": mean, "low": low, "high": high, "runs": _short(values)}
    for measure in measures:
        values = _curves(results, measure, index)[:, keep]
        curves[measure] = _short(_mean_over(values, (0, 2)))
        if all(v is None for v in curves[measure]):
            curves[measure] = None  # e.g. saturation where f' has no bound
    if "gradient_norm" in results.curves:
        curves["gradient_norm"] = _short(_flow(results, index)[keep])
    return curves


def _curves(results: Results, name: str, index: np.ndarray) -> np.ndarray:
    """Curves of the given runs; NaN for the whole of a run that diverged."""
    curves = np.asarray(results.curves[name], float)[index]
    gone = results.diverged[index].reshape((-1,) + (1,) * (curves.ndim - 1))
    return np.where(gone, math.nan, curves)


def _norms(results: Results, index: np.ndarray) -> np.ndarray:
    """Gradient norms, (runs, T, layers); padding of shallower networks is cut off."""
    values = _curves(results, "gradient_norm", index)
    used = np.isfinite(values).any(axis=(0, 1))
    return values[..., : int(np.flatnonzero(used).max()) + 1] if used.any() else values


def _flow(results: Results, index: np.ndarray) -> np.ndarray:
    """Median over runs of the gradient norm, (T, layers)."""
    values = _norms(results, index)
    flow = np.full(values.shape[1:], math.nan)
    some = np.isfinite(values).any(axis=0)
    flow[some] = np.nanmedian(values[:, some], axis=0)
    return flow


def _mean_over(values: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=axes)
    total = np.where(known, values, 0.0).sum(axis=axes)
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)


def _profile(results: Results, facet: str, names: list[str]) -> dict[str, Any]:
    scores = {name: summary.final_scores(results, name, facet) for name in names}
    known = statistics.finite(np.concatenate(list(scores.values())))
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = 0.05 * (high - low) or 0.05
    thresholds = np.linspace(low - room, high + room, 101)
    shares = {name: _short(outcomes.performance_profile(own, thresholds)) for name, own in scores.items()}
    return {"thresholds": _short(thresholds), "shares": shares}


def _short(values: np.ndarray) -> Any:
    """Nested lists with four significant digits, as much as a picture shows; None if not finite."""
    if np.ndim(values) > 1:
        return [_short(row) for row in values]
    return [float(f"{v:.4g}") if math.isfinite(v) else None for v in np.asarray(values, float)]


def _table_row(row: Mapping[str, Any], score: str) -> dict[str, Any]:
    scale, unit = (100.0, " %") if "accuracy" in score else (1.0, "")
    digits = 1 if scale == 100.0 else 3

    def number(value: float, text: str) -> dict[str, Any]:
        known = value is not None and not math.isnan(value)
        return {"value": value if known and math.isfinite(value) else ("1e999" if known else ""),
                "text": text if known else "–"}  # fmt: skip

    def share(value: float) -> dict[str, Any]:
        return number(value, f"{100 * value:.1f} %")

    failed = [
        f"{row[key]} {word}"
        for key, word in (("diverged", "diverged"), ("not_learned", "did not learn"))
        if row[key]
    ]
    first: dict[str, Any] = {"value": row["activation"], "text": row["activation"]}
    if row["best"]:
        first |= {"tag": "best", "kind": "best"}
    elif row["as_good"]:
        first |= {"tag": "not distinguishable", "kind": "equal"}
    elif row["diverged"]:
        first |= {"tag": "diverged", "kind": "bad"}
    steps = row["steps_to_target"]
    ends = (
        f" ({scale * row['low']:.{digits}f} – {scale * row['high']:.{digits}f})"
        if math.isfinite(row["low"])
        else ""
    )
    reached = f" ({row['reached']}/{row['runs']})"
    cells = [
        first,
        number(row["mean"], f"{scale * row['mean']:.{digits}f}{unit}{ends}"),
        number(steps, (f"{steps:,.0f}" if math.isfinite(steps) else "never") + reached),
        number(row["learning_rate"], f"{row['learning_rate']:g}"),
        number(row["gradient_ratio"], f"{row['gradient_ratio']:.2g}"),
        share(row["dead"]),
        share(row["saturated"]),
        {"value": row["diverged"] + row["not_learned"], "text": ", ".join(failed) or f"0 of {row['runs']}"},
        number(row["difference"], f"{scale * row['difference']:.{digits}f}"),
        number(row["p_holm"], f"{row['p_holm']:.3f}" if row["p_holm"] >= 0.001 else "< 0.001"),
        number(row["improvement"], f"{row['improvement']:.2f}"),
        number(row["rank"], f"{row['rank']:.1f} ({row['rank_low']:.1f} – {row['rank_high']:.1f})"),
        number(row["good_rates_decades"], f"{row['good_rates_decades']:.1f}"),
    ]
    cells = [{"tag": "", "kind": "", **cell} for cell in cells]
    return {
        "activation": row["activation"],
        "facet": row["facet"],
        "equal": bool(row["best"] or row["as_good"]),
        "cells": cells,
    }


def _details(results: Results) -> list[tuple[str, str]]:
    """Configuration, versions, device and timing as pairs of text."""
    manifest = results.manifest
    pairs: list[tuple[str, Any]] = [
        *results.config.items(),
        ("parameters", manifest.get("parameters")),
        ("data", manifest.get("dataset")),
        ("versions", manifest.get("versions")),
        ("device", manifest.get("device")),
        ("git commit", manifest.get("git")),
        ("command", " ".join(map(str, manifest.get("argv") or []))),
        ("created", manifest.get("created")),
        ("configuration hash", manifest.get("hash")),
        ("time", manifest.get("timing")),
    ]
    return [(key.replace("_", " "), _text(value)) for key, value in pairs if value not in (None, "", {}, [])]


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(entry)}" for key, entry in value.items() if entry is not None)
    if isinstance(value, list | tuple):
        return ", ".join(_text(entry) for entry in value)
    return (
        f"{value:.6g}"
        if isinstance(value, float)
        else (value if isinstance(value, str) else json.dumps(value))
    )


__all__ = ["HTML", "PICTURES", "payload", "render", "subtitle", "write"]
