"""Data of the user's own: npz files, CSV tables, OpenML, and what is refused."""

import gzip
import importlib.util
import io
import json
import pathlib
import stat
import zipfile

import numpy as np
import pytest

from jaxacts import lab
from jaxacts.lab import archives
from tests._loopback import serve

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 3))


def save(path, **arrays):
    np.savez(path, **arrays)
    return str(path)


def test_npz_of_classes(tmp_path):
    y = np.array(["cat", "dog"] * 20)
    found = lab.load_dataset(save(tmp_path / "my pets.npz", x=X, y=y))
    assert (found.name, found.task, found.classes) == ("my_pets", "classification", 2)
    assert found.source == "my pets.npz, given by the user"
    assert sum(found.sizes.values()) == 40
    # the statistics come from the training part alone
    np.testing.assert_allclose(found.x_train.astype(float).std(0), 1, rtol=1e-5)
    assert abs(found.x_test.mean()) > 1e-3


def test_a_copy_under_another_name_is_split_alike(tmp_path):
    y = np.arange(40) % 2
    one, other = (lab.load_dataset(save(tmp_path / name, x=X, y=y)) for name in ("a.npz", "b.npz"))
    np.testing.assert_array_equal(one.x_test, other.x_test)
    np.testing.assert_array_equal(one.x_validation, other.x_validation)


def test_classes_that_training_never_sees_are_refused(tmp_path):
    parts = {"x": X, "y": np.arange(40) % 2, "x_test": X[:5], "y_test": np.array([0, 1, 7, 8, 1])}
    with pytest.raises(ValueError, match="2 of the classes in y_test do not occur in y"):
        lab.load_dataset(save(tmp_path / "new.npz", **parts))


