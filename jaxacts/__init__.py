"""jaxacts: activation functions for JAX with derivatives to be trusted, and evidence to choose among them."""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

from jaxacts._declare import Activation, Facts, Record, derivative, facts, get, names, record, records  # noqa: F401
from jaxacts.activations import *  # noqa: F403
from jaxacts.activations import __all__ as _activations

# Imported on first use, so that `import jaxacts` stays light: submodules, and names that live in one.
_SUBMODULES = (
    "accuracy",
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
)
_LATER = {"lean": "_lean", "recommend_init": "initializers", "transformed": "transforms"}

__all__ = sorted(  # pyright: ignore[reportUnsupportedDunderAll]
    [
        *_activations,
        *_SUBMODULES,
        *_LATER,
        "Activation",
        "Facts",
        "Record",
        "derivative",
        "facts",
        "get",
        "names",
        "record",
        "records",
    ]
)


def __getattr__(name: str) -> Any:
    """Import what is not needed at once; other names of a function are the function."""
    if name in _SUBMODULES:
        return importlib.import_module(f"jaxacts.{name}")
    if name in _LATER:
        return getattr(importlib.import_module(f"jaxacts.{_LATER[name]}"), name)
    if name == "__version__":
        return importlib.metadata.version("jaxacts")
    if name in names():
        return get(name).fn
    raise AttributeError(f"module 'jaxacts' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
