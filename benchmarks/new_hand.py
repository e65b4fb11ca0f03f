"""How few lines of a new hand help: CER on validation lines after learning from 0, 10, 25, … training lines.

    python benchmarks/new_hand.py DATA/fondue19_fr.zip DATA/bronod_fr.zip --minutes 5 -o .cache/new-hand

Each point is the recipe `new-hand` from the same bundle on that many training lines of one collection, drawn at random
so that fewer lines are part of more; what it chooses by is held out of them. The CER is pooled over all lines of split
`val`, best path, read by the bundle as anyone would; where it has a language model, the table of numbers tells that of
quality "balanced", too. A point that stands in the output folder is not made again, so a
run that was stopped goes on; another `--set`, budget or model needs another folder.
"""

import argparse
import csv
import json
import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

from uncial.bundle import load_bundle
from uncial.config import from_dict, merge
from uncial.evaluate import evaluate
from uncial.recipes import with_recipe
from uncial.recognizer import Recognizer
from uncial.sources import read_samples, split_of
from uncial.text import reading_text
from uncial.train import train
from uncial.train_config import TrainConfig

COUNTS = (0, 10, 25, 50, 100, 200)
SPARE = 150  # training lines that no point learns from; variants of the recipe are compared on them, not on val


def shuffled(samples):
    """The usable training lines in an order of chance that is always the same."""
    usable = [s for s in samples if split_of(s) == "train" and not s.flaw and not reading_text(s.text).reason]
    random.Random(1).shuffle(usable)
    return usable


def point(args, data, count):
    """Learn from so many lines and measure; plain values."""
    samples = read_samples([data])
    val = [sample for sample in samples if split_of(sample) == "val"]
    bundle, told, seconds, cpu = load_bundle(args.model), [], 0.0, 0.0
    if count:
        values = with_recipe("new-hand", merge({}, args.set)) | {"threads": args.threads}
        values |= {"minutes": 0.0, "epochs": args.epochs} if args.epochs else {"minutes": args.minutes}
        out = args.out / f"{data.stem}-{count}"
        for left in (out, out.with_name(f"{out.name}.run")):
            shutil.rmtree(left, ignore_errors=True)
        began, cpu_began = time.monotonic(), time.process_time()
        bundle = train(
            [replace(sample, split="") for sample in shuffled(samples)[:count]],
            out,
            from_dict(TrainConfig, values),
            start=bundle.path,
            changes=values.get("network", {}),
            watch=lambda progress: told.append(progress.note) if progress.note else None,
        )
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu_began
    recognizer = Recognizer.load(bundle.path, quality="fast")
    found, spare = (
        evaluate(recognizer, lines, split="all") for lines in (val, shuffled(samples)[max(COUNTS) :][:SPARE])
    )
    spoken = None
    if bundle.language_model:  # adapted to the same lines
        balanced = evaluate(Recognizer.load(bundle.path, quality="balanced"), val, split="all")
        spoken = round(balanced.overall.every_line.cer.value, 5)
    course = bundle.provenance.get("course", {}) if count else {}
    return {
        "collection": data.stem,
        "lines": count,
        "cer": round(found.overall.every_line.cer.value, 5),
        "wer": round(found.overall.every_line.wer.value, 5),
        "val_lines": len(found.lines),
        "balanced_cer": spoken,
        "spare_cer": round(spare.overall.every_line.cer.value, 5),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "best_step": course.get("step", 0),
        "views_to_best": course.get("lines", 0),
        "notes": told,
    }


def table(points):
    """Markdown: a row for each collection, a column for each number of lines."""
    counts = sorted({p["lines"] for p in points})
    cer = {(p["collection"], p["lines"]): f"{p['cer']:.1%}" for p in points}
    rows = ["| collection | " + " | ".join(f"{c} lines" for c in counts) + " |", "|---|" + "---|" * len(counts)]
    for name in dict.fromkeys(p["collection"] for p in points):
        rows.append(f"| {name} | " + " | ".join(cer.get((name, c), "") for c in counts) + " |")
    return "\n".join(rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--epochs", type=int, help="passes over the lines, instead of minutes")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a setting that differs")
    parser.add_argument("--model", type=Path, help="bundle to begin with; without it, the shipped one")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--out", type=Path, default=Path(".cache/new-hand"))
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    points = []
    for data in args.data:
        for count in sorted(args.counts):
            file = args.out / f"{data.stem}-{count}.json"
            if not file.exists():
                found = json.dumps(point(args, data, count), indent=1, ensure_ascii=False)
                beside = file.with_suffix(".part")
                beside.write_text(found, encoding="utf-8")
                beside.replace(file)
            points.append(json.loads(file.read_text(encoding="utf-8")))
            last = points[-1]
            print(f"{data.stem}, {count} lines: CER {last['cer']:.2%} ({last['seconds']:.0f} s)", flush=True)
    columns = [name for name in points[0] if name != "notes"]
    with (args.out / "new-hand.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(points)
    (args.out / "new-hand.md").write_text(table(points) + "\n", encoding="utf-8")
    print(table(points))


if __name__ == "__main__":
    main()
