"""Every field of Facts, for every function and case, against the function itself in float64.

Breaks, extremes, zeros and means are found on a grid that refines itself without looking at the facts, so a
fact that is missing fails as well as one that is wrong. That the function is right is tested elsewhere.
"""

import dataclasses
import functools
import math
import re

import _curves
import jax
import numpy as np
import pytest

import jaxacts
from jaxacts import Facts

inf, nan = math.inf, math.nan

# Facts are stated to 10 digits or more.
STATED = 1e-9
# In the tails (|x| to 1e8) algebraic functions are within about 1e-8 of their limits.
SETTLED = 1e-6
DENSE = _curves.DENSE

CASES = [(name, case) for name, record in jaxacts.records().items() for case in record.cases]


@pytest.fixture(scope="module", autouse=True)
def _compiled_quickly():
    """Facts do not depend on how well LLVM optimises, and a quarter of the time here is compilation."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def identify(name, case):
    return "-".join([name, *(f"{k}={v:g}" for k, v in case.items())])


class Evidence:
    """What was found out about a function at one setting."""

    def __init__(self, name, case, points):
        """Sample the function; the points, where something is claimed, are part of the grid."""
        self.record = record = jaxacts.records()[name]
        self.default = not case
        self.rows = _curves.refined(record, case, points)
        self.x, self.f, self.slope, self.bend = self.rows
        self.breaks = _curves.breaks(record, case, self.rows)
        self.mean, self.size = _curves.gaussian_mean(record, case, [p for p, _ in self.breaks])
        ends = _curves.jets(record, case, [-inf, inf])
        self.limits, self.slope_limits = ends[1], ends[2]
        self.left, self.right = self.rows[:, self.x < -30][:, ::-1], self.rows[:, self.x > 30]

    def at(self, point):
        """Rows f, f', f'' at one point of the grid."""
        return self.rows[1:, int(np.argmin(np.abs(self.x - point)))]


@functools.cache
def sampled(name, case, points):
    return Evidence(name, dict(case), points)


def evidence(name, case, facts):
    claimed = [*facts.breaks, *(facts.zeros or ()), *(facts.minimum or ())[:1]]
    return sampled(name, tuple(case.items()), tuple(p for p in claimed if math.isfinite(p)))


def close(a, b, tolerance=STATED):
    return a == b or abs(a - b) <= tolerance * max(1.0, abs(b))


def check_image(facts, seen):
    low, high = facts.image
    everything = np.concatenate([seen.f, seen.limits[np.isfinite(seen.limits)]])
    yield low <= high, "image is not ordered"
    yield everything.min() >= low - STATED * max(1, abs(low)), f"f goes down to {everything.min()}"
    yield everything.max() <= high + STATED * max(1, abs(high)), f"f goes up to {everything.max()}"
    for bound, extreme in ((low, everything.min()), (high, everything.max())):
        if math.isinf(bound):  # a logarithm has no large values on any grid, but an infinite limit
            yield bound in seen.limits or abs(extreme) > 1e4, f"f seems bounded by {extreme}, not {bound}"
        else:
            yield close(extreme, bound), f"f comes no nearer to {bound} than {extreme}"


def check_limit(claimed, at_end, tail, default):
    if math.isnan(claimed):
        yield not default or np.ptp(tail[-500:]) > 1e-3, f"there is a limit, {at_end}"
    elif math.isinf(claimed):
        rising = tail if claimed > 0 else -tail
        yield at_end == claimed, f"the function gives {at_end} there, not {claimed}"
        yield rising[-1] > rising[0] + 1, f"it does not grow towards {claimed}"
    else:
        yield close(at_end, claimed), f"the function gives {at_end} there, not {claimed}"
        yield close(tail[-1], claimed, SETTLED), f"it approaches {tail[-1]}, not {claimed}"


def check_limits(facts, seen):
    yield from check_limit(facts.limits[0], seen.limits[0], seen.left[1], seen.default)
    yield from check_limit(facts.limits[1], seen.limits[1], seen.right[1], seen.default)


def check_derivative_limits(facts, seen):
    low, high = facts.derivative_limits
    yield from check_limit(low, seen.slope_limits[0], seen.left[2], seen.default)
    yield from check_limit(high, seen.slope_limits[1], seen.right[2], seen.default)


