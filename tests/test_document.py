import pytest

from uncial.document import GraphemeSpan, Line, Page, Region, Transcript, merged
from uncial.geometry import Box


def span(**changes: object) -> GraphemeSpan:
    """A span of the grapheme a, some facts changed."""
    facts = {"start": 2, "end": 4, "posterior": 0.5, "left": 8.0, "right": 16.0, **changes}
    return GraphemeSpan(grapheme="a", alternatives=(("o", 0.25),), **facts)  # type: ignore[arg-type]


def test_an_empty_transcript_is_one_that_was_read() -> None:
    assert Transcript("", 1.0) == Transcript("", 1.0, ())


@pytest.mark.parametrize(
    "changes", [{"end": 2}, {"start": -1}, {"right": 7.9}, {"posterior": 1.1}, {"posterior": float("nan")}]
)
def test_a_span_that_is_inside_out_cannot_be_made(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="span|posterior"):
        span(**changes)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan")])
def test_a_confidence_outside_0_to_1_cannot_be_made(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        Transcript("a", confidence, (span(),))


BOX = Box(0, 0, 90, 20).corners


def page() -> Page:
    """A page of two regions with three lines, none of them read."""
    one, two, three = (Line(f"l{n}", ((0, 15), (90, 15)), BOX) for n in range(3))
    return Page("p.png", 100, 50, (Region("r0", BOX, (one, two)), Region("r1", BOX, (three,))))


def test_a_page_gives_its_lines_and_its_text_in_reading_order() -> None:
    read = page().with_transcripts([Transcript("a", 1.0), None, Transcript("", 1.0)])
    assert [line.id for line in read.lines] == ["l0", "l1", "l2"]
    assert [line.transcript and line.transcript.text for line in read.lines] == ["a", None, ""]
    assert read.text == "a\n\n"
    assert page().text == ""


@pytest.mark.parametrize("count", [2, 4])
def test_each_line_needs_its_transcript(count: int) -> None:
    with pytest.raises(ValueError, match="argument"):
        page().with_transcripts([None] * count)


def test_what_has_no_extent_or_no_id_of_its_own_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="l0: a baseline needs two points"):
        Line("l0", ((0, 0),), BOX)
    with pytest.raises(ValueError, match="l0: a boundary needs three points"):
        Line("l0", ((0, 0), (9, 0)), BOX[:2])
    with pytest.raises(ValueError, match="r: a boundary needs three points"):
        Region("r", (), ())
    with pytest.raises(ValueError, match="p.png: a page has an extent"):
        Page("p.png", 0, 50)
    with pytest.raises(ValueError, match="r0 stands for two things"):
        Page("p.png", 9, 9, (Region("r0", BOX, ()), Region("r0", BOX, ())))


def test_readings_that_became_equal_are_one_and_the_first_stays_first() -> None:
    told = merged([("cat", 0.2), ("car", 0.1), ("cot", 0.3), ("car", 0.4)])
    assert told == (("cat", 0.2), ("car", 0.5), ("cot", 0.3))
    assert merged([]) == ()
