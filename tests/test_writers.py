"""Writers: finished runs handed over whole, once each, and readable by TensorBoard."""

import struct
import sys

import numpy as np
import pytest

from jaxacts import lab
from jaxacts.lab import store, writers

STEPS = [5, 10, 20]
RUNS = [
    {"activation": name, "learning_rate": 0.1, "seed": seed, "depth": 2, "facet": ""}
    for name in ("relu", "jax.nn.gelu")
    for seed in (0, 1)
]
CURVES = {
    "train_loss": np.arange(12.0).reshape(4, 3).astype(np.float32),
    "validation_loss": np.ones((4, 3), np.float32),
    "test_loss": np.ones((4, 3), np.float32),
    "validation_accuracy": np.ones((4, 3), np.float32),
    "test_accuracy": np.linspace(0, 1, 12).reshape(4, 3).astype(np.float32),
    "gradient_norm": np.arange(24.0).reshape(4, 3, 2).astype(np.float32),
}
MANIFEST = {
    "schema": 1, "config": {}, "hash": "abc", "metric": "accuracy", "steps": STEPS, "runs": RUNS,
    "batches": [[0, 2], [1, 3]],
}  # fmt: skip


class Recorder:
    def __init__(self):
        self.got, self.closed = [], 0

    def write(self, run, steps, curves):
        self.got.append((run["activation"], run["seed"], float(curves["train_loss"][-1])))
        assert list(steps) == STEPS
        assert curves["gradient_norm"].shape == (3, 2)

    def close(self):
        self.closed += 1


WANTED = [("relu", 0, 2.0), ("relu", 1, 5.0), ("jax.nn.gelu", 0, 8.0), ("jax.nn.gelu", 1, 11.0)]


def results():
    return store.make_results(MANIFEST, [0, 1, 2, 3], CURVES, None)


def test_every_run_is_handed_over_and_the_writer_closed():
    recorder = Recorder()
    lab.write_results(results(), recorder)
    assert (recorder.got, recorder.closed) == (WANTED, 1)

    class Broken(Recorder):
        def write(self, *args):
            raise OSError("full")

    broken = Broken()
    with pytest.raises(OSError, match="full"):
        lab.write_results(results(), broken)
    assert broken.closed == 1


def test_runs_are_handed_over_as_they_finish(tmp_path):
    recorder, written = Recorder(), set()
    writers.write_finished(tmp_path, recorder, written)  # nothing is there yet
    store.write_manifest(tmp_path, MANIFEST)

    def finish(batch):
        rows = MANIFEST["batches"][batch]
        part = {name: curve[rows] for name, curve in CURVES.items()}
        store.write_npz(store.batch_path(tmp_path, batch), part, store.batch_tag("abc", batch))

    finish(1)
    writers.write_finished(tmp_path, recorder, written)
    assert recorder.got == [WANTED[1], WANTED[3]]
    store.batch_path(tmp_path, 0).write_bytes(b"half")  # not readable yet
    writers.write_finished(tmp_path, recorder, written)
    finish(0)
    store.write_npz(tmp_path / store.CURVES, CURVES, "abc")
    for _ in range(2):
        writers.write_finished(tmp_path, recorder, written)
    assert sorted(recorder.got) == sorted(WANTED)
    assert written == {0, 1, 2, 3}
    assert recorder.closed == 0


def events(folder):
    """Scalars of an event file, read by the layout of TFRecord: length, checksum, content, checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    (file,) = folder.iterdir()
    content, found, at = file.read_bytes(), {}, 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = event_pb2.Event.FromString(content[at + 12 : at + 12 + length])
        at += 16 + length
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_event_files(tmp_path):
    pytest.importorskip("tensorboardX")
    lab.write_results(results(), lab.TensorBoard(tmp_path / "tb"))
    names = sorted(str(p.parent.relative_to(tmp_path / "tb")) for p in (tmp_path / "tb").rglob("events*"))
    assert names == [f"{name}/lr=0.1_seed={seed}" for name in ("jax.nn.gelu", "relu") for seed in (0, 1)]
    found = events(tmp_path / "tb" / "relu" / "lr=0.1_seed=1")
    assert found["loss/train"] == [(5, 3.0), (10, 4.0), (20, 5.0)]
    assert found["gradient_norm/layer_2"] == [(5, 7.0), (10, 9.0), (20, 11.0)]
    assert set(found) == {
        "loss/train", "loss/validation", "loss/test", "accuracy/validation", "accuracy/test",
        "gradient_norm/layer_1", "gradient_norm/layer_2",
    }  # fmt: skip


def test_tensorboard_writes_a_run_once_and_whole(tmp_path):
    pytest.importorskip("tensorboardX")
    board = lab.TensorBoard(tmp_path / "tb")
    board.write(RUNS[0], np.array(STEPS), {"train_loss": CURVES["train_loss"][0]})
    place = tmp_path / "tb" / "relu" / "lr=0.1_seed=0"
    before = [p.name for p in place.iterdir()]
    board.write(RUNS[0], np.array(STEPS), {"train_loss": CURVES["train_loss"][0]})
    assert [p.name for p in place.iterdir()] == before
    assert [p.name for p in place.parent.iterdir()] == [place.name]
    (tmp_path / "file").write_text("mine")
    with pytest.raises(lab.StoreError, match="cannot write"):
        lab.TensorBoard(tmp_path / "file").write(RUNS[0], np.array([1]), {"train_loss": np.array([0.5])})


def test_a_missing_tensorboard_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(lab.MissingExtra, match=r"tensorboardX.*pip install 'jaxacts\[tensorboard\]'"):
        lab.TensorBoard(tmp_path)


@pytest.mark.parametrize(
    ("run", "name"),
    [
        ({"activation": "relu", "facet": "depth=4, init=he"}, "relu/depth=4,_init=he/lr=0.001_seed=3"),
        ({"activation": "../../etc", "facet": ""}, ".._.._etc/lr=0.001_seed=3"),
    ],
)
def test_names_of_runs_are_paths_below_the_folder(run, name):
    assert writers.run_name({"learning_rate": 1e-3, "seed": 3, **run}) == name
