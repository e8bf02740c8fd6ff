"""Vector activations against float64 references written here from their definitions."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts.activations._vector import (
    crelu,
    entmax15,
    group_sort,
    log_softmax,
    max_min,
    maxout,
    softmax,
    softmin,
    sparsemax,
)

SIMPLEX = [softmax, softmin, sparsemax, entmax15]
ALL = [*SIMPLEX, log_softmax]
RNG = np.random.default_rng(7)
# Three temperaments: ordinary, one entry far ahead of the rest, and nearly equal entries.
ROWS = np.concatenate(
    [RNG.normal(size=(20, 9)) * 3, RNG.normal(size=(20, 9)) * 30, RNG.normal(size=(20, 9)) * 1e-3]
).astype(np.float32)


def _threshold(x, power):
    """tau with sum max(x - tau, 0)^power = 1, by bisection in float64."""
    low, high = x.max() - 1.0, x.max()
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if (np.maximum(x - middle, 0) ** power).sum() > 1 else (low, middle)
    return (low + high) / 2


def _reference(f, row):
    """Value and Jacobian in float64, from the definitions."""
    x = row.astype(np.float64)
    if f is sparsemax:
        p = np.maximum(x - _threshold(x, 1), 0)
        on = (p > 0).astype(float)
        return p, np.diag(on) - np.outer(on, on) / on.sum()
    if f is entmax15:
        s = np.maximum(x / 2 - _threshold(x / 2, 2), 0)
        return s**2, np.diag(s) - np.outer(s, s) / s.sum()
    sign = -1.0 if f is softmin else 1.0
    e = np.exp(sign * x - (sign * x).max())
    p = e / e.sum()
    rest = np.array([np.delete(p, i).sum() for i in range(len(p))])  # 1 - p without the cancellation
    if f is log_softmax:
        value = x - x.max() - np.log1p(np.delete(e, np.argmax(x)).sum())
        return value, np.diag(rest) - p * (1 - np.eye(len(x)))
    return p, sign * (np.diag(p * rest) - np.outer(p, p) * (1 - np.eye(len(p))))


@functools.cache
def _both(f):
    return jax.jit(lambda x: (f(x), jax.vmap(jax.jacrev(f))(x), jax.vmap(jax.jacfwd(f))(x)))


@pytest.mark.parametrize("f", ALL)
def test_value_and_jacobian_against_float64(f):
    value, backward, forward = map(np.asarray, _both(f)(ROWS))
    for row, y, back, fore in zip(ROWS, value, backward, forward, strict=True):
        true, jacobian = _reference(f, row)
        # Nine terms of one exp (1 ULP), one log1p (2.5 ULP), one division: 8 ULP = 1e-6. Thresholds are sums
        # of numbers up to 1 in size, so the projections are exact to a few float32 eps of 1, absolutely.
        relative, absolute = (1e-6, 1e-37) if f in (softmax, softmin, log_softmax) else (0, 1e-6)
        np.testing.assert_allclose(y, true, rtol=relative, atol=absolute)
        np.testing.assert_allclose(back, jacobian, rtol=2e-6, atol=max(absolute, 1e-37))
        np.testing.assert_allclose(fore, jacobian, rtol=2e-6, atol=max(absolute, 1e-37))


def test_jacobian_survives_where_the_weight_rounds_to_one():
    x = jnp.array([0.0, 20.0])
    small = np.exp(-20.0) / (1 + np.exp(-20.0))
    truth = small * (1 - small) * np.array([[1, -1], [-1, 1]])
    # exp within 1 ULP and three more roundings
    ours, logarithm, theirs = jax.jit(
        lambda x: (jax.jacrev(softmax)(x), log_softmax(x), jax.jacrev(jax.nn.softmax)(x))
    )(x)
    np.testing.assert_allclose(ours, truth, rtol=5e-7)
    np.testing.assert_allclose(logarithm[1], -np.log1p(np.exp(-20.0)), rtol=5e-7)
    assert theirs[1, 1] == 0.0  # what the textbook formula gives


def test_long_rows():
    x = RNG.normal(size=100_000).astype(np.float32)
    for y in jax.jit(lambda x: [f(x) for f in (softmax, sparsemax, entmax15)])(x):
        # 1e5 float32 roundings of random sign stay below sqrt(1e5) * eps = 2e-5 of the sum
        np.testing.assert_allclose(np.asarray(y, np.float64).sum(), 1.0, atol=2e-5)
    # entries near 1e-5 come from differences near 3e-3 of numbers near 2 in float32: relative 2 * 1e-7 / 3e-3
    half = x.astype(np.float64) / 2
    np.testing.assert_allclose(y, np.maximum(half - _threshold(half, 2), 0) ** 2, atol=1e-8, rtol=1e-4)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
@pytest.mark.parametrize("f", ALL)
def test_sixteen_bits_compute_in_float32_and_round_once(f, dtype):
    x = jnp.asarray(ROWS[:20]).astype(dtype)
    weight = jnp.asarray(RNG.normal(size=x.shape), jnp.float32).astype(dtype)
    value, gradient = jax.value_and_grad(
        lambda x: (f(x).astype(jnp.float32) * weight.astype(jnp.float32)).sum()
    )(x)
    wide = x.astype(jnp.float32)
    assert f(x).dtype == gradient.dtype == dtype
    np.testing.assert_array_equal(f(x), f(wide).astype(dtype))
    expected = jax.grad(lambda x: (f(x) * weight.astype(jnp.float32)).sum())(wide)
    np.testing.assert_array_equal(gradient, expected.astype(dtype))
    assert jnp.isfinite(value)


def test_log_softmax_of_a_huge_float16_row_has_a_finite_gradient():
    x = jnp.zeros(70_000, jnp.float16)  # more than 65504 ones: their sum overflows float16
    gradient, mean = jax.jit(
        lambda x: (jax.grad(lambda x: log_softmax(x)[0])(x), jax.grad(lambda x: log_softmax(x).mean())(x))
    )(x)
    assert jnp.isfinite(gradient).all()
    assert gradient[0] == 1.0
    # -1/70000 lies among the float16 subnormals, spaced 6e-8
    np.testing.assert_allclose(gradient[1:].astype(jnp.float32), -1 / 70_000, atol=3e-8)
    assert jnp.isfinite(mean).all()


INF, NAN = np.inf, np.nan
SPECIAL = np.array(
    [[1, 0.5, -INF], [1, NAN, 0.5], [INF, 0, INF], [INF, 0, 1], [-INF] * 3, [2, 2, 2]], dtype=np.float32
)
MASK = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1], [0, 0, 0]], dtype=bool)


@pytest.mark.parametrize("f", ALL)
def test_infinities_masks_and_nan(f):
    x = -SPECIAL if f is softmin else SPECIAL
    both = jax.jit(
        lambda x, where: (f(x, where=where), jax.vmap(jax.jacrev(lambda x, w: f(x, where=w)))(x, where))
    )
    y, jacobian = map(np.asarray, both(x, MASK))
    weights = np.exp(y) if f is log_softmax else y
    # Both first rows are the two-entry problem (1, 0.5). Sums of two or three float32 numbers: a few eps.
    two = _reference(softmax if f is log_softmax else f, x[0, :2])[0]
    np.testing.assert_allclose(weights[0], [*two, 0], rtol=1e-6)
    np.testing.assert_allclose(weights[1], [two[0], 0, two[1]], rtol=1e-6)
    np.testing.assert_allclose(weights[2], [0.5, 0, 0.5], rtol=1e-6)
    np.testing.assert_array_equal(weights[3:], [[1, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert np.isfinite(jacobian).all()
    np.testing.assert_array_equal(jacobian[4:], 0)  # nothing to choose, no gradient
    np.testing.assert_array_equal(jacobian[1][:, 1], 0)  # nor through a masked NaN
    y, jacobian = both(x, np.ones_like(MASK))
    assert np.isnan(y[1]).all()


def test_second_derivatives():
    x = jnp.array([0.3, -0.2, 0.9])
    smooth, flat, root = jax.jit(
        lambda x: [jax.jacfwd(jax.jacrev(f))(x) for f in (softmax, sparsemax, entmax15)]
    )(x)
    p = _reference(softmax, np.asarray(x))[0]
    eye = np.eye(3)
    # d2 p_k / dx_i dx_j of the softmax
    truth = np.einsum("k,ki,kj->kij", p, eye - p, eye - p) - np.einsum("k,i,ij->kij", p, p, eye - p)
    np.testing.assert_allclose(smooth, truth, atol=3e-7)  # a few eps of numbers below 1
    np.testing.assert_array_equal(flat, 0)
    step = 1e-4
    shifted = [_reference(entmax15, np.asarray(x, np.float64) + h * eye[0])[1] for h in (step, -step)]
    # central differences in float64: truncation step^2 times a third derivative of order 1
    np.testing.assert_allclose(root[..., 0], (shifted[0] - shifted[1]) / (2 * step), atol=1e-6)


@pytest.mark.parametrize("f", [softmax, log_softmax])  # the axes are handled in one place for all
def test_axes(f):
    x = RNG.normal(size=(2, 3, 4)).astype(np.float32)
    along, across = jax.jit(lambda x: (f(x, axis=1), f(x, axis=(0, 2))))(x)
    for i in np.ndindex(2, 4):
        np.testing.assert_allclose(along[i[0], :, i[1]], _reference(f, x[i[0], :, i[1]])[0], rtol=1e-6)
    for i in range(3):
        np.testing.assert_allclose(across[:, i].ravel(), _reference(f, x[:, i].ravel())[0], rtol=1e-6)


@pytest.mark.parametrize("f", ALL)
def test_bad_arguments_and_empty_rows(f):
    x = jnp.zeros((2, 3, 4))
    with pytest.raises(ValueError, match="axis must name an axis of x"):
        f(x, axis=3)
    with pytest.raises(ValueError, match="must not repeat"):
        f(x, axis=(0, -3))
    with pytest.raises(TypeError, match="x must be real"):
        f(jnp.ones(3, jnp.complex64))
    assert f(jnp.zeros((3, 0))).shape == (3, 0)
    assert f(jnp.arange(3)).dtype == jnp.result_type(float)


@pytest.mark.parametrize("f", [softmax, log_softmax])
def test_agrees_with_jax_nn_where_that_is_defined(f):
    there = getattr(jax.nn, f.__name__)
    where = RNG.random(ROWS.shape) > 0.3
    where[:, 0] = True
    # jax.nn rounds x - max, worth up to 100 float32 eps at a difference of 100, and log(1 + small) to eps
    both = jax.jit(lambda x, where: (f(x), there(x), f(x, where=where), there(x, where=where)))(ROWS, where)
    np.testing.assert_allclose(both[0], both[1], rtol=3e-5, atol=1.2e-7)
    np.testing.assert_allclose(both[2], both[3], rtol=3e-5, atol=1.2e-7)


def test_maxout():
    x = jnp.arange(12.0).reshape(2, 6) * jnp.array([[1.0], [-1.0]])
    np.testing.assert_array_equal(maxout(x, 3), [[2, 5], [-6, -9]])
    np.testing.assert_array_equal(maxout(x, 2, axis=0), jnp.maximum(x[0], x[1])[None])
    np.testing.assert_array_equal(
        jax.grad(lambda x: maxout(x).sum())(jnp.array([1.0, 1.0, 0.0, 2.0])), [0.5, 0.5, 0, 1]
    )
    with pytest.raises(ValueError, match="pieces = 4 does not divide"):
        maxout(x, 4)
    with pytest.raises(ValueError, match="pieces must be a positive integer"):
        maxout(x, 0)


def test_crelu():
    x = jnp.array([[-1.0, 0.0, 2.0]])
    np.testing.assert_array_equal(crelu(x), [[0, 0, 2, 1, 0, 0]])
    assert crelu(x, axis=0).shape == (2, 3)
    np.testing.assert_array_equal(jax.grad(lambda x: crelu(x).sum())(x), [[-1, 0, 1]])


def test_group_sort_and_max_min():
    x = jnp.asarray(RNG.normal(size=(5, 12)), jnp.float32)
    np.testing.assert_array_equal(group_sort(x, 12), np.sort(x, axis=-1))
    np.testing.assert_array_equal(
        group_sort(x, 3, descending=True), -np.sort(-np.reshape(x, (5, 4, 3))).reshape(5, 12)
    )
    pairs = np.reshape(x, (5, 6, 2))
    expected = np.stack([pairs.max(-1), pairs.min(-1)], -1).reshape(5, 12)
    np.testing.assert_array_equal(max_min(x), expected)
    np.testing.assert_array_equal(max_min(x.T, axis=0), expected.T)
    jacobian = jax.jacrev(lambda row: group_sort(row, 4))(x[0])
    np.testing.assert_array_equal(
        jacobian @ jacobian.T, np.eye(12)
    )  # a permutation: the gradient keeps its norm
    for f in (group_sort, max_min):  # ties keep their order
        np.testing.assert_array_equal(jax.jacrev(f)(jnp.ones(2)), np.eye(2))
    with pytest.raises(ValueError, match="group_size = 5 does not divide"):
        group_sort(x, 5)


def test_parameters_are_bound_by_name_and_kind():
    x = RNG.normal(size=(2, 3)).astype(np.float32)
    bound = jaxacts.get("softmax", axis=(0, 1))
    assert bound == jaxacts.get(softmax, axis=(0, 1))
    assert hash(bound) == hash(jaxacts.get(softmax, axis=(0, 1)))
    np.testing.assert_array_equal(bound(x), softmax(x, axis=(0, 1)))
    for name, unknown, known in (
        ("softmax", "foo", "axis, where"),
        ("rrelu", "low", "lower, upper"),
        ("maxout", "size", "pieces, axis"),
    ):
        with pytest.raises(
            TypeError, match=f"{name} has no parameter '{unknown}'; its parameters are: {known}"
        ):
            jaxacts.get(name, **{unknown: 1})
    for value in ("a", None, (1.0,)):
        with pytest.raises(TypeError, match="parameter 'alpha' of elu must be a number, was"):
            jaxacts.get("elu", alpha=value)


@pytest.mark.parametrize("f", ALL)
def test_all_axes_and_axes_of_the_wrong_kind(f):
    x = jnp.asarray(RNG.normal(size=(2, 3)), jnp.float32)
    np.testing.assert_array_equal(f(x, axis=None), f(x, axis=(0, 1)))
    assert f(1.0, axis=None) == (0.0 if f is log_softmax else 1.0)
    for axis in ("a", 1.5, [0]):
        with pytest.raises(TypeError, match="axis must be an integer, a tuple of integers or None, was"):
            f(x, axis=axis)
    for one in (crelu, maxout, group_sort):
        with pytest.raises(TypeError, match="axis must be an integer, was None"):
            one(x, axis=None)


@pytest.mark.parametrize("f", ALL)
def test_derivatives_of_nan_are_nan(f):
    x = jnp.array([[jnp.nan, 1.0, 2.0], [0.0, 1.0, 2.0]])
    backward, forward = jax.jit(lambda x: (jax.grad(lambda x: f(x)[:, 1].sum())(x), jax.jvp(f, (x,), (x,))))(
        x
    )
    for slopes in (backward, forward[1]):
        assert jnp.isnan(slopes[0]).all()
        assert jnp.isfinite(slopes[1]).all()
