"""Training on one's own pairs, from files to weights: real pairs count, others are simulated, runs resume."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main
from ScarSegECGLib.cli.train import _encoder
from ScarSegECGLib.network.session import Session
from ScarSegECGLib.network.weights import read_weights
from ScarSegECGLib.training.taff import train_taff

OPTIONS = ("--folds", "2", "--epochs", "1", "--steps", "1", "--from", "shipped", "--device", "cpu", "-q")


def write_pairs(folder: Path, count: int, with_ecg: int) -> Path:
    """Simulated patients as a hospital would lay them out: image, expert mask, ECG as WFDB, dates."""
    for seed in range(count):
        name = f"Case_{seed:03d}"
        case = folder / name
        patient = phantom_patient(seed, slices=4, slice_mm=16.0, size=128, scarless=seed == 0)
        files = write_phantom(case, patient)
        files["lge"].rename(case / f"{name}_img.nii.gz")
        files["labels"].rename(case / f"{name}_seg.nii.gz")
        files["truth"].unlink()
        if seed < with_ecg:
            dates = {"mri": patient.mri_date.date().isoformat(), "ecg": patient.ecg_date.date().isoformat()}
            (case / "dates.json").write_text(json.dumps(dates))
        else:
            for file in case.glob("ecg.*"):
                file.unlink()
    return folder


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("hospital"), 3, 2)


def test_a_hospital_trains_on_its_own_pairs_and_a_stopped_run_goes_on(
    cases: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    out = tmp_path / "run"
    command = ["train", "--cases", str(cases), "--out", str(out), *OPTIONS]

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ScarSegECGLib.cli.train.train_taff", stopped)
    assert main(command) == 130
    assert (out / "fold1" / "image.safetensors").is_file() and not (out / "scarseg.safetensors").exists()
    kept = {file: file.stat().st_mtime_ns for file in out.rglob("*.safetensors")}

    monkeypatch.setattr("ScarSegECGLib.cli.train.train_taff", train_taff)
    assert main([option for option in command if option != "-q"]) == 0
    assert "2 real, 1 patients with simulated ECGs" in capsys.readouterr().out
    assert all(file.stat().st_mtime_ns == time for file, time in kept.items() if file.name == "image.safetensors")

    with (out / "cross_validation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["case"] for row in rows] == [f"Case_{n:03d}" for n in range(3)]
    assert {row["fold"] for row in rows} == {"0", "1"}
    with (out / "ablation.csv").open(newline="") as file:
        assert {row["row"] for row in csv.DictReader(file)} >= {"image only", "+ TAFF", "+ TAFF, gap 5 years"}
    card = (out / "MODEL_CARD.md").read_text()
    assert "Pairs of image and ECG: 2 real, 1 semi-synthetic" in card
    assert "challenge" in card and "infarct patients" in card
    session = Session.load(out / "scarseg.safetensors", "cpu")
    assert session.ecg_trained and session.settings["trust"]["level"] == 0.8
    evidence = session.see(phantom_patient(9, slices=4, slice_mm=16.0, size=128).stack)
    assert np.isfinite(evidence.scar_logit).all()


def test_a_pair_without_dates_is_named(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    write_pairs(tmp_path / "more", 2, 2)
    (tmp_path / "more" / "Case_001" / "dates.json").write_text('{"mri": null, "ecg": null}')
    header = tmp_path / "more" / "Case_001" / "ecg.hea"
    header.write_text(
        "\n".join(
            " ".join(line.split()[:4]) if n == 0 else line for n, line in enumerate(header.read_text().splitlines())
        )
    )
    assert main(["train", "--cases", str(tmp_path / "more"), "--out", str(tmp_path / "run"), *OPTIONS]) == 2
    assert "Case_001: its ECG has no known gap to the MRI" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_patient_in_two_folders_is_refused(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    command = ["train", "--cases", str(cases), "--cases", str(cases), "--out", str(tmp_path / "run"), *OPTIONS]
    assert main(command) == 2
    assert "stands in two of the folders" in capsys.readouterr().err


def test_figures_of_patients_the_start_has_seen_are_refused(cases: Path, tmp_path: Path, capsys) -> None:
    known = Session.load(device="cpu").settings["member_trained_on"][0]
    held = tmp_path / "known"
    for number, name in enumerate(known[:2]):
        case = held / name
        case.mkdir(parents=True)
        for kind in ("img", "seg"):
            source = cases / f"Case_{number:03d}" / f"Case_{number:03d}_{kind}.nii.gz"
            nibabel.save(nibabel.load(source), case / f"{name}_{kind}.nii.gz")
    assert main(["train", "--cases", str(held), "--out", str(tmp_path / "run"), *OPTIONS]) == 2
    assert "has seen patients that are held out" in capsys.readouterr().err


def test_without_start_weights_the_shipped_encoder_speaks_and_its_tokens_are_new(tmp_path: Path) -> None:
    """Tokens of the shipped weights have seen patients that may be held out here; the rest has seen none."""
    shipped = read_weights().part("ecg.encoder.")
    encoder = _encoder(None, tmp_path).state_dict()
    again = _encoder(None, tmp_path).state_dict()
    for name, value in encoder.items():
        assert torch.equal(value, again[name])
        assert torch.equal(value, shipped[name]) != name.startswith("tokens."), name
