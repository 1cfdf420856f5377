"""MVO in Slicer's segmentation: a segment of its own where there is any, the same voxels as in the DICOM objects."""

from __future__ import annotations

import csv
from dataclasses import replace

import nrrd
import numpy as np
import pytest
from dicom_case import DicomCase, made_up_labels, made_up_result, made_up_stack

from ScarSegECGLib.case import MVO, PART_MVO, SCAR, Burden
from ScarSegECGLib.export.images import SEGMENTATION, write_slicer_segmentation
from ScarSegECGLib.export.write import write_segments
from ScarSegECGLib.measure.parts import scar_parts


def names(header: dict) -> dict[str, str]:
    return {
        header[f"Segment{k}_Name"]: header[f"Segment{k}_LabelValue"] for k in range(5) if f"Segment{k}_ID" in header
    }


def test_mvo_is_a_segment_beside_the_rest_of_the_scar(tmp_path) -> None:
    result = made_up_result(made_up_stack(), made_up_labels())
    write_slicer_segmentation(result, tmp_path)
    labels, header = nrrd.read(str(tmp_path / SEGMENTATION))
    assert names(header) == {
        "LV cavity": "1",
        "Myocardium": "2",
        "Scar without MVO": "3",
        "MVO (belongs to the scar)": "4",
    }
    assert "99SCARSEG^MVO" in header["Segment3_Tags"]
    assert (labels == MVO).sum() > 0
    assert (labels >= SCAR).sum() == (result.labels == SCAR).sum()


def test_no_mvo_no_segment(tmp_path) -> None:
    result = replace(made_up_result(made_up_stack(), made_up_labels()), mvo=Burden(0.0, 0.0, 0.0), parts=None)
    write_slicer_segmentation(result, tmp_path)
    labels, header = nrrd.read(str(tmp_path / SEGMENTATION))
    assert names(header) == {"LV cavity": "1", "Myocardium": "2", "Scar": "3"}
    assert labels.max() == SCAR


def test_the_dicom_objects_hold_the_same_mvo(case: DicomCase) -> None:
    result = case.result
    scar, wall = result.labels == SCAR, result.labels >= 2
    dark = scar_parts(result.stack, result.labels == 1, wall, scar).labels == PART_MVO
    assert result.parts is not None and dark.any()
    assert np.array_equal(dark, result.parts.labels == MVO)


def test_the_table_says_how_much_mvo_each_segment_holds(tmp_path) -> None:
    result = made_up_result(made_up_stack(), made_up_labels())
    write_segments(result, tmp_path)
    with (tmp_path / "segments.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    anatomy, scar = result.anatomy, result.labels == SCAR
    dark = scar_parts(result.stack, anatomy.cavity, anatomy.myocardium, scar).labels == PART_MVO
    said = [float(row["mvo_ml"]) if row["mvo_ml"] else 0.0 for row in rows]
    assert sum(said) == pytest.approx(dark.sum() * result.stack.voxel_ml, abs=0.01) and sum(said) > 0
    assert all(mvo <= float(row["scar_ml"]) + 1e-3 for mvo, row in zip(said, rows, strict=True))
    unknown = tuple(replace(row, mvo_ml=None) for row in result.segments)
    write_segments(replace(result, mvo=None, segments=unknown), tmp_path)
    with (tmp_path / "segments.csv").open(encoding="utf-8") as file:
        assert {row["mvo_ml"] for row in csv.DictReader(file)} == {""}
