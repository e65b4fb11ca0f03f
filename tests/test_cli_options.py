"""Options that several commands share."""

from pathlib import Path

import pytest
from commands import uncial, write_pairs
from conftest import DrawnLine

from uncial.bundle import Bundle
from uncial.cli_options import Decoder, Quality, check_place, quality_for
from uncial.errors import ConfigError, StorageError


@pytest.mark.parametrize(
    ("quality", "decoder", "meant"),
    [
        (Quality.auto, None, Quality.auto),
        (Quality.best, None, Quality.best),
        (Quality.auto, Decoder.best_path, Quality.fast),
        (Quality.auto, Decoder.beam, Quality.balanced),
        (Quality.fast, Decoder.best_path, Quality.fast),
        (Quality.best, Decoder.beam, Quality.best),
    ],
)
def test_a_decoder_names_the_quality_that_reads_with_it(
    quality: Quality, decoder: Decoder | None, meant: Quality
) -> None:
    assert quality_for(quality, decoder) is meant


@pytest.mark.parametrize(("quality", "decoder"), [(Quality.fast, Decoder.beam), (Quality.best, Decoder.best_path)])
def test_a_decoder_that_does_not_fit_the_quality_is_told(quality: Quality, decoder: Decoder) -> None:
    with pytest.raises(ConfigError, match=f"--decoder {decoder} is not how quality {quality} reads"):
        quality_for(quality, decoder)


def test_a_folder_is_no_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is a folder; name a file in it with -o"):
        check_place(tmp_path, (), force=True)
    check_place(tmp_path, (), force=False, folder=True)


def test_a_dash_prints_and_the_name_of_a_file_is_no_folder(
    tiny_bundle: Bundle, drawn_lines: tuple[DrawnLine, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_pairs(tmp_path / "lines", drawn_lines[:2])
    assert uncial("read", "-m", tiny_bundle.path, folder, "-o", "-").out.count("\n") == 2
    ran = uncial("read", "-m", tiny_bundle.path, "-f", "hocr", folder, "-o", "all.hocr")
    assert ran.code == 2 and "all.hocr: several pages in the format hocr cannot be one file" in ran.told
    assert [path.name for path in tmp_path.iterdir()] == ["lines"]
