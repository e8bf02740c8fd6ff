"""`jaxacts check`: how accurate the catalogue, or any function of yours, is on this machine.

For every function and float type the worst error of f, jax.grad(f) and the second derivative in units in the
last place, where it happens, and whether that is within the promise. Exit code 0 when it is, 1 when it is
not or when a function raises, 2 for wrong usage.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import importlib
import math
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tyro

import jaxacts
from jaxacts import accuracy
from jaxacts._named import is_bound, named
from jaxacts.cli import Usage
from jaxacts.commands import _common

DESCRIPTION = """Check the numerical promise on this machine.

The truth for catalogue functions is the textbook formula in mpmath. For your own function, named as
package.module:function, it is the same code in float64, so only the narrower types are judged. Errors are in
units in the last place (ULP); promised are 0.51 for the 16-bit types (every bit pattern), 4, 5 and 8 for f,
f' and f'' in float32, and 8, 10 and 16 in float64."""


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """What to check."""

    names: tyro.conf.Positional[list[str]] = dataclasses.field(default_factory=list)
    """Names (elu, elu:alpha=2) or package.module:function; without any, the whole catalogue."""
    against: str = ""
    """A module, such as jax.nn, whose functions of the same name are measured side by side."""
    derivative: str = ""
    """package.module:function, the analytic derivative of the one function that is checked."""
    types: tuple[str, ...] = accuracy.TYPES
    """Float types."""
    cases: bool = False
    """Also check the non-default parameters that the catalogue declares as test cases."""
    parameters: bool = False
    """Also measure the derivatives with respect to the parameters."""
    device: str = "auto"
    """Where to compute: auto, cpu, gpu or tpu."""
    json: bool = False
    """Print one JSON object."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One function to measure and, for --against, the catalogue function whose formula is its truth."""

    name: str
    f: Callable[..., Any]
    truth_of: Any = None
    derivative: Callable[..., Any] | None = None


@dataclasses.dataclass(frozen=True)
class Failure:
    """A function that raised instead of being measured."""

    name: str
    error: str
    kept: bool = False


Outcome = accuracy.Report | Failure


def main(argv: Sequence[str]) -> int:
    """Measure, print, and say with the exit code whether the promise is kept."""
    options = _common.parse(Options, argv, prog="check", description=DESCRIPTION)
    with _common.usage():
        jobs = _jobs(options)
    _common.select_device(options.device)
    ours: list[Outcome] = []
    theirs: dict[str, Outcome] = {}
    for done, (job, report) in enumerate(_measure(jobs, options), start=1):
        if not options.quiet and sys.stderr.isatty():
            print(f"\r{done}/{len(jobs)} {job.name:<40}", end="", file=sys.stderr, flush=True)
        if job.truth_of is None:
            ours.append(report)
        else:
            theirs[job.truth_of.__name__] = report
    if not options.quiet and sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    for outcome in (*ours, *theirs.values()):
        if isinstance(outcome, Failure):
            _common.say(f"jaxacts: {outcome.name} {outcome.error}")
    kept = all(report.kept for report in ours)
    if options.json:
        _common.print_json(_document(options, ours, theirs, 0 if kept else 1))
    else:
        _print(options, ours, theirs)
    return 0 if kept else 1


def _jobs(options: Options) -> list[Job]:
    unknown = [name for name in options.types if name not in accuracy.TYPES]
    if unknown or not options.types:
        raise Usage(f"unknown type {unknown[0]!r}; the types are {', '.join(accuracy.TYPES)}")
    names = [part for word in options.names for part in word.split(",")] or list(jaxacts.records())
    derivative = _load(options.derivative) if options.derivative else None
    if derivative is not None and len(names) != 1:
        raise Usage(f"--derivative belongs to one function, but {len(names)} are to be checked")
    other = _import(options.against) if options.against else None
    jobs: list[Job] = []
    for name in names:
        if ":" in name and not is_bound(name):
            if set(options.types) == {"float64"}:
                raise Usage(f"{name} is its own truth in float64; name a narrower type to judge")
            jobs.append(Job(name, _load(name), derivative=derivative))
            continue
        f = named(name)
        entry = jaxacts.record(f)
        if entry is None:
            raise Usage(f"{name} is not an elementwise function of x alone, only those can be checked")
        for case in entry.cases if options.cases and not f.params else ({},):
            jobs.append(Job(entry.name, jaxacts.get(f, **case), derivative=derivative))
        rival = counterpart(other, entry.name) if other is not None and not f.params else None
        if rival is not None:
            jobs.append(Job(f"{options.against}.{entry.name}", rival, truth_of=jaxacts.get(entry.name)))
    return jobs


