"""Mean-field theory against closed forms, published values, brute-force iteration and simulated networks."""

import math

import chex
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy import optimize, special, stats

import jaxacts
from jaxacts import meanfield

# What the solvers promise; closed forms are exact, so the whole of it is ours.
SOLVED = 1e-8


def erf(x):
    return jax.lax.erf(x)


def relu_correlation(c):
    return (math.sqrt(1 - c * c) + c * (math.pi - math.acos(c))) / math.pi


def erf_second(q):
    return 2 / math.pi * math.asin(2 * q / (1 + 2 * q))


def erf_slope(q):
    return 4 / math.pi / math.sqrt(1 + 4 * q)


# E f² and E f'² by the trapezoidal rule, which is exact to rounding for analytic functions under a Gaussian.
POINTS = np.linspace(-12, 12, 4001)
WEIGHTS = stats.norm.pdf(POINTS) * (POINTS[1] - POINTS[0])


def smooth(f, slope):
    return (
        lambda q: float(WEIGHTS @ f(math.sqrt(q) * POINTS) ** 2),
        lambda q: float(WEIGHTS @ slope(math.sqrt(q) * POINTS) ** 2),
    )


TANH = smooth(np.tanh, lambda x: np.cosh(x) ** -2.0)
GELU = smooth(lambda x: x * stats.norm.cdf(x), lambda x: stats.norm.cdf(x) + x * stats.norm.pdf(x))


def test_published_values_of_poole(x64):
    point = meanfield.fixed_point(jaxacts.tanh, 2.5, 0.3, full_output=True)
    assert point.q == pytest.approx(4.079123875282, abs=1e-11)
    assert point.stable
    assert point.status == "ok"
    assert float(meanfield.chi(jaxacts.tanh, 2.5, 0.3)) == pytest.approx(1.585224765006, abs=1e-11)
    assert float(meanfield.correlation_fixed_point(jaxacts.tanh, 2.5, 0.3)) == pytest.approx(
        0.122103747306, abs=1e-11
    )
    assert float(meanfield.depth_scales(jaxacts.tanh, 2.5, 0.3)[1]) == pytest.approx(5.108918989, abs=1e-8)
    assert float(meanfield.trainable_depth(jaxacts.tanh, 2.5, 0.3)) == pytest.approx(
        6 * 5.108918989, abs=1e-7
    )


def test_maps_of_relu_and_erf(x64):
    for q in (1e-6, 0.3, 20.0):
        assert float(meanfield.length_map(jaxacts.relu, q, 1.7, 0.3)) == pytest.approx(
            1.445 * q + 0.09, rel=1e-12
        )
        assert float(meanfield.length_map(erf, q, 1.7, 0.3)) == pytest.approx(
            2.89 * erf_second(q) + 0.09, rel=1e-12
        )
        assert float(meanfield.chi(erf, 1.7, q=q)) == pytest.approx(2.89 * erf_slope(q), rel=1e-12)
    for c in (-1.0, -0.4, 0.0, 0.99, 1.0):
        assert float(meanfield.correlation_map(jaxacts.relu, c, 2**0.5)) == pytest.approx(
            relu_correlation(c), abs=1e-12
        )
        slope = float(meanfield.correlation_slope(jaxacts.relu, c, 2**0.5, q=1.0))
        assert slope == pytest.approx(1 - math.acos(c) / math.pi, abs=1e-12)
        q, top = 2.0, 2.89 * 2 / math.pi * math.asin(4 * c / 5) + 0.09
        truth = top / (2.89 * erf_second(q) + 0.09)
        assert float(meanfield.correlation_map(erf, c, 1.7, 0.3, q=q)) == pytest.approx(truth, abs=1e-12)


def hermite_coefficients(f, q, count):
    """Of f(√q z) in normalised Hermite polynomials: E f(u) f(v) is the sum of their squares times c^k."""
    before, now, found = np.zeros_like(POINTS), np.ones_like(POINTS), []
    for k in range(count):
        found.append(WEIGHTS @ (f(math.sqrt(q) * POINTS) * now))
        before, now = now, (POINTS * now - math.sqrt(k) * before) / math.sqrt(k + 1)
    return np.array(found)