def same_points(claimed, found):
    # breaks are located to 1e-5 where only f''' jumps, to 1e-7 elsewhere
    matches = [[p for p, _ in found if abs(p - c) <= 1e-4 * max(1, abs(c))] for c in claimed]
    yield list(claimed) == sorted(set(claimed)), "they are not in ascending order"
    yield all(matches), f"nothing jumps at {[c for c, m in zip(claimed, matches, strict=True) if not m]}"
    missing = [p for p, _ in found if all(p not in m for m in matches)]
    yield not missing, f"there is one at {missing}"


def check_kinks(facts, seen):
    yield from same_points([p for p, _ in facts.kinks], [b for b in seen.breaks if b[1] <= 1])
    for point, value in facts.kinks:
        taken = seen.at(point)[1]
        yield close(taken, value), f"jax.grad takes {taken} at {point}, not {value}"


def check_knots(facts, seen):
    yield from same_points(facts.knots, [b for b in seen.breaks if b[1] >= 2])


def check_smoothness(facts, seen):
    found = min((order for _, order in seen.breaks), default=inf) - 1
    yield facts.smoothness == found, f"{found} derivatives are continuous"


def check_monotone(facts, seen):
    steps = np.diff(seen.f)
    # between neighbouring points f is right to a few units in the last place
    noise = 1e-14 * (np.abs(seen.f[1:]) + np.abs(seen.f[:-1]))
    found = not (np.any(steps > noise) and np.any(steps < -noise))
    yield facts.monotone == found, f"f is {'' if found else 'not '}monotone"


def check_parity(facts, seen):
    mirrored = np.isin(-seen.x, seen.x)
    f, g = seen.f[mirrored], seen.f[mirrored][::-1]
    size = 1e-13 * (np.abs(f) + np.abs(g))  # a few units in the last place
    found = "odd" if np.all(np.abs(f + g) <= size) else "even" if np.all(np.abs(f - g) <= size) else None
    yield facts.parity == found, f"f is {found or 'neither odd nor even'}"


def check_zero_centred(facts, seen):
    # the quadrature is right to 1e-9 where f is as smooth as those functions whose mean vanishes
    found = abs(seen.mean) <= 1e-9 * seen.size
    yield facts.zero_centred == found, f"E f(z) = {seen.mean}"


def check_supremum(claimed, values, unbounded, missing):
    if math.isinf(claimed):
        yield claimed > 0, "it is negative"
        yield missing or unbounded, f"it is bounded by {values.max()}"
    else:
        yield not missing, "it jumps, so there is no Lipschitz constant"
        yield close(values.max(), claimed), f"the largest slope found is {values.max()}"


def check_lipschitz(facts, seen):
    slopes = np.abs(np.concatenate([seen.slope, seen.slope_limits[~np.isnan(seen.slope_limits)]]))
    jumps = any(order == 0 for _, order in seen.breaks)
    yield from check_supremum(facts.lipschitz, slopes, slopes.max() > 1e6, jumps)


def check_lipschitz_derivative(facts, seen):
    bends = np.abs(seen.bend)
    jumps = any(order <= 1 for _, order in seen.breaks)
    yield from check_supremum(facts.lipschitz_derivative, bends, bends.max() > 1e6, jumps)


def check_minimum(facts, seen):
    least = min(seen.f.min(), np.min(seen.limits, initial=inf, where=~np.isnan(seen.limits)))
    if facts.minimum is not None:
        point, value = facts.minimum
        f, slope, bend = seen.at(point)
        yield close(f, value), f"f({point}) is {f}"
        yield close(value, least), f"f goes down to {least}"
        smooth = all(abs(point - p) > 1e-6 for p, _ in seen.breaks)
        # the point is stated to 10 digits
        yield not smooth or abs(slope) <= STATED * max(1, abs(bend) * abs(point)), f"f' is {slope} there"
    yield (facts.minimum is not None) == isolated(seen, least), f"the least value found is {least}"


def isolated(seen, least):
    """Whether the infimum is attained at one isolated point, wherever else it is approached."""
    if math.isinf(least):
        return False
    where = np.flatnonzero(seen.f <= least + 1e-12 * max(1, abs(least)))
    runs = [seen.x[r] for r in np.split(where, np.flatnonzero(np.diff(where) > 1) + 1) if r.size]
    narrow = [
        r[0] for r in runs if np.ptp(r) < 1e-4 and abs(r[0]) < DENSE
    ]  # a parabola is that flat for 1e-6
    if len(narrow) != 1:
        return False
    # elsewhere the grid may be too coarse to hit a minimum that is as low
    inside, step = seen.f[1:-1], np.maximum(np.diff(seen.x)[1:], np.diff(seen.x)[:-1])
    valley = (inside < seen.f[:-2]) & (inside < seen.f[2:]) & (np.abs(seen.x[1:-1]) < DENSE)
    as_low = inside - step**2 * np.abs(seen.bend[1:-1]) <= least
    return not np.any(valley & as_low & (np.abs(seen.x[1:-1] - narrow[0]) > 0.01))


