"""Text and JSON: the page as people read it, and all that is known of it."""

import json
import re
from typing import Any

from uncial.document import Line, Page, Region, Transcript
from uncial.formats.words import has_places, line_box, outline_of, strip_on
from uncial.geometry import Points
from uncial.scan import Scan

_LINE_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")


def write_text(page: Page, scan: Scan) -> bytes:
    """UTF-8; a line of text for each line that was read, in reading order; regions are parted by an empty line."""
    del scan
    parts = ([one_line(line.transcript.text) for line in region.lines if line.transcript] for region in page.regions)
    text = "\n\n".join("\n".join(part) for part in parts if part)
    return encoded(f"{text}\n" if text else "")


def write_json(page: Page, scan: Scan) -> bytes:
    """One object: the image, its size, and regions with lines with graphemes, each with its place on the page."""
    del scan
    told = {
        "image": page.image,
        "width": page.width,
        "height": page.height,
        "regions": [_region(region, page) for region in page.regions],
    }
    return encoded(json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n")


def one_line(text: str) -> str:
    """The text with a space for each line break, so that it stays the line that it is."""
    return _LINE_BREAKS.sub(" ", text)


def encoded(text: str) -> bytes:
    """UTF-8; halves of surrogate pairs, which are no characters, become U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text).encode()


def _region(region: Region, page: Page) -> dict[str, Any]:
    return {
        "id": region.id,
        "kind": region.kind,
        "boundary": _pairs(region.boundary),
        "lines": [_line(line, page) for line in region.lines],
    }


def _line(line: Line, page: Page) -> dict[str, Any]:
    """A line; text and confidence are null where it was not read."""
    read = line.transcript
    told: dict[str, Any] = {
        "id": line.id,
        "baseline": _pairs(line.baseline),
        "boundary": _pairs(line.boundary),
        "text": read.text if read else None,
        "confidence": round(read.confidence, 4) if read else None,
    }
    told |= readings_and_words(read) if read else {}
    if read and has_places(read):
        strip, within = strip_on(line, page), line_box(line, page)
        told["graphemes"] = [
            {
                "grapheme": span.grapheme,
                "outline": _pairs(outline_of(span.left, span.right, strip, within)),
                "posterior": round(span.posterior, 4),
                "alternatives": [{"grapheme": g, "posterior": round(p, 4)} for g, p in span.alternatives],
            }
            for span in read.spans
        ]
    return told


def readings_and_words(transcript: Transcript) -> dict[str, Any]:
    """The likeliest readings of a line, if they were asked for, and how sure each word is, if that is known."""
    readings = [{"text": text, "share": round(share, 4)} for text, share in transcript.readings]
    words = [{"text": text, "confidence": round(sure, 4)} for text, sure in transcript.told_words]
    known = {"readings": readings, "words": words}
    return {name: some for name, some in known.items() if some}


def _pairs(points: Points) -> list[list[float]]:
    return [[round(x, 1), round(y, 1)] for x, y in points]
