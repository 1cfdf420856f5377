"""The layout "ScarSegECG": the short axis large, below it the 3D view, beside it both bullseyes and the ECG."""

import contextlib
from pathlib import Path

import numpy as np
import slicer

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.drawing import DrawingView
from ScarSegECGPanel.nodes import brighten, voxelsAndMatrix
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.slices import currentSlice, sliceNode, toWorld, turnToShortAxis, unit

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
        self._due = False  # a run ended while another module was open
        onKey = {BULLSEYE_TAG: lambda number: self.panel.results.onWedge(number)}
        self.drawn = {tag: DrawingView(f.widget(), onKey.get(tag)) for tag, f in registerLayout().items()}

    def showWhenEntered(self) -> None:
        """Never under the hands of somebody who works in another module."""
        self._due = not self.panel.parent.isEntered
        if not self._due:
            self.show()

    def enter(self) -> None:
        if self._due:
            self.showWhenEntered()

    def show(self) -> None:
        """Switch to the layout, with the stack in its views."""
        manager = slicer.app.layoutManager()
        if manager is None:
            return
        if manager.layout == LAYOUT_ID and not all(f.widget().visible for f in registerLayout().values()):
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
            turnToShortAxis(volume, self.study.segmented.stack)
            self._zoom()
            self.look3d()
            return
        from ScarSegECGLib.lge.orientation import canonical

        with contextlib.suppress(InputError):  # not a short-axis stack: Apply will say why
            turnToShortAxis(volume, canonical(*voxelsAndMatrix(volume)))

    def _zoom(self) -> None:
        """The heart, not the chest."""
        node, anatomy, stack = sliceNode(), self.study.anatomy, self.study.segmented.stack
        lv = np.argwhere((anatomy.cavity | anatomy.myocardium).any(axis=0))
        if node is None or not len(lv):
            return
        first, last = lv.min(axis=0), lv.max(axis=0)
        volume = self.parameters.inputVolume
        middle = toWorld(volume, stack, *(first + last) / 2, currentSlice(volume, stack))
        node.JumpSliceByCentering(*middle)
        width, height, depth = node.GetFieldOfView()
        scale = 1.9 * max((last - first) * stack.spacing[1:]) / min(width, height)
        if scale < 1:
            node.SetFieldOfView(width * scale, height * scale, depth)

    def look3d(self) -> None:
        """The left ventricle fills the 3D view as a cardiologist thinks of it: the septum in view, apex down left."""
        view = slicer.mrmlScene.GetSingletonNode("1", "vtkMRMLViewNode")
        anatomy, volume, stack = self.study.anatomy, self.parameters.inputVolume, self.study.segmented.stack
        camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view) if view else None
        wall, septum = np.argwhere(anatomy.myocardium), np.argwhere(np.isin(anatomy.aha, SEPTUM))
        if camera is None or not len(septum) or wall[0, 0] == wall[-1, 0]:
            return
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)

        def world(slice_: float, row: float, column: float) -> np.ndarray:
            return toWorld(volume, stack, row, column, slice_)

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
        """Show a drawing of the library, or nothing, in one of the two views."""
        if tag in self.drawn:
            self.drawn[tag].show(drawing)

    def clear(self) -> None:
        for view in self.drawn.values():
            view.show(None)

    def cleanup(self) -> None:
        self.clear()
        for view in self.drawn.values():
            view.release()
        self.drawn = {}
