"""Data sets: what they hold, how they are split, and what is refused."""

import random
import sys

import numpy as np
import pytest

from jaxacts import lab
from jaxacts.lab import data
from jaxacts.lab.data import _dataset, _packaged, _synthetic


@pytest.mark.parametrize(
    ("name", "sizes", "features", "classes"),
    [
        ("mnist1d", (3200, 800, 1000), 40, 10),
        ("digits", (1149, 288, 360), 64, 10),
        ("breast_cancer", (364, 91, 114), 30, 2),
        ("wine", (113, 29, 36), 13, 3),
        ("addition", (1280, 320, 400), 2, 1),
        ("multiplication", (1280, 320, 400), 2, 1),
        ("sine", (1280, 320, 400), 1, 1),
        ("friedman", (1280, 320, 400), 10, 1),
        ("teacher_student", (2560, 640, 800), 20, 1),
        ("spirals", (1280, 320, 400), 2, 2),
        ("diabetes", (282, 71, 89), 10, 1),
    ],
)
def test_sizes_types_and_standardisation(name, sizes, features, classes):
    found = lab.load_dataset(name)
    assert tuple(found.sizes.values()) == sizes
    assert (found.features, found.classes) == (features, classes)
    for part in ("train", "validation", "test"):
        x, y = getattr(found, f"x_{part}"), getattr(found, f"y_{part}")
        assert x.dtype == y.dtype == np.float32
        assert x.shape[1] == features
        assert y.shape == (len(x), classes)
        assert np.isfinite(x).all()
    # float32 rounding of values of size about 1, averaged over hundreds of rows
    np.testing.assert_allclose(found.x_train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(
        np.square(found.x_train.astype(float)).mean(), 1, rtol=0.08 if name == "digits" else 1e-4
    )
    assert found.licence != "unknown"
    assert len(found.digest) == 64


def test_the_parts_are_disjoint_and_complete():
    found = lab.load_dataset("mnist1d")
    rows = np.concatenate([found.x_train, found.x_validation, found.x_test])
    assert len(np.unique(rows, axis=0)) == 5000


@pytest.mark.parametrize(
    ("name", "loader"),
    [("digits", "load_digits"), ("breast_cancer", "load_breast_cancer"), ("wine", "load_wine")],
)
def test_files_are_read_as_scikit_learn_reads_them(name, loader):
    import sklearn.datasets

    x, y = getattr(sklearn.datasets, loader)(return_X_y=True)
    ours = data._SOURCES[name].load()
    np.testing.assert_array_equal(ours[0], x)
    np.testing.assert_array_equal(ours[1], y)


def test_diabetes_is_read_as_scikit_learn_reads_it():
    import sklearn.datasets

    x, y = sklearn.datasets.load_diabetes(return_X_y=True, scaled=False)
    ours = data._SOURCES["diabetes"].load()
    np.testing.assert_array_equal(ours[0], x)
    np.testing.assert_array_equal(ours[1], y)


def test_tasks_made_here_are_what_they_say():
    x, y = _synthetic.multiplication()
    np.testing.assert_array_equal(y[:, 0], x[:, 0] * x[:, 1])
    x, y = _synthetic.friedman()
    assert x.min() >= 0
    assert x.max() <= 1
    clean = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    # the deviation of 2000 normal draws, within four of its own deviations 1/sqrt(4000)
    assert abs((y - clean).std() - 1) < 0.064
    x, y = _synthetic.spirals()
    radius, angle = np.hypot(*x.T), np.arctan2(x[:, 1], x[:, 0])
    turn = 6 * np.pi * radius / 6.5 + np.pi * y  # where on its arm a point of this radius lies
    off = np.abs((angle - turn + np.pi) % (2 * np.pi) - np.pi)
    # the radial part of the noise of 0.12, whose median size is 0.081, seen through the pitch of the arms
    assert 0.06 < np.median(off) * 6.5 / (6 * np.pi) < 0.1
    assert np.bincount(y).tolist() == [1000, 1000]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("addition", 0.999, 1), ("multiplication", 0, 0.02), ("sine", 0, 0.1), ("friedman", 0.6, 0.85),
     ("teacher_student", 0.3, 0.9), ("spirals", 0, 0.1), ("diabetes", 0.4, 0.65)],
)  # fmt: skip
def test_what_a_linear_network_explains(name, low, high):
    """R^2 of least squares on the training part: a task where it is high says little about activations."""
    found = lab.load_dataset(name)
    design = np.column_stack([found.x_train, np.ones(len(found.x_train))]).astype(float)
    y = found.y_train[:, 0].astype(float)
    _, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    assert low <= 1 - residual[0] / ((y - y.mean()) ** 2).sum() <= high


