"""`jaxacts check` and the measuring behind it: rules on hand-made numbers, then functions with known
defects."""

import json
import math
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts import accuracy, check
from jaxacts.accuracy import _kinks, _parameters, _points, _run, _ulp
from jaxacts.cli import Usage
from jaxacts.cli import main as jaxacts_main

F16, BF16, F32, F64 = (_ulp.FORMATS[name] for name in ("float16", "bfloat16", "float32", "float64"))


def ulps(got, true, form=F32, scale=None, lo=0.0):
    got, true = np.atleast_1d(np.float64(got)), np.atleast_1d(np.float64(true))
    return _ulp.errors(got, (true, np.full(true.shape, lo)), np.abs(true) if scale is None else scale, form)


def away_from_zero(values, form):
    """The neighbours of larger magnitude, by their bits: not every ml_dtypes has nextafter for bfloat16."""
    values = np.atleast_1d(np.asarray(values, form.dtype))
    return (values.view(f"u{values.itemsize}") + 1).view(form.dtype).astype(np.float64)


# the unit and the rules of the promise


@pytest.mark.parametrize("form", [F16, BF16, F32, F64], ids=lambda form: form.name)
def test_unit_is_the_spacing_of_the_type(form):
    spacing = away_from_zero(1.0, form) - 1
    assert _ulp.unit(np.array([1.0, 1.999, 2.0, 0.99]), form) / spacing == pytest.approx(
        [1, 1, 2, 0.5], rel=0
    )
    # below the smallest normal the spacing stays that of the subnormal numbers
    assert _ulp.unit(np.array([0.0, form.tiny / 8]), form) == pytest.approx(form.tiny * spacing[0], rel=0)


def test_correct_rounding_is_within_half_a_unit():
    rng = np.random.default_rng(0)
    true = rng.normal(size=1000) * np.exp2(rng.uniform(-120, 120, 1000))
    for form in (BF16, F32):
        rounded = true.astype(form.dtype)
        assert ulps(rounded.astype(np.float64), true, form).max() <= 0.5
        one_off = ulps(away_from_zero(rounded, form), true, form)
        assert one_off.min() >= 0.5
        assert (
            1.4 < one_off.max() <= 2.5
        )  # the last only just below a power of two, where the spacing doubles


def test_the_low_word_of_the_truth_counts():
    assert ulps(1.0, 1.0, F64, lo=2.0**-53) == 0.5
    assert ulps(1.0 + 2.0**-52, 1.0, F64, lo=2.0**-54) == 0.75


def test_zero_in_place_of_a_normal_number_is_a_large_error():
    assert ulps(0.0, 1e-17) > 2**23
    assert ulps(0.0, 1.5 * F32.tiny) == 0  # within twice the smallest normal: may be flushed
    assert ulps(0.0, 2.5 * F32.tiny) > 2**23
    assert ulps(0.0, 2.0**-20, F16) == 16  # not in float16, which is computed in float32


def test_overflow_and_nan():
    top = F16.max
    assert ulps(np.inf, 1e9, F16) == 0  # the mathematics overflows
    assert ulps(top, 1e9, F16) > 1e3
    assert ulps(np.inf, 100.0, F16) == np.inf
    assert ulps(-np.inf, 1e9, F16) == np.inf
    assert ulps(np.nan, 1.0) == np.inf
    assert ulps(np.inf, np.inf) == 0
    assert ulps(1.0, np.inf) == np.inf
    assert ulps(np.inf, top * (1 - 2.0**-11), F16) == pytest.approx(
        2, abs=0.6
    )  # one step too far, not infinitely


def test_sign_changes_within_reach_are_found():
    x = np.linspace(-20, 20, 4001)
    beside = _ulp.beside_crossing(x, x - 3.0)
    # within 0.25 max(1, |x|) of 3: from 3/1.25 to 3/0.75
    inside = (x > 2.42) & (x < 3.98)
    outside = (x < 2.38) | (x > 4.02)
    assert beside[inside].all()
    assert not beside[outside].any()
    assert not _ulp.beside_crossing(x, x * x).any()  # a double zero is none
    assert not _ulp.beside_crossing(x, np.maximum(x, 0)).any()
    assert _ulp.beside_crossing(x, np.sin(x))[np.abs(x) > 16].all()


