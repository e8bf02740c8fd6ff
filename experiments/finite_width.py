"""What does finite width do to a deep ReLU network under He's weights?

Infinitely wide, the signal's norm stays what it is. At width n, Hanin & Rolnick (2018) say, the fourth moment
of the norm grows by 1 + 5/n a layer while the logarithm of the norm drifts down: most deep narrow networks
are dead quiet, a few are loud, and only their mean is right.

    python -m experiments.finite_width

Expect: growth of E|h|⁴ per layer equal to 1 + 5/n at every width, and a drift of log|h|² of about -5/(2n).
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import jaxacts
from experiments import _common as common


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    widths: tuple[int, ...] = (10, 30, 100, 300)
    depth: int = 20  # layers
    weights: int = 240_000_000  # weights drawn for each width: sets the number of networks
    batch: int = 25  # networks in one compiled step


class Results(NamedTuple):
    """Growth of the signal's squared norm, each network and layer one draw."""

    widths: np.ndarray
    networks: np.ndarray  # (width,)
    fourth: np.ndarray  # (width,) mean of (|h'|²/|h|²)²
    fourth_error: np.ndarray  # (width,) its standard error
    drift: np.ndarray  # (width,) mean of log(|h'|²/|h|²)
    drift_error: np.ndarray  # (width,) its standard error
    path: np.ndarray  # (width, depth + 1) E|h|⁴ over networks, 1 at the input
    quiet: np.ndarray  # (width, depth + 1) median of |h|²


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _log_norms(key: jax.Array, width: int, depth: int, batch: int) -> jax.Array:
    """log|h|² after every layer for a batch of networks with one input each, relative to the input."""

    def layer(h: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        w = jr.normal(key, (batch, width, width)) * jnp.sqrt(2.0 / width)
        z = jaxacts.relu(jnp.einsum("bij,bj->bi", w, h))
        norm = jnp.sum(z**2, axis=1, keepdims=True)
        # The network is homogeneous: dividing by the norm now and adding its logarithm later loses nothing.
        return z / jnp.sqrt(jnp.where(norm > 0, norm, 1.0)), jnp.log(norm[:, 0])

    h = jnp.full((batch, width), width**-0.5)
    _, logs = jax.lax.scan(layer, h, jr.split(key, depth))
    return logs.T


def run(config: Config) -> Results:
    """Simulate real weight matrices at every width."""
    rows = []
    for n, width in enumerate(config.widths):
        steps = max(2, config.weights // (width * width * config.depth * config.batch))
        steps = min(steps, 800)
        logs = [
            np.asarray(_log_norms(jr.fold_in(jr.key(n), step), width, config.depth, config.batch))
            for step in range(steps)
        ]
        growth = np.concatenate(logs).astype(float)  # (network, layer)
        alive = growth[np.isfinite(growth)]  # a layer of 10 units dies once in 1024, and the rest with it
        square = np.where(np.isfinite(growth), np.exp(2 * growth), 0.0)
        alive_before = np.cumprod(np.isfinite(growth), axis=1)
        alive_before = np.concatenate([np.ones((len(growth), 1)), alive_before[:, :-1]], axis=1) > 0
        draws = square[alive_before]
        total = np.cumsum(np.where(np.isfinite(growth), growth, -np.inf), axis=1)
        start = np.zeros((len(growth), 1))
        norms = np.exp(np.concatenate([start, total], axis=1))
        rows.append(
            (
                len(growth),
                draws.mean(),
                draws.std(ddof=1) / np.sqrt(draws.size),
                alive.mean(),
                alive.std(ddof=1) / np.sqrt(alive.size),
                (norms**2).mean(0),
                np.median(norms, axis=0),
            )
        )
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Results(np.array(config.widths), *columns)


def plot(results: Results):
    """The mean explodes while the typical network fades."""
    figure, (left, right) = common.axes(columns=2)
    layers = np.arange(results.path.shape[1])
    for n, width in enumerate(results.widths):
        colour = common.COLOURS[n]
        left.plot(layers, results.path[n], "o", ms=3, color=colour, label=f"width {width:.0f}")
        left.plot(layers, (1 + 5 / width) ** layers, color=colour, lw=1)
        right.plot(layers, results.quiet[n], color=colour, label=f"width {width:.0f}")
    left.set(yscale="log", xlabel="layer", ylabel="E|h|⁴, relative to the input")
    left.set_title("Mean of the fourth power: (1 + 5/n) a layer")
    right.set(yscale="log", xlabel="layer", ylabel="median of |h|²")
    right.set_title("The typical network fades")
    left.legend()
    right.legend()
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Growth against 1 + 5/n, drift against -5/(2n)."""
    checks = []
    for n, width in enumerate(results.widths):
        law, error = 1 + 5 / width, results.fourth_error[n]
        what = f"growth of E|h|⁴ per layer at width {width:.0f}"
        checks.append(common.Check(what, results.fourth[n], law - 4 * error, law + 4 * error))
        # To first order -5/(2n); the next orders are a third of it at n = 10. Four standard errors on either
        # side.
        error = results.drift_error[n]
        low, high = -2.5 / width * (1 + 5 / width) - 4 * error, -2.5 / width * (1 - 2 / width) + 4 * error
        what = f"drift of log|h|² per layer at width {width:.0f}"
        checks.append(common.Check(what, results.drift[n], low, min(high, 0.0)))
    narrow, wide = results.fourth[0], results.fourth[-1]
    answer = (
        f"E|h|⁴ grows by {narrow:.4f} per layer at width {results.widths[0]:.0f} (law "
        f"{1 + 5 / results.widths[0]:.4f}) "
        f"and by {wide:.5f} at width {results.widths[-1]:.0f} (law {1 + 5 / results.widths[-1]:.5f}), while "
        f"the "
        f"median of |h|² after {results.path.shape[1] - 1} layers falls to {results.quiet[0, -1]:.2g} and "
        f"{results.quiet[-1, -1]:.2g}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"widths": (10, 20), "depth": 4, "weights": 40_000, "batch": 10}
    full = {"weights": 20_000_000_000, "batch": 200, "depth": 50}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
