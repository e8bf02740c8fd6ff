"""How programs are compiled, and kept: a second process starts training without compiling."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from pathlib import Path
from typing import Any

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


def cpu_options(width: int) -> dict[str, Any]:
    """Options to compile a program with that trains one network on one thread of a CPU.

    Args:
      width: units of a hidden layer.

    Returns:
      For ``compile(compiler_options=...)``.

    Example:
      >>> from jaxacts.lab import cache
      >>> cache.cpu_options(64)["xla_cpu_multi_thread_eigen"]
      False
    """
    options: dict[str, Any] = {}
    if width <= _NARROW:
        options["xla_cpu_multi_thread_eigen"] = False  # a fifth less processor time, measured side by side
        # Nor are elementwise loops of some ten microseconds split among threads: the wait is longer than the
        # work. Networks with smooth activations took 1.7 times as long, measured side by side.
        options["xla_disable_hlo_passes"] = "cpu-parallel-task-assigner"
    if _wide_vectors():
        options["xla_cpu_prefer_vector_width"] = 512  # 7 % less, measured side by side
    return options


# Matrix products of networks up to this width are too small to share: threads would wait for one another, and
# the other cores train other networks anyway.
_NARROW = 256


@functools.cache
def _wide_vectors() -> bool:
    """Whether this processor computes with 512 bits without slowing its clock: Ice Lake, Zen 4 and later."""
    try:
        return " avx512_vbmi2 " in Path("/proc/cpuinfo").read_text().partition("\n\n")[0].replace("\n", " ")
    except OSError:
        return False
