"""Data-dependent initialisation."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
from jax import Array

from jaxacts._draw import orthogonal_matrix


def lsuv(
    apply: Callable[[Any, Any], Mapping[Any, Array] | Sequence[Array]],
    params: Any,
    batch: Any,
    *,
    key: Array | None = None,
    target: float = 1.0,
    tolerance: float = 0.01,
    iterations: int = 10,
) -> Any:
    """Layer-sequential unit-variance: each kernel scaled until its outputs on data have unit variance.

    Layer by layer in forward order the kernel is divided by the standard deviation of the layer's outputs,
    measured on `batch`. It needs no theory, so it also fits architectures that none covers. Runs on the host.

    Args:
      apply: function of (params, batch) that returns every layer's output before the activation, in forward
        order: a mapping from the layer's place in `params`, or a sequence when `params` is one. A place is a
          key, or
        several joined by ``"/"``.
      params: nested mappings or sequences of arrays; below each place that `apply` names, the floating arrays
        with two or more axes are the kernels.
      batch: the data, as `apply` takes it.
      key: if given, kernels are first replaced by orthogonal draws, as the paper does.
      target: the standard deviation wanted.
      tolerance: relative deviation of the variance that is accepted.
      iterations: most rescalings per layer; one is enough where the biases are zero.

    Returns:
      New parameters with the structure of `params`.

    Raises:
      ValueError: if a layer has no kernel, its outputs have no finite positive variance, or the target is
        missed.

    Example:
      >>> w = [jnp.full((2, 2), 3.0) + jnp.eye(2)]
      >>> x = jax.random.normal(jax.random.key(0), (256, 2))
      >>> [w] = jaxacts.initializers.lsuv(lambda params, x: [x @ params[0]], w, x)
      >>> round(float(jnp.std(x @ w)), 3)
      1.0

    Reference:
      Mishkin and Matas, All you need is a good init (2016), https://arxiv.org/abs/1511.06422
    """
    places: list[Any] = []

    @jax.jit
    def deviations(params: Any, batch: Any) -> list[Array]:
        outputs = apply(params, batch)
        pairs = list(outputs.items() if isinstance(outputs, Mapping) else enumerate(outputs))
        places[:] = [place for place, _ in pairs]
        # float32 at least: the squares of 16-bit outputs overflow or lose their digits.
        return [
            jnp.std(out.astype(jnp.float32) if jnp.finfo(out.dtype).bits < 32 else out) for _, out in pairs
        ]

    measured = deviations(params, batch)
    if key is not None:
        for place, sub in zip(places, jr.split(key, len(places)), strict=True):
            params = _at(params, _path(place), functools.partial(_orthogonalised, key=sub))
        measured = deviations(params, batch)
    for number, place in enumerate(places):
        for _ in range(iterations):
            ratio = float(measured[number]) / target
            if not (math.isfinite(ratio) and ratio > 0):
                raise ValueError(f"the outputs of layer {place!r} have standard deviation {ratio * target}")
            if abs(ratio**2 - 1) <= tolerance:
                break
            params = _at(params, _path(place), functools.partial(_divided, by=ratio))
            measured = deviations(params, batch)
        else:
            raise ValueError(
                f"layer {place!r} did not reach variance {target**2:g} in {iterations} rescalings; "
                "is there a normalisation or a large bias in it?"
            )
    return params


def _path(place: Any) -> list[Any]:
    return place.split("/") if isinstance(place, str) else [place]


def _at(tree: Any, path: list[Any], change: Callable[[Any], Any]) -> Any:
    """A copy of nested mappings and sequences with the subtree at `path` changed."""
    if not path:
        return change(tree)
    first, rest = path[0], path[1:]
    if isinstance(tree, Mapping):
        if first not in tree:
            raise ValueError(f"params has no layer {first!r}; it has {list(tree)}")
        return type(tree)({**tree, first: _at(tree[first], rest, change)})  # pyright: ignore[reportCallIssue]
    if isinstance(tree, list | tuple):
        items = [_at(item, rest, change) if str(n) == str(first) else item for n, item in enumerate(tree)]
        return type(tree)(items) if type(tree) in (list, tuple) else type(tree)(*items)
    raise ValueError(f"params must be nested mappings or sequences, was {type(tree).__name__} at {first!r}")


def _kernels(change: Callable[[int, Array], Array], layer: Any) -> Any:
    leaves, structure = jax.tree.flatten(layer)
    kernels = [jnp.ndim(leaf) >= 2 and jnp.issubdtype(jnp.result_type(leaf), jnp.floating) for leaf in leaves]
    if not any(kernels):
        raise ValueError("a layer that apply names has no floating array with two or more axes in params")
    pairs = zip(leaves, kernels, strict=True)
    return structure.unflatten(
        [change(n, leaf) if kernel else leaf for n, (leaf, kernel) in enumerate(pairs)]
    )


def _divided(layer: Any, by: float) -> Any:
    return _kernels(lambda _, kernel: kernel / jnp.asarray(by, kernel.dtype), layer)


def _orthogonalised(layer: Any, key: Array) -> Any:
    draw = functools.partial(orthogonal_matrix, scale=1.0, column_axis=-1)
    return _kernels(lambda n, kernel: draw(jr.fold_in(key, n), kernel.shape, kernel.dtype), layer)
