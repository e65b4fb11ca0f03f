"""Options that several commands share."""

from pathlib import Path

import pytest

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
