"""Gaussian moments against mpmath quadrature written out here, closed forms, and each other's routes."""

import functools
import json
import math

import chex
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy import stats

import jaxacts
from jaxacts import moments
from jaxacts.moments import _mesh, _sampling
from jaxacts.moments._integrals import integrals
from tools import record_moments

# The module's promise in double precision; sums of a thousand terms leave about 1e-15.
EXACT = 1e-10
# And in single precision, for what runs inside jit.
SINGLE = 2e-6

TABLE = json.loads(record_moments.TABLE.read_text(encoding="utf-8"))

sigma = lambda x: 1 / (1 + mp.exp(-x))  # noqa: E731
LAMBDA, ALPHA = mp.mpf("1.0507009873554805"), mp.mpf("1.6732632423543772")

# Formula, derivative and the points to split at, by hand.
BY_HAND = {
    "relu": (lambda x: max(x, 0), lambda x: 1 if x > 0 else 0, [0]),
    "leaky_relu": (lambda x: x if x > 0 else x / 100, lambda x: 1 if x > 0 else mp.mpf(1) / 100, [0]),
    "elu": (lambda x: x if x > 0 else mp.expm1(x), lambda x: 1 if x > 0 else mp.exp(x), [0]),
    "selu": (
        lambda x: LAMBDA * x if x > 0 else LAMBDA * ALPHA * mp.expm1(x),
        lambda x: LAMBDA if x > 0 else LAMBDA * ALPHA * mp.exp(x),
        [0],
    ),
    "hard_tanh": (lambda x: max(-1, min(1, x)), lambda x: 1 if abs(x) < 1 else 0, [-1, 1]),
    "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2, [0]),
    "sigmoid": (sigma, lambda x: sigma(x) * sigma(-x), [0]),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), sigma, [0]),
    "silu": (lambda x: x * sigma(x), lambda x: sigma(x) * (1 + x * sigma(-x)), [0]),
    "gelu": (lambda x: x * mp.ncdf(x), lambda x: mp.ncdf(x) + x * mp.npdf(x), [0]),
}


def expected(g, splits):
    points = sorted({-12, -4, -1, 0, 1, 4, 12, *splits})
    return mp.quad(lambda x: g(x) * mp.npdf(x), points)


@pytest.mark.parametrize("name", BY_HAND)
def test_gains_by_hand(name, x64):
    f, slope, splits = BY_HAND[name]
    first = expected(f, splits)
    truth = {
        "he": expected(lambda x: f(x) ** 2, splits),
        "centred": expected(lambda x: (f(x) - first) ** 2, splits),
        "backward": expected(lambda x: slope(x) ** 2, splits),
    }
    for kind, power in truth.items():
        found = moments.gain(getattr(jaxacts, name), kind, full_output=True)
        assert found.status == "ok"
        assert float(found.value) == pytest.approx(float(power**-0.5), rel=EXACT)
    assert float(moments.mean(getattr(jaxacts, name))) == pytest.approx(float(first), abs=EXACT)


def test_values_that_were_published(x64):
    assert float(moments.gain(jaxacts.tanh)) == pytest.approx(1.59253741972283, abs=1e-13)
    assert float(moments.gain(jaxacts.silu)) == pytest.approx(1.67653247033109, abs=1e-13)
    gelu = [float(moments.gain(jaxacts.gelu, kind)) for kind in ("he", "centred", "backward")]
    # five decimals are given
    assert gelu == pytest.approx([1.53353, 1.70093, 1.48111], abs=5e-6)
    assert gelu[0] ** -2 == pytest.approx(1 / 3 + 1 / (2 * math.pi * math.sqrt(3)), abs=1e-14)
    selu = moments.moments(jaxacts.selu)
    # The constants of selu are rounded to 16 digits.
    assert float(selu.mean) == pytest.approx(0, abs=1e-14)
    assert float(selu.second) == pytest.approx(1, abs=1e-14)
    assert float(selu.slope_second) == pytest.approx(1.07157499245580, abs=1e-13)


def truth_of_gains(first, second, slope):
    return {"he": second**-0.5, "centred": (second - first**2) ** -0.5, "backward": slope**-0.5}


