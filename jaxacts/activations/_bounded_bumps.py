"""Bumps: even functions that are 1 at the origin and vanish on both sides."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, unstated
from jaxacts._numerics import like, require, series, smooth, widen
from jaxacts._numerics.constants import ROOT_HALF
from jaxacts._numerics.tails import beyond, by_sign, inverse, shrink, spent
from jaxacts.activations._facts import constant

__all__ = ["gaussian", "inverse_multiquadratic", "inverse_quadratic", "laplacian"]

# --- gaussian


def _gaussian_program(x: series.Series, sigma: series.Operand) -> series.Series:
    # so far out that no power of 1/sigma makes it more than 0, though one may be infinite
    return series.where(beyond(x, 60.0 * sigma), 0.0, series.gauss(ROOT_HALF * x / sigma))


_gaussian = smooth(_gaussian_program, left=(0.0, 0.0), right=(0.0, 0.0))


def gaussian(x: ArrayLike, sigma: ArrayLike = 1.0) -> Array:
    r"""Gaussian, :math:`e^{-x^2 / (2 \sigma^2)}`.

    An even bump of height 1; used in radial basis networks and in coordinate networks for signals.

    Args:
      x: input of any shape.
      sigma: its standard deviation; not 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `sigma` is a plain 0.

    Example:
      >>> jaxacts.gaussian(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.60653067, 1.        , 0.13533528], dtype=float32)

    Reference:
      Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135
    """
    x, narrow = widen(x)
    width = like(sigma, x)
    require("sigma", width, width != 0, "other than 0")
    return narrow(_gaussian(x, width))


def _gaussian_derivative(x: Array, sigma: Any = 1.0) -> Array:
    u = jnp.clip(x / sigma, -100, 100)  # beyond 100 the exponential is 0 in every float type
    return -u / sigma * jnp.exp(-(u**2) / 2)


def _gaussian_facts(sigma: float) -> Facts:
    if sigma == 0:
        return unstated(family="bounded", year=2021, aliases=("rbf",))
    return Facts(
        image=(0.0, 1.0),
        limits=(0.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.6065306597126334 / abs(sigma),
        lipschitz_derivative=1 / sigma / sigma,
        parity="even",
        zeros=(),
        family="bounded",
        year=2021,
        aliases=("rbf",),
    )


declare(
    gaussian,
    derivative=_gaussian_derivative,
    facts=_gaussian_facts,
    formula=r"e^{-x^2 / (2 \sigma^2)}",
    reference="Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135",
    cases=({}, {"sigma": 0.5}),
)

# --- laplacian


def _laplacian_program(x: series.Series, sigma: series.Operand) -> series.Series:
    return series.where(spent(x, sigma), 0.0, series.exp(-series.absolute(x) / sigma))


_laplacian = smooth(_laplacian_program, left=(0.0, 0.0), right=(0.0, 0.0))


def laplacian(x: ArrayLike, sigma: ArrayLike = 1.0) -> Array:
    r"""Two-sided exponential, :math:`e^{-|x| / \sigma}`.

    An even bump with a peak; at the kink 0 the derivative is that from the right, -1/sigma.

    Args:
      x: input of any shape.
      sigma: its length; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `sigma` is a plain number that is not positive.

    Example:
      >>> jaxacts.laplacian(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.36787945, 1.        , 0.13533528], dtype=float32)

    Reference:
      Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135
    """
    x, narrow = widen(x)
    width = like(sigma, x)
    require("sigma", width, width > 0, "positive")
    return narrow(_laplacian(x, width))


def _laplacian_derivative(x: Array, sigma: Any = 1.0) -> Array:
    return jnp.where(x >= 0, -1.0, 1.0) / sigma * jnp.exp(-jnp.abs(x) / sigma)


def _laplacian_facts(sigma: float) -> Facts:
    if sigma == 0:
        return unstated(family="bounded", year=2021)
    falls = sigma > 0
    end = 0.0 if falls else inf
    return Facts(
        image=(0.0, 1.0) if falls else (1.0, inf),
        limits=(end, end),
        derivative_limits=(-end + 0.0, end),
        lipschitz=1 / sigma if falls else inf,
        minimum=None if falls else (0.0, 1.0),
        lipschitz_derivative=inf,
        kinks=((0.0, -1 / sigma),),
        smoothness=0,
        parity="even",
        zeros=(),
        family="bounded",
        year=2021,
    )


declare(
    laplacian,
    derivative=_laplacian_derivative,
    facts=_laplacian_facts,
    formula=r"e^{-|x| / \sigma}",
    reference="Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135",
    cases=({}, {"sigma": 0.5}),
)

# --- inverse_quadratic


def _inverse_quadratic_program(x, a):
    u = a * x
    square = inverse(u) * inverse(u)
    return series.where(beyond(u, 1.0), square / (1.0 + square), 1.0 / (1.0 + u * u))


def _far_out(a: float | Array) -> tuple[float, Array]:
    return 0.0, by_sign(a, 0.0, 1.0, 0.0)


_inverse_quadratic = smooth(_inverse_quadratic_program, left=_far_out, right=_far_out)


def inverse_quadratic(x: ArrayLike, a: ArrayLike = 1.0) -> Array:
    r"""Inverse quadratic, :math:`1 / (1 + (a x)^2)`.

    An even bump whose tails fall like :math:`1/x^2`; the Cauchy density up to a factor.

    Args:
      x: input of any shape.
      a: inverse length.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.inverse_quadratic(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.5, 1. , 0.2], dtype=float32)

    Reference:
      Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135
    """
    x, narrow = widen(x)
    return narrow(_inverse_quadratic(x, like(a, x)))


def _inverse_quadratic_derivative(x: Array, a: float | Array = 1.0) -> Array:
    f = 1 / (1 + (a * x) ** 2)
    return -2 * a * (a * x * f) * f


def _inverse_quadratic_facts(a: float) -> Facts:
    if a == 0:
        return constant(1.0, family="bounded", year=2021)
    return Facts(
        image=(0.0, 1.0),
        limits=(0.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.649519052838329 * abs(a),
        lipschitz_derivative=2 * a * a,
        parity="even",
        zeros=(),
        family="bounded",
        year=2021,
    )


declare(
    inverse_quadratic,
    derivative=_inverse_quadratic_derivative,
    facts=_inverse_quadratic_facts,
    formula=r"\frac{1}{1 + (a x)^2}",
    reference="Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135",
    cases=({}, {"a": 2.0}),
)

# --- inverse_multiquadratic


def _inverse_multiquadratic_program(x, a):
    u = a * x
    # far out with 1 / |x| apart from a, or the derivative in a would be x times what has vanished
    w = inverse(series.absolute(x))
    return series.where(beyond(u, 1.0), w / series.sqrt(a * a + w * w), 1.0 / series.sqrt(1.0 + u * u))


_inverse_multiquadratic = smooth(_inverse_multiquadratic_program, left=_far_out, right=_far_out)


def inverse_multiquadratic(x: ArrayLike, a: ArrayLike = 1.0) -> Array:
    r"""Inverse multiquadratic, :math:`1 / \sqrt{1 + (a x)^2}`.

    An even bump with the longest tails of its family: they fall like 1/x.

    Args:
      x: input of any shape.
      a: inverse length.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.inverse_multiquadratic(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.70710677, 1.        , 0.4472136 ], dtype=float32)

    Reference:
      Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135
    """
    x, narrow = widen(x)
    a = like(a, x)
    x, factor = shrink(x, a != 0)  # far out f is 1 / |a x| as far as floats go
    return narrow(factor * _inverse_multiquadratic(x, a))


def _inverse_multiquadratic_derivative(x: Array, a: float | Array = 1.0) -> Array:
    u = a * x
    f = 1 / jnp.hypot(1.0, u)
    return -a * (u * f) * f * f


def _inverse_multiquadratic_facts(a: float) -> Facts:
    if a == 0:
        return constant(1.0, family="bounded", year=2021)
    return Facts(
        image=(0.0, 1.0),
        limits=(0.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.3849001794597505 * abs(a),
        lipschitz_derivative=a * a,
        parity="even",
        zeros=(),
        family="bounded",
        year=2021,
    )


declare(
    inverse_multiquadratic,
    derivative=_inverse_multiquadratic_derivative,
    facts=_inverse_multiquadratic_facts,
    formula=r"\frac{1}{\sqrt{1 + (a x)^2}}",
    reference="Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135",
    cases=({}, {"a": 2.0}),
)
