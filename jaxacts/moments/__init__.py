r"""Gaussian moments of any activation: E[f(z)], E[f(u)f(v)], gains.

A wide layer's pre-activations are Gaussian, so what it does to signals and gradients is in a few integrals
against a Gaussian. They are computed here by Gauss-Legendre panels that begin at the function's kinks: plain
Gauss-Hermite quadrature is wrong in the third digit for a rectifier.

Two routes give the same numbers. Plain numbers in: adaptive quadrature on the host, with an error estimate, for
any callable and any variance. Traced values in (`jit`, `vmap`, `grad`): a fixed set of panels, laid out once per
callable; a callable that closes over traced values cannot be sampled beforehand and gets panels that suit
functions whose structure has unit scale, plus its declared kinks.

Functions are evaluated in JAX's default float type: accuracy is 1e-10 with x64 enabled, 2e-6 without.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxacts.moments import _adaptive, _mesh, _sampling, _traced

__all__ = [
    "Estimate",
    "expectation",
    "gain",
]

Array = jax.Array
Kind = Literal["he", "centred", "backward"]


class Estimate(NamedTuple):
    """A number with what is known about its accuracy.

    Attributes:
      value: the number.
      error: estimate of its absolute error; usually far too pessimistic.
      status: "ok", or what is wrong with the number.
    """

    value: Any
    error: Any
    status: str


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
      with respect to `q`, `mean` and whatever `f` closes over, also at `q = 0`.

    Raises:
      TypeError: if `f` is not callable.
      ValueError: if `q` is negative, or `f` not elementwise.

    Example:
      >>> round(float(jaxacts.moments.expectation(jaxacts.relu)), 6)
      0.398942
      >>> round(float(jax.grad(lambda q: jaxacts.moments.expectation(jnp.square, q))(2.0)), 6)
      1.0
    """
    _sampling.check_callable(f)
    found = _integrals(f, lambda y: (y,), q, mean)
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
      >>> [round(float(jaxacts.moments.gain(jaxacts.relu, kind)), 4) for kind in ("he", "centred", "backward")]
      [1.4142, 1.7128, 1.4142]

    Reference:
      He et al. (2015), https://arxiv.org/abs/1502.01852; Brock et al. (2021), https://arxiv.org/abs/2102.06171
    """
    _sampling.check_callable(f)
    if kind not in ("he", "centred", "backward"):
        raise ValueError(f"kind must be 'he', 'centred' or 'backward', was {kind!r}")
    if kind == "he":
        found = _integrals(f, lambda y: (y * y,), 1.0, 0.0)
    elif kind == "centred":
        centre = _integrals(f, lambda y: (y,), 1.0, 0.0).value[0]
        found = _integrals(f, lambda y: ((y - centre) ** 2,), 1.0, 0.0)
    else:
        found = _integrals(f, lambda y, dy: (dy * dy,), 1.0, 0.0, slope=True)
    power, error = found.value[0], found.error[0]
    xp = jnp if _sampling.is_traced(power) else np
    with np.errstate(divide="ignore"):
        value = 1 / xp.sqrt(power)
    return _answer(value, 0.5 * error * value / power, full_output)


class _Integrals(NamedTuple):
    value: Any  # (k,) or (k, *shape of q and mean); NumPy where the numbers are known
    error: Any


def _integrals(
    f: Callable[..., Any],
    integrands: Callable[..., tuple[Any, ...]],
    q: ArrayLike,
    mean: ArrayLike,
    *,
    slope: bool = False,
) -> _Integrals:
    """Expectations of several functions of f(x) (and f'(x) with `slope`), on the host whenever that is possible.

    `integrands` is plain arithmetic, so that it runs on NumPy and on JAX arrays.
    """
    if not _sampling.is_traced(q, mean) and np.ndim(q) == 0 == np.ndim(mean):
        try:
            return _on_host(f, integrands, float(q), float(mean), slope)
        except _sampling.TracedCallable:
            pass
    return _in_jax(f, integrands, q, mean, slope)


def _on_host(f, integrands, q: float, mean: float, slope: bool) -> _Integrals:
    if q < 0:
        raise ValueError(f"q is a variance and cannot be negative, was {q}")

    def sampled(x: np.ndarray) -> np.ndarray:
        return np.stack(integrands(*_sampling.sample(f, x, slope=slope)))

    if not np.isfinite(q + mean):
        raise ValueError(f"q and mean must be finite, were {q} and {mean}")
    if q == 0:
        value = sampled(np.array([mean]))[:, 0]
        return _Integrals(value, _adaptive.unit_roundoff() * np.abs(value))
    known = _mesh.breaks(f)
    return _Integrals(*_adaptive.integrate(sampled, q, mean, known))


def _in_jax(f, integrands, q: ArrayLike, mean: ArrayLike, slope: bool) -> _Integrals:
    dtype = jnp.result_type(float)
    q, mean = jnp.broadcast_arrays(jnp.asarray(q).astype(dtype), jnp.asarray(mean).astype(dtype))
    if not _sampling.is_traced(q) and bool(jnp.any(q < 0)):
        raise ValueError(f"q is a variance and cannot be negative, was {q}")
    edges = _mesh.edges(f)

    def sampled(x: Array) -> Array:
        rows = _sampling.value_and_slope(f, x) if slope else (f(x),)
        return jnp.stack(integrands(*rows))

    def one(q: Array, mean: Array) -> tuple[Array, Array]:
        return _traced.integrate(sampled, edges, q, mean)

    if q.ndim == 0:
        return _Integrals(*one(q, mean))
    value, error = jax.vmap(one, out_axes=1)(q.ravel(), mean.ravel())
    return _Integrals(value.reshape(-1, *q.shape), error.reshape(-1, *q.shape))


def _answer(value: Any, error: Any, full_output: bool) -> Array | Estimate:
    """A number for the user; says so when it was computed on the host and is not what was promised."""
    status = "ok"
    if not _sampling.is_traced(value) and np.ndim(value) == 0:
        status = _status(float(value), float(error))
        if status != "ok" and not full_output:
            warnings.warn(f"Gaussian moment {float(value):.6g}: {status}", RuntimeWarning, stacklevel=3)
    value = jnp.asarray(value, dtype=jnp.result_type(float))
    return Estimate(value, jnp.asarray(error, dtype=value.dtype), status) if full_output else value


def _status(value: float, error: float) -> str:
    if not np.isfinite(value):
        return "the integrand is not finite, or the integral diverges"
    # The promise is 1e-10 and 2e-6; the estimate overstates the error at least tenfold.
    promise = 1e-9 if jnp.result_type(float) == jnp.float64 else 2e-5
    if error > promise * max(1.0, abs(value)):
        return f"quadrature did not settle, estimated error {error:.1e}"
    return "ok"
