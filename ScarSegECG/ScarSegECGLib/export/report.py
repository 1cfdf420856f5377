"""One page for people: the result as a self-contained HTML file that prints on A4."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, Burden, ScarResult, SegmentRow
from ScarSegECGLib.export.accuracy import accuracy_line
from ScarSegECGLib.export.patient import Patient
from ScarSegECGLib.export.report_page import PAGE
from ScarSegECGLib.export.result_json import as_json, software_versions
from ScarSegECGLib.export.result_tables import (
    UNKNOWN,
    VERDICTS,
    Table,
    parts_table,
    pattern_table,
    segment_table,
    territory_table,
)
from ScarSegECGLib.export.text import finite, number, without_paths
from ScarSegECGLib.facts import Shown
from ScarSegECGLib.wording import ECG_IS_NO_FINDING, RESEARCH_USE, agreement_reason, all_words, described, words

FILE_NAME = "report.html"

_PAGE = Template(PAGE)
# A page shrinks the picture to its own width, which differs from browser to browser.
_ECG_SCALE = (
    "Fitted to this page, not 25 mm/s and 10 mm/mV: count squares, 0.04 s and 0.1 mV each. The file ecg.png is to "
    "scale when printed at 100 %."
)
WITH_ECG, ALONE = "with_ecg", "image_only"  # as in result.json
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

LIMITS = (
    "The network's segmentation has to be checked by a reader against the images before anything rests on it.",
    "The method re-implements a published idea from its abstract; the published accuracy does not apply here. What "
    "the network was trained and tested on, and with what result, is in the card shipped with its weights.",
    f"{ECG_IS_NO_FINDING} It may add scar to what the image shows and never removes any. How fast its weight falls "
    "with time is this project's own choice, not taken from follow-up studies.",
    "A human reader of the ECG localises anterior and septal infarcts well, inferior, lateral and apical ones poorly, "
    "and none in left bundle branch block or paced rhythm.",
    "The intensity rule expects scar to begin at the endocardium: epicardial and mid-wall scar, as after myocarditis, "
    "can be missed.",
    "Coronary territories are the usual ones; about a quarter of infarcted segments disagree.",
    "Volumes hold for the imaged slices alone; thick slices blur small scars and the apex. The cavity's volume is that "
    "of the LGE images' heart phase, not the end-diastolic one.",
)


def write_report(
    result: ScarResult, pictures: Mapping[str, bytes], folder: Path, patient: Patient | None = None
) -> None:
    """Write ``report.html``; see :func:`report_html`."""
    page = report_html(result, pictures, datetime.now(timezone.utc), patient)
    (folder / FILE_NAME).write_text(page, encoding="utf-8")


def report_html(
    result: ScarResult, pictures: Mapping[str, bytes], created: datetime, patient: Patient | None = None
) -> str:
    """The whole report as one HTML document: pictures inside, no script, nothing fetched, all text escaped.

    Parameters
    ----------
    result : ScarResult
    pictures : mapping of str to bytes
        PNG files under "bullseye.png", "ecg.png" (absent without an ECG), "montage.png" and "transmurality.png"; for
        one that is absent the report says so.
    created : datetime
        When the report is written, with its time zone.
    patient : Patient, optional
        Shown only when given; else there are blanks to fill in by hand.
    """
    content = as_json(result, created)
    return _PAGE.substitute(
        blanks=_blanks(patient),
        purpose=escape(RESEARCH_USE),
        method=_text(words(result.method)),
        mode=_text(words(result.anatomy.division)),
        accuracy=escape(accuracy_line(result.weights_sha256 if result.method.by_network else "")),
        density=f"Mass at {MYOCARDIAL_DENSITY_G_PER_ML:g} g/ml.",
        headline=_headline(result),
        left_ventricle=_remark(content["scar"]["remark"]) + _left_ventricle(result),
        used=_items(_used(result)),
        warnings=_warnings(all_words(result.warnings)),
        bullseye=_figure(
            pictures.get("bullseye.png"),
            "bullseye",
            "AHA bullseye of the scar",
            f"{described(result.method, result.shown)}; {words(result.anatomy.division)}.",
        ),
        ecg=_ecg(result, pictures.get("ecg.png")),
        montage=_figure(
            pictures.get("montage.png"),
            "montage",
            "LGE slices with the segmentation",
            f"{words(result.method)}. {_weight(result)}.",
        ),
        segment_table=_html_table(segment_table(content), "segments"),
        scar_tables=_scar_tables(content),
        transmurality=_figure(
            pictures.get("transmurality.png"),
            "transmurality",
            "AHA bullseye of the mean transmurality",
            "Mean over the segment's whole wall, scar-free wall included, in the usual bins; heavy lines: usual "
            "coronary territories.",
        ),
        reasons=_items(_reasons(result.segments)),
        limits=_items(LIMITS),
        notes=_notes(result),
        versions=_versions(result, created),
    )


def _blanks(patient: Patient | None) -> str:
    if patient is None:
        return "<span>Patient:</span><span>MRI date:</span><span>Read by:</span>"
    who = f"{patient.name}, ID {patient.identifier or UNKNOWN}, born {patient.birth_date or UNKNOWN}"
    return (
        f"<span>Patient: {escape(who)}</span><span>MRI date: {escape(patient.study_date or UNKNOWN)}</span>"
        "<span>Read by:</span>"
    )


def ecg_counts(result: ScarResult) -> bool:
    """Whether the ECG had any part in the result."""
    return result.ecg is not None and result.ecg_use.amplitude > 0


def _headline(result: ScarResult) -> str:
    names = burden_names(words(result.method), ecg_counts(result), added_ml(result))
    rows = "".join(
        _burden_row(name, result.scar if which == WITH_ECG else result.scar_image_only, "" if place else "first")
        for place, (name, which) in enumerate(names)
    )
    if not ecg_counts(result):
        reason = _text(words(result.ecg_use)).rstrip(".")
        unused = f"not used: the image-only result stands ({reason})"
        rows += f'<tr><th scope="row">With ECG</th><td colspan="3">{unused}</td></tr>'
    return rows + (_burden_row("MVO, within the scar", result.mvo, "") if result.mvo else "")


def burden_names(method: str, counts: bool, added: float) -> tuple[tuple[str, str], ...]:
    """The burdens to show, the primary one first: its name, and whether it is :data:`WITH_ECG` or :data:`ALONE`.

    The images alone come before what the ECG adds, and what a reader corrected before both.
    """
    if words(Shown.BY_HAND) in method:
        return ("Corrected by hand", WITH_ECG), ("Before, image only", ALONE)
    if not method.startswith("network"):
        return (("Scar", WITH_ECG),)
    if not counts:
        return (("Image only", ALONE),)
    if "image only" in method:
        return (("Image only", WITH_ECG),)
    return ("Image only", ALONE), (f"With ECG (investigational): {number(added, 1, UNKNOWN)} ml added", WITH_ECG)


def added_ml(result: ScarResult) -> float:
    """What the ECG added to the images' scar; NaN for scar of a rule or a reader."""
    return result.scar.ml - result.scar_image_only.ml if result.shown is Shown.WITH_ECG else math.nan


