"""The command line: `jaxacts compare | list | show | check | theory | report | export | ...`.

Each subcommand is a module that is imported only when it is used, so that `jaxacts --help` is quick and a
missing extra stops only the commands that need it. Exit codes: 0 finished; 1 failure; 2 wrong usage;
3 something is missing on this machine (an extra, a device); 4 finished, but a run at its chosen learning rate
diverged; 130 stopped by Ctrl-C after saving.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NamedTuple

from jaxacts._suggest import nearest


class Command(NamedTuple):
    """Where a subcommand lives: its `function(argv)` returns the exit code."""

    module: str
    function: str
    summary: str


COMMANDS: dict[str, Command] = {
    "compare": Command(
        "jaxacts.commands.compare", "main", "train networks with several activations and compare them"
    ),
    "list": Command("jaxacts.commands.listing", "main", "list activations, datasets or runs"),
    "show": Command(
        "jaxacts.commands.show", "main", "formula, derivative, facts and a plot of one activation"
    ),
    "check": Command("jaxacts.check", "main", "check the numerical promise of the catalogue on this machine"),
    "theory": Command(
        "jaxacts.theory", "main", "mean-field theory of an activation: edge of chaos, depth scales"
    ),
    "report": Command(
        "jaxacts.commands.report", "main", "write the pictures and the HTML page of finished runs"
    ),
    "export": Command(
        "jaxacts.commands.export", "main", "write the runs of a folder as csv, json, markdown, ..."
    ),
    "merge": Command("jaxacts.commands.merge", "main", "merge the folders of a sharded comparison"),
    "advise": Command(
        "jaxacts.commands.advise", "main", "recommend activation, initialisation and rate; diagnose a run"
    ),
    "experiments": Command("jaxacts.commands.experiments", "main", "list and run the experiments"),
    "completion": Command("jaxacts.commands.completion", "main", "print a script for shell completion"),
}


# Options of every command, which may also stand before it.
_EVERYWHERE = ("-q", "--quiet", "-v", "--verbose", "--debug")


def available() -> dict[str, Command]:
    """The commands whose module is installed.

    Returns:
      A part of `COMMANDS`.

    Example:
      >>> "compare" in available()
      True

    Reference:
      The Python Standard Library, module importlib
    """
    return {name: c for name, c in COMMANDS.items() if importlib.util.find_spec(c.module) is not None}


class Usage(Exception):
    """The command was called wrongly (exit code 2)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
      argv: the arguments after the program's name; None takes them from the process.

    Returns:
      The exit code.

    Example:
      >>> main(["--version", "--colour"])  # an unknown option
      2

    Reference:
      POSIX.1-2017, Utility Conventions, section 12.2
    """
    if argv is None:  # this process is ours
        # Imports and traced programs are many objects that stay: to look through them for cycles, again
        # and again, takes a tenth of a second of every start.
        gc.set_threshold(100_000, 20, 100)
    argv = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(argv)
    except SystemExit as stop:  # how argument parsers leave
        return stop.code if isinstance(stop.code, int) else (0 if stop.code is None else 2)
    except KeyboardInterrupt as stop:  # the lab's own says what was saved
        return _fail(str(stop) or "stopped", 130, argv)
    except BrokenPipeError:  # `jaxacts list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _fail(str(error) or type(error).__name__, _code(error), argv)


def _dispatch(argv: list[str]) -> int:
    while len(argv) > 1 and argv[0] in _EVERYWHERE:  # `jaxacts --debug compare`
        argv = [*argv[1:], argv[0]]
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if argv else 2
    name, rest = argv[0], argv[1:]
    if name in ("--version", "-V", "version"):
        from jaxacts.commands.version import main as version

        return version(rest)
    known = available()
    command = known.get(name)
    if command is None:
        near = nearest(name, known)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise Usage(f"unknown command {name!r}{hint or ';'} `jaxacts --help` lists them")
    if os.getcwd() not in sys.path:  # `mymodule:function` may be a file in this folder, as for `python -m`
        sys.path.append(os.getcwd())
    return int(getattr(importlib.import_module(command.module), command.function)(rest) or 0)


def _help() -> str:
    known = available()
    width = max(map(len, known))
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in known.items()]
    return "\n".join(
        [
            "usage: jaxacts COMMAND [options]",
            "",
            "Activation functions for JAX: compare them, look them up, check them.",
            "",
            *lines,
            "",
            "  --version  versions, devices and platform, for bug reports",
            "",
            "`jaxacts COMMAND --help` explains a command. Start with `jaxacts compare`.",
            "Every command takes -q (quiet), -v (verbose) and --debug (traceback of an error); commands that",
            "read something take --json. Exit codes: 0 finished, 1 failed, 2 wrong usage, 3 something is",
            "missing on this machine, 4 finished but a run diverged, 130 stopped by Ctrl-C after saving.",
        ]
    )


def _code(error: Exception) -> int:
    """The exit code of an error; the lab's own errors are recognised without importing the lab."""
    if isinstance(error, Usage):
        return 2
    if isinstance(error, ImportError):
        return 3
    names = {cls.__name__ for cls in type(error).__mro__ if cls.__module__ == "jaxacts.lab.errors"}
    if names & {"DeviceError", "MissingData"}:
        return 3
    return 130 if "Interrupted" in names else 1


def fail(error: BaseException, argv: list[str]) -> int:
    """Say on stderr what went wrong, inside an `except`, and return the exit code that stands for it."""
    code = _code(error) if isinstance(error, Exception) else 130
    return _fail(str(error) or type(error).__name__, code, argv)


def _fail(message: str, code: int, argv: list[str]) -> int:
    if "--debug" in argv:
        traceback.print_exc()
    error = sys.exc_info()[1]
    if code == 1 and not isinstance(error, OSError | RuntimeError | ValueError | TypeError):
        message = (
            f"{type(error).__name__}: {message}"  # a defect of ours: its type is half of what there is to say
        )
    if type(error) is ModuleNotFoundError and error.name:
        message = f"the package {error.name!r} is missing: pip install 'jaxacts[lab]'"
    message = " ".join(message.split()) if code != 1 else message
    print(f"jaxacts: {message}", file=sys.stderr)
    if "--json" in argv and code != 130:
        print_error(message, code)
    return code


def print_error(message: str, code: int) -> None:
    """Print one JSON object on stdout that says what went wrong."""
    print(json.dumps({"schema": 1, "error": message, "exit_code": code}))
