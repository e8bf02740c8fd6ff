"""Do gradients vanish with depth, and is it the activation that makes them?

Sigmoid's derivative never exceeds 0.25 and tanh's never exceeds 1, says the article, so that the gradients of
early layers vanish. A random network of equal layers shows the gradient's size layer by layer, beside the
prediction from Gaussian moments: a factor sigma_w √E f'(z)² a layer.

    python -m experiments.vanishing_gradients

Expect: with standard deviation 1/√n a sigmoid network loses a factor of about five a layer, ReLU √2
(nothing with He's √2/√n), tanh only a power of the depth. The claim holds for sigmoid; for tanh it is weak,
and ReLU escapes only with the right weights.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import jaxacts
from experiments import _common as common
from experiments import _signal as signal


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    depth: int = 30  # layers
    width: int = 256  # units a layer
    batch: int = 16  # inputs
    seeds: int = 5  # networks


class Results(NamedTuple):
    """Measured and predicted gradients."""

    labels: list[str]
    gradient: np.ndarray  # (case, seed, layer)
    predicted: np.ndarray  # (case, layer)
    steepest: dict[str, float]  # largest derivative of sigmoid and tanh on a fine grid


CASES = (("sigmoid", 1.0), ("relu", 1.0), ("tanh", 1.0), ("relu", 2**0.5))


def run(config: Config) -> Results:
    """Simulate and predict every case."""
    measured, expected = [], []
    for name, sigma_w in CASES:
        f = getattr(jaxacts, name)
        found = signal.simulated(f, sigma_w, config.depth, config.width, config.batch, config.seeds)
        measured.append(found.gradient)
        expected.append(signal.predicted(f, sigma_w, config.depth).gradient)
    grid = jnp.linspace(-20, 20, 40001)  # has the point 0
    steepest = {name: float(jnp.max(jaxacts.derivative(name)(grid))) for name in ("sigmoid", "tanh")}
    labels = [f"{name}, sigma_w = {sigma_w:.3g}" for name, sigma_w in CASES]
    return Results(labels, np.stack(measured), np.stack(expected), steepest)


def plot(results: Results):
    """Gradient by layer: intervals over seeds are narrower than the markers."""
    figure, (axis,) = common.axes(width=6.4, height=4.2)
    layers = np.arange(1, results.predicted.shape[1] + 1)
    for n, label in enumerate(results.labels):
        centre, half = common.interval(np.log10(results.gradient[n]))
        colour = common.COLOURS[n]
        axis.plot(layers, results.predicted[n], color=colour, lw=1.2)
        axis.errorbar(
            layers,
            10**centre,
            [10**centre - 10 ** (centre - half), 10 ** (centre + half) - 10**centre],
            fmt="o",
            ms=3.5,
            color=colour,
            label=label,
        )
    axis.set(yscale="log", xlabel="layer", ylabel="gradient, relative to the last layer")
    axis.set_title("Gradients on their way back: simulated (points) and predicted (lines)")
    axis.legend(loc="center right", bbox_to_anchor=(1.0, 0.4))
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """The loss over all layers, against the prediction."""
    loss = np.log10(results.gradient[:, :, 0]).mean(1)
    expected = np.log10(results.predicted[:, 0])
    checks = [
        common.Check("largest derivative of sigmoid", results.steepest["sigmoid"], 0.25 - 1e-6, 0.25 + 1e-6),
        common.Check("largest derivative of tanh", results.steepest["tanh"], 1 - 1e-6, 1 + 1e-6),
    ]
    for n, label in enumerate(results.labels):
        # A tenth of the exponent, and 0.15 for networks that lose little: their norm fluctuates by √(L/n).
        room = 0.1 * abs(expected[n]) + 0.15
        what = f"log10 of the first layer's gradient, {label}"
        checks.append(common.Check(what, loss[n], expected[n] - room, expected[n] + room))
    sigmoid, relu, tanh, he = 10.0**loss
    depth = results.predicted.shape[1]
    answer = (
        f"Through {depth} layers the gradient shrinks to {sigmoid:.1e} of itself with sigmoid and "
        f"{relu:.1e} with ReLU "
        f"at sigma_w = 1, but only to {tanh:.2f} with tanh and {he:.2f} with ReLU under He's weights: it is "
        f"the "
        "activation together with the weights that makes gradients vanish."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"depth": 6, "width": 32, "batch": 4, "seeds": 2}
    full = {"depth": 100, "width": 1024, "batch": 64, "seeds": 20}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
