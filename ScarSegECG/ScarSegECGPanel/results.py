"""Results: lines, table, and the layout: short axis large, below it 3D, beside it both bullseyes and the ECG."""

import contextlib
import dataclasses
from pathlib import Path

import ctk
import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtk.util.numpy_support import numpy_to_vtk

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.report.present import result_lines
from ScarSegECGLib.wording import ECG_IS_NO_FINDING, RESEARCH_USE, all_words, words
from ScarSegECGPanel.nodes import Grid, brighten, sliceNode, unit, volumeLike, voxelsAndMatrix, writeTable
from ScarSegECGPanel.section import Section

LAYOUT_ID = 25117
BULLSEYE_TAG, ECG_TAG = "scarsegecgbullseyes", "scarsegecgpaper"  # the views' names in the description
SEPTUM = (2, 3, 8, 9, 14)
DESCRIPTION = Path(__file__).parents[1] / "Resources" / "UI" / "Layout.xml"
ROW_PIXELS = 22
WEDGE_SHOW, WEDGE_ACCEPT, WEDGE_CLEAR = "Show its slice", "Accept the proposal there", "Clear it"
WEDGE_CLICKS = [WEDGE_SHOW, WEDGE_ACCEPT, WEDGE_CLEAR]
INFLUENCE = "ScarSegECG ECG influence"
LESS, MORE = (0.13, 0.40, 0.67), (0.70, 0.09, 0.17)  # blue and red that colour-blind eyes tell apart
COLOURS = 256
GAP_MM = 4.0


def bullseyes(study, selected: int | None = None, territories: bool = False):
    """Scar per segment, and beside it what the ECG says; their tops level."""
    from ScarSegECGLib.view.pictures import ecg_bullseye, scar_bullseye
    from ScarSegECGLib.view.shapes import Drawing, moved

    left = scar_bullseye(study.result, selected=selected, territories=territories)
    right = ecg_bullseye(study.result, selected=selected)
    height = max(left.height, right.height)
    shapes = [moved(shape, 0.0, height - left.height) for shape in left.shapes]
    shapes += [moved(shape, left.width + GAP_MM, height - right.height) for shape in right.shapes]
    return _onScreen(Drawing(left.width + GAP_MM + right.width, height, tuple(shapes), left.title))


def paper(study):
    """The ECG on its paper, None without one."""
    from ScarSegECGLib.view.ecg_paper import ecg_paper
    from ScarSegECGLib.view.pictures import ecg_lines

    ecg = study.segmented.ecg
    return None if ecg is None else _onScreen(ecg_paper(ecg, median_features=ecg_lines(study.segmented)))


def _onScreen(drawing):
    """Without the line that every page carries by itself: the panel says it, once."""
    kept = tuple(shape for shape in drawing.shapes if getattr(shape, "text", "") != RESEARCH_USE)
    return dataclasses.replace(drawing, shapes=kept)


