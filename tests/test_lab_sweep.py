"""Comparisons end to end: what is stored, continued, refused and shared."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxacts import lab
from jaxacts.lab import agenda, execution, files, leases, store, sweep

# The smallest comparison that has everything: two activations, two rates, two seeds, a few batches of runs.
SMALL = {
    "dataset": "wine", "seeds": 2, "depth": 2, "width": 8, "steps": 30, "batch_size": 32, "record_every": 10,
    "learning_rates": (1e-3, 1e-1), "init": "lecun",
}  # fmt: skip


def custom(x):
    """Found by name as tests.test_lab_sweep:custom."""
    return jnp.where(x > 0, x, 0.1 * x)


@pytest.fixture(scope="module", autouse=True)
def _compiled_once(tmp_path_factory):
    """A compilation cache for this module: most tests train with the same program."""
    from jax.experimental.compilation_cache import compilation_cache

    new = {
        "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("xla")),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
    }
    old = {name: getattr(jax.config, name) for name in new}
    for name, value in new.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()  # JAX looks at the folder once a process otherwise
    yield
    for name, value in old.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch):
    monkeypatch.setattr(execution, "_BATCH_SECONDS", 1e-3)  # one run a batch: eight batches


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(execution, "_BATCH_SECONDS", 1e-3)
        return lab.compare(
            ["relu", "tanh"], output=tmp_path_factory.mktemp("whole") / "run", workers=2, **SMALL
        )


def same(one, two):
    assert one.runs == two.runs
    assert one.chosen == two.chosen
    assert sorted(one.curves) == sorted(two.curves)
    for name, value in one.curves.items():
        np.testing.assert_array_equal(value, two.curves[name], err_msg=name)


def test_results_keep_the_run_axis(undisturbed):
    results = undisturbed
    assert results.activations == ["relu", "tanh"]
    assert len(results.runs) == 8
    assert results.steps.tolist() == [10, 20, 30]
    shapes = {name: value.shape[2:] for name, value in results.curves.items()}
    assert shapes.pop("gradient_norm") == (3,)
    for name in ("dead", "saturated", "preactivation_mean", "preactivation_std"):
        assert shapes.pop(name) == (2,)
    parts = {f"{part}_{what}" for part in ("validation", "test") for what in ("loss", "accuracy")}
    assert shapes == dict.fromkeys(parts | {"train_loss"}, ())
    assert {value.shape[:2] for value in results.curves.values()} == {(8, 3)}
    assert results.select(activation="tanh", learning_rate=0.1).tolist() == [6, 7]
    assert len(results.select(chosen=True)) == 4
    assert not results.diverged.any()
    with pytest.raises(ValueError, match="no setting 'rate'"):
        results.select(rate=0.1)
    # under one seed every activation starts from the same draws and sees the same minibatches
    assert results.manifest["versions"]["jax"] == jax.__version__
    assert results.manifest["dataset"]["name"] == "wine"
    assert results.metric == "accuracy"


def test_a_finished_folder_is_loaded_and_not_trained(undisturbed, monkeypatch):
    def fail(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(execution, "Engine", fail)
    same(lab.compare(["relu", "tanh"], output=undisturbed.folder, **SMALL), undisturbed)
    same(lab.load(undisturbed.folder), undisturbed)


def test_changed_configuration_is_refused_with_the_difference(undisturbed):
    before = {path: path.read_bytes() for path in sorted(store.Path(undisturbed.folder).iterdir())}
    with pytest.raises(
        lab.ConfigMismatch, match=r"(?s)another configuration.*depth: 2 in the folder, 3 asked for"
    ):
        lab.compare(["relu", "tanh"], output=undisturbed.folder, **{**SMALL, "depth": 3})
    assert before == {path: path.read_bytes() for path in sorted(store.Path(undisturbed.folder).iterdir())}


def test_interrupt_then_continue_is_bit_identical(undisturbed, tmp_path):
    def stop_after_two(done, total, message):
        if done >= 2:
            raise KeyboardInterrupt

    with pytest.raises(lab.Interrupted, match="of 8 batches finished; saved in"):
        lab.compare(["relu", "tanh"], output=tmp_path / "r", progress=stop_after_two, workers=1, **SMALL)
    finished = len(list((tmp_path / "r" / "batches").glob("*.npz")))
    assert 2 <= finished < 8
    assert not list(tmp_path.glob("r/leases/*"))
    with pytest.raises(lab.StoreError, match="not finished"):
        lab.load(tmp_path / "r")
    assert len(lab.load(tmp_path / "r", partial=True).runs) == finished
    seen = []
    results = lab.compare(
        ["relu", "tanh"], output=tmp_path / "r", progress=lambda *a: seen.append(a), **SMALL
    )
    assert seen[0] == (finished, 8, "continuing")
    same(results, undisturbed)
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == [
        "curves.npz",
        "events.jsonl",
        "manifest.json",
    ]


def test_checkpoints_inside_a_run_are_bit_identical(undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "_CHUNK_SECONDS", 1e-9)  # one record a call
    monkeypatch.setattr(execution, "_BATCH_SECONDS", 1.0)  # all runs in one batch
    what = sweep.plan(lab.CompareConfig(("relu", "tanh"), **SMALL), tmp_path / "r")
    engine = execution.Engine(what.config, what.contenders, what.dataset, what.runs, what.platform)
    checkpoint = execution.Checkpoint(tmp_path / "c.npz", "tag")
    stop = threading.Event()
    stop.set()  # every call to train does one chunk, saves and returns
    calls, curves = 0, None
    while curves is None:
        calls += 1
        curves = engine.train(list(range(8)), checkpoint, stop)
    assert calls == 8 * 2 + 1  # two saves in each run of three chunks
    for name, value in undisturbed.curves.items():
        np.testing.assert_array_equal(curves[name], value, err_msg=name)


def test_kill_minus_nine_then_continue_is_bit_identical(undisturbed, tmp_path):
    script = (
        "import sys, jaxacts.lab as lab, jaxacts.lab.execution as e\n"
        "e._BATCH_SECONDS = 1e-3\n"
        "import time\n"
        f"lab.compare(['relu', 'tanh'], output={str(tmp_path / 'r')!r}, workers=1,\n"
        f"            progress=lambda *a: time.sleep(0.2), **{SMALL!r})\n"
    )
    # slow every batch down so that the kill lands in the middle
    script = script.replace("import time\n", "import time\nt = e.Engine.train\n"
        "e.Engine.train = lambda *a: (time.sleep(0.3), t(*a))[1]\n")  # fmt: skip
    child = subprocess.Popen([sys.executable, "-c", script])
    for _ in range(1200):
        if list(tmp_path.glob("r/batches/*.npz")) and list(tmp_path.glob("r/leases/*.json")):
            break
        time.sleep(0.05)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert list(tmp_path.glob("r/leases/*.json"))  # the dead process left its lease; it is taken over at once
    begun = time.monotonic()
    same(lab.compare(["relu", "tanh"], output=tmp_path / "r", **SMALL), undisturbed)
    assert time.monotonic() - begun < leases.STALE


def test_batches_are_those_of_the_process_that_began(undisturbed, tmp_path, monkeypatch):
    def stop(done, total, message):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(lab.Interrupted):
        lab.compare(["relu", "tanh"], output=tmp_path / "r", progress=stop, workers=1, **SMALL)
    monkeypatch.setattr(execution, "_BATCH_SECONDS", 1.0)  # a machine that would cut the runs otherwise
    same(lab.compare(["relu", "tanh"], output=tmp_path / "r", **SMALL), undisturbed)
    assert len(lab.load(tmp_path / "r").manifest["batches"]) == 8


def test_two_workers_share_a_folder(undisturbed, tmp_path):
    results = {}

    def work(name):
        results[name] = lab.compare(["relu", "tanh"], output=tmp_path / "r", workers=1, **SMALL)

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    same(results["a"], undisturbed)
    same(results["b"], undisturbed)
    trained = [event["batch"] for event in store.read_events(tmp_path / "r") if event["event"] == "batch"]
    assert sorted(trained) == list(range(8))  # nothing was done twice


def test_shards_and_merge(undisturbed, tmp_path):
    for part in (1, 2):
        results = lab.compare(["relu", "tanh"], output=tmp_path / str(part), shard=(part, 2), **SMALL)
        assert len(results.runs) == 4
    same(lab.merge([tmp_path / "1", tmp_path / "2"], tmp_path / "all"), undisturbed)
    other = store.read_manifest(tmp_path / "2")  # as if from a machine with another number of devices
    store.write_manifest(tmp_path / "2", {**other, "batches": [list(range(8))]})
    with pytest.raises(lab.StoreError, match="cut into other batches"):
        lab.merge([tmp_path / "1", tmp_path / "2"], tmp_path / "mixed")
    assert not (tmp_path / "mixed").exists()
    whole = tmp_path / "all" / "manifest.json"
    whole.write_text(whole.read_text().replace('"steps"', '"stops"', 1))
    with pytest.raises(lab.StoreError, match="was altered"):
        lab.merge([tmp_path / "all"], tmp_path / "again")
    with pytest.raises(ValueError, match="shard must be"):
        lab.compare(["relu"], output=tmp_path / "x", shard=(3, 2), **SMALL)


def test_every_shard_has_something_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(execution, "_BATCH_SECONDS", 1e3)  # all runs would be one batch
    config = lab.CompareConfig(("relu", "tanh"), **SMALL)
    for parts in (1, 3, 8):
        cut = [sweep.plan(config, tmp_path, shard=(part, parts)).batches for part in (1, parts)]
        assert cut[0] == cut[1]
        assert len(cut[0]) == parts
        assert sorted(run for batch in cut[0] for run in batch) == list(range(8))
    with pytest.raises(ValueError, match="shard 2/9 asks for 9 parts of 8 runs"):
        sweep.plan(config, tmp_path, shard=(2, 9))


def test_a_damaged_batch_is_set_aside_and_trained_again(undisturbed, tmp_path):
    lab.compare(["relu", "tanh"], output=tmp_path / "r", shard=(1, 2), **SMALL)
    first, second = sorted((tmp_path / "r" / "batches").glob("*.npz"))[:2]
    first.write_bytes(first.read_bytes()[:500])
    second.write_bytes(sorted((tmp_path / "r" / "batches").glob("*.npz"))[2].read_bytes())  # a renamed file
    with pytest.raises(lab.StoreError, match=r"00000\.npz is truncated"):
        lab.load(tmp_path / "r", partial=True)
    said = []
    results = lab.compare(
        ["relu", "tanh"], output=tmp_path / "r", progress=lambda *a: said.append(a[2]), **SMALL
    )
    same(results, undisturbed)
    assert any("00000.npz is truncated" in text and "00000.npz.damaged" in text for text in said)
    assert any("belongs to another" in text for text in said)
    assert (tmp_path / "r" / "00000.npz.damaged").stat().st_size == 500


@pytest.mark.parametrize("harm", ["truncate", "flip", "empty", "foreign"])
def test_damaged_curves_are_named(undisturbed, tmp_path, harm):
    folder = tmp_path / "r"
    folder.mkdir()
    for path in store.Path(undisturbed.folder).iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    curves = folder / "curves.npz"
    content = bytearray(curves.read_bytes())
    if harm == "truncate":
        curves.write_bytes(content[: len(content) // 2])
    elif harm == "flip":
        content[300] ^= 1
        curves.write_bytes(content)
    elif harm == "empty":
        curves.write_bytes(b"")
    else:
        np.savez(curves, a=np.zeros(3))
    with pytest.raises(lab.StoreError, match=r"curves\.npz"):
        lab.load(folder)
    with pytest.raises(lab.StoreError, match=r"curves\.npz.*; restore it, or use --fresh"):
        lab.compare(["relu", "tanh"], output=folder, **SMALL)
    assert curves.exists()


def test_damaged_or_newer_manifests_are_named(undisturbed, tmp_path):
    manifest = json.loads((store.Path(undisturbed.folder) / "manifest.json").read_text())
    path = tmp_path / "manifest.json"
    for content, message in (
        ("{", "not valid JSON"),
        ("[]", "not a manifest"),
        (json.dumps({**manifest, "schema": 99}), "please upgrade"),
    ):
        path.write_text(content)
        with pytest.raises(lab.StoreError, match=rf"manifest\.json.*{message}"):
            lab.load(tmp_path)
    with pytest.raises(lab.StoreError, match="not a run folder"):
        lab.load(tmp_path / "nowhere")


def test_object_arrays_are_neither_written_nor_read(tmp_path):
    with pytest.raises(TypeError, match="Python objects"):
        store.write_npz(tmp_path / "a.npz", {"a": np.array([{}])}, "tag")
    np.savez(tmp_path / "b.npz", a=np.array([{}], dtype=object))
    with pytest.raises(lab.StoreError, match=r"b\.npz"):
        store.read_npz(tmp_path / "b.npz")


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device")

    files.write_bytes(tmp_path / "a", b"old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(lab.StoreError, match="No space left on device"):
        files.write_bytes(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_full_disk_in_the_middle_loses_nothing(undisturbed, tmp_path, monkeypatch):
    written, replace = [], os.replace

    def full(source, target):
        written.append(str(target))
        if len(written) == 5:  # the manifest is written otherwise; the fifth batch finds no room
            _no_space()
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(lab.StoreError, match=r"(?s)cannot write .*batches.*No space left.*same command"):
            lab.compare(["relu", "tanh"], output=tmp_path / "r", workers=1, **SMALL)
    folder = tmp_path / "r"
    assert len(list(folder.glob("batches/*.npz"))) == 3
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]
    assert not (folder / "leases").exists()
    same(lab.compare(["relu", "tanh"], output=folder, **SMALL), undisturbed)

    with monkeypatch.context() as patch, leases.Leases(tmp_path) as ours:
        patch.setattr(os, "write", lambda *a: _no_space())
        with pytest.raises(lab.StoreError, match="No space left"):
            ours.claim(0)
        assert not list((tmp_path / "leases").iterdir())  # no empty lease that others would wait for


def _no_space():
    raise OSError(28, "No space left on device")


def test_unwritable_output_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(lab.StoreError, match="is a file, not a folder"):
        lab.compare(["relu"], output=tmp_path / "file", **SMALL)
    with pytest.raises(lab.StoreError, match="cannot write"):
        lab.compare(["relu"], output=tmp_path / "file" / "below", **SMALL)


def test_fresh_discards_results_and_nothing_else(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "curves.npz").write_text("left over")
    with pytest.raises(lab.StoreError, match=r"no manifest\.json"):
        lab.compare(["relu"], output=tmp_path, **SMALL)
    results = lab.compare(["relu"], output=tmp_path, fresh=True, **SMALL)
    assert len(results.runs) == 4
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_regression_divergence_and_any_callable(tmp_path):
    settings = {**SMALL, "dataset": "addition", "optimizer": "sgd", "learning_rates": (1e-2, 1e20)}
    functions = [jax.nn.relu, "tests.test_lab_sweep:custom", lambda x: jnp.sin(x), "swish"]
    results = lab.compare(functions, output=tmp_path / "r", **settings)
    assert results.activations == ["jax.nn.relu", "custom", "lambda", "silu"]
    assert results.metric == "score"
    assert results.curves["test_score"].shape == (16, 3)
    wild = results.select(learning_rate=1e20)
    assert results.diverged[wild].all()
    assert not results.diverged[results.select(learning_rate=1e-2)].any()
    assert set(results.chosen.values()) == {1e-2}
    profile = results.manifest["activations"]
    assert profile["custom"]["source"].startswith("tests.test_lab_sweep:custom:")
    assert profile["lambda"]["sup_estimated"]
    json.dumps(results.manifest, allow_nan=False)


def test_grid_axes_make_facets(tmp_path):
    results = lab.compare(
        ["relu", "tanh"], output=tmp_path / "r",
        **{**SMALL, "seeds": 1, "depth": (1, 2), "init": ("lecun", "auto"), "steps": 10},
    )  # fmt: skip
    assert results.facets == [
        "init=lecun, depth=1", "init=lecun, depth=2", "init=auto, depth=1", "init=auto, depth=2",
    ]  # fmt: skip
    assert len(results.runs) == 16
    assert len(results.chosen) == 8
    shallow = results.select(depth=1)
    assert np.isnan(results.curves["dead"][shallow, :, 1]).all()
    assert np.isfinite(results.curves["dead"][shallow, :, 0]).all()
    assert np.isnan(results.curves["gradient_norm"][shallow, :, 2]).all()


def test_learning_rates_are_chosen_on_validation_only():
    runs = [{"activation": "f", "learning_rate": rate, "seed": 0, "facet": ""} for rate in (0.1, 0.2, 0.3)]
    ones = np.ones((3, 1), np.float32)
    curves = {
        "validation_accuracy": np.array([[0.5], [0.7], [0.9]]), "validation_loss": ones,
        "test_accuracy": np.array([[0.99], [0.1], [0.9]]), "test_loss": ones, "train_loss": ones.copy(),
    }  # fmt: skip
    assert store.choose(runs, curves, "accuracy") == {"f": 0.3}
    curves["train_loss"][2] = np.nan  # the best one diverged
    assert store.choose(runs, curves, "accuracy") == {"f": 0.2}
    curves["validation_accuracy"][:] = 0.5
    curves["validation_loss"] = np.array([[2.0], [1.0], [0.5]])
    assert store.choose(runs, curves, "accuracy") == {"f": 0.2}


def test_progress_counts_and_names_the_best(tmp_path):
    seen = []
    lab.compare(["relu"], output=tmp_path / "r", progress=lambda *a: seen.append(a), **SMALL)
    assert seen[0] == (0, 4, "starting")
    assert seen[-1][:2] == (4, 4)
    assert seen[-1][2].startswith("best validation accuracy")


def test_four_devices_give_the_same_results_without_collectives(undisturbed, tmp_path):
    script = (
        "import jax, numpy as np, threading, jaxacts.lab as lab\n"
        "from jaxacts.lab import execution, sweep, store\n"
        "assert len(jax.devices()) == 4\n"
        f"what = sweep.plan(lab.CompareConfig(('relu', 'tanh'), **{SMALL!r}), {str(tmp_path / 'r')!r})\n"
        "assert what.batches == [list(range(8))], what.batches\n"
        "engine = execution.Engine(what.config, what.contenders, what.dataset, what.runs, what.platform)\n"
        "program = engine._program(what.runs[0])\n"
        "assert program.lanes == 8\n"
        "hlo = program.call.as_text()\n"
        "for word in ('all-reduce', 'all-gather', 'collective-permute', 'all-to-all', 'reduce-scatter'):\n"
        "    assert word not in hlo, word\n"
        "nowhere = execution.Checkpoint(store.Path('none'), '')\n"
        "part = engine.train([0, 1, 2, 3, 6], nowhere, threading.Event())\n"
        f"np.savez({str(tmp_path / 'four.npz')!r}, **part)\n"
    )
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
    }
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    with np.load(tmp_path / "four.npz") as part:
        for name, value in undisturbed.curves.items():
            # batched kernels round differently; 30 Adam steps at a rate of 0.1 amplify it
            np.testing.assert_allclose(part[name], value[[0, 1, 2, 3, 6]], rtol=5e-3, atol=5e-3, err_msg=name)


def test_leases_are_exclusive_and_outlive_no_process(tmp_path):
    with leases.Leases(tmp_path) as ours, leases.Leases(tmp_path, heartbeat=0.02, stale=0.5) as theirs:
        assert ours.claim(0)
        assert not ours.claim(0)
        assert not theirs.claim(0)
        ours.release(0)
        assert theirs.claim(0)
        # the lease of a process that is gone
        path = tmp_path / "leases" / "00007.json"
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        host = json.loads((tmp_path / "leases" / "00000.json").read_text())["host"]
        path.write_text(json.dumps({"host": host, "pid": gone.pid, "started": "1", "token": "x"}))
        assert ours.claim(7)
        # the lease of another host, first fresh, then old
        other = tmp_path / "leases" / "00008.json"
        other.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": "1", "token": "y"}))
        assert not theirs.claim(8)
        os.utime(other, (time.time() - 1, time.time() - 1))
        assert not theirs.claim(8)  # clocks differ: it must also stand still while we look
        time.sleep(0.05)
        assert theirs.claim(8)
        # a clock that is ahead: the heartbeat stands still for the whole time
        other = other.with_name("00009.json")
        other.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": "1", "token": "z"}))
        os.utime(other, (time.time() + 900, time.time() + 900))
        assert not theirs.claim(9)
        time.sleep(0.5)
        assert theirs.claim(9)
    assert not (tmp_path / "leases").exists()


def test_a_thread_hears_of_the_last_batch_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(agenda, "POLL", 60.0)
    stop, begun = threading.Event(), time.monotonic()
    (tmp_path / "batches").mkdir()
    with leases.Leases(tmp_path) as held:
        shared = agenda.Agenda(tmp_path, [0], held)
        mine = shared.claims(stop)
        assert next(mine) == 0
        others: list[int] = []
        thread = threading.Thread(target=lambda: others.extend(shared.claims(stop)))
        thread.start()
        time.sleep(0.2)  # until it waits; should it not yet, it finds the file and the test holds as well
        store.batch_path(tmp_path, 0).write_bytes(b"")
        assert list(mine) == []
        thread.join()
    assert others == []
    assert time.monotonic() - begun < 30  # half of what it would wait; a busy machine needs a second
