"""Settings of a comparison: what is refused, and what its hash follows."""

import dataclasses
import functools
import importlib
import sys

import jax
import pytest

import jaxacts
from jaxacts import lab
from jaxacts.lab import config, sweep

SMALL = {
    "dataset": "wine", "seeds": 2, "depth": 2, "width": 8, "steps": 30, "batch_size": 32, "record_every": 10,
    "learning_rates": (1e-3, 1e-1), "init": "lecun",
}  # fmt: skip


def custom(x):
    """Found by name as tests.test_lab_config:custom."""
    return x


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activations": ["gelo"]}, "unknown activation 'gelo'; did you mean 'gelu'"),
        ({"activations": []}, "at least one function"),
        ({"activations": ["relu", "relu"]}, "relu is there twice"),
        ({"activations": ["no.such.module:f"]}, "cannot import the module"),
        (
            {"activations": ["tests.test_lab_config:costum"]},
            "has no function 'costum'; did you mean 'custom'",
        ),
        ({"dataset": "digit"}, "unknown data set 'digit'; did you mean 'digits'"),
        ({"seeds": 0}, "seeds must be a count of at least 1"),
        ({"seeds": [1, 1]}, "seeds must differ"),
        ({"seeds": [-1]}, "seeds must be one or more integers"),
        ({"seeds": "three"}, "seeds must be a count"),
        ({"depth": 0}, "depth must be a positive integer, was 0"),
        ({"width": -4}, "width must be a positive integer, was -4"),
        ({"steps": 0}, "steps must be a positive integer"),
        ({"steps": 2.5}, "steps must be a positive integer"),
        ({"steps": 10, "record_every": 11}, "record_every must be at most steps"),
        ({"batch_size": 4000}, "batch_size 4000 exceeds the 113 training examples"),
        ({"learning_rates": [0.0]}, "learning_rates must be positive"),
        ({"learning_rates": []}, "learning_rates must be positive|at least one"),
        ({"optimizer": "adamm"}, "optimizer must be one of .* did you mean 'adam'"),
        ({"init": "xavier"}, "init must be one of .* was 'xavier'; did you mean 'glorot'"),
        ({"target": 0}, "target must be above 0"),
        ({"dropout": 1.0}, "dropout must be at least 0 and below 1"),
        ({"measure": ["hessian"]}, "measure must be among"),
        ({"device": "abacus"}, "device must be auto, cpu, gpu or tpu"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_written(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        lab.compare(output=tmp_path / "r", **{**SMALL, "activations": ["relu"], **settings})
    assert not (tmp_path / "r").exists()


def test_unknown_settings_and_devices(tmp_path):
    with pytest.raises(TypeError, match="compare has no setting 'dept'"):
        lab.compare(["relu"], output=tmp_path / "r", dept=3)
    if jax.default_backend() == "cpu":
        with pytest.raises(lab.DeviceError, match="no gpu device was found by JAX; found: cpu"):
            lab.compare(["relu"], output=tmp_path / "r", device="gpu", **SMALL)


def test_the_hash_follows_the_configuration():
    base = lab.CompareConfig(("relu",), **SMALL)

    def plan(**new):
        return sweep.plan(dataclasses.replace(base, **new))

    assert plan().hash == plan().hash
    assert plan(target=0.5).hash == plan().hash  # only the report depends on it
    hashes = {
        plan(**new).hash
        for new in ({}, {"depth": 3}, {"seeds": 3}, {"activations": (lambda x: x,)}, {"dataset": "digits"})
    }
    assert len(hashes) == 5
    assert plan().folder.parts == ("runs", f"compare-{plan().hash}")
    assert plan(activations=(lambda x: x * 2,)).hash != plan(activations=(lambda x: x * 3,)).hash
    names = [c.name for c in config.contenders([lambda x: x, lambda x: 2 * x, "relu"])]
    assert names == ["lambda", "lambda-2", "relu"]


def test_an_edited_function_is_another_configuration(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    found = []
    for body in ("jnp.tanh(x)", "0 * x", "(lambda y: y + 1)(x)", "(lambda y: y + 2)(x)", "jnp.tanh(x)"):
        (tmp_path / "edited.py").write_text(f"import jax.numpy as jnp\ndef f(x):\n    return {body}\n")
        sys.modules.pop("edited", None)
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)  # written twice within a second
        found.append(config.contenders(["edited:f"])[0].source)
    assert len(set(found)) == 4
    assert found[0] == found[4]
    halves = [functools.partial(f, 2) for f in (max, min)]
    assert len({one.source for one in config.contenders(halves)}) == 2


def test_parameters_are_given_after_colons():
    one, other = config.contenders(["elu:alpha=0.5", jaxacts.get("elu", alpha=0.25)])
    assert (one.name, one.source) == ("elu-alpha=0.5", "catalogue:elu:alpha=0.5")
    assert one.fn == jaxacts.get("elu", alpha=0.5)
    assert config.contenders([other.source.partition(":")[2]])[0].fn == other.fn  # found again
    with pytest.raises(ValueError, match="twice"):
        config.contenders(["elu:alpha=0.5", jaxacts.get("elu", alpha=0.5)])
    for text, message in (
        ("elu:", "expected parameter=value"),
        ("elu:alpha=nan", "must be a number, was 'nan'"),
    ):
        with pytest.raises(ValueError, match=message):
            config.contenders([text])
