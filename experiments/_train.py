"""Training of networks that start from an experiment's own weights, with the lab's program.

`jaxacts.lab.compare` is the tool where networks differ in the settings it knows. These few functions are for
the rest: other initial weights and biases, and measurements of a network in the middle of its training.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts.lab import Dataset, mlp, training
from jaxacts.lab.execution import minibatches

_COMPILED: dict[Any, Any] = {}
_LOCK = threading.Lock()


def threads(function: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """The function of every item in their order, on as many threads as this process may use cores.

    Small networks keep one core busy and no more; JAX releases the interpreter's lock while they train.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        return list(pool.map(function, items))


def compiled(function: Callable[..., Any], name: Any, *args: Any, precision: str = "float32") -> Any:
    """The function compiled for these arguments: once a name and shape, whichever thread asks first.

    With a 16-bit precision every operation rounds, as in the lab.
    """
    leaves, tree = jax.tree.flatten(args)
    options = training.compiler_options(precision)
    key = (name, precision, tree, *[(leaf.shape, leaf.dtype) for leaf in leaves])
    with _LOCK:
        if key not in _COMPILED:
            _COMPILED[key] = jax.jit(function).lower(*args).compile(compiler_options=options)
        return _COMPILED[key]


def on_training_part(dataset: Dataset) -> Dataset:
    """The same data, validated on the training part: what a network can learn, not how it generalises."""
    return dataclasses.replace(
        dataset,
        name=f"{dataset.name} (training part)",
        x_validation=dataset.x_train,
        y_validation=dataset.y_train,
    )


def parts(dataset: Dataset) -> training.Data:
    """The arrays that the lab's program takes."""
    return training.Data(
        dataset.x_train, dataset.y_train, dataset.x_validation, dataset.y_validation,
        dataset.x_test, dataset.y_test,
    )  # fmt: skip


def scaled(
    dataset: Dataset,
    depth: int,
    width: int,
    seed: int,
    sigma_w: float = 1.0,
    sigma_b: float = 0.0,
    distribution: str = "normal",
    scan: bool = False,
) -> mlp.Parameters:
    """Weights of deviation sigma_w / √fan_in in every layer, biases of deviation sigma_b, from a seed.

    Uniform weights are a function of the normal draws, so both distributions order the weights alike. With
    `scan` the hidden layers are one array: slower to run, but the time to compile does not grow with depth.
    """
    draws = mlp.draw(seed, dataset.features, dataset.classes, depth, width)
    if distribution == "uniform":
        # The normal distribution function makes them uniform on (0, 1), of deviation 1/√12.
        draws = [(np.sqrt(12.0) * (_normal_cdf(draw) - 0.5)).astype(np.float32) for draw in draws]
    generator = np.random.default_rng([seed, 3])
    layers = []
    for draw in draws:
        weight = draw * np.float32(sigma_w / np.sqrt(draw.shape[0]))
        bias = generator.standard_normal(draw.shape[1], dtype=np.float32) * np.float32(sigma_b)
        layers.append(mlp.Layer(weight, bias))
    parameters = mlp.Parameters(layers[0], tuple(layers[1:-1]), layers[-1])
    return mlp.stacked(parameters) if scan else parameters


def _normal_cdf(x: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return ndtr(x)


def train(
    program: training.Program,
    parameters: mlp.Parameters,
    data: training.Data,
    *,
    rate: float,
    steps: int,
    batch: int,
    seed: int,
    activation: int = 0,
    stops: Sequence[int] = (),
    observe: Callable[[mlp.Parameters], Any] | None = None,
) -> tuple[dict[str, np.ndarray], mlp.Parameters, list[Any]]:
    """Train one network.

    Args:
      program: what the lab compiles.
      parameters: the initial ones.
      data: from :func:`parts`.
      rate: learning rate.
      steps: optimiser steps.
      batch: examples in a minibatch.
      seed: of the order of the examples.
      activation: index into the program's branches.
      stops: steps after which to record; the last one only when empty.
      observe: called with the parameters before the first step and at every stop.

    Returns:
      The lab's records (each with a leading axis of the stops), the final parameters, and what `observe`
      returned.
    """
    stops = list(stops) or [steps]
    make = training.make_train(program)
    state = training.start(program, parameters)
    run = training.make_run(activation, rate, seed=seed)
    order = minibatches(seed, len(data.x_train), batch, 0, steps)
    if observe is None:
        args = (state, run, data, order, np.int32(0), np.array(stops, np.int32))
        state, records = compiled(make, program, *args, precision=program.precision)(*args)
        return jax.tree.map(np.asarray, records), state.parameters, []
    longest = max(np.diff([0, *stops]))
    seen, pieces = [observe(state.parameters)], []
    for begin, stop in zip([0, *stops], stops, strict=False):
        rows = order[begin : begin + longest]
        rows = np.concatenate([rows, np.zeros((longest - len(rows), batch), np.int32)])
        args = (state, run, data, rows, np.int32(begin), np.array([stop], np.int32))
        state, record = compiled(make, program, *args, precision=program.precision)(*args)
        pieces.append(jax.tree.map(np.asarray, record))
        seen.append(observe(state.parameters))
    records = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    return records, state.parameters, seen


def cross_entropy(output: jax.Array, target: jax.Array) -> jax.Array:
    """Mean softmax cross-entropy for one-hot targets."""
    return jnp.mean(jax.nn.logsumexp(output, axis=1) - jnp.sum(output * target, axis=1))
