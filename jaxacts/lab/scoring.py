"""Losses and metrics of predictions."""

from __future__ import annotations

from collections.abc import Mapping

import chex
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxacts.lab.records import Records


def losses(task: str, output: Array, target: Array) -> Array:
    """Loss of every example: softmax cross-entropy, or mean squared error.

    Args:
      task: "classification" or "regression".
      output: (examples, outputs), before any softmax.
      target: (examples, outputs), one-hot or real.

    Returns:
      (examples,) float32.

    Example:
      >>> from jaxacts.lab import scoring
      >>> scoring.losses("regression", jnp.array([[1.0, 2.0]]), jnp.array([[0.0, 2.0]])).tolist()
      [0.5]
    """
    if task == "classification":
        # By one-hot targets, not by labels: no gather, whose gradient is a slow scatter.
        return jax.nn.logsumexp(output, axis=1) - (output * target).sum(1)
    return jnp.square(output - target).mean(1)


def metric_name(task: str) -> str:
    """What the metric of a task is called: "accuracy", or "score" (the coefficient of determination)."""
    return "accuracy" if task == "classification" else "score"


def scores(task: str, output: Array, targets: Mapping[str, Array]) -> Records:
    """Mean loss and metric of each part of the data.

    All parts are computed in one piece, as every array of another shape is one more kernel to compile.

    Args:
      task: "classification" or "regression".
      output: (examples, outputs), the predictions for the parts one after the other.
      targets: by the name of the part, (examples, outputs).

    Returns:
      The entries "PART_loss" and "PART_accuracy" or "PART_score", scalars.

    Example:
      >>> from jaxacts.lab import scoring
      >>> output, target = jnp.array([[2.0, 0.0], [0.0, 1.0]]), jnp.array([[1.0, 0.0]])
      >>> found = scoring.scores("classification", output, {"test": target, "other": target})
      >>> [round(float(value), 3) for value in found.values()]
      [0.127, 1.0, 1.313, 0.0]

    Reference:
      The score is 1 - sum (y - t)^2 / sum (t - mean t)^2, as R^2 of scikit-learn with multioutput
      "variance_weighted".
    """
    everything = jnp.concatenate(list(targets.values()))
    chex.assert_equal_shape([output, everything])
    if task == "classification":
        chosen = output.argmax(1)[:, None] == jnp.arange(output.shape[1])[None]
        quality = (everything * chosen.astype(jnp.float32)).sum(1)
    else:
        quality = jnp.square(output - everything).sum(1)
    both = jnp.stack([losses(task, output, everything), quality])
    ends = np.cumsum([len(target) for target in targets.values()])[:-1]
    means = jnp.stack([part.mean(1) for part in jnp.split(both, ends, axis=1)])
    if task == "regression":
        spread = jnp.stack([jnp.square(t - t.mean(0)[None]).sum(1).mean() for t in targets.values()])
        means = means.at[:, 1].set(1.0 - means[:, 1] / spread)
    names = [f"{part}_{kind}" for part in targets for kind in ("loss", metric_name(task))]
    return Records(means.reshape(-1), {name: ((), (place,)) for place, name in enumerate(names)})
