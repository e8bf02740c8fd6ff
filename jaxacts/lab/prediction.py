"""What mean-field theory predicts for the networks of a comparison at their initialisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

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


def gradient_profile(
    f: Callable,
    *,
    depth: int,
    width: int,
    features: int,
    sigma_w: float,
    sigma_first: float,
    sigma_last: float | None = None,
) -> np.ndarray:
    r"""Predicted gradient norms of all weight matrices over that of the last, for one example.

    The gradient of a matrix is the outer product of the backward signal above it and the forward signal below
    it, so the squared ratio for matrix l is :math:`\prod_{k \ge l} \chi(q_k)`, of which the last factor holds
    the variance of the last matrix, times the squared length of the signal below it, :math:`n_0` for the
    first and :math:`n\,E f(\sqrt q z)^2` for others, over that below the last.

    Args:
      f: the activation.
      depth: number of hidden layers L.
      width: their width n.
      features: number of inputs n_0, standardised.
      sigma_w: standard deviation of the weights times √fan_in, from the second matrix on.
      sigma_first: the same for the first matrix.
      sigma_last: the same for the last matrix; None takes `sigma_w`.

    Returns:
      (L + 1,) ratios, input side first; the last is 1. NaN where the theory has no answer.

    Example:
      >>> from jaxacts.lab import prediction
      >>> prediction.gradient_profile(  # at He's gain every layer passes lengths and gradients on
      ...     jaxacts.relu, depth=3, width=64, features=64, sigma_w=2**0.5, sigma_first=2**0.5
      ... ).round(6).tolist()
      [1.0, 1.0, 1.0, 1.0]

    Reference:
      Schoenholz et al. (2017), https://arxiv.org/abs/1611.01232
    """
    from jaxacts import meanfield

    path = meanfield.trajectory(f, depth, sigma_w, q0=sigma_first**2)
    below = width * np.asarray(path.q, float) / sigma_w**2
    below[0] = features  # the first matrix sees the data
    squared = np.asarray(path.gradient, float) * below
    if sigma_last is not None:  # every signal but that of the last matrix has passed back through it
        squared[:-1] *= (sigma_last / sigma_w) ** 2
    if not (np.isfinite(squared[-1]) and squared[-1] > 0):
        return np.full(depth + 1, math.nan)
    squared = np.where(np.isfinite(squared) & (squared >= 0), squared, math.nan)
    return np.sqrt(squared / squared[-1])


def gradient_ratio(f: Callable, **network: Any) -> float:
    """The first entry of :func:`gradient_profile`: the first weight matrix's gradient over the last one's.

    Args:
      f: the activation.
      **network: as for :func:`gradient_profile`.

    Returns:
      The ratio; NaN where the theory has no answer.
    """
    return float(gradient_profile(f, **network)[0])


def gradient_profiles(results: Results) -> dict[tuple[str, str], np.ndarray]:
    """:func:`gradient_profile` for every activation and facet that the theory covers.

    Left out: functions that cannot be found again, networks with normalisation, residual connections or
    dropout, and anything for which the theory has no answer.

    Args:
      results: what a sweep measured.

    Returns:
      Predictions by activation and facet.
    """
    shape = results.manifest.get("dataset", {})
    features, outputs = shape.get("features"), shape.get("classes")
    functions = known_functions(results) if features else {}
    about = results.manifest.get("activations", {})
    found: dict[tuple[str, str], np.ndarray] = {}
    known: dict[Any, np.ndarray | None] = {}  # facets often differ only in what the theory does not see
    for run in {(run["activation"], run["facet"]): run for run in results.runs}.values():
        f = functions.get(run["activation"])
        scale = scales(run, about.get(run["activation"], {}).get("gain"), features or 1, outputs or 1)
        if f is None or scale is None:
            continue
        key = (run["activation"], run["depth"], run["width"], scale)
        if key not in known:
            sizes = {"depth": run["depth"], "width": run["width"], "features": features}
            try:
                known[key] = gradient_profile(
                    f, **sizes, sigma_first=scale[0], sigma_w=scale[1], sigma_last=scale[2]
                )
            except (ValueError, ArithmeticError):  # e.g. a moment that does not exist
                known[key] = None
        profile = known[key]
        if profile is not None and np.isfinite(profile).all():
            found[run["activation"], run["facet"]] = profile
    return found


def scales(
    run: Mapping[str, Any], gain: float | None, features: int, outputs: int
) -> tuple[float, float, float] | None:
    """sigma_w of the first, the inner and the last matrices under a run's initialiser, see `mlp.init`.

    Args:
      run: a run entry.
      gain: the gain of its activation.
      features: number of inputs.
      outputs: number of outputs.

    Returns:
      The three, or None where the theory does not hold: with a normalisation, residual connections or
      dropout.
    """
    if run.get("normalisation", "none") != "none" or run.get("residual") or run.get("dropout"):
        return None
    width = run["width"]
    return {
        "auto": (1.0, gain, gain) if gain else None,
        "orthogonal": (1.0, gain, gain) if gain else None,
        "lecun": (1.0, 1.0, 1.0),
        "he": (math.sqrt(2.0), math.sqrt(2.0), math.sqrt(2.0)),
        "glorot": (
            math.sqrt(2.0 * features / (features + width)),
            1.0,
            math.sqrt(2.0 * width / (width + outputs)),
        ),
    }.get(run["init"])
