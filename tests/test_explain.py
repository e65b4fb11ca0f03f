"""What explains a reading: numbers that are the network's own, and hiding that does what it says."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from conftest import DrawnLine
from test_every_network_part import ALPHABET, MIXES, name

from uncial.alphabet import Alphabet
from uncial.architecture import CRNNConfig
from uncial.bundle import Bundle
from uncial.document import GraphemeSpan, Transcript
from uncial.explain import explain, letter_places
from uncial.explanation import ConvolutionLayer, Explanation
from uncial.lineimage import ink, line_image
from uncial.nn.crnn import CRNN
from uncial.nn.hiding import HiddenParts, Place
from uncial.nn.tracing import trace
from uncial.recognizer import Recognizer


@pytest.fixture(scope="module")
def explanation(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> Explanation:
    return explain(tiny_bundle, drawn_lines[2].image)


@pytest.fixture(params=MIXES, ids=name)
def network(request: pytest.FixtureRequest) -> CRNN:
    torch.manual_seed(3)
    return CRNN(request.param, ALPHABET.size).eval().requires_grad_(False)


def field_of(layer: ConvolutionLayer, row: int, column: int) -> tuple[slice, slice]:
    """The rows and columns of the picture that a value sees."""
    starts = [s + at * step for s, at, step in zip(layer.field.start, (row, column), layer.field.step, strict=True)]
    return tuple(slice(max(0, s), max(0, s + size)) for s, size in zip(starts, layer.field.size, strict=True))


def test_an_explanation_reads_what_the_recognizer_reads(
    explanation: Explanation, tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    transcript = Recognizer.load(tiny_bundle.path).read_line(drawn_lines[2].image)
    assert explanation.transcript.text == explanation.best_path == transcript.text == drawn_lines[2].text
    assert [letter.span.grapheme for letter in explanation.letters] == list(transcript.text)
    for letter, span in zip(explanation.letters, transcript.spans, strict=True):
        assert letter.span.posterior == pytest.approx(span.posterior, abs=1e-4)
        assert letter.readings.both[0] == pytest.approx((span.grapheme, span.posterior), abs=1e-4)


def test_a_first_layer_s_map_is_the_sum_of_products_that_the_page_shows(explanation: Explanation) -> None:
    layer = explanation.layers[0]
    shades = np.pad(explanation.ink[explanation.image], [(p, p) for p in layer.padding])
    for n, row, column in ((0, 0, 0), (3, 5, 7), (7, 15, 20)):
        top, left = row * layer.stride[0], column * layer.stride[1]
        under = shades[top : top + layer.kernel[0], left : left + layer.kernel[1]]
        answer = (under * layer.weights[n, 0]).sum() * layer.scale[n] + layer.shift[n]
        assert layer.maps[n, row, column] == pytest.approx(max(answer, 0), abs=1e-4)


def test_every_value_depends_on_its_receptive_field_and_on_nothing_else(network: CRNN) -> None:
    torch.manual_seed(4)
    picture = torch.rand(1, 1, network.config.height, 48)
    before = trace(network, picture).layers
    for number, layer in enumerate(before):
        row, column = layer.maps.shape[1] // 2, layer.maps.shape[2] // 2
        inside = field_of(layer, row, column)
        elsewhere, within = torch.rand_like(picture), picture.clone()
        elsewhere[0, 0][inside] = picture[0, 0][inside]
        within[0, 0][inside] = torch.rand_like(picture)[0, 0][inside]
        values = [maps_of(network, p, number)[:, row, column] for p in (picture, elsewhere, within)]
        torch.testing.assert_close(values[1], values[0])
        assert not torch.allclose(values[2], values[0])


def maps_of(network: CRNN, picture: torch.Tensor, number: int) -> torch.Tensor:
    """(C, H, W) every filter's raw sums of one convolution, in the order they ran, by a hook."""
    found: list[torch.Tensor] = []
    convolutions = [m for m in network.backbone.modules() if isinstance(m, torch.nn.Conv2d)]
    hooks = [m.register_forward_hook(lambda _m, _i, out: found.append(out[0])) for m in convolutions]
    network.slices(picture, torch.tensor([picture.shape[3]]))
    for hook in hooks:
        hook.remove()
    return found[number]


