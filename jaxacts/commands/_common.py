"""What the subcommands share: options read by tyro, a table printer, and the device."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin

import tyro

from jaxacts.cli import Usage, print_error

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Verbosity:
    """Options of every command."""

    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False
    """Print nothing but the result."""
    verbose: Annotated[bool, tyro.conf.arg(aliases=["-v"])] = False
    """Print more about what is being done."""
    debug: bool = False
    """Show the traceback of an error."""


def parse(options: type[T], argv: Sequence[str], *, prog: str, description: str) -> T:
    """Read the arguments of a subcommand into a frozen dataclass.

    Options that take several values take them separated by commas. Wrong usage ends the process with
    exit code 2; with --json it is said on stdout too, as one JSON object.
    """
    colour = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
    said = io.StringIO() if "--json" in argv else None
    try:
        with _without_colour(not colour), contextlib.redirect_stderr(said or sys.stderr):
            return tyro.cli(
                options,
                args=_names_first(options, argv),
                prog=f"jaxacts {prog}",
                description=description,
                registry=_registry(),
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
            )
    except SystemExit as stop:
        if said is not None:
            print(said.getvalue(), end="", file=sys.stderr)
            if stop.code not in (0, None):
                print_error(_first_sentence(said.getvalue()), 2)
        raise


def switches(options: type) -> set[str]:
    """The options without a value, as they are written."""
    fields = dataclasses.fields(options)
    return {"--" + f.name.replace("_", "-") for f in fields if isinstance(f.default, bool)}


def _names_first(options: type, argv: Sequence[str]) -> list[str]:
    """The words with those of no option in front, as they may stand anywhere but tyro wants them together."""
    alone = {*switches(options), "--help", "-h", "-q", "-v"}
    names, rest, words = [], [], iter(argv)
    for word in words:
        if not word.startswith("-"):
            names.append(word)
            continue
        rest.append(word)
        if "=" not in word and word.replace("_", "-") not in alone:
            rest += itertools.islice(words, 1)  # its value
    return names + rest


@contextlib.contextmanager
def _without_colour(off: bool) -> Iterator[None]:
    """Take the colours from what tyro prints, for which it has a setting of its own, and put it back."""
    settings: Any = tyro._experimental_options
    before = settings["ansi_codes"]
    settings["ansi_codes"] = before and not off
    try:
        yield
    finally:
        settings["ansi_codes"] = before


def _first_sentence(box: str) -> str:
    """What a box of tyro says between its title and its next rule, on one line."""
    lines = [line.strip("│ ") for line in re.sub(r"\x1b\[[\d;]*m", "", box).splitlines()]
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.startswith(("╭", "╰")) or (len(line) > 3 and not line.strip("─-")):
            parts.append([])
        else:
            parts[-1] += line.split()
    said = [" ".join(part) for part in parts]  # the title is a part too, before the first rule or in it
    return said[1] if len(said) > 1 else said[0]


def _registry() -> Any:
    registry = tyro.constructors.ConstructorRegistry()

    @registry.primitive_rule
    def comma_separated(info: tyro.constructors.PrimitiveTypeInfo) -> Any:
        """`a,b,c` for a homogeneous tuple of plain values."""
        arguments = get_args(info.type)
        if get_origin(info.type) is not tuple or len(arguments) != 2 or arguments[1] is not Ellipsis:
            return None
        kind = arguments[0]
        if kind not in (int, float, str, bool):
            return None
        return tyro.constructors.PrimitiveConstructorSpec(
            nargs=1,
            metavar={int: "INT,…", float: "FLOAT,…", bool: "BOOL,…"}.get(kind, "A,B,…"),
            instance_from_str=lambda words: split(words[0], kind),
            is_instance=lambda value: isinstance(value, tuple),
            str_from_instance=lambda value: [
                ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
            ],
        )

    return registry


def split(text: str, kind: type = str) -> tuple:
    """Comma-separated values of one kind."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ValueError(f"expected values separated by commas, was {text!r}")
    if kind is bool:
        flags = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        unknown = [word for word in words if word.lower() not in flags]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is neither true nor false")
        return tuple(flags[word.lower()] for word in words)
    values = []
    for word in words:
        try:
            values.append(kind(word))
        except ValueError:
            raise ValueError(f"{word!r} is not {'a whole number' if kind is int else 'a number'}") from None
    return tuple(values)


@contextlib.contextmanager
def usage() -> Iterator[None]:
    """Turn errors about what the user typed into wrong usage (exit code 2)."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise Usage(str(error)) from error


def console(stderr: bool = False) -> Any:
    """A rich console: no colour and no line breaking when it is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    terminal = stream.isatty()
    # no markup: "[max(x, 0)]" in a formula or a path is text, not a style
    return Console(file=stream, width=None if terminal else 400, highlight=False, markup=False, emoji=False)


def table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]], *, title: str = "") -> Any:
    """A rich table; columns are (heading, justification). On a narrow terminal text folds, nothing is cut."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for heading, justify in columns:
        made.add_column(heading, justify=justify, overflow="fold")  # pyright: ignore[reportArgumentType]
    for row in rows:
        made.add_row(*(str(cell) if isinstance(cell, str | int) else cell for cell in row))
    return made


def show(made: Any, stream: Any = None) -> None:
    """Print a rich object on stdout; trailing blanks are cut off when it is not a terminal."""
    out = stream or console()
    if out.is_terminal:
        out.print(made)
        return
    with out.capture() as capture:
        out.print(made)
    print(re.sub(r"[ \t]+$", "", capture.get(), flags=re.MULTILINE).strip("\n"), file=out.file)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON object on stdout; non-finite numbers must have been replaced."""
    print(json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False))


def say(text: str) -> None:
    """Print one line on stderr, at once."""
    print(text, file=sys.stderr, flush=True)


def select_device(name: str) -> str:
    """Make JAX use the device that was asked for, before it starts its backends.

    Args:
      name: "auto", "cpu", "gpu" or "tpu".

    Returns:
      What was found, in words.

    Raises:
      DeviceError: when there is no such device.
    """
    import jax

    from jaxacts.lab.errors import DeviceError

    known = ("auto", "cpu", "gpu", "tpu")
    if name not in known:
        raise Usage(f"unknown device {name!r}; the devices are {', '.join(known)}")
    try:
        if name == "cpu":
            jax.config.update("jax_platforms", "cpu")
        # with every platform loaded, asking for one tells whether it is there
        devices = jax.devices() if name in ("auto", "cpu") else jax.devices(name)
        if name in ("gpu", "tpu"):
            jax.config.update("jax_default_device", devices[0])
    except (RuntimeError, AssertionError) as error:  # jax raises a bare AssertionError for a missing CUDA
        asked = name if name != "auto" else os.environ.get("JAX_PLATFORMS", "auto")
        reason = str(error).partition("\n")[0] or "JAX could not start it"
        raise DeviceError(f"no {asked} device here: {reason}") from error
    return f"{len(devices)} × {devices[0].device_kind} ({devices[0].platform})"
