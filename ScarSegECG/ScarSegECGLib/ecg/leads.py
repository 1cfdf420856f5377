"""Lead names, their order, and the limb leads that follow from two others."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import LEADS, FloatArray

# Electrode noise and rounding stay well under this share of the limb leads' amplitude.
EINTHOVEN_TOLERANCE = 0.15

_BY_KEY = {name.upper(): name for name in LEADS} | {f"C{n}": f"V{n}" for n in range(1, 7)}
LONGEST_LABEL = 64
_PREFIX = re.compile(r"^(MDC[_ ]?)?(E[CK]G[_ :]?)?(LEAD[_ :]?|CHANNEL[_ :]?)?")

# Each limb lead as (lead, weight) pairs, from any two of I, II, III.
_EINTHOVEN = {"I": ("II", "III"), "II": ("I", "III"), "III": ("I", "II")}
_AUGMENTED = {"aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}


def canonical_name(label: str) -> str | None:
    """The lead's name as in :data:`ScarSegECGLib.case.LEADS`, or None where the label is no standard lead.

    Case, spaces, a leading "Lead" or "MDC_ECG_LEAD_" and a remark in brackets do not matter:
    "Lead I (Einthoven)", "i", "MDC_ECG_LEAD_I" are all "I". The IEC names C1-C6 are V1-V6.
    """
    label = str(label)
    if len(label) > LONGEST_LABEL:
        return None
    text = re.sub(r"\(.*?\)", "", label).replace("\0", "").strip().upper()
    if text.startswith("-"):  # an inverted lead, such as -aVR of the Cabrera order, is another lead
        return None
    text = _PREFIX.sub("", text.replace("-", "_"), count=1)
    return _BY_KEY.get(re.sub(r"[\s_.]", "", text))


def assemble(signals: Mapping[str, NDArray]) -> tuple[FloatArray, NDArray[np.bool_], tuple[str, ...]]:
    """Put named signals into canonical order and derive the limb leads that are missing.

    Parameters
    ----------
    signals : mapping of label to array, shape (samples,)
        mV, all of one length; labels as the file spells them, others than the 12 leads are ignored. Where a
        label occurs in two spellings the first counts.

    Returns
    -------
    millivolts : float32 array, shape (12, samples)
    lead_mask : bool array, shape (12,)
    notes : tuple of str
        Which leads were derived. Einthoven: II = I + III. Goldberger: aVR = -(I + II)/2, aVL = I - II/2,
        aVF = II - I/2.
    """
    found: dict[str, NDArray] = {}
    for label, signal in signals.items():
        name = canonical_name(label)
        if name is not None and name not in found:
            found[name] = np.asarray(signal, dtype=np.float64)
    derived = []
    for name, (first, second) in _EINTHOVEN.items():
        if name not in found and first in found and second in found:
            found[name] = _from_einthoven(name, found[first], found[second])
            derived.append(name)
    for name, (of_i, of_ii) in _AUGMENTED.items():
        if name not in found and "I" in found and "II" in found:
            found[name] = of_i * found["I"] + of_ii * found["II"]
            derived.append(name)
    samples = max((signal.size for signal in found.values()), default=0)
    millivolts = np.zeros((len(LEADS), samples), dtype=np.float32)
    mask = np.zeros(len(LEADS), dtype=bool)
    for row, name in enumerate(LEADS):
        if name in found:
            millivolts[row] = found[name]
            mask[row] = True
    notes = (f"Leads {', '.join(derived)} were derived from the recorded limb leads.",) if derived else ()
    return millivolts, mask, notes


def _from_einthoven(name: str, first: NDArray, second: NDArray) -> NDArray:
    """I = II - III, II = I + III, III = II - I."""
    if name == "II":
        return first + second
    return first - second if name == "I" else second - first


def einthoven_error(millivolts: NDArray, lead_mask: NDArray[np.bool_]) -> float | None:
    """How far I + III is from II, as a share of the limb leads' amplitude; None where one is missing.

    The spread (1st to 99th percentile) of the residual over the greatest spread of the three leads, so that a constant
    offset does not count.

    Parameters
    ----------
    millivolts : array, shape (12, samples)
    lead_mask : bool array, shape (12,)
    """
    if not lead_mask[:3].all():
        return None
    one, two, three = np.asarray(millivolts[:3], dtype=np.float64)

    def spread(signal: NDArray) -> float:
        low, high = np.percentile(signal, (1, 99))
        return float(high - low)

    size = max(spread(one), spread(two), spread(three))
    return spread(one + three - two) / size if size > 0 else None
