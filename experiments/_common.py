"""What every experiment script shares: arguments, the verdict, saved results, figure style.

A script keeps its question in its docstring, its settings in a frozen `Config`, the computation in
`run(config)`, the drawing in `plot(results)`, the comparison with theory in `judge(results)`, and ends in

    def main(argv=None):
        return common.main(__name__, __doc__, Config(), run, plot, judge, smoke={...}, full={...}, argv=argv)

Results are a NamedTuple of arrays, numbers and strings. They are written to JSON, read back, and only then
judged and drawn, so that what the figure shows is what the file holds.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import math
import os
import sys
import tempfile
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

# Okabe & Ito's palette: told apart by colour-blind readers and in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
STYLE = {
    "figure.dpi": 110,
    "font.size": 10,
    "axes.grid": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.8,
}


@dataclasses.dataclass(frozen=True)
class Check:
    """A number that the published or predicted result bounds.

    Attributes:
      what: what was measured, in words.
      value: the measured number.
      low: smallest value at which the claim holds.
      high: largest value at which the claim holds.
    """

    what: str
    value: float
    low: float = -math.inf
    high: float = math.inf

    @property
    def holds(self) -> bool:
        """Whether the value is inside its bounds; NaN is not."""
        return bool(self.low <= self.value <= self.high)

    def __str__(self) -> str:
        if self.low == self.high:
            bound = f"must be {self.low:.4g}"
        elif math.isinf(self.high):
            bound = f"must be at least {self.low:.4g}"
        elif math.isinf(self.low):
            bound = f"must be at most {self.high:.4g}"
        else:
            bound = f"must lie in [{self.low:.4g}, {self.high:.4g}]"
        return f"{self.what}: {self.value:.6g} ({bound})"


def main(
    name: str,
    doc: str | None,
    config: Any,
    run: Callable[[Any], Any],
    plot: Callable[[Any], Any],
    judge: Callable[[Any], tuple[str, Sequence[Check]]],
    *,
    smoke: Mapping[str, Any],
    full: Mapping[str, Any],
    argv: Sequence[str] | None = None,
) -> int:
    """Run one experiment from the command line.

    Args:
      name: the module's `__name__`; its last part (or the file's name under `python -m`) names the outputs.
      doc: the module's docstring; its first line is the question.
      config: the default settings, a frozen dataclass.
      run: settings to results, a NamedTuple, named in its return annotation.
      plot: results to a matplotlib figure.
      judge: results to the answer, one sentence with numbers, and the checks that it rests on.
      smoke: settings replaced under `--smoke`.
      full: settings replaced under `--full`.
      argv: arguments; those of the process when None.

    Returns:
      The exit code: 0, or 1 when a check does not hold (under `--smoke` it is printed, not judged).
    """
    name = Path(sys.modules[name].__file__ or name).stem
    doc = doc or name
    options = _parse(name, doc, argv)
    mode = "smoke" if options.smoke else "full" if options.full else "default"
    config = dataclasses.replace(config, **{"smoke": smoke, "full": full, "default": {}}[mode])
    folder = Path(options.output) if options.output else _default_folder(mode)
    print(f"{doc.splitlines()[0]}\n{config}", flush=True)
    path = folder / f"{name}.json"
    if options.redraw:
        kept, kind = _stored(path, config), typing.get_type_hints(run)["return"]
    else:
        start = time.perf_counter()
        results = run(config)
        kept: dict[str, Any] = {"seconds": round(time.perf_counter() - start, 1)}
        kept |= {"environment": environment(), "results": to_json(results)}
        kind = type(results)
    results = from_json(kind, kept["results"])
    folder.mkdir(parents=True, exist_ok=True)
    about = {"experiment": name, "question": doc.splitlines()[0], "mode": mode}
    kept = {"config": to_json(dataclasses.asdict(config)), **kept}
    _write_json(path, {**about, **kept})  # hours of results outlive a mistake in the judgement
    answer, checks = judge(results)
    judged = {
        "answer": answer,
        "holds": all(check.holds for check in checks),
        "checks": [to_json({**dataclasses.asdict(check), "holds": check.holds}) for check in checks],
    }
    _write_json(path, {**about, **judged, **kept})
    save_figure(plot, results, folder / f"{name}.png")
    for check in checks:
        print(f"  {'holds' if check.holds else 'FAILS'}  {check}")
    print(answer)
    print(f"{kept['seconds']:.1f} s; figure and results: {folder / name}.png, .json")
    return 0 if mode == "smoke" or all(check.holds for check in checks) else 1


def _parse(name: str, doc: str, argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.{name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--smoke", action="store_true", help="seconds: everything small, thresholds printed only"
    )
    size.add_argument("--full", action="store_true", help="hours, for accelerators")
    parser.add_argument(
        "--redraw", action="store_true", help="judge and draw what the folder holds, without running again"
    )
    parser.add_argument("--output", metavar="FOLDER", help="where NAME.png and NAME.json are written")
    return parser.parse_args(argv)


def _stored(path: Path, config: Any) -> dict[str, Any]:
    """What an earlier run with the same settings kept of itself."""
    if not path.exists():
        raise SystemExit(f"--redraw needs {path}; run without it first")
    found = json.loads(path.read_text(encoding="utf-8"))
    if found["config"] != to_json(dataclasses.asdict(config)):
        raise SystemExit(f"{path} holds a run with other settings; run again without --redraw")
    return {key: found[key] for key in ("seconds", "environment", "results")}


def _default_folder(mode: str) -> Path:
    """The committed results for the default size, a folder inside it for the others."""
    folder = Path(__file__).parent / "results"
    return folder if mode == "default" else folder / mode


def environment() -> dict[str, Any]:
    """Versions and device, kept beside every result."""
    import platform

    import jaxacts

    return {
        "jaxacts": jaxacts.__version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "x64": bool(jax.config.jax_enable_x64),  # pyright: ignore[reportAttributeAccessIssue]
    }


def to_json(value: Any) -> Any:
    """Plain JSON of nested NamedTuples, mappings, sequences and arrays, floats at seven digits.

    JSON has no infinities and no NaN: those become the strings "inf", "-inf" and "nan".
    """
    if hasattr(value, "_asdict"):
        return to_json(value._asdict())
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, jax.Array | np.ndarray):
        return to_json(np.asarray(value).tolist())
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{float(value):.7g}") if math.isfinite(value) else repr(float(value))
    if isinstance(value, np.integer | np.bool_):
        return value.item()
    return value


def from_json(kind: type, stored: Mapping[str, Any]) -> Any:
    """The NamedTuple `kind` from what :func:`to_json` made of it; lists of numbers become arrays."""

    def back(value: Any) -> Any:
        if value in ("inf", "-inf", "nan"):
            return float(value)
        if isinstance(value, Mapping):
            return {key: back(item) for key, item in value.items()}
        if isinstance(value, list):
            items = [back(item) for item in value]
            numbers = all(isinstance(item, bool | int | float | np.ndarray) for item in items)
            same = len({np.shape(item) for item in items}) <= 1
            return np.array(items) if numbers and same else items
        return value

    return kind(**{key: back(value) for key, value in stored.items()})


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    text = json.dumps(content, indent=1, allow_nan=False)
    # One line for each innermost list keeps the committed files short and their diffs readable.
    text = _join_innermost_lists(text) + "\n"
    _replace(path, lambda temporary: Path(temporary).write_text(text, encoding="utf-8"))


def _join_innermost_lists(text: str) -> str:
    import re

    return re.sub(r"\[[^\[\]{}\"]*\]", lambda match: " ".join(match.group().split()), text)


def save_figure(plot: Callable[[Any], Any], results: Any, path: Path) -> None:
    """Draw with the house style and write a PNG, whole or not at all."""
    import matplotlib

    with matplotlib.rc_context({**STYLE, "axes.prop_cycle": matplotlib.cycler(color=COLOURS)}):
        figure = plot(results)
        _replace(path, lambda temporary: figure.savefig(temporary, format="png", bbox_inches="tight"))


def axes(columns: int = 1, rows: int = 1, width: float = 4.6, height: float = 3.6, **options: Any) -> Any:
    """A figure and its axes as a flat list, without the global state of pyplot."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False, **options).flat)


