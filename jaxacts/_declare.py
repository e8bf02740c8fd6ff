"""Records: what is known about each activation, and how it is found again.

An activation is a bare ``def``. :func:`declare` adds its analytic derivative and its facts to a registry that
feeds the tests, the quadrature, the plots and the catalogue. Nothing here changes how the function runs.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.core import Tracer

from jaxacts._suggest import hint

Array = jax.Array

inf = math.inf
nan = math.nan


@dataclass(frozen=True)
class Facts:
    """What is claimed about one function at one choice of parameters; every field has a test that can fail.

    Attributes:
      image: infimum and supremum of f over the real line.
      limits: f(-inf) and f(+inf); NaN where there is no limit.
      derivative_limits: f'(-inf) and f'(+inf); NaN where there is no limit.
      kinks: pairs (point, value): where f' jumps or is undefined, and the derivative `jax.grad` takes there.
      knots: points where f is pieced together and only a higher derivative jumps; quadrature splits there.
      smoothness: how many derivatives are continuous; -1 for a jump, 0 for a kink, ``inf`` for smooth.
      monotone: whether f is non-decreasing (or non-increasing) everywhere.
      parity: "odd", "even" or None.
      zero_centred: whether E f(z) = 0 for z ~ N(0, 1).
      lipschitz: least Lipschitz constant of f; ``inf`` when there is none.
      lipschitz_derivative: least Lipschitz constant of f'; ``inf`` when there is none.
      minimum: pair (argmin, min) of a minimum that is attained at an isolated point, else None.
      zeros: isolated zeros of f, ascending; None when they are infinitely many.
      family: name of the family the function belongs to.
      year: year of the reference.
      aliases: other names under which `jaxacts.get` finds the function.
    """

    image: tuple[float, float]
    limits: tuple[float, float]
    derivative_limits: tuple[float, float]
    lipschitz: float
    lipschitz_derivative: float
    kinks: tuple[tuple[float, float], ...] = ()
    knots: tuple[float, ...] = ()
    smoothness: float = inf
    monotone: bool = False
    parity: Literal["odd", "even"] | None = None
    zero_centred: bool = False
    minimum: tuple[float, float] | None = None
    zeros: tuple[float, ...] | None = (0.0,)
    family: str = ""
    year: int | None = None
    aliases: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        """Field by field; a NaN, which says that something is not stated, equals itself on every Python."""
        return vars(self) == vars(other) if isinstance(other, Facts) else NotImplemented

    @property
    def breaks(self) -> tuple[float, ...]:
        """All points where some derivative jumps, ascending: where quadrature has to split."""
        return tuple(sorted({point for point, _ in self.kinks} | set(self.knots)))


def unstated(**about: Any) -> Facts:
    """Facts of a function that is NaN or has a pole somewhere: that it is not continuous, but not where."""
    pair = (nan, nan)
    return Facts(pair, pair, pair, nan, nan, smoothness=-1, minimum=pair, zeros=(nan,), **about)


@dataclass(frozen=True, eq=False)  # there is one of each, and copies are itself
class Record:
    """One elementwise activation with everything that is declared about it.

    Attributes:
      name: the public name, `fn.__name__`.
      fn: the activation; callable with x alone.
      derivative: the analytic derivative with the same parameters, never wired into autodiff.
      facts: the facts at the default parameters; see :meth:`facts_at` for others.
      cases: parameter settings that the tests sweep; the first is the default, ``{}``.
      reference: the source of the definition.
      formula: the definition in LaTeX, without dollar signs.
    """

    name: str
    fn: Callable[..., Array]
    derivative: Callable[..., Array]
    facts: Facts
    cases: tuple[Mapping[str, Any], ...]
    reference: str
    formula: str
    _facts: Facts | Callable[..., Facts] = field(repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return _recorded, (self.name,)

    @property
    def parameters(self) -> Mapping[str, float]:
        """Names and defaults of the parameters that follow `x`."""
        return MappingProxyType(_defaults(self.fn))

    def facts_at(self, **params: Any) -> Facts:
        """The facts at the given parameters, defaults for the rest.

        What is not known there is NaN: everything where a parameter is not finite, or so large or so small
        that the facts leave the range of a double on the way.
        """
        _check_parameters(self.fn, params)
        if isinstance(self._facts, Facts):
            return self._facts
        try:
            if all(math.isfinite(value) for value in params.values()):
                return self._facts(**{**_defaults(self.fn), **params})
        except ArithmeticError:
            pass
        about = self.facts
        return unstated(family=about.family, year=about.year, aliases=about.aliases)


@dataclass(frozen=True)
class Activation:
    """A function with its parameters bound: hashable, equal by value, picklable, one jit cache key.

    Calling it with a `key` keyword is allowed, as `equinox.nn.Sequential` does; a stochastic function
    receives it, the others ignore it.
    """

    fn: Callable[..., Array]
    params: tuple[tuple[str, Any], ...] = ()

    def __call__(self, x: Any, *, key: Any = None) -> Array:
        """Apply the function to `x`."""
        params = dict(self.params)
        if _takes_key(self.fn):
            params.setdefault("key", key)
        return self.fn(x, **params)

    @property
    def __name__(self) -> str:  # what frameworks print for an activation
        name = getattr(self.fn, "__name__", type(self.fn).__name__)
        numbers = (int, float)
        return name + "".join(
            f"-{key}={value:g}" if isinstance(value, numbers) else f"-{key}={value}"
            for key, value in self.params
        )

    def __repr__(self) -> str:
        inner = "".join(f", {key}={value!r}" for key, value in self.params)
        return f"jaxacts.get({getattr(self.fn, '__name__', self.fn)!r}{inner})"


_RECORDS: dict[str, Record] = {}
_BY_FUNCTION: dict[Callable, Record] = {}
_ALIASES: dict[str, str] = {}
_OTHERS: dict[str, Callable] = {}


def _recorded(name: str) -> Record:
    """How a pickled record is found again."""
    return _RECORDS[name]


def _defaults(fn: Callable) -> dict[str, Any]:
    """Parameters after the first and their defaults, read from the code object (fast at import time)."""
    code = fn.__code__
    names = code.co_varnames[1 : code.co_argcount]
    return dict(zip(names, fn.__defaults__ or (), strict=True))


def _takes_key(fn: Callable) -> bool:
    """Whether a function has a parameter `key`."""
    code = getattr(fn, "__code__", None)
    return code is not None and "key" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def _check_parameters(fn: Callable, params: Mapping[str, Any], known: Iterable[str] | None = None) -> None:
    """The names of parameters, against those with a default unless others are `known`."""
    known = _defaults(fn) if known is None else known
    for name in params:
        if name not in known:
            allowed = ", ".join(known) or "none"
            raise TypeError(f"{fn.__name__} has no parameter {name!r}; its parameters are: {allowed}")


def _check_bound(fn: Callable, params: Mapping[str, Any]) -> None:
    """The names, and for parameters annotated as numbers the kinds, of what is to be bound to a function."""
    code = fn.__code__
    known = [name for name in code.co_varnames[1 : code.co_argcount] if name != "key"]
    _check_parameters(fn, params, known)
    for name, value in params.items():
        kind = fn.__annotations__.get(name)
        if kind in ("ArrayLike", "float", "int") and (value is None or isinstance(value, str | tuple)):
            raise TypeError(f"parameter {name!r} of {fn.__name__} must be a number, was {value!r}")


def declare(
    fn: Callable[..., Array],
    *,
    derivative: Callable[..., Array],
    facts: Facts | Callable[..., Facts],
    formula: str,
    reference: str,
    cases: tuple[Mapping[str, Any], ...] = ({},),
) -> None:
    """Add an elementwise activation to the catalogue.

    Args:
      fn: the activation, ``fn(x, *parameters with defaults)``.
      derivative: its analytic derivative with the same parameters and defaults.
      facts: the facts, or a function of the parameters that returns them.
      formula: the definition in LaTeX.
      reference: the source of the definition, with an arXiv id or DOI where there is one.
      cases: parameter settings to test; the default setting ``{}`` comes first.

    Raises:
      TypeError: if the derivative's parameters or defaults differ from the function's.
      ValueError: if the name or an alias is taken.
    """
    name = fn.__name__
    if _defaults(fn) != _defaults(derivative):
        raise TypeError(
            f"the derivative of {name} takes {_defaults(derivative)}, the function {_defaults(fn)}"
        )
    for case in cases:
        _check_parameters(fn, case)
    default = facts if isinstance(facts, Facts) else facts(**_defaults(fn))
    _claim(name, *default.aliases)
    cases = tuple(MappingProxyType(dict(case)) for case in cases)
    entry = Record(name, fn, _in_own_type(derivative), default, cases, reference, formula, facts)
    _RECORDS[name] = _BY_FUNCTION[fn] = entry


def _in_own_type(derivative: Callable[..., Array]) -> Callable[..., Array]:
    """The derivative with the functions' type rules: 16-bit input is computed in float32, rounded once."""

    @functools.wraps(derivative)
    def typed(x: Any, *args: Any, **params: Any) -> Array:
        x = as_inexact(x)
        wide = x.astype(jnp.float32) if x.dtype.itemsize < 4 else x
        return jnp.asarray(derivative(wide, *args, **params)).astype(x.dtype)

    return typed


