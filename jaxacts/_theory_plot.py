"""The picture of `jaxacts theory --plot`: maps, phase diagram, prediction against simulation."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxacts import meanfield, plotting
from jaxacts.moments._integrals import integrals

_BLUE, _RED, _GREEN, _PINK = plotting.COLOURS[:4]
_GREY = "0.55"


def draw(
    f: Callable[..., Any],
    report: Any,
    path: str | os.PathLike | None,
    *,
    width: int,
    networks: int,
    seed: int,
) -> Any:
    """Six panels of one activation at the report's setting; returns the figure."""
    figure = plotting._figure(13.0, 7.6)
    panels = figure.subplots(2, 3)
    start = report.q if np.isfinite(report.q) and report.q > 0 else 1.0
    _length(panels[0, 0], f, report, start)
    _correlation(panels[0, 1], f, report, start)
    _phases(panels[0, 2], f, report)
    _simulated(panels[1], f, report, start, width, networks, seed)
    setting = rf"$\sigma_w$ = {report.sigma_w:.4g}, $\sigma_b$ = {report.sigma_b:g}"
    drift = "; unstable, finite networks drift away" if report.length_status == "unstable" else ""
    figure.suptitle(f"{report.name} at {setting}: {report.phase}{drift}", fontsize=13)
    return plotting._save(figure, path)


def _length(axes: Any, f: Callable[..., Any], report: Any, start: float) -> None:
    q = np.linspace(0, 3 * start, 121)
    value = [report.sigma_w**2 * float(integrals(f, lambda y: (y * y,), v).value[0]) for v in q]
    axes.plot(q, q, color=_GREY, lw=1, ls="--", label="q")
    axes.plot(q, np.array(value) + report.sigma_b**2, color=_BLUE, lw=1.8, label="V(q)")
    if np.isfinite(report.q):
        axes.plot(
            [report.q], [report.q], "o", color=_RED, ms=7, mec="white", label=f"fixed point {report.q:.4g}"
        )
    axes.set(xlabel="variance q of this layer", ylabel="of the next layer", title="Length map")
    axes.legend(frameon=False, fontsize=8.5)


def _correlation(axes: Any, f: Callable[..., Any], report: Any, q: float) -> None:
    c = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 61))  # dense where kinked functions bend
    value = [float(meanfield.correlation_map(f, x, report.sigma_w, report.sigma_b, q=q)) for x in c]
    axes.plot(c, c, color=_GREY, lw=1, ls="--", label="c")
    axes.plot(c, value, color=_BLUE, lw=1.8, label="C(c)")
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    if np.isfinite(report.correlation):
        axes.plot(
            [report.correlation], [report.correlation], "o", color=_RED, ms=7, mec="white",
            label=f"attractor {report.correlation:.4g}",
        )  # fmt: skip
    axes.set(
        xlabel="correlation c of two inputs",
        ylabel="after one layer",
        title=f"Correlation map at q = {q:.3g}",
    )
    axes.legend(frameon=False, fontsize=8.5)


