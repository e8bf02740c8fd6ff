"""A small classification task for the tests of training and of what is measured while it goes on."""

import numpy as np

from jaxacts.lab import training


def task(features, classes, train):
    """Standard normal inputs, labelled by the largest of the first ones; 20 to validate, 30 to test."""
    rng = np.random.default_rng(0)

    def part(n):
        x = rng.normal(size=(n, features)).astype(np.float32)
        return x, np.eye(classes, dtype=np.float32)[np.argmax(x[:, :classes], 1)]

    return training.Data(*part(train), *part(20), *part(30))
