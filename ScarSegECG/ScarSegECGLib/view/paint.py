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
from matplotlib.patches import PathPatch
from matplotlib.path import Path as MplPath
from matplotlib.transforms import Affine2D, Bbox, Transform, TransformedBbox
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.palette import Colour
from ScarSegECGLib.view.shapes import Drawing, Label, Lines, Polygon, Polyline, RasterImage, Shape, Stroke, Wedge
from ScarSegECGLib.view.text import glyphs

FORMATS = ("png", "svg", "pdf")
_MM_PER_INCH, _POINTS_PER_MM = 25.4, 72.0 / 25.4
# Half the height of a digit: text is centred on its figures and capitals, not on its descenders.
_MIDDLE_EM = 0.365


def to_png(drawing: Drawing, *, width_px: int | None = None, dpi: float = 200.0) -> bytes:
    """Paint as PNG, ``width_px`` wide or else at ``dpi``, which the file keeps so that it prints at true size."""
    return _file(drawing, "png", dpi if width_px is None else width_px / drawing.width * _MM_PER_INCH)


def to_pixels(drawing: Drawing, width_px: int) -> NDArray[np.uint8]:
    """Paint for a screen: uint8 of shape (rows, ``width_px`` columns, 3), first row on top."""
    canvas = FigureCanvasAgg(_figure(drawing, width_px / drawing.width * _MM_PER_INCH))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def save(drawing: Drawing, path: Path | str, *, dpi: float = 200.0) -> Path:
    """Write a drawing to a file; the suffix (.png, .svg, .pdf) says which kind. A PDF printed at 100 % is to scale.

    Text becomes outlines in SVG, so that no font is needed to show it.

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
    mm = np.asarray(ax.bbox.size) / ax.figure.dpi * _MM_PER_INCH
    share = float(min(mm / (drawing.width, drawing.height)))  # lines grow and shrink with the picture
    for artist in _artists(drawing, ax.transData, share):
        ax.add_artist(artist)
    return ax


def _figure(drawing: Drawing, dpi: float) -> Figure:
    figure = Figure((drawing.width / _MM_PER_INCH, drawing.height / _MM_PER_INCH), dpi=dpi, facecolor="white")
    for artist in _artists(drawing, Affine2D().scale(1 / _MM_PER_INCH) + figure.dpi_scale_trans, 1.0):
        figure.add_artist(artist)
    return figure


def _file(drawing: Drawing, kind: str, dpi: float) -> bytes:
    buffer = io.BytesIO()
    # Neither a date nor a random salt may enter the file: the same drawing gives the same bytes.
    undated: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[kind]
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if kind == "png" else {}
    metadata = {"Title": drawing.title, **undated}
    with matplotlib.rc_context({"svg.hashsalt": "ScarSegECG"}):
        _figure(drawing, dpi).savefig(buffer, format=kind, dpi=dpi, metadata=metadata, **options)
    return buffer.getvalue()


def _artists(drawing: Drawing, mm: Transform, share: float) -> Iterator[Artist]:
    """What matplotlib paints, in order; ``share`` is the picture's size over its true size."""
    for order, shape in enumerate(drawing.shapes):
        for artist in _painted(shape, mm, share * _POINTS_PER_MM):
            artist.set_zorder(order)
            yield artist


def _painted(shape: Shape, mm: Transform, points_per_mm: float) -> Iterator[Artist]:
    def patch(path: MplPath, fill: Colour | None, stroke: Stroke | None, alpha: float = 1.0) -> PathPatch:
        face = (*fill, alpha) if fill else "none"
        painted = PathPatch(path, transform=mm, facecolor=face, edgecolor="none", linewidth=0.0)
        if stroke is not None:
            painted.set(joinstyle="round", capstyle="round", linewidth=stroke.width * points_per_mm)
            painted.set_edgecolor((*stroke.colour, stroke.alpha))
        return painted

    match shape:
        case Wedge() | Polygon():
            if shape.fill is not None or shape.stroke is not None:
                loops = [MplPath(np.vstack([ring, ring[:1]]), closed=True) for ring in shape.rings]
                yield patch(MplPath.make_compound_path(*loops), shape.fill, shape.stroke, shape.alpha)
        case Polyline():
            at = np.vstack([shape.at, shape.at[:1]]) if shape.closed else shape.at
            yield patch(MplPath(at), None, shape.stroke)
        case Lines():
            lines = LineCollection(list(shape.ends), colors=[shape.stroke.colour], transform=mm)
            lines.set(linewidth=shape.stroke.width * points_per_mm, alpha=shape.stroke.alpha, capstyle="projecting")
            yield lines
        case Label():
            outlines, width = glyphs(shape.text, shape.bold)
            back = {"left": 0.0, "center": 0.5, "right": 1.0}[shape.align] * width
            place = Affine2D().translate(-back, -_MIDDLE_EM).scale(shape.size).rotate_deg(shape.turn)
            path = place.translate(shape.x, shape.y).transform_path(outlines)
            if shape.halo is not None:
                yield patch(path, None, Stroke(shape.halo, 0.2 * shape.size))
            yield patch(path, shape.colour, None)
        case RasterImage():
            box = TransformedBbox(Bbox.from_extents(*shape.box), mm)
            image = BboxImage(box, interpolation="bilinear", origin="upper")
            image.set_data(shape.pixels)
            yield image
