"""The training program: against a plain Optax loop, in chunks, without retracing, and in its variants."""

import functools

import _training
import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxacts
from jaxacts.lab import config, execution, mlp, training
from jaxacts.lab.switch import switch, value_and_slope

ACTIVATIONS = (jaxacts.tanh, jaxacts.relu, jaxacts.silu)
FEATURES, CLASSES, DEPTH, WIDTH, STEPS, BATCH = 5, 3, 3, 8, 12, 10


@pytest.fixture(scope="module")
def data():
    return _training.task(FEATURES, CLASSES, train=50)


def initial(seed=0, depth=DEPTH, normalisation="none"):
    return mlp.init(mlp.draw(seed, FEATURES, CLASSES, depth, WIDTH), "lecun", normalisation=normalisation)


def order(seed=0, steps=STEPS):
    return execution.minibatches(seed, 50, BATCH, 0, steps)


@pytest.fixture(scope="module")
def adam(data):
    """One compilation for every test with the plain Adam program, and a guard that it is only one."""
    program = training.Program(ACTIVATIONS)
    train = jax.jit(chex.assert_max_traces(training.make_train(program), n=1))

    def call(activation=0, rate=0.01, seed=0, state=None, rows=None, begin=0, stops=(4, 8, 12)):
        state = training.start(program, initial(seed)) if state is None else state
        rows = order(seed) if rows is None else rows
        run = training.make_run(activation, rate, supremum=1.0)
        return train(state, run, data, rows, np.int32(begin), np.array(stops, np.int32))

    return call


def by_optax(data, f, optimizer, rate, stops=(4, 8, 12)):
    """The same training as a plain Python loop, written as a user of JAX and Optax would."""
    weights = jax.tree.leaves(initial())

    def logits(weights, x, f=f):
        layers = list(zip(weights[::2], weights[1::2], strict=True))
        for w, b in layers[:-1]:
            x = f(x @ w + b[None])
        return x @ layers[-1][0] + layers[-1][1][None]

    def loss(weights, x, y):
        return optax.softmax_cross_entropy(logits(weights, x), y).mean()

    tx = {"adam": optax.adam, "sgd": optax.sgd, "momentum": lambda rate: optax.sgd(rate, momentum=0.9)}[
        optimizer
    ](rate)
    state = tx.init(weights)

    @jax.jit
    def step(weights, state, x, y):
        value, gradient = jax.value_and_grad(loss)(weights, x, y)
        with jax.numpy_dtype_promotion("standard"):
            updates, state = tx.update(gradient, state, weights)
        return optax.apply_updates(weights, updates), state, value, gradient

    records, losses = [], []
    for number, rows in enumerate(order(), 1):
        weights, state, value, gradient = step(weights, state, data.x_train[rows], data.y_train[rows])
        losses.append(float(value))
        if number in stops:
            test = np.asarray(logits(weights, data.x_test))
            records.append(
                {
                    "train_loss": np.mean(losses),
                    "test_accuracy": np.mean(test.argmax(1) == data.y_test.argmax(1)),
                    "validation_loss": float(loss(weights, data.x_validation, data.y_validation)),
                    "gradient_norm": [np.linalg.norm(g) for g in gradient[::2]],
                }
            )
            losses = []
    return records


