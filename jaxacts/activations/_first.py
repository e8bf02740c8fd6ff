"""Provisional plain versions, replaced by the family files."""

import jax
import jax.numpy as jnp

from jaxacts._declare import Facts, declare, inf

__all__ = ["sigmoid","tanh","elu","selu","gelu_tanh","softplus","mish"]


def _add(fn, derivative, **kw):
    cases = kw.pop("cases", ({},))
    declare(fn, derivative=derivative, facts=Facts(**kw), formula=fn.__name__, reference="-", cases=cases)


def sigmoid(x):
    return jax.nn.sigmoid(x)


def tanh(x):
    return jnp.tanh(x)


def elu(x, alpha=1.0):
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.where(x > 0, 0.0, x)))


def selu(x):
    return jax.nn.selu(x)


def gelu_tanh(x):
    return jax.nn.gelu(x, approximate=True)


def softplus(x, beta=1.0):
    return jax.nn.softplus(beta * x) / beta


def mish(x):
    return x * jnp.tanh(jax.nn.softplus(x))


one = (0.0, 1.0)
_add(sigmoid, lambda x: jax.nn.sigmoid(x) * jax.nn.sigmoid(-x), image=one, limits=one, derivative_limits=(0, 0), lipschitz=0.25, lipschitz_derivative=0.0962250448649, monotone=True, zeros=(), aliases=("logistic",))
_add(tanh, lambda x: 1 - jnp.tanh(x) ** 2, image=(-1, 1), limits=(-1, 1), derivative_limits=(0, 0), lipschitz=1, lipschitz_derivative=0.769800358919501, monotone=True, parity="odd", zero_centred=True)
_add(elu, lambda x, alpha=1.0: jnp.where(x > 0, 1.0, alpha * jnp.exp(x)), image=(-1, inf), limits=(-1, inf), derivative_limits=one, lipschitz=1, lipschitz_derivative=1, knots=(0.0,), smoothness=1, monotone=True)
_add(selu, lambda x: jax.grad(selu)(x), image=(-1.758, inf), limits=(-1.758, inf), derivative_limits=(0, 1.0507), lipschitz=1.758, lipschitz_derivative=inf, kinks=((0.0, 1.758),), smoothness=0, monotone=True)
_add(gelu_tanh, lambda x: jax.grad(gelu_tanh)(x), image=(-0.17, inf), limits=(0, inf), derivative_limits=one, lipschitz=1.1289, lipschitz_derivative=0.8)
_add(softplus, lambda x, beta=1.0: jax.nn.sigmoid(beta * x), image=(0, inf), limits=(0, inf), derivative_limits=one, lipschitz=1, lipschitz_derivative=0.25, monotone=True, zeros=())
_add(mish, lambda x: jax.grad(mish)(x), image=(-0.3088, inf), limits=(0, inf), derivative_limits=one, lipschitz=1.0885, lipschitz_derivative=0.6)
