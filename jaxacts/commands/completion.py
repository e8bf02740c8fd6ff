"""`jaxacts completion bash|zsh|fish`: a script that completes commands, options and names."""

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
{values}
    show|theory|check) words="$names" ;;
    list) words="activations datasets runs" ;;
    jaxacts) words="{commands} --version --help" ;;
    *) case "${{COMP_WORDS[1]}}" in
{cases}
       esac ;;
  esac
  COMPREPLY=( $(compgen -P "$stem" -W "$words" -- "$word") )
}}
complete -o default -F _jaxacts jaxacts
"""
# Values separated by commas: the last one is completed, and what stands before it goes before each word.
_LIST = '[[ "$word" == *,* ]] && stem="${word%,*},"; word="${word##*,}"'
_FISH = """\
# Completion of jaxacts: jaxacts completion fish > ~/.config/fish/completions/jaxacts.fish
function __jaxacts_list
  set -l stem (string replace -r '[^,]*$' '' -- (commandline -ct))
  printf '%s\\n' $stem$argv
end"""


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Which shell."""

    shell: tyro.conf.Positional[Literal["bash", "zsh", "fish"]]
    """The shell that will read the script."""


def main(argv: Sequence[str]) -> int:
    """Print the script."""
    options = _common.parse(
        Options, argv, prog="completion", description='Shell completion: eval "$(jaxacts completion bash)".'
    )
    flags = {name: _flags(command) for name, command in cli.available().items()}
    print(_fish(flags) if options.shell == "fish" else _bash(flags, options.shell), end="")
    return 0


def _bash(flags: dict[str, list[str]], shell: str) -> str:
    """The script for bash, which zsh reads through its own bashcompinit."""
    more = {"compare": "$names "}  # they may follow it without an option
    cases = "\n".join(
        f'       {name}) words="{more.get(name, "")}{" ".join(words)}" ;;' for name, words in flags.items()
    )
    single, several = _single(), _several()
    values = [f'    --{name}) words="{" ".join(words)}" ;;' for name, words in single.items()]
    values += [f'    --{name}) words="{" ".join(words)}"; {_LIST} ;;' for name, words in several.items()]
    return _SCRIPT.format(
        zsh="autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else "",
        names=" ".join(_declare.names()), values="\n".join(values).replace("--format)", "--format|-f)"),
        commands=" ".join(flags), cases=cases,
    )  # fmt: skip


def _fish(flags: dict[str, list[str]]) -> str:
    """The script for fish: one line a word."""
    lines = [_FISH]
    values = {name: " ".join(words) for name, words in _single().items()}
    values |= {name: f"(__jaxacts_list {' '.join(words)})" for name, words in _several().items()}
    for name, words in flags.items():
        summary = cli.COMMANDS[name].summary.replace("'", "")
        lines.append(f"complete -c jaxacts -n __fish_use_subcommand -f -a {name} -d '{summary}'")
        for word in words:
            option = word.removeprefix("--")
            choices = f" -x -a '{values[option]}'" if option in values else ""
            lines.append(f"complete -c jaxacts -n '__fish_seen_subcommand_from {name}' -l {option}{choices}")
    seen = "__fish_seen_subcommand_from"
    names = " ".join(_declare.names())
    lines.append(f"complete -c jaxacts -n '{seen} compare show theory check' -f -a '{names}'")
    lines.append(f"complete -c jaxacts -n '{seen} list' -f -a 'activations datasets runs'")
    return "\n".join(lines) + "\n"


def _single() -> dict[str, Sequence[str]]:
    """The words that may follow an option which takes one value."""
    from jaxacts.lab import data

    return {
        "dataset": list(data.datasets()),
        "format": ("csv", "json", "parquet", "markdown", "latex"),
        "device": ("auto", "cpu", "gpu", "tpu"),
        "task": ("classification", "regression"),
        "data-type": ("image", "tabular", "series", "text"),
    }


def _several() -> dict[str, Sequence[str]]:
    """The words that may follow an option which takes several values, separated by commas."""
    from jaxacts.lab import measures, mlp, program, training

    return {
        "activations": _declare.names(),
        "among": _declare.names(),
        "optimizer": training.OPTIMIZERS,
        "init": mlp.INITIALISERS,
        "precision": tuple(program.PRECISIONS),
        "normalisation": ("none", "layer", "batch"),
        "measure": (*measures.MEASURES, "default", "all", "none"),
        "residual": ("true", "false"),
    }


def _flags(command: cli.Command) -> list[str]:
    """The options of a command, from the dataclass `Options` of its module."""
    options = getattr(importlib.import_module(command.module), "Options", None)
    fields = dataclasses.fields(options) if options is not None else ()
    positional = ("tyro.conf.Positional", "_common.Positional")
    found = ["--" + f.name.replace("_", "-") for f in fields if not str(f.type).startswith(positional)]
    return [*found, "--help"]
