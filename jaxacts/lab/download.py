"""Downloads that can be trusted: several mirrors, a known digest, resumed, and atomic; never unasked for."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jaxacts.lab.cache import cache_dir
from jaxacts.lab.errors import MissingData

Tell = Callable[[str], None]

_TIMEOUT = 30.0  # seconds without a byte
_BLOCK = 2**18


@dataclass(frozen=True)
class RemoteFile:
    """A file that can be downloaded.

    Attributes:
      path: where it lies below the data folder.
      size: its size in bytes; None when that is not known beforehand, with `limit` as the bound.
      digest: what its content must have, as "sha256:…" or "md5:…" in hexadecimal digits.
      mirrors: addresses, tried in this order.
      limit: bytes after which an answer of unknown size is refused.
    """

    path: str
    size: int | None
    digest: str
    mirrors: tuple[str, ...]
    limit: int = 2**31

    @property
    def place(self) -> Path:
        """Where it is, or would be, on this machine."""
        return data_dir() / self.path


def data_dir() -> Path:
    """The folder of downloaded data: `JAXACTS_DATA_DIR`, or ``data`` in the cache folder of jaxacts.

    Returns:
      The path; it may not exist yet.
    """
    own = os.environ.get("JAXACTS_DATA_DIR")
    return Path(own) if own else cache_dir() / "data"


def is_offline(asked: bool | None = None) -> bool:
    """Whether downloads are forbidden, by the argument or, when it is None, by `JAXACTS_OFFLINE`."""
    if asked is not None:
        return asked
    return os.environ.get("JAXACTS_OFFLINE", "").lower() not in ("", "0", "false", "no")


def fetch(file: RemoteFile, *, offline: bool | None = None, tell: Tell | None = None) -> Path:
    """The file on this machine, downloaded when it is not there yet.

    A copy is used only when its digest fits. A download goes to a neighbour that ends in ``.part``, continues
    there after an interruption, and is renamed once its digest fits, so that no half file is ever taken for
    a whole one, whatever kills the process.

    Args:
      file: which one.
      offline: True never opens a socket; None asks the variable `JAXACTS_OFFLINE`.
      tell: called with a sentence when a download begins.

    Returns:
      Where the file is.

    Raises:
      MissingData: when it is not here and cannot be had; the message names what failed at each mirror, and
        where a copy may be put by hand.
    """
    place = file.place
    if place.is_file() and digest_of(place, file.digest) == file.digest:
        return place
    if is_offline(offline):
        state = "is damaged" if place.is_file() else "is not on this machine"
        raise MissingData(
            f"{place} {state}, and downloads are off; put the file of {file.mirrors[0]} there, or allow "
            "downloads"
        )
    failures = []
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place.with_name(f".{place.name}.lock")):
            if place.is_file() and digest_of(place, file.digest) == file.digest:
                return place  # another process was quicker
            for mirror in file.mirrors:
                host = urlsplit(mirror).netloc
                if tell:
                    size = "" if file.size is None else f" ({file.size / 1e6:.1f} MB)"
                    tell(f"downloading {file.path}{size} from {host}")
                try:
                    return _download(file, mirror, place)
                except _Failure as error:
                    failures.append(f"{host}: {error}")
    except OSError as error:
        raise MissingData(f"cannot write {place}: {error.strerror or error}") from error
    raise MissingData(f"cannot download {file.path}: {'; '.join(failures)}; or put a copy at {place} by hand")


def digest_of(path: Path, like: str) -> str:
    """The digest of a file, by the algorithm that `like` names before its colon."""
    algorithm = like.partition(":")[0]
    with open(path, "rb") as stream:
        return f"{algorithm}:{hashlib.file_digest(stream, algorithm).hexdigest()}"


class _Failure(Exception):
    """This mirror did not give the file; the next one may."""


def _download(file: RemoteFile, address: str, place: Path) -> Path:
    """One mirror: continue what is there; when that gives a wrong digest, once again from the start."""
    part = place.with_name(place.name + ".part")
    resumed = part.exists() and part.stat().st_size > 0
    for _ in range(1 + resumed):
        _receive(file, address, part)
        if file.size is not None and part.stat().st_size < file.size:
            raise _Failure(f"the connection ended after {part.stat().st_size:,} of {file.size:,} bytes")
        if digest_of(part, file.digest) == file.digest:
            os.replace(part, place)
            return place
        part.unlink()
    raise _Failure(f"the content does not have the digest {file.digest[:20]}…")


def _receive(file: RemoteFile, address: str, part: Path) -> None:
    """Append what is missing to the partial file, never more than the file may have."""
    if urlsplit(address).scheme not in ("http", "https"):
        raise _Failure("only http and https addresses are used")
    bound = file.limit if file.size is None else file.size
    begin = part.stat().st_size if part.exists() else 0
    if begin and (
        begin >= file.size if file.size is not None else digest_of(part, file.digest) == file.digest
    ):
        return  # whole already: the caller looks at its digest
    request = urllib.request.Request(
        address, headers={"User-Agent": "jaxacts", "Accept-Encoding": "identity"}
    )
    if begin:
        request.add_header("Range", f"bytes={begin}-")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            if begin and not _continues(answer, begin):
                begin = 0
            with open(part, "ab" if begin else "wb") as out:
                while block := _block(answer):
                    begin += len(block)
                    if begin > bound:
                        out.close()
                        part.unlink()
                        raise _Failure(f"the answer is longer than {bound:,} bytes")
                    out.write(block)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # what is there is longer than what they have
            part.unlink(missing_ok=True)
        raise _Failure(f"HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise _Failure(str(error.reason)) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _Failure(str(error) or type(error).__name__) from error


def _block(answer: Any) -> bytes:
    """The next bytes; what goes wrong here is the mirror's, what goes wrong in writing is the disk's."""
    try:
        return answer.read(_BLOCK)
    except http.client.IncompleteRead as error:
        raise _Failure("the connection ended early; the same command continues") from error
    except (http.client.HTTPException, OSError) as error:
        raise _Failure(str(error) or type(error).__name__) from error


def _continues(answer: Any, begin: int) -> bool:
    """Whether the server sends the rest from `begin` on; others send the whole file again."""
    sent = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status == 206 and sent is not None and int(sent.group(1)) == begin


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Wait until no other process of this machine downloads the same file (where the system can tell)."""
    try:
        import fcntl
    except ImportError:  # the digest keeps the result right, only the work is done twice
        yield
        return
    with open(lock, "wb") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def fetch_small(
    address: str, place: Path, *, check: Callable[[bytes], Any], tell: Tell | None = None, limit: int = 2**22
) -> Path:
    """Download a small file whose digest nobody knows; it is kept only when it passes a check.

    Args:
      address: where it is.
      place: where it goes.
      check: called with the content; raises ValueError for what must not be kept.
      tell: called with a sentence before the download.
      limit: bytes it may have.

    Returns:
      `place`.

    Raises:
      MissingData: when it cannot be had, or the check fails.
    """
    host = urlsplit(address).netloc
    if tell:
        tell(f"asking {host} for {place.name}")
    part = place.with_name(place.name + ".part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        _receive(RemoteFile(place.name, None, "", (address,), limit), address, part)
        check(part.read_bytes())
        os.replace(part, place)
    except (_Failure, ValueError) as error:
        raise MissingData(f"cannot download {address}: {error}") from error
    except OSError as error:
        raise MissingData(f"cannot write {place}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return place