def test_every_mix_of_parts_can_be_watched_and_hidden_from(network: CRNN) -> None:
    picture = torch.rand(1, 1, network.config.height, 41)
    seen = trace(network, picture)
    logits, _ = network(picture, torch.tensor([41]))
    torch.testing.assert_close(seen.logits, logits)
    ways = (
        0
        if network.config.recurrent == "none"
        else (network.config.recurrent_layers + network.config.added_layers)
        * (2 if network.config.bidirectional else 1)
    )
    assert len(seen.memory) == ways
    change, _ = HiddenParts(network, picture, seen.features, seen.slices.field).reach()
    assert change.shape[1] == seen.features.shape[1]
    assert float(change.max()) <= 1


def test_the_gates_share_that_is_kept_agrees_with_the_cell_run_step_by_step() -> None:
    torch.manual_seed(2)
    network = CRNN(CRNNConfig(recurrent="gru", recurrent_layers=1, recurrent_size=5), 4).eval().requires_grad_(False)
    seen = trace(network, torch.rand(1, 1, 64, 40))
    onward = seen.memory[0]
    cell = network.recurrent.layers[0].onward
    state, x = torch.zeros(5), seen.features[0]
    for s in range(len(x)):
        own, past = cell.weight_ih_l0 @ x[s] + cell.bias_ih_l0, cell.weight_hh_l0 @ state + cell.bias_hh_l0
        kept = torch.sigmoid(own + past)[5:10]
        assert onward.kept is not None
        assert onward.kept[s] == pytest.approx(float(kept.mean()), abs=1e-5)
        state = torch.from_numpy(onward.states[s])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_what_an_sru_keeps_agrees_with_its_states_run_step_by_step(bidirectional: bool) -> None:
    torch.manual_seed(2)
    parts = CRNNConfig(recurrent="sru", recurrent_layers=1, recurrent_size=5, bidirectional=bidirectional)
    network = CRNN(parts, 4).eval().requires_grad_(False)
    seen = trace(network, torch.rand(1, 1, 64, 40))
    layer, x = network.recurrent.layers[0], seen.features[0]
    for way, direction in enumerate(seen.memory):
        of_way = [slice(n * layer.outputs + 5 * way, n * layer.outputs + 5 * way + 5) for n in range(3)]
        keep, choose, candidate = (x @ layer.gates.weight[rows].T + layer.gates.bias[rows] for rows in of_way)
        given = x @ layer.skip.weight[5 * way : 5 * way + 5].T
        state = torch.zeros(5)
        for s in reversed(range(len(x))) if direction.backward else range(len(x)):
            share, mixed = keep[s].sigmoid(), choose[s].sigmoid()
            state = share * state + (1 - share) * candidate[s]
            assert direction.kept is not None
            assert direction.kept[s] == pytest.approx(float(share.mean()), abs=1e-5)
            np.testing.assert_allclose(direction.states[s], mixed * state + (1 - mixed) * given[s], atol=1e-5)


