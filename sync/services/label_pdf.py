"""Labels as pages of one PDF: those that are PDF keep their own size, pictures are put on the courier's paper."""

from __future__ import annotations

import base64
import binascii
import io
import logging

from PIL import Image
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject, NumberObject, StreamObject

from sync.settings_labels import Paper

MOST_PAGES = 60
"""More than any parcel has packages."""

MOST_PIXELS = 40_000_000
"""A sheet of 100 x 180 mm at 600 dpi has ten million."""

_POINTS_PER_MM = 72 / 25.4
_FORBIDDEN = ("/AA", "/Annots")
"""What a page could do by itself, or when somebody clicks."""

logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # a label that cannot be read is told with its order


class UnreadableLabel(Exception):
    """The printable is not what its kind says."""


def read_pages(kind: str, content: str, paper: Paper) -> list[PageObject]:
    """The pages of one label (`pdf` or `png`, base64); raises UnreadableLabel."""
    try:
        raw = base64.b64decode(content, validate=True)
        return _read_pdf(raw) if kind == "pdf" else [_read_picture(raw, paper)]
    except (PyPdfError, Image.DecompressionBombError, binascii.Error) as problem:
        raise UnreadableLabel(str(problem)) from problem
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        # what these libraries raise over broken files
        raise UnreadableLabel(type(problem).__name__) from problem


def write_pdf(labels: list[list[PageObject]]) -> bytes:
    """One file with the pages of all labels in this order."""
    writer = PdfWriter()
    for pages in labels:
        for page in pages:
            writer.add_page(page)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def _read_pdf(raw: bytes) -> list[PageObject]:
    reader = PdfReader(io.BytesIO(raw), strict=False)
    if not 0 < len(reader.pages) <= MOST_PAGES:
        raise UnreadableLabel(f"{len(reader.pages)} pages")
    pages = list(reader.pages)
    for page in pages:
        for name in _FORBIDDEN:
            page.pop(NameObject(name), None)
        page.get_contents()  # broken streams show here, not while a batch is written
    return pages


def _read_picture(raw: bytes, paper: Paper) -> PageObject:
    """As large as the sheet allows, from its upper edge, without loss: bars of a barcode must stay sharp."""
    with Image.open(io.BytesIO(raw), formats=["PNG"]) as picture:
        if picture.width * picture.height > MOST_PIXELS:
            raise UnreadableLabel(f"{picture.width} x {picture.height} pixels")
        picture.load()
        opaque = Image.new("RGB", picture.size, "white")
        opaque.paste(picture, mask=picture.convert("RGBA").getchannel("A"))
    width, height = (side * _POINTS_PER_MM for side in (paper.width_mm, paper.height_mm))
    scale = min(width / opaque.width, height / opaque.height)
    wide, high = opaque.width * scale, opaque.height * scale
    page = PageObject.create_blank_page(width=width, height=height)
    page[NameObject("/Resources")] = DictionaryObject(
        {NameObject("/XObject"): DictionaryObject({NameObject("/Label"): _image(opaque)})}
    )
    drawing = DecodedStreamObject()
    drawing.set_data(
        f"q {wide:.3f} 0 0 {high:.3f} {(width - wide) / 2:.3f} {height - high:.3f} cm /Label Do Q".encode()
    )
    page[NameObject("/Contents")] = drawing
    return page


def _image(picture: Image.Image) -> StreamObject:
    stream = DecodedStreamObject()
    stream.set_data(picture.tobytes())
    packed = stream.flate_encode()
    packed.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Image"),
            NameObject("/Width"): NumberObject(picture.width),
            NameObject("/Height"): NumberObject(picture.height),
            NameObject("/ColorSpace"): NameObject("/DeviceRGB"),
            NameObject("/BitsPerComponent"): NumberObject(8),
        }
    )
    return packed
