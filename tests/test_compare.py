"""A comparison trains each system once, loses nothing when it is stopped, and goes on where one of them fails."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_samples import SMALL, samples, settings

from uncial import compare as job
from uncial.bundle import load_bundle
from uncial.compare import CSV, JSON, PAGE, Plan, compare
from uncial.config import to_dict
from uncial.errors import ConfigError, GroundTruthError, StorageError
from uncial.lineimage import LineImageConfig, line_image
from uncial.run_log import Progress

NETWORK = to_dict(replace(SMALL, dense_width=64, dense_hidden=8))
SETTINGS = to_dict(settings(batch_lines=4, validate_minutes=9.0)) | {"network": NETWORK}
PLAN = Plan(minutes=0.003, systems=("cnn", "dense"), settings=SETTINGS)
LINES = samples(8, validation=4)


def test_every_system_is_trained_and_read_and_all_is_written(tmp_path: Path) -> None:
    found = compare(LINES, tmp_path / "out", replace(PLAN, systems=Plan(1).systems))
    (unit,) = found.units
    assert [result.system for result in unit.results] == list(Plan(1).systems)
    assert unit.failures == ()
    assert (unit.train, {result.lines for result in unit.results}) == (8, {4})
    for result in unit.results:
        bundle = load_bundle(tmp_path / "out" / "line" / result.system)
        assert result.weights > 0
        assert len(result.pages) == 4
        assert result.lines_learned >= 1
        assert bundle.architecture.shortcut  # as in any training
        assert bundle.provenance["training"]["seed"] == SETTINGS["seed"]
    assert json.loads((tmp_path / "out" / JSON).read_text(encoding="utf-8"))["units"][0]["unit"] == "line"
    assert (tmp_path / "out" / CSV).read_text(encoding="utf-8").count("\n") == 8
    assert "crnn-lstm-sweep" in (tmp_path / "out" / PAGE).read_text(encoding="utf-8")


def test_systems_read_the_lines_that_their_training_held_out(tmp_path: Path) -> None:
    lines = [replace(one, split="") for one in samples(30)]
    plan = replace(PLAN, systems=("cnn",), settings=SETTINGS | {"held_out": 0.2})
    (result,) = compare(lines, tmp_path, plan).units[0].results
    held_out = load_bundle(tmp_path / "line" / "cnn").held_out
    assert (len(held_out), result.lines) == (6, 6)


def test_what_is_finished_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = compare(LINES, tmp_path, replace(PLAN, systems=("cnn",)))
    trained: list[str] = []
    own = job.train

    def watched(some, out, *rest, **more):
        trained.append(out.name)
        return own(some, out, *rest, **more)

    monkeypatch.setattr(job, "train", watched)
    second = compare(LINES, tmp_path, PLAN)
    assert trained == ["dense"]
    assert second.units[0].results[1] == first.units[0].results[0]


def test_a_training_that_was_stopped_goes_on(tmp_path: Path) -> None:
    plan = replace(PLAN, systems=("cnn",), minutes=0.02, settings=SETTINGS | {"checkpoint_minutes": 0.0})

    def stop(progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(LINES, tmp_path, plan, watch=stop)
    heard: list[str] = []
    compare(LINES, tmp_path, plan, watch=lambda progress: heard.append(progress.note))
    assert any(note.startswith("resumed at step 3") for note in heard)


def test_a_bundle_without_a_checkpoint_is_made_anew(tmp_path: Path) -> None:
    plan = replace(PLAN, systems=("cnn",))
    compare(LINES, tmp_path, plan)
    (tmp_path / "line" / "cnn.json").unlink()
    (tmp_path / "line" / "cnn.run" / "checkpoint.pt").unlink()
    assert compare(LINES, tmp_path, plan).units[0].failures == ()


def test_one_system_that_fails_does_not_lose_the_others_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = job.train

    def failing(some, out, *rest, **more):
        if out.name == "dense":
            raise MemoryError
        return own(some, out, *rest, **more)

    monkeypatch.setattr(job, "train", failing)
    (unit,) = compare(LINES, tmp_path, PLAN).units
    assert [(failure.id, failure.reason) for failure in unit.failures] == [("dense", "MemoryError")]
    assert [result.system for result in unit.results] == ["cnn"]
    monkeypatch.undo()
    (unit,) = compare(LINES, tmp_path, PLAN).units
    assert [result.system for result in unit.results] == ["dense", "cnn"]


def test_no_system_learns_a_line_that_another_cannot(tmp_path: Path) -> None:
    # A slice for each grapheme is too narrow; the LSTM alone, with a step for each pixel, could learn it.
    crowded = replace(samples(1, texts=("Dear Ann" * 3,))[0], id="drawn/crowded", source=LINES[0].source)
    for name in ("rnn", "cnn"):  # one after the other, as people may
        found = compare([*LINES, crowded], tmp_path, replace(PLAN, systems=(name,)))
        assert found.units[0].train == 8
    counts = {load_bundle(tmp_path / "line" / name).provenance["lines"]["train"] for name in ("rnn", "cnn")}
    assert counts == {8}


def test_the_image_of_the_dense_network_is_as_wide_as_most_lines(tmp_path: Path) -> None:
    network = {name: value for name, value in NETWORK.items() if name != "dense_width"}
    plan = replace(PLAN, systems=("dense",), settings=SETTINGS | {"network": network})
    found = compare(LINES, tmp_path, plan)
    preprocessing = LineImageConfig(height=16, margin=4)
    widths = [line_image(sample.image(), preprocessing).shape[1] for sample in LINES if sample.split == "train"]
    assert found.units[0].dense_width == int(np.percentile(widths, 95))
    assert found.growth[1].width == 2 * found.growth[0].width == 2 * found.units[0].dense_width
    assert found.growth[1].weights["dense"] > 1.9 * found.growth[0].weights["dense"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"systems": ("transformer",)}, "no system named 'transformer'; there are: .*crnn-lstm"),
        ({"units": ("page",)}, "no unit named 'page'"),
        ({"split": "train"}, "no split to compare by named 'train'"),
        ({"minutes": 0.0}, "give more than 0"),
        ({"settings": {"batch_line": 3}}, "did you mean 'batch_lines'"),
    ],
)
def test_a_wrong_plan_is_told_before_anything_is_written(changes: dict, told: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        compare(LINES, tmp_path / "out", replace(PLAN, **changes))
    assert not (tmp_path / "out").exists()


def test_a_comparison_goes_on_only_with_the_lines_and_settings_it_began_with(tmp_path: Path) -> None:
    plan = replace(PLAN, systems=("cnn",))
    compare(LINES, tmp_path, plan)
    with pytest.raises(ConfigError, match="another training; go on with"):
        compare(LINES, tmp_path, replace(plan, minutes=2.0))
    with pytest.raises(ConfigError, match="another lines"):
        compare(LINES[1:], tmp_path, plan)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(StorageError, match="is no comparison; choose another"):
        compare(LINES, tmp_path, PLAN)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_ground_truth_without_lines_to_choose_by_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GroundTruthError, match="choose the best network by"):
        compare(samples(8, validation=0), tmp_path, PLAN)
