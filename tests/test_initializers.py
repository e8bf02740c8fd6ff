"""Initialisers: variances, orthogonality, fans, the frameworks that take them, and bad arguments."""

import math
import pickle
import random

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxacts
from jaxacts import initializers as init

KEY = jax.random.key(0, impl="rbg")  # whose draws compile in a fraction of the time
TANH_GAINS = {"he": 1.592537419722830, "centred": 1.592537419722830, "backward": 1.467419}
KERNELS = {
    "dense": ((300, 200), {}, 300, 200),
    "conv": ((3, 3, 40, 60), {}, 360, 540),
    "torch-conv": ((60, 40, 3, 3), {"in_axis": 1, "out_axis": 0}, 360, 540),
    "heads": ((50, 8, 60), {"in_axis": 0, "out_axis": (1, 2)}, 50, 480),
    "experts": ((10, 60, 100), {"batch_axis": 0}, 60, 100),
}


@pytest.mark.parametrize("name", KERNELS)
def test_fans(name):
    shape, axes, fan_in, fan_out = KERNELS[name]
    assert init.fans(shape, **axes) == (fan_in, fan_out)


@pytest.mark.parametrize("distribution", ["truncated_normal", "normal", "uniform"])
@pytest.mark.parametrize("name", KERNELS)
def test_variance_follows_the_fan(name, distribution):
    shape, axes, fan_in, fan_out = KERNELS[name]
    fans = {init.lecun: fan_in, init.he: fan_in / 2, init.glorot: (fan_in + fan_out) / 2}
    for make, fan in fans.items():
        w = np.asarray(make(distribution=distribution, **axes)(KEY, shape, jnp.float32), dtype=float)
        # The sample variance of n draws has relative deviation sqrt((kurtosis - 1) / n) <= sqrt(2 / n): five
        # of them.
        assert w.var() * fan == pytest.approx(1, rel=5 * math.sqrt(2 / w.size))
        assert abs(w.mean()) < 5 * w.std() / math.sqrt(w.size)


@pytest.mark.parametrize("distribution", ["normal", "uniform", "truncated_normal"])
def test_the_law_of_the_draws(distribution):
    w = (
        np.asarray(init.lecun(distribution=distribution)(KEY, (100, 200), jnp.float32), dtype=float).ravel()
        * 10
    )
    shrink = stats.truncnorm.std(-2, 2)
    law = {
        "normal": stats.norm(),
        "uniform": stats.uniform(-math.sqrt(3), 2 * math.sqrt(3)),
        "truncated_normal": stats.truncnorm(-2, 2, scale=1 / shrink),
    }[distribution]
    # One fixed key: a correct sampler fails at this level once in a thousand keys.
    assert stats.kstest(w, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize(
    ("ours", "jaxs"),
    [
        (init.lecun(), jax.nn.initializers.lecun_normal()),
        (init.glorot(distribution="uniform"), jax.nn.initializers.glorot_uniform()),
        (init.he(), jax.nn.initializers.he_normal()),
    ],
    ids=["lecun", "glorot", "he"],
)
def test_defaults_are_the_initialisers_of_jax(ours, jaxs):
    ours, jaxs = ours(KEY, (30, 20), jnp.float32), jaxs(KEY, (30, 20), jnp.float32)
    # sqrt(2)^2 is not exactly 2: one unit in the last place.
    chex.assert_trees_all_close(ours, jaxs, rtol=2e-7, atol=0)


@pytest.mark.parametrize("kind", TANH_GAINS)
def test_gain_of_an_activation_has_three_meanings(kind):
    plain, scaled = (f(KEY, (64, 64), jnp.float32) for f in (init.lecun(), init.lecun(jaxacts.tanh, kind)))
    # float32 moments are good to 2e-6; the backward value above has seven digits
    assert float(scaled[0, 0] / plain[0, 0]) == pytest.approx(TANH_GAINS[kind], rel=5e-6)


def test_gains_of_any_callable_and_of_bound_parameters():
    assert init.he(lambda x: 2 * x) == init.he(0.5)
    leaky = init.he(jaxacts.get("leaky_relu", negative_slope=0.3))
    # He's sqrt(2 / (1 + a^2)); the scale is its square.
    assert dict(leaky.settings)["scale"] == pytest.approx(2 / 1.09, rel=1e-5)
    assert dict(init.he(jaxacts.relu, mode="fan_out").settings)["mode"] == "fan_out"


def test_initialisers_can_be_made_while_tracing():
    @jax.jit
    def draw(key):
        return init.lecun(jaxacts.silu)(key, (8, 8), jnp.float32)

    chex.assert_trees_all_close(draw(KEY), init.lecun(jaxacts.silu)(KEY, (8, 8), jnp.float32), rtol=1e-6)


def test_equal_settings_are_equal_hashable_and_picklable():
    first, second = init.glorot(jaxacts.gelu), init.glorot(jaxacts.gelu)
    assert first == second
    assert hash(first) == hash(second)
    assert pickle.loads(pickle.dumps(first)) == first
    assert init.lecun(in_axis=[0, 1], out_axis=2) == init.lecun(in_axis=(0, 1), out_axis=2)
    assert first != init.glorot(jaxacts.gelu, distribution="uniform")
    assert "scale=" in repr(first)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_types(dtype):
    makers = [init.lecun(), init.orthogonal(), init.bias(0.1), init.fixup(4).last]
    for make in makers:
        chex.assert_type(make(KEY, (4, 6), dtype), dtype)
    assert init.lecun()(KEY, (4, 6)).dtype == jnp.float32
    with pytest.raises(TypeError, match="dtype"):
        init.lecun()(KEY, (4, 6), jnp.int32)


@pytest.mark.parametrize("shape", [(40, 40), (25, 40), (40, 25), (3, 3, 8, 20), (2, 2, 4, 50)], ids=str)
def test_orthogonal_kernels(shape):
    w = np.asarray(init.orthogonal(2.0)(KEY, shape, jnp.float32), dtype=float)
    flat = w.reshape(-1, shape[-1])
    gram = flat @ flat.T if flat.shape[0] < flat.shape[1] else flat.T @ flat
    # Householder QR is orthogonal to a few units of float32 roundoff (6e-8), here times 2^2.
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), rtol=0, atol=4 * 2e-6)


