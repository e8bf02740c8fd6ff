"""The lab: train real networks with different activation functions, and compare them fairly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jaxacts.lab import provenance
from jaxacts.lab.cache import enable_compilation_cache
from jaxacts.lab.config import CompareConfig
from jaxacts.lab.data import Dataset, datasets, load_dataset, prepare
from jaxacts.lab.distributed import Group, join
from jaxacts.lab.errors import (
    ConfigMismatch,
    DeviceError,
    GroupLost,
    Interrupted,
    MissingData,
    MissingExtra,
    StoreError,
)
from jaxacts.lab.merging import merge
from jaxacts.lab.store import Results, load
from jaxacts.lab.sweep import compare
from jaxacts.lab.writers import TensorBoard, Writer, write_results

if TYPE_CHECKING:
    from jaxacts.lab.advice import Advice, advise

__all__ = [
    "Advice",
    "CompareConfig",
    "ConfigMismatch",
    "Dataset",
    "DeviceError",
    "Group",
    "GroupLost",
    "Interrupted",
    "MissingData",
    "MissingExtra",
    "Results",
    "StoreError",
    "TensorBoard",
    "Writer",
    "advise",
    "compare",
    "datasets",
    "enable_compilation_cache",
    "join",
    "load",
    "load_dataset",
    "merge",
    "prepare",
    "provenance",
    "write_results",
]


def __getattr__(name: str) -> Any:
    """Import advice on first use: with the theory it rests on it takes longer than the rest of the lab."""
    if name in ("Advice", "advise"):
        from jaxacts.lab import advice

        return getattr(advice, name)
    raise AttributeError(f"module 'jaxacts.lab' has no attribute {name!r}")
