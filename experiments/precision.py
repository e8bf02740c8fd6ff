"""How much of the gradient lost in float16 and bfloat16 training is an artefact of the derivative's formula?

The derivative of tanh is often computed as (1 + t)(1 - t) and that of sigmoid as s (1 - s). Where t or s
rounds to 1 the result is exactly 0, although the derivative itself is a number that the type can hold: the
numerical vanishing gradient. The same networks are trained from the same seeds with the functions of `jax.nn`
and with those of jaxacts, from usual weights and from weights six times too large, and at every look it is
counted how many slopes and gradients are exactly zero, and how many of those slopes need not be.

    python -m experiments.precision

Expect: with `jax.nn` many needless zeros where the formula cancels (tanh, the positive side of sigmoid), none
with jaxacts. What that does to the final loss is the question; from usual weights, where few units saturate,
expect nothing. Networks are trained as the lab does, every operation rounded; how many zeros are left where
XLA may keep float32 between operations is counted too.

Reference: Higham, Accuracy and Stability of Numerical Algorithms (2002), chapter 1,
https://doi.org/10.1137/1.9780898718027; mixed-precision training: https://arxiv.org/abs/1710.03740
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
from jaxacts.lab import load_dataset, mlp, training
from jaxacts.lab import program as programs
from jaxacts.lab.switch import switch, value_and_slope

LIBRARIES = ("jax.nn", "jaxacts")
PRECISIONS = ("float16", "bfloat16")
_SCALE = 2.0**12  # of the loss in float16, as in the lab's first step


def _functions(name: str):
    if name == "gelu":  # jax.nn's default is the tanh approximation, another function
        return functools.partial(jax.nn.gelu, approximate=False), jaxacts.gelu
    return getattr(jax.nn, name), getattr(jaxacts, name)


def _branches(names: tuple[str, ...]):
    """What the programs choose among: index 2 n + library."""
    return tuple(f for name in names for f in _functions(name))


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    activations: tuple[str, ...] = ("tanh", "sigmoid")
    depth: int = 3  # hidden layers
    width: int = 32  # units in each
    scales: tuple[float, ...] = (1.0, 6.0)  # initial weights, in multiples of the activation's gain
    rate: float = 0.002  # of Adam
    batch: int = 32
    steps: int = 300
    looks: int = 2  # while training
    examples: int = 128  # in a look
    seeds: int = 5
    points: int = 2001  # of the curves of slopes


class Results(NamedTuple):
    """Zeros and losses. Axes: precision, scale, activation, library, seed (and look)."""

    names: list[str]
    scales: np.ndarray
    steps: np.ndarray  # (look,)
    zero_slopes: np.ndarray  # share of slopes that are 0
    needless: np.ndarray  # share of slopes that are 0 though the true one is not, after rounding
    loosely: np.ndarray  # without look: needless at the start, XLA free to keep float32 between operations
    zero_gradients: np.ndarray  # share of weight gradients (second layer to last hidden one) that are 0
    loss: np.ndarray  # without look: test loss at the end
    accuracy: np.ndarray
    first_zero: (
        np.ndarray
    )  # (precision, activation, library, 2) |x| from which the slope is 0: below, above 0
    reach: np.ndarray  # (precision, activation, 2) that of the true slope, rounded to the type


@functools.cache
def _looker(precision: str, names: tuple[str, ...]):
    dtype = programs.PRECISIONS[precision]
    choose, smallest = switch(_branches(names)), float(jnp.finfo(dtype).smallest_subnormal)
    # XLA may flush numbers below the smallest normal one to zero: those zeros are nobody's formula.
    smallest = max(smallest, float(jnp.finfo(dtype).tiny))

    def look(index, parameters, x, y):
        def loss(parameters):
            small, inputs = jax.tree.map(lambda leaf: leaf.astype(dtype), (parameters, x))
            out = mlp.apply(small, inputs, functools.partial(choose.trained, index))
            return trainer.cross_entropy(out.output.astype(jnp.float32), y) * _SCALE

        small, inputs = jax.tree.map(lambda leaf: leaf.astype(dtype), (parameters, x))
        out = mlp.apply(small, inputs, functools.partial(choose.pair, index), has_extra=True)
        z, slopes = jnp.stack(out.preactivations), jnp.stack(out.extra)
        # The truth: jaxacts in float32, whose smallest slopes are far below those of the 16-bit types.
        true = choose.pair(index // 2 * 2 + 1, z.astype(jnp.float32))[1]
        zero = slopes == 0
        gradients = [layer.weight for layer in jax.grad(loss)(parameters).hidden]
        return (
            jnp.mean(zero), jnp.mean(zero & (jnp.abs(true) >= smallest)),
            jnp.mean(jnp.stack(gradients) == 0),
        )  # fmt: skip

    return look


def _reach(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """From which |x| on slopes are exactly zero when nothing is compiled together: formula and truth."""
    first = np.full((len(PRECISIONS), len(config.activations), len(LIBRARIES), 2), np.inf)
    ideal = np.full((len(PRECISIONS), len(config.activations), 2), np.inf)
    for p, precision in enumerate(PRECISIONS):
        dtype = programs.PRECISIONS[precision]
        x = jnp.linspace(0, 120, config.points).astype(dtype)
        for n, name in enumerate(config.activations):
            for s, sign in enumerate((-1, 1)):
                for k, f in enumerate(_functions(name)):
                    slope = np.asarray(value_and_slope(f)(sign * x)[1].astype(jnp.float32))
                    first[p, n, k, s] = _first(x, slope)
                true = value_and_slope(_functions(name)[1])(sign * x.astype(jnp.float32))[1]
                true = np.asarray(true)
                ideal[p, n, s] = _first(x, np.where(np.abs(true) < float(jnp.finfo(dtype).tiny), 0, true))
    return first, ideal


def _first(x: jax.Array, slope: np.ndarray) -> float:
    """The smallest |x| from which on all slopes are 0; infinite when the last one is not."""
    alive = np.flatnonzero(slope != 0)
    return float(x[alive[-1] + 1]) if len(alive) and alive[-1] + 1 < len(slope) else np.inf


def run(config: Config) -> Results:
    """Train every network twice: with jax.nn and with jaxacts."""
    dataset, names = load_dataset("digits"), config.activations
    data = trainer.parts(dataset)
    x, y = dataset.x_train[: config.examples], dataset.y_train[: config.examples]
    stops = np.linspace(0, config.steps, config.looks + 1).astype(int)[1:].tolist()
    gains = [float(jaxacts.moments.gain(getattr(jaxacts, name), kind="he")) for name in names]

    def one(item: tuple[str, float, int, int, int]):
        precision, scale, n, library, seed = item
        index = np.int32(2 * n + library)
        program = training.Program(_branches(names), precision=precision, measure=())
        draws = mlp.draw(seed, dataset.features, dataset.classes, config.depth, config.width)

        def observe(parameters):
            args = (index, parameters, x, y)
            look = trainer.compiled(_looker(precision, names), ("look", names), *args, precision=precision)
            return [float(value) for value in look(*args)]

        start = mlp.init(draws, "auto", scale * gains[n])
        args = (index, start, x, y)
        loosely = trainer.compiled(_looker(precision, names), ("loosely", precision, names), *args)(*args)
        records, _, seen = trainer.train(
            program, start, data, rate=config.rate, steps=config.steps, batch=config.batch, seed=seed,
            activation=int(index), stops=stops, observe=observe,
        )  # fmt: skip
        return np.array(seen).T, float(loosely[1]), records["test_loss"][-1], records["test_accuracy"][-1]

    sizes = (len(PRECISIONS), len(config.scales), len(names), len(LIBRARIES), config.seeds)
    items = [
        (PRECISIONS[p], config.scales[s], n, library, seed) for p, s, n, library, seed in np.ndindex(*sizes)
    ]
    seen, loosely, loss, accuracy = (
        np.array(c, float) for c in zip(*trainer.threads(one, items), strict=True)
    )
    zero_slopes, needless, zero_gradients = np.moveaxis(seen.reshape(*sizes, 3, -1), -2, 0)
    first_zero, reach = _reach(config)
    return Results(
        names=list(names), scales=np.array(config.scales), steps=np.array([0, *stops]),
        zero_slopes=zero_slopes, needless=needless, loosely=loosely.reshape(sizes),
        zero_gradients=zero_gradients, loss=loss.reshape(sizes), accuracy=accuracy.reshape(sizes),
        first_zero=first_zero, reach=reach,
    )  # fmt: skip


def plot(results: Results):
    """Needless zeros, zero gradients and final losses; usual weights left, large ones right of each pair."""
    figure, panels = common.axes(3, 2, width=5.0, height=3.5)
    places = np.arange(len(results.names))
    for p, precision in enumerate(PRECISIONS):
        for column, (values, label) in enumerate(
            (
                (results.needless[..., 0], "share of slopes zero needlessly"),
                (results.zero_gradients[..., 0], "share of weight gradients zero"),
                (results.loss, "test loss after training"),
            )
        ):
            axis = panels[3 * p + column]
            for s, scale in enumerate(results.scales):
                for k, library in enumerate(LIBRARIES):
                    centre, half = common.interval(values[p, s, :, k], axis=1)
                    axis.errorbar(
                        places + 0.36 * s + 0.14 * k - 0.25, centre, half, fmt="os"[k], capsize=3, ms=5,
                        color=common.COLOURS[1 - k], mfc=common.COLOURS[1 - k] if s else "white",
                        label=f"{library}, weights × {scale:g}",
                    )  # fmt: skip
            axis.set_xticks(places, results.names)
            axis.set(ylabel=label)
            if column < 2:
                axis.set_ylim(bottom=-0.02)
            when = ("at initialisation", "at initialisation", "mean and 95 % interval")[column]
            axis.set_title(f"{precision}: {when}")
    panels[2].set_yscale("log")
    panels[5].set_yscale("log")
    panels[0].legend(loc="upper right")
    return figure


def _ratios(results: Results) -> tuple[np.ndarray, np.ndarray]:
    """Logarithm of jax.nn's final loss over jaxacts', paired by seed: mean and half-width of the interval."""
    loss = np.log(results.loss)
    return common.interval(loss[..., 0, :] - loss[..., 1, :], axis=-1)


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Needless zeros by library, and paired differences of the loss."""
    tanh, large = results.names.index("tanh"), int(results.scales.argmax())
    start, half = common.interval(results.needless[:, large, tanh, 0, :, 0], axis=-1)  # by precision
    centre, around = _ratios(results)
    usual = np.abs(centre[:, 0]) > around[:, 0]
    worse, better = centre - around > 0, centre + around < 0
    checks = [
        common.Check(
            "jaxacts: largest share of slopes that are zero needlessly, anywhere",
            results.needless[..., 1, :, :].max(), high=0.0,
        ),
        *(
            common.Check(
                f"jax.nn: tanh slopes zero needlessly in {precision}, large weights, lower 95 % bound",
                float(centre - around), low=0.05,
            )
            for precision, centre, around in zip(PRECISIONS, start, half, strict=True)
        ),
    ]  # fmt: skip
    ratio = np.exp(centre[:, large, tanh])
    low, high = np.exp(centre - around)[:, large, tanh], np.exp(centre + around)[:, large, tanh]
    zero = results.zero_gradients[:, large, tanh, :, :, 0].mean(-1)
    zeros = [
        f"{start[p]:.2f} of its slopes needlessly zero in {precision} and {zero[p, 0]:.2f} of the weight "
        f"gradients zero (jaxacts {results.needless[p, large, tanh, 1].max():.2f} and {zero[p, 1]:.2f})"
        for p, precision in enumerate(PRECISIONS)
    ]
    losses = [
        f"{ratio[p]:.2f} ({low[p]:.2f} to {high[p]:.2f}) in {precision}"
        for p, precision in enumerate(PRECISIONS)
    ]
    scale = f"{results.scales[large]:g}"
    loosely = results.loosely[:, large, tanh, 0].mean(-1)
    answer = (
        f"From weights × {scale} jax.nn's tanh starts with {' and '.join(zeros)}; its final loss is "
        f"{' and '.join(losses)} times jaxacts'. Where XLA may keep float32 between operations, jax.nn's "
        f"needless zeros are {loosely[0]:.2f} and {loosely[1]:.2f}. Over all functions and precisions "
        f"jaxacts' loss is significantly lower in {worse.sum()} and higher in {better.sum()} of {worse.size} "
        f"settings; from usual weights the two differ in {usual.sum()} of {usual.size}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {
        "activations": ("tanh",), "depth": 2, "width": 6, "batch": 8, "steps": 4, "looks": 2,
        "examples": 8, "seeds": 2, "points": 41, "scales": (6.0,),
    }  # fmt: skip
    full = {
        "activations": ("tanh", "sigmoid", "silu", "gelu", "softplus"), "depth": 8, "width": 512,
        "steps": 20_000, "looks": 20, "seeds": 20, "scales": (0.5, 1.0, 2.0, 4.0, 8.0),
    }  # fmt: skip
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