def test_window_maximum_is_that_of_brute_force():
    rng = np.random.default_rng(1)
    x = np.sort(rng.normal(size=300) * np.exp2(rng.uniform(-3, 6, 300)))
    value = rng.normal(size=300)
    reach = 0.25 * np.maximum(1, np.abs(x))
    expected = [np.abs(value[(x >= a - r) & (x <= a + r)]).max() for a, r in zip(x, reach, strict=True)]
    assert _ulp.window_maximum(x, value) == pytest.approx(expected, rel=0)


def test_scale_beside_a_zero_is_that_of_the_slope():
    x = np.linspace(-4, 4, 801)
    f, g, h = _ulp.scales(x, (x**2 - 4, 2 * x, np.full(x.shape, 2.0)))
    at = np.searchsorted(x, 1.9999)
    assert f[at] == pytest.approx(2 * 2 * 2, rel=1e-2)  # |x f'| and not |f|
    assert f[400] == 4
    assert g == pytest.approx(2 * np.abs(x), abs=0)  # |f'| = |x f''| here
    assert (h == 2).all()


# the points


def test_scales_come_from_all_batches():
    def batch(x):
        values = (np.sin(x), np.cos(x), -np.sin(x))
        return x, [(value, np.zeros(x.size)) for value in values]

    # three points between two zeros far out do not show that there are zeros; many points do
    few, many = batch(np.array([22.2, 22.3, 22.4])), batch(np.linspace(15.0, 30.0, 500))
    alone, together = accuracy._scales([few])[0], accuracy._scales([few, many])[0]
    np.testing.assert_array_equal(alone[2], np.abs(np.sin(few[0])))
    np.testing.assert_allclose(together[2], 1, atol=1e-3)


def test_points_cover_what_they_promise():
    assert _points.all_finite(BF16).size == 65280
    assert _points.all_finite(F16).size == 63488
    for form in (F32, F64):
        x = _points.sample(form, [0.7])
        assert (x == x.astype(form.dtype).astype(np.float64)).all()
        assert (np.diff(x) > 0).all()
        assert {0.0, form.max, -form.max, form.tiny, 0.5, -3.0} <= set(x.tolist())
        kink = form.dtype.type(0.7)
        beside = [np.nextafter(kink, form.dtype.type(side)) for side in (0, 1)]
        assert {float(kink), *map(float, beside)} <= set(x.tolist())
        decades = np.floor(np.log10(np.abs(x[x != 0])) / 10)
        whole = np.arange(math.ceil(math.log10(form.tiny) / 10), math.floor(math.log10(form.max) / 10))
        assert set(whole) <= set(decades)  # no ten decades without a point
        assert np.array_equal(x, _points.sample(form, [0.7]))  # the same in every run


# functions with known defects


def careless_sigmoid(x):
    """The derivative is (1 - tanh(x/2)^2)/4, which is lost where tanh rounds to 1."""
    return 0.5 * jnp.tanh(0.5 * x) + 0.5


def good(x):
    return x * x


def nan_above_100(x):
    return jnp.where(x > 100, jnp.nan, x)


def jumpy(x):
    return jnp.where(
        x > 1.5, 2 * x, jnp.where(x <= -0.3, -x, x + jnp.where(x > 0.25, 1.0, 0.0).astype(x.dtype))
    )


def doubled(x):
    return 2 * x


def off_by_ten_percent(x):
    return 2.2 * x


def boom(x):
    raise ValueError("boom\nand more")


@pytest.fixture(scope="module")
def acts():
    """A module as a user would have it."""
    module = types.ModuleType("myacts")
    for f in (careless_sigmoid, good, nan_above_100, doubled, off_by_ten_percent, boom):
        setattr(module, f.__name__, f)
    module.relu = lambda x: jnp.maximum(x, 0)  # 0.5 at the kink
    module.identity, module.tanh = boom, 3.0  # a rival that raises, and what is no function
    sys.modules["myacts"] = module
    yield module
    del sys.modules["myacts"]


