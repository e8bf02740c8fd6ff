"""Diagnostics against direct computation in numpy."""

import functools
import itertools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts import diagnostics

RNG = np.random.default_rng(1)
statistics = jax.jit(diagnostics.statistics)
units = jax.jit(diagnostics.units, static_argnums=0, static_argnames="axis")


def test_statistics():
    x = RNG.normal(size=(7, 5)).astype(np.float32)
    x[0] = 0
    s = statistics(x)
    wide = x.astype(np.float64)
    # sums of 35 float32 numbers
    np.testing.assert_allclose(s.mean, wide.mean(), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(s.std, wide.std(), rtol=1e-6)
    np.testing.assert_allclose(s.rms, np.sqrt((wide**2).mean()), rtol=1e-6)
    assert (s.largest, s.zeros, s.finite) == (np.abs(x).max(), np.float32(5 / 35), 1)


def test_statistics_at_the_edges_of_the_range():
    for size in (1e-30, 1e30):  # whose squares leave float32
        np.testing.assert_allclose(statistics(jnp.array([size, -size])).rms, size, rtol=1e-6)
    assert statistics(jnp.zeros(3)).rms == 0
    bad = statistics(jnp.array([1.0, jnp.nan, jnp.inf, 2.0]))
    assert bad.finite == 0.5
    assert jnp.isnan(bad.mean)
    assert statistics(jnp.full(70_000, 60_000.0, jnp.float16)).rms == 60_000
    with pytest.raises(ValueError, match="x must not be empty"):
        statistics(jnp.zeros((0, 2)))


@pytest.mark.parametrize("f", [jaxacts.relu, jaxacts.sigmoid, jaxacts.gelu, jnp.sin])
def test_units_against_their_definition(f):
    z = (RNG.normal(size=(40, 6)) * np.array([0.1, 1, 3, 1, 1, 1]) + np.array([0, 0, 0, -60, 60, 5])).astype(
        np.float32
    )
    derivative = np.abs(np.asarray(jax.vmap(jax.vmap(jax.grad(f)))(z)))
    grid = np.linspace(-20, 20, 400_001)
    h = 1e-5
    exact = {
        jaxacts.relu: 1.0,
        jaxacts.sigmoid: 0.25,
        jaxacts.gelu: np.abs(np.diff(_gelu(grid + h)) / np.diff(grid)).max(),
        jnp.sin: 1.0,
    }[f]
    result = units(f, z)
    np.testing.assert_array_equal(result.dead, (derivative < 1e-6).all(0))
    np.testing.assert_allclose(result.saturated, (derivative < 0.05 * exact).mean(0), atol=1e-6)
    np.testing.assert_allclose(result.slope, derivative.mean(0), rtol=1e-5, atol=1e-12)  # sums of 40 numbers


def _gelu(x):
    from scipy.special import ndtr

    return x * ndtr(x)


def test_dead_and_saturated_are_different_things():
    z = jnp.full((10, 1), -8.0)
    sigmoid = units(jaxacts.sigmoid, z)  # slope 3e-4: saturated, far from dead
    assert (sigmoid.saturated[0], bool(sigmoid.dead[0])) == (1, False)
    relu = units(jaxacts.relu, z)
    assert (relu.saturated[0], bool(relu.dead[0])) == (1, True)
    leaky = units(jaxacts.get("leaky_relu", negative_slope=0.1), z)  # 10 % of the steepest slope
    assert (leaky.saturated[0], bool(leaky.dead[0])) == (0, False)
    one_alive = units(jaxacts.relu, z.at[3].set(1.0))
    np.testing.assert_allclose(one_alive.saturated, [0.9], rtol=1e-6)
    assert not one_alive.dead[0]


def test_units_along_another_axis_and_with_a_scale():
    z = jnp.asarray(RNG.normal(size=(4, 3, 5)), jnp.float32)
    expected = units(jaxacts.tanh, jnp.moveaxis(z, 1, -1))
    chex.assert_trees_all_close(units(jaxacts.tanh, z, axis=1), expected, rtol=1e-6)
    assert units(jaxacts.tanh, z, scale=1e9).saturated.min() == 1
    with pytest.raises(ValueError, match="axis must name an axis of z"):
        units(jaxacts.tanh, z, axis=3)
    with pytest.raises(ValueError, match="at least one example"):
        units(jaxacts.tanh, jnp.zeros((0, 3)))


def test_steepest():
    assert diagnostics.steepest(jaxacts.get("sigmoid")) == 0.25
    # an unbounded slope is measured over the grid: (x^2)' = 20 at its end
    np.testing.assert_allclose(diagnostics.steepest(jaxacts.squared_relu), 20, rtol=1e-6)
    np.testing.assert_allclose(diagnostics.steepest(lambda x: jnp.sin(3 * x)), 3, rtol=1e-6)


def test_gradient_flow_of_a_network():
    sizes = (4, 6, 1)
    params = [
        {"w": jnp.asarray(RNG.normal(size=(m, n)), jnp.float32), "b": jnp.zeros(n)}
        for m, n in itertools.pairwise(sizes)
    ]
    x = jnp.asarray(RNG.normal(size=(8, 4)), jnp.float32)

    def loss(params, x):
        for layer in params:
            x = jnp.tanh(x @ layer["w"] + layer["b"][None])
        return (x**2).mean()

    flow = jax.jit(functools.partial(diagnostics.gradient_flow, loss))(params, x)
    assert set(flow) == {"[0]['w']", "[0]['b']", "[1]['w']", "[1]['b']"}
    h0 = np.tanh(np.asarray(x, np.float64) @ params[0]["w"])
    y = np.tanh(h0 @ np.asarray(params[1]["w"], np.float64))
    delta = 2 * y / 8 * (1 - y**2)
    by_hand = h0.T @ delta
    # float32 sums of eight products
    np.testing.assert_allclose(flow["[1]['w']"]["gradient"].rms, np.sqrt((by_hand**2).mean()), rtol=1e-5)
    weights = np.sqrt((np.asarray(params[1]["w"], np.float64) ** 2).mean())
    np.testing.assert_allclose(flow["[1]['w']"]["ratio"], np.sqrt((by_hand**2).mean()) / weights, rtol=1e-5)
    assert jnp.isnan(flow["[0]['b']"]["ratio"])


def test_signal_flow_of_linear_stages():
    matrices = [RNG.normal(size=(n, m)) for m, n in ((3, 5), (5, 4), (4, 2))]
    stages = [functools.partial(jnp.matmul, a.astype(np.float32)) for a in matrices]
    x = RNG.normal(size=3)
    flow = jax.jit(lambda x: diagnostics.signal_flow(stages, x, lambda y: (y**2).sum() / 2))(
        x.astype(np.float32)
    )
    signals = [matrices[0] @ x]
    for a in matrices[1:]:
        signals.append(a @ signals[-1])
    gradients = [signals[-1]]
    for a in matrices[:0:-1]:
        gradients.insert(0, a.T @ gradients[0])
    rms = lambda v: np.sqrt((v**2).mean())  # noqa: E731
    # products of three 5x5 float32 matrices
    np.testing.assert_allclose([s.rms for s in flow.signals], [rms(v) for v in signals], rtol=1e-5)
    np.testing.assert_allclose([g.rms for g in flow.gradients], [rms(v) for v in gradients], rtol=1e-5)
    sizes = [rms(v) for v in gradients]
    np.testing.assert_allclose(flow.ratios, [sizes[0] / sizes[1], sizes[1] / sizes[2], 1], rtol=1e-5)
    with pytest.raises(ValueError, match="stages must hold at least one function"):
        diagnostics.signal_flow([], x, jnp.sum)


def test_signal_flow_shows_vanishing_gradients():
    width = 128
    weights = (RNG.normal(size=(5, width, width)) / np.sqrt(width)).astype(np.float32)
    flow = jax.jit(
        lambda x: diagnostics.signal_flow(
            [lambda z, w=w: jaxacts.sigmoid(z @ w) for w in weights], x, lambda y: y.sum()
        )
    )(RNG.normal(size=(64, width)).astype(np.float32))
    # Each layer multiplies the gradient by at most 1/4 in the mean, for weights of unit gain
    assert (flow.ratios[:-1] < 0.3).all()
    assert (flow.ratios[:-1] > 0.15).all()