def _burden_row(name: str, burden: Burden, style: str) -> str:
    values = (
        number(burden.grams, 1, UNKNOWN),
        number(burden.percent_of_lv, 1, UNKNOWN),
        number(burden.ml, 1, UNKNOWN),
    )
    cells = "".join(f'<td class="n {style}">{value}</td>' for value in values)
    return f'<tr><th scope="row">{name}</th>{cells}</tr>'


def _left_ventricle(result: ScarResult) -> str:
    grams = result.myocardium_ml * MYOCARDIAL_DENSITY_G_PER_ML
    return (
        f"LV myocardium (scar included) {number(result.myocardium_ml, 1, UNKNOWN)} ml, "
        f"{number(grams, 1, UNKNOWN)} g; LV cavity {number(result.cavity_ml, 1, UNKNOWN)} ml."
    )


def ecg_share(amplitude: float | None, counts: bool, added: float) -> str:
    """How much the ECG counted, and what came of it."""
    if not counts:
        return "Image only"
    came_of_it = f", {number(added, 1)} ml of scar added" if math.isfinite(added) else ""
    return f"ECG: weight by time and conduction {number(amplitude, 2, UNKNOWN)} of 1{came_of_it}"


def with_order(reason: str, days: float | None) -> tuple[str, ...]:
    """The reason with the order of ECG and MRI in it, in years too where they lie far apart; one sentence or two."""
    if days is None:
        return (reason,)
    order = "before" if days < 0 else "after"
    years = f" ({abs(days) / 365.25:.1f} years)" if abs(days) >= 365 else ""
    when = "ECG and MRI on the same day" if abs(days) < 1 else f"{abs(days):.0f} days{years} {order} the MRI"
    plain = f"{abs(days):.0f} days from MRI"
    if abs(days) >= 1 and plain in reason:
        return (reason.replace(plain, when),)
    if when in reason:
        return (reason,)
    return reason, when if abs(days) < 1 else f"ECG {when}"


def _weight(result: ScarResult) -> str:
    return ecg_share(result.ecg_use.amplitude, ecg_counts(result), added_ml(result))


