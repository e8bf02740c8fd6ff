"""Scores of predictions against scikit-learn, and the table that records are kept in."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxacts.lab import scoring
from jaxacts.lab.records import Records, join

metrics = pytest.importorskip("sklearn.metrics")


def draws(*shape):
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


def test_scores_of_a_classification_are_scikit_learns():
    output, label = draws(50, 4), np.random.default_rng(4).integers(0, 4, 50)
    target = np.eye(4, dtype=np.float32)[label]
    found = jax.jit(lambda o, v, t: scoring.scores("classification", o, {"validation": v, "test": t}))(
        output, target[:30], target[30:]
    )
    softmax = np.exp(output) / np.exp(output).sum(1, keepdims=True)
    for part, rows in (("validation", slice(30)), ("test", slice(30, None))):
        accuracy = metrics.accuracy_score(label[rows], output[rows].argmax(1))
        # A float32 mean of 30 numbers: 30 roundings of 6e-8 at most.
        np.testing.assert_allclose(found[f"{part}_accuracy"], accuracy, rtol=2e-6)
        loss = metrics.log_loss(label[rows], softmax[rows], labels=range(4))
        np.testing.assert_allclose(found[f"{part}_loss"], loss, rtol=2e-6)


def test_ties_count_once():
    target = np.eye(4, dtype=np.float32)
    found = scoring.scores("classification", jnp.zeros((4, 4)), {"test": target})
    assert found["test_accuracy"] == 0.25  # a network that says nothing is right by chance


def test_scores_of_a_regression_are_scikit_learns():
    output, target = draws(40, 3), draws(40, 6)[:, ::2] * 2
    found = scoring.scores("regression", output, {"validation": target[:25], "test": target[25:]})
    for part, rows in (("validation", slice(25)), ("test", slice(25, None))):
        score = metrics.r2_score(target[rows], output[rows], multioutput="variance_weighted")
        np.testing.assert_allclose(found[f"{part}_score"], score, rtol=1e-5)  # a difference of like numbers
        error = metrics.mean_squared_error(target[rows], output[rows])
        np.testing.assert_allclose(found[f"{part}_loss"], error, rtol=2e-6)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_part_that_diverged_leaves_the_other_alone(task):
    output = jnp.array([[1.0, 0.0], [jnp.inf, 0.0], [0.0, 1.0], [1.0, 0.5]])
    target = jnp.eye(2)
    found = scoring.scores(task, output, {"validation": target, "test": target[::-1]})
    assert not np.isfinite(found["validation_loss"])
    assert np.isfinite(found["test_loss"])


def test_records_pass_through_a_loop_and_vmap_as_one_array():
    def layer(z, scale):
        return z * scale, join({"mean": z.mean(), "both": jnp.stack([z.min(), z.max()])})

    def step(z, _):
        z, layers = jax.lax.scan(layer, z, jnp.array([1.0, 2.0, 3.0]))
        return z, join({"sum": z.sum()}, layers, {"last": z})

    z = draws(5, 7)
    _, records = jax.jit(jax.vmap(lambda z: jax.lax.scan(step, z, length=2)))(z)
    assert len(jax.tree.leaves(records)) == 1
    assert list(records) == ["sum", "mean", "both", "last"]
    seen = [[z * 6.0**turn * scale for scale in (1.0, 1.0, 2.0)] for turn in (0, 1)]
    exact = {
        "sum": np.stack([(6.0 ** (turn + 1) * z).sum(1) for turn in (0, 1)], 1),
        "mean": np.stack([np.stack([h.mean(1) for h in turn], 1) for turn in seen], 1),
        "both": np.stack([np.stack([np.stack([h.min(1), h.max(1)], 1) for h in t], 1) for t in seen], 1),
        "last": np.stack([6.0 * z, 36.0 * z], 1),
    }
    chex.assert_trees_all_close(jax.device_get(dict(records)), exact, rtol=1e-5)  # sums in another order
    assert isinstance(records, Records)
    with pytest.raises(KeyError):
        records["first"]
