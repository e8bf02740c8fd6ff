"""Which initialisation fits an activation, a depth and a width, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from jax import Array

from jaxacts import _declare, _draw, moments

# Gradients that change by less than this factor over the whole network are no reason to look further.
_HARMLESS = 2.0
# Bias deviations at which a stable critical point is looked for, the usual zero first.
_SIGMA_B = (0.0, 0.3)


class Recommendation(NamedTuple):
    """An initialisation and the reasons for it.

    Attributes:
      kernel: initialiser of the weights, `(key, shape, dtype)`.
      bias: initialiser of the biases.
      activation: the activation to use: the one asked about, or a tailored version of it.
      words: the choice and its reasons, a few sentences.
      numbers: the numbers in the words, by name.
    """

    kernel: _draw.Initializer
    bias: _draw.Initializer
    activation: Callable[..., Array]
    words: str
    numbers: Mapping[str, float]

    def __str__(self) -> str:
        return self.words


def recommend_init(f: Callable[..., Array], depth: int, width: int) -> Recommendation:
    r"""Initialisation for a plain network of an activation, with the reasons in words and numbers.

    The forward gain :math:`1/\sqrt{E f^2}` is taken where it leaves gradients alone over the whole depth;
    else the stable critical point, :math:`\chi_1 = 1`, orthogonal where the function is smooth; and where
    there is none the function is tailored to the depth (Deep Kernel Shaping). Runs on the host; finding a
    critical point takes seconds.

    Args:
      f: the activation; any callable.
      depth: number of layers.
      width: units in the hidden layers.

    Returns:
      A :class:`Recommendation`.

    Raises:
      ValueError: if `depth` or `width` is less than 1.

    Example:
      >>> advice = jaxacts.initializers.recommend_init(jaxacts.relu, depth=30, width=1000)
      >>> round(advice.numbers["sigma_w"] ** 2, 4)  # He's
      2.0
      >>> print(advice.words.split(" and ")[0])
      Use weights of standard deviation 1.414 / sqrt(fan_in)
    """
    for name, value in (("depth", depth), ("width", width)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, was {value}")
    with jax.ensure_compile_time_eval():
        found = moments.moments(f)
        second, slope = float(found.second), float(found.slope_second)
    if not (0 < second < math.inf and 0 < slope < math.inf):
        raise ValueError(f"f must have finite E f² and E f'² that are not zero, were {second} and {slope}")
    gain = second**-0.5
    numbers = {"gain": gain, "chi": gain**2 * slope, "gradient": _change(gain**2 * slope, depth)}
    if 1 / _HARMLESS <= numbers["gradient"] <= _HARMLESS:
        choice = _forward_gain(f, depth, numbers)
    else:
        choice = _critical(f, depth, numbers) or _tailored(f, depth, numbers)
    return _with_width(choice, depth, width)


def _change(chi: float, depth: int) -> float:
    """Gradient at the first layer over that at the last."""
    return math.exp(0.5 * (depth - 1) * math.log(chi))


def _name(f: Any) -> str:
    fn, params = _declare.unbind(f)
    inside = ", ".join(f"{key}={value}" for key, value in params.items())
    return getattr(fn, "__name__", "f") + (f"({inside})" if inside else "")


def _normal(sigma_w: float) -> _draw.Initializer:
    settings: dict[str, Any] = {"in_axis": -2, "out_axis": -1, "batch_axis": ()}
    return _draw.initializer(
        _draw.variance_scaled, scale=sigma_w**2, mode="fan_in", distribution="normal", **settings
    )


def _biases(sigma_b: float) -> _draw.Initializer:
    return _draw.initializer(_draw.constant_normal, sigma=sigma_b)


def _forward_gain(f: Callable[..., Array], depth: int, numbers: dict[str, float]) -> Recommendation:
    gain = numbers["gain"]
    words = (
        f"Use weights of standard deviation {gain:.4g} / sqrt(fan_in) and zero biases. {gain:.4g} is 1 / "
        f"sqrt(E f^2) "
        f"of {_name(f)}, so the signal keeps its mean square; gradients then change by a factor of "
        f"{numbers['gradient']:.3g} from the last of {depth} layers to the first "
        f"(chi_1 = {numbers['chi']:.4g} per layer), which is harmless."
    )
    return Recommendation(_normal(gain), _biases(0.0), f, words, {**numbers, "sigma_w": gain, "sigma_b": 0.0})


def _critical(f: Callable[..., Array], depth: int, numbers: dict[str, float]) -> Recommendation | None:
    from jaxacts import meanfield  # expensive to search, and not always needed

    for sigma_b in _SIGMA_B:
        with jax.ensure_compile_time_eval():
            point = meanfield.critical_point(f, sigma_b)
            smooth = meanfield.smoothness_class(f) == "smooth"
        if not isinstance(point, meanfield.CriticalPoint) or not point.stable:
            continue
        sigma_w, q = float(point.sigma_w), float(point.q)
        kernel = _normal(sigma_w)
        if smooth:
            kernel = _draw.initializer(_draw.orthogonal_matrix, scale=sigma_w, column_axis=-1)
        size = f"{sigma_w:.4g} times an orthogonal matrix"
        if not smooth:
            size = f"normal, of standard deviation {sigma_w:.4g} / sqrt(fan_in)"
        biases = f"biases of standard deviation {sigma_b:g}" if sigma_b else "zero biases"
        words = (
            f"Use weights that are {size}, and {biases}. This is the critical point of {_name(f)} "
            f"(chi_1 = 1, signal variance {q:.3g}, stable): gradients keep their size through {depth} "
            f"layers. The forward gain {numbers['gain']:.4g} would change them by a factor of "
            f"{numbers['gradient']:.3g} (chi_1 = {numbers['chi']:.4g} per layer)."
        )
        if smooth:
            words += " Orthogonal weights keep the singular values of the Jacobian together as well."
        extra = {"sigma_w": sigma_w, "sigma_b": sigma_b, "q": q}
        return Recommendation(kernel, _biases(sigma_b), f, words, {**numbers, **extra})
    return None


def _tailored(f: Callable[..., Array], depth: int, numbers: dict[str, float]) -> Recommendation:
    from jaxacts import transforms

    start = (
        f"{_name(f)} has no stable critical point at sigma_b = {' or '.join(f'{b:g}' for b in _SIGMA_B)}, "
        f"and with "
        f"its forward gain {numbers['gain']:.4g} gradients would change by a factor of "
        f"{numbers['gradient']:.3g} over "
        f"{depth} layers (chi_1 = {numbers['chi']:.4g} per layer). "
    )
    try:
        act = transforms.transformed(f, depth)
    except ValueError as error:
        words = (
            f"{start}It cannot be tailored to this depth either ({error}); use normalisation or residuals."
        )
        gain = numbers["gain"]
        return Recommendation(
            _normal(gain), _biases(0.0), f, words, {**numbers, "sigma_w": gain, "sigma_b": 0.0}
        )
    parameters = ", ".join(f"{key} = {value:.5g}" for key, value in act.parameters.items())
    words = (
        f"{start}Use its tailored version (Deep Kernel Shaping; {parameters}) with orthogonal weights of "
        f"size 1 and "
        "zero biases: signals then keep mean 0 and variance 1, and the whole network's C'(1) is 1.5."
    )
    kernel = _draw.initializer(_draw.orthogonal_matrix, scale=1.0, column_axis=-1)
    return Recommendation(kernel, _biases(0.0), act, words, {**numbers, "sigma_w": 1.0, "sigma_b": 0.0})


def _with_width(choice: Recommendation, depth: int, width: int) -> Recommendation:
    """Say how much a network of this width fluctuates: ReLU's law, E|h|^4 growing by 1 + 5/n a layer."""
    spread = math.sqrt(5 * depth / width)
    words = (
        f"{choice.words} At width {width} the signal's power varies between networks by a factor of about "
    )
    words += f"{math.exp(min(spread, 50.0)):.2g}"
    if spread > 1:
        words += f": too narrow for {depth} layers, widths above {5 * depth} would hold it within e"
    return choice._replace(words=words + ".", numbers={**choice.numbers, "spread": spread})
