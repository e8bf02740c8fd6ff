"""The HTML page: complete, self-contained, escaped, and alive in a real browser."""

import dataclasses
import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import _synthetic
import numpy as np
import pytest

import jaxacts
from jaxacts.commands import export
from jaxacts.lab import cost, measures, payload, prediction, report, store, summary, tables

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)


@pytest.fixture(scope="module")
def results():
    return _synthetic.results(levels={"relu": 0.797, "sigmoid": 0.1})


@pytest.fixture(scope="module")
def page(results):
    return report.render(results, summary.summarise(results))


@pytest.fixture(scope="module")
def faceted():
    """Two settings, and theory that is there for one activation."""
    results = _synthetic.results(
        levels={"relu": 0.797, "sigmoid": 0.1}, facets=("depth=2, width=16", "depth=4, width=16")
    )
    found = summary.summarise(results)
    predicted = {("relu", facet): np.array([0.5, 0.7, 0.9, 1.0]) for facet in results.facets}
    for row in found.rows:
        if row["activation"] == "relu":
            row["gradient_ratio_theory"] = 0.5
    return results, dataclasses.replace(found, predicted=predicted)


def data_of(page):
    return json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    )


def test_the_page_loads_nothing(page):
    for word in ("http://", "https://", "//cdn", "@import", "url("):
        used = [line for line in page.splitlines() if word in line and "www.w3.org/2000/svg" not in line]
        assert not used, used[:1]
    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img|iframe)[^>]+src=\"(?!data:)", page)


def test_the_page_has_words_table_methods_and_data(page, results):
    found = summary.summarise(results)
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    for sentence in (*found.headline, *found.notes):
        assert sentence in text
    assert page.count("<tr data-facet") == 2 * len(found.rows)  # results, and the comparison with the best
    assert "not distinguishable" in page
    data = data_of(page)
    assert data["document"]["rows"][0]["activation"] == found.rows[0]["activation"]
    assert list(data["styles"]) == results.activations  # the order of keys is kept


def test_the_curves_in_the_page_are_the_stored_ones(page, results):
    data = data_of(page)
    index = summary.chosen_runs(results, "gelu", "")
    want = results.curves["test_accuracy"][index].mean(axis=0)
    got = data["curves"][""]["gelu"]["test_accuracy"]["mean"]
    assert got == pytest.approx(want, rel=1e-3)  # four significant digits are kept
    flow = data["layers"][""]["gelu"]["gradient_norm"]
    assert flow["rows"] == [1, 2, 3, 4]
    assert flow["values"][0] == pytest.approx(
        np.median(results.curves["gradient_norm"][index, 0], 0), rel=1e-3
    )


def test_hostile_names_are_escaped(results):
    bad = '</script><img src=x onerror="alert(1)">'
    swap = {"gelu": bad}
    hostile = dataclasses.replace(
        results,
        runs=[{**run, "activation": swap.get(run["activation"], run["activation"])} for run in results.runs],
        chosen={swap.get(name, name): rate for name, rate in results.chosen.items()},
        manifest={**results.manifest, "argv": ["jaxacts", bad]},
    )
    page = report.render(hostile, summary.summarise(hostile))
    assert "<img src=x" not in page
    assert page.count("</script>") == 2
    assert bad in data_of(page)["styles"]


def test_non_finite_numbers_are_valid_json(results):
    curves = {name: values.copy() for name, values in results.curves.items()}
    gone = results.select(activation="gelu")
    for values in curves.values():
        values[gone] = float("nan")
    diverged = results.diverged.copy()
    diverged[gone] = True
    broken = dataclasses.replace(results, curves=curves, diverged=diverged)
    page = report.render(broken, summary.summarise(broken))
    data_of(page)
    assert "NaN" not in page.replace("Number.isNaN", "")
    assert "5 diverged" in page


