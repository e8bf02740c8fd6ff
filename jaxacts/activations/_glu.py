r"""Gated linear units: one half of the features times a function of the other half.

Which half is the gate, the one that passes through the nonlinearity, differs between frameworks and papers,
and a wrong choice fails silently. So it is an argument:

=========== ==================================== =======================================================
``gate``    the half inside the nonlinearity     who does it
=========== ==================================== =======================================================
"second"    ``x[n/2:]`` (default)                `jax.nn.glu`, Keras, PyTorch, NNlib; timm's GluMlp by default
"first"     ``x[:n/2]``                          timm's SwiGLUPacked, fused gate-and-up weights of Llama style
"even"      ``x[0::2]``                          gpt-oss (interleaved weights)
"odd"       ``x[1::2]``
=========== ==================================== =======================================================

16-bit input is computed in float32 and rounded once.
"""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxacts._declare import declare_other
from jaxacts._numerics import widen
from jaxacts.activations._exponential import selu
from jaxacts.activations._gated import gelu, gelu_tanh, silu
from jaxacts.activations._rectifiers import relu
from jaxacts.activations._sigmoidal import sigmoid, tanh

__all__ = ["bilinear", "geglu", "glu", "gtu", "reglu", "seglu", "swiglu", "swiglu_clamped"]

Gate = Literal["first", "second", "even", "odd"]


def _split(x: Array, axis: int, gate: Gate) -> tuple[Array, Array]:
    """The linear part and the gate of `x`."""
    if gate not in ("first", "second", "even", "odd"):
        raise ValueError(f"gate must be 'first', 'second', 'even' or 'odd', was {gate!r}")
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis must name an axis of x, which has shape {x.shape}, was {axis}")
    axis %= x.ndim
    size = x.shape[axis]
    if size % 2:
        raise ValueError(f"x must have an even number of features to split, axis {axis} has {size}")
    if gate in ("even", "odd"):
        even, odd = (lax.slice_in_dim(x, start, size, 2, axis) for start in (0, 1))
        return (odd, even) if gate == "even" else (even, odd)
    first, second = jnp.split(x, 2, axis)
    return (second, first) if gate == "first" else (first, second)


def glu(x: ArrayLike, axis: int = -1, gate: Gate = "second") -> Array:
    r"""Gated linear unit, :math:`a\,\sigma(b)`, where b is the gate.

    Args:
      x: input with an even number of features along `axis`.
      axis: the feature axis that is split.
      gate: which half is b: ``"first"``, ``"second"``, ``"even"`` or ``"odd"`` entries.

    Returns:
      An array with the dtype of `x`, its `axis` half as long.

    Raises:
      ValueError: if the length of `axis` is odd or `gate` is unknown.

    Example:
      >>> jaxacts.get("glu")(jnp.array([2.0, 0.0]))
      Array([1.], dtype=float32)

    Reference:
      Dauphin et al., ICML (2017), https://arxiv.org/abs/1612.08083
    """
    x, narrow = widen(x)
    a, b = _split(x, axis, gate)
    return narrow(a * sigmoid(b))


def gtu(x: ArrayLike, axis: int = -1, gate: Gate = "second") -> Array:
    r"""Gated tanh unit, :math:`\tanh(a)\,\sigma(b)`, where b is the gate.

    Args:
      x: input with an even number of features along `axis`.
      axis: the feature axis that is split.
      gate: which half is b: ``"first"``, ``"second"``, ``"even"`` or ``"odd"`` entries.

    Returns:
      An array with the dtype of `x`, its `axis` half as long.

    Raises:
      ValueError: if the length of `axis` is odd or `gate` is unknown.

    Example:
      >>> jaxacts.get("gtu")(jnp.array([20.0, 0.0]))
      Array([0.5], dtype=float32)

    Reference:
      van den Oord et al., NeurIPS (2016), https://arxiv.org/abs/1606.05328
    """
    x, narrow = widen(x)
    a, b = _split(x, axis, gate)
    return narrow(tanh(a) * sigmoid(b))


def bilinear(x: ArrayLike, axis: int = -1, gate: Gate = "second") -> Array:
    r"""Bilinear unit, :math:`a\,b`: a gated unit without a nonlinearity.

    Args:
      x: input with an even number of features along `axis`.
      axis: the feature axis that is split.
      gate: which half is b; the product does not depend on the order, only on whether the halves interleave.

    Returns:
      An array with the dtype of `x`, its `axis` half as long.

    Raises:
      ValueError: if the length of `axis` is odd or `gate` is unknown.

    Example:
      >>> jaxacts.get("bilinear")(jnp.array([2.0, 3.0]))
      Array([6.], dtype=float32)

    Reference:
      Shazeer (2020), https://arxiv.org/abs/2002.05202
    """
    x, narrow = widen(x)
    a, b = _split(x, axis, gate)
    return narrow(a * b)


def reglu(x: ArrayLike, axis: int = -1, gate: Gate = "second") -> Array:
    r"""Rectified gated unit, :math:`a\,\max(b, 0)`, where b is the gate.

    The derivative with respect to the gate is 0 at b = 0.

    Args:
      x: input with an even number of features along `axis`.
      axis: the feature axis that is split.
      gate: which half is b: ``"first"``, ``"second"``, ``"even"`` or ``"odd"`` entries.

    Returns:
      An array with the dtype of `x`, its `axis` half as long.

    Raises:
      ValueError: if the length of `axis` is odd or `gate` is unknown.

    Example:
      >>> jaxacts.get("reglu", gate="first")(jnp.array([2.0, -3.0]))
      Array([-6.], dtype=float32)

    Reference:
      Shazeer (2020), https://arxiv.org/abs/2002.05202
    """
    x, narrow = widen(x)
    a, b = _split(x, axis, gate)
    return narrow(a * relu(b))


