"""Ported functions against what the frameworks themselves returned, recorded by tools/record_ports.py."""

import functools
import json
import pickle
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts import porting

FRAMEWORKS = {
    "torch": porting.from_torch,
    "keras": porting.from_keras,
    "flax": porting.from_flax,
    "timm": porting.from_timm,
}
each = pytest.mark.parametrize("framework", FRAMEWORKS)


def _recorded(framework):
    data = json.loads((Path(__file__).parent / "data" / f"ports_{framework}.json").read_text())
    for case in data["cases"]:
        arrays = {key: np.array(data["arrays"][case[key]]) for key in ("x", "ct")}
        yield {**case, **arrays, "x": arrays["x"].reshape(case["shape"])}


@functools.cache
def _pulled():
    """Values and pullbacks of every function asked for, each once, in one program."""
    wanted = {}
    for framework in FRAMEWORKS:
        for case in _recorded(framework):
            f = FRAMEWORKS[framework](case["name"], **case["settings"])
            wanted[f, case["x"].shape, case["ct"].size] = jnp.asarray(case["x"]), jnp.asarray(case["ct"])

    def pull(arrays):
        for (f, *_), (x, ct) in zip(wanted, arrays, strict=True):
            y, back = jax.vjp(f, x)
            yield y.ravel(), back(ct.reshape(y.shape))[0].ravel()

    results = jax.jit(lambda arrays: list(pull(arrays)))(list(wanted.values()))
    return dict(zip(wanted, jax.tree.map(np.asarray, results), strict=True))


@each
def test_value_and_derivative_as_recorded(framework, x64):
    """Values and pullbacks at a grid that holds every kink, in double precision."""
    bad = []
    for case in _recorded(framework):
        f = FRAMEWORKS[framework](case["name"], **case["settings"])
        # Both sides are good to a few float64 eps of numbers near 1; the frameworks lose tails below 1e-15.
        rtol, atol = 1e-11, 1e-14
        if case["dtype"] == "float32":  # Keras's tanh, whatever the input
            rtol, atol = 1e-6, 3e-7
        if framework in ("torch", "timm") and case["name"].lower().replace("_", "") == "hardsigmoid":
            rtol = 1e-7  # PyTorch multiplies by 1/6 rounded to float32
        for part, value in zip(("y", "dx"), _pulled()[f, case["x"].shape, case["ct"].size], strict=True):
            truth = np.array(case[part])
            off = ~np.isclose(value, truth, rtol, atol)
            if off.any():
                where = case["x"].ravel()[off] if off.size == case["x"].size else np.flatnonzero(off)
                bad.append(
                    f"{case['name']} {case['settings']} {part} at {where}: {value[off]} for {truth[off]}"
                )
    assert not bad, "\n".join(bad)


@each
def test_every_row_is_recorded(framework):
    recorded = {case["name"] for case in _recorded(framework)}
    assert {row["name"] for row in porting.rows(framework)} == recorded


@pytest.mark.parametrize(
    ("module", "settings"),
    [("LeakyReLU", {"negative_slope": 0.2}), ("Hardtanh", {}), ("Softplus", {}), ("Hardswish", {})],
)
def test_against_torch_itself(module, settings):
    torch = pytest.importorskip("torch")
    f = porting.from_torch(module, **settings)
    x = np.concatenate([np.linspace(-8, 8, 65), [25.0]]).astype(np.float32)
    theirs = torch.tensor(x, requires_grad=True)
    y = getattr(torch.nn, module)(**settings)(theirs)
    y.sum().backward()
    np.testing.assert_allclose(f(x), y.detach().numpy(), rtol=1e-6, atol=1e-7)  # float32 on both sides
    gradient = jax.grad(lambda x: f(x).sum())(jnp.asarray(x))
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=1e-6, atol=1e-7)


