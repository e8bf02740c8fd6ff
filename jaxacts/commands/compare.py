"""`jaxacts compare`: train networks with several activations and compare them."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import math
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from jaxacts._suggest import hint
from jaxacts.commands import _common, _jobs
from jaxacts.lab.config import AXES, CompareConfig
from jaxacts.lab.errors import need

_DEFAULT = CompareConfig()


def _tuple(value: Any) -> tuple:
    return value if isinstance(value, tuple) else (value,)


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Options of `jaxacts compare`; those that take several values take them separated by commas."""

    activations: tuple[str, ...] = _DEFAULT.activations
    """Names from `jaxacts list`, or mypackage.module:function for your own; several."""
    dataset: str = _DEFAULT.dataset
    """A name from `jaxacts list datasets`."""
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
    target: float = _DEFAULT.target
    """Share of the best activation's median test score that "steps to target" means."""
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
    """A TOML file with any of these options; the command line wins."""
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
    """No progress bar."""


_NOT_CONFIG = (
    "output", "config", "fresh", "no_report", "device", "workers", "shard", "json", "smoke", "dry_run",
    "no_progress", "quiet", "verbose", "debug", "distributed", "coordinator", "processes", "process",
)  # fmt: skip


def main(argv: Sequence[str]) -> int:
    """Compare activations; returns 4 when a run at its chosen learning rate diverged."""
    options = _common.parse(
        Options, [], prog="compare", description=DESCRIPTION
    ) if not argv else _read(argv)  # fmt: skip
    with _common.usage():
        config, shard = settings(options), _jobs.shard(options.shard)
    _check_extras(options)
    from jaxacts.lab import cache, store, summary, sweep

    with _common.usage():
        group, place = _jobs.join(options)
    found = _common.select_device(options.device)
    cache.enable_compilation_cache()
    with _common.usage():
        plan = sweep.plan(config, options.output, options.device)
    if options.verbose:
        _say(
            f"{found}; {len(plan.runs)} runs in {len(plan.batches)} batches, {plan.programs} programs to "
            "compile"
        )
    if options.dry_run:
        return _dry_run(plan, options)
    was_finished = store.finished(plan.folder) and not options.fresh
    with (
        _jobs.ending_politely(options),
        _progress(plan, options, was_finished or place > 0) as report_progress,
    ):
        results = sweep.run(
            plan, fresh=options.fresh, progress=report_progress, workers=options.workers, shard=shard,
            group=group, argv=["jaxacts", "compare", *argv],
        )  # fmt: skip
    if place > 0 and shard is None:
        _say(f"process {place} is through; process 0 shows the results")
        return 0
    if not store.finished(plan.folder):
        return unfinished(plan.folder, as_json=options.json)
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
    show(summarised, results, as_json=options.json, quiet=options.quiet, folder=plan.folder)
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
    words = list(argv)
    for i, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--config" and (value or i + 1 < len(words)):
            path = Path(value or words[i + 1])
            return _common.parse(
                Options, [*_from_toml(path), *words], prog="compare", description=DESCRIPTION
            )
    return _common.parse(Options, words, prog="compare", description=DESCRIPTION)


