"""CER and time of best path, beam, and beam with a character language model, on validation lines.

python benchmarks/decoding.py DATA --language-model lm.safetensors --lines 1500 --cache .cache/decoding

The lines are parted at random: weights are chosen on one half and judged on the other. Collections that the shipped
model leaves out are left out here too.
"""

import argparse
import random
import time
from collections import defaultdict
from itertools import product
from pathlib import Path

import numpy as np

from uncial.bundle import load_bundle
from uncial.decoders import BeamConfig, beam_readings, best_path
from uncial.errors import ImageError
from uncial.lineimage import line_image
from uncial.metrics import EditCounts, count_edits
from uncial.ngram_file import load_ngrams
from uncial.runtime import Runtime
from uncial.sources import read_samples, split_of
from uncial.text import reading_text

LEFT_OUT = {"fondue19_fr", "bronod_fr"}
AT_ONCE = 128


def usable(samples, split):
    chosen = [s for s in samples if split_of(s) == split and s.collection not in LEFT_OUT and not s.flaw]
    return [(s, reading_text(s.text)) for s in chosen]


def read(args, samples, bundle):
    file = args.cache / "log-probs.npz"
    if file.exists():
        with np.load(file) as stored:
            parts = np.split(stored["log_probs"], stored["ends"][:-1])
            return list(zip(stored["collections"].tolist(), stored["texts"].tolist(), parts, strict=True))
    val = [(s, r) for s, r in usable(samples, "val") if not r.reason]
    random.Random(1).shuffle(val)
    images, about = [], []
    for sample, reading in val[: args.lines]:
        try:
            images.append(line_image(sample.image(), bundle.line_image))
            about.append((sample.collection, reading.text))
        except ImageError:
            continue
    started = time.process_time()
    log_probs = Runtime(bundle).log_probs(images)
    print(f"network: {(time.process_time() - started) / len(images) * 1e3:.1f} CPU-ms a line", flush=True)
    halves = [x.astype(np.float16) for x in log_probs]
    collections, texts = (np.array(column) for column in zip(*about, strict=True))
    ends = np.cumsum([len(x) for x in halves])
    np.savez(file, log_probs=np.concatenate(halves), ends=ends, collections=collections, texts=texts)
    return list(zip(collections.tolist(), texts.tolist(), halves, strict=True))


def judge(lines, decode, alphabet):
    """CER of all, CER by collection, CPU-ms a line."""
    counts, milliseconds = defaultdict(EditCounts), 0.0
    for start in range(0, len(lines), AT_ONCE):
        some = sorted(lines[start : start + AT_ONCE], key=lambda line: len(line[2]))
        inputs = [line[2].astype(np.float32) for line in some]
        started = time.process_time()
        readings = decode(inputs)
        milliseconds += (time.process_time() - started) * 1e3
        for (collection, text, _), classes in zip(some, readings, strict=True):
            reference = alphabet.encode(text, unknown=alphabet.size)
            counts[collection] += count_edits(reference, list(classes))
    everything = sum(counts.values(), EditCounts())
    return everything.error_rate, {n: c.error_rate for n, c in sorted(counts.items())}, milliseconds / len(lines)


def best_paths(log_probs):
    return [[span.class_ for span in best_path(x)] for x in log_probs]


def beam(model, config):
    return lambda log_probs: [readings[0].classes for readings in beam_readings(log_probs, model, config)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--language-model", type=Path, required=True, help="as uncial lm writes it")
    parser.add_argument("--lines", type=int, default=1500)
    parser.add_argument("--cache", type=Path, default=Path(".cache/decoding"))
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    bundle = load_bundle(args.model)
    samples = read_samples(args.data)
    lines = read(args, samples, bundle)
    model = load_ngrams(args.language_model)
    tuning, judging = lines[::2], lines[1::2]
    trials = {}
    for weight, bonus in product((0.2, 0.35, 0.5), (0.6, 1.2, 1.8)):
        trials[weight, bonus] = judge(tuning[:400], beam(model, BeamConfig(weight, bonus)), bundle.alphabet)[0]
        print(f"weight {weight} bonus {bonus}: CER {trials[weight, bonus]:.2%} on the tuning half", flush=True)
    weight, bonus = min(trials, key=trials.__getitem__)
    print(f"chosen: weight {weight} bonus {bonus}; on the other half, {len(judging)} lines:", flush=True)
    ways = {
        "best path": best_paths,
        "beam": beam(None, BeamConfig(0, 0)),
        "beam + LM": beam(model, BeamConfig(weight, bonus)),
        "width 4": beam(model, BeamConfig(weight, bonus, width=4, candidates=4)),
        "width 16": beam(model, BeamConfig(weight, bonus, width=16)),
    }
    for name, decode in ways.items():
        cer, by_collection, milliseconds = judge(judging, decode, bundle.alphabet)
        print(f"{name}: CER {cer:.2%}, {milliseconds:.2f} CPU-ms a line", flush=True)
        print("   " + ", ".join(f"{n} {c:.1%}" for n, c in by_collection.items()), flush=True)


if __name__ == "__main__":
    main()
