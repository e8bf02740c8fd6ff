"""Write docs/catalogue.md and the two gallery pictures.

    python tools/build_catalogue.py [--measure [NAME ...]]

The page lists every function with formula, facts, accuracy and reference. The accuracy comes from
docs/accuracy.json, which `--measure` writes anew with `jaxacts check --json`, for the named functions or all
(several minutes).
"""

from __future__ import annotations

import inspect
import json
import math
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

import jaxacts
from jaxacts import accuracy as measured
from jaxacts import catalogue
from jaxacts._declare import _OTHERS

DOCS = pathlib.Path(__file__).parent.parent / "docs"
ACCURACY = DOCS / "accuracy.json"
COLUMNS = 10
# Functions of several numbers that are a function of the catalogue in one of them: the gate of a 1, and what
# becomes of the first of two logits x and 0.
GATES = {
    "bilinear": "identity", "geglu": "gelu", "glu": "sigmoid", "reglu": "relu", "seglu": "selu",
    "swiglu": "silu",
}  # fmt: skip
LOGITS = {"log_softmax": "log_sigmoid", "softmax": "sigmoid"}
BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#999999"


def measure(names: list[str]) -> None:
    """Run the check of these functions, or of all, and keep the worst errors that it prints."""
    command = [sys.executable, "-m", "jaxacts", "check", *names, "--json"]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode not in (0, 1):
        raise SystemExit(result.stderr)
    keep(json.loads(result.stdout))


def measure_others() -> None:
    """The same of the functions that are one of the catalogue in a single number."""
    cells = []
    for name, truth in {**GATES, **LOGITS}.items():

        def f(x: jax.Array, name: str = name) -> jax.Array:
            two = (jnp.ones_like(x), x) if name in GATES else (x, jnp.zeros_like(x))
            return getattr(jaxacts, name)(jnp.stack(two, axis=-1))[..., 0]

        report = measured.measure(f, truth_of=truth)
        found = [{"dtype": c.dtype, "error": float(c.error), "at": float(c.at)} for c in report.cells]
        cells.append({"name": name, "cells": found})
    keep({"backend": f"{jax.default_backend()}, jax {jax.__version__}", "functions": cells})


def keep(document: dict) -> None:
    """Put what `jaxacts check --json` printed into docs/accuracy.json; other functions stay as they are."""
    found = json.loads(ACCURACY.read_text()) if ACCURACY.exists() else {}
    for entry in document["functions"]:
        cells: dict[str, list] = {"backend": document["backend"]}
        for cell in entry["cells"]:
            cells.setdefault(cell["dtype"], []).append({"error": cell["error"], "at": cell["at"]})
        found[entry["name"]] = cells
    names = [*jaxacts.records(), *sorted(_OTHERS)]
    lines = [f"{json.dumps(name)}: {json.dumps(found[name])}" for name in names if name in found]
    ACCURACY.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def gallery(order: int, path: pathlib.Path) -> None:
    """All functions (order 0) or all derivatives (order 1) on one page."""
    records = list(jaxacts.records().values())
    rows = math.ceil(len(records) / COLUMNS)
    figure = Figure(figsize=(1.75 * COLUMNS, 1.5 * rows + 0.6), layout="constrained", dpi=110)
    grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True)
    x = jnp.linspace(-5.0, 5.0, 801)

    def curves(x: jax.Array) -> dict[str, jax.Array]:
        return {
            r.name: r.fn(x) if order == 0 else jax.vmap(jax.grad(lambda v, f=r.fn: f(v)))(x) for r in records
        }

    values = jax.jit(curves)(x)
    for axes, record in zip(grid.flat, records, strict=False):
        y = np.array(values[record.name])
        for point, _ in record.facts.kinks:  # no line across a jump
            y[np.argmin(np.abs(np.asarray(x) - point))] = np.nan
        axes.axhline(0, color=GREY, linewidth=0.5)
        axes.axvline(0, color=GREY, linewidth=0.5)
        axes.plot(x, y, color=ORANGE if order else BLUE, linewidth=1.4)
        axes.set_title(record.name, fontsize=8, pad=2)
        axes.tick_params(labelsize=6, length=2)
        axes.set_xlim(-5, 5)
        axes.set_ylim((-1.6, 2.1) if order else (-2.2, 3.2))
    for axes in grid.flat[len(records) :]:
        axes.set_visible(False)
    what = "derivatives f'(x)" if order else "functions f(x)"
    figure.suptitle(f"The {len(records)} elementwise {what} of jaxacts, default parameters", fontsize=13)
    figure.supxlabel("x", fontsize=10)
    figure.savefig(path)


