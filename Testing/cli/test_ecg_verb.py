"""``scarsegecg ecg``: preview, measurements, picture."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.cli import main


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A made-up ECG: one steep wave a second on every lead, the limb leads after Einthoven."""
    time = np.arange(5000) / 500.0
    wave = np.exp(-(((time % 1.0) - 0.5) ** 2) / (2 * 0.015**2))
    sizes = {"I": 0.6, "II": 1.0, "V1": -0.8, "V2": -0.4, "V3": 0.4, "V4": 1.2, "V5": 1.0, "V6": 0.8}
    sway = 0.05 * np.sin(2 * np.pi * 0.3 * time)  # without it the lead stands still between its waves
    signal = np.stack([sizes[lead] * (wave + sway) for lead in sizes], axis=1)
    wfdb.wrsamp("ecg", 500, ["mV"] * 8, list(sizes), signal, fmt=["16"] * 8, write_dir=str(tmp_path))
    return tmp_path / "ecg.hea"


def test_preview_measurements_and_picture(capfd, record, tmp_path):
    picture, out = tmp_path / "paper.png", tmp_path / "ecg.json"
    assert main(["ecg", str(record), "--picture", str(picture), "--json", str(out)]) == 0
    printed = capfd.readouterr().out
    assert "format    WFDB" in printed and "10.0 s at 500 Hz" in printed and "none stored" in printed
    assert "Derived from" in printed and "QRS" in printed and "conduction" in printed
    assert str(tmp_path) not in printed
    assert picture.read_bytes().startswith(b"\x89PNG")
    told = json.loads(out.read_text())
    assert told["leads"] == list(LEADS) and abs(told["measured"]["rate_bpm"] - 60) < 1


def test_quiet_prints_nothing(capfd, record):
    assert main(["ecg", str(record), "-q"]) == 0
    assert capfd.readouterr().out == ""


def test_what_cannot_be_read_or_written(capfd, record, tmp_path):
    assert main(["ecg", str(tmp_path / "none.xml")]) == 2
    assert main(["ecg", str(record), "--picture", str(tmp_path / "paper.gif")]) == 2
    assert main(["ecg", str(record), "--picture", str(tmp_path / "none" / "paper.png")]) == 2
    assert main(["ecg", str(record), "--picture", str(tmp_path / "x.svg"), "--json", str(tmp_path / "x.svg")]) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert "asked for twice" in lines[3]
    assert len(lines) == 4 and str(tmp_path) not in "".join(lines)
