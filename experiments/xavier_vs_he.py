"""Do thirty ReLU layers train from Xavier's weights, and from He's?

He et al. (2015): a rectifier halves the mean square of its input, so weights of variance 1/n (Xavier's, in
square layers) shrink the signal and the gradient by √2 a layer each, and a network of 30 layers stalls;
weights of variance 2/n keep both. The paper trained with plain SGD and momentum. Adam divides the size of the
gradient out again, so under it the difference is expected to be far smaller; both are measured.

    python -m experiments.xavier_vs_he

Expect: with SGD He's weights pass a training accuracy of 0.95 while Xavier's stay at 0.1 to 0.2 for most of
the run (one or two seeds in five begin to move at its end); the first layer's gradient at initialisation
smaller by 2^(-L/2), some 1e-5 for 30 layers; with Adam nearly all of the difference gone.

Reference: https://arxiv.org/abs/1502.01852
"""

from __future__ import annotations

import dataclasses
import tempfile
from typing import NamedTuple

import jax
import numpy as np

import jaxacts
from experiments import _common as common
from experiments import _train as trainer
from jaxacts import lab
from jaxacts.lab import mlp


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    depth: int = 30  # ReLU layers
    width: int = 128  # units in each
    rate: float = 0.003  # of SGD with momentum 0.9
    adam_rate: float = 0.001
    batch: int = 64
    steps: int = 1000
    every: int = 50  # steps between two records
    seeds: int = 5


class Results(NamedTuple):
    """Training curves and initial gradients; axes: optimizer (momentum, adam), init (he, glorot)."""

    steps: np.ndarray
    accuracy: np.ndarray  # (optimizer, init, seed, record), of the training part
    gradient: np.ndarray  # (init, seed, layer) norms of the weights' gradients at initialisation


INITS = ("he", "glorot")
LABELS = ("He", "Xavier")


@jax.jit
def _gradient(parameters: mlp.Parameters, x: jax.Array, y: jax.Array) -> mlp.Parameters:
    def loss(parameters: mlp.Parameters) -> jax.Array:
        return trainer.cross_entropy(mlp.apply(parameters, x, jaxacts.relu).output, y)

    return jax.grad(loss)(parameters)


def _norms(config: Config, dataset: lab.Dataset, init: str, seed: int) -> np.ndarray:
    """Norms of the gradients of all weight matrices, on the whole training part."""
    draws = mlp.draw(seed, dataset.features, dataset.classes, config.depth, config.width)
    found = _gradient(mlp.stacked(mlp.init(draws, init)), dataset.x_train, dataset.y_train)
    matrices = [found.first.weight, *found.hidden.weight, found.last.weight]
    # In double precision: squares of the smallest gradients would leave float32.
    return np.array([np.linalg.norm(np.asarray(matrix, float)) for matrix in matrices])


def run(config: Config) -> Results:
    """Backpropagate once at initialisation, then train."""
    dataset = trainer.on_training_part(lab.load_dataset("digits"))
    gradient = [[_norms(config, dataset, init, seed) for seed in range(config.seeds)] for init in INITS]
    accuracy = []
    for optimizer, rate in (("momentum", config.rate), ("adam", config.adam_rate)):
        with tempfile.TemporaryDirectory() as folder:
            results = lab.compare(
                ["relu"], dataset=dataset, depth=config.depth, width=config.width, steps=config.steps,
                learning_rates=(rate,), optimizer=optimizer, init=INITS, batch_size=config.batch,
                record_every=config.every, seeds=config.seeds, measure=(), output=folder,
            )  # fmt: skip
        curves = results.curves["validation_accuracy"]
        accuracy.append([curves[results.select(init=init)] for init in INITS])
    return Results(results.steps, np.array(accuracy), np.array(gradient))


def plot(results: Results):
    """Training curves of both optimisers, and the gradients by layer."""
    figure, panels = common.axes(3, width=4.4, height=3.9)
    titles = ("SGD with momentum", "Adam")
    for axis, curves, title in zip(panels, results.accuracy, titles, strict=False):
        for n, label in enumerate(LABELS):
            centre, half = common.interval(curves[n])
            style = {"color": common.COLOURS[n], "ls": ("-", "--")[n]}
            axis.plot(results.steps, centre, label=f"{label}'s weights", **style)
            axis.fill_between(
                results.steps, centre - half, centre + half, color=style["color"], alpha=0.2, lw=0
            )
        axis.set(xlabel="step", ylabel="training accuracy", ylim=(0, 1.03))
        axis.set_title(f"{title}: mean and 95 % interval")
    panels[0].legend(loc="center right")
    layers = np.arange(1, results.gradient.shape[-1] + 1)
    for n, label in enumerate(LABELS):
        centre, half = common.interval(np.log10(results.gradient[n]))
        style = {"color": common.COLOURS[n], "ls": ("-", "--")[n], "marker": "os"[n], "ms": 3.5}
        panels[2].plot(layers, 10**centre, label=f"{label}'s weights", **style)
        panels[2].fill_between(
            layers, 10 ** (centre - half), 10 ** (centre + half), color=style["color"], alpha=0.2, lw=0
        )
    panels[2].set(yscale="log", xlabel="weight matrix, input side first", ylabel="norm of the gradient")
    panels[2].set_title("At initialisation")
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Published behaviour under SGD, what was measured under Adam, and the law at initialisation."""
    he, xavier = results.accuracy[0, :, :, -1]
    hidden = results.gradient.shape[-1] - 1
    halvings, half = common.interval(np.log2(results.gradient[1, :, 0] / results.gradient[0, :, 0]))
    lead, around = common.interval(he - xavier)
    best = results.accuracy[1, 1].max(-1)  # the last steps of Adam jump
    rescued, near = common.interval(best)
    checks = [
        common.Check("SGD, He: lowest training accuracy of all seeds", he.min(), low=0.95),
        common.Check("SGD, Xavier: mean training accuracy", xavier.mean(), high=0.3),
        common.Check("SGD: He's lead over Xavier, lower 95 % bound", float(lead - around), low=0.5),
        # Within a factor of two: the output layer and the larger logits of He's network count too.
        common.Check(
            "log2 of W1's gradient, Xavier's over He's", float(halvings), -hidden / 2 - 1, -hidden / 2 + 1
        ),
        common.Check(
            "Adam, Xavier: best training accuracy, lower 95 % bound", float(rescued - near), low=0.9
        ),
    ]
    answer = (
        f"With SGD {hidden} ReLU layers reach a training accuracy of {he.mean():.3f} from He's weights "
        f"(lowest of {len(he)} seeds {he.min():.3f}) and {xavier.mean():.3f} from Xavier's (highest "
        f"{xavier.max():.3f}); with Adam Xavier's reach {rescued:.3f} ± {near:.3f} at their best. The first "
        f"layer's gradient starts smaller by 2^{halvings:.1f} ± {half:.1f} (law 2^{-hidden / 2:.1f})."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"depth": 2, "width": 8, "steps": 10, "every": 5, "seeds": 2, "batch": 16}
    full = {"width": 512, "steps": 20_000, "every": 500, "seeds": 20}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
