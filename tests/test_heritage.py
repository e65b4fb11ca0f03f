"""What a bundle tells of where it comes from."""

from dataclasses import replace

from uncial.bundle import Bundle
from uncial.heritage import inherited


def test_sources_of_all_that_a_bundle_was_made_from_stay_with_it(tiny_bundle: Bundle) -> None:
    old = replace(tiny_bundle, provenance={"sources": {"a": "licence: CC BY-SA 4.0", "b": "of old"}})
    teacher = replace(tiny_bundle, provenance={"sources": {"c": "of the teacher", "b": "of the teacher"}})
    own = {"d": "own"}
    assert inherited(own, None, None) == {"sources": own}
    told = inherited(own | {"a": "anew"}, old, teacher)
    own_and_others = {"a": "anew", "d": "own", "a (of tiny)": "licence: CC BY-SA 4.0", "b": "of old"}
    assert told["sources"] == own_and_others | {"c": "of the teacher", "b (of tiny)": "of the teacher"}
    assert (told["begun_with"], told["teacher"]) == (tiny_bundle.path.name, tiny_bundle.path.name)
    assert "teacher" not in inherited(own, old, None)
    assert inherited(own, replace(old, provenance={}), None)["sources"] == own
