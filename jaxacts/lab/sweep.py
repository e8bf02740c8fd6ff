"""Comparisons: from a configuration to a folder of results, continued after any interruption."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from jaxacts.lab import config as configuration
from jaxacts.lab import data, execution, files, provenance, scoring, store
from jaxacts.lab.agenda import OTHER_STOPPED, POLL, Agenda, Leader, follow, stopping
from jaxacts.lab.config import CompareConfig, Contender
from jaxacts.lab.distributed import Group
from jaxacts.lab.errors import ConfigMismatch, Interrupted, StoreError
from jaxacts.lab.leases import Leases, holder
from jaxacts.lab.store import Results

Progress = Callable[[int, int, str], None]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A comparison resolved down to its batches, before anything is trained.

    Attributes:
      config: the configuration.
      contenders: the activations.
      dataset: the data.
      plain: the configuration as plain JSON types.
      hash: its hash.
      folder: where results go.
      platform: "cpu", "gpu" or "tpu".
      runs: one entry a run.
      batches: run indices of each batch, the unit of work that is claimed, stored and resumed.
      programs: how many programs have to be compiled.
    """

    config: CompareConfig
    contenders: tuple[Contender, ...]
    dataset: data.Dataset
    plain: dict[str, Any]
    hash: str
    folder: Path
    platform: str
    runs: list[dict[str, Any]]
    batches: list[list[int]]
    programs: int


def plan(
    config: CompareConfig,
    output: str | os.PathLike | None = None,
    device: str = "auto",
    shard: tuple[int, int] | None = None,
) -> Plan:
    """Resolve a configuration: find the activations, load the data, list the runs; train and write nothing.

    Args:
      config: the configuration.
      output: the folder for the results; None names it ``runs/compare-<hash of the configuration>``.
      device: "auto", "cpu", "gpu" or "tpu".
      shard: (i, n) when it is to be trained in n parts, so that there is something in each.

    Returns:
      The plan.

    Raises:
      ValueError: for an unknown activation or data set, a minibatch larger than the training part, or more
        parts than runs.
      DeviceError: when there is no such device.
      MissingExtra: when the data set needs a package that is not installed.
    """
    found = configuration.contenders(config.activations)
    platform = execution.platform(device)
    dataset = (
        config.dataset if isinstance(config.dataset, data.Dataset) else data.load_dataset(config.dataset)
    )
    runs = configuration.run_list(config, [contender.name for contender in found])
    for size in {run["batch_size"] for run in runs}:
        if size > len(dataset.x_train):
            raise ValueError(
                f"batch_size {size} exceeds the {len(dataset.x_train)} training examples of {dataset.name}"
            )
    plain = configuration.plain(config, [contender.source for contender in found], dataset, platform)
    digest = configuration.digest(plain)
    folder = Path(output) if output is not None else Path("runs") / f"compare-{digest}"
    part, parts = shard or (1, 1)
    if parts > len(runs):
        raise ValueError(f"shard {part}/{parts} asks for {parts} parts of {len(runs)} runs")
    batches, programs = execution.batches(config, runs, dataset, platform, parts)
    return Plan(config, found, dataset, plain, digest, folder, platform, runs, batches, programs)


