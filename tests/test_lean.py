"""lean keeps one array a layer for the backward pass, and changes no number."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from experiments.speed import elementwise


@pytest.mark.parametrize("name", ["mish", "gelu"])
def test_at_most_two_arrays_a_layer(name):
    # ten layers: the activation that the next layer multiplies and the input that is kept; plain code
    # takes 30 to 40
    assert elementwise.buffers(jaxacts.lean(getattr(jaxacts, name))) <= 20.5
    assert elementwise.buffers(jaxacts.lean(elementwise.PEERS[name])) <= 20.5
    assert elementwise.buffers(elementwise.PEERS[name]) > 28


@chex.variants(with_jit=True, without_jit=True)
class LeanTest(chex.TestCase):
    def test_values_and_derivatives_are_those_of_the_function(self):
        x = jnp.linspace(-6.0, 6.0, 101)
        lean = jaxacts.lean(jaxacts.silu)
        chex.assert_trees_all_equal(self.variant(lean)(x, 2.0), jaxacts.silu(x, 2.0))

        def total(f):
            return self.variant(jax.grad(lambda x, beta: jnp.sum(f(x, beta)), argnums=(0, 1)))

        # compiled apart, the sums may associate differently: a few roundings of 6e-8 over 101 terms
        chex.assert_trees_all_close(total(lean)(x, 2.0), total(jaxacts.silu)(x, 2.0), rtol=1e-5)


def test_second_derivative_in_reverse():
    lean = jaxacts.lean(jaxacts.tanh)
    x = jnp.float32(0.7)
    expected = -2 * np.tanh(0.7) * (1 - np.tanh(0.7) ** 2)
    np.testing.assert_allclose(jax.grad(jax.grad(lean))(x), expected, rtol=1e-6)


def test_equal_by_value_and_one_compilation():
    assert jaxacts.lean(jaxacts.get("elu", alpha=2.0)) == jaxacts.lean(jaxacts.get("elu", alpha=2.0))
    chex.clear_trace_counter()

    @chex.assert_max_traces(n=1)
    def apply(f, x):
        return f(x)

    jitted = jax.jit(apply, static_argnums=0)
    for _ in range(3):
        jitted(jaxacts.lean(jaxacts.get("elu", alpha=2.0)), jnp.ones(3))


def test_not_callable():
    with pytest.raises(TypeError, match="f must be callable, was int"):
        jaxacts.lean(3)


def test_parameters_by_name_words_and_whole_numbers():
    x = jnp.linspace(-3.0, 3.0, 8).reshape(2, 4)
    silu, glu = jaxacts.lean(jaxacts.silu), jaxacts.get("glu").fn
    np.testing.assert_array_equal(silu(x, beta=2.0), jaxacts.silu(x, beta=2.0))
    slope = jax.grad(lambda beta: silu(x, beta=beta).sum())(2.0)
    # the same sum of eight terms, up to their order
    np.testing.assert_allclose(slope, jax.grad(lambda beta: jaxacts.silu(x, beta).sum())(2.0), rtol=1e-6)
    for arguments, named in (((0, "first"), {}), ((0,), {"gate": "odd"}), ((), {"axis": 0})):
        y, back = jax.vjp(lambda x, a=arguments, n=named: jaxacts.lean(glu)(x, *a, **n), x)
        truth, true_back = jax.vjp(lambda x, a=arguments, n=named: glu(x, *a, **n), x)
        np.testing.assert_array_equal(y, truth)
        np.testing.assert_allclose(back(y)[0], true_back(y)[0], rtol=1e-6)
    with pytest.raises(TypeError, match="nonsense"):
        silu(x, nonsense=1)


@pytest.mark.parametrize("make", [jax.random.key, jax.random.PRNGKey])
def test_the_key_reaches_a_stochastic_function(make):
    key, x = make(0), -jnp.ones(5)
    rrelu = jaxacts.get("rrelu")
    drawn = rrelu(x, key=key)
    assert (drawn != rrelu(x)).any()
    for f in (jaxacts.lean(rrelu), jaxacts.lean(rrelu.fn)):
        run = jax.jit(jax.value_and_grad(lambda x, key, f=f: (f(x, key=key) ** 2).sum()))
        value, gradient = run(x, key)
        np.testing.assert_allclose(value, (drawn**2).sum(), rtol=1e-6)
        np.testing.assert_allclose(gradient, 2 * drawn**2 / x, rtol=1e-6)
        np.testing.assert_array_equal(f(x), rrelu(x))
    np.testing.assert_array_equal(jaxacts.lean(rrelu.fn)(x, key), drawn)
    np.testing.assert_array_equal(jaxacts.lean(jaxacts.silu)(x, key=key), jaxacts.silu(x))