def test_a_lost_tail_is_seen():
    report = accuracy.measure(careless_sigmoid, types=["float32"], truth_of="sigmoid", count=200)
    slope = report.cells[1]
    assert not slope.kept
    assert slope.error > 1e6
    assert slope.got == 0
    assert slope.true > 0
    assert (slope.nans, slope.infs) == (0, 0)
    assert report.truth == "mpmath"


def test_an_exact_function_has_no_error():
    report = accuracy.measure(good, types=["bfloat16", "float32"])
    assert report.kept
    assert report.truth == "float64"
    assert {cell.dtype for cell in report.cells} == {"bfloat16", "float32"}
    assert all(cell.error <= 0.5 for cell in report.cells)


def test_float64_is_left_out_when_it_is_the_truth():
    assert accuracy.measure(good, types=["float64"]).cells == ()


def test_nan_is_counted():
    cell = accuracy.measure(nan_above_100, types=["float16"], truth_of="identity", count=100).cells[0]
    every = _points.all_finite(F16)
    assert cell.nans >= np.sum(every > 100)
    assert cell.error == math.inf
    assert math.isnan(cell.got)
    assert cell.specials == ("inf",)


def test_infinities_are_judged_by_the_limits():
    cell = accuracy.measure(
        lambda x: jnp.exp(x) / (1 + jnp.exp(x)), types=["float32"], truth_of="sigmoid", count=100
    ).cells[0]
    assert cell.specials == ("inf",)  # inf/inf
    assert not cell.kept


def test_convention_at_the_kink_is_judged():
    report = accuracy.measure(lambda x: jnp.maximum(x, 0), types=["bfloat16"], truth_of="relu", count=100)
    assert report.cells[0].error == 0
    assert (report.cells[1].at, report.cells[1].got, report.cells[1].true) == (0.0, 0.5, 0.0)
    assert report.kinks == ((0.0, 0.5),)


def test_jumps_are_found_without_being_told():
    found = _kinks.find(_run.runner(jumpy, F64))
    assert [point for point, _ in found] == pytest.approx([-0.3, 0.25, 1.5], abs=1e-11)
    assert found[0][1] == -1
    assert found[2][1] == 1
    assert _kinks.find(_run.runner(lambda x: jnp.sin(30 * x) + jnp.exp(-50 * x * x), F64)) == []


def test_analytic_form_off_by_ten_percent_is_seen():
    right = accuracy.measure(good, types=["float16"], derivative=doubled)
    wrong = accuracy.measure(good, types=["float16"], derivative=off_by_ten_percent)
    assert right.analytic.kept
    assert right.kept
    assert wrong.analytic.difference == pytest.approx(0.1, rel=0.01)
    assert not wrong.kept


def test_a_function_that_changes_the_type_is_refused():
    with pytest.raises(TypeError, match="must keep shape and type"):
        accuracy.measure(lambda x: x.astype(jnp.float32), types=["float16"])


@pytest.mark.parametrize(
    "f",
    [
        jax.nn.softmax,
        lambda x: x - x.mean(),
        lambda x: x + 1e-4 * x.mean(),
        lambda x: x[::-1],
        jnp.cumsum,
        jnp.sum,
        jaxacts.get("glu"),
        lambda x: (x.reshape(-1, 8) ** 2).reshape(x.shape),
        lambda x: x * jnp.arange(64.0)[: x.size].astype(x.dtype),
    ],
)
def test_what_is_not_elementwise_is_refused(f):
    with pytest.raises(TypeError, match="f must be elementwise, but"):
        accuracy.measure(f, types=["float16"])


def test_bad_types_are_named():
    with pytest.raises(ValueError, match="'float8'"):
        accuracy.measure("relu", types=["float8"])


def test_errors_are_measured_under_jit_in_both_words(x64):
    """The float64 truth is good to far less than a unit: x -> x has none at all."""
    assert [cell.error for cell in accuracy.measure("identity", types=["float64"], count=100).cells] == [
        0,
        0,
        0,
    ]


