"""Truncated Taylor series whose coefficients are pairs: one program gives f and all its derivatives.

A program is an ordinary formula, ``x * tanh(softplus(x))``, evaluated on a `Series` instead of a number. The
series holds the Taylor coefficients of the formula in x (and in those parameters that are differentiated) up
to the order asked for. Product and chain rule therefore run in pair arithmetic, where their cancellations
cost guard bits only, and every elementary function supplies coefficients that are relatively accurate in its
own tails.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import jax
import numpy as np
from jax import lax

from jaxacts._numerics import elementary as el
from jaxacts._numerics import pair as pr
from jaxacts._numerics.constants import LN2, TWO_OVER_ROOT_PI
from jaxacts._numerics.pair import Number, Pair

Array = jax.Array
Index = tuple[int, ...]


class Series:
    """Coefficients by multi-index up to `orders`, componentwise; a missing coefficient is zero."""

    __slots__ = ("orders", "terms")

    def __init__(self, orders: Index, terms: Mapping[Index, Number]):
        """Keep the coefficients that are not literally zero."""
        self.orders = orders
        self.terms = {k: v for k, v in terms.items() if isinstance(v, Pair) or v != 0}

    @property
    def value(self) -> Number:
        """The constant term."""
        return self.terms.get((0,) * len(self.orders), 0.0)

    def __add__(self, other: Operand) -> Series:
        terms = dict(self.terms)
        for k, v in self._lift(other).terms.items():
            terms[k] = pr.add(terms[k], v) if k in terms else v
        return Series(self.orders, terms)

    __radd__ = __add__

    def __neg__(self) -> Series:
        return Series(self.orders, {k: pr.negative(v) for k, v in self.terms.items()})

    def __sub__(self, other: Operand) -> Series:
        return self + (-other)

    def __rsub__(self, other: Operand) -> Series:
        return (-self) + other

    def __mul__(self, other: Operand) -> Series:
        if not isinstance(other, Series) and other == 0:  # a zero of the right shape, for functions of it
            like = next((v.head for v in self.terms.values() if isinstance(v, Pair)), None)
            zero = 0.0 if like is None else pr.literal(like, 0.0)
            return Series(self.orders, {(0,) * len(self.orders): zero})
        terms: dict[Index, Number] = {}
        for (i, a), (j, b) in itertools.product(self.terms.items(), self._lift(other).terms.items()):
            k = tuple(p + q for p, q in zip(i, j, strict=True))
            if all(p <= q for p, q in zip(k, self.orders, strict=True)):
                product = pr.multiply(a, b)
                terms[k] = pr.add(terms[k], product) if k in terms else product
        return Series(self.orders, terms)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> Series:
        other = self._lift(other)
        if set(other.terms) <= {(0,) * len(self.orders)}:
            return Series(self.orders, {k: pr.divide(v, other.value) for k, v in self.terms.items()})
        if set(self.terms) <= {(0,) * len(self.orders)}:
            return reciprocal(other) * self
        # Quotient q from q other = self, coefficient by coefficient: keeps relative accuracy where self is
        # small.
        terms: dict[Index, Number] = {}
        inverse = other.value
        for k in itertools.product(*(range(n + 1) for n in self.orders)):
            rest = self.terms.get(k, 0.0)
            for j, b in other.terms.items():
                i = tuple(p - q for p, q in zip(k, j, strict=True))
                if any(j) and i in terms:
                    rest = pr.subtract(rest, pr.multiply(terms[i], b))
            if isinstance(rest, Pair) or rest != 0:
                terms[k] = pr.divide(rest, inverse)
        return Series(self.orders, terms)

    def __rtruediv__(self, other: Operand) -> Series:
        return reciprocal(self) * other

    def __pow__(self, power: int) -> Series:
        assert isinstance(power, int)
        assert power > 0
        return functools.reduce(lambda a, b: a * b, [self] * power)

    def _lift(self, other: Operand) -> Series:
        if isinstance(other, Series):
            return other
        return Series(self.orders, {(0,) * len(self.orders): other})

    @property
    def degree(self) -> int:
        """Largest total order kept."""
        return sum(self.orders)


Operand = Series | float | Fraction


def exactly(parameter: Operand) -> Operand:
    """A parameter for arithmetic with other parameters, where floats would round."""
    return Fraction(parameter) if isinstance(parameter, float) else parameter


def compose(coefficients: Sequence[Number], u: Series) -> Series:
    """g(u) from the Taylor coefficients g_k of g at the constant term of u."""
    zero = (0,) * len(u.orders)
    result = Series(u.orders, {zero: coefficients[0]})
    change = Series(u.orders, {k: v for k, v in u.terms.items() if k != zero})
    power = change
    for c in coefficients[1:]:
        if not power.terms:
            break
        result = result + power * Series(u.orders, {zero: c})
        power = power * change
    return result


def _elementary(function: Callable[[Pair, int], list[Number]]) -> Callable[[Series], Series]:
    """A function of a series from one that lists the Taylor coefficients at a pair."""

    @functools.wraps(function)
    def on_series(u: Series) -> Series:
        value = u.value
        if not isinstance(value, Pair):  # a constant argument: find an array to take shape and type from
            like = next(v.head for v in u.terms.values() if isinstance(v, Pair))
            value = pr.literal(like, value)
        return compose(function(value, u.degree), u)

    return on_series  # type: ignore[return-value]


def _convolve(a: Sequence[Number], b: Sequence[Number], n: int) -> Number:
    """Coefficient n of the product of two univariate series."""
    return functools.reduce(pr.add, (pr.multiply(a[i], b[n - i]) for i in range(n + 1)))


def _integrate(first: Number, rates: Sequence[Number]) -> list[Number]:
    """Coefficients of the function with value `first` and derivative coefficients `rates`."""
    return [first, *(pr.multiply(r, Fraction(1, k + 1)) for k, r in enumerate(rates))]


@_elementary
def reciprocal(u: Pair, n: int) -> list[Number]:
    """1 / u."""
    inverse = pr.divide(1.0, u)
    return list(
        itertools.accumulate(range(n), lambda c, _: pr.negative(pr.multiply(c, inverse)), initial=inverse)
    )


@_elementary
def exp(u: Pair, n: int) -> list[Number]:
    """exp(u); clamped just below overflow."""
    e = el.exp(u)
    return [pr.multiply(e, Fraction(1, math.factorial(k))) for k in range(n + 1)]


@_elementary
def expm1(u: Pair, n: int) -> list[Number]:
    """exp(u) - 1."""
    e = el.exp(u) if n else None
    return [el.expm1(u), *(pr.multiply(e, Fraction(1, math.factorial(k))) for k in range(1, n + 1))]  # type: ignore[arg-type]


def _log_rates(u: Pair, n: int) -> list[Number]:
    inverse = pr.divide(1.0, u)
    powers = list(itertools.accumulate(range(n - 1), lambda c, _: pr.multiply(c, inverse), initial=inverse))
    return [pr.times_power(p, (-1.0) ** k) for k, p in enumerate(powers)]


@_elementary
def log(u: Pair, n: int) -> list[Number]:
    """Natural logarithm of u > 0."""
    return _integrate(el.log(u), _log_rates(pr.unscaled(u), n) if n else [])  # type: ignore[arg-type]


@_elementary
def log1p(u: Pair, n: int) -> list[Number]:
    """log(1 + u), u > -1."""
    rates = _log_rates(pr.add(pr.unscaled(u), 1.0), n) if n else []  # type: ignore[arg-type]
    return _integrate(el.log1p(u), rates)


@_elementary
def sqrt(u: Pair, n: int) -> list[Number]:
    """Square root of u > 0."""
    y = pr.root(u)
    half = pr.divide(0.5, y) if n else 0.0
    result: list[Number] = [y]
    for k in range(1, n + 1):
        # 2 y y_k = (k = 1) - sum of the inner products
        inner = [pr.multiply(result[i], result[k - i]) for i in range(1, k)]
        rest = functools.reduce(pr.subtract, inner, 1.0 if k == 1 else 0.0)
        result.append(pr.multiply(rest, half))
    return result


def _logistic_parts(u: Pair, n: int) -> tuple[Pair, Number, Number, list[Number]]:
    """sigmoid(u), sigmoid'(u), 1 - 2 sigmoid(u), and the coefficients of sigmoid', from e = exp(-|u|)."""
    size = pr.absolute(pr.unscaled(u))  # type: ignore[arg-type]
    e = el.exp(pr.negative(size))
    inverse = pr.divide(1.0, pr.add(e, 1.0))
    less = pr.multiply(e, inverse)
    positive = lax.ge(u.head, pr.constant(u.head, 0.0))
    value = pr.where(positive, inverse, less)
    assert isinstance(value, Pair)
    if not n:
        return value, 0.0, 0.0, []
    slope = pr.multiply(less, inverse)
    if n == 1:
        return value, slope, 0.0, [slope]
    turn = pr.multiply(pr.subtract(pr.unscaled(e), 1.0), inverse)  # 1 - 2 sigmoid(|u|)
    turn = pr.with_sign(turn, u)  # type: ignore[arg-type]
    # S = sigmoid', w = 1 - 2 sigmoid: S' = S w, w' = -2 S
    s: list[Number] = [slope]
    w: list[Number] = [turn]
    for k in range(n - 1):
        s_next = pr.multiply(_convolve(s, w, k), Fraction(1, k + 1))
        w.append(pr.multiply(s[k], Fraction(-2, k + 1)))
        s.append(s_next)
    return value, slope, turn, s


@_elementary
def sigmoid(u: Pair, n: int) -> list[Number]:
    """1 / (1 + exp(-u))."""
    value, _, _, rates = _logistic_parts(u, n)
    return _integrate(value, rates)


@_elementary
def softplus(u: Pair, n: int) -> list[Number]:
    """log(1 + exp(u))."""
    size = pr.absolute(pr.unscaled(u))  # type: ignore[arg-type]
    tail = el.log1p_unit(el.exp(pr.negative(size)))
    positive = lax.ge(u.head, pr.constant(u.head, 0.0))
    value = pr.where(positive, pr.add(pr.unscaled(u), pr.unscaled(tail)), tail)
    if not n:
        return [value]
    s, _, _, rates = _logistic_parts(u, n - 1)
    return _integrate(value, _integrate(s, rates))


@_elementary
def tanh(u: Pair, n: int) -> list[Number]:
    """Hyperbolic tangent."""
    return _tanh_terms(u, n)


def _tanh_terms(u: Pair, n: int) -> list[Number]:
    plain = pr.unscaled(u)
    assert isinstance(plain, Pair)
    size = pr.absolute(plain)
    m = el.expm1(pr.times_power(size, -2.0))
    ratio = pr.divide(pr.negative(m), pr.add(m, 2.0))
    value = el._keep_small(u, pr.with_sign(ratio, plain))  # type: ignore[arg-type]
    if not n:
        return [value]
    # sech^2 = 4 e / (1 + e)^2 with e = exp(-2|u|)
    e = el.exp(pr.times_power(size, -2.0))
    inverse = pr.divide(1.0, pr.add(e, 1.0))
    s: list[Number] = [pr.times_power(pr.multiply(e, pr.square(inverse)), 4.0)]
    t: list[Number] = [value]
    for k in range(n - 1):  # t' = S, S' = -2 t S
        s_next = pr.multiply(_convolve(t, s, k), Fraction(-2, k + 1))
        t.append(pr.multiply(s[k], Fraction(1, k + 1)))
        s.append(s_next)
    return _integrate(value, s)


@_elementary
def minus_tanh(u: Pair, n: int) -> list[Number]:
    """U - tanh(u), which is u^3 / 3 near zero; its derivative is tanh(u)^2."""
    t = _tanh_terms(u, max(n - 1, 0))
    value = el.minus_tanh(u, t[0])  # type: ignore[arg-type]
    t[0] = el.lifted(t[0])  # type: ignore[arg-type]
    return _integrate(value, [_convolve(t, t, k) for k in range(n)])


@_elementary
def sinh(u: Pair, n: int) -> list[Number]:
    """Hyperbolic sine, for |u| below 80."""
    other = pr.negative(u)
    s = pr.times_power(pr.subtract(el.expm1(u), el.expm1(other)), 0.5)
    c = pr.times_power(pr.add(el.exp(u, scaled=False), el.exp(other, scaled=False)), 0.5) if n else 0.0
    return [pr.multiply(c if k % 2 else s, Fraction(1, math.factorial(k))) for k in range(n + 1)]


def _gauss_rates(g: Number, u: Pair, n: int) -> list[Number]:
    """N coefficients of a multiple g of exp(-u^2): c_{k+1} = -2 (u c_k + c_{k-1}) / (k + 1)."""
    rates: list[Number] = [g]
    for k in range(n - 1):
        step = pr.multiply(u, rates[k])
        if k:
            step = pr.add(step, rates[k - 1])
        rates.append(pr.multiply(step, Fraction(-2, k + 1)))
    return rates[:n]


@_elementary
def gauss(u: Pair, n: int) -> list[Number]:
    """exp(-u^2)."""
    return _gauss_rates(el.gauss(u), u, n + 1)


@_elementary
def erf(u: Pair, n: int) -> list[Number]:
    """Error function."""
    slope = pr.multiply(el.gauss(pr.unscaled(u)), TWO_OVER_ROOT_PI) if n else 0.0  # type: ignore[arg-type]
    return _integrate(el.erf(u), _gauss_rates(slope, pr.unscaled(u), n))  # type: ignore[arg-type]


@_elementary
def erfc(u: Pair, n: int) -> list[Number]:
    """1 - erf(u), accurate in its tail."""
    slope = pr.multiply(el.gauss(u), -TWO_OVER_ROOT_PI) if n else 0.0
    return _integrate(el.erfc(u), _gauss_rates(slope, u, n))


@_elementary
def ierfc(u: Pair, n: int) -> list[Number]:
    """Integral of erfc from u to infinity."""
    if not n:
        return [el.ierfc(u)]
    slope = pr.multiply(el.gauss(u), TWO_OVER_ROOT_PI) if n > 1 else 0.0
    rates = _integrate(pr.negative(el.erfc(u)), _gauss_rates(slope, u, n - 1))
    return _integrate(el.ierfc(u), rates)


@_elementary
def log_cosh(u: Pair, n: int) -> list[Number]:
    """log(cosh(u))."""
    size = pr.absolute(pr.unscaled(u))  # type: ignore[arg-type]
    far = pr.add(pr.add(size, el.log1p_unit(el.exp(pr.times_power(size, -2.0)))), -LN2)
    # near zero that cancels; there cosh(u) - 1 = expm1(u)^2 exp(-u) / 2
    near = lax.lt(size.head, pr.constant(u.head, 1.0))
    v = pr.where(near, size, 0.0)
    excess = pr.multiply(pr.square(el.expm1(v)), el.exp(pr.negative(v), scaled=False))
    value = pr.where(near, el.log1p(pr.times_power(excess, 0.5)), far)
    return _integrate(value, _tanh_terms(u, n - 1) if n else [])


def _sin_cos_terms(first: Number, second: Number, n: int) -> list[Number]:
    # derivatives cycle through s, c, -s, -c
    cycle = [first, second, pr.negative(first), pr.negative(second)]
    return [pr.multiply(cycle[k % 4], Fraction(1, math.factorial(k))) for k in range(n + 1)]


@_elementary
def sin(u: Pair, n: int) -> list[Number]:
    """Sine."""
    s, c = el.sin_cos(u)
    return _sin_cos_terms(s, c, n)


@_elementary
def cos(u: Pair, n: int) -> list[Number]:
    """Cosine."""
    s, c = el.sin_cos(u)
    return _sin_cos_terms(c, pr.negative(s), n)


def _power_of_one_plus_square(first: Number, a: float, u: Pair, n: int) -> list[Number]:
    """N coefficients of p = (1 + u^2)^a with the value `first`, from (1 + u^2) p' = 2 a u p."""
    inverse = pr.divide(1.0, pr.add(pr.square(u), 1.0)) if n > 1 else 0.0
    p: list[Number] = [first]
    for k in range(n - 1):
        step = pr.multiply(pr.multiply(u, p[k]), 2 * (a - k))
        if k:
            step = pr.add(step, pr.multiply(p[k - 1], 2 * a - k + 1))
        p.append(pr.multiply(pr.multiply(step, inverse), Fraction(1, k + 1)))
    return p[:n]


