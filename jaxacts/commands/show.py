"""`jaxacts show NAME`: what is known about one activation, and a plot of it."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

import jaxacts
from jaxacts import catalogue, plotting
from jaxacts._declare import unstated
from jaxacts._named import is_bound, named
from jaxacts.commands import _common


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Which activation, and how to show it."""

    name: tyro.conf.Positional[str]
    """Name or alias, optionally with parameters: `gelu`, `leaky_relu:negative_slope=0.2`."""
    plot: Path | None = None
    """Write a picture of the curve and its derivative (png, svg, pdf) instead of drawing in the terminal."""
    json: bool = False
    """Print one JSON object."""


def main(argv: Sequence[str]) -> int:
    """Show one activation."""
    options = _common.parse(
        Options,
        argv,
        prog="show",
        description="Formula, derivative, facts, reference and a plot of one activation.",
    )
    with _common.usage():
        f = resolve(options.name)
    record = jaxacts.record(f)
    if record is None and not hasattr(f, "fn"):
        raise _common.Usage(
            f"{options.name} is not in the catalogue; `jaxacts theory` and `jaxacts check` take functions of "
            "your own"
        )
    if options.plot:
        if record is None:
            raise _common.Usage(f"{options.name!r} is not elementwise, so it has no curve to plot")
        with _common.usage():  # a file type that matplotlib does not know
            plotting.activations([f], options.plot)
    if options.json:
        if record:
            row = catalogue.row(record, **dict(f.params))
        else:
            row = next(row for row in catalogue.other_rows() if row["name"] == f.fn.__name__)
            row |= {"parameters": dict(f.params)}
        _common.print_json({"schema": catalogue.SCHEMA, "activation": row})
    else:
        print(
            _other(f)
            if record is None
            else _elementwise(f, record, draw=options.plot is None and not options.quiet)
        )
    if options.plot and not options.quiet:
        _common.console(stderr=True).print(str(options.plot))
    return 0


def resolve(text: str) -> Any:
    """An activation from `name`, `name:parameter=value:parameter=value` or `mypackage.module:function`."""
    name, colon, _ = text.partition(":")
    if colon and not is_bound(text) and not _known(name):
        from jaxacts.lab.config import contenders

        return contenders([text])[0].fn
    return named(text)


def _known(name: str) -> bool:
    try:
        jaxacts.get(name)
    except ValueError:
        return False
    return True


def _other(f: Any) -> str:
    import inspect

    bound = "".join(f"\n  {key} = {value}" for key, value in f.params)
    return f"{f.fn.__name__}{inspect.signature(f.fn)}{bound}\n\n{inspect.getdoc(f.fn) or ''}"


def _elementwise(f: Any, record: Any, draw: bool) -> str:
    row = catalogue.row(record, **dict(f.params))
    params = dict(record.parameters) | dict(f.params)
    heading = record.name + (f"  (also {', '.join(row['aliases'])})" if row["aliases"] else "")
    parts = [heading, f"  f(x) = {catalogue.plain(record.formula)}"]
    if params:
        parts.append("  parameters: " + ", ".join(f"{key} = {value:g}" for key, value in params.items()))
    if source := catalogue.derivative_source(record):
        parts += ["", "derivative, as code", textwrap.indent(source, "  ")]
    facts = record.facts_at(**dict(f.params))
    if facts == unstated(family=facts.family, year=facts.year, aliases=facts.aliases):
        parts += ["", "facts are not stated at these parameters"]
    else:
        parts += ["", "facts", *(f"  {name:<20} {value}" for name, value in _facts(row))]
    if draw:
        parts += ["", plotting.text_plot(f), f"{'':9}⠉ f(x)   · f'(x)"]
    parts += ["", f"reference: {record.reference}"]
    return "\n".join(parts)


def _facts(row: dict[str, Any]) -> list[tuple[str, str]]:
    number = catalogue._number
    kinks = "; ".join(f"at {number(p)}, where jax.grad takes {number(v)}" for p, v in row["kinks"])
    zeros = "infinitely many" if row["zeros"] is None else ", ".join(map(number, row["zeros"])) or "none"
    minimum = "none at an isolated point"
    if row["minimum"] is not None:
        minimum = "f({}) = {}".format(*map(number, row["minimum"]))
    return [
        ("image", catalogue.image(row)),
        ("limits of f", " and ".join(map(number, row["limits"])) + " at -∞ and ∞"),
        ("limits of f'", " and ".join(map(number, row["derivative_limits"])) + " at -∞ and ∞"),
        ("sup |f'|", number(row["lipschitz"])),
        ("sup |f''|", number(row["lipschitz_derivative"])),
        ("smoothness", catalogue.smoothness(row)),
        ("kinks", kinks or "none"),
        ("properties", ", ".join(catalogue.properties(row)) or "none of the usual"),
        ("minimum", minimum),
        ("zeros", zeros),
        ("family, year", ", ".join(str(v) for v in (row["family"], row["year"]) if v) or "-"),
    ]  # fmt: skip
