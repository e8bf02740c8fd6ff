"""The mpmath reference against naive formulas, numerical differentiation, more digits and conventions."""

import ast
import concurrent.futures
import math
import pathlib
import sys

import mpmath
import numpy as np
import pytest
import scipy.special as sp

import jaxacts.reference as reference
from jaxacts.reference import _jets


def s(x):
    return 1 / (1 + np.exp(-x))


def splus(x):
    return np.log(1 + np.exp(x))


def phi(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def clip(x, low, high):
    return min(max(x, low), high)


# Every formula a second time, at its defaults, as naively as the papers print it and in float64.
NAIVE = {
    "identity": lambda x: x,
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x: max(x, 0.01 * x),
    "relu6": lambda x: clip(x, 0, 6),
    "relu_n": lambda x: clip(x, 0, 1),
    "threshold": lambda x: x * (x > 1),
    "tlu": lambda x: max(x, 0),
    "squared_relu": lambda x: max(x, 0) ** 2,
    "star_relu": lambda x: 0.8944 * max(x, 0) ** 2 - 0.4472,
    "repu": lambda x: max(x, 0) ** 2,
    "nlrelu": lambda x: np.log(1 + max(x, 0)),
    "abs": abs,
    "qrelu": lambda x: x if x > 0 else 0.01 * x * (x - 2),
    "m_qrelu": lambda x: x if x > 0 else -0.99 * x,
    "sinerelu": lambda x: x if x > 0 else 0.0025 * (np.sin(x) - np.cos(x)),
    "arelu": lambda x: x * (0.9 if x < 0 else 1 + s(2.0)),
    "srelu": lambda x: clip(x, -1, 1) + 0.2 * min(x + 1, 0) + 0.5 * max(x - 1, 0),
    "tent": lambda x: max(0, 1 - abs(x)),
    "hat": lambda x: max(0, 1 - abs(x - 1)),
    "plu": lambda x: max(0.1 * (x + 1) - 1, min(0.1 * (x - 1) + 1, x)),
    "hard_sigmoid": lambda x: clip(x + 3, 0, 6) / 6,
    "hard_silu": lambda x: x * clip(x + 3, 0, 6) / 6,
    "hard_tanh": lambda x: clip(x, -1, 1),
    "hard_mish": lambda x: x / 2 * clip(x + 2, 0, 2),
    "sparse_plus": lambda x: max(x, clip(x + 1, 0, 2) ** 2 / 4),
    "sparse_sigmoid": lambda x: clip((x + 1) / 2, 0, 1),
    "smelu": lambda x: max(x, clip(x + 1, 0, 2) ** 2 / 4),
    "sqnl": lambda x: clip(x, -2, 2) - clip(x, -2, 2) * abs(clip(x, -2, 2)) / 4,
    "smooth_step": lambda x: 0.5 + 1.5 * clip(x, -0.5, 0.5) - 2 * clip(x, -0.5, 0.5) ** 3,
    "soft_shrink": lambda x: np.sign(x) * max(abs(x) - 0.5, 0),
    "hard_shrink": lambda x: x * (abs(x) > 0.5),
    "firm_shrink": lambda x: np.sign(x) * max(abs(x) if abs(x) > 1 else 2 * (abs(x) - 0.5), 0),
    "garrote_shrink": lambda x: (x - 0.25 / x) * (abs(x) > 0.5),
    "scad_shrink": lambda x: (
        np.sign(x) * max(abs(x) - 0.5, 0)
        if abs(x) <= 1
        else x
        if abs(x) > 1.85
        else (2.7 * x - np.sign(x) * 1.85) / 1.7
    ),
    "square": lambda x: x * x,
    "cube": lambda x: x * x * x,
    "quadratic": lambda x: x * x + x,
    "ncu": lambda x: x - x * x * x,
    "elu": lambda x: x if x > 0 else np.exp(x) - 1,
    "celu": lambda x: max(x, 0) + min(0, np.exp(x) - 1),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (np.exp(x) - 1)),
    "pelu": lambda x: x if x > 0 else np.exp(x) - 1,
    "mpelu": lambda x: x if x > 0 else np.exp(x) - 1,
    "serlu": lambda x: 1.07862 * x * (1 if x > 0 else 2.90427 * np.exp(x)),
    "reu": lambda x: x if x > 0 else x * np.exp(x),
    "elish": lambda x: (x if x > 0 else np.exp(x) - 1) * s(x),
    "hard_elish": lambda x: (x if x > 0 else np.exp(x) - 1) * clip((x + 1) / 2, 0, 1),
    "xielu": lambda x: 0.8 * x * x + 0.5 * x if x > 0 else 0.8 * (np.exp(x) - 1) - 0.8 * x + 0.5 * x,
    "hexpo": lambda x: 1 - np.exp(-x) if x > 0 else np.exp(x) - 1,
    "isrlu": lambda x: x if x > 0 else x / np.sqrt(1 + x * x),
    "polylu": lambda x: x if x > 0 else 1 / (1 - x) - 1,
    "exponential": np.exp,
    "softplus": splus,
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "shifted_softplus": lambda x: np.log(0.5 + 0.5 * np.exp(x)),
    "smu": lambda x: (1.25 * x + 0.75 * x * sp.erf(0.75 * x)) / 2,
    "sau": lambda x: 0.15 * x + 0.85 * (x * sp.ndtr(x) + phi(x)),
    "log_cosh": lambda x: np.log(np.cosh(x)),
    "bent_identity": lambda x: (np.sqrt(x * x + 1) - 1) / 2 + x,
    "log_sigmoid": sp.log_expit,
    "sigmoid": sp.expit,
    "tanh": np.tanh,
    "bipolar_sigmoid": lambda x: (1 - np.exp(-x)) / (1 + np.exp(-x)),
    "cloglog": lambda x: 1 - np.exp(-np.exp(x)),
    "loglog": lambda x: np.exp(-np.exp(-x)),
    "probit": sp.ndtr,
    "silu_derivative": lambda x: s(x) * (1 + x * (1 - s(x))),
    "soft_clipping": lambda x: np.log((1 + np.exp(50 * x)) / (1 + np.exp(50 * (x - 1)))) / 50,
    "lecun_tanh": lambda x: 1.7159 * np.tanh(2 * x / 3),
    "penalized_tanh": lambda x: np.tanh(x) * (1 if x > 0 else 0.25),
    "elliott": lambda x: 0.5 * x / (1 + abs(x)) + 0.5,
    "soft_sign": lambda x: x / (1 + abs(x)),
    "scaled_soft_sign": lambda x: x / (1 + abs(x)),
    "soft_root_sign": lambda x: x / (x / 5 + np.exp(-x / 3)),
    "arctan": np.arctan,
    "erf": sp.erf,
    "isru": lambda x: x / np.sqrt(1 + x * x),
    "gaussian": lambda x: np.exp(-x * x / 2),
    "laplacian": lambda x: np.exp(-abs(x)),
    "inverse_quadratic": lambda x: 1 / (1 + x * x),
    "inverse_multiquadratic": lambda x: 1 / np.sqrt(1 + x * x),
    "tanh_shrink": lambda x: x - np.tanh(x),
    "asinh": np.arcsinh,
    "symlog": lambda x: np.sign(x) * np.log(1 + abs(x)),
    "hyper_sinh": lambda x: np.sinh(x) / 3 if x > 0 else x**3 / 4,
    "silu": lambda x: x * s(x),
    "gelu": lambda x: x * sp.ndtr(x),
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    "quick_gelu": lambda x: x * s(1.702 * x),
    "mish": lambda x: x * np.tanh(splus(x)),
    "tanh_exp": lambda x: x * np.tanh(np.exp(x)),
    "serf": lambda x: x * sp.erf(splus(x)),
    "lisht": lambda x: x * np.tanh(x),
    "logish": lambda x: x * np.log(1 + s(x)),
    "smish": lambda x: x * np.tanh(np.log(1 + s(x))),
    "phish": lambda x: x * np.tanh(x * sp.ndtr(x)),
    "aptx": lambda x: (1 + np.tanh(x)) * 0.5 * x,
    "e_swish": lambda x: 1.75 * x * s(x),
    "gish": lambda x: x * np.log(2 - np.exp(-np.exp(x))),
    "golu": lambda x: x * np.exp(-np.exp(-x)),
    "b_silu": lambda x: (x + 1.67) * s(x) - 1.67 / 2,
    "calu": lambda x: x * (np.arctan(x) / np.pi + 0.5),
    "lalu": lambda x: x * (1 - np.exp(-x) / 2 if x > 0 else np.exp(x) / 2),
    "xatlu": lambda x: x * (2 * (np.arctan(x) + np.pi / 2) / np.pi - 0.5),
    "xgelu": lambda x: x * (2 * sp.ndtr(x) - 0.5),
    "xsilu": lambda x: x * (2 * s(x) - 0.5),
    "sgelu": lambda x: 0.1 * x * sp.erf(x / np.sqrt(2)),
    "pflu": lambda x: x / 2 * (1 + x / np.sqrt(1 + x * x)),
    "fpflu": lambda x: x if x > 0 else x + x * x / np.sqrt(1 + x * x),
    "erfact": lambda x: x * sp.erf(0.75 * np.exp(0.75 * x)),
    "pserf": lambda x: x * sp.erf(1.25 * np.log(1 + np.exp(0.85 * x))),
    "flatten_t_swish": lambda x: max(x, 0) * s(x) - 0.2,
    "aria2": lambda x: x * (1 + np.exp(-2 * x)) ** -1.5,
    "acon_c": lambda x: x * s(x),
    "colu": lambda x: x / (1 - x * np.exp(-(x + np.exp(x)))),
    "sinlu": lambda x: (x + np.sin(x)) * s(x),
    "coslu": lambda x: (x + np.cos(x)) * s(x),
    "sine": np.sin,
    "cosine": np.cos,
    "snake": lambda x: x + np.sin(x) ** 2,
    "gcu": lambda x: x * np.cos(x),
    "asu": lambda x: x * np.sin(x),
    "dsu": lambda x: np.pi / 2 * (np.sinc(x / np.pi - 1) - np.sinc(x / np.pi + 1)),
    "sinc": lambda x: np.sinc(x / np.pi),
    "gabor": lambda x: np.cos(x) * np.exp(-x * x),
    "hosc": lambda x: np.tanh(2 * np.sin(x)),
    "exp_sin": lambda x: np.exp(-np.sin(x)),
}

