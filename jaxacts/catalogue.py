"""The records as tables: rows of plain data, Markdown for the README, and JSON for other programs."""

from __future__ import annotations

import dataclasses
import inspect
import math
import re
import textwrap
from collections.abc import Callable, Iterable
from typing import Any

from jaxacts import _declare
from jaxacts._declare import Record, records

SCHEMA = 1

_SYMBOLS = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "lambda": "λ",
    "mu": "μ", "sigma": "σ", "tau": "τ", "theta": "θ", "phi": "φ", "varphi": "φ", "Phi": "Φ", "pi": "π",
    "rho": "ρ", "zeta": "ζ", "omega": "ω", "eta": "η", "kappa": "κ", "nu": "ν", "xi": "ξ", "psi": "ψ",
    "Gamma": "Γ", "infty": "∞", "cdot": "·", "times": "×", "odot": "⊙", "le": "≤", "leq": "≤", "ge": "≥",
    "geq": "≥", "ne": "≠", "neq": "≠", "pm": "±", "mp": "∓", "to": "→", "in": "∈", "sim": "~",
    "approx": "≈", "ldots": "…", "dots": "…", "cdots": "⋯", "sum": "Σ", "prod": "Π", "int": "∫",
    "lfloor": "⌊", "rfloor": "⌋", "lvert": "|", "rvert": "|", "vert": "|", "mid": "|", "lVert": "‖",
    "rVert": "‖", "Vert": "‖", "langle": "⟨", "rangle": "⟩", "circ": "∘", "quad": "  ", "qquad": "  ",
    "wedge": "∧", ",": "", ";": " ", "!": "", ":": " ", " ": " ", "{": "{", "}": "}", "|": "‖", "\\": "; ",
}  # fmt: skip
_SUPERSCRIPTS = str.maketrans("0123456789+-n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ")


def rows(names: Iterable[str] | None = None) -> list[dict[str, Any]]:
    """What is declared about the elementwise activations, as plain data.

    Infinite numbers are the strings "inf" and "-inf", and NaN (no limit) is None, so the rows are valid JSON.

    Args:
      names: names of activations; None for all, in order of declaration.

    Returns:
      One dict an activation: name, formula, parameters, reference, and every field of its facts.

    Raises:
      ValueError: for an unknown name.

    Example:
      >>> row = rows(["relu"])[0]
      >>> row["image"], row["kinks"], row["monotone"]
      ([0.0, 'inf'], [[0.0, 0.0]], True)

    Reference:
      RFC 8259, The JavaScript Object Notation Data Interchange Format, section 6: no infinities
    """
    known = records()
    chosen = list(known.values()) if names is None else [_record(name) for name in names]
    return [row(record) for record in chosen]


def row(record: Record, **params: Any) -> dict[str, Any]:
    """What is declared about one activation at some parameters, as in :func:`rows`.

    Args:
      record: the record.
      **params: parameters, numbers; those that are not given have their defaults.

    Returns:
      A dict as in :func:`rows`.

    Raises:
      TypeError: for an unknown parameter.

    Example:
      >>> found = row(records()["elu"], alpha=2.0)
      >>> found["parameters"], found["kinks"]
      ({'alpha': 2.0}, [[0.0, 2.0]])

    Reference:
      RFC 8259, The JavaScript Object Notation Data Interchange Format
    """
    return {
        "name": record.name,
        "formula": record.formula,
        "parameters": _plain_data({**record.parameters, **params}),
        "reference": record.reference,
        **_plain_data(dataclasses.asdict(record.facts_at(**params))),
    }


def other_rows() -> list[dict[str, Any]]:
    """The functions that are not elementwise (gated, over vectors, stochastic): name, aliases and summary.

    Returns:
      One dict a function.

    Example:
      >>> sorted(other_rows()[0]) if other_rows() else ["aliases", "name", "summary"]
      ['aliases', 'name', 'summary']

    Reference:
      Shazeer, GLU Variants Improve Transformer (2020), https://arxiv.org/abs/2002.05202, for the gated ones
    """
    return [
        {"name": name, "aliases": _aliases(name), "summary": summary(fn)}
        for name, fn in _declare._OTHERS.items()
    ]


