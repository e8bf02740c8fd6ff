"""Speed and memory of jaxacts beside its peers, measured in one run.

    python -m experiments.speed                  everything below
    python -m experiments.speed elementwise      functions beside jax.nn, memory of gradients, import
    python -m experiments.speed training         eighty networks beside PyTorch, and the floor
    python -m experiments.speed growth           compile time, run time and memory as a comparison grows
    python -m experiments.speed moments          gains of the whole catalogue, and other questions of theory

In the elementwise table ratios below 1 mean that jaxacts is faster, in the training table ratios above 1.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

PARTS = ("elementwise", "training", "growth", "moments")


def import_cost(rounds: int = 7) -> float:
    """Median seconds of CPU time that `import jaxacts` adds to `import jax`."""
    code = "import jax, time; s = time.process_time(); import jaxacts; print(time.process_time() - s)"
    command = [sys.executable, "-c", code]
    return statistics.median(
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(rounds)
    )


def elementwise_tables(smoke: bool) -> None:
    """Print the tables of functions, memory and import time."""
    import jax

    import jaxacts
    from experiments.speed import elementwise

    size, rounds = (2**12, 2) if smoke else (2**22, 15)
    device = jax.devices()[0].device_kind
    print(f"float32, {size} numbers, jax {jax.__version__}, {device}; ms, medians of {rounds} rounds")
    sides = "jaxacts f | jax.nn f | jaxacts f + f' | jax.nn f + f'"
    print(f"| function | {sides} | ratio (quartiles) | ULP of jax.nn |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for row in elementwise.measure(size, rounds):
        times = " | ".join(f"{t:.1f}" for t in (*row.forward, *row.both))
        ulp = "" if smoke else elementwise.broken_by_peer(row.name)
        low, high = row.spread
        name = row.name if row.width is None else f"{row.name}, rows of {row.width}"
        print(f"| {name} | {times} | {row.ratio:.2f} ({low:.2f}-{high:.2f}) | {ulp} |")
    print("The last column, f / f' / f'', is empty where jax.nn keeps the promise in float32; ! is broken.")

    print("\nTemporary memory of the gradient of 10 layers, in arrays of the size of one activation:")
    print("| function | jaxacts | lean(jaxacts) | jax.nn | lean(jax.nn) |")
    print("|---|--:|--:|--:|--:|")
    for name in ("mish", "gelu", "silu", "relu"):
        ours, theirs = getattr(jaxacts, name), elementwise.PEERS[name]
        found = [elementwise.buffers(f) for f in (ours, jaxacts.lean(ours), theirs, jaxacts.lean(theirs))]
        print(f"| {name} | " + " | ".join(f"{v:.0f}" for v in found) + " |")

    extra = 1e3 * import_cost(2 if smoke else 7)
    print(f"\nimport jaxacts adds {extra:.0f} ms of CPU time to import jax")


def main(argv: list[str] | None = None) -> int:
    """Print the tables."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        "python -m experiments.speed", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"among {', '.join(PARTS)}; all by default")
    parser.add_argument("--smoke", action="store_true", help="small arrays, few rounds")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of the training part")
    parser.add_argument("--width", type=int, default=64, help="units a layer in the training part")
    parser.add_argument("--peer-python", default=sys.executable, help="a Python that has PyTorch")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    parts = arguments.parts or PARTS
    if "elementwise" in parts:
        elementwise_tables(arguments.smoke)
    if "training" in parts:
        from experiments.speed import training

        training.report(1 if arguments.smoke else arguments.rounds, arguments.width, arguments.peer_python)
    if "growth" in parts:
        from experiments.speed import growth

        growth.report(arguments.smoke)
    if "moments" in parts:
        from experiments.speed import moments

        moments.report(arguments.smoke)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
