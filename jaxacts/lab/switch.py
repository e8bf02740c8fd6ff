"""One of several activations, chosen by a traced index, with a gradient rule that stores one array."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax


def value_and_slope(f: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, Array]]:
    """A function of z that returns f(z) and f'(z) elementwise, together: f itself and its `jax.vjp`.

    Args:
      f: an elementwise function.

    Returns:
      A function returning a pair of arrays with the shape and dtype of its argument.

    Example:
      >>> from jaxacts.lab.switch import value_and_slope
      >>> value_and_slope(jaxacts.relu)(jnp.array([-1.0, 2.0]))
      (Array([0., 2.], dtype=float32), Array([0., 1.], dtype=float32))
    """

    def both(z: Array) -> tuple[Array, Array]:
        value, pull = jax.vjp(f, z)
        if value.shape != z.shape:
            raise ValueError(
                f"an activation must keep the shape of its input; {z.shape} became {value.shape}"
            )
        return value.astype(z.dtype), pull(jnp.ones_like(value))[0]

    return both


class Switch(NamedTuple):
    """One of several elementwise functions, chosen by a traced index.

    Attributes:
      plain: (index, z) -> f(z).
      pair: (index, z, rows=None) -> (f(z), f'(z[:rows])), computed together.
      trained: (index, z) -> f(z), with a gradient rule that stores one array.
    """

    plain: Callable[[Array, Array], Array]
    pair: Callable[..., tuple[Array, Array]]
    trained: Callable[[Array, Array], Array]


def switch(branches: tuple[Callable[[Array], Array], ...]) -> Switch:
    """Make the functions that choose among `branches`.

    Without a rule of its own JAX would keep the residuals of all branches for the backward pass. The rule
    keeps f'(z), computed with f(z) where both can share an exponential, so the backward pass is one
    multiplication and needs no second switch. Each is jitted, so that layers of equal shape are traced once.

    Args:
      branches: the functions.

    Returns:
      A :class:`Switch`.

    Example:
      >>> from jaxacts.lab.switch import switch
      >>> chosen = switch((jaxacts.relu, jaxacts.tanh))
      >>> float(jax.grad(chosen.trained, argnums=1)(0, -1.0))
      0.0
    """
    pairs = [value_and_slope(f) for f in branches]
    values = [lambda z, pair=pair: pair(z)[0] for pair in pairs]  # the compiler drops the unused slope

    @jax.jit
    def plain(index: Array, z: Array) -> Array:
        return lax.switch(index, values, z)

    @functools.partial(jax.jit, static_argnames="rows")
    def pair(index: Array, z: Array, rows: int | None = None) -> tuple[Array, Array]:
        def head(both: Callable[[Array], tuple[Array, Array]], z: Array) -> tuple[Array, Array]:
            value, slope = both(z)
            # cut inside the branch, so that the other slopes are not computed
            return value, slope if rows is None else slope[:rows]

        return lax.switch(index, [functools.partial(head, both) for both in pairs], z)

    trained = jax.custom_vjp(plain)
    trained.defvjp(pair, lambda slope, cotangent: (None, cotangent * slope))
    return Switch(plain, pair, trained)
