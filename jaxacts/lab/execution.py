"""How batches of runs reach the hardware: host threads on a CPU, `vmap` over a mesh on accelerators."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import chex
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxacts.lab import cache, data, measures, mlp, profiles, store, training
from jaxacts.lab.config import CompareConfig, Contender
from jaxacts.lab.distributed import Group
from jaxacts.lab.errors import DeviceError, StoreError

# A rough speed of one core and of the fixed cost of a step. They only decide how work is cut into pieces, so
# they are constants and not measured: the pieces must be the same when a sweep is continued.
_FLOPS, _STEP_SECONDS = 6e10, 5e-5
_BATCH_SECONDS = 0.15  # work in one batch of short runs on a CPU
_CHUNK_SECONDS = 1.0  # work between two looks at Ctrl-C
_CHUNK_STEPS = 1000  # the same on accelerators, where a step costs the same for one run and for hundreds
_VMAP_RUNS = 512  # runs in one batch on accelerators
_SAVE_SECONDS = 10.0  # between two checkpoints of a long batch


def platform(device: str = "auto") -> str:
    """The kind of device to use.

    Args:
      device: "auto", "cpu", "gpu" or "tpu".

    Returns:
      "cpu", "gpu" or "tpu".

    Raises:
      ValueError: for another word.
      DeviceError: when there is no such device.

    Example:
      >>> from jaxacts.lab import execution
      >>> execution.platform("cpu")
      'cpu'
    """
    if device not in ("auto", "cpu", "gpu", "tpu"):
        raise ValueError(f"device must be auto, cpu, gpu or tpu, was {device!r}")
    try:
        return jax.default_backend() if device == "auto" else jax.local_devices(backend=device)[0].platform
    except (
        RuntimeError,
        AssertionError,
    ) as error:  # JAX raises either, depending on the platform and version
        found = ", ".join(sorted({one.platform for one in jax.devices()})) if device != "auto" else "none"
        raise DeviceError(f"no {device} device was found by JAX; found: {found}") from error


def key_of(run: dict[str, Any]) -> tuple[Any, ...]:
    """What decides which compiled program a run needs."""
    names = ("depth", "width", "batch_size", "optimizer", "normalisation", "residual", "precision")
    return (*(run[name] for name in names), run["dropout"] > 0, run["weight_decay"] > 0)


def _threads(platform: str) -> bool:
    """Whether runs go one by one through host threads: right on a CPU that is one device, and alone."""
    return platform == "cpu" and len(jax.devices("cpu")) == 1


def _seconds(run: dict[str, Any], dataset: data.Dataset, steps: int) -> float:
    width, depth = run["width"], run["depth"]
    weights = dataset.features * width + (depth - 1) * width**2 + width * dataset.classes
    return steps * (6 * weights * run["batch_size"] / _FLOPS + _STEP_SECONDS)


def batches(
    config: CompareConfig, runs: list[dict[str, Any]], dataset: data.Dataset, platform: str, least: int = 1
) -> tuple[list[list[int]], int]:
    """Cut the runs into batches: the unit that is claimed, stored and resumed.

    Args:
      config: the configuration.
      runs: the run entries.
      dataset: the data.
      platform: the kind of device.
      least: cut as many batches at least, should there be as many runs.

    Returns:
      The run indices of each batch, and the number of programs to compile.
    """
    groups: dict[Any, list[int]] = {}
    for index, run in enumerate(runs):
        groups.setdefault(key_of(run), []).append(index)
    found = []
    for members in groups.values():
        size = _VMAP_RUNS
        if _threads(platform):
            size = max(1, min(32, int(_BATCH_SECONDS / _seconds(runs[members[0]], dataset, config.steps))))
        share = math.ceil(least * len(members) / len(runs))  # of the batches that are asked for
        count = min(len(members), max(share, math.ceil(len(members) / size)))
        found += [part.tolist() for part in np.array_split(members, count)]
    return found, len(groups)


def workers(platform: str, asked: int | None = None) -> int:
    """How many threads work: the cores this process may use on a CPU, one on accelerators."""
    if not _threads(platform):
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, asked or cores)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Where the state in the middle of a batch is kept, and which configuration it must belong to."""

    path: Path
    tag: str

    def read(self) -> dict[str, np.ndarray]:
        """The saved arrays; nothing when there are none or they are damaged: the batch starts again."""
        try:
            return store.read_npz(self.path, self.tag)
        except StoreError:
            return {}

    def write(self, arrays: dict[str, np.ndarray]) -> None:
        """Save arrays, atomically."""
        store.write_npz(self.path, arrays, self.tag)


