"""What a comparison found: its figures, its tables, and a page that keeps to itself."""

import csv
import io
import json

import pytest
from drawn_samples import sample
from lxml import html

from uncial.comparison import Comparison, Growth, Result, UnitComparison, in_order
from uncial.comparison_page import comparison_page, curves, gain, gains, growth, rates, weights
from uncial.document import Failure
from uncial.metrics import EditCounts

SCRIPT = "<script>alert(1)</script>"


def result(system: str, *errors: int, read: str = "no news") -> Result:
    """A system that made so many errors on each page of 100 graphemes."""
    pages = tuple(EditCounts(100 - wrong, wrong) for wrong in errors)
    curve = ((0.5, 0.9), (1.0, 0.4))
    examples = (("drawn/0", "no news", read),)
    return Result(system, 1234, 60.0, 600, 25.0, 40, 10, pages, EditCounts(5, 5), curve, examples)


def unit(*results: Result, failures: tuple[Failure, ...] = ()) -> UnitComparison:
    return UnitComparison("line", 90, 64, results, failures)


def comparison(*units: UnitComparison) -> Comparison:
    sizes = (Growth(64, 16, {"dense": 1000, "cnn": 50}), Growth(128, 16, {"dense": 2000, "cnn": 50}))
    return Comparison({"minutes for each system": "1"}, units, sizes)


def test_a_part_is_worth_the_errors_that_are_fewer_with_it() -> None:
    found = unit(result("dense", 80, 90), result("cnn", 40, 40), result("crnn-simple-forward", 42, 36))
    convolutions, left = found.worth
    assert (convolutions.part.without, convolutions.part.with_) == ("dense", "cnn")
    assert convolutions.points == pytest.approx(0.45)
    assert convolutions.interval == (pytest.approx(0.40), pytest.approx(0.50))
    assert left.points == pytest.approx(0.01)
    assert left.interval is not None
    assert left.interval[0] < 0 < left.interval[1]


def test_a_part_of_which_one_system_is_missing_has_no_worth() -> None:
    assert unit(result("dense", 80), result("crnn-lstm", 10)).worth == ()


def test_a_result_comes_back_from_its_json() -> None:
    one = result("cnn", 40, 41)
    assert Result.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_the_json_tells_rates_as_fractions_and_what_failed() -> None:
    found = comparison(unit(result("dense", 80), result("cnn", 30), failures=(Failure("rnn", "no memory"),)))
    told = json.loads(found.to_json())
    (line,) = told["units"]
    assert [(one["system"], one["cer"], one["cer_interval"]) for one in line["systems"]] == [
        ("dense", 0.8, None),
        ("cnn", 0.3, None),
    ]
    assert line["failures"] == [{"system": "rnn", "reason": "no memory"}]
    assert line["worth"][0]["points"] == pytest.approx(0.5)
    assert told["growth"][1] == {"width": 128, "height": 16, "weights": {"dense": 2000, "cnn": 50}}


def test_the_csv_has_a_row_for_each_system_that_was_begun() -> None:
    found = comparison(unit(result("cnn", 30, 40), failures=(Failure("rnn", "no memory"),)))
    first, second = csv.DictReader(io.StringIO(found.to_csv()))
    assert (first["system"], float(first["cer"]), first["lines_per_second"]) == ("cnn", 0.35, "10.0")
    assert float(first["cer_low"]) == pytest.approx(0.30)
    assert (second["system"], second["failure"], second["cer"]) == ("rnn", "no memory", "")


def test_systems_are_told_in_their_own_order() -> None:
    assert in_order(["crnn-lstm", "dense", "cnn", "dense"]) == ["dense", "cnn", "crnn-lstm"]


def test_the_page_loads_nothing_runs_nothing_and_shows_text_as_text() -> None:
    found = comparison(unit(result("dense", 80, 90, read=SCRIPT), result("cnn", 40, 50)))
    page = comparison_page(found, [sample(0, "no news", "val")])
    tree = html.fromstring(page)
    assert not tree.xpath("//script | //link | //iframe")
    assert {source.partition(":")[0] for source in tree.xpath("//@src")} == {"data"}
    assert tree.xpath("//@href") == ["#systems"]
    assert "default-src 'none'" in page
    assert SCRIPT in tree.text_content()
    told = " ".join(tree.text_content().split())
    for wanted in ("90 lines to learn from", "40 lines to read", "+40.0 points", "85.0 %", "2 times", "the same"):
        assert wanted in told


def test_the_page_of_one_system_that_failed_tells_why() -> None:
    page = comparison_page(comparison(unit(failures=(Failure("rnn", SCRIPT),))), [])
    told = html.fromstring(page).text_content()
    assert f"could not be finished: {SCRIPT}" in " ".join(told.split())


def test_a_picture_that_is_gone_leaves_the_texts() -> None:
    found = comparison(unit(result("cnn", 3, 4)))
    for samples in ([], [sample(0, "no news", data=b"no image")]):
        tree = html.fromstring(comparison_page(found, samples))
        assert not tree.xpath("//img")
        assert "no news" in tree.text_content()


def test_bars_of_rates_stay_on_the_axis_even_where_more_is_wrong_than_there_is() -> None:
    mad = Result("dense", 1, 1.0, 1, 1.0, 1, 0, (EditCounts(0, 10, 40),) * 2, EditCounts(0, 1), (), ())
    chart = rates([mad, result("cnn", 50, 60)])
    assert chart["ticks"][-1] == (100, 1)
    assert chart["rows"][0][1] == [100, 100, 100]
    assert chart["rows"][1][1] == [55, 50, 60]


def test_bars_of_gains_begin_at_zero_on_the_side_they_belong_to() -> None:
    chart = gains(unit(result("dense", 80, 80), result("cnn", 40, 40), result("crnn-simple-forward", 50, 50)).worth)
    (_, left, width, ends), (_, lost_left, lost_width, _) = chart["rows"]
    assert left == chart["zero"] == pytest.approx(lost_left + lost_width)
    assert ends == [pytest.approx(left + width)] * 2
    assert chart["ticks"][0][0] == 0
    assert chart["ticks"][-1][0] == 100
    assert width == pytest.approx(4 * lost_width, abs=0.01)
    assert gains([])["rows"] == []


def test_curves_run_from_the_left_and_down_as_errors_grow_fewer() -> None:
    (line,) = curves([result("cnn", 1)])["lines"]
    assert line == (2, "cnn", "50,10 100,60")
    assert curves([]) is None


def test_growth_is_told_as_times_of_the_first_size() -> None:
    rows = dict(growth(comparison().growth)["rows"])
    assert rows["dense"] == [(1000, 50, 1), (2000, 100, 2)]
    assert [times for _, _, times in rows["cnn"]] == [1, 1]


def test_numbers_are_told_as_people_read_them() -> None:
    assert [gain(0.1234), gain(-0.004)] == ["+12.3", "−0.4"]
    assert [weights(4_210_000), weights(81_200)] == ["4.21 million", "81.2 thousand"]
