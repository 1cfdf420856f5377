"""Paint a drawing with matplotlib: PNG, SVG or PDF (the same bytes every time), pixels for a screen, or given axes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from matplotlib.transforms import Affine2D, Bbox, Transform, TransformedBbox, TransformedPath
from numpy.typing import NDArray

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.shapes import Drawing, Label, Mark, RasterImage, Stroke, glyphs

FORMATS = ("png", "svg", "pdf")
_MM_PER_INCH = 25.4
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
    """Write a drawing to a file; the suffix (.png, .svg, .pdf) says which kind, InputError for any other.

    A PDF printed at 100 % is to scale. Text becomes outlines in SVG, so that no font is needed to show it.
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
    ax.add_artist(_Painting(drawing, ax.transData))
    return ax


def _figure(drawing: Drawing, dpi: float) -> Figure:
    figure = Figure((drawing.width / _MM_PER_INCH, drawing.height / _MM_PER_INCH), dpi=dpi, facecolor="white")
    figure.add_artist(_Painting(drawing, Affine2D().scale(1 / _MM_PER_INCH) + figure.dpi_scale_trans))
    return figure


def _file(drawing: Drawing, kind: str, dpi: float) -> bytes:
    buffer = io.BytesIO()
    # Neither a date nor a random salt may enter the file: the same drawing gives the same bytes.
    undated: dict[str, dict[str, Any]] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    options: dict[str, Any] = {"pil_kwargs": {"compress_level": 3}} if kind == "png" else {}
    with matplotlib.rc_context({"svg.hashsalt": "ScarSegECG"}):
        metadata = {"Title": drawing.title, **undated[kind]}
        _figure(drawing, dpi).savefig(buffer, format=kind, dpi=dpi, metadata=metadata, **options)
    return buffer.getvalue()


class _Painting(Artist):
    """A whole drawing as one artist, which is drawn in half the time of an artist for every shape."""

    def __init__(self, drawing: Drawing, mm: Transform) -> None:
        super().__init__()
        self._drawing, self._mm = drawing, mm

    def draw(self, renderer: RendererBase) -> None:
        """Paint the shapes in their order; lines grow and shrink with the picture."""
        (left, _), (right, _) = self._mm.transform([(0.0, 0.0), (1.0, 0.0)])
        self._points_per_mm = (right - left) / renderer.points_to_pixels(1.0)
        for shape in self._drawing.shapes:
            match shape:
                case Mark():
                    self._mark(renderer, shape)
                case Label():
                    outlines, width = glyphs(shape.text, shape.bold)
                    back = {"left": 0.0, "center": 0.5, "right": 1.0}[shape.align] * width
                    place = Affine2D().translate(-back, -_MIDDLE_EM).scale(shape.size).rotate_deg(shape.turn)
                    path = place.translate(shape.x, shape.y).transform_path(outlines)
                    if shape.halo is not None:
                        self._mark(renderer, Mark(path, stroke=Stroke(shape.halo, 0.2 * shape.size)))
                    self._mark(renderer, Mark(path, shape.colour))
                case RasterImage():
                    box = TransformedBbox(Bbox.from_extents(*shape.box), self._mm)
                    image = BboxImage(box, interpolation="bilinear", origin="upper")
                    image.set_data(shape.pixels)
                    image.set_figure(self.figure)
                    image.draw(renderer)

    def _mark(self, renderer: RendererBase, mark: Mark) -> None:
        pen, stroke = renderer.new_gc(), mark.stroke
        pen.set_linewidth(0.0)
        if mark.clip is not None:
            pen.set_clip_path(TransformedPath(mark.clip, self._mm))
        if stroke is not None:
            pen.set_linewidth(stroke.width * self._points_per_mm)
            pen.set_foreground((*stroke.colour, stroke.alpha), isRGBA=True)
            pen.set_joinstyle("round")
            pen.set_capstyle("butt" if stroke.dashes else "round")
            if stroke.dashes:
                dash, gap = (length * self._points_per_mm for length in stroke.dashes)
                pen.set_dashes(dash + gap / 2, (dash, gap))  # half a gap first
        renderer.draw_path(pen, mark.path, self._mm, (*mark.fill, mark.alpha) if mark.fill else None)
        pen.restore()
