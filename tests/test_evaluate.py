"""An evaluation counts everything, loses nothing, and cannot be embellished by failing."""

import json
import math
from dataclasses import replace

import pytest
from written_lines import PixelReader, Row, png, samples_of, written

from uncial import evaluate as evaluate_module
from uncial.document import Failure
from uncial.errors import GroundTruthError
from uncial.evaluate import evaluate, repeated_lines
from uncial.metrics import EditCounts
from uncial.read_line import worst_lines
from uncial.recognizer import Recognizer


def evaluation_of(tmp_path, *rows, reader=None, **options):
    return evaluate(reader or PixelReader(), samples_of(tmp_path, rows), **options)


def test_a_reader_without_mistakes_has_rates_of_zero(tmp_path):
    score = evaluation_of(tmp_path, Row("Dear Ann"), Row("no news", page="2")).overall.every_line
    assert (score.lines, score.flawless, score.pages) == (2, 2, 2)
    assert score.cer.counts == EditCounts(hits=15)
    assert score.wer.counts == EditCounts(hits=4)
    assert score.cer.value == score.wer.value == score.normalised_cer.value == 0


def test_rates_are_pooled_over_graphemes_and_words(tmp_path):
    score = evaluation_of(tmp_path, Row("e"), Row("a hill on high"), reader=PixelReader({"e": "c"})).overall.every_line
    assert score.cer.value == 1 / 15
    assert score.wer.value == 1 / 5
    assert score.flawless == 1


def test_the_tiny_bundle_reads_its_lines_without_error(tmp_path, tiny_bundle, drawn_lines):
    rows = [Row(line.text, page=str(n), image=png(line.image)) for n, line in enumerate(drawn_lines)]
    recognizer = Recognizer.load(tiny_bundle.path)
    evaluation = evaluation_of(tmp_path, *rows, reader=recognizer)
    assert [line.transcript.text for line in evaluation.lines] == [line.text for line in drawn_lines]
    assert evaluation.overall.every_line.cer.value == 0
    assert 0 < evaluation.lines_per_second < math.inf
    assert not any(line.transcript.spans for line in evaluation.lines), "spans of many lines would fill the memory"


def test_a_line_that_cannot_be_opened_or_read_is_listed_and_counts_as_missing(tmp_path):
    truncated, thin = png(written("abc"))[:40], png(written("abc")[:, :1])
    rows = [Row("one"), Row("two", image=truncated), Row("three"), Row("four", image=thin), Row("five")]
    evaluation = evaluation_of(tmp_path, *rows)
    assert [failure.id for failure in evaluation.failures] == ["drawn/001", "drawn/003"]
    assert not any("drawn/" in failure.reason for failure in evaluation.failures), "the id is told once"
    assert evaluation.failures[1].reason == "the image is one pixel wide; cut the line again"
    assert evaluation.overall.every_line.cer.counts == EditCounts(hits=12, deletions=7)
    assert evaluation.overall.every_line.wer.counts == EditCounts(hits=3, deletions=2)
    assert [line.transcript.text for line in evaluation.lines[::2]] == ["one", "three", "five"]


def test_failures_are_neither_confusions_nor_worst_lines(tmp_path):
    rows = [Row("a very long line", image=b""), Row("see")]
    evaluation = evaluation_of(tmp_path, *rows, reader=PixelReader({"e": "c"}))
    assert evaluation.confusions == {("e", "c"): 2}
    assert [line.reference for line in worst_lines(evaluation.lines)] == ["see"]


def test_ground_truth_that_is_uncertain_is_listed_and_in_no_figure(tmp_path):
    evaluation = evaluation_of(tmp_path, Row("Dear [?]"), Row("no news"))
    assert [failure.id for failure in evaluation.left_out] == ["drawn/000"]
    assert evaluation.left_out[0].reason
    assert evaluation.overall.every_line.cer.counts.reference == len("no news")