def compare(
    activations: Sequence[Any] | None = None,
    *,
    config: CompareConfig | None = None,
    output: str | os.PathLike | None = None,
    fresh: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    group: Group | None = None,
    argv: Sequence[str] | None = None,
    **settings: Any,
) -> Results:
    """Train the same networks with different activations and keep everything that was measured.

    The same call on a finished folder loads it; on an unfinished one it continues, with results that are bit
    for bit those of an undisturbed sweep. Several processes may work on one folder at once.

    Args:
      activations: names, "module:function" strings or callables; None takes those of the configuration.
      config: a configuration; its fields may also be given as keywords, which win.
      output: the folder for the results; None names it ``runs/compare-<hash of the configuration>``.
      fresh: discard what the folder holds.
      device: "auto", "cpu", "gpu" or "tpu".
      progress: called as ``progress(done, total, message)`` after each batch of runs, from this thread.
      workers: threads on a CPU; None takes the cores this process may use.
      shard: (i, n) trains the i-th of n parts only, counting from 1; see `jaxacts.lab.merge`.
      group: from `jaxacts.lab.join`: all its processes make this call, and their devices train together.
      argv: the command line, for the manifest.
      **settings: fields of :class:`CompareConfig`, e.g. ``seeds=3, depth=8, dataset="digits"``.

    Returns:
      The results; with `shard`, those of this part.

    Raises:
      ValueError: for a setting that makes no sense; nothing is written then.
      ConfigMismatch: when the folder holds another configuration.
      StoreError: when the folder cannot be written, or a results file in it is damaged.
      DeviceError: when there is no such device.
      MissingExtra: when a package of the extra `lab` is needed and not installed.
      GroupLost: when another process of the group has stopped.
      Interrupted: after Ctrl-C, with everything finished so far saved; it is a `KeyboardInterrupt`.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     results = jaxacts.lab.compare(
      ...         ["relu", lambda x: x * jax.nn.sigmoid(x)], dataset="wine", seeds=2, depth=1, width=8,
      ...         steps=20, learning_rates=[1e-2], batch_size=32, init="lecun", output=folder,
      ...     )
      >>> results.activations, results.curves["test_accuracy"].shape
      (['relu', 'lambda'], (4, 20))
    """
    if activations is not None:
        settings["activations"] = activations
    known = {field.name for field in dataclasses.fields(CompareConfig)}
    for name in settings:
        if name not in known:
            raise TypeError(f"compare has no setting {name!r}; the settings are {', '.join(sorted(known))}")
    config = dataclasses.replace(config, **settings) if config is not None else CompareConfig(**settings)
    if shard is not None and not (len(shard) == 2 and 1 <= shard[0] <= shard[1]):
        raise ValueError(f"shard must be (i, n) with 1 <= i <= n, was {shard}")
    return run(
        plan(config, output, device, shard), fresh=fresh, progress=progress, workers=workers, shard=shard,
        group=group, argv=argv,
    )  # fmt: skip