def accuracy() -> dict[str, str]:
    """Worst error in ULP of f / f' / f'' in each float type, by name."""
    found = json.loads(ACCURACY.read_text()) if ACCURACY.exists() else {}
    return {
        name: "<br>".join(
            f"{kind}: " + " / ".join(f"{float(cell['error']):.2f}" for cell in cells)
            for kind, cells in types.items()
            if kind != "backend"
        )
        for name, types in found.items()
    }


def page() -> str:
    """The catalogue as Markdown."""
    found = accuracy()
    records = jaxacts.records()
    lines = [
        "# Catalogue",
        "",
        "Written by `python tools/build_catalogue.py` from the records in the code; every fact below has",
        "a test that would fail if it were false. Accuracy is the worst error of f / f' / f'' over the whole",
        "range in units in the last place (ULP), as `jaxacts check` measures it against mpmath. All curves:",
        "[functions](gallery_functions.png),",
        "[derivatives](gallery_derivatives.png).",
        "",
        f"## Elementwise functions ({len(records)})",
        "",
        "| name | formula | parameters | image | properties | accuracy (ULP) | reference |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in catalogue.rows():
        name = row["name"]
        parameters = ", ".join(f"{k}={v:g}" for k, v in row["parameters"].items())
        aliases = f" ({', '.join(row['aliases'])})" if row["aliases"] else ""
        cells = [
            f"`{name}`{aliases}", f"${row['formula']}$", parameters, catalogue.image(row),
            ", ".join([catalogue.smoothness(row), *catalogue.properties(row)]), found.get(name, ""),
            row["reference"],
        ]  # fmt: skip
        lines.append("| " + " | ".join(str(c).replace("|", r"\|") for c in cells) + " |")
    lines += ["", *facts(), "", *others(found)]
    return "\n".join(lines) + "\n"


def facts() -> list[str]:
    """What else is known of the elementwise functions, as a table."""
    lines = [
        "## Facts",
        "",
        "f and f' towards ∓∞; the kinks with the derivative taken there; the least Lipschitz constants of f",
        "and f'; where f is least, and its value; its zeros; — where there is none.",
        "",
        "| name | f(∓∞) | f'(∓∞) | kinks | Lipschitz | least | zeros | family, year |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, record in jaxacts.records().items():
        known = record.facts
        least = "—" if known.minimum is None else f"{number(known.minimum[1])} at {number(known.minimum[0])}"
        cells = [
            f"`{name}`", several(known.limits), several(known.derivative_limits),
            "; ".join(f"{number(x)} ({number(slope)})" for x, slope in known.kinks) or "—",
            several((known.lipschitz, known.lipschitz_derivative)), least,
            "infinitely many" if known.zeros is None else several(known.zeros),
            known.family + (f", {known.year}" if known.year else ""),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def several(values: tuple) -> str:
    """Numbers with commas, — for none."""
    return ", ".join(number(value) for value in values) or "—"


def number(value: float | None) -> str:
    """Six digits; ∞ and — where there is no number."""
    if value is None or math.isnan(value):
        return "—"
    return f"{value:.6g}".replace("inf", "∞")


def others(found: dict[str, str]) -> list[str]:
    """The functions that are not elementwise, as a table."""
    lines = [
        f"## Gated, vector-valued and stochastic functions ({len(_OTHERS)})",
        "",
        "Accuracy is given where the function is one of the catalogue in one number: the gate of a 1, the",
        "first of two logits x and 0. The others choose, add or multiply, and are tested by value.",
        "",
        "| name | formula | parameters | accuracy (ULP) | reference |",
        "|---|---|---|---|---|",
    ]
    for row in catalogue.other_rows():
        fn = _OTHERS[row["name"]]
        parameters = [
            f"{name}={p.default}"
            for name, p in inspect.signature(fn).parameters.items()
            if p.default is not inspect.Parameter.empty
        ]
        reference = " ".join((inspect.getdoc(fn) or "").partition("Reference:")[2].split())
        cells = [
            ", ".join(f"`{name}`" for name in (row["name"], *row["aliases"])), row["summary"],
            ", ".join(parameters), found.get(row["name"], "—"), reference,
        ]  # fmt: skip
        lines.append("| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |")
    return lines


if __name__ == "__main__":
    if "--measure" in sys.argv[1:]:
        chosen = sys.argv[2:]
        measure(chosen)
        if not chosen:
            measure_others()
    DOCS.mkdir(exist_ok=True)
    gallery(0, DOCS / "gallery_functions.png")
    gallery(1, DOCS / "gallery_derivatives.png")
    (DOCS / "catalogue.md").write_text(page())
