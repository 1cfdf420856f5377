"""The layout "ScarSegECG": the short axis large, below it the 3D view, beside it both bullseyes and the ECG."""

import contextlib
from pathlib import Path

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.nodes import Grid, brighten, sliceNode, unit, voxelsAndMatrix
from ScarSegECGPanel.section import Section

LAYOUT_ID = 25117
BULLSEYE_TAG, ECG_TAG = "scarsegecgbullseyes", "scarsegecgpaper"  # the views' names in the description
SEPTUM = (2, 3, 8, 9, 14)
DESCRIPTION = Path(__file__).parents[1] / "Resources" / "UI" / "Layout.xml"


def registerLayout() -> dict:
    """Make layout and views known to the application; the registered view factories by tag, {} without a window.

    At its start, because a scene that was saved in this layout is shown in it, or blank, before anybody opens the
    module. The application keeps a factory for good, so it has to outlive a reload of this module.
    """
    manager = slicer.app.layoutManager()
    if manager is None:
        return {}
    layoutNode = manager.layoutLogic().GetLayoutNode()
    if not layoutNode.IsLayoutDescription(LAYOUT_ID):
        layoutNode.AddLayoutDescription(LAYOUT_ID, DESCRIPTION.read_text(encoding="utf-8"))
    factories = vars(slicer).setdefault("scarSegEcgViewFactories", {})
    for tag in (BULLSEYE_TAG, ECG_TAG):
        if tag not in factories:
            import ctk

            factory = slicer.qSlicerSingletonViewFactory()
            factory.setTagName(tag)
            widget = ctk.ctkVTKRenderView()
            widget.orientationWidgetVisible = False  # CTK's marker of axes: these are no views of a space
            factory.setWidget(widget)
            manager.registerViewFactory(factory)
            factories[tag] = factory
    return factories


