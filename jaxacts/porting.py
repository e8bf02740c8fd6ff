r"""Other frameworks' activations as data: what each name means there, with its defaults and its kinks.

The same name can mean another function, another default or another derivative at a kink. :func:`from_torch`,
:func:`from_keras`, :func:`from_flax` and :func:`from_timm` return the function that reproduces the framework,
in value and in the derivative at every kink; :func:`rows` is the table behind them. The usual surprises:

==================== =====================================================================================
gelu                 exact in PyTorch, timm and Keras activations; by default the tanh form in Flax
leaky_relu           slope 0.01 in PyTorch, timm, Flax; 0.2 in Keras activations; 0.3 in the Keras layer
prelu                starts at 0.25 in PyTorch and timm, 0.01 in Flax, 0 in Keras
softplus             PyTorch returns x itself beyond beta x = 20; the others never do
hard_sigmoid         x/6 + 1/2 everywhere today; 0.2 x + 0.5 in Keras 2 (``keras_version=2``)
glu                  the gate is the second half; in timm's SwiGLUPacked the first
sparsemax            in Keras 3.15 the weights do not sum to 1 (reproduced: from_keras returns that function)
softmax              last axis in Flax and Keras; PyTorch guesses one from the rank unless told
leaky_relu at 0      derivative 1 in Flax and Keras on JAX, the negative slope in PyTorch
hard_tanh at -1, 1   derivative 1 in Flax and Keras on JAX, 0 in PyTorch
prelu at 0           derivative 1 in Flax, the slope in PyTorch, 0 in Keras on JAX
==================== =====================================================================================

Keras takes its derivatives from the backend; what is reproduced here is Keras 3 on JAX. The kinks are
those of PyTorch 2.13, timm 1.0, Flax 0.12 and Keras 3.15.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxacts._declare import facts, get
from jaxacts._numerics import widen
from jaxacts._ports import SPELLINGS, TABLES, Kinks, Port, check, ramp
from jaxacts._suggest import nearest

__all__ = ["Port", "Ported", "from_flax", "from_keras", "from_timm", "from_torch", "rows"]


@dataclasses.dataclass(frozen=True, repr=False)
class Ported:
    """A function whose derivative at given points is another framework's. Hashable and equal by value.

    Attributes:
      fn: the function, parameters bound.
      kinks: pairs (point, derivative taken there).
      origin: the framework, the name there and the settings that were given.
    """

    fn: Callable[..., Array]
    kinks: Kinks
    origin: tuple[str, str, tuple[tuple[str, Any], ...]] = dataclasses.field(compare=False)

    @property
    def __name__(self) -> str:
        framework, name, given = self.origin
        return "-".join([f"{framework}.{name}", *(f"{key}={value}" for key, value in given)])

    def __repr__(self) -> str:
        framework, name, given = self.origin
        settings = ", ".join([repr(name), *(f"{key}={value!r}" for key, value in given)])
        return f"jaxacts.porting.from_{framework}({settings})"

    def __call__(self, x: ArrayLike, *, key: Any = None) -> Array:
        """Apply the function to `x`; `key` is ignored, as Equinox's `Sequential` passes one."""
        del key
        x, narrow = widen(x)
        y = self.fn(x)
        for point, slope in self.kinks:
            at = x == point
            y = jnp.where(at, lax.stop_gradient(y) + slope * jnp.where(at, x - point, 0.0), y)
        return narrow(y)


def _find(framework: str, name: str) -> Port:
    if not isinstance(name, str):
        was = f"the class {name.__name__}" if isinstance(name, type) else repr(name)
        raise TypeError(f"name must be a string, such as 'relu', was {was}")
    table = {port.name: port for port in TABLES[framework]}
    if framework == "torch":  # nn.LeakyReLU and functional.leaky_relu share their defaults
        table = {key.lower(): port for key, port in table.items()}
    key = name.replace("_", "").lower() if framework == "torch" else name
    key = SPELLINGS.get(framework, {}).get(key, key)
    if key not in table:
        near = nearest(key, table, 3)
        hint = f"; did you mean {' or '.join(repr(table[n].name) for n in near)}?" if near else ""
        raise ValueError(f"{framework} activation {name!r} is not in the table{hint}")
    return table[key]


def _settled(port: Port, framework: str, given: dict[str, Any]) -> dict[str, Any]:
    """The framework's settings, defaults filled in."""
    settings = {there: default for there, default, _ in port.settings}
    several = framework in ("flax", "keras") and port.target in ("softmax", "log_softmax")
    for name, value in given.items():
        if name not in settings and name not in port.ignored:
            allowed = ", ".join((*settings, *port.ignored)) or "none"
            raise TypeError(f"{framework}'s {port.name} has no setting {name!r}; its settings are: {allowed}")
        try:
            check(name, settings.get(name), value, several)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{framework}'s {port.name}: {error}") from None
        if name in settings:
            settings[name] = value.item() if hasattr(value, "shape") else value
    if "no defaults" in port.note:
        missing = [name for name, value in settings.items() if value is None]
        if missing:
            raise TypeError(f"{framework}'s {port.name} needs a value for {' and '.join(missing)}")
    return settings


def _port(framework: str, name: str, given: dict[str, Any]) -> Callable[..., Array]:
    port = _find(framework, name)
    settings = _settled(port, framework, given)
    there = _kinks(port, settings)
    target = port.target
    if port.improper and not settings[port.settings[0][0]] > 0:
        target = port.improper
    fn = get(target, **{here: settings[there] for there, _, here in port.settings})
    if given and not {"axis", "dim", "act_layer"} & set(settings):  # what the function refuses, now
        jax.eval_shape(fn, jax.ShapeDtypeStruct((), jnp.float32))
    known = facts(fn)
    here = dict(known.kinks) if known else {}
    differing = tuple(
        (point, slope) for point, slope in there if math.isfinite(point) and here.get(point) != slope
    )
    plain = known is not None and not differing
    return fn if plain else Ported(fn, differing, (framework, name, tuple(sorted(given.items()))))


