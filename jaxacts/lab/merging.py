"""Joining the parts of a comparison that were trained with ``--shard`` in separate folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from jaxacts.lab import config, store, sweep
from jaxacts.lab.errors import StoreError
from jaxacts.lab.store import Results


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
    for path in paths:
        if store.finished(path):
            raise StoreError(f"{path} is finished already: it holds all runs, there is nothing to merge")
    manifest = store.read_manifest(paths[0])
    for path in [*paths[1:], *([target] if (target / store.MANIFEST).exists() else [])]:
        other = store.read_manifest(path)
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
    if not (target / store.MANIFEST).exists():
        store.write_json(target / store.MANIFEST, manifest)
    for batch, path in found:
        if path.parent.parent != target:
            store.write_bytes(store.batch_path(target, batch), path.read_bytes())
    whole = sweep.consolidate(target, manifest)
    if not whole:
        shutil.rmtree(target / store.LEASES, ignore_errors=True)
    return store.load(target, partial=not whole)
