"""The page a reader walks through: ``index.html`` in the cohort's folder, opened from the disk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from ScarSegECGLib.cohort.flags import Flag, Weight
from ScarSegECGLib.cohort.group_pictures import GroupPicture
from ScarSegECGLib.cohort.tables import Patient
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.view.viewer import viewer_file
from ScarSegECGLib.wording import RESEARCH_USE

INDEX, FOLDER = "index.html", "page"
_FILES = ("cohort.js", "cohort.css")


def write_page(out: Path, patients: Sequence[Patient], group: Sequence[GroupPicture], cohort_id: str) -> None:
    """Write ``index.html`` and the folder ``page``; patients' own pictures lie in their folders already.

    Parameters
    ----------
    out : Path
        The cohort's folder.
    patients : sequence of Patient
    group : sequence of GroupPicture
    cohort_id : str
        What the browser keeps decisions under.

    Raises
    ------
    InputError
        A file cannot be written.
    """
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    for name in ("viewer.js", "viewer.css"):
        write_text(folder / name, viewer_file(name))
    for name in _FILES:
        write_text(folder / name, _own(name))
    told = {
        "id": cohort_id,
        "rows": [_row(patient) for patient in patients],
        "methods": sorted({patient.result["method"]["scar"] for patient in patients if patient.result}),
        "group": [{"file": picture.file, "caption": picture.caption} for picture in group],
        "weights": {flag.value: flag.weight.value for flag in Flag},
        "words": json.loads(_own("words.json")),
    }
    write_text(folder / "rows.js", f"SCARSEGECG_COHORT={_script(told)};\n")
    write_text(out / INDEX, Template(_own("index.html")).substitute(purpose=RESEARCH_USE))


def _row(patient: Patient) -> dict[str, Any]:
    """What the table shows of one patient; ``stamp`` tells one result from a later one."""
    row: dict[str, Any] = {
        "case": patient.case,
        "flags": [flag.value for flag in patient.flags],
        "alarms": patient.alarms,
        "checks": sum(flag.weight is Weight.CHECK for flag in patient.flags),
        "why": patient.trouble,
        "decision": (patient.review or {}).get("decision", ""),
        "comment": (patient.review or {}).get("comment", ""),
        "done": patient.result is not None,
    }
    if patient.result is None or patient.record is None:
        return row
    scar, facts, ecg = patient.result["scar"], patient.record.facts, patient.result["ecg"]
    interval = facts["interval"] or {"ml": (None, None), "percent_of_lv": (None, None), "level": None}
    expert, why_no_ecg = patient.record.expert, "" if ecg["present"] else f"{ecg['reason'].rstrip('.')}."
    return row | {
        "stamp": patient.result["created_utc"],
        "ml": scar["image_only"]["ml"],
        "grams": scar["image_only"]["g"],
        "percent": scar["image_only"]["percent_of_lv"],
        "interval_ml": interval["ml"],
        "interval_percent": interval["percent_of_lv"],
        "level": interval["level"],
        "with_ecg_ml": scar["with_ecg"]["ml"] if ecg["amplitude"] else None,
        "doubts": facts["doubts"],
        "judged": facts.get("confidence") is not None,
        "remarks": [remark for remark in (why_no_ecg, facts.get("expert_remark")) if remark],
        "ecg": ecg["present"],
        "ecg_weight": ecg["amplitude"],
        "gap": ecg["gap_days"],
        "displaced": facts["displaced_slices"],
        "expert_ml": expert["true_scar_ml"] if expert else None,
        "dice": expert["scar"]["dice"] if expert else None,
        "warnings": patient.result["warnings"],
    }


def _script(told: Any) -> str:
    """JSON that ends neither a script nor a line of one."""
    text = json.dumps(told, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _own(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
