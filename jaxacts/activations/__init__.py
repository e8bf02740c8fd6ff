"""The catalogue: one file a family; each function stands beside its analytic derivative and its facts."""

from jaxacts.activations import _algebraic, _first, _gated, _piecewise, _rectifiers
from jaxacts.activations._algebraic import *  # noqa: F403
from jaxacts.activations._first import *  # noqa: F403
from jaxacts.activations._gated import *  # noqa: F403
from jaxacts.activations._piecewise import *  # noqa: F403
from jaxacts.activations._rectifiers import *  # noqa: F403

__all__ = sorted(  # noqa: PLE0605
    [*_algebraic.__all__, *_first.__all__, *_gated.__all__, *_piecewise.__all__, *_rectifiers.__all__]
)
