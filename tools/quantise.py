"""Give a bundle its int8 graph anew, as training does at its end: for bundles of older versions.

    python tools/quantise.py BUNDLE DATA... [--lines 1300]

Scales are set by training lines, and the graph is judged by lines of the val splits.
"""

import argparse
from pathlib import Path

from uncial.bundle import load_bundle
from uncial.lineimage import line_image
from uncial.quantise import quantise
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
        [
            (line_image(sample.image(), bundle.line_image), bundle.alphabet.encode(reading_text(sample.text).text, -1))
            for sample in _spread([s for s in samples if split_of(s) == split], count)
        ]
        for split, count in (("train", SCALING), ("val", chosen.lines))
    )
    print(quantise(bundle, [image for image, _ in scaling], judged))


def _spread(samples: list[Sample], count: int) -> list[Sample]:
    return samples[:: max(1, len(samples) // count)][:count]


if __name__ == "__main__":
    main()