def _from_toml(path: Path) -> list[str]:
    """The options of a TOML file as command-line words."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise _common.Usage(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _common.Usage(f"{path} is not TOML: {error}") from error
    known = {field.name: field for field in dataclasses.fields(Options)}
    words = []
    for key, value in content.items():
        name = key.replace("-", "_")
        if name not in known or name == "config":
            raise _common.Usage(f"{path} has an unknown option {key!r}{hint(name, known, 1)}")
        flag = "--" + name.replace("_", "-")
        if known[name].type == "bool":
            if not isinstance(value, bool):
                raise _common.Usage(f"{key} in {path} must be true or false, was {value!r}")
            words += [flag] if value else []
        elif isinstance(value, list):
            comma = "," if name == "seeds" else ""  # a list with one seed is not a count
            words += [flag, ",".join(map(_word, value)) + comma]
        else:
            words += [flag, _word(value)]
    return words


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def settings(options: Options) -> CompareConfig:
    """The configuration that the options ask for.

    Raises:
      ValueError: for a setting that makes no sense.
    """
    values = {
        f.name: getattr(options, f.name) for f in dataclasses.fields(options) if f.name not in _NOT_CONFIG
    }
    values["seeds"] = seeds(options.seeds)
    if options.smoke:
        values |= _small(values)
    return CompareConfig(**values)


def seeds(text: str) -> int | tuple[int, ...]:
    """A count, or a list where there is a comma."""
    values = _common.split(text, int)
    return values if "," in text else values[0]


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
    wanted = ["rich"] + ([] if options.no_report else ["matplotlib", "jinja2"])
    for package in wanted:
        if importlib.util.find_spec(package) is None:
            raise need(package)


@contextlib.contextmanager
def _progress(plan: Any, options: Options, finished: bool) -> Iterator[Callable[[int, int, str], None]]:
    """A bar with ETA on stderr; one plain line at the end when stderr is not a terminal."""
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
            if options.verbose:
                _say(f"{done}/{total} batches, {time.monotonic() - begun:.0f} s: {message}")

        yield update
    _say(f"{last[0]} of {last[1]} batches of runs finished, {time.monotonic() - begun:.0f} s")


def unfinished(folder: Path, *, as_json: bool) -> int:
    """What to say when other workers or shards still have to do their part."""
    text = "this part is finished; the rest is done by the other workers, or joined with `jaxacts merge`"
    if as_json:
        _common.print_json({"schema": 1, "folder": str(folder), "finished": False})
    else:
        _say(text)
    _say(str(folder))
    return 0


def show(summarised: Any, results: Any, *, as_json: bool, quiet: bool, folder: Path) -> None:
    """Print the table or the JSON on stdout, and the folder as the last line on stderr."""
    if as_json:
        _common.print_json({**summarised.document(), "folder": str(folder), "config": results.config})
    else:
        from jaxacts.lab import report

        if not quiet:
            print(report.subtitle(results))
        for facet in results.facets:
            rows = [row for row in summarised.rows if row["facet"] == facet]
            _common.show(_common.table(*_table(rows, summarised.score), title=facet))
        if not quiet:
            print("\n".join(summarised.headline))
            print(footnotes(summarised, results))
    if not as_json and not quiet and (folder / "report.html").exists():
        _say(f"pictures and a page to explore: {folder / 'report.html'}")
    _say(str(folder))


def footnotes(summarised: Any, results: Any) -> str:
    """What the table's columns mean, in short; the page has the full methods."""
    method = "t" if summarised.rows[0]["interval"] == "t" else "bootstrap"
    from jaxacts.lab import wording

    return "\n".join(
        [
            "",
            f"95 % {method}-intervals of the mean over paired seeds. ★ best; = not distinguishable from it "
            "(Holm-corrected "
            "paired test, p ≥ 0.05). The test split chose nothing.",
            *wording.setting(results)[1:],
        ]
    )


def _table(rows: list[dict[str, Any]], score: str) -> tuple[list[tuple[str, str]], list[list[str]]]:
    share = "accuracy" in score
    scale, digits = (100.0, 1) if share else (1.0, 3)
    columns = [
        ("", "left"), ("activation", "left"), (score + (" %" if share else ""), "right"),
        ("95 % interval", "left"), ("steps to target", "right"), ("learning rate", "right"),
        ("grad first/last", "right"), ("dead %", "right"),
        ("saturated %", "right"), ("diverged", "right"), ("p (Holm)", "right"),
    ]  # fmt: skip

    def number(value: float, form: str) -> str:
        return format(value, form) if math.isfinite(value) else "–"

    lines = []
    for row in rows:
        mark = "★" if row["best"] else "=" if row["as_good"] else "!" if row["diverged"] else ""
        steps = row["steps_to_target"]
        reached = f" ({row['reached']}/{row['runs']})" if row["reached"] < row["runs"] else ""
        failed = f"{row['diverged']}/{row['runs']}" + (
            f", {row['not_learned']} did not learn" if row["not_learned"] else ""
        )
        p = row["p_holm"]
        ends = (
            f"{scale * row['low']:.{digits}f}…{scale * row['high']:.{digits}f}"
            if math.isfinite(row["low"])
            else "–"
        )
        lines.append([
            mark, row["activation"], number(scale * row["mean"], f".{digits}f"), ends,
            (number(steps, ",.0f") if math.isfinite(steps) else "never") + reached,
            f"{row['learning_rate']:g}", number(row["gradient_ratio"], ".2g"),
            number(100 * row["dead"], ".1f"), number(100 * row["saturated"], ".1f"),
            failed, "–" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}",
        ])  # fmt: skip
    return columns, lines


