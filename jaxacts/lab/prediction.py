"""What mean-field theory predicts for the networks of a comparison at their initialisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from jaxacts.lab.store import Results


def known_functions(results: Results) -> dict[str, Callable]:
    """The activations of stored results that can be found again: the catalogue's and importable ones.

    Args:
      results: what a sweep measured.

    Returns:
      Functions by display name, in the order of the comparison; a lambda, for one, is not among them.
    """
    from jaxacts.lab.config import contenders

    described = results.manifest.get("activations", {})
    functions = {}
    for name in results.activations:
        source = str(described.get(name, {}).get("source", ""))
        kind, _, rest = source.partition(":")
        if kind == "callable":
            continue
        try:
            functions[name] = contenders([rest if kind == "catalogue" else source])[0].fn
        except (ValueError, TypeError):
            continue
    return functions


def gradient_ratio(
    f: Callable, *, depth: int, width: int, features: int, sigma_w: float, sigma_first: float
) -> float:
    r"""Predicted gradient norm of the first weight matrix over that of the last, for one example.

    The gradient of a matrix is the outer product of the backward signal above it and the forward signal below
    it, so the squared ratio is :math:`\prod_l \chi(q_l) \cdot n_0 / (n\,E f(\sqrt{q_L} z)^2)`.

    Args:
      f: the activation.
      depth: number of hidden layers L.
      width: their width n.
      features: number of inputs n_0, standardised.
      sigma_w: standard deviation of the weights times √fan_in, from the second matrix on.
      sigma_first: the same for the first matrix.

    Returns:
      The ratio; NaN where the theory has no answer.

    Example:
      >>> from jaxacts.lab import prediction
      >>> ratio = prediction.gradient_ratio(  # at He's gain every layer passes lengths and gradients on
      ...     jaxacts.relu, depth=8, width=64, features=64, sigma_w=2**0.5, sigma_first=2**0.5)
      >>> round(ratio, 6)
      1.0

    Reference:
      Schoenholz et al. (2017), https://arxiv.org/abs/1611.01232
    """
    from jaxacts import meanfield

    path = meanfield.trajectory(f, depth, sigma_w, q0=sigma_first**2)
    squared_forward = float(path.q[-1]) / sigma_w**2  # E f(z)^2 below the last matrix
    squared = (
        float(path.gradient[0]) * features / (width * squared_forward) if squared_forward > 0 else math.nan
    )
    return math.sqrt(squared) if math.isfinite(squared) and squared >= 0 else math.nan


def gradient_ratios(results: Results) -> dict[tuple[str, str], float]:
    """:func:`gradient_ratio` for every activation and facet that the theory covers.

    Left out: functions that cannot be found again, networks with normalisation or residual connections, and
    anything for which the theory has no answer.

    Args:
      results: what a sweep measured.

    Returns:
      Predictions by activation and facet.
    """
    features = results.manifest.get("dataset", {}).get("features")
    functions = known_functions(results) if features else {}
    found = {}
    for run in {(run["activation"], run["facet"]): run for run in results.runs}.values():
        f = functions.get(run["activation"])
        scale = scales(
            run, results.manifest["activations"].get(run["activation"], {}).get("gain"), features or 1
        )
        if f is None or scale is None:
            continue
        try:
            ratio = gradient_ratio(
                f,
                depth=run["depth"],
                width=run["width"],
                features=features,
                sigma_w=scale[1],
                sigma_first=scale[0],
            )
        except (ValueError, ArithmeticError):  # e.g. a moment that does not exist
            continue
        if math.isfinite(ratio):
            found[run["activation"], run["facet"]] = ratio
    return found


def scales(run: Mapping[str, Any], gain: float | None, features: int) -> tuple[float, float] | None:
    """sigma_w of the first matrix and of the others under a run's initialiser, as `mlp.init` draws them.

    Args:
      run: a run entry.
      gain: the gain of its activation.
      features: number of inputs.

    Returns:
      The pair, or None where the theory does not hold: with a normalisation or residual connections.
    """
    if run.get("normalisation", "none") != "none" or run.get("residual"):
        return None
    width = run["width"]
    return {
        "auto": (1.0, gain) if gain else None,
        "orthogonal": (1.0, gain) if gain else None,
        "lecun": (1.0, 1.0),
        "he": (math.sqrt(2.0), math.sqrt(2.0)),
        "glorot": (math.sqrt(2.0 * features / (features + width)), 1.0),
    }.get(run["init"])
