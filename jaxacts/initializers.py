"""Initialisers for any activation: drop-in `(key, shape, dtype)` callables, as in `jax.nn.initializers`.

Each function here returns an initialiser that can be given unchanged to Flax (`kernel_init=`), Haiku
(`w_init=`) and Keras (`kernel_initializer=`), or called directly, as Equinox users do. Kernels are `(..., in,
out)` unless the axes say otherwise; Equinox and PyTorch keep `(out, in, ...)`: pass ``in_axis=1, out_axis=0``
there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax
from jax import Array

from jaxacts import _draw, moments
from jaxacts._draw import Axes, Initializer
from jaxacts._lsuv import lsuv
from jaxacts._recommend import Recommendation, recommend_init

if TYPE_CHECKING:
    from jaxacts.meanfield import CriticalPoint

__all__ = [
    "Critical",
    "Fixup",
    "Initializer",
    "Recommendation",
    "bias",
    "critical",
    "delta_orthogonal",
    "fans",
    "fixup",
    "glorot",
    "he",
    "lecun",
    "lsuv",
    "orthogonal",
    "recommend_init",
    "t_fixup",
]

Kind = Literal["he", "centred", "backward"]
Gain = float | Callable[..., Array]
SQRT2 = 2.0**0.5  # the gain of ReLU in every meaning but the centred one


def fans(
    shape: Sequence[int], in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()
) -> tuple[float, float]:
    """Fan-in and fan-out of a kernel: inputs that one output sees, outputs that one input reaches.

    Axes that are neither input, output nor batch are the receptive field of a convolution and count for both.

    Args:
      shape: the kernel's shape, at least two axes.
      in_axis: axis or axes of the inputs.
      out_axis: axis or axes of the outputs.
      batch_axis: axis or axes over which kernels are independent.

    Returns:
      The pair (fan_in, fan_out).

    Raises:
      ValueError: for a shape with fewer than two axes or an axis that it does not have.

    Example:
      >>> jaxacts.initializers.fans((3, 3, 16, 32))  # a 3 x 3 convolution
      (144.0, 288.0)
    """
    return _draw.fans(shape, in_axis, out_axis, batch_axis)


@functools.lru_cache(maxsize=1024)
def _gain(f: Callable[..., Array], kind: Kind) -> float:
    # Initialisers are often built while a model is being traced; the gain is a plain number all the same.
    with jax.ensure_compile_time_eval():
        return float(moments.gain(f, kind))  # pyright: ignore[reportArgumentType]


def _factor(gain: Gain, kind: Kind) -> float:
    """The gain as a number, from a number or from an activation."""
    if callable(gain):
        try:
            value = _gain(gain, kind)
        except TypeError as error:
            if "unhashable" not in str(error):
                raise
            value = _gain.__wrapped__(gain, kind)
    elif isinstance(gain, int | float) and not isinstance(gain, bool):
        value = float(gain)
    else:
        raise TypeError(f"gain must be a number or an activation, was {type(gain).__name__}")
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"gain must be positive and finite, was {value} (kind {kind!r}) from {gain!r}")
    return value


def _scaled(
    gain: Gain,
    kind: Kind,
    mode: str,
    distribution: str,
    in_axis: Axes,
    out_axis: Axes,
    batch_axis: Axes,
    scale: float = 1.0,
) -> Initializer:
    if distribution not in _draw.DISTRIBUTIONS:
        raise ValueError(f"distribution must be one of {_draw.DISTRIBUTIONS}, was {distribution!r}")
    return _draw.initializer(
        _draw.variance_scaled,
        scale=_factor(gain, kind) ** 2 * scale,
        mode=mode,
        distribution=distribution,
        in_axis=in_axis,
        out_axis=out_axis,
        batch_axis=batch_axis,
    )


def lecun(
    gain: Gain = 1.0,
    kind: Kind = "he",
    *,
    distribution: str = "truncated_normal",
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Initializer:
    r"""LeCun's initialiser, variance :math:`\text{gain}^2 / \text{fan-in}`: keeps the variance going forward.

    Args:
      gain: a number, or the activation that precedes the layer, whose gain is then computed.
      kind: what the gain of an activation means: ``"he"`` :math:`1/\sqrt{E f^2}`, ``"centred"``
        :math:`1/\sqrt{\operatorname{Var} f}`, ``"backward"`` :math:`1/\sqrt{E f'^2}`.
      distribution: ``"truncated_normal"`` (at two standard deviations, as JAX), ``"normal"`` or
        ``"uniform"``.
      in_axis: axis or axes of the inputs.
      out_axis: axis or axes of the outputs.
      batch_axis: axis or axes over which kernels are independent.

    Returns:
      An initialiser `(key, shape, dtype)`; with the default gain it is `jax.nn.initializers.lecun_normal()`.

    Raises:
      TypeError: if the gain is neither a number nor callable.
      ValueError: for a gain that is not positive and finite, or an unknown kind or distribution.

    Example:
      >>> init = jaxacts.initializers.lecun(jaxacts.tanh)
      >>> init(jax.random.key(0), (256, 128), jnp.float32).shape
      (256, 128)

    Reference:
      LeCun et al., Efficient BackProp (1998), https://doi.org/10.1007/3-540-49430-8_2
    """
    return _scaled(gain, kind, "fan_in", distribution, in_axis, out_axis, batch_axis)


def glorot(
    gain: Gain = 1.0,
    kind: Kind = "he",
    *,
    distribution: str = "truncated_normal",
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Initializer:
    r"""Glorot's initialiser, variance :math:`2\,\text{gain}^2 / (\text{fan-in} + \text{fan-out})`.

    A compromise between keeping the variance forward (fan-in) and backward (fan-out); the two agree where
    consecutive layers are equally wide.

    Args:
      gain: a number, or the activation whose gain is then computed.
      kind: what the gain of an activation means, see :func:`lecun`.
      distribution: ``"truncated_normal"``, ``"normal"`` or ``"uniform"``.
      in_axis: axis or axes of the inputs.
      out_axis: axis or axes of the outputs.
      batch_axis: axis or axes over which kernels are independent.

    Returns:
      An initialiser `(key, shape, dtype)`; with the default gain it is `jax.nn.initializers.glorot_normal()`.

    Raises:
      TypeError: if the gain is neither a number nor callable.
      ValueError: for a gain that is not positive and finite, or an unknown kind or distribution.

    Example:
      >>> jaxacts.initializers.glorot() == jaxacts.initializers.glorot(gain=1.0)
      True

    Reference:
      Glorot and Bengio, AISTATS (2010), https://proceedings.mlr.press/v9/glorot10a.html
    """
    return _scaled(gain, kind, "fan_avg", distribution, in_axis, out_axis, batch_axis)


def he(
    gain: Gain = SQRT2,
    kind: Kind = "he",
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    *,
    distribution: str = "truncated_normal",
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Initializer:
    r"""He's initialiser, variance :math:`\text{gain}^2 / \text{fan}`, by default with ReLU's gain.

    Args:
      gain: a number, or the activation whose gain is then computed.
      kind: what the gain of an activation means, see :func:`lecun`.
      mode: ``"fan_in"`` keeps the variance going forward, ``"fan_out"`` going backward.
      distribution: ``"truncated_normal"``, ``"normal"`` or ``"uniform"``.
      in_axis: axis or axes of the inputs.
      out_axis: axis or axes of the outputs.
      batch_axis: axis or axes over which kernels are independent.

    Returns:
      An initialiser `(key, shape, dtype)`; with the default gain it is `jax.nn.initializers.he_normal()`.

    Raises:
      TypeError: if the gain is neither a number nor callable.
      ValueError: for a gain that is not positive and finite, or an unknown kind, mode or distribution.

    Example:
      >>> init = jaxacts.initializers.he(jaxacts.gelu)
      >>> init(jax.random.key(0), (64, 64), jnp.bfloat16).dtype
      dtype(bfloat16)

    Reference:
      He et al., ICCV (2015), https://arxiv.org/abs/1502.01852
    """
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"mode must be 'fan_in' or 'fan_out', was {mode!r}")
    return _scaled(gain, kind, mode, distribution, in_axis, out_axis, batch_axis)


class Critical(NamedTuple):
    """Initialisers that put a deep network on the edge of chaos, and the point that they realise.

    Attributes:
      kernel: the initialiser of the weights, variance sigma_w² / fan-in.
      bias: the initialiser of the biases, standard deviation sigma_b.
      point: the critical point; see `jaxacts.meanfield.critical_point`.
    """

    kernel: Initializer
    bias: Initializer
    point: CriticalPoint


def critical(
    f: Callable[..., Array],
    sigma_b: float = 0.0,
    *,
    distribution: str = "normal",
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
) -> Critical:
    r"""Weights and biases at the critical point :math:`\chi_1 = 1`: gradients neither vanish nor explode.

    Args:
      f: the activation.
      sigma_b: standard deviation of the biases.
      distribution: ``"normal"``, which the theory assumes, ``"truncated_normal"``, ``"uniform"``, or
        ``"orthogonal"`` for orthogonal matrices of the same variance (the axes are then not used): deep tanh
        networks come near dynamical isometry that way.
      in_axis: axis or axes of the inputs.
      out_axis: axis or axes of the outputs.
      batch_axis: axis or axes over which kernels are independent.

    Returns:
      The :class:`Critical` triple (kernel, bias, point). Look at ``point.stable``: an unstable point is left
      by the signal's variance as it travels.

    Raises:
      ValueError: if there is no critical point at this `sigma_b`, or an argument is not allowed.

    Example:
      >>> kernel, bias, point = jaxacts.initializers.critical(jaxacts.relu)
      >>> round(float(point.sigma_w) ** 2, 4)  # He's 2
      2.0

    Reference:
      Schoenholz et al., Deep information propagation (2017), https://arxiv.org/abs/1611.01232
    """
    from jaxacts import meanfield  # only this function needs the theory

    with jax.ensure_compile_time_eval():
        point = meanfield.critical_point(f, sigma_b)
        if not isinstance(point, meanfield.CriticalPoint):  # None: there is none
            raise ValueError(
                f"f has no critical point at sigma_b={sigma_b}, was {f!r}; "
                "try another sigma_b, or jaxacts.transformed(f, depth)"
            )
        sigma_w = float(point.sigma_w)
    if distribution == "orthogonal":
        kernel = orthogonal(sigma_w)
    else:
        kernel = _scaled(sigma_w, "he", "fan_in", distribution, in_axis, out_axis, batch_axis)
    return Critical(kernel, bias(sigma_b), point)


def bias(sigma_b: float) -> Initializer:
    """Independent normal biases of standard deviation `sigma_b`, zeros at 0; the partner of :func:`critical`.

    Args:
      sigma_b: the standard deviation, not scaled by any fan.

    Returns:
      An initialiser `(key, shape, dtype)` for any shape.

    Raises:
      ValueError: if `sigma_b` is negative or not finite.

    Example:
      >>> jaxacts.initializers.bias(0.0)(jax.random.key(0), (3,), jnp.float32)
      Array([0., 0., 0.], dtype=float32)
    """
    sigma_b = float(sigma_b)
    if not (math.isfinite(sigma_b) and sigma_b >= 0):
        raise ValueError(f"sigma_b must be finite and not negative, was {sigma_b}")
    return _draw.initializer(_draw.constant_normal, sigma=sigma_b)


def orthogonal(gain: Gain = 1.0, kind: Kind = "he", *, column_axis: int = -1) -> Initializer:
    """Orthogonal kernels: every singular value is the gain.

    Where rows and columns differ, the fewer of them are orthonormal. The factorisation runs in float32 at
    least, and 16-bit types are rounded once.

    Args:
      gain: a number, or the activation whose gain is then computed.
      kind: what the gain of an activation means, see :func:`lecun`.
      column_axis: the axis that counts as columns; all others together are the rows.

    Returns:
      An initialiser `(key, shape, dtype)`.

    Raises:
      TypeError: if the gain is neither a number nor callable.
      ValueError: for a gain that is not positive and finite.

    Example:
      >>> w = jaxacts.initializers.orthogonal()(jax.random.key(0), (4, 4), jnp.float32)
      >>> bool(jnp.allclose(w @ w.T, jnp.eye(4), atol=1e-6))
      True

    Reference:
      Saxe et al., Exact solutions to the nonlinear dynamics of learning (2014),
      https://arxiv.org/abs/1312.6120
    """
    return _draw.initializer(_draw.orthogonal_matrix, scale=_factor(gain, kind), column_axis=column_axis)


def delta_orthogonal(gain: Gain = 1.0, kind: Kind = "he") -> Initializer:
    """Convolution kernels `(*spatial, in, out)`: an orthogonal matrix at the centre, zero elsewhere.

    With circular padding the convolution then keeps every norm (times the gain); with zero padding it does
    too for odd sizes, whose centre never leaves the image.

    Args:
      gain: a number, or the activation whose gain is then computed.
      kind: what the gain of an activation means, see :func:`lecun`.

    Returns:
      An initialiser `(key, shape, dtype)` for one to three spatial axes and in <= out.

    Raises:
      TypeError: if the gain is neither a number nor callable.
      ValueError: for a gain that is not positive and finite.

    Example:
      >>> w = jaxacts.initializers.delta_orthogonal()(jax.random.key(0), (3, 3, 2, 4), jnp.float32)
      >>> (jnp.abs(w).sum((2, 3)) > 0).astype(int)
      Array([[0, 0, 0],
             [0, 1, 0],
             [0, 0, 0]], dtype=int32)

    Reference:
      Xiao et al., Dynamical isometry and a mean field theory of CNNs (2018), https://arxiv.org/abs/1806.05393
    """
    return _draw.initializer(_draw.delta_orthogonal_kernel, scale=_factor(gain, kind))


class Fixup(NamedTuple):
    """Initialisers of a residual network without normalisation.

    Attributes:
      inner: for every layer of a residual branch but the last.
      last: zeros, for the last layer of each branch.
      head: zeros, for the classification layer.
    """

    inner: Initializer
    last: Initializer
    head: Initializer


def fixup(branches: int, layers: int = 2, gain: Gain = SQRT2, kind: Kind = "he", **options: Any) -> Fixup:
    r"""Depth scaling for residual networks without normalisation: :math:`L^{-1/(2m-2)}` inside the branches.

    One step of SGD then changes the network's output by a bounded amount whatever the number of branches. The
    method also wants a scalar multiplier in every branch and a scalar bias before every layer, which belong
    to the model.

    Args:
      branches: L, the number of residual branches.
      layers: m, the layers in each branch, at least 2.
      gain: a number, or the activation whose gain is then computed; ReLU's by default.
      kind: what the gain of an activation means, see :func:`lecun`.
      **options: `distribution` and axes, as for :func:`he`.

    Returns:
      The :class:`Fixup` triple (inner, last, head).

    Raises:
      ValueError: if there are fewer than one branch or two layers.

    Example:
      >>> inner, last, head = jaxacts.initializers.fixup(branches=16, layers=2)
      >>> dict(inner.settings)["scale"]  # 2 / 16, since L^(-1/2) multiplies the weights
      0.125...

    Reference:
      Zhang et al., Fixup initialization (2019), https://arxiv.org/abs/1901.09321
    """
    _at_least("branches", branches, 1)
    _at_least("layers", layers, 2)
    factor = branches ** (-1 / (2 * layers - 2))
    nothing = _draw.initializer(_draw.zeros)
    return Fixup(he(_factor(gain, kind) * factor, **options), nothing, nothing)


def t_fixup(
    layers: int, side: Literal["encoder", "decoder"] = "encoder", gain: Gain = 1.0, **options: Any
) -> Initializer:
    r"""Depth scaling for transformers without warm-up or layer normalisation.

    Glorot's initialiser times :math:`0.67\,N^{-1/4}` in the encoder and :math:`(9N)^{-1/4}` in the decoder,
    for the value and output projections of the attention blocks and the two matrices of the feed-forward
    blocks. Queries and keys keep :func:`glorot`; embeddings are drawn by ``bias(d ** -0.5 * (9 * N) **
    -0.25)``, d the embedding's size.

    Args:
      layers: N, the number of layers on that side.
      side: ``"encoder"`` or ``"decoder"``.
      gain: a number, or the activation whose gain is then computed.
      **options: `kind`, `distribution` and axes, as for :func:`glorot`.

    Returns:
      An initialiser `(key, shape, dtype)`.

    Raises:
      ValueError: if `layers` is less than 1 or `side` is not allowed.

    Example:
      >>> init = jaxacts.initializers.t_fixup(6, "decoder", distribution="uniform")
      >>> init(jax.random.key(0), (512, 2048), jnp.float32).shape
      (512, 2048)

    Reference:
      Huang et al., Improving transformer optimization through better initialization, ICML (2020),
      https://proceedings.mlr.press/v119/huang20f.html
    """
    _at_least("layers", layers, 1)
    if side not in ("encoder", "decoder"):
        raise ValueError(f"side must be 'encoder' or 'decoder', was {side!r}")
    factor = 0.67 * layers**-0.25 if side == "encoder" else (9 * layers) ** -0.25
    kind = options.pop("kind", "he")
    return glorot(_factor(gain, kind) * factor, **options)


def _at_least(name: str, value: int, low: int) -> None:
    if value < low:
        raise ValueError(f"{name} must be at least {low}, was {value}")
