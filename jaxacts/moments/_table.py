"""A callable sampled once: all its moments at any variance follow without evaluating it again."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxacts.moments import _mesh, _rules, _sampling

# Panels halve towards 0 down to this width, so that a Gaussian of variance 1e-12 is resolved too.
_HALVINGS = 22


class Table(NamedTuple):
    """Values and slopes of a function on panels that resolve it, and Gaussians around 0 of any width.

    Attributes:
      left: left ends of the panels, ascending.
      width: their widths.
      x: nodes, (panels, nodes).
      rows: f and f' there, (2, panels, nodes).
      coefficients: their Legendre coefficients, (2, nodes, panels).
    """

    left: np.ndarray
    width: np.ndarray
    x: np.ndarray
    rows: np.ndarray
    coefficients: np.ndarray

    def integrals(
        self, integrands: Callable[..., Any], q: float, slope: bool, point: bool, eps: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Expectations for x ~ N(0, q), error estimates, and expectations of the absolute values."""
        reach = _rules.CUT * np.sqrt(q)
        inside = slice(
            max(np.searchsorted(self.left, -reach, side="right") - 1, 0), np.searchsorted(self.left, reach)
        )
        x, width = self.x[inside], self.width[inside]
        arguments = (x,) * point + tuple(self.rows[: 2 if slope else 1, inside])
        density = np.exp(-x * x / (2 * q)) / np.sqrt(2 * np.pi * q)
        with np.errstate(invalid="ignore", over="ignore"):
            values = np.stack(integrands(*arguments)) * density
            weighted = values * (width[:, None] * _rules.rule()[1])
            errors = (np.abs(values @ _rules.rule()[2].T).sum(-1) * width).sum(-1)
            sizes = np.abs(weighted).sum((1, 2))
            return weighted.sum((1, 2)), errors + 4 * eps * sizes, sizes

    def evaluate(self, x: np.ndarray, slope: bool) -> np.ndarray:
        """Values (and slopes) at the points x by Clenshaw's recurrence, (1 or 2, n)."""
        panel = np.clip(np.searchsorted(self.left, x, side="right") - 1, 0, self.left.size - 1)
        t = 2 * (x - self.left[panel]) / self.width[panel] - 1
        return np.stack([_clenshaw(rows, panel, t) for rows in self.coefficients[: 2 if slope else 1]])


def _clenshaw(coefficients: np.ndarray, panel: np.ndarray, t: np.ndarray) -> np.ndarray:
    ahead = behind = np.zeros_like(t)
    for k in range(len(coefficients) - 1, 0, -1):
        ahead, behind = (2 * k + 1) / (k + 1) * t * ahead - (k + 1) / (k + 2) * behind, ahead
        ahead += coefficients[k].take(panel)
    return coefficients[0].take(panel) + t * ahead - 0.5 * behind


def table(f: Callable[..., Any]) -> Table:
    """The table of a callable, made once where the callable can be a cache key."""
    try:
        return _cached(f)
    except TypeError:  # not hashable
        return _make(f)


def _make(f: Callable[..., Any]) -> Table:
    near = 0.5 ** np.arange(1.0, _HALVINGS + 1)
    far = 2.0 ** np.arange(0.0, 15.0)
    edges = np.unique(np.concatenate([_mesh.edges(f), -far, -near, near, far]))
    left, width = edges[:-1], np.diff(edges)
    nodes, weights, _ = _rules.rule()
    x = left[:, None] + width[:, None] * nodes
    rows = _sampling.sample(f, x.ravel(), slope=True).reshape(2, *x.shape)
    basis = np.polynomial.legendre.legvander(2 * nodes - 1, nodes.size - 1)
    transform = (2 * np.arange(nodes.size) + 1)[:, None] * (basis * weights[:, None]).T
    with np.errstate(invalid="ignore"):
        coefficients = np.einsum("cn,rpn->rcp", transform, rows)
    return Table(left, width, x, rows, np.ascontiguousarray(coefficients))


_cached = functools.lru_cache(maxsize=512)(_make)
