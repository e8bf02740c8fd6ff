r"""Gaussian moments of any activation: E[f(z)], E[f(u)f(v)], gains.

A wide layer's pre-activations are Gaussian, so what it does to signals and gradients is in a few integrals
against a Gaussian. They are computed here by Gauss-Legendre panels that begin at the function's kinks: plain
Gauss-Hermite quadrature is wrong in the third digit for a rectifier.

Two routes give the same numbers. Plain numbers or small arrays in: adaptive quadrature on the host, with an
error estimate, for any callable and any variance. Large arrays and traced values in (`jit`, `vmap`, `grad`):
a fixed set of panels, laid out once per callable by sampling it on the host. A callable that closes over
traced values cannot be sampled beforehand; it gets its declared kinks and panels that suit functions whose
structure has unit scale. The fixed panels resolve about a hundred periods of an oscillating function, the
host thousands.

Precision: the host works in double precision whether x64 is enabled or not (unless `f` refuses float64), and
rounds once, on return, to JAX's default float type. The traced route computes in that type: 1e-10 with x64
enabled, 2e-6 without.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxacts.moments import _sampling
from jaxacts.moments._integrals import each, integrals, pair_integrals

__all__ = ["Estimate", "Moments", "dual", "expectation", "gain", "mean", "moments", "variance"]

Array = jax.Array
Kind = Literal["he", "centred", "backward"]


class Estimate(NamedTuple):
    """A number with what is known about its accuracy.

    Attributes:
      value: the number.
      error: estimate of its absolute error, usually far too pessimistic.
      status: "ok", or what is wrong with the number; "traced" where that cannot be known yet.
    """

    value: Array
    error: Array
    status: str


class Moments(NamedTuple):
    """Moments of f(x) and f'(x) for x ~ N(mean, q).

    Attributes:
      mean: E f.
      second: E f².
      variance: E f² - (E f)², computed about the mean.
      slope_mean: E f'.
      slope_second: E f'², which multiplies gradients on their way back.
    """

    mean: Array
    second: Array
    variance: Array
    slope_mean: Array
    slope_second: Array


def expectation(
    f: Callable[..., Any], q: ArrayLike = 1.0, mean: ArrayLike = 0.0, *, full_output: bool = False
) -> Array | Estimate:
    r"""Gaussian expectation of a function, :math:`E[f(m + \sqrt{q}\,z)]` with z standard normal.

    Args:
      f: any elementwise callable. Declared kinks (see `jaxacts.facts`) are used; others are found.
      q: variance, not negative. A scalar, or an array for an array of results.
      mean: mean m, of a shape that broadcasts with `q`.
      full_output: whether to return the error estimate too.

    Returns:
      A scalar array of JAX's default float type, or an :class:`Estimate` with `full_output`. Differentiable
      with respect to `q`, `mean` and whatever `f` closes over, at `q = 0` too (unless `f` has a kink there).

    Raises:
      TypeError: if `f` is not callable.
      ValueError: if `q` is negative, or `f` not elementwise.

    Example:
      >>> round(float(jaxacts.moments.expectation(jaxacts.relu)), 6)
      0.398942
      >>> round(float(jax.grad(lambda q: jaxacts.moments.expectation(jnp.square, q))(2.0)), 6)
      1.0
    """
    found = integrals(f, lambda y: (y,), q, mean)
    return _answer(found.value[0], found.error[0], full_output)


def mean(f: Callable[..., Any], q: ArrayLike = 1.0, mean: ArrayLike = 0.0) -> Array:
    r"""Mean of an activation, :math:`E f(m + \sqrt{q}\,z)`; another name for :func:`expectation`.

    Args:
      f: any elementwise callable.
      q: variance of the input.
      mean: mean of the input.

    Returns:
      A scalar array, or an array when `q` or `mean` is one.

    Example:
      >>> round(float(jaxacts.moments.mean(jaxacts.sigmoid)), 6)
      0.5
    """
    return expectation(f, q, mean)  # type: ignore[return-value]


def variance(f: Callable[..., Any], q: ArrayLike = 1.0, mean: ArrayLike = 0.0) -> Array:
    r"""Variance of an activation, :math:`\mathrm{Var} f(m + \sqrt{q}\,z)`, taken about its mean.

    Args:
      f: any elementwise callable.
      q: variance of the input.
      mean: mean of the input.

    Returns:
      A scalar array, or an array when `q` or `mean` is one.

    Example:
      >>> round(float(jaxacts.moments.variance(jaxacts.relu)), 6)
      0.340845
    """
    found = _central(f, q, mean)
    return _answer(found.value[0], found.error[0], False)  # type: ignore[return-value]


def moments(f: Callable[..., Any], q: ArrayLike = 1.0, mean: ArrayLike = 0.0) -> Moments:
    r"""First and second moments of f and f' under :math:`N(m, q)`.

    Args:
      f: any elementwise callable.
      q: variance of the input.
      mean: mean of the input.

    Returns:
      A :class:`Moments`.

    Example:
      >>> moments = jaxacts.moments.moments(jaxacts.tanh)
      >>> [round(float(moment), 4) for moment in (moments.variance, moments.slope_mean, moments.slope_second)]
      [0.3943, 0.6057, 0.4644]
    """
    found = integrals(f, lambda y, dy: (y, y * y, dy, dy * dy), q, mean, slope=True)
    central = _central(f, q, mean)
    first, second, slope, slope_second = (
        _answer(value, error, False) for value, error in zip(found.value, found.error, strict=True)
    )
    spread = _answer(central.value[0], central.error[0], False)
    return Moments(first, second, spread, slope, slope_second)  # type: ignore[arg-type]


def dual(
    f: Callable[..., Any], q1: ArrayLike, q2: ArrayLike, c: ArrayLike, *, full_output: bool = False
) -> Array | Estimate:
    r"""Dual activation, :math:`E[f(u) f(v)]` for centred Gaussians with variances q1, q2 and correlation c.

    Accurate for all c in [-1, 1]: the law of v given u is integrated with panels that begin where f has its
    kinks as seen from u. At c = ±1 the derivative with respect to c is a difference over the square root of
    machine epsilon, good to 1e-7 with x64 and 1e-3 without.

    Args:
      f: any elementwise callable.
      q1: variance of u.
      q2: variance of v.
      c: correlation of u and v.
      full_output: whether to return the error estimate too.

    Returns:
      A scalar array (an array when an argument is one), or an :class:`Estimate`.

    Raises:
      ValueError: if a variance is negative or the correlation outside [-1, 1].

    Example:
      >>> round(float(jaxacts.moments.dual(jaxacts.relu, 1.0, 1.0, 0.0)), 6)  # 1 / 2π
      0.159155

    Reference:
      Daniely et al. (2016), https://arxiv.org/abs/1602.05897
    """
    found = pair_integrals(f, _itself, q1, q2, c)
    return _answer(found.value[0], found.error[0], full_output)


def gain(f: Callable[..., Any], kind: Kind = "he", *, full_output: bool = False) -> Array | Estimate:
    r"""The factor on the standard deviation of the weights that undoes what f does to a unit Gaussian.

    "Gain" means three things: `"he"` keeps the second moment of the signal, :math:`1/\sqrt{E f(z)^2}` (He et
    al.); `"centred"` keeps its variance, :math:`1/\sqrt{\mathrm{Var} f(z)}` (NFNets); `"backward"` keeps the
    gradient, :math:`1/\sqrt{E f'(z)^2}`.

    Args:
      f: any elementwise callable.
      kind: which of the three.
      full_output: whether to return the error estimate too.

    Returns:
      A scalar array, or an :class:`Estimate`; infinite for a function without signal, such as a constant.

    Raises:
      ValueError: for an unknown kind.

    Example:
      >>> kinds = ("he", "centred", "backward")
      >>> [round(float(jaxacts.moments.gain(jaxacts.relu, kind)), 4) for kind in kinds]
      [1.4142, 1.7129, 1.4142]

    Reference:
      He et al. (2015), https://arxiv.org/abs/1502.01852; Brock et al. (2021), https://arxiv.org/abs/2102.06171
    """
    if kind == "he":
        found = integrals(f, lambda y: (y * y,), 1.0)
    elif kind == "centred":
        found = _central(f, 1.0, 0.0)
    elif kind == "backward":
        found = integrals(f, lambda y, dy: (dy * dy,), 1.0, slope=True)
    else:
        raise ValueError(f"kind must be 'he', 'centred' or 'backward', was {kind!r}")
    power, error = found.value[0], found.error[0]
    if _sampling.is_traced(power):
        return _answer(1 / jnp.sqrt(power), 0.5 * error / power**1.5, full_output)
    if power <= max(error, 1e-28 * float(integrals(f, lambda y: (y * y,), 1.0).value[0])):  # only rounding
        infinite = jnp.asarray(jnp.inf, dtype=jnp.result_type(float))
        return Estimate(infinite, infinite, "the function has no signal") if full_output else infinite
    return _answer(1 / np.sqrt(power), 0.5 * error / power**1.5, full_output)


def _itself(y: Any) -> tuple[Any]:
    return (y,)


def _central(f: Callable[..., Any], q: ArrayLike, mean: ArrayLike) -> Any:
    """The variance, integrated about the mean: a difference of moments would lose it for small q."""
    centre = integrals(f, _itself, q, mean).value[0]
    if np.ndim(centre) == 0:
        return integrals(f, lambda y: ((y - centre) ** 2,), q, mean)
    if not _sampling.is_traced(q, mean, centre):
        return each(functools.partial(_central, f), q, mean)
    shape = jnp.shape(centre)
    q, mean = jnp.broadcast_to(jnp.asarray(q), shape), jnp.broadcast_to(jnp.asarray(mean), shape)

    def one(q: Array, mean: Array, centre: Array) -> Any:
        return integrals(f, lambda y: ((y - centre) ** 2,), q, mean)

    found = jax.vmap(one, out_axes=1)(q.ravel(), mean.ravel(), centre.ravel())
    return type(found)(found.value.reshape(-1, *shape), found.error.reshape(-1, *shape))


def _answer(value: Any, error: Any, full_output: bool) -> Array | Estimate:
    """A number for the user; warns when it is known now and is not what was promised."""
    status = "traced"
    if not _sampling.is_traced(value):
        status = _status(np.asarray(value), np.asarray(error))
        if status != "ok" and not full_output:
            warnings.warn(f"Gaussian moment {value}: {status}", RuntimeWarning, stacklevel=3)
    value = jnp.asarray(value, dtype=jnp.result_type(float))
    return Estimate(value, jnp.asarray(error, dtype=value.dtype), status) if full_output else value


def _status(value: np.ndarray, error: np.ndarray) -> str:
    if not np.all(np.isfinite(value)):
        return "the integrand is not finite, or the integral diverges"
    # The promise is 1e-10 or, without x64, 2e-6; the estimate overstates the error at least tenfold.
    promise = 1e-9 if jnp.result_type(float) == jnp.float64 else 2e-5
    if np.any(error > promise * np.maximum(1.0, np.abs(value))):
        return f"quadrature did not settle, estimated error {np.max(error):.1e}"
    return "ok"
