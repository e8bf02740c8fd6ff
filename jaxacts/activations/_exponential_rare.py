"""Rarer exponential and algebraic units: gated, quadratic, bounded on both sides, or plainly exponential."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, unstated
from jaxacts._numerics import like, require, series, smooth, widen
from jaxacts._numerics.tails import beyond, decay, end_of_over_root, exp_rest, negative, over_root, proportion
from jaxacts.activations._facts import constant, line

__all__ = ["elish", "exponential", "hexpo", "isrlu", "polylu", "xielu"]

# --- elish


def _elish_program(x):
    # the select comes last: a factor of exactly 0 beside e^x would lose the scale that holds the tails
    gate = series.sigmoid(x)
    return series.where(negative(x), series.expm1(x) * gate, x * gate)


_elish = smooth(_elish_program, left=(0.0, 0.0), right=(1.0, 0.0))


def elish(x: ArrayLike) -> Array:
    r"""Sigmoid-gated elu: :math:`x\,\sigma(x)` for x >= 0, :math:`(e^x - 1)\,\sigma(x)` for x < 0.

    Half a silu and half an elu gated by the sigmoid. The derivative is continuous; the second derivative at 0
    is that of the right branch, 1/2.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.elish(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.1700034,  0.       ,  1.7615942], dtype=float32)

    Reference:
      Basirat & Roth (2018), https://arxiv.org/abs/1808.00783
    """
    x, narrow = widen(x)
    return narrow(_elish(x))


def _elish_derivative(x: Array) -> Array:
    s, slope = nn.sigmoid(x), nn.sigmoid(x) * nn.sigmoid(-x)
    e = jnp.minimum(x, 0)  # keeps the unused branch finite
    return jnp.where(x >= 0, s + x * slope, jnp.exp(e) * s + jnp.expm1(e) * slope)


declare(
    elish,
    derivative=_elish_derivative,
    facts=Facts(
        image=(-0.1715728752538099, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.099839320128867,
        lipschitz_derivative=1.0,
        knots=(0.0,),
        smoothness=1,
        minimum=(-0.881373587019543, -0.1715728752538099),
        family="exponential",
        year=2018,
    ),
    formula=r"x\,\sigma(x) \;(x \ge 0),\quad (e^x - 1)\,\sigma(x) \;(x < 0)",
    reference="Basirat & Roth (2018), https://arxiv.org/abs/1808.00783",
)

# --- xielu


_xielu_left = smooth(
    lambda x, alpha_n, beta: alpha_n * exp_rest(x) + beta * x,
    left=lambda alpha_n, beta: (beta - alpha_n, -1.0 * alpha_n),
)


def xielu(x: ArrayLike, alpha_p: ArrayLike = 0.8, alpha_n: ArrayLike = 0.8, beta: ArrayLike = 0.5) -> Array:
    r"""Elu integral: :math:`\alpha_p x^2 + \beta x`, x > 0; :math:`\alpha_n (e^x - 1 - x) + \beta x`, x <= 0.

    Its derivative is an elu with trainable slopes: linear on the right, exponential on the left. The
    derivative is continuous; the second derivative at 0 is that of the left branch, alpha_n.

    Args:
      x: input of any shape.
      alpha_p: curvature on the right, positive.
      alpha_n: curvature on the left, larger than beta for a slope below 0 there.
      beta: slope at the origin.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.xielu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.20569645,  0.        ,  4.2       ], dtype=float32)

    Reference:
      Huang & Schlag (2024), https://arxiv.org/abs/2411.13010
    """
    x, narrow = widen(x)
    alpha_p, alpha_n, beta = (like(p, x) for p in (alpha_p, alpha_n, beta))
    # the right half is a polynomial, which may overflow where it is right to do so
    line = (x == inf) & (alpha_p == 0)  # where it is none, and its square would be 0 times infinity
    right = jnp.where((x > 0) & ~line, x, 0.0)
    left = jnp.where(x > 0, 0.0, x)
    right = jnp.where(line, beta * jnp.where(line, x, 0.0), right * (alpha_p * right + beta))
    return narrow(jnp.where(x > 0, right, _xielu_left(left, alpha_n, beta)))


def _xielu_derivative(
    x: Array, alpha_p: float | Array = 0.8, alpha_n: float | Array = 0.8, beta: float | Array = 0.5
) -> Array:
    return beta + jnp.where(x > 0, 2 * alpha_p * x, alpha_n * jnp.expm1(x))


def _xielu_facts(alpha_p: float, alpha_n: float, beta: float) -> Facts:
    about: dict[str, Any] = {"family": "exponential", "year": 2024}
    if alpha_p == alpha_n == 0:
        return line(beta, **about)
    # f' is beta at 0 and monotone on either side, so a branch turns once where its end slopes differ in sign
    far, end = beta - alpha_n, alpha_p * inf if alpha_p else beta
    turns = [(0.0, 0.0)]
    zeros = {0.0}
    if far * beta < 0:
        x = math.log1p(-beta / alpha_n)
        turns.append((x, alpha_n * (math.expm1(x) - x) + beta * x))
        zeros.add(_xielu_zero(alpha_n, beta, x))
    if alpha_p * beta < 0:
        turns.append((-beta / alpha_p / 2, -beta / alpha_p / 4 * beta))
        zeros.add(-beta / alpha_p)
    limits = (-far * inf if far else -alpha_n, end * inf if end else 0.0)
    low = min(turns, key=lambda turn: turn[1])
    flat = beta == 0 and (alpha_p == 0 or alpha_n == 0)
    slopes = (far, beta, end)
    monotone = min(slopes) >= 0 or max(slopes) <= 0
    return Facts(
        image=(min(*limits, low[1]), max(*limits, *(value for _, value in turns))),
        limits=limits,
        derivative_limits=(far, end),
        lipschitz=inf if alpha_p else max(abs(far), abs(beta)),
        lipschitz_derivative=max(abs(2 * alpha_p), abs(alpha_n)),
        knots=(0.0,),
        smoothness=2 if 2 * alpha_p == alpha_n else 1,
        monotone=monotone,
        minimum=None if flat or monotone or low[1] >= min(limits) else low,
        zeros=None if flat else tuple(sorted(zeros)),
        **about,
    )


def _xielu_zero(alpha_n: float, beta: float, bottom: float) -> float:
    """The zero on the left of the minimum, by Newton's method from its left, where f is convex."""
    z = 2 * bottom - alpha_n / (alpha_n - beta)
    for _ in range(60):
        slope = beta + alpha_n * math.expm1(z)
        z -= (alpha_n * (math.expm1(z) - z) + beta * z) / slope
    return z


