"""Pictures of activations and of training runs, drawn with matplotlib (extra `lab`) or as text in a terminal.

Every line has its own colour, dash pattern and marker, so that it can be told apart in print and without
colour vision. The functions take plain callables and arrays, return a figure, and write a file only when
given a path.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxacts._declare import facts, get

# Okabe and Ito's colours, which most colour-blind people can tell apart, with a violet and a brown in place
# of the yellow that vanishes on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#6A3D9A", "#7F4F24")
DASHES = (
    "",
    "6 2",
    "2 2",
    "6 2 2 2",
    "10 3",
)  # SVG dash arrays; 9 and 5 are coprime: 45 pairs before one repeats
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

Band = tuple[np.ndarray, np.ndarray, np.ndarray]


class Style(NamedTuple):
    """How one line is drawn, in matplotlib and in SVG alike."""

    colour: str
    dash: str
    marker: str


def styles(names: Sequence[str]) -> dict[str, Style]:
    """One style a name; the first forty-five differ in colour or dash pattern.

    Args:
      names: what the lines stand for, in a fixed order.

    Returns:
      A mapping from name to :class:`Style`.

    Example:
      >>> styles(["relu", "tanh"])["tanh"]
      Style(colour='#D55E00', dash='6 2', marker='s')

    Reference:
      Okabe & Ito, Color Universal Design (2008), https://jfly.uni-koeln.de/color/
    """
    return {
        name: Style(COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(names)
    }


def sample(f: Callable, low: float = -5.0, high: float = 5.0, points: int = 401) -> Band:
    """Abscissae, values and derivatives of an activation, with a gap where the derivative jumps.

    Args:
      f: any elementwise callable.
      low: left end.
      high: right end.
      points: how many points.

    Returns:
      Three arrays of shape (points,): x, f(x), and f'(x) by `jax.grad`, NaN next to a declared kink.

    Example:
      >>> x, y, slope = sample(jaxacts.relu, -1.0, 1.0, 4)
      >>> slope.tolist()
      [0.0, 0.0, 1.0, 1.0]

    Reference:
      Griewank & Walther, Evaluating Derivatives (2008), https://doi.org/10.1137/1.9780898717761
    """
    x = np.linspace(low, high, points)
    grid = jnp.asarray(x, jnp.result_type(float))
    shape = jax.eval_shape(f, grid).shape
    if shape != x.shape:
        raise ValueError(f"f must be elementwise: it mapped shape {x.shape} to {shape}")
    # one compiled program: op by op, every primitive would be compiled on its own
    y, slope = jax.jit(lambda v: (f(v), jax.grad(lambda u: jnp.sum(f(u)))(v)))(grid)
    y, slope = np.asarray(y, float), np.array(slope, float)
    known = facts(f)
    for point, _ in known.kinks if known else ():
        slope[np.abs(x - point) < 1e-6 * (high - low)] = math.nan  # a point on the kink itself
    return x, y, slope


def activations(
    functions: Sequence[Callable | str] | Mapping[str, Callable],
    path: str | os.PathLike | None = None,
    *,
    low: float = -5.0,
    high: float = 5.0,
) -> Any:
    """One panel for each activation: its curve (solid), its derivative (dashed) and its kinks (dots).

    Args:
      functions: activations or their names, or a mapping from label to activation.
      path: where to save the picture; None draws it only.
      low: left end of the axis.
      high: right end of the axis.

    Returns:
      The matplotlib figure.

    Example:
      >>> figure = activations(["relu", "gelu"])
      >>> len([axes for axes in figure.axes if axes.get_visible()])
      2

    Reference:
      Tufte, Envisioning Information (1990), on small multiples
    """
    named = functions if isinstance(functions, Mapping) else {label(f): f for f in functions}
    chosen = {name: get(f) for name, f in named.items()}
    columns = min(len(chosen), 3 if len(chosen) <= 9 else 5)
    rows = math.ceil(len(chosen) / columns)
    # a wide sheet: with room left for the legend and one line of labels
    figure = _figure(3.1 * columns, 2.35 * rows + 0.7)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(chosen) :]:
        axes.set_visible(False)
    pieces = {name: _pieces(f, low, high) for name, f in chosen.items()}
    sampled = _sampled(chosen, pieces)
    for axes, (name, f) in zip(grid.flat, chosen.items(), strict=False):
        _panel(axes, name, f, pieces[name], sampled[name])
        axes.set_xlim(low, high)
    for column in range(columns):
        axes = grid[(len(chosen) - 1 - column) // columns, column]
        axes.set_xlabel("z (pre-activation)")
        axes.tick_params(labelbottom=True)
    extent = np.concatenate([line.get_ydata() for axes in figure.axes for line in axes.lines[:2]])
    grid[0, 0].set_ylim(max(np.nanmin(extent), -2.2) - 0.2, min(np.nanmax(extent), 3.3) + 0.2)
    shown = {}  # one entry a label, whichever panel has it
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        shown.update(zip(labels, handles, strict=True))
    figure.legend(shown.values(), shown.keys(), loc="outside upper center", ncols=len(shown), frameon=False)
    return _save(figure, path)


def _pieces(f: Callable, low: float, high: float) -> np.ndarray:
    """Abscissae between the kinks, one row a piece: no line may cross a jump of the derivative."""
    known = facts(f)
    breaks = [point for point, _ in known.kinks if low < point < high] if known else []
    ends = np.array([low, *breaks, high])
    gap = 1e-4 * (high - low)
    left, right = ends[:-1].copy(), ends[1:].copy()
    left[1:] += gap
    right[:-1] -= gap
    return np.linspace(left, right, 300, axis=1)


def _sampled(chosen: Mapping[str, Callable], pieces: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Values and slopes of all functions on their pieces, by one compiled program, which is quick."""

    def everything(grids: dict[str, jax.Array]) -> dict[str, Any]:
        return {
            name: (chosen[name](x), jax.grad(lambda v, f=chosen[name]: jnp.sum(f(v)))(x))
            for name, x in grids.items()
        }

    grids = {name: jnp.asarray(x, jnp.result_type(float)) for name, x in pieces.items()}
    return jax.tree.map(lambda values: np.asarray(values, float), jax.jit(everything)(grids))


