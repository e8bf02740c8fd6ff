"""The catalogue: one file a family; each function stands beside its analytic derivative and its facts."""

from jaxacts.activations import (
    _algebraic,
    _exponential,
    _first,
    _gated,
    _piecewise,
    _rectifiers,
    _rectifiers_parametric,
    _rectifiers_rare,
    _sigmoidal,
)
from jaxacts.activations._algebraic import *  # noqa: F403
from jaxacts.activations._exponential import *  # noqa: F403
from jaxacts.activations._first import *  # noqa: F403
from jaxacts.activations._gated import *  # noqa: F403
from jaxacts.activations._piecewise import *  # noqa: F403
from jaxacts.activations._rectifiers import *  # noqa: F403
from jaxacts.activations._rectifiers_parametric import *  # noqa: F403
from jaxacts.activations._rectifiers_rare import *  # noqa: F403
from jaxacts.activations._sigmoidal import *  # noqa: F403

__all__ = sorted(
    [
        *_algebraic.__all__,
        *_exponential.__all__,
        *_first.__all__,
        *_gated.__all__,
        *_piecewise.__all__,
        *_rectifiers.__all__,
        *_rectifiers_parametric.__all__,
        *_rectifiers_rare.__all__,
        *_sigmoidal.__all__,
    ]
)
