r"""How signals and gradients travel through a model, and which units have stopped to take part.

Everything here is a pure function of arrays and callables, for any model in any framework. Definitions, with
z the pre-activations of a unit over the examples:

* *dead*: :math:`|f'(z)| < 10^{-6}` for every example; no example can move the unit any more.
* *saturated*: an entry where :math:`|f'(z)|` is below 5 % of :math:`\sup |f'|`; reported as the fraction of a
  unit's examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import as_inexact, facts
from jaxacts._numerics import widen

__all__ = [
    "DEAD",
    "SATURATED",
    "Flow",
    "Statistics",
    "Units",
    "gradient_flow",
    "signal_flow",
    "slopes",
    "statistics",
    "steepest",
    "units",
]

DEAD = 1e-6
SATURATED = 0.05
Activation = Callable[[Array], Array]


class Statistics(NamedTuple):
    """Numbers that describe one array; all scalars.

    Attributes:
      mean: mean.
      std: standard deviation.
      rms: root mean square.
      largest: largest absolute value.
      zeros: fraction of exact zeros.
      finite: fraction of finite entries; the other numbers are NaN or infinite when it is below 1.
    """

    mean: Array
    std: Array
    rms: Array
    largest: Array
    zeros: Array
    finite: Array


class Units(NamedTuple):
    """The state of the units behind an activation, one number a unit.

    Attributes:
      dead: whether the derivative vanishes for every example.
      saturated: fraction of examples on which the unit is saturated.
      slope: mean absolute derivative over the examples.
    """

    dead: Array
    saturated: Array
    slope: Array


class Flow(NamedTuple):
    """Signal and gradient at each stage of a chain of layers.

    Attributes:
      signals: statistics of the output of each stage.
      gradients: statistics of the derivative of the loss with respect to that output.
      ratios: rms gradient of each stage over that of the next one; the last is 1. Below 1, gradients vanish
        towards the input; above 1, they explode.
    """

    signals: tuple[Statistics, ...]
    gradients: tuple[Statistics, ...]
    ratios: Array


def _wide(x: ArrayLike) -> Array:
    return widen(x)[0]


def statistics(x: ArrayLike) -> Statistics:
    """Mean, spread, size and health of an array, computed in at least float32.

    The root mean square neither overflows nor underflows where the entries themselves do not.

    Args:
      x: array of any shape, not empty.

    Returns:
      The statistics.

    Raises:
      ValueError: if `x` is empty.

    Example:
      >>> jaxacts.diagnostics.statistics(jnp.array([3.0, 0.0, -4.0, 0.0])).rms
      Array(2.5, dtype=float32)
    """
    x = _wide(x)
    if x.size == 0:
        raise ValueError(f"x must not be empty, has shape {x.shape}")
    largest = jnp.max(jnp.abs(x))
    unit = jnp.where((largest > 0) & jnp.isfinite(largest), largest, 1.0)
    small = x / unit
    mean = jnp.mean(small)
    return Statistics(
        mean=mean * unit,
        std=jnp.sqrt(jnp.mean((small - mean) ** 2)) * unit,
        rms=jnp.sqrt(jnp.mean(small**2)) * unit,
        largest=largest,
        zeros=jnp.mean(x == 0, dtype=x.dtype),
        finite=jnp.mean(jnp.isfinite(x), dtype=x.dtype),
    )


def slopes(f: Activation, z: ArrayLike) -> Array:
    """The derivative of an elementwise function at every entry, by forward differentiation.

    Args:
      f: elementwise function.
      z: input of any shape.

    Returns:
      f'(z), with the shape of `z` and at least float32.

    Example:
      >>> jaxacts.diagnostics.slopes(jaxacts.relu, jnp.array([-1.0, 2.0]))
      Array([0., 1.], dtype=float32)
    """
    z = _wide(z)
    return jax.jvp(lambda x: f(x), (z,), (jnp.ones_like(z),))[1]


def steepest(f: Activation, reach: float = 10.0) -> Array | float:
    """The largest absolute derivative of an elementwise function, the scale against which units saturate.

    That is the least Lipschitz constant the catalogue states. Where there is none, or it is infinite, it is
    the largest value on a grid of 20001 points from -reach to reach.

    Args:
      f: elementwise function.
      reach: half the width of the grid.

    Returns:
      The largest slope.

    Example:
      >>> jaxacts.diagnostics.steepest(jaxacts.sigmoid)
      0.25
      >>> float(jaxacts.diagnostics.steepest(jnp.square, reach=2.0))
      4.0
    """
    known = facts(f)
    if known is not None and known.lipschitz < float("inf"):
        return known.lipschitz
    return jnp.max(jnp.abs(slopes(f, jnp.linspace(-reach, reach, 20_001))))


def units(f: Activation, z: ArrayLike, axis: int = -1, scale: ArrayLike | None = None) -> Units:
    """Dead and saturated units behind an activation.

    Args:
      f: elementwise activation.
      z: pre-activations, examples and positions along every axis but one.
      axis: the axis of the units.
      scale: the slope that counts as full, by default :func:`steepest`.

    Returns:
      One number a unit.

    Raises:
      ValueError: if `axis` is not an axis of `z` or there are no examples.

    Example:
      >>> z = jnp.array([[-1.0, -1.0, 2.0], [-3.0, 1.0, 1.0]])
      >>> jaxacts.diagnostics.units(jaxacts.relu, z).dead
      Array([ True, False, False], dtype=bool)
    """
    z = _wide(z)
    if not -z.ndim <= axis < z.ndim:
        raise ValueError(f"axis must name an axis of z, which has shape {z.shape}, was {axis}")
    others = tuple(i for i in range(z.ndim) if i != axis % z.ndim)
    if z.size == 0:
        raise ValueError(f"z must hold at least one example, has shape {z.shape}")
    slope = jnp.abs(slopes(f, z))
    full = jnp.asarray(steepest(f) if scale is None else scale, slope.dtype)
    return Units(
        dead=jnp.all(slope < DEAD, axis=others),
        saturated=jnp.mean(slope < SATURATED * full, axis=others, dtype=slope.dtype),
        slope=jnp.mean(slope, axis=others),
    )


def gradient_flow(loss: Callable[..., Array], params: Any, *args: Any) -> dict[str, dict[str, Any]]:
    """Statistics of the gradient of a loss, one entry for each array of parameters.

    Args:
      loss: scalar function of (params, *args).
      params: any pytree of arrays.
      *args: further arguments of the loss.

    Returns:
      For each leaf, by its path: ``weights`` and ``gradient``, both :class:`Statistics`, and ``ratio``, the
      rms of the gradient over that of the weights (NaN for weights that are all 0).

    Example:
      >>> params = {"w": jnp.array([1.0, 2.0])}
      >>> flow = jaxacts.diagnostics.gradient_flow(lambda p: (p["w"] ** 2).sum(), params)
      >>> float(flow["['w']"]["ratio"])
      2.0
    """
    gradient = jax.grad(loss)(params, *args)
    weights, _ = jax.tree_util.tree_flatten_with_path(params)
    rows = {}
    for (path, weight), slope in zip(weights, jax.tree.leaves(gradient), strict=True):
        before, after = statistics(weight), statistics(slope)
        ratio = jnp.where(before.rms > 0, after.rms / jnp.where(before.rms > 0, before.rms, 1.0), jnp.nan)
        rows[jax.tree_util.keystr(path)] = {"weights": before, "gradient": after, "ratio": ratio}
    return rows


def signal_flow(
    stages: Sequence[Callable[[Array], Array]], x: ArrayLike, loss: Callable[[Array], Array]
) -> Flow:
    """Signal and gradient at the output of every stage of a chain.

    A zero "probe" is added to every output; the derivative of the loss with respect to the probes is the
    gradient there, so the stages need no hooks and one backward pass serves all.

    Args:
      stages: functions applied one after the other, such as layers without their activations, activations, or
        whole blocks.
      x: input of the first one.
      loss: scalar function of the last output.

    Returns:
      The flow.

    Raises:
      ValueError: if there are no stages.

    Example:
      >>> flow = jaxacts.diagnostics.signal_flow([lambda z: 2 * z] * 3, jnp.ones(4), jnp.sum)
      >>> [float(s.rms) for s in flow.signals], [float(g.rms) for g in flow.gradients]
      ([2.0, 4.0, 8.0], [4.0, 2.0, 1.0])
    """
    if not stages:
        raise ValueError("stages must hold at least one function, was empty")
    x = as_inexact(x)

    def run(probes: list[Array]) -> tuple[Array, list[Array]]:
        outputs, y = [], x
        for stage, probe in zip(stages, probes, strict=True):
            y = stage(y) + probe
            outputs.append(y)
        return loss(y), outputs

    shapes, y = [], jax.eval_shape(lambda: x)
    for stage in stages:
        y = jax.eval_shape(stage, y)
        shapes.append(y)
    gradient, outputs = jax.grad(run, has_aux=True)([jnp.zeros(s.shape, s.dtype) for s in shapes])
    signals, gradients = (tuple(statistics(a) for a in arrays) for arrays in (outputs, gradient))
    sizes = jnp.stack([g.rms for g in gradients])
    following = jnp.concatenate([sizes[1:], sizes[-1:]])
    ratios = jnp.where(following > 0, sizes / jnp.where(following > 0, following, 1.0), jnp.nan)
    return Flow(signals, gradients, ratios)
