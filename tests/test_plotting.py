"""Pictures: what is drawn is what was given, in styles that can be told apart."""

import io

import jax.numpy as jnp
import numpy as np
import pytest

import jaxacts
from jaxacts import plotting

FLAT = np.linspace(0.1, 0.9, 6)
BAND = (FLAT, FLAT - 0.05, FLAT + 0.05)


def png_size(path):
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def test_styles_can_be_told_apart():
    look = plotting.styles([str(i) for i in range(45)])
    assert len({(s.colour, s.dash) for s in look.values()}) == 45
    # by dash and marker alone, for print in black and white, the first thirty-five differ too
    assert len({(s.dash, s.marker) for s in list(look.values())[:35]}) == 35


def test_sample_is_the_function_and_its_derivative():
    x, y, slope = plotting.sample(jaxacts.tanh, -2, 2, 9)
    # float32 evaluation of values below 1: a few ULP
    np.testing.assert_allclose(y, np.tanh(x), atol=1e-6)
    np.testing.assert_allclose(slope, 1 - np.tanh(x) ** 2, atol=1e-6)


def test_sample_leaves_a_gap_on_a_kink():
    _, _, slope = plotting.sample(jaxacts.relu, -1, 1, 3)
    assert slope[0] == 0.0
    assert np.isnan(slope[1])
    assert slope[2] == 1.0


def test_sample_refuses_what_is_not_elementwise():
    with pytest.raises(ValueError, match=r"elementwise: it mapped shape \(401,\) to \(\)"):
        plotting.sample(jnp.sum)


def test_activations_page(tmp_path):
    path = tmp_path / "acts.png"
    figure = plotting.activations(["relu", "gelu", jaxacts.tanh, jnp.sin], path)
    assert [axes.get_title() for axes in figure.axes if axes.get_visible()] == ["relu", "gelu", "tanh", "sin"]
    assert min(png_size(path)) > 500
    assert [entry.name for entry in tmp_path.iterdir()] == ["acts.png"]


def test_no_derivative_line_crosses_a_jump():
    figure = plotting.activations(["relu"])
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert len(dashed) == 2
    for line in dashed:
        assert np.ptp(line.get_ydata()) == 0.0


def test_convergence_shows_target_order_and_bands(tmp_path):
    low = tuple(b / 2 for b in BAND)
    path = tmp_path / "c.png"
    figure = plotting.convergence(
        np.arange(6), {"worse": low, "better": BAND}, path, losses={"worse": BAND, "better": low}, target=0.8
    )
    scores, losses = figure.axes
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["better", "worse", "target 0.8"]
    assert any(set(line.get_ydata()) == {0.8} for line in scores.lines)
    assert len(scores.collections) == 2
    assert losses.get_yscale() == "log"
    assert png_size(path)[0] > 1000


def test_convergence_of_an_all_diverged_activation():
    nothing = np.full(6, np.nan)
    figure = plotting.convergence(np.arange(6), {"ok": BAND, "gone": (nothing,) * 3})
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["ok", "gone"]


def test_pictures_where_everything_diverged_are_written(tmp_path):
    nothing = np.full(6, np.nan)
    band = {"gone": (nothing,) * 3}
    plotting.convergence(np.arange(6), band, tmp_path / "c.png", losses=band)
    plotting.gradient_flow({"start": {"gone": nothing}}, tmp_path / "g.png")
    assert png_size(tmp_path / "c.png")[0] > 1000
    assert png_size(tmp_path / "g.png")[0] > 500


def test_convergence_of_a_regression_starts_below_zero():
    curve = np.linspace(-50, 0.9, 6)
    figure = plotting.convergence(np.arange(6), {"r": (curve, curve, curve)}, label="test R²")
    low, high = figure.axes[0].get_ylim()
    assert -1.2 < low < -1.0
    assert 0.9 < high < 1.2


def test_gradient_flow_leaves_out_zeros():
    norms = np.array([0.0, 1e-3, 1e-1])
    figure = plotting.gradient_flow({"start": {"a": norms}, "end": {"a": norms}})
    (line,) = figure.axes[0].lines
    assert np.isnan(line.get_ydata()[0])
    assert line.get_ydata()[1:].tolist() == [1e-3, 1e-1]
    assert figure.axes[0].get_yscale() == "log"


def test_gradient_flow_shows_median_and_range_of_runs():
    norms = np.array([[1.0, 0.1], [2.0, 0.0], [9.0, np.nan]])
    axes = plotting.gradient_flow({"start": {"a": norms}}).axes[0]
    assert axes.lines[0].get_ydata().tolist() == [2.0, 0.05]
    corners = axes.collections[0].get_paths()[0].vertices
    assert {1.0, 9.0} <= set(corners[corners[:, 0] == 1, 1])


def test_a_failed_save_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match=r"nope"):
        plotting.activations(["relu"], tmp_path / "x.nope")
    assert list(tmp_path.iterdir()) == []


def test_text_plot_marks_the_curve():
    lines = plotting.text_plot(jaxacts.relu, width=21, height=9).splitlines()
    assert len(lines) == 11
    assert len({len(line) for line in lines[:9]}) == 1
    curve = [[0x2800 < ord(c) <= 0x28FF for c in line[9:]] for line in lines[:9]]
    assert all(curve[-1][:10])  # flat at the bottom on the left
    assert curve[0][-1]  # top right corner
    assert not any(curve[0][:15])


def test_text_plot_of_a_constant():
    assert "┤" in plotting.text_plot(lambda x: x * 0.0)


def test_figure_in_memory():
    buffer = io.BytesIO()
    plotting.activations(["relu"]).savefig(buffer)
    assert buffer.getvalue()[:4] == b"\x89PNG"
