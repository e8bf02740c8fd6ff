"""A JAX function evaluated by NumPy: no compilation, so a hundred different functions take a second.

Compiling costs a fifth of a second per function, tracing a few milliseconds. Here the traced program is run
equation by equation on NumPy arrays of the same types; what has no line in the table below is handed to JAX.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def _wide(function: Callable[[float], float]) -> Callable[[np.ndarray], np.ndarray]:
    """A function of the standard library on arrays, computed in double precision and rounded once."""
    vectorised = np.vectorize(function, otypes=[np.float64])

    def apply(x: np.ndarray, **_: Any) -> np.ndarray:
        return vectorised(x.astype(np.float64)).astype(x.dtype)

    return apply


def _lgamma(x: float) -> float:
    return math.inf if math.isinf(x) or (x <= 0 and x == math.floor(x)) else math.lgamma(x)


def _logistic(x: np.ndarray, **_: Any) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(x.dtype)


def _broadcast(x: np.ndarray, *, shape: Any, broadcast_dimensions: Any, **_: Any) -> np.ndarray:
    inner = [1] * len(shape)
    for size, axis in zip(x.shape, broadcast_dimensions, strict=True):
        inner[axis] = size
    return np.broadcast_to(x.reshape(inner), shape)


def _select(which: np.ndarray, *cases: np.ndarray, **_: Any) -> np.ndarray:
    if len(cases) == 2:
        return np.where(which, cases[1], cases[0])
    return np.choose(which, cases)


def _divide(x: np.ndarray, y: np.ndarray, **_: Any) -> np.ndarray:
    if np.issubdtype(x.dtype, np.floating):
        return x / y
    return np.where(y == 0, -1, np.trunc(x / np.where(y == 0, 1, y))).astype(x.dtype)  # C's division


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args, **_: function(*args)


_TABLE: dict[str, Callable[..., Any]] = {
    name: _plain(function)
    for name, function in {
        "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply, "neg": np.negative,
        "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "exp": np.exp, "exp2": np.exp2, "log": np.log,
        "log1p": np.log1p, "expm1": np.expm1, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "tan": np.tan,
        "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh,
        "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "sqrt": np.sqrt,
        "cbrt": np.cbrt, "pow": np.power, "abs": np.abs, "max": np.maximum, "min": np.minimum, "rem": np.fmod,
        "is_finite": np.isfinite, "square": np.square, "eq": np.equal, "ne": np.not_equal, "lt": np.less,
        "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "nextafter": np.nextafter,
        "stop_gradient": np.asarray, "copy": np.asarray, "copy_p": np.asarray,
    }.items()
}  # fmt: skip
_TABLE |= {
    "div": _divide,
    "logistic": _logistic,
    "erf": _wide(math.erf),
    "erfc": _wide(math.erfc),
    "lgamma": _wide(_lgamma),
    "rsqrt": lambda x, **_: (1 / np.sqrt(x)).astype(x.dtype),
    "integer_pow": lambda x, *, y, **_: x**y if y >= 0 else (1 / x ** (-y)).astype(x.dtype),
    "and": lambda x, y, **_: np.logical_and(x, y) if x.dtype == bool else np.bitwise_and(x, y),
    "or": lambda x, y, **_: np.logical_or(x, y) if x.dtype == bool else np.bitwise_or(x, y),
    "xor": lambda x, y, **_: np.logical_xor(x, y) if x.dtype == bool else np.bitwise_xor(x, y),
    "not": lambda x, **_: np.logical_not(x) if x.dtype == bool else np.invert(x),
    "select_n": _select,
    "clamp": lambda low, x, high, **_: np.minimum(np.maximum(x, low), high),
    "convert_element_type": lambda x, *, new_dtype, **_: x.astype(new_dtype),
    "bitcast_convert_type": lambda x, *, new_dtype, **_: np.ascontiguousarray(x).view(new_dtype),
    "broadcast_in_dim": _broadcast,
    "reshape": lambda x, *, new_sizes, **_: x.reshape(new_sizes),
    "squeeze": lambda x, *, dimensions, **_: np.squeeze(x, axis=tuple(dimensions)),
}

# Calls to run inside: the name of the parameter that holds the program.
_CALLS = {
    "jit": "jaxpr", "pjit": "jaxpr", "closed_call": "call_jaxpr", "core_call": "call_jaxpr",
    "checkpoint": "jaxpr", "remat": "jaxpr", "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}  # fmt: skip


def run(jaxpr: Any, consts: Any, args: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Evaluate a program on NumPy arrays.

    Args:
      jaxpr: the program, as in `jax.make_jaxpr(f)(x).jaxpr`.
      consts: its constants.
      args: its arguments.

    Returns:
      Its results.
    """
    values: dict[Any, np.ndarray] = {}
    values.update(zip(jaxpr.constvars, map(np.asarray, consts), strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))

    def read(atom: Any) -> np.ndarray:
        if hasattr(atom, "val"):  # a literal
            return np.asarray(atom.val, dtype=atom.aval.dtype)
        return values[atom]

    for equation in jaxpr.eqns:
        inputs = [read(atom) for atom in equation.invars]
        results = _apply(equation, inputs)
        for variable, result in zip(equation.outvars, results, strict=True):
            dtype = variable.aval.dtype
            values[variable] = result if result.dtype == dtype else result.astype(dtype)
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    name, params = equation.primitive.name, equation.params
    if name in _TABLE:
        return [np.asarray(_TABLE[name](*inputs, **params))]
    if name == "optimization_barrier":
        return inputs
    if name in _CALLS:
        inner = params[_CALLS[name]]
        return run(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), tuple(inputs))
    with jax.ensure_compile_time_eval():
        results = equation.primitive.bind(*inputs, **params)
    return [np.asarray(result) for result in (results if equation.primitive.multiple_results else [results])]
