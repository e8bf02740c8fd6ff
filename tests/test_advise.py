"""Advice: its numbers against independent ones, its diagnoses of sick runs, and whether the changes help."""

import dataclasses
import json
import math
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts import cli, lab
from jaxacts.lab import advice, mlp
from jaxacts.lab.advice import _evidence, _recommend, _theory

RESULTS = Path(__file__).parent.parent / "experiments" / "results"


@pytest.fixture(scope="module", autouse=True)
def _standard_promotion():
    """Optax's Adam raises a float to an integer power, which strict promotion refuses."""
    with jax.numpy_dtype_promotion("standard"):
        yield


# --- evidence -----------------------------------------------------------------------------------------------


def test_the_quoted_experiments_are_the_committed_ones():
    assert _evidence.collect(RESULTS) == _evidence.known(), "run python tools/list_experiments.py"


def test_the_order_of_candidates_is_the_measured_one():
    """The activations of the convergence experiment come first, by the steps that they needed."""
    stored = json.loads((RESULTS / "convergence.json").read_text(encoding="utf-8"))["results"]
    steps = {
        name: np.mean(needed)
        for name, needed, reached in zip(stored["names"], stored["needed"], stored["reached"], strict=True)
        if all(reached)
    }
    assert tuple(sorted(steps, key=steps.get)) == _recommend.MEASURED


def test_the_advice_is_what_the_benchmark_of_choices_measured():
    """Nothing of that benchmark enters the choice, so it can disagree: at every depth that it trained."""
    stored = json.loads((RESULTS / "choose.json").read_text(encoding="utf-8"))
    for measured in stored["results"]["advice"]:
        made = lab.advise(measured["depth"], stored["config"]["width"])
        assert made.activation in measured["good"]
        # "good" means that the interval reaches below one per cent of accuracy; the same for the weights
        assert measured["init"]["adam"][made.initialisation] < 0.01
        low, high = made.learning_rates
        assert low < measured["rates"]["adam"][1]
        assert high > measured["rates"]["adam"][0]
        quoted = [f for f in made.findings if f.source.startswith("experiments/choose.py")]
        assert quoted[0].number == measured["regret"][made.activation][0]


# --- theory -------------------------------------------------------------------------------------------------


def test_known_numbers():
    """He's gain, the constant of batch normalisation, Lu et al.'s law, and ReLU's fluctuation."""
    relu = _theory.outlook("relu", jaxacts.relu, 20, 4, "none")
    assert relu.gain == pytest.approx(math.sqrt(2), rel=1e-9)
    assert relu.change == pytest.approx(1.0, rel=1e-9)
    assert relu.centre == pytest.approx(1 / math.pi, rel=1e-9)
    assert relu.size == pytest.approx(1 / math.sqrt(2 * math.pi), rel=1e-6)
    assert relu.born_dead == pytest.approx(1 - (1 - 2.0**-4) ** 20, rel=2e-3)  # shares on 10001 points
    assert relu.spread**2 == pytest.approx((2 + 5 * 19) / 4, rel=1e-6)  # to first order in 1/width
    # Yang et al. (2019): gradients behind a batch-normalised ReLU grow by pi / (pi - 1) a layer, squared
    assert _theory.outlook("relu", jaxacts.relu, 2, 4, "batch").chi == pytest.approx(math.pi / (math.pi - 1))
    assert _theory.saturated(jaxacts.relu) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("normalisation", ["none", "layer", "batch"])
def test_the_predicted_change_is_that_of_real_networks(normalisation):
    """The gradient at the first pre-activation over that at the last, from a backward pass."""
    depth, width, f = 6, 192, jaxacts.relu
    predicted = _theory.outlook("relu", f, depth, width, normalisation)
    x = np.random.default_rng(0).standard_normal((128, width)).astype(np.float32)
    statistics = None
    if normalisation == "batch":
        shape = (depth, width)
        statistics = mlp.Statistics(np.zeros(shape, np.float32), np.ones(shape, np.float32))

    @jax.jit
    def gradients(parameters, direction):
        def loss(probes):
            out = mlp.apply(
                parameters, x, f, probes=probes, normalisation=normalisation, statistics=statistics,
                training=True,
            )  # fmt: skip
            return (out.output * direction).sum()

        found = jax.grad(loss)(mlp.probes(parameters, len(x)))
        return jnp.stack([jnp.sqrt(jnp.square(g).mean()) for g in (found[0], found[-1])])

    ratios = []
    for seed in range(3):
        draws = mlp.draw(seed, width, 4, depth, width)
        parameters = mlp.init(draws, "auto", predicted.gain, normalisation)
        direction = np.random.default_rng(seed).standard_normal((len(x), 4)).astype(np.float32)
        first, last = gradients(parameters, direction)
        ratios.append(float(first / last))
    # Three networks of width 192: the ratio strays by about sqrt(5 depth / width) / 2 = 20 % each. Under
    # batch normalisation the theory leaves out that inputs become alike on the way, which is worth some more.
    assert np.mean(ratios) == pytest.approx(predicted.change, rel=0.25)
    if normalisation == "batch":
        assert predicted.change > 2.0  # so that "no change at all" would not pass


