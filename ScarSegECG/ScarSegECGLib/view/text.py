"""How wide a line of text is, how it looks, and where it breaks."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path


@lru_cache(maxsize=4096)
def glyphs(text: str, bold: bool) -> tuple[Path, float]:
    """Outlines of a line of text at an em of 1, and its width. Outlines are drawn several times faster than text."""
    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=1.0)
    vertices, codes = text_to_path.get_text_path(font, text, ismath=False)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return Path(np.reshape(vertices, (-1, 2)) / text_to_path.FONT_SCALE, codes), float(width)


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Width of a line of text, mm."""
    return glyphs(text, bold)[1] * size


def wrap(text: str, width: float, size: float, bold: bool = False) -> list[str]:
    """Break text into lines that fit ``width`` mm; its own line breaks stay.

    A limit such as "p > 0.5" and "30 %" stay in one piece.
    """
    lines: list[str] = []
    for part in text.split("\n"):
        line = ""
        for word in filter(None, re.split(r"(?<!>)\s+(?![>%])", part.strip())):
            joined = f"{line} {word}".strip()
            if line and text_width(joined, size, bold) > width:
                lines.append(line)
                joined = word
            line = joined
        lines += [line] if line else []
    return lines