def test_npz_with_a_test_part_and_images(tmp_path):
    x = RNG.integers(0, 256, (30, 4, 5), dtype=np.uint8)
    y = np.arange(30) % 3 + 7
    path = save(tmp_path / "a.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    found = lab.load_dataset(path)
    assert found.sizes == {"train": 24, "validation": 6, "test": 6}
    assert (found.features, found.classes) == (20, 3)
    np.testing.assert_array_equal(found.y_test.argmax(1), y[:6] - 7)


def test_npz_of_numbers(tmp_path):
    found = lab.load_dataset(save(tmp_path / "a.npz", x=X, y=X[:, :2] ** 2))
    assert (found.task, found.classes) == ("regression", 2)
    counts = np.arange(40) % 4
    assert lab.load_dataset(save(tmp_path / "b.npz", x=X, y=counts)).task == "classification"
    assert lab.load_dataset(save(tmp_path / "b.npz", x=X, y=counts), task="regression").task == "regression"
    assert lab.load_dataset(save(tmp_path / "c.npz", x=X, y=np.arange(40))).task == "regression"
    one_hot = lab.load_dataset(save(tmp_path / "d.npz", x=X, y=np.eye(4)[counts]))
    assert (one_hot.task, one_hot.classes) == ("classification", 4)


def test_a_changed_file_is_read_again(tmp_path):
    first = lab.load_dataset(save(tmp_path / "a.npz", x=X, y=X[:, 0])).digest
    assert lab.load_dataset(save(tmp_path / "a.npz", x=X, y=X[:, 1])).digest != first


@pytest.mark.parametrize(
    ("arrays", "task", "message"),
    [
        ({"x": X}, None, "must hold the arrays x and y.*this one holds x$"),
        ({"x": X, "y": X[:, 0], "z": X}, None, "this one holds x, y, z"),
        ({"x": X, "y": X[:9, 0]}, None, "y have n rows"),
        ({"x": X[:0], "y": X[:0, 0]}, None, r"x is empty, it has shape \(0, 3\)"),
        ({"x": X[:5], "y": X[:5, 0]}, None, "at least 10 examples"),
        ({"x": X * np.nan, "y": X[:, 0]}, None, "x has 120 values that are not finite"),
        ({"x": X, "y": np.full(40, np.inf)}, None, "y has 40 values that are not finite"),
        ({"x": X.astype(str), "y": X[:, 0]}, None, "x must hold numbers, it has type <U"),
        ({"x": X.astype(complex), "y": X[:, 0]}, None, "x must hold numbers, it has type complex"),
        ({"x": X, "y": np.array(["a"] * 40)}, None, "needs 2 to 10000 classes, found 1"),
        ({"x": X, "y": np.array(["a", "b"] * 20)}, "regression", "regression needs numbers.*'a'"),
        ({"x": X, "y": X[:, 0]}, "classification", "classification needs one column of labels"),
        ({"x": X, "y": np.full(40, 0.5)}, "regression", "the target never varies"),
        ({"x": np.ones((40, 2)), "y": X[:, 0]}, None, "no column of x varies"),
        ({"x": X, "y": X[:, 0]}, "ranking", "task must be 'classification' or 'regression', was 'ranking'"),
    ],
)
def test_arrays_that_cannot_be_learned_from(arrays, task, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        lab.load_dataset(save(tmp_path / "a.npz", **arrays), task=task)


def npy(array):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def zipped(path, members, links=()):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFLNK if name in links else stat.S_IFREG) << 16
            archive.writestr(info, content)
    return path


class Harmful:
    def __reduce__(self):
        return pathlib.Path.touch, (pathlib.Path("pickle_was_read"),)


def forged(shape):
    """An array that announces another shape than it has."""
    return npy(np.zeros(64)).replace(b"(64,)", shape)


@pytest.mark.parametrize(
    ("members", "links", "message"),
    [
        ([("x.npy", npy(np.array([Harmful()], object)))], (), "holds Python objects"),
        ([("x.npy", npy(np.zeros(3, "i4,f8")))], (), "structured array"),
        ([("../x.npy", npy(X))], (), "names a path"),
        ([("/etc/x.npy", npy(X))], (), "names a path"),
        ([("a\\x.npy", npy(X))], (), "names a path outside"),
        ([("x.npy", b"/etc/passwd")], ("x.npy",), "is a link"),
        ([("x.npy", npy(X)), ("run.sh", b"rm")], (), "no array"),
        ([("x.npy", forged(b"(2**40,)"[:5]))], (), "truncated or not an npz|announces"),
        ([("x.npy", forged(b"(10**9,)"[:8]))], (), "truncated or not an npz|announces"),
        ([("x.npy", forged(b"(65,)"))], (), "announces 520 bytes"),
        ([("x.npy", forged(b"(63,)"))], (), "announces 504 bytes"),
        ([("x.npy", b"not an array")], (), "truncated or not an npz file"),
        ([("x.npy", npy(np.zeros(10**6)))], (), "like a zip bomb"),
        ([(f"{i}.npy", b"") for i in range(1001)], (), "1001 members"),
    ],
    ids=["objects", "structured", "parent", "absolute", "backslash", "link", "script", "cut header",
         "expression", "too long", "too short", "text", "bomb", "many"],
)  # fmt: skip
def test_hostile_npz_files_are_refused(members, links, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(archives, "_SMALL", 2**20)  # or the bomb would have to be a large one
    path = zipped(tmp_path / "evil.npz", members, links)
    with pytest.raises(ValueError, match=rf"evil\.npz is (refused|truncated).*({message})|{message}"):
        lab.load_dataset(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["evil.npz"]


def test_large_and_truncated_npz_files_are_refused(tmp_path):
    path = pathlib.Path(save(tmp_path / "a.npz", x=X, y=X[:, 0]))
    with pytest.raises(ValueError, match=r"its arrays would take .* bytes, more than 1,000"):
        archives.read_npz(path, limit=1000)
    content = path.read_bytes()
    for cut in (0, 100, len(content) // 2, len(content) - 10):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match=r"a\.npz is truncated or not an npz file"):
            lab.load_dataset(str(path))
    with pytest.raises(ValueError, match="there is no file"):
        lab.load_dataset(str(tmp_path / "missing.npz"))


# --- tables -------------------------------------------------------------------------------------------------


def table(y, head="a,b,c,y", separator=","):
    rows = [",".join(map(repr, row)) + f",{value}" for row, value in zip(X.tolist(), y, strict=True)]
    return "\n".join([head, *rows]).replace(",", separator) + "\n"


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "semicolons.csv", "t.csv.gz", "bom.csv"])
def test_csv_of_classes(name, tmp_path):
    labels = ["yes", "no"] * 20
    separator = {"t.tsv": "\t", "semicolons.csv": ";"}.get(name, ",")
    content = (b"\xef\xbb\xbf" if name == "bom.csv" else b"") + table(labels, separator=separator).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    found = lab.load_dataset(str(tmp_path / name), target="y")
    same = lab.load_dataset(save(tmp_path / (found.name + ".npz"), x=X, y=np.array(labels)))
    assert found.task == "classification"
    assert found.digest == same.digest  # the same numbers, split in the same way


def test_csv_of_numbers_and_the_target_anywhere(tmp_path):
    text = table(X[:, 0] ** 2, head="first,b,label,d").replace("first", '"a, quoted"')
    (tmp_path / "t.csv").write_bytes(text.replace("\n", "\r\n").encode())
    found = lab.load_dataset(str(tmp_path / "t.csv"))  # label is a usual name
    assert (found.task, found.features) == ("regression", 3)
    assert lab.load_dataset(str(tmp_path / "t.csv"), target="d").digest != found.digest


def test_blank_lines_before_the_names_are_skipped(tmp_path):
    path, digests = tmp_path / "t.csv", set()
    for blank in ("", "\r\n \n\n"):
        path.write_text(blank + table(["yes", "no"] * 20))
        digests.add(lab.load_dataset(str(path)).digest)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        ("", "y", "is empty"),
        ("\n  \r\n\n", "y", "is empty"),
        ("y\n" + "0\n1\n" * 20, "y", "has only the column 'y', the target; there is nothing"),
        ("\n\n" + table([0, 1] * 20) + "1,2,3\n", "y", "line 44 of t.csv has 3 cells"),
        (table(range(40)), "Y", r"no column 'Y'; did you mean 'y'\?; the columns are a, b, c, y"),
        (table(range(40), head="a,b,c,d"), None, "which column of t.csv is the target.*a, b, c, d"),
        (table(range(40), head="a,b,b,y"), "y", "two columns of one name"),
        (table(range(40), head="1,2,3,4"), "4", "must name the columns"),
        (table([0, 1] * 20) + "1,2,3\n", "y", "line 42 of t.csv has 3 cells, the first line 4"),
        (table([0, 1] * 20) + "1,Paris,3,0\n", "y", r"column 'b' of t.csv holds text \('Paris' in line 42\)"),
        (table([0, 1] * 20) + "1,,3,0\n", "y", "column 'b' of t.csv has no value in line 42"),
        (table([0, 1] * 20) + "1,NaN,3,0\n", "y", "1 values are missing.*column 'b', data row 41"),
        (table([0, 1] * 20) + "1,inf,3,0\n", "y", "1 values are missing.*column 'b', data row 41"),
        (table([0, 1] * 20) + "1,2,3,\n", "y", "target 'y' of t.csv is missing in 1 rows, first in row 41"),
        (table([3] * 40), "y", r"the target 'y' is always 3.0; there is nothing to learn"),
        (table(["a"] * 39 + ["b"]).replace("a\n", "a\n", 1), "y", "only one class"),
        ("a,b,y\n" + "1,2,0\n1,2,1\n" * 20, "y", "no column of x varies"),
        ("a,y\n" + "1,0\n2,1\n" * 3, "y", "at least 10 examples"),
        ("a,y\n1,\x00\n", "y", "nothing to learn"),
        (b"a,y\n\xff\xfe\n", "y", "not a text file in UTF-8"),
    ],
)
def test_tables_that_cannot_be_learned_from(content, target, message, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message):
        lab.load_dataset(str(path), target=target)