def test_orthogonal_matrices_in_double_precision_and_along_another_axis(x64):
    w = np.asarray(init.orthogonal(column_axis=0)(KEY, (30, 20), jnp.float64))
    np.testing.assert_allclose(w.T @ w, np.eye(20), rtol=0, atol=1e-14)


def test_orthogonal_matrices_are_uniform_over_the_group():
    draw = jax.vmap(lambda key: init.orthogonal()(key, (3, 3), jnp.float32))
    w = np.asarray(draw(jax.random.split(KEY, 400)))
    # Uniform: every entry squared has mean 1/3 (deviation about 0.3), every sign is fair, half are
    # reflections.
    assert np.abs((w**2).mean(0) - 1 / 3).max() < 5 * 0.3 / math.sqrt(400)
    assert np.abs((w > 0).mean(0) - 0.5).max() < 5 * 0.5 / math.sqrt(400)
    assert abs((np.linalg.det(w) > 0).mean() - 0.5) < 5 * 0.5 / math.sqrt(400)


def test_a_delta_orthogonal_convolution_keeps_norms():
    kernel = init.delta_orthogonal()(KEY, (3, 3, 8, 16), jnp.float32)
    x = jax.random.normal(KEY, (2, 7, 7, 8))
    y = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    norms = [np.linalg.norm(np.asarray(a, dtype=float), axis=-1) for a in (x, y)]
    np.testing.assert_allclose(norms[1], norms[0], rtol=2e-6)  # float32 sums of 8 products
    assert int(jnp.sum(jnp.abs(kernel).sum((2, 3)) > 0)) == 1


def test_biases():
    b = np.asarray(init.bias(0.3)(KEY, (20_000,), jnp.float32))
    assert b.std() == pytest.approx(0.3, rel=5 / math.sqrt(2 * b.size))
    chex.assert_trees_all_equal(init.bias(0.0)(KEY, (5,), jnp.float32), jnp.zeros(5))


def test_fixup_and_t_fixup_scale_with_depth():
    inner, last, head = init.fixup(branches=27, layers=3)
    # L^(-1/(2m-2)) = 27^(-1/4) on the weights, its square on the variance, times He's 2
    assert dict(inner.settings)["scale"] == pytest.approx(2 * 27**-0.5, rel=1e-12)
    assert not np.any(last(KEY, (4, 4), jnp.float32))
    assert not np.any(head(KEY, (4, 4), jnp.float32))
    encoder, decoder = (dict(init.t_fixup(16, side).settings)["scale"] for side in ("encoder", "decoder"))
    assert encoder == pytest.approx((0.67 / 2) ** 2, rel=1e-12)
    assert decoder == pytest.approx(1 / 12, rel=1e-12)


