"""How accurate an activation and its derivatives are, float type by float type, measured against the truth.

The promise, in units in the last place (ULP): every finite input of the 16-bit types within 0.51, float32
within 4, 5 and 8 for f, f' and f'', float64 within 8, 10 and 16. :func:`measure` says how far any callable
keeps it.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts import _declare
from jaxacts.accuracy import _kinks, _parameters, _points, _run, _ulp
from jaxacts.accuracy._run import backend

__all__ = ["PROMISE", "TYPES", "Agreement", "Cell", "ParameterCell", "Report", "backend", "measure"]

TYPES = tuple(_ulp.FORMATS)

# ULP of f, f' and f''. In 16 bits that is the correctly rounded result, unless float32 sits beside a tie.
PROMISE: Mapping[str, tuple[float, float, float]] = MappingProxyType({
    "float16": (0.51, 0.51, 0.51),
    "bfloat16": (0.51, 0.51, 0.51),
    "float32": (4.0, 5.0, 8.0),
    "float64": (8.0, 10.0, 16.0),
})  # fmt: skip

# Relative to max(1, |f'|): a textbook form in float64 cancels a little, a wrong one is far off.
ANALYTIC_TOLERANCE = 1e-8

DENSE = 40_000  # points of float32 that are compared with float64; they cost next to nothing

TRUSTED = 1e4  # ULP of float64: still 10^-12, nothing against half a unit of a narrower type


@dataclass(frozen=True)
class Cell:
    """The worst case of one quantity in one float type.

    Attributes:
      dtype: the float type.
      order: 0, 1 or 2 for f, f' and f''.
      error: the largest error in ULP over finite inputs; infinite for a NaN or infinity that the mathematics
        does not have.
      at: the input where it happens.
      got: the result there.
      true: the true value there.
      nans: how many finite inputs gave NaN.
      infs: how many finite inputs gave an infinity although the true value is in range.
      points: how many inputs were judged.
      specials: which of "nan", "-inf" and "inf" do not give NaN and the limits (promised for f and, but for
        NaN, f').
    """

    dtype: str
    order: int
    error: float
    at: float
    got: float
    true: float
    nans: int
    infs: int
    points: int
    specials: tuple[str, ...] = ()

    @property
    def bound(self) -> float:
        """What is promised."""
        return PROMISE[self.dtype][self.order]

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.error <= self.bound and not self.specials


@dataclass(frozen=True)
class ParameterCell:
    """The worst case of the derivative with respect to one parameter in one float type; see :class:`Cell`."""

    dtype: str
    parameter: str
    error: float
    at: float
    got: float
    true: float

    @property
    def bound(self) -> float:
        """What is promised: as for f'."""
        return PROMISE[self.dtype][1]

    @property
    def kept(self) -> bool:
        """Whether the promise is kept."""
        return self.error <= self.bound


@dataclass(frozen=True)
class Agreement:
    """How far an analytic derivative is from the truth in float64: |difference| / max(1, |f'|), and where."""

    difference: float
    at: float

    @property
    def kept(self) -> bool:
        """Whether they are the same function."""
        return self.difference <= ANALYTIC_TOLERANCE


@dataclass(frozen=True)
class Report:
    """What was measured for one function.

    Attributes:
      name: its name, with the parameters that are bound.
      truth: "mpmath" or "float64", where the latter means the same code in float64.
      cells: one for each float type and order.
      kinks: points where f or f' was found to jump, each with the derivative that `jax.grad` takes there.
      analytic: agreement of the analytic derivative, None without one.
      parameters: one for each float type and parameter, where that was asked for.
    """

    name: str
    truth: str
    cells: tuple[Cell, ...]
    kinks: tuple[tuple[float, float], ...]
    analytic: Agreement | None
    parameters: tuple[ParameterCell, ...] = ()

    @property
    def kept(self) -> bool:
        """Whether every cell keeps the promise and the analytic derivative is right."""
        cells = (*self.cells, *self.parameters)
        return all(cell.kept for cell in cells) and (self.analytic is None or self.analytic.kept)


def measure(
    f: str | Callable[..., jax.Array],
    *,
    types: Sequence[str] = TYPES,
    truth_of: str | _declare.Activation | None = None,
    derivative: Callable[..., jax.Array] | None = None,
    parameters: bool = False,
    count: int = 1000,
) -> Report:
    """The accuracy of f, jax.grad(f) and the second derivative in each float type.

    The truth of a catalogue function is the textbook formula in mpmath. The 16-bit types, tested
    exhaustively, and most points of float32 are compared with the library in float64, which mpmath has judged
    first (if it is found wrong, mpmath judges fewer points instead).

    Args:
      f: a name, a catalogue function, a bound `jaxacts.get(...)` or any elementwise callable that keeps the
        type of its input.
      types: the float types to test.
      truth_of: the catalogue function, with its parameters, whose formula is the truth for another
        implementation `f`. Without it, a callable that is not in the catalogue is compared with itself in
        float64, so float64 cannot be judged and is left out.
      derivative: the analytic derivative to compare with; catalogue functions have their own.
      parameters: also measure the derivatives of a catalogue function with respect to its parameters.
      count: roughly how many mpmath points of each kind a 32- or 64-bit type gets.

    Returns:
      A :class:`Report`.

    Raises:
      ValueError: for an unknown name or type.
      TypeError: if `f` is not elementwise, or does not keep the type of its input.

    Example:
      >>> report = jaxacts.accuracy.measure("relu", types=["bfloat16"])
      >>> [cell.error for cell in report.cells]
      [0.0, 0.0, 0.0]
    """
    for name in types:
        if name not in TYPES:
            raise ValueError(f"types must be among {', '.join(TYPES)}, was {name!r}")
    f = _declare.get(f) if isinstance(f, str) else f
    if _declare.record(f) is None:
        _run.require_elementwise(f)
    known = _declare.get(truth_of) if truth_of is not None else f
    entry = _declare.record(known)
    if entry is None or not _has_formula(entry.name):
        return _same_code(f, tuple(types), derivative)
    report = _textbook(f, known, entry, tuple(types), derivative, count)
    if not parameters or f is not known:
        return report
    return dataclasses.replace(report, parameters=_parameter_cells(known, entry, tuple(types), count // 3))


def _has_formula(name: str) -> bool:
    try:
        from jaxacts import reference
    except ImportError as error:
        raise ImportError("the truth needs mpmath: pip install 'jaxacts[lab]'") from error
    return name in reference.names()


def _textbook(
    f: Callable,
    known: Any,
    entry: _declare.Record,
    types: tuple[str, ...],
    derivative: Callable | None,
    count: int,
) -> Report:
    params = {**entry.parameters, **_declare.unbind(known)[1]}
    double = _ulp.FORMATS["float64"]
    library64 = _library64(known)  # of the catalogue, also when another `f` is judged
    run64 = library64 if f is known else _run.runner(f, double)
    x = _points.sample(double, entry.facts_at(**params).breaks, count)
    truth = _run.textbook(entry.name, params, x)
    limits = _run.limits(entry.name, params)
    cells64 = _cells(run64, double, [(x, truth)], limits)
    library_cells = cells64 if f is known else _cells(library64, double, [(x, truth)], limits)
    trusted = library64 if all(cell.error < TRUSTED for cell in library_cells) else None
    cells = []
    for name in types:
        cells += cells64 if name == "float64" else _narrow(f, known, entry, params, name, trusted, count)
    if derivative is None and f is known:
        derivative = functools.partial(entry.derivative, **_declare.unbind(known)[1])
    analytic = None if derivative is None else _agreement(derivative, x, truth[1][0])
    return Report(_name(f), "mpmath", tuple(cells), tuple(_kinks.find(run64)), analytic)


@functools.lru_cache(maxsize=8)  # the narrower types share it
def _library64(known: _declare.Activation) -> _run.Runner:
    return _run.runner(known, _ulp.FORMATS["float64"])


def _narrow(
    f: Callable,
    known: Any,
    entry: _declare.Record,
    params: Mapping[str, Any],
    name: str,
    library64: _run.Runner | None,
    count: int,
) -> list[Cell]:
    """Judge a narrower type: by mpmath at some points, at many by the library in float64 if that is right."""
    form = _ulp.FORMATS[name]
    # These types see the parameters as float32 holds them, so that is where the truth is taken.
    held = {key: float(np.float32(v)) if isinstance(v, float) else v for key, v in params.items()}
    if held != params:
        f, known = (_declare.get(entry.fn, **held) if g is known else g for g in (f, known))
        library64 = library64 and _library64(known)
    breaks, limits = entry.facts_at(**held).breaks, _run.limits(entry.name, held)
    x = _points.thin(form, breaks, count if library64 else 4 * count)
    batches = [(x, _run.textbook(entry.name, held, x))]
    if library64:
        x = (
            _points.all_finite(form)
            if form.bits <= 10
            else _points.sample(form, breaks, max(DENSE, 40 * count))
        )
        batches.append((x, _run.same_code(library64, x)))
    return _cells(_run.runner(f, form), form, batches, limits)


def _parameter_cells(
    known: Any, entry: _declare.Record, types: tuple[str, ...], count: int
) -> tuple[ParameterCell, ...]:
    params = {**entry.parameters, **_declare.unbind(known)[1]}
    breaks = entry.facts_at(**params).breaks
    cells = []
    for name in types:
        found = _parameters.worst(entry.fn, entry.name, params, _ulp.FORMATS[name], breaks, count)
        cells += [ParameterCell(name, key, *worst) for key, worst in found.items()]
    return tuple(cells)


def _same_code(f: Callable, types: tuple[str, ...], derivative: Callable | None) -> Report:
    run64 = _run.runner(f, _ulp.FORMATS["float64"])
    kinks = _kinks.find(run64)
    cells = []
    for name in types:
        if name == "float64":
            continue
        form = _ulp.FORMATS[name]
        breaks = [point for point, _ in kinks]
        x = _points.all_finite(form) if form.bits <= 10 else _points.sample(form, breaks, DENSE)
        cells += _cells(_run.runner(f, form), form, [(x, _run.same_code(run64, x))], None)
    x = _points.sample(_ulp.FORMATS["float64"])
    for point, _ in kinks:  # what is right there is a convention, and this function's is not known
        x = x[np.abs(x - point) > 1e-9]
    analytic = None if derivative is None else _agreement(derivative, x, run64(x)[1])
    return Report(_name(f), "float64", tuple(cells), tuple(kinks), analytic)


def _cells(
    run: _run.Runner,
    form: _ulp.Format,
    batches: list[tuple[np.ndarray, list[_ulp.Truth]]],
    limits: np.ndarray | None,
) -> list[Cell]:
    """Judge one type: all batches of finite points, NaN and, where the limits are known, the infinities."""
    found: list[list[tuple[np.ndarray, ...]]] = [[], [], []]
    for (x, truth), scale in zip(batches, _scales(batches), strict=True):
        computed = run(x)
        # a subnormal input may be taken for zero: only what is not a number would be wrong there
        claimed = (np.abs(x) >= form.tiny) | (x == 0) | (not form.flushes)
        for order in range(3):
            error = _ulp.errors(computed[order], truth[order], scale[order], form)
            error = np.where(claimed | ~np.isfinite(computed[order]), error, 0.0)
            found[order].append((x, computed[order], truth[order][0], error))
    cells = []
    for order in range(3):
        x, got, true, error = (np.concatenate(column) for column in zip(*found[order], strict=True))
        i = int(np.argmax(error))
        nans = int(np.isnan(got).sum())
        infs = int((np.isinf(got) & (error > PROMISE[form.name][order])).sum())
        worst = (float(error[i]), float(x[i]), float(got[i]), float(true[i]))
        wrong = _specials(run, form, order, limits)
        cells.append(Cell(form.name, order, *worst, nans, infs, x.size, wrong))
    return cells


def _scales(batches: list[tuple[np.ndarray, list[_ulp.Truth]]]) -> list[list[np.ndarray]]:
    """The scales of every batch, from all batches: a few points may all lie on one side of zero crossings."""
    x = np.concatenate([points for points, _ in batches])
    order = np.argsort(x, kind="stable")
    value, slope, bend = (np.concatenate([truth[k][0] for _, truth in batches])[order] for k in range(3))
    columns = []
    for column in _ulp.scales(x[order], (value, slope, bend)):
        back = np.empty_like(column)
        back[order] = column
        columns.append(np.split(back, np.cumsum([points.size for points, _ in batches])[:-1]))
    return [list(scale) for scale in zip(*columns, strict=True)]


def _specials(run: _run.Runner, form: _ulp.Format, order: int, limits: np.ndarray | None) -> tuple[str, ...]:
    """Which of NaN, -inf and inf are mapped wrongly; a limit that does not exist promises nothing."""
    found = run(np.array([np.nan, -np.inf, np.inf]))[order]
    wrong = ["nan"] if order == 0 and not np.isnan(found[0]) else []
    if limits is not None and order < 2:
        true = limits[order]
        error = _ulp.errors(found[1:], (true, np.zeros(2)), np.abs(true), form)
        bad = ~np.isnan(true) & (error > PROMISE[form.name][order])
        wrong += [name for name, flag in zip(("-inf", "inf"), bad, strict=True) if flag]
    return tuple(wrong)


def _agreement(derivative: Callable, x: np.ndarray, true: np.ndarray) -> Agreement:
    # a subnormal input may be taken for zero, which can be the other side of a kink
    judged = (np.abs(x) <= 30) & ((np.abs(x) >= _ulp.FORMATS["float64"].tiny) | (x == 0))
    x, true = x[judged], true[judged]
    with _run.double_precision():
        found = np.asarray(jax.jit(jax.vmap(derivative))(jnp.asarray(x)), np.float64)
    gap = np.abs(found - true) / np.maximum(1.0, np.abs(true))
    gap = np.where(np.isnan(gap), math.inf, gap)
    i = int(np.argmax(gap))
    return Agreement(float(gap[i]), float(x[i]))


def _name(f: Any) -> str:
    return str(getattr(f, "__name__", None) or f)
