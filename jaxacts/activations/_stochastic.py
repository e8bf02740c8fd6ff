r"""Stochastic activations: an explicit key draws the noise, and ``key=None`` is the evaluation mode.

The key has no default, so that evaluation is never chosen by forgetting it. Noise for 16-bit input is drawn
and used in float32; the result is rounded once.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import Array, lax
from jax.core import Tracer
from jax.typing import ArrayLike

from jaxacts._declare import declare_other
from jaxacts._numerics import times, widen
from jaxacts.activations._rectifiers import relu
from jaxacts.activations._smooth_rectifiers import softplus
from jaxacts.activations._vector import Axis, as_rows, softmax

__all__ = ["gumbel_softmax", "noisy_relu", "rrelu"]


def rrelu(x: ArrayLike, key: Array | None, lower: ArrayLike = 1 / 8, upper: ArrayLike = 1 / 3) -> Array:
    r"""Randomised leaky rectifier: x for x > 0, :math:`a x` with :math:`a \sim U(l, u)` for x <= 0.

    Every element draws its own slope. Evaluation uses the mean slope, (l + u)/2 = 11/48 by default. The
    derivative at 0 is the slope.

    Args:
      x: input of any shape.
      key: random key; None selects evaluation.
      lower: smallest slope, l.
      upper: largest slope, u.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if `lower` exceeds `upper`; not seen where they are traced.

    Example:
      >>> rrelu = jaxacts.get("rrelu").fn
      >>> rrelu(jnp.array([-48.0, 2.0]), None)
      Array([-11.,   2.], dtype=float32)
      >>> slope = rrelu(-jnp.ones(1000), jax.random.key(0))
      >>> bool((slope >= -1 / 3).all() & (slope <= -1 / 8).all())
      True

    Reference:
      Xu et al. (2015), https://arxiv.org/abs/1505.00853
    """
    if not isinstance(lower, Tracer) and not isinstance(upper, Tracer) and np.any(np.greater(lower, upper)):
        raise ValueError(f"lower must not exceed upper, were {lower} and {upper}")
    x, narrow = widen(x)
    if key is None:
        slope = jnp.asarray((lower + upper) / 2, x.dtype)
    else:
        slope = jr.uniform(key, x.shape, x.dtype, lower, upper)
    return narrow(jnp.where(x > 0, x, times(slope, x)))


def noisy_relu(x: ArrayLike, key: Array | None) -> Array:
    r"""Noisy rectifier, :math:`\max(x + \sqrt{\sigma(x)}\,\varepsilon, 0)` with standard normal noise.

    The noise has variance :math:`\sigma(x)`, the logistic sigmoid of x. Gradients pass through its scale as
    well (reparametrisation). Evaluation drops the noise and is the plain rectifier.

    Args:
      x: input of any shape.
      key: random key; None selects evaluation.

    Returns:
      An array with the shape and dtype of `x`.

    Example:
      >>> noisy_relu = jaxacts.get("noisy_relu").fn
      >>> noisy_relu(jnp.array([-1.0, 2.0]), None)
      Array([0., 2.], dtype=float32)
      >>> bool(noisy_relu(jnp.full(1000, -0.5), jax.random.key(0)).max() > 0)
      True

    Reference:
      Nair & Hinton, Rectified linear units improve restricted Boltzmann machines, ICML (2010), section 2.1
    """
    x, narrow = widen(x)
    if key is not None:
        # The square root of the sigmoid in this form has a finite derivative for every x.
        scale = jnp.exp(-0.5 * softplus(-x))
        x = x + scale * jr.normal(key, x.shape, x.dtype)
    return narrow(relu(x))


def gumbel_softmax(
    x: ArrayLike,
    key: Array | None,
    tau: ArrayLike = 1.0,
    hard: bool = False,
    axis: Axis = -1,
    where: ArrayLike | None = None,
) -> Array:
    r"""Gumbel-softmax, :math:`\mathrm{softmax}((x + g)/\tau)` with standard Gumbel noise g.

    A differentiable sample of a one-hot vector from the distribution softmax(x); in the limit
    :math:`\tau \to 0` exactly one-hot. Evaluation drops the noise: softmax(x/tau), or with `hard` the
    one-hot vector of the largest entry.

    Args:
      x: unnormalised log-probabilities; ``-inf`` excludes an entry.
      key: random key; None selects evaluation.
      tau: temperature, positive.
      hard: return a one-hot vector whose gradient is that of the soft sample (straight-through).
      axis: the axis of the categories; several, or None for all, are one set of categories.
      where: optional mask broadcastable to `x`; entries at False are never drawn.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if `axis` is not an axis of `x`, or `tau` is a number and not positive.

    Example:
      >>> gumbel_softmax = jaxacts.get("gumbel_softmax").fn
      >>> gumbel_softmax(jnp.array([0.0, 3.0, 1.0]), jax.random.key(0), hard=True).sum()
      Array(1., dtype=float32)

    Reference:
      Jang, Gu & Poole, ICLR (2017), https://arxiv.org/abs/1611.01144
    """
    if isinstance(tau, int | float) and not tau > 0:
        raise ValueError(f"tau must be positive, was {tau}; use hard=True for one-hot vectors")
    x, narrow = widen(x)
    if x.size == 0:
        return narrow(softmax(x, axis, where))
    if key is not None:
        x = x + jr.gumbel(key, x.shape, x.dtype)
    soft = softmax(_cooled(x, jnp.asarray(tau, x.dtype), axis, where), axis, where)
    if hard:
        rows, back = as_rows(soft, axis)
        best = back(jax.nn.one_hot(jnp.argmax(rows, -1), rows.shape[-1], dtype=soft.dtype))
        best = jnp.where(soft > 0, best, 0.0)  # nothing is drawn where everything is excluded
        soft = best + (soft - lax.stop_gradient(soft))  # the bracket is exactly 0, its gradient is not
    return narrow(soft)


def _cooled(x: Array, tau: Array, axis: Axis, where: ArrayLike | None) -> Array:
    """x/tau, below 1 less its maximum, which the softmax does not see: so that only the others overflow."""
    kept = x if where is None else jnp.where(jnp.asarray(where, bool), x, -jnp.inf)
    top = jnp.max(lax.stop_gradient(kept), axis, keepdims=True)
    top = jnp.where(jnp.isfinite(top) & (tau < 1), top, 0.0)
    return (kept - top) / jnp.maximum(tau, jnp.finfo(x.dtype).tiny)


for _fn in (rrelu, noisy_relu, gumbel_softmax):
    declare_other(_fn)
