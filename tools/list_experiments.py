"""Write experiments/README.md and what `jaxacts advise` quotes from the committed results.

    python tools/list_experiments.py

Run it after adding a script or committing new results.
"""

from __future__ import annotations

import ast
import json
import pathlib

from jaxacts.lab.advice import _evidence

FOLDER = pathlib.Path(__file__).parent.parent / "experiments"

ABOVE = """\
# Experiments

One script a question: what a textbook, an article or a paper says about activation functions, measured and
compared with the prediction. Run them from the root of a checkout.

```
python -m experiments.NAME            # the size of the committed results: minutes on a CPU
python -m experiments.NAME --smoke    # seconds: everything small, to see that it runs
python -m experiments.NAME --full     # more seeds, depths and widths: hours, for accelerators
python -m experiments.NAME --output FOLDER
```

Each run prints its checks (what was measured, and the bounds that the claim puts on it) and a sentence with
the answer. It exits with 1 when a check does not hold; under `--smoke` checks are printed but not judged,
because small runs are noisy. `NAME.json` (answer, checks, settings, versions, device, seconds, numbers) and
`NAME.png` go to `results/`, those of the other sizes to `results/smoke/` and `results/full/`, or to the
folder given with `--output`. The figure is drawn from what the file holds.

The table is written by `python tools/list_experiments.py` from the committed files; the minutes are what
those runs took.

| script | question | command | minutes | answer | figure |
|---|---|---|--:|---|---|
"""

BELOW = """
## Speed

`python -m experiments.speed` measures the functions that `jax.nn` has too side by side with it, in one run:
times of the value and of value and gradient under jit, with the quartiles of the ratio over the rounds; the
temporary memory of the gradient of ten layers, with and without `jaxacts.lean`; and what `import jaxacts`
adds to `import jax`. It prints Markdown tables and writes no file, because times belong to one machine.
`--smoke` takes small arrays and two rounds.
"""


def row(script: pathlib.Path) -> str:
    """One line of the table; a script without committed results shows dashes."""
    name = script.stem
    question = (ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or name).splitlines()[0]
    minutes, answer, figure = "–", "–", "–"
    stored = FOLDER / "results" / f"{name}.json"
    if stored.exists():
        found = json.loads(stored.read_text(encoding="utf-8"))
        minutes, answer = f"{found['seconds'] / 60:.1f}", found["answer"]
        figure = f"[{name}.png](results/{name}.png)"
    cells = (f"[{name}]({name}.py)", question, f"`python -m experiments.{name}`", minutes, answer, figure)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def page() -> str:
    """The page as Markdown."""
    scripts = sorted(path for path in FOLDER.glob("*.py") if not path.name.startswith("_"))
    return ABOVE + "".join(map(row, scripts)) + BELOW


if __name__ == "__main__":
    (FOLDER / "README.md").write_text(page(), encoding="utf-8")
    _evidence.write(FOLDER / "results")
