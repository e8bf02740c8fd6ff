"""Random networks of finite width, to hold against the prediction."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from jaxacts.moments import _sampling

Array = jax.Array


class Case(NamedTuple):
    """One network to simulate: its activation and its setting.

    Attributes:
      f: the activation.
      sigma_w: standard deviation of the weights times the square root of the fan-in.
      sigma_b: standard deviation of the biases.
      q0: variance of the first pre-activations.
      c0: correlation of the two inputs' first pre-activations.
    """

    f: Callable[..., Any]
    sigma_w: float
    sigma_b: float = 0.0
    q0: float = 1.0
    c0: float = 0.5


class Simulation(NamedTuple):
    """Measurements of random networks, each of shape (networks, depth + 1).

    Attributes:
      q: mean square of the first input's pre-activations, over units.
      other: the same for the second input.
      product: mean product of the two inputs' pre-activations.
      gradient: mean square of a random output gradient, carried back to each layer's pre-activations.
    """

    q: np.ndarray
    other: np.ndarray
    product: np.ndarray
    gradient: np.ndarray


def simulate(
    cases: Sequence[Case], depth: int, width: int, *, networks: int = 16, seed: int = 0
) -> list[Simulation]:
    """Push two correlated inputs forward and one gradient back through random fully connected networks.

    All cases see the same standard normal weights, which makes them cheap together (the draws are what costs)
    and comparable. Each network is one draw; gradients are exact, by the chain rule.

    Args:
      cases: activations with their settings.
      depth: number of layers after the first pre-activation.
      width: width of all layers.
      networks: number of independent networks.
      seed: seed of all draws.

    Returns:
      One :class:`Simulation` a case.

    Raises:
      ValueError: if a size is not positive.

    Example:
      >>> case = jaxacts.meanfield.Case(jaxacts.relu, 2**0.5)
      >>> [simulation] = jaxacts.meanfield.simulate([case], depth=3, width=64, networks=4)
      >>> simulation.q.shape
      (4, 4)
    """
    if min(depth, width, networks) < 1:
        raise ValueError(f"depth, width and networks must be positive, were {depth}, {width} and {networks}")
    for case in cases:
        _sampling.check_callable(case.f)
    # Sixty-four million numbers at a time, weights and activations: 256 MB.
    batch = max(1, min(networks, 64_000_000 // (depth * width * (width + 4 * len(cases)))))
    batches = -(-networks // batch)
    batch = -(-networks // batches)  # equal batches: every shape costs a compilation
    parts = [
        _batch(cases, depth, width, batch, jr.fold_in(jr.key(seed), number)) for number in range(batches)
    ]
    return [
        Simulation(*(np.concatenate(arrays)[:networks] for arrays in zip(*part, strict=True)))
        for part in zip(*parts, strict=True)
    ]


def _batch(cases: Sequence[Case], depth: int, width: int, count: int, key: Array) -> list[Simulation]:
    first, last, layers = jr.split(key, 3)
    noise = jr.normal(first, (2, count, width))
    draws = [_draws(key, width, count) for key in jr.split(layers, depth)]
    settings = [(case.sigma_w, case.sigma_b, case.q0, case.c0) for case in cases]
    sigma_w, sigma_b, q0, c0 = (jnp.array(column) for column in zip(*settings, strict=True))
    z = _inputs(noise, q0, c0)  # (cases, inputs, networks, units)
    measured = [_measures(z)]
    slopes = []
    for w, b in draws:
        h, slope = _activated([case.f for case in cases], z)
        z = _forward(h, w, b, sigma_w, sigma_b)
        slopes.append(slope[:, 0])
        measured.append(_measures(z))
    delta = jnp.broadcast_to(jr.normal(last, (count, width)), (len(cases), count, width))
    gradients = [jnp.mean(delta**2, -1)]
    for (w, _), slope in zip(reversed(draws), reversed(slopes), strict=True):
        delta = _backward(delta, w, slope, sigma_w)
        gradients.append(jnp.mean(delta**2, -1))
    # From one array a layer, (cases, networks), to one a case, (networks, layers).
    q, other, product = (np.stack([np.asarray(row[k]) for row in measured], -1) for k in range(3))
    gradient = np.stack([np.asarray(row) for row in reversed(gradients)], -1)
    return [Simulation(*rows) for rows in zip(q, other, product, gradient, strict=True)]


@jax.jit
def _inputs(noise: Array, q0: Array, c0: Array) -> Array:
    c0 = c0[:, None, None]
    pair = jnp.stack([noise[:1] + 0 * c0, c0 * noise[:1] + jnp.sqrt(1 - c0 * c0) * noise[1:]], axis=1)
    return jnp.sqrt(q0)[:, None, None, None] * pair


@jax.jit
def _measures(z: Array) -> tuple[Array, Array, Array]:
    first, second = z[:, 0], z[:, 1]
    return jnp.mean(first * first, -1), jnp.mean(second * second, -1), jnp.mean(first * second, -1)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _draws(key: Array, width: int, count: int) -> tuple[Array, Array]:
    weights, biases = jr.split(key)
    return jr.normal(weights, (count, width, width)), jr.normal(biases, (count, width))


@jax.jit
def _forward(h: Array, w: Array, b: Array, sigma_w: Array, sigma_b: Array) -> Array:
    # All cases and inputs go through one product per network: reading the weights is what costs.
    cases, inputs, count, width = h.shape
    rows = jnp.transpose(h, (2, 0, 1, 3)).reshape(count, cases * inputs, width)
    z = jnp.transpose((rows @ w).reshape(count, cases, inputs, width), (1, 2, 0, 3))
    return (sigma_w / width**0.5)[:, None, None, None] * z + sigma_b[:, None, None, None] * b[None, None]


@jax.jit
def _backward(delta: Array, w: Array, slope: Array, sigma_w: Array) -> Array:
    carried = jnp.transpose(jnp.transpose(delta, (1, 0, 2)) @ jnp.swapaxes(w, 1, 2), (1, 0, 2))
    return (sigma_w / w.shape[-1] ** 0.5)[:, None, None] * slope * carried


# Activations see blocks of this size whatever the width, so that each is compiled once.
_BLOCK = 16384


def _activated(functions: Sequence[Callable[..., Any]], z: Array) -> tuple[Array, Array]:
    """Each function, and its derivative by autodiff, on its own row of z."""
    rows = []
    for f, blocks in zip(functions, _blocks(z), strict=True):
        program = _activation(f)
        rows.append([program(block) for block in blocks])
    h, slope = (jnp.stack([jnp.stack([pair[k] for pair in row]) for row in rows]) for k in range(2))
    return _joined(h, z.shape), _joined(slope, z.shape)


@jax.jit
def _blocks(z: Array) -> list[list[Array]]:
    flat = z.reshape(z.shape[0], -1)
    flat = jnp.pad(flat, ((0, 0), (0, -flat.shape[1] % _BLOCK)))
    return [[flat[i, j : j + _BLOCK] for j in range(0, flat.shape[1], _BLOCK)] for i in range(len(flat))]


@functools.partial(jax.jit, static_argnums=1)
def _joined(blocks: Array, shape: tuple[int, ...]) -> Array:
    return blocks.reshape(shape[0], -1)[:, : math.prod(shape[1:])].reshape(shape)


def _activation(f: Callable[..., Any]) -> Callable[[Array], tuple[Array, Array]]:
    try:
        return _compiled(f)
    except TypeError:  # not hashable
        return jax.jit(functools.partial(_sampling.value_and_slope, f))


@functools.lru_cache(maxsize=256)
def _compiled(f: Callable[..., Any]) -> Callable[[Array], tuple[Array, Array]]:
    return jax.jit(functools.partial(_sampling.value_and_slope, f))