def test_nothing_is_best_where_everything_diverged(results):
    gone = dataclasses.replace(results, diverged=np.ones(len(results.runs), bool))
    page = report.render(gone, summary.summarise(gone))
    assert 'class="tag best"' not in page
    assert page.count('class="tag bad"') == 2 * len(results.activations)


def test_written_files(results, tmp_path):
    functions = {name: jaxacts.get(name) for name in results.activations}
    files = report.write(results, tmp_path, functions=functions)
    assert [file.name for file in files] == [*report.PICTURES, report.HTML]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(file.name for file in files)
    assert "data:image/png;base64," in (tmp_path / report.HTML).read_text()


CURVES = {
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda y: y * (1 - y), 1.8462),
    "tanh": (np.tanh, lambda y: 1 - y**2, 1.5925),
    "relu": (lambda z: np.maximum(z, 0), lambda y: 1.0 * (y > 0), 2**0.5),
}


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("init", ["auto", "glorot"])
def test_theory_agrees_with_wide_random_networks(name, init):
    """Root-mean-square ratio over random networks, backpropagated by hand."""
    depth, width, features, outputs, rng = 5, 200, 50, 10, np.random.default_rng(0)
    f, slope_of_value, gain = CURVES[name]
    if init == "auto":  # the activation's own gain
        variance = {features: 1 / features, width: gain**2 / width}
        last_variance = gain**2 / width
    else:
        variance = {features: 2 / (features + width), width: 1 / width}
        last_variance = 2 / (width + outputs)
    squared, last = [], []
    for _ in range(100):
        h, layers = rng.normal(size=features), []
        for _ in range(depth):
            weight = rng.normal(size=(h.size, width)) * variance[h.size] ** 0.5
            below, h = h, f(h @ weight)
            layers.append((weight, below, h))
        signal = rng.normal(size=outputs)
        last.append(np.sum(h**2) * np.sum(signal**2))
        signal = (rng.normal(size=(width, outputs)) * last_variance**0.5) @ signal
        norms = [last[-1]]
        for weight, below, value in reversed(layers):
            signal = signal * slope_of_value(value)
            norms.append(np.sum(below**2) * np.sum(signal**2))
            signal = weight @ signal
        squared.append(norms[::-1])
    first, inner, end = prediction.scales({"init": init, "width": width}, gain, features, outputs)
    want = prediction.gradient_profile(
        getattr(jaxacts, name), depth=depth, width=width, features=features,
        sigma_first=first, sigma_w=inner, sigma_last=end,
    )  # fmt: skip
    # 100 networks of width 200: sampling and finite-width deviations of a few per cent
    assert np.sqrt(np.mean(squared, axis=0) / np.mean(last)) == pytest.approx(want, rel=0.08)


def test_theory_leaves_out_what_it_does_not_cover():
    results = _synthetic.results(activations=("relu", "tanh"))
    about = {
        "relu": {"source": "catalogue:relu", "gain": 2**0.5},
        "tanh": {"source": "callable:lambda:1", "gain": 1.0},
    }
    manifest = {
        **results.manifest,
        "activations": about,
        "dataset": {**results.manifest["dataset"], "features": 16},
    }
    stored = dataclasses.replace(results, manifest=manifest)
    found = prediction.gradient_profiles(stored)
    # at He's gain q = 1 and chi = 1 in every layer and E f(z)^2 = 1/2, so the squared ratio is 16 / (16 / 2)
    assert found == {("relu", ""): pytest.approx([2**0.5, 1.0, 1.0, 1.0], rel=1e-6)}
    for setting in ({"normalisation": "layer"}, {"residual": True}, {"dropout": 0.1}):
        other = dataclasses.replace(stored, runs=[{**run, **setting} for run in results.runs])
        assert prediction.gradient_profiles(other) == {}


def test_functions_are_found_again_from_the_manifest(results):
    sources = {
        "sigmoid": "catalogue:sigmoid",
        "tanh": "jax.nn:tanh",
        "relu": "callable:lambda:12",
        "gelu": "gone:f",
    }
    about = {name: {"source": source} for name, source in sources.items()}
    stored = dataclasses.replace(results, manifest={**results.manifest, "activations": about})
    assert set(prediction.known_functions(stored)) == {"sigmoid", "tanh"}