@pytest.mark.parametrize("name", ["tanh", "gelu"])
def test_correlation_map_and_slope_by_hermite_coefficients(name, x64):
    """No two-dimensional quadrature at all."""
    f, textbook = getattr(jaxacts, name), {"tanh": np.tanh, "gelu": lambda x: x * stats.norm.cdf(x)}[name]
    q, w, b = 0.8, 1.4, 0.2
    squares, k = hermite_coefficients(textbook, q, 60) ** 2, np.arange(60)  # 0.5^60 is 1e-18
    length = w**2 * (WEIGHTS @ textbook(math.sqrt(q) * POINTS) ** 2) + b**2
    for c in (-0.5, 0.3):
        value = (w**2 * np.sum(squares * c**k) + b**2) / length
        assert float(meanfield.correlation_map(f, c, w, b, q=q)) == pytest.approx(value, abs=1e-11)
        slope = w**2 * np.sum(squares[1:] * k[1:] * c ** (k[1:] - 1)) / length
        assert float(meanfield.correlation_slope(f, c, w, b, q=q)) == pytest.approx(slope, abs=1e-11)


@pytest.mark.parametrize(("sigma_w", "sigma_b"), [(0.5, 0.2), (1.3, 0.0), (3.0, 0.1)])
def test_fixed_point_of_erf(sigma_w, sigma_b, x64):
    q = 1.0
    for _ in range(20000):
        q = sigma_w**2 * erf_second(q) + sigma_b**2
    found = float(meanfield.fixed_point(erf, sigma_w, sigma_b))
    assert found == pytest.approx(q, rel=SOLVED)
    slope = float(meanfield.chi(erf, sigma_w, sigma_b))
    assert slope == pytest.approx(sigma_w**2 * erf_slope(q), rel=SOLVED)
    # V'(q) of erf, differentiated by hand: asin(y)' y' with y = 2q/(1+2q)
    slope = sigma_w**2 * 2 / math.pi / math.sqrt(1 - (2 * q / (1 + 2 * q)) ** 2) * 2 / (1 + 2 * q) ** 2
    xi_q, _ = meanfield.depth_scales(erf, sigma_w, sigma_b)
    assert float(xi_q) == pytest.approx(-1 / math.log(slope), rel=1e-7)


def test_chi_in_full(x64):
    found = meanfield.chi(jaxacts.tanh, 2.5, 0.3, full_output=True)
    assert float(found.value) == pytest.approx(1.585224765006, abs=1e-11)
    assert found.q == pytest.approx(4.079123875282, abs=1e-11)
    assert (found.stable, found.status) == (True, "ok")
    assert 0 < found.error < SOLVED
    none = meanfield.chi(jaxacts.relu, 2.0, 0.3, full_output=True)  # and no warning
    assert math.isnan(float(none.value))
    assert (none.stable, none.status) == (False, "diverges")
    elsewhere = meanfield.chi(erf, 1.7, q=2.0, full_output=True)
    assert float(elsewhere.value) == pytest.approx(2.89 * erf_slope(2.0), rel=1e-12)
    assert elsewhere.status == "not a fixed point"


def test_correlation_fixed_point_of_erf(x64):
    sigma_w, sigma_b = 3.0, 0.1
    q = float(meanfield.fixed_point(erf, sigma_w, sigma_b))

    def excess(c):
        return (sigma_w**2 * 2 / math.pi * math.asin(2 * c * q / (1 + 2 * q)) + sigma_b**2) / q - c

    found = meanfield.correlation_fixed_point(erf, sigma_w, sigma_b, full_output=True)
    assert found.c == pytest.approx(optimize.brentq(excess, 0, 0.999, xtol=1e-15), abs=SOLVED)
    assert found.status == "ok"
    ordered = meanfield.correlation_fixed_point(erf, 0.7, 0.3, full_output=True)
    assert ordered.c == 1.0


