"""Rarer sigmoidal functions: distribution functions, a soft clip and the derivative of silu."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, nan, unstated
from jaxacts._numerics import EXPONENTIAL, like, require, series, smooth, tails, widen
from jaxacts._numerics.constants import ROOT_HALF
from jaxacts._numerics.tails import above

__all__ = ["cloglog", "loglog", "probit", "silu_derivative", "soft_clipping"]

# max |f''| of both log-log functions, where e^x = (3 - sqrt 5) / 2 or its inverse
_LOGLOG_BEND = 0.3090047859876757
_ONE_OVER_E = 0.36787944117144233

# --- cloglog


def _cloglog_program(x):
    # at 7 the function is 1 and its derivatives are 0 to full precision; powers of e^x overflow soon after
    return series.where(above(x, 7.0), 1.0, -series.expm1(-series.exp(x)))


_cloglog = smooth(_cloglog_program, left=(0.0, 0.0), right=(0.0, 1.0), bound=EXPONENTIAL)


def cloglog(x: ArrayLike) -> Array:
    r"""Complementary log-log function, :math:`1 - \exp(-e^x)`.

    A distribution function that leaves 0 slowly, like :math:`e^x`, and reaches 1 doubly exponentially fast.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.cloglog(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.30779937, 0.63212055, 0.999382  ], dtype=float32)

    Reference:
      Gomes & Ludermir, HIS 2008, https://doi.org/10.1109/HIS.2008.40
    """
    x, narrow = widen(x)
    return narrow(_cloglog(x))


def _cloglog_derivative(x: Array) -> Array:
    x = jnp.where(x > 80, 80, x)  # where e^x is infinite, the derivative is 0
    return jnp.exp(x - jnp.exp(x))


declare(
    cloglog,
    derivative=_cloglog_derivative,
    facts=Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=_ONE_OVER_E,
        lipschitz_derivative=_LOGLOG_BEND,
        monotone=True,
        zeros=(),
        family="sigmoidal",
        year=2008,
    ),
    formula=r"1 - \exp(-e^x)",
    reference="Gomes & Ludermir, HIS 2008, https://doi.org/10.1109/HIS.2008.40",
)

# --- loglog


def _loglog_program(x):
    # below -7 everything is 0 to full precision, while powers of e^-x overflow
    return series.where(above(-x, 7.0), 0.0, series.exp(-series.exp(-x)))


_loglog = smooth(_loglog_program, left=(0.0, 0.0), right=(0.0, 1.0), bound=EXPONENTIAL)


def loglog(x: ArrayLike) -> Array:
    r"""Log-log function, :math:`\exp(-e^{-x})`.

    The Gumbel distribution function, also called Gompertz curve: doubly exponentially small on the left, like
    :math:`1 - e^{-x}` on the right. It is the mirror image of cloglog.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.loglog(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.06598803, 0.36787945, 0.87342304], dtype=float32)

    Reference:
      Gomes, Ludermir & Lima, Neural Computing and Applications 20 (2011), 417-439
    """
    x, narrow = widen(x)
    return narrow(_loglog(x))


def _loglog_derivative(x: Array) -> Array:
    return _cloglog_derivative(-x)


declare(
    loglog,
    derivative=_loglog_derivative,
    facts=Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=_ONE_OVER_E,
        lipschitz_derivative=_LOGLOG_BEND,
        monotone=True,
        zeros=(),
        family="sigmoidal",
        year=2011,
        aliases=("gompertz",),
    ),
    formula=r"\exp(-e^{-x})",
    reference="Gomes, Ludermir & Lima, Neural Computing and Applications 20 (2011), 417-439",
)

# --- probit

_probit = smooth(
    lambda x: 0.5 * series.erfc(-ROOT_HALF * x), left=(0.0, 0.0), right=(0.0, 1.0), bound=EXPONENTIAL
)


def probit(x: ArrayLike) -> Array:
    r"""Normal distribution function, :math:`\Phi(x)`.

    The gate of gelu. Value and derivatives keep their relative accuracy in the left tail.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.probit(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.15865526, 0.5       , 0.97724986], dtype=float32)

    Reference:
      Gomes & Ludermir, HIS 2008, https://doi.org/10.1109/HIS.2008.40
    """
    x, narrow = widen(x)
    return narrow(_probit(x))


def _probit_derivative(x: Array) -> Array:
    return jnp.exp(-(x**2) / 2) / jnp.sqrt(2 * jnp.pi)


declare(
    probit,
    derivative=_probit_derivative,
    facts=Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.3989422804014327,
        lipschitz_derivative=0.24197072451914337,
        monotone=True,
        zeros=(),
        family="sigmoidal",
        year=2008,
        aliases=("normal_cdf",),
    ),
    formula=r"\Phi(x)",
    reference="Gomes & Ludermir, HIS 2008, https://doi.org/10.1109/HIS.2008.40",
)

# --- silu_derivative

_silu_derivative = smooth(
    lambda x: series.sigmoid(x) * (1.0 + x * series.sigmoid(-x)),
    left=(0.0, 0.0),
    right=(0.0, 1.0),
    bound=EXPONENTIAL,
)


def silu_derivative(x: ArrayLike) -> Array:
    r"""Derivative of silu as an activation, :math:`\sigma(x) (1 + x (1 - \sigma(x)))`.

    A steeper sigmoid that overshoots both of its limits, 0 on the left and 1 on the right, by a tenth.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.silu_derivative(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.07232949, 0.5       , 1.0907842 ], dtype=float32)

    Reference:
      Elfwing, Uchibe & Doya, Neural Networks 107 (2018), https://arxiv.org/abs/1702.03118
    """
    x, narrow = widen(x)
    return narrow(_silu_derivative(x))


def _silu_derivative_derivative(x: Array) -> Array:
    slope = nn.sigmoid(x) * nn.sigmoid(-x)
    return slope * (2 - x * jnp.tanh(x / 2))


declare(
    silu_derivative,
    derivative=_silu_derivative_derivative,
    facts=Facts(
        image=(-0.0998393201288670, 1.099839320128867),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.5,
        lipschitz_derivative=0.3081815157964791,
        minimum=(-2.399357280515468, -0.0998393201288670),
        zeros=(-1.278464542761074,),
        family="sigmoidal",
        year=2017,
        aliases=("dsilu",),
    ),
    formula=r"\sigma(x) \, (1 + x (1 - \sigma(x)))",
    reference="Elfwing, Uchibe & Doya, Neural Networks 107 (2018), https://arxiv.org/abs/1702.03118",
)

# --- soft_clipping


def _soft_clipping_program(x, alpha):
    # point symmetry about (1/2, 1/2) moves the upper half to where its derivatives do not cancel
    upper = above(x, 0.5)
    y = series.where(upper, 1.0 - x, x)
    lower = (series.softplus(alpha * y) - series.softplus(alpha * (y - 1.0))) / alpha
    if not isinstance(alpha, float) or alpha < 1:
        # one logarithm does not cancel where alpha is small; where it is large, it would overflow
        flat = tails.beside(x, alpha) < 1
        small = series.where(flat, alpha, 0.0 * x + 1.0)
        gate = series.expm1(small) * series.sigmoid(alpha * (y - 1.0))
        lower = series.where(flat, series.log1p(series.where(flat, gate, 0.0)) / alpha, lower)
    return series.where(upper, 1.0 - lower, lower)


_soft_clipping = smooth(
    _soft_clipping_program,
    left=lambda alpha: (0.0, jnp.where(alpha < 0, 1.0, 0.0)),
    right=lambda alpha: (0.0, jnp.where(alpha < 0, 0.0, 1.0)),
)


def soft_clipping(x: ArrayLike, alpha: ArrayLike = 50.0) -> Array:
    r"""Smooth clip to (0, 1), :math:`\frac{1}{\alpha} \log \frac{1 + e^{\alpha x}}{1 + e^{\alpha (x - 1)}}`.

    Nearly the identity between 0 and 1; the larger alpha, the sharper the two corners.

    Args:
      x: input of any shape.
      alpha: sharpness of the corners, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `alpha` is a plain number that is not positive.

    Example:
      >>> jaxacts.soft_clipping(jnp.array([-0.01, 0.5, 1.01]))
      Array([0.00948154, 0.5       , 0.99051845], dtype=float32)

    Reference:
      Klimek & Perelstein (2018), https://arxiv.org/abs/1810.11509
    """
    x, narrow = widen(x)
    a = like(alpha, x)
    require("alpha", a, a > 0, "positive")
    return narrow(_soft_clipping(x, a))


def _soft_clipping_derivative(x: Array, alpha: Any = 50.0) -> Array:
    y = jnp.minimum(x, 1 - x)
    return nn.sigmoid(alpha * y) - nn.sigmoid(alpha * (y - 1))


# max |f''| for the settings in use; the general one solves a quartic
_SOFT_CLIPPING_BEND = {50.0: 12.5, 2.0: 0.329826758855824}


def _soft_clipping_facts(alpha: float) -> Facts:
    if alpha == 0:
        return unstated(family="sigmoidal", year=2018)
    return Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0) if alpha > 0 else (1.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=math.tanh(abs(alpha) / 4),
        lipschitz_derivative=_SOFT_CLIPPING_BEND.get(abs(alpha), nan),
        monotone=True,
        zeros=(),
        family="sigmoidal",
        year=2018,
    )


declare(
    soft_clipping,
    derivative=_soft_clipping_derivative,
    facts=_soft_clipping_facts,
    formula=r"\frac{1}{\alpha} \log \frac{1 + e^{\alpha x}}{1 + e^{\alpha (x - 1)}}",
    reference="Klimek & Perelstein (2018), https://arxiv.org/abs/1810.11509",
    cases=({}, {"alpha": 2.0}),
)