@pytest.mark.parametrize("name", TABLE)
def test_moments_and_gains_of_the_catalogue(name, x64):
    """Against mpmath quadrature of formulas that share nothing with the functions."""
    f = jaxacts.records()[name].fn
    found = moments.moments(f)
    truth = TABLE[name]
    for value, true in zip((found.mean, found.second, found.slope_second), truth, strict=True):
        assert float(value) == pytest.approx(true, rel=1e-9, abs=1e-9)
    for kind, true in truth_of_gains(*truth).items():
        assert float(moments.gain(f, kind)) == pytest.approx(true, rel=1e-9)


def test_the_table_covers_the_catalogue_and_is_what_its_script_computes():
    assert sorted(TABLE) == record_moments.names()
    assert len(TABLE) >= 60
    for name in ("gelu", "hard_elish", "tanh_shrink"):  # smooth, with a kink, with cancellation at 0
        # as many digits as two roundings of a sum leave
        assert record_moments.moments(name) == pytest.approx(TABLE[name], rel=1e-14)


@pytest.mark.parametrize("name", ["gelu", "mish", "selu", "hard_tanh"])
def test_the_traced_route_agrees_with_the_host(name, x64):
    f = getattr(jaxacts, name)
    squares = lambda y, dy: (y, y * y, dy * dy)  # noqa: E731
    traced = jax.jit(lambda q: integrals(f, squares, q, slope=True).value)
    for q in (1e-4, 1.0, 50.0):
        np.testing.assert_allclose(
            traced(q), integrals(f, squares, q, slope=True).value, rtol=EXACT, atol=1e-14
        )


