"""The recurrent language model: numpy tells what PyTorch does, it learns, and it ranks readings."""

import dataclasses
import shutil
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import uncial

from uncial.bundle import Bundle, add_decoding, load_bundle
from uncial.decoders import BeamConfig, Hypothesis
from uncial.decoders.ranking import language_scores, ranked
from uncial.errors import BundleError
from uncial.heritage import language_of
from uncial.language_model import LanguageModel, load_language_model
from uncial.ngram_estimate import Counts, estimate
from uncial.ngram_file import load_recurrent, to_bytes
from uncial.nn.language_learner import LanguageNetwork, LanguageTraining, begin, learn_language
from uncial.recurrent_language import RECENT, UNKNOWN, RecurrentLanguage
from uncial.tune import told as told_of

SIZE = 6
LINES = [np.array([1, 2, 3, 1, 2, 3, 1, 2, 3]), np.array([4, 5, 4, 5, 4, 5])] * 32
PROSE = "\n".join(["Dear Ann no news a hill", "a hill no Dear Ann a hill no news a 1862 May hill Dear"] * 60)


def network() -> LanguageNetwork:
    torch.manual_seed(3)
    return LanguageNetwork(SIZE, 12, 5).eval()


def by_torch(net: LanguageNetwork, text: list[int]) -> float:
    with torch.no_grad():
        log_probs = net(torch.tensor([[0, *text]])).log_softmax(2)[0]
    return float(log_probs[range(len(text) + 1), [*text, 0]].sum())


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a second whenever it is looked at, so that minutes are steps on any machine."""
    seconds = count()
    monkeypatch.setattr("uncial.nn.language_learner.monotonic", lambda: next(seconds))


def trained(steps: int, start: RecurrentLanguage | None = None) -> RecurrentLanguage:
    training = LanguageTraining(steps / 60, width=24, embedding=8, lines=8, rate=2e-2)
    return learn_language(LINES, LINES[:2], training, begin(SIZE, training, start))


def test_it_tells_what_pytorch_tells() -> None:
    net = network()
    lines = [[[1, 2, 3], [1, 2], []], [[5, 4, 3, 2, 1] * 3], []]
    found = net.tables().log_probs(lines)
    assert [len(told) for told in found] == [3, 1, 0]
    for line, told in zip(lines, found, strict=True):
        assert told == pytest.approx([by_torch(net, text) for text in line], abs=1e-4)


def test_readings_that_agree_of_late_share_a_state_and_those_of_other_lines_do_not() -> None:
    net = network()
    same = [1, 2, 3, 4, 5, 4] * 3
    first, second = [3, *same], [2, *same]
    alone, apart = (net.tables().log_probs(lines) for lines in ([[first]], [[first], [second]]))
    assert apart[0] == pytest.approx(alone[0], abs=1e-5)
    assert apart[1] == pytest.approx([by_torch(net, second)], abs=1e-4)
    together = net.tables().log_probs([[first, second]])[0]
    grown = net.tables().log_probs([[[*first, 1, 1], [*second, 1, 1]]])[0]
    # Behind RECENT equal graphemes both go on alike, and what was said before stays apart.
    assert len(same) > RECENT
    assert grown[0] - together[0] == pytest.approx(grown[1] - together[1], abs=1e-4)
    assert together[0] != pytest.approx(together[1], abs=1e-3)


def test_a_grapheme_that_came_later_is_neither_welcome_nor_ruled_out() -> None:
    net = network()
    [[without, with_it]] = net.tables().log_probs([[[1], [1, SIZE]]])
    ended = by_torch(net, [1]) - by_torch_of_first(net)
    assert with_it == pytest.approx(without - ended + UNKNOWN + after_unknown(net), abs=1e-4)


def by_torch_of_first(net: LanguageNetwork) -> float:
    with torch.no_grad():
        return float(net(torch.tensor([[0]])).log_softmax(2)[0, 0, 1])


def after_unknown(net: LanguageNetwork) -> float:
    with torch.no_grad():
        return float(net(torch.tensor([[0, 1, SIZE]])).log_softmax(2)[0, 2, 0])


@pytest.mark.usefixtures("counted")
def test_it_learns_and_goes_on_from_what_it_knows() -> None:
    short = trained(100)
    likely, unlikely = short.log_probs([[[1, 2, 3, 1, 2, 3, 1, 2, 3], [1, 3, 2, 1, 2, 3, 2, 2, 1]]])[0]
    assert likely > unlikely + 5
    again = trained(3, short)
    assert again.log_probs([[[1, 2, 3, 1, 2, 3, 1, 2, 3]]])[0][0] == pytest.approx(likely, abs=1)


def test_weights_survive_the_way_to_pytorch_and_back() -> None:
    before, net = network().tables(), LanguageNetwork(SIZE, 12, 5)
    net.take(before)
    for field in dataclasses.fields(before):
        assert np.array_equal(getattr(net.tables(), field.name), getattr(before, field.name))


def test_a_stop_keeps_what_was_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    notes, steps = list[str](), list[int]()

    def interrupted(*arguments: object) -> None:
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("uncial.nn.language_learner._step", interrupted)
    training = LanguageTraining(5, width=4, embedding=2)
    kept = learn_language(LINES, [], training, begin(SIZE, training), notes.append)
    assert isinstance(kept, RecurrentLanguage)
    assert "stopped early" in notes[-1]


def ngrams() -> LanguageModel:
    return LanguageModel(estimate(Counts.of(LINES, 3, SIZE)), network().tables())


def test_readings_are_ranked_by_both_models() -> None:
    model = ngrams()
    texts = [(1, 2, 3), (4, 5)]
    grams = [model.ngrams.score(text) for text in texts]
    config = BeamConfig(weight=0.7, recurrent=0.4)
    found = [Hypothesis(text, 2.0 + 0.7 * told, 0.7 * told) for text, told in zip(texts, grams, strict=True)]
    [line] = ranked([found], model, config)
    by_net = [by_torch(network(), list(text)) for text in texts]
    wanted = {t: 2 + 0.7 * (0.6 * a + 0.4 * b) for t, a, b in zip(texts, grams, by_net, strict=True)}
    assert {r.classes: r.score for r in line} == pytest.approx(wanted, abs=1e-3)
    assert line[0].score >= line[1].score
    assert language_scores(model, texts, config) == pytest.approx(
        [0.6 * a + 0.4 * b for a, b in zip(grams, by_net, strict=True)], abs=1e-3
    )


@pytest.mark.parametrize("without", ["share", "model", "weight", "language"])
def test_without_a_share_all_stays_as_it_was(without: str) -> None:
    model: LanguageModel | None = ngrams()
    config = BeamConfig(weight=0.0 if without == "weight" else 0.5, recurrent=0.0 if without == "share" else 0.5)
    if without == "model":
        model = LanguageModel(ngrams().ngrams)
    if without == "language":
        model = None
    found = [[Hypothesis((4, 5), 1.0, -3.0), Hypothesis((1, 2), 0.9, -1.0)]]
    assert ranked(found, model, config) == found


@pytest.fixture
def bundle(tiny_bundle: Bundle, tmp_path: Path) -> Bundle:
    """A copy that may be written into."""
    shutil.copytree(tiny_bundle.path, tmp_path / "bundle")
    return load_bundle(tmp_path / "bundle")


@pytest.fixture
def prose(tmp_path: Path) -> Path:
    (tmp_path / "prose.txt").write_text(PROSE, encoding="utf-8")
    return tmp_path / "prose.txt"


@pytest.mark.usefixtures("counted")
def test_lm_trains_one_and_it_stays_when_the_n_grams_are_made_anew(bundle: Bundle, prose: Path) -> None:
    ran = uncial("lm", prose, "--into", bundle.path, "--order", 4, "--recurrent", 0.25)
    assert ran.code == 0, ran.told
    assert "384 recurrent cells" in ran.out
    written = load_bundle(bundle.path)
    assert written.provenance["language_model"]["recurrent_cells"] == 384
    assert written.language_model
    model = load_language_model(written.language_model)
    assert model.recurrent
    chance = begin(bundle.alphabet.size, LanguageTraining())
    dear = [[bundle.alphabet.encode("Dear Ann no news")]]
    assert model.recurrent.log_probs(dear)[0] > chance.log_probs(dear)[0] + 0.2
    assert written.language_model.stat().st_size < 8e6
    assert uncial("lm", prose, "--into", bundle.path, "--order", 3, "--force").code == 0
    kept = load_language_model(written.language_model)
    assert kept.ngrams.order == 3
    assert kept.recurrent
    assert np.array_equal(kept.recurrent.hidden, model.recurrent.hidden)


def test_a_file_with_too_little_room_is_told_of_before_the_training(bundle: Bundle, prose: Path) -> None:
    ran = uncial("lm", prose, "--into", bundle.path, "--recurrent", 60, "--max-bytes", 1_000_000)
    assert ran.code == 2
    assert "too small" in ran.told


def with_recurrent(bundle: Bundle, recurrent: RecurrentLanguage | None = None) -> Bundle:
    from uncial.bundle import add_language_model

    size = bundle.alphabet.size
    texts = [bundle.alphabet.encode(text) for text in PROSE.split("\n") if not bundle.alphabet.missing(text)]
    model = dataclasses.replace(estimate(Counts.of(texts, 3, size)), graphemes=bundle.alphabet.graphemes)
    data = to_bytes(model, recurrent or begin(size, LanguageTraining(width=8, embedding=4)))
    return add_language_model(bundle, data, {"order": 3})


def test_it_goes_along_with_a_training_and_with_a_larger_alphabet(bundle: Bundle) -> None:
    old = with_recurrent(bundle)
    assert old.language_model
    larger = type(bundle.alphabet)((*bundle.alphabet.graphemes, "ß"))
    language, _ = language_of(old, larger, [[1, 2, larger.size - 1]])
    new = bundle.path.parent / "new.safetensors"
    new.write_bytes(language.data)
    before, after = load_recurrent(old.language_model), load_recurrent(new)
    assert before
    assert after
    assert np.array_equal(before.hidden, after.hidden)
    assert np.isfinite(after.log_probs([[[1, larger.size - 1]]])[0]).all()


def test_reading_takes_it_by_its_share(bundle: Bundle, drawn_lines: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    from uncial.decoding import Decoding
    from uncial.lineimage import line_image
    from uncial.runtime import Runtime

    asked = list[int]()

    def log_probs(self: RecurrentLanguage, lines: list) -> list:
        asked.append(len(lines))
        return [np.arange(len(line), dtype=float) * 100 for line in lines]  # the last reading is by far the likeliest

    monkeypatch.setattr(RecurrentLanguage, "log_probs", log_probs)
    images = [line_image(line.image, bundle.line_image) for line in drawn_lines]
    firsts = []
    for share in (0.0, 0.5):
        beam = told_of(BeamConfig(weight=0.3, bonus=0.5, recurrent=share))
        known = add_decoding(with_recurrent(bundle), beam, bundle.calibration)
        read = Decoding(known, Runtime(known), "balanced")(images)
        firsts.append([decoded.readings[0].classes for _, decoded in read])
    assert asked
    assert firsts[0] != firsts[1]


@pytest.mark.parametrize("change", ["shape", "missing"])
def test_a_damaged_file_is_told(change: str, tmp_path: Path) -> None:
    from safetensors.numpy import load, save

    tensors = load(to_bytes(estimate(Counts.of(LINES, 3, SIZE)), network().tables()))
    if change == "shape":
        tensors["recurrent.hidden"] = tensors["recurrent.hidden"][:-1]
    else:
        del tensors["recurrent.out"]
    path = tmp_path / "lm.safetensors"
    path.write_bytes(save(tensors))
    with pytest.raises(BundleError, match=r"lm.safetensors: .*damaged"):
        load_recurrent(path)
