"""Where results come from: versions, device, commit, command line."""

from __future__ import annotations

import datetime
import functools
import importlib.metadata
import os
import platform as host_platform
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

_PACKAGES = ("jaxacts", "jax", "jaxlib", "numpy", "optax", "chex")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on.

    Returns:
      A dict from name to version.

    Example:
      >>> sorted(jaxacts.lab.provenance.versions())[:2]
      ['chex', 'jax']
    """
    found = {"python": host_platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


@functools.cache
def git_commit() -> str | None:
    """The commit of the checkout jaxacts runs from, with "+changes" when it is modified; None elsewhere."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=here, capture_output=True, text=True, timeout=5, check=True,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if changed else "")


def process() -> dict[str, Any]:
    """Host and number of this process, for the events."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def describe(platform: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """What the manifest says about the software, the machine and the command.

    Args:
      platform: the kind of device that is used.
      argv: the command line; None takes that of this process.

    Returns:
      Plain JSON types.
    """
    devices = jax.local_devices(backend=platform)
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "device": {
            "platform": platform,
            "kind": devices[0].device_kind,
            "count": len(devices),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "machine": host_platform.machine(),
            "system": host_platform.system(),
        },
        "settings": {
            "x64": bool(jax.config.jax_enable_x64),  # pyright: ignore[reportAttributeAccessIssue]
            "matmul_precision": str(jax.config.jax_default_matmul_precision),  # pyright: ignore[reportAttributeAccessIssue]
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", ""),
        },
        "git": git_commit(),
        "argv": list(sys.argv if argv is None else argv),
    }
