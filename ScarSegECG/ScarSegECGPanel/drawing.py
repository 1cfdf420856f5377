"""A live, clickable drawing of the library in one of Slicer's render views."""

from collections.abc import Callable

import vtk


class DrawingView:
    """Shows a drawing in a ctkVTKRenderView and tells what is clicked.

    >>> view = DrawingView(self.ui.imageView, onKey=lambda number: print(number))
    >>> view.show(result_bullseye(result))
    """

    def __init__(self, view, onKey: Callable[[int], None] | None = None) -> None:
        self._view, self._onKey, self._live = view, onKey, None
        window = view.renderWindow()
        self._renderer = window.GetRenderers().GetFirstRenderer()
        if self._renderer is None:
            self._renderer = vtk.vtkRenderer()
            window.AddRenderer(self._renderer)
        self._renderer.SetBackground(1.0, 1.0, 1.0)
        self._interactor = view.interactor()
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())  # the drawing does not turn
        self._tags = [
            (window, window.AddObserver(vtk.vtkCommand.WindowResizeEvent, self._fit)),
            (self._interactor, self._interactor.AddObserver(vtk.vtkCommand.LeftButtonPressEvent, self._clicked)),
        ]

    def show(self, drawing) -> None:
        """Replace what is shown."""
        from ScarSegECGLib.view.paint_vtk import LiveDrawing

        if self._live is None:
            self._live = LiveDrawing(self._renderer, drawing)
        else:
            self._live.show(drawing)
        self._fit()
        self._view.scheduleRender()

    def clear(self) -> None:
        from ScarSegECGLib.view.shapes import Drawing

        if self._live is not None:
            self.show(Drawing(90.0, 90.0, ()))

    @property
    def drawing(self):
        """What is shown, None before the first."""
        return self._live.drawing if self._live else None

    def release(self) -> None:
        for subject, tag in self._tags:
            subject.RemoveObserver(tag)
        self._tags = []

    def click(self, x: float, y: float) -> None:
        """As if the mouse had been pressed there, pixels from the lower left."""
        key = self._live.key_at(x, y) if self._live else None
        if key is not None and self._onKey:
            self._onKey(key)

    def _fit(self, caller=None, event=None) -> None:
        width, height = self._view.renderWindow().GetSize()
        if self._live is not None and width > 0 and height > 0:  # it has none before it is first shown
            self._live.fit(width, height)

    def _clicked(self, caller=None, event=None) -> None:
        self.click(*self._interactor.GetEventPosition())


def beside(left, right, gap: float = 4.0):
    """Two drawings of one kind as one, side by side, their tops level."""
    from ScarSegECGLib.view.shapes import Drawing, moved

    height = max(left.height, right.height)
    shapes = [moved(shape, 0.0, height - left.height) for shape in left.shapes]
    shapes += [moved(shape, left.width + gap, height - right.height) for shape in right.shapes]
    return Drawing(left.width + gap + right.width, height, tuple(shapes), left.hit_kind, left.title)
