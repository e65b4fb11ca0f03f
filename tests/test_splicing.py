"""Real lines put together anew: cut between words, the right text, the same again for the same seed."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TEXTS, DrawnLine, draw_line
from drawn_samples import SMALL, Stored, sample, settings
from numpy.typing import NDArray
from written_lines import png

from uncial.alphabet import Alphabet
from uncial.augment import AugmentConfig
from uncial.bundle import Bundle
from uncial.errors import ConfigError, TrainingError
from uncial.lineimage import LineImageConfig, ink
from uncial.nn.batches import BatchMaker, TrainingLine
from uncial.nn.parallel import Ranks
from uncial.splice import Gap, Splice, dark_pixels, middle_of_gap, spliced_image
from uncial.splicing import Splices, find_gaps, find_gaps_once, gaps_file
from uncial.train import train
from uncial.training_lines import gather

AS_THEY_ARE = AugmentConfig(strength=0)


@pytest.fixture(scope="module")
def maker(tiny_bundle: Bundle) -> BatchMaker:
    """The four memorised lines, all of one page, as the bundle reads them."""
    samples = [replace(sample(n, text, data=png(draw_line(text).image)), page="1") for n, text in enumerate(TEXTS)]
    config = settings(network=tiny_bundle.architecture, line_image=tiny_bundle.line_image)
    lines = gather([*samples, sample(9, TEXTS[0], "val")], config, tiny_bundle.alphabet)
    return BatchMaker(lines.training, config.network, config.line_image, 2**24)


@pytest.fixture(scope="module")
def gaps(maker: BatchMaker, tiny_bundle: Bundle) -> dict[str, tuple[Gap, ...]]:
    return dict(find_gaps(maker, range(4), tiny_bundle.alphabet, tiny_bundle))


def middles(line: DrawnLine) -> NDArray[np.float64]:
    return np.array(line.middles) + LineImageConfig().margin


def test_lines_are_cut_between_the_words_where_there_is_no_ink(
    maker: BatchMaker, gaps: dict[str, tuple[Gap, ...]], drawn_lines: Sequence[DrawnLine]
) -> None:
    assert sum(len(found) for found in gaps.values()) >= 4
    for number, line in enumerate(drawn_lines):
        dark = dark_pixels(maker.line_image(number))
        for gap in gaps[f"drawn/{number}"]:
            assert line.text[gap.place] == " "
            assert middles(line)[gap.place - 1] < gap.column < middles(line)[gap.place + 1]
            assert not dark[gap.column - 1 : gap.column + 1].any()


def test_gaps_are_found_in_lines_made_another_way_than_the_guide_reads_them(
    maker: BatchMaker, gaps: dict[str, tuple[Gap, ...]], tiny_bundle: Bundle
) -> None:
    wider = LineImageConfig(height=32, margin=5, stretch=1.5)
    other = BatchMaker(maker.lines, replace(maker.network, height=32), wider, 2**24)
    alphabet = Alphabet((*reversed(tiny_bundle.alphabet.graphemes), "z"))
    lines = [replace(line, classes=tuple(alphabet.encode(line.sample.text))) for line in maker.lines]
    other.lines = lines
    found = dict(find_gaps(other, range(4), alphabet, tiny_bundle))
    assert found.keys() == gaps.keys()
    for name, some in found.items():
        assert [gap.place for gap in some] == [gap.place for gap in gaps[name]]
        expected = [(gap.column - 16) * 0.75 + 5 for gap in gaps[name]]
        np.testing.assert_allclose([gap.column for gap in some], expected, atol=3)


def test_a_line_that_the_guide_cannot_spell_or_is_not_sure_of_has_no_gaps(
    maker: BatchMaker, tiny_bundle: Bundle
) -> None:
    alphabet = tiny_bundle.alphabet.extended("z")
    line = maker.lines[0]
    unknown = replace(line, classes=(*line.classes, alphabet.encode("z")[0]))
    wrong = replace(line, classes=tuple(tiny_bundle.alphabet.encode("no news")))
    other = BatchMaker([unknown, wrong], maker.network, maker.image, 0)
    assert dict(find_gaps(other, range(2), alphabet, tiny_bundle)) == {}


def test_the_middle_of_the_widest_gap_is_taken_and_a_narrow_one_is_none() -> None:
    dark = np.array([2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 1, 0, 0, 1])
    assert middle_of_gap(dark, 0, 14) == 7
    assert middle_of_gap(dark, 0, 6) == 2
    assert middle_of_gap(dark, 10, 14) is None
    assert middle_of_gap(dark, 4, 5) is None


def test_what_is_put_together_holds_the_words_and_their_ink(tiny_bundle: Bundle, maker: BatchMaker) -> None:
    """A network that knows both lines reads the words of the one and then those of the other."""
    left, right = Gap(4, 16 + int(draw_line("Dear").image.shape[1])), Gap(5, 16 + draw_line("1 May").image.shape[1])
    splice = Splice(2, left, right)
    image = spliced_image(maker.line_image(0), maker.line_image(2), splice)
    line = maker.lines[0].spliced(maker.lines[2], splice)
    assert image.shape == (64, line.width)
    assert tiny_bundle.alphabet.decode(line.classes) == "Dear 1862"
    np.testing.assert_array_equal(image[:, : left.column], maker.line_image(0)[:, : left.column])
    assert ink(image).sum() == pytest.approx(
        ink(maker.line_image(0))[:, : left.column].sum() + ink(maker.line_image(2))[:, right.column :].sum(), rel=0.02
    )


def test_paper_ink_and_height_of_the_right_part_become_those_of_the_left() -> None:
    line = draw_line("no news").image
    gray, pale = (200 - (255 - line) * 0.7).astype(np.uint8), (160 - (255 - line) * 0.3).astype(np.uint8)
    pale = np.vstack((np.full((6, line.shape[1]), 160, np.uint8), pale[:-6]))
    splice = Splice(0, Gap(2, 40), Gap(2, 40))
    new = spliced_image(gray, pale, splice).astype(int)
    np.testing.assert_allclose(new[:58], gray[:58], atol=3)
    assert (new[58:, 40:] == 255).all()


def spread_lines(count: int, page: str) -> list[TrainingLine]:
    texts = [tuple(text) for text in np.random.default_rng(count).integers(1, 9, (count, 8)).tolist()]
    samples = [replace(sample(n, "x", data=b""), id=f"{page}/{n}", page=page) for n in range(count)]
    return [TrainingLine(s, text, 200 + 10 * n) for n, (s, text) in enumerate(zip(samples, texts, strict=True))]


def spread_gaps(lines: Sequence[TrainingLine]) -> dict[str, tuple[Gap, ...]]:
    return {line.sample.id: (Gap(2, 60), Gap(5, line.width - 70)) for line in lines}


def test_a_line_is_put_together_with_one_of_its_page_as_often_as_the_share_says() -> None:
    lines = [*spread_lines(30, "a"), *spread_lines(30, "b"), *spread_lines(3, "few")]
    splices = Splices(lines, spread_gaps(lines), 0.3, SMALL)
    chosen = [(index, splices(index, (1, epoch))) for index in range(63) for epoch in range(40)]
    assert chosen == [(index, splices(index, (1, epoch))) for index in range(63) for epoch in range(40)]
    done = [(index, splice) for index, splice in chosen if splice]
    assert len(done) == pytest.approx(0.3 * len(chosen), rel=0.1)
    assert all(index // 30 == splice.other // 30 for index, splice in done if index < 60)
    assert {splice.other // 30 for index, splice in done if index >= 60} == {0, 1, 2}  # a page of three is too small
    assert all(index != splice.other for index, splice in done)
    new = [lines[index].spliced(lines[splice.other], splice) for index, splice in done]
    longer = [line.width / lines[index].width for (index, _), line in zip(done, new, strict=True)]
    assert 0.9 < float(np.mean(longer)) < 1.1
    assert len({line.classes for line in new} - {line.classes for line in lines}) > 20


def test_lines_without_gaps_or_partners_or_room_for_the_text_stay_as_they_are() -> None:
    lines = spread_lines(8, "a")
    some = dict(list(spread_gaps(lines).items())[:1])
    assert not any(Splices(lines, some, 0.99, SMALL)(index, (1, 0)) for index in range(8))
    coarse = replace(SMALL, strides_across=(8, 8))
    assert not any(Splices(lines, spread_gaps(lines), 0.99, coarse)(index, (1, 0)) for index in range(8))
    assert any(Splices(lines, spread_gaps(lines), 0.99, SMALL)(index, (1, 0)) for index in range(8))


def test_a_batch_holds_what_was_planned_and_the_same_again(
    maker: BatchMaker, gaps: dict[str, tuple[Gap, ...]], tiny_bundle: Bundle
) -> None:
    plain = maker.batch(range(4), AS_THEY_ARE, (1, 0))
    spliced = BatchMaker(maker.lines, maker.network, maker.image, 2**24)
    spliced.splices = Splices(maker.lines, gaps, 0.99, maker.network)
    for variation in (AS_THEY_ARE, AugmentConfig(chance=0.9)):
        first, again = (spliced.batch(range(4), variation, (1, 0)) for _ in range(2))
        assert first.widths.tolist() == spliced.widths(variation, (1, 0))
        assert torch.equal(first.images, again.images)
        texts = [tiny_bundle.alphabet.decode(t.tolist()) for t in first.classes.split(first.counts.tolist())]
        assert set(texts) != set(TEXTS)
        words = {word for text in TEXTS for word in text.split()}
        assert all(word in words for text in texts for word in text.split())
    unvaried = spliced.batch(range(4), None)
    assert torch.equal(unvaried.classes, plain.classes)
    assert torch.equal(unvaried.images, plain.images)


def test_processes_share_the_search_and_what_was_found_is_believed(
    maker: BatchMaker, gaps: dict[str, tuple[Gap, ...]], tiny_bundle: Bundle, tmp_path: Path
) -> None:
    class Two(Ranks):
        def meet(self) -> None:
            """Alone, there is nobody to wait for."""

    common = (maker, range(4), tiny_bundle.alphabet, tiny_bundle, tmp_path)
    gaps_file(tmp_path, 1).write_text("", encoding="utf-8")
    half = find_gaps_once(*common, Two(0, 2), anew=False)
    assert half.keys() == {"drawn/0", "drawn/2"} & gaps.keys()
    gaps_file(tmp_path, 1).unlink()
    assert find_gaps_once(*common, Two(1, 2), anew=False) == gaps
    gaps_file(tmp_path, 0).write_text('["a name\\nof two lines", "2:50 4:90"]\n', encoding="utf-8")
    assert find_gaps_once(*common, Ranks(), anew=False) == {"a name\nof two lines": (Gap(2, 50), Gap(4, 90))}
    assert find_gaps_once(*common, Ranks(), anew=True) == gaps


def test_a_training_splices_its_lines_and_says_so(tiny_bundle: Bundle, tmp_path: Path) -> None:
    lines = [sample(n, TEXTS[n % 4], data=png(draw_line(TEXTS[n % 4]).image)) for n in range(8)]
    lines.append(sample(9, TEXTS[0], "val"))
    config = settings(network=tiny_bundle.architecture, line_image=tiny_bundle.line_image, epochs=1, splice_share=0.5)
    heard: list[str] = []
    out = tmp_path / "bundle"
    train(lines, out, config, start=tiny_bundle.path, watch=lambda progress: heard.append(progress.note))
    assert any("lines have word gaps to cut at; 50%" in note for note in heard)
    assert gaps_file(tmp_path / "bundle.run", 0).read_text(encoding="utf-8").startswith('["drawn/')
    with pytest.raises(TrainingError, match="another splice_share"):
        train(lines, out, replace(config, splice_share=0.0), start=tiny_bundle.path, resume=True)


def test_without_a_bundle_that_finds_gaps_it_is_told_before_anything_is_read(tmp_path: Path) -> None:
    unread = [replace(sample(1, "a"), source=Stored(b"no image"))]
    with pytest.raises(ConfigError, match="splice_share: a bundle has to find word gaps.*--from or --teacher"):
        train(unread, tmp_path / "bundle", settings(splice_share=0.5))