def test_a_line_whose_source_is_flawed_is_listed_with_the_flaw_and_in_no_figure(tmp_path):
    whole, flawed = samples_of(tmp_path, [Row("no news"), Row("")])
    evaluation = evaluate(PixelReader(), [whole, replace(flawed, flaw="has an image but no text")])
    assert evaluation.left_out == (Failure("drawn/001", "has an image but no text"),)
    assert evaluation.overall.every_line.lines == 1


def test_transcribers_marks_are_taken_out_of_the_ground_truth_and_counted(tmp_path):
    evaluation = evaluation_of(tmp_path, Row("M^r Brown", image=png(written("Mr Brown"))))
    assert evaluation.lines[0].reference == "Mr Brown"
    assert evaluation.overall.every_line.cer.value == 0
    assert evaluation.marks == {"superscript": 1}


def test_normalised_rates_forgive_kinds_of_quotes_but_no_capitals(tmp_path):
    reader = PixelReader({"’": "'", "D": "d"})
    score = evaluation_of(tmp_path, Row("D’Arcy"), reader=reader).overall.every_line
    assert score.cer.counts.errors == 2
    assert score.normalised_cer.counts.errors == 1


def documents(count, text, **where):
    return [Row(text, document=f"letter {n}", page=f"letter {n}", **where) for n in range(count)]


@pytest.mark.parametrize(("count", "repeated"), [(8, False), (9, True)])
def test_a_line_is_repeated_if_over_eight_documents_say_it(tmp_path, count, repeated):
    samples = samples_of(tmp_path, [*documents(count, "I have read the conditions"), Row("I have seen the sea")])
    assert repeated_lines(samples) == [repeated] * count + [False]


def test_a_line_is_repeated_if_more_than_half_of_its_trigrams_are(tmp_path):
    common = documents(9, "we the undersigned")
    samples = samples_of(tmp_path, [*common, Row("we the undersigned agree"), Row("we the undersigned")])
    assert repeated_lines(samples)[-2:] == [False, True]


def test_lines_of_fewer_than_three_words_are_never_repeated(tmp_path):
    assert not any(repeated_lines(samples_of(tmp_path, [*documents(20, "43"), *documents(20, "id. 43")])))


def test_documents_are_counted_over_all_splits_but_within_a_collection(tmp_path):
    train, other = documents(8, "My dear Dyer", split="train"), Row("My dear Dyer", document="other")
    here = samples_of(tmp_path, [*train, Row("My dear Dyer"), Row("no news")])
    there = samples_of(tmp_path, [other, Row("no news")], collection="elsewhere")
    evaluation = evaluate(PixelReader({"D": "B"}), [*here, *there])
    assert [line.repeated for line in evaluation.lines] == [True, False, False, False]
    drawn, elsewhere = evaluation.collections
    assert (drawn.every_line.lines, drawn.without_repeated.lines) == (2, 1)
    assert (drawn.every_line.cer.counts.errors, drawn.without_repeated.cer.counts.errors) == (1, 0)
    assert elsewhere.every_line == elsewhere.without_repeated


def test_a_document_repeating_itself_counts_once(tmp_path):
    assert not any(repeated_lines(samples_of(tmp_path, [Row("My dear Dyer")] * 12)))


def test_documents_and_pages_of_the_same_name_in_two_collections_are_different_ones(tmp_path):
    samples = samples_of(tmp_path, [Row("one")]) + samples_of(tmp_path, [Row("two")], collection="other")
    evaluation = evaluate(PixelReader(), samples)
    assert [group.name for group in evaluation.documents] == ["drawn/letters", "other/letters"]
    assert evaluation.overall.every_line.pages == 2


def test_the_interval_is_over_pages_and_a_single_page_has_none(tmp_path):
    reader = PixelReader({"e": "c"})
    one = evaluation_of(tmp_path, Row("see"), Row("hill"), reader=reader).overall.every_line.cer
    assert one.interval is None
    two = evaluation_of(tmp_path, Row("see"), Row("hill", page="2"), reader=reader).overall.every_line.cer
    assert two.interval == (0, 2 / 3)