class ResultsSection(Section):
    """Shows the case as it stands: lines, table, and in the layout's views the stack, pictures, and the heart in 3D."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {"layoutButton": self.showLayout})
        self.drawn = {tag: DrawingView(factory.widget(), panel) for tag, factory in registerLayout().items()}
        self.due = False  # a run ended while another module was open
        self.selected: int | None = None
        self._shownInfluence, self._territories = False, False
        self.ui.tableView.verticalHeader().setVisible(False)
        self.ui.tableView.verticalHeader().setDefaultSectionSize(ROW_PIXELS)

    def update(self) -> None:
        if self.study and self._territories != self.parameters.territories:
            self.showBullseyes()
        if self._shownInfluence != self.parameters.showInfluence:
            self.showInfluence()

    def onStudy(self) -> None:
        """Everything that a stroke can change."""
        if self.study is None:
            self.clear()
        else:
            self.showTable()
            self.showBullseyes()

    def clear(self) -> None:
        for tag in self.drawn:
            self.draw(tag, None)
        self.ui.summaryLabel.text = self.ui.summaryLabel.toolTip = ""
        self.ui.tableView.setMRMLTableNode(None)
        self.selected = None

    def showTable(self) -> None:
        """The table, and the result in three lines; what else there is to know is shown when the mouse rests there."""
        table, view = self.panel.logic.outputTable(self.parameters), self.ui.tableView
        result = self.study.result
        writeTable(result, table)
        if view.mrmlTableNode() is not table:
            view.setMRMLTableNode(table)
            view.resizeColumnsToContents()
        estimated = any(row.ecg_percent is not None for row in result.segments)
        burdens = [] if result.mvo is None else [_("MVO, within the scar: {mvo}").format(mvo=words(result.mvo, _))]
        notes = all_words((*result.warnings, *result.stack.notes), _)
        lines = list(result_lines(result, _))
        if notes:
            lines[-1] += _(" \u2013 to note: {count}, rest the mouse here").format(count=len(notes))
        self.ui.summaryLabel.text = "\n".join(lines)
        self.ui.summaryLabel.toolTip = "\n".join([*burdens, *notes, *([_(ECG_IS_NO_FINDING)] if estimated else [])])

    def showBullseyes(self) -> None:
        self._territories = self.parameters.territories
        self.draw(BULLSEYE_TAG, bullseyes(self.study, self.selected, self._territories))

    def showPaper(self) -> None:
        self.draw(ECG_TAG, paper(self.study))

    def onWedge(self, number: int) -> None:
        if self.study is None or not self.parameters:
            return
        inside = self.study.anatomy.aha == number
        if not inside.any():
            return
        self.selected = number
        accept = self.parameters.wedgeClick == WEDGE_ACCEPT
        if self.parameters.wedgeClick == WEDGE_SHOW:
            self.grid.goTo(int(inside.sum(axis=(1, 2)).argmax()))
        elif self.panel.correct.setSegment(number, accept=accept):
            return  # everything has been shown anew
        else:
            already = _("Segment {n} is as it was proposed.") if accept else _("No scar in segment {n}.")
            self.panel.say(already.format(n=number))
        self.showBullseyes()

    def showInfluence(self) -> None:
        """The change of probability over the slices, or off again; where nothing changed the image is left alone."""
        parameters = self.parameters
        self._shownInfluence = parameters.showInfluence
        if not parameters.showInfluence or not self.study:
            if parameters.influenceVolume:
                slicer.util.setSliceViewerLayers(foreground=None, foregroundOpacity=0.0)
            return
        result = self.study.segmented
        change = result.scar_probability - result.scar_probability_image_only
        largest = float(np.abs(change).max())
        if largest == 0:
            self.panel.say(_("The ECG changed nothing: {reason}").format(reason=words(result.ecg_use, _)))
            return
        stored = result.stack.storage.to_stored(change)
        node = volumeLike(parameters.inputVolume, stored, "ECG influence", parameters.influenceVolume)
        parameters.influenceVolume = node
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetInterpolate(False)
        display.SetWindowLevelMinMax(-largest, largest)
        display.SetAndObserveColorNodeID(_influenceColours().GetID())
        slicer.util.setSliceViewerLayers(foreground=node, foregroundOpacity=1.0)

    def release(self) -> None:
        self._shownInfluence = False

    # The layout

    def showWhenEntered(self) -> None:
        """Never under the hands of somebody who works in another module."""
        self.due = not self.panel.parent.isEntered
        if not self.due:
            self.showLayout()

    def showLayout(self) -> None:
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
        if not len(lv):
            return
        first, last = lv.min(axis=0), lv.max(axis=0)
        node.JumpSliceByCentering(*grid.toWorld(grid.currentSlice(), *(first + last) / 2))
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
        world, centre = grid.toWorld, wall.mean(axis=0)
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


def _influenceColours():
    """From blue over nothing to red: the more the ECG changed, the less of the image shows through."""
    node = slicer.mrmlScene.GetFirstNodeByName(INFLUENCE)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", INFLUENCE)
        node.SetTypeToUser()
        node.SetNumberOfColors(COLOURS)
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        for at, far in enumerate(np.linspace(-1.0, 1.0, COLOURS)):
            opacity = 0.0 if abs(far) < 0.02 else min(1.0, 0.25 + abs(far))
            node.SetColor(at, *(MORE if far > 0 else LESS), opacity)
    return node


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
    for tag in {BULLSEYE_TAG, ECG_TAG} - set(factories):
        factory = factories[tag] = slicer.qSlicerSingletonViewFactory()
        factory.setTagName(tag)
        widget = ctk.ctkVTKRenderView()
        widget.orientationWidgetVisible = False  # CTK's marker of axes: these are no views of a space
        factory.setWidget(widget)
        manager.registerViewFactory(factory)
    return factories


class DrawingView:
    """A drawing of the library in a ctkVTKRenderView; the results are told which AHA segment is clicked.

    The drawing is painted at the view's own size when the view is rendered: one that is hidden costs nothing, and of
    many strokes in a row only the last is painted.
    """

    def __init__(self, view, panel) -> None:
        self._view, self._panel = view, panel
        self.drawing, self._painted = None, None
        self._window = view.renderWindow()
        self._renderer = self._window.GetRenderers().GetFirstRenderer()  # CTK's own
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
        press = vtk.vtkCommand.LeftButtonPressEvent
        panel.addObserver(interactor, press, lambda caller, event: self.click(*caller.GetEventPosition()))

    def show(self, drawing) -> None:
        """Replace what is shown; None for nothing."""
        if drawing is not self.drawing:
            self.drawing = drawing
            self._view.scheduleRender()

    def release(self) -> None:
        """The view is the application's and stays, empty; the panel's observers go with the panel."""
        self.show(None)
        self._renderer.RemoveViewProp(self._actor)

    def click(self, x: float, y: float) -> None:
        """As if the mouse had been pressed there, pixels from the lower left."""
        scale, left, bottom = self.place()
        number = self.drawing.segment_at((x - left) / scale, (y - bottom) / scale) if scale > 0 else None
        if number is not None:
            self._panel.results.onWedge(number)

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
