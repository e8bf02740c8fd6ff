"""Data sets for comparing activations: offline, with fixed splits, standardised on the training part only."""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib.util
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxacts.lab.errors import need

Task = Literal["classification", "regression"]


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
      digest: SHA-256 of the split arrays before standardisation, rounded to 4 decimals.
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
        keep = ("name", "task", "classes", "source", "licence", "digest")
        return {**{key: getattr(self, key) for key in keep}, "features": self.features, "sizes": self.sizes}


@dataclass(frozen=True)
class Source:
    """How a named data set is made.

    Attributes:
      load: returns x and y, or x, y, x_test and y_test where the set comes with its own test part.
      task: "classification" or "regression".
      scaling: "feature" standardises every column by itself; "global" centres every column but divides by one
        number, right for pixels and time series, whose columns share a unit and may be almost constant.
      text: one line about it.
      licence: under which terms.
    """

    load: Callable[[], tuple[np.ndarray, ...]]
    task: Task
    scaling: Literal["feature", "global"]
    text: str
    licence: str


# Digests of the labels (little-endian int64) and of x in units of 1e-4, rounded (little-endian int32),
# training part first. The raw bytes differ between numpy versions in the last bits; these agree for numpy
# 2.0.0, 2.1.0 and 2.4.6, and no entry of x lies nearer than 3e-11 to a rounding boundary.
_MNIST1D_LABELS = "6feec4a017698c7fe237c8854cbd2e338c6dd5c16240f6fa79daefaaa129e169"
_MNIST1D_X = "c8153e04a556dd78837acea7c0991c48da45517d429b3d24999cd348705ce4c2"


def _mnist1d() -> tuple[np.ndarray, ...]:
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError as error:
        raise need(error.name or "mnist1d") from error
    # The generator seeds the global generators of numpy and Python: put them back as they were.
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        made = make_dataset(get_dataset_args())
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)
    x, y, x_test, y_test = (np.asarray(made[key]) for key in ("x", "y", "x_test", "y_test"))
    labels = hashlib.sha256(np.concatenate([y, y_test]).astype("<i8").tobytes()).hexdigest()
    inputs = hashlib.sha256(np.rint(np.concatenate([x, x_test]) * 1e4).astype("<i4").tobytes()).hexdigest()
    if (labels, inputs) != (_MNIST1D_LABELS, _MNIST1D_X):
        raise ValueError(
            "the installed mnist1d package generates other data than MNIST-1D as published "
            f"(labels {labels[:12]}…, inputs {inputs[:12]}…); results would not be comparable. "
            "Install mnist1d 0.0.2, or choose another data set"
        )
    return x, y, x_test, y_test


def _sklearn_file(name: str) -> Path:
    """A data file inside scikit-learn, found without importing it (the import alone takes seconds)."""
    spec = importlib.util.find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise need("scikit-learn")
    path = Path(next(iter(spec.submodule_search_locations))) / "datasets" / "data" / name
    if not path.exists():
        raise ValueError(f"the installed scikit-learn has no file {path}")
    return path


def _digits() -> tuple[np.ndarray, ...]:
    table = np.loadtxt(_sklearn_file("digits.csv.gz"), delimiter=",")
    return table[:, :-1], table[:, -1].astype(int)


def _table(name: str) -> tuple[np.ndarray, ...]:
    table = np.loadtxt(_sklearn_file(name), delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1].astype(int)


def _addition() -> tuple[np.ndarray, ...]:
    """Two numbers from U(-1, 1) and their sum."""
    x = _generator("addition").uniform(-1.0, 1.0, (2000, 2))
    return x, x.sum(1, keepdims=True)


_UCI = "from the UCI repository, in scikit-learn's wheel"
_SOURCES = {
    "mnist1d": Source(
        _mnist1d, "classification", "global",
        "MNIST-1D (Greydanus & Kobak 2020, arXiv:2011.14439), generated by the mnist1d package", "Apache-2.0",
    ),
    "digits": Source(_digits, "classification", "global", f"8x8 handwritten digits, {_UCI}", "CC BY 4.0"),
    "breast_cancer": Source(
        functools.partial(_table, "breast_cancer.csv"), "classification", "feature",
        f"breast cancer Wisconsin (diagnostic), {_UCI}", "CC BY 4.0",
    ),
    "wine": Source(
        functools.partial(_table, "wine_data.csv"), "classification", "feature", f"wine, {_UCI}", "CC BY 4.0"
    ),
    "addition": Source(
        _addition, "regression", "feature", "add two numbers drawn from U(-1, 1), generated here",
        "Apache-2.0"
    ),
}  # fmt: skip


def datasets() -> dict[str, str]:
    """Names and one-line descriptions of the data sets.

    Returns:
      A dict from name to description, the default first.

    Example:
      >>> list(jaxacts.lab.datasets())[0]
      'mnist1d'
    """
    return {name: source.text for name, source in _SOURCES.items()}


