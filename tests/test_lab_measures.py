"""What is measured during training: every measure against a direct computation, and what is not asked for."""

import functools
import re
from pathlib import Path

import _training
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import jaxacts
from jaxacts.lab import config, execution, measures, mlp, spectra, training

FEATURES, CLASSES, DEPTH, WIDTH = 4, 3, 2, 4


@pytest.fixture(scope="module")
def data():
    return _training.task(FEATURES, CLASSES, train=40)


def initial():
    return mlp.init(mlp.draw(0, FEATURES, CLASSES, DEPTH, WIDTH), "lecun")


def layers(parameters):
    return (parameters.first, *parameters.hidden, parameters.last)


def logits(parameters, x):
    """The network in numpy or JAX, whichever the arrays are."""
    np_ = jnp if isinstance(x, jax.Array) else np
    for layer in layers(parameters)[:-1]:
        x = np_.tanh(x @ layer.weight + layer.bias[None])
    return x @ parameters.last.weight + parameters.last.bias[None]


@pytest.fixture(scope="module")
def train(data):
    """Training with the given measures, compiled once for each choice."""
    compiled = {}

    def call(names, stops, state=None, begin=0):
        program = training.Program((jaxacts.tanh,), measure=names)
        compiled.setdefault(names, jax.jit(training.make_train(program)))
        state = training.start(program, initial()) if state is None else state
        rows = np.roll(execution.minibatches(0, 40, 10, 0, 3), -begin, axis=0)
        run = training.make_run(0, 0.01)
        return compiled[names](state, run, data, rows, np.int32(begin), np.array(stops, np.int32))

    return call


@pytest.fixture(scope="module")
def trained(train):
    """Three steps with every measure, and the same without any."""
    return [train(names, [2, 3]) for names in (measures.MEASURES, ())]


def test_measures_are_the_same_when_training_is_cut_in_two(train, trained):
    state, first = train(measures.MEASURES, [2, 2])
    _, second = train(measures.MEASURES, [3, 3], state, begin=2)
    for name, whole in trained[0][1].items():
        np.testing.assert_array_equal([first[name][0], second[name][0]], whole, err_msg=name)