@dataclasses.dataclass(frozen=True)
class _Compiled:
    """A compiled program and how a run is cut into calls of it."""

    call: Callable[..., Any]
    chunk: int  # records in one call
    lanes: int  # runs in one call, 0 when the run axis is not there
    place: Callable[[Any], Any]  # puts arrays with a run axis onto the devices


class Engine:
    """Trains batches of runs; compiles each program once, whichever thread asks first.

    Attributes:
      profiles: per activation its source, gain, sup |f'| and whether that is an estimate.
      notes: sentences for the methods paragraph.
      parameter_count: parameters of one network (of the first setting).
      compile_seconds: time spent compiling.
    """

    def __init__(
        self,
        config: CompareConfig,
        contenders: Sequence[Contender],
        dataset: data.Dataset,
        runs: list[dict[str, Any]],
        platform: str,
        batches: list[list[int]] | None = None,
        group: Group | None = None,
    ):
        self._config, self._dataset, self._runs, self._platform = config, dataset, runs, platform
        self._group = group
        self._batches = batches or [list(range(len(runs)))]
        self._branches = tuple(contender.fn for contender in contenders)
        self._index = {contender.name: number for number, contender in enumerate(contenders)}
        inits = {run["init"] for run in runs}
        self.profiles, self.notes = profiles.profile(
            contenders, needs_gain=bool(inits & {"auto", "orthogonal"})
        )
        self._programs: dict[Any, _Compiled] = {}
        self._lock = threading.Lock()
        self.compile_seconds = 0.0
        self._devices = jax.devices(platform) if group else jax.local_devices(backend=platform)
        self._mesh = None if _threads(platform) else Mesh(np.array(self._devices), ("run",))
        self._data = self._replicate(
            training.Data(
                dataset.x_train,
                dataset.y_train,
                dataset.x_validation,
                dataset.y_validation,
                dataset.x_test,
                dataset.y_test,
            )
        )
        self.parameter_count = sum(leaf.size for leaf in jax.tree.leaves(self._start(runs[0]).parameters))
        self._layers = max(run["depth"] for run in runs)

    def workers(self, asked: int | None = None) -> int:
        """How many threads work; see :func:`workers`."""
        return workers(self._platform, asked)

    def train(
        self, batch: list[int], checkpoint: Checkpoint, stop: threading.Event
    ) -> dict[str, np.ndarray] | None:
        """Train the runs of a batch, from its checkpoint if there is one.

        Args:
          batch: run indices.
          checkpoint: where to save on the way.
          stop: when set, saves after the current chunk and returns.

        Returns:
          Curves by name with the runs as leading axis, or None when it was stopped.
        """
        program = self._program(self._runs[batch[0]])
        # The state of another number of lanes, from a machine with more or fewer devices, is of no use here.
        checkpoint = dataclasses.replace(checkpoint, tag=f"{checkpoint.tag}/{program.lanes}")
        width = program.lanes or 1
        units = [batch[begin : begin + width] for begin in range(0, len(batch), width)]
        saved = checkpoint.read() if self.writes else {}
        if self._group:
            saved = self._group.share_arrays(saved)
        first = int(saved["unit"]) if saved else 0
        done = (
            [{name[5:]: value for name, value in saved.items() if name.startswith("done/")}] if first else []
        )
        for number in range(first, len(units)):
            keep = functools.partial(self._save, checkpoint if self.writes else None, number, done)
            resume = saved if number == first and "chunk" in saved else {}
            curves = self._train_unit(program, units[number], resume, keep, stop)
            if curves is None:
                return None
            done.append(curves)
        curves = self._padded(_joined(done))
        for value in curves.values():
            chex.assert_axis_dimension(value, 0, len(batch))
        return curves

    @staticmethod
    def _save(
        checkpoint: Checkpoint | None,
        unit: int,
        done: list[dict[str, np.ndarray]],
        inside: Mapping[str, np.ndarray],
    ) -> None:
        if checkpoint is None:
            return
        finished = {f"done/{name}": value for name, value in _joined(done).items()}
        checkpoint.write({"unit": np.array(unit), **finished, **inside})

    def _train_unit(
        self,
        program: _Compiled,
        unit: list[int],
        resume: dict[str, np.ndarray],
        keep: Callable[[dict[str, np.ndarray]], None],
        stop: threading.Event,
    ) -> dict[str, np.ndarray] | None:
        runs = [self._runs[index] for index in unit]
        runs += runs[-1:] * (program.lanes - len(runs))  # padding, cut off again below
        state = self._stack([self._start(run) for run in runs], program.lanes)
        scalars = self._stack([self._scalars(run) for run in runs], program.lanes)
        stops = self._config.record_steps
        pieces: list[dict[str, np.ndarray]] = []
        begin = 0
        if resume:
            begin = int(resume["chunk"])
            leaves, tree = jax.tree.flatten(state)
            state = jax.tree.unflatten(tree, [resume[f"leaf/{number}"] for number in range(len(leaves))])
            pieces = [{name[5:]: value for name, value in resume.items() if name.startswith("part/")}]
        if program.lanes:
            state, scalars = program.place(state), program.place(scalars)
        saved_at = time.monotonic()
        for position in range(begin, len(stops), program.chunk):
            here = stops[position : position + program.chunk]
            step = stops[position - 1] if position else 0
            order = self._orders(runs, step, program)
            padded = np.array(here + here[-1:] * (program.chunk - len(here)), np.int32)
            stretch = (np.int32(step), padded)
            if self._group:
                stretch = self._put(stretch, PartitionSpec())
            state, records = program.call(state, scalars, self._data, order, *stretch)
            records = self._fetch(records)
            # On the host the run axis comes first, the records second, whether or not runs were batched.
            axis = (lambda value: value) if program.lanes else (lambda value: value[None])
            pieces.append({name: np.asarray(axis(value))[:, : len(here)] for name, value in records.items()})
            rest = position + program.chunk
            if rest >= len(stops):
                break
            stopping, due = stop.is_set(), time.monotonic() - saved_at > _SAVE_SECONDS
            if self._group:
                stopping, due = self._group.agree(stopping, due)
            if stopping or due:
                leaves = self._fetch(jax.tree.leaves(state))
                inside = {f"leaf/{number}": np.asarray(leaf) for number, leaf in enumerate(leaves)}
                inside |= {f"part/{name}": value for name, value in _joined(pieces, axis=1).items()}
                keep({"chunk": np.array(rest), **inside})
                saved_at = time.monotonic()
            if stopping:
                return None
        return {name: value[: len(unit)] for name, value in _joined(pieces, axis=1).items()}

    # --- what goes into the program -------------------------------------------------------------------------

    def _start(self, run: dict[str, Any]) -> training.State:
        draws = _draws(run["seed"], self._dataset.features, self._dataset.classes, run["depth"], run["width"])
        gain = self.profiles[run["activation"]]["gain"] or 1.0
        return training.start(self._spec(run), mlp.init(draws, run["init"], gain, run["normalisation"]))

    def _spec(self, run: dict[str, Any]) -> training.Program:
        return training.Program(
            self._branches, self._dataset.task, run["optimizer"], run["normalisation"], run["residual"],
            run["dropout"] > 0, run["weight_decay"] > 0, run["precision"], self._config.measure,
        )  # fmt: skip

    def _scalars(self, run: dict[str, Any]) -> training.Run:
        supremum = self.profiles[run["activation"]]["sup_derivative"]
        return training.make_run(
            self._index[run["activation"]], run["learning_rate"], math.inf if supremum is None else supremum,
            run["weight_decay"], run["dropout"], run["seed"],
        )  # fmt: skip

    def _orders(self, runs: list[dict[str, Any]], begin: int, program: _Compiled) -> Any:
        length = self._longest(program.chunk)
        args = (len(self._dataset.x_train), runs[0]["batch_size"], begin, length)
        found = [minibatches(run["seed"], *args) for run in runs]
        return program.place(np.stack(found)) if program.lanes else found[0]

    def _longest(self, chunk: int) -> int:
        return min(chunk * (self._config.record_every or 1), self._config.steps)

    @staticmethod
    def _stack(trees: list[Any], lanes: int) -> Any:
        return jax.tree.map(lambda *leaves: np.stack(leaves), *trees) if lanes else trees[0]

    def _replicate(self, tree: Any) -> Any:
        if self._mesh is None:
            return jax.device_put(tree, self._devices[0])
        return self._put(tree, PartitionSpec())

    def _put(self, tree: Any, spec: PartitionSpec) -> Any:
        """Arrays on the mesh; every process makes only the part that its own devices hold."""
        where = NamedSharding(cast(Mesh, self._mesh), spec)
        if self._group is None:
            return jax.device_put(tree, where)

        def one(leaf: Any) -> jax.Array:
            leaf = np.asarray(leaf)
            return jax.make_array_from_callback(leaf.shape, where, lambda index: leaf[index])

        return jax.tree.map(one, tree)

    def _fetch(self, tree: Any) -> Any:
        """Arrays of the mesh as whole numpy arrays, on every process."""
        return self._group.gather(tree) if self._group else jax.device_get(tree)

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes."""
        return self._group is None or self._group.rank == 0

    # --- compilation ----------------------------------------------------------------------------------------

    def prepare(self, batch: list[int]) -> None:
        """Compile what a batch needs, unless that is done, so that its training can be timed without it."""
        self._program(self._runs[batch[0]])

    def _program(self, run: dict[str, Any]) -> _Compiled:
        key = key_of(run)
        with self._lock:
            if key not in self._programs:
                begun = time.perf_counter()
                self._programs[key] = self._compile(run)
                self.compile_seconds += time.perf_counter() - begun
            return self._programs[key]

    def _compile(self, run: dict[str, Any]) -> _Compiled:
        stops, every = self._config.record_steps, self._config.record_every or 1
        if self._mesh is None:
            limit = max(1, int(_CHUNK_SECONDS / _seconds(run, self._dataset, every)))
            lanes = 0
        else:
            limit = max(1, _CHUNK_STEPS // every)
            # The same for all batches of a program, whichever of them this process happens to train.
            key = key_of(run)
            longest = max(len(batch) for batch in self._batches if key_of(self._runs[batch[0]]) == key)
            devices = len(self._devices)
            lanes = devices * math.ceil(min(longest, _VMAP_RUNS) / devices)
        chunk = math.ceil(len(stops) / math.ceil(len(stops) / limit))
        place: Callable[[Any], Any] = lambda tree: tree  # noqa: E731
        if self._mesh is not None:
            place = lambda tree: self._put(tree, PartitionSpec("run"))  # noqa: E731
        runs = [run] * max(1, lanes)
        arguments = (
            self._stack([self._start(one) for one in runs], lanes),
            self._stack([self._scalars(one) for one in runs], lanes),
            self._data,
            np.zeros((lanes,) * bool(lanes) + (self._longest(chunk), run["batch_size"]), np.int32),
            np.int32(0),
            np.zeros(chunk, np.int32),
        )
        return _Compiled(_executable(self._spec(run), self._mesh, arguments), chunk, lanes, place)

    def _padded(self, curves: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Curves of shallower networks padded with NaN to the depth of the deepest."""
        found = {}
        for name, value in curves.items():
            if value.ndim == 3:
                layers = {"layers": self._layers, "weights": self._layers + 1}.get(
                    measures.CURVES[name].axis, value.shape[2]
                )
                value = np.pad(value, ((0, 0), (0, 0), (0, layers - value.shape[2])), constant_values=np.nan)
            found[name] = value.astype(np.float32)
        return found


