"""Language models as ARPA files, the form that SRILM, KenLM and others exchange.

A grapheme is a word there: a space is `<space>`, the edges of a line are `<s>` and `</s>`. Of a model whose lines begin
with one edge, as `ngram_estimate` makes them, nothing is lost on the way but the last digits.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from uncial.errors import BundleError, ConfigError
from uncial.ngram import EDGE, Floats, Level, NGrams, trie

SPACE, BEGIN, END, UNKNOWN = "<space>", "<s>", "</s>", "<unk>"
NEVER = -99.0  # log10 of what is no outcome, as SRILM has it
_LN10 = math.log(10)


def to_arpa(model: NGrams) -> str:
    """The text of an ARPA file.

    Raises:
        ValueError: the model does not know its graphemes.
    """
    if len(model.graphemes) != model.size - 1:
        raise ValueError("the graphemes of this model are not known")
    names = ["", *(SPACE if g == " " else g for g in model.graphemes)]
    levels = list(_levels(model))
    told = ["\\data\\", *(f"ngram {n}={len(rows) + (n == 1)}" for n, rows in enumerate(levels, start=1))]
    for length, rows in enumerate(levels, start=1):
        told += ["", f"\\{length}-grams:"]
        for classes, log_prob, share in rows:
            words = [names[c] for c in classes]
            words[0], ends = words[0] or BEGIN, classes[-1] == EDGE
            if length == 1 and ends:
                told += [f"{NEVER}\t{BEGIN}\t{share:.6g}", f"{log_prob:.6g}\t{END}"]
                continue
            words[-1] = words[-1] or END
            told.append(f"{log_prob:.6g}\t{' '.join(words)}" + ("" if ends or share is None else f"\t{share:.6g}"))
    return "\n".join([*told, "", "\\end\\", ""])


def _levels(model: NGrams) -> Iterator[list[tuple[list[int], float, float | None]]]:
    """Of each length the n-grams: classes, log10 of the probability, log10 of the back-off; None for the longest."""
    log_prob, back_off = (values.astype(np.float64) / _LN10 for values in (model.log_prob, model.back_off))
    inner = len(model.back_off)
    parents = np.repeat(np.arange(inner), np.diff(model.first_child)) if inner else np.empty(0, int)
    above, classes = range(1), {0: list[int]()}
    for _ in range(model.order):
        nodes = range(int(model.first_child[above.start]), int(model.first_child[above.stop]))
        classes = {node: [*classes[int(parents[node - 1])], int(model.class_[node])] for node in nodes}
        yield [(classes[n], float(log_prob[n]), float(back_off[n]) if n < inner else None) for n in nodes]
        above = nodes
        if above.stop > inner:
            return


def load_arpa(path: Path, graphemes: tuple[str, ...]) -> tuple[NGrams, int]:
    """Open an ARPA file of characters.

    Args:
        path: of the file, in UTF-8.
        graphemes: of the alphabet; n-grams of others are left out.

    Returns:
        The model, and how many n-grams were left out.

    Raises:
        BundleError: no such file, or it is none.
        ConfigError: its order is too high for the alphabet.
    """
    size = len(graphemes) + 1
    classes = {SPACE if g == " " else g: c for c, g in enumerate(graphemes, start=1)}
    try:
        with path.open(encoding="utf-8") as lines:
            found = _parsed(lines)
        order = len(found) - 1
        if order * size.bit_length() > 63:
            raise ConfigError(f"{path}: order {order} is too high for {size - 1} graphemes; make one of a lower order")
        levels, shares, left_out = _levels_of(found, classes | {BEGIN: EDGE, END: EDGE}, size)
    except (OSError, ValueError, IndexError) as error:
        raise BundleError(f"{path}: is no ARPA file, or damaged ({error}); make it anew") from error
    built = [
        Level(
            np.array(sorted(level), np.int64),
            _values(level, level),
            _values(levels[n - 1], shares[n - 1]) if n else _NONE,
        )
        for n, level in enumerate(levels)
    ]
    return replace(trie(built, size), graphemes=graphemes), left_out


_NONE = np.empty(0, np.float32)
_Table = dict[int, float]  # packed n-gram -> natural logarithm


def _values(ngrams: Iterable[int], of: _Table) -> Floats:
    return np.array([of.get(ngram, 0.0) for ngram in sorted(ngrams)], np.float32)


def _logarithm(written: str) -> float:
    """A log10; minus infinity is as good as NEVER."""
    value = float(written)
    if not value < math.inf:
        raise ValueError(f"{written!r} is no logarithm of a probability")
    return max(value, NEVER)


def _parsed(lines: Iterable[str]) -> list[list[tuple[list[str], float, float]]]:
    """The rows of each length: words, log10 of the probability and of the back-off; of length 0 there is none."""
    found: list[list[tuple[list[str], float, float]]] = [[]]
    begun = False
    for line in lines:
        begun = begun or line.strip() == "\\data\\"
        if line.startswith("\\") and line.rstrip().endswith("-grams:"):
            found.append([])
        elif line.startswith("\\end\\"):
            break
        elif len(found) > 1 and line.strip():
            log_prob, *words = line.split()
            length = len(found) - 1
            if len(words) not in (length, length + 1):
                raise ValueError(f"{line.strip()!r} holds no {length} words")
            share = _logarithm(words[length]) if len(words) > length else 0.0
            found[-1].append((words[:length], _logarithm(log_prob), share))
    if not begun or len(found) < 2:
        raise ValueError("it has no n-grams")
    return found


def _levels_of(
    found: list[list[tuple[list[str], float, float]]], classes: dict[str, int], size: int
) -> tuple[list[_Table], list[_Table], int]:
    """Of each length log-probabilities and back-offs by packed n-gram, and how many n-grams were left out."""
    bits = size.bit_length()
    told = {words[0]: log_prob for words, log_prob, _ in found[1]}
    unseen = told.get(UNKNOWN, min(told.values(), key=lambda value: value if value > NEVER else 0.0))
    levels: list[_Table] = [dict.fromkeys(range(size), unseen * _LN10)]
    shares: list[_Table] = [{}]
    left_out = 0
    for length, rows in enumerate(found[1:], start=1):
        if length > 1:
            levels.append({})
            shares.append({})
        for words, log_prob, share in rows:
            packed = 0
            for word in words:
                packed = packed << bits | classes.get(word, size)
            if any(word not in classes for word in words) or (length > 1 and packed >> bits not in levels[-2]):
                left_out += words != [UNKNOWN]
                continue
            if words != [BEGIN]:
                levels[-1][packed] = log_prob * _LN10
            if words != [END]:
                shares[-1][packed] = share * _LN10
    return levels, shares, left_out
