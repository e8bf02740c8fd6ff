"""Where each float type is tested; numpy only, the same points in every run."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jaxacts.accuracy._ulp import Format

SEED = 20260101


def all_finite(form: Format) -> np.ndarray:
    """Every finite value of a 16-bit type, ascending; both zeros are among them."""
    with np.errstate(invalid="ignore"):  # signalling NaNs are among the patterns
        values = np.arange(2**16, dtype=np.uint16).view(form.dtype).astype(np.float64)
    return np.sort(values[np.isfinite(values)])


def sample(form: Format, breaks: Iterable[float] = (), count: int = 1000) -> np.ndarray:
    """Points of a 32- or 64-bit type: dense, tails, the whole range, breaks and zeros; ascending.

    Args:
      form: the format.
      breaks: points where a derivative jumps; they, their neighbours and ever closer points are added.
      count: roughly how many points each of the parts has.
    """
    rng = np.random.default_rng(SEED)
    # exp(x) leaves the range of the type at log(2) times the exponent of its smallest number
    far = -np.log(2) * (form.low - form.bits)
    centres = np.linspace(form.low, form.high - 1, max(count // 10, 2))
    clusters = np.exp2(np.repeat(centres, 5) + rng.uniform(0, 1, 5 * centres.size))
    clusters = np.repeat(clusters[::5], 5) * (1 + rng.uniform(-0.2, 0.2, clusters.size))
    parts = [
        rng.uniform(-8, 8, count // 2),
        rng.uniform(-30, 30, count // 4),
        rng.uniform(-far, far, count // 4),
        np.linspace(-1.05 * far, 1.05 * far, count // 8),
        rng.uniform(-1.0, 1.0, count // 4) * np.exp2(-rng.uniform(0, form.bits + 4, count // 4)),
        clusters,
        -clusters,
        np.arange(-16, 17) / 4,  # zeros at such points have neighbours in their window
        [form.max, -form.max, form.tiny, -form.tiny, 1.5 * form.tiny, 2 * form.tiny, 0.0, -0.0],
    ]
    parts += [near(point, form) for point in (0.0, *breaks)]
    points = np.concatenate([np.asarray(part, np.float64) for part in parts])
    points = np.clip(points, -form.max, form.max).astype(form.dtype)
    return np.unique(points.astype(np.float64))


def thin(form: Format, breaks: Iterable[float], count: int) -> np.ndarray:
    """Fewer points, for the truth that costs most: breaks, and an even selection of the rest; ascending."""
    if form.bits > 10:
        return sample(form, breaks, count // 3)
    every = all_finite(form)
    close = [near(point, form) for point in (0.0, *breaks)]
    chosen = np.concatenate([every[:: max(1, every.size // count)], every[[0, -1]], *close])
    return np.unique(np.clip(chosen, -form.max, form.max))


def near(point: float, form: Format) -> np.ndarray:
    """A point of the type, its neighbours and points that approach it from both sides."""
    here = np.asarray(point).astype(form.dtype).astype(np.float64)
    spacing = np.spacing(np.abs(here)) * 2.0 ** (52 - form.bits) if here else form.tiny
    steps = np.concatenate([np.arange(1, 9), np.exp2(np.arange(4, form.bits + 1, 2))])
    steps = np.concatenate([-steps[::-1], [0], steps])
    return here + steps * spacing
