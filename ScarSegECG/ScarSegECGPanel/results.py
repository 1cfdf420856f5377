"""Results: three lines, the table, both bullseyes and the ECG in the layout; all follow every stroke."""

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from ScarSegECGLib.wording import ECG_IS_NO_FINDING, all_words, result_lines, words
from ScarSegECGPanel.drawing import beside, onScreen
from ScarSegECGPanel.nodes import volumeLike, writeTable
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.slices import VIEWS, goTo

ROW_PIXELS = 22
WEDGE_SHOW, WEDGE_ACCEPT, WEDGE_CLEAR = "Show its slice", "Accept the proposal there", "Clear it"
WEDGE_CLICKS = [WEDGE_SHOW, WEDGE_ACCEPT, WEDGE_CLEAR]
LESS, MORE = (0.13, 0.40, 0.67), (0.70, 0.09, 0.17)  # blue and red that colour-blind eyes tell apart
COLOURS = 256


def bullseyes(study, selected: int | None = None, territories: bool = False):
    """Scar per segment, and beside it what the ECG says."""
    from ScarSegECGLib.view.pictures import ecg_bullseye, scar_bullseye

    result = study.result
    image = scar_bullseye(result, selected=selected, territories=territories)
    return onScreen(beside(image, ecg_bullseye(result, selected=selected)))


def paper(study):
    """The ECG on its paper, None without one."""
    from ScarSegECGLib.view.ecg_paper import ecg_paper
    from ScarSegECGLib.view.pictures import ecg_lines

    ecg = study.segmented.ecg
    return None if ecg is None else onScreen(ecg_paper(ecg, median_features=ecg_lines(study.segmented)))


class ResultsSection(Section):
    """Shows the case as it stands."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self.selected: int | None = None
        self._shownInfluence = False
        self._territories = False
        self._fitted = False
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
            return
        self.showTable()
        self.showBullseyes()

    def clear(self) -> None:
        self.panel.views.clear()
        self.ui.summaryLabel.text = self.ui.summaryLabel.toolTip = ""
        self.ui.tableView.setMRMLTableNode(None)
        self.selected, self._fitted = None, False

    def showTable(self) -> None:
        if self.study is None:
            return
        table = self.panel.logic.outputTable(self.parameters)
        writeTable(self.study.result, table)
        if self.ui.tableView.mrmlTableNode() is not table:
            self.ui.tableView.setMRMLTableNode(table)
        if not self._fitted:
            self.ui.tableView.resizeColumnsToContents()
            self._fitted = True
        self.showLines()

    def showLines(self) -> None:
        """The result in three lines; what else there is to know of it is shown when the mouse rests on them."""
        result = self.study.result
        estimated = any(row.ecg_percent is not None for row in result.segments)
        burdens = [] if result.mvo is None else [_("MVO, within the scar: {mvo}").format(mvo=words(result.mvo, _))]
        notes = all_words((*result.warnings, *result.stack.notes), _)
        lines = list(result_lines(result, _))
        if notes:
            lines[-1] += _(" \u2013 to note: {count}, rest the mouse here").format(count=len(notes))
        self.ui.summaryLabel.text = "\n".join(lines)
        self.ui.summaryLabel.toolTip = "\n".join([*burdens, *notes, *([_(ECG_IS_NO_FINDING)] if estimated else [])])

    def showBullseyes(self) -> None:
        if self.study:
            self._territories = self.parameters.territories
            self.panel.views.bullseyes(bullseyes(self.study, self.selected, self._territories))

    def showPaper(self) -> None:
        if self.study:
            self.panel.views.ecg(paper(self.study))

    def onWedge(self, number: int) -> None:
        """A segment of a bullseye was clicked."""
        if self.study is None or not self.parameters:
            return
        inside = self.study.anatomy.aha == number
        if not inside.any():
            return
        self.selected = number
        action = self.parameters.wedgeClick
        if action == WEDGE_SHOW:
            index = int(inside.sum(axis=(1, 2)).argmax())
            goTo(self.parameters.inputVolume, self.study.segmented.stack, index)
            self.showBullseyes()
        elif not self.panel.correct.setSegment(number, accept=action == WEDGE_ACCEPT):
            already = (
                _("Segment {n} is as it was proposed.") if action == WEDGE_ACCEPT else _("No scar in segment {n}.")
            )
            self.panel.say(already.format(n=number))
            self.showBullseyes()

    def showInfluence(self) -> None:
        """The change of probability over the slices, or off again; where nothing changed the image is left alone."""
        wanted = bool(self.parameters.showInfluence and self.study)
        self._shownInfluence = self.parameters.showInfluence
        if not wanted:
            if self.parameters.influenceVolume:
                self._foreground(None)
            return
        result = self.study.segmented
        change = result.scar_probability - result.scar_probability_image_only
        largest = float(np.abs(change).max())
        if largest == 0:
            self.panel.say(_("The ECG changed nothing: {reason}").format(reason=words(result.ecg_use, _)))
            return
        volume, stored = self.parameters.inputVolume, result.stack.storage.to_stored(change)
        node = volumeLike(volume, stored, "ECG influence", self.parameters.influenceVolume)
        self.parameters.influenceVolume = node
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(False)
        display.SetInterpolate(False)
        display.SetWindowLevelMinMax(-largest, largest)
        display.SetAndObserveColorNodeID(_influenceColours().GetID())
        self._foreground(node)

    def _foreground(self, node) -> None:
        for name in VIEWS:
            composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}")
            if composite:
                composite.SetForegroundVolumeID(node.GetID() if node else None)
                composite.SetForegroundOpacity(1.0 if node else 0.0)

    def release(self) -> None:
        self._shownInfluence = False


def _influenceColours():
    """From blue over nothing to red: the more the ECG changed, the less of the image shows through."""
    name = "ScarSegECG ECG influence"
    node = slicer.mrmlScene.GetFirstNodeByName(name)
    if node is None:
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
        node.SetTypeToUser()
        node.SetNumberOfColors(COLOURS)
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        table = vtk.vtkLookupTable()
        table.SetNumberOfTableValues(COLOURS)
        for at in range(COLOURS):
            far = (at - (COLOURS - 1) / 2) / ((COLOURS - 1) / 2)
            opacity = 0.0 if abs(far) < 0.02 else min(1.0, 0.25 + abs(far))
            table.SetTableValue(at, *(MORE if far > 0 else LESS), opacity)
        node.SetAndObserveLookupTable(table)
    return node
