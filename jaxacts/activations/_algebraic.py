"""The identity, powers, and functions that grow like a logarithm or an exponential on both sides."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import widen

__all__ = ["identity"]

# --- identity


def identity(x: ArrayLike) -> Array:
    r"""The identity, :math:`x`: no activation at all.

    The baseline of every comparison: a network of identities is linear.

    Args:
      x: input of any shape.

    Returns:
      `x` as an array, with its shape and dtype.

    Raises:
      TypeError: if `x` is complex.

    Example:
      >>> jaxacts.identity(jnp.array([-1.0, 0.0, 2.0]))
      Array([-1.,  0.,  2.], dtype=float32)

    Reference:
      Goodfellow, Bengio & Courville, Deep Learning, MIT Press (2016), section 6.2.2.1 (linear units)
    """
    x, narrow = widen(x)
    return narrow(x)


def _identity_derivative(x: Array) -> Array:
    return jnp.ones_like(x)


declare(
    identity,
    derivative=_identity_derivative,
    facts=Facts(
        image=(-inf, inf),
        limits=(-inf, inf),
        derivative_limits=(1.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=0.0,
        monotone=True,
        parity="odd",
        zero_centred=True,
        family="algebraic",
        aliases=("linear",),
    ),
    formula="x",
    reference="Goodfellow, Bengio & Courville, Deep Learning, MIT Press (2016), section 6.2.2.1",
)
