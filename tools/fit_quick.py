"""Fit the float32 polynomials of jaxacts/_numerics/quick.py.

    python tools/fit_quick.py

Interpolation at Chebyshev nodes with 50 digits, within a small factor of minimax; the worst relative error
is printed.
"""

import mpmath as mp

mp.mp.dps = 50
K = mp.mpf("3.75")


def fit(f, low, high, degree):
    """Monomial coefficients of the interpolant of f on [low, high] and its worst relative error."""
    n = degree + 1
    nodes = [low + (high - low) * (mp.cos(mp.pi * (k + mp.mpf(1) / 2) / n) + 1) / 2 for k in range(n)]
    vandermonde = mp.matrix(n, n)
    for i, x in enumerate(nodes):
        for j in range(n):
            vandermonde[i, j] = x**j
    c = list(mp.lu_solve(vandermonde, mp.matrix([f(x) for x in nodes])))
    return c, max(abs(mp.polyval(c[::-1], x) / f(x) - 1) for x in mp.linspace(low, high, 301))


def show(name, f, low, high, degree):
    """Print one polynomial."""
    c, worst = fit(f, mp.mpf(low), mp.mpf(high), degree)
    print(f"{name} = (  # 2^{mp.nstr(mp.log(worst, 2), 3)}")
    for v in c:
        print(f"    {mp.nstr(v, 10)},")
    print(")")


def erfcx(y):
    """(1 + 2x) erfcx(x) at x = K (1 + y) / (1 - y)."""
    x = K * (1 + y) / (1 - y)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


if __name__ == "__main__":
    half = mp.log(2) / 2
    show("EXP", lambda r: (mp.exp(r) - 1 - r) / r**2, -half - mp.mpf("1e-9"), half, 4)
    show("EXP2", lambda r: (mp.power(2, r) - 1) / r, "-0.50000001", "0.5", 5)
    show("LOG1P", lambda e: mp.log1p(e) / e, "1e-12", 1, 10)
    show("TANH", lambda s: (mp.tanh(mp.sqrt(s)) / mp.sqrt(s) - 1) / s, "1e-9", "0.5", 5)
    show("ERFCX", erfcx, -1, "0.45", 11)  # x up to 9.8, where exp(-x^2) is below every float32
    show("CDF", lambda s: (mp.ncdf(mp.sqrt(s)) - mp.mpf(1) / 2) / mp.sqrt(s), "1e-9", 1, 5)
    slope = lambda x: (mp.ncdf(x) + x * mp.npdf(x) - mp.mpf(1) / 2) / x  # noqa: E731
    show("GELU_SLOPE", lambda s: slope(mp.sqrt(s)), "1e-9", 1, 7)