def test_settings_are_held_side_by_side(faceted):
    results, found = faceted
    table = tables.settings(results, found)
    assert table["axes"] == ["depth"]  # the width is the same everywhere
    assert [row["values"] for row in table["rows"]] == [["2"], ["4"]]
    rows = {(row["facet"], row["activation"]): row for row in found.rows}
    for facet, line in zip(results.facets, table["rows"], strict=True):
        for name, cell in zip(results.activations, line["cells"], strict=True):
            assert cell["text"] == f"{100 * rows[facet, name]['mean']:.1f}"
            assert (cell["kind"] == "best") == rows[facet, name]["best"]
    assert "5/5 failed" in table["rows"][0]["cells"][0]["detail"]  # sigmoid learned nothing
    data = payload.payload(results, found)
    assert data["axes"] == {"depth": [2, 4]}
    assert data["settings"][results.facets[1]] == {"depth": 4}


def test_cost_tells_activations_and_compiling_apart(results, tmp_path):
    seconds = {"sigmoid": 1.0, "tanh": 2.0, "relu": 0.5, "gelu": 4.0}
    store.append_event(tmp_path, "start")
    order = np.random.default_rng(0).permutation(len(results.runs))
    for number, batch in enumerate(np.array_split(order, 12)):
        spent = sum(seconds[results.runs[i]["activation"]] for i in batch)
        store.append_event(tmp_path, "batch", batch=number, runs=batch.tolist(), seconds=spent)
    store.append_event(tmp_path, "end", seconds=60.0, compile_seconds=1.5, workers=2)
    stored = dataclasses.replace(results, folder=str(tmp_path))
    found = cost.cost(stored)
    # exact times give exact answers, up to the rounding of the solver
    assert found["per_run"] == pytest.approx(seconds, rel=1e-9)
    assert (found["compile_seconds"], found["runs"]) == (1.5, len(results.runs))
    assert found["training_seconds"] == pytest.approx(15 * sum(seconds.values()))
    text = html.unescape(report.render(stored, summary.summarise(stored)))
    assert "Compute cost" in text
    assert "<td>4 s</td><td>8.00</td>" in text
    assert cost.per_run(results, [{"runs": [0, 15, 30, 45], "seconds": 7.5}] * 5) == {}  # always mixed alike


def test_lines_that_are_no_events_are_left_out(results, tmp_path):
    store.append_event(tmp_path, "start")
    with open(tmp_path / store.EVENTS, "ab") as file:
        file.write(b'\xff\xfe\x00\n{"event": "ba\xe9"}\n[1]\n3\n{"time": 1}\n\n{"event": "batch", "ru\n')
    store.append_event(tmp_path, "end", seconds=60.0, compile_seconds=1.5, workers=2)
    assert [event["event"] for event in store.read_events(tmp_path)] == ["start", "end"]
    stored = dataclasses.replace(results, folder=str(tmp_path))
    assert cost.cost(stored)["compile_seconds"] == 1.5
    assert export.document(stored, timings=True)["timing"][0]["seconds"] == 60.0


def test_long_records_are_thinned_for_the_page():
    kept = payload.kept(5000, 240)
    assert len(kept) == 240
    assert (kept[0], kept[-1]) == (0, 4999)
    assert payload.kept(7, 240).tolist() == list(range(7))


CHECK = f"<script>\n{Path(__file__).with_name('_page.js').read_text()}</script></body>"


def browse(path, *arguments):
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--virtual-time-budget=3000", *arguments, path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


