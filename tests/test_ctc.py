"""CTC against enumeration: on tiny lines every alignment is looked at."""

from itertools import groupby, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from uncial.alphabet import BLANK
from uncial.decoders import best_path, steps_needed
from uncial.nn.ctc import ctc_loss


def spelled(path: tuple[int, ...]) -> tuple[int, ...]:
    """What an alignment spells: repeats merged, blanks dropped."""
    return tuple(c for c, _ in groupby(path) if c != BLANK)


def likelihoods(logits: torch.Tensor) -> dict[tuple[int, ...], float]:
    """The probability of every text that (T, C) logits can spell, as the sum over all its alignments."""
    posteriors = logits.double().softmax(dim=1).numpy()
    steps, classes = posteriors.shape
    texts: dict[tuple[int, ...], float] = {}
    for path in product(range(classes), repeat=steps):
        texts[spelled(path)] = texts.get(spelled(path), 0.0) + float(np.prod(posteriors[range(steps), path]))
    return texts


def loss_of(logits: torch.Tensor, text: tuple[int, ...]) -> float:
    """The loss of one line with (T, C) logits."""
    lengths, counts = torch.tensor([len(logits)]), torch.tensor([len(text)])
    return ctc_loss(logits[None], lengths, torch.tensor(text, dtype=torch.long), counts).item()


@pytest.mark.parametrize(("steps", "classes"), [(1, 2), (2, 3), (3, 4), (4, 3), (5, 3)])
def test_the_loss_is_the_sum_over_all_alignments(steps: int, classes: int) -> None:
    logits = 2 * torch.randn(steps, classes, generator=torch.Generator().manual_seed(steps))
    found = likelihoods(logits)
    assert sum(found.values()) == pytest.approx(1)
    for text, likelihood in found.items():
        assert loss_of(logits, text) == pytest.approx(-np.log(likelihood), abs=1e-5), text


def test_the_loss_of_a_padded_batch_is_that_of_its_lines_and_that_of_pytorch() -> None:
    chance = torch.Generator().manual_seed(1)
    logits = torch.randn(3, 9, 5, generator=chance)
    lengths, counts = torch.tensor([9, 4, 6]), torch.tensor([4, 2, 1])
    texts = ((1, 1, 4, 2), (3, 3), (2,))
    losses = ctc_loss(logits, lengths, torch.tensor([c for text in texts for c in text]), counts)
    for line, length, text, loss in zip(logits, lengths, texts, losses, strict=True):
        assert loss_of(line[:length], text) == pytest.approx(loss.item(), abs=1e-5)
    padded = torch.tensor([[1, 1, 4, 2], [3, 3, 0, 0], [2, 0, 0, 0]])
    log_probs = logits.log_softmax(2).transpose(0, 1)
    torch.testing.assert_close(losses, functional.ctc_loss(log_probs, padded, lengths, counts, reduction="none"))


def test_the_loss_is_computed_in_full_precision() -> None:
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(2)).bfloat16()
    assert loss_of(logits, (1, 2)) == pytest.approx(loss_of(logits.float(), (1, 2)), abs=1e-6)


@pytest.mark.parametrize(("steps", "text"), [(2, (1, 1)), (2, (1, 2, 1)), (4, (2, 2, 2)), (1, (1, 2))])
def test_a_text_too_long_for_its_steps_has_an_infinite_loss(steps: int, text: tuple[int, ...]) -> None:
    assert steps_needed(text) > steps
    assert loss_of(torch.zeros(steps, 3), text) == float("inf")
    assert loss_of(torch.zeros(steps_needed(text), 3), text) < float("inf")


@pytest.mark.parametrize("text", [t for n in range(4) for t in product((1, 2), repeat=n)])
def test_the_steps_a_text_needs_are_those_of_its_shortest_alignment(text: tuple[int, ...]) -> None:
    shortest = next(n for n in range(6) if any(spelled(path) == text for path in product(range(3), repeat=n)))
    assert steps_needed(text) == shortest


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_the_best_path_spells_what_the_likeliest_alignment_spells(steps: int, seed: int) -> None:
    logits = np.random.default_rng(seed).normal(size=(steps, 3))
    likeliest = max(product(range(3), repeat=steps), key=lambda path: logits[range(steps), path].sum())
    assert tuple(span.class_ for span in best_path(logits)) == spelled(likeliest)
