"""Data of the user's own: npz arrays and CSV tables, and the task they pose."""

from __future__ import annotations

import contextlib
import csv
import io
import math
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxacts._suggest import hint
from jaxacts.lab import archives
from jaxacts.lab.data._dataset import Dataset, Task, prepare

SUFFIXES = (".npz", ".csv", ".tsv", ".csv.gz", ".tsv.gz")

_MISSING = ("", "?", "na", "n/a", "nan", "null", "none", "-")
_SPLIT = "file"  # the rows of a file are split alike, whatever it is called
_USUAL_TARGETS = ("target", "label", "class", "y")
# A target of whole numbers is a class label when there are few different ones, and each occurs ten times on
# average; `task` overrules.
_MOST_CLASSES, _OCCURRENCES = 100, 10


def is_file(name: str) -> bool:
    """Whether a data set is named by a file rather than by a known name."""
    return name.lower().endswith(SUFFIXES)


def load(path: Path, target: str | None, task: Task | None) -> Dataset:
    """A data set from an npz or CSV file.

    Args:
      path: the file.
      target: the column to predict, for tables.
      task: what the target is; None decides by its values.

    Returns:
      The data set, named after the file.

    Raises:
      ValueError: when the file is missing, damaged or hostile, or its content cannot be learned from.
    """
    name = re.sub(r"[^\w.-]+", "_", path.name)
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    source = f"{path.name}, given by the user"
    if path.name.lower().endswith(".npz"):
        if target is not None:
            raise ValueError(f"target names a column of a table; {path.name} has the arrays x and y instead")
        return from_arrays(name or "data", archives.read_npz(path), task, source)
    with _text(path) as lines:
        table = _read_csv(path.name, lines, target)
    return from_table(name or "data", table, task, source)


# --- arrays -------------------------------------------------------------------------------------------------


def from_arrays(name: str, arrays: dict[str, np.ndarray], task: Task | None, source: str) -> Dataset:
    """A data set from the arrays of an npz file.

    Args:
      name: of the data set.
      arrays: ``x`` of shape (n, …) and ``y`` of shape (n,) or (n, targets), and optionally ``x_test`` and
        ``y_test``; ``x_train`` and ``y_train`` are read as ``x`` and ``y``.
      task: what y is; None decides by its values.
      source: where they come from.

    Returns:
      The data set; axes of x behind the first are flattened.

    Raises:
      ValueError: for other names, or arrays that cannot be learned from.
    """
    found = {key.removesuffix("_train"): value for key, value in arrays.items()}
    allowed = ({"x", "y"}, {"x", "y", "x_test", "y_test"})
    if set(found) not in allowed or len(found) < len(arrays):
        raise ValueError(
            f"data set {name!r}: an npz file must hold the arrays x and y, and may hold x_test and y_test; "
            f"this one holds {', '.join(sorted(arrays)) or 'none'}"
        )
    for key in ("x", "x_test"):
        if key in found:
            if found[key].size == 0 or found[key].ndim == 0:
                raise ValueError(f"data set {name!r}: {key} is empty, it has shape {found[key].shape}")
            if found[key].dtype.kind not in "biuf":
                raise ValueError(
                    f"data set {name!r}: {key} must hold numbers, it has type {found[key].dtype}"
                )
            found[key] = found[key].reshape(len(found[key]), -1)
    y, y_test = found["y"], found.get("y_test")
    both = y if y_test is None else np.concatenate([y, y_test]) if y.ndim == y_test.ndim else y
    task, values = targets(name, both, task)
    cut = len(y)
    scaling = "global" if found["x"].dtype == np.uint8 else "feature"
    return prepare(
        found["x"], values[:cut], found.get("x_test"), None if y_test is None else values[cut:], name=name,
        task=task, split=_SPLIT, scaling=scaling, source=source,
    )  # fmt: skip


