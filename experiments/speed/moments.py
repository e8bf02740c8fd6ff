"""How long theory takes: the gains of the whole catalogue, and single questions, each in a fresh process.

Nothing is compiled for plain numbers: the traced program of a function runs on NumPy. What is asked inside
`jit` compiles, once per function and shape.
"""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

# Each prints the wall-clock and CPU seconds of its last line; importing is not part of the question.
_TIMED = """
import time, jax, jaxacts
{before}
start, spent = time.perf_counter(), time.process_time()
{asked}
print(time.perf_counter() - start, time.process_time() - spent)
"""
_KINDS = "('he', 'centred', 'backward')"
QUESTIONS = {
    "all three gains of the whole catalogue": (
        "from jaxacts import moments",
        f"[moments.gain(r.fn, kind) for r in jaxacts.records().values() for kind in {_KINDS}]",
    ),
    "one gain": ("from jaxacts import moments", "moments.gain(jaxacts.gelu)"),
    "one gain of a lambda": (
        "from jaxacts import moments; import jax.numpy as jnp",
        "moments.gain(lambda x: x * jnp.tanh(x))",
    ),
    "expectation under jit and grad": (
        "from jaxacts import moments",
        "jax.jit(jax.grad(lambda q: moments.expectation(jaxacts.gelu, q)))(1.0).block_until_ready()",
    ),
    "dual under jit": (
        "from jaxacts import moments",
        "jax.jit(lambda c: moments.dual(jaxacts.gelu, 1.0, 1.0, c))(0.5).block_until_ready()",
    ),
    "fixed point": ("from jaxacts import meanfield", "meanfield.fixed_point(jaxacts.tanh, 2.5, 0.3)"),
    "critical point": ("from jaxacts import meanfield", "meanfield.critical_point(jaxacts.tanh, 0.05)"),
    "tailored to 50 layers": (
        "from jaxacts import transforms",
        "transforms.transformed(jaxacts.softplus, 50)",
    ),
}
PROMISE = 5.0  # seconds for the gains of the whole catalogue


class Row(NamedTuple):
    """One question and what it took, in seconds.

    Attributes:
      question: what was asked.
      wall: wall-clock seconds, the best of the rounds.
      cpu: CPU seconds of that round.
    """

    question: str
    wall: float
    cpu: float


def measure(question: str, rounds: int = 3) -> Row:
    """Ask in fresh processes, so that nothing is known or compiled beforehand."""
    before, asked = QUESTIONS[question]
    command = [sys.executable, "-c", _TIMED.format(before=before, asked=asked)]
    outputs = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(rounds)
    ]
    wall, cpu = min(tuple(map(float, output.split())) for output in outputs)
    return Row(question, wall, cpu)


def report(smoke: bool) -> None:
    """Print the table."""
    import jax

    rounds = 1 if smoke else 3
    print(f"Theory in a fresh process, jax {jax.__version__}, best of {rounds}; seconds without imports")
    print("| question | wall clock | CPU |")
    print("|---|--:|--:|")
    for question in QUESTIONS:
        row = measure(question, rounds)
        bound = f" (promised: {PROMISE:g})" if question.startswith("all three") else ""
        print(f"| {question}{bound} | {row.wall:.2f} | {row.cpu:.2f} |", flush=True)
