"""Training a line finder on a drawn page: targets, splits, a bundle that opens, and going on."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from commands import uncial

from uncial import train_layout as training
from uncial.atomic import aside
from uncial.bundle import SHIPPED
from uncial.document import Line, Page, Region
from uncial.errors import BundleError, GroundTruthError, ImageError, StorageError, TrainingError
from uncial.evaluate_layout import evaluate_layout
from uncial.formats.page_xml import write_page_xml
from uncial.layout.bundle import GRAPH, save_layout
from uncial.layout.network import NetworkFinder, load_layout
from uncial.nn.layout_graph import network_of
from uncial.nn.layout_net import Reading, layout_loss
from uncial.nn.layout_targets import drawn_lines, rasterised, varied
from uncial.scan import Scan
from uncial.sources import Sample
from uncial.sources.marked_pages import marked_pages
from uncial.train_layout import LayoutConfig, LearnedPages, train_layout


@dataclass(frozen=True)
class Drawn:
    """A source of one image."""

    gray: np.ndarray

    def image(self, name):
        return self.gray


TINY = LayoutConfig(minutes=0.03, size=64, batch_pages=1)


def a_page():
    gray = np.full((120, 120), 230, np.uint8)
    lines = []
    for number, y in enumerate((40, 80), start=1):
        cv2.line(gray, (20, y - 4), (100, y - 4), 40, 6)
        boundary = ((20.0, y - 10.0), (100.0, y - 10.0), (100.0, y + 4.0), (20.0, y + 4.0))
        lines.append(Line(f"l{number}", ((20.0, float(y)), (100.0, float(y))), boundary))
    region = Region("r1", ((0.0, 0.0), (119.0, 0.0), (119.0, 119.0)), tuple(lines))
    return gray, Page("one.png", 120, 120, (region,))


def a_page_with_lines():
    gray, page = a_page()
    return gray, drawn_lines(page)


@pytest.fixture
def folder(tmp_path):
    gray, page = a_page()
    root = tmp_path / "letters"
    root.mkdir()
    for name in ("one", "two"):
        cv2.imwrite(str(root / f"{name}.png"), gray)
        written = write_page_xml(replace(page, image=f"{name}.png"), Scan(name, name, gray))
        (root / f"{name}.xml").write_bytes(written)
    (tmp_path / "SOURCES.tsv").write_text("file\tsplit\nletters/one.png\ttrain\nletters/two.png\tval\n")
    return root


def test_targets_lie_where_the_lines_do_and_tell_their_heights():
    gray, page = a_page()
    maps = rasterised(drawn_lines(page), 128, 128)
    assert maps[0, 20, 30] == 1 and maps[0, 30, 30] == 0
    assert maps[1, 20, 10] == 1 and maps[1, 20, 30] == 0
    assert maps[2, 20, 30] == pytest.approx(10, abs=1) and maps[3, 20, 30] == pytest.approx(4, abs=1)


def test_heights_that_nobody_marked_are_not_learned():
    gray, page = a_page()
    lines = [replace(line, marked=False) for line in drawn_lines(page)]
    _, targets = varied(gray, lines, 128, np.random.default_rng(3))
    assert targets[2].min() == targets[3].min() == -1
    targets = torch.from_numpy(targets)[None]
    maps = torch.zeros(1, 4, 64, 64)
    other = maps.clone()
    other[:, 2:] = 5.0
    assert layout_loss(maps, targets) == layout_loss(other, targets)
    marked = torch.from_numpy(rasterised(drawn_lines(page), 128, 128))[None]
    assert layout_loss(maps, marked) < layout_loss(other, marked)


def test_a_varied_page_keeps_its_lines_under_its_ink():
    gray, page = a_page()
    for seed in range(20):
        ink, maps = varied(gray, drawn_lines(page), 128, np.random.default_rng(seed))
        above = np.roll(maps[0], -2, axis=0) > 0.5  # the stroke lies some pixels above its baseline
        found = cv2.dilate(cv2.resize(ink[0], (64, 64), interpolation=cv2.INTER_AREA), np.ones((5, 1), np.uint8))
        assert found[above].mean() > 0.5


def test_pages_take_their_split_from_the_table_above_them(folder):
    assert [(page.id, page.split) for page in marked_pages([folder])] == [
        ("letters/one", "train"),
        ("letters/two", "val"),
    ]


def test_training_writes_a_bundle_that_finds_lines_and_a_run_that_goes_on(folder, tmp_path):
    out = tmp_path / "mine"
    pages = marked_pages([folder])
    train_layout(pages, out, TINY)
    bundle = load_layout(out)
    assert bundle.provenance["pages"] == 1
    assert NetworkFinder(bundle).maps(np.full((50, 70), 200, np.uint8)).shape == (4, 23, 32)
    with pytest.raises(StorageError, match="resume"):
        train_layout(pages, out, TINY)
    with pytest.raises(TrainingError, match="another size; resume with"):
        train_layout(pages, out, replace(TINY, size=96), resume=True)
    before = bundle.provenance["steps"]
    train_layout(pages, out, replace(TINY, minutes=0.06), resume=True)
    assert load_layout(out).provenance["steps"] > before


def test_a_loss_that_is_not_finite_enters_nothing(tmp_path, monkeypatch):
    run = training._Run(TINY, tmp_path / "mine", 1)
    images, targets = (torch.from_numpy(np.stack([made])) for made in varied(*a_page_with_lines(), TINY.size, None))
    run.learn(images, targets)
    before = [value.clone() for part in (run.network, run.average) for value in part.state_dict().values()]
    with monkeypatch.context() as patched:
        patched.setattr(training, "layout_loss", lambda maps, wanted: layout_loss(maps, wanted) * np.nan)
        assert np.isnan(run.learn(images, targets))
    after = [value for part in (run.network, run.average) for value in part.state_dict().values()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    assert (run.course.skipped, run.course.step) == (1, 2)
    assert np.isfinite(run.learn(images, targets))


def test_an_interrupted_training_tells_what_is_kept(folder, tmp_path, monkeypatch):
    def interrupted(run, pages, watch):
        if (tmp_path / "written").exists():
            run.save(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(training._Run, "go", interrupted)
    ran = uncial("train-layout", folder, "-o", tmp_path / "mine", "--set", "size=64")
    assert (ran.code, "there is no bundle yet; nothing else was kept" in ran.told) == (130, True), ran.told
    (tmp_path / "written").touch()
    ran = uncial("train-layout", folder, "-o", tmp_path / "mine", "--set", "size=64")
    assert (ran.code, f"the bundle {tmp_path / 'mine'}; go on from" in ran.told) == (130, True), ran.told


def test_a_bundle_is_whole_whenever_its_writing_stops(tmp_path, monkeypatch):
    out = tmp_path / "mine"
    save_layout(out, b"graph", 64, {})
    write = Path.write_bytes

    def stopped(path, data):
        write(path, data)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "write_bytes", stopped)
        save_layout(out, b"another graph", 96, {})
    assert load_layout(out).size == 64
    out.rename(aside(out))
    assert load_layout(out).graph.read_bytes() == b"graph"
    save_layout(out, b"another graph", 96, {})
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(StorageError, match="could not be written"):
        save_layout(out / GRAPH / "deep", b"graph", 64, {})


def test_the_network_of_a_bundle_tells_of_a_page_what_the_bundle_does_and_learns_on(folder, tmp_path):
    torch.manual_seed(3)
    begun = load_layout()
    pages = [torch.rand(1, 1, 96, 128) for _ in range(3)]
    network = network_of(begun.graph, pages)
    maps = NetworkFinder(begun)._session.run(["maps"], {"pages": pages[0].numpy()})[0]
    with torch.no_grad():
        told = Reading(network)(pages[0]).numpy()
    np.testing.assert_allclose(told, maps, rtol=1e-3, atol=1e-4)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert all(bool((norm.running_var >= 0).all()) and norm.num_features for norm in norms)
    assert np.median([float(norm.running_var.median()) for norm in norms]) != pytest.approx(1, abs=1e-3)  # were set

    made = train_layout(marked_pages([folder]), tmp_path / "on", TINY, start=begun.path)
    settings = load_layout(made).provenance
    assert settings["steps"] > 0 and settings["begun with"] == "default"


def test_a_graph_that_is_no_layout_network_is_not_taken_up(tmp_path):
    broken = tmp_path / "layout.onnx"
    broken.write_bytes(b"not a graph")
    with pytest.raises(BundleError, match="layout.onnx: cannot be taken up"):
        network_of(broken, [torch.zeros(1, 1, 32, 32)])
    with pytest.raises(BundleError, match="of another network"):
        network_of(SHIPPED / "model.onnx", [torch.zeros(1, 1, 32, 32)])


def test_pages_are_composed_of_train_lines_cut_and_laid_side_by_side_as_the_shares_say(folder):
    gray, page = a_page()
    marked = [(gray, drawn_lines(page))]
    wide = np.full((64, 500), 230, np.uint8)
    cv2.rectangle(wide, (20, 20), (480, 40), 30, -1)
    source = Drawn(wide)
    lines = [Sample(f"c/{n}", "x", "c", "d", "p", "train", source) for n in range(30)]
    lines += [Sample(f"v/{n}", "x", "v", "d", "p", "val", None) for n in range(30)]  # reading one would fail
    rng = np.random.default_rng(1)
    shapes = {}
    for share in ("composed", "pairs", "crops"):
        shares = {"composed": 0.0, "pairs": 0.0, "crops": 0.0} | {share: 1.0}
        pages = LearnedPages(marked, lines, replace(TINY, **shares), print)
        shapes[share] = [pages.drawn(rng)[0].shape for _ in range(5)]
    assert all(high == TINY.size for high, _ in shapes["composed"])
    assert shapes["pairs"] == [(120, 240)] * 5
    assert all(high < 120 and wide < 120 for high, wide in shapes["crops"])
    with pytest.raises(ValueError, match="shares"):
        replace(TINY, composed=0.9, pairs=0.2)


def test_lines_that_cannot_be_read_are_told_once_and_others_take_their_place(tmp_path):
    gray = np.full((40, 200), 255, np.uint8)
    cv2.line(gray, (5, 20), (195, 20), 0, 3)

    class Broken:
        def image(self, name):
            raise ImageError(f"{name}: cannot be decoded")

    lines = [Sample(f"t/{n}", "x", "t", "d", "p", "train", Broken() if n < 9 else Drawn(gray)) for n in range(40)]
    told = []
    pages = LearnedPages([(gray, [])], lines, replace(TINY, composed=1.0, pairs=0.0, crops=0.0), told.append)
    for seed in range(20):
        pages.drawn(np.random.default_rng(seed))
    assert sorted(told) == [f"left out: t/{n}: cannot be decoded" for n in range(9)]
    with pytest.raises(ImageError):
        LearnedPages([(gray, [])], lines[:9] * 3, replace(TINY, composed=1.0, pairs=0.0, crops=0.0), print).drawn(
            np.random.default_rng(1)
        )


def test_val_pages_are_never_learned_from(folder, tmp_path):
    held_back = [page for page in marked_pages([folder]) if page.split == "val"]
    with pytest.raises(GroundTruthError, match="train"):
        train_layout(held_back, tmp_path / "none", TINY)


def test_an_evaluation_pools_collections(folder):
    found = evaluate_layout(marked_pages([folder]), finder="projection").plain()
    assert found["groups"]["letters"] == found["groups"]["all"]
    assert found["groups"]["all"]["true"] == 2 and list(found["pages"]) == ["letters/two"]


def test_a_broken_page_is_left_out_of_training(folder, tmp_path):
    pages = marked_pages([folder])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    pages += [replace(page, id="broken", image=broken) for page in pages if page.split == "train"]
    told = []
    train_layout(pages, tmp_path / "bundle", TINY, watch=told.append)
    assert [note for note in told if note.startswith("left out: broken: ") and str(broken) in note] == told[:1]
    assert load_layout(tmp_path / "bundle").provenance["pages"] == len(pages) // 2
