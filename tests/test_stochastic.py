"""Stochastic activations: distribution, evaluation mode, gradients."""

import functools
import inspect

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy import special, stats

from jaxacts.activations import _stochastic

# compiled whole: operation by operation each of them compiles dozens of small programs
rrelu = jax.jit(_stochastic.rrelu, static_argnums=(2, 3))
noisy_relu = jax.jit(_stochastic.noisy_relu)
gumbel_softmax = jax.jit(_stochastic.gumbel_softmax, static_argnames=("tau", "hard", "axis"))
N = 20_000
key_of = functools.partial(jr.key, impl="rbg")  # whose draws compile in a fraction of the time
X = jnp.linspace(-6, 6, 25)


@pytest.mark.parametrize("f", [rrelu, noisy_relu, gumbel_softmax])
def test_key_is_explicit_and_decides(f):
    assert inspect.signature(f).parameters["key"].default is inspect.Parameter.empty
    same, again, other = f(X, key_of(0)), f(X, key_of(0)), f(X, key_of(1))
    np.testing.assert_array_equal(same, again)
    assert (same != other).any()
    np.testing.assert_array_equal(f(X, None), f(X, None))
    for dtype in (jnp.float16, jnp.bfloat16):
        assert f(X.astype(dtype), key_of(0)).dtype == dtype


def test_rrelu_slopes_are_uniform():
    slope = -rrelu(-jnp.ones(N), key_of(2))
    # Kolmogorov-Smirnov at a fixed seed: p uniform under the claim, so 0.01 is a fair bar for one draw
    assert stats.kstest(slope, stats.uniform(1 / 8, 1 / 3 - 1 / 8).cdf).pvalue > 0.01
    np.testing.assert_array_equal(rrelu(jnp.ones(5), key_of(2)), jnp.ones(5))
    np.testing.assert_array_equal(rrelu(jnp.array([-2.0, 0.0, 3.0]), None), jnp.array([-2 * 11 / 48, 0, 3]))
    gradient = jax.jit(jax.grad(lambda x: rrelu(x, key_of(2)).sum()))(-jnp.ones(N))
    np.testing.assert_array_equal(gradient, slope)
    assert jax.grad(rrelu)(0.0, None) == jnp.float32(11 / 48)
    assert rrelu(-jnp.inf, None, 0.0, 0.0) == 0.0  # the limit, as for the rectifier
    with pytest.raises(ValueError, match="lower must not exceed upper"):
        rrelu(X, None, 0.5, 0.25)


def test_rrelu_with_traced_bounds():
    x = jnp.array([-1.0, 2.0])
    for key in (None, key_of(2)):
        y, slopes = jax.jit(
            jax.value_and_grad(lambda low, high, key=key: _stochastic.rrelu(x, key, low, high)[0], (0, 1))
        )(0.1, 0.3)
        assert -0.3 <= y <= -0.1
        np.testing.assert_allclose(sum(slopes), -1.0, rtol=1e-6)  # weights of the bounds, two roundings
    np.testing.assert_array_equal(jax.jit(_stochastic.rrelu)(x, None, 0.25, 0.25), [-0.25, 2])


@pytest.mark.parametrize("x", [-1.0, 0.0, 2.0])
def test_noisy_relu_moments(x):
    y = np.asarray(noisy_relu(jnp.full(N, x), key_of(3)), np.float64)
    sd = np.sqrt(special.expit(x))
    mean = x * stats.norm.cdf(x / sd) + sd * stats.norm.pdf(x / sd)  # of max(0, N(x, sd^2))
    second = (x**2 + sd**2) * stats.norm.cdf(x / sd) + x * sd * stats.norm.pdf(x / sd)
    # four standard errors of each mean
    assert abs(y.mean() - mean) < 4 * y.std() / np.sqrt(N)
    assert abs((y**2).mean() - second) < 4 * (y**2).std() / np.sqrt(N)
    assert (y >= 0).all()


def test_noisy_relu_gradient_is_finite_everywhere():
    x = jnp.array([-1e30, -200.0, -50.0, 0.0, 50.0, 1e30])
    assert np.isfinite(jax.jit(jax.grad(lambda x: noisy_relu(x, key_of(0)).sum()))(x)).all()
    np.testing.assert_array_equal(noisy_relu(X, None), np.maximum(X, 0))