@_elementary
def isru(u: Pair, n: int) -> list[Number]:
    """U / sqrt(1 + u^2), for |u| whose square does not overflow."""
    u = pr.unscaled(u)  # type: ignore[assignment]
    inverse = pr.divide(1.0, pr.root(pr.add(pr.square(u), 1.0)))
    slope = pr.multiply(inverse, pr.square(inverse)) if n else 0.0
    return _integrate(pr.multiply(u, inverse), _power_of_one_plus_square(slope, -1.5, u, n))


@_elementary
def hypot_one(u: Pair, n: int) -> list[Number]:
    """sqrt(1 + u^2) - 1, for |u| whose square does not overflow."""
    u = pr.unscaled(u)  # type: ignore[assignment]
    s = pr.square(u)
    r = pr.root(pr.add(s, 1.0))
    value = pr.divide(s, pr.add(r, 1.0))
    if not n:
        return [value]
    inverse = pr.divide(1.0, r)
    slope = pr.multiply(inverse, pr.square(inverse))
    return _integrate(
        value, _integrate(pr.multiply(u, inverse), _power_of_one_plus_square(slope, -1.5, u, n - 1))
    )


@_elementary
def arctan(u: Pair, n: int) -> list[Number]:
    """Inverse tangent."""
    value = el.arctan(u)
    if not n:
        return [value]
    u = pr.unscaled(u)  # type: ignore[assignment]
    # (1 + u^2) g = 1 for g = arctan'
    inverse = pr.divide(1.0, pr.add(pr.square(u), 1.0))
    rates: list[Number] = [inverse]
    for k in range(1, n):
        rest = pr.times_power(pr.multiply(u, rates[k - 1]), 2.0)
        if k > 1:
            rest = pr.add(rest, rates[k - 2])
        rates.append(pr.negative(pr.multiply(rest, inverse)))
    return _integrate(value, rates)


