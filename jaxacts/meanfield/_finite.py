"""Finite width: how far real networks stray from the mean-field prediction."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxacts.meanfield._fixed import plain
from jaxacts.moments import _sampling
from jaxacts.moments._integrals import integrals


class SquaredLengths(NamedTuple):
    """Moments of |z|²/n over random networks of one width, layer by layer; index 0 is the first layer.

    Attributes:
      mean: E |z|²/n.
      relative_variance: Var(|z|²/n) / (E |z|²/n)².
    """

    mean: np.ndarray
    relative_variance: np.ndarray


def width_deviation(
    f: Callable[..., Any], depth: int, width: int, sigma_w: Any, sigma_b: Any = 0.0, *, q0: float = 1.0
) -> SquaredLengths:
    r"""Spread of the squared length over random networks of finite width, to first order in 1/width.

    Given the squared length :math:`\hat q` of a layer, the next layer's is :math:`V(\hat q)` plus two kinds
    of noise: the n new pre-activations are a sample (:math:`2 V^2/n`), and so were the n activations that
    feed them (:math:`\sigma_w^4 \mathrm{Var} f^2/n`). Deviations are passed on with factor V'(q), and their
    variance shifts the mean through V''(q). For scale-invariant functions this is exact for the mean; for
    ReLU at :math:`\sigma_w^2 = 2` the exact law is :func:`relu_fourth_moment`.

    Args:
      f: any elementwise callable.
      depth: number of layers after the first pre-activation.
      width: width n of all layers.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q0: variance of the first pre-activations, which are taken to be n independent Gaussians.

    Returns:
      :class:`SquaredLengths` with depth + 1 entries.

    Raises:
      ValueError: if `width` is not positive.

    Example:
      >>> spread = jaxacts.meanfield.width_deviation(jaxacts.relu, 10, 100, 2**0.5).relative_variance
      >>> round(float(spread[-1]), 4)  # 2/n + 5/n a layer, to first order
      0.52

    Reference:
      Hanin & Rolnick (2018), https://arxiv.org/abs/1803.01719; Roberts, Yaida & Hanin (2022),
      https://arxiv.org/abs/2106.10165
    """
    _sampling.check_host(f)
    if width < 1:
        raise ValueError(f"width must be positive, was {width}")
    sigma_w, sigma_b, q = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b), plain("q0", q0)
    # Both are per 1/width. `spread` is that of the conditional variance of a layer given the one before; the
    # layer's own sampling noise 2q²/n is added only when |z|²/n itself is looked at.
    spread = shift = 0.0
    means, variances = [q], [2.0]
    for _ in range(depth):
        second, fourth, first_slope, curvature = _expansion(f, q)
        value = sigma_w**2 * second + sigma_b**2
        shift = sigma_w**2 * (first_slope * shift + 0.5 * curvature * spread)
        spread = sigma_w**4 * (first_slope**2 * spread + fourth - second**2)
        q = value
        means.append(q + shift / width)
        variances.append(spread / q**2 + 2.0 if q > 0 else math.nan)
    return SquaredLengths(np.array(means), np.array(variances) / width)


def _expansion(f: Callable[..., Any], q: float) -> tuple[float, float, float, float]:
    """E f², E f⁴ and the first two derivatives of E f(√q z)² with respect to q."""
    found = integrals(
        f,
        lambda x, y: (
            y * y,
            y**4,
            (x * x / q - 1) * y * y / (2 * q),
            ((x * x / q) ** 2 - 6 * x * x / q + 3) * y * y / (4 * q * q),
        ),
        q,
        point=True,
    )
    second, fourth, slope, curvature = found.value
    return float(second), float(fourth), float(slope), float(curvature)


def relu_fourth_moment(depth: int, width: int) -> float:
    r"""Growth of :math:`E|h|^4` through a He-initialised ReLU network, exactly :math:`(1 + 5/n)^L`.

    :math:`E|h|^2` stays while its square spreads: the typical network is below the mean.

    Args:
      depth: number of layers.
      width: width of all layers.

    Returns:
      :math:`E|h_L|^4 / |h_0|^4`.

    Example:
      >>> jaxacts.meanfield.relu_fourth_moment(10, 100)
      1.628894626777442

    Reference:
      Hanin & Rolnick (2018), https://arxiv.org/abs/1803.01719
    """
    return (1 + 5 / width) ** depth
