from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from conftest import DrawnLine, Resave

from uncial.bundle import Bundle
from uncial.decoders import best_path
from uncial.errors import BundleError, StorageError
from uncial.export import export_onnx, largest_difference
from uncial.lineimage import ink, line_image


def test_an_exported_file_stands_alone_and_reads_as_the_bundle_does(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path
) -> None:
    path = tmp_path / "new" / "alone.onnx"
    assert export_onnx(tiny_bundle, path) < 1e-4
    assert list(path.parent.iterdir()) == [path]
    onnx.checker.check_model(onnx.load(str(path), load_external_data=False), full_check=True)
    session = onnxruntime.InferenceSession(path.read_bytes())
    facts = session.get_modelmeta().custom_metadata_map
    graphemes = facts["alphabet"].split("\n")
    image = ink(line_image(drawn_lines[2].image, tiny_bundle.line_image))[None, None]
    log_probs, _ = session.run(None, {"images": image, "widths": np.array([image.shape[3]])})
    assert "".join(graphemes[span.class_ - 1] for span in best_path(log_probs[0])) == drawn_lines[2].text
    assert (facts["line_height"], facts["step_width"]) == ("64", "4")
    preprocessing = {"margin": f"{tiny_bundle.line_image.margin}", "stretch": f"{tiny_bundle.line_image.stretch:g}"}
    assert preprocessing.items() <= facts.items()


def test_an_export_replaces_an_older_one(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "alone.onnx").write_bytes(b"old")
    export_onnx(tiny_bundle, tmp_path / "alone.onnx")
    assert largest_difference(tiny_bundle, tmp_path / "alone.onnx") < 1e-4


def test_an_export_that_reads_otherwise_than_the_bundle_is_refused_and_not_kept(
    tiny_bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "alone.onnx").write_bytes(b"old")
    with pytest.raises(BundleError, match="differs by"):
        export_onnx(tiny_bundle, tmp_path / "alone.onnx", tolerance=-1.0)
    assert (tmp_path / "alone.onnx").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_proof_finds_other_weights(tiny_bundle: Bundle, resaved: Resave, tmp_path: Path) -> None:
    export_onnx(tiny_bundle, tmp_path / "alone.onnx")
    weights = {**tiny_bundle.weights, "head.bias": tiny_bundle.weights["head.bias"][::-1]}
    assert largest_difference(resaved(tiny_bundle, weights=weights), tmp_path / "alone.onnx") > 1e-3


def test_a_bundle_without_a_graph_cannot_be_exported(tiny_bundle: Bundle, resaved: Resave, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"has no model\.onnx"):
        export_onnx(resaved(tiny_bundle, graph=None), tmp_path / "alone.onnx")


def test_a_place_that_cannot_be_written_is_told(tiny_bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        export_onnx(tiny_bundle, tmp_path / "file" / "alone.onnx")
