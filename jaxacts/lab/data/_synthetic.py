"""Tasks made here: the same numbers on every machine, from a generator seeded by the task's name."""

from __future__ import annotations

import numpy as np

from jaxacts.lab.data._dataset import generator


def addition() -> tuple[np.ndarray, ...]:
    """Two numbers from U(-1, 1) and their sum: linear, so nothing is gained by an activation."""
    x = generator("addition").uniform(-1.0, 1.0, (2000, 2))
    return x, x.sum(1, keepdims=True)


def multiplication() -> tuple[np.ndarray, ...]:
    """Two numbers from U(-1, 1) and their product: no linear network explains any of its variance."""
    x = generator("multiplication").uniform(-1.0, 1.0, (2000, 2))
    return x, x.prod(1, keepdims=True)


def sine() -> tuple[np.ndarray, ...]:
    """sin(4 pi x) for x from U(-1, 1): four periods in one dimension."""
    x = generator("sine").uniform(-1.0, 1.0, (2000, 1))
    return x, np.sin(4.0 * np.pi * x)


def friedman() -> tuple[np.ndarray, ...]:
    """Friedman's first function of five of ten uniform inputs, with unit noise.

    Reference:
      Friedman, Annals of Statistics 19 (1991), https://doi.org/10.1214/aos/1176347963
    """
    draw = generator("friedman")
    x = draw.uniform(0.0, 1.0, (2000, 10))
    y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return x, y + draw.standard_normal(len(x))


def teacher_student() -> tuple[np.ndarray, ...]:
    """The output of a fixed random network: 20 Gaussian inputs, five erf units, no noise.

    The teacher's activation is none of those usually compared, so that none is given its own function.

    Reference:
      Saad & Solla, Physical Review Letters 74 (1995), https://doi.org/10.1103/PhysRevLett.74.4337
    """
    from scipy.special import erf

    draw = generator("teacher_student")
    inputs, units, count = 20, 5, 4000
    # pre-activations of standard deviation 3, where erf is far from linear
    weights = draw.standard_normal((inputs, units)) * (3.0 / np.sqrt(inputs))
    x = draw.standard_normal((count, inputs))
    return x, erf(x @ weights / np.sqrt(2.0)) @ draw.choice([-1.0, 1.0], (units, 1)) / np.sqrt(units)


def spirals() -> tuple[np.ndarray, ...]:
    """Two intertwined spirals of three turns; no straight cut tells them apart.

    Reference:
      Lang & Witbrock, Learning to tell two spirals apart, Proceedings of the 1988 Connectionist Models
      Summer School, 52-59
    """
    draw = generator("spirals")
    count = 2000
    y = np.arange(count) % 2
    turn = np.sqrt(draw.uniform(0.01, 1.0, count))  # the root spreads the points evenly along the arms
    angle = 6.0 * np.pi * turn + np.pi * y
    x = (6.5 * turn)[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return x + draw.normal(0.0, 0.12, x.shape), y
