"""What each ingredient of the training is worth: networks trained with all of a choice but one, or with one more.

    python benchmarks/ablation.py DATA/fondue19_fr.zip DATA/bronod_fr.zip --from small --synthetic S.zip -o FOLDER

All go on from the same bundle, which has not seen these collections, with the lines of the same pages (--share) and as
many passes over them (--epochs), with one thread and the same seed, and the last network of each reads all other pages,
best path. Equal passes, not equal time: what an ingredient costs stands beside it, and other work on the machine
changes no CER. One begins with chance instead. The bundle finds the gaps of spliced lines, the shipped model teaches.

A variant that stands in FOLDER is not trained again, one that was stopped goes on, one that failed is told and tried
anew by the next run; --only does some, so that processes can share. Other data or settings need another folder. Ends
with `ablation.md` and `ablation.json`: the CER of each, and how many points it differs from that with the usual
ingredients, with 95 % intervals from drawing pages.
"""

import argparse
import json
import random
import shutil
import time
from dataclasses import astuple, replace
from pathlib import Path

from results import facts, keep, table, write

from uncial.bundle import SHIPPED, load_bundle
from uncial.checkpoint import FILE, run_folder
from uncial.config import from_dict
from uncial.errors import UncialError
from uncial.evaluate import evaluate
from uncial.metrics import EditCounts, bootstrap_difference, bootstrap_interval, pooled
from uncial.read_line import by_page
from uncial.recognizer import Recognizer
from uncial.run_log import rows_of
from uncial.sources import read_samples
from uncial.train import train
from uncial.train_config import TrainConfig

# Those that the shipped model learned with for the most part of its time; the last network is kept.
USUAL = {
    "batch_lines": 8,
    "learning_rate": 8e-4,
    "warmup": 0.03,
    "synthetic_share": 0.25,
    "network": {"hidden_slices": 0.1},
    "augment": {"strength": 0.8},
    "validate_minutes": 999.0,
    "threads": 1,
    "int8_lines": 0,
    "adapt_language": False,
    "language_bytes": 0,
}
BASE = "the usual ingredients"
CHANCE = "begun with chance"
TAUGHT = "with the shipped model as teacher"
VARIANTS = {
    BASE: {},
    "without augmentation": {"augment": {"chance": 0.0}},
    "with augmentation of strength 1.3": {"augment": {"strength": 1.3}},
    "without hidden slices": {"network": {"hidden_slices": 0.0}},
    "without averaged weights": {"averaging": 0.0},
    "without synthetic lines": {"synthetic_share": 0.0},
    "without the shortcut head": {"network": {"shortcut": False}},
    "with wider lines (stretch 1.4, not 1.2)": {"line_image": {"stretch": 1.4}},
    "with a head for pairs of letters": {"bigram_weight": 0.2},
    "with spliced lines": {"splice_share": 0.3},
    "with easy lines passed over": {"easy_skipped": 0.5},
    TAUGHT: {"teacher_weight": 1.0},
    CHANCE: {},
}


def settings(name, epochs):
    """All settings of a variant, the usual ones with its own laid over them, and what it changes of its bundle."""
    whole = {**USUAL, "epochs": epochs}
    for key, value in VARIANTS[name].items():
        whole[key] = {**whole.get(key, {}), **value} if isinstance(value, dict) else value
    return whole, {key: whole.pop(key) for key in ("network", "line_image") if key in whole}


def shared_out(samples, share):
    """The lines, of which this share of the pages, drawn once and for all, are learned from and the others read."""
    pages = sorted({(sample.collection, sample.page) for sample in samples})
    random.Random(0).shuffle(pages)
    learned = set(pages[: round(share * len(pages))])
    return [replace(s, split="train" if (s.collection, s.page) in learned else "val") for s in samples]


def measured(name, samples, drawn, args):
    """Train a variant and read; plain values."""
    out = args.out / name.replace(" ", "-")
    resume = (run_folder(out) / FILE).exists()
    if out.exists() and not resume:
        shutil.rmtree(out)

    def watch(progress):
        if progress.note:
            print(f"  {progress.note}", flush=True)

    plain, changes = settings(name, args.epochs)
    config, bundle = from_dict(TrainConfig, plain), load_bundle(args.start)
    if name == CHANCE:
        config = config.going_on_from(bundle.architecture, bundle.line_image, changes)
    how = {"synthetic": drawn, "teacher": SHIPPED if name == TAUGHT else None, "resume": resume, "watch": watch}
    began = time.process_time()
    train(samples, out, config, start=None if name == CHANCE else bundle.path, changes=changes, **how)
    minutes = (time.process_time() - began) / 60
    found = evaluate(Recognizer.load(out, quality="fast", backend="onnx"), samples, split="val")
    last = rows_of(run_folder(out))[-1]
    counts = [astuple(pooled(line.raw.graphemes for line in some)) for some in by_page(found.lines)]
    return {
        "name": name,
        "lines_learned": int(last["lines"]),
        "cpu_minutes": None if resume else minutes,
        "pages": counts,
    }


def told(results):
    """Markdown, a row a variant, and plain values of the same."""
    pages = {result["name"]: [EditCounts(*page) for page in result["pages"]] for result in results}
    rows = []
    for result in results:
        own, base = pages[result["name"]], pages.get(BASE)
        row = {key: value for key, value in result.items() if key != "pages"}
        row |= {"cer": pooled(own).error_rate, "interval": bootstrap_interval(own)}
        if base and base is not own:
            row |= {"more": row["cer"] - pooled(base).error_rate, "more_interval": bootstrap_difference(own, base)}
        rows.append(row)

    def points(*values):
        return " to ".join(f"{100 * value:+.1f}" for value in values)

    cells = [
        (
            row["name"],
            f"{row['lines_learned']:,}",
            f"{row['cpu_minutes']:.1f}" if row["cpu_minutes"] else None,
            f"{row['cer']:.1%}",
            points(row["more"]) if "more" in row else None,
            points(*row["more_interval"]) if row.get("more_interval") else None,
        )
        for row in rows
    ]
    return table(("ingredients", "lines learned", "CPU-minutes", "CER", "points more", "95 %"), cells), rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--synthetic", type=Path, required=True, help="archive that uncial synth made")
    parser.add_argument("--from", dest="start", default="small", metavar="BUNDLE", help="to go on from")
    parser.add_argument("--share", type=float, default=0.6, help="of the pages to learn from; the others are read")
    parser.add_argument("--epochs", type=int, default=5, help="of training, each")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, metavar="NAME", help=", ".join(VARIANTS))
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    samples, drawn = shared_out(read_samples(args.data), args.share), read_samples([args.synthetic])
    files = {name: args.out / f"{name.replace(' ', '-')}.json" for name in VARIANTS}
    for name in args.only or VARIANTS:
        print(name, flush=True)
        if not files[name].exists():
            try:
                keep(files[name], measured(name, samples, drawn, args))
            except UncialError as error:
                print(f"  failed: {error}", flush=True)
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files.values() if file.exists()]
    text, rows = told(results)
    about = facts()
    write(args.out, "ablation", f"# Ablation\n\n{about.told()}\n\n{text}\n", {"variants": rows})
    print(text)


if __name__ == "__main__":
    main()
