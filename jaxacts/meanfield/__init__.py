r"""Mean-field theory of signals in wide networks: what depth does to lengths, correlations and gradients.

Conventions: weights :math:`W_{ij} \sim N(0, \sigma_w^2/n)`, biases :math:`b \sim N(0, \sigma_b^2)`; a layer
is :math:`z' = W f(z) + b`, and q is the variance of z.

`length_map`, `correlation_map`, `correlation_slope`, `chi` and the kernels trace: they jit, vmap and
differentiate in JAX's default float type. Everything that searches (`fixed_point`, `critical_point`, `phase`,
…) runs on the host, always in double precision, and may say in words that there is no answer.
"""

from __future__ import annotations

from jaxacts.meanfield._critical import (
    CriticalPoint,
    critical_line,
    critical_point,
    edge_decay,
    smoothness_class,
)
from jaxacts.meanfield._finite import SquaredLengths, relu_fourth_moment, width_deviation
from jaxacts.meanfield._fixed import (
    CorrelationFixedPoint,
    FixedPoint,
    correlation_fixed_point,
    depth_scales,
    fixed_point,
    phase,
    trainable_depth,
)
from jaxacts.meanfield._kernels import Kernels, kernels, nngp, ntk
from jaxacts.meanfield._maps import Chi, chi, correlation_map, correlation_slope, length_map
from jaxacts.meanfield._simulate import Case, Simulation, simulate
from jaxacts.meanfield._spectrum import JacobianSpectrum, jacobian_spectrum
from jaxacts.meanfield._trajectories import Trajectory, length_trajectory, trajectory

__all__ = [
    "Case",
    "Chi",
    "CorrelationFixedPoint",
    "CriticalPoint",
    "FixedPoint",
    "JacobianSpectrum",
    "Kernels",
    "Simulation",
    "SquaredLengths",
    "Trajectory",
    "chi",
    "correlation_fixed_point",
    "correlation_map",
    "correlation_slope",
    "critical_line",
    "critical_point",
    "depth_scales",
    "edge_decay",
    "fixed_point",
    "jacobian_spectrum",
    "kernels",
    "length_map",
    "length_trajectory",
    "nngp",
    "ntk",
    "phase",
    "relu_fourth_moment",
    "simulate",
    "smoothness_class",
    "trainable_depth",
    "trajectory",
    "width_deviation",
]
