"""The layout "ScarSegECG": the short axis large, below it the 3D view, beside it both bullseyes and the ECG."""

import numpy as np
import slicer

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.drawing import DrawingView
from ScarSegECGPanel.nodes import brighten, voxelsAndMatrix
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.slices import currentSlice, sliceNode, toWorld, turnToShortAxis

LAYOUT_ID = 25117
SEPTUM = (2, 3, 8, 9, 14)
BULLSEYE_TAG, ECG_TAG = "scarsegecgbullseyes", "scarsegecgpaper"
DESCRIPTION = f"""
<layout type="horizontal" split="true">
 <item splitSize="500">
  <layout type="vertical" split="true">
   <item splitSize="660">
    <view class="vtkMRMLSliceNode" singletontag="Red">
     <property name="orientation" action="default">Axial</property>
     <property name="viewlabel" action="default">R</property>
     <property name="viewcolor" action="default">#F34A33</property>
    </view>
   </item>
   <item splitSize="340">
    <view class="vtkMRMLViewNode" singletontag="1">
     <property name="viewlabel" action="default">1</property>
    </view>
   </item>
  </layout>
 </item>
 <item splitSize="500">
  <layout type="vertical" split="true">
   <item splitSize="460"><{BULLSEYE_TAG}></{BULLSEYE_TAG}></item>
   <item splitSize="540"><{ECG_TAG}></{ECG_TAG}></item>
  </layout>
 </item>
</layout>
"""


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
        layoutNode.AddLayoutDescription(LAYOUT_ID, DESCRIPTION)
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
        super().__init__(panel)
        self._before: int | None = None
        self._due = False  # a run ended while another module was open
        onKey = {BULLSEYE_TAG: lambda number: self.panel.results.onWedge(number)}
        self.drawn = {tag: DrawingView(f.widget(), onKey.get(tag)) for tag, f in registerLayout().items()}
        self.whenClicked(self.ui.layoutButton, self.show)

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
        layoutNode = manager.layoutLogic().GetLayoutNode()
        if manager.layout != LAYOUT_ID:
            self._before = manager.layout
        elif not all(factory.widget().visible for factory in registerLayout().values()):
            # It is chosen and yet not there, as its description came after the scene: choosing it again does nothing.
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
            stack = self.study.segmented.stack
        else:
            from ScarSegECGLib.lge.orientation import canonical

            try:
                stack = canonical(*voxelsAndMatrix(volume))
            except InputError:  # not a short-axis stack: Apply will say why
                return
        turnToShortAxis(volume, stack)
        if self.study:
            self._zoom()
            self.look3d()

    def _zoom(self) -> None:
        """The heart, not the chest."""
        node, anatomy, stack = sliceNode(), self.study.anatomy, self.study.segmented.stack
        lv = (anatomy.cavity | anatomy.myocardium).any(axis=0)
        if node is None or not lv.any():
            return
        rows, columns = lv.any(axis=1).nonzero()[0], lv.any(axis=0).nonzero()[0]
        row, column = (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
        volume = self.parameters.inputVolume
        node.JumpSliceByCentering(*toWorld(volume, stack, row, column, currentSlice(volume, stack)))
        extent = 1.9 * max((rows[-1] - rows[0]) * stack.spacing[1], (columns[-1] - columns[0]) * stack.spacing[2])
        width, height, depth = node.GetFieldOfView()
        scale = extent / min(width, height)
        if scale < 1:
            node.SetFieldOfView(width * scale, height * scale, depth)

    def look3d(self) -> None:
        """The left ventricle fills the 3D view as a cardiologist thinks of it: the septum in view, apex down left."""
        view = slicer.mrmlScene.GetSingletonNode("1", "vtkMRMLViewNode")
        anatomy, volume = self.study.anatomy, self.parameters.inputVolume
        camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view) if view else None
        slices = anatomy.myocardium.any(axis=(1, 2)).nonzero()[0]
        septum = np.argwhere(np.isin(anatomy.aha, SEPTUM))
        if camera is None or len(slices) < 2 or not len(septum):
            return
        view.SetBoxVisible(False)
        view.SetAxisLabelsVisible(False)
        stack = self.study.segmented.stack

        def world(place) -> np.ndarray:
            return toWorld(volume, stack, place[1], place[2], place[0])

        wall = np.argwhere(anatomy.myocardium)
        middle = world(wall.mean(axis=0))
        toApex = world([slices[0], *wall[:, 1:].mean(axis=0)]) - world([slices[-1], *wall[:, 1:].mean(axis=0)])
        toApex /= np.linalg.norm(toApex)
        outward = world(septum.mean(axis=0)) - middle
        outward -= (outward @ toApex) * toApex
        outward /= np.linalg.norm(outward)
        up = -(toApex + np.cross(outward, toApex)) / np.sqrt(2)
        corners = [world(place) for place in (wall.min(axis=0), wall.max(axis=0))]
        distance = 1.25 * (np.linalg.norm(corners[1] - corners[0]) / 2) / np.sin(np.radians(camera.GetViewAngle() / 2))
        camera.SetFocalPoint(*middle)
        camera.SetPosition(*(middle + distance * outward))
        camera.SetViewUp(*up)
        camera.ResetClippingRange()

    def bullseyes(self, drawing) -> None:
        if BULLSEYE_TAG in self.drawn:
            self.drawn[BULLSEYE_TAG].show(drawing)

    def ecg(self, drawing) -> None:
        if ECG_TAG in self.drawn:
            self.drawn[ECG_TAG].show(drawing)

    def clear(self) -> None:
        for view in self.drawn.values():
            view.clear()

    def leave(self) -> None:
        """Back to the layout that was there before."""
        manager = slicer.app.layoutManager()
        if manager is not None and self._before is not None and manager.layout == LAYOUT_ID:
            manager.setLayout(self._before)
        self._before = None

    def cleanup(self) -> None:
        self.clear()
        for view in self.drawn.values():
            view.release()
        self.drawn = {}
