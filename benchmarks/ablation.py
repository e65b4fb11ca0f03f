"""What each ingredient of the training is worth: networks trained with all of a choice but one, or with one more.

    python benchmarks/ablation.py DATA/copiste_fr.zip DATA/hooker_en.zip --synthetic synth.zip --minutes 30 -o FOLDER

All learn from the same lines (--lines of those of split `train`, evenly spread, that each of them can learn: few enough
to be learned by heart within the minutes, as those of many collections are) from nothing, with one thread and the same
seed, and read the lines of split `val`, best path. The network of the best of six validations on these is what reads,
so all figures flatter a little, that without averaged weights the most. The teacher, and what finds the gaps of spliced
lines, is the shipped model, which has learned from such lines itself.

Let nothing else run, or as many other processes for all. A variant that stands in FOLDER is not trained again, one that
was stopped goes on, one that failed is told and tried anew by the next run; --only does some. Other data or settings
need another folder. Ends with `ablation.md` and `ablation.json`: the CER of each, and how many points it differs from
that with the usual ingredients, with 95 % intervals from drawing pages.
"""

import argparse
import json
import shutil
from dataclasses import astuple, replace
from pathlib import Path

from results import facts, keep, table, write

from uncial.architecture import CRNNConfig
from uncial.bundle import SHIPPED
from uncial.checkpoint import FILE, run_folder
from uncial.config import from_dict
from uncial.errors import UncialError
from uncial.evaluate import evaluate
from uncial.evaluation import by_page
from uncial.metrics import EditCounts, bootstrap_difference, bootstrap_interval, pooled
from uncial.recognizer import Recognizer
from uncial.run_log import rows_of
from uncial.sources import read_samples, split_of
from uncial.train import train
from uncial.train_config import TrainConfig
from uncial.training_lines import gather

# Those that the shipped model learned with for the most part of its time.
USUAL = {
    "batch_lines": 8,
    "synthetic_share": 0.25,
    "network": {"hidden_slices": 0.1},
    "teacher_weight": 0.0,
    "threads": 1,
    "int8_lines": 0,
}
BASE = "the usual ingredients"
VARIANTS = {
    BASE: {},
    "without augmentation": {"augment": {"chance": 0.0}},
    "without hidden slices": {"network": {"hidden_slices": 0.0}},
    "without averaged weights": {"averaging": 0.0},
    "without synthetic lines": {"synthetic_share": 0.0},
    "without the shortcut head": {"network": {"shortcut": False}},
    "with one time step a slice, not two": {"network": {"steps_per_slice": 1}},
    "with wider lines (stretch 1.4)": {"line_image": {"stretch": 1.4}},
    "with a head for pairs of letters": {"bigram_weight": 0.2},
    "with spliced lines": {"splice_share": 0.3},
    "with easy lines passed over": {"easy_skipped": 0.5},
    "with the shipped model as teacher": {"teacher_weight": 1.0},
}
GUIDED = ("with the shipped model as teacher", "with spliced lines")
VALIDATIONS = 6


def settings(name, minutes):
    """All settings of a variant: the usual ones with its own laid over them."""
    whole = {**USUAL, "minutes": minutes, "validate_minutes": minutes / VALIDATIONS}
    for key, value in VARIANTS[name].items():
        whole[key] = {**whole.get(key, {}), **value} if isinstance(value, dict) else value
    return from_dict(TrainConfig, whole)


def chosen(samples, count, minutes):
    """So many of the training lines that all variants can learn, evenly spread, and all that are there to read."""
    strictest = replace(settings(BASE, minutes), network=CRNNConfig(steps_per_slice=1))
    usable = [line.sample for line in gather(samples, strictest, None).training]
    some = [usable[n * len(usable) // count] for n in range(min(count, len(usable)))]
    return some + [sample for sample in samples if split_of(sample) == "val"]


def measured(name, samples, drawn, args):
    """Train a variant and read; plain values."""
    out = args.out / name.replace(" ", "-")
    resume = (run_folder(out) / FILE).exists()
    if out.exists() and not resume:
        shutil.rmtree(out)

    def watch(progress):
        if progress.note:
            print(f"  {progress.note}", flush=True)

    how = {"synthetic": drawn, "teacher": SHIPPED if name in GUIDED else None, "resume": resume, "watch": watch}
    train(samples, out, settings(name, args.minutes), **how)
    found = evaluate(Recognizer.load(out, quality="fast", backend="onnx"), samples, split="val")
    last = rows_of(run_folder(out))[-1]
    counts = [astuple(pooled(line.raw.graphemes for line in some)) for some in by_page(found.lines)]
    return {"name": name, "lines_learned": int(last["lines"]), "epochs": float(last["epoch"]), "pages": counts}


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
            f"{row['epochs']:.1f}",
            f"{row['cer']:.1%}",
            points(row["more"]) if "more" in row else None,
            points(*row["more_interval"]) if row.get("more_interval") else None,
        )
        for row in rows
    ]
    return table(("ingredients", "lines learned", "epochs", "CER", "points more", "95 %"), cells), rows


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
    samples, drawn = chosen(read_samples(args.data), args.lines, args.minutes), read_samples([args.synthetic])
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
