"""Smooth steps and rounded rectifiers, pieced together from polynomials; and two ramps beside them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import like, require, series, smooth, widen, within
from jaxacts._numerics.series import Series

__all__ = ["hard_elish", "smelu", "smooth_step", "sparse_plus", "sparse_sigmoid", "sqnl"]

# --- sparse_plus


def sparse_plus(x: ArrayLike) -> Array:
    r"""Sparse softplus: 0 up to -1, :math:`(x + 1)^2 / 4`, and :math:`x` from 1 on.

    A rectifier with a rounded corner, the integral of `sparse_sigmoid`; it is `smelu` with beta = 1. The
    second derivative at -1 and 1 is taken from outside: 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sparse_plus(jnp.array([-2.0, 0.0, 2.0]))
      Array([0.  , 0.25, 2.  ], dtype=float32)

    Reference:
      Martins & Astudillo, From softmax to sparsemax (2016), https://arxiv.org/abs/1602.02068;
      Blondel, Martins & Niculae, Learning classifiers with Fenchel-Young losses (2019),
      https://arxiv.org/abs/1901.02324
    """
    return smelu(x, 1.0)


def _sparse_plus_derivative(x: Array) -> Array:
    return jnp.clip((x + 1) / 2, 0, 1)


def _rounded_facts(beta: float, **about: Any) -> Facts:
    return Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=1 / (2 * beta),
        knots=(-beta, beta),
        smoothness=1,
        monotone=True,
        zeros=None,
        family="piecewise",
        **about,
    )


declare(
    sparse_plus,
    derivative=_sparse_plus_derivative,
    facts=_rounded_facts(1.0, year=2019),
    formula=r"0\ (x \le -1);\quad (x + 1)^2 / 4;\quad x\ (x \ge 1)",
    reference="Martins & Astudillo, From softmax to sparsemax (2016), https://arxiv.org/abs/1602.02068; "
    "Blondel, Martins & Niculae, Learning classifiers with Fenchel-Young losses (2019), "
    "https://arxiv.org/abs/1901.02324",
)

# --- sparse_sigmoid


def sparse_sigmoid(x: ArrayLike) -> Array:
    r"""Sparse sigmoid, :math:`\min(\max((x + 1) / 2, 0), 1)`.

    A ramp from 0 at -1 to 1 at 1, the derivative of `sparse_plus`. The derivative at both kinks is 0 (in
    `jax.nn.sparse_sigmoid` it is 1/4).

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sparse_sigmoid(jnp.array([-2.0, 0.0, 0.5]))
      Array([0.  , 0.5 , 0.75], dtype=float32)

    Reference:
      Blondel, Martins & Niculae, Learning classifiers with Fenchel-Young losses (2019),
      https://arxiv.org/abs/1901.02324; Courbariaux, Bengio & David, BinaryConnect (2015),
      https://arxiv.org/abs/1511.00363
    """
    x, narrow = widen(x)
    return narrow(jnp.where(x <= -1, 0.0, jnp.where(x >= 1, 1.0, (x + 1) / 2)))


def _sparse_sigmoid_derivative(x: Array) -> Array:
    return jnp.where((x > -1) & (x < 1), 0.5, 0.0)


declare(
    sparse_sigmoid,
    derivative=_sparse_sigmoid_derivative,
    facts=Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.5,
        lipschitz_derivative=inf,
        kinks=((-1.0, 0.0), (1.0, 0.0)),
        smoothness=0,
        monotone=True,
        zeros=None,
        family="piecewise",
        year=2019,
    ),
    formula=r"\min(\max((x + 1) / 2, 0), 1)",
    reference="Blondel, Martins & Niculae, Learning classifiers with Fenchel-Young losses (2019), "
    "https://arxiv.org/abs/1901.02324; Courbariaux, Bengio & David, BinaryConnect (2015), "
    "https://arxiv.org/abs/1511.00363",
)

# --- smelu


@jax.custom_jvp
def _corner(x: Array, b: Array) -> Array:
    return jnp.square(x + b) / (4 * b)


@_corner.defjvp
def _corner_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, b), (dx, db) = primals, tangents
    # the derivative with respect to b in factors: it vanishes at both ends
    return _corner(x, b), dx * ((x + b) / (2 * b)) + db * ((b - x) / (2 * b) * ((b + x) / (2 * b)))


def smelu(x: ArrayLike, beta: ArrayLike = 1.0) -> Array:
    r"""Smooth rectifier, 0 to :math:`-\beta`, :math:`(x + \beta)^2 / (4 \beta)`, then :math:`x`.

    A rectifier whose corner is a parabola, made for reproducible training. The second derivative at -beta and
    beta is taken from outside: 0.

    Args:
      x: input of any shape.
      beta: half width of the parabola, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `beta` is a plain number that is not positive.

    Example:
      >>> jaxacts.smelu(jnp.array([-2.0, 0.0, 2.0]))
      Array([0.  , 0.25, 2.  ], dtype=float32)

    Reference:
      Shamir & Lin, Real world large scale recommendation systems reproducibility and smooth activations
      (2022), https://arxiv.org/abs/2202.06499
    """
    x, narrow = widen(x)
    b = like(beta, x)
    require("beta", b, b > 0, "positive")
    corner = _corner(within(x, -b, b), jnp.asarray(b, x.dtype))
    return narrow(jnp.where(x <= -b, 0.0, jnp.where(x >= b, x, corner)))


def _smelu_derivative(x: Array, beta: ArrayLike = 1.0) -> Array:
    return jnp.clip((x + beta) / (2 * beta), 0, 1)


declare(
    smelu,
    derivative=_smelu_derivative,
    facts=lambda beta: _rounded_facts(beta, year=2022),
    formula=r"0\ (x \le -\beta);\quad (x + \beta)^2 / (4 \beta);\quad x\ (x \ge \beta)",
    reference="Shamir & Lin, Real world large scale recommendation systems reproducibility and smooth "
    "activations (2022), https://arxiv.org/abs/2202.06499",
    cases=({}, {"beta": 0.5}, {"beta": 2.0}),
)

# --- sqnl


def sqnl(x: ArrayLike) -> Array:
    r"""Square nonlinearity: :math:`x - x |x| / 4` between -2 and 2, -1 and 1 outside.

    A hyperbolic tangent made of two parabolas. The second derivative at -2 and 2 is taken from outside, 0,
    and at 0 from the right, -1/2.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sqnl(jnp.array([-3.0, 0.0, 1.0]))
      Array([-1.  ,  0.  ,  0.75], dtype=float32)

    Reference:
      Wuraola & Patel, SQNL: a new computationally efficient activation function, IJCNN 2018,
      https://doi.org/10.1109/IJCNN.2018.8489043
    """
    x, narrow = widen(x)
    u = within(x, -2.0, 2.0)
    bend = jnp.square(u) / 4
    inside = jnp.where(u < 0, u + bend, u - bend)
    return narrow(jnp.where(x <= -2, -1.0, jnp.where(x >= 2, 1.0, inside)))


def _sqnl_derivative(x: Array) -> Array:
    return jnp.where(jnp.abs(x) < 2, 1 - jnp.abs(x) / 2, 0.0)


declare(
    sqnl,
    derivative=_sqnl_derivative,
    facts=Facts(
        image=(-1.0, 1.0),
        limits=(-1.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=0.5,
        knots=(-2.0, 0.0, 2.0),
        smoothness=1,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="piecewise",
        year=2018,
    ),
    formula=r"-1\ (x \le -2);\quad x - x |x| / 4;\quad 1\ (x \ge 2)",
    reference="Wuraola & Patel, SQNL: a new computationally efficient activation function, IJCNN 2018, "
    "https://doi.org/10.1109/IJCNN.2018.8489043",
)

# --- smooth_step


def smooth_step(x: ArrayLike, gamma: ArrayLike = 1.0) -> Array:
    r"""Smooth step, :math:`-2 x^3 / \gamma^3 + 3 x / (2 \gamma) + 1/2` between 0 and 1.

    Exactly 0 below -gamma/2 and exactly 1 above gamma/2, a cubic between: a gate that can close for good. The
    second derivative at both ends is taken from outside: 0.

    Args:
      x: input of any shape.
      gamma: width of the step, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `gamma` is a plain number that is not positive.

    Example:
      >>> jaxacts.smooth_step(jnp.array([-1.0, 0.0, 0.25]))
      Array([0.     , 0.5    , 0.84375], dtype=float32)

    Reference:
      Hazimeh et al., The tree ensemble layer: differentiability meets conditional computation (2020),
      https://arxiv.org/abs/2002.07772
    """
    x, narrow = widen(x)
    g = like(gamma, x)
    require("gamma", g, g > 0, "positive")
    half = g / 2
    u = within(x, -half, half)
    # from the nearer end or the centre, so that the derivatives keep their digits where they vanish
    s = jnp.where(u > 0, half - u, half + u) / g
    rise = jnp.square(s) * (3 - 2 * s)
    t = within(u, -half / 2, half / 2) / g
    centre = 0.5 + t * (1.5 - 2 * jnp.square(t))
    inside = jnp.where(jnp.abs(u) < half / 2, centre, jnp.where(u > 0, 1 - rise, rise))
    return narrow(jnp.where(x <= -half, 0.0, jnp.where(x >= half, 1.0, inside)))


def _smooth_step_derivative(x: Array, gamma: ArrayLike = 1.0) -> Array:
    return jnp.where(jnp.abs(x) < gamma / 2, 3 / (2 * gamma) * (1 - (2 * x / gamma) ** 2), 0.0)


def _smooth_step_facts(gamma: float) -> Facts:
    return Facts(
        image=(0.0, 1.0),
        limits=(0.0, 1.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.5 / gamma,
        lipschitz_derivative=6 / gamma**2,
        knots=(-gamma / 2, gamma / 2),
        smoothness=1,
        monotone=True,
        zeros=None,
        family="piecewise",
        year=2020,
    )


declare(
    smooth_step,
    derivative=_smooth_step_derivative,
    facts=_smooth_step_facts,
    formula=r"0\ (x \le -\gamma/2);\quad -2 x^3/\gamma^3 + 3 x/(2 \gamma) + 1/2;\quad 1\ (x \ge \gamma/2)",
    reference="Hazimeh et al., The tree ensemble layer: differentiability meets conditional computation "
    "(2020), https://arxiv.org/abs/2002.07772",
    cases=({}, {"gamma": 2.0}),
)

# --- hard_elish


def _hard_elish_program(x: Series) -> Series:
    inside = series.where(series.positive(-x), series.expm1(x), x) * (0.5 + 0.5 * x)
    right = series.where(series.positive(1.0 - x), inside, x)
    return series.where(series.positive(x + 1.0), right, 0.0)


_hard_elish = smooth(_hard_elish_program, left=(0.0, 0.0), right=(1.0, 0.0), bound=1.0)


def hard_elish(x: ArrayLike) -> Array:
    r"""Hard exponential linear squashing: :math:`x h(x)` for :math:`x \ge 0`, else :math:`(e^x - 1) h(x)`.

    The gate is :math:`h(x) = \min(\max((x + 1) / 2, 0), 1)`; found by a genetic search. The derivative at the
    kinks -1 and 1 is taken from outside, 0 and 1; the second derivative at 0 is taken from the right: 1.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.hard_elish(jnp.array([-0.5, 0.0, 2.0]))
      Array([-0.09836733,  0.        ,  2.        ], dtype=float32)

    Reference:
      Basirat & Roth, The quest for the golden activation function (2018), https://arxiv.org/abs/1808.00783
    """
    x, narrow = widen(x)
    return narrow(_hard_elish(x))


def _hard_elish_derivative(x: Array) -> Array:
    inside = jnp.where(x < 0, (jnp.exp(x) * (x + 2) - 1) / 2, x + 0.5)
    return jnp.where(x <= -1, 0.0, jnp.where(x >= 1, 1.0, inside))


declare(
    hard_elish,
    derivative=_hard_elish_derivative,
    facts=Facts(
        image=(-0.0996731515287427, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.5,
        lipschitz_derivative=inf,
        kinks=((-1.0, 0.0), (1.0, 1.0)),
        knots=(0.0,),
        smoothness=0,
        minimum=(-0.442854401002389, -0.0996731515287427),
        zeros=None,
        family="piecewise",
        year=2018,
    ),
    formula=r"x\,h(x)\ (x \ge 0);\quad (e^x - 1)\,h(x)\ (x < 0);\quad h(x) = \min(\max((x + 1)/2, 0), 1)",
    reference="Basirat & Roth, The quest for the golden activation function (2018), "
    "https://arxiv.org/abs/1808.00783",
)
