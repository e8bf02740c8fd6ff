"""Which layers saturate, and does the normalised initialisation keep signals and gradients flat?

Glorot & Bengio (2010): under the standard initialisation U(-1/√n, 1/√n) activations shrink from layer to
layer and gradients shrink on their way back; under the normalised one, U(±√(6/(n_in + n_out))), both stay
nearly flat. And a deep sigmoid network drives its top hidden layer to 0 as soon as it starts to train: the
output layer learns fastest, and the easiest way to ignore a hidden layer that says nothing is to turn it off.

    python -m experiments.saturation

Expect: activations where the mean-field map puts them; gradients that shrink to 0.5 to 0.6 of themselves per
layer under the standard initialisation and by less than a tenth under the normalised one; the top sigmoid
layer's mean falling towards 0 while the lower layers stay near 1/2. How flat "flat" is depends on the input:
the normalised initialisation shrinks a narrow input, and a wide one of the same variance still bends tanh.

Reference: http://proceedings.mlr.press/v9/glorot10a.html
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxacts
from experiments import _common as common
from experiments import _train as trainer
from jaxacts import meanfield
from jaxacts.lab import load_dataset, mlp, training


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    depth: int = 5  # tanh layers at initialisation
    width: int = 1000  # units in each
    examples: int = 300
    networks: int = 5  # random networks a setting
    sigmoid_depth: int = 4  # sigmoid layers to be trained
    sigmoid_width: int = 100
    rate: float = 0.1  # of SGD
    batch: int = 10
    steps: int = 20_000
    every: int = 250  # steps between two looks
    seeds: int = 5  # trained networks


class Results(NamedTuple):
    """Signals and gradients at initialisation, and the mean sigmoid activations while training."""

    settings: list[str]
    spread: np.ndarray  # (setting, network, layer) standard deviation of tanh's outputs
    gradient: np.ndarray  # (setting, network, layer) that of the gradient with respect to these outputs
    predicted_spread: np.ndarray  # (setting, layer)
    predicted_ratio: np.ndarray  # (setting, layer - 1) gradient over that of the next layer
    steps: np.ndarray  # (record,)
    mean: np.ndarray  # (seed, record, layer) of the sigmoids' outputs
    accuracy: np.ndarray  # (seed, record - 1) on the training part


def _shallow(parameters: mlp.Parameters) -> list[mlp.Layer]:
    return [parameters.first, *parameters.hidden, parameters.last]


@jax.jit
def _at_start(layers: list[mlp.Layer], x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Deviations of tanh's outputs and of the loss's gradient with respect to them, layer by layer."""

    def loss(probes: jax.Array) -> tuple[jax.Array, list[jax.Array]]:
        h, outputs = x, []
        for layer, probe in zip(layers[:-1], probes, strict=True):
            h = jaxacts.tanh(h @ layer.weight + layer.bias[None, :]) + probe
            outputs.append(jnp.std(h))
        # The sum over examples, not the mean: one example's gradient does not depend on how many there are.
        return len(x) * trainer.cross_entropy(h @ layers[-1].weight + layers[-1].bias[None, :], y), outputs

    zeros = jnp.zeros((len(layers) - 1, len(x), layers[0].bias.shape[0]))
    gradients, outputs = jax.grad(loss, has_aux=True)(zeros)
    return jnp.stack(outputs), jnp.std(gradients, axis=(1, 2))


def _uniform(dataset, depth: int, width: int, seed: int, normalised: bool) -> mlp.Parameters:
    """Standard or normalised uniform weights, zero biases."""
    parameters = trainer.scaled(dataset, depth, width, seed, distribution="uniform")

    def scale(layer: mlp.Layer) -> mlp.Layer:
        fan_in, fan_out = layer.weight.shape
        # trainer's weights have variance 1/n_in; U(-a, a) has a²/3.
        factor = np.sqrt(2 * fan_in / (fan_in + fan_out)) if normalised else np.sqrt(1 / 3)
        return layer._replace(weight=layer.weight * np.float32(factor))

    return jax.tree.map(scale, parameters, is_leaf=lambda node: isinstance(node, mlp.Layer))


