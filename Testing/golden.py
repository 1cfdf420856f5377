"""Write ``Testing/golden.json``: what the shipped weights say of the simulated patient. Run it when weights change, and
look at what changed: ``python Testing/golden.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ScarSegECGLib.anatomy.aha import soft_prior
from ScarSegECGLib.case import ScarResult, TimeGap
from ScarSegECGLib.ecg.median_beat import median_beat
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.pipeline import segment

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Research"))
from phantom import phantom_patient

FILE = Path(__file__).with_name("golden.json")


def figures(result: ScarResult) -> dict:
    """Volumes, ml, and per segment the scar with and without the ECG and the ECG's estimate, %."""
    return {
        "cavity_ml": round(result.cavity_ml, 2),
        "myocardium_ml": round(result.myocardium_ml, 2),
        "scar_ml": round(result.scar.ml, 3),
        "image_only_ml": round(result.scar_image_only.ml, 3),
        "probability_ml": round(float(result.scar_probability.sum()) * result.stack.voxel_ml, 3),
        "amplitude": round(result.ecg_use.amplitude, 4),
        "scar_percent": [None if row.scar_percent is None else round(row.scar_percent, 1) for row in result.segments],
        "ecg_percent": [None if row.ecg_percent is None else round(row.ecg_percent, 1) for row in result.segments],
    }


def movement(session: Session) -> list[float]:
    """Mean movement of the scar logit in every segment that is imaged, at full amplitude, by the simulated ECG."""
    patient = phantom_patient(0)
    alone = segment(patient.stack, None, TimeGap(None), session)
    evidence = session.see(patient.stack)
    word = session.listen(median_beat(patient.ecg))
    moved = session.fuse(patient.stack, evidence, word, soft_prior(alone.anatomy, patient.stack.spacing), 1.0)
    rows, columns = evidence.box
    aha = alone.anatomy.aha[:, rows, columns]
    return [round(float(moved[aha == number].mean()), 4) for number in range(1, 17)]


def told(session: Session) -> dict[str, dict]:
    """The simulated patient with the ECG of the third day, and by the images alone."""
    patient = phantom_patient(0)
    return {
        "with ECG": figures(segment(patient.stack, patient.ecg, TimeGap(3.0), session)),
        "images alone": figures(segment(patient.stack, None, TimeGap(None), session)),
    }


if __name__ == "__main__":
    shipped = Session.load(device="cpu")
    FILE.write_text(json.dumps(told(shipped) | {"movement": movement(shipped)}, indent=1) + "\n", encoding="utf-8")
    print(FILE.read_text(encoding="utf-8"))
