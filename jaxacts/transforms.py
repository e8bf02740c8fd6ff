"""Activations changed: tailored to a network's depth, substituted and observed inside any function.

:func:`transformed` shifts and scales an activation so that a deep network of it stays trainable;
:func:`substitute` and :func:`observe` find activations inside a function that is given as it is.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import as_inexact, facts, get, unbind
from jaxacts._substitute import Observation, observe, substitute
from jaxacts.activations import leaky_relu
from jaxacts.moments import _mesh

__all__ = ["Observation", "Tailored", "observe", "substitute", "transformed"]

Local = Callable[[float], float]
Network = Callable[[float, Local], float]


@dataclass(frozen=True)
class Tailored:
    r"""A shifted and scaled activation, :math:`\gamma\,(f(\alpha x + \beta) + \delta)`.

    Hashable and equal by value where `fn` is, so that equal ones are one jit cache key. 16-bit inputs are
    computed in float32 and rounded once: the shifts cancel.

    Attributes:
      fn: the activation f, parameters bound.
      input_scale: alpha.
      input_shift: beta.
      output_shift: delta.
      output_scale: gamma.
    """

    fn: Callable[..., Array]
    input_scale: float = 1.0
    input_shift: float = 0.0
    output_shift: float = 0.0
    output_scale: float = 1.0

    def __call__(self, x: ArrayLike, *, key: Any = None) -> Array:
        """Apply the tailored function; `key` is ignored, as Equinox's `Sequential` passes one."""
        del key
        x = as_inexact(x)
        wide = x.astype(jnp.float32) if jnp.finfo(x.dtype).bits < 32 else x
        inner = self.fn(self.input_scale * wide + self.input_shift)
        return (self.output_scale * (inner + self.output_shift)).astype(x.dtype)

    @property
    def parameters(self) -> Mapping[str, float]:
        """The four numbers, and the parameters bound to the function."""
        names = ("input_scale", "input_shift", "output_shift", "output_scale")
        return MappingProxyType({**unbind(self.fn)[1], **{name: getattr(self, name) for name in names}})


def transformed(
    f: Callable[..., Array],
    depth: int,
    method: Literal["dks", "tat"] = "dks",
    *,
    zeta: float = 1.5,
    tau: float = 0.3,
    eta: float = 0.9,
    network: Network | None = None,
) -> Tailored:
    r"""Version of an activation tailored to a deep network, by Deep Kernel Shaping (DKS) or TAT.

    The tailored function keeps the variance of a wide network's signal, :math:`Q(1) = 1` and :math:`Q'(1) =
    1`, and bounds how far the whole network bends the correlation c of two inputs. DKS centres it,
    :math:`C(0) = 0`, and sets the network's :math:`C'(1)` to `zeta`. TAT puts every layer on the edge of
    chaos, :math:`C'(1) = 1`, and sets the network's :math:`C''(1)` to `tau`. With it the network wants
    orthogonal or normal weights of variance 1/fan-in, no biases, inputs of mean square 1, and no
    normalisation layers.

    Functions that are linear on both sides of 0 (`relu`, `leaky_relu`) become `leaky_relu` with the slope
    that fits; TAT then sets the network's :math:`C(0)` to `eta`.

    Several solutions may exist. They are looked for from the reference implementation's starting points, in
    its order, with scale 1 and no shift first. Mirror images of a solution are solutions: the one with a
    positive `input_scale` is returned and, for functions like tanh and sigmoid that are symmetric about a
    point, with a positive `input_shift`.

    Args:
      f: the activation; any callable.
      depth: the number of nonlinear layers that follow each other.
      method: ``"dks"`` or ``"tat"``.
      zeta: DKS's bound on the network's :math:`C'(1)`, above 1.
      tau: TAT's bound on the network's :math:`C''(1)`, above 0.
      eta: TAT's bound on the network's :math:`C(0)` for rectifiers, between 0 and 1.
      network: for other architectures than a chain the largest value over its subnetworks, `network(x,
        local)`, which composes `local` along paths (and averages where branches join); `depth` is then
        ignored.

    Returns:
      The :class:`Tailored` function; its `parameters` are the numbers.

    Raises:
      ValueError: for an argument out of range, a function with kinks under TAT (its :math:`C''(1)` is
        infinite; rectifiers excepted), or when no parameters reach the target, as for shallow networks.

    Example:
      >>> act = jaxacts.transforms.transformed(jaxacts.tanh, depth=10)
      >>> round(act.parameters["input_scale"], 6), round(act.parameters["output_scale"], 6)
      (0.29665, 4.9646)

    Reference:
      Martens et al. (2021), https://arxiv.org/abs/2110.01765; Zhang et al. (2022),
      https://arxiv.org/abs/2203.08120
    """
    _check(f, depth, method, zeta, tau, eta)
    chain = network or (lambda x, local: _composed(x, local, depth))
    slopes = _rectifier_slopes(f)
    if slopes is not None:
        return _rectifier(method, chain, zeta, eta)
    declared = facts(f)
    if method == "tat" and declared is not None and declared.kinks:
        raise ValueError(
            f"f must have no kinks under method='tat', whose curvature C''(1) they make infinite, was {f!r} "
            f"with kinks at {[point for point, _ in declared.kinks]}; use method='dks', or jaxacts.leaky_relu"
        )
    if method == "dks":
        target = _increasing(lambda slope: chain(1.0, lambda y: slope * y), zeta, 1.0, 2.0)
    else:
        target = _increasing(lambda bend: chain(0.0, lambda y: bend + y), tau, 0.0, 1.0)
    return _solve(f, method, target)


