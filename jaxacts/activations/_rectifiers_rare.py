"""Less common rectifiers: powers, a logarithm, and left branches that rise again."""

from __future__ import annotations

import operator

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import like, power, ratio, require, widen

__all__ = ["abs", "m_qrelu", "nlrelu", "qrelu", "repu"]

# --- repu


def repu(x: ArrayLike, p: int = 2) -> Array:
    r"""Rectified power unit, :math:`\max(x, 0)^p`.

    The rectifier for p = 1, its square for p = 2; p - 1 derivatives are continuous. All derivatives at 0 are
    taken from the left: 0.

    Args:
      x: input of any shape.
      p: the power, a Python integer of at least 1.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex or `p` is not an integer.
      ValueError: if `p` is below 1.

    Example:
      >>> jaxacts.repu(jnp.array([-1.0, 0.5, 2.0]), 3)
      Array([0.   , 0.125, 8.   ], dtype=float32)

    Reference:
      Li, Tang & Yu (2019), https://arxiv.org/abs/1903.05858
    """
    x, narrow = widen(x)
    try:
        p = operator.index(p)
    except TypeError:
        raise TypeError(f"p must be a Python integer, was {type(p).__name__}") from None
    require("p", p, p >= 1, "at least 1")
    return narrow(power(1.0, p, jnp.where(x <= 0, 0.0, x)))


def _repu_derivative(x: Array, p: int = 2) -> Array:
    return jnp.where(x > 0, p * x ** (p - 1), 0.0)


def _repu_facts(p: int) -> Facts:
    return Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0 if p == 1 else inf),
        lipschitz=1.0 if p == 1 else inf,
        lipschitz_derivative=2.0 if p == 2 else inf,
        kinks=((0.0, 0.0),) if p == 1 else (),
        knots=() if p == 1 else (0.0,),
        smoothness=p - 1,
        monotone=True,
        zeros=None,
        family="rectifier",
        year=2019,
        aliases=("rectified_power",),
    )


declare(
    repu,
    derivative=_repu_derivative,
    facts=_repu_facts,
    formula=r"\max(x, 0)^p",
    reference="Li, Tang & Yu (2019), https://arxiv.org/abs/1903.05858",
    cases=({}, {"p": 3}),
)

# --- nlrelu

# beyond it beta x may overflow and log(1 + beta x) is log(x) + log(beta) to full precision
_FAR = 2.0**100


@jax.custom_jvp
def _log1p_of(x: Array, b: Array) -> Array:
    """log(1 + b x) for x >= 0; its derivatives 1 / (x + 1/b), … do not underflow before their time."""
    far = x > _FAR
    return jnp.where(far, jnp.log(x) + jnp.log(b), jnp.log1p(b * jnp.where(far, 0.0, x)))


@_log1p_of.defjvp
def _log1p_of_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, b), (dx, db) = primals, tangents
    one = jnp.ones_like(x)
    slope = ratio(one, x + 1 / b)
    large = x > 1
    far = ratio(one, b + ratio(one, jnp.where(large, x, 1.0)))
    near = ratio(jnp.where(large, 1.0, x), 1 + b * jnp.where(large, 1.0, x))
    return _log1p_of(x, b), dx * slope + db * jnp.where(large, far, near)


def nlrelu(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    r"""Natural logarithm of the rectifier, :math:`\log(1 + \beta \max(x, 0))`.

    Zero on the left, growing ever more slowly on the right. The derivative at the kink 0 is taken from the
    left: 0.

    Args:
      x: input of any shape.
      beta: slope at 0 from the right, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `beta` is a plain number that is not positive.

    Example:
      >>> jaxacts.nlrelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.       , 0.       , 1.0986123], dtype=float32)

    Reference:
      Liu, Zhang et al., Natural-logarithm-rectified activation function (2019),
      https://arxiv.org/abs/1908.03682
    """
    x, narrow = widen(x)
    b = like(beta, x)
    require("beta", b, b > 0, "positive")
    return narrow(jnp.where(x <= 0, 0.0, _log1p_of(jnp.where(x <= 0, 0.0, x), jnp.asarray(b, x.dtype))))


def _nlrelu_derivative(x: Array, beta: ArrayLike = 1.0) -> Array:
    return jnp.where(x > 0, beta / (1 + beta * x), 0.0)


def _nlrelu_facts(beta: float) -> Facts:
    return Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 0.0),
        lipschitz=beta,
        lipschitz_derivative=inf,
        kinks=((0.0, 0.0),),
        smoothness=0,
        monotone=True,
        zeros=None,
        family="rectifier",
        year=2019,
    )


