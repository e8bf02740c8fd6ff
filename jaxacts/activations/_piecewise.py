"""Functions pieced together from polynomials: clipped ramps, bumps, rounded rectifiers."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import Facts, declare, inf
from jaxacts._numerics import like, require, widen

__all__ = ["hard_tanh"]

# --- hard_tanh


def hard_tanh(x: ArrayLike, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0) -> Array:
    r"""Hard hyperbolic tangent, :math:`\min(\max(x, a), b)`.

    The identity between two constant ends. The derivative at both kinks is taken from inside, as `jax.nn`
    does: 1.

    Args:
      x: input of any shape.
      min_val: lower end a.
      max_val: upper end b, above a.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      TypeError: if `x` is complex.
      ValueError: if `max_val` is not above `min_val`, where both are plain numbers.

    Example:
      >>> jaxacts.hard_tanh(jnp.array([-2.0, 0.5, 2.0]))
      Array([-1. ,  0.5,  1. ], dtype=float32)

    Reference:
      Collobert, Large scale machine learning, thesis, University of Paris 6 (2004)
    """
    x, narrow = widen(x)
    a, b = like(min_val, x), like(max_val, x)
    require("max_val", b, a < b, f"above min_val ({min_val})")
    return narrow(jnp.where(x < a, a, jnp.where(x > b, b, x)))


def _hard_tanh_derivative(x: Array, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0) -> Array:
    return jnp.where((x >= min_val) & (x <= max_val), 1.0, 0.0)


def _hard_tanh_facts(min_val: float, max_val: float) -> Facts:
    balanced = min_val == -max_val
    return Facts(
        image=(min_val, max_val),
        limits=(min_val, max_val),
        derivative_limits=(0.0, 0.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((min_val, 1.0), (max_val, 1.0)),
        smoothness=0,
        monotone=True,
        parity="odd" if balanced else None,
        zero_centred=balanced,
        zeros=None if 0 in (min_val, max_val) else (0.0,) if min_val < 0 < max_val else (),
        family="piecewise",
        year=2004,
        aliases=("hardtanh",),
    )


declare(
    hard_tanh,
    derivative=_hard_tanh_derivative,
    facts=_hard_tanh_facts,
    formula=r"\min(\max(x, a), b)",
    reference="Collobert, Large scale machine learning, thesis, University of Paris 6 (2004)",
    cases=({}, {"min_val": -0.5, "max_val": 2.0}),
)
