"""A result as it is told to people: headline, sections and tables, made once and rendered by page, print and panel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timezone

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, ScarResult, TimeGap
from ScarSegECGLib.facts import LgeNote, Shown
from ScarSegECGLib.report import tables
from ScarSegECGLib.report.accuracy import accuracy_line, doubt_of
from ScarSegECGLib.report.blocks import Items, Patient, Picture, Report, Section, Table, Text
from ScarSegECGLib.report.captions import LEAST_MVO_ML
from ScarSegECGLib.report.plain import number, without_paths
from ScarSegECGLib.report.tables import added_ml, burdens, sentence
from ScarSegECGLib.wording import ECG_IS_NO_FINDING, RESEARCH_USE, Translate, agreement_reason, all_words, words

TITLE = "ScarSegECG: myocardial scar in LGE MRI"
ECG_SCALE = (
    "Fitted to this page, not 25 mm/s and 10 mm/mV: count squares, 0.04 s and 0.1 mV each. The file ecg.png is to "
    "scale when printed at 100 %."
)
LIMITS = (
    "The network's segmentation has to be checked by a reader against the images before anything rests on it.",
    "The method re-implements a published idea from its abstract; the published accuracy does not apply here. What "
    "the network was trained and tested on, and with what result, is in the card shipped with its weights.",
    f"{ECG_IS_NO_FINDING} It may add scar to what the image shows and never removes any. How fast its weight falls "
    "with time is this project's own choice, not taken from follow-up studies.",
    "A human reader of the ECG localises anterior and septal infarcts well, inferior, lateral and apical ones poorly, "
    "and none in left bundle branch block or paced rhythm.",
    "The networks learned from acute infarcts, which begin at the endocardium: epicardial and mid-wall scar, as after "
    "myocarditis, can be missed.",
    "Coronary territories are the usual ones; about a quarter of infarcted segments disagree.",
    "Volumes hold for the imaged slices alone; thick slices blur small scars and the apex. The cavity's volume is that "
    "of the LGE images' heart phase, not the end-diastolic one. MVO is underestimated by about half.",
)


def present(
    result: ScarResult,
    pictures: Mapping[str, bytes],
    created: datetime,
    *,
    patient: Patient | None = None,
    signed_by: str | None = None,
) -> Report:
    """Tell a result at a time, which has its zone; the rest is as :class:`~ScarSegECGLib.report.blocks.Report` has it.

    ``pictures`` are "bullseye.png", "montage.png", "transmurality.png", "ecg.png"; the report says which is absent.
    """

    def picture(key: str, description: str) -> tuple[Picture | Text]:
        png = pictures.get(f"{key}.png")
        return (Text(f"{description}: no picture was made.", "absent") if png is None else Picture(png, description),)

    more = {
        "What the scar is made of": tables.parts_table(result),
        "Usual coronary territories": tables.territories_table(result),
        "Where in the wall the scar lies": tables.patterns_table(result),
    }
    notes = (*result.stack.notes, *(result.ecg.notes if result.ecg else ()), *result.anatomy.notes)
    ecg: tuple[Text | Picture, ...] = (Text("No ECG: the result rests on the images alone."),)
    if result.ecg is not None:
        scale = [Text(ECG_SCALE, "small")] if "ecg.png" in pictures else []
        ecg = *picture("ecg", "ECG of the patient"), *scale
    sections = (
        Section("burden", "Scar burden", (*_burden(result),)),
        Section("bullseye", "Bullseye", picture("bullseye", "AHA bullseye of the scar")),
        Section("used", "What was used", (_items(_used(result)),)),
        *([Section("warnings", "Warnings", (_items(all_words(result.warnings)),))] if result.warnings else []),
        Section("ecg", "ECG", ecg),
        Section("segments", "AHA segments", (tables.segments_table(result), _items(_reasons(result), small=True))),
        *(Section("table", title, (table,)) for title, table in more.items() if table is not None),
        Section("montage", "LGE images with the segmentation", picture("montage", "LGE slices with the segmentation")),
        Section("transmurality", "Transmurality", picture("transmurality", "AHA bullseye of the mean transmurality")),
        Section("limits", "Limits", (Items(LIMITS, small=True),)),
        *([Section("notes", "Notes", (_items(all_words(notes), small=True),))] if notes else []),
        Section("versions", "Versions and hashes", (_items(_versions(result, created), small=True),)),
    )
    return Report(TITLE, RESEARCH_USE, sections, patient, signed_by)


def _items(sentences: Iterable[str], *, small: bool = False) -> Items:
    return Items(tuple(map(without_paths, sentences)), small)


def headline(result: ScarResult) -> str:
    """The figure that everything else explains, with its interval and what speaks for or against it, in a line."""
    (name, scar), *_ = burdens(result)
    judged = map(words, (result.interval, result.confidence))
    return without_paths("; ".join(filter(None, (f"{name}: {words(scar)}", *judged))))


def result_lines(result: ScarResult, tr: Translate = str) -> tuple[str, ...]:
    """A result in three lines: the scar and how sure it is, how it was found, and how the ECG counted."""
    scar = [tr("scar {burden}, images alone").format(burden=words(result.scar_image_only, tr))]
    if result.shown is not Shown.IMAGE_ONLY:
        scar.append(f"{words(result.scar, tr)} {words(result.shown, tr)}")
    scar += all_words((result.interval, result.confidence, doubt_of(result)), tr)
    how = f"{words(result.method, tr)}; AHA: {words(result.anatomy.division, tr)}"
    return "; ".join(filter(None, scar)), how, words(result.ecg_use, tr)


def summary(result: ScarResult) -> tuple[str, ...]:
    """A result in a few lines, for a terminal: the headline first."""
    lines = [f"scar: {headline(result)}"]
    if doubt := doubt_of(result):
        lines.append(words(doubt))
    if result.shown is Shown.WITH_ECG:
        lines.append(f"{words(result.shown)}: {words(result.scar)}; {number(added_ml(result), 1)} ml added")
    if result.mvo and result.mvo.ml >= LEAST_MVO_ML:
        lines.append(f"MVO {words(result.mvo)}, within the scar")
    lines += [
        f"LV cavity {result.cavity_ml:.1f} ml, myocardium {result.myocardium_ml:.1f} ml",
        f"method: {words(result.method)}; AHA segments: {words(result.anatomy.division)}",
        words(result.ecg_use),
        *(words(note) for note in result.stack.notes if note.code is LgeNote.SHIFTS_CORRECTED),
    ]
    return tuple(map(without_paths, lines))


def ecg_counts(result: ScarResult) -> bool:
    """Whether the ECG had any part in the result."""
    return result.ecg is not None and result.ecg_use.amplitude > 0


def _burden(result: ScarResult) -> Iterator[Text | Table]:
    yield Text(f"{headline(result)}.", "lead")
    mvo = [("MVO, within the scar", result.mvo)] if result.mvo else []
    yield tables.burden_table([*burdens(result), *mvo], large=True)
    if doubt := doubt_of(result):
        yield Text(words(doubt), "strong")
    if not ecg_counts(result):
        yield Text(f"With ECG: the image-only result stands. {sentence(words(result.ecg_use))}.")
    wall, density = result.myocardium_ml, MYOCARDIAL_DENSITY_G_PER_ML
    yield Text(
        f"LV myocardium (scar included) {wall:.1f} ml, {wall * density:.1f} g; LV cavity {result.cavity_ml:.1f} ml. "
        f"Mass at {density:g} g/ml."
    )
    if accuracy := accuracy_line(result.weights_sha256 if result.method.by_network else ""):
        yield Text(accuracy, "small")


def _used(result: ScarResult) -> Iterator[str]:
    stack, use = result.stack, result.ecg_use
    yield f"Scar: {words(result.method)}."
    yield f"AHA segments: {words(result.anatomy.division)}."
    yield f"{sentence(words(use))}."
    added = added_ml(result)
    if added is not None:
        yield f"The ECG's weight by time and conduction is {use.amplitude:.2f} of 1; {added:.1f} ml of scar added."
    if result.ecg is not None:
        yield f"{_order(use.gap)}."
    if use.gap.event_between:
        yield "The user says that an infarct or a revascularisation lies between ECG and MRI."
    slice_, row, column = stack.spacing
    yield (
        f"LGE stack {words(stack.contrast)}, {stack.voxels.shape[0]} slices, {number(slice_, 1)} mm apart, pixels "
        f"{number(row, 2)} x {number(column, 2)} mm."
    )
    if not stack.orientation_known:
        yield "The file has no orientation: the usual one was assumed, so left, right and AHA segments may be wrong."


def _order(gap: TimeGap) -> str:
    if gap.days is None:
        return f"Time between ECG and MRI unknown{f': {words(gap.problem)}' if gap.problem else ''}"
    if abs(gap.days) < 1:
        return "ECG and MRI on the same day"
    unit = "day" if round(abs(gap.days)) == 1 else "days"
    years = f" ({abs(gap.days) / 365.25:.1f} years)" if abs(gap.days) >= 365 else ""
    return f"ECG {abs(gap.days):.0f} {unit}{years} {'before' if gap.days < 0 else 'after'} the MRI"


def _reasons(result: ScarResult) -> Iterator[str]:
    """The reasons of the ECG's verdicts, each once, with the segments it is for; their figures are the table's."""
    segments: dict[tuple[str, str], list[str]] = {}
    for row in result.segments:
        if row.agreement and row.agreement_reason:
            reason = agreement_reason(row.agreement_reason, figures=False).rstrip(".")
            segments.setdefault((sentence(words(row.agreement)), reason), []).append(str(row.number))
    for (verdict, reason), numbers in segments.items():
        yield f"{verdict}, segment{'s' * (len(numbers) > 1)} {', '.join(numbers)}: {reason}."


def _versions(result: ScarResult, created: datetime) -> Iterator[str]:
    versions = ", ".join(f"{name} {version}" for name, version in result.software.items() if version)
    yield f"Written: {created.astimezone(timezone.utc):%Y-%m-%d %H:%M UTC}"
    yield f"Software: {versions}"
    yield f"Network weights (SHA-256): {result.weights_sha256 or 'no network'}"
    yield f"LGE input (SHA-256): {result.stack.sha256 or 'array in memory'}"
    yield f"ECG input (SHA-256): {(result.ecg.sha256 if result.ecg else '') or 'none'}"
    if result.timings:
        yield f"Time: {', '.join(f'{stage} {number(seconds, 1)} s' for stage, seconds in result.timings.items())}"
