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
from experiments import _train as trainer
from experiments import choose
from jaxacts.lab import load_dataset

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
    def run(config: _Config) -> _Results:
        return _Results(np.arange(3) * config.value, [[1], [1, 2]], "x", float("nan"))

    def plot(results):
        figure, (axis,) = common.axes()
        axis.plot(results.numbers)
        return figure

    return common.main(
        __name__,
        "Is it small?",
        _Config(value),
        run,
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


def test_redraw_judges_what_the_folder_holds_and_refuses_other_settings(tmp_path):
    path = tmp_path / "test_experiments.json"
    with pytest.raises(SystemExit, match="run without it first"):
        _main(tmp_path, 0.5, "--redraw")
    assert _main(tmp_path, 0.5) == 0
    stored = json.loads(path.read_text())
    stored["results"]["numbers"][1] = 7.0
    path.write_text(json.dumps(stored))
    (tmp_path / "test_experiments.png").unlink()
    assert _main(tmp_path, 0.5, "--redraw") == 1
    assert json.loads(path.read_text())["answer"] == "It is 7.0."
    assert (tmp_path / "test_experiments.png").exists()
    with pytest.raises(SystemExit, match="other settings"):
        _main(tmp_path, 0.25, "--redraw")


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


def test_weights_of_an_experiment_have_the_deviations_it_asks_for():
    dataset = load_dataset("digits")
    for distribution in ("normal", "uniform"):
        parameters = trainer.scaled(dataset, 2, 400, 0, sigma_w=1.5, sigma_b=0.3, distribution=distribution)
        (hidden,) = parameters.hidden
        # 160,000 draws: a standard error of 0.2 % for normal ones.
        assert hidden.weight.std() * 20 == pytest.approx(1.5, rel=0.01)
        assert parameters.first.weight.std() * 8 == pytest.approx(1.5, rel=0.02)
        assert hidden.bias.std() == pytest.approx(0.3, rel=0.15)  # 400 draws: 3.5 %
    assert np.abs(hidden.weight).max() * 20 <= 1.5 * 3**0.5 * (1 + 1e-6)  # rounding to float32
    again = trainer.scaled(dataset, 2, 400, 0, sigma_w=1.5, sigma_b=0.3, distribution="uniform", scan=True)
    np.testing.assert_array_equal(again.hidden.weight[0], hidden.weight)


def test_threads_keep_the_order_and_pass_on_errors():
    assert trainer.threads(lambda n: n * n, range(20)) == [n * n for n in range(20)]
    with pytest.raises(ZeroDivisionError):
        trainer.threads(lambda n: 1 / n, [1, 0])


def test_regret_is_what_the_choice_on_the_validation_part_misses():
    # One data set, one optimiser, two initialisations, two activations, one seed.
    validation = np.array([[[[0.9, 0.6], [0.5, 0.8]]]])
    test = np.array([[[[0.7, 0.1], [1.0, 0.6]]]])[..., None]
    # The first activation takes the first initialisation (0.7 in the test), the second the second (0.6).
    np.testing.assert_allclose(choose.regrets(test, validation, 3)[:, 0], [0.0, 0.1], atol=1e-12)
    # The first initialisation is best with the first activation, the second with the second.
    np.testing.assert_allclose(choose.regrets(test, validation, 2)[:, 0], [0.0, 0.1], atol=1e-12)
