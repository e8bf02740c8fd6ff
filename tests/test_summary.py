"""The summary of a comparison: what is counted, what is compared, and what is said."""

import dataclasses
import json
import math

import _synthetic
import numpy as np
import pytest
import scipy.stats

from jaxacts.lab import outcomes, store, summary, wording


def by_name(found):
    return {row["activation"]: row for row in found.rows}


def test_rows_are_ordered_and_compared_with_the_best():
    results = _synthetic.results(levels={"relu": 0.799})
    found = summary.summarise(results)
    rows = by_name(found)
    means = [row["mean"] for row in found.rows]
    assert means == sorted(means, reverse=True)
    best = found.rows[0]
    assert best["best"]
    assert rows["sigmoid"]["as_good"] is False
    a = summary.final_scores(results, best["activation"], "")
    b = summary.final_scores(results, "sigmoid", "")
    assert rows["sigmoid"]["p"] == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue, rel=1e-9)
    assert rows["sigmoid"]["p_holm"] >= rows["sigmoid"]["p"]
    assert rows["sigmoid"]["difference"] == pytest.approx(np.mean(a - b))
    assert rows["sigmoid"]["improvement"] == 1.0


def test_equal_activations_are_marked():
    results = _synthetic.results(activations=("relu", "gelu"), levels={"relu": 0.8, "gelu": 0.8})
    found = summary.summarise(results)
    assert found.rows[1]["as_good"] is True
    assert "is not distinguishable from it with 5 seeds" in found.headline[0]


def test_only_runs_at_the_chosen_rate_count():
    results = _synthetic.results()
    rows = by_name(summary.summarise(results))
    for name in results.activations:
        index = [
            i for i, r in enumerate(results.runs) if r["activation"] == name and r["learning_rate"] == 1e-3
        ]
        assert rows[name]["mean"] == pytest.approx(results.curves["test_accuracy"][index, -1].mean())
        assert rows[name]["runs"] == len(index) == 5


def test_seeds_are_paired_whatever_their_order_in_the_file():
    results = _synthetic.results(seed=3)
    order = np.random.default_rng(0).permutation(len(results.runs))
    shuffled = dataclasses.replace(
        results,
        runs=[results.runs[i] for i in order],
        curves={name: values[order] for name, values in results.curves.items()},
        diverged=results.diverged[order],
    )
    for name in results.activations:
        np.testing.assert_array_equal(
            summary.final_scores(results, name, ""), summary.final_scores(shuffled, name, "")
        )


def diverge(results, activation, seeds):
    index = [
        i for i, run in enumerate(results.runs)
        if run["activation"] == activation and run["seed"] in seeds and run["learning_rate"] == 1e-3
    ]  # fmt: skip
    diverged = results.diverged.copy()
    diverged[index] = True
    curves = {name: values.copy() for name, values in results.curves.items()}
    for values in curves.values():
        values[index, -2:] = np.nan
    return dataclasses.replace(results, curves=curves, diverged=diverged)


def test_divergence_is_counted_and_never_averaged():
    results = _synthetic.results()
    want = np.delete(summary.final_scores(results, "gelu", ""), 2).mean()
    found = summary.summarise(diverge(results, "gelu", {2}))
    gelu = by_name(found)["gelu"]
    assert gelu["diverged"] == found.diverged == 1
    assert gelu["mean"] == pytest.approx(want)
    assert found.rows[0]["activation"] != "gelu"  # behind those that always finish
    assert gelu["as_good"] is False
    assert gelu["rank"] > 1.0
    assert any("gelu diverged in 1 of 5 runs" in sentence for sentence in found.headline)


def with_scores(scores, classes=10):
    """A comparison whose final accuracies are given, by activation; NaN for a run that diverged."""
    results = _synthetic.results(activations=tuple(scores), seeds=len(next(iter(scores.values()))))
    results.manifest["dataset"]["classes"] = classes
    for name, final in scores.items():
        index = summary.chosen_runs(results, name, "")
        results.curves["test_accuracy"][index] = np.asarray(final)[:, None]
        lost = {seed for seed, score in enumerate(final) if math.isnan(score)}
        results = diverge(results, name, lost)
    return results


def test_a_diverged_run_is_not_called_significance():
    found = summary.summarise(
        with_scores({"gelu": [0.95, 0.93, 0.96, 0.94, 0.95], "relu": [0.95, 0.96, math.nan, 0.93, 0.94]})
    )
    assert found.rows[0]["activation"] == "gelu"
    assert found.rows[1]["p"] > 0.5
    assert found.rows[1]["worse"] is False
    assert "significantly" not in " ".join(found.headline)


def test_who_learnt_nothing_does_not_lead_because_it_never_diverged():
    found = summary.summarise(
        with_scores({"sigmoid": [0.11] * 5, "relu": [0.95, 0.96, math.nan, 0.94, 0.95]})
    )
    assert found.rows[0]["activation"] == "relu"
    assert found.headline[0].startswith("relu reaches the highest mean test accuracy, 95.0 %")
    assert "relu diverged in 1 of 5 runs" in found.headline[1]


