"""Activation, initialisation and learning rates for a setting, each sentence with its number and source."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jaxacts
from jaxacts import meanfield
from jaxacts.lab.advice import _evidence, _theory
from jaxacts.lab.advice._records import Finding, Setting
from jaxacts.lab.advice._theory import Outlook
from jaxacts.moments import _sampling

# In the order in which the networks of experiments/convergence.py reached their target; what that experiment
# does not hold comes after them.
CANDIDATES = ("silu", "gelu", "mish", "elu", "relu", "tanh", "leaky_relu", "selu", "softplus", "sigmoid")

# Those of that experiment, and the depth up to which its 4 layers are taken as a guide.
MEASURED, SHALLOW = CANDIDATES[:6], 8

# The rms of raw inputs that are usual in each kind of data, and what to do about it.
_INPUTS = {
    "image": (255 / math.sqrt(3), "pixels from 0 to 255", "centre every pixel and divide all by one number"),
    "tabular": (100.0, "a column in a unit 100 times too small", "standardise every column by itself"),
    "series": (100.0, "a signal in a unit 100 times too small", "centre the series and divide all by one "
               "number"),
    "text": (0.02, "embeddings of standard deviation 0.02", "give embeddings a standard deviation of 1"),
}  # fmt: skip
# The data sets of the lab, and so of the experiments, by kind.
DATASETS = {
    "image": ("digits", "mnist5k", "mnist", "fashion_mnist", "cifar10"),
    "tabular": ("wine", "breast_cancer", "diabetes", "friedman", "addition", "multiplication"),
    "series": ("mnist1d",),
}


@functools.lru_cache(maxsize=64)
def usual(setting: Setting) -> tuple[Outlook, ...]:
    """The theory of the usual candidates, :data:`CANDIDATES`."""
    return tuple(outlooks(setting, [(name, jaxacts.get(name).fn) for name in CANDIDATES]))


def outlooks(setting: Setting, candidates: Sequence[tuple[str, Callable[..., Any]]]) -> list[Outlook]:
    """The theory of every candidate, in the same order."""
    return [
        _theory.outlook(name, f, setting.depth, setting.width, setting.normalisation)
        for name, f in candidates
    ]


def choose(found: Sequence[Outlook]) -> Outlook:
    """The first that fits the setting, else the one that comes nearest."""
    return next((one for one in found if one.fits), None) or min(found, key=lambda one: one.cost)


def findings(setting: Setting, found: Sequence[Outlook]) -> list[Finding]:
    """Everything there is to say about a setting, before anything is trained.

    Args:
      setting: depth, width and the rest.
      found: from :func:`outlooks`.

    Returns:
      The findings, the most important first.
    """
    best = choose(found)
    return [
        *_activation(setting, best),
        *_passed_over(setting, best, found),
        *_initialisation(setting, best),
        *_learning_rate(best),
        *_normalisation(setting, best),
        *_precision(setting, best),
        *_data(setting, best),
    ]


def initialisation(setting: Setting) -> str:
    """The lab's initialiser to use; under a normalisation scale and law of the weights matter little."""
    return "orthogonal" if setting.normalisation == "none" and setting.depth > 1 else "auto"


def _activation(setting: Setting, best: Outlook) -> list[Finding]:
    if setting.depth == 1:
        words = f"Use {best.name}: one hidden layer has no depth for gradients to get lost in"
    else:
        rule = {
            "none": "with weights at its gain",
            "layer": "under layer normalisation",
            "batch": "under batch normalisation, which takes the mean away in every layer,",
        }[setting.normalisation]
        words = (
            f"Use {best.name}: {rule} the gradient at the first hidden layer is {best.change:.3g} times that "
            f"at the last ({math.sqrt(best.chi):.4g} per layer)"
        )
    if setting.normalisation == "none":
        words += (
            f", and the power of the signal at the last layer differs between networks of width "
            f"{setting.width} by {_percent(best.spread)} (one standard deviation)"
        )
    moment = "E f'^2 / Var f" if setting.normalisation == "batch" else "E f'^2 / E f^2"
    source = f"jaxacts.moments.moments: ({moment})^((depth - 1)/2)"
    if setting.normalisation == "none":
        source += "; jaxacts.meanfield.width_deviation"
    made = [Finding("activation", f"{words}.", "theory", best.change, source)]
    if best.name in MEASURED and setting.depth <= SHALLOW:
        made += _evidence.quote("activation", "convergence")
    if setting.normalisation == "none":  # as in that benchmark
        made += _evidence.benchmark(best.name, setting.depth)
    return made


