"""QR codes, drawn as part of a page: no style attributes and no address, as the pages' policy asks."""

from __future__ import annotations

import segno
from markupsafe import Markup


def drawn(text: str) -> Markup:
    """Dark on light whatever the page's colours are, as cameras want it; titled with what it says."""
    code = segno.make(text, micro=False, error="m")
    svg = code.svg_inline(title=text, light="#fff", dark="#000", omitsize=True, svgclass="qr", lineclass=None)
    return Markup(svg)  # noqa: S704 -- segno has escaped the title, and the rest is numbers
