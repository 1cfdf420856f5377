"""Paint a drawing with VTK for a live, clickable view.

:func:`drawing_to_vtk_polydata` needs no graphics at all. :class:`LiveDrawing` imports VTK's rendering classes only
when it is made, and never renders by itself: VTK ends the process when it renders without EGL, OSMesa or a display.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkImageData, vtkPolyData

from ScarSegECGLib.view.shapes import (
    Drawing,
    Label,
    Lines,
    Points,
    Polygon,
    Polyline,
    RasterImage,
    Shape,
    Stroke,
    Wedge,
    key_at,
)

if TYPE_CHECKING:
    from vtkmodules.vtkRenderingCore import vtkRenderer

_Triangles = tuple[NDArray[np.float64], NDArray[np.intp], tuple[float, float, float, float]]
"""Points (n, 2), corners (m, 3) and one RGBA colour."""


def drawing_to_vtk_polydata(drawing: Drawing, first: int = 0, last: int | None = None) -> vtkPolyData:
    """Turn a drawing's areas and lines into triangles, in painting order.

    Parameters
    ----------
    drawing : Drawing
    first, last : int
        Only these shapes (as in a slice); all by default.

    Returns
    -------
    vtkPolyData
        Points in mm, z = 0. Cell arrays: "colour" (unsigned char RGBA, the active scalars), "key" (int: what a click
        means, 0 = nothing) and "shape" (int: index in ``drawing.shapes``). Text is left out; a picture is two
        transparent triangles, there to be picked.
    """
    places, corners, colours, keys, indices = [], [], [], [], []
    offset = 0
    for index, shape in list(enumerate(drawing.shapes))[first:last]:
        for at, triangles, colour in _triangles(shape):
            places.append(at)
            corners.append(triangles + offset)
            colours.append(np.tile(np.rint(np.array(colour) * 255).astype(np.uint8), (len(triangles), 1)))
            keys.append(np.full(len(triangles), getattr(shape, "key", 0)))
            indices.append(np.full(len(triangles), index))
            offset += len(at)
    flat = np.vstack(places) if places else np.empty((0, 2))
    data = vtkPolyData()
    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.column_stack([flat, np.zeros(len(flat))]).astype(np.float32), deep=True))
    data.SetPoints(points)
    cells = vtkCellArray()
    faces = np.vstack(corners) if corners else np.empty((0, 3), np.int64)
    cells.SetData(3, numpy_to_vtkIdTypeArray(faces.astype(np.int64).ravel(), deep=True))
    data.SetPolys(cells)
    _cell_array(data, "colour", np.vstack(colours) if colours else np.empty((0, 4), np.uint8))
    _cell_array(data, "key", np.concatenate(keys or [np.empty(0)]).astype(np.int32))
    _cell_array(data, "shape", np.concatenate(indices or [np.empty(0)]).astype(np.int32))
    data.GetCellData().SetActiveScalars("colour")
    return data


def _cell_array(data: vtkPolyData, name: str, values: NDArray) -> None:
    array = numpy_to_vtk(np.ascontiguousarray(values), deep=True)
    array.SetName(name)
    data.GetCellData().AddArray(array)


def _triangles(shape: Shape) -> Iterable[_Triangles]:
    match shape:
        case Wedge():
            if shape.fill is not None or shape.key:
                yield *_ring(shape), _rgba(shape)
            if shape.stroke is not None:
                for loop in shape.rings():
                    yield _ribbon(loop, shape.stroke, closed=True)
        case Polygon():
            if shape.fill is not None or shape.key:
                yield *_filled(shape.rings), _rgba(shape)
            if shape.stroke is not None:
                for loop in shape.rings:
                    yield _ribbon(loop, shape.stroke, closed=True)
        case Polyline():
            yield _ribbon(shape.at, shape.stroke, closed=shape.closed)
        case Lines():
            yield _bars(shape.ends[:, 0], shape.ends[:, 1], shape.stroke)
        case RasterImage():
            left, bottom, right, top = shape.box
            at = np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
            yield at, np.array([(0, 1, 2), (0, 2, 3)]), (0.0, 0.0, 0.0, 0.0)


def _rgba(shape: Wedge | Polygon) -> tuple[float, float, float, float]:
    return (*shape.fill, shape.alpha) if shape.fill is not None else (0.0, 0.0, 0.0, 0.0)


def _ring(wedge: Wedge) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """A wedge as a strip of triangles between its two arcs."""
    outer = wedge.arc(wedge.outer)
    inner = wedge.arc(wedge.inner)
    count = np.arange(len(outer) - 1)
    low, high = count + len(outer), count
    return np.vstack([outer, inner]), np.vstack([
        np.column_stack([low, high, high + 1]), np.column_stack([low, high + 1, low + 1])
    ])  # fmt: skip


def _filled(rings: tuple[Points, ...]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Triangles of loops, holes left out."""
    from vtkmodules.vtkFiltersGeneral import vtkContourTriangulator

    loops = vtkPolyData()
    points, lines = vtkPoints(), vtkCellArray()
    for ring in rings:
        ids = [points.InsertNextPoint(float(x), float(y), 0.0) for x, y in ring]
        lines.InsertNextCell(len(ids) + 1)
        for place in [*ids, ids[0]]:
            lines.InsertCellPoint(place)
    loops.SetPoints(points)
    loops.SetLines(lines)
    triangulator = vtkContourTriangulator()
    triangulator.SetInputData(loops)
    triangulator.Update()
    result = triangulator.GetOutput()
    at = vtk_to_numpy(result.GetPoints().GetData())[:, :2].astype(np.float64)
    return at, vtk_to_numpy(result.GetPolys().GetConnectivityArray()).reshape(-1, 3)


