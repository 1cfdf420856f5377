"""Numbers of NIfTI and NRRD headers: at their limits, not finite, said twice; read right or refused."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pytest

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import LgeNote
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.lge.volume_file import read_volume
from ScarSegECGLib.wording import words

NAN, INF = float("nan"), float("inf")
# name, offset, format
NIFTI_NUMBERS = {
    "qfac": (76, "f"), "pixdim1": (80, "f"), "pixdim2": (84, "f"), "pixdim3": (88, "f"), "vox_offset": (108, "f"),
    "qform_code": (252, "h"), "sform_code": (254, "h"), "quatern_b": (256, "f"), "quatern_c": (260, "f"),
    "quatern_d": (264, "f"), "qoffset_x": (268, "f"), "qoffset_z": (276, "f"), "srow_x0": (280, "f"),
    "srow_y2": (304, "f"), "srow_z3": (324, "f"), "scl_slope": (112, "f"), "scl_inter": (116, "f"),
    "dim0": (40, "h"), "dim1": (42, "h"), "dim3": (46, "h"), "bitpix": (72, "h"), "datatype": (70, "h"),
    "xyzt_units": (123, "b"), "sizeof_hdr": (0, "i"),
}  # fmt: skip
ODD = {"f": (NAN, INF, -INF, 0.0, -1.0, 1e30, -1e30, 1e-30, 0.5, 351.5), "h": (0, -1, 32767, -32768, 3, 8), "b": (0, 3),
       "i": (0, 540, -1)}  # fmt: skip


def changed(path: Path, **values: float) -> Path:
    """A NIfTI file with other numbers in its header."""
    data = bytearray(path.read_bytes())
    for name, value in values.items():
        offset, kind = NIFTI_NUMBERS[name]
        struct.pack_into(f"<{kind}", data, offset, value)
    path.write_bytes(data)
    return path


@pytest.fixture
def both_forms(tmp_path, picture) -> Path:
    """A NIfTI file of a short-axis pose whose sform and qform agree."""
    axes = np.array([[-0.97, 0.50, 4.97], [-1.0, -0.49, -4.81], [0.0, -1.21, 4.01]])
    matrix = np.eye(4)
    matrix[:3, :3] = np.linalg.qr(axes)[0] * [1.4, 1.4, 8.0]
    matrix[:3, 3] = (14, 255, 131)
    image = nibabel.Nifti1Image(picture.astype(np.int16).T, matrix)
    image.set_qform(matrix, 1)
    image.set_sform(matrix, 2)
    nibabel.save(image, tmp_path / "both.nii")
    return tmp_path / "both.nii"


def test_voxels_and_matrix_are_those_of_other_readers(both_forms, tmp_path, picture) -> None:
    volume, other = read_volume(both_forms), nibabel.load(both_forms, mmap=False)
    np.testing.assert_array_equal(volume.voxels, np.asarray(other.dataobj).T)
    np.testing.assert_allclose(volume.ijk_to_ras, other.affine, atol=1e-6)
    nrrd.write(
        str(tmp_path / "a.nrrd"),
        picture.T,
        {"space": "left-posterior-superior", "space directions": np.diag([1.4, 1.4, 8]), "space origin": [1, 2, 3]},
    )
    again = read_volume(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(again.voxels, nrrd.read(str(tmp_path / "a.nrrd"))[0].T)
    np.testing.assert_array_equal(again.ijk_to_ras[:3, :3], np.diag([-1.4, -1.4, 8]))
    np.testing.assert_array_equal(again.ijk_to_ras[:3, 3], (-1, -2, 3))


@pytest.mark.parametrize("name", NIFTI_NUMBERS)
def test_an_odd_number_is_refused_or_read_as_nibabel_reads_it(both_forms, name) -> None:
    whole = both_forms.read_bytes()
    for forms in ({}, {"sform_code": 0}, {"qform_code": 0}):
        for value in ODD[NIFTI_NUMBERS[name][1]]:
            both_forms.write_bytes(whole)
            changed(both_forms, **(forms | {name: value}))
            try:
                stack, volume = read_lge(both_forms), read_volume(both_forms)
            except InputError as error:
                assert "\n" not in str(error) and str(error).endswith(".")
                continue
            other = nibabel.load(both_forms, mmap=False)
            np.testing.assert_allclose(volume.voxels, np.asanyarray(other.dataobj).reshape(volume.voxels.shape[::-1]).T)
            if stack.orientation_known and not stack.notes:
                np.testing.assert_allclose(volume.ijk_to_ras, other.affine, atol=1e-5)


@pytest.mark.parametrize("value", [NAN, INF, -INF, 1e30])
@pytest.mark.parametrize("name", ["pixdim3", "quatern_c", "qoffset_x", "srow_y2", "srow_z3"])
def test_no_number_of_the_pose_may_be_missing(both_forms, refused, name, value) -> None:
    changed(both_forms, **{name: value})
    refused(both_forms)


@pytest.mark.parametrize("offset", [0, 100, 348, 351.5, NAN])
def test_voxels_do_not_begin_within_the_header(both_forms, refused, offset) -> None:
    changed(both_forms, vox_offset=offset)
    refused(both_forms, "where the voxels begin")


def test_a_slope_of_zero_says_nothing_of_an_intercept(both_forms, picture) -> None:
    for slope in (0.0, NAN):
        changed(both_forms, scl_slope=slope, scl_inter=-1000.0)
        np.testing.assert_array_equal(read_volume(both_forms).voxels, picture)
    changed(both_forms, scl_slope=2.0, scl_inter=-1000.0)
    np.testing.assert_array_equal(read_volume(both_forms).voxels, picture * 2.0 - 1000.0)


def test_the_last_voxel_counts(tmp_path, write_nifti, refused) -> None:
    values = np.random.default_rng(0).normal(size=(3, 33, 35)).astype(np.float32)
    values[-1, -1, -1] = NAN
    refused(write_nifti(tmp_path / "a.nii", values), "not numbers")


def test_forms_that_do_not_agree_are_told_and_the_sform_is_used(both_forms) -> None:
    agreeing = read_lge(both_forms)
    assert agreeing.notes == ()
    moved = read_lge(changed(both_forms, qoffset_x=40.0))
    np.testing.assert_array_equal(moved.ijk_to_ras, agreeing.ijk_to_ras)
    assert moved.notes[0].code is LgeNote.FORMS_DISAGREE and moved.notes[0]["offset"] == pytest.approx(26.0)
    turned = read_lge(changed(both_forms, qoffset_x=14.0, quatern_b=0.0))
    np.testing.assert_array_equal(turned.ijk_to_ras, agreeing.ijk_to_ras)
    assert turned.notes[0]["axes"] > 10 and "mirrored" in words(turned.notes[0])


def test_units_of_length_are_kept(both_forms) -> None:
    data = nibabel.load(both_forms, mmap=False)
    metres = nibabel.Nifti1Image(np.asarray(data.dataobj), np.diag([1e-3, 1e-3, 1e-3, 1]) @ data.affine)
    metres.header.set_xyzt_units("meter")
    nibabel.save(metres, both_forms)
    assert read_lge(both_forms).spacing == pytest.approx((8.0, 1.4, 1.4))


def test_second_version(both_forms, picture) -> None:
    nibabel.save(nibabel.Nifti2Image.from_image(nibabel.load(both_forms, mmap=False)), both_forms.with_name("two.nii"))
    np.testing.assert_array_equal(read_volume(both_forms.with_name("two.nii")).voxels, picture)
    assert read_lge(both_forms.with_name("two.nii")).spacing == pytest.approx((8.0, 1.4, 1.4))


def test_a_name_that_is_no_text_is_a_name(both_forms, picture) -> None:
    path = Path(str(both_forms.parent) + "/M\udcfcller.nii")
    both_forms.rename(path)
    np.testing.assert_array_equal(read_volume(path).voxels, picture)


# ---------------------------------------------------------------- NRRD

GOOD = {
    "type": "uint16", "dimension": "3", "sizes": "36 40 6", "space": "left-posterior-superior", "endian": "little",
    "space directions": "(1.5,0,0) (0,1.5,0) (0,0,8)", "space origin": "(1,2,3)", "encoding": "raw",
}  # fmt: skip


def nrrd_file(path: Path, data: bytes, **fields: str | None) -> Path:
    lines = GOOD | {name.replace("_", " "): value for name, value in fields.items()}
    text = "\n".join(["NRRD0004", *(f"{key}: {value}" for key, value in lines.items() if value is not None)])
    path.write_bytes(text.encode() + b"\n\n" + data)
    return path


@pytest.mark.parametrize("encoding", ["ascii", "text", "txt", "hex", "bzip2", "bz2", "zrl", "raw;gzip", "", "RAW\t1"])
def test_only_raw_and_gzip_are_read(tmp_path, picture, refused, encoding) -> None:
    data = b"1 " * picture.size + b"7" * 1100
    refused(nrrd_file(tmp_path / "a.nrrd", data, encoding=encoding), "neither raw nor gzip")


@pytest.mark.parametrize(
    "fields",
    [
        {"dimension": "³"}, {"dimension": "３"}, {"dimension": "3.0"}, {"dimension": "-3"}, {"sizes": "36 40 ６"},
        {"sizes": "36 40 1_0"}, {"sizes": "36 40 0"}, {"sizes": "36 40"}, {"space_origin": "(nan,0,0)"},
        {"space_origin": "(1,2)"}, {"space_origin": "(1,2,inf)"}, {"space_directions": "(1.5,0,0) (0,1.5,0) (0,0,nan)"},
        {"space_directions": "(1.5,0,0) (0,1.5,0) none"}, {"space_directions": "(1.5,0,0) (0,1.5,0) (0,0,1e300)"},
        {"space_directions": "(1.5,0,0) (0,1.5,0) (0,0,0)"}, {"space_directions": "(1_5,0,0) (0,1.5,0) (0,0,8)"},
        {"space_directions": "(1.5,0,0) (0,1.5,0) (0,0,8"}, {"spacings": "1 1 1"}, {"endian": None},
        {"byte_skip": "10"}, {"type": "block"}, {"space_units": '"ell" "ell" "ell"'}, {"space_origin": "(1e300,0,0)"},
    ],
)  # fmt: skip
def test_numbers_of_a_nrrd_header(tmp_path, picture, refused, fields) -> None:
    refused(nrrd_file(tmp_path / "a.nrrd", picture.tobytes(), **fields))


CENTIMETRES = {
    "space_units": '"cm" "cm" "cm"',
    "space_directions": "(.15,0,0) (0,15e-2,0) (0,0,+0.8)",
    "space_origin": "(.1,.2,.3)",
}
RAS = {
    "space": "right-anterior-superior",
    "space_directions": "(-1.5,0,0) (0,-1.5,0) (0,0,8)",
    "space_origin": "(-1,-2,3)",
}


def test_spellings_of_a_sound_nrrd(tmp_path, picture) -> None:
    data = picture.tobytes()
    usual = read_lge(nrrd_file(tmp_path / "a.nrrd", data))
    for fields, content in (
        ({"encoding": "gz"}, gzip.compress(data)),
        ({"encoding": "GZIP", "type": "unsigned short"}, gzip.compress(data)),
        ({"endian": "big"}, picture.byteswap().tobytes()),
        (CENTIMETRES, data),
        (RAS, data),
    ):
        stack = read_lge(nrrd_file(tmp_path / "b.nrrd", content, **fields))
        np.testing.assert_array_equal(stack.voxels, usual.voxels)
        np.testing.assert_allclose(stack.ijk_to_ras, usual.ijk_to_ras)


# ---------------------------------------------------------------- contrast


def test_a_handful_of_negative_values_is_no_psir(tmp_path, write_nifti) -> None:
    rng = np.random.default_rng(1)
    magnitude = np.abs(rng.normal(200, 150, (6, 40, 36))).astype(np.float32)

    def contrast(values: np.ndarray) -> str:
        return read_lge(write_nifti(tmp_path / "a.nii", values.astype(np.float32))).contrast

    one = magnitude.copy()
    one[0, 0, 0] = -1
    assert contrast(one) == "unknown"
    shallow = magnitude - 3.0  # a third of one per cent of the bright end below zero, as interpolation leaves it
    assert (shallow < 0).mean() > 0.005 and contrast(shallow) == "unknown"
    for value in (-1, -1024, -32768):
        padded = magnitude.copy()
        padded[:, :15] = value
        assert contrast(padded) == "unknown", value
    psir = rng.normal(100, 300, (6, 40, 36))
    assert contrast(psir) == "psir"
    psir[:, :15] = -4096
    assert contrast(psir) == "psir"


def test_field_cases(shared_data, refused) -> None:
    cases = shared_data / "field_cases"
    disagree, agree = (read_lge(cases / "01-sform-qform" / f"lge{kind}.nii.gz") for kind in ("", "_agreeing"))
    np.testing.assert_allclose(disagree.ijk_to_ras, agree.ijk_to_ras, atol=1e-3)
    np.testing.assert_array_equal(disagree.voxels, agree.voxels)
    assert disagree.notes[0]["axes"] == pytest.approx(180, abs=0.1)
    assert agree.notes == ()
    assert read_lge(cases / "02-one-negative-voxel" / "lge.nii.gz").contrast == "unknown"
    for name, said in (
        ("01-sform-inf-hang/inf.nii", "position or voxel size"),
        ("02-qform-nan-silent/pixdim3-nan.nii", "voxel size"),
        ("02-qform-nan-silent/qoff0-nan.nii", "qform"),
        ("02-qform-nan-silent/quat1-nan.nii", "qform"),
        ("03-nrrd-ascii-stack-overflow/token.nrrd", "neither raw nor gzip"),
        ("04-nrrd-dimension-superscript/dim.nrrd", "no dimension"),
        ("06-last-voxel-nan/odd.nii", "not numbers"),
        ("07-vox-offset-0-cut/cut.nii", "where the voxels begin"),
    ):
        refused(cases / "hostile" / name, said)
