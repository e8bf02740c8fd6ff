"""Facts at parameters that nobody declared a case for: zero, negative, small and large ones.

Every field that is stated there is held against the function in float64, on one grid a case; what is NaN is
not stated. What a function returns at infinity itself is tested elsewhere: here limits are those of tails.
"""

import dataclasses
import math

import _curves
import jax
import numpy as np
import pytest
import test_facts
from test_facts import SETTLED, close, stated

import jaxacts
from jaxacts import moments

inf, nan = math.inf, math.nan

# Coarser than the grid of test_facts, as there are more cases; refined where f may break or peak.
_HALF, _TAIL = np.linspace(0.0, 32.0, 700), np.geomspace(32.0, 1e8, 300)
_WAVE = np.pi / 20 * np.arange(41)  # waves of frequency 1 and 10 peak there
GRID = np.concatenate([-_TAIL, -_HALF, -_WAVE, _WAVE, _HALF, _TAIL])
FINE = 2e-6  # width, relative to 1 + |x|, of the cells that three rounds of refinement leave

RECORDS = {name: record for name, record in jaxacts.records().items() if record.parameters}
# Settings in which several parameters are unusual at once; where signs have to agree, both ways.
TOGETHER = {
    "acon_c": [
        {"p1": 0.2, "p2": 1.2},
        {"p1": -1.0, "p2": 0.0, "beta": -1.0},
        {"p1": -1.0, "p2": -2.0},
        {"p1": 0.0, "p2": -1.0},
        {"p1": 0.5, "p2": 0.5},
    ],
    "aptx": [{"alpha": -1.0, "gamma": -0.5}, {"alpha": 0.5, "beta": -2.0}, {"alpha": -0.5, "gamma": -1.0}],
    "aria2": [{"alpha": 1.0, "beta": -1.0}, {"alpha": -5.0, "beta": 1.0}],
    "b_silu": [{"alpha": -2.0}, {"alpha": -1.0}],
    "elu": [{"alpha": -0.5}],
    "gabor": [{"omega": 0.0, "s": 2.0}, {"omega": 3.0, "s": 0.0}, {"omega": -2.0, "s": 0.5}],
    "hexpo": [
        {"a": -1.0, "b": -1.0, "c": 1.0, "d": 1.0},
        {"a": -1.0, "c": 1.0},
        {"a": 1.0, "b": 2.0, "c": 1.0, "d": 2.0},
        {"a": -2.0, "b": 1.0, "c": -1.0, "d": 0.5},
        {"a": 0.0, "c": -1.0},
        {"a": 0.0, "c": 0.0},
    ],
    "mpelu": [{"alpha": -1.0, "beta": 2.0}, {"alpha": -1.0, "beta": -1.0}, {"alpha": 2.0, "beta": -0.5}],
    "sau": [{"alpha": 2.0, "beta": 0.1}, {"alpha": -0.5, "beta": -2.0}, {"alpha": -1.0}, {"alpha": 1.0}],
    "serlu": [{"scale": -1.0, "alpha": 1.0}],
    "smu": [{"alpha": 2.0, "mu": -1.0}, {"alpha": -1.0, "mu": 2.0}, {"alpha": 1.0}],
    "soft_root_sign": [{"alpha": -5.0, "beta": -3.0}],
    "threshold": [{"threshold": -1.0, "value": 2.0}],
    "xatlu": [{"alpha": -0.5}, {"alpha": -1.0}, {"alpha": -2.0}, {"alpha": -0.25}],
    "xgelu": [{"alpha": -0.5}, {"alpha": -1.0}, {"alpha": -2.0}, {"alpha": -0.02}],
    "xielu": [
        {"alpha_p": -1.0, "alpha_n": -1.0, "beta": 0.5},
        {"alpha_p": 0.4, "alpha_n": 0.8},
        {"alpha_p": 0.0, "alpha_n": 0.8, "beta": 0.5},
        {"alpha_p": 0.8, "alpha_n": 0.0, "beta": 0.0},
        {"alpha_p": 0.0, "alpha_n": 0.0},
        {"alpha_n": 0.5, "beta": 0.5},
    ],
    "xsilu": [{"alpha": -0.5}, {"alpha": -1.0}, {"alpha": -2.0}, {"alpha": -0.02}],
}


def cases(record, sizes=(0.0, -1.0)):
    """One parameter at a time times each of the sizes; all mirrored; and those above."""
    parameters = dict(record.parameters)
    for key, default in parameters.items():
        if isinstance(default, int):
            yield from ({key: value} for value in (1, 3, 4))
        else:
            values = {size * (default or 1.0) for size in sizes} - {default}
            yield from ({key: value} for value in sorted(values))
    if len(parameters) > 1:
        yield {key: -value for key, value in parameters.items()}
    yield from TOGETHER.get(record.name, [])


def accepts(record, case):
    """Whether the function takes the parameters; it checks them when it is traced."""
    try:
        jax.eval_shape(lambda x: record.fn(x, **case), np.float64(0.5))
    except (ValueError, TypeError, ArithmeticError):
        return False
    return True


