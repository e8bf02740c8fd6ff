"""Does SELU pull activations back to mean 0 and variance 1?

Klambauer et al. (2017): with weights of mean 0 and variance 1/n the map from a layer's mean and variance to
the next has the fixed point (0, 1) for SELU, and the map's Jacobian there has spectral norm 0.7877, so that
deviations die out. The map is evaluated by quadrature and deep networks are fed noise that is off-centre and
too loud.

    python -m experiments.self_normalising

Expect: E f = 0 and E f² = 1 to rounding, the published norm to four digits; SELU networks back at (0, 1)
after some twenty layers, ReLU and tanh networks gone quiet.
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

    depth: int = 50  # layers
    width: int = 512
    batch: int = 16
    seeds: int = 5
    mean: float = 1.0  # of the noise that is fed in
    variance: float = 3.0


class Results(NamedTuple):
    """The map at its fixed point, and mean and variance layer by layer."""

    fixed: np.ndarray  # E f, E f² at (0, 1)
    norm: float
    names: list[str]
    mean: np.ndarray  # (activation, seed, layer)
    variance: np.ndarray
    predicted: np.ndarray  # (layer,) variance by the map, SELU


NAMES = ("selu", "relu", "tanh")


@functools.partial(jax.jit, static_argnums=0)
def _simulated(config: Config, index: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
    f = functools.partial(jax.lax.switch, index, [getattr(jaxacts, name) for name in NAMES])

    def layer(h, key):
        h = f(h @ (jr.normal(key, (config.width, config.width)) / jnp.sqrt(config.width)))
        return h, (jnp.mean(h), jnp.var(h))

    start, keys = jr.split(key)
    h = config.mean + jnp.sqrt(config.variance) * jr.normal(start, (config.batch, config.width))
    return jax.lax.scan(layer, h, jr.split(keys, config.depth))[1]


def _map(power: jax.Array) -> jax.Array:
    """Mean and variance after a layer whose sums have the given variance."""
    moments = jaxacts.moments
    return jnp.stack([moments.mean(jaxacts.selu, power), moments.variance(jaxacts.selu, power)])


def run(config: Config) -> Results:
    """Evaluate the map, then simulate."""
    with common.double():
        one = jnp.asarray(1.0)
        mean, variance = _map(one)
        # Weights that sum to zero hide the incoming mean: the Jacobian's first column is zero, and its norm
        # is the length of the second, the derivative with respect to the incoming variance.
        norm = float(jnp.linalg.norm(jax.jit(jax.jacfwd(_map))(one)))
        fixed = np.array([float(mean), float(variance + mean**2)])
        path, power = [], config.variance + config.mean**2
        for _ in range(config.depth):
            # Random weights do not sum to zero exactly: the incoming mean joins the variance of the sums.
            mean, variance = (float(value) for value in _map(jnp.asarray(power)))
            path.append(variance)
            power = variance + mean**2
    means, variances = [], []
    for index in range(len(NAMES)):
        runs = [_simulated(config, jnp.int32(index), jr.key(seed)) for seed in range(config.seeds)]
        means.append([np.asarray(mean) for mean, _ in runs])
        variances.append([np.asarray(variance) for _, variance in runs])
    return Results(fixed, norm, list(NAMES), np.array(means), np.array(variances), np.array(path))


def plot(results: Results):
    """Mean and variance by layer."""
    figure, (left, right) = common.axes(columns=2)
    layers = np.arange(1, results.mean.shape[2] + 1)
    for axis, values in ((left, results.mean), (right, results.variance)):
        for n, name in enumerate(results.names):
            centre, half = common.interval(values[n])
            axis.plot(layers, centre, color=common.COLOURS[n], label=name)
            axis.fill_between(layers, centre - half, centre + half, color=common.COLOURS[n], alpha=0.2, lw=0)
        axis.set(xlabel="layer")
    right.plot(layers, results.predicted, "k--", lw=1, label="selu, by the map")
    left.set(ylabel="mean of the activations")
    left.set_title("Mean")
    right.set(ylabel="variance of the activations", yscale="log", ylim=(1e-4, 5))
    right.set_title("Variance")
    right.legend()
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """The fixed point, the norm, and where the networks ended."""
    mean, variance = results.mean[0].mean(0)[-1], results.variance[0].mean(0)[-1]
    half = results.variance.shape[2] // 2
    late = results.variance[0].mean(0)[half:]
    # A network's variance fluctuates by √(2/n) a layer, damped by 0.78: 0.1 at width 512; five networks halve
    # that.
    checks = [
        common.Check("E selu(z)", results.fixed[0], -1e-9, 1e-9),
        common.Check("E selu(z)²", results.fixed[1], 1 - 1e-9, 1 + 1e-9),
        common.Check("spectral norm of the map's Jacobian", results.norm, 0.78765, 0.78775),
        common.Check("mean of the last selu layer", mean, -0.1, 0.1),
        common.Check("variance of the last selu layer", variance, 0.85, 1.15),
        common.Check(
            "largest distance from variance 1 over the second half", float(np.abs(late - 1).max()), 0, 0.2
        ),
    ]
    answer = (
        f"The moment map of SELU fixes ({results.fixed[0]:.0e}, {results.fixed[1]:.9f}) with spectral norm "
        f"{results.norm:.4f} (published 0.7877); after {results.mean.shape[2]} layers of noise with the "
        f"wrong mean and "
        f"variance SELU is at ({mean:.3f}, {variance:.3f}), while the variance is "
        f"{results.variance[1].mean(0)[-1]:.1e} with ReLU and {results.variance[2].mean(0)[-1]:.1e} with "
        f"tanh."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"depth": 4, "width": 32, "batch": 4, "seeds": 2}
    full = {"depth": 200, "width": 4096, "seeds": 20}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
