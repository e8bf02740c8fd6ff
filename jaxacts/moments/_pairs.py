"""E[g(u) g(v)] for correlated Gaussians on the host: nested quadrature without empty panels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxacts.moments import _rules

# Wider panels than for one variable: 20 nodes resolve a Gaussian over two standard deviations to 1e-15, and
# every panel here multiplies all others. Beyond 9 standard deviations a fourth moment is below 1e-14.
_EDGES = np.array([-9.0, -6.5, -4.0, -2.0, 0.0, 2.0, 4.0, 6.5, 9.0])
# E[g(v) | u] is g smoothed over √(1-c²)/|c|; beyond 9 widths from a kink the smoothing is invisible.
BLUR = np.array([-9.0, -6.0, -3.0, 0.0, 3.0, 6.0, 9.0])


def integrate_pair(
    rows: Callable[[np.ndarray], np.ndarray],
    edges: np.ndarray,
    breaks: np.ndarray,
    q1: float,
    q2: float,
    c: float,
    eps: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The host's counterpart of `_traced.integrate_pair`, for q1, q2 > 0.

    Args:
      rows: maps points (n,) to values of k functions (k, n).
      edges: where panels begin for g, in x.
      breaks: those of them where a derivative jumps.
      q1: variance of u.
      q2: variance of v.
      c: correlation.
      eps: relative rounding error of the values.

    Returns:
      The k expectations and their error estimates.
    """
    spread1, spread2 = np.sqrt(q1), np.sqrt(q2)
    rest = np.sqrt((1 - c) * (1 + c))
    outer_edges = [_EDGES, edges / spread1]
    if abs(c) > 1e-6:
        blur = rest / abs(c) * BLUR
        outer_edges += [edges / (spread2 * c), ((breaks / (spread2 * c))[:, None] + blur).ravel()]
    a_edges = np.unique(np.clip(np.concatenate(outer_edges), -9.0, 9.0))
    a, weights = _nodes(a_edges[:-1], np.diff(a_edges))
    outer = rows((spread1 * a).ravel()).reshape(-1, *a.shape)
    if rest == 0:
        inner, inner_error = rows((c * spread2 * a).ravel()).reshape(-1, *a.shape), np.zeros(a.shape)
    else:
        inner, inner_error = _given(rows, edges / spread2, spread2, rest, c * a)
    values = outer * inner
    size = np.sum(np.abs(values) * weights, axis=(1, 2))
    error = np.sum(np.abs(outer) * inner_error * weights, axis=(1, 2)) + 4 * eps * size
    error += _panel_errors(values, a, np.diff(a_edges)).sum(-1)
    return np.sum(values * weights, axis=(1, 2)), error


def _given(
    rows: Callable[[np.ndarray], np.ndarray],
    edges: np.ndarray,
    spread: float,
    rest: float,
    centres: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """E[g(spread·(centre + rest·b))] over b for each centre, and error estimates: (k, *centres.shape)."""
    seen = np.clip((edges[None, :] - centres.ravel()[:, None]) / rest, -9.0, 9.0)
    all_edges = np.sort(np.concatenate([np.broadcast_to(_EDGES, (centres.size, _EDGES.size)), seen], axis=1))
    width = np.diff(all_edges, axis=1)
    owner, panel = np.nonzero(width)
    width = width[owner, panel]
    b, weights = _nodes(all_edges[owner, panel], width)
    x = spread * (centres.ravel()[owner, None] + rest * b)
    values = rows(x.ravel()).reshape(-1, *b.shape)
    starts = np.searchsorted(owner, np.arange(centres.size))
    sums = np.add.reduceat((values * weights).sum(-1), starts, axis=1)
    errors = np.add.reduceat(_panel_errors(values, b, width), starts, axis=1)
    return sums.reshape(-1, *centres.shape), errors.reshape(-1, *centres.shape)


def _nodes(left: np.ndarray, width: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points, weights, _ = _rules.rule()
    z = left[:, None] + width[:, None] * points
    return z, width[:, None] * weights * _rules.gaussian(z)


def _panel_errors(values: np.ndarray, z: np.ndarray, width: np.ndarray) -> np.ndarray:
    return np.abs((values * _rules.gaussian(z)) @ _rules.rule()[2].T).sum(-1) * width
