"""Gated functions with a composite gate: tanh_exp, serf, lisht, logish, smish, phish, aptx."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import EXPONENTIAL, like, series, smooth, tails, widen
from jaxacts._numerics.constants import ROOT_HALF
from jaxacts._numerics.tails import near_zero, negative
from jaxacts.activations._facts import LOGISTIC, gated, line, transformed

__all__ = ["aptx", "lisht", "logish", "phish", "serf", "smish", "tanh_exp"]


# --- tanh_exp


def _tanh_exp_series(x: series.Series) -> series.Series:
    # from 6 on the gate is 1 in every type, and exp would only overflow
    linear = series.exceeds(x, 6.0)
    return series.where(linear, x, x * series.tanh(series.exp(series.where(linear, 0.0, x))))


_tanh_exp = smooth(_tanh_exp_series, left=(0.0, 0.0), right=(1.0, 0.0), bound=EXPONENTIAL)


def tanh_exp(x: ArrayLike) -> Array:
    r"""TanhExp, :math:`x\tanh(e^x)`, also known as TeLU.

    Smooth, with one dip below zero; 0 on the left. On the right it becomes the identity faster than any
    other gate: the difference is below 1e-300 from x = 6 on.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.tanh_exp(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.35213548,  0.        ,  1.9999985 ], dtype=float32)

    Reference:
      Liu & Di (2020), https://arxiv.org/abs/2003.09855; Fernandez & Mali (2024), https://arxiv.org/abs/2412.20269
    """
    x, narrow = widen(x)
    return narrow(_tanh_exp(x))


def _tanh_exp_derivative(x: Array) -> Array:
    e = jnp.exp(jnp.minimum(x, 20.0))
    gate = jnp.tanh(e)
    return gate + x * e * (1 - gate) * (1 + gate)


declare(
    tanh_exp,
    derivative=_tanh_exp_derivative,
    facts=Facts(
        image=(-0.35328577784821125, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.061975308717916,
        lipschitz_derivative=0.9021623417007213,
        minimum=(-1.078860058464624, -0.35328577784821125),
        family="gated",
        year=2020,
        aliases=("telu",),
    ),
    formula=r"x\tanh(e^x)",
    reference="Liu & Di (2020), https://arxiv.org/abs/2003.09855; Fernandez & Mali (2024), https://arxiv.org/abs/2412.20269",
)


# --- serf

_serf = smooth(
    lambda x: x * series.erf(series.softplus(x)), left=(0.0, 0.0), right=(1.0, 0.0), bound=EXPONENTIAL
)


def serf(x: ArrayLike) -> Array:
    r"""Serf, :math:`x\,\mathrm{erf}(\log(1+e^x))`.

    Smooth, with one dip below zero; 0 on the left, the identity on the right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.serf(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.34224796,  0.        ,  1.9947393 ], dtype=float32)

    Reference:
      Nag, Bhattacharyya, Mukherjee & Kundu (2021), https://arxiv.org/abs/2108.09598
    """
    x, narrow = widen(x)
    return narrow(_serf(x))


def _serf_derivative(x: Array) -> Array:
    u = jnp.logaddexp(x, 0.0)
    return lax.erf(u) + x * 2 / jnp.sqrt(jnp.pi) * jnp.exp(-(u**2)) * nn.sigmoid(x)


declare(
    serf,
    derivative=_serf_derivative,
    facts=Facts(
        image=(-0.3484374587596064, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.086125444150997,
        lipschitz_derivative=0.7119447638104462,
        minimum=(-1.1930599689281878, -0.3484374587596064),
        family="gated",
        year=2021,
    ),
    formula=r"x\,\mathrm{erf}(\log(1+e^x))",
    reference="Nag, Bhattacharyya, Mukherjee & Kundu (2021), https://arxiv.org/abs/2108.09598",
)


# --- lisht

_lisht = smooth(lambda x: x * series.tanh(x), left=(-1.0, 0.0), right=(1.0, 0.0), bound=EXPONENTIAL)


def lisht(x: ArrayLike) -> Array:
    r"""Linearly scaled tanh, :math:`x\tanh x`.

    Even and non-negative: -x on the far left, x on the far right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.lisht(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.7615942, 0.       , 1.9280552], dtype=float32)

    Reference:
      Roy, Manna, Dubey & Chaudhuri (2019), https://arxiv.org/abs/1901.05894
    """
    x, narrow = widen(x)
    return narrow(_lisht(x))


def _lisht_derivative(x: Array) -> Array:
    t = jnp.tanh(x)
    return t + x * (1 - t) * (1 + t)


declare(
    lisht,
    derivative=_lisht_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(inf, inf),
        derivative_limits=(-1.0, 1.0),
        lipschitz=1.1996786402577337,
        lipschitz_derivative=2.0,
        minimum=(0.0, 0.0),
        family="gated",
        year=2019,
        parity="even",
    ),
    formula=r"x\tanh x",
    reference="Roy, Manna, Dubey & Chaudhuri (2019), https://arxiv.org/abs/1901.05894",
)


# --- logish

_logish = smooth(
    lambda x, alpha, beta: alpha * (x * series.log1p(series.sigmoid(beta * x))),
    left=lambda alpha, beta: (alpha * tails.by_sign(beta, math.log(2), math.log(1.5), 0.0), 0.0),
    right=lambda alpha, beta: (alpha * tails.by_sign(beta, 0.0, math.log(1.5), math.log(2)), 0.0),
    rate=(1, 1),
)


def logish(x: ArrayLike, alpha: ArrayLike = 1.0, beta: ArrayLike = 1.0) -> Array:
    r"""Logish, :math:`\alpha x\log(1+\sigma(\beta x))`.

    Smooth, with one dip below zero; 0 on the left, slope alpha log 2 on the right (for beta > 0).

    Args:
      x: input of any shape.
      alpha: height of the curve.
      beta: slope of the gate; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.logish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.23818302,  0.        ,  1.2633914 ], dtype=float32)

    Reference:
      Zhu, Zeng, Liu et al., Neurocomputing 458 (2021), https://doi.org/10.1016/j.neucom.2021.06.067
    """
    x, narrow = widen(x)
    return narrow(_logish(x, like(alpha, x), like(beta, x)))


def _logish_derivative(x: Array, alpha: float | Array = 1.0, beta: float | Array = 1.0) -> Array:
    s = nn.sigmoid(beta * x)
    return alpha * (jnp.log1p(s) + beta * x * s * nn.sigmoid(-beta * x) / (1 + s))


def _logish_facts(alpha: float, beta: float) -> Facts:
    if beta == 0:
        return line(math.log(1.5) * alpha, family="gated", year=2021)
    facts = Facts(
        image=(-0.25276881678944035, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 0.6931471805599453),
        lipschitz=0.7463111804127397,
        lipschitz_derivative=0.344392130352726,
        minimum=(-1.372454137025692, -0.25276881678944035),
        family="gated",
        year=2021,
    )
    return transformed(facts, alpha / beta, beta)


declare(
    logish,
    derivative=_logish_derivative,
    facts=_logish_facts,
    formula=r"\alpha x\log(1+\sigma(\beta x))",
    reference="Zhu, Zeng, Liu et al., Neurocomputing 458 (2021), https://doi.org/10.1016/j.neucom.2021.06.067",
    cases=({}, {"alpha": 1.0, "beta": 10.0}, {"alpha": 0.5, "beta": 2.0}),
)


# --- smish

_smish = smooth(
    lambda x, alpha, beta: alpha * (x * series.tanh(series.log1p(series.sigmoid(beta * x)))),
    left=lambda alpha, beta: (alpha * tails.by_sign(beta, 0.6, 5 / 13, 0.0), 0.0),
    right=lambda alpha, beta: (alpha * tails.by_sign(beta, 0.0, 5 / 13, 0.6), 0.0),
    rate=(1, 1),
)


def smish(x: ArrayLike, alpha: ArrayLike = 1.0, beta: ArrayLike = 1.0) -> Array:
    r"""Smish, :math:`\alpha x\tanh(\log(1+\sigma(\beta x)))`.

    Smooth, with one dip below zero; 0 on the left, slope 3 alpha / 5 on the right (for beta > 0), as
    tanh(log 2) = 3/5.

    Args:
      x: input of any shape.
      alpha: height of the curve.
      beta: slope of the gate; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.smish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.2337788,  0.       ,  1.1184374], dtype=float32)

    Reference:
      Wang, Ren & Wang, Electronics 11 (2022) 540, https://doi.org/10.3390/electronics11040540
    """
    x, narrow = widen(x)
    return narrow(_smish(x, like(alpha, x), like(beta, x)))


def _smish_derivative(x: Array, alpha: float | Array = 1.0, beta: float | Array = 1.0) -> Array:
    s = nn.sigmoid(beta * x)
    gate = jnp.tanh(jnp.log1p(s))
    return alpha * (gate + beta * x * (1 - gate) * (1 + gate) * s * nn.sigmoid(-beta * x) / (1 + s))


def _smish_facts(alpha: float, beta: float) -> Facts:
    if beta == 0:
        return line(math.tanh(math.log(1.5)) * alpha, family="gated", year=2022)
    facts = Facts(
        image=(-0.24999366366012948, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 0.6),
        lipschitz=0.6368842228812263,
        lipschitz_derivative=0.3119666281058706,
        minimum=(-1.394519301924504, -0.24999366366012948),
        family="gated",
        year=2022,
    )
    return transformed(facts, alpha / beta, beta)


declare(
    smish,
    derivative=_smish_derivative,
    facts=_smish_facts,
    formula=r"\alpha x\tanh(\log(1+\sigma(\beta x)))",
    reference="Wang, Ren & Wang, Electronics 11 (2022) 540, https://doi.org/10.3390/electronics11040540",
    cases=({}, {"alpha": 0.5, "beta": 2.0}),
)


# --- phish

_phish = smooth(
    lambda x: x * series.tanh(0.5 * x * series.erfc(-ROOT_HALF * x)),
    left=(0.0, 0.0),
    right=(1.0, 0.0),
    bound=EXPONENTIAL,
)


def phish(x: ArrayLike) -> Array:
    r"""Phish, :math:`x\tanh(\mathrm{gelu}(x))`.

    Non-negative, touching zero at 0, with a small bump on the left; the identity on the right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.phish(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.15733732, 0.        , 1.9213358 ], dtype=float32)

    Reference:
      Naveen (2022), https://doi.org/10.36227/techrxiv.17283824
    """
    x, narrow = widen(x)
    return narrow(_phish(x))


def _phish_derivative(x: Array) -> Array:
    cdf = lax.erfc(-x / jnp.sqrt(2.0)) / 2
    gate = jnp.tanh(x * cdf)
    slope = cdf + x * jnp.exp(-(x**2) / 2) / jnp.sqrt(2 * jnp.pi)
    return gate + x * (1 - gate) * (1 + gate) * slope


declare(
    phish,
    derivative=_phish_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.2983066733058115,
        lipschitz_derivative=1.6307593337398185,
        minimum=(0.0, 0.0),
        family="gated",
        year=2022,
    ),
    formula=r"x\tanh(\mathrm{gelu}(x))",
    reference="Naveen (2022), https://doi.org/10.36227/techrxiv.17283824",
)


# --- aptx


def _aptx_series(
    x: series.Series, alpha: series.Operand, beta: series.Operand, gamma: series.Operand
) -> series.Series:
    # alpha + tanh u, as the sum that does not cancel: at alpha = 1 on the left, at -1 on the right
    u = beta * x
    left = (alpha + -1.0) + 2.0 * series.sigmoid(2.0 * u)
    right = (alpha + 1.0) - 2.0 * series.sigmoid(-2.0 * u)
    gate = series.where(near_zero(u), alpha + series.tanh(u), series.where(negative(u), left, right))
    return gamma * (x * gate)


_aptx = smooth(
    _aptx_series,
    left=lambda alpha, beta, gamma: (gamma * (alpha - jnp.sign(beta)), 0.0),
    right=lambda alpha, beta, gamma: (gamma * (alpha + jnp.sign(beta)), 0.0),
    rate=(1, 1),
)


def aptx(x: ArrayLike, alpha: ArrayLike = 1.0, beta: ArrayLike = 1.0, gamma: ArrayLike = 0.5) -> Array:
    r"""APTx, :math:`(\alpha+\tanh(\beta x))\,\gamma x`.

    With the defaults, a steeper silu, :math:`x\,\sigma(2x)`; with beta = gamma = 1/2 it is silu itself.
    Other values of alpha tilt the left branch.

    Args:
      x: input of any shape.
      alpha: offset of the gate; 1 makes the left tail vanish.
      beta: slope of the gate.
      gamma: height of the curve.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.aptx(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.11920292,  0.        ,  1.9640275 ], dtype=float32)

    Reference:
      Kumar (2022), https://arxiv.org/abs/2209.06119
    """
    x, narrow = widen(x)
    return narrow(_aptx(x, like(alpha, x), like(beta, x), like(gamma, x)))


def _aptx_derivative(
    x: Array, alpha: float | Array = 1.0, beta: float | Array = 1.0, gamma: float | Array = 0.5
) -> Array:
    # 1 + tanh u and 1 - tanh u as sigmoids keep the tails
    up, down = nn.sigmoid(2 * beta * x), nn.sigmoid(-2 * beta * x)
    return gamma * ((alpha - 1) + 2 * up + 4 * beta * x * up * down)


def _aptx_facts(alpha: float, beta: float, gamma: float) -> Facts:
    about: dict[str, Any] = {"family": "gated", "year": 2022}
    if beta == 0:
        return line(alpha * gamma, **about)
    return gated(gamma * (alpha - 1), gamma * (alpha + 1), LOGISTIC, 2 * beta, **about)


declare(
    aptx,
    derivative=_aptx_derivative,
    facts=_aptx_facts,
    formula=r"(\alpha+\tanh(\beta x))\,\gamma x",
    reference="Kumar (2022), https://arxiv.org/abs/2209.06119",
    cases=({}, {"alpha": 1.0, "beta": 0.5, "gamma": 0.5}),
)
