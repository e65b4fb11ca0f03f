import pytest

from uncial.document import GraphemeSpan, Transcript


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