def test_the_first_says_why_another_mean_is_higher():
    found = summary.summarise(
        with_scores({"gelu": [0.90, 0.91, 0.92, 0.90, 0.91], "relu": [0.95, 0.96, math.nan, 0.94, 0.95]})
    )
    assert found.rows[0]["activation"] == "gelu"
    assert "gelu leads with a mean" in found.headline[0]
    assert "a diverged run counts as a constant answer" in found.headline[0]


def test_ties_are_told_as_ties():
    found = summary.summarise(with_scores({name: [0.8, 0.9, 0.85] for name in ("a", "b", "c")}))
    assert found.headline[0].startswith("a, b and c reach the same highest mean test accuracy, 85.0 %")
    assert any(text.startswith("a, b and c are the first to reach the target") for text in found.headline)


def test_no_target_below_what_a_constant_answer_scores():
    found = summary.summarise(with_scores({"a": [0.5, 0.5], "b": [0.5, 0.49]}, classes=2))
    assert math.isnan(found.rows[0]["target"])
    assert not any("target" in text for text in found.headline)


def test_good_runs_stay_in_the_overall_mean_when_another_setting_diverged():
    results = _synthetic.results(activations=("relu", "gelu"), facets=("depth=2", "depth=4"))
    kept = summary.final_scores(results, "gelu", "depth=2")
    index = summary.chosen_runs(results, "gelu", "depth=4")
    results.curves["test_accuracy"][index[1:]] = math.nan
    results.diverged[index[1:]] = True
    overall = {row["activation"]: row for row in summary.summarise(results).overall}
    whole = np.append(kept, summary.final_scores(results, "gelu", "depth=4")[0])
    assert overall["gelu"]["iqm"] == pytest.approx(scipy.stats.trim_mean(whole, 0.25))
    results.diverged[index] = True
    found = summary.summarise(results)
    assert not any("nan" in text for text in found.headline)


def test_everything_diverged():
    results = _synthetic.results(activations=("relu", "gelu"))
    for name in ("relu", "gelu"):
        results = diverge(results, name, set(range(5)))
    found = summary.summarise(results)
    assert found.diverged == 10
    assert "Every run of every activation diverged" in found.headline[0]
    json.dumps(found.document(), allow_nan=False)


def test_runs_that_did_not_learn_are_counted_with_the_reason():
    results = _synthetic.results(levels={"sigmoid": 0.1})
    found = summary.summarise(results)
    assert by_name(found)["sigmoid"]["not_learned"] == 5
    sentence = next(s for s in found.headline if "did not learn" in s)
    # three layers, each shrinking the gradient e^3 times
    assert "8,103 times smaller" in sentence


def test_chance_is_three_standard_errors_of_a_constant_answer():
    level, learnt = summary.chance(_synthetic.results())
    assert level == 0.1
    assert learnt == pytest.approx(0.1 + 3 * math.sqrt(0.09 / 100))


def test_target_is_a_share_of_the_best_median():
    results = _synthetic.results()
    results = dataclasses.replace(results, config=results.config | {"target": 0.5})
    found = summary.summarise(results)
    assert found.rows[0]["target"] == pytest.approx(0.5 * found.rows[0]["median"])
    row = found.rows[0]
    curves = summary.score_curves(results, summary.chosen_runs(results, row["activation"], ""))
    first = [results.steps[np.flatnonzero(c >= row["target"])[0]] for c in curves]
    assert row["steps_to_target"] == np.median(first)
    assert row["reached"] == 5


def test_the_best_rate_is_the_chosen_one_when_seeds_diverge():
    results = _synthetic.results()  # in which every rate of 1e-3 was chosen
    lost = np.array([run["learning_rate"] >= 1e-3 and run["seed"] == 0 for run in results.runs])
    for row in summary.summarise(dataclasses.replace(results, diverged=lost)).rows:
        assert row["best_rate"] == row["learning_rate"] == 1e-3
        assert not row["at_edge"]


def test_equal_mean_ranks_are_no_lead():
    rows = [{"activation": name, "iqm": 0.9, "mean_rank": rank} for name, rank in
            [("relu", 1.9583333333333333), ("gelu", 1.9583333333333335), ("tanh", 2.1)]]  # fmt: skip
    assert wording.headline([], rows, "test accuracy")[0] == (
        "Over all settings relu and gelu share the best mean rank (2.0)."
    )
    assert wording.headline([], rows[1:], "test accuracy")[0].startswith(
        "Over all settings gelu has the best"
    )


@pytest.mark.parametrize(
    ("steps", "target", "words"),
    [(1234.0, 0.8, "1,234"), (math.inf, 0.8, "never"), (math.inf, math.nan, "–")],  # at last, no target
)
def test_steps_to_target_in_words(steps, target, words):
    assert outcomes.steps_in_words({"steps_to_target": steps, "target": target}) == words


