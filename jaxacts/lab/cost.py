"""What a comparison cost: compiling and training apart, from the events of its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from jaxacts.lab import store
from jaxacts.lab.store import Results


def cost(results: Results) -> dict[str, Any]:
    """Seconds spent compiling and training, and how long a run takes with each activation.

    Args:
      results: what a sweep measured, loaded from its folder.

    Returns:
      A dict: ``compile_seconds`` (all processes together), ``training_seconds`` (all threads together),
      ``wall_seconds`` and ``workers`` (of the process that finished the sweep), ``processes``, ``runs`` (how
      many were timed), ``per_run`` (seconds of one run by activation; empty where the timing of batches
      cannot tell activations apart). Entries that are not known are missing.
    """
    timing = results.manifest.get("timing") or {}
    found = {"wall_seconds": timing.get("seconds"), "compile_seconds": timing.get("compile_seconds")}
    found["workers"] = timing.get("workers")
    if results.folder and (Path(results.folder) / store.EVENTS).exists():
        events = store.read_events(results.folder)
        ends = [event for event in events if event["event"] == "end"]
        # A batch that was trained twice, after damage, counts as often; it did cost as much.
        batches = [event for event in events if event["event"] == "batch" and event.get("runs")]
        if ends:
            found["compile_seconds"] = sum(event.get("compile_seconds", 0.0) for event in ends)
        found["processes"] = sum(event["event"] == "start" for event in events)
        found["training_seconds"] = sum(event["seconds"] for event in batches)
        found["runs"] = sum(len(event["runs"]) for event in batches)
        found["per_run"] = per_run(results, batches)
    return {key: value for key, value in found.items() if value not in (None, {})}


def per_run(results: Results, batches: list[dict[str, Any]]) -> dict[str, float]:
    """Seconds of one run by activation, from batches that mix them: least squares without negative times.

    Args:
      results: what a sweep measured.
      batches: events with ``runs`` (indices) and ``seconds``.

    Returns:
      Seconds by activation, the mean over facets; empty where the batches cannot tell activations apart.

    Reference:
      Lawson & Hanson, Solving Least Squares Problems (1974), chapter 23
    """
    from scipy.optimize import nnls

    kinds = list(dict.fromkeys((run["activation"], run["facet"]) for run in results.runs))
    place = {kind: column for column, kind in enumerate(kinds)}
    counts = np.zeros((len(batches), len(kinds)))
    for row, event in enumerate(batches):
        for index in event["runs"]:
            if index >= len(results.runs):
                return {}  # events of another manifest
            run = results.runs[index]
            counts[row, place[run["activation"], run["facet"]]] += 1
    if len(batches) < len(kinds) or np.linalg.matrix_rank(counts) < len(kinds):
        return {}
    seconds, _ = nnls(counts, np.array([event["seconds"] for event in batches]))
    return {
        name: float(np.mean([seconds[place[kind]] for kind in kinds if kind[0] == name]))
        for name in results.activations
    }
