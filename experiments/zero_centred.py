"""What does a mean that is not zero do to gradients and to convergence?

"Sigmoid is not zero-centred, tanh is": the gradient of one weight on one example is the unit's error times
the input behind the weight, so behind sigmoids, whose outputs are all positive, all weights of a unit are to
grow or all to shrink. To see what that costs, nothing but the mean may differ. Sigmoid minus a half (which is
tanh(x/2)/2) has sigmoid's shape and slope; tanh plus one has tanh's; ReLU minus its Gaussian mean has ReLU's.

    python -m experiments.zero_centred

Expect: on one example every gradient of a unit has the same sign behind sigmoid, tanh + 1 and ReLU, and the
signs fall like coins behind the centred ones; in the mean over a minibatch much of that is left. The
direction of the mean takes a share (E f)²/E f² of the activations' power, so gradient descent needs smaller
steps. Centring makes both SGD and Adam arrive earlier; by how much is measured.

Reference: LeCun et al., Efficient BackProp (1998), https://doi.org/10.1007/3-540-49430-8_2
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxacts
from experiments import _common as common
from experiments import _train as trainer
from jaxacts import lab
from jaxacts.lab import mlp, training
from jaxacts.lab.outcomes import steps_to_target
from jaxacts.lab.switch import switch


def sigmoid_centred(x: jax.Array) -> jax.Array:
    """Sigmoid minus its Gaussian mean."""
    return jaxacts.sigmoid(x) - 0.5


def tanh_raised(x: jax.Array) -> jax.Array:
    """Tanh, positive everywhere."""
    return jaxacts.tanh(x) + 1.0


def relu_centred(x: jax.Array) -> jax.Array:
    """ReLU minus its Gaussian mean."""
    return jaxacts.relu(x) - 1 / math.sqrt(2 * math.pi)


# Each pair differs in the mean alone: (off centre, centred)
PAIRS = {
    "sigmoid": {"sigmoid": jaxacts.sigmoid, "sigmoid - 1/2": sigmoid_centred},
    "tanh": {"tanh + 1": tanh_raised, "tanh": jaxacts.tanh},
    "relu": {"relu": jaxacts.relu, "relu - mean": relu_centred},
}
OPTIMIZERS = ("sgd", "adam")


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    pairs: tuple[str, ...] = tuple(PAIRS)
    depth: int = 3  # hidden layers
    width: int = 64  # units in each
    batch: int = 32
    steps: int = 400
    every: int = 4  # steps between two records: resolution of the answer
    sgd_rates: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0)
    adam_rates: tuple[float, ...] = (0.003, 0.01, 0.03)
    target: float = 0.95  # accuracy on digits
    seeds: int = 12


class Results(NamedTuple):
    """Signs of gradients at initialisation, and steps to the target at the best rate."""

    names: list[str]
    single: (
        np.ndarray
    )  # (activation, seed) share of a unit's weights whose gradients have the majority's sign
    batch: np.ndarray  # (activation, seed) the same for the mean over a minibatch
    power: np.ndarray  # (activation, seed) share of the activations' mean square in its largest direction
    predicted: np.ndarray  # (activation,) (E f)²/E f² at infinite width
    optimizers: list[str]
    rates: np.ndarray  # (optimizer, activation) the best
    needed: np.ndarray  # (optimizer, activation, seed) steps to the target; steps + 1 when it did not arrive
    steps: np.ndarray  # (record,)
    accuracy: np.ndarray  # (optimizer, activation, 2, record) on the test part: mean, half-width of interval


def _gain(f) -> float:
    """The pair's common gain: that of the centred shape, 1/√Var f(z), so that both see the same weights."""
    moments = jaxacts.moments.moments(f)
    return float(moments.variance) ** -0.5


@functools.cache
def _measured(branches):
    """Sign agreement of the second layer's gradients, and the power of the first layer's outputs."""
    choose = switch(branches)

    @jax.jit
    def measure(index, parameters, x, y):
        activation = functools.partial(choose.trained, index)
        zeros = mlp.probes(parameters, len(x))

        def loss(probes):
            output = mlp.apply(parameters, x, activation, probes=probes).output
            return trainer.cross_entropy(output, y)

        errors = jax.grad(loss)(zeros)[1]  # (examples, units) with respect to the second pre-activations
        inputs = choose.plain(index, x @ parameters.first.weight)
        # The gradient of one example is the product of error and input; that of the batch is their sum.
        single = inputs[:, :, None] * errors[:, None, :]
        signs = jnp.abs(jnp.sum(jnp.sign(single), axis=1)) / jnp.maximum(jnp.sum(single != 0, axis=1), 1)
        alive = jnp.any(single != 0, axis=1)
        agree_single = jnp.sum((1 + signs) / 2 * alive) / jnp.sum(alive)
        agree_batch = jnp.mean((1 + jnp.abs(jnp.mean(jnp.sign(jnp.sum(single, axis=0)), axis=0))) / 2)
        square = inputs.T @ inputs
        return agree_single, agree_batch, jnp.linalg.eigvalsh(square)[-1] / jnp.trace(square)

    return measure


