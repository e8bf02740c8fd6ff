"""Advice: which activation, initialisation and learning rates to use, and what is wrong with a run.

Every sentence rests on a number: one that the theory gives at this depth and width, one that an experiment
measured, or one that the run recorded.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jaxacts.lab import store
from jaxacts.lab.advice import _diagnose, _recommend
from jaxacts.lab.advice._records import (
    DATA_TYPES,
    NORMALISATIONS,
    PRECISIONS,
    SCHEMA,
    Advice,
    Finding,
    Setting,
)
from jaxacts.lab.config import CompareConfig, contenders

__all__ = [
    "DATA_TYPES", "NORMALISATIONS", "PRECISIONS", "SCHEMA", "Advice", "Finding", "Setting", "advise", "apply",
]  # fmt: skip


def advise(
    depth: int | None = None,
    width: int | None = None,
    *,
    data_type: str | None = None,
    precision: str | None = None,
    normalisation: str | None = None,
    run: store.Results | str | os.PathLike | None = None,
    among: Sequence[Any] | None = None,
) -> Advice:
    """Recommend an activation, an initialisation and learning rates, and diagnose a run.

    The first activation, in the order in which shallow networks learn quickest, is taken whose signals and
    gradients survive the depth and width according to mean-field theory; where none does, the one that comes
    nearest.

    Args:
      depth: hidden layers; with a run by default its own.
      width: units in each of them; with a run by default its own.
      data_type: "image", "tabular", "series" or "text".
      precision: "float32", "bfloat16" or "float16".
      normalisation: "none", "layer" or "batch".
      run: a folder written by `jaxacts compare`, or results, to be diagnosed.
      among: activations to choose among, names or callables; by default the usual ones.

    Returns:
      An :class:`Advice`; its text is the sentences.

    Raises:
      ValueError: for a setting that makes no sense, or an activation without finite moments.
      StoreError: when the folder cannot be read.

    Example:
      >>> advice = jaxacts.lab.advise(20, 256, among=["sigmoid", "relu"])
      >>> advice.activation, advice.initialisation, round(advice.gain, 4)
      ('relu', 'orthogonal', 1.4142)
      >>> advice.findings[0].evidence, round(advice.findings[0].number, 6)  # He: gradients keep their size
      ('theory', 1.0)
    """
    results = store.load(run) if isinstance(run, str | os.PathLike) else run
    given = {
        "depth": depth, "width": width, "data_type": data_type, "precision": precision,
        "normalisation": normalisation,
    }  # fmt: skip
    given = {name: value for name, value in given.items() if value is not None}
    if results is None:
        missing = [name for name in ("depth", "width") if name not in given]
        if missing:
            raise ValueError(f"{' and '.join(missing)} must be given, unless there is a run to look at")
        setting = Setting(**given)
    else:
        deepest = max(results.runs, key=lambda one: one["depth"])
        setting = dataclasses.replace(_diagnose.setting_of(deepest, results), **given)
    if among is None:
        found = _recommend.usual(setting)
    else:
        found = _recommend.outlooks(setting, [(one.name, one.fn) for one in contenders(among)])
    best = _recommend.choose(found)
    return Advice(
        setting=setting,
        activation=best.name,
        initialisation=_recommend.initialisation(setting),
        gain=best.gain,
        learning_rates=best.rates,
        findings=tuple(_recommend.findings(setting, found)),
        diagnosis=tuple(_diagnose.diagnose(results)) if results is not None else (),
        run=_folder(run, results),
    )


def _folder(run: Any, results: store.Results | None) -> str | None:
    if isinstance(run, str | os.PathLike):
        return str(Path(run))
    return results.folder if results is not None else None


def apply(advice: Advice, config: CompareConfig) -> CompareConfig:
    """A configuration with the changes that the diagnosis proposes.

    Args:
      advice: with a diagnosis.
      config: the configuration of the run that was diagnosed.

    Returns:
      The changed configuration.

    Example:
      >>> from jaxacts.lab.advice import Advice, Finding, Setting, apply
      >>> sick = Finding("dead units", "…", "run", 0.9, "curve dead", "relu", change={"activations": "elu"})
      >>> advice = Advice(Setting(2, 8), "elu", "auto", 1.0, (1e-3, 1e-2), (), (sick,))
      >>> apply(advice, jaxacts.lab.CompareConfig(activations=["relu", "tanh"])).activations
      ('elu', 'tanh')
    """
    changes = advice.changes
    replaced = changes.pop("activations", {})
    if replaced:
        names = [one.name for one in contenders(config.activations)]
        new = [replaced.get(n, own) for n, own in zip(names, config.activations, strict=True)]
        changes["activations"] = tuple(dict.fromkeys(new))
    return dataclasses.replace(config, **changes)
