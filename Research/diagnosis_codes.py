"""SNOMED CT codes of diagnoses, as WFDB headers of the CinC Challenge state them."""

from __future__ import annotations

SINUS_ONLY = frozenset({"426783006", "426177001", "427084000"})  # sinus rhythm, slow or fast: nothing else was noted
# Infarct or ischaemia, Q waves, poor R progression.
INFARCT = frozenset(
    ["164865005", "164867002", "54329005", "57054005", "164861001", "426434006", "425419005", "365413008", "164917005"]
)
# RBBB, complete RBBB, LBBB, complete LBBB, other intraventricular delay.
BLOCK = frozenset({"59118001", "713427006", "164909002", "733534002", "698252002"})
