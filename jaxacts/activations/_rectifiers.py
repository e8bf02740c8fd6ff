"""Rectifiers: zero or a gentle slope on the left, the identity or a power on the right."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import like, times, widen

__all__ = ["leaky_relu", "relu"]

# --- relu


def relu(x: ArrayLike) -> Array:
    r"""Rectified linear unit, :math:`\max(x, 0)`.

    Zero on the left, the identity on the right. The derivative at the kink 0 is taken from the left: 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.relu(jnp.array([-1.0, 0.0, 2.0]))
      Array([0., 0., 2.], dtype=float32)

    Reference:
      Fukushima, IEEE Trans. Systems Science and Cybernetics 5 (1969), https://doi.org/10.1109/TSSC.1969.300225;
      Nair & Hinton, ICML 2010
    """
    x, narrow = widen(x)
    return narrow(jnp.where(x <= 0, 0.0, x))


def _relu_derivative(x: Array) -> Array:
    return jnp.where(x > 0, 1.0, 0.0)


declare(
    relu,
    derivative=_relu_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((0.0, 0.0),),
        smoothness=0,
        monotone=True,
        zeros=None,
        family="rectifier",
        year=1969,
    ),
    formula=r"\max(x, 0)",
    reference="Fukushima, IEEE Trans. Systems Science and Cybernetics 5 (1969), "
    "https://doi.org/10.1109/TSSC.1969.300225",
)

# --- leaky_relu


def leaky_relu(x: ArrayLike, negative_slope: ArrayLike = 0.01) -> Array:
    r"""Leaky rectifier, :math:`x` for :math:`x \ge 0`, :math:`a x` for :math:`x < 0`.

    The identity on the right, a small slope on the left, so that no unit dies. The derivative at the kink 0 is
    taken from the right, as `jax.nn` does: 1.

    Args:
      x: input of any shape.
      negative_slope: slope a for negative x; 0 gives the rectifier, 1 the identity, -1 the absolute value.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.leaky_relu(jnp.array([-1.0, 0.0, 2.0]), 0.2)
      Array([-0.2,  0. ,  2. ], dtype=float32)

    Reference:
      Maas, Hannun & Ng, ICML Workshop on Deep Learning for Audio, Speech and Language Processing (2013)
    """
    x, narrow = widen(x)
    a = like(negative_slope, x)
    return narrow(jnp.where(x >= 0, x, times(a, x)))


def _leaky_relu_derivative(x: Array, negative_slope: ArrayLike = 0.01) -> Array:
    return jnp.where(x >= 0, 1.0, negative_slope)


def _leaky_relu_facts(negative_slope: float) -> Facts:
    a = negative_slope
    left = -inf if a > 0 else 0.0 if a == 0 else inf
    return Facts(
        image=(min(left, 0.0), inf),
        limits=(left, inf),
        derivative_limits=(a, 1.0),
        lipschitz=max(1.0, -a, a),
        lipschitz_derivative=0.0 if a == 1 else inf,
        kinks=() if a == 1 else ((0.0, 1.0),),
        smoothness=inf if a == 1 else 0,
        monotone=a >= 0,
        parity={1.0: "odd", -1.0: "even"}.get(a),  # type: ignore[arg-type]
        zero_centred=a == 1,
        minimum=(0.0, 0.0) if a < 0 else None,
        zeros=(0.0,) if a else None,
        family="rectifier",
        year=2013,
        aliases=("lrelu",),
    )


declare(
    leaky_relu,
    derivative=_leaky_relu_derivative,
    facts=_leaky_relu_facts,
    formula=r"x\ (x \ge 0);\quad a x\ (x < 0)",
    reference="Maas, Hannun & Ng, ICML Workshop on Deep Learning for Audio, Speech and Language Processing "
    "(2013)",
    cases=({}, {"negative_slope": 0.2}, {"negative_slope": 1.0}, {"negative_slope": 0.0}),
)
