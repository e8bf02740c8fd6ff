"""Downloads from a server on the loopback address: digests, mirrors, resuming, and never unasked for."""

import dataclasses
import gzip
import hashlib
import io
import socket
import tarfile
import threading

import numpy as np
import pytest

from jaxacts import lab
from jaxacts.lab import data, download
from jaxacts.lab.data import _images
from tests._loopback import serve

CONTENT = bytes(range(256)) * 8


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXACTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("JAXACTS_OFFLINE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "data"


@pytest.fixture
def no_sockets(monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def remote(*mirrors, content=CONTENT, size=True, path="set/file.bin"):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return download.RemoteFile(path, len(content) if size else None, digest, mirrors)


def files(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))


def test_a_file_is_fetched_once(folder):
    told = []
    with serve({"/f": CONTENT}) as server:
        file = remote(server.url + "/f")
        place = download.fetch(file, tell=told.append)
        assert place.read_bytes() == CONTENT
        assert download.fetch(file, tell=told.append) == place
        assert server.requests == [("/f", None)]
    assert files(folder) == ["file.bin"]
    assert [line.split(" from")[0] for line in told] == ["downloading set/file.bin (0.0 MB)"]


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
@pytest.mark.parametrize("there", [CONTENT[:700], b"\0" * 700], ids=["begun", "foreign"])
def test_an_interrupted_download_continues(folder, ranges, there):
    (folder / "set").mkdir(parents=True)
    (folder / "set" / "file.bin.part").write_bytes(there)
    with serve({"/f": CONTENT}, ranges=ranges) as server:
        assert download.fetch(remote(server.url + "/f")).read_bytes() == CONTENT
        assert server.requests[0] == ("/f", "bytes=700-")
        # what was there is not of this file: once more, from the start
        assert len(server.requests) == (2 if ranges and there != CONTENT[:700] else 1)
    assert files(folder) == ["file.bin"]


def test_a_connection_that_breaks_leaves_a_part_to_continue(folder):
    with serve({"/f": CONTENT}, cut=500) as server, pytest.raises(lab.MissingData, match="connection ended"):
        download.fetch(remote(server.url + "/f"))
    assert files(folder) == ["file.bin.part"]
    with serve({"/f": CONTENT}) as server:
        assert download.fetch(remote(server.url + "/f")).read_bytes() == CONTENT
        assert server.requests == [("/f", "bytes=500-")]


def test_the_next_mirror_is_tried_and_a_wrong_digest_is_never_kept(folder):
    content = {"/wrong": CONTENT[::-1], "/long": CONTENT * 3, "/right": CONTENT}
    with serve(content) as server:
        bad = [server.url + "/missing", server.url + "/wrong", server.url + "/long", "file:///etc/hostname"]
        assert download.fetch(remote(*bad, server.url + "/right")).read_bytes() == CONTENT
        file = dataclasses.replace(remote(*bad), path="other.bin")
        with pytest.raises(lab.MissingData) as caught:
            download.fetch(file)
    for word in (
        "HTTP 404",
        "does not have the digest",
        "longer than 2,048",
        "only http and https",
        "by hand",
    ):
        assert word in str(caught.value)
    assert files(folder) == ["file.bin"]


def test_an_unknown_size_is_bounded(folder):
    with serve({"/f": CONTENT}) as server:
        file = dataclasses.replace(remote(server.url + "/f", size=False), limit=1000)
        with pytest.raises(lab.MissingData, match="longer than 1,000 bytes"):
            download.fetch(file)
        assert download.fetch(dataclasses.replace(file, limit=4000)).read_bytes() == CONTENT


def test_offline_opens_no_socket(folder, no_sockets, monkeypatch):
    file = remote("http://127.0.0.1:9/f")
    with pytest.raises(lab.MissingData, match=r"file\.bin is not on this machine, and downloads are off"):
        download.fetch(file, offline=True)
    monkeypatch.setenv("JAXACTS_OFFLINE", "1")
    for name in ("mnist", "fashion_mnist", "cifar10", "openml:61"):
        with pytest.raises(lab.MissingData, match="downloads are off"):
            lab.load_dataset(name)
    file.place.parent.mkdir(parents=True)
    file.place.write_bytes(CONTENT[:-1])
    with pytest.raises(lab.MissingData, match="is damaged, and downloads are off"):
        download.fetch(file)
    file.place.write_bytes(CONTENT)
    assert download.fetch(file) == file.place


def test_a_damaged_copy_is_fetched_again(folder):
    with serve({"/f": CONTENT}) as server:
        file = remote(server.url + "/f")
        file.place.parent.mkdir(parents=True)
        file.place.write_bytes(CONTENT[:-1] + b"x")
        assert download.fetch(file).read_bytes() == CONTENT


def test_two_at_once_download_once(folder):
    with serve({"/f": CONTENT}) as server:
        file = remote(server.url + "/f")
        threads = [threading.Thread(target=download.fetch, args=(file,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.requests) == 1
    assert file.place.read_bytes() == CONTENT


def test_where_data_are_kept(monkeypatch, tmp_path):
    assert download.data_dir() == tmp_path / "data"
    monkeypatch.delenv("JAXACTS_DATA_DIR")
    monkeypatch.setenv("JAXACTS_CACHE_DIR", str(tmp_path / "cache"))
    assert download.data_dir() == tmp_path / "cache" / "data"
    monkeypatch.delenv("JAXACTS_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert download.data_dir() == tmp_path / "xdg" / "jaxacts" / "data"


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("JAXACTS_DATA_DIR", str(tmp_path / "file"))
    with pytest.raises(lab.MissingData, match="cannot write"):
        download.fetch(remote("http://127.0.0.1:9/f"))


# --- image sets ---------------------------------------------------------------------------------------------


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(head + array.tobytes(), mtime=0)


def tiny_set(rows=20):
    """Images and labels like MNIST's, as arrays and as the four files."""
    draw = np.random.default_rng(0)
    arrays = [
        draw.integers(0, 256, (rows, 28, 28), dtype=np.uint8), np.arange(rows, dtype=np.uint8) % 10,
        draw.integers(0, 256, (10, 28, 28), dtype=np.uint8), np.arange(10, dtype=np.uint8),
    ]  # fmt: skip
    return arrays, [idx(array) for array in arrays]


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_mnist_from_a_server(name, monkeypatch):
    arrays, contents = tiny_set()
    key = name.replace("-", "_")
    with serve({f"/{i}": content for i, content in enumerate(contents)}) as server:
        remotes = [
            remote(f"{server.url}/{i}", content=content, path=f"{key}/{i}.gz")
            for i, content in enumerate(contents)
        ]
        monkeypatch.setitem(data._SOURCES, key, dataclasses.replace(data._SOURCES[key], files=tuple(remotes)))
        monkeypatch.setattr(data, "_loaded", {})
        found = lab.load_dataset(name)
    assert found.sizes == {"train": 16, "validation": 4, "test": 10}
    assert (found.features, found.classes, found.name) == (784, 10, key)
    np.testing.assert_array_equal(found.y_test.argmax(1), arrays[3])
    # one scale for all pixels: differences of test pixels are those of the file, up to that scale
    pixels = np.diff(arrays[2].reshape(10, -1).astype(float), axis=0)
    scaled = np.diff(found.x_test.astype(float), axis=0)
    scale = np.abs(pixels).sum() / np.abs(scaled).sum()
    assert scale > 1
    np.testing.assert_allclose(scaled * scale, pixels, atol=1e-3)  # float32 rounding of 255 gray levels


def cifar_archive(rows, extra=(), drop=None, gap=0):
    """A gzipped tar with the six batches of `rows` images."""
    draw = np.random.default_rng(1)
    tables, out = [], io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
            table = draw.integers(0, 256, (rows, 3073), dtype=np.uint8)
            table[:, 0] %= 10
            tables.append(table)
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            body = table.tobytes()[: rows * 3073 - gap]
            member.size = len(body)
            if name != drop:
                archive.addfile(member, io.BytesIO(body))
        for member, body in extra:
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return np.stack(tables), out.getvalue()


def test_cifar_is_read_from_its_binary_archive(tmp_path):
    readme = (tarfile.TarInfo("cifar-10-batches-bin/readme.html"), b"<html>")
    tables, content = cifar_archive(3, [readme])
    (tmp_path / "c.tar.gz").write_bytes(content)
    x, y, x_test, y_test = _images.cifar10(tmp_path / "c.tar.gz", rows=3)
    np.testing.assert_array_equal(x, tables[:5, :, 1:].reshape(15, -1))
    np.testing.assert_array_equal(y, tables[:5, :, 0].ravel())
    np.testing.assert_array_equal(x_test, tables[5, :, 1:])
    np.testing.assert_array_equal(y_test, tables[5, :, 0])
    assert _images.CIFAR10[0].path.endswith("binary.tar.gz")  # never the archive of pickles


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"extra": [(member("../escape"), b"x")]}, "outside the archive's folder"),
        ({"extra": [(member("/etc/passwd"), b"x")]}, "outside the archive's folder"),
        ({"extra": [(member("link", tarfile.SYMTYPE, "/etc/passwd"), b"")]}, "neither a file nor a folder"),
        ({"extra": [(member("link", tarfile.LNKTYPE, "x"), b"")]}, "neither a file nor a folder"),
        ({"extra": [(member("device", tarfile.CHRTYPE), b"")]}, "neither a file nor a folder"),
        ({"extra": [(member("zeros"), bytes(2**21))]}, "inflates to more than"),
        ({"extra": [(member("cifar-10-batches-bin/test_batch.bin"), bytes(6146))]}, "there twice"),
        ({"drop": "test_batch"}, r"lacks cifar-10-batches-bin/test_batch\.bin"),
        ({"gap": 1}, "has 6,145 bytes, not 6,146"),
    ],
    ids=["parent", "absolute", "symlink", "hard link", "device", "bomb", "twice", "missing", "short"],
)
def test_hostile_tar_archives_are_refused(options, message, tmp_path):
    (tmp_path / "c.tar.gz").write_bytes(cifar_archive(2, **options)[1])
    with pytest.raises(ValueError, match=message):
        _images.cifar10(tmp_path / "c.tar.gz", rows=2)
    assert [p.name for p in tmp_path.iterdir()] == ["c.tar.gz"]


def test_damaged_and_hostile_image_files_are_refused(tmp_path):
    path = tmp_path / "f.gz"
    content = idx(np.zeros((5, 4, 4), np.uint8))
    for body, message in [
        (content[:-12], "truncated or not a gzipped IDX file"),
        (b"<html>not found</html>", "truncated or not a gzipped IDX file"),
        (gzip.compress(b"\x93NUMPY" + bytes(99)), "begins with"),
        (gzip.compress(b"\0\0\x08\x01" + b"\xff\xff\xff\xff" + bytes(99)), "announces 4,294,967,295 values"),
        (gzip.compress(b"\0\0\x08\x01" + (10).to_bytes(4, "big") + bytes(10**6)), "announces 10 values"),
        (gzip.compress(b"\0\0\x08\x01" + (2**20).to_bytes(4, "big") + bytes(2**20)), "more than 65,536"),
    ]:
        path.write_bytes(body)
        with pytest.raises(ValueError, match=message):
            _images.read_idx(path, limit=2**16)
    path.write_bytes(cifar_archive(2)[1][:-2000])
    with pytest.raises(ValueError, match="truncated or not a gzipped tar archive"):
        _images.cifar10(path, rows=2)
