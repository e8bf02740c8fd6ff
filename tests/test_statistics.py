"""Statistics of few paired seeds, against scipy.stats and against counting by hand."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from jaxacts.lab import outcomes, paired, statistics


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("shape", [(1,), (4,), (5,), (11,), (7, 3)], ids=str)
def test_iqm_is_the_trimmed_mean_of_all_scores(shape, rng):
    scores = rng.normal(size=shape)
    # sums of at most 21 numbers near 1: a few roundings
    assert float(statistics.iqm(scores)) == pytest.approx(
        scipy.stats.trim_mean(scores, 0.25, axis=None), abs=1e-14
    )


def test_iqm_along_an_axis(rng):
    scores = rng.normal(size=(6, 9))
    np.testing.assert_allclose(
        statistics.iqm(scores, axis=1), scipy.stats.trim_mean(scores, 0.25, axis=1), atol=1e-14
    )


def test_iqm_of_nothing():
    with pytest.raises(ValueError, match="at least one score"):
        statistics.iqm(np.zeros(0))


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_t_interval(level, rng):
    scores = rng.normal(size=6)
    want = scipy.stats.ttest_1samp(scores, 0.0).confidence_interval(level)
    got = statistics.t_interval(scores, level)
    assert got.estimate == pytest.approx(scores.mean())
    assert (got.low, got.high) == pytest.approx((want.low, want.high), rel=1e-9)


def test_t_interval_leaves_out_diverged_runs_and_needs_two():
    assert statistics.t_interval(np.array([1.0, np.nan, 3.0])) == statistics.t_interval(np.array([1.0, 3.0]))
    assert math.isnan(statistics.t_interval(np.array([1.0])).low)
    assert math.isnan(statistics.t_interval(np.array([np.nan])).estimate)


def test_t_bands_are_t_intervals_at_every_point(rng):
    curves = rng.normal(size=(5, 4))
    curves[2, 1] = np.nan
    mean, low, high = statistics.t_bands(curves)
    for t in range(4):
        want = statistics.t_interval(curves[:, t])
        assert (mean[t], low[t], high[t]) == pytest.approx(want, rel=1e-12)


def test_bootstrap_agrees_with_scipy_for_one_task(rng):
    scores = rng.normal(size=12)
    got = statistics.bootstrap_interval(scores, np.mean, resamples=20_000)
    want = scipy.stats.bootstrap(
        (scores,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    # quantiles of 20,000 resamples: standard error about 0.02 of the standard error of the mean
    tolerance = 0.08 * scores.std() / math.sqrt(12)
    assert (got.low, got.high) == pytest.approx((want.low, want.high), abs=tolerance)


def test_bootstrap_is_stratified_as_scipy_resamples_several_samples(rng):
    scores = rng.normal(size=(8, 3)) + np.array([0.0, 5.0, 20.0])  # tasks far apart: strata matter
    got = statistics.bootstrap_interval(scores, statistics.iqm, resamples=20_000)
    want = scipy.stats.bootstrap(
        tuple(scores.T),
        lambda a, b, c, axis: scipy.stats.trim_mean(np.concatenate([a, b, c], axis=axis), 0.25, axis=axis),
        n_resamples=20_000,
        method="percentile",
        vectorized=True,
        rng=np.random.default_rng(1),
    )
    tolerance = 0.08 * want.standard_error  # as above
    interval = want.confidence_interval
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high), abs=tolerance)
    # without strata some samples would miss a task and the interval would be several times as wide
    flat = statistics.bootstrap_interval(scores.reshape(-1), statistics.iqm)
    assert flat.high - flat.low > 3 * (got.high - got.low)


def test_intervals_cover_the_truth_as_often_as_they_say(rng):
    samples = rng.normal(size=(1000, 5))
    hits = sum(low <= 0.0 <= high for _, low, high in map(statistics.t_interval, samples))
    # binomial with p = 0.95: four standard errors are 0.028
    assert abs(hits / 1000 - 0.95) < 0.028


def test_interval_changes_method_at_ten_seeds(rng):
    assert statistics.interval(rng.normal(size=9))[1] == "t"
    assert statistics.interval(rng.normal(size=10))[1] == "bootstrap"
    assert statistics.interval(np.append(rng.normal(size=9), np.nan))[1] == "t"


def test_paired_t(rng):
    a, b = rng.normal(size=(2, 7))
    assert paired.paired_test(a, b).p == pytest.approx(scipy.stats.ttest_rel(a, b).pvalue, rel=1e-9)
    assert paired.paired_test(a, b).method == "paired t"


def test_bootstrap_leaves_out_what_diverged():
    scores = np.array([[0.1, 0.5], [0.2, np.nan], [0.3, 0.7]])
    got = statistics.bootstrap_interval(scores, np.mean)
    assert got.estimate == pytest.approx(1.8 / 5)
    assert got.low < got.estimate < got.high
    assert math.isnan(statistics.bootstrap_interval(np.full((2, 2), np.nan)).estimate)


def test_paired_t_of_constant_differences():
    assert paired.paired_t(np.zeros(5)).p == 1.0
    # their spread is not known to be 0: five signs alike have p = 2/2^5
    assert paired.paired_t(np.ones(5)).p == 2 / 2**5
    # shares of 360 test examples, in float32
    share = lambda right: np.asarray(right, np.float32).astype(float) / np.float32(360)  # noqa: E731
    assert paired.paired_test(share([325, 318]), share([324, 317])).p == 0.5
    assert math.isnan(paired.paired_t(np.ones(1)).p)


@pytest.mark.parametrize("n", [3, 8, 11])
def test_exact_permutation_by_counting(n, rng):
    d = rng.normal(0.4, 1.0, size=n)
    signs = np.array(list(itertools.product([-1, 1], repeat=n)))
    want = np.mean(np.abs(signs @ d) >= abs(d.sum()) - 1e-9)  # rounding of a dozen terms near 1
    got = paired.paired_permutation(d)
    assert got.method == "exact permutation"
    assert got.p == pytest.approx(want, abs=1e-15)


def test_exact_permutation_agrees_with_scipy(rng):
    a, b = rng.normal(size=(2, 10)) + np.array([[0.6], [0.0]])
    want = scipy.stats.permutation_test(
        (a, b),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    ).pvalue
    assert paired.paired_test(a, b).p == pytest.approx(want, abs=1e-12)


@pytest.mark.parametrize("repeat", [1, 2])  # enumerated, and drawn
def test_shares_stored_in_single_precision_tie_as_the_counts_do(repeat):
    first = np.array([349, 349, 354, 341, 344, 346, 354, 341, 347, 347, 340, 346] * repeat)
    second = first - np.array([2, 0, 0, 2, 4, -2, 0, 4, 0, 2, 0, 3] * repeat)
    exact = paired.paired_test(first, second)
    shares = paired.paired_test(*(np.float32(counts / 360) for counts in (first, second)))
    assert exact == shares
    if repeat == 1:  # of the 7 differences that are not 0, 10 of 128 sign flips reach the sum
        assert exact.p == 10 / 128


def test_permutation_of_many_pairs_is_sampled_and_close_to_exact_t(rng):
    d = rng.normal(0.3, 1.0, size=40)
    got = paired.paired_permutation(d)
    assert got.method == "permutation"
    # normal differences: both tests agree to a few per cent of p; 20,000 flips add 0.003
    assert got.p == pytest.approx(scipy.stats.ttest_1samp(d, 0).pvalue, rel=0.15, abs=0.006)
    assert paired.paired_permutation(np.ones(40)).p == 1 / 20_001


def test_permutation_cannot_go_below_its_floor():
    assert paired.paired_permutation(np.arange(1.0, 6.0)).p == 2 / 2**5


def test_paired_scores_need_equal_shapes():
    with pytest.raises(ValueError, match=r"equal shapes, were \(2,\) and \(3,\)"):
        paired.paired_test(np.zeros(2), np.zeros(3))


def test_holm_against_its_definition():
    p = np.array([0.04, 0.001, np.nan, 0.02, 0.5])
    np.testing.assert_allclose(paired.holm(p), [0.08, 0.004, np.nan, 0.06, 0.5])
    assert paired.holm(np.array([0.9, 0.8])).max() == 1.0


def test_holm_holds_the_family_error(rng):
    """Under the null of no difference at all, any false finding is rarer than the level."""
    families = rng.uniform(size=(4000, 6))
    wrong = np.mean([paired.holm(row).min() < 0.05 for row in families])
    assert wrong < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 4000)  # four standard errors


def test_probability_of_improvement_is_mann_whitney(rng):
    a, b = rng.integers(0, 4, size=(2, 9)).astype(float)  # with ties
    want = scipy.stats.mannwhitneyu(a, b).statistic / 81
    assert statistics.probability_of_improvement(a, b) == pytest.approx(want, abs=1e-15)
    interval = statistics.improvement_interval(a, b)
    assert interval.estimate == pytest.approx(want, abs=1e-15)
    assert interval.low <= want <= interval.high


def test_probability_of_improvement_averages_over_tasks():
    a = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert statistics.probability_of_improvement(a, np.full((3, 2), 0.5)) == 0.5


def test_a_diverged_run_loses():
    assert statistics.probability_of_improvement(np.array([np.nan]), np.array([0.0])) == 0.0
    assert outcomes.ranks(np.array([[0.1, 0.2], [np.nan, 0.1]])).tolist() == [[1, 1], [2, 2]]


def test_improvement_interval_agrees_with_scipy_bootstrap(rng):
    a, b = rng.normal(size=(2, 10)) + np.array([[0.8], [0.0]])

    def wins(x, y, axis):
        return (x[..., :, None] > y[..., None, :]).mean(axis=(-1, -2))

    want = scipy.stats.bootstrap(
        (a, b), wins, method="percentile", n_resamples=4000, rng=np.random.default_rng(2), vectorized=True
    )
    got = statistics.improvement_interval(a, b, resamples=4000)
    interval = want.confidence_interval
    # quantiles of 4,000 resamples on a grid of 0.01: three standard errors of the quantile
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high), abs=0.2 * want.standard_error)


def test_effect_size(rng):
    a, b = rng.normal(size=(2, 6))
    d = a - b
    assert paired.effect_size(a, b) == pytest.approx(d.mean() / d.std(ddof=1) * (1 - 3 / 19))
    assert paired.effect_size(a, b) == -paired.effect_size(b, a)
    assert paired.effect_size(np.ones(3), np.zeros(3)) == math.inf
    assert math.isnan(paired.effect_size(np.array([1.0, 2.0]), np.zeros(2)))


def test_ranks_are_scipy_ranks(rng):
    scores = rng.integers(0, 5, size=(6, 8)).astype(float)
    np.testing.assert_array_equal(outcomes.ranks(scores), scipy.stats.rankdata(-scores, axis=0))
    means = [r.estimate for r in outcomes.rank_intervals(scores)]
    np.testing.assert_allclose(means, outcomes.ranks(scores).mean(axis=1))
    assert all(r.low <= r.estimate <= r.high for r in outcomes.rank_intervals(scores))


def test_detectable_difference_by_simulation(rng):
    """A paired t-test finds the difference it says it can detect in 80 % of experiments."""
    difference = outcomes.detectable_difference(5, 2.0)
    samples = rng.normal(difference, 2.0, size=(4000, 5))
    found = np.mean(scipy.stats.ttest_1samp(samples, 0.0, axis=1).pvalue < 0.05)
    assert abs(found - 0.8) < 4 * math.sqrt(0.8 * 0.2 / 4000)  # four standard errors
    assert outcomes.detectable_difference(1, 2.0) == math.inf


def test_performance_profile_counts(rng):
    scores = rng.uniform(size=(5, 4))
    thresholds = np.linspace(0, 1, 11)
    want = [(scores > t).sum() / 20 for t in thresholds]
    np.testing.assert_allclose(outcomes.performance_profile(scores, thresholds), want)


def test_profile_interval_is_the_percentile_bootstrap(rng):
    scores, thresholds = rng.uniform(size=12), np.array([0.2, 0.5, 0.8])
    low, high = outcomes.profile_interval(scores, thresholds)
    for t, a, b in zip(thresholds, low, high, strict=True):
        above = (scores > t).astype(float)
        want = scipy.stats.bootstrap(
            (above,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(3)
        ).confidence_interval
        # shares are multiples of 1/12; a sampled percentile may fall on the neighbour or between the two
        assert (a, b) == pytest.approx((want.low, want.high), abs=1 / 12)
    certain = outcomes.profile_interval(np.array([1.0, np.nan]), np.array([-1.0, 2.0]))
    assert certain[1][1] == 0.0
    assert certain[0][0] <= 0.5 <= certain[1][0]


def test_steps_to_target():
    steps = np.array([0, 5, 10])
    curves = np.array([[0.1, 0.8, 0.7], [0.1, 0.2, 0.8], [0.1, 0.2, np.nan], [0.9, 0.0, 0.0]])
    assert outcomes.steps_to_target(steps, curves, 0.8).tolist() == [5, 10, math.inf, 0]


def test_learning_rate_sensitivity():
    rates = np.array([1e-4, 1e-3, 1e-2, 1e-1, 1.0])
    scores = np.array([[0.5, 0.5], [0.9, 0.88], [0.9, 0.9], [0.87, 0.87], [0.95, np.nan]])
    s = outcomes.learning_rate_sensitivity(rates, scores)
    assert (s.best, s.low, s.high) == (1e-2, 1e-3, 1e-1)
    assert s.decades == pytest.approx(2.0)
    nothing = outcomes.learning_rate_sensitivity(rates[:1], np.array([[np.nan]]))
    assert all(math.isnan(v) for v in nothing)


def test_sensitivity_is_that_of_the_rate_that_was_chosen():
    rates = np.array([1e-4, 1e-3, 1e-2])
    scores = np.array([[0.1, 0.1], [0.9, np.nan], [0.4, np.nan]])
    assert outcomes.learning_rate_sensitivity(rates, scores).best == 1e-4
    told = outcomes.learning_rate_sensitivity(rates, scores, best=1e-3)
    assert (told.best, told.low, told.high) == (1e-3, 1e-3, 1e-3)
    # compared with the runs that did not diverge: 0.44 is not nearly as good as 0.9
    scores = np.array([[0.2, 0.2], [0.9, np.nan], [0.44, 0.44]])
    assert outcomes.learning_rate_sensitivity(rates, scores, best=1e-3).high == 1e-3
    with pytest.raises(ValueError, match="best must be one of the rates"):
        outcomes.learning_rate_sensitivity(rates, scores, best=0.5)


def test_good_range_is_unbroken_and_works_below_zero():
    rates = np.array([1e-3, 1e-2, 1e-1])
    assert outcomes.learning_rate_sensitivity(rates, np.array([[0.9], [0.1], [0.91]])).low == 1e-1
    assert outcomes.learning_rate_sensitivity(rates, np.array([[-1.0], [-1.01], [-3.0]])).high == 1e-2


def test_log_bands_are_t_intervals_of_the_logarithm(rng):
    curves = np.exp(rng.normal(size=(5, 3)))
    mean, low, high = statistics.log_bands(curves)
    np.testing.assert_allclose(mean, scipy.stats.gmean(curves, axis=0))
    want = statistics.t_interval(np.log(curves[:, 1]))
    assert (np.log(low[1]), np.log(high[1])) == pytest.approx((want.low, want.high))
    assert np.isfinite(statistics.log_bands(np.array([[1e-300], [1e300]]))).all()


def test_sign_flips_are_passed_over_where_they_could_show_nothing(rng):
    a, b = rng.normal(size=(2, 10))
    assert paired.paired_test(a, b, comparisons=25).method == "exact permutation"  # 25 * 2/1024 < 0.05
    assert paired.paired_test(a, b, comparisons=26).method == "paired t"


@pytest.mark.parametrize("seeds", [2, 5])
@pytest.mark.parametrize("examples", [36, 114, 360, 1000])
def test_equal_differences_of_float32_scores_are_no_evidence(examples, seeds):
    random = np.random.default_rng(examples)
    for _ in range(50):
        right = random.integers(10, examples, seeds)
        a, b = np.float32(right) / np.float32(examples), np.float32(right - 2) / np.float32(examples)
        test = paired.paired_test(a, b)
        assert (test.p, test.method) == (2.0 ** (1 - seeds), "exact permutation")
        assert paired.one_amount(a, b)
        if seeds > 2:
            assert paired.effect_size(a, b) == np.inf
            assert paired.effect_size(b, a) == -np.inf
    right[0] += 1  # one example more is a difference
    assert not paired.one_amount(np.float32(right) / np.float32(examples), b)


def test_one_run_has_no_interval():
    assert np.isnan(statistics.improvement_interval(np.array([0.9]), np.array([0.5]))[1:]).all()
    assert np.isnan(outcomes.rank_intervals(np.array([[0.9], [0.5]]))[0][1:]).all()