@pytest.mark.parametrize("scaling", ["feature", "global"])
def test_pixels_are_standardised_like_other_numbers(scaling):
    x = np.random.default_rng(0).integers(0, 256, (50, 6), dtype=np.uint8)
    x[:, 2] = 7  # the corner of an image
    y = np.arange(50) % 2
    made = {"name": "p", "task": "classification", "scaling": scaling}
    pixels, numbers = lab.prepare(x, y, **made), lab.prepare(x.astype(float), y, **made)
    np.testing.assert_allclose(pixels.x_test, numbers.x_test, rtol=1e-6, atol=1e-6)  # float32 rounding
    assert pixels.digest == numbers.digest
    assert np.abs(pixels.x_train[:, 2]).max() == 0


def test_what_is_done_with_the_numbers_is_part_of_their_digest():
    x = np.random.default_rng(0).integers(0, 256, (50, 6), dtype=np.uint8)
    y = np.arange(50) % 2
    ways = [("classification", "feature"), ("classification", "global"), ("regression", "feature")]
    made = {lab.prepare(x, y, name="p", task=task, scaling=scaling).digest for task, scaling in ways}
    assert len(made) == 3


def test_large_sets_are_handled_in_blocks(monkeypatch):
    x = np.random.default_rng(0).integers(0, 256, (50, 6), dtype=np.uint8)
    whole = lab.prepare(x, np.arange(50) % 2, name="p", task="classification")
    monkeypatch.setattr(_dataset, "_BLOCK", 13)
    cut = lab.prepare(x, np.arange(50) % 2, name="p", task="classification")
    np.testing.assert_array_equal(cut.x_train, whole.x_train)
    assert cut.digest == whole.digest


def test_names_may_be_written_as_people_write_them():
    assert lab.load_dataset("Breast-Cancer") is lab.load_dataset("breast_cancer")
    assert lab.load_dataset("two-spirals").name == "spirals"
    assert lab.load_dataset("teacher-student").name == "teacher_student"


@pytest.fixture(scope="module")
def mnist1d():
    """The set as generated once, and what the global generators gave before and after."""
    np.random.seed(7)
    random.seed(7)
    made = _packaged.mnist1d()
    return made, (np.random.rand(), random.random())


def test_mnist1d_leaves_the_global_generators_alone(mnist1d):
    assert mnist1d[1] == (np.random.RandomState(7).rand(), random.Random(7).random())


def test_mnist1d_refuses_other_data(mnist1d, monkeypatch):
    import mnist1d.data as generator

    names = ("x", "y", "x_test", "y_test")
    monkeypatch.setattr(generator, "make_dataset", lambda args: dict(zip(names, mnist1d[0], strict=True)))
    assert len(_packaged.mnist1d()[0]) == 4000
    x, *rest = mnist1d[0]
    altered = (x + 1e-3 * (np.arange(40) == 0), *rest)
    monkeypatch.setattr(generator, "make_dataset", lambda args: dict(zip(names, altered, strict=True)))
    with pytest.raises(ValueError, match="generates other data than MNIST-1D"):
        _packaged.mnist1d()


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "mnist1d", None)
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    with pytest.raises(lab.MissingExtra, match=r"mnist1d.*pip install 'jaxacts\[lab\]'"):
        _packaged.mnist1d()


def test_addition_is_the_sum():
    found = lab.load_dataset("addition")
    design = np.column_stack([found.x_train, np.ones(len(found.x_train))]).astype(float)
    weights, residual, *_ = np.linalg.lstsq(design, found.y_train[:, 0].astype(float), rcond=None)
    assert residual[0] < 1e-8  # exactly linear up to float32 rounding of 1280 targets
    np.testing.assert_allclose(weights[:2], 1 / np.sqrt(2), rtol=0.05)  # both addends count the same


