"""What is named by the usual criteria, and what is only suspected, on synthetic beats and on labelled real records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from synthetic_ecg import LAFB, LBBB, NARROW, RBBB, synthetic_ecg
from test_device_agreement import RBBB as RBBB_CODES
from test_device_agreement import SINUS_ONLY

from ScarSegECGLib.ecg.conduction import SILENT, Qrs, Wave, is_lvh
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.wfdb_record import diagnoses
from ScarSegECGLib.facts_ecg import Conduction, Hindrance
from ScarSegECGLib.network.amplitude import conduction_quality

# A slow, smooth R to the left without a notch, as a recorder's filter leaves of LBBB.
SMOOTH_LBBB = {
    "I": ((0, 150, 0.9),),
    "II": ((0, 150, 0.5),),
    "V1": ((0, 20, 0.05), (10, 150, -1.3)),
    "V2": ((0, 20, 0.08), (10, 150, -1.8)),
    "V3": ((0, 150, -1.2),),
    "V4": ((0, 150, 0.4),),
    "V5": ((0, 150, 0.9),),
    "V6": ((0, 150, 1.0),),
}
# Stimulated at the right ventricle's apex: negative in II, III, aVF and as far as V6.
APEX_PACED = SMOOTH_LBBB | {
    "I": ((0, 150, 0.6),),
    "II": ((0, 160, -1.1),),
    "V4": ((0, 160, -1.0),),
    "V5": ((0, 40, 0.2), (30, 160, -0.8)),
    "V6": ((0, 40, 0.2), (30, 160, -0.6)),
}
# Both ventricles stimulated: Q in I, R in V1, the axis to the upper right.
BOTH_PACED = SMOOTH_LBBB | {
    "I": ((0, 150, -0.9),),
    "II": ((0, 150, -0.8),),
    "V1": ((0, 150, 0.8),),
    "V6": ((0, 40, 0.2), (30, 150, -0.6)),
}
# A delta wave: every lead begins slowly, 50 ms before the QRS proper.
DELTA = {
    lead: ((-50, 40, 0.25 * np.sign(sum((b - a) * h for a, b, h in parts))), *parts) for lead, parts in NARROW.items()
}
UPWARD = NARROW | {"I": ((0, 100, -0.4),), "II": ((0, 100, -1.2),)}


def conduction(shape, **kept) -> Conduction:
    female = kept.pop("female", None)
    return median_beat(synthetic_ecg(shape, noise_mv=0.005, **kept)[0], female=female).features.conduction


@pytest.mark.parametrize(
    ("shape", "kept", "found"),
    [
        (NARROW, {}, Conduction.NORMAL),
        (LBBB, {}, Conduction.LBBB),
        (RBBB, {}, Conduction.RBBB),
        (LAFB, {}, Conduction.LAFB),
        ({k: tuple((a * 0.85, b * 0.85, h) for a, b, h in v) for k, v in LBBB.items()}, {"female": False},
         Conduction.LBBB_USUAL),
        (APEX_PACED, {}, Conduction.PACED_SUSPECTED),
        (APEX_PACED, {"p_wave": False}, Conduction.PACED_SUSPECTED),
        (BOTH_PACED, {}, Conduction.PACED_SUSPECTED),
        (DELTA, {}, Conduction.PREEXCITED_SUSPECTED),
        (UPWARD, {"bpm": 145.0, "p_wave": False}, Conduction.TACHYCARDIA),
        (RBBB, {"bpm": 140.0, "p_wave": False, "st_ms": 20.0}, Conduction.TACHYCARDIA),
        (NARROW, {"bpm": 140.0, "p_wave": False, "st_ms": 20.0}, Conduction.NORMAL),
    ],
)  # fmt: skip
def test_synthetic_shapes(shape, kept, found) -> None:
    assert conduction(shape, **kept) == found


def test_lbbb_without_its_notch_is_named() -> None:
    assert conduction(SMOOTH_LBBB) in (Conduction.LBBB, Conduction.LBBB_USUAL)


@pytest.mark.parametrize(
    ("shape", "kept", "quality", "why"),
    [
        (LBBB, {}, 0.3, Hindrance.LBBB),
        (APEX_PACED, {}, 0.0, Hindrance.PACED_SUSPECTED),
        (DELTA, {}, 0.0, Hindrance.PREEXCITED),
        (UPWARD, {"bpm": 145.0, "p_wave": False}, 0.0, Hindrance.TACHYCARDIA),
    ],
)
def test_what_is_suspected_counts_as_if_it_were_so(shape, kept, quality, why) -> None:
    found = conduction_quality(median_beat(synthetic_ecg(shape, noise_mv=0.005, **kept)[0]).features)
    assert found[0] == quality and found[1].code is why


def labelled(folder: Path, *, even: bool) -> dict[str, tuple[frozenset[str], Conduction]]:
    """Codes and class of the records of even or odd number; the limits were looked at on even ones."""
    return {
        header.stem: (diagnoses(header.read_text("latin-1")), median_beat(read_ecg(header)).features.conduction)
        for header in sorted((folder / "ecg" / "cinc2021").glob("*.hea"))
        if (int(header.stem[-1]) % 2 == 0) is even
    }


@pytest.mark.parametrize("even", [True, False])
def test_labelled_records(shared_data, even) -> None:
    """Without RBBB in the labels no record is suspected of anything or wide; the RBBB of either half is named."""
    records = labelled(shared_data, even=even)
    assert len(records) == 25
    free = [kind for codes, kind in records.values() if not codes & RBBB_CODES]
    assert len(free) == 24 and not set(free) & SILENT
    sinus = [kind for codes, kind in records.values() if codes <= SINUS_ONLY]
    assert len(sinus) >= 7 and set(sinus) <= {Conduction.NORMAL, Conduction.LVH}
    assert [kind for codes, kind in records.values() if codes & RBBB_CODES] == [Conduction.RBBB]


def test_right_bundle_branch_block_with_an_upper_right_axis_is_not_taken_for_pacing(shared_data) -> None:
    """PTB's s0010_re, an inferolateral infarct: rsR' in V1, a wide S in I, a P wave before each QRS."""
    beat = median_beat(read_ecg(shared_data / "ecg" / "ptb" / "s0010_re.hea"))
    assert beat.features.conduction is Conduction.RBBB and beat.features.axis_deg <= -90


def test_codes_of_a_header() -> None:
    assert diagnoses("rec 12 500\n# Dx: 426783006, 10370003\n# Age: 60\n") == {"426783006", "10370003"}
    assert diagnoses("") == frozenset()


def test_an_upright_lead_has_no_depth_and_takes_nothing_from_the_voltage() -> None:
    tall, upright = (Wave(2.9, 60.0, 120),), (Wave(0.5, 60.0, 120),)
    waves = {"aVL": tall, "V3": upright}
    qrs = Qrs(np.zeros((12, 300)), np.ones(12, bool), waves, ms=90.0, offset=145, axis_deg=None, female=False)
    assert qrs.depth("V3") == 0 and qrs.depth("V1") == 0
    assert is_lvh(qrs)
