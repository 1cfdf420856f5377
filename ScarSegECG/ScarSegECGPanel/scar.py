"""Scar: which rule tells it from myocardium, and how strictly; the sliders act at once."""

import qt
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.wording import all_words
from ScarSegECGPanel.recompute import METHODS, RULES, ScarRule
from ScarSegECGPanel.section import Section

SETTLED_MS = 30


class ScarSection(Section):
    """Applies the chosen rule to the case at hand when method or sliders move."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
        self._applied = ScarRule()
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.connect("timeout()", self.onSettled)

    def chosen(self) -> ScarRule:
        p = self.parameters
        return ScarRule(p.method, p.probability, p.nSd, p.smallestIsland)

    def update(self) -> None:
        isRule = self.parameters.method in RULES
        self.ui.probabilitySlider.enabled = not isRule
        self.ui.nSdSlider.enabled = self.parameters.method == "n SD"
        if self.study and self.chosen() != self._applied:
            self._timer.start(SETTLED_MS)

    def onStudy(self) -> None:
        said = (self.study.method, *self.study.doubt) if self.study else ()
        self.ui.scarLabel.text = "\n".join(all_words(said, _))

    def release(self) -> None:
        self._timer.stop()

    def follow(self) -> None:
        """The present choice is what the case at hand was made with."""
        self._applied = self.chosen()

    def applyChosenRule(self) -> None:
        """After a segmentation: what the network gives by itself is taken; any other choice is applied to it."""
        self._applied = ScarRule()
        if self.chosen() != self._applied:
            self.onSettled()

    def onSettled(self) -> None:
        if not self.parameters or not self.study:
            return
        rule = self.chosen()
        name = _("Scar: {method}").format(method=rule.method)
        try:
            changed = self.study.applyRule(rule, name)
        except InputError as error:
            self._applied = rule
            self.ui.scarLabel.text = str(error)
            return
        self._applied = rule
        if changed:
            self.panel.showMasks()
        self.onStudy()

    def nextMethod(self) -> None:
        at = METHODS.index(self.parameters.method)
        self.parameters.method = METHODS[(at + 1) % len(METHODS)]
