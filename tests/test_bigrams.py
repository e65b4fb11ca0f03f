"""The head of bigrams: the right targets that always fit in, learned beside the graphemes and dropped in the end."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_samples import SMALL, samples, settings

from uncial.bundle import load_bundle
from uncial.config import from_dict
from uncial.decoders import steps_needed
from uncial.errors import ConfigError, TrainingError
from uncial.nn.batches import BatchMaker
from uncial.nn.bigrams import BigramHead, frequent_bigrams
from uncial.nn.learner import Learner
from uncial.nn.parallel import Ranks
from uncial.train import train
from uncial.train_config import TrainConfig
from uncial.training_lines import gather

WITH = {"bigram_weight": 0.5, "bigrams": 12}


def head_for(texts: list[list[int]], most: int) -> BigramHead:
    torch.manual_seed(1)
    return BigramHead(6, 10, frequent_bigrams(texts, most), 2)


def targets(head: BigramHead, texts: list[list[int]]) -> list[list[int]]:
    classes = torch.tensor([c for text in texts for c in text], dtype=torch.long)
    pairs, counts = head.targets(classes, torch.tensor([len(text) for text in texts]))
    return [part.tolist() for part in pairs.split(counts.tolist())]


def test_the_most_frequent_pairs_come_first_and_none_reaches_over_the_end_of_a_text() -> None:
    texts = [[1, 2, 1, 2], [2, 3], [3, 1], [2, 3]]
    assert frequent_bigrams(texts, 9) == ((1, 2), (2, 3), (2, 1), (3, 1))
    assert frequent_bigrams(texts, 2) == ((1, 2), (2, 3))
    assert frequent_bigrams(texts, 0) == ()


def test_texts_become_their_bigrams_and_rare_ones_are_passed_over() -> None:
    texts = [[1, 2, 1, 2], [2, 3, 1], [5], [3, 3, 3], [9, 2, 3]]
    head = head_for(texts[:2] + [[2, 3]], 2)  # (1, 2) and (2, 3)
    assert targets(head, texts) == [[1, 1], [2], [], [], [2]]
    assert targets(head_for(texts, 99), [[3, 3, 3]])[0][0] > 0


def test_bigrams_need_no_more_time_steps_than_the_graphemes() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        texts = [rng.integers(1, 4, rng.integers(1, 9)).tolist() for _ in range(4)]
        some = [text for text in texts if len(text) > 1][:2]
        for text, pairs in zip(texts, targets(head_for(some, int(rng.integers(1, 6))), texts), strict=True):
            assert steps_needed(pairs) <= steps_needed(text)


def test_lines_without_any_bigram_have_a_finite_loss_and_gradients() -> None:
    """Ranks that train together wait for the gradient of every parameter."""
    head = head_for([[1, 2]], 1)
    for texts in ([[5], [5]], [[5], [1, 2]]):
        logits = head(torch.randn(2, 4, 6))
        assert logits.shape == (2, 8, 2)
        classes = torch.tensor([c for text in texts for c in text])
        loss = head.loss(logits, torch.tensor([8, 6]), classes, torch.tensor([len(text) for text in texts]))
        head.zero_grad()
        loss.backward()
        assert loss.isfinite()
        assert all(parameter.grad.abs().sum() > 0 for parameter in head.parameters())


def test_a_learner_learns_graphemes_and_bigrams_side_by_side() -> None:
    parts = replace(SMALL, channels=(8, 16), recurrent_size=24, dropout=0.0)
    config = settings(network=parts, learning_rate=2e-2, **WITH)
    lines = gather(samples(4, 1), config, None)
    maker = BatchMaker(lines.training, config.network, config.line_image, 2**20)
    learner = Learner(config, lines.alphabet.size, Ranks(), lines.bigrams(12))
    batch, steps = maker.batch(range(4), None), 200
    for step in range(steps):
        learner.learn(batch, step, step / steps)
    with torch.no_grad():
        _, _, logits, lengths = learner.heads(batch.images, batch.widths)
    assert learner.bigrams is not None
    assert learner.bigrams.loss(logits, lengths, batch.classes, batch.counts) < 0.2
    assert learner.read(maker, range(4)).error_rate == 0
    assert {id(p) for p in learner.bigrams.parameters()} <= {
        id(p) for group in learner.optimizer.param_groups for p in group["params"]
    }


def test_the_head_leaves_the_network_that_chance_makes_and_its_first_loss_as_they_are() -> None:
    lines = gather(samples(4, 1), settings(), None)
    maker = BatchMaker(lines.training, SMALL, settings().line_image, 2**20)
    plain = Learner(settings(), lines.alphabet.size, Ranks())
    both = Learner(settings(**WITH), lines.alphabet.size, Ranks(), lines.bigrams(12))
    for name, value in plain.network.state_dict().items():
        assert torch.equal(value, both.network.state_dict()[name]), name
    torch.manual_seed(1)
    alone = plain.loss(maker.batch(range(4), None)).item()
    torch.manual_seed(1)
    batch = maker.batch(range(4), None)
    together = both.loss(batch).item()
    torch.manual_seed(1)
    _, _, logits, lengths = both.heads(batch.images, batch.widths)
    aside = both.bigrams.loss(logits, lengths, batch.classes, batch.counts).item()
    assert together == pytest.approx(alone + 0.5 * aside, rel=1e-5)


def test_a_run_goes_on_with_its_bigrams_and_its_bundle_is_like_any_other(tmp_path: Path) -> None:
    plain = train(samples(6), tmp_path / "plain", settings(epochs=1))
    bundle = train(samples(6), tmp_path / "bundle", settings(epochs=1, **WITH))
    assert bundle.weights.keys() == plain.weights.keys()
    train(samples(6), tmp_path / "again", settings(epochs=1, **WITH), start=plain.path)
    train(samples(6), tmp_path / "without", settings(epochs=1), start=bundle.path)
    checkpoint = torch.load(tmp_path / "bundle.run" / "checkpoint.pt", weights_only=True)
    lines = gather(samples(6), settings(), None)
    resumed = Learner(settings(**WITH), lines.alphabet.size, Ranks(), lines.bigrams(12))
    resumed.load(checkpoint)
    assert resumed.bigrams is not None
    assert torch.equal(resumed.bigrams.linear.weight, checkpoint["bigrams"]["linear.weight"])
    train(samples(6), tmp_path / "bundle", settings(epochs=2, **WITH), resume=True)
    with pytest.raises(TrainingError, match="another bigrams"):
        train(samples(6), tmp_path / "bundle", settings(epochs=3), resume=True)
    assert load_bundle(tmp_path / "bundle").weights.keys() == plain.weights.keys()


def test_drawn_lines_do_not_choose_the_bigrams_and_there_is_at_least_one() -> None:
    real, drawn = samples(4, 1), [replace(s, id=f"more/{s.id}") for s in samples(8, 0, ("aaaa",))]
    lines = gather(real, settings(), None, drawn)
    texts = [line.classes for line in lines.training[:4]]
    assert set(lines.bigrams(999)) == {pair for text in texts for pair in pairwise(text)}
    with pytest.raises(ConfigError, match="bigrams are at least 1"):
        from_dict(TrainConfig, {"bigrams": 0})
