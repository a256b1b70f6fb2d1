"""The merged print page: one label a sheet, each shut into a frame of its own.

A label is somebody else's HTML. It is put into `<iframe sandbox srcdoc>`: without scripts, forms, links that lead
anywhere and an origin of its own, so neither its CSS nor a broken tag reaches another label or this page. A frame
begins with a policy of its own beside the page's: nothing is fetched, not even from us. Cleaning the HTML instead would
change what a courier's scanner must read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from jinja2 import Environment, PackageLoader, StrictUndefined

from sync.services.labels import Label, Sheet
from sync.settings_labels import Paper
from sync.web.words import speaker

_FRAMED = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:; frame-src 'none'; "
    "base-uri 'none'; form-action {forms}; script-src {scripts}"
)
PAGE_POLICY = _FRAMED.format(forms="'self'", scripts="'self'") + "; frame-ancestors 'none'"
"""Of a page of the console with labels: their own styles and the pictures that they carry inside."""

FILE_POLICY = _FRAMED.format(forms="'none'", scripts="'none'")
"""Of a page kept in a file, said by the page itself."""

_ELSEWHERE = re.compile(r"""(?:src\s*=\s*["']?|url\(\s*["']?)\s*(?:https?:)?//""", re.IGNORECASE)

_pages = Environment(loader=PackageLoader("sync.web"), autoescape=True, undefined=StrictUndefined)


def render_sheet(sheet: Sheet, language: str, *, is_file: bool) -> str:
    """The whole page. `is_file`: it stands alone, with its policy inside and nothing to press."""
    return _pages.get_template("labels_sheet.html").render(
        sheet=sheet,
        papers=papers_of(sheet.labels),
        lang=language,
        t=speaker(language),
        policy=FILE_POLICY,
        is_file=is_file,
        refers_elsewhere=refers_elsewhere,
    )


def papers_of(labels: Iterable[Label]) -> list[Paper]:
    """The sizes of paper that these need."""
    return sorted({label.paper for label in labels})


def refers_elsewhere(label: Label) -> bool:
    """It names pictures or styles that lie on another machine: they are not fetched, so it may print with gaps."""
    return label.line.kind == "html" and any(_ELSEWHERE.search(page) for page in label.pages)
