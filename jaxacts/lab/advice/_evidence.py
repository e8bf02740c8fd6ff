"""Answers and measured numbers of the experiments, kept in the package so that advice can quote them."""

from __future__ import annotations

import functools
import json
import math
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
            kept = {"answer": stored["answer"], "checks": checks}
            if "advice" in stored["results"]:  # the benchmark of choices: a table by depth
                kept |= {key: stored["config"][key] for key in ("datasets", "width")}
                kept["advice"] = [
                    {key: one[key] for key in ("depth", "regret", "good", "rates")}
                    for one in stored["results"]["advice"]
                ]
            found[stored["experiment"]] = kept
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


def benchmark(activation: str, depth: int) -> list[Finding]:
    """What the benchmark of choices says about an activation at the depth nearest to the one asked about.

    Args:
      activation: its name.
      depth: hidden layers.

    Returns:
      No or one finding; its number is the regret, the accuracy missing to the best choice.
    """
    stored = known().get("choose", {})
    table = [one for one in stored.get("advice", []) if activation in one["regret"]]
    if not table:
        return []
    one = min(table, key=lambda row: abs(math.log(row["depth"] / depth)))
    told = {name: f"{100 * mean:.1f} ± {100 * half:.1f}" for name, (mean, half) in one["regret"].items()}
    worst = max(one["regret"], key=lambda name: one["regret"][name][0])
    low, high = one["rates"]["adam"]
    own = f"{activation} misses {told[activation]} percentage points of accuracy to the best activation"
    if one["regret"][activation][0] <= 0:
        own = f"no activation did better than {activation}"
    sentence = (
        f"Measured at {one['depth']} layers of {stored['width']} units ({' and '.join(stored['datasets'])}), "
        f"all else at its best: {own}, {worst} misses {told[worst]} percentage points; good were "
        f"{', '.join(one['good'])}, with Adam at {low:g} to {high:g}."
    )
    regret = float(one["regret"][activation][0])
    source = "experiments/choose.py, experiments/results/choose.json"
    return [Finding("activation", sentence, "experiment", regret, source)]
