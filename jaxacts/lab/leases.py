"""Leases on batches of runs: processes, or machines with a shared folder, divide a sweep among themselves.

A lease is a file made with ``O_EXCL``, whose modification time is its heartbeat. Two workers can at worst do
the same batch twice, and then write the same bytes: leases save work, correctness does not rest on them.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path

from jaxacts.lab import store
from jaxacts.lab.errors import StoreError

HEARTBEAT = 2.0  # seconds between two signs of life
STALE = 30.0  # seconds without one after which another host's lease may be taken


def _status(pid: int) -> tuple[str, str]:
    """State of a process and when it started, as the kernel tells them; empty where it does not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return "", ""


def _alive(pid: int, started: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it exists, but belongs to somebody else
    state, since = _status(pid)
    if state in ("Z", "X"):  # dead, and its parent has not looked yet
        return False
    return not started or since in ("", started)  # a reused process number is not the old process


def holder(folder: Path) -> str | None:
    """Who is working on a folder: a process of this host that lives, or one of another that was heard of.

    Args:
      folder: the run folder.

    Returns:
      A description, None when nobody is.
    """
    for path in sorted((folder / store.LEASES).glob("*.json")):
        try:
            content, age = json.loads(path.read_bytes()), time.time() - path.stat().st_mtime
            pid, host, started = int(content["pid"]), str(content["host"]), content["started"]
        except (OSError, ValueError, KeyError, TypeError):
            continue  # given back in this moment, or being written
        if _alive(pid, started) if host == socket.gethostname() else age < STALE:
            return f"process {pid} on {host}"
    return None


class Leases:
    """The leases of one process on the batches of one folder, with a thread that keeps them alive.

    Use it as a context manager; leaving it gives all leases back.
    """

    def __init__(self, folder: Path, heartbeat: float = HEARTBEAT, stale: float = STALE):
        self._folder = folder / store.LEASES
        self._heartbeat, self._stale = heartbeat, stale
        self._held: set[Path] = set()
        self._watched: dict[
            Path, tuple[int, float]
        ] = {}  # heartbeat of others' leases, and since when it stands
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="jaxacts-leases", daemon=True)
        pid = os.getpid()
        self._content = json.dumps(
            {"host": socket.gethostname(), "pid": pid, "started": _status(pid)[1], "token": uuid.uuid4().hex}
        ).encode()

    def __enter__(self) -> Leases:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot write {self._folder}: {error.strerror or error}") from error
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for path in list(self._held):
            self._drop(path)
        with contextlib.suppress(OSError):
            self._folder.rmdir()  # only when nobody else holds any

    def _path(self, batch: int) -> Path:
        return self._folder / f"{batch:05d}.json"

    def claim(self, batch: int) -> bool:
        """Try to take a batch; False when a living worker has it."""
        path = self._path(batch)
        with self._lock:
            if path in self._held:
                return False
        if not self._create(path) and not (self._abandoned(path) and self._create(path)):
            return False
        with self._lock:
            self._held.add(path)
        return True

    def release(self, batch: int) -> None:
        """Give a batch back, finished or not."""
        self._drop(self._path(batch))

    def _drop(self, path: Path) -> None:
        with self._lock:
            self._held.discard(path)
        with contextlib.suppress(OSError):
            if path.read_bytes() == self._content:
                path.unlink()

    def _create(self, path: Path) -> bool:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
        try:
            os.write(handle, self._content)
        except OSError as error:  # a full disk: an empty lease would keep others waiting
            path.unlink(missing_ok=True)
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
        finally:
            os.close(handle)
        return True

    def _abandoned(self, path: Path) -> bool:
        """Remove a lease whose holder is dead; True when the way is free."""
        try:
            content, beat = path.read_bytes(), path.stat().st_mtime_ns
        except OSError:
            return True  # released in this moment
        try:
            holder = json.loads(content)
            same_host = holder["host"] == socket.gethostname()
            dead = same_host and not _alive(int(holder["pid"]), holder["started"])
        except (ValueError, KeyError, TypeError):
            dead = False  # just being written; if it stays so, its age decides
        if not dead and not self._silent(path, beat):
            return False
        # Renaming is atomic, so of several takers one wins; a lease renewed meanwhile is put back.
        grave = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            os.rename(path, grave)
        except OSError:
            return False
        if grave.read_bytes() != content:
            with contextlib.suppress(OSError):
                os.link(grave, path)
            grave.unlink()
            return False
        grave.unlink()
        return True

    def _silent(self, path: Path, beat: int) -> bool:
        """Whether a lease's heartbeat has stopped.

        Clocks of hosts differ, so its age alone does not tell: it must also have stood still while we looked.
        """
        now = time.monotonic()
        before, since = self._watched.setdefault(path, (beat, now))
        if before != beat:
            self._watched[path] = (beat, now)
            return False
        old = time.time() - beat / 1e9 >= self._stale
        return now - since >= (2 * self._heartbeat if old else self._stale)

    def _beat(self) -> None:
        while not self._stop.wait(self._heartbeat):
            with self._lock:
                held = list(self._held)
            for path in held:
                with contextlib.suppress(OSError):
                    os.utime(path)
