"""`jaxacts advise`: which activation, initialisation and learning rates; what is wrong with a run."""

from __future__ import annotations

import dataclasses
import shutil
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from jaxacts.commands import _common


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """What is to be trained, or what was."""

    run: tyro.conf.Positional[Path | None] = None
    """A folder written by `jaxacts compare`, to be diagnosed."""
    depth: int | None = None
    """Hidden layers; with a run by default its own."""
    width: int | None = None
    """Units in each of them; with a run by default its own."""
    data_type: str | None = None
    """image, tabular, series or text."""
    precision: str | None = None
    """float32, bfloat16 or float16."""
    normalisation: str | None = None
    """none, layer or batch."""
    among: tuple[str, ...] | None = None
    """Activations to choose among, names or mypackage.module:function; by default the usual ones."""
    json: bool = False
    """Print one JSON object."""


def main(argv: Sequence[str]) -> int:
    """Print advice."""
    options = _common.parse(
        Options,
        argv,
        prog="advise",
        description="Recommend an activation, an initialisation and learning rates for a network, each "
        "sentence with the number and the source that it rests on, and diagnose a finished comparison: "
        "`jaxacts advise --depth 20 --width 256`, or `jaxacts advise runs/FOLDER`.",
    )
    if options.run is None and (options.depth is None or options.width is None):
        raise _common.Usage("--depth and --width are needed, unless a run folder is given")
    from jaxacts.lab import advice

    with _common.usage():
        made = advice.advise(
            options.depth, options.width, data_type=options.data_type, precision=options.precision,
            normalisation=options.normalisation, run=options.run, among=options.among,
        )  # fmt: skip
    if options.json:
        _common.print_json(made.document())
    else:
        print("\n".join(lines(made, options.quiet)))
    return 0


def lines(made: Any, quiet: bool = False) -> list[str]:
    """The advice in words, wrapped to the terminal."""
    width = min(100, shutil.get_terminal_size().columns)
    low, high = made.learning_rates
    first = "" if made.initialisation == "auto" and made.gain == 1 else ", 1 in the first layer"
    out = [
        f"For {made.setting}",
        f"  activation      {made.activation}",
        f"  initialisation  {made.initialisation}, gain {made.gain:.4g}{first}, zero biases",
        f"  learning rate   {low:.1e} to {high:.1e} with Adam",
    ]
    if made.diagnosis:
        out = [
            f"Diagnosis of {made.run}",
            *_paragraphs(made.diagnosis, width, quiet),
            *_retry(made, width),
            "",
            *out,
        ]
    if not quiet:
        out += ["", "Why", *_paragraphs(made.findings, width, quiet)]
    return out


def _paragraphs(findings: Sequence[Any], width: int, quiet: bool) -> list[str]:
    out = []
    for finding in findings:
        out += _wrapped(f"{finding.topic}: {finding.sentence}", width, "  * ", "    ")
        if not quiet:
            source = f"[{finding.evidence}, {finding.number:.4g}: {finding.source}]"
            out += _wrapped(source, width, "    ", "     ")
    return out


def _wrapped(text: str, width: int, first: str, later: str) -> list[str]:
    """Lines of a paragraph; a number stays with its percent sign."""
    whole = text.replace(" %", "\u00a0%")
    lines = textwrap.wrap(
        whole, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip
    return [line.replace("\u00a0", " ") for line in lines]


def _retry(made: Any, width: int) -> list[str]:
    """The options of `jaxacts compare` that change what the diagnosis found."""
    words = []
    for name, value in made.changes.items():
        if name == "activations":
            value = tuple(dict.fromkeys(value.values()))
        shown = ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in _several(value))
        words.append(f"--{name.replace('_', '-')} {shown.lower() if isinstance(value, bool) else shown}")
    if not words:
        return []
    text = "Run the comparison again with " + " ".join(words)
    return ["", *_wrapped(text, width, "", "  ")]


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