def sampled(record, case, points):
    """Rows x, f, f', f'' on a refined grid with the points and their neighbours; finite ones."""
    points = np.array([p for p in points if math.isfinite(p)], np.float64)
    step = np.maximum(np.spacing(np.abs(points)), 1e-300)  # no subnormal numbers, which XLA takes for zero
    extra = np.concatenate([points, points - step, points + step])
    rows = _curves.jets(record, case, np.concatenate([GRID, -extra, extra]))
    for _ in range(3):
        cells = [np.linspace(rows[0, i], rows[0, i + 1], 50)[1:-1] for i in _curves._cells_to_split(rows)]
        rows = _curves._merge(rows, _curves.jets(record, case, np.concatenate(cells)[: _curves.CHUNK]))
    return rows[:, np.isfinite(rows).all(axis=0)]


class Evidence:
    """What the checks of test_facts need, without the search for breaks."""

    default = False

    def __init__(self, record, case, facts):
        """Sample the function on a grid that holds the points of which something is claimed."""
        self.rows = sampled(record, case, [*facts.breaks, *(facts.minimum or ())[:1]])
        self.x, self.f, self.slope, self.bend = self.rows
        # as claimed, which check_limits looks into: how far out f settles depends on the parameters
        self.limits, self.slope_limits = np.array(facts.limits), np.array(facts.derivative_limits)
        self.breaks = [(point, min(facts.smoothness + 1, 1)) for point, _ in facts.kinks]
        self.left, self.right = self.rows[:, self.x < -8][:, ::-1], self.rows[:, self.x > 8]

    def at(self, point):
        return self.rows[1:, int(np.argmin(np.abs(self.x - point)))]


def check_tail(claimed, tail):
    if not tail.size:
        yield False, "there is no tail"
    elif math.isinf(claimed):
        rising = tail if claimed > 0 else -tail
        yield rising[-1] > rising[0] + 0.5, f"it does not grow towards {claimed}"
    elif not math.isnan(claimed):
        yield close(tail[-1], claimed, SETTLED), f"it approaches {tail[-1]}, not {claimed}"


def check_limits(facts, seen):
    yield from check_tail(facts.limits[0], seen.left[1])
    yield from check_tail(facts.limits[1], seen.right[1])


def check_derivative_limits(facts, seen):
    yield from check_tail(facts.derivative_limits[0], seen.left[2])
    yield from check_tail(facts.derivative_limits[1], seen.right[2])


def check_monotone(facts, seen):
    steps = np.diff(seen.f)
    # differences of nearly equal numbers, as in soft_clipping with a negative alpha, are right to 1e-12
    noise = 1e-12 + 1e-14 * (np.abs(seen.f[1:]) + np.abs(seen.f[:-1]))
    found = not (np.any(steps > noise) and np.any(steps < -noise))
    yield facts.monotone == found, f"f is {'' if found else 'not '}monotone"


def check_kinks(facts, seen):
    for point, value in facts.kinks:
        i = int(np.argmin(np.abs(seen.x - point)))
        before, after = seen.slope[i - 1], seen.slope[i + 1]
        jump = abs(after - before) > 1e-6 * (1 + abs(before) + abs(after))
        yield jump or facts.smoothness < 0, f"f' does not jump at {point}"
        if not math.isnan(value):  # NaN: jax.grad is not defined there
            yield close(seen.slope[i], value), f"jax.grad takes {seen.slope[i]} at {point}, not {value}"


def check_smoothness(facts, seen):
    """That no kink or jump is missing; where only higher derivatives jump is left to the declared cases."""
    yield bool(facts.kinks) == (facts.smoothness < 1), "there are kinks if and only if f' jumps"
    fine = np.diff(seen.x) <= FINE * (1 + np.abs(seen.x[1:]))
    for order, scores in enumerate(_curves._jumps(seen.rows)[:2]):
        places = seen.x[1:][fine & (scores > 1e-6)]
        known = [point for point, _ in facts.kinks] if facts.smoothness < order else []
        missing = [p for p in places if all(abs(p - q) > 2 * FINE * (1 + abs(q)) for q in known)]
        yield not missing, f"derivative {order} jumps at {missing[:3]}"


def check_minimum(facts, seen):
    least = seen.f.min()
    if facts.minimum is not None:
        point, value = facts.minimum
        f, slope, bend = seen.at(point)
        yield close(f, value), f"f({point}) is {f}"
        yield close(value, least), f"f goes down to {least}"
        smooth = all(abs(point - p) > 1e-6 for p, _ in facts.kinks)
        # the point is stated to 10 digits
        yield not smooth or abs(slope) <= 1e-9 * max(1, abs(bend) * abs(point)), f"f' is {slope} there"
    elif stated(facts.limits) and facts.smoothness >= 0:
        # an oscillation has more minima than the grid shows, and beside a jump the infimum is not attained
        below = least < min(facts.limits) - 1e-9
        yield not (below and test_facts.isolated(seen, least)), f"the least value found is {least}"


