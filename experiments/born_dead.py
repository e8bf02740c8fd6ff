"""How often is a narrow ReLU network dead before training begins?

Lu et al. (2019): with symmetric weights and no biases a hidden layer of width N outputs zeros for a given
input with probability 2^-N, so that of networks with H hidden layers a share 1 - (1 - 2^-N)^H is dead at that
input; dead for all (one-dimensional) inputs is a share between published bounds. Networks of width 2 with ten
hidden layers, trained on |x|, mostly collapse to a constant or to half of the function.

    python -m experiments.born_dead

Expect: simulated shares on the law and between the bounds, within sampling error; most trained networks
collapsed.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax

import jaxacts
from experiments import _common as common


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    widths: tuple[int, ...] = (2, 3, 4, 6)
    hidden: int = 20  # most hidden layers
    networks: int = 200_000  # random networks for each width
    trained: int = 200  # networks of width 2 trained on |x|
    layers: int = 10  # their hidden layers
    steps: int = 3000  # Adam steps
    learning_rate: float = 0.003
    points: int = 64


class Results(NamedTuple):
    """Shares of dead networks by number of hidden layers, and what training made of |x|."""

    widths: np.ndarray
    one_input: np.ndarray  # (width, hidden)
    all_inputs: np.ndarray  # (width, hidden)
    networks: int
    errors: np.ndarray  # (trained,) mean squared error, relative to the variance of |x|
    spread: np.ndarray  # (trained,) standard deviation of the output, relative to that of |x|


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _dead(key: jax.Array, width: int, hidden: int, networks: int) -> tuple[jax.Array, jax.Array]:
    first, rest = jr.split(key)
    # A one-dimensional input without biases: everything is decided at x = 1 and x = -1.
    start = jaxacts.relu(jr.normal(first, (networks, 1, width)) * jnp.array([1.0, -1.0])[None, :, None])

    def layer(h: jax.Array, key: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        alive = jnp.any(h > 0, axis=2)
        w = jr.normal(key, (networks, width, width))
        z = jaxacts.relu(jnp.einsum("nsi,nij->nsj", h, w))
        # Scale does not matter to a homogeneous network: keep both signs on one, away from underflow.
        z = z / jnp.maximum(jnp.max(z, axis=(1, 2), keepdims=True), 1e-30)
        return z, (jnp.mean(~alive[:, 0]), jnp.mean(~jnp.any(alive, axis=1)))

    _, shares = jax.lax.scan(layer, start, jr.split(rest, hidden))
    return shares


def law(width: int, hidden: np.ndarray) -> np.ndarray:
    """Share dead at one input."""
    return 1 - (1 - 2.0**-width) ** hidden


def lower_bound(width: int, hidden: np.ndarray) -> np.ndarray:
    """Published lower bound on the share dead at all inputs (one-dimensional); the upper one is the law."""
    half = 2.0**-width
    a1, a2 = 1 - half, 1 - 2 * half - (width - 1) * half**2
    factor = (1 - 2 * half) * (1 - half) / (1 + (width - 1) * half)
    layers = hidden - 1
    return 1 - a1**layers + factor * (a2**layers - a1**layers)


@functools.partial(jax.jit, static_argnums=0)
def _train(config: Config, keys: jax.Array) -> tuple[jax.Array, jax.Array]:
    x = jnp.linspace(-(3**0.5), 3**0.5, config.points)[:, None]
    y = jnp.abs(x[:, 0])
    sizes = [1, *[2] * config.layers, 1]
    optimiser = optax.adam(config.learning_rate)
    draw = jaxacts.initializers.he(distribution="normal")

    def forward(params, x):
        *hidden, last = params
        for w, b in hidden:
            x = jaxacts.relu(x @ w + b[None, :])
        return (x @ last[0])[:, 0] + last[1][0]

    def step(state, _):
        params, memory = state
        gradient = jax.grad(lambda params: jnp.mean((forward(params, x) - y) ** 2))(params)
        updates, memory = optimiser.update(gradient, memory)
        return (optax.apply_updates(params, updates), memory), None

    def one(key):
        pairs = zip(jr.split(key, len(sizes) - 1), sizes[:-1], sizes[1:], strict=True)
        params = [(draw(k, (a, b), jnp.float32), jnp.zeros(b)) for k, a, b in pairs]
        (params, _), _ = jax.lax.scan(step, (params, optimiser.init(params)), length=config.steps)
        out = forward(params, x)
        return jnp.mean((out - y) ** 2) / jnp.var(y), jnp.std(out) / jnp.std(y)

    return jax.vmap(one)(keys)


def run(config: Config) -> Results:
    """Count dead networks, then train narrow ones."""
    one, every = [], []
    for n, width in enumerate(config.widths):
        # The last layer's share is read before the next one is drawn, hence one more.
        shares = _dead(jr.fold_in(jr.key(0), n), width, config.hidden, config.networks)
        one.append(np.asarray(shares[0], dtype=float))
        every.append(np.asarray(shares[1], dtype=float))
    errors, spread = _train(config, jr.split(jr.key(1), config.trained))
    widths = np.array(config.widths)
    return Results(
        widths, np.stack(one), np.stack(every), config.networks, np.asarray(errors), np.asarray(spread)
    )


def plot(results: Results):
    """Simulated shares with law and bounds; what the trained networks reached."""
    figure, (left, right) = common.axes(columns=2)
    hidden = np.arange(1, results.one_input.shape[1] + 1)
    for n, width in enumerate(results.widths):
        colour = common.COLOURS[n]
        left.plot(
            hidden, results.one_input[n], "o", ms=4, color=colour, label=f"width {width:.0f}, one input"
        )
        left.plot(hidden, results.all_inputs[n], "x", ms=4, color=colour)
        left.plot(hidden, law(width, hidden), color=colour, lw=1)
        left.fill_between(
            hidden, lower_bound(width, hidden), law(width, hidden), color=colour, alpha=0.12, lw=0
        )
    left.set(xlabel="hidden layers", ylabel="share of networks born dead", xticks=range(0, hidden[-1] + 1, 4))
    left.set_title("Dots: dead at one input, on the law\ncrosses: at all inputs, between the bounds")
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    counts, edges = np.histogram(np.clip(results.errors, 0, 1.2), bins=24, range=(0, 1.2))
    right.bar(edges[:-1], counts, width=np.diff(edges), align="edge")
    right.axvline(0.1, color="0.3", lw=0.8, ls="--")
    right.set(xlabel="error, 1 for the best constant", ylabel="networks", yscale="symlog")
    right.set_title(f"Width 2, trained on |x|:\n{len(results.errors)} networks, right of the line collapsed")
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Sampling error of the shares, and the collapsed networks."""
    hidden = np.arange(1, results.one_input.shape[1] + 1)
    worst, below, above = 0.0, 0.0, 0.0
    for n, width in enumerate(results.widths):
        p = law(width, hidden)
        deviation = np.sqrt(p * (1 - p) / results.networks)
        worst = max(worst, np.abs((results.one_input[n] - p) / deviation).max())
        low = lower_bound(width, hidden)
        share = results.all_inputs[n]
        error = np.sqrt(np.maximum(share * (1 - share), 1 / results.networks) / results.networks)
        below = max(below, ((low - share) / error).max())
        above = max(above, ((share - p) / error).max())
    constant = np.mean(results.spread < 0.05)
    collapsed = np.mean(results.errors > 0.1)
    checks = [
        # The largest of some eighty correlated normal deviates
        common.Check(
            "share dead at one input: largest distance from the law, in standard errors", worst, 0, 4.5
        ),
        common.Check("share dead at all inputs: standard errors below the lower bound", below, high=4.5),
        common.Check("share dead at all inputs: standard errors above the upper bound", above, high=4.5),
        common.Check("share of trained width-2 networks that collapsed", float(collapsed), low=0.5),
    ]
    answer = (
        f"Networks of width {results.widths[0]:.0f} with {hidden[-1]} hidden layers are born dead at one "
        f"input in "
        f"{results.one_input[0, -1]:.4f} of cases (law {law(results.widths[0], hidden[-1:])[0]:.4f}), and "
        f"of those "
        f"trained on |x| {collapsed:.0%} collapsed, {constant:.0%} to a constant."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {
        "widths": (2,),
        "hidden": 4,
        "networks": 500,
        "trained": 4,
        "steps": 10,
        "points": 8,
        "layers": 3,
    }
    full = {"networks": 10_000_000, "trained": 10_000, "steps": 20_000}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
