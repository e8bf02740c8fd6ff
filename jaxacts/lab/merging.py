"""Joining the parts of a comparison that were trained with ``--shard`` in separate folders."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxacts.lab import config, files, store, sweep
from jaxacts.lab.errors import StoreError
from jaxacts.lab.store import Results


@dataclass(frozen=True)
class Missing:
    """What a run folder lacks to be whole.

    Attributes:
      runs: how many runs are missing.
      runs_in_all: how many there would be.
      batches: the numbers of the missing batches.
      batches_in_all: how many there would be.
      shards: the missing batches by shard, such as "2/4"; empty where it is not known into how
        many the runs were divided.
    """

    runs: int
    runs_in_all: int
    batches: list[int]
    batches_in_all: int
    shards: dict[str, list[int]]

    def __str__(self) -> str:
        words = f"{self.runs} of {self.runs_in_all} runs are missing, in "
        if not self.shards:
            return f"{words}{_listed(self.batches)} of {self.batches_in_all}"
        found = []
        for shard, batches in self.shards.items():
            part, parts = map(int, shard.split("/"))
            whole = len(batches) == len(range(part - 1, self.batches_in_all, parts))
            found.append(f"shard {shard} ({'all of it' if whole else _listed(batches)})")
        return words + ", ".join(found)


def _listed(batches: list[int], most: int = 12) -> str:
    more = f" and {len(batches) - most} more" if len(batches) > most else ""
    return f"batch{'es' * (len(batches) > 1)} {', '.join(map(str, batches[:most]))}{more}"


def missing(folder: str | os.PathLike, parts: Sequence[str | os.PathLike] = ()) -> Missing:
    """What is not there after a merge.

    Args:
      folder: where the parts were joined.
      parts: their folders, whose commands say into how many shards the runs were divided.

    Returns:
      The missing runs and batches.

    Raises:
      StoreError: when a folder has no manifest.
    """
    target = Path(folder)
    manifests = [store.read_manifest(path) for path in (target, *parts)]
    batches = manifests[0]["batches"]
    gone = [
        batch
        for batch in range(len(batches))
        if not store.finished(target) and not store.batch_path(target, batch).exists()
    ]
    counts = {count for manifest in manifests if (count := _shards(manifest))}
    shards: dict[str, list[int]] = {}
    for count in counts if len(counts) == 1 else ():
        for part in range(count):
            if own := [batch for batch in gone if batch % count == part]:
                shards[f"{part + 1}/{count}"] = own
    runs = sum(len(batches[batch]) for batch in gone)
    return Missing(runs, len(manifests[0]["runs"]), gone, len(batches), shards)


def _shards(manifest: dict[str, Any]) -> int | None:
    """Into how many parts the command that began a folder divided the runs."""
    found = re.search(r"--shard[= ]\d+/(\d+)(?= |$)", " ".join(map(str, manifest.get("argv") or [])))
    return int(found[1]) if found else None


def merge(folders: Sequence[str | os.PathLike], output: str | os.PathLike) -> Results:
    """Join run folders of one configuration into one.

    Args:
      folders: folders of the same comparison, each with some of its batches.
      output: the folder to make, or one of the same comparison to add to.

    Returns:
      The results: of all runs when the parts make a whole, else of the runs that are there.

    Raises:
      StoreError: when a folder is damaged, or no folder has results.
      ConfigMismatch: when the folders are not of one comparison.
    """
    paths = [Path(folder) for folder in folders]
    target = Path(output)
    if not paths:
        raise ValueError("folders must name at least one run folder")
    manifests = {path: store.read_manifest(path) for path in paths}
    for path in paths:
        if store.finished(path):
            raise StoreError(f"{path} is finished already: it holds all runs, there is nothing to merge")
    manifest = manifests[paths[0]]
    if (target / store.MANIFEST).exists():
        manifests[target] = store.read_manifest(target)
    for path, other in manifests.items():
        config.refuse_difference(path, other["config"], manifest["config"])
        if other["batches"] != manifest["batches"]:
            raise StoreError(
                f"{path} was cut into other batches than {paths[0]}: they come from machines with different "
                "numbers of devices, whose parts do not fit together; use one shared --output instead"
            )
    found = [
        (batch, store.batch_path(path, batch))
        for path in paths
        for batch in range(len(manifest["batches"]))
        if store.batch_path(path, batch).exists()
    ]
    if not found:
        raise StoreError(f"no finished batches in {', '.join(map(str, paths))}")
    for batch, path in found:
        store.read_npz(path, store.batch_tag(manifest["hash"], batch))  # refuse damaged files before writing
    if store.finished(target):  # it has them all
        return store.load(target)
    if not (target / store.MANIFEST).exists():
        store.write_manifest(target, manifest)
    for batch, path in found:
        if path.parent.parent != target:
            files.write_bytes(store.batch_path(target, batch), path.read_bytes())
    whole = sweep.consolidate(target, manifest)
    if not whole:
        shutil.rmtree(target / store.LEASES, ignore_errors=True)
    return store.load(target, partial=not whole)