CHECKS = {
    "image": test_facts.check_image,
    "limits": check_limits,
    "derivative_limits": check_derivative_limits,
    "kinks": check_kinks,
    "smoothness": check_smoothness,
    "monotone": check_monotone,
    "parity": test_facts.check_parity,
    "lipschitz": test_facts.check_lipschitz,
    "lipschitz_derivative": test_facts.check_lipschitz_derivative,
    "minimum": check_minimum,
}


def says_nothing(facts):
    """Whether the function is NaN or has a pole somewhere, and nothing is stated."""
    return facts.smoothness < 0 and not stated(facts.image) and not stated(facts.lipschitz)


def problems(record, case, facts):
    if says_nothing(facts):
        return
    with np.errstate(all="ignore"):  # exponentials overflow far out, and those rows are dropped
        seen = Evidence(record, case, facts)
        for field, check in CHECKS.items():
            value = getattr(facts, field)
            if not stated(value) and "limits" not in field:
                continue
            for holds, message in check(facts, seen):
                if not holds:
                    yield field, value, message


@pytest.fixture(scope="module", autouse=True)
def _compiled_quickly():
    """Facts do not depend on how well LLVM optimises."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.parametrize("sizes", [(0.0, -1.0), pytest.param((0.1, 10.0, -0.1), marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", RECORDS)
def test_facts_hold_at_unusual_parameters(name, sizes, x64):
    record = RECORDS[name]
    for case in cases(record, sizes):
        wrong = [*problems(record, case, jaxacts.facts(jaxacts.get(name, **case)))]
        assert not wrong or not accepts(record, case), case


# One false claim for each field that is checked, of elu with a dip that points upward.
FALSE = {
    "image": (-0.5, inf),
    "limits": (-0.5, inf),
    "derivative_limits": (0.0, 1.1),
    "kinks": ((0.0, 1.0),),
    "smoothness": 1,
    "monotone": True,
    "parity": "even",
    "lipschitz": 1.000001,
    "lipschitz_derivative": 3.0,
    "minimum": None,
}


def test_a_false_claim_is_noticed(x64):
    record, case = RECORDS["elu"], {"alpha": -0.5}
    facts = record.facts_at(**case)
    assert not [*problems(record, case, facts)]
    assert FALSE.keys() == CHECKS.keys()
    for field, value in FALSE.items():
        wrong = problems(record, case, dataclasses.replace(facts, **{field: value}))
        assert field in {found for found, *_ in wrong}, field
    assert [*problems(record, case, dataclasses.replace(facts, kinks=()))]


# As small and as large as numbers get, and beyond.
EXTREME = (0.0, -1.0, 5e-324, -5e-324, 1e-200, 1e200, -1e200, 1.7e308, inf, -inf, nan)


@pytest.mark.parametrize("name", RECORDS)
def test_facts_never_fail(name, x64):
    record = RECORDS[name]
    for key, default in record.parameters.items():
        for value in (1, 2) if isinstance(default, int) else EXTREME:
            facts = jaxacts.facts(jaxacts.get(name, **{key: value}))
            assert facts == jaxacts.facts(jaxacts.get(name, **{key: value}))
            reversed_image = facts.image[0] > facts.image[1]
            if reversed_image or facts.lipschitz < 0 or facts.lipschitz_derivative < 0:
                assert not accepts(record, {key: value}), (key, value, facts)


# Special cases of special cases, whose second moments are known: lines and a rectifier.
SECOND_MOMENTS = [
    ("xsilu", {"alpha": -0.5}, 0.25),
    ("xatlu", {"alpha": -0.5}, 0.25),
    ("isru", {"alpha": 0.0}, 1.0),
    ("isrlu", {"alpha": 0.0}, 1.0),
    ("squareplus", {"b": 0.0}, 0.5),
    ("acon_c", {"beta": 0.0}, 0.25),
    ("logish", {"beta": 0.0}, math.log(1.5) ** 2),
    ("smish", {"beta": 0.0}, (5 / 13) ** 2),
]


@pytest.mark.parametrize(
    ("name", "case", "moment"), SECOND_MOMENTS, ids=[name for name, *_ in SECOND_MOMENTS]
)
def test_gain_at_unusual_parameters(name, case, moment):
    gain = float(moments.gain(jaxacts.get(name, **case), kind="he"))
    assert abs(gain - moment**-0.5) < 1e-5 * gain  # float32


def test_plain_silu_and_mirrored_gates():
    silu = jaxacts.facts("silu")
    xsilu = jaxacts.facts(jaxacts.get("xsilu", alpha=0.0))
    assert (xsilu.image, xsilu.minimum, xsilu.lipschitz) == (silu.image, silu.minimum, silu.lipschitz)
    acon = jaxacts.facts(jaxacts.get("acon_c", p1=0.2, p2=1.2))
    assert acon.derivative_limits == (0.2, 1.2)
    assert jaxacts.facts(jaxacts.get("hosc", beta=-1.0)) == jaxacts.facts(jaxacts.get("hosc", beta=1.0))