declare(
    xielu,
    derivative=_xielu_derivative,
    facts=_xielu_facts,
    formula=r"\alpha_p x^2 + \beta x \;(x > 0),\quad \alpha_n (e^x - 1 - x) + \beta x \;(x \le 0)",
    reference="Huang & Schlag (2024), https://arxiv.org/abs/2411.13010",
    cases=({}, {"alpha_p": 1.0, "alpha_n": 0.5, "beta": 0.25}),
)

# --- hexpo

_hexpo = smooth(lambda x, a, b, c, d: series.where(negative(x), c * decay(x / d), -a * decay(-x / b)))


def hexpo(
    x: ArrayLike, a: ArrayLike = 1.0, b: ArrayLike = 1.0, c: ArrayLike = 1.0, d: ArrayLike = 1.0
) -> Array:
    r"""Hyperbolic-exponential unit: :math:`a (1 - e^{-x/b})` for x >= 0, :math:`c (e^{x/d} - 1)` for x < 0.

    Bounded on both sides, with its own height and length on each. The derivative at 0 is that of the right
    branch, a/b; it is a kink unless a/b = c/d.

    Args:
      x: input of any shape.
      a: limit on the right.
      b: length over which it is approached; positive.
      c: minus the limit on the left.
      d: length over which it is approached; positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `b` or `d` is a plain number that is not positive.

    Example:
      >>> jaxacts.hexpo(jnp.array([-1.0, 0.0, 2.0]), a=2.0)
      Array([-0.63212055, -0.        ,  1.7293295 ], dtype=float32)

    Reference:
      Kong & Takatsuka, IJCNN 2017, https://doi.org/10.1109/IJCNN.2017.7966168
    """
    x, narrow = widen(x)
    right, left = like(b, x), like(d, x)
    require("b", right, right > 0, "positive")
    require("d", left, left > 0, "positive")
    return narrow(_hexpo(x, like(a, x), right, like(c, x), left))


