"""Finished runs handed to the tool that you watch experiments with: TensorBoard, or two methods of yours.

A run is handed over once, whole, when it is finished, so that every seed keeps its own curve.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from jaxacts.lab import store
from jaxacts.lab.errors import StoreError, need
from jaxacts.lab.store import Results


class Writer(Protocol):
    """What takes finished runs.

    Example:
      >>> class Printer:
      ...     def write(self, run, steps, curves):
      ...         print(run["activation"], run["seed"], f"{curves['test_loss'][-1]:.2f}")
      ...     def close(self):
      ...         print("done")
      >>> Printer().write({"activation": "relu", "seed": 0}, [10], {"test_loss": [0.25]})
      relu 0 0.25
    """

    def write(self, run: Mapping[str, Any], steps: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
        """Take one finished run.

        Args:
          run: its settings, as in `Results.runs`: activation, learning_rate, seed, depth, …
          steps: (T,) the steps after which things were recorded.
          curves: by name, each (T,) or, for what is measured in every layer, (T, layers).
        """

    def close(self) -> None:
        """Nothing more will come."""


def write_results(results: Results, writer: Writer) -> None:
    """Hand every run of some results to a writer, and close it.

    Args:
      results: from `jaxacts.lab.compare` or `jaxacts.lab.load`.
      writer: what takes them.

    Example:
      >>> import numpy as np
      >>> runs = [{"activation": "relu", "learning_rate": 0.1, "seed": 0, "facet": ""}]
      >>> curves = {"test_loss": np.array([[0.5, 0.25]])}
      >>> results = jaxacts.lab.Results({}, {}, runs, np.array([5, 10]), curves, np.array([False]))
      >>> class Printer:
      ...     def write(self, run, steps, curves):
      ...         print(run["activation"], dict(zip(steps.tolist(), curves["test_loss"].tolist())))
      ...     def close(self):
      ...         pass
      >>> jaxacts.lab.write_results(results, Printer())
      relu {5: 0.5, 10: 0.25}
    """
    try:
        for i, run in enumerate(results.runs):
            writer.write(run, results.steps, {name: curve[i] for name, curve in results.curves.items()})
    finally:
        writer.close()


def write_finished(folder: Path, writer: Writer, written: set[int]) -> None:
    """Hand over the runs of a folder that are finished and were not handed over before.

    Args:
      folder: a run folder, finished or not.
      writer: what takes them; it is not closed.
      written: numbers of the runs handed over so far; the new ones are added.
    """
    if not (folder / store.MANIFEST).is_file():
        return
    manifest = store.read_manifest(folder)
    if store.finished(folder):
        pieces = [(range(len(manifest["runs"])), folder / store.CURVES, manifest["hash"])]
    else:
        pieces = [
            (runs, store.batch_path(folder, number), store.batch_tag(manifest["hash"], number))
            for number, runs in enumerate(manifest["batches"])
        ]
    for runs, path, tag in pieces:
        if written.issuperset(runs) or not path.is_file():
            continue
        try:
            curves = store.read_npz(path, tag)
        except StoreError:  # joined into one file or set aside at this very moment; the next look will tell
            continue
        for row, run in enumerate(runs):
            if run not in written:
                one = {name: curve[row] for name, curve in curves.items()}
                writer.write(manifest["runs"][run], np.asarray(manifest["steps"]), one)
                written.add(run)


class TensorBoard:
    """Event files for TensorBoard, one folder a run; needs the extra `tensorboard`.

    A run appears under its final name only when it is whole, so an interrupted sweep that is continued leaves
    no curve twice.

    Args:
      folder: where the folders of the runs go; `tensorboard --logdir` takes it.

    Raises:
      MissingExtra: when tensorboardX is not installed.

    Reference:
      TensorBoard's README, https://github.com/tensorflow/tensorboard
    """

    def __init__(self, folder: str | os.PathLike):
        try:
            from tensorboardX import SummaryWriter  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise need("tensorboardX", "tensorboard") from error
        self._open, self._folder = SummaryWriter, Path(folder)

    def write(self, run: Mapping[str, Any], steps: np.ndarray, curves: Mapping[str, np.ndarray]) -> None:
        """Write the event file of one run, unless it is there."""
        place = self._folder / run_name(run)
        if place.is_dir():
            return
        part = place.with_name(f"{place.name}.{os.getpid()}.part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            events = self._open(logdir=str(part), flush_secs=3600)
            for name, values in sorted(curves.items()):
                for tag, scalars in _scalars(name, np.asarray(values, float)):
                    for step, value in zip(steps.tolist(), scalars.tolist(), strict=True):
                        if math.isfinite(value):  # of others it warns, once each
                            events.add_scalar(tag, value, int(step))
            events.close()
            os.replace(part, place)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            if not place.is_dir():  # or another worker was quicker
                raise StoreError(f"cannot write {place}: {error.strerror or error}") from error

    def close(self) -> None:
        """All files are closed already."""


def run_name(run: Mapping[str, Any]) -> str:
    """A name for a run that is a path of three parts at most: activation, setting, rate and seed.

    Args:
      run: its settings.

    Returns:
      E.g. "relu/depth=4/lr=0.001_seed=0".

    Example:
      >>> from jaxacts.lab import writers
      >>> writers.run_name({"activation": "relu", "learning_rate": 1e-3, "seed": 0, "facet": "depth=4"})
      'relu/depth=4/lr=0.001_seed=0'
    """
    parts = [run["activation"], run.get("facet", ""), f"lr={run['learning_rate']:g}_seed={run['seed']}"]
    return "/".join(re.sub(r"[^\w.=,+-]+", "_", part) for part in parts if part)


def _scalars(name: str, values: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Curves with their tags: what TensorBoard shows together shares the part before the slash."""
    part, _, rest = name.partition("_")
    tag = f"{rest}/{part}" if part in ("train", "validation", "test") else name
    if values.ndim == 1:
        return [(tag, values)]
    width = len(str(values.shape[1]))
    return [(f"{tag}/layer_{layer + 1:0{width}d}", values[:, layer]) for layer in range(values.shape[1])]