def _predicted(parameters_in: int, config: Config, normalised: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean-field deviations of tanh's outputs, and the factors of their gradients."""
    first = 2 * parameters_in / (parameters_in + config.width) if normalised else 1 / 3
    sigma_w = 1.0 if normalised else 3**-0.5
    q = meanfield.length_trajectory(jaxacts.tanh, config.depth - 1, sigma_w, q0=first)
    moments = [jaxacts.moments.moments(jaxacts.tanh, float(value)) for value in q]
    spread = np.sqrt([float(m.second) for m in moments])
    return spread, sigma_w * np.sqrt([float(m.slope_second) for m in moments[1:]])


@jax.jit
def _sigmoids(parameters: mlp.Parameters, x: jax.Array) -> jax.Array:
    both = lambda z: (jaxacts.sigmoid(z), jaxacts.sigmoid(z))  # noqa: E731
    outputs = jnp.stack(mlp.apply(parameters, x, both, has_extra=True).extra)
    return outputs.mean((1, 2))


def run(config: Config) -> Results:
    """Initialise, then train."""
    digits = load_dataset("digits")
    noise = np.random.default_rng(0).standard_normal((config.examples, config.width), dtype=np.float32)
    wide = dataclasses.replace(digits, x_train=noise)
    settings = {
        "standard": (digits, False),
        "normalised": (digits, True),
        f"normalised, {config.width} inputs": (wide, True),
    }
    spread, gradient, predicted = [], [], []
    for dataset, normalised in settings.values():
        x, y = dataset.x_train[: config.examples], dataset.y_train[: config.examples]
        found = [
            _at_start(_shallow(_uniform(dataset, config.depth, config.width, seed, normalised)), x, y)
            for seed in range(config.networks)
        ]
        spread.append([np.asarray(s, float) for s, _ in found])
        gradient.append([np.asarray(g, float) for _, g in found])
        predicted.append(_predicted(dataset.features, config, normalised))
    program = training.Program((jaxacts.sigmoid,), optimizer="sgd", measure=())
    stops = list(range(config.every, config.steps + 1, config.every))
    watched = digits.x_test[: config.examples]
    data = trainer.parts(trainer.on_training_part(digits))

    def one(seed: int):
        parameters = _uniform(digits, config.sigmoid_depth, config.sigmoid_width, seed, normalised=False)
        records, _, seen = trainer.train(
            program, parameters, data, rate=config.rate, steps=config.steps, batch=config.batch, seed=seed,
            stops=stops, observe=lambda parameters: _sigmoids(parameters, watched),
        )  # fmt: skip
        return records["validation_accuracy"], seen

    accuracy, mean = zip(*trainer.threads(one, range(config.seeds)), strict=True)
    return Results(
        list(settings), np.array(spread), np.array(gradient), np.array([p[0] for p in predicted]),
        np.array([p[1] for p in predicted]), np.array([0, *stops]), np.array(mean, float).round(4),
        np.array(accuracy, float).round(4),
    )  # fmt: skip


def plot(results: Results):
    """Signals and gradients by layer; mean activation by step."""
    from matplotlib.ticker import MaxNLocator

    figure, (left, middle, right) = common.axes(3, width=4.6, height=4.0)
    layers = np.arange(1, results.spread.shape[-1] + 1)
    for n, (name, marker) in enumerate(zip(results.settings, "os^", strict=True)):
        style = {"color": common.COLOURS[n], "label": name, "marker": marker, "ms": 5, "ls": "none"}
        centre, half = common.interval(results.spread[n])
        left.errorbar(layers, centre, half, **style)
        left.plot(layers, results.predicted_spread[n], color=common.COLOURS[n], lw=1.2)
        centre, half = common.interval(results.gradient[n] / results.gradient[n][:, -1:])
        middle.errorbar(layers, centre, half, **style)
        ideal = np.append(np.cumprod(results.predicted_ratio[n][::-1])[::-1], 1.0)
        middle.plot(layers, ideal, color=common.COLOURS[n], lw=1.2)
    left.set(yscale="log", xlabel="layer", ylabel="standard deviation of the outputs", xticks=layers)
    middle.set(yscale="log", xlabel="layer", ylabel="gradient, relative to the last layer", xticks=layers)
    left.set_title("tanh at initialisation: signals")
    middle.set_title("gradients")
    left.legend(loc="lower left", title="lines: mean field", title_fontsize=8.5)
    dashes = ("-", "--", "-.", ":")
    for layer in range(results.mean.shape[-1]):
        centre, half = common.interval(results.mean[:, :, layer])
        colour, place = common.COLOURS[layer % 7], "top layer" if layer + 1 == results.mean.shape[-1] else ""
        label = f"layer {layer + 1}" + (f" ({place})" if place else "")
        right.plot(results.steps, centre, color=colour, ls=dashes[layer % 4], label=label)
        right.fill_between(results.steps, centre - half, centre + half, color=colour, alpha=0.15, lw=0)
    right.set(xlabel="SGD step", ylabel="mean sigmoid output", ylim=(0, 0.8))
    right.set_title("sigmoid while training, with 95 % intervals")
    right.legend(loc="center left", bbox_to_anchor=(0.06, 0.5))
    right.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Published and predicted shapes."""
    off = np.abs(results.spread.mean(1) / results.predicted_spread - 1).max(1)
    ratios = results.gradient[:, :, :-1].mean(1) / results.gradient[:, :, 1:].mean(1)
    checks = [
        common.Check(f"outputs' deviation, {name}: largest distance from the mean field", worst, high=0.03)
        for name, worst in zip(results.settings, off, strict=True)
    ]
    bounds = {"standard": (0.5, 0.6), "normalised": (0.9, 1.0)}
    for name, found, ideal in zip(results.settings, ratios, results.predicted_ratio, strict=True):
        low, high = bounds.get(name, (ideal.min() - 0.03, ideal.max() + 0.03))
        checks.append(common.Check(f"gradient's ratio per layer, {name}: smallest", found.min(), low=low))
        checks.append(common.Check(f"gradient's ratio per layer, {name}: largest", found.max(), high=high))
    top = results.mean[:, :, -1]
    lowest = top.argmin(1)
    below = np.array([results.mean[n, at, :-1] for n, at in enumerate(lowest)])
    fall, half = common.interval(top.min(1))
    off_half = np.abs(below - 0.5).max()
    checks += [
        common.Check(
            "top sigmoid layer's mean at its lowest, upper 95 % bound", float(fall + half), high=0.2
        ),
        common.Check("lower layers' means at that time, largest distance from 1/2", off_half, high=0.25),
    ]
    when, (standard, normalised, wide) = results.steps[lowest].mean(), ratios
    answer = (
        f"Per layer the gradient keeps {standard.min():.2f} to {standard.max():.2f} of its size under the "
        f"standard initialisation, {normalised.min():.2f} to {normalised.max():.2f} under the normalised one "
        f"(but {wide.min():.2f} to {wide.max():.2f} behind as many inputs as units), outputs within "
        f"{100 * off.max():.1f} % of the mean field; while training the top sigmoid layer's mean falls from "
        f"{top[:, 0].mean():.2f} to {fall:.3f} ± {half:.3f} at step {when:.0f} while the others stay within "
        f"{off_half:.2f} of 1/2, and it ends at {top[:, -1].mean():.2f} with training accuracy "
        f"{results.accuracy[:, -1].mean():.2f}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {
        "depth": 3, "width": 20, "examples": 16, "networks": 2, "sigmoid_depth": 2, "sigmoid_width": 8,
        "steps": 40, "every": 20, "seeds": 2,
    }  # fmt: skip
    full = {"width": 4000, "networks": 20, "steps": 100_000, "every": 1000, "seeds": 20}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
