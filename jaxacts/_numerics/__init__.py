"""Stable numerics: pair arithmetic, Taylor series of pairs, and elementwise functions built from them."""

from jaxacts._numerics import constants, quick, series, tails
from jaxacts._numerics.pieces import at_most, power, ratio, require, times, within
from jaxacts._numerics.smooth import EXPONENTIAL, LARGEST, like, smooth, widen

__all__ = [
    "EXPONENTIAL",
    "LARGEST",
    "at_most",
    "constants",
    "like",
    "power",
    "quick",
    "ratio",
    "require",
    "series",
    "smooth",
    "tails",
    "times",
    "widen",
    "within",
]
