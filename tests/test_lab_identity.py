"""Which function of the user's own is which: edits anywhere that change it make another digest."""

import functools
import importlib
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxacts.lab import config
from jaxacts.lab.identity import digest

MODULE = """
import math
SLOPE = {slope}
TABLE = {{"a": [1, {entry}]}}
def helper(x):
    return x * SLOPE {sign} TABLE["a"][1]
def f(x):
    return helper(x) + math.pi
"""


class Scaled:
    def __init__(self, factor, inner=jnp.tanh):
        self.factor, self.inner = factor, inner

    def __call__(self, x):
        return self.factor * self.inner(x)


def scaled(f):
    return lambda x: 2 * f(x)


def test_edits_of_helpers_and_constants_count(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    found = []
    for values in ((0.1, 2, "+"), (3.0, 2, "+"), (0.1, 4, "+"), (0.1, 2, "-"), (0.1, 2, "+")):
        text = MODULE.format(**dict(zip(("slope", "entry", "sign"), values, strict=True)))
        (tmp_path / "edited_acts.py").write_text(text)
        sys.modules.pop("edited_acts", None)
        importlib.invalidate_caches()
        found.append(digest(importlib.import_module("edited_acts").f))
    assert len(set(found[:4])) == 4
    assert found[4] == found[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (scaled(jnp.tanh), scaled(jax.nn.relu)),
        (Scaled(1.0), Scaled(2.0)),
        (Scaled(1.0, jnp.sin), Scaled(1.0, jnp.tanh)),
        (functools.partial(jnp.multiply, 2.0), functools.partial(jnp.multiply, 3.0)),
        (jax.jit(scaled(jnp.tanh)), jax.jit(scaled(jnp.sin))),
        (scaled(np.poly1d([1.0, 2.0])), scaled(np.poly1d([1.0, 3.0]))),
        (functools.partial(jnp.dot, np.arange(2.0)), functools.partial(jnp.dot, np.arange(3.0))),
        (jax.nn.relu, jax.nn.silu),
        (jnp.tanh, jnp.sin),
        (Scaled(1.0).__call__, Scaled(2.0).__call__),
    ],
)
def test_different_functions_are_told_apart(one, other):
    assert digest(one) != digest(other)
    assert digest(one) == digest(one)
    assert len(config.contenders([one, other])) == 2


def test_a_digest_is_the_same_in_every_process():
    code = "from jaxacts.lab.identity import digest; print(digest(lambda x: x in {'a', 'b', 'c', 'd', 'e'}))"
    found = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code]
        found.add(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
    assert len(found) == 1


def test_equal_functions_are_equal():
    assert digest(scaled(jnp.tanh)) == digest(scaled(jnp.tanh))
    assert digest(Scaled(1.0)) == digest(Scaled(1.0))

    def recursive(x, depth=2):
        return recursive(x, depth - 1) if depth else x

    assert digest(recursive) == digest(recursive)
    with pytest.raises(ValueError, match="must differ"):
        config.contenders([scaled(jnp.tanh), scaled(jnp.tanh)])
