"""The one door to quadrature: on the host when the numbers are known, in JAX when they are traced."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts import _declare
from jaxacts.moments import _adaptive, _mesh, _pairs, _sampling, _table, _traced

Array = jax.Array
# Plain arithmetic from f(x), with `slope` f'(x) too, with `point` x before both; on NumPy and on JAX arrays.
Integrands = Callable[..., tuple[Any, ...]]

# Arrays of up to this many known settings are integrated one by one on the host: nothing is compiled there.
_MANY, _MANY_PAIRS = 4096, 64
# Variances for which a callable's table holds; others are integrated adaptively.
_TABLE_FROM, _TABLE_TO = 1e-12, 1.5e6


class Integrals(NamedTuple):
    """Expectations (k,) or (k, *shape) and estimates of their errors; NumPy where the numbers are known."""

    value: Any
    error: Any


def integrals(
    f: Callable[..., Any],
    integrands: Integrands,
    q: Any,
    mean: Any = 0.0,
    *,
    slope: bool = False,
    point: bool = False,
) -> Integrals:
    """Expectations of several functions of f(x) and f'(x) for x ~ N(mean, q)."""
    _sampling.check_callable(f)
    check_variance("q", q)
    if not _sampling.is_traced(q, mean) and 0 < np.broadcast(q, mean).size <= _MANY:
        try:
            with np.errstate(all="ignore"):  # what is not finite is reported in words
                return each(lambda q, mean: _on_host(f, integrands, q, mean, slope, point), q, mean)
        except _sampling.TracedCallable:
            pass
    return _in_jax(f, integrands, q, mean, slope, point)


def pair_integrals(
    f: Callable[..., Any], integrands: Integrands, q1: Any, q2: Any, c: Any, *, slope: bool = False
) -> Integrals:
    """Expectations E[g(u) g(v)] of several functions g of f and f' for correlated u and v."""
    _sampling.check_callable(f)
    check_variance("q1", q1)
    check_variance("q2", q2)
    check_correlation(c)
    if not _sampling.is_traced(q1, q2, c) and 0 < np.broadcast(q1, q2, c).size <= _MANY_PAIRS:
        try:
            with np.errstate(all="ignore"):
                return each(lambda q1, q2, c: _pair_on_host(f, integrands, q1, q2, c, slope), q1, q2, c)
        except _sampling.TracedCallable:
            pass
    dtype = jnp.result_type(float)
    q1, q2, c = jnp.broadcast_arrays(*(jnp.asarray(value).astype(dtype) for value in (q1, q2, c)))
    rows, edges, breaks = _rows(f, integrands, slope), _mesh.edges(f), _mesh.breaks(f)
    if _declare.record(f) is None:
        breaks = _mesh.undeclared(f)
    one = functools.partial(_traced.integrate_pair, rows, edges, breaks)
    if c.ndim == 0:
        return Integrals(*one(q1, q2, c))
    value, error = jax.vmap(one, out_axes=1)(q1.ravel(), q2.ravel(), c.ravel())
    return Integrals(value.reshape(-1, *c.shape), error.reshape(-1, *c.shape))


def each(one: Callable[..., Integrals], *settings: Any) -> Integrals:
    """The integrals at each of several known settings, which broadcast."""
    arrays = np.broadcast_arrays(*(np.asarray(setting, dtype=float) for setting in settings))
    if arrays[0].ndim == 0:
        return one(*map(float, arrays))
    parts = [one(*map(float, values)) for values in zip(*(array.ravel() for array in arrays), strict=True)]
    shape = (-1, *arrays[0].shape)
    return Integrals(*(np.stack(rows, axis=-1).reshape(shape) for rows in zip(*parts, strict=True)))


def _pair_on_host(f, integrands: Integrands, q1: float, q2: float, c: float, slope: bool) -> Integrals:
    table = _table.table(f)

    def rows(x: np.ndarray) -> np.ndarray:
        return np.stack(integrands(*table.evaluate(x, slope)))

    if q1 == 0 or q2 == 0:  # one of the two is a constant
        at_zero = np.stack(integrands(*_sampling.sample(f, np.zeros(1), slope=slope)))[:, 0]
        other = _on_host(f, integrands, max(q1, q2), 0.0, slope)
        return Integrals(at_zero * other.value, np.abs(at_zero) * other.error)
    edges = np.array(_mesh.edges(f))
    breaks = np.array(_mesh.undeclared(f) if _declare.record(f) is None else _mesh.breaks(f), dtype=float)
    return Integrals(*_pairs.integrate_pair(rows, edges, breaks, q1, q2, c, _sampling.roundoff(f)))


def _rows(
    f: Callable[..., Any], integrands: Integrands, slope: bool, point: bool = False
) -> Callable[[Array], Array]:
    def rows(x: Array) -> Array:
        values = _sampling.value_and_slope(f, x) if slope else (f(x),)
        return jnp.stack(integrands(*((x,) if point else ()), *values))

    return rows


def _on_host(f, integrands: Integrands, q: float, mean: float, slope: bool, point: bool = False) -> Integrals:
    def rows(x: np.ndarray) -> np.ndarray:
        values = _sampling.sample(f, x, slope=slope)
        return np.stack(integrands(*((x,) if point else ()), *values))

    if not np.isfinite(q + mean):
        raise ValueError(f"q and mean must be finite, were {q} and {mean}")
    eps = _sampling.roundoff(f)
    if q == 0:
        value = rows(np.array([mean]))[:, 0]
        return Integrals(value, eps * np.abs(value))
    if mean == 0 and _TABLE_FROM <= q <= _TABLE_TO:
        value, error, size = _table.table(f).integrals(integrands, q, slope, point, eps)
        # f itself is resolved to 1e-12 on these panels; with the Gaussian, coefficients that end at 1e-9 mean
        # an integral good to rounding, because the rule is exact to twice that degree.
        if np.all(error <= 1e-9 * size):
            return Integrals(value, error)
    return Integrals(*_adaptive.integrate(rows, q, mean, _mesh.breaks(f), eps))


def _in_jax(f, integrands: Integrands, q: Any, mean: Any, slope: bool, point: bool) -> Integrals:
    dtype = jnp.result_type(float)
    q, mean = jnp.broadcast_arrays(jnp.asarray(q).astype(dtype), jnp.asarray(mean).astype(dtype))
    one = functools.partial(_traced.integrate, _rows(f, integrands, slope, point), _mesh.edges(f))
    if q.ndim == 0:
        return Integrals(*one(q, mean))
    value, error = jax.vmap(one, out_axes=1)(q.ravel(), mean.ravel())
    return Integrals(value.reshape(-1, *q.shape), error.reshape(-1, *q.shape))


def check_variance(name: str, q: Any) -> None:
    """Refuse negative variances where the number is known."""
    if not _sampling.is_traced(q) and np.any(np.asarray(q) < 0):
        raise ValueError(f"{name} is a variance and cannot be negative, was {q}")


def check_correlation(c: Any) -> None:
    """Refuse correlations outside [-1, 1] where the number is known."""
    if not _sampling.is_traced(c) and not np.all(np.abs(np.asarray(c)) <= 1):
        raise ValueError(f"c is a correlation and must lie in [-1, 1], was {c}")
