"""Trainable activations as Keras layers, on Keras's JAX backend."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jaxacts.adapters import _framework
from jaxacts.trainable import Shape, Trainable, specs


@functools.cache
def _layer() -> type:
    keras = _framework("keras", "keras")
    if keras.backend.backend() != "jax":
        raise ImportError(
            f"this adapter needs Keras on JAX, it runs on {keras.backend.backend()}: "
            "set KERAS_BACKEND=jax before Keras is imported"
        )

    @keras.saving.register_keras_serializable("jaxacts")
    class TrainableActivation(keras.layers.Layer):
        def __init__(self, spec: str, shape: Any = (), options: dict | None = None, **config: Any):
            super().__init__(**config)
            self.options, self.shape = dict(options or {}), tuple(shape)
            self.spec = specs()[spec].having(**self.options)

        def build(self, input_shape: Any) -> None:
            del input_shape
            start = self.spec.init(keras.random.SeedGenerator().next().astype("uint32"), self.shape)
            self.numbers = {
                name: self.add_weight(
                    value.shape, lambda *_, value=value, **__: value, value.dtype, name=name
                )
                for name, value in start.items()
            }

        def call(self, inputs: Any) -> Any:
            return self.spec.apply({name: weight.value for name, weight in self.numbers.items()}, inputs)

        def get_config(self) -> dict:
            own = {"spec": self.spec.name, "shape": list(self.shape), "options": self.options}
            return {**super().get_config(), **own}

    return TrainableActivation


def layer(spec: Trainable, shape: Shape = ()) -> Callable[..., Any]:
    """A factory of Keras layers for a trainable activation; call it once per layer.

    The layer stands on its own: given as ``Dense(activation=...)``, Keras would drop its weights.

    Args:
      spec: the activation, such as ``jaxacts.trainable.prelu``.
      shape: shape of one parameter.

    Returns:
      A function that returns a new layer; it passes keywords such as `name` on. Models with it can be saved;
      call this function once before loading one, which registers the layer.

    Raises:
      ImportError: if Keras is not installed or does not run on JAX.

    Example:
      >>> activation = jaxacts.adapters.keras.layer(jaxacts.trainable.prelu)  # doctest: +SKIP
      >>> model = keras.Sequential([keras.layers.Dense(8), activation()])  # doctest: +SKIP
    """
    return functools.partial(_layer(), spec.name, shape, dict(spec.options))
