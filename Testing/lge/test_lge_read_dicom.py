"""DICOM folders and multi-frame files: order, dates, contrast, and every refusal."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from ScarSegECGLib.case import Storage
from ScarSegECGLib.lge.orientation import short_axis_angle_deg
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.wording import all_words

CINE_SHORT_AXIS = (11, 1, 2, 3, 4, 5)


def setting(**values: object):
    """A change that gives every slice these DICOM values."""

    def change(_k: int, d: pydicom.FileDataset) -> None:
        for keyword, value in values.items():
            setattr(d, keyword, value)

    return change


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize("seed", range(3))
def test_slices_are_ordered_by_position_not_by_number_or_name(tmp_path, picture, write_series, capfd, seed) -> None:
    write_series(tmp_path / "s", shuffle=seed)
    stack = read_lge(tmp_path / "s")
    np.testing.assert_array_equal(stack.voxels, picture)  # the pose's normal runs from apex to base
    assert stack.spacing == pytest.approx((8.0, 1.5, 1.25))
    assert stack.storage == Storage()
    assert stack.contrast == "magnitude" and stack.orientation_known and stack.notes == ()
    np.testing.assert_allclose(stack.ijk_to_ras @ [0, 0, 0, 1], [-10, 20, 30, 1], atol=1e-6)
    last = np.array(pydicom.dcmread(next(iter(_by_position(tmp_path / "s")))).ImagePositionPatient, float)
    np.testing.assert_allclose((stack.ijk_to_ras @ [0, 0, 5, 1])[:3], last * [-1, -1, 1], atol=1e-6)
    assert capfd.readouterr().err == ""


def _by_position(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda p: -float(pydicom.dcmread(p).ImagePositionPatient[2]))


def test_hash_ignores_names_but_not_bytes(tmp_path, write_series) -> None:
    paths = write_series(tmp_path / "s")
    before = read_lge(tmp_path / "s").sha256
    for k, path in enumerate(reversed(paths)):
        path.rename(path.with_name(f"other{k}.ima"))
    assert read_lge(tmp_path / "s").sha256 == before
    spoilt = tmp_path / "s" / "other0.ima"
    data = bytearray(spoilt.read_bytes())
    data[-1] ^= 1
    spoilt.write_bytes(data)
    assert read_lge(tmp_path / "s").sha256 != before


def test_other_objects_deep_folders_and_links_are_ignored(tmp_path, picture, write_series) -> None:
    folder = tmp_path / "s"
    write_series(folder / "one" / "two")
    write_series(folder.joinpath(*"1234567"), start=20)  # deeper than six levels
    write_series(tmp_path / "outside", start=30)
    (folder / "link").symlink_to(tmp_path / "outside", target_is_directory=True)
    (folder / "file").symlink_to(next((tmp_path / "outside").iterdir()))
    (folder / "broken").symlink_to(tmp_path / "nowhere")
    (folder / "notes.txt").write_text("DICM")
    (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM" + b"not to be read")
    write_series(folder / "seg", picture[:1], change=setting(Modality="SEG"))
    np.testing.assert_array_equal(read_lge(folder).voxels, picture)


def test_rescale_is_applied_per_slice(tmp_path, picture, write_series) -> None:
    def change(k: int, d: pydicom.FileDataset) -> None:
        d.RescaleSlope, d.RescaleIntercept, d.RescaleType = 0.5 + k, -3, "US"

    write_series(tmp_path / "s", change=change)
    stack = read_lge(tmp_path / "s")
    np.testing.assert_allclose(stack.voxels, picture * (0.5 + np.arange(6))[:, None, None] - 3, rtol=1e-6)
    assert stack.contrast == "magnitude"  # the header says so, and three voxels below zero say nothing


@pytest.mark.parametrize(
    ("values", "contrast"),
    [
        ({"ImageType": ["DERIVED", "PRIMARY", "PSIR", "ND"]}, "psir"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "CR", "CR"]}, "psir"),
        ({"SeriesDescription": "LGE_SAX_psir_PSIR"}, "psir"),
        ({"SeriesDescription": "LGE_SAX_psir_MAG"}, "magnitude"),
        ({"SeriesDescription": "LGE SAX", "ProtocolName": "PSIR"}, "magnitude"),
        ({}, "magnitude"),
    ],
)
def test_contrast(tmp_path, write_series, values, contrast) -> None:
    write_series(tmp_path / "s", change=setting(**values))
    assert read_lge(tmp_path / "s").contrast == contrast


@pytest.mark.parametrize(
    ("values", "when"),
    [
        (
            {"AcquisitionDateTime": "20210405101112.5+0100", "AcquisitionDate": "20210101"},
            datetime(2021, 4, 5, 10, 11, 12),
        ),
        ({"AcquisitionDate": "20210405", "AcquisitionTime": "1011"}, datetime(2021, 4, 5, 10, 11)),
        ({"ContentDate": "20210406", "ContentTime": "101112.123"}, datetime(2021, 4, 6, 10, 11, 12)),
        ({}, datetime(2020, 3, 3, 8)),
        ({"StudyDate": "", "StudyTime": ""}, None),
        ({"AcquisitionDateTime": "2021"}, datetime(2020, 3, 3, 8)),
        ({"AcquisitionDate": "20211399"}, datetime(2020, 3, 3, 8)),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")
def test_when(tmp_path, write_series, values, when) -> None:
    write_series(tmp_path / "s", change=setting(**values))
    assert read_lge(tmp_path / "s").acquired == when


@pytest.mark.parametrize(
    "values",
    [{"LongitudinalTemporalInformationModified": "MODIFIED"}, {"StudyDate": "19000101"}, {"StudyDate": "21500101"}],
)
def test_dates_that_cannot_be_trusted_are_not_used_and_said(tmp_path, write_series, values) -> None:
    write_series(tmp_path / "s", change=setting(**values))
    stack = read_lge(tmp_path / "s")
    assert stack.acquired is None
    assert any("date" in note for note in all_words(stack.notes))


def test_enhanced_multi_frame(tmp_path, picture, write_series, capfd) -> None:
    from highdicom.legacy import LegacyConvertedEnhancedMRImage

    paths = write_series(tmp_path / "s", shuffle=1, change=setting(AcquisitionDateTime="20210405101112"))
    image = LegacyConvertedEnhancedMRImage([pydicom.dcmread(p) for p in paths], generate_uid(), 1, generate_uid(), 1)
    image.save_as(tmp_path / "enhanced.dcm")
    single, folder = read_lge(tmp_path / "enhanced.dcm"), read_lge(tmp_path / "s")
    np.testing.assert_array_equal(single.voxels, folder.voxels)
    np.testing.assert_allclose(single.ijk_to_ras, folder.ijk_to_ras, atol=1e-5)
    assert single.acquired == folder.acquired
    assert capfd.readouterr().err == ""


def test_real_short_axis_poses(shared_data, tmp_path) -> None:
    files = {k: shared_data / "dicom" / "cine_bivme" / f"Se{k}.dcm" for k in range(1, 12)}
    angles = {}
    for k, path in files.items():
        row, column = np.array(pydicom.dcmread(path).ImageOrientationPatient, float).reshape(2, 3)
        angles[k] = short_axis_angle_deg(np.cross(row, column) * [-1, -1, 1])
    assert max(angles[k] for k in CINE_SHORT_AXIS) < 10  # 8.5 measured
    assert min(angle for k, angle in angles.items() if k not in CINE_SHORT_AXIS) > 60  # RVOT 61.8, others 74 to 87

    for number, k in enumerate((3, 11, 5, 1, 4, 2)):  # one series, in no order
        d = pydicom.dcmread(files[k])
        d.SeriesInstanceUID, d.SeriesDescription, d.ProtocolName = "1.2.3", "LGE short axis", "LGE"
        d.ImageType = ["ORIGINAL", "PRIMARY", "M"]  # the same pictures as if they were not cine
        d.save_as(tmp_path / f"{number}.dcm")
    stack = read_lge(tmp_path)
    for slice_, k in enumerate((5, 4, 3, 2, 1, 11)):  # apex first, as the pictures show
        np.testing.assert_array_equal(stack.voxels[slice_], pydicom.dcmread(files[k]).pixel_array)
    assert stack.spacing[1:] == pytest.approx((1.40625, 1.40625))
    # Read off the pictures: in slice 3 the LV centre is at row 107, column 155, the RV at row 85, column 125;
    # left and up in the picture is right and forwards in the patient.
    left = stack.ijk_to_ras[:3, :3] @ [-30, -22, 0]
    assert left[0] > 0 and left[1] > 0


def test_a_fresh_process_prints_nothing(tmp_path, write_series) -> None:
    """Warnings are only seen outside pytest; pydicom's quote the header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_series(tmp_path / "s", series="1.2.SECRET", change=setting(SeriesDescription="S" * 80))
        shutil.copytree(tmp_path / "s", tmp_path / "t")
    cut = next((tmp_path / "t").iterdir())
    cut.write_bytes(cut.read_bytes()[:-900])
    code = (
        "import sys\nfrom ScarSegECGLib.lge.read import read_lge\nread_lge(sys.argv[1])\n"
        "try: read_lge(sys.argv[2])\nexcept ValueError as e: sys.exit(7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "s", tmp_path / "t"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


# ---------------------------------------------------------------- what is refused


def test_two_series(tmp_path, write_series, refused) -> None:
    write_series(tmp_path / "s" / "a")
    write_series(tmp_path / "s" / "b", start=20)
    refused(tmp_path / "s", "2 series", "(6, 6 images)")


def test_real_cine_files_are_eleven_series(shared_data, refused) -> None:
    refused(shared_data / "dicom" / "cine_bivme", "11 series")


def test_two_images_per_slice_that_nothing_tells_apart(tmp_path, write_series, refused) -> None:
    same = setting(StudyInstanceUID="1.2.9")
    write_series(tmp_path / "s", series="1.2.3", change=same)
    paths = write_series(tmp_path / "t", series="1.2.3", change=same)
    for path in paths:
        shutil.move(path, tmp_path / "s" / f"psir{path.name}")
    refused(tmp_path / "s", "12 images at 6 positions", "PSIR")


def test_all_images_at_one_position(tmp_path, write_series, refused) -> None:
    write_series(tmp_path / "s", step=np.zeros(3))
    refused(tmp_path / "s", "6 images at 1 positions")


@pytest.mark.parametrize("gone", [1, 3])
def test_missing_slice(tmp_path, write_series, refused, gone) -> None:
    write_series(tmp_path / "s")[gone].unlink()
    refused(tmp_path / "s", f"1 slice(s) missing after slice {gone}", "16.0 mm, not 8.0")


def test_uneven_spacing(tmp_path, write_series, refused, normal) -> None:
    def change(k: int, d: pydicom.FileDataset) -> None:
        d.ImagePositionPatient = list(np.array(d.ImagePositionPatient, float) + (k == 5) * 2.0 * normal)

    write_series(tmp_path / "s", change=change)
    refused(tmp_path / "s", "not evenly spaced", "8.0 to 10.0")


def test_small_differences_in_spacing_pass(tmp_path, write_series, normal) -> None:
    def change(k: int, d: pydicom.FileDataset) -> None:
        d.ImagePositionPatient = list(np.array(d.ImagePositionPatient, float) + (k == 5) * 0.3 * normal)

    write_series(tmp_path / "s", change=change)
    assert read_lge(tmp_path / "s").spacing[0] == pytest.approx(8.06)


def test_slices_shifted_in_plane(tmp_path, write_series, refused) -> None:
    def change(k: int, d: pydicom.FileDataset) -> None:
        row = np.array(d.ImageOrientationPatient[:3], float)
        d.ImagePositionPatient = list(np.array(d.ImagePositionPatient, float) + (k == 2) * 6.0 * row)

    write_series(tmp_path / "s", change=change)
    refused(tmp_path / "s", "shifts slices by up to", "6.0 mm")


def test_sheared_series(tmp_path, write_series, refused, normal) -> None:
    write_series(tmp_path / "s", step=normal * 8 + np.array([1.0, 0, 0]))
    refused(tmp_path / "s", "right angles")


def test_radial_set(tmp_path, write_series, refused) -> None:
    def change(k: int, d: pydicom.FileDataset) -> None:
        angle = np.radians(30.0 * k)
        d.ImageOrientationPatient = [np.cos(angle), np.sin(angle), 0, 0, 0, -1]

    write_series(tmp_path / "s", change=change)
    refused(tmp_path / "s", "not parallel")


@pytest.mark.parametrize("cine", [6, 7, 8, 9, 10])
def test_long_axis_views(tmp_path, shared_data, write_series, refused, cine) -> None:
    source = pydicom.dcmread(shared_data / "dicom" / "cine_bivme" / f"Se{cine}.dcm", stop_before_pixels=True)
    pose = [float(x) for x in source.ImageOrientationPatient]
    write_series(tmp_path / "s", step=8 * np.cross(pose[:3], pose[3:]), change=setting(ImageOrientationPatient=pose))
    refused(tmp_path / "s", "do not look like a short-axis stack")


def test_axial_stack(tmp_path, write_series, refused) -> None:
    axial = setting(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    write_series(tmp_path / "s", step=np.array([0.0, 0.0, 8.0]), change=axial)
    refused(tmp_path / "s", "axial")


def test_too_few_slices_and_one_file(tmp_path, picture, write_series, refused) -> None:
    paths = write_series(tmp_path / "s", picture[:2])
    refused(tmp_path / "s", "2 slice", "at least 3")
    refused(paths[0], "one single DICOM slice", "folder")


def test_not_an_mr_image(tmp_path, write_series, refused) -> None:
    paths = write_series(tmp_path / "s", change=setting(Modality="CT"))
    refused(tmp_path / "s", "no DICOM MR images")
    refused(paths[0], "holds no DICOM MR images")


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"])
def test_no_place_in_the_patient(tmp_path, write_series, refused, keyword) -> None:
    write_series(tmp_path / "a", change=lambda _k, d: delattr(d, keyword))
    said = "pixel spacing" if keyword == "PixelSpacing" else "where they lie"
    refused(tmp_path / "a", said)
    write_series(tmp_path / "b", change=setting(**{keyword: None}))
    refused(tmp_path / "b", said)


def test_colour_and_inverted(tmp_path, write_series, refused) -> None:
    def colour(_k: int, d: pydicom.FileDataset) -> None:
        d.SamplesPerPixel, d.PhotometricInterpretation, d.PlanarConfiguration = 3, "RGB", 0
        d.BitsAllocated, d.BitsStored, d.HighBit = 8, 8, 7
        d.PixelData = bytes(d.Rows * d.Columns * 3)

    write_series(tmp_path / "c", change=colour)
    refused(tmp_path / "c", "colour")
    write_series(tmp_path / "m", change=setting(PhotometricInterpretation="MONOCHROME1"))
    refused(tmp_path / "m", "MONOCHROME1")


def test_different_sizes(tmp_path, write_series, refused) -> None:
    def change(k: int, d: pydicom.FileDataset) -> None:
        if k == 3:
            d.PixelSpacing = [1.6, 1.25]

    write_series(tmp_path / "s", change=change)
    refused(tmp_path / "s", "differ in size or pixel spacing")


def test_constant_and_absurd_spacing(tmp_path, picture, write_series, refused) -> None:
    write_series(tmp_path / "c", np.zeros_like(picture))
    refused(tmp_path / "c", "constant")
    write_series(tmp_path / "p", change=setting(PixelSpacing=[0.1, 0.1]))
    refused(tmp_path / "p", "pixel size")
    write_series(tmp_path / "z", change=setting(PixelSpacing=[0, 0]))
    refused(tmp_path / "z", "pixel spacing")


@pytest.mark.parametrize("kept", [140, 300, 700, -3000, -1])
def test_truncated_slice(tmp_path, write_series, refused, kept) -> None:
    path = write_series(tmp_path / "s")[2]
    path.write_bytes(path.read_bytes()[:kept])
    refused(tmp_path / "s", "damaged")


def test_unknown_compression(tmp_path, write_series, refused) -> None:
    path = write_series(tmp_path / "s")[2]
    data = path.read_bytes().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.9\0", 1)
    path.write_bytes(data)
    refused(tmp_path / "s", "damaged")


def test_multi_frame_that_is_no_plain_stack(tmp_path, write_series, refused) -> None:
    from highdicom.legacy import LegacyConvertedEnhancedMRImage

    paths = write_series(tmp_path / "s")
    slices = [pydicom.dcmread(p) for p in (paths[0], paths[1], paths[2], paths[4])]
    image = LegacyConvertedEnhancedMRImage(slices, generate_uid(), 1, generate_uid(), 1)
    image.save_as(tmp_path / "gap.dcm")
    refused(tmp_path / "gap.dcm", "1 slice(s) missing after slice 3", "16.0 mm, not 8.0")
    image = LegacyConvertedEnhancedMRImage([pydicom.dcmread(p) for p in paths], generate_uid(), 1, generate_uid(), 1)
    image.save_as(tmp_path / "whole.dcm")
    whole = (tmp_path / "whole.dcm").read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[: len(whole) - 4000])
    refused(tmp_path / "cut.dcm", "damaged")