def test_without_a_choice_the_validation_lines_are_read_where_there_are_any(tmp_path):
    rows = Row("learned", split="train"), Row("held out", split="val"), Row("exam", split="test")
    assert [line.reference for line in evaluation_of(tmp_path, *rows).lines] == ["held out"]
    for split, texts in {"test": ["exam"], "all": ["learned", "held out", "exam"]}.items():
        evaluation = evaluation_of(tmp_path, *rows, split=split)
        assert [line.reference for line in evaluation.lines] == texts
        assert evaluation.about["split"] == split


def test_lines_without_splits_are_all_read(tmp_path):
    evaluation = evaluation_of(tmp_path, Row("one", split=""), Row("two", split=""))
    assert len(evaluation.lines) == 2


def test_a_split_that_is_not_there_is_an_error_that_names_those_there_are(tmp_path):
    with pytest.raises(GroundTruthError, match=r"split 'test'.*train \(1 line\)"):
        evaluation_of(tmp_path, Row("one", split="train"), split="test")


def test_ground_truth_of_which_nothing_can_be_scored_is_an_error_with_the_reason(tmp_path):
    with pytest.raises(GroundTruthError, match="drawn/000: "):
        evaluation_of(tmp_path, Row("[?]"))


def test_lines_are_read_in_handfuls_and_progress_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_module, "LINES_AT_ONCE", 2)
    reader, told = PixelReader(), []
    rows = [Row(f"line {n}", image=b"" if n == 1 else None) for n in range(5)]
    evaluation_of(tmp_path, *rows, reader=reader, progress=lambda done, total: told.append((done, total)))
    assert reader.calls == [1, 2, 1]
    assert told == [(2, 5), (4, 5), (5, 5)]


def test_large_images_are_read_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_module, "PIXELS_AT_ONCE", 1000)
    reader = PixelReader()
    evaluation_of(tmp_path, Row("one"), Row("two"), reader=reader)
    assert reader.calls == [1, 1]


def test_worst_lines_come_by_errors(tmp_path):
    rows = Row("hill"), Row("see"), Row("eleven trees")
    evaluation = evaluation_of(tmp_path, *rows, reader=PixelReader({"e": "c"}))
    assert [line.reference for line in worst_lines(evaluation.lines)] == ["eleven trees", "see"]
    assert len(worst_lines(evaluation.lines, most=1)) == 1


def test_the_json_is_one_object_with_rates_as_fractions_and_no_nan(tmp_path):
    rows = Row("see", page="1"), Row("hill", page="2"), Row("Dear [?]"), Row("gone", image=b"")
    values = json.loads(evaluation_of(tmp_path, *rows, reader=PixelReader({"e": "c"}), about={"model": "m"}).to_json())
    assert (values["lines"], values["graphemes"], values["words"]) == (3, 11, 3)
    assert values["cer"] == 6 / 11
    assert values["wer"] == 2 / 3
    assert values["lines_per_second"] > 0
    assert values["lines_per_cpu_second"] > 0
    assert values["normalised"]["cer"] == 6 / 11
    assert len(values["cer_interval"]) == 2
    assert values["without_repeated"]["lines"] == 3
    assert values["about"] == {"model": "m", "split": "val"}
    assert values["collections"]["drawn"]["cer"] == values["documents"]["drawn/letters"]["cer"] == 6 / 11
    assert values["confusions"] == [{"reference": "e", "read": "c", "count": 2}]
    assert [line["transcript"] for line in values["worst_lines"]] == ["scc"]
    assert [failure["id"] for failure in values["failures"]] == ["drawn/003"]
    assert [failure["id"] for failure in values["left_out"]] == ["drawn/002"]


def test_the_json_tells_unknown_rates_as_null(tmp_path):
    train = documents(9, "My dear Dyer", split="train")
    values = json.loads(evaluation_of(tmp_path, *train, Row("My dear Dyer")).to_json())
    assert values["without_repeated"]["lines"] == 0
    assert values["without_repeated"]["cer"] is None
    assert values["without_repeated"]["cer_interval"] is None
