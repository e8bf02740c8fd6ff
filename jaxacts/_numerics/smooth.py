"""Elementwise functions from a formula on series, with derivatives of every order by the same formula.

`smooth` turns a program on `Series` into a function of arrays with a `jax.custom_jvp` rule: the tangent is
the next Taylor coefficient of the same program, which has its own rule in turn. So `jax.grad`, `jax.hessian`
and higher orders, forward and reverse, with respect to x and to the parameters, all meet the accuracy of the
program.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from jaxacts._declare import as_inexact
from jaxacts._numerics import pair as pr
from jaxacts._numerics.interpreter import translate
from jaxacts._numerics.pair import Number, Pair
from jaxacts._numerics.pieces import require
from jaxacts._numerics.series import Series

Array = jax.Array

# An asymptote (slope, intercept): beyond the bound the function is slope * x + intercept to full precision.
# Where it depends on the parameters, it is a function of them.
Asymptote = tuple[Any, Any] | Callable[..., tuple[Any, Any]]
# |x| at which exponentially decaying functions have become their asymptotes, with any polynomial factor
EXPONENTIAL = {np.dtype(np.float32): 125.0, np.dtype(np.float64): 800.0}
# the largest finite number: for formulas that need every x and overflow nowhere
LARGEST = {
    np.dtype(np.float32): float(np.finfo(np.float32).max),
    np.dtype(np.float64): float(np.finfo(np.float64).max),
}
# |x| beyond which a product of pairs could overflow; inputs are clamped there unless a bound is given
_LARGEST = {np.dtype(np.float32): 2.0**100, np.dtype(np.float64): 2.0**900}
# the same where x is measured in units, so that other parameters may be as large as small
_MEASURABLE = {np.dtype(np.float32): 2.0**80, np.dtype(np.float64): 2.0**650}
# the same for a derivative in a parameter, which has a power of x more and goes on as a power from there
_SQUARABLE = {np.dtype(np.float32): 2.0**60, np.dtype(np.float64): 2.0**400}
# exponents of two: where a result is c x^d near zero, inputs below the limit for d are brought up to it and
# the result is scaled back, because the tail of a pair so small, or of its power, would be flushed to zero
_TINY = {
    np.dtype(np.float32): (-50, -50, -50, -30, -30),
    np.dtype(np.float64): (-471, -471, -471, -314, -235),
}
# where the leading power shows: a cube is still a normal number there
_CLOSE = {np.dtype(np.float32): 2.0**-40, np.dtype(np.float64): 2.0**-320}
# the integer of the same width, bits of the significand, and the bias of the exponent
_FORMAT = {np.dtype(np.float32): (np.int32, 23, 127), np.dtype(np.float64): (np.int64, 52, 1023)}


def widen(x: Any) -> tuple[Array, Callable[[Array], Array]]:
    """`x` in at least float32, and the function that rounds a result back to the type of `x`.

    16-bit (and 8-bit) inputs are widened once, on entry, so that value and derivatives are computed in
    float32 and rounded once; the same happens under jit and eagerly. The result for a Python number is weakly
    typed, as the number is: a factor in front of a bfloat16 array leaves it bfloat16.
    """
    x = as_inexact(x)
    kind = x.dtype
    if x.weak_type:
        return x, functools.partial(jnp.vectorize(lax.full_like), x)
    if kind.itemsize >= 4:
        return x, lambda y: y
    return x.astype(jnp.float32), lambda y: y.astype(kind)


def like(parameter: Any, x: Array) -> Any:
    """A parameter for use beside the widened `x`: a number stays exact, an array takes the type of `x`."""
    if isinstance(parameter, bool | int | float):
        return float(parameter)
    parameter = as_inexact(parameter).astype(x.dtype)
    if 0 < parameter.ndim < x.ndim:  # spelled out, as JAX can be told to refuse implicit rank promotion
        parameter = lax.expand_dims(parameter, range(x.ndim - parameter.ndim))
    return parameter


def smooth(
    program: Callable[..., Series],
    *,
    left: Asymptote | None = None,
    right: Asymptote | None = None,
    bound: dict[np.dtype, float] | float | None = None,
    rate: tuple[int, int] | None = None,
    quick: tuple[Callable[[Array], Array], ...] = (),
    quick_at: tuple[float, ...] = (),
) -> Callable[..., Array]:
    """An elementwise function of (x, *parameters) from a formula on series.

    Args:
      program: the formula; receives x as a `Series` and every parameter as a `Series` or an exact Python
        float.
      left: asymptote (slope, intercept) towards -inf, or a function of the parameters (floats or arrays) that
        returns it; needed where x itself would not be finite in the formula.
      right: the same towards +inf.
      bound: |x| beyond which the function equals its asymptotes; by default only where the square of a pair
        would overflow, so a larger one states that the formula takes no square of x.
      rate: (n, k) where f(s x; b) = s^k f(x; s b) for every s > 0 and b is the n-th parameter, and where f
        has settled once b x is large: with arrays, x is far out measured in a unit of its own, so that no
        power of it overflows and b may be as small as it likes.
      quick: float32 value and first derivative in plain arithmetic (see `quick.py`), functions of x alone.
      quick_at: the parameters they hold for, as plain numbers.

    Returns:
      A function of an array in float32 or float64 and parameters that broadcast against it.
    """

    @functools.cache
    def at(orders: tuple[int, ...], fixed: tuple[float | None, ...]) -> Callable[..., Array]:
        @jax.custom_jvp
        def evaluate(*args: Array) -> Array:
            plain = fixed == quick_at and len(orders) == 1 and orders[0] < len(quick)
            if plain and args[0].dtype == np.float32:
                return _compiled(quick[orders[0]], *args)
            return _evaluate(program, orders, fixed, left, right, bound, rate, *args)

        @functools.partial(evaluate.defjvp, symbolic_zeros=True)
        def rule(primals: tuple, tangents: tuple) -> tuple[Array, Any]:
            total = None
            for k, t in enumerate(tangents):
                if isinstance(t, SymbolicZero):
                    continue
                higher = tuple(n + (i == k) for i, n in enumerate(orders))
                term = at(higher, fixed)(*primals) * t
                total = term if total is None else total + term
            value = at(orders, fixed)(*primals)
            return value, jnp.zeros_like(value) if total is None else total

        return evaluate

    @functools.wraps(program)
    def function(x: Array, *parameters: Any) -> Array:
        for name, p in zip(program.__code__.co_varnames[1:], parameters, strict=False):
            require(name, p, isinstance(p, Array) or math.isfinite(p), "finite")
        fixed = tuple(p if isinstance(p, float) else None for p in parameters)
        arrays = [p for p in parameters if not isinstance(p, float)]
        if arrays:
            # an array parameter may be wider than x: it decides neither the type nor, unless it must, the
            # shape
            shape = jnp.broadcast_shapes(x.shape, *(p.shape for p in arrays))
            x, *arrays = (jnp.broadcast_to(a, shape) for a in (x, *arrays))
        return at((0,) * (1 + len(arrays)), fixed)(x, *arrays)

    return function


@functools.partial(jax.jit, static_argnums=0)
def _compiled(function, x):
    return function(x)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4, 5, 6))
def _jitted(program, orders, fixed, left, right, bound, rate, *args):
    return _formula(program, orders, fixed, left, right, bound, rate, *args)


def _evaluate(program, orders, fixed, left, right, bound, rate, *args):
    """Compiled once per type and shape when called eagerly, traced once for all that jit it."""
    if isinstance(bound, dict):
        bound = bound[np.dtype(args[0].dtype)]
    return _jitted(program, orders, fixed, left, right, bound, rate, *args)


def _formula(program, orders, fixed, left, right, bound, rate, x, *arrays):
    kind = np.dtype(x.dtype)
    order = orders[0]
    inner = order < sum(orders)  # a derivative in a parameter
    place, degree = rate or (0, 0)
    held = fixed[place] if rate else 0.0
    # in units of its own; with numbers alone only where they are so small that x is clamped before f settles
    measured = rate is not None and (bool(arrays) or 0 < abs(held) < 1e-20)
    if bound is None:
        bound = (_SQUARABLE if inner else _MEASURABLE if measured else _LARGEST)[kind]
    extended = inner and not measured and _SQUARABLE[kind] <= bound < LARGEST[kind]
    near, far = powers(program, orders, fixed, _judged(fixed, kind), extended)
    edge = pr.constant(x, bound)
    top = math.frexp(bound)[1] - 2 if measured else None  # twice that is still inside
    scaled, unit = _brought_inside(x, _TINY[kind][max(near)], top)
    inside = lax.clamp(lax.neg(edge), scaled, edge)
    given = iter(arrays)
    values = [next(given) if p is None else p for p in fixed]
    parameters = [p if isinstance(p, float) else pr.exact(p) for p in values]
    one = lax.full_like(x, 1.0)
    if measured:
        parameters[place] = _in_units(parameters[place], lax.max(unit, one))
    coefficient = _coefficient(program, orders, fixed, inside, parameters)
    # an overflow leaves an infinite head and a meaningless tail
    overflow = lax.eq(lax.abs(coefficient.head), pr.constant(x, math.inf))
    result = lax.select(overflow, coefficient.head, pr.to_float(coefficient))
    result = _at_ends(x, result, lax.min(unit, one), near)
    if measured:
        in_rate = orders[1 + fixed[:place].count(None)] if held is None else 0
        power = degree - order + in_rate
        result = _at_ends(x, result, lax.max(unit, one), (power, power))
    if extended:
        excess = lax.mul(lax.abs(x), lax.full_like(x, 1 / bound))
        result = _at_ends(x, result, lax.max(excess, one), far)
    if not inner:
        for asymptote, turned in ((left, lax.neg(x)), (right, x)):
            if asymptote is not None:
                beyond = lax.gt(turned, edge)
                if measured:  # one that depends on the parameters is not the function at every finite x
                    end = pr.constant(x, math.inf) if callable(asymptote) else edge
                    beyond = lax.ge(turned, end)
                slope, intercept = asymptote(*values) if callable(asymptote) else asymptote  # pyright: ignore[reportGeneralTypeIssues]
                result = lax.select(beyond, _line(slope, intercept, order, x), result)
    result = lax.select(lax.ne(x, x), x, result)
    # XLA computes sums and products again for every use, but a division once: without this one, by 1, a
    # consumer that reuses the result would evaluate all of the above many times
    single = pr.constant(x, 1.0)
    result = lax.div(result, lax.clamp(single, x, single))
    # XLA of jax 0.12 does not finish compiling some formulas together with a rounding to 16 bits
    return lax.optimization_barrier(result)


def _coefficient(program, orders, fixed, x: Array, parameters: Sequence[Number]) -> Pair:
    """The derivative of the given orders at `x`, as a pair; `fixed` is None where a parameter is an array."""
    zero = (0,) * len(orders)
    unit = lambda k: tuple(int(i == k) for i in range(len(orders)))  # noqa: E731

    def variable(k: int, value: Number) -> Series:
        return Series(orders, {zero: value, **({unit(k): 1.0} if orders[k] else {})})

    places = itertools.count(1)
    operands: list[Any] = []
    for held, value in zip(fixed, parameters, strict=True):
        if held is None:
            operands.append(variable(next(places), value))
        else:  # a number, in units of x no longer a plain one
            operands.append(Series(orders, {zero: value}) if isinstance(value, Pair) else value)
    coefficient = program(variable(0, pr.exact(x)), *operands).terms.get(orders, 0.0)
    factorial = float(math.prod(math.factorial(n) for n in orders))
    coefficient = pr.multiply(coefficient, factorial)
    return coefficient if isinstance(coefficient, Pair) else pr.literal(x, coefficient)


def _in_units(rate: Number, unit: Array) -> Pair:
    """A rate per unit, a power of two; at most 1 where there is one, as the function settles long before."""
    rate = rate if isinstance(rate, Pair) else pr.literal(unit, rate)
    one = lax.full_like(unit, 1.0)
    head = lax.mul(rate.head, unit)
    held = lax.select(lax.gt(unit, one), lax.clamp(lax.neg(one), head, one), head)
    return Pair(held, lax.select(lax.eq(held, head), lax.mul(rate.tail, unit), lax.full_like(unit, 0.0)))


def _brought_inside(x: Array, low: int, high: int | None) -> tuple[Array, Array]:
    """(y, unit) with x = y unit: |y| is about 2^low where |x| is below it but not 0, and about 2^high above.

    Between the two, y is x and the unit 1.
    """
    integer, digits, bias = _FORMAT[np.dtype(x.dtype)]
    bits = lax.bitcast_convert_type(lax.abs(x), integer)
    power = lax.bitwise_and(bits, integer(-(1 << digits)))  # of the power of two at or below |x|
    target = lax.max(power, lax.full_like(power, (low + bias) << digits))
    if high is not None:
        target = lax.min(target, lax.full_like(power, (high + bias) << digits))
    one = lax.full_like(power, bias << digits)
    shift = lax.select(lax.gt(power, integer(0)), lax.add(lax.sub(power, target), one), one)
    unit = lax.bitcast_convert_type(shift, x.dtype)
    inverse = lax.bitcast_convert_type(lax.sub(integer(2 * bias << digits), shift), x.dtype)
    return lax.mul(x, inverse), unit


def _at_ends(x: Array, result: Array, factor: Array, power: tuple[int, int]) -> Array:
    """The result times a power of the factor, one for x below zero and one for x above."""
    below, above = (functools.reduce(lax.mul if p > 0 else lax.div, [factor] * abs(p), result) for p in power)
    return below if power[0] == power[1] else lax.select(lax.lt(x, pr.constant(x, 0.0)), below, above)


# Stand-ins for array parameters, all different. Which power of x leads does not depend on the value, but a
# derivative may vanish on one side of a value: two choices, of which the one with the larger result counts.
# Even where only what rounding left shows it, the power is right.
_TYPICAL = np.array([[1.3 * 0.8**k, 0.7 * 1.25**k] for k in range(8)]).T


def _judged(fixed: tuple[float | None, ...], kind: np.dtype) -> np.dtype:
    """The type to find powers with: they are the same in all types, if the parameters are numbers there."""
    single = all(p is None or p == 0 or 1e-30 < abs(p) < 1e30 for p in fixed)
    return np.dtype(np.float32) if single else kind


@functools.cache
def powers(
    program: Callable[..., Series],
    orders: tuple[int, ...],
    fixed: tuple[float | None, ...],
    kind: np.dtype,
    extended: bool = False,
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The d for which a derivative is c x^d close to zero, and the p for which it is c x^p far out.

    Found by running the formula on NumPy at two points of every end.

    Args:
      program: as for :func:`smooth`.
      orders: of the derivative, in x and in the array parameters.
      fixed: the parameters, None for arrays.
      kind: the type to compute with.
      extended: whether p is wanted.

    Returns:
      d for x below and above zero, from 0 to 4; p towards -inf and +inf, from -3 to 3. They are 0 where the
      derivative vanishes or is not finite.
    """
    ends = [_CLOSE[kind], _SQUARABLE[kind] if extended else 1.0]
    points = np.array([sign * end / part for end in ends for sign in (-1, 1) for part in (1, 2)], kind)
    arrays = [np.repeat(values, len(points)).astype(kind) for values in _TYPICAL.T[: fixed.count(None)]]
    points = np.tile(points, len(_TYPICAL))

    def run(x, *arrays):
        given = iter(arrays)
        parameters = [pr.exact(next(given)) if p is None else p for p in fixed]
        return pr.to_float(_coefficient(program, orders, fixed, x, parameters))

    closed = jax.make_jaxpr(run)(points, *arrays)
    with np.errstate(all="ignore"):
        found = np.abs(translate(closed.jaxpr, closed.consts)(points, *arrays)[0].astype(np.float64))
        found = np.where(np.isfinite(found), found, 0.0).reshape(len(_TYPICAL), -1, 2)  # by ends, by parts
        larger = np.take_along_axis(found, found[..., :1].argmax(0)[None], 0)[0]
        ratios = larger[:, 0] / larger[:, 1]
        leads = np.where(np.isfinite(ratios) & (ratios > 0), np.rint(np.log2(ratios)), 0.0)
    near, far = np.clip(leads[:2], 0, 4).astype(int), np.clip(leads[2:], -3, 3).astype(int)
    return (int(near[0]), int(near[1])), (int(far[0]), int(far[1]))


def _line(slope: Any, intercept: Any, order: int, x: Array) -> Array:
    """A derivative of slope * x + intercept; a slope of zero counts also at infinite x."""
    slope, intercept = (jnp.broadcast_to(jnp.asarray(v, x.dtype), x.shape) for v in (slope, intercept))
    if order:  # an infinite slope stays infinite, and NaN stays NaN where there is no limit
        return slope if order == 1 else jnp.where(jnp.isfinite(slope), 0.0, slope)
    return jnp.where(slope == 0, intercept, slope * x + intercept)
