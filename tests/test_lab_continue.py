"""What a comparison does with a folder that it finds: of other devices, altered, shared, to be discarded."""

import json
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from jaxacts import lab
from jaxacts.lab import execution, store, sweep
from jaxacts.lab.leases import Leases

SMALL = {
    "dataset": "wine", "seeds": 2, "depth": 1, "width": 4, "steps": 20, "batch_size": 32, "record_every": 5,
    "learning_rates": (1e-2,), "init": "lecun", "measure": (),
}  # fmt: skip


def test_a_checkpoint_of_other_devices_is_not_continued(tmp_path):
    """Its state has another shape and its counts another meaning: the batch begins again."""
    script = (
        "import sys, threading, jax\n"
        "from jaxacts import lab\n"
        "from jaxacts.lab import execution, sweep, store\n"
        "execution._BATCH_SECONDS, execution._CHUNK_SECONDS, execution._CHUNK_STEPS = 1.0, 1e-9, 1\n"
        f"what = sweep.plan(lab.CompareConfig(('relu', 'tanh'), **{SMALL!r}), {str(tmp_path / 'r')!r})\n"
        "engine = execution.Engine(what.config, what.contenders, what.dataset, what.runs, what.platform)\n"
        f"checkpoint = execution.Checkpoint(store.Path({str(tmp_path / 'c.npz')!r}), 'tag')\n"
        "stop = threading.Event()\n"
        "stop.set()\n"
        "for _ in range(int(sys.argv[1])):\n"
        "    curves = engine.train(list(range(4)), checkpoint, stop)\n"
        "print(len(jax.devices()), None if curves is None else curves['test_loss'].shape)\n"
    )

    def call(devices, times):
        flags = f"--xla_force_host_platform_device_count={devices}"
        environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
        command = [sys.executable, "-c", script, str(times)]
        return subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout

    assert call(1, 9) == "1 None\n"  # in the third of four runs, two are done
    assert call(4, 4) == "4 (4, 4)\n"  # four records, one a call
    (tmp_path / "c.npz").unlink()
    assert call(4, 2) == "4 None\n"
    assert call(1, 13) == "1 (4, 4)\n"


def test_two_processes_may_find_the_same_damaged_batch(tmp_path, monkeypatch):
    lab.compare(["relu", "tanh"], output=tmp_path / "r", shard=(1, 2), **SMALL)
    path = next((tmp_path / "r" / "batches").glob("*.npz"))
    path.write_bytes(b"")
    original = store.read_npz

    def read(where, tag=None):  # the other process moves it away while this one reads it
        path.unlink(missing_ok=True)
        return original(where, tag)

    monkeypatch.setattr(store, "read_npz", read)
    what = sweep.plan(lab.CompareConfig(("relu", "tanh"), **SMALL), tmp_path / "r")
    sweep._set_aside_damaged(what, int(path.stem), lambda *_: None, 2)
    monkeypatch.undo()
    results = lab.compare(["relu", "tanh"], output=tmp_path / "r", **SMALL)
    assert np.isfinite(results.curves["test_loss"]).all()


@pytest.mark.parametrize("harm", ["labels", "seeds", "batches", "missing"])
def test_an_altered_manifest_is_refused(tmp_path, harm):
    lab.compare(["relu", "tanh"], output=tmp_path, **SMALL)
    path = tmp_path / "manifest.json"
    manifest = json.loads(path.read_text())
    if harm == "labels":
        for run in manifest["runs"]:
            run["activation"] = {"relu": "tanh", "tanh": "relu"}[run["activation"]]
    elif harm == "seeds":
        manifest["runs"][0]["seed"] = manifest["runs"][1]["seed"]
    elif harm == "batches":
        manifest["batches"] = manifest["batches"] * 2
    else:
        del manifest["metric"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(lab.StoreError, match=r"manifest\.json (was altered|is not a manifest)"):
        lab.compare(["relu", "tanh"], output=tmp_path, **SMALL)
    with pytest.raises(lab.StoreError, match=r"manifest\.json (was altered|is not a manifest)"):
        lab.load(tmp_path)


def test_runs_that_another_version_lists_otherwise_are_not_mixed(tmp_path):
    lab.compare(["relu", "tanh"], output=tmp_path, **SMALL)
    manifest = store.read_manifest(tmp_path)
    store.write_manifest(tmp_path, {**manifest, "runs": manifest["runs"][::-1]})
    with pytest.raises(lab.StoreError, match=r"manifest\.json are not those of its configuration"):
        lab.compare(["relu", "tanh"], output=tmp_path, **SMALL)


def test_fresh_discards_the_report_of_what_it_discards(tmp_path):
    lab.compare(["relu"], output=tmp_path, **SMALL)
    for name in store.REPORT:
        (tmp_path / name).write_text("of the old runs")
    lab.compare(["relu"], output=tmp_path, fresh=True, **SMALL)
    assert not [name for name in store.REPORT if (tmp_path / name).exists()]


def test_a_batch_with_too_few_runs_is_never_stored(tmp_path, monkeypatch):
    what = sweep.plan(lab.CompareConfig(("relu",), **SMALL), tmp_path / "r")
    engine = execution.Engine(what.config, what.contenders, what.dataset, what.runs, what.platform)
    monkeypatch.setattr(engine, "_train_unit", lambda *_: {"test_loss": np.zeros((0, 4), np.float32)})
    with pytest.raises(AssertionError):
        engine.train([0, 1], execution.Checkpoint(tmp_path / "c.npz", "tag"), threading.Event())


def test_what_a_living_process_trains_is_not_discarded_for_another_comparison(tmp_path):
    lab.compare(["relu"], output=tmp_path, **SMALL)
    before = (tmp_path / store.CURVES).read_bytes()
    with Leases(tmp_path) as leases:
        assert leases.claim(0)
        with pytest.raises(lab.StoreError, match=rf"process {os.getpid()} on .* another comparison"):
            lab.compare(["tanh"], output=tmp_path, fresh=True, **SMALL)
        assert (tmp_path / store.CURVES).read_bytes() == before
    lab.compare(["tanh"], output=tmp_path, fresh=True, **SMALL)
    assert lab.load(tmp_path).activations == ["tanh"]


def test_workers_are_counted_from_one(tmp_path):
    with pytest.raises(ValueError, match="workers must be positive, was 0"):
        lab.compare(["relu"], output=tmp_path, workers=0, **SMALL)
