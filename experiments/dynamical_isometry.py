"""Which networks keep the singular values of their input-output Jacobian together?

Pennington et al. (2017): for wide networks at the critical point the squared singular values have mean 1 and
variance L (μ2/μ1² - 1 - s1), where μk = E f'^2k, L is the depth, and s1 is -1 for Gaussian and 0 for
orthogonal weights. Orthogonal weights and a tanh that is nearly linear (small biases) come near isometry;
ReLU never does.

    python -m experiments.dynamical_isometry

Expect: measured variances within a tenth of the law; ReLU's is 1 a layer even with orthogonal weights.
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

    width: int = 400
    depths: tuple[int, ...] = (10, 30)
    draws: int = 4  # networks
    sigma_b: float = 0.05  # of the tanh networks; sets how nonlinear they are at the critical point


class Results(NamedTuple):
    """Spread of the squared singular values."""

    labels: list[str]
    depths: np.ndarray
    measured: np.ndarray  # (case, depth, draw) variance over squared mean
    predicted: np.ndarray  # (case, depth)
    values: np.ndarray  # (case, width) singular values of the deepest network, first draw


ACTIVATIONS = (jaxacts.tanh, jaxacts.relu)
CASES = (("tanh", True), ("tanh", False), ("relu", True), ("relu", False))


def _slope(f, x: jax.Array) -> jax.Array:
    return jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _jacobian(orthogonal: bool, depth: int, width: int, index, sigma_w, sigma_b, q, key) -> jax.Array:
    """Product of diag(f'(z)) and W over the layers, at an input whose pre-activations have variance q."""
    init = jaxacts.initializers
    make = init.orthogonal() if orthogonal else init.lecun(distribution="normal")
    f = functools.partial(jax.lax.switch, index, ACTIVATIONS)

    def layer(state, keys):
        z, jacobian = state
        w = make(keys[0], (width, width), jnp.float32) * sigma_w
        slope = _slope(f, z)
        z, jacobian = f(z) @ w + sigma_b * jr.normal(keys[1], (width,)), (jacobian * slope[None, :]) @ w
        # Only the spread matters: the mean is divided out, so that nothing under- or overflows.
        return (z, jacobian / jnp.sqrt(jnp.mean(jacobian**2) * width)), None

    start, keys = jr.split(key)
    z = jnp.sqrt(q) * jr.normal(start, (width,))
    (_, jacobian), _ = jax.lax.scan(layer, (z, jnp.eye(width)), jr.split(keys, (depth, 2)))
    return jacobian


def _spread(values: np.ndarray) -> float:
    square = values.astype(float) ** 2
    return float(square.var() / square.mean() ** 2)


def run(config: Config) -> Results:
    """Singular values of every case and the law's moments."""
    measured = np.zeros((len(CASES), len(config.depths), config.draws))
    expected = np.zeros(measured.shape[:2])
    values = np.zeros((len(CASES), config.width))
    for i, (name, orthogonal) in enumerate(CASES):
        f = getattr(jaxacts, name)
        sigma_b = config.sigma_b if name == "tanh" else 0.0
        point = common.critical_point(f, sigma_b)
        # ReLU's variance is whatever the input's is: every q is critical.
        q = float(point.q) if name == "tanh" else 1.0
        first = float(jaxacts.moments.expectation(lambda x, f=f: _slope(f, x) ** 2, q))
        second = float(jaxacts.moments.expectation(lambda x, f=f: _slope(f, x) ** 4, q))
        for j, depth in enumerate(config.depths):
            expected[i, j] = depth * (second / first**2 - 1 + (0 if orthogonal else 1))
            for draw in range(config.draws):
                scales = (jnp.float32(point.sigma_w), jnp.float32(sigma_b), jnp.float32(q))
                setting = (orthogonal, depth, config.width, jnp.int32(ACTIVATIONS.index(f)))
                jacobian = _jacobian(*setting, *scales, jr.key(100 * i + draw))
                found = np.linalg.svd(np.asarray(jacobian), compute_uv=False)
                measured[i, j, draw] = _spread(found)
                if draw == 0:
                    values[i] = found / np.sqrt(np.mean(found**2))
    labels = [f"{name}, {'orthogonal' if orthogonal else 'Gaussian'}" for name, orthogonal in CASES]
    return Results(labels, np.array(config.depths), measured, expected, values)


def plot(results: Results):
    """Singular values in order, and their spread against the law."""
    figure, (left, right) = common.axes(columns=2)
    rank = np.linspace(0, 1, results.values.shape[1])
    for n, label in enumerate(results.labels):
        colour = common.COLOURS[n]
        left.plot(rank, np.maximum(results.values[n], 1e-6), color=colour, label=label)
        centre, half = common.interval(results.measured[n], axis=1)
        right.errorbar(results.depths, centre, half, fmt="o", capsize=3, color=colour, label=label)
        right.plot(results.depths, results.predicted[n], color=colour, lw=1)
    left.set(yscale="log", ylim=(1e-5, 20), xlabel="rank", ylabel="singular value, root mean square 1")
    left.set_title(f"Singular values at depth {results.depths[-1]:.0f}")
    left.legend()
    right.set(yscale="log", xlabel="layers", ylabel="variance of the squares / squared mean")
    right.set_xticks(results.depths)
    right.set_title("Spread: measured (points), law (lines)")
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Every spread within a tenth of the law."""
    ratio = results.measured.mean(2) / results.predicted
    checks = [
        common.Check(f"spread over the law, {label}, {depth:.0f} layers", ratio[i, j], 0.9, 1.1)
        for i, label in enumerate(results.labels)
        for j, depth in enumerate(results.depths)
    ]
    spread = results.measured.mean(2)[:, -1]
    answer = (
        f"At {results.depths[-1]:.0f} layers the squared singular values spread by {spread[0]:.2f} (tanh, "
        f"orthogonal), "
        f"{spread[1]:.1f} (tanh, Gaussian), {spread[2]:.1f} (ReLU, orthogonal) and {spread[3]:.1f} (ReLU, "
        f"Gaussian) "
        f"where the law says {results.predicted[0, -1]:.2f}, {results.predicted[1, -1]:.1f}, "
        f"{results.predicted[2, -1]:.1f} and {results.predicted[3, -1]:.1f}: only tanh comes near isometry."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"width": 24, "depths": (3,), "draws": 2}
    full = {"width": 2000, "depths": (10, 30, 100), "draws": 20}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
