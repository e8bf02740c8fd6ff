"""Options from a TOML file."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxacts._suggest import hint
from jaxacts.commands import _common


def words(path: Path, options: type) -> list[str]:
    """The options of a TOML file as command-line words."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _common.Usage(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _common.Usage(f"{path} is not TOML: {error}") from error
    known = {field.name: field for field in dataclasses.fields(options) if field.name != "names"}
    found, seen = [], {}
    for key, value in content.items():
        name = key.replace("-", "_")
        if name == "config":
            raise _common.Usage(f"{path} names another file of options, {value!r}; only one is read")
        if name not in known:
            raise _common.Usage(f"{path} has an unknown option {key!r}{hint(name, known, 1)}")
        if name in seen:
            raise _common.Usage(f"{path} has one option twice: {seen[name]!r} and {key!r}")
        seen[name] = key
        flag = "--" + name.replace("_", "-")
        if isinstance(known[name].default, bool):
            if not isinstance(value, bool):
                raise _common.Usage(f"{key} in {path} must be true or false, was {value!r}")
            found += [flag] if value else []
        elif isinstance(value, dict):
            raise _common.Usage(f"{key} in {path} is a table; options stand at the top of the file")
        elif isinstance(value, list):
            comma = "," if name == "seeds" else ""  # a list with one seed is not a count
            found += [flag, ",".join(map(_word, value)) + comma]
        else:
            found += [flag, _word(value)]
    return found


def switched(given: Sequence[str], options: type) -> list[str]:
    """Words in which `--NAME=false` has taken out the switch `--NAME` before it, and `--NAME=true` is one."""
    switches = _common.switches(options)
    found: list[str] = []
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or name.replace("_", "-") not in switches:
            found.append(word)
            continue
        if value.lower() not in ("true", "false"):
            raise _common.Usage(f"{name} must be true or false, was {value!r}")
        name = name.replace("_", "-")
        found = [kept for kept in found if kept != name] + [name] * (value.lower() == "true")
    return found


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
