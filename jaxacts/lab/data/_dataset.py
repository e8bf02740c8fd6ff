"""One data set: its parts, how arrays are checked, split and standardised."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Task = Literal["classification", "regression"]
Scaling = Literal["feature", "global"]

_BLOCK = 2**21  # numbers handled at once, so that large sets need no second copy in float64


@dataclass(frozen=True, eq=False)
class Dataset:
    """One data set, split and standardised.

    Attributes:
      name: the name it is found by.
      x_train: (n, features) float32; the statistics of the standardisation come from this part alone.
      y_train: (n, classes) one-hot float32, or (n, targets) standardised float32 for regression.
      x_validation: inputs for choosing learning rates and for measurements.
      y_validation: their targets.
      x_test: inputs that nothing is ever chosen on.
      y_test: their targets.
      task: "classification" or "regression".
      classes: number of classes, or of regression targets.
      source: where the data come from.
      licence: under which terms.
      digest: SHA-256 of the split arrays before standardisation, rounded to 1e-4 of the size of a column, and
        of the task and the kind of scaling.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    task: Task
    classes: int
    source: str = "given by the user"
    licence: str = "unknown"
    digest: str = field(default="", repr=False)

    @property
    def features(self) -> int:
        """Number of input features."""
        return self.x_train.shape[1]

    @property
    def sizes(self) -> dict[str, int]:
        """Number of examples in each part."""
        return {"train": len(self.x_train), "validation": len(self.x_validation), "test": len(self.x_test)}

    def describe(self) -> dict[str, Any]:
        """What the manifest keeps of it: plain JSON types."""
        keep = ("name", "task", "classes", "source", "licence", "digest", "chance")
        return {**{key: getattr(self, key) for key in keep}, "features": self.features, "sizes": self.sizes}

    @property
    def chance(self) -> float:
        """Score of a constant answer on the test part: the share of the training part's commonest class.

        For regression it is 0, the R² of the mean.
        """
        if self.task == "regression":
            return 0.0
        return float(self.y_test[:, self.y_train.sum(0).argmax()].mean())


def prepare(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
    *,
    name: str,
    task: Task,
    split: str | None = None,
    scaling: Scaling = "feature",
    source: str = "given by the user",
    licence: str = "unknown",
) -> Dataset:
    """Split and standardise arrays.

    Args:
      x: (n, features) inputs.
      y: (n,) integer labels from 0, or (n,) or (n, targets) real targets.
      x_test: inputs of the test part; None takes a fifth of x.
      y_test: its targets.
      name: a name.
      task: "classification" or "regression".
      split: what seeds the split; by default the name.
      scaling: "feature" standardises every column by itself; "global" centres every column but divides by
        one number, right for pixels and time series, whose columns share a unit and may be almost constant.
      source: where the data come from.
      licence: under which terms.

    Returns:
      The data set.

    Raises:
      ValueError: for wrong shapes, values that are not finite, inputs or targets that never vary, labels
        that are no integers from 0, or fewer than 10 examples.

    Example:
      >>> import numpy as np
      >>> x = np.linspace(-1, 1, 50)[:, None]
      >>> jaxacts.lab.prepare(x, x[:, 0] > 0, name="sign", task="classification").classes
      2
    """
    if task not in ("classification", "regression"):
        raise ValueError(f"task must be 'classification' or 'regression', was {task!r}")
    x, y = _checked(name, x, y)
    split = name if split is None else split
    if x_test is None or y_test is None:
        order = generator(split).permutation(len(x))
        held = math.ceil(len(x) / 5)
        x_test, y_test, x, y = x[order[:held]], y[order[:held]], x[order[held:]], y[order[held:]]
    else:
        x_test, y_test = _checked(name, x_test, y_test, least=1)
        if x_test.shape[1] != x.shape[1]:
            raise ValueError(f"data set {name!r}: x has {x.shape[1]} features, x_test {x_test.shape[1]}")
        if y_test.shape[1:] != y.shape[1:]:
            raise ValueError(f"data set {name!r}: y has shape {y.shape}, y_test {y_test.shape}")
        unseen = np.setdiff1d(y_test, y) if task == "classification" else ()
        if len(unseen):
            raise ValueError(f"data set {name!r}: {len(unseen)} of the classes in y_test do not occur in y")
    order = generator(split + "/validation").permutation(len(x))
    held = math.ceil(len(x) / 5)
    parts_x = [x[order[held:]], x[order[:held]], x_test]
    parts_y = [y[order[held:]], y[order[:held]], y_test]
    digest = _digest(f"{task}/{scaling}", parts_x, parts_y)
    if task == "classification":
        parts_y, classes = _one_hot(name, parts_y)
    else:
        parts_y = [part.reshape(len(part), -1).astype(float) for part in parts_y]
        centre, scale, varies = _statistics(parts_y[0], "feature")
        if not varies:
            raise ValueError(f"data set {name!r}: the target never varies over the training part")
        if len(parts_y[2]) < 2 or not _statistics(parts_y[2], "feature")[2]:
            raise ValueError(
                f"data set {name!r}: the target never varies over the test part, so R² is not defined there"
            )
        parts_y = [_standardised(part, centre, scale) for part in parts_y]
        classes = parts_y[0].shape[1]
    centre, scale, varies = _statistics(parts_x[0], scaling)
    if not varies:
        raise ValueError(f"data set {name!r}: no column of x varies over the training part")
    parts_x = [_standardised(part, centre, scale) for part in parts_x]
    (train, validation, test), (y, y_validation, y_test) = parts_x, parts_y
    return Dataset(
        name, train, y, validation, y_validation, test, y_test, task, classes, source, licence, digest
    )


