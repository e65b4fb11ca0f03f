"""What each ingredient of the training is worth: networks trained with all of the usual ones but one, or with one more.

    python benchmarks/ablation.py DATA/copiste_fr.zip DATA/hooker_en.zip --synthetic synth.zip --minutes 30 -o FOLDER

All learn from the same lines (--lines of those of split `train`, evenly spread: few enough to be learned by heart
within the minutes, as those of many collections are) from nothing, with one thread and the same seed, and read the
lines of split `val`, best path. Let nothing else run, or as many other processes for all. A variant that stands in
FOLDER is not trained again, one that was stopped goes on; --only does some. Ends with `ablation.md` and
`ablation.json`: the CER of each, and how many points it differs from that with the usual ingredients, with 95 %
intervals from drawing pages.
"""

import argparse
import json
import shutil
from dataclasses import astuple
from pathlib import Path

from uncial.bundle import SHIPPED
from uncial.checkpoint import FILE, run_folder
from uncial.config import from_dict
from uncial.evaluate import evaluate
from uncial.metrics import EditCounts, bootstrap_difference, bootstrap_interval, pooled
from uncial.recognizer import Recognizer
from uncial.run_log import rows_of
from uncial.sources import read_samples, split_of
from uncial.train import train
from uncial.train_config import TrainConfig

USUAL = {
    "batch_lines": 8,
    "synthetic_share": 0.25,
    "network": {"hidden_slices": 0.1},
    "threads": 1,
    "int8_lines": 0,
}
BASE = "all of the usual"
VARIANTS = {
    BASE: {},
    "without augmentation": {"augment": {"chance": 0.0}},
    "without hidden slices": {"network": {"hidden_slices": 0.0}},
    "without averaged weights": {"averaging": 0.0},
    "without synthetic lines": {"synthetic_share": 0.0},
    "without the shortcut head": {"network": {"shortcut": False}},
    "without a second time step a slice": {"network": {"steps_per_slice": 1}},
    "with wider lines (stretch 1.4)": {"line_image": {"stretch": 1.4}},
    "with a head for pairs of letters": {"bigram_weight": 0.2},
    "with spliced lines": {"splice_share": 0.3},
    "with easy lines passed over": {"easy_skipped": 0.5},
    "with the shipped model as teacher": {"teacher_weight": 1.0},
}
TAUGHT = ("with the shipped model as teacher", "with spliced lines")


def settings(name, minutes):
    """All settings of a variant: the usual ones with its own laid over them."""
    whole = {**USUAL, "minutes": minutes, "validate_minutes": minutes / 6, "teacher_weight": 0.0}
    for key, value in VARIANTS[name].items():
        whole[key] = {**whole.get(key, {}), **value} if isinstance(value, dict) else value
    return from_dict(TrainConfig, whole)


def chosen(samples, count):
    """So many of the training lines, evenly spread, and all that are there to validate by."""
    training = [sample for sample in samples if split_of(sample) == "train"]
    some = [training[n * len(training) // count] for n in range(min(count, len(training)))]
    return some + [sample for sample in samples if split_of(sample) == "val"]


def measured(name, samples, drawn, args):
    """Train a variant and read; plain values."""
    out = args.out / name.replace(" ", "-")
    resume = (run_folder(out) / FILE).exists()
    if out.exists() and not resume:
        shutil.rmtree(out)
    config = settings(name, args.minutes)
    teacher = SHIPPED if name in TAUGHT else None

    def watch(progress):
        if progress.note:
            print(f"  {progress.note}", flush=True)

    train(samples, out, config, synthetic=drawn, teacher=teacher, resume=resume, watch=watch)
    found = evaluate(Recognizer.load(out, quality="fast", backend="onnx"), samples, split="val")
    pages = {}
    for line in found.lines:
        pages.setdefault((line.sample.collection, line.sample.document, line.sample.page), []).append(line)
    rows = rows_of(run_folder(out))
    return {
        "name": name,
        "lines_learned": int(rows[-1]["lines"]),
        "epochs": float(rows[-1]["epoch"]),
        "loss": float(rows[-1]["loss"]),
        "pages": [astuple(pooled(line.raw.graphemes for line in some)) for some in pages.values()],
    }


def table(results):
    """Markdown, a row a variant; plain values of the same."""
    pages = {result["name"]: [EditCounts(*page) for page in result["pages"]] for result in results}
    lines = ["| ingredients | line views | loss | CER | points more | 95 % |", "|---|---|---|---|---|---|"]
    rows = []
    for result in results:
        name, own = result["name"], pages[result["name"]]
        row = {key: value for key, value in result.items() if key != "pages"}
        row |= {"cer": pooled(own).error_rate, "interval": bootstrap_interval(own), "more": None, "more_interval": None}
        told = ["", ""]
        if BASE in pages and name != BASE:
            row["more"] = row["cer"] - pooled(pages[BASE]).error_rate
            row["more_interval"] = bootstrap_difference(own, pages[BASE])
            low, high = row["more_interval"]
            told = [f"{100 * row['more']:+.1f}", f"{100 * low:+.1f} to {100 * high:+.1f}"]
        rows.append(row)
        start = [name, f"{row['lines_learned']:,}", f"{row['loss']:.2f}", f"{row['cer']:.1%}"]
        lines.append("| " + " | ".join([*start, *told]) + " |")
    return "\n".join(lines), rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--synthetic", type=Path, required=True, help="archive that uncial synth made")
    parser.add_argument("--lines", type=int, default=2500, help="training lines")
    parser.add_argument("--minutes", type=float, default=30.0, help="of training, each")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, metavar="NAME", help=", ".join(VARIANTS))
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    samples, drawn = chosen(read_samples(args.data), args.lines), read_samples([args.synthetic])
    results = []
    for name in args.only or VARIANTS:
        print(name, flush=True)
        file = args.out / f"{name.replace(' ', '-')}.json"
        if not file.exists():
            beside = file.with_suffix(".part")
            beside.write_text(json.dumps(measured(name, samples, drawn, args)), encoding="utf-8")
            beside.replace(file)
    for name in VARIANTS:  # those of other runs, too
        file = args.out / f"{name.replace(' ', '-')}.json"
        results += [json.loads(file.read_text(encoding="utf-8"))] if file.exists() else []
    told, rows = table(results)
    (args.out / "ablation.md").write_text(told + "\n", encoding="utf-8")
    (args.out / "ablation.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(told)


if __name__ == "__main__":
    main()
