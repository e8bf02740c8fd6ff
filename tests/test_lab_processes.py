"""Comparisons carried out by several processes: shared folders, jobs, and one program over two processes."""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from jaxacts import lab
from jaxacts.commands import _jobs
from jaxacts.lab import distributed, leases, store

SETTINGS = [
    "--dataset", "spirals", "--activations", "relu,tanh", "--seeds", "2", "--depth", "2", "--width", "8",
    "--steps", "30", "--batch-size", "32", "--record-every", "10", "--learning-rates", "1e-3,1e-1",
    "--init", "lecun", "--no-report",
]  # fmt: skip

# Small batches, slowed down so that a kill lands in the middle; the command line does the rest.
CHILD = """
import sys, time
from jaxacts import cli
from jaxacts.lab import execution
execution._BATCH_SECONDS, execution._VMAP_RUNS = 1e-3, 2
train, pause = execution.Engine.train, float(sys.argv[1])
execution.Engine.train = lambda *a: (time.sleep(pause), train(*a))[1]
sys.exit(cli.main(["compare", *sys.argv[2:]]))
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return str(tmp_path_factory.mktemp("cache"))


def start(cache, folder, *more, pause=0.0, **environment):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("JAX_", "XLA_"))}
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(pause), *SETTINGS, "--output", str(folder), *more],
        env={**inherited, "JAXACTS_CACHE_DIR": cache, "JAX_PLATFORMS": "cpu", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(*processes):
    said = [process.communicate()[0] for process in processes]
    return [process.returncode for process in processes], said


def wait_for(condition, seconds=120):
    for _ in range(20 * seconds):
        if condition():
            return
        time.sleep(0.05)
    raise TimeoutError


def same(one, two):
    assert sorted(one.curves) == sorted(two.curves)
    for name, value in one.curves.items():
        np.testing.assert_array_equal(value, two.curves[name], err_msg=name)


def events(folder, kind):
    return [event for event in store.read_events(folder) if event["event"] == kind]


def test_three_workers_one_killed_the_others_finish_everything(cache, tmp_path):
    alone, folder = tmp_path / "alone", tmp_path / "shared"
    assert finish(start(cache, alone))[0] == [0]
    # as one job of three: rank 0 shows the results
    workers = [
        start(cache, folder, pause=0.4, SLURM_PROCID=str(i), SLURM_NTASKS="3", SLURM_LOCALID=str(i))
        for i in range(3)
    ]
    wait_for(lambda: len(events(folder, "start")) == 3 and events(folder, "batch"))
    workers[2].send_signal(signal.SIGKILL)
    begun = time.monotonic()
    codes, said = finish(*workers)
    # at once, though nobody has waited for the dead child yet
    assert time.monotonic() - begun < leases.STALE
    assert codes == [0, 0, -signal.SIGKILL], said
    assert "★" in said[0]
    assert "process 1 is through; process 0 shows the results" in said[1]
    same(lab.load(folder), lab.load(alone))
    assert sorted(event["batch"] for event in events(folder, "batch")) == list(range(8))


def test_sigterm_saves_and_the_same_command_continues(cache, tmp_path):
    folder = tmp_path / "r"
    child = start(cache, folder, "--workers", "1", pause=0.3)
    wait_for(lambda: events(folder, "batch"))
    child.send_signal(signal.SIGTERM)
    codes, said = finish(child)
    assert codes == [130], said
    assert f"batches finished; saved in {folder}" in said[0]
    assert not list(folder.glob("leases/*"))
    before = len(events(folder, "batch"))
    assert finish(start(cache, folder))[0] == [0]
    assert len(events(folder, "batch")) == 8 > before  # nothing twice


def test_two_processes_train_together_and_survive_a_kill(cache, tmp_path):
    def together(name, pause=0.0):
        # only process 0 writes: the folder of the other stays away, as without a shared disk
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        return [
            start(
                cache,
                tmp_path / name / str(i),
                "--distributed",
                "--coordinator",
                f"127.0.0.1:{port}",
                "--processes",
                "2",
                "--process",
                str(i),
                pause=pause,
            )
            for i in range(2)
        ]

    codes, said = finish(*together("whole"))
    assert codes == [0, 0], said
    assert "process 1 is through" in said[1]
    assert not (tmp_path / "whole" / "1").exists()

    folder = tmp_path / "killed" / "0"
    processes = together("killed", pause=0.4)
    wait_for(lambda: events(folder, "batch"))
    processes[1].send_signal(signal.SIGKILL)
    begun = time.monotonic()
    codes, said = finish(*processes)
    assert codes == [1, -signal.SIGKILL], said
    assert "another process of the distributed run has stopped" in said[0]
    assert "same command to continue" in said[0]
    assert time.monotonic() - begun < distributed.HEARTBEAT  # it noticed by itself
    before = len(events(folder, "batch"))
    assert 0 < before < 4
    codes, said = finish(*together("killed"))
    assert codes == [0, 0], said
    assert len(events(folder, "batch")) == 4  # what was finished was not done again
    same(lab.load(folder), lab.load(tmp_path / "whole" / "0"))


def test_parts_are_taken_from_the_job(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SLURM_", "OMPI_")):
            monkeypatch.delenv(name)
    with pytest.raises(ValueError, match="--shard auto needs a SLURM job"):
        _jobs.shard("auto")
    for name, value in {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    assert _jobs.shard("auto") == (2, 2)
    assert distributed.rank() == distributed.Rank(1, 2, 0, "OpenMPI")
    # a batch script is the only process of its allocation until it calls srun: no rank to speak of
    assert distributed.rank({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}) is None
    array = {"ID": "9", "MIN": "1", "STEP": "4", "COUNT": "3"}
    assert distributed.part({f"SLURM_ARRAY_TASK_{name}": value for name, value in array.items()}) == (3, 3)


def test_each_process_of_a_host_gets_its_own_gpu(monkeypatch):
    chosen = []
    monkeypatch.setattr(distributed.jax.config, "update", lambda *a: chosen.append(a))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("SLURM_STEP_NODELIST", "node1")
    distributed.choose_gpu(distributed.Rank(1, 2, 1, "SLURM"))
    assert chosen.pop() == ("jax_cuda_visible_devices", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")  # the job shows each process its own
    distributed.choose_gpu(distributed.Rank(1, 2, 1, "SLURM"))
    distributed.choose_gpu(None)
    monkeypatch.delenv("SLURM_STEP_NODELIST")  # a batch script, before srun: all GPUs are its own
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    distributed.choose_gpu(distributed.Rank(0, 2, 0, "SLURM"))
    assert not chosen


def test_distributed_options_go_together():
    with pytest.raises(ValueError, match="--coordinator, --processes and --process go together"):
        distributed.join("127.0.0.1:1", 2)
    with pytest.raises(ValueError, match="shard and group exclude each other"):
        lab.compare(["relu"], shard=(1, 2), group=distributed.Group(0, 2), dataset="wine", steps=10)


def test_processes_of_a_job_do_not_discard_each_others_work(monkeypatch):
    options = argparse.Namespace(
        distributed=False, coordinator=None, processes=None, process=None, fresh=True
    )
    for name in ("SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.setenv(name, "2" if name == "SLURM_NTASKS" else "1")
    with pytest.raises(ValueError, match="discard each other's work"):
        _jobs.join(options)
    with pytest.raises(ValueError, match="belong to --distributed"):
        _jobs.join(argparse.Namespace(**{**vars(options), "process": 1}))