def _replace(path: Path, write: Callable[[str], Any]) -> None:
    """Write beside the target, then move over it, so that a reader never sees half a file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    os.close(handle)
    try:
        write(temporary)
        os.chmod(temporary, 0o644)  # mkstemp makes files that only the owner may read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@functools.lru_cache(maxsize=64)
def critical_point(f: Callable[..., Any], sigma_b: float) -> Any:
    """The stable critical point, found once a process (the search takes seconds)."""
    from jaxacts import meanfield

    point = meanfield.critical_point(f, sigma_b)
    if point is None:
        raise ValueError(f"f has no critical point at sigma_b = {sigma_b}, was {f!r}")
    return point


def double() -> Any:
    """A context with float64 as JAX's default, for integrals that single precision would spoil."""
    enable = getattr(jax, "enable_x64", None)
    if enable is None:  # before jax 0.8
        from jax.experimental import enable_x64 as enable
    return enable(True)


def interval(values: Any, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Mean over runs and the half-width of its 95 % interval (Student's t)."""
    from scipy.stats import t

    values = np.asarray(values)
    count = values.shape[axis]
    if count < 2:
        return values.mean(axis), np.full_like(values.mean(axis), np.nan)
    half = t.ppf(0.975, count - 1) * values.std(axis, ddof=1) / math.sqrt(count)
    return values.mean(axis), half
