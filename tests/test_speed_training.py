"""The speed measurement: its arithmetic, its table, and the workload of the peers."""

import sys

import numpy as np
import pytest

from experiments.speed import __main__ as speed
from experiments.speed import training, workload


def test_the_floor_counts_every_product():
    # one network, one step: three products a layer, and no gradient for the data
    sizes = [64, 64, 64, 64, 64, 10]
    products = 0
    for layer in range(5):
        forward = 2 * 128 * sizes[layer] * sizes[layer + 1]
        products += forward * (3 if layer else 2)
    testing = sum(2 * 360 * sizes[layer] * sizes[layer + 1] for layer in range(5))
    assert workload.flops(64) == 80 * (220 * products + 20 * testing)
    assert workload.flops(64) / 1e9 == pytest.approx(231, abs=20)  # what was counted by hand for 20 epochs


def test_every_peer_sees_each_example_once_an_epoch(tmp_path):
    rows = workload.batches(0, 1437)
    assert rows.shape == (220, 128)
    epoch = rows[:11].ravel()
    assert len(set(epoch.tolist())) == len(epoch)
    assert not np.array_equal(rows[:11], rows[11:22])
    assert sorted(workload.mine("0/2") + workload.mine("1/2")) == sorted(workload.mine("0/1"))
    assert len(workload.mine("0/1")) == 80
    path = str(tmp_path / "data.npz")
    workload.save_data(path)
    x, y, x_test, y_test = workload.load_data(path)
    assert (len(x), len(y), len(x_test), len(y_test)) == (1437, 1437, 360, 360)
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)  # float32 sums of 1437 numbers


def test_ratios_are_taken_round_by_round():
    ours = training.Times([1.0, 2.0, 4.0], [0.5, 0.5, 1.0])
    peer = training.Times([3.0, 4.0, 20.0], [1.0, 2.0, 2.0])
    text = training.table({training.OURS: ours, training.EAGER: peer}, 1e11, 64)
    row = next(line for line in text.splitlines() if training.EAGER in line)
    assert row == "| PyTorch eager, a process a core | 4.00 (3.00-20.00) | 2.00 (1.00-2.00) | 3.00 | 2.00 |"
    floor = workload.flops(64) / 1e11
    assert f"{floor:.2f} s; jaxacts, warm, takes {0.5 / floor:.2f} times that" in text


def test_missing_peers_are_said(monkeypatch, capsys):
    monkeypatch.setattr(training, "measure", lambda *a: ({training.OURS: training.Times([1.0], [1.0])}, 1e11))
    monkeypatch.setattr(training, "has_torch", lambda python: False)
    assert speed.main(["training", "--smoke"]) == 0
    assert f"PyTorch is not installed in {sys.executable}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        speed.main(["everything"])
    assert "the parts are elementwise, training, growth" in capsys.readouterr().err
