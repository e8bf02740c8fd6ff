"""Truncated Taylor arithmetic over mpmath numbers: value, first and second derivative in one pass.

A :class:`Jet` carries (f, f', f''). Each elementary function below states its own first two derivatives in
a form that does not cancel in the tails (the derivative of the logistic sigmoid is s(u) s(-u), never 1 -
s), so relative accuracy survives where the derivative is far below the value. What cancellation remains is
algebraic, of the order of a power of |x|, and the caller pays for it with working digits that grow with
``|log10 |x||``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath.ctx_mp import MPContext

mp: Any = MPContext()  # private, so that neither side changes the precision of the other

# Beyond e^±SATURATION a number overflows or underflows every float type, also after multiplication by any
# power of a finite input that occurs here, and e^x itself would need more memory than there is when x is
# e^(e^800). Above, the power is capped; below, it is exactly 0, so that e^-y e^y with both out of range is
# 0, as the limits here all are.
SATURATION = 100_000


class Jet:
    """A function value with its derivatives up to the order of the jet."""

    __slots__ = ("d",)

    def __init__(self, d: tuple):
        self.d = d

    def __add__(self, other: Any) -> Jet:
        if isinstance(other, Jet):
            return Jet(tuple(a + b for a, b in zip(self.d, other.d, strict=True)))
        return Jet((self.d[0] + other, *self.d[1:]))

    __radd__ = __add__

    def __neg__(self) -> Jet:
        return Jet(tuple(-a for a in self.d))

    def __sub__(self, other: Any) -> Jet:
        return self + (-other)

    def __rsub__(self, other: Any) -> Jet:
        return (-self) + other

    def __mul__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(tuple(a * other for a in self.d))
        a, b = self.d, other.d
        d = [a[0] * b[0]]
        if len(a) > 1:
            d.append(a[1] * b[0] + a[0] * b[1])
        if len(a) > 2:
            d.append(a[2] * b[0] + 2 * a[1] * b[1] + a[0] * b[2])
        return Jet(tuple(d))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Jet:
        if not isinstance(other, Jet):
            return Jet(tuple(a / other for a in self.d))
        return self * reciprocal(other)

    def __rtruediv__(self, other: Any) -> Jet:
        return reciprocal(self) * other

    def __pow__(self, n: int) -> Jet:
        """Integer powers; 0^0 is 1 and its derivatives vanish."""
        v = self.d[0]
        slope = n * v ** (n - 1) if n else mp.zero
        bend = n * (n - 1) * v ** (n - 2) if n > 1 else mp.zero
        return _chain(self, v**n, slope, bend)

    def __lt__(self, other: Any) -> bool:
        return self.d[0] < at(other)

    def __le__(self, other: Any) -> bool:
        return self.d[0] <= at(other)

    def __gt__(self, other: Any) -> bool:
        return self.d[0] > at(other)

    def __ge__(self, other: Any) -> bool:
        return self.d[0] >= at(other)


def at(u: Any) -> Any:
    """The value of a jet; a plain number is its own value."""
    return u.d[0] if isinstance(u, Jet) else u


def _chain(u: Any, value: Any, slope: Any, bend: Any) -> Any:
    """The jet of g(u) from g, g' and g'' at the value of u."""
    if not isinstance(u, Jet):
        return value
    d = [value]
    if len(u.d) > 1:
        d.append(slope * u.d[1])
    if len(u.d) > 2:
        d.append(slope * u.d[2] + bend * u.d[1] ** 2)
    return Jet(tuple(d))


def _exp(v: Any) -> Any:
    return mp.exp(min(v, SATURATION)) if v > -SATURATION else mp.zero


def reciprocal(u: Any) -> Any:
    """1/u."""
    r = 1 / at(u)
    return _chain(u, r, -r * r, 2 * r**3)


def exp(u: Any) -> Any:
    """e^u, saturated far outside the range of every float type."""
    e = _exp(at(u))
    return _chain(u, e, e, e)


def expm1(u: Any) -> Any:
    """e^u - 1."""
    v = at(u)
    e = _exp(v)
    return _chain(u, mp.expm1(v) if abs(v) < 1 else e - 1, e, e)


def log(u: Any) -> Any:
    """Natural logarithm."""
    v = at(u)
    return _chain(u, mp.log(v), 1 / v, -1 / v**2)


