"""Run folders: a JSON manifest, npz curves and JSON-lines events, written atomically and read without pickle.

A folder holds

==================  =================================================================================
``manifest.json``   schema version, configuration, its hash, versions, device, git commit, argv, notes
``curves.npz``      every curve of every run, once the sweep is finished
``batches/``        one npz a finished batch of runs, until then: what a killed sweep continues from
``checkpoints/``    the state in the middle of a long batch
``leases/``         who is working on which batch
``events.jsonl``    one JSON object a line: what happened when, and how long it took
==================  =================================================================================

Every npz carries a digest of its own arrays and the hash of the configuration that made it, so a truncated,
altered or foreign file is noticed by name and never mixed in.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jaxacts.lab import archives, files
from jaxacts.lab.errors import StoreError

SCHEMA = 1
DIVERGED_LOSS = 1e3  # of standardised targets: a constant answer has a loss of 1

MANIFEST = "manifest.json"
CURVES = "curves.npz"
EVENTS = "events.jsonl"
BATCHES = "batches"
CHECKPOINTS = "checkpoints"
LEASES = "leases"
REPORT = ("report.html", "convergence.png", "gradient_flow.png", "activations.png")

_LIMIT = 2**38  # bytes that the curves of one folder may take

_DIGEST, _TAG = "__digest__", "__tag__"


@dataclass(frozen=True)
class Results:
    """Everything a sweep measured, with the run axis kept.

    Shapes: R runs, T recorded steps, L hidden layers of the deepest network (others are padded with NaN).

    Attributes:
      config: the resolved configuration, plain JSON types (`jaxacts.lab.CompareConfig` as a dict).
      manifest: the whole manifest. Beside the configuration: ``schema``, ``hash``, ``created``, ``versions``,
        ``device``, ``git``, ``argv``, ``task`` ("classification" or "regression"), ``metric`` ("accuracy" or
        "score"), ``dataset`` (name, classes, sizes, source, licence), ``activations`` (per display name:
        ``source``, ``gain``, ``sup_derivative``, None when infinite, and ``sup_estimated``), ``parameters``
        (how many one network has), ``notes`` (sentences for the methods paragraph), and, once finished,
        ``timing`` (of the process that finished it).
      runs: one dict a run: ``activation`` (display name), ``learning_rate``, ``seed``, ``init``,
        ``optimizer``, ``depth``, ``width``, ``batch_size``, ``precision``, ``normalisation``, ``residual``,
        ``dropout``, ``weight_decay``, and ``facet``, a label made of the settings that vary besides
        activation, learning rate and seed ("" when none does).
      steps: (T,) optimiser steps after which things were recorded.
      curves: arrays by name, each (R, T) or (R, T, layers), float32, NaN where a thing was not measured:
        ``train_loss`` (mean minibatch loss since the last record), ``validation_loss``, ``test_loss``,
        ``validation_accuracy`` and ``test_accuracy`` (classification) or ``validation_score`` and
        ``test_score`` (regression: the coefficient of determination R^2), ``gradient_norm`` (R, T, L + 1; L2
        norm of the last minibatch's gradient of each weight matrix, input side first, in units of the loss),
        and over units and validation examples, each (R, T, L): ``preactivation_mean``, ``preactivation_std``,
        ``dead`` (share of units with |f'(z)| < 1e-6 for every validation example), ``saturated`` (share of
        units and examples with |f'(z)| < 5 % of sup |f'|; NaN where the supremum is infinite).
        Only when asked for: ``preactivation_q05``, ``…_q25``, ``…_q50``, ``…_q75``, ``…_q95`` (R, T, L),
        ``effective_rank`` (R, T, L; of f(z) over validation examples), ``zero_gradient``, ``update_ratio``,
        ``distance`` (each (R, T, L + 1), of weight matrices), ``jacobian`` (R, T, min(inputs, outputs)) and
        ``sharpness`` (R, T); see `jaxacts.lab.measures` and `jaxacts.lab.spectra`.
      diverged: (R,) whether a loss of the run was ever not finite, or ended above `DIVERGED_LOSS` in
        regression.
      chosen: learning rate chosen on the validation split, by activation, or by "activation [facet]" when
        there is more than one facet.
      folder: where it was loaded from or written to, or None.
    """

    config: dict[str, Any]
    manifest: dict[str, Any]
    runs: list[dict[str, Any]]
    steps: np.ndarray
    curves: dict[str, np.ndarray]
    diverged: np.ndarray
    chosen: dict[str, float] = field(default_factory=dict)
    folder: str | None = None

    @property
    def activations(self) -> list[str]:
        """Display names of the activations, in the order they were asked for."""
        return list(dict.fromkeys(run["activation"] for run in self.runs))

    @property
    def facets(self) -> list[str]:
        """Labels of the settings compared besides activation, learning rate and seed; [""] for none."""
        return list(dict.fromkeys(run["facet"] for run in self.runs))

    @property
    def metric(self) -> str:
        """What is better when larger: "accuracy" (classification) or "score" (regression, R^2)."""
        return self.manifest["metric"]

    def select(self, *, chosen: bool = False, **settings: Any) -> np.ndarray:
        """Indices of the runs with the given settings.

        Args:
          chosen: keep only the runs at the learning rate that was chosen for their activation and facet.
          **settings: values of the run entries, e.g. ``activation="relu", learning_rate=1e-3, seed=0``.

        Returns:
          Ascending integer indices into the run axis; empty when none fits.

        Raises:
          ValueError: for a setting that runs do not have.

        Example:
          >>> runs = [{"activation": a, "learning_rate": 0.1, "seed": s, "facet": ""}
          ...         for a in ("relu", "tanh") for s in (0, 1)]
          >>> results = jaxacts.lab.Results({}, {}, runs, None, {}, None, {"relu": 0.1, "tanh": 0.1})
          >>> results.select(activation="tanh").tolist()
          [2, 3]
        """
        for name in settings:
            if self.runs and name not in self.runs[0]:
                raise ValueError(f"runs have no setting {name!r}; they have {', '.join(self.runs[0])}")
        keep = [
            index
            for index, run in enumerate(self.runs)
            if all(run[name] == value for name, value in settings.items())
            and (not chosen or run["learning_rate"] == self.chosen.get(self.label(run)))
        ]
        return np.array(keep, dtype=int)

    def label(self, run: Mapping[str, Any]) -> str:
        """The key of a run in `chosen`: its activation, with the facet behind it when there are several."""
        return choice_label(run["activation"], run["facet"])


def choice_label(activation: str, facet: str) -> str:
    """Key of `Results.chosen` for an activation in a facet."""
    return f"{activation} [{facet}]" if facet else activation


# --- files --------------------------------------------------------------------------------------------------


def _digest(arrays: Mapping[str, np.ndarray], tag: str) -> str:
    state = hashlib.sha256(tag.encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        state.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        state.update(array.tobytes())
    return state.hexdigest()


def write_npz(path: Path, arrays: Mapping[str, np.ndarray], tag: str, *, sync: bool = False) -> None:
    """Write arrays to an npz, with their digest and a tag of the configuration they belong to, atomically."""
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise TypeError(f"array {name!r} holds Python objects; only plain arrays are stored")
    buffer = io.BytesIO()
    own = {_DIGEST: np.array(_digest(arrays, tag)), _TAG: np.array(tag)}
    np.savez(buffer, **{**arrays, **own})  # pyright: ignore[reportArgumentType]  # object arrays were refused above
    files.write_bytes(path, buffer.getvalue(), sync=sync)


def read_npz(path: Path, tag: str | None = None) -> dict[str, np.ndarray]:
    """Read an npz written by :func:`write_npz`, and check it.

    Args:
      path: the file.
      tag: the hash of the configuration that it must belong to; None accepts any.

    Returns:
      The arrays by name.

    Raises:
      StoreError: when the file is missing, truncated, altered, or of another configuration.
    """
    if not path.exists():
        raise StoreError(f"{path} is missing")
    try:
        arrays = archives.read_npz(path, _LIMIT)
        stored, own = str(arrays.pop(_TAG)), str(arrays.pop(_DIGEST))
    except ValueError as error:  # names the file and what is wrong with it
        raise StoreError(str(error)) from error
    except KeyError as error:
        raise StoreError(f"{path} is not a results file: it has no array {error}") from error
    if own != _digest(arrays, stored):
        raise StoreError(f"{path} was altered: its content does not match its digest")
    if tag is not None and stored != tag:
        raise StoreError(f"{path} belongs to another configuration ({stored}, not {tag})")
    return arrays


def append_event(folder: Path, kind: str, **details: Any) -> None:
    """Append one line to the events of a folder, by one `write` call: processes can share the file."""
    event = files.finite({"event": kind, "time": round(time.time(), 3), **details})
    line = json.dumps(event, allow_nan=False) + "\n"
    try:
        handle = os.open(folder / EVENTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)
    except OSError as error:
        raise StoreError(f"cannot write {folder / EVENTS}: {error.strerror or error}") from error


def read_events(folder: str | os.PathLike) -> list[dict[str, Any]]:
    """The events of a folder, oldest first; a line that is no event, cut off by a kill, is left out."""
    path = Path(folder) / EVENTS
    events = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            found = json.loads(line.decode())
            if isinstance(found, dict) and "event" in found:
                events.append(found)
    return events


def write_manifest(folder: Path, manifest: Mapping[str, Any], *, new: bool = False) -> bool:
    """Write the manifest of a run folder with a digest of its content, atomically.

    Args:
      folder: the run folder.
      manifest: plain data.
      new: leave alone what is there.

    Returns:
      Whether this call wrote it.

    Raises:
      StoreError: when it cannot be written.
    """
    content = {**manifest, "digest": _seal(manifest)}
    if new:
        return files.write_new(folder / MANIFEST, content)
    files.write_json(folder / MANIFEST, content)
    return True


def _seal(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(files.as_json(manifest)).hexdigest()


def read_manifest(folder: str | os.PathLike) -> dict[str, Any]:
    """The manifest of a run folder, as :func:`write_manifest` was given it.

    Raises:
      StoreError: when there is none, it is damaged or altered, or a newer version of jaxacts wrote it.
    """
    path = Path(folder) / MANIFEST
    if not path.exists():
        raise StoreError(f"{Path(folder)} is not a run folder: it has no {MANIFEST}")
    manifest = files.read_json(path)
    needed = {"schema", "digest", "config", "hash", "runs", "batches", "steps", "metric"}
    if not isinstance(manifest, dict) or not needed <= set(manifest):
        raise StoreError(
            f"{path} is not a manifest of jaxacts: it lacks what one has; restore it, or discard everything "
            "with --fresh"
        )
    if not isinstance(manifest["schema"], int):
        raise StoreError(f"{path} was altered: its schema must be an integer, was {manifest['schema']!r}")
    if manifest["schema"] > SCHEMA:
        raise StoreError(
            f"{path} has schema {manifest['schema']}, this jaxacts reads up to {SCHEMA}: please upgrade"
        )
    if manifest.pop("digest") != _seal(manifest):
        raise StoreError(
            f"{path} was altered: its content does not match its digest; restore it, or discard everything "
            "with --fresh"
        )
    return manifest


# --- results ------------------------------------------------------------------------------------------------


def choose(runs: list[dict[str, Any]], curves: Mapping[str, np.ndarray], metric: str) -> dict[str, float]:
    """The learning rate with the best mean validation metric at the last step, per activation and facet.

    The test split plays no part. A diverged run counts as the worst outcome, never as missing: accuracy 0, or
    a score of minus infinity. Ties go to the lower mean validation loss, then to the smaller rate.

    Args:
      runs: the run entries.
      curves: must hold ``validation_<metric>`` and ``validation_loss``.
      metric: "accuracy" or "score".

    Returns:
      Learning rates by `choice_label`.
    """
    final = np.asarray(curves[f"validation_{metric}"], float)[:, -1]
    loss = np.asarray(curves["validation_loss"], float)[:, -1]
    bad = diverged_runs(curves)
    final = np.where(bad, worst_score(metric), final)
    loss = np.where(bad, np.inf, loss)
    groups: dict[str, dict[float, list[int]]] = {}
    for index, run in enumerate(runs):
        rates = groups.setdefault(choice_label(run["activation"], run["facet"]), {})
        rates.setdefault(run["learning_rate"], []).append(index)
    return {
        label: max(rates, key=lambda rate: (final[rates[rate]].mean(), -loss[rates[rate]].mean(), -rate))
        for label, rates in groups.items()
    }


def worst_score(metric: str) -> float:
    """What a diverged run counts as: accuracy 0, or a score of minus infinity.

    Args:
      metric: "accuracy" or "score".

    Returns:
      The score.
    """
    return 0.0 if metric == "accuracy" else -math.inf


def diverged_runs(curves: Mapping[str, np.ndarray]) -> np.ndarray:
    """Which runs ever had a loss that is not finite, or in regression ended far above a constant answer."""
    losses = [np.asarray(curves[f"{part}_loss"]) for part in ("train", "validation", "test")]
    bad = np.any([~np.isfinite(loss).all(1) for loss in losses], axis=0)
    if "test_score" in curves:  # targets have variance 1
        with np.errstate(invalid="ignore"):
            bad |= np.any([loss[:, -1] > DIVERGED_LOSS for loss in losses], axis=0)
    return bad


def discard(folder: Path) -> None:
    """Remove what a comparison and its report wrote, and nothing else that may lie in the folder.

    Args:
      folder: a run folder.

    Raises:
      StoreError: when something cannot be removed.
    """
    try:
        for name in (MANIFEST, CURVES, EVENTS, *REPORT):
            (folder / name).unlink(missing_ok=True)
        for name in (BATCHES, CHECKPOINTS, LEASES):
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as error:
        raise StoreError(f"cannot discard {folder}: {error}") from error


def batch_path(folder: Path, batch: int) -> Path:
    """Where the curves of one finished batch of runs are kept until the sweep is finished."""
    return folder / BATCHES / f"{batch:05d}.npz"


def batch_tag(config_hash: str, batch: int) -> str:
    """What the file of a batch is tagged with, so that neither foreign nor renamed files are mixed in."""
    return f"{config_hash}/{batch}"


def read_batch(folder: Path, batch: int, config_hash: str) -> dict[str, np.ndarray]:
    """The curves of one finished batch of runs, checked.

    Args:
      folder: a run folder.
      batch: its number.
      config_hash: of the configuration that the folder belongs to.

    Returns:
      The arrays by name.

    Raises:
      StoreError: as for :func:`read_npz`.
    """
    return read_npz(batch_path(folder, batch), batch_tag(config_hash, batch))


def finished(folder: Path) -> bool:
    """Whether a run folder holds the curves of all its runs in one file."""
    return (folder / CURVES).exists()


def assemble(
    manifest: Mapping[str, Any], pieces: Mapping[int, Mapping[str, np.ndarray]]
) -> tuple[list[int], dict[str, np.ndarray]]:
    """Join the curves of batches along the run axis, in the order of the runs.

    Args:
      manifest: its ``batches`` lists the run indices of every batch.
      pieces: the curves of the batches that are there, by batch number.

    Returns:
      The run indices that are there, ascending, and the joined curves.
    """
    batches = manifest["batches"]
    order = [(run, batch, row) for batch in pieces for row, run in enumerate(batches[batch])]
    order.sort()
    if not order:
        return [], {}
    names = sorted(next(iter(pieces.values())))
    offsets, total = {}, 0
    for batch in pieces:
        offsets[batch] = total
        total += len(batches[batch])
    rows = [offsets[batch] + row for _, batch, row in order]
    curves = {name: np.concatenate([piece[name] for piece in pieces.values()])[rows] for name in names}
    return [run for run, _, _ in order], curves


def load(folder: str | os.PathLike, *, partial: bool = False) -> Results:
    """Read the results of a run folder.

    Args:
      folder: a folder written by `jaxacts compare` or `jaxacts.lab.compare`.
      partial: accept a sweep that is not finished and return the runs that are.

    Returns:
      The results, with the run axis kept.

    Raises:
      StoreError: when the folder is no run folder, a file is truncated, altered or missing, or the sweep is
        not finished; the message names the file.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    tag = manifest["hash"]
    if finished(folder):
        try:
            curves = read_npz(folder / CURVES, tag)
        except StoreError as error:
            raise StoreError(f"{error}; restore it, or use --fresh to train again") from error
        present = list(range(len(manifest["runs"])))
    else:
        count = len(manifest["batches"])
        there = [batch for batch in range(count) if batch_path(folder, batch).exists()]
        if len(there) < count and not partial:
            raise StoreError(
                f"{folder} is not finished: {len(there)} of {count} batches are there; "
                "run the same command again to continue it"
            )
        pieces = {batch: read_batch(folder, batch, tag) for batch in there}
        present, curves = assemble(manifest, pieces)
        if not present:
            raise StoreError(f"{folder} has no finished runs yet")
    return make_results(manifest, present, curves, str(folder))


def make_results(
    manifest: dict[str, Any], present: list[int], curves: dict[str, np.ndarray], folder: str | None
) -> Results:
    """`Results` from a manifest, the indices of the runs that are there, and their curves."""
    runs = [dict(manifest["runs"][index]) for index in present]
    steps = np.asarray(manifest["steps"])
    for name, curve in curves.items():
        if curve.shape[:2] != (len(runs), len(steps)):
            raise StoreError(
                f"curve {name!r} in {folder} has shape {curve.shape}, not ({len(runs)}, {len(steps)}, …)"
            )
    chosen = choose(runs, curves, manifest["metric"])
    return Results(manifest["config"], manifest, runs, steps, curves, diverged_runs(curves), chosen, folder)
