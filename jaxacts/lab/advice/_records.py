"""What advice is: a setting, findings with their evidence, and the changes that they propose."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from jaxacts.lab.files import finite

SCHEMA = 1

DATA_TYPES = ("image", "tabular", "series", "text")
PRECISIONS = ("float32", "bfloat16", "float16")
NORMALISATIONS = ("none", "layer", "batch")

Evidence = Literal["theory", "experiment", "run"]


@dataclasses.dataclass(frozen=True)
class Setting:
    """What the advice is asked for.

    Attributes:
      depth: hidden layers.
      width: units in each of them.
      data_type: one of `DATA_TYPES`, or None where it is not known.
      precision: float type of the forward and backward pass.
      normalisation: of the pre-activations.
    """

    depth: int
    width: int
    data_type: str | None = None
    precision: str = "float32"
    normalisation: str = "none"

    def __post_init__(self) -> None:
        for name in ("depth", "width"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a positive integer, was {value!r}")
        choices = {"precision": PRECISIONS, "normalisation": NORMALISATIONS, "data_type": (*DATA_TYPES, None)}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                known = ", ".join(str(choice) for choice in allowed if choice is not None)
                raise ValueError(f"{name} must be one of {known}, was {getattr(self, name)!r}")

    def __str__(self) -> str:
        data = f", {self.data_type} data" if self.data_type else ""
        norm = f"{self.normalisation} normalisation"
        return (
            f"{self.depth} hidden layer{'s' if self.depth > 1 else ''} of {self.width} units{data}, "
            f"{self.precision}, {norm if self.normalisation != 'none' else 'no normalisation'}"
        )


@dataclasses.dataclass(frozen=True)
class Finding:
    """One sentence of advice and what it rests on.

    Attributes:
      topic: what it is about: "activation", "initialisation", "learning rate", "precision", "normalisation"
        or "data"; in a diagnosis "divergence", "exploding gradients", "vanishing gradients", "dead units",
        "saturation", "off-centre activations", "large updates", "small updates", "healthy" or "not
        recorded".
      sentence: the advice in plain words.
      evidence: "theory" (computed here), "experiment" (a script of the checkout) or "run" (measured in the
        run folder).
      number: the number that the sentence rests on.
      source: the function that computed it, the script that measured it, or the curve of the run.
      activation: which activation of a run it is about; "" for advice without a run.
      facet: which setting of a run; "" where there is one.
      change: fields of `jaxacts.lab.CompareConfig` to change; empty where there is nothing to do.
    """

    topic: str
    sentence: str
    evidence: Evidence
    number: float
    source: str
    activation: str = ""
    facet: str = ""
    change: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Advice:
    """What to use, why, and, where a run was given, what is wrong with it.

    Attributes:
      setting: what was asked.
      activation: name of the recommended activation.
      initialisation: name of the recommended initialiser, as `jaxacts compare --init` takes it.
      gain: its gain: the deviation of the weights times sqrt(fan_in), from the second layer on.
      learning_rates: lower and upper end of the range to search with Adam.
      findings: the reasons, the most important first.
      diagnosis: what was found in the run, the gravest first; empty without a run.
      run: the run folder, or None.
    """

    setting: Setting
    activation: str
    initialisation: str
    gain: float
    learning_rates: tuple[float, float]
    findings: tuple[Finding, ...]
    diagnosis: tuple[Finding, ...] = ()
    run: str | None = None

    @property
    def changes(self) -> dict[str, Any]:
        """Fields of the run's configuration to change, all findings together; the graver one wins.

        Its `activations` maps each activation to be replaced to the other.
        """
        merged: dict[str, Any] = {}
        for finding in self.diagnosis:
            for name, value in finding.change.items():
                if name == "activations":
                    merged.setdefault(name, {}).setdefault(finding.activation, value)
                else:
                    merged.setdefault(name, value)
        return merged

    def document(self) -> dict[str, Any]:
        """The advice as plain JSON types, with a schema version."""
        content = dataclasses.asdict(self)
        return finite({"schema": SCHEMA, **content, "changes": self.changes})

    def __str__(self) -> str:
        return "\n".join(finding.sentence for finding in (*self.diagnosis, *self.findings))
