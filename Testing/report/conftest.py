"""A report tells the results of other rooms' tests."""

import sys
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING / room) for room in ("export", "export/dicom", "view")]
