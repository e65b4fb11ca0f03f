"""Average the weights of bundles that went on from one another: what runs end at lies around a better place.

    python tools/average.py BUNDLE BUNDLE... -o OUT

After Izmailov et al. 2018, "Averaging weights leads to wider optima and better generalization": each bundle counts
alike. Network and alphabet must be the same; preprocessing, language model and provenance are those of the last one.
Means and variances of normalisation are averaged, too. OUT has no int8 graph and is not tuned: see quantise.py and
`uncial tune`. Of layout bundles the filters of their graphs are averaged, of which normalisation is a part there, and
OUT is ready to find lines.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from uncial.bundle import load_bundle, save_bundle
from uncial.checkpoint import begin_anew
from uncial.heritage import language_of
from uncial.layout.bundle import SETTINGS, load_layout, save_layout
from uncial.nn.crnn import CRNN
from uncial.nn.onnx_graph import onnx_graph


def main() -> None:
    """Average and say where the bundle is."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("bundles", type=Path, nargs="+", metavar="BUNDLE")
    options.add_argument("-o", "--out", type=Path, required=True, help="the bundle to write")
    chosen = options.parse_args()
    begin_anew(chosen.out)
    layouts = any((path / SETTINGS).exists() for path in chosen.bundles)
    (average_layouts if layouts else average)(chosen.bundles, chosen.out)
    print(f"{chosen.out}: the mean of {len(chosen.bundles)} bundles")


def average(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of bundles that read."""
    bundles = [load_bundle(path) for path in paths]
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
    provenance.pop("held_out", None)  # the others may have learned from these lines
    how = last.architecture, last.alphabet, last.line_image
    language = language_of(last, last.alphabet, [])[0] if last.language_model else None
    save_bundle(out, *how, provenance, weights, onnx_graph(network), language)


def average_layouts(paths: Sequence[Path], out: Path) -> None:
    """Write the mean of layout bundles."""
    layouts = [load_layout(path) for path in paths]
    graphs = [onnx.load(layout.graph) for layout in layouts]
    tensors = [{tensor.name: tensor for tensor in graph.graph.initializer} for graph in graphs]
    shapes = [{name: list(tensor.dims) for name, tensor in some.items()} for some in tensors]
    for layout, own in zip(layouts, shapes, strict=True):
        if (layout.size, own) != (layouts[-1].size, shapes[-1]):
            raise SystemExit(f"{layout.path}: has another network or size than {paths[-1]}; average what is alike")
    for name, tensor in tensors[-1].items():
        values = [numpy_helper.to_array(some[name]) for some in tensors]
        if values[-1].dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(np.mean(values, axis=0), name))
    last = layouts[-1]
    save_layout(out, graphs[-1].SerializeToString(), last.size, {**last.provenance, "averaged": len(layouts)})


if __name__ == "__main__":
    main()
