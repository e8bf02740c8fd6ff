"""Gated functions with an exponential gate: gish, golu, b_silu, lalu, sgelu."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, nan, unstated
from jaxacts._numerics import EXPONENTIAL, like, require, series, smooth, tails, widen
from jaxacts._numerics.constants import LN2, ROOT_HALF
from jaxacts.activations._facts import NORMAL, gated, line, root, transformed

__all__ = ["b_silu", "gish", "golu", "lalu", "sgelu"]


# --- gish


def _gish_series(x: series.Series) -> series.Series:
    # from 7 on exp(-exp(x)) is zero in every type, and exp would only overflow
    linear = series.exceeds(x, 7.0)
    gate = series.log1p(-series.expm1(-series.exp(series.where(linear, 0.0, x))))
    return series.where(linear, LN2 * x, x * gate)


_gish = smooth(_gish_series, left=(0.0, 0.0), right=(float(LN2), 0.0), bound=EXPONENTIAL)


def gish(x: ArrayLike) -> Array:
    r"""Gish, :math:`x\log(2-e^{-e^x})`.

    Smooth, with one dip below zero; 0 on the left, slope log 2 on the right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.gish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.26834586,  0.        ,  1.3856763 ], dtype=float32)

    Reference:
      Kaytan, Aydilek & Yeroğlu, Neural Computing and Applications 35 (2023), https://doi.org/10.1007/s00521-023-09035-5
    """
    x, narrow = widen(x)
    return narrow(_gish(x))


def _gish_derivative(x: Array) -> Array:
    e = jnp.exp(jnp.minimum(x, 20.0))
    rest = -jnp.expm1(-e)
    return jnp.log1p(rest) + x * e * jnp.exp(-e) / (1 + rest)


declare(
    gish,
    derivative=_gish_derivative,
    facts=Facts(
        image=(-0.27815946089638693, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 0.6931471805599453),
        lipschitz=0.7527045710856695,
        lipschitz_derivative=0.4655170997405842,
        minimum=(-1.2820510492601263, -0.27815946089638693),
        family="gated",
        year=2023,
    ),
    formula=r"x\log(2-e^{-e^x})",
    reference="Kaytan, Aydilek & Yeroğlu, Neural Computing and Applications 35 (2023), https://doi.org/10.1007/s00521-023-09035-5",
)


# --- golu


def _golu_series(
    x: series.Series, alpha: series.Operand, beta: series.Operand, gamma: series.Operand
) -> series.Series:
    u = -(gamma * x)
    large = series.exceeds(u, 80.0)  # the inner exponential would overflow
    v = beta * series.exp(series.where(large, 0.0, u))
    gone = (large & (tails.beside(x, beta) != 0)) | tails.above(v, 800.0)
    gate = series.exp(-series.where(gone, 0.0, v))
    return series.where(gone, 0.0, alpha * x * gate)


def _golu_end(alpha: Any, beta: Any, growth: Any) -> tuple[Any, float]:
    """The asymptote on the side where the gate opens with positive `growth`."""
    closed = tails.by_sign(beta, 0.0, 1.0, 0.0)
    return alpha * tails.by_sign(growth, closed, jnp.exp(-1.0 * beta), 1.0), 0.0


_golu = smooth(
    _golu_series,
    left=lambda alpha, beta, gamma: _golu_end(alpha, beta, -1.0 * gamma),
    right=_golu_end,
    rate=(2, 1),
)


def golu(x: ArrayLike, alpha: ArrayLike = 1.0, beta: ArrayLike = 1.0, gamma: ArrayLike = 1.0) -> Array:
    r"""Gompertz linear unit, :math:`\alpha x\exp(-\beta e^{-\gamma x})`.

    Smooth, with one shallow dip; it vanishes doubly exponentially on the left and approaches slope alpha
    on the right.

    Args:
      x: input of any shape.
      alpha: height of the curve.
      beta: shift of the gate along x; at least 0, where the gate is 1.
      gamma: slope of the gate; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `beta` is a plain number below 0.

    Example:
      >>> jaxacts.golu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.06598803,  0.        ,  1.7468461 ], dtype=float32)

    Reference:
      Das, Sukthanker, Hutter et al. (2025), https://arxiv.org/abs/2502.03654
    """
    x, narrow = widen(x)
    b = like(beta, x)
    require("beta", b, b >= 0, "at least 0")
    return narrow(_golu(x, like(alpha, x), b, like(gamma, x)))


def _golu_derivative(
    x: Array, alpha: float | Array = 1.0, beta: float | Array = 1.0, gamma: float | Array = 1.0
) -> Array:
    e = beta * jnp.exp(jnp.minimum(-gamma * x, 30.0))
    return alpha * jnp.exp(-e) * (1 + gamma * x * e)


def _golu_facts(alpha: float, beta: float, gamma: float) -> Facts:
    about: dict[str, Any] = {"family": "gated", "year": 2025}
    if beta <= 0:  # the gate does not vanish on the left: at 0 it is 1, below it grows beyond all numbers
        return unstated(**about)
    if gamma == 0:
        return line(alpha * math.exp(-beta), **about)
    standard = beta == 1
    log = math.log(beta)
    lowest = -root(lambda u: math.log(u) + u + log, 0.0, max(1.0, 1.0 - log))  # u e^u = 1 / beta
    depth = lowest * math.exp(1 / lowest)
    facts = Facts(
        image=(depth, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.1133972752756767 if standard else nan,
        lipschitz_derivative=0.7357588823428847 if standard else nan,
        minimum=(lowest, depth),
        **about,
    )
    return transformed(facts, alpha / gamma, gamma)


declare(
    golu,
    derivative=_golu_derivative,
    facts=_golu_facts,
    formula=r"\alpha x\exp(-\beta e^{-\gamma x})",
    reference="Das, Sukthanker, Hutter et al. (2025), https://arxiv.org/abs/2502.03654",
    cases=({}, {"alpha": 1.0, "beta": 0.5, "gamma": 2.0}),
)


# --- b_silu

_b_silu = smooth(
    # (x + alpha) sigmoid(x) - alpha / 2 without its cancellation at zero
    lambda x, alpha: x * series.sigmoid(x) + (0.5 * alpha) * series.tanh(0.5 * x),
    left=lambda alpha: (0.0, -alpha / 2),
    right=lambda alpha: (1.0, alpha / 2),
    bound=EXPONENTIAL,
)


def b_silu(x: ArrayLike, alpha: ArrayLike = 1.67) -> Array:
    r"""Bounded silu, :math:`(x+\alpha)\,\sigma(x)-\alpha/2`.

    Silu shifted so that the left limit is -alpha/2 and the curve still passes through the origin.

    Args:
      x: input of any shape.
      alpha: the shift.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.b_silu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.65480924,  0.        ,  2.3975253 ], dtype=float32)

    Reference:
      Horuz, Kasneci et al. (2025), https://arxiv.org/abs/2505.22074
    """
    x, narrow = widen(x)
    return narrow(_b_silu(x, like(alpha, x)))


def _b_silu_derivative(x: Array, alpha: ArrayLike = 1.67) -> Array:
    return nn.sigmoid(x) + (x + alpha) * nn.sigmoid(x) * nn.sigmoid(-x)


def _b_silu_facts(alpha: float) -> Facts:
    def slope(x: float) -> float:
        t = math.tanh(x / 2)
        return (1 + t) / 2 + (x + alpha) * (1 - t * t) / 4

    def ratio(x: float) -> float:  # f(x) / x
        return 1 / (1 + math.exp(-x)) + (math.tanh(x / 2) / x * alpha / 2 if x else alpha / 4)

    reach = 40.0 + math.fabs(alpha)
    lowest = root(lambda x: x + math.exp(x) + 1 + alpha, -reach, min(reach, 700.0))
    depth = -math.exp(lowest) - alpha / 2
    bends = [  # where f'' changes its sign
        root(lambda x: (x + alpha) * math.tanh(x / 2) - 2, *ends)
        for ends in ((-reach, min(0.0, -alpha)), (max(0.0, -alpha), reach))
    ]
    zeros = {0.0}
    if alpha < 0 and alpha != -2:  # on the far side of the minimum
        zeros.add(root(ratio, -700.0, lowest) if lowest < 0 else root(ratio, lowest, reach))
    return Facts(
        image=(depth, inf),
        limits=(-alpha / 2, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=max(math.fabs(slope(x)) for x in bends),
        lipschitz_derivative=0.5407994600896856 if alpha == 1.67 else nan,
        minimum=(lowest, depth),
        zeros=tuple(sorted(zeros)),
        family="gated",
        year=2025,
    )


declare(
    b_silu,
    derivative=_b_silu_derivative,
    facts=_b_silu_facts,
    formula=r"(x+\alpha)\,\sigma(x)-\alpha/2",
    reference="Horuz, Kasneci et al. (2025), https://arxiv.org/abs/2505.22074",
    cases=({}, {"alpha": 1.0}),
)


# --- lalu

_lalu = smooth(
    lambda x: series.where(tails.negative(x), 0.5 * x * series.exp(x), x - 0.5 * x * series.exp(-x)),
    left=(0.0, 0.0),
    right=(1.0, 0.0),
    bound=EXPONENTIAL,
)


def lalu(x: ArrayLike) -> Array:
    r"""Laplace linear unit: :math:`x(1-e^{-x}/2)` for x >= 0, :math:`x e^x/2` for x < 0.

    x gated by the distribution function of the Laplace distribution.

    One dip below zero; 0 on the left, the identity on the right. The third derivative jumps at 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.lalu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.18393973,  0.        ,  1.8646647 ], dtype=float32)

    Reference:
      Kunc & Kléma, Three Decades of Activations (2024), https://arxiv.org/abs/2402.09092
    """
    x, narrow = widen(x)
    return narrow(_lalu(x))


def _lalu_derivative(x: Array) -> Array:
    e = jnp.exp(-jnp.abs(x)) / 2
    return jnp.where(x < 0, e * (1 + x), 1 - e * (1 - x))


declare(
    lalu,
    derivative=_lalu_derivative,
    facts=Facts(
        image=(-0.18393972058572117, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0676676416183064,
        lipschitz_derivative=1.0,
        minimum=(-1.0, -0.18393972058572117),
        family="gated",
        year=2024,
        knots=(0.0,),
        smoothness=2,
    ),
    formula=r"x\,\Phi_{\mathrm{Laplace}}(x)",
    reference="Kunc & Kléma, Three Decades of Activations (2024), https://arxiv.org/abs/2402.09092",
)


# --- sgelu

_sgelu = smooth(
    lambda x, alpha: alpha * (x * series.erf(ROOT_HALF * x)),
    left=lambda alpha: (-alpha, 0.0),
    right=lambda alpha: (alpha, 0.0),
)


def sgelu(x: ArrayLike, alpha: ArrayLike = 0.1) -> Array:
    r"""Symmetrical gelu, :math:`\alpha x\,\mathrm{erf}(x/\sqrt2)`.

    Even and non-negative: a smoothed alpha |x|.

    Args:
      x: input of any shape.
      alpha: slope far out.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sgelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.06826895, 0.        , 0.19089995], dtype=float32)

    Reference:
      Yu & Su (2019), https://arxiv.org/abs/1911.03925
    """
    x, narrow = widen(x)
    return narrow(_sgelu(x, like(alpha, x)))


def _sgelu_derivative(x: Array, alpha: float | Array = 0.1) -> Array:
    bell = jnp.sqrt(2 / jnp.pi) * jnp.exp(-(x**2) / 2)
    return alpha * (lax.erf(x / jnp.sqrt(2.0)) + x * bell)


def _sgelu_facts(alpha: float) -> Facts:
    return gated(-alpha, alpha, NORMAL, family="gated", year=2019)


declare(
    sgelu,
    derivative=_sgelu_derivative,
    facts=_sgelu_facts,
    formula=r"\alpha x\,\mathrm{erf}(x/\sqrt2)",
    reference="Yu & Su (2019), https://arxiv.org/abs/1911.03925",
    cases=({}, {"alpha": 1.0}),
)
