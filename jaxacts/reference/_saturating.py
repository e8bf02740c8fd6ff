"""Formulas of the exponential, smooth-rectifier, sigmoidal, bounded and algebraic families."""

from __future__ import annotations

from jaxacts.reference import _jets as j
from jaxacts.reference._jets import constant, mp


def elu(x, alpha=1.0):
    return x if x > 0 else alpha * j.expm1(x)


def celu(x, alpha=1.0):
    if x > 0:
        return x
    if j.at(alpha) == 0:  # the limit from above: relu, with slope -1 in alpha
        return (-alpha if x < 0 else alpha * 0) + constant(0, x)
    return alpha * j.expm1(x / alpha)


def selu(x):
    scale, alpha = mp.mpf(1.0507009873554805), mp.mpf(1.6732632423543772)
    return scale * x if x > 0 else scale * alpha * j.expm1(x)


def pelu(x, a=1.0, b=1.0):
    return a / b * x if x > 0 else a * j.expm1(x / b)


def mpelu(x, alpha=1.0, beta=1.0):
    return x if x > 0 else alpha * j.expm1(beta * x)


def serlu(x, scale=1.07862, alpha=2.90427):
    return scale * x if x > 0 else scale * alpha * x * j.exp(x)


def reu(x):
    return x if x > 0 else x * j.exp(x)


def elish(x):
    return (x if x >= 0 else j.expm1(x)) * j.sigmoid(x)


def hard_elish(x):
    if x <= -1:
        return constant(0, x)
    if x >= 1:
        return x
    return (x if x >= 0 else j.expm1(x)) * (x + 1) / 2


def xielu(x, alpha_p=0.8, alpha_n=0.8, beta=0.5):
    return alpha_p * x * x + beta * x if x > 0 else alpha_n * (j.expm1(x) - x) + beta * x


def hexpo(x, a=1.0, b=1.0, c=1.0, d=1.0):
    return -a * j.expm1(-x / b) if x >= 0 else c * j.expm1(x / d)


def isrlu(x, alpha=1.0):
    return x if x >= 0 else isru(x, alpha)


def polylu(x):
    return x if x >= 0 else x / (1 - x)


def exponential(x):
    return j.exp(x)


def softplus(x, beta=1.0):
    u = beta * x
    if u > 0:  # x apart, so that the derivative in beta keeps its digits
        return x + j.softplus(-u) / beta
    return j.softplus(u) / beta


def squareplus(x, b=4.0):
    return (x + j.sqrt(x * x + b)) / 2


def shifted_softplus(x):
    return j.softplus(x) - mp.ln2


def smu(x, alpha=0.25, mu=1.0):
    # (1+erf z)/2 is written as erfc(-z)/2, which keeps its digits for z < 0, and the terms in alpha are
    # collected.
    z = mu * (1 - alpha) * x
    return x * j.erfc(-z) / 2 + alpha * x * j.erfc(z) / 2


def sau(x, alpha=0.15, beta=1.0):
    # The convolution of the rectifier is S(x) = x Phi(bx) + phi(bx)/b, and S(x) - x = S(-x).
    return _smoothed_relu(x, beta) - alpha * _smoothed_relu(-x, beta)


def _smoothed_relu(x, beta):
    return x * j.normal_cdf(beta * x) + j.normal_pdf(beta * x) / beta


def log_cosh(x):
    return j.log_cosh(x)


def bent_identity(x):
    return (j.sqrt(x * x + 1) - 1) / 2 + x


def log_sigmoid(x):
    return -j.softplus(-x)


def sigmoid(x):
    return j.sigmoid(x)


def tanh(x):
    return j.tanh(x)


def bipolar_sigmoid(x):
    return j.tanh(x / 2)


def cloglog(x):
    return -j.expm1(-j.exp(x))


def loglog(x):
    return j.exp(-j.exp(-x))


def probit(x):
    return j.normal_cdf(x)


def silu_derivative(x):
    return j.sigmoid(x) * (1 + x * j.sigmoid(-x))


def soft_clipping(x, alpha=50.0):
    if x > 0.5:  # point symmetry about (1/2, 1/2) moves the upper tail of f' to where it does not cancel
        return 1 - soft_clipping(1 - x, alpha)
    return (j.softplus(alpha * x) - j.softplus(alpha * (x - 1))) / alpha


def lecun_tanh(x):
    return mp.mpf(1.7159) * j.tanh(2 * x / 3)


def penalized_tanh(x, a=0.25):
    return j.tanh(x) if x > 0 else a * j.tanh(x)


def elliott(x):
    return soft_sign(x) / 2 + mp.mpf(0.5)


def soft_sign(x):
    return x / (1 + x) if x >= 0 else x / (1 - x)


def scaled_soft_sign(x, alpha=1.0, beta=1.0):
    return alpha * x / (beta + x) if x >= 0 else alpha * x / (beta - x)


def soft_root_sign(x, alpha=5.0, beta=3.0):
    decay = j.exp(-x / beta)
    if x > 0:  # the same quotient as its limit minus the rest, so that f' keeps its digits
        return alpha - alpha * decay / (x / alpha + decay)
    return x / (x / alpha + decay)


def arctan(x):
    return j.atan(x)


def erf(x):
    return j.erf(x)


def isru(x, alpha=1.0):
    return x / j.sqrt(1 + alpha * x * x)


def gaussian(x, sigma=1.0):
    return j.exp(-x * x / (2 * sigma * sigma))


def laplacian(x, sigma=1.0):
    return j.exp(-x / sigma) if x >= 0 else j.exp(x / sigma)


def inverse_quadratic(x, a=1.0):
    return 1 / (1 + a * x * (a * x))


def inverse_multiquadratic(x, a=1.0):
    return 1 / j.sqrt(1 + a * x * (a * x))


def tanh_shrink(x):
    return x - j.tanh(x)


def asinh(x):
    return j.asinh(x)


def symlog(x):
    return j.log1p(x) if x >= 0 else -j.log1p(-x)


def hyper_sinh(x):
    return (j.exp(x) - j.exp(-x)) / 6 if x > 0 else x * x * x / 4
