"""`jaxacts theory`: what it prints must be what the theory says, for every kind of activation."""

import json
import math

import numpy as np
import pytest
from scipy import stats

import jaxacts
from jaxacts import cli, meanfield, theory


def printed(capsys, *argv):
    assert cli.main(["theory", *argv]) == 0
    return capsys.readouterr().out


def test_gelu(capsys, x64):
    out = printed(capsys, "gelu", "--depth", "50")
    # the three gains of the literature
    for gain in ("1.53353", "1.70092", "1.48111"):
        assert gain in out
    assert "sigma_w 2.000000000   q 0   at vanishing signal, UNSTABLE" in out
    assert "the forward gain: there is no stable critical point" in out
    assert "Recommended initialisation" in out
    # V'(1) = E f f' z over E f², by the trapezoidal rule, which is exact to rounding here
    z = np.linspace(-12, 12, 4001)
    weights, gelu = stats.norm.pdf(z), z * stats.norm.cdf(z)
    slope = np.sum(weights * gelu * (stats.norm.cdf(z) + z * weights) * z) / np.sum(weights * gelu**2)
    assert f"deviations grow e-fold every {1 / math.log(slope):.3g} layers" in out
    assert "drifts away from this fixed point, which is unstable" in out
    rows = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit()]
    assert [int(rows[0][0]), int(rows[-1][0])] == [0, 50]
    run = meanfield.trajectory(jaxacts.gelu, 50, float(jaxacts.moments.gain(jaxacts.gelu)))
    for layer, q, c, gradient in rows:
        index = int(layer)
        # as many digits as are printed
        assert float(q) == pytest.approx(run.q[index], rel=1e-4)
        assert float(c) == pytest.approx(run.c[index], abs=1e-6)
        assert float(gradient) == pytest.approx(math.sqrt(run.gradient[index]), rel=1e-4)


def test_json_at_a_setting(capsys):
    content = json.loads(
        printed(capsys, "tanh", "--depth", "8", "--sigma-w", "2.5", "--sigma-b", "0.3", "--json")
    )
    found = content["theory"]
    assert found["q"] == pytest.approx(4.079123875282, abs=1e-6)
    assert found["chi"] == pytest.approx(1.585224765006, rel=1e-6)
    assert found["xi_c"] == pytest.approx(5.108918989, rel=1e-6)
    assert found["correlation"] == pytest.approx(0.122103747306, rel=1e-6)
    assert found["phase"] == "chaotic"
    assert len(found["trajectory"]["q"]) == 9


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["relu"], ["critical", "neutral", "stable critical point", "f is kinked"]),
        (["softplus"], ["none: no sigma_w keeps both", "there is no stable critical point"]),
        (
            ["relu", "--sigma-w", "2", "--sigma-b", "0.1"],
            ["diverging", "none (diverges)", "grows without bound"],
        ),
        (["relu", "--sigma-w", "1.2"], ["dying", "dies out with depth"]),
        (["tanh", "--sigma-b", "0.05"], ["1.122539005", "no limit in sight"]),
        (["leaky_relu:negative_slope=0.2"], ["1.386750491"]),  # √(2 / 1.04)
    ],
)
def test_words(argv, words, capsys):
    out = printed(capsys, *argv, "--depth", "3")
    for word in words:
        assert word in out


def test_plot(tmp_path, capsys):
    path = tmp_path / "tanh.png"
    argv = [
        "tanh",
        "--depth",
        "4",
        "--sigma-b",
        "0.3",
        "--width",
        "40",
        "--networks",
        "2",
        "--plot",
        str(path),
    ]
    assert cli.main(["theory", *argv]) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert [entry.name for entry in tmp_path.iterdir()] == ["tanh.png"]  # nothing half-written beside it
    assert "tanh.png" in capsys.readouterr().err


def test_wrong_usage(capsys):
    assert cli.main(["theory", "gelo"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert cli.main(["theory", "gelu", "--depth", "0"]) == 2
    assert "must be at least 1" in capsys.readouterr().err


def test_report_is_plain_data():
    report = theory.describe(jaxacts.tanh, 4, 100, sigma_b=0.3)
    assert report.phase == "critical"
    assert report.chi == pytest.approx(1, abs=1e-6)
    assert isinstance(report.q, float)
    np.testing.assert_allclose(report.trajectory.q, report.q, rtol=1e-9)
