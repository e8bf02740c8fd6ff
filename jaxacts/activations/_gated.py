"""Self-gated functions, x times a gate of x: silu, gelu, mish and their nearest relatives."""

from __future__ import annotations

import jax.numpy as jnp
import jax.scipy.special as jsp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import EXPONENTIAL, like, series, smooth, widen
from jaxacts._numerics.constants import ROOT_HALF

__all__ = ["gelu", "silu"]

# --- silu

_silu = smooth(
    lambda x, beta: x * series.sigmoid(beta * x),
    left=lambda beta: ((1 - jnp.sign(beta)) / 2, 0.0),
    right=lambda beta: ((1 + jnp.sign(beta)) / 2, 0.0),
)


def silu(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    r"""Sigmoid-weighted linear unit, :math:`x\,\sigma(\beta x)`.

    Also known as swish. Smooth, unbounded above, with one dip below zero; it tends to 0 on the left and to the identity
    on the right (for beta > 0).

    Args:
      x: input of any shape.
      beta: slope of the gate; 0 gives x/2, large values approach the rectifier.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.silu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.26894143,  0.        ,  1.7615942 ], dtype=float32)

    Reference:
      Elfwing, Uchibe & Doya, Neural Networks 107 (2018), https://arxiv.org/abs/1702.03118
    """
    x, narrow = widen(x)
    return narrow(_silu(x, like(beta, x)))


def _silu_derivative(x: Array, beta: ArrayLike = 1.0) -> Array:
    s = jsp.expit(beta * x)
    return s + beta * x * s * jsp.expit(-beta * x)


def _silu_facts(beta: float) -> Facts:
    if beta == 0:  # the gate is constant: f(x) = x / 2
        return Facts(
            image=(-inf, inf), limits=(-inf, inf), derivative_limits=(0.5, 0.5), lipschitz=0.5, lipschitz_derivative=0.0,
            monotone=True, parity="odd", zero_centred=True, family="gated", year=2017, aliases=("swish",),
        )  # fmt: skip
    # f(x) = g(beta x) / beta with g the default, which is mirrored for beta < 0
    low = -0.278464542761074
    return Facts(
        image=(low / beta, inf) if beta > 0 else (-inf, low / beta),
        limits=(0.0, inf) if beta > 0 else (-inf, 0.0),
        derivative_limits=(0.0, 1.0) if beta > 0 else (1.0, 0.0),
        lipschitz=1.09983932012289,
        lipschitz_derivative=abs(beta) / 2,
        minimum=(-1.27846454276107 / beta, low / beta) if beta > 0 else None,
        family="gated",
        year=2017,
        aliases=("swish",),
    )


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
    lambda x: 0.5 * x * series.erfc(-ROOT_HALF * x), left=(0.0, 0.0), right=(1.0, 0.0), bound=EXPONENTIAL
)


def gelu(x: ArrayLike) -> Array:
    r"""Gaussian error linear unit, exact: :math:`x\,\Phi(x)` with the normal distribution function.

    Smooth, with one dip below zero; 0 on the left, the identity on the right. This is the exact form; `jax.nn.gelu`
    computes the tanh approximation by default, which is `gelu_tanh` here.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.gelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.15865526,  0.        ,  1.9544997 ], dtype=float32)

    Reference:
      Hendrycks & Gimpel (2016), https://arxiv.org/abs/1606.08415
    """
    x, narrow = widen(x)
    return narrow(_gelu(x))


def _gelu_derivative(x: Array) -> Array:
    # Phi from erfc keeps the left tail
    return jsp.erfc(-x / jnp.sqrt(2.0)) / 2 + x * jnp.exp(-(x**2) / 2) / jnp.sqrt(2 * jnp.pi)


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
