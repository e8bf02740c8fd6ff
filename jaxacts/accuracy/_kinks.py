"""Finding, in float64 and without being told, the points where f or f' jumps."""

from __future__ import annotations

import numpy as np

from jaxacts.accuracy._run import CHUNK, Runner

REACH = 16.0


def find(run64: Runner) -> list[tuple[float, float]]:
    """Jumps of f or f' in [-16, 16]: pairs of the point and the derivative that `jax.grad` takes there.

    A cell of the grid is a candidate when f' changes across it by more than f'' can explain. It is then
    divided again and again: the change of a smooth function dies away with the width of the cell, a jump
    stays.

    Args:
      run64: a runner in float64.
    """
    x = np.linspace(-REACH, REACH, CHUNK)
    cells = [(a, b) for order in (0, 1) for a, b in _candidates(x, run64(x), order)]
    if not cells:
        return []
    points = sorted({point for a, b in cells if (point := _locate(run64, a, b)) is not None})
    merged = [p for i, p in enumerate(points) if i == 0 or p - points[i - 1] > 1e-9]
    slopes = run64(np.array(merged))[1] if merged else []
    return [(float(p) + 0.0, float(slope)) for p, slope in zip(merged, slopes, strict=True)]


def _candidates(x: np.ndarray, rows: np.ndarray, order: int) -> list[tuple[float, float]]:
    value, rate = rows[order], np.abs(rows[order + 1])
    width = x[1] - x[0]
    wide = np.pad(rate, 2, mode="edge")
    fastest = np.max([wide[i : i + x.size - 1] for i in range(5)], axis=0)
    change = np.abs(np.diff(value))
    floor = 1e-9 * np.nanmax(np.abs(value[np.isfinite(value)]), initial=1e-30)
    worst = np.flatnonzero(change > 4 * width * fastest + floor)
    worst = worst[np.argsort(-change[worst])][:64]
    return [(float(x[i]), float(x[i + 1])) for i in worst]


def _locate(run64: Runner, a: float, b: float) -> float | None:
    """The jump of f or f' inside [a, b], rounded to 12 decimals, or None if it fades away."""
    first = None
    for _ in range(4):
        x = np.linspace(a, b, 1024)
        rows = run64(x)
        jumps = np.abs(np.diff(rows[:2], axis=1))
        sizes = np.nanmax(jumps, axis=1)
        if first is None:
            first = np.abs(rows[:2, -1] - rows[:2, 0])
        order = int(np.argmax(sizes / np.maximum(first, 1e-30) * (first > 0)))
        i = int(np.nanargmax(jumps[order]))
        if not sizes[order] > 0.5 * first[order] or sizes[order] == 0:
            return None
        a, b = x[i], x[i + 1]
    return round((a + b) / 2, 12)
