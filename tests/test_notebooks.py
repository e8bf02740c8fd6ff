"""The notebooks: each source runs as a script, and the built notebook is the source with its outputs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "notebooks"
SOURCES = sorted(FOLDER.glob("*.py"))


def cells(source):
    """Kind and text of the cells of a percent-format file, read without the tool that builds notebooks."""
    _, *parts = re.split(r"^# %%(.*)\n", source.read_text("utf-8"), flags=re.MULTILINE)
    for header, body in zip(parts[::2], parts[1::2], strict=True):
        kind = "markdown" if "[markdown]" in header else "code"
        lines = body.strip("\n").split("\n")
        if kind == "markdown":
            lines = [re.sub("^# ?", "", line) for line in lines]
        yield kind, "\n".join(lines).strip()


def test_there_are_notebooks():
    assert SOURCES
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == {path.stem for path in SOURCES}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_source_runs_as_a_script(source, tmp_path):
    environment = {**os.environ, "FAST": "1", "MPLBACKEND": "agg", "JAX_PLATFORMS": "cpu"}
    environment["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"  # nearly all of it is compilation
    done = subprocess.run(
        [sys.executable, str(source)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("jax ")
    assert not list(tmp_path.iterdir())  # leaves nothing behind


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_notebook_is_its_source_with_outputs(source):
    path = source.with_suffix(".ipynb")
    assert path.stat().st_size < 500_000
    notebook = json.loads(path.read_text("utf-8"))
    found = [(cell["cell_type"], "".join(cell["source"]).strip()) for cell in notebook["cells"]]
    assert found == list(cells(source)), "run tools/build_notebooks.py"
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    outputs = [output for cell in code for output in cell["outputs"]]
    assert all(cell["execution_count"] for cell in code)
    assert not [o for o in outputs if o["output_type"] == "error" or o.get("name") == "stderr"]
    assert sum("image/png" in o.get("data", {}) for o in outputs) >= 2
    assert "colab" in notebook["metadata"]
    assert "jax==" in "".join(code[0]["source"])  # the set-up cell pins the JAX it finds
