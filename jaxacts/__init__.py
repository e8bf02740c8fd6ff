"""jaxacts: activation functions for JAX whose derivatives can be trusted, and the evidence to choose among them."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

from jaxacts._declare import Activation, Facts, Record, derivative, facts, get, names, record, records
from jaxacts.activations import *  # noqa: F403
from jaxacts.activations import __all__ as _activations

_SUBMODULES = frozenset(
    {
        "adapters",
        "catalogue",
        "derivatives",
        "diagnostics",
        "initializers",
        "lab",
        "meanfield",
        "moments",
        "plotting",
        "porting",
        "reference",
        "trainable",
        "transforms",
    }
)


def __getattr__(name: str) -> Any:
    """Import submodules on first use, so that `import jaxacts` stays light."""
    if name in _SUBMODULES:
        return importlib.import_module(f"jaxacts.{name}")
    if name == "__version__":
        return importlib.metadata.version("jaxacts")
    raise AttributeError(f"module 'jaxacts' has no attribute {name!r}")
