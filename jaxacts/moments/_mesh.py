"""Panels in x for a callable, found once on the host, for quadrature inside jit, vmap and grad."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxacts import _declare
from jaxacts.moments import _rules, _sampling

# Panels are laid out up to here: 13 standard deviations at a variance of 1e6.
_REACH = 16384.0
# Panels a shell [4^k, 4^(k+1)] may have, while kinks are searched for and in the mesh that is kept.
_SEARCH, _KEEP = 400, 48
# What rounding leaves in the last coefficients of a resolved function, in units of its rounding error.
_NOISE = 4096.0
# Panels are not split below this many units of rounding, relative to max(1, |x|): the kink is where they are.
_FINEST = 16.0


def breaks(f: Callable[..., Any]) -> tuple[Any, ...]:
    """Declared points where a derivative of f jumps; tracers where they depend on traced parameters."""
    facts = _declare.facts(f)
    if facts is not None:
        return facts.breaks
    entry = _declare.record(f)
    if entry is None:
        return ()
    _, params = _declare.unbind(f)
    try:
        facts = entry._facts(**{**entry.parameters, **params}) if callable(entry._facts) else entry.facts
        return (*(point for point, _ in facts.kinks), *facts.knots)
    except (TypeError, ValueError, jax.errors.JAXTypeError):  # the facts branch on a traced parameter
        return entry.facts.breaks


def edges(f: Callable[..., Any]) -> tuple[Any, ...]:
    """Where panels begin in x so that f and f' are resolved on each of them, ascending when all are numbers.

    For a callable that closes over traced values nothing can be sampled; it gets its declared breaks and
    panels that suit functions whose structure has unit scale.
    """
    known = breaks(f)
    if _sampling.is_traced(*known):
        return (*_standard_edges(), *known)
    try:
        return _search(f)[0]
    except _sampling.TracedCallable:
        return (*_standard_edges(), *known)


def undeclared(f: Callable[..., Any]) -> tuple[float, ...]:
    """Breaks of f that were found by sampling because there is no record; empty when there is one."""
    try:
        return _search(f)[1]
    except _sampling.TracedCallable:
        return ()


def _search(f: Callable[..., Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    try:
        return _cached(f)
    except TypeError:  # not hashable: sampled anew each time
        return _sampled(f)


def _sampled(f: Callable[..., Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Edges, and the breaks among them that nobody declared."""
    with np.errstate(all="ignore"):  # f may overflow far out
        found = _kinks(f) if _declare.facts(f) is None else np.empty(0)
        places = np.union1d(found, [0.0, *breaks(f)])
        start = np.unique(np.concatenate([_rules.scales(_REACH, 4.0), places, _steep(f, places)]))
        return tuple(_refine(f, start, _KEEP, rounds=12)[0].tolist()), tuple(found.tolist())


_cached = functools.lru_cache(maxsize=512)(_sampled)


def _standard_edges() -> tuple[float, ...]:
    fine = np.concatenate([np.arange(0.0, 4.0, 0.5), np.arange(4.0, 12.0, 2.0), 16.0 * 2.0 ** np.arange(11)])
    return tuple(np.unique(np.concatenate([-fine, fine])))


def _kinks(f: Callable[..., Any]) -> np.ndarray:
    """Undeclared breaks: where splitting went on until the panels were tiny."""
    # A break within 0.3 % of a panel's end is seen by no node: panels begin at unlikely numbers, and twice.
    found = [_kinks_from(f, _rules.scales(_REACH, 4.0) * factor) for factor in (1.0986122886681098, 2.3978)]
    places = np.sort(np.concatenate(found))
    fresh = np.diff(places, prepend=-np.inf) > 1e-6 * np.maximum(1.0, np.abs(places))
    return places[fresh]


