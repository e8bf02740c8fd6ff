"""Smooth relatives of the rectifier: softplus, squareplus and others without a gate."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, nan, unstated
from jaxacts._numerics import EXPONENTIAL, LARGEST, like, quick, require, series, smooth, tails, widen
from jaxacts._numerics.constants import LN2, ROOT_HALF
from jaxacts.activations._facts import NORMAL, gated, rectifier, rounded, transformed

__all__ = ["bent_identity", "log_cosh", "sau", "shifted_softplus", "smu", "softplus", "squareplus"]


# --- softplus


def _softplus_series(x: series.Series, beta: series.Operand) -> series.Series:
    # softplus(u) = u + softplus(-u): with the small part alone the derivative in beta cancels nowhere
    u = beta * x
    tail = series.softplus(-series.absolute(u)) / beta
    return series.where(tails.negative(u), tail, x + tail)


_softplus = smooth(
    _softplus_series,
    left=lambda beta: ((1 - jnp.sign(beta)) / 2, 0.0),
    right=lambda beta: ((1 + jnp.sign(beta)) / 2, 0.0),
    quick=(quick.softplus, quick.sigmoid),
    quick_at=(1.0,),
)


def softplus(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    r"""Softplus, :math:`\log(1+e^{\beta x})/\beta`.

    The smooth rectifier, the integral of the sigmoid; exact for every x, without the cut to the identity
    that some frameworks make at 20.

    Args:
      x: input of any shape.
      beta: sharpness, not 0; the curve tends to the rectifier as it grows.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `beta` is a plain 0.

    Example:
      >>> jaxacts.softplus(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.3132617, 0.6931472, 2.126928 ], dtype=float32)

    Reference:
      Dugas, Bengio, Bélisle, Nadeau & Garcia, Incorporating Second-Order Functional Knowledge for Better
      Option Pricing, NIPS 13 (2000)
    """
    x, narrow = widen(x)
    b = like(beta, x)
    require("beta", b, b != 0, "other than 0")
    return narrow(_softplus(x, b))


def _softplus_derivative(x: Array, beta: ArrayLike = 1.0) -> Array:
    return nn.sigmoid(beta * x)


def _softplus_facts(beta: float) -> Facts:
    about: dict[str, Any] = {"family": "smooth rectifier", "year": 2000, "aliases": ("smooth_relu",)}
    if beta == 0:
        return unstated(**about)
    facts = Facts((0.0, inf), (0.0, inf), (0.0, 1.0), 1.0, 0.25, monotone=True, zeros=(), **about)
    return transformed(facts, 1 / beta, beta)


declare(
    softplus,
    derivative=_softplus_derivative,
    facts=_softplus_facts,
    formula=r"\log(1+e^{\beta x})/\beta",
    reference="Dugas, Bengio, Bélisle, Nadeau & Garcia, Incorporating Second-Order Functional Knowledge for "
    "Better Option Pricing, NIPS 13 (2000)",
    cases=({}, {"beta": 2.0}, {"beta": 0.5}),
)


# --- squareplus


def _squareplus_series(x: series.Series, b: series.Operand) -> series.Series:
    # relu(x) + part(|x|), where part = (b / 2) / (|x| + sqrt(x^2 + b))
    # neither cancels nor, with 1 / |x|, overflows
    size = series.absolute(x)
    large = tails.beyond(x, series.sqrt(b) if isinstance(b, series.Series) else math.sqrt(b))
    w = tails.inverse(series.where(large, size, 1.0))
    far = (0.5 * b) * w / (1.0 + series.sqrt(1.0 + b * w * w))
    near = series.where(large, 0.0, x)
    root = series.sqrt(near * near + b)
    part = series.where(large, far, 0.5 * (root - near))
    return series.where(large, series.where(series.positive(x), x + far, far), part + near)


# no bound but the largest float: on the left the value is normal all the way
_squareplus = smooth(
    _squareplus_series,
    left=(0.0, 0.0),
    right=(1.0, 0.0),
    bound=LARGEST,
    quick=(quick.squareplus, quick.squareplus_slope),
    quick_at=(4.0,),
)


def squareplus(x: ArrayLike, b: ArrayLike = 4.0) -> Array:
    r"""Squareplus, :math:`(x+\sqrt{x^2+b})/2`.

    A smooth rectifier without transcendental functions: a hyperbola with the asymptotes 0 and x. It
    decays only like b / (4 |x|) on the left.

    Args:
      x: input of any shape.
      b: size of the rounded corner; at least 0, where the curve is the rectifier, without a derivative at 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `b` is a plain number below 0.

    Example:
      >>> jaxacts.squareplus(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.618034 , 1.       , 2.4142137], dtype=float32)

    Reference:
      Barron (2021), https://arxiv.org/abs/2112.11687
    """
    x, narrow = widen(x)
    size = like(b, x)
    require("b", size, size >= 0, "at least 0")
    return narrow(_squareplus(x, size))


def _squareplus_derivative(x: Array, b: ArrayLike = 4.0) -> Array:
    r = jnp.hypot(x, jnp.sqrt(b))
    right = (1 + x / r) / 2
    return jnp.where(x > 0, right, b / (2 * r) / (r + jnp.abs(x)))


def _squareplus_facts(b: float) -> Facts:
    about: dict[str, Any] = {"family": "smooth rectifier", "year": 2021}
    if b <= 0:
        return unstated(**about) if b else rectifier(nan, **about)
    bend = 0.5 / b**0.5
    return Facts((0.0, inf), (0.0, inf), (0.0, 1.0), 1.0, bend, monotone=True, zeros=(), **about)


declare(
    squareplus,
    derivative=_squareplus_derivative,
    facts=_squareplus_facts,
    formula=r"(x+\sqrt{x^2+b})/2",
    reference="Barron (2021), https://arxiv.org/abs/2112.11687",
    cases=({}, {"b": 1.0}),
)


# --- shifted_softplus

_shifted_softplus = smooth(
    # log1p(expm1(x) / 2) does not cancel at zero
    lambda x: series.where(
        series.exceeds(x, 1.0), series.softplus(x) - LN2, series.log1p(0.5 * series.expm1(x))
    ),
    left=(0.0, -float(LN2)),
    right=(1.0, -float(LN2)),
    bound=EXPONENTIAL,
)


def shifted_softplus(x: ArrayLike) -> Array:
    r"""Shifted softplus, :math:`\log((1+e^x)/2)`.

    Softplus moved down so that it passes through the origin; used in networks for molecules.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.shifted_softplus(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.3798855,  0.       ,  1.4337808], dtype=float32)

    Reference:
      Schütt et al., SchNet (2017), https://arxiv.org/abs/1706.08566
    """
    x, narrow = widen(x)
    return narrow(_shifted_softplus(x))


def _shifted_softplus_derivative(x: Array) -> Array:
    return nn.sigmoid(x)


declare(
    shifted_softplus,
    derivative=_shifted_softplus_derivative,
    facts=Facts(
        image=(-0.6931471805599453, inf),
        limits=(-0.6931471805599453, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=0.25,
        monotone=True,
        family="smooth rectifier",
        year=2017,
        aliases=("ssp",),
    ),
    formula=r"\log\left(\tfrac{1+e^x}{2}\right)",
    reference="Schütt et al., SchNet (2017), https://arxiv.org/abs/1706.08566",
)


# --- log_cosh

_log_cosh = smooth(series.log_cosh, left=(-1.0, -float(LN2)), right=(1.0, -float(LN2)), bound=EXPONENTIAL)


def log_cosh(x: ArrayLike) -> Array:
    r"""Logarithm of the hyperbolic cosine, :math:`\log\cosh x`.

    Even: a parabola x²/2 near zero, |x| - log 2 far out; the integral of tanh.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.log_cosh(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.43378082, 0.        , 1.3250028 ], dtype=float32)

    Reference:
      Chen, Chen, Liao & Chen, Log Hyperbolic Cosine Loss Improves Variational Auto-Encoder (2019), https://openreview.net/forum?id=rkglvsC9Ym
    """
    x, narrow = widen(x)
    return narrow(_log_cosh(x))


def _log_cosh_derivative(x: Array) -> Array:
    return jnp.tanh(x)


declare(
    log_cosh,
    derivative=_log_cosh_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(inf, inf),
        derivative_limits=(-1.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=1.0,
        parity="even",
        minimum=(0.0, 0.0),
        family="smooth rectifier",
        year=2019,
        aliases=("logcosh",),
    ),
    formula=r"\log\cosh x",
    reference="Chen, Chen, Liao & Chen, Log Hyperbolic Cosine Loss Improves Variational Auto-Encoder (2019), https://openreview.net/forum?id=rkglvsC9Ym",
)


# --- bent_identity


def _bent_identity_program(x):
    # far out through 1 / |x|, whose cube, the second derivative, keeps its digits down to the smallest number
    size = series.absolute(x)
    w = tails.inverse(size)
    far = (size - 1.0) + w / (1.0 + series.sqrt(1.0 + w * w))
    return x + 0.5 * series.where(tails.beyond(x, 4096.0), far, series.hypot_one(x))


_bent_identity = smooth(
    _bent_identity_program,
    left=(0.5, -0.5),
    right=(1.5, -0.5),
    # where the second derivative 1 / (2 |x|^3) falls below the smallest normal number
    bound={np.dtype(np.float32): 2.0**43, np.dtype(np.float64): 2.0**342},
)


def bent_identity(x: ArrayLike) -> Array:
    r"""Bent identity, :math:`x+(\sqrt{x^2+1}-1)/2`.

    The identity with a bend at zero: slope 1/2 on the far left, 3/2 on the far right, 1 at the origin.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.bent_identity(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.79289323,  0.        ,  2.618034  ], dtype=float32)

    Reference:
      Dubey, Singh & Chaudhuri, Neurocomputing 503 (2022), https://arxiv.org/abs/2109.14545
    """
    x, narrow = widen(x)
    return narrow(_bent_identity(x))


def _bent_identity_derivative(x: Array) -> Array:
    return 1 + x / (2 * jnp.hypot(x, 1.0))


declare(
    bent_identity,
    derivative=_bent_identity_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(0.5, 1.5),
        lipschitz=1.5,
        lipschitz_derivative=0.5,
        monotone=True,
        family="smooth rectifier",
        year=2022,
    ),
    formula=r"x+\frac{\sqrt{x^2+1}-1}{2}",
    reference="Dubey, Singh & Chaudhuri, Neurocomputing 503 (2022), https://arxiv.org/abs/2109.14545",
)


# --- smu


def _smu_series(x: series.Series, alpha: series.Operand, mu: series.Operand) -> series.Series:
    # max(alpha x, x) and what rounds its corner, which cancels nowhere in the derivative in alpha
    rest = 1 + -series.exactly(alpha)
    corner = 0.5 * (rest * series.absolute(x)) * series.erfc(series.exactly(mu) * rest * series.absolute(x))
    left = -corner if alpha == 0 else alpha * x - corner
    return series.where(tails.negative(x), left, x - corner)


def _smu_slope(side: int, alpha: ArrayLike, mu: ArrayLike) -> Array:
    """The larger of alpha and 1 on the right, for mu > 0; the smaller one for mu < 0."""
    alpha = jnp.asarray(alpha)
    return ((1 + alpha) + side * jnp.sign(mu) * jnp.abs(1 - alpha)) / 2


_smu = smooth(
    _smu_series,
    left=lambda alpha, mu: (_smu_slope(-1, alpha, mu), 0.0),
    right=lambda alpha, mu: (_smu_slope(1, alpha, mu), 0.0),
)


def smu(x: ArrayLike, alpha: ArrayLike = 0.25, mu: ArrayLike = 1.0) -> Array:
    r"""Smooth maximum unit, :math:`\tfrac12[(1+\alpha)x+(1-\alpha)x\,\mathrm{erf}(\mu(1-\alpha)x)]`.

    A smooth leaky rectifier with slopes alpha and 1; it tends to the leaky rectifier as mu grows. The
    paper trains mu from 1e6; the default here shows the smooth shape.

    Args:
      x: input of any shape.
      alpha: slope on the far left, below 1.
      mu: sharpness of the corner; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.smu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.35831663,  0.        ,  1.9745789 ], dtype=float32)

    Reference:
      Biswas, Kumar, Banerjee & Pandey (2021), https://arxiv.org/abs/2111.04682
    """
    x, narrow = widen(x)
    return narrow(_smu(x, like(alpha, x), like(mu, x)))


def _smu_derivative(x: Array, alpha: float | Array = 0.25, mu: float | Array = 1.0) -> Array:
    u = mu * (1 - alpha) * x
    bell = 2 / jnp.sqrt(jnp.pi) * jnp.exp(-(u**2))
    return alpha + (1 - alpha) / 2 * (lax.erfc(-u) + u * bell)


def _smu_facts(alpha: float, mu: float) -> Facts:
    return gated(alpha, 1.0, NORMAL, 2**0.5 * mu * (1 - alpha), family="smooth rectifier", year=2021)


declare(
    smu,
    derivative=_smu_derivative,
    facts=_smu_facts,
    formula=r"\tfrac12\left[(1+\alpha)x+(1-\alpha)x\,\mathrm{erf}(\mu(1-\alpha)x)\right]",
    reference="Biswas, Kumar, Banerjee & Pandey (2021), https://arxiv.org/abs/2111.04682",
    cases=({}, {"alpha": 0.0, "mu": 2.0}),
)


# --- sau


def _sau_series(x: series.Series, alpha: series.Operand, beta: series.Operand) -> series.Series:
    # max(alpha x, x) and what rounds its corner: x Phi(b x) + phi(b x) / b at -|x|, the integral of erfc
    u = ROOT_HALF * (beta * series.absolute(x))
    corner = (1 + -series.exactly(alpha)) * (ROOT_HALF * series.ierfc(u) / beta)
    left = corner if alpha == 0 else alpha * x + corner
    return series.where(tails.negative(x), left, x + corner)


_sau = smooth(
    _sau_series,
    left=lambda alpha, beta: (tails.by_sign(beta, 1.0, math.nan, alpha), 0.0),
    right=lambda alpha, beta: (tails.by_sign(beta, alpha, math.nan, 1.0), 0.0),
)


def sau(x: ArrayLike, alpha: ArrayLike = 0.15, beta: ArrayLike = 1.0) -> Array:
    r"""Smooth activation unit, :math:`\alpha x+(1-\alpha)[x\,\Phi(\beta x)+\varphi(\beta x)/\beta]`.

    The leaky rectifier with slope alpha, convolved with a normal distribution of standard deviation
    1/beta; convex.

    Args:
      x: input of any shape.
      alpha: slope on the far left.
      beta: sharpness of the corner; not 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `beta` is a plain 0.

    Example:
      >>> jaxacts.sau(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.07918185,  0.33910093,  2.0072172 ], dtype=float32)

    Reference:
      Biswas, Kumar, Banerjee & Pandey (2021), https://arxiv.org/abs/2109.13210
    """
    x, narrow = widen(x)
    b = like(beta, x)
    require("beta", b, b != 0, "other than 0")
    return narrow(_sau(x, like(alpha, x), b))


def _sau_derivative(x: Array, alpha: float | Array = 0.15, beta: float | Array = 1.0) -> Array:
    return alpha + (1 - alpha) * lax.erfc(-beta * x / jnp.sqrt(2.0)) / 2


def _sau_facts(alpha: float, beta: float) -> Facts:
    about: dict[str, Any] = {"family": "smooth rectifier", "year": 2021}
    return transformed(rounded(alpha, **about), 1 / beta, beta) if beta else unstated(**about)


declare(
    sau,
    derivative=_sau_derivative,
    facts=_sau_facts,
    formula=r"\alpha x+(1-\alpha)\left[x\,\Phi(\beta x)+\varphi(\beta x)/\beta\right]",
    reference="Biswas, Kumar, Banerjee & Pandey (2021), https://arxiv.org/abs/2109.13210",
    cases=({}, {"alpha": 0.0, "beta": 2.0}),
)
