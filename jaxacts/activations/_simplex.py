"""Maps of the last axis onto the probability simplex, each with its exact Jacobian as JVP rule.

Where one weight p dwarfs the rest, p(1 - p) computed from p vanishes as soon as p rounds to 1. In the rules
here 1 - p is the sum of the *other* weights.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array


def _shifted(x: Array) -> tuple[Array, Array]:
    """The difference x - max along the last axis as an unevaluated sum high + low.

    The low word is what the subtraction rounds away. Left out, it costs exp(x - max) half an ULP of the
    *exponent*: 8 ULP of the result at x - max = -20. A largest entry of +inf gives 0, the finite ones -inf.
    """
    top = jnp.max(x, axis=-1, keepdims=True, initial=-jnp.inf)
    base = jnp.where(jnp.abs(top) == jnp.inf, 0.0, top)
    high = x - base
    part = high - x
    low = (x - (high - part)) + (-base - part)  # Knuth's two-sum: exact, whatever the order of magnitude
    high = jnp.where(top == jnp.inf, jnp.where(x == top, 0.0, -jnp.inf), high)
    return high, jnp.where(jnp.abs(low) < jnp.inf, low, 0.0)


def _sum(x: Array) -> Array:
    return jnp.sum(x, axis=-1, keepdims=True)


# entries of a row up to which one pass that makes two sums beats two passes, which are vectorised
_NARROW = 16


def _weights(x: Array) -> tuple[Array, Array, Array]:
    """The weights exp(x - max), 1 for the largest entry, their sum, and the sum without that one.

    All are 0 where nothing is left. What is below 1 is summed apart from the ones, of which it may be a small
    part.
    """
    high, low = _shifted(x)
    e = jnp.exp(high)
    e = e + e * low
    whole = jnp.floor(e)
    if x.shape[-1] > _NARROW:
        total = _sum(e)
        return e, total, jnp.where(total < 2.0, _sum(e - whole), total - 1.0)
    zero = jnp.zeros((), e.dtype)
    plus = lambda a, b: (a[0] + b[0], a[1] + b[1])  # noqa: E731
    parts = jax.lax.reduce((e - whole, whole), (zero, zero), plus, (x.ndim - 1,))
    below, ones = (jnp.expand_dims(part, -1) for part in parts)
    return e, below + ones, below + jnp.maximum(ones - 1.0, 0.0)


def _deviation(p: Array, t: Array, whole: Array | float = 1.0) -> Array:
    """`t` minus its mean over the row under the weights `p`, which sum to `whole`: 1, or 0 if all are 0.

    Both are taken from the entry whose weight is above a half, if there is one: what is left of 1 - p is then
    a sum of the other weights. Products with 0 and 1 stand in for masks, which would keep XLA from fusing the
    sums over the rows.
    """
    first = jnp.round(p)  # 1 for a weight above a half
    t = (whole - first) * (t - _sum(first * t))
    return t - _sum(p * t)


def _or_one(x: Array) -> Array:
    return jnp.where(x == 0, 1.0, x)


@jax.custom_jvp
def softmax_rows(x: Array) -> Array:
    e, total, _ = _weights(x)
    return e / _or_one(total)


@softmax_rows.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    p = softmax_rows(x)
    return p, p * _deviation(p, t)


@jax.custom_jvp
def log_softmax_rows(x: Array) -> Array:
    top = jnp.max(x, axis=-1, keepdims=True)
    infinite = jnp.abs(top) == jnp.inf
    # log1p of the other terms instead of the log of all: -log p stays exact when p rounds to 1
    fall = jnp.log1p(_weights(x)[2])
    return jnp.where(infinite, jnp.where(x == jnp.inf, 0.0, -jnp.inf), x - top) - fall


@log_softmax_rows.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    whole = jnp.where(jnp.max(x, axis=-1, keepdims=True) == -jnp.inf, 0.0, 1.0)
    return log_softmax_rows(x), _deviation(softmax_rows(x), t, whole)


def _bounded(x: Array) -> tuple[Array, Array, Array]:
    """The difference x - max cut at -2, the same in descending order, and whether anything can be chosen.

    The thresholds of sparsemax and of entmax lie at most 1 below the largest entry, so what is cut has weight
    0 and cannot overflow the sums.
    """
    u = jnp.maximum(_shifted(x)[0], -2.0)
    return u, -jnp.sort(-u, axis=-1), jnp.max(x, axis=-1, keepdims=True) != -jnp.inf


def _ranks(x: Array) -> Array:
    return jax.lax.broadcasted_iota(x.dtype, x.shape, x.ndim - 1) + 1.0


@jax.custom_jvp
def sparsemax_rows(x: Array) -> Array:
    u, ordered, some = _bounded(x)
    k = _ranks(u)
    inside = 1.0 + k * ordered > jnp.cumsum(ordered, axis=-1)
    last = jnp.min(
        jnp.where(inside, ordered, 0.0), axis=-1, keepdims=True
    )  # the smallest entry of the support
    support = u >= last
    size = _or_one(jnp.sum(support, axis=-1, keepdims=True, dtype=u.dtype))
    # A plain masked sum loses less than the running sum of the sorted entries did.
    threshold = (jnp.sum(jnp.where(support, u, 0.0), axis=-1, keepdims=True) - 1.0) / size
    return jnp.where(some, jnp.maximum(u - threshold, 0.0), 0.0)


@sparsemax_rows.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    p = sparsemax_rows(x)
    support = ~(p <= 0)  # with NaN in it, whose derivative is NaN too
    size = _or_one(jnp.sum(support, axis=-1, keepdims=True, dtype=t.dtype))
    mean = jnp.sum(jnp.where(support, t, 0.0), axis=-1, keepdims=True) / size
    return p, jnp.where(support, (t - mean) * jnp.where(jnp.isnan(p), jnp.nan, 1.0), 0.0)


@jax.custom_jvp
def entmax15_roots(x: Array) -> Array:
    """Square roots of the weights of 1.5-entmax along the last axis."""
    u, ordered, some = _bounded(0.5 * x)
    k = _ranks(u)
    mean = jnp.cumsum(ordered, axis=-1) / k
    spread = jnp.cumsum(ordered**2, axis=-1) - k * mean**2
    threshold = mean - jnp.sqrt(jnp.maximum((1.0 - spread) / k, 0.0))
    size = jnp.max(jnp.where(threshold <= ordered, k, 1.0), axis=-1, keepdims=True)
    threshold = jnp.sum(jnp.where(k == size, threshold, 0.0), axis=-1, keepdims=True)
    for _ in range(2):  # Newton steps remove the rounding of the running sums (3e-4 of p at 1e5 entries)
        root = jnp.maximum(u - threshold, 0.0)
        excess = jnp.sum(root**2, axis=-1, keepdims=True) - 1.0
        threshold = threshold + excess / (2.0 * _or_one(jnp.sum(root, axis=-1, keepdims=True)))
    return jnp.where(some, jnp.maximum(u - threshold, 0.0), 0.0)


@entmax15_roots.defjvp
def _(primals, tangents):
    (x,), (t,) = primals, tangents
    root = entmax15_roots(x)
    weights = root / _or_one(jnp.sum(root, axis=-1, keepdims=True))
    return root, jnp.where(root <= 0, 0.0, 0.5 * _deviation(weights, t))  # NaN where the root is
