"""Who trains which batch: threads of a process, processes that share a folder, groups of processes."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxacts.lab import distributed, store
from jaxacts.lab.distributed import Group
from jaxacts.lab.errors import Interrupted
from jaxacts.lab.leases import Leases

POLL = 0.2  # seconds between two looks at what others have finished
OTHER_STOPPED = "another process of the distributed run was interrupted; everything finished so far is saved"


class Agenda:
    """Hands out batches to the threads of this process, and waits for those that other processes hold."""

    def __init__(self, folder: Path, mine: list[int], leases: Leases):
        self._folder, self._leases = folder, leases
        # The processes of a job begin at different places, so that they seldom ask for the same batch.
        place = distributed.rank()
        first = len(mine) * place.index // place.count if place else 0
        self._todo = mine[first:] + mine[:first]
        self._lock = threading.Lock()
        self._finished = threading.Condition()

    def claims(self, stop: threading.Event) -> Iterator[int]:
        """Batches to train, one after the other, until all are finished or `stop` is set."""
        while not stop.is_set():
            batch = self._next()
            if batch is not None:
                yield batch
                with self._finished:
                    self._finished.notify_all()
            elif self._todo:  # all that is left is being done by others, in this process or elsewhere
                with self._finished:
                    self._finished.wait(POLL)
            else:
                return

    def _next(self) -> int | None:
        with self._lock:
            if store.finished(self._folder):
                self._todo = []
            busy = []
            while self._todo:
                batch = self._todo.pop(0)
                if store.batch_path(self._folder, batch).exists():
                    continue
                busy.append(batch)  # looked at again until its file is there, whoever writes it
                if self._leases.claim(batch):
                    if not store.batch_path(self._folder, batch).exists():
                        self._todo += busy
                        return batch
                    self._leases.release(batch)
            self._todo = busy
        return None


class Leader:
    """Tells the other processes of a group which batch comes next."""

    def __init__(self, agenda: Agenda, group: Group):
        self._agenda, self._group = agenda, group

    def claims(self, stop: threading.Event) -> Iterator[int]:
        """Those of the agenda; the other processes hear of each."""
        for batch in itertools.chain(self._agenda.claims(stop), [None]):
            ended = self._group.agree(stop.is_set())[0]
            self._group.share(json.dumps(None if ended else batch).encode())
            if ended and not stop.is_set():
                raise Interrupted(OTHER_STOPPED)
            if ended or batch is None:
                return
            yield batch


def follow(train: Callable[[int, threading.Event], Any], group: Group) -> None:
    """Train what process 0 says, together with it; it keeps the results.

    Args:
      train: trains the batch of a number; returns None when it was stopped.
      group: the processes.
    """
    stop = threading.Event()
    failure: list[BaseException] = []

    def worker() -> None:
        try:
            while True:
                ended = group.agree(stop.is_set())[0]
                batch = json.loads(group.share(b""))
                if batch is None:
                    break
                if train(batch, stop) is None:
                    ended = True
                    break
            if ended and not stop.is_set():
                raise Interrupted(OTHER_STOPPED)
        except BaseException as error:  # handed to the main thread, which raises it
            failure.append(error)

    thread = threading.Thread(target=worker, name="jaxacts-follow", daemon=True)
    try:
        with stopping(stop, [thread]):
            thread.start()
            while thread.is_alive():
                thread.join(POLL)
    except KeyboardInterrupt as error:
        raise Interrupted("interrupted; process 0 has saved everything finished so far") from error
    if failure:
        raise failure[0]


@contextlib.contextmanager
def stopping(stop: threading.Event, threads: list[threading.Thread]) -> Iterator[None]:
    """On any exception in this thread, Ctrl-C included, let the workers save and end before it goes on."""
    try:
        yield
    except BaseException:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            # A second Ctrl-C ends the waiting, not the saving of what is already computed.
            for thread in threads:
                thread.join(0.1)
        raise
    finally:
        stop.set()
        for thread in threads:
            thread.join()