def test_fixup_starts_as_the_identity_where_he_explodes():
    width, depth = 64, 64

    inner, last, _ = init.fixup(depth)

    @jax.jit
    def power(key):
        def layer(h, keys, first, second):
            return h + jax.nn.relu(h @ first(keys[0], shape)) @ second(keys[1], shape), None

        keys = jax.random.split(key, (depth, 2))
        fixed, _ = jax.lax.scan(lambda h, k: layer(h, k, inner, last), x, keys)
        plain, _ = jax.lax.scan(lambda h, k: layer(h, k, init.he(), init.lecun()), x, keys)
        return jnp.mean(fixed**2), jnp.mean(plain**2)

    shape = (width, width)
    x = jax.random.normal(KEY, (8, width))
    fixed, plain = power(KEY)
    assert float(fixed) == pytest.approx(float(jnp.mean(x**2)), rel=1e-6)  # every branch starts at zero
    assert float(plain) > 2.0 ** (depth / 2)  # each branch doubles it


class TestLsuv:
    def _net(self, params, x):
        outputs = {}
        for name in ("first", "second"):
            x = x @ params["net"][name]["w"] + params["net"][name]["b"][None, :]
            outputs[f"net/{name}"] = x
            x = jax.nn.relu(x)
        return outputs

    def _params(self, bias):
        layer = lambda key, shape: {"w": jax.random.normal(key, shape), "b": jnp.full(shape[1], bias)}  # noqa: E731
        return {"net": {"first": layer(KEY, (10, 30)), "second": layer(KEY, (30, 20))}, "other": jnp.ones(3)}

    @pytest.mark.parametrize("bias", [0.0, 0.3])
    @pytest.mark.parametrize("key", [None, KEY], ids=["as-given", "orthogonal"])
    def test_every_layer_gets_unit_variance(self, bias, key):
        batch = jax.random.normal(jax.random.key(1), (500, 10)) * 3
        params = self._params(bias)
        found = init.lsuv(self._net, params, batch, key=key)
        for out in self._net(found, batch).values():
            assert float(jnp.var(out)) == pytest.approx(1, abs=0.011)  # the tolerance and float32
        chex.assert_trees_all_equal_structs(found, params)
        chex.assert_trees_all_equal(found["net"]["first"]["b"], params["net"]["first"]["b"])
        chex.assert_trees_all_equal(found["other"], params["other"])
        if key is None:  # only the scale changes
            ratio = found["net"]["second"]["w"] / params["net"]["second"]["w"]
            assert float(jnp.ptp(ratio)) < 1e-5
        else:
            gram = found["net"]["first"]["w"] @ found["net"]["first"]["w"].T
            np.testing.assert_allclose(gram / gram[0, 0], np.eye(10), atol=1e-5)

    def test_sequences_and_targets(self):
        batch = jax.random.normal(KEY, (300, 4))
        found = init.lsuv(lambda p, x: (x @ p[0], x @ p[1]), (jnp.eye(4), jnp.eye(4)), batch, target=0.5)
        assert [float(jnp.std(batch @ w)) for w in found] == pytest.approx([0.5, 0.5], rel=0.006)

    @pytest.mark.parametrize(
        ("apply", "message"),
        [
            (lambda p, x: {"net/third": x}, "third"),
            (lambda p, x: {"other": x}, "two or more axes"),
            (lambda p, x: {"net/first": x * 0}, "standard deviation 0"),
            (lambda p, x: {"net/first": x}, "did not reach"),
        ],
    )
    def test_what_cannot_be_done_is_said(self, apply, message):
        with pytest.raises(ValueError, match=message):
            init.lsuv(apply, self._params(0.0), 3 * jax.random.normal(KEY, (50, 10)))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.lecun()(KEY, (3,), jnp.float32), ValueError, "at least two axes"),
        (lambda: init.lecun(in_axis=4)(KEY, (3, 3), jnp.float32), ValueError, "in_axis"),
        (lambda: init.orthogonal()(KEY, (3,), jnp.float32), ValueError, "at least two axes"),
        (lambda: init.delta_orthogonal()(KEY, (3, 3), jnp.float32), ValueError, "spatial"),
        (lambda: init.delta_orthogonal()(KEY, (3, 4, 2), jnp.float32), ValueError, "4 -> 2"),
        (lambda: init.lecun()(KEY, (3, -1), jnp.float32), ValueError, "negative"),
        (lambda: init.lecun()(KEY, 3, jnp.float32), TypeError, "shape"),
        (lambda: init.lecun(0.0), ValueError, "gain"),
        (lambda: init.lecun("tanh"), TypeError, "gain"),
        (lambda: init.lecun(jaxacts.tanh, "forward"), ValueError, "kind"),
        (lambda: init.lecun(distribution="gaussian"), ValueError, "distribution"),
        (lambda: init.he(mode="fan_avg"), ValueError, "mode"),
        (lambda: init.bias(-1.0), ValueError, "sigma_b"),
        (lambda: init.fixup(0), ValueError, "branches"),
        (lambda: init.fixup(3, layers=1), ValueError, "layers"),
        (lambda: init.t_fixup(6, "both"), ValueError, "side"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_empty_kernels():
    for make in (init.lecun(), init.orthogonal()):
        assert make(KEY, (0, 4), jnp.float32).shape == (0, 4)


def test_critical_weights_and_biases_of_tanh():
    kernel, bias, point = init.critical(jaxacts.tanh, 0.05)
    assert float(point.sigma_w) == pytest.approx(1.122539004770, rel=1e-9)  # an independent value
    w = np.asarray(kernel(KEY, (400, 300), jnp.float32), dtype=float)
    assert w.var() * 400 == pytest.approx(1.122539**2, rel=5 * math.sqrt(2 / w.size))
    assert dict(bias.settings)["sigma"] == 0.05


def test_critical_weights_of_rectifiers():
    kernel, bias, _ = init.critical(jaxacts.relu)
    he = init.he(distribution="normal")
    # The point is found to about 1e-12, float32 draws are compared.
    chex.assert_trees_all_close(kernel(KEY, (9, 9)), he(KEY, (9, 9)), rtol=1e-6)
    assert not np.any(bias(KEY, (9,)))
    w = np.asarray(init.critical(jaxacts.relu, distribution="orthogonal").kernel(KEY, (8, 8)))
    np.testing.assert_allclose(w @ w.T, 2 * np.eye(8), atol=1e-5)
    with pytest.raises(ValueError, match="no critical point at sigma_b"):
        init.critical(jaxacts.relu, 0.1)


class TestRecommendation:
    def test_rectifiers_get_hes_weights_at_any_depth(self):
        for depth in (2, 200):
            advice = init.recommend_init(jaxacts.relu, depth, 512)
            assert advice.numbers["sigma_w"] == pytest.approx(2**0.5, rel=1e-5)
            assert advice.activation is jaxacts.relu
            assert "1.414 / sqrt(fan_in)" in str(advice)
            assert ("too narrow" in advice.words) == (5 * depth > 512)

    def test_shallow_networks_get_the_forward_gain(self):
        advice = init.recommend_init(jaxacts.tanh, 4, 512)
        assert advice.numbers["sigma_w"] == pytest.approx(1.59253741972283, rel=5e-6)
        # chi = 1.5925^2 * 0.4644 = 1.1777 a layer, three times
        assert advice.numbers["gradient"] == pytest.approx(1.1777**1.5, rel=1e-3)
        assert "1.593" in advice.words

    def test_deep_smooth_networks_get_the_critical_point(self, monkeypatch):
        point = jaxacts.meanfield.CriticalPoint(1.0, 0.0, True)  # tanh's at zero bias
        monkeypatch.setattr(jaxacts.meanfield, "critical_point", lambda f, sigma_b: point)
        advice = init.recommend_init(jaxacts.tanh, 50, 512)
        w = np.asarray(advice.kernel(KEY, (8, 8)))
        np.testing.assert_allclose(w @ w.T, np.eye(8), atol=2e-6)
        assert "orthogonal" in advice.words
        assert "factor of 55" in advice.words  # 1.1777^24.5

    @pytest.mark.parametrize("point", [None, jaxacts.meanfield.CriticalPoint(2.0, 0.0, False)])
    def test_without_a_stable_critical_point_the_function_is_tailored(self, point, monkeypatch):
        monkeypatch.setattr(jaxacts.meanfield, "critical_point", lambda f, sigma_b: point)
        advice = init.recommend_init(jaxacts.tanh, 50, 512)
        assert advice.activation == jaxacts.transforms.transformed(jaxacts.tanh, 50)
        assert "no stable critical point" in advice.words
        assert f"{advice.activation.input_scale:.5g}" in advice.words

    def test_bad_arguments(self):
        with pytest.raises(ValueError, match="depth"):
            init.recommend_init(jaxacts.relu, 0, 3)
        with pytest.raises(ValueError, match="E f²"):
            init.recommend_init(jnp.zeros_like, 3, 3)


class TestFrameworks:
    """The same object, unchanged, in every framework that takes initialisers."""

    make = staticmethod(lambda: init.orthogonal(jaxacts.tanh, "backward"))

    def _check(self, kernel):
        kernel = np.asarray(kernel, dtype=float)
        assert kernel.shape in ((16, 16), (3, 3, 4, 8))
        if kernel.ndim == 2:
            np.testing.assert_allclose(kernel @ kernel.T / TANH_GAINS["backward"] ** 2, np.eye(16), atol=2e-5)

    def test_flax_nnx(self):
        nnx = pytest.importorskip("flax.nnx")
        layer = nnx.Linear(16, 16, kernel_init=self.make(), bias_init=init.bias(0.1), rngs=nnx.Rngs(0))
        self._check(layer.kernel[...])
        self._check(nnx.Conv(4, 8, (3, 3), kernel_init=init.he(jaxacts.gelu), rngs=nnx.Rngs(0)).kernel[...])

    def test_flax_linen(self):
        linen = pytest.importorskip("flax.linen")

        class Net(linen.Module):
            @linen.compact
            def __call__(self, x):  # built while tracing, as linen users do
                return linen.Dense(16, kernel_init=init.orthogonal(jaxacts.tanh, "backward"))(x)

        params = jax.jit(Net().init)(KEY, jnp.ones((1, 16)))
        self._check(params["params"]["Dense_0"]["kernel"])

    def test_equinox(self):
        eqx = pytest.importorskip("equinox")
        layer = eqx.nn.Linear(16, 16, key=KEY)
        weight = self.make()(KEY, layer.weight.shape, layer.weight.dtype)
        layer = eqx.tree_at(lambda layer: layer.weight, layer, weight)
        self._check(layer.weight)
        conv = eqx.nn.Conv2d(4, 8, 3, key=KEY)
        wanted = init.he(in_axis=1, out_axis=0)(KEY, conv.weight.shape)
        assert float(jnp.var(wanted)) * 36 / 2 == pytest.approx(1, rel=5 * math.sqrt(2 / 288))

    def test_haiku(self):
        hk = pytest.importorskip("haiku")
        net = hk.transform(lambda x: hk.Linear(16, w_init=self.make())(x))
        first = net.init(KEY, jnp.ones((1, 16)))["linear"]["w"]
        self._check(first)
        again, other = (net.init(key, jnp.ones((1, 16)))["linear"]["w"] for key in (KEY, jax.random.key(1)))
        chex.assert_trees_all_equal(first, again)
        assert not np.allclose(first, other)

    def test_keras(self, monkeypatch):
        monkeypatch.setenv("KERAS_BACKEND", "jax")
        keras = pytest.importorskip("keras")
        keras.utils.set_random_seed(3)
        layers = [keras.layers.Dense(16, kernel_initializer=self.make()) for _ in range(2)]
        for layer in layers:
            layer.build((1, 16))
            self._check(layer.kernel)
        assert not np.allclose(layers[0].kernel, layers[1].kernel)
        keras.utils.set_random_seed(3)
        again = keras.layers.Dense(16, kernel_initializer=self.make())
        again.build((1, 16))
        chex.assert_trees_all_equal(np.asarray(again.kernel), np.asarray(layers[0].kernel))
        conv = keras.layers.Conv2D(8, 3, kernel_initializer=init.he())
        conv.build((1, 5, 5, 4))
        self._check(conv.kernel)

    def test_without_a_framework_a_key_is_asked_for(self, monkeypatch):
        for name in ("haiku", "keras"):
            monkeypatch.delitem(__import__("sys").modules, name, raising=False)
        with pytest.raises(TypeError, match="key"):
            init.lecun()((3, 3), jnp.float32)


random.seed(0)  # Keras's keys come from Python's generator: the same in every run