def careless_elu(x, alpha=1.0):
    """The derivative with respect to alpha is e^x - 1, which cancels."""
    return jnp.where(x > 0, x, alpha * (jnp.exp(jnp.minimum(x, 0)) - 1))


def leaky(x, negative_slope=0.01):
    return jnp.where(x >= 0, x, negative_slope * x)


def test_parameter_derivatives_are_measured():
    worst = _parameters.worst(careless_elu, "elu", {"alpha": 0.5}, F32, (0.0,), 100)
    assert worst["alpha"][0] > 1e3
    assert abs(worst["alpha"][1]) < 1e-3
    exact = _parameters.worst(leaky, "leaky_relu", {"negative_slope": 0.25}, F32, (0.0,), 100)
    assert exact["negative_slope"][0] == 0
    assert (
        _parameters.worst(careless_elu, "elu", {"alpha": 1}, F32, (), 100) == {}
    )  # a whole number is static


def test_parameters_are_part_of_the_report():
    report = accuracy.measure(
        jaxacts.get("leaky_relu", negative_slope=0.2), types=["float16"], parameters=True
    )
    (cell,) = report.parameters
    assert (cell.dtype, cell.parameter, cell.error, cell.bound) == ("float16", "negative_slope", 0, 0.51)
    assert report.kept


# the command


