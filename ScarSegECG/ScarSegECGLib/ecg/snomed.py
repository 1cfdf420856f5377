"""SNOMED CT codes of the diagnoses in CinC Challenge headers ("Dx: 426783006,10370003")."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

SINUS_ONLY = frozenset({"426783006", "426177001", "427084000"})  # sinus rhythm, slow or fast: nothing else was noted
PACED = frozenset({"10370003", "251266004"})
# Infarct or ischaemia, Q waves, poor R progression.
INFARCT = frozenset(
    ["164865005", "164867002", "54329005", "57054005", "164861001", "426434006", "425419005", "365413008", "164917005"]
)
RBBB = frozenset({"59118001", "713427006"})
BLOCK = RBBB | {"164909002", "733534002", "698252002"}  # LBBB, complete LBBB, other intraventricular delay


def codes_in(remarks: Iterable[str]) -> frozenset[str]:
    """The codes in a header's remarks."""
    lines = (remark.strip(" #\t") for remark in remarks)
    found = (line[3:].split(",") for line in lines if line[:3].lower() == "dx:")
    return frozenset(code.strip() for line in found for code in line) - {""}


def diagnoses(header: Path) -> frozenset[str]:
    """The codes of a record's header."""
    return codes_in(line for line in header.read_text(encoding="latin-1").splitlines() if line.startswith("#"))
