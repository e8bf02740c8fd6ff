"""`jaxacts compare`: train networks with several activations and compare them."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxacts.commands import _common, _dry_run, _jobs, _outcome, _toml
from jaxacts.lab.config import CompareConfig
from jaxacts.lab.errors import need

Progress = Callable[[int, int, str], None]

_DEFAULT = CompareConfig()


def _tuple(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Options of `jaxacts compare`; those that take several values take them separated by commas."""

    names: tyro.conf.Positional[
        Annotated[list[str], tyro.conf.arg(metavar="[NAME …]", help_behavior_hint="")]
    ] = dataclasses.field(default_factory=list)
    """The activations, the same as --activations NAME,NAME,…; parameters after colons, as elu:alpha=2"""
    activations: tuple[str, ...] = _DEFAULT.activations
    """Names from `jaxacts list`, or mypackage.module:function for your own; several."""
    dataset: str = _DEFAULT.dataset
    """A name from `jaxacts list datasets`, a file of yours (my.npz, my.csv), or openml:NUMBER."""
    task: str | None = None
    """classification or regression, for data of yours; by default the target's values decide."""
    offline: bool = False
    """Never download; `JAXACTS_OFFLINE=1` does the same."""
    seeds: Annotated[str, tyro.conf.arg(metavar="N|A,B,…")] = str(len(_DEFAULT.seeds))
    """A count (3) or a list (0,4,7); under one seed all activations see the same draws and batches."""
    depth: tuple[int, ...] = _tuple(_DEFAULT.depth)
    """Hidden layers; several."""
    width: tuple[int, ...] = _tuple(_DEFAULT.width)
    """Units in each hidden layer; several."""
    steps: int = _DEFAULT.steps
    """Optimiser steps of every run."""
    learning_rates: tuple[float, ...] = _DEFAULT.learning_rates
    """The grid from which each activation's rate is chosen on the validation split."""
    optimizer: tuple[str, ...] = _tuple(_DEFAULT.optimizer)
    """adam, sgd or momentum; several."""
    init: tuple[str, ...] = _tuple(_DEFAULT.init)
    """auto (gain/√fan_in of the activation), lecun, glorot, he or orthogonal; several."""
    batch_size: tuple[int, ...] = _tuple(_DEFAULT.batch_size)
    """Examples in a minibatch; several."""
    record_every: int | None = None
    """Steps between two records; by default a twentieth of the steps."""
    target: str | None = None
    """The column to predict, for a CSV table or OpenML; for other data the same as --target-share."""
    target_share: float | None = None
    """Share of the best activation's median test score that "steps to target" means; by default 0.9."""
    measure: tuple[str, ...] = _DEFAULT.measure
    """What to record beside losses and scores: gradient_norm, preactivation, dead, saturated (these four are
    the default), quantiles, zero_gradient, effective_rank, jacobian, sharpness, distance, update_ratio; or
    default, all, none. What is not named costs nothing; sharpness costs about 100 steps a record."""
    precision: tuple[str, ...] = _tuple(_DEFAULT.precision)
    """float32, bfloat16 or float16 (with loss scaling); several."""
    normalisation: tuple[str, ...] = _tuple(_DEFAULT.normalisation)
    """none, layer or batch; several."""
    residual: tuple[bool, ...] = _tuple(_DEFAULT.residual)
    """Whether hidden layers add their input; true, false or both."""
    dropout: tuple[float, ...] = _tuple(_DEFAULT.dropout)
    """Rate of dropped units; several."""
    weight_decay: tuple[float, ...] = _tuple(_DEFAULT.weight_decay)
    """Decoupled weight decay of the weight matrices; several."""
    output: Path | None = None
    """Folder for the results; by default runs/compare-<hash of the configuration>."""
    config: Path | None = None
    """A TOML file with any of these options; the command line wins, --NAME=false undoes a switch."""
    fresh: bool = False
    """Discard what the folder holds."""
    no_report: bool = False
    """Write no pictures and no HTML page."""
    device: str = "auto"
    """auto, cpu, gpu or tpu."""
    workers: int | None = None
    """Threads on a CPU; by default the cores this process may use."""
    shard: str | None = None
    """i/n trains the i-th of n parts only, for machines without a shared folder; auto asks SLURM or MPI."""
    distributed: bool = False
    """Train one program on the devices of all hosts of a TPU pod or GPU cluster; process 0 writes."""
    coordinator: str | None = None
    """host:port of process 0 for --distributed, where the cluster does not tell."""
    processes: int | None = None
    """How many processes --distributed joins, where the cluster does not tell."""
    process: int | None = None
    """The number of this one of them, from 0."""
    json: bool = False
    """Print one JSON object on stdout and nothing else."""
    smoke: bool = False
    """A few seconds instead of minutes: fewer steps, seeds and rates, smaller networks."""
    dry_run: bool = False
    """Print what would be done, how many runs and programs, and an estimate of memory and time."""
    no_progress: bool = False
    """Neither a progress bar nor, where stderr is no terminal, a line a batch."""
    tensorboard: bool = False
    """Also write the curves of every run for TensorBoard, below the folder of the results."""


