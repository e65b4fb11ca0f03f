"""The recognizer: line images in, transcripts out. Every door reads through it: Python, command line, archive."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import BLANK
from uncial.bundle import Bundle, load_bundle
from uncial.decoders import Decoded, DecodedSpan, Hypothesis, peak_posteriors
from uncial.decoding import AUTO, Decoding, quality_of
from uncial.document import Failure, GraphemeSpan, Line, Page, Transcript, merged
from uncial.errors import ConfigError, ImageError
from uncial.geometry import length
from uncial.layout import find_lines
from uncial.layout.network import open_finder
from uncial.line_cut import cut_line
from uncial.lineimage import Part, check_gray, line_image, source_x, writing
from uncial.reliability import Calibration, calibrated, confidence, geometric_mean, probability, words_among
from uncial.runtime import LineImage, LogProbs, Runtime
from uncial.text import normalise

LINES_AT_ONCE = 256  # lines held in memory and decoded together; more would hardly be faster
LOOKED_AT = 8  # lines read to tell which way up a page stands
TELLING = 10  # graphemes that must be read for that; a word upside down is often another word
ALTERNATIVES = 3  # runners-up told for each grapheme


class Recognizer:  # budget: lines, one line and a page are read the same way, each part of it a few lines
    """Reads handwriting with one bundle.

    Attributes:
        bundle: the model it reads with.
        quality: name in `decoding.QUALITIES`.
        layout: folder of the layout bundle that finds lines of pages; None: the one that ships.
    """

    def __init__(
        self,
        bundle: Bundle,
        runtime: Runtime,
        quality: str = AUTO,
        n_best: int = 1,
        words: Sequence[str] = (),
        *,
        layout: Path | str | None = None,
    ) -> None:
        """Put together what `load` opens.

        Args:
            bundle: gives alphabet and preprocessing.
            runtime: runs the bundle's network.
            quality: name in `decoding.QUALITIES`, or "auto".
            n_best: readings told of each line; above 1, a transcript has them.
            words: that the language model shall expect, such as names and places.
            layout: folder of the layout bundle that finds lines of pages; None: the one that ships.

        Raises:
            ConfigError: no such quality, one that finds a single reading only, or words and no language model.
            BundleError: the layout bundle is missing, damaged or of a newer version.
        """
        self.bundle = bundle
        self.layout = None if layout is None else Path(layout)
        if self.layout is not None:
            open_finder(self.layout)  # what is wrong with it is told before anything is read
        self.quality = quality_of(bundle, quality)
        self._decode = Decoding(bundle, runtime, self.quality, words)
        # The best path knows no language model, whose corrections are what the calibration of lines makes up for.
        told = bundle.calibration
        self._calibration = Calibration(word=told.fast_word) if self.quality == "fast" else told
        self._n_best = n_best
        if n_best < 1:
            raise ConfigError(f"n_best is at least 1, not {n_best}")
        if isinstance(words, str):
            raise ConfigError(f"words are a list of texts, not one text, {words!r}")
        if n_best > 1 and self.quality == "fast":
            raise ConfigError(f"quality fast finds one reading, not {n_best}; choose balanced or best")

    @classmethod
    def load(
        cls,
        model: Path | str | None = None,
        *,
        quality: str = AUTO,
        backend: str = "auto",
        threads: int = 1,
        n_best: int = 1,
        words: Sequence[str] = (),
        layout: Path | str | None = None,
    ) -> "Recognizer":
        """Open a bundle for reading.

        Args:
            model: folder of the bundle; None: the model that ships with Uncial.
            quality: "fast" (the best path), "balanced" (a beam search with the bundle's language model), "best" (the
                same of three views of each line), or "auto": balanced if the bundle has a language model, else fast.
            backend: name in `runtime.BACKENDS`.
            threads: processor threads of one batch.
            n_best: readings told of each line; above 1, a transcript has them.
            words: that the language model shall expect, such as names and places.
            layout: folder of the layout bundle that finds lines of pages; None: the one that ships.

        Raises:
            BundleError: one of the bundles is missing, damaged or of a newer version.
            ConfigError: no such quality or backend, or quality fast is to give several readings or
                to know words.
            MissingExtraError: the backend's package is not installed.
        """
        bundle = load_bundle(model)
        return cls(bundle, Runtime(bundle, backend, threads=threads), quality, n_best, words, layout=layout)

    def read_lines(self, images: Iterable[NDArray[np.uint8]]) -> list[Transcript]:
        """Read line images.

        Args:
            images: uint8 (H, W) gray each, of any height; taken from the iterable as they are needed.

        Returns:
            A transcript for each image, in the same order. An image without writing gives an empty text.

        Raises:
            ImageError: an image is too small to hold writing; the message counts from 1.
        """
        transcripts: list[Transcript] = []
        for number, read in enumerate(self.try_lines(images), start=1):
            if isinstance(read, ImageError):
                raise ImageError(f"line image {number}: {read}") from read
            transcripts.append(read)
        return transcripts

    def try_lines(self, images: Iterable[NDArray[np.uint8]]) -> Iterator[Transcript | ImageError]:
        """Read line images as `read_lines` does; one that cannot hold writing does not stop the others.

        Yields:
            For each image its transcript, or the error that tells why there is none.
        """
        return self._try((image, False) for image in images)

    def read_line(self, image: NDArray[np.uint8]) -> Transcript:
        """Read one line image, uint8 (H, W) gray; see `read_lines`."""
        return self.read_lines([image])[0]

    def find_lines(
        self, gray: NDArray[np.uint8], name: str = "", *, rotate: str = "none", cut_off: bool = False
    ) -> Page:
        """Find the lines of a page, and do not read them; see `read_page`."""
        check_gray(gray, "a page")
        return find_lines(gray, name, bundle=self.layout, rotate=rotate, legible=self._legible, cut_off=cut_off)

    def read_page(
        self,
        gray: NDArray[np.uint8],
        name: str = "",
        page: Page | None = None,
        *,
        rotate: str = "none",
        cut_off: bool = False,
    ) -> Page:
        """Find the lines of a page and read them, those of a region as a text that runs on from line to line.

        Args:
            gray: uint8 (H, W).
            name: of the image.
            page: where its lines are, in pixels of `gray`; None: they are looked for.
            rotate: "none": the page stands upright; "auto": it may lie on its side or stand on its head; it is taken
                the way up in which its longest lines are read with more confidence.
            cut_off: read lines of a facing page and the other side, too; see `layout.find_lines`.

        Returns:
            The page with a transcript for each line; what stands there instead tells `failures`.

        Raises:
            ImageError: no gray image of 8 bits, or not of the size that `page` has.
        """
        check_gray(gray, "a page")
        if page and (page.height, page.width) != gray.shape:
            there = f"{gray.shape[1]} x {gray.shape[0]} pixels, its lines were marked on {page.width} x {page.height}"
            raise ImageError(f"{name or 'page'}: has {there}; scale them with uncial.formats.page_file.fitted")
        page = page or self.find_lines(gray, name, rotate=rotate, cut_off=cut_off)
        strips = ((_strip(gray, line), n > 0) for region in page.regions for n, line in enumerate(region.lines))
        told = list(self._try(strips))
        failures = [
            Failure(line.id, f"{name or 'page'}: line {line.id}: {error}")
            for line, error in zip(page.lines, told, strict=True)
            if isinstance(error, ImageError)
        ]
        whole = page.with_transcripts([None if isinstance(one, ImageError) else one for one in told])
        return replace(whole, failures=(*page.failures, *failures))

    def _try(self, lines: Iterable[tuple[NDArray[np.uint8] | ImageError, bool]]) -> Iterator[Transcript | ImageError]:
        """What stands in line images, each with whether the text runs on from the one before, or why none is there."""
        waiting = iter(lines)
        while some := list(islice(waiting, LINES_AT_ONCE)):
            images = [image if isinstance(image, ImageError) else self._line_image(image) for image, _ in some]
            good = [(n, image[1]) for n, image in enumerate(images) if not isinstance(image, ImageError)]
            follows = [some[n][1] and n > 0 and not isinstance(images[n - 1], ImageError) for n, _ in good]
            decoded = iter(self._decode([image for _, image in good], follows))
            for image in images:
                yield image if isinstance(image, ImageError) else self._transcript(image[0], *next(decoded))

    def _legible(self, gray: NDArray[np.uint8], page: Page) -> float:
        """The mean confidence of what is read in the longest lines of a page; 0 where that is too little to tell."""
        longest = sorted(page.lines, key=lambda line: -length(line.baseline))[:LOOKED_AT]
        strips = [strip for line in longest if not isinstance(strip := _strip(gray, line), ImageError)]
        read = [line for line in self.try_lines(strips) if not isinstance(line, ImageError)]
        graphemes = sum(len(line.spans) for line in read)
        return sum(line.confidence * len(line.spans) for line in read) / graphemes if graphemes >= TELLING else 0.0

    def _line_image(self, image: NDArray[np.uint8]) -> tuple[Part, LineImage] | ImageError:
        try:
            part = writing(image)
            return part, line_image(image, self.bundle.line_image, part)
        except ImageError as error:
            return error

    def _transcript(self, part: Part, log_probs: LogProbs, found: Decoded) -> Transcript:
        """What was decoded in the line image that this part of an image became."""
        decoded = self._without_idle_spaces(found.spans)
        peaks, posteriors = peak_posteriors(log_probs, decoded)
        left, right = self._extents(decoded, part)
        others = self._alternatives(log_probs[peaks], [span.class_ for span in decoded])
        names = [self.bundle.alphabet.graphemes[span.class_ - 1] for span in decoded]
        spans = tuple(
            GraphemeSpan(name, span.start, span.end, posterior, runners_up, left_edge, right_edge)
            for name, span, posterior, runners_up, left_edge, right_edge in zip(
                names, decoded, posteriors, others, left, right, strict=True
            )
        )
        uncalibrated = confidence(log_probs, posteriors)
        words = (geometric_mean(posteriors[word]) for word in words_among([name.isspace() for name in names]))
        return Transcript(
            "".join(names),
            calibrated(uncalibrated, *self._calibration.line),
            spans,
            self._readings(found.readings) if self._n_best > 1 else (),
            uncalibrated if self._calibration.line != Calibration().line else None,
            tuple(calibrated(word, *self._calibration.word) for word in words),
        )

    def _readings(self, readings: Sequence[Hypothesis]) -> tuple[tuple[str, float], ...]:
        """The likeliest texts with their shares; those that differ in spaces at their ends only are one."""
        scores = np.array([reading.score for reading in readings])
        shares = np.exp(scores - np.logaddexp.reduce(scores)).tolist()
        texts = [normalise(self.bundle.alphabet.decode(reading.classes)) for reading in readings]
        return merged(zip(texts, shares, strict=True))[: self._n_best]

    def _without_idle_spaces(self, decoded: Sequence[DecodedSpan]) -> list[DecodedSpan]:
        """The spans without spaces at either end or behind another space: no text has them, see `text.normalise`."""
        spaces = [self.bundle.alphabet.graphemes[span.class_ - 1] == " " for span in decoded]
        written = [n for n, space in enumerate(spaces) if not space]
        return [
            span
            for n, span in enumerate(decoded)
            if not spaces[n] or (written and written[0] < n < written[-1] and not spaces[n - 1])
        ]

    def _alternatives(self, log_probs: LogProbs, read: Sequence[int]) -> list[tuple[tuple[str, float], ...]]:
        """The likeliest other graphemes of some time steps (S, C), where these classes were read, with posteriors."""
        rows, left = np.arange(len(read)), log_probs.copy()
        left[:, BLANK] = left[rows, np.array(read, int)] = -np.inf
        told: list[list[tuple[str, float]]] = [[] for _ in read]
        for _ in range(ALTERNATIVES):
            classes = left.argmax(axis=1)
            for some, class_, log in zip(told, classes.tolist(), left[rows, classes].tolist(), strict=True):
                if log > -np.inf:
                    some.append((self.bundle.alphabet.graphemes[class_ - 1], probability(log)))
            left[rows, classes] = -np.inf
        return [tuple(some) for some in told]

    def _extents(self, decoded: Sequence[DecodedSpan], part: Part) -> tuple[list[float], list[float]]:
        """Left and right edges of the graphemes in pixels of the image of which the line is this part.

        CTC tells where a grapheme is recognised, not how far it reaches: each is given half of the way to the next one,
        and at the ends of the line half of the usual distance.
        """
        step = self.bundle.architecture.step_width
        steps = np.array([(span.start, span.end) for span in decoded], float).reshape(-1, 2)
        middles = steps.mean(axis=1)
        reach = np.median(np.diff(middles)) / 2 if len(middles) > 1 else 0.0
        between = (steps[:-1, 1] + steps[1:, 0]) / 2
        left = [min(steps[0, 0], middles[0] - reach), *between] if len(steps) else []
        right = [*between, max(steps[-1, 1], middles[-1] + reach)] if len(steps) else []

        def pixels(time_steps: Sequence[float]) -> list[float]:
            places = source_x(self.bundle.line_image, part, np.array(time_steps, float) * step)
            told: list[float] = places.clip(part.left, part.right).tolist()
            return told

        return pixels(left), pixels(right)


def _strip(gray: NDArray[np.uint8], line: Line) -> NDArray[np.uint8] | ImageError:
    """A line of a page as an image, or why that cannot be."""
    try:
        return cut_line(gray, line.baseline, line.boundary)
    except ImageError as error:
        return error
