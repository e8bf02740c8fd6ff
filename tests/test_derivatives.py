"""Derivatives of any order, and the cross-check that must notice a wrong one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts import derivatives


def test_nth_derivative_of_a_cubic(x64):
    x = jnp.array([[-2.0, 0.5], [1.0, 3.0]])
    for n, expected in enumerate((x**3, 3 * x**2, 6 * x, jnp.full_like(x, 6.0), jnp.zeros_like(x))):
        np.testing.assert_allclose(derivatives.nth(lambda v: v**3, n)(x), expected, rtol=1e-14)


def test_order_must_not_be_negative():
    with pytest.raises(ValueError, match="n must be 0 or more, was -1"):
        derivatives.nth(jnp.tanh, -1)


def test_cross_check_agrees_and_disagrees(x64):
    # double precision: both routes round a few times
    assert derivatives.cross_check(jaxacts.gelu).worst[0] < 1e-14
    wrong = derivatives.cross_check(jaxacts.gelu, lambda x: 1.1 * jaxacts.derivative(jaxacts.gelu)(x))
    assert wrong.worst[0] == pytest.approx(0.1 / 1.1, rel=0.03)


def test_cross_check_notices_a_forgotten_parameter(x64):
    f = jaxacts.get("silu", beta=2.0)
    assert derivatives.cross_check(f).worst[0] < 1e-14
    assert derivatives.cross_check(f, jaxacts.derivative(jaxacts.silu)).worst[0] > 0.1


def test_cross_check_does_not_hide_nan():
    def f(x):
        return jnp.sqrt(x)

    assert np.isnan(derivatives.cross_check(f, lambda x: 0.5 / jnp.sqrt(x), [-1.0, 1.0]).worst[0])


def test_cross_check_needs_a_derivative():
    with pytest.raises(ValueError, match="no analytic derivative"):
        derivatives.cross_check(jax.nn.relu)


def test_celu_overflows_to_infinities_where_alpha_is_negative():
    # exp(86) is finite, 86 exp(86) is not, exp(95) is not
    x, alpha = jnp.array([-3.0, -86.0, -95.0]), -1.0
    both = jax.vmap(jax.value_and_grad(jaxacts.celu, (0, 1)), (0, None))
    value, (slope, rate) = jax.jit(both)(x, alpha)
    e = np.exp(-np.asarray(x, np.float64))
    with np.errstate(over="ignore"):  # an overflow is what is expected
        truth = [(y).astype(np.float32) for y in (1 - e, e, e * (1 + np.asarray(x, np.float64)) - 1)]
    for found, true in zip((value, slope, rate), truth, strict=True):
        np.testing.assert_allclose(found, true, rtol=5 * 2**-23)  # the promise


def test_celu_is_the_identity_up_to_the_largest_floats_whatever_alpha():
    x = jnp.array([3e38, jnp.inf])
    np.testing.assert_array_equal(jaxacts.celu(x, 0.01), x)
