"""Exponential linear units: the identity on the right, an exponential approach to a constant on the left."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, unstated
from jaxacts._numerics import like, quick, require, series, smooth, widen
from jaxacts._numerics.tails import decay, exp_rest, grown, in_units, near_zero, zero
from jaxacts.activations._facts import constant, rectifier, transformed

__all__ = ["celu", "elu", "mpelu", "pelu", "reu", "selu", "serlu"]

# --- elu

_elu = smooth(
    lambda x, alpha: series.where(series.positive(x), x, alpha * series.expm1(x)),
    right=(1.0, 0.0),
    quick=(quick.elu, quick.elu_slope),
    quick_at=(1.0,),
)


def elu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    r"""Exponential linear unit: x for x > 0, :math:`\alpha (e^x - 1)` for x <= 0.

    The identity on the right and :math:`-\alpha` on the left, so that mean activations come closer to zero
    than with a rectifier. For alpha = 1 the derivative is continuous; otherwise it is taken from the left
    at the kink 0: alpha.

    Args:
      x: input of any shape.
      alpha: minus the limit on the left.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.elu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.63212055,  0.        ,  2.        ], dtype=float32)

    Reference:
      Clevert, Unterthiner & Hochreiter, ICLR 2016, https://arxiv.org/abs/1511.07289
    """
    x, narrow = widen(x)
    return narrow(_elu(x, like(alpha, x)))


def _elu_derivative(x: Array, alpha: Any = 1.0) -> Array:
    return jnp.where(x > 0, 1.0, alpha * jnp.exp(x))


def _elu_facts(alpha: float, beta: float = 1.0, year: int = 2015) -> Facts:
    about: dict[str, Any] = {"family": "exponential", "year": year}
    slope = alpha * beta
    if slope == 0:
        return rectifier(**about)
    settles = beta > 0
    left = -alpha if settles else alpha * inf
    seamless = slope == 1
    return Facts(
        image=(min(left, 0.0), inf),
        limits=(left, inf),
        derivative_limits=(0.0 if settles else slope * inf, 1.0),
        lipschitz=max(1.0, abs(slope)) if settles else inf,
        lipschitz_derivative=beta if seamless and settles else inf,
        kinks=() if seamless else ((0.0, slope),),
        knots=(0.0,) if seamless else (),
        smoothness=1 if seamless else 0,
        monotone=slope > 0,
        minimum=(0.0, 0.0) if slope < 0 else None,
        **about,
    )


declare(
    elu,
    derivative=_elu_derivative,
    facts=_elu_facts,
    formula=r"x \;(x > 0),\quad \alpha (e^x - 1) \;(x \le 0)",
    reference="Clevert, Unterthiner & Hochreiter, ICLR 2016, https://arxiv.org/abs/1511.07289",
    cases=({}, {"alpha": 0.5}, {"alpha": 2.0}),
)

# --- celu


def _celu_program(x, alpha):
    left = 0.0 * x if isinstance(alpha, float) and alpha == 0 else alpha * decay(x / alpha)
    if not isinstance(alpha, float):
        # near zero x is split off, or the derivative with respect to alpha, -u^2 / 2, would cancel
        u = x / alpha
        left = series.where(near_zero(u), x + alpha * exp_rest(u), left)
        # at alpha = 0 the left branch is -alpha to first order, but at x = 0 it is 0 whatever alpha is
        limit = series.where(zero(x), 0.0 * x, -alpha)
        left = series.where(zero(alpha), limit, left)
    if not isinstance(alpha, float) or alpha < 0:
        left = grown(left, x / alpha, alpha)
    return series.where(series.positive(x), x, left)


_celu = in_units(smooth(_celu_program, right=(1.0, 0.0), quick=(quick.elu, quick.elu_slope), quick_at=(1.0,)))


def celu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    r"""Continuously differentiable elu: x for x > 0, :math:`\alpha (e^{x/\alpha} - 1)` for x <= 0.

    Unlike elu, the derivative is continuous for every alpha; the second derivative at 0 is that of the left
    branch. As alpha tends to 0 the function becomes the rectifier, and so it is at alpha = 0.

    Args:
      x: input of any shape.
      alpha: minus the limit on the left, and the length over which it is approached; at least 0.
        Below 0 the function grows exponentially on the left, and is infinite where :math:`e^{x/\alpha}` is.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.celu(jnp.array([-1.0, 0.0, 2.0]), alpha=0.5)
      Array([-0.43233237,  0.        ,  2.        ], dtype=float32)

    Reference:
      Barron (2017), https://arxiv.org/abs/1704.07483
    """
    x, narrow = widen(x)
    a = like(alpha, x)
    y = _celu(x, a)
    # a small alpha is the unit of x inside, where a large x may not be representable
    return narrow(y if isinstance(a, float) and a == 1 else jnp.where(x > 0, x, y))


def _celu_derivative(x: Array, alpha: Any = 1.0) -> Array:
    return jnp.where(x > 0, 1.0, jnp.exp(x / alpha))


def _celu_facts(alpha: float) -> Facts:
    if alpha == 0:
        return rectifier(family="exponential", year=2017)
    settles = alpha > 0
    return Facts(
        image=(-alpha if settles else -inf, inf),
        limits=(-alpha if settles else -inf, inf),
        derivative_limits=(0.0 if settles else inf, 1.0),
        lipschitz=1.0 if settles else inf,
        lipschitz_derivative=1 / alpha if settles else inf,
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        family="exponential",
        year=2017,
    )


declare(
    celu,
    derivative=_celu_derivative,
    facts=_celu_facts,
    formula=r"x \;(x > 0),\quad \alpha (e^{x/\alpha} - 1) \;(x \le 0)",
    reference="Barron (2017), https://arxiv.org/abs/1704.07483",
    cases=({}, {"alpha": 0.5}, {"alpha": 2.0}),
)

# --- selu

# the published constants; only their product enters on the left
_SCALE, _ALPHA = 1.0507009873554805, 1.6732632423543772
_DEPTH = Fraction(_SCALE) * Fraction(_ALPHA)
_selu = smooth(
    lambda x: series.where(series.positive(x), _SCALE * x, _DEPTH * series.expm1(x)),
    right=(_SCALE, 0.0),
    quick=(quick.selu, quick.selu_slope),
)


def selu(x: ArrayLike) -> Array:
    r"""Scaled exponential linear unit: :math:`\lambda x`, x > 0; :math:`\lambda \alpha (e^x - 1)`, x <= 0.

    With :math:`\lambda = 1.0507009873554805` and :math:`\alpha = 1.6732632423543772` zero mean and unit
    variance are a stable fixed point of the layer-to-layer map. The derivative at the kink 0 is taken from
    the left: 1.7580993408.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.selu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.1113307,  0.       ,  2.101402 ], dtype=float32)

    Reference:
      Klambauer, Unterthiner, Mayr & Hochreiter, NIPS 2017, https://arxiv.org/abs/1706.02515
    """
    x, narrow = widen(x)
    return narrow(_selu(x))


def _selu_derivative(x: Array) -> Array:
    return _SCALE * jnp.where(x > 0, 1.0, _ALPHA * jnp.exp(x))


declare(
    selu,
    derivative=_selu_derivative,
    facts=Facts(
        image=(-_SCALE * _ALPHA, inf),
        limits=(-_SCALE * _ALPHA, inf),
        derivative_limits=(0.0, _SCALE),
        lipschitz=_SCALE * _ALPHA,
        lipschitz_derivative=inf,
        kinks=((0.0, _SCALE * _ALPHA),),
        smoothness=0,
        monotone=True,
        zero_centred=True,  # what the two constants are made for
        family="exponential",
        year=2017,
    ),
    formula=r"\lambda x \;(x > 0),\quad \lambda \alpha (e^x - 1) \;(x \le 0)",
    reference="Klambauer, Unterthiner, Mayr & Hochreiter, NIPS 2017, https://arxiv.org/abs/1706.02515",
)

# --- pelu

_pelu = smooth(
    lambda x, a, b: series.where(series.positive(x), a * x / b, a * decay(x / b)),
    right=lambda a, b: (a / b, 0.0),
)


def pelu(x: ArrayLike, a: ArrayLike = 1.0, b: ArrayLike = 1.0) -> Array:
    r"""Parametric exponential linear unit: :math:`(a/b) x` for x > 0, :math:`a (e^{x/b} - 1)` for x <= 0.

    Both parameters are meant to be learnt. The derivative is continuous for all of them; the second
    derivative at 0 is that of the left branch.

    Args:
      x: input of any shape.
      a: minus the limit on the left; positive.
      b: length over which it is approached; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `b` is a plain number that is not positive.

    Example:
      >>> jaxacts.pelu(jnp.array([-1.0, 0.0, 2.0]), a=0.5, b=2.0)
      Array([-0.19673467,  0.        ,  0.5       ], dtype=float32)

    Reference:
      Trottier, Giguère & Chaib-draa (2016), https://arxiv.org/abs/1605.09332
    """
    x, narrow = widen(x)
    length = like(b, x)
    require("b", length, length > 0, "positive")
    return narrow(_pelu(x, like(a, x), length))


def _pelu_derivative(x: Array, a: float | Array = 1.0, b: float | Array = 1.0) -> Array:
    return a / b * jnp.where(x > 0, 1.0, jnp.exp(x / b))


def _pelu_facts(a: float, b: float) -> Facts:
    about: dict[str, Any] = {"family": "exponential", "year": 2016}
    if b == 0 or a == 0:
        return constant(0.0, **about) if b else unstated(**about)
    settles = b > 0
    facts = Facts(
        image=(-1.0 if settles else -inf, inf),
        limits=(-1.0, inf) if settles else (inf, -inf),
        derivative_limits=(0.0 if settles else -inf, 1 / b),
        lipschitz=1 / b if settles else inf,
        lipschitz_derivative=1 / b / b if settles else inf,
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        **about,
    )
    return transformed(facts, a)


declare(
    pelu,
    derivative=_pelu_derivative,
    facts=_pelu_facts,
    formula=r"\tfrac{a}{b} x \;(x > 0),\quad a (e^{x/b} - 1) \;(x \le 0)",
    reference="Trottier, Giguère & Chaib-draa (2016), https://arxiv.org/abs/1605.09332",
    cases=({}, {"a": 0.5, "b": 2.0}),
)

# --- mpelu

_mpelu = smooth(
    lambda x, alpha, beta: series.where(series.positive(x), x, alpha * decay(beta * x)),
    right=(1.0, 0.0),
    rate=(1, 0),
)


def mpelu(x: ArrayLike, alpha: ArrayLike = 1.0, beta: ArrayLike = 1.0) -> Array:
    r"""Multiple parametric exponential linear unit: x for x > 0, :math:`\alpha (e^{\beta x} - 1)` for x <= 0.

    Contains relu (alpha = 0), elu (beta = 1) and, nearly, the leaky rectifier (small beta). The derivative
    at 0 is taken from the left: alpha beta; that is a kink unless the product is 1.

    Args:
      x: input of any shape.
      alpha: minus the limit on the left.
      beta: rate of the exponential; at least 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.mpelu(jnp.array([-1.0, 0.0, 2.0]), alpha=0.5, beta=2.0)
      Array([-0.43233237,  0.        ,  2.        ], dtype=float32)

    Reference:
      Li, Fan, Li, Wu & Ming (2016), https://arxiv.org/abs/1606.00305
    """
    x, narrow = widen(x)
    return narrow(_mpelu(x, like(alpha, x), like(beta, x)))


def _mpelu_derivative(x: Array, alpha: Any = 1.0, beta: Any = 1.0) -> Array:
    return jnp.where(x > 0, 1.0, alpha * beta * jnp.exp(beta * x))


def _mpelu_facts(alpha: float, beta: float) -> Facts:
    return _elu_facts(alpha, beta, 2016)


declare(
    mpelu,
    derivative=_mpelu_derivative,
    facts=_mpelu_facts,
    formula=r"x \;(x > 0),\quad \alpha (e^{\beta x} - 1) \;(x \le 0)",
    reference="Li, Fan, Li, Wu & Ming (2016), https://arxiv.org/abs/1606.00305",
    cases=({}, {"alpha": 0.25, "beta": 1.0}, {"alpha": 0.5, "beta": 2.0}),
)

# --- serlu

_serlu = smooth(
    lambda x, scale, alpha: scale * series.where(series.positive(x), x, alpha * (x * series.exp(x))),
    left=(0.0, 0.0),
    right=lambda scale, alpha: (scale, 0.0),
)


def serlu(x: ArrayLike, scale: ArrayLike = 1.07862, alpha: ArrayLike = 2.90427) -> Array:
    r"""Self-regularized exponential unit: :math:`\lambda x`, x > 0; :math:`\lambda \alpha x e^x`, x <= 0.

    Self-normalizing like selu, but with a dip instead of a plateau on the left: large negative inputs give
    0. The derivative at the kink 0 is taken from the left: scale times alpha.

    Args:
      x: input of any shape.
      scale: slope on the right.
      alpha: ratio of the slopes to the left and right of 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.serlu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.1524205,  0.       ,  2.15724  ], dtype=float32)

    Reference:
      Zhang & Li (2018), https://arxiv.org/abs/1807.10117
    """
    x, narrow = widen(x)
    return narrow(_serlu(x, like(scale, x), like(alpha, x)))


def _serlu_derivative(x: Array, scale: float | Array = 1.07862, alpha: float | Array = 2.90427) -> Array:
    return scale * jnp.where(x > 0, 1.0, alpha * (1 + x) * jnp.exp(x))


_ONE_OVER_E = 0.36787944117144233


def _serlu_facts(scale: float, alpha: float) -> Facts:
    about: dict[str, Any] = {"family": "exponential", "year": 2018}
    if alpha == 0:
        return transformed(rectifier(**about), scale)
    depth = -alpha * _ONE_OVER_E
    seamless = alpha == 1
    facts = Facts(
        image=(min(depth, 0.0), inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=max(1.0, abs(alpha)),
        lipschitz_derivative=2.0 if seamless else inf,
        kinks=() if seamless else ((0.0, alpha),),
        knots=(0.0,) if seamless else (),
        smoothness=1 if seamless else 0,
        minimum=(-1.0, depth) if depth < 0 else (0.0, 0.0),
        **about,
    )
    return transformed(facts, scale)


declare(
    serlu,
    derivative=_serlu_derivative,
    facts=_serlu_facts,
    formula=r"\lambda x \;(x > 0),\quad \lambda \alpha x e^x \;(x \le 0)",
    reference="Zhang & Li (2018), https://arxiv.org/abs/1807.10117",
    cases=({}, {"scale": 1.0, "alpha": 2.0}),
)

# --- reu

_reu = smooth(
    lambda x: series.where(series.positive(x), x, x * series.exp(x)), left=(0.0, 0.0), right=(1.0, 0.0)
)


def reu(x: ArrayLike) -> Array:
    r"""Rectified exponential unit: x for x > 0, :math:`x e^x` for x <= 0.

    The identity on the right; on the left it dips to -1/e at -1 and returns to 0. The derivative is
    continuous, the second derivative at 0 is that of the left branch, 2.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.reu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.36787945,  0.        ,  2.        ], dtype=float32)

    Reference:
      Ying et al., IEEE Access 7 (2019); Kunc & Kléma (2024), https://arxiv.org/abs/2402.09092
    """
    x, narrow = widen(x)
    return narrow(_reu(x))


def _reu_derivative(x: Array) -> Array:
    return jnp.where(x > 0, 1.0, (1 + x) * jnp.exp(x))


declare(
    reu,
    derivative=_reu_derivative,
    facts=Facts(
        image=(-_ONE_OVER_E, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=2.0,
        knots=(0.0,),
        smoothness=1,
        minimum=(-1.0, -_ONE_OVER_E),
        family="exponential",
        year=2019,
        aliases=("rectified_exponential_unit",),
    ),
    formula=r"x \;(x > 0),\quad x e^x \;(x \le 0)",
    reference="Ying et al., IEEE Access 7 (2019); Kunc & Kléma (2024), https://arxiv.org/abs/2402.09092",
)
