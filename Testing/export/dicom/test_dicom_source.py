"""Images that objects may refer to, and images that are refused with a clear line."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pydicom
import pytest
from dicom_case import made_up_labels, made_up_result, made_up_stack, make_case, picture
from highdicom.legacy import LegacyConvertedEnhancedMRImage
from highdicom.spatial import PixelToReferenceTransformer
from lge_series import TURNS, write_series
from pydicom.uid import generate_uid

from ScarSegECGLib.case import RAS_LPS
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.dicom.source import read_source
from ScarSegECGLib.export.dicom.write import write_dicom
from ScarSegECGLib.export.result_folder import read_result
from ScarSegECGLib.lge.read import read_lge


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
def test_frames_carry_the_images_own_pixels(tmp_path, turn) -> None:
    write_series(tmp_path / "series", made_up_stack(), turn=turn)
    stack = read_lge(tmp_path / "series")
    source = read_source(stack)
    for image, frame in zip(source.images, source.frames(stack.voxels), strict=True):
        assert np.array_equal(image.pixel_array, frame)


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
def test_each_pixel_lies_where_its_own_header_says(tmp_path, turn) -> None:
    write_series(tmp_path / "series", made_up_stack(), turn=turn)
    stack = read_lge(tmp_path / "series")
    for k, image in enumerate(read_source(stack).images):
        pose = image.ImagePositionPatient, image.ImageOrientationPatient, image.PixelSpacing
        corners = np.array([[0, 0, 0, 1], [0, image.Rows - 1, 0, 1], [image.Columns - 1, 0, 0, 1]]).T
        lps = PixelToReferenceTransformer(*pose).affine @ corners
        found = (np.linalg.inv(stack.ijk_to_ras) @ RAS_LPS @ lps)[2::-1]
        places = np.rint(found).astype(int)
        assert np.abs(found - places).max() < 1e-3
        assert set(places[0]) == {k}
        assert np.array_equal(image.pixel_array[[0, -1, 0], [0, 0, -1]], stack.voxels[tuple(places)])


def test_images_with_one_uid_are_no_source(tmp_path) -> None:
    def change(_k: int, dataset: pydicom.Dataset) -> None:
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"

    write_series(tmp_path / "series", made_up_stack(), change=change)
    with pytest.raises(InputError, match="carry one SOP Instance UID"):
        read_source(read_lge(tmp_path / "series"))


def test_a_multi_frame_image_is_a_source_too(tmp_path, dcmqi, on_stack) -> None:
    written = made_up_stack()
    paths = write_series(tmp_path / "slices", written)
    enhanced = LegacyConvertedEnhancedMRImage(
        [pydicom.dcmread(path) for path in paths], generate_uid(), 8, generate_uid(), 1
    )
    (tmp_path / "series").mkdir()
    enhanced.save_as(tmp_path / "series" / "image")
    stack = read_lge(tmp_path / "series")
    source = read_source(stack)
    assert len(source.images) == 1
    frames = source.frames(stack.voxels)
    for frame, position in zip(frames, source.positions, strict=True):
        (own,) = (
            number
            for number, group in enumerate(source.first.PerFrameFunctionalGroupsSequence)
            if group.PlanePositionSequence[0].ImagePositionPatient == position[0].ImagePositionPatient
        )
        assert np.array_equal(frame, source.first.pixel_array[own])
    result = made_up_result(stack, made_up_labels()[:: _direction(stack, written)])
    (tmp_path / "out").mkdir()
    write_dicom(result, {"bullseye.png": picture()}, source, tmp_path / "out")
    dcmqi(
        "segimage2itkimage", "--inputDICOM", tmp_path / "out" / "segmentation.dcm", "--outputDirectory", tmp_path,
        "--prefix", "q", "-t", "nrrd",
    )  # fmt: skip
    assert np.array_equal(on_stack(tmp_path / "q-3.nrrd", stack) > 0, result.labels == 3)
    out = tmp_path / "map"
    out.mkdir()
    dcmqi("paramap2itkimage", "--inputDICOM", tmp_path / "out" / "scar_probability.dcm", "--outputDirectory", out,
          "-t", "nrrd")  # fmt: skip
    assert np.array_equal(on_stack(next(out.glob("*.nrrd")), stack).astype(np.float32), result.scar_probability)
    seg = pydicom.dcmread(tmp_path / "out" / "segmentation.dcm")
    at = [g.PlanePositionSequence[0].ImagePositionPatient for g in source.first.PerFrameFunctionalGroupsSequence]
    for group in seg.PerFrameFunctionalGroupsSequence:
        (reference,) = group.DerivationImageSequence[0].SourceImageSequence
        assert reference.ReferencedSOPInstanceUID == source.first.SOPInstanceUID
        lies = group.PlanePositionSequence[0].ImagePositionPatient
        np.testing.assert_allclose(at[int(reference.ReferencedFrameNumber) - 1], lies, atol=1e-4)


def _direction(stack, written) -> int:
    return 1 if stack.ijk_to_ras[:3, 2] @ written.ijk_to_ras[:3, 2] > 0 else -1


def test_other_formats_are_not_dicom(tmp_path) -> None:
    with pytest.raises(InputError, match="not DICOM"):
        read_source(made_up_stack())


def _move(by: float):
    stack = made_up_stack()
    step = np.diag([-1.0, -1.0, 1.0]) @ stack.ijk_to_ras[:3, 2]

    def change(k: int, dataset: pydicom.Dataset) -> None:
        if k == 5:
            moved = np.array(dataset.ImagePositionPatient, float) + by * step
            dataset.ImagePositionPatient = [round(float(x), 6) for x in moved]

    return change


def test_uneven_slices_are_refused(tmp_path) -> None:
    write_series(tmp_path / "series", made_up_stack(), change=_move(0.04))
    stack = read_lge(tmp_path / "series")  # good enough to be measured
    with pytest.raises(InputError, match="evenly spaced to 1 %"):
        read_source(stack)


@pytest.mark.parametrize("stated", [0.0, 2.0, 8.02])
def test_objects_have_the_slices_own_distance_whatever_the_images_call_it(tmp_path, stated) -> None:
    def change(_k: int, dataset: pydicom.Dataset) -> None:
        dataset.SpacingBetweenSlices = stated  # the gap, or rounded

    case = make_case(tmp_path, change=change)
    write_dicom(case.result, case.pictures, case.source, tmp_path)
    shared = pydicom.dcmread(tmp_path / "segmentation.dcm").SharedFunctionalGroupsSequence[0]
    assert shared.PixelMeasuresSequence[0].SpacingBetweenSlices == pytest.approx(8.0, abs=1e-3)


def test_a_slice_shifted_in_its_plane_is_refused(tmp_path) -> None:
    def change(k: int, dataset: pydicom.Dataset) -> None:
        if k == 5:
            along = np.array(dataset.ImageOrientationPatient[:3], float)
            dataset.ImagePositionPatient = [float(x) for x in np.array(dataset.ImagePositionPatient) + 0.7 * along]

    write_series(tmp_path / "series", made_up_stack(), change=change)
    stack = read_lge(tmp_path / "series")
    with pytest.raises(InputError, match="shifted against each other|evenly spaced"):
        read_source(stack)


@pytest.mark.parametrize("keyword", ["FrameOfReferenceUID"])
def test_images_without_a_frame_of_reference_are_refused(tmp_path, keyword) -> None:
    write_series(tmp_path / "series", made_up_stack(), change=lambda k, dataset: dataset.pop(keyword))
    stack = read_lge(tmp_path / "series")
    with pytest.raises(InputError, match="frame of reference"):
        read_source(stack)


def test_poor_headers_are_carried_on(tmp_path, validate) -> None:
    """Empty, missing and impossible values that a real archive holds."""

    def spoil(k: int, dataset: pydicom.Dataset) -> None:
        with pydicom.config.disable_value_validation():
            for keyword in ("AccessionNumber", "StudyID", "ReferringPhysicianName", "PatientBirthDate"):
                del dataset[keyword]
            dataset.PatientSex = ""
            dataset.PatientName = "No Carets Here"

    case = make_case(tmp_path, change=spoil)
    (tmp_path / "out").mkdir()
    write_dicom(case.result, case.pictures, case.source, tmp_path / "out")
    assert pydicom.dcmread(tmp_path / "out" / "segmentation.dcm").PatientName == "No Carets Here"
    validate(tmp_path / "out" / "segmentation.dcm", tmp_path / "out" / "report.dcm")


def test_a_result_of_another_place_is_refused(tmp_path) -> None:
    case = make_case(tmp_path)
    moved = dataclasses.replace(made_up_stack(), ijk_to_ras=made_up_stack().ijk_to_ras + np.eye(4)[:, [3, 3, 3, 3]] * 0)
    matrix = moved.ijk_to_ras.copy()
    matrix[:3, 3] += 20.0
    write_series(tmp_path / "other", dataclasses.replace(moved, ijk_to_ras=matrix))
    with pytest.raises(InputError, match="off the image"):
        read_result(case.folder, read_lge(tmp_path / "other"))


def test_a_result_of_other_bytes_can_be_told(tmp_path, case) -> None:
    path = tmp_path / "result"
    path.mkdir()
    for file in case.folder.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    content = json.loads((path / "result.json").read_text())
    content["inputs"]["lge_sha256"] = content["record"]["of"]["stack"]["of"]["sha256"] = "00" * 32
    (path / "result.json").write_text(json.dumps(content))
    assert read_result(path, case.stack).stack.sha256 == "00" * 32 != case.stack.sha256


@pytest.mark.parametrize("spoil", ["no json", "no labels", "cut", "other version", "no orientation", "stale"])
def test_a_damaged_result_is_refused(tmp_path, case, spoil) -> None:
    path = tmp_path / "result"
    path.mkdir()
    for file in case.folder.iterdir():
        (path / file.name).write_bytes(file.read_bytes())
    content = json.loads((path / "result.json").read_text())
    if spoil == "no json":
        (path / "result.json").unlink()
    elif spoil == "no labels":
        (path / "labels.nii.gz").unlink()
    elif spoil == "cut":
        del content["scar"]["with_ecg"]
    elif spoil == "other version":
        content["schema_version"] = "99.0"
    elif spoil == "no orientation":
        content["geometry"]["orientation_known"] = False
    elif spoil == "stale":
        content["scar"]["with_ecg"]["ml"] *= 1.5
    if spoil != "no json":
        (path / "result.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as error:
        read_result(path, case.stack)
    assert str(tmp_path) not in str(error.value)