@pytest.mark.parametrize("number", range(len(ACTIVATIONS)))
def test_training_is_what_a_plain_optax_loop_does(adam, data, number):
    _, records = adam(number)
    for position, expected in enumerate(by_optax(data, ACTIVATIONS[number], "adam", 0.01)):
        for name, value in expected.items():
            # float32 rounding amplified over 12 Adam steps
            np.testing.assert_allclose(records[name][position], value, rtol=2e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
def test_the_other_optimisers(data, optimizer):
    program = training.Program((jaxacts.tanh,), optimizer=optimizer, measure=("gradient_norm",))
    train = jax.jit(training.make_train(program))
    start = training.start(program, initial())
    _, records = train(start, training.make_run(0, 0.05), data, order(), 0, np.array([4, 8, 12]))
    for position, expected in enumerate(by_optax(data, jnp.tanh, optimizer, 0.05)):
        for name, value in expected.items():
            np.testing.assert_allclose(records[name][position], value, rtol=2e-4, atol=1e-5, err_msg=name)


def test_one_compilation_serves_all_activations_rates_and_seeds(adam):
    seen = [
        adam(number, rate, seed)[1]["test_loss"]
        for number, rate, seed in [(0, 0.01, 0), (1, 0.1, 1), (2, 0.5, 2)]
    ]
    assert len({float(value[-1]) for value in seen}) == 3  # the guard in the fixture raises on a second trace


def test_chunks_continue_bit_by_bit(adam):
    rows = order()
    _, whole = adam(2)
    state, pieces = None, []
    for begin in (0, 4, 8):
        padded = np.zeros_like(rows)
        padded[:4] = rows[begin : begin + 4]
        # the stops are padded by repeating the last one, which trains no further
        state, records = adam(2, state=state, rows=padded, begin=begin, stops=[begin + 4] * 3)
        pieces.append({name: value[:1] for name, value in records.items()})
    for name, value in whole.items():
        np.testing.assert_array_equal(np.concatenate([piece[name] for piece in pieces]), value, err_msg=name)


def test_measures_are_taken_on_the_validation_part(adam, data):
    state, records = adam(0)
    f, weights = np.tanh, jax.device_get(state.parameters)
    h = data.x_validation.astype(float)
    for number, layer in enumerate((weights.first, *weights.hidden)):
        z = h @ layer.weight + layer.bias
        slope = 1 - np.tanh(z) ** 2
        # float32 forward pass; shares change in steps of 1/160, so a rounding at the threshold would show
        np.testing.assert_allclose(records["preactivation_mean"][-1, number], z.mean(), atol=1e-5)
        np.testing.assert_allclose(records["preactivation_std"][-1, number], z.std(), rtol=1e-4)
        np.testing.assert_allclose(records["saturated"][-1, number], (slope < 0.05).mean(), atol=1e-6)
        np.testing.assert_allclose(records["dead"][-1, number], (slope < 1e-6).all(0).mean(), atol=1e-6)
        h = f(z)


def test_dead_and_saturated_units_are_found(data):
    program = training.Program((jaxacts.relu,))
    parameters = initial()
    parameters.first.bias[:2] = -100.0  # two of eight units never open
    _, records = jax.jit(training.make_train(program))(
        training.start(program, parameters), training.make_run(0, 1e-6), data, order(), 0, np.array([1])
    )
    assert records["dead"][0, 0] == pytest.approx(0.25)
    assert records["saturated"][0, 0] > 0.25


def test_regression_is_scored_by_the_coefficient_of_determination():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(50, 2)).astype(np.float32)
    y = x.sum(1, keepdims=True)
    program = training.Program((jaxacts.identity,), task="regression", optimizer="sgd", measure=())
    weights = [np.full((2, 4), 0.5, np.float32), np.full((4, 1), 0.4, np.float32)]
    parameters = mlp.Parameters(
        mlp.Layer(weights[0], np.zeros(4, np.float32)), (), mlp.Layer(weights[1], np.zeros(1, np.float32))
    )
    _, records = jax.jit(training.make_train(program))(
        training.start(program, parameters), training.make_run(0, 0.0), training.Data(x, y, x, y, x, y),
        execution.minibatches(0, 50, 50, 0, 1), 0, np.array([1]),
    )  # fmt: skip
    error = y - 0.8 * y  # the network multiplies the sum by 0.5 * 0.4 * 4
    assert records["test_score"][0] == pytest.approx(
        1 - (error**2).sum() / ((y - y.mean()) ** 2).sum(), rel=1e-5
    )
    assert records["validation_loss"][0] == pytest.approx((error**2).mean(), rel=1e-5)


def test_all_extras_train_together(data):
    program = training.Program(
        (jaxacts.relu,), normalisation="batch", residual=True, dropout=True, weight_decay=True,
        precision="bfloat16",
    )  # fmt: skip
    train = jax.jit(training.make_train(program))
    start = training.start(program, initial(normalisation="batch"))
    rows = order(steps=60)
    run = training.make_run(0, 0.01, weight_decay=1e-3, dropout=0.1, seed=4)
    _, records = train(start, run, data, rows, 0, np.array([5, 60]))
    chex.assert_tree_all_finite(records)
    assert records["validation_loss"][1] < 0.8 * records["train_loss"][0]
    _, again = train(start, run, data, rows, 0, np.array([5, 60]))
    chex.assert_trees_all_equal(records, again)
    _, other = train(start, run._replace(seed=np.uint32(5)), data, rows, 0, np.array([5, 60]))
    assert (records["train_loss"] != other["train_loss"]).any()  # other dropout masks


