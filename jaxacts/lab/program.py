"""What one compiled training program is made for, what it takes and carries, and its forward pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxacts.lab import measures, mlp

PRECISIONS = {"float32": jnp.float32, "bfloat16": jnp.bfloat16, "float16": jnp.float16}


@dataclass(frozen=True)
class Program:
    """What is fixed when the training program is compiled; equal programs share one compilation.

    Attributes:
      branches: the activations that the index chooses among.
      task: "classification" (softmax cross-entropy) or "regression" (mean squared error).
      optimizer: one of `jaxacts.lab.training.OPTIMIZERS`.
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


def forward(
    program: Program, parameters: mlp.Parameters, x: Array, activation: Callable[[Array], Any], **options: Any
) -> mlp.Output:
    """The forward pass of a program: computed in its precision, its output brought to float32.

    Args:
      program: the program.
      parameters: float32.
      x: (batch, features).
      activation: a function of a pre-activation array.
      **options: further arguments of `jaxacts.lab.mlp.apply`.

    Returns:
      What `jaxacts.lab.mlp.apply` returns.

    Example:
      >>> from jaxacts.lab import mlp
      >>> from jaxacts.lab.program import Program, forward
      >>> small = Program((jnp.tanh,), precision="bfloat16")
      >>> parameters = mlp.init(mlp.draw(0, 3, 2, depth=1, width=4))
      >>> out = forward(small, parameters, jnp.ones((5, 3)), jnp.tanh)
      >>> out.preactivations[0].dtype.name, out.output.dtype.name
      ('bfloat16', 'float32')
    """
    parameters, x = in_precision(program, (parameters, x))
    output = mlp.apply(parameters, x, activation, **layers(program), **options)
    return output._replace(output=output.output.astype(jnp.float32))


def in_precision(program: Program, tree: Any) -> Any:
    """The arrays of a tree in the precision of a program.

    Args:
      program: the program.
      tree: float32 arrays.

    Returns:
      The tree.
    """
    dtype = PRECISIONS[program.precision]
    return tree if dtype == jnp.float32 else jax.tree.map(lambda leaf: leaf.astype(dtype), tree)


def layers(program: Program) -> dict[str, Any]:
    """The arguments that say how the layers of a program are built, for `jaxacts.lab.mlp.apply` and `watch`.

    Args:
      program: the program.

    Returns:
      The arguments by name.
    """
    return {"normalisation": program.normalisation, "residual": program.residual}
