"""The picture of a searchable PDF: a scan as a page, its file's bytes taken over where a PDF can hold them."""

import io
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageCms, ImageOps

from uncial.errors import ImageError
from uncial.image_file import opened, read_bytes, reading, to_page
from uncial.scan import PDF_MAGIC, Scan, start_of

if TYPE_CHECKING:
    import pikepdf

CHANNELS = {"L": 1, "RGB": 3, "CMYK": 4}
SPACES = {1: "/DeviceGray", 3: "/DeviceRGB", 4: "/DeviceCMYK"}
PROFILE_SPACES = {1: "GRAY", 3: "RGB ", 4: "CMYK"}  # what a colour profile calls them
JPEG, JPEG2000 = ("JPEG", "MPO"), ("JPEG2000",)  # MPO: several JPEGs behind one another, as some cameras write
TURNED = (5, 6, 7, 8)  # orientations of EXIF whose picture is stored lying on its side
# Where EXIF's orientations put a picture on a page of 1 x 1: a PDF's matrix, by which (0, 0) is the lower left corner.
UPRIGHT = {
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, -1, -1, 0, 1, 1),
    6: (0, -1, 1, 0, 0, 1),
    7: (0, 1, 1, 0, 0, 0),
    8: (0, 1, -1, 0, 1, 0),
}
ORIENTATION = 0x0112  # tag of EXIF


def picture_page(pdf: "pikepdf.Pdf", scan: Scan, size: tuple[float, float]) -> None:
    """Add a page that shows the scan, upright.

    Args:
        pdf: that gets the page.
        scan: what it shows.
        size: width and height of the page in points.

    Raises:
        ImageError: the scan's file is not there any more, or is another one.
    """
    import pikepdf

    picture, orientation = _picture(pdf, scan)
    width, height = size
    a, b, c, d, e, f = UPRIGHT.get(orientation, (1, 0, 0, 1, 0, 0))
    matrix = (a * width, b * height, c * width, d * height, e * width, f * height)
    drawing = "q " + " ".join(f"{number:.3f}" for number in matrix) + " cm /Scan Do Q\n"
    page = pikepdf.Dictionary(
        Type=pikepdf.Name.Page,
        MediaBox=[0, 0, round(width, 3), round(height, 3)],
        Resources=pikepdf.Dictionary(XObject=pikepdf.Dictionary(Scan=picture)),
        Contents=pdf.make_stream(drawing.encode()),
    )
    pdf.pages.append(pikepdf.Page(pdf.make_indirect(page)))


def _picture(pdf: "pikepdf.Pdf", scan: Scan) -> tuple[Any, int]:
    """The picture as an object of the PDF, and how EXIF says it is to be turned."""
    if scan.file is None or PDF_MAGIC in start_of(scan.file):
        return _pixels(pdf, Image.fromarray(scan.gray), b""), 1
    data = _file_of(scan)
    with opened(data, scan.name) as image, reading(scan.name):
        to_page(image, scan.number, scan.name)
        orientation = image.getexif().get(ORIENTATION, 1)
        size = image.size[::-1] if orientation in TURNED else image.size
        profile = image.info.get("icc_profile") or b""
        if image.format in JPEG and image.mode in CHANNELS:
            picture = _taken_over(pdf, data, image, "/DCTDecode", profile)
        elif image.format in JPEG2000 and image.mode in ("L", "RGB"):
            picture = _taken_over(pdf, data, image, "/JPXDecode", profile)
        else:
            upright = ImageOps.exif_transpose(image)
            size, orientation = upright.size, 1
            picture = _any_pixels(pdf, scan, upright, profile)
    if size != scan.gray.shape[::-1]:
        raise ImageError(f"{scan.name}: is not the image that was read any more; read it again")
    return picture, orientation


def _file_of(scan: Scan) -> bytes:
    if scan.data is not None:
        return scan.data
    assert scan.path is not None, "a scan without a file gives its own pixels"
    try:
        return read_bytes(scan.path, scan.name)
    except ImageError as error:
        raise ImageError(f"{error}; PDF is made from the file itself: leave scans where they are") from error


