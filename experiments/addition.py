"""Can a network learn to add two numbers, and does it still add when the numbers leave the range it saw?

The first example of a textbook is a child that learns to add. Networks of every activation learn the sum of
two numbers from U(-1, 1) and are then asked about numbers up to ten times as large. Bounded activations must
fail there, because their output is bounded; piecewise linear ones continue along straight lines (Xu et al.,
2021), which is right for a sum only if the lines they found on the training square are right.

    python -m experiments.addition

Expect: all learn the sum inside the square to well below 1 % of its variance; outside, identity continues
exactly, ReLU and leaky ReLU nearly so, the smooth rectifiers with an error of about 1 %, while sigmoid and
tanh answer the same to all large numbers and miss a fifth of the variance at five times the range and half of
it at ten times.

Reference: https://arxiv.org/abs/2009.11848
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import numpy as np

import jaxacts
from experiments import _common as common
from experiments import _train as trainer
from jaxacts.lab import load_dataset, mlp, training
from jaxacts.lab.switch import switch

BOUNDED = {"tanh", "sigmoid"}
RECTIFIERS = {"relu", "leaky_relu", "elu", "softplus", "silu", "gelu"}  # linear far from the origin


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    activations: tuple[str, ...] = (
        "identity", "relu", "leaky_relu", "elu", "softplus", "silu", "gelu", "snake", "tanh", "sigmoid",
    )  # fmt: skip
    depth: int = 2  # hidden layers
    width: int = 32  # units in each
    rate: float = 0.003  # of Adam
    batch: int = 50
    steps: int = 6000
    scales: tuple[float, ...] = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0)  # largest number, 1 while training
    points: int = 2000  # sums asked at each scale
    seeds: int = 10


class Results(NamedTuple):
    """Errors of the sums, relative to the variance of the true sums: 0 is right, 1 is what guessing gives."""

    names: list[str]
    scales: np.ndarray
    error: np.ndarray  # (activation, seed, scale)
    along: np.ndarray  # (point,) a line: both numbers equal to this
    answer: np.ndarray  # (activation, point) the first seed's sum there


def run(config: Config) -> Results:
    """Train on small numbers, ask about large ones."""
    dataset = load_dataset("addition")
    data = trainer.parts(dataset)
    names = config.activations
    branches = tuple(getattr(jaxacts, name) for name in names)
    gains = [float(jaxacts.moments.gain(f, kind="he")) for f in branches]
    program = training.Program(branches, task="regression", measure=())
    choose = switch(branches).plain
    predict = jax.jit(lambda n, parameters, x: mlp.apply(parameters, x, functools.partial(choose, n)).output)
    # The lab standardises numbers and sums; they stay a linear function of each other, which is found here.
    inputs = np.column_stack([dataset.x_train, np.ones(len(dataset.x_train))])
    weights = np.linalg.lstsq(inputs.astype(float), dataset.y_train[:, 0].astype(float), rcond=None)[0]
    edge = 3**0.5  # the largest number, for uniform ones of variance 1
    unit = edge * np.random.default_rng(0).uniform(-1, 1, (config.points, 2))
    along = np.linspace(-max(config.scales), max(config.scales), 81)
    diagonal = edge * np.stack([along, along], 1)
    asked = np.concatenate([scale * unit for scale in config.scales] + [diagonal])
    true = asked @ weights[:2] + weights[2]
    power = np.var(unit @ weights[:2])

    def one(item: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        index, seed = item
        start = mlp.init(mlp.draw(seed, 2, 1, config.depth, config.width), "auto", gains[index])
        _, parameters, _ = trainer.train(
            program, start, data, rate=config.rate, steps=config.steps, batch=config.batch, seed=seed,
            activation=index,
        )  # fmt: skip
        sums = np.asarray(predict(np.int32(index), parameters, asked.astype(np.float32)), float)[:, 0]
        squares = np.square(sums - true)[: -len(along)].reshape(len(config.scales), -1).mean(1)
        # In units in which the numbers seen reach 1, so that the true line is the sum of x and x.
        line = 2 * (sums[-len(along) :] - weights[2]) / (edge * weights[:2].sum())
        return squares / (power * np.square(config.scales)), line

    items = [(index, seed) for index in range(len(names)) for seed in range(config.seeds)]
    errors, lines = zip(*trainer.threads(one, items), strict=True)
    shape = (len(names), config.seeds, -1)
    return Results(
        list(names), np.array(config.scales), np.array(errors).reshape(shape), along,
        np.array(lines).reshape(shape)[:, 0],
    )  # fmt: skip


def plot(results: Results):
    """Error against the range, and what the networks answer to x + x."""
    figure, (left, right) = common.axes(2, width=5.6, height=4.4)
    colours = [*common.COLOURS, "0.55", "#882255", "#44AA99"]
    dashes, markers = ("-", "--", "-."), "osD^vPX*<>"
    for n, name in enumerate(results.names):
        # A geometric mean over seeds: errors of one activation differ by orders of magnitude.
        centre, half = common.interval(np.log10(results.error[n]))
        style = {"color": colours[n], "ls": dashes[n % 3]}
        left.plot(results.scales, 10**centre, marker=markers[n], ms=4, label=name, **style)
        left.fill_between(
            results.scales, 10 ** (centre - half), 10 ** (centre + half), color=colours[n], alpha=0.15, lw=0
        )
        right.plot(results.along, results.answer[n], **style)
    left.axhline(1, color="0.3", lw=0.8, ls=":")
    left.set(xscale="log", yscale="log", xlabel="largest number asked, 1 while training")
    left.set(ylabel="mean squared error / variance of the sums")
    left.set_xticks(results.scales, labels=[f"{scale:g}" for scale in results.scales])
    left.xaxis.set_minor_formatter("")
    left.set_title("Geometric mean and 95 % interval; 1 is guessing")
    left.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    right.plot(results.along, 2 * results.along, color="0.7", lw=4, zorder=0)
    right.axvspan(-1, 1, color="0.92", zorder=-1)
    top = 2.2 * results.scales.max()
    right.set(xlabel="x", ylabel="the network's x + x", ylim=(-top, top))
    right.set_title("One seed each; grey: the truth, and the range of training")
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Inside all, outside by family."""
    at = {name: n for n, name in enumerate(results.names)}
    inside = results.error[:, :, 0]
    scale = np.abs(results.scales - 5).argmin()
    far = np.log10(results.error[:, :, scale])
    bounds = {name: common.interval(far[n]) for name, n in at.items()}
    high = {name: float(10 ** (centre + half)) for name, (centre, half) in bounds.items()}
    low = {name: float(10 ** (centre - half)) for name, (centre, half) in bounds.items()}
    where = f"error for numbers up to {results.scales[scale]:g}"
    rectifier, bounded = (
        max(at.keys() & RECTIFIERS, key=high.__getitem__),
        min(at.keys() & BOUNDED, key=low.__getitem__),
    )
    checks = [
        common.Check("error on numbers as seen, worst activation and seed", inside.max(), high=0.01),
        common.Check(f"{where}, identity, upper 95 % bound", high["identity"], high=1e-4),
        common.Check(f"{where}, worst rectifier ({rectifier}), upper 95 % bound", high[rectifier], high=0.1),
        common.Check(f"{where}, best bounded one ({bounded}), lower 95 % bound", low[bounded], low=0.1),
    ]
    order = sorted(at, key=lambda name: bounds[name][0])
    listed = ", ".join(f"{name} {10 ** bounds[name][0]:.1g}" for name in order)
    answer = (
        f"Every activation learns to add: the worst of {inside.size} networks leaves {inside.max():.1g} "
        f"of the variance; for numbers up to {results.scales[scale]:g} times as large the mean error is "
        f"{listed}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {
        "activations": ("identity", "relu", "sigmoid"),
        "depth": 1,
        "width": 4,
        "steps": 10,
        "batch": 10,
        "points": 20,
        "scales": (1.0, 5.0),
        "seeds": 2,
    }
    full = {"width": 128, "steps": 100_000, "seeds": 50, "scales": (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
