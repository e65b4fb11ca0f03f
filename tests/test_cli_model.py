"""`uncial model` and `uncial export` as people use them."""

import json
from pathlib import Path

import onnxruntime
from commands import uncial

from uncial.bundle import Bundle


def test_a_bundle_shows_its_licence_alphabet_and_network(tiny_bundle: Bundle) -> None:
    ran = uncial("model", "-m", tiny_bundle.path)
    assert ran.code == 0
    for told in ("four lines drawn for the tests", "MIT", f"{len(tiny_bundle.alphabet.graphemes)} graphemes", "lstm"):
        assert told in ran.out


def test_the_facts_of_a_bundle_come_as_json(tiny_bundle: Bundle) -> None:
    facts = json.loads(uncial("model", "-m", tiny_bundle.path, "--json").out)
    assert facts["provenance"]["licence"] == "MIT"
    assert facts["alphabet"] == list(tiny_bundle.alphabet.graphemes)
    assert 0 < facts["megabytes"] < 0.3


def test_an_exported_bundle_opens_in_onnx_runtime(tiny_bundle: Bundle, tmp_path: Path) -> None:
    out = tmp_path / "model.onnx"
    ran = uncial("export", tiny_bundle.path, "-o", out)
    assert ran.code == 0, ran.told
    assert str(out) in ran.out
    session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
    assert {entry.name for entry in session.get_inputs()} == {"images", "widths"}
    again = uncial("export", tiny_bundle.path, "-o", out)
    assert (again.code, "--force" in again.told) == (8, True)
    assert uncial("export", tiny_bundle.path, "-o", out, "--force").code == 0


def test_exporting_to_where_nothing_can_be_written_is_told(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    ran = uncial("export", tiny_bundle.path, "-o", tmp_path / "file" / "model.onnx")
    assert ran.code == 8
    assert ran.told.startswith("uncial: ")
