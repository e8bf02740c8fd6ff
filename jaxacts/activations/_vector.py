r"""Vector activations: each output depends on a whole slice of the input, not on one element.

Conventions of the maps onto the simplex (`softmax`, `log_softmax`, `softmin`, `sparsemax`, `entmax15`):

* 16-bit input is widened to float32, computed there and rounded once, in the derivative too; sums over more
  than 65504 float16 entries therefore neither overflow nor lose the gradient.
* An entry of ``-inf`` is excluded, like one masked by ``where``: its weight is 0. A slice in which everything
  is excluded returns zeros (`log_softmax`: ``-inf``) with zero gradients. (`jax.nn.softmax` returns NaN for a
  slice of ``-inf`` and zeros for a fully masked one.)
* Entries of ``+inf`` share the weight equally, which is the limit of equally large finite entries.
* NaN in an entry that is not masked makes its slice NaN; a masked NaN is ignored, in the gradient too.
* Several axes may be given, or None for all; the weights then sum to 1 over all of them together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxacts._declare import as_inexact, declare_other
from jaxacts._numerics import widen
from jaxacts.activations._rectifiers import relu
from jaxacts.activations._simplex import entmax15_roots, log_softmax_rows, softmax_rows, sparsemax_rows

__all__ = [
    "crelu",
    "entmax15",
    "group_sort",
    "log_softmax",
    "max_min",
    "maxout",
    "softmax",
    "softmin",
    "sparsemax",
]

Axis = int | tuple[int, ...] | None


def _axes(x: Array, axis: Axis) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    try:
        axes = tuple(map(operator.index, axis if isinstance(axis, tuple) else (axis,)))
    except TypeError:
        raise TypeError(f"axis must be an integer, a tuple of integers or None, was {axis!r}") from None
    for one in axes:
        if not -x.ndim <= one < x.ndim:
            raise ValueError(f"axis must name an axis of x, which has shape {x.shape}, was {axis}")
    axes = tuple(one % x.ndim for one in axes)
    if len(set(axes)) < len(axes):
        raise ValueError(f"axis must not repeat an axis, was {axis}")
    return axes


def _axis(x: Array, axis: int) -> int:
    if axis is None or isinstance(axis, tuple):
        raise TypeError(f"axis must be an integer, was {axis!r}")
    return _axes(x, axis)[0]


def as_rows(x: Array, axis: Axis) -> tuple[Array, Callable[[Array], Array]]:
    """The slices along `axis` (one axis or several) as rows of the last axis, and the way back."""
    axes = _axes(x, axis)
    ends = tuple(range(-len(axes), 0))
    moved = jnp.moveaxis(x, axes, ends)
    rows = moved.reshape(*moved.shape[: x.ndim - len(axes)], -1)
    return rows, lambda y: jnp.moveaxis(y.reshape(moved.shape), ends, axes)


def _exclude(x: Array, where: ArrayLike | None) -> tuple[Array, Array]:
    """`x` with masked entries at -inf, and the mask. The select also cuts the gradient of a masked NaN."""
    if where is None:
        return x, jnp.ones(x.shape, bool)
    keep = jnp.broadcast_to(jnp.asarray(where, dtype=bool), x.shape)
    return jnp.where(keep, x, -jnp.inf), keep


def _on_simplex(
    row: Callable[[Array], Array], x: ArrayLike, axis: Axis, where: ArrayLike | None, fill: float
) -> Array:
    """Apply `row`, a map of the last axis, along `axis`; masked entries become `fill`."""
    x, narrow = widen(x)
    if x.size == 0:
        _axes(x, axis)
        return narrow(x)
    x, keep = _exclude(x, where)
    rows, back = as_rows(x, axis)
    y = back(row(rows))
    return narrow(y if where is None else jnp.where(keep, y, fill))


def softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    r"""Softmax, :math:`e^{x_i} / \sum_j e^{x_j}`.

    The smooth map onto the probability simplex: positive weights that sum to 1, unchanged when a constant is
    added to x. Derivative :math:`p_i(\delta_{ij} - p_j)`, exact also where a weight rounds to 1. An entry of
    ``-inf`` is excluded, entries of ``+inf`` share the weight, and a slice with nothing left gives zeros.

    Args:
      x: input of at least one axis.
      axis: the axis, or axes, over which the weights sum to 1; None for all.
      where: optional mask broadcastable to `x`; entries at False are excluded and get weight 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if `axis` is not an axis of `x`.

    Example:
      >>> [round(float(p), 4) for p in jaxacts.get("softmax")(jnp.array([0.0, 1.0, 2.0]))]
      [0.09, 0.2447, 0.6652]

    Reference:
      Bridle, Neurocomputing (1990), https://doi.org/10.1007/978-3-642-76153-9_28
    """
    return _on_simplex(softmax_rows, x, axis, where, 0.0)


def log_softmax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    r"""Logarithm of the softmax, :math:`x_i - \log \sum_j e^{x_j}`.

    Never above 0, and exact where the weight rounds to 1 (there log(softmax(x)) is 0). The gradient is finite
    for float16 slices of any length. A slice with nothing left to choose gives ``-inf`` and zero gradients.

    Args:
      x: input of at least one axis.
      axis: the axis, or axes, over which the weights sum to 1; None for all.
      where: optional mask broadcastable to `x`; entries at False are excluded and get ``-inf``.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if `axis` is not an axis of `x`.

    Example:
      >>> [f"{float(y):.5g}" for y in jaxacts.get("log_softmax")(jnp.array([0.0, 20.0]))]
      ['-20', '-2.0612e-09']

    Reference:
      Bridle, Neurocomputing (1990), https://doi.org/10.1007/978-3-642-76153-9_28
    """
    return _on_simplex(log_softmax_rows, x, axis, where, -jnp.inf)


def softmin(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    r"""Softmin, :math:`e^{-x_i} / \sum_j e^{-x_j}`: the softmax of -x.

    Here an entry of ``+inf`` is excluded and entries of ``-inf`` share the weight.

    Args:
      x: input of at least one axis.
      axis: the axis, or axes, over which the weights sum to 1; None for all.
      where: optional mask broadcastable to `x`; entries at False are excluded and get weight 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if `axis` is not an axis of `x`.

    Example:
      >>> [round(float(p), 4) for p in jaxacts.get("softmin")(jnp.array([0.0, 1.0, 2.0]))]
      [0.6652, 0.2447, 0.09]

    Reference:
      Bridle, Neurocomputing (1990), https://doi.org/10.1007/978-3-642-76153-9_28
    """
    return softmax(-as_inexact(x), axis, where)


def sparsemax(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    r"""Sparsemax, :math:`\arg\min_{p \in \Delta} \|p - x\|^2`: the Euclidean projection onto the simplex.

    Weights :math:`\max(x_i - \tau, 0)` that sum to 1; small entries get exactly 0. Piecewise linear: on the
    support S the Jacobian is the identity minus 1/|S|. At a kink, where an entry lies exactly at the
    threshold, the entry counts as outside.

    Args:
      x: input of at least one axis.
      axis: the axis, or axes, over which the weights sum to 1; None for all.
      where: optional mask broadcastable to `x`; entries at False are excluded and get weight 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if `axis` is not an axis of `x`.

    Example:
      >>> jaxacts.get("sparsemax")(jnp.array([0.0, 1.0, 1.5]))
      Array([0.  , 0.25, 0.75], dtype=float32)

    Reference:
      Martins & Astudillo, ICML (2016), https://arxiv.org/abs/1602.02068
    """
    return _on_simplex(sparsemax_rows, x, axis, where, 0.0)


def entmax15(x: ArrayLike, axis: Axis = -1, where: ArrayLike | None = None) -> Array:
    r"""Entmax with :math:`\alpha = 1.5`, :math:`\max(x_i/2 - \tau, 0)^2`.

    Halfway between softmax and sparsemax: maximises :math:`p \cdot x` plus the Tsallis entropy of order 1.5.
    Sparse like sparsemax but continuously differentiable; with :math:`s = \sqrt p` the Jacobian is
    :math:`\mathrm{diag}(s) - s s^\top / \sum_j s_j`.

    Args:
      x: input of at least one axis.
      axis: the axis, or axes, over which the weights sum to 1; None for all.
      where: optional mask broadcastable to `x`; entries at False are excluded and get weight 0.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if `axis` is not an axis of `x`.

    Example:
      >>> [round(float(p), 4) for p in jaxacts.get("entmax15")(jnp.array([-2.0, 0.0, 0.5]))]
      [0.0, 0.326, 0.674]

    Reference:
      Peters, Niculae & Martins, ACL (2019), https://arxiv.org/abs/1905.05702
    """
    return _on_simplex(lambda rows: entmax15_roots(rows) ** 2, x, axis, where, 0.0)


def _groups(x: Array, size: int, axis: int, name: str) -> tuple[Array, int]:
    """`x` with `axis` split into groups of `size` neighbours, the group on the axis that follows."""
    at = _axis(x, axis)
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"{name} must be a positive integer, was {size!r}")
    if x.shape[at] % size:
        raise ValueError(f"axis {axis} of x has {x.shape[at]} entries, which {name} = {size} does not divide")
    return x.reshape(*x.shape[:at], x.shape[at] // size, size, *x.shape[at + 1 :]), at


def maxout(x: ArrayLike, pieces: int = 2, axis: int = -1) -> Array:
    r"""Maxout, :math:`\max_{j<k} x_{ik+j}`: the largest of each group of k neighbouring features.

    With a dense layer in front, a learnt convex piecewise linear function; the output has k times fewer
    features. Equal largest entries share the derivative equally, as with `jnp.max`.

    Args:
      x: input whose `axis` holds the groups one after the other.
      pieces: size k of a group.
      axis: the feature axis.

    Returns:
      An array with the dtype of `x`, its `axis` shorter by the factor `pieces`.

    Raises:
      ValueError: if `pieces` does not divide the length of `axis`.

    Example:
      >>> jaxacts.get("maxout")(jnp.array([1.0, 3.0, -2.0, -5.0]))
      Array([ 3., -2.], dtype=float32)

    Reference:
      Goodfellow et al., ICML (2013), https://arxiv.org/abs/1302.4389
    """
    groups, at = _groups(as_inexact(x), pieces, axis, "pieces")
    return jnp.max(groups, axis=at + 1)


def crelu(x: ArrayLike, axis: int = -1) -> Array:
    r"""Concatenated rectifier, :math:`[\max(x, 0), \max(-x, 0)]`, along the feature axis.

    Keeps both phases of a feature, so no unit is ever dead; the output has twice as many features. The
    derivative at 0 is 0 in both halves.

    Args:
      x: input of at least one axis.
      axis: the feature axis that doubles.

    Returns:
      An array with the dtype of `x`, its `axis` twice as long.

    Raises:
      ValueError: if `axis` is not an axis of `x`.

    Example:
      >>> jaxacts.get("crelu")(jnp.array([-1.0, 2.0]))
      Array([0., 2., 1., 0.], dtype=float32)

    Reference:
      Shang et al., ICML (2016), https://arxiv.org/abs/1603.05201
    """
    x = as_inexact(x)
    at = _axis(x, axis)
    return jnp.concatenate([relu(x), relu(-x)], axis=at)


def group_sort(x: ArrayLike, group_size: int = 2, axis: int = -1, descending: bool = False) -> Array:
    r"""GroupSort: every group of neighbouring features, sorted.

    A permutation of the input at every point, hence 1-Lipschitz and norm-preserving in the gradient; groups
    of the full length give FullSort. Equal entries keep their order, which fixes the derivative there.

    Args:
      x: input whose `axis` holds the groups one after the other.
      group_size: entries of a group.
      axis: the feature axis.
      descending: largest first.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if `group_size` does not divide the length of `axis`.

    Example:
      >>> jaxacts.get("group_sort")(jnp.array([3.0, 1.0, 2.0, 5.0]))
      Array([1., 3., 2., 5.], dtype=float32)

    Reference:
      Anil, Lucas & Grosse, ICML (2019), https://arxiv.org/abs/1811.05381
    """
    x = as_inexact(x)
    groups, at = _groups(x, group_size, axis, "group_size")
    # `jnp.sort` itself reverses equal entries when it sorts downwards
    turned = jnp.flip(groups, at + 1) if descending else groups
    ordered = jnp.sort(turned, axis=at + 1, stable=True)
    return (jnp.flip(ordered, at + 1) if descending else ordered).reshape(x.shape)


def max_min(x: ArrayLike, axis: int = -1) -> Array:
    r"""MaxMin, :math:`(\max(a, b), \min(a, b))` of each pair of neighbours.

    GroupSort of pairs, largest first. The results stay beside each other; implementations that put all maxima
    before all minima differ by a fixed permutation of the features.

    Args:
      x: input with an even number of features.
      axis: the feature axis.

    Returns:
      An array with the shape and dtype of `x`.

    Raises:
      ValueError: if the length of `axis` is odd.

    Example:
      >>> jaxacts.get("max_min")(jnp.array([3.0, 1.0, 2.0, 5.0]))
      Array([3., 1., 5., 2.], dtype=float32)

    Reference:
      Anil, Lucas & Grosse, ICML (2019), https://arxiv.org/abs/1811.05381
    """
    return group_sort(x, 2, axis, descending=True)


for _fn, *_aliases in (
    (softmax,),
    (log_softmax,),
    (softmin,),
    (sparsemax,),
    (entmax15,),
    (maxout,),
    (crelu, "concatenated_relu"),
    (group_sort,),
    (max_min,),
):
    declare_other(_fn, *_aliases)
