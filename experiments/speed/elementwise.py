"""Forward and gradient of the functions that `jax.nn` has too, under jit, side by side in one process."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import jaxacts

PEERS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "silu": jax.nn.silu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "mish": jax.nn.mish,
    "softplus": jax.nn.softplus,
    "log_sigmoid": jax.nn.log_sigmoid,
    "elu": jax.nn.elu,
    "celu": jax.nn.celu,
    "selu": jax.nn.selu,
    "soft_sign": jax.nn.soft_sign,
    "squareplus": jax.nn.squareplus,
    "relu": jax.nn.relu,
    "leaky_relu": jax.nn.leaky_relu,
    "relu6": jax.nn.relu6,
    "hard_tanh": jax.nn.hard_tanh,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_silu": jax.nn.hard_silu,
    "sparse_plus": jax.nn.sparse_plus,
    "sparse_sigmoid": jax.nn.sparse_sigmoid,
}


@dataclasses.dataclass(frozen=True)
class Row:
    """Times of one function in ms of CPU time, medians over the rounds, and the memory of a deep network.

    Attributes:
      name: the function.
      forward: jaxacts and jax.nn, value only.
      both: jaxacts and jax.nn, value and gradient.
      ratio: median over the rounds of jaxacts / jax.nn, value and gradient.
      spread: smallest and largest ratio of a round.
    """

    name: str
    forward: tuple[float, float]
    both: tuple[float, float]
    ratio: float
    spread: tuple[float, float]


def with_gradient(f: Callable[[jax.Array], jax.Array]) -> Callable:
    """Value and elementwise gradient in one compiled program."""

    def program(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        y, back = jax.vjp(f, x)
        return y, back(jnp.ones_like(y))[0]

    return jax.jit(program)


def measure(size: int = 2**22, rounds: int = 9, names: tuple[str, ...] = tuple(PEERS)) -> list[Row]:
    """Interleaved rounds, so that what else the machine does falls on both sides alike."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=size) * 3, jnp.float32)
    rows = []
    for name in names:
        ours, theirs = getattr(jaxacts, name), PEERS[name]
        programs = [jax.jit(ours), jax.jit(theirs), with_gradient(ours), with_gradient(theirs)]
        for program in programs:
            jax.block_until_ready(program(x))
        times: list[list[float]] = [[] for _ in programs]
        for _ in range(rounds):
            for spent, program in zip(times, programs, strict=True):
                start = time.process_time()
                jax.block_until_ready(program(x))
                spent.append((time.process_time() - start) * 1e3)
        median = [statistics.median(t) for t in times]
        ratios = sorted(a / b for a, b in zip(times[2], times[3], strict=True))
        rows.append(
            Row(
                name,
                (median[0], median[1]),
                (median[2], median[3]),
                statistics.median(ratios),
                (ratios[0], ratios[-1]),
            )
        )
    return rows


def buffers(
    f: Callable[[jax.Array], jax.Array], depth: int = 10, width: int = 256, batch: int = 1024
) -> float:
    """Temporary memory of the gradient of a deep network, in arrays of the size of one activation."""

    def loss(weights: list[jax.Array], x: jax.Array) -> jax.Array:
        for w in weights:
            x = f(x @ w)
        return jnp.mean(x**2)

    weights = [jax.ShapeDtypeStruct((width, width), jnp.float32)] * depth
    x = jax.ShapeDtypeStruct((batch, width), jnp.float32)
    analysis = jax.jit(jax.grad(loss)).lower(weights, x).compile().memory_analysis()
    return analysis.temp_size_in_bytes / (batch * width * 4)