def test_exit_code_and_table(capsys):
    assert check.main(["relu", "--types", "bfloat16", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "relu" in out
    assert "kept" in out
    assert "0.00 0.00 0.00" in out


def test_broken_promise_gives_exit_code_1_and_says_where(capsys, acts):
    assert check.main(["myacts:careless_sigmoid", "--types", "bfloat16"]) == 1
    out = capsys.readouterr().out
    assert "BROKEN" in out
    assert "bfloat16 f': " in out
    assert "(promised 0.51) at x = " in out
    assert "the truth is the same code in float64" in out
    assert "The promise is broken by myacts:careless_sigmoid." in out


def test_against_shows_both_and_judges_only_ours(capsys, acts):
    assert check.main(["relu", "--against", "myacts", "--types", "bfloat16", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    (ours,), (theirs,) = document["functions"], document["against"]
    assert (ours["name"], theirs["name"]) == ("relu", "myacts.relu")
    assert ours["kept"]
    assert not theirs["kept"]
    assert theirs["cells"][1] | {"error": 0} == {
        "dtype": "bfloat16", "order": 1, "error": 0, "at": 0.0, "got": 0.5, "true": 0.0, "nans": 0, "infs": 0,
        "points": theirs["cells"][1]["points"], "specials": [], "bound": 0.51, "kept": False,
    }  # fmt: skip
    assert document["exit_code"] == 0
    assert document["promise"] == {"bfloat16": [0.51, 0.51, 0.51]}


def test_derivative_option(capsys, acts):
    arguments = ["myacts:good", "--types", "float16"]
    assert check.main([*arguments, "--derivative", "myacts:doubled"]) == 0
    assert check.main([*arguments, "--derivative", "myacts:off_by_ten_percent"]) == 1
    assert "the analytic derivative is off by 0.1" in capsys.readouterr().out


def test_a_function_that_raises_leaves_the_others(capsys, acts):
    names = ["myacts:boom", "relu", "myacts:good"]
    assert check.main([*names, "--types", "bfloat16"]) == 1
    out, err = capsys.readouterr()
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert rows["myacts:boom"].endswith("raised ValueError: boom")
    assert rows["relu"].endswith("kept")
    assert "Not judged, as it raised: myacts:boom." in out
    assert "The promise is kept" not in out
    assert err == "jaxacts: myacts:boom raised ValueError: boom\n"
    assert check.main([*names, "--types", "bfloat16", "--json"]) == 1
    entries = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["functions"]}
    assert entries["myacts:boom"] == {
        "name": "myacts:boom", "kept": False, "error": "raised ValueError: boom",
    }  # fmt: skip
    assert entries["relu"]["kept"]


def test_a_rival_that_raises_is_not_held_against_ours(capsys, acts):
    arguments = ["identity", "tanh", "--against", "myacts", "--types", "bfloat16"]
    assert check.main(arguments) == 0
    out, err = capsys.readouterr()
    assert "raised ValueError: boom" in out
    assert err == "jaxacts: myacts.identity raised ValueError: boom\n"
    assert check.main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [entry["error"] for entry in document["against"]] == ["raised ValueError: boom"]


def test_modules_that_cannot_be_imported_are_wrong_usage(capsys, tmp_path, monkeypatch):
    (tmp_path / "halfacts.py").write_text("def f(x:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for arguments, message in (
        (["relu", "--against", "nosuchmodule"], "cannot import 'nosuchmodule': No module named"),
        (["relu", "--against", "halfacts"], "cannot import 'halfacts': SyntaxError: "),
        (["halfacts:f"], "cannot import 'halfacts': SyntaxError: "),
    ):
        assert jaxacts_main(["check", *arguments]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert "pip install" not in err


def test_jax_nn_gelu_is_matched_by_meaning():
    x = jnp.linspace(-3, 3, 7)
    for name in ("gelu", "gelu_tanh"):
        expected = [float(jaxacts.reference.value(name, float(p))) for p in x]
        # float32 of either form: 1e-6 tells them apart from each other by far (they differ by 3e-4)
        assert np.allclose(check.counterpart(jax.nn, name)(x), expected, rtol=0, atol=1e-6)
    assert check.counterpart(jax.nn, "mish") is jax.nn.mish
    assert check.counterpart(jax.nn, "snake") is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["swosh"], "unknown activation 'swosh'"),
        (["relu", "--types", "float8"], "unknown type 'float8'"),
        (["relu", "silu", "--derivative", "math:sin"], "belongs to one function, but 2"),
        (["nosuchmodule:f"], "cannot import 'nosuchmodule'"),
        (["math:nosuch"], "math has no 'nosuch'"),
        (["math:pi"], "math:pi is not callable"),
        (["softmax"], "not an elementwise function"),
        (["math:sin", "--types", "float64"], "its own truth in float64"),
        (["softplus:beta=0"], "beta must be other than 0, was 0"),
        (["repu:p=2.5"], "parameter 'p' must be a whole number, was '2.5'"),
    ],
)
def test_wrong_usage_is_named(arguments, message):
    with pytest.raises(Usage, match=message):
        check.main(arguments)


def test_parameters_may_be_given(capsys):
    assert check.main(["elu:alpha=2", "--types", "bfloat16", "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["functions"]
    assert entry["name"] == "elu-alpha=2"
    assert entry["kinks"] == [{"at": 0.0, "derivative": 2.0}]
    assert check.main(["repu:p=3", "--types", "bfloat16", "-q"]) == 0


def accelerator():
    return next((d for d in jax.devices() if d.platform != "cpu"), None)


@pytest.mark.skipif(accelerator() is None, reason="no accelerator here")
def test_table_of_an_accelerator(capsys):
    device = accelerator()
    names = ["sigmoid", "tanh", "silu", "gelu", "gelu_tanh", "mish", "softplus", "elu", "snake", "relu"]
    code = check.main([*names, "--against", "jax.nn", "--device", device.platform])
    out = capsys.readouterr().out
    with capsys.disabled():  # the run shows what holds on this machine
        print(f"\n{out}")
    assert device.device_kind in out
    assert code == 0


def test_a_device_that_is_not_there_is_named(capsys):
    if accelerator() is not None:
        pytest.skip("there is one here")
    assert jaxacts_main(["check", "relu", "--device", "gpu"]) != 0
    assert "no gpu device here" in capsys.readouterr().err
    with pytest.raises(Usage, match="unknown device 'abacus'"):
        check.main(["relu", "--device", "abacus"])


def test_it_is_a_subcommand(capsys):
    assert jaxacts_main(["check", "relu", "--types", "float16", "--quiet"]) == 0
    assert jaxacts_main(["check", "swosh"]) == 2
    assert "swosh" in capsys.readouterr().err
