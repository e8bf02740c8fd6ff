"""Functions in pieces: bad parameters, parameters of any shape, derivatives with respect to them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts import reference
from jaxacts._numerics import power, ratio, times, within

BAD = [
    ("relu_n", {"n": 0.0}, "n must be positive, was 0"),
    ("repu", {"p": 0}, "p must be at least 1, was 0"),
    ("nlrelu", {"beta": -1.0}, "beta must be positive"),
    ("srelu", {"t_left": 2.0}, "t_right must be above t_left"),
    ("tent", {"delta": -1.0}, "delta must be positive"),
    ("plu", {"alpha": 1.0}, "alpha must be at least 0 and below 1"),
    ("plu", {"c": 0.0}, "c must be positive"),
    ("hard_tanh", {"min_val": 1.0}, "max_val must be above min_val"),
    ("smelu", {"beta": 0.0}, "beta must be positive"),
    ("smooth_step", {"gamma": 0.0}, "gamma must be positive"),
    ("soft_shrink", {"threshold": -0.5}, "threshold must be positive"),
    ("hard_shrink", {"threshold": 0}, "threshold must be positive"),
    ("garrote_shrink", {"threshold": 0.0}, "threshold must be positive"),
    ("firm_shrink", {"lower": 0.0}, "lower must be positive"),
    ("firm_shrink", {"upper": 0.5}, "upper must be above lower"),
    ("scad_shrink", {"a": 2.0}, "a must be above 2"),
    ("scad_shrink", {"threshold": float("nan")}, "threshold must be positive, was nan"),
    ("softplus", {"beta": 0.0}, "beta must be other than 0"),
    ("squareplus", {"b": -1.0}, "b must be at least 0"),
    ("golu", {"beta": -0.5}, "beta must be at least 0"),
    ("gabor", {"s": 0}, "s must be other than 0"),
    ("gaussian", {"sigma": 0.0}, "sigma must be other than 0"),
    ("laplacian", {"sigma": -1.0}, "sigma must be positive"),
    ("soft_root_sign", {"beta": 0.0}, "beta must be positive"),
    ("soft_clipping", {"alpha": -1.0}, "alpha must be positive"),
    ("pelu", {"b": 0.0}, "b must be positive"),
    ("hexpo", {"b": 0.0}, "b must be positive"),
    ("scaled_soft_sign", {"beta": 0.0}, "beta must be positive"),
    ("soft_root_sign", {"alpha": 1.0}, r"alpha must be above beta / e \(3.0 / e\), was 1.0"),
    ("isru", {"alpha": -1.0}, "alpha must be at least 0"),
    ("isrlu", {"alpha": -1.0}, "alpha must be at least 0"),
    ("sau", {"beta": 0.0}, "beta must be other than 0"),
    ("silu", {"beta": float("nan")}, "beta must be finite, was nan"),
    ("snake", {"a": float("inf")}, "a must be finite, was inf"),
    ("hexpo", {"d": -1.0}, "d must be positive"),
]


@pytest.mark.parametrize(("name", "params", "message"), BAD)
def test_a_parameter_outside_its_range_is_refused(name, params, message):
    with pytest.raises(ValueError, match=message):
        jaxacts.get(name, **params)(1.0)


def test_a_power_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match="p must be a Python integer, was float"):
        jaxacts.repu(1.0, 2.5)  # type: ignore[arg-type]


# off the breaks, on every piece, in the tails
POINTS = np.array([-40.0, -3.3, -1.7, -0.8, -0.3, 0.2, 0.7, 1.2, 2.3, 5.0, 1e3])
FAMILIES = ("rectifier", "piecewise", "shrinkage", "algebraic")
PARAMETRIC = [
    (name, key)
    for name, record in jaxacts.records().items()
    if record.facts.family in FAMILIES
    for key, default in record.parameters.items()
    if isinstance(default, float)
]


@pytest.mark.parametrize(("name", "key"), PARAMETRIC)
def test_derivatives_with_respect_to_parameters(name, key, x64):
    record = jaxacts.records()[name]
    where = jnp.full(POINTS.shape, record.parameters[key])  # one parameter a point: its gradient is theirs
    found = jax.jit(jax.grad(lambda p: record.fn(jnp.asarray(POINTS), **{key: p}).sum()))(where)
    exact = [float(reference.parameter_derivative(name, key, x)) for x in POINTS]
    # textbook formulas; where the derivative passes through zero they lose a few digits
    np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-14)


LARGEST = float(np.finfo(np.float32).max)
# where one term of the derivative in a parameter is far below the others, or beyond the range
HARD = [
    ("softplus", {"beta": 2.0}, "beta", [10.01, -10.01, 60.0]),
    ("sau", {}, "alpha", [10.01, -3.0, 5.8e25, -5.8e25]),
    ("sau", {}, "beta", [4.0, 10.01]),
    ("smu", {}, "alpha", [10.01, -10.01]),
    ("acon_c", {"p1": 1.25, "p2": -0.25, "beta": 2.0}, "p2", [10.01, -10.01]),
    ("nlrelu", {"beta": 2.0}, "beta", [1e-30, 1.5, LARGEST]),
    ("inverse_multiquadratic", {}, "a", [5.8e25, -1e-10, 3e37]),
    ("aptx", {}, "gamma", [-36.0, -42.0]),
    ("smooth_step", {"gamma": 2.0}, "gamma", [2e-13, 0.3, -0.9]),
    ("xatlu", {}, "alpha", [-3e38, 1e-9, 2.0, 1e10]),
    ("xsilu", {}, "alpha", [1e-9, 0.5, -30.0]),
    ("celu", {"alpha": 2.0**-100}, "alpha", [-(2.0**-100), -1.0, -1e-36, 1.0]),
    ("celu", {"alpha": 2.0**100}, "alpha", [-(2.0**100), -(2.0**70)]),
]


@pytest.mark.parametrize(("name", "params", "key", "points"), HARD)
def test_derivatives_in_parameters_where_they_are_hard(name, params, key, points):
    record = jaxacts.records()[name]
    f, params = record.fn, {**record.parameters, **params}
    slope = jax.jit(jax.vmap(jax.grad(lambda p, x: f(x, **{**params, key: p})), (None, 0)))
    x = np.asarray(points, np.float32)
    found = slope(np.float32(params[key]), x)
    held = {k: float(np.float32(v)) if k == key else v for k, v in params.items()}
    exact = [float(reference.parameter_derivative(name, key, float(v), **held)) for v in x]
    # five units in the last place, as promised for f'
    np.testing.assert_allclose(found, exact, rtol=5 * 2.0**-23, atol=2.0**-126)


def test_celu_in_any_unit():
    unit = np.float32(2.0**-100)
    x = jnp.array([-3.0, -1.0, -1e-3, 0.0, 2.0, 1e30])
    far = jnp.where(x > 1e20, x, x * unit)
    # a homogeneous function: the unit cancels exactly
    np.testing.assert_array_equal(jaxacts.celu(far, unit)[:5], jaxacts.celu(x, jnp.ones(()))[:5] * unit)
    assert jaxacts.celu(far, unit)[5] == x[5]


@pytest.mark.parametrize("name", sorted({name for name, _ in PARAMETRIC}))
def test_one_parameter_a_feature(name):
    record = jaxacts.records()[name]
    x = jnp.linspace(-3.0, 3.0, 10).reshape(2, 5)
    keys = [k for k, v in record.parameters.items() if isinstance(v, float)]
    per_feature = {k: jnp.full((5,), record.parameters[k]) for k in keys}
    got, plain = jax.jit(lambda x, p: (record.fn(x, **p), record.fn(x)))(x, per_feature)
    assert got.shape == (2, 5)
    # the same numbers but for rounding: plain numbers are combined in double precision first
    np.testing.assert_allclose(got, plain, rtol=1e-6, atol=1e-7)


def test_a_slope_of_zero_stays_zero_at_infinity():
    for slope in (0.0, jnp.zeros(())):
        assert jaxacts.leaky_relu(-jnp.inf, slope) == 0
        assert times(slope, jnp.asarray(jnp.inf)) == 0
    assert jnp.isnan(times(0.0, jnp.asarray(jnp.nan)))
    assert jax.grad(times)(0.0, jnp.asarray(3.0)) == 3


def test_within_passes_nan_and_stops_gradients_outside():
    x = jnp.array([-2.0, -1.0, 0.5, 1.0, jnp.inf])
    np.testing.assert_array_equal(within(x, -1.0, 1.0), [0, 0, 0.5, 0, 0])
    np.testing.assert_array_equal(jax.vmap(jax.grad(within), (0, None, None))(x, -1.0, 1.0), [0, 0, 1, 0, 0])
    assert jnp.isnan(within(jnp.asarray(jnp.nan), -1.0, 1.0))


def test_no_derivative_of_a_power_or_a_ratio_leaves_the_range_early():
    tiny, huge = jnp.float32(1.2e-19), jnp.float32(1.5e19)
    # x^2 is subnormal, 3 x^2 is not; x^2 overflows, x^2 / 4 does not. Two or three roundings.
    np.testing.assert_allclose(jax.grad(power, 2)(1.0, 3, tiny), 3 * 1.2e-19**2, rtol=5e-7)
    np.testing.assert_allclose(power(0.25, 2, huge * 2), 2.25e38, rtol=5e-7)
    slope = jax.grad(jax.grad(ratio, 1), 1)
    np.testing.assert_allclose(slope(jnp.float32(1e30), jnp.float32(1e14)), 2e-12, rtol=5e-7)
    # compiled, where (a / x) / x must not become a / (x x)
    slope = jax.jit(jax.grad(ratio, 1))
    np.testing.assert_allclose(slope(jnp.float32(1e30), jnp.float32(1e25)), -1e-20, rtol=5e-7)


@pytest.mark.parametrize("order", range(5))
def test_derivatives_of_powers(order):
    f = lambda x: power(2.0, 3, x)  # noqa: E731
    for _ in range(order):
        f = jax.grad(f)
    exact = [2 * 1.5**3, 6 * 1.5**2, 12 * 1.5, 12.0, 0.0]
    assert f(1.5) == exact[order]


@pytest.mark.parametrize("name", ["cube", "garrote_shrink", "sinerelu", "nlrelu"])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_the_type_is_kept_in_both_modes(name, dtype):
    f = jaxacts.get(name)
    x = jnp.array([-2.0, 0.3, 3.0], dtype)

    @jax.jit
    def program(x):
        backward = jax.grad(lambda x: f(x).astype(jnp.float32).sum())(x)
        return *jax.jvp(f, (x,), (jnp.ones_like(x),)), backward

    value, forward, backward = program(x)
    assert forward.dtype == backward.dtype == value.dtype == dtype
    np.testing.assert_array_equal(forward, backward)
