"""Processes that belong together: those of a SLURM or OpenMPI job, and those joined by `jax.distributed`.

A sweep needs no communication while it trains, so processes normally only share a folder and divide the work
by leases; all they take from the job's environment is their rank. `join` is for TPU pods and GPU clusters
without a shared folder: all processes run one program whose run axis is spread over the devices of all of
them, and process 0 alone writes the results.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxacts.lab.errors import GroupLost

HEARTBEAT = 30  # seconds without a sign of life after which JAX gives a process up


@dataclass(frozen=True)
class Rank:
    """The place of this process in a job.

    Attributes:
      index: its number, from 0.
      count: how many processes the job has.
      local: its number among those on the same host.
      source: "SLURM" or "OpenMPI".
    """

    index: int
    count: int
    local: int
    source: str


_VARIABLES = {
    "SLURM": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"),
    "OpenMPI": ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
}


def rank(environment: Mapping[str, str] | None = None) -> Rank | None:
    """The rank that SLURM or OpenMPI gave to this process.

    Args:
      environment: variables; None takes those of this process.

    Returns:
      The rank, or None outside of jobs with several processes. The tasks of a SLURM job array are jobs of
      one process each: they need no rank, since leases divide the work.

    Example:
      >>> from jaxacts.lab import distributed
      >>> distributed.rank({"SLURM_PROCID": "2", "SLURM_NTASKS": "4", "SLURM_LOCALID": "0"})
      Rank(index=2, count=4, local=0, source='SLURM')
      >>> distributed.rank({}) is None
      True
    """
    environment = os.environ if environment is None else environment
    # OpenMPI first: mpirun inside a SLURM allocation leaves the allocation's own variables behind
    for source in ("OpenMPI", "SLURM"):
        index, count, local = (environment.get(name, "") for name in _VARIABLES[source])
        if index.isdigit() and count.isdigit() and int(index) < int(count) > 1:
            return Rank(int(index), int(count), int(local) if local.isdigit() else 0, source)
    return None


def part(environment: Mapping[str, str] | None = None) -> tuple[int, int] | None:
    """(i, n), counting from 1, that ``--shard auto`` means: from the rank, or from a SLURM job array.

    Args:
      environment: variables; None takes those of this process.

    Returns:
      The part, or None when neither is there.

    Example:
      >>> from jaxacts.lab import distributed
      >>> distributed.part({"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_MIN": "5",
      ...                   "SLURM_ARRAY_TASK_COUNT": "3"})
      (1, 3)
    """
    environment = os.environ if environment is None else environment
    found = rank(environment)
    if found is not None:
        return found.index + 1, found.count
    names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT")
    task, first, count = (environment.get(name, "") for name in names)
    if not (task.isdigit() and first.isdigit() and count.isdigit()):
        return None
    step = environment.get("SLURM_ARRAY_TASK_STEP", "1")
    return (int(task) - int(first)) // max(1, int(step) if step.isdigit() else 1) + 1, int(count)


def choose_gpu(where: Rank | None) -> None:
    """Give each process of a host its own GPU, when they all see all GPUs; before JAX starts.

    Otherwise each would reserve memory on every GPU. A job that shows each process its own is left alone.
    """
    if where is None or (where.source == "SLURM" and "SLURM_STEP_NODELIST" not in os.environ):
        return  # alone, or a batch script that has not called srun
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        count = len([word for word in visible.split(",") if word.strip()])
    else:
        folder = Path("/proc/driver/nvidia/gpus")
        count = len(list(folder.iterdir())) if folder.is_dir() else 0
    if where.local < count > 1:
        jax.config.update("jax_cuda_visible_devices", str(where.local))


# --- one program over several processes ---------------------------------------------------------------------


@dataclass(frozen=True)
class Group:
    """The processes that `jax.distributed` joined; its methods must be called by all of them, in one order.

    Attributes:
      rank: the number of this process.
      size: how many there are.
    """

    rank: int
    size: int

    def share(self, content: bytes) -> bytes:
        """What process 0 gave, on every process."""
        from jax.experimental import multihost_utils

        with _watch():
            length = multihost_utils.broadcast_one_to_all(np.int32(len(content)))
            buffer = np.zeros(int(length), np.uint8)
            if self.rank == 0:
                buffer[:] = np.frombuffer(content, np.uint8)
            return np.asarray(multihost_utils.broadcast_one_to_all(buffer)).astype(np.uint8).tobytes()

    def share_arrays(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The arrays that process 0 gave, on every process."""
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)  # pyright: ignore[reportArgumentType]
        with np.load(io.BytesIO(self.share(buffer.getvalue())), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def gather(self, tree: Any) -> Any:
        """Arrays that are spread over the processes as whole ones, on every process."""
        from jax.experimental import multihost_utils

        with _watch():  # fetched in here, since a failure shows only then
            return jax.tree.map(np.asarray, multihost_utils.process_allgather(tree, tiled=True))

    def agree(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag, whether any process set it."""
        from jax.experimental import multihost_utils

        with _watch():
            every = np.asarray(multihost_utils.process_allgather(np.array(flags, np.int32)))
        votes = every.reshape(self.size, len(flags)).max(axis=0)
        return tuple(bool(vote) for vote in votes)


@contextlib.contextmanager
def _watch() -> Iterator[None]:
    """Turns the failure of a collective operation into an error that says what it means."""
    try:
        yield
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise GroupLost(
            "another process of the distributed run has stopped; everything finished so far is saved. "
            f"Start all processes again with the same command to continue ({reason})"
        ) from error


def join(coordinator: str | None = None, processes: int | None = None, process: int | None = None) -> Group:
    """Join the processes of a distributed run; must come before anything else makes JAX start its devices.

    Args:
      coordinator: "host:port" of process 0; None finds it from SLURM, OpenMPI, Kubernetes or a TPU pod.
      processes: how many processes there are, or None.
      process: the number of this one, or None.

    Returns:
      The group.

    Raises:
      ValueError: when neither the arguments nor the environment say who belongs together.
    """
    given = [value is not None for value in (coordinator, processes, process)]
    if any(given) and not all(given):
        raise ValueError("--coordinator, --processes and --process go together")
    known = inspect.signature(jax.distributed.initialize).parameters
    options: dict[str, Any] = (
        {"heartbeat_timeout_seconds": HEARTBEAT} if "heartbeat_timeout_seconds" in known else {}
    )
    try:
        jax.distributed.initialize(coordinator, processes, process, **options)
    except (ValueError, RuntimeError) as error:
        if any(given):
            raise
        raise ValueError(
            "--distributed found no SLURM, OpenMPI or Kubernetes job and no TPU pod that says which "
            "processes belong together; name them with --coordinator HOST:PORT --processes N --process I "
            f"({error})"
        ) from error
    return Group(jax.process_index(), jax.process_count())
