"""Does depth buy anything without an activation?

A stack of linear layers is one linear map, so a deep linear network can separate nothing that one layer
cannot. Both halves are measured on XOR-like data: the trained stack against the product of its matrices, and
its accuracy against the best that any straight line can do.

    python -m experiments.linear_collapse

Expect: stack and product agree to rounding; linear networks of every depth stay at or below the best line
(about 0.55 to 0.6 on this data), while two layers with tanh or ReLU pass 0.95.
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

    depths: tuple[int, ...] = (2, 4, 8)  # layers of weights
    width: int = 16  # hidden units
    points: int = 256  # training points
    steps: int = 600  # full-batch Adam steps
    learning_rate: float = 0.01
    seeds: int = 5


class Results(NamedTuple):
    """Accuracy of trained networks, and how linear the linear ones are."""

    depths: np.ndarray
    accuracy: np.ndarray  # (activation, depth, seed), on the training points: what can be represented at all
    best_line: float
    deviation: np.ndarray  # (depth, seed) |stack - product| / |stack|, largest over the points


NAMES = ("identity", "tanh", "relu")


def data(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Points in the square, labelled by the sign of the product of their coordinates."""
    x = np.random.default_rng(0).uniform(-1, 1, (points, 2))
    return x.astype(np.float32), (x[:, 0] * x[:, 1] > 0).astype(np.float32)


def best_line(x: np.ndarray, y: np.ndarray) -> float:
    """The largest accuracy of a line: every threshold, 3600 directions."""
    best = 0.0
    for angle in np.linspace(0, np.pi, 3600, endpoint=False):
        order = np.argsort(x @ np.array([np.cos(angle), np.sin(angle)]))
        right = np.append(0, np.cumsum(2 * y[order] - 1))  # positives minus negatives below each threshold
        score = (len(y) - y.sum() + right) / len(y)  # right when "below" is called positive
        best = max(best, score.max(), (1 - score).max())
    return float(best)


class Params(NamedTuple):
    """Weights and biases; hidden layers are stacked to the largest depth, and a network uses the first."""

    first: tuple[jax.Array, jax.Array]
    hidden: tuple[jax.Array, jax.Array]
    last: tuple[jax.Array, jax.Array]


def forward(params: Params, f, depth, x: jax.Array) -> jax.Array:
    """A multilayer perceptron of `depth` layers of weights, one logit."""

    def layer(state, weights):
        h, number = state
        w, b = weights
        return (jnp.where(number < depth - 2, f(h @ w + b[None, :]), h), number + 1), None

    h = f(x @ params.first[0] + params.first[1][None, :])
    (h, _), _ = jax.lax.scan(layer, (h, 0), params.hidden)
    return (h @ params.last[0])[:, 0] + params.last[1][0]


def _drawn(config: Config, key: jax.Array) -> Params:
    draw = jaxacts.initializers.lecun(distribution="normal")
    width, deepest = config.width, max(config.depths)
    a, b, c = jr.split(key, 3)
    stack = jax.vmap(lambda k: draw(k, (width, width), jnp.float32))(jr.split(b, deepest - 1)[1:])
    return Params(
        (draw(a, (2, width), jnp.float32), jnp.zeros(width)),
        (stack, jnp.zeros((deepest - 2, width))),
        (draw(c, (width, 1), jnp.float32), jnp.zeros(1)),
    )


@functools.partial(jax.jit, static_argnums=0)
def _train(
    config: Config, activation: jax.Array, depth: jax.Array, x: jax.Array, y: jax.Array, keys: jax.Array
):
    """All seeds of one activation and depth; one program serves them all."""
    optimiser = optax.adam(config.learning_rate)
    f = functools.partial(jax.lax.switch, activation, [getattr(jaxacts, name) for name in NAMES])

    def loss(params):
        return optax.sigmoid_binary_cross_entropy(forward(params, f, depth, x), y).mean()

    def step(state, _):
        params, memory = state
        updates, memory = optimiser.update(jax.grad(loss)(params), memory)
        return (optax.apply_updates(params, updates), memory), None

    def one(key):
        params = _drawn(config, key)
        (params, _), _ = jax.lax.scan(step, (params, optimiser.init(params)), length=config.steps)
        logits = forward(params, f, depth, x)
        return params, logits, jnp.mean((logits > 0) == (y > 0.5))

    return jax.vmap(one)(keys)


