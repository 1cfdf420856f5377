"""The sample patient: a simulated LGE stack whose scar is known, and the ECG simulated from that scar.

For demonstrations and timing; nothing of it was acquired from a person, and no network was trained on it. The files are
what ``Research/phantom.py`` makes.
"""

from datetime import datetime
from pathlib import Path

HOME = Path(__file__).parent
LGE = HOME / "lge.nii.gz"
ECG = HOME / "ecg.hea"  # WFDB; its signals lie beside it
LABELS = HOME / "truth_labels.nii.gz"  # 0 background, 1 cavity, 2 myocardium, 3 scar
TRUTH = HOME / "truth.json"
MRI_DATE = datetime(2024, 3, 14, 10, 30)
"""When the stack is said to be from: a NIfTI file does not say it."""


def files() -> list[Path]:
    return [LGE, ECG, ECG.with_suffix(".dat"), LABELS, TRUTH]
