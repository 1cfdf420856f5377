"""Cheap cases for the tests of a cohort: files of a few bytes, and a stand-in for the pipeline that needs no network.

The images' file says what is to happen: "scar 12.5", "no lv", "fault", "kill" or "kill once".
"""

from __future__ import annotations

import os
import signal
import struct
import time
import zlib
from pathlib import Path
from typing import Any

from ScarSegECGLib.cohort.flags import Flag
from ScarSegECGLib.cohort.inputs import state_of
from ScarSegECGLib.cohort.manifest import CohortCase
from ScarSegECGLib.cohort.options import Task
from ScarSegECGLib.cohort.records import CASES, RECORD, CaseRecord, as_text, record_of
from ScarSegECGLib.errors import NoLeftVentricle
from ScarSegECGLib.export.atomic import staged_folder

SECONDS = "SCARSEGECG_TEST_SECONDS"


def write_cases(folder: Path, count: int, *, contents: dict[int, str] | None = None) -> tuple[CohortCase, ...]:
    """``count`` cases, each a folder with an image and an ECG of a few bytes."""
    cases = []
    for k in range(count):
        home = folder / f"p{k:04d}"
        home.mkdir(parents=True, exist_ok=True)
        (home / "lge.nii").write_text((contents or {}).get(k, f"scar {k % 40}.25 of {k}"))
        (home / "ecg.csv").write_text(f"ecg {k}")
        cases.append(CohortCase(f"case{k:04d}", home / "lge.nii", home / "ecg.csv"))
    return tuple(cases)


def cheap_case(task: Task) -> CaseRecord:
    """In place of ``job.do_case``."""
    before = record_of(task.out, task.case.name)
    if before is not None and before.is_of(task.case, task.options_digest, task.networks.sha256):
        return before
    start = time.perf_counter()
    said = task.case.lge.read_text()
    _misbehave(said, task.case.lge)
    time.sleep(float(os.environ.get(SECONDS, "0")))
    inputs = {"lge": state_of(task.case.lge), "ecg": state_of(task.case.ecg), "expert": state_of(task.case.expert)}
    made = CaseRecord(
        name=task.case.name,
        options=task.options_digest,
        weights=task.networks.sha256,
        inputs={name: state for name, state in inputs.items() if state is not None},
        flags=tuple(Flag(word) for word in said.split() if word in {flag.value for flag in Flag}),
        facts=facts(),
        expert=None,
        seconds=time.perf_counter() - start,
    )
    ml = float(said.split()[1]) if said.startswith("scar") else 5.0
    with staged_folder(task.out / CASES / task.case.name, True) as folder:
        write_result_files(folder, task.case.name, ml)
        (folder / RECORD).write_text(as_text(made))
    return made


def _misbehave(said: str, file: Path) -> None:
    if said.startswith("no lv"):
        raise NoLeftVentricle("No left ventricle was found.")
    if said.startswith("fault"):
        raise RuntimeError(f"a library's words about {file}")
    if said.startswith("kill"):
        if said == "kill once":
            file.write_text("scar 3.0")
        os.kill(os.getpid(), signal.SIGKILL)


def facts() -> dict[str, Any]:
    """As ``job`` makes them."""
    return {
        "female": True,
        "age": 61.0,
        "slices": 3,
        "lv_slices": 3,
        "displaced_slices": [],
        "disagreeing_segments": 0,
        "interval": {"ml": [0.0, 9.0], "percent_of_lv": [0.0, 9.0], "level": 0.8},
        "confidence": None,
        "doubts": [],
        "insertion_confidence": 0.8,
        "segments_with_ecg_estimate": 17,
    }


