"""The case at hand: what was segmented, what has been made of it since, and the way back."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.case import SCAR, Anatomy, ScarResult
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGPanel import masks, state
from ScarSegECGPanel.journal import UNDO, Journal, Move, Origin, Recovered, Step
from ScarSegECGPanel.masks import CAVITY_BIT, WALL_BIT, AhaRule, Bits, Mask, Masks, ScarRule, withScar

MOST_STEPS = 500


class Study:
    """Masks in canonical order, their history, and the measured result; it touches neither Qt nor MRML.

    ``steps`` is one history of all that changes the masks, drawn or computed; ``done`` of them are in force.

    >>> study = Study(result)
    >>> study.change("Remove island", withScar(study.bits, scar))
    >>> study.result.scar.ml
    """

    def __init__(self, segmented: ScarResult) -> None:
        self.steps: list[Step] = []
        self.done = 0
        self.journal: Journal | None = None
        self.aha = AhaRule()
        self.written: Masks | None = None  # what the scene's segments hold
        self._take(segmented)
        self.origin = Origin(segmented.method)
        self.bits: Bits = self._segmentedBits()
        self._result = segmented

    def _take(self, segmented: ScarResult) -> None:
        self.segmented = segmented
        self._saved: dict[str, Any] | None = None
        self._anatomy: Anatomy | None = segmented.anatomy
        self._result: ScarResult | None = None
        self._proposals: dict[ScarRule, Mask] = {ScarRule(): segmented.labels == SCAR}
        self._imageOnly: Mask | None = None

    def _segmentedBits(self) -> Bits:
        return Masks.of(self.segmented.anatomy, self.segmented.labels == SCAR).toBits()

    @property
    def masks(self) -> Masks:
        return Masks.fromBits(self.bits)

    @property
    def anatomy(self) -> Anatomy:
        if self._anatomy is None:
            self._anatomy = masks.anatomyOf(self.segmented.stack, self.masks, self.aha)
        return self._anatomy

    @property
    def result(self) -> ScarResult:
        """The case as it stands, measured."""
        if self._result is None:
            from ScarSegECGLib.measure.measurements import measured_again
            from ScarSegECGLib.measure.rules import FoundScar

            if self._imageOnly is None:
                self._imageOnly = masks.imageOnly(self.segmented)
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
        return self.steps[self.done - 1].name if self.done else ""

    @property
    def redoName(self) -> str:
        return self.steps[self.done].name if self.done < len(self.steps) else ""

    def change(self, name: str, bits: Bits, origin: Origin | None = None) -> bool:
        """Make a step; False where nothing changes. Without an origin it is a correction by hand."""
        if np.array_equal(bits, self.bits) and origin in (None, self.origin):
            return False
        if origin is None:
            origin = dataclasses.replace(self.origin, method=dataclasses.replace(self.origin.method, corrected=True))
        return self.go(Step.between(name, self.bits, bits, self.origin, origin))

    def resegmented(self, other: "Study", name: str) -> None:
        """Another segmentation of the same images, as a step that can be undone."""
        if self.segmented.stack.voxels.shape != other.segmented.stack.voxels.shape:
            raise ValueError("a result of other images")
        self._take(other.segmented)
        self._saved = other._saved
        self.change(name, self._segmentedBits(), other.origin)

    def applyRule(self, rule: ScarRule, name: str) -> bool:
        """Take the scar that a rule finds; InputError where it cannot be used on these images."""
        found = masks.scarByRule(self.segmented, self.anatomy, rule)
        self._proposals[rule] = found.mask
        return self.change(name, withScar(self.bits, found.mask), Origin(found.method, found.warnings, rule))

    def divide(self, aha: AhaRule) -> None:
        """Divide the wall anew; InputError for insertions that cannot be, and the division stays as it was."""
        anatomy = masks.anatomyOf(self.segmented.stack, self.masks, aha)
        self.aha, self._anatomy, self._result = aha, anatomy, None

    def keepSlices(self, first: int, last: int, name: str) -> bool:
        """Leave out what lies beyond the apex and base slices; what was segmented there comes back with them."""
        whole, now = Masks.of(self.segmented.anatomy, self.proposal).toBits(), self.bits.copy()
        now[:first], now[last + 1 :] = 0, 0
        lost = ~(now & (CAVITY_BIT | WALL_BIT)).any(axis=(1, 2))
        lost[:first], lost[last + 1 :] = False, False
        now[lost] = whole[lost]
        return self.change(name, now)

    def go(self, move: Move) -> bool:
        """Make a step, take back the last one (UNDO) or do it again (REDO); whether there was one."""
        if isinstance(move, Step):
            self.steps = [*self.steps[: self.done], move][-MOST_STEPS:]
            self.done = len(self.steps) - 1
        back = move == UNDO
        at = self.done - back
        if not 0 <= at < len(self.steps):
            return False
        step, self.done = self.steps[at], at + (not back)
        self.resume(step.applied(self.bits), step.before if back else step.after)
        if self.journal:
            self.journal.append(move)
        return True

    def resume(self, bits: Bits, origin: Origin) -> None:
        if ((bits ^ self.bits) & (CAVITY_BIT | WALL_BIT)).any():
            self._anatomy = None
        self.bits, self.origin, self._result = bits, origin, None

    # What outlives the process

    def standing(self) -> list:
        """What JSON keeps beside the masks: how the scar came about, and how the wall is divided."""
        given = self.aha.insertions
        return [self.origin.toPlain(), to_plain(self.aha.division), None if given is None else given.tolist()]

    def stand(self, bits: Bits, standing: list) -> None:
        """As it was kept; ValueError or TypeError where it cannot be."""
        origin, division, given = standing
        self.resume(bits, Origin.fromPlain(origin))
        aha = AhaRule(from_plain(division), None if given is None else np.array(given, float))
        if given is not None or aha != AhaRule():
            self.divide(aha)

    def saved(self) -> dict[str, Any]:
        """The segmentation as it is kept; made once, as it does not change with the corrections."""
        if self._saved is None:
            self._saved = state.toDict(self.segmented)
        return self._saved

    def begin(self, folder: Path) -> None:
        """Start a journal of all steps so far and to come; without room for one the case goes on all the same."""
        self.end(remove=True)
        bits, origin = self.bits, self.origin
        for step in reversed(self.steps[: self.done]):
            bits, origin = step.applied(bits), step.before
        now = {"origin": origin.toPlain(), "step": Step.between("", self._segmentedBits(), bits).change.hex()}
        takenBack = [UNDO] * (len(self.steps) - self.done)
        try:
            self.journal = Journal(folder, {**self.saved(), "now": now}, *self.steps, *takenBack)
        except OSError:
            self.journal = None

    def end(self, *, remove: bool) -> None:
        if self.journal:
            self.journal.close(remove=remove)
        self.journal = None

    @classmethod
    def fromJournal(cls, recovered: Recovered, storedVoxels: Any) -> "Study":
        """The study as it was when the process ended, its steps undoable under their own names."""
        study = cls(state.fromDict(recovered.start, storedVoxels))
        now = recovered.start["now"]
        study.resume(Step("", bytes.fromhex(now["step"])).applied(study.bits), Origin.fromPlain(now["origin"]))
        for move in recovered.moves:
            study.go(move)
        return study
