"""The case at hand: what was segmented, what has been made of it since, and the way back."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.case import SCAR, Anatomy, ScarResult
from ScarSegECGLib.facts import Conduction, Fact, Method, from_plain, to_plain
from ScarSegECGLib.measure.result import measured_again
from ScarSegECGLib.measure.rules import FoundScar
from ScarSegECGPanel import edits, recompute, state
from ScarSegECGPanel.history import History, Step
from ScarSegECGPanel.journal import Journal, Recovered
from ScarSegECGPanel.masks import Bits, Mask, Masks, withScar
from ScarSegECGPanel.recompute import AhaRule, ScarRule


class Study:
    """Masks in canonical order, their history, and the measured result.

    >>> study = Study(result, Conduction.NORMAL)
    >>> study.change("Remove island", withScar(study.bits, scar), byHand=True)
    >>> study.result.scar.ml
    >>> study.undo()
    """

    def __init__(self, segmented: ScarResult, conduction: Conduction = Conduction.UNKNOWN) -> None:
        self.segmented = segmented
        self.conduction = conduction
        self.method = segmented.method
        self.bits: Bits = self._segmentedBits()
        self.history = History()
        self.journal: Journal | None = None
        self._kept: tuple[ScarResult, dict[str, Any]] | None = None
        self.aha = AhaRule()
        self._anatomy: Anatomy | None = segmented.anatomy
        self._result: ScarResult | None = segmented
        self.doubt: tuple[Fact, ...] = ()  # why a rule's scar is not to be believed
        self._proposal: Mask | None = None
        self._imageOnly: Mask | None = None

    @property
    def masks(self) -> Masks:
        return Masks.fromBits(self.bits)

    @property
    def anatomy(self) -> Anatomy:
        if self._anatomy is None:
            self._anatomy = recompute.anatomyOf(self.segmented.stack, self.masks, self.aha)
        return self._anatomy

    @property
    def result(self) -> ScarResult:
        """The case as it stands, measured."""
        if self._result is None:
            self._result = measured_again(
                self.segmented,
                self.anatomy,
                FoundScar(self.masks.scar, self.method, warnings=self.doubt),
                self.imageOnly,
                self.conduction,
            )
        return self._result

    @property
    def imageOnly(self) -> Mask:
        """What the image alone gives, for the column beside."""
        if self._imageOnly is None:
            self._imageOnly = recompute.imageOnly(self.segmented)
        return self._imageOnly

    @property
    def proposal(self) -> Mask:
        """What was last computed; accepting a segment and reverting a slice go back to it."""
        return self._proposal if self._proposal is not None else self.segmented.labels == SCAR

    def change(
        self, name: str, bits: Bits, *, byHand: bool, method: Method | None = None, doubt: tuple[Fact, ...] = ()
    ) -> bool:
        """Make a step; False where nothing changes.

        The doubt is the method's: without a new method both stay, as a correction does not mend the rule.
        """
        if method is None:
            method, doubt = self.method, self.doubt
        if np.array_equal(bits, self.bits) and (method, doubt) == (self.method, self.doubt):
            return False
        if byHand:
            method = dataclasses.replace(method, corrected=True)
        step = Step.between(name, self.bits, bits, self.method, method, self.doubt, doubt)
        self.history.push(step)
        self._set(bits, method, doubt)
        if self.journal:
            self.journal.append(step)
        return True

    def resegmented(self, result: ScarResult, conduction: Conduction, name: str) -> None:
        """Another segmentation of the same images, as a step that can be undone."""
        before = self.segmented
        if before.stack.voxels.shape != result.stack.voxels.shape:
            raise ValueError("a result of other images")
        self.segmented, self.conduction = result, conduction
        self._proposal, self._imageOnly, self._anatomy, self._result = None, None, None, None
        self.change(name, self._segmentedBits(), byHand=False, method=result.method)

    def resume(self, bits: Bits, method: Method, doubt: tuple[Fact, ...] = ()) -> None:
        """Go on from masks that a scene holds."""
        self._set(bits, method, doubt)

    def applyRule(self, rule: ScarRule, name: str) -> bool:
        """Take the scar that a rule finds.

        Raises
        ------
        InputError
            The rule cannot be used on these images.
        """
        found = recompute.scarByRule(self.segmented, self.anatomy, rule)
        self._proposal, bits = found.mask, withScar(self.bits, found.mask)
        return self.change(name, bits, byHand=False, method=found.method, doubt=found.warnings)

    def divide(self, aha: AhaRule) -> None:
        """Divide the wall anew.

        Raises
        ------
        InputError
            Insertions that cannot be; the division stays as it was.
        """
        anatomy = recompute.anatomyOf(self.segmented.stack, self.masks, aha)
        self.aha, self._anatomy, self._result = aha, anatomy, None

    def keepSlices(self, first: int, last: int) -> bool:
        """Leave out what lies beyond the apex and base slices; what was segmented there comes back with them."""
        whole, now = Masks.fromBits(self._wholeBits()), self.masks
        lost = now.wall.any(axis=(1, 2)) | now.cavity.any(axis=(1, 2))
        inside = np.zeros(len(lost), bool)
        inside[first : last + 1] = True
        back = (inside & ~lost)[:, None, None]
        bits = np.where(back, whole.toBits(), self.bits)
        return self.change("Apex and base", edits.keepSlices(bits, first, last), byHand=True)

    def _wholeBits(self) -> Bits:
        anatomy = self.segmented.anatomy
        return Masks(anatomy.cavity, anatomy.myocardium, self.proposal).toBits()

    def undo(self) -> str:
        """Take back one step; its name, "" if there was none."""
        step = self.history.undo()
        return self._step(step, forward=False) if step else ""

    def redo(self) -> str:
        step = self.history.redo()
        return self._step(step, forward=True) if step else ""

    def _step(self, step: Step, *, forward: bool) -> str:
        method = step.methodAfter if forward else step.methodBefore
        doubt = step.doubtAfter if forward else step.doubtBefore
        name = f"{'Redo' if forward else 'Undo'}: {step.name}"
        taken = Step(name, step.change, self.method, method, self.doubt, doubt)
        self._set(step.applied(self.bits), method, doubt)
        if self.journal:
            self.journal.append(taken)
        return step.name

    def _set(self, bits: Bits, method: Method, doubt: tuple[Fact, ...]) -> None:
        contours = (bits ^ self.bits) & 3
        self.bits, self.method, self._result, self.doubt = bits, method, None, doubt
        if contours.any():
            self._anatomy = None

    # What outlives the process

    def toText(self) -> str:
        return json.dumps(self._saved())

    def _saved(self) -> dict[str, Any]:
        """The segmentation as it is kept; made once, as it does not change with the corrections."""
        if self._kept is None or self._kept[0] is not self.segmented:
            self._kept = (self.segmented, state.toDict(self.segmented, self.conduction))
        return self._kept[1]

    def begin(self, folder: Path) -> None:
        """Start a journal from the present state."""
        self.end(remove=True)
        start = dict(self._saved())
        step = Step.between("", self._segmentedBits(), self.bits)
        start["now"] = {
            "method": to_plain(self.method),
            "doubt": to_plain(self.doubt),
            "step": step.change.hex(),
        }
        self.journal = Journal(folder, start)

    def end(self, *, remove: bool) -> None:
        if self.journal:
            self.journal.close(remove=remove)
        self.journal = None

    def _segmentedBits(self) -> Bits:
        anatomy = self.segmented.anatomy
        return Masks(anatomy.cavity, anatomy.myocardium, self.segmented.labels == SCAR).toBits()

    @classmethod
    def fromText(cls, text: str, storedVoxels: Any) -> "Study":
        """The study a scene holds; ValueError where it is of other images or another version."""
        return cls(*state.fromDict(json.loads(text), storedVoxels))

    @classmethod
    def fromJournal(cls, recovered: Recovered, storedVoxels: Any) -> "Study":
        """The study as it was when the process ended, its steps undoable."""
        study = cls(*state.fromDict(recovered.start, storedVoxels))
        now = recovered.start["now"]
        sofar = Step("", bytes.fromhex(now["step"]))
        study._set(sofar.applied(study.bits), from_plain(now["method"]), from_plain(now["doubt"]))
        for step in recovered.steps:
            study.history.push(step)
            study._set(step.applied(study.bits), step.methodAfter, step.doubtAfter)
        return study
