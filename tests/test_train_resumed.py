"""What a run that goes on keeps, takes up anew and refuses."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from drawn_samples import sample, samples, settings

from uncial.alphabet import Alphabet
from uncial.bundle import Bundle, add_decoding, add_language_model, load_bundle
from uncial.errors import BundleError, TrainingError
from uncial.heritage import going_along, language_of
from uncial.ngram_estimate import Counts, estimate
from uncial.ngram_file import load_ngrams, to_bytes
from uncial.nn.learner import Learner
from uncial.nn.parallel import Ranks
from uncial.sources import Sample
from uncial.train import train
from uncial.train_config import TrainConfig

# Each validation keeps its network: the tolerance is without end.
PLAN = settings(epochs=1, tolerance=1e9, validate_minutes=0.0)


def with_language(bundle: Bundle, order: int = 3) -> Bundle:
    """The bundle with a language model as `uncial lm` gives it, and weights as `uncial tune` does."""
    size = bundle.alphabet.size
    model = replace(estimate(Counts.of([[1, 2, 1], [2, 2]], order, size)), graphemes=bundle.alphabet.graphemes)
    bundle = add_language_model(bundle, to_bytes(model), {"texts": ["mine"]})
    return add_decoding(bundle, {"weight": 0.77}, bundle.calibration)


def test_a_language_model_that_was_added_meanwhile_stays(tmp_path: Path) -> None:
    out = tmp_path / "mine"
    before = with_language(train(samples(4), out, PLAN))
    assert before.language_model
    data, head, notes = before.language_model.read_bytes(), before.weights["head.weight"], list[str]()
    after = train(samples(4), out, replace(PLAN, epochs=3), resume=True, watch=lambda told: notes.append(told.note))
    assert after.weights["head.weight"].tolist() != head.tolist()
    assert after.language_model
    assert after.language_model.read_bytes() == data
    assert (after.beam, after.provenance["language_model"]) == ({"weight": 0.77}, {"texts": ["mine"]})
    assert any(note.endswith("mine stays as it is") for note in notes)


def test_what_a_run_that_goes_on_cannot_take_along_is_left(tmp_path: Path) -> None:
    out, graphemes = tmp_path / "mine", Alphabet.from_texts(["ab"])
    assert going_along(out, None, graphemes, ()) == (None, "")  # nothing is there yet
    bundle = with_language(train(samples(4), out, PLAN))
    assert going_along(out, None, graphemes, ()) == (None, "")  # of another alphabet
    assert going_along(None, None, bundle.alphabet, ()) == (None, "")  # a run begins
    assert going_along(out, None, bundle.alphabet, ())[0]
    own = add_language_model(bundle, Path(str(bundle.language_model)).read_bytes(), {"lines": 4})
    assert going_along(out, None, own.alphabet, ()) == (None, "")  # a training gave it, and will again
    (out / "bundle.json").write_text("damaged", encoding="utf-8")
    with pytest.raises(BundleError):
        load_bundle(out)
    assert going_along(out, None, bundle.alphabet, ()) == (None, "")


def test_a_language_model_of_a_much_larger_alphabet_has_shorter_n_grams(tmp_path: Path) -> None:
    bundle = with_language(train(samples(4), tmp_path / "mine", PLAN), order=9)
    few = load_ngrams(Path(str(bundle.language_model)))
    larger = bundle.alphabet.extended(tuple(chr(0x4E00 + n) for n in range(600)))
    for texts in ((), [larger.encode("\u4e00\u4e01")]):
        language, note = language_of(bundle, larger, texts)
        (tmp_path / "lm").write_bytes(language.data)
        many = load_ngrams(tmp_path / "lm")
        assert (few.order, many.order, many.graphemes) == (9, 6, larger.graphemes)
        assert "n-grams of at most 6 graphemes" in note
    language, _ = language_of(bundle, larger, ())
    (tmp_path / "lm").write_bytes(language.data)
    assert load_ngrams(tmp_path / "lm").score([1, 2, 1]) == pytest.approx(few.score([1, 2, 1]), abs=0.1)


@pytest.mark.parametrize("split", ["train", "val"])
def test_lines_with_other_texts_are_no_longer_those_of_the_run(tmp_path: Path, split: str) -> None:
    def lines(text: str) -> list[Sample]:
        return [*samples(4), sample(90, text if split == "train" else "a"), sample(91, text, split)]

    train(lines("no"), tmp_path / "mine", PLAN)
    kind = {"train": "training", "val": "validation"}[split]
    with pytest.raises(TrainingError, match=f"made with another set of {kind} lines with their texts"):
        train(lines("on"), tmp_path / "mine", replace(PLAN, epochs=3), resume=True)


def learner(config: TrainConfig) -> Learner:
    return Learner(config, 5, Ranks())


def test_a_run_that_goes_on_decays_as_it_is_told_now() -> None:
    later = learner(settings(weight_decay=0.5))
    later.load(learner(settings(weight_decay=0.1)).state())
    assert [group["weight_decay"] for group in later.optimizer.param_groups] == [0.5, 0.0]


def test_a_run_does_not_go_on_with_another_rate_of_the_backbone(tmp_path: Path) -> None:
    train(samples(4), tmp_path / "mine", PLAN)
    with pytest.raises(TrainingError, match="made with another backbone_rate"):
        train(samples(4), tmp_path / "mine", replace(PLAN, epochs=3, backbone_rate=0.5), resume=True)


def test_a_backbone_of_rate_0_keeps_its_statistics_too(tmp_path: Path) -> None:
    begun = train(samples(4), tmp_path / "mine", PLAN)
    other = train(samples(4), tmp_path / "other", replace(PLAN, backbone_rate=0.0), start=begun.path)
    for name, value in begun.weights.items():
        if name.startswith("backbone."):
            assert torch.equal(torch.tensor(other.weights[name]), torch.tensor(value)), name
    assert other.weights["head.weight"].tolist() != begun.weights["head.weight"].tolist()
