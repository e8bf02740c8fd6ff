"""How large must the weights be for gradients to explode?

The article says that large weights make gradients explode, with sigmoid and tanh too. The gradient's growth
per layer is measured in random networks over a range of weight scales and compared with the prediction
sigma_w √E f'(z)².

    python -m experiments.exploding_gradients

Expect: growth crosses 1 at sigma_w = √2 for ReLU and somewhat above 1 for tanh; sigmoid needs sigma_w of
about 10, far above any usual initialisation, because its own slope is at most 1/4.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

import jaxacts
from experiments import _common as common
from experiments import _signal as signal


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    depth: int = 30  # layers
    width: int = 256  # units a layer
    batch: int = 8  # inputs
    seeds: int = 3  # networks a point
    scales: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 8.0, 10.0, 12.0, 16.0)


class Results(NamedTuple):
    """Growth of the gradient per layer on its way back."""

    scales: np.ndarray
    growth: np.ndarray  # (activation, scale, seed)
    predicted: np.ndarray  # (activation, scale)


NAMES = ("relu", "tanh", "sigmoid")
# Where growth is 1: He et al. for ReLU, tanh's slope of 1 at the origin; sigmoid by its critical point at no
# bias.
THRESHOLDS = {"relu": 2**0.5, "tanh": 1.0, "sigmoid": 10.15}


def run(config: Config) -> Results:
    """Measure growth at every scale."""
    growth = np.zeros((len(NAMES), len(config.scales), config.seeds))
    expected = np.zeros(growth.shape[:2])
    for i, name in enumerate(NAMES):
        f = getattr(jaxacts, name)
        for j, sigma_w in enumerate(config.scales):
            found = signal.simulated(f, sigma_w, config.depth, config.width, config.batch, config.seeds)
            growth[i, j] = found.gradient[:, 0] ** (1 / (config.depth - 1))
            with common.double():  # ReLU's variance leaves float32 at the largest scales
                ideal = signal.predicted(f, sigma_w, config.depth).gradient[0]
            expected[i, j] = ideal ** (1 / (config.depth - 1))
    return Results(np.array(config.scales), growth, expected)


def plot(results: Results):
    """Growth against the weight scale, with the crossing of 1."""
    figure, (axis,) = common.axes(width=6.2, height=4.2)
    for n, name in enumerate(NAMES):
        centre, half = common.interval(results.growth[n], axis=1)
        axis.plot(results.scales, results.predicted[n], color=common.COLOURS[n], lw=1.2)
        axis.errorbar(
            results.scales, centre, half, fmt="o", ms=4, color=common.COLOURS[n], label=f"{name}, measured"
        )
        axis.axvline(THRESHOLDS[name], color=common.COLOURS[n], lw=0.8, ls=":")
    axis.axhline(1, color="0.3", lw=0.8)
    axis.set(xscale="log", yscale="log", xlabel="sigma_w (weights have deviation sigma_w / √n)")
    axis.set_ylabel("growth of the gradient per layer")
    ticks = [0.5, 1, 2, 5, 10]
    axis.set_xticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axis.xaxis.set_minor_formatter("")
    axis.set_title("Above the line gradients explode, below it they vanish")
    axis.legend()
    return figure


def _crossing(scales: np.ndarray, growth: np.ndarray) -> float:
    """Where growth first exceeds 1, by interpolating its logarithm; infinite if it never does."""
    above = np.flatnonzero(growth >= 1)
    if not above.size or above[0] == 0:
        return float("inf") if not above.size else float(scales[0])
    i = above[0]
    return float(np.exp(np.interp(0.0, np.log(growth[i - 1 : i + 1]), np.log(scales[i - 1 : i + 1]))))


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Crossings against theory, growth against the prediction."""
    measured = results.growth.mean(2)
    crossings = {name: _crossing(results.scales, measured[n]) for n, name in enumerate(NAMES)}
    # A finite network's crossing: tanh's variance first has to settle, and 30 layers from variance 1 are not
    # enough for growth at sigma_w = 1 to show; so measured crossings are held against predicted ones of the
    # same depth.
    ideal = {name: _crossing(results.scales, results.predicted[n]) for n, name in enumerate(NAMES)}
    checks = [
        common.Check(
            f"sigma_w at which {name} gradients explode, over the predicted one ({ideal[name]:.3g})",
            crossings[name] / ideal[name],
            0.95,
            1.05,
        )
        for name in NAMES
    ]
    checks.append(common.Check("sigma_w at which relu gradients explode", crossings["relu"], 1.36, 1.47))
    worst = np.abs(measured / results.predicted - 1).max(1)
    checks += [
        common.Check(
            f"largest deviation of the growth per layer from its prediction, {name}", worst[n], 0, 0.05
        )
        for n, name in enumerate(NAMES)
    ]
    largest = results.scales[-1]
    answer = (
        f"Gradients explode above sigma_w = {crossings['relu']:.3g} with ReLU, {crossings['tanh']:.3g} with "
        f"tanh and "
        f"only {crossings['sigmoid']:.3g} with sigmoid; at sigma_w = {largest:g} they grow by "
        f"{measured[0, -1]:.3g}, {measured[1, -1]:.3g} and {measured[2, -1]:.3g} per layer."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"depth": 5, "width": 24, "batch": 4, "seeds": 2, "scales": (0.5, 2.0, 12.0)}
    full = {"depth": 100, "width": 1024, "batch": 32, "seeds": 10}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
