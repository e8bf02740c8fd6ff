"""The pictures and the HTML page of a comparison, drawn from stored results, never during training."""

from __future__ import annotations

import base64
import importlib.resources
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jaxacts import plotting
from jaxacts.lab import cost, files, payload, prediction, statistics, store, summary, tables
from jaxacts.lab.errors import need
from jaxacts.lab.store import Results

HTML, *PICTURES = store.REPORT


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
        files.write_bytes(
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
        name: statistics.log_bands(payload.curves_of_runs(results, "train_loss", index))
        for name, index in runs.items()
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
            text: {
                name: payload.over_layers(results, "gradient_norm", index)[:, t]
                for name, index in runs.items()
            }
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
    image = base64.b64encode(picture.read_bytes()).decode() if picture else ""
    main, comparison = (make(found.score) for make in (tables.results_columns, tables.comparison_columns))
    return page.render(
        title=f"Activation functions on {results.manifest.get('dataset', {}).get('name', 'data')}",
        subtitle=subtitle(results),
        summary=found,
        table={"columns": main, "rows": tables.body(main, found.rows)},
        comparison={"columns": comparison, "rows": tables.body(comparison, found.rows)},
        settings=tables.settings(results, found),
        has_flow="gradient_norm" in results.curves,
        has_theory=bool(found.predicted),
        data=payload.payload(results, found),
        picture=f"data:image/png;base64,{image}" if image else "",
        details=_details(results),
        cost=_cost(results),
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


def _cost(results: Results) -> dict[str, Any]:
    """Compiling and training time as text, and how long a run takes with each activation."""
    found = cost.cost(results)
    pairs = []
    if "compile_seconds" in found:
        pairs.append(("compiling", _seconds(found["compile_seconds"])))
    if "training_seconds" in found:
        runs = found["runs"]
        each = _seconds(found["training_seconds"] / max(runs, 1))
        pairs.append(("training", f"{_seconds(found['training_seconds'])} for {runs:,} runs, {each} each"))
    if "wall_seconds" in found:
        threads = found.get("workers", 1)
        with_ = f" with {threads} threads" if threads > 1 else ""
        pairs.append(("from start to end", _seconds(found["wall_seconds"]) + with_))
    if found.get("processes", 1) > 1:
        pairs.append(("processes", f"{found['processes']} (time from start to end is that of the last)"))
    fastest = min(found.get("per_run", {}).values(), default=0.0)
    return {
        "pairs": pairs,
        "per_run": [
            (name, _seconds(seconds), f"{seconds / fastest:.2f}" if fastest > 0 else "–")
            for name, seconds in sorted(found.get("per_run", {}).items(), key=lambda item: item[1])
        ],
    }


def _seconds(value: float) -> str:
    if value < 0.0995:
        return f"{1000 * value:.0f} ms"
    if value < 120:
        return f"{value:.3g} s"
    minutes = round(value / 60)
    return f"{minutes} min" if minutes < 120 else f"{value / 3600:.1f} h"


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


__all__ = ["HTML", "PICTURES", "render", "subtitle", "write"]