def _passed_over(setting: Setting, best: Outlook, found: Sequence[Outlook]) -> list[Finding]:
    """Why not the ones that are quicker in shallow networks, and what the classical ones would do."""
    made = []
    quicker = [one for one in found[: found.index(best)] if not one.fits]
    if quicker:
        told = ", ".join(f"{one.name} ({_trouble(one)})" for one in quicker)
        worst = max(quicker, key=lambda one: one.cost)
        made.append(
            Finding(
                "activation",
                f"Passed over, though quicker in shallow networks: {told}.",
                "theory",
                10**worst.cost,
                "jaxacts.moments.moments, jaxacts.meanfield.width_deviation; experiments/convergence.py",
            )
        )
    failing = [one for one in found if one.change < 1e-2 and one is not best]
    if failing:
        worst = min(failing, key=lambda one: one.change)
        deep = f"through {setting.depth} layers"
        made.append(
            Finding(
                "activation",
                f"Avoid {_list([one.name for one in failing])}: {deep} the gradient shrinks to "
                f"{worst.change:.1e} of itself with {worst.name}, even at its gain.",
                "theory",
                worst.change,
                "jaxacts.moments.moments: (gain² E f'²)^((depth - 1)/2)",
            )
        )
        if "sigmoid" in [one.name for one in failing]:
            made += _evidence.quote("activation", "vanishing_gradients", "log10")
    dying = [one for one in found if one.born_dead > 1e-3]
    if dying:
        worst = max(dying, key=lambda one: one.born_dead)
        made.append(
            Finding(
                "activation",
                f"At width {setting.width} a {worst.name} network is born dead at an input, passing on no "
                f"gradient, with probability {worst.born_dead:.3g}.",
                "theory",
                worst.born_dead,
                "1 - (1 - p^width)^depth, p = share of slopes that are 0 (Lu et al., arXiv:1903.06733)",
            )
        )
        made += _evidence.quote("activation", "born_dead", "share dead at one input")
    return made


def _trouble(one: Outlook) -> str:
    """What keeps an activation from fitting, in a few words."""
    if not 0.1 < one.change < 10 or (one.spread <= 1 and one.born_dead <= 0.01):
        return f"gradient × {one.change:.2g}"
    if one.spread > 1:
        return f"power differs by {_percent(one.spread)}"
    return f"born dead with probability {one.born_dead:.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share < 10 else "more than ten times its mean"


def _initialisation(setting: Setting, best: Outlook) -> list[Finding]:
    gain, name = best.gain, best.name
    if initialisation(setting) == "auto":
        words = (
            f"Initialise with normal weights of standard deviation {gain:.4g}/√fan_in and zero biases "
            f"(jaxacts.initializers.he(jaxacts.{name})): {gain:.4g} = 1/√E f² keeps the power of the signal"
        )
        words += (
            "." if setting.normalisation == "none" else ", though the normalisation would repair another."
        )
        return [Finding("initialisation", words, "theory", gain, f"jaxacts.moments.gain({name})")]
    with _sampling.double_precision():
        laws = [
            meanfield.jacobian_spectrum(best.f, setting.depth, gain, weights=kind, q=1.0).relative_variance
            for kind in ("orthogonal", "gaussian")
        ]
    words = (
        f"Initialise with orthogonal weights of gain {gain:.4g} (1 in the first layer) and zero biases: "
        f"jaxacts.initializers.orthogonal(jaxacts.{name}). {gain:.4g} = 1/√E f² keeps the power of the "
        f"signal, and the squared singular values of the Jacobian spread by {laws[0]:.3g} (relative "
        f"variance) where normal weights give {laws[1]:.3g}."
    )
    source = "jaxacts.moments.gain, jaxacts.meanfield.jacobian_spectrum"
    made = [Finding("initialisation", words, "theory", laws[0], source)]
    made += _evidence.quote("initialisation", "dynamical_isometry")
    if best.chi == 1.0 or abs(best.chi - 1) < 1e-3:
        made += _evidence.quote("initialisation", "xavier_vs_he")
    return made