def run(config: Config) -> Results:
    """Look at the signs, then train."""
    dataset = lab.load_dataset("digits")
    functions = {name: f for pair in config.pairs for name, f in PAIRS[pair].items()}
    names, branches = list(functions), tuple(functions.values())
    x, y = dataset.x_train[: config.batch], dataset.y_train[: config.batch]
    gains = [_gain(branches[n + 1 - n % 2]) for n in range(len(names))]
    found = np.zeros((3, len(names), config.seeds))
    for n, gain in enumerate(gains):
        for seed in range(config.seeds):
            draws = mlp.draw(seed, dataset.features, dataset.classes, config.depth, config.width)
            parameters = mlp.init(draws, "auto", gain)
            found[:, n, seed] = [float(value) for value in _measured(branches)(np.int32(n), parameters, x, y)]
    moments = [jaxacts.moments.moments(f) for f in branches]
    predicted = [float(m.mean) ** 2 / float(m.second) for m in moments]
    program = {name: training.Program(branches, optimizer=name, measure=()) for name in OPTIMIZERS}
    data = trainer.parts(dataset)
    stops = list(range(config.every, config.steps + 1, config.every))

    def one(item: tuple[str, int, float, int]) -> np.ndarray:
        optimizer, n, rate, seed = item
        draws = mlp.draw(seed, dataset.features, dataset.classes, config.depth, config.width)
        records, _, _ = trainer.train(
            program[optimizer], mlp.init(draws, "auto", gains[n]), data, rate=rate, steps=config.steps,
            batch=config.batch, seed=seed, activation=n, stops=stops,
        )  # fmt: skip
        return np.stack([records["validation_accuracy"], records["test_accuracy"]])

    best_rates, needed, accuracy = [], [], []
    for optimizer, rates in zip(OPTIMIZERS, (config.sgd_rates, config.adam_rates), strict=True):
        items = [
            (optimizer, n, rate, seed)
            for n in range(len(names))
            for rate in rates
            for seed in range(config.seeds)
        ]
        shape = (len(names), len(rates), config.seeds, 2, -1)
        curves = np.array(trainer.threads(one, items)).reshape(shape)
        steps = np.apply_along_axis(
            lambda curve: steps_to_target(np.array(stops), curve[None], config.target)[0], -1, curves
        )
        steps = np.minimum(steps, config.steps + 1)
        # The rate is chosen on the validation part, the answer is read from the test part.
        best = steps[..., 0].mean(2).argmin(1)
        rows = np.arange(len(names))
        best_rates.append(np.array(rates)[best])
        needed.append(steps[rows, best, :, 1])
        accuracy.append(np.stack(common.interval(curves[rows, best, :, 1], axis=1), axis=1).round(4))
    return Results(
        names, *found, np.array(predicted), list(OPTIMIZERS), np.array(best_rates), np.array(needed),
        np.array(stops), np.array(accuracy),
    )  # fmt: skip


