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
    """How the scar at hand came about."""

    method: Method = Method()
    doubt: tuple[Fact, ...] = ()  # why a rule's scar is not to be believed
    rule: ScarRule = ScarRule()  # chosen in the panel: what is chosen and what is shown agree also after an undo

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
    """Steps, and how many of them are done; the others are taken back, and a new step forgets them."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.done = 0

    def push(self, step: Step) -> None:
        self.steps = [*self.steps[: self.done], step][-MOST_STEPS:]
        self.done = len(self.steps)

    @property
    def undoName(self) -> str:
        """Name of the step that undo takes back, "" if there is none."""
        return self.steps[self.done - 1].name if self.done else ""

    @property
    def redoName(self) -> str:
        return self.steps[self.done].name if self.done < len(self.steps) else ""

    def undo(self) -> Step | None:
        if not self.done:
            return None
        self.done -= 1
        return self.steps[self.done]

    def redo(self) -> Step | None:
        if self.done == len(self.steps):
            return None
        self.done += 1
        return self.steps[self.done - 1]
