"""Stable numerics: pair arithmetic, Taylor series of pairs, and elementwise functions built from them."""

from jaxacts._numerics import constants, quick, series, tails
from jaxacts._numerics.pieces import power, ratio, require, times, within
from jaxacts._numerics.smooth import EXPONENTIAL, LARGEST, like, smooth, widen

__all__ = [
    "EXPONENTIAL",
    "LARGEST",
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
