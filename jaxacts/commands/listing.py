"""`jaxacts list`: activations, datasets or runs."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import tyro

from jaxacts import catalogue
from jaxacts.commands import _common

# Below this many columns `jaxacts list` leaves out all but name, formula, image and year.
_WIDE, _NARROW = 140, (0, 2, 3, 7)


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """What to list."""

    what: tyro.conf.Positional[Literal["activations", "datasets", "runs"]] = "activations"
    """What to list."""
    folder: tyro.conf.Positional[Path] = Path("runs")
    """Where `list runs` looks."""
    search: str = ""
    """Keep activations whose name, alias, family or reference contains this."""
    markdown: bool = False
    """Print activations as a Markdown table."""
    json: bool = False
    """Print one JSON object."""


def main(argv: Sequence[str]) -> int:
    """List what there is."""
    options = _common.parse(Options, argv, prog="list", description="List activations, datasets or runs.")
    {"activations": _activations, "datasets": _datasets, "runs": _runs}[options.what](options)
    return 0


def _activations(options: Options) -> None:
    document = catalogue.document()
    if options.search:
        word = options.search.lower()

        def fits(row: dict[str, Any]) -> bool:
            return any(
                word in str(row.get(k, "")).lower()
                for k in ("name", "aliases", "family", "reference", "summary")
            )

        document["activations"] = [row for row in document["activations"] if fits(row)]
        document["other"] = [row for row in document["other"] if fits(row)]
    if options.json:
        return _common.print_json(document)
    if options.markdown:
        return print(catalogue.markdown([row["name"] for row in document["activations"]]))
    lines = [
        (
            row["name"], ", ".join(row["aliases"]), catalogue.plain(row["formula"]), catalogue.image(row),
            "∞" if row["lipschitz"] == "inf" else f"{row['lipschitz']:.4g}", catalogue.smoothness(row),
            ", ".join(catalogue.properties(row)), str(row["year"] or ""),
        )
        for row in document["activations"]
    ]  # fmt: skip
    headings = ("name", "also", "formula", "image", "sup |f'|", "smoothness", "properties", "year")
    if _common.console().width < _WIDE:  # what fits an 80-column terminal; `jaxacts show` has the rest
        headings = tuple(headings[i] for i in _NARROW)
        lines = [tuple(line[i] for i in _NARROW) for line in lines]
    if lines:
        made = _common.table([(h, "right" if h in ("sup |f'|", "year") else "left") for h in headings], lines)
        made.columns[0].no_wrap = True  # a name is there to be typed
        _common.show(made)
    if document["other"]:
        others = [(row["name"], ", ".join(row["aliases"]), row["summary"]) for row in document["other"]]
        _common.show(
            _common.table([("not elementwise", "left"), ("also", "left"), ("what it is", "left")], others)
        )
    if not options.quiet:
        _common.console(stderr=True).print(
            f"{len(lines)} elementwise activations, {len(document['other'])} others; `jaxacts show NAME` "
            "tells more"
        )
    return None


def _datasets(options: Options) -> None:
    from jaxacts.lab import data

    rows = data.describe()
    if options.json:
        return _common.print_json({"schema": 1, "datasets": rows})
    lines = [
        (row["name"], row["description"], row["task"],
         (row["needs"] or "nothing") + ("" if row["ready"] else " (not here)"))
        for row in rows
    ]  # fmt: skip
    _common.show(_common.table([(h, "left") for h in ("name", "description", "task", "needs")], lines))
    if not options.quiet:
        _common.console(stderr=True).print(
            "Your own: --dataset my.npz (arrays x and y), my.csv --target COLUMN, or openml:NUMBER"
        )
    return None


def runs(folder: Path) -> list[dict[str, Any]]:
    """The run folders below a folder, newest first; a damaged one says so instead of stopping the list."""
    from jaxacts.lab import StoreError, store

    found = []
    candidates = [folder, *sorted(folder.iterdir())] if folder.is_dir() else []
    for path in candidates:
        if not (path / store.MANIFEST).is_file():
            continue
        row: dict[str, Any] = {"folder": str(path)}
        try:
            manifest = store.read_manifest(path)
            acts = list(dict.fromkeys(run["activation"] for run in manifest["runs"]))
            row |= {
                "created": manifest.get("created"),
                "dataset": manifest.get("dataset", {}).get("name"),
                "activations": acts,
                "runs": len(manifest["runs"]),
                "state": "finished" if (path / store.CURVES).exists() else "unfinished",
            }
        except (StoreError, KeyError, TypeError, AttributeError) as error:
            row |= {"state": f"damaged: {error}"}
        with contextlib.suppress(OSError):
            row["bytes"] = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        found.append(row)
    return sorted(found, key=lambda row: str(row.get("created") or ""), reverse=True)


def _runs(options: Options) -> None:
    if not options.folder.is_dir() and options.folder != Path("runs"):
        raise _common.Usage(f"{options.folder} is not a folder")
    rows = runs(options.folder)
    if options.json:
        return _common.print_json({"schema": 1, "runs": rows})
    if not rows:
        _common.console(stderr=True).print(f"no runs in {options.folder}; `jaxacts compare` makes some")
        return None
    headings = ("folder", "created", "dataset", "activations", "runs", "state", "size")
    lines = [
        (
            row["folder"], str(row.get("created") or ""), str(row.get("dataset") or ""),
            ", ".join(row.get("activations", [])), str(row.get("runs", "")), row["state"],
            f"{row.get('bytes', 0) / 1e6:.1f} MB",
        )
        for row in rows
    ]  # fmt: skip
    _common.show(_common.table([(h, "right" if h in ("runs", "size") else "left") for h in headings], lines))
    return None