declare(
    nlrelu,
    derivative=_nlrelu_derivative,
    facts=_nlrelu_facts,
    formula=r"\log(1 + \beta \max(x, 0))",
    reference="Liu, Zhang et al., Natural-logarithm-rectified activation function (2019), "
    "https://arxiv.org/abs/1908.03682",
    cases=({}, {"beta": 2.0}),
)

# --- abs


def abs(x: ArrayLike) -> Array:
    r"""Absolute value, :math:`|x|`.

    Keeps the size of the input and drops its sign. The derivative at the kink 0 is taken from the right: 1.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.abs(jnp.array([-1.0, 0.0, 2.0]))
      Array([1., 0., 2.], dtype=float32)

    Reference:
      Jarrett et al., What is the best multi-stage architecture for object recognition?, ICCV 2009,
      https://doi.org/10.1109/ICCV.2009.5459469
    """
    x, narrow = widen(x)
    return narrow(jnp.where(x < 0, -x, x))


def _abs_derivative(x: Array) -> Array:
    return jnp.where(x >= 0, 1.0, -1.0)


declare(
    abs,
    derivative=_abs_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(inf, inf),
        derivative_limits=(-1.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((0.0, 1.0),),
        smoothness=0,
        parity="even",
        minimum=(0.0, 0.0),
        family="rectifier",
        year=2009,
        aliases=("modulus", "vrelu"),
    ),
    formula="|x|",
    reference="Jarrett et al., What is the best multi-stage architecture for object recognition?, ICCV 2009, "
    "https://doi.org/10.1109/ICCV.2009.5459469",
)

# --- qrelu


def qrelu(x: ArrayLike) -> Array:
    r"""Quantum rectifier, :math:`x` for :math:`x > 0`, :math:`0.01\,x\,(x - 2)` for :math:`x \le 0`.

    The identity on the right, a shallow rising parabola on the left. The derivative at the kink 0 is taken
    from the left: -0.02.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.qrelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([ 0.03, -0.  ,  2.  ], dtype=float32)

    Reference:
      Parisi et al. (2020), https://arxiv.org/abs/2010.08031
    """
    x, narrow = widen(x)
    left = jnp.where(x > 0, 0.0, x)
    return narrow(jnp.where(x > 0, x, (0.01 * left) * (left - 2)))


def _qrelu_derivative(x: Array) -> Array:
    return jnp.where(x > 0, 1.0, 0.02 * (x - 1))


declare(
    qrelu,
    derivative=_qrelu_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(inf, inf),
        derivative_limits=(-inf, 1.0),
        lipschitz=inf,
        lipschitz_derivative=inf,
        kinks=((0.0, -0.02),),
        smoothness=0,
        minimum=(0.0, 0.0),
        family="rectifier",
        year=2020,
        aliases=("quantum_relu",),
    ),
    formula=r"x\ (x > 0);\quad 0.01\,x\,(x - 2)\ (x \le 0)",
    reference="Parisi et al. (2020), https://arxiv.org/abs/2010.08031",
)

# --- m_qrelu


def m_qrelu(x: ArrayLike) -> Array:
    r"""Modified quantum rectifier, :math:`x` for :math:`x > 0`, :math:`0.01 x - x` for :math:`x \le 0`.

    Nearly the absolute value: slope 1 on the right, -0.99 on the left. The derivative at the kink 0 is taken
    from the left: -0.99.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.m_qrelu(jnp.array([-1.0, 0.5, 2.0]))
      Array([0.99, 0.5 , 2.  ], dtype=float32)

    Reference:
      Parisi et al. (2020), https://arxiv.org/abs/2010.08031
    """
    x, narrow = widen(x)
    return narrow(jnp.where(x > 0, x, (0.01 - 1) * x))


def _m_qrelu_derivative(x: Array) -> Array:
    return jnp.where(x > 0, 1.0, -0.99)


declare(
    m_qrelu,
    derivative=_m_qrelu_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(inf, inf),
        derivative_limits=(-0.99, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((0.0, -0.99),),
        smoothness=0,
        minimum=(0.0, 0.0),
        family="rectifier",
        year=2020,
    ),
    formula=r"x\ (x > 0);\quad 0.01 x - x\ (x \le 0)",
    reference="Parisi et al. (2020), https://arxiv.org/abs/2010.08031",
)