def targets(name: str, y: np.ndarray, task: Task | None) -> tuple[Task, np.ndarray]:
    """What a target is, and its values as `prepare` takes them: labels from 0, or numbers.

    Args:
      name: of the data set, for messages.
      y: text, truth values, numbers, or one-hot rows.
      task: what it is; None decides.

    Returns:
      The task, and the values.

    Raises:
      ValueError: when the values do not fit the task.
    """
    if task not in (None, "classification", "regression"):
        raise ValueError(f"task must be 'classification' or 'regression', was {task!r}")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    numeric = y.dtype.kind in "iuf"
    if not numeric and y.dtype.kind not in "bUS":
        raise ValueError(f"data set {name!r}: y must hold numbers or text, it has type {y.dtype}")
    if numeric and not np.isfinite(y).all():
        raise ValueError(
            f"data set {name!r}: y has {int((~np.isfinite(y)).sum())} values that are not finite"
        )
    if y.ndim == 2 and numeric and task != "regression" and _one_hot(y):
        return "classification", y.argmax(1)
    if task == "regression" and not numeric:
        raise ValueError(f"data set {name!r}: regression needs numbers, but the target holds {y.flat[0]!r}")
    whole = not numeric or bool((y == np.rint(y)).all())
    if task is None:
        labels = np.unique(y)
        few = len(labels) <= min(_MOST_CLASSES, max(2, len(y) // _OCCURRENCES))
        task = "classification" if y.ndim == 1 and (not numeric or (whole and few)) else "regression"
    if task == "regression":
        return task, y
    if y.ndim != 1 or not whole:
        raise ValueError(
            f"data set {name!r}: classification needs one column of labels (text or whole numbers), "
            f"the target has shape {y.shape} and holds {y.flat[0]!r}"
        )
    return task, np.unique(y, return_inverse=True)[1].reshape(-1)


def _one_hot(y: np.ndarray) -> bool:
    return bool(((y == 0) | (y == 1)).all() and (y.sum(1) == 1).all())


# --- tables -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """Numeric columns and one target column.

    Attributes:
      names: of the columns of x.
      x: (rows, columns) numbers.
      target: name of the target column.
      y: its values, numbers or text.
    """

    names: list[str]
    x: np.ndarray
    target: str
    y: np.ndarray


def from_table(name: str, table: Table, task: Task | None, source: str) -> Dataset:
    """A data set from a table.

    Args:
      name: of the data set.
      table: its columns.
      task: what the target is; None decides by its values.
      source: where it comes from.

    Returns:
      The data set.

    Raises:
      ValueError: for values that are missing, and as `prepare`.
    """
    bad = np.argwhere(~np.isfinite(table.x))
    if len(bad):
        row, column = bad[0]
        raise ValueError(
            f"data set {name!r}: {len(bad)} values are missing or not finite, first in column "
            f"{table.names[column]!r}, data row {row + 1}; remove or fill them"
        )
    if len(table.y) and len(np.unique(table.y)) == 1:
        raise ValueError(
            f"data set {name!r}: the target {table.target!r} is always {table.y[0].item()!r}; there is "
            "nothing to learn"
        )
    task, y = targets(name, table.y, task)
    return prepare(table.x, y, name=name, task=task, split=_SPLIT, source=source)


def column(name: str, names: Sequence[str], target: str | None) -> int:
    """The index of the target column.

    Args:
      name: of the data set, for messages.
      names: of all columns.
      target: the one asked for; None takes the only one with a usual name.

    Returns:
      Its index.

    Raises:
      ValueError: when there is no such column, or none was named and none is usual.
    """
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    if target is None:
        usual = [i for i, word in enumerate(names) if word.lower() in _USUAL_TARGETS]
        if len(usual) == 1:
            return usual[0]
        raise ValueError(f"which column of {name} is the target? --target NAME; the columns are {shown}")
    if target not in names:
        raise ValueError(f"{name} has no column {target!r}{hint(target, names)}; the columns are {shown}")
    return list(names).index(target)


@contextlib.contextmanager
def _text(path: Path) -> Iterator[Iterable[str]]:
    """The lines of a text file, gzipped or not; the byte order mark of spreadsheets is dropped."""
    try:
        if path.name.lower().endswith(".gz"):
            with archives.open_gzip(path, archives.LIMIT, "a gzipped table") as stream:
                raw: Any = io.BytesIO(stream.read())
        else:
            raw = io.BufferedReader(io.FileIO(path))
        with io.TextIOWrapper(raw, "utf-8-sig", newline="") as lines:
            yield lines
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file in UTF-8: {error.reason}") from None
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise ValueError(f"cannot read {path}: {reason}") from None


def _read_csv(name: str, lines: Iterable[str], target: str | None) -> Table:
    """Numbers and the target of a table; one pass, so that large files need little memory."""
    lines = iter(lines)
    line, first = next(((i, text) for i, text in enumerate(lines, 1) if text.strip()), (0, ""))
    if not first:
        raise ValueError(f"{name} is empty")
    separator = max("\t;,", key=first.count)
    try:
        rows = csv.reader(lines, delimiter=separator, strict=True)
        head = [word.strip() for word in next(csv.reader([first], delimiter=separator))]
        return _columns(name, head, rows, target, line)
    except csv.Error as error:
        raise ValueError(f"{name} is not a table: {error}") from None


def _columns(name: str, head: list[str], rows: Iterable[list[str]], target: str | None, line: int) -> Table:
    """The columns below the names, which stand in the given line."""
    values, labels = array("d"), []
    if all(_is_number(word) for word in head):
        raise ValueError(
            f"the first line of {name} must name the columns, but holds numbers only ({', '.join(head[:4])}…)"
        )
    if len(set(head)) < len(head):
        raise ValueError(f"{name} has two columns of one name")
    where = column(name, head, target)
    names = head[:where] + head[where + 1 :]
    if not names:
        raise ValueError(
            f"{name} has only the column {head[where]!r}, the target; there is nothing to predict it from"
        )
    for number, row in enumerate(rows, line + 1):
        if not row:
            continue  # a blank line, usually the last
        if len(row) != len(head):
            raise ValueError(f"line {number} of {name} has {len(row)} cells, the first line {len(head)}")
        labels.append(row.pop(where).strip())
        try:
            values.extend(map(float, row))
        except ValueError:
            raise ValueError(_not_a_number(name, names, row, number)) from None
    gaps = [i for i, word in enumerate(labels) if word.lower() in _MISSING]
    if gaps:
        raise ValueError(
            f"the target {head[where]!r} of {name} is missing in {len(gaps)} rows, first in row {gaps[0] + 1}"
        )
    x = np.array(values).reshape(-1, len(names))
    y = np.array(labels)
    with contextlib.suppress(ValueError):
        y = y.astype(float)
    return Table(names, x, head[where], y)


def _not_a_number(name: str, names: Sequence[str], row: Sequence[str], line: int) -> str:
    for key, word in zip(names, row, strict=True):
        if not _is_number(word):
            if word.strip().lower() in _MISSING:
                return f"column {key!r} of {name} has no value in line {line}; remove the line or fill it"
            return (
                f"column {key!r} of {name} holds text ({word[:30]!r} in line {line}); turn it into numbers "
                "or leave it out"
            )
    raise AssertionError("all cells are numbers")


def _is_number(word: Any) -> bool:
    try:
        return not math.isnan(float(word))
    except ValueError:
        return False
