"""XML, read safely and written well-formed.

What is read may come from anywhere: no entities, no document types, no network, no trees of absurd size. What is
written may hold anything that a network or a person spelled, and not all of it may stand in XML.
"""

import re
from pathlib import Path

from lxml import etree

from uncial import __version__
from uncial.errors import GroundTruthError

LARGEST_FILE = 100_000_000  # bytes of an XML file
SOFTWARE = f"Uncial {__version__}"
NO_TIME = "1970-01-01T00:00:00Z"  # where a schema demands a time: that of writing would make equal pages unequal files
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2
_NOT_NAME = re.compile("[^A-Za-z0-9_.-]")


def parsed(path: Path) -> etree._Element:
    """The root element of a file.

    Raises:
        GroundTruthError: not to be opened, too large, not well-formed, or with a document type declaration.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise GroundTruthError(f"{path}: larger than {LARGEST_FILE:,} bytes, no page file of one page; split it")
        root = etree.fromstring(path.read_bytes(), parser)  # not by its name, which libxml2 wants in UTF-8
    except etree.XMLSyntaxError as error:
        raise GroundTruthError(f"{path}: not well-formed XML ({error.msg}); export it again") from error
    except OSError as error:
        raise GroundTruthError(f"{path}: cannot be read ({error.strerror or error})") from error
    if root.getroottree().docinfo.doctype:
        raise GroundTruthError(f"{path}: has a document type declaration, which is not read; remove <!DOCTYPE …>")
    return root


def root_of(path: Path) -> str:
    """The name of an XML file's root element without namespace: PcGts is PAGE, alto is ALTO.

    Raises:
        GroundTruthError: not XML.
    """
    try:
        with path.open("rb") as file:
            for _, element in etree.iterparse(file, ("start",), resolve_entities=False, no_network=True):
                return str(etree.QName(element).localname)
    except (etree.XMLSyntaxError, OSError) as error:
        raise GroundTruthError(f"{path}: not well-formed XML ({error}); export it again, or remove it") from error
    return ""


def root_element(tag: str, namespace: str, schema: str = "", **attributes: str) -> etree._Element:
    """A root element.

    Args:
        tag: its name.
        namespace: of itself and all its children.
        schema: address of the schema; "" is not told.
        **attributes: its attributes.
    """
    prefixes: dict[str | None, str] = {None: namespace, "xsi": _XSI} if schema else {None: namespace}
    element = etree.Element(f"{{{namespace}}}{tag}", nsmap=prefixes)
    if schema:
        element.set(f"{{{_XSI}}}schemaLocation", f"{namespace} {schema}")
    for name, value in attributes.items():
        element.set(name, clean(value))
    return element


def child(parent: etree._Element, tag: str, text: str | None = None, **attributes: str) -> etree._Element:
    """A new last child, in its parent's namespace."""
    element = etree.SubElement(parent, f"{{{etree.QName(parent).namespace}}}{tag}")
    for name, value in attributes.items():
        element.set(name, clean(value))
    if text is not None:
        element.text = clean(text)
    return element


def written(root: etree._Element, *, doctype: str | None = None, indented: bool = True) -> bytes:
    """The whole file, UTF-8; not indented where white space is text."""
    if indented:
        etree.indent(root, " ")
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True, doctype=doctype)) + b"\n"


def clean(text: str) -> str:
    """The text with U+FFFD for what no XML can hold: control characters, and halves of surrogate pairs."""
    return _NOT_XML.sub("\ufffd", text)


def xml_name(wish: str, taken: set[str]) -> str:
    """A name for a part of a file, like the id that a page gives it, that stands nowhere else; it is taken.

    XML has letters, digits, "_", "-" and "." and no digit at the front; of letters only plain ones are kept.
    """
    name = _NOT_NAME.sub("_", wish)
    return free_name(name if name[:1].isalpha() or name[:1] == "_" else f"_{name}", taken)


def free_name(wish: str, taken: set[str]) -> str:
    """The wish, with a number behind it if it is taken; now it is."""
    free, number = wish, 2
    while free in taken:
        free, number = f"{wish}_{number}", number + 1
    taken.add(free)
    return free
