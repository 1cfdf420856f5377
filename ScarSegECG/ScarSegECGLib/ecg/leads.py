"""What a file calls a lead, what one lead says of another, and what makes leads unusable (an error) or is to be known
of them (a note).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, FloatArray
from ScarSegECGLib.ecg.delineation import bend
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.wording import words

# Electrode noise and rounding stay well under this share of the limb leads' amplitude.
EINTHOVEN_TOLERANCE = 0.15
UPSIDE_DOWN = -0.9
LONGEST_LABEL = 64
LOWEST_RATE, HIGHEST_RATE = 100.0, 4000.0
FEWEST_LEADS = 8
SHORTEST_S = 2.0
LARGEST_QRS_MV, SMALLEST_QRS_MV = 20.0, 0.02
FLAT_MV = 1e-6
NOISY_MV = 0.05
CLIPPED_RUN_S = 0.02

_ROMAN = {"I": "I", "II": "II", "III": "III", "1": "I", "2": "II", "3": "III"}
_BY_KEY = {name.upper(): name for name in LEADS} | {f"C{n}": f"V{n}" for n in range(1, 7)}
_BY_KEY |= {f"V0{n}": f"V{n}" for n in range(1, 7)} | {f"D{key}": name for key, name in _ROMAN.items()}
# The difference of two limb electrodes, the second one subtracted.
_ELECTRODES = {("LA", "RA"): "I", ("LL", "RA"): "II", ("LF", "RA"): "II", ("LL", "LA"): "III", ("LF", "LA"): "III"}
_PREFIX = re.compile(
    r"^(CH(ANNEL)?[ _]?\d{0,2}[ :._]+|\d{1,2}[ :._]+)?(MDC[-_ ]?)?(E[CK]G(-(?=[A-Z])|[_ :.]*))?"
    r"((LEADS?|CHANNEL|[A-ZÄÖÜ]*ABLEITUNG|ABL\.?|D[EÉ]RIVATION|DERIVA[CÇ](I[OÓ]N|[AÃ]O)|DERIVAZIONE|AFLEIDING|AVLEDNING|ОТВЕДЕНИЕ)"
    r"(-(?=[A-Z])|[_ :.]*))?"
)
_SUFFIX = re.compile(
    r"([ _/,]+(IN )?(MV|UV|ΜV|NV|V)|[-_ ]+(REF|WCT|AVG|CM|RHYTHM|LONGO?|LANG|LARGO|FILTERED|FILT|RAW)|誘導|导联|導聯)$"
)
_NEGATIVE = re.compile(
    r"(^|[-_ (\[]+)(MINUS|NEG(ATIVE?|ATIV)?|INV(ERTED|ERSE|ERTIERT|ERTIDO)?)\.?([-_ )\]]+|$)|(?<=[A-Z0-9])NEG$"
)
_COPY = re.compile(r"_\d$")  # what a parser puts behind a name that stands twice
# What may be quoted of a label: a lead's letters and figures. Known other channels need no word.
_LIKE_A_LEAD = re.compile(r"((LEAD|E[CK]G|ABLEITUNG|ABL\.?)[ _]*)?[IVXARLFDC0-9 +_./()-]{1,8}")
_OTHER = re.compile(r"-?V([XYZ]|[3-9]R|[789])|[XYZ]|[0-9. ]*|CAL|C|A|D|R")

# Each limb lead as weights of (I, II): Einthoven (II = I + III) and Goldberger.
_LIMBS = LEADS[:6]
_OF_ONE_AND_TWO = np.array([(1.0, 0.0), (0.0, 1.0), (-1.0, 1.0), (-0.5, -0.5), (1.0, -0.5), (-0.5, 1.0)])


@dataclass(frozen=True, eq=False)
class Channel:
    """One stored signal: the file's own label, float64 mV (samples,), and when its first sample was taken, s."""

    label: str
    millivolts: NDArray[np.float64]
    start_s: float = 0.0

    @cached_property
    def lead(self) -> str | None:
        """Which standard lead it is, "-aVR" where its sign is turned; None for any other channel."""
        return lead_name(self.label)


