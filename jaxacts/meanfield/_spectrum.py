"""Singular values of the input-output Jacobian of a deep network at initialisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from jaxacts.meanfield._fixed import _attractor, plain
from jaxacts.moments import _sampling
from jaxacts.moments._integrals import integrals


class JacobianSpectrum(NamedTuple):
    """First two moments of the squared singular values s² of the Jacobian, at infinite width.

    Attributes:
      mean: E s² = χ^L.
      relative_variance: Var(s²) / (E s²)².
      mu1: E f'².
      mu2: E f'⁴.
    """

    mean: float
    relative_variance: float
    mu1: float
    mu2: float


def jacobian_spectrum(
    f: Callable[..., Any],
    depth: int,
    sigma_w: Any,
    sigma_b: Any = 0.0,
    *,
    weights: Literal["gaussian", "orthogonal"] = "gaussian",
    q: float | None = None,
) -> JacobianSpectrum:
    r"""Law of the singular values: :math:`\mathrm{Var}(s^2)/(E s^2)^2 = L(\mu_2/\mu_1^2 - 1 - s_1)`.

    :math:`\mu_k = E f'(\sqrt{q} z)^{2k}`, and :math:`s_1` is -1 for Gaussian and 0 for orthogonal weights.
    With orthogonal weights a function whose :math:`\mu_2` is near :math:`\mu_1^2` (tanh at small q) keeps all
    singular values near 1 at any depth; ReLU, with :math:`\mu_2 = \mu_1`, never does.

    Args:
      f: any elementwise callable.
      depth: number of layers L.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      weights: "gaussian" or "orthogonal".
      q: variance of the pre-activations; by default the fixed point of the length map.

    Returns:
      A :class:`JacobianSpectrum` of Python floats; NaN when the length map has no fixed point.

    Raises:
      ValueError: for an unknown kind of weights.

    Example:
      >>> law = jaxacts.meanfield.jacobian_spectrum(jaxacts.relu, 10, 2**0.5, weights="orthogonal")
      >>> round(law.mean, 6), round(law.relative_variance, 6)
      (1.0, 10.0)

    Reference:
      Pennington, Schoenholz & Ganguli (2017), https://arxiv.org/abs/1711.04735
    """
    _sampling.check_host(f)
    if weights not in ("gaussian", "orthogonal"):
        raise ValueError(f"weights must be 'gaussian' or 'orthogonal', was {weights!r}")
    sigma_w, sigma_b = plain("sigma_w", sigma_w), plain("sigma_b", sigma_b)
    length: float = _attractor(f, sigma_w, sigma_b, 1.0).q if q is None else plain("q", q)
    if math.isnan(length):
        return JacobianSpectrum(math.nan, math.nan, math.nan, math.nan)
    mu1, mu2 = (float(m) for m in integrals(f, lambda y, dy: (dy**2, dy**4), length, slope=True).value)
    s1 = -1.0 if weights == "gaussian" else 0.0
    return JacobianSpectrum((sigma_w**2 * mu1) ** depth, depth * (mu2 / mu1**2 - 1 - s1), mu1, mu2)
