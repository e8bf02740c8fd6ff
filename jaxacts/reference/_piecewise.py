"""Formulas with branches that need no transcendental function: rectifiers, piecewise polynomials, shrinkage.

Where branches meet, the comparison says which of them owns the point: value and derivatives there are its
own. Parameters and x are jets or mpmath numbers.
"""

from __future__ import annotations

from jaxacts.reference._jets import constant, cos, log1p, mp, sigmoid, sin


def identity(x):
    return x


def relu(x):
    return x if x > 0 else constant(0, x)


def leaky_relu(x, negative_slope=0.01):
    return x if x >= 0 else negative_slope * x


def relu6(x):
    return relu_n(x, mp.mpf(6))


def relu_n(x, n=1.0):
    if x <= 0:
        return constant(0, x)
    return x if x < n else n + constant(0, x)


def threshold(x, threshold=1.0, value=0.0):
    return x if x > threshold else value + constant(0, x)


def tlu(x, tau=0.0):
    return x if x > tau else tau + constant(0, x)


def squared_relu(x):
    return relu(x) ** 2


def star_relu(x, scale=0.8944, bias=-0.4472):
    return scale * relu(x) * relu(x) + bias


def repu(x, p=2):
    return x ** int(p) if x > 0 else constant(0, x)


def nlrelu(x, beta=1.0):
    return log1p(beta * x) if x > 0 else constant(0, x)


def abs(x):
    return x if x >= 0 else -x


def qrelu(x):
    return x if x > 0 else 0.01 * x * (x - 2)


def m_qrelu(x):
    return x if x > 0 else 0.01 * x - x


def sinerelu(x, epsilon=0.0025):
    return x if x > 0 else epsilon * (sin(x) - cos(x))


def arelu(x, alpha=0.9, beta=2.0):
    if x >= 0:
        return (1 + sigmoid(beta)) * x
    low, high = mp.mpf(0.01), mp.mpf(0.99)
    return (alpha if low <= alpha <= high else low if alpha < low else high) * x


def srelu(x, t_left=-1.0, a_left=0.2, t_right=1.0, a_right=0.5):
    if x <= t_left:
        return t_left + a_left * (x - t_left)
    return x if x < t_right else t_right + a_right * (x - t_right)


def tent(x, delta=1.0):
    if x <= -delta or x >= delta:
        return constant(0, x)
    return delta - x if x >= 0 else delta + x


def hat(x):
    if x <= 0 or x >= 2:
        return constant(0, x)
    return x if x <= 1 else 2 - x


def plu(x, alpha=0.1, c=1.0):
    if x <= -c:
        return alpha * (x + c) - c
    return x if x < c else alpha * (x - c) + c


def hard_sigmoid(x):
    return _clip_gate(x, 3)


def _clip_gate(x, half_width):
    """A ramp from 0 to 1 across [-half_width, half_width], flat at both ends."""
    if x <= -half_width:
        return constant(0, x)
    return x / (2 * half_width) + mp.mpf(0.5) if x < half_width else constant(1, x)


def hard_silu(x):
    return x * _clip_gate(x, 3)


def hard_tanh(x, min_val=-1.0, max_val=1.0):
    if x < min_val:
        return min_val + constant(0, x)
    return x if x <= max_val else max_val + constant(0, x)


def hard_mish(x):
    if x <= -2:
        return constant(0, x)
    return x * (x + 2) / 2 if x < 0 else x


def sparse_plus(x):
    return smelu(x, mp.one)


def sparse_sigmoid(x):
    return _clip_gate(x, 1)


def smelu(x, beta=1.0):
    if x <= -beta:
        return constant(0, x)
    return (x + beta) * (x + beta) / (4 * beta) if x < beta else x


def sqnl(x):
    if x >= 0:
        return x - x**2 / 4 if x < 2 else constant(1, x)
    return x + x**2 / 4 if x > -2 else constant(-1, x)


def smooth_step(x, gamma=1.0):
    if x <= -gamma / 2:
        return constant(0, x)
    t = x / gamma
    return mp.mpf(0.5) + 3 * t / 2 - 2 * t * t * t if x < gamma / 2 else constant(1, x)


def soft_shrink(x, threshold=0.5):
    if x > threshold:
        return x - threshold
    return x + threshold if x < -threshold else constant(0, x)


def hard_shrink(x, threshold=0.5):
    return x if x > threshold or x < -threshold else constant(0, x)


def firm_shrink(x, lower=0.5, upper=1.0):
    if x < 0:
        return -firm_shrink(-x, lower, upper)
    if x <= lower:
        return constant(0, x)
    return upper * (x - lower) / (upper - lower) if x <= upper else x


def garrote_shrink(x, threshold=0.5):
    inside = x <= threshold and x >= -threshold
    return constant(0, x) if inside else x - threshold * threshold / x


def scad_shrink(x, threshold=0.5, a=3.7):
    if x < 0:
        return -scad_shrink(-x, threshold, a)
    if x <= threshold:
        return constant(0, x)
    if x <= 2 * threshold:
        return x - threshold
    return ((a - 1) * x - a * threshold) / (a - 2) if x <= a * threshold else x


def square(x):
    return x**2


def cube(x):
    return x**3


def quadratic(x):
    return x**2 + x


def ncu(x):
    return x - x**3
