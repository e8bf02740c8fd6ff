"""Panels in x for a callable, found once on the host, for quadrature inside jit, vmap and grad."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts import _declare
from jaxacts.moments import _adaptive, _rules, _sampling

# Panels are laid out up to here: 13 standard deviations at a variance of 1e6.
_REACH = 16384.0
# Panels a shell [4^k, 4^(k+1)] may have, while kinks are searched for and in the mesh that is kept.
_SEARCH, _KEEP = 400, 48
# Relative size of the last coefficients of a resolved function: a hundred times what rounding leaves in them.
_RESOLVED = {np.dtype(np.float64): 1e-12, np.dtype(np.float32): 4e-6}
# Widths below this (relative to max(1, |x|)) are not halved further: the kink is where the panel is.
_FINEST = {np.dtype(np.float64): 1e-14, np.dtype(np.float32): 1e-6}


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

    For a callable that closes over traced values nothing can be sampled; it gets its declared breaks and panels
    that suit functions whose structure has unit scale.
    """
    known = breaks(f)
    if _sampling.is_traced(*known):
        return (*_standard_edges(), *known)
    key = (f, np.dtype(jnp.result_type(float)))
    try:
        hash(key)
    except TypeError:  # not hashable: sampled anew each time
        search = _sampled
    else:
        search = functools.partial(_cached, dtype=key[1])
    try:
        return search(f)
    except _sampling.TracedCallable:
        return (*_standard_edges(), *known)


@functools.lru_cache(maxsize=512)
def _cached(f: Callable[..., Any], dtype: np.dtype) -> tuple[float, ...]:
    del dtype  # part of the key: single precision resolves less
    return _sampled(f)


def _sampled(f: Callable[..., Any]) -> tuple[float, ...]:
    start = np.unique(np.concatenate([_rules.scales(_REACH, 4.0), np.asarray(breaks(f), dtype=float)]))
    if _declare.facts(f) is None:
        start = np.union1d(start, _kinks(f, start))
    return tuple(_refine(f, start, _KEEP, rounds=12)[0])


def _standard_edges() -> tuple[float, ...]:
    fine = np.concatenate([np.arange(0.0, 4.0, 0.5), np.arange(4.0, 12.0, 2.0), 16.0 * 2.0 ** np.arange(11)])
    return tuple(np.unique(np.concatenate([-fine, fine])))


def _kinks(f: Callable[..., Any], start: np.ndarray) -> np.ndarray:
    """Candidates for undeclared breaks: where halving went on until the panels were tiny."""
    points, width = _refine(f, start, _SEARCH, rounds=60)
    if not width.size:
        return width
    centre = (points[1:] + points[:-1]) / 2
    # A tiny panel beside a much wider one marks a break, not a steep smooth stretch.
    tiny = width < 1e-3 * np.maximum(1.0, np.abs(centre))
    found: list[float] = []
    for index in np.flatnonzero(tiny):
        if found and abs(centre[index] - found[-1]) < 1e-2 * max(1.0, abs(centre[index])):
            if width[index] < narrowest:
                found[-1], narrowest = centre[index], width[index]
        else:
            found.append(centre[index])
            narrowest = width[index]
    # Halving of [0, 1] never tries a third; a kink that was typed in is a short decimal, and then exactly that.
    return np.array([round(x, 9) if abs(x - round(x, 9)) < 1e-12 else x for x in found])


def _refine(f: Callable[..., Any], start: np.ndarray, cap: int, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Halve panels until the Legendre coefficients of f and f' die out on each; returns edges and widths."""
    nodes, _, rows = _rules.rule()
    dtype = np.dtype(jnp.result_type(float))
    tolerance = _RESOLVED[dtype]
    kept: list[np.ndarray] = []
    left, right = start[:-1], start[1:]
    shells = 4.0 ** np.arange(-1, 9)
    count = np.zeros(len(shells) + 1, dtype=int)
    for _ in range(rounds):
        if not left.size:
            break
        width = right - left
        x = left[:, None] + width[:, None] * nodes
        values = _sampling.sample(f, x.ravel(), slope=True).reshape(2, *x.shape)
        tails = np.abs(np.einsum("kpn,rn->kpr", values, rows)).max(-1)
        outer = np.maximum(np.abs(left), np.abs(right))
        rough = np.any(tails > tolerance * _running_size(values, outer), axis=0)
        rough &= width > _FINEST[dtype] * np.maximum(1.0, np.abs(left))
        shell = np.searchsorted(shells, outer)
        kept.append(left[~rough])
        np.add.at(count, shell[~rough], 1)
        order = np.flatnonzero(rough)
        waiting = np.bincount(shell[order], minlength=count.size)
        full = count + 2 * waiting > cap
        stop = rough & full[shell]
        kept.append(left[stop])
        np.add.at(count, shell[stop], 1)
        go = rough & ~stop
        middle = (left[go] + right[go]) / 2
        left, right = np.concatenate([left[go], middle]), np.concatenate([middle, right[go]])
    kept.append(left)
    points = np.append(np.sort(np.concatenate(kept)), start[-1])
    return points, np.diff(points)


def _running_size(values: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """Largest |value| among the panels at most as far out, for each row and panel."""
    largest = np.nan_to_num(np.abs(values)).max(-1)
    order = np.argsort(outer, kind="stable")
    running = np.empty_like(largest)
    running[:, order] = np.maximum.accumulate(largest[:, order], axis=1)
    return running + np.finfo(np.float32).tiny
