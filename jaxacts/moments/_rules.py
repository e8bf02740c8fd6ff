"""Gauss-Legendre panels: the rule, its error estimate, and where panels begin.

Everything here is NumPy in double precision and knows nothing of JAX; nodes are cast once, where they are
used.
"""

from __future__ import annotations

import functools

import numpy as np

# The Gaussian is cut at this many standard deviations. exp(-13²/2) = 2e-37 is still normal in float32, and
# even an integrand that grows like exp(4z) loses less than 1e-18 of its expectation there.
CUT = 13.0

# 20 nodes integrate polynomials up to degree 39 exactly; on panels of one or two standard deviations the
# Gaussian itself is resolved to 1e-16.
NODES = 20

# Where the Gaussian weight alone wants panels to begin, in standard deviations.
EDGES = (-13.0, -10.0, -8.0, -6.5, -5.0, -3.75, -2.5, -1.25, 0.0, 1.25, 2.5, 3.75, 5.0, 6.5, 8.0, 10.0, 13.0)


@functools.cache
def rule(n: int = NODES) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gauss-Legendre on [0, 1]: nodes, weights, and two rows that read off the last Legendre coefficients."""
    points, weights = np.polynomial.legendre.leggauss(n)
    basis = np.polynomial.legendre.legvander(points, n - 1)
    scale = np.arange(n) + 0.5
    rows = (scale * basis * weights[:, None]).T[-2:]
    return (points + 1) / 2, weights / 2, rows


def scales(reach: float, step: float = 8.0) -> np.ndarray:
    """0 and ±1, ±step, ±step², … up to `reach`: activations have their structure around there."""
    count = max(0, int(np.ceil(np.log(max(reach, 1.0)) / np.log(step))))
    positive = step ** np.arange(count + 1.0)
    return np.concatenate([-positive[::-1], [0.0], positive])


def gaussian(z: np.ndarray) -> np.ndarray:
    """Density of the standard normal distribution."""
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
