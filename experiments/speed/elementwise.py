"""Forward and gradient of the functions that `jax.nn` has too, under jit, side by side in one process."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import jaxacts
from jaxacts import accuracy

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
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "glu": jax.nn.glu,
}
CALLS = 4  # a sample: the clock's grain and the cost of a call count for little
# Functions of the last axis. To be judged, each is reduced to one number: what the first of two logits x and
# 0 becomes, or what the gate x makes of a 1. The truth is then an elementwise function of the catalogue.
ROWS = {"softmax": "sigmoid", "log_softmax": "log_sigmoid", "glu": "sigmoid"}
# entries of their rows: features, and classes
WIDTHS = (1024, 10)


@dataclasses.dataclass(frozen=True)
class Row:
    """Times of one function in ms, medians over the rounds.

    Attributes:
      name: the function.
      width: entries of a row, None for an elementwise function.
      forward: jaxacts and jax.nn, value only.
      both: jaxacts and jax.nn, value and gradient.
      ratio: jaxacts over jax.nn for value and gradient, the median of the rounds' ratios.
      spread: the quartiles of the rounds' ratios.
    """

    name: str
    width: int | None
    forward: tuple[float, float]
    both: tuple[float, float]
    ratio: float
    spread: tuple[float, float]


def with_gradient(f: Callable[[jax.Array], jax.Array]) -> Callable:
    """Value and gradient, for a given cotangent, in one compiled program."""

    def program(x: jax.Array, cotangent: jax.Array) -> tuple[jax.Array, jax.Array]:
        y, back = jax.vjp(f, x)
        return y, back(cotangent)[0]

    return jax.jit(program)


def measure(size: int = 2**22, rounds: int = 15, names: tuple[str, ...] = tuple(PEERS)) -> list[Row]:
    """Interleaved rounds, so that what else the machine does falls on both sides alike."""
    rng = np.random.default_rng(0)
    # with a factor of 1 everywhere the gradient of a softmax would be 0
    numbers, factors = (jnp.asarray(scale * rng.normal(size=size), jnp.float32) for scale in (3, 1))
    rows = []
    for name in names:
        for width in WIDTHS if name in ROWS else (None,):
            ours, theirs = getattr(jaxacts, name), PEERS[name]
            programs = [jax.jit(ours), jax.jit(theirs), with_gradient(ours), with_gradient(theirs)]
            x = numbers[: size - size % width].reshape(-1, width) if width else numbers
            shape = jax.eval_shape(ours, x).shape
            cotangent = factors[: math.prod(shape)].reshape(shape)
            given = [(x,), (x,), (x, cotangent), (x, cotangent)]
            for program, arguments in zip(programs, given, strict=True):
                jax.block_until_ready(program(*arguments))
            taken = np.empty((rounds, len(programs)))
            for times in taken:
                for i, (program, arguments) in enumerate(zip(programs, given, strict=True)):
                    start = time.perf_counter()
                    for _ in range(CALLS):
                        jax.block_until_ready(program(*arguments))
                    times[i] = (time.perf_counter() - start) * 1e3 / CALLS
            middle = np.median(taken, axis=0)
            low, ratio, high = np.quantile(taken[:, 2] / taken[:, 3], (0.25, 0.5, 0.75))
            row = Row(name, width, (middle[0], middle[1]), (middle[2], middle[3]), ratio, (low, high))
            rows.append(row)
    return rows


@functools.cache
def broken_by_peer(name: str) -> str:
    """Where jax.nn breaks the promise in float32, its worst errors of f / f' / f'' in ULP, else nothing."""
    f = PEERS[name]
    if name in ROWS:

        def f(x: jax.Array) -> jax.Array:
            pair = (jnp.ones_like(x), x) if name == "glu" else (x, jnp.zeros_like(x))
            return PEERS[name](jnp.stack(pair, axis=-1))[..., 0]

    report = accuracy.measure(f, truth_of=ROWS.get(name, name), types=("float32",), count=100)
    if all(cell.kept for cell in report.cells):
        return ""
    return " / ".join(f"{cell.error:.3g}{'' if cell.kept else '!'}" for cell in report.cells)


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