def _hexpo_derivative(x: Array, a: Any = 1.0, b: Any = 1.0, c: Any = 1.0, d: Any = 1.0) -> Array:
    return jnp.where(x >= 0, a / b * jnp.exp(-jnp.abs(x) / b), c / d * jnp.exp(-jnp.abs(x) / d))


def _hexpo_facts(a: float, b: float, c: float, d: float) -> Facts:
    about: dict[str, Any] = {"family": "exponential", "year": 2017}
    if b == 0 or d == 0:
        return unstated(**about)
    if a == c == 0:
        return constant(0.0, **about)
    right, left = a / b, c / d  # the slopes at 0
    limits = (-c if d > 0 else c * inf if c else 0.0, a if b > 0 else -a * inf if a else 0.0)
    ends = (left * inf if d < 0 and c else 0.0, right * inf if b < 0 and a else 0.0)
    seamless = right == left
    smooth = a == -c and b == -d  # a single exponential
    settles = not any(map(math.isinf, ends))
    bends = settles and seamless
    odd = a == c and b == d
    return Facts(
        image=(min(*limits, 0.0), max(*limits, 0.0)),
        limits=limits,
        derivative_limits=ends,
        lipschitz=max(abs(right), abs(left)) if settles else inf,
        lipschitz_derivative=max(abs(right / b), abs(left / d)) if bends else inf,
        kinks=() if seamless else ((0.0, right),),
        knots=(0.0,) if seamless and not smooth else (),
        smoothness=inf if smooth else 1 if seamless else 0,
        monotone=right * left >= 0,
        parity="odd" if odd else "even" if a == -c and b == d else None,
        zero_centred=odd,
        minimum=(0.0, 0.0) if left < 0 < right else None,
        zeros=(0.0,) if a and c else None,
        **about,
    )


declare(
    hexpo,
    derivative=_hexpo_derivative,
    facts=_hexpo_facts,
    formula=r"a (1 - e^{-x/b}) \;(x \ge 0),\quad c (e^{x/d} - 1) \;(x < 0)",
    reference="Kong & Takatsuka, IJCNN 2017, https://doi.org/10.1109/IJCNN.2017.7966168",
    cases=({}, {"a": 2.0, "b": 1.0, "c": 0.5, "d": 2.0}),
)

# --- isrlu

_isrlu = smooth(
    lambda x, alpha: series.where(negative(x), over_root(x, alpha), x),
    left=lambda alpha: end_of_over_root(alpha, -1.0),
    right=(1.0, 0.0),
)


def isrlu(x: ArrayLike, alpha: ArrayLike = 1.0) -> Array:
    r"""Inverse square root linear unit: x for x >= 0, :math:`x / \sqrt{1 + \alpha x^2}` for x < 0.

    Shaped like elu but free of exponentials; it tends to :math:`-1/\sqrt\alpha` on the left. Two derivatives
    are continuous.

    Args:
      x: input of any shape.
      alpha: sets the limit on the left; at least 0, which gives the identity.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `alpha` is a plain number below 0.

    Example:
      >>> jaxacts.isrlu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.70710677,  0.        ,  2.        ], dtype=float32)

    Reference:
      Carlile, Delamarter, Kinney, Marti & Whitney (2017), https://arxiv.org/abs/1710.09967
    """
    x, narrow = widen(x)
    a = like(alpha, x)
    require("alpha", a, a >= 0, "at least 0")
    return narrow(_isrlu(x, a))


