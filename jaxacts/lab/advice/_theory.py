"""What mean-field theory says about one activation at one depth and width: the numbers behind the advice."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts import diagnostics, meanfield, moments
from jaxacts.moments import _sampling

# Changes of the gradient beyond a factor of 10**0.5, or a power that varies by more than its own size between
# networks, are reasons to look for another activation. Born-dead networks must be rarer than 1 in 100.
_CHANGE = 0.5
_SPREAD = 1.0
_BORN_DEAD = 0.01


@dataclasses.dataclass(frozen=True)
class Outlook:
    """One activation in a plain network at its forward gain, pre-activations of variance 1.

    Attributes:
      name: its name.
      f: the function.
      depth: hidden layers.
      width: their width.
      normalisation: "none", "layer" or "batch".
      gain: 1/√E f².
      chi: factor of the gradient's mean square from one layer to the one before.
      centre: (E f)²/E f², which is the correlation of what two unrelated inputs become.
    """

    name: str
    f: Callable[..., Any]
    depth: int
    width: int
    normalisation: str
    gain: float
    chi: float
    centre: float

    @property
    def change(self) -> float:
        """Rms of the gradient at the first hidden layer over that at the last."""
        logarithm = 0.5 * (self.depth - 1) * math.log(self.chi)
        return math.exp(logarithm) if logarithm < 700 else math.inf

    @functools.cached_property
    def spread(self) -> float:
        """Relative standard deviation of |z|²/n of the last layer, over networks of this width."""
        if self.normalisation != "none":
            return 0.0  # a normalisation resets the power in every layer
        with _sampling.double_precision():
            law = meanfield.width_deviation(self.f, self.depth - 1, self.width, self.gain)
        variance = float(law.relative_variance[-1])
        return math.sqrt(variance) if variance >= 0 else math.inf

    @functools.cached_property
    def size(self) -> float:
        """E |f|."""
        with _sampling.double_precision():
            return float(moments.mean(lambda z: jnp.abs(self.f(z))))

    @functools.cached_property
    def born_dead(self) -> float:
        """Chance that some layer has only units with slope 0 at an input."""
        flat = _share(self.f, lambda slopes: slopes == 0.0)
        return -math.expm1(self.depth * math.log1p(-(flat**self.width))) if flat < 1 else 1.0

    @property
    def rates(self) -> tuple[float, float]:
        """Range of Adam's learning rates, see :func:`adam_range`."""
        return adam_range(self.depth, self.width, self.size, self.gain)

    @property
    def fits(self) -> bool:
        """Whether signals and gradients survive this depth and width."""
        kept = abs(_log(self.change)) <= _CHANGE
        return kept and self.spread <= _SPREAD and self.born_dead <= _BORN_DEAD

    @property
    def cost(self) -> float:
        """How far it is from that, in powers of ten."""
        dead = 0.0 if self.born_dead <= _BORN_DEAD else _log(self.born_dead / _BORN_DEAD)
        return abs(_log(self.change)) + _log(1.0 + self.spread) + dead


def _log(value: float) -> float:
    return math.log10(value) if value > 0 else -math.inf


def outlook(name: str, f: Callable[..., Any], depth: int, width: int, normalisation: str) -> Outlook:
    r"""The numbers of one activation; the costly ones are computed when they are asked for.

    Without normalisation the gradient's mean square changes by :math:`\chi = E f'^2 / E f^2` a layer, and so
    it does with layer normalisation, which divides by the root mean square over the units. Batch
    normalisation takes the mean over the examples away as well: :math:`\chi = E f'^2 / \mathrm{Var} f`.

    Args:
      name: its name.
      f: an elementwise function.
      depth: number of hidden layers.
      width: their width.
      normalisation: "none", "layer" or "batch".

    Returns:
      An :class:`Outlook`.

    Raises:
      ValueError: for a function without the moments that are needed.

    Reference:
      Schoenholz et al. (2017), https://arxiv.org/abs/1611.01232; for batch normalisation Yang et al. (2019),
      https://arxiv.org/abs/1902.08129
    """
    with _sampling.double_precision(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the error below says it
        found = moments.moments(f)
        second, slope = float(found.second), float(found.slope_second)
        variance, mean = float(found.variance), float(found.mean)
    for what, value in (("E f²", second), ("E f'²", slope), ("Var f", variance)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} needs a finite {what} that is not zero, was {value:g}")
    chi = slope / (variance if normalisation == "batch" else second)
    return Outlook(name, f, depth, width, normalisation, second**-0.5, chi, mean**2 / second)


def saturated(f: Callable[..., Any], mean: float = 0.0, std: float = 1.0) -> float:
    """Share of Gaussian pre-activations at which the slope is below 5 % of its largest size.

    Args:
      f: an elementwise function.
      mean: of the pre-activations.
      std: of the pre-activations.

    Returns:
      A number between 0 and 1; NaN where the slope is unbounded.
    """
    full = float(diagnostics.steepest(f))
    if not math.isfinite(full):
        return math.nan
    return _share(f, lambda slopes: np.abs(slopes) < diagnostics.SATURATED * full, mean, std)


def _share(
    f: Callable[..., Any], at: Callable[[np.ndarray], np.ndarray], mean: float = 0.0, std: float = 1.0
) -> float:
    """Share of 10001 equally likely Gaussian pre-activations with a property of the slope."""
    ranks = (jnp.arange(10_001, dtype=jnp.float32) + 0.5) / 10_001
    z = mean + std * jax.scipy.special.ndtri(ranks)
    return float(at(np.asarray(diagnostics.slopes(f, z))).mean())


def correlation(f: Callable[..., Any], mean: float, std: float) -> float:
    r""":math:`(E f)^2 / E f^2` at Gaussian pre-activations of a given mean and deviation."""
    with _sampling.double_precision():
        found = moments.moments(f, std**2, mean)
        return float(found.mean) ** 2 / float(found.second) if float(found.second) > 0 else math.nan


def power(f: Callable[..., Any], mean: float, std: float) -> float:
    r""":math:`E f^2` at Gaussian pre-activations of a given mean and deviation."""
    with _sampling.double_precision():
        return float(moments.moments(f, std**2, mean).second)


def adam_range(depth: int, width: int, size: float, gain: float) -> tuple[float, float]:
    r"""Learning rates of Adam at which a first step moves the output by a tenth of its size to all of it.

    A first step of Adam moves every weight by the rate r, in the direction that its gradient gives, so a
    pre-activation moves by up to :math:`r\,n\,E|f|`, and through L layers the moves add up to
    :math:`r\,n\,L\,E|f|`, in units of its own deviation. The range is where that lies between 0.1 and 1. In
    small networks another bound comes first: a step is at most a tenth of a typical weight,
    :math:`g/\sqrt{n}`.

    Args:
      depth: number of hidden layers L.
      width: their width n.
      size: E |f| at unit variance.
      gain: gain g of the weights.

    Returns:
      The lower and the upper rate.
    """
    top = min(1.0 / (depth * width * size), 0.1 * gain / math.sqrt(width))
    return 0.1 * top, top