def test_names_that_make_no_sense(tmp_path):
    for name, options, message in [
        (str(tmp_path / "no.csv"), {}, r"cannot read .*no\.csv: there is no such file"),
        ("digits", {"target": "y"}, "target names a column"),
        ("digits", {"task": "regression"}, "'digits' is for classification"),
        (save(tmp_path / "a.npz", x=X, y=X), {"target": "y"}, "has the arrays x and y instead"),
        ("openml:iris", {}, "named by its number"),
    ]:
        with pytest.raises(ValueError, match=message):
            lab.load_dataset(name, **options)


# --- OpenML -------------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("JAXACTS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("JAXACTS_OFFLINE", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serve({}) as server:
        monkeypatch.setenv("JAXACTS_OPENML", server.url)
        yield server


def offer(server, number, arff, **about):
    import hashlib

    about = {
        "name": "tiny", "version": "1", "format": "ARFF", "file_id": str(1000 + number),
        "md5_checksum": hashlib.md5(arff).hexdigest(), "default_target_attribute": "class", **about,
    }  # fmt: skip
    server.content[f"/api/v1/json/data/{number}"] = json.dumps({"data_set_description": about}).encode()
    server.content[f"/data/v1/download/{1000 + number}"] = arff


def test_openml_as_it_answers(server):
    """The answers recorded in scikit-learn's own tests, in its wheel."""
    root = pathlib.Path(importlib.util.find_spec("sklearn").submodule_search_locations[0])
    folder = root / "datasets" / "tests" / "data" / "openml" / "id_61"
    if not folder.is_dir():
        pytest.skip("this scikit-learn comes without its tests")
    server.content["/api/v1/json/data/61"] = gzip.decompress((folder / "api-v1-jd-61.json.gz").read_bytes())
    server.content["/data/v1/download/61"] = gzip.decompress((folder / "data-v1-dl-61.arff.gz").read_bytes())
    told = []
    found = lab.load_dataset("openml:61", tell=told.append)
    assert (found.name, found.task) == ("openml-61-iris", "classification")
    assert (found.features, found.classes, sum(found.sizes.values())) == (4, 3, 150)
    assert len(told) == 2
    asked = len(server.requests)
    assert lab.load_dataset("openml:61", offline=True).digest == found.digest  # kept on this machine
    assert len(server.requests) == asked


