"""How compile time, run time and memory grow with activations, runs and depth; a fresh process each."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time

ACTIVATIONS = (
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu_tanh", "silu", "mish", "softplus",
    "soft_sign", "hard_silu", "relu6", "celu", "hard_tanh", "gelu",
)  # fmt: skip


def one(settings: dict) -> dict[str, float]:
    """Compare once, in this process; seconds of compiling and of the rest, and the largest memory in MB."""
    from jaxacts import lab

    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        lab.compare(output=folder, dataset="digits", learning_rates=[1e-3], init="lecun", **settings)
        total = time.perf_counter() - begun
        end = next(event for event in lab.store.read_events(folder) if event["event"] == "end")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"compile": end["compile_seconds"], "run": total - end["compile_seconds"], "memory": memory}


def fresh(**settings) -> dict[str, float]:
    """The same in a new process without a compilation cache."""
    environment = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-m", "experiments.speed.growth", json.dumps(settings)],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def report(smoke: bool = False) -> None:
    """Print the tables."""
    small = {"steps": 220, "batch_size": 128, "record_every": 11}
    print("\n| activations | compile s |\n|---|--:|")
    for count in (1, 8) if smoke else (1, 2, 4, 8, 16):
        found = fresh(activations=ACTIVATIONS[:count], seeds=1, **small)
        print(f"| {count} | {found['compile']:.2f} |")
    print("\n| runs | run s | s a run | memory MB |\n|---|--:|--:|--:|")
    for seeds in (1, 4) if smoke else (1, 4, 16, 64):
        found = fresh(activations=ACTIVATIONS[1:3], seeds=seeds, **small)
        runs = 2 * seeds
        print(f"| {runs} | {found['run']:.2f} | {found['run'] / runs:.3f} | {found['memory']:.0f} |")
    print("\n| depth | compile s |\n|---|--:|")
    for depth in (4, 32) if smoke else (4, 16, 31, 32, 64, 256):
        found = fresh(
            activations=["tanh"], seeds=1, depth=depth, width=64, steps=4, batch_size=128, record_every=4
        )
        print(f"| {depth} | {found['compile']:.2f} |")


if __name__ == "__main__":
    print(json.dumps(one(json.loads(sys.argv[1]))))
