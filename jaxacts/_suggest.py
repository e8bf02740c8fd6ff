"""The nearest known names to one that was mistyped, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, names: Iterable[str], n: int = 2) -> list[str]:
    """Known names that `word` may be a slip of, the likeliest first.

    Candidates are those of `difflib`; they are ranked by the number of slips (a letter missing, extra, wrong,
    or two swapped), and among equals the one with the most equal letters wins: `rleu` is `relu`, not `reu`.

    Args:
      word: what was typed.
      names: what is known.
      n: how many to return at most.

    Returns:
      At most `n` names, none when nothing is near.

    Example:
      >>> from jaxacts._suggest import nearest
      >>> nearest("rleu", ["reu", "repu", "relu", "tanh"])
      ['relu', 'reu']
    """
    names = list(dict.fromkeys(names))
    lower = word.lower()

    def badness(name: str) -> tuple[int, int, float]:
        other = name.lower()
        letters = sum(abs(lower.count(x) - other.count(x)) for x in set(lower + other))
        return _slips(lower, other), letters, -difflib.SequenceMatcher(None, lower, other).ratio()

    near = difflib.get_close_matches(lower, [name.lower() for name in names], n=6)
    return sorted((name for name in names if name.lower() in near), key=badness)[:n]


def hint(word: str, names: Iterable[str], n: int = 2) -> str:
    """`; did you mean 'a' or 'b'?` for an error message, empty when nothing is near."""
    near = nearest(word, names, n)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def _slips(a: str, b: str) -> int:
    """Edits that turn a into b, swapping two neighbours counting as one (optimal string alignment)."""
    rows = [list(range(len(b) + 1))]
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
