"""A clickable picture of the library in one of Slicer's render views."""

from collections.abc import Callable

import vtk
from vtk.util.numpy_support import numpy_to_vtk


class DrawingView:
    """Shows a drawing in a ctkVTKRenderView and tells which AHA segment is clicked.

    The drawing is painted at the view's own size when the view is rendered: one that is hidden costs nothing, and of
    many strokes in a row only the last is painted.

    >>> view = DrawingView(widget, onKey=lambda number: print(number))
    >>> view.show(result_bullseye(result))
    """

    def __init__(self, view, onKey: Callable[[int], None] | None = None) -> None:
        self._view, self._onKey = view, onKey
        self.drawing, self._painted = None, None
        self._window = view.renderWindow()
        self._renderer = self._window.GetRenderers().GetFirstRenderer()
        if self._renderer is None:
            self._renderer = vtk.vtkRenderer()
            self._window.AddRenderer(self._renderer)
        self._renderer.SetBackground(1.0, 1.0, 1.0)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.VisibilityOff()
        self._renderer.AddViewProp(self._actor)
        interactor = view.interactor()
        interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())  # the drawing does not turn
        self._tags = [
            (self._renderer, self._renderer.AddObserver(vtk.vtkCommand.StartEvent, self._paint)),
            (interactor, interactor.AddObserver(vtk.vtkCommand.LeftButtonPressEvent, self._clicked)),
        ]

    def show(self, drawing) -> None:
        """Replace what is shown; None for nothing."""
        if drawing is not self.drawing:
            self.drawing = drawing
            self._view.scheduleRender()

    def release(self) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._renderer.RemoveViewProp(self._actor)

    def click(self, x: float, y: float) -> None:
        """As if the mouse had been pressed there, pixels from the lower left."""
        if self.drawing is None or not self._onKey:
            return
        scale, left, bottom = self.place()
        number = self.drawing.segment_at((x - left) / scale, (y - bottom) / scale) if scale > 0 else None
        if number is not None:
            self._onKey(number)

    def _clicked(self, interactor, event) -> None:
        self.click(*interactor.GetEventPosition())

    def place(self) -> tuple[float, int, int]:
        """Pixels per mm, and where the drawing's lower left corner lies: as large as fits, in the middle."""
        (width, height), drawing = self._window.GetSize(), self.drawing
        scale = min(width / drawing.width, height / drawing.height)
        return scale, round((width - scale * drawing.width) / 2), round((height - scale * drawing.height) / 2)

    def _paint(self, caller=None, event=None) -> None:
        wanted = (self.drawing, self._window.GetSize())
        if self._painted == wanted:
            return
        self._painted = wanted
        scale, left, bottom = self.place() if self.drawing else (0.0, 0, 0)
        width = round(scale * self.drawing.width) if self.drawing else 0
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
