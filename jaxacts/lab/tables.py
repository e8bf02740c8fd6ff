"""The tables of the HTML page: what each column means, and every cell as text and as a value to sort by."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxacts.lab import outcomes
from jaxacts.lab.store import Results
from jaxacts.lab.summary import Summary

Row = Mapping[str, Any]


class Column(NamedTuple):
    """Heading, what it means, and the cell of a row."""

    title: str
    help: str
    cell: Callable[[Row], dict[str, Any]]


class Scale(NamedTuple):
    """How scores are written: accuracies in per cent, others as they are."""

    factor: float
    digits: int
    unit: str

    def text(self, value: float) -> str:
        """A score without its unit."""
        return f"{self.factor * value:.{self.digits}f}".replace("-", "−")


def scale_of(score: str) -> Scale:
    """The scale of a score by its name."""
    return Scale(100.0, 1, " %") if "accuracy" in score else Scale(1.0, 3, "")


def results_columns(score: str) -> list[Column]:
    """Columns of the table of results.

    Args:
      score: name of the score.

    Returns:
      The columns.
    """
    scale = scale_of(score)

    def estimate(row: Row, key: str, low: str, high: str) -> dict[str, Any]:
        ends = f" ({scale.text(row[low])}–{scale.text(row[high])})" if math.isfinite(row[low]) else ""
        return _number(row[key], f"{scale.text(row[key])}{scale.unit}{ends}")

    def gradients(row: Row) -> dict[str, Any]:
        return _number(row["gradient_ratio"], f"{row['gradient_ratio']:.2g}")

    def rates(row: Row) -> dict[str, Any]:
        low, high = row["good_rates_low"], row["good_rates_high"]
        text = f"{low:g}" if low == high else f"{low:g} – {high:g}"
        width = row["good_rates_decades"]
        return _number(width, f"{text} ({width:.1f})" if width else f"{text} only")

    return [
        Column("activation", "the activation compared", _name),
        Column(
            score,
            "mean over seeds after the last step, with its 95 % interval",
            lambda row: estimate(row, "mean", "low", "high"),
        ),
        Column(
            "interquartile mean",
            "mean of the middle half of the seeds, with its 95 % bootstrap interval",
            lambda row: estimate(row, "iqm", "iqm_low", "iqm_high"),
        ),
        Column("failed", "runs that diverged, and runs that did not learn", _failed),
        Column("steps to target", "median over runs; in brackets how many got there", _steps),
        Column(
            "learning rate",
            "chosen on the validation split",
            lambda row: _number(row["learning_rate"], f"{row['learning_rate']:g}"),
        ),
        Column(
            "good learning rates (decades)",
            "range around the best rate that is nearly as good, and its width in decades",
            rates,
        ),
        Column(
            "gradient first/last",
            "gradient norm of the first weight matrix over that of the last, at the first record",
            gradients,
        ),
        Column("dead", "share of dead units at the end", lambda row: _share(row["dead"])),
        Column(
            "saturated",
            "share of saturated unit activations at the end",
            lambda row: _share(row["saturated"]),
        ),
    ]


def comparison_columns(score: str) -> list[Column]:
    """Columns of the table that holds every activation against the best.

    Args:
      score: name of the score.

    Returns:
      The columns.
    """
    scale = scale_of(score)

    def behind(row: Row) -> dict[str, Any]:
        low, high = row["difference_low"], row["difference_high"]
        ends = f" ({scale.text(low)} – {scale.text(high)})" if math.isfinite(low) else ""
        return _number(row["difference"], scale.text(row["difference"]) + ends)

    def p(row: Row) -> dict[str, Any]:
        return _number(row["p_holm"], f"{row['p_holm']:.3f}" if row["p_holm"] >= 0.001 else "< 0.001")

    def rank(row: Row) -> dict[str, Any]:
        return _number(row["rank"], f"{row['rank']:.1f} ({row['rank_low']:.1f} – {row['rank_high']:.1f})")

    def wins(row: Row) -> dict[str, Any]:
        ends = f" ({row['improvement_low']:.2f} – {row['improvement_high']:.2f})"
        return _number(row["improvement"], f"{row['improvement']:.2f}{ends}")

    unit = " (percentage points)" if scale.unit else ""
    return [
        Column("activation", "the activation compared", _name),
        Column(
            f"behind the best by{unit}",
            "mean paired difference to the best, with its 95 % t-interval",
            behind,
        ),
        Column("p (Holm)", "paired test against the best, corrected for all comparisons", p),
        Column("test", "how p was computed", lambda row: {"value": row["test"], "text": row["test"] or "–"}),
        Column(
            "effect size",
            "Hedges' g of the paired differences: by how many of their standard deviations the best is ahead",
            lambda row: _number(row["effect"], f"{row['effect']:.2f}"),
        ),
        Column(
            "P(best wins)",
            "probability that a run of the best beats a run of this one, with its 95 % bootstrap interval",
            wins,
        ),
        Column("rank", "mean rank over the seeds, with its 95 % bootstrap interval", rank),
    ]


def body(columns: list[Column], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of a table.

    Args:
      columns: its columns.
      rows: of the summary.

    Returns:
      A dict a row: activation, facet, whether it is best or as good, and the cells.
    """
    return [
        {
            "activation": row["activation"],
            "facet": row["facet"],
            "equal": bool(row["best"] or row["as_good"]) and math.isfinite(row["mean"]),
            "cells": [{"tag": "", "kind": "", **column.cell(row)} for column in columns],
        }
        for row in rows
    ]


