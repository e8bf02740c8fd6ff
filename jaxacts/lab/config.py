"""What a comparison is: a frozen configuration, the grid of runs it stands for, and its hash."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jaxacts
from jaxacts._named import is_bound, named
from jaxacts._suggest import hint
from jaxacts.lab import data, files, identity, measures, mlp, program, training
from jaxacts.lab.errors import ConfigMismatch

# The grid axes beside activation, learning rate and seed: their fields may hold one value or several.
AXES = (
    "init", "optimizer", "depth", "width", "batch_size", "precision", "normalisation", "residual", "dropout",
    "weight_decay",
)  # fmt: skip

_DEFAULT_ACTIVATIONS = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "gelu", "silu", "mish")
# what others call our settings, for a hint
_OTHER_NAMES = {"xavier": "glorot", "kaiming": "he", "bf16": "bfloat16", "fp16": "float16"}


@dataclass(frozen=True)
class CompareConfig:
    """One comparison. Fields that say "or several" may hold a sequence; runs are the product of all."""

    # What is compared: names, "module:function" strings, or callables. identity is the linear floor.
    activations: tuple[Any, ...] = _DEFAULT_ACTIVATIONS
    # A name from `jaxacts.lab.datasets()`, a file (my.npz, my.csv), openml:NUMBER, or a `Dataset`.
    dataset: Any = "mnist1d"
    # A count (0, 1, …) or the seeds; under one seed all activations see the same draws and batches.
    seeds: Any = 5
    # Hidden layers; or several.
    depth: Any = 4
    # Units in each hidden layer; or several.
    width: Any = 64
    # Optimiser steps of every run.
    steps: int = 2000
    # The grid from which each activation's rate is chosen on the validation split.
    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2)
    # adam, sgd or momentum; or several.
    optimizer: Any = "adam"
    # auto (gain/sqrt(fan_in) of the activation), lecun, glorot, he or orthogonal; or several.
    init: Any = "auto"
    # Examples in a minibatch; or several.
    batch_size: Any = 100
    # Steps between two records; None takes a twentieth of the steps.
    record_every: int | None = None
    # Share of the best activation's median test metric that "steps to target" means.
    target: float = 0.9
    # What to record beside losses and the metric; names of measures, "default", "all" or "none".
    measure: Any = measures.DEFAULT
    # float32, bfloat16 or float16 (with loss scaling); or several.
    precision: Any = "float32"
    # none, layer or batch; or several.
    normalisation: Any = "none"
    # Whether hidden layers add their input; or both.
    residual: Any = False
    # Rate of dropped units; or several.
    dropout: Any = 0.0
    # Decoupled weight decay of the weight matrices; or several.
    weight_decay: Any = 0.0

    def __post_init__(self) -> None:
        set_: Any = functools.partial(object.__setattr__, self)
        if isinstance(self.activations, str) or callable(self.activations):
            set_("activations", (self.activations,))
        set_("activations", tuple(self.activations))
        set_("learning_rates", tuple(float(rate) for rate in _several(self.learning_rates)))
        measure = _known_measures(self.measure)
        set_("measure", tuple(name for name in measures.MEASURES if name in measure))
        set_("seeds", _seeds(self.seeds))
        for axis in AXES:
            set_(axis, _plain(getattr(self, axis)))
        if self.record_every is None:
            set_("record_every", max(1, self.steps // 20) if _is_count(self.steps) else 1)
        _check(self)

    @property
    def record_steps(self) -> list[int]:
        """The steps after which things are recorded; the last step is always one of them."""
        every = self.record_every or 1
        stops = list(range(every, self.steps + 1, every))
        return stops if stops and stops[-1] == self.steps else [*stops, self.steps]


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def _plain(value: Any) -> Any:
    """One value as itself, several as a tuple without repeats."""
    values = tuple(dict.fromkeys(_several(value)))
    return values[0] if len(values) == 1 else values


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _seeds(seeds: Any) -> tuple[int, ...]:
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if seeds < 1:
            raise ValueError(f"seeds must be a count of at least 1, or a list of seeds, was {seeds}")
        return tuple(range(seeds))
    if not isinstance(seeds, Sequence) or isinstance(seeds, str):
        raise ValueError(f"seeds must be a count of at least 1, or a list of seeds, was {seeds!r}")
    seeds = tuple(seeds)
    bad = [
        seed for seed in seeds if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32
    ]
    if not seeds or bad:
        raise ValueError(f"seeds must be one or more integers from 0 to 2**32 - 1, got {bad or 'none'}")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must differ, got {list(seeds)}")
    return seeds


def _known_measures(names: Any) -> tuple[str, ...]:
    """Names of measures; the words stand for several and may be combined with names."""
    words = {"default": measures.DEFAULT, "all": measures.MEASURES, "none": ()}
    found: list[str] = []
    for name in _several(names):
        if name not in words and name not in measures.MEASURES:
            allowed = ", ".join((*measures.MEASURES, *words))
            near = hint(str(name), measures.MEASURES, 1)
            raise ValueError(f"measure must be among {allowed}, got {name!r}{near}")
        found += words.get(name, (name,))
    return tuple(found)


def _check(config: CompareConfig) -> None:
    choices = {
        "optimizer": training.OPTIMIZERS,
        "init": mlp.INITIALISERS,
        "precision": tuple(program.PRECISIONS),
        "normalisation": ("none", "layer", "batch"),
        "residual": (False, True),
    }
    for name, allowed in choices.items():
        for value in _several(getattr(config, name)):
            if value not in allowed:
                near = hint(_OTHER_NAMES.get(str(value), str(value)), map(str, allowed), 1)
                raise ValueError(f"{name} must be one of {', '.join(map(str, allowed))}, was {value!r}{near}")
    for name in ("depth", "width", "batch_size", "steps", "record_every"):
        for value in _several(getattr(config, name)) or (None,):
            if not _is_count(value):
                raise ValueError(f"{name} must be a positive integer, was {value!r}")
    if (config.record_every or 1) > config.steps:
        raise ValueError(f"record_every must be at most steps ({config.steps}), was {config.record_every}")
    if not config.activations:
        raise ValueError("activations must name at least one function")
    if not config.learning_rates or not all(
        math.isfinite(rate) and rate > 0 for rate in config.learning_rates
    ):
        raise ValueError(f"learning_rates must be positive and finite, were {list(config.learning_rates)}")
    if len(set(config.learning_rates)) < len(config.learning_rates):
        raise ValueError(f"learning_rates must differ, were {list(config.learning_rates)}")
    for name, top in (("dropout", 1.0), ("weight_decay", math.inf)):
        for value in _several(getattr(config, name)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < top:
                raise ValueError(f"{name} must be at least 0 and below {top:g}, was {value!r}")
    if not 0 < config.target <= 1:
        raise ValueError(f"target must be above 0 and at most 1, was {config.target!r}")


# --- activations --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contender:
    """One activation of a comparison.

    Attributes:
      name: how it is shown; unique in the comparison.
      fn: the function.
      source: where it comes from: "catalogue:relu", "module:function:<digest of its code>", or
        "callable:<digest of its code>".
    """

    name: str
    fn: Callable[..., Any]
    source: str


def contenders(activations: Sequence[Any]) -> tuple[Contender, ...]:
    """Turn names, with parameters or without, "module:function" and callables into named functions.

    Args:
      activations: what the user gave.

    Returns:
      One contender each, in the same order, with names made unique by a number.

    Raises:
      ValueError: for an unknown name (with the nearest ones), a module or function that cannot be found, or
        the same function twice.
      TypeError: for something that is neither a string nor callable.

    Example:
      >>> from jaxacts.lab.config import contenders
      >>> [c.name for c in contenders(["swish", "elu:alpha=0.5", jax.nn.relu, lambda x: x])]
      ['silu', 'elu-alpha=0.5', 'jax.nn.relu', 'lambda']
    """
    found: list[Contender] = []
    for given in activations:
        if isinstance(given, str) and is_bound(given):
            contender = _callable(named(given))
        elif isinstance(given, str) and ":" in given:
            contender = _imported(given)
        elif isinstance(given, str):
            contender = _callable(jaxacts.get(given).fn)
        elif callable(given):
            contender = _callable(given)
        else:
            raise TypeError(f"an activation must be a name or a callable, was {type(given).__name__}")
        if any(contender.fn is other.fn or contender.source == other.source for other in found):
            raise ValueError(f"activations must differ, {contender.name} is there twice")
        taken = {other.name for other in found}
        names = itertools.chain([contender.name], (f"{contender.name}-{n}" for n in itertools.count(2)))
        found.append(dataclasses.replace(contender, name=next(name for name in names if name not in taken)))
    return tuple(found)


def _imported(text: str) -> Contender:
    module, _, name = text.partition(":")
    if not name:
        raise ValueError(f"expected parameter=value or the name of a function after {text!r}")
    try:
        value: Any = importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"cannot import the module of activation {text!r}: {error}") from error
    for part in name.split("."):
        if not hasattr(value, part):
            raise ValueError(f"module {module!r} has no function {name!r}{hint(part, dir(value))}")
        value = getattr(value, part)
    if not callable(value):
        raise ValueError(f"{text!r} is not a function, it is a {type(value).__name__}")
    return Contender(name, value, f"{text}:{identity.digest(value)}")


def _callable(f: Callable[..., Any]) -> Contender:
    entry = jaxacts.record(f)
    if entry is not None:
        bound = jaxacts.get(f)
        name = bound.__name__
        settings = "".join(f":{key}={value}" for key, value in bound.params)
        return Contender(name, bound if settings else entry.fn, f"catalogue:{entry.name}{settings}")
    name = getattr(f, "__name__", None) or type(f).__name__
    module = getattr(f, "__module__", None) or ""
    if name == "<lambda>":
        name = "lambda"
    elif module.startswith("jax."):
        name = f"jax.nn.{name}" if module.startswith(("jax._src.nn", "jax.nn")) else f"jax.{name}"
    return Contender(name, f, f"callable:{module}.{name}:{identity.digest(f)}")


# --- the grid -----------------------------------------------------------------------------------------------


def settings(config: CompareConfig) -> list[dict[str, Any]]:
    """Every combination of the grid axes beside activation, learning rate and seed.

    Args:
      config: the configuration.

    Returns:
      One dict a combination, with its label under "facet": the axes that vary, "" when none does.
    """
    values = {axis: _several(getattr(config, axis)) for axis in AXES}
    varying = [axis for axis in AXES if len(values[axis]) > 1]
    combined = [
        dict(zip(values, combination, strict=True)) for combination in itertools.product(*values.values())
    ]
    return [{**one, "facet": ", ".join(f"{axis}={one[axis]}" for axis in varying)} for one in combined]


def run_list(config: CompareConfig, names: Sequence[str]) -> list[dict[str, Any]]:
    """One entry a run, ordered by facet, activation, learning rate and seed.

    Args:
      config: the configuration.
      names: display names of the activations.

    Returns:
      The run entries, as `Results.runs` describes them.
    """
    return [
        {"activation": name, "learning_rate": rate, "seed": seed, **setting}
        for setting in settings(config)
        for name in names
        for rate in config.learning_rates
        for seed in config.seeds
    ]


def plain(
    config: CompareConfig, sources: Sequence[str], dataset: data.Dataset, platform: str
) -> dict[str, Any]:
    """The resolved configuration as plain JSON types: what is stored, compared and hashed.

    Args:
      config: the configuration.
      sources: where the activations come from.
      dataset: the data set.
      platform: the kind of device; runs on different kinds agree only to rounding and are not mixed.

    Returns:
      A dict.
    """
    fields = {item.name: getattr(config, item.name) for item in dataclasses.fields(config)}
    fields |= {
        "activations": list(sources),
        "dataset": f"{dataset.name}:{dataset.digest[:12]}",
        "device": platform,
    }
    return files.finite(fields)


def digest(plain_config: Mapping[str, Any]) -> str:
    """A short hash of a plain configuration; `target` is left out, since it only affects the report.

    Args:
      plain_config: from :func:`plain`.

    Returns:
      12 hexadecimal digits.
    """
    kept = {key: value for key, value in plain_config.items() if key != "target"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def refuse_difference(folder: Any, stored: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Raise when a folder holds another configuration.

    Args:
      folder: the folder, for the message.
      stored: its configuration.
      asked: the one asked for.

    Raises:
      ConfigMismatch: with the fields that differ.
    """
    names = [name for name in dict.fromkeys([*stored, *asked]) if name != "target"]
    different: list[tuple[str, object, object]] = [
        (n, stored.get(n), asked.get(n)) for n in names if stored.get(n) != asked.get(n)
    ]
    if not different:
        return
    lines = [
        f"  {name}: {json.dumps(old)} in the folder, {json.dumps(new)} asked for"
        for name, old, new in different
    ]
    raise ConfigMismatch(
        f"{folder} holds results of another configuration; nothing was changed.\n" + "\n".join(lines)
        + "\nChoose another --output, or discard it with --fresh.",
        different,
    )  # fmt: skip
