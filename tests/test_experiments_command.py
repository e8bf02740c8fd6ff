"""`jaxacts experiments`: what it lists, how it runs a script, and what it says where there is none."""

import json
import subprocess
from pathlib import Path

import pytest

from jaxacts import cli
from jaxacts.commands import experiments

FOLDER = Path(__file__).parent.parent / "experiments"
SCRIPTS = {path.stem for path in FOLDER.glob("*.py") if not path.name.startswith("_")}


def test_lists_every_script_with_the_stored_answer(capsys):
    assert cli.main(["experiments", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    rows = {row["name"]: row for row in document["experiments"]}
    assert set(rows) == SCRIPTS
    assert all(row["question"].endswith("?") for row in rows.values())
    stored = json.loads((FOLDER / "results" / "born_dead.json").read_text(encoding="utf-8"))
    assert rows["born_dead"]["answer"] == stored["answer"]
    assert rows["born_dead"]["minutes"] == pytest.approx(stored["seconds"] / 60, abs=0.05)
    assert (FOLDER.parent / rows["born_dead"]["figure"]).is_file()


def test_the_list_fits_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert cli.main(["experiments", "list", "born_dead"]) == 0
    out, err = capsys.readouterr()
    assert max(map(len, out.splitlines())) <= 60
    assert out.startswith("born_dead")
    assert "python -m experiments.born_dead" in out
    assert "1 experiments" not in err


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with two scripts that need no second of training."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    for name in ("__init__.py", "_common.py"):
        (folder / name).write_text("")
    (folder / "good.py").write_text(
        '"""Is it good?"""\n'
        "import json, pathlib, sys\n"
        "print('working', sys.argv[1:])\n"
        "out = pathlib.Path(sys.argv[sys.argv.index('--output') + 1])\n"
        "out.mkdir(parents=True, exist_ok=True)\n"
        "result = {'seconds': 60.0, 'answer': 'It is 7.', 'holds': True}\n"
        "(out / 'good.json').write_text(json.dumps(result))\n"
    )
    (folder / "bad.py").write_text('"""Is it bad?"""\nraise SystemExit(1)\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxacts.__file__", str(tmp_path / "elsewhere" / "jaxacts" / "__init__.py"))
    return folder


def test_runs_a_script_as_a_process_and_tells_what_it_wrote(checkout, capfd):
    assert cli.main(["experiments", "run", "good", "--smoke", "--output", "out", "--json"]) == 0
    out, err = capfd.readouterr()
    (row,) = json.loads(out)["experiments"]
    assert row["exit_code"] == 0
    assert row["answer"] == "It is 7."
    assert row["mode"] == "smoke"
    assert Path(row["output"]) == checkout.parent / "out"
    assert "working ['--smoke', '--output'" in err


def test_a_script_that_fails_is_the_exit_code_and_borrows_no_answer(checkout, capfd):
    results = checkout / "results"
    results.mkdir()
    old = {"seconds": 1.0, "answer": "An old answer.", "holds": True}
    (results / "bad.json").write_text(json.dumps(old))
    assert cli.main(["experiments", "run", "bad", "--json"]) == 1
    (row,) = json.loads(capfd.readouterr().out)["experiments"]
    assert row["exit_code"] == 1
    assert row["answer"] is None
    (results / "bad.json").write_text("{")  # damaged: the list says so and goes on
    assert cli.main(["experiments"]) == 0
    assert "cannot be read" in " ".join(capfd.readouterr().out.split())  # a long path folds the line


def test_outside_a_checkout_there_is_one_clear_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jaxacts.__file__", str(tmp_path / "site-packages" / "jaxacts" / "__init__.py"))
    assert cli.main(["experiments"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "clone the repository" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "which experiment"),
        (["run", "born_ded"], "did you mean born_dead"),
        (["run", "zzz"], "unknown experiment 'zzz'; `jaxacts experiments` lists them"),
        (["run", "born_dead", "--smoke", "--full"], "exclude each other"),
        (["list", "--smoke"], "belong to `jaxacts experiments run NAME`"),
        (["walk"], "Expected one of"),
    ],
)
def test_wrong_usage(words, message, capsys, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("it ran something"))
    assert cli.main(["experiments", *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_scripts_are_read_without_being_run(tmp_path):
    (tmp_path / "broken.py").write_text('"""Is it imported?\n\nNo."""\nraise RuntimeError\n')
    (row,) = experiments.scripts(tmp_path)
    assert row["question"] == "Is it imported?"
    assert row["answer"] is None
