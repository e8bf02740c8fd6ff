"""Signals and gradients of random networks, simulated layer by layer and predicted from Gaussian moments."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import jaxacts


class Profile(NamedTuple):
    """What a random network does, one number a layer.

    Attributes:
      variance: mean square of the pre-activations.
      gradient: root mean square of the loss's gradient with respect to them, 1 at the last layer.
    """

    variance: np.ndarray
    gradient: np.ndarray


ACTIVATIONS = (jaxacts.relu, jaxacts.tanh, jaxacts.sigmoid)  # one program holds them all


@functools.partial(jax.jit, static_argnums=(3, 4, 5))
def _simulated(
    index: jax.Array, sigma_w: jax.Array, key: jax.Array, depth: int, width: int, batch: int
) -> tuple[jax.Array, jax.Array]:
    start, end, layers = jr.split(key, 3)
    f = functools.partial(jax.lax.switch, index, ACTIVATIONS)

    def layer(z: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        key, probe = inputs
        w = jr.normal(key, (width, width)) * sigma_w / jnp.sqrt(width)
        z = f(z) @ w + probe
        return z, jnp.mean(z**2)

    def loss(probes: jax.Array) -> tuple[jax.Array, jax.Array]:
        first = jr.normal(start, (batch, width)) + probes[0]
        last, variance = jax.lax.scan(layer, first, (jr.split(layers, depth - 1), probes[1:]))
        # A random direction in the outputs: every unit of the last layer gets a gradient of variance 1.
        return jnp.sum(last * jr.normal(end, last.shape)), jnp.append(jnp.mean(first**2), variance)

    # Gradients with respect to zero probes added to the pre-activations: the forward pass needs no hooks.
    gradients, variance = jax.grad(loss, has_aux=True)(jnp.zeros((depth, batch, width)))
    largest = jnp.max(jnp.abs(gradients), axis=(1, 2), keepdims=True)
    safe = jnp.where(largest > 0, largest, 1.0)  # squares of tiny gradients would underflow
    rms = jnp.sqrt(jnp.mean((gradients / safe) ** 2, axis=(1, 2))) * safe[:, 0, 0]
    return variance, rms


def simulated(f: Callable, sigma_w: float, depth: int, width: int, batch: int, seeds: int) -> Profile:
    """Profiles stacked along the seeds; biases are zero, inputs standard normal."""
    setting = (jnp.int32(ACTIVATIONS.index(f)), jnp.float32(sigma_w))
    runs = [_simulated(*setting, jr.key(seed), depth, width, batch) for seed in range(seeds)]
    return Profile(np.stack([np.asarray(v) for v, _ in runs]), np.stack([np.asarray(g) for _, g in runs]))


def predicted(f: Callable, sigma_w: float, depth: int) -> Profile:
    """Infinite width: variance sigma_w² E f² forward, gradients times sigma_w √(E f'²) backward."""
    variance, slopes = [1.0], []
    for _ in range(depth - 1):
        moments = jaxacts.moments.moments(f, variance[-1])
        slopes.append(0.5 * np.log(sigma_w**2 * float(moments.slope_second)))
        variance.append(sigma_w**2 * float(moments.second))
    # Layer l's gradient is layer l+1's times what the activation after layer l does.
    gradient = np.exp(np.append(np.cumsum(slopes[::-1])[::-1], 0.0))
    return Profile(np.array(variance), gradient)
