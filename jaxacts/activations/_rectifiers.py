"""Rectifiers: zero or a gentle slope on the left, the identity or a power on the right."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import like, require, times, widen
from jaxacts.activations._facts import constant

__all__ = [
    "leaky_relu",
    "relu",
    "relu6",
    "relu_n",
    "squared_relu",
    "star_relu",
    "threshold",
    "tlu",
]

# --- relu


def relu(x: ArrayLike) -> Array:
    r"""Rectified linear unit, :math:`\max(x, 0)`.

    Zero on the left, the identity on the right. The derivative at the kink 0 is taken from the left: 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.relu(jnp.array([-1.0, 0.0, 2.0]))
      Array([0., 0., 2.], dtype=float32)

    Reference:
      Fukushima, IEEE Trans. Systems Science and Cybernetics 5 (1969),
      https://doi.org/10.1109/TSSC.1969.300225; Nair & Hinton, ICML 2010
    """
    x, narrow = widen(x)
    return narrow(jnp.where(x <= 0, 0.0, x))


def _relu_derivative(x: Array) -> Array:
    return jnp.where(x > 0, 1.0, 0.0)


declare(
    relu,
    derivative=_relu_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((0.0, 0.0),),
        smoothness=0,
        monotone=True,
        zeros=None,
        family="rectifier",
        year=1969,
    ),
    formula=r"\max(x, 0)",
    reference="Fukushima, IEEE Trans. Systems Science and Cybernetics 5 (1969), "
    "https://doi.org/10.1109/TSSC.1969.300225",
)

# --- leaky_relu


def leaky_relu(x: ArrayLike, negative_slope: ArrayLike = 0.01) -> Array:
    r"""Leaky rectifier, :math:`x` for :math:`x \ge 0`, :math:`a x` for :math:`x < 0`.

    The identity on the right, a small slope on the left, so that no unit dies. The derivative at the kink 0
    is taken from the right, as `jax.nn` does: 1.

    Args:
      x: input of any shape.
      negative_slope: slope a for negative x; 0 gives the rectifier, 1 the identity, -1 the absolute value.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.leaky_relu(jnp.array([-1.0, 0.0, 2.0]), 0.2)
      Array([-0.2,  0. ,  2. ], dtype=float32)

    Reference:
      Maas, Hannun & Ng, ICML Workshop on Deep Learning for Audio, Speech and Language Processing (2013)
    """
    x, narrow = widen(x)
    a = like(negative_slope, x)
    return narrow(jnp.where(x >= 0, x, times(a, x)))


def _leaky_relu_derivative(x: Array, negative_slope: ArrayLike = 0.01) -> Array:
    return jnp.where(x >= 0, 1.0, negative_slope)


def _leaky_relu_facts(negative_slope: float) -> Facts:
    a = negative_slope
    left = -inf if a > 0 else 0.0 if a == 0 else inf
    return Facts(
        image=(min(left, 0.0), inf),
        limits=(left, inf),
        derivative_limits=(a, 1.0),
        lipschitz=max(1.0, -a, a),
        lipschitz_derivative=0.0 if a == 1 else inf,
        kinks=() if a == 1 else ((0.0, 1.0),),
        smoothness=inf if a == 1 else 0,
        monotone=a >= 0,
        parity={1.0: "odd", -1.0: "even"}.get(a),  # type: ignore[arg-type]
        zero_centred=a == 1,
        minimum=(0.0, 0.0) if a < 0 else None,
        zeros=(0.0,) if a else None,
        family="rectifier",
        year=2013,
        aliases=("lrelu",),
    )


declare(
    leaky_relu,
    derivative=_leaky_relu_derivative,
    facts=_leaky_relu_facts,
    formula=r"x\ (x \ge 0);\quad a x\ (x < 0)",
    reference="Maas, Hannun & Ng, ICML Workshop on Deep Learning for Audio, Speech and Language Processing "
    "(2013)",
    cases=({}, {"negative_slope": 0.2}, {"negative_slope": 1.0}, {"negative_slope": 0.0}),
)

# --- relu6


def relu6(x: ArrayLike) -> Array:
    r"""Rectifier capped at six, :math:`\min(\max(x, 0), 6)`.

    Common in networks for low precision, where the bounded range helps. The derivative is 0 at both kinks.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.relu6(jnp.array([-1.0, 2.0, 8.0]))
      Array([0., 2., 6.], dtype=float32)

    Reference:
      Krizhevsky, Convolutional deep belief networks on CIFAR-10 (2010);
      Howard et al., MobileNets (2017), https://arxiv.org/abs/1704.04861
    """
    return relu_n(x, 6.0)


def _relu6_derivative(x: Array) -> Array:
    return jnp.where((x > 0) & (x < 6), 1.0, 0.0)


def _capped_facts(n: float, **about: Any) -> Facts:
    return Facts(
        image=(0.0, n),
        limits=(0.0, n),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((0.0, 0.0), (n, 0.0)),
        smoothness=0,
        monotone=True,
        zeros=None,
        family="rectifier",
        **about,
    )


declare(
    relu6,
    derivative=_relu6_derivative,
    facts=_capped_facts(6.0, year=2010),
    formula=r"\min(\max(x, 0), 6)",
    reference="Krizhevsky, Convolutional deep belief networks on CIFAR-10 (2010); "
    "Howard et al., MobileNets (2017), https://arxiv.org/abs/1704.04861",
)

# --- relu_n


def relu_n(x: ArrayLike, n: ArrayLike = 1.0) -> Array:
    r"""Bounded rectifier, :math:`\min(\max(x, 0), n)`.

    A rectifier with a ceiling. The derivative is 0 at both kinks.

    Args:
      x: input of any shape.
      n: the ceiling, positive.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `n` is a plain number that is not positive.

    Example:
      >>> jaxacts.relu_n(jnp.array([-1.0, 0.5, 8.0]))
      Array([0. , 0.5, 1. ], dtype=float32)

    Reference:
      Liew, Khalil-Hani & Bakhteri, Neurocomputing 216 (2016), https://doi.org/10.1016/j.neucom.2016.08.037
    """
    x, narrow = widen(x)
    top = like(n, x)
    require("n", top, top > 0, "positive")
    return narrow(jnp.where(x <= 0, 0.0, jnp.where(x >= top, top, x)))


def _relu_n_derivative(x: Array, n: ArrayLike = 1.0) -> Array:
    return jnp.where((x > 0) & (x < n), 1.0, 0.0)


declare(
    relu_n,
    derivative=_relu_n_derivative,
    facts=lambda n: _capped_facts(n, year=2016, aliases=("bounded_relu",)),
    formula=r"\min(\max(x, 0), n)",
    reference="Liew, Khalil-Hani & Bakhteri, Neurocomputing 216 (2016), "
    "https://doi.org/10.1016/j.neucom.2016.08.037",
    cases=({}, {"n": 20.0}),
)

# --- threshold


def threshold(x: ArrayLike, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0) -> Array:
    r"""Thresholded identity, :math:`x` for :math:`x > \theta`, else a constant :math:`v`.

    With v = 0 the truncated rectifier of Konda et al.; with v = theta it is continuous. In general it jumps
    at the threshold, which belongs to the left: the value there is v, the derivative 0.

    Args:
      x: input of any shape.
      threshold: where the identity begins, theta.
      value: the constant v on the left.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.threshold(jnp.array([0.5, 1.0, 2.0]))
      Array([0., 0., 2.], dtype=float32)

    Reference:
      Konda, Memisevic & Krueger (2014), https://arxiv.org/abs/1402.3337
    """
    x, narrow = widen(x)
    return narrow(jnp.where(x <= like(threshold, x), like(value, x), x))


def _threshold_derivative(x: Array, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0) -> Array:
    return jnp.where(x > threshold, 1.0, 0.0)


def _threshold_facts(threshold: float, value: float) -> Facts:
    jump = threshold != value
    return Facts(
        image=(min(threshold, value), inf),
        limits=(value, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=inf if jump else 1.0,
        lipschitz_derivative=inf,
        kinks=((threshold, 0.0),),
        smoothness=-1 if jump else 0,
        monotone=value <= threshold,
        zeros=None if value == 0 else (0.0,) if threshold < 0 else (),
        family="rectifier",
        year=2014,
        aliases=("trec", "trelu"),
    )


declare(
    threshold,
    derivative=_threshold_derivative,
    facts=_threshold_facts,
    formula=r"x\ (x > \theta);\quad v\ (x \le \theta)",
    reference="Konda, Memisevic & Krueger (2014), https://arxiv.org/abs/1402.3337",
    cases=({}, {"threshold": 0.5, "value": 0.25}, {"threshold": 0.0, "value": -1.0}),
)

# --- tlu


def tlu(x: ArrayLike, tau: ArrayLike = 0.0) -> Array:
    r"""Thresholded linear unit, :math:`\max(x, \tau)`.

    A rectifier whose floor is learned, made for filter response normalisation. The derivative at the kink tau
    is taken from the left: 0.

    Args:
      x: input of any shape.
      tau: the floor; usually one trainable number a channel.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.tlu(jnp.array([-1.0, 0.0, 2.0]), -0.5)
      Array([-0.5,  0. ,  2. ], dtype=float32)

    Reference:
      Singh & Krishnan, Filter response normalization (2019), https://arxiv.org/abs/1911.09737
    """
    x, narrow = widen(x)
    tau = like(tau, x)
    return narrow(jnp.where(x <= tau, tau, x))


def _tlu_derivative(x: Array, tau: ArrayLike = 0.0) -> Array:
    return jnp.where(x > tau, 1.0, 0.0)


def _tlu_facts(tau: float) -> Facts:
    return Facts(
        image=(tau, inf),
        limits=(tau, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((tau, 0.0),),
        smoothness=0,
        monotone=True,
        zeros=None if tau == 0 else (0.0,) if tau < 0 else (),
        family="rectifier",
        year=2019,
        aliases=("thresholded_linear_unit",),
    )


declare(
    tlu,
    derivative=_tlu_derivative,
    facts=_tlu_facts,
    formula=r"\max(x, \tau)",
    reference="Singh & Krishnan, Filter response normalization (2019), https://arxiv.org/abs/1911.09737",
    cases=({}, {"tau": -0.5}, {"tau": 0.3}),
)

# --- squared_relu


def squared_relu(x: ArrayLike) -> Array:
    r"""Squared rectifier, :math:`\max(x, 0)^2`.

    Zero on the left, a parabola on the right; found by architecture search for Primer. The second derivative
    at 0 is taken from the left: 0.

    Args:
      x: input of any shape.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.squared_relu(jnp.array([-1.0, 0.5, 2.0]))
      Array([0.  , 0.25, 4.  ], dtype=float32)

    Reference:
      So et al., Primer: searching for efficient transformers (2021), https://arxiv.org/abs/2109.08668
    """
    x, narrow = widen(x)
    return narrow(jnp.square(jnp.where(x <= 0, 0.0, x)))


def _squared_relu_derivative(x: Array) -> Array:
    return jnp.where(x > 0, 2 * x, 0.0)


declare(
    squared_relu,
    derivative=_squared_relu_derivative,
    facts=Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, inf),
        lipschitz=inf,
        lipschitz_derivative=2.0,
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        zeros=None,
        family="rectifier",
        year=2021,
        aliases=("relu2", "relu_squared"),
    ),
    formula=r"\max(x, 0)^2",
    reference="So et al., Primer: searching for efficient transformers (2021), "
    "https://arxiv.org/abs/2109.08668",
)

# --- star_relu


def star_relu(x: ArrayLike, scale: ArrayLike = 0.8944, bias: ArrayLike = -0.4472) -> Array:
    r"""Scaled and shifted squared rectifier, :math:`s \max(x, 0)^2 + b`.

    The defaults give mean 0 and variance 1 for standard normal inputs. The second derivative at 0 is taken
    from the left: 0.

    Args:
      x: input of any shape.
      scale: factor s.
      bias: constant b.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.star_relu(jnp.array([-1.0, 0.0, 2.0]))
      Array([-0.4472, -0.4472,  3.1304], dtype=float32)

    Reference:
      Yu et al., MetaFormer baselines for vision (2022), https://arxiv.org/abs/2210.13452
    """
    x, narrow = widen(x)
    y = jnp.where(x <= 0, 0.0, x)
    return narrow(times(times(like(scale, x), y), y) + like(bias, x))


def _star_relu_derivative(x: Array, scale: ArrayLike = 0.8944, bias: ArrayLike = -0.4472) -> Array:
    return jnp.where(x > 0, 2 * scale * x, 0.0)


def _star_relu_facts(scale: float, bias: float) -> Facts:
    about: dict[str, Any] = {"family": "rectifier", "year": 2022}
    if scale == 0:
        return constant(bias, **about)
    end = math.copysign(inf, scale)
    crossing = -bias / scale
    return Facts(
        image=(min(bias, end), max(bias, end)),
        limits=(bias, end),
        derivative_limits=(0.0, end),
        lipschitz=inf,
        lipschitz_derivative=2 * math.fabs(scale),
        knots=(0.0,),
        smoothness=1,
        monotone=True,
        zero_centred=2 * bias == -scale,
        zeros=None if bias == 0 else (math.sqrt(crossing),) if crossing > 0 else (),
        **about,
    )


declare(
    star_relu,
    derivative=_star_relu_derivative,
    facts=_star_relu_facts,
    formula=r"s \max(x, 0)^2 + b",
    reference="Yu et al., MetaFormer baselines for vision (2022), https://arxiv.org/abs/2210.13452",
    cases=({}, {"scale": 1.0, "bias": 0.5}),
)
