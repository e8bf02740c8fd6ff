"""The identity, powers, and functions that grow like a logarithm or an exponential on both sides."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import power, series, smooth, widen
from jaxacts._numerics.constants import LN2, LN6
from jaxacts.activations._facts import line

__all__ = ["asinh", "cube", "hyper_sinh", "identity", "ncu", "quadratic", "square", "symlog"]

# --- identity


def identity(x: ArrayLike) -> Array:
    r"""The identity, :math:`x`: no activation at all.

    The baseline of every comparison: a network of identities is linear.

    Args:
      x: input of any shape.

    Returns:
      `x` as an array, with its shape and dtype.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.identity(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.,  0.,  2.], dtype=float32)

    Reference:
      Goodfellow, Bengio & Courville, Deep Learning, MIT Press (2016), section 6.2.2.1 (linear units)
    """
    x, narrow = widen(x)
    return narrow(x)


def _identity_derivative(x: Array) -> Array:
    return jnp.ones_like(x)


declare(
    identity,
    derivative=_identity_derivative,
    facts=line(1.0, family="algebraic", aliases=("linear",)),
    formula="x",
    reference="Goodfellow, Bengio & Courville, Deep Learning, MIT Press (2016), section 6.2.2.1",
)

# --- square


def square(x: ArrayLike) -> Array:
    r"""Square, :math:`x^2`.

    Polynomial networks compute with it exactly, also on encrypted data.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.square(jnp.array([-1.0, 0.0, 2.0]))
      Array([1., 0., 4.], dtype=float32)

    Reference:
      Livni, Shalev-Shwartz & Shamir, On the computational efficiency of training neural networks (2014),
      https://arxiv.org/abs/1410.1141
    """
    x, narrow = widen(x)
    return narrow(jnp.square(x))


def _square_derivative(x: Array) -> Array:
    return 2 * x


declare(
    square,
    derivative=_square_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(inf, inf),
        derivative_limits=(-inf, inf),
        lipschitz=inf,
        lipschitz_derivative=2.0,
        parity="even",
        minimum=(0.0, 0.0),
        family="algebraic",
        year=2014,
    ),
    formula=r"x^2",
    reference="Livni, Shalev-Shwartz & Shamir, On the computational efficiency of training neural "
    "networks (2014), https://arxiv.org/abs/1410.1141",
)

# --- cube


def cube(x: ArrayLike) -> Array:
    r"""Cube, :math:`x^3`.

    Used in a dependency parser, where products of three inputs are features by themselves.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.cube(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.,  0.,  8.], dtype=float32)

    Reference:
      Chen & Manning, A fast and accurate dependency parser using neural networks, EMNLP 2014,
      https://doi.org/10.3115/v1/D14-1082
    """
    x, narrow = widen(x)
    return narrow(power(1.0, 3, x))


def _cube_derivative(x: Array) -> Array:
    return 3 * x**2


declare(
    cube,
    derivative=_cube_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(inf, inf),
        lipschitz=inf,
        lipschitz_derivative=inf,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="algebraic",
        year=2014,
    ),
    formula=r"x^3",
    reference="Chen & Manning, A fast and accurate dependency parser using neural networks, EMNLP 2014, "
    "https://doi.org/10.3115/v1/D14-1082",
)

# --- quadratic


def quadratic(x: ArrayLike) -> Array:
    r"""Shifted quadratic unit, :math:`x^2 + x`.

    A parabola with slope 1 at zero; a single such neuron can learn the exclusive or.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.quadratic(jnp.array([-1.0, -0.5, 2.0]))
      Array([-0.  , -0.25,  6.  ], dtype=float32)

    Reference:
      Noel et al., Biologically inspired oscillating activation functions
      (2021), https://arxiv.org/abs/2111.04020
    """
    x, narrow = widen(x)
    return narrow(x * (x + 1))


def _quadratic_derivative(x: Array) -> Array:
    return 2 * x + 1


declare(
    quadratic,
    derivative=_quadratic_derivative,
    facts=Facts(
        image=(-0.25, inf),
        limits=(inf, inf),
        derivative_limits=(-inf, inf),
        lipschitz=inf,
        lipschitz_derivative=2.0,
        minimum=(-0.5, -0.25),
        zeros=(-1.0, 0.0),
        family="algebraic",
        year=2021,
        aliases=("squ",),
    ),
    formula=r"x^2 + x",
    reference="Noel et al., Biologically inspired oscillating activation functions (2021), "
    "https://arxiv.org/abs/2111.04020",
)

# --- ncu


def ncu(x: ArrayLike) -> Array:
    r"""Non-monotonic cubic unit, :math:`x - x^3`.

    Slope 1 at zero, a hill and a valley, then a steep fall on the right and rise on the left.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.ncu(jnp.array([-1.0, 0.5, 2.0]))
      Array([-0.   ,  0.375, -6.   ], dtype=float32)

    Reference:
      Noel et al., Biologically inspired oscillating activation functions
      (2021), https://arxiv.org/abs/2111.04020
    """
    x, narrow = widen(x)
    return narrow(x * (1 - jnp.square(x)))


def _ncu_derivative(x: Array) -> Array:
    return 1 - 3 * x**2


declare(
    ncu,
    derivative=_ncu_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(inf, -inf),
        derivative_limits=(-inf, -inf),
        lipschitz=inf,
        lipschitz_derivative=inf,
        parity="odd",
        zero_centred=True,
        zeros=(-1.0, 0.0, 1.0),
        family="algebraic",
        year=2021,
        aliases=("non_monotonic_cubic_unit",),
    ),
    formula=r"x - x^3",
    reference="Noel et al., Biologically inspired oscillating activation functions (2021), "
    "https://arxiv.org/abs/2111.04020",
)

# --- asinh


_asinh = smooth(series.asinh)
# beyond it asinh(x) is log(2 |x|) to full precision
_FAR = 2.0**40


def asinh(x: ArrayLike) -> Array:
    r"""Inverse hyperbolic sine, :math:`\operatorname{asinh} x`.

    The identity near zero, a logarithm far out: unbounded, but gentle on large inputs.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.asinh(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.8813736,  0.       ,  1.4436355], dtype=float32)

    Reference:
      Abramowitz & Stegun, Handbook of Mathematical Functions (1964), section 4.6
    """
    x, narrow = widen(x)
    far = (x > _FAR) | (x < -_FAR)
    size = jnp.log(jnp.where(far, jnp.abs(x), 1.0)) + float(LN2)
    return narrow(jnp.where(far, jnp.where(x < 0, -size, size), _asinh(jnp.where(far, 0.0, x))))


def _asinh_derivative(x: Array) -> Array:
    return 1 / jnp.hypot(x, jnp.ones_like(x))


declare(
    asinh,
    derivative=_asinh_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=0.384900179459751,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="algebraic",
        aliases=("arcsinh",),
    ),
    formula=r"\operatorname{asinh} x",
    reference="Abramowitz & Stegun, Handbook of Mathematical Functions (1964), section 4.6",
)

# --- symlog


def symlog(x: ArrayLike) -> Array:
    r"""Symmetric logarithm, :math:`\operatorname{sign}(x) \log(1 + |x|)`.

    The identity near zero, a logarithm far out; squashes targets and observations of any scale. The second
    derivative at 0 is taken from the right: -1.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.symlog(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.6931472,  0.       ,  1.0986123], dtype=float32)

    Reference:
      Hafner et al., Mastering diverse domains through world models (2023), https://arxiv.org/abs/2301.04104
    """
    x, narrow = widen(x)
    size = jnp.log1p(jnp.where(x < 0, -x, x))
    return narrow(jnp.where(x < 0, -size, size))


def _symlog_derivative(x: Array) -> Array:
    return 1 / (1 + jnp.abs(x))


declare(
    symlog,
    derivative=_symlog_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=1.0,
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="algebraic",
        year=2023,
    ),
    formula=r"\operatorname{sign}(x) \log(1 + |x|)",
    reference="Hafner et al., Mastering diverse domains through world models (2023), "
    "https://arxiv.org/abs/2301.04104",
)

# --- hyper_sinh


_third_of_sinh = smooth(lambda x: series.sinh(x) / 3.0)
# e^x / 6, divided by 2^40 so that it overflows no sooner than the function does
_shifted_exp = smooth(lambda x: series.exp(x - (LN6 + 40 * LN2)))


def hyper_sinh(x: ArrayLike) -> Array:
    r"""Hyperbolic sine over 3 for :math:`x > 0`, :math:`x^3 / 4` for :math:`x \le 0`.

    Steep on both sides, for shallow networks on tabular data. The derivative at the kink 0 is taken from the
    left: 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.hyper_sinh(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.25     ,  0.       ,  1.2089535], dtype=float32)

    Reference:
      Parisi et al., hyper-sinh (2020), https://arxiv.org/abs/2011.07661
    """
    x, narrow = widen(x)
    far = x > 40  # there e^-x is less than a rounding
    near = _third_of_sinh(jnp.where((x <= 0) | far, 0.0, x))
    right = jnp.where(far, _shifted_exp(jnp.where(far, x, 0.0)) * 2.0**40, near)
    left = power(0.25, 3, jnp.where(x > 0, 0.0, x))
    return narrow(jnp.where(x > 0, right, left))


def _hyper_sinh_derivative(x: Array) -> Array:
    return jnp.where(x > 0, jnp.cosh(jnp.where(x > 0, x, 0.0)) / 3, 3 * x**2 / 4)


declare(
    hyper_sinh,
    derivative=_hyper_sinh_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(inf, inf),
        lipschitz=inf,
        lipschitz_derivative=inf,
        kinks=((0.0, 0.0),),
        smoothness=0,
        monotone=True,
        family="algebraic",
        year=2020,
    ),
    formula=r"\sinh(x) / 3\ (x > 0);\quad x^3 / 4\ (x \le 0)",
    reference="Parisi et al., hyper-sinh (2020), https://arxiv.org/abs/2011.07661",
)
