"""The workload through `jaxacts.lab.compare`, several times in one process; prints the seconds of each.

python -m experiments.speed.again FOLDER WIDTH PASSES MEASURE
"""

from __future__ import annotations

import sys
import time

from experiments.speed import workload
from jaxacts import lab


def main() -> None:
    """Train all runs `PASSES` times, each time into a new folder."""
    folder, width, passes, measure = sys.argv[1:]
    for number in range(int(passes)):
        begun = time.time()
        lab.compare(
            workload.ACTIVATIONS, dataset="digits", seeds=workload.SEEDS, width=int(width),
            steps=workload.STEPS, batch_size=workload.BATCH, learning_rates=[workload.RATE], init="lecun",
            record_every=workload.EVERY, measure=measure, output=f"{folder}/{number}",
        )  # fmt: skip
        print(time.time() - begun, flush=True)


if __name__ == "__main__":
    main()