def check_zeros(facts, seen):
    sign = np.sign(seen.f)
    changes = np.flatnonzero(sign[1:] * sign[:-1] < 0)
    jumps = [p for p, order in seen.breaks if order == 0]
    changes = [i for i in changes if all(abs(seen.x[i] - p) > 1e-6 for p in jumps)]
    # an interval of zeros begins at a break; away from one, exact zeros are underflow
    starts = [p for p, _ in seen.breaks]
    flat = [p for p in starts if any(np.sum(zero_run(seen, p, side)) > 50 for side in (-1, 1))]
    if facts.zeros is None:
        # a Gaussian envelope leaves sixteen of infinitely many above the smallest double
        yield flat or len(changes) > 12, f"there are only {len(changes)} changes of sign"
        return
    yield not flat, f"f vanishes on an interval beside {flat}"
    yield len(changes) <= 50, f"there are {len(changes)} changes of sign"
    yield list(facts.zeros) == sorted(set(facts.zeros)), "they are not in ascending order"
    for zero in facts.zeros:
        f, slope, _ = seen.at(zero)
        # stated to 10 digits; where f' vanishes too, f has to be exactly zero
        yield abs(f) <= 1e-10 * abs(zero * slope), f"f({zero}) is {f}"
    exact = seen.x[(sign == 0) & (np.abs(seen.x) <= 30)]
    exact = [z for z in exact if seen.f[seen.x < z - 1e-3][-1] and seen.f[seen.x > z + 1e-3][0]]
    for found in [*(seen.x[i] for i in changes), *exact]:
        yield any(abs(found - z) <= 0.02 * max(1, abs(z)) for z in facts.zeros), f"there is one near {found}"


def zero_run(seen, point, side):
    """Which grid points within 1 of the break, on one side, are zeros of f."""
    distance = side * (seen.x - point)
    return (distance > 1e-6) & (distance < 1) & (seen.f == 0)


def check_family(facts, seen):
    module = seen.record.fn.__module__.rsplit("._", 1)[-1]
    yield facts.family and module.startswith(facts.family.replace(" ", "_")), f"it is declared in {module}"


def check_year(facts, seen):
    text = seen.record.reference
    years = {int(y) for y in re.findall(r"\b(1[89]\d\d|20\d\d)\b(?!-)", text)}
    years |= {2000 + int(y) for y in re.findall(r"arxiv\.org/abs/(\d\d)\d\d\.", text)}
    if facts.year is None:
        yield "arxiv" not in text and "doi.org" not in text, "the reference is dated"
    else:
        yield facts.year in years, f"the reference is of {sorted(years)}"


@functools.cache
def names_of(fn):
    return {name for name in jaxacts.names() if jaxacts.get(name).fn is fn}


def test_other_names_are_names_in_the_module():
    assert jaxacts.swish is jaxacts.silu
    assert jaxacts.facts("swish") == jaxacts.facts(jaxacts.silu)
    with pytest.raises(AttributeError, match="no attribute 'swosh'"):
        jaxacts.swosh  # noqa: B018


def check_aliases(facts, seen):
    known = names_of(seen.record.fn) - {seen.record.name}
    yield set(facts.aliases) == known, f"jaxacts.get knows it as {sorted(known)}"
    yield len(set(facts.aliases)) == len(facts.aliases), "one is given twice"


CHECKS = {name.removeprefix("check_"): f for name, f in globals().items() if name.startswith("check_")}
FIELDS = [field.name for field in dataclasses.fields(Facts)]


def stated(value):
    """Whether a value is given: outside the default case NaN, and a pair with a NaN, says that it is not."""
    return not any(
        isinstance(v, float) and math.isnan(v) for v in (value if isinstance(value, tuple) else [value])
    )