# --- recommendations ----------------------------------------------------------------------------------------


def test_shallow_networks_get_the_quickest_deep_ones_what_survives():
    shallow = lab.advise(4, 64, data_type="series")
    assert shallow.activation == "silu"
    assert any(finding.source.startswith("experiments/convergence.py") for finding in shallow.findings)
    deep = lab.advise(32, 64)
    assert deep.activation not in ("silu", "sigmoid", "tanh")
    avoided = next(f for f in deep.findings if f.sentence.startswith("Avoid"))
    assert "sigmoid" in avoided.sentence
    assert avoided.number < 1e-10
    for finding in (*shallow.findings, *deep.findings):
        assert finding.evidence in ("theory", "experiment")
        assert math.isfinite(finding.number)
        assert finding.source
        if finding.evidence == "experiment":
            assert Path(RESULTS.parent.parent, finding.source.split(",")[0]).is_file()


def test_rates_shrink_with_depth_and_width():
    rates = {size: lab.advise(*size, among=["relu"]).learning_rates for size in ((4, 64), (16, 64), (4, 256))}
    low, high = rates[4, 64]
    assert low == pytest.approx(high / 10)
    assert high == pytest.approx(math.sqrt(2 * math.pi) / 256)  # 1 / (depth width E|relu|)
    assert rates[16, 64][1] == pytest.approx(high / 4)
    assert rates[4, 256][1] == pytest.approx(high / 4)