def generator(name: str) -> np.random.Generator:
    """A generator that depends on a name alone."""
    return np.random.Generator(
        np.random.Philox(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    )


def _checked(name: str, x: Any, y: Any, least: int = 10) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x), np.asarray(y)
    for label, array in (("x", x), ("y", y)):
        if array.dtype.kind not in "biuf":
            raise ValueError(f"data set {name!r}: {label} must hold numbers, it has type {array.dtype}")
    if x.dtype != np.uint8:  # pixels stay bytes until they are standardised: an eighth of the memory
        x = x.astype(float, copy=False)
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y):
        raise ValueError(
            f"data set {name!r}: x must be (n, features) and y have n rows, got {x.shape} and {y.shape}"
        )
    if len(x) < least or x.shape[1] == 0:
        raise ValueError(f"data set {name!r}: needs at least {least} examples and one feature, got {x.shape}")
    for label, array in (("x", x), ("y", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))
            where = f"row {bad[0][0]}" + (f", column {bad[0][1]}" if array.ndim == 2 else "")
            raise ValueError(
                f"data set {name!r}: {label} has {len(bad)} values that are not finite, first at {where}"
            )
    return x, y


def _blocks(array: np.ndarray) -> Iterator[slice]:
    """Slices of rows that hold a bounded count of numbers."""
    rows = max(1, _BLOCK // max(1, math.prod(array.shape[1:])))
    return (slice(begin, begin + rows) for begin in range(0, len(array), rows))


def _statistics(x: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Centre, scale, and whether any column varies."""
    if scaling not in ("feature", "global"):
        raise ValueError(f"scaling must be 'feature' or 'global', was {scaling!r}")
    if x.dtype == np.uint8:  # sums of whole numbers are exact
        centre = x.sum(0, dtype=np.int64) / len(x)
        squares = sum((x[rows].astype(np.int64) ** 2).sum(0) for rows in _blocks(x)) / len(x)
        variance = np.maximum(squares - centre**2, 0.0)
        spread = np.sqrt(variance) if scaling == "feature" else np.sqrt(variance.mean())
    else:
        largest = np.abs(x).max(0)
        # In units of a power of two, so that squares neither overflow nor vanish.
        unit = np.ldexp(1.0, np.frexp(largest if scaling == "feature" else largest.max())[1] - 1)
        centre = (x / unit).mean(0) * unit
        squares = (x / unit - centre / unit) ** 2
        spread = unit * np.sqrt(squares.mean(0 if scaling == "feature" else None))
    # A constant column carries nothing; the rounding noise of its mean must not be blown up.
    size = np.abs(centre) if scaling == "feature" else np.abs(centre).max()
    varying = spread > 1e-12 * size
    return centre, np.where(varying, spread, 1.0), bool(np.any(varying))


def _standardised(part: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> np.ndarray:
    out = np.empty(part.shape, np.float32)
    for rows in _blocks(part):
        out[rows] = (part[rows] - centre) / scale
    return out


def _one_hot(name: str, parts: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
    labels = [part.astype(int) for part in parts]
    for part, raw in zip(labels, parts, strict=True):
        if raw.ndim != 1 or (part != raw).any() or (part < 0).any():
            raise ValueError(f"data set {name!r}: class labels must be a vector of integers from 0 on")
    found = np.unique(np.concatenate(labels))
    classes = 1 + int(found[-1])
    if len(found) < 2 or classes > 10_000:
        shown = len(found) if len(found) < 2 else classes
        raise ValueError(f"data set {name!r}: needs 2 to 10000 classes, found {shown}")
    if len(np.unique(labels[0])) < 2:
        raise ValueError(f"data set {name!r}: its training part has only one class")
    eye = np.eye(classes, dtype=np.float32)
    return [eye[part] for part in labels], classes


def _digest(use: str, *groups: list[np.ndarray]) -> str:
    """Of what is done with numbers, and of them without their last digits: generated data differ there.

    Columns are seen from their first number, so that those of a time stamp count.
    """
    state = hashlib.sha256(use.encode())
    for array in (array for group in groups for array in group):
        first, largest = np.asarray(array[:1], float), np.zeros(array.shape[1:])
        for rows in _blocks(array):
            largest = np.maximum(largest, np.abs(np.asarray(array[rows], float)).max(0, initial=0.0))
        state.update(str(array.shape).encode())
        state.update(_coarse(first, 0.0).tobytes())
        for rows in _blocks(array):
            with np.errstate(over="ignore"):
                state.update(_coarse(np.asarray(array[rows], float) - first, 1e-12 * largest).tobytes())
    return state.hexdigest()


def _coarse(x: np.ndarray, least: Any) -> np.ndarray:
    """Twelve bits of every number, and 0 for what is below `least`."""
    significand, exponent = np.frexp(x)
    with np.errstate(over="ignore"):
        coarse = np.ldexp(np.rint(significand * 4096), exponent - 12)
    return (np.where(np.abs(x) <= least, 0.0, coarse) + 0.0).astype("<f8")