def counterpart(module: Any, name: str) -> Callable[..., Any] | None:
    """The function of another module that claims to be the one of this name in the catalogue, or None."""
    if name in ("gelu", "gelu_tanh") and hasattr(module, "gelu") and module.__name__ == "jax.nn":
        return functools.partial(module.gelu, approximate=name == "gelu_tanh")
    found = getattr(module, name, None)
    return found if callable(found) else None


def _load(path: str) -> Callable[..., Any]:
    module, _, attribute = path.partition(":")
    if not module or not attribute:
        raise Usage(f"{path!r} does not name a function; write package.module:function")
    loaded = _import(module)
    try:
        found = functools.reduce(getattr, attribute.split("."), loaded)
    except AttributeError as error:
        raise Usage(f"{module} has no {attribute!r}") from error
    if not callable(found):
        raise Usage(f"{path} is not callable")
    return found


def _import(module: str) -> Any:
    """A module that was named, which may be a file in this folder."""
    sys.path[:0] = [os.getcwd()] if os.getcwd() not in sys.path else []
    try:
        return importlib.import_module(module)
    except Exception as error:  # whatever its code does
        what = "" if isinstance(error, ModuleNotFoundError) else f"{type(error).__name__}: "
        raise Usage(f"cannot import {module!r}: {what}{error}") from error


def _measure(jobs: Sequence[Job], options: Options) -> Iterator[tuple[Job, Outcome]]:
    """Reports in the order of the jobs; compiling leaves Python free, so a few threads overlap."""

    def one(job: Job) -> Outcome:
        try:
            report = accuracy.measure(
                job.f,
                types=options.types,
                truth_of=job.truth_of,
                derivative=job.derivative,
                parameters=options.parameters,
            )
        except Exception as error:
            if isinstance(error, ImportError) and ":" not in job.name and job.truth_of is None:
                raise  # mpmath is missing, and with it the truth of all
            if options.debug:
                traceback.print_exc()
            first = str(error).strip().partition("\n")[0]
            name = job.f.__name__ if ":" not in job.name and job.truth_of is None else job.name
            return Failure(name, f"raised {type(error).__name__}" + (f": {first}" if first else ""))
        return dataclasses.replace(report, name=job.name) if ":" in job.name or job.truth_of else report

    pool = concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1))
    try:
        yield from zip(jobs, pool.map(one, jobs), strict=True)
    finally:  # on Ctrl-C, what has not begun does not begin
        pool.shutdown(cancel_futures=True)


def _print(options: Options, ours: list[Outcome], theirs: dict[str, Outcome]) -> None:
    rows = []
    for report in ours:
        rows.append(_row(report, options))
        rival = theirs.get(report.name)
        if rival is not None:
            rows.append(_row(rival, options))
    columns = [("ULP", "left"), *((f"{name} f f' f''", "right") for name in options.types)]
    columns += [("parameters", "left")] if options.parameters else []
    columns += [("kinks: f'", "left"), ("analytic f'", "left"), ("promise", "left")]
    _common.show(_common.table(columns, rows))
    if options.quiet:
        return
    print()
    if options.verbose or len(ours) <= 2:
        details = [row for report in (*ours, *theirs.values()) for row in _detail(report)]
        if details:
            _common.show(_common.table(_DETAILS, details))
            print()
    for line in _notes(ours, theirs):
        print(line)


def _row(report: Outcome, options: Options) -> list[str]:
    if isinstance(report, Failure):
        blank = len(options.types) + (3 if options.parameters else 2)
        return [report.name, *[""] * blank, report.error]
    by_type: dict[str, list[accuracy.Cell]] = {}
    for cell in report.cells:
        by_type.setdefault(cell.dtype, []).append(cell)
    cells = [
        " ".join(_number(cell) for cell in by_type[name]) if name in by_type else "" for name in options.types
    ]
    if options.parameters:
        cells.append(_parameters(report))
    kinks = ", ".join(f"{point:g}: {slope:.4g}" for point, slope in report.kinks[:4])
    if len(report.kinks) > 4:
        kinks += f", … ({len(report.kinks)})"
    analytic = "" if report.analytic is None else "agrees" if report.analytic.kept else "DIFFERS"
    return [report.name, *cells, kinks or "none", analytic, "kept" if report.kept else "BROKEN"]


_DETAILS = (
    ("", "left"), ("type", "left"), ("of", "left"), ("worst ULP", "right"), ("promised", "right"),
    ("at x =", "right"), ("result", "right"), ("truth", "right"), ("NaN", "right"), ("inf", "right"),
    ("inputs", "right"), ("wrong at", "left"),
)  # fmt: skip


def _detail(report: Outcome) -> Iterator[list[str]]:
    if isinstance(report, Failure):
        return
    for cell in report.cells:
        numbers = [f"{value:.9g}" for value in (cell.at, cell.got, cell.true)]
        counts = [str(cell.nans), str(cell.infs), str(cell.points)]
        worst = f"{cell.error:.4g}" + ("" if cell.error <= cell.bound else "!")
        yield [
            *(report.name, cell.dtype, _ORDERS[cell.order], worst, f"{cell.bound:g}"),
            *(*numbers, *counts, ", ".join(cell.specials)),
        ]


