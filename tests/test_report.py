"""The HTML page: complete, self-contained, escaped, and alive in a real browser."""

import dataclasses
import html
import json
import re
import shutil
import subprocess

import _synthetic
import numpy as np
import pytest

import jaxacts
from jaxacts.lab import prediction, report, summary

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None
)


@pytest.fixture(scope="module")
def results():
    return _synthetic.results(levels={"relu": 0.797, "sigmoid": 0.1})


@pytest.fixture(scope="module")
def page(results):
    return report.render(results, summary.summarise(results))


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
    assert page.count("<tr data-facet") == len(found.rows)
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
    assert len(data["curves"][""]["gelu"]["gradient_norm"][0]) == 4


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
def test_theory_agrees_with_wide_random_networks(name):
    """Root-mean-square ratio over random networks, backpropagated by hand, at the activation's own gain."""
    depth, width, features, rng = 5, 200, 50, np.random.default_rng(0)
    f, slope_of_value, gain = CURVES[name]
    first, last = [], []
    for _ in range(100):
        h, layers = rng.normal(size=features), []
        for layer in range(depth):
            weight = rng.normal(size=(h.size, width)) * (gain if layer else 1.0) / h.size**0.5
            below, h = h, f(h @ weight)
            layers.append((weight, below, h))
        signal = rng.normal(size=10)
        last.append(np.sum(h**2) * np.sum(signal**2))
        signal = (rng.normal(size=(width, 10)) * gain / width**0.5) @ signal
        for weight, below, value in reversed(layers):
            signal = signal * slope_of_value(value)
            first.append(np.sum(below**2) * np.sum(signal**2)) if below.size == features else None
            signal = weight @ signal
    want = prediction.gradient_ratio(
        getattr(jaxacts, name), depth=depth, width=width, features=features, sigma_w=gain, sigma_first=1.0
    )
    # 100 networks of width 200: sampling and finite-width deviations of a few per cent
    assert np.sqrt(np.mean(first) / np.mean(last)) == pytest.approx(want, rel=0.08)


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
    found = prediction.gradient_ratios(stored)
    # at He's gain q = 1 and chi = 1 in every layer and E f(z)^2 = 1/2, so the squared ratio is 16 / (16 / 2)
    assert found == {("relu", ""): pytest.approx(2**0.5, rel=1e-6)}
    normalised = dataclasses.replace(stored, runs=[{**run, "normalisation": "layer"} for run in results.runs])
    assert prediction.gradient_ratios(normalised) == {}


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


def test_long_records_are_thinned_for_the_page():
    kept = report._kept(5000)
    assert len(kept) == report.MOST_POINTS
    assert (kept[0], kept[-1]) == (0, 4999)
    assert report._kept(7).tolist() == list(range(7))


CHECK = """
<script>
{
const said = [];
addEventListener("error", (e) => said.push("error: " + e.message));
const click = (node) => node.dispatchEvent(new MouseEvent("click", { bubbles: true }));
const first = () => document.querySelector("#results tbody tr:not([hidden]) td").dataset.value;
const lines = (id) => document.querySelectorAll(`#${id} svg > path[fill=none]`).length;
said.push("ready " + document.documentElement.dataset.ready);
const heads = [...document.querySelectorAll("#results thead button")];
click(heads[1]); said.push("worst " + first()); click(heads[1]); said.push("best " + first());
said.push("sorted " + heads[1].closest("th").getAttribute("aria-sort"));
const before = lines("convergence"), button = document.querySelector("#legend button");
click(button);
said.push("hidden " + (before > lines("convergence")) + " " + button.getAttribute("aria-pressed"));
click(button); said.push("shown " + (before === lines("convergence")));
const chart = document.querySelector("#convergence svg"), box = chart.getBoundingClientRect();
const middle = { clientX: box.left + box.width / 2, clientY: box.top + 50, bubbles: true };
chart.dispatchEvent(new PointerEvent("pointermove", middle));
said.push("hover " + document.querySelector("#convergence .tip").textContent);
chart.dispatchEvent(new KeyboardEvent("keydown", { key: "End", bubbles: true }));
said.push("key " + document.querySelector("#convergence .tip strong").textContent);
const metric = document.getElementById("metric");
metric.value = "train_loss"; metric.dispatchEvent(new Event("input"));
said.push("metric " + document.querySelector("#convergence svg").getAttribute("aria-label"));
const moment = document.getElementById("moment");
moment.value = moment.max; moment.dispatchEvent(new Event("input"));
said.push("moment " + document.getElementById("moment_text").textContent);
said.push("maps " + document.querySelectorAll("#maps svg").length);
said.push("wide " + (document.documentElement.scrollWidth > innerWidth));
document.body.replaceChildren(); document.title = JSON.stringify(said);
}
</script></body>"""


def browse(path, *arguments):
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--virtual-time-budget=3000", *arguments, path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
@pytest.mark.parametrize("width", [500, 1280])
def test_the_page_works_in_a_browser(page, results, tmp_path, width):
    path = tmp_path / "page.html"
    path.write_text(page.replace("</body>", CHECK))
    run = browse(path, f"--window-size={width},1000", "--dump-dom")
    assert "CONSOLE" not in run.stderr, run.stderr  # no error, no warning, no blocked request
    found = re.search(r"<title>(.*?)</title>", run.stdout, re.DOTALL)
    said = dict(entry.split(" ", 1) for entry in json.loads(html.unescape(found[1])))
    rows = summary.summarise(results).rows
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
    assert said["moment"] == "step 500"
    assert said["maps"] == "4"
    assert said["wide"] == "false", "the page must not scroll sideways"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome on this machine")
def test_the_page_prints(page, tmp_path):
    path, out = tmp_path / "page.html", tmp_path / "page.pdf"
    path.write_text(page)
    browse(path, f"--print-to-pdf={out}")
    assert out.read_bytes()[:5] == b"%PDF-"
