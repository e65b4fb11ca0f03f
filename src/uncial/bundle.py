"""A bundle is a trained model in one folder: everything that reading needs, and nothing that runs.

    bundle.json           version, network, preprocessing, alphabet, provenance, checksums of the other files
    weights.safetensors   the weights, stored once (see `uncial.weights`)
    model.onnx            the graph that reads; its weights lie in weights.safetensors (see `uncial.nn.onnx_graph`)
    *.int8.onnx           the same in int8, if it was found to read as well (see `uncial.quantise`)
    lm.safetensors        a language model over the alphabet, if it has one (see `uncial.ngram_file`)

A bundle is written beside its place and moved there when it is whole. Loading it runs no code.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uncial.alphabet import Alphabet
from uncial.architecture import CRNNConfig
from uncial.atomic import aside, replace_folder
from uncial.config import DEFAULT, from_dict, to_dict
from uncial.errors import AlphabetError, BundleError, ConfigError, StorageError
from uncial.lineimage import LineImageConfig
from uncial.ngram_file import Language
from uncial.reliability import Calibration
from uncial.weights import Weights, pack, places, unpack

VERSION = 1
SETTINGS, WEIGHTS, GRAPH = "bundle.json", "weights.safetensors", "model.onnx"
INT8_GRAPHS = ("model.int8.onnx",), ("slices.int8.onnx", "context.int8.onnx")  # in one piece or in two
LANGUAGE_MODEL = "lm.safetensors"
FILES = WEIGHTS, GRAPH, *INT8_GRAPHS[0], *INT8_GRAPHS[1], LANGUAGE_MODEL
SHIPPED = Path(__file__).parent / "models" / DEFAULT
MODELS = {file.parent.name: file.parent for file in SHIPPED.parent.glob(f"*/{SETTINGS}")}  # all that ship, by name
_HEAD = "head.bias"  # one number for each class, for each time step of a slice
_CURE = "copy the whole folder again, or train it anew"


@dataclass(frozen=True)
class Bundle:
    """A trained model.

    Attributes:
        path: its folder.
        architecture: the parts of the network.
        alphabet: the graphemes it spells.
        line_image: the preprocessing it was trained with.
        provenance: data, licences, recipe and results, as plain JSON.
        beam: weights of the beam search that were found best with this bundle's language model, as plain JSON.
        calibration: of confidences.
    """

    path: Path
    architecture: CRNNConfig
    alphabet: Alphabet
    line_image: LineImageConfig
    provenance: dict[str, Any]
    beam: dict[str, Any] = field(default_factory=dict)
    calibration: Calibration = Calibration()

    @cached_property
    def weights(self) -> Weights:
        """The weights by their names in the network's state dictionary, in fp32; read on first use.

        Raises:
            BundleError: they cannot be read.
        """
        try:
            return unpack((self.path / WEIGHTS).read_bytes())
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.path / WEIGHTS}: cannot be read ({error}); {_CURE}") from error

    @property
    def graph(self) -> Path:
        """The ONNX graph.

        Raises:
            BundleError: the bundle was saved without one.
        """
        path = self.path / GRAPH
        if not path.is_file():
            raise BundleError(
                f"{self.path}: has no {GRAPH}; read with the torch backend, or save the bundle with a graph"
            )
        return path

    @property
    def int8_graphs(self) -> tuple[Path, ...]:
        """The ONNX graph in int8, or two: up to the slices, and what stands behind them; (): the bundle has none."""
        either = [tuple(self.path / name for name in names) for names in reversed(INT8_GRAPHS)]
        return next((paths for paths in either if all(path.is_file() for path in paths)), ())

    @property
    def held_out(self) -> Sequence[str]:
        """Ids of the lines that its training took out of those it was given, to choose by."""
        return self.provenance.get("held_out", ())  # type: ignore[no-any-return]

    @property
    def language_model(self) -> Path | None:
        """The language model of its alphabet; None: the bundle has none."""
        path = self.path / LANGUAGE_MODEL
        return path if path.is_file() else None


def save_bundle(  # noqa: PLR0913, PLR0917 - a bundle has these eight parts, and each caller has them apart
    path: Path,
    architecture: CRNNConfig,
    alphabet: Alphabet,
    line_image: LineImageConfig,
    provenance: Mapping[str, Any],
    weights: Mapping[str, NDArray[np.floating]],
    graph: bytes | None = None,
    language: Language | None = None,
) -> Bundle:
    """Write a bundle; one that stands there already is replaced, and stays whole until the new one is.

    Args:
        path: folder to write.
        architecture: the parts of the network.
        alphabet: its graphemes.
        line_image: the preprocessing.
        provenance: plain JSON values.
        weights: by their names in the network's state dictionary.
        graph: as `nn.onnx_graph.onnx_graph` gives it; None: the bundle reads with PyTorch only.
        language: its language model; None: it has none.

    Raises:
        StorageError: full disk or no permission, or something that is not a bundle stands at `path`; what stood there
            is untouched.
        ValueError: a weight is not finite, or the head does not fit the alphabet.
    """
    path = Path(path)
    files = {WEIGHTS: pack(weights)} | ({GRAPH: graph} if graph is not None else {})
    if len(weights[_HEAD]) != alphabet.size * architecture.steps_per_slice:
        raise ValueError(
            f"the head has {len(weights[_HEAD])} outputs, not {alphabet.size} classes for each of "
            f"{architecture.steps_per_slice} time steps"
        )
    settings: dict[str, Any] = {
        "format": "uncial bundle",
        "version": VERSION,
        "architecture": to_dict(architecture),
        "line_image": to_dict(line_image),
        "alphabet": list(alphabet.graphemes),
        "provenance": dict(provenance),
    }
    if language is not None:
        files[LANGUAGE_MODEL] = language.data
        settings["provenance"]["language_model"] = dict(language.about)
        settings |= {"beam": dict(language.beam), "calibration": language.calibration.plain()}
    if path.exists() and not (path / SETTINGS).is_file() and not (path.is_dir() and not any(path.iterdir())):
        raise StorageError(f"{path}: is there already and is not a bundle; choose another name")
    return _write(path, settings, files)


def with_int8_graphs(bundle: Bundle, graphs: Sequence[bytes]) -> Bundle:
    """Store what `quantise` made for this bundle, see `Bundle.int8_graphs`, in place of what it has; () takes that out.

    Raises:
        StorageError: it could not be written; the bundle is as it was.
    """
    files = {name: data for name, data in _files(bundle).items() if name not in {*INT8_GRAPHS[0], *INT8_GRAPHS[1]}}
    if graphs:
        files |= zip(INT8_GRAPHS[len(graphs) - 1], graphs, strict=True)
    return _write(bundle.path, _settings(bundle.path), files)


def add_language_model(bundle: Bundle, data: bytes, about: Mapping[str, Any], **decoding: Any) -> Bundle:
    """Store a language model over the bundle's alphabet; all else stays as it is.

    Args:
        bundle: to store it in.
        data: what `ngram_file.to_bytes` gave.
        about: its origin, as plain JSON; it becomes "language_model" in the provenance.
        decoding: "beam" and "calibration" as plain JSON, where they change with it; see `Bundle`.

    Raises:
        StorageError: it could not be written; the bundle is as it was.
    """
    settings = _settings(bundle.path) | decoding
    settings["provenance"] = {**settings["provenance"], "language_model": dict(about)}
    return _write(bundle.path, settings, _files(bundle) | {LANGUAGE_MODEL: data})


def add_decoding(bundle: Bundle, beam: Mapping[str, Any], calibration: Calibration) -> Bundle:
    """Store how to decode what the network gives, as `tune` found it; all else stays as it is.

    Args:
        bundle: to store it in.
        beam: settings of `decoders.beam.BeamConfig` that differ from its defaults.
        calibration: of confidences.

    Raises:
        StorageError: it could not be written; the bundle is as it was.
    """
    settings = _settings(bundle.path) | {"beam": dict(beam), "calibration": calibration.plain()}
    return _write(bundle.path, settings, _files(bundle))


def _files(bundle: Bundle) -> dict[str, bytes]:
    """All files of a bundle but its settings."""
    paths = [bundle.path / name for name in FILES]
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def _write(path: Path, settings: Mapping[str, Any], files: Mapping[str, bytes]) -> Bundle:
    """Write settings and files as one folder, in place of what stands there."""
    settings = {**settings, "files": {name: _checksum(data) for name, data in files.items()}}
    files = {**files, SETTINGS: json.dumps(settings, ensure_ascii=False, indent=1).encode()}
    replace_folder(path, files, gone=FILES)  # of the network before
    return load_bundle(path)


def load_bundle(path: Path | str | None = None) -> Bundle:
    """Open a bundle and check that it is whole.

    Args:
        path: its folder, or, where there is no such folder, the name of a model that ships; None: "default".

    Raises:
        BundleError: there is none, it is damaged, or it is of a newer version; the message names the cure.
    """
    folder = SHIPPED if path is None else Path(path)
    if not folder.exists() and aside(folder).exists():
        folder = aside(folder)  # the machine stopped between the two moves of `replace_folder`
    if not folder.exists():
        folder = MODELS.get(str(path), folder)
    settings = _settings(folder)
    try:
        architecture = from_dict(CRNNConfig, settings["architecture"])
        line_image = from_dict(LineImageConfig, settings["line_image"])
        alphabet = Alphabet(tuple(settings["alphabet"]))
        checksums, provenance = dict(settings["files"]), dict(settings["provenance"])
        beam, calibration = dict(settings.get("beam", {})), Calibration.of(settings.get("calibration", {}))
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError, AlphabetError) as error:
        raise BundleError(f"{folder / SETTINGS}: is damaged ({error}); {_CURE}") from error
    _check_files(folder, checksums, alphabet.size * architecture.steps_per_slice)
    return Bundle(folder, architecture, alphabet, line_image, provenance, beam, calibration)


def load_own(path: Path) -> Bundle:
    """Open a bundle that is to be changed.

    Raises:
        BundleError: see `load_bundle`.
        ConfigError: it is named as a shipped one, which stays as it is.
    """
    bundle = load_bundle(path)
    if bundle.path == MODELS.get(str(path)):
        raise ConfigError(f"{path}: is a shipped model, which stays as it is; copy {bundle.path} and name the copy")
    return bundle


def _settings(folder: Path) -> dict[str, Any]:
    """The bundle.json of a folder, of a version that is known."""
    file = folder / SETTINGS
    if not file.is_file():
        found = "is not a folder" if folder.is_file() else f"has no {SETTINGS}" if folder.exists() else "no such folder"
        raise BundleError(
            f"{folder}: {found}; a bundle is what 'uncial train -o' writes; shipped: {', '.join(sorted(MODELS))}"
        )
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        version = int(settings["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{file}: is damaged ({error}); {_CURE}") from error
    if version > VERSION:
        raise BundleError(
            f"{folder}: is of version {version}, this Uncial knows {VERSION}; update it (pip install --upgrade uncial)"
        )
    return settings  # type: ignore[no-any-return]


def _check_files(folder: Path, checksums: Mapping[str, str], outputs: int) -> None:
    """Compare the files with their checksums, and the head with the number of its outputs."""
    for name in {WEIGHTS, *checksums}:
        try:
            data = (folder / name).read_bytes()
        except OSError as error:
            raise BundleError(f"{folder / name}: cannot be read ({error.strerror}); {_CURE}") from error
        if _checksum(data) != checksums.get(name):
            raise BundleError(f"{folder / name}: is damaged ({len(data):,} bytes, wrong checksum); {_CURE}")
        if name == WEIGHTS:
            head = places(data).get(_HEAD)
            if head is None or head.shape != (outputs,):
                raise BundleError(f"{folder}: the weights do not fit the alphabet; {_CURE}")


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
