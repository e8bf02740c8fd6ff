"""Derivatives of any order by `jax.grad`, and their comparison with the analytic form, as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts import _declare

Array = jax.Array


def nth(f: Callable[[Array], Array], n: int = 1) -> Callable[[Any], Array]:
    r"""The n-th derivative of an elementwise function, itself elementwise.

    Args:
      f: an elementwise function of one array.
      n: the order, 0 or more.

    Returns:
      A function of an array of any shape; it has the shape and dtype of its argument.

    Raises:
      ValueError: if `n` is negative.

    Example:
      >>> nth(jaxacts.tanh, 2)(jnp.array([-1.0, 1.0]))
      Array([ 0.6397, -0.6397], dtype=float32)

    Reference:
      Griewank & Walther, Evaluating Derivatives, 2nd edition (2008), https://doi.org/10.1137/1.9780898717761
    """
    if n < 0:
        raise ValueError(f"n must be 0 or more, was {n}")

    def single(x: Array) -> Array:
        return f(x)

    for _ in range(n):
        single = jax.grad(single)

    def derivative(x: Any) -> Array:
        x = _declare.as_inexact(x)
        return jax.vmap(single)(x.ravel()).reshape(x.shape)

    return derivative


class CrossCheck(NamedTuple):
    """Two opinions on a derivative at the same points.

    Attributes:
      points: where they were compared.
      autodiff: what `jax.grad` gives.
      analytic: what the analytic form gives.
      error: their difference, relative to the larger of 1 and the size of the derivative.
      worst: the largest error, and the point where it occurs.
    """

    points: np.ndarray
    autodiff: np.ndarray
    analytic: np.ndarray
    error: np.ndarray
    worst: tuple[float, float]


def cross_check(
    f: Callable[[Array], Array],
    derivative: Callable[[Array], Array] | None = None,
    points: Any = None,
) -> CrossCheck:
    r"""Compare `jax.grad` with an analytic derivative.

    Args:
      f: an elementwise function; with a record its analytic derivative is known.
      derivative: the analytic derivative; needed where `f` has no record.
      points: where to compare; by default 2001 points on [-10, 10] without the declared kinks.

    Returns:
      A :class:`CrossCheck`. It computes in the default float type.

    Raises:
      ValueError: if there is no derivative to compare with.

    Example:
      >>> cross_check(jaxacts.mish).worst[0] < 1e-5
      True

    Reference:
      Griewank & Walther, Evaluating Derivatives, 2nd edition (2008), https://doi.org/10.1137/1.9780898717761
    """
    if derivative is None:
        derivative = _declare.derivative(f)
    if points is None:
        points = np.linspace(-10.0, 10.0, 2001)
        known = _declare.facts(f)
        if known is not None:
            points = points[~np.isin(points, [point for point, _ in known.kinks])]
    x = jnp.asarray(points, jnp.result_type(float))
    one, two = jax.jit(lambda x: (nth(f)(x), derivative(x)))(x)
    one, two = np.asarray(one, np.float64), np.asarray(two, np.float64)
    error = np.abs(one - two) / np.maximum(1.0, np.maximum(np.abs(one), np.abs(two)))
    at = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
    points = np.asarray(x, np.float64)
    return CrossCheck(points, one, two, error, (float(error[at]), float(points[at])))