def _learning_rate(best: Outlook) -> list[Finding]:
    low, high = best.rates
    moved = high * best.depth * best.width * best.size
    at_top = (
        "at the upper end a first step moves the output by about its own size"
        if moved > 0.99
        else f"at the upper end a step is a tenth of a typical weight, and moves the output by {moved:.2g} "
        "of its size"
    )
    words = (
        f"Search Adam's learning rate between {low:.1e} and {high:.1e}: {at_top}, at the lower end by a "
        f"tenth of that (rate × depth × width × E|f|, E|f| = {best.size:.3g})."
    )
    return [Finding("learning rate", words, "theory", high, "jaxacts.moments.mean(|f|)")]


def _normalisation(setting: Setting, best: Outlook) -> list[Finding]:
    if best.fits:
        return []
    if setting.normalisation == "none":
        words = (
            f"This network is hard to train without help: even {best.name} changes gradients by a factor of "
            f"{best.change:.2g} and lets the power differ by {_percent(best.spread)}. Add residual "
            "connections or layer normalisation, or make it wider or shallower."
        )
    else:
        words = (
            f"{setting.normalisation} normalisation alone does not keep gradients at this depth: even with "
            f"{best.name} they change by a factor of {best.change:.2g}. Add residual connections."
        )
        words = words[0].upper() + words[1:]
    return [Finding("normalisation", words, "theory", 10**best.cost, "jaxacts.meanfield.width_deviation")]


def _precision(setting: Setting, best: Outlook) -> list[Finding]:
    if setting.precision == "float32":
        return []
    import jax.numpy as jnp

    low, _ = best.rates
    kind = jnp.finfo(setting.precision)
    step = low * math.sqrt(setting.width) / best.gain
    lost = float(kind.eps) / 4  # half a unit in the last place of a weight just below a power of two
    fate = "smaller than" if step < lost else "only a few times"
    words = (
        f"Keep the weights in float32 and compute in {setting.precision}: a step of {low:.1e} is "
        f"{step:.1e} of a typical weight, {fate} the {lost:.1e} below which a {setting.precision} weight "
        "may not change at all."
    )
    if step >= 10 * lost:
        words = (
            f"Keep the weights in float32 and compute in {setting.precision}: {setting.precision} weights "
            f"lose changes below {lost:.1e} of themselves, and late steps are smaller than that."
        )
    made = [Finding("precision", words, "theory", lost, f"jax.numpy.finfo({setting.precision}).eps / 4")]
    if setting.precision == "float16":
        tiny = float(kind.smallest_subnormal)
        made.append(
            Finding(
                "precision",
                f"Scale the loss: float16 gradients below {tiny:.1e} become 0 and those above "
                f"{float(kind.max):g} infinite. The lab starts at 4096 and adapts.",
                "theory",
                tiny,
                "jax.numpy.finfo(float16).smallest_subnormal",
            )
        )
    return made + _evidence.quote("precision", "precision")


def _data(setting: Setting, best: Outlook) -> list[Finding]:
    if setting.data_type is None:
        return []
    raw, what, remedy = _INPUTS[setting.data_type]
    words = f"{remedy[0].upper()}{remedy[1:]}: "
    if setting.normalisation == "none":
        with _sampling.double_precision():
            run = meanfield.trajectory(best.f, setting.depth - 1, best.gain, q0=raw**2)
        size, gradient = math.sqrt(run.q[-1]), math.sqrt(run.gradient[0])
        words += (
            f"{what} (rms {raw:.3g}) would reach the last layer with rms {size:.3g} instead of 1, and the "
            f"first layer's gradient would be {gradient:.2g} times the last's."
        )
        number, source = size, "jaxacts.meanfield.trajectory"
    else:
        number = raw**2 / (raw**2 + 9.0)  # one of ten inputs, the others at 1
        source = "raw² / (raw² + 9)"
        words += (
            "the normalisation repairs the scale of the whole input, but not that of one column: one of ten "
            f"with rms {raw:.3g} has {100 * number:.3g} % of the power, the others share the rest."
        )
    made = [Finding("data", words, "theory", number, source)]
    if setting.data_type not in DATASETS:
        words = (
            f"No experiment here trains on {setting.data_type} data; for it this advice rests on theory, "
            "which sees only depth, width and the activation."
        )
        made.append(Finding("data", words, "experiment", 0.0, "experiments/README.md"))
    return made


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
