"""Tell by its headers what a set of MR images was made for, and why: LGE, cine, localiser, map, ...

The words are those scanners and their users write into series and protocol names (English, and the usual German,
French, Spanish, Italian and Portuguese for late enhancement). Words that name something else win over words that name
LGE: a "TI scout LGE" is a TI scout.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ScarSegECGLib.lge.dicom_frames import Frame, Kind, number_of, texts_of
from ScarSegECGLib.lge.shown_text import plain

# "possible" where nothing in the headers speaks for LGE or against it; "few" or "misplaced" where only the slices'
# number or direction does; "other" where the images were made for something else.
Verdict = Literal["lge", "possible", "few", "misplaced", "other"]

_LGE_INVERSION_MS = (100.0, 800.0)
_CINE_PHASES = 5
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
_WEAK_CINE = r"B ?TFE|B ?FFE|FIESTA|\bSSFP\b|TRUFISP|\bTFI2D"  # where nothing else speaks for LGE
_OTHER_TYPES = {
    "T1 or T2 map": {"T1 MAP", "T2 MAP", "T2_STAR MAP", "T1_MAP", "T2_MAP", "ECV", "T1MAP", "T2MAP"},
    "cine": {"CINE", "RETRO"},
    "perfusion": {"PERFUSION", "DYNAMIC"},
    "localiser": {"LOCALIZER"},
    "a reformatted or projected image": {"MPR", "PROJECTION IMAGE", "MIP", "CSA MPR", "CSAPARALLEL"},
}
_AGENT = ("ContrastBolusAgent", "ContrastBolusAgentSequence", "ContrastBolusVolume")
_LGE = (
    r"(?<![A-Z])(LGE|MDE|PSMDE|DHE|PSIR|LATE|DELAY(ED)?|VIAB[A-Z]*|SPAT[A-Z]*|TARDI[A-Z]*|SCAR|INFARCT[A-Z]*|"
    r"(DE|PS)(?= ?(SAX|SA|IR|TFL|PSIR|FLASH|TRUFI|SSFP|MRI|CMR|[0-9D]))|IR ?(TFL|TFE|GRE|FGRE|TRUFI|FLASH|SSFP)|"
    r"PHASE ?SENS[A-Z]*)(?![A-Z])|ENHANCE|REHAUSS|REALCE|10 ?MIN\b"
)


@dataclass(frozen=True)
class SeriesKind:
    """What a set of images was taken for."""

    verdict: Verdict
    taken_for: str  # in words: "LGE", "LGE short axis", "cine", "localiser", ...
    reasons: tuple[str, ...]  # short clauses, none of which quotes the header


def series_kind(frames: Sequence[Frame], kind: Kind) -> SeriesKind:
    """Judge images of one series and ``kind`` by their headers' words and numbers, wherever the slices lie."""
    header, text = frames[0].header, plain_text(frames[0])
    for_it = _for_lge(frames, kind, text)
    types = {kind for frame in frames for kind in texts_of(frame.header, "ImageType")}
    phases = max(int(number_of(frame.header, "CardiacNumberOfImages") or 0) for frame in frames)
    counted = ("TriggerTime", "InversionTime", "TemporalPositionIdentifier")
    moving, waits, repeated = (_most_at_one_place(frames, keyword) for keyword in counted)
    echo, unclear = number_of(header, "EchoTime") or 0.0, not for_it and kind != "phase"
    is_cine = phases >= _CINE_PHASES and (moving >= _CINE_PHASES or not re.search(_LGE, text))
    against = (
        ("phase image", "image type says phase or imaginary", kind == "phase"),
        *((name, f"series text says {name}", re.search(words, text)) for name, words in _OTHERS.items()),
        *((name, "image type says so", types & kinds) for name, kinds in _OTHER_TYPES.items()),
        ("cine", f"{phases} cardiac phases", is_cine),
        ("cine", f"{moving} trigger times at one position", moving >= _CINE_PHASES and not is_cine),
        ("inversion-time scout", f"{waits} inversion times at one position", waits >= 3),
        ("perfusion", f"{repeated} time points at one position", repeated >= _CINE_PHASES),
        ("cine", "series text says cine", unclear and re.search(_WEAK_CINE, text)),
        ("T2-weighted", f"echo time {echo:.0f} ms", unclear and echo >= _T2_ECHO_MS),
    )
    if found := [(name, reason) for name, reason, is_so in against if is_so]:
        name = found[0][0]
        return SeriesKind("other", name, tuple(dict.fromkeys(reason for other, reason in found if other == name)))
    agent = ("contrast agent given",) if any(header.get(keyword) for keyword in _AGENT) else ()
    if for_it:
        return SeriesKind("lge", "LGE", (*for_it, *agent))
    return SeriesKind("possible", "possible LGE", ("nothing in the header says LGE or anything else", *agent))


def plain_text(frame: Frame) -> str:
    """Series, protocol and sequence names, plain."""
    return plain(" ".join(map(frame.text, ("SeriesDescription", "ProtocolName", "SequenceName"))))


def _for_lge(frames: Sequence[Frame], kind: Kind, text: str) -> list[str]:
    reasons = ["series text says LGE"] if re.search(_LGE, text) else []
    if kind == "psir":
        reasons.append("phase-sensitive image")
    times = {time for frame in frames if (time := number_of(frame.header, "InversionTime"))}
    sequences = {sequence for frame in frames for sequence in texts_of(frame.header, "ScanningSequence")}
    low, high = _LGE_INVERSION_MS
    if times and low <= min(times) and max(times) <= high and "SE" not in sequences:
        ends = f"{min(times):.0f}" if len(times) == 1 else f"{min(times):.0f} to {max(times):.0f}"
        reasons.append(f"inversion recovery, {ends} ms")
    return reasons


def _most_at_one_place(frames: Sequence[Frame], keyword: str) -> int:
    """How many different values of an element the place has that has most of them."""
    found = {(frame.place, number_of(frame.header, keyword)) for frame in frames if frame.place}
    return max(Counter(place for place, value in found if value is not None).values(), default=0)
