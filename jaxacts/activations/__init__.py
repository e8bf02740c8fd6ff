"""The catalogue: one file a family; each function stands beside its analytic derivative and its facts."""

from jaxacts.activations._first import *  # noqa: F403
