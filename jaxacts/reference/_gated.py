"""Formulas of the self-gated families x g(x), common and rare, and of the periodic ones."""

from __future__ import annotations

from jaxacts.reference import _jets as j
from jaxacts.reference._jets import constant, mp


def silu(x, beta=1.0):
    return x * j.sigmoid(beta * x)


def gelu(x):
    return x * j.normal_cdf(x)


def gelu_tanh(x):
    # (1+tanh u)/2 is the logistic sigmoid of 2u, which keeps its digits for u < 0.
    return x * j.sigmoid(2 * mp.sqrt(2 / mp.pi) * (x + mp.mpf(0.044715) * x**3))


def quick_gelu(x):
    return x * j.sigmoid(mp.mpf(1.702) * x)


def mish(x):
    return x * j.tanh(j.softplus(x))


def tanh_exp(x):
    return x * j.tanh(j.exp(x))


def serf(x):
    return x * j.erf(j.softplus(x))


def lisht(x):
    return x * j.tanh(x)


def logish(x, alpha=1.0, beta=1.0):
    return alpha * x * j.log1p(j.sigmoid(beta * x))


def smish(x, alpha=1.0, beta=1.0):
    return alpha * x * j.tanh(j.log1p(j.sigmoid(beta * x)))


def phish(x):
    return x * j.tanh(gelu(x))


def aptx(x, alpha=1.0, beta=1.0, gamma=0.5):
    # alpha + tanh u = (alpha - 1) + 2 sigmoid(2u): exact, and no cancellation at alpha = 1.
    return (alpha - 1 + 2 * j.sigmoid(2 * beta * x)) * gamma * x


def e_swish(x, beta=1.75):
    return beta * x * j.sigmoid(x)


def gish(x):
    return x * j.log1p(-j.expm1(-j.exp(x)))


def golu(x, alpha=1.0, beta=1.0, gamma=1.0):
    return alpha * x * j.exp(-beta * j.exp(-gamma * x))


def b_silu(x, alpha=1.67):
    return (x + alpha) * j.sigmoid(x) - alpha / 2


def calu(x):
    return xatlu(x, mp.zero)


def lalu(x):
    return x * (1 - j.exp(-x) / 2) if x >= 0 else x * j.exp(x) / 2


def xatlu(x, alpha=0.5):
    return x * ((1 + 2 * alpha) * (j.atan(x) / mp.pi + mp.mpf(0.5)) - alpha)


def xgelu(x, alpha=0.5):
    return x * ((1 + 2 * alpha) * j.normal_cdf(x) - alpha)


def xsilu(x, alpha=0.5):
    return x * ((1 + 2 * alpha) * j.sigmoid(x) - alpha)


def sgelu(x, alpha=0.1):
    return alpha * x * j.erf(x / mp.sqrt(mp.mpf(2)))


def pflu(x):
    return x * (1 + x / j.sqrt(1 + x * x)) / 2


def fpflu(x):
    return x if x >= 0 else x + x * x / j.sqrt(1 + x * x)


def erfact(x, alpha=0.75, beta=0.75):
    return x * j.erf(alpha * j.exp(beta * x))


def pserf(x, gamma=1.25, delta=0.85):
    return x * j.erf(gamma * j.softplus(delta * x))


def flatten_t_swish(x, t=-0.2):
    return x * j.sigmoid(x) + t if x >= 0 else t + constant(0, x)


def aria2(x, alpha=1.5, beta=2.0):
    return x * j.exp(-alpha * j.softplus(-beta * x))


def acon_c(x, p1=1.0, p2=0.0, beta=1.0):
    # (p1-p2) x s(u) + p2 x with the terms in p2 collected, so that the derivative in p2 does not cancel
    u = beta * (p1 - p2) * x
    return p1 * x * j.sigmoid(u) + p2 * x * j.sigmoid(-u)


def colu(x):
    return x / (1 - x * j.exp(-x - j.exp(x)))


def sinlu(x, a=1.0, b=1.0):
    return (x + a * j.sin(b * x)) * j.sigmoid(x)


def coslu(x, a=1.0, b=1.0):
    return (x + a * j.cos(b * x)) * j.sigmoid(x)


def sine(x, omega=1.0):
    return j.sin(omega * x)


def cosine(x, omega=1.0):
    return j.cos(omega * x)


def snake(x, a=1.0):
    # sin(ax)^2/a = x sin(ax) sinc(ax), which has the limit 0 at a = 0.
    return x + x * j.sin(a * x) * j.sinc(a * x)


def gcu(x):
    return x * j.cos(x)


def asu(x):
    return x * j.sin(x)


def dsu(x):
    return mp.pi / 2 * (j.sinc(x - mp.pi) - j.sinc(x + mp.pi))


def sinc(x):
    return j.sinc(x)


def gabor(x, omega=1.0, s=1.0):
    return j.cos(omega * x) * j.exp(-(s * x * (s * x)))


def hosc(x, beta=2.0):
    return j.tanh(beta * j.sin(x))


def exp_sin(x, a=1.0):
    return j.exp(-j.sin(a * x))