def test_signs_never_agree_fully(x64):
    """The derivative of sign is 0 but inputs do not merge: C'(1) is infinite."""
    sign = lambda x: jnp.sign(x)  # noqa: E731
    found = meanfield.correlation_fixed_point(sign, 1.0, 0.5, full_output=True)
    truth = optimize.brentq(lambda c: (2 / math.pi * math.asin(c) + 0.25) / 1.25 - c, 0, 1 - 1e-9, xtol=1e-15)
    assert found.c == pytest.approx(truth, abs=SOLVED)


def test_all_fixed_points(x64):
    points = meanfield.fixed_point(jaxacts.tanh, 1.3, 0.0, all_points=True)
    assert [point.stable for point in points] == [False, True]
    assert points[0].q == 0
    assert points[0].slope == pytest.approx(1.69)
    assert points[1].q == pytest.approx(float(meanfield.fixed_point(jaxacts.tanh, 1.3)), rel=SOLVED)
    # gelu at small sigma_b: the upper of its two fixed points repels
    low, high = meanfield.fixed_point(jaxacts.gelu, 1.5, 0.1, all_points=True)
    assert low.stable
    assert not high.stable
    second, _ = GELU
    for point in (low, high):
        assert 2.25 * second(point.q) + 0.01 == pytest.approx(point.q, rel=1e-7)


def test_where_the_length_map_goes(x64):
    neutral = meanfield.fixed_point(jaxacts.relu, 2**0.5, full_output=True)
    assert (neutral.q, neutral.status) == (1.0, "neutral")
    [only] = meanfield.fixed_point(jaxacts.relu, 2**0.5, all_points=True)
    assert only.q == 1.0
    with pytest.warns(RuntimeWarning, match=r"diverges at sigma_w=1.5, sigma_b=0.1: no fixed point"):
        assert math.isnan(float(meanfield.fixed_point(jaxacts.relu, 1.5, 0.1)))
    assert float(meanfield.fixed_point(jaxacts.relu, 1.0)) == 0.0
    assert float(meanfield.fixed_point(jaxacts.tanh, 1.0)) == 0.0  # like 1/l, still to 0
    jumping = meanfield.fixed_point(
        lambda x: jnp.sin(4 * x) * jnp.exp(-x * x) * 4, 6.0, 0.01, full_output=True
    )
    assert jumping.status in ("ok", "does not settle")
    if jumping.status == "ok":
        assert abs(jumping.slope) < 1


PHASES = [
    (jaxacts.relu, 2**0.5, 0.0, "critical"),
    (jaxacts.relu, 1.5, 0.1, "diverging"),
    (jaxacts.relu, 1.2, 0.0, "dying"),
    (jaxacts.tanh, 2.5, 0.3, "chaotic"),
    (jaxacts.tanh, 0.9, 0.05, "ordered"),
    (jaxacts.tanh, 1.0, 0.0, "critical"),
    (jaxacts.selu, 1.0, 0.0, "chaotic"),
]


@pytest.mark.parametrize(("f", "sigma_w", "sigma_b", "word"), PHASES)
def test_phase(f, sigma_w, sigma_b, word):
    assert meanfield.phase(f, sigma_w, sigma_b) == word


def test_critical_point_of_tanh(x64):
    point = meanfield.critical_point(jaxacts.tanh, 0.05)
    assert point.sigma_w == pytest.approx(1.122539004770, abs=1e-11)
    second, slope = TANH
    assert point.sigma_w**2 * second(point.q) + 0.0025 == pytest.approx(point.q, rel=SOLVED)
    assert point.sigma_w**2 * slope(point.q) == pytest.approx(1, abs=SOLVED)
    assert point.stable
    assert meanfield.critical_point(jaxacts.tanh) == (1.0, 0.0, True)


@pytest.mark.parametrize("f", [jaxacts.gelu, jaxacts.silu])
def test_self_gated_functions_are_critical_where_it_is_unstable(f, x64):
    """Iterating the length map never finds these points."""
    for sigma_b in (0.0, 0.05):
        point = meanfield.critical_point(f, sigma_b)
        assert not point.stable
        assert float(meanfield.chi(f, point.sigma_w, q=point.q)) == pytest.approx(1, abs=SOLVED)
        length = float(meanfield.length_map(f, point.q, point.sigma_w, sigma_b))
        assert length == pytest.approx(point.q, rel=SOLVED, abs=1e-300)


