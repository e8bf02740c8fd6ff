"""Which activation, initialisation and optimiser to choose, and how much does a wrong choice cost?

A benchmark from which advice can be read: every combination of activation, initialisation, optimiser and
depth is trained on each data set for the same number of steps, the learning rate of each chosen on the
validation part, the accuracy read from the test part. What a choice costs is its regret: the accuracy that is
missing to the best combination in the same situation (data set and depth), everything else at its best.

    python -m experiments.choose

Expect: shallow networks forgive nearly everything; in deep ones sigmoid hardly trains at all. No single
winner among the rectifiers, smooth ones a little ahead. Weights that do not fit ReLU cost much under plain
momentum and hardly anything under Adam at its best rate, which makes up for small gradients; orthogonal
weights are never worse.
"""

from __future__ import annotations

import dataclasses
import tempfile
from typing import NamedTuple

import numpy as np

from experiments import _common as common
from jaxacts import lab


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    datasets: tuple[str, ...] = ("digits", "mnist1d")
    depths: tuple[int, ...] = (2, 8, 24)  # hidden layers
    inits: tuple[str, ...] = ("auto", "glorot", "orthogonal")
    activations: tuple[str, ...] = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu")
    adam_rates: tuple[float, ...] = (0.0006, 0.003, 0.015)
    momentum_rates: tuple[float, ...] = (0.004, 0.02, 0.1)
    width: int = 48  # units in each layer
    batch: int = 50
    steps: int = 400
    seeds: int = 4


class Results(NamedTuple):
    """Test accuracies at the chosen rates, and what was read from them.

    Axes in this order: data set, depth, optimiser, initialisation, activation (and seed or rate).
    """

    datasets: list[str]
    depths: np.ndarray
    optimizers: list[str]
    inits: list[str]
    activations: list[str]
    rates: np.ndarray  # (optimizer, rate)
    accuracy: np.ndarray  # (..., seed) on the test part
    rate: np.ndarray  # (...) the chosen one
    by_rate: np.ndarray  # (..., rate) mean validation accuracy
    advice: list[dict]  # one entry a depth, see `distilled`


OPTIMIZERS = ("adam", "momentum")


def run(config: Config) -> Results:
    """Train everything."""
    test, validation = [], []
    for dataset in config.datasets:
        for optimizer, rates in zip(OPTIMIZERS, (config.adam_rates, config.momentum_rates), strict=True):
            with tempfile.TemporaryDirectory() as folder:
                results = lab.compare(
                    list(config.activations), dataset=dataset, depth=config.depths, init=config.inits,
                    optimizer=optimizer, learning_rates=rates, width=config.width, steps=config.steps,
                    record_every=config.steps, batch_size=config.batch, seeds=config.seeds, measure=(),
                    output=folder,
                )  # fmt: skip
            for depth in config.depths:
                for part, found in (("test", test), ("validation", validation)):
                    last = results.curves[f"{part}_accuracy"][:, -1]
                    found.append(
                        [
                            [
                                [
                                    last[results.select(depth=depth, init=i, activation=a, learning_rate=r)]
                                    for r in rates
                                ]
                                for a in config.activations
                            ]
                            for i in config.inits
                        ]
                    )
    shape = (len(config.datasets), len(OPTIMIZERS), len(config.depths))

    def ordered(found: list) -> np.ndarray:
        array = np.nan_to_num(np.array(found, float))  # a diverged network knows nothing
        return np.swapaxes(array.reshape(*shape, *array.shape[1:]), 1, 2)

    test, validation = ordered(test), ordered(validation)
    means = validation.mean(-1)  # (data set, depth, optimiser, init, activation, rate)
    best = means.argmax(-1)
    rates = np.array([config.adam_rates, config.momentum_rates])
    accuracy = np.take_along_axis(test, best[..., None, None], axis=-2)[..., 0, :]
    rate = np.take_along_axis(
        np.broadcast_to(rates[None, None, :, None, None], means.shape), best[..., None], axis=-1
    )[..., 0]
    labels = (list(config.datasets), np.array(config.depths), list(OPTIMIZERS), list(config.inits))
    names = list(config.activations)
    advice = distilled(*labels, names, accuracy, rate, means)
    return Results(*labels, names, rates, accuracy.round(4), rate, means.round(3), advice)