@_elementary
def arctan_ratio(u: Pair, n: int) -> list[Number]:
    """arctan(u) / u for |u| <= 1/3, from its power series."""
    v = pr.to_float(u)
    square, count = lax.mul(v, v), 20 if el.is_double(v) else 11
    result: list[Number] = []
    for k in range(n + 1):
        terms = [(-1) ** m / (2 * m + 1) * math.comb(2 * m, k) for m in range((k + 1) // 2, count)]
        p = pr.exact(el.polynomial(square, terms))
        result.append(pr.multiply(u, p) if k % 2 else p)
    return result


def asinh(u: Series) -> Series:
    """Inverse hyperbolic sine, for |u| below 2^60."""
    degree = u.degree
    value = u.value
    assert isinstance(value, Pair)
    top = el.asinh(value)
    if not degree:
        return Series(u.orders, {(0,) * len(u.orders): top})
    inner = Series((degree - 1,), {(0,): value, (1,): 1.0})
    slope = reciprocal(sqrt(1.0 + inner * inner))
    return compose(_integrate(top, [slope.terms.get((k,), 0.0) for k in range(degree)]), u)


def where(condition: Array, a: Operand, b: Operand) -> Series:
    """`a` where the condition holds, else `b`, coefficient by coefficient."""
    if not isinstance(a, Series):
        assert isinstance(b, Series)
        a = b._lift(a)
    b = a._lift(b)
    keys = {*a.terms, *b.terms}
    like = next(v for s in (a, b) for v in s.terms.values() if isinstance(v, Pair))

    def pick(k: Index) -> Number:
        p, q = a.terms.get(k, 0.0), b.terms.get(k, 0.0)
        if not isinstance(p, Pair) and not isinstance(q, Pair) and p != q:
            p = pr.literal(like.head, p)
        return pr.where(condition, p, q)

    return Series(a.orders, {k: pick(k) for k in keys})


def absolute(u: Series) -> Series:
    """|u|, one-sided: its derivatives at zero are those from the right."""
    value = u.value
    assert isinstance(value, Pair)
    return where(lax.lt(value.head, np.zeros((), value.head.dtype)), -u, u)


def positive(u: Series) -> Array:
    """Where the value of u is > 0."""
    return exceeds(u, 0.0)


def exceeds(u: Series, threshold: float) -> Array:
    """Where the value of u is > threshold."""
    value = u.value
    assert isinstance(value, Pair)
    return lax.gt(pr.to_float(value), pr.constant(value.head, threshold))
