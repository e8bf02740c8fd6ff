"""What is wrong with the runs of a folder, and what to change."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxacts import meanfield
from jaxacts.lab import measures, prediction, summary
from jaxacts.lab.advice import _evidence, _recommend, _theory
from jaxacts.lab.advice._records import Finding, Setting
from jaxacts.lab.store import Results

# The gradient at the first hidden layer over that at the last: beyond a hundred either way one layer learns a
# hundred times slower than another under one learning rate.
VANISHING, EXPLODING = 1e-2, 1e2
DEAD = 0.1  # share of units, over all layers
SATURATED = 0.5  # share of units and examples, beyond what standard-normal pre-activations give
# (E f)²/E f²: above one half, most of what a layer hands on is the same for every example.
OFF_CENTRE = 0.5
LARGE_STEP = 0.1  # steps of this share of the weights renew them in ten
SMALL_WAY = 0.1  # all steps together, were they in one direction, move the weights by less than this share


@dataclasses.dataclass(frozen=True)
class _Case:
    """One activation in one setting at its chosen learning rate."""

    results: Results
    name: str
    facet: str
    index: np.ndarray
    run: dict[str, Any]
    f: Callable[..., Any] | None

    @property
    def usual(self) -> tuple[_theory.Outlook, ...]:
        """The theory of the usual activations there."""
        return _recommend.usual(setting_of(self.run, self.results))

    @property
    def best(self) -> _theory.Outlook:
        """What the theory recommends there."""
        return _recommend.choose(self.usual)

    def curve(self, name: str) -> np.ndarray | None:
        """A curve of the runs that did not diverge, (runs, T, …); None where it was not recorded."""
        stored = self.results.curves.get(name)
        kept = self.index[~self.results.diverged[self.index]]
        return None if stored is None or not kept.size else np.asarray(stored, float)[kept]

    def mean(self, name: str, record: int) -> float:
        """Mean of a curve at a record over runs and layers."""
        found = self.curve(name)
        if found is None:
            return math.nan
        known = found[:, record][np.isfinite(found[:, record])]
        return float(known.mean()) if known.size else math.nan

    def finding(self, topic: str, sentence: str, number: float, source: str, **change: Any) -> Finding:
        """A finding about this case."""
        where = f"{self.name} ({self.facet})" if self.facet else self.name
        return Finding(
            topic, f"{where}: {sentence}", "run", float(number), source, self.name, self.facet, change
        )

    def quote(self, topic: str, name: str) -> list[Finding]:
        """What an experiment measured about it."""
        return _evidence.quote(topic, name, activation=self.name, facet=self.facet)

    @property
    def rate(self) -> float:
        return self.run["learning_rate"]

    def lower(self) -> tuple[float, ...]:
        """Learning rates to try instead of one that is too large."""
        inside = [rate for rate in self.usual_rates if rate < self.rate]
        return tuple(inside) or tuple(float(f"{self.rate * share:.1g}") for share in (0.01, 0.03, 0.1, 0.3))

    def higher(self) -> tuple[float, ...]:
        """Learning rates to try instead of one that is too small."""
        inside = [rate for rate in self.usual_rates if rate > self.rate]
        return tuple(inside) or tuple(float(f"{self.rate * factor:.1g}") for factor in (10, 30, 100, 300))

    @property
    def usual_rates(self) -> tuple[float, ...]:
        """Four rates over the range that the theory gives for Adam, with one digit; none for others."""
        if self.run["optimizer"] != "adam":
            return ()
        low, high = self.best.rates
        shares = (0, 1 / 3, 2 / 3, 1)
        return tuple(dict.fromkeys(float(f"{low * (high / low) ** share:.1g}") for share in shares))


def diagnose(results: Results) -> list[Finding]:
    """Illnesses of the runs at their chosen learning rates, and the changes that should cure them.

    Args:
      results: from `jaxacts.lab.load` or `jaxacts.lab.compare`.

    Returns:
      The findings of each activation and facet, the gravest first; a healthy one says so.
    """
    functions = prediction.known_functions(results)
    found: list[Finding] = []
    for facet in results.facets:
        for name in results.activations:
            index = summary.chosen_runs(results, name, facet)
            if not index.size:
                continue
            run = results.runs[index[0]]
            case = _Case(results, name, facet, index, run, functions.get(name))
            ill = [finding for check in _CHECKS for finding in check(case)]
            found += ill or [_healthy(case)]
    return [*_in_order(found), *_not_recorded(results)]


def setting_of(run: dict[str, Any], results: Results) -> Setting:
    """The setting of a run: depth, width, precision, normalisation, and the kind of its data."""
    data = str(results.manifest.get("dataset", {}).get("name", ""))
    kind = next((kind for kind, names in _recommend.DATASETS.items() if data in names), None)
    return Setting(run["depth"], run["width"], kind, run["precision"], run["normalisation"])


_ORDER = (
    "divergence", "exploding gradients", "vanishing gradients", "dead units", "saturation",
    "off-centre activations", "large updates", "small updates", "learning rate", "healthy",
)  # fmt: skip


def _in_order(found: Sequence[Finding]) -> list[Finding]:
    return sorted(found, key=lambda finding: _ORDER.index(finding.topic))  # stable: quotes stay behind


def _healthy(case: _Case) -> Finding:
    shares = [
        (what, case.mean(what, -1)) for what in ("dead", "saturated") if math.isfinite(case.mean(what, -1))
    ]
    told = "".join(f", {100 * value:.0f} % {what}" for what, value in shares)
    ratio = summary.gradient_ratio(case.results, case.index, 0)
    flow = (
        f"first layer's gradient {ratio:.2g} times the last's" if math.isfinite(ratio) else "no illness found"
    )
    return case.finding("healthy", f"nothing to change ({flow}{told}).", ratio, "curve gradient_norm")


def _divergence(case: _Case) -> list[Finding]:
    count = int(case.results.diverged[case.index].sum())
    if not count:
        return []
    rates = case.lower()
    sentence = (
        f"{count} of {case.index.size} runs diverged at the learning rate {case.rate:g}. Search lower ones: "
        f"{_numbers(rates)}."
    )
    return [case.finding("divergence", sentence, count, "losses", learning_rates=rates)]


def _gradients(case: _Case) -> list[Finding]:
    ratio, what = _backward(case)
    if not math.isfinite(ratio) or VANISHING <= ratio <= EXPLODING:
        return []
    topic = "vanishing gradients" if ratio < VANISHING else "exploding gradients"
    at = f"at step {case.results.steps[0]} the gradient at the first {what} is {ratio:.2g} times the last's"
    told = _predicted(case)
    theory = f" (mean-field theory: {told:.2g} at initialisation)" if math.isfinite(told) else ""
    change, words = _other_weights(case)
    finding = case.finding(topic, f"{at}{theory}. {words}", ratio, "curve gradient_norm", **change)
    return [finding, *case.quote(topic, topic.replace(" ", "_"))]


def _backward(case: _Case) -> tuple[float, str]:
    """Gradient at the first hidden layer over that at the last, at the first record, and of what.

    The gradient of a matrix is the outer product of the gradient behind it and the signal before it, so where
    the signal is known it is divided out: under a homogeneous activation such as ReLU a shrinking signal
    hides a shrinking gradient from the norms of the weights' gradients.
    """
    whole = summary.gradient_ratio(case.results, case.index, 0), "weight matrix"
    norms, means, stds = (
        case.curve(name) for name in ("gradient_norm", "preactivation_mean", "preactivation_std")
    )
    features = case.results.manifest.get("dataset", {}).get("features")
    depth = case.run["depth"]
    if case.f is None or norms is None or means is None or stds is None or not features:
        return whole
    if depth < 2 or case.run["residual"]:
        return whole
    mean, std = float(np.median(means[:, 0, depth - 2])), float(np.median(stds[:, 0, depth - 2]))
    ends = norms[:, 0, [0, depth - 1]]
    if not (np.isfinite(ends).all() and (ends > 0).all() and math.isfinite(mean) and 0 < std < math.inf):
        return whole
    signal = math.sqrt(case.run["width"] * _theory.power(case.f, mean, std))
    if not 0 < signal < math.inf:
        return whole
    return float(np.median(ends[:, 0] / ends[:, 1]) * signal / math.sqrt(features)), "hidden layer"


def _predicted(case: _Case) -> float:
    """The theory's ratio under the run's own initialiser; NaN where it has none."""
    gain = case.results.manifest["activations"].get(case.name, {}).get("gain")
    shape = case.results.manifest.get("dataset", {})
    sigma = prediction.scales(case.run, gain, shape.get("features") or 1, shape.get("classes") or 1)
    if case.f is None or sigma is None:
        return math.nan
    first, inner, _ = sigma  # the ratio is of hidden layers
    try:
        path = meanfield.trajectory(case.f, case.run["depth"] - 1, inner, q0=first**2)
    except (ValueError, ArithmeticError):  # e.g. a moment that does not exist
        return math.nan
    return math.sqrt(path.gradient[0])


def _other_weights(case: _Case) -> tuple[dict[str, Any], str]:
    """Another initialisation where that is enough, else another activation too."""
    run, best = case.run, case.best
    wanted = "orthogonal" if run["normalisation"] == "none" else "auto"
    change: dict[str, Any] = {}
    if case.f is not None and run["init"] not in ("auto", "orthogonal"):
        own = _theory.outlook(case.name, case.f, run["depth"], run["width"], run["normalisation"])
        if own.fits:
            words = (
                f"Use --init {wanted}, weights at the gain {own.gain:.4g} of {case.name}: the theory then "
                f"gives {own.change:.2g} from the last hidden layer to the first."
            )
            return {"init": wanted}, words
    words = "Use "
    if best.name != case.name:
        change["activations"] = best.name
        words += f"{best.name} with "
    if run["init"] != wanted:
        change["init"] = wanted
    words += f"--init {wanted}: the theory gives {best.change:.2g} from the last hidden layer to the first"
    if not best.fits and not run["residual"]:
        change["residual"] = True
        words += ", which is still too much at this depth, so add --residual true"
    return change, words + "."


def _dead(case: _Case) -> list[Finding]:
    first, last = case.mean("dead", 0), case.mean("dead", -1)
    if not last >= DEAD:
        return []
    born = first >= 0.5 * last and not _fast(case)
    words = (
        f"{100 * last:.0f} % of the units are dead after the last step, {100 * first:.0f} % were at step "
        f"{case.results.steps[0]}; no example can move them any more. "
    )
    alive = [one for one in case.usual if one.born_dead == 0.0 and one.name != case.name]
    change: dict[str, Any] = {}
    if born:
        change["activations"] = _recommend.choose(alive).name
        words += f"Use {change['activations']}, whose slope is nowhere exactly 0."
    else:  # a large step pushed them there, and would push the units of another activation far out too
        change["learning_rates"] = case.lower()
        words += f"Training killed them at the learning rate {case.rate:g}: try {_numbers(case.lower())}."
    finding = case.finding("dead units", words, last, "curve dead", **change)
    return [finding, *case.quote("dead units", "born_dead" if born else "dead_units")]


def _fast(case: _Case) -> bool:
    """Whether the learning rate is beyond what the theory or the size of the first steps allow."""
    ratios = case.curve("update_ratio")
    if case.usual_rates and case.rate > max(case.usual_rates):
        return True
    return ratios is not None and bool(np.nanmedian(ratios[:, 0]) > LARGE_STEP)


def _saturation(case: _Case) -> list[Finding]:
    first, last = case.mean("saturated", 0), case.mean("saturated", -1)
    about = case.results.manifest["activations"].get(case.name, {})
    if case.f is None or not math.isfinite(last) or about.get("sup_estimated"):
        return []  # 5 % of a largest slope that nobody knows
    usual = _theory.saturated(case.f)
    if not (usual < 0.25 and last - usual >= SATURATED):
        return []  # a rectifier is flat on half of its axis: its illness is called dead units
    sentence = (
        f"{100 * last:.0f} % of its units and examples are saturated, where standard-normal pre-activations "
        f"would give {100 * usual:.2g} %. "
    )
    wanted = "orthogonal" if case.run["normalisation"] == "none" else "auto"
    if first - usual >= 0.5 * (last - usual) and case.run["init"] not in ("auto", "orthogonal"):
        change: dict[str, Any] = {"init": wanted}
        sentence += f"They were at step {case.results.steps[0]} already: use --init {wanted}."
    else:
        rates = case.lower()
        change = {"learning_rates": rates}
        sentence += f"Training drove them there at the learning rate {case.rate:g}: try {_numbers(rates)}."
    finding = case.finding("saturation", sentence, last, "curve saturated", **change)
    return [finding, *case.quote("saturation", "saturation")]


def _off_centre(case: _Case) -> list[Finding]:
    means, stds = case.curve("preactivation_mean"), case.curve("preactivation_std")
    if case.f is None or means is None or stds is None:
        return []
    layers = np.stack([means[:, -1].mean(0), stds[:, -1].mean(0)], 1)
    layers = layers[np.isfinite(layers).all(1) & (layers[:, 1] > 0)]
    shared = [_theory.correlation(case.f, float(mean), float(std)) for mean, std in layers]
    shared = [value for value in shared if math.isfinite(value)]
    if not shared or np.mean(shared) < OFF_CENTRE:
        return []
    value = float(np.mean(shared))
    sentence = (
        f"its outputs are off centre: at the pre-activations of the last step {100 * value:.0f} % of their "
        "mean square is the square of their mean, the same for every example. "
    )
    change: dict[str, Any] = {}
    if case.best.name != case.name and case.best.centre < value:
        change["activations"] = case.best.name
        sentence += f"Use {case.best.name} ({100 * case.best.centre:.0f} %)"
        sentence += ", or --normalisation batch." if case.run["normalisation"] == "none" else "."
    else:
        change["normalisation"] = "batch"
        sentence += "Use --normalisation batch, which takes the mean away."
    finding = case.finding(
        "off-centre activations", sentence, value, "curves preactivation_mean, preactivation_std", **change
    )
    return [finding, *case.quote("off-centre activations", "zero_centred")]


def _updates(case: _Case) -> list[Finding]:
    ratios = case.curve("update_ratio")
    if ratios is None or not np.isfinite(ratios).any():
        return []
    ratios = ratios[:, :, np.isfinite(ratios).any((0, 1))]  # without the padding of shallower networks
    steps = np.diff(np.concatenate([[0], case.results.steps]))
    typical = np.nanmedian(ratios, axis=0)  # (T, matrices)
    size = float(np.nanmax(np.nanmedian(typical, axis=1)))
    way = float(np.nanmax((typical * steps[:, None]).sum(0)))
    if size > LARGE_STEP:
        rates = case.lower()
        sentence = (
            f"at its largest a step changes the weights by {100 * size:.0f} % of their size, which renews "
            f"them in {max(1, round(1 / size))}. Use lower learning rates than {case.rate:g}: "
            f"{_numbers(rates)}."
        )
        return [case.finding("large updates", sentence, size, "curve update_ratio", learning_rates=rates)]
    if way < SMALL_WAY:
        rates = case.higher()
        sentence = (
            f"all {case.results.steps[-1]} steps together could move no weight matrix by more than "
            f"{100 * way:.2g} % of its size (the largest step {size:.1e}). Use higher learning rates than "
            f"{case.rate:g}: {_numbers(rates)}."
        )
        return [case.finding("small updates", sentence, way, "curve update_ratio", learning_rates=rates)]
    return []


def _edge(case: _Case) -> list[Finding]:
    grid = summary.sensitivity(case.results, case.name, case.facet)
    if not grid["at_edge"]:
        return []
    top = grid["best"] == max(grid["rates"])
    rates = tuple(float(f"{grid['best'] * step:.1g}") for step in ((1, 3, 10) if top else (0.1, 0.3, 1)))
    sentence = (
        f"the best learning rate, {grid['best']:g}, is the {'largest' if top else 'smallest'} of the grid; "
        f"search on: {_numbers(rates)}."
    )
    return [case.finding("learning rate", sentence, grid["best"], "validation score", learning_rates=rates)]


_CHECKS = (_divergence, _gradients, _dead, _saturation, _off_centre, _updates, _edge)


def _not_recorded(results: Results) -> list[Finding]:
    """Say which illnesses could not be looked for."""
    wanted = {
        "gradient_norm": "vanishing and exploding gradients",
        "dead": "dead units",
        "saturated": "saturation",
        "preactivation_mean": "off-centre activations",
        "update_ratio": "too small or too large updates",
    }
    missing = {curve: what for curve, what in wanted.items() if curve not in results.curves}
    if not missing:
        return []
    have = {measures.CURVES[curve].measure for curve in results.curves if curve in measures.CURVES}
    needed = tuple(
        name
        for name in measures.MEASURES
        if name in have | {measures.CURVES[curve].measure for curve in missing}
    )
    words = (
        f"Not looked for, because the run did not record it: {', '.join(missing.values())}. Add --measure "
        f"{','.join(needed)}."
    )
    return [Finding("not recorded", words, "run", len(missing), "curves.npz", change={"measure": needed})]


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)