def _phases(axes: Any, f: Callable[..., Any], report: Any) -> None:
    """χ at the fixed point over the plane of settings, and the critical line."""
    top_w = max(1.8 * report.sigma_w, 0.5)
    top_b = max(1.0, 1.5 * report.sigma_b)
    sigma_w, sigma_b = np.linspace(top_w / 80, top_w, 80), np.linspace(0, top_b, 50)
    chi = _chi_of_settings(f, sigma_w, sigma_b)
    shade = np.ma.masked_invalid(np.log2(np.clip(chi, 2.0**-3, 2.0**3)))
    axes.set_facecolor("0.85")
    mesh = axes.pcolormesh(
        sigma_w, sigma_b, shade, cmap="PuOr_r", vmin=-3, vmax=3, shading="nearest", rasterized=True
    )
    bar = axes.figure.colorbar(mesh, ax=axes, ticks=[-3, -2, -1, 0, 1, 2, 3], pad=0.02)
    bar.ax.set_yticklabels(["≤1/8", "1/4", "1/2", "1", "2", "4", "≥8"], fontsize=8)
    bar.set_label("χ: below 1 ordered, above 1 chaotic", fontsize=8.5)
    heights = np.linspace(0, top_b, 33)
    line, _, stable = meanfield.critical_line(f, heights)
    finite = np.isfinite(line)
    if finite[0] and not finite[1:].any():  # a scale-invariant function is critical at a single point
        axes.plot(
            line[:1],
            heights[:1],
            "D",
            color="black",
            ms=12,
            clip_on=False,
            label=r"critical, at $\sigma_b$ = 0 only",
        )
    else:
        for chosen, look, label in (
            (stable, "-", "critical, stable"),
            (finite & ~stable, ":", "critical, unstable"),
        ):
            if chosen.any():
                axes.plot(np.where(chosen, line, np.nan), heights, color="black", lw=2, ls=look, label=label)
    if not finite.any():
        axes.plot([], [], " ", label="no critical point")
    axes.plot(
        [report.sigma_w], [report.sigma_b], "o", color=_RED, ms=8, mec="white", clip_on=False, label="here"
    )
    axes.set(xlabel=r"$\sigma_w$", ylabel=r"$\sigma_b$", xlim=(0, top_w), ylim=(0, top_b))
    title = "Phase diagram" + (" (grey: lengths diverge)" if np.isnan(chi).any() else "")
    axes.set_title(title)
    axes.legend(fontsize=8, framealpha=0.9, loc="upper left")


def _chi_of_settings(f: Callable[..., Any], sigma_w: np.ndarray, sigma_b: np.ndarray) -> np.ndarray:
    """χ at the variance reached from 1, (sigma_b, sigma_w), good enough for a picture; NaN where it diverges.

    The moments are tabulated over q once; every setting then needs only their linear combination.
    """
    q = np.logspace(-8, 8, 641)
    rows = [integrals(f, lambda y, dy: (y * y, dy * dy), v, slope=True).value for v in q]
    second, slope = np.array(rows).T
    start = q.size // 2  # q = 1
    chi = np.full((sigma_b.size, sigma_w.size), np.nan)
    for i, b in enumerate(sigma_b):
        for j, w in enumerate(sigma_w):
            excess = w * w * second + b * b - q
            up = excess[start] > 0
            path = np.arange(start, q.size) if up else np.arange(start, -1, -1)
            crossed = np.flatnonzero(excess[path] <= 0 if up else excess[path] >= 0)
            if crossed.size or not up:  # without a crossing on the way down the signal dies
                chi[i, j] = w * w * slope[path[crossed[0]] if crossed.size else 0]
    return chi


def _simulated(
    panels: Any, f: Callable[..., Any], report: Any, q0: float, width: int, networks: int, seed: int
) -> None:
    run = report.trajectory
    depth = len(run.q) - 1
    case = meanfield.Case(f, report.sigma_w, report.sigma_b, q0, float(run.c[0]))
    [measured] = meanfield.simulate([case], depth, width, networks=networks, seed=seed)
    layers = np.arange(depth + 1)
    correlation = measured.product / np.sqrt(measured.q * measured.other)
    gradient = np.sqrt(measured.gradient / measured.gradient[:, -1:])
    names = ("variance of the signal", "correlation of two inputs", "rms gradient / last layer's")
    rows = ((run.q, measured.q), (run.c, correlation), (np.sqrt(run.gradient), gradient))
    for axes, name, (predicted, simulated) in zip(panels, names, rows, strict=True):
        axes.plot(layers, simulated.T, color=_RED, lw=0.7, alpha=0.45)
        axes.plot([], [], color=_RED, lw=1, label=f"{networks} networks of width {width}")
        axes.plot(layers, predicted, color=_BLUE, lw=2.2, label="predicted, infinite width")
        axes.set(xlabel="layer", title=name[0].upper() + name[1:], xlim=(0, depth))
        positive = simulated[np.isfinite(simulated)]
        if name[0] != "c" and positive.size and positive.min() > 0:
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            if high / low < 8:  # a line that is flat should look flat
                middle = np.sqrt(low * high)
                axes.set_ylim(middle / 3, middle * 3)
        axes.legend(frameon=False, fontsize=8.5)
