"""What a comparison prints when it is through: the table, the summary in words, or one JSON object."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from jaxacts.commands import _common
from jaxacts.lab import outcomes

# Below this width the table leaves out gradients, dead and saturated units, and p (the marks tell it).
_WIDE, _NARROW = 128, (0, 1, 2, 3, 4, 5, 9, 11)


def unfinished(folder: Path, *, as_json: bool) -> int:
    """What to say when other workers or shards still have to do their part."""
    text = "this part is finished; the rest is done by the other workers, or joined with `jaxacts merge`"
    if as_json:
        _common.print_json({"schema": 1, "folder": str(folder), "finished": False})
    else:
        _common.say(text)
    _common.say(str(folder))
    return 0


def incomplete(folder: Path, missing: Any, *, as_json: bool) -> int:
    """What to say when parts were joined that make no whole; the exit code."""
    text = f"{missing}; what is there is kept in {folder}, train the rest and merge again"
    _common.say(f"jaxacts: {text}")
    if as_json:
        _common.print_json(
            {
                "schema": 1,
                "folder": str(folder),
                "finished": False,
                "error": text,
                "exit_code": 1,
                "missing_runs": missing.runs,
                "missing_batches": missing.batches,
                "missing_shards": list(missing.shards),
            }
        )
    return 1


def show(summarised: Any, results: Any, *, as_json: bool, quiet: bool, folder: Path) -> None:
    """Print the table or the JSON on stdout, and the folder as the last line on stderr."""
    if as_json:
        _common.print_json({**summarised.document(), "folder": str(folder), "config": results.config})
    else:
        from jaxacts.lab import report

        if not quiet:
            print(report.subtitle(results))
        for facet in results.facets:
            rows = [row for row in summarised.rows if row["facet"] == facet]
            _common.show(_fitted(*_table(rows, summarised.score), facet))
        if not quiet:
            print("\n".join(summarised.headline))
            print(footnotes(summarised, results))
    if not as_json and not quiet and (folder / "report.html").exists():
        _common.say(f"pictures and a page to explore: {folder / 'report.html'}")
    _common.say(str(folder))


def _fitted(columns: list[tuple[str, str]], lines: list[list[str]], title: str) -> Any:
    """The table; on a narrow terminal without what describes the training, which the page has."""
    if _common.console().width < _WIDE:
        columns = [columns[i] for i in _NARROW]
        lines = [[line[i] for i in _NARROW] for line in lines]
    made = _common.table(columns, lines, title=title)
    for i in (1, 3):  # names and intervals are read as a whole
        made.columns[i].no_wrap = True
    return made


def footnotes(summarised: Any, results: Any) -> str:
    """What the table's columns mean, in short; the page has the full methods."""
    method = "t" if summarised.rows[0]["interval"] == "t" else "bootstrap"
    from jaxacts.lab import wording

    return "\n".join(
        [
            "",
            f"95 % {method}-intervals of the mean over paired seeds. ★ best; = not distinguishable from it "
            "(Holm-corrected "
            "paired test, p ≥ 0.05). The test split chose nothing.",
            "g: effect size (Hedges' g of the paired differences), by how many of their standard deviations "
            "the best is ahead.",
            *wording.setting(results)[1:],
        ]
    )


def _table(rows: list[dict[str, Any]], score: str) -> tuple[list[tuple[str, str]], list[list[str]]]:
    share = "accuracy" in score
    scale, digits = (100.0, 1) if share else (1.0, 3)
    columns = [
        ("", "left"), ("activation", "left"), (score + (" %" if share else ""), "right"),
        ("95 % interval", "left"), ("steps to target", "right"), ("learning rate", "right"),
        ("grad first / last", "right"), ("dead %", "right"),
        ("saturated %", "right"), ("diverged", "right"), ("p (Holm)", "right"), ("g", "right"),
    ]  # fmt: skip

    def number(value: float, form: str) -> str:
        return format(value, form) if math.isfinite(value) else "–"

    lines = []
    for row in rows:
        best = row["best"] and math.isfinite(row["mean"])  # nobody is, where everything diverged
        mark = "★" if best else "=" if row["as_good"] and not row["best"] else "!" if row["diverged"] else ""
        some = row["reached"] < row["runs"] and math.isfinite(row["target"])
        reached = f" ({row['reached']}/{row['runs']})" if some else ""
        failed = f"{row['diverged']}/{row['runs']}" + (
            f", {row['not_learned']} did not learn" if row["not_learned"] else ""
        )
        p = row["p_holm"]
        ends = (
            f"{scale * row['low']:.{digits}f}…{scale * row['high']:.{digits}f}"
            if math.isfinite(row["low"])
            else "–"
        )
        lines.append([
            mark, row["activation"], number(scale * row["mean"], f".{digits}f"), ends,
            outcomes.steps_in_words(row) + reached, f"{row['learning_rate']:g}",
            number(row["gradient_ratio"], ".2g"),
            number(100 * row["dead"], ".1f"), number(100 * row["saturated"], ".1f"),
            failed, "–" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}",
            number(row["effect"], ".2f"),
        ])  # fmt: skip
    return columns, lines
