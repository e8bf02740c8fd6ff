"""Bounded functions that approach their limits algebraically; the inverse tangent; the error function."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, nan, unstated
from jaxacts._numerics import EXPONENTIAL, like, quick, require, series, smooth, widen
from jaxacts._numerics.tails import (
    above,
    end_of_over_root,
    inverse,
    negative,
    over_root,
    proportion,
    shrink,
    spent,
)
from jaxacts._numerics.tails import arctan as _arctan_series
from jaxacts.activations._facts import line, transformed

__all__ = ["arctan", "elliott", "erf", "isru", "scaled_soft_sign", "soft_root_sign", "soft_sign"]

# --- soft_sign

_soft_sign = smooth(
    lambda x: proportion(x, 1.0),
    left=(0.0, -1.0),
    right=(0.0, 1.0),
    quick=(quick.soft_sign, quick.soft_sign_slope),
)


def soft_sign(x: ArrayLike) -> Array:
    r"""Softsign, :math:`x / (1 + |x|)`.

    Odd and bounded by 1 like tanh, but approaching its limits like 1/x. The second derivative jumps at 0 from
    2 to -2; at 0 itself it is that of the right branch, -2.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.soft_sign(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.5      ,  0.       ,  0.6666667], dtype=float32)

    Reference:
      Bergstra, Desjardins, Lamblin & Bengio, Technical Report 1337, Université de Montréal (2009)
    """
    x, narrow = widen(x)
    return narrow(_soft_sign(x))


def _soft_sign_derivative(x: Array) -> Array:
    return (1 / (1 + jnp.abs(x))) ** 2


declare(
    soft_sign,
    derivative=_soft_sign_derivative,
    facts=Facts(
        image=(-1.0, 1.0),
        limits=(-1.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=2.0,
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="bounded",
        year=2009,
        aliases=("softsign",),
    ),
    formula=r"\frac{x}{1 + |x|}",
    reference="Bergstra, Desjardins, Lamblin & Bengio, Technical Report 1337, Université de Montréal (2009)",
)

# --- scaled_soft_sign

_scaled_soft_sign = smooth(lambda x, alpha, beta: alpha * proportion(x, beta))


def scaled_soft_sign(x: ArrayLike, alpha: ArrayLike = 1.0, beta: ArrayLike = 1.0) -> Array:
    r"""Scaled softsign, :math:`\alpha x / (\beta + |x|)`.

    Softsign with a limit and a length to choose or to learn. The second derivative at 0 is that of the right
    branch.

    Args:
      x: input of any shape.
      alpha: limit on the right.
      beta: where half of the limit is reached, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `beta` is a plain number that is not positive.

    Example:
      >>> jaxacts.scaled_soft_sign(jnp.array([-1.0, 0.0, 2.0]), alpha=2.0)
      Array([-1.       ,  0.       ,  1.3333334], dtype=float32)

    Reference:
      Pishchik (2023), https://doi.org/10.20944/preprints202301.0463.v1
    """
    x, narrow = widen(x)
    b = like(beta, x)
    require("beta", b, b > 0, "positive")
    return narrow(_scaled_soft_sign(x, like(alpha, x), b))


def _scaled_soft_sign_derivative(x: Array, alpha: float | Array = 1.0, beta: float | Array = 1.0) -> Array:
    return alpha * beta * (1 / (beta + jnp.abs(x))) ** 2


def _scaled_soft_sign_facts(alpha: float, beta: float) -> Facts:
    if beta <= 0:  # a jump at 0, or poles at -beta and beta
        return unstated(family="bounded", year=2023)
    facts = Facts(
        image=(-1.0, 1.0),
        limits=(-1.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1 / beta,
        lipschitz_derivative=2 / beta / beta,
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="bounded",
        year=2023,
    )
    return transformed(facts, alpha)


declare(
    scaled_soft_sign,
    derivative=_scaled_soft_sign_derivative,
    facts=_scaled_soft_sign_facts,
    formula=r"\frac{\alpha x}{\beta + |x|}",
    reference="Pishchik (2023), https://doi.org/10.20944/preprints202301.0463.v1",
    cases=({}, {"alpha": 2.0, "beta": 0.5}),
)

# --- elliott


def _elliott_program(x):
    tail = 0.5 * inverse(1.0 + series.absolute(x))
    return series.where(negative(x), tail, 1.0 - tail)


_elliott = smooth(_elliott_program, left=(0.0, 0.0), right=(0.0, 1.0))


def elliott(x: ArrayLike) -> Array:
    r"""Elliott's sigmoid, :math:`\frac{x}{2 (1 + |x|)} + \frac12`.

    Softsign moved to the range (0, 1): a sigmoid without an exponential, which approaches its limits like
    1/x. The second derivative at 0 is that of the right branch, -1.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.elliott(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.25     , 0.5      , 0.8333333], dtype=float32)

    Reference:
      Elliott, Technical Report 93-8, Institute for Systems Research, University of Maryland (1993)
    """
    x, narrow = widen(x)
    x, factor = shrink(x, x < 0)  # on the left f is 1 / (2 |x|) as far as floats go
    return narrow(factor * _elliott(x))


def _elliott_derivative(x: Array) -> Array:
    return (1 / (1 + jnp.abs(x))) ** 2 / 2


declare(
    elliott,
    derivative=_elliott_derivative,
    facts=Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.5,
        lipschitz_derivative=1.0,
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        zeros=(),
        family="bounded",
        year=1993,
    ),
    formula=r"\frac{x}{2 (1 + |x|)} + \frac12",
    reference="Elliott, Technical Report 93-8, Institute for Systems Research, University of Maryland (1993)",
)

# --- soft_root_sign


def _soft_root_sign_program(x, alpha, beta):
    gone = spent(x, beta)
    left, right = (series.where(gone, 0.0, series.exp(u)) for u in (x / beta, -x / beta))
    # times e^(x / beta); what alpha adds is of second order, with the square taken in the exponent
    below = x * left
    bend = x * (x * series.where(gone, 0.0, series.exp(2.0 * x / beta))) / alpha
    below = below - bend / (1.0 + below / alpha)
    quotient = x / alpha + right
    middle = x / quotient
    far = alpha - alpha * right / quotient  # where the exponential is the lesser part
    return series.where(negative(x), below, series.where(above(x, beta), far, middle))


_soft_root_sign = smooth(_soft_root_sign_program, left=(0.0, 0.0))


def soft_root_sign(x: ArrayLike, alpha: ArrayLike = 5.0, beta: ArrayLike = 3.0) -> Array:
    r"""Soft-root-sign, :math:`x / (x / \alpha + e^{-x / \beta})`.

    Bounded, with a dip below zero at -beta: 0 on the left, alpha on the right.

    Args:
      x: input of any shape.
      alpha: limit on the right; larger than beta/e, or there is a pole.
      beta: length of the exponential and minus the position of the minimum; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `beta` is a plain number that is not positive, or `alpha` one that is too small.

    Example:
      >>> jaxacts.soft_root_sign(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.83639145,  0.        ,  2.1895802 ], dtype=float32)

    Reference:
      Zhou, Li, Wang & Zhang (2020), https://arxiv.org/abs/2003.00547
    """
    x, narrow = widen(x)
    b = like(beta, x)
    require("beta", b, b > 0, "positive")
    a = like(alpha, x)
    require("alpha", a, a > b / math.e, f"above beta / e ({beta} / e)")
    return narrow(_soft_root_sign(x, a, b))


def _soft_root_sign_derivative(x: Array, alpha: Any = 5.0, beta: Any = 3.0) -> Array:
    e = jnp.exp(-jnp.abs(x) / beta)
    right = e * (1 + x / beta) / (jnp.where(x < 0, 0.0, x) / alpha + e) ** 2
    left = e * (1 + x / beta) / (1 + jnp.where(x < 0, x, 0.0) * e / alpha) ** 2
    return jnp.where(x < 0, left, right)


# depth, largest |f'| and largest |f''| for the settings in use; only the depth has a closed form
_SOFT_ROOT_SIGN = {
    (5.0, 3.0): (1.137316147460058, 0.3987681261543059),
    (2.0, 1.0): (1.242501633821195, 1.211671596773049),
}


def _soft_root_sign_facts(alpha: float, beta: float) -> Facts:
    if not (alpha > 0 and 0 < beta < math.e * alpha):  # the denominator vanishes somewhere
        return unstated(family="bounded", year=2020, aliases=("srs",))
    depth = -beta / (math.e - beta / alpha)
    lipschitz, bend = _SOFT_ROOT_SIGN.get((alpha, beta), (nan, nan))
    return Facts(
        image=(depth, alpha),
        limits=(0.0, alpha),
        derivative_limits=(0.0, 0.0),
        lipschitz=lipschitz,
        lipschitz_derivative=bend,
        minimum=(-beta, depth),
        family="bounded",
        year=2020,
        aliases=("srs",),
    )


declare(
    soft_root_sign,
    derivative=_soft_root_sign_derivative,
    facts=_soft_root_sign_facts,
    formula=r"\frac{x}{x / \alpha + e^{-x / \beta}}",
    reference="Zhou, Li, Wang & Zhang (2020), https://arxiv.org/abs/2003.00547",
    cases=({}, {"alpha": 2.0, "beta": 1.0}),
)

# --- isru

_isru = smooth(over_root, left=lambda alpha: end_of_over_root(alpha, -1.0), right=end_of_over_root)


def isru(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    r"""Inverse square root unit, :math:`x / \sqrt{1 + \alpha x^2}`.

    Odd, smooth and bounded by :math:`1/\sqrt\alpha`, without an exponential.

    Args:
      x: input of any shape.
      alpha: sets the limits, at least 0, which gives the identity.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `alpha` is a plain number below 0.

    Example:
      >>> jaxacts.isru(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.70710677,  0.        ,  0.8944272 ], dtype=float32)

    Reference:
      Carlile, Delamarter, Kinney, Marti & Whitney (2017), https://arxiv.org/abs/1710.09967
    """
    x, narrow = widen(x)
    a = like(alpha, x)
    require("alpha", a, a >= 0, "at least 0")
    return narrow(_isru(x, a))


def _isru_derivative(x: Array, alpha: float | Array = 1.0) -> Array:
    return (1 + alpha * x**2) ** -1.5


def _isru_facts(alpha: float) -> Facts:
    if alpha <= 0:  # below 0 the function ends where the root does
        about: dict[str, Any] = {"family": "bounded", "year": 2017}
        return unstated(**about) if alpha else line(1.0, **about)
    return Facts(
        image=(-(alpha**-0.5), alpha**-0.5),
        limits=(-(alpha**-0.5), alpha**-0.5),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=48 / 5**2.5 * alpha**0.5,  # |f''| is largest where alpha x^2 = 1/4
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="bounded",
        year=2017,
    )


declare(
    isru,
    derivative=_isru_derivative,
    facts=_isru_facts,
    formula=r"\frac{x}{\sqrt{1 + \alpha x^2}}",
    reference="Carlile, Delamarter, Kinney, Marti & Whitney (2017), https://arxiv.org/abs/1710.09967",
    cases=({}, {"alpha": 3.0}),
)

# --- arctan

_arctan = smooth(_arctan_series)


def arctan(x: ArrayLike) -> Array:
    r"""Inverse tangent, :math:`\arctan x`.

    Odd, from :math:`-\pi/2` to :math:`\pi/2`, approaching its limits like 1/x.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.arctan(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.7853982,  0.       ,  1.1071488], dtype=float32)

    Reference:
      Abramowitz & Stegun, Handbook of Mathematical Functions (1964), section 4.4
    """
    x, narrow = widen(x)
    return narrow(_arctan(x))


def _arctan_derivative(x: Array) -> Array:
    return 1 / (1 + x**2)


_RIGHT_ANGLE = 1.5707963267948966


declare(
    arctan,
    derivative=_arctan_derivative,
    facts=Facts(
        image=(-_RIGHT_ANGLE, _RIGHT_ANGLE),
        limits=(-_RIGHT_ANGLE, _RIGHT_ANGLE),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=0.649519052838329,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="bounded",
        aliases=("atan",),
    ),
    formula=r"\arctan x",
    reference="Abramowitz & Stegun, Handbook of Mathematical Functions (1964), section 4.4",
)

# --- erf

_erf = smooth(series.erf, left=(0.0, -1.0), right=(0.0, 1.0), bound=EXPONENTIAL)


def erf(x: ArrayLike) -> Array:
    r"""Error function, :math:`\frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt`.

    Odd, from -1 to 1, steeper than tanh: its expected value under Gaussian inputs has a closed form, which
    makes it the favourite of mean-field theory.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.erf(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.8427008,  0.       ,  0.9953223], dtype=float32)

    Reference:
      Abramowitz & Stegun, Handbook of Mathematical Functions (1964), section 7.1
    """
    x, narrow = widen(x)
    return narrow(_erf(x))


def _erf_derivative(x: Array) -> Array:
    return 2 / jnp.sqrt(jnp.pi) * jnp.exp(-(x**2))


declare(
    erf,
    derivative=_erf_derivative,
    facts=Facts(
        image=(-1.0, 1.0),
        limits=(-1.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.1283791670955126,
        lipschitz_derivative=0.9678828980765735,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="bounded",
    ),
    formula=r"\operatorname{erf} x",
    reference="Abramowitz & Stegun, Handbook of Mathematical Functions (1964), section 7.1",
)
