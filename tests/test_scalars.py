"""Functions of single numbers, and products of them: XLA folds constants there that it leaves in arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxacts

# those with a plain float32 version, which has the fewest guards; all of them in the slow run
PLAIN = [
    *("sigmoid", "tanh", "silu", "gelu", "gelu_tanh", "mish", "softplus", "log_sigmoid", "elu", "selu"),
    *("soft_sign", "squareplus"),
]
POINTS = np.array([-90, -20, -3, -1.1, -0.6, -1e-3, -1e-12, 1e-30, 0.3, 0.7, 1.3, 6, 20, 90, 1e8], np.float32)


@pytest.mark.parametrize(
    "name", [n if n in PLAIN else pytest.param(n, marks=pytest.mark.slow) for n in jaxacts.records()]
)
def test_single_numbers_as_in_arrays(name):
    f = jaxacts.get(name)
    slope = jax.grad(f)

    def several(x):
        return f(x), slope(x), slope(x) * slope(x / 2), f(x) * slope(x), jax.grad(lambda y: f(f(y)))(x)

    alone, together = jax.jit(lambda x: (lax.map(several, x), jax.vmap(several)(x)))(POINTS)
    for one, many in zip(alone, together, strict=True):
        # a few roundings more or less, as the compiler fuses differently; either flushes subnormal numbers
        np.testing.assert_allclose(one, many, rtol=2e-6, atol=2 * np.finfo(np.float32).tiny)


def test_the_slope_of_mish_at_a_single_number():
    assert float(jax.grad(jaxacts.mish)(0.7)) == pytest.approx(0.968795, abs=1e-6)  # mpmath
    assert float(jax.grad(jaxacts.mish)(jnp.bfloat16(0.7))) == pytest.approx(0.968795, abs=4e-3)  # eight bits
