"""The sentence of every fact, with the places of its numbers, and of its parts that are not always said, in braces.
Part of :mod:`ScarSegECGLib.wording`."""

from __future__ import annotations

from ScarSegECGLib.facts import AnatomyNote, Code, ConfidenceReason, Doubt, LgeNote, NoHeart, PartsRemark, ScarRemark
from ScarSegECGLib.facts_ecg import AgreementReason, EcgNote, EcgReason, GapProblem, Hindrance, QWaveRemark, ScoreRemark

_UNORIENTED = (
    "The file has no orientation: first slice = apex, right ventricle on the image left and anterior wall up are assumed. "
    "Check this before using segment numbers."
)
_UNMARKED = "The files do not say whether the images are magnitude or PSIR"

TEXTS: dict[Code, str] = {
    # what is said of an ECG: of its file, its Q waves and its QRS score
    QWaveRemark.SILENT: "not judged: {conduction}",
    ScoreRemark.SILENT: "The QRS score for normal conduction does not hold: {conduction}.",
    QWaveRemark.R_WAVE: "a tall R in V1 or V2 counts as one: posterior infarct or RV hypertrophy; T wave not judged",
    QWaveRemark.LVH: "LVH voltage: Q waves are weak evidence",
    ScoreRemark.WEAKENED: "{weakened}",
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
    EcgNote.ARMS_SWAPPED: "Lead I is inverted and aVR upright: the arm electrodes may have been swapped, or the axis points far to the right.",
    EcgNote.NOISY: "Noisy: {leads}.",
    EcgNote.DATE_UNREADABLE: "The date in the ECG file is not understood: the ECG's date is unknown.",
    EcgNote.DATES_DIFFER: "The ECG file gives two dates that differ: the ECG's date is not trusted.",
    EcgNote.DATE_PLACEHOLDER: "The stored date {date} stands for a missing one.",
    EcgNote.SIMULATED: "Simulated ECG: computed from a known scar, not recorded from a person.",
    # time between ECG and MRI
    GapProblem.NO_ECG_DATE: "ECG date missing",
    GapProblem.NO_MRI_DATE: "MRI date missing",
    GapProblem.NO_DATES: "ECG and MRI date missing",
    GapProblem.ECG_DATE_NOT_TRUSTED: "the ECG's dates were removed or modified",
    GapProblem.ECG_IN_FUTURE: "the ECG date lies in the future",
    GapProblem.MRI_IN_FUTURE: "the MRI date lies in the future",
    GapProblem.TOO_FAR_APART: "ECG and MRI are over 20 years apart",
    # why the ECG counted or not
    EcgReason.USED: "ECG {when} from MRI used with weight {weight:.2f}",
    EcgReason.TOO_FAR: "ECG {when} from MRI: not used",
    EcgReason.DATE_UNKNOWN: "{problem}: reduced weight",
    EcgReason.LATER_THAN_MRI: "ECG later than MRI: may show newer disease",
    EcgReason.COUNTS_LESS: "ECG counts less: {why}",
    EcgReason.NOT_GIVEN: "ECG not used: no ECG was given",
    EcgReason.SWITCHED_OFF: "ECG not used: it was switched off",
    EcgReason.UNREADABLE: "ECG not used: {error}",
    EcgReason.FEW_LEADS: "ECG not used: only {leads} leads, at least {needed} are needed",
    EcgReason.EVENT_BETWEEN: "ECG not used: Event between ECG and MRI",
    EcgReason.CHECK_DATES: "ECG not used: Check dates, {problem}",
    EcgReason.NO_AHA: "ECG not used: AHA prior unavailable",
    EcgReason.UNTRAINED: "ECG not used: the ECG network of these weights is not trained; the result is image only",
    EcgReason.RULE: "ECG not used: method {source} looks at the image alone",
    EcgReason.HINDERED: "ECG not used: {why}",
    Hindrance.PACED: "paced rhythm hides infarction",
    Hindrance.FAST: "rate {rate:.0f}/min is too fast to read infarction",
    Hindrance.PREEXCITED: "PR {pr:.0f} ms with QRS {qrs:.0f} ms: pre-excitation is suspected",
    Hindrance.LBBB: "left bundle branch block hides infarction",
    Hindrance.LBBB_USUAL: "left bundle branch block by the usual criteria hides infarction",
    Hindrance.PACED_SUSPECTED: "paced rhythm is suspected, which hides infarction",
    Hindrance.TACHYCARDIA: "rate {rate:.0f}/min with a wide QRS or a superior axis may be ventricular",
    Hindrance.WIDE: "QRS {qrs:.0f} ms of no known pattern may hide or imitate infarction",
    Hindrance.NOT_MEASURED: "a QRS that could not be measured may hide or imitate infarction",
    # ECG against image
    AgreementReason.NOT_IMAGED: "segment not imaged",
    AgreementReason.ECG_NOT_USED: "{use}",
    AgreementReason.SILENT: "infarct signs may be hidden or imitated; conduction: {conduction}",
    AgreementReason.NO_ESTIMATE: "no ECG estimate for this segment",
    AgreementReason.POOR_WALL: "the ECG localises scar poorly in this wall{figures}{caution}",
    AgreementReason.NONE_ON_EITHER: "less than 10 % scar on the image, and nothing above the ECG's normal limit{figures}{caution}",
    AgreementReason.ON_BOTH: "scar on both{figures}{caution}",
    AgreementReason.EXTENTS_DIFFER: "scar on both, but of very different extent{figures}{caution}",
    AgreementReason.ECG_ALONE: "the ECG suggests scar that the image does not show{figures}{caution}",
    AgreementReason.TOO_SMALL: "scar below the ECG's normal limit here may leave no sign in it{figures}{caution}",
    AgreementReason.IMAGE_ALONE: "the image shows scar without ECG sign{figures}; a normal ECG does not rule it "
    "out{caution}",
    # images
    LgeNote.CONTRAST_UNMARKED: f"{_UNMARKED}: taken for magnitude; say which they are if not.",
    LgeNote.ORIENTATION_ASSUMED: _UNORIENTED,
    LgeNote.SLICE_AXIS_UNCLEAR: "The slice direction is not clear from the voxel sizes: the axis nearest the usual long axis was taken.",
    LgeNote.POSE_DOUBTFUL: "The header's slice direction, {angle:.0f} degrees from usual short-axis slices, may not be "
    "the true pose: check that the right ventricle is on the image left and the anterior wall up.",
    LgeNote.SCALE_DIFFERS: "The voxel size in the orientation matrix (sform) differs from the one in pixdim: pixdim's "
    "was used. Check the lengths if the file came from another tool.",
    LgeNote.FORMS_DISAGREE: "The file says in two ways how it lies in the patient, and they do not agree (sform and qform, "
    "{axes:.0f} degrees and {offset:.0f} mm apart): the sform was used. If it is the wrong one the heart is mirrored, "
    "turned or shifted: check where the right ventricle and the anterior wall lie.",
    LgeNote.CONTRAST_FROM_VALUES: f"{_UNMARKED}: taken for PSIR, as {{percent:.0f}} % of the pixels are negative.",
    LgeNote.CONTRAST_DISPUTED: "The header says magnitude, but {percent:.0f} % of the pixels are negative, as in PSIR: "
    "taken for magnitude; say which they are if not.",
    LgeNote.DECIMAL_COMMAS: "Decimal commas in the DICOM header, which the standard forbids, were read as points.",
    LgeNote.LABELS_BY_NAME: "The labels were read by the names of their segments: {meant}.",
    LgeNote.LABELS_ODD: "The labels, as they were read, do not look like a left ventricle ({why}): check what the values "
    "mean (--label-map says it).",
    NoHeart.NO_RING: "there is no cavity with myocardium",
    NoHeart.MOSTLY_SCAR: "most of the wall would be scar",
    NoHeart.OPEN_CAVITY: "the myocardium does not enclose the cavity",
    NoHeart.MIDDLE_NOT_CAVITY: "the middle of the ventricle would not be cavity",
    NoHeart.SCAR_OUTSIDE: "the scar would lie outside the wall",
    LgeNote.DATES_REMOVED: "The image's dates were removed or modified by de-identification: they were not used.",
    LgeNote.DATE_IMPLAUSIBLE: "The image's date is not plausible: it was not used.",
    LgeNote.DATES_DISAGREE: "The image's two acquisition dates differ: the one with the time was used; check the MRI date.",
    LgeNote.TAKEN: "Taken from the study: {name} of {sets} sets of images ({taken_for}, {kind}, {slices} slices{alone})"
    ".{also}",
    LgeNote.TAKEN_AS_ASKED: "Taken from the study: {name}, as asked for, although it was taken for {taken_for}.",
    LgeNote.SHIFTS_CORRECTED: "Slices were moved in line before measuring: displaced against the others, counted from "
    "the apex: {displaced}; results lie on the images as acquired.",
    LgeNote.NO_SHIFTS: "Slices displaced between breath-holds were looked for: none displaced, none moved.",
    LgeNote.SIMULATED: "Phantom: a made-up image, not acquired from a person.",
    LgeNote.DEGRADED: "Image quality was taken away on purpose: contrast, noise, blur, motion, perhaps a missing slice.",
    # division
    AnatomyNote.NO_LV: "No left ventricle with cavity and myocardium: there is no AHA partition.",
    AnatomyNote.ORIENTATION_ASSUMED: _UNORIENTED,
    AnatomyNote.NOT_SURROUNDED: "No slice has myocardium all around: thirds are taken over all slices with a cavity.",
    AnatomyNote.FEW_SLICES: "Only {count} slice(s) between apex and base: not every third is imaged.",
    AnatomyNote.NO_APEX: "Segment 17 is not shown: no slice of wall alone at the apex.",
    AnatomyNote.OFF_AXIS: "Slices off the straight long axis, counted from the apex: {slices} (by up to {most:.0f} mm).",
    AnatomyNote.INSERTIONS_GIVEN: "RV insertions given by the reader are used{alone}{where}.",
    AnatomyNote.INSERTIONS_UNCERTAIN: "RV insertions are uncertain{where} check them on the image.",
    AnatomyNote.INSERTIONS_UNUSED: "Given RV insertions are not used on slices without a contour of the LV, counted from "
    "the apex: {slices}; check the numbers.",
    AnatomyNote.INSERTIONS_DISPUTED: "RV insertions are uncertain on slices, counted from the apex: {slices}; those "
    "given lie over {degrees:.0f} degrees from where the image shows them. They are used there and turn no other "
    "slice: check them.",
    # contours, thresholds, scar
    Doubt.DIFFERENT_PATIENTS: "ECG and MRI carry different patient identifiers: make sure that both are of one patient.",
    Doubt.NO_ORIENTATION: _UNORIENTED,
    Doubt.CONTRAST_UNKNOWN: f"{_UNMARKED}: choose the contrast.",
    Doubt.SLICES_DISPLACED: "Slices displaced against the others, counted from the apex: {displaced}; correcting slice "
    "shifts (--correct-shifts) puts them in line.",
    Doubt.WIDER_APEX: "The cavity is larger at the apical end: check that the slices run from apex to base.",
    Doubt.UNUSUAL_SCAR: "{count} {pattern} scar island(s), {ml:.1f} ml: {remark}.",
    Doubt.THRESHOLD_LOW: "The threshold lies within healthy myocardium ({why}): check contrast and remote region.",
    Doubt.FWHM_REGION_LENT: "The region of FWHM lies in {held} of {shown} slices: the other {lent} take its pooled "
    "maximum, which is right only where all slices share one intensity scale.",
    Doubt.REMOTE_ENHANCED: "The remote region ({region}) does not look like healthy myocardium: its mean is {mean:.4g} "
    "and its SD {sd:.3g}, those of the darkest 60 degrees of the same slices {dark_mean:.4g} and {dark_sd:.3g} (mean "
    "{above:.1f} SD higher, SD {wider:.1f} times as large, median of {slices} slices). Scar in it hides scar elsewhere: "
    "choose myocardium without enhancement.",
    Doubt.REMOTE_LENT: "The remote region ({region}) lies in {held} of {shown} slices: the other {lent} are judged by "
    "its pooled mean and SD, right only where all slices share one intensity scale (the darkest sectors' means run from "
    "{low:.4g} to {high:.4g}).",
    Doubt.REMOTE_IN_SCAR: "{percent:.0f} % of the remote region ({region}) is scar: what rests on it (core, grey zone, MVO, "
    "some rules) is unsure; measure with remote myocardium without scar.",
    Doubt.MAY_BE_NO_SCAR: "The whole scar ({ml:.1f} ml) lies within what these networks found in hearts without infarct, "
    "up to {most:.1f} ml in {without} cross-validated patients; {as_little} of {infarct} patients with infarct had no "
    "more. It may be no scar: look at the images.",
    Doubt.FROM_NO_SCAR_ON: "The interval round the scar's {ml:.1f} ml begins at 0 and ends at {high:.1f} ml: it may be no "
    "scar. Look at the images.",
    ScarRemark.NON_ISCHAEMIC: "non-ischaemic pattern or false positive",
    ScarRemark.FULLER_OUTSIDE: "fuller outside than inside, which is no ischaemic wavefront",
    ScarRemark.OFF_ENDOCARDIUM: "nowhere touches the endocardium: non-ischaemic pattern or false positive",
    PartsRemark.CONTRAST_UNKNOWN: "core and grey zone not told apart: magnitude or PSIR is unknown, choose the contrast",
    PartsRemark.NO_ROOM: "grey zone not determinable (half maximum below the lower limit) in {lost} of {among} slices "
    "with scar",
    # how far a result can be relied on
    ConfidenceReason.NETWORKS_DISAGREE: "two looks at the same images differ by {ml:.1f} ml of scar",
    ConfidenceReason.BORDERS_UNCERTAIN: "the borders of the wall are hard to see",
    ConfidenceReason.WIDE_INTERVAL: "the scar's volume is uncertain, {low:.1f} to {high:.1f} ml",
    ConfidenceReason.ANATOMY_IMPLAUSIBLE: "a left ventricle of {ml:.0f} ml, wall and cavity, is not plausible",
    ConfidenceReason.LITTLE_SCAR: "{ml:.1f} ml of scar is below what the tool can tell from none",
}
