"""A clickable picture of the library in one of Slicer's render views."""

from collections.abc import Callable
from dataclasses import replace

import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ScarSegECGLib.wording import RESEARCH_USE


class DrawingView:
    """Shows a drawing in a ctkVTKRenderView and tells which AHA segment is clicked.

    The drawing is painted at the view's own size when the view is rendered: one that is hidden costs nothing, and of
    many strokes in a row only the last is painted.

    >>> view = DrawingView(widget, onKey=lambda number: print(number))
    >>> view.show(scar_bullseye(result))
    """

    def __init__(self, view, onKey: Callable[[int], None] | None = None) -> None:
        self._view, self._onKey = view, onKey
        self.drawing, self._painted = None, None
        self._window = window = view.renderWindow()
        self._renderer = window.GetRenderers().GetFirstRenderer()
        if self._renderer is None:
            self._renderer = vtk.vtkRenderer()
            window.AddRenderer(self._renderer)
        self._renderer.SetBackground(1.0, 1.0, 1.0)
        self._actor = vtk.vtkActor2D()
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor.SetMapper(self._mapper)
        self._actor.VisibilityOff()
        self._renderer.AddViewProp(self._actor)
        self._interactor = view.interactor()
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())  # the drawing does not turn
        self._tags = [
            (self._renderer, self._renderer.AddObserver(vtk.vtkCommand.StartEvent, self._paint)),
            (self._interactor, self._interactor.AddObserver(vtk.vtkCommand.LeftButtonPressEvent, self._clicked)),
        ]

    def show(self, drawing) -> None:
        """Replace what is shown."""
        self.drawing = drawing
        self._view.scheduleRender()

    def clear(self) -> None:
        if self.drawing is not None:
            self.show(None)

    def release(self) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags = []
        self._renderer.RemoveViewProp(self._actor)

    def click(self, x: float, y: float) -> None:
        """As if the mouse had been pressed there, pixels from the lower left."""
        if self.drawing is None or not self._onKey:
            return
        scale, left, bottom = self.place()
        number = self.drawing.segment_at((x - left) / scale, (y - bottom) / scale) if scale > 0 else None
        if number is not None:
            self._onKey(number)

    def _clicked(self, caller=None, event=None) -> None:
        self.click(*self._interactor.GetEventPosition())

    def place(self) -> tuple[float, int, int]:
        """Pixels per mm, and where the drawing's lower left corner lies: as large as fits, in the middle."""
        width, height = self._window.GetSize()
        scale = min(width / self.drawing.width, height / self.drawing.height)
        return (
            scale,
            round((width - scale * self.drawing.width) / 2),
            round((height - scale * self.drawing.height) / 2),
        )

    def _paint(self, caller=None, event=None) -> None:
        wanted = (self.drawing, self._window.GetSize())
        if self._painted == wanted:
            return
        self._painted = wanted
        scale, left, bottom = self.place() if self.drawing is not None else (0.0, 0, 0)
        width = round(scale * self.drawing.width) if self.drawing is not None else 0
        self._actor.SetVisibility(width > 0)
        if width <= 0:  # nothing to show, or a view that has no size before it is first shown
            return
        from ScarSegECGLib.view.paint import to_pixels

        pixels = to_pixels(self.drawing, width)[::-1].copy()  # VTK's rows run upwards
        image = vtk.vtkImageData()
        image.SetDimensions(pixels.shape[1], pixels.shape[0], 1)
        image.GetPointData().SetScalars(numpy_to_vtk(pixels.reshape(-1, 3), deep=True))
        self._mapper.SetInputData(image)
        self._actor.SetPosition(left, bottom)


def beside(left, right, gap: float = 4.0):
    """Two drawings of one kind as one, side by side, their tops level."""
    from ScarSegECGLib.view.shapes import Drawing, moved

    height = max(left.height, right.height)
    shapes = [moved(shape, 0.0, height - left.height) for shape in left.shapes]
    shapes += [moved(shape, left.width + gap, height - right.height) for shape in right.shapes]
    return Drawing(left.width + gap + right.width, height, tuple(shapes), left.title)


def onScreen(drawing):
    """Without the line that every page carries by itself: the panel says it, once."""
    from ScarSegECGLib.view.shapes import Label

    kept = tuple(shape for shape in drawing.shapes if not (isinstance(shape, Label) and shape.text == RESEARCH_USE))
    return replace(drawing, shapes=kept)
