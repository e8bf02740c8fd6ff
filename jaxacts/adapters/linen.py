"""Trainable activations as Flax Linen modules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jaxacts.adapters import _framework
from jaxacts.trainable import Shape, Trainable


@functools.cache
def _module() -> type:
    linen = _framework("flax.linen", "flax")

    class TrainableActivation(linen.Module):
        spec: Trainable
        shape: Shape = ()

        @linen.compact
        def __call__(self, x: Any) -> Any:
            return self.spec.apply(self.param("activation", self.spec.init, self.shape), x)

    return TrainableActivation


def layer(spec: Trainable, shape: Shape = ()) -> Callable[..., Any]:
    """A factory of Linen modules for a trainable activation; call it once per layer.

    Args:
      spec: the activation, such as ``jaxacts.trainable.prelu``.
      shape: shape of one parameter.

    Returns:
      A function without required arguments that returns a new module. Its parameters are the dictionary
      ``activation`` of the collection ``params``.

    Raises:
      ImportError: if Flax is not installed.

    Example:
      >>> activation = jaxacts.adapters.linen.layer(jaxacts.trainable.prelu)  # doctest: +SKIP
      >>> x = activation()(linen.Dense(8)(x))  # in a compact method  # doctest: +SKIP
    """
    return functools.partial(_module(), spec, shape)
