"""Kernels of infinitely wide networks: the Gaussian process at initialisation, and the tangent kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxacts.moments import _sampling
from jaxacts.moments._integrals import integrals, pair_integrals

Array = jax.Array


class Kernels(NamedTuple):
    """Kernels between two sets of inputs.

    Attributes:
      nngp: covariance of the output at initialisation, shape (n1, n2).
      ntk: neural tangent kernel in the NTK parametrisation, shape (n1, n2).
    """

    nngp: Array
    ntk: Array


def kernels(
    f: Callable[..., Any],
    x1: ArrayLike,
    x2: ArrayLike | None = None,
    *,
    depth: int,
    sigma_w: ArrayLike,
    sigma_b: ArrayLike = 0.0,
) -> Kernels:
    r"""NNGP and NTK of a fully connected network with `depth` activations between `depth` + 1 linear layers.

    A linear layer is :math:`z = \sigma_w W h / \sqrt{n} + \sigma_b b` with standard normal W and b, all of
    which are trained; the first sees the inputs, so that the NNGP of depth 0 is
    :math:`\sigma_w^2 x x'/d + \sigma_b^2`.

    Args:
      f: any elementwise callable; for the NTK one without jumps.
      x1: inputs of shape (n1, d).
      x2: inputs of shape (n2, d); `x1` by default.
      depth: number of activation layers.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.

    Returns:
      :class:`Kernels` of shape (n1, n2), traceable and differentiable. Every pair of inputs costs one
      two-dimensional integral a layer: meant for tens of inputs, not for thousands.

    Raises:
      ValueError: for a negative depth or inputs that are not matrices with the same number of columns.

    Example:
      >>> pair = jaxacts.meanfield.kernels(jaxacts.relu, jnp.eye(2), depth=1, sigma_w=2**0.5)
      >>> [round(float(entry), 4) for entry in (pair.nngp[0, 0], pair.nngp[0, 1], pair.ntk[0, 1])]
      [1.0, 0.3183, 0.3183]

    Reference:
      Lee et al. (2018), https://arxiv.org/abs/1711.00165; Jacot et al. (2018), https://arxiv.org/abs/1806.07572
    """
    _sampling.check_callable(f)
    x1 = jnp.asarray(x1)
    x2 = x1 if x2 is None else jnp.asarray(x2)
    if x1.ndim != 2 or x2.ndim != 2 or x1.shape[1] != x2.shape[1]:
        raise ValueError(f"x1 and x2 must be matrices with equal columns, were {x1.shape} and {x2.shape}")
    if depth < 0:
        raise ValueError(f"depth must not be negative, was {depth}")
    dtype = jnp.result_type(float)
    x1, x2 = x1.astype(dtype), x2.astype(dtype)
    weight, bias = jnp.square(jnp.asarray(sigma_w, dtype)), jnp.square(jnp.asarray(sigma_b, dtype))
    cross = weight * (x1 @ x2.T) / x1.shape[1] + bias
    own1, own2 = (weight * jnp.mean(x * x, axis=1) + bias for x in (x1, x2))

    def layer(state: tuple[Array, ...], _: None) -> tuple[tuple[Array, ...], None]:
        cross, tangent, own1, own2 = state
        scale = jnp.sqrt(own1[:, None] * own2[None, :])
        c = jnp.clip(cross / jnp.where(scale > 0, scale, 1.0), -1.0, 1.0)
        q1, q2 = jnp.broadcast_to(own1[:, None], c.shape), jnp.broadcast_to(own2[None, :], c.shape)
        both = pair_integrals(f, lambda y, dy: (y, dy), q1, q2, c, slope=True).value
        cross = weight * both[0] + bias
        own1, own2 = (weight * integrals(f, lambda y: (y * y,), q).value[0] + bias for q in (own1, own2))
        return (cross, cross + weight * both[1] * tangent, own1, own2), None

    # One layer is compiled, however many there are.
    state, _ = jax.lax.scan(layer, (cross, cross, own1, own2), None, length=depth)
    return Kernels(state[0], state[1])


def nngp(f: Callable[..., Any], x1: ArrayLike, x2: ArrayLike | None = None, **settings: Any) -> Array:
    """Covariance of a wide network's output at initialisation; see :func:`kernels`.

    Args:
      f: any elementwise callable.
      x1: inputs of shape (n1, d).
      x2: inputs of shape (n2, d); `x1` by default.
      **settings: depth, sigma_w and sigma_b as in :func:`kernels`.

    Returns:
      An array of shape (n1, n2).

    Example:
      >>> jaxacts.meanfield.nngp(jaxacts.relu, jnp.eye(2), depth=0, sigma_w=1.0).tolist()
      [[0.5, 0.0], [0.0, 0.5]]
    """
    return kernels(f, x1, x2, **settings).nngp


def ntk(f: Callable[..., Any], x1: ArrayLike, x2: ArrayLike | None = None, **settings: Any) -> Array:
    """Neural tangent kernel; see :func:`kernels`.

    Args:
      f: any elementwise callable without jumps.
      x1: inputs of shape (n1, d).
      x2: inputs of shape (n2, d); `x1` by default.
      **settings: depth, sigma_w and sigma_b as in :func:`kernels`.

    Returns:
      An array of shape (n1, n2).

    Example:
      >>> kernel = jaxacts.meanfield.ntk(jaxacts.relu, jnp.ones((1, 2)), depth=1, sigma_w=1.0)
      >>> round(float(kernel[0, 0]), 5)
      1.0
    """
    return kernels(f, x1, x2, **settings).ntk
