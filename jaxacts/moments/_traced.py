"""Gaussian quadrature inside jit, vmap and grad: a fixed number of panels whose edges may be traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts.moments import _rules
from jaxacts.moments._sampling import is_traced

Array = jax.Array
Rows = Callable[[Array], Array]  # points (n,) to values of several functions (k, n)

# The conditional law of v given u is integrated with wider panels: 20 nodes resolve a Gaussian over two
# standard deviations to 1e-15, and every panel here is multiplied by all those of u.
_COARSE = (-13.0, -9.0, -6.5, -4.0, -2.0, 0.0, 2.0, 4.0, 6.5, 9.0, 13.0)
# E[f(v) | u] is f smoothed over this width; beyond 9 widths from a kink the smoothing is invisible (1e-19).
_BLUR = (-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0)


def safe_root(q: Array, floor: float) -> tuple[Array, Array]:
    """Whether q is 0, and √q or there √floor.

    Where q = 0 the value comes from elsewhere and only the derivative from here: differences of f over √floor
    lose eps/√floor to rounding and floor (smooth f) or √floor (a kink in the way) to truncation.
    """
    dead = q == 0
    return dead, jnp.sqrt(jnp.where(dead, q + floor, q))


def _instead(dead: Array, exact: Array, nearby: Array) -> Array:
    """The value `exact` with the derivative of `nearby` where `dead`, else `nearby`."""
    correction = jnp.where(dead, exact - nearby, 0.0)
    return nearby + jax.lax.stop_gradient(correction)


def as_points(edges: tuple[Any, ...], dtype: Any) -> Array:
    """Edges that are numbers or tracers as one array."""
    fixed = np.array([edge for edge in edges if not is_traced(edge)])
    moving = [jnp.asarray(edge).astype(dtype)[None] for edge in edges if is_traced(edge)]
    return jnp.concatenate([jnp.asarray(fixed, dtype=dtype), *moving])


def panels(z_edges: tuple[float, ...], *more: Array) -> tuple[Array, Array]:
    """Left ends and widths of the panels between all edges, cut at both ends of the Gaussian."""
    inner = [jnp.clip(points, -_rules.CUT, _rules.CUT) for points in more]
    edges = jnp.sort(jnp.concatenate([jnp.asarray(z_edges, dtype=more[0].dtype), *inner]))
    return edges[:-1], jnp.diff(edges)


def nodes(left: Array, width: Array) -> tuple[Array, Array]:
    """Nodes z and their weights, both of shape (panels, nodes); the weights contain the Gaussian density."""
    points, weights, _ = _rules.rule()
    t, w = jnp.asarray(points, dtype=left.dtype), jnp.asarray(weights, dtype=left.dtype)
    z = left[:, None] + width[:, None] * t[None, :]
    return z, width[:, None] * w[None, :] * _density(z)


def _density(z: Array) -> Array:
    return jnp.exp(-0.5 * z * z) * float(1 / np.sqrt(2 * np.pi))


def _panel_error(values: Array, z: Array, width: Array) -> Array:
    """Last Legendre coefficients times the width, summed over panels; values are (k, panels, nodes)."""
    rows = jnp.asarray(_rules.rule()[2], dtype=z.dtype)
    tails = jnp.abs((values * _density(z)[None]) @ rows.T).sum(-1)
    return jax.lax.stop_gradient(jnp.sum(tails * width[None], axis=1))


def integrate(rows: Rows, edges: tuple[Any, ...], q: Array, mean: Array) -> tuple[Array, Array]:
    """E[g(mean + √q z)] and error estimates for the k functions in `rows`; edges are in x."""
    # eps^(2/3) balances rounding and truncation of the derivative of a smooth function at q = 0.
    dead, spread = safe_root(q, float(jnp.finfo(q.dtype).eps) ** (2 / 3))
    left, width = panels(_rules.EDGES, (as_points(edges, q.dtype) - mean) / spread)
    z, w = nodes(left, width)
    values = rows((mean + spread * z).ravel()).reshape(-1, *z.shape)
    rounding = 2 * jnp.finfo(z.dtype).eps * jnp.sum(jnp.abs(values) * w[None], axis=(1, 2))
    error = _panel_error(values, z, width) + jax.lax.stop_gradient(rounding)
    return _instead(dead, rows(mean[None])[:, 0], jnp.sum(values * w[None], axis=(1, 2))), error


def integrate_pair(
    rows: Rows, edges: tuple[Any, ...], breaks: tuple[Any, ...], q1: Array, q2: Array, c: Array
) -> tuple[Array, Array]:
    """E[g(u) g(v)] and error estimates for centred Gaussians with variances q1, q2 and correlation c.

    u = √q1 a is integrated outside, v = √q2 (c a + √(1-c²) b) given a inside. The inner panels begin at the
    edges of g seen from c a, so no kink is ever inside a panel, however close |c| is to 1; the outer
    integrand has the edges of g(u) and, smoothed over √(1-c²)/|c|, those of g(v).

    Args:
      rows: the k functions g.
      edges: where panels begin for g, in x.
      breaks: those of them where a derivative jumps.
      q1: variance of u.
      q2: variance of v.
      c: correlation.

    Returns:
      The k expectations and their error estimates.
    """
    eps = float(jnp.finfo(c.dtype).eps)
    # At a variance of 0 the value holds, and derivatives with respect to it are NaN: most are infinite.
    spread1, spread2 = jnp.sqrt(q1), jnp.sqrt(q2)
    _, safe1 = safe_root(q1, eps)
    _, safe2 = safe_root(q2, eps)
    # At |c| = 1 the derivative with respect to c is a one-sided difference; √eps is the best step for kinks.
    dead, rest = safe_root((1 - c) * (1 + c), eps)
    points, special = as_points(edges, c.dtype), as_points(breaks, c.dtype)
    away = jnp.where(jnp.abs(c) < 1e-12, 1e-12, c)
    blur = rest / jnp.abs(away) * jnp.asarray(_BLUR, dtype=c.dtype)
    smoothed = (special / (safe2 * away))[:, None] + blur[None, :]
    left, width = panels(_rules.EDGES, points / safe1, points / (safe2 * away), smoothed.ravel())
    a, w = nodes(left, width)

    def given(a: Array) -> tuple[Array, Array]:
        """E[g(v) | a] for one a, and its error."""
        start, size = panels(_COARSE, (points / safe2 - c * a) / rest)
        b, weights = nodes(start, size)
        values = rows((spread2 * (c * a + rest * b)).ravel()).reshape(-1, *b.shape)
        return jnp.sum(values * weights[None], axis=(1, 2)), _panel_error(values, b, size)

    @jax.checkpoint  # the whole plane of values would otherwise be kept for the backward pass
    def panel(a: Array) -> tuple[Array, Array]:
        return jax.vmap(given, out_axes=1)(a)

    inner, inner_error = jax.lax.map(panel, a)  # (panels, k, nodes): one panel at a time bounds the memory
    inner, inner_error = jnp.swapaxes(inner, 0, 1), jnp.swapaxes(inner_error, 0, 1)
    outer = rows((spread1 * a).ravel()).reshape(-1, *a.shape)
    values = outer * inner
    size = jnp.sum(jnp.abs(values) * w[None], axis=(1, 2))
    error = jnp.sum(jnp.abs(outer) * inner_error * w[None], axis=(1, 2))
    error = jax.lax.stop_gradient(error + 4 * eps * size) + _panel_error(values, a, width)
    same = rows((spread2 * c * a).ravel()).reshape(-1, *a.shape)
    exact = jnp.sum(outer * same * w[None], axis=(1, 2))
    return _instead(dead, exact, jnp.sum(values * w[None], axis=(1, 2))), error
