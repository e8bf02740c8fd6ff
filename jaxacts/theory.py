"""`jaxacts theory NAME --depth 50`: what mean-field theory says about one activation."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tyro

from jaxacts import meanfield, moments
from jaxacts.commands import _common
from jaxacts.moments import _sampling

_KINDS = {
    "he": ("keeps the second moment", "1/sqrt(E f^2)"),
    "centred": ("keeps the variance", "1/sqrt(Var f)"),
    "backward": ("keeps the gradient", "1/sqrt(E f'^2)"),
}


# What the numbers do not say by themselves, by the status of the fixed point or by the phase.
_WARNINGS = {
    "unstable": "the variance of a real network drifts away from this fixed point, which is unstable",
    "dying": "the signal dies out with depth",
    "diverging": "the variance of the signal grows without bound",
    "unsettled": "the variance of the signal never settles",
}


@dataclasses.dataclass(frozen=True)
class Options(_common.Verbosity):
    """Which activation, how deep, at which setting."""

    name: tyro.conf.Positional[str]
    """Name or alias, optionally with parameters: `gelu`, `leaky_relu:negative_slope=0.2`; or
    mypackage.module:function for your own."""
    depth: int = 50
    """Number of layers."""
    width: int = 1000
    """Width of the layers: of the recommended initialisation and of the simulated networks."""
    sigma_w: float | None = None
    """Standard deviation of the weights times sqrt(fan_in); by default the stable critical point's, else the
    forward gain."""
    sigma_b: float = 0.0
    """Standard deviation of the biases."""
    plot: Path | None = None
    """Draw length map, correlation map, phase diagram and prediction against simulation to a file (png, svg,
    pdf)."""
    networks: int = 8
    """Number of random networks simulated for the plot."""
    seed: int = 0
    """Seed of the simulation."""
    json: bool = False
    """Print one JSON object."""


class Report(NamedTuple):
    """What the theory says at one setting; plain Python numbers throughout."""

    name: str
    gains: dict[str, float]
    sigma_w: float
    sigma_b: float
    chosen: str
    critical: list[dict[str, Any]]
    q: float
    length_status: str
    chi: float
    phase: str
    xi_q: float
    xi_c: float
    correlation: float
    smoothness: str
    trainable: float
    recommended: str
    trajectory: meanfield.Trajectory


def main(argv: Sequence[str]) -> int:
    """Print the theory of one activation, and draw it."""
    options = _common.parse(
        Options,
        argv,
        prog="theory",
        description="Gains, edge of chaos, depth scales, initialisation and gradients of one activation.",
    )
    from jaxacts.commands.show import resolve

    with _common.usage():
        f = resolve(options.name)
        if options.depth < 1 or options.width < 1 or options.networks < 1:
            raise ValueError("--depth, --width and --networks must be at least 1")
        report = describe(f, options.depth, options.width, options.sigma_w, options.sigma_b)
    if options.plot:
        from jaxacts import _theory_plot

        with _common.usage():  # a file type that matplotlib does not know
            _theory_plot.draw(
                f, report, options.plot, width=options.width, networks=options.networks, seed=options.seed
            )
    if options.json:
        _common.print_json({"schema": 1, "theory": _plain(report)})
    else:
        print("\n".join(lines(report, options.quiet)))
    if options.plot and not options.quiet:
        _common.console(stderr=True).print(str(options.plot))
    return 0


def describe(
    f: Callable[..., Any], depth: int, width: int, sigma_w: float | None = None, sigma_b: float = 0.0
) -> Report:
    """Everything the command prints, as data.

    Args:
      f: any elementwise callable.
      depth: number of layers.
      width: width of the layers, for the recommendation.
      sigma_w: weight deviation; by default the stable critical point's, else the forward gain.
      sigma_b: bias deviation.

    Returns:
      A :class:`Report`.

    Example:
      >>> from jaxacts import theory
      >>> report = theory.describe(jaxacts.tanh, 10, 100, sigma_b=0.05)
      >>> round(report.sigma_w, 6), report.phase
      (1.122539, 'critical')
    """
    from jaxacts import initializers

    with _sampling.double_precision():  # nine digits are printed
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the error below says it
            gains = {kind: float(moments.gain(f, kind)) for kind in _KINDS}  # type: ignore[arg-type]
        if not 0 < gains["he"] < math.inf:
            raise ValueError(f"E f^2 must be finite and not zero for there to be a theory of {f!r}")
        points = meanfield.critical_point(f, sigma_b, all_points=True)
        best = meanfield.critical_point(f, sigma_b)
        if sigma_w is not None:
            chosen = "as asked for"
        elif isinstance(best, meanfield.CriticalPoint) and best.stable:
            sigma_w, chosen = best.sigma_w, "the stable critical point"
        else:
            sigma_w, chosen = gains["he"], "the forward gain: there is no stable critical point"
        point = meanfield.fixed_point(f, sigma_w, sigma_b, full_output=True)
        angle = meanfield.correlation_fixed_point(f, sigma_w, sigma_b, full_output=True)
        xi_q, xi_c, _ = meanfield.depth_scales(f, sigma_w, sigma_b, full_output=True)
        settled = not math.isnan(point.q)  # type: ignore[union-attr]
        start = float(point.q) if settled and point.q > 0 else 1.0  # type: ignore[union-attr]
        return Report(
            name=getattr(f, "__name__", repr(f)),
            gains=gains,
            sigma_w=float(sigma_w),
            sigma_b=float(sigma_b),
            chosen=chosen,
            critical=[point._asdict() for point in points],  # type: ignore[union-attr]
            q=float(point.q),  # type: ignore[union-attr]
            length_status=point.status,  # type: ignore[union-attr]
            chi=float(meanfield.chi(f, sigma_w, sigma_b, q=point.q)) if settled else math.nan,  # type: ignore[union-attr]
            phase=meanfield.phase(f, sigma_w, sigma_b),
            xi_q=float(xi_q),
            xi_c=float(xi_c),
            correlation=float(angle.c),  # type: ignore[union-attr]
            smoothness=meanfield.smoothness_class(f),
            trainable=6.0 * float(xi_c),
            recommended=initializers.recommend_init(f, depth, width).words,
            trajectory=meanfield.trajectory(f, depth, sigma_w, sigma_b, q0=start),
        )


def lines(report: Report, quiet: bool = False) -> list[str]:
    """The report in words and a table."""
    out = [f"{report.name}: what a wide random network of it does", "", "Gains"]
    for kind, (what, formula) in _KINDS.items():
        out.append(f"  {kind:9s}{report.gains[kind]:14.9f}   {formula:15s} {what}")
    out += [
        "",
        f"Critical points at sigma_b = {report.sigma_b:g} (chi = 1 at a fixed point of the length map)",
    ]
    for point in report.critical:
        kind = "stable" if point["stable"] else "UNSTABLE: signals drift away from it"
        if point["q"] == 0:
            kind = f"at vanishing signal, {kind}"
        out.append(f"  sigma_w {point['sigma_w']:.9f}   q {point['q']:.6g}   {kind}")
    if not report.critical:
        out.append("  none: no sigma_w keeps both signals and gradients")
    out += ["", f"At sigma_w = {report.sigma_w:.6g} ({report.chosen}), sigma_b = {report.sigma_b:g}"]
    out.append(f"  phase              {report.phase}")
    fixed = _number(report.q) if report.length_status in ("ok", "neutral", "unstable") else "none"
    note = {"ok": "", "neutral": " (neutral: nearby variances stay, or creep)"}.get(
        report.length_status, f" ({report.length_status})"
    )
    out.append(f"  signal variance    {fixed}{note}")
    out.append(f"  chi                {_number(report.chi)}")
    length = f"xi_q {_number(report.xi_q)}"
    if report.xi_q < 0:
        length = f"xi_q none (deviations grow e-fold every {-report.xi_q:.3g} layers)"
    out.append(f"  depth scales       {length}, xi_c {_number(report.xi_c)} layers")
    depth = "no limit in sight" if math.isinf(report.trainable) else f"about {report.trainable:.3g} layers"
    out.append(f"  trainable depth    {depth} (6 xi_c)")
    out.append(f"  correlations       tend to {_number(report.correlation)}; f is {report.smoothness}")
    warning = _WARNINGS.get(report.length_status if report.length_status == "unstable" else report.phase)
    if warning:
        out.append(f"  warning            {warning}")
    out += ["", "Recommended initialisation", "  " + report.recommended]
    if quiet:
        return out
    run = report.trajectory
    out += ["", "Prediction per layer (gradient: rms, relative to the last layer)"]
    out.append(f"  {'layer':>5s} {'variance q':>12s} {'correlation':>12s} {'gradient':>12s}")
    for layer in _layers(len(run.q) - 1):
        gradient = math.sqrt(run.gradient[layer])
        out.append(f"  {layer:5d} {run.q[layer]:12.5g} {run.c[layer]:12.6f} {gradient:12.5g}")
    return out


def _layers(depth: int) -> list[int]:
    """Every layer of a shallow network, about twenty of a deep one, the first and the last always."""
    step = max(1, round(depth / 20))
    return sorted({*range(0, depth + 1, step), depth})


def _number(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    return "infinite" if math.isinf(value) else f"{value:.6g}"


def _plain(report: Report) -> dict[str, Any]:
    content = report._asdict()
    content["trajectory"] = {
        key: np.asarray(row).tolist() for key, row in report.trajectory._asdict().items()
    }

    def finite(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: finite(item) for key, item in value.items()}
        if isinstance(value, list):
            return [finite(item) for item in value]
        return value if not isinstance(value, float) or math.isfinite(value) else repr(value)

    return finite(content)
