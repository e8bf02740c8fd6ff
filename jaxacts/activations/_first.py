"""Provisional plain versions, replaced by the family files."""

import jax
import jax.numpy as jnp

from jaxacts._declare import Facts, declare, inf

__all__ = ["gelu_tanh", "softplus", "mish"]


def _add(fn, derivative, **kw):
    cases = kw.pop("cases", ({},))
    declare(fn, derivative=derivative, facts=Facts(**kw), formula=fn.__name__, reference="-", cases=cases)


def gelu_tanh(x):
    return jax.nn.gelu(x, approximate=True)


def softplus(x, beta=1.0):
    return jax.nn.softplus(beta * x) / beta


def mish(x):
    return x * jnp.tanh(jax.nn.softplus(x))


one = (0.0, 1.0)
_add(gelu_tanh, lambda x: jax.grad(gelu_tanh)(x), image=(-0.17, inf), limits=(0, inf), derivative_limits=one, lipschitz=1.1289, lipschitz_derivative=0.8)
_add(softplus, lambda x, beta=1.0: jax.nn.sigmoid(beta * x), image=(0, inf), limits=(0, inf), derivative_limits=one, lipschitz=1, lipschitz_derivative=0.25, monotone=True, zeros=())
_add(mish, lambda x: jax.grad(mish)(x), image=(-0.3088, inf), limits=(0, inf), derivative_limits=one, lipschitz=1.0885, lipschitz_derivative=0.6)
