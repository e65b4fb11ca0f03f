from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from uncial.arpa import load_arpa, to_arpa
from uncial.errors import BundleError, ConfigError
from uncial.ngram import NGrams
from uncial.ngram_estimate import Counts, estimate

GRAPHEMES = (" ", "a", "b", "é", "q̃")
LINES = [[2, 3, 1, 2, 4], [2, 3, 1], [5, 2, 3], [3, 3, 3, 2]] * 3
# Two bigrams by hand; c is not in the alphabet, and q̃ and é are not in the file.
BY_HAND = """some words before

\\data\\
ngram 1=6
ngram 2=3

\\1-grams:
-99 <s> -0.5
-1.0 </s>
-0.3 a -0.2
-0.6 b
-0.7 <space>
-2 c

\\2-grams:
-0.1 <s> a
-0.4 a b
-0.9 c a

\\end\\
"""


def model(least: float = 0.0) -> NGrams:
    return replace(estimate(Counts.of(LINES, 4, 6), least), graphemes=GRAPHEMES)


@pytest.mark.parametrize("least", [0.0, 4.0])
def test_a_model_written_and_opened_again_tells_the_same(tmp_path: Path, least: float) -> None:
    made = model(least)
    (tmp_path / "x.arpa").write_text(to_arpa(made), encoding="utf-8")
    opened, left_out = load_arpa(tmp_path / "x.arpa", GRAPHEMES)
    assert left_out == 0
    assert opened.graphemes == GRAPHEMES
    for name in ("first_child", "class_", "shorter", "log_prob", "back_off"):
        assert np.array_equal(getattr(opened, name), getattr(made, name)), name
    assert opened.score([2, 3, 4]) == pytest.approx(made.score([2, 3, 4]), abs=1e-6)


def test_the_file_is_what_other_programs_read() -> None:
    rows = to_arpa(model()).splitlines()
    assert rows[0] == "\\data\\"
    assert rows[-1] == "\\end\\"
    counts = {row.split("=")[0][6:]: int(row.split("=")[1]) for row in rows if row.startswith("ngram ")}
    for length, count in counts.items():
        start = rows.index(f"\\{length}-grams:") + 1
        words = [row.split("\t")[1].split() for row in rows[start : start + count]]
        assert all(len(some) == int(length) for some in words)
        assert "<s>" not in {word for some in words for word in some[1:]}
        assert "</s>" not in {word for some in words for word in some[:-1]}
        assert rows[start + count] == ""
    assert any(row.split("\t")[1] == "b <space> a" for row in rows if row.count("\t"))


def test_a_file_by_hand_backs_off_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "x.arpa").write_text(BY_HAND, encoding="utf-8")
    opened, left_out = load_arpa(tmp_path / "x.arpa", GRAPHEMES)
    assert left_out == 2
    log10 = 1 / np.log(10)
    assert opened.score([2, 3]) * log10 == pytest.approx(-0.1 - 0.4 - 1.0, abs=0.002)
    assert opened.score([3, 2]) * log10 == pytest.approx(-0.5 - 0.6 - 0.3 - 0.2 - 1.0, abs=0.002)
    assert opened.score([4]) < opened.score([1])


def test_what_is_no_arpa_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.arpa").write_text("Dear Ann,\n", encoding="utf-8")
    with pytest.raises(BundleError, match=r"x\.arpa: is no ARPA file"):
        load_arpa(tmp_path / "x.arpa", GRAPHEMES)
    (tmp_path / "x.arpa").write_text("\\data\\\n\\1-grams:\n-1 a b c\n", encoding="utf-8")
    with pytest.raises(BundleError, match="holds no 1 words"):
        load_arpa(tmp_path / "x.arpa", GRAPHEMES)
    for wrong in ("nan", "inf"):
        (tmp_path / "x.arpa").write_text(BY_HAND.replace("-99", wrong), encoding="utf-8")
        with pytest.raises(BundleError, match="is no logarithm"):
            load_arpa(tmp_path / "x.arpa", GRAPHEMES)


def test_minus_infinity_is_no_outcome_as_minus_99_is(tmp_path: Path) -> None:
    (tmp_path / "x.arpa").write_text(BY_HAND, encoding="utf-8")
    (tmp_path / "y.arpa").write_text(BY_HAND.replace("-99", "-inf"), encoding="utf-8")
    one, other = (load_arpa(tmp_path / f"{name}.arpa", GRAPHEMES)[0] for name in "xy")
    assert one.score([2, 3, 1]) == other.score([2, 3, 1])


def test_an_order_too_high_for_the_alphabet_is_refused(tmp_path: Path) -> None:
    sections = "".join(f"\\{n}-grams:\n-1 {' '.join('a' * n)}\n" for n in range(1, 30))
    (tmp_path / "x.arpa").write_text(f"\\data\\\n{sections}\\end\\\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="order 29 is too high"):
        load_arpa(tmp_path / "x.arpa", GRAPHEMES)
