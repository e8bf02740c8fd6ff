"""Gated functions with shape parameters: erfact, pserf, flatten_t_swish, aria2, acon_c."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, nan, unstated
from jaxacts._numerics import EXPONENTIAL, like, series, smooth, tails, widen
from jaxacts.activations._facts import LOGISTIC, gated, line, root, transformed

__all__ = ["acon_c", "aria2", "erfact", "flatten_t_swish", "pserf"]


# --- erfact


def _erf_gate(x: series.Series, v: series.Series, factor: series.Operand, large: Any) -> series.Series:
    """X erf(v), where v has the sign of the factor, and is out of reach where it is large."""
    linear = large | tails.beyond(v, 30.0)  # the gate is 1 to any precision
    gate = series.erf(series.where(linear, 0.0, v))
    sign = tails.beside(x, factor)
    far = series.where(sign < 0, -x, series.where(sign == 0, 0.0 * x, x))
    return series.where(linear, far, x * gate)


def _erfact_series(x: series.Series, alpha: series.Operand, beta: series.Operand) -> series.Series:
    u = beta * x
    large = series.exceeds(u, 80.0)  # the exponential would overflow
    return _erf_gate(x, alpha * series.exp(series.where(large, 0.0, u)), alpha, large)


_erfact = smooth(
    _erfact_series,
    left=lambda alpha, beta: (tails.by_sign(beta, jnp.sign(alpha), lax.erf(1.0 * alpha), 0.0), 0.0),
    right=lambda alpha, beta: (tails.by_sign(beta, 0.0, lax.erf(1.0 * alpha), jnp.sign(alpha)), 0.0),
    rate=(1, 1),
)


def erfact(x: ArrayLike, alpha: ArrayLike = 0.75, beta: ArrayLike = 0.75) -> Array:
    r"""ErfAct, :math:`x\,\mathrm{erf}(\alpha e^{\beta x})`.

    Smooth, with one dip; 0 on the left, the identity on the right.

    Args:
      x: input of any shape.
      alpha: shift of the gate; positive.
      beta: slope of the gate; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.erfact(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.38364324,  0.        ,  1.999996  ], dtype=float32)

    Reference:
      Biswas, Kumar, Banerjee & Pandey (2021), https://arxiv.org/abs/2109.04386
    """
    x, narrow = widen(x)
    return narrow(_erfact(x, like(alpha, x), like(beta, x)))


def _erfact_derivative(x: Array, alpha: ArrayLike = 0.75, beta: ArrayLike = 0.75) -> Array:
    u = alpha * jnp.exp(jnp.minimum(beta * x, 15.0))
    return lax.erf(u) + 2 / jnp.sqrt(jnp.pi) * beta * x * u * jnp.exp(-(u**2))


def _erfact_facts(alpha: float, beta: float) -> Facts:
    if alpha == 0:  # 0 where exp(beta x) is a number, x where it overflows
        return unstated(family="gated", year=2021)
    if beta == 0:
        return line(math.erf(alpha), family="gated", year=2021)
    known = math.fabs(alpha) == 0.75
    facts = Facts(
        image=(-0.405280845173458 if known else nan, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0915993945154188 if known else nan,
        lipschitz_derivative=0.7262322882459552 if known else nan,
        minimum=(-1.3966119764212963, -0.405280845173458) if known else (nan, nan),
        family="gated",
        year=2021,
    )
    factor = beta / 0.75  # at which the numbers were found
    return transformed(facts, math.copysign(1 / factor, alpha * factor), factor)


declare(
    erfact,
    derivative=_erfact_derivative,
    facts=_erfact_facts,
    formula=r"x\,\mathrm{erf}(\alpha e^{\beta x})",
    reference="Biswas, Kumar, Banerjee & Pandey (2021), https://arxiv.org/abs/2109.04386",
    cases=({}, {"alpha": 0.5, "beta": 1.0}),
)


# --- pserf


def _pserf_series(x: series.Series, gamma: series.Operand, delta: series.Operand) -> series.Series:
    return _erf_gate(x, gamma * series.softplus(delta * x), gamma, False)


_pserf = smooth(
    _pserf_series,
    left=lambda gamma, delta: (tails.by_sign(delta, jnp.sign(gamma), lax.erf(math.log(2) * gamma), 0.0), 0.0),
    right=lambda gamma, delta: (
        tails.by_sign(delta, 0.0, lax.erf(math.log(2) * gamma), jnp.sign(gamma)),
        0.0,
    ),
    rate=(1, 1),
)


def pserf(x: ArrayLike, gamma: ArrayLike = 1.25, delta: ArrayLike = 0.85) -> Array:
    r"""Parametric serf, :math:`x\,\mathrm{erf}(\gamma\log(1+e^{\delta x}))`.

    Smooth, with one dip; 0 on the left, the identity on the right. With gamma = delta = 1 it is `serf`.

    Args:
      x: input of any shape.
      gamma: strength of the gate; positive.
      delta: slope of the gate; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.pserf(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.47070757,  0.        ,  1.9980787 ], dtype=float32)

    Reference:
      Biswas, Kumar, Banerjee & Pandey (2021), https://arxiv.org/abs/2109.04386
    """
    x, narrow = widen(x)
    return narrow(_pserf(x, like(gamma, x), like(delta, x)))


def _pserf_derivative(x: Array, gamma: ArrayLike = 1.25, delta: ArrayLike = 0.85) -> Array:
    u = gamma * jnp.logaddexp(delta * x, 0.0)
    bell = 2 / jnp.sqrt(jnp.pi) * jnp.exp(-(u**2))
    return lax.erf(u) + gamma * delta * x * bell * nn.sigmoid(delta * x)


def _pserf_facts(gamma: float, delta: float) -> Facts:
    if delta == 0:
        return line(math.erf(gamma * math.log(2)), family="gated", year=2021)
    known = math.fabs(gamma) == 1.25
    facts = Facts(
        image=(-0.5060068753569109 if known else nan, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0535644140577651 if known else nan,
        lipschitz_derivative=0.647254725190619 if known else nan,
        minimum=(-1.4329475572352948, -0.5060068753569109) if known else (nan, nan),
        family="gated",
        year=2021,
    )
    factor = delta / 0.85  # at which the numbers were found
    return transformed(facts, (gamma and math.copysign(1.0, gamma)) / factor, factor)


declare(
    pserf,
    derivative=_pserf_derivative,
    facts=_pserf_facts,
    formula=r"x\,\mathrm{erf}(\gamma\log(1+e^{\delta x}))",
    reference="Biswas, Kumar, Banerjee & Pandey (2021), https://arxiv.org/abs/2109.04386",
    cases=({}, {"gamma": 1.0, "delta": 1.0}),
)


# --- flatten_t_swish

_flatten_t_swish = smooth(
    lambda x, t: series.where(tails.negative(x), t, x * series.sigmoid(x) + t),
    left=lambda t: (0.0, t),
    right=lambda t: (1.0, t),
    bound=EXPONENTIAL,
)


def flatten_t_swish(x: ArrayLike, t: ArrayLike = -0.2) -> Array:
    r"""Flatten-T swish: :math:`x\,\sigma(x)+t`, x >= 0; t, x < 0.

    Constant on the left, silu on the right. The derivative jumps at 0 from 0 to 1/2; there it is 1/2,
    that of the right branch.

    Args:
      x: input of any shape.
      t: the constant.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.flatten_t_swish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.2      , -0.2      ,  1.5615941], dtype=float32)

    Reference:
      Chieng, Wahid, Pauline & Perla (2018), https://arxiv.org/abs/1812.06247
    """
    x, narrow = widen(x)
    return narrow(_flatten_t_swish(x, like(t, x)))


def _flatten_t_swish_derivative(x: Array, t: ArrayLike = -0.2) -> Array:
    s = nn.sigmoid(x)
    return jnp.where(x < 0, 0.0, s + x * s * nn.sigmoid(-x))


def _flatten_t_swish_facts(t: float) -> Facts:
    crossing = () if t > 0 else (root(lambda x: x / (1 + math.exp(-x)) + t, 0.0, 1.0 - t),)
    return Facts(
        image=(t, inf),
        limits=(t, inf),
        derivative_limits=(0.0, 1.0),
        kinks=((0.0, 0.5),),
        smoothness=0,
        lipschitz=1.09983932012289,
        lipschitz_derivative=inf,
        monotone=True,
        zeros=crossing if t else None,
        family="gated",
        year=2018,
        aliases=("fts",),
    )


declare(
    flatten_t_swish,
    derivative=_flatten_t_swish_derivative,
    facts=_flatten_t_swish_facts,
    formula=r"\mathrm{relu}(x)\,\sigma(x)+t",
    reference="Chieng, Wahid, Pauline & Perla (2018), https://arxiv.org/abs/1812.06247",
    cases=({}, {"t": 0.0}),
)


# --- aria2

_aria2 = smooth(
    lambda x, alpha, beta: x * series.exp(-(alpha * series.softplus(-(beta * x)))),
    left=lambda alpha, beta: (tails.by_sign(beta, 1.0, jnp.exp2(-1.0 * alpha), 0.0), 0.0),
    right=lambda alpha, beta: (tails.by_sign(beta, 0.0, jnp.exp2(-1.0 * alpha), 1.0), 0.0),
    rate=(1, 1),
)


def aria2(x: ArrayLike, alpha: ArrayLike = 1.5, beta: ArrayLike = 2.0) -> Array:
    r"""ARiA2, :math:`x\,(1+e^{-\beta x})^{-\alpha}`.

    Richard's curve as the gate: silu with a gate raised to the power alpha.

    Args:
      x: input of any shape.
      alpha: power of the gate; positive.
      beta: slope of the gate; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.aria2(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.04115573,  0.        ,  1.9462848 ], dtype=float32)

    Reference:
      Patwardhan, Ingalhalikar & Walambe (2018), https://arxiv.org/abs/1805.08878
    """
    x, narrow = widen(x)
    return narrow(_aria2(x, like(alpha, x), like(beta, x)))


def _aria2_derivative(x: Array, alpha: float | Array = 1.5, beta: float | Array = 2.0) -> Array:
    gate = jnp.exp(-alpha * jnp.logaddexp(-beta * x, 0.0))
    return gate * (1 + alpha * beta * x * nn.sigmoid(-beta * x))


def _aria2_facts(alpha: float, beta: float) -> Facts:
    about: dict[str, Any] = {"family": "gated", "year": 2018}
    if alpha == 0:
        return line(1.0, **about)
    if alpha == 1:
        return gated(0.0, 1.0, LOGISTIC, beta, **about)
    if beta == 0:
        return line(0.5**alpha, **about)
    if alpha < 0:  # the gate falls from infinity to 1
        monotone = alpha >= -1 / 0.27846454276107396  # the largest value of u sigmoid(-u)
        facts = Facts((-inf, inf), (-inf, inf), (inf, 1.0), inf, inf, monotone=monotone, **about)
        return transformed(facts, 1 / beta, beta)
    known = alpha == 1.5
    facts = Facts(
        image=(-0.06997764131970143 if known else nan, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.1411471904163208 if known else nan,
        lipschitz_derivative=1.1223436846095955 if known else nan,
        minimum=(-0.46488222063100826, -0.06997764131970143) if known else (nan, nan),
        **about,
    )
    return transformed(facts, 2 / beta, beta / 2)  # the numbers were found at beta = 2


declare(
    aria2,
    derivative=_aria2_derivative,
    facts=_aria2_facts,
    formula=r"x\,(1+e^{-\beta x})^{-\alpha}",
    reference="Patwardhan, Ingalhalikar & Walambe (2018), https://arxiv.org/abs/1805.08878",
    cases=({}, {"alpha": 1.0, "beta": 1.0}),
)


# --- acon_c


def _acon_c_series(
    x: series.Series, p1: series.Operand, p2: series.Operand, beta: series.Operand
) -> series.Series:
    # the greater of the two lines and what rounds the corner, so that no derivative in p1 or p2 cancels
    d = (series.exactly(p1) + -series.exactly(p2)) * x
    u = beta * d
    corner = d * series.sigmoid(-series.absolute(u))
    right = -corner if p1 == 0 else p1 * x - corner
    left = corner if p2 == 0 else p2 * x + corner
    return series.where(tails.negative(u), left, right)


def _acon_c_slope(p1: float | Array, p2: float | Array, beta: float | Array, side: int) -> float | Array:
    turn = side * jnp.sign(beta * (p1 - p2))  # the sign of the gate's argument far out on that side
    return p2 + (p1 - p2) * (1 + turn) / 2


_acon_c = smooth(
    _acon_c_series,
    left=lambda p1, p2, beta: (_acon_c_slope(p1, p2, beta, -1), 0.0),
    right=lambda p1, p2, beta: (_acon_c_slope(p1, p2, beta, 1), 0.0),
    rate=(2, 1),
)


def acon_c(x: ArrayLike, p1: ArrayLike = 1.0, p2: ArrayLike = 0.0, beta: ArrayLike = 1.0) -> Array:
    r"""ACON-C, :math:`(p_1-p_2)x\,\sigma(\beta(p_1-p_2)x)+p_2x`.

    A smooth maximum of p1 x and p2 x; beta switches between linear (0) and the maximum (large).

    Args:
      x: input of any shape.
      p1: slope on the far right (for p1 > p2 and beta > 0).
      p2: slope on the far left.
      beta: sharpness.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.acon_c(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.26894143,  0.        ,  1.7615942 ], dtype=float32)

    Reference:
      Ma, Zhang, Liu & Sun (2020), https://arxiv.org/abs/2009.04759
    """
    x, narrow = widen(x)
    return narrow(_acon_c(x, like(p1, x), like(p2, x), like(beta, x)))


def _acon_c_derivative(
    x: Array, p1: float | Array = 1.0, p2: float | Array = 0.0, beta: float | Array = 1.0
) -> Array:
    d = p1 - p2
    s = nn.sigmoid(beta * d * x)
    return d * (s + beta * d * x * s * nn.sigmoid(-beta * d * x)) + p2


def _acon_c_facts(p1: float, p2: float, beta: float) -> Facts:
    return gated(p2, p1, LOGISTIC, beta * (p1 - p2), family="gated", year=2020)


declare(
    acon_c,
    derivative=_acon_c_derivative,
    facts=_acon_c_facts,
    formula=r"(p_1-p_2)x\,\sigma(\beta(p_1-p_2)x)+p_2x",
    reference="Ma, Zhang, Liu & Sun (2020), https://arxiv.org/abs/2009.04759",
    cases=({}, {"p1": 1.2, "p2": -0.3, "beta": 2.0}),
)
