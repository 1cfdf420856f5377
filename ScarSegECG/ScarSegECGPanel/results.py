"""Results: three lines, the table, both bullseyes and the ECG in the layout; all follow every stroke."""

import dataclasses

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from ScarSegECGLib.wording import ECG_IS_NO_FINDING, RESEARCH_USE, all_words, result_lines, words
from ScarSegECGPanel.layout import BULLSEYE_TAG, ECG_TAG
from ScarSegECGPanel.nodes import volumeLike, writeTable
from ScarSegECGPanel.section import Section

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
    """Shows the case as it stands."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {})
        self.selected: int | None = None
        self._shownInfluence, self._territories, self._fitted = False, False, False
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
        self.panel.views.clear()
        self.ui.summaryLabel.text = self.ui.summaryLabel.toolTip = ""
        self.ui.tableView.setMRMLTableNode(None)
        self.selected, self._fitted = None, False

    def showTable(self) -> None:
        """The table, and the result in three lines; what else there is to know is shown when the mouse rests there."""
        table, view = self.panel.logic.outputTable(self.parameters), self.ui.tableView
        result = self.study.result
        writeTable(result, table)
        if view.mrmlTableNode() is not table:
            view.setMRMLTableNode(table)
        if not self._fitted:
            view.resizeColumnsToContents()
            self._fitted = True
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
        self.panel.views.draw(BULLSEYE_TAG, bullseyes(self.study, self.selected, self._territories))

    def showPaper(self) -> None:
        self.panel.views.draw(ECG_TAG, paper(self.study))

    def onWedge(self, number: int) -> None:
        if self.study is None or not self.parameters:
            return
        inside = self.study.anatomy.aha == number
        if not inside.any():
            return
        self.selected = number
        action = self.parameters.wedgeClick
        if action == WEDGE_SHOW:
            self.grid.goTo(int(inside.sum(axis=(1, 2)).argmax()))
            self.showBullseyes()
        elif not self.panel.correct.setSegment(number, accept=action == WEDGE_ACCEPT):
            already = _("No scar in segment {n}.")
            if action == WEDGE_ACCEPT:
                already = _("Segment {n} is as it was proposed.")
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


def _influenceColours():
    """From blue over nothing to red: the more the ECG changed, the less of the image shows through."""
    node = slicer.mrmlScene.GetFirstNodeByName(INFLUENCE)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", INFLUENCE)
        node.SetTypeToUser()
        node.SetNumberOfColors(COLOURS)
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        table = vtk.vtkLookupTable()
        table.SetNumberOfTableValues(COLOURS)
        for at, far in enumerate(np.linspace(-1.0, 1.0, COLOURS)):
            opacity = 0.0 if abs(far) < 0.02 else min(1.0, 0.25 + abs(far))
            table.SetTableValue(at, *(MORE if far > 0 else LESS), opacity)
        node.SetAndObserveLookupTable(table)
    return node