_NOT_CONFIG = (
    "names", "output", "config", "fresh", "no_report", "device", "workers", "shard", "json", "smoke",
    "dry_run", "no_progress", "tensorboard", "task", "offline", "target_share", "quiet", "verbose",
    "debug", "distributed", "coordinator", "processes", "process",
)  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Compare activations; returns 4 when a run at its chosen learning rate diverged."""
    options = _common.parse(
        Options, [], prog="compare", description=DESCRIPTION
    ) if not argv else _read(argv)  # fmt: skip
    with _common.usage():
        config, shard = settings(options), _jobs.shard(options.shard)
    _check_extras(options)
    from jaxacts.lab import cache, store, sweep

    with _common.usage():
        group, place = _jobs.join(options)
    found = _common.select_device(options.device)
    cache.enable_compilation_cache()
    if options.workers is not None and options.workers < 1:
        raise _common.Usage(f"--workers must be positive, was {options.workers}")
    with _common.usage():
        plan = sweep.plan(_with_data(config, options), options.output, options.device, shard)
    if options.verbose:
        _common.say(
            f"{found}; {len(plan.runs)} runs in {len(plan.batches)} batches, {plan.programs} programs to "
            "compile"
        )
    if options.dry_run:
        return _dry_run.show(plan, options, shard)
    was_finished = store.finished(plan.folder) and not options.fresh
    with (
        _jobs.ending_politely(options),
        _progress(plan, options, was_finished or place > 0, found) as progress,
        _curves_to_tensorboard(plan, options, progress) as report_progress,
    ):
        results = sweep.run(
            plan, fresh=options.fresh, progress=report_progress, workers=options.workers, shard=shard,
            group=group, argv=["jaxacts", "compare", *argv],
        )  # fmt: skip
    if place > 0 and shard is None:
        _common.say(f"process {place} is through; process 0 shows the results")
        return 0
    if not store.finished(plan.folder):
        return _outcome.unfinished(plan.folder, as_json=options.json)
    from jaxacts.lab import summary  # nothing that training waits for

    stored_target = results.config.get("target")
    results = dataclasses.replace(results, config={**results.config, "target": config.target})
    summarised = None
    if not options.no_report:
        from jaxacts.lab import report

        files = [plan.folder / name for name in (report.HTML, *report.PICTURES[:2])]
        if not was_finished or stored_target != config.target or not all(file.exists() for file in files):
            summarised = summary.summarise(results, theory=True)
            functions = {contender.name: contender.fn for contender in plan.contenders}
            report.write(results, plan.folder, functions=functions, found=summarised)
    summarised = summarised or summary.summarise(results)
    _outcome.show(summarised, results, as_json=options.json, quiet=options.quiet, folder=plan.folder)
    return 4 if summarised.diverged else 0


DESCRIPTION = (
    "Train the same networks with different activations under paired seeds, choose each one's learning rate "
    "on a "
    "validation split, and compare them with intervals and tests. Running the same command again continues, "
    "or shows "
    "the finished result."
)


def _read(argv: Sequence[str]) -> Options:
    """Options from the command line, over those of a TOML file if one is named."""
    words, from_file = list(argv), []
    for i, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--config" and (value or i + 1 < len(words)):
            from_file = _toml.words(Path(value or words[i + 1]), Options)
            break
    options = _common.parse(
        Options, _toml.switched([*from_file, *words], Options), prog="compare", description=DESCRIPTION
    )
    if not options.names:
        return options
    if any(word.partition("=")[0] == "--activations" for word in words):
        raise _common.Usage(
            f"the activations are given twice, as {' '.join(options.names)} and by --activations, which "
            "takes them separated by commas"
        )
    with _common.usage():
        names = tuple(name for text in options.names for name in _common.split(text))
    return dataclasses.replace(options, names=[], activations=names)


def settings(options: Options) -> CompareConfig:
    """The configuration that the options ask for.

    Raises:
      ValueError: for a setting that makes no sense.
    """
    values = {
        f.name: getattr(options, f.name) for f in dataclasses.fields(options) if f.name not in _NOT_CONFIG
    }
    values["seeds"] = seeds(options.seeds)
    values["target"] = _target(options)[1]
    if options.smoke:
        values |= _small(values)
    return CompareConfig(**values)


def seeds(text: str) -> int | tuple[int, ...]:
    """A count, or a list where there is a comma."""
    values = _common.split(text, int)
    return values if "," in text else values[0]


def _target(options: Options) -> tuple[str | None, float]:
    """The column to predict, and the share of the best score: --target means what the data make of it."""
    from jaxacts.lab import data

    share = _DEFAULT.target if options.target_share is None else options.target_share
    if options.target is None:
        return None, share
    if data.has_columns(options.dataset):
        return options.target, share
    try:
        return None, float(options.target)
    except ValueError:
        raise ValueError(
            f"--target {options.target!r} names a column, but {options.dataset} has none; the share of the "
            "best score is --target-share"
        ) from None


def _with_data(config: CompareConfig, options: Options) -> CompareConfig:
    """The configuration with its data loaded, which may mean a download."""
    from jaxacts.lab import data

    tell = None if options.quiet else _common.say
    task: Any = options.task
    dataset = data.load_dataset(
        options.dataset, target=_target(options)[0], task=task, offline=options.offline or None, tell=tell
    )
    return dataclasses.replace(config, dataset=dataset)


def _small(values: dict[str, Any]) -> dict[str, Any]:
    """The same comparison, shrunk to a few seconds."""
    count = values["seeds"]
    steps = min(values["steps"], 60)
    every = values["record_every"]
    return {
        "seeds": min(count, 2) if isinstance(count, int) else count[:2],
        "steps": steps,
        "record_every": every if every is None else min(every, steps),
        "learning_rates": values["learning_rates"][-2:],
        "depth": tuple(dict.fromkeys(min(depth, 3) for depth in values["depth"])),
        "width": tuple(dict.fromkeys(min(width, 16) for width in values["width"])),
        "batch_size": tuple(dict.fromkeys(min(size, 32) for size in values["batch_size"])),
    }


def _check_extras(options: Options) -> None:
    """Say that a package is missing before hours of training, not after."""
    wanted = dict.fromkeys(["rich"] if options.no_report else ["rich", "matplotlib", "jinja2"], "lab")
    if options.tensorboard:
        wanted["tensorboardX"] = "tensorboard"
    for package, extra in wanted.items():
        if importlib.util.find_spec(package) is None:
            raise need(package, extra)


@contextlib.contextmanager
def _progress(plan: Any, options: Options, finished: bool, device: str) -> Iterator[Progress]:
    """A bar with ETA on stderr; one plain line a batch when stderr is not a terminal."""
    begun, last = time.monotonic(), [0, len(plan.batches)]
    if finished or options.quiet:
        yield lambda done, total, message: None
        return
    if sys.stderr.isatty() and not options.no_progress:
        from rich import progress

        columns = (
            progress.TextColumn("{task.description}"), progress.BarColumn(), progress.MofNCompleteColumn(),
            progress.TimeElapsedColumn(), progress.TextColumn("left"), progress.TimeRemainingColumn(),
        )  # fmt: skip
        with progress.Progress(*columns, console=_common.console(stderr=True), transient=True) as bar:
            task = bar.add_task("compiling", total=len(plan.batches))

            def update(done: int, total: int, message: str) -> None:
                last[:] = done, total
                bar.update(task, completed=done, total=total, description=message[:48] or "training")

            yield update
    else:

        def update(done: int, total: int, message: str) -> None:
            last[:] = done, total
            if options.verbose or not options.no_progress:
                _common.say(f"{done}/{total} batches, {time.monotonic() - begun:.0f} s: {message}")

        yield update
    spent = time.monotonic() - begun
    _common.say(f"{last[0]} of {last[1]} batches of runs finished, {spent:.0f} s on {device}")


@contextlib.contextmanager
def _curves_to_tensorboard(plan: Any, options: Options, progress: Progress) -> Iterator[Progress]:
    """Passes progress on, and writes for TensorBoard what is finished meanwhile and at the end."""
    folder = plan.folder / "tensorboard"
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    if not options.tensorboard:
        yield progress
        return
    from jaxacts.lab import writers

    written: set[int] = set()
    with contextlib.closing(writers.TensorBoard(folder)) as writer:

        def both(done: int, total: int, message: str) -> None:
            progress(done, total, message)
            writers.write_finished(plan.folder, writer, written)

        yield both
        writers.write_finished(plan.folder, writer, written)
