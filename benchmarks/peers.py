"""The programs that beside_peers.py measures, each run by its own command with its own defaults."""

import math
import os
import shutil
import signal
import site
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import tomllib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

from uncial.bundle import load_bundle

HERE = Path(__file__).parent
SOURCE = HERE.parent / "src" / "uncial"
DEFAULT, SMALL = "default", "small"  # the networks that ship
Command = list[str]


@dataclass(frozen=True, slots=True)
class Peer:
    """How to run a program; None where it has no such job.

    Attributes:
        train: (images, passes over them, folder to write into) -> command.
        read: (images, folder to write into) -> command.
        folders: where its files are.
        version: its own, or "" where it has none.
        size: MB that its install takes, and what else is to be said of that.
        passes: few and more, for training.
        lines: to read.
    """

    train: Callable[[list[Path], int, Path], Command] | None
    read: Callable[[list[Path], Path], Command] | None
    folders: tuple[Path, ...] = ()
    version: str = ""
    size: str = ""
    passes: tuple[int, int] = (1, 3)
    lines: int = 128


def peers(folder: Path, threads: int) -> dict[str, Peer]:
    """The programs that are installed, Uncial first."""
    python = sys.executable
    ours = tuple(Path(path) for path in {*site.getsitepackages(), str(SOURCE), sysconfig.get_path("stdlib")})
    found = {"uncial": _uncial(python, threads), "uncial, small": _uncial(python, threads, SMALL)}
    found["PyLaia's shape"] = _shape(python)
    if shutil.which("tesseract"):
        found["tesseract"] = _tesseract()
    if (rapid := folder / "rapidocr" / "bin").is_dir():
        script = RAPID.replace("THREADS", str(threads))
        found["rapidocr"] = Peer(None, lambda images, _: [f"{rapid}/python", "-c", script, *map(str, images)])
    if (calamari := folder / "calamari" / "bin").is_dir():
        found["calamari"] = _calamari(calamari)
    if (kraken := folder / "kraken" / "bin").is_dir():
        found["kraken"] = _kraken(kraken, threads)
    packages = {"rapidocr": "rapidocr", "calamari": "calamari_ocr", "kraken": "kraken"}
    for name, peer in found.items():
        if name in packages:
            place = folder / name
            told = {"folders": (place,), "version": _version(place, packages[name]), "size": f"{_mb(place):,.0f}"}
            found[name] = replace(peer, **told)
        elif name != "tesseract":
            found[name] = replace(peer, folders=ours)
    return found


def _uncial(python: str, threads: int, model: str = DEFAULT) -> Peer:
    """Uncial with one of the networks that ship: reads with the bundle, trains such a one from nothing."""
    parts = load_bundle(model).architecture
    network = [f"network.channels={list(parts.channels)}", f"network.recurrent_size={parts.recurrent_size}"]
    start = [python, "-m", "uncial"]
    several = "--processes" in subprocess.run([*start, "read", "--help"], capture_output=True, text=True).stdout
    processes = ["--processes", str(threads)] if several else []

    def train(images: list[Path], passes: int, out: Path) -> Command:
        rest = "threads=1 validation_lines=1 validate_minutes=999 checkpoint_minutes=999 int8_lines=0 language_bytes=0"
        settings = [word for setting in (*rest.split(), *network) for word in ("--set", setting)]
        data = [str(_archive(images, out / "lines.zip")), "-o", f"{out}/bundle", "--epochs", str(passes)]
        return [*trainer(python, threads), "train", *data, *settings]

    def read(images: list[Path], _: Path) -> Command:
        # By the best path, as the others read: by default Uncial weighs every line with a language model, too.
        return [*start, "read", "-m", model, "--quality", "fast", *processes, *map(str, images)]

    size = f"{installed():,.0f}, with training {installed('train'):,.0f}"
    return Peer(train, read, size=size, passes=(2, 10), lines=256)


def trainer(python: str, processes: int) -> Command:
    """How Uncial is started to train, with so many processes of one thread."""
    way = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    return [python, *way, "-m", "uncial"]


