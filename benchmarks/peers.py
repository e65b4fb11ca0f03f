"""The programs that beside_peers.py measures, each run by its own command with its own defaults."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
Command = list[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """How to run a program; None where it has no such job.

    Attributes:
        train: (images, passes over them, folder to write into) -> command.
        read: (images, folder to write into) -> command.
        size: MB that its install takes.
        passes: few and more, for training.
        lines: few and more, for reading.
    """

    train: Callable[[list[Path], int, Path], Command] | None
    read: Callable[[list[Path], Path], Command] | None
    size: int
    passes: tuple[int, int] = (1, 3)
    lines: tuple[int, int] = (16, 128)


def peers(folder: Path, threads: int) -> dict[str, Peer]:
    """The programs that are installed."""
    python = sys.executable
    found = {"uncial": _uncial(python, threads), "PyLaia's shape": _shape(python)}
    if (kraken := folder / "kraken" / "bin").is_dir():
        found["kraken"] = _kraken(kraken, threads)
    if (calamari := folder / "calamari" / "bin").is_dir():
        found["calamari"] = _calamari(calamari)
    if (rapid := folder / "rapidocr" / "bin").is_dir():
        found["rapidocr"] = Peer(
            None, lambda images, _: [f"{rapid}/python", "-c", RAPID, *map(str, images)], _mb(rapid)
        )
    if shutil.which("tesseract"):
        found["tesseract"] = Peer(None, _tesseract, 23, lines=(16, 256))
    return found


def _uncial(python: str, threads: int) -> Peer:
    def train(images: list[Path], passes: int, out: Path) -> Command:
        rest = f"threads={threads} validation_lines=1 validate_minutes=999 checkpoint_minutes=999 int8_lines=0"
        settings = [word for setting in rest.split() for word in ("--set", setting)]
        return [
            python,
            "-m",
            "uncial",
            "train",
            str(images[0].parent),
            "-o",
            f"{out}/bundle",
            "--epochs",
            str(passes),
        ] + settings

    def read(images: list[Path], _: Path) -> Command:
        return [python, "-m", "uncial", "read", *map(str, images)]

    return Peer(train, read, 0, passes=(2, 8), lines=(16, 256))


def _shape(python: str) -> Peer:
    script = str(HERE / "pylaia_shape.py")
    return Peer(
        lambda images, passes, _: [python, script, "train", str(passes * len(images))],
        lambda images, _: [python, script, "read", str(len(images))],
        0,
    )


def _kraken(folder: Path, threads: int) -> Peer:
    ways = ["--threads", str(threads), "-d", "cpu"]

    def train(images: list[Path], passes: int, out: Path) -> Command:
        files = [str(image) for image in images]
        (out / "held-out.txt").write_text(files[0] + "\n", encoding="utf-8")
        fixed = ["-e", f"{out}/held-out.txt", "-N", str(passes), "-q", "fixed", "-F", str(passes), "-o", f"{out}/model"]
        return [f"{folder}/ketos", *ways, "--workers", "0", "train", "-f", "path", *fixed, *files]

    def read(images: list[Path], out: Path) -> Command:
        model = _once(folder.parent / "speed-model", train(images[:16], 1, made(out / "kraken")), out / "kraken")
        weights = str(next(model.glob("**/best_*")))
        pairs = [word for image in images for word in ("-i", str(image), f"{out}/{image.stem}.txt")]
        return [f"{folder}/kraken", *ways, *pairs, "ocr", "-s", "--num-line-workers", "0", "-m", weights]

    return Peer(train, read, _mb(folder), lines=(8, 72))


def _calamari(folder: Path) -> Peer:
    def train(images: list[Path], passes: int, out: Path) -> Command:
        given = [
            "--train.images",
            *map(str, images),
            "--trainer.epochs",
            str(passes),
            "--trainer.output_dir",
            f"{out}/model",
        ]
        return [
            f"{folder}/calamari-train",
            *given,
            "--trainer.skip_model_load_test",
            "True",
            "--trainer.gen",
            "TrainOnly",
        ]

    def read(images: list[Path], out: Path) -> Command:
        model = _once(folder.parent / "speed-model", train(images[:16], 1, made(out / "calamari")), out / "calamari")
        checkpoint = str(next(model.glob("**/*.ckpt.json")))
        return [f"{folder}/calamari-predict", "--checkpoint", checkpoint, "--data.images", *map(str, images)]

    return Peer(train, read, _mb(folder))


def _tesseract(images: list[Path], out: Path) -> Command:
    (out / "list.txt").write_text("".join(f"{image}\n" for image in images), encoding="utf-8")
    return ["tesseract", f"{out}/list.txt", f"{out}/text", "--psm", "13", "-l", "fra"]


RAPID = """
import sys, cv2
from rapidocr import RapidOCR
engine = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": 1, "Global.log_level": "error"})
for path in sys.argv[1:]:
    engine(cv2.imread(path), use_det=False, use_cls=False, use_rec=True)
"""


def _once(kept: Path, command: Command, out: Path) -> Path:
    """The folder of a model that is only there to be timed, trained the first time it is asked for."""
    if not kept.exists():
        subprocess.run(command, check=True, capture_output=True, env=environment(1))
        shutil.copytree(out, kept)
    return kept


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _mb(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.parent.rglob("*") if file.is_file()) // 1_000_000


def environment(threads: int) -> dict[str, str]:
    names = (
        "OMP_NUM_THREADS",
        "OMP_THREAD_LIMIT",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "MKL_NUM_THREADS",
    )
    return {**os.environ, **dict.fromkeys(names, str(threads)), "TF_CPP_MIN_LOG_LEVEL": "3"}
