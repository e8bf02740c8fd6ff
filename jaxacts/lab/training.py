"""One compiled program that trains one network with any of several activations.

The activation is a traced index into a `lax.switch`, so comparing eight activations costs one compilation.
The index must not be batched on a CPU: under `vmap` a switch evaluates every branch. `sweep` therefore runs
one network a call on host threads there, and batches runs with `vmap` only on accelerators.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, cast

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from jaxacts.lab import measures, mlp, scoring
from jaxacts.lab.evaluation import make_evaluate
from jaxacts.lab.program import Data, Program, Run, State, forward
from jaxacts.lab.records import Records, join
from jaxacts.lab.switch import Switch, switch

OPTIMIZERS = ("adam", "sgd", "momentum")

_GROWTH_INTERVAL = 200  # finite steps after which the loss scale of float16 doubles
_FIRST_SCALE = 2.0**12


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
    choose = switch(program.branches)
    step_once = _make_step(program, choose)
    evaluate = make_evaluate(program, choose)
    # What the measures of a step are made of. It is carried through the loop, as they are only wanted of the
    # last step before a record.
    kept = bool(measures.OF_A_STEP & set(program.measure))
    both = "update_ratio" in program.measure

    def train(
        state: State, run: Run, data: Data, order: Array, begin: Any, stops: Array
    ) -> tuple[State, Records]:
        chex.assert_rank([data.x_train, data.y_train, order], 2)
        chex.assert_equal_shape_prefix([data.x_train, data.y_train], 1)
        begin = jnp.asarray(begin, jnp.int32)

        def step(index: Array, carry: Any) -> Any:
            old, total, _ = carry
            rows = order[index - begin]
            x = data.x_train.at[rows].get(mode="promise_in_bounds")
            y = data.y_train.at[rows].get(mode="promise_in_bounds")
            state, loss, gradients = step_once(index, old, run, x, y)
            return state, total + loss, (gradients if kept else None, old.parameters if both else None)

        def until(carry: Any, stop: Array) -> Any:
            state, now = carry
            # Of the right shapes, and replaced by the first step; zeros would be more kernels to compile.
            nothing = (state.parameters if kept else None, state.parameters if both else None)
            state, total, (gradients, before) = lax.fori_loop(
                now, stop, step, (state, jnp.float32(0), nothing)
            )
            measured = measures.step_measures(gradients, before, state.parameters, program.measure)
            mean_loss = total / (stop - now).astype(jnp.float32)
            found = evaluate(state, run, data)
            return (state, stop), join({"train_loss": mean_loss, **measured}, found)

        (state, _), records = lax.scan(until, (state, begin), jnp.asarray(stops, jnp.int32))
        return state, records

    return train


_Stepped = tuple[State, Array, mlp.Parameters]


def _make_step(program: Program, choose: Switch) -> Callable[..., _Stepped]:
    """One optimiser step: ``step(number, state, run, x, y) -> (state, loss, gradients)``."""
    update = transformation(program.optimizer).update

    def step(number: Array, state: State, run: Run, x: Array, y: Array) -> _Stepped:
        activation = functools.partial(choose.trained, run.activation)
        key = jax.random.fold_in(jax.random.key(run.seed), number) if program.dropout else None

        def objective(parameters: mlp.Parameters) -> tuple[Array, tuple[Array, Any]]:
            out = forward(
                program, parameters, x, activation, statistics=state.statistics, training=True,
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
        return new, loss, gradients

    return step


def compiler_options(precision: str) -> dict[str, bool]:
    """Options to compile a program with, so that it computes in its precision.

    By default XLA keeps intermediate values of 16-bit programs in float32 where that is convenient, so that
    results would depend on what was fused with what.

    Args:
      precision: one of `jaxacts.lab.program.PRECISIONS`.

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
