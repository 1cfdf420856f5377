"""The layout "ScarSegECG": the short axis large, below it the 3D view, beside it both bullseyes and the ECG."""

import slicer

from ScarSegECGPanel.drawing import DrawingView, beside
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.slices import MAIN_VIEW, currentSlice, sliceNode, toWorld, turnToShortAxis

LAYOUT_ID = 25117
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
            factory.setWidget(ctk.ctkVTKRenderView())
            manager.registerViewFactory(factory)
            factories[tag] = factory
    return factories


class LayoutSection(Section):
    """Fills the layout's own views."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self._before: int | None = None
        onKey = {BULLSEYE_TAG: panel.results.onWedge}
        self._views = {tag: DrawingView(f.widget(), onKey.get(tag)) for tag, f in registerLayout().items()}
        self.whenClicked(self.ui.layoutButton, self.onLayoutButton)

    @property
    def manager(self):
        """Slicer's layout manager, None without a main window."""
        return slicer.app.layoutManager()

    def onLayoutButton(self) -> None:
        self.show()
        self.panel.results.onStudy()
        self.panel.results.showPaper()

    def show(self) -> None:
        """Switch to the layout, with the stack in its views."""
        manager = self.manager
        if manager is None:
            return
        layoutNode = manager.layoutLogic().GetLayoutNode()
        if manager.layout != LAYOUT_ID:
            self._before = manager.layout
        elif not all(factory.widget().visible for factory in registerLayout().values()):
            # It is chosen and yet not there, as its description came after the scene: choosing it again does nothing.
            layoutNode.SetViewArrangement(layoutNode.SlicerLayoutConventionalView)
        manager.setLayout(LAYOUT_ID)
        volume = self.parameters.inputVolume if self.parameters else None
        if volume is None:
            return
        slicer.util.setSliceViewerLayers(background=volume)
        if self.study:
            turnToShortAxis(volume, self.study.segmented.stack)
            sliceWidget = manager.sliceWidget(MAIN_VIEW)
            if sliceWidget:
                sliceWidget.sliceController().fitSliceToBackground()
                self._zoom()

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

    def bullseyes(self, image, ecg) -> None:
        if BULLSEYE_TAG in self._views:
            self._views[BULLSEYE_TAG].show(beside(image, ecg))

    def ecg(self, drawing) -> None:
        view = self._views.get(ECG_TAG)
        if view is None:
            return
        if drawing is None:
            view.clear()
        else:
            view.show(drawing)

    def clear(self) -> None:
        for view in self._views.values():
            view.clear()

    def leave(self) -> None:
        """Back to the layout that was there before."""
        manager = self.manager
        if manager is not None and self._before is not None and manager.layout == LAYOUT_ID:
            manager.setLayout(self._before)
        self._before = None

    def cleanup(self) -> None:
        self.clear()
        for view in self._views.values():
            view.release()
        self._views = {}
