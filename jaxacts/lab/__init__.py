"""The lab: train real networks with different activation functions, and compare them fairly."""

from __future__ import annotations

from jaxacts.lab.errors import ConfigMismatch, DeviceError, Interrupted, MissingExtra, StoreError
from jaxacts.lab.store import Results, load

__all__ = ["ConfigMismatch", "DeviceError", "Interrupted", "MissingExtra", "Results", "StoreError", "load"]
