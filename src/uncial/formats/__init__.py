"""Pages as files: what a page was read as, written in the formats that other programs take."""

from collections.abc import Callable

from uncial.document import Page
from uncial.scan import Scan

Writer = Callable[[Page, Scan], bytes]

FORMATS: dict[str, Writer] = {}
"""A writer for each format: (page, its scan) to the whole file. A format is added as one file and one line here."""
