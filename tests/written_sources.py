"""Writes drawn lines in each form that ground truth is stored in, for the tests of sources."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import cv2
import numpy as np
from commands import write_pairs
from conftest import DrawnLine
from written_lines import png

from uncial.geometry import Box, Points
from uncial.image_file import Gray

Lines = Sequence[DrawnLine]
LEFT, SPACING, BELOW = 30, 100, 46  # of lines on a page, in pixels; the baseline lies BELOW a line image's upper edge
PAGE_XMLNS = "http://schema.primaresearch.org/PAGE/gts/pagecontent/2019-07-15"
ALTO_XMLNS = "http://www.loc.gov/standards/alto/ns-v4#"


def table_of(rows: Sequence[Sequence[str]], columns: Sequence[str] = ("image", "text", "doc", "page", "split")) -> str:
    return "".join("\t".join(row) + "\n" for row in (columns, *rows))


def rows_of(lines: Lines) -> list[tuple[str, ...]]:
    """Rows of `lines.tsv`, of two documents with two pages each; every fourth line validates."""
    names = ((f"p{n}/l{n}.png", f"d{n % 2}", f"p{n}", "val" if n % 4 == 3 else "train") for n in range(len(lines)))
    return [(name, line.text, *place) for line, (name, *place) in zip(lines, names, strict=True)]


def write_zip(place: Path, members: dict[str, bytes | str]) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return place


def archive_members(lines: Lines) -> dict[str, bytes | str]:
    rows = rows_of(lines)
    images = {row[0]: png(line.image) for row, line in zip(rows, lines, strict=True)}
    return {"lines.tsv": table_of(rows), "SOURCE.txt": "drawn for the tests", **images}


def write_archive(folder: Path, lines: Lines) -> Path:
    write_zip(folder / "drawn.zip", archive_members(lines))
    return folder


def write_unpacked(folder: Path, lines: Lines) -> Path:
    for name, data in archive_members(lines).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def write_parquet(folder: Path, lines: Lines) -> Path:
    import pyarrow as pa
    from pyarrow import parquet

    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"image": {"bytes": png(line.image), "path": None}, "text": line.text} for line in lines]
    parquet.write_table(pa.Table.from_pylist(rows), folder / "drawn.parquet", row_group_size=3)
    return folder


def write_iam(folder: Path, lines: Lines) -> Path:
    table = "#--- lines.txt ---\n# a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop\n"
    for n, line in enumerate(lines):
        id_ = f"a01-00{n}u-00"
        path = folder / "lines" / "a01" / f"a01-00{n}u" / f"{id_}.png"
        path.parent.mkdir(parents=True)
        path.write_bytes(png(line.image))
        table += f"{id_} {'err' if n == 1 else 'ok'} 154 19 408 746 1661 89 {line.text.replace(' ', '|')}\n"
    (folder / "lines.txt").write_text(table, encoding="utf-8")
    return folder


def page_of(lines: Lines) -> tuple[Gray, list[Points], list[Points]]:
    """The lines below one another on a sheet; their baselines and boundaries."""
    page = np.full((SPACING * (len(lines) + 1), 700), 255, np.uint8)
    baselines, boundaries = [], []
    for n, line in enumerate(lines, start=1):
        top, right = n * SPACING - BELOW, LEFT + line.image.shape[1]
        page[top : top + 64, LEFT:right] = line.image
        baselines.append(((LEFT, n * SPACING), (right, n * SPACING)))
        boundaries.append(Box(LEFT, top, right - 1, top + 63).corners)
    return page, baselines, boundaries


def told(points: Points) -> str:
    return " ".join(f"{x},{y}" for x, y in points)


def page_xml(lines: str, image: str = "sheet.png", size: tuple[int, int] = (700, 500)) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<PcGts xmlns="{PAGE_XMLNS}"><Page imageFilename="{image}" '
        f'imageWidth="{size[0]}" imageHeight="{size[1]}"><TextRegion id="r">{lines}</TextRegion></Page></PcGts>'
    )


def page_line(id_: str, boundary: Points | str, baseline: Points | str, text: str | None) -> str:
    """A line of PAGE; points as such or as they stand in the file; what is empty or None has no element."""
    boundary, baseline = (points if isinstance(points, str) else told(points) for points in (boundary, baseline))
    return (
        f"<TextLine id={quoteattr(id_)}>"
        + (f'<Coords points="{boundary}"/>' if boundary else "")
        + (f'<Baseline points="{baseline}"/>' if baseline else "")
        + (f"<TextEquiv><Unicode>{text}</Unicode></TextEquiv>" if text is not None else "")
        + "</TextLine>"
    )


def write_sheet(folder: Path, lines: Lines, xml: str, name: str = "sheet") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{name}.png"), page_of(lines)[0])
    (folder / f"{name}.xml").write_text(xml, encoding="utf-8")
    return folder


def write_page(folder: Path, lines: Lines) -> Path:
    _, baselines, boundaries = page_of(lines)
    texts = [line.text for line in lines]
    told_lines = (page_line(f"l{n}", *line) for n, line in enumerate(zip(boundaries, baselines, texts, strict=True)))
    return write_sheet(folder, lines, page_xml("".join(told_lines)))


def alto_xml(lines: str, unit: str = "pixel", image: str = "sheet.png") -> str:
    return (
        f'<alto xmlns="{ALTO_XMLNS}"><Description><MeasurementUnit>{unit}</MeasurementUnit><sourceImageInformation>'
        f'<fileName>{image}</fileName></sourceImageInformation></Description><Layout><Page WIDTH="700" HEIGHT="500">'
        f'<PrintSpace><TextBlock ID="b">{lines}</TextBlock></PrintSpace></Page></Layout></alto>'
    )


def write_alto(folder: Path, lines: Lines) -> Path:
    _, baselines, boundaries = page_of(lines)
    written = ""
    for n, (line, baseline, boundary) in enumerate(zip(lines, baselines, boundaries, strict=True)):
        words = '<SP WIDTH="9"/>'.join(f'<String CONTENT="{word}"/>' for word in line.text.split())
        written += (
            f'<TextLine ID="l{n}" BASELINE="{told(baseline)}"><Shape><Polygon POINTS="{told(boundary)}"/></Shape>'
            f"{words}</TextLine>"
        )
    return write_sheet(folder, lines, alto_xml(written))


# Source -> writes lines in its form into a folder that does not exist yet. One for each entry of `SOURCES`.
WRITERS: dict[str, Callable[[Path, Lines], Path]] = {
    "archive": write_archive,
    "pairs": write_pairs,
    "parquet": write_parquet,
    "iam": write_iam,
    "page": write_page,
    "alto": write_alto,
}