def regrets(accuracy: np.ndarray, validation: np.ndarray, axis: int) -> np.ndarray:
    """Accuracy missing to the best, for every choice along one axis, the other choices at their best.

    Args:
      accuracy: (data set, optimiser, initialisation, activation, seed) on the test part.
      validation: the same without seeds; the other choices are made by it, never by the test part.
      axis: 1 for optimisers, 2 for initialisations, 3 for activations.

    Returns:
      (choice, seed), the mean over the data sets; the best of all choices is the one best in validation.
    """
    flat = np.moveaxis(validation, axis, 1).reshape(*validation.shape[:1], validation.shape[axis], -1)
    tests = np.moveaxis(accuracy, axis, 1).reshape(*flat.shape, accuracy.shape[-1])
    own = np.take_along_axis(tests, flat.argmax(2)[..., None, None], axis=2)[:, :, 0]  # (data, choice, seed)
    best = np.take_along_axis(own, flat.max(2).argmax(1)[:, None, None], axis=1)
    return (best - own).mean(0)


def distilled(
    datasets: list[str],
    depths: np.ndarray,
    optimizers: list[str],
    inits: list[str],
    activations: list[str],
    accuracy: np.ndarray,
    rate: np.ndarray,
    by_rate: np.ndarray,
) -> list[dict]:
    """What to choose at each depth.

    Returns:
      For every depth a dict: ``regret`` (of each activation, mean and half-width of the 95 % interval over
      seeds), ``good`` (activations that miss less than 3 % and are not significantly worse than the best),
      ``optimizer`` (regret of each with the good activations), ``init`` (the same for each initialisation,
      by optimiser), ``init_of`` (the best one of each activation) and ``rates`` (lowest and highest rate
      chosen in combinations within 3 % of the best, by optimiser).
    """
    found = []
    for d, depth in enumerate(depths):
        scores, validation = accuracy[:, d], by_rate[:, d].max(-1)
        centre, half = common.interval(regrets(scores, validation, 3), axis=1)
        good = [n for n in range(len(activations)) if centre[n] < 0.03 and centre[n] - half[n] <= 0]
        entry = {
            "depth": int(depth),
            "regret": {a: [float(c), float(h)] for a, c, h in zip(activations, centre, half, strict=True)},
            "good": [activations[n] for n in good],
        }
        tests, own = scores[:, :, :, good], validation[:, :, :, good]
        entry["optimizer"] = dict(zip(optimizers, regrets(tests, own, 1).mean(1).tolist(), strict=True))
        entry["init"] = {
            name: dict(zip(inits, regrets(tests[:, [k]], own[:, [k]], 2).mean(1).tolist(), strict=True))
            for k, name in enumerate(optimizers)
        }
        # The best initialisation of each activation, over data sets and optimisers at their best.
        entry["init_of"] = {
            a: inits[int(validation[..., n].max(1).mean(0).argmax())] for n, a in enumerate(activations)
        }
        chosen = rate[:, d][..., good]
        near = (
            own >= own.max((2, 3), keepdims=True) - 0.03
        )  # combinations that nobody would take do not count
        entry["rates"] = {
            name: [float(chosen[:, k][near[:, k]].min()), float(chosen[:, k][near[:, k]].max())]
            for k, name in enumerate(optimizers)
        }
        found.append(entry)
    return found


