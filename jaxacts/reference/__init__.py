"""Textbook formulas of the elementwise catalogue in mpmath, the truth that `jaxacts check` compares with.

Written from the papers, never from the code it judges: it imports nothing else of jaxacts. Values, first
and second derivatives come from truncated Taylor arithmetic with at least 80 working digits and more for
very large or small arguments, so about 50 digits are right everywhere, also in the tails. At a kink the
derivatives are those of the branch that owns the point, which is the convention the catalogue documents.
"""

from __future__ import annotations

import inspect
import math
import threading
from types import MappingProxyType
from typing import Any

import mpmath

from jaxacts.reference import _gated, _piecewise, _saturating
from jaxacts.reference._jets import Formula, Jet, mp, seeded

__all__ = ["jet", "limit", "names", "parameter_derivative", "parameters", "value"]

_FORMULAS: dict[str, Formula] = {
    name: formula
    for module in (_piecewise, _saturating, _gated)
    for name, formula in vars(module).items()
    if inspect.isfunction(formula) and formula.__module__ == module.__name__ and not name.startswith("_")
}

# The working digits are a setting of the one context `mp`: two threads would change each other's.
_LOCK = threading.RLock()

# Lowest derivative order that has no limit at -inf and at +inf (3: all orders asked for have one).
_OSCILLATES = {
    "sine": (0, 0), "cosine": (0, 0), "gcu": (0, 0), "asu": (0, 0), "hosc": (0, 0), "exp_sin": (0, 0),
    "snake": (1, 1), "sinlu": (3, 1), "coslu": (3, 1), "sinerelu": (0, 3),
}  # fmt: skip


def names() -> tuple[str, ...]:
    """All functions that have a formula here, sorted."""
    return tuple(sorted(_FORMULAS))


def parameters(name: str) -> MappingProxyType[str, float]:
    """Names and defaults of the parameters of a formula, in order."""
    found = list(inspect.signature(_formula(name)).parameters.values())[1:]
    return MappingProxyType({parameter.name: parameter.default for parameter in found})


def jet(name: str, x: float, order: int = 2, **params: float) -> tuple[Any, ...]:
    """f(x), f'(x), … up to the given order in one pass.

    Args:
      name: a name from :func:`names`.
      x: a finite float, taken exactly.
      order: the highest derivative, 0 to 2.
      **params: parameters, taken at their float value; defaults for the rest.

    Returns:
      `order + 1` numbers of type `mpmath.mpf` with about 50 right digits.

    Raises:
      ValueError: for an unknown name, an order that is not 0, 1 or 2, or an x that is not finite.
      TypeError: for an unknown parameter.

    Example:
      >>> [float(d) for d in jaxacts.reference.jet("square", 3.0)]
      [9.0, 6.0, 2.0]
    """
    if order not in (0, 1, 2):
        raise ValueError(f"order must be 0, 1 or 2, was {order!r}")
    with _LOCK:
        formula, bound = _bind(name, params)
        x = _exact("x", x)
        with mp.workdps(_digits(x, *bound.values())):
            result = formula(seeded(x, order), **bound)
            return tuple(mpmath.mp.make_mpf(d._mpf_) for d in result.d)


def value(name: str, x: float, order: int = 0, **params: float) -> Any:
    """The value (order 0), derivative (1) or second derivative (2) of a catalogue function.

    Args:
      name: a name from :func:`names`.
      x: a finite float, taken exactly.
      order: 0, 1 or 2.
      **params: parameters, taken at their float value; defaults for the rest.

    Returns:
      An `mpmath.mpf` with about 50 right digits.

    Raises:
      ValueError: for an unknown name, an order that is not 0, 1 or 2, or an x that is not finite.
      TypeError: for an unknown parameter.

    Example:
      >>> jaxacts.reference.value("sigmoid", -800.0, order=1)  # e^-800 is too small for float64
      mpf('3.6678745841776872e-348')
    """
    return jet(name, x, order, **params)[order]


def parameter_derivative(name: str, parameter: str, x: float, **params: float) -> Any:
    """The derivative of f(x, parameters) with respect to one parameter.

    Args:
      name: a name from :func:`names`.
      parameter: which of its parameters.
      x: a finite float, taken exactly.
      **params: where to take the derivative; defaults for the rest.

    Returns:
      An `mpmath.mpf` with about 50 right digits.

    Raises:
      ValueError: for an unknown name or an x that is not finite.
      TypeError: for an unknown parameter.

    Example:
      >>> float(jaxacts.reference.parameter_derivative("snake", "a", 3.0, a=0.0))
      9.0
    """
    with _LOCK:
        formula, bound = _bind(
            name, {**params, parameter: params.get(parameter, parameters(name).get(parameter, 0.0))}
        )
        x = _exact("x", x)
        with mp.workdps(_digits(x, *bound.values())):
            bound[parameter] = seeded(bound[parameter], 1)
            result = formula(x, **bound)
            return mpmath.mp.make_mpf((result.d[1] if isinstance(result, Jet) else mp.zero)._mpf_)


def limit(name: str, side: float, order: int = 0, **params: float) -> float:
    """The limit of f, f' or f'' at -inf or +inf, NaN where there is none.

    Args:
      name: a name from :func:`names`.
      side: negative for -inf, positive for +inf.
      order: 0, 1 or 2.
      **params: parameters; defaults for the rest.

    Returns:
      The limit as a float, possibly infinite.

    Raises:
      ValueError: for an unknown name or an order that is not 0, 1 or 2.
      TypeError: for an unknown parameter.

    Example:
      >>> jaxacts.reference.limit("gelu", -1), jaxacts.reference.limit("gelu", +1, order=1)
      (0.0, 1.0)
    """
    lowest = _OSCILLATES.get(name, (3, 3))[side > 0]
    if order >= lowest:
        return math.nan
    near, far = (value(name, math.copysign(x, side), order, **params) for x in (1e150, 1e300))
    # Between 1e150 and 1e300 a convergent branch moves by less than one part in 1e100 (all approach their
    # limit at least like 1/x) or has vanished; what still moves grows without bound, if only like log x.
    if abs(far) < 1e-100:
        return 0.0
    if abs(far - near) > abs(far) * 1e-100:
        return math.copysign(math.inf, far)
    return float(far)


def _formula(name: str) -> Formula:
    if name not in _FORMULAS:
        raise ValueError(
            f"there is no reference formula for {name!r}; jaxacts.reference.names() lists those there are"
        )
    return _FORMULAS[name]


def _bind(name: str, params: dict[str, float]) -> tuple[Formula, dict[str, Any]]:
    formula, defaults = _formula(name), parameters(name)
    for given in params:
        if given not in defaults:
            raise TypeError(
                f"{name} has no parameter {given!r}; its parameters are: {', '.join(defaults) or 'none'}"
            )
    return formula, {key: _exact(key, number) for key, number in {**defaults, **params}.items()}


def _exact(name: str, number: float) -> Any:
    number = float(number)
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, was {number}; see jaxacts.reference.limit")
    return mp.mpf(number)


def _digits(*numbers: Any) -> int:
    """Working digits: 80, and five more for each power of ten between a number and 1.

    A second derivative of a sum such as x - x/(1+x²)^(1/2) cancels up to the fourth power of x.
    """
    return 80 + sum(5 * abs(math.frexp(float(n))[1]) * 3 // 10 for n in numbers if n)
