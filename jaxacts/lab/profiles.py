"""What the lab has to know of an activation before training: its gain and the supremum of its slope."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxacts
from jaxacts.lab.config import Contender
from jaxacts.lab.switch import value_and_slope

# Where the slope of a function without a record is looked for; 1/500 apart inside, where activations bend.
_GRID = np.unique(np.concatenate([np.linspace(-10, 10, 10001), np.linspace(-50, 50, 2001)])).astype(
    np.float32
)
_GROWING = 1.25  # times as large a slope at the ends of the grid as half way: no bound in sight


def profile(contenders: Sequence[Contender], needs_gain: bool) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Source, gain and sup |f'| of every activation.

    Args:
      contenders: the activations.
      needs_gain: whether the initialisation uses the gain; it is None otherwise.

    Returns:
      Per display name a dict with ``source``, ``gain``, ``sup_derivative`` (None when infinite) and
      ``sup_estimated``; and sentences for the methods paragraph.

    Raises:
      ValueError: for a function that is not elementwise, or has no finite gain.
    """
    known = {c.name: _stated(c) for c in contenders}
    unknown = [c for c in contenders if known[c.name] is None]
    estimated = dict(zip([c.name for c in unknown], _suprema(unknown), strict=True))
    found = {}
    for contender in contenders:
        stated = known[contender.name]
        supremum = estimated[contender.name] if stated is None else stated
        found[contender.name] = {
            "source": contender.source,
            "gain": _gain(contender) if needs_gain else None,
            "sup_derivative": float(supremum) if math.isfinite(supremum) else None,
            "sup_estimated": stated is None,
        }
    notes = []
    if unknown:
        listed = ", ".join(c.name for c in unknown)
        notes.append(
            f"sup |f'| of {listed} was estimated as the largest slope on a grid over [-50, 50], and taken "
            f"for infinite where that is more than {_GROWING:g} times the largest over [-25, 25]."
        )
    return found, notes


def _stated(contender: Contender) -> float | None:
    """The supremum of |f'| that the catalogue states, if it does."""
    facts = jaxacts.facts(contender.fn)
    return None if facts is None or math.isnan(facts.lipschitz) else facts.lipschitz


def _gain(contender: Contender) -> float:
    from jaxacts import moments

    gain = float(np.asarray(moments.gain(contender.fn, kind="he")))
    if not (math.isfinite(gain) and gain > 0):
        raise ValueError(
            f"activation {contender.name} has no finite gain 1/sqrt(E f(z)^2) (got {gain}), so init 'auto' "
            "and "
            "'orthogonal' cannot be used with it; choose lecun, he or glorot"
        )
    return gain


def _suprema(contenders: Sequence[Contender]) -> list[float]:
    """Largest |f'| on the grid, by one compiled program for all; checks on the way that f is elementwise."""
    if not contenders:
        return []
    half = len(_GRID) // 2

    def look(f: Callable[[Any], Any]) -> tuple[Any, ...]:
        whole, slope = value_and_slope(f)(jnp.asarray(_GRID))
        part = f(jnp.asarray(_GRID[:half]))
        table = f(jnp.asarray(_GRID[: 2 * half].reshape(half, 2))).reshape(-1)
        return whole, slope, part, table

    def look_safely(contender: Contender) -> tuple[Any, ...]:
        try:
            return look(contender.fn)
        except Exception as error:
            raise ValueError(
                f"activation {contender.name} ({contender.source}) is no use: it must be an elementwise "
                f"function of one JAX array that JAX can differentiate ({type(error).__name__}: {error})"
            ) from error

    seen = jax.jit(lambda: [look_safely(contender) for contender in contenders])()
    suprema = []
    for contender, (whole, slope, part, table) in zip(contenders, seen, strict=True):
        whole, slope, part, table = (np.asarray(value, np.float64) for value in (whole, slope, part, table))
        # Tolerance: a few float32 roundings, which may differ between the vectorised and the scalar loop.
        same = np.allclose(whole[:half], part, 1e-4, 1e-5, equal_nan=True) and np.allclose(
            whole[: 2 * half], table, 1e-4, 1e-5, equal_nan=True
        )
        if not same:
            raise ValueError(
                f"activation {contender.name} is not elementwise: its value at one unit depends on the others"
            )
        suprema.append(_supremum(np.abs(slope)))
    return suprema


def _supremum(slopes: np.ndarray) -> float:
    """The largest slope on the grid; infinite where it clearly still grows towards an end of it."""
    known = ~np.isnan(slopes)
    inside = known & (np.abs(_GRID) <= np.abs(_GRID).max() / 2)
    if not inside.any():
        return math.inf
    largest = float(slopes[known].max())
    return math.inf if largest > _GROWING * float(slopes[inside].max()) else largest
