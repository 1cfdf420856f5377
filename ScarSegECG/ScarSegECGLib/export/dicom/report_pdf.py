"""The result as a PDF for people, from what the result folder holds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ScarSegECGLib.export.accuracy import accuracy_line
from ScarSegECGLib.export.dicom.findings import Findings
from ScarSegECGLib.export.dicom.pdf_pages import Pages
from ScarSegECGLib.export.dicom.secondary_capture import picture, true_width_mm
from ScarSegECGLib.export.patient import Patient
from ScarSegECGLib.export.report import ALONE, LIMITS, WITH_ECG, burden_names, ecg_share, with_order
from ScarSegECGLib.export.result_tables import (
    UNKNOWN,
    Table,
    parts_table,
    pattern_table,
    segment_table,
    territory_table,
)
from ScarSegECGLib.export.text import finite, number
from ScarSegECGLib.facts import Contrast, Shown
from ScarSegECGLib.wording import RESEARCH_USE, words

TITLE = "ScarSegECG: myocardial scar in LGE MRI"
_TRUE_SIZE = "True to scale when printed at 100 %, without fitting to the page."
_SCALED = "25 mm/s and 10 mm/mV drawn at {percent:.0f} %: count squares, 0.04 s and 0.1 mV each."
_ROW_MM, _MOST_MM = 6.0, 70.0
_VENTRICLE = ("myocardium_ml", "myocardium_g", "cavity_ml")


def report_pdf(findings: Findings, *, patient: Patient | None = None, verified_by: str | None = None) -> bytes:
    """A4 pages: burden, what was used, bullseye; the ECG to scale, on its side; segments; images; limits and hashes.

    Parameters
    ----------
    findings : Findings
    patient : Patient, optional
        Printed only when given.
    verified_by : str, optional
        Who signed, ``Family^Given``.
    """
    content = findings.content
    pages = Pages(RESEARCH_USE)
    pages.text(TITLE, 16.0, bold=True)
    pages.text(RESEARCH_USE, 9.0, bold=True)
    pages.space(2.0)
    pages.text(patient.line() if patient else "Patient: as in the DICOM header of this document.", 9.0)
    pages.text(_signature(verified_by), 9.0)
    pages.heading("Scar burden")
    pages.text(
        f"Method: {content['method']['scar']}. Mass at {content['method']['myocardial_density_g_per_ml']:g} g/ml."
    )
    pages.table(_burden(findings), (60, 35, 50, 35), 10.0, "lrrr")
    if content["scar"]["remark"]:
        pages.text(content["scar"]["remark"], 9.0, bold=True)
    ventricle = content["left_ventricle"]
    wall_ml, wall_g, cavity_ml = (number(ventricle[key], 1, UNKNOWN) for key in _VENTRICLE)
    pages.text(f"LV myocardium (scar included) {wall_ml} ml, {wall_g} g; LV cavity {cavity_ml} ml.")
    accuracy = accuracy_line(
        content["method"]["weights_sha256"] if content["method"]["scar"].startswith("network") else ""
    )
    if accuracy:
        pages.text(accuracy, 8.0)
    pages.heading("What was used")
    pages.items(_used(findings))
    if content["warnings"]:
        pages.heading("Warnings")
        pages.items(content["warnings"])
    if "bullseye.png" in findings.pictures:
        pages.heading("Bullseye", keep=70.0)
        pages.picture(picture(findings.pictures["bullseye.png"]), 125.0, 120.0)
    if "ecg.png" in findings.pictures:
        ecg = findings.pictures["ecg.png"]
        share = pages.sheet(picture(ecg), true_width_mm(ecg))
        pages.note(_TRUE_SIZE if share == 1.0 else _SCALED.format(percent=100 * share))
    pages.new_page()
    _table(pages, "AHA segments", segment_table(content), 6.5)
    _table(pages, "What the scar is made of", parts_table(content))
    _table(pages, "Usual coronary territories", territory_table(content))
    _table(pages, "Where in the wall the scar lies", pattern_table(content))
    if "montage.png" in findings.pictures:
        pages.new_page()
        pages.heading("LGE images with the segmentation")
        pages.picture(picture(findings.pictures["montage.png"]), 250.0)
    pages.heading("Limits")
    pages.items(LIMITS, 8.0)
    notes = [note for room in ("lge", "ecg", "anatomy") for note in content["notes"][room]]
    if notes:
        pages.heading("Notes")
        pages.items(notes, 8.0)
    pages.heading("Versions and hashes")
    pages.table([*_versions(content)], (38, 142), 7.0, bold=0)
    return pages.pdf(TITLE)


def _signature(verified_by: str | None) -> str:
    if verified_by is None:
        return "Preliminary: not verified by a reader."
    family, _, given = verified_by.partition("^")
    return f"Verified by {' '.join(f'{given} {family}'.replace('^', ' ').split())}."


def _burden(findings: Findings) -> list[list[str]]:
    scar = findings.content["scar"]
    head = ["", "Scar mass, g", "% of LV myocardium", "Scar volume, ml"]
    names = burden_names(findings.content["method"]["scar"], findings.ecg_counts, _added(findings.content))
    rows = [head, *([name, *_three(scar[which])] for name, which in names)]
    mvo = scar["mvo"]
    return [*rows, ["MVO, within the scar", *_three(mvo)]] if mvo else rows


def _added(content: dict[str, Any]) -> float:
    """What the ECG added, ml; NaN for scar of a rule or a reader, and where a figure is absent."""
    method = content["method"]["scar"]
    alone, together = (finite(content["scar"][which]["ml"]) for which in (ALONE, WITH_ECG))
    others = words(Shown.BY_HAND) in method or "image only" in method or not method.startswith("network")
    if others or alone is None or together is None:
        return math.nan
    return together - alone


def _table(pages: Pages, title: str, table: Table | None, size: float = 7.5) -> None:
    if table is None:
        return
    pages.heading(title, keep=min(20.0 + _ROW_MM * len(table.rows), _MOST_MM))  # a short table stays on one page
    pages.text(table.caption, 7.5)
    align = "".join("r" if right else "l" for right in table.right)
    pages.table([table.head, *table.rows], table.widths, size, align)


def _three(burden: dict[str, Any]) -> list[str]:
    return [number(burden[key], 1, UNKNOWN) for key in ("g", "percent_of_lv", "ml")]


def _used(findings: Findings) -> Iterable[str]:
    content = findings.content
    ecg, geometry = content["ecg"], content["geometry"]
    for sentence in with_order(ecg["reason"].rstrip("."), ecg["gap_days"] if ecg["present"] else None):
        yield f"{sentence}."
    yield f"{ecg_share(ecg['amplitude'], findings.ecg_counts, _added(content))}."
    if ecg["present"] and ecg["gap_days"] is None:
        yield f"Time between ECG and MRI unknown: {(ecg['gap_unknown_because'] or 'no date').rstrip('.')}."
    if ecg["event_between"]:
        yield "The user says that an infarct or a revascularisation lies between ECG and MRI."
    slice_mm, row, column = findings.stack.spacing
    count = len(findings.stack.voxels)
    yield (
        f"LGE stack {words(Contrast(geometry['contrast']))}, {count} slices, {slice_mm:.1f} mm apart, pixels "
        f"{row:.2f} x {column:.2f} mm."
    )
    yield f"Scar: {content['method']['scar'].rstrip('.')}. AHA segments: {content['method']['aha'].rstrip('.')}."


def _versions(content: dict[str, Any]) -> Iterable[list[str]]:
    versions = ", ".join(f"{name} {version}" for name, version in content["software"].items() if version)
    yield ["Result written", content["created_utc"]]
    yield ["Software", versions]
    yield ["Network weights (SHA-256)", content["method"]["weights_sha256"] or "no network"]
    yield ["LGE input (SHA-256)", content["inputs"]["lge_sha256"] or "unknown"]
    yield ["ECG input (SHA-256)", content["inputs"]["ecg_sha256"] or "none"]