def _panel(
    axes: Any, name: str, f: Callable, pieces: np.ndarray, sampled: tuple[np.ndarray, np.ndarray]
) -> None:
    for x, y, slope in zip(pieces, *sampled, strict=True):
        axes.plot(x, y, color=COLOURS[0], lw=2.0, label="f(z)")
        axes.plot(x, slope, color=COLOURS[1], lw=1.6, ls=(0, (4, 1.5)), label="f'(z), by jax.grad")
    known = facts(f)
    for point, value in known.kinks if known else ():
        if pieces.min() < point < pieces.max():
            axes.plot(
                [point],
                [value],
                "o",
                ms=4.5,
                color=COLOURS[1],
                zorder=5,
                label="the derivative taken at a kink",
            )
    axes.axhline(0, color="0.8", lw=0.8, zorder=0)
    axes.axvline(0, color="0.8", lw=0.8, zorder=0)
    axes.set_title(name, fontsize=10, fontweight="bold")


def convergence(
    steps: np.ndarray,
    scores: Mapping[str, Band],
    path: str | os.PathLike | None = None,
    *,
    losses: Mapping[str, Band] | None = None,
    label: str = "test accuracy",
    loss_label: str = "training loss",
    target: float | None = None,
    title: str = "",
) -> Any:
    """Learning curves with intervals: the score, and beside it the training loss on a log scale.

    Args:
      steps: recorded steps, shape (T,).
      scores: by activation, (mean, low, high), each (T,).
      path: where to save the picture; None draws it only.
      losses: the same for the training loss, or None.
      label: name of the score.
      loss_label: name of the loss, with its unit.
      target: a score to mark with a line.
      title: a line above the picture.

    Returns:
      The matplotlib figure.

    Example:
      >>> flat = np.linspace(0.1, 0.9, 5)
      >>> figure = convergence(np.arange(5), {"relu": (flat, flat - 0.1, flat + 0.1)})
      >>> figure.axes[0].get_xlabel()
      'optimiser step'

    Reference:
      Henderson et al., AAAI 2018, https://arxiv.org/abs/1709.06560, on showing intervals over seeds
    """
    panels = 1 if losses is None else 2
    figure = _figure(5.4 * panels + 1.9, 4.4)
    grid = figure.subplots(1, panels, squeeze=False)[0]
    order = sorted(scores, key=lambda name: -_last(scores[name][0]))
    look = styles(list(scores))
    _lines(grid[0], steps, scores, order, look)
    grid[0].set(xlabel="optimiser step", ylabel=label)
    values = np.concatenate([band[0] for band in scores.values()])
    values = values[np.isfinite(values)]
    if values.size:  # room for the curves; an R^2 may start far below zero and would flatten the rest
        room = 0.06 * max(0.05, float(np.ptp(np.maximum(values, -1.0))))
        grid[0].set_ylim(max(values.min(), -1.0) - room, min(values.max() + 2 * room, 1.0 + room))
    if target is not None:
        grid[0].axhline(target, color="0.35", lw=1.2, ls=":", label=f"target {target:.3g}")
    if losses is not None:
        _lines(grid[1], steps, losses, order, look)
        grid[1].set(xlabel="optimiser step", ylabel=loss_label)
        means = np.concatenate([band[0] for band in losses.values()])
        means = means[np.isfinite(means) & (means > 0)]
        if means.size:  # the bands may reach below zero, the means may not
            bottom, top = means.min() / 1.3, min(means.max(), 1e4 * means.min()) * 1.3
            grid[1].set_yscale("log")
            grid[1].set_ylim(bottom, top)
            if top / bottom < 50:  # 0.2, 0.5, 1 read better than powers of ten when there is one decade
                ticks = [
                    m * 10.0**e for e in range(-12, 13) for m in (1, 2, 5) if bottom <= m * 10.0**e <= top
                ]
                grid[1].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
                grid[1].minorticks_off()
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside right upper", frameon=False, title="best first", handlelength=3.2
    )
    if title:
        figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return _save(figure, path)