def _kinks_from(f: Callable[..., Any], start: np.ndarray) -> np.ndarray:
    points, width = _refine(f, start[start != 0], _SEARCH, rounds=60, split=0.4365)
    centre = (points[1:] + points[:-1]) / 2
    # A break is where panels shrink a hundredfold within a few; an oscillation has many of equal width.
    scale = np.maximum(1.0, np.abs(centre))
    padded = np.pad(np.minimum(width / scale, 1.0), 14, constant_values=np.nan)
    around = np.stack([padded[i : i + width.size] for i in range(29)])
    relative = width / scale
    found = (relative <= np.nanmin(around, axis=0)) & (relative < 1e-2 * np.nanmax(around, axis=0))
    # Halving towards a break leaves about seven in 29 panels within a factor of eight of the smallest.
    found &= np.nanmean(np.where(np.isnan(around), np.nan, around < 8 * relative), axis=0) <= 0.4
    # A break within 0.3 % of a panel's end is seen by no node: look beyond the panel, and look closely.
    # In the outermost shell an oscillation has used up its panels and leaves uneven ones.
    found &= np.abs(centre) < _REACH / 4
    last = points.size - 1
    places = [_locate(f, points[max(i - 6, 0)], points[min(i + 7, last)]) for i in np.flatnonzero(found)]
    return np.unique(places)


def _locate(f: Callable[..., Any], left: float, right: float) -> float:
    """The place in (left, right) where f or f' jumps or f' bends, by repeated magnification."""
    finest = _FINEST * _sampling.roundoff(f)
    for _ in range(24):
        x = np.linspace(left, right, 33)
        if x[1] - x[0] < finest * max(1.0, abs(left)):
            break
        rows = _sampling.sample(f, x, slope=True)
        bends = np.abs(np.diff(rows, 2))
        bends /= np.abs(rows).max(1, keepdims=True) + np.finfo(np.float32).tiny
        centre = int(np.argmax(bends.max(0))) + 1
        left, right = x[max(centre - 2, 0)], x[min(centre + 2, 32)]
    # A kink that somebody typed in is a short decimal, and magnification never gets there.
    for digits in range(10):
        if left <= round((left + right) / 2, digits) <= right:
            return round((left + right) / 2, digits) + 0.0  # -0.0 becomes 0.0
    return (left + right) / 2


def _steep(f: Callable[..., Any], places: np.ndarray) -> np.ndarray:
    """Extra edges beside places where f' changes so fast (a smoothed rectifier's) that no node sees it."""
    steps = np.array([1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7])
    offsets = np.maximum(1.0, np.abs(places))[:, None, None] * np.stack([-steps, steps])
    points = places[:, None, None] + offsets
    slopes = _sampling.sample(f, points.ravel(), slope=True)[1].reshape(points.shape)
    jumps = np.abs(slopes - slopes[..., :1]) > 0.1 * np.abs(slopes).max()
    return points[jumps.any((1, 2))].ravel()


def _refine(
    f: Callable[..., Any], start: np.ndarray, cap: int, rounds: int, split: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Split panels until the Legendre coefficients of f and f' die out on each; returns edges and widths."""
    nodes, _, rows = _rules.rule()
    eps = _sampling.roundoff(f)
    shells = 4.0 ** np.arange(-1, 9)
    count = np.zeros(len(shells) + 1, dtype=int)  # finished panels in each shell
    largest = np.full((2, count.size), float(np.finfo(np.float32).tiny))
    kept: list[np.ndarray] = []
    left, right = start[:-1], start[1:]
    for _ in range(rounds):
        if not left.size:
            break
        width = right - left
        x = left[:, None] + width[:, None] * nodes
        values = _sampling.sample(f, x.ravel(), slope=True).reshape(2, *x.shape)
        tails = np.abs(np.einsum("kpn,rn->kpr", values, rows)).max(-1)
        outer = np.maximum(np.abs(left), np.abs(right))
        shell = np.searchsorted(shells, outer)
        np.maximum.at(largest, (slice(None), shell), np.nan_to_num(np.abs(values)).max(-1))  # pyright: ignore[reportArgumentType]
        size = np.maximum.accumulate(largest, axis=1)[:, shell]  # of f and f' this far from 0 or closer
        rough = np.any(tails > _NOISE * eps * size, axis=0)
        rough &= width > _FINEST * eps * np.maximum(1.0, np.abs(left))
        waiting = np.bincount(shell[rough], minlength=count.size)
        count += np.bincount(shell[~rough], minlength=count.size)
        split_up = rough & (count + 2 * waiting <= cap)[shell]
        count += np.bincount(shell[rough & ~split_up], minlength=count.size)
        kept.append(left[~split_up])
        left, right = left[split_up], right[split_up]
        middle = left + split * (right - left)
        left, right = np.concatenate([left, middle]), np.concatenate([middle, right])
    points = np.append(np.sort(np.concatenate([*kept, left])), start[-1])
    return points, np.diff(points)