def _kinks(port: Port, settings: dict[str, Any]) -> Kinks:
    return port.kinks(**settings) if callable(port.kinks) else port.kinks


def from_torch(name: str, **settings: Any) -> Callable[..., Array]:
    """The function that reproduces an activation of PyTorch.

    Args:
      name: class name in `torch.nn` or function name in `torch.nn.functional`.
      **settings: its arguments under PyTorch's names; plain numbers. `inplace` and `num_parameters` are taken
        where PyTorch takes them, and change nothing.

    Returns:
      A function of x, hashable and equal by value. Layers with weights (PReLU) are returned as they start.

    Raises:
      ValueError: for an unknown name, or a value that PyTorch or the function refuses.
      TypeError: for an unknown setting, a value of the wrong kind, or one that is required and missing.

    Example:
      >>> f = jaxacts.porting.from_torch("LeakyReLU", negative_slope=0.2)
      >>> f(-1.0), jax.grad(f)(0.0)
      (Array(-0.2, dtype=float32, weak_type=True), Array(0.2, dtype=float32, weak_type=True))
    """
    return _port("torch", name, settings)


def from_keras(name: str, *, keras_version: int = 3, **settings: Any) -> Callable[..., Array]:
    """The function that reproduces an activation of Keras 3 on the JAX backend.

    Functions (``"leaky_relu"``) and layers (``"LeakyReLU"``) have different defaults, so case matters.

    Args:
      name: name in `keras.activations` or class name in `keras.layers`.
      keras_version: 2 selects the old hard sigmoid, 0.2 x + 0.5; all else is Keras 3.
      **settings: its arguments under Keras's names; plain numbers, `axis` also a tuple.

    Returns:
      A function of x, hashable and equal by value. Layers with weights (PReLU) are returned as they start.

    Raises:
      ValueError: for an unknown name or version, or a value that Keras or the function refuses.
      TypeError: for an unknown setting, a value of the wrong kind, or one that is required and missing.

    Example:
      >>> f = jaxacts.porting.from_keras("leaky_relu")
      >>> layer = jaxacts.porting.from_keras("LeakyReLU")
      >>> [round(float(g(-1.0)), 6) for g in (f, layer)]
      [-0.2, -0.3]
    """
    if keras_version not in (2, 3):
        raise ValueError(f"keras_version must be 2 or 3, was {keras_version!r}")
    if keras_version == 2:
        if name != "hard_sigmoid" or settings:
            raise ValueError(f"of Keras 2 only hard_sigmoid is kept, was {name!r}")
        return get(ramp)
    return _port("keras", name, settings)


def from_flax(name: str, **settings: Any) -> Callable[..., Array]:
    """The function that reproduces an activation of Flax (Linen or NNX), which are those of `jax.nn`.

    Args:
      name: name in `flax.linen` or `flax.nnx`.
      **settings: its arguments under Flax's names; plain numbers, `axis` also a tuple or None.

    Returns:
      A function of x, hashable and equal by value. Layers with weights (PReLU) are returned as they start.

    Raises:
      ValueError: for an unknown name, or a value that the function refuses.
      TypeError: for an unknown setting, or a value of the wrong kind.

    Example:
      >>> float(jax.grad(jaxacts.porting.from_flax("leaky_relu"))(0.0))
      1.0
    """
    return _port("flax", name, settings)


def from_timm(name: str, **settings: Any) -> Callable[..., Array]:
    """The function that reproduces an activation of timm.

    Args:
      name: name in `timm.layers.create_act`; the memory-efficient variants whose derivatives at the kinks
        differ carry the suffix ``_me``. GluMlp and SwiGLUPacked stand for the gating inside these layers.
      **settings: its arguments under timm's names; plain numbers, `act_layer` as a name. `inplace` and
        `num_parameters` are taken where timm takes them, and change nothing.

    Returns:
      A function of x, hashable and equal by value. Layers with weights (prelu) are returned as they start.

    Raises:
      ValueError: for an unknown name, or a value that the function refuses.
      TypeError: for an unknown setting, or a value of the wrong kind.

    Example:
      >>> float(jax.grad(jaxacts.porting.from_timm("hard_swish_me"))(3.0))
      1.5
    """
    return _port("timm", name, settings)


def rows(framework: str | None = None) -> Iterator[dict[str, Any]]:
    """The table of what other frameworks do, row by row.

    Args:
      framework: ``"torch"``, ``"keras"``, ``"flax"`` or ``"timm"``; all by default.

    Yields:
      Dictionaries with the framework, the name there, the function here, the defaults there, the derivatives
      at the kinks there at these defaults (None where a setting has no default), and a note.

    Raises:
      ValueError: for an unknown framework.

    Example:
      >>> [row["defaults"] for row in jaxacts.porting.rows("keras") if row["name"] == "LeakyReLU"]
      [{'negative_slope': 0.3}]
    """
    if framework is not None and framework not in TABLES:
        raise ValueError(f"framework must be one of {', '.join(TABLES)}, was {framework!r}")
    for there, table in TABLES.items():
        for port in table if framework in (None, there) else ():
            defaults = {name: default for name, default, _ in port.settings}
            known = "no defaults" not in port.note
            yield {
                "framework": there,
                "name": port.name,
                "function": port.target if isinstance(port.target, str) else port.target.__name__.lstrip("_"),
                "defaults": defaults,
                "kinks": _kinks(port, defaults) if known else None,
                "note": port.note,
            }