def gradient_flow(
    panels: Mapping[str, Mapping[str, np.ndarray]],
    path: str | os.PathLike | None = None,
    *,
    title: str = "",
) -> Any:
    """Gradient norm of every layer on a log scale; flat lines are healthy, steep ones vanish or explode.

    Args:
      panels: by panel title (a moment of training), by activation, norms of shape (layers,) or, one row a
        run, (runs, layers), input side first. Runs are drawn as their median and their range.
      path: where to save the picture; None draws it only.
      title: a line above the picture.

    Returns:
      The matplotlib figure.

    Example:
      >>> figure = gradient_flow({"at the start": {"relu": np.array([0.9, 1.0, 1.1])}})
      >>> figure.axes[0].get_yscale()
      'log'

    Reference:
      Glorot & Bengio, AISTATS 2010, https://proceedings.mlr.press/v9/glorot10a.html
    """
    figure = _figure(4.9 * len(panels) + 1.7, 4.4)
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    names = list(dict.fromkeys(name for lines in panels.values() for name in lines))
    look = styles(names)
    for axes, (moment, lines) in zip(grid, panels.items(), strict=True):
        bands = {name: _spread(norms) for name, norms in lines.items()}
        for name, (middle, low, high) in bands.items():
            layer = np.arange(1, len(middle) + 1)
            line = _line(look[name])
            every = max(1, len(layer) // 10)
            axes.plot(layer, middle, ms=5, markevery=every, label=name, **line)
            axes.fill_between(layer, low, high, color=line["color"], alpha=0.13, lw=0)
        axes.set(xlabel="weight layer, input side first", title=moment)
        if any(np.isfinite(middle).any() for middle, *_ in bands.values()):
            axes.set_yscale("log")
        axes.title.set_fontsize(10)
        axes.xaxis.get_major_locator().set_params(integer=True)
    grid[0].set_ylabel("L2 norm of the loss gradient of a weight matrix")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, handlelength=3.2)
    if title:
        figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    return _save(figure, path)