def test_sensitivity_uses_the_validation_split():
    results = _synthetic.results()
    found = summary.sensitivity(results, "gelu", "")
    assert found["best"] == 1e-3
    assert found["low"] == found["high"] == 1e-3
    assert found["seeds"] == 5
    assert not found["at_edge"]


def test_facets_are_summarised_apart_and_together():
    results = _synthetic.results(facets=("depth=2", "depth=4"))
    found = summary.summarise(results)
    assert [row["facet"] for row in found.rows] == ["depth=2"] * 4 + ["depth=4"] * 4
    assert found.overall[0]["activation"] == "gelu"
    scores = np.stack([summary.final_scores(results, "gelu", f) for f in results.facets])
    assert found.overall[0]["iqm"] == pytest.approx(scipy.stats.trim_mean(scores, 0.25, axis=None))


def test_many_facets_are_told_together():
    facets = tuple(f"depth={depth}" for depth in (1, 2, 3, 4))
    found = summary.summarise(_synthetic.results(facets=facets, levels={"sigmoid": 0.1}))
    assert len(found.headline) < 2 * len(facets)
    leads = [row["activation"] for row in found.rows if row["best"]]
    assert f"gelu in {leads.count('gelu')}" in found.headline[1]
    assert any("Significantly worse" in text and "sigmoid in 4" in text for text in found.headline)
    assert any("sigmoid did not learn in 20 of 20 runs, in all 4 settings" in text for text in found.headline)


def test_methods_name_versions_network_and_training():
    results = _synthetic.results()
    for run in results.runs:
        run |= {"precision": "float16", "batch_size": 32, "normalisation": "layer"}
    notes = " ".join(summary.summarise(results).notes)
    assert "networks of 3 hidden layers of 16 units" in notes
    assert "layer normalisation" in notes
    assert "for 500 steps of adam with minibatches of 32" in notes
    assert "float16 with dynamic loss scaling" in notes
    assert "JAX 0.10.2 and NumPy 2.4 on 1 × cpu" in notes


def test_intervals_of_an_accuracy_stay_between_0_and_1():
    results = _synthetic.results(seeds=2)
    results.curves["test_accuracy"][summary.chosen_runs(results, "gelu", ""), -1] = [0.9, 1.0]
    found = summary.summarise(results)
    # Student's interval of two scores reaches 12.7 standard errors to either side
    assert (found.rows[0]["mean"], found.rows[0]["high"]) == (pytest.approx(0.95), 1.0)
    assert all(0.0 <= row["low"] <= row["mean"] <= row["high"] <= 1.0 for row in found.rows)


def test_one_seed_promises_nothing():
    found = summary.summarise(_synthetic.results(seeds=1))
    assert all(row["as_good"] is None for row in found.rows[1:])
    assert math.isnan(found.rows[0]["low"])
    assert "cannot be judged" in found.headline[0]


def test_ten_seeds_use_permutation_tests_and_bootstrap():
    found = summary.summarise(_synthetic.results(seeds=10))
    assert {row["test"] for row in found.rows[1:]} == {"exact permutation"}
    assert {row["interval"] for row in found.rows} == {"bootstrap"}
    assert all(row["p"] == 2 / 2**10 for row in found.rows[1:])


def test_regression():
    found = summary.summarise(_synthetic.results(metric="score"))
    assert found.score == "test R²"
    top = summary.summarise(_synthetic.results(metric="score", levels={"tanh": 0.999}))
    assert by_name(top)["tanh"]["high"] == 1.0  # no R² is above
    assert "%" not in found.headline[0].replace("95 %", "")


def test_power_note_says_what_the_seeds_can_show():
    found = summary.summarise(_synthetic.results())
    assert any("5 seeds can detect a difference of" in note for note in found.notes)


def test_document_is_plain_json():
    text = json.dumps(summary.summarise(_synthetic.results()).document(), allow_nan=False)
    assert json.loads(text)["schema"] == summary.SCHEMA


def test_no_chosen_runs():
    results = dataclasses.replace(_synthetic.results(), chosen={})
    with pytest.raises(ValueError, match="no run at a chosen learning rate"):
        summary.summarise(results)


def test_a_regression_that_blew_up_has_diverged():
    results = _synthetic.results(metric="score", seeds=6)
    losses = {f"{part}_loss": np.ones_like(results.curves["test_score"]) for part in ("train", "validation")}
    losses |= {"test_loss": np.ones_like(results.curves["test_score"])}
    losses["validation_loss"][results.select(chosen=True, activation="tanh")[:4], -1] = 1e20
    losses["test_loss"][:, 0] = 1e20  # a bad start is none
    results = dataclasses.replace(
        results, diverged=store.diverged_runs(losses | {"test_score": results.curves["test_score"]})
    )
    found = summary.summarise(results)
    assert by_name(found)["tanh"]["diverged"] == found.diverged == 4
    assert not by_name(found)["tanh"]["as_good"]
    assert any("1000 times above that of a constant answer" in note for note in found.notes)
