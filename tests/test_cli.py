"""The command line as a whole: versions, unknown words, and how errors and interruptions end."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, uncial, write_pairs
from conftest import DrawnLine

from uncial import __version__
from uncial.bundle import Bundle
from uncial.recognizer import Recognizer


def test_the_version_is_told() -> None:
    assert uncial("--version").out == f"uncial {__version__}\n"


def test_no_command_shows_what_there_is() -> None:
    ran = uncial()
    assert all(command in ran.out + ran.told for command in ("read", "evaluate", "train", "data", "export", "model"))


@pytest.mark.parametrize(
    ("words", "suggestion"),
    [(("raed", "a.png"), "read"), (("read", "--modle", "b", "a.png"), "--model"), (("data", "chek"), "check")],
)
def test_a_misspelt_word_is_answered_with_the_right_one(words: tuple[str, ...], suggestion: str) -> None:
    ran = uncial(*words)
    assert ran.code == 2
    assert suggestion in ran.told.splitlines()[-1]


def test_a_missing_bundle_is_told_with_what_a_bundle_is(tmp_path: Path) -> None:
    ran = uncial("read", "-m", tmp_path / "none", "a.png")
    assert ran.code == 6
    assert ran.told.startswith("uncial: ")
    assert "uncial train -o" in ran.told


def test_a_damaged_bundle_is_told(tiny_bundle: Bundle, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bundle.path, tmp_path / "copy")
    weights = (copy / "weights.safetensors").read_bytes()
    (copy / "weights.safetensors").write_bytes(weights[:-100])
    ran = uncial("read", "-m", copy, "a.png")
    assert ran.code == 6
    assert "weights.safetensors" in ran.told


def test_a_bundle_of_a_newer_version_is_told(tiny_bundle: Bundle, tmp_path: Path) -> None:
    copy = shutil.copytree(tiny_bundle.path, tmp_path / "copy")
    settings = json.loads((copy / "bundle.json").read_text(encoding="utf-8"))
    (copy / "bundle.json").write_text(json.dumps(settings | {"version": 99}), encoding="utf-8")
    ran = uncial("evaluate", "-m", copy, write_pairs(tmp_path / "pairs", ()))
    assert ran.code in (5, 6)
    ran = uncial("model", "-m", copy)
    assert ran.code == 6
    assert "99" in ran.told
    assert "update" in ran.told


def test_an_interruption_ends_with_130_and_a_line_on_what_is_kept(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    folder = write_pairs(tmp_path / "pairs", drawn_lines)
    monkeypatch.setattr(Recognizer, "try_lines", interrupt)
    ran = uncial("read", "-m", tiny_bundle.path, folder, "-o", tmp_path / "out.txt")
    assert ran.code == 130
    assert ran.told.strip() == "uncial: interrupted; nothing was written"
    assert not (tmp_path / "out.txt").exists()


def test_missing_pytorch_is_answered_with_the_line_that_installs_it(
    drawn_lines: tuple[DrawnLine, ...], tmp_path: Path
) -> None:
    folder = write_pairs(tmp_path / "pairs", drawn_lines)
    code = "import sys; sys.modules['torch'] = None; from uncial.cli import main; main()"
    command = [sys.executable, "-c", code, "train", str(folder), "-o", str(tmp_path / "bundle")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 7
    assert 'pip install -c constraints.txt ".[train]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_explain_says_itself_that_pytorch_is_missing(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; from uncial.cli import main; main()"
    line = ROOT / "examples" / "lines" / "copyist.png"
    command = [sys.executable, "-c", code, "explain", str(line), "-o", str(tmp_path / "why.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode == 7
    assert done.stderr.startswith("uncial: explaining a reading needs torch")


def test_a_closed_pipe_is_no_error(tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "pairs", drawn_lines)
    command = f"{sys.executable} -m uncial read -m {tiny_bundle.path} {folder} | head -n 0"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


def in_shell(words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `uncial WORDS` within a folder as a shell does, streams and all."""
    command = f"{sys.executable} -m uncial {words}"
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("read - -m {bundle} <&-", 4, "standard input: the file is empty"),
        ("read line000.png -m {bundle} >&-", 0, ""),
        ("data check . >&-", 0, ""),
        ("read line000.png -m {bundle} > /dev/full", 8, "standard output: could not be written (No space left"),
        ("data check . --json > /dev/full", 8, "standard output: could not be written (No space left"),
    ],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_stream_that_is_closed_or_full_is_told_without_a_traceback(
    words: str, code: int, told: str, tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path
) -> None:
    done = in_shell(words.format(bundle=tiny_bundle.path), write_pairs(tmp_path / "pairs", drawn_lines[:1]))
    assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert len(done.stderr.splitlines()) == bool(told)


def test_what_a_stream_cannot_spell_is_escaped(tmp_path: Path, drawn_lines: tuple[DrawnLine, ...]) -> None:
    folder = write_pairs(tmp_path / "pairs", drawn_lines[:1])
    (folder / "line000.gt.txt").write_text("ꝑ", encoding="utf-8")
    code = "import sys; sys.stdout.reconfigure(encoding='latin-1'); from uncial.cli import main; main()"
    command = [sys.executable, "-c", code, "data", "check", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\ua751:1" in done.stdout


NO_NAME = "a" * 300 + ".png"  # longer than a file system takes


@pytest.mark.parametrize(
    ("words", "code"), [(("read", "-m", "BUNDLE"), 4), (("data", "check"), 5), (("evaluate", "-m", "BUNDLE"), 5)]
)
def test_a_name_that_no_file_can_have_is_told(words: tuple[str, ...], code: int, tiny_bundle: Bundle) -> None:
    ran = uncial(*(str(tiny_bundle.path) if word == "BUNDLE" else word for word in words), NO_NAME)
    assert ran.code == code
    assert ran.told.startswith(f"uncial: {NO_NAME}: ")


def test_what_the_system_refuses_unforeseen_is_told_with_its_name(tmp_path: Path, tiny_bundle: Bundle) -> None:
    ran = uncial("read", "a.png", "-m", tiny_bundle.path, "-o", tmp_path / NO_NAME / "out.txt")
    assert ran.code == 1
    assert ran.told.startswith(f"uncial: {tmp_path / NO_NAME}")
    assert "File name too long" in ran.told
