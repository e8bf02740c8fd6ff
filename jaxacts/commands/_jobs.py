"""What the commands take from the job they run in: ranks, parts, groups of processes, and its end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any


def join(options: Any) -> tuple[Any, int]:
    """The group of processes, if --distributed asks for one, and the number of this process in its job."""
    from jaxacts.lab import distributed

    if options.distributed:
        group = distributed.join(options.coordinator, options.processes, options.process)
        return group, group.rank
    if options.coordinator or options.processes is not None or options.process is not None:
        raise ValueError("--coordinator, --processes and --process belong to --distributed")
    place = distributed.rank()
    if place and options.fresh:
        raise ValueError(
            f"--fresh in a {place.source} job of {place.count} processes would make them discard each other's"
            " work; remove the folder before the job, or name another --output"
        )
    distributed.choose_gpu(place)
    return None, place.index if place else 0


@contextlib.contextmanager
def ending_politely(options: Any) -> Iterator[None]:
    """SIGTERM, which schedulers send before they kill, saves like Ctrl-C; a failed group ends at once."""
    from jaxacts import cli
    from jaxacts.lab.errors import Interrupted

    main_thread = threading.current_thread() is threading.main_thread()
    # JAX installs a handler of its own that swallows SIGTERM, so this must come after `join`.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler) if main_thread else None
    try:
        yield
    except Interrupted:  # all processes of a group end together
        raise
    except BaseException as error:
        if not options.distributed:
            raise
        code = cli.fail(error, [name for name in ("--json", "--debug") if getattr(options, name[2:])])
        sys.stdout.flush()
        os._exit(code)  # at an orderly end JAX would wait for the other processes, and then abort
    finally:
        if main_thread:
            signal.signal(signal.SIGTERM, before)


def shard(text: str | None) -> tuple[int, int] | None:
    """The part that --shard names."""
    if text is None:
        return None
    if text == "auto":
        from jaxacts.lab import distributed

        found = distributed.part()
        if found is None:
            raise ValueError("--shard auto needs a SLURM job, a SLURM job array or mpirun; give i/n instead")
        return found
    part, slash, whole = text.partition("/")
    if not (slash and part.isdigit() and whole.isdigit() and 1 <= int(part) <= int(whole)):
        raise ValueError(f"--shard must be i/n with 1 <= i <= n, or auto, was {text!r}")
    return int(part), int(whole)
