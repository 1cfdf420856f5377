"""What stands below the title of a picture: how its numbers came about, for it travels without its report."""

from __future__ import annotations

from ScarSegECGLib.case import SegmentRow
from ScarSegECGLib.facts import Division, Method, Shown
from ScarSegECGLib.measure.segments import LITTLE_SCAR_ML
from ScarSegECGLib.wording import rule_words, words

PERCENT_OF_SEGMENT = "scar, % of the segment's volume"
MEAN_OF_WALL = "% of the wall's thickness, mean over the whole segment, wall without scar included"
MOST_OF_WALL = "% of the wall's thickness, over the segment's 4 mm of wall with the most scar"
PERCENT_OF_WALL = "scar, % of the wall's thickness at that place"

MVO_SIGN, SMALL_SIGN = "▪", "*"
SIGN_WORDS = (
    (MVO_SIGN, "MVO in the segment"),
    (SMALL_SIGN, f"rests on less than {LITTLE_SCAR_ML:g} ml of scar"),
)
LEAST_MVO_ML = 0.05
"""Less MVO in a segment prints as 0.0 ml and gets no sign."""


def how(method: Method, division: Division, shown: Shown | None = None, *more: str) -> str:
    """The lines below a title: the method, the remote region where it has one, the AHA mode, and what else is given.

    Parameters
    ----------
    method : Method
    division : Division
    shown : Shown, optional
        Which scar it is, where the method does not say so itself.
    more : str
        Further lines.
    """
    rule = rule_words(method)
    if shown is not None and method.by_network and not method.corrected and not method.image_only:
        rule = f"{rule}; {words(shown)}"
    lines = (rule, words(method.remote), f"AHA segments: {words(division)}", *more)
    return "\n".join(f"{line[0].upper()}{line[1:]}" if i else line for i, line in enumerate(filter(None, lines)))


def mvo_sign(row: SegmentRow) -> str:
    """The sign of a segment that has MVO in it, "" for the others."""
    return MVO_SIGN if (row.mvo_ml or 0.0) >= LEAST_MVO_ML else ""
