"""Trainable activations inside five frameworks; each test is skipped where its framework is not installed."""

import functools
import importlib
import importlib.util
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxacts import trainable

X = np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32)
SPECS = [trainable.prelu, trainable.rational, trainable.apl]
each = pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
# The frameworks do not run under strict promotion, which the tests of jaxacts itself do.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def _standard_promotion():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        yield


def _leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def _check_training(params, loss):
    """Every activation parameter gets a gradient, and a step of gradient descent changes it."""
    gradient = jax.grad(loss)(params)
    assert all(np.isfinite(g).all() for g in _leaves(gradient))
    moved = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
    assert all((a != b).any() for a, b in zip(_leaves(params), _leaves(moved), strict=True))
    assert loss(moved) != loss(params)


@each
def test_nnx(spec):
    nnx = pytest.importorskip("flax.nnx")
    from jaxacts.adapters.nnx import layer

    activation = layer(spec, (3,))

    class Model(nnx.Module):
        def __init__(self, rngs):
            self.first, self.second = activation(rngs=rngs), activation(rngs=rngs)

        def __call__(self, x):
            return self.second(self.first(x))

    model = Model(nnx.Rngs(0))
    graph, params = nnx.split(model, nnx.Param)
    assert len(jax.tree.leaves(params)) == 2 * len(spec.init(jax.random.key(0)))  # two layers, two sets
    assert all(leaf.shape[-1] == 3 for leaf in jax.tree.leaves(params))
    _check_training(params, lambda p: (nnx.merge(graph, p)(X) ** 2).mean())
    traces = []

    @nnx.jit
    def run(model, x):
        traces.append(1)
        return model(x)

    for seed in range(3):
        run(Model(nnx.Rngs(seed)), X)
    assert len(traces) == 1


@each
def test_linen(spec):
    linen = pytest.importorskip("flax.linen")
    from jaxacts.adapters.linen import layer

    activation = layer(spec, (3,))

    class Model(linen.Module):
        @linen.compact
        def __call__(self, x):
            return activation()(activation()(x))

    variables = Model().init(jax.random.key(0), X)
    assert len(variables["params"]) == 2
    _check_training(variables["params"], lambda p: (Model().apply({"params": p}, X) ** 2).mean())
    traces = []

    @functools.partial(jax.jit, static_argnums=0)
    def run(model, variables):
        traces.append(1)
        return model.apply(variables, X)

    for _ in range(3):
        run(Model(), variables)
    single = layer(spec)()
    assert single == layer(spec)()
    assert hash(single) == hash(layer(spec)())
    assert len(traces) == 1


@each
def test_equinox(spec):
    eqx = pytest.importorskip("equinox")
    from jaxacts.adapters.equinox import layer

    activation = layer(spec, (3,))

    def build(seed):
        keys = jax.random.split(jax.random.key(seed))
        return eqx.nn.Sequential([activation(key=keys[0]), activation(key=keys[1])])

    params, static = eqx.partition(build(0), eqx.is_inexact_array)
    assert len(jax.tree.leaves(params)) == 2 * len(spec.init(jax.random.key(0)))
    _check_training(params, lambda p: (jax.vmap(eqx.combine(p, static))(X) ** 2).mean())
    traces = []

    @eqx.filter_jit
    def run(model, x):
        traces.append(1)
        return jax.vmap(model)(x)

    for seed in range(3):
        run(build(seed), X)
    assert len(traces) == 1


def test_equinox_mlp_has_one_activation_per_neuron():
    eqx = pytest.importorskip("equinox")
    from jaxacts.adapters.equinox import layer

    key = jax.random.key(0)
    mlp = eqx.nn.MLP(3, 1, 8, 2, layer(trainable.prelu)(), key=key)
    assert mlp.activation.params["negative_slope"].shape == (2, 8)
    gradient = eqx.filter_grad(lambda m: (jax.vmap(m)(X) ** 2).mean())(mlp)
    assert (np.abs(gradient.activation.params["negative_slope"]) > 0).any()


@each
def test_haiku(spec):
    hk = pytest.importorskip("haiku")
    from jaxacts.adapters.haiku import layer

    def build():
        activation = layer(spec, (3,))
        return hk.without_apply_rng(hk.transform(lambda x: activation()(activation()(x))))

    model = build()
    params = model.init(jax.random.key(0), X)
    assert set(params) == {spec.name, f"{spec.name}_1"}
    _check_training(params, lambda p: (model.apply(p, X) ** 2).mean())
    traces = []

    @jax.jit
    def run(params, x):
        traces.append(1)
        return model.apply(params, x)

    for seed in range(3):
        run(build().init(jax.random.key(seed), X), X)
    assert len(traces) == 1


@pytest.fixture
def keras():
    if importlib.util.find_spec("keras") is None:
        pytest.skip("keras is not installed")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    module = importlib.import_module("keras")
    if module.backend.backend() != "jax":
        pytest.skip("keras runs on another backend")
    return module


@each
def test_keras(spec, keras, tmp_path):
    from jaxacts.adapters.keras import layer

    activation = layer(spec, (3,))

    def build():
        return keras.Sequential([keras.layers.Input((3,)), activation(), activation()])

    model = build()
    assert len(model.trainable_weights) == 2 * len(spec.init(jax.random.key(0)))
    before = [np.asarray(w.value) for w in model.trainable_weights]

    def loss(values):
        y, _ = model.stateless_call(values, [], X)
        return (y**2).mean()

    _check_training([w.value for w in model.trainable_weights], loss)
    model.compile(keras.optimizers.SGD(0.1), loss="mse")
    model.fit(X, np.ones_like(X), epochs=1, verbose=0)
    after = [np.asarray(w.value) for w in model.trainable_weights]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X), model(X))
    assert loaded.layers[0].get_config() == model.layers[0].get_config()


def test_keras_keeps_settings(keras):
    from jaxacts.adapters.keras import layer

    made = layer(trainable.prelu.having(negative_slope=0.5))(name="slope")
    made(X)
    again = type(made).from_config(made.get_config())
    again(X)
    assert float(again.trainable_weights[0].value) == 0.5


@pytest.mark.parametrize(
    ("adapter", "package"),
    [("nnx", "flax"), ("linen", "flax"), ("equinox", "equinox"), ("haiku", "dm-haiku"), ("keras", "keras")],
)
def test_missing_framework_is_a_friendly_error(adapter, package, monkeypatch):
    from jaxacts import adapters

    module = importlib.import_module(f"jaxacts.adapters.{adapter}")  # does not import the framework
    build = getattr(module, "_layer" if adapter == "keras" else "_module")
    build.cache_clear()

    def missing(name, *_):
        raise ImportError(name)

    monkeypatch.setattr(adapters.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=f"not installed: pip install {package}"):
        module.layer(trainable.prelu)
    build.cache_clear()


def test_plain_functions_need_no_adapter():
    import jaxacts

    get = lambda: jaxacts.get("leaky_relu", negative_slope=0.2)  # noqa: E731
    traces = []

    @functools.partial(jax.jit, static_argnums=0)
    def run(f, x):
        traces.append(1)
        return f(x)

    for _ in range(3):
        run(get(), jnp.ones(2))
    assert len(traces) == 1
    if importlib.util.find_spec("equinox"):
        eqx = importlib.import_module("equinox")
        sequential = eqx.nn.Sequential([eqx.nn.Linear(3, 2, key=jax.random.key(0)), get()])
        assert sequential(X[0]).shape == (2,)