def test_weight_decay_shrinks_weights_and_not_biases(data):
    program = training.Program((jaxacts.tanh,), optimizer="sgd", weight_decay=True, measure=())
    train, start = jax.jit(training.make_train(program)), training.start(program, initial())
    runs = [training.make_run(0, 0.1, weight_decay=rate) for rate in (0.5, 0.0)]
    after = [train(start, run, data, order(), 0, np.array([1]))[0].parameters for run in runs]
    before = initial()
    np.testing.assert_allclose(
        after[0].first.weight, np.asarray(after[1].first.weight) - 0.1 * 0.5 * before.first.weight, atol=1e-6
    )
    np.testing.assert_allclose(after[0].first.bias, after[1].first.bias, atol=1e-7)


@pytest.fixture(scope="module")
def half(data):
    """One compilation for every test of float16: one or several steps from a given state."""
    program = training.Program(
        (jaxacts.tanh,), precision="float16", measure=("gradient_norm", "zero_gradient")
    )
    train = jax.jit(training.make_train(program))

    def call(stops, parameters=None, scale=None):
        start = training.start(program, initial() if parameters is None else parameters)
        start = start if scale is None else start._replace(scale=(np.float32(scale[0]), np.int32(scale[1])))
        state, records = train(start, training.make_run(0, 0.01), data, order(), 0, np.array(stops, np.int32))
        return start, state, records

    return call


def test_float16_scales_the_loss_and_skips_overflow(half, data):
    _, _, records = half([1, 12])
    exact = by_optax(data, jnp.tanh, "adam", 0.01, stops=(1, 12))
    # half precision keeps 11 bits; the norms are those of the loss itself, not of the scaled one
    np.testing.assert_allclose(records["gradient_norm"][0], exact[0]["gradient_norm"], rtol=5e-3)
    start, state, _ = half([1, 1], scale=(2.0**24, 0))
    assert float(state.scale[0]) == 2.0**23
    chex.assert_trees_all_equal(state.parameters, start.parameters)


def test_the_loss_scale_grows_after_many_finite_steps(half):
    before = training._GROWTH_INTERVAL - 1
    _, state, _ = half([1, 1], scale=(2.0**10, before))
    assert (float(state.scale[0]), int(state.scale[1])) == (2.0**11, 0)
    _, state, _ = half([1, 1], scale=(2.0**10, before - 1))
    assert (float(state.scale[0]), int(state.scale[1])) == (2.0**10, before)


def test_the_loss_scale_saves_gradients_that_float16_would_lose(half):
    parameters = initial()
    # the signal back from the last layer is 1e-7 times a tenth or less: below float16's smallest, 6e-8
    parameters = parameters._replace(last=parameters.last._replace(weight=1e-7 * parameters.last.weight))
    lost = [half([1, 1], parameters, (scale, 0))[2]["zero_gradient"][0, 0] for scale in (1.0, 2.0**12)]
    assert lost[0] > 0.9
    assert lost[1] < 0.2


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_every_product_of_16_bit_training_has_16_bit_factors(data, precision):
    program = training.Program((jaxacts.silu,), precision=precision, normalisation="layer", residual=True)
    args = (
        training.start(program, initial(normalisation="layer")), training.make_run(0, 0.1), data, order(),
        np.int32(0), np.array([1], np.int32),
    )  # fmt: skip
    text = jax.jit(training.make_train(program)).lower(*args).as_text()
    short = {"bfloat16": "bf16", "float16": "f16"}[precision]
    products = [line for line in text.splitlines() if "dot_general" in line]
    # forward, two for the backward pass (one for the first layer), and evaluation with a scan over layers
    assert len(products) >= 3 * (DEPTH + 1) - 1 + 3
    for line in products:
        types = line[line.rindex(" : ") :]
        assert types.count(f"x{short}>") == 3, line


def test_16_bit_training_rounds_after_every_operation(data):
    program = training.Program((jaxacts.tanh,), precision="bfloat16", residual=True, measure=())
    options = training.compiler_options("bfloat16")
    train = jax.jit(training.make_train(program), compiler_options=options)
    start = training.start(program, initial())
    _, records = train(start, training.make_run(0, 0.0), data, order(), 0, np.array([1], np.int32))

    def loss(narrow):
        h = narrow(data.x_validation)
        for number, layer in enumerate((start.parameters.first, *start.parameters.hidden)):
            z = narrow(narrow(h @ narrow(layer.weight)) + narrow(layer.bias))
            value = narrow(np.tanh(z))
            h = narrow(h + value) if number else value
        logits = narrow(narrow(h @ narrow(start.parameters.last.weight)) + narrow(start.parameters.last.bias))
        return (np.log(np.exp(logits).sum(1)) - (logits * data.y_validation).sum(1)).mean()

    def bfloat16(values):
        return np.asarray(values, np.float32).astype(jnp.bfloat16).astype(np.float32)

    # a float32 mean of 20 losses, but for a rare value that lies between two numbers of bfloat16
    assert records["validation_loss"][0] == pytest.approx(loss(bfloat16), rel=2e-5)
    assert abs(loss(np.asarray) / loss(bfloat16) - 1) > 2e-4  # what more digits would give


