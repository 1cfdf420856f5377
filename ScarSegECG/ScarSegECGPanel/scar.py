"""Scar: which rule tells it from myocardium, and how strictly; choice and sliders act at once."""

from slicer.i18n import tr as _

from ScarSegECGLib.errors import InputError
from ScarSegECGPanel.recompute import METHODS, RULES, ScarRule
from ScarSegECGPanel.section import Section

SETTLED_MS = 30


class ScarSection(Section):
    """Applies the chosen rule to the case at hand; what is chosen is always what is shown."""

    def __init__(self, panel) -> None:
        super().__init__(panel, {})
        self._timer = self.timer(self.applyChosenRule)

    def chosen(self) -> ScarRule:
        p = self.parameters
        return ScarRule(p.method, p.probability, p.nSd, p.smallestIsland)

    def update(self) -> None:
        self.enable(self.parameters.method not in RULES, "probabilitySlider")
        self.enable(self.parameters.method == "n SD", "nSdSlider")
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
        """Once the choice has settled, and after a segmentation, which is the network's own."""
        if not self.parameters or not self.study or self.chosen() == self.study.origin.rule:
            return
        rule = self.chosen()
        try:
            if self.study.applyRule(rule, _("Scar: {method}").format(method=rule.method)):
                self.panel.showMasks()
        except InputError as error:
            self.panel.say(str(error))
        self.onStudy()

    def nextMethod(self) -> None:
        if self.parameters:
            at = METHODS.index(self.parameters.method)
            self.parameters.method = METHODS[(at + 1) % len(METHODS)]
