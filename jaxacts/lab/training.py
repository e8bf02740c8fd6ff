"""One compiled program that trains one network with any of several activations.

The activation is a traced index into a `lax.switch`, so comparing eight activations costs one compilation.
The index must not be batched on a CPU: under `vmap` a switch evaluates every branch. `sweep` therefore runs
one network a call on host threads there, and batches runs with `vmap` only on accelerators.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from jaxacts.lab import measures, mlp, scoring, spectra
from jaxacts.lab.records import Records, join
from jaxacts.lab.switch import switch

OPTIMIZERS = ("adam", "sgd", "momentum")
PRECISIONS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}

_GROWTH_INTERVAL = 200  # finite steps after which the loss scale of float16 doubles
_FIRST_SCALE = 2.0**12


@dataclass(frozen=True)
class Program:
    """What is fixed when the training program is compiled; equal programs share one compilation.

    Attributes:
      branches: the activations that the index chooses among.
      task: "classification" (softmax cross-entropy) or "regression" (mean squared error).
      optimizer: one of `OPTIMIZERS`.
      normalisation: "none", "layer" or "batch".
      residual: whether hidden layers add their input.
      dropout: whether dropout is in the program; its rate is an argument.
      weight_decay: whether decoupled weight decay is in the program; its rate is an argument.
      precision: type of the forward and backward pass; parameters and optimiser stay float32.
      measure: what to record beside losses and the metric, names from `jaxacts.lab.measures.MEASURES`.
    """

    branches: tuple[Callable[[Array], Array], ...]
    task: Literal["classification", "regression"] = "classification"
    optimizer: str = "adam"
    normalisation: mlp.Normalisation = "none"
    residual: bool = False
    dropout: bool = False
    weight_decay: bool = False
    precision: str = "float32"
    measure: tuple[str, ...] = measures.DEFAULT


class Data(NamedTuple):
    """Arrays of a data set that training needs; targets are one-hot or real."""

    x_train: Any
    y_train: Any
    x_validation: Any
    y_validation: Any
    x_test: Any
    y_test: Any


class Run(NamedTuple):
    """What distinguishes one run; all scalars, traced."""

    activation: Any
    learning_rate: Any
    supremum: Any
    weight_decay: Any
    dropout: Any
    seed: Any


class State(NamedTuple):
    """What a run carries from one chunk to the next, and what a checkpoint holds.

    Attributes:
      parameters: weights and biases, float32.
      optimizer: what Optax keeps.
      statistics: running ones of batch normalisation, or None.
      scale: loss scale of float16 and the number of steps since it changed, or None.
      origin: the parameters at the start, when the distance from them is measured, or None.
    """

    parameters: mlp.Parameters
    optimizer: Any
    statistics: Any
    scale: Any
    origin: Any = None


def transformation(optimizer: str) -> optax.GradientTransformation:
    """The Optax transformation of an optimiser, without its learning rate.

    Args:
      optimizer: one of `OPTIMIZERS`.

    Returns:
      The transformation; the learning rate stays an argument of the program.

    Raises:
      ValueError: for an unknown name.
    """
    known = {"adam": _scale_by_adam, "sgd": optax.identity, "momentum": lambda: optax.trace(decay=0.9)}
    if optimizer not in known:
        raise ValueError(f"optimizer must be one of {', '.join(known)}, was {optimizer!r}")
    return known[optimizer]()


def _scale_by_adam(b1: float = 0.9, b2: float = 0.999, eps: float = 1e-8) -> optax.GradientTransformation:
    """`optax.scale_by_adam` with one root and one division a weight instead of one and three.

    The corrections of the bias are scalars, so they are multiplied in once:
    m/(1-b1^t) / (sqrt(v/(1-b2^t)) + eps) = m r/(1-b1^t) / (sqrt(v) + eps r) with r = sqrt(1-b2^t).
    """

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        count = optax.safe_increment(state.count)
        mu = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mu, updates)
        nu = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * jnp.square(g), state.nu, updates)
        time = jnp.asarray(count, jnp.float32)
        root = jnp.sqrt(1 - b2**time)
        factor, small = root / (1 - b1**time), eps * root
        updates = jax.tree.map(lambda m, v: factor * m / (jnp.sqrt(v) + small), mu, nu)
        return updates, optax.ScaleByAdamState(count, mu, nu)

    return optax.GradientTransformation(optax.scale_by_adam(b1, b2, eps).init, update)


def start(program: Program, parameters: mlp.Parameters) -> State:
    """The state before the first step, made on the host.

    Args:
      program: the program.
      parameters: from `jaxacts.lab.mlp.init`.

    Returns:
      The state, numpy arrays.
    """
    leaves, tree = jax.tree.flatten(parameters)
    shapes = _optimizer_shapes(program.optimizer, tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves))
    optimizer = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    statistics = scale = None
    if program.normalisation == "batch":
        hidden = parameters.hidden
        layers = 1 + (hidden.weight.shape[0] if isinstance(hidden, mlp.Layer) else len(hidden))
        shape = (layers, parameters.first.bias.shape[0])
        statistics = mlp.Statistics(np.zeros(shape, np.float32), np.ones(shape, np.float32))
    if program.precision == "float16":
        scale = (np.float32(_FIRST_SCALE), np.int32(0))
    origin = jax.tree.map(np.array, parameters) if "distance" in program.measure else None
    return State(parameters, optimizer, statistics, scale, origin)


@functools.lru_cache(maxsize=64)
def _optimizer_shapes(optimizer: str, tree: Any, leaves: tuple[Any, ...]) -> Any:
    """The state of an optimiser for such parameters; found by tracing, so remembered."""
    parameters = jax.tree.unflatten(tree, [jax.ShapeDtypeStruct(*leaf) for leaf in leaves])
    return jax.eval_shape(transformation(optimizer).init, parameters)


def make_train(program: Program) -> Callable[..., tuple[State, Records]]:
    """The training program.

    Args:
      program: what is fixed at compile time.

    Returns:
      A pure function ``train(state, run, data, order, begin, stops) -> (state, records)``, to be jitted (and
      vmapped over state, run and order). It trains from step `begin` through the steps in `stops` and records
      after each: `order[i]` holds the rows of the minibatch of step ``begin + i``, and `records` maps names
      to arrays with a leading axis of the length of `stops`. Calling it again with the returned state and the
      next stretch of `order` and `stops` continues the same run bit by bit, so a run may be cut into chunks
      anywhere between two records.

    Example:
      >>> import numpy as np
      >>> from jaxacts.lab import mlp, training
      >>> program = training.Program((jaxacts.relu, jaxacts.tanh), task="regression", measure=())
      >>> x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
      >>> data = training.Data(x, x, x, x, x, x)
      >>> state = training.start(program, mlp.init(mlp.draw(0, 1, 1, depth=1, width=8)))
      >>> run = training.make_run(activation=1, learning_rate=0.05)
      >>> order = np.tile(np.arange(8, dtype=np.int32), (60, 1))
      >>> train = jax.jit(training.make_train(program))
      >>> state, records = train(state, run, data, order, 0, np.array([20, 40, 60]))
      >>> bool(records["test_loss"][-1] < 0.1 * records["train_loss"][0])
      True
    """
    update = transformation(program.optimizer).update
    choose = switch(program.branches)
    dtype = PRECISIONS[program.precision]
    layers: Any = {"normalisation": program.normalisation, "residual": program.residual}

    def cast_to(dtype: Any, tree: Any) -> Any:
        return tree if dtype == jnp.float32 else jax.tree.map(lambda leaf: leaf.astype(dtype), tree)

    def forward(
        parameters: mlp.Parameters, x: Array, activation: Any, dtype: Any = dtype, **options: Any
    ) -> mlp.Output:
        parameters, x = cast_to(dtype, (parameters, x))
        output = mlp.apply(parameters, x, activation, **layers, **options)
        return output._replace(output=output.output.astype(jnp.float32))

    # What the measures of a step are made of. It is carried through the loop, as they are only wanted of the
    # last step before a record.
    kept = measures.OF_A_STEP & set(program.measure)
    both = "update_ratio" in kept

    def one_step(step: Array, state: State, run: Run, x: Array, y: Array) -> tuple[State, Array, Any]:
        activation = functools.partial(choose.trained, run.activation)
        key = jax.random.fold_in(jax.random.key(run.seed), step) if program.dropout else None

        def objective(parameters: mlp.Parameters) -> tuple[Array, tuple[Array, Any]]:
            out = forward(
                parameters, x, activation, statistics=state.statistics, training=True,
                dropout=run.dropout if program.dropout else None, key=key,
            )  # fmt: skip
            loss = scoring.losses(program.task, out.output, y).mean()
            scaled = loss if state.scale is None else loss * state.scale[0]
            return scaled, (loss, out.statistics)

        gradients, (loss, statistics) = jax.grad(objective, has_aux=True)(state.parameters)
        if state.scale is not None:
            gradients = jax.tree.map(lambda leaf: leaf / state.scale[0], gradients)
        with jax.numpy_dtype_promotion("standard"):  # optax mixes integers and floats on purpose
            updates, optimizer = update(gradients, state.optimizer)
        if program.weight_decay:
            updates = _decay(cast(mlp.Parameters, updates), state.parameters, run.weight_decay)
        parameters = jax.tree.map(lambda p, u: p - run.learning_rate * u, state.parameters, updates)
        new = State(parameters, optimizer, statistics, state.scale, state.origin)
        if state.scale is not None:
            new = _rescale(state, new, gradients)
        return new, loss, (gradients if kept else None, state.parameters if both else None)

    def evaluate(state: State, run: Run, data: Data) -> tuple[Any, ...]:
        slopes_wanted = bool({"dead", "saturated"} & set(program.measure))
        validation = len(data.x_validation)

        # Both splits in one pass, as every activation site is one more copy of all branches to compile.
        examples = jnp.concatenate([data.x_validation, data.x_test])

        def watched(z: Array) -> tuple[Array, Records]:
            # Measured here, layer by layer: storing the tables of all layers takes longer than all the rest.
            if slopes_wanted:
                value, slope = choose.pair(run.activation, z)
            else:
                value = slope = choose.plain(run.activation, z)
            found = measures.layer_measures(
                z[:validation], slope[:validation], value[:validation], run.supremum, program.measure
            )
            return value, join(found)

        parameters, examples = cast_to(dtype, (state.parameters, examples))
        output, of_layers = mlp.watch(parameters, examples, watched, statistics=state.statistics, **layers)
        targets = {"validation": data.y_validation, "test": data.y_test}
        found = scoring.scores(program.task, output.astype(jnp.float32), targets)
        # Layers run as a loop even when few, here as in `watch`: less to compile, and evaluation is rare.
        state = state._replace(parameters=mlp.stacked(state.parameters))
        return of_layers, whole_network(state, run, data), found

    def whole_network(state: State, run: Run, data: Data) -> dict[str, Array]:
        """Measures of all layers together, in float32 whatever the precision of training."""
        found = {}

        def network(parameters: mlp.Parameters, x: Array) -> Array:
            activation = functools.partial(choose.trained, run.activation)
            return forward(parameters, x, activation, jnp.float32, statistics=state.statistics).output

        if "distance" in program.measure:
            found["distance"] = measures.distances(state.parameters, mlp.stacked(state.origin))
        if "jacobian" in program.measure:
            x = data.x_validation[: spectra.JACOBIANS]
            found["jacobian"] = spectra.jacobian_values(functools.partial(network, state.parameters), x)
        if "sharpness" in program.measure:
            x, y = data.x_train[: measures.EXAMPLES], data.y_train[: measures.EXAMPLES]
            found["sharpness"] = spectra.sharpness(
                lambda parameters: scoring.losses(program.task, network(parameters, x), y).mean(),
                state.parameters,
            )
        return found

    def train(
        state: State, run: Run, data: Data, order: Array, begin: Any, stops: Array
    ) -> tuple[State, Records]:
        chex.assert_rank([data.x_train, data.y_train, order], 2)
        chex.assert_equal_shape_prefix([data.x_train, data.y_train], 1)
        begin = jnp.asarray(begin, jnp.int32)

        def step(index: Array, carry: Any) -> Any:
            state, total, _ = carry
            rows = order[index - begin]
            x = data.x_train.at[rows].get(mode="promise_in_bounds")
            y = data.y_train.at[rows].get(mode="promise_in_bounds")
            state, loss, last = one_step(index, state, run, x, y)
            return state, total + loss, last

        def until(carry: Any, stop: Array) -> Any:
            state, now = carry
            # Of the right shapes, and replaced by the first step: arrays of zeros would be kernels to compile.
            nothing = (state.parameters if kept else None, state.parameters if both else None)
            state, total, (gradients, before) = lax.fori_loop(
                now, stop, step, (state, jnp.float32(0), nothing)
            )
            measured = measures.step_measures(gradients, before, state.parameters, program.measure)
            mean_loss = total / (stop - now).astype(jnp.float32)
            found = evaluate(state, run, data)
            return (state, stop), join({"train_loss": mean_loss, **measured}, *found)

        (state, _), records = lax.scan(until, (state, begin), jnp.asarray(stops, jnp.int32))
        return state, records

    return train


def compiler_options(precision: str) -> dict[str, bool]:
    """Options to compile a program with, so that it computes in its precision.

    By default XLA keeps intermediate values of 16-bit programs in float32 where that is convenient, so that
    results would depend on what was fused with what.

    Args:
      precision: one of `PRECISIONS`.

    Returns:
      For ``compile(compiler_options=...)``; empty for float32.

    Example:
      >>> from jaxacts.lab import training
      >>> training.compiler_options("bfloat16")
      {'xla_allow_excess_precision': False}
    """
    return {} if precision == "float32" else {"xla_allow_excess_precision": False}


def make_run(
    activation: int,
    learning_rate: float,
    supremum: float = 1.0,
    weight_decay: float = 0.0,
    dropout: float = 0.0,
    seed: int = 0,
) -> Run:
    """A :class:`Run` with the types that the program is compiled for.

    Args:
      activation: index into the branches.
      learning_rate: the learning rate.
      supremum: sup |f'| of the activation.
      weight_decay: decoupled weight decay; it is multiplied by the learning rate.
      dropout: rate of dropped units.
      seed: of the dropout masks.

    Returns:
      The run.
    """
    rate, top, decay, dropped = (np.float32(x) for x in (learning_rate, supremum, weight_decay, dropout))
    return Run(np.int32(activation), rate, top, decay, dropped, np.uint32(seed))


def _decay(updates: mlp.Parameters, parameters: mlp.Parameters, rate: Array) -> mlp.Parameters:
    """Decoupled weight decay, of weight matrices only."""

    def one(update: mlp.Layer, layer: mlp.Layer) -> mlp.Layer:
        return update._replace(weight=update.weight + rate * layer.weight)

    is_layer = lambda node: isinstance(node, mlp.Layer)  # noqa: E731
    return jax.tree.map(one, updates, parameters, is_leaf=is_layer)


def _rescale(old: State, new: State, gradients: Any) -> State:
    """Dynamic loss scaling: skip a step that overflowed and halve the scale, double it now and then."""
    finite = jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients)]).all()
    scale, good = old.scale
    grown = jnp.where(good + 1 >= _GROWTH_INTERVAL, scale * 2.0, scale)
    scale = jnp.where(finite, jnp.minimum(grown, 2.0**24), jnp.maximum(scale * 0.5, 1.0))
    good = jnp.where(finite, (good + 1) % _GROWTH_INTERVAL, 0)
    kept = jax.tree.map(
        lambda a, b: jnp.where(finite, a, b), new._replace(scale=None), old._replace(scale=None)
    )
    return kept._replace(scale=(scale, good.astype(jnp.int32)))