def declare_other(fn: Callable, *aliases: str) -> None:
    """Make a function that is not elementwise (a gated, vector or stochastic one) known to `get` by name."""
    _claim(fn.__name__, *aliases)
    _OTHERS[fn.__name__] = fn


def _claim(name: str, *aliases: str) -> None:
    for new in (name, *aliases):
        if new in _RECORDS or new in _OTHERS or new in _ALIASES:
            raise ValueError(f"the name {new!r} is declared twice")
    _ALIASES.update(dict.fromkeys(aliases, name))


def records() -> Mapping[str, Record]:
    """All elementwise activations of the catalogue, by name, in order of declaration.

    Returns:
      A read-only mapping from name to :class:`Record`.

    Example:
      >>> jaxacts.records()["relu"].facts.kinks
      ((0.0, 0.0),)
    """
    return MappingProxyType(_RECORDS)


def record(f: Any) -> Record | None:
    """The record of a function, of a bound :class:`Activation` or of a `functools.partial`, or None.

    Only the identity of the function counts, never its name.

    Args:
      f: a function, a bound `jaxacts.get(...)`, a partial; anything else has no record.

    Returns:
      The :class:`Record`, or None.

    Example:
      >>> jaxacts.record(jaxacts.get("swish", beta=2.0)).name
      'silu'
    """
    fn, _ = unbind(f)
    try:
        return _BY_FUNCTION.get(fn)
    except TypeError:  # not hashable
        return None


