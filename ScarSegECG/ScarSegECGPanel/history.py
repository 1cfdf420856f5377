"""One undo and redo over everything that changes the masks, whether drawn by hand or computed."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ScarSegECGLib.facts import Fact, Method
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGPanel.masks import Bits
from ScarSegECGPanel.recompute import ScarRule

MOST_STEPS = 500


@dataclass(frozen=True)
class Origin:
    """How the scar at hand came about.

    ``doubt`` says why a rule's scar is not to be believed; ``rule`` is what was chosen in the panel, so that what is
    chosen and what is shown agree also after an undo.
    """

    method: Method = Method()
    doubt: tuple[Fact, ...] = ()
    rule: ScarRule = ScarRule()

    def toPlain(self) -> list:
        return [to_plain(self.method), to_plain(self.doubt), list(vars(self.rule).values())]

    @classmethod
    def fromPlain(cls, kept: Any) -> "Origin":
        """ValueError or TypeError where it is none."""
        method, doubt, rule = kept
        made = cls(from_plain(method), from_plain(doubt), ScarRule(*rule))
        if not isinstance(made.method, Method) or any(type(fact) is not Fact for fact in made.doubt):
            raise ValueError("no origin of a scar")
        return made


SEGMENTED = Origin()


@dataclass(frozen=True)
class Step:
    """What changed: the exclusive-or of before and after, compressed, and how the scar came about before and after."""

    name: str
    change: bytes
    before: Origin = SEGMENTED
    after: Origin = SEGMENTED

    @classmethod
    def between(cls, name: str, old: Bits, new: Bits, before: Origin = SEGMENTED, after: Origin = SEGMENTED) -> "Step":
        return cls(name, zlib.compress((old ^ new).tobytes(), 1), before, after)

    def applied(self, bits: Bits) -> Bits:
        """Forwards and backwards are the same operation; no more is unpacked than the image has."""
        unpacked = zlib.decompressobj().decompress(self.change, bits.size + 1)
        if len(unpacked) != bits.size:
            raise ValueError("a step of another image")
        return bits ^ np.frombuffer(unpacked, np.uint8).reshape(bits.shape)


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
    def steps(self) -> tuple[list[Step], int]:
        """All steps from the first, and how many of them are taken back."""
        return [*self._done, *reversed(self._undone)], len(self._undone)

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
