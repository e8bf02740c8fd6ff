"""Kernels of wide networks against the closed forms of Cho & Saul and Williams, and against autodiff."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts import meanfield

DEPTH, SIGMA_W, SIGMA_B = 3, 1.4, 0.2


def layered(x1, x2, pair, slopes):
    """NNGP and NTK by the closed forms of one layer, in NumPy."""
    weight, bias = SIGMA_W**2, SIGMA_B**2
    cross = weight * x1 @ x2.T / x1.shape[1] + bias
    own = [weight * (x * x).mean(1) + bias for x in (x1, x2)]
    tangent = cross
    for _ in range(DEPTH):
        q1, q2 = own[0][:, None], own[1][None, :]
        value, slope = pair(q1, q2, cross), slopes(q1, q2, cross)
        own = [weight * pair(q, q, q) + bias for q in own]
        cross = weight * value + bias
        tangent = cross + weight * slope * tangent
    return cross, tangent


def relu_pair(q1, q2, k):
    c = np.clip(k / np.sqrt(q1 * q2), -1, 1)
    return np.sqrt(q1 * q2) * (np.sqrt(1 - c * c) + c * (math.pi - np.arccos(c))) / (2 * math.pi)


def relu_slopes(q1, q2, k):
    return (math.pi - np.arccos(np.clip(k / np.sqrt(q1 * q2), -1, 1))) / (2 * math.pi)


def erf_pair(q1, q2, k):
    return 2 / math.pi * np.arcsin(2 * k / np.sqrt((1 + 2 * q1) * (1 + 2 * q2)))


def erf_slopes(q1, q2, k):
    return 4 / math.pi / np.sqrt((1 + 2 * q1) * (1 + 2 * q2) - 4 * k * k)


CLOSED = {"relu": (jaxacts.relu, relu_pair, relu_slopes), "erf": (jax.lax.erf, erf_pair, erf_slopes)}


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms(name, x64):
    f, pair, slopes = CLOSED[name]
    rng = np.random.default_rng(1)
    x1, x2 = rng.standard_normal((3, 5)), rng.standard_normal((2, 5))
    x2[1] = -x1[0]  # a correlation of exactly -1 before the biases
    nngp, ntk = layered(x1, x2, pair, slopes)
    found = meanfield.kernels(f, x1, x2, depth=DEPTH, sigma_w=SIGMA_W, sigma_b=SIGMA_B)
    np.testing.assert_allclose(found.nngp, nngp, rtol=1e-10)
    np.testing.assert_allclose(found.ntk, ntk, rtol=1e-10)


def test_the_diagonal_has_correlation_one(x64):
    x = np.random.default_rng(0).standard_normal((3, 4))
    found = meanfield.kernels(jaxacts.relu, x, depth=4, sigma_w=2**0.5)
    # He's weights keep E z²; the tangent kernel adds one such term a layer
    own = 2 * np.mean(x**2, axis=1)
    np.testing.assert_allclose(np.diag(found.nngp), own, rtol=1e-9)
    np.testing.assert_allclose(
        np.diag(found.ntk), 5 * own, rtol=1e-7
    )  # clipping at c = 1 costs √eps in E f'f'
    np.testing.assert_allclose(found.nngp, np.asarray(found.nngp).T, rtol=1e-10)


def test_a_wide_network_has_these_kernels():
    """One network of width 4000: its empirical tangent kernel by autodiff."""
    width, rng = 4000, np.random.default_rng(1)
    draw = lambda *shape: jnp.asarray(rng.standard_normal(shape), jnp.float32)  # noqa: E731
    x = draw(2, 6)
    weights, biases = [draw(6, width), draw(width, 1)], [draw(width), jnp.zeros(1)]

    def network(parameters, x):
        weights, biases = parameters
        h = x
        for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
            h = jaxacts.gelu(h) if layer else h
            h = SIGMA_W / w.shape[0] ** 0.5 * (h @ w) + SIGMA_B * b
        return h[0]

    jacobian = jax.jit(jax.vmap(jax.grad(network), (None, 0)))((weights, biases), x)
    flat = jnp.concatenate([leaf.reshape(2, -1) for leaf in jax.tree.leaves(jacobian)], axis=1)
    found = meanfield.ntk(jaxacts.gelu, x, depth=1, sigma_w=SIGMA_W, sigma_b=SIGMA_B)
    # entries are means over 4000 units of numbers of order 1: 1/√4000 = 1.6 %, three of which are allowed
    np.testing.assert_allclose(flat @ flat.T, found, rtol=0.05, atol=0.05)


def test_bad_arguments():
    with pytest.raises(
        ValueError, match=r"x1 and x2 must be matrices with equal columns, were \(3,\) and \(3,\)"
    ):
        meanfield.nngp(jaxacts.relu, jnp.ones(3), depth=1, sigma_w=1.0)
    with pytest.raises(ValueError, match="depth must not be negative, was -2"):
        meanfield.ntk(jaxacts.relu, jnp.ones((2, 3)), depth=-2, sigma_w=1.0)
