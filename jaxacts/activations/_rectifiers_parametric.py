"""Rectifiers with further parameters: a wave on the left, learned slopes, a line at each end."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, nan
from jaxacts._numerics import EXPONENTIAL, like, require, series, smooth, times, widen
from jaxacts.activations._facts import rectifier

__all__ = ["arelu", "sinerelu", "srelu"]

# --- sinerelu


@jax.custom_jvp
def _sin_minus_cos(x: Array) -> Array:
    s, c = jnp.sin(x), jnp.cos(x)
    # where they cancel, s - c = (s^2 - c^2) / (s + c) = -cos(2 x) / (s + c) does not
    cancels = (s * c > 0) & (jnp.abs(x) < jnp.finfo(x.dtype).max / 2)
    double = jnp.cos(2 * jnp.where(cancels, x, 0.0))
    return jnp.where(cancels, -double / jnp.where(cancels, s + c, 1.0), s - c)


@jax.custom_jvp
def _sin_plus_cos(x: Array) -> Array:
    s, c = jnp.sin(x), jnp.cos(x)
    cancels = (s * c < 0) & (jnp.abs(x) < jnp.finfo(x.dtype).max / 2)
    double = jnp.cos(2 * jnp.where(cancels, x, 0.0))
    return jnp.where(cancels, double / jnp.where(cancels, c - s, 1.0), s + c)


_sin_minus_cos.defjvp(lambda x, dx: (_sin_minus_cos(*x), dx[0] * _sin_plus_cos(*x)))
_sin_plus_cos.defjvp(lambda x, dx: (_sin_plus_cos(*x), -dx[0] * _sin_minus_cos(*x)))


def sinerelu(x: ArrayLike, epsilon: ArrayLike = 0.0025) -> Array:
    r"""Sinusoidal rectifier, :math:`x` for :math:`x > 0`, else :math:`\epsilon (\sin x - \cos x)`.

    The identity on the right, a small wave on the left that keeps a gradient alive. It jumps at 0, which
    belongs to the left: the value there is -epsilon, the derivative epsilon.

    Args:
      x: input of any shape.
      epsilon: size of the wave.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sinerelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.00345443, -0.0025    ,  2.        ], dtype=float32)

    Reference:
      Rodrigues, SineReLU, keras-contrib (2018), https://github.com/keras-team/keras-contrib
    """
    x, narrow = widen(x)
    left = jnp.where(x > 0, 0.0, x)
    return narrow(jnp.where(x > 0, x, like(epsilon, x) * _sin_minus_cos(left)))


def _sinerelu_derivative(x: Array, epsilon: ArrayLike = 0.0025) -> Array:
    return jnp.where(x > 0, 1.0, epsilon * (jnp.cos(x) + jnp.sin(x)))


def _sinerelu_facts(epsilon: float) -> Facts:
    if epsilon == 0:
        return rectifier(family="rectifier", year=2018, aliases=("sine_relu",))
    return Facts(
        image=(-math.sqrt(2) * math.fabs(epsilon), inf),
        limits=(nan, inf),
        derivative_limits=(nan, 1.0),
        lipschitz=inf,
        lipschitz_derivative=inf,
        kinks=((0.0, epsilon),),
        smoothness=-1,
        zeros=None,
        family="rectifier",
        year=2018,
        aliases=("sine_relu",),
    )


declare(
    sinerelu,
    derivative=_sinerelu_derivative,
    facts=_sinerelu_facts,
    formula=r"x\ (x > 0);\quad \epsilon (\sin x - \cos x)\ (x \le 0)",
    reference="Rodrigues, SineReLU, keras-contrib (2018), https://github.com/keras-team/keras-contrib",
    cases=({}, {"epsilon": 0.5}),
)

# --- arelu

_sigmoid = smooth(series.sigmoid, left=(0.0, 0.0), right=(0.0, 1.0), bound=EXPONENTIAL)


def arelu(x: ArrayLike, alpha: ArrayLike = 0.9, beta: ArrayLike = 2.0) -> Array:
    r"""Attention-based rectifier, :math:`C(\alpha) x` for :math:`x < 0`, else :math:`(1 + \sigma(\beta)) x`.

    C keeps its argument between 0.01 and 0.99, so negative inputs are damped and positive ones amplified. The
    derivative at the kink 0 is taken from the right.

    Args:
      x: input of any shape.
      alpha: slope on the left before it is clipped; trainable.
      beta: logit of the amplification on the right; trainable.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.arelu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.9      ,  0.       ,  3.7615943], dtype=float32)

    Reference:
      Chen, Li & Xu, AReLU (2020), https://arxiv.org/abs/2006.13858
    """
    x, narrow = widen(x)
    a, b = like(alpha, x), like(beta, x)
    left = jnp.where(a < 0.01, 0.01, jnp.where(a > 0.99, 0.99, a)).astype(x.dtype)
    right = 1 + _sigmoid(jnp.asarray(b, x.dtype))
    return narrow(jnp.where(x >= 0, right * x, left * x))


def _arelu_derivative(x: Array, alpha: ArrayLike = 0.9, beta: ArrayLike = 2.0) -> Array:
    return jnp.where(x >= 0, 1 + 1 / (1 + 1 / jnp.exp(beta)), jnp.clip(alpha, 0.01, 0.99))


def _arelu_facts(alpha: float, beta: float) -> Facts:
    right = 1 + (1 + math.tanh(beta / 2)) / 2
    return Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(min(max(alpha, 0.01), 0.99), right),
        lipschitz=right,
        lipschitz_derivative=inf,
        kinks=((0.0, right),),
        smoothness=0,
        monotone=True,
        family="rectifier",
        year=2020,
    )


declare(
    arelu,
    derivative=_arelu_derivative,
    facts=_arelu_facts,
    formula=r"C(\alpha)\,x\ (x < 0);\quad (1 + \sigma(\beta))\,x\ (x \ge 0);"
    r"\quad C(\alpha) = \min(\max(\alpha, 0.01), 0.99)",
    reference="Chen, Li & Xu, AReLU (2020), https://arxiv.org/abs/2006.13858",
    cases=({}, {"alpha": 0.25, "beta": -1.0}),
)

# --- srelu


def srelu(
    x: ArrayLike,
    t_left: ArrayLike = -1.0,
    a_left: ArrayLike = 0.2,
    t_right: ArrayLike = 1.0,
    a_right: ArrayLike = 0.5,
) -> Array:
    r"""S-shaped rectifier: three straight lines, :math:`x` in the middle.

    .. math::
        t_l + a_l (x - t_l)\ (x \le t_l);\quad x;\quad t_r + a_r (x - t_r)\ (x \ge t_r)

    The derivative at the two kinks is that of the outer lines.

    Args:
      x: input of any shape.
      t_left: where the left line begins.
      a_left: its slope.
      t_right: where the right line begins, above `t_left`.
      a_right: its slope.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `t_right` is not above `t_left`, where both are plain numbers.

    Example:
      >>> jaxacts.srelu(jnp.array([-2.0, 0.5, 2.0]))
      Array([-1.2,  0.5,  1.5], dtype=float32)

    Reference:
      Jin et al., AAAI 2016, https://arxiv.org/abs/1512.07030
    """
    x, narrow = widen(x)
    low, high = like(t_left, x), like(t_right, x)
    require("t_right", high, low < high, f"above t_left ({t_left})")
    left = low + times(like(a_left, x), x - low)
    right = high + times(like(a_right, x), x - high)
    return narrow(jnp.where(x <= low, left, jnp.where(x >= high, right, x)))


def _srelu_derivative(
    x: Array,
    t_left: ArrayLike = -1.0,
    a_left: ArrayLike = 0.2,
    t_right: ArrayLike = 1.0,
    a_right: ArrayLike = 0.5,
) -> Array:
    return jnp.where(x <= t_left, a_left, jnp.where(x >= t_right, a_right, 1.0))


def _srelu_facts(t_left: float, a_left: float, t_right: float, a_right: float) -> Facts:
    left = t_left if a_left == 0 else math.copysign(inf, -a_left)
    right = t_right if a_right == 0 else math.copysign(inf, a_right)
    ends = [(t, a) for t, a in ((t_left, a_left), (t_right, a_right)) if a != 1]
    # a line t + a (x - t) crosses zero t / a before its begin
    crossings = {0.0} if t_left <= 0 <= t_right else set()
    crossings |= {t_left - t_left / a_left} if a_left and t_left / a_left > 0 else set()
    crossings |= {t_right - t_right / a_right} if a_right and t_right / a_right < 0 else set()
    flat = (a_left == 0 and t_left == 0) or (a_right == 0 and t_right == 0)
    balanced = t_left == -t_right and a_left == a_right
    values = (left, right, t_left, t_right)
    return Facts(
        image=(min(values), max(values)),
        limits=(left, right),
        derivative_limits=(a_left, a_right),
        lipschitz=max(1.0, math.fabs(a_left), math.fabs(a_right)),
        lipschitz_derivative=inf if ends else 0.0,
        kinks=tuple(ends),
        smoothness=0 if ends else inf,
        monotone=min(a_left, a_right) >= 0,
        parity="odd" if balanced else None,
        zero_centred=balanced,
        minimum=(t_left, t_left) if a_left < 0 <= a_right else None,
        zeros=None if flat else tuple(sorted(crossings)),
        family="rectifier",
        year=2015,
        aliases=("s_shaped_relu",),
    )


declare(
    srelu,
    derivative=_srelu_derivative,
    facts=_srelu_facts,
    formula=r"t_l + a_l (x - t_l)\ (x \le t_l);\quad x;\quad t_r + a_r (x - t_r)\ (x \ge t_r)",
    reference="Jin et al., AAAI 2016, https://arxiv.org/abs/1512.07030",
    cases=({}, {"t_left": 0.0, "a_left": 0.1, "t_right": 2.0, "a_right": 1.5}),
)
