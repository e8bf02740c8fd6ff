"""`jaxacts completion bash|zsh`: a script that completes commands, options and names of activations."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from typing import Literal

import tyro

from jaxacts import _declare, cli
from jaxacts.commands import _common

_SCRIPT = """\
# Completion of jaxacts: eval "$(jaxacts completion bash)" in ~/.bashrc, or zsh in ~/.zshrc.
{zsh}_jaxacts() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" last="${{COMP_WORDS[COMP_CWORD-1]}}" words="" stem=""
  local names="{names}"
  case "$last" in
    --activations) words="$names"; [[ "$word" == *,* ]] && stem="${{word%,*}},"; word="${{word##*,}}" ;;
    show) words="$names" ;;
    jaxacts) words="{commands} --version --help" ;;
    *) case "${{COMP_WORDS[1]}}" in
{cases}
       esac ;;
  esac
  COMPREPLY=( $(compgen -P "$stem" -W "$words" -- "$word") )
}}
complete -o default -F _jaxacts jaxacts
"""


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Which shell."""

    shell: tyro.conf.Positional[Literal["bash", "zsh"]]
    """The shell that will read the script."""


def main(argv: Sequence[str]) -> int:
    """Print the script."""
    options = _common.parse(
        Options, argv, prog="completion", description='Shell completion: eval "$(jaxacts completion bash)".'
    )
    flags = {name: _flags(command) for name, command in cli.available().items()}
    cases = "\n".join(f'       {name}) words="{" ".join(words)}" ;;' for name, words in flags.items())
    zsh = "autoload -U +X bashcompinit && bashcompinit\n" if options.shell == "zsh" else ""
    names = " ".join(_declare.names())
    print(_SCRIPT.format(zsh=zsh, names=names, commands=" ".join(flags), cases=cases), end="")
    return 0


def _flags(command: cli.Command) -> list[str]:
    """The options of a command, from the dataclass `Options` of its module."""
    options = getattr(importlib.import_module(command.module), "Options", None)
    fields = dataclasses.fields(options) if options is not None else ()
    positional = ("tyro.conf.Positional", "_common.Positional")
    found = ["--" + f.name.replace("_", "-") for f in fields if not str(f.type).startswith(positional)]
    return [*found, "--help"]