NAMES = reference.names()
POINTS = (-6.3, -2.7, -1.4, -0.61, -0.13, 0.17, 0.52, 0.93, 1.31, 2.2, 4.9, 7.7)  # no break is among them
EXTREME = (-1.7e308, -1e300, -1e100, -1e10, -745.0, -400.0, -217.0, -137.0, -100.0, -60.0, -37.3, -20.2,
           -1.0, -1e-3, -1e-20, -1e-300, 0.0, 1e-300, 1e-150, 1e-30, 1e-5, 0.5, 1.0, math.pi, 20.0, 45.0,
           88.0, 160.0, 300.0, 700.0, 1e6, 1e150, 1.7e308)  # fmt: skip


def test_every_formula_is_here_twice():
    assert set(NAMES) == set(NAIVE)


@pytest.mark.parametrize("name", NAMES)
def test_value_is_the_naive_formula(name):
    for x in POINTS:
        # The naive form in float64 loses digits by cancellation for |x| < 8, never more than 2^-53 · 100.
        assert float(reference.value(name, x)) == pytest.approx(float(NAIVE[name](x)), rel=1e-13, abs=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_mpmath(name):
    formula, defaults = reference._bind(name, {})
    with _jets.mp.workdps(60):
        for x in POINTS[::3]:
            for order in (1, 2):
                truth = _jets.mp.diff(
                    lambda t: _jets.at(formula(_jets.seeded(t, 0), **defaults)), _jets.mp.mpf(x), order
                )
                error = abs(reference.value(name, x, order) - truth)
                # finite differences at 60 digits keep about 30
                assert error <= mpmath.mpf(10) ** -25 * max(1, abs(truth)), (x, order)


@pytest.mark.parametrize("name", NAMES)
def test_more_digits_change_nothing(name, monkeypatch):
    """Relative accuracy to 45 digits everywhere, in the tails too."""
    few = {x: reference.jet(name, x) for x in EXTREME}
    digits = reference._digits
    monkeypatch.setattr(reference, "_digits", lambda *numbers: 2 * digits(*numbers) + 100)
    for x in EXTREME:
        for order, (a, b) in enumerate(zip(few[x], reference.jet(name, x), strict=True)):
            if max(abs(a), abs(b)) > mpmath.mpf(10) ** -400:  # below the smallest float64 of all
                assert abs(a - b) <= mpmath.mpf(10) ** -45 * abs(b), (x, order)


@pytest.mark.parametrize("name", [name for name in NAMES if reference.parameters(name) and name != "repu"])
def test_parameter_derivatives_are_those_of_mpmath(name):
    formula, defaults = reference._bind(name, {})
    for parameter, default in defaults.items():
        for x in (-2.7, -0.31, 0.43, 1.9):

            def at(p, x=x, parameter=parameter):
                return _jets.at(formula(_jets.mp.mpf(x), **{**defaults, parameter: p}))

            with _jets.mp.workdps(60):
                truth = _jets.mp.diff(at, default)
                error = abs(reference.parameter_derivative(name, parameter, x) - truth)
                assert error <= mpmath.mpf(10) ** -25 * max(1, abs(truth)), (parameter, x)


@pytest.mark.parametrize(
    ("name", "point", "f", "slope", "bend"),
    [
        ("relu", 0, 0, 0, 0),
        ("leaky_relu", 0, 0, 1, 0),
        ("relu6", 0, 0, 0, 0),
        ("relu6", 6, 6, 0, 0),
        ("abs", 0, 0, 1, 0),
        ("hard_tanh", -1, -1, 1, 0),
        ("hard_tanh", 1, 1, 1, 0),
        ("hard_sigmoid", -3, 0, 0, 0),
        ("hard_sigmoid", 3, 1, 0, 0),
        ("hard_silu", -3, 0, 0, 0),
        ("hard_silu", 3, 3, 1, 0),
        ("selu", 0, 0, 1.0507009873554805 * 1.6732632423543772, 1.0507009873554805 * 1.6732632423543772),
        ("elu", 0, 0, 1, 1),
        ("soft_sign", 0, 0, 1, -2),
        ("symlog", 0, 0, 1, -1),
        ("soft_shrink", 0.5, 0, 0, 0),
        ("soft_shrink", -0.5, 0, 0, 0),
        ("hard_shrink", 0.5, 0, 0, 0),
        ("threshold", 1, 0, 0, 0),
        ("tent", 0, 1, -1, 0),
        ("laplacian", 0, 1, -1, 1),
        ("sinc", 0, 1, 0, -1 / 3),
        ("penalized_tanh", 0, 0, 0.25, 0),
        ("flatten_t_swish", 0, -0.2, 0.5, 0.5),
        ("sparse_sigmoid", 1, 1, 0, 0),
    ],
)
def test_convention_at_breaks(name, point, f, slope, bend):
    assert [float(d) for d in reference.jet(name, point)] == pytest.approx([f, slope, bend], rel=1e-15)


@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        ("gelu", -1, (0, 0, 0)),
        ("gelu", 1, (math.inf, 1, 0)),
        ("nlrelu", 1, (math.inf, 0, 0)),
        ("asinh", -1, (-math.inf, 0, 0)),
        ("lecun_tanh", 1, (1.7159, 0, 0)),
        ("star_relu", -1, (-0.4472, 0, 0)),
        ("ncu", 1, (-math.inf, -math.inf, -math.inf)),
        ("snake", 1, (math.inf, math.nan, math.nan)),
        ("golu", -1, (0, 0, 0)),
        ("qrelu", -1, (math.inf, -math.inf, 0.02)),
    ],
)
def test_limits(name, side, expected):
    found = [reference.limit(name, side, order) for order in range(3)]
    assert found == pytest.approx(expected, rel=1e-15, nan_ok=True)


