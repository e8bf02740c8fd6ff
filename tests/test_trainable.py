"""Trainable activations: formulas in float64, constraints, finite gradients, learning."""

import pickle

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import optax
import pytest
from scipy import special
from scipy.interpolate import BSpline

import jaxacts
from jaxacts.trainable import Trainable, fit_rational, specs

KEY = jr.key(11)
X = np.concatenate([np.linspace(-6, 6, 41), [-0.0]]).astype(np.float32)
softplus, sigmoid = (lambda v: np.logaddexp(0, v)), special.expit


def _pelu(p, x):
    a, b = 0.1 + softplus(p["raw_a"]), 0.1 + softplus(p["raw_b"])
    return np.where(x > 0, a / b * x, a * np.expm1(np.minimum(x, 0) / b))


def _srelu(p, x):
    left, right = p["t_left"], p["t_left"] + softplus(p["raw_gap"])
    return x + (p["a_left"] - 1) * np.minimum(x - left, 0) + (p["a_right"] - 1) * np.maximum(x - right, 0)


def _xielu(p, x):
    positive, negative = softplus(p["raw_alpha_p"]), 0.5 + softplus(p["raw_alpha_n"])
    return np.where(x > 0, positive * x**2, negative * (np.expm1(np.minimum(x, 0)) - x)) + 0.5 * x


def _rational(p, x):
    b = sum(c * x ** (i + 1) for i, c in enumerate(p["denominator"]))
    return sum(c * x**i for i, c in enumerate(p["numerator"])) / (1 + abs(b))


def _b_spline(p, x):
    knots = np.arange(
        -9.0, 10.0
    )  # six cells on [-3, 3]; zero coefficients keep scipy inside its base interval
    spline = BSpline(knots, np.concatenate([np.zeros(3), p["coefficients"], np.zeros(3)]), 3)(
        np.clip(x, -6, 6)
    )
    return p["base"] * x * sigmoid(x) + p["scale"] * spline


FORMULAS = {
    "prelu": lambda p, x: np.where(x > 0, x, p["negative_slope"] * x),
    "swish": lambda p, x: x * sigmoid(p["beta"] * x),
    "pelu": _pelu,
    "srelu": _srelu,
    "aconc": lambda p, x: (
        (p["p1"] - p["p2"]) * x * sigmoid(p["beta"] * (p["p1"] - p["p2"]) * x) + p["p2"] * x
    ),
    "rational": _rational,
    "xielu": _xielu,
    "dynamic_tanh": lambda p, x: p["gamma"] * np.tanh(p["alpha"] * x) + p["beta"],
    "apl": lambda p, x: (
        np.maximum(x, 0)
        + sum(a * np.maximum(b - x, 0) for a, b in zip(p["slopes"], p["points"], strict=True))
    ),
    "b_spline": _b_spline,
}
apply = jax.jit(Trainable.apply, static_argnums=0)
each = pytest.mark.parametrize("spec", specs().values(), ids=specs())


def _moved(params, key=KEY):
    """Parameters away from their start, so that a term that starts at 0 or 1 shows."""
    leaves, tree = jax.tree.flatten(params)
    keys = jr.split(key, len(leaves))
    return tree.unflatten(
        [v + 0.3 * jr.normal(k, v.shape, v.dtype) for k, v in zip(keys, leaves, strict=True)]
    )


def test_every_spec_is_tested():
    assert set(FORMULAS) == set(specs())


@each
def test_value_against_the_formula(spec):
    """Three channels with parameters of their own; each follows the formula with its own numbers."""
    params = _moved(spec.init(KEY, shape=(3,)))
    y = apply(spec, params, np.stack([X, X, X], -1))
    assert y.dtype == jnp.float32
    for c in range(3):
        wide = {name: np.asarray(v if v.ndim == 0 else v[..., c], np.float64) for name, v in params.items()}
        # Sums of up to ten terms of size up to 40, each good to a few float32 eps
        np.testing.assert_allclose(
            y[:, c], FORMULAS[spec.name](wide, X.astype(np.float64)), rtol=3e-6, atol=3e-6
        )
    with pytest.raises(ValueError, match="does not broadcast against x"):
        spec.apply(params, jnp.ones((3, 2)))


