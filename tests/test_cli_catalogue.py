"""The catalogue on the command line: `jaxacts list`, `jaxacts show` and functions of the user's own."""

import json
import sys

import pytest

import jaxacts
from jaxacts import cli
from jaxacts.commands import _common


def test_list_activations(capsys):
    assert cli.main(["list"]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert all(name in out for name in jaxacts.records())
    assert cli.main(["list", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in document["activations"]] == list(jaxacts.records())
    assert cli.main(["list", "--search", "swish", "--json"]) == 0
    assert "silu" in {row["name"] for row in json.loads(capsys.readouterr().out)["activations"]}


def test_show(capsys, tmp_path):
    assert cli.main(["show", "gelu"]) == 0
    out = capsys.readouterr().out
    for word in ("f(x) =", "derivative", "facts", "sup |f'|", "reference", "┤"):
        assert word in out
    assert (
        cli.main(["show", "leaky_relu:negative_slope=0.2", "--plot", str(tmp_path / "f.png"), "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["activation"]["name"] == "leaky_relu"
    assert (tmp_path / "f.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "message"),
    [("gellu", "did you mean 'gelu'"), ("leaky_relu:slope=1", "no parameter 'slope'"),
     ("leaky_relu:negative_slope=x", "must be a number, was 'x'"), ("relu:3", "expected parameter=value")],
)  # fmt: skip
def test_show_bad_names(name, message, capsys):
    assert cli.main(["show", name]) == 2
    assert message in capsys.readouterr().err


def test_the_list_fits_a_narrow_terminal_and_shows_brackets(capsys, monkeypatch):
    console = _common.console

    def narrow(stderr=False):
        made = console(stderr)
        made._width = 80
        return made

    monkeypatch.setattr(_common, "console", narrow)
    assert cli.main(["list", "--search", "gelu"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert max(map(len, rows)) <= 80
    assert any(row.split()[:1] == ["quick_gelu"] for row in rows)  # a name is not folded
    assert cli.main(["list", "--search", "crelu"]) == 0
    assert "[" in capsys.readouterr().out  # and not taken for a style


def test_a_function_of_a_file_in_this_folder_is_found(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    (tmp_path / "own_functions.py").write_text(
        "import jax.numpy as jnp\n\n\ndef log(x):\n    return jnp.log(x)\n"
    )
    assert cli.main(["show", "own_functions:log"]) == 2  # found, but there is no record to show
    assert "not in the catalogue" in capsys.readouterr().err
    assert cli.main(["theory", "own_functions:log"]) == 2
    assert "E f^2 must be finite" in capsys.readouterr().err


def test_show_honours_parameters(capsys):
    assert cli.main(["show", "elu:alpha=2", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["activation"]
    assert row["parameters"] == {"alpha": 2.0}
    assert row["image"] == [-2.0, "inf"]
    assert row["kinks"] == [[0.0, 2.0]]
    assert cli.main(["show", "elu:alpha=inf"]) == 2
    assert "alpha must be finite, was inf" in capsys.readouterr().err
    assert cli.main(["show", "relu_n:n=inf", "-q"]) == 0
    assert "facts are not stated at these parameters" in capsys.readouterr().out
    assert cli.main(["show", "glu:gate=first", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["activation"]["parameters"] == {"gate": "first"}


def test_several_parameters_in_one_are_explained(capsys):
    assert cli.main(["show", "rrelu:lower=0.5,upper=0.1"]) == 2
    assert "write rrelu:a=1:b=2 for several" in capsys.readouterr().err
