"""Gated linear units: the halves, the gate, the derivatives, against formulas in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import jaxacts
from jaxacts.activations._glu import bilinear, geglu, glu, gtu, reglu, seglu, swiglu, swiglu_clamped

SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772  # SELU, arXiv 1706.02515


def _clamped(a, b):
    a, b = np.clip(a, -7, 7), np.minimum(b, 7)
    return (a + 1) * b * special.expit(1.702 * b)


FORMULAS = {
    glu: lambda a, b: a * special.expit(b),
    gtu: lambda a, b: np.tanh(a) * special.expit(b),
    bilinear: lambda a, b: a * b,
    reglu: lambda a, b: a * np.maximum(b, 0),
    geglu: lambda a, b: a * b * special.ndtr(b),
    swiglu: lambda a, b: a * b * special.expit(b),
    seglu: lambda a, b: a * SCALE * np.where(b > 0, b, ALPHA * np.expm1(b)),
    swiglu_clamped: _clamped,
}
X = np.random.default_rng(3).normal(size=(8, 10)).astype(np.float32) * 4


@pytest.mark.parametrize("f", FORMULAS)
def test_every_gate_against_the_formula(f):
    first, second = X[:, :5], X[:, 5:]
    even, odd = X[:, 0::2], X[:, 1::2]
    halves = {"second": (first, second), "first": (second, first), "odd": (even, odd), "even": (odd, even)}
    results = jax.jit(lambda x: {gate: f(x, gate=gate) for gate in halves})(X)
    for gate, (a, b) in halves.items():
        truth = FORMULAS[f](a.astype(np.float64), b.astype(np.float64))
        # 4 ULP of the activation and one product
        np.testing.assert_allclose(results[gate], truth, rtol=6e-7, atol=1e-30, err_msg=gate)


@pytest.mark.parametrize("f", FORMULAS)
def test_gradient_against_differences_of_the_formula(f):
    a, b = X[:, :5].astype(np.float64), X[:, 5:].astype(np.float64)
    h = 1e-6
    to_a = (FORMULAS[f](a + h, b) - FORMULAS[f](a - h, b)) / (2 * h)
    to_b = (FORMULAS[f](a, b + h) - FORMULAS[f](a, b - h)) / (2 * h)
    gradient = jax.jit(jax.grad(lambda x: f(x).sum()))(X)
    # float64 central differences of values up to 100: 100 * 1e-16 / 1e-6 = 1e-8; float32 the rest
    np.testing.assert_allclose(gradient, np.concatenate([to_a, to_b], 1), rtol=2e-6, atol=1e-6)


def test_options():
    x = jnp.asarray(X)
    np.testing.assert_allclose(glu(x), jax.nn.glu(x), rtol=6e-7)  # jax.nn gates with the second half
    half = jnp.concatenate([jnp.ones_like(x), x], -1)
    wide = X.astype(np.float64)
    tanh_form = wide * special.expit(2 * np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3))  # (1 + tanh u) / 2
    # 4 ULP and a product; float32 flushes what lies below its smallest normal number, 1.2e-38
    np.testing.assert_allclose(geglu(half, approximate=True), tanh_form, rtol=1e-6, atol=1.2e-38)
    np.testing.assert_allclose(
        swiglu(half, beta=1.702), X * special.expit(1.702 * X.astype(float)), rtol=1e-6
    )
    np.testing.assert_array_equal(glu(x.T, axis=0), glu(x).T)
    bound = jaxacts.get("swiglu", gate="first")
    assert bound == jaxacts.get("swiglu", gate="first")
    assert hash(bound) == hash(jaxacts.get("swiglu", gate="first"))


def test_clamps_pass_the_gradient_at_the_limit_and_not_beyond():
    slope = jax.grad(lambda x: swiglu_clamped(x).sum())
    at, beyond = slope(jnp.array([7.0, 7.0])), slope(jnp.array([7.5, 7.5]))
    assert (at > 0.9).all()
    np.testing.assert_array_equal(beyond, [0, 0])
    assert slope(jnp.array([-7.0, 7.0]))[0] > 6.9
    np.testing.assert_array_equal(slope(jnp.array([-7.5, 7.0]))[0], 0)
    assert slope(jnp.array([1.0, -30.0]))[1] != 0  # the gate is not cut from below


@pytest.mark.parametrize("f", FORMULAS)
@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_sixteen_bits_round_once(f, dtype):
    x = jnp.asarray(X).astype(dtype)
    pull = jax.jit(lambda x, ct: (lambda y, back: (y, *back(ct)))(*jax.vjp(f, x)))
    value, gradient = pull(x, jnp.ones((8, 5), dtype))
    wide, wide_gradient = pull(x.astype(jnp.float32), jnp.ones((8, 5), jnp.float32))
    assert value.dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(value, wide.astype(dtype))
    np.testing.assert_array_equal(gradient, wide_gradient.astype(dtype))


@pytest.mark.parametrize("f", FORMULAS)
def test_bad_arguments(f):
    with pytest.raises(ValueError, match="even number of features to split, axis 1 has 3"):
        f(jnp.ones((2, 3)))
    with pytest.raises(ValueError, match="gate must be 'first', 'second', 'even' or 'odd', was 'last'"):
        f(jnp.ones(2), gate="last")
    with pytest.raises(ValueError, match="axis must name an axis"):
        f(jnp.ones(2), axis=1)
    with pytest.raises(ValueError, match="axis must name an axis"):
        f(1.0)
    with pytest.raises(TypeError, match="must be real"):
        f(jnp.ones(2, jnp.complex64))
