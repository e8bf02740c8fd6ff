"""The edge of chaos: where χ = 1 at a fixed point of the length map."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxacts import _declare
from jaxacts.meanfield._fixed import _describe, _root, plain, second_moment, sign_changes
from jaxacts.moments import _mesh, _sampling
from jaxacts.moments._integrals import integrals

# Variances between which roots are looked for: eight a decade.
_GRID = np.logspace(-10, 6, 129)


class CriticalPoint(NamedTuple):
    """A point on the edge of chaos.

    Attributes:
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      q: variance of the pre-activations there, a fixed point of the length map with χ = 1.
      stable: whether a deep network stays near it; at an unstable point the variance runs away.
    """

    sigma_w: float
    q: float
    stable: bool


def critical_point(
    f: Callable[..., Any], sigma_b: Any = 0.0, *, all_points: bool = False
) -> CriticalPoint | tuple[CriticalPoint, ...] | None:
    r"""The edge of chaos for one :math:`\sigma_b`: V(q) = q and :math:`\chi = 1` solved together.

    The weights follow from q, :math:`\sigma_w^2 = 1/E f'(\sqrt q z)^2`, which leaves one equation,
    :math:`E f^2 / E f'^2 + \sigma_b^2 = q`; all its roots between 1e-10 and 1e6 are found, and q = 0 where it
    is one. Iterating the length map instead would miss the unstable ones, GELU's and SiLU's at small
    :math:`\sigma_b` among them.

    Args:
      f: any elementwise callable.
      sigma_b: standard deviation of the biases.
      all_points: whether to return all of them, ascending in q.

    Returns:
      A :class:`CriticalPoint` of Python floats, the stable one with the largest q if there are stable ones,
      else the one with the largest q; None when there is none (softplus; ReLU with biases). Scale-invariant
      functions such as ReLU are critical at every variance when :math:`\sigma_b = 0`: they are given at
      q = 1, which counts as stable because nothing grows. With `all_points` a tuple.

    Raises:
      TypeError: if `sigma_b` is traced: the search runs on the host and may return None.

    Example:
      >>> point = jaxacts.meanfield.critical_point(jaxacts.tanh, 0.05)
      >>> round(point.sigma_w, 9), point.stable
      (1.122539005, True)
      >>> jaxacts.meanfield.critical_point(jaxacts.relu, 0.05) is None
      True

    Reference:
      Schoenholz et al. (2017), https://arxiv.org/abs/1611.01232; Hayou et al. (2019),
      https://arxiv.org/abs/1902.06853
    """
    _sampling.check_host(f)
    points = _critical_points(f, plain("sigma_b", sigma_b))
    if all_points:
        return points
    return max(points, key=lambda point: (point.stable, point.q), default=None)


def _critical_points(f: Callable[..., Any], sigma_b: float) -> tuple[CriticalPoint, ...]:
    def moments(q: float) -> tuple[float, float]:
        return tuple(integrals(f, lambda y, dy: (y * y, dy * dy), q, slope=True).value)

    def excess(q: float) -> float:
        second, slope = moments(q)
        return second / slope + sigma_b**2 - q if slope > 0 else math.inf

    def point(q: float) -> CriticalPoint:
        sigma_w = 1 / math.sqrt(moments(q)[1])
        return CriticalPoint(sigma_w, float(q), _describe(f, q, sigma_w, sigma_b).stable)

    second, slope = _moments_on_grid(f)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(slope > 0, second / slope + sigma_b**2 - _GRID, np.inf)
    grid = _GRID
    noise = np.where(np.isfinite(values), 1e-12 * grid, np.inf)
    if np.all(np.abs(values) <= noise):
        return (point(1.0),)
    found = []
    at_zero = second_moment(f, 0.0) + sigma_b**2
    if at_zero < 1e-300 and moments(0.0)[1] > 0 and _smooth_at_zero(f):
        found.append(point(0.0))
    for left, right in sign_changes(np.where(np.isfinite(values), values, 0.0), noise):
        found.append(point(_root(excess, grid[left], grid[right])))
    return tuple(found)


def _moments_on_grid(f: Callable[..., Any]) -> np.ndarray:
    """E f² and E f'² at the variances of the grid, (2, n), kept for the functions last asked about."""
    try:
        return _tabulated(f)
    except TypeError:  # not hashable
        return _tabulated.__wrapped__(f)


@functools.lru_cache(maxsize=64)
def _tabulated(f: Callable[..., Any]) -> np.ndarray:
    return np.array([integrals(f, lambda y, dy: (y * y, dy * dy), q, slope=True).value for q in _GRID]).T


def _smooth_at_zero(f: Callable[..., Any]) -> bool:
    """Whether f' is continuous at 0: else E f'² does not tend to f'(0)² and q = 0 is no critical point."""
    near = integrals(f, lambda y, dy: (dy * dy,), 1e-10, slope=True).value[0]
    here = integrals(f, lambda y, dy: (dy * dy,), 0.0, slope=True).value[0]
    return bool(abs(near - here) < 1e-3 * max(near, here))


