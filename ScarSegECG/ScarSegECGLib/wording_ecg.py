"""What is said of an ECG: of its file, its Q waves and its QRS score. Part of :mod:`ScarSegECGLib.wording`."""

from __future__ import annotations

from ScarSegECGLib.facts import Code
from ScarSegECGLib.facts_ecg import EcgNote, QWaveRemark, ScoreRemark

ECG_TEXTS: dict[Code, str] = {
    QWaveRemark.SILENT: "not judged: {conduction}",
    ScoreRemark.SILENT: "The QRS score for normal conduction does not hold: {conduction}.",
    QWaveRemark.R_WAVE: "R wave counted, T wave not judged",
    QWaveRemark.LVH: "LVH voltage: Q waves are weak evidence",
    ScoreRemark.FAST: "The QRS score does not hold at 150 beats per minute or more.",
    EcgNote.CUT: "Only the first {seconds:g} s were read.",
    EcgNote.SEVERAL_PARTS: "Of {parts} recordings in the file, the one with most of the 12 leads was read.",
    EcgNote.SKEW: "Leads stored up to {ms:.0f} ms apart were laid over each other.",
    EcgNote.WINDOW: "Of {stored:.1f} s those {used:.1f} s were used in which all leads exist.",
    EcgNote.PARTIAL: "Recorded for a part of the time only and left out: {leads}.",
    EcgNote.PULSE_CUT: "A calibration pulse of {mv:.2g} mV was cut off, with what lies beyond {seconds:g} s.",
    EcgNote.PULSE_UNUSUAL: "The calibration pulse measures {mv:.2g} mV, not 1 mV: amplitudes may be wrong.",
    EcgNote.TURNED: "Stored inverted, and turned: {leads}.",
    EcgNote.TWICE: "Stored twice, with the same signal: {leads}.",
    EcgNote.TWICE_UNLIKE: "Stored twice with different signals, and left out: {leads}.",
    EcgNote.MIRRORED: "Upside down by what leads I and II say, and derived from these: {leads}.",
    EcgNote.DERIVED: "Derived from the recorded limb leads: {leads}.",
    EcgNote.NOT_UNDERSTOOD: "Labels of leads that were not understood: {labels}.",
    EcgNote.FLAT: "Flat, and left out: {leads}.",
    EcgNote.SATURATED: "Saturated (clipped), and left out: {leads}.",
    EcgNote.LIMBS_CONTRADICT: "The limb leads contradict each other by {percent:.0f} %: they may be mislabelled.",
    EcgNote.ARMS_SWAPPED: "Lead I is inverted and aVR upright: the arm electrodes may have been swapped.",
    EcgNote.NOISY: "Noisy: {leads}.",
    EcgNote.DATE_UNREADABLE: "The date in the ECG file is not understood: the ECG's date is unknown.",
    EcgNote.DATES_DIFFER: "The ECG file gives two dates that differ: the ECG's date is not trusted.",
    EcgNote.DATE_PLACEHOLDER: "The stored date {date} stands for a missing one.",
    EcgNote.SIMULATED: "Simulated ECG: computed from a known scar, not recorded from a person.",
}
