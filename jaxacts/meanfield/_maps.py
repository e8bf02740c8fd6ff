"""What a layer does to lengths and correlations, and the slopes; these jit, vmap and differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxacts.moments import _sampling
from jaxacts.moments._integrals import check_correlation, integrals, pair_integrals

Array = jax.Array


class Chi(NamedTuple):
    """The growth of gradients with what is known about it.

    Attributes:
      value: χ; NaN when the length map has no fixed point to evaluate at.
      error: estimate of its absolute error.
      q: where it was evaluated.
      stable: whether the length map stays near q: it is a fixed point that nearby variances do not leave.
      status: the status of the fixed point, see `FixedPoint`, or "not a fixed point".
    """

    value: Array
    error: float
    q: float
    stable: bool
    status: str


def length_map(f: Callable[..., Any], q: ArrayLike, sigma_w: ArrayLike, sigma_b: ArrayLike = 0.0) -> Array:
    r"""Variance after one layer, :math:`V(q) = \sigma_w^2 E f(\sqrt q z)^2 + \sigma_b^2`.

    Args:
      f: any elementwise callable.
      q: variance of the pre-activations.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.

    Returns:
      The variance of the next pre-activations, a scalar array (an array when `q` is one).

    Example:
      >>> round(float(jaxacts.meanfield.length_map(jaxacts.relu, 2.0, 1.0, 0.5)), 6)
      1.25

    Reference:
      Poole et al. (2016), https://arxiv.org/abs/1606.05340
    """
    second = integrals(f, lambda y: (y * y,), q).value[0]
    return _number(_square(sigma_w) * second + _square(sigma_b))


def chi(
    f: Callable[..., Any],
    sigma_w: ArrayLike,
    sigma_b: ArrayLike = 0.0,
    *,
    q: ArrayLike | None = None,
    full_output: bool = False,
) -> Array | Chi:
    r"""Growth of a gradient's second moment per layer, :math:`\chi = \sigma_w^2 E f'(\sqrt{q} z)^2`.

    At the fixed point of the length map it is also the slope of the correlation map at c = 1: below 1 inputs
    merge and gradients vanish, above 1 inputs part and gradients explode.

    Args:
      f: any elementwise callable.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q: where to evaluate; by default the fixed point of the length map that is reached from q = 1.
      full_output: whether to return a :class:`Chi`; plain numbers only.

    Returns:
      A scalar array; NaN with a warning when the length map has no fixed point to evaluate at. With
      `full_output` error estimate, stability and status too, and no warning.

    Example:
      >>> round(float(jaxacts.meanfield.chi(jaxacts.selu, 1.0)), 6)  # self-normalising is not edge of chaos
      1.071575

    Reference:
      Schoenholz et al. (2017), https://arxiv.org/abs/1611.01232
    """
    if full_output:
        return _chi_in_full(f, sigma_w, sigma_b, q)
    q = _settled(f, sigma_w, sigma_b) if q is None else q
    if not _sampling.is_traced(q) and np.ndim(q) == 0 and np.isnan(np.asarray(q)):
        return _number(np.nan)
    return _number(_square(sigma_w) * integrals(f, lambda y, dy: (dy * dy,), q, slope=True).value[0])


def _chi_in_full(f: Callable[..., Any], sigma_w: Any, sigma_b: Any, q: Any) -> Chi:
    from jaxacts.meanfield._fixed import _attractor, _describe, plain

    sigma_w, sigma_b = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b)
    point = (
        _attractor(f, sigma_w, sigma_b, 1.0) if q is None else _describe(f, plain("q", q), sigma_w, sigma_b)
    )
    if np.isnan(point.q):
        return Chi(_number(np.nan), np.inf, np.nan, False, point.status)
    second = integrals(f, lambda y: (y * y,), point.q).value[0]
    slope = integrals(f, lambda y, dy: (dy * dy,), point.q, slope=True)
    # 1e-8 is what the fixed point is promised to.
    fixed = abs(sigma_w**2 * second + sigma_b**2 - point.q) <= 1e-8 * max(point.q, 1.0)
    stable, status = (point.stable, point.status) if fixed else (False, "not a fixed point")
    value, error = (float(sigma_w**2 * number[0]) for number in slope)
    return Chi(_number(value), error, float(point.q), bool(stable), status)


def correlation_map(
    f: Callable[..., Any],
    c: ArrayLike,
    sigma_w: ArrayLike,
    sigma_b: ArrayLike = 0.0,
    *,
    q: ArrayLike | None = None,
) -> Array:
    r"""Correlation of two inputs after a layer, :math:`C(c) = (\sigma_w^2 E f(u) f(v) + \sigma_b^2) / V(q)`.

    Args:
      f: any elementwise callable.
      c: correlation of the pre-activations u, v of the two inputs.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q: their common variance; by default the fixed point of the length map that is reached from q = 1.

    Returns:
      A scalar array (an array when `c` is one); 1 at c = 1. NaN where V(q) is 0 or not known.

    Raises:
      ValueError: if `c` is outside [-1, 1].

    Example:
      >>> round(float(jaxacts.meanfield.correlation_map(jaxacts.relu, 0.0, 2**0.5)), 6)  # 1 / π
      0.31831
    """
    check_correlation(c)
    q = _settled(f, sigma_w, sigma_b) if q is None else q
    if not _sampling.is_traced(q) and np.ndim(q) == 0 and np.isnan(np.asarray(q)):
        return _number(np.full(np.shape(c), np.nan))
    pair = pair_integrals(f, lambda y: (y,), q, q, c).value[0]
    single = integrals(f, lambda y: (y * y,), q).value[0]
    top = _square(sigma_w) * pair + _square(sigma_b)
    bottom = _square(sigma_w) * single + _square(sigma_b)
    if not _sampling.is_traced(top, bottom):
        with np.errstate(invalid="ignore", divide="ignore"):
            return _number(np.asarray(top) / np.asarray(bottom))
    return _number(top / bottom)


def correlation_slope(
    f: Callable[..., Any], c: ArrayLike, sigma_w: ArrayLike, sigma_b: ArrayLike = 0.0, *, q: ArrayLike
) -> Array:
    r"""Slope of the correlation map, :math:`C'(c) = \sigma_w^2 q E f'(u) f'(v) / V(q)`.

    Args:
      f: any elementwise callable without jumps.
      c: correlation.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q: common variance of the pre-activations.

    Returns:
      A scalar array; at c = 1 and the fixed point it is `chi`.

    Example:
      >>> round(float(jaxacts.meanfield.correlation_slope(jaxacts.relu, 1.0, 2**0.5, q=1.0)), 6)
      1.0
    """
    pair = pair_integrals(f, lambda y, dy: (dy,), q, q, c, slope=True).value[0]
    single = integrals(f, lambda y: (y * y,), q).value[0]
    bottom = _square(sigma_w) * single + _square(sigma_b)
    return _number(_square(sigma_w) * q * pair / bottom)


def length_slope(f: Callable[..., Any], q: float, sigma_w: float) -> float:
    """V'(q) on the host, for a plain number q; for functions with jumps too."""
    if q == 0:
        slope = integrals(f, lambda y, dy: (dy,), 0.0, slope=True).value[0]
        return float(sigma_w**2 * slope**2)  # for f(0) = 0; where f(0) is not 0, q = 0 is no fixed point
    smooth = integrals(f, lambda x, y, dy: (x * y * dy,), q, slope=True, point=True)
    weighted = integrals(f, lambda x, y: ((x * x / q - 1) * y * y,), q, point=True)
    # Integrated by parts, the second form holds for jumps too; it loses digits where q is small beside f(0)².
    first, second = smooth.value[0] / q, weighted.value[0] / (2 * q)
    trust = 1e-6 * abs(first) + 1e3 * weighted.error[0] / q + 1e-13 * abs(weighted.value[0]) / q
    return float(sigma_w**2 * (first if abs(first - second) <= max(trust, 1e-9) else second))


