"""Average the weights of bundles that went on from one another: what runs end at lies around a better place.

    python tools/average.py BUNDLE BUNDLE... -o OUT

After Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization": each bundle counts
alike. Network and alphabet must be the same; preprocessing, language model and provenance are those of the last one.
Means and variances of normalisation are averaged, too. OUT has no int8 graph and is not tuned: see quantise.py and
`uncial tune`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from uncial.bundle import load_bundle, save_bundle
from uncial.checkpoint import begin_anew
from uncial.heritage import language_of
from uncial.nn.crnn import CRNN
from uncial.nn.onnx_graph import onnx_graph


def main() -> None:
    """Average and say where the bundle is."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    options.add_argument("-o", "--out", type=Path, required=True, help="the bundle to write")
    chosen = options.parse_args()
    begin_anew(chosen.out)
    bundles = [load_bundle(path) for path in chosen.bundles]
    last = bundles[-1]
    for bundle in bundles:
        if (bundle.architecture, bundle.alphabet) != (last.architecture, last.alphabet):
            raise SystemExit(f"{bundle.path}: has another network or alphabet than {last.path}; average what is alike")
    weights = {
        name: np.mean([np.asarray(bundle.weights[name], np.float32) for bundle in bundles], axis=0)
        for name in last.weights
    }
    network = CRNN(last.architecture, last.alphabet.size).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    provenance = {**last.provenance, "averaged": len(bundles)}
    how = last.architecture, last.alphabet, last.line_image
    language = language_of(last, last.alphabet, [])[0] if last.language_model else None
    save_bundle(chosen.out, *how, provenance, weights, onnx_graph(network), language)
    print(f"{chosen.out}: the mean of {len(bundles)} bundles")


if __name__ == "__main__":
    main()
