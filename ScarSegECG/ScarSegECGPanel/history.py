"""One undo and redo over everything that changes the masks, whether drawn by hand or computed."""

import zlib
from dataclasses import dataclass

import numpy as np

from ScarSegECGLib.facts import Fact, Method
from ScarSegECGPanel.masks import Bits

MOST_STEPS = 500


@dataclass(frozen=True)
class Step:
    """What changed: the exclusive-or of before and after, compressed, and how the scar came about before and after.

    The doubts say why a rule's scar is not to be believed; each belongs to its method. Between the start of a journal
    and the present there is no method.
    """

    name: str
    change: bytes
    methodBefore: Method | None = None
    methodAfter: Method | None = None
    doubtBefore: tuple[Fact, ...] = ()
    doubtAfter: tuple[Fact, ...] = ()

    @classmethod
    def between(
        cls,
        name: str,
        before: Bits,
        after: Bits,
        methodBefore: Method | None = None,
        methodAfter: Method | None = None,
        doubtBefore: tuple[Fact, ...] = (),
        doubtAfter: tuple[Fact, ...] = (),
    ) -> "Step":
        change = zlib.compress((before ^ after).tobytes(), 1)
        return cls(name, change, methodBefore, methodAfter, doubtBefore, doubtAfter)

    def applied(self, bits: Bits) -> Bits:
        """Forwards and backwards are the same operation."""
        change = np.frombuffer(zlib.decompress(self.change), np.uint8)
        if change.size != bits.size:
            raise ValueError("a step of another image")
        return bits ^ change.reshape(bits.shape)


class History:
    """Steps done and steps taken back; a new step forgets those taken back."""

    def __init__(self) -> None:
        self._done: list[Step] = []
        self._undone: list[Step] = []

    def push(self, step: Step) -> None:
        self._done.append(step)
        del self._done[:-MOST_STEPS]
        self._undone.clear()

    @property
    def undoName(self) -> str:
        """Name of the step that undo takes back, "" if there is none."""
        return self._done[-1].name if self._done else ""

    @property
    def redoName(self) -> str:
        return self._undone[-1].name if self._undone else ""

    def undo(self) -> Step | None:
        if not self._done:
            return None
        self._undone.append(self._done.pop())
        return self._undone[-1]

    def redo(self) -> Step | None:
        if not self._undone:
            return None
        self._done.append(self._undone.pop())
        return self._done[-1]