def document(names: Iterable[str] | None = None) -> dict[str, Any]:
    """The catalogue as one JSON object with a schema version, as `jaxacts list --json` prints it.

    Args:
      names: names of elementwise activations; None for everything.

    Returns:
      A dict with the keys schema, activations and other.

    Example:
      >>> document(["gelu"])["activations"][0]["name"]
      'gelu'

    Reference:
      RFC 8259, The JavaScript Object Notation Data Interchange Format
    """
    return {"schema": SCHEMA, "activations": rows(names), "other": [] if names is not None else other_rows()}


def markdown(names: Iterable[str] | None = None) -> str:
    r"""The catalogue as a Markdown table, as the README shows it.

    Args:
      names: names of activations; None for all.

    Returns:
      A table with name, formula, image, Lipschitz constant, smoothness, properties and reference.

    Example:
      >>> print(markdown(["relu"]).splitlines()[0])
      | name | formula | image | sup \|f'\| | smoothness | properties | reference |

    Reference:
      GitHub Flavored Markdown Spec, section 4.10, Tables
    """
    lines = [
        r"| name | formula | image | sup \|f'\| | smoothness | properties | reference |",
        "|---|---|---|--:|---|---|---|",
    ]
    for row in rows(names):
        formula = row["formula"].replace("|", r"\vert ")  # a bare | would end the cell
        cells = [
            f"`{row['name']}`", f"${formula}$", image(row), _number(row["lipschitz"]), smoothness(row),
            ", ".join(properties(row)), row["reference"].replace("|", r"\|"),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def image(row: dict[str, Any]) -> str:
    """The infimum and the supremum of an activation as text, from a row of :func:`rows`.

    Args:
      row: a row.

    Returns:
      Text such as ``0 … ∞``; the ends may be attained or only approached.

    Example:
      >>> image(rows(["relu"])[0]), image(rows(["tanh"])[0])
      ('0 … ∞', '-1 … 1')

    Reference:
      Rudin, Principles of Mathematical Analysis (1976), chapter 1
    """
    return " … ".join(map(_number, row["image"]))


def smoothness(row: dict[str, Any]) -> str:
    """The smoothness class of an activation in words, from a row of :func:`rows`.

    Args:
      row: a row.

    Returns:
      "smooth", "jump", "kink", or "C1", "C2", … for the number of continuous derivatives.

    Example:
      >>> smoothness(rows(["relu"])[0]), smoothness(rows(["gelu"])[0])
      ('kink', 'smooth')

    Reference:
      Rudin, Principles of Mathematical Analysis (1976), chapter 5
    """
    value = row["smoothness"]
    return {"inf": "smooth", -1: "jump", 0: "kink"}.get(value) or f"C{value:g}"


def properties(row: dict[str, Any]) -> list[str]:
    """Short words for what holds of an activation, from a row of :func:`rows`.

    Args:
      row: a row.

    Returns:
      Some of "monotone", "odd", "even", "zero-centred", "bounded".

    Example:
      >>> properties(rows(["tanh"])[0])
      ['monotone', 'odd', 'zero-centred', 'bounded']

    Reference:
      Rudin, Principles of Mathematical Analysis (1976), chapters 4 and 5
    """
    bounded = not {"inf", "-inf", "nan", "None"} & set(map(str, row["image"]))
    held = {
        "monotone": row["monotone"],
        str(row["parity"]): row["parity"],
        "zero-centred": row["zero_centred"],
        "bounded": bounded,
    }
    return [word for word, holds in held.items() if holds]


def plain(latex: str) -> str:
    r"""A formula in LaTeX as one line of text for a terminal.

    Args:
      latex: the formula, without dollar signs.

    Returns:
      Unicode text; commands it does not know keep their name.

    Example:
      >>> plain(r"\frac{x}{1+e^{-\beta x}}"), plain(r"x\,\Phi(x)")
      ('x/(1+e^(-β x))', 'x Φ(x)')

    Reference:
      The Unicode Standard, chapter 22, Symbols
    """
    text = re.sub(r"\\(left|right|big|Big|bigl|bigr|displaystyle|textstyle|limits)(?![a-zA-Z])\.?", "", latex)
    text = re.sub(r"\\begin\{cases\}(.*?)\\end\{cases\}", lambda m: _cases(m[1]), text, flags=re.DOTALL)
    text = re.sub(r"\\(operatorname|mathrm|text|mathbf|mathit|mathbb|mathcal)\*?\{([^{}]*)\}", r" \2", text)
    text = re.sub(r"\\([,;:! ])", r" ", text)
    while (found := _innermost(text)) is not None:
        text = found
    # the name of a function needs a space before it, a symbol does not
    names = r"(?<=[\w)])\\(?=(?:[a-z]*(?:tan|sin|cos|exp|log|ln|max|min|erf|sign))[a-z]*\b)"
    text = re.sub(names, r" \\", text)
    text = re.sub(r"\\([a-zA-Z]+|.)", lambda m: _SYMBOLS.get(m[1], m[1]), text)
    text = re.sub(r"\^([0-9n])", lambda m: m[1].translate(_SUPERSCRIPTS), text)
    text = re.sub(r"\^\((-?[0-9n]+)\)", lambda m: m[1].translate(_SUPERSCRIPTS), text)
    text = text.replace("{", "").replace("}", "")
    return re.sub(r"\s+", " ", text).replace("( ", "(").replace(" )", ")").strip()


def _cases(body: str) -> str:
    parts = [part.strip() for part in re.split(r"\\\\(?:\[.*?\])?", body) if part.strip()]
    return "; ".join(re.sub(r"\s*&\s*,?\s*", ", ", part) for part in parts)


def _innermost(text: str) -> str | None:
    """One step of rewriting: the first command or script without inner braces; None when done."""
    plain_group = r"\{([^{}]*)\}"
    if match := re.search(rf"\\[dt]?frac\s*{plain_group}\s*{plain_group}", text):
        new = f"{_grouped(match[1])}/{_grouped(match[2])}"
    elif match := re.search(rf"\\sqrt\s*{plain_group}", text):
        new = f"√{_grouped(match[1])}"
    elif match := re.search(rf"([\^_]){plain_group}", text):
        new = f"{match[1]}{_grouped(match[2])}"
    else:
        return None
    return text[: match.start()] + new + text[match.end() :]


def _grouped(text: str) -> str:
    text = text.strip()
    return text if re.fullmatch(r"\\?[\w.]+", text) else f"({text})"


def derivative_source(record: Record) -> str:
    """The code of the analytic derivative without its signature, for people who want to read it.

    Args:
      record: a record of the catalogue.

    Returns:
      The lines of the body, or "" where the source is not at hand.

    Example:
      >>> print(derivative_source(jaxacts.records()["relu"]).splitlines()[-1].split()[0])
      return

    Reference:
      The Python Standard Library, module inspect
    """
    try:
        source = textwrap.dedent(inspect.getsource(record.derivative))
    except (OSError, TypeError):
        return ""
    lines = source.rstrip().splitlines()
    if not lines[0].lstrip().startswith("def "):
        return ""
    for i, line in enumerate(lines):  # the signature may span lines
        if re.search(r"\)\s*(->.*)?:\s*(#.*)?$", line):
            return textwrap.dedent("\n".join(lines[i + 1 :]))
    return ""


def summary(fn: Callable) -> str:
    """The first line of a docstring, with its formula as text.

    Args:
      fn: a function.

    Returns:
      One line, "" for a function without a docstring.

    Example:
      >>> def f(x):
      ...     r"Square, :math:`x^2`."
      >>> summary(f)
      'Square, x².'

    Reference:
      PEP 257, Docstring Conventions
    """
    first = (inspect.getdoc(fn) or "").partition("\n\n")[0].replace("\n", " ")
    return re.sub(r":\w+:`([^`]*)`", lambda m: plain(m[1]), first)


def _record(name: str) -> Record:
    found = _declare.record(_declare.get(name))
    if found is None:
        raise ValueError(f"{name!r} is not elementwise and has no record")
    return found


def _aliases(name: str) -> list[str]:
    return [alias for alias, target in _declare._ALIASES.items() if target == name]


def _plain_data(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain_data(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_data(entry) for entry in value]
    if isinstance(value, bool | int | str) or value is None:
        return value
    value = float(value)
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def _number(value: Any) -> str:
    if value is None:
        return "none"
    return {"inf": "∞", "-inf": "-∞"}.get(value) or f"{value:.6g}"