def test_functions_without_a_critical_point():
    for sigma_b in (0.0, 0.05, 0.5):
        assert meanfield.critical_point(jaxacts.softplus, sigma_b) is None
        assert meanfield.critical_point(jaxacts.softplus, sigma_b, all_points=True) == ()
    assert meanfield.critical_point(jaxacts.relu, 0.05) is None
    assert meanfield.critical_point(jaxacts.selu) is None


def test_critical_point_of_scale_invariant_functions_and_sigmoid(x64):
    point = meanfield.critical_point(jaxacts.relu)
    assert point.sigma_w == pytest.approx(2**0.5, rel=1e-12)
    assert point[1:] == (1.0, True)
    leaky = meanfield.critical_point(jaxacts.get("leaky_relu", negative_slope=0.2))
    assert leaky.sigma_w == pytest.approx(math.sqrt(2 / 1.04), rel=1e-12)
    sigmoid = meanfield.critical_point(jaxacts.sigmoid)
    second, slope = smooth(special.expit, lambda x: special.expit(x) * special.expit(-x))
    q = optimize.brentq(lambda q: second(q) / slope(q) - q, 10, 100, xtol=1e-12)
    assert sigmoid.sigma_w == pytest.approx(slope(q) ** -0.5, rel=SOLVED)
    assert sigmoid.sigma_w == pytest.approx(10.15, abs=5e-3)
    assert sigmoid.stable


def test_selus_fixed_point_is_not_the_edge_of_chaos(x64):
    [_, point] = meanfield.fixed_point(jaxacts.selu, 1.0, all_points=True)
    assert point.q == pytest.approx(1, abs=1e-8)
    assert point.stable
    assert float(meanfield.chi(jaxacts.selu, 1.0)) == pytest.approx(1.07157499245580, abs=1e-8)


def test_critical_line():
    sigma_w, q, stable = meanfield.critical_line(jaxacts.relu, [0.0, 0.1])
    assert sigma_w[0] == pytest.approx(2**0.5)
    assert np.isnan(sigma_w[1])
    assert np.isnan(q[1])
    assert stable.tolist() == [True, False]


def test_smoothness_class():
    for f, kind in ((jaxacts.gelu, "smooth"), (jaxacts.elu, "smooth"), (jaxacts.hard_tanh, "kinked")):
        assert meanfield.smoothness_class(f) == kind
        assert meanfield.smoothness_class(lambda x, f=f: f(x)) == kind  # sampled, without the record
    assert meanfield.smoothness_class(jaxacts.get("elu", alpha=0.5)) == "kinked"
    assert meanfield.smoothness_class(lambda x: jnp.sign(x - 1)) == "jumping"


def test_law_of_decay_at_the_edge(x64):
    assert meanfield.edge_decay(jaxacts.relu) == (pytest.approx(9 * math.pi**2 / 2, rel=1e-12), 2)
    # l²(1 - c_l) approaches its limit like log(l)/l; in angles, c = cos t, nothing cancels to first order
    with mpmath.workdps(25):
        t = mpmath.mpf(1)
        for _ in range(20000):
            t = mpmath.acos((mpmath.sin(t) + (mpmath.pi - t) * mpmath.cos(t)) / mpmath.pi)
        assert float(20000**2 * (1 - mpmath.cos(t))) == pytest.approx(9 * math.pi**2 / 2, rel=5e-3)
    # smooth: ε' = ε - C''(1) ε²/2, held against the map itself
    point = meanfield.critical_point(jaxacts.tanh, 0.05)
    kappa, power = meanfield.edge_decay(jaxacts.tanh, 0.05)
    assert power == 1
    for f, sigma_b in ((jaxacts.tanh, 0.05), (jaxacts.hard_tanh, 0.2)):
        point = meanfield.critical_point(f, sigma_b)
        kappa, power = meanfield.edge_decay(f, sigma_b)
        gap = 1e-7
        loss = gap - (1 - float(meanfield.correlation_map(f, 1 - gap, point.sigma_w, sigma_b, q=point.q)))
        truth = gap**2 / kappa if power == 1 else 2 * gap**1.5 / math.sqrt(kappa)
        # the next order is √gap smaller for a kink; rounding leaves 1e-16 / gap² = 1 % of the smooth one
        assert loss == pytest.approx(truth, rel=0.05)
    with pytest.raises(ValueError, match="no law of decay"):
        meanfield.edge_decay(jaxacts.softplus)


