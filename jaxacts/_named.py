"""Activations as they are written on a command line: a name, and parameters after colons."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from jaxacts._declare import Activation, get, record


def is_bound(text: str) -> bool:
    """Whether a text gives parameters, and does not name a function of a module.

    Args:
      text: `name:parameter=value` or `module:function`.

    Returns:
      True for the first.

    Example:
      >>> from jaxacts._named import is_bound
      >>> is_bound("elu:alpha=2"), is_bound("mypackage.acts:swish")
      (True, False)
    """
    return "=" in text.partition(":")[2]


def named(text: str) -> Activation:
    """An activation from `name` or `name:parameter=value:parameter=value`.

    Args:
      text: what was written. Values are numbers, or words for parameters that take words.

    Returns:
      As :func:`jaxacts.get`.

    Raises:
      ValueError: for an unknown name, where a value is missing or not a number, or outside its range.
      TypeError: for an unknown parameter.

    Example:
      >>> from jaxacts._named import named
      >>> named("leaky_relu:negative_slope=0.2")
      jaxacts.get('leaky_relu', negative_slope=0.2)
    """
    name, *settings = text.split(":")
    entry = record(get(name))
    params: dict[str, float | str] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise ValueError(f"expected parameter=value after {name!r}, was {setting!r}")
        whole = entry is not None and isinstance(entry.parameters.get(key), int)
        try:
            number = int(value) if whole else float(value)
        except ValueError:
            number = math.nan
        if number == number:
            params[key] = number
        elif value.isidentifier() and value.lower() != "nan":
            params[key] = value
        else:
            hint = f"; write {name}:a=1:b=2 for several" if "=" in value else ""
            kind = "a whole number" if whole else "a number"
            raise ValueError(f"parameter {key!r} must be {kind}, was {value!r}{hint}")
    f = get(name, **params)
    if params and entry is not None:
        jax.eval_shape(f, jax.ShapeDtypeStruct((), jnp.float32))  # refuses what is outside its range
    return f