# A window is never narrower than 500 pixels, so a phone is a frame in one.
PHONE = """<!doctype html><iframe src="page.html" style="width:360px;height:700px;border:0"></iframe>
<script>addEventListener("message", (e) => { document.title = e.data; });</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
@pytest.mark.parametrize("phone", [False, True])
def test_the_page_works_in_a_browser(faceted, tmp_path, phone):
    results, found = faceted
    path = tmp_path / "page.html"
    path.write_text(report.render(results, found).replace("</body>", CHECK))
    if phone:
        path = tmp_path / "phone.html"
        path.write_text(PHONE)
    run = browse(path, "--window-size=1280,1000", "--dump-dom")
    assert "CONSOLE" not in run.stderr, run.stderr  # no error, no warning, no blocked request
    title = re.search(r"<title>(.*?)</title>", run.stdout, re.DOTALL)
    said = dict(entry.split(" ", 1) for entry in json.loads(html.unescape(title[1])))
    rows = [row for row in found.rows if row["facet"] == results.facets[0]]
    assert said["ready"] == "yes"
    assert said["worst"] == rows[-1]["activation"]
    assert said["best"] == rows[0]["activation"]
    assert said["sorted"] == "descending"
    assert said["hidden"] == "true false"
    assert said["shown"] == "true"
    assert re.match(r"optimiser step (200|250|300)", said["hover"])  # the middle, beside the axis labels
    assert all(row["activation"] in said["hover"] for row in rows)
    assert said["key"] == "optimiser step 500"
    assert said["metric"].startswith("training loss")
    assert (said["ghosts"], said["later"]) == ("1", "0")  # theory is for the start, and known for relu
    assert said["moment"] == "step 500"
    assert said["maps"] == "4"
    assert "relutheory 0.5" in said["theory"]
    assert said["mapped"].endswith("singular values of the input-output Jacobian over layers and steps")
    drawn = set(payload.measures([name for name in measures.CURVES if name in results.curves]))
    assert {name: said[name] for name in drawn} == dict.fromkeys(drawn, "4")
    assert (said["across"], said["rows"]) == ("4", "4")
    assert said["facet"] == results.facets[1]
    assert said["back"] == results.facets[0]
    assert said["focus"] == "true", "everything that can be used can be reached by the keyboard"
    assert said["wide"] == "false", "the page must not scroll sideways"


# What does not fit: the page itself, or a text that is wider than what it stands in.
FITS = """<script>{
const chart = document.querySelector("#convergence svg"), place = chart.getBoundingClientRect();
chart.dispatchEvent(new PointerEvent("pointermove", { clientX: place.left + 60, clientY: place.top + 50 }));
const wide = [...document.querySelectorAll("h1, p, li, .legend button, figcaption, .name, .tip")]
  .filter((node) => node.scrollWidth > node.clientWidth + 1).map((node) => node.textContent);
if (document.documentElement.scrollWidth > innerWidth) wide.push("the page");
const said = JSON.stringify(wide);
if (parent !== window) parent.postMessage(said, "*");
document.body.replaceChildren(); document.title = said;
}</script></body>"""


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
@pytest.mark.parametrize("window", ["phone", "1200,1000"])
def test_a_long_name_is_wrapped(tmp_path, window):
    name = "a_package.activations." + 8 * "parametrised_" + "soft_exponential"
    results = _synthetic.results(
        activations=("tanh", name, "relu"), levels={name: 0.9}, facets=("depth=2", "depth=4")
    )
    path = tmp_path / "page.html"
    text = report.render(results, summary.summarise(results))
    path.write_text(text.replace("</body>", FITS))
    if window == "phone":
        path, window = tmp_path / "phone.html", "1280,1000"
        path.write_text(PHONE)
    run = browse(path, f"--window-size={window}", "--dump-dom")
    assert "CONSOLE" not in run.stderr, run.stderr
    assert re.findall(r"<title>(.*?)</title>", run.stdout, re.DOTALL) == ["[]"]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
def test_the_page_prints(page, tmp_path):
    path, out = tmp_path / "page.html", tmp_path / "page.pdf"
    path.write_text(page)
    browse(path, f"--print-to-pdf={out}")
    assert out.read_bytes()[:5] == b"%PDF-"