def settings(results: Results, found: Summary) -> dict[str, Any] | None:
    """One row a setting and one column an activation, when there is more than one setting.

    Args:
      results: what a sweep measured.
      found: its summary.

    Returns:
      A dict with ``axes`` (names), ``names`` (activations), ``rows`` (a setting's values and its cells) and
      ``overall`` (interquartile means over all settings); None with one setting.
    """
    from jaxacts.lab.payload import axes

    if len(results.facets) < 2:
        return None
    scale, about = scale_of(found.score), axes(results)
    rows = {(row["facet"], row["activation"]): row for row in found.rows}

    def cell(row: dict[str, Any] | None) -> dict[str, str]:
        if row is None or not math.isfinite(row["mean"]):
            return {"text": "–", "detail": "", "kind": ""}
        half = (row["high"] - row["low"]) / 2
        detail = f" ± {scale.text(half)}" if math.isfinite(half) else ""
        lost = row["diverged"] + row["not_learned"]
        detail += f", {lost}/{row['runs']} failed" if lost else ""
        kind = "best" if row["best"] else "equal" if row["as_good"] else ""
        return {"text": scale.text(row["mean"]), "detail": detail, "kind": kind}

    overall = {row["activation"]: row for row in found.overall}
    return {
        "axes": [axis.replace("_", " ") for axis in about["axes"]],
        "names": results.activations,
        "unit": scale.unit,
        "rows": [
            {
                "values": [str(value) for value in about["settings"][facet].values()],
                "cells": [cell(rows.get((facet, name))) for name in results.activations],
            }
            for facet in results.facets
        ],
        "overall": [
            f"{scale.text(overall[name]['iqm'])} (rank {overall[name]['mean_rank']:.1f})"
            if name in overall else "–"
            for name in results.activations
        ],
    }  # fmt: skip


def _number(value: float | None, text: str) -> dict[str, Any]:
    if value is None or math.isnan(value):
        return {"value": "", "text": "–"}
    return {"value": value if math.isfinite(value) else "1e999", "text": text}


def _share(value: float) -> dict[str, Any]:
    return _number(value, f"{100 * value:.1f} %")


def _name(row: Row) -> dict[str, Any]:
    first = {"value": row["activation"], "text": row["activation"]}
    alive = math.isfinite(row["mean"])
    if row["best"] and alive:
        return first | {"tag": "best", "kind": "best"}
    if row["as_good"] and alive:
        return first | {"tag": "not distinguishable", "kind": "equal"}
    return first | ({"tag": "diverged", "kind": "bad"} if row["diverged"] else {})


def _failed(row: Row) -> dict[str, Any]:
    words = (("diverged", "diverged"), ("not_learned", "did not learn"))
    failed = [f"{row[key]} {word}" for key, word in words if row[key]]
    text = ", ".join(failed) or f"0 of {row['runs']}"
    return {"value": row["diverged"] + row["not_learned"], "text": text}


def _steps(row: Row) -> dict[str, Any]:
    reached = "" if math.isnan(row["target"]) else f" ({row['reached']}/{row['runs']})"
    return _number(row["steps_to_target"], outcomes.steps_in_words(row) + reached)