def critical_line(
    f: Callable[..., Any], sigma_b: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""The edge of chaos as a curve, :math:`\sigma_w` for each :math:`\sigma_b`.

    Args:
      f: any elementwise callable.
      sigma_b: standard deviations of the biases.

    Returns:
      Three NumPy arrays like `sigma_b`: sigma_w and q (NaN where there is no critical point) and whether the
      point is stable.

    Example:
      >>> sigma_w, q, stable = jaxacts.meanfield.critical_line(jaxacts.tanh, [0.0, 0.05])
      >>> sigma_w.round(4).tolist(), stable.tolist()
      ([1.0, 1.1225], [True, True])
    """
    points = [critical_point(f, value) for value in np.ravel(np.asarray(sigma_b, dtype=float))]
    missing = CriticalPoint(math.nan, math.nan, False)
    columns = zip(*[point or missing for point in points], strict=True)
    sigma_w, q, stable = (np.array(column) for column in columns)
    return sigma_w, q, stable


def smoothness_class(f: Callable[..., Any]) -> Literal["smooth", "kinked", "jumping"]:
    r"""How fast correlations tend to 1 at the edge of chaos: like 1/l for smooth f, like 1/l² with a kink.

    Args:
      f: any elementwise callable.

    Returns:
      "smooth" when f' is continuous, "kinked" when f' jumps, "jumping" when f itself does. Declared facts
      decide where there is a record, sampled values otherwise.

    Example:
      >>> [jaxacts.meanfield.smoothness_class(f) for f in (jaxacts.relu, jaxacts.tanh, jnp.sign)]
      ['kinked', 'smooth', 'jumping']

    Reference:
      Hayou et al. (2019), https://arxiv.org/abs/1902.06853
    """
    _sampling.check_host(f)
    facts = _declare.facts(f)
    if facts is not None:
        return "jumping" if facts.smoothness < 0 else "kinked" if facts.smoothness < 1 else "smooth"
    breaks = np.array(_mesh.undeclared(f))
    if not breaks.size:
        return "smooth"
    # Found breaks are good to 1e-13. What f and f' change by across them shrinks with the step, or they jump.
    near, far = (_changes(f, breaks, step) for step in (1e-9, 1e-6))
    jumps = np.any((near > 0.1 * far) & (far > 1e-12), axis=1)
    return "jumping" if jumps[0] else "kinked" if jumps[1] else "smooth"


def _changes(f: Callable[..., Any], places: np.ndarray, step: float) -> np.ndarray:
    """By how much f and f' change from a step below to a step above each place, (2, places)."""
    steps = step * np.maximum(1.0, np.abs(places))
    below, above = (_sampling.sample(f, x, slope=True) for x in (places - steps, places + steps))
    return np.abs(above - below)


def edge_decay(f: Callable[..., Any], sigma_b: float = 0.0) -> tuple[float, int]:
    r"""The law :math:`1 - c_l \approx \kappa / l^p` at the stable critical point.

    For smooth f, p = 1 and :math:`\kappa = 2 / C''(1)` with
    :math:`C''(1) = \sigma_w^2 q\, E f''(\sqrt q z)^2`; for kinked f,
    p = 2 and :math:`\kappa = 9 / r^2` where :math:`C'(1-\epsilon) = 1 - r\sqrt\epsilon`. ReLU's is
    :math:`9\pi^2/2`.

    Args:
      f: any elementwise callable.
      sigma_b: standard deviation of the biases.

    Returns:
      The pair (κ, p).

    Raises:
      ValueError: if there is no critical point, it lies at q = 0, or f jumps.

    Example:
      >>> kappa, power = jaxacts.meanfield.edge_decay(jaxacts.relu)
      >>> round(kappa, 3), power  # 9π²/2 = 44.413
      (44.413, 2)
    """
    point = critical_point(f, sigma_b)
    kind = smoothness_class(f)
    if not isinstance(point, CriticalPoint) or point.q == 0 or kind == "jumping":
        raise ValueError(f"no law of decay: critical point {point}, f is {kind}")
    if kind == "kinked":
        return _kinked_decay(f, point), 2
    bend = integrals(
        lambda x: _sampling.value_and_slope(f, x)[1], lambda y, dy: (dy * dy,), point.q, slope=True
    )
    return 2 / (point.sigma_w**2 * point.q * float(bend.value[0])), 1


def _kinked_decay(f: Callable[..., Any], point: CriticalPoint) -> float:
    """9 / rate² where C'(1-ε) = 1 - rate √ε."""
    breaks = np.array(_mesh.breaks(f) if _declare.record(f) is not None else _mesh.undeclared(f))
    jumps = _changes(f, breaks, 1e-9)[1]
    density = np.exp(-(breaks**2) / (2 * point.q)) / math.sqrt(2 * math.pi * point.q)
    # u - v has variance 2qε, so u and v lie on either side of a kink with probability density·2√(qε/π), and
    # E f'(u) f'(v) = E f'² - E (f'(u) - f'(v))² / 2.
    rate = point.sigma_w**2 * float(np.sum(jumps**2 * density)) * math.sqrt(point.q / math.pi)
    return 9 / rate**2
