"""DICOM Segmentation: every voxel of it lies where it was segmented, under its own name, in any reader."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_case import DicomCase, made_up_labels, make_case
from lge_series import TURNS
from pydicom.sr.codedict import codes as standard

from ScarSegECGLib.case import CAVITY, MYOCARDIUM, SCAR
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.export.dicom.objects import numbered, renumbered, segmentation
from ScarSegECGLib.export.dicom.write import insist, write_dicom

NAME = "segmentation.dcm"


def written(case: DicomCase, folder: Path, *, labelmap: bool = False) -> Path:
    made = segmentation(case.result.labels, codes.STRUCTURES, case.result, case.source, NAME, labelmap=labelmap)
    made.save_as(folder / NAME)
    return folder / NAME


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
@pytest.mark.parametrize("labelmap", [False, True], ids=["binary", "labelmap"])
def test_every_voxel_comes_back_through_dcmqi(tmp_path, dcmqi, on_stack, turn, labelmap) -> None:
    case = make_case(tmp_path, turn=turn, shuffle=len(str(turn)))
    path = written(case, tmp_path, labelmap=labelmap)
    dcmqi("segimage2itkimage", "--inputDICOM", path, "--outputDirectory", tmp_path, "--prefix", "q", "-t", "nrrd")
    meta = json.loads((tmp_path / "q-meta.json").read_text())
    wrong, names = 0, []
    for number, group in enumerate(meta["segmentAttributes"], 1):
        found = on_stack(tmp_path / f"q-{number}.nrrd", case.stack)
        for segment in group:
            structure = next(s for s in codes.STRUCTURES if s.name == segment["SegmentLabel"])
            wrong += int(((found == segment["labelID"]) != (case.result.labels == structure.label)).sum())
            names.append(structure.name)
    assert names == ["LV cavity", "Myocardium", "Scar"]
    assert wrong == 0


def test_each_frame_refers_to_the_image_that_lies_under_it(case, objects) -> None:
    image_at = {image.SOPInstanceUID: image.ImagePositionPatient for image in case.source.images}
    seg = pydicom.dcmread(objects / NAME)
    for group in seg.PerFrameFunctionalGroupsSequence:
        (reference,) = group.DerivationImageSequence[0].SourceImageSequence
        lies = group.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(image_at[reference.ReferencedSOPInstanceUID], lies, atol=1e-4)
    (series,) = seg.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == case.source.first.SeriesInstanceUID


def test_codes_names_and_creator(objects) -> None:
    seg = pydicom.dcmread(objects / NAME)
    assert seg.ContentCreatorName == "ScarSegECG^"
    assert seg.SegmentationType == "BINARY"
    assert seg.SegmentsOverlap == "NO"
    kinds = [s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in seg.SegmentSequence]
    assert kinds == ["87612001", "49848007", "12402003"]
    regions = [
        s.AnatomicRegionSequence[0].CodeValue if "AnatomicRegionSequence" in s else None for s in seg.SegmentSequence
    ]
    assert regions == ["87878005", None, "49848007"]
    algorithm = seg.SegmentSequence[2].SegmentationAlgorithmIdentificationSequence[0]
    assert "weights_sha256=" + "c3" * 32 in algorithm.AlgorithmParameters
    assert seg.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99SCARSEG"


# DICOM PS3.16, CID 3717, in the order of the AHA's numbers (Cerqueira et al. 2002).
CID_3717 = (
    "264850008", "396482007", "396646008", "264846001", "396652009", "396654005",
    "264848000", "396647004", "396649001", "264847005", "396655006", "396656007",
    "264844003", "264845002", "264849008", "264853005", "128564006",
)  # fmt: skip


def test_the_codes_of_the_aha_segments_are_those_of_pydicoms_table() -> None:
    """Value, meaning and number of each segment, the wall found in the meaning and not by our own names."""
    table = {code.value: code for code in (getattr(standard.cid3717, name) for name in standard.cid3717.dir())}
    assert len(table) == 17 and set(table) == set(CID_3717)
    walls = {1: "anterior", 2: "anteroseptal", 3: "inferoseptal", 4: "inferior", 5: "inferolateral", 6: "anterolateral"}
    apical = {13: "anterior", 14: "septal", 15: "inferior", 16: "lateral"}
    for structure in codes.AHA_SEGMENTS:
        number, kind = structure.label, structure.kind
        assert (kind.meaning, kind.scheme_designator) == (table[kind.value].meaning, "SCT")
        assert kind.value == CID_3717[number - 1]
        wall = apical.get(number) or walls.get((number - 1) % 6 + 1)
        level = "basal" if number < 7 else "mid" if number < 13 else "apical"
        words = "Apex of left ventricle" if number == 17 else f"left ventricle {level} {wall} segment"
        assert table[kind.value].meaning == words


def test_aha_segments_are_the_standard_codes_in_order(case, objects, on_stack, dcmqi, tmp_path) -> None:
    seg = pydicom.dcmread(objects / "aha17.dcm")
    there = [n for n in range(1, 18) if (case.result.anatomy.aha == n).any()]
    assert [int(s.SegmentNumber) for s in seg.SegmentSequence] == list(range(1, len(there) + 1))
    values = [s.SegmentedPropertyTypeCodeSequence[0].CodeValue for s in seg.SegmentSequence]
    assert values == [CID_3717[n - 1] for n in there]
    dcmqi(
        "segimage2itkimage", "--inputDICOM", objects / "aha17.dcm", "--outputDirectory", tmp_path, "--prefix", "a",
        "-t", "nrrd",
    )  # fmt: skip
    for number, aha in enumerate(there, 1):
        found = on_stack(tmp_path / f"a-{number}.nrrd", case.stack) > 0
        assert np.array_equal(found, case.result.anatomy.aha == aha), aha


@pytest.mark.parametrize("empty", [CAVITY, MYOCARDIUM, SCAR])
def test_an_empty_class_takes_no_number_and_no_name(case, tmp_path, empty) -> None:
    labels = np.where(case.result.labels == empty, 0, case.result.labels)
    numbers = numbered(labels, codes.STRUCTURES)
    assert list(numbers.values()) == [1, 2]
    assert empty not in numbers
    made = segmentation(labels, codes.STRUCTURES, case.result, case.source, NAME)
    made.save_as(tmp_path / NAME)
    insist(tmp_path / NAME, renumbered(labels, numbers), case.stack)


@pytest.mark.parametrize("empty", [None, CAVITY, MYOCARDIUM, SCAR])
@pytest.mark.parametrize("labelmap", [False, True], ids=["binary", "labelmap"])
def test_slicer_shows_the_right_names_with_the_right_voxels(
    case, tmp_path, dcmqi, slicer_segments, empty, labelmap
) -> None:
    labels = np.where(case.result.labels == (empty or 255), 0, case.result.labels)
    made = segmentation(labels, codes.STRUCTURES, case.result, case.source, NAME, labelmap=labelmap)
    made.save_as(tmp_path / NAME)
    dcmqi(
        "segimage2itkimage", "--inputDICOM", tmp_path / NAME, "--outputDirectory", tmp_path, "--prefix", "q",
        "-t", "nrrd", "--mergeSegments",
    )  # fmt: skip
    shown = slicer_segments(tmp_path, "q", case.stack)
    expected = [s for s in codes.STRUCTURES if (labels == s.label).any()]
    assert [name for name, _ in shown] == [s.name for s in expected]
    for (_, voxels), structure in zip(shown, expected, strict=True):
        assert np.array_equal(voxels, labels == structure.label)


def test_one_slice_of_scar_is_placed(case, tmp_path, dcmqi, on_stack) -> None:
    """A sparse segment, one frame only, is where readers that guess the slice distance go wrong."""
    labels = np.zeros_like(case.result.labels)
    k = int(np.argmax((case.result.labels == SCAR).sum(axis=(1, 2))))
    labels[k] = np.where(case.result.labels[k] == SCAR, SCAR, 0)
    made = segmentation(labels, codes.STRUCTURES, case.result, case.source, NAME)
    made.save_as(tmp_path / NAME)
    dcmqi("segimage2itkimage", "--inputDICOM", tmp_path / NAME, "--outputDirectory", tmp_path, "--prefix", "q",
          "-t", "nrrd")  # fmt: skip
    assert np.array_equal(on_stack(tmp_path / "q-1.nrrd", case.stack) > 0, labels == SCAR)


def test_dicom3tools_finds_no_error(case, objects, validate) -> None:
    validate(*sorted(objects.glob("*.dcm")), beside=tuple(sorted(case.series.iterdir())))


def test_without_scar_and_ecg_too(tmp_path, validate) -> None:
    case = make_case(tmp_path, labels=made_up_labels(scar=False), with_ecg=False)
    out = tmp_path / "out"
    out.mkdir()
    names = write_dicom(case.result, case.pictures, case.source, out)
    assert "scar_parts.dcm" not in names
    assert "scar_probability_image_only.dcm" not in names
    assert [s.SegmentLabel for s in pydicom.dcmread(out / NAME).SegmentSequence] == ["LV cavity", "Myocardium"]
    validate(*sorted(out.glob("*.dcm")))


def test_labelmap_is_read_strictly_by_pydicom(case, tmp_path) -> None:
    path = written(case, tmp_path, labelmap=True)
    before = pydicom.config.settings.reading_validation_mode
    try:
        pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            dataset = pydicom.dcmread(path)
            dataset.walk(lambda owner, element: element.value)
    finally:
        pydicom.config.settings.reading_validation_mode = before
    assert dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.66.7"
    assert highdicom.seg.segread(path).segment_numbers == [1, 2, 3]


def test_nothing_segmented_is_said(tmp_path) -> None:
    case = make_case(tmp_path)
    empty = replace(case.result, labels=np.zeros_like(case.result.labels))
    with pytest.raises(InputError, match="Nothing is segmented"):
        write_dicom(empty, {}, case.source, tmp_path)


@pytest.mark.parametrize("labelmap", [False, True], ids=["binary", "labelmap"])
def test_one_changed_voxel_is_noticed(case, tmp_path, labelmap) -> None:
    path = written(case, tmp_path, labelmap=labelmap)
    numbers = numbered(case.result.labels, codes.STRUCTURES)
    insist(path, renumbered(case.result.labels, numbers), case.stack)
    labels = case.result.labels.copy()
    labels[4, 10, 10] = CAVITY
    with pytest.raises(OSError, match="did not read back"):
        insist(path, renumbered(labels, numbers), case.stack)


@pytest.mark.parametrize("shift", [(0, 0, 8.0), (1.4, 0, 0), (0.7, 0, 0)])
def test_a_shifted_frame_is_noticed(case, tmp_path, shift) -> None:
    path = written(case, tmp_path)
    numbers = numbered(case.result.labels, codes.STRUCTURES)
    seg = pydicom.dcmread(path)
    plane = seg.PerFrameFunctionalGroupsSequence[3].PlanePositionSequence[0]
    plane.ImagePositionPatient = [float(a) + b for a, b in zip(plane.ImagePositionPatient, shift, strict=True)]
    seg.save_as(path)
    with pytest.raises(OSError, match="did not read back"):
        insist(path, renumbered(case.result.labels, numbers), case.stack)
