"""Sigmoidal functions: the logistic sigmoid, the hyperbolic tangent and their scaled relatives."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax.numpy as jnp
from jax import Array, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import EXPONENTIAL, like, quick, series, smooth, widen

__all__ = ["bipolar_sigmoid", "lecun_tanh", "log_sigmoid", "penalized_tanh", "sigmoid", "tanh"]

# max |tanh''| = 4 / (3 sqrt 3)
_TANH_BEND = 0.7698003589195010
_EFFICIENT_BACKPROP = (
    "LeCun, Bottou, Orr & Müller, Efficient BackProp (1998), https://doi.org/10.1007/3-540-49430-8_2"
)

# --- sigmoid

_sigmoid = smooth(
    series.sigmoid,
    left=(0.0, 0.0),
    right=(0.0, 1.0),
    bound=EXPONENTIAL,
    quick=(quick.sigmoid, quick.sigmoid_slope),
)


def sigmoid(x: ArrayLike) -> Array:
    r"""Logistic sigmoid, :math:`1 / (1 + e^{-x})`.

    Rises smoothly from 0 to 1, with 1/2 at the origin. Value and derivatives keep their relative accuracy
    in the left tail, and the derivatives in the right one too, where :math:`s (1 - s)` would be exactly 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sigmoid(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.26894143, 0.5       , 0.880797  ], dtype=float32)

    Reference:
      Han & Moraga, IWANN 1995, https://doi.org/10.1007/3-540-59497-3_175
    """
    x, narrow = widen(x)
    return narrow(_sigmoid(x))


def _sigmoid_derivative(x: Array) -> Array:
    return nn.sigmoid(x) * nn.sigmoid(-x)


declare(
    sigmoid,
    derivative=_sigmoid_derivative,
    facts=Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.25,
        lipschitz_derivative=0.09622504486493763,
        monotone=True,
        zeros=(),
        family="sigmoidal",
        year=1995,
        aliases=("logistic", "expit"),
    ),
    formula=r"\frac{1}{1 + e^{-x}}",
    reference="Han & Moraga, IWANN 1995, https://doi.org/10.1007/3-540-59497-3_175",
)

# --- tanh

_tanh = smooth(
    series.tanh, left=(0.0, -1.0), right=(0.0, 1.0), bound=EXPONENTIAL, quick=(quick.tanh, quick.tanh_slope)
)


def tanh(x: ArrayLike) -> Array:
    r"""Hyperbolic tangent, :math:`\tanh x`.

    Odd, rises smoothly from -1 to 1 with slope 1 at the origin. Its derivatives are accurate in both tails,
    where :math:`1 - \tanh^2 x` would be exactly 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.tanh(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.7615942,  0.       ,  0.9640276], dtype=float32)

    Reference:
      LeCun, Bottou, Orr & Müller, Efficient BackProp (1998), https://doi.org/10.1007/3-540-49430-8_2
    """
    x, narrow = widen(x)
    return narrow(_tanh(x))


def _tanh_derivative(x: Array) -> Array:
    e = jnp.exp(-jnp.abs(x))  # sech x = 2 e / (1 + e^2), squared last so that it underflows late
    return (2 * e / (1 + e**2)) ** 2


declare(
    tanh,
    derivative=_tanh_derivative,
    facts=Facts(
        image=(-1.0, 1.0),
        limits=(-1.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=_TANH_BEND,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="sigmoidal",
        year=1998,
    ),
    formula=r"\tanh x",
    reference=_EFFICIENT_BACKPROP,
)

# --- log_sigmoid

_log_sigmoid = smooth(
    lambda x: -series.softplus(-x),
    left=(1.0, 0.0),
    right=(0.0, 0.0),
    bound=EXPONENTIAL,
    quick=(quick.log_sigmoid, quick.log_sigmoid_slope),
)


def log_sigmoid(x: ArrayLike) -> Array:
    r"""Logarithm of the logistic sigmoid, :math:`-\log(1 + e^{-x})`.

    Negative and concave: the identity on the left, 0 on the right, where it is :math:`-e^{-x}`. It is the
    log-probability of a binary class.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.log_sigmoid(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.3132616 , -0.6931472 , -0.12692802], dtype=float32)

    Reference:
      The mirror image of softplus: Dugas et al., NIPS 13 (2000)
    """
    x, narrow = widen(x)
    return narrow(_log_sigmoid(x))


def _log_sigmoid_derivative(x: Array) -> Array:
    return nn.sigmoid(-x)


declare(
    log_sigmoid,
    derivative=_log_sigmoid_derivative,
    facts=Facts(
        image=(-inf, 0.0),
        limits=(-inf, 0.0),
        derivative_limits=(1.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=0.25,
        monotone=True,
        zeros=(),
        family="sigmoidal",
        aliases=("logsigmoid",),
    ),
    formula=r"-\log(1 + e^{-x})",
    reference="The mirror image of softplus: Dugas et al., NIPS 13 (2000)",
)

# --- bipolar_sigmoid

_bipolar_sigmoid = smooth(
    lambda x: series.tanh(0.5 * x), left=(0.0, -1.0), right=(0.0, 1.0), bound=EXPONENTIAL
)


def bipolar_sigmoid(x: ArrayLike) -> Array:
    r"""Logistic sigmoid stretched to (-1, 1), :math:`(1 - e^{-x}) / (1 + e^{-x}) = \tanh(x/2)`.

    Odd, with slope 1/2 at the origin; the classical output unit for targets -1 and 1.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.bipolar_sigmoid(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.46211717,  0.        ,  0.7615942 ], dtype=float32)

    Reference:
      LeCun, Bottou, Orr & Müller, Efficient BackProp (1998), https://doi.org/10.1007/3-540-49430-8_2
    """
    x, narrow = widen(x)
    return narrow(_bipolar_sigmoid(x))


def _bipolar_sigmoid_derivative(x: Array) -> Array:
    return 2 * nn.sigmoid(x) * nn.sigmoid(-x)


declare(
    bipolar_sigmoid,
    derivative=_bipolar_sigmoid_derivative,
    facts=Facts(
        image=(-1.0, 1.0),
        limits=(-1.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.5,
        lipschitz_derivative=_TANH_BEND / 4,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="sigmoidal",
        year=1998,
    ),
    formula=r"\frac{1 - e^{-x}}{1 + e^{-x}}",
    reference=_EFFICIENT_BACKPROP,
)

# --- lecun_tanh

_AMPLITUDE = 1.7159
_lecun_tanh = smooth(
    lambda x: _AMPLITUDE * series.tanh(Fraction(2, 3) * x),
    left=(0.0, -_AMPLITUDE),
    right=(0.0, _AMPLITUDE),
    bound=EXPONENTIAL,
)


def lecun_tanh(x: ArrayLike) -> Array:
    r"""Scaled hyperbolic tangent, :math:`1.7159 \tanh(2x/3)`.

    Chosen so that f(1) is nearly 1 and the curvature is largest there: with inputs of unit variance the
    outputs have about unit variance too.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.lecun_tanh(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.99999726,  0.        ,  1.4929388 ], dtype=float32)

    Reference:
      LeCun, Bottou, Orr & Müller, Efficient BackProp (1998), https://doi.org/10.1007/3-540-49430-8_2
    """
    x, narrow = widen(x)
    return narrow(_lecun_tanh(x))


def _lecun_tanh_derivative(x: Array) -> Array:
    return _AMPLITUDE * 2 / 3 * _tanh_derivative(2 * x / 3)


declare(
    lecun_tanh,
    derivative=_lecun_tanh_derivative,
    facts=Facts(
        image=(-_AMPLITUDE, _AMPLITUDE),
        limits=(-_AMPLITUDE, _AMPLITUDE),
        derivative_limits=(0.0, 0.0),
        lipschitz=_AMPLITUDE * 2 / 3,
        lipschitz_derivative=_AMPLITUDE * 4 / 9 * _TANH_BEND,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="sigmoidal",
        year=1998,
        aliases=("stanh",),
    ),
    formula=r"1.7159 \tanh(2x/3)",
    reference=_EFFICIENT_BACKPROP,
)

# --- penalized_tanh


def _penalized_tanh_program(x, a):
    t = series.tanh(x)
    return series.where(series.positive(x), t, a * t)


_penalized_tanh = smooth(_penalized_tanh_program)


def penalized_tanh(x: ArrayLike, a: ArrayLike = 0.25) -> Array:
    r"""Hyperbolic tangent with a flatter left half: :math:`\tanh x` for x > 0, :math:`a \tanh x` for x <= 0.

    A bounded relative of the leaky rectifier. It has a kink at 0, where the derivative is that of the left
    branch, `a`.

    Args:
      x: input of any shape.
      a: factor of the left half.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.penalized_tanh(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.19039854,  0.        ,  0.9640276 ], dtype=float32)

    Reference:
      Xu, Huang & Li (2016), https://arxiv.org/abs/1602.05980
    """
    x, narrow = widen(x)
    return narrow(_penalized_tanh(x, like(a, x)))


def _penalized_tanh_derivative(x: Array, a: Any = 0.25) -> Array:
    return jnp.where(x > 0, 1.0, a) * _tanh_derivative(x)


def _penalized_tanh_facts(a: float) -> Facts:
    return Facts(
        image=(min(-a, 0.0), max(1.0, -a)),
        limits=(-a, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=max(1.0, abs(a)),
        lipschitz_derivative=_TANH_BEND if a == 1 else inf,
        kinks=() if a == 1 else ((0.0, a),),
        smoothness=inf if a == 1 else 0,
        monotone=a >= 0,
        parity="odd" if a == 1 else "even" if a == -1 else None,
        zero_centred=a == 1,
        minimum=(0.0, 0.0) if a < 0 else None,
        zeros=(0.0,) if a else None,
        family="sigmoidal",
        year=2016,
    )


declare(
    penalized_tanh,
    derivative=_penalized_tanh_derivative,
    facts=_penalized_tanh_facts,
    formula=r"\tanh x \;(x > 0),\quad a \tanh x \;(x \le 0)",
    reference="Xu, Huang & Li (2016), https://arxiv.org/abs/1602.05980",
    cases=({}, {"a": 0.5}),
)