def problems(name, case, facts):
    """What is wrong with the facts: pairs (field, message)."""
    seen = evidence(name, case, facts)
    wrong = []
    for field in FIELDS:
        value = getattr(facts, field)
        if not stated(value) and "limits" not in field:
            if seen.default:
                wrong.append((field, "is not stated"))
            continue
        for holds, message in CHECKS[field](facts, seen):
            if not holds:
                wrong.append((field, f"= {value}, but {message}"))
    return wrong


@pytest.mark.parametrize(("name", "case"), CASES, ids=[identify(*c) for c in CASES])
def test_facts(name, case, x64):
    facts = jaxacts.records()[name].facts_at(**case)
    assert not problems(name, case, facts)


@pytest.mark.parametrize("name", jaxacts.records())
def test_reference_is_given(name):
    record = jaxacts.records()[name]
    # a link, or at least a year and something to look for
    assert re.search(
        r"https://(arxiv\.org/abs/\d{4}\.\d{4,5}|doi\.org/10\.|\S+\.\S+)|\b(19|20)\d\d\b", record.reference
    )
    assert len(record.reference) > 15
    assert record.formula.strip("\\ ")


def test_every_field_has_a_check():
    assert set(FIELDS) <= set(CHECKS)


# One false claim for each field, and more where a small error or an omission must be noticed.
FALSE = {
    "silu": [
        {"image": (-0.2784645, inf)},
        {"image": (-1.0, inf)},
        {"image": (-0.278464542761074, 1e3)},
        {"limits": (-1.0, inf)},
        {"limits": (nan, inf)},
        {"derivative_limits": (0.0, 1.1)},
        {"lipschitz": 1.1},
        {"lipschitz": 1.0998},
        {"lipschitz": inf},
        {"lipschitz_derivative": 0.500001},
        {"lipschitz_derivative": 0.499999},
        {"lipschitz_derivative": nan},
        {"kinks": ((0.0, 0.5),)},
        {"knots": (0.0,)},
        {"smoothness": 2},
        {"monotone": True},
        {"parity": "odd"},
        {"zero_centred": True},
        {"minimum": None},
        {"minimum": (-1.27846, -0.278464542761074)},
        {"zeros": ()},
        {"zeros": (-30.0, 0.0)},
        {"zeros": None},
        {"family": "periodic"},
        {"family": ""},
        {"year": 1986},
        {"year": None},
        {"aliases": ()},
        {"aliases": ("swish", "swash")},
    ],
    "hard_tanh": [
        {"image": (-1.0, 2.0)},
        {"limits": (-1.0, 0.999)},
        {"derivative_limits": (0.0, nan)},
        {"lipschitz": 2.0},
        {"lipschitz_derivative": 1.0},
        {"kinks": ((-1.0, 1.0),)},
        {"kinks": ((-1.0, 1.0), (1.0, 0.0))},
        {"kinks": ((-1.0, 1.0), (1.001, 0.0))},
        {"knots": (0.0,)},
        {"smoothness": 1},
        {"smoothness": -1},
        {"monotone": False},
        {"parity": None},
        {"parity": "even"},
        {"zero_centred": False},
        {"minimum": (-1.0, -1.0)},
        {"zeros": None},
        {"zeros": (0.0, 0.5)},
    ],
    "smelu": [{"knots": (-1.0,)}, {"smoothness": inf}, {"zeros": (-1.0,)}, {"lipschitz_derivative": inf}],
    "hard_shrink": [{"smoothness": 0}, {"lipschitz": 1.0}, {"kinks": ()}, {"zeros": (0.0,)}],
}
MUTATIONS = [(name, change) for name, changes in FALSE.items() for change in changes]


def test_false_claims_cover_every_field():
    assert {field for _, change in MUTATIONS for field in change} == set(FIELDS)


@pytest.mark.parametrize("name", FALSE)
def test_a_false_claim_is_noticed(name, x64):
    facts = jaxacts.records()[name].facts
    for change in FALSE[name]:
        (field,) = change
        wrong = problems(name, {}, dataclasses.replace(facts, **change))
        assert field in dict(wrong), change


def test_what_is_not_stated_is_skipped_only_outside_the_default(x64):
    facts = dataclasses.replace(jaxacts.facts(jaxacts.get("silu", beta=2.0)), lipschitz=nan)
    assert not problems("silu", {"beta": 2.0}, facts)
    assert problems("silu", {}, dataclasses.replace(jaxacts.records()["silu"].facts, lipschitz=nan))