_EXECUTABLES: dict[Any, Callable[..., Any]] = {}  # of this process, the latest `_KEPT`
_KEPT = 64


def _executable(spec: training.Program, mesh: Mesh | None, arguments: tuple[Any, ...]) -> Callable[..., Any]:
    """The compiled training program for such arguments; a second comparison need not compile it again."""
    shapes = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(np.shape(leaf), leaf.dtype), arguments)
    leaves, tree = jax.tree.flatten(shapes)
    key = (spec, mesh, tree, tuple((leaf.shape, leaf.dtype) for leaf in leaves), _settings())
    if key not in _EXECUTABLES:
        jitted = _jitted(spec, mesh)
        while len(_EXECUTABLES) >= _KEPT:
            _EXECUTABLES.pop(next(iter(_EXECUTABLES)), None)
        options: dict[str, Any] = {**training.compiler_options(spec.precision)}
        if mesh is None:
            options |= cache.cpu_options(arguments[0].parameters.first.bias.shape[-1])
        _EXECUTABLES[key] = jitted.lower(*shapes).compile(compiler_options=options)
    return _EXECUTABLES[key]


def _settings() -> tuple[Any, ...]:
    """JAX's own settings that change what is compiled."""
    names = ("jax_enable_x64", "jax_default_matmul_precision", "jax_numpy_dtype_promotion")
    return tuple(getattr(jax.config, name) for name in names)


