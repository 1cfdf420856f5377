"""``scarsegecg export``, and the DICOM objects that ``segment`` writes by itself."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from phantom import phantom_patient, write_phantom

from ScarSegECGLib.cli import main
from ScarSegECGLib.export.dicom.write import FILES

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "export" / "dicom"))
from dicom_case import DicomCase, made_up_labels, make_case
from lge_series import write_series


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> DicomCase:
    return make_case(tmp_path_factory.mktemp("case"))


def export(case: DicomCase, out: Path, *more: str) -> int:
    return main(["export", str(case.folder), "--dicom", str(case.series), "--out", str(out), *more])


def test_everything_is_written_and_said(case, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert export(case, out) == 0
    said = capsys.readouterr().out
    assert "8 DICOM objects" in said
    assert "PRELIMINARY, UNVERIFIED" in said
    assert {path.name for path in out.iterdir()} == set(FILES)


def test_labelmap_and_signature(case, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert export(case, out, "--labelmap", "--verified-by", "Curie^Marie") == 0
    assert "FINAL, VERIFIED" in capsys.readouterr().out
    assert pydicom.dcmread(out / "segmentation.dcm").SegmentationType == "LABELMAP"
    report = pydicom.dcmread(out / "report.dcm")
    assert report.VerifyingObserverSequence[0].VerifyingObserverName == "Curie^Marie"


def test_a_second_export_leaves_nothing_of_the_first(case, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert export(case, out) == 0
    before = pydicom.dcmread(out / "segmentation.dcm").SOPInstanceUID
    (out / "notes.txt").write_text("mine")
    (out / "report_pdf.txt").write_text("mine too")
    assert export(case, out) == 2
    assert "already holds a result: add --overwrite to replace it" in capsys.readouterr().err
    assert pydicom.dcmread(out / "segmentation.dcm").SOPInstanceUID == before
    other = make_case(tmp_path / "other", labels=made_up_labels(scar=False), with_ecg=False)
    assert export(other, out, "--overwrite") == 0
    left = {path.name for path in out.iterdir()}
    assert {"notes.txt", "report_pdf.txt"} <= left
    assert not {"scar_parts.dcm", "scar_probability_image_only.dcm"} & left
    assert pydicom.dcmread(out / "segmentation.dcm").SOPInstanceUID != before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda case, tmp: {"result": tmp}, "no result"),
        (lambda case, tmp: {"dicom": case.folder / "scar_probability.nii.gz"}, "not DICOM"),
        (lambda case, tmp: {"verified": "^"}, "Family\\^Given"),
    ],
)
def test_refusals(case, tmp_path, capsys, change, words) -> None:
    given = {"result": case.folder, "dicom": case.series, "verified": "Curie^Marie"} | change(case, tmp_path)
    out = tmp_path / "out"
    arguments = [str(given["result"]), "--dicom", str(given["dicom"]), "--verified-by", given["verified"]]
    assert main(["export", *arguments, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert words.replace("\\", "") in said
    assert str(tmp_path) not in said
    assert not out.exists()


def test_a_folder_of_somebody_elses_keeps_what_it_holds(case, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "bullseye.dcm").write_text("precious")
    assert export(case, out) == 2
    assert "holds other files" in capsys.readouterr().err
    scarless = make_case(tmp_path / "other", labels=made_up_labels(scar=False), with_ecg=False)
    (out / "scar_parts.dcm").write_text("precious")
    assert export(scarless, out, "--overwrite") == 0  # beside them, as asked; what it does not write stays
    assert (out / "scar_parts.dcm").read_text() == "precious"


@pytest.mark.parametrize("more", [[], ["-q"], ["--verified-by", "Curie^Marie"]])
def test_a_result_of_another_file_needs_a_word(case, tmp_path, capsys, more) -> None:
    """On the same grid nothing tells whose heart it is: the objects would carry the patient of these images."""
    other = tmp_path / "result"
    shutil.copytree(case.folder, other)
    content = json.loads((other / "result.json").read_text())
    content["inputs"]["lge_sha256"] = content["record"]["of"]["stack"]["of"]["sha256"] = "0" * 64
    (other / "result.json").write_text(json.dumps(content))
    arguments = ["export", str(other), "--lge", str(case.series), "--out", str(tmp_path / "out"), *more]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "same patient's" in said and "--other-file" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--other-file"]) == 0
    assert "warning: The result was made from another file" in capsys.readouterr().err


def test_segment_on_dicom_writes_dicom_by_itself(tmp_path, capsys) -> None:
    patient = phantom_patient(0)
    write_series(tmp_path / "series", patient.stack, turn=(True, False, True))
    out = tmp_path / "out"
    arguments = ["--lge", str(tmp_path / "series"), "--no-ecg", "--device", "cpu", "--out", str(out)]
    assert main(["segment", *arguments]) == 0
    assert "DICOM objects in dicom/" in capsys.readouterr().out
    first = pydicom.dcmread(out / "dicom" / "segmentation.dcm")
    truth = pydicom.dcmread(next((tmp_path / "series").iterdir()))
    assert first.StudyInstanceUID == truth.StudyInstanceUID
    assert main(["segment", "-q", "--overwrite", *arguments]) == 0
    second = pydicom.dcmread(out / "dicom" / "segmentation.dcm")
    assert second.SOPInstanceUID != first.SOPInstanceUID
    assert np.array_equal(second.pixel_array, first.pixel_array)


def test_images_that_carry_no_dicom_keep_the_result(tmp_path, capsys) -> None:
    patient = phantom_patient(0)

    def uneven(k: int, dataset: pydicom.Dataset) -> None:
        if k == 4:
            normal = np.cross(*np.array(dataset.ImageOrientationPatient, float).reshape(2, 3))
            dataset.ImagePositionPatient = [float(x) for x in np.array(dataset.ImagePositionPatient) + 0.3 * normal]

    write_series(tmp_path / "series", patient.stack, change=uneven)
    out = tmp_path / "out"
    arguments = ["--lge", str(tmp_path / "series"), "--no-ecg", "--device", "cpu", "--out", str(out)]
    warnings.simplefilter("ignore")  # as somebody may have set it
    assert main(["segment", *arguments]) == 0
    assert "no DICOM objects were written: The DICOM images are not one stack" in capsys.readouterr().err
    assert (out / "result.json").is_file()
    assert not (out / "dicom").exists()


def test_other_formats_get_no_dicom(tmp_path, capsys) -> None:
    files = write_phantom(tmp_path, phantom_patient(0))
    out = tmp_path / "out"
    assert main(["segment", "--lge", str(files["lge"]), "--no-ecg", "--device", "cpu", "--out", str(out)]) == 0
    assert "DICOM" not in capsys.readouterr().out
    assert not (out / "dicom").exists()
