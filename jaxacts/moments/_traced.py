"""Gaussian quadrature inside jit, vmap and grad: a fixed number of panels whose edges may be traced."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts.moments import _adaptive, _rules
from jaxacts.moments._sampling import is_traced

Array = jax.Array


def variance_floor() -> float:
    """Stands in for a variance of 0 where only a derivative is wanted.

    Differences of f over √floor lose eps/√floor to rounding and floor to truncation; √eps balances the two.
    """
    return float(np.sqrt(_adaptive.unit_roundoff()))


def panels(x_edges: tuple[Any, ...], q: Array, mean: Array) -> tuple[Array, Array]:
    """Left ends and widths of the panels in z where Gaussian and function edges, the latter given in x, meet."""
    z_edges = jnp.asarray(_rules.EDGES, dtype=q.dtype)
    fixed = np.array([edge for edge in x_edges if not is_traced(edge)])
    moving = [jnp.asarray(edge, dtype=q.dtype)[None] for edge in x_edges if is_traced(edge)]
    points = jnp.concatenate([jnp.asarray(fixed, dtype=q.dtype), *moving])
    inner = jnp.clip((points - mean) / jnp.sqrt(q), -_rules.CUT, _rules.CUT)
    all_edges = jnp.sort(jnp.concatenate([z_edges, inner]))
    return all_edges[:-1], jnp.diff(all_edges)


def nodes(left: Array, width: Array) -> tuple[Array, Array]:
    """Nodes z and weights (with the Gaussian density), both of shape (panels, nodes)."""
    points, weights, _ = _rules.rule()
    t, w = jnp.asarray(points, dtype=left.dtype), jnp.asarray(weights, dtype=left.dtype)
    z = left[:, None] + width[:, None] * t[None, :]
    return z, width[:, None] * w[None, :] * _gaussian(z)


def integrate(integrand: Any, x_edges: Any, q: Array, mean: Array) -> tuple[Array, Array]:
    """E[g(mean + √q z)] and error estimates; g maps (n,) to (k, n). Right for q = 0 too."""
    dead = q == 0
    safe = jnp.where(dead, q + variance_floor(), q)
    left, width = panels(x_edges, safe, mean)
    z, w = nodes(left, width)
    values = integrand((mean + jnp.sqrt(safe) * z).ravel()).reshape(-1, *z.shape)
    value = jnp.sum(values * w[None], axis=(1, 2))
    rows = jnp.asarray(_rules.rule()[2], dtype=z.dtype)
    tails = jnp.abs((values * _gaussian(z)[None]) @ rows.T).sum(-1)
    rounding = 2 * jnp.finfo(z.dtype).eps * jnp.sum(jnp.abs(values) * w[None], axis=(1, 2))
    error = jnp.sum(tails * width[None], axis=1) + rounding
    # At q = 0 the value is g(mean); the derivative with respect to q is still that of the integral.
    at_mean = integrand(mean[None])[:, 0] + value - jax.lax.stop_gradient(value)
    return jnp.where(dead, at_mean, value), jax.lax.stop_gradient(jnp.where(dead, 0.0, error))


def _gaussian(z: Array) -> Array:
    return jnp.exp(-0.5 * z * z) * float(1 / np.sqrt(2 * np.pi))
