"""Give a bundle its int8 graphs anew, as training does at its end: for bundles of older versions.

    python tools/quantise.py BUNDLE DATA... [--lines 1300]

Scales are set by training lines, and the graph is judged by lines of the val splits.
"""

import argparse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from uncial.bundle import Bundle, load_bundle
from uncial.errors import ImageError
from uncial.lineimage import line_image
from uncial.nn.batches import spread
from uncial.quantise import quantise
from uncial.runtime import LineImage
from uncial.sources import Sample, read_samples, split_of
from uncial.text import reading_text

SCALING = 64  # training lines


def main() -> None:
    """Quantise and say what was found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bundle", type=Path)
    options.add_argument("data", type=Path, nargs="+")
    options.add_argument("--lines", type=int, default=1300, help="validation lines to judge by")
    chosen = options.parse_args()
    bundle = load_bundle(chosen.bundle)
    samples = [s for s in read_samples(chosen.data) if not s.flaw and not reading_text(s.text).reason]
    scaling, judged = (
        list(_lines(bundle, [sample for sample in samples if split_of(sample) == split], count))
        for split, count in (("train", SCALING), ("val", chosen.lines))
    )
    if not scaling or not judged:
        raise SystemExit(f"{len(scaling)} usable lines of split train and {len(judged)} of split val: both are needed")
    print(quantise(bundle, [image for image, _ in scaling], judged))


def _lines(bundle: Bundle, samples: list[Sample], count: int) -> Iterator[tuple[LineImage, list[int]]]:
    """Line images and classes of so many samples, spread evenly."""
    for index in spread(len(samples), count):
        text = reading_text(samples[index].text).text
        with suppress(ImageError):  # `uncial data check` tells of it
            yield line_image(samples[index].image(), bundle.line_image), bundle.alphabet.encode(text, unknown=-1)


if __name__ == "__main__":
    main()
