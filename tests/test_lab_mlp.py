"""The network: against numpy, against the formulas of its initialisers, and against itself run by scan."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts.lab import measures, mlp, profiles
from jaxacts.lab.config import contenders
from jaxacts.lab.switch import value_and_slope


def by_numpy(parameters, x, f):
    """The plain network in float64."""
    h, seen = np.asarray(x, float), []
    for layer in (parameters.first, *parameters.hidden):
        z = h @ np.asarray(layer.weight, float) + np.asarray(layer.bias, float)
        seen.append(z)
        h = f(z)
    return h @ np.asarray(parameters.last.weight, float) + np.asarray(parameters.last.bias, float), seen


def network(depth=3, width=8, features=5, outputs=2, **options):
    parameters = mlp.init(mlp.draw(3, features, outputs, depth, width), **options)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, features)).astype(np.float32)
    # biases that are not zero, so that a forgotten one shows
    return jax.tree.map(lambda w: w + 0.1 * rng.normal(size=w.shape).astype(np.float32), parameters), x


def test_forward_pass_is_the_textbook_one():
    parameters, x = network()
    out = jax.jit(lambda p, x: mlp.apply(p, x, jnp.tanh))(parameters, x)
    expected, seen = by_numpy(parameters, x, np.tanh)
    # float32 sums of at most 8 products of size 1: a few times 1e-7
    np.testing.assert_allclose(out.output, expected, atol=2e-6)
    for z, z_expected in zip(out.preactivations, seen, strict=True):
        np.testing.assert_allclose(z, z_expected, atol=2e-6)


@pytest.mark.parametrize(("normalisation", "residual"), [("none", False), ("layer", True), ("batch", True)])
def test_scan_over_layers_changes_nothing(normalisation, residual):
    parameters, x = network(depth=4, normalisation=normalisation)
    statistics = None
    if normalisation == "batch":
        statistics = mlp.Statistics(np.full((4, 8), 0.1, np.float32), np.full((4, 8), 1.5, np.float32))

    def loss(parameters, training):
        out = mlp.apply(
            parameters, x, jnp.tanh, normalisation=normalisation, residual=residual, statistics=statistics,
            training=training,
        )  # fmt: skip
        return jnp.square(out.output).sum(), out

    both = jax.value_and_grad(loss, has_aux=True)
    plain, scanned = jax.jit(
        lambda p: [[both(q, train) for train in (False, True)] for q in (p, mlp.stacked(p))]
    )(parameters)
    for ((value, out), gradient), ((value_s, out_s), gradient_s) in zip(plain, scanned, strict=True):
        # the same operations fused in another order: float32 rounding
        np.testing.assert_allclose(value, value_s, rtol=1e-5)
        np.testing.assert_allclose(jnp.stack(out.preactivations), out_s.preactivations, atol=1e-5)
        for a, b in zip(jax.tree.leaves(mlp.stacked(gradient)), jax.tree.leaves(gradient_s), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)
        if statistics is not None:
            np.testing.assert_allclose(out.statistics.mean, out_s.statistics.mean, atol=1e-5)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize(("normalisation", "residual"), [("none", False), ("layer", True), ("batch", True)])
def test_watching_is_a_forward_pass(depth, normalisation, residual):
    parameters, x = network(depth=depth, normalisation=normalisation)
    options = {"normalisation": normalisation, "residual": residual}
    if normalisation == "batch":
        running = np.random.default_rng(1).uniform(1, 2, (2, depth, 8)).astype(np.float32)
        options["statistics"] = mlp.Statistics(*running)
    both = lambda z: (jnp.tanh(z), z.mean(0))  # noqa: E731
    for p in (parameters, mlp.stacked(parameters)):
        output, means = jax.jit(lambda p, x: mlp.watch(p, x, both, **options))(p, x)
        expected = mlp.apply(p, x, both, has_extra=True, **options)
        # the same operations fused in another order: float32 rounding
        np.testing.assert_allclose(output, expected.output, atol=1e-5)
        extra = expected.extra if isinstance(p.hidden, mlp.Layer) else jnp.stack(expected.extra)
        np.testing.assert_allclose(means, extra, atol=1e-5)


def test_deep_networks_are_stacked():
    deep = mlp.init(mlp.draw(0, 3, 2, mlp.SCAN_FROM, 4))
    assert isinstance(deep.hidden, mlp.Layer)
    assert deep.hidden.weight.shape == (mlp.SCAN_FROM - 1, 4, 4)
    assert len(mlp.probes(deep, 5)) == mlp.SCAN_FROM


def test_normalisations_against_numpy():
    parameters, x = network(depth=1, normalisation="layer")
    z = x.astype(float) @ parameters.first.weight + parameters.first.bias
    rows = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 1e-5)
    out = mlp.apply(parameters, x, jnp.tanh, normalisation="layer")
    np.testing.assert_allclose(
        out.preactivations[0], rows * parameters.first.scale + parameters.first.shift, atol=1e-5
    )
    columns = (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)
    running = mlp.Statistics(np.zeros((1, 8), np.float32), np.ones((1, 8), np.float32))
    out = mlp.apply(parameters, x, jnp.tanh, normalisation="batch", statistics=running, training=True)
    np.testing.assert_allclose(
        out.preactivations[0], columns * parameters.first.scale + parameters.first.shift, atol=1e-5
    )
    np.testing.assert_allclose(out.statistics.mean[0], 0.1 * z.mean(0), atol=1e-6)


def test_residual_layers_with_zero_weights_are_the_identity():
    deep, x = network(depth=4)
    zeros = tuple(jax.tree.map(np.zeros_like, layer) for layer in deep.hidden)
    deep, shallow = deep._replace(hidden=zeros), deep._replace(hidden=())
    out = [mlp.apply(p, x, jnp.tanh, residual=True).output for p in (deep, shallow)]
    np.testing.assert_array_equal(*out)  # tanh(0) = 0 is added, which changes no bit
    plain = mlp.apply(deep, x, jnp.tanh).output
    np.testing.assert_array_equal(plain, np.broadcast_to(deep.last.bias, plain.shape))


def test_normalised_layers_forget_the_scale_of_their_weights():
    for kind in ("layer", "batch"):
        parameters, x = network(depth=2, normalisation=kind)
        first = parameters.first
        scaled = parameters._replace(first=first._replace(weight=8 * first.weight, bias=8 * first.bias))
        statistics = mlp.Statistics(np.zeros((2, 8), np.float32), np.ones((2, 8), np.float32))
        out = [
            mlp.apply(p, x, jnp.tanh, normalisation=kind, statistics=statistics, training=True).output
            for p in (parameters, scaled)
        ]
        # 1e-5 is added to variances of about 1, 64 times less to the relative variance of the other
        np.testing.assert_allclose(*out, atol=1e-4)


def test_dropout_keeps_the_mean_and_needs_a_key():
    parameters, x = network(depth=1, width=4000)
    options = {"training": True, "dropout": 0.25}
    last = parameters.last._replace(
        weight=np.full((4000, 1), 1 / 4000, np.float32), bias=np.zeros(1, np.float32)
    )
    out = mlp.apply(parameters._replace(last=last), x, jnp.ones_like, key=jax.random.key(0), **options)
    # the mean of 4000 Bernoulli(0.75)/0.75: standard deviation sqrt(1/3/4000) = 0.009; five of them
    np.testing.assert_allclose(out.output, 1.0, atol=0.046)
    with pytest.raises(ValueError, match="needs a key"):
        mlp.apply(parameters, x, jnp.ones_like, **options)


@pytest.mark.parametrize(
    ("name", "first", "inner"),
    [
        ("auto", 1 / 300, 2.25 / 400),
        ("lecun", 1 / 300, 1 / 400),
        ("he", 2 / 300, 2 / 400),
        ("glorot", 2 / 700, 2 / 800),
        ("orthogonal", 1 / 300, 2.25 / 400),
    ],
)
def test_variances_of_the_initialisers(name, first, inner):
    parameters = mlp.init(mlp.draw(1, 300, 10, depth=2, width=400), name, gain=1.5)
    # relative standard deviation of a variance from n draws is sqrt(2/n) = 0.004 for 120,000; five of them
    np.testing.assert_allclose(np.var(parameters.first.weight), first, rtol=0.02)
    np.testing.assert_allclose(np.var(parameters.hidden[0].weight), inner, rtol=0.02)
    assert not parameters.first.bias.any()


def test_orthogonal_is_orthogonal():
    for shape in ((20, 20), (30, 20), (20, 30)):
        q = mlp._orthogonal(np.random.default_rng(0).normal(size=shape).astype(np.float32)).astype(float)
        small = q.T @ q if shape[0] >= shape[1] else q @ q.T
        np.testing.assert_allclose(small, np.eye(min(shape)), atol=1e-6)  # rounded to float32 once


def test_paired_draws_do_not_depend_on_the_activation_or_its_gain():
    draws = mlp.draw(5, 7, 3, 2, 6)
    one, two = (mlp.init(draws, "auto", gain) for gain in (1.0, 2.0))
    np.testing.assert_array_equal(one.first.weight, two.first.weight)
    np.testing.assert_array_equal(2 * one.last.weight, two.last.weight)
    np.testing.assert_array_equal(draws[0], mlp.draw(5, 7, 3, 4, 6)[0])
    assert (draws[0] != mlp.draw(6, 7, 3, 2, 6)[0]).all()


def test_bad_initialisation_is_refused():
    draws = mlp.draw(0, 2, 1, 1, 3)
    with pytest.raises(ValueError, match="init must be one of auto, lecun"):
        mlp.init(draws, "xavier")
    with pytest.raises(ValueError, match="gain must be positive and finite"):
        mlp.init(draws, "auto", gain=float("inf"))


def test_probes_give_the_gradient_of_the_preactivations():
    parameters, x = network(depth=2)

    def loss(probes):
        return mlp.apply(parameters, x, jnp.tanh, probes=probes).output.sum()

    first, second = jax.grad(loss)(mlp.probes(parameters, 6))
    _, (z1, z2) = by_numpy(parameters, x, np.tanh)
    # backpropagation by hand
    delta2 = parameters.last.weight.astype(float).sum(1)[None] * (1 - np.tanh(z2) ** 2)
    delta1 = delta2 @ parameters.hidden[0].weight.astype(float).T * (1 - np.tanh(z1) ** 2)
    np.testing.assert_allclose(second, delta2, atol=1e-5)
    np.testing.assert_allclose(first, delta1, atol=1e-5)


def test_measures_against_a_direct_computation():
    rng = np.random.default_rng(1)
    slopes = np.array([[0.0, 9e-7, 0.3], [0.0, 2e-6, 0.01]], np.float32)
    assert float(measures.dead_share(slopes)) == pytest.approx(1 / 3)
    assert float(measures.saturated_share(slopes, 0.5)) == pytest.approx(5 / 6)  # below 0.025: all but 0.3
    assert np.isnan(float(measures.saturated_share(slopes, np.inf)))
    z = rng.normal(3.0, 2.0, (50, 7)).astype(np.float32)
    mean, std = measures.mean_and_std(z)
    np.testing.assert_allclose([mean, std], [z.mean(dtype=float), z.std(dtype=float)], rtol=1e-6)
    parameters, _ = network(depth=3)
    norms = [np.linalg.norm(w.weight) for w in (parameters.first, *parameters.hidden, parameters.last)]
    np.testing.assert_allclose(measures.weight_norms(parameters), norms, rtol=1e-6)
    np.testing.assert_allclose(measures.weight_norms(mlp.stacked(parameters)), norms, rtol=1e-6)


def test_value_and_slope_serves_functions_with_either_kind_of_rule():
    @jax.custom_vjp
    def clip(z):
        return jnp.clip(z, -1.0, 1.0)

    clip.defvjp(lambda z: (clip(z), None), lambda _, g: (g,))  # a straight-through estimator
    value, slope = value_and_slope(clip)(jnp.array([-3.0, 0.5]))
    np.testing.assert_array_equal(value, [-1.0, 0.5])
    np.testing.assert_array_equal(slope, [1.0, 1.0])


def test_value_and_slope_of_the_catalogue_are_its_own(x64):
    z = np.concatenate([np.linspace(-12, 12, 2001), [-1e30, -90.0, 90.0, 1e30]]).astype(np.float32)
    names = ["sigmoid", "tanh", "relu", "elu", "gelu", "silu", "mish", "softplus"]
    functions = [getattr(jaxacts, name) for name in names]
    analytic = [jaxacts.derivative(f) for f in functions]  # textbook forms, no part of autodiff
    found = jax.jit(lambda z: [value_and_slope(f)(z) for f in functions])(z)
    truth = jax.jit(lambda z: [(f(z), g(z)) for f, g in zip(functions, analytic, strict=True)])(
        z.astype(np.float64)
    )
    for name, (value, slope), (expected, gradient) in zip(names, found, truth, strict=True):
        assert value.dtype == slope.dtype == np.float32
        # the promise in float32: 4 ULP for the value, 5 for the slope, of at most 1.2e-7 each
        np.testing.assert_allclose(value, expected, rtol=5e-7, atol=1e-37, err_msg=name)
        # beside a zero of the slope the promise is of the larger neighbourhood, whose slopes are about 0.1
        np.testing.assert_allclose(slope, gradient, rtol=6e-7, atol=6e-8, err_msg=name)
    value, slope = value_and_slope(jaxacts.gelu)(jnp.ones(2, jnp.bfloat16))
    assert value.dtype == slope.dtype == jnp.bfloat16


def test_profiles_of_the_catalogue_and_of_other_callables():
    found = contenders(["relu", "sigmoid", lambda x: 3.0 * jnp.tanh(x)])
    profile, notes = profiles.profile(found, needs_gain=True)
    assert profile["relu"]["gain"] == pytest.approx(np.sqrt(2), rel=1e-5)  # 1/sqrt(E relu^2) = sqrt(2)
    assert profile["sigmoid"]["sup_derivative"] == 0.25
    assert not profile["sigmoid"]["sup_estimated"]
    assert profile["lambda"]["sup_derivative"] == pytest.approx(3.0, rel=1e-6)
    assert profile["lambda"]["sup_estimated"]
    assert "lambda was estimated" in notes[0]


@pytest.mark.parametrize(
    ("f", "supremum"),
    [
        (jnp.exp, None), (jnp.square, None), (lambda z: jnp.abs(z) ** 1.5, None),
        (lambda z: z * jax.nn.sigmoid(z), 1.0998), (lambda z: 2.0 * z, 2.0),
        (lambda z: jnp.sin(3.0 * z), 3.0),
    ],
)  # fmt: skip
def test_a_slope_that_grows_towards_the_ends_has_no_supremum(f, supremum):
    (found,) = profiles.profile(contenders([f]), needs_gain=False)[0].values()
    assert found["sup_derivative"] == (supremum and pytest.approx(supremum, rel=1e-4))


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (jax.nn.softmax, "not elementwise"),
        (lambda x: x - x.mean(), "not elementwise"),
        (lambda x: x[..., :1], "must keep the shape"),
        (lambda x: float(x), "is no use"),
    ],
)
def test_functions_that_are_not_elementwise_are_refused(f, message):
    with pytest.raises(ValueError, match=message):
        profiles.profile(contenders([f]), needs_gain=False)