def _taken_over(pdf: "pikepdf.Pdf", data: bytes, image: Image.Image, decoder: str, profile: bytes) -> Any:
    """A picture whose bytes are those of its file."""
    import pikepdf

    channels = CHANNELS[image.mode]
    told: dict[str, Any] = {"/BitsPerComponent": 8, "/ColorSpace": _space(pdf, channels, profile)}
    if decoder == "/JPXDecode" and data[:4] != b"\xff\x4f\xff\x51":
        told = {}  # the file itself tells, and knows better; a bare codestream does not
    if channels == 4:
        told["/Decode"] = [1, 0] * 4  # printers' JPEGs are stored inverted, which Pillow, too, takes for granted
    return _stream(pdf, data, image.size, {**told, "/Filter": pikepdf.Name(decoder)})


def _any_pixels(pdf: "pikepdf.Pdf", scan: Scan, image: Image.Image, profile: bytes) -> Any:
    """A picture of all pixels of an image of any mode; of modes that a PDF does not know, as they were read."""
    clear = None
    if image.has_transparency_data:
        image = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        clear = _pixels(pdf, image.getchannel("A"), b"")
        image = image.convert("L" if image.mode == "LA" else "RGB")
    elif image.mode in ("P", "YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    elif image.mode not in ("1", "L", "RGB", "CMYK", "I;16"):
        image, profile = Image.fromarray(scan.gray), b""
    picture = _pixels(pdf, image, profile)
    if clear is not None:
        picture.SMask = clear
    return picture


def _pixels(pdf: "pikepdf.Pdf", image: Image.Image, profile: bytes) -> Any:
    """A picture of all pixels, packed as PNG packs them, which a PDF can hold (ISO 32000-1, 7.4.4.4)."""
    import pikepdf

    mode = "L" if image.mode in ("1", "I;16") else image.mode
    channels, bits = CHANNELS[mode], {"1": 1, "I;16": 16}.get(image.mode, 8)
    file = io.BytesIO()
    # PNG knows no CMYK; its four channels are packed as if they were red, green, blue and alpha.
    packed = image if channels < 4 else Image.merge("RGBA", image.split())
    packed.save(file, "PNG")
    parameters = pikepdf.Dictionary(Predictor=15, Colors=channels, BitsPerComponent=bits, Columns=image.width)
    told = {
        "/BitsPerComponent": bits,
        "/ColorSpace": _space(pdf, channels, profile),
        "/Filter": pikepdf.Name.FlateDecode,
        "/DecodeParms": parameters,
    }
    return _stream(pdf, _packed_in(file.getvalue()), image.size, told)


def _packed_in(png: bytes) -> bytes:
    """The packed pixels of a PNG: what its IDAT chunks hold."""
    parts, place = [], 8
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] == b"IDAT":
            parts.append(png[place + 8 : place + 8 + size])
        place += size + 12
    return b"".join(parts)


def _space(pdf: "pikepdf.Pdf", channels: int, profile: bytes) -> Any:
    """The colour space: that of the scan's colour profile where it has one that fits, else the plain one."""
    import pikepdf

    plain = pikepdf.Name(SPACES[channels])
    if not profile:
        return plain
    try:
        fits = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile.xcolor_space == PROFILE_SPACES[channels]
    except (OSError, ValueError, TypeError):
        fits = False
    if not fits:
        return plain
    stream = pdf.make_stream(profile)
    stream.N = channels
    stream.Alternate = plain
    return pdf.make_indirect(pikepdf.Array([pikepdf.Name.ICCBased, stream]))


def _stream(pdf: "pikepdf.Pdf", data: bytes, size: tuple[int, int], told: dict[str, Any]) -> Any:
    import pikepdf

    described = {"/Type": pikepdf.Name.XObject, "/Subtype": pikepdf.Name.Image, "/Width": size[0], "/Height": size[1]}
    return pdf.make_stream(data, pikepdf.Dictionary({**described, **told}))
