"""The 17 AHA segments: names, rings, usual coronary territories (Cerqueira MD et al. Circulation 2002;105:539-42)."""

from __future__ import annotations

BASAL, MID, APICAL, CAP = range(4)
RING_NAMES = ("Basal", "Mid", "Apical", "Apex")
RING_SEGMENTS: tuple[tuple[int, ...], ...] = ((1, 2, 3, 4, 5, 6), (7, 8, 9, 10, 11, 12), (13, 14, 15, 16), (17,))

_WALLS = ("anterior", "anteroseptal", "inferoseptal", "inferior", "inferolateral", "anterolateral")
SEGMENT_NAMES: tuple[str, ...] = (
    *(f"{ring} {wall}" for ring in ("Basal", "Mid") for wall in _WALLS),
    *(f"Apical {wall}" for wall in ("anterior", "septal", "inferior", "lateral")),
    "Apex",
)

USUAL_TERRITORIES: dict[str, tuple[int, ...]] = {
    "LAD": (1, 2, 7, 8, 13, 14, 17),
    "RCA": (3, 4, 9, 10, 15),
    "LCX": (5, 6, 11, 12, 16),
}
TERRITORY_OF = {number: artery for artery, numbers in USUAL_TERRITORIES.items() for number in numbers}
"""Usual coronary territory of segments 1..17; about a quarter of infarcts disagree."""
