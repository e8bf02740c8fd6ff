"""Adaptive Gaussian quadrature on the host: for settings that are plain numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from jaxacts.moments import _rules

# A panel is halved at most this often: 2^-52 of a unit panel is the spacing of doubles.
_ROUNDS = 54
# 8192 panels of 20 nodes resolve sin(x) for a variance of 1e6; beyond that the error estimate speaks.
_PANELS = 8192


def integrate(
    integrand: Callable[[np.ndarray], np.ndarray],
    q: float,
    mean: float,
    breaks: Sequence[float],
    eps: float,
) -> tuple[np.ndarray, np.ndarray]:
    """E[g(mean + √q z)] for several g at once, with error estimates.

    Panels begin where the Gaussian, the breaks and the scale of the argument want them; those whose last
    Legendre coefficients have not died out are halved until the sum is good to rounding. A kink or jump that
    nobody declared costs halvings, not accuracy.

    Args:
      integrand: maps points (n,) to values (k, n).
      q: variance, positive.
      mean: mean.
      breaks: points x where some derivative of g jumps.
      eps: relative rounding error of the values.

    Returns:
      The k expectations and k estimates of their absolute errors.
    """
    spread = np.sqrt(q)
    nodes, weights, rows = _rules.rule()
    edges = _first_edges(spread, mean, breaks)
    left, right = edges[:-1], edges[1:]
    done_sum = done_error = done_size = 0.0
    finished = 0
    for _ in range(_ROUNDS):
        width = right - left
        z = left[:, None] + width[:, None] * nodes
        values = integrand((mean + spread * z).ravel()).reshape(-1, *z.shape) * _rules.gaussian(z)
        sums = np.einsum("kpn,n->kp", values, weights) * width
        sizes = np.einsum("kpn,n->kp", np.abs(values), weights) * width
        errors = np.abs(np.einsum("kpn,rn->kpr", values, rows)).sum(-1) * width
        total_size = done_size + sizes.sum(-1)
        # Below 2 eps of the whole a panel no longer matters; below 8 eps of itself it is rounding, not shape.
        limit = np.maximum(2 * eps * total_size[:, None], 8 * eps * sizes)
        rough = np.any(~(errors <= limit), axis=0)
        middle = left + width / 2
        rough &= (middle > left) & (middle < right)
        finished += int(np.sum(~rough))
        if finished + 2 * rough.sum() > _PANELS or not np.all(np.isfinite(sums)):
            rough[:] = False
        done_sum = done_sum + sums[:, ~rough].sum(-1)
        done_error = done_error + errors[:, ~rough].sum(-1)
        done_size = done_size + sizes[:, ~rough].sum(-1)
        if not rough.any():
            break
        left, right, middle = left[rough], right[rough], middle[rough]
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    else:
        done_sum, done_error = done_sum + sums[:, rough].sum(-1), done_error + errors[:, rough].sum(-1)
    return np.asarray(done_sum), np.asarray(done_error + 2 * eps * done_size)


def _first_edges(spread: float, mean: float, breaks: Sequence[float]) -> np.ndarray:
    reach = abs(mean) + _rules.CUT * spread
    # Beside 0 and beside breaks a smoothed rectifier may hide a step far narrower than a panel.
    places = np.union1d(np.asarray(breaks, dtype=float), [0.0])
    beside = np.maximum(1.0, np.abs(places))[:, None] * np.array([-1e-3, -1e-6, 0.0, 1e-6, 1e-3])
    points = np.concatenate([_rules.scales(reach), (places[:, None] + beside).ravel()])
    inner = (points - mean) / spread
    inner = inner[np.abs(inner) < _rules.CUT]
    return np.unique(np.concatenate([_rules.EDGES, inner]))
