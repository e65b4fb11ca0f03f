"""Reading speed: lines of 64 x 707 px per CPU-second, one thread, line images to transcripts.

    OMP_NUM_THREADS=1 python benchmarks/reading_speed.py [-m BUNDLE] [--backend NAME] [--quality fast] [--lines 256]

Without -m it reads with the shipped model; with --chance it builds the default network with weights of chance, which
run just as fast. Lines are seeded noise: what is on them does not change the time of the network, and the decoder is
given more to do than by writing. The time is the processor time of the whole process, after one warm-up.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from uncial.bundle import Bundle, load_bundle
from uncial.decoding import QUALITIES
from uncial.recognizer import Recognizer
from uncial.runtime import BACKENDS, Runtime

HEIGHT, WIDTH = 64, 707  # the middling line of the collections


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("-m", "--model", type=Path)
    options.add_argument("--chance", action="store_true", help="the default network, untrained")
    options.add_argument("--backend", choices=sorted(BACKENDS), default="auto")
    options.add_argument("--quality", choices=sorted(QUALITIES), default="fast")
    options.add_argument("--lines", type=int, default=256)
    options.add_argument("--varied", action="store_true", help="widths from 60 to 1600 px, as in real collections")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = chance(Path(folder) / "bundle") if chosen.chance else load_bundle(chosen.model)
        recognizer = Recognizer(bundle, Runtime(bundle, chosen.backend), quality=chosen.quality)
        lines = noise(chosen.lines, bundle.line_image.margin, chosen.varied)
        pixels = sum(line.shape[1] + 2 * bundle.line_image.margin for line in lines)
        recognizer.read_lines(lines[:16])
        began, clock = time.process_time(), time.monotonic()
        recognizer.read_lines(lines)
        seconds, wall = time.process_time() - began, time.monotonic() - clock
    typical = pixels / WIDTH
    print(f"{chosen.backend}: {typical / seconds:.1f} lines of {HEIGHT} x {WIDTH} px per CPU-second", end="")
    print(f", {typical / wall:.1f} per second of wall time")


def noise(count: int, margin: int, varied: bool = False, width: int = WIDTH) -> list[np.ndarray]:
    """Line images that are so wide with their margins, or of many widths."""
    rng = np.random.default_rng(0)
    widths = np.clip(rng.normal(width, 250, count), 60, 1600).astype(int) if varied else [width] * count
    return [rng.integers(0, 256, (HEIGHT, width - 2 * margin), dtype=np.uint8) for width in widths]


def chance(path: Path, graphemes: int = 199) -> Bundle:
    """A bundle of the default network with weights of chance and so many graphemes."""
    import torch

    from uncial.alphabet import Alphabet
    from uncial.architecture import CRNNConfig
    from uncial.bundle import save_bundle
    from uncial.lineimage import LineImageConfig
    from uncial.nn.crnn import CRNN
    from uncial.nn.onnx_graph import onnx_graph

    torch.manual_seed(0)
    alphabet = Alphabet(tuple(chr(0x4E00 + n) for n in range(graphemes)))
    network = CRNN(CRNNConfig(), alphabet.size)
    weights = {name: value.numpy() for name, value in network.state_dict().items()}
    return save_bundle(path, network.config, alphabet, LineImageConfig(), {}, weights, onnx_graph(network))


if __name__ == "__main__":
    main()
