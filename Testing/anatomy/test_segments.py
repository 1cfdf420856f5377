from __future__ import annotations

import pytest

from ScarSegECGLib.anatomy.segments import RING_SEGMENTS, SEGMENT_NAMES, usual_territory


def test_names_codes_and_rings_cover_the_17_segments():
    assert len(SEGMENT_NAMES) == 17 == len(set(SEGMENT_NAMES))
    assert [n for ring in RING_SEGMENTS for n in ring] == list(range(1, 18))
    assert SEGMENT_NAMES[1] == "Basal anteroseptal" and SEGMENT_NAMES[10] == "Mid inferolateral"
    assert SEGMENT_NAMES[13] == "Apical septal" and SEGMENT_NAMES[16] == "Apex"


def test_every_segment_has_one_usual_territory():
    arteries = [usual_territory(n) for n in range(1, 18)]
    assert {a: arteries.count(a) for a in set(arteries)} == {"LAD": 7, "RCA": 5, "LCX": 5}
    assert usual_territory(14) == "LAD" and usual_territory(3) == "RCA" and usual_territory(16) == "LCX"
    with pytest.raises(ValueError, match="18"):
        usual_territory(18)
