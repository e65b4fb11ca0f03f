"""How well Uncial and other programs find the lines of marked pages: baseline precision, recall and F1.

python benchmarks/line_finding.py PAGES --finders network projection rapidocr kraken --peers PEERS

PEERS holds a virtual environment for each other program, as setup_peers.sh makes them; one that is not there is passed
over. RapidOCR's detector gives boxes: the baseline is taken to be the lower edge, moved up by a share of the box's
height (--raised; several shares give a row each, so that one can be chosen on train pages).
"""

import argparse
import json
import subprocess
from collections import defaultdict
from pathlib import Path

from uncial.layout import FINDERS, find_lines
from uncial.layout_metrics import BaselineCounts, count_baselines
from uncial.sources.marked_pages import marked_pages

RAPIDOCR = """
import json, sys
from rapidocr import RapidOCR
params = {"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "error", "Global.max_side_len": 4000}
engine = RapidOCR(params=params)
for path in sys.argv[1:]:
    found = engine(path, use_det=True, use_cls=False, use_rec=False)
    print(json.dumps([] if found.boxes is None else found.boxes.tolist()), flush=True)
"""
KRAKEN = """
import json, sys
from PIL import Image
from kraken import blla
for path in sys.argv[1:]:
    print(json.dumps([line.baseline for line in blla.segment(Image.open(path)).lines]), flush=True)
"""


def told(peers, name, script, pages):
    """What another program prints for each page; None: it is not there."""
    python = peers / name / "bin" / "python"
    if not python.is_file():
        print(f"{name}: no {python}; passed over")
        return None
    command = [python, "-c", script, *(page.image for page in pages)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [json.loads(line) for line in lines if line.startswith("[")]


def lower_edges(boxes, share):
    """Baselines of boxes with corners top left, top right, bottom right, bottom left."""
    edges = []
    for top_left, top_right, right, left in boxes:
        ends = ((left, top_left), (right, top_right))
        edges.append(tuple(tuple(b + share * (t - b) for b, t in zip(low, top, strict=True)) for low, top in ends))
    return edges


def found_by(args, pages):
    """(label, baselines of each page) of each finder."""
    for name in args.finders:
        if name in FINDERS:
            yield name, [[line.baseline for line in find_lines(page.open()[0], finder=name).lines] for page in pages]
        elif name == "rapidocr":
            if (boxes := told(args.peers, name, RAPIDOCR, pages)) is not None:
                for share in args.raised:
                    yield f"{name}, raised {share:g}", [lower_edges(page, share) for page in boxes]
        elif (lines := told(args.peers, name, KRAKEN, pages)) is not None:
            yield name, lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", type=Path, nargs="+", metavar="PAGES")
    parser.add_argument("--finders", nargs="+", choices=[*FINDERS, "rapidocr", "kraken"], default=list(FINDERS))
    parser.add_argument("--peers", type=Path, default=Path("peers"), help="folder of virtual environments")
    parser.add_argument("--raised", type=float, nargs="+", default=[0.25], help="shares of a box's height")
    parser.add_argument("--split", default="val", choices=["train", "val", "test"])
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take every N-th page only")
    args = parser.parse_args()
    pages = [page for page in marked_pages(args.pages) if page.split == args.split][:: args.every]
    print(f"{len(pages)} pages\n\n| finder | collection | true lines | found | P | R | F1 |")
    print("|---|---|---|---|---|---|---|")
    for name, found in found_by(args, pages):
        counts = defaultdict(BaselineCounts)
        for page, lines in zip(pages, found, strict=True):
            here = count_baselines([line.baseline for line in page.open()[1].lines], lines)
            for group in (page.collection, "all"):
                counts[group] += here
        for group, n in sorted(counts.items()):
            rates = f"{n.precision:.3f} | {n.recall:.3f} | {n.f1:.3f}"
            print(f"| {name} | {group} | {n.true} | {n.found} | {rates} |", flush=True)


if __name__ == "__main__":
    main()