def run(
    what: Plan,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
    workers: int | None = None,
    shard: tuple[int, int] | None = None,
    group: Group | None = None,
    argv: Sequence[str] | None = None,
) -> Results:
    """Carry out a plan; see :func:`compare` for the arguments.

    Args:
      what: the plan.
      fresh: discard what the folder holds.
      progress: called after each batch.
      workers: threads on a CPU.
      shard: which part to train.
      group: the processes that train together.
      argv: the command line, for the manifest.

    Returns:
      The results.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be positive, was {workers}")
    if shard is not None and group is not None:
        raise ValueError("shard and group exclude each other: the processes of a group share all the work")
    manifest = _opened(what, fresh, group)
    if manifest is not None:
        what = dataclasses.replace(what, batches=manifest["batches"])  # as they were cut where it was begun
        if _finished(what.folder, group):
            return _results(what, manifest, group)
    begun = time.perf_counter()
    engine = execution.Engine(
        what.config, what.contenders, what.dataset, what.runs, what.platform, what.batches, group
    )
    if manifest is None:
        manifest = _manifest(what, engine, argv)
        if group is not None:
            if group.rank == 0:
                store.write_manifest(what.folder, manifest)
        elif not store.write_manifest(what.folder, manifest, new=True):
            # another process was faster; should it have cut the runs differently, its batches count
            return run(what, progress=progress, workers=workers, shard=shard, argv=argv)
    mine = [b for b in range(len(what.batches)) if shard is None or b % shard[1] == shard[0] - 1]
    _event(what, engine, "start", batches=len(mine))
    _work(what, engine, mine, progress or (lambda done, total, message: None), workers, group)
    timing = {
        "seconds": round(time.perf_counter() - begun, 3),
        "compile_seconds": round(engine.compile_seconds, 3),
        "workers": engine.workers(workers),
    }
    _event(what, engine, "end", **timing)
    if engine.writes and consolidate(what.folder, manifest):
        store.write_manifest(what.folder, {**manifest, "timing": timing})
    return _results(what, manifest, group)


def _event(what: Plan, engine: execution.Engine, kind: str, **details: Any) -> None:
    if engine.writes:
        store.append_event(what.folder, kind, **provenance.process(), **details)


def _opened(what: Plan, fresh: bool, group: Group | None) -> dict[str, Any] | None:
    """The manifest of the folder, None when it has to be made; in a group process 0 alone looks."""
    if group is None:
        return _open(what, fresh)
    answer: dict[str, Any] = {"hash": what.hash}
    failure: Exception | None = None
    if group.rank == 0:
        try:
            answer["manifest"] = _open(what, fresh)
        except Exception as error:
            failure, answer["error"] = error, str(error)
    answer = json.loads(group.share(json.dumps(answer).encode()))
    if failure is not None:
        raise failure
    if "error" in answer:
        raise StoreError(f"process 0 says: {answer['error']}")
    if group.agree(answer["hash"] != what.hash)[0]:
        raise ValueError("the processes of the distributed run were started with different settings")
    return answer["manifest"]


def _finished(folder: Path, group: Group | None) -> bool:
    return (
        store.finished(folder)
        if group is None
        else group.agree(group.rank == 0 and store.finished(folder))[0]
    )


def _results(what: Plan, manifest: dict[str, Any], group: Group | None) -> Results:
    """What the folder holds; a group gets it from process 0, as the others may not see the folder."""
    if group is None:
        return store.load(what.folder, partial=not store.finished(what.folder))
    curves = store.load(what.folder).curves if group.rank == 0 else {}
    return store.make_results(
        manifest, list(range(len(what.runs))), group.share_arrays(curves), str(what.folder)
    )


def _open(what: Plan, fresh: bool) -> dict[str, Any] | None:
    """The manifest of the folder, None when it has to be made, after discarding what is not wanted."""
    manifest = begun(what, fresh)
    if fresh:
        store.discard(what.folder)
    return manifest


def begun(what: Plan, fresh: bool = False) -> dict[str, Any] | None:
    """The manifest of the plan's folder, None when it has to be made; nothing is written.

    Args:
      what: the plan.
      fresh: what is in the folder does not count.

    Returns:
      The manifest, or None.

    Raises:
      StoreError: when the comparison would refuse the folder.
    """
    folder = what.folder
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder} is a file, not a folder")
    if fresh:
        _refuse_to_discard(what)
        return None
    if not (folder / store.MANIFEST).exists():
        if (folder / store.CURVES).exists() or (folder / store.BATCHES).exists():
            raise StoreError(
                f"{folder} has results but no {store.MANIFEST}; restore it, or discard them with --fresh"
            )
        return None
    manifest = store.read_manifest(folder)
    configuration.refuse_difference(folder, manifest["config"], what.plain)
    if manifest["runs"] != files.finite(what.runs):
        raise StoreError(
            f"the runs in {folder / store.MANIFEST} are not those of its configuration: another version of "
            "jaxacts wrote it; use that one, choose another --output, or discard everything with --fresh"
        )
    return manifest


def _refuse_to_discard(what: Plan) -> None:
    """What a living process trains is not discarded for another comparison, which would break both."""
    busy = holder(what.folder)
    if busy is None or not (what.folder / store.MANIFEST).exists():
        return
    try:
        configuration.refuse_difference(what.folder, store.read_manifest(what.folder)["config"], what.plain)
    except ConfigMismatch as error:
        raise StoreError(
            f"{busy} is training another comparison in {what.folder}; stop it, or choose another --output"
        ) from error


def _manifest(what: Plan, engine: execution.Engine, argv: Sequence[str] | None) -> dict[str, Any]:
    return {
        "schema": store.SCHEMA,
        "config": what.plain,
        "hash": what.hash,
        **provenance.describe(what.platform, argv),
        "task": what.dataset.task,
        "metric": scoring.metric_name(what.dataset.task),
        "dataset": what.dataset.describe(),
        "activations": engine.profiles,
        "parameters": engine.parameter_count,
        "notes": engine.notes,
        "steps": what.config.record_steps,
        "runs": what.runs,
        "batches": what.batches,
    }


def _work(
    what: Plan,
    engine: execution.Engine,
    mine: list[int],
    progress: Progress,
    workers: int | None,
    group: Group | None,
) -> None:
    """Do the batches of `mine` that are not done, on threads; returns when all are done, by whomever."""
    folder = what.folder

    def train(batch: int, stop: threading.Event) -> dict[str, np.ndarray] | None:
        path = folder / store.CHECKPOINTS / f"{batch:05d}.npz"
        checkpoint = execution.Checkpoint(path, store.batch_tag(what.hash, batch))
        return engine.train(what.batches[batch], checkpoint, stop)

    if not engine.writes:
        return follow(train, cast(Group, group))
    for batch in mine:
        _set_aside_damaged(what, batch, progress, len(mine))
    done_at_start = sum(store.batch_path(folder, batch).exists() for batch in mine)
    progress(done_at_start, len(mine), "starting" if not done_at_start else "continuing")
    news: queue.Queue[Any] = queue.Queue()
    stop = threading.Event()
    with Leases(folder) as leases:
        agenda: Any = Agenda(folder, mine, leases)
        if group:
            agenda = Leader(agenda, group)

        def worker() -> None:
            try:
                for batch in agenda.claims(stop):
                    engine.prepare(what.batches[batch])
                    began = time.perf_counter()
                    curves = train(batch, stop)
                    if curves is None:  # stopped in the middle, checkpoint written
                        leases.release(batch)
                        if not stop.is_set():
                            raise Interrupted(OTHER_STOPPED)
                        return
                    store.write_npz(
                        store.batch_path(folder, batch), curves, store.batch_tag(what.hash, batch)
                    )
                    (folder / store.CHECKPOINTS / f"{batch:05d}.npz").unlink(missing_ok=True)
                    leases.release(batch)
                    seconds = round(time.perf_counter() - began, 3)
                    store.append_event(
                        folder, "batch", batch=batch, runs=what.batches[batch], seconds=seconds
                    )
                    news.put((batch, curves))
                news.put(None)
            except BaseException as error:  # handed to the main thread, which raises it
                news.put(error)

        count = engine.workers(workers)
        threads = [threading.Thread(target=worker, name=f"jaxacts-{n}", daemon=True) for n in range(count)]
        try:
            with stopping(stop, threads):
                for thread in threads:
                    thread.start()
                _report(what, news, count, mine, progress)
        except KeyboardInterrupt as error:
            done = sum(store.batch_path(folder, batch).exists() for batch in mine)
            raise Interrupted(
                f"interrupted with {done} of {len(mine)} batches finished; saved in {folder}"
            ) from error


def _report(what: Plan, news: queue.Queue[Any], workers: int, mine: list[int], progress: Progress) -> None:
    """Pass news from the workers to the progress callback until they are all through."""
    metric = f"validation_{scoring.metric_name(what.dataset.task)}"
    best: tuple[float, str] = (-np.inf, "")
    done, counted = 0, -np.inf
    while workers:
        try:
            item = news.get(timeout=POLL)
        except queue.Empty:
            continue
        if item is None:
            workers -= 1
            continue
        if isinstance(item, BaseException):
            raise item
        batch, curves = item
        for run, value in zip(what.batches[batch], curves[metric][:, -1], strict=True):
            if np.isfinite(value) and value > best[0]:
                best = (float(value), what.runs[run]["activation"])
        done += 1
        # Others may work on this folder: look now and then, as there can be many thousands of batches.
        if time.monotonic() - counted > 1.0 or done >= len(mine):
            done = sum(store.batch_path(what.folder, number).exists() for number in mine)
            counted = time.monotonic()
        message = (
            f"best {metric.replace('_', ' ')} {best[0]:.3f} ({best[1]})"
            if best[1]
            else "no run converged yet"
        )
        progress(done, len(mine), message)


def _set_aside_damaged(what: Plan, batch: int, progress: Progress, total: int) -> None:
    """Move a damaged batch file out of the way, so that the batch is trained again; nothing is deleted."""
    folder, path = what.folder, store.batch_path(what.folder, batch)
    if not path.exists():
        return
    try:
        store.read_batch(folder, batch, what.hash)
    except StoreError as error:
        aside = folder / f"{path.name}.damaged"  # where it stays when the sweep is finished
        try:
            os.replace(path, aside)
        except FileNotFoundError:  # another process has just set it aside, or joined all batches
            return
        message = f"{error}; moved to {aside.name}, its runs are trained again"
        store.append_event(folder, "damaged", batch=batch, message=message)
        progress(0, total, message)


def consolidate(folder: Path, manifest: dict[str, Any]) -> bool:
    """Join all batches into one file once they are all there; several processes may do so at once."""
    if store.finished(folder):
        return True
    pieces: dict[int, dict[str, np.ndarray]] = {}
    for batch in range(len(manifest["batches"])):
        if not store.batch_path(folder, batch).exists():
            return store.finished(folder)
        try:
            pieces[batch] = store.read_batch(folder, batch, manifest["hash"])
        except StoreError:
            if store.finished(folder):  # another process was faster and has tidied up
                return True
            raise
    _, curves = store.assemble(manifest, pieces)
    store.write_npz(folder / store.CURVES, curves, manifest["hash"], sync=True)
    for name in (store.BATCHES, store.CHECKPOINTS):
        shutil.rmtree(folder / name, ignore_errors=True)
    return True