def text_plot(f: Callable, *, low: float = -4.0, high: float = 4.0, width: int = 61, height: int = 17) -> str:
    """The curve of an activation in braille dots for a terminal, and its derivative in plain dots.

    Args:
      f: any elementwise callable.
      low: left end of the axis.
      high: right end of the axis.
      width: characters across.
      height: characters down.

    Returns:
      Lines of text joined by newlines; the derivative is drawn with ``·``.

    Example:
      >>> print(text_plot(jaxacts.identity, width=9, height=3))
            4 ┤      ⣀⠔⠊
            0 ┤···⡠⠔⠊···
           -4 ┤⡠⠔⠉
              └─────────
               -4      4

    Reference:
      The Unicode Standard, chapter 21, Braille Patterns
    """
    x, y, slope = sample(f, low, high, width * 2)
    values = np.concatenate([y, slope])
    values = values[np.isfinite(values)]
    bottom, top = max(float(values.min()), low), min(float(values.max()), high)
    if top - bottom < 1e-9:
        bottom, top = bottom - 1.0, top + 1.0
    cells = [[0] * width for _ in range(height)]
    dots = [[" "] * width for _ in range(height)]
    bits = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # dot numbering of the braille block

    def row(value: float, size: int) -> int | None:
        place = (top - value) / (top - bottom) * (size - 1)
        return round(place) if math.isfinite(place) and -0.5 <= place <= size - 0.5 else None

    for i in range(x.size):
        if (r := row(y[i], height * 4)) is not None:
            cells[r // 4][i // 2] |= bits[r % 4][i % 2]
        if (r := row(slope[i], height)) is not None:
            dots[r][i // 2] = "·"
    lines = []
    for r in range(height):
        value = top - (top - bottom) * r / (height - 1)
        mark = f"{value:7.3g} ┤" if r in (0, height // 2, height - 1) or height < 5 else "        │"
        body = "".join(chr(0x2800 + c) if c else d for c, d in zip(cells[r], dots[r], strict=True))
        lines.append(mark + body)
    ends = f"{low:g}" + f"{high:g}".rjust(width - len(f"{low:g}"))
    return "\n".join([*lines, "        └" + "─" * width, " " * 9 + ends])


def label(f: Callable | str) -> str:
    """What a plot or a table calls an activation: its name, without lambda's brackets.

    Args:
      f: an activation or its name.

    Returns:
      A short name.

    Example:
      >>> label(jaxacts.get("leaky_relu", negative_slope=0.2))
      'leaky_relu-negative_slope=0.2'

    Reference:
      The Python Language Reference, section 3.2, ``__name__``
    """
    return f if isinstance(f, str) else getattr(f, "__name__", type(f).__name__).strip("<>")


def _lines(axes: Any, steps: np.ndarray, bands: Mapping[str, Band], order: list[str], look: Mapping) -> None:
    every = max(1, len(steps) // 8)
    for i, name in enumerate(order):
        mean, low, high = bands[name]
        line = _line(look[name])
        start = (i * every // max(1, len(order))) if len(steps) > len(order) else 0
        axes.plot(steps, mean, ms=4.5, markevery=(start, every), label=name, **line)
        axes.fill_between(steps, low, high, color=line["color"], alpha=0.13, lw=0)
    axes.set_xlim(0, steps[-1])


def _line(style: Style) -> dict[str, Any]:
    dash = (0, tuple(float(v) / 1.7 for v in style.dash.split())) if style.dash else "-"
    return {"color": style.colour, "ls": dash, "marker": style.marker, "lw": 1.7, "mec": "white", "mew": 0.5}


def _spread(norms: np.ndarray) -> Band:
    """Median, least and largest over the runs; zeros have no place on a log axis."""
    runs = np.ma.masked_invalid(np.atleast_2d(np.asarray(norms, float)))
    found = (np.ma.median(runs, axis=0), runs.min(axis=0), runs.max(axis=0))
    return tuple(np.ma.masked_less_equal(values, 0).filled(math.nan) for values in found)  # type: ignore


def _last(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(known[-1]) if known.size else -math.inf


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need the package 'matplotlib': pip install 'jaxacts[lab]'") from error
    figure = Figure(figsize=(width, height), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)  # no pyplot: no global state, no window system
    return figure


def _save(figure: Any, path: str | os.PathLike | None) -> Any:
    for axes in figure.axes:
        axes.grid(True, color="0.92", lw=0.7)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8.5)
    if path is not None:
        path = Path(path)
        part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix or '.png'}")
        try:
            figure.savefig(part)
            os.replace(part, path)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    return figure
