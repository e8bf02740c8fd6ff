"""`jaxacts export RUN`: the runs of a folder as csv, json, parquet, markdown or latex."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from jaxacts.commands import _common
from jaxacts.lab import files, outcomes, store, summary
from jaxacts.lab.errors import need
from jaxacts.lab.store import Results

SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Which runs, in what form, and where to."""

    run: tyro.conf.Positional[Path]
    """A folder that `jaxacts compare` wrote."""
    format: Annotated[
        Literal["csv", "json", "parquet", "markdown", "latex"], tyro.conf.arg(aliases=["-f"])
    ] = "csv"
    """csv, json and parquet hold one entry a run; markdown and latex the summary table."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """A file; by default stdout."""
    curves: bool = False
    """Add the curves: in json to every run, in csv and parquet as one row a run and record."""
    json: bool = False
    """The same as --format json."""
    timings: bool = False
    """Add what depends on the machine: timing, versions and device (json only)."""


def main(argv: Sequence[str]) -> int:
    """Write or print the runs."""
    options = _common.parse(
        Options, argv, prog="export", description="Export finished runs in an open format."
    )
    if options.json:
        options = dataclasses.replace(options, format="json")
    results = store.load(options.run)
    if options.format == "parquet":
        if options.output is None:
            raise _common.Usage("parquet is binary: name a file with --output")
        content = _parquet(records(results, curves=options.curves))
    else:
        content = _text(results, options).encode()
    if options.output is None:
        print(content.decode(), end="")
    else:
        files.write_bytes(options.output, content)
    return 0


def _text(results: Results, options: Options) -> str:
    if options.format == "json":
        found = document(results, curves=options.curves, timings=options.timings)
        return json.dumps(found, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    if options.format == "csv":
        return _csv(records(results, curves=options.curves))
    return table(results, latex=options.format == "latex")


def document(results: Results, *, curves: bool = False, timings: bool = False) -> dict[str, Any]:
    """One entry a run, sorted, the same on every machine: no path, host, process or date; non-finite is None.

    Args:
      results: what a sweep measured.
      curves: whether to add every curve to its run.
      timings: whether to add timing, versions and device.

    Returns:
      An object with the keys schema, config, metric, steps, chosen and runs.
    """
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "config": results.config,
        "metric": results.metric,
        "steps": [int(step) for step in results.steps],
        "chosen": results.chosen,
        "runs": [_entry(results, i, curves) for i in _sorted(results)],
    }
    if timings:
        found |= {
            key: results.manifest[key] for key in ("timing", "versions", "device") if key in results.manifest
        }
        if results.folder:
            events = [e for e in store.read_events(results.folder) if e.get("event") in ("batch", "end")]
            kept = ("event", "batch", "runs", "seconds", "compile_seconds")
            found["timing"] = [{key: e[key] for key in kept if key in e} for e in events]
    return files.finite(found)


def _entry(results: Results, i: int, curves: bool) -> dict[str, Any]:
    run = results.runs[i]
    entry = {
        **run,
        "dataset": results.manifest.get("dataset", {}).get("name"),
        "steps": int(results.steps[-1]),
        "diverged": bool(results.diverged[i]),
        "chosen": results.chosen.get(results.label(run)) == run["learning_rate"],
        "final": {name: values[i, -1].tolist() for name, values in sorted(results.curves.items())},
    }
    if curves:
        entry["curves"] = {name: values[i].tolist() for name, values in sorted(results.curves.items())}
    return entry


def _sorted(results: Results) -> list[int]:
    keys = ("facet", "activation", "learning_rate", "seed")
    return sorted(range(len(results.runs)), key=lambda i: tuple(results.runs[i][key] for key in keys))


def records(results: Results, *, curves: bool = False) -> list[dict[str, Any]]:
    """Flat rows: one a run with its final values, or with `curves` one a run and record.

    Args:
      results: what a sweep measured.
      curves: whether to give every record.

    Returns:
      Dicts with the same keys; values per layer get a column for each layer.
    """
    rows = []
    for i in _sorted(results):
        run = results.runs[i]
        head = {**run, "dataset": results.manifest.get("dataset", {}).get("name"),
                "diverged": bool(results.diverged[i]),
                "chosen": results.chosen.get(results.label(run)) == run["learning_rate"]}  # fmt: skip
        for t in range(results.steps.size) if curves else [results.steps.size - 1]:
            row = {**head, "step": int(results.steps[t])}
            for name, values in sorted(results.curves.items()):
                value = np.asarray(values[i, t])
                if value.ndim == 0:
                    row[name] = float(value)
                else:
                    row |= {f"{name}_{layer + 1}": float(v) for layer, v in enumerate(value)}
            rows.append(row)
    return rows


def _csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:  # an empty cell for what is not finite, as spreadsheets expect
        writer.writerow(
            {k: "" if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        )
    return out.getvalue()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow as arrow  # pyright: ignore[reportMissingImports]
        from pyarrow import parquet  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise need("pyarrow", "parquet") from error
    out = io.BytesIO()
    parquet.write_table(arrow.Table.from_pylist(rows), out)
    return out.getvalue()


# What LaTeX reads as a command, and the dashes and signs of the cells.
_LATEX = {
    **{character: "\\" + character for character in "&%$#_{}"},
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "|": r"\textbar{}",
    "<": "$<$", ">": "$>$", "–": "--", "−": "$-$",
}  # fmt: skip


def _escaped(cell: str) -> str:
    """A cell as text of LaTeX."""
    return cell.translate(str.maketrans(_LATEX))


def table(results: Results, *, latex: bool = False) -> str:
    """The summary as a table for a paper.

    Args:
      results: what a sweep measured.
      latex: a booktabs tabular instead of Markdown.

    Returns:
      Text that ends with a newline.
    """
    found = summary.summarise(results)
    share = found.score.endswith("accuracy")
    scale, digits = (100.0, 1) if share else (1.0, 3)
    several = len(results.facets) > 1
    percent = r" (\%)" if latex else " (%)"
    head = [*(["setting"] if several else []), "activation", found.score + (percent if share else ""),
            "95% interval", "steps to target", "learning rate", "diverged", "p (Holm)", "g"]  # fmt: skip
    if latex:
        head = [cell.replace("95%", r"95\,\%").replace("R²", "$R^2$") for cell in head]
    lines = []
    for row in found.rows:
        ends = (
            f"{scale * row['low']:.{digits}f} – {scale * row['high']:.{digits}f}"
            if math.isfinite(row["low"])
            else "–"
        )
        p = row["p_holm"]
        name = row["activation"] + (" *" if row["best"] or row["as_good"] else "")
        mean = f"{scale * row['mean']:.{digits}f}" if math.isfinite(row["mean"]) else "–"
        lines.append([
            *([row["facet"]] if several else []), name, mean, ends, outcomes.steps_in_words(row),
            f"{row['learning_rate']:g}", f"{row['diverged']}/{row['runs']}",
            "–" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}",
            f"{row['effect']:.2f}" if math.isfinite(row["effect"]) else "–",
        ])  # fmt: skip
    foot = (
        "* the best, and those not distinguishable from it (paired test, Holm, p ≥ 0.05); g is the effect "
        "size, Hedges' g of the paired differences to the best"
    )
    if not latex:
        rule = "|" + "|".join("---" for _ in head) + "|"
        body = [
            "| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in [head, *lines]
        ]
        return "\n".join([body[0], rule, *body[1:], "", foot.replace("* ", r"\* ", 1)]) + "\n"

    body = [
        " & ".join(line) + r" \\" for line in [head, *([_escaped(cell) for cell in line] for line in lines)]
    ]
    columns = "l" * (2 if several else 1) + "rlrrrrr"
    return "\n".join([
        rf"% {foot}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:],
        r"\bottomrule",
        r"\end{tabular}",
    ]) + "\n"  # fmt: skip