def unbind(f: Any) -> tuple[Any, dict[str, Any]]:
    """The function behind an :class:`Activation` or a keyword-only `partial`, and its parameters."""
    if isinstance(f, Activation):
        return f.fn, dict(f.params)
    if isinstance(f, functools.partial) and not f.args:
        return f.func, dict(f.keywords)
    return f, {}


def facts(f: Any) -> Facts | None:
    """The facts of a function at the parameters bound to it, or None for a callable without a record.

    Args:
      f: a function, its name, a bound `jaxacts.get(...)` or a keyword-only partial.

    Returns:
      The :class:`Facts`, or None; None too where a parameter is bound to an array.

    Raises:
      ValueError: for an unknown name.

    Example:
      >>> jaxacts.facts(jaxacts.get("elu", alpha=0.5)).kinks
      ((0.0, 0.5),)
    """
    fn, params = unbind(get(f) if isinstance(f, str) else f)
    entry = record(fn)
    if entry is None:
        return None
    try:
        return entry.facts_at(**{name: _number(name, value) for name, value in params.items()})
    except (TypeError, jax.errors.ConcretizationTypeError):  # bound to an array or a tracer
        return None


def derivative(f: Any) -> Callable[..., Array]:
    """The analytic derivative of a catalogue function: the second opinion on `jax.grad`, not used by it.

    Args:
      f: a catalogue function, its name, or a bound `jaxacts.get(...)`.

    Returns:
      A function of x (and of the parameters that are not bound) that returns f'(x).

    Raises:
      ValueError: if `f` has no record.

    Example:
      >>> float(jaxacts.derivative(jaxacts.tanh)(0.0))
      1.0
    """
    if isinstance(f, str):
        f = get(f)
    fn, params = unbind(f)
    entry = record(fn)
    if entry is None:
        raise ValueError(f"{f!r} has no record, hence no analytic derivative; use jax.grad")
    return functools.partial(entry.derivative, **params) if params else entry.derivative


