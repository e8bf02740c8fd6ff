"""Phases omega x that have more digits than a float, or overflow, against mpmath."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest

import jaxacts
from jaxacts._numerics import phase

# bits of a turn that must be right: those of a pair, less three for the additions
BITS = {np.float32: 33, np.float64: 75}
RANGE = {np.float32: (-100, 127), np.float64: (-900, 1023)}


@pytest.fixture(autouse=True)
def many_digits():
    with mpmath.workdps(700):  # a product of two floats below 2^2048, and its fraction
        yield


def floats(kind, rng):
    return np.append(np.ldexp(rng.uniform(1, 2, 40), rng.integers(*RANGE[kind], 40)), np.finfo(kind).max)


@pytest.mark.parametrize("kind", BITS)
@pytest.mark.parametrize("omega", [1.1, 1e20, None])
def test_fraction_of_a_turn(kind, omega, x64):
    rng = np.random.default_rng(3)
    x = floats(kind, rng).astype(kind)
    w = floats(kind, rng).astype(kind) if omega is None else np.full(x.shape, omega)
    args = (jnp.asarray(w),) if omega is None else ()
    turns = jax.jit(lambda x, *w: phase._turns(*(w or (omega,)), x))(jnp.asarray(x), *args)
    for i, parts in enumerate(zip(*turns, strict=True)):
        true = mpmath.mpf(float(x[i])) * mpmath.mpf(float(w[i])) / (2 * mpmath.pi)
        error = sum(mpmath.mpf(float(part)) for part in parts) - true
        assert abs(error - mpmath.nint(error)) < 2.0 ** -BITS[kind]


POINTS = [3.3e38, -1.3e38, 7.7e21, 123456.7, 70.1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("array", [False, True])
def test_waves_of_a_fast_phase(dtype, array):
    omega = 2.7001953125  # a float32 with more bits than half a significand
    x = jnp.asarray(POINTS, dtype)
    given = jnp.float32(omega) if array else omega
    wave, ripple, slope = jax.jit(
        lambda x: (
            jaxacts.exp_sin(x, given),
            jaxacts.snake(x, given),
            jax.vmap(jax.grad(lambda x: jaxacts.snake(x, given)))(x),
        )
    )(x)
    for i, point in enumerate(np.asarray(x, np.float64)):
        u = mpmath.mpf(point) * mpmath.mpf(omega)
        truth = mpmath.exp(-mpmath.sin(u)), point + mpmath.sin(u) ** 2 / omega, 1 + mpmath.sin(2 * u)
        for found, true in zip((wave, ripple, slope), truth, strict=True):
            # the promise: one rounding in 16 bits, up to 5 units in float32
            unit = float(jnp.finfo(dtype).eps) * 2.0 ** np.floor(np.log2(abs(float(true))))
            assert abs(float(found[i]) - float(true)) <= (0.51 if dtype == "bfloat16" else 5) * unit


def test_a_frequency_that_is_not_finite_is_refused_or_gives_nan():
    for omega in (np.inf, np.nan):
        with pytest.raises(ValueError, match="omega must be finite, was"):
            jaxacts.sine(2.0, omega)
        assert jnp.isnan(jaxacts.sine(jnp.ones(3), jnp.full(3, omega))).all()
