"""OpenML data sets by number, e.g. `openml:61`: fetched only when asked for, kept, and read as ARFF."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from jaxacts.lab import download
from jaxacts.lab.data import _tables
from jaxacts.lab.data._dataset import Dataset, Task
from jaxacts.lab.errors import MissingData

PREFIX = "openml:"
_SERVER = "https://www.openml.org"
_MOST_VALUES = 100  # of a nominal column, which becomes as many columns


def load(
    name: str, target: str | None, task: Task | None, offline: bool | None, tell: download.Tell | None
) -> Dataset:
    """A data set of OpenML.

    Args:
      name: "openml:" and its number.
      target: the column to predict; None takes the one that OpenML names.
      task: what it is; None decides by its type.
      offline: True never opens a socket.
      tell: called with a sentence before a download.

    Returns:
      The data set; nominal columns become one column of 0 and 1 a value.

    Raises:
      ValueError: when the name is no number, or the data cannot be learned from.
      MissingData: when it is not here and cannot be downloaded.

    Reference:
      Vanschoren et al. 2014, OpenML: networked science in machine learning, https://arxiv.org/abs/1407.7722
    """
    number = name.removeprefix(PREFIX)
    if not number.isascii() or not number.isdigit():
        raise ValueError(f"an OpenML data set is named by its number, e.g. openml:61; was {name!r}")
    about = _description(int(number), offline, tell)
    title = re.sub(r"[^\w.-]+", "_", str(about.get("name", number)))
    if str(about.get("format", "ARFF")).upper() != "ARFF":
        raise ValueError(f"{name} ({title}) has the format {about['format']}; only dense ARFF is read")
    digest = "md5:" + str(about["md5_checksum"])
    file = download.RemoteFile(f"openml/{number}.arff", None, digest, (_address(about),))
    path = download.fetch(file, offline=offline, tell=tell)
    with open(path, encoding="utf-8", errors="replace") as lines:
        table = read_arff(f"{name} ({title})", lines, target or about.get("default_target_attribute"), about)
    return _tables.from_table(
        f"openml-{number}-{title}", table, task, f"OpenML {number}, {title}, version {about.get('version')}"
    )


def _server() -> str:
    return os.environ.get("JAXACTS_OPENML", _SERVER).rstrip("/")


def _address(about: dict[str, Any]) -> str:
    return f"{_server()}/data/v1/download/{int(about['file_id'])}"


def _description(number: int, offline: bool | None, tell: download.Tell | None) -> dict[str, Any]:
    """What OpenML says about a data set; kept, since nothing tells its digest beforehand."""
    place = download.data_dir() / "openml" / f"{number}.json"
    if not place.is_file():
        address = f"{_server()}/api/v1/json/data/{number}"
        if download.is_offline(offline):
            raise MissingData(f"{place} is not on this machine, and downloads are off; it is {address}")
        download.fetch_small(address, place, tell=tell, check=_parsed)
    try:
        return _parsed(place.read_bytes())
    except ValueError as error:
        raise ValueError(f"{place} is damaged ({error}); delete it to fetch it again") from error


def _parsed(content: bytes) -> dict[str, Any]:
    """The description, with the fields that are needed."""
    about = json.loads(content)
    about = about.get("data_set_description") if isinstance(about, dict) else None
    if not isinstance(about, dict) or not {"file_id", "md5_checksum"} <= set(about):
        raise ValueError("it is no description of a data set")
    int(about["file_id"])
    if not re.fullmatch(r"[0-9a-fA-F]{32}", str(about["md5_checksum"])):
        raise ValueError(f"its md5_checksum is {about['md5_checksum']!r}")
    return {**about, "md5_checksum": str(about["md5_checksum"]).lower()}


# --- ARFF ---------------------------------------------------------------------------------------------------

_ATTRIBUTE = re.compile(r"@attribute\s+(?:'([^']*)'|\"([^\"]*)\"|(\S+))\s+(.*)", re.IGNORECASE)


def read_arff(
    name: str, lines: Iterable[str], target: str | None, about: dict[str, Any] | None = None
) -> _tables.Table:
    """A dense ARFF file.

    Args:
      name: of the data set, for messages.
      lines: of the file.
      target: the column to predict.
      about: OpenML's description; its row number and ignored columns are left out.

    Returns:
      The table, nominal columns expanded into one column a value.

    Raises:
      ValueError: when it is not dense ARFF, has text or date columns, or no such target.

    Reference:
      Witten, Frank & Hall, Data Mining (3rd ed., 2011), section 2.4, ARFF format
    """
    kinds: dict[str, list[str] | str] = {}
    lines = iter(lines)
    for line in lines:
        line = line.strip()
        if line.lower().startswith("@data"):
            break
        if found := _ATTRIBUTE.match(line):
            kinds[next(word for word in found.groups()[:3] if word is not None)] = _kind(found.group(4))
    else:
        raise ValueError(f"{name} is no ARFF file: it has no @data")
    names = list(kinds)
    where = _tables.column(name, names, target)
    dropped = _ignored(about or {}) - {names[where]}
    kept = [i for i, key in enumerate(names) if i != where and key not in dropped]
    for i in kept:
        if kinds[names[i]] == "text":
            raise ValueError(f"column {names[i]!r} of {name} holds text or dates, which are not numbers")
        if len(kinds[names[i]]) > _MOST_VALUES and isinstance(kinds[names[i]], list):
            raise ValueError(f"column {names[i]!r} of {name} has {len(kinds[names[i]])} different values")
    rows = [row for row in (_cells(name, line, len(names)) for line in lines) if row]
    headings, columns = [], []
    for i in kept:
        cells = [row[i] for row in rows]
        if "?" in cells:
            raise ValueError(
                f"column {names[i]!r} of {name} has no value in {cells.count('?')} rows; such sets are not "
                "read"
            )
        values = kinds[names[i]]
        if isinstance(values, list):
            headings += [f"{names[i]}={value}" for value in values]
            columns += [[float(cell == value) for cell in cells] for value in values]
        else:
            headings.append(names[i])
            columns.append([float(cell) for cell in cells])
    labels = [row[where] for row in rows]
    if "?" in labels:
        raise ValueError(f"the target {names[where]!r} of {name} is missing in {labels.count('?')} rows")
    y = np.array(labels) if isinstance(kinds[names[where]], list) else np.array(labels, float)
    return _tables.Table(headings, np.array(columns, float).T, names[where], y)


def _kind(text: str) -> list[str] | str:
    """The values of a nominal attribute, "number", or "text"."""
    text = text.strip()
    if text.startswith("{"):
        return _split(text[1 : text.rindex("}")] if "}" in text else text[1:])
    return "number" if text.lower().split()[0] in ("numeric", "real", "integer") else "text"


def _split(line: str) -> list[str]:
    quote = '"' if '"' in line and "'" not in line else "'"
    found = next(csv.reader([line], quotechar=quote, escapechar="\\", skipinitialspace=True), [])
    return [cell.strip() for cell in found]


def _cells(name: str, line: str, count: int) -> list[str]:
    line = line.strip()
    if not line or line.startswith("%"):
        return []
    if line.startswith("{"):
        raise ValueError(f"{name} is sparse ARFF; only dense ARFF is read")
    cells = _split(line)
    if len(cells) != count:
        raise ValueError(f"a row of {name} has {len(cells)} cells instead of {count}: {line[:60]}")
    return cells


def _ignored(about: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for key in ("row_id_attribute", "ignore_attribute"):
        value = about.get(key) or []
        for word in value if isinstance(value, list) else str(value).split(","):
            found.add(word.strip())
    return found
