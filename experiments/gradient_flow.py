"""How large are the gradients of early layers at depths 2 to 50: sigmoid against ReLU and the rest?

Untrained multilayer perceptrons on MNIST-1D: the size of the loss's gradient with respect to each layer's
pre-activations, relative to the last layer's. Once with weights of standard deviation 1/√n for all, once with
the gain of each activation, 1/√E f(z)², which keeps the signal's size.

    python -m experiments.gradient_flow

Expect: sigmoid loses a factor of about four a layer and 1e-30 over 50, and its own gain rescues a third of
those digits only; ReLU loses √2 a layer with weights of 1/√n and nothing with its gain. With their gains tanh
and the smooth rectifiers keep the signal and let the gradient grow, over 50 layers by 70 (tanh, GELU) or a
few thousand (SiLU): to keep both sizes are two demands, which only ReLU's kind meets at once.
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
from experiments import _signal as signal
from jaxacts.lab import load_dataset, mlp
from jaxacts.lab.switch import switch

NAMES = ("sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu")
# Multiplies the loss: the gradients of deep sigmoid networks would fall out of float32's range otherwise.
_SCALE = 2.0**60


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    dataset: str = "mnist1d"
    depths: tuple[int, ...] = (2, 5, 10, 20, 35, 50)  # hidden layers
    width: int = 128  # units in each
    batch: int = 64  # examples
    seeds: int = 5  # networks


class Results(NamedTuple):
    """Gradients by layer, relative to the last hidden layer; the axis `init` is (1/√n, gain/√n)."""

    names: list[str]
    gains: np.ndarray  # (activation,)
    depths: np.ndarray
    first: np.ndarray  # (init, activation, depth, seed): the first layer's
    profile: np.ndarray  # (init, activation, seed, layer): of the deepest networks
    predicted: np.ndarray  # (init, activation, depth): the first layer's at infinite width


@functools.cache
def _flow():
    """One function for all activations; compiled once a depth."""
    choose = switch(tuple(getattr(jaxacts, name) for name in NAMES))

    @jax.jit
    def flow(index, parameters, x, y, zeros):
        def loss(probes):
            activation = functools.partial(choose.trained, index)
            output = mlp.apply(parameters, x, activation, probes=probes).output
            return _SCALE * (jax.nn.logsumexp(output, axis=1) - (output * y).sum(1)).sum()

        gradients = jnp.stack(jax.grad(loss)(zeros))
        largest = jnp.abs(gradients).max((1, 2))  # squares of tiny gradients would underflow
        return jnp.sqrt(jnp.square(gradients / largest[:, None, None]).mean((1, 2))) * largest

    return flow


def run(config: Config) -> Results:
    """Backpropagate through every network."""
    dataset = load_dataset(config.dataset)
    x, y = dataset.x_train[: config.batch], dataset.y_train[: config.batch]
    gains = [float(jaxacts.moments.gain(getattr(jaxacts, name), kind="he")) for name in NAMES]
    first = np.zeros((2, len(NAMES), len(config.depths), config.seeds))
    profile = np.zeros((2, len(NAMES), config.seeds, max(config.depths)))
    predicted = np.zeros((2, len(NAMES), len(config.depths)))
    for d, depth in enumerate(config.depths):
        for seed in range(config.seeds):
            draws = mlp.draw(seed, dataset.features, dataset.classes, depth, config.width)
            for n, gain in enumerate(gains):
                for i, g in enumerate((1.0, gain)):
                    parameters = mlp.stacked(mlp.init(draws, "auto", g))
                    zeros = mlp.probes(parameters, config.batch)
                    norms = np.asarray(_flow()(np.int32(n), parameters, x, y, zeros), float)
                    first[i, n, d, seed] = norms[0] / norms[-1]
                    if depth == max(config.depths):
                        profile[i, n, seed] = norms / norms[-1]
    deepest = max(config.depths)
    for n, (name, gain) in enumerate(zip(NAMES, gains, strict=True)):
        for i, g in enumerate((1.0, gain)):
            # The profile of a network of depth d from its first layer on is that of the deepest, cut after d.
            whole = signal.predicted(getattr(jaxacts, name), g, deepest).gradient
            predicted[i, n] = [whole[0] / whole[depth - 1] for depth in config.depths]
    return Results(list(NAMES), np.array(gains), np.array(config.depths), first, profile, predicted)


def plot(results: Results):
    """Left and middle: first layer's gradient by depth. Right: by layer in the deepest network."""
    figure, panels = common.axes(3, width=4.6, height=4.2)
    titles = ("weights 1/√n", "weights gain/√n")
    markers = "osD^vPX"
    for n, name in enumerate(results.names):
        style = {"color": common.COLOURS[n % len(common.COLOURS)], "marker": markers[n], "ms": 4}
        for i in range(2):
            centre, half = common.interval(np.log10(results.first[i, n]), axis=1)
            panels[i].plot(results.depths, 10**centre, label=name, **style)
            panels[i].fill_between(
                results.depths, 10 ** (centre - half), 10 ** (centre + half), color=style["color"], alpha=0.2
            )
        layers = np.arange(1, results.profile.shape[-1] + 1)
        centre, _ = common.interval(np.log10(results.profile[1, n]))
        panels[2].plot(layers, 10**centre, markevery=max(1, len(layers) // 8), **style)
    for axis, title in zip(panels, titles, strict=False):
        axis.set(xlabel="hidden layers", title=f"First layer, {title}", yscale="log")
    panels[0].set_ylabel("gradient, relative to the last layer")
    panels[2].set(xlabel="layer", yscale="log", title=f"By layer, {results.depths.max():.0f} layers, gain/√n")
    panels[0].legend(loc="lower left")
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """The deepest networks against the prediction at infinite width."""
    measured = np.log10(results.first[:, :, -1]).mean(-1)
    expected = np.log10(results.predicted[:, :, -1])
    depth = int(results.depths.max())
    checks = []
    for name in ("sigmoid", "relu", "tanh"):
        n = results.names.index(name)
        for i, weights in enumerate(("1/√n", "gain/√n")):
            # A tenth of the exponent, and 0.5: the logarithm of a product over L layers of width n fluctuates
            # by about √(L/n) ≈ 0.6 a network, 0.25 as log10, and so does that of the data's first layer.
            room = 0.1 * abs(expected[i, n]) + 0.5
            what = f"log10 of the first layer's gradient at depth {depth}, {name}, weights {weights}"
            checks.append(common.Check(what, measured[i, n], expected[i, n] - room, expected[i, n] + room))
    sizes = dict(zip(results.names, 10**measured.T, strict=True))
    others = ", ".join(
        f"{name} {size[1]:.1e}" for name, size in sizes.items() if name not in ("sigmoid", "relu")
    )
    answer = (
        f"At depth {depth} the first layer's gradient is {sizes['sigmoid'][0]:.0e} of the last layer's with "
        f"sigmoid and {sizes['relu'][0]:.0e} with ReLU at weights 1/√n; with each activation's gain it is "
        f"{sizes['sigmoid'][1]:.0e} with sigmoid and {sizes['relu'][1]:.2f} with ReLU ({others})."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"dataset": "wine", "depths": (2, 4), "width": 16, "batch": 8, "seeds": 2}
    full = {"depths": (2, 5, 10, 20, 35, 50, 100), "width": 1024, "batch": 512, "seeds": 20}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