def _dry_run(plan: Any, options: Options) -> int:
    """What would be done; trains only a short probe in a temporary folder to estimate the time."""
    seconds, compile_seconds = probe(plan)
    curves = sum(_record_floats(run, plan) for run in plan.runs) * 4
    document = {
        "schema": 1,
        "folder": str(plan.folder),
        "config": plan.plain,
        "runs": len(plan.runs),
        "batches": len(plan.batches),
        "programs": plan.programs,
        "disk_bytes": curves,
        "memory_bytes": curves + _training_bytes(plan),
        "compile_seconds": round(compile_seconds * plan.programs, 1),
        "seconds": round(seconds + compile_seconds * plan.programs, 1),
    }
    if options.json:
        _common.print_json(document)
        return 0
    for key, value in document["config"].items():
        print(
            f"{key.replace('_', ' '):<15} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        )
    print(
        f"{len(plan.runs)} runs in {len(plan.batches)} batches; {plan.programs} "
        f"program{'s' * (plan.programs != 1)} to compile"
    )
    print(f"about {document['seconds']:,.0f} s, of which {document['compile_seconds']:,.0f} s compiling; "
          f"results {curves / 1e6:,.1f} MB, "
          f"memory for data and training {document['memory_bytes'] / 1e6:,.0f} MB")  # fmt: skip
    _say(f"nothing was written; the results would go to {plan.folder}")
    return 0


def probe(plan: Any) -> tuple[float, float]:
    """Estimated seconds of training, and of compiling one program, from a short run of the first setting."""
    import tempfile

    from jaxacts.lab import execution, store, sweep

    one = {axis: plan.runs[0][axis] for axis in AXES}
    steps = min(plan.config.steps, 200)
    small = dataclasses.replace(
        plan.config, **one, seeds=(0,), steps=steps, record_every=min(plan.config.record_every or 1, steps),
        learning_rates=plan.config.learning_rates[:1],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        short = sweep.plan(small, folder, plan.platform)
        sweep.run(short)
        end = next(event for event in store.read_events(folder) if event["event"] == "end")
    training = max(end["seconds"] - end["compile_seconds"], 1e-3)
    cost = [
        sum(execution._seconds(run, plan.dataset, p.config.steps) for run in p.runs) for p in (plan, short)
    ]
    return training * cost[0] / cost[1], end["compile_seconds"]


def _record_floats(run: dict[str, Any], plan: Any) -> int:
    """Numbers stored for one run: five scalars and five values a layer at every record."""
    return len(plan.config.record_steps) * (5 + 5 * (run["depth"] + 1))


def _training_bytes(plan: Any) -> int:
    """Data, and for each run in flight weights, two moments and gradients."""
    arrays = ("x_train", "y_train", "x_validation", "y_validation", "x_test", "y_test")
    data = sum(getattr(plan.dataset, name).nbytes for name in arrays)

    def weights(run: dict[str, Any]) -> int:
        return (
            plan.dataset.features * run["width"]
            + (run["depth"] - 1) * run["width"] ** 2
            + run["width"] * plan.dataset.classes
        )

    lanes = 2 if plan.platform == "cpu" else max(map(len, plan.batches))
    return data + 16 * lanes * max(map(weights, plan.runs))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
