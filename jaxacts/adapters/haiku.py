"""Trainable activations as Haiku modules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jaxacts.adapters import _framework
from jaxacts.trainable import Shape, Trainable


@functools.cache
def _module() -> type:
    haiku = _framework("haiku", "dm-haiku")

    class TrainableActivation(haiku.Module):
        def __init__(self, spec: Trainable, shape: Shape = (), name: str | None = None):
            super().__init__(name or spec.name)
            self.spec, self.shape = spec, shape

        def __call__(self, x: Any) -> Any:
            start = self.spec.init(haiku.maybe_next_rng_key(), self.shape) if haiku.running_init() else {}
            shapes = _shapes(self.spec, self.shape)
            params = {
                name: haiku.get_parameter(name, leaf.shape, leaf.dtype, lambda *_, name=name: start[name])
                for name, leaf in shapes.items()
            }
            return self.spec.apply(params, x)

    return TrainableActivation


def _shapes(spec: Trainable, shape: Shape) -> dict[str, Any]:
    import jax

    return jax.eval_shape(lambda: spec.init(jax.random.key(0), shape))


def layer(spec: Trainable, shape: Shape = ()) -> Callable[..., Any]:
    """A factory of Haiku modules for a trainable activation; call it once per layer, inside `transform`.

    Args:
      spec: the activation, such as ``jaxacts.trainable.prelu``.
      shape: shape of one parameter.

    Returns:
      A function without required arguments that returns a new module.

    Raises:
      ImportError: if Haiku is not installed.

    Example:
      >>> activation = jaxacts.adapters.haiku.layer(jaxacts.trainable.prelu)  # doctest: +SKIP
      >>> x = activation()(hk.Linear(8)(x))  # in a transformed function  # doctest: +SKIP
    """
    return functools.partial(_module(), spec, shape)