def test_what_is_left_of_a_letter_is_all_that_its_left_reading_knows(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    whole = drawn_lines[2].image
    shorter = whole.copy()
    shorter[:, whole.shape[1] // 2 + 40 :] = 255  # everything right of the second half's first letters
    first, cut = explain(tiny_bundle, whole).letters[0], explain(tiny_bundle, shorter).letters[0]
    assert first.span.grapheme == cut.span.grapheme
    assert dict(first.readings.left) == pytest.approx(dict(cut.readings.left), abs=1e-3)


def test_a_network_without_a_shortcut_reads_a_letter_alone_with_the_rest_hidden(
    tiny_bundle: Bundle, resaved, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    weights = {key: value for key, value in tiny_bundle.weights.items() if not key.startswith("shortcut")}
    bundle = resaved(tiny_bundle, architecture=replace(tiny_bundle.architecture, shortcut=False), weights=weights)
    letters = explain(bundle, drawn_lines[0].image).letters
    assert all(letter.readings.alone for letter in letters)


def test_hiding_the_pixels_that_the_saliency_names_costs_a_letter_far_more_than_hiding_others(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    letters = [letter for line in drawn_lines for letter in explain(tiny_bundle, line.image).letters]
    inked = [letter for letter in letters if letter.span.grapheme != " "]
    named = np.median([letter.saliency.posterior for letter in inked])
    others = np.median([letter.saliency.posterior_random for letter in inked])
    assert named < others - 0.2


def test_hiding_nothing_changes_nothing(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...]) -> None:
    from uncial.explain import letter_places
    from uncial.runtime import torch_network

    network = torch_network(tiny_bundle).requires_grad_(False)
    image = line_image(drawn_lines[0].image, tiny_bundle.line_image)
    picture = torch.from_numpy(ink(image))[None, None]
    seen = trace(network, picture)
    posteriors = seen.logits[0].softmax(1).numpy()
    places = letter_places(tiny_bundle, Recognizer.load(tiny_bundle.path).read_line(drawn_lines[0].image), posteriors)
    hidden = HiddenParts(network, picture, seen.features, seen.slices.field)
    lefts, width = hidden.windows(places)
    nothing = torch.zeros(len(places), picture.shape[2], width, dtype=torch.bool)
    expected = [posteriors[p.start : p.end, p.class_].max() for p in places]
    np.testing.assert_allclose(hidden.without_pixels(places, nothing).numpy(), expected, atol=1e-5)
    assert all(0 <= left <= picture.shape[3] - width for left in lefts)


def test_slices_read_anew_are_those_of_the_whole_line_wherever_they_are_cut_out(network: CRNN) -> None:
    torch.manual_seed(6)
    picture = torch.rand(1, 1, network.config.height, 330)
    seen = trace(network, picture)
    hidden = HiddenParts(network, picture, seen.features, seen.slices.field)
    steps = seen.logits.shape[1]
    places = [
        Place(class_=1, peak=peak, start=peak, end=peak + 1, first=0, last=1) for peak in (0, steps // 2, steps - 1)
    ]
    _, width = hidden.windows(places)
    nothing = torch.zeros(len(places), picture.shape[2], width, dtype=torch.bool)
    expected = seen.logits[0].softmax(1)[[place.peak for place in places], 1]
    for _, crop in hidden._crops(places):
        features, _ = hidden._spliced(crop.pixels, crop)
        torch.testing.assert_close(features, seen.features.expand_as(features), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(hidden.without_pixels(places, nothing), expected, atol=1e-5, rtol=1e-4)


def test_letters_lie_in_their_boxes_also_in_a_stretched_line(
    tiny_bundle: Bundle, resaved, drawn_lines: tuple[DrawnLine, ...]
) -> None:
    line, stretch = drawn_lines[2], 1.25
    height, width = line.image.shape
    narrow = cv2.resize(line.image, (round(width / stretch), height), interpolation=cv2.INTER_AREA)
    wider = replace(tiny_bundle.line_image, stretch=stretch)
    made = explain(resaved(tiny_bundle, line_image=wider), narrow)
    assert made.transcript.text == line.text
    assert made.image.shape == (height, round(narrow.shape[1] * stretch) + 2 * wider.margin)
    boxes = [(letter.left - wider.margin, letter.right - wider.margin) for letter in made.letters]
    assert all(left <= middle <= right for (left, right), middle in zip(boxes, line.middles, strict=True))
    for letter in made.letters:  # the transcript's pixels are those of the narrow image
        middle = (letter.span.left + letter.span.right) / 2
        assert letter.left <= middle * stretch + wider.margin <= letter.right


def test_a_beam_without_language_model_is_told_beside_the_best_path(explanation: Explanation) -> None:
    assert explanation.beam == explanation.best_path


def test_an_explanation_s_json_holds_its_numbers(explanation: Explanation) -> None:
    plain = json.loads(json.dumps(explanation.to_dict()))
    assert plain["transcript"]["text"] == explanation.transcript.text
    np.testing.assert_allclose(plain["posteriors"], explanation.posteriors, atol=1e-3)
    assert plain["letters"][0]["readings"]["changes"] in {True, False}


def test_a_line_without_writing_is_explained_too(tiny_bundle: Bundle) -> None:
    empty = explain(tiny_bundle, np.full((64, 120), 255, np.uint8))
    assert empty.transcript.text == ""
    assert empty.letters == ()


def test_a_letter_that_its_text_does_not_keep_has_its_place(tiny_bundle: Bundle) -> None:
    odd = replace(tiny_bundle, alphabet=Alphabet(("a", " \u0303")))  # `normalise` takes the space away
    spans = tuple(GraphemeSpan(g, n, n + 1, 0.9, (), n, n + 1.0) for n, g in enumerate(("a", " \u0303", "a")))
    transcript = Transcript("a \u0303a", 0.9, spans)
    places = letter_places(odd, transcript, np.full((3, 3), 1 / 3, np.float32))
    assert [place.class_ for place in places] == [1, 2, 1]
