"""What was tried so that the ECG should help more, one thing at a time, and how much any ECG could help.

All branches are trained alike and shown together; none is chosen by its result. The two limits use the expert's own
extent of scar per segment instead of an ECG: no ECG knows more of the heart than that.
"""

from __future__ import annotations

import dataclasses

from ScarSegECGLib.training.ablation import ROWS, Row
from ScarSegECGLib.training.ecg_training import GuideRecipe, Kind

DESIGNED, DOUBTED, WORD, EXTENT = "taff as designed", "doubted logits", "segment word", "extent"


def remedy_branches(shipped: GuideRecipe) -> dict[str, tuple[Kind, GuideRecipe]]:
    """The branches by name, each with its recipe; "taff" is the ablation's and is shipped."""
    return {
        DESIGNED: ("taff", dataclasses.replace(shipped, doubt=False, mismatch=0.0)),
        DOUBTED: ("taff", dataclasses.replace(shipped, mismatch=0.0)),
        "taff": ("taff", shipped),
        WORD: ("taff", dataclasses.replace(shipped, word=True)),
        EXTENT: ("extent", dataclasses.replace(shipped, mismatch=0.0)),
    }


REMEDIES = (
    ROWS[0],
    Row("TAFF as designed", DESIGNED, "own", fusion="features"),
    Row("TAFF, image logits doubted in training", DOUBTED, "own", fusion="features"),
    Row("the same, mismatched pairs in training", "taff", "own", fusion="features"),
    Row("the same, and a learned word per segment", WORD, "own", fusion="features"),
    Row("no TAFF: logits moved to the ECG's extents", "taff", "own", fusion="extents"),
    Row("TAFF and the ECG's extents (shipped)", "taff", "own"),
    Row("limit: TAFF told the expert's extents", EXTENT, "extent"),
    Row("limit: logits moved to the expert's extents", None, "extent"),
)
