"""The result as a PDF for people, from what the result folder holds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ScarSegECGLib import RESEARCH_USE
from ScarSegECGLib.export.dicom.findings import Findings
from ScarSegECGLib.export.dicom.pdf_pages import Pages
from ScarSegECGLib.export.dicom.secondary_capture import picture, true_width_mm
from ScarSegECGLib.export.patient import Patient
from ScarSegECGLib.export.report import LIMITS
from ScarSegECGLib.export.text import number

TITLE = "ScarSegECG: myocardial scar in LGE MRI"
_TRUE_SIZE = "True to scale when printed at 100 %, without fitting to the page."
_SCALED = "25 mm/s and 10 mm/mV drawn at {percent:.0f} %: count squares, 0.04 s and 0.1 mV each."
_UNKNOWN = "–"
_VENTRICLE = ("myocardium_ml", "myocardium_g", "cavity_ml")
_CONTRASTS = {"magnitude": "magnitude", "psir": "phase-sensitive (PSIR)", "unknown": "of unknown reconstruction"}
_VERDICTS = {None: _UNKNOWN, "agree": "agree", "disagree": "disagree", "ecg cannot tell": "ECG cannot tell"}


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
    pages.table(_burden(findings), (45, 35, 55, 45), 11.0, "lrrr")
    ventricle = content["left_ventricle"]
    wall_ml, wall_g, cavity_ml = (number(ventricle[key], 1, _UNKNOWN) for key in _VENTRICLE)
    pages.text(f"LV myocardium (scar included) {wall_ml} ml, {wall_g} g; LV cavity {cavity_ml} ml.")
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
    pages.heading("AHA segments")
    pages.text(f"Scar: {content['method']['scar']}. Segments: {content['method']['aha']}.", 7.5)
    pages.table(*_segments(content["segments"]))
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
    image_only = ["Image only", *_three(scar["image_only"])]
    if not findings.ecg_counts:
        return [head, image_only]
    return [head, ["With ECG", *_three(scar["with_ecg"])], image_only]


def _three(burden: dict[str, Any]) -> list[str]:
    return [number(burden[key], 1, _UNKNOWN) for key in ("g", "percent_of_lv", "ml")]


def _used(findings: Findings) -> Iterable[str]:
    content = findings.content
    ecg, geometry = content["ecg"], content["geometry"]
    ending = "" if findings.ecg_counts else ": image only"
    yield f"{ecg['reason'].rstrip('.')}. ECG weight {number(100 * (ecg['amplitude'] or 0.0), 0)} %{ending}."
    if ecg["present"] and ecg["gap_days"] is not None:
        days = ecg["gap_days"]
        order = "before" if days < 0 else "after"
        yield "ECG and MRI on the same day." if abs(days) < 1 else f"ECG {number(abs(days), 0)} days {order} the MRI."
    elif ecg["present"]:
        yield f"Time between ECG and MRI unknown: {(ecg['gap_unknown_because'] or 'no date').rstrip('.')}."
    if ecg["event_between"]:
        yield "The user says that an infarct or a revascularisation lies between ECG and MRI."
    slice_mm, row, column = findings.stack.spacing
    count = len(findings.stack.voxels)
    yield (
        f"LGE stack {_CONTRASTS[geometry['contrast']]}, {count} slices, {slice_mm:.1f} mm apart, pixels "
        f"{row:.2f} x {column:.2f} mm."
    )
    yield f"Scar: {content['method']['scar'].rstrip('.')}. AHA segments: {content['method']['aha'].rstrip('.')}."
    if findings.parts:
        yield f"Core, grey zone and MVO: {findings.parts.method}."


def _segments(rows: list[dict[str, Any]]) -> tuple[list[list[str]], tuple[float, ...], float, str]:
    head = [
        "No.",
        "Segment",
        "Usual territory",
        "Wall, ml",
        "Wall, mm",
        "Scar, ml",
        "Scar, %",
        "Image only, %",
        "Transmurality mean / max, %",
        "ECG alone, %",
        "ECG against image",
    ]
    lines = [head]
    for row in rows:
        measured = [*[_UNKNOWN] * 5, "not imaged"]
        if row["imaged"]:
            keys = ("myocardium_ml", "wall_thickness_mm", "scar_ml", "scar_percent", "scar_percent_image_only")
            values = [number(row[key], 1 if "percent" not in key else 0, _UNKNOWN) for key in keys]
            depth = [number(row[f"transmurality_{name}_percent"], 0, _UNKNOWN) for name in ("mean", "max")]
            measured = [*values, " / ".join(depth)]
        name = [str(row["aha_segment"]), row["name"], row["usual_territory"]]
        ecg = [number(row["ecg_scar_percent"], 0, _UNKNOWN), _VERDICTS[row["ecg_agreement"]]]
        lines.append([*name, *measured, *ecg])
    return lines, (8, 32, 16, 15, 13, 13, 13, 14, 21, 14, 23), 6.8, "rllrrrrrrrl"


def _versions(content: dict[str, Any]) -> Iterable[list[str]]:
    versions = ", ".join(f"{name} {version}" for name, version in content["software"].items() if version)
    yield ["Result written", content["created_utc"]]
    yield ["Software", versions]
    yield ["Network weights (SHA-256)", content["method"]["weights_sha256"] or "no network"]
    yield ["LGE input (SHA-256)", content["inputs"]["lge_sha256"] or "unknown"]
    yield ["ECG input (SHA-256)", content["inputs"]["ecg_sha256"] or "none"]
