"""The helpers of the benchmarks: what they count, what they time, and what they write."""

import importlib
import json
import math
import sys
import time
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from uncial.architecture import CRNNConfig
from uncial.bundle import load_bundle
from uncial.nn.crnn import CRNN
from uncial.sources import read_samples

FOLDER = Path(__file__).parents[1] / "benchmarks"
CPUINFO = "processor\t: 0\nmodel name\t: A Processor\nflags\t\t: fpu avx2 avx512f\n\nprocessor\t: 1\n"
RAW = CRNNConfig(height=16, backbone="none", recurrent="none", shortcut=False, column="stack")


@pytest.fixture(scope="module", autouse=True)
def on_the_path() -> Any:
    sys.path.append(str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


def module(name: str) -> ModuleType:
    return importlib.import_module(name)


def forward_operations(network: CRNN, width: int) -> float:
    """GFLOP by PyTorch's own counter, which knows no LSTM and counts padding."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 1, network.config.height, width), torch.tensor([width]))
    return counter.get_total_flops() / 1e9


@pytest.mark.parametrize("script", sorted(path.name for path in FOLDER.glob("*_peers.py")))
def test_what_measures_peers_tells_its_options(script: str) -> None:
    run = module("peers").timed([sys.executable, str(FOLDER / script), "--help"], 1)
    assert run.wall > 0


def test_processor_and_memory_are_read_from_proc() -> None:
    results = module("results")
    assert results.processor(CPUINFO) == ("A Processor", {"fpu", "avx2", "avx512f"})
    assert results.processor("") == ("", set())
    assert results.memory("MemFree: 1 kB\nMemTotal:       16777216 kB\n") == 16
    assert math.isnan(results.memory(""))


def test_a_busy_machine_is_told() -> None:
    results = module("results")
    about = ("A Processor", 2, ("avx2",), 16.0, "Linux")
    assert "busy" in results.Facts(*about, 2.0, {"torch": "2"}).told()
    quiet = results.Facts(*about, 0.1, {"torch": "2"}).told()
    assert "busy" not in quiet
    assert all(word in quiet for word in ("A Processor", "2 cores", "16 GB", "torch 2"))


def test_facts_tell_this_machine_and_versions() -> None:
    found = module("results").facts({"kraken": "7", "absent": ""})
    assert found.cores >= 1
    assert found.versions["torch"] == torch.__version__
    assert found.versions["kraken"] == "7"
    assert "absent" not in found.versions


def test_tables_show_what_is_missing_as_a_dash() -> None:
    text = module("results").table(("a", "b", "c"), [["x", None, math.nan], ["y", 0.12345, 1234.5]])
    assert text.splitlines() == ["| a | b | c |", "|---|---|---|", "| x | – | – |", "| y | 0.123 | 1,234 |"]


def test_charts_are_well_formed_and_show_every_point_inside() -> None:
    results = module("results")
    curve = results.line_chart("a < b", "x", "y", {"one": [(1, 3), (2800, 0.5)], "two": [(5, 0.001)]})
    bars = results.bar_chart("speed", {"uncial": {"1 thread": 20.0, "2 threads": 30.0}, "kraken": {"1 thread": 5.0}})
    both = ElementTree.fromstring(results.stacked([curve, bars, bars]))
    circles = [node for node in both.iter() if node.tag.endswith("circle")]
    assert len(circles) == 3
    assert all(50 <= float(c.get("cx", 0)) <= 400 and 40 <= float(c.get("cy", 0)) <= 215 for c in circles)
    widths = [float(n.get("width", 0)) for n in both.iter() if n.tag.endswith("rect") and n.get("height") == "12"]
    assert widths == pytest.approx([140, 210, 35] * 2)


def test_results_replace_older_ones_whole(tmp_path: Path) -> None:
    for text in ("old", "new"):
        module("results").write(tmp_path / "a", "speed", text, {"n": [1]}, "<svg/>")
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"speed.md", "speed.json", "speed.svg"}
    assert (tmp_path / "a" / "speed.md").read_text() == "new"
    assert json.loads((tmp_path / "a" / "speed.json").read_text()) == {"n": [1]}


def test_time_and_memory_of_a_command_are_its_own() -> None:
    run = module("peers").timed([sys.executable, "-c", "x = bytes(200_000_000); sum(range(5_000_000))"], 1)
    assert run.memory > 200
    assert 0.02 < run.cpu < 20


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such letter"):
        module("peers").timed([sys.executable, "-c", "raise SystemExit('no such letter')"], 1)


def test_a_command_that_takes_too_long_is_ended() -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="not done in time"):
        module("peers").timed([sys.executable, "-c", "import time; time.sleep(60)"], 1, began + 0.5)
    assert time.monotonic() - began < 20


def test_the_install_with_training_is_larger() -> None:
    peers = module("peers")
    assert 100 < peers.installed() < 500
    assert peers.installed("train") > peers.installed() + 100


def test_operations_without_padding_are_those_of_pytorchs_counter() -> None:
    network = CRNN(CRNNConfig(kernel=1, recurrent="none", shortcut=False, column="stack"), 100).eval()
    counted = module("operations").operations(network, 96, training=False)
    assert sum(counted.values()) == pytest.approx(forward_operations(network, 96))
    padded = CRNN(CRNNConfig(recurrent="none", shortcut=False), 100).eval()
    counted = module("operations").operations(padded, 96, training=False)
    assert 0.7 < sum(counted.values()) / forward_operations(padded, 96) < 1


def test_products_with_padding_do_not_count() -> None:
    conv = torch.nn.Conv2d(2, 3, 3, padding=1)
    assert module("operations").products(conv, torch.zeros(1, 2, 1, 1)) == 2 * 3
    assert module("operations").products(conv, torch.zeros(1, 2, 2, 2)) == 2 * 3 * 4 * 4


def test_recurrent_layers_meet_their_weights_at_every_slice() -> None:
    lstm = torch.nn.LSTM(5, 7, batch_first=True)
    assert module("operations").products(lstm, torch.zeros(2, 11, 5)) == 2 * 11 * 4 * 7 * (5 + 7)


def test_gradients_take_twice_as_many_but_for_the_first_layers_input() -> None:
    network = CRNN(RAW, 10)
    count = module("operations").operations
    assert count(network, 32, training=True)["head"] == pytest.approx(2 * count(network, 32, training=False)["head"])
    network = CRNN(CRNNConfig(height=16, backbone="none", column="stack", recurrent_layers=1), 10)
    forward, both = count(network, 32, training=False), count(network, 32, training=True)
    assert both["recurrent"] == pytest.approx(3 * forward["recurrent"] - forward["recurrent"] / 2)


def test_operators_are_sorted_into_kinds_of_layers() -> None:
    roofline = module("roofline")
    filters = {(64, 32, 3, 3)}
    kinds = {
        ("aten::convolution_backward", ((1, 64, 8, 8), (1, 32, 8, 8), (64, 32, 3, 3))): "convolutions",
        ("aten::mkldnn_convolution", ((1, 256, 1, 8), (320, 256, 1, 3))): "head",
        ("aten::native_batch_norm_backward", ()): "normalisation",
        ("aten::mkldnn_rnn_layer_backward", ()): "recurrent",
        ("aten::_ctc_loss", ()): "CTC",
        ("aten::_fused_adamw_", ()): "optimiser",
        ("aten::something", ()): "the rest",
    }
    assert {key: roofline.training_kind(*key, filters) for key in kinds} == kinds
    assert roofline.reading_kind("QLinearConv") == "convolutions"
    assert roofline.reading_kind("LSTM") == "recurrent"
    assert roofline.reading_kind("MatMulIntegerToFloat") == "head"


@pytest.mark.parametrize(("backend", "peak"), [("onnx", 1.0), ("onnx-int8", 2.0)])
def test_the_parts_of_reading_are_measured_in_full_precision_and_in_int8(backend: str, peak: float) -> None:
    roofline = module("roofline")
    parts = roofline.reading(load_bundle(), backend, {"fp32": 1.0, "int8": 2.0}, 2)
    assert parts["convolutions"].peak == parts["recurrent"].peak == parts["head"].peak == peak
    assert all(part.milliseconds > 0 for part in parts.values())


def test_shares_of_peaks_are_weighed_by_operations() -> None:
    roofline = module("roofline")
    parts = {"a": roofline.Part(1.0, 20.0, 100.0), "b": roofline.Part(1.0, 20.0, 50.0), "c": roofline.Part(0.0, 10.0)}
    assert [part.share for part in parts.values()] == [pytest.approx(0.5), pytest.approx(1.0), None]
    assert roofline.whole(parts)[1] == pytest.approx(0.6)


def test_speed_is_told_by_the_difference_of_two_runs() -> None:
    beside, run = module("beside_peers"), module("peers").Run
    found = beside.speeds("reading", 90, run(2.0, 5.0, 1.0), run(5.0, 4.0, 1.0))
    assert found["reading, a CPU-second"] == 30
    assert math.isnan(found["reading, a second"])


def test_programs_that_fail_or_come_too_late_are_left_out(tmp_path: Path) -> None:
    beside, peer = module("beside_peers"), module("peers").Peer
    image = tmp_path / "0.png"

    def program(code: str) -> Any:
        return peer(None, lambda images, _: [sys.executable, "-c", code, *map(str, images)])

    found = {"quick": program("pass"), "broken": program("1 / 0"), "slow": program("import time; time.sleep(60)")}
    measured = beside.rounds({1: found}, [image] * 3, [image], seconds=4, repeat=2)
    assert set(measured) == {(1, "quick")}
    text = beside.told(measured, found, module("results").facts())
    assert "| quick |" in text
    assert "broken, slow" in text
    assert "<svg" in beside.drawn(measured)


def test_a_line_that_was_not_read_is_all_missing() -> None:
    truth = {"letters-1": "abcd", "letters-2": "ab", "wills-3": "x’y"}
    rates = module("equal_time").judge({"letters-1": "abce", "wills-3": "x'y"}, truth)
    assert rates["letters"]["CER"] == pytest.approx(3 / 6)
    assert rates["wills"] == {"CER": pytest.approx(1 / 3), "normalised": 0}
    assert rates["all"]["CER"] == pytest.approx(4 / 9)


def test_what_learns_too_long_may_put_its_network_away(tmp_path: Path) -> None:
    kept = tmp_path / "network"
    code = f"import time\ntry:\n  time.sleep(60)\nexcept KeyboardInterrupt:\n  open({str(kept)!r}, 'w').write('kept')"
    run = module("equal_time").learn([sys.executable, "-c", code], 1.5, 1, tmp_path / "log")
    assert kept.read_text() == "kept"
    assert 1.5 <= run.wall < 20


def test_lines_are_laid_out_for_all_programs(tmp_path: Path) -> None:
    rows = ["image\ttext\tsplit"]
    with zipfile.ZipFile(tmp_path / "wills.zip", "w") as archive:
        for n in range(8):
            image = cv2.imencode(".png", np.full((64, 200), 200, np.uint8))[1].tobytes()
            archive.writestr(f"{n}.png", image)
            rows.append(f"{n}.png\tline {n}\t{'val' if n % 2 else 'train'}")
        archive.writestr("lines.tsv", "\n".join(rows))
    out = tmp_path / "lines"
    out.mkdir()
    module("equal_time").lay_out([tmp_path / "wills.zip"], out, most=2)
    assert json.loads((out / "lines.json").read_text()) == {"train": 2, "choose": 2, "score": 2}
    texts = {part: {p.read_text() for p in (out / part).glob("*.gt.txt")} for part in ("train", "choose", "score")}
    assert len(set.union(*texts.values())) == 6
    archived = read_samples([out / "lines.zip"])
    assert {(s.text, s.split) for s in archived} == {
        *((text, "train") for text in texts["train"]),
        *((text, "val") for text in texts["choose"]),
    }


def test_a_learning_curve_goes_on_where_the_run_before_ended(tmp_path: Path) -> None:
    head = "step,lines,seconds,cer\n"
    (tmp_path / "a.csv").write_text(head + "1,1000,3600,0.5\n2,1500,5400,\n3,2000,7200,0.25\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text(head + "1,500000,1800,0.2\n", encoding="utf-8")
    runs = module("learning_curve").curves({"a": tmp_path / "a.csv", "b": tmp_path / "b.csv"})
    assert runs["a"] == [(1.0, 0.001, 50.0), (2.0, 0.002, 25.0)]
    assert runs["b"] == [(2.5, pytest.approx(0.502), 20.0)]
