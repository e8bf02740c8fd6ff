"""Functions of the catalogue sampled in float64, densely where they bend, kink or peak; for `test_facts`.

One compiled program a function serves all its cases: it maps points to f, f' and f''. A function without
parameters shares the program with which its accuracy was measured.
"""

import functools

import jax
import numpy as np

import jaxacts
from jaxacts import accuracy

CHUNK = 2048
DENSE = 32.0  # breaks are looked for in [-32, 32]; all that the catalogue has lie inside
_HALF = np.linspace(0.0, DENSE, 4096)
_TAIL = np.geomspace(DENSE, 1e8, 700)[1:]
BASE = np.unique(np.concatenate([-_TAIL, -_HALF, _HALF, _TAIL]))
# a jump across a cell of this relative width counts, if it is larger than _JUMP times the size of what jumps
_FINE = 2e-9
_JUMP = 1e-6
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)


@functools.cache
def _program(fn, static):
    def jets(x, arrays):
        def both(x):
            value, pull = jax.vjp(lambda x: fn(x, **dict(static), **arrays), x)
            return value, pull(jax.numpy.ones_like(x))[0]  # what jax.grad gives, element by element

        (value, slope), (_, bend) = jax.jvp(both, (x,), (jax.numpy.ones_like(x),))
        return value, slope, bend

    return jax.jit(jets)


def jets(record, params, x):
    """Rows x, f, f', f'' at the points x, sorted."""
    x = np.unique(np.asarray(x, np.float64))
    if not record.parameters:
        return np.stack([x, *accuracy._library64(jaxacts.get(record.name))(x)])
    params = {**record.parameters, **params}
    static = tuple((k, v) for k, v in params.items() if isinstance(v, int))
    arrays = {k: np.float64(v) for k, v in params.items() if not isinstance(v, int)}
    padded = np.concatenate([x, np.zeros(-x.size % CHUNK)]).reshape(-1, CHUNK)
    parts = [_program(record.fn, static)(part, arrays) for part in padded]
    return np.stack([x, *(np.concatenate(column)[: x.size] for column in zip(*parts, strict=True))])


def _merge(*rows):
    together = np.concatenate(rows, axis=1)
    return together[:, np.unique(together[0], return_index=True)[1]]


def _jumps(rows):
    """How far f, f' and f'' are from continuing smoothly, cell by cell, relative to their size."""
    with np.errstate(all="ignore"):
        h = np.diff(rows[0])
        mean = (rows[:, 1:] + rows[:, :-1]) / 2
        size = 1 + np.abs(rows[:, 1:]) + np.abs(rows[:, :-1])
        change = np.diff(rows, axis=1)
        f = np.abs(change[1] - h * mean[2]) / size[1]
        slope = np.abs(change[2] - h * mean[3]) / size[2]
        bend = np.abs(change[3]) / size[3]
    scores = np.nan_to_num([f, slope, bend], nan=0.0, posinf=0.0)
    return np.where((rows[0, 1:] <= DENSE) & (rows[0, :-1] >= -DENSE), scores, 0.0)


def _cells_to_split(rows):
    """The cells most likely to hold a break or an extreme of f, |f'| or |f''|."""
    with np.errstate(all="ignore"):
        peaks = [-rows[1], rows[1], np.abs(rows[2]), np.abs(rows[3])]
        peaks = [np.nan_to_num(np.fmax(p[1:], p[:-1]), nan=-np.inf, posinf=-np.inf) for p in peaks]
    splittable = np.diff(rows[0]) > 1e-11 * (1 + np.abs(rows[0, 1:]))
    cells = set()
    for scores, count in [*((s, 7) for s in _jumps(rows)), *((p, 4) for p in peaks)]:
        scores = np.where(splittable, scores, -np.inf)
        cells |= set(np.argpartition(scores, -count)[-count:].tolist())
    return sorted(cells)


def refined(record, params, points=(), rounds=5):
    """Rows x, f, f', f'' on a grid refined where f may break or peak, with `points` and their neighbours.

    Points where one of the three overflows are left out.
    """
    # neighbours, but no subnormal numbers, which XLA takes for zero
    points = np.asarray(points, np.float64)
    step = np.maximum(np.spacing(np.abs(points)), 1e-300)
    extra = np.concatenate([points, points - step, points + step])
    rows = jets(record, params, np.concatenate([BASE, -extra, extra]))
    for _ in range(rounds):
        cells = [np.linspace(rows[0, i], rows[0, i + 1], 50)[1:-1] for i in _cells_to_split(rows)]
        rows = _merge(rows, jets(record, params, np.concatenate(cells)[:CHUNK]))
    return rows[:, np.isfinite(rows).all(axis=0)]


def breaks(record, params, rows):
    """Where f, f', f'' or f''' jumps, found without asking the facts: a list of (point, lowest order)."""
    found = []
    fine = np.diff(rows[0]) <= _FINE * (1 + np.abs(rows[0, 1:]))
    for order, scores in enumerate(_jumps(rows)):
        # f'' is only compared with itself, so it must be allowed to change by f''' times the width of a cell
        for i in np.flatnonzero(fine & (scores > (_JUMP if order < 2 else 1e-3))):
            point = (rows[0, i] + rows[0, i + 1]) / 2
            if all(abs(point - other) > 1e-6 * (1 + abs(point)) for other, _ in found):
                found.append((point, order))
    return sorted(found + _third_order(record, params, found))


def _slopes(rows):
    """f''' from differences of f'', and how it changes from one cell to the next."""
    third = np.diff(rows[3]) / np.diff(rows[0])
    return third, np.abs(np.diff(third))


def _third_order(record, params, found):
    """Points where only f''' jumps, to 1e-5."""
    with np.errstate(all="ignore"):
        rows = jets(record, params, np.concatenate([-_HALF, _HALF]))
        _, change = _slopes(rows)
        for point, _ in found:
            change[np.abs(rows[0, 1:-1] - point) < 0.02] = 0.0
        change = np.nan_to_num(change, nan=0.0, posinf=0.0)
        result = []
        tops = [(i, rows[0, i], rows[0, i + 2]) for i in np.argsort(change)[-6:]]
        zooms = jets(record, params, np.concatenate([np.linspace(a, b, 40) for _, a, b in tops]))
        for i, a, b in tops:
            part = zooms[:, (zooms[0] >= a) & (zooms[0] <= b)]
            third, jump = _slopes(part)
            k = int(np.argmax(jump))
            size = 1e-3 + np.abs(third).max()
            closer = jets(record, params, np.linspace(part[0, k], part[0, k + 2], 40))
            _, jump = _slopes(closer)
            k = int(np.argmax(jump))
            # smooth: 40^2 times less than on the first grid; a jump stays as it is
            if jump[k] > 0.02 * size and jump[k] > 0.1 * change[i]:
                point = closer[0, k + 1]
                if all(abs(point - other) > 1e-4 for other, _ in result):
                    result.append((point, 3))
    return result


def gaussian_mean(record, params, split):
    """E f(z) for standard normal z, by Gauss-Legendre quadrature between the given points."""
    edges = np.unique(np.concatenate([np.linspace(-9, 9, 37), [p for p in split if -9 < p < 9]]))
    half = np.diff(edges)[:, None] / 2
    x = edges[:-1, None] + half * (1 + _NODES)
    weights = (half * _WEIGHTS * np.exp(-(x**2) / 2)).ravel() / np.sqrt(2 * np.pi)
    x, order = np.unique(x.ravel(), return_index=True)
    rows = jets(record, params, x)
    return float(rows[1] @ weights[order]), float(np.abs(rows[1]) @ weights[order])