def _isrlu_derivative(x: Array, alpha: Any = 1.0) -> Array:
    return jnp.where(x >= 0, 1.0, (1 + alpha * x**2) ** -1.5)


def _isrlu_facts(alpha: float) -> Facts:
    if alpha <= 0:  # below 0 the function ends where the root does
        about: dict[str, Any] = {"family": "exponential", "year": 2017}
        return unstated(**about) if alpha else line(1.0, **about)
    return Facts(
        image=(-(alpha**-0.5), inf),
        limits=(-(alpha**-0.5), inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=48 / 5**2.5 * alpha**0.5,  # |f''| is largest where alpha x^2 = 1/4
        knots=(0.0,),
        smoothness=2,
        monotone=True,
        family="exponential",
        year=2017,
    )


declare(
    isrlu,
    derivative=_isrlu_derivative,
    facts=_isrlu_facts,
    formula=r"x \;(x \ge 0),\quad x / \sqrt{1 + \alpha x^2} \;(x < 0)",
    reference="Carlile, Delamarter, Kinney, Marti & Whitney (2017), https://arxiv.org/abs/1710.09967",
    cases=({}, {"alpha": 3.0}),
)

# --- polylu

_polylu = smooth(
    lambda x: series.where(negative(x), proportion(x, 1.0), x), left=(0.0, -1.0), right=(1.0, 0.0)
)


def polylu(x: ArrayLike) -> Array:
    r"""Polynomial linear unit: x for x >= 0, :math:`x / (1 - x)` for x < 0.

    The identity on the right and a softsign on the left, where it tends to -1. The derivative is continuous;
    the second derivative at 0 is that of the right branch, 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.polylu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.5,  0. ,  2. ], dtype=float32)

    Reference:
      Feng & Yang (2023), as given in Kunc & Kléma (2024), https://arxiv.org/abs/2402.09092
    """
    x, narrow = widen(x)
    return narrow(_polylu(x))


def _polylu_derivative(x: Array) -> Array:
    return jnp.where(x >= 0, 1.0, (1 / (1 + jnp.abs(x))) ** 2)


declare(
    polylu,
    derivative=_polylu_derivative,
    facts=Facts(
        image=(-1.0, inf),
        limits=(-1.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=2.0,
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        family="exponential",
        year=2023,
        aliases=("dlu",),
    ),
    formula=r"x \;(x \ge 0),\quad x / (1 - x) \;(x < 0)",
    reference="Feng & Yang (2023), as given in Kunc & Kléma (2024), https://arxiv.org/abs/2402.09092",
)

# --- exponential

# the largest x at which e^x is finite
_HIGHEST = {np.dtype(np.float32): 88.72283, np.dtype(np.float64): 709.782712893384}
_E8 = Fraction("2980.9579870417282747435920994528886737559679391328")


def _exponential_program(x):
    # series.exp stops a little below the overflow; the last stretch is e^8 e^(x - 8)
    last = beyond(x, 80.0)
    return series.where(last, _E8 * series.exp(x - 8.0), series.exp(x))


_exponential = smooth(_exponential_program, left=(0.0, 0.0), right=(inf, 0.0), bound=_HIGHEST)


def exponential(x: ArrayLike) -> Array:
    r"""Exponential function, :math:`e^x`.

    Positive and convex; 0 on the left, infinite where it overflows on the right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.exponential(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.36787945, 1.        , 7.389056  ], dtype=float32)

    Reference:
      Keras, activation `exponential`, https://keras.io/api/layers/activations/
    """
    x, narrow = widen(x)
    return narrow(_exponential(x))


def _exponential_derivative(x: Array) -> Array:
    return jnp.exp(x)


declare(
    exponential,
    derivative=_exponential_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, inf),
        lipschitz=inf,
        lipschitz_derivative=inf,
        monotone=True,
        zeros=(),
        family="exponential",
        aliases=("exp",),
    ),
    formula=r"e^x",
    reference="Keras, activation `exponential`, https://keras.io/api/layers/activations/",
)