def _used(result: ScarResult) -> Iterable[str]:
    stack, use = result.stack, result.ecg_use
    days = finite(use.gap.days) if result.ecg is not None else None
    for sentence in with_order(words(use).rstrip("."), days):
        yield f"{sentence}."
    yield f"{_weight(result)}."
    if result.ecg is not None and days is None:
        why = f": {words(use.gap.problem)}" if use.gap.problem else ""
        yield f"Time between ECG and MRI unknown{why}."
    if use.gap.event_between:
        yield "The user says that an infarct or a revascularisation lies between ECG and MRI."
    slice_, row, column = stack.spacing
    yield (
        f"LGE stack {words(stack.contrast)}, {stack.voxels.shape[0]} slices, {number(slice_, 1)} mm apart, pixels "
        f"{number(row, 2)} x {number(column, 2)} mm."
    )
    if not stack.orientation_known:
        yield (
            "The file has no orientation: the usual one was assumed, so left and right, and the AHA segments, may be "
            "wrong."
        )
    yield f"Scar: {words(result.method)}. AHA segments: {words(result.anatomy.division)}."


def _warnings(warnings: tuple[str, ...]) -> str:
    if not warnings:
        return ""
    return f'<div class="box warn"><h2>Warnings</h2><ul>{_items(warnings)}</ul></div>'


def _ecg(result: ScarResult, picture: bytes | None) -> str:
    if result.ecg is None:
        return '<p class="absent">No ECG: the result rests on the images alone.</p>'
    caption = f"{words(result.ecg_use).rstrip('.')}. {_weight(result)}. {_ECG_SCALE}"
    return _figure(picture, "ecg", "ECG of the patient", caption)


def _figure(picture: bytes | None, style: str, description: str, caption: str) -> str:
    if picture is None:
        return f'<p class="absent">{escape(description)}: no picture was made.</p>'
    if not picture.startswith(_PNG_SIGNATURE):
        raise ValueError(f"the picture for {style} is not a PNG")
    data = base64.b64encode(picture).decode("ascii")
    return (
        f'<figure class="{style}"><img alt="{escape(description)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _scar_tables(content: dict[str, Any]) -> str:
    """What the scar is made of, whose territory it lies in and where in the wall: what is known of it."""
    tables = {
        "What the scar is made of": parts_table(content),
        "Usual coronary territories": territory_table(content),
        "Where in the wall the scar lies": pattern_table(content),
    }
    return "".join(
        f'<section class="together"><h2>{title}</h2>{_html_table(table, "segments")}</section>'
        for title, table in tables.items()
        if table is not None
    )


def _html_table(table: Table, style: str) -> str:
    styles = [
        " ".join(name for name, wanted in (("n", right), ("whole", whole)) if wanted)
        for right, whole in zip(table.right, table.whole, strict=True)
    ]
    head = "".join(
        f'<th class="n">{_text(name)}</th>' if right else f"<th>{_text(name)}</th>"
        for name, right in zip(table.head, table.right, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(f'<td class="{style}">{_text(cell)}</td>' for cell, style in zip(row, styles, strict=True))
        + "</tr>"
        for row in table.rows
    )
    return (
        f'<div class="together"><table class="{style}"><caption>{_text(table.caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _remark(doubt: str | None) -> str:
    """What speaks against the whole scar, beside its figures."""
    return f"<strong>{_text(doubt)}</strong><br>" if doubt else ""


def _reasons(rows: Iterable[SegmentRow]) -> Iterable[str]:
    """The reasons of the ECG's verdicts, each once, with the segments it is for; their figures are the table's."""
    segments: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.agreement and row.agreement_reason:
            key = (VERDICTS[row.agreement], agreement_reason(row.agreement_reason, figures=False))
            segments.setdefault(key, []).append(str(row.number))
    for (verdict, reason), numbers in segments.items():
        yield f"{verdict[0].upper()}{verdict[1:]}, segment{'s' * (len(numbers) > 1)} {', '.join(numbers)}: {reason}."


def _notes(result: ScarResult) -> str:
    notes = (*result.stack.notes, *(result.ecg.notes if result.ecg else ()), *result.anatomy.notes)
    return f'<h2>Notes</h2><ul class="small">{_items(all_words(notes))}</ul>' if notes else ""


def _versions(result: ScarResult, created: datetime) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in software_versions().items() if version)
    pairs = {
        "Written": created.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "Software": versions,
        "Network weights (SHA-256)": result.weights_sha256 or "no network",
        "LGE input (SHA-256)": result.stack.sha256 or "array in memory",
        "ECG input (SHA-256)": (result.ecg.sha256 if result.ecg else "") or "none",
        "Time": ", ".join(f"{stage} {number(seconds, 1, UNKNOWN)} s" for stage, seconds in result.timings.items()),
    }
    return "".join(f"<dt>{name}</dt><dd><code>{_text(value)}</code></dd>" for name, value in pairs.items() if value)


def _items(sentences: Iterable[str]) -> str:
    return "".join(f"<li>{_text(sentence)}</li>" for sentence in sentences)


def _text(sentence: str) -> str:
    return escape(without_paths(sentence))
