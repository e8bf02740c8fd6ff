"""The command line, called in this process: exit codes, what goes to stdout and stderr, and bad input."""

import json
import shutil
import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxacts
from jaxacts import cli
from jaxacts.lab import execution

TINY = [
    "--dataset", "wine", "--activations", "relu,tanh", "--seeds", "2", "--depth", "1", "--width", "8",
    "--steps", "20", "--learning-rates", "3e-3,1e-2", "--batch-size", "32", "--record-every", "5",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _no_compilation_cache():
    """The command line keeps compiled programs in the user's cache; a test must not."""
    from jaxacts.lab import cache

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "enable_compilation_cache", lambda: None)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished comparison with its report."""
    path = tmp_path_factory.mktemp("runs") / "tiny"
    assert cli.main(["compare", *TINY, "--output", str(path), "--quiet"]) == 0
    return path


def test_compare_writes_everything(folder):
    names = {path.name for path in folder.iterdir()}
    assert {"manifest.json", "curves.npz", "report.html"} <= names
    assert {"convergence.png", "gradient_flow.png", "activations.png"} <= names
    assert not [name for name in names if name.endswith(".part")]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["argv"][:2] == ["jaxacts", "compare"]
    assert {"jax", "jaxlib", "numpy", "optax", "python"} <= set(manifest["versions"])


def test_the_same_command_shows_the_result_without_training(folder, capsys, monkeypatch):
    monkeypatch.setattr(execution.Engine, "__init__", lambda *a, **k: pytest.fail("it trained again"))
    before = (folder / "curves.npz").stat().st_mtime_ns
    assert cli.main(["compare", *TINY, "--output", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert "test accuracy %" in out
    assert "learning rate" in out
    assert "95 %" in out
    assert out.splitlines()[1].split()[-1] == "g"
    assert "g: effect size (Hedges' g" in out
    assert "gain" in out  # the initialisation is told
    assert err.splitlines()[-1] == str(folder)
    assert (folder / "curves.npz").stat().st_mtime_ns == before


def test_json_is_all_there_is_on_stdout(folder, capsys):
    assert cli.main(["compare", *TINY, "--output", str(folder), "--json"]) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["schema"] == 1
    assert {row["activation"] for row in document["rows"]} == {"relu", "tanh"}
    assert "\x1b" not in out + err


def test_another_configuration_is_refused_with_the_difference(folder, capsys):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir())
    assert cli.main(["compare", *TINY, "--seeds", "3", "--output", str(folder)]) == 1
    err = capsys.readouterr().err
    assert "seeds: [0, 1] in the folder, [0, 1, 2] asked for" in err
    assert "--fresh" in err
    assert sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir()) == before


def test_a_new_target_needs_no_training(folder, capsys, monkeypatch):
    monkeypatch.setattr(execution.Engine, "__init__", lambda *a, **k: pytest.fail("it trained again"))
    assert (
        cli.main(["compare", *TINY, "--target", "0.8", "--output", str(folder), "--json", "--no-report"]) == 0
    )
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert rows[0]["target"] == pytest.approx(0.8 * rows[0]["median"])


def test_shards_are_merged_to_the_same_result(folder, tmp_path, capsys):
    parts = [str(tmp_path / f"part{i}") for i in (1, 2)]
    # one run a batch, or there would be nothing to share
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "_BATCH_SECONDS", 1e-9)
        for i, part in enumerate(parts, 1):
            assert cli.main(["compare", *TINY, "--shard", f"{i}/2", "--output", part, "--no-report"]) == 0
            assert "this part is finished" in capsys.readouterr().err
        output = ["--output", str(tmp_path / "whole"), "--no-report"]
        assert cli.main(["merge", parts[0], *output]) == 1
        err = capsys.readouterr().err
        assert "4 of 8 runs are missing, in shard 2/2 (all of it); what is there is kept in" in err
        assert len(list((tmp_path / "whole" / "batches").iterdir())) == 4
        (tmp_path / "part2" / "batches" / "00003.npz").rename(tmp_path / "00003.npz")
        assert cli.main(["merge", *parts, *output, "--json"]) == 1
        document = json.loads(capsys.readouterr().out)
        assert document["finished"] is False
        assert document["missing_batches"] == [3]
        assert document["error"].startswith("1 of 8 runs are missing, in shard 2/2 (batch 3); ")
        (tmp_path / "00003.npz").rename(tmp_path / "part2" / "batches" / "00003.npz")
        assert cli.main(["merge", *parts, *output, "--json"]) == 0
        first = capsys.readouterr().out
        assert cli.main(["merge", *parts, *output, "--json"]) == 0  # again, into what is finished
        assert not (tmp_path / "whole" / "batches").exists()
        assert capsys.readouterr().out == first
    rows = json.loads(first)["rows"]
    whole = jaxacts.lab.load(folder)
    for row in rows:
        index = whole.select(chosen=True, activation=row["activation"])
        assert row["mean"] == pytest.approx(whole.curves["test_accuracy"][index, -1].mean(), rel=1e-6)
    assert cli.main(["merge", str(tmp_path), "--output", str(tmp_path / "y")]) == 1


def test_dry_run_writes_nothing(tmp_path, capsys):
    assert cli.main(["compare", *TINY, "--output", str(tmp_path / "x"), "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] == 2 * 2 * 2
    assert document["programs"] == 1
    assert document["seconds"] > 0
    assert document["memory_bytes"] > 10_000  # 178 x 13 float32 alone are 9,256
    assert not list(tmp_path.iterdir())


def test_dry_run_of_a_finished_comparison_has_nothing_left(folder, capsys):
    command = ["compare", *TINY, "--output", str(folder), "--dry-run"]
    assert cli.main([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["runs"] == document["runs_finished"] == 8
    assert (document["seconds"], document["programs"]) == (0.0, 0)
    assert cli.main(command) == 0
    assert "batch, 8 runs finished; 0 programs to compile\nabout 0 s" in capsys.readouterr().out


def test_dry_run_counts_no_damaged_work_as_finished(folder, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    with open(copy / "curves.npz", "r+b") as file:
        file.truncate(100)
    assert cli.main(["compare", *TINY, "--output", str(copy), "--dry-run"]) == 1
    assert "the comparison would be refused: " in capsys.readouterr().err


def test_dry_run_of_a_shard_counts_its_part_alone(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(execution, "_BATCH_SECONDS", 1e-9)  # one run a batch

    def told(*words):
        command = ["compare", *TINY, "--depth", "1,2", "--output", str(tmp_path / "x"), "--dry-run"]
        assert cli.main([*command, *words]) == 0
        return capsys.readouterr().out

    whole, part = json.loads(told("--json")), json.loads(told("--shard", "3/8", "--json"))
    assert (whole["shard"], whole["runs"], whole["batches"], whole["programs"]) == (None, 16, 16, 2)
    assert (part["shard"], part["runs"], part["batches"]) == ("3/8", 2, 2)
    assert (
        part["disk_bytes"] == whole["disk_bytes"] / 8
    )  # a run of depth 1 and one of depth 2, as in the whole
    assert "shard 3/8 of 16 runs: 2 runs in 2 batches; 2 programs to compile" in told("--shard", "3/8")


def test_dry_run_says_what_would_be_refused(folder, tmp_path, capsys):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir())
    for words, message in [
        (["--seeds", "3", "--output", str(folder)], "seeds: [0, 1] in the folder, [0, 1, 2] asked for"),
        (["--output", str(folder / "report.html")], "report.html is a file, not a folder"),
    ]:
        assert cli.main(["compare", *TINY, *words, "--dry-run"]) == 1
        out, err = capsys.readouterr()
        assert "runs in" in out
        assert "nothing was written; the comparison would be refused: " in err
        assert message in err
        assert cli.main(["compare", *TINY, *words, "--dry-run", "--json"]) == 1
        assert message in json.loads(capsys.readouterr().out)["refused"]
    for words in ([], ["--seeds", "3", "--fresh"]):
        assert cli.main(["compare", *TINY, *words, "--output", str(folder), "--dry-run", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["refused"] is None
    assert sorted((p.name, p.stat().st_mtime_ns) for p in folder.iterdir()) == before


def test_divergence_gives_exit_code_4_and_is_shown(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    (tmp_path / "exploding.py").write_text(
        "import jax.numpy as jnp\ndef boom(x):\n    return jnp.exp(x * x * x) - 1\n"
    )
    arguments = [*TINY, "--activations", "relu,exploding:boom", "--learning-rates", "10", "--init", "lecun"]
    code = cli.main(["compare", *arguments, "--output", str(tmp_path / "x"), "--no-report"])
    out = capsys.readouterr().out
    assert code == 4, out
    assert "boom diverged in" in out
    assert "2/2" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--activations", "rleu"], r"unknown activation 'rleu'; did you mean 'relu'"),
        (["--dataset", "digts"], r"did you mean 'digits'"),
        (["--depth", "-2"], r"depth must be a positive integer, was -2"),
        (["--width", "0"], r"width must be a positive integer, was 0"),
        (["--seeds", "0"], r"seeds must be a count of at least 1"),
        (["--seeds", "1,1"], r"seeds must differ"),
        (["--steps", "0"], r"steps must be a positive integer"),
        (["--learning-rates", "0.1,-1"], r"learning_rates must be positive"),
        (["--optimizer", "adm"], r"did you mean 'adam'"),
        (["--device", "npu"], r"the devices are auto, cpu, gpu, tpu"),
        (["--activations", "no.such.module:f"], r"cannot import the module"),
        (["--activations", "math:sinn"], r"did you mean"),
        (["--target", "1.5"], r"target must be above 0 and at most 1"),
        (["--shard", "3/2"], r"--shard must be i/n"),
        (["--batch-size", "100000"], r"batch_size 100000 exceeds the"),
        (["--config", "/no/such.toml"], r"cannot read /no/such.toml"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)  # fmt: skip
def test_bad_input_is_named_and_nothing_is_written(arguments, message, tmp_path, capsys):
    import re

    code = cli.main(["compare", *TINY, *arguments, "--output", str(tmp_path / "x")])
    err = capsys.readouterr().err
    assert code == 2, err
    assert re.search(message, err), err
    assert err.count("\n") == 1, "one sentence, no traceback"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--seedz", "3"], ["--depth", "two"], ["--learning-rates", "fast"]])
def test_options_that_do_not_parse(arguments, tmp_path, capsys):
    assert cli.main(["compare", *arguments, "--output", str(tmp_path / "x")]) == 2
    err = capsys.readouterr().err
    assert "--seeds" in err or "not a" in err
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert cli.main(["compare", *TINY, "--output", str(tmp_path / "file")]) == 1
    assert "is a file, not a folder" in capsys.readouterr().err
    assert cli.main(["compare", *TINY, "--output", str(tmp_path / "file" / "below")]) == 1
    assert "cannot write" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"
    assert cli.main(["compare", *TINY, "--output", "/proc/nothing/here"]) == 1
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["compare", *TINY, "--output"], ["report"], ["export"]], ids=lambda c: c[0]
)
def test_a_truncated_results_file(folder, tmp_path, capsys, command):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    content = (copy / "curves.npz").read_bytes()
    (copy / "curves.npz").write_bytes(content[: len(content) // 2])
    (copy / "report.html").unlink()
    assert cli.main([*command, str(copy)]) == 1
    assert "curves.npz is truncated" in capsys.readouterr().err
    assert not (copy / "report.html").exists()


def test_a_missing_device_is_one_sentence_and_exit_code_3(tmp_path, capsys):
    if jax.default_backend() == "tpu":
        pytest.skip("there is one")
    assert cli.main(["compare", *TINY, "--device", "tpu", "--output", str(tmp_path / "x")]) == 3
    err = capsys.readouterr().err
    assert "no tpu device here" in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_jax_platforms_that_cannot_start():
    """JAX raises a bare AssertionError here, in a process of its own because backends start once."""
    run = subprocess.run(
        [sys.executable, "-m", "jaxacts", "compare", *TINY, "--dry-run"],
        env={"PATH": "", "JAX_PLATFORMS": "cuda"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if run.returncode != 0:  # a machine with a GPU is happy
        assert run.returncode == 3, run.stderr
        assert "no cuda device here" in run.stderr
        assert "Traceback" not in run.stderr


def test_a_missing_extra_is_one_sentence_and_exit_code_3():
    code = (
        "import sys; sys.modules['tyro'] = None; sys.modules['rich'] = None\n"
        "from jaxacts import cli; sys.exit(cli.main(['list']))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 3
    assert run.stderr.strip() == "jaxacts: the package 'tyro' is missing: pip install 'jaxacts[lab]'"
    assert run.stdout == ""


def test_ctrl_c_is_130(monkeypatch, tmp_path, capsys):
    from jaxacts.lab import Interrupted, sweep

    def stop(*args, **kwargs):
        raise Interrupted("stopped; 1 of 2 batches are saved, the same command continues")

    monkeypatch.setattr(sweep, "run", stop)
    assert cli.main(["compare", *TINY, "--output", str(tmp_path / "x")]) == 130
    assert "the same command continues" in capsys.readouterr().err


def test_defects_keep_their_type_and_debug_shows_the_traceback(monkeypatch, capsys):
    from jaxacts.commands import version

    monkeypatch.setattr(version, "details", lambda: {}["oops"])
    assert cli.main(["--version"]) == 1
    err = capsys.readouterr().err
    assert "KeyError" in err
    assert "Traceback" not in err
    assert cli.main(["--version", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_version_names_what_a_bug_report_needs(capsys):
    assert cli.main(["--version"]) == 0
    out = capsys.readouterr().out
    for word in (
        jaxacts.__version__,
        jax.__version__,
        np.__version__,
        "jaxlib",
        "optax",
        "devices",
        "platform",
    ):
        assert word in out
    assert cli.main(["--version", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["jax"] == jax.__version__


def test_help_and_unknown_commands(capsys):
    assert cli.main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in cli.available())
    assert cli.main([]) == 2
    capsys.readouterr()
    assert cli.main(["comapre"]) == 2
    assert "did you mean compare" in capsys.readouterr().err
    assert cli.main(["compare", "--help"]) == 0
    assert "--learning-rates" in capsys.readouterr().out


def test_every_command_has_its_module():
    import importlib

    assert {"compare", "list", "show", "report", "export"} <= set(cli.available())
    for command in cli.available().values():
        assert callable(getattr(importlib.import_module(command.module), command.function))


def test_list_datasets_and_runs(folder, capsys):
    assert cli.main(["list", "datasets"]) == 0
    assert "mnist1d" in capsys.readouterr().out
    (folder.parent / "broken").mkdir(exist_ok=True)
    (folder.parent / "broken" / "manifest.json").write_text("{")
    assert cli.main(["list", "runs", str(folder.parent), "--json"]) == 0
    rows = {row["folder"]: row for row in json.loads(capsys.readouterr().out)["runs"]}
    assert rows[str(folder)]["state"] == "finished"
    assert rows[str(folder)]["runs"] == 8
    assert rows[str(folder.parent / "broken")]["state"].startswith("damaged")
    assert cli.main(["list", "runs", "/no/such/folder"]) == 2


def test_report_into_another_folder(folder, tmp_path, capsys):
    assert cli.main(["report", str(folder), "--output", str(tmp_path / "page"), "--json"]) == 0
    assert "report.html" in json.loads(capsys.readouterr().out)["files"]
    assert (tmp_path / "page" / "report.html").exists()


def test_export_json_is_the_same_on_every_machine(folder, capsys):
    assert cli.main(["export", str(folder), "--format", "json"]) == 0
    text = capsys.readouterr().out
    document = json.loads(text)
    keys = [(r["activation"], r["learning_rate"], r["seed"]) for r in document["runs"]]
    assert keys == sorted(keys)
    assert len(keys) == 8
    for word in (str(folder), "pid", "seconds", "created", "host"):
        assert word not in text
    run = document["runs"][0]
    assert (run["dataset"], run["steps"], run["width"], run["optimizer"]) == ("wine", 20, 8, "adam")
    assert 0 <= run["final"]["test_accuracy"] <= 1
    assert cli.main(["export", str(folder), "--format", "json", "--timings"]) == 0
    assert "seconds" in capsys.readouterr().out


def test_export_gives_null_for_what_is_not_finite(folder):
    import dataclasses

    from jaxacts.commands import export

    results = jaxacts.lab.load(folder)
    loss = results.curves["train_loss"].copy()
    loss[0, -1], loss[1, -1] = np.inf, np.nan
    results = dataclasses.replace(results, curves={**results.curves, "train_loss": loss})
    text = json.dumps(export.document(results, curves=True), allow_nan=False)
    finals = [run["final"]["train_loss"] for run in json.loads(text)["runs"]]
    assert finals[:2] == [None, None]
    assert None not in finals[2:]


def test_every_command_that_reads_has_json_with_a_schema(folder, capsys):
    name = str(folder)
    for command in (
        ["list"], ["list", "datasets"], ["list", "runs", name], ["show", "relu"], ["export", name],
        ["theory", "relu"], ["--version"],
    ):  # fmt: skip
        assert cli.main([*command, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["schema"] >= 1


def test_options_of_every_command_may_stand_before_it(capsys):
    assert cli.main(["-q", "show", "relu"]) == 0
    assert "┤" not in capsys.readouterr().out  # quiet: no plot
    assert cli.main(["--debug", "show", "rleu"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_export_tables(folder, capsys, tmp_path):
    import csv

    out = tmp_path / "runs.csv"
    assert cli.main(["export", str(folder), "-o", str(out)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == 8
    assert {"activation", "seed", "test_accuracy", "gradient_norm_1", "diverged"} <= set(rows[0])
    assert cli.main(["export", str(folder), "--curves"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 8 * 4
    assert cli.main(["export", str(folder), "-f", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("| p (Holm) | g |")
    assert lines[1].startswith("|---")
    assert len({line.count("|") for line in lines[:4]}) == 1
    assert cli.main(["export", str(folder), "-f", "latex"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == r"\begin{tabular}{lrlrrrrr}"
    assert lines[3].endswith(r"& p (Holm) & g \\")


def test_export_escapes_what_latex_reads_as_a_command(folder):
    import dataclasses

    from jaxacts.commands import export

    results = jaxacts.lab.load(folder)
    name = r"a_b&c%d#e{f}~g^h\i$j<k>l"
    runs = [{**run, "activation": run["activation"].replace("tanh", name)} for run in results.runs]
    chosen = {key.replace("tanh", name): rate for key, rate in results.chosen.items()}
    text = export.table(dataclasses.replace(results, runs=runs, chosen=chosen), latex=True)
    want = r"a\_b\&c\%d\#e\{f\}\textasciitilde{}g\textasciicircum{}h\textbackslash{}i\$j$<$k$>$l"
    line = next(line for line in text.splitlines() if line.startswith("a" + r"\_b"))
    assert line.split(" & ")[0].removesuffix(" *") == want
    assert line.count(" & ") == 7


def test_export_parquet_needs_its_extra_and_a_file(folder, tmp_path, capsys):
    assert cli.main(["export", str(folder), "-f", "parquet"]) == 2
    path = tmp_path / "runs.parquet"
    code = cli.main(["export", str(folder), "-f", "parquet", "-o", str(path)])
    try:
        from pyarrow import parquet
    except ImportError:
        assert code == 3
        assert "jaxacts[parquet]" in capsys.readouterr().err
        assert not path.exists()
    else:
        assert code == 0
        assert parquet.read_table(path).num_rows == 8
