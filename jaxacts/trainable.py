r"""Trainable activations as data: ``spec.init(key, shape) -> params`` and ``spec.apply(params, x)``.

The parameters are a flat dictionary of arrays that any optimiser can hold. `shape` is the shape of one
parameter: ``()`` shares one activation among all features, ``(channels,)`` gives every channel its own; it
must broadcast against the trailing axes of x. Constraints (positive scales, ordered thresholds) hold by
construction: the stored ``raw_...`` numbers are unconstrained and pass through a softplus. 16-bit input is
computed in float32 and rounded once.

Example:
  >>> params = jaxacts.trainable.prelu.init(jax.random.key(0), shape=(3,))
  >>> jaxacts.trainable.prelu.apply(params, jnp.array([-4.0, 0.0, 2.0]))
  Array([-1.,  0.,  2.], dtype=float32)
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxacts import activations as plain
from jaxacts._numerics import widen

__all__ = [
    "Trainable",
    "aconc",
    "apl",
    "b_spline",
    "dynamic_tanh",
    "fit_rational",
    "pelu",
    "prelu",
    "rational",
    "specs",
    "srelu",
    "swish",
    "xielu",
]

Params = Mapping[str, Any]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Trainable:
    """A trainable activation: how its parameters start and how they act. Hashable and equal by value.

    Attributes:
      name: the public name.
      create: function of (key, shape, dtype, options) that returns the parameters.
      compute: function of (params, x, options) for x of at least 32 bits.
      reference: the source of the definition.
      options: settings that are not trained, as sorted pairs; see :meth:`having`.
    """

    name: str
    create: Callable[..., dict[str, Array]]
    compute: Callable[..., Array]
    reference: str
    options: tuple[tuple[str, Any], ...] = ()

    def init(self, key: Array | None = None, shape: Shape = (), dtype: Any = None) -> dict[str, Array]:
        """Initial parameters.

        Args:
          key: random key; may be None where nothing is drawn.
          shape: shape of one parameter, ``()`` for a shared one.
          dtype: floating type of the parameters, by default that of a Python float.

        Returns:
          A dictionary of arrays.

        Raises:
          ValueError: if a key is needed and missing, or a setting is out of its range.
        """
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = jnp.result_type(float) if dtype is None else dtype
        return self.create(key, shape, dtype, **self._settings(self.create))

    def apply(self, params: Params, x: ArrayLike) -> Array:
        """The activation at `x`, with the shape and dtype of `x`.

        Args:
          params: what :meth:`init` returned, or what became of it in training.
          x: input; the parameters broadcast against its trailing axes.

        Returns:
          An array with the shape and dtype of `x`.

        Raises:
          ValueError: if a parameter does not broadcast against `x`.
        """
        x, narrow = widen(x)
        return narrow(self.compute(params, x, **self._settings(self.compute)))

    def _settings(self, f: Callable) -> dict[str, Any]:
        names = _options(f)
        return {name: value for name, value in self.options if name in names}

    def having(self, **options: Any) -> Trainable:
        """The same activation with other settings, such as initial values; plain numbers.

        Example:
          >>> float(jaxacts.trainable.prelu.having(negative_slope=0.1).init()["negative_slope"])
          0.1...

        Raises:
          TypeError: for a setting that this activation does not have.
        """
        allowed = sorted({*_options(self.create), *_options(self.compute)})
        for name in options:
            if name not in allowed:
                raise TypeError(
                    f"{self.name} has no setting {name!r}; it has: {', '.join(allowed) or 'none'}"
                )
        return dataclasses.replace(self, options=tuple(sorted({**dict(self.options), **options}.items())))


def _options(f: Callable) -> list[str]:
    kinds = inspect.signature(f).parameters.values()
    return [p.name for p in kinds if p.kind is p.KEYWORD_ONLY]


def _fit(params: Params, x: Array, name: str, stacked: bool = False) -> Array:
    """A parameter in the type of x and with its rank; one that is stacked keeps its first axis in front."""
    value = jnp.asarray(params[name])
    lead, shape = (value.shape[:1], value.shape[1:]) if stacked else ((), value.shape)
    if len(shape) > x.ndim or any(n not in (1, m) for n, m in zip(shape[::-1], x.shape[::-1], strict=False)):
        raise ValueError(
            f"parameter {name!r} of shape {shape} does not broadcast against x of shape {x.shape}"
        )
    return value.astype(x.dtype).reshape(*lead, *(1,) * (x.ndim - len(shape)), *shape)


def _need(key: Array | None, name: str) -> Array:
    if key is None:
        raise ValueError(f"{name}.init draws random numbers: key must be a random key, was None")
    return key


def _raw(name: str, value: float, bound: float = 0.0) -> float:
    """The number whose softplus is what an initial value has above its bound."""
    y = value - bound
    if not 0 < y < math.inf:
        raise ValueError(f"{name} must be finite and above {bound:g}, was {value:g}")
    return y + math.log(-math.expm1(-y))


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, was {value!r}")
    return value


def _full(shape: Shape, dtype: Any, **values: float) -> dict[str, Array]:
    return {name: jnp.full(shape, value, dtype) for name, value in values.items()}


def _create_prelu(key, shape, dtype, *, negative_slope=0.25):
    return _full(shape, dtype, negative_slope=negative_slope)


def _prelu(params, x):
    return plain.leaky_relu(x, _fit(params, x, "negative_slope"))


def _create_swish(key, shape, dtype, *, beta=1.0):
    return _full(shape, dtype, beta=beta)


def _swish(params, x):
    return plain.silu(x, _fit(params, x, "beta"))


def _create_pelu(key, shape, dtype, *, a=1.0, b=1.0, floor=0.1):
    return _full(shape, dtype, raw_a=_raw("a", a, floor), raw_b=_raw("b", b, floor))


def _pelu(params, x, *, floor=0.1):
    # a and b stay above the floor: the slope a/b is positive and far from a division by 0.
    a, b = (floor + plain.softplus(_fit(params, x, name)) for name in ("raw_a", "raw_b"))
    return plain.pelu(x, a, b)


def _create_srelu(key, shape, dtype, *, t_left=0.0, a_left=0.2, t_right=1.0, a_right=1.0):
    gap = _raw("t_right", t_right, t_left)
    return _full(shape, dtype, t_left=t_left, a_left=a_left, raw_gap=gap, a_right=a_right)


def _srelu(params, x):
    t_left, a_left, a_right = (_fit(params, x, name) for name in ("t_left", "a_left", "a_right"))
    t_right = t_left + plain.softplus(_fit(params, x, "raw_gap"))
    return plain.srelu(x, t_left, a_left, t_right, a_right)


def _create_aconc(key, shape, dtype, *, p1=None, p2=None, beta=1.0):
    slopes = {"p1": p1, "p2": p2}
    fixed = {name: value for name, value in slopes.items() if value is not None}
    keys = jr.split(_need(key, "aconc")) if len(fixed) < 2 else ()
    drawn = {
        name: jr.normal(k, shape, dtype) for name, k in zip(slopes, keys, strict=False) if name not in fixed
    }
    return {**_full(shape, dtype, beta=beta, **fixed), **drawn}


def _aconc(params, x):
    p1, p2, beta = (_fit(params, x, name) for name in ("p1", "p2", "beta"))
    return plain.acon_c(x, p1, p2, beta)


def _create_xielu(key, shape, dtype, *, alpha_p=0.8, alpha_n=0.8, beta=0.5):
    raw = {"raw_alpha_p": _raw("alpha_p", alpha_p), "raw_alpha_n": _raw("alpha_n", alpha_n, beta)}
    return _full(shape, dtype, **raw)


def _xielu(params, x, *, beta=0.5):
    # alpha_n > beta makes the slope negative somewhere below 0, which is what the paper asks for.
    alpha_p = plain.softplus(_fit(params, x, "raw_alpha_p"))
    alpha_n = beta + plain.softplus(_fit(params, x, "raw_alpha_n"))
    return plain.xielu(x, alpha_p, alpha_n, jnp.asarray(beta, x.dtype))


def _create_dynamic_tanh(key, shape, dtype, *, alpha=0.5):
    return {"alpha": jnp.asarray(alpha, dtype), **_full(shape, dtype, gamma=1.0, beta=0.0)}


def _dynamic_tanh(params, x):
    alpha, gamma, beta = (_fit(params, x, name) for name in ("alpha", "gamma", "beta"))
    return gamma * plain.tanh(alpha * x) + beta


def _create_apl(key, shape, dtype, *, hinges=2, spread=0.1):
    slopes, points = jr.split(_need(key, "apl"))
    _whole("hinges", hinges, 0)
    return {
        "slopes": spread * jr.normal(slopes, (hinges, *shape), dtype),
        "points": jr.normal(points, (hinges, *shape), dtype),
    }


def _apl(params, x):
    slopes, points = (_fit(params, x, name, stacked=True) for name in ("slopes", "points"))
    return plain.relu(x) + sum(a * plain.relu(b - x) for a, b in zip(slopes, points, strict=True))


def _interval(lower: float, upper: float) -> float:
    """The length of an interval that is not empty."""
    if not 0 < upper - lower < math.inf:
        raise ValueError(f"upper must be finite and above lower = {lower:g}, was {upper:g}")
    return upper - lower


def _create_b_spline(key, shape, dtype, *, cells=6, degree=3, spread=0.1, lower=-3.0, upper=3.0):
    _interval(lower, upper)  # told at once, although only `apply` needs it
    count = _whole("cells", cells, 1) + _whole("degree", degree, 0)
    coefficients = spread * jr.normal(_need(key, "b_spline"), (count, *shape), dtype)
    return {**_full(shape, dtype, base=1.0, scale=1.0), "coefficients": coefficients}


def _b_spline(params, x, *, lower=-3.0, upper=3.0, degree=3):
    base, scale = _fit(params, x, "base"), _fit(params, x, "scale")
    coefficients = _fit(params, x, "coefficients", stacked=True)
    cells = coefficients.shape[0] - _whole("degree", degree, 0)
    if cells < 1:
        raise ValueError(f"degree must be below the number of coefficients, {cells + degree}, was {degree}")
    # Basis function i lives on the cells i ... i + degree; beyond the last one every basis function is 0, so
    # far inputs are cut before the recursion could overflow.
    at = jnp.clip((x - lower) * (cells / _interval(lower, upper)) + degree, -1.0, cells + 2.0 * degree + 1.0)
    i = jnp.arange(cells + 2 * degree, dtype=x.dtype).reshape(-1, *(1,) * x.ndim)
    at = at[None]
    basis = jnp.where((at >= i) & (at < i + 1), jnp.ones_like(at), 0.0)
    for d in range(1, degree + 1):
        i = i[: basis.shape[0] - 1]
        basis = ((at - i) * basis[:-1] + (i + d + 1 - at) * basis[1:]) / d
    return base * plain.silu(x) + scale * jnp.sum(coefficients * basis, axis=0)


# The fit of leaky_relu on [-3, 3] by `fit_rational`; a test repeats it.
_NUMERATOR = (0.0362056617, 0.5049999969, 1.533358039, 1.733329324, 0.7505928702, 0.1152674315)
_DENOMINATOR = (0.0, 3.432335338, 0.0, 0.2282523432)


def _create_rational(key, shape, dtype):
    return _stack(shape, dtype, _NUMERATOR, _DENOMINATOR)


def _stack(
    shape: Shape, dtype: Any, numerator: Sequence[float], denominator: Sequence[float]
) -> dict[str, Array]:
    columns = {"numerator": numerator, "denominator": denominator}
    return {
        name: jnp.broadcast_to(jnp.asarray(c, dtype).reshape(-1, *(1,) * len(shape)), (len(c), *shape))
        for name, c in columns.items()
    }


def _horner(coefficients: list, x: Any) -> Any:
    """The polynomial with the constant term first."""
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


def _rational_far(numerator: list, denominator: list, x: Array) -> Array:
    """P/(1 + |Q|) for |x| > 1: both divided by |x|^n, which leaves powers of 1/x and the excess degree in x.

    Powers of 2 keep what autodiff multiplies in range: v where f itself and its derivatives by the parameters
    grow like a power of x, up to the largest number; t where the leading coefficients of Q vanish.
    """
    m, n = len(numerator) - 1, len(denominator)
    huge = jnp.abs(x) == jnp.inf
    v = jnp.where(jnp.abs(x) > 2.0**64, 2.0**16, 1.0).astype(x.dtype) if m > n else jnp.ones_like(x)
    y, scaled = jnp.where(huge, 0.0, 1 / x), jnp.where(huge, 0.0, v / x)
    leading = denominator[::-1]
    below = v * leading[0] + (scaled * _horner(leading[1:], y) if n > 1 else 0.0)
    below = jnp.abs(scaled) * jnp.abs(y) ** (n - 1) + jnp.abs(below)
    t = jnp.where(below < 2.0**-40, 2.0**63, 1.0).astype(x.dtype)
    above = t / v * _horner(numerator[n::-1], y)
    if n > m:
        above = y ** (n - m) * above
    if m > n:
        above = above + t / v * x * _horner(numerator[n + 1 :], x)
    ratio = v * v * (above / (t * below))
    return jnp.where(x < 0, -ratio, ratio) if n % 2 else ratio


def _rational(params, x):
    numerator = list(_fit(params, x, "numerator", stacked=True))
    denominator = list(_fit(params, x, "denominator", stacked=True))
    # with |Q| <= 1 nothing has to be divided, as where a fit or a start has no denominator at all
    near = (jnp.abs(x) <= 1) | (jnp.abs(x * _horner(denominator, x)) <= 1)
    inner, outer = jnp.where(near, x, 0.0), jnp.where(near, 2.0, x)
    inside = _horner(numerator, inner) / (1 + jnp.abs(inner * _horner(denominator, inner)))
    return jnp.where(near, inside, _rational_far(numerator, denominator, outer))


def fit_rational(
    f: Callable[[Array], Array],
    degrees: tuple[int, int] = (5, 4),
    interval: tuple[float, float] = (-3.0, 3.0),
    shape: Shape = (),
    dtype: Any = None,
) -> dict[str, Array]:
    r"""Parameters of `rational` that approximate a function.

    Least squares on an interval: a linear problem with weights, repeated (Sanathanan and Koerner), whose
    result starts a Levenberg-Marquardt refinement of the true form :math:`P(x) / (1 + |\sum_j b_j x^j|)`.

    Args:
      f: elementwise function to approximate.
      degrees: degrees of the numerator and of the denominator.
      interval: where to approximate; beyond, the fit goes its own way.
      shape: shape of one parameter, as in :meth:`Trainable.init`.
      dtype: floating type of the parameters.

    Returns:
      Parameters for ``jaxacts.trainable.rational.apply``.

    Raises:
      ValueError: if the interval is empty or a degree is not positive.

    Example:
      >>> params = jaxacts.trainable.fit_rational(jaxacts.tanh)
      >>> bool(abs(jaxacts.trainable.rational.apply(params, 0.5) - jnp.tanh(0.5)) < 1e-5)
      True
    """
    from scipy.optimize import least_squares

    (m, n), (low, high) = degrees, interval
    if m < 1 or n < 1:
        raise ValueError(f"degrees must be positive, were {degrees}")
    if not low < high:
        raise ValueError(f"interval must be (low, high) with low < high, was {interval}")
    x = (low + high) / 2 + (high - low) / 2 * np.cos(np.linspace(0, np.pi, 801))
    target = np.asarray(f(jnp.asarray(x, jnp.result_type(float))), np.float64)
    powers = x[:, None] ** np.arange(max(m, n) + 1)

    def residual(c: np.ndarray) -> np.ndarray:
        return powers[:, : m + 1] @ c[: m + 1] / (1 + np.abs(powers[:, 1 : n + 1] @ c[m + 1 :])) - target

    best = None
    for start in ("weighted", "flat"):
        c, weight = np.zeros(m + n + 1), np.ones_like(x)
        for _ in range(20 if start == "weighted" else 0):
            columns = np.concatenate([powers[:, : m + 1], -target[:, None] * powers[:, 1 : n + 1]], 1)
            c = np.linalg.lstsq(columns / weight[:, None], target / weight, rcond=None)[0]
            weight = 1 + np.abs(powers[:, 1 : n + 1] @ c[m + 1 :])
        if start == "flat":
            c[m + n] = 0.1  # a positive even power: the absolute value is inactive
        found = least_squares(residual, c, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=20_000)
        best = found if best is None or found.cost < best.cost else best
    assert best is not None
    # What rounding left of a power that is not needed would lead far out.
    order = np.concatenate([np.arange(m + 1), np.arange(1, n + 1)])
    weight = np.where(np.arange(m + n + 1) > m, 1.0, np.abs(target).max())
    c = np.where(np.abs(best.x) * np.abs(x).max() ** order > 1e-14 * weight, best.x, 0.0)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    return _stack(
        shape,
        jnp.result_type(float) if dtype is None else dtype,
        list(c[: m + 1]),
        list(c[m + 1 :]),
    )


prelu = Trainable("prelu", _create_prelu, _prelu, "He et al., ICCV (2015), https://arxiv.org/abs/1502.01852")
swish = Trainable(
    "swish", _create_swish, _swish, "Ramachandran, Zoph & Le (2017), https://arxiv.org/abs/1710.05941"
)
pelu = Trainable(
    "pelu", _create_pelu, _pelu, "Trottier, Giguère & Chaib-draa (2016), https://arxiv.org/abs/1605.09332"
)
srelu = Trainable("srelu", _create_srelu, _srelu, "Jin et al., AAAI (2016), https://arxiv.org/abs/1512.07030")
aconc = Trainable("aconc", _create_aconc, _aconc, "Ma et al., CVPR (2021), https://arxiv.org/abs/2009.04759")
rational = Trainable(
    "rational",
    _create_rational,
    _rational,
    "Molina, Schramowski & Kersting, ICLR (2020), https://arxiv.org/abs/1907.06732",
)
xielu = Trainable("xielu", _create_xielu, _xielu, "Huang & Schlag (2024), https://arxiv.org/abs/2411.13010")
dynamic_tanh = Trainable(
    "dynamic_tanh",
    _create_dynamic_tanh,
    _dynamic_tanh,
    "Zhu et al., CVPR (2025), https://arxiv.org/abs/2503.10622",
)
apl = Trainable(
    "apl", _create_apl, _apl, "Agostinelli et al., ICLR workshop (2015), https://arxiv.org/abs/1412.6830"
)
b_spline = Trainable(
    "b_spline", _create_b_spline, _b_spline, "Liu et al., ICLR (2025), https://arxiv.org/abs/2404.19756"
)
_SPECS = {
    spec.name: spec
    for spec in (prelu, swish, pelu, srelu, aconc, rational, xielu, dynamic_tanh, apl, b_spline)
}


def specs() -> Mapping[str, Trainable]:
    """All trainable activations by name.

    Example:
      >>> sorted(jaxacts.trainable.specs())[:3]
      ['aconc', 'apl', 'b_spline']
    """
    return MappingProxyType(_SPECS)
