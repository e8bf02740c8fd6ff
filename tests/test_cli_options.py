"""The options of the command line: how they are read, files of them, usage errors and completion."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from jaxacts import cli
from jaxacts.commands import _common, compare


def test_comma_separated_values():
    assert _common.split("1e-3, 1e-2", float) == (1e-3, 1e-2)
    assert _common.split("true,no", bool) == (True, False)
    with pytest.raises(ValueError, match="'x' is not a whole number"):
        _common.split("1,x", int)
    with pytest.raises(ValueError, match="separated by commas"):
        _common.split(",", int)
    assert compare.seeds("3") == 3
    assert compare.seeds("0,4,7") == (0, 4, 7)
    assert compare.seeds("4,") == (4,)


def test_toml_options_and_the_command_line_wins(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text(
        'activations = ["relu", "gelu"]\nseeds = [7]\nlearning-rates = [0.1]\nsmoke = true\nresidual = true\n'
    )
    options = compare._read(["--config", str(path), "--learning-rates", "0.2"])
    assert options.activations == ("relu", "gelu")
    assert options.learning_rates == (0.2,)
    assert options.smoke
    config = compare.settings(options)
    assert config.seeds == (7,)
    assert config.residual is True
    path.write_text("[compare]\nsteps = 3\n")
    with pytest.raises(cli.Usage, match="unknown option 'compare'"):
        compare._read(["--config", str(path)])
    path.write_text("[dataset]\nname = 'digits'\n")
    with pytest.raises(cli.Usage, match=r"dataset in .* is a table"):
        compare._read(["--config", str(path)])
    path.write_text(f"config = '{path}'\n")
    with pytest.raises(cli.Usage, match="names another file of options"):
        compare._read(["--config", str(path)])
    path.write_text("learning_rates = [0.1]\nlearning-rates = [0.2]\n")
    with pytest.raises(cli.Usage, match="one option twice: 'learning_rates' and 'learning-rates'"):
        compare._read(["--config", str(path)])
    path.write_text("names = ['relu']\n")
    with pytest.raises(cli.Usage, match="unknown option 'names'"):
        compare._read(["--config", str(path)])
    path.write_text("stepz = 3\n")
    with pytest.raises(cli.Usage, match="unknown option 'stepz'; did you mean 'steps'"):
        compare._read(["--config", str(path)])


def test_switches_of_a_file_are_undone_on_the_command_line(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("no-report = true\nquiet = true\nsmoke = false\nfresh = true\n")
    options = compare._read(["--config", str(path)])
    assert (options.no_report, options.quiet, options.smoke, options.fresh) == (True, True, False, True)
    words = ["--no-report=false", "--quiet=False", "--smoke=true"]
    options = compare._read(["--config", str(path), *words])
    assert (options.no_report, options.quiet, options.smoke, options.fresh) == (False, False, True, True)
    assert compare._read(["--smoke=false", "--smoke"]).smoke  # the last one counts
    with pytest.raises(cli.Usage, match="--smoke must be true or false, was 'maybe'"):
        compare._read(["--smoke=maybe"])


def test_activations_without_their_option(tmp_path, capsys):
    wanted = compare._read(["--activations", "relu,tanh", "--seeds", "2"])
    for words in (
        ["relu", "tanh", "--seeds", "2"],
        ["--seeds", "2", "relu", "tanh"],
        ["--seeds=2", "relu,tanh"],
        ["relu", "--seeds", "2", "tanh"],
    ):
        assert compare.settings(compare._read(words)) == compare.settings(wanted)
    assert compare._read([]).activations == compare.Options().activations
    path = tmp_path / "c.toml"
    path.write_text("activations = ['gelu']\nsteps = 3\n")
    options = compare._read(["relu", "--config", str(path)])
    assert (options.activations, options.steps) == (("relu",), 3)  # the command line wins
    for words in (["--activations", "relu", "tanh"], ["tanh", "--activations=relu"]):
        assert cli.main(["compare", *words]) == 2
        assert "the activations are given twice, as tanh and by --activations" in capsys.readouterr().err
    assert cli.main(["compare", "rleu", "--dry-run"]) == 2
    assert "did you mean 'relu'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "--seedz", "3"], "Unrecognized options: --seedz"),
        (["compare", "--depth", "two"], "Error parsing --depth: 'two' is not a whole number"),
        (["list", "nonsense"], "invalid choice 'nonsense'"),
    ],
)
def test_wrong_usage_is_an_object_of_json_too(arguments, message, capsys):
    assert cli.main(arguments) == 2
    plain = capsys.readouterr()
    assert plain.out == ""
    assert cli.main([*arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    assert err == plain.err
    document = json.loads(out)
    assert (document["schema"], document["exit_code"]) == (1, 2)
    assert document["error"].startswith(message)
    assert "─" not in document["error"]


@pytest.mark.skipif(shutil.which("script") is None, reason="no program that makes a terminal")
@pytest.mark.parametrize("arguments", ["compare --help", "compare --seedz 3"])
def test_no_colour_where_none_is_wanted(arguments):
    def escapes(**variables):
        command = ["script", "-qec", f"{sys.executable} -m jaxacts {arguments}", "/dev/null"]
        environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        run = subprocess.run(
            command, env={**environment, "TERM": "xterm", **variables}, stdin=subprocess.DEVNULL,
            capture_output=True, timeout=120,
        )  # fmt: skip
        assert b"--seeds" in run.stdout
        return run.stdout.count(b"\x1b")

    assert escapes(NO_COLOR="1") == 0
    assert escapes() > 0


def test_every_setting_of_the_lab_is_an_option():
    import dataclasses

    from jaxacts.lab import CompareConfig

    settings = {field.name for field in dataclasses.fields(CompareConfig)}
    options = {field.name for field in dataclasses.fields(compare.Options)}
    assert settings <= options
    assert compare.settings(compare.Options()) == CompareConfig()


def test_smoke_only_shrinks():
    options = compare.Options(smoke=True, seeds="1", steps=10, record_every=3, learning_rates=(0.1,))
    config = compare.settings(options)
    assert (config.seeds, config.steps, config.record_every, config.learning_rates) == ((0,), 10, 3, (0.1,))
    assert config.depth <= 3
    assert config.width <= 16


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
def test_completion_in_bash(capsys):
    assert cli.main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    cases = [
        (["comp"], {"compare", "completion"}),
        (["compare", "--lear"], {"--learning-rates"}),
        (["compare", "--activations", "relu,hard_t"], {"relu,hard_tanh"}),
        (["compare", "relu", "hard_t"], {"hard_tanh"}),
        (["compare", "--optimizer", "a"], {"adam"}),
        (["compare", "--optimizer", "adam,s"], {"adam,sgd"}),
        (["compare", "--init", "g"], {"glorot"}),
        (["compare", "--precision", "float32,b"], {"float32,bfloat16"}),
        (["advise", "--precision", "b"], {"bfloat16"}),
        (["compare", "--normalisation", ""], {"none", "layer", "batch"}),
        (["compare", "--measure", "dead,sh"], {"dead,sharpness"}),
        (["compare", "--measure", "al"], {"all"}),
        (["compare", "--dataset", "mnist1"], {"mnist1d"}),
        (["export", "--format", "par"], {"parquet"}),
        (["show", "leaky_re"], {"leaky_relu"}),
        (["list", "r"], {"runs"}),
    ]
    for words, _ in cases:
        line = " ".join(f"'{word}'" for word in ["jaxacts", *words])
        script += f'COMP_WORDS=({line}); COMP_CWORD={len(words)}; _jaxacts; echo "${{COMPREPLY[@]}}"\n'
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert [set(line.split()) for line in run.stdout.splitlines()] == [want for _, want in cases]


def test_completion_for_other_shells(capsys):
    assert cli.main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out.startswith("# Completion of jaxacts")
    assert cli.main(["completion", "fish"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "complete -c jaxacts -n '__fish_seen_subcommand_from compare' -l learning-rates" in lines
    assert all(line.startswith("complete -c jaxacts -n ") for line in lines[lines.index("end") + 1 :])
    assert all(line.count("'") % 2 == 0 for line in lines)


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish on this machine")
def test_completion_in_fish(capsys):
    assert cli.main(["completion", "fish"]) == 0
    script = capsys.readouterr().out
    cases = {
        "compare --optimizer adam,s": "adam,sgd",
        "compare --measure sh": "sharpness",
        "compare leaky": "leaky_relu",
        "compare --device g": "gpu",
    }
    script += "".join(f"complete -C 'jaxacts {line}'\n" for line in cases)
    run = subprocess.run(["fish", "-N", "-c", script], capture_output=True, text=True, timeout=60)
    assert run.stderr == ""
    assert run.stdout.split() == list(cases.values())