def test_maps_trace(x64):
    c = jnp.array([-0.5, 0.3])
    found = jax.jit(jax.vmap(lambda c: meanfield.correlation_map(jaxacts.relu, c, 2**0.5, q=1.0)))(c)
    np.testing.assert_allclose(found, [relu_correlation(-0.5), relu_correlation(0.3)], atol=1e-12)
    slope = jax.jit(jax.grad(lambda q: meanfield.length_map(erf, q, 1.7)))(0.8)
    y = 1.6 / 2.6
    assert float(slope) == pytest.approx(2.89 * 2 / math.pi / math.sqrt(1 - y * y) * 2 / 2.6**2, rel=1e-10)
    # with respect to a parameter of the activation: V = σ² (1 + a²) q / 2 of leaky ReLU, χ = V / q
    leaky = lambda a: lambda x: jaxacts.leaky_relu(x, a)  # noqa: E731
    both = lambda a: meanfield.length_map(leaky(a), 2.0, 1.3) + meanfield.chi(leaky(a), 1.3, q=2.0)  # noqa: E731
    assert float(jax.jit(jax.grad(both))(0.2)) == pytest.approx(1.69 * 0.2 * 3, rel=1e-10)
    # χ differentiates through the fixed point
    chi = lambda s: meanfield.chi(erf, s, 0.3)  # noqa: E731
    step = 1e-4
    difference = (float(chi(2 + step)) - float(chi(2 - step))) / (2 * step)
    traced = chex.assert_max_traces(lambda s: jax.value_and_grad(chi)(s), n=1)
    value, slope = jax.jit(traced)(2.0)
    assert float(value) == pytest.approx(float(chi(2.0)), rel=SOLVED)
    assert float(slope) == pytest.approx(difference, rel=1e-6)


def test_single_precision_callers_get_numbers_from_double_precision():
    assert float(meanfield.fixed_point(jaxacts.tanh, 2.5, 0.3)) == float(np.float32(4.079123875282))
    assert meanfield.critical_point(jaxacts.tanh, 0.05).sigma_w == pytest.approx(1.122539004770, abs=1e-11)


def test_trajectories(x64):
    run = meanfield.trajectory(jaxacts.relu, 5, 1.2, 0.3, q0=2.0, c0=0.1)
    q, c = [2.0], [0.1]
    for _ in range(5):
        length = 0.72 * q[-1] + 0.09
        c.append((0.72 * q[-1] * relu_correlation(c[-1]) + 0.09) / length)
        q.append(length)
    np.testing.assert_allclose(run.q, q, rtol=1e-12)
    np.testing.assert_allclose(run.c, c, rtol=1e-11)
    np.testing.assert_allclose(run.gradient, 0.72 ** np.arange(5.0, -1, -1), rtol=1e-12)
    np.testing.assert_allclose(meanfield.length_trajectory(jaxacts.relu, 5, 1.2, 0.3, q0=2.0), q, rtol=1e-12)
    exploding = meanfield.length_trajectory(jnp.square, 12, 3.0)
    assert np.isinf(exploding[-1])


def test_simulated_networks_follow_the_prediction():
    case = meanfield.Case(jaxacts.tanh, 1.5, 0.2, 0.7, 0.3)
    relu = meanfield.Case(jaxacts.relu, 2**0.5, 0.0, 1.0, 0.0)
    both = meanfield.simulate([case, relu], depth=4, width=400, networks=12)
    for (f, w, b, q0, c0), found in zip((case, relu), both, strict=True):
        run = meanfield.trajectory(f, 4, w, b, q0=q0, c0=c0)
        law = meanfield.width_deviation(f, 4, 400, w, b, q0=q0)
        # four standard errors of the mean over twelve networks, two inputs of which count as one
        bound = 4 * np.sqrt(law.relative_variance / 12) + 0.01
        assert np.all(np.abs(found.q.mean(0) / run.q - 1) < bound)
        correlation = found.product.mean(0) / found.q.mean(0)
        assert np.all(np.abs(correlation - run.c) < bound)
        gradient = found.gradient.mean(0)
        assert np.all(np.abs(gradient / run.gradient - 1) < 2 * bound)


