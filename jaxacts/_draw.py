"""The callable behind every initialiser, and the draws themselves."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import Array

Axes = int | tuple[int, ...]
DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")


@dataclass(frozen=True)
class Initializer:
    """A drop-in `(key, shape, dtype)` initialiser: hashable, equal by value, picklable.

    Frameworks whose initialisers are called without a key, `(shape, dtype)`, get one from the framework:
    Haiku's `hk.next_rng_key()` inside a transformed function, otherwise, when Keras is loaded, a key drawn
    from Python's generator, the one that `keras.utils.set_random_seed` seeds.

    Attributes:
      draw: the function that makes the array, `draw(key, shape, dtype, **settings)`.
      settings: its settings, as sorted pairs.
    """

    draw: Callable[..., Array]
    settings: tuple[tuple[str, Any], ...] = ()

    def __call__(self, key: Any, shape: Any = None, dtype: Any = None, out_sharding: Any = None) -> Array:
        """Draw an array of the given shape; the default type is JAX's default float."""
        if isinstance(key, tuple | list):  # (shape, dtype), as Haiku and Keras call it
            key, shape, dtype = _framework_key(), key, shape if dtype is None else dtype
        shape, dtype = _checked(shape, dtype)
        array = self.draw(key, shape, dtype, **dict(self.settings))
        return array if out_sharding is None else jax.device_put(array, out_sharding)

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={value!r}" for name, value in self.settings)
        return f"{self.draw.__name__}({inner})"


def initializer(draw: Callable[..., Array], **settings: Any) -> Initializer:
    """An initialiser with sorted, hashable settings, so that equal ones compare equal."""
    return Initializer(draw, tuple(sorted((name, _hashable(value)) for name, value in settings.items())))


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _framework_key() -> Array:
    """A key from the framework that called without one."""
    haiku = sys.modules.get("haiku")
    if haiku is not None:
        try:
            return haiku.next_rng_key()
        except ValueError:  # not inside hk.transform
            pass
    if "keras" in sys.modules:
        return jr.key(random.getrandbits(31))
    raise TypeError("an initialiser is called as init(key, shape, dtype); key was a shape")


def _checked(shape: Any, dtype: Any) -> tuple[tuple[int, ...], Any]:
    dtype = jnp.result_type(float) if dtype is None else jnp.dtype(dtype)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"dtype must be a real floating type, was {dtype}")
    try:
        sizes = tuple(int(size) for size in shape)
    except TypeError as error:
        raise TypeError(f"shape must be a sequence of integers, was {shape!r}") from error
    if any(size < 0 for size in sizes):
        raise ValueError(f"shape must have no negative sizes, was {sizes}")
    return sizes, dtype


def axes_product(shape: tuple[int, ...], name: str, axes: Axes) -> int:
    """The number of positions along some axes of a shape."""
    axes = (axes,) if isinstance(axes, int) else axes
    for axis in axes:
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"{name} must name axes of the shape {shape}, was {axis}")
    return math.prod(shape[axis] for axis in axes)


def fans(
    shape: Sequence[int], in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()
) -> tuple[float, float]:
    """Inputs of one output and outputs of one input; see `jaxacts.initializers.fans`."""
    shape = tuple(shape)
    if len(shape) < 2:
        raise ValueError(f"shape must have at least two axes, inputs and outputs, was {shape}")
    inputs = axes_product(shape, "in_axis", in_axis)
    outputs = axes_product(shape, "out_axis", out_axis)
    batch = axes_product(shape, "batch_axis", batch_axis)
    if min(shape) == 0:
        return float(inputs), float(outputs)
    receptive = math.prod(shape) / (inputs * outputs * batch)
    return inputs * receptive, outputs * receptive


def variance_scaled(
    key: Array,
    shape: tuple[int, ...],
    dtype: Any,
    *,
    scale: float,
    mode: str,
    distribution: str,
    in_axis: Axes,
    out_axis: Axes,
    batch_axis: Axes,
) -> Array:
    """Independent draws of mean 0 and variance scale / fan."""
    fan_in, fan_out = fans(shape, in_axis, out_axis, batch_axis)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    if fan == 0:
        return jnp.zeros(shape, dtype)
    # JAX's own draws, so that the default settings give its initialisers bit for bit.
    make: Any = jax.nn.initializers.variance_scaling
    return make(scale, mode, distribution, in_axis, out_axis, batch_axis)(key, shape, dtype)


def constant_normal(key: Array, shape: tuple[int, ...], dtype: Any, *, sigma: float) -> Array:
    """Independent normal draws of one standard deviation, whatever the shape: biases and embeddings."""
    if sigma == 0:
        return jnp.zeros(shape, dtype)
    return jr.normal(key, shape, dtype) * jnp.asarray(sigma, dtype)


def zeros(key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """All zeros."""
    del key
    return jnp.zeros(shape, dtype)


def orthogonal_matrix(
    key: Array, shape: tuple[int, ...], dtype: Any, *, scale: float, column_axis: int
) -> Array:
    """Orthonormal rows or columns, whichever are fewer, uniform over the orthogonal group."""
    if len(shape) < 2:
        raise ValueError(f"shape must have at least two axes, was {shape}")
    axes_product(shape, "column_axis", column_axis)
    if min(shape) == 0:
        return jnp.zeros(shape, dtype)
    # The factorisation needs at least float32; 16-bit types are rounded once, at the end.
    wide = jnp.float32 if jnp.finfo(dtype).bits < 32 else dtype
    columns = shape[column_axis]
    rows = math.prod(shape) // columns
    tall = jr.normal(key, (max(rows, columns), min(rows, columns)), wide)
    q, r = jnp.linalg.qr(tall)
    # Without the signs the law of q depends on the factorisation's convention (Mezzadri 2007).
    signs = jnp.where(jnp.diagonal(r) < 0, -1, 1).astype(wide)
    q = q * signs[None, :]
    matrix = (q if rows >= columns else q.T) * jnp.asarray(scale, wide)
    rest = tuple(size for axis, size in enumerate(shape) if axis != column_axis % len(shape))
    return jnp.moveaxis(matrix.reshape(*rest, columns), -1, column_axis).astype(dtype)


def delta_orthogonal_kernel(key: Array, shape: tuple[int, ...], dtype: Any, *, scale: float) -> Array:
    """A convolution kernel that is an orthogonal matrix at its centre and zero elsewhere."""
    if not 3 <= len(shape) <= 5:
        raise ValueError(f"shape must be (*spatial, in, out) with one to three spatial axes, was {shape}")
    *spatial, inputs, outputs = shape
    if inputs > outputs:
        raise ValueError(
            f"shape must have no more inputs than outputs, or the map loses norm; was {inputs} -> {outputs}"
        )
    if min(shape) == 0:
        return jnp.zeros(shape, dtype)
    centre = tuple((size - 1) // 2 for size in spatial)
    matrix = orthogonal_matrix(key, (inputs, outputs), dtype, scale=scale, column_axis=-1)
    return jnp.zeros(shape, dtype).at[centre].set(matrix)
