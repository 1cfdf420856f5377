"""The case at hand: what was segmented, what has been made of it since, and the way back."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.case import SCAR, Anatomy, ScarResult
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGPanel import recompute, state
from ScarSegECGPanel.history import History, Origin, Step
from ScarSegECGPanel.journal import REDO, UNDO, Journal, Recovered
from ScarSegECGPanel.masks import CAVITY_BIT, WALL_BIT, Bits, Mask, Masks, keepSlices, withScar
from ScarSegECGPanel.recompute import AhaRule, ScarRule


class Study:
    """Masks in canonical order, their history, and the measured result; it touches neither Qt nor MRML.

    >>> study = Study(result)
    >>> study.change("Remove island", withScar(study.bits, scar))
    >>> study.result.scar.ml
    """

    def __init__(self, segmented: ScarResult) -> None:
        self.history = History()
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
        anatomy = self.segmented.anatomy
        return Masks(anatomy.cavity, anatomy.myocardium, self.segmented.labels == SCAR).toBits()

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
            from ScarSegECGLib.measure.measurements import measured_again
            from ScarSegECGLib.measure.rules import FoundScar

            if self._imageOnly is None:
                self._imageOnly = recompute.imageOnly(self.segmented)
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
            self._proposals[rule] = recompute.scarByRule(self.segmented, self.anatomy, rule).mask
        return self._proposals[rule]

    def change(self, name: str, bits: Bits, origin: Origin | None = None) -> bool:
        """Make a step; False where nothing changes. Without an origin it is a correction by hand."""
        if np.array_equal(bits, self.bits) and origin in (None, self.origin):
            return False
        if origin is None:
            origin = dataclasses.replace(self.origin, method=dataclasses.replace(self.origin.method, corrected=True))
        step = Step.between(name, self.bits, bits, self.origin, origin)
        self.history.push(step)
        return self._went(step, origin, step)

    def resegmented(self, other: "Study", name: str) -> None:
        """Another segmentation of the same images, as a step that can be undone."""
        if self.segmented.stack.voxels.shape != other.segmented.stack.voxels.shape:
            raise ValueError("a result of other images")
        self._take(other.segmented)
        self._saved = other._saved
        self.change(name, self._segmentedBits(), other.origin)

    def applyRule(self, rule: ScarRule, name: str) -> bool:
        """Take the scar that a rule finds; InputError where it cannot be used on these images."""
        found = recompute.scarByRule(self.segmented, self.anatomy, rule)
        self._proposals[rule] = found.mask
        return self.change(name, withScar(self.bits, found.mask), Origin(found.method, found.warnings, rule))

    def divide(self, aha: AhaRule) -> None:
        """Divide the wall anew; InputError for insertions that cannot be, and the division stays as it was."""
        anatomy = recompute.anatomyOf(self.segmented.stack, self.masks, aha)
        self.aha, self._anatomy, self._result = aha, anatomy, None

    def keepSlices(self, first: int, last: int, name: str) -> bool:
        """Leave out what lies beyond the apex and base slices; what was segmented there comes back with them."""
        anatomy, now = self.segmented.anatomy, self.masks
        whole = Masks(anatomy.cavity, anatomy.myocardium, self.proposal).toBits()
        lost = keepSlices(~(now.wall | now.cavity).any(axis=(1, 2)), first, last)
        return self.change(name, keepSlices(np.where(lost[:, None, None], whole, self.bits), first, last))

    def undo(self) -> bool:
        """Take back one step; whether there was one."""
        step = self.history.undo()
        return step is not None and self._went(step, step.before, UNDO)

    def redo(self) -> bool:
        step = self.history.redo()
        return step is not None and self._went(step, step.after, REDO)

    def _went(self, step: Step, origin: Origin, move: Step | str) -> bool:
        self.resume(step.applied(self.bits), origin)
        if self.journal:
            self.journal.append(move)
        return True

    def resume(self, bits: Bits, origin: Origin) -> None:
        if ((bits ^ self.bits) & (CAVITY_BIT | WALL_BIT)).any():
            self._anatomy = None
        self.bits, self.origin, self._result = bits, origin, None

    # What outlives the process

    def saved(self) -> dict[str, Any]:
        """The segmentation as it is kept; made once, as it does not change with the corrections."""
        if self._saved is None:
            self._saved = state.toDict(self.segmented)
        return self._saved

    def toText(self) -> str:
        return json.dumps(self.saved())

    def begin(self, folder: Path) -> None:
        """Start a journal of all steps so far and to come; without room for one the case goes on all the same."""
        self.end(remove=True)
        steps, done = self.history.steps, self.history.done
        bits, origin = self.bits, self.origin
        for step in reversed(steps[:done]):
            bits, origin = step.applied(bits), step.before
        start = {"origin": origin.toPlain(), "step": Step.between("", self._segmentedBits(), bits).change.hex()}
        try:
            self.journal = Journal(folder, {**self.saved(), "now": start}, [*steps, *[UNDO] * (len(steps) - done)])
        except OSError:
            self.journal = None

    def end(self, *, remove: bool) -> None:
        if self.journal:
            self.journal.close(remove=remove)
        self.journal = None

    @classmethod
    def fromText(cls, text: str, storedVoxels: Any) -> "Study":
        """The study a scene holds; ValueError where it is of other images or another version."""
        return cls(state.fromDict(json.loads(text), storedVoxels))

    @classmethod
    def fromJournal(cls, recovered: Recovered, storedVoxels: Any) -> "Study":
        """The study as it was when the process ended, its steps undoable under their own names."""
        study = cls(state.fromDict(recovered.start, storedVoxels))
        now = recovered.start["now"]
        study.resume(Step("", bytes.fromhex(now["step"])).applied(study.bits), Origin.fromPlain(now["origin"]))
        for move in recovered.moves:
            if isinstance(move, Step):
                study.history.push(move)
                study.resume(move.applied(study.bits), move.after)
            else:
                {UNDO: study.undo, REDO: study.redo}[move]()
        return study
