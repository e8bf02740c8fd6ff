"""Self-gated functions, x times a gate of x: silu, gelu, mish and their nearest relatives."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, lax, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import EXPONENTIAL, like, quick, series, smooth, widen
from jaxacts._numerics.constants import ROOT_HALF, TWO_ROOT_TWO_OVER_PI
from jaxacts.activations._facts import LOGISTIC, gated

__all__ = ["e_swish", "gelu", "gelu_tanh", "mish", "quick_gelu", "silu"]

# --- silu

_silu = smooth(
    lambda x, beta: x * series.sigmoid(beta * x),
    left=lambda beta: ((1 - jnp.sign(beta)) / 2, 0.0),
    right=lambda beta: ((1 + jnp.sign(beta)) / 2, 0.0),
    quick=(quick.silu, quick.silu_slope),
    quick_at=(1.0,),
    rate=(0, 1),
)


def silu(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    r"""Sigmoid-weighted linear unit, :math:`x\,\sigma(\beta x)`.

    Also known as swish. Smooth, unbounded above, with one dip below zero; it tends to 0 on the left and to
    the identity on the right (for beta > 0).

    Args:
      x: input of any shape.
      beta: slope of the gate; 0 gives x/2, large values approach the rectifier.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.silu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.26894143,  0.        ,  1.761594  ], dtype=float32)

    Reference:
      Elfwing, Uchibe & Doya, Neural Networks 107 (2018), https://arxiv.org/abs/1702.03118
    """
    x, narrow = widen(x)
    return narrow(_silu(x, like(beta, x)))


def _silu_derivative(x: Array, beta: float | Array = 1.0) -> Array:
    s = nn.sigmoid(beta * x)
    return s + beta * x * s * nn.sigmoid(-beta * x)


def _silu_facts(beta: float) -> Facts:
    return gated(0.0, 1.0, LOGISTIC, beta, family="gated", year=2017, aliases=("swish",))


declare(
    silu,
    derivative=_silu_derivative,
    facts=_silu_facts,
    formula=r"x\,\sigma(\beta x)",
    reference="Elfwing, Uchibe & Doya, Neural Networks 107 (2018), https://arxiv.org/abs/1702.03118",
    cases=({}, {"beta": 2.0}, {"beta": 0.0}, {"beta": -1.0}),
)

# --- gelu

_gelu = smooth(
    lambda x: 0.5 * x * series.erfc(-ROOT_HALF * x),
    left=(0.0, 0.0),
    right=(1.0, 0.0),
    bound=EXPONENTIAL,
    quick=(quick.gelu, quick.gelu_slope),
)


def gelu(x: ArrayLike) -> Array:
    r"""Gaussian error linear unit, exact: :math:`x\,\Phi(x)` with the normal distribution function.

    Smooth, with one dip below zero; 0 on the left, the identity on the right. This is the exact form;
    `jax.nn.gelu` computes the tanh approximation by default, which is `gelu_tanh` here.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.gelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.15865524,  0.        ,  1.9544997 ], dtype=float32)

    Reference:
      Hendrycks & Gimpel (2016), https://arxiv.org/abs/1606.08415
    """
    x, narrow = widen(x)
    return narrow(_gelu(x))


def _gelu_derivative(x: Array) -> Array:
    # Phi from erfc keeps the left tail
    return lax.erfc(-x / jnp.sqrt(2.0)) / 2 + x * jnp.exp(-(x**2) / 2) / jnp.sqrt(2 * jnp.pi)


declare(
    gelu,
    derivative=_gelu_derivative,
    facts=Facts(
        image=(-0.16997120747990366, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.12890414518516,
        lipschitz_derivative=0.7978845608028654,
        minimum=(-0.75179152469356446, -0.16997120747990366),
        family="gated",
        year=2016,
        aliases=("gelu_exact",),
    ),
    formula=r"x\,\Phi(x)",
    reference="Hendrycks & Gimpel (2016), https://arxiv.org/abs/1606.08415",
)


# --- gelu_tanh

_gelu_tanh = smooth(
    # (1 + tanh u) / 2 = sigmoid(2 u) keeps the left tail; beyond 40 the cube would only overflow
    lambda x: x * series.sigmoid(TWO_ROOT_TWO_OVER_PI * (x + 0.044715 * x**3)),
    left=(0.0, 0.0),
    right=(1.0, 0.0),
    bound=40.0,
    quick=(quick.gelu_tanh, quick.gelu_tanh_slope),
)


def gelu_tanh(x: ArrayLike) -> Array:
    r"""GELU with a hyperbolic tangent: :math:`\tfrac{x}{2}(1+\tanh(\sqrt{2/\pi}(x+0.044715x^3)))`.

    Within 5e-4 of the exact `gelu`. It is the default of `jax.nn.gelu`, which overflows for large 16-bit
    inputs in its gradient; this one does not.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.gelu_tanh(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.15880802,  0.        ,  1.9545978 ], dtype=float32)

    Reference:
      Hendrycks & Gimpel (2016), https://arxiv.org/abs/1606.08415
    """
    x, narrow = widen(x)
    return narrow(_gelu_tanh(x))


def _gelu_tanh_derivative(x: Array) -> Array:
    c = jnp.sqrt(2 / jnp.pi)
    x = jnp.clip(x, -1e3, 1e3)  # the cube of more overflows; the derivative is 0 or 1 long before
    gate = nn.sigmoid(2 * c * (x + 0.044715 * x**3))
    return gate + 2 * c * x * gate * nn.sigmoid(-2 * c * (x + 0.044715 * x**3)) * (1 + 3 * 0.044715 * x**2)


declare(
    gelu_tanh,
    derivative=_gelu_tanh_derivative,
    facts=Facts(
        image=(-0.17004075057125406, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.1289930686587717,
        lipschitz_derivative=0.7978845608028654,
        minimum=(-0.7524614220710162, -0.17004075057125406),
        family="gated",
        year=2016,
        aliases=("gelu_approximate", "gelu_new"),
    ),
    formula=r"\tfrac{x}{2}\left(1+\tanh\left(\sqrt{2/\pi}\,(x+0.044715\,x^3)\right)\right)",
    reference="Hendrycks & Gimpel (2016), https://arxiv.org/abs/1606.08415",
)


# --- quick_gelu

_quick_gelu = smooth(
    lambda x: x * series.sigmoid(1.702 * x), left=(0.0, 0.0), right=(1.0, 0.0), bound=EXPONENTIAL
)


def quick_gelu(x: ArrayLike) -> Array:
    r"""Gaussian error linear unit, sigmoid approximation: :math:`x\,\sigma(1.702x)`.

    A cheaper and coarser approximation of `gelu`, within 0.021 of it; used by CLIP's released models.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.quick_gelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.15420423,  0.        ,  1.9356586 ], dtype=float32)

    Reference:
      Hendrycks & Gimpel (2016), section 2, https://arxiv.org/abs/1606.08415
    """
    x, narrow = widen(x)
    return narrow(_quick_gelu(x))


def _quick_gelu_derivative(x: Array) -> Array:
    return _silu_derivative(x, 1.702)


declare(
    quick_gelu,
    derivative=_quick_gelu_derivative,
    facts=Facts(
        image=(-0.1636101896363536, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.099839320128867,
        lipschitz_derivative=0.851,
        minimum=(-0.7511542554412889, -0.1636101896363536),
        family="gated",
        year=2016,
        aliases=("gelu_sigmoid",),
    ),
    formula=r"x\,\sigma(1.702x)",
    reference="Hendrycks & Gimpel (2016), section 2, https://arxiv.org/abs/1606.08415",
)


# --- mish

_mish = smooth(
    lambda x: x * series.tanh(series.softplus(x)),
    left=(0.0, 0.0),
    right=(1.0, 0.0),
    bound=EXPONENTIAL,
    quick=(quick.mish, quick.mish_slope),
)


def mish(x: ArrayLike) -> Array:
    r"""Mish, :math:`x\tanh(\log(1+e^x))`.

    Smooth, with one dip below zero; 0 on the left, the identity on the right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.mish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.30340144,  0.        ,  1.9439589 ], dtype=float32)

    Reference:
      Misra (2019), https://arxiv.org/abs/1908.08681
    """
    x, narrow = widen(x)
    return narrow(_mish(x))


def _mish_derivative(x: Array) -> Array:
    gate = jnp.tanh(jnp.logaddexp(x, 0.0))
    return gate + x * nn.sigmoid(x) * (1 - gate) * (1 + gate)


declare(
    mish,
    derivative=_mish_derivative,
    facts=Facts(
        image=(-0.30884341301725043, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.088498161251728,
        lipschitz_derivative=0.6442046372369724,
        minimum=(-1.1924312145154952, -0.30884341301725043),
        family="gated",
        year=2019,
    ),
    formula=r"x\tanh(\log(1+e^x))",
    reference="Misra (2019), https://arxiv.org/abs/1908.08681",
)


# --- e_swish

_e_swish = smooth(
    lambda x, beta: beta * (x * series.sigmoid(x)),
    left=(0.0, 0.0),
    right=lambda beta: (beta, 0.0),
)


def e_swish(x: ArrayLike, beta: ArrayLike = 1.75) -> Array:
    r"""E-swish, :math:`\beta x\,\sigma(x)`.

    Silu stretched by beta; the paper takes beta between 1 and 2.

    Args:
      x: input of any shape.
      beta: height of the curve, its slope towards +inf.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.e_swish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.47064748,  0.        ,  3.0827897 ], dtype=float32)

    Reference:
      Alcaide (2018), https://arxiv.org/abs/1801.07145
    """
    x, narrow = widen(x)
    return narrow(_e_swish(x, like(beta, x)))


def _e_swish_derivative(x: Array, beta: float | Array = 1.75) -> Array:
    return beta * _silu_derivative(x)


def _e_swish_facts(beta: float) -> Facts:
    return gated(0.0, beta, LOGISTIC, family="gated", year=2018)


declare(
    e_swish,
    derivative=_e_swish_derivative,
    facts=_e_swish_facts,
    formula=r"\beta x\,\sigma(x)",
    reference="Alcaide (2018), https://arxiv.org/abs/1801.07145",
    cases=({}, {"beta": 1.25}),
)
