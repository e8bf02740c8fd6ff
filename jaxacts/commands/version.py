"""`jaxacts --version`: what a bug report needs."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

from jaxacts.cli import Usage

_KNOWN = ("--json", "--debug", "-q", "--quiet", "-v", "--verbose")
PACKAGES = ("jax", "jaxlib", "numpy", "optax", "chex", "scipy")


def main(argv: Sequence[str] = ()) -> int:
    """Print versions, devices and platform."""
    unknown = [word for word in argv if word not in _KNOWN]
    if unknown:
        raise Usage(f"unknown option {unknown[0]!r}; --version takes only --json")
    found = details()
    if "--json" in argv:
        import json

        print(json.dumps({"schema": 1, **found}, indent=1))
        return 0
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {', '.join(value) if isinstance(value, list) else value}")
    return 0


def details() -> dict[str, Any]:
    """Versions of the packages, devices, platform and the settings of JAX that change results."""
    import jax

    try:
        devices = [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()]
    except (RuntimeError, AssertionError) as error:  # e.g. JAX_PLATFORMS=cuda on a machine without it
        devices = [
            f"none ({str(error).partition(chr(10))[0] or 'the platform in JAX_PLATFORMS cannot start'})"
        ]
    return {
        "jaxacts": _version("jaxacts"),
        **{name: _version(name) for name in PACKAGES},
        "python": sys.version.partition(" ")[0],
        "platform": platform.platform(),
        "processors": os.cpu_count() or 0,
        "devices": devices,
        "x64": bool(jax.config.jax_enable_x64),  # pyright: ignore[reportAttributeAccessIssue]
        **{name: os.environ[name] for name in ("JAX_PLATFORMS", "XLA_FLAGS") if name in os.environ},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