def log1p(u: Any) -> Any:
    """Logarithm of 1 + u."""
    v = at(u)
    r = 1 / (1 + v)
    return _chain(u, mp.log1p(v), r, -r * r)


def sqrt(u: Any) -> Any:
    """Square root."""
    r = mp.sqrt(at(u))
    return _chain(u, r, 1 / (2 * r), -1 / (4 * r**3))


def sin(u: Any) -> Any:
    """Sine; mpmath reduces the argument exactly."""
    c, s = mp.cos_sin(at(u))
    return _chain(u, s, c, -s)


def cos(u: Any) -> Any:
    """Cosine."""
    c, s = mp.cos_sin(at(u))
    return _chain(u, c, -s, -c)


def sinc(u: Any) -> Any:
    """sin(u)/u, continued by 1 at 0."""
    v = at(u)
    if v == 0:
        return _chain(u, mp.one, mp.zero, -mp.one / 3)
    c, s = mp.cos_sin(v)
    slope = (c * v - s) / v**2
    return _chain(u, s / v, slope, -s / v - 2 * slope / v)


def atan(u: Any) -> Any:
    """Arc tangent."""
    v = at(u)
    r = 1 / (1 + v * v)
    return _chain(u, mp.atan(v), r, -2 * v * r * r)


def asinh(u: Any) -> Any:
    """Inverse hyperbolic sine."""
    v = at(u)
    r = 1 / mp.sqrt(1 + v * v)
    return _chain(u, mp.asinh(v), r, -v * r**3)


def sigmoid(u: Any) -> Any:
    """Logistic sigmoid 1/(1+e^-u)."""
    v = at(u)
    e = _exp(-abs(v))
    small, large = e / (1 + e), 1 / (1 + e)
    s, c = (large, small) if v > 0 else (small, large)
    return _chain(u, s, s * c, s * c * (c - s))


def tanh(u: Any) -> Any:
    """Hyperbolic tangent."""
    v = at(u)
    e = _exp(-2 * abs(v))
    # u itself may be as small as e^-700, so 1 - e is not good enough
    t = -mp.expm1(-2 * abs(v)) / (1 + e) if abs(v) < 1 else (1 - e) / (1 + e)
    t = t if v > 0 else -t
    sech2 = 4 * e / (1 + e) ** 2
    return _chain(u, t, sech2, -2 * t * sech2)


def softplus(u: Any) -> Any:
    """The softplus log(1+e^u)."""
    v = at(u)
    e = _exp(-abs(v))
    small, large = e / (1 + e), 1 / (1 + e)
    return _chain(u, max(v, 0) + mp.log1p(e), large if v > 0 else small, small * large)


def log_cosh(u: Any) -> Any:
    """Logarithm of the hyperbolic cosine."""
    v = at(u)
    e = _exp(-2 * abs(v))
    t = (1 - e) / (1 + e)
    return _chain(u, abs(v) + mp.log1p(e) - mp.ln2, t if v > 0 else -t, 4 * e / (1 + e) ** 2)


def erfc(u: Any) -> Any:
    """Complementary error function."""
    v = at(u)
    bell = -2 / mp.sqrt(mp.pi) * _exp(-v * v)
    value = 1 - mp.sign(v) if v * v > SATURATION else mp.erfc(v)
    return _chain(u, value, bell, -2 * v * bell)


def erf(u: Any) -> Any:
    """Error function."""
    v = at(u)
    bell = 2 / mp.sqrt(mp.pi) * _exp(-v * v)
    value = mp.sign(v) if v * v > SATURATION else mp.erf(v)
    return _chain(u, value, bell, -2 * v * bell)


def normal_cdf(u: Any) -> Any:
    """Standard normal distribution function, with full relative accuracy in the left tail."""
    return erfc(-u / mp.sqrt(mp.mpf(2))) / 2


def normal_pdf(u: Any) -> Any:
    """Standard normal density."""
    return exp(-u * u / 2) / mp.sqrt(2 * mp.pi)


def seeded(x: Any, order: int) -> Jet:
    """The jet of the variable itself."""
    return Jet((x, mp.one, mp.zero)[: order + 1])


def constant(value: Any, like: Any) -> Any:
    """A constant as a jet of the order of `like`."""
    return Jet((mp.mpf(value), mp.zero, mp.zero)[: len(like.d)]) if isinstance(like, Jet) else mp.mpf(value)


Formula = Callable[..., Any]
