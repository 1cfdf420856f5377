"""Tell by its headers what a set of MR images was made for, and why: LGE, cine, localiser, map, ...

The words are those scanners and their users write into series and protocol names (English, and the usual German,
French, Spanish, Italian and Portuguese for late enhancement). Words that name something else win over words that name
LGE: a "TI scout LGE" is a TI scout.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydicom.dataset import Dataset

from ScarSegECGLib.lge.dicom_tags import Kind, image_types

Verdict = Literal["lge", "possible", "other"]

LGE_INVERSION_MS = (100.0, 800.0)
CINE_PHASES = 5
_T2_ECHO_MS = 30.0

_OTHERS = {
    "inversion-time scout": r"\bTI ?SCOUT|LOOK ?LOCKER|\bTI ?(FINDER|TEST|CINE|SEARCH)|\bCINE ?IR\b|SCOUT TI\b",
    "T1 or T2 map": r"\bT[12]S? ?\*? ?(MAP|STAR|W? ?MOLLI)|\bT[12] ?\*|MAPPING|MOLLI|SASHA|\bECV\b|SMART ?1",
    "perfusion": r"PERF|FIRST ?PASS|\bSTRESS\b|DYNAM",
    "flow": r"\bFLOW|Q ?FLOW|VENC|PHASE ?CONTRAST|\bPC ?(SAX|AO|PA|2D|FLOW)|VELOCITY|THROUGHPLANE",
    "early enhancement": r"\bEGE\b|EARLY",
    "T2-weighted": r"\bSTIR\b|\bT2 ?W|HASTE|TIRM|\bT2 ?(TSE|BB)",
    "tagging": r"\bTAG(GING|GED)?\b|SPAMM|\bCSPAMM",
    "angiography": r"ANGIO|\bMRA\b|\bTWIST\b|CORONAR|WHOLE ?HEART",
    "localiser": r"LOCALI[SZ]|SCOUT|SURVEY|\bLOC\b|PLAN SCAN|3 ?PL(ANE)?\b",
    "cine": r"CINE|\bKINE|RETRO\b|RETROGAT|\bCIN\b",
}
_WEAK_OTHERS = {"cine": r"B ?TFE|B ?FFE|FIESTA|\bSSFP\b|TRUFISP|\bTFI2D"}
_OTHER_TYPES = {
    "T1 or T2 map": {"T1 MAP", "T2 MAP", "T2_STAR MAP", "T1_MAP", "T2_MAP", "ECV", "T1MAP", "T2MAP"},
    "cine": {"CINE", "RETRO"},
    "perfusion": {"PERFUSION", "DYNAMIC"},
    "localiser": {"LOCALIZER"},
    "a reformatted or projected image": {"MPR", "PROJECTION IMAGE", "MIP", "CSA MPR", "CSAPARALLEL"},
}
_LGE = (
    r"(?<![A-Z])(LGE|MDE|PSMDE|DHE|PSIR|LATE|DELAY(ED)?|VIAB[A-Z]*|SPAT[A-Z]*|TARDI[A-Z]*|SCAR|INFARCT[A-Z]*|"
    r"(DE|PS)(?= ?(SAX|SA|IR|TFL|PSIR|FLASH|TRUFI|SSFP|MRI|CMR|[0-9D]))|IR ?(TFL|TFE|GRE|FGRE|TRUFI|FLASH|SSFP)|"
    r"PHASE ?SENS[A-Z]*)(?![A-Z])|ENHANCE|REHAUSS|REALCE|10 ?MIN\b"
)
_ORDER = tuple(_OTHERS)


@dataclass(frozen=True)
class SeriesKind:
    """What a set of images was taken for.

    Attributes
    ----------
    verdict : {"lge", "possible", "other"}
        "possible" where nothing in the headers speaks for LGE or against it.
    name : str
        "LGE", "cine", "localiser", ...
    reasons : tuple of str
        Short clauses; none quotes the header.
    """

    verdict: Verdict
    name: str
    reasons: tuple[str, ...]


def series_kind(headers: Sequence[Dataset], kind: Kind) -> SeriesKind:
    """Judge a set of images of one series by text, image type, timing, inversion and contrast agent.

    Parameters
    ----------
    headers : sequence of Dataset
        One per image or frame.
    kind : {"magnitude", "psir", "phase"}
        What the images show, by :func:`~ScarSegECGLib.lge.dicom_tags.image_kind`.

    Returns
    -------
    SeriesKind
        Where the slices lie plays no part here.
    """
    first = headers[0]
    text = plain_text(first)
    types = {kind for h in headers for kind in image_types(h)}
    says_lge = bool(re.search(_LGE, text))
    for_it = _for_lge(headers, kind, says_lge)
    against = _against(headers, text, types, says_lge)
    if kind == "phase":
        against.insert(0, ("phase image", "image type says phase or imaginary"))
    elif not for_it:
        against += [(name, f"series text says {name}") for name in _WEAK_OTHERS if re.search(_WEAK_OTHERS[name], text)]
        echo = _number(first, "EchoTime")
        if echo is not None and echo >= _T2_ECHO_MS:
            against.append(("T2-weighted", f"echo time {echo:.0f} ms"))
    agent = ("contrast agent given",) if _has_agent(first) else ()
    if against:
        name = against[0][0]
        return SeriesKind("other", name, tuple(dict.fromkeys(reason for other, reason in against if other == name)))
    if for_it:
        return SeriesKind("lge", "LGE", (*for_it, *agent))
    return SeriesKind("possible", "possible LGE", ("nothing in the header says LGE or anything else", *agent))


def plain_text(header: Dataset) -> str:
    """Series, protocol and sequence names in capitals without accents, words parted by single spaces."""
    words = " ".join(str(header.get(k) or "") for k in ("SeriesDescription", "ProtocolName", "SequenceName"))
    flat = unicodedata.normalize("NFKD", words[:500]).encode("ascii", "ignore").decode().upper()
    return " ".join(re.sub(r"[^A-Z0-9*]+", " ", flat).split())


def _for_lge(headers: Sequence[Dataset], kind: Kind, says_lge: bool) -> list[str]:
    reasons = ["series text says LGE"] if says_lge else []
    if kind == "psir":
        reasons.append("phase-sensitive image")
    times = {t for h in headers if (t := _number(h, "InversionTime"))}
    sequences = {str(s).upper() for h in headers for s in _several(h.get("ScanningSequence"))}
    low, high = LGE_INVERSION_MS
    inverted = bool(times) and all(low <= t <= high for t in times)
    if inverted and "SE" not in sequences:
        ends = f"{min(times):.0f}" if min(times) == max(times) else f"{min(times):.0f} to {max(times):.0f}"
        reasons.append(f"inversion recovery, {ends} ms")
    return reasons


def _against(headers: Sequence[Dataset], text: str, types: set[str], says_lge: bool) -> list[tuple[str, str]]:
    found = [(name, f"series text says {name}") for name in _ORDER if re.search(_OTHERS[name], text)]
    found += [(name, "image type says so") for name, kinds in _OTHER_TYPES.items() if types & kinds]
    phases = max((int(n) for h in headers if (n := _number(h, "CardiacNumberOfImages"))), default=0)
    if phases >= CINE_PHASES and not (says_lge and len(_times_per_place(headers, "TriggerTime")) < CINE_PHASES):
        found.append(("cine", f"{phases} cardiac phases"))
    elif (moving := len(_times_per_place(headers, "TriggerTime"))) >= CINE_PHASES:
        found.append(("cine", f"{moving} trigger times at one position"))
    if (waits := len(_times_per_place(headers, "InversionTime"))) >= 3:
        found.append(("inversion-time scout", f"{waits} inversion times at one position"))
    repeated = len(_times_per_place(headers, "TemporalPositionIdentifier"))
    if repeated >= CINE_PHASES:
        found.append(("perfusion", f"{repeated} time points at one position"))
    return found


def _times_per_place(headers: Sequence[Dataset], keyword: str) -> set[float]:
    """The different values of an element at the place that has most of them."""
    places: dict[tuple[float, ...], set[float]] = defaultdict(set)
    for header in headers:
        value, place = _number(header, keyword), vector(header, "ImagePositionPatient", 3)
        if value is not None and place is not None:
            places[tuple(np.round(place, 1))].add(value)
    return max(places.values(), key=len, default=set())


def vector(header: Dataset, keyword: str, count: int) -> np.ndarray | None:
    """Numbers of an element, float64, or ``None`` where they are missing, too few, too many or not finite."""
    try:
        values = np.array([float(x) for x in header[keyword].value], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        return None
    return values if values.shape == (count,) and np.isfinite(values).all() else None


def _number(header: Dataset, keyword: str) -> float | None:
    try:
        value = float(header.get(keyword))
    except (TypeError, ValueError):
        return None
    return value if np.isfinite(value) else None


def _several(value: object) -> list[object]:
    return [value] if isinstance(value, str) else list(value or [])  # type: ignore[call-overload]


def _has_agent(header: Dataset) -> bool:
    return any(header.get(k) for k in ("ContrastBolusAgent", "ContrastBolusAgentSequence", "ContrastBolusVolume"))
