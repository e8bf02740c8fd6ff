"""Gates that reach below 0 and above 1: calu and its expanded relatives."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import LARGEST, like, series, smooth, tails, widen
from jaxacts._numerics.constants import PI, ROOT_HALF
from jaxacts.activations._facts import CAUCHY, LOGISTIC, NORMAL, gated

__all__ = ["calu", "xatlu", "xgelu", "xsilu"]


# --- calu


def _calu_series(x: series.Series) -> series.Series:
    # far out, relu(x) - s arctan(1 / s) / pi with s = |x|, which does not cancel
    far = tails.beyond(x, 3.0)
    w = tails.inverse(series.absolute(series.where(far, x, 3.0)))
    rest = (1 / PI) * series.arctan_ratio(w)
    near = x * ((1 / PI) * series.arctan(series.where(far, 0.0, x)) + 0.5)
    return series.where(far, series.where(series.positive(x), x - rest, -rest), near)


_calu = smooth(_calu_series, left=(0.0, -1 / float(PI)), right=(1.0, -1 / float(PI)), bound=LARGEST)


def calu(x: ArrayLike) -> Array:
    r"""Cauchy linear unit, :math:`x\left(\tfrac{\arctan x}{\pi}+\tfrac12\right)`.

    x gated by the Cauchy distribution function: increasing and convex, from -1/pi on the far left to the
    line x - 1/pi on the right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.calu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.25     ,  0.       ,  1.7048328], dtype=float32)

    Reference:
      Huang (2024), https://arxiv.org/abs/2405.20768
    """
    x, narrow = widen(x)
    return narrow(_calu(x))


def _calu_derivative(x: Array) -> Array:
    # arctan2 keeps the left tail of arctan(x) + pi / 2
    gate = jnp.arctan2(1.0, -x) / jnp.pi
    return gate + x / (1 + x**2) / jnp.pi


declare(
    calu,
    derivative=_calu_derivative,
    facts=Facts(
        image=(-0.3183098861837907, inf),
        limits=(-0.3183098861837907, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=0.6366197723675814,
        minimum=None,
        family="gated",
        year=2024,
        monotone=True,
        aliases=("atlu",),
    ),
    formula=r"x\left(\tfrac{\arctan x}{\pi}+\tfrac12\right)",
    reference="Huang (2024), https://arxiv.org/abs/2405.20768",
)


# --- xatlu


def _expanded(
    x: series.Series, alpha: series.Operand, border: float, centred: Callable, rest: Callable
) -> series.Series:
    """The gate stretched to (-alpha, 1 + alpha), so that the derivative in alpha cancels nowhere.

    Args:
      x: the input.
      alpha: how far.
      border: |x| from which on `rest` is used.
      centred: gate(x) - 1/2.
      rest: |x| (1 - gate(|x|)), given |x|.
    """
    stretch = 1 + 2 * series.exactly(alpha)
    is_far = tails.beyond(x, border)
    inside = series.where(is_far, 0.0, x)
    near = inside * (stretch * centred(inside) + 0.5)
    outside = series.where(is_far, x, border)
    small = stretch * rest(series.absolute(outside))
    left = -small if alpha == 0 else -(alpha * outside) - small
    far = series.where(tails.negative(x), left, (1 + series.exactly(alpha)) * outside - small)
    return series.where(is_far, far, near)


def _xatlu_series(x: series.Series, alpha: series.Operand) -> series.Series:
    return _expanded(
        x,
        alpha,
        3.0,
        lambda x: (1 / PI) * series.arctan(x),
        lambda size: (1 / PI) * series.arctan_ratio(tails.inverse(size)),
    )


_xatlu = smooth(
    _xatlu_series,
    left=lambda alpha: (-alpha, -(1 + 2 * alpha) / float(PI)),
    right=lambda alpha: (1 + alpha, -(1 + 2 * alpha) / float(PI)),
    bound={kind: largest / 8 for kind, largest in LARGEST.items()},
)


def xatlu(x: ArrayLike, alpha: ArrayLike = 0.5) -> Array:
    r"""Expanded arctan linear unit, :math:`x[(1+2\alpha)(\tfrac{\arctan x}{\pi}+\tfrac12)-\alpha]`.

    The gate ranges over (-alpha, 1 + alpha); alpha is trained from 0 in the paper. Convex.

    Args:
      x: input of any shape.
      alpha: how far the gate reaches beyond 0 and 1.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.xatlu(jnp.array([-1.0, 0.0, 2.0]))
      Array([4.9476512e-10, 0.0000000e+00, 2.4096656e+00], dtype=float32)

    Reference:
      Huang (2024), https://arxiv.org/abs/2405.20768
    """
    x, narrow = widen(x)
    return narrow(_xatlu(x, like(alpha, x)))


def _xatlu_derivative(x: Array, alpha: float | Array = 0.5) -> Array:
    return (1 + 2 * alpha) * _calu_derivative(x) - alpha


def _xatlu_facts(alpha: float) -> Facts:
    return gated(-alpha, 1 + alpha, CAUCHY, family="gated", year=2024, aliases=("expanded_atlu",))


declare(
    xatlu,
    derivative=_xatlu_derivative,
    facts=_xatlu_facts,
    formula=r"x\left[(1+2\alpha)\left(\tfrac{\arctan x}{\pi}+\tfrac12\right)-\alpha\right]",
    reference="Huang (2024), https://arxiv.org/abs/2405.20768",
    cases=({}, {"alpha": 0.1}),
)


# --- xgelu


def _xgelu_series(x: series.Series, alpha: series.Operand) -> series.Series:
    return _expanded(
        x,
        alpha,
        1.0,
        lambda x: 0.5 * series.erf(ROOT_HALF * x),
        lambda size: 0.5 * size * series.erfc(ROOT_HALF * size),
    )


_xgelu = smooth(_xgelu_series, left=lambda alpha: (-alpha, 0.0), right=lambda alpha: (1 + alpha, 0.0))


def xgelu(x: ArrayLike, alpha: ArrayLike = 0.5) -> Array:
    r"""Expanded gelu, :math:`x\left[(1+2\alpha)\Phi(x)-\alpha\right]`.

    The gate ranges over (-alpha, 1 + alpha); alpha is trained from 0 in the paper.

    Args:
      x: input of any shape.
      alpha: how far the gate reaches beyond 0 and 1.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.xgelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.18268949, 0.        , 2.9089994 ], dtype=float32)

    Reference:
      Huang (2024), https://arxiv.org/abs/2405.20768
    """
    x, narrow = widen(x)
    return narrow(_xgelu(x, like(alpha, x)))


def _xgelu_derivative(x: Array, alpha: float | Array = 0.5) -> Array:
    slope = lax.erfc(-x / jnp.sqrt(2.0)) / 2 + x * jnp.exp(-(x**2) / 2) / jnp.sqrt(2 * jnp.pi)
    return (1 + 2 * alpha) * slope - alpha


def _xgelu_facts(alpha: float) -> Facts:
    return gated(-alpha, 1 + alpha, NORMAL, family="gated", year=2024, aliases=("expanded_gelu",))


declare(
    xgelu,
    derivative=_xgelu_derivative,
    facts=_xgelu_facts,
    formula=r"x\left[(1+2\alpha)\Phi(x)-\alpha\right]",
    reference="Huang (2024), https://arxiv.org/abs/2405.20768",
    cases=({}, {"alpha": 0.1}),
)


# --- xsilu


def _xsilu_series(x: series.Series, alpha: series.Operand) -> series.Series:
    return _expanded(
        x,
        alpha,
        1.0,
        lambda x: 0.5 * series.tanh(0.5 * x),
        lambda size: size * series.sigmoid(-size),
    )


_xsilu = smooth(_xsilu_series, left=lambda alpha: (-alpha, 0.0), right=lambda alpha: (1 + alpha, 0.0))


def xsilu(x: ArrayLike, alpha: ArrayLike = 0.5) -> Array:
    r"""Expanded silu, :math:`x\left[(1+2\alpha)\sigma(x)-\alpha\right]`.

    The gate ranges over (-alpha, 1 + alpha); alpha is trained from 0 in the paper.

    Args:
      x: input of any shape.
      alpha: how far the gate reaches beyond 0 and 1.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.xsilu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.03788284,  0.        ,  2.5231884 ], dtype=float32)

    Reference:
      Huang (2024), https://arxiv.org/abs/2405.20768
    """
    x, narrow = widen(x)
    return narrow(_xsilu(x, like(alpha, x)))


def _xsilu_derivative(x: Array, alpha: float | Array = 0.5) -> Array:
    slope = nn.sigmoid(x) + x * nn.sigmoid(x) * nn.sigmoid(-x)
    return (1 + 2 * alpha) * slope - alpha


def _xsilu_facts(alpha: float) -> Facts:
    return gated(-alpha, 1 + alpha, LOGISTIC, family="gated", year=2024, aliases=("expanded_silu",))


declare(
    xsilu,
    derivative=_xsilu_derivative,
    facts=_xsilu_facts,
    formula=r"x\left[(1+2\alpha)\sigma(x)-\alpha\right]",
    reference="Huang (2024), https://arxiv.org/abs/2405.20768",
    cases=({}, {"alpha": 0.1}),
)
