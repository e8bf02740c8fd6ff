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