def _check(f: Any, depth: int, method: str, zeta: float, tau: float, eta: float) -> None:
    if not callable(f):
        raise TypeError(f"f must be callable, was {type(f).__name__}")
    if method not in ("dks", "tat"):
        raise ValueError(f"method must be 'dks' or 'tat', was {method!r}")
    if depth < 1:
        raise ValueError(f"depth must be at least 1, was {depth}")
    if not 1 < zeta < math.inf:
        raise ValueError(f"zeta must be above 1 and finite, was {zeta}")
    if not 0 < tau < math.inf:
        raise ValueError(f"tau must be positive and finite, was {tau}")
    if not 0 < eta < 1:
        raise ValueError(f"eta must lie between 0 and 1, was {eta}")


def _composed(x: float, local: Local, depth: int) -> float:
    for _ in range(depth):
        x = local(x)
    return x


def _increasing(value: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where an increasing function reaches the target; the upper end is moved up until it is enough."""
    while value(high) < target:
        high = low + 2 * (high - low)
        if high > 1e9:
            raise ValueError(f"the network cannot reach the target {target}; does it have a nonlinear layer?")
    return _root(lambda x: value(x) - target, low, high)


def _root(value: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(value, low, high, xtol=1e-15, rtol=4 * np.finfo(float).eps))  # pyright: ignore


# Rectifiers: everything is in closed form.


def _rectifier_slopes(f: Callable[..., Array]) -> tuple[float, float] | None:
    """Slopes left and right of 0 of a function that is linear on both sides and bent at 0, else None."""
    points = np.array([-3.0, -1.0, -0.25, 0.25, 1.0, 3.0], dtype=np.float32)
    try:
        ratio = np.asarray(f(jnp.asarray(points)), dtype=np.float64) / points
    except (TypeError, ValueError):
        return None
    left, right = ratio[:3], ratio[3:]
    # Exact but for rounding of slope * x: no smooth activation keeps f(x)/x to a part in a million up to x =
    # 3.
    flat = np.ptp(left) <= 1e-6 and np.ptp(right) <= 1e-6 and abs(left[0] - right[0]) > 1e-6
    return (float(left[0]), float(right[0])) if flat else None


def _rectifier(method: str, chain: Network, zeta: float, eta: float) -> Tailored:
    if method == "dks":
        # C'(1) = 1 / (1 - g) with g = (1 - a)^2 / (pi (1 + a^2)), at most 1/pi (a = 0).
        target = _increasing(lambda slope: chain(1.0, lambda y: slope * y), zeta, 1.0, 2.0)
        share = math.pi * (1 - 1 / target)
        if share > 1:
            raise ValueError(
                f"a rectifier's slope C'(1) is at most {math.pi / (math.pi - 1):.4f}, and this depth needs "
                f"{target:.4f} to reach zeta={zeta}; use a smaller zeta or a deeper network"
            )
        # (1 - share) a^2 - 2 a + (1 - share) = 0, written so that nothing cancels.
        slope = (1 - share) / (1 + math.sqrt(share * (2 - share)))
        mean = (1 - slope) / math.sqrt(2 * math.pi)
        scale = 1 / math.sqrt((1 + slope**2) / 2 - mean**2)
        return Tailored(get(leaky_relu, negative_slope=slope), 1.0, 0.0, -mean, scale)

    def bent(slope: float) -> float:
        return chain(0.0, lambda c: rectifier_correlation(c, slope))

    if bent(0.0) < eta:
        raise ValueError(
            f"even plain ReLU bends a network of this depth only to C(0) = {bent(0.0):.4f}, below eta={eta}; "
            "use a smaller eta or a deeper network"
        )
    slope = _root(lambda slope: bent(slope) - eta, 0.0, 1.0)
    return Tailored(get(leaky_relu, negative_slope=slope), output_scale=math.sqrt(2 / (1 + slope**2)))


def rectifier_correlation(c: float, slope: float) -> float:
    """Correlation after a leaky rectifier of two inputs with correlation c (arc-cosine kernel)."""
    c = min(c, 1.0)
    arc = (math.sqrt(1 - c * c) + (math.pi - math.acos(c)) * c) / math.pi  # that of ReLU
    return ((1 - slope) ** 2 * arc + 2 * slope * c) / (1 + slope**2)


# All other functions: two or three equations, solved in float64.


class _Moments(NamedTuple):
    """Gaussian moments of g(z) = f(a z + b), which everything wanted is made of."""

    mean: float  # E g
    power: float  # E g^2
    slope: float  # E g'^2
    growth: float  # E g g' z
    pull: float  # E g' z
    bend: float  # E g''^2, without the point masses that kinks would add


_REACH = 12.0  # standard deviations: what lies beyond weighs less than 1e-30
_PANELS = (48, 192, 768)  # 48 suit functions whose structure has unit scale; finer ones where they do not


def _moments_of(f: Callable[..., Array], panels: int, a: float, b: float, offset: float = 0.0) -> _Moments:
    """The moments by Gauss-Legendre panels that begin at kinks, all moved by a part of a panel if wanted."""
    breaks = (np.array([*_mesh.breaks(f), *(_mesh.undeclared(f) if facts(f) is None else ())]) - b) / a
    fixed = np.linspace(-_REACH, _REACH, panels + 1) + offset * 2 * _REACH / panels
    edges = np.sort(np.concatenate([fixed, np.clip(breaks, fixed[0], fixed[-1])]))
    points, weights = np.polynomial.legendre.leggauss(20)
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    z = (middle + half * points).ravel()
    w = (half * weights).ravel() * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    g, g1, g2 = (np.asarray(row) for row in _evaluated(f)(jnp.asarray(a * z + b)))
    rows = (g, g * g, (a * g1) ** 2, g * g1 * a * z, g1 * a * z, (a * a * g2) ** 2)
    return _Moments(*(float(np.sum(w * row)) for row in rows))


def _evaluated(f: Callable[..., Array]) -> Callable[[Array], tuple[Array, ...]]:
    """f, f' and f'' in one compiled pass, kept for the next depth and method where f is hashable."""
    try:
        return _compiled(f)
    except TypeError:
        return _compiled.__wrapped__(f)


@functools.lru_cache(maxsize=64)
def _compiled(f: Callable[..., Array]) -> Callable[[Array], tuple[Array, ...]]:
    f1 = _elementwise_derivative(f)
    f2 = _elementwise_derivative(f1)
    return jax.jit(lambda x: (f(x), f1(x), f2(x)))


def _elementwise_derivative(f: Callable[..., Array]) -> Callable[[Array], Array]:
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def _starts(f: Callable[..., Array], method: str) -> list[tuple[float, ...]]:
    """Where the search begins: first where the reference's does, so that its solution is found among several.

    Then points where g(0) = 0, which a solution is near to once the input scale is small, and a few at
    random.
    """
    scales, shifts = (1.0, 0.1), (0.0, 1.0, -1.0)
    draw = np.random.default_rng(0)
    inner = [*itertools.product((0.3, 0.1, 0.03), (0.5, -0.5, 1.0, -1.0, 2.0, -2.0))]
    inner += [(draw.uniform(0.0, 2.0), draw.uniform(-3.0, 3.0)) for _ in range(30)]
    if method == "dks":
        return [*itertools.product(scales, shifts), *inner]
    return [
        *itertools.product(scales, shifts, shifts),
        *((a, b, -float(f(jnp.asarray(b)))) for a, b in inner),
    ]


def _solve(f: Callable[..., Array], method: str, target: float) -> Tailored:
    with _double():
        for panels in _PANELS:
            found = _search(f, method, target, panels)
            # Good when panels that begin elsewhere agree that the equations hold.
            if found is not None and _misfit(f, method, target, panels, found, 0.3)[2] < 1e-8:
                shift, scale, _ = _misfit(f, method, target, panels, found)
                return _canonical(f, float(found[0]), float(found[1]), shift, scale)
    raise ValueError(f"no shifts and scales of f reach the {method} target {target:.6g}, f was {f!r}")


def _search(f: Callable[..., Array], method: str, target: float, panels: int) -> np.ndarray | None:
    from scipy.optimize import root

    line = jnp.linspace(-10.0, 10.0, 2001)
    steepest = float(jnp.max(jnp.abs(_elementwise_derivative(f)(line))))
    accepted: list[tuple[float, np.ndarray]] = []
    for start in _starts(f, method):
        found = root(lambda p: _equations(f, method, target, panels, p)[2], np.array(start), tol=1e-13).x
        # MINPACK also stops, without success, when rounding allows no better; the residuals decide.
        _, scale, left = _misfit(f, method, target, panels, found)
        if left > 1e-9:
            continue
        accepted.append((abs(float(found[0])) * scale * steepest, found))
        # Under TAT a second solution may sit in the tail of f and undo its flatness by a large gain; its
        # variance map is unstable away from 1. The reference rejects it too, by a gain of 2 times f's unit
        # slope.
        if method == "dks" or accepted[-1][0] < 2:
            return found
    return min(accepted, key=lambda pair: pair[0])[1] if accepted else None


def _equations(
    f: Callable[..., Array], method: str, target: float, panels: int, p: np.ndarray, offset: float = 0.0
) -> tuple[float, float, list[float]]:
    """Output shift and scale at (a, b[, shift]), and what is left of the equations."""
    m = _moments_of(f, panels, float(p[0]), float(p[1]), offset)
    shift = -m.mean if method == "dks" else float(p[2])
    power = m.power + 2 * shift * m.mean + shift**2
    if not power > 1e-12 * m.power:  # saturated: nothing but rounding is left of the signal
        return shift, 1.0, [1e3] * len(p)
    growth = (m.growth + shift * m.pull) / power
    left = [growth - 1, m.slope / power - target]
    if method == "tat":
        left = [growth - 1, m.slope / power - 1, m.bend / power - target]
    return shift, power**-0.5, left


def _misfit(
    f: Callable[..., Array], method: str, target: float, panels: int, p: np.ndarray, offset: float = 0.0
) -> tuple[float, float, float]:
    shift, scale, left = _equations(f, method, target, panels, p, offset)
    return shift, scale, max(map(abs, left))


def _canonical(f: Callable[..., Array], a: float, b: float, shift: float, scale: float) -> Tailored:
    """One of the equivalent forms: positive scales, and for an odd function a positive input shift."""
    # The Gaussian sees no difference between g(x) and g(-x), so a may be taken positive; nor between g and
    # -g, so for a function that is symmetric about the point (0, f(0)) the shift b may be taken positive too.
    points = np.array([0.0, 0.3, 1.0, 2.5, -0.3, -1.0, -2.5])
    values = np.asarray(f(jnp.asarray(points)))
    symmetric = np.allclose(values[1:4] + values[4:], 2 * values[0], rtol=0, atol=1e-6)
    if symmetric and b < 0:
        b, shift = -b, -2 * float(values[0]) - shift
    return Tailored(f, abs(a), b, shift, scale)


def _double() -> Any:
    enable = getattr(jax, "enable_x64", None)
    if enable is None:  # before jax 0.8
        from jax.experimental import enable_x64 as enable  # pyright: ignore[reportAttributeAccessIssue]
    return enable(True)
