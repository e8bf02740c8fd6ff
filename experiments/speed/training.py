"""Training eighty small networks: jaxacts, two ways to write it in PyTorch, and the matrix products alone.

Rounds are interleaved, so that what else the machine does falls on all of them alike. *Cold* is from the
start of the process to the last curve written, with empty caches; *warm* is the same work again in the same
process.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from experiments.speed import workload

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OPTIONS = [
    "--dataset", "digits", "--activations", ",".join(workload.ACTIVATIONS), "--seeds", str(workload.SEEDS),
    "--steps", str(workload.STEPS), "--batch-size", str(workload.BATCH), "--learning-rates", "1e-3",
    "--init", "lecun", "--record-every", str(workload.EVERY), "--no-report",
]  # fmt: skip

OURS, CACHED = "jaxacts", "jaxacts, second process"
ALIKE = "jaxacts, recording only what the peers do"
EAGER, ENSEMBLE = "PyTorch eager, a process a core", "PyTorch batched over seeds, fused Adam"


@dataclasses.dataclass
class Times:
    """Seconds of every round."""

    cold: list[float] = dataclasses.field(default_factory=list)
    warm: list[float] = dataclasses.field(default_factory=list)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def matmul_rate(size: int = 2048) -> float:
    """Floating-point operations a second of a large float32 product on all cores, the best of three."""
    a = np.random.default_rng(0).standard_normal((size, size), dtype=np.float32)
    best = np.inf
    for _ in range(3):
        begun = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - begun)
    return 2 * size**3 / best


def ours(folder: Path, width: int, passes: tuple[Times, ...], measure: str = "default") -> None:
    """One round: the command, once for each of `passes` with one cache, and the function in one process."""
    folder.mkdir()
    environment = {**os.environ, "JAXACTS_CACHE_DIR": str(folder / "cache")}
    environment.pop("JAX_COMPILATION_CACHE_DIR", None)
    command = [sys.executable, "-m", "jaxacts", "compare", *OPTIONS, "--measure", measure]
    command += ["--width", str(width), "--output"]
    for number, times in enumerate(passes):
        out, begun = folder / f"run{number}", time.time()
        subprocess.run([*command, str(out)], cwd=ROOT, env=environment, check=True, capture_output=True)
        times.cold.append((out / "curves.npz").stat().st_mtime - begun)
    done = subprocess.run(
        [sys.executable, "-m", "experiments.speed.again", str(folder / "warm"), str(width), "2", measure],
        cwd=ROOT, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    passes[0].warm.append(float(done.stdout.split()[1]))


def peer(
    python: str, script: str, arguments: list[str], folder: Path, data: Path, width: int, times: Times
) -> None:
    """One round of a peer: a process for each entry of `arguments`, all at once."""
    begun = time.time()
    running = [
        subprocess.Popen(
            [python, str(HERE / script), str(data), str(folder / f"{i}.npz"), argument, str(width), "2"],
            stdout=subprocess.PIPE, text=True,
        )
        for i, argument in enumerate(arguments)
    ]  # fmt: skip
    passes = [[json.loads(line) for line in one.communicate()[0].splitlines()] for one in running]
    if any(one.returncode for one in running):
        raise RuntimeError(f"{script} failed")
    times.cold.append(max(lines[0]["end"] for lines in passes) - begun)
    times.warm.append(max(lines[1]["seconds"] for lines in passes))


def has_torch(python: str) -> bool:
    """Whether an interpreter is there and can import PyTorch."""
    try:
        done = subprocess.run([python, "-c", "import torch"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def measure(rounds: int, width: int, python: str, peers: bool = True) -> tuple[dict[str, Times], float]:
    """The seconds of all rounds by design, and the median rate of a large product."""
    names = [OURS, CACHED, ALIKE] + ([EAGER, ENSEMBLE] if peers else [])
    found = {name: Times() for name in names}
    rates, count = [], cores()
    with tempfile.TemporaryDirectory() as text:
        data = Path(text) / "data.npz"
        workload.save_data(str(data))
        for number in range(rounds):
            folder = Path(text) / str(number)
            folder.mkdir()
            rates.append(matmul_rate())
            ours(folder / "ours", width, (found[OURS], found[CACHED]))
            ours(folder / "alike", width, (found[ALIKE],), "gradient_norm")
            if peers:
                parts = [f"{i}/{count}" for i in range(count)]
                peer(python, "peer_eager.py", parts, folder, data, width, found[EAGER])
                peer(python, "peer_ensemble.py", [str(count)], folder, data, width, found[ENSEMBLE])
    return found, statistics.median(rates)


def table(found: dict[str, Times], rate: float, width: int) -> str:
    """Medians, ranges and ratios as a Markdown table, and the floor below it."""
    lines = ["| | cold s (range) | warm s (range) | cold ratio | warm ratio |", "|---|--:|--:|--:|--:|"]
    for name, times in found.items():
        ratios = [ratio(getattr(times, kind), getattr(found[OURS], kind)) for kind in ("cold", "warm")]
        lines.append("| " + " | ".join([name, spread(times.cold), spread(times.warm), *ratios]) + " |")
    work = workload.flops(width)
    times = statistics.median(found[OURS].warm) * rate / work
    lines.append(
        f"\nThe matrix products alone, {work / 1e9:.0f} GFLOP at the {rate / 1e9:.0f} GFLOP/s of a large "
        f"product: {work / rate:.2f} s; jaxacts, warm, takes {times:.2f} times that."
    )
    return "\n".join(lines)


def spread(values: list[float]) -> str:
    """Median and range."""
    if not values:
        return "–"
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def ratio(theirs: list[float], own: list[float]) -> str:
    """Median over the rounds of theirs / own."""
    if not theirs or theirs is own:
        return "–"
    return f"{statistics.median(a / b for a, b in zip(theirs, own, strict=True)):.2f}"


def report(rounds: int, width: int, python: str) -> None:
    """Measure and print."""
    peers = has_torch(python)
    print(
        f"\n{len(workload.ACTIVATIONS)} activations x {workload.SEEDS} seeds, {workload.DEPTH} x {width}, "
        f"{workload.STEPS} steps of Adam on digits, {cores()} cores, {rounds} rounds"
    )
    if not peers:
        print(f"PyTorch is not installed in {python}; its rows are left out (--peer-python names another).")
    print(table(*measure(rounds, width, python, peers), width))