def lead_name(label: str) -> str | None:
    """Which standard lead a label means, with a minus before it where its sign is turned; None for any other channel.

    Case, blanks, a leading "Lead", "ECG", "Ableitung" or "MDC_ECG_LEAD_", a unit, a reference and a remark in brackets
    do not matter: "Lead I (Einthoven)", "DI", "I [mV]", "I-Ref", "MDC_ECG_LEAD_I" are all "I". C1 to C6 are V1 to V6
    (IEC); LA-RA, LL-RA and LL-LA are I, II, III. A minus before or behind the name, or a word for it, turns the sign
    ("-aVR", "aVR(-)", "aVR neg"); a minus between two leads ("I-II") makes it another channel.
    """
    text = unicodedata.normalize("NFKC", str(label))
    if len(text) > LONGEST_LABEL:
        return None
    text = re.sub(r"[\u2010-\u2015\u2212\ufe63]", "-", text).replace("\0", "").replace("μ", "µ").upper().strip(" _.:*")
    remarks = re.findall(r"[(\[]([^)\]]*)[)\]]", text)
    turned = sum(remark.strip() in ("-", "-1") or bool(_NEGATIVE.search(remark)) for remark in remarks)
    text = re.sub(r"[(\[][^)\]]*[)\]]", " ", text).strip(" _.:")
    text = re.sub(r"^-1 ?\*|\* ?-1$", "-", text)
    text, words = _NEGATIVE.subn(" ", text)
    text = text.strip(" _.:")
    if text.startswith("-"):
        text, words = text[1:].strip(" _."), words + 1
    text = _PREFIX.sub("", text, count=1).strip(" _.:")
    for _ in range(2):
        text = _SUFFIX.sub("", text).strip(" _.:")
    if text.startswith("-") or text.endswith("-"):
        text, words = text.strip("-").strip(" _."), words + 1
    pair = tuple(part.strip() for part in text.split("-"))
    if len(pair) == 2:
        name = _ELECTRODES.get(pair) or _ELECTRODES.get(pair[::-1])
        turned += pair not in _ELECTRODES
    else:
        name = _BY_KEY.get(_key(text)) or _BY_KEY.get(_key(_COPY.sub("", text)))
    return None if name is None else "-" * ((turned + words) % 2) + name


def _key(text: str) -> str:
    """Without blanks, but for those between two names ("I II" is no III)."""
    return "" if re.fullmatch(r"I+[\s_.]+I+", text) else re.sub(r"[\s_.]", "", text)


def leads_of(channels: Iterable[Channel]) -> set[str]:
    """The standard leads that follow from these channels, turned or derived where need be."""
    found = {channel.lead.lstrip("-") for channel in channels if channel.lead}
    return found.union(_LIMBS) if len(found.intersection(_LIMBS)) >= 2 else found


def not_understood(labels: Iterable[str]) -> tuple[str, ...]:
    """Labels that look like leads' and mean none that is known; a longer text, which may name a person, is not told."""
    plain = (str(label).strip(" \0") for label in labels)
    return tuple(
        label
        for label in plain
        if lead_name(label) is None and _LIKE_A_LEAD.fullmatch(label.upper()) and not _OTHER.fullmatch(label.upper())
    )


def assemble(channels: Iterable[Channel]) -> tuple[FloatArray, NDArray[np.bool_], tuple[Fact, ...]]:
    """Put channels of one length into canonical order, and compare or derive what follows from others.

    Back come the leads, float32 (12, samples), mV; their mask (12,); and notes on leads that were turned, left out
    because they stand twice and differ, derived, or replaced because they contradict the others, and on labels not
    understood.
    """
    channels = tuple(channels)
    found: dict[str, NDArray] = {}
    turned, twice, unlike = [], [], []
    for channel in sorted(channels, key=lambda channel: (channel.lead or "").startswith("-")):
        if channel.lead is None:
            continue
        name, inverted = channel.lead.lstrip("-"), channel.lead.startswith("-")
        signal = np.asarray(channel.millivolts, dtype=np.float64) * (-1 if inverted else 1)
        if name not in found:
            found[name] = signal
            turned += [name] if inverted else []
        elif not _same(found[name], signal):
            unlike.append(name)
        elif not inverted:
            twice.append(name)
    mask = np.array([name in found and name not in unlike for name in LEADS])
    millivolts = np.zeros((len(LEADS), max((signal.size for signal in found.values()), default=0)))
    for row in np.flatnonzero(mask):
        millivolts[row] = found[LEADS[row]]
    limbs = slice(len(_LIMBS))
    mirrored = _mirrored(millivolts[limbs], mask[limbs])
    mask[limbs] &= ~mirrored
    derived = _derive(millivolts[limbs], mask[limbs])
    mask[limbs] |= derived
    noticed = {
        EcgNote.TURNED: [name for name in turned if name in _names(mask)],
        EcgNote.TWICE: twice,
        EcgNote.TWICE_UNLIKE: unlike,
        EcgNote.MIRRORED: _names(mirrored),
        EcgNote.DERIVED: _names(derived & ~mirrored),
    }
    notes = [Fact(code, leads=tuple(dict.fromkeys(names))) for code, names in noticed.items() if names]
    odd = not_understood(channel.label for channel in channels)[:12]
    if odd and not mask.all():
        notes.append(Fact(EcgNote.NOT_UNDERSTOOD, labels=odd))
    return millivolts.astype(np.float32), mask, tuple(notes)