def names(aliases: bool = True) -> list[str]:
    """All names that :func:`get` knows, sorted.

    Args:
      aliases: whether to include other names of the same functions.

    Returns:
      A list of names.

    Example:
      >>> "swish" in jaxacts.names(), "swish" in jaxacts.names(aliases=False)
      (True, False)
    """
    return sorted({*_RECORDS, *_OTHERS, *(_ALIASES if aliases else ())})


def _number(name: str, value: Any) -> float | int | bool | str | tuple | None:
    """A plain Python value, so that equal settings are equal and hashable; a tuple, such as axes, of them."""
    if isinstance(value, tuple):
        return tuple(_number(name, part) for part in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    try:
        return operator.index(value)
    except TypeError:
        pass
    if getattr(value, "shape", None) == () and not isinstance(value, Tracer):
        return float(value)
    raise TypeError(
        f"parameter {name!r} must be a plain number to be bound, was {type(value).__name__}; "
        "pass arrays at the call, f(x, parameter), or see jaxacts.trainable"
    )


def get(f: str | Callable[..., Array], **params: Any) -> Activation:
    """An activation by name or by itself, with parameters bound.

    Args:
      f: a name or alias (``"gelu"``, ``"swish"``), a catalogue function, or any callable.
      **params: parameters to bind; plain numbers, or as the function has them: words, a tuple of axes.

    Returns:
      A callable of x that is hashable, picklable and equal by value: two equal calls of `get` are one
      jit cache key. It accepts and ignores a `key` keyword, as Equinox's `Sequential` passes one.

    Raises:
      ValueError: for an unknown name; the message suggests the nearest ones.
      TypeError: for an unknown parameter of a catalogue function, or a value of the wrong kind.

    Example:
      >>> jaxacts.get("leaky_relu", negative_slope=0.2)(-1.0)
      Array(-0.2, dtype=float32, weak_type=True)
    """
    if isinstance(f, str):
        name = _ALIASES.get(f, f)
        found = _RECORDS[name].fn if name in _RECORDS else _OTHERS.get(name)
        if found is None:
            raise ValueError(
                f"unknown activation {f!r}{hint(f, names()) or ';'} `jaxacts list` prints all names"
            )
        f = found
    elif not callable(f):
        raise TypeError(f"f must be a name or a callable, was {type(f).__name__}")
    fn, bound = unbind(f)
    if fn in _BY_FUNCTION or _OTHERS.get(getattr(fn, "__name__", "")) is fn:
        _check_bound(fn, params)
    bound = {**bound, **params}
    return Activation(fn, tuple(sorted((key, _number(key, value)) for key, value in bound.items())))


def as_inexact(x: Any) -> Array:
    """`x` as a real floating array; integers and booleans become the default float, complex is refused."""
    x = jnp.asarray(x)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return x
    if jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == bool:
        return x * 1.0 if x.weak_type else x.astype(jnp.result_type(float))
    raise TypeError(f"x must be real (floating, integer or boolean), was {x.dtype}")
