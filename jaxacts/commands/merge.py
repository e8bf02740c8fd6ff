"""`jaxacts merge PART...`: join the folders of a comparison that was trained in shards."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import tyro

from jaxacts.commands import _common, _outcome


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Which parts, and where to."""

    parts: tyro.conf.Positional[list[Path]]
    """Folders that `jaxacts compare --shard i/n` wrote."""
    output: Path
    """The folder to make, or one of the same comparison to add to."""
    no_report: bool = False
    """Write no pictures and no HTML page."""
    json: bool = False
    """Print one JSON object on stdout and nothing else."""


def main(argv: Sequence[str]) -> int:
    """Join the parts; show the result of a whole as `jaxacts compare` does, and return 1 without one."""
    options = _common.parse(
        Options, argv, prog="merge", description="Join the parts of a sharded comparison."
    )
    from jaxacts.lab import merge, merging, report, store, summary

    with _common.usage():
        results = merge(options.parts, options.output)
    if not store.finished(options.output):
        missing = merging.missing(options.output, options.parts)
        return _outcome.incomplete(options.output, missing, as_json=options.json)
    found = summary.summarise(results, theory=not options.no_report)
    if not options.no_report:
        report.write(results, options.output, found=found)
    _outcome.show(found, results, as_json=options.json, quiet=options.quiet, folder=options.output)
    return 4 if found.diverged else 0
