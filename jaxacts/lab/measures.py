"""What is measured of a network while it trains: pure functions of pre-activations, slopes and gradients."""

from __future__ import annotations

from typing import Any

import chex
import jax
import jax.numpy as jnp
from jax import Array

from jaxacts.lab.mlp import Layer, Parameters

DEAD_BELOW = 1e-6  # |f'(z)| below this for every validation example: the unit passes no gradient
SATURATED_BELOW = 0.05  # share of sup |f'|

MEASURES = ("gradient_norm", "preactivation", "dead", "saturated")


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

    def norm(weight: Any) -> Array:
        return jnp.sqrt(jnp.square(weight.astype(jnp.float32)).sum((-2, -1)))

    hidden = gradients.hidden
    middle = norm(hidden.weight) if isinstance(hidden, Layer) else [norm(layer.weight) for layer in hidden]
    return jnp.stack([norm(gradients.first.weight), *middle, norm(gradients.last.weight)])


def layer_measures(
    preactivations: Any, slopes: Any, supremum: Array, wanted: tuple[str, ...]
) -> dict[str, Array]:
    """The measures of every hidden layer that were asked for.

    Args:
      preactivations: one (examples, units) array a layer, or stacked.
      slopes: f' there.
      supremum: sup |f'|.
      wanted: names from `MEASURES`.

    Returns:
      Arrays (layers,) by name.
    """
    found: dict[str, Array] = {}
    for_all: Any = _stacked if isinstance(preactivations, list | tuple) else jax.vmap
    if "preactivation" in wanted:
        found["preactivation_mean"], found["preactivation_std"] = for_all(mean_and_std)(preactivations)
    if "dead" in wanted:
        found["dead"] = for_all(dead_share)(slopes)
    if "saturated" in wanted:
        found["saturated"] = for_all(lambda slope: saturated_share(slope, supremum))(slopes)
    return found


def _stacked(function: Any) -> Any:
    return lambda layers: jax.tree.map(
        lambda *values: jnp.stack(values), *[function(layer) for layer in layers]
    )
