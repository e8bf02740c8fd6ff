"""Named numbers kept in one array, so that a compiled loop that records many things carries one thing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

Place = tuple[tuple[int, ...], tuple[int, ...]]  # the shape of an entry, and where its numbers lie


@jax.tree_util.register_pytree_node_class
class Records(Mapping[str, Any]):
    """A read-only mapping from names to arrays that are parts of the last axis of one table.

    XLA compiles a kernel of its own for every array that a loop stacks. As a pytree this has one leaf, the
    table, so loops, `vmap` and shardings add axes in front, which every entry then has.

    Attributes:
      table: (..., numbers), float32.
      places: by name, the shape of an entry and the positions of its numbers on the last axis.

    Example:
      >>> from jaxacts.lab.records import join
      >>> records = join({"loss": jnp.float32(0.5), "norms": jnp.array([1.0, 2.0])})
      >>> records.table.shape, records["norms"].tolist(), list(records)
      ((3,), [1.0, 2.0], ['loss', 'norms'])
    """

    def __init__(self, table: Any, places: Mapping[str, Place]):
        self.table, self.places = table, dict(places)

    def __getitem__(self, name: str) -> Any:
        shape, positions = self.places[name]
        return self.table[..., np.array(positions, np.int32).reshape(shape)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)

    def tree_flatten(self) -> tuple[tuple[Any], tuple[tuple[str, Place], ...]]:
        """The leaf, and what is static."""
        return (self.table,), tuple(self.places.items())

    @classmethod
    def tree_unflatten(cls, places: tuple[tuple[str, Place], ...], leaves: tuple[Any]) -> Records:
        """From the leaf, and what is static."""
        return cls(leaves[0], dict(places))


def join(*parts: Mapping[str, Array]) -> Records:
    """All entries of some mappings in one table.

    Args:
      *parts: arrays of any shape by name. The table of a :class:`Records` is taken whole, its leading axes
        becoming the first axes of its entries.

    Returns:
      The records, with a table of one axis.

    Example:
      >>> from jaxacts.lab.records import Records, join
      >>> layers = Records(jnp.array([[1.0, 2.0], [3.0, 4.0]]), {"mean": ((), (0,)), "std": ((), (1,))})
      >>> {name: value.tolist() for name, value in join({"loss": jnp.float32(0)}, layers).items()}
      {'loss': 0.0, 'mean': [1.0, 3.0], 'std': [2.0, 4.0]}
    """
    tables: list[Array] = []
    places: dict[str, Place] = {}
    begin = 0
    for part in parts:
        if isinstance(part, Records):
            lead, numbers = part.table.shape[:-1], part.table.shape[-1]
            rows = begin + numbers * np.arange(int(np.prod(lead)))
            for name, (shape, positions) in part.places.items():
                places[name] = (*lead, *shape), tuple(np.add.outer(rows, positions).ravel().tolist())
            tables.append(part.table.reshape(-1))
            begin += part.table.size
            continue
        for name, value in part.items():
            places[name] = value.shape, tuple(range(begin, begin + value.size))
            tables.append(value.reshape(-1).astype(jnp.float32))
            begin += value.size
    return Records(jnp.concatenate(tables) if tables else jnp.zeros(0, jnp.float32), places)
