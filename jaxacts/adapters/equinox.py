"""Trainable activations as Equinox modules."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from jaxacts.adapters import _framework
from jaxacts.trainable import Shape, Trainable


@functools.cache
def _module() -> type:
    equinox = _framework("equinox", "equinox")

    class TrainableActivation(equinox.Module):
        params: dict
        spec: Trainable = equinox.field(static=True)

        def __call__(self, x: Any, *, key: Any = None) -> Any:
            del key
            return self.spec.apply(self.params, x)

    return TrainableActivation


def layer(spec: Trainable, shape: Shape = ()) -> Callable[..., Any]:
    """A factory of Equinox modules for a trainable activation; call it once per layer.

    Args:
      spec: the activation, such as ``jaxacts.trainable.prelu``.
      shape: shape of one parameter.

    Returns:
      A function of the keyword `key` that returns a new module, whose parameters are array leaves. It fits
      into `equinox.nn.Sequential` and, as an instance, into `equinox.nn.MLP`, which copies it to all neurons.

    Raises:
      ImportError: if Equinox is not installed.

    Example:
      >>> activation = jaxacts.adapters.equinox.layer(jaxacts.trainable.prelu)  # doctest: +SKIP
      >>> mlp = eqx.nn.MLP(2, 1, 8, 2, activation(), key=key)  # doctest: +SKIP
    """
    module = _module()

    def create(*, key: Any = None) -> Any:
        return module(spec.init(key, shape), spec)

    return create
