"""Trainable activations as layers of Flax NNX, Flax Linen, Equinox, Haiku and Keras.

Every module here has one function, ``layer(spec, shape=())``, which returns a *factory*: call it once per
layer, so that two layers get two sets of parameters. Plain activations need no adapter in any framework. The
framework is imported when `layer` is called.

The same activation holds different numbers of parameters in different places: one shared scalar for
``shape=()``, one per channel for ``shape=(channels,)``; `equinox.nn.MLP` copies its activation to every
neuron. State the shape when comparing.
"""

from __future__ import annotations

import importlib
from types import ModuleType


def _framework(name: str, package: str) -> ModuleType:
    """Import a framework, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"this adapter needs {name}, which is not installed: pip install {package}"
        ) from error
