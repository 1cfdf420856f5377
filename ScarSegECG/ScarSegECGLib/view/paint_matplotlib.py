"""Paint a drawing into a file's bytes with matplotlib: PNG, SVG or PDF, the same bytes every time."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.image import BboxImage
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as MplPath
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D, Bbox, Transform, TransformedBbox

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.shapes import MM_PER_POINT, Drawing, Label, Lines, Polygon, Polyline, RasterImage, Shape, Wedge

FONT = "DejaVu Sans"
FORMATS = ("png", "svg", "pdf")


def to_png(drawing: Drawing, *, width_px: int | None = None, dpi: float = 200.0) -> bytes:
    """Paint as PNG.

    Parameters
    ----------
    drawing : Drawing
    width_px : int, optional
        Width in pixels; otherwise the drawing's true size at ``dpi``.
    dpi : float
        Dots per inch, stored in the file so that it prints at true size.
    """
    return _paint(drawing, "png", dpi if width_px is None else width_px / (drawing.width / 25.4))


def to_svg(drawing: Drawing) -> bytes:
    """Paint as SVG of the drawing's true size; text becomes outlines, so no font is needed to show it."""
    return _paint(drawing, "svg", 200.0)


def to_pdf(drawing: Drawing) -> bytes:
    """Paint as a one-page PDF of the drawing's true size: printed at 100 % it is to scale."""
    return _paint(drawing, "pdf", 200.0)


def save(drawing: Drawing, path: Path | str, *, dpi: float = 200.0) -> Path:
    """Write a drawing to a file; the suffix (.png, .svg, .pdf) says which kind.

    Raises
    ------
    InputError
        For any other suffix.
    """
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise InputError(f"A picture cannot be written as '{path.suffix}': use .png, .svg or .pdf")
    path.write_bytes(_paint(drawing, kind, dpi))
    return path


def _paint(drawing: Drawing, kind: str, dpi: float) -> bytes:
    figure = Figure(figsize=(drawing.width / 25.4, drawing.height / 25.4), dpi=dpi, facecolor=drawing.background)
    FigureCanvasAgg(figure)
    mm = Affine2D().scale(1 / 25.4) + figure.dpi_scale_trans
    for order, shape in enumerate(drawing.shapes):
        for artist in _artists(shape, mm):
            artist.set_zorder(order)
            figure.add_artist(artist)
    buffer = io.BytesIO()
    # Neither a date nor a random salt may enter the file: the same drawing gives the same bytes.
    metadata: dict[str, str | None] = {"Title": drawing.title}
    if kind != "png":
        metadata["Date" if kind == "svg" else "CreationDate"] = None
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if kind == "png" else {}
    with matplotlib.rc_context({"svg.hashsalt": "ScarSegECG", "svg.fonttype": "path", "pdf.fonttype": 42}):
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata, **options)
    return buffer.getvalue()


def _artists(shape: Shape, mm: Transform) -> list[PathPatch | Line2D | LineCollection | BboxImage]:
    match shape:
        case Wedge() | Polygon():
            return _area(shape, mm)
        case Polyline():
            x, y = (np.vstack([shape.at, shape.at[:1]]) if shape.closed else shape.at).T
            line = Line2D(x, y, color=shape.stroke.colour, linewidth=shape.stroke.width / MM_PER_POINT, transform=mm)
            line.set(alpha=shape.stroke.alpha, solid_joinstyle="round", solid_capstyle="round")
            return [line]
        case Lines():
            lines = LineCollection(list(shape.ends), colors=[shape.stroke.colour], transform=mm)
            lines.set(linewidth=shape.stroke.width / MM_PER_POINT, alpha=shape.stroke.alpha, capstyle="projecting")
            return [lines]
        case Label():
            return list(_text(shape, mm))
        case RasterImage():
            left, bottom, right, top = shape.box
            box = TransformedBbox(Bbox.from_extents(left, bottom, right, top), mm)
            image = BboxImage(box, interpolation="bilinear" if shape.smooth else "nearest", origin="upper")
            image.set_data(shape.pixels)
            return [image]


def _area(shape: Wedge | Polygon, mm: Transform) -> list[PathPatch | Line2D | LineCollection | BboxImage]:
    rings = shape.rings() if isinstance(shape, Wedge) else shape.rings
    if shape.fill is None and shape.stroke is None:
        return []
    path = MplPath.make_compound_path(*(MplPath(np.vstack([r, r[:1]]), closed=True) for r in rings))
    patch = PathPatch(path, transform=mm, facecolor=(*shape.fill, shape.alpha) if shape.fill else "none")
    if shape.stroke is None:
        patch.set(linewidth=0.0, edgecolor="none")
    else:
        patch.set(linewidth=shape.stroke.width / MM_PER_POINT, edgecolor=(*shape.stroke.colour, shape.stroke.alpha))
        patch.set_joinstyle("round")
    return [patch]


def _text(label: Label, mm: Transform) -> list[PathPatch]:
    glyphs, width = _glyphs(label.text, label.bold)
    back = {"left": 0.0, "center": 0.5, "right": 1.0}[label.align] * width
    place = Affine2D().translate(-back, -_MIDDLE_EM).scale(label.size).rotate_deg(label.turn)
    path = place.translate(label.x, label.y).transform_path(glyphs)
    text = PathPatch(path, transform=mm, facecolor=label.colour, linewidth=0.0, edgecolor="none")
    if label.halo is None:
        return [text]
    stroke = 0.2 * label.size / MM_PER_POINT
    halo = PathPatch(path, transform=mm, facecolor="none", linewidth=stroke, edgecolor=label.halo, joinstyle="round")
    return [halo, text]


# Half the height of a digit: text is centred on its figures and capitals, not on its descenders.
_MIDDLE_EM = 0.365


@lru_cache(maxsize=2048)
def _glyphs(text: str, bold: bool) -> tuple[MplPath, float]:
    """Outlines of a line of text at an em of 1, and its width. Outlines are drawn several times faster than text."""
    font = FontProperties(family=FONT, weight="bold" if bold else "normal", size=1.0)
    vertices, codes = text_to_path.get_text_path(font, text, ismath=False)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, False)
    return MplPath(np.reshape(vertices, (-1, 2)) / text_to_path.FONT_SCALE, codes), float(width)
