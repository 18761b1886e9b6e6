"""Figures as pictures inside the page."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import NamedTuple

#: Colours of a picture on the page: line drawings need few, and the files shrink to a third.
COLOURS = 192


class Picture(NamedTuple):
    """A figure for the page: ``source`` is a data URI; width and height in pixels of the page."""

    source: str
    width: int
    height: int


def picture(path: Path, dpi: float) -> Picture:
    """A PNG with a palette, as a data URI; the page shows it at 96 dots an inch."""
    from PIL import Image

    with Image.open(path) as held:
        flat = Image.new("RGB", held.size, "white")
        flat.paste(held, mask=held.getchannel("A") if held.mode == "RGBA" else None)
    few = flat.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    few.save(buffer, "PNG", optimize=True)
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    scale = 96.0 / dpi
    return Picture(
        f"data:image/png;base64,{content}", round(flat.width * scale), round(flat.height * scale)
    )
