"""Shrinkage: functions that pull their input towards zero, most of them to zero inside a threshold."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import EXPONENTIAL, like, ratio, require, series, smooth, widen

__all__ = ["firm_shrink", "garrote_shrink", "hard_shrink", "scad_shrink", "soft_shrink", "tanh_shrink"]


def _shrink_facts(lipschitz: float, kinks: tuple, smoothness: int, **about: Any) -> Facts:
    """What all thresholds share: odd, zero in the middle, of slope 1 far out."""
    return Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(1.0, 1.0),
        lipschitz=lipschitz,
        lipschitz_derivative=inf,
        kinks=kinks,
        smoothness=smoothness,
        monotone=True,
        parity="odd",
        zero_centred=True,
        zeros=None,
        family="shrinkage",
        **about,
    )


# --- soft_shrink


def soft_shrink(x: ArrayLike, threshold: ArrayLike = 0.5) -> Array:
    r"""Soft threshold, :math:`\operatorname{sign}(x) \max(|x| - l, 0)`.

    Sets small inputs to zero and moves the others towards zero by l: the proximal map of the absolute value.
    The derivative at both kinks is taken from inside: 0.

    Args:
      x: input of any shape.
      threshold: half width l of the zone that is set to zero, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `threshold` is a plain number that is not positive.

    Example:
      >>> jaxacts.soft_shrink(jnp.array([-1.0, 0.25, 2.0]))
      Array([-0.5,  0. ,  1.5], dtype=float32)

    Reference:
      Donoho, De-noising by soft-thresholding, IEEE Trans. Information Theory 41 (1995),
      https://doi.org/10.1109/18.382009
    """
    x, narrow = widen(x)
    t = like(threshold, x)
    require("threshold", t, t > 0, "positive")
    return narrow(jnp.where((x >= -t) & (x <= t), 0.0, jnp.where(x > 0, x - t, x + t)))


def _soft_shrink_derivative(x: Array, threshold: ArrayLike = 0.5) -> Array:
    return jnp.where(jnp.abs(x) > threshold, 1.0, 0.0)


def _soft_shrink_facts(threshold: float) -> Facts:
    return _shrink_facts(1.0, ((-threshold, 0.0), (threshold, 0.0)), 0, year=1995, aliases=("softshrink",))


declare(
    soft_shrink,
    derivative=_soft_shrink_derivative,
    facts=_soft_shrink_facts,
    formula=r"\operatorname{sign}(x) \max(|x| - l, 0)",
    reference="Donoho, De-noising by soft-thresholding, IEEE Trans. Information Theory 41 (1995), "
    "https://doi.org/10.1109/18.382009",
    cases=({}, {"threshold": 1.0}),
)

# --- hard_shrink


def hard_shrink(x: ArrayLike, threshold: ArrayLike = 0.5) -> Array:
    r"""Hard threshold, :math:`x` for :math:`|x| > l`, else 0.

    Keeps large inputs as they are and sets the others to zero, with a jump at -l and l, which belong to the
    middle: value and derivative there are 0.

    Args:
      x: input of any shape.
      threshold: half width l of the zone that is set to zero, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `threshold` is a plain number that is not positive.

    Example:
      >>> jaxacts.hard_shrink(jnp.array([-1.0, 0.25, 2.0]))
      Array([-1.,  0.,  2.], dtype=float32)

    Reference:
      Donoho & Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 81 (1994),
      https://doi.org/10.1093/biomet/81.3.425
    """
    x, narrow = widen(x)
    t = like(threshold, x)
    require("threshold", t, t > 0, "positive")
    return narrow(jnp.where((x >= -t) & (x <= t), 0.0, x))


def _hard_shrink_derivative(x: Array, threshold: ArrayLike = 0.5) -> Array:
    return jnp.where(jnp.abs(x) > threshold, 1.0, 0.0)


def _hard_shrink_facts(threshold: float) -> Facts:
    return _shrink_facts(inf, ((-threshold, 0.0), (threshold, 0.0)), -1, year=1994, aliases=("hardshrink",))


declare(
    hard_shrink,
    derivative=_hard_shrink_derivative,
    facts=_hard_shrink_facts,
    formula=r"x\ (|x| > l);\quad 0\ (|x| \le l)",
    reference="Donoho & Johnstone, Ideal spatial adaptation by wavelet shrinkage, Biometrika 81 (1994), "
    "https://doi.org/10.1093/biomet/81.3.425",
    cases=({}, {"threshold": 1.0}),
)

# --- firm_shrink


def firm_shrink(x: ArrayLike, lower: ArrayLike = 0.5, upper: ArrayLike = 1.0) -> Array:
    r"""Firm threshold, between hard and soft.

    .. math::
        0\ (|x| \le l);\quad \operatorname{sign}(x) \frac{u (|x| - l)}{u - l}\ (l < |x| \le u);\quad x\ (|x| >
        u)

    Continuous like the soft threshold, unbiased for large inputs like the hard one. The derivative at each
    kink is taken from the side of zero.

    Args:
      x: input of any shape.
      lower: half width l of the zone that is set to zero, positive.
      upper: where the identity begins, u, above `lower`.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `lower` or `upper` is a plain number outside its range.

    Example:
      >>> jaxacts.firm_shrink(jnp.array([-2.0, 0.75, 0.25]))
      Array([-2. ,  0.5,  0. ], dtype=float32)

    Reference:
      Gao & Bruce, WaveShrink with firm shrinkage, Statistica Sinica 7 (1997) 855-874
    """
    x, narrow = widen(x)
    low, high = like(lower, x), like(upper, x)
    require("lower", low, low > 0, "positive")
    require("upper", high, high > low, f"above lower ({lower})")
    slope = high / (high - low)
    between = slope * jnp.where(x > 0, x - low, x + low)
    outside = jnp.where((x >= -high) & (x <= high), between, x)
    return narrow(jnp.where((x >= -low) & (x <= low), 0.0, outside))


def _firm_shrink_derivative(x: Array, lower: ArrayLike = 0.5, upper: ArrayLike = 1.0) -> Array:
    size = jnp.abs(x)
    return jnp.where(size <= lower, 0.0, jnp.where(size <= upper, 1 / (1 - jnp.divide(lower, upper)), 1.0))


def _firm_shrink_facts(lower: float, upper: float) -> Facts:
    slope = upper / (upper - lower)
    return _shrink_facts(slope, ((-upper, slope), (-lower, 0.0), (lower, 0.0), (upper, slope)), 0, year=1997)


declare(
    firm_shrink,
    derivative=_firm_shrink_derivative,
    facts=_firm_shrink_facts,
    formula=r"0\ (|x| \le l);\quad "
    r"\operatorname{sign}(x) \frac{u (|x| - l)}{u - l}\ (|x| \le u);\quad x\ (|x| > u)",
    reference="Gao & Bruce, WaveShrink with firm shrinkage, Statistica Sinica 7 (1997) 855-874",
    cases=({}, {"lower": 1.0, "upper": 3.0}),
)

# --- garrote_shrink


@jax.custom_jvp
def _garrote(x: Array, t: Array) -> Array:
    close = (x >= -2 * t) & (x <= 2 * t)
    # beside the threshold the difference of squares keeps its digits
    return jnp.where(close, (x - t) * ((x + t) / x), x - t * (t / x))


@_garrote.defjvp
def _garrote_rule(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, t), (dx, dt) = primals, tangents
    return _garrote(x, t), dx * (1 + jnp.square(ratio(t, x))) - dt * ratio(2 * t, x)


def garrote_shrink(x: ArrayLike, threshold: ArrayLike = 0.5) -> Array:
    r"""Non-negative garrote, :math:`x - l^2 / x` for :math:`|x| > l`, else 0.

    Between the hard and the soft threshold: continuous, and nearly the identity for large inputs. The
    derivative at both kinks is taken from inside: 0.

    Args:
      x: input of any shape.
      threshold: half width l of the zone that is set to zero, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `threshold` is a plain number that is not positive.

    Example:
      >>> jaxacts.garrote_shrink(jnp.array([-1.0, 0.25, 2.0]))
      Array([-0.75 ,  0.   ,  1.875], dtype=float32)

    Reference:
      Breiman, Technometrics 37 (1995), https://doi.org/10.1080/00401706.1995.10484371;
      Gao, Wavelet shrinkage denoising using the non-negative garrote, Journal of Computational and Graphical
      Statistics 7 (1998), https://doi.org/10.1080/10618600.1998.10474789
    """
    x, narrow = widen(x)
    t = like(threshold, x)
    require("threshold", t, t > 0, "positive")
    zero = (x >= -t) & (x <= t)
    outside = _garrote(jnp.where(zero, 1.0, x), jnp.asarray(t, x.dtype))
    return narrow(jnp.where(zero, 0.0, outside))


def _garrote_shrink_derivative(x: Array, threshold: ArrayLike = 0.5) -> Array:
    return jnp.where(jnp.abs(x) > threshold, 1 + (threshold / x) ** 2, 0.0)


def _garrote_shrink_facts(threshold: float) -> Facts:
    return _shrink_facts(2.0, ((-threshold, 0.0), (threshold, 0.0)), 0, year=1998)


declare(
    garrote_shrink,
    derivative=_garrote_shrink_derivative,
    facts=_garrote_shrink_facts,
    formula=r"x - l^2/x\ (|x| > l);\quad 0\ (|x| \le l)",
    reference="Breiman, Technometrics 37 (1995), https://doi.org/10.1080/00401706.1995.10484371; Gao, "
    "Wavelet shrinkage denoising using the non-negative garrote, Journal of Computational and "
    "Graphical Statistics 7 (1998), https://doi.org/10.1080/10618600.1998.10474789",
    cases=({}, {"threshold": 1.0}),
)

# --- scad_shrink


def scad_shrink(x: ArrayLike, threshold: ArrayLike = 0.5, a: ArrayLike = 3.7) -> Array:
    r"""Threshold of the smoothly clipped absolute deviation penalty.

    .. math::
        \operatorname{sign}(x) \max(|x| - l, 0)\ (|x| \le 2 l);\quad
        \frac{(a - 1) x - \operatorname{sign}(x) a l}{a - 2}\ (2 l < |x| \le a l);\quad x\ (|x| > a l)

    The soft threshold near zero, the identity from a l on, a steeper line between. The derivative at each
    kink is taken from the side of zero.

    Args:
      x: input of any shape.
      threshold: half width l of the zone that is set to zero, positive.
      a: where the identity begins, in units of l; above 2.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `threshold` or `a` is a plain number outside its range.

    Example:
      >>> jaxacts.scad_shrink(jnp.array([-2.0, 0.75, 0.25]))
      Array([-2.  ,  0.25,  0.  ], dtype=float32)

    Reference:
      Fan & Li, Variable selection via nonconcave penalized likelihood and its oracle properties, Journal of
      the American Statistical Association 96 (2001), https://doi.org/10.1198/016214501753382273
    """
    x, narrow = widen(x)
    t, end = like(threshold, x), like(a, x)
    require("threshold", t, t > 0, "positive")
    require("a", end, end > 2, "above 2")
    sign = jnp.where(x > 0, 1.0, -1.0).astype(x.dtype)
    size = sign * x
    # the middle line from its beginning (2 l, l), so that nothing cancels
    middle = t + (end - 1) / (end - 2) * (size - 2 * t)
    shrunk = jnp.where(size <= 2 * t, size - t, jnp.where(size <= end * t, middle, size))
    return narrow(jnp.where(size <= t, 0.0, sign * shrunk))


def _scad_shrink_derivative(x: Array, threshold: ArrayLike = 0.5, a: ArrayLike = 3.7) -> Array:
    size = jnp.abs(x)
    beyond = jnp.where(size <= jnp.multiply(a, threshold), 1 + 1 / jnp.subtract(a, 2), 1.0)
    return jnp.where(size <= threshold, 0.0, jnp.where(size <= 2 * threshold, 1.0, beyond))


def _scad_shrink_facts(threshold: float, a: float) -> Facts:
    slope = (a - 1) / (a - 2)
    right = ((threshold, 0.0), (2 * threshold, 1.0), (a * threshold, slope))
    left = tuple((-point, value) for point, value in reversed(right))
    return _shrink_facts(slope, left + right, 0, year=2001)


declare(
    scad_shrink,
    derivative=_scad_shrink_derivative,
    facts=_scad_shrink_facts,
    formula=r"\operatorname{sign}(x) \max(|x| - l, 0)\ (|x| \le 2 l);\quad "
    r"\frac{(a - 1) x - \operatorname{sign}(x) a l}{a - 2}\ (|x| \le a l);\quad x\ (|x| > a l)",
    reference="Fan & Li, Variable selection via nonconcave penalized likelihood and its oracle "
    "properties, Journal of the American Statistical Association 96 (2001), "
    "https://doi.org/10.1198/016214501753382273",
    cases=({}, {"threshold": 1.0, "a": 3.0}),
)

# --- tanh_shrink


_tanh_shrink = smooth(series.minus_tanh, left=(1.0, 1.0), right=(1.0, -1.0), bound=EXPONENTIAL)


def tanh_shrink(x: ArrayLike) -> Array:
    r"""Hyperbolic tangent shrinkage, :math:`x - \tanh x`.

    Smooth: like the cube of x over 3 near zero, like x minus its sign far out.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.tanh_shrink(jnp.array([-2.0, 0.0, 0.5]))
      Array([-1.0359725 ,  0.        ,  0.03788284], dtype=float32)

    Reference:
      PyTorch, torch.nn.Tanhshrink, https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanhshrink.html
    """
    x, narrow = widen(x)
    return narrow(_tanh_shrink(x))


def _tanh_shrink_derivative(x: Array) -> Array:
    return jnp.tanh(x) ** 2


declare(
    tanh_shrink,
    derivative=_tanh_shrink_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(1.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=0.769800358919501,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="shrinkage",
        aliases=("tanhshrink",),
    ),
    formula=r"x - \tanh x",
    reference="PyTorch, torch.nn.Tanhshrink, "
    "https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanhshrink.html",
)