def _settled(f: Callable[..., Any], sigma_w: ArrayLike, sigma_b: ArrayLike) -> ArrayLike:
    """The fixed point reached from q = 1, on the host if possible, else by iteration inside JAX."""
    from jaxacts.meanfield._fixed import fixed_point

    if not _sampling.is_traced(sigma_w, sigma_b):
        try:
            return float(fixed_point(f, sigma_w, sigma_b))  # type: ignore[arg-type]
        except _sampling.TracedCallable:
            pass
    return _iterated(f, jnp.asarray(sigma_w, dtype=float), jnp.asarray(sigma_b, dtype=float))


def _iterated(f: Callable[..., Any], sigma_w: Array, sigma_b: Array) -> Array:
    """The fixed point by iteration from q = 1 inside JAX; derivatives by one Newton step from its end."""

    def step(q: Array) -> Array:
        return sigma_w**2 * integrals(f, lambda y: (y * y,), q).value[0] + sigma_b**2

    def body(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        count, q, _ = state
        return count + 1, step(q), q

    def going(state: tuple[Array, Array, Array]) -> Array:
        count, q, before = state
        tolerance = 4 * float(jnp.finfo(q.dtype).eps)
        return (count < 500) & (jnp.abs(q - before) > tolerance * q) & (q < 1e12)

    one = jnp.ones((), dtype=sigma_w.dtype)
    _, q, _ = jax.lax.while_loop(going, body, jax.lax.stop_gradient((jnp.zeros((), int), one, 2 * one)))
    q = jax.lax.stop_gradient(q)
    value, slope = jax.jvp(step, (q,), (jnp.ones_like(q),))
    slope = jax.lax.stop_gradient(slope)
    newton = q - (value - q) / jnp.where(jnp.abs(slope - 1) < 1e-6, jnp.inf, slope - 1)
    # Where the iteration did not arrive there is no fixed point to report.
    return jnp.where(jnp.abs(value - q) <= 1e-4 * (1 + q), newton, jnp.nan)


def _square(sigma: Any) -> Any:
    if _sampling.is_traced(sigma) or np.ndim(sigma):
        return jnp.square(jnp.asarray(sigma).astype(jnp.result_type(float)))
    return float(sigma) ** 2


def _number(value: Any) -> Array:
    return jnp.asarray(value, dtype=jnp.result_type(float))