def test_precision_width_and_data_have_their_say():
    narrow = lab.advise(20, 2, among=["relu", "elu"], precision="float16", data_type="text")
    assert narrow.activation == "elu"
    said = str(narrow)
    assert "born dead" in said
    assert "Scale the loss" in said
    assert "No experiment here trains on text data" in said
    assert "hard to train" in said
    normalised = lab.advise(20, 64, normalisation="batch", among=["relu", "elu"])
    assert (normalised.activation, normalised.initialisation) == ("elu", "auto")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 0, "width": 8}, "depth must be a positive integer, was 0"),
        ({"depth": 3}, "width must be given"),
        ({"depth": 3, "width": 8, "precision": "int8"}, "precision must be one of float32"),
        ({"depth": 3, "width": 8, "data_type": "video"}, "data_type must be one of image"),
        ({"depth": 3, "width": 8, "normalisation": "group"}, "normalisation must be one of none"),
        ({"depth": 3, "width": 8, "among": ["rellu"]}, "relu"),
        ({"depth": 3, "width": 8, "among": [lambda x: 0.0 * x]}, "needs a finite E f²"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        lab.advise(**settings)


# --- diagnosis ----------------------------------------------------------------------------------------------

MEASURES = ("gradient_norm", "preactivation", "dead", "saturated", "update_ratio")
TINY = {"dataset": "digits", "seeds": 1, "record_every": 5, "batch_size": 32, "measure": MEASURES}
# Two networks only: what differs is no part of the compiled program.
SHALLOW = {**TINY, "activations": ("tanh", "sigmoid", "silu", "relu"), "depth": 2, "width": 16, "steps": 60}
DEEP = {
    **TINY, "activations": ("relu", "identity"), "depth": 32, "width": 160, "steps": 40, "batch_size": 16,
    "learning_rates": (5e-4,),
}  # fmt: skip
ILL = {
    "vanishing gradients": ("relu", {**DEEP, "init": "lecun"}),  # each layer halves the mean square
    "exploding gradients": ("identity", {**DEEP, "init": "he"}),  # each layer doubles it
    "dead units": ("relu", {**SHALLOW, "learning_rates": (1.0,)}),
    "saturation": ("tanh", {**SHALLOW, "learning_rates": (0.3,)}),
    "large updates": ("silu", {**SHALLOW, "learning_rates": (1.0,)}),
    "off-centre activations": ("sigmoid", {**SHALLOW, "learning_rates": (3e-3,)}),
    "small updates": ("tanh", {**SHALLOW, "learning_rates": (1e-6,)}),
    "divergence": ("relu", {**SHALLOW, "learning_rates": (1e15,)}),
}


def _loss(results, activation):
    """Validation loss at the end, infinite for a run that diverged."""
    index = results.select(chosen=True, activation=activation)
    last = results.curves["validation_loss"][index, -1]
    return float(np.where(results.diverged[index], math.inf, last).mean())


@pytest.mark.parametrize(
    "illness",
    [pytest.param(one, marks=pytest.mark.slow) if "gradients" in one else one for one in ILL],  # 32 layers
)
def test_every_illness_is_found_and_the_change_helps(illness, tmp_path, monkeypatch):
    monkeypatch.setattr(_recommend, "CANDIDATES", ("silu", "elu", "relu"))  # the theory of ten takes seconds
    _recommend.usual.cache_clear()
    activation, settings = ILL[illness]
    config = lab.CompareConfig(**settings)
    sick = lab.compare(config=config, output=tmp_path / "sick")
    found = lab.advise(run=sick)
    assert "not recorded" not in [finding.topic for finding in found.diagnosis]
    finding = next(f for f in found.diagnosis if (f.topic, f.activation) == (illness, activation))
    assert finding.evidence == "run"
    assert f"{activation}: " in finding.sentence
    change = dataclasses.replace(found, diagnosis=(finding,))
    cured = lab.compare(config=advice.apply(change, config), output=tmp_path / "cured")
    instead = finding.change.get("activations", activation)
    # A tenth is far beyond what 288 validation examples leave open: these losses differ by factors.
    assert _loss(cured, instead) < 0.9 * _loss(sick, activation)
    assert illness not in [one.topic for one in lab.advise(run=cured).diagnosis if one.activation == instead]
    _recommend.usual.cache_clear()


def test_networks_of_several_depths_are_diagnosed_without_warnings(tmp_path, monkeypatch):
    monkeypatch.setattr(_recommend, "CANDIDATES", ("silu", "relu"))
    _recommend.usual.cache_clear()
    results = lab.compare(
        ["tanh", "relu"],
        **TINY,
        depth=[1, 2],
        width=8,
        steps=10,
        learning_rates=[1e-6],
        output=tmp_path / "x",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = lab.advise(run=results)
    assert "small updates" in [finding.topic for finding in found.diagnosis]
    _recommend.usual.cache_clear()


# --- the command --------------------------------------------------------------------------------------------


def test_the_command_prints_every_sentence_with_its_source(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["advise", "--depth", "3", "--width", "32", "--among", "relu,tanh"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    whole = " ".join(out.split())
    made = lab.advise(3, 32, among=["relu", "tanh"])
    for finding in made.findings:
        assert " ".join(finding.sentence.split()) in whole
        assert f"{finding.evidence}, {finding.number:.4g}" in whole


def test_the_command_diagnoses_a_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_recommend, "CANDIDATES", ("silu", "elu", "relu"))
    _recommend.usual.cache_clear()
    folder = tmp_path / "run"
    results = lab.compare(config=lab.CompareConfig(**SHALLOW, learning_rates=(1e-6,)), output=folder)
    assert cli.main(["advise", str(folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == advice.SCHEMA
    assert document["run"] == str(folder)
    assert document["setting"] == {
        "depth": 2, "width": 16, "data_type": "image", "precision": "float32", "normalisation": "none",
    }  # fmt: skip
    assert {one["topic"] for one in document["diagnosis"]} >= {"small updates"}
    assert document["changes"]["learning_rates"]
    assert cli.main(["advise", str(folder), "--quiet"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Run the comparison again with --" in out
    assert "[theory" not in out
    # what was not recorded is said
    kept = {name: curve for name, curve in results.curves.items() if "loss" in name or "accuracy" in name}
    bare = lab.advise(run=dataclasses.replace(results, curves=kept))
    assert [finding.topic for finding in bare.diagnosis][-1] == "not recorded"
    assert "too small or too large updates" in bare.diagnosis[-1].sentence
    assert bare.changes["measure"] == MEASURES
    _recommend.usual.cache_clear()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "--depth and --width are needed, unless a run folder is given"),
        (["--depth", "3", "--width", "-1"], 2, "width must be a positive integer, was -1"),
        (["--depth", "x", "--width", "3"], 2, "--depth"),
        (["--depth", "3", "--width", "3", "--precision", "int8"], 2, "precision must be one of"),
        (["--depth", "3", "--width", "3", "--among", "rellu"], 2, "did you mean 'relu'"),
        (["nowhere"], 1, "nowhere"),
    ],
)
def test_bad_input_is_told(words, code, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["advise", *words]) == code
    assert message in " ".join(capsys.readouterr().err.split())