def geglu(x: ArrayLike, axis: int = -1, gate: Gate = "second", approximate: bool = False) -> Array:
    r"""Gated unit of GELU, :math:`a\,b\,\Phi(b)`, where b is the gate.

    Args:
      x: input with an even number of features along `axis`.
      axis: the feature axis that is split.
      gate: which half is b: ``"first"``, ``"second"``, ``"even"`` or ``"odd"`` entries.
      approximate: use the tanh form of GELU, as T5 v1.1 does.

    Returns:
      An array with the dtype of `x`, its `axis` half as long.

    Raises:
      ValueError: if the length of `axis` is odd or `gate` is unknown.

    Example:
      >>> round(float(jaxacts.get("geglu")(jnp.array([2.0, 1.0]))[0]), 5)
      1.68269

    Reference:
      Shazeer (2020), https://arxiv.org/abs/2002.05202
    """
    x, narrow = widen(x)
    a, b = _split(x, axis, gate)
    return narrow(a * (gelu_tanh if approximate else gelu)(b))


def swiglu(x: ArrayLike, axis: int = -1, gate: Gate = "second", beta: ArrayLike = 1.0) -> Array:
    r"""Gated unit of Swish, :math:`a\,b\,\sigma(\beta b)`, where b is the gate.

    Args:
      x: input with an even number of features along `axis`.
      axis: the feature axis that is split.
      gate: which half is b: ``"first"``, ``"second"``, ``"even"`` or ``"odd"`` entries.
      beta: slope of the sigmoid; 1 is what every large language model uses.

    Returns:
      An array with the dtype of `x`, its `axis` half as long.

    Raises:
      ValueError: if the length of `axis` is odd or `gate` is unknown.

    Example:
      >>> jaxacts.get("swiglu", gate="first")(jnp.array([20.0, 3.0]))
      Array([60.], dtype=float32)

    Reference:
      Shazeer (2020), https://arxiv.org/abs/2002.05202
    """
    x, narrow = widen(x)
    a, b = _split(x, axis, gate)
    return narrow(a * silu(b, beta))


def seglu(x: ArrayLike, axis: int = -1, gate: Gate = "second") -> Array:
    r"""Gated unit of SELU, :math:`a\,\mathrm{selu}(b)`, where b is the gate.

    Args:
      x: input with an even number of features along `axis`.
      axis: the feature axis that is split.
      gate: which half is b: ``"first"``, ``"second"``, ``"even"`` or ``"odd"`` entries.

    Returns:
      An array with the dtype of `x`, its `axis` half as long.

    Raises:
      ValueError: if the length of `axis` is odd or `gate` is unknown.

    Example:
      >>> round(float(jaxacts.get("seglu")(jnp.array([2.0, 1.0]))[0]), 5)
      2.1014

    Reference:
      Gated units: Shazeer (2020), https://arxiv.org/abs/2002.05202; SELU: Klambauer et al., NeurIPS (2017),
      https://arxiv.org/abs/1706.02515
    """
    x, narrow = widen(x)
    a, b = _split(x, axis, gate)
    return narrow(a * selu(b))


def swiglu_clamped(
    x: ArrayLike, axis: int = -1, gate: Gate = "second", alpha: ArrayLike = 1.702, limit: float = 7.0
) -> Array:
    r"""Clamped SwiGLU of gpt-oss, :math:`(\bar a + 1)\,\bar b\,\sigma(\alpha \bar b)`, where b is the gate.

    The gate is cut from above, :math:`\bar b = \min(b, L)`, the linear half on both sides,
    :math:`\bar a = \min(\max(a, -L), L)`, and 1 is added to it. At the limits themselves the derivative of
    the cut is 1, as with `torch.clamp`. The published weights interleave the halves: read them
    with ``gate="even"``.

    Args:
      x: input with an even number of features along `axis`.
      axis: the feature axis that is split.
      gate: which half is b: ``"first"``, ``"second"``, ``"even"`` or ``"odd"`` entries.
      alpha: slope of the sigmoid.
      limit: where both halves are cut, L.

    Returns:
      An array with the dtype of `x`, its `axis` half as long.

    Raises:
      ValueError: if the length of `axis` is odd or `gate` is unknown.

    Example:
      >>> round(float(jaxacts.get("swiglu_clamped")(jnp.array([100.0, 100.0]))[0]), 3)
      56.0

    Reference:
      OpenAI, gpt-oss model card and reference implementation (2025), https://arxiv.org/abs/2508.10925
    """
    x, narrow = widen(x)
    a, b = _split(x, axis, gate)
    b = jnp.where(b > limit, limit, b)
    a = jnp.where(a > limit, limit, jnp.where(a < -limit, -limit, a))
    return narrow((a + 1.0) * silu(b, alpha))


for _fn in (glu, gtu, bilinear, reglu, geglu, swiglu, seglu, swiglu_clamped):
    declare_other(_fn)
