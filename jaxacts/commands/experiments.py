"""`jaxacts experiments`: the scripts of a checkout, what they ask and found, and a way to run them."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import tyro

from jaxacts.commands import _common

SCHEMA = 1


class NoCheckout(ImportError):
    """The scripts are not on this machine (command line: exit code 3)."""


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """What to do, and with which scripts."""

    what: tyro.conf.Positional[Literal["list", "run"]] = "list"
    """List the scripts, or run some."""
    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names separated by commas; `all` runs every one."""
    smoke: bool = False
    """Seconds instead of minutes: everything small, checks printed but not judged."""
    full: bool = False
    """Hours, for accelerators."""
    output: Path | None = None
    """Folder for NAME.json and NAME.png; by default experiments/results, or a folder inside it."""
    json: bool = False
    """Print one JSON object on stdout; what scripts print goes to stderr."""


def main(argv: Sequence[str]) -> int:
    """List or run the experiments; returns 1 when a check of one of them does not hold."""
    options = _common.parse(
        Options,
        argv,
        prog="experiments",
        description="List the experiments of this checkout with their answers, or run some: "
        "`jaxacts experiments run born_dead --smoke --output DIR`.",
    )
    if options.smoke and options.full:
        raise _common.Usage("--smoke and --full exclude each other")
    asked_to_run = options.smoke or options.full or options.output
    if options.what == "list" and asked_to_run:
        raise _common.Usage("--smoke, --full and --output belong to `jaxacts experiments run NAME`")
    folder = checkout()
    known = scripts(folder)
    chosen = _chosen(known, options)
    if options.what == "list":
        _list(chosen, options)
        return 0
    found = [_run(row, folder, options) for row in chosen]
    if options.json:
        _common.print_json({"schema": SCHEMA, "experiments": found})
    return max((one["exit_code"] for one in found), default=0)


def checkout() -> Path:
    """The folder with the scripts: beside the package, else in the current folder.

    Returns:
      Its absolute path.

    Raises:
      NoCheckout: when there is none, as beside an installed wheel.
    """
    import jaxacts

    beside = Path(jaxacts.__file__).resolve().parent.parent
    for root in (beside, Path.cwd()):
        if (root / "experiments" / "_common.py").is_file():
            return root / "experiments"
    raise NoCheckout(
        "the experiments are scripts of the source checkout and there is none here: clone the repository and "
        "run this from its root"
    )


def scripts(folder: Path) -> list[dict[str, Any]]:
    """What there is to know about every script without running it.

    Args:
      folder: the folder `experiments`.

    Returns:
      One dict a script: name, question, command, and minutes, answer, holds and figure of the committed
      results, None where there are none.
    """
    rows = []
    for path in sorted(folder.glob("*.py")):
        if path.name.startswith("_"):
            continue
        name = path.stem
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or name
        row: dict[str, Any] = {
            "name": name, "question": doc.splitlines()[0], "command": f"python -m experiments.{name}",
            "minutes": None, "answer": None, "holds": None, "figure": None,
        }  # fmt: skip
        stored = folder / "results" / f"{name}.json"
        if stored.is_file():
            row |= _outcome(stored)
            figure = stored.with_suffix(".png")
            row["figure"] = str(figure.relative_to(folder.parent)) if figure.is_file() else None
        rows.append(row)
    return rows


def _outcome(stored: Path) -> dict[str, Any]:
    try:
        found = json.loads(stored.read_text(encoding="utf-8"))
        minutes = round(found["seconds"] / 60, 1)
        return {"minutes": minutes, "answer": found["answer"], "holds": bool(found["holds"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return {"answer": f"{stored} cannot be read: {error}"}


def _chosen(known: list[dict[str, Any]], options: Options) -> list[dict[str, Any]]:
    names = [row["name"] for row in known]
    if options.what == "run" and not options.names:
        raise _common.Usage(f"which experiment? `jaxacts experiments run NAME`, or all: {', '.join(names)}")
    if not options.names or options.names == ("all",):
        return known
    for name in options.names:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=2)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise _common.Usage(f"unknown experiment {name!r}{hint or ';'} `jaxacts experiments` lists them")
    return [row for row in known if row["name"] in options.names]


def _list(rows: list[dict[str, Any]], options: Options) -> None:
    if options.json:
        return _common.print_json({"schema": SCHEMA, "experiments": rows})
    width = min(100, shutil.get_terminal_size().columns)
    print("\n\n".join("\n".join(_block(row, width)) for row in rows))
    if not options.quiet:
        known = [row["minutes"] for row in rows if row["minutes"] is not None]
        total = f", {sum(known):.0f} minutes" if known else ""
        what = f"{len(rows)} experiment{'s' if len(rows) != 1 else ''}{total}"
        _common.console(stderr=True).print(f"\n{what}; `jaxacts experiments run NAME --smoke` takes seconds")
    return None


def _block(row: dict[str, Any], width: int) -> list[str]:
    """One script as an indented paragraph, which is readable at any width."""
    if row["minutes"] is None:
        state = "no results are stored" if row["answer"] is None else "results unreadable"
    else:
        state = f"{row['minutes']:.1f} min" + ("" if row["holds"] else ", A CHECK DOES NOT HOLD")
    lines = [f"{row['name']}  ({state})"]
    for text in (row["question"], row["answer"], row["command"]):
        if text:
            lines += textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")
    return lines


def _run(row: dict[str, Any], folder: Path, options: Options) -> dict[str, Any]:
    """One script in a process of its own, so that each starts JAX as `python -m` does."""
    command = [sys.executable, "-m", f"experiments.{row['name']}"]
    mode = "smoke" if options.smoke else "full" if options.full else "default"
    command += [] if mode == "default" else [f"--{mode}"]
    results = folder / "results"
    where = options.output.resolve() if options.output else results if mode == "default" else results / mode
    if options.output:
        command += ["--output", str(where)]
    stored = where / f"{row['name']}.json"
    before = stored.stat().st_mtime_ns if stored.is_file() else None
    sys.stdout.flush()
    if options.json:
        shown: Any = sys.stderr.fileno() if _has_fileno(sys.stderr) else subprocess.DEVNULL
    else:
        shown = subprocess.DEVNULL if options.quiet else None
    code = subprocess.run(command, cwd=folder.parent, stdout=shown, env=dict(os.environ)).returncode
    if code < 0:
        print(f"jaxacts: {row['name']} was ended by signal {-code}", file=sys.stderr)
    code = 1 if code < 0 else code
    written = stored.is_file() and stored.stat().st_mtime_ns != before  # not what an earlier run left
    outcome: dict[str, Any] = {"minutes": None, "answer": None, "holds": None}
    if written:
        outcome |= _outcome(stored)
    outcome["figure"] = str(stored.with_suffix(".png")) if written else None
    if options.quiet and not options.json and written:
        print(outcome["answer"])
    return {**row, "mode": mode, "exit_code": code, "output": str(where), **outcome}


def _has_fileno(stream: Any) -> bool:
    try:
        stream.fileno()
    except (OSError, AttributeError, ValueError):
        return False
    return True
