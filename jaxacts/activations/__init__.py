"""The catalogue: one file a family; each function stands beside its analytic derivative and its facts."""

from jaxacts.activations import _first, _gated
from jaxacts.activations._first import *  # noqa: F403
from jaxacts.activations._gated import *  # noqa: F403

__all__ = sorted([*_first.__all__, *_gated.__all__])  # noqa: PLE0605
