"""`jaxacts compare --dry-run`: what would be done, and about how long and large it would be."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import tempfile
from typing import Any

from jaxacts.commands import _common
from jaxacts.lab.config import AXES
from jaxacts.lab.measures import CURVES


def show(plan: Any, options: Any, shard: tuple[int, int] | None = None) -> int:
    """What would be done; trains only a short probe in a temporary folder to estimate the time.

    Returns 1 when the folder would be refused, as the comparison itself does.
    """
    from jaxacts.lab import execution, sweep
    from jaxacts.lab.errors import StoreError

    whole, refused, manifest = plan, None, None
    try:
        manifest = sweep.begun(plan, options.fresh)
    except StoreError as error:
        refused = str(error)
    left = plan = _part(plan, manifest["batches"] if manifest else None, shard)
    try:
        left = _left(plan, manifest)
    except StoreError as error:
        refused = str(error)
    workers = execution.workers(plan.platform, options.workers)
    seconds, compile_seconds = probe(left, workers)
    runs = _runs(plan)
    curves = sum(_record_floats(run, plan) for run in runs) * 4
    document = {
        "schema": 1,
        "folder": str(plan.folder),
        "refused": refused,
        "config": plan.plain,
        "shard": shard and "{}/{}".format(*shard),
        "runs": len(runs),
        "runs_finished": len(runs) - len(_runs(left)),
        "batches": len(plan.batches),
        "programs": left.programs,
        "disk_bytes": curves,
        "memory_bytes": _peak_bytes() + curves + _training_bytes(left, workers),
        "compile_seconds": float(f"{compile_seconds * left.programs:.2g}"),
        "seconds": float(f"{seconds + compile_seconds * left.programs:.2g}"),
    }
    if options.json:
        _common.print_json(document)
        return 1 if refused else 0
    for key, value in document["config"].items():
        print(
            f"{key.replace('_', ' '):<15} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        )
    finished = f", {_count(document['runs_finished'], 'run')} finished" if document["runs_finished"] else ""
    part = f"shard {document['shard']} of {len(whole.runs)} runs: " if shard else ""
    print(
        f"{part}{_count(len(runs), 'run')} in {_count(len(plan.batches), 'batch', 'batches')}{finished}; "
        f"{_count(left.programs, 'program')} to compile"
    )
    print(f"about {document['seconds']:,.0f} s, of which {document['compile_seconds']:,.0f} s compiling; "
          f"results {curves / 1e6:,.1f} MB, "
          f"memory {document['memory_bytes'] / 1e6:,.0f} MB")  # fmt: skip
    if refused:
        _common.say(f"nothing was written; the comparison would be refused: {refused}")
        return 1
    _common.say(f"nothing was written; the results would go to {plan.folder}")
    return 0


def _count(number: int, word: str, several: str = "") -> str:
    return f"{number} {word if number == 1 else several or word + 's'}"


def _part(plan: Any, begun: list[list[int]] | None, shard: tuple[int, int] | None) -> Any:
    """The plan with the batches of a shard alone."""
    batches = begun or plan.batches
    if shard is not None:
        batches = [batch for i, batch in enumerate(batches) if i % shard[1] == shard[0] - 1]
    return _with(plan, batches)


def _left(plan: Any, manifest: dict[str, Any] | None) -> Any:
    """The plan with the batches alone that the folder does not hold yet."""
    from jaxacts.lab import store
    from jaxacts.lab.errors import StoreError

    if manifest is None:
        return plan
    if store.finished(plan.folder):
        store.load(plan.folder)  # refused when it is damaged
        return _with(plan, [])
    done: set[int] = set()
    for number, batch in enumerate(manifest["batches"]):
        with contextlib.suppress(StoreError):  # missing, or damaged and then trained again
            store.read_batch(plan.folder, number, manifest["hash"])
            done.update(batch)
    return _with(plan, [batch for batch in plan.batches if not done.issuperset(batch)])


def _with(plan: Any, batches: list[list[int]]) -> Any:
    """The plan with these batches, and the programs that they need."""
    from jaxacts.lab import execution

    programs = {execution.key_of(plan.runs[run]) for batch in batches for run in batch}
    return dataclasses.replace(plan, batches=batches, programs=len(programs))


def _runs(plan: Any) -> list[dict[str, Any]]:
    """The runs in the batches of a plan; a shard has only some of them."""
    return [plan.runs[run] for batch in plan.batches for run in batch]


def probe(plan: Any, workers: int) -> tuple[float, float]:
    """Estimated seconds of training, and of compiling one program, from a short run of the first setting."""
    from jaxacts.lab import execution, store, sweep

    runs = _runs(plan)
    if not runs:
        return 0.0, 0.0
    one = {axis: runs[0][axis] for axis in AXES}
    steps = min(plan.config.steps, 200)
    small = dataclasses.replace(
        plan.config, **one, seeds=(0,), steps=steps, record_every=min(plan.config.record_every or 1, steps),
        learning_rates=plan.config.learning_rates[:1],
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        short = sweep.plan(small, folder, plan.platform)
        sweep.run(short, workers=workers)
        events = store.read_events(folder)
    # the batches alone: starting and waiting happen once, and would be blown up with the rest
    training = max(sum(event["seconds"] for event in events if event["event"] == "batch"), 1e-3)
    compiling = next(event["compile_seconds"] for event in events if event["event"] == "end")
    # on an accelerator the runs of a batch go side by side and take about as long as one
    together = max if plan.platform != "cpu" else sum
    cost = [
        sum(
            together(execution._seconds(p.runs[run], plan.dataset, p.config.steps) for run in batch)
            for batch in p.batches
        )
        for p in (plan, short)
    ]
    at_once = min(workers, len(plan.batches))
    return training * cost[0] / cost[1] / at_once, compiling


def _peak_bytes() -> int:
    """The most memory that this process has had, after the probe: Python, JAX, the data, one program."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def _record_floats(run: dict[str, Any], plan: Any) -> int:
    """Numbers stored for one run: five losses and scores, and what is measured, at every record."""
    sizes = {
        "layers": run["depth"],
        "weights": run["depth"] + 1,
        "values": min(plan.dataset.features, plan.dataset.classes),
        "none": 1,
    }
    measured = [sizes[curve.axis] for curve in CURVES.values() if curve.measure in plan.config.measure]
    return len(plan.config.record_steps) * (5 + sum(measured))


def _training_bytes(plan: Any, workers: int) -> int:
    """For each run in flight weights, two moments and gradients."""

    def weights(run: dict[str, Any]) -> int:
        return (
            plan.dataset.features * run["width"]
            + (run["depth"] - 1) * run["width"] ** 2
            + run["width"] * plan.dataset.classes
        )

    lanes = workers if plan.platform == "cpu" else max(map(len, plan.batches), default=0)
    return 16 * lanes * max(map(weights, _runs(plan)), default=0)
