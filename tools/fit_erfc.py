"""Fit the polynomials of jaxacts/_numerics/_coefficients.py for erfc and erf.

    python tools/fit_erfc.py

erfcx(x) = exp(x^2) erfc(x) for x >= 0 is (1 + 2x)^-1 times a smooth function of y = (x - K) / (x + K),
K = 3.75 (Shepherd & Laframboise, Mathematics of Computation 36 (1981),
https://doi.org/10.1090/S0025-5718-1981-0595058-X). erf(x) / x is a smooth function of x^2 on [0, 1]. Both
are interpolated at Chebyshev nodes with 60 digits, which is within a small factor of minimax, and the
coefficients are printed with the worst relative error that is left.
"""

import mpmath as mp

mp.mp.dps = 60
K = mp.mpf("3.75")


def chebyshev_fit(f, low, high, degree):
    """Monomial coefficients in t in [-1, 1] of the interpolant of f on [low, high] at Chebyshev nodes."""
    n = degree + 1
    t = [mp.cos(mp.pi * (k + mp.mpf(1) / 2) / n) for k in range(n)]
    values = [f(low + (high - low) * (s + 1) / 2) for s in t]
    c = [
        2 * mp.fsum(v * mp.cos(mp.pi * j * (k + mp.mpf(1) / 2) / n) for k, v in enumerate(values)) / n
        for j in range(n)
    ]
    c[0] /= 2
    before, now = [mp.mpf(1)], [mp.mpf(0), mp.mpf(1)]
    total = [mp.mpf(0)] * n
    total[0] = c[0]
    for j in range(1, n):
        for i, v in enumerate(now):
            total[i] += c[j] * v
        after = [mp.mpf(0), *(2 * v for v in now)]
        for i, v in enumerate(before):
            after[i] -= v
        before, now = now, after
    return total


def erfcx_scaled(y):
    """(1 + 2x) erfcx(x) at x = K (1 + y) / (1 - y)."""
    if y == 1:
        return 2 / mp.sqrt(mp.pi)
    x = K * (1 + y) / (1 - y)
    if x > 1000:  # asymptotic series, error below 1e-60
        total, term = mp.mpf(0), mp.mpf(1)
        for k in range(1, 12):
            total += term
            term *= -mp.mpf(2 * k - 1) / (2 * x * x)
        return (1 + 2 * x) * total / (x * mp.sqrt(mp.pi))
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def ierfcx_scaled(y):
    """(1 + 2x)^2 (exp(-x^2) / sqrt(pi) - x erfc(x)) exp(x^2) at the same x."""
    if y == 1:
        return 2 / mp.sqrt(mp.pi)
    x = K * (1 + y) / (1 - y)
    if x > 1000:
        total, term = mp.mpf(0), mp.mpf(1)
        for k in range(1, 13):
            total += term if k > 1 else 0  # the leading terms cancel exactly
            term *= -mp.mpf(2 * k - 1) / (2 * x * x)
        return -((1 + 2 * x) ** 2) * total / mp.sqrt(mp.pi)
    with mp.workdps(80):
        return (1 + 2 * x) ** 2 * (1 / mp.sqrt(mp.pi) - x * mp.exp(x * x) * mp.erfc(x))


def erf_over_x(t):
    """erf(x) / x at x^2 = (t + 1) / 2."""
    s = (t + 1) / 2
    return 2 / mp.sqrt(mp.pi) if s == 0 else mp.erf(mp.sqrt(s)) / mp.sqrt(s)


def report(name, f, coefficients):
    """Print the coefficients as Python, with the worst relative error that they leave."""
    worst = max(abs(mp.polyval(coefficients[::-1], t) / f(t) - 1) for t in mp.linspace(-1, 1, 401))
    print(f"# {name}: worst relative error {mp.nstr(worst, 3)} = 2^{mp.nstr(mp.log(worst, 2), 4)}")
    print(f"{name} = (")
    for c in coefficients:
        print(f"    {mp.nstr(c, 20)},")
    print(")")


def in_powers_of_square(coefficients):
    """The same polynomial in s = (t + 1) / 2, for better conditioning at 0."""
    out = [mp.mpf(0)] * len(coefficients)
    for k, c in enumerate(coefficients):  # (2 s - 1)^k
        for i in range(k + 1):
            out[i] += c * mp.binomial(k, i) * mp.mpf(2) ** i * (-1) ** (k - i)
    return out


if __name__ == "__main__":
    for bits, degrees in (("32", (14, 7, 16)), ("64", (26, 12, 28))):
        fit = chebyshev_fit(ierfcx_scaled, mp.mpf(-1), mp.mpf(1), degrees[2])
        report(f"IERFCX_{bits}", ierfcx_scaled, fit)
        report(f"ERFCX_{bits}", erfcx_scaled, chebyshev_fit(erfcx_scaled, mp.mpf(-1), mp.mpf(1), degrees[0]))
        fit = chebyshev_fit(erf_over_x, mp.mpf(-1), mp.mpf(1), degrees[1])
        report(f"ERF_{bits}", erf_over_x, fit)
        print(f"ERF_{bits}_IN_X2 = (")
        for c in in_powers_of_square(fit):
            print(f"    {mp.nstr(c, 20)},")
        print(")")