VARIANCES = (1e-12, 1e-6, 1e-2, 1.0, 30.0, 1e3, 1e6)
CLOSED = {
    "relu": (jaxacts.relu, lambda q: math.sqrt(q / (2 * math.pi))),
    "square": (jnp.square, lambda q: q),
    "gaussian": (lambda x: jnp.exp(-x * x / 2), lambda q: 1 / math.sqrt(1 + q)),
    "abs": (lambda x: jnp.abs(x), lambda q: math.sqrt(2 * q / math.pi)),
    "step": (lambda x: (x > 0.25).astype(x.dtype), lambda q: stats.norm.sf(0.25 / math.sqrt(q))),
    "shifted": (
        lambda x: jnp.where(x > 1 / 3, x - 1 / 3, jnp.zeros_like(x)),
        lambda q: (
            math.sqrt(q) * stats.norm.pdf(1 / 3 / math.sqrt(q)) - stats.norm.sf(1 / 3 / math.sqrt(q)) / 3
        ),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
def test_any_variance(name, x64):
    f, truth = CLOSED[name]
    traced = jax.jit(lambda q: moments.expectation(f, q))
    for q in VARIANCES:
        # relative: a mean of 4e-7 at q = 1e-12 has its digits too; a tail of 1e-300 need not
        close = functools.partial(pytest.approx, truth(q), rel=EXACT, abs=1e-16)
        assert float(moments.expectation(f, q)) == close()
        assert float(traced(q)) == close()


def test_oscillations_on_the_host_and_their_error_estimate(x64):
    wave = lambda x: jnp.sin(x) ** 2  # noqa: E731
    for q in (0.1, 10.0, 1e3, 1e6):
        found = moments.expectation(wave, q, full_output=True)
        assert abs(float(found.value) - -math.expm1(-2 * q) / 2) <= max(float(found.error), 1e-15)
        assert found.status == "ok"
    with pytest.warns(RuntimeWarning, match="did not settle"):
        moments.expectation(lambda x: jnp.sin(1e5 * x), 1e4, 1.0)


def test_mean_moves_the_kinks(x64):
    for mean in (-3.0, 0.4, 7.0, 1e3):
        truth = mean * stats.norm.cdf(mean / 1.5) + 1.5 * stats.norm.pdf(mean / 1.5)
        assert float(moments.expectation(jaxacts.relu, 2.25, mean)) == pytest.approx(truth, rel=EXACT)
        traced = jax.jit(lambda m: moments.expectation(jaxacts.relu, 2.25, m))(mean)
        assert float(traced) == pytest.approx(truth, rel=EXACT)


def test_slope_of_hard_tanh(x64):
    """E f'² is a probability; plain Gauss-Hermite with 200 nodes is off by 7.5e-2."""
    for q in VARIANCES:
        truth = math.erf(1 / math.sqrt(2 * q))
        assert float(moments.moments(jaxacts.hard_tanh, q).slope_second) == pytest.approx(truth, abs=1e-14)


def test_no_variance_is_the_value_itself(x64):
    # to a rounding error: NumPy and XLA have different exponentials
    assert float(moments.expectation(jaxacts.gelu, 0.0, 0.7)) == pytest.approx(
        float(jaxacts.gelu(0.7)), rel=1e-15
    )
    traced = jax.jit(lambda q: moments.expectation(jaxacts.gelu, q, 0.7))(0.0)
    assert float(traced) == pytest.approx(float(jaxacts.gelu(0.7)), rel=1e-14)
    # d/dq E f = E f'' / 2; the difference behind it is good to eps^(2/3)
    slope = jax.jit(jax.grad(lambda q: moments.expectation(jnp.tanh, q, 0.3)))(0.0)
    t = math.tanh(0.3)
    assert float(slope) == pytest.approx(-t * (1 - t * t), abs=1e-9)


def test_variance_of_a_nearly_constant_signal(x64):
    # σ'(0)² q = q / 16: a difference of moments would be noise
    assert float(moments.variance(jaxacts.sigmoid, 1e-12)) == pytest.approx(1e-12 / 16, rel=1e-7)
    several = moments.variance(jaxacts.sigmoid, jnp.array([1e-12, 1.0]))
    assert float(several[1]) == pytest.approx(float(moments.variance(jaxacts.sigmoid, 1.0)), rel=EXACT)


# Correlated pairs: closed forms of Cho & Saul, Williams, and Sheppard.
def relu_pair(q1, q2, c):
    return math.sqrt(q1 * q2) * (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / (2 * math.pi)


def erf_pair(q1, q2, c):
    return 2 / math.pi * math.asin(2 * c * math.sqrt(q1 * q2) / math.sqrt((1 + 2 * q1) * (1 + 2 * q2)))


def sine_pair(q1, q2, c):
    mixed = c * math.sqrt(q1 * q2)
    return math.exp(-(q1 + q2) / 2) * math.sinh(mixed)


PAIRS = {
    "relu": (jaxacts.relu, relu_pair),
    "erf": (jax.lax.erf, erf_pair),
    "sine": (jnp.sin, sine_pair),
    "sign": (jnp.sign, lambda q1, q2, c: 2 / math.pi * math.asin(c)),
    "square": (jnp.square, lambda q1, q2, c: q1 * q2 * (1 + 2 * c * c)),
}
CORRELATIONS = (-1.0, -0.9999999, -0.5, 0.0, 0.3, 0.9, 1 - 1e-6, 1 - 1e-12, 1.0)


@pytest.mark.parametrize("name", PAIRS)
def test_dual_closed_forms(name, x64):
    f, truth = PAIRS[name]
    # One with a kink and one without: each compilation takes seconds.
    traced = jax.jit(lambda q, c: moments.dual(f, q, 3.0, c)) if name in ("relu", "erf") else None
    for c in CORRELATIONS:
        for q in (1e-6, 2.0):
            found = moments.dual(f, q, 3.0, c, full_output=True)
            assert float(found.value) == pytest.approx(truth(q, 3.0, c), abs=EXACT, rel=EXACT)
            assert found.status == "ok"
        if traced is not None:
            assert float(traced(2.0, c)) == pytest.approx(truth(2.0, 3.0, c), abs=EXACT, rel=EXACT)


def test_dual_of_two_kinks_against_the_normal_integral(x64):
    """E of two indicators is a bivariate normal probability; the jumps of both factors are off-centre."""
    step = lambda x: (x > 0.5).astype(x.dtype)  # noqa: E731
    for c in (-0.7, 0.4, 0.97):
        law = stats.multivariate_normal(cov=[[1, c], [c, 1]])
        truth = law.cdf([-0.5, -0.5])  # scipy's own integrator reaches about 1e-9 here
        assert float(moments.dual(step, 1.0, 1.0, c)) == pytest.approx(truth, abs=1e-8)


PLAIN = {
    "tanh": (np.tanh, []),
    "gelu": (lambda x: x * stats.norm.cdf(x), []),
    "silu": (lambda x: x / (1 + np.exp(-x)), []),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), [0.0]),
    "hard_tanh": (lambda x: np.clip(x, -1, 1), [-1.0, 1.0]),
    "relu6": (lambda x: np.clip(x, 0, 6), [0.0, 6.0]),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("c", [0.6, -0.95])
def test_dual_against_two_dimensional_quadrature(name, c, x64):
    """Product panels in u = √q a and v = √q (c a + √(1-c²) b), written out once more in NumPy."""
    f, kinks = PLAIN[name]
    q, rest = 1.7, math.sqrt(1 - c * c)
    points, weights = np.polynomial.legendre.leggauss(40)

    def panels(breaks):
        edges = np.unique(np.clip([-9, -5, -2.5, 0, 2.5, 5, 9, *breaks], -9, 9))
        z = edges[:-1, None] + np.diff(edges)[:, None] * (points + 1) / 2
        return z.ravel(), (np.diff(edges)[:, None] * weights / 2).ravel() * stats.norm.pdf(z.ravel())

    spread = math.sqrt(q)
    # f smoothed over rest/c has no kinks but steps that wide; panels of a few steps resolve it
    steps = [k / (spread * c) + rest / c * s for k in kinks for s in (-9, -6, -3, 0, 3, 6, 9)]
    total = 0.0
    for a, w in zip(*panels([*(k / spread for k in kinks), *steps]), strict=True):
        b, v = panels([(k / spread - c * a) / rest for k in kinks])
        total += w * f(spread * a) * np.sum(v * f(spread * (c * a + rest * b)))
    assert float(moments.dual(getattr(jaxacts, name), q, q, c)) == pytest.approx(float(total), abs=EXACT)


def test_derivatives_of_the_dual(x64):
    slope = jax.jit(jax.grad(lambda c: moments.dual(jaxacts.relu, 2.0, 3.0, c)))
    for c in (-0.9, 0.0, 0.5, 0.999):
        truth = math.sqrt(6) * (math.pi - math.acos(c)) / (2 * math.pi)
        assert float(slope(c)) == pytest.approx(truth, abs=1e-9)
    # at c = 1 a difference over √eps
    assert float(slope(1.0)) == pytest.approx(math.sqrt(6) / 2, abs=1e-6)
    both = jax.jit(jax.grad(lambda q, c: moments.dual(jax.lax.erf, q, 2.0, c), argnums=(0, 1)))
    for c in (-1.0, 0.4, 1.0):
        # 2/π asin(2 c √(2q) / √(5 (1 + 2q))), differentiated by hand at q = 2: the argument is 4c/5
        inner, outer = 4 * c / 5, 2 / math.pi
        by_c = outer * 0.8 / math.sqrt(1 - inner**2)
        by_q = outer * inner * (1 / 4 - 1 / 5) / math.sqrt(1 - inner**2)
        found = both(2.0, c)
        # at the ends a difference over √eps; the variance moves nothing there
        assert float(found[0]) == pytest.approx(by_q, abs=1e-9)
        assert float(found[1]) == pytest.approx(by_c, abs=1e-9 if abs(c) < 1 else 1e-6)


def test_derivative_with_respect_to_the_variance_and_the_mean(x64):
    # E f'² of hard_tanh is erf(1/√(2q)): its derivative is all in the moving break
    f = lambda q: integrals(jaxacts.hard_tanh, lambda y, dy: (dy * dy,), q, slope=True).value[0]  # noqa: E731
    q = 0.7
    truth = -math.exp(-1 / (2 * q)) / math.sqrt(2 * math.pi) * q**-1.5
    assert float(jax.jit(jax.grad(f))(q)) == pytest.approx(truth, rel=1e-10)
    mean = jax.jit(jax.grad(lambda m: moments.expectation(jaxacts.relu, 1.0, m)))(0.3)
    assert float(mean) == pytest.approx(stats.norm.cdf(0.3), rel=1e-10)
    second = jax.jit(jax.grad(jax.grad(lambda q: moments.expectation(jnp.square, q * q))))(1.3)
    assert float(second) == pytest.approx(2.0, rel=1e-8)


@pytest.mark.parametrize(
    "bind",
    [
        lambda a: lambda x: jaxacts.leaky_relu(x, a),
        lambda a: functools.partial(jaxacts.leaky_relu, negative_slope=a),
    ],
)
def test_derivative_with_respect_to_a_parameter(bind, x64):
    a = 0.2
    gain = jax.jit(jax.grad(lambda a: moments.gain(bind(a))))(a)
    assert float(gain) == pytest.approx(-math.sqrt(2) * a * (1 + a * a) ** -1.5, rel=1e-9)
    # E f(u) f(v) = (1 - a)² k(c) + a c for leaky relu, k the kernel of relu
    pair = jax.jit(jax.grad(lambda a: moments.dual(bind(a), 1.0, 1.0, 0.5)))(a)
    assert float(pair) == pytest.approx(-2 * (1 - a) * relu_pair(1, 1, 0.5) + 0.5, rel=1e-9)


def test_bound_parameters_move_the_declared_kinks(x64):
    for f in (
        jaxacts.get("leaky_relu", negative_slope=0.3),
        functools.partial(jaxacts.leaky_relu, negative_slope=0.3),
    ):
        assert float(moments.gain(f)) == pytest.approx(math.sqrt(2 / 1.09), rel=EXACT)
    limited = jaxacts.get("relu_n", n=2.5)
    truth = expected(lambda x: max(0, min(x, 2.5)) ** 2, [0, 2.5])
    assert float(moments.gain(limited)) == pytest.approx(float(truth) ** -0.5, rel=EXACT)


FOUND = {
    "kink": (lambda x: jnp.abs(x - 1 / 3), 1 / 3),
    "jump": (lambda x: jnp.sign(x - 2.7), 2.7),
    "bend": (lambda x: jnp.where(x > -1.1, (x + 1.1) ** 2, jnp.zeros_like(x)), -1.1),
    "at the origin": (jax.nn.relu, 0.0),
}


@pytest.mark.parametrize("name", FOUND)
def test_undeclared_breaks_are_found(name, x64):
    f, place = FOUND[name]
    assert len(_mesh.undeclared(f)) == 1
    # a break of f'' moves the integral by the cube of its misplacement
    assert _mesh.undeclared(f)[0] == pytest.approx(place, abs=1e-6 if name == "bend" else 1e-12)


@pytest.mark.parametrize("f", [jnp.tanh, jax.nn.gelu, jnp.sin, lambda x: x**3])
def test_smooth_functions_have_no_breaks(f, x64):
    assert _mesh.undeclared(f) == ()


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_every_declared_kink_is_found_without_the_record(step, x64):
    """A plain lambda around each catalogue function: sampling alone must find what the record declares."""
    for name, entry in list(jaxacts.records().items())[::step]:
        kinks = [point for point, _ in entry.facts.kinks]
        if kinks:
            found = np.array(_mesh.undeclared(lambda x, f=entry.fn: f(x)))
            assert found.size, name
            assert np.all(np.min(np.abs(np.subtract.outer(kinks, found)), axis=1) < 1e-9), name


def test_single_precision():
    chex.assert_type(moments.gain(jaxacts.tanh), jnp.float32)
    # the host computes in double and rounds once
    assert float(moments.gain(jaxacts.tanh)) == float(np.float32(1.59253741972283))
    traced = jax.jit(lambda q: moments.expectation(lambda x: jaxacts.gelu(x) ** 2, q))(1.0)
    chex.assert_type(traced, jnp.float32)
    assert float(traced) == pytest.approx(1 / 3 + 1 / (2 * math.pi * math.sqrt(3)), abs=SINGLE)
    pair = jax.jit(lambda c: moments.dual(jaxacts.relu, 1.0, 1.0, c))
    for c in (-1.0, -0.3, 0.5, 0.99, 1.0):
        assert float(pair(c)) == pytest.approx(relu_pair(1, 1, float(np.float32(c))), abs=SINGLE)


def test_arrays_and_vmap():
    q = jnp.array([[0.5, 1.0], [2.0, 4.0]])
    whole = moments.expectation(jaxacts.relu, q)
    np.testing.assert_allclose(whole, np.sqrt(np.asarray(q) / (2 * np.pi)), rtol=SINGLE)
    batched = jax.jit(jax.vmap(jax.vmap(lambda v: moments.expectation(jaxacts.relu, v))))
    np.testing.assert_allclose(batched(q), whole, rtol=SINGLE)
    c = jnp.array([-0.5, 0.5])
    pairs = moments.dual(jaxacts.relu, 1.0, 1.0, c)
    np.testing.assert_allclose(pairs, [relu_pair(1, 1, v) for v in (-0.5, 0.5)], atol=SINGLE)


def test_one_trace_for_all_values():
    @jax.jit
    @chex.assert_max_traces(n=1)
    def f(q, c):
        return moments.dual(jaxacts.tanh, q, q, c) + moments.expectation(jaxacts.relu, q)

    for q in (0.5, 1.0, 3.0):
        f(q, 0.3).block_until_ready()


def test_inside_a_trace_plain_numbers_stay_plain():
    """A gain inside jit is a constant, computed on the host."""
    program = jax.make_jaxpr(lambda x: x * moments.gain(jaxacts.relu))(1.0)
    assert len(program.eqns) <= 2


def test_numpy_runs_the_same_program_as_jax(x64):
    x = np.concatenate([np.linspace(-30, 30, 301), [-1e-3, 0.0, 1e-3]])
    for name in ("mish", "gelu", "hard_silu", "erfact"):
        f = jaxacts.records()[name].fn
        numpy = _sampling.sample(f, x, slope=True)
        both = np.stack(jax.jit(functools.partial(_sampling.value_and_slope, f))(jnp.asarray(x)))
        # NumPy and XLA round exp and its kin differently, a few ULP of the largest intermediate result
        np.testing.assert_allclose(numpy, both, rtol=1e-12, atol=1e-14)


def test_a_callable_that_refuses_double_precision():
    weight = jnp.float32(2.0)
    found = moments.expectation(lambda x: weight * jaxacts.relu(x), full_output=True)
    assert float(found.value) == pytest.approx(2 / math.sqrt(2 * math.pi), abs=SINGLE)
    assert float(found.error) > 1e-9  # and the error estimate knows


def test_no_signal_has_no_gain():
    assert float(moments.gain(lambda x: 0 * x)) == math.inf
    found = moments.gain(lambda x: jnp.full_like(x, 3.0), "centred", full_output=True)
    assert float(found.value) == math.inf
    assert "no signal" in found.status


def test_bad_arguments():
    with pytest.raises(TypeError, match=r"f must be a callable.*jaxacts.get\('gelu'\)"):
        moments.gain("gelu")
    with pytest.raises(ValueError, match=r"kind must be 'he', 'centred' or 'backward', was 'fan_in'"):
        moments.gain(jaxacts.relu, "fan_in")
    with pytest.raises(ValueError, match="q is a variance and cannot be negative, was -1"):
        moments.expectation(jaxacts.relu, -1.0)
    with pytest.raises(ValueError, match=r"c is a correlation and must lie in \[-1, 1\], was 1.5"):
        moments.dual(jaxacts.relu, 1.0, 1.0, 1.5)
    with pytest.raises(ValueError, match="f must act elementwise"):
        moments.gain(lambda x: jnp.sum(x))
    with pytest.warns(RuntimeWarning, match="did not settle"):  # there is no such number
        moments.expectation(lambda x: 1 / x, 1.0)
    with pytest.warns(RuntimeWarning, match="diverges"):
        moments.expectation(lambda x: jnp.exp(x * x), 1e4)
