"""Every experiment script runs from end to end in its smallest size, and the frame that they share."""

import dataclasses
import importlib
import json
import math
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest

from experiments import _common as common

FOLDER = Path(common.__file__).parent
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if not path.name.startswith("_"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_smoke(name, tmp_path, capsys):
    module = importlib.import_module(f"experiments.{name}")
    # Optax's Adam raises a float to an integer power, which strict promotion refuses.
    with jax.numpy_dtype_promotion("standard"):
        assert module.main(["--smoke", "--output", str(tmp_path)]) == 0
    saved = json.loads((tmp_path / f"{name}.json").read_text())
    assert saved["mode"] == "smoke"
    assert saved["checks"]
    assert saved["answer"] in capsys.readouterr().out
    assert any(letter.isdigit() for letter in saved["answer"])
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.json", f"{name}.png"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_docstring_has_question_command_and_expectation(name):
    doc = importlib.import_module(f"experiments.{name}").__doc__
    assert doc.splitlines()[0].endswith("?")
    assert f"python -m experiments.{name}" in doc
    assert "Expect" in doc


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_page_lists_every_script_with_its_answer(name):
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"`python -m experiments.{name}`" in page, "run python tools/list_experiments.py"
    stored = FOLDER / "results" / f"{name}.json"
    if stored.exists():
        answer = json.loads(stored.read_text(encoding="utf-8"))["answer"].replace("|", r"\|")
        assert answer in page, "run python tools/list_experiments.py"
        assert f"(results/{name}.png)" in page


class _Results(NamedTuple):
    numbers: np.ndarray
    ragged: list
    label: str
    nothing: float


@dataclasses.dataclass(frozen=True)
class _Config:
    value: float = 2.0


def _main(tmp_path, value, *flags):
    def plot(results):
        figure, (axis,) = common.axes()
        axis.plot(results.numbers)
        return figure

    return common.main(
        __name__,
        "Is it small?",
        _Config(value),
        lambda config: _Results(np.arange(3) * config.value, [[1], [1, 2]], "x", float("nan")),
        plot,
        lambda results: (
            f"It is {results.numbers[1]}.",
            [common.Check("number", results.numbers[1], high=1.0)],
        ),
        smoke={},
        full={},
        argv=["--output", str(tmp_path), *flags],
    )


def test_a_check_that_fails_is_the_exit_code_except_in_smoke(tmp_path, capsys):
    assert _main(tmp_path, 0.5) == 0
    assert _main(tmp_path, 2.0) == 1
    assert "FAILS  number: 2 (must be at most 1)" in capsys.readouterr().out
    assert _main(tmp_path, 2.0, "--smoke") == 0
    assert json.loads((tmp_path / "test_experiments.json").read_text())["holds"] is False


def test_results_survive_the_file():
    results = _Results(np.array([[1.0, math.inf], [2.0, 3.0]]), [[1], [1, 2]], "x", float("nan"))
    back = common.from_json(_Results, json.loads(json.dumps(common.to_json(results), allow_nan=False)))
    np.testing.assert_array_equal(back.numbers, results.numbers)
    assert [list(row) for row in back.ragged] == results.ragged
    assert back.label == "x"
    assert math.isnan(back.nothing)


def test_nothing_half_written_when_drawing_fails(tmp_path):
    def broken(results):
        raise RuntimeError("no ink")

    with pytest.raises(RuntimeError, match="no ink"):
        common.save_figure(broken, None, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_the_interval_is_that_of_student():
    centre, half = common.interval(np.array([1.0, 2.0, 3.0]))
    assert centre == 2.0
    # With two degrees of freedom Student's quantile is (2p - 1) / √(2p (1 - p)); the deviation is 1.
    quantile = 0.95 / math.sqrt(2 * 0.975 * 0.025)
    assert half == pytest.approx(quantile / math.sqrt(3), rel=1e-9)  # as good as SciPy's quantile


def test_smoke_and_full_exclude_each_other(tmp_path):
    with pytest.raises(SystemExit):
        _main(tmp_path, 1.0, "--smoke", "--full")