def result(ml: float) -> dict[str, Any]:
    """The parts of ``result.json`` that a cohort reads, for that much scar, all of it in segment 4."""
    burden = {"ml": ml, "g": 1.05 * ml, "percent_of_lv": ml}
    return {
        "kind": "ScarSegECG result",
        "created_utc": "2026-01-01T00:00:00Z",
        "software": {"scarsegecg": "test"},
        "method": {"scar": "network", "aha": "fixed", "scar_shown": "image only", "weights_sha256": "0" * 64},
        "inputs": {"lge_sha256": "1" * 64, "ecg_sha256": "2" * 64},
        "geometry": {"contrast": "magnitude"},
        "ecg": {
            "present": True,
            "leads": ["I", "II"],
            "amplitude": 0.5,
            "reason": "ECG 3 days from MRI used with weight 0.50",
            "gap_days": -3.0,
            "event_between": False,
            "findings": {"rate_bpm": 70.0, "qrs_ms": 90.0, "conduction": "normal", "q_waves": ["II", "III"]},
        },
        "left_ventricle": {"cavity_ml": 100.0, "myocardium_ml": 100.0, "myocardium_g": 105.0},
        "scar": {"with_ecg": burden, "image_only": burden, "mvo": None, "parts": None},
        "segments": [_segment(number, ml) for number in range(1, 18)],
        "warnings": [],
    }


def _segment(number: int, ml: float) -> dict[str, Any]:
    scar = ml if number == 4 else 0.0
    return {
        "aha_segment": number,
        "name": f"segment {number}",
        "usual_territory": "RCA",
        "imaged": True,
        "myocardium_ml": 6.0,
        "scar_ml": scar,
        "scar_percent": min(100.0, 2 * scar),
        "scar_percent_image_only": min(100.0, 2 * scar),
        "transmurality_mean_percent": min(100.0, 2 * scar),
        "transmurality_max_percent": min(100.0, 3 * scar),
        "transmurality_max_on_little_scar": False,
        "wall_thickness_mm": 9.0,
        "ecg_scar_percent": 10.0 if number in (3, 4) else 0.0,
        "ecg_agreement": "agree",
    }


def write_result_files(folder: Path, name: str, ml: float) -> None:
    """What the page loads of a case."""
    import json

    (folder / "result.json").write_text(json.dumps(result(ml)))
    (folder / "thumb.png").write_bytes(png(96))
    (folder / "ecg.png").write_bytes(png(64))
    (folder / "report.html").write_text("<!DOCTYPE html><title>report</title>")
    (folder / "view.js").write_text(f"SCARSEGECG_VIEWS[{json.dumps(name)}]={json.dumps(view(ml))};\n")


def view(ml: float) -> dict[str, Any]:
    """What ``result_data`` gives, with three slices of one grey; the scar is in the second."""
    import base64

    grey = "data:image/png;base64," + base64.b64encode(png(32)).decode()
    ring = "M300 500L500 300L700 500L500 700Z"
    slices = [
        {"level": level, "grey": grey, "influence": grey, "endo": ring, "epi": ring, "scar": ring if scarred else "",
         "alone": "", "mvo": ""}
        for level, scarred in (("apical", False), ("mid", True), ("basal", False))
    ]  # fmt: skip
    segments = [
        {"number": row["aha_segment"], "name": row["name"], "imaged": row["aha_segment"] != 17,
         "scar": row["scar_percent"], "alone": 0.0, "ecg": 10.0, "verdict": "agree", "transmurality": 5.0,
         "slice": 1 if row["aha_segment"] >= 13 else 2 if row["aha_segment"] >= 7 else 3}
        for row in result(ml)["segments"]
    ]  # fmt: skip
    shades = ["#fbf8f0"] * 10 + ["#3a1033"] * 11
    return {"units": 1000, "field_mm": 120.0, "with_ecg": True, "influence_end": 0.2, "slices": slices,
            "segments": segments, "shades": shades, "first": 2}  # fmt: skip


def png(size: int) -> bytes:
    """A grey picture."""
    rows = b"".join(b"\0" + b"\x50" * size for _ in range(size))
    parts = [(b"IHDR", struct.pack(">2I5B", size, size, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
