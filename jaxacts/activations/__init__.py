"""The catalogue: one file a family; each function stands beside its analytic derivative and its facts."""

from jaxacts.activations import (
    _algebraic,
    _bounded,
    _bounded_bumps,
    _exponential,
    _exponential_rare,
    _gated,
    _gated_composite,
    _gated_expanded,
    _gated_parametric,
    _gated_rare,
    _gated_unusual,
    _glu,
    _periodic,
    _periodic_enveloped,
    _piecewise,
    _piecewise_smooth,
    _rectifiers,
    _rectifiers_parametric,
    _rectifiers_rare,
    _shrinkage,
    _sigmoidal,
    _sigmoidal_rare,
    _smooth_rectifiers,
    _stochastic,
    _vector,
)
from jaxacts.activations._algebraic import *  # noqa: F403
from jaxacts.activations._bounded import *  # noqa: F403
from jaxacts.activations._bounded_bumps import *  # noqa: F403
from jaxacts.activations._exponential import *  # noqa: F403
from jaxacts.activations._exponential_rare import *  # noqa: F403
from jaxacts.activations._gated import *  # noqa: F403
from jaxacts.activations._gated_composite import *  # noqa: F403
from jaxacts.activations._gated_expanded import *  # noqa: F403
from jaxacts.activations._gated_parametric import *  # noqa: F403
from jaxacts.activations._gated_rare import *  # noqa: F403
from jaxacts.activations._gated_unusual import *  # noqa: F403
from jaxacts.activations._glu import *  # noqa: F403
from jaxacts.activations._periodic import *  # noqa: F403
from jaxacts.activations._periodic_enveloped import *  # noqa: F403
from jaxacts.activations._piecewise import *  # noqa: F403
from jaxacts.activations._piecewise_smooth import *  # noqa: F403
from jaxacts.activations._rectifiers import *  # noqa: F403
from jaxacts.activations._rectifiers_parametric import *  # noqa: F403
from jaxacts.activations._rectifiers_rare import *  # noqa: F403
from jaxacts.activations._shrinkage import *  # noqa: F403
from jaxacts.activations._sigmoidal import *  # noqa: F403
from jaxacts.activations._sigmoidal_rare import *  # noqa: F403
from jaxacts.activations._smooth_rectifiers import *  # noqa: F403
from jaxacts.activations._stochastic import *  # noqa: F403
from jaxacts.activations._vector import *  # noqa: F403

_FAMILIES = (
    _algebraic,
    _bounded,
    _bounded_bumps,
    _exponential,
    _exponential_rare,
    _gated,
    _gated_composite,
    _gated_expanded,
    _gated_parametric,
    _gated_rare,
    _gated_unusual,
    _glu,
    _periodic,
    _periodic_enveloped,
    _piecewise,
    _piecewise_smooth,
    _rectifiers,
    _rectifiers_parametric,
    _rectifiers_rare,
    _shrinkage,
    _sigmoidal,
    _sigmoidal_rare,
    _smooth_rectifiers,
    _stochastic,
    _vector,
)
__all__ = sorted(name for family in _FAMILIES for name in family.__all__)  # pyright: ignore[reportUnsupportedDunderAll]
