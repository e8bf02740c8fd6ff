"""Build every notebook from its percent-format source, with outputs.

    python tools/build_notebooks.py [NAME ...]

The sources, notebooks/*.py, are what is reviewed and tested; run this after changing one.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import jupytext
import nbclient
import nbformat

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
LIMIT = 500_000  # bytes of a notebook, so that it opens on the web at once


def build(source: Path) -> Path:
    """Run the cells of one source and write the notebook beside it."""
    notebook = jupytext.read(source)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem}-{number}"[-64:]  # stable: random ones would change in every diff
    with tempfile.TemporaryDirectory() as elsewhere:
        client = nbclient.NotebookClient(
            notebook, timeout=1800, kernel_name="python3", resources={"metadata": {"path": elsewhere}}
        )
        client.coalesce_streams = True  # one output for one cell's printing
        client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
    notebook.metadata = nbformat.from_dict(
        {
            "colab": {"provenance": []},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if len(text.encode()) > LIMIT:
        raise SystemExit(
            f"{source.stem} would have {len(text.encode()):,} bytes, at most {LIMIT:,} are allowed"
        )
    nbformat.validate(notebook)
    target = source.with_suffix(".ipynb")
    part = target.with_suffix(".part")
    part.write_text(text, "utf-8")
    os.replace(part, target)
    return target


def main(names: list[str]) -> None:
    """Build the named notebooks, or all."""
    for source in sorted(FOLDER.glob("*.py")):
        if not names or source.stem in names:
            target = build(source)
            print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