def _archive(images: list[Path], path: Path) -> Path:
    """A line archive of these images, all to train on; the first once more, to validate by."""
    rows = [("image", "text", "split")]
    with zipfile.ZipFile(path, "w") as archive:
        for number, image in enumerate([images[0], *images]):
            text = image.with_suffix(".gt.txt").read_text(encoding="utf-8")
            rows.append((f"{number}.png", text, "train" if number else "val"))
            archive.write(image, rows[-1][0])
        archive.writestr("lines.tsv", "".join("\t".join(row) + "\n" for row in rows))
    return path


def _shape(python: str) -> Peer:
    script = str(HERE / "pylaia_shape.py")
    return Peer(
        lambda images, passes, _: [python, script, "train", str(passes * len(images))],
        lambda images, _: [python, script, "read", str(len(images))],
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

    return Peer(train, read, lines=65)


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

    return Peer(train, read, passes=(1, 5), lines=256)


def _tesseract() -> Peer:
    def read(images: list[Path], out: Path) -> Command:
        (out / "list.txt").write_text("".join(f"{image}\n" for image in images), encoding="utf-8")
        return ["tesseract", f"{out}/list.txt", f"{out}/text", "--psm", "13", "-l", "fra"]

    version = subprocess.run(["tesseract", "--version"], capture_output=True, text=True).stdout.split()
    packages = "tesseract-ocr", "tesseract-ocr-fra", "tesseract-ocr-osd", "libtesseract*", "liblept*"
    ask = ["dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Installed-Size}\n", *packages]
    told = subprocess.run(ask, capture_output=True, text=True).stdout if shutil.which("dpkg-query") else ""
    kilobytes = sum(int(line.split()[-1]) for line in told.splitlines() if line.startswith("ii"))
    size = f"{kilobytes / 1000:,.0f}" if kilobytes else ""
    return Peer(None, read, (Path("/usr/share/tesseract-ocr"),), version[1] if version else "", size, lines=256)


RAPID = """
import sys, cv2
from rapidocr import RapidOCR
engine = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": THREADS, "Global.log_level": "error"})
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


def installed(extra: str = "") -> float:
    """MB of what `pip install uncial[extra]` brings, by the files of the packages that are installed here.

    Raises:
        importlib.metadata.PackageNotFoundError: one of them is not installed.
    """
    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *(project["optional-dependencies"][extra] if extra else [])]
    waiting, names = [Requirement(text) for text in asked], set[str]()
    while waiting:
        one = waiting.pop()
        if one.name.lower() in names or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        names.add(one.name.lower())
        waiting += map(Requirement, distribution(one.name).requires or [])
    files = [Path(file.locate()) for name in names for file in distribution(name).files or []]
    return _mb(SOURCE) + sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def _version(place: Path, package: str) -> str:
    found = sorted(place.glob(f"lib/python3*/site-packages/{package}-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").rpartition("-")[2] if found else ""


def _mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink()) / 1e6


def environment(threads: int) -> dict[str, str]:
    names = (
        "OMP_NUM_THREADS",
        "OMP_THREAD_LIMIT",
        "TF_NUM_INTRAOP_THREADS",
        "TF_NUM_INTEROP_THREADS",
        "MKL_NUM_THREADS",
    )
    return {**os.environ, **dict.fromkeys(names, str(threads)), "TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took: seconds of processor and wall time, and the most memory of one of its processes in MB."""

    cpu: float
    wall: float
    memory: float


def ended(process: subprocess.Popen[bytes]) -> None:
    """End a command; torchrun hands the signal on to its processes, which have groups of their own."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def timed(command: Command, threads: int, until: float = math.inf) -> Run:
    """Run a command to its end; its children count in time.

    Raises:
        RuntimeError: it failed; with the end of what it said.
        TimeoutError: it was not done `until` then, by time.monotonic(), and was ended.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, env=environment(threads), start_new_session=True)
        end = partial(os.killpg, process.pid, signal.SIGKILL)
        clock = threading.Timer(min(max(0.0, until - began), threading.TIMEOUT_MAX), end)
        clock.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # Ctrl-C: nothing is left running
            ended(process)
            raise
        finally:
            clock.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            if time.monotonic() >= until:
                raise TimeoutError(f"{command[:4]}: not done in time")
            told.seek(0)
            raise RuntimeError(f"{command[:4]} failed: {told.read()[-800:].decode(errors='replace')}")
    return Run(usage.ru_utime + usage.ru_stime, time.monotonic() - began, usage.ru_maxrss / 1024)
