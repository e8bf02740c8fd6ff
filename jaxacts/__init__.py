"""jaxacts: activation functions for JAX whose derivatives can be trusted, and the evidence to choose among them."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from jaxacts._declare import Activation, Facts, Record, derivative, facts, get, names, record, records
from jaxacts.activations._first import (
    elu, gelu, gelu_tanh, hard_tanh, identity, leaky_relu, mish, relu, selu, sigmoid, silu, softplus, tanh,
)

_SUBMODULES = frozenset({
    "adapters", "catalogue", "derivatives", "diagnostics", "initializers", "lab", "meanfield", "moments",
    "plotting", "porting", "reference", "trainable", "transforms",
})


def __getattr__(name: str) -> Any:
    """Import submodules on first use, so that `import jaxacts` stays light."""
    if name in _SUBMODULES:
        return importlib.import_module(f"jaxacts.{name}")
    if name == "__version__":
        return importlib.metadata.version("jaxacts")
    raise AttributeError(f"module 'jaxacts' has no attribute {name!r}")
