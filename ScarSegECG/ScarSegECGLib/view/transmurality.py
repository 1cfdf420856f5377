"""The transmurality bullseye: how far through the wall the scar reaches, in the usual bins."""

from __future__ import annotations

from collections.abc import Sequence

from ScarSegECGLib.case import SegmentRow
from ScarSegECGLib.measure.segments import rests_on_little
from ScarSegECGLib.measure.transmurality import TRANSMURALITY_BINS
from ScarSegECGLib.report.captions import MEAN_OF_WALL, MOST_OF_WALL, SIGN_WORDS, SMALL_SIGN
from ScarSegECGLib.view.bullseye import Bins, BullseyeStyle, SegmentValue, bullseye
from ScarSegECGLib.view.shapes import Drawing

BINS = Bins(tuple(top for _, top in TRANSMURALITY_BINS), tuple(name for name, _ in TRANSMURALITY_BINS))


def transmurality_bullseye(rows: Sequence[SegmentRow], subtitle: str, *, maximum: bool = False) -> Drawing:
    """Lay out the mean or the maximum transmurality per segment, usual coronary territories outlined.

    Colours follow the bins of Kim et al. 2000 and the figures as printed, rounded. A maximum that rests on little
    scar gets an asterisk, as in the table.

    Parameters
    ----------
    rows : sequence of 17 or 16 SegmentRow
        In AHA order.
    subtitle : str
        How the scar was found.
    maximum : bool
        The maximum in place of the mean.
    """

    def shown(row: SegmentRow) -> SegmentValue:
        value = row.transmurality_max_percent if maximum else row.transmurality_mean_percent
        sign = SMALL_SIGN if maximum and rests_on_little(row) else ""
        return SegmentValue(None if value is None else float(round(value)), row.imaged, sign=sign)

    style = BullseyeStyle(
        title="Maximum transmurality" if maximum else "Mean transmurality",
        subtitle=subtitle,
        axis=MOST_OF_WALL if maximum else MEAN_OF_WALL,
        bins=BINS,
        sign_words=SIGN_WORDS,
        territories=True,
    )
    return bullseye([shown(row) for row in rows], style)
