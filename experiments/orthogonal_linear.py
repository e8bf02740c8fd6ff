"""Does the time to train a deep linear network depend on its depth?

Saxe et al. (2013): from orthogonal weights it does not, from Gaussian ones it grows, because the product of
Gaussian matrices is all but singular. Full-batch gradient descent fits a linear teacher on whitened inputs;
the steps to a tenth of the loss of the best zero-information answer are counted at the best of several
learning rates.

    python -m experiments.orthogonal_linear

Expect: orthogonal networks of 64 layers need less than twice the steps of 8 layers; Gaussian ones of 16
layers at least four times those of 4.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

import jaxacts
from experiments import _common as common


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    depths: tuple[int, ...] = (4, 8, 16, 32, 64)  # orthogonal
    gaussian_depths: tuple[int, ...] = (4, 8, 16)  # deeper Gaussian ones do not move at all
    width: int = 64
    rates: tuple[float, ...] = (0.025, 0.05, 0.1, 0.2, 0.4)  # learning rate times depth
    steps: int = 400  # orthogonal
    gaussian_steps: int = 1500
    target: float = 0.1  # share of the teacher's power that may be left
    seeds: int = 1


class Results(NamedTuple):
    """Steps to the target at the best learning rate; infinite when none reached it."""

    depths: np.ndarray
    orthogonal: np.ndarray  # (depth, seed)
    gaussian_depths: np.ndarray
    gaussian: np.ndarray  # (depth, seed)
    curves: list[np.ndarray]  # loss by step of the orthogonal networks, best rate, first seed
    gaussian_curves: list[np.ndarray]
    allowed: int  # steps after which a Gaussian network was given up


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _losses(
    key: jax.Array, depth: int, width: int, steps: int, orthogonal: bool, rate: jax.Array
) -> jax.Array:
    """Relative loss by step of gradient descent on |W_L ... W_1 - T|² / |T|²."""
    own, teacher = jr.split(key)
    # Singular values between 1/2 and 2: every mode is to be learnt, none is already there.
    left, right = (
        jaxacts.initializers.orthogonal()(k, (width, width), jnp.float32) for k in jr.split(teacher)
    )
    t = (left * jnp.geomspace(0.5, 2.0, width)[None, :]) @ right
    make = (
        jaxacts.initializers.orthogonal() if orthogonal else jaxacts.initializers.lecun(distribution="normal")
    )
    weights = jax.vmap(lambda k: make(k, (width, width), jnp.float32))(jr.split(own, depth))

    def loss(weights: jax.Array) -> jax.Array:
        product, _ = jax.lax.scan(lambda m, w: (m @ w, None), jnp.eye(width), weights)
        return jnp.sum((product - t) ** 2)

    def step(weights: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(weights)
        # Half the squared error per mode: the step is stable up to about rate = 1 where all singular values
        # are 1.
        return weights - rate / depth * gradient, value / jnp.sum(t**2)

    return jax.lax.scan(step, weights, length=steps)[1]


def _best(config: Config, depth: int, orthogonal: bool) -> tuple[list[float], np.ndarray]:
    """Steps to the target for each seed, and the first seed's loss curve, at the best rate."""
    steps = config.steps if orthogonal else config.gaussian_steps
    found, curve = [], np.empty(0)
    for seed in range(config.seeds):
        best = np.inf
        for rate in config.rates:
            losses = np.asarray(
                _losses(jr.key(seed), depth, config.width, steps, orthogonal, jnp.float32(rate))
            )
            below = np.flatnonzero(losses < config.target)
            if seed == 0 and (curve.size == 0 or (below.size and below[0] < best)):
                curve = losses
            if below.size:
                best = min(best, float(below[0]))
        found.append(best)
    return found, curve


def run(config: Config) -> Results:
    """Count steps for every depth."""
    orthogonal = [_best(config, depth, True) for depth in config.depths]
    gaussian = [_best(config, depth, False) for depth in config.gaussian_depths]
    return Results(
        np.array(config.depths),
        np.array([steps for steps, _ in orthogonal]),
        np.array(config.gaussian_depths),
        np.array([steps for steps, _ in gaussian]),
        [_thinned(curve) for _, curve in orthogonal],
        [_thinned(curve) for _, curve in gaussian],
        config.gaussian_steps,
    )


def _thinned(curve: np.ndarray) -> np.ndarray:
    """Every hundredth part of a curve is enough to draw it."""
    return curve[:: max(1, len(curve) // 100)]


def plot(results: Results):
    """Steps against depth, and the losses."""
    figure, (left, right) = common.axes(columns=2)
    pairs = (
        ("orthogonal", results.depths, results.orthogonal),
        ("Gaussian", results.gaussian_depths, results.gaussian),
    )
    for n, (label, depths, steps) in enumerate(pairs):
        reached = np.minimum(steps.mean(1), results.allowed)
        left.plot(depths, reached, "o-", color=common.COLOURS[n], label=label)
        for depth, number in zip(depths, steps.mean(1), strict=True):
            if np.isinf(number):
                left.annotate(
                    "given up", (depth, results.allowed), xytext=(8, -4), textcoords="offset points"
                )
    left.set(xscale="log", yscale="log", xlabel="layers", ylabel="steps to a tenth of the power")
    left.set_xticks(results.depths, labels=[f"{depth:.0f}" for depth in results.depths])
    left.xaxis.set_minor_formatter("")
    left.set_title("Best of several learning rates")
    left.legend()
    for depth, curve in zip(results.depths, results.curves, strict=True):
        right.plot(
            np.linspace(0, 1, len(curve)), curve, color=common.COLOURS[0], alpha=0.3 + 0.7 / depth**0.5
        )
    for depth, curve in zip(results.gaussian_depths, results.gaussian_curves, strict=True):
        right.plot(
            np.linspace(0, 1, len(curve)), curve, color=common.COLOURS[1], alpha=0.3 + 0.7 / depth**0.5
        )
    right.set(yscale="log", xlabel="share of the steps allowed", ylabel="loss, relative", ylim=(1e-3, 3))
    right.set_title("Losses; fainter is deeper")
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Growth of the steps with depth."""
    steps = dict(zip(results.depths.tolist(), results.orthogonal.mean(1), strict=True))
    gaussian = dict(zip(results.gaussian_depths.tolist(), results.gaussian.mean(1), strict=True))
    first, last = sorted(steps)[-4 if len(steps) > 3 else 0], max(steps)
    low, high = min(gaussian), max(gaussian)
    # A network that was given up counts with the steps it was allowed: the growth is at least this.
    flat, growth = steps[last] / steps[first], min(gaussian[high], results.allowed) / gaussian[low]
    long = f"{gaussian[high]:.0f}" if np.isfinite(gaussian[high]) else f"more than {results.allowed}"
    checks = [
        common.Check(f"orthogonal: steps({last:.0f}) / steps({first:.0f})", flat, high=2.0),
        common.Check(f"Gaussian: steps({high:.0f}) / steps({low:.0f})", growth, low=4.0),
    ]
    answer = (
        f"From orthogonal weights {last:.0f} layers need {steps[last]:.0f} steps and {first:.0f} layers "
        f"{steps[first]:.0f}; from Gaussian ones {high:.0f} layers need {long} and {low:.0f} "
        f"layers "
        f"{gaussian[low]:.0f}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {
        "depths": (2,),
        "gaussian_depths": (2,),
        "width": 8,
        "rates": (0.1,),
        "steps": 30,
        "gaussian_steps": 30,
    }
    full = {"width": 256, "seeds": 10, "steps": 2000, "gaussian_steps": 100_000}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