def plot(results: Results):
    """Regret by activation, and accuracy by initialisation, for every depth."""
    rows = len(results.depths)
    figure, panels = common.axes(2, rows, width=5.8, height=3.1)
    places = np.arange(len(results.activations))
    momentum = OPTIMIZERS.index("momentum")
    for d, entry in enumerate(results.advice):
        left, right = panels[2 * d : 2 * d + 2]
        for n, name in enumerate(results.activations):
            centre, half = entry["regret"][name]
            good = name in entry["good"]
            left.errorbar(
                centre, n, xerr=half, fmt="o" if good else "s", capsize=3, ms=5,
                color=common.COLOURS[2 if good else 1],
            )  # fmt: skip
        left.axvline(0, color="0.3", lw=0.8)
        left.set_yticks(places, results.activations)
        left.invert_yaxis()
        left.set(
            xlabel="test accuracy missing to the best",
            title=f"{entry['depth']} layers: circles are good choices",
        )
        validation = results.by_rate[:, d].max(-1)[:, momentum].mean(0)  # (init, activation)
        image = right.imshow(validation, cmap="cividis", vmin=0.1, vmax=1, aspect="auto")
        for (i, n), value in np.ndenumerate(validation):
            right.text(
                n, i, f"{value:.2f}", ha="center", va="center", fontsize=8,
                color="white" if value < 0.55 else "black",
            )  # fmt: skip
        right.set_xticks(places, results.activations, rotation=30, ha="right")
        right.set_yticks(range(len(results.inits)), results.inits)
        right.grid(False)
        right.set_title(f"{entry['depth']} layers, momentum: by initialisation")
        figure.colorbar(image, ax=right, label="validation accuracy")
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """What every textbook rule is worth."""
    deep = results.advice[-1]
    centre, half = deep["regret"]["sigmoid"]
    relu = results.by_rate[:, -1].max(-1).mean(0)[..., results.activations.index("relu")]  # (optimiser, init)
    own, glorot = (relu[:, results.inits.index(name)] for name in ("auto", "glorot"))
    depth, momentum, adam = deep["depth"], OPTIMIZERS.index("momentum"), OPTIMIZERS.index("adam")
    what = f"ReLU at {depth} layers, accuracy from its own gain minus that from Glorot's weights"
    checks = [
        common.Check(f"sigmoid's regret at {depth} layers, lower 95 % bound", float(centre - half), low=0.1),
        common.Check(f"{what}, momentum", float((own - glorot)[momentum]), low=0.1),
        common.Check(f"{what}, Adam", float((own - glorot)[adam]), high=0.1),
        common.Check(
            "fewest good activations at any depth", min(len(e["good"]) for e in results.advice), low=2
        ),
    ]

    def phrase(entry: dict) -> str:
        optimizer = min(entry["optimizer"], key=entry["optimizer"].get)
        init = min(entry["init"][optimizer], key=entry["init"][optimizer].get)
        return f"{entry['depth']} layers: {', '.join(entry['good'])} ({init} weights, {optimizer})"

    relu_cost = deep["regret"]["relu"]
    answer = (
        f"Good choices are {'; '.join(map(phrase, results.advice))}. At {depth} layers sigmoid misses "
        f"{centre:.2f} ± {half:.2f} of accuracy and ReLU {relu_cost[0]:.2f} ± {relu_cost[1]:.2f}; ReLU "
        f"from its own gain reaches {own[momentum]:.2f} with momentum and {own[adam]:.2f} with Adam, from "
        f"Glorot's weights {glorot[momentum]:.2f} and {glorot[adam]:.2f}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {
        "datasets": ("wine",), "depths": (2,), "inits": ("auto", "glorot"), 
        "activations": ("sigmoid", "relu"),
        "adam_rates": (0.003,), "momentum_rates": (0.02,), "width": 6, "batch": 16, "steps": 10, "seeds": 2,
    }  # fmt: skip
    full = {
        "datasets": ("digits", "mnist1d", "breast_cancer"), "depths": (2, 4, 8, 16, 32, 64), "width": 256,
        "steps": 10_000, "seeds": 10, "adam_rates": (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03),
        "momentum_rates": (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
    }  # fmt: skip
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
