"""MNIST, Fashion-MNIST and CIFAR-10: which files, and how they are read. Nothing is unpickled or unpacked."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from jaxacts.lab import archives
from jaxacts.lab.download import RemoteFile

# (name, bytes, SHA-256) in the order train images, train labels, test images, test labels.
_NAMES = (
    "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz",
)  # fmt: skip
_MNIST = (
    (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
_FASHION = (
    (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
)


def _files(folder: str, known: tuple[tuple[int, str], ...], bases: tuple[str, ...]) -> tuple[RemoteFile, ...]:
    return tuple(
        RemoteFile(f"{folder}/{name}", size, f"sha256:{digest}", tuple(base + name for base in bases))
        for name, (size, digest) in zip(_NAMES, known, strict=True)
    )


MNIST = _files(
    "mnist", _MNIST,
    ("https://storage.googleapis.com/cvdf-datasets/mnist/", "https://ossci-datasets.s3.amazonaws.com/mnist/"),
)  # fmt: skip
FASHION_MNIST = _files(
    "fashion_mnist", _FASHION,
    (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ),
)  # fmt: skip
CIFAR10 = (
    RemoteFile(
        "cifar10/cifar-10-binary.tar.gz", 170_052_171,
        "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets/cifar-10-binary.tar.gz",
        ),
    ),
)  # fmt: skip


def idx_set(*paths: Path) -> tuple[np.ndarray, ...]:
    """Images and labels of the four files of an MNIST-like set.

    Args:
      *paths: train images, train labels, test images, test labels.

    Returns:
      x, y, x_test and y_test, bytes, the images as rows.
    """
    x, y, x_test, y_test = (read_idx(path) for path in paths)
    return x.reshape(len(x), -1), y, x_test.reshape(len(x_test), -1), y_test


def read_idx(path: Path, limit: int = 2**28) -> np.ndarray:
    """The array of bytes in a gzipped IDX file.

    Args:
      path: the file.
      limit: bytes it may hold.

    Returns:
      A uint8 array.

    Raises:
      ValueError: when the file is damaged or holds anything else.

    Reference:
      LeCun, Cortes & Burges, The MNIST database of handwritten digits (1998), file formats
    """
    with archives.open_gzip(path, limit, "a gzipped IDX file") as stream:
        head = stream.read(4)
        if len(head) < 4 or head[:3] != b"\0\0\x08" or not 1 <= head[3] <= 4:
            raise ValueError(f"it begins with {head.hex(' ')}, not with 00 00 08 and a number of axes")
        shape = np.frombuffer(stream.read(4 * head[3]), ">u4").tolist()
        size = math.prod(shape)
        content = stream.read(min(size, limit) + 1)
        if len(content) != size:
            raise ValueError(f"it announces {size:,} values {shape} and holds another number")
    return np.frombuffer(content, np.uint8).reshape(shape)


def cifar10(path: Path, rows: int = 10_000) -> tuple[np.ndarray, ...]:
    """The six batches of CIFAR-10's binary archive: a label and 3 x 32 x 32 pixels a row.

    Args:
      path: the archive.
      rows: images in a batch.

    Returns:
      x, y, x_test and y_test, bytes, the images as rows (red plane first).

    Raises:
      ValueError: when the archive is damaged, hostile, or holds labels above 9.

    Reference:
      Krizhevsky, Learning multiple layers of features from tiny images (2009), technical report, Toronto
    """
    names = [f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)]
    names.append("cifar-10-batches-bin/test_batch.bin")
    found = archives.tar_members(path, dict.fromkeys(names, rows * 3073))
    table = np.concatenate([np.frombuffer(found.pop(name), np.uint8).reshape(rows, 3073) for name in names])
    if table[:, 0].max() > 9:
        raise ValueError(f"{path} has the label {table[:, 0].max()}, but CIFAR-10 has 0 to 9")
    cut = 5 * rows
    return table[:cut, 1:], table[:cut, 0], table[cut:, 1:], table[cut:, 0]
