"""From ground truth to lines that can be learned from: nothing is lost untold."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import write_pairs
from conftest import DrawnLine
from drawn_samples import Stored, drawn, sample, samples, settings
from written_lines import png

from uncial.alphabet import Alphabet
from uncial.errors import GroundTruthError
from uncial.sources import Sample, read_samples
from uncial.training_lines import gather


def test_lines_are_sorted_by_split_and_test_lines_are_passed_over() -> None:
    some = [sample(1, "no news"), sample(2, "a hill", "val"), sample(3, "☞", "test"), sample(4, "no hill")]
    lines = gather(some, settings(), None)
    assert [line.sample.id for line in lines.training] == ["drawn/1", "drawn/4"]
    assert [line.sample.id for line in lines.validation] == ["drawn/2"]
    assert lines.alphabet == Alphabet.from_texts(["no news", "no hill"])
    assert lines.left_out == ()


def test_a_line_knows_its_classes_and_the_width_of_its_line_image() -> None:
    lines = gather(samples(4), settings(), None)
    for line in lines.training:
        assert lines.alphabet.decode(line.classes) == line.sample.text
        assert line.width == line.sample.image().shape[1] + 2 * 4


def test_each_line_that_cannot_be_learned_from_is_left_out_with_its_reason() -> None:
    wrong = {
        "": "the text is empty",
        "a [?] hill": "the transcriber left words unread ([?], […])",
        "a ☞": "has a grapheme outside the alphabet: ☞",
    }
    some = samples(8)
    some += [sample(100 + n, text) for n, text in enumerate(wrong)]
    some.append(sample(103, "no news", data=b"no image"))
    some.append(sample(104, "no news", data=png(drawn("no news"))[:60]))
    some.append(sample(105, "Dear Ann no news", data=png(drawn("a"))))
    some.append(replace(sample(106, "no news"), flaw="has 2 lines of text for one line image; split them"))
    lines = gather(some, settings(rarest=2), None)
    told = dict(lines.left_out)
    assert set(told) == {f"drawn/{100 + n}" for n in range(7)}
    assert [told[f"drawn/{100 + n}"] for n in range(3)] == list(wrong.values())
    assert all(told[f"drawn/{n}"].startswith("has no usable image: drawn/") for n in (103, 104))
    assert told["drawn/105"].startswith("is too narrow for its text: 17 time steps needed, 4 there")
    assert "2 lines of text" in told["drawn/106"]
    assert len(lines.training) == 8


def test_the_summary_counts_what_was_left_out_by_reason_and_the_table_lists_it(tmp_path: Path) -> None:
    some = [*samples(8), sample(20, "><"), sample(21, ""), sample(22, "[?]"), sample(23, 'a "☞"')]
    lines = gather(some, settings(rarest=2), None)
    assert lines.summary().startswith("8 lines to learn from, 2 to choose by, ")
    assert "left out: 2 the text is empty; 1 the transcriber left words unread" in lines.summary()
    lines.list_left_out(tmp_path / "left_out.tsv")
    table = (tmp_path / "left_out.tsv").read_text(encoding="utf-8")
    rows = list(csv.reader(table.splitlines(), dialect="excel-tab"))
    assert rows[0] == ["id", "reason"]
    assert [row[0] for row in rows[1:]] == [f"drawn/{n}" for n in (20, 21, 22, 23)]
    assert gather(samples(8), settings(), None).summary().endswith("left out: none")


def test_a_line_that_validates_keeps_graphemes_that_cannot_be_spelled_as_errors_to_come() -> None:
    lines = gather([*samples(4), sample(9, "ah☞", "val")], settings(), None)
    (line,) = [line for line in lines.validation if line.sample.id == "drawn/9"]
    assert line.classes == (*lines.alphabet.encode("a"), *lines.alphabet.encode("h☞", -1))


def test_marks_are_read_as_the_policy_says() -> None:
    lines = gather([*samples(4), sample(9, "no ⟦news⟧")], settings(), None)
    assert lines.alphabet.decode(lines.training[-1].classes) == "no news"
    assert "⟦" not in lines.alphabet.graphemes


def test_the_alphabet_of_a_bundle_to_begin_with_stays_in_front() -> None:
    base = Alphabet(("z", "a"))
    lines = gather(samples(4), settings(), base)
    assert lines.alphabet.graphemes[:2] == ("z", "a")
    assert set(lines.alphabet.graphemes) == {"z", *"".join(s.text for s in samples(4))}


def test_rare_graphemes_stay_out_of_the_alphabet() -> None:
    some = [*samples(8), sample(20, "q a"), sample(21, "a q"), sample(22, "x a")]
    lines = gather(some, settings(rarest=2), None)
    assert "q" in lines.alphabet.graphemes
    assert lines.left_out == (("drawn/22", "has a grapheme outside the alphabet: x"),)


def test_no_line_to_learn_from_or_to_choose_by_is_told_with_the_first_reason() -> None:
    with pytest.raises(
        GroundTruthError, match=r"no line to learn from: 1 in split 'train'.*drawn/1: the text is empty"
    ):
        gather([sample(1, ""), sample(2, "a", "val")], settings(), None)
    with pytest.raises(GroundTruthError, match="no line to choose the best network by: 0 in split 'val'.*add lines"):
        gather(samples(4, validation=0), settings(), None)


def test_two_lines_of_one_id_are_told() -> None:
    with pytest.raises(GroundTruthError, match="same id"):
        gather([*samples(4), sample(0, "other text")], settings(), None)


def test_the_notes_of_each_collection_are_kept(tmp_path: Path, drawn_lines: tuple[DrawnLine, ...]) -> None:
    folder = write_pairs(tmp_path / "lines", drawn_lines, repeat=16)
    (folder / "SOURCE.txt").write_text("By Ann, CC BY 4.0\n", encoding="utf-8")
    assert dict(gather(read_samples([folder]), settings(), None).sources) == {"lines": "By Ann, CC BY 4.0"}
    assert gather([replace(s, source=Stored(s.source.file())) for s in samples(4)], settings(), None).sources == {}


def synthetic(count: int) -> list[Sample]:
    """Drawn lines of a collection of their own."""
    return [replace(s, id=f"synth/{s.id}", collection="synth", split="") for s in samples(count, validation=0)]


def test_an_epoch_takes_every_real_line_and_as_many_synthetic_ones_as_their_share_says() -> None:
    lines = gather(samples(6), settings(), None, synthetic(10))
    assert (len(lines.training), len(lines.validation), lines.synthetic) == (16, 2, 10)
    chosen = lines.of_epoch(0.4, np.random.default_rng(1))
    assert chosen[:6] == list(range(6))
    assert len(chosen) == len(set(chosen)) == lines.epoch_size(0.4) == 10
    assert all(lines.training[i].sample.collection == "synth" for i in chosen[6:])
    assert chosen == lines.of_epoch(0.4, np.random.default_rng(1))
    assert any(chosen != lines.of_epoch(0.4, np.random.default_rng(seed)) for seed in (2, 3, 4))


def test_a_share_that_asks_for_more_synthetic_lines_than_there_are_takes_all_and_0_takes_none() -> None:
    lines = gather(samples(6), settings(), None, synthetic(3))
    assert lines.of_epoch(0.9, np.random.default_rng(1)) == list(range(9))
    assert lines.of_epoch(0, np.random.default_rng(1)) == list(range(6))
    assert gather(samples(6), settings(), None).of_epoch(0.3, np.random.default_rng(1)) == list(range(6))


def test_synthetic_lines_alone_are_told_not_to_be_enough() -> None:
    with pytest.raises(GroundTruthError, match="all lines to learn from are synthetic"):
        gather(samples(0), settings(), None, synthetic(3))