def test_functions_are_values_and_trace_once():
    build = lambda: porting.from_torch("LeakyReLU", negative_slope=0.2)  # noqa: E731
    assert build() == build()
    assert hash(build()) == hash(build())
    assert porting.from_torch("leaky_relu") == porting.from_torch("LeakyReLU")
    traces = []

    def run(f, x):
        traces.append(1)
        return f(x)

    run = jax.jit(run, static_argnums=0)
    for _ in range(3):
        run(build(), jnp.ones(2))
    assert len(traces) == 1
    assert porting.from_torch("SiLU") == jaxacts.get("silu")  # nothing to correct: the function itself


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_sixteen_bit_types_are_kept(dtype):
    functions = (
        porting.from_torch("LeakyReLU"),
        porting.from_torch("Softplus"),
        porting.from_keras("relu", max_value=2),
    )
    x = jnp.array([-1.0, 0.0, 3.0], dtype)
    for y, back in jax.jit(lambda x: [(f(x), jax.grad(lambda x, f=f: f(x).sum())(x)) for f in functions])(x):
        assert y.dtype == back.dtype == dtype


def test_nan_and_infinities_pass():
    x = jnp.array([jnp.nan, jnp.inf, -jnp.inf])
    np.testing.assert_array_equal(porting.from_torch("LeakyReLU")(x), [np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(porting.from_torch("Softplus")(x), [np.nan, np.inf, 0])
    np.testing.assert_array_equal(porting.from_keras("relu", max_value=2.0)(x), [np.nan, 2, 0])
    np.testing.assert_array_equal(
        porting.from_keras("relu", negative_slope=0.5)(x), [np.nan, np.inf, -np.inf]
    )


def test_keras_2_hard_sigmoid():
    f = porting.from_keras("hard_sigmoid", keras_version=2)
    x = jnp.array([-3.0, -2.5, 0.0, 1.0, 2.5, 3.0])
    # one product and one sum of numbers below 1
    np.testing.assert_allclose(f(x), [0, 0, 0.5, 0.7, 1, 1], atol=1e-7)
    for arguments in ({"keras_version": 4}, {"keras_version": 2, "axis": 1}):
        with pytest.raises(ValueError, match=r"of Keras 2 only|must be 2 or 3"):
            porting.from_keras("hard_sigmoid", **arguments)


def test_bad_names_and_settings():
    with pytest.raises(
        ValueError, match="torch activation 'LeakyRelU2' is not in the table; did you mean 'LeakyReLU'"
    ):
        porting.from_torch("LeakyRelU2")
    with pytest.raises(
        TypeError, match="torch's LeakyReLU has no setting 'alpha'; its settings are: negative_slope"
    ):
        porting.from_torch("LeakyReLU", alpha=1)
    with pytest.raises(TypeError, match="torch's Threshold needs a value for value"):
        porting.from_torch("Threshold", threshold=1.0)
    with pytest.raises(ValueError, match="approximate must be"):
        porting.from_torch("GELU", approximate="quick")
    with pytest.raises(ValueError, match="framework must be one of torch, keras, flax, timm, was 'mxnet'"):
        list(porting.rows("mxnet"))
    with pytest.raises(ValueError, match="act_layer must be one of"):
        porting.from_timm("GluMlp", act_layer="tanh")


@pytest.mark.parametrize(
    ("framework", "name", "settings", "error", "message"),
    [
        ("torch", "Softmax", {"dim": "a"}, TypeError, "torch's Softmax: dim must be an integer, was 'a'"),
        ("torch", "Softmax", {"dim": (0, 1)}, TypeError, "dim must be an integer"),
        ("torch", "GLU", {"dim": None}, TypeError, "dim must be an integer, was None"),
        ("torch", "GELU", {"approximate": True}, TypeError, "approximate must be a word, was True"),
        (
            "torch",
            "LeakyReLU",
            {"negative_slope": None},
            TypeError,
            "negative_slope must be a number, was None",
        ),
        ("torch", "LeakyReLU", {"negative_slope": "0.2"}, TypeError, "must be a number, was '0.2'"),
        ("torch", "RReLU", {"lower": 0.5, "upper": 0.1}, ValueError, "lower must not exceed upper"),
        ("torch", "Softshrink", {"lambd": -1.0}, ValueError, "lambd must not be negative"),
        ("torch", "Hardtanh", {"min_val": 1.0, "max_val": -1.0}, ValueError, "max_val must be above"),
        ("torch", "ReLU", {"inplace": "yes"}, TypeError, "inplace must be a bool"),
        ("torch", "PReLU", {"num_parameters": 0}, ValueError, "num_parameters must be positive, was 0"),
        ("torch", "Sigmoid", {"inplace": True}, TypeError, "has no setting 'inplace'"),
        ("torch", None, {}, TypeError, "name must be a string, such as 'relu', was None"),
        ("torch", jaxacts.Facts, {}, TypeError, "was the class Facts"),
        ("keras", "ReLU", {"max_value": -1.0}, ValueError, "max_value of a ReLU layer must not be negative"),
        ("keras", "gelu", {"approximate": "none"}, TypeError, "approximate must be a bool"),
        ("keras", "LeakyReLU", {"negative_slope": -1.0}, ValueError, "must not be negative, was -1.0"),
        ("torch", "CELU", {"alpha": 0.0}, ValueError, "alpha must not be 0"),
        ("keras", "threshold", {"threshold": None, "default_value": 0.0}, TypeError, "must be a number"),
        ("flax", "glu", {"axis": (0, 1)}, TypeError, "axis must be an integer, was"),
        ("flax", "softmax", {"axis": (0, "a")}, TypeError, "a tuple of integers or None, was"),
    ],
)
def test_wrong_arguments_are_refused_at_once(framework, name, settings, error, message):
    with pytest.raises(error, match=message):
        FRAMEWORKS[framework](name, **settings)


def test_arguments_that_change_nothing_are_taken():
    assert porting.from_torch("ReLU", inplace=True) == porting.from_torch("ReLU")
    assert porting.from_torch("leaky_relu", negative_slope=0.2, inplace=True) == porting.from_torch(
        "LeakyReLU", negative_slope=np.float64(0.2)
    )
    assert porting.from_torch("PReLU", num_parameters=3) == porting.from_torch("PReLU")
    assert porting.from_timm("gelu", inplace=False) == porting.from_timm("gelu")


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [(0, 1), (-1,), None])
def test_several_axes(name, axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    truth = getattr(jax.nn, name)(x, axis=axis)
    # float32 of up to 24 terms on both sides
    np.testing.assert_allclose(porting.from_flax(name, axis=axis)(x), truth, rtol=1e-5)


def test_softmax2d_has_three_or_four_axes():
    f = porting.from_torch("Softmax2d")
    np.testing.assert_allclose(f(jnp.ones((2, 4, 3, 3))), 0.25)
    with pytest.raises(ValueError, match=r"x must have the axes \(C, H, W\) or"):
        f(jnp.ones((4, 3)))


def test_rows_state_the_known_hazards():
    table = {(row["framework"], row["name"]): row for row in porting.rows()}
    assert table["keras", "LeakyReLU"]["defaults"] == {"negative_slope": 0.3}
    assert table["keras", "leaky_relu"]["defaults"] == {"negative_slope": 0.2}
    assert table["torch", "LeakyReLU"]["kinks"] == ((0.0, 0.01),)
    assert table["flax", "leaky_relu"]["kinks"] == ((0.0, 1.0),)
    assert table["torch", "Threshold"]["kinks"] is None
    assert table["timm", "SwiGLUPacked"]["defaults"]["gate_last"] is False


@pytest.mark.parametrize(
    ("f", "x", "value", "slope"),
    [
        (porting.from_torch("Hardtanh", min_val=0.0, max_val=np.inf), np.inf, np.inf, 1.0),
        (porting.from_torch("Hardtanh", min_val=-np.inf, max_val=1.0), -np.inf, -np.inf, 1.0),
        (porting.from_torch("Threshold", threshold=-np.inf, value=0.0), -np.inf, 0.0, 1.0),
        (porting.from_keras("ReLU", max_value=np.inf), np.inf, np.inf, 1.0),
        (porting.from_torch("Hardtanh"), np.inf, 1.0, 0.0),
    ],
)
def test_bounds_may_be_infinite(f, x, value, slope):
    with jax.debug_nans(True):
        assert f(jnp.float32(x)) == value
    assert jax.grad(f)(jnp.float32(3e38 * np.sign(x))) == slope


def test_other_spellings_and_names():
    assert porting.from_timm("hardswish") == porting.from_timm("hard_swish")
    assert porting.from_timm("celu", alpha=2.0) == jaxacts.get("celu", alpha=2.0)
    f = porting.from_keras("ReLU", max_value=2.0)
    assert f.__name__ == "keras.ReLU-max_value=2.0"
    assert repr(f) == "jaxacts.porting.from_keras('ReLU', max_value=2.0)"
    assert pickle.loads(pickle.dumps(f)) == f
