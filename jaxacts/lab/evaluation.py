"""Losses, metrics and measures of a network at one moment of its training."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxacts.lab import measures, mlp, scoring, spectra
from jaxacts.lab.program import Data, Program, Run, State, forward, in_precision, layers
from jaxacts.lab.records import Records, join
from jaxacts.lab.switch import Switch


def make_evaluate(program: Program, choose: Switch) -> Callable[[State, Run, Data], Records]:
    """The evaluation of a training program: everything it records but the measures of a single step.

    Args:
      program: what is fixed at compile time.
      choose: its activations.

    Returns:
      A pure function ``evaluate(state, run, data) -> records``.

    Example:
      >>> from jaxacts.lab import evaluation, mlp, training
      >>> from jaxacts.lab.switch import switch
      >>> program = training.Program((jaxacts.relu,), task="regression", measure=("dead",))
      >>> x = jnp.linspace(-1.0, 1.0, 8)[:, None]
      >>> evaluate = evaluation.make_evaluate(program, switch(program.branches))
      >>> state = training.start(program, mlp.init(mlp.draw(0, 1, 1, depth=2, width=8)))
      >>> found = evaluate(state, training.make_run(0, 0.1), training.Data(x, x, x, x, x, x))
      >>> list(found), found["dead"].shape
      (['dead', 'validation_loss', 'validation_score', 'test_loss', 'test_score'], (2,))
    """
    slopes_wanted = bool({"dead", "saturated"} & set(program.measure))

    def evaluate(state: State, run: Run, data: Data) -> Records:
        validation = len(data.x_validation)
        # Both splits in one pass, as every activation site is one more copy of all branches to compile.
        examples = jnp.concatenate([data.x_validation, data.x_test])

        def watched(z: Array) -> tuple[Array, Records]:
            # Measured here, layer by layer: storing the tables of all layers takes longer than all the rest.
            if slopes_wanted:
                value, slope = choose.pair(run.activation, z, rows=validation)
            else:
                value = choose.plain(run.activation, z)
                slope = value[:validation]  # looked at by no measure
            found = measures.layer_measures(
                z[:validation], slope, value[:validation], run.supremum, program.measure
            )
            return value, join(found)

        parameters, examples = in_precision(program, (state.parameters, examples))
        output, of_layers = mlp.watch(
            parameters, examples, watched, statistics=state.statistics, **layers(program)
        )
        targets = {"validation": data.y_validation, "test": data.y_test}
        found = scoring.scores(program.task, output.astype(jnp.float32), targets)
        return join(of_layers, _whole_network(program, choose, state, run, data), found)

    return evaluate


def _whole_network(program: Program, choose: Switch, state: State, run: Run, data: Data) -> dict[str, Array]:
    """Measures of all layers together, in float32 whatever the precision of training."""
    exact = dataclasses.replace(program, precision="float32")
    # Layers run as a loop even when few, as in `watch`: less code to compile, and evaluation is rare.
    parameters = mlp.stacked(state.parameters)
    found: dict[str, Array] = {}

    def network(parameters: mlp.Parameters, x: Array) -> Array:
        activation = functools.partial(choose.trained, run.activation)
        return forward(exact, parameters, x, activation, statistics=state.statistics).output

    if "distance" in program.measure:
        found["distance"] = measures.distances(parameters, mlp.stacked(state.origin))
    if "jacobian" in program.measure:
        x = data.x_validation[: spectra.JACOBIANS]
        found["jacobian"] = spectra.jacobian_values(functools.partial(network, parameters), x)
    if "sharpness" in program.measure:
        x, y = data.x_train[: measures.EXAMPLES], data.y_train[: measures.EXAMPLES]
        found["sharpness"] = spectra.sharpness(
            lambda parameters: scoring.losses(program.task, network(parameters, x), y).mean(), parameters
        )
    return found
