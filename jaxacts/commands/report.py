"""`jaxacts report RUN`: the pictures and the HTML page of finished runs."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from jaxacts.commands import _common


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Which runs, and where to."""

    run: tyro.conf.Positional[Path]
    """A folder that `jaxacts compare` wrote."""
    output: Path | None = None
    """Folder for the pictures and the page; by default the run's own."""
    json: bool = False
    """Print the summary as one JSON object."""


def main(argv: Sequence[str]) -> int:
    """Write pictures and page, print the summary in words."""
    options = _common.parse(
        Options, argv, prog="report", description="Write the pictures and the HTML page of finished runs."
    )
    from jaxacts.lab import report, store, summary

    results = store.load(options.run)
    found = summary.summarise(results, theory=True)
    folder = options.output or options.run
    folder.mkdir(parents=True, exist_ok=True)
    files = report.write(results, folder, found=found)
    if options.json:
        _common.print_json({**found.document(), "files": [file.name for file in files]})
    elif not options.quiet:
        print("\n".join(found.headline))
    print(folder / report.HTML, file=sys.stderr)
    return 0