@each
def test_gradients_against_differences_of_the_formula(spec):
    params = _moved(spec.init(KEY))
    ct = np.cos(np.arange(X.size)).astype(np.float32)
    to_params, to_x = jax.jit(jax.grad(lambda p, x: (ct * spec.apply(p, x)).sum(), argnums=(0, 1)))(
        params, X + 0.01
    )
    x, h = X.astype(np.float64) + 0.01, 1e-6
    wide = {name: np.asarray(value, np.float64) for name, value in params.items()}
    formula = FORMULAS[spec.name]
    # float64 differences: 1e-9; float32 sums of 42 terms of size up to 40: 1e-4 at worst
    np.testing.assert_allclose(
        to_x, ct * (formula(wide, x + h) - formula(wide, x - h)) / (2 * h), rtol=1e-4, atol=2e-5
    )
    assert all((value != 0).any() for value in to_params.values())
    for name, value in wide.items():
        for i in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[i] = h
            difference = formula({**wide, name: value + step}, x) - formula({**wide, name: value - step}, x)
            truth = (ct * difference).sum() / (2 * h)
            np.testing.assert_allclose(to_params[name][i], truth, rtol=1e-4, atol=2e-3, err_msg=f"{name}{i}")


@pytest.mark.parametrize("name", ["prelu", "pelu", "b_spline"])  # the types are handled by `apply` for all
def test_sixteen_bits_compute_in_float32_and_round_once(name):
    spec = specs()[name]
    params = _moved(spec.init(KEY))
    pull = jax.jit(lambda x, ct: (lambda y, back: (y, *back(ct)))(*jax.vjp(spec.apply, params, x)))
    half = jnp.asarray(X).astype(jnp.bfloat16)
    y, to_params, to_x = pull(half, jnp.ones_like(half))
    wide, to_wide_params, to_wide_x = pull(half.astype(jnp.float32), jnp.ones_like(half, jnp.float32))
    np.testing.assert_array_equal(y, wide.astype(jnp.bfloat16))
    np.testing.assert_array_equal(to_x, to_wide_x.astype(jnp.bfloat16))
    for name, value in to_params.items():
        assert value.dtype == jnp.float32
        np.testing.assert_allclose(
            value, to_wide_params[name], rtol=1e-5, atol=1e-4
        )  # the same sum, fused otherwise


@each
def test_parameter_gradients_are_finite_everywhere(spec):
    # xielu is quadratic, so 1e18 is where its own gradient (x squared) is about to overflow float32
    x = jnp.array([-1e18, -1e10, -1000.0, -89.0, -1.0, -1e-30, -0.0, 0.0, 1e-30, 0.5, 1.0, 89.0, 1e10, 1e18])
    both = jax.jit(jax.vmap(jax.grad(spec.apply, argnums=(0, 1)), (None, 0)))
    for params in (spec.init(KEY), _moved(spec.init(KEY)), jax.tree.map(jnp.zeros_like, spec.init(KEY))):
        if spec.name == "rational" and not params["denominator"].any():
            params = {**params, "denominator": params["denominator"] + 1e-3}  # a polynomial does overflow
        to_params, to_x = both(params, x)
        assert jnp.isnan(apply(spec, params, jnp.nan * x)).all()
        assert all(jnp.isfinite(v).all() for v in jax.tree.leaves((to_params, to_x)))


def test_the_gradient_of_swish_is_finite_where_its_gate_has_closed():
    x = jnp.array([1e20, -1e20, 1e30, -1e38, 3e38])
    to_beta = jax.vmap(jax.grad(lambda b, x: specs()["swish"].apply({"beta": b}, x)), (None, 0))
    for beta in (1e-18, -1e-18, 1.0, 1e18):
        assert jnp.isfinite(to_beta(jnp.float32(beta), x)).all()


@pytest.mark.parametrize("name", ["pelu", "srelu", "xielu"])
def test_constraints_hold_for_any_stored_number(name):
    spec = specs()[name]
    x = jnp.array([-30.0, -1.0, 1.0])

    def at(value):
        params = {k: jnp.full_like(v, value) if "raw" in k else v for k, v in spec.init(KEY).items()}
        return spec.apply(params, x), jax.jacrev(spec.apply, argnums=(0, 1))(params, x)

    y, (to_params, to_x) = jax.jit(jax.vmap(at))(jnp.linspace(-200, 200, 41))
    assert all(jnp.isfinite(v).all() for v in jax.tree.leaves((y, to_params, to_x)))
    if name == "pelu":  # increasing, through the quadrants of its argument
        assert (y[:, 1] < 0).all()
        assert (y[:, 2] > 0).all()
    if name == "xielu":  # alpha_n >= beta: the slope far below 0 is beta - alpha_n (1 - e^-30)
        assert (to_x[:, 0, 0] <= 1e-13).all()
        assert (to_x[:, 2, 2] > 0).all()


