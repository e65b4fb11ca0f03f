"""Several processes: the same results in the same order as of one, and an end without a mess, whoever is stopped."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from commands import uncial, write_pairs, written_sheet
from conftest import TEXTS, DrawnLine
from PIL import Image

from uncial.archive import Task
from uncial.bundle import Bundle
from uncial.document import Transcript
from uncial.errors import BundleError, ImageError
from uncial.image_file import Gray
from uncial.recognizer import Recognizer
from uncial.scan import STDIN
from uncial.together import Portion, portions, processes_for, processors, read_all

Lines = Sequence[DrawnLine]


@pytest.fixture
def mixed(tmp_path: Path, drawn_lines: Lines) -> list[Path]:
    """Lines, a page, TIFF and PDF of several pages, and files that cannot be read."""
    lines = write_pairs(tmp_path / "lines", drawn_lines)
    small, page = Image.fromarray(drawn_lines[1].image), Image.fromarray(written_sheet())
    (lines / "line001.png").write_bytes(b"no image")
    page.save(tmp_path / "page.png")
    page.save(tmp_path / "leaves.tif", save_all=True, append_images=[small, page])
    page.save(tmp_path / "pages.pdf", save_all=True, append_images=[page], resolution=100)
    return [tmp_path / name for name in ("page.png", "lines", "leaves.tif", "none.png", "pages.pdf")]


def test_work_is_dealt_out_by_pages_and_by_handfuls_of_lines(mixed: list[Path], tmp_path: Path) -> None:
    lines = sorted(str(path) for path in (tmp_path / "lines").glob("*.png"))
    page, _, tiff, missing, pdf = map(str, mixed)
    assert portions([page, *lines, tiff, missing, STDIN, pdf]) == [
        Portion((page, lines[0]), scans=2),
        Portion((lines[1],)),  # what it holds is not known
        Portion((lines[2], lines[3]), scans=2),
        *(Portion((tiff,), number) for number in (1, 2, 3)),
        Portion((missing,)),
        Portion((STDIN,)),
        *(Portion((pdf,), number) for number in (1, 2)),
    ]
    assert [len(portion.names) for portion in portions([lines[0]] * 150)] == [64, 64, 22]


def test_as_many_processes_read_as_there_is_work_for() -> None:
    work = [Portion((str(n),)) for n in range(100)]
    assert processes_for(work) == min(100, processors())
    assert (processes_for(work[:2]), processes_for(work[:2], 8), processes_for(work, 1), processes_for([])) == (
        1,
        2,
        1,
        1,
    )
    assert processes_for([*work, Portion((STDIN,))], 8) == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="has no named pipes")
def test_a_pipe_is_read_once_and_by_this_process(
    tiny_bundle: Bundle, drawn_lines: Lines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = write_pairs(tmp_path / "lines", drawn_lines[:1]) / "line000.png"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert processes_for([Portion((str(pipe),)), *(Portion((str(n),)) for n in range(9))], 8) == 1
    with subprocess.Popen([sys.executable, "-c", f"open({str(pipe)!r}, 'wb').write(open({str(line)!r}, 'rb').read())"]):
        ran = uncial("read", "-m", tiny_bundle.path, pipe)
    assert (ran.out.strip(), ran.code) == (TEXTS[0], 0)


def test_two_processes_give_what_one_gives_in_the_same_order(mixed: list[Path], tiny_bundle: Bundle) -> None:
    one, two = (uncial("read", "-m", tiny_bundle.path, "-f", "json", "--processes", n, *mixed) for n in (1, 2))
    assert (two.out, two.told, two.code) == (one.out, one.told, 3)
    assert [line.split(": ")[1].rpartition("/")[2] for line in two.told.splitlines()] == ["line001.png", "none.png"]


def test_two_processes_write_the_same_files(mixed: list[Path], tiny_bundle: Bundle, tmp_path: Path) -> None:
    for n in (1, 2):
        out = f"{tmp_path}/{n}/"
        assert uncial("read", "-m", tiny_bundle.path, "-f", "pdf", "--processes", n, "-o", out, *mixed).code == 3
    one, two = ({path.name: path.read_bytes() for path in (tmp_path / n).iterdir()} for n in ("1", "2"))
    assert len(one) == 9
    assert two == one


def test_what_stops_all_is_told_once(mixed: list[Path], tmp_path: Path) -> None:
    work = portions(map(str, mixed[2:]))
    with pytest.raises(BundleError, match="nowhere"):
        list(read_all(work, Task(model=tmp_path / "nowhere"), 2))
    assert not multiprocessing.active_children()
    ran = uncial("read", "-m", tmp_path / "nowhere", "--processes", 2, *mixed)
    assert (ran.out, ran.code, ran.told.count("uncial: ")) == ("", 6, 1)


class DeadlyTask(Task):
    """A task whose process dies of black images, as it would for want of memory."""

    def recognizer(self) -> Recognizer:
        recognizer = super().recognizer()
        read = recognizer.try_lines

        def try_lines(images: Iterable[Gray]) -> Iterator[Transcript | ImageError]:
            held = list(images)
            if any(image.max() == 0 for image in held):
                os._exit(9)
            return read(held)

        recognizer.try_lines = try_lines  # type: ignore[method-assign]
        return recognizer


def test_a_scan_that_kills_its_process_takes_no_other_with_it(
    tiny_bundle: Bundle, drawn_lines: Lines, tmp_path: Path
) -> None:
    folder = write_pairs(tmp_path / "lines", drawn_lines, repeat=20)
    names = [str(path) for path in sorted(folder.glob("*.png"))]
    for n in (5, 6, 70):
        Image.fromarray(np.zeros((40, 200), np.uint8)).save(names[n])
    found = list(read_all(portions(names), DeadlyTask(shows="line", model=tiny_bundle.path), 2))
    assert [result.name for result in found] == names
    lost = [n for n, result in enumerate(found) if result.unread]
    assert lost == [5, 6, 70]
    assert "the process that read it ended (exit code 9)" in found[5].unread[0]
    for n, (result, text) in enumerate(zip(found, TEXTS * 20, strict=True)):
        assert n in lost or result.data.decode().strip() == text
    assert not multiprocessing.active_children()


def test_a_process_that_is_ended_from_outside_takes_at_most_what_it_read(
    tiny_bundle: Bundle, drawn_lines: Lines, tmp_path: Path
) -> None:
    names = [str(path) for path in sorted(write_pairs(tmp_path / "lines", drawn_lines, repeat=60).glob("*.png"))]
    reading = read_all(portions(names), Task(model=tiny_bundle.path), 2)
    found = [next(reading)]
    multiprocessing.active_children()[0].kill()
    found += reading
    assert [result.name for result in found] == names
    assert sum(bool(result.unread) for result in found) <= 1
    texts = [result.data.decode().strip() for result in found if not result.unread]
    assert len(texts) >= len(names) - 1 and set(texts) == set(TEXTS)
    assert not multiprocessing.active_children()


def test_nothing_runs_on_when_nobody_reads_on(tiny_bundle: Bundle, mixed: list[Path]) -> None:
    reading = read_all(portions(map(str, mixed[2:])), Task(model=tiny_bundle.path), 2)
    next(reading)
    assert len(multiprocessing.active_children()) == 2
    reading.close()
    assert not multiprocessing.active_children()


def alive(group: int) -> list[str]:
    """The processes of a group that run, as Linux tells them."""
    states = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            states.append(path.read_text().rpartition(")")[2].split())
    return [state for state, _, of, *_ in states if int(of) == group and state != "Z"]


def listening() -> None:
    """Hear Ctrl-C: what a shell starts in the background is deaf to it, and so is all that comes of it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are counted as Linux tells them")
def test_ctrl_c_ends_all_processes_and_leaves_what_was_read(tiny_bundle: Bundle, tmp_path: Path) -> None:
    sheet = written_sheet()
    for n in range(40):
        Image.fromarray(np.roll(sheet, n)).save(tmp_path / f"{n:02}.png")
    out = tmp_path / "out"
    command = [sys.executable, "-m", "uncial", "read", "-m", str(tiny_bundle.path), "--processes", "2", "-o", str(out)]
    running = subprocess.Popen(
        [*command, "-f", "page", *map(str, sorted(tmp_path.glob("*.png")))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=listening,
    )
    end = time.monotonic() + 120
    while not list(out.glob("*.xml")) and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal sends it, to all processes
    _, told = running.communicate(timeout=60)
    assert (told, running.returncode) == (f"\nuncial: interrupted; what was read is in {out}\n", 130)
    # A process that is ended while it writes may leave the hidden file that was to become a page.
    pages = [path for path in out.iterdir() if not path.name.startswith(".")]
    assert 1 <= len(pages) < 40
    assert all(path.suffix == ".xml" and path.read_bytes().endswith(b"</PcGts>\n") for path in pages)
    while (left := alive(running.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not left