class LayoutSection(Section):
    """Fills the layout's views: the stack, both bullseyes, the ECG, and the heart in 3D."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {"layoutButton": self.show})
        self.due = False  # a run ended while another module was open
        factories = registerLayout()
        self.drawn = {tag: DrawingView(factory.widget(), panel) for tag, factory in factories.items()}

    def showWhenEntered(self) -> None:
        """Never under the hands of somebody who works in another module."""
        self.due = not self.panel.parent.isEntered
        if not self.due:
            self.show()

    def show(self) -> None:
        """Switch to the layout, with the stack in its views."""
        manager = slicer.app.layoutManager()
        if manager is None:
            return
        if manager.layout == LAYOUT_ID and not all(view.widget().visible for view in registerLayout().values()):
            # It is chosen and yet not there, as its description came after the scene: choosing it again does nothing.
            layoutNode = manager.layoutLogic().GetLayoutNode()
            layoutNode.SetViewArrangement(layoutNode.SlicerLayoutConventionalView)
        manager.setLayout(LAYOUT_ID)
        self.showStack()

    def showStack(self) -> None:
        """The chosen stack in the slice views, turned and bright as a reader knows it; the heart, where it is known."""
        volume = self.parameters.inputVolume if self.parameters else None
        if slicer.app.layoutManager() is None or volume is None:
            return
        slicer.util.setSliceViewerLayers(background=volume, fit=True)
        brighten(volume)
        if self.study:
            self.grid.turnToShortAxis()
            self._zoom()
            self.look3d()
            return
        from ScarSegECGLib.lge.orientation import canonical

        with contextlib.suppress(InputError):  # not a short-axis stack: Apply will say why
            Grid(volume, canonical(*voxelsAndMatrix(volume))).turnToShortAxis()

    def _zoom(self) -> None:
        node, anatomy, grid = sliceNode(), self.study.anatomy, self.grid
        lv = np.argwhere((anatomy.cavity | anatomy.myocardium).any(axis=0))
        if node is None or not len(lv):
            return
        first, last = lv.min(axis=0), lv.max(axis=0)
        node.JumpSliceByCentering(*grid.toWorld(*(first + last) / 2, grid.currentSlice()))
        width, height, depth = node.GetFieldOfView()
        scale = 1.9 * max((last - first) * grid.stack.spacing[1:]) / min(width, height)
        if scale < 1:
            node.SetFieldOfView(width * scale, height * scale, depth)

    def look3d(self) -> None:
        """The left ventricle fills the 3D view as a cardiologist thinks of it: the septum in view, apex down left."""
        view = slicer.mrmlScene.GetSingletonNode("1", "vtkMRMLViewNode")
        anatomy, grid = self.study.anatomy, self.grid
        camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view) if view else None
        wall, septum = np.argwhere(anatomy.myocardium), np.argwhere(np.isin(anatomy.aha, SEPTUM))
        if camera is None or not len(septum) or wall[0, 0] == wall[-1, 0]:
            return
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)

        def world(slice_: float, row: float, column: float) -> np.ndarray:
            return grid.toWorld(row, column, slice_)

        centre = wall.mean(axis=0)
        middle = world(*centre)
        toApex = unit(world(wall[0, 0], *centre[1:]) - world(wall[-1, 0], *centre[1:]))
        outward = world(*septum.mean(axis=0)) - middle
        outward = unit(outward - (outward @ toApex) * toApex)
        up = -(toApex + np.cross(outward, toApex)) / np.sqrt(2)
        radius = np.linalg.norm(world(*wall.max(axis=0)) - world(*wall.min(axis=0))) / 2
        distance = 1.25 * radius / np.sin(np.radians(camera.GetViewAngle() / 2))
        camera.SetFocalPoint(*middle)
        camera.SetPosition(*(middle + distance * outward))
        camera.SetViewUp(*up)
        camera.ResetClippingRange()

    def draw(self, tag: str, drawing) -> None:
        if tag in self.drawn:
            self.drawn[tag].show(drawing)

    def clear(self) -> None:
        for view in self.drawn.values():
            view.show(None)

    def cleanup(self) -> None:
        self.clear()
        for view in self.drawn.values():
            view.release()


class DrawingView:
    """A drawing of the library in a ctkVTKRenderView; the results are told which AHA segment is clicked.

    The drawing is painted at the view's own size when the view is rendered: one that is hidden costs nothing, and of
    many strokes in a row only the last is painted.
    """

    def __init__(self, view, panel) -> None:
        self._view, self._panel = view, panel
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
        panel.addObserver(self._renderer, vtk.vtkCommand.StartEvent, self._paint)
        panel.addObserver(interactor, vtk.vtkCommand.LeftButtonPressEvent, self._clicked)

    def show(self, drawing) -> None:
        """Replace what is shown; None for nothing."""
        if drawing is not self.drawing:
            self.drawing = drawing
            self._view.scheduleRender()

    def release(self) -> None:
        """The view is the application's and stays; the panel's observers go with the panel."""
        self._renderer.RemoveViewProp(self._actor)

    def click(self, x: float, y: float) -> None:
        """As if the mouse had been pressed there, pixels from the lower left."""
        scale, left, bottom = self.place()
        number = self.drawing.segment_at((x - left) / scale, (y - bottom) / scale) if scale > 0 else None
        if number is not None:
            self._panel.results.onWedge(number)

    def _clicked(self, interactor, event) -> None:
        self.click(*interactor.GetEventPosition())

    def place(self) -> tuple[float, int, int]:
        """Pixels per mm, and where the drawing's lower left corner lies: as large as fits, in the middle."""
        (width, height), drawing = self._window.GetSize(), self.drawing
        if drawing is None:
            return 0.0, 0, 0
        scale = min(width / drawing.width, height / drawing.height)
        return scale, round((width - scale * drawing.width) / 2), round((height - scale * drawing.height) / 2)

    def _paint(self, caller=None, event=None) -> None:
        wanted = (self.drawing, self._window.GetSize())
        if self._painted == wanted:
            return
        self._painted = wanted
        scale, left, bottom = self.place()
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
