"""The recipe for few lines: taken by itself, choosing by held-out lines, never worse than what it began with."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from commands import Ran, uncial, write_pairs
from conftest import TEXTS, TINY, DrawnLine, draw_line, memorise
from drawn_samples import sample, samples, settings

from uncial.alphabet import Alphabet
from uncial.bundle import Bundle, load_bundle, save_bundle
from uncial.checkpoint import Course
from uncial.cli_train import recipe_for, tell_limits
from uncial.config import from_dict
from uncial.errors import ConfigError
from uncial.evaluate import evaluate
from uncial.language import read_texts
from uncial.lineimage import LineImageConfig
from uncial.nn.batches import BatchMaker
from uncial.nn.crnn import CRNN
from uncial.nn.learner import Learner
from uncial.nn.onnx_graph import onnx_graph
from uncial.nn.parallel import Ranks
from uncial.recipes import RECIPES, with_recipe
from uncial.recognizer import Recognizer
from uncial.run_log import Progress
from uncial.sources import read_samples, with_held_out
from uncial.train import train
from uncial.train_config import TrainConfig
from uncial.training_lines import gather

SLANT = 0.7  # pixels to the left for each pixel down


def slanted(text: str) -> DrawnLine:
    """The text in another hand: leaning so far that the bundle misreads it."""
    line = draw_line(text)
    height, width = line.image.shape
    lean = np.array([[1, -SLANT, SLANT * height], [0, 1, 0]], np.float32)
    size = (round(width + SLANT * height), height)
    return replace(line, image=cv2.warpAffine(line.image, lean, size, borderValue=255))


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle that reads the drawn lines, wider than `tiny_bundle`.

    In fp32, oneDNN writes beyond its memory where it goes back through filters of 8 or 24 channels in channels_last.
    """
    alphabet, preprocessing = Alphabet.from_texts(TEXTS), LineImageConfig()
    config = replace(TINY, channels=(16, 32), blocks=(1,), strides_down=(4, 4), strides_across=(2, 2))
    torch.manual_seed(7)
    network = CRNN(config, alphabet.size)
    memorise(network, alphabet, preprocessing)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    path = tmp_path_factory.mktemp("bundles") / "start"
    return save_bundle(path, config, alphabet, preprocessing, {}, weights, onnx_graph(network))


@pytest.fixture
def new_hand(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "lines", [slanted(text) for text in (*TEXTS, *TEXTS[::-1], *TEXTS)])


def adapt(folder: Path, out: Path, start: Bundle, *more: object) -> Ran:
    quick = ("--set", "precision=float32", "--set", "threads=1", "--set", "int8_lines=0", "--set", "language_bytes=0")
    return uncial("train", folder, "-o", out, "--from", start.path, *quick, *more)


def cer(folder: Path, bundle: Bundle) -> float:
    lines = evaluate(Recognizer.load(bundle.path, quality="fast"), read_samples([folder]), split="all")
    return lines.overall.every_line.cer.value


def test_ten_lines_of_another_hand_bring_a_bundle_closer_to_it(new_hand: Path, tmp_path: Path, start: Bundle) -> None:
    # The network is too small for the augmentation and the dropout of the recipe.
    tiny = ("--set", "learning_rate=1e-2", "--set", "network.dropout=0.0", "--set", "augment.strength=0.5")
    ran = adapt(new_hand, tmp_path / "mine", start, "--epochs", 60, *tiny)
    assert ran.code == 0, ran.told
    assert "12 lines: learning by the recipe new-hand, made for few" in ran.told
    assert "passes" not in ran.told  # but those that were asked for
    assert "9 lines to learn from, 3 to choose by" in ran.told
    before, after = cer(new_hand, start), cer(new_hand, load_bundle(tmp_path / "mine"))
    assert before > 0.3
    assert after < before / 2
    held_out = set(load_bundle(tmp_path / "mine").provenance["held_out"])
    table = tmp_path / "lines.tsv"
    found = json.loads(uncial("evaluate", new_hand, "-m", tmp_path / "mine", "--json", "--lines", table).out)
    assert found["about"]["split"] == "val"
    assert found["lines"] == len(held_out) == 3
    assert all(name in table.read_text(encoding="utf-8") for name in held_out)
    apart = read_texts([new_hand], start.alphabet, 1.0, held_out=held_out)
    assert [(len(text.lines), len(text.held_out)) for text in apart] == [(9, 3)]
    elsewhere = new_hand.rename(tmp_path / "renamed")
    told = uncial("evaluate", elsewhere, "-m", tmp_path / "mine", "--quality", "fast").told
    assert "mine held out 3 lines when it learned, none of which is here" in told