def test_measures_change_nothing_in_the_training(trained):
    (state, records), (bare_state, bare) = trained
    assert not set(measures.CURVES) & set(bare)
    assert set(records) == set(bare) | set(measures.CURVES)
    for name in bare:  # the same operations, compiled together with others: a few float32 roundings
        np.testing.assert_allclose(records[name], bare[name], rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(state.parameters.first.weight, bare_state.parameters.first.weight, rtol=1e-5)


@pytest.mark.parametrize("name", measures.CURVES)
def test_shapes_are_as_declared(trained, name):
    size = {"weights": (DEPTH + 1,), "layers": (DEPTH,), "values": (CLASSES,), "none": ()}
    values = trained[0][1][name]
    assert values.shape == (2, *size[measures.CURVES[name].axis])
    assert np.isfinite(values).all()
    assert measures.CURVES[name].measure in measures.MEASURES


def test_recorded_jacobian_is_that_of_the_trained_network(trained, data):
    state, records = trained[0]
    one = lambda x: logits(state.parameters, x[None])[0]  # noqa: E731
    x = jnp.asarray(data.x_validation[: spectra.JACOBIANS])
    jacobians = jax.jit(jax.vmap(jax.jacfwd(one)))(x)
    expected = np.linalg.svd(np.asarray(jacobians, float), compute_uv=False).mean(0)
    # float32 forward and backward pass through three layers
    np.testing.assert_allclose(records["jacobian"][-1], expected, rtol=1e-4)


def test_recorded_sharpness_is_the_largest_eigenvalue_of_the_hessian(trained, data):
    state, records = trained[0]
    flat, unravel = jax.flatten_util.ravel_pytree(state.parameters)

    def loss(flat):
        out = logits(unravel(flat), jnp.asarray(data.x_train))
        return -(jax.nn.log_softmax(out) * data.y_train).sum(1).mean()

    eigenvalues = np.linalg.eigvalsh(np.asarray(jax.jit(jax.hessian(loss))(flat), float))
    # 24 Lanczos steps of 55 find the outermost eigenvalue to float32 rounding of the Hessian itself
    assert records["sharpness"][-1] == pytest.approx(eigenvalues[-1], rel=1e-3)


def test_recorded_distance_and_effective_rank(trained, data):
    state, records = jax.device_get(trained[0])
    now, then = state.parameters, initial()
    moved = [
        np.linalg.norm(np.asarray(a.weight, float) - b.weight)
        for a, b in zip(layers(now), layers(then), strict=True)
    ]
    np.testing.assert_allclose(records["distance"][-1], moved, rtol=1e-5)
    h = data.x_validation.astype(float)
    for number, layer in enumerate(layers(now)[:-1]):
        h = np.tanh(h @ layer.weight + layer.bias)
        values = np.linalg.svd(h, compute_uv=False)
        expected = np.exp(scipy.stats.entropy(values))  # normalises, then -sum p log p
        np.testing.assert_allclose(records["effective_rank"][-1, number], expected, rtol=1e-4)


def test_recorded_quantiles_and_last_step(trained, data):
    state, records = jax.device_get(trained[0])
    z = data.x_validation.astype(float) @ state.parameters.first.weight + state.parameters.first.bias
    for share in measures.QUANTILES:
        recorded = records[f"preactivation_q{100 * share:02.0f}"][-1, 0]
        np.testing.assert_allclose(recorded, np.quantile(z, share), atol=1e-5)
    # Adam moves every weight by at most about the learning rate, 0.01, and by most of it in the first steps
    norms = [np.linalg.norm(layer.weight) / layer.weight.size**0.5 for layer in layers(state.parameters)]
    assert (records["update_ratio"][-1] * norms < 0.011).all()
    assert (records["update_ratio"][-1] * norms > 0.004).all()
    assert (records["zero_gradient"] == 0).all()  # tanh has no zero slope


@pytest.mark.parametrize("stack", [False, True])
def test_measures_of_weights_by_numpy(stack):
    rng = np.random.default_rng(2)
    before, after = (
        jax.tree.map(lambda w: rng.normal(size=w.shape).astype(np.float32), initial()) for _ in range(2)
    )
    before.hidden[0].weight[:2] = 0.0
    pairs = [
        (one.weight.astype(float), two.weight.astype(float))
        for one, two in zip(layers(before), layers(after), strict=True)
    ]
    if stack:
        before, after = mlp.stacked(before), mlp.stacked(after)
    np.testing.assert_allclose(measures.zero_shares(before), [(one == 0).mean() for one, _ in pairs])
    expected = [np.linalg.norm(two - one) for one, two in pairs]
    np.testing.assert_allclose(measures.distances(after, before), expected, rtol=1e-6)
    ratios = [value / np.linalg.norm(one) for value, (one, _) in zip(expected, pairs, strict=True)]
    np.testing.assert_allclose(measures.update_ratios(before, after), ratios, rtol=1e-6)


def test_effective_rank_of_special_matrices():
    rank = jax.jit(measures.effective_rank)
    assert rank(np.zeros((6, 4), np.float32)) == 0.0
    assert rank(np.outer(np.arange(6.0), np.arange(1.0, 5)).astype(np.float32)) == pytest.approx(
        1.0, abs=1e-4
    )
    assert rank(np.eye(6, 4, dtype=np.float32)) == pytest.approx(4.0, rel=1e-6)


@jax.jit
def eigenvalues_of(matrix):
    return spectra.lanczos(lambda v: matrix @ v, jnp.arange(1.0, 6, dtype=jnp.float32), 5)


@pytest.mark.parametrize(
    "eigenvalues",
    [[-3.0, -2.0, -1.0, -0.5, -4.0], [2.0] * 5, [0.0] * 5, [5.0, 1.0, 1.0, -7.0, 0.0]],
    ids=["negative", "one value", "zero", "indefinite"],
)
def test_lanczos_where_the_space_is_exhausted(eigenvalues):
    rng = np.random.default_rng(1)
    q = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    matrix = (q * eigenvalues @ q.T).astype(np.float32)
    found = eigenvalues_of(matrix)
    # float32: a few roundings of the largest eigenvalue
    assert float(found[-1]) == pytest.approx(max(eigenvalues), abs=1e-5)
    assert float(found[0]) == pytest.approx(min(eigenvalues), abs=1e-5)


def test_sharpness_of_a_large_quadratic():
    scales = np.linspace(0.0, 1.0, 400).astype(np.float32) ** 2 * 10
    loss = lambda p: 0.5 * (scales * p**2).sum()  # noqa: E731
    found = jax.jit(functools.partial(spectra.sharpness, loss))(jnp.ones(400, jnp.float32))
    # 24 steps resolve the edge of this dense spectrum to a few parts in a thousand, from below
    assert 0.99 * 10 < float(found) <= 10 * (1 + 1e-6)


def test_what_is_not_asked_for_is_not_in_the_program(data):
    def text(*names):
        program = training.Program((jaxacts.tanh,), measure=names)
        args = (
            training.start(program, initial()), training.make_run(0, 0.1), data,
            execution.minibatches(0, 40, 10, 0, 3), np.int32(0), np.array([3], np.int32),
        )  # fmt: skip
        return jax.jit(training.make_train(program)).lower(*args).as_text()

    bare = text()
    for word in ("lapack", "stablehlo.sort", "_eigh", "_svd"):
        assert word not in bare
    assert "stablehlo.sort" in text("quantiles")
    assert "svd" in text("effective_rank")
    assert training.start(training.Program((jaxacts.relu,)), initial()).origin is None


def test_words_and_names_of_measures():
    chosen = lambda *names: config.CompareConfig(measure=names).measure  # noqa: E731
    assert config.CompareConfig().measure == measures.DEFAULT
    assert chosen("all") == measures.MEASURES
    assert chosen("none") == config.CompareConfig(measure=()).measure == ()
    assert chosen("sharpness", "default") == (*measures.DEFAULT, "sharpness")
    with pytest.raises(
        ValueError, match=r"measure must be among .*got 'sharpnes'; did you mean 'sharpness'\?"
    ):
        chosen("sharpnes")


def test_every_measure_is_documented():
    page = (Path(__file__).parents[1] / "docs" / "measures.md").read_text("utf-8")
    assert all(f"| `{name}`" in page for name in measures.MEASURES)
    starred = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `") and "` *" in line]
    assert tuple(starred) == measures.DEFAULT


def test_singular_values_are_taken_one_matrix_at_a_time():
    # jaxlib's batched routine waits for other threads of XLA on one of them: two runs at a time stood still
    x = np.ones((5, 3), np.float32)
    program = str(jax.make_jaxpr(lambda x: spectra.jacobian_values(lambda x: jnp.tanh(x), x))(x))
    taken = re.findall(r"f32\[([\d,]+)\] = svd\[", program)
    assert taken == ["3"]
