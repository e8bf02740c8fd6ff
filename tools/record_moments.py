"""Record Gaussian moments of the whole catalogue by mpmath quadrature, for tests/data/moments.json.

    python tools/record_moments.py

Formulas and derivatives are those of `jaxacts.reference`, evaluated by mpmath with 80 digits; panels are
split at the declared breaks and halved until their last Legendre coefficients have died out. Nothing of
`jaxacts.moments` is used. The table holds E f, E f² and E f'² for a standard normal argument and default
parameters; tests compute some of its rows again.
"""

from __future__ import annotations

import itertools
import json
import math
import pathlib

import numpy as np

import jaxacts
from jaxacts import reference

TABLE = pathlib.Path(__file__).parent.parent / "tests" / "data" / "moments.json"
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_LAST = np.polynomial.legendre.legvander(_NODES, 23)[:, -2:] * _WEIGHTS[:, None] * 23.5
_EDGES = [-12, -8, -6, -4.5, -3, -2, -1, 0, 1, 2, 3, 4.5, 6, 8, 12]


def names() -> list[str]:
    """The activations that have both a record and a formula."""
    return sorted(set(jaxacts.records()) & set(reference.names()))


def moments(name: str) -> list[float]:
    """E f, E f² and E f'² of one activation."""
    edges = np.union1d(_EDGES, jaxacts.facts(jaxacts.records()[name].fn).breaks)
    stack = list(itertools.pairwise(edges))
    totals: list[list[float]] = [[], [], []]
    while stack:
        left, right = stack.pop()
        x = left + (right - left) * (_NODES + 1) / 2
        pairs = np.array([[float(d) for d in reference.jet(name, float(v), 1)] for v in x])
        density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
        g = np.stack([pairs[:, 0], pairs[:, 0] ** 2, pairs[:, 1] ** 2]) * density
        if np.max(np.abs(g @ _LAST)) * (right - left) > 1e-11 and right - left > 1e-9:
            middle = (left + right) / 2
            stack += [(left, middle), (middle, right)]
            continue
        for total, value in zip(totals, g @ _WEIGHTS * (right - left) / 2, strict=True):
            total.append(value)
    return [math.fsum(total) for total in totals]


if __name__ == "__main__":
    rows = ",\n".join(f' "{name}": {json.dumps(moments(name))}' for name in names())
    TABLE.write_text("{\n" + rows + "\n}\n", encoding="utf-8")
