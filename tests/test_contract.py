"""The contract of every elementwise function: derivatives by three routes, special inputs, types, transforms.

Three routes to one derivative: `jax.grad`, the analytic form that is declared beside the function, and the
textbook formula in mpmath. How many units in the last place each is off is the business of `test_accuracy`,
which compiles all functions; here a wrong rule, a lost parameter or a bad limit must show. Some functions are
compiled, the others run operation by operation, as JAX does outside `jit`: then nothing is compiled but the
single operations, once for all functions.
"""

import dataclasses
import functools
import math

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jaxacts
from jaxacts import reference

RECORDS = jaxacts.records()
CASES = [(name, dict(case)) for name, record in RECORDS.items() for case in record.cases]
NAMES = list(RECORDS)
MOST_CASES = max(len(record.cases) for record in RECORDS.values())
# one or two of every way a function is built: exact pieces, series, parameters, waves, rescaled tails
SOME = [
    *("relu", "hard_tanh", "gelu", "silu", "celu", "soft_sign", "snake", "inverse_multiquadratic"),
    "soft_shrink",
]

SIZES = [
    *(1e-30, 1e-4, 0.03, 0.1, 0.3, 0.5, 0.75, 1.0, 1.3, 1.7, 2.0, 2.5, 3.0, 3.4, 4.0, 5.0, 7.5, 10.0),
    *(15.0, 30.0, 60.0, 100.0, 1e4),
]
SPECIAL = [math.nan, -math.inf, math.inf]
COUNT = 67  # points of every function: one shape for all, with room for every break

# Promised are 5 ULP in float32 and 10 in float64, of max(|f'|, |x f''|) beside a sign change; the bound here
# is twice that, as a unit may be half its largest relative size. An error of 10 % is 10^5 times as large.
PROMISED = {np.dtype(np.float32): 10 * 2.0**-23, np.dtype(np.float64): 20 * 2.0**-52}
# The analytic form is a textbook formula, which may cancel: about half the digits of f'.
TEXTBOOK = {np.dtype(np.float32): 2e-4, np.dtype(np.float64): 1e-9}
LEAST = 1e-2  # beside its zeros the analytic form has the absolute accuracy of its largest terms


def identify(value):
    if isinstance(value, dict):
        return ",".join(f"{k}={v:g}" for k, v in value.items()) or "default"
    return None


