"""Random networks of finite width, to hold against the prediction."""

from __future__ import annotations

import functools
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
      q: mean square of the pre-activations, over units and over both inputs.
      product: mean product of the two inputs' pre-activations; product.mean(0) / q.mean(0) correlates them.
      gradient: mean square of a random output gradient, carried back to each layer's pre-activations.
    """

    q: np.ndarray
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
    # Eight million weights at a time: 32 MB.
    batch = max(1, min(networks, 8_000_000 // width**2))
    parts = [
        _batch(cases, depth, width, min(batch, networks - start), jr.fold_in(jr.key(seed), start))
        for start in range(0, networks, batch)
    ]
    return [
        Simulation(*(np.concatenate(arrays) for arrays in zip(*part, strict=True)))
        for part in zip(*parts, strict=True)
    ]


def _batch(cases: Sequence[Case], depth: int, width: int, count: int, key: Array) -> list[Simulation]:
    first, last, layers = jr.split(key, 3)
    noise = jr.normal(first, (2, count, width))
    keys = jr.split(layers, depth)
    states = [_inputs(noise, case.q0, case.c0) for case in cases]
    measured = [[_measures(z)] for z in states]
    slopes: list[list[Array]] = [[] for _ in cases]
    for layer in range(depth):
        w, b = _draws(keys[layer], width, count)
        for i, case in enumerate(cases):
            h, slope = _activation(case.f)(states[i])
            states[i] = _forward(h, w, b, case.sigma_w, case.sigma_b)
            slopes[i].append(slope)
            measured[i].append(_measures(states[i]))
    probe = jr.normal(last, (count, width))
    deltas = [probe] * len(cases)
    gradients = [[jnp.mean(probe**2, 1)] for _ in cases]
    for layer in reversed(range(depth)):
        w, _ = _draws(keys[layer], width, count)  # drawn anew: keeping all would cost depth times the memory
        for i, case in enumerate(cases):
            deltas[i] = _backward(deltas[i], w, slopes[i][layer], case.sigma_w)
            gradients[i].append(jnp.mean(deltas[i] ** 2, 1))
    results = []
    for lengths, gradient in zip(measured, gradients, strict=True):
        q, product = (np.stack([np.asarray(pair[k]) for pair in lengths], 1) for k in range(2))
        results.append(Simulation(q, product, np.stack([np.asarray(g) for g in reversed(gradient)], 1)))
    return results


@jax.jit
def _inputs(noise: Array, q0: float, c0: float) -> Array:
    return jnp.sqrt(q0) * jnp.stack([noise[0], c0 * noise[0] + jnp.sqrt(1 - c0 * c0) * noise[1]])


@jax.jit
def _measures(z: Array) -> tuple[Array, Array]:
    return jnp.mean(z * z, axis=(0, 2)), jnp.mean(z[0] * z[1], axis=1)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _draws(key: Array, width: int, count: int) -> tuple[Array, Array]:
    weights, biases = jr.split(key)
    return jr.normal(weights, (count, width, width)), jr.normal(biases, (count, width))


@jax.jit
def _forward(h: Array, w: Array, b: Array, sigma_w: float, sigma_b: float) -> Array:
    return sigma_w / w.shape[-1] ** 0.5 * jnp.einsum("inj,njk->ink", h, w) + sigma_b * b[None]


@jax.jit
def _backward(delta: Array, w: Array, slope: Array, sigma_w: float) -> Array:
    return slope[0] * sigma_w / w.shape[-1] ** 0.5 * jnp.einsum("nk,njk->nj", delta, w)


def _activation(f: Callable[..., Any]) -> Callable[[Array], tuple[Array, Array]]:
    try:
        return _compiled(f)
    except TypeError:  # not hashable
        return jax.jit(functools.partial(_sampling.value_and_slope, f))


@functools.lru_cache(maxsize=256)
def _compiled(f: Callable[..., Any]) -> Callable[[Array], tuple[Array, Array]]:
    return jax.jit(functools.partial(_sampling.value_and_slope, f))
