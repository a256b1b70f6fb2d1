"""A label that everybody can see is none: a page of PDF with the number on it, as SF's cloud printer gives a file."""

from __future__ import annotations

WIDTH, HEIGHT = 283, 425
"""100 x 150 mm in points."""


def draw_label(number: str) -> bytes:
    """One page; `number` is of letters and digits."""
    lines = [(360, 22, "SANDBOX"), (330, 11, "not for shipping"), (200, 20, number)]
    texts = (f"BT /F1 {size} Tf 30 {height} Td ({text}) Tj ET" for height, size, text in lines)
    page = "\n".join(("1 w 14 14 255 397 re S", *texts)).encode("ascii")
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>"
        % (WIDTH, HEIGHT),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    file, places = b"%PDF-1.4\n", []
    for name, body in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (name, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(file))
    return b"%sxref\n0 %d\n0000000000 65535 f \n%s%s" % (file, size, table, end)
