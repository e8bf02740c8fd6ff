"""The workload that the peers share: what is trained, on which data, and how much arithmetic it is at least.

Imports nothing but numpy, so that a peer's own Python can load it.
"""

from __future__ import annotations

import itertools
import json
import sys
import time

import numpy as np

ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu_tanh", "silu")
SEEDS = 10
DEPTH, WIDTH, CLASSES = 4, 64, 10
STEPS, EVERY, BATCH = 220, 11, 128
RATE = 1e-3


def save_data(path: str) -> None:
    """Write scikit-learn's digits, standardised, with 1437 examples to train on and 360 to test on."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order].astype(np.float32), y[order].astype(np.int64)
    mean, std = x[:1437].mean(0), x[:1437].std(0)
    x = (x - mean) / np.where(std > 0, std, 1)
    np.savez(path, x_train=x[:1437], y_train=y[:1437], x_test=x[1437:], y_test=y[1437:])


def load_data(path: str) -> tuple[np.ndarray, ...]:
    """Arrays x and y of the training part, x and y of the test part."""
    with np.load(path, allow_pickle=False) as file:
        return tuple(file[name] for name in ("x_train", "y_train", "x_test", "y_test"))


def batches(seed: int, examples: int) -> np.ndarray:
    """Rows of the minibatches of all steps: permutations, partial minibatches dropped."""
    generator, whole = np.random.default_rng(seed), examples // BATCH
    epochs = [
        generator.permutation(examples)[: whole * BATCH].reshape(whole, BATCH)
        for _ in range(-(-STEPS // whole))
    ]
    return np.concatenate(epochs)[:STEPS]


def initial(seed: int, features: int, width: int) -> list[np.ndarray]:
    """Weights (fan_in, fan_out) of variance 1 / fan_in."""
    generator = np.random.default_rng([seed, 1])
    sizes = [features, *[width] * DEPTH, CLASSES]
    return [
        generator.standard_normal((a, b)).astype(np.float32) / np.float32(np.sqrt(a))
        for a, b in itertools.pairwise(sizes)
    ]


def flops(width: int, features: int = 64, test: int = 360) -> float:
    """Floating-point operations of the matrix products alone: forward, backward and testing."""
    sizes = [features, *[width] * DEPTH, CLASSES]
    layers = [2.0 * a * b for a, b in itertools.pairwise(sizes)]
    step = BATCH * (3 * sum(layers) - layers[0])
    return len(ACTIVATIONS) * SEEDS * (STEPS * step + STEPS // EVERY * test * sum(layers))


def mine(part: str) -> list[tuple[str, int]]:
    """The (activation, seed) pairs of part i of n, "i/n" counting from 0."""
    index, count = (int(word) for word in part.split("/"))
    return [(name, seed) for name in ACTIVATIONS for seed in range(SEEDS)][index::count]


def finish(curves: dict[str, np.ndarray], path: str, begun: float) -> None:
    """Write the curves of one pass and say on stdout when, and how long the pass took."""
    np.savez(path, **curves)  # pyright: ignore[reportArgumentType]
    now = time.time()
    print(json.dumps({"end": now, "seconds": now - begun}), flush=True)
    if not all(np.isfinite(curve).all() for curve in curves.values()):
        sys.exit("a curve is not finite")