def test_validation_and_test_do_not_touch_the_standardisation():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 3)), rng.integers(0, 2, 100)
    far = lab.prepare(x, y, 1e6 * np.ones((20, 3)), np.zeros(20), name="t", task="classification")
    near = lab.prepare(x, y, np.zeros((20, 3)), np.zeros(20), name="t", task="classification")
    np.testing.assert_array_equal(far.x_train, near.x_train)
    np.testing.assert_array_equal(far.x_validation, near.x_validation)


def test_a_constant_feature_stays_harmless():
    x = np.column_stack([np.arange(50.0), np.full(50, 3.0)])
    found = lab.prepare(x, np.arange(50) % 2, name="c", task="classification")
    assert np.abs(found.x_train[:, 1]).max() == 0


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="unknown data set 'mnist1'; did you mean 'mnist1d'"):
        lab.load_dataset("mnist1")


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            np.array([[0.0, np.nan]] * 20),
            np.zeros(20),
            "x has 20 values that are not finite, first at row 0, column 1",
        ),
        (np.ones((20, 2)), np.r_[np.inf, np.zeros(19)], "y has 1 values that are not finite, first at row 0"),
        (np.ones(20), np.zeros(20), "x must be"),
        (np.ones((20, 2)), np.zeros(19), "x must be"),
        (np.ones((5, 2)), np.zeros(5), "at least 10 examples"),
        (np.ones((20, 2)), np.zeros(20), "needs 2 to 10000 classes, found 1"),
        (np.ones((20, 2)), np.full(20, 0.5), "integers from 0 on"),
        (np.ones((20, 2)), -np.ones(20), "integers from 0 on"),
    ],
)
def test_bad_arrays_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        lab.prepare(x, y, name="bad", task="classification")


@pytest.mark.parametrize("size", [1e-5, 1.0, 1e30])
def test_other_numbers_have_another_digest_whatever_their_size(size):
    x, y = np.random.default_rng(0).normal(size=(50, 3)) * size, np.arange(50) % 2
    digest = lambda x: lab.prepare(x, y, name="p", task="classification").digest  # noqa: E731
    assert digest(x[::-1]) != digest(x)
    assert digest(x * (1 + 1e-12)) == digest(x)  # what machines differ by in generated data


def test_every_column_is_standardised_whatever_the_others_are():
    random = np.random.default_rng(0)
    scales = np.array([1e-200, 1e-13, 1e-3, 1.0, 1e3, 1e9, 1e300])
    centres = np.array([0.0, 0.0, 5.0, 0.0, -1e6, 1.7e18, 0.0])  # the last but one: a time in nanoseconds
    x = centres + scales * random.normal(size=(500, 7))
    found = lab.prepare(x, x[:, 3] > 0, name="scales", task="classification")
    # float64 resolves the time to 256 ns, a part in 4e6 of its spread
    np.testing.assert_allclose(found.x_train.std(0), 1.0, rtol=1e-5)
    np.testing.assert_allclose(found.x_train.mean(0), 0.0, atol=1e-5)


def test_chance_is_the_commonest_class():
    random = np.random.default_rng(0)
    y = (random.uniform(size=1000) < 0.05).astype(int)
    found = lab.prepare(random.normal(size=(1000, 3)), y, name="rare", task="classification")
    assert found.chance == 1 - found.y_test[:, 1].mean()
    assert found.describe()["chance"] == found.chance


def test_a_test_target_that_never_varies_is_refused():
    x = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(ValueError, match="never varies over the test part, so R² is not defined"):
        lab.prepare(x, x[:, 0], x[:5], np.ones(5), name="flat", task="regression")
    with pytest.raises(ValueError, match="never varies over the test part"):
        lab.prepare(x, x[:, 0], x[:1], x[:1, 0], name="one", task="regression")


def test_numbers_far_from_zero_count():
    random = np.random.default_rng(0)
    y = np.arange(50) % 2
    digest = lambda column: lab.prepare(column[:, None], y, name="p", task="classification").digest  # noqa: E731
    times = 1.7e9 + 1000 * random.normal(size=50)
    assert digest(times[::-1]) != digest(times)
    outlier = np.append(random.normal(size=49), 1e9)
    other = np.append(random.normal(size=49), 1e9)
    assert digest(outlier) != digest(other)
    assert digest(outlier * (1 + 1e-15)) == digest(outlier)
