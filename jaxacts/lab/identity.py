"""What a function of the user's own is, as a digest: an edited function makes another comparison."""

from __future__ import annotations

import functools
import hashlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

# Functions of these and of the standard library are told by their names.
_KNOWN = frozenset({"jax", "jaxlib", "numpy", "scipy", "optax", "chex", "flax", "equinox", "jaxacts"})


def digest(f: Callable[..., Any]) -> str:
    """A digest of what a function does: its code, constants, defaults, and what it refers to.

    Helpers, module constants, closures and the state of objects count, also those that helpers refer to.
    Functions of installed numerical libraries and of the standard library count by their names.

    Args:
      f: any callable.

    Returns:
      12 hexadecimal digits, the same on every machine.

    Example:
      >>> from jaxacts.lab.identity import digest
      >>> scaled = lambda a: lambda x: a * x
      >>> digest(scaled(2.0)) == digest(scaled(2.0)), digest(scaled(2.0)) == digest(scaled(3.0))
      (True, False)
    """
    return hashlib.sha256("|".join(_parts(f, {}, outermost=True)).encode()).hexdigest()[:12]


def _parts(value: Any, seen: dict[int, Any], outermost: bool = False) -> Iterator[str]:
    """The texts that tell a value from others; `seen` keeps what was met alive, so that it is met once."""
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        yield repr(value)
        return
    if id(value) in seen:
        yield "again"
        return
    seen[id(value)] = value
    inside: list[Any] = []
    if isinstance(value, tuple | list):
        inside = list(value)
    elif isinstance(value, set | frozenset):
        inside = sorted(value, key=repr)
    elif isinstance(value, Mapping):
        inside = [part for key in sorted(value, key=repr) for part in (key, value[key])]
    elif isinstance(value, np.ndarray | np.generic | jax.Array):
        array = np.asarray(value)
        yield f"{array.dtype}{array.shape}{hashlib.sha256(array.tobytes()).hexdigest()}"
        return
    elif isinstance(value, functools.partial):
        inside = [value.func, value.args, value.keywords]
    elif isinstance(value, types.MethodType):
        inside = [value.__func__, value.__self__]
    elif isinstance(value, types.FunctionType):
        yield from _function(value, seen, outermost)
        return
    elif isinstance(value, types.ModuleType):
        yield value.__name__
        return
    elif isinstance(value, type) or not (hasattr(value, "__wrapped__") or hasattr(value, "__dict__")):
        yield _name(value)
        return
    elif hasattr(value, "__wrapped__"):
        inside = [value.__wrapped__, getattr(value, "__dict__", None)]
    else:
        inside = [type(value).__dict__.get("__call__"), vars(value)]
    yield _name(type(value))
    for part in inside:
        yield from _parts(part, seen, outermost)


def _function(f: types.FunctionType, seen: dict[int, Any], outermost: bool) -> Iterator[str]:
    """The parts of a function of Python: those of a known library only where it was given itself."""
    known = _is_known(f)
    if known and not outermost:
        yield _name(f)
        return
    codes = list(_codes(f.__code__))
    for code in codes:
        constants = [part for part in code.co_consts if not isinstance(part, types.CodeType)]
        yield from (code.co_code.hex(), repr(code.co_names))
        yield from _parts(constants, {})  # in an order of their own, which repr does not give to sets
    cells = [cell.cell_contents for cell in f.__closure__ or () if cell != types.CellType()]
    for part in (f.__defaults__, f.__kwdefaults__, cells):
        yield from _parts(part, seen)
    if known:  # its module changes with its version only
        return
    for name in sorted({name for code in codes for name in code.co_names} & f.__globals__.keys()):
        yield name
        yield from _parts(f.__globals__[name], seen)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """A code object and those of the functions inside it."""
    yield code
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _codes(part)


def _is_known(f: types.FunctionType) -> bool:
    root = (f.__module__ or "").partition(".")[0]
    return root in _KNOWN or (root in sys.stdlib_module_names and root != "__main__")


def _name(value: Any) -> str:
    kind = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(kind, '__module__', '')}.{kind.__qualname__}"