@functools.lru_cache(maxsize=4)
def load_dataset(name: str) -> Dataset:
    """A data set by name, split into train, validation and test, and standardised.

    The split is fixed: the same rows land in the same part on every machine. Sets that come with a test part
    keep it; of the others a fifth is the test part. A fifth of what remains is the validation part.

    Args:
      name: one of `jaxacts.lab.datasets()`.

    Returns:
      The data set.

    Raises:
      ValueError: for an unknown name, with the nearest ones.
      MissingExtra: when the package that holds the data is not installed.

    Example:
      >>> jaxacts.lab.load_dataset("digits").sizes
      {'train': 1149, 'validation': 288, 'test': 360}
    """
    source = _SOURCES.get(name)
    if source is None:
        near = difflib.get_close_matches(name, _SOURCES, n=2)
        hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise ValueError(f"unknown data set {name!r}{hint} Known are: {', '.join(_SOURCES)}")
    return prepare(
        *source.load(), name=name, task=source.task, scaling=source.scaling, source=source.text,
        licence=source.licence,
    )  # fmt: skip


def prepare(
    x: np.ndarray,
    y: np.ndarray,
    x_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
    *,
    name: str,
    task: Task,
    scaling: Literal["feature", "global"] = "feature",
    source: str = "given by the user",
    licence: str = "unknown",
) -> Dataset:
    """Split and standardise arrays.

    Args:
      x: (n, features) inputs.
      y: (n,) integer labels from 0, or (n,) or (n, targets) real targets.
      x_test: inputs of the test part; None takes a fifth of x.
      y_test: its targets.
      name: a name; it also seeds the split.
      task: "classification" or "regression".
      scaling: "feature" or "global", see :class:`Source`.
      source: where the data come from.
      licence: under which terms.

    Returns:
      The data set.

    Raises:
      ValueError: for wrong shapes, values that are not finite, labels that are no integers from 0, or fewer
        than 10 examples.

    Example:
      >>> import numpy as np
      >>> x = np.linspace(-1, 1, 50)[:, None]
      >>> jaxacts.lab.prepare(x, x[:, 0] > 0, name="sign", task="classification").classes
      2
    """
    x, y = _checked(name, x, y)
    if x_test is None or y_test is None:
        order = _generator(name).permutation(len(x))
        held = math.ceil(len(x) / 5)
        x_test, y_test, x, y = x[order[:held]], y[order[:held]], x[order[held:]], y[order[held:]]
    else:
        x_test, y_test = _checked(name, x_test, y_test)
        if x_test.shape[1] != x.shape[1]:
            raise ValueError(f"data set {name!r}: x has {x.shape[1]} features, x_test {x_test.shape[1]}")
    order = _generator(name + "/validation").permutation(len(x))
    held = math.ceil(len(x) / 5)
    parts_x = [x[order[held:]], x[order[:held]], x_test]
    parts_y = [y[order[held:]], y[order[:held]], y_test]
    digest = _digest(parts_x, parts_y)
    centre, scale = _statistics(parts_x[0], scaling)
    parts_x = [((part - centre) / scale).astype(np.float32) for part in parts_x]
    if task == "classification":
        parts_y, classes = _one_hot(name, parts_y)
    else:
        parts_y = [part.reshape(len(part), -1).astype(float) for part in parts_y]
        centre, scale = _statistics(parts_y[0], "feature")
        parts_y = [((part - centre) / scale).astype(np.float32) for part in parts_y]
        classes = parts_y[0].shape[1]
    (train, validation, test), (y, y_validation, y_test) = parts_x, parts_y
    return Dataset(
        name, train, y, validation, y_validation, test, y_test, task, classes, source, licence, digest
    )


def _generator(name: str) -> np.random.Generator:
    """A generator that depends on a name alone."""
    return np.random.Generator(
        np.random.Philox(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
    )


def _checked(name: str, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(x, dtype=float), np.asarray(y)
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y):
        raise ValueError(
            f"data set {name!r}: x must be (n, features) and y have n rows, got {x.shape} and {y.shape}"
        )
    if len(x) < 10 or x.shape[1] == 0:
        raise ValueError(f"data set {name!r}: needs at least 10 examples and one feature, got {x.shape}")
    for label, array in (("x", x), ("y", y.astype(float))):
        bad = np.argwhere(~np.isfinite(array))
        if len(bad):
            where = f"row {bad[0][0]}" + (f", column {bad[0][1]}" if array.ndim == 2 else "")
            raise ValueError(
                f"data set {name!r}: {label} has {len(bad)} values that are not finite, first at {where}"
            )
    return x, y


def _statistics(x: np.ndarray, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    if scaling not in ("feature", "global"):
        raise ValueError(f"scaling must be 'feature' or 'global', was {scaling!r}")
    centre = x.mean(0)
    spread = x.std(0) if scaling == "feature" else np.sqrt(((x - centre) ** 2).mean())
    # A constant column carries nothing; its rounding noise must not be blown up.
    return centre, np.where(spread > 1e-12 * (1.0 + np.abs(centre).max()), spread, 1.0)


def _one_hot(name: str, parts: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
    labels = [part.astype(int) for part in parts]
    for part, raw in zip(labels, parts, strict=True):
        if raw.ndim != 1 or (part != raw).any() or (part < 0).any():
            raise ValueError(f"data set {name!r}: class labels must be a vector of integers from 0 on")
    classes = 1 + max(int(part.max()) for part in labels)
    if classes < 2 or classes > 10_000:
        raise ValueError(f"data set {name!r}: needs 2 to 10000 classes, found {classes}")
    eye = np.eye(classes, dtype=np.float32)
    return [eye[part] for part in labels], classes


def _digest(*groups: list[np.ndarray]) -> str:
    state = hashlib.sha256()
    for array in (array for group in groups for array in group):
        state.update(str(array.shape).encode())
        state.update(np.rint(np.asarray(array, float) * 1e4).astype("<i8").tobytes())
    return state.hexdigest()