def _jitted(spec: training.Program, mesh: Mesh | None) -> Any:
    train = training.make_train(spec)
    if mesh is None:
        return jax.jit(train)
    split, whole = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (("run",), ()))
    return jax.jit(
        jax.vmap(train, in_axes=(0, 0, None, 0, None, None)),
        in_shardings=(split, split, whole, split, whole, whole),
        out_shardings=split,
    )


def _joined(pieces: list[dict[str, np.ndarray]], axis: int = 0) -> dict[str, np.ndarray]:
    return (
        {name: np.concatenate([piece[name] for piece in pieces], axis) for name in pieces[0]}
        if pieces
        else {}
    )


@functools.lru_cache(maxsize=64)
def _draws(seed: int, features: int, outputs: int, depth: int, width: int) -> list[np.ndarray]:
    return mlp.draw(seed, features, outputs, depth, width)


@functools.lru_cache(maxsize=64)
def minibatches(seed: int, examples: int, size: int, begin: int, length: int) -> np.ndarray:
    """Rows of the minibatches of some steps; every epoch is a new permutation, its partial minibatch dropped.

    They depend on the seed alone, so under one seed every activation sees the same examples in the same
    order, and each epoch has its own generator, so any stretch can be made without what comes before it.

    Args:
      seed: the seed of the run.
      examples: number of training examples.
      size: examples in a minibatch.
      begin: the first step.
      length: number of steps.

    Returns:
      (length, size) int32 row numbers.

    Example:
      >>> from jaxacts.lab import execution
      >>> whole = execution.minibatches(0, 10, 5, 0, 4)
      >>> bool((execution.minibatches(0, 10, 5, 2, 2) == whole[2:]).all()), sorted(whole[:2].ravel().tolist())
      (True, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    per_epoch = examples // size
    epochs = range(begin // per_epoch, (begin + length - 1) // per_epoch + 1)
    rows = []
    for epoch in epochs:
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 2, epoch])))
        rows.append(
            generator.permutation(examples)[: per_epoch * size].astype(np.int32).reshape(per_epoch, size)
        )
    offset = begin - epochs[0] * per_epoch
    return np.concatenate(rows)[offset : offset + length]
