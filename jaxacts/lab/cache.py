"""The persistent compilation cache: a second process starts training without compiling."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import jax


def cache_dir() -> Path:
    """The folder for what can be made again: `JAXACTS_CACHE_DIR`, or ``jaxacts`` in the user's cache folder.

    Returns:
      The path; it may not exist yet.
    """
    own = os.environ.get("JAXACTS_CACHE_DIR")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "jaxacts"


def enable_compilation_cache() -> Path | None:
    """Keep compiled programs on disk; the command line does this, a library call never does by itself.

    A folder that the user chose (`JAX_COMPILATION_CACHE_DIR` or `jax.config`) is left as it is. Programs for
    a CPU are kept apart by processor, since a home folder may be shared by machines that differ.

    Returns:
      The folder in use, or None when it cannot be written.
    """
    chosen = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    if chosen:
        return Path(chosen)
    path = cache_dir() / "xla" / _processor()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    if not os.access(path, os.W_OK):
        return None
    jax.config.update("jax_compilation_cache_dir", str(path))
    # The lab compiles few programs; one of half a second is worth keeping.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    return path


def _processor() -> str:
    """A short digest of the machine's instruction set."""
    flags = platform.machine() + platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        wanted = ("flags", "Features", "model name")
        flags += "".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))
    except OSError:
        pass
    return hashlib.sha256(flags.encode()).hexdigest()[:8]