def _same(one: NDArray, other: NDArray) -> bool:
    """Whether two signals of a name are one recording: alike to a tenth of its spread, offset apart."""
    both = np.isfinite(one) & np.isfinite(other)
    if not both.any():
        return True
    return _spread((one - other)[both]) <= 0.1 * max(_spread(one[both]), _spread(other[both]), 1e-9)


def _mirrored(limb: NDArray, there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which one of the six limb leads is its own mirror image by what I and II say."""
    none = np.zeros_like(there)
    if not there[:2].all() or not limb.size:
        return none
    limb = limb[:, np.isfinite(limb).all(axis=0)]
    both = (limb, _OF_ONE_AND_TWO @ limb[:2])
    stored, expected = (signals - signals.mean(axis=1, keepdims=True) for signals in both)
    size = np.linalg.norm(stored, axis=1) * np.linalg.norm(expected, axis=1)
    wrong = there & (np.sum(stored * expected, axis=1) < UPSIDE_DOWN * size)
    return wrong if wrong.sum() == 1 else none  # of several, I or II may be the wrong one


def _derive(limb: NDArray, there: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill in the limb leads that are missing, and tell which; any two of the six make I and II."""
    two = np.flatnonzero(there)[:2]
    if len(two) < 2:
        return np.zeros_like(there)
    limb[~there] = (_OF_ONE_AND_TWO @ np.linalg.solve(_OF_ONE_AND_TWO[two], limb[two]))[~there]
    return ~there


def einthoven_error(millivolts: NDArray, lead_mask: NDArray[np.bool_]) -> float | None:
    """How far I + III is from II, or an augmented lead from what I and II say, as a share of the limb leads' amplitude.

    The spread (1st to 99th percentile) of the greatest residual over the greatest spread of I, II, III, so that a
    constant offset does not count; None where I or II is missing. ``millivolts`` is (12, samples), the mask (12,).
    """
    if not lead_mask[:2].all():
        return None
    limb = np.asarray(millivolts[:6], dtype=np.float64)
    residuals = limb - _OF_ONE_AND_TWO @ limb[:2]
    there = np.asarray(lead_mask[:6])
    size = max(_spread(row) for row in limb[:3][there[:3]])
    return max(_spread(row) for row in residuals[there]) / size if size > 0 else None


def _spread(signal: NDArray) -> float:
    return float(np.ptp(np.percentile(signal, (1, 99))))


def check_rate(rate: float) -> None:
    """Raise InputError for a sampling rate that no ECG has."""
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        range_hz = f"{LOWEST_RATE:g} to {HIGHEST_RATE:g} Hz"
        raise InputError(f"The ECG's sampling rate of {rate:g} Hz is outside {range_hz}: damaged, or not an ECG.")


def check_signals(
    millivolts: NDArray, lead_mask: NDArray[np.bool_], rate: float, *, noticed: tuple[Fact, ...] = ()
) -> tuple[FloatArray, NDArray[np.bool_], tuple[Fact, ...]]:
    """Apply every gate to assembled leads: (12, samples), mV, and their mask (12,).

    ``noticed`` is what was noticed of the leads' names, told where there are too few. Back come signals (float32) and
    mask without flat and saturated leads, and notes: on these, Einthoven's law violated, arm leads perhaps swapped,
    noise. InputError for rate, length, missing values, too few leads, all flat, saturated, implausible amplitude.
    """
    check_rate(rate)
    if lead_mask.sum() < FEWEST_LEADS:
        odd = "".join(f" {words(note)}" for note in noticed if note.code is EcgNote.NOT_UNDERSTOOD)
        raise InputError(
            f"The ECG has {int(lead_mask.sum())} of the 12 standard leads (named I, II, V1 and so on); "
            f"at least {FEWEST_LEADS} are needed.{odd}"
        )
    seconds = millivolts.shape[1] / rate
    if seconds < SHORTEST_S:
        raise InputError(f"The ECG lasts {seconds:.1f} s; at least {SHORTEST_S:g} s are needed.")
    if not np.isfinite(millivolts[lead_mask]).all():
        names = ", ".join(_names(lead_mask & ~np.isfinite(millivolts).all(axis=1)))
        raise InputError(f"The ECG has missing values (NaN) in lead {names}: export the recording again.")
    # The usual swing within 2 s, which always hold a QRS: the median over windows, so that one artefact does not count.
    swing = np.median(np.ptp(_in_windows(millivolts, rate), axis=2), axis=1).astype(np.float64)
    flat = lead_mask & (swing <= FLAT_MV)
    if (flat == lead_mask).all():
        raise InputError("All ECG leads are flat: no signal was recorded.")
    usual = float(np.median(swing[lead_mask & ~flat]))
    if not SMALLEST_QRS_MV <= usual <= LARGEST_QRS_MV:
        raise InputError(
            f"ECG amplitude of {usual:.3g} mV is implausible: this looks like "
            + ("microvolts or raw counts stored as mV." if usual > LARGEST_QRS_MV else "volts stored as mV, or noise.")
        )
    flat |= lead_mask & (swing < 0.02 * usual)
    saturated = lead_mask & ~flat & _is_saturated(millivolts, rate)
    mask = lead_mask & ~flat & ~saturated
    lost = {EcgNote.FLAT: _names(flat), EcgNote.SATURATED: _names(saturated)}
    if mask.sum() < FEWEST_LEADS:
        why = "; ".join(f"{code.value}: {', '.join(leads)}" for code, leads in lost.items() if leads)
        raise InputError(f"Only {int(mask.sum())} ECG leads are usable ({why}); at least {FEWEST_LEADS} are needed.")
    cleaned = np.where(mask[:, None], millivolts, 0).astype(np.float32)
    notes = [Fact(code, leads=leads) for code, leads in lost.items() if leads]
    error = einthoven_error(cleaned, mask)
    if error is not None and error > EINTHOVEN_TOLERANCE:
        notes.append(Fact(EcgNote.LIMBS_CONTRADICT, percent=100 * error))
    if _arms_swapped(cleaned, mask, rate):
        notes.append(Fact(EcgNote.ARMS_SWAPPED))
    # Between QRS complexes an ECG is straight over 8 ms: what bends there is mains and muscle.
    noise = 1.4826 * np.median(bend(cleaned, max(1, round(0.004 * rate))), axis=1).astype(np.float64)
    noisy = mask & (noise > NOISY_MV)
    if noisy.any():
        notes.append(Fact(EcgNote.NOISY, leads=_names(noisy)))
    return cleaned, mask, tuple(notes)


def runs(where: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First sample and one past the last of every run of true ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _is_saturated(millivolts: NDArray, rate: float) -> NDArray[np.bool_]:
    """Whether a lead stands still at its greatest or least value for 20 ms or more in at least half of all seconds."""
    shortest = max(3, round(CLIPPED_RUN_S * rate))
    seconds = max(1, int(millivolts.shape[1] / rate))
    clipped = np.zeros(len(millivolts), dtype=bool)
    for row, lead in enumerate(np.asarray(millivolts)):
        still = [run for run in runs((lead == lead.max()) | (lead == lead.min())) if run[1] - run[0] >= shortest]
        struck = {second for a, b in still for second in range(int(a / rate), int((b - 1) / rate) + 1)}
        clipped[row] = np.ptp(lead) > 0 and len(struck) >= 0.5 * seconds
    return clipped


def _arms_swapped(millivolts: NDArray, lead_mask: NDArray[np.bool_], rate: float) -> bool:
    """Whether lead I points down and aVR up while V5 or V6 points up: swapped arm electrodes, or dextrocardia."""
    piece = _in_windows(millivolts, rate)
    middle = np.median(piece, axis=2)
    up = np.median(piece.max(axis=2) - middle, axis=1)
    down = np.median(middle - piece.min(axis=2), axis=1)
    pointing_up, pointing_down = _names(lead_mask & (up > 1.5 * down)), _names(lead_mask & (down > 1.5 * up))
    return "I" in pointing_down and "aVR" in pointing_up and ("V5" in pointing_up or "V6" in pointing_up)


def _in_windows(millivolts: NDArray, rate: float) -> NDArray:
    """Consecutive windows of 2 s; shape (12, windows, samples)."""
    length = min(millivolts.shape[1], round(SHORTEST_S * rate))
    count = millivolts.shape[1] // length
    return np.asarray(millivolts)[:, : count * length].reshape(len(millivolts), count, length)


def _names(rows: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(LEADS[row] for row in np.flatnonzero(rows))