def test_finite_width(x64):
    law = meanfield.width_deviation(jaxacts.relu, 10, 100, 2**0.5)
    np.testing.assert_allclose(law.mean, 1.0, rtol=1e-12)  # exact for scale-invariant functions
    np.testing.assert_allclose(law.relative_variance, 0.02 + 0.05 * np.arange(11), rtol=1e-10)
    assert meanfield.relu_fourth_moment(10, 100) == pytest.approx(1.05**10)
    # The law against many narrow networks: the spread of |z|²/n after three layers.
    [found] = meanfield.simulate(
        [meanfield.Case(jaxacts.tanh, 1.5, 0.1, 1.0, 0.999999)], 3, 40, networks=4000
    )
    law = meanfield.width_deviation(jaxacts.tanh, 3, 40, 1.5, 0.1)
    spread = found.q.var(0) / found.q.mean(0) ** 2
    # 4000 networks give a variance to 2.2 %, three of which are allowed; the next order is 1/width
    np.testing.assert_allclose(spread, law.relative_variance, rtol=0.1)
    np.testing.assert_allclose(found.q.mean(0), law.mean, rtol=0.01)
    with pytest.raises(ValueError, match="width must be positive, was 0"):
        meanfield.width_deviation(jaxacts.relu, 10, 0, 1.0)


@pytest.mark.parametrize("weights", ["gaussian", "orthogonal"])
def test_law_of_singular_values(weights, x64):
    law = meanfield.jacobian_spectrum(jaxacts.relu, 12, 2**0.5, weights=weights)
    assert law.mean == pytest.approx(1)
    # relu: μ2 = μ1 = 1/2
    assert law.relative_variance == pytest.approx(12 * (1 + (weights == "gaussian")))
    # a simulated product of two hundred orthogonal or Gaussian layers of tanh
    rng = np.random.default_rng(0)
    n, depth, q = 300, 6, 0.3
    jacobian = np.eye(n)
    for _ in range(depth):
        w = rng.standard_normal((n, n)) / math.sqrt(n)
        if weights == "orthogonal":
            w, r = np.linalg.qr(w)
            w *= np.sign(np.diag(r))
        jacobian = (1 / np.cosh(math.sqrt(q) * rng.standard_normal(n)) ** 2)[:, None] * (w @ jacobian)
    s2 = np.linalg.svd(jacobian, compute_uv=False) ** 2
    law = meanfield.jacobian_spectrum(jaxacts.tanh, depth, 1.0, weights=weights, q=q)
    # finite width: a few per cent of either moment
    assert s2.mean() == pytest.approx(law.mean, rel=0.1)
    assert s2.var() / s2.mean() ** 2 == pytest.approx(law.relative_variance, rel=0.15)
    with pytest.raises(ValueError, match="weights must be 'gaussian' or 'orthogonal', was 'uniform'"):
        meanfield.jacobian_spectrum(jaxacts.tanh, 3, 1.0, weights="uniform")


def test_bad_arguments():
    with pytest.raises(TypeError, match="sigma_w is traced, but fixed points are searched on the host"):
        jax.jit(lambda s: meanfield.fixed_point(jaxacts.tanh, s))(1.0)
    with pytest.raises(TypeError, match="closes over a traced value"):
        jax.grad(lambda a: meanfield.fixed_point(lambda x: a * jnp.tanh(x), 2.0))(1.0)
    with pytest.raises(ValueError, match="sigma_b must be finite, was nan"):
        meanfield.critical_point(jaxacts.tanh, math.nan)
    with pytest.raises(ValueError, match="depth must not be negative, was -1"):
        meanfield.trajectory(jaxacts.tanh, -1, 1.0)
    with pytest.warns(RuntimeWarning, match="no depth scale: the length map diverges"):
        assert math.isnan(float(meanfield.depth_scales(jaxacts.relu, 2.0)[1]))