def _ribbon(loop: Points, stroke: Stroke, *, closed: bool) -> _Triangles:
    ends = np.vstack([loop, loop[:1]]) if closed else loop
    return _bars(ends[:-1], ends[1:], stroke)


def _bars(start: NDArray[np.float64], end: NDArray[np.float64], stroke: Stroke) -> _Triangles:
    """Straight lines as rectangles, half a width longer at both ends so that corners close."""
    along = end - start
    length = np.hypot(*along.T)[:, None]
    unit = np.divide(along, length, out=np.zeros_like(along), where=length > 0) * stroke.width / 2
    across = unit[:, ::-1] * (-1, 1)
    corners = np.stack([start - unit - across, end + unit - across, end + unit + across, start - unit + across], axis=1)
    first = 4 * np.arange(len(start))[:, None]
    faces = np.concatenate([first + (0, 1, 2), first + (0, 2, 3)], axis=1).reshape(-1, 3)
    return corners.reshape(-1, 2), faces, (*stroke.colour, stroke.alpha)


class LiveDrawing:
    """A drawing in a VTK renderer, scaled to fit, that tells what lies under the pointer.

    Parameters
    ----------
    renderer : vtkRenderer
        Gets the actors; nothing is rendered here, the caller's window does that.
    drawing : Drawing
    """

    def __init__(self, renderer: vtkRenderer, drawing: Drawing) -> None:
        self._renderer = renderer
        self._actors: list[Any] = []
        self._texts: list[tuple[Any, Label]] = []
        self._placed: list[tuple[vtkPoints, NDArray[np.float64]]] = []
        self._scale, self._left, self._bottom = 1.0, 0.0, 0.0
        self.drawing = drawing
        self.show(drawing)

    def show(self, drawing: Drawing) -> None:
        """Replace what is shown, keeping the size."""
        for actor in self._actors:
            self._renderer.RemoveViewProp(actor)
        self._actors, self._texts, self._placed, self.drawing = [], [], [], drawing
        self._renderer.SetBackground(*drawing.background)
        start = 0
        for index, shape in enumerate(drawing.shapes):
            if isinstance(shape, RasterImage):
                self._add_areas(start, index)
                self._add_image(shape)
                start = index + 1
        self._add_areas(start, len(drawing.shapes))
        for label in drawing.labels:
            self._add_text(label)
        self._place()

    def fit(self, width_px: int, height_px: int) -> None:
        """Centre the drawing in a view of this many pixels, as large as it goes; call it when the view is resized."""
        self._scale = min(width_px / self.drawing.width, height_px / self.drawing.height)
        self._left = (width_px - self._scale * self.drawing.width) / 2
        self._bottom = (height_px - self._scale * self.drawing.height) / 2
        self._place()

    def key_at(self, x_px: float, y_px: float) -> int | None:
        """What lies at a display position (pixels from the lower left): the drawing's key there, or ``None``."""
        return key_at((x_px - self._left) / self._scale, (y_px - self._bottom) / self._scale, self.drawing)

    def _add_areas(self, first: int, last: int) -> None:
        from vtkmodules import vtkRenderingOpenGL2  # noqa: F401  (its import registers the mappers)
        from vtkmodules.vtkRenderingCore import vtkActor2D, vtkPolyDataMapper2D

        data = drawing_to_vtk_polydata(self.drawing, first, last)
        if data.GetNumberOfCells() == 0:
            return
        mapper, actor = vtkPolyDataMapper2D(), vtkActor2D()
        mapper.SetInputData(data)
        mapper.SetScalarModeToUseCellData()
        mapper.SetColorModeToDirectScalars()
        actor.SetMapper(mapper)
        self._keep(actor, data.GetPoints())

    def _add_image(self, image: RasterImage) -> None:
        from vtkmodules.vtkRenderingCore import vtkPolyDataMapper2D, vtkTexture, vtkTexturedActor2D

        left, bottom, right, top = image.box
        corners = np.array([(left, bottom, 0), (right, bottom, 0), (right, top, 0), (left, top, 0)], np.float32)
        quad, points, cells = vtkPolyData(), vtkPoints(), vtkCellArray()
        points.SetData(numpy_to_vtk(corners, deep=True))
        cells.InsertNextCell(4, (0, 1, 2, 3))
        quad.SetPoints(points)
        quad.SetPolys(cells)
        quad.GetPointData().SetTCoords(numpy_to_vtk(np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32), deep=True))
        rows, columns, channels = image.pixels.shape
        pixels = vtkImageData()
        pixels.SetDimensions(columns, rows, 1)
        flat = np.ascontiguousarray(image.pixels[::-1].reshape(-1, channels))
        pixels.GetPointData().SetScalars(numpy_to_vtk(flat, deep=True))
        texture = vtkTexture()
        texture.SetInputData(pixels)
        texture.SetInterpolate(image.smooth)
        texture.SetColorModeToDirectScalars()
        mapper, actor = vtkPolyDataMapper2D(), vtkTexturedActor2D()
        mapper.SetInputData(quad)
        actor.SetMapper(mapper)
        actor.SetTexture(texture)
        self._keep(actor, points)

    def _add_text(self, label: Label) -> None:
        from vtkmodules import vtkRenderingFreeType  # noqa: F401  (its import registers the fonts)
        from vtkmodules.vtkRenderingCore import vtkTextActor

        actor = vtkTextActor()
        actor.SetInput(label.text)
        actor.SetTextScaleModeToNone()
        style = actor.GetTextProperty()
        style.SetFontFamily(_VTK_FONT_FILE)
        style.SetFontFile(_font_file(label.bold))
        style.SetColor(*label.colour)
        style.SetOrientation(label.turn)
        style.SetVerticalJustificationToCentered()
        {"left": style.SetJustificationToLeft, "center": style.SetJustificationToCentered,
         "right": style.SetJustificationToRight}[label.align]()  # fmt: skip
        if label.halo is not None:
            style.ShadowOn()
            style.SetShadowOffset(1, -1)
        self._texts.append((actor, label))
        self._keep(actor, None)

    def _keep(self, actor: Any, points: vtkPoints | None) -> None:
        actor.SetLayerNumber(len(self._actors))
        self._actors.append(actor)
        self._renderer.AddViewProp(actor)
        if points is not None:
            self._placed.append((points, vtk_to_numpy(points.GetData()).copy()))

    def _place(self) -> None:
        offset = (self._left, self._bottom, 0.0)
        for points, mm in self._placed:
            points.SetData(numpy_to_vtk((mm * self._scale + offset).astype(np.float32), deep=True))
            points.Modified()
        for actor, label in self._texts:
            actor.SetPosition(label.x * self._scale + self._left, label.y * self._scale + self._bottom)
            actor.GetTextProperty().SetFontSize(max(1, round(label.size * self._scale)))


_VTK_FONT_FILE = 4
"""VTK's number for "take the font from a file"."""


def _font_file(bold: bool) -> str:
    """Matplotlib's own DejaVu Sans, so that live views and files look alike."""
    from matplotlib import get_data_path

    return f"{get_data_path()}/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf"
