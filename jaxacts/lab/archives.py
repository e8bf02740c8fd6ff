"""Archives and compressed files from elsewhere, read in memory: bounded, without pickle, never unpacked.

A file can lie about its size, inflate to a thousand times it, name a path outside the folder, link to one, or
hold Python objects that run code when they are read. Each of these is refused with the name of the file.
"""

from __future__ import annotations

import contextlib
import gzip
import math
import os
import stat
import tarfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np

# What fits into the memory of an ordinary machine several times; the largest set known here takes 0.2 GB.
LIMIT = 2**32
# Deflate reaches at most 1032; arrays that are mostly zeros reach a tenth of that.
_RATIO, _SMALL = 200, 2**26
_BLOCK = 2**24


@contextlib.contextmanager
def _named(path: Path, kind: str) -> Iterator[None]:
    """Errors of the decoders as ValueError with the file's name."""
    try:
        yield
    except FileNotFoundError:
        raise ValueError(f"there is no file {path}") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, not a file") from None
    except PermissionError:
        raise ValueError(f"{path} may not be read") from None
    except _Refused as error:
        raise ValueError(f"{path} is refused: {error}") from None
    except (
        OSError, EOFError, ValueError, KeyError, NotImplementedError, RuntimeError, zlib.error,
        zipfile.BadZipFile, tarfile.TarError, SyntaxError, tokenize.TokenError,
    ) as error:  # fmt: skip
        reason = str(error) or type(error).__name__
        raise ValueError(f"{path} is truncated or not {kind}: {reason}") from error


class _Refused(Exception):
    """Something that no honest file has."""


class Bounded:
    """A stream that ends in an error instead of giving more than `limit` bytes."""

    def __init__(self, stream: Any, limit: int):
        self._stream, self._limit, self._left = stream, limit, limit

    def read(self, size: int = -1) -> bytes:
        """Read some bytes.

        Raises:
          ValueError: when the stream holds more than the limit.
        """
        content = self._stream.read(self._left + 1 if size is None or size < 0 else min(size, self._left + 1))
        self._left -= len(content)
        if self._left < 0:
            raise _Refused(f"it inflates to more than {self._limit:,} bytes")
        return content


# --- npz ----------------------------------------------------------------------------------------------------


def read_npz(path: str | os.PathLike, limit: int = LIMIT) -> dict[str, np.ndarray]:
    """The arrays of an npz file.

    Args:
      path: the file.
      limit: bytes that all its arrays may take together.

    Returns:
      Arrays by name.

    Raises:
      ValueError: when it is missing, truncated, no npz, larger than the limit, a zip bomb, or holds object
        arrays, paths, links or anything but arrays.

    Reference:
      NumPy enhancement proposal 1, A simple file format for NumPy arrays
    """
    path = Path(path)
    with _named(path, "an npz file"), open(path, "rb") as file, zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        _check_members(members, limit, os.fstat(file.fileno()).st_size)
        found = {}
        for member in members:
            with archive.open(member) as stream:
                found[member.filename.removesuffix(".npy")] = _npy(stream, member)
        return found


def _check_members(members: list[zipfile.ZipInfo], limit: int, packed: int) -> None:
    names = [member.filename for member in members]
    if len(names) > 1000 or len(set(names)) < len(names):
        raise _Refused(f"it has {len(names)} members, or one name twice")
    for member in members:
        name = member.filename
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\\" in name:
            raise _Refused(f"member {name!r} names a path outside the archive")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise _Refused(f"member {name!r} is a link")
        if not name.endswith(".npy"):
            raise _Refused(f"member {name!r} is no array")
    total = sum(member.file_size for member in members)
    if total > limit:
        raise _Refused(f"its arrays would take {total:,} bytes, more than {limit:,}")
    if total > _SMALL and total > _RATIO * packed:
        raise _Refused(f"it inflates {total // packed}-fold to {total:,} bytes, like a zip bomb")


def _npy(stream: Any, member: zipfile.ZipInfo) -> np.ndarray:
    """One array; its header is checked against the size before anything is allocated."""
    name = member.filename
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"{name} has the unknown format version {version}")
    shape, fortran, dtype = readers[version](stream)
    if dtype.hasobject:
        raise _Refused(f"array {name!r} holds Python objects, which would have to be unpickled")
    if dtype.names or dtype.subdtype:
        raise _Refused(f"array {name!r} is a structured array; give plain arrays")
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or size != member.file_size - stream.tell():
        raise _Refused(f"array {name!r} announces {size:,} bytes, but its member holds another number")
    content, filled = np.empty(size, np.uint8), 0
    while block := stream.read(min(_BLOCK, size - filled)):
        content[filled : filled + len(block)] = np.frombuffer(block, np.uint8)
        filled += len(block)
    if filled != size:
        raise EOFError(f"array {name!r} ends early")
    return content.view(dtype).reshape(shape, order="F" if fortran else "C")


# --- gzip, tar ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def open_gzip(path: str | os.PathLike, limit: int, kind: str = "a gzip file") -> Iterator[Any]:
    """A gzip file as a stream of at most `limit` bytes; decoding errors inside become ValueError.

    Args:
      path: the file.
      limit: bytes after which reading is refused.
      kind: what the file should be, for messages.
    """
    path = Path(path)
    with _named(path, kind), open(path, "rb") as file, gzip.GzipFile(fileobj=file) as stream:
        yield Bounded(stream, limit)


def tar_members(path: str | os.PathLike, wanted: Mapping[str, int]) -> dict[str, bytes]:
    """Some members of a gzipped tar archive, found by name; nothing is written to disk.

    Args:
      path: the archive.
      wanted: sizes in bytes of the members that are wanted, by name.

    Returns:
      Contents by name.

    Raises:
      ValueError: when the archive is damaged, inflates to much more than the wanted members, lacks one or
        has it with another size, or has members outside its folder, links or devices.
    """
    limit = sum(wanted.values()) + 2**20  # and a megabyte for headers and readme files
    found: dict[str, bytes] = {}
    with (
        open_gzip(path, limit, "a gzipped tar archive") as stream,
        tarfile.open(fileobj=stream, mode="r|", bufsize=2**16) as archive,
    ):
        for member in archive:
            place = PurePosixPath(member.name)
            if place.is_absolute() or ".." in place.parts or "\\" in member.name:
                raise _Refused(f"member {member.name!r} lies outside the archive's folder")
            if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.DIRTYPE):
                raise _Refused(f"member {member.name!r} is neither a file nor a folder")
            if member.name in found:
                raise _Refused(f"member {member.name!r} is there twice")
            if member.name in wanted:
                found[member.name] = _content(archive, member, wanted[member.name])
        missing = [name for name in wanted if name not in found]
        if missing:
            raise ValueError(f"it lacks {', '.join(missing)}")
    return found


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, size: int) -> bytes:
    if member.size != size:
        raise _Refused(f"member {member.name!r} has {member.size:,} bytes, not {size:,}")
    stream: BinaryIO | Any = archive.extractfile(member)
    content = stream.read()
    if len(content) != size:
        raise EOFError(f"member {member.name!r} ends early")
    return content