@pytest.mark.parametrize(
    ("minutes", "most", "told"), [(2, 60, "it learns for 2 minutes, or 60 passes"), (2, 0, ""), (0, 60, "")]
)
def test_limits_are_told_where_time_and_passes_may_end_it(
    minutes: float, most: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tell_limits(TrainConfig(minutes=minutes, most_epochs=most))
    out, err = capsys.readouterr()
    assert told in err
    assert bool(out + err) == bool(told)


def test_what_reads_worse_than_the_start_is_not_kept(new_hand: Path, tmp_path: Path, start: Bundle) -> None:
    ran = adapt(new_hand, tmp_path / "mine", start, "--epochs", 1, "--set", "learning_rate=5", "--set", "averaging=0.0")
    assert "nothing that was learned reads the lines to choose by better" in ran.out
    assert ran.code == 0, ran.told
    mine = load_bundle(tmp_path / "mine")
    assert all(np.allclose(mine.weights[name], value, rtol=1e-3) for name, value in start.weights.items())
    assert mine.provenance["course"]["step"] == 0


def test_the_usual_recipe_is_the_way_out(new_hand: Path, tmp_path: Path, start: Bundle) -> None:
    lines = [*(sample(n, text) for n, text in enumerate(TEXTS)), sample(9, TEXTS[0], "val")]
    with pytest.raises(ConfigError, match="'new-hnd'; there are: from-nothing, new-hand, small, standard"):
        adapt_settings("new-hnd")
    assert adapt_settings("standard") == TrainConfig()
    assert (recipe_for(None, [], None), recipe_for("standard", [], None)) == ("from-nothing", "standard")
    assert gather(lines, replace(settings(), held_out=0.5), None).validation[0].sample.id == "drawn/9"
    ran = adapt(new_hand, tmp_path / "mine", start, "--epochs", 1, "--recipe", "standard")
    assert "new-hand" not in ran.told
    ran = adapt(new_hand, tmp_path / "other", start, "--recipe", "small")
    assert (ran.code, "makes a small network from nothing; leave out --from" in ran.told) == (2, True)


def adapt_settings(recipe: str) -> TrainConfig:
    return from_dict(TrainConfig, with_recipe(recipe, {}))


def test_other_settings_are_laid_over_a_recipe_one_by_one() -> None:
    whole = with_recipe("new-hand", {"augment": {"chance": 0.1}, "batch_lines": 3})
    told = RECIPES["new-hand"]
    assert whole["augment"] == {**told["augment"], "chance": 0.1}
    assert whole == {**told, "augment": whole["augment"], "batch_lines": 3}


@pytest.mark.parametrize(("count", "held_out"), [(10, 3), (50, 6), (4, 2), (2, 1)])
def test_lines_to_choose_by_are_held_out_and_spread(count: int, held_out: int) -> None:
    some = [replace(sample(n, TEXTS[n % 4], ""), page="1") for n in range(count)]
    some.insert(0, sample(1000, TEXTS[0], "test"))
    lines = gather(some, settings(held_out=0.12), None)
    apart = [int(line.sample.page == "1" and line.sample.id.split("/")[1]) for line in lines.validation]
    assert len(apart) == held_out
    assert len(lines.training) == count - held_out
    assert max(np.diff([0, *apart, count])) <= count // held_out + 1


def test_lines_that_names_of_pages_hold_out_are_remembered_too() -> None:
    some = [sample(n, TEXTS[n % 4], "") for n in range(60)]
    lines = gather(some, settings(), None)
    assert lines.held_out == tuple(line.sample.id for line in lines.validation)
    assert 0 < len(lines.held_out) < 10
    known = with_held_out(some, lines.held_out)
    assert {one.id for one in known if one.split == "val"} == set(lines.held_out)
    assert gather([*some, sample(90, TEXTS[0], "val")], settings(), None).held_out == ()  # a source tells


def test_held_out_lines_are_told_apart_where_no_source_does() -> None:
    some = [*(sample(n, TEXTS[0], "") for n in range(3)), sample(3, TEXTS[0], "test")]
    other = replace(sample(2, TEXTS[0], ""), id="other/2", collection="other")
    assert [s.split for s in with_held_out([*some, other], ["drawn/2"])] == ["train", "train", "val", "test", ""]
    assert with_held_out(some, ["other/2"]) == some
    split = [*some, sample(4, TEXTS[0], "val")]
    assert with_held_out(split, ["drawn/2"]) == split


def test_the_latest_is_kept_unless_it_is_clearly_worse_than_the_best_or_the_start() -> None:
    course = Course()
    kept = [course.judge(cer, 0.2) for cer in (0.5, 0.2, 0.23, 0.25, 0.24)]
    assert kept == [True, True, True, False, True]
    assert (course.best_cer, course.stale) == (0.2, 3)
    course = Course(best_cer=0.2, start_cer=0.2)
    assert [course.judge(cer, 0.2) for cer in (0.21, 0.2)] == [False, True]
    assert not Course(best_cer=0.2).judge(0.2, 0.0)


def test_patience_ends_a_run(tmp_path: Path) -> None:
    heard: list[Progress] = []
    config = settings(epochs=50, learning_rate=1e-9, averaging=0.0, patience=3, validate_minutes=0.0)
    train(samples(4), tmp_path / "bundle", config, watch=heard.append)
    assert max(progress.step for progress in heard) < 20


def learned(config: TrainConfig, steps: int = 2) -> tuple[Learner, dict[str, torch.Tensor]]:
    """A learner after some steps, and the state it began with."""
    lines: Sequence = samples(8)
    gathered = gather(lines, config, None)
    maker = BatchMaker(gathered.training, config.network, config.line_image, 2**20)
    learner = Learner(config, gathered.alphabet.size, Ranks())
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    for step in range(steps):
        learner.learn(maker.batch(range(8), None), step, 0.1)
    return learner, before


def changed(learner: Learner, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, value in learner.network.state_dict().items() if not torch.equal(value, before[name])}


def test_a_backbone_of_rate_0_stays_and_all_else_learns() -> None:
    names = changed(*learned(settings(backbone_rate=0.0, batch_statistics=False)))
    assert names
    assert not [name for name in names if name.startswith("backbone.")]


def test_the_backbone_rate_slows_the_backbone_alone() -> None:
    slow, before = learned(settings(backbone_rate=0.01, weight_decay=0.0), steps=1)
    full, _ = learned(settings(weight_decay=0.0), steps=1)

    def moved(learner: Learner, name: str) -> float:
        return float((learner.network.state_dict()[name] - before[name]).abs().max())

    name = "backbone.stem.conv.weight"
    assert moved(slow, name) == pytest.approx(moved(full, name) / 100, rel=0.05)
    assert moved(slow, "head.weight") == pytest.approx(moved(full, "head.weight"), rel=0.05)


def test_batch_statistics_stay_if_they_shall() -> None:
    names = changed(*learned(settings(batch_statistics=False)))
    assert "backbone.stem.conv.weight" in names
    assert not [name for name in names if "running" in name]
    assert [name for name in changed(*learned(settings())) if "running" in name]
