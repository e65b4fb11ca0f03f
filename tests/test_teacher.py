"""A teacher tells which letters the ink might be, whatever its and the student's slices, images and alphabets are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TEXTS, DrawnLine, draw_line
from drawn_samples import sample, settings
from torch.nn import functional
from written_lines import png

from uncial.alphabet import Alphabet
from uncial.bundle import Bundle, load_bundle
from uncial.errors import TrainingError
from uncial.lineimage import LineImageConfig
from uncial.nn.batches import Batch, BatchMaker
from uncial.nn.crnn import CRNN
from uncial.nn.learner import Learner
from uncial.nn.parallel import Ranks
from uncial.nn.teacher import Lesson, Teacher, letter_posteriors
from uncial.runtime import torch_network
from uncial.train import train
from uncial.training_lines import gather

ANY_OTHER = Alphabet((*"zxq", *sorted(set("".join(TEXTS)), reverse=True)))
TALLER = LineImageConfig(height=128, margin=32, stretch=1.25)
LOWER = LineImageConfig(height=32, margin=8, stretch=1.25)
SAMPLES = [sample(n, TEXTS[n % 4], "val" if n > 7 else "train", png(draw_line(TEXTS[n % 4]).image)) for n in range(10)]


def maker(bundle: Bundle, image: LineImageConfig, alphabet: Alphabet) -> BatchMaker:
    """The memorised lines, twice, for a student with this preprocessing and alphabet."""
    config = settings(network=replace(bundle.architecture, height=image.height), line_image=image)
    lines = gather(SAMPLES, config, alphabet)
    return BatchMaker(lines.training, config.network, config.line_image, 2**24)


def lesson_of(bundle: Bundle, image: LineImageConfig, alphabet: Alphabet) -> tuple[Lesson, Batch]:
    batch = maker(bundle, image, alphabet).batch(range(4), None)
    teacher = Teacher(torch_network(bundle), bundle.alphabet, bundle.line_image, alphabet, image)
    return teacher(batch), batch


@pytest.mark.parametrize("image", [LineImageConfig(), TALLER], ids=["same", "taller"])
@pytest.mark.parametrize("other", [False, True], ids=["same alphabet", "other alphabet"])
def test_it_tells_each_letter_of_the_text_and_where_its_ink_is(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], image: LineImageConfig, other: bool
) -> None:
    alphabet = ANY_OTHER if other else tiny_bundle.alphabet
    lesson, batch = lesson_of(tiny_bundle, image, alphabet)
    assert lesson.posteriors.shape == (4, max(len(text) for text in TEXTS), alphabet.size - 1)
    torch.testing.assert_close(lesson.posteriors.sum(2), torch.ones(lesson.posteriors.shape[:2]))
    scale = image.height * image.stretch / 64
    for line, bounds, posteriors, width in zip(
        drawn_lines, lesson.bounds, lesson.posteriors, batch.widths, strict=True
    ):
        length = len(line.text)
        read = alphabet.decode((posteriors[:length].argmax(1) + 1).tolist())
        assert sum(a == b for a, b in zip(read, line.text, strict=True)) >= 0.8 * length, read
        middles = np.array(line.middles) * scale + image.margin
        inside = (bounds[:length].numpy() < middles) & (middles < bounds[1 : length + 1].numpy())
        assert inside.mean() > 0.8, line.text
        assert bounds[length:].unique().numel() == 1
        assert abs(float(bounds[-1]) - float(width)) < tiny_bundle.architecture.step_width * scale + 1
        assert not other or posteriors[:length, :3].max() < 0.01  # letters that the teacher does not know


def test_lines_that_it_cannot_spell_teach_nothing(tiny_bundle: Bundle) -> None:
    alphabet = tiny_bundle.alphabet.extended("z")
    batch = maker(tiny_bundle, LineImageConfig(), alphabet).batch(range(3), None)
    known = alphabet.encode("z")[0]
    first, too_long = int(batch.counts[0]), int(batch.counts[:2].sum())
    classes = batch.classes.clone()
    classes[0] = known
    batch = replace(
        batch,
        classes=torch.cat((classes[:too_long], torch.ones(500, dtype=torch.long))),
        counts=torch.tensor([*batch.counts[:2].tolist(), 500]),
    )
    image = LineImageConfig()
    lesson = Teacher(torch_network(tiny_bundle), tiny_bundle.alphabet, image, alphabet, image)(batch)
    assert [bool(row.any()) for row in lesson.bounds] == [False, True, False]
    logits = torch.randn(3, 60, alphabet.size, requires_grad=True)
    lesson.loss(logits, 4.0).backward()
    assert [bool(row.any()) for row in logits.grad] == [False, True, False]
    assert first


def test_nothing_to_learn_from_is_a_loss_of_zero() -> None:
    lesson = Lesson(torch.zeros(2, 4), torch.full((2, 3, 5), 0.2))
    logits = torch.randn(2, 7, 6, requires_grad=True)
    loss = lesson.loss(logits, 4.0)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_the_mean_over_the_ink_of_a_letter_counts_steps_in_part_and_no_blank() -> None:
    posteriors = torch.tensor([[[0.0, 0.0], [0.6, 0.0], [0.0, 0.2], [0.1, 0.0]]])
    bounds = torch.tensor([[0.0, 6.0, 16.0, 16.0]])
    found = letter_posteriors(posteriors, bounds, 4.0)[0]
    torch.testing.assert_close(found[0], torch.tensor([1.0, 0.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[1], torch.tensor([1.6, 0.8]) / 2.4, atol=1e-5, rtol=0)
    torch.testing.assert_close(found[2], torch.tensor([0.5, 0.5]))


def test_a_student_that_writes_the_same_letters_at_other_steps_has_nothing_to_learn_and_another_has() -> None:
    target = torch.tensor([[[0.9, 0.1, 0.0], [0.0, 0.2, 0.8]]])
    lesson = Lesson(torch.tensor([[0.0, 16.0, 32.0]]), target)
    for first, second in ((0, 4), (3, 7), (1, 5)):
        posteriors = torch.full((1, 8, 4), 1e-9)
        posteriors[0, :, 0] = 1
        posteriors[0, first, 1:] = target[0, 0] * 0.7 + 1e-9
        posteriors[0, second, 1:] = target[0, 1] * 0.4 + 1e-9
        assert lesson.loss(posteriors.log(), 4.0).item() < 1e-3
        assert lesson.loss(posteriors.flip(3 - 1).log(), 4.0).item() > 0.5
    # Half as many time steps, and half as long ones, say the same.
    torch.testing.assert_close(
        lesson.loss(posteriors.log().repeat_interleave(2, 1), 2.0), lesson.loss(posteriors.log(), 4.0)
    )


def test_a_student_learns_the_letters_from_its_teacher_without_ground_truth_of_its_own(tiny_bundle: Bundle) -> None:
    """The loss of the lesson alone makes it tell letters apart where their ink is."""
    image, alphabet = LOWER, ANY_OTHER
    lesson, batch = lesson_of(tiny_bundle, image, alphabet)
    torch.manual_seed(3)
    parts = replace(tiny_bundle.architecture, height=32, channels=(6, 8, 12), steps_per_slice=2, recurrent_size=16)
    student = CRNN(parts, alphabet.size)
    optimizer = torch.optim.AdamW(student.parameters(), lr=2e-2)
    losses = []
    for _ in range(60):
        logits, _ = student(batch.images, batch.widths)
        loss = lesson.loss(logits, parts.step_width)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 2
    assert losses[-1] < 0.5 * losses[0]
    assert functional.softmax(logits, 2)[..., 0].mean() < 1


def test_its_share_of_the_loss_is_its_weight_and_it_draws_no_chance(tiny_bundle: Bundle) -> None:
    lines = maker(tiny_bundle, LineImageConfig(), tiny_bundle.alphabet)
    batch = lines.batch(range(4), None)
    teacher = Teacher(
        torch_network(tiny_bundle), tiny_bundle.alphabet, LineImageConfig(), tiny_bundle.alphabet, LineImageConfig()
    )
    losses = {}
    for weight in (None, 0.5, 1.0):
        config = settings(network=lines.network, line_image=lines.image, teacher_weight=weight or 0.0)
        learner = Learner(config, tiny_bundle.alphabet.size, Ranks())
        learner.teacher = teacher if weight else None
        torch.manual_seed(5)
        losses[weight] = learner.loss(batch).item()
    assert losses[0.5] > losses[None]
    assert losses[1.0] - losses[None] == pytest.approx(2 * (losses[0.5] - losses[None]), rel=1e-3)


def test_a_training_with_a_teacher_says_so_and_goes_on_with_it_only(tiny_bundle: Bundle, tmp_path: Path) -> None:
    heard: list[str] = []
    config, out = settings(epochs=1), tmp_path / "bundle"
    train(SAMPLES, out, config, teacher=tiny_bundle.path, watch=lambda progress: heard.append(progress.note))
    count = len(tiny_bundle.alphabet.graphemes)
    assert f"the teacher knows {count} of {count} graphemes" in heard
    assert load_bundle(out).provenance["teacher"] == tiny_bundle.path.name
    with pytest.raises(TrainingError, match="another teacher"):
        train(SAMPLES, out, config, resume=True)
    train(SAMPLES, out, replace(config, epochs=2), teacher=tiny_bundle.path, resume=True)


def test_a_teacher_finds_word_gaps_where_there_is_no_bundle_to_begin_with(tiny_bundle: Bundle, tmp_path: Path) -> None:
    heard: list[str] = []
    config = settings(epochs=1, splice_share=0.5, teacher_weight=0.0)
    train(SAMPLES, tmp_path / "bundle", config, teacher=tiny_bundle.path, watch=lambda p: heard.append(p.note))
    assert any("lines have word gaps" in note for note in heard)
    assert not any("teacher" in note for note in heard)
