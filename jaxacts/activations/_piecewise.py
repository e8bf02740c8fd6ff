"""Functions with kinks, pieced together from polynomials: clipped ramps, bumps, hard gates."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import like, require, times, widen, within

__all__ = ["hard_mish", "hard_sigmoid", "hard_silu", "hard_tanh", "hat", "plu", "tent"]

# --- hard_tanh


def hard_tanh(x: ArrayLike, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0) -> Array:
    r"""Hard hyperbolic tangent, :math:`\min(\max(x, a), b)`.

    The identity between two constant ends. The derivative at both kinks is taken from inside, as `jax.nn`
    does: 1.

    Args:
      x: input of any shape.
      min_val: lower end a.
      max_val: upper end b, above a.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `max_val` is not above `min_val`, where both are plain numbers.

    Example:
      >>> jaxacts.hard_tanh(jnp.array([-2.0, 0.5, 2.0]))
      Array([-1. ,  0.5,  1. ], dtype=float32)

    Reference:
      Collobert, Large scale machine learning, thesis, University of Paris 6 (2004)
    """
    x, narrow = widen(x)
    a, b = like(min_val, x), like(max_val, x)
    require("max_val", b, a < b, f"above min_val ({min_val})")
    return narrow(jnp.where(x < a, a, jnp.where(x > b, b, x)))


def _hard_tanh_derivative(x: Array, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0) -> Array:
    return jnp.where((x >= min_val) & (x <= max_val), 1.0, 0.0)


def _hard_tanh_facts(min_val: float, max_val: float) -> Facts:
    balanced = min_val == -max_val
    return Facts(
        image=(min_val, max_val),
        limits=(min_val, max_val),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((min_val, 1.0), (max_val, 1.0)),
        smoothness=0,
        monotone=True,
        parity="odd" if balanced else None,
        zero_centred=balanced,
        zeros=None if 0 in (min_val, max_val) else (0.0,) if min_val < 0 < max_val else (),
        family="piecewise",
        year=2004,
        aliases=("hardtanh",),
    )


declare(
    hard_tanh,
    derivative=_hard_tanh_derivative,
    facts=_hard_tanh_facts,
    formula=r"\min(\max(x, a), b)",
    reference="Collobert, Large scale machine learning, thesis, University of Paris 6 (2004)",
    cases=({}, {"min_val": -0.5, "max_val": 2.0}),
)

# --- tent


def tent(x: ArrayLike, delta: ArrayLike = 1.0) -> Array:
    r"""Tent, :math:`\max(0, \delta - |x|)`.

    A symmetric bump that ignores inputs far from zero; proposed against adversarial examples. The derivative
    at the kinks -delta, 0 and delta is 0, -1 and 0.

    Args:
      x: input of any shape.
      delta: height and half width, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `delta` is a plain number that is not positive.

    Example:
      >>> jaxacts.tent(jnp.array([-0.5, 0.0, 2.0]))
      Array([0.5, 1. , 0. ], dtype=float32)

    Reference:
      Rozsa & Boult, Improved adversarial robustness by reducing open space risk via tent activations (2019),
      https://arxiv.org/abs/1908.02435
    """
    x, narrow = widen(x)
    d = like(delta, x)
    require("delta", d, d > 0, "positive")
    inside = jnp.where(x < 0, d + x, d - x)
    return narrow(jnp.where((x <= -d) | (x >= d), 0.0, inside))


def _tent_derivative(x: Array, delta: ArrayLike = 1.0) -> Array:
    return jnp.where(jnp.abs(x) >= delta, 0.0, jnp.where(x < 0, 1.0, -1.0))


def _tent_facts(delta: float) -> Facts:
    return Facts(
        image=(0.0, delta),
        limits=(0.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((-delta, 0.0), (0.0, -1.0), (delta, 0.0)),
        smoothness=0,
        parity="even",
        zeros=None,
        family="piecewise",
        year=2019,
        aliases=("triangular",),
    )


declare(
    tent,
    derivative=_tent_derivative,
    facts=_tent_facts,
    formula=r"\max(0, \delta - |x|)",
    reference="Rozsa & Boult, Improved adversarial robustness by reducing open space risk via tent "
    "activations (2019), https://arxiv.org/abs/1908.02435",
    cases=({}, {"delta": 2.5}),
)

# --- hat


def hat(x: ArrayLike) -> Array:
    r"""Hat, :math:`\max(0, 1 - |x - 1|)`.

    The linear finite element: zero outside (0, 2), with its peak 1 at 1. The derivative at the kinks 0, 1 and
    2 is 0, 1 and 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.hat(jnp.array([-0.5, 0.5, 1.5]))
      Array([0. , 0.5, 0.5], dtype=float32)

    Reference:
      Hong et al., On the activation function dependence of the spectral bias of neural networks (2022),
      https://arxiv.org/abs/2208.04924
    """
    x, narrow = widen(x)
    return narrow(jnp.where((x <= 0) | (x >= 2), 0.0, jnp.where(x <= 1, x, 2 - x)))


def _hat_derivative(x: Array) -> Array:
    return jnp.where((x <= 0) | (x >= 2), 0.0, jnp.where(x <= 1, 1.0, -1.0))


declare(
    hat,
    derivative=_hat_derivative,
    facts=Facts(
        image=(0.0, 1.0),
        limits=(0.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((0.0, 0.0), (1.0, 1.0), (2.0, 0.0)),
        smoothness=0,
        zeros=None,
        family="piecewise",
        year=2022,
    ),
    formula=r"\max(0, 1 - |x - 1|)",
    reference="Hong et al., On the activation function dependence of the spectral bias of neural networks "
    "(2022), https://arxiv.org/abs/2208.04924",
)

# --- plu


def plu(x: ArrayLike, alpha: ArrayLike = 0.1, c: ArrayLike = 1.0) -> Array:
    r"""Piecewise linear unit, :math:`\max(\alpha (x + c) - c, \min(\alpha (x - c) + c, x))`.

    The identity between -c and c and lines of slope alpha outside: a hyperbolic tangent made of three lines
    whose gradient does not vanish. The derivative at both kinks is taken from outside: alpha.

    Args:
      x: input of any shape.
      alpha: slope of the outer lines, from 0 to below 1.
      c: where they begin, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `alpha` or `c` is a plain number outside its range.

    Example:
      >>> jaxacts.plu(jnp.array([-2.0, 0.5, 2.0]))
      Array([-1.1,  0.5,  1.1], dtype=float32)

    Reference:
      Nicolae, PLU: the piecewise linear unit activation function (2018), https://arxiv.org/abs/1809.09534
    """
    x, narrow = widen(x)
    a, end = like(alpha, x), like(c, x)
    require("alpha", a, (a >= 0) & (a < 1), "at least 0 and below 1")
    require("c", end, end > 0, "positive")
    outer = jnp.where(x < 0, times(a, x + end) - end, times(a, x - end) + end)
    return narrow(jnp.where((x <= -end) | (x >= end), outer, x))


def _plu_derivative(x: Array, alpha: ArrayLike = 0.1, c: ArrayLike = 1.0) -> Array:
    return jnp.where(jnp.abs(x) >= c, alpha, 1.0)


def _plu_facts(alpha: float, c: float) -> Facts:
    end = inf if alpha else c
    return Facts(
        image=(-end, end),
        limits=(-end, end),
        derivative_limits=(alpha, alpha),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((-c, alpha), (c, alpha)),
        smoothness=0,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="piecewise",
        year=2018,
    )


declare(
    plu,
    derivative=_plu_derivative,
    facts=_plu_facts,
    formula=r"\max(\alpha (x + c) - c, \min(\alpha (x - c) + c, x))",
    reference="Nicolae, PLU: the piecewise linear unit activation function (2018), "
    "https://arxiv.org/abs/1809.09534",
    cases=({}, {"alpha": 0.25, "c": 2.0}),
)

# --- hard_sigmoid


def hard_sigmoid(x: ArrayLike) -> Array:
    r"""Hard sigmoid, :math:`\min(\max(x / 6 + 1/2, 0), 1)`.

    A ramp from 0 at -3 to 1 at 3. The derivative is 0 at both kinks. Other libraries also use this name for
    the slopes 0.2 and 1/2; the latter is `sparse_sigmoid` here.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.hard_sigmoid(jnp.array([-4.0, 0.0, 1.5]))
      Array([0.  , 0.5 , 0.75], dtype=float32)

    Reference:
      Howard et al., Searching for MobileNetV3 (2019), https://arxiv.org/abs/1905.02244
    """
    x, narrow = widen(x)
    # (x + 3) / 6 keeps its digits near -3, where x / 6 + 1/2 cancels
    return narrow(jnp.where(x <= -3, 0.0, jnp.where(x >= 3, 1.0, (x + 3) / 6)))


def _hard_sigmoid_derivative(x: Array) -> Array:
    return jnp.where((x > -3) & (x < 3), 1 / 6, 0.0)


declare(
    hard_sigmoid,
    derivative=_hard_sigmoid_derivative,
    facts=Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1 / 6,
        lipschitz_derivative=inf,
        kinks=((-3.0, 0.0), (3.0, 0.0)),
        smoothness=0,
        monotone=True,
        zeros=None,
        family="piecewise",
        year=2019,
        aliases=("hsigmoid",),
    ),
    formula=r"\min(\max(x / 6 + 1/2, 0), 1)",
    reference="Howard et al., Searching for MobileNetV3 (2019), https://arxiv.org/abs/1905.02244",
)

# --- hard_silu


def hard_silu(x: ArrayLike) -> Array:
    r"""Hard sigmoid-weighted linear unit, :math:`x \min(\max(x / 6 + 1/2, 0), 1)`.

    Also known as hard swish: `silu` with the gate `hard_sigmoid`. The derivative at the kinks -3 and 3 is
    taken from outside: 0 and 1.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.hard_silu(jnp.array([-1.5, 0.0, 1.5]))
      Array([-0.375,  0.   ,  1.125], dtype=float32)

    Reference:
      Howard et al., Searching for MobileNetV3 (2019), https://arxiv.org/abs/1905.02244
    """
    x, narrow = widen(x)
    u = within(x, -3.0, 3.0)
    return narrow(jnp.where(x <= -3, 0.0, jnp.where(x >= 3, x, u * (u + 3) / 6)))


def _hard_silu_derivative(x: Array) -> Array:
    return jnp.where(x <= -3, 0.0, jnp.where(x >= 3, 1.0, (2 * x + 3) / 6))


declare(
    hard_silu,
    derivative=_hard_silu_derivative,
    facts=Facts(
        image=(-0.375, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.5,
        lipschitz_derivative=inf,
        kinks=((-3.0, 0.0), (3.0, 1.0)),
        smoothness=0,
        minimum=(-1.5, -0.375),
        zeros=None,
        family="piecewise",
        year=2019,
        aliases=("hard_swish", "hswish"),
    ),
    formula=r"x \min(\max(x / 6 + 1/2, 0), 1)",
    reference="Howard et al., Searching for MobileNetV3 (2019), https://arxiv.org/abs/1905.02244",
)

# --- hard_mish


def hard_mish(x: ArrayLike) -> Array:
    r"""Hard mish, :math:`\tfrac{x}{2} \min(\max(x + 2, 0), 2)`.

    `mish` made of a constant, a parabola and the identity. The derivative at the kink -2 is taken from the
    left: 0; at 0, where only the second derivative jumps, that is taken from the right: 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.hard_mish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.5,  0. ,  2. ], dtype=float32)

    Reference:
      Misra, H-Mish (2020), https://github.com/digantamisra98/H-Mish
    """
    x, narrow = widen(x)
    u = within(x, -2.0, 0.0)
    return narrow(jnp.where(x <= -2, 0.0, jnp.where(x >= 0, x, u * (u + 2) / 2)))


def _hard_mish_derivative(x: Array) -> Array:
    return jnp.where(x <= -2, 0.0, jnp.where(x >= 0, 1.0, x + 1))


declare(
    hard_mish,
    derivative=_hard_mish_derivative,
    facts=Facts(
        image=(-0.5, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((-2.0, 0.0),),
        knots=(0.0,),
        smoothness=0,
        minimum=(-1.0, -0.5),
        zeros=None,
        family="piecewise",
        year=2020,
    ),
    formula=r"\tfrac{x}{2} \min(\max(x + 2, 0), 2)",
    reference="Misra, H-Mish (2020), https://github.com/digantamisra98/H-Mish",
)
