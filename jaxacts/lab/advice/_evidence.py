"""Answers and measured numbers of the experiments, kept in the package so that advice can quote them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from jaxacts.lab.advice._records import Finding

FILE = Path(__file__).with_name("evidence.json")


@functools.cache
def known() -> dict[str, Any]:
    """Answer and checks of every experiment with committed results, by name."""
    return json.loads(FILE.read_text(encoding="utf-8"))


def collect(results: Path) -> dict[str, Any]:
    """What :data:`FILE` holds, from a folder with the results of the experiments.

    Args:
      results: the folder `experiments/results`.

    Returns:
      Per experiment its answer and its checks, number by description.
    """
    found = {}
    for path in sorted(results.glob("*.json")):
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored.get("holds"):  # nothing is built on a claim that did not hold
            checks = {check["what"]: check["value"] for check in stored["checks"]}
            found[stored["experiment"]] = {"answer": stored["answer"], "checks": checks}
    return found


def write(results: Path) -> None:
    """Write :data:`FILE` anew; part of `python tools/list_experiments.py`."""
    text = json.dumps(collect(results), indent=1, ensure_ascii=False) + "\n"
    FILE.write_text(text, encoding="utf-8")


def quote(topic: str, name: str, check: str = "", **about: Any) -> list[Finding]:
    """The answer of an experiment as a finding; nothing where it has no results yet.

    Args:
      topic: topic of the finding.
      name: the experiment.
      check: the start of the description of the check whose number is given; by default the first one.
      **about: further fields of the finding.

    Returns:
      No or one finding.
    """
    stored = known().get(name)
    if stored is None:
        return []
    numbers = [value for what, value in stored["checks"].items() if what.startswith(check)]
    if not numbers:
        return []
    sentence = f"Measured: {stored['answer']}"
    source = f"experiments/{name}.py, experiments/results/{name}.json"
    return [Finding(topic, sentence, "experiment", float(numbers[0]), source, **about)]
