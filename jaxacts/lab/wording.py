"""The summary in words: what was found, how it was measured, and what to be careful about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jaxacts.lab.store import DIVERGED_LOSS, Results

Row = dict[str, Any]

MOST_FACETS = 3  # more settings than this are not told one by one


def headline(rows: Sequence[Row], overall: Sequence[Row], score: str) -> list[str]:
    """The result in a few sentences, for each facet: who leads, who cannot be told apart, who failed."""
    facets = list(dict.fromkeys(row["facet"] for row in rows))
    sentences = []
    if overall:
        first = overall[0]
        equal = [row for row in overall if math.isclose(row["mean_rank"], first["mean_rank"], abs_tol=1e-9)]
        verb = "has" if len(equal) == 1 else "share"
        names = _list([row["activation"] for row in equal])
        rank = f"Over all settings {names} {verb} the best mean rank ({first['mean_rank']:.1f})"
        if len(equal) == 1 and math.isfinite(first["iqm"]):
            rank += f" and an interquartile mean {score} of {_value(first['iqm'], score)}"
        sentences.append(rank + ".")
    if len(facets) > MOST_FACETS:
        return [*sentences, *_many(rows, facets)]
    for facet in facets:
        own = [row for row in rows if row["facet"] == facet]
        where = f"With {facet}: " if facet else ""
        found = [*_leaders(own, score), *_failures(own), *_speed(own), *_rates(own)]
        sentences += [where + sentence if i == 0 else sentence for i, sentence in enumerate(found)]
    return sentences


def _many(rows: Sequence[Row], facets: Sequence[str]) -> list[str]:
    """The result over many settings: who leads where, who keeps up everywhere, who fails."""
    names = list(dict.fromkeys(row["activation"] for row in rows))
    counts = {name: sum(row["best"] for row in rows if row["activation"] == name) for name in names}
    leaders = sorted((name for name in names if counts[name]), key=lambda name: -counts[name])
    leads = ", ".join(f"{name} in {counts[name]}" for name in leaders)
    sentences = [f"Best in the {len(facets)} settings: {leads}."]
    always = [
        name for name in names
        if len(found := [row for row in rows if row["activation"] == name]) == len(facets)
        and all(row["best"] or row["as_good"] for row in found)
    ]  # fmt: skip
    if always:
        verb = "is" if len(always) == 1 else "are"
        sentences.append(
            f"In every setting {_list(always)} {verb} best or not distinguishable from the best."
        )
    worse = {name: sum(bool(row["worse"]) for row in rows if row["activation"] == name) for name in names}
    behind = sorted((name for name in names if worse[name]), key=lambda name: -worse[name])
    if behind:
        listed = ", ".join(f"{name} in {worse[name]}" for name in behind)
        sentences.append(f"Significantly worse than the best: {listed} of {len(facets)} settings.")
    for key, words in (("diverged", "diverged"), ("not_learned", "did not learn")):
        for name in names:
            found = [row for row in rows if row["activation"] == name]
            where = [row for row in found if row[key]]
            if where:
                runs = f"{sum(row[key] for row in where)} of {sum(row['runs'] for row in found)} runs"
                sentences.append(f"{name} {words} in {runs}, in {_settings(where, len(facets))}.")
    edge = sorted({row["activation"] for row in rows if row["at_edge"]})
    if edge:
        sentences.append(
            f"The best learning rate of {_list(edge)} lies at the end of the grid in some settings, so a "
            "wider grid might change the result."
        )
    return sentences


def _settings(rows: Sequence[Row], count: int) -> str:
    if len(rows) == count:
        return f"all {count} settings" if count > 1 else "its setting"
    return _list([row["facet"] for row in rows]) if len(rows) <= 3 else f"{len(rows)} of {count} settings"


def _leaders(rows: Sequence[Row], score: str) -> list[str]:
    best, others = rows[0], rows[1:]
    if math.isnan(best["mean"]):
        return ["Every run of every activation diverged; lower the learning rates."]
    reached = _reached(rows, score)
    if not others:
        return [reached + "."]
    if best["runs"] < 2:
        return [reached + ", with one seed: how far apart the activations are cannot be judged."]
    equal = [row["activation"] for row in others if row["as_good"]]
    if len(equal) == len(others) > 1:
        return [f"{reached}; none of the others is distinguishable from it with {best['runs']} seeds."]
    if not equal:
        worse = all(row["worse"] for row in others)
        return [reached + ("; every other activation is significantly worse." if worse else ".")]
    verb = "is" if len(equal) == 1 else "are"
    return [f"{reached}; {_list(equal)} {verb} not distinguishable from it with {best['runs']} seeds."]


def _reached(rows: Sequence[Row], score: str) -> str:
    """Who has the highest mean, or why the first has not."""
    best = rows[0]
    value = _value(best["mean"], score) + _ends(best, score)
    if best["mean"] < max(row["mean"] for row in rows if math.isfinite(row["mean"])):
        leads = f"{best['activation']} leads with a mean {score} of {value}"
        return leads + ", as a diverged run counts as a constant answer"
    equal = [row["activation"] for row in rows if row["mean"] == best["mean"]]
    if len(equal) > 1:
        return f"{_list(equal)} reach the same highest mean {score}, {value}"
    return f"{best['activation']} reaches the highest mean {score}, {value}"


def _failures(rows: Sequence[Row]) -> list[str]:
    sentences = [
        f"{row['activation']} diverged in {row['diverged']} of {row['runs']} runs at its chosen learning "
        "rate."
        for row in rows
        if row["diverged"]
    ]
    for row in rows:
        if not row["not_learned"]:
            continue
        sentences.append(
            f"{row['activation']} did not learn in {row['not_learned']} of {row['runs']} runs{_cause(row)}."
        )
    return sentences


def _cause(row: Row) -> str:
    """Vanishing or exploding gradients as the cause, with what theory says of them; empty otherwise."""
    flow, told, layers = row["gradient_ratio"], row["gradient_ratio_theory"], row.get("depth")
    if not (flow < 0.1 or flow > 10):
        return ""
    shrinks = flow < 0.1

    def factor(ratio: float) -> float:
        return 1 / ratio if shrinks and ratio else math.inf if shrinks else ratio

    size = factor(flow)
    direction = "smaller" if shrinks else "larger"
    words = f": at the start the first layer's gradient is {_times(size)} {direction} than the last's"
    if layers and layers > 1 and math.isfinite(size):
        words += f" (a factor of {size ** (1 / layers):.2g} a layer)"
    if told < 0.1 if shrinks else told > 10:
        words += f", as mean-field theory predicts ({_times(factor(told))} at initialisation)"
    return words


def _speed(rows: Sequence[Row]) -> list[str]:
    reached = [row for row in rows if math.isfinite(row["steps_to_target"])]
    if not reached:
        return []
    fastest = min(reached, key=lambda row: row["steps_to_target"])
    first = [row["activation"] for row in reached if row["steps_to_target"] == fastest["steps_to_target"]]
    never = [row["activation"] for row in rows if row["reached"] == 0 and row["diverged"] < row["runs"]]
    tail = f"; {_list(never)} never {'does' if len(never) == 1 else 'do'}" if never else ""
    return [
        f"{_list(first)} {'is' if len(first) == 1 else 'are'} the first to reach the target "
        f"{fastest['target']:.3g}, after "
        f"{fastest['steps_to_target']:,.0f} steps (median){tail}."
    ]


def _rates(rows: Sequence[Row]) -> list[str]:
    known = [
        row for row in rows if (row["best"] or row["as_good"]) and math.isfinite(row["good_rates_decades"])
    ]
    sentences = []
    if known and max(row["good_rates_decades"] for row in known) > 0:
        widest = max(row["good_rates_decades"] for row in known)
        names = [row["activation"] for row in known if row["good_rates_decades"] > widest - 1e-9]
        narrow = min(row["good_rates_decades"] for row in known)
        if widest - narrow > 1e-9 and len(names) <= 3:
            verb = "forgives" if len(names) == 1 else "forgive"
            sentences.append(
                f"{_list(names)} {verb} the learning rate most: those in a range of {widest:.1f} decades are "
                "nearly as good."
            )
    edge = [row["activation"] for row in rows if row["at_edge"]]
    if edge:
        sentences.append(
            f"The best learning rate of {_list(edge)} lies at the end of the grid, so a wider grid might "
            "change the result."
        )
    return sentences


def notes(results: Results, rows: Sequence[Row], score: str) -> list[str]:
    """How it was measured, a sentence each, with every definition a reader needs."""
    best = rows[0]
    seeds = best["runs"]
    method = {"t": "Student's t-intervals", "bootstrap": "bootstrap percentile intervals"}[best["interval"]]
    tests = {row["test"] for row in rows if row["test"]}
    test = " and ".join(sorted(tests)) or "paired"
    detectable = best["detectable"]
    sentences = [
        *setting(results),
        *results.manifest.get("notes", []),
        f"The {score} is the one after the last step; nothing was chosen on the test split.",
        "Seeds are paired: under one seed every activation sees the same data order and the same normal "
        "draws "
        f"({seeds} seed{'s' if seeds != 1 else ''}).",
        f"Intervals of the mean are 95 % {method}"
        + (
            " (with fewer than ten seeds; from ten on they are bootstrapped)."
            if best["interval"] == "t"
            else "."
        ),
        f"An activation is marked as not distinguishable from the best where the {test} test, corrected by "
        "Holm's "
        "method for all comparisons with the best, has p ≥ 0.05. The best one was picked from the same runs, "
        "which "
        "favours it a little.",
    ]
    if "paired t" in tests:
        sentences.append(
            "Paired t-tests are used with few seeds, because an exact permutation test of n pairs cannot "
            "give p < 2/2ⁿ; it is used where all pairs differ by the same amount, so that their spread is "
            "unknown."
        )
    if math.isfinite(detectable):
        sentences.append(
            f"{seeds} seeds can detect a difference of {_difference(detectable, score)} between two "
            "activations in four of "
            "five experiments (paired t-test at 5 %, spread as measured); smaller ones may go unnoticed."
        )
    sentences += [
        "The interquartile mean cuts off a quarter of the runs at either end; its interval is a stratified "
        "bootstrap. "
        "The probability of improvement is the chance that a run of the best one beats a run of the other.",
        f"Steps to target: first recorded step at which the {score} reaches the target, "
        f"{100 * (results.config.get('target') or 0.9):g} % of the best activation's median; the median over "
        "runs, "
        "with the number of runs that got there; – where runs that learnt nothing would reach it.",
        "Gradient ratio: gradient norm of the first weight matrix over that of the last, median over runs at "
        "the first "
        f"record (step {results.steps[0]}); far below 1 the gradient vanishes on its way to the input, far "
        "above it explodes.",
        "Theory: the mean-field prediction of that ratio for one example at initialisation; the measured "
        "one is that of a batch, some steps into training.",
        "Dead: |f'(z)| < 1e-6 for every validation example. Saturated: |f'(z)| < 5 % of sup |f'|, averaged "
        "over units and "
        "examples; not defined where f' is unbounded.",
        f"Diverged: a loss that is not finite{_blown_up(results)}. Not learned: a final score that a "
        "constant answer could have (within three "
        "standard errors). Both are counted; diverged runs enter no mean, lose every comparison of ranks, "
        "and count as a constant answer in the order of the activations.",
        "Good learning rates: the unbroken range around the best one with at least 95 % of its mean "
        "validation score.",
        *_software(results),
    ]
    return sentences


def _software(results: Results) -> list[str]:
    """With what and where it was computed, in one sentence."""
    versions = dict(results.manifest.get("versions") or {})
    device = results.manifest.get("device") or ""
    if not versions:
        return []
    names = {"jax": "JAX", "numpy": "NumPy", "optax": "Optax", "python": "Python"}
    listed = [f"{names.get(name, name)} {versions[name]}" for name in ("jaxacts", *names) if name in versions]
    if isinstance(device, dict):
        count = device.get("count") or 1
        kind = device.get("kind") or device.get("platform") or "device"
        cores = device.get("cores")
        beside = f" ({cores} core{'s' if cores != 1 else ''})" if cores else ""
        device = f"{count} × {kind}{beside}"
    commit = results.manifest.get("git")
    where = f" on {device}" if device else ""
    return [f"Computed with {_list(listed)}{where}" + (f", commit {commit[:12]}." if commit else ".")]


_INITIALISERS = {
    "auto": "normal weights of standard deviation gain/√fan_in, where the gain 1/√E f(z)² fits the "
    "activation (1 in the first layer, whose input is data)",
    "lecun": "normal weights of standard deviation 1/√fan_in",
    "glorot": "normal weights of standard deviation √(2/(fan_in + fan_out))",
    "he": "normal weights of standard deviation √(2/fan_in)",
    "orthogonal": "orthogonal weights scaled by the gain of the activation",
}


def setting(results: Results) -> list[str]:
    """What was trained, how it was initialised, and how the learning rates were chosen.

    Args:
      results: what a sweep measured.

    Returns:
      Three sentences.

    Reference:
      He et al., ICCV 2015, https://arxiv.org/abs/1502.01852, for the gain
    """
    about = results.manifest.get("dataset", {})
    counts = about.get("sizes") or {}
    sizes = ", ".join(
        f"{counts[part]:,} {part}" for part in ("train", "validation", "test") if part in counts
    )
    rates = sorted({run["learning_rate"] for run in results.runs})
    inits = list(dict.fromkeys(str(run.get("init")) for run in results.runs))
    gains = {name: one.get("gain") for name, one in results.manifest.get("activations", {}).items()}
    used = ", ".join(f"{name} {gain:.3g}" for name, gain in gains.items() if gain) if "auto" in inits else ""
    how = "; ".join(f"{name}: {_INITIALISERS.get(name, name)}" for name in inits)
    chosen = (
        f"Each activation's learning rate is the one of {', '.join(f'{rate:g}' for rate in rates)} with the "
        "best mean "
        "validation score over the seeds."
        if len(rates) > 1
        else f"All activations use the learning rate {rates[0]:g}; it was not tuned, which favours those it "
        "happens to fit."
    )
    return [
        f"Fully connected networks{_network(results)} were trained on {about.get('name', 'data')} ({sizes}) "
        f"for {int(results.steps[-1]):,} steps{_training(results)}.",
        chosen,
        f"Initialisation, with zero biases: {how}" + (f" (gains: {used})" if used else "") + ".",
    ]


def _several(results: Results, name: str) -> list[Any]:
    return list(dict.fromkeys(run[name] for run in results.runs if name in run))


def _network(results: Results) -> str:
    """Depth, width and what else is in the network, where the runs say."""
    depth, width = _several(results, "depth"), _several(results, "width")
    if not (depth and width):
        return ""
    text = f" of {_or(depth)} hidden layers of {_or(width)} units"
    extras = [f"{kind} normalisation" for kind in _several(results, "normalisation") if kind != "none"]
    extras += ["residual connections"] if True in _several(results, "residual") else []
    rates = [rate for rate in _several(results, "dropout") if rate]
    extras += [f"dropout of {_or(rates)}"] if rates else []
    return text + (f" (settings compared or used: {', '.join(extras)})" if extras else "")


def _training(results: Results) -> str:
    """Optimiser, minibatches, weight decay and precision, where the runs say."""
    optimizer, batch = _several(results, "optimizer"), _several(results, "batch_size")
    text = f" of {_or(optimizer)}" if optimizer else ""
    text += f" with minibatches of {_or(batch)}" if batch else ""
    decays = [rate for rate in _several(results, "weight_decay") if rate]
    text += f", weight decay {_or(decays)}" if decays else ""
    precision = _several(results, "precision")
    if not precision:
        return text
    stored = (
        ""
        if precision == ["float32"]
        else (" (16-bit arithmetic rounds after every operation; weights and optimiser are kept in float32)")
    )
    scaled = ", float16 with dynamic loss scaling" if "float16" in precision else ""
    return text + f", in {_or(precision)}{stored}{scaled}"


def _or(values: Sequence[Any]) -> str:
    words = [f"{value:g}" if isinstance(value, float) else str(value) for value in values]
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _value(value: float, score: str) -> str:
    return f"{100 * value:.1f} %" if "accuracy" in score else f"{value:.3f}"


def _ends(row: Row, score: str) -> str:
    if not math.isfinite(row["low"]):
        return ""
    if "accuracy" in score:
        return f" (95 % interval {100 * row['low']:.1f} to {100 * row['high']:.1f})"
    return f" (95 % interval {row['low']:.3f} to {row['high']:.3f})"


def _difference(value: float, score: str) -> str:
    return f"{100 * value:.1f} percentage points" if "accuracy" in score else f"{value:.2g}"


def _times(ratio: float) -> str:
    if not math.isfinite(ratio):
        return "infinitely many times"
    return f"{ratio:,.0f} times" if ratio < 1e6 else f"{ratio:.0e} times"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def _blown_up(results: Results) -> str:
    if results.metric == "accuracy":
        return ""
    return f", or that ends {DIVERGED_LOSS:g} times above that of a constant answer"
