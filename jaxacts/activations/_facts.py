"""Facts that several functions share: of lines, of scaled and mirrored functions, and of gates."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxacts._declare import Facts, inf, nan

__all__: list[str] = []


def constant(value: float, **about: Any) -> Facts:
    """Facts of a constant; the constant 0 is both odd and even, and counts as odd."""
    pair, zeros = (value, value), () if value else None
    return Facts(
        pair,
        pair,
        (0.0, 0.0),
        0.0,
        0.0,
        monotone=True,
        parity="even" if value else "odd",
        zero_centred=not value,
        zeros=zeros,
        **about,
    )


def line(slope: float, **about: Any) -> Facts:
    """Facts of a line through the origin."""
    if slope == 0:
        return constant(0.0, **about)
    end = slope * inf
    return Facts(
        image=(-inf, inf),
        limits=(-end, end),
        derivative_limits=(slope, slope),
        lipschitz=math.fabs(slope),
        lipschitz_derivative=0.0,
        monotone=True,
        parity="odd",
        zero_centred=True,
        **about,
    )


def rectifier(value: float = 0.0, **about: Any) -> Facts:
    """Facts of max(x, 0), to whose kink a derivative is given."""
    return Facts(
        image=(0.0, inf),
        limits=(0.0, inf),
        derivative_limits=(0.0, 1.0),
        lipschitz=1.0,
        lipschitz_derivative=inf,
        kinks=((0.0, value),),
        smoothness=0,
        monotone=True,
        zeros=None,
        **about,
    )


def transformed(facts: Facts, outer: float = 1.0, inner: float = 1.0) -> Facts:
    """Facts of outer * f(inner * x) from those of f; a factor of -1 negates or mirrors.

    The derivative at a kink is taken from the chain rule. With a negative `outer` the maximum of f, which no
    field has, becomes the minimum: the result states none, which is right where f grows without bound.
    """
    if outer == 0:
        about = {"family": facts.family, "year": facts.year, "aliases": facts.aliases}
        return constant(0.0, **about)
    slope = outer * inner
    if not (slope and math.isfinite(slope) and math.isfinite(1 / inner)):
        raise OverflowError(f"{outer} f({inner} x) leaves the range of a double")
    low, high = (_product(outer, end) for end in facts.image)
    left, right = (_product(outer, end) for end in facts.limits)
    before, after = (_product(slope, end) for end in facts.derivative_limits)
    minimum = facts.minimum if outer > 0 else None
    return dataclasses.replace(
        facts,
        image=(low, high) if outer > 0 else (high, low),
        limits=(left, right) if inner > 0 else (right, left),
        derivative_limits=(before, after) if inner > 0 else (after, before),
        lipschitz=_product(math.fabs(slope), facts.lipschitz),
        lipschitz_derivative=_product(math.fabs(slope * inner), facts.lipschitz_derivative),
        kinks=tuple(sorted((point / inner + 0.0, _product(slope, value)) for point, value in facts.kinks)),
        knots=tuple(sorted(point / inner + 0.0 for point in facts.knots)),
        minimum=minimum and (_product(1 / inner, minimum[0]), _product(outer, minimum[1])),
        zeros=facts.zeros and tuple(sorted(_product(1 / inner, zero) for zero in facts.zeros)),
    )


def _product(factor: float, value: float) -> float:
    """A product without -0.0, and with the NaN of what is not stated, an object that equals itself."""
    return nan if math.isnan(value) else factor * value + 0.0


def root(g: Callable[[float], float], low: float, high: float) -> float:
    """The root of a monotone g between two points, by bisection to the last digit."""
    rising = g(high) > 0
    for _ in range(1100):  # from the largest double to the smallest, should it come to that
        middle = low / 2 + high / 2
        if not low < middle < high:
            break
        low, high = (low, middle) if (g(middle) > 0) == rising else (middle, high)
    return low / 2 + high / 2


class Gate(NamedTuple):
    """A gate 1/2 + c(u) with odd c, which rises from -1/2 to 1/2.

    Attributes:
      centred: c.
      slope: q(u) = c(u) + u c'(u), the derivative of u c(u).
      steepest: the supremum of q.
      peak: where q takes it, or a number beyond which q only approaches it.
      bend: q'(0), the supremum of |q'|.
      tail: the limit of u (1/2 - c(u)) at infinity.
      crossing: the u where the gate is a / (a + b), a function of positive a and b.
    """

    centred: Callable[[float], float]
    slope: Callable[[float], float]
    steepest: float
    peak: float
    bend: float
    tail: float
    crossing: Callable[[float, float], float]


def _logistic(u: float) -> float:
    return math.tanh(u / 2) / 2


def _normal(u: float) -> float:
    return math.erf(u / math.sqrt(2)) / 2


def _cauchy(u: float) -> float:
    return math.atan(u) / math.pi


LOGISTIC = Gate(
    _logistic,
    lambda u: _logistic(u) + u * (0.25 - _logistic(u) ** 2),
    0.599839320128867,
    2.399357280515468,
    0.5,
    0.0,
    lambda a, b: math.log(a) - math.log(b),
)
NORMAL = Gate(
    _normal,
    lambda u: _normal(u) + u * math.exp(-u * u / 2) / math.sqrt(2 * math.pi),
    0.62890414518516,
    math.sqrt(2),
    math.sqrt(2 / math.pi),
    0.0,
    lambda a, b: root(lambda u: math.erfc(-u / math.sqrt(2)) / 2 - a / (a + b), -40.0, 40.0),
)
CAUCHY = Gate(
    _cauchy,
    lambda u: _cauchy(u) + u / (1 + u * u) / math.pi,
    0.5,
    1e8,
    2 / math.pi,
    1 / math.pi,
    lambda a, b: -1 / math.tan(math.pi * (a / (a + b))),
)


def gated(left: float, right: float, gate: Gate, factor: float = 1.0, **about: Any) -> Facts:
    """Facts of x times a gate that leads from `left` to `right` as factor * x grows.

    The function is m x + k x c(factor * x), where m is the mean of both ends and k their difference.
    """
    if left == right or factor == 0:
        return line((left + right) / 2, **about)
    if left > right:
        return gated(right, left, gate, -factor, **about)
    if factor != 1:
        return transformed(gated(left, right, gate, **about), 1 / factor, factor)
    mean, change = (left + right) / 2, right - left
    if math.isinf(change):
        raise OverflowError(f"a gate from {left} to {right} leaves the range of a double")
    flat = -change * gate.tail + 0.0
    limits = (-left * inf if left else flat, right * inf if right else flat)
    monotone = math.fabs(mean) >= change * gate.steepest
    image = (min(limits), max(limits)) if monotone else (-inf, inf)
    minimum = None
    if left <= 0 <= right and not monotone:
        lowest = root(lambda u: mean + change * gate.slope(u), -gate.peak, gate.peak) if mean else 0.0
        minimum = (lowest, lowest * (mean + change * gate.centred(lowest)))
        image = (minimum[1], inf)
    zeros = {0.0, gate.crossing(-left, right)} if left < 0 < right and mean else {0.0}
    return Facts(
        image=image,
        limits=limits,
        derivative_limits=(left, right),
        lipschitz=math.fabs(mean) + change * gate.steepest,
        lipschitz_derivative=change * gate.bend,
        monotone=monotone,
        parity=None if mean else "even",
        minimum=minimum,
        zeros=tuple(sorted(zeros)),
        **about,
    )


def rounded(left: float, **about: Any) -> Facts:
    """Facts of the integral of left + (1 - left) Phi(x) that approaches x on the right."""
    if left == 1:
        return line(1.0, **about)
    bell = 0.3989422804014327

    def value(u: float) -> float:
        mean = u * math.erfc(-u / math.sqrt(2)) / 2 + bell * math.exp(-u * u / 2)
        return left * u + (1 - left) * mean

    minimum = None
    if left < 0:  # where the slope vanishes
        u = NORMAL.crossing(-left, 1.0)
        minimum = (u, (1 - left) * bell * math.exp(-u * u / 2))
    end = -left * inf if left else 0.0
    return Facts(
        image=(minimum[1] if minimum else end, inf),
        limits=(end, inf),
        derivative_limits=(left, 1.0),
        lipschitz=max(1.0, math.fabs(left)),
        lipschitz_derivative=math.fabs(1 - left) * bell,
        monotone=left >= 0,
        parity="even" if left == -1 else None,
        minimum=minimum,
        zeros=(root(value, -40.0, 40.0),) if left > 0 else (),
        **about,
    )
