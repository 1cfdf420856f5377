"""Paint a drawing with matplotlib: PNG, SVG or PDF (the same bytes every time), pixels for a screen, or given axes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path as MplPath
from matplotlib.transforms import Affine2D, Bbox, Transform, TransformedBbox
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.shapes import Drawing, Label, Lines, Polygon, Polyline, RasterImage, Shape, Wedge, glyphs

FORMATS = ("png", "svg", "pdf")
_POINTS_PER_MM = 72.0 / 25.4
# Half the height of a digit: text is centred on its figures and capitals, not on its descenders.
_MIDDLE_EM = 0.365


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
    return _file(drawing, "png", dpi if width_px is None else width_px / (drawing.width / 25.4))


def to_svg(drawing: Drawing) -> bytes:
    """Paint as SVG of the drawing's true size; text becomes outlines, so no font is needed to show it."""
    return _file(drawing, "svg", 200.0)


def to_pixels(drawing: Drawing, width_px: int) -> NDArray[np.uint8]:
    """Paint for a screen: uint8 of shape (rows, ``width_px`` columns, 3), first row on top."""
    figure = _figure(drawing, width_px / (drawing.width / 25.4))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def save(drawing: Drawing, path: Path | str, *, dpi: float = 200.0) -> Path:
    """Write a drawing to a file; the suffix (.png, .svg, .pdf) says which kind. A PDF printed at 100 % is to scale.

    Raises
    ------
    InputError
        For any other suffix.
    """
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise InputError(f"A picture cannot be written as '{path.suffix}': use .png, .svg or .pdf")
    path.write_bytes(_file(drawing, kind, dpi))
    return path


def draw(drawing: Drawing, ax: Axes) -> Axes:
    """Paint into matplotlib axes, whose frame goes and whose units become the drawing's mm."""
    ax.set(xlim=(0, drawing.width), ylim=(0, drawing.height), aspect="equal")
    ax.set_axis_off()
    inches = np.asarray(ax.bbox.size) / ax.figure.dpi
    share = min(inches * 25.4 / (drawing.width, drawing.height))  # lines grow and shrink with the picture
    for artist in _artists(drawing, ax.transData, float(share)):
        ax.add_artist(artist)
    return ax


def _figure(drawing: Drawing, dpi: float) -> Figure:
    figure = Figure(figsize=(drawing.width / 25.4, drawing.height / 25.4), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    for artist in _artists(drawing, Affine2D().scale(1 / 25.4) + figure.dpi_scale_trans, 1.0):
        figure.add_artist(artist)
    return figure


def _file(drawing: Drawing, kind: str, dpi: float) -> bytes:
    buffer = io.BytesIO()
    # Neither a date nor a random salt may enter the file: the same drawing gives the same bytes.
    metadata: dict[str, str | None] = {"Title": drawing.title}
    if kind != "png":
        metadata["Date" if kind == "svg" else "CreationDate"] = None
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if kind == "png" else {}
    with matplotlib.rc_context({"svg.hashsalt": "ScarSegECG", "svg.fonttype": "path", "pdf.fonttype": 42}):
        _figure(drawing, dpi).savefig(buffer, format=kind, dpi=dpi, metadata=metadata, **options)
    return buffer.getvalue()


def _artists(drawing: Drawing, mm: Transform, share: float) -> Iterator[Artist]:
    """What matplotlib paints, in order; ``share`` is the picture's size over its true size."""
    for order, shape in enumerate(drawing.shapes):
        for artist in _painted(shape, mm, share * _POINTS_PER_MM):
            artist.set_zorder(order)
            yield artist


def _painted(shape: Shape, mm: Transform, points_per_mm: float) -> Iterator[Artist]:
    match shape:
        case Wedge() | Polygon():
            if shape.fill is None and shape.stroke is None:
                return
            path = MplPath.make_compound_path(*(MplPath(np.vstack([r, r[:1]]), closed=True) for r in shape.rings))
            patch = PathPatch(path, transform=mm, facecolor=(*shape.fill, shape.alpha) if shape.fill else "none")
            if shape.stroke is None:
                patch.set(linewidth=0.0, edgecolor="none")
            else:
                patch.set(linewidth=shape.stroke.width * points_per_mm, joinstyle="round")
                patch.set_edgecolor((*shape.stroke.colour, shape.stroke.alpha))
            yield patch
        case Polyline():
            x, y = (np.vstack([shape.at, shape.at[:1]]) if shape.closed else shape.at).T
            line = Line2D(x, y, color=shape.stroke.colour, linewidth=shape.stroke.width * points_per_mm, transform=mm)
            line.set(alpha=shape.stroke.alpha, solid_joinstyle="round", solid_capstyle="round")
            yield line
        case Lines():
            lines = LineCollection(list(shape.ends), colors=[shape.stroke.colour], transform=mm)
            lines.set(linewidth=shape.stroke.width * points_per_mm, alpha=shape.stroke.alpha, capstyle="projecting")
            yield lines
        case Label():
            yield from _text(shape, mm, points_per_mm)
        case RasterImage():
            left, bottom, right, top = shape.box
            box = TransformedBbox(Bbox.from_extents(left, bottom, right, top), mm)
            image = BboxImage(box, interpolation="bilinear", origin="upper")
            image.set_data(shape.pixels)
            yield image


def _text(label: Label, mm: Transform, points_per_mm: float) -> Iterator[PathPatch]:
    outlines, width = glyphs(label.text, label.bold)
    back = {"left": 0.0, "center": 0.5, "right": 1.0}[label.align] * width
    place = Affine2D().translate(-back, -_MIDDLE_EM).scale(label.size).rotate_deg(label.turn)
    path = place.translate(label.x, label.y).transform_path(outlines)
    if label.halo is not None:
        halo = PathPatch(path, transform=mm, facecolor="none", edgecolor=label.halo, joinstyle="round")
        halo.set_linewidth(0.2 * label.size * points_per_mm)
        yield halo
    yield PathPatch(path, transform=mm, facecolor=label.colour, linewidth=0.0, edgecolor="none")
