"""Why a line was read as it was: one reading with the network watched, and some more with parts of the line hidden.

It needs PyTorch, whose gradients tell which pixels carried a letter.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from uncial.bundle import Bundle
from uncial.decoders import BeamConfig, beam_search, best_path
from uncial.document import Transcript
from uncial.explanation import Explanation, Guess, Letter, Reach, Readings, Saliency
from uncial.image_file import Gray
from uncial.lineimage import ink, line_image
from uncial.recognizer import Recognizer
from uncial.runtime import Runtime, torch_network

if TYPE_CHECKING:
    from torch import Tensor

    from uncial.nn.hiding import HiddenParts, Place

GUESSES = 3  # graphemes told for each reading of a letter
HIDDEN_SHARE = 0.25  # of the pixels of ink around a letter: so many are painted over
INKED = 0.2  # from here on a pixel counts as ink
SEED = 6  # of the pixels drawn by lot


def explain(model: Recognizer | Bundle, gray: Gray) -> Explanation:
    """Read a line and tell why.

    Args:
        model: a bundle, which then reads the best path; or a recognizer, whose quality is explained. The
            network runs in PyTorch whatever the recognizer's own backend, so one of backend "torch" agrees best.
        gray: uint8 (H, W), dark ink on light paper.

    Raises:
        BundleError: the weights do not fit the network.
        ImageError: the image is too small or too long to be a line.
        MissingExtraError: PyTorch is not installed.
    """
    bundle = model if isinstance(model, Bundle) else model.bundle
    network = torch_network(bundle, "explaining a reading").requires_grad_(False)
    import torch

    from uncial.nn.hiding import HiddenParts
    from uncial.nn.tracing import trace

    recognizer = Recognizer(bundle, Runtime(bundle, "torch"), "fast") if isinstance(model, Bundle) else model
    transcript = recognizer.read_line(gray)
    image = line_image(gray, bundle.line_image)
    shades = ink(image)
    picture = torch.from_numpy(shades)[None, None]
    seen = trace(network, picture)
    hidden = HiddenParts(network, picture, seen.features, seen.slices.field)
    change, group = hidden.reach()
    posteriors = seen.logits[0].softmax(1).numpy()
    levels = np.zeros(256, np.float32)
    levels[image] = shades
    return Explanation(
        image=image,
        ink=levels,
        network=bundle.architecture,
        graphemes=bundle.alphabet.graphemes,
        transcript=transcript,
        best_path=bundle.alphabet.decode(span.class_ for span in best_path(posteriors)),
        beam=_beam(bundle, seen.logits[0].log_softmax(1).numpy()),
        posteriors=posteriors,
        layers=seen.layers,
        slices=seen.slices,
        memory=seen.memory,
        reach=Reach(change.numpy(), group),
        letters=_letters(bundle, transcript, posteriors, hidden) if transcript.spans else (),
    )


def _beam(bundle: Bundle, log_probs: NDArray[np.float32]) -> str:
    """What a beam search without language model reads in (T, C)."""
    [readings] = beam_search([log_probs], None, BeamConfig(weight=0, bonus=0))
    return bundle.alphabet.decode(readings[0].classes)


def _letters(
    bundle: Bundle, transcript: Transcript, posteriors: NDArray[np.float32], hidden: "HiddenParts"
) -> tuple[Letter, ...]:
    """Each grapheme of a transcript, read with parts of its line hidden."""
    places = letter_places(bundle, transcript, posteriors)
    step = bundle.architecture.step_width
    alone, left = hidden.alone(places).numpy(), hidden.left_only(places).numpy()
    pixels = _saliencies(places, hidden)
    return tuple(
        Letter(
            span=span,
            peak=place.peak,
            left=place.start * step,
            right=place.end * step,
            readings=Readings(*(_guesses(bundle, row) for row in (alone[n], left[n], posteriors[place.peak]))),
            saliency=pixels[n],
        )
        for n, (span, place) in enumerate(zip(transcript.spans, places, strict=True))
    )


def letter_places(bundle: Bundle, transcript: Transcript, posteriors: NDArray[np.float32]) -> "list[Place]":
    """Where each grapheme of a transcript was read.

    Args:
        bundle: that read it.
        transcript: with spans.
        posteriors: (T, C) of the line.
    """
    from uncial.nn.hiding import Place

    per_slice = bundle.architecture.steps_per_slice
    spans = transcript.spans
    classes = [bundle.alphabet.graphemes.index(span.grapheme) + 1 for span in spans]  # the text is normalised
    peaks = [s.start + int(posteriors[s.start : s.end, c].argmax()) for s, c in zip(spans, classes, strict=True)]
    before = [0, *((a + b + 1) // 2 for a, b in zip(peaks, peaks[1:], strict=False))]
    behind = [*before[1:], len(posteriors)]
    return [
        Place(
            class_=class_,
            peak=peak,
            start=min(peak, max(first, span.start - per_slice)),
            end=max(peak + 1, min(last, span.end + per_slice)),
            first=span.start // per_slice,
            last=-(-span.end // per_slice),
        )
        for class_, span, peak, first, last in zip(classes, spans, peaks, before, behind, strict=True)
    ]


def _saliencies(places: "list[Place]", hidden: "HiddenParts") -> list[Saliency]:
    """Which pixels carried each letter, and what becomes of it without them."""
    lefts, weights = hidden.pixel_weights(places)
    strongest, drawn = pixels_to_hide(hidden, places, weights)
    without = hidden.without_pixels(places, strongest).tolist()
    without_random = hidden.without_pixels(places, drawn).tolist()
    counts = strongest.flatten(1).sum(1).tolist()
    rows = zip(lefts, weights.numpy(), counts, without, without_random, strict=True)
    return [Saliency(*row) for row in rows]


def pixels_to_hide(hidden: "HiddenParts", places: "list[Place]", weights: "Tensor") -> "tuple[Tensor, Tensor]":
    """For each letter the pixels of the greatest weights, and as many pixels of ink drawn by lot.

    Both come from the letter's window, so those drawn by lot are ink of the letter and its neighbours. How many is a
    share of the ink in the letter's own slices and one more on either side.

    Args:
        hidden: gives the picture.
        places: of the letters.
        weights: (N, H, V) as `HiddenParts.pixel_weights` gives them.

    Returns:
        Two (N, H, V) masks.
    """
    import torch

    generator = torch.Generator().manual_seed(SEED)
    lefts, width = hidden.windows(places)
    strongest, drawn = torch.zeros(2, *weights.shape, dtype=torch.bool)
    for n, (place, left) in enumerate(zip(places, lefts, strict=True)):
        inked = hidden.picture[0, 0, :, left : left + width] >= INKED
        own = slice(max(0, (place.first - 1) * hidden.slice_width - left), (place.last + 1) * hidden.slice_width - left)
        count = max(1, round(HIDDEN_SHARE * float(inked[:, own].sum())))
        strongest[n].view(-1)[weights[n].flatten().topk(count).indices] = True
        lots = torch.rand(inked.shape, generator=generator) + inked  # ink before paper
        drawn[n].view(-1)[lots.flatten().topk(count).indices] = True
    return strongest, drawn


def _guesses(bundle: Bundle, posteriors: NDArray[np.float32]) -> tuple[Guess, ...]:
    """The likeliest graphemes of (C,) posteriors; "" for the blank."""
    likeliest = np.argsort(-posteriors, kind="stable")[:GUESSES].tolist()
    names = ("", *bundle.alphabet.graphemes)
    return tuple((names[c], min(1.0, float(posteriors[c]))) for c in likeliest)
