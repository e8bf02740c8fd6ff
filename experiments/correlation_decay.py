"""How fast do two inputs become the same on the edge of chaos, and does smoothness matter?

Hayou et al. (2019): at the critical point the correlation c_l of two inputs approaches 1 like 1/l² with ReLU
and only like 1/l with smooth activations. The correlation map C is iterated and compared with its expansion
at 1: for ReLU l² (1 - c_l) tends to 9π²/2, for a smooth f it is l (1 - c_l) that tends to 2/C''(1), C''(1) =
sigma_w² q E f''².

    python -m experiments.correlation_decay

Expect: ReLU on 9π²/2 = 44.4 within a percent after 10⁵ layers; tanh and GELU decay like 1/l at the
predicted rate.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxacts
from experiments import _common as common


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings."""

    relu_layers: int = 100_000
    layers: int = 300  # of the smooth activations, whose map is an integral
    start: float = 0.2  # correlation of the inputs
    # Biases that give each smooth activation a critical point with a variance worth having.
    sigma_b: tuple[tuple[str, float], ...] = (("tanh", 0.3), ("gelu", 0.3))


class Results(NamedTuple):
    """1 - c by layer, and the expansion's coefficient."""

    relu_layer: np.ndarray
    relu: np.ndarray
    names: list[str]
    smooth: np.ndarray  # (activation, layer)
    rate: np.ndarray  # (activation,) C''(1) / 2, the predicted growth of 1 / (1 - c) a layer
    map_error: float  # relu's closed form against the quadrature of jaxacts.moments.dual


def relu_map(gap: float) -> float:
    """1 - correlation after a ReLU layer from that before it (arc-cosine kernel), accurate for tiny gaps.

    With c = cos t the new gap is (1 - cos t) - (sin t - t cos t) / pi; written with c, rounding in √(1 - c²)
    would swamp the change from one layer to the next after some thousand layers.
    """
    t = 2 * math.asin(math.sqrt(gap / 2))
    # The difference loses 1/t² digits; below 0.05 two terms of its series are good to 1e-11.
    bend = math.sin(t) - t * math.cos(t) if t > 0.05 else t**3 / 3 - t**5 / 30 + t**7 / 840
    return gap - bend / math.pi


def run(config: Config) -> Results:
    """Iterate the maps in double precision."""
    keep = np.unique(np.geomspace(1, config.relu_layers, 200).astype(int))
    gap, relu = 1 - config.start, []
    for layer in range(1, config.relu_layers + 1):
        gap = relu_map(gap)
        if layer == keep[len(relu)]:
            relu.append(gap)
    with common.double():
        grid = np.linspace(-0.9, 0.99, 8)
        # E relu(u) relu(v) is 1/2 at c = 1.
        dual = [2 * float(jaxacts.moments.dual(jaxacts.relu, 1.0, 1.0, c)) for c in grid]
        error = float(np.abs(1 - np.array(dual) - [relu_map(1 - c) for c in grid]).max())
        smooth, rates = [], []
        for name, sigma_b in config.sigma_b:
            path, rate = _smooth(getattr(jaxacts, name), sigma_b, config)
            smooth.append(path)
            rates.append(rate)
    names = [name for name, _ in config.sigma_b]
    return Results(keep.astype(float), np.array(relu), names, np.array(smooth), np.array(rates), error)


def _smooth(f, sigma_b: float, config: Config) -> tuple[np.ndarray, float]:
    point = common.critical_point(f, sigma_b)
    sigma_w, q = float(point.sigma_w), float(point.q)

    @jax.jit
    def iterated(c):
        def layer(c, _):
            c = (sigma_w**2 * jaxacts.moments.dual(f, q, q, c) + sigma_b**2) / q
            return jnp.minimum(c, 1.0), c

        return jax.lax.scan(layer, c, length=config.layers)[1]

    second = jaxacts.moments.expectation(lambda x: _bend(f, x) ** 2, q)
    return 1 - np.asarray(iterated(jnp.asarray(config.start))), 0.5 * sigma_w**2 * q * float(second)


def _bend(f, x):
    one = jnp.ones_like(x)
    return jax.jvp(lambda x: jax.jvp(f, (x,), (one,))[1], (x,), (one,))[1]


def plot(results: Results):
    """1 - c by layer on logarithmic axes, with the predicted asymptotes."""
    figure, (axis,) = common.axes(width=6.0, height=4.2)
    axis.plot(results.relu_layer, results.relu, color=common.COLOURS[0], label="ReLU")
    layer = results.relu_layer[results.relu_layer >= 30]
    axis.plot(layer, 4.5 * math.pi**2 / layer**2, "k--", lw=1, label="9π²/(2l²) and 2/(C''(1) l)")
    for n, name in enumerate(results.names):
        layers = np.arange(1, results.smooth.shape[1] + 1)
        axis.plot(layers, results.smooth[n], color=common.COLOURS[n + 1], label=name)
        axis.plot(layers[20:], 1 / (results.rate[n] * layers[20:]), "k--", lw=1)
    axis.set(xscale="log", yscale="log", xlabel="layer l", ylabel="1 - correlation")
    axis.set_title("On the edge of chaos: smooth 1/l, ReLU 1/l²")
    axis.legend()
    return figure


def judge(results: Results) -> tuple[str, list[common.Check]]:
    """Limits and exponents."""
    limit = 4.5 * math.pi**2
    last, gap = results.relu_layer[-1], results.relu[-1]
    found = last**2 * gap
    checks = [
        common.Check("ReLU's map, closed form against quadrature", results.map_error, high=1e-9),
        common.Check(f"ReLU: l² (1 - c) at layer {last:.0f}", found, 0.99 * limit, 1.01 * limit),
    ]
    layers = results.smooth.shape[1]
    measured = []
    for n, name in enumerate(results.names):
        inverse = 1 / results.smooth[n]
        # The growth over the second half: the start and the logarithm in the next order drop out.
        growth = (inverse[-1] - inverse[layers // 2]) / (layers - 1 - layers // 2)
        measured.append(growth)
        what = f"{name}: growth of 1/(1 - c) per layer over C''(1)/2"
        checks.append(common.Check(what, growth / results.rate[n], 0.95, 1.05))
    pairs = zip(results.names, measured, results.rate, strict=True)
    rates = ", ".join(f"{growth:.4f} with {name} (predicted {rate:.4f})" for name, growth, rate in pairs)
    answer = (
        f"With ReLU l² (1 - c) is {found:.2f} after {last:.0f} layers (limit {limit:.2f}); with smooth "
        f"activations "
        f"1/(1 - c) grows linearly, per layer by {rates}."
    )
    return answer, checks


def main(argv: list[str] | None = None) -> int:
    """Run from the command line."""
    smoke = {"relu_layers": 300, "layers": 4, "sigma_b": (("tanh", 0.05),)}
    full = {"relu_layers": 3_000_000, "layers": 3000}
    return common.main(__name__, __doc__, Config(), run, plot, judge, smoke=smoke, full=full, argv=argv)


if __name__ == "__main__":
    raise SystemExit(main())