def _parameters(report: accuracy.Report) -> str:
    """The worst of each parameter over the float types, in units of what is promised there."""
    worst: dict[str, float] = {}
    for cell in report.parameters:
        worst[cell.parameter] = max(worst.get(cell.parameter, 0.0), cell.error / cell.bound)
    return ", ".join(f"{key}: {100 * share:.0f}%{'' if share <= 1 else '!'}" for key, share in worst.items())


def _number(cell: accuracy.Cell) -> str:
    error = cell.error
    text = (
        "inf" if math.isinf(error) else f"{error:.2f}" if error < 100 else f"{error:.1e}".replace("e+0", "e")
    )
    return text if cell.kept else f"{text}{'∞' if cell.specials else ''}!"


def _notes(ours: list[Outcome], theirs: dict[str, Outcome]) -> Iterator[str]:
    for report in (*ours, *theirs.values()):
        if isinstance(report, Failure):  # said on stderr
            continue
        for cell in report.cells:
            where = f"{report.name} {cell.dtype} {_ORDERS[cell.order]}"
            if cell.error > cell.bound:
                counts = [f"{n} {what}" for n, what in ((cell.nans, "NaN"), (cell.infs, "inf")) if n]
                among = f"; {' and '.join(counts)} among {cell.points} finite inputs" if counts else ""
                yield (
                    f"{where}: {cell.error:.3g} ULP (promised {cell.bound:g}) at x = {cell.at!r}: "
                    f"{cell.got!r}, true {cell.true!r}{among}"
                )
            if cell.specials:
                yield f"{where}: wrong at {', '.join(cell.specials)}"
        for cell in report.parameters:
            if not cell.kept:
                yield (
                    f"{report.name} {cell.dtype} derivative with respect to {cell.parameter}: "
                    f"{cell.error:.3g} ULP (promised {cell.bound:g}) at x = {cell.at!r}: "
                    f"{cell.got!r}, true {cell.true!r}"
                )
        if report.analytic is not None and not report.analytic.kept:
            yield (
                f"{report.name}: the analytic derivative is off by {report.analytic.difference:.3g} "
                f"(relative to max(1, |f'|)) at x = {report.analytic.at!r}"
            )
    measured = [report for report in ours if isinstance(report, accuracy.Report)]
    broken = [report.name for report in measured if not report.kept]
    raised = [report.name for report in ours if isinstance(report, Failure)]
    own = [report.name for report in measured if report.truth == "float64"]
    if own:
        yield (
            f"{', '.join(own)}: the truth is the same code in float64, so only the narrower types are "
            "judged, and an error that is in the formula itself is not seen."
        )
    inputs = sum(cell.points for report in measured for cell in report.cells)
    count = "1 function" if len(measured) == 1 else f"{len(measured)} functions"
    yield f"{count}, {inputs:,} results judged on {accuracy.backend()}."
    if raised:
        yield f"Not judged, as it raised: {', '.join(raised)}."
    if broken or not raised:
        yield f"The promise is broken by {', '.join(broken)}." if broken else "The promise is kept."


_ORDERS = ("f", "f'", "f''")


def _document(options: Options, ours: list[Outcome], theirs: dict[str, Outcome], code: int) -> dict[str, Any]:
    return {
        "schema": 1,
        "jaxacts": jaxacts.__version__,
        "backend": accuracy.backend(),
        "promise": {name: list(accuracy.PROMISE[name]) for name in options.types},
        "functions": [_entry(report) for report in ours],
        "against": [_entry(report) for report in theirs.values()],
        "kept": code == 0,
        "exit_code": code,
    }


def _entry(report: Outcome) -> dict[str, Any]:
    if isinstance(report, Failure):
        return {"name": report.name, "kept": False, "error": report.error}
    analytic = report.analytic
    return {
        "name": report.name,
        "truth": report.truth,
        "kept": report.kept,
        "kinks": [{"at": point, "derivative": _plain(slope)} for point, slope in report.kinks],
        "analytic": analytic
        and {"kept": analytic.kept, "difference": _plain(analytic.difference), "at": analytic.at},
        "cells": [
            {
                **{key: _plain(value) for key, value in vars(cell).items()},
                "bound": cell.bound,
                "kept": cell.kept,
            }
            for cell in report.cells
        ],
        "parameters": [
            {
                **{key: _plain(value) for key, value in vars(cell).items()},
                "bound": cell.bound,
                "kept": cell.kept,
            }
            for cell in report.parameters
        ],
    }


def _plain(value: Any) -> Any:
    """JSON has no infinities; they become words."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
