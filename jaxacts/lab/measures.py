"""What can be measured of a network while it trains: pure functions of activations, slopes and gradients.

Measures of the whole network that need a spectrum (Jacobian, Hessian) are in `jaxacts.lab.spectra`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

import chex
import jax.numpy as jnp
from jax import Array

from jaxacts.lab.mlp import Layer, Parameters

DEAD_BELOW = 1e-6  # |f'(z)| below this for every validation example: the unit passes no gradient
SATURATED_BELOW = 0.05  # share of sup |f'|
EXAMPLES = 512  # the effective rank and the sharpness are computed from as many examples at most
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

DEFAULT = ("gradient_norm", "preactivation", "dead", "saturated")
MEASURES = (
    *DEFAULT, "quantiles", "zero_gradient", "effective_rank", "jacobian", "sharpness", "distance",
    "update_ratio",
)  # fmt: skip
OF_A_STEP = frozenset({"gradient_norm", "zero_gradient", "update_ratio"})  # of the last step before a record


class Curve(NamedTuple):
    """One stored array of a measure, and how it is shown.

    Attributes:
      measure: the measure that it belongs to.
      axis: what its last axis counts: weight matrices, hidden layers, singular values, or nothing.
      label: what a picture calls it.
      log: whether it spreads over powers of ten.
    """

    measure: str
    axis: Literal["weights", "layers", "values", "none"]
    label: str
    log: bool = False


CURVES = {
    "gradient_norm": Curve("gradient_norm", "weights", "gradient norm (L2)", log=True),
    "dead": Curve("dead", "layers", "share of dead units"),
    "saturated": Curve("saturated", "layers", "share of saturated units"),
    "preactivation_mean": Curve("preactivation", "layers", "mean of the pre-activations"),
    "preactivation_std": Curve("preactivation", "layers", "standard deviation of the pre-activations"),
    **{
        f"preactivation_q{100 * share:02.0f}": Curve(
            "quantiles", "layers", f"{100 * share:.0f} % quantile of the pre-activations"
        )
        for share in QUANTILES
    },
    "zero_gradient": Curve("zero_gradient", "weights", "share of gradient entries that are exactly 0"),
    "effective_rank": Curve("effective_rank", "layers", "effective rank of the activations"),
    "jacobian": Curve("jacobian", "values", "singular values of the input-output Jacobian", log=True),
    "sharpness": Curve("sharpness", "none", "sharpness (largest Hessian eigenvalue)"),
    "distance": Curve("distance", "weights", "distance of the weights from their start (L2)"),
    "update_ratio": Curve("update_ratio", "weights", "size of a step relative to the weights", log=True),
}


def dead_share(slopes: Array) -> Array:
    """Share of units whose slope is below 1e-6 in size for every example.

    Args:
      slopes: (examples, units), f'(z).

    Returns:
      A scalar between 0 and 1.

    Example:
      >>> from jaxacts.lab import measures
      >>> float(measures.dead_share(jnp.array([[0.0, 0.0], [0.0, 1.0]])))
      0.5
    """
    chex.assert_rank(slopes, 2)
    return (jnp.abs(slopes).max(0) < DEAD_BELOW).astype(jnp.float32).mean()


def saturated_share(slopes: Array, supremum: Array | float) -> Array:
    """Share of units and examples whose slope is below 5 % of the largest slope the activation has.

    Args:
      slopes: (examples, units), f'(z).
      supremum: sup |f'|; infinite where f' is unbounded.

    Returns:
      A scalar between 0 and 1, or NaN where the supremum is infinite.

    Example:
      >>> from jaxacts.lab import measures
      >>> float(measures.saturated_share(jnp.array([[0.01, 0.2], [0.0, 0.25]]), 0.25))
      0.5
    """
    chex.assert_rank(slopes, 2)
    supremum = jnp.asarray(supremum, jnp.float32)
    share = (jnp.abs(slopes).astype(jnp.float32) < SATURATED_BELOW * supremum).astype(jnp.float32).mean()
    return jnp.where(jnp.isfinite(supremum), share, jnp.nan)


def mean_and_std(z: Array) -> tuple[Array, Array]:
    """Mean and standard deviation over units and examples, in float32.

    Args:
      z: (examples, units).

    Returns:
      Two scalars.

    Example:
      >>> from jaxacts.lab import measures
      >>> [float(v) for v in measures.mean_and_std(jnp.array([[1.0, 3.0]]))]
      [2.0, 1.0]
    """
    z = z.astype(jnp.float32)
    mean = z.mean()
    return mean, jnp.sqrt(jnp.square(z - mean).mean())


def quantiles(z: Array) -> Array:
    """The 5, 25, 50, 75 and 95 % quantiles over units and examples, in float32.

    Args:
      z: (examples, units).

    Returns:
      (5,) float32.

    Example:
      >>> from jaxacts.lab import measures
      >>> measures.quantiles(jnp.arange(101.0)[None]).tolist()
      [5.0, 25.0, 50.0, 75.0, 95.0]
    """
    return jnp.quantile(z.astype(jnp.float32).reshape(-1), jnp.array(QUANTILES, jnp.float32))


def effective_rank(activations: Array) -> Array:
    r"""Exponential of the entropy of the normalised singular values of a matrix of activations.

    With :math:`p_i = \sigma_i / \sum_j \sigma_j` it is :math:`\exp(-\sum_i p_i \log p_i)`: 1 when all
    examples lie on one line through the origin, the number of units when all directions are used alike.

    Args:
      activations: (examples, units).

    Returns:
      A float32 scalar from 1 to min(examples, units); 0 where all activations are 0.

    Example:
      >>> from jaxacts.lab import measures
      >>> round(float(measures.effective_rank(jnp.eye(4))), 4)
      4.0

    Reference:
      Roy & Vetterli, The effective rank, EUSIPCO 2007
    """
    values = jnp.linalg.svd(activations.astype(jnp.float32), compute_uv=False)
    total = values.sum()
    share = values / jnp.where(total > 0, total, 1.0)
    entropy = -jnp.where(share > 0, share * jnp.log(jnp.where(share > 0, share, 1.0)), 0.0).sum()
    return jnp.where(total > 0, jnp.exp(entropy), 0.0)


def for_weights(function: Callable[..., Array], *trees: Parameters) -> Array:
    """A scalar for every weight matrix of a network.

    Args:
      function: of as many weight matrices as there are trees; it must reduce the last two axes only.
      *trees: pytrees with the structure of the parameters.

    Returns:
      (hidden layers + 1,) array, input side first.

    Example:
      >>> from jaxacts.lab import measures, mlp
      >>> weights = mlp.init(mlp.draw(0, 3, 2, depth=2, width=4))
      >>> measures.for_weights(lambda w: jnp.zeros_like(w).sum((-2, -1)), weights).tolist()
      [0.0, 0.0, 0.0]
    """
    hidden = [tree.hidden for tree in trees]
    first, last = (function(*[getattr(tree, end).weight for tree in trees]) for end in ("first", "last"))
    if isinstance(hidden[0], Layer):  # never layer by layer: the program must not grow with the depth
        middle = function(*[layer.weight for layer in hidden])
        return jnp.concatenate([first[None], middle, last[None]])
    middle = [function(*[layer.weight for layer in layers]) for layers in zip(*hidden, strict=True)]
    return jnp.stack([first, *middle, last])


def weight_norms(gradients: Parameters) -> Array:
    """L2 norm of the gradient of every weight matrix, input side first.

    Args:
      gradients: a pytree with the structure of the parameters.

    Returns:
      (hidden layers + 1,) float32.

    Example:
      >>> from jaxacts.lab import measures, mlp
      >>> weights = mlp.init(mlp.draw(0, 3, 2, depth=2, width=4))
      >>> measures.weight_norms(jax.tree.map(jnp.ones_like, weights)).round(2)
      Array([3.46, 4.  , 2.83], dtype=float32)
    """
    return for_weights(_norm, gradients)


def zero_shares(gradients: Parameters) -> Array:
    """Share of exact zeros in the gradient of every weight matrix, input side first.

    Zeros come from dead units, and in 16-bit training from gradients too small for the type.

    Args:
      gradients: a pytree with the structure of the parameters.

    Returns:
      (hidden layers + 1,) float32.

    Example:
      >>> from jaxacts.lab import measures, mlp
      >>> weights = mlp.init(mlp.draw(0, 3, 2, depth=2, width=4))
      >>> measures.zero_shares(jax.tree.map(jnp.zeros_like, weights)).tolist()
      [1.0, 1.0, 1.0]
    """
    return for_weights(lambda g: (g == 0).astype(jnp.float32).mean((-2, -1)), gradients)


def distances(parameters: Parameters, start: Parameters) -> Array:
    """L2 distance of every weight matrix from where it started, input side first.

    Args:
      parameters: the parameters now.
      start: the parameters at the start.

    Returns:
      (hidden layers + 1,) float32.

    Example:
      >>> from jaxacts.lab import measures, mlp
      >>> weights = mlp.init(mlp.draw(0, 3, 2, depth=2, width=4))
      >>> measures.distances(weights, weights).tolist()
      [0.0, 0.0, 0.0]

    Reference:
      Nagarajan & Kolter, https://arxiv.org/abs/1901.01672
    """
    return for_weights(lambda now, then: _norm(now - then), parameters, start)


def update_ratios(before: Parameters, after: Parameters) -> Array:
    """Size of one update of every weight matrix relative to the matrix itself (L2 norms), input side first.

    Args:
      before: the parameters before the step.
      after: the parameters after it.

    Returns:
      (hidden layers + 1,) float32; about 1e-3 in well-tuned training.

    Example:
      >>> from jaxacts.lab import measures, mlp
      >>> weights = mlp.init(mlp.draw(0, 3, 2, depth=2, width=4))
      >>> measures.update_ratios(weights, jax.tree.map(lambda w: 1.5 * w, weights)).round(6).tolist()
      [0.5, 0.5, 0.5]
    """
    return for_weights(lambda old, new: _norm(new - old) / _norm(old), before, after)


def _norm(weight: Any) -> Array:
    return jnp.sqrt(jnp.square(weight.astype(jnp.float32)).sum((-2, -1)))


def step_measures(
    gradients: Parameters | None, before: Parameters | None, after: Parameters, wanted: tuple[str, ...]
) -> dict[str, Array]:
    """The measures of one optimiser step that were asked for.

    Args:
      gradients: of the minibatch; None where no measure wants them.
      before: the parameters before the step; None where no measure wants them.
      after: the parameters after it.
      wanted: names from `MEASURES`.

    Returns:
      Arrays (hidden layers + 1,) by name.
    """
    found: dict[str, Array] = {}
    if "gradient_norm" in wanted:
        found["gradient_norm"] = weight_norms(cast(Parameters, gradients))
    if "zero_gradient" in wanted:
        found["zero_gradient"] = zero_shares(cast(Parameters, gradients))
    if "update_ratio" in wanted:
        found["update_ratio"] = update_ratios(cast(Parameters, before), after)
    return found


def layer_measures(
    z: Array, slopes: Array, activations: Array, supremum: Array | float, wanted: tuple[str, ...]
) -> dict[str, Array]:
    """The measures of one hidden layer that were asked for.

    Args:
      z: (examples, units), the pre-activations.
      slopes: f'(z).
      activations: f(z), for the effective rank.
      supremum: sup |f'|.
      wanted: names from `MEASURES`; those of anything but a layer are passed over.

    Returns:
      Scalars by the name of their curve.

    Example:
      >>> from jaxacts.lab import measures
      >>> z = jnp.array([[-1.0, 2.0], [-3.0, 4.0]])
      >>> found = measures.layer_measures(z, jnp.sign(jnp.maximum(z, 0)), z, 1.0, ("dead", "saturated"))
      >>> {name: float(value) for name, value in found.items()}
      {'dead': 0.5, 'saturated': 0.5}
    """
    found: dict[str, Array] = {}
    if "preactivation" in wanted:
        found["preactivation_mean"], found["preactivation_std"] = mean_and_std(z)
    if "dead" in wanted:
        found["dead"] = dead_share(slopes)
    if "saturated" in wanted:
        found["saturated"] = saturated_share(slopes, supremum)
    if "quantiles" in wanted:
        for share, value in zip(QUANTILES, quantiles(z), strict=True):
            found[f"preactivation_q{100 * share:02.0f}"] = value
    if "effective_rank" in wanted:
        found["effective_rank"] = effective_rank(activations[:EXAMPLES])
    return found