def test_evaluation_uses_running_statistics_and_no_dropout(data):
    program = training.Program(
        (jaxacts.tanh,), normalisation="batch", residual=True, dropout=True, measure=()
    )
    train = jax.jit(training.make_train(program))
    start = training.start(program, initial(normalisation="batch"))
    run = training.make_run(0, 0.01, dropout=0.5, seed=3)
    state, records = train(start, run, data, order(), 0, np.array([12], np.int32))
    weights, running = jax.device_get((state.parameters, state.statistics))
    assert np.abs(running.mean).max() > 0.05  # they have moved from 0
    h = data.x_validation.astype(float)
    for number, layer in enumerate((weights.first, *weights.hidden)):
        z = h @ layer.weight + layer.bias
        z = (z - running.mean[number]) / np.sqrt(running.variance[number] + 1e-5) * layer.scale + layer.shift
        h = np.tanh(z) + (h if number else 0.0)
    logits = h @ weights.last.weight + weights.last.bias
    loss = (np.log(np.exp(logits).sum(1)) - (logits * data.y_validation).sum(1)).mean()
    # float32 forward pass of four layers
    assert records["validation_loss"][0] == pytest.approx(loss, rel=1e-5)


def test_compile_time_does_not_hang_on_depth(data):
    sizes = []
    for depth in (40, 80):
        program = training.Program((jaxacts.relu,), measure=())
        start = training.start(program, initial(depth=depth))
        lowered = jax.jit(training.make_train(program)).lower(
            start, training.make_run(0, 0.1), data, order(), np.int32(0), np.array([1], np.int32)
        )
        sizes.append(lowered.as_text().count("\n"))
    assert sizes[0] == sizes[1]


def test_bad_settings():
    with pytest.raises(ValueError, match="optimizer must be one of adam, sgd, momentum"):
        training.transformation("lion")
    with pytest.raises(ValueError, match="must keep the shape"):
        jax.eval_shape(value_and_slope(lambda z: z[:1]), jnp.ones(3))


@chex.variants(with_jit=True, without_jit=True)
class SwitchTest(chex.TestCase):
    def test_values_of_all_rows_and_slopes_of_the_first(self):
        z = jnp.linspace(-3, 3, 12).reshape(4, 3)
        chosen = self.variant(functools.partial(switch(ACTIVATIONS).pair, rows=2))
        for index, f in enumerate(ACTIVATIONS):
            value, slope = chosen(index, z)
            # compiled within another program: a few roundings
            chex.assert_trees_all_close(value, f(z), rtol=1e-6)
            chex.assert_trees_all_close(slope, jax.vmap(jax.vmap(jax.grad(f)))(z[:2]), rtol=1e-6)


def test_every_axis_of_the_grid_may_be_a_list():
    several = {
        "init": ("lecun", "he"), "optimizer": ("adam", "sgd"), "depth": (1, 2), "width": (4, 8),
        "batch_size": (5, 10), "precision": ("float32", "bfloat16", "float16"),
        "normalisation": ("none", "layer", "batch"), "residual": (False, True), "dropout": (0.0, 0.5),
        "weight_decay": (0.0, 0.1),
    }  # fmt: skip
    assert set(several) == set(config.AXES)
    wanted = config.CompareConfig(
        seeds=2, learning_rates=[0.1, 0.01], activations=["relu", "tanh"], **several
    )
    runs = config.run_list(wanted, ["relu", "tanh"])
    # the product: eight axes of two values, two of three, and two activations, rates and seeds
    assert len(runs) == 2**8 * 3**2 * 2**3
    assert len({tuple(run.items()) for run in runs}) == len(runs)
    programs = {execution.key_of(run) for run in runs}
    assert len(programs) == len(runs) / (2**3 * 2)  # activation, rate, seed and initialiser need no program