@pytest.mark.parametrize("name", ["rational", "apl", "b_spline"])
def test_training_changes_every_parameter(name):
    spec = specs()[name]
    params = spec.init(KEY)
    x = jr.normal(jr.key(1), (256,)) * 2
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.02))

    def loss(p):
        return jnp.mean((spec.apply(p, x) - jnp.sin(x)) ** 2)

    def step(carry, _):
        params, state = carry
        value, gradient = jax.value_and_grad(loss)(params)
        updates, state = optimiser.update(gradient, state)
        return (optax.apply_updates(params, updates), state), value

    (trained, _), losses = jax.jit(lambda c: jax.lax.scan(step, c, length=100))(
        (params, optimiser.init(params))
    )
    assert losses[-1] < losses[0]
    assert all((a != b).any() for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(trained), strict=True))


@each
def test_specs_are_values(spec):
    assert spec == pickle.loads(pickle.dumps(spec))
    assert hash(spec) == hash(specs()[spec.name])
    with pytest.raises(TypeError, match=f"{spec.name} has no setting 'nonsense'"):
        spec.having(nonsense=1)


def test_settings():
    prelu, apl = specs()["prelu"], specs()["apl"]
    assert prelu.having(negative_slope=0.1) == prelu.having(negative_slope=0.1) != prelu
    assert prelu.having(negative_slope=0.1).init()["negative_slope"] == jnp.float32(0.1)
    assert apl.having(hinges=5).init(KEY, (2,))["slopes"].shape == (5, 2)
    spline = specs()["b_spline"].having(cells=4, degree=2)
    assert apply(spline, spline.init(KEY), X).shape == X.shape
    start = {name: apply(spec, spec.init(KEY), X) for name, spec in specs().items()}
    fixed = specs()["aconc"].having(p1=1.0, p2=0.0)
    expected = jax.jit(lambda x: (jaxacts.elu(x), jaxacts.leaky_relu(x, 0.2), jaxacts.silu(x)))(X)
    # the same functions up to a multiplication by 1 that softplus reaches to an eps
    np.testing.assert_allclose(start["pelu"], expected[0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(start["srelu"], expected[1], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(start["swish"], expected[2], rtol=1e-6)
    np.testing.assert_allclose(apply(fixed, fixed.init(), X), expected[2], rtol=1e-6)
    for name in ("aconc", "apl", "b_spline"):
        with pytest.raises(ValueError, match="key must be a random key, was None"):
            specs()[name].init()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("pelu", {"a": 0.05}, "a must be finite and above 0.1, was 0.05"),
        ("pelu", {"b": 0.25, "floor": 0.5}, "b must be finite and above 0.5, was 0.25"),
        ("srelu", {"t_left": 2.0}, "t_right must be finite and above 2, was 1"),
        ("xielu", {"alpha_n": 0.25}, "alpha_n must be finite and above 0.5, was 0.25"),
        ("xielu", {"alpha_p": 0.0}, "alpha_p must be finite and above 0, was 0"),
        ("apl", {"hinges": -1}, "hinges must be an integer of at least 0, was -1"),
        ("apl", {"hinges": 1.5}, "hinges must be an integer of at least 0, was 1.5"),
        ("b_spline", {"cells": 0}, "cells must be an integer of at least 1, was 0"),
        ("b_spline", {"degree": -1}, "degree must be an integer of at least 0, was -1"),
        ("b_spline", {"lower": 1.0, "upper": 1.0}, "upper must be finite and above lower = 1, was 1"),
        ("b_spline", {"lower": 2.0, "upper": 1.0}, "upper must be finite and above lower = 2, was 1"),
    ],
)
def test_settings_out_of_range_are_named(name, settings, message):
    with pytest.raises(ValueError, match=message):
        specs()[name].having(**settings).init(KEY)


def test_settings_of_the_spline_are_checked_where_they_are_used():
    spline = specs()["b_spline"]
    params = spline.init(KEY)
    with pytest.raises(ValueError, match="upper must be finite and above lower"):
        spline.having(lower=1.0, upper=1.0).apply(params, X)
    with pytest.raises(ValueError, match="degree must be below the number of coefficients, 9, was 9"):
        spline.having(degree=9).apply(params, X)


def test_fit_rational():
    rational = specs()["rational"]
    x = jnp.linspace(-3, 3, 301)
    # Best errors of degree (5, 4) on [-3, 3] found in float64, doubled for the float32 of f and parameters
    for f, bound in ((jaxacts.tanh, 3e-6), (jaxacts.gelu, 1.1e-3), (jaxacts.sigmoid, 1e-6)):
        assert abs(apply(rational, fit_rational(f), x) - f(x)).max() < bound
    fitted, start = fit_rational(jaxacts.leaky_relu), rational.init()
    for name, value in start.items():
        # The fit is of float32 values: the least-squares optimum moves by that over its curvature
        np.testing.assert_allclose(fitted[name], value, atol=2e-3, rtol=2e-3)
    assert fit_rational(jnp.tanh, (3, 2), shape=(4,))["numerator"].shape == (4, 4)
    with pytest.raises(ValueError, match="interval must be"):
        fit_rational(jnp.tanh, interval=(1.0, 1.0))
    with pytest.raises(ValueError, match="degrees must be positive"):
        fit_rational(jnp.tanh, (0, 2))


def test_rational_far_out_follows_its_leading_terms():
    params = specs()["rational"].init()
    x = jnp.array([-1e30, -1e9, 1e9, 1e30])
    lead = 0.1152674315 / 0.2282523432
    # the next terms are a factor 1e-9 smaller
    np.testing.assert_allclose(apply(specs()["rational"], params, x), lead * np.asarray(x), rtol=1e-6)


@pytest.mark.parametrize(
    ("numerator", "denominator"),
    [((0.0, 1.0), (1.0,)), ((0.3, 1.0, -2.0), (0.5, 0.0, 1.0)), ((1.0, 2.0, 0.0, -0.5), (0.3,))],
)
def test_rational_with_a_denominator_of_odd_degree(numerator, denominator):
    params = {"numerator": np.array(numerator, np.float32), "denominator": np.array(denominator, np.float32)}
    truth = _rational(params, X.astype(np.float64))
    # up to four products and sums of float32; 1 where the terms of the numerator cancel
    np.testing.assert_allclose(apply(specs()["rational"], params, X), truth, rtol=1e-6, atol=1e-6)


def test_fits_of_odd_degree():
    x = jnp.linspace(-3, 3, 301)
    for degrees in ((1, 1), (4, 5)):
        fitted = fit_rational(lambda x: x, degrees)
        # float32 of numbers up to 3, and of coefficients that cancel at the higher degree
        assert abs(apply(specs()["rational"], fitted, x) - x).max() < 3e-6
    assert jax.grad(specs()["rational"].apply, argnums=1)(fit_rational(lambda x: x, (1, 1)), 3e38) == 1.0


@pytest.mark.parametrize("x", [1e10, 1e18, 1e19, 3e19, 1.7e38, 3.4e38])
def test_rational_up_to_the_largest_number(x):
    spec = specs()["rational"]
    params = spec.init()
    x = np.float32([-x, x])
    value, slope, bend, to_params = jax.jit(
        jax.vmap(
            lambda x: (
                spec.apply(params, x),
                jax.grad(spec.apply, argnums=1)(params, x),
                jax.grad(jax.grad(spec.apply, argnums=1), argnums=1)(params, x),
                jax.grad(spec.apply)(params, x),
            )
        )
    )(x)
    a, b = np.float64(params["numerator"])[:, None], np.float64(params["denominator"])[:, None]
    wide = x.astype(np.float64)
    # the leading terms; the next are a factor 1e-10 smaller, and a handful of roundings is 1e-6
    f = a[5] * wide / b[3]
    np.testing.assert_allclose(value, f, rtol=1e-6)
    np.testing.assert_allclose(slope, a[5] / b[3] + [0.0, 0.0], rtol=1e-6)
    np.testing.assert_allclose(bend, 0, atol=1e-30)
    to_numerator = wide ** (np.arange(6)[:, None] - 4) / b[3]
    to_denominator = -f * wide ** (np.arange(1, 5)[:, None] - 4) / b[3]
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and nothing is NaN
        for name, truth in (("numerator", to_numerator), ("denominator", to_denominator)):
            # 1/x below the smallest normal number, 1.2e-38, may be 0, and is multiplied by 1/b
            np.testing.assert_allclose(to_params[name].T, truth.astype(np.float32), rtol=1e-6, atol=6e-38)
