from __future__ import annotations

from ScarSegECGLib.anatomy.segments import RING_SEGMENTS, SEGMENT_NAMES, TERRITORY_OF


def test_names_codes_and_rings_cover_the_17_segments():
    assert len(SEGMENT_NAMES) == 17 == len(set(SEGMENT_NAMES))
    assert [n for ring in RING_SEGMENTS for n in ring] == list(range(1, 18))
    assert SEGMENT_NAMES[1] == "Basal anteroseptal" and SEGMENT_NAMES[10] == "Mid inferolateral"
    assert SEGMENT_NAMES[13] == "Apical septal" and SEGMENT_NAMES[16] == "Apex"


def test_every_segment_has_one_usual_territory():
    assert sorted(TERRITORY_OF) == list(range(1, 18))
    arteries = list(TERRITORY_OF.values())
    assert {a: arteries.count(a) for a in set(arteries)} == {"LAD": 7, "RCA": 5, "LCX": 5}
    assert TERRITORY_OF[14] == "LAD" and TERRITORY_OF[3] == "RCA" and TERRITORY_OF[16] == "LCX"
