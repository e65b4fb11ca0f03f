import json
import resource
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import Resave

from uncial.bundle import (
    GRAPH,
    MODELS,
    SETTINGS,
    SHIPPED,
    WEIGHTS,
    Bundle,
    add_decoding,
    add_language_model,
    load_bundle,
    load_own,
)
from uncial.checkpoint import begin_anew
from uncial.errors import BundleError, ConfigError, StorageError
from uncial.reliability import Calibration


@pytest.fixture
def copied(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    """A copy of the tiny bundle that a test may damage."""
    return Path(shutil.copytree(tiny_bundle.path, tmp_path / "copied"))


@contextmanager
def full_disk(room: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", MODELS)
def test_a_shipped_bundle_has_a_name_that_a_folder_at_hand_takes_precedence_of(
    name: str, tiny_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_bundle(name).path == SHIPPED.with_name(name)
    with pytest.raises(ConfigError, match="copy .* and name the copy"):
        load_own(Path(name))
    with pytest.raises(StorageError, match="what a shipped bundle is called"):
        begin_anew(Path(name))
    shutil.copytree(tiny_bundle.path, tmp_path / name)
    assert load_bundle(name).alphabet == tiny_bundle.alphabet != load_bundle().alphabet
    with pytest.raises(BundleError, match="writes; shipped: default, small"):
        load_bundle("defalt")
    assert load_bundle().path == SHIPPED


def test_a_bundle_comes_back_as_it_was_saved(tiny_bundle: Bundle, resaved: Resave, tmp_path: Path) -> None:
    again = resaved(tiny_bundle, tmp_path / "deep" / "again", provenance={"cer": 0.5, "über": ["é", None]})
    loaded = load_bundle(again.path)
    for part in ("architecture", "alphabet", "line_image"):
        assert getattr(loaded, part) == getattr(tiny_bundle, part)
    assert loaded.provenance == {"cer": 0.5, "über": ["é", None]}
    assert loaded.weights.keys() == tiny_bundle.weights.keys()
    assert all(np.array_equal(value, tiny_bundle.weights[name]) for name, value in loaded.weights.items())


def test_a_bundle_can_be_named_by_a_string(tiny_bundle: Bundle) -> None:
    assert load_bundle(str(tiny_bundle.path)) == tiny_bundle


def test_the_tiny_bundle_is_tiny(tiny_bundle: Bundle) -> None:
    assert sum(file.stat().st_size for file in tiny_bundle.path.iterdir()) < 300_000


def test_weights_are_stored_once(tiny_bundle: Bundle) -> None:
    graph = onnx.load(str(tiny_bundle.graph), load_external_data=False).graph
    inside = [t.name for t in graph.initializer if t.data_location != onnx.TensorProto.EXTERNAL]
    assert inside == []
    assert max(len(a.t.raw_data) for node in graph.node for a in node.attribute) <= 64  # numbers of shapes


def test_saving_over_a_bundle_replaces_it_and_leaves_nothing_beside(
    tiny_bundle: Bundle, resaved: Resave, copied: Path
) -> None:
    resaved(tiny_bundle, copied, provenance={"new": True})
    assert load_bundle(copied).provenance == {"new": True}
    assert list(copied.parent.iterdir()) == [copied]


def test_a_bundle_without_a_graph_says_so_when_the_graph_is_wanted(
    tiny_bundle: Bundle, resaved: Resave, tmp_path: Path
) -> None:
    bundle = resaved(tiny_bundle, tmp_path / "bare", graph=None)
    with pytest.raises(BundleError, match="torch backend"):
        _ = bundle.graph


@pytest.mark.parametrize("room", [0, 500, 30_000])
def test_a_full_disk_leaves_the_old_bundle_whole(tiny_bundle: Bundle, resaved: Resave, copied: Path, room: int) -> None:
    _ = tiny_bundle.weights
    with full_disk(room), pytest.raises(StorageError, match="what was there before is whole"):
        resaved(tiny_bundle, copied, provenance={})
    assert load_bundle(copied).provenance == tiny_bundle.provenance
    assert list(copied.parent.iterdir()) == [copied]


def test_a_full_disk_leaves_no_part_of_a_new_bundle(tiny_bundle: Bundle, resaved: Resave, tmp_path: Path) -> None:
    with full_disk(500), pytest.raises(StorageError, match="nothing was written"):
        resaved(tiny_bundle, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_a_bundle_survives_a_stop_between_moving_the_old_and_the_new(
    tiny_bundle: Bundle, resaved: Resave, copied: Path
) -> None:
    copied.rename(copied.with_name(".copied.old"))
    assert load_bundle(copied).alphabet == tiny_bundle.alphabet
    resaved(tiny_bundle, copied)
    assert list(copied.parent.iterdir()) == [copied]


def test_a_change_keeps_what_lies_beside_the_parts_but_no_part_of_the_network_before(
    resaved: Resave, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (copied / "LICENCE").write_text("CC BY 4.0")
    monkeypatch.chdir(copied)
    add_decoding(add_language_model(load_own(Path()), b"model", {}), {"weight": 0.5}, Calibration())
    assert load_bundle(copied).language_model
    assert Path("LICENCE").exists()
    resaved(load_bundle(copied), copied, graph=None)
    assert {file.name for file in copied.iterdir()} == {"LICENCE", SETTINGS, WEIGHTS}


def test_a_folder_that_is_no_bundle_is_not_overwritten(tiny_bundle: Bundle, resaved: Resave, tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "scan.png").write_bytes(b"precious")
    for path in (tmp_path / "letters", tmp_path / "letters" / "scan.png"):
        with pytest.raises(StorageError, match="is not a bundle"):
            resaved(tiny_bundle, path)
    assert (tmp_path / "letters" / "scan.png").read_bytes() == b"precious"


def test_a_place_that_cannot_be_written_is_told(tiny_bundle: Bundle, resaved: Resave, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="could not be written"):
        resaved(tiny_bundle, tmp_path / "file" / "bundle")


def test_weights_that_are_not_finite_or_do_not_fit_the_alphabet_are_refused(
    tiny_bundle: Bundle, resaved: Resave, tmp_path: Path
) -> None:
    broken = {**tiny_bundle.weights, "head.weight": np.full_like(tiny_bundle.weights["head.weight"], np.nan)}
    with pytest.raises(ValueError, match=r"head\.weight"):
        resaved(tiny_bundle, tmp_path / "new", weights=broken)
    with pytest.raises(ValueError, match="classes"):
        resaved(tiny_bundle, tmp_path / "new", alphabet=tiny_bundle.alphabet.extended("€"))
    assert list(tmp_path.iterdir()) == []


def rewritten(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """A damage done to the settings of a bundle."""

    def damage(path: Path) -> None:
        settings = json.loads((path / SETTINGS).read_text(encoding="utf-8"))
        change(settings)
        (path / SETTINGS).write_text(json.dumps(settings), encoding="utf-8")

    return damage


def one_bit(name: str) -> Callable[[Path], None]:
    """A damage of one bit in the middle of a file."""

    def damage(path: Path) -> None:
        data = bytearray((path / name).read_bytes())
        data[len(data) // 2] ^= 1
        (path / name).write_bytes(data)

    return damage


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "no such folder"),
    "a file in its place": (lambda p: (shutil.rmtree(p), p.write_text("")), "is not a folder"),
    "no settings": (lambda p: (p / SETTINGS).unlink(), "has no bundle.json"),
    "no weights": (lambda p: (p / WEIGHTS).unlink(), "weights.safetensors: cannot be read"),
    "no graph": (lambda p: (p / GRAPH).unlink(), "model.onnx: cannot be read"),
    "settings cut short": (lambda p: (p / SETTINGS).write_text('{"version": 1, '), "is damaged"),
    "settings not text": (lambda p: (p / SETTINGS).write_bytes(b"\xff\xfe\x00"), "is damaged"),
    "settings a list": (lambda p: (p / SETTINGS).write_text("[1]"), "is damaged"),
    "a bit in the weights": (one_bit(WEIGHTS), "wrong checksum"),
    "a bit in the graph": (one_bit(GRAPH), "wrong checksum"),
    "weights cut short": (lambda p: (p / WEIGHTS).write_bytes(b""), "wrong checksum"),
    "a newer version": (rewritten(lambda s: s.update(version=2)), "update it"),
    "no alphabet": (rewritten(lambda s: s.pop("alphabet")), "is damaged"),
    "another alphabet": (rewritten(lambda s: s["alphabet"].append("€")), "do not fit the alphabet"),
    "a grapheme twice": (rewritten(lambda s: s["alphabet"].append("a")), "is damaged"),
    "an unknown setting": (rewritten(lambda s: s["architecture"].update(layers=3)), "layers"),
    "a setting out of range": (rewritten(lambda s: s["architecture"].update(kernel=2)), "kernel"),
    "no checksums": (rewritten(lambda s: s.update(files={})), "wrong checksum"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_bundle_is_told_with_its_path_and_a_cure(copied: Path, damage: str) -> None:
    harm, finding = DAMAGES[damage]
    harm(copied)
    with pytest.raises(BundleError, match=finding) as told:
        load_bundle(copied)
    assert str(told.value).startswith(str(copied))
    assert "; " in str(told.value)
