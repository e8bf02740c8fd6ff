"""Whole files or none: bytes and JSON, written to a temporary neighbour and renamed."""

from __future__ import annotations

import contextlib
import json
import math
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxacts.lab.errors import StoreError


def write_bytes(path: Path, content: bytes, *, sync: bool = False) -> None:
    """Write a whole file or nothing: to a temporary neighbour, then `os.replace`.

    Args:
      path: the file to make or replace; its folder is made when it is missing.
      content: what to write.
      sync: whether to wait until the disk has it (for files whose sources are deleted next).

    Raises:
      StoreError: when the disk is full, or the folder cannot be written; the message names the file.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "xb") as file:
            file.write(content)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        reason = error.strerror or str(error)
        raise StoreError(
            f"cannot write {path}: {reason}; what was finished before is kept, so the same command continues "
            "once there is room and permission"
        ) from error


def write_json(path: Path, content: Any) -> None:
    """Write plain data as JSON, atomically; non-finite numbers become null."""
    write_bytes(path, as_json(content))


def write_new(path: Path, content: Any) -> bool:
    """Write JSON as :func:`write_json` does, unless the file is there; says whether this call made it."""
    part = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.part")
    write_bytes(part, as_json(content))
    try:
        os.link(part, path)  # atomic, and fails when there is one
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if path.exists():
            return False
        os.replace(part, path)
        return True
    finally:
        part.unlink(missing_ok=True)
    return True


def as_json(content: Any) -> bytes:
    """Plain data as JSON with sorted keys; non-finite numbers become null."""
    return (json.dumps(finite(content), indent=1, sort_keys=True, allow_nan=False) + "\n").encode()


def finite(content: Any) -> Any:
    """`content` with non-finite floats as None, tuples as lists and numpy numbers as Python's."""
    if isinstance(content, Mapping):
        return {str(key): finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [finite(value) for value in content]
    if isinstance(content, np.generic):
        content = content.item()
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
      StoreError: when it is missing, truncated or not JSON.
    """
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise StoreError(
            f"{path} is not valid JSON (truncated or altered): {error}; restore it, or use --fresh"
        ) from error
