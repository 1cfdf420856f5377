"""Scar: which rule tells it from myocardium, and how strictly; choice and sliders act at once."""

import qt
from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.recompute import METHODS, RULES, ScarRule
from ScarSegECGPanel.section import Section

SETTLED_MS = 30


class ScarSection(Section):
    """Applies the chosen rule to the case at hand; what is chosen is always what is shown."""

    def __init__(self, panel) -> None:
        super().__init__(panel)
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
        if self.study and self.chosen() != self.study.origin.rule:
            self._timer.start(SETTLED_MS)

    def onStudy(self) -> None:
        """The history carries the choice: after an undo, a restore or a refused rule it is shown again."""
        if not self.study or self._timer.active or not self.parameters:
            return
        rule, p = self.study.origin.rule, self.parameters
        if rule == self.chosen():
            return
        with self.panel.writing():
            wasModified = p.StartModify()
            p.method, p.probability, p.nSd, p.smallestIsland = rule.method, rule.probability, rule.nSd, rule.smallestMl
            p.EndModify(wasModified)

    def release(self) -> None:
        self._timer.stop()

    def applyChosenRule(self) -> None:
        """After a segmentation, which is the network's own: any other choice is applied to it."""
        if self.chosen() != self.study.origin.rule:
            self.onSettled()

    def onSettled(self) -> None:
        if not self.parameters or not self.study:
            return
        rule = self.chosen()
        try:
            changed = self.study.applyRule(rule, _("Scar: {method}").format(method=rule.method))
        except InputError as error:
            self.panel.say(str(error))
        else:
            if changed:
                self.panel.showMasks()
        self.onStudy()

    def nextMethod(self) -> None:
        if self.parameters:
            at = METHODS.index(self.parameters.method)
            self.parameters.method = METHODS[(at + 1) % len(METHODS)]
