"""Do ReLU units die at large learning rates, do they ever come back, and which activations prevent it?

A unit is dead when its slope is zero on every training example: then the gradients of its own weights are
zero and, so the textbooks say, it never recovers. But the inputs of a unit are other units, which go on
learning and can bring it back; only when they too stand still is it gone for good. Networks are trained with
Adam at growing learning rates (plain SGD leaves the finite numbers before it kills many units), and every
unit is looked at every few steps on the whole training part.

    python -m experiments.dead_units

Expect: hardly a dead ReLU unit at small rates and most of the network at the largest; many recoveries at
small rates, few at large ones, so that "never" is the limit of a broken network and not the rule; none
dead with leaky ReLU at any rate. ELU and GELU die too at the largest rates, because their slopes fade to less
than 1e-6 far from the origin, but fewer of them than of ReLU.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxacts
from experiments import _common as common
from experiments import _train as trainer
from jaxacts.lab import load_dataset, measures, mlp, training
from jaxacts.lab.switch import switch

NAMES = ("relu", "leaky_relu", "elu", "gelu")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    depth: int = 4  # hidden layers
    width: int = 64  # units in each
    rates: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.06, 0.1)
    optimizer: str = "adam"
    batch: int = 32
    steps: int = 1000
    every: int = 20  # steps between two looks
    seeds: int = 8


class Results(NamedTuple):
    """Units by layer: dead at each look, and what became of those that died."""

    names: list[str]
    rates: np.ndarray
    steps: np.ndarray  # (look,)
    dead: np.ndarray  # (activation, rate, seed) share of all units at the end
    course: np.ndarray  # (activation, rate, look) the same at every look, mean over seeds
    deaths: np.ndarray  # (activation, rate, seed, layer) times a unit was dead after it was alive
    recoveries: np.ndarray  # (activation, rate, seed, layer) times a unit was alive after it was dead
    accuracy: np.ndarray  # (activation, rate, seed) on the test part
    diverged: np.ndarray  # (activation, rate, seed) whether weights left the finite numbers


def run(config: Config) -> Results:
    """Train and look."""
    dataset = load_dataset("digits")
    branches = tuple(getattr(jaxacts, name) for name in NAMES)
    gains = [float(jaxacts.moments.gain(f, kind="he")) for f in branches]
    choose = switch(branches)
    data = trainer.parts(dataset)
    program = training.Program(branches, optimizer=config.optimizer, measure=())
    stops = list(range(config.every, config.steps + 1, config.every))

    def masks(index, parameters, x):
        slopes = mlp.apply(parameters, x, functools.partial(choose.pair, index), has_extra=True).extra
        # NaN is no slope below the bound: a diverged network is not called dead but counted apart.
        return jnp.stack([jnp.max(jnp.abs(slope), axis=0) < measures.DEAD_BELOW for slope in slopes])

    def one(item: tuple[int, float, int]):
        index, rate, seed = item
        draws = mlp.draw(seed, dataset.features, dataset.classes, config.depth, config.width)
        number = np.int32(index)

        def observe(parameters):
            args = (number, parameters, dataset.x_train)
            return np.asarray(trainer.compiled(masks, "dead units", *args)(*args))

        records, parameters, seen = trainer.train(
            program, mlp.init(draws, "auto", gains[index]), data, rate=rate, steps=config.steps,
            batch=config.batch, seed=seed, activation=index, stops=stops, observe=observe,
        )  # fmt: skip
        seen = np.array(seen)  # (look, layer, unit)
        died = (~seen[:-1] & seen[1:]).sum((0, 2))
        returned = (seen[:-1] & ~seen[1:]).sum((0, 2))
        diverged = not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(parameters))
        if diverged:  # NaN slopes would look like recoveries
            died, returned = np.full(config.depth, np.nan), np.full(config.depth, np.nan)
        return seen.mean((1, 2)), died, returned, records["test_accuracy"][-1], diverged

    items = [
        (index, rate, seed)
        for index in range(len(NAMES))
        for rate in config.rates
        for seed in range(config.seeds)
    ]
    columns = [np.array(column, float) for column in zip(*trainer.threads(one, items), strict=True)]
    shape = (len(NAMES), len(config.rates), config.seeds)
    dead, died, returned, accuracy, diverged = (c.reshape(*shape, *c.shape[1:]) for c in columns)
    return Results(
        list(NAMES),
        np.array(config.rates),
        np.array([0, *stops]),
        dead[..., -1],
        dead.mean(2).round(4),
        died,
        returned,
        accuracy,
        diverged,
    )


def plot(results: Results):
    """Dead share by learning rate and by step, fate of the dead, accuracy."""
    figure, (final, course, fate, accuracy) = common.axes(4, width=4.4, height=3.9)
    markers, dashes = "osD^", ("-", "--", "-.", ":")
    for n, name in enumerate(results.names):
        style = {"color": common.COLOURS[n], "marker": markers[n], "ls": dashes[n], "ms": 4.5, "capsize": 3}
        for axis, values in ((final, results.dead[n]), (accuracy, results.accuracy[n])):
            centre, half = common.interval(values, axis=1)
            axis.errorbar(results.rates, centre, half, label=name, **style)
    for axis, label in ((final, "share of dead units at the end"), (accuracy, "test accuracy")):
        axis.set(xscale="log", xlabel="learning rate", ylabel=label, ylim=(-0.03, 1.03))
    final.set_title("Mean and 95 % interval over seeds")
    accuracy.set_title("What it costs")
    final.legend(loc="upper left")
    shades = np.linspace(0.25, 1, len(results.rates))
    for r, rate in enumerate(results.rates):
        course.plot(
            results.steps, results.course[0, r], color=common.COLOURS[0], alpha=shades[r],
            label=f"{rate:g}",
        )  # fmt: skip
    course.set(xlabel="step", ylabel="share of dead units", ylim=(-0.03, 1.03), title="ReLU while training")
    course.legend(title="learning rate", title_fontsize=8.5, loc="upper right", ncols=3)
    died, returned = (np.nansum(v[0], axis=1).sum(-1) for v in (results.deaths, results.recoveries))
    places = np.arange(len(results.rates))
    fate.bar(places - 0.2, died, 0.4, color=common.COLOURS[1], label="deaths")
    fate.bar(places + 0.2, returned, 0.4, color=common.COLOURS[2], label="recoveries")
    for place, count in zip(places, returned, strict=True):
        fate.annotate(f"{count:.0f}", (place + 0.2, count), ha="center", va="bottom", fontsize=8)
    fate.set_xticks(places, [f"{rate:g}" for rate in results.rates])
    fate.set(xlabel="learning rate", ylabel="ReLU units, all layers and seeds", title="Who comes back")
    fate.legend(loc="upper left")
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """ReLU dies and in its first layer for good; leaky ReLU does not."""
    at = {name: n for n, name in enumerate(results.names)}
    final = {name: results.dead[n] for name, n in at.items()}
    slow, fast = results.rates.argmin(), results.rates.argmax()
    died, returned = (np.nansum(v[at["relu"]], axis=1).sum(-1) for v in (results.deaths, results.recoveries))
    share = returned / np.maximum(died, 1)  # by rate
    dead, half = common.interval(final["relu"][fast])
    smallest, largest = f"{results.rates[slow]:g}", f"{results.rates[fast]:g}"
    checks = [
        common.Check(f"ReLU: share dead at rate {largest}, lower 95 % bound", float(dead - half), low=0.5),
        common.Check(f"ReLU: share dead at rate {smallest}", float(final["relu"][slow].mean()), high=0.05),
        # "Dead units never recover" does not hold as long as the layers below them live.
        common.Check(
            "ReLU: recoveries a death, all rates but the largest",
            returned[:-1].sum() / max(died[:-1].sum(), 1), low=0.1,
        ),
        common.Check(f"ReLU: recoveries a death at rate {largest}", float(share[fast]), high=0.25),
        common.Check(
            "leaky ReLU: largest share of dead units", results.course[at["leaky_relu"]].max(), high=0
        ),
    ]  # fmt: skip
    for name in ("elu", "gelu"):
        lead, around = common.interval(final["relu"][fast] - final[name][fast])
        what = f"dead units of ReLU above {name} at rate {largest}, lower 95 % bound"
        checks.append(common.Check(what, float(lead - around), low=0.0))
    others = ", ".join(f"{name} {final[name][fast].mean():.2f}" for name in ("leaky_relu", "elu", "gelu"))
    fates = ", ".join(
        f"{r:.0f} of {d:.0f} at {rate:g}" for r, d, rate in zip(returned, died, results.rates, strict=True)
    )
    answer = (
        f"At rate {largest} {dead:.2f} ± {half:.2f} of the ReLU units end dead (at {smallest} "
        f"{final['relu'][slow].mean():.3f}), of the others {others}; deaths of ReLU units "
        f'that were undone: {fates}. "Never" holds only where the whole network breaks.'
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"depth": 2, "width": 8, "rates": (0.01, 0.1), "steps": 20, "every": 10, "seeds": 2}
    full = {"width": 256, "steps": 50_000, "every": 500, "seeds": 40}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
