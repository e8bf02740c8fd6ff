"""Oscillations in an envelope: growing like x, falling like 1/x or its square, or Gaussian."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, nan
from jaxacts._numerics import like, require, series, smooth, waves, widen
from jaxacts._numerics.constants import PI
from jaxacts._numerics.phase import phase
from jaxacts._numerics.tails import beyond, inverse, negative
from jaxacts.activations._facts import constant

__all__ = ["asu", "dsu", "gabor", "gcu", "sinc"]

# --- gcu

_gcu = waves.endless(lambda x: x * series.cos(x))


def gcu(x: ArrayLike) -> Array:
    r"""Growing cosine unit, :math:`x \cos x`.

    Odd, oscillating with an amplitude that grows like x; one such unit can learn the exclusive or. NaN at
    infinity.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.gcu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.5403023,  0.       , -0.8322937], dtype=float32)

    Reference:
      Noel, Trivedi & Dutta (2021), https://arxiv.org/abs/2108.12943
    """
    x, narrow = widen(x)
    return narrow(_gcu(x))


def _gcu_derivative(x: Array) -> Array:
    return jnp.cos(x) - x * jnp.sin(x)


declare(
    gcu,
    derivative=_gcu_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(nan, nan),
        derivative_limits=(nan, nan),
        lipschitz=inf,
        lipschitz_derivative=inf,
        parity="odd",
        zero_centred=True,
        zeros=None,
        family="periodic",
        year=2021,
        aliases=("growing_cosine_unit",),
    ),
    formula=r"x \cos x",
    reference="Noel, Trivedi & Dutta (2021), https://arxiv.org/abs/2108.12943",
)

# --- asu

_asu = waves.endless(lambda x: x * series.sin(x))


def asu(x: ArrayLike) -> Array:
    r"""Amplifying sine unit, :math:`x \sin x`.

    Even, oscillating with an amplitude that grows like x. NaN at infinity.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.asu(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.84147096, 0.        , 1.8185948 ], dtype=float32)

    Reference:
      Noel, Bharadwaj, Muthiah-Nakarajan, Dutta & Amali (2021), https://arxiv.org/abs/2111.04020
    """
    x, narrow = widen(x)
    return narrow(_asu(x))


def _asu_derivative(x: Array) -> Array:
    return jnp.sin(x) + x * jnp.cos(x)


declare(
    asu,
    derivative=_asu_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(nan, nan),
        derivative_limits=(nan, nan),
        lipschitz=inf,
        lipschitz_derivative=inf,
        parity="even",
        zeros=None,
        family="periodic",
        year=2021,
        aliases=("amplifying_sine_unit",),
    ),
    formula=r"x \sin x",
    reference="Noel, Bharadwaj, Muthiah-Nakarajan, Dutta & Amali (2021), https://arxiv.org/abs/2111.04020",
)

# --- dsu


def _dsu_program(x):
    # f = pi^2 sin(x) / (pi^2 - x^2); beside the removable singularities sin(x) is written about them
    outer = PI * PI * series.sin(x) * (inverse(PI - x) * inverse(PI + x))
    size = series.absolute(x)
    inner = PI * PI * waves.sinc(size - PI) / (size + PI)
    inner = series.where(negative(x), -inner, inner)
    return series.where(beyond(size - 5.0, 3.0), outer, inner)


_dsu = waves.endless(_dsu_program, left=(0.0, 0.0), right=(0.0, 0.0))


def dsu(x: ArrayLike) -> Array:
    r"""Decaying sine unit, :math:`\pi^2 \sin x / (\pi^2 - x^2)`.

    Odd, steep at the origin, with ripples that die away like :math:`1/x^2`; equal to :math:`\tfrac\pi2
    (\operatorname{sinc}(x - \pi) - \operatorname{sinc}(x + \pi))` with :math:`\operatorname{sinc} u =
    \sin(u)/u`.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.dsu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.9363423,  0.       ,  1.5289626], dtype=float32)

    Reference:
      Noel, Bharadwaj, Muthiah-Nakarajan, Dutta & Amali (2021), https://arxiv.org/abs/2111.04020
    """
    x, narrow = widen(x)
    return narrow(_dsu(x))


def _dsu_derivative(x: Array) -> Array:
    # jnp.sinc is sin(pi t) / (pi t); its own derivative is written out
    def slope(u: Array) -> Array:
        safe = jnp.where(jnp.abs(u) < 0.1, 1.0, u)
        small = u * (-1 / 3 + u**2 * (1 / 30 - u**2 / 840))
        return jnp.where(jnp.abs(u) < 0.1, small, (jnp.cos(safe) - jnp.sin(safe) / safe) / safe)

    return jnp.pi / 2 * (slope(x - jnp.pi) - slope(x + jnp.pi))


declare(
    dsu,
    derivative=_dsu_derivative,
    facts=Facts(
        image=(-1.636408136824882, 1.636408136824882),
        limits=(0.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=0.5478504915363359,
        parity="odd",
        zero_centred=True,
        minimum=(-2.6309958519438117, -1.636408136824882),
        zeros=None,
        family="periodic",
        year=2021,
    ),
    formula=r"\frac\pi2 (\operatorname{sinc}(x - \pi) - \operatorname{sinc}(x + \pi))",
    reference="Noel, Bharadwaj, Muthiah-Nakarajan, Dutta & Amali (2021), https://arxiv.org/abs/2111.04020",
)

# --- sinc

_sinc = waves.endless(waves.sinc, left=(0.0, 0.0), right=(0.0, 0.0))


def sinc(x: ArrayLike) -> Array:
    r"""Cardinal sine, :math:`\sin(x) / x`, which is 1 at 0.

    Even, with ripples that fall like 1/x. Note that `jax.numpy.sinc` is the one with pi in it.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sinc(jnp.array([-1.0, 0.0, 2.0]))
      Array([0.84147096, 1.        , 0.4546487 ], dtype=float32)

    Reference:
      Saratchandran, Ramasinghe, Shevchenko, Long & Lucey (2024), https://arxiv.org/abs/2402.05427
    """
    x, narrow = widen(x)
    return narrow(_sinc(x))


def _sinc_derivative(x: Array) -> Array:
    safe = jnp.where(jnp.abs(x) < 0.1, 1.0, x)
    small = x * (-1 / 3 + x**2 * (1 / 30 - x**2 / 840))
    return jnp.where(jnp.abs(x) < 0.1, small, (jnp.cos(safe) - jnp.sin(safe) / safe) / safe)


declare(
    sinc,
    derivative=_sinc_derivative,
    facts=Facts(
        image=(-0.2172336282112216, 1.0),
        limits=(0.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=0.4361818172714585,
        lipschitz_derivative=1 / 3,
        parity="even",
        zeros=None,
        family="periodic",
        year=2024,
    ),
    formula=r"\frac{\sin x}{x}",
    reference="Saratchandran, Ramasinghe, Shevchenko, Long & Lucey (2024), https://arxiv.org/abs/2402.05427",
)

# --- gabor

_gabor = smooth(
    lambda x, omega, s: series.cos(phase(omega, x).u) * series.gauss(s * x),
    left=(0.0, 0.0),
    right=(0.0, 0.0),
)


def gabor(x: ArrayLike, omega: ArrayLike = 1.0, s: ArrayLike = 1.0) -> Array:
    r"""Gabor wavelet, :math:`\cos(\omega x) \, e^{-(s x)^2}`.

    Even, local in space and in frequency: the real part of the activation of WIRE networks.

    Args:
      x: input of any shape.
      omega: angular frequency of the wave.
      s: inverse width of the envelope; not 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `s` is a plain 0.

    Example:
      >>> jaxacts.gabor(jnp.array([-1.0, 0.0, 2.0]))
      Array([ 0.19876611,  1.        , -0.007622  ], dtype=float32)

    Reference:
      Saragadam et al. (WIRE), CVPR 2023, https://arxiv.org/abs/2301.05187, real part
    """
    x, narrow = widen(x)
    inverse_width = like(s, x)
    require("s", inverse_width, inverse_width != 0, "other than 0")
    return narrow(_gabor(x, like(omega, x), inverse_width))


def _gabor_derivative(x: Array, omega: float | Array = 1.0, s: float | Array = 1.0) -> Array:
    u = jnp.clip(s * x, -100, 100)  # beyond 100 the envelope is 0 in every float type
    return -(omega * jnp.sin(omega * x) + 2 * s * u * jnp.cos(omega * x)) * jnp.exp(-(u**2))


# infimum, largest |f'| at s = 1, by omega / s
_GABOR = {
    0.0: (0.0, 0.8577638849607068),
    1.0: (-0.009005678148573857, 1.085094752790902),
    4.0: (-0.577237334312874884, 3.624816942288391),
}


def _gabor_facts(omega: float, s: float) -> Facts:
    about: dict[str, Any] = {"family": "periodic", "year": 2023}
    bend = omega * omega + 2 * s * s  # at 0
    if s == 0:
        wave = Facts(
            (-1.0, 1.0), (nan, nan), (nan, nan), abs(omega), bend, parity="even", zeros=None, **about
        )
        return wave if omega else constant(1.0, **about)
    low, lipschitz = _GABOR.get(abs(omega / s), (nan, nan))
    return Facts(
        image=(low, 1.0),
        limits=(0.0, 0.0),
        derivative_limits=(0.0, 0.0),
        lipschitz=nan if math.isnan(lipschitz) else lipschitz * abs(s),
        lipschitz_derivative=bend,
        parity="even",
        zeros=None if omega else (),
        **about,
    )


declare(
    gabor,
    derivative=_gabor_derivative,
    facts=_gabor_facts,
    formula=r"\cos(\omega x) \, e^{-(s x)^2}",
    reference="Saragadam et al. (WIRE), CVPR 2023, https://arxiv.org/abs/2301.05187, real part",
    cases=({}, {"omega": 2.0, "s": 0.5}),
)
