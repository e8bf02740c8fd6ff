"""Activations replaced and observed inside functions: always the same as writing the function anew."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts.transforms import observe, substitute

X = jnp.linspace(-2.0, 2.0, 6).reshape(2, 3)


def plain(f, x):
    return f(2 * x) - f(x)


def jitted(f, x):
    return jax.jit(lambda x: f(x) + 1)(x)


def scanned(f, x):
    carry, ys = jax.lax.scan(lambda c, step: (f(c) * step, f(step * x)), x, jnp.array([0.5, 2.0]))
    return carry, ys


def looped(f, x):
    return jax.lax.while_loop(lambda v: jnp.sum(f(v[1])) < 3, lambda v: (v[0] + 1, f(v[1]) + 1), (0, x))


def branched(f, x):
    return jax.lax.cond(x[0, 0] < 0, f, jnp.square, x), jax.lax.switch(2, [jnp.sin, f, lambda x: 2 * f(x)], x)


def rematerialised(f, x):
    return jax.checkpoint(lambda x: f(f(x)))(x)


def vmapped(f, x):
    return jax.vmap(lambda row: f(row) @ row)(x)


def nested(f, x):
    return jax.jit(lambda x: jax.lax.fori_loop(0, 2, lambda _, x: jax.jit(f)(x), x))(x)


SHAPES = (plain, jitted, scanned, looped, branched, rematerialised, vmapped, nested)


@pytest.mark.parametrize("build", SHAPES, ids=lambda build: build.__name__)
def test_substituting_is_writing_the_function_with_the_other_activation(build):
    # silu is one equation, softplus many, relu holds a jitted function
    for old in (jaxacts.silu, jaxacts.softplus, jax.nn.relu):
        changed = jax.jit(substitute(functools.partial(build, old), {old: jnp.tanh}))
        found, truth = changed(X), jax.jit(functools.partial(build, jnp.tanh))(X)
        # not bit for bit: XLA fuses the two programs differently
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6), found, truth)


def test_several_at_once_and_in_each_other():
    model = lambda x: jaxacts.relu(jaxacts.tanh(x)) + jax.nn.gelu(x)  # noqa: E731
    both = substitute(model, {jaxacts.tanh: jaxacts.relu, jaxacts.relu: jaxacts.tanh})
    np.testing.assert_allclose(both(X), jaxacts.tanh(jaxacts.relu(X)) + jax.nn.gelu(X), rtol=1e-6, atol=1e-7)
    # the approximate gelu of jax.nn holds a tanh: found there too, unless the whole is named
    inner = substitute(jax.nn.gelu, {jnp.tanh: jnp.zeros_like})
    np.testing.assert_allclose(inner(X), X / 2, rtol=1e-6)
    protected = substitute(
        lambda x: jax.nn.gelu(x) + jnp.tanh(x), {jnp.tanh: jnp.zeros_like, jax.nn.gelu: jax.nn.gelu}
    )
    np.testing.assert_allclose(protected(X), jax.nn.gelu(X), rtol=1e-6)


def test_derivatives_are_those_of_the_changed_function():
    def loss(w, x):
        return jnp.sum(jaxacts.mish(x @ w) ** 2)

    w = jnp.ones((3, 2))
    found = jax.jit(jax.value_and_grad(substitute(loss, {jaxacts.mish: jnp.sin})))(w, X)
    truth = jax.jit(jax.value_and_grad(lambda w, x: jnp.sum(jnp.sin(x @ w) ** 2)))(w, X)
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found, truth)


@pytest.mark.parametrize("step", [15, pytest.param(1, marks=pytest.mark.slow)])
def test_activations_of_the_catalogue_are_found(step):
    for name in list(jaxacts.records())[1::step]:  # the first is the identity, which has no program
        f = jaxacts.records()[name].fn
        found = jax.eval_shape(substitute(lambda x, f=f: 3 * f(x - 1), {f: jnp.negative}), X)
        assert found.shape == X.shape, name


def test_arguments_that_are_no_arrays_pass_through():
    def model(params, x, *, mode, training=True):
        assert mode == "fast"
        assert training is True  # a Python bool, not a tracer
        return {"y": jaxacts.relu(x * params["w"]), "mode": mode, "nothing": None}

    params = {"w": jnp.float32(2.0), "name": "layer"}
    found = substitute(model, {jaxacts.relu: jnp.negative})(params, X, mode="fast")
    assert (found["mode"], found["nothing"]) == ("fast", None)
    np.testing.assert_array_equal(found["y"], -2 * X)


def test_observing_changes_nothing_and_sees_everything():
    @jax.jit
    def both(x):
        return observe(lambda x: jaxacts.tanh(jaxacts.silu(2 * x)) @ x.T, jaxacts.tanh, jaxacts.silu)(x)

    result, ((tanh,), (silu,)) = both(X)
    np.testing.assert_allclose(silu.input, 2 * X, rtol=1e-6)
    np.testing.assert_allclose(silu.output, jaxacts.silu(2 * X), rtol=1e-6)
    np.testing.assert_array_equal(tanh.input, silu.output)
    np.testing.assert_allclose(result, tanh.output @ X.T, rtol=1e-5, atol=1e-6)
    slope = jax.grad(lambda x: jnp.sum(observe(jaxacts.relu, jaxacts.relu)(x)[1][0][0].output))(X)
    np.testing.assert_array_equal(slope, (X > 0).astype(jnp.float32))


def test_observations_inside_a_scan_are_stacked():
    _, (seen,) = observe(functools.partial(scanned, jaxacts.relu), jaxacts.relu)(X)
    assert len(seen) == 2
    np.testing.assert_allclose(seen[0].input, [X, 0.5 * jaxacts.relu(X)])
    np.testing.assert_allclose(seen[1].input, [0.5 * X, 2 * X])
    _, (none,) = observe(jnp.sin, jaxacts.relu)(X)
    assert none == ()


@pytest.mark.parametrize("build", [looped, branched])
def test_what_has_no_number_of_observations_is_refused(build):
    with pytest.raises(ValueError, match=r"an activation to observe is applied inside (while|cond)"):
        observe(functools.partial(build, jaxacts.relu), jaxacts.relu)(X)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: substitute(jnp.sin, {jaxacts.relu: jaxacts.gelu})(X), ValueError, "relu.*does not occur"),
        (
            lambda: substitute(
                jaxacts.get("leaky_relu", negative_slope=0.2), {jaxacts.leaky_relu: jaxacts.gelu}
            )(X),
            ValueError,
            "with the same parameters",
        ),
        (lambda: substitute(jnp.sin, {}), ValueError, "at least one activation"),
        (lambda: substitute(jnp.sin, {"sin": jnp.cos}), TypeError, r"use jaxacts.get\('sin'\)"),
        (lambda: observe(jnp.sin), ValueError, "at least one activation"),
        (lambda: substitute(jnp.sin, {jnp.sin: jnp.sum})(X), ValueError, "must keep shape and type"),
        (lambda: substitute(jnp.sin, {lambda x: x: jnp.cos})(X), ValueError, "does nothing"),
        (
            lambda: substitute(jax.grad(lambda x: jnp.sum(jaxacts.silu(x))), {jaxacts.silu: jnp.sin})(X),
            ValueError,
            "do it before differentiating",
        ),
        (
            lambda: observe(jax.value_and_grad(jax.jit(lambda x: jnp.sum(jnp.tanh(x)))), jnp.tanh)(X),
            ValueError,
            "do it before differentiating",
        ),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