def test_gumbel_softmax_draws_from_the_softmax():
    logits = jnp.array([0.5, -1.0, 1.5, -jnp.inf])
    rows = jnp.broadcast_to(logits, (N, 4))
    hard = gumbel_softmax(rows, key_of(4), hard=True)
    assert set(np.unique(hard)) == {0.0, 1.0}
    np.testing.assert_array_equal(hard.sum(-1), 1)
    p = special.softmax(np.asarray(logits, np.float64))
    # four binomial standard errors
    assert (np.abs(np.asarray(hard).mean(0) - p) <= 4 * np.sqrt(p * (1 - p) / N)).all()
    soft = gumbel_softmax(rows[:100], key_of(4), tau=0.5)
    # sums of four float32 numbers
    np.testing.assert_allclose(soft.sum(-1), 1, rtol=5e-7)
    cold = gumbel_softmax(rows[:100], key_of(4), tau=1e-3)
    np.testing.assert_array_equal(jnp.round(cold), gumbel_softmax(rows[:100], key_of(4), tau=1e-3, hard=True))


@pytest.mark.parametrize("tau", [0, -1.0, float("nan")])
def test_gumbel_softmax_needs_a_temperature(tau):
    with pytest.raises(ValueError, match="tau must be positive, was"):
        gumbel_softmax(jnp.zeros(3), None, tau)


def test_gumbel_softmax_straight_through_and_evaluation():
    x, key = jnp.array([[0.3, 1.0, -0.4]]), key_of(5)
    jacobian = {
        hard: jax.jit(jax.jacrev(lambda x, hard=hard: gumbel_softmax(x, key, 0.7, hard)))(x)
        for hard in (True, False)
    }
    np.testing.assert_array_equal(jacobian[True], jacobian[False])
    np.testing.assert_allclose(
        gumbel_softmax(x, None, 0.7), special.softmax(np.asarray(x) / 0.7, -1), rtol=1e-6
    )
    np.testing.assert_array_equal(gumbel_softmax(x, None, hard=True), [[0, 1, 0]])
    np.testing.assert_array_equal(gumbel_softmax(x.T, None, hard=True, axis=0), [[0], [1], [0]])
    where = jnp.array([[True, False, True]])
    np.testing.assert_array_equal(gumbel_softmax(x, None, hard=True, where=where), [[1, 0, 0]])
    np.testing.assert_array_equal(gumbel_softmax(x, key, hard=True, where=jnp.zeros_like(where)), [[0, 0, 0]])


def test_gumbel_softmax_at_the_smallest_temperatures():
    for tau in (1e-30, 1e-38, 1e-45):  # 1/x overflows below 3e-39, and below 1e-38 tau may be taken for 0
        y = gumbel_softmax(jnp.array([0.0, 3.0, 3.0, -jnp.inf]), None, tau)
        np.testing.assert_array_equal(y, [0, 0.5, 0.5, 0])
        one, back = jax.vjp(lambda x, tau=tau: gumbel_softmax(x, None, tau), jnp.array([-1.0, 2.0]))
        np.testing.assert_array_equal(one, [0, 1])
        np.testing.assert_array_equal(back(jnp.ones(2))[0], [0, 0])
    masked = jnp.array([jnp.nan, 1.0, 2.0]), None, 1e-38, False, -1, jnp.array([False, True, True])
    np.testing.assert_array_equal(_stochastic.gumbel_softmax(*masked), [0, 0, 1])


def test_gumbel_softmax_along_no_and_along_several_axes():
    assert gumbel_softmax(jnp.zeros((2, 0)), None, hard=True).shape == (2, 0)
    x = jnp.arange(6.0).reshape(2, 3)
    for axis in ((0, 1), None):
        np.testing.assert_array_equal(gumbel_softmax(x, None, hard=True, axis=axis), [[0, 0, 0], [0, 0, 1]])
        drawn = gumbel_softmax(x, key_of(1), hard=True, axis=axis)
        assert sorted(drawn.ravel().tolist()) == [0, 0, 0, 0, 0, 1]