each_case = pytest.mark.parametrize(("name", "case"), CASES, ids=identify)
# the default setting of every function is measured far more closely by test_accuracy
closely = pytest.mark.parametrize(
    ("name", "case"),
    [(n, case) if case or n in SOME else pytest.param(n, case, marks=pytest.mark.slow) for n, case in CASES],
    ids=identify,
)
each_name = pytest.mark.parametrize("name", NAMES)
# compiles several programs a function: some functions always, all of them in the slow run
some_always = pytest.mark.parametrize(
    "name", [name if name in SOME else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)


@functools.cache
def breaks(name):
    """Breaks of all cases."""
    record = RECORDS[name]
    return sorted({b for case in record.cases for b in record.facts_at(**case).breaks})


@functools.cache
def points(name):
    around = [b + d for b in breaks(name) for d in (0.0, -0.01, 0.01)]
    filler = (0.37 * k - 14 for k in range(50, 100))
    # a break that float32 rounds is on neither side for sure
    left_out = {np.float32(b) for b in breaks(name) if float(np.float32(b)) != b}
    grid = set(np.asarray([*SIZES, *(-x for x in SIZES), 0.0, *around], np.float32)) - left_out
    while len(grid) < COUNT:
        grid.add(np.float32(next(filler)))
    assert len(grid) == COUNT
    return np.sort(np.asarray(list(grid), np.float64))


@functools.cache
def truth(name, items):
    """Rows f, f', f'' at the points, in mpmath rounded to float64."""
    with np.errstate(over="ignore"):
        return np.array(
            [[float(d) for d in reference.jet(name, x, 2, **dict(items))] for x in points(name)]
        ).T


def slope(f, x):
    """f and jax.grad(f) at every point."""
    value, pull = jax.vjp(f, x)
    return value, pull(jnp.ones_like(value))[0]


def close(got, true, scale, kind, tolerance):
    """Within the tolerance of the scale; what is out of range of the type is not looked at."""
    info = np.finfo(kind)
    with np.errstate(invalid="ignore", over="ignore"):
        scale = np.maximum(np.abs(true), np.where(np.isfinite(scale), np.abs(scale), 0))
        fine = np.abs(got - true) <= tolerance * scale + 2 * float(info.tiny)
    return fine | (np.abs(true) > float(info.max))


def check_routes(record, case, got, kind):
    """Assert that value, gradient and analytic derivative, the rows of `got`, agree with mpmath."""
    x = points(record.name)
    value, grad, analytic = (np.asarray(row, np.float64)[: len(x)] for row in got)
    f, f1, f2 = truth(record.name, tuple(case.items()))
    for what, row, true, scale, tolerance in (
        ("f", value, f, x * f1, PROMISED[kind]),
        ("jax.grad", grad, f1, x * f2, PROMISED[kind]),
        ("analytic derivative", analytic, f1, np.maximum(np.abs(x * f2), LEAST), TEXTBOOK[kind]),
    ):
        bad = ~close(row, true, scale, kind, tolerance)
        assert not bad.any(), f"{what} at {x[bad][:5]}: got {row[bad][:5]}, true {true[bad][:5]}"


def run(record, case, kind=np.float32):
    """f, jax.grad(f) and the analytic derivative at the points, NaN and both infinities."""
    x = np.concatenate([points(record.name), SPECIAL]).astype(kind)

    def program(x):
        value, grad = slope(lambda x: record.fn(x, **case), x)
        return value, grad, record.derivative(x, **case)

    return [np.asarray(row) for row in execute(record.name, program, jnp.asarray(x))]


def execute(name, program, *args):
    """The program compiled for some functions, operation by operation for the others."""
    if name in SOME:
        return jax.jit(program)(*args)
    with jax.disable_jit():
        return program(*args)


@closely
def test_derivatives_special_inputs_and_limits(name, case):
    record, facts = RECORDS[name], RECORDS[name].facts_at(**case)
    got = run(record, case)
    check_routes(record, case, got, np.dtype(np.float32))
    value, grad, _ = got
    assert np.isnan(value[-3]), "NaN must pass through"
    # a function of straight pieces has no NaN slope to give, only one of its own
    assert np.isnan(grad[-3]) or grad[-3] in grad[:-3], (
        "the derivative at NaN is NaN or a slope of the function"
    )
    for row, limits in ((value, facts.limits), (grad, facts.derivative_limits)):
        for found, limit in zip(row[-2:], limits, strict=True):
            # one rounding of the limit, one of the result
            assert math.isnan(limit) or found == limit or abs(found - limit) <= 2.0**-22 * abs(limit), limits


@each_name
def test_analytic_derivative_in_single_precision(name):
    record, x = RECORDS[name], points(name)
    got = np.asarray(execute(name, record.derivative, jnp.asarray(x, jnp.float32)), np.float64)
    _, f1, f2 = truth(name, ())
    bad = ~close(
        got, f1, np.maximum(np.abs(x * f2), LEAST), np.dtype(np.float32), TEXTBOOK[np.dtype(np.float32)]
    )
    assert not bad.any(), f"at {x[bad][:5]}: got {got[bad][:5]}, true {f1[bad][:5]}"


@functools.cache
def static(name):
    return tuple(k for k, v in RECORDS[name].parameters.items() if isinstance(v, int))


@pytest.mark.parametrize(
    "name",
    [
        # without parameters there is nothing here that test_accuracy does not measure
        name if name in SOME or RECORDS[name].parameters else pytest.param(name, marks=pytest.mark.slow)
        for name in NAMES
    ],
)
@pytest.mark.usefixtures("x64")
def test_derivatives_and_parameter_derivatives_in_double_precision(name):
    record = RECORDS[name]
    learnt = [k for k in record.parameters if k not in static(name)]
    x = np.concatenate([points(name), SPECIAL])

    def program(fixed, x, parameters):
        value, pull = jax.vjp(lambda x, p: record.fn(x, **p, **fixed), x, parameters)
        grad, by_parameter = pull(jnp.ones_like(value))
        return value, grad, record.derivative(x, **parameters, **fixed), by_parameter

    groups = {}  # settings with equal static parameters share a call
    for case in record.cases:
        full = {**record.parameters, **case}
        groups.setdefault(tuple((k, full[k]) for k in static(name)), []).append((case, full))
    for fixed, members in groups.items():
        # one value of a parameter beside each x: the gradient comes element by element; one size for all
        # functions, so that single operations are compiled once
        places = (members * MOST_CASES)[:MOST_CASES]
        values = {k: jnp.array([float(full[k]) for _, full in places]) for k in learnt}
        arrays = {k: jnp.repeat(v, x.size) for k, v in values.items()}
        got = execute(name, functools.partial(program, dict(fixed)), jnp.tile(x, MOST_CASES), arrays)
        for row, (case, full) in enumerate(members):
            here = slice(row * x.size, (row + 1) * x.size)
            *routes, by_parameter = jax.tree.map(lambda part, here=here: np.asarray(part[here]), got)
            check_routes(record, case, routes, np.dtype(np.float64))
            for parameter in learnt:
                check_parameter(name, parameter, full, x[:-3], by_parameter[parameter][:-3])


def check_parameter(name, parameter, full, x, got, tolerance=1e-9):
    """Derivatives with respect to a parameter: 1e-9 of max(|true|, |f|), as they may cancel near a zero."""
    chosen = (np.abs(x) < 20) & (np.abs(x) > 1e-3) & ~np.isin(x, breaks(name))
    for point, found in list(zip(x[chosen], got[chosen], strict=True))[::3]:
        true = float(reference.parameter_derivative(name, parameter, point, **full))
        scale = max(abs(true), abs(float(reference.value(name, point, 0, **full))))
        assert abs(found - true) <= tolerance * scale + 1e-300, (parameter, point, found, true)


def test_limit_of_a_parameter_derivative_at_zero():
    # celu becomes relu, snake the identity; both have a one-sided or full derivative there
    for name, parameter, expected in (("celu", "alpha", [-1.0, -1.0, 0.0]), ("snake", "a", [4.0, 0.25, 9.0])):
        x = jnp.array([-2.0, -0.5, 3.0])
        f = RECORDS[name].fn
        got = jax.vmap(jax.grad(lambda p, x, f=f: f(x, p)), (None, 0))(jnp.float32(0.0), x)
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        for point, value in zip(x.tolist(), expected, strict=True):
            assert float(reference.parameter_derivative(name, parameter, point, **{parameter: 0.0})) == value


# --- the checks notice what they are for


def test_a_derivative_wrong_by_ten_percent_is_noticed():
    record = RECORDS["gelu"]
    for wrong in (
        dataclasses.replace(record, derivative=lambda x: 1.1 * record.derivative(x)),
        dataclasses.replace(record, fn=_with_slope(record.fn, lambda x: 1.1 * jax.grad(record.fn)(x))),
        # wrong on one side only
        dataclasses.replace(record, derivative=lambda x: jnp.where(x < -2, 1.1, 1.0) * record.derivative(x)),
    ):
        with pytest.raises(AssertionError, match="got"):
            check_routes(wrong, {}, run(wrong, {}), np.dtype(np.float32))


def _with_slope(f, wrong):
    f = jax.custom_jvp(f)
    f.defjvp(lambda x, t: (f(*x), jax.vmap(wrong)(*x) * t[0]))
    return f


def test_a_forgotten_parameter_is_noticed():
    record = RECORDS["silu"]
    forgetful = dataclasses.replace(record, derivative=lambda x, beta=1.0: record.derivative(x))
    check_routes(forgetful, {}, run(forgetful, {}), np.dtype(np.float32))  # invisible at the default
    with pytest.raises(AssertionError, match="analytic"):
        check_routes(forgetful, {"beta": 2.0}, run(forgetful, {"beta": 2.0}), np.dtype(np.float32))
    forgetful = dataclasses.replace(record, fn=lambda x, beta=1.0: record.fn(x))
    with pytest.raises(AssertionError, match="f at"):
        check_routes(forgetful, {"beta": 2.0}, run(forgetful, {"beta": 2.0}), np.dtype(np.float32))
    with pytest.raises(AssertionError):
        check_parameter("silu", "beta", {"beta": 2.0}, np.array([1.0]), np.array([0.0]))


# --- shapes and types: traced, not compiled


@each_name
def test_value_and_slope_have_the_type_of_the_input(name):
    f = RECORDS[name].fn
    for kind in (jnp.float16, jnp.bfloat16, jnp.float32):  # traced only
        x = jax.ShapeDtypeStruct((2, 3), kind)
        value, slope = jax.eval_shape(lambda v: (f(v), jax.grad(lambda u: jnp.sum(f(u)))(v)), x)
        chex.assert_trees_all_equal((value.shape, slope.shape), ((2, 3), (2, 3)))
        assert value.dtype == slope.dtype == kind


@some_always
def test_shape_and_type_are_those_of_the_input(name):
    record = RECORDS[name]
    f = functools.partial(record.fn, **record.cases[-1])
    derivative = functools.partial(record.derivative, **record.cases[-1])
    default = jnp.result_type(float)
    for shape, kind in (((), jnp.float16), ((2, 0, 3), jnp.bfloat16), ((3,), jnp.float32)):
        x = jax.ShapeDtypeStruct(shape, kind)
        for out in (*jax.eval_shape(lambda x: slope(f, x), x), jax.eval_shape(derivative, x)):
            assert (out.shape, out.dtype) == (shape, kind)
    for kind in (jnp.int8, bool):
        out = jax.eval_shape(f, jax.ShapeDtypeStruct((2,), kind))
        assert (out.shape, out.dtype) == ((2,), default)
    for scalar in (2, 2.0, np.float16(2)):  # a Python number has the weak default type
        out = jax.eval_shape(lambda scalar=scalar: f(scalar))
        assert (out.shape, out.dtype) == ((), np.float16 if isinstance(scalar, np.float16) else default)
    with pytest.raises(TypeError, match="complex64"):
        f(jnp.ones(2, jnp.complex64))


@each_name
def test_a_python_number_decides_no_type_and_its_result_does_not_either(name):
    f = RECORDS[name].fn
    assert jax.eval_shape(f, 0.5).weak_type
    if name in SOME:
        scaled = jax.eval_shape(lambda x: f(1) * x, jax.ShapeDtypeStruct((2,), jnp.bfloat16))
        assert scaled.dtype == jnp.bfloat16
        for kind in (jnp.float32, jnp.int32):
            assert not jax.eval_shape(f, jax.ShapeDtypeStruct((2,), kind)).weak_type


@each_name
def test_parameters_may_be_arrays_of_any_float_type_and_broadcast(name):
    record = RECORDS[name]
    x = jax.ShapeDtypeStruct((4, 3), jnp.bfloat16)
    for shape, kind in (((), jnp.float32), ((4, 3), jnp.float32), ((1, 3), jnp.bfloat16)):
        parameters = {
            k: jax.ShapeDtypeStruct(shape, kind) for k in record.parameters if k not in static(name)
        }
        out = jax.eval_shape(lambda x, p: record.fn(x, **p), x, parameters)
        assert (out.shape, out.dtype) == ((4, 3), jnp.bfloat16)


def test_integers_and_booleans_give_the_value_of_the_float():
    for name in SOME:
        f = RECORDS[name].fn
        x = jnp.array([0, 1, 2])
        np.testing.assert_array_equal(f(x), f(x.astype(float)))
        np.testing.assert_array_equal(f(x > 0), f((x > 0).astype(float)))


@pytest.mark.usefixtures("x64")
def test_double_precision_is_kept():
    for name in SOME:
        x = jax.ShapeDtypeStruct((3,), jnp.float64)
        assert jax.eval_shape(RECORDS[name].fn, x).dtype == jnp.float64
        assert jax.eval_shape(RECORDS[name].derivative, x).dtype == jnp.float64
        assert jax.eval_shape(RECORDS[name].fn, 2.0).dtype == jnp.float64


# --- transformations


@some_always
def test_jit_and_eager_agree_bit_for_bit_in_16_bits(name):
    f = RECORDS[name].fn
    x = jnp.asarray(np.concatenate([points(name), SPECIAL])[:63]).astype(jnp.bfloat16)
    np.testing.assert_array_equal(_bits(f(x)), _bits(jax.jit(f)(x)))


@pytest.mark.parametrize("name", SOME[1:6])
@pytest.mark.parametrize("kind", [jnp.float16, jnp.bfloat16])
def test_gradients_under_jit_and_eager_agree_bit_for_bit_in_16_bits(name, kind):
    g = jax.vmap(jax.grad(RECORDS[name].fn))
    x = jnp.asarray(points(name)[:60]).astype(kind)
    np.testing.assert_array_equal(_bits(g(x)), _bits(jax.jit(g)(x)))


def _bits(x):
    x = np.asarray(x)
    return np.where(np.isnan(x), 0, x.view(np.uint16))  # one NaN is as good as another


@pytest.mark.parametrize("name", ["hard_tanh", "gelu", "celu", "snake"])
def test_every_mode_of_differentiation_agrees(name):
    f = RECORDS[name].fn
    x = jnp.asarray(points(name)[8:56:4], jnp.float32)

    @jax.jit
    def program(x):
        total = lambda x: f(x).sum()  # noqa: E731
        one = jax.vmap(jax.grad(f))(x)
        return {
            "values": (jax.vmap(f)(x), f(x)),
            "slopes": (one, jax.grad(total)(x)),
            "forward and reverse": (jnp.diag(jax.jacfwd(f)(x)), jnp.diag(jax.jacrev(f)(x))),
            "forward and grad": (jax.jvp(f, (x,), (jnp.ones_like(x),))[1], one),
            "bends": (jnp.diag(jax.hessian(total)(x)), jax.vmap(jax.grad(jax.grad(f)))(x)),
            "a product with the Hessian": (
                jax.jvp(jax.grad(total), (x,), (x,))[1],
                jax.hessian(total)(x) @ x,
            ),
        }

    for a, b in program(x).values():
        # the same formula, fused differently: a few roundings
        chex.assert_trees_all_close(a, b, rtol=1e-6, atol=1e-30)


class Variants(chex.TestCase):
    @chex.variants(with_jit=True, without_jit=True)
    def test_values_in_and_outside_jit(self):
        for name in SOME:
            f = self.variant(RECORDS[name].fn)
            x = points(name)[10:50]
            true = truth(name, ())[:, 10:50]
            got = np.asarray(f(jnp.asarray(x, jnp.float32)), np.float64)
            assert close(
                got, true[0], x * true[1], np.dtype(np.float32), PROMISED[np.dtype(np.float32)]
            ).all()


def test_equal_settings_are_one_compiled_program():
    chex.clear_trace_counter()

    @functools.partial(jax.jit, static_argnums=0)
    @chex.assert_max_traces(n=2)
    def layer(f, x):
        return f(x)

    x = jnp.ones(3)
    for _ in range(3):
        layer(jaxacts.get("leaky_relu", negative_slope=0.2), x)
        layer(jaxacts.get("lrelu", negative_slope=np.float64(0.2)), x)
        layer(jaxacts.get(jaxacts.leaky_relu, negative_slope=0.3), x)


@pytest.mark.parametrize("f", ["gelu", "celu", "snake", "hard_tanh", jaxacts.get("silu", beta=2.0)], ids=str)
def test_lowers_for_accelerators(f):
    f = jaxacts.get(f)
    second = jax.vmap(jax.grad(jax.grad(f)))

    def program(x):
        return *slope(f, x), second(x)

    x = jax.ShapeDtypeStruct((8,), jnp.float32)
    for kind in (jnp.float32, jnp.bfloat16):
        x = jax.ShapeDtypeStruct((8,), kind)
        exported = export.export(jax.jit(program), platforms=("tpu", "cuda", "rocm"))(x)
        assert [a.dtype for a in exported.out_avals] == [kind] * 3
