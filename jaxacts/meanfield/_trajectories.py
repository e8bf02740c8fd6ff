"""What happens layer by layer: lengths, correlations and gradients of one network, predicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxacts.meanfield._fixed import plain, second_moment
from jaxacts.moments import _sampling
from jaxacts.moments._integrals import integrals, pair_integrals


class Trajectory(NamedTuple):
    """A wide network layer by layer; index 0 is the first layer's pre-activation, before any activation.

    Attributes:
      q: variance of the pre-activations.
      c: correlation of the pre-activations of two inputs.
      chi: factor σ_w² E f'(√q z)² by which a gradient's second moment grows on its way back through a layer.
      gradient: second moment of the loss gradient at each layer's pre-activation over the last layer's.
    """

    q: np.ndarray
    c: np.ndarray
    chi: np.ndarray
    gradient: np.ndarray


def trajectory(
    f: Callable[..., Any], depth: int, sigma_w: Any, sigma_b: Any = 0.0, *, q0: float = 1.0, c0: float = 0.5
) -> Trajectory:
    r"""Lengths, correlations and gradients through `depth` layers, as mean-field theory predicts them.

    Layer l+1 is :math:`z' = W f(z) + b`. Gradients assume forward and backward weights to be independent,
    which is exact for Gaussian weights in the limit of infinite width.

    Args:
      f: any elementwise callable.
      depth: number of layers after the first pre-activation.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q0: variance of the first pre-activations.
      c0: correlation of the two inputs' first pre-activations.

    Returns:
      A :class:`Trajectory` of NumPy arrays with depth + 1 entries; infinite or NaN from where it overflows.

    Raises:
      ValueError: if `depth` is negative.

    Example:
      >>> run = jaxacts.meanfield.trajectory(jaxacts.relu, 2, 2**0.5, c0=0.0)
      >>> run.q.round(6).tolist(), run.c.round(4).tolist()
      ([1.0, 1.0, 1.0], [0.0, 0.3183, 0.4937])
    """
    _sampling.check_host(f)
    if depth < 0:
        raise ValueError(f"depth must not be negative, was {depth}")
    sigma_w, sigma_b = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b)
    q, c, slopes = [plain("q0", q0)], [plain("c0", c0)], []
    for layer in range(depth + 1):
        alive = np.isfinite(q[-1]) and q[-1] < 1e30
        moments = (
            integrals(f, lambda y, dy: (y * y, dy * dy), q[-1], slope=True).value
            if alive
            else (np.inf, np.nan)
        )
        slopes.append(sigma_w**2 * float(moments[1]))
        if layer == depth:
            break
        length = sigma_w**2 * float(moments[0]) + sigma_b**2
        c.append(_next_correlation(f, q[-1], c[-1], sigma_w, sigma_b, length) if alive else np.nan)
        q.append(length)
    # The gradient at layer l has passed back through the activations of layers l, l+1, …, depth - 1.
    growth = np.array(slopes[:-1])
    gradient = np.append(np.cumprod(growth[::-1])[::-1], 1.0)
    return Trajectory(np.array(q), np.array(c), np.array(slopes), gradient)


def _next_correlation(
    f: Callable[..., Any], q: float, c: float, sigma_w: float, sigma_b: float, length: float
) -> float:
    if length == 0 or np.isnan(c):
        return np.nan
    pair = float(pair_integrals(f, lambda y: (y,), q, q, float(np.clip(c, -1, 1))).value[0])
    return (sigma_w**2 * pair + sigma_b**2) / length


def length_trajectory(
    f: Callable[..., Any], depth: int, sigma_w: Any, sigma_b: Any = 0.0, *, q0: float = 1.0
) -> np.ndarray:
    """Variances of the pre-activations of `depth` + 1 layers, without correlations and gradients.

    Args:
      f: any elementwise callable.
      depth: number of layers after the first pre-activation.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q0: variance of the first pre-activations.

    Returns:
      A NumPy array with depth + 1 entries.

    Example:
      >>> jaxacts.meanfield.length_trajectory(jaxacts.relu, 2, 1.0).round(9).tolist()
      [1.0, 0.5, 0.25]
    """
    _sampling.check_host(f)
    sigma_w, sigma_b = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b)
    q = [plain("q0", q0)]
    for _ in range(depth):
        finite = np.isfinite(q[-1]) and q[-1] < 1e30
        q.append(sigma_w**2 * second_moment(f, q[-1]) + sigma_b**2 if finite else np.inf)
    return np.array(q)