def plot(results: Results):
    """Signs, power of the mean, and training curves."""
    figure, (signs, sgd, adam, counts) = common.axes(4, width=4.5, height=4.1)
    places = np.arange(len(results.names))
    for offset, values, label, marker in (
        (-0.15, results.single, "one example", "o"),
        (0.15, results.batch, "mean of a minibatch", "s"),
    ):
        centre, half = common.interval(values, axis=1)
        signs.errorbar(centre, places + offset, xerr=half, fmt=marker, ms=5, capsize=3, label=label)
    centre, half = common.interval(results.power, axis=1)
    signs.errorbar(
        centre, places, xerr=half, fmt="^", ms=5, capsize=3, label="power in the largest direction"
    )
    signs.plot(results.predicted, places, "k|", ms=12, mew=1.5, label="(E f)²/E f², infinite width")
    signs.set_yticks(places, results.names)
    signs.invert_yaxis()
    signs.set(xlabel="share", xlim=(-0.03, 1.05), title="At initialisation")
    signs.set_ylim(len(places) + 1.6, -0.6)
    signs.legend(loc="lower left")
    for axis, optimizer, curves, rates in zip(
        (sgd, adam), results.optimizers, results.accuracy, results.rates, strict=True
    ):
        for n, name in enumerate(results.names):
            centre, half = curves[n]
            style = {"color": common.COLOURS[n // 2], "ls": ("-", "--")[n % 2]}
            axis.plot(results.steps, centre, label=f"{name}, rate {rates[n]:g}", **style)
            axis.fill_between(
                results.steps, centre - half, centre + half, color=style["color"], alpha=0.12, lw=0
            )
        axis.set(xlabel="step", ylabel="test accuracy", xscale="log", ylim=(0.2, 1))
        axis.set_title({"sgd": "SGD", "adam": "Adam"}[optimizer] + ": mean and 95 % interval")
        axis.legend(loc="lower right")
    last = results.steps.max()
    for k, optimizer in enumerate(results.optimizers):
        centre, half = common.interval(np.minimum(results.needed[k], last), axis=1)
        counts.errorbar(
            centre, places + 0.3 * k - 0.15, xerr=half, fmt="os"[k], ms=5, capsize=3,
            label={"sgd": "SGD", "adam": "Adam"}[optimizer],
        )  # fmt: skip
    counts.set_yticks(places, results.names)
    counts.invert_yaxis()
    counts.set(xlabel="steps to the target accuracy", title="Mean and 95 % interval over seeds")
    counts.set_xlim(left=0)
    counts.legend()
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Signs by arithmetic; delays by paired differences over seeds."""
    single = results.single.mean(1)
    off = [n for n, name in enumerate(results.names) if name in ("sigmoid", "tanh + 1")]
    checks = [
        common.Check(f"one example's gradients with one sign, {name}", float(single[n]), low=0.9999)
        for n, name in enumerate(results.names)
        if name in ("sigmoid", "tanh + 1", "relu")
    ]
    # n fair coins show a majority of 1/2 + 1/√(2πn), 0.55 for 64; inputs of one example are not quite fair.
    for n, name in enumerate(results.names):
        if name in ("sigmoid - 1/2", "tanh"):
            checks.append(
                common.Check(f"one example's gradients with one sign, {name}", float(single[n]), 0.5, 0.65)
            )
    checks.append(
        common.Check(
            "largest direction's share of the power, largest distance from the law (off-centre ones)",
            float(np.abs(results.power.mean(1) - results.predicted)[off].max()),
            high=0.1,
        )
    )
    phrases = []
    for k, optimizer in enumerate(results.optimizers):
        label = {"sgd": "SGD", "adam": "Adam"}[optimizer]
        for n in range(0, len(results.names), 2):
            # Logarithms: the ratio of the steps, paired by seed.
            ratio = np.log(results.needed[k, n] / results.needed[k, n + 1])
            centre, half = common.interval(ratio)
            low, high = np.exp(centre - half), np.exp(centre + half)
            phrases.append(
                f"{results.names[n]} {np.exp(centre):.2f} ({low:.2f} to {high:.2f})"
                + (f" with {label}" if n + 2 == len(results.names) else "")
            )
            if n in off:
                what = f"{label}: steps of {results.names[n]} over {results.names[n + 1]}, lower 95 % bound"
                checks.append(common.Check(what, float(low), low=1.0))
    listed = ", ".join(phrases)
    answer = (
        f"On one example {100 * single[0]:.0f} % of a unit's gradients behind {results.names[0]} have one "
        f"sign, behind {results.names[1]} {100 * single[1]:.0f} %, in a minibatch's mean "
        f"{100 * results.batch[0].mean():.0f} % against {100 * results.batch[1].mean():.0f} %; "
        f"off-centre activations need this many times the steps of their centred twins, with 95 % intervals: "
        f"{listed}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {
        "pairs": ("sigmoid",),
        "depth": 2, "width": 6, "batch": 8, "steps": 20, "every": 10, "sgd_rates": (0.1,),
        "adam_rates": (0.003,), "seeds": 2,
    }  # fmt: skip
    full = {
        "width": 256, "steps": 2000, "seeds": 40, "sgd_rates": (0.01, 0.03, 0.1, 0.3, 1.0, 3.0),
        "adam_rates": (0.0003, 0.001, 0.003, 0.01, 0.03),
    }  # fmt: skip
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
