"""A JAX function evaluated by NumPy: no compilation, so a hundred different functions take a second.

Compiling costs a fifth of a second per function, tracing a few milliseconds. Here the traced program is run
equation by equation on NumPy arrays of the same types; what has no line in the tables below is handed to JAX.
"""

from __future__ import annotations

import functools
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


def _round(x: np.ndarray, *, rounding_method: Any, **_: Any) -> np.ndarray:
    if rounding_method == jax.lax.RoundingMethod.TO_NEAREST_EVEN:
        return np.rint(x)
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


# By name: primitives that are one NumPy function whatever their parameters, and those that look at them.
_PLAIN: dict[str, Callable[..., Any]] = {
    "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply, "neg": np.negative,
    "sign": np.sign, "floor": np.floor, "ceil": np.ceil, "exp": np.exp, "log": np.log, "log1p": np.log1p,
    "expm1": np.expm1, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin,
    "acos": np.arccos, "atan": np.arctan, "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh,
    "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh, "cbrt": np.cbrt, "pow": np.power,
    "abs": np.abs, "max": np.maximum, "min": np.minimum, "rem": np.fmod, "is_finite": np.isfinite,
    "square": np.square, "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal, "shift_left": np.left_shift,
    "shift_right_arithmetic": np.right_shift,
}  # fmt: skip
_TABLE: dict[str, Callable[..., Any]] = {
    "div": _divide,
    "logistic": _logistic,
    "erf": _wide(math.erf),
    "erfc": _wide(math.erfc),
    "lgamma": _wide(_lgamma),
    "round": _round,
    "exp2": lambda x, **_: np.exp2(x),
    "sqrt": lambda x, **_: np.sqrt(x),
    "copy": lambda x, **_: x,
    "copy_p": lambda x, **_: x,
    "rsqrt": lambda x, **_: (1 / np.sqrt(x)).astype(x.dtype),
    "integer_pow": lambda x, *, y, **_: x**y if y >= 0 else (1 / x ** (-y)).astype(x.dtype),
    "and": lambda x, y, **_: np.logical_and(x, y) if x.dtype == bool else np.bitwise_and(x, y),
    "or": lambda x, y, **_: np.logical_or(x, y) if x.dtype == bool else np.bitwise_or(x, y),
    "xor": lambda x, y, **_: np.logical_xor(x, y) if x.dtype == bool else np.bitwise_xor(x, y),
    "not": lambda x, **_: np.logical_not(x) if x.dtype == bool else np.invert(x),
    "select_n": _select,
    "clamp": lambda low, x, high, **_: np.minimum(np.maximum(x, low), high),
    "convert_element_type": lambda x, *, new_dtype, **_: x.astype(new_dtype),
    "bitcast_convert_type": lambda x, *, new_dtype, **_: np.array(x, order="C").view(new_dtype),
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


class _Compiler:
    """Turns a program, calls inlined, into a list of steps on numbered places."""

    def __init__(self) -> None:
        self.start: list[Any] = []  # initial contents: constants where known, None where computed
        self.steps: list[tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]]] = []

    def place(self, value: Any = None) -> int:
        self.start.append(value)
        return len(self.start) - 1

    def add(self, jaxpr: Any, consts: Any, inputs: list[int]) -> list[int]:
        """Append the steps of one program; returns where its results will be."""
        where: dict[Any, int] = dict(zip(jaxpr.invars, inputs, strict=True))
        for variable, value in zip(jaxpr.constvars, consts, strict=True):
            where[variable] = self.place(np.asarray(value))

        def read(atom: Any) -> int:
            if hasattr(atom, "val"):  # a literal
                return self.place(np.asarray(atom.val, dtype=atom.aval.dtype))
            return where[atom]

        for equation in jaxpr.eqns:
            sources = [read(atom) for atom in equation.invars]
            name, params = equation.primitive.name, equation.params
            if name == "optimization_barrier":
                targets = sources
            elif name in _CALLS:
                inner = params[_CALLS[name]]
                targets = self.add(getattr(inner, "jaxpr", inner), getattr(inner, "consts", ()), sources)
            else:
                targets = [self.place() for _ in equation.outvars]
                self.steps.append((_step(equation), tuple(sources), tuple(targets)))
            where.update(zip(equation.outvars, targets, strict=True))
        return [read(atom) for atom in jaxpr.outvars]


def _step(equation: Any) -> Callable[..., Any]:
    """One equation as a function of NumPy arrays; of several results it returns a tuple."""
    name, params = equation.primitive.name, equation.params
    if name in _PLAIN:
        return _PLAIN[name]
    if name == "broadcast_in_dim" and equation.invars[0].aval.shape == ():
        return _same  # scalars broadcast by themselves
    shapes = [atom.aval.shape for atom in equation.invars]
    if name in _TABLE:
        function = _TABLE[name]
        if name in ("reshape", "squeeze", "broadcast_in_dim"):
            return lambda x: function(np.broadcast_to(x, shapes[0]), **params)
        return functools.partial(function, **params)

    def hand_over(*inputs: np.ndarray) -> Any:
        whole = [np.broadcast_to(x, shape) for x, shape in zip(inputs, shapes, strict=True)]
        with jax.ensure_compile_time_eval():
            results = equation.primitive.bind(*whole, **params)
        several = results if equation.primitive.multiple_results else [results]
        found = [np.asarray(result) for result in several]
        return found[0] if len(found) == 1 else tuple(found)

    return hand_over


def _same(x: np.ndarray) -> np.ndarray:
    return x


def translate(jaxpr: Any, consts: Any) -> Callable[..., list[np.ndarray]]:
    """A program as a function of NumPy arrays.

    Args:
      jaxpr: the program, as in `jax.make_jaxpr(f)(x).jaxpr`.
      consts: its constants.

    Returns:
      A function from the arguments to the list of results.
    """
    compiler = _Compiler()
    arguments = [compiler.place() for _ in jaxpr.invars]
    results = compiler.add(jaxpr, consts, arguments)
    shapes = [(variable.aval.shape, variable.aval.dtype) for variable in jaxpr.outvars]

    def run(*inputs: np.ndarray) -> list[np.ndarray]:
        values = compiler.start.copy()
        for argument, x in zip(arguments, inputs, strict=True):
            values[argument] = x
        for function, sources, targets in compiler.steps:
            result = function(*[values[source] for source in sources])
            if len(targets) == 1:
                values[targets[0]] = result
            else:
                for target, part in zip(targets, result, strict=True):
                    values[target] = part
        return [
            np.broadcast_to(values[place], shape).astype(dtype)
            for place, (shape, dtype) in zip(results, shapes, strict=True)
        ]

    return run