ARFF = b"""% a comment
@RELATION tiny
@ATTRIBUTE id INTEGER
@ATTRIBUTE 'a number' NUMERIC
@attribute colour {red, 'dark green', blue}
@ATTRIBUTE class {no,yes}
@DATA
""" + b"".join(
    b"%d,%d.5,%s,%s\n" % (i, i % 7, [b"red", b"'dark green'", b"blue"][i % 3], [b"no", b"yes"][i % 2])
    for i in range(20)
)


def test_openml_nominal_columns_and_ignored_ones(server):
    offer(server, 1, ARFF, row_id_attribute="id")
    found = lab.load_dataset("openml:1")
    assert (found.features, found.classes) == (1 + 3, 2)
    assert lab.load_dataset("openml:1", target="a number").features == 3 + 2


def test_openml_that_cannot_be_read(server):
    offer(server, 2, ARFF.replace(b"3,3.5,", b"3,?,"))
    offer(server, 3, ARFF.replace(b"NUMERIC", b"STRING"))
    offer(server, 4, b"@RELATION t\n@ATTRIBUTE class {a,b}\n@DATA\n{0 a}\n")
    offer(server, 5, b"<html>")
    offer(server, 6, ARFF, format="Parquet")
    offer(server, 7, ARFF, md5_checksum="0" * 32)
    offer(server, 8, ARFF, md5_checksum="../../x")
    offer(server, 9, ARFF, default_target_attribute=None)
    server.content["/api/v1/json/data/10"] = b"[]"
    for number, kind, message in [
        (2, ValueError, "column 'a number' of .* has no value in 1 rows"),
        (3, ValueError, "column 'a number' of .* holds text"),
        (4, ValueError, "sparse ARFF"),
        (5, ValueError, "no ARFF file"),
        (6, ValueError, "format Parquet"),
        (7, lab.MissingData, "does not have the digest"),
        (8, lab.MissingData, "md5_checksum is"),
        (10, lab.MissingData, "no description"),
        (11, lab.MissingData, "HTTP 404"),
    ]:
        with pytest.raises(kind, match=message):
            lab.load_dataset(f"openml:{number}")
    assert lab.load_dataset("openml:9").classes == 2  # class is a usual name
