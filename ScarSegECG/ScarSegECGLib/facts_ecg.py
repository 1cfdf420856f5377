"""Facts of the ECG: what it shows, what was noticed in reading it, and why it counts or not."""

from __future__ import annotations

from ScarSegECGLib.facts import Code, Word


class Conduction(Word):
    """Class of an ECG's conduction; "normal" means no complete block, LAFB, pacing or LVH voltage, no normal ECG. LBBB
    is that of the strict criteria, LBBB_USUAL what only the usual ones call so."""

    NORMAL = "normal"
    RBBB = "rbbb"
    LBBB = "lbbb"
    LBBB_USUAL = "lbbb_usual"
    LAFB = "lafb"
    LVH = "lvh"
    PACED = "paced"
    PACED_SUSPECTED = "paced_suspected"
    PREEXCITED_SUSPECTED = "preexcited_suspected"
    TACHYCARDIA = "tachycardia"
    UNKNOWN = "unknown"


class Agreement(Word):
    """The ECG held against the image in one segment."""

    AGREE = "agree"
    DISAGREE = "disagree"
    CANNOT_TELL = "ecg cannot tell"


class GapProblem(Code):
    """Why the time between ECG and MRI is not known, or cannot be."""

    NO_ECG_DATE = "no_ecg_date"
    NO_MRI_DATE = "no_mri_date"
    NO_DATES = "no_dates"
    ECG_DATE_NOT_TRUSTED = "ecg_date_not_trusted"
    ECG_IN_FUTURE = "ecg_in_future"
    MRI_IN_FUTURE = "mri_in_future"
    TOO_FAR_APART = "too_far_apart"


class EcgReason(Code):
    """Why the ECG counted or not; parameters in brackets."""

    USED = "used"  # (days or None, weight)
    DATE_UNKNOWN = "date_unknown"  # (problem): counts less
    LATER_THAN_MRI = "later_than_mri"
    COUNTS_LESS = "counts_less"  # (why: a Fact of Hindrance)
    NOT_GIVEN = "not_given"
    SWITCHED_OFF = "switched_off"
    UNREADABLE = "unreadable"  # (error)
    FEW_LEADS = "few_leads"  # (leads, needed)
    EVENT_BETWEEN = "event_between"
    CHECK_DATES = "check_dates"  # (problem)
    NO_AHA = "no_aha"
    UNTRAINED = "untrained"
    RULE = "rule"  # (source): a threshold rule looks at the image alone
    HINDERED = "hindered"  # (why)
    TOO_FAR = "too_far"  # (days or None)


class Hindrance(Code):
    """What keeps an ECG from showing infarction."""

    PACED = "paced"
    PACED_SUSPECTED = "paced_suspected"
    FAST = "fast"  # (rate)
    TACHYCARDIA = "tachycardia"  # (rate)
    PREEXCITED = "preexcited"  # (pr, qrs)
    LBBB = "lbbb"
    LBBB_USUAL = "lbbb_usual"
    WIDE = "wide"  # (qrs)
    NOT_MEASURED = "not_measured"


class QWaveRemark(Code):
    """Why Q waves were not judged, or what weakens them."""

    SILENT = "silent"  # (conduction)
    R_WAVE = "r_wave"
    LVH = "lvh"


class ScoreRemark(Code):
    """Why the QRS score does not hold, or what weakens it."""

    SILENT = "silent"  # (conduction)
    FAST = "fast"
    WEAKENED = "weakened"  # (conduction or None, missing: leads)


class AgreementReason(Code):
    """Why the ECG agrees with the image or not; where weighed, with image and ecg (%) and caution (a Conduction)."""

    NOT_IMAGED = "not_imaged"
    ECG_NOT_USED = "ecg_not_used"  # (use: tuple of Facts)
    SILENT = "silent"  # (conduction)
    NO_ESTIMATE = "no_estimate"
    POOR_WALL = "poor_wall"
    NONE_ON_EITHER = "none_on_either"
    ON_BOTH = "on_both"
    EXTENTS_DIFFER = "extents_differ"
    ECG_ALONE = "ecg_alone"
    TOO_SMALL = "too_small"
    IMAGE_ALONE = "image_alone"


class EcgNote(Code):
    """What was assumed or noticed while reading an ECG; ``leads`` and ``labels`` are tuples of text."""

    CUT = "cut"  # (seconds): the first so many were read
    SEVERAL_PARTS = "several_parts"  # (parts)
    SKEW = "skew"  # (ms)
    WINDOW = "window"  # (stored, used): seconds
    PARTIAL = "partial"  # (leads)
    PULSE_CUT = "pulse_cut"  # (mv, seconds)
    PULSE_UNUSUAL = "pulse_unusual"  # (mv)
    TURNED = "turned"  # (leads): stored inverted
    TWICE = "twice"  # (leads): alike
    TWICE_UNLIKE = "twice_unlike"  # (leads): left out
    MIRRORED = "mirrored"  # (leads): upside down by what I and II say, derived instead
    DERIVED = "derived"  # (leads)
    NOT_UNDERSTOOD = "not_understood"  # (labels)
    FLAT = "flat"  # (leads)
    SATURATED = "saturated"  # (leads)
    LIMBS_CONTRADICT = "limbs_contradict"  # (percent)
    ARMS_SWAPPED = "arms_swapped"
    NOISY = "noisy"  # (leads)
    DATE_UNREADABLE = "date_unreadable"
    DATES_DIFFER = "dates_differ"
    DATE_PLACEHOLDER = "date_placeholder"  # (date)
    SIMULATED = "simulated"
