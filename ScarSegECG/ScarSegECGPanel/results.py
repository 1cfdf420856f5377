"""Results: both bullseyes, the table, the ECG on paper, what the ECG changed; all follow every stroke."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from ScarSegECGLib.wording import words
from ScarSegECGPanel.drawing import DrawingView
from ScarSegECGPanel.nodes import volumeLike, writeTable
from ScarSegECGPanel.section import Section
from ScarSegECGPanel.slices import VIEWS, goTo

DIVERGING = "vtkMRMLColorTableNodeFileDivergingBlueRed.txt"
ROW_PIXELS = 22
WEDGE_SHOW, WEDGE_ACCEPT, WEDGE_CLEAR = "Show its slice", "Accept the proposal there", "Clear it"
WEDGE_CLICKS = [WEDGE_SHOW, WEDGE_ACCEPT, WEDGE_CLEAR]


class ResultsSection(Section):
    """Paints the case as it stands; the layout's own views show the same."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self.image = DrawingView(self.ui.imageView, self.onWedge)
        self.ecg = DrawingView(self.ui.ecgBullseyeView, self.onWedge)
        self.paper = DrawingView(self.ui.paperView)
        self.selected: int | None = None
        self._shownInfluence = False
        self._territories = False
        self._fitted = False
        self.ui.tableView.verticalHeader().setVisible(False)
        self.ui.tableView.verticalHeader().setDefaultSectionSize(ROW_PIXELS)

    def update(self) -> None:
        if self.study and self._territories != self.parameters.territories:
            self.showImage()
        if self._shownInfluence != self.parameters.showInfluence:
            self.showInfluence()

    def onStudy(self) -> None:
        """Everything that a stroke can change."""
        if self.study is None:
            self.clear()
            return
        self.showTable()
        self.showImage()

    def clear(self) -> None:
        for view in (self.image, self.ecg, self.paper):
            view.clear()
        self.panel.views.clear()
        self.ui.summaryLabel.text = ""
        self.ui.tableView.setMRMLTableNode(None)
        self.selected, self._fitted = None, False

    def showTable(self) -> None:
        if self.study is None:
            return
        result, parameters = self.study.result, self.parameters
        if not parameters.outputTable:
            name = parameters.inputVolume.GetName() if parameters.inputVolume else "LGE"
            parameters.outputTable = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", f"{name} AHA segments")
        writeTable(result, parameters.outputTable)
        if self.ui.tableView.mrmlTableNode() is not parameters.outputTable:
            self.ui.tableView.setMRMLTableNode(parameters.outputTable)
        if not self._fitted:
            self.ui.tableView.resizeColumnsToContents()
            self._fitted = True
        self.ui.summaryLabel.text = self.panel.logic.summary(result)

    def showImage(self) -> None:
        if self.study is None:
            return
        from ScarSegECGLib.view.pictures import result_bullseye

        self._territories = self.parameters.territories
        drawing = result_bullseye(self.study.result, selected=self.selected, territories=self._territories)
        self.image.show(drawing)
        self.panel.views.bullseyes(drawing, self._ecgDrawing())

    def showEcg(self) -> None:
        if self.study:
            self.ecg.show(self._ecgDrawing())

    def showPaper(self) -> None:
        if self.study is None:
            return
        if self.study.segmented.ecg is None:
            self.paper.clear()
            self.panel.views.ecg(None)
            return
        from ScarSegECGLib.view.ecg_paper import ecg_paper
        from ScarSegECGLib.view.pictures import ecg_lines

        drawing = ecg_paper(self.study.segmented.ecg, median_features=ecg_lines(self.study.segmented))
        self.paper.show(drawing)
        self.panel.views.ecg(drawing)

    def _ecgDrawing(self):
        from ScarSegECGLib.view.pictures import ecg_bullseye

        return ecg_bullseye(self.study.result, selected=self.selected)

    def onWedge(self, number: int) -> None:
        """A segment of a bullseye was clicked."""
        if self.study is None:
            return
        inside = self.study.anatomy.aha == number
        if not inside.any():
            return
        self.selected = number
        action = self.parameters.wedgeClick
        if action == WEDGE_SHOW:
            index = int(inside.sum(axis=(1, 2)).argmax())
            goTo(self.parameters.inputVolume, self.study.segmented.stack, index)
        else:
            self.panel.correct.setSegment(number, accept=action == WEDGE_ACCEPT)
        self.showImage()
        self.showEcg()

    def showInfluence(self) -> None:
        """The change of probability over the slices, or off again."""
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
        display.SetWindowLevelMinMax(-largest, largest)
        if slicer.mrmlScene.GetNodeByID(DIVERGING):
            display.SetAndObserveColorNodeID(DIVERGING)
        self._foreground(node)

    def _foreground(self, node) -> None:
        for name in VIEWS:
            composite = slicer.mrmlScene.GetNodeByID(f"vtkMRMLSliceCompositeNode{name}")
            if composite:
                composite.SetForegroundVolumeID(node.GetID() if node else None)
                composite.SetForegroundOpacity(0.5 if node else 0.0)

    def release(self) -> None:
        self._shownInfluence = False

    def cleanup(self) -> None:
        for view in (self.image, self.ecg, self.paper):
            view.release()
