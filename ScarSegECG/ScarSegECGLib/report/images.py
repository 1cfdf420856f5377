"""Pixels that go into pages: a PNG laid on white, and a name drawn where the page's own font lacks its letters."""

from __future__ import annotations

import io
from pathlib import Path

from matplotlib.font_manager import findSystemFonts, get_font
from PIL import Image, ImageDraw, ImageFont, features

from ScarSegECGLib.errors import InputError

_MOST_PIXELS = 2**25
_DPI, _POINTS = 300, 10
_LONGEST = 200
# Hebrew, Arabic, and the scripts of India and south-east Asia.
_JOINING = ((0x0590, 0x08FF), (0x0900, 0x109F), (0x1780, 0x17FF))


def on_white(png: bytes) -> Image.Image:
    """A PNG as RGB, transparency laid on white; ``info`` keeps its dots per inch.

    Raises
    ------
    InputError
        Damaged, or of more than 32 million pixels.
    """
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise InputError("A picture of the result is too large to be one: segment the case again.")
            over = Image.new("RGBA", image.size, "white")
            over.alpha_composite(image.convert("RGBA"))
            flat = over.convert("RGB")
            flat.info = dict(image.info)
            return flat
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise InputError("A picture of the result is damaged: segment the case again.") from None


def name_picture(text: str) -> Image.Image | None:
    """The text in black on white, 10 points high, ``info["dpi"]`` set.

    ``None`` where no font of this computer has all letters, or where Pillow cannot join them as the script asks.
    """
    text = " ".join(text.split())[:_LONGEST]
    path = _font_for(text)
    if path is None or (joins(text) and not features.check("raqm")):
        return None
    font = ImageFont.truetype(str(path), round(_POINTS * _DPI / 72))
    left, top, right, bottom = font.getbbox(text)
    picture = Image.new("RGB", (round(right - left) + 8, round(bottom - top) + 8), "white")
    ImageDraw.Draw(picture).text((4 - left, 4 - top), text, "black", font)
    picture.info["dpi"] = (_DPI, _DPI)
    return picture


def joins(text: str) -> bool:
    """Whether letters join or run from the right."""
    return any(first <= ord(letter) <= last for letter in text for first, last in _JOINING)


def _font_for(text: str) -> Path | None:
    """A font file that has every letter; fonts that stand for all scripts with boxes (LastResort) are left out."""
    wanted = {ord(letter) for letter in text if not letter.isspace()}
    for name in sorted(name for name in findSystemFonts() if "LastResort" not in name):
        try:
            if wanted <= get_font(name).get_charmap().keys():
                return Path(name)
        except (OSError, RuntimeError):  # a font that FreeType does not read
            continue
    return None
