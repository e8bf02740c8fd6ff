"""Fixed points of the length and correlation maps, on the host, in double precision."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts.meanfield._maps import length_slope
from jaxacts.moments import _sampling
from jaxacts.moments._integrals import integrals, pair_integrals

Array = jax.Array

# Beyond this variance a length map counts as divergent, below the other as dead; a double has room for both.
_LARGE, _SMALL = 1e9, 1e-13
# |V' - 1| below this is "neither grows nor shrinks": the accuracy of the moments leaves nothing finer.
_NEUTRAL = 1e-9


class FixedPoint(NamedTuple):
    """A fixed point of the length map.

    Attributes:
      q: the variance; NaN when there is none.
      slope: V'(q).
      stable: whether nearby variances are not driven away.
      status: "ok", "neutral" (V' = 1: nearby variances stay or creep), "unstable", "diverges" or
        "does not settle".
      error: estimate of the absolute error of q.
    """

    q: Any
    slope: Any
    stable: bool
    status: str
    error: float


class CorrelationFixedPoint(NamedTuple):
    """The fixed point of the correlation map that inputs are drawn to.

    Attributes:
      c: the correlation; NaN when there is none.
      slope: C'(c).
      status: "ok", or why there is no such point.
      error: estimate of the absolute error of c.
    """

    c: Any
    slope: Any
    status: str
    error: float


def plain(name: str, value: Any) -> float:
    """A plain finite number: solvers run on the host."""
    if _sampling.is_traced(value):
        raise TypeError(
            f"{name} is traced, but fixed points are searched on the host; "
            "inside jit use jaxacts.meanfield.chi or length_map, which trace"
        )
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, was {value}")
    return value


def second_moment(f: Callable[..., Any], q: float) -> float:
    """E f(√q z)² on the host."""
    return float(integrals(f, lambda y: (y * y,), q).value[0])


def fixed_point(
    f: Callable[..., Any],
    sigma_w: Any,
    sigma_b: Any = 0.0,
    *,
    q0: float = 1.0,
    all_points: bool = False,
    full_output: bool = False,
) -> Array | FixedPoint | tuple[FixedPoint, ...]:
    r"""Variance that a deep network settles at, the attractor of :math:`q \to V(q)` from `q0`.

    Searched on the host in double precision whether x64 is enabled or not, to 1e-8 (absolute or relative).

    Args:
      f: any elementwise callable.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q0: where the iteration starts.
      all_points: whether to return every fixed point between 1e-12 and 1e8 instead, unstable ones too.
      full_output: whether to return slope, stability and status too.

    Returns:
      A scalar array: 0 when the signal dies out, NaN with a warning when the length map diverges or never
      settles. With `full_output` a :class:`FixedPoint`, with `all_points` a tuple of them, ascending; a
      function for which every variance is a fixed point, such as ReLU at :math:`\sigma_w^2 = 2`, is
      represented by the one at `q0`.

    Raises:
      TypeError: if `sigma_w` or `sigma_b` is traced.

    Example:
      >>> round(float(jaxacts.meanfield.fixed_point(jaxacts.tanh, 2.5, 0.3)), 6)
      4.079124
    """
    _sampling.check_host(f)
    sigma_w, sigma_b, q0 = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b), plain("q0", q0)
    if all_points:
        return _all_points(f, sigma_w, sigma_b, q0)
    found = _attractor(f, sigma_w, sigma_b, q0)
    if full_output:
        return found
    if math.isnan(found.q):
        warnings.warn(
            f"the length map {found.status} at sigma_w={sigma_w:g}, sigma_b={sigma_b:g}: no fixed point",
            RuntimeWarning,
            stacklevel=2,
        )
    return jnp.asarray(found.q, dtype=jnp.result_type(float))


def _attractor(f: Callable[..., Any], sigma_w: float, sigma_b: float, q0: float) -> FixedPoint:
    def excess(q: float) -> float:
        return sigma_w**2 * second_moment(f, q) + sigma_b**2 - q

    q, previous = q0, 0.0
    for _ in range(400):
        change = excess(q)
        if not math.isfinite(change):
            return FixedPoint(math.nan, math.nan, False, "diverges", math.inf)
        if abs(change) <= 4e-15 * q:
            return _describe(f, q, sigma_w, sigma_b)
        if change * previous > 0 and abs(change) > 0.3 * abs(previous):  # slow and monotone: stop creeping
            break
        if q + change > _LARGE or q + change < _SMALL:
            break
        q, previous = q + change, change
    else:
        return FixedPoint(math.nan, math.nan, False, "does not settle", math.inf)
    # March in the direction of the iteration until the excess changes sign, then close in.
    factor = 1.15 if change > 0 else 1 / 1.15
    while _SMALL < q < _LARGE:
        further = q * factor
        ahead = excess(further)
        if ahead * change <= 0:
            root = _root(excess, min(q, further), max(q, further))
            point = _describe(f, root, sigma_w, sigma_b)
            if point.slope >= -1 - _NEUTRAL:
                return point
            return point._replace(q=math.nan, stable=False, status="does not settle")
        q = further
        if not math.isfinite(ahead):
            break
    if q < 1:
        return _describe(f, 0.0, sigma_w, sigma_b)
    return FixedPoint(math.nan, math.nan, False, "diverges", math.inf)


def _describe(f: Callable[..., Any], q: float, sigma_w: float, sigma_b: float) -> FixedPoint:
    slope = length_slope(f, q, sigma_w)
    neutral = abs(abs(slope) - 1) <= _NEUTRAL
    stable = abs(slope) < 1
    status = "ok" if stable else "unstable"
    if neutral:  # what a step away does decides
        scale = q if q > 0 else 1.0
        step = 1e-3 * scale
        change = sigma_w**2 * second_moment(f, q + step) + sigma_b**2 - (q + step)
        stable = change <= 1e-12 * scale
        status = "neutral" if stable else "unstable"
    error = (2e-15 * sigma_w**2 * second_moment(f, q) + 1e-16 * q) / max(abs(1 - slope), 1e-8)
    return FixedPoint(q, slope, stable, status, error)


def _all_points(f: Callable[..., Any], sigma_w: float, sigma_b: float, q0: float) -> tuple[FixedPoint, ...]:
    def excess(q: float) -> float:
        return sigma_w**2 * second_moment(f, q) + sigma_b**2 - q

    places = [*(_describe(f, 0.0, sigma_w, sigma_b) for _ in range(1) if abs(excess(0.0)) < 1e-300)]
    grid = np.logspace(-12, 8, 161)
    values = np.array([excess(q) for q in grid])
    if np.all(np.abs(values) <= 1e-12 * grid):
        return (_describe(f, q0, sigma_w, sigma_b),)
    for left, right in sign_changes(values, 1e-13 * grid):
        places.append(_describe(f, _root(excess, grid[left], grid[right]), sigma_w, sigma_b))
    return tuple(places)


def sign_changes(values: np.ndarray, noise: np.ndarray) -> list[tuple[int, int]]:
    """Neighbouring indices between which the values change sign, ignoring what is within the noise."""
    real = np.flatnonzero(np.abs(values) > noise)
    return [(i, j) for i, j in itertools.pairwise(real.tolist()) if values[i] * values[j] < 0 and j - i <= 3]


def _root(g: Callable[[float], float], left: float, right: float) -> float:
    """A sign change of g between left and right, by false position with halving (Illinois)."""
    low, high = g(left), g(right)
    if low == 0:
        return left
    if high == 0:
        return right
    side = 0
    for _ in range(200):
        middle = (left * high - right * low) / (high - low)
        if not left < middle < right:
            middle = (left + right) / 2
        value = g(middle)
        if value == 0 or right - left <= 4e-16 * abs(middle) or not left < middle < right:
            return middle
        if value * high > 0:
            right, high = middle, value
            low = low / 2 if side == 1 else low
            side = 1
        else:
            left, low = middle, value
            high = high / 2 if side == -1 else high
            side = -1
        if min(abs(middle - left), abs(right - middle)) == 0 and right - left <= 1e-15 * abs(middle):
            return middle
    return (left + right) / 2


def correlation_fixed_point(
    f: Callable[..., Any],
    sigma_w: Any,
    sigma_b: Any = 0.0,
    *,
    q: float | None = None,
    full_output: bool = False,
) -> Array | CorrelationFixedPoint:
    r"""Correlation that any two different inputs are drawn to in a deep network.

    c = 1 is always a fixed point; it attracts in the ordered phase (:math:`\chi \le 1`). In the chaotic phase
    the attractor lies below 1. Searched on the host in double precision, to 1e-8.

    Args:
      f: any elementwise callable.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q: variance of the pre-activations; by default the fixed point of the length map.
      full_output: whether to return slope and status too.

    Returns:
      A scalar array; NaN with a warning when the length map has no positive fixed point. With `full_output` a
      :class:`CorrelationFixedPoint`.

    Example:
      >>> round(float(jaxacts.meanfield.correlation_fixed_point(jaxacts.tanh, 2.5, 0.3)), 6)
      0.122104
    """
    _sampling.check_host(f)
    sigma_w, sigma_b = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b)
    found = _correlation(f, sigma_w, sigma_b, q)
    if full_output:
        return found
    if math.isnan(found.c):
        warnings.warn(f"no correlation to settle at: {found.status}", RuntimeWarning, stacklevel=2)
    return jnp.asarray(found.c, dtype=jnp.result_type(float))


def _correlation(
    f: Callable[..., Any], sigma_w: float, sigma_b: float, given: float | None
) -> CorrelationFixedPoint:
    if given is None:
        point = _attractor(f, sigma_w, sigma_b, 1.0)
        if math.isnan(point.q):
            return CorrelationFixedPoint(math.nan, math.nan, f"the length map {point.status}", math.inf)
    q: float = point.q if given is None else given
    length = sigma_w**2 * second_moment(f, q) + sigma_b**2 if q > 0 else 0.0
    if length == 0:
        return CorrelationFixedPoint(math.nan, math.nan, "the signal dies out, q = 0", math.inf)

    def excess(c: float) -> float:
        pair = pair_integrals(f, lambda y: (y,), q, q, c).value[0]
        return (sigma_w**2 * float(pair) + sigma_b**2) / length - c

    def slope(c: float) -> float:
        pair = pair_integrals(f, lambda y, dy: (dy,), q, q, c, slope=True).value[0]
        return sigma_w**2 * q * float(pair) / length

    top = slope(1.0)
    # χ ≤ 1: c = 1 attracts, unless f jumps, which its derivative does not tell but the map itself does.
    if top <= 1 + _NEUTRAL and excess(1 - 1e-6) >= -1e-12:
        return CorrelationFixedPoint(1.0, top, "ok", 0.0)
    # C(c) is a power series with positive coefficients, hence convex on [0, 1]: one more root below 1.
    if excess(0.0) < 0:
        # Only C(0) < 0 can make it negative, which needs E f(u) E f(v) < 0: impossible.
        return CorrelationFixedPoint(math.nan, math.nan, "C(0) < 0", math.inf)
    if abs(excess(0.0)) < 1e-15:
        return CorrelationFixedPoint(0.0, slope(0.0), "ok", 1e-15)
    step = 1.0
    while step > 1e-15 and excess(1 - step / 2) > 0:
        step /= 2
    c = _root(excess, 1 - step, 1 - step / 2)
    return CorrelationFixedPoint(c, slope(c), "ok", 1e-14 / max(abs(1 - slope(c)), 1e-8))


def depth_scales(
    f: Callable[..., Any], sigma_w: Any, sigma_b: Any = 0.0, *, full_output: bool = False
) -> tuple[Any, ...]:
    r"""Depths over which length and correlation forget their start, :math:`(\xi_q, \xi_c)`.

    :math:`\xi_q = -1/\ln|V'(q^*)|` and :math:`\xi_c = -1/\ln C'(c^*)`; infinite at the edge of chaos, 0 where
    one layer is enough.

    Args:
      f: any elementwise callable.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      full_output: whether to append the status.

    Returns:
      A pair of scalar arrays, NaN with a warning where there is no fixed point; negative at an unstable fixed
      point, where deviations grow. With `full_output` a third entry, the status in words.

    Example:
      >>> xi_q, xi_c = jaxacts.meanfield.depth_scales(jaxacts.tanh, 2.5, 0.3)
      >>> round(float(xi_c), 6)
      5.108919

    Reference:
      Schoenholz et al. (2017), https://arxiv.org/abs/1611.01232
    """
    _sampling.check_host(f)
    sigma_w, sigma_b = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b)
    point = _attractor(f, sigma_w, sigma_b, 1.0)
    angle = _correlation(f, sigma_w, sigma_b, None if math.isnan(point.q) else point.q)
    status = f"the length map {point.status}" if math.isnan(point.q) else angle.status
    if status != "ok" and not full_output:
        warnings.warn(f"no depth scale: {status}", RuntimeWarning, stacklevel=2)
    xi = tuple(
        jnp.asarray(_scale(slope), dtype=jnp.result_type(float)) for slope in (point.slope, angle.slope)
    )
    return (*xi, status) if full_output else xi


def _scale(slope: float) -> float:
    slope = abs(slope)
    if math.isnan(slope):
        return math.nan
    if abs(slope - 1) <= _NEUTRAL:
        return math.inf
    return 0.0 if slope == 0 else -1 / math.log(slope)


def phase(
    f: Callable[..., Any], sigma_w: Any, sigma_b: Any = 0.0, *, tolerance: float = 1e-6
) -> Literal["ordered", "critical", "chaotic", "dying", "diverging", "unsettled"]:
    r"""Phase of a deep network in words, from :math:`\chi` at the fixed point of the length map.

    Args:
      f: any elementwise callable.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      tolerance: :math:`|\chi - 1|` up to which a network counts as critical.

    Returns:
      "ordered", "critical" or "chaotic"; "dying" when the variance tends to 0 faster than critically,
      "diverging" when it grows without bound, "unsettled" when it never settles.

    Example:
      >>> jaxacts.meanfield.phase(jaxacts.relu, 2**0.5), jaxacts.meanfield.phase(jaxacts.tanh, 2.5, 0.3)
      ('critical', 'chaotic')
    """
    _sampling.check_host(f)
    sigma_w, sigma_b = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b)
    point = _attractor(f, sigma_w, sigma_b, 1.0)
    if math.isnan(point.q):
        return "diverging" if point.status == "diverges" else "unsettled"
    slope = sigma_w**2 * float(integrals(f, lambda y, dy: (dy * dy,), point.q, slope=True).value[0])
    if abs(slope - 1) <= tolerance:
        return "critical"
    if point.q == 0:
        return "dying"
    return "ordered" if slope < 1 else "chaotic"


def trainable_depth(f: Callable[..., Any], sigma_w: Any, sigma_b: Any = 0.0, *, factor: float = 6.0) -> Array:
    r"""Depth up to which a plain network can be trained, about :math:`6\,\xi_c`.

    Args:
      f: any elementwise callable.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      factor: multiple of the correlation's depth scale; 6 was measured by Schoenholz et al.

    Returns:
      A scalar array; infinite at the edge of chaos, NaN with a warning when there is no fixed point.

    Example:
      >>> round(float(jaxacts.meanfield.trainable_depth(jaxacts.tanh, 2.5, 0.3)), 3)
      30.654

    Reference:
      Schoenholz et al. (2017), https://arxiv.org/abs/1611.01232
    """
    return factor * depth_scales(f, sigma_w, sigma_b)[1]
