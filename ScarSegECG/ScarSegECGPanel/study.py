"""The case at hand: what was segmented, what has been made of it since, and the way back."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.case import SCAR, Anatomy, ScarResult
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGPanel import masks
from ScarSegECGPanel.journal import REDO, UNDO, Journal, Move, Origin, Recovered, Step, fromDict, made, plain, toDict
from ScarSegECGPanel.masks import CAVITY_BIT, WALL_BIT, AhaRule, Bits, Mask, Masks, ScarRule, withScar

MOST_STEPS = 500


class Study:
    """Masks in canonical order, their history, and the measured result; it touches neither Qt nor MRML.

    ``steps`` is one history of all that changes the masks, drawn or computed: the first is how the case began, and
    ``at`` is the one in force.
    """

    def __init__(self, segmented: ScarResult) -> None:
        self.journal: Journal | None = None
        self.aha = AhaRule()
        self.written: Masks | None = None  # what the scene's segments hold
        self.origin = Origin(segmented.method)
        self.saved = toDict(segmented)  # as the segmentation is kept, whatever is corrected
        self._take(segmented)
        self.bits = self._segmentedBits(self.proposal)
        self._begin(Step.to("", self.bits, self.origin))
        self._result = segmented

    def _take(self, segmented: ScarResult) -> None:
        self.segmented = segmented
        self._anatomy: Anatomy | None = segmented.anatomy if self.aha.isUsual else None  # the reader's division stays
        self._result: ScarResult | None = None
        self._proposals: dict[ScarRule, Mask] = {ScarRule(): segmented.labels == SCAR}
        self._imageOnly: Mask | None = None

    def _segmentedBits(self, scar: Mask) -> Bits:
        return Masks(self.segmented.anatomy.cavity, self.segmented.anatomy.myocardium, scar).toBits()

    def _begin(self, step: Step) -> None:
        self.steps, self.at = [step], 0
        self._resume(step)

    @property
    def masks(self) -> Masks:
        return Masks.fromBits(self.bits)

    @property
    def anatomy(self) -> Anatomy:
        if self._anatomy is None:
            self.divide(self.aha)
        return self._anatomy

    @property
    def result(self) -> ScarResult:
        """The case as it stands, measured."""
        if self._result is None:
            from ScarSegECGLib.measure.measurements import measured_again
            from ScarSegECGLib.measure.rules import FoundScar
            from ScarSegECGLib.measure.trust import image_only_scar

            if self._imageOnly is None:
                self._imageOnly = image_only_scar(self.segmented)
            found = self.segmented.ecg_findings
            conduction = found.features.conduction if found else Conduction.UNKNOWN
            scar = FoundScar(self.masks.scar, self.origin.method, warnings=self.origin.doubt)
            self._result = measured_again(self.segmented, self.anatomy, scar, self._imageOnly, conduction)
        return self._result

    @property
    def proposal(self) -> Mask:
        """What the chosen method found; accepting a segment and reverting a slice go back to it."""
        rule = self.origin.rule
        if rule not in self._proposals:  # chosen in a session that has ended
            self._proposals[rule] = masks.scarByRule(self.segmented, self.anatomy, rule).mask
        return self._proposals[rule]

    @property
    def undoName(self) -> str:
        """Name of the step that undo takes back, "" if there is none."""
        return self.steps[self.at].name if self.at else ""

    @property
    def redoName(self) -> str:
        return self.steps[self.at + 1].name if self.at + 1 < len(self.steps) else ""

    def change(self, name: str, bits: Bits, origin: Origin | None = None) -> bool:
        """Make a step; False where nothing changes. Without an origin it is a correction by hand."""
        if np.array_equal(bits, self.bits) and origin in (None, self.origin):
            return False
        if origin is None:
            origin = dataclasses.replace(self.origin, method=dataclasses.replace(self.origin.method, corrected=True))
        return self.go(Step.to(name, bits, origin))

    def resegmented(self, other: "Study", name: str) -> None:
        """Another segmentation of the same images, as a step that can be undone."""
        self._take(other.segmented)
        self.saved = other.saved
        self.change(name, other.bits, other.origin)

    def applyRule(self, rule: ScarRule, name: str) -> bool:
        """Take the scar that a rule finds; InputError where it cannot be used on these images."""
        found = masks.scarByRule(self.segmented, self.anatomy, rule)
        self._proposals[rule] = found.mask
        return self.change(name, withScar(self.bits, found.mask), Origin(found.method, found.warnings, rule))

    def divide(self, aha: AhaRule) -> None:
        """Divide the wall anew; InputError for insertions that cannot be, and the division stays as it was."""
        from ScarSegECGLib.anatomy.aha import divide

        now = self.masks
        anatomy = divide(self.segmented.stack, now.cavity, now.wall, aha.insertions, aha.division)
        if self.journal and aha is not self.aha:
            self.journal.append(aha)
        self.aha, self._anatomy, self._result = aha, anatomy, None

    def keepSlices(self, first: int, last: int, name: str) -> bool:
        """Leave out what lies beyond the apex and base slices; what was segmented there comes back with them."""
        whole, now = self._segmentedBits(self.proposal), self.bits.copy()
        now[:first], now[last + 1 :] = 0, 0
        lost = ~(now & (CAVITY_BIT | WALL_BIT)).any(axis=(1, 2))
        lost[:first], lost[last + 1 :] = False, False
        now[lost] = whole[lost]
        return self.change(name, now)

    def go(self, move: Move) -> bool:
        """Make a step, take back the last one (UNDO) or do it again (REDO); whether there was one."""
        if isinstance(move, Step):
            self.steps = [*self.steps[: self.at + 1], move][-MOST_STEPS - 1 :]
            at = len(self.steps) - 1
        else:
            at = self.at + (1 if move == REDO else -1)
        if not 0 <= at < len(self.steps):
            return False
        self.at = at
        self._resume(self.steps[at])
        if self.journal:
            self.journal.append(move)
        return True

    def _resume(self, step: Step) -> None:
        bits = step.bits(self.bits.shape)
        if ((bits ^ self.bits) & (CAVITY_BIT | WALL_BIT)).any():
            self._anatomy = None
        self.bits, self.origin, self._result = bits, step.origin, None

    # What outlives the process

    def standing(self) -> list:
        """What JSON keeps beside the masks: how the scar came about, and how the wall is divided."""
        return plain((self.origin, self.aha))

    def stand(self, bits: Bits, standing: list) -> None:
        """As it was kept; ValueError or TypeError where it cannot be."""
        origin, aha = made(tuple[Origin, AhaRule], standing)
        self._begin(Step.to("", bits, origin))
        if not aha.isUsual:
            self.divide(aha)

    def begin(self, folder: Path) -> None:
        """Start a journal of all steps so far and to come; without room for one the case goes on all the same."""
        self.end(remove=True)
        first, *steps = self.steps
        now = [UNDO] * (len(steps) - self.at) + ([] if self.aha.isUsual else [self.aha])
        try:
            self.journal = Journal(folder, {**self.saved, "first": plain(first)}, *steps, *now)
        except OSError:
            self.journal = None

    def end(self, *, remove: bool) -> None:
        if self.journal:
            self.journal.close(remove=remove)
        self.journal = None

    @classmethod
    def fromJournal(cls, recovered: Recovered, storedVoxels: Any) -> "Study":
        """The study as it was when the process ended, its steps undoable under their own names."""
        study = cls(fromDict(recovered.start, storedVoxels))
        study._begin(made(Step, recovered.start["first"]))
        for move in recovered.moves:
            study.divide(move) if isinstance(move, AhaRule) else study.go(move)
        return study
