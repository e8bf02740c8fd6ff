"""Trainable activations as Flax NNX modules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jaxacts.adapters import _framework
from jaxacts.trainable import Shape, Trainable


@functools.cache
def _module() -> type:
    nnx = _framework("flax.nnx", "flax")

    class TrainableActivation(nnx.Module):
        def __init__(self, spec: Trainable, shape: Shape, *, rngs: Any):
            self.spec = spec
            self.names = ()
            for name, value in spec.init(rngs.params(), shape).items():
                setattr(self, name, nnx.Param(value))
                self.names += (name,)

        def __call__(self, x: Any) -> Any:
            return self.spec.apply({name: getattr(self, name)[...] for name in self.names}, x)

    return TrainableActivation


def layer(spec: Trainable, shape: Shape = ()) -> Callable[..., Any]:
    """A factory of NNX modules for a trainable activation; call it once per layer, with ``rngs=``.

    Args:
      spec: the activation, such as ``jaxacts.trainable.prelu``.
      shape: shape of one parameter.

    Returns:
      A function of the keyword `rngs` that returns a new module with an `nnx.Param` for each parameter.

    Raises:
      ImportError: if Flax is not installed.

    Example:
      >>> activation = jaxacts.adapters.nnx.layer(jaxacts.trainable.prelu)  # doctest: +SKIP
      >>> first, second = activation(rngs=nnx.Rngs(0)), activation(rngs=nnx.Rngs(1))  # doctest: +SKIP
    """
    return functools.partial(_module(), spec, shape)