def run(config: Config) -> Results:
    """Train every activation at every depth, all seeds at once."""
    x, y = data(config.points)
    keys = jr.split(jr.key(0), config.seeds)
    accuracy = np.zeros((len(NAMES), len(config.depths), config.seeds))
    deviation = np.zeros((len(config.depths), config.seeds))
    for i, name in enumerate(NAMES):
        for j, depth in enumerate(config.depths):
            setting = (jnp.int32(i), jnp.int32(depth))
            params, logits, accuracy[i, j] = _train(config, *setting, jnp.asarray(x), jnp.asarray(y), keys)
            if name == "identity":
                params, logits = jax.tree.map(np.asarray, (params, logits))
                for seed in range(config.seeds):
                    one = jax.tree.map(lambda leaf, seed=seed: leaf[seed].astype(float), params)
                    product = _product(one, depth, x)
                    deviation[j, seed] = np.abs(logits[seed] - product).max() / np.abs(product).max()
    return Results(np.array(config.depths), accuracy, best_line(x, y), deviation)


def _product(params: Params, depth: int, x: np.ndarray) -> np.ndarray:
    """The same network as one matrix and one offset, multiplied out in float64."""
    matrix, offset = params.first
    for w, b in zip(params.hidden[0][: depth - 2], params.hidden[1][: depth - 2], strict=True):
        matrix, offset = matrix @ w, offset @ w + b
    return (x @ (matrix @ params.last[0]) + offset @ params.last[0] + params.last[1])[:, 0]


def plot(results: Results):
    """Accuracy by depth."""
    figure, (axis,) = common.axes(width=5.6)
    for n, name in enumerate(NAMES):
        centre, half = common.interval(results.accuracy[n], axis=1)
        label = "no activation" if name == "identity" else name
        axis.errorbar(
            results.depths, centre, half, marker="o", capsize=3, color=common.COLOURS[n], label=label
        )
    axis.axhline(results.best_line, color="0.3", ls="--", lw=1, label="best straight line")
    axis.axhline(0.5, color="0.7", lw=0.8)
    axis.set(xlabel="layers", ylabel="accuracy on XOR-like points", ylim=(0.45, 1.02))
    axis.set_xticks(results.depths)
    axis.set_title("Depth without activation stays a straight line")
    axis.legend(loc="center", bbox_to_anchor=(0.75, 0.68))
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Linear below the best line, nonlinear above 0.95."""
    linear, *others = results.accuracy
    # Float32 products of up to eight matrices: some hundred roundings of 6e-8.
    checks = [
        common.Check("stack against the product of its matrices", float(results.deviation.max()), high=1e-4),
        common.Check(
            "best linear network, any depth and seed", float(linear.max()), high=results.best_line + 1e-9
        ),
    ]
    for name, found in zip(NAMES[1:], others, strict=True):
        checks.append(
            common.Check(f"mean accuracy with {name}, worst depth", float(found.mean(1).min()), low=0.95)
        )
    answer = (
        f"Without an activation the best of all depths up to {results.depths.max():.0f} reaches "
        f"{linear.max():.3f}, "
        f"the best straight line {results.best_line:.3f}; with tanh or ReLU every depth reaches "
        f"{others[0].mean(1).min():.3f} and {others[1].mean(1).min():.3f} on average; the linear stack "
        f"equals one "
        f"matrix to {results.deviation.max():.0e}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"depths": (2, 3), "points": 32, "steps": 20, "seeds": 2}
    full = {"depths": (2, 4, 8, 16, 32), "points": 4096, "steps": 5000, "seeds": 20}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