def test_removable_parameters():
    assert reference.value("celu", -3.0, alpha=0.0) == 0
    assert (
        float(reference.parameter_derivative("celu", "alpha", -3.0, alpha=0.0)) == -1
    )  # d/da of a(e^{x/a}-1)
    assert reference.value("snake", 3.0, a=0.0) == 3
    assert reference.value("silu", 3.0, beta=0.0) == 1.5
    assert reference.parameter_derivative("xatlu", "alpha", 0.0) == 0


def test_far_tails_keep_their_value():
    # tanh'(400) = 4 e^-800 / (1 + e^-800)^2, from mpmath with the exponent taken apart by hand
    with mpmath.workdps(60):
        truth = 4 / (mpmath.exp(400) + mpmath.exp(-400)) ** 2
        assert abs(reference.value("tanh", 400.0, 1) / truth - 1) < mpmath.mpf(10) ** -45
        assert abs(reference.value("gelu", -40.0) / (-20 * mpmath.erfc(40 / mpmath.sqrt(2))) - 1) < 1e-45


def test_the_users_precision_is_left_alone():
    before = mpmath.mp.dps
    reference.jet("mish", 1e-300)
    assert mpmath.mp.dps == before
    assert isinstance(reference.value("mish", 1.0), mpmath.mpf)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="'swosh'"):
        reference.value("swosh", 0.0)
    with pytest.raises(TypeError, match=r"silu has no parameter 'gamma'; its parameters are: beta"):
        reference.value("silu", 0.0, gamma=1.0)
    with pytest.raises(TypeError, match="none"):
        reference.parameter_derivative("gelu", "alpha", 0.0)
    with pytest.raises(ValueError, match="order must be 0, 1 or 2, was 3"):
        reference.value("silu", 0.0, order=3)
    with pytest.raises(ValueError, match="x must be finite, was inf"):
        reference.value("silu", math.inf)


def test_it_imports_nothing_else_of_the_library():
    for path in pathlib.Path(reference.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("jaxacts") or "reference" in (node.module or ""), (
                    path
                )
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("jaxacts") for alias in node.names), path


def test_threads_do_not_change_each_others_digits():
    """`jaxacts check` asks from several threads; arguments far apart need very different working digits."""
    questions = [("hyper_sinh", 1e-3), ("gelu", -1e5), ("tanh", 1e-30), ("mish", 3.0)] * 30
    alone = [reference.jet(*question) for question in questions]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)  # threads take turns often
    try:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda question: reference.jet(*question), questions))
    finally:
        sys.setswitchinterval(interval)
    assert together == alone
