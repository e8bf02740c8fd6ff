"""Sine, cosine and functions that oscillate without end: most have no limit at infinity and are NaN there."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, nan
from jaxacts._numerics import like, series, waves, widen
from jaxacts._numerics.phase import phase, with_value
from jaxacts._numerics.smooth import Asymptote
from jaxacts._numerics.tails import beyond, by_sign
from jaxacts.activations._facts import constant

__all__ = ["cosine", "exp_sin", "hosc", "sine", "snake"]

# --- sine


def _no_limit(at_zero: float) -> Asymptote:
    """NaN, but the constant that the wave is without a frequency."""
    return lambda omega: (by_sign(omega, nan, 0.0, nan), by_sign(omega, nan, at_zero, nan))


_sine = waves.endless(lambda x, omega: series.sin(phase(omega, x).u), _no_limit(0.0), _no_limit(0.0))


def sine(x: ArrayLike, omega: ArrayLike = 1.0) -> Array:
    r"""Sine, :math:`\sin(\omega x)`.

    Odd and periodic; the activation of coordinate networks such as SIREN, which takes omega = 30 in its
    first layer. NaN at infinity, unless omega is 0.

    Args:
      x: input of any shape.
      omega: angular frequency.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sine(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.84147096,  0.        ,  0.9092974 ], dtype=float32)

    Reference:
      Sitzmann, Martel, Bergman, Lindell & Wetzstein, NeurIPS 2020, https://arxiv.org/abs/2006.09661
    """
    x, narrow = widen(x)
    return narrow(_sine(x, like(omega, x)))


def _sine_derivative(x: Array, omega: float | Array = 1.0) -> Array:
    return omega * jnp.cos(omega * x)


def _sine_facts(omega: float) -> Facts:
    if omega == 0:
        return constant(0.0, family="periodic", year=2020, aliases=("sin", "siren"))
    return Facts(
        image=(-1.0, 1.0),
        limits=(nan, nan),
        derivative_limits=(nan, nan),
        lipschitz=abs(omega),
        lipschitz_derivative=omega * omega,
        parity="odd",
        zero_centred=True,
        zeros=None,
        family="periodic",
        year=2020,
        aliases=("sin", "siren"),
    )


declare(
    sine,
    derivative=_sine_derivative,
    facts=_sine_facts,
    formula=r"\sin(\omega x)",
    reference="Sitzmann, Martel, Bergman, Lindell & Wetzstein, NeurIPS 2020, https://arxiv.org/abs/2006.09661",
    cases=({}, {"omega": 2.0}, {"omega": 30.0}),
)

# --- cosine

_cosine = waves.endless(lambda x, omega: series.cos(phase(omega, x).u), _no_limit(1.0), _no_limit(1.0))


def cosine(x: ArrayLike, omega: ArrayLike = 1.0) -> Array:
    r"""Cosine, :math:`\cos(\omega x)`.

    Even and periodic; the random features of a Gaussian kernel. NaN at infinity, unless omega is 0.

    Args:
      x: input of any shape.
      omega: angular frequency.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.cosine(jnp.array([-1.0, 0.0, 2.0]))
      Array([ 0.5403023 ,  1.        , -0.41614684], dtype=float32)

    Reference:
      Rahimi & Recht, NIPS 2007 (random Fourier features)
    """
    x, narrow = widen(x)
    return narrow(_cosine(x, like(omega, x)))


def _cosine_derivative(x: Array, omega: float | Array = 1.0) -> Array:
    return -omega * jnp.sin(omega * x)


def _cosine_facts(omega: float) -> Facts:
    if omega == 0:
        return constant(1.0, family="periodic", aliases=("cos",))
    return Facts(
        image=(-1.0, 1.0),
        limits=(nan, nan),
        derivative_limits=(nan, nan),
        lipschitz=abs(omega),
        lipschitz_derivative=omega * omega,
        parity="even",
        zeros=None,
        family="periodic",
        aliases=("cos",),
    )


declare(
    cosine,
    derivative=_cosine_derivative,
    facts=_cosine_facts,
    formula=r"\cos(\omega x)",
    reference="Rahimi & Recht, NIPS 2007 (random Fourier features)",
    cases=({}, {"omega": 2.0}),
)

# --- snake


def _snake_program(x, a):
    p = phase(a, x)
    u = p.u
    # close to the origin, and in the limit a -> 0, a times x stands outside
    near = x + x * (series.sin(u) * waves.sinc(u))
    if isinstance(a, float) and a == 0:
        return near
    s = series.sin(u)
    apart = x + s * s / a
    if isinstance(a, float) or not a.orders[1]:
        result = with_value(p.far, waves.snake(p) / a, apart.value)
    else:  # the derivative in a; the other sum would overflow at the largest floats
        result = apart
    outside = beyond(u, 0.125)
    return series.where(outside if p.far is None else outside | p.far, result, near)


_snake = waves.endless(_snake_program, left=(1.0, 0.0), right=(1.0, 0.0))


def snake(x: ArrayLike, a: ArrayLike = 1.0) -> Array:
    r"""Snake, :math:`x + \sin^2(a x) / a`.

    The identity with a ripple: monotone, and able to extrapolate periodic signals. At a = 0 it is the
    identity. Its derivative, 1 + sin(2 a x), touches zero and has no limit at infinity.

    Args:
      x: input of any shape.
      a: angular frequency of the ripple, and the inverse of its height.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.snake(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.2919266,  0.       ,  2.8268218], dtype=float32)

    Reference:
      Ziyin, Hartwig & Ueda, NeurIPS 2020, https://arxiv.org/abs/2006.08195
    """
    x, narrow = widen(x)
    return narrow(_snake(x, like(a, x)))


def _snake_derivative(x: Array, a: Any = 1.0) -> Array:
    return 1 + jnp.sin(2 * a * x)


def _snake_facts(a: float) -> Facts:
    return Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(nan, nan) if a else (1.0, 1.0),
        lipschitz=2.0 if a else 1.0,
        lipschitz_derivative=2 * abs(a),
        monotone=True,
        parity=None if a else "odd",
        zero_centred=not a,
        family="periodic",
        year=2020,
    )


declare(
    snake,
    derivative=_snake_derivative,
    facts=_snake_facts,
    formula=r"x + \frac{\sin^2(a x)}{a}",
    reference="Ziyin, Hartwig & Ueda, NeurIPS 2020, https://arxiv.org/abs/2006.08195",
    cases=({}, {"a": 0.5}, {"a": 5.0}),
)

# --- hosc

_hosc = waves.endless(lambda x, beta: series.tanh(beta * series.sin(x)))


def hosc(x: ArrayLike, beta: ArrayLike = 2.0) -> Array:
    r"""Hyperbolic oscillation, :math:`\tanh(\beta \sin x)`.

    Odd and periodic, between a sine (small beta) and a square wave (large beta). NaN at infinity.

    Args:
      x: input of any shape.
      beta: sharpness of the edges.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.hosc(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.93324226,  0.        ,  0.94869816], dtype=float32)

    Reference:
      Serrano, Szymkowiak & Musialski (2024), https://arxiv.org/abs/2401.10967
    """
    x, narrow = widen(x)
    return narrow(_hosc(x, like(beta, x)))


def _hosc_derivative(x: Array, beta: float | Array = 2.0) -> Array:
    e = jnp.exp(-jnp.abs(beta * jnp.sin(x)))
    return beta * jnp.cos(x) * (2 * e / (1 + e**2)) ** 2


# max |f''| for the settings in use
_HOSC_BEND = {2.0: 3.209052223938162, 8.0: 49.37425589804308}


def _hosc_facts(beta: float) -> Facts:
    if beta == 0:
        return constant(0.0, family="periodic", year=2024)
    top = math.tanh(abs(beta))
    return Facts(
        image=(-top, top),
        limits=(nan, nan),
        derivative_limits=(nan, nan),
        lipschitz=abs(beta),
        lipschitz_derivative=_HOSC_BEND.get(abs(beta), nan),
        parity="odd",
        zero_centred=True,
        zeros=None,
        family="periodic",
        year=2024,
    )


declare(
    hosc,
    derivative=_hosc_derivative,
    facts=_hosc_facts,
    formula=r"\tanh(\beta \sin x)",
    reference="Serrano, Szymkowiak & Musialski (2024), https://arxiv.org/abs/2401.10967",
    cases=({}, {"beta": 8.0}),
)

# --- exp_sin

_exp_sin = waves.endless(lambda x, a: series.exp(-series.sin(phase(a, x).u)))


def exp_sin(x: ArrayLike, a: ArrayLike = 1.0) -> Array:
    r"""Exponential of a sine, :math:`e^{-\sin(a x)}`.

    Periodic and positive, from 1/e to e; proposed for coordinate networks. NaN at infinity.

    Args:
      x: input of any shape.
      a: angular frequency.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.exp_sin(jnp.array([-1.0, 0.0, 2.0]))
      Array([2.3197768 , 1.        , 0.40280712], dtype=float32)

    Reference:
      Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135
    """
    x, narrow = widen(x)
    return narrow(_exp_sin(x, like(a, x)))


def _exp_sin_derivative(x: Array, a: float | Array = 1.0) -> Array:
    return -a * jnp.cos(a * x) * jnp.exp(-jnp.sin(a * x))


def _exp_sin_facts(a: float) -> Facts:
    if a == 0:
        return constant(1.0, family="periodic", year=2021)
    return Facts(
        image=(1 / math.e, math.e),
        limits=(nan, nan),
        derivative_limits=(nan, nan),
        lipschitz=1.4585285371362376 * abs(a),
        lipschitz_derivative=math.e * a * a,
        zeros=(),
        family="periodic",
        year=2021,
    )


declare(
    exp_sin,
    derivative=_exp_sin_derivative,
    facts=_exp_sin_facts,
    formula=r"e^{-\sin(a x)}",
    reference="Ramasinghe & Lucey, ECCV 2022, https://arxiv.org/abs/2111.15135",
    cases=({}, {"a": 2.0}),
)
