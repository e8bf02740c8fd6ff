"""Gated functions of unusual shape: algebraic gates, waves, a collapsing unit."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array, nn
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf, nan
from jaxacts._numerics import EXPONENTIAL, LARGEST, like, series, smooth, tails, waves, widen
from jaxacts._numerics.phase import phase, with_value
from jaxacts.activations._facts import LOGISTIC, gated

__all__ = ["colu", "coslu", "fpflu", "pflu", "sinlu"]


# --- pflu


def _pflu_series(x: series.Series) -> series.Series:
    # far out, relu(x) - (w / 2) / (r (r + 1)) with w = 1 / |x| and r = sqrt(1 + w^2), which does not cancel
    far = tails.beyond(x, 1.0)
    w = tails.inverse(series.absolute(series.where(far, x, 1.0)))
    r = series.sqrt(1.0 + w * w)
    rest = 0.5 * w / (r * (r + 1.0))
    near = 0.5 * x * (1.0 + series.isru(series.where(far, 0.0, x)))
    return series.where(far, series.where(series.positive(x), x - rest, -rest), near)


_pflu = smooth(_pflu_series, left=(0.0, 0.0), right=(1.0, 0.0), bound=LARGEST)


def pflu(x: ArrayLike) -> Array:
    r"""Power function linear unit, :math:`\tfrac{x}{2}\left(1+\tfrac{x}{\sqrt{1+x^2}}\right)`.

    An algebraic self-gate with one dip; it decays like -1/(4|x|) on the left and approaches the identity
    on the right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.pflu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.14644662,  0.        ,  1.8944272 ], dtype=float32)

    Reference:
      Zhu, Meng & Li, Neurocomputing 429 (2021), as given in Kunc & Kléma, Three Decades of Activations
      (2024), https://arxiv.org/abs/2402.09092
    """
    x, narrow = widen(x)
    return narrow(_pflu(x))


def _pflu_derivative(x: Array) -> Array:
    r = jnp.hypot(x, 1.0)
    t = x / r
    # (1 + t) / 2 as 1 / (2 r (r - x)) keeps the left tail
    gate = jnp.where(x < 0, 1 / (2 * r) / (r + jnp.abs(x)), (1 + t) / 2)
    return gate + t / (2 * r) / r


declare(
    pflu,
    derivative=_pflu_derivative,
    facts=Facts(
        image=(-0.1501415530003888, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0443310539518174,
        lipschitz_derivative=1.0,
        minimum=(-0.7861513777574233, -0.1501415530003888),
        family="gated",
        year=2021,
    ),
    formula=r"\tfrac{x}{2}\left(1+\tfrac{x}{\sqrt{1+x^2}}\right)",
    reference="Zhu, Meng & Li, Neurocomputing 429 (2021), as given in Kunc & Kléma, Three Decades of "
    "Activations (2024), https://arxiv.org/abs/2402.09092",
)


# --- fpflu

_fpflu = smooth(
    lambda x: series.where(tails.negative(x), 2.0 * _pflu_series(x), x),
    left=(0.0, 0.0),
    right=(1.0, 0.0),
    bound=LARGEST,
)


def fpflu(x: ArrayLike) -> Array:
    r"""Faster power function linear unit: x, x >= 0; :math:`x+x^2/\sqrt{1+x^2}`, x < 0.

    Twice pflu on the left, the identity on the right. The second derivative jumps at 0 from 2 to 0; there
    it is that of the right branch.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.fpflu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.29289323,  0.        ,  2.        ], dtype=float32)

    Reference:
      Zhu, Meng & Li, Neurocomputing 429 (2021), as given in Kunc & Kléma, Three Decades of Activations
      (2024), https://arxiv.org/abs/2402.09092
    """
    x, narrow = widen(x)
    return narrow(_fpflu(x))


def _fpflu_derivative(x: Array) -> Array:
    return jnp.where(x < 0, 2 * _pflu_derivative(x), 1.0)


declare(
    fpflu,
    derivative=_fpflu_derivative,
    facts=Facts(
        image=(-0.3002831060007776, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=2.0,
        minimum=(-0.7861513777574233, -0.3002831060007776),
        family="gated",
        year=2021,
        knots=(0.0,),
        smoothness=1,
    ),
    formula=r"x\ (x\ge0);\quad x+\tfrac{x^2}{\sqrt{1+x^2}}\ (x<0)",
    reference="Zhu, Meng & Li, Neurocomputing 429 (2021), as given in Kunc & Kléma, Three Decades of "
    "Activations (2024), https://arxiv.org/abs/2402.09092",
)


# --- colu


def _colu_series(x: series.Series) -> series.Series:
    # left: x E / (E - x) with E = exp(x + exp(x)), as 1 / E overflows; from 7 on it is x in every type
    linear, left = series.exceeds(x, 7.0), tails.negative(x)
    u = series.where(linear, 0.0, x)
    v = u + series.exp(u)
    e = series.exp(series.where(left, v, -v))
    return series.where(left, x * e / (e - x), series.where(linear, x, x / (1.0 - u * e)))


_colu = smooth(_colu_series, left=(0.0, 0.0), right=(1.0, 0.0), bound=EXPONENTIAL)


def colu(x: ArrayLike) -> Array:
    r"""Collapsing linear unit, :math:`x/(1-x e^{-(x+e^x)})`.

    Smooth, with one dip; 0 on the left, the identity on the right.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.colu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.34702986,  0.        ,  2.0003345 ], dtype=float32)

    Reference:
      Vagerwal (2021), https://arxiv.org/abs/2112.12078
    """
    x, narrow = widen(x)
    return narrow(_colu(x))


def _colu_derivative(x: Array) -> Array:
    e = jnp.exp(jnp.minimum(x, 10.0))
    left, right = jnp.exp(jnp.minimum(x, 0.0) + jnp.minimum(e, 1.0)), jnp.exp(-jnp.maximum(x, 0.0) - e)
    # (1 - x^2 (1 + e^x) y) / (1 - x y)^2 with y = exp(-x - e^x) = 1 / left
    small = left * (left - x**2 * (1 + e)) / (left - x) ** 2
    return jnp.where(x < 0, small, (1 - x**2 * (1 + e) * right) / (1 - x * right) ** 2)


declare(
    colu,
    derivative=_colu_derivative,
    facts=Facts(
        image=(-0.37715856839612916, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0828346006761451,
        lipschitz_derivative=1.6626441563728487,
        minimum=(-0.726924988596044, -0.37715856839612916),
        family="gated",
        year=2021,
        aliases=("collapsing_linear_unit",),
    ),
    formula=r"\frac{x}{1-x e^{-(x+e^x)}}",
    reference="Vagerwal (2021), https://arxiv.org/abs/2112.12078",
)


# --- sinlu


def _sinlu_program(x, a, b):
    # 1 + cos(b x) is the slope where a b = 1, and touches zero
    p = phase(b, x)
    ripple = x + a * series.sin(p.u)
    if isinstance(a, float) and isinstance(b, float) and a * b == 1:
        ripple = with_value(p.far, waves.plus_sin(p) / b, ripple.value)
    return ripple * series.sigmoid(x)


_sinlu = waves.endless(
    _sinlu_program,
    left=(0.0, 0.0),
    right=(1.0, 0.0),
)


def sinlu(x: ArrayLike, a: ArrayLike = 1.0, b: ArrayLike = 1.0) -> Array:
    r"""Sinu-sigmoidal linear unit, :math:`(x+a\sin(bx))\,\sigma(x)`.

    Silu with a wave on the right; the derivative oscillates there and has no limit.

    Args:
      x: input of any shape.
      a: height of the wave.
      b: frequency of the wave.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.sinlu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.4952478,  0.       ,  2.5625007], dtype=float32)

    Reference:
      Paul, Bandyopadhyay, Yoon, Geem & Sarkar, Mathematics 10 (2022) 337, https://doi.org/10.3390/math10030337
    """
    x, narrow = widen(x)
    return narrow(_sinlu(x, like(a, x), like(b, x)))


def _sinlu_derivative(x: Array, a: float | Array = 1.0, b: float | Array = 1.0) -> Array:
    s = nn.sigmoid(x)
    return (1 + a * b * jnp.cos(b * x)) * s + (x + a * jnp.sin(b * x)) * s * nn.sigmoid(-x)


def _sinlu_facts(a: float, b: float) -> Facts:
    if a == 0 or b == 0:
        return gated(0.0, 1.0, LOGISTIC, family="gated", year=2022)
    if (a, b) not in ((1, 1), (-1, -1)):  # no closed form elsewhere
        return Facts(
            image=(nan, inf),
            minimum=(nan, nan),
            limits=(0.0, inf),
            derivative_limits=(0.0, nan),
            lipschitz=nan,
            lipschitz_derivative=nan,
            zeros=(nan,),
            family="gated",
            year=2022,
        )
    return Facts(
        image=(-0.49737055418999104, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, nan),
        lipschitz=2.0079707225226575,
        lipschitz_derivative=1.062329337836057,
        minimum=(-1.082865270894081, -0.49737055418999104),
        family="gated",
        year=2022,
        zeros=(0.0,),
    )


declare(
    sinlu,
    derivative=_sinlu_derivative,
    facts=_sinlu_facts,
    formula=r"(x+a\sin(bx))\,\sigma(x)",
    reference="Paul, Bandyopadhyay, Yoon, Geem & Sarkar, Mathematics 10 (2022) 337, https://doi.org/10.3390/math10030337",
    cases=({}, {"a": 0.5, "b": 2.0}),
)


# --- coslu


def _coslu_program(x, a, b):
    # 1 - sin(b x) is the slope where a b = 1, and touches zero
    p = phase(b, x)
    ripple = x + a * series.cos(p.u)
    if isinstance(a, float) and isinstance(b, float) and a * b == 1:
        ripple = with_value(p.far, waves.plus_cos(p) / b, ripple.value)
    return ripple * series.sigmoid(x)


_coslu = waves.endless(
    _coslu_program,
    left=(0.0, 0.0),
    right=(1.0, 0.0),
)


def coslu(x: ArrayLike, a: ArrayLike = 1.0, b: ArrayLike = 1.0) -> Array:
    r"""Cosine linear unit, :math:`(x+a\cos(bx))\,\sigma(x)`.

    Silu with a wave on the right; the derivative oscillates there and has no limit.

    Args:
      x: input of any shape.
      a: height of the wave.
      b: frequency of the wave.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.coslu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.12363175,  0.5       ,  1.3950533 ], dtype=float32)

    Reference:
      Pishchik, Trainable Activations for Image Classification (2023), https://doi.org/10.20944/preprints202301.0463.v1
    """
    x, narrow = widen(x)
    return narrow(_coslu(x, like(a, x), like(b, x)))


def _coslu_derivative(x: Array, a: float | Array = 1.0, b: float | Array = 1.0) -> Array:
    s = nn.sigmoid(x)
    return (1 - a * b * jnp.sin(b * x)) * s + (x + a * jnp.cos(b * x)) * s * nn.sigmoid(-x)


def _coslu_facts(a: float, b: float) -> Facts:
    if a == 0:
        return gated(0.0, 1.0, LOGISTIC, family="gated", year=2023)
    if (a, abs(b)) != (1, 1):  # no closed form elsewhere
        return Facts(
            image=(nan, inf),
            minimum=(nan, nan),
            limits=(0.0, inf),
            derivative_limits=(0.0, nan if b else 1.0),
            lipschitz=nan,
            lipschitz_derivative=nan,
            zeros=(nan,),
            family="gated",
            year=2023,
        )
    return Facts(
        image=(-0.28927312866451055, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, nan),
        lipschitz=2.023791014568073,
        lipschitz_derivative=1.007917362236606,
        minimum=(-1.905408277921408, -0.28927312866451055),
        family="gated",
        year=2023,
        zeros=(-0.7390851332151607,),
    )


declare(
    coslu,
    derivative=_coslu_derivative,
    facts=_coslu_facts,
    formula=r"(x+a\cos(bx))\,\sigma(x)",
    reference="Pishchik, Trainable Activations for Image Classification (2023), https://doi.org/10.20944/preprints202301.0463.v1",
    cases=({}, {"a": 0.5, "b": 2.0}),
)
