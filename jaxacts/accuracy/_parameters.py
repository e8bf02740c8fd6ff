"""The derivatives with respect to the parameters, measured like the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts.accuracy import _points, _run, _ulp


def worst(
    fn: Callable[..., jax.Array],
    name: str,
    params: Mapping[str, Any],
    form: _ulp.Format,
    breaks: tuple,
    count: int,
) -> dict[str, tuple[float, float, float, float]]:
    """For each real parameter the largest error of jax.grad in ULP, where it is, the result and the truth.

    Beside a zero crossing the unit is that of the largest value nearby, as for f''.

    Args:
      fn: the catalogue function, taking x and its parameters in order.
      name: its name in the reference.
      params: all its parameters; whole numbers are static and left alone.
      form: the float type of x and of the parameters.
      breaks: where its derivatives jump.
      count: how many points of each kind.
    """
    from jaxacts import reference

    places = {key: i for i, key in enumerate(params, start=1) if isinstance(params[key], float)}
    if not places:
        return {}
    # the truth is taken at the parameters that the type can hold
    held = {
        key: float(np.asarray(params[key]).astype(form.dtype)) if key in places else params[key]
        for key in params
    }
    x = _points.thin(form, breaks, count)
    computed = _gradients(fn, tuple(held.values()), tuple(places.values()), x, form)
    found = {}
    for key, got in zip(places, computed, strict=True):
        exact = [_run.pair(reference.parameter_derivative(name, key, float(p), **held)) for p in x]
        hi, lo = np.array(exact).T
        scale = np.where(
            _ulp.beside_crossing(x, hi), np.fmax(np.abs(hi), _ulp.window_maximum(x, hi)), np.abs(hi)
        )
        error = _ulp.errors(got, (hi, lo), scale, form)
        # a subnormal input may be taken for zero
        error = np.where((np.abs(x) < form.tiny) & (x != 0) & form.flushes & np.isfinite(got), 0.0, error)
        i = int(np.argmax(error))
        found[key] = (float(error[i]), float(x[i]), float(got[i]), float(hi[i]))
    return found


def _gradients(
    fn: Callable[..., jax.Array], values: tuple, places: tuple[int, ...], x: np.ndarray, form: _ulp.Format
) -> list[np.ndarray]:
    slope = jax.grad(fn, argnums=places)

    @jax.jit
    def program(points: jax.Array, reals: list[jax.Array]) -> tuple[jax.Array, ...]:
        arguments = list(values)
        for place, real in zip(places, reals, strict=True):
            arguments[place - 1] = real
        return jax.vmap(lambda point: slope(point, *arguments))(points)

    with _run.double_precision():
        reals = [jnp.asarray(np.asarray(values[place - 1]).astype(form.dtype)) for place in places]
        rows = program(jnp.asarray(x.astype(form.dtype)), reals)
        return [np.asarray(row).astype(np.float64) for row in rows]
