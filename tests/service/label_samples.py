"""Labels as carriers send them, small ones."""

from __future__ import annotations

import base64
import io

from PIL import Image
from pypdf import PageObject, PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DecodedStreamObject, DictionaryObject, NameObject, TextStringObject


def html_label(number: str) -> str:
    return f'<html><body style="width:100mm"><h1>{number}</h1><div>收：王小明 13912345678</div></body></html>'


def pdf_label(*texts: str, size: tuple[float, float] = (283.5, 510.2)) -> str:
    """A page for each text, in base64; the file wants to run a script when it is opened or looked at."""
    writer = PdfWriter()
    for text in texts:
        page = writer.add_page(PageObject.create_blank_page(width=size[0], height=size[1]))
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 20 20 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = stream
        script = {"/S": NameObject("/JavaScript"), "/JS": TextStringObject("app.alert(1)")}
        action = DictionaryObject({NameObject(name): value for name, value in script.items()})
        page[NameObject("/AA")] = DictionaryObject({NameObject("/O"): action})
        page[NameObject("/Annots")] = ArrayObject([DictionaryObject({NameObject("/A"): action})])
        writer.root_object[NameObject("/OpenAction")] = action
    return _base64_of(writer)


def png_label(size: tuple[int, int] = (200, 300), colour: str = "black") -> str:
    file = io.BytesIO()
    Image.new("L", size, colour).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode()


def texts_of(pdf: bytes) -> list[str]:
    """What stands on each page."""
    return [page.extract_text().strip() for page in PdfReader(io.BytesIO(pdf)).pages]


def _base64_of(writer: PdfWriter) -> str:
    file = io.BytesIO()
    writer.write(file)
    return base64.b64encode(file.getvalue()).decode()
