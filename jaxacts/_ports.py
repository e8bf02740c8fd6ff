"""The tables of :mod:`jaxacts.porting`: what each activation of another framework is here.

Where the catalogue has no function with the values of the foreign one, a private function stands in for it.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxacts._declare import get
from jaxacts._numerics import widen

Kinks = tuple[tuple[float, float], ...]


class Port(NamedTuple):
    """One activation of one framework.

    Attributes:
      name: how the framework spells it.
      target: the function here that has its values: a catalogue name, or a function of this module.
      settings: the framework's parameters as (name there, default there, name here).
      kinks: pairs (point, derivative there), or a function of the settings that returns them.
      note: what differs, in words.
      ignored: parameters there that do not change the function.
      improper: the function for a threshold that is not positive, which the target refuses.
    """

    name: str
    target: str | Callable[..., Array]
    settings: tuple[tuple[str, Any, str], ...] = ()
    kinks: Kinks | Callable[..., Kinks] = ()
    note: str = ""
    ignored: tuple[str, ...] = ()
    improper: Callable[..., Array] | None = None


def check(name: str, default: Any, value: Any, several_axes: bool) -> None:
    """Refuse a value of the wrong kind for a parameter of another framework; the default tells the kind.

    Args:
      name: the parameter's name there.
      default: its default there.
      value: what was given.
      several_axes: whether an axis may be a tuple or None.

    Raises:
      TypeError: if the value is of the wrong kind.
      ValueError: if it is none of the words that are allowed.
    """
    if name in ("axis", "dim"):
        right = _is_axis(value) or (several_axes and _are_axes(value)) or (default is None and value is None)
        kind = "an integer, a tuple of integers or None" if several_axes else "an integer"
    elif isinstance(default, str):
        right, kind = isinstance(value, str), "a word"
    elif name == "num_parameters":
        right, kind = _is_axis(value), "an integer"
        if right and value < 1:
            raise ValueError(f"num_parameters must be positive, was {value}")
    elif name == "inplace" or isinstance(default, bool):
        right, kind = isinstance(value, bool), "a bool"
    else:
        right, kind = _is_number(value) or (name == "max_value" and value is None), "a number"
    if not right:
        raise TypeError(f"{name} must be {kind}, was {value!r}")
    words = {"approximate": ("none", "tanh"), "act_layer": tuple(_UNITS)}.get(name)
    if words and isinstance(value, str) and value not in words:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, was {value!r}")


def _is_number(value: Any) -> bool:
    """A real number, of Python, NumPy or JAX; what is traced is refused where it is bound."""
    if isinstance(value, bool | str | bytes | tuple | list | None):
        return False
    return isinstance(value, numbers.Real) or getattr(value, "shape", None) == ()


def _is_axis(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _are_axes(value: Any) -> bool:
    return value is None or (isinstance(value, tuple) and all(map(_is_axis, value)))


def _gelu(x: ArrayLike, approximate: bool | str = "none") -> Array:
    return get("gelu_tanh" if approximate in (True, "tanh") else "gelu")(x)


def _softplus_threshold(x: ArrayLike, beta: float = 1.0, threshold: float = 20.0) -> Array:
    x, narrow = widen(x)
    return narrow(jnp.where(beta * x > threshold, x, get("softplus", beta=beta)(x)))


def _along_guessed(name: str, x: ArrayLike, dim: int | None) -> Array:
    if dim is None:  # PyTorch's own rule
        dim = 0 if jnp.ndim(x) in (0, 1, 3) else 1
    return get(name).fn(x, dim)


def _softmax_guessed(x: ArrayLike, dim: int | None = None) -> Array:
    return _along_guessed("softmax", x, dim)


def _log_softmax_guessed(x: ArrayLike, dim: int | None = None) -> Array:
    return _along_guessed("log_softmax", x, dim)


def _softmin_guessed(x: ArrayLike, dim: int | None = None) -> Array:
    return _along_guessed("softmin", x, dim)


def _softmax2d(x: ArrayLike) -> Array:
    if jnp.ndim(x) not in (3, 4):
        raise ValueError(f"x must have the axes (C, H, W) or (N, C, H, W), has shape {jnp.shape(x)}")
    return get("softmax", axis=-3)(x)


def _hard_shrink(x: ArrayLike, threshold: float) -> Array:
    x, narrow = widen(x)
    return narrow(jnp.where((x >= -threshold) & (x <= threshold), 0.0, x))


def _soft_shrink(x: ArrayLike, threshold: float) -> Array:
    x, narrow = widen(x)
    shrunk = jnp.where(x > threshold, x - threshold, jnp.where(x < -threshold, x + threshold, 0.0 * x))
    return narrow(shrunk)


def _shrink_kinks(threshold: float) -> Kinks:
    if threshold > 0:
        return ((-threshold, 0.0), (threshold, 0.0))
    return _ZERO if threshold == 0 else ()


def _torch_soft_shrink_kinks(lambd: float) -> Kinks:
    if lambd < 0:
        raise ValueError(f"lambd must not be negative, was {lambd}")
    return _shrink_kinks(lambd)


def _rrelu_kinks(lower: float, upper: float) -> Kinks:
    if lower > upper:
        raise ValueError(f"lower must not exceed upper, were {lower} and {upper}")
    return ((0.0, (lower + upper) / 2),)


def _rrelu_mean(x: ArrayLike, lower: float = 1 / 8, upper: float = 1 / 3) -> Array:
    return get("leaky_relu", negative_slope=(lower + upper) / 2)(x)


def ramp(x: ArrayLike, slope: float = 0.2, shift: float = 0.5) -> Array:
    x, narrow = widen(x)
    y = slope * x + shift
    return narrow(jnp.where(y <= 0, 0.0, jnp.where(y >= 1, 1.0, y)))


def _keras_relu(
    x: ArrayLike, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Array:
    x, narrow = widen(x)
    y = jnp.where(x <= threshold, 0.0, x)  # this way round NaN passes
    if max_value is not None:
        y = jnp.where(y > max_value, max_value, jnp.where(y < 0, 0.0, y))
    if negative_slope:  # 0 times infinity would be NaN
        y = jnp.where(x < threshold, y + negative_slope * (x - threshold), y)
    return narrow(y)


def _keras_sparsemax(x: ArrayLike, axis: int = -1) -> Array:
    """Sparsemax as Keras 3.15 has it: the threshold adds up all running sums of the support, not the last.

    With more than one entry in the support, the weights do not sum to 1.
    """
    x, narrow = widen(x)
    x = jnp.moveaxis(x, axis, -1)
    ordered = -jnp.sort(-x, axis=-1)
    sums = jnp.cumsum(ordered, axis=-1)
    ranks = lax.broadcasted_iota(x.dtype, x.shape, x.ndim - 1) + 1
    support = ordered - (sums - 1) / ranks > 0
    size = jnp.sum(support, axis=-1, keepdims=True, dtype=x.dtype)
    threshold = (jnp.sum(jnp.where(support, sums, 0.0), axis=-1, keepdims=True) - 1) / size
    y = jnp.where(x > threshold, x - threshold, 0.0)
    return narrow(jnp.moveaxis(y, -1, axis))


def _keras_relu_kinks(negative_slope: float, max_value: float | None, threshold: float) -> Kinks:
    points = {threshold, *(() if max_value is None else (max_value, *((0.0,) if threshold < 0 else ())))}
    return tuple((p, _keras_relu_slope(p, negative_slope, max_value, threshold)) for p in sorted(points))


def _keras_relu_slope(x: float, negative_slope: float, max_value: float | None, threshold: float) -> float:
    """The product of what Keras composes, each factor with its own rule at its kink."""
    if negative_slope != 0 and max_value is None and threshold == 0:  # leaky_relu
        return 1.0 if x >= 0 else negative_slope
    slope = 1.0 if x > threshold else 0.0
    if max_value is not None:
        tie = 0.0 if max_value == 6 and threshold == 0 else 0.5  # relu6, else jnp.clip
        passed = x if x > threshold else 0.0
        slope *= 1.0 if passed > 0 else tie if passed == 0 else 0.0
        passed = max(passed, 0.0)
        slope *= 1.0 if passed < max_value else tie if passed == max_value else 0.0
    return slope + (negative_slope if x < threshold else 0.0)


def _keras_layer_kinks(negative_slope: float, max_value: float | None, threshold: float) -> Kinks:
    given = {"negative_slope": negative_slope, "max_value": max_value, "threshold": threshold}
    for name, value in given.items():
        if value is not None and value < 0:
            raise ValueError(f"{name} of a ReLU layer must not be negative, was {value}")
    return _keras_relu_kinks(**given)


def _glu_mlp(x: ArrayLike, act_layer: str = "sigmoid", gate_last: bool = True) -> Array:
    return get(_UNITS[act_layer], gate="second" if gate_last else "first")(x)


_UNITS = {"sigmoid": "glu", "silu": "swiglu", "gelu": "geglu", "relu": "reglu"}
_SELU_SLOPE = 1.0507009873554805 * 1.6732632423543772  # left of 0
_ZERO = ((0.0, 0.0),)


def _same(*names: str) -> tuple[Port, ...]:
    return tuple(Port(name, name) for name in names)


def _celu_kinks(alpha: float) -> Kinks:
    if alpha == 0:
        raise ValueError("alpha must not be 0")
    return ()


def _keras_leaky_kinks(negative_slope: float) -> Kinks:
    if negative_slope < 0:
        raise ValueError(f"negative_slope of a LeakyReLU layer must not be negative, was {negative_slope}")
    return ((0.0, 1.0),)


def _alpha_at_zero(alpha: float) -> Kinks:
    return ((0.0, alpha),)


_DIM = (("dim", None, "dim"),)
_SLOPE = ("negative_slope", 0.01, "negative_slope")
_ALPHA = (("alpha", 1.0, "alpha"),)

_TORCH = (
    Port("Identity", "identity"),
    Port("ELU", "elu", _ALPHA, _alpha_at_zero),
    Port("CELU", "celu", _ALPHA, _celu_kinks),
    Port("SELU", "selu", kinks=((0.0, _SELU_SLOPE),)),
    Port("GELU", _gelu, (("approximate", "none", "approximate"),), note="exact by default"),
    Port("GLU", "glu", (("dim", -1, "axis"),), note="the gate is the second half"),
    Port(
        "Hardshrink",
        "hard_shrink",
        (("lambd", 0.5, "threshold"),),
        lambda lambd: _shrink_kinks(lambd),
        improper=_hard_shrink,
    ),
    Port("Hardsigmoid", "hard_sigmoid", kinks=((-3.0, 0.0), (3.0, 0.0)), note="slope 1/6"),
    Port("Hardswish", "hard_silu", kinks=((-3.0, 0.0), (3.0, 1.0))),
    Port(
        "Hardtanh",
        "hard_tanh",
        (("min_val", -1.0, "min_val"), ("max_val", 1.0, "max_val")),
        lambda min_val, max_val: ((min_val, 0.0), (max_val, 0.0)),
        "derivative 0 at both kinks",
    ),
    Port("LeakyReLU", "leaky_relu", (_SLOPE,), lambda negative_slope: ((0.0, negative_slope),)),
    Port("LogSigmoid", "log_sigmoid"),
    Port("LogSoftmax", _log_softmax_guessed, _DIM),
    Port("Mish", "mish"),
    Port(
        "PReLU",
        "leaky_relu",
        (("init", 0.25, "negative_slope"),),
        lambda init: ((0.0, init),),
        "at its start",
    ),
    Port("ReLU", "relu", kinks=_ZERO),
    Port("ReLU6", "relu6", kinks=((0.0, 0.0), (6.0, 0.0))),
    Port(
        "RReLU",
        _rrelu_mean,
        (("lower", 1 / 8, "lower"), ("upper", 1 / 3, "upper")),
        _rrelu_kinks,
        "evaluation; for training see rrelu",
    ),
    Port("SiLU", "silu"),
    Port("Sigmoid", "sigmoid"),
    Port("Softmax", _softmax_guessed, _DIM, note="guesses the axis from the rank unless told"),
    Port("Softmax2d", _softmax2d, note="over the channels of (C, H, W) or (N, C, H, W)"),
    Port("Softmin", _softmin_guessed, _DIM, note="guesses the axis from the rank unless told"),
    Port(
        "Softplus",
        _softplus_threshold,
        (("beta", 1.0, "beta"), ("threshold", 20.0, "threshold")),
        note="x itself beyond beta x = threshold",
    ),
    Port(
        "Softshrink",
        "soft_shrink",
        (("lambd", 0.5, "threshold"),),
        _torch_soft_shrink_kinks,
        improper=_soft_shrink,
    ),
    Port("Softsign", "soft_sign"),
    Port("Tanh", "tanh"),
    Port("Tanhshrink", "tanh_shrink"),
    Port(
        "Threshold",
        "threshold",
        (("threshold", None, "threshold"), ("value", None, "value")),
        lambda threshold, value: ((threshold, 0.0),),
        "no defaults",
    ),
)

_AXIS = (("axis", -1, "axis"),)
_FLAX_HARD = (
    Port("hard_sigmoid", "hard_sigmoid", kinks=((-3.0, 0.0), (3.0, 0.0)), note="slope 1/6"),
    Port("hard_silu", "hard_silu", kinks=((-3.0, 0.0), (3.0, 1.0))),
    Port("hard_swish", "hard_silu", kinks=((-3.0, 0.0), (3.0, 1.0))),
    Port("hard_tanh", "hard_tanh", kinks=((-1.0, 1.0), (1.0, 1.0)), note="derivative 1 at both kinks"),
    Port("relu6", "relu6", kinks=((0.0, 0.0), (6.0, 0.0))),
    Port("elu", "elu", _ALPHA, _alpha_at_zero),
    Port("celu", "celu", _ALPHA),
    Port("selu", "selu", kinks=((0.0, _SELU_SLOPE),)),
    Port("glu", "glu", _AXIS, note="the gate is the second half"),
    Port("softmax", "softmax", _AXIS),
    Port("log_softmax", "log_softmax", _AXIS),
    *_same("log_sigmoid", "sigmoid", "silu", "softplus", "tanh"),
    Port("swish", "silu"),
)
_FLAX = (
    *_FLAX_HARD,
    Port("gelu", _gelu, (("approximate", True, "approximate"),), note="the tanh form by default"),
    Port("identity", "identity"),
    Port("leaky_relu", "leaky_relu", (_SLOPE,), ((0.0, 1.0),), "derivative 1 at 0"),
    Port(
        "PReLU",
        "leaky_relu",
        (("negative_slope_init", 0.01, "negative_slope"),),
        ((0.0, 1.0),),
        "at its start",
    ),
    Port("relu", "relu", kinks=_ZERO),
    Port("soft_sign", "soft_sign"),
)
_KERAS_RELU = (
    ("negative_slope", 0.0, "negative_slope"),
    ("max_value", None, "max_value"),
    ("threshold", 0.0, "threshold"),
)
_LAMBDA = (("threshold", 0.5, "threshold"),)
_KERAS = (
    *_FLAX_HARD,
    *_same("exponential", "mish", "sparse_plus", "tanh_shrink"),
    Port(
        "gelu", _gelu, (("approximate", False, "approximate"),), note="exact; keras.ops.gelu is the tanh form"
    ),
    Port("hard_shrink", "hard_shrink", _LAMBDA, _shrink_kinks, improper=_hard_shrink),
    Port(
        "leaky_relu", "leaky_relu", (("negative_slope", 0.2, "negative_slope"),), ((0.0, 1.0),), "slope 0.2"
    ),
    Port("linear", "identity"),
    Port("relu", _keras_relu, _KERAS_RELU, _keras_relu_kinks),
    Port("soft_shrink", "soft_shrink", _LAMBDA, _shrink_kinks, improper=_soft_shrink),
    Port("softsign", "soft_sign"),
    Port("sparse_sigmoid", "sparse_sigmoid", kinks=((-1.0, 0.25), (1.0, 0.25))),
    Port("sparsemax", _keras_sparsemax, _AXIS, note="does not sum to 1: its threshold is wrong in 3.15"),
    Port("squareplus", "squareplus", (("b", 4.0, "b"),)),
    Port(
        "threshold",
        "threshold",
        (("threshold", None, "threshold"), ("default_value", None, "value")),
        lambda threshold, default_value: ((threshold, 0.0),),
        "no defaults",
    ),
    Port("ELU", "elu", _ALPHA, _alpha_at_zero),
    Port(
        "LeakyReLU",
        "leaky_relu",
        (("negative_slope", 0.3, "negative_slope"),),
        _keras_leaky_kinks,
        "slope 0.3",
    ),
    Port(
        "PReLU",
        "leaky_relu",
        (("alpha", 0.0, "negative_slope"),),
        _ZERO,
        "at its start, one alpha per element",
    ),
    Port("ReLU", _keras_relu, _KERAS_RELU, _keras_layer_kinks),
    Port("Softmax", "softmax", _AXIS),
)
_TIMM = (
    *_same("identity", "sigmoid", "tanh", "silu", "mish", "gelu", "gelu_tanh", "quick_gelu"),
    Port("celu", "celu", _ALPHA, _celu_kinks),
    Port("swish", "silu"),
    Port("relu", "relu", kinks=_ZERO),
    Port("relu6", "relu6", kinks=((0.0, 0.0), (6.0, 0.0))),
    Port("leaky_relu", "leaky_relu", (_SLOPE,), lambda negative_slope: ((0.0, negative_slope),)),
    Port(
        "prelu",
        "leaky_relu",
        (("init", 0.25, "negative_slope"),),
        lambda init: ((0.0, init),),
        "at its start",
    ),
    Port("elu", "elu", _ALPHA, _alpha_at_zero),
    Port("selu", "selu", kinks=((0.0, _SELU_SLOPE),)),
    Port("hard_sigmoid", "hard_sigmoid", kinks=((-3.0, 0.0), (3.0, 0.0))),
    Port(
        "hard_sigmoid_me",
        "hard_sigmoid",
        kinks=((-3.0, 1 / 6), (3.0, 1 / 6)),
        note="memory-efficient variant",
    ),
    Port("hard_swish", "hard_silu", kinks=((-3.0, 0.0), (3.0, 1.0))),
    Port("hard_swish_me", "hard_silu", kinks=((-3.0, -0.5), (3.0, 1.5)), note="memory-efficient variant"),
    Port("hard_mish", "hard_mish", kinks=((-2.0, -1.0), (0.0, 1.0))),
    Port(
        "GluMlp",
        _glu_mlp,
        (("act_layer", "sigmoid", "act_layer"), ("gate_last", True, "gate_last")),
        note="the gating alone: applied to the output of fc1",
    ),
    Port("SwiGLUPacked", _glu_mlp, (("act_layer", "silu", "act_layer"), ("gate_last", False, "gate_last"))),
)
# other spellings that the framework has too
SPELLINGS = {
    "timm": {
        "hardsigmoid": "hard_sigmoid",
        "hardswish": "hard_swish",
        "swish_me": "swish",
        "mish_me": "mish",
        "hard_mish_me": "hard_mish",
    }
}
_IN_PLACE = {
    *("CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "Mish", "RReLU", "ReLU", "ReLU6"),
    *("SELU", "SiLU", "Threshold"),
}


def _ignoring(port: Port, framework: str) -> Port:
    timms = framework == "timm" and port.name not in ("GluMlp", "SwiGLUPacked")
    in_place = ("inplace",) if timms or (framework == "torch" and port.name in _IN_PLACE) else ()
    starts = ("num_parameters",) if framework in ("torch", "timm") and port.name.lower() == "prelu" else ()
    return port._replace(ignored=(*starts, *in_place))


TABLES: dict[str, tuple[Port, ...]] = {
    framework: tuple(_ignoring(port, framework) for port in table)
    for framework, table in (("torch", _TORCH), ("keras", _KERAS), ("flax", _FLAX), ("timm", _TIMM))
}
