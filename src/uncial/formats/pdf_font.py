"""The font of text that is found but not seen: one letter without ink, and a table of what each code stands for.

Through that table (ToUnicode) a code can stand for any grapheme, also one of several characters; each grapheme of the
page has a code.
"""

import struct
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pikepdf

# Thousandths of the font's size: a letter's width, its reach above and below the line. They make less than 1000,
# since PDFium adds a 64th on top.
WIDE, HIGH, DEEP = 500, 785, 200
TABLE_PART = 100  # entries of a table to Unicode that stand together, at most (Adobe technical note 5014)


def font_of(pdf: "pikepdf.Pdf", codes: dict[str, int]) -> Any:
    """The font in which these codes stand for these graphemes (ISO 32000-1, 9.7)."""
    import pikepdf

    name = pikepdf.Name("/UncialRead")
    file = pdf.make_stream(_font_file())
    file.Length1 = len(_font_file())
    descriptor = pikepdf.Dictionary(
        Type=pikepdf.Name.FontDescriptor, FontName=name, Flags=5, FontBBox=[0, -DEEP, WIDE, HIGH],
        Ascent=HIGH, Descent=-DEEP, CapHeight=HIGH, ItalicAngle=0, StemV=80, FontFile2=file,
    )  # fmt: skip
    letters = pikepdf.Dictionary(
        Type=pikepdf.Name.Font, Subtype=pikepdf.Name.CIDFontType2, BaseFont=name,
        CIDSystemInfo=pikepdf.Dictionary(
            Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("Identity"), Supplement=0
        ),
        FontDescriptor=pdf.make_indirect(descriptor), DW=WIDE,
        CIDToGIDMap=pdf.make_stream(b"\x00\x01" * (len(codes) + 1)),
    )  # fmt: skip
    return pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type0, BaseFont=name, Encoding=pikepdf.Name("/Identity-H"),
            DescendantFonts=[pdf.make_indirect(letters)], ToUnicode=pdf.make_stream(_to_unicode(codes)),
        )
    )  # fmt: skip


def _to_unicode(codes: dict[str, int]) -> bytes:
    entries = [f"<{code:04X}> <{letter.encode('utf-16-be').hex().upper()}>" for letter, code in codes.items()]
    parts = [entries[n : n + TABLE_PART] for n in range(0, len(entries), TABLE_PART)]
    tables = "\n".join(f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar" for part in parts)
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n{tables}\n"
        "endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()


def _font_file() -> bytes:
    """A TrueType font of two letters, the first of them for what is missing (ISO/IEC 14496-22).

    Either is an outline from corner to corner and back, so that it has an extent and no area: PDFium passes over
    text without an extent.
    """
    letter = struct.pack(">5hHH2B4hxx", 1, 0, -DEEP, WIDE, HIGH, 1, 0, 1, 1, 0, WIDE, -DEEP, HIGH + DEEP)
    tables = {
        b"glyf": letter * 2,
        b"head": struct.pack(
            ">IIIIHHQQ4hHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, 1000, 0, 0, 0, -DEEP, WIDE, HIGH, 0, 8, 2, 0, 0
        ),
        b"hhea": struct.pack(">IhhhH11hH", 0x10000, HIGH, -DEEP, 0, WIDE, 0, 0, WIDE, 1, *[0] * 7, 2),
        b"hmtx": struct.pack(">HhHh", WIDE, 0, WIDE, 0),
        b"loca": struct.pack(">3H", 0, len(letter) // 2, len(letter)),
        b"maxp": struct.pack(">IH13H", 0x10000, 2, 2, 1, 0, 0, 1, *[0] * 8),
        b"post": struct.pack(">IIhhIIIII", 0x30000, 0, 0, 0, 1, 0, 0, 0, 0),
    }
    place = 12 + 16 * len(tables)
    directory, body = struct.pack(">IHHHH", 0x10000, len(tables), 64, 2, 48), b""
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}I", padded)) % 2**32
        directory += struct.pack(">4sIII", tag, total, place + len(body), len(table))
        body += padded
    return directory + body
