"""NIfTI and NRRD: what is read, what is refused, and in which words."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ScarSegECGLib.case import Storage
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.wording import all_words

SIGNED = np.random.default_rng(3).integers(-500, 500, size=(6, 40, 36)).astype(np.int16)


def nrrd_text(*lines: str, sizes: str = "36 40 6", dimension: int = 3) -> bytes:
    base = ["NRRD0004", "type: uint16", f"dimension: {dimension}", f"sizes: {sizes}", "endian: little", *lines]
    return ("\n".join(base) + "\n\n").encode()


# ---------------------------------------------------------------- what is read


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "SCAN.NII", "scan", "scan.dcm", "scan.nrrd", "wrong.nii"])
@pytest.mark.parametrize("compressed", [False, True])
def test_nifti_is_known_by_its_content(tmp_path, picture, write_nifti, capfd, name, compressed) -> None:
    path = write_nifti(tmp_path / name, picture)
    if compressed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    stack = read_lge(path)
    np.testing.assert_array_equal(stack.voxels, picture)
    assert stack.storage == Storage()
    assert stack.spacing == pytest.approx((8.0, 1.5, 1.5))
    assert stack.contrast == "unknown" and stack.acquired is None and stack.orientation_known
    assert stack.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert capfd.readouterr().err == ""
    assert list(tmp_path.iterdir()) == [path]


def test_nifti_matrix_is_ras_and_flips_are_undone(tmp_path, picture, write_nifti) -> None:
    neurological = np.diag([1.5, 1.5, -8.0, 1.0])  # columns to the right, rows to the front, slices downwards
    neurological[:3, 3] = (-10, -20, 90)
    stack = read_lge(write_nifti(tmp_path / "a.nii", picture, sform=neurological))
    np.testing.assert_array_equal(stack.voxels, picture[::-1, ::-1, ::-1])
    np.testing.assert_allclose(stack.stored_ijk_to_ras, neurological)
    np.testing.assert_allclose(stack.ijk_to_ras @ [0, 0, 0, 1], neurological @ [35, 39, 5, 1])
    np.testing.assert_array_equal(stack.storage.to_stored(stack.voxels), picture)


def test_a_label_map_is_not_taken_for_images(tmp_path, write_nifti) -> None:
    labels = np.zeros((6, 40, 36), np.int16)
    labels[:, 10:25, 10:25], labels[:, 14:20, 14:20] = 2, 1
    with pytest.raises(InputError, match="label map"):
        read_lge(write_nifti(tmp_path / "a.nii", labels))
    labels[:, 2:9, 2:34] = np.arange(224).reshape(7, 32) % 17  # as AHA segments have
    with pytest.raises(InputError, match="label map"):
        read_lge(write_nifti(tmp_path / "aha.nii", labels))
    with pytest.raises(InputError, match="constant"):
        read_lge(write_nifti(tmp_path / "empty.nii", np.zeros_like(labels)))


def test_nifti_without_orientation_is_read_as_stored_with_a_note(tmp_path, picture, write_nifti) -> None:
    stack = read_lge(write_nifti(tmp_path / "a.nii", picture, sform_code=0))
    assert not stack.orientation_known
    assert any("assumed" in note for note in all_words(stack.notes))
    np.testing.assert_array_equal(stack.voxels, picture)
    assert stack.spacing == pytest.approx((8.0, 1.5, 1.5))


def test_signed_values_are_phase_sensitive(tmp_path, write_nifti) -> None:
    assert read_lge(write_nifti(tmp_path / "a.nii", SIGNED)).contrast == "psir"


def test_one_time_point_counts_as_three_dimensional(tmp_path, picture, write_nifti) -> None:
    path = write_nifti(tmp_path / "a.nii", picture, sizes=(36, 40, 6, 1))
    np.testing.assert_array_equal(read_lge(path).voxels, picture)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", ["a.nrrd", "a.NRRD", "a.nhdr", "odd"])
def test_nrrd(tmp_path, picture, compress, name) -> None:
    image = sitk.GetImageFromArray(picture)
    image.SetSpacing((1.25, 1.5, 9.0))
    written = tmp_path / ("a.nhdr" if name == "a.nhdr" else "a.nrrd")
    sitk.WriteImage(image, str(written), useCompression=compress)
    path = written if written.name == name else written.rename(tmp_path / name)
    stack = read_lge(path)
    np.testing.assert_array_equal(stack.voxels, picture)
    assert stack.spacing == pytest.approx((9.0, 1.5, 1.25))
    assert stack.orientation_known and len(stack.sha256) == 64


def test_nrrd_hash_covers_the_detached_data(tmp_path, picture) -> None:
    image = sitk.GetImageFromArray(picture)
    image.SetSpacing((1.5, 1.5, 8.0))
    sitk.WriteImage(image, str(tmp_path / "a.nhdr"))
    before = read_lge(tmp_path / "a.nhdr").sha256
    raw = bytearray((tmp_path / "a.raw").read_bytes())
    raw[7] ^= 1
    (tmp_path / "a.raw").write_bytes(raw)
    assert read_lge(tmp_path / "a.nhdr").sha256 != before


@pytest.mark.parametrize(
    "lines", [("spacings: 1.5 1.5 8",), ("space dimension: 3", "space directions: (1.5,0,0) (0,1.5,0) (0,0,8)")]
)
def test_nrrd_without_a_patient_space_is_read_as_stored_with_a_note(tmp_path, picture, lines) -> None:
    path = tmp_path / "a.nrrd"
    path.write_bytes(nrrd_text(*lines, "encoding: raw") + picture.tobytes())
    stack = read_lge(path)
    assert not stack.orientation_known and any("assumed" in note for note in all_words(stack.notes))
    np.testing.assert_array_equal(stack.voxels, picture)
    assert stack.spacing == pytest.approx((8.0, 1.5, 1.5))


# ---------------------------------------------------------------- real files


def test_every_emidec_file_comes_out_as_it_is_stored(shared_data) -> None:
    meta = json.loads((shared_data / "emidec" / "meta.json").read_text())
    paths = sorted((shared_data / "emidec" / "cases").glob("*/*_img.nii.gz"))[::9]
    assert len(paths) > 5 and meta
    for path in paths:
        stack = read_lge(path)
        np.testing.assert_array_equal(stack.voxels, sitk.GetArrayFromImage(sitk.ReadImage(str(path))))
        assert stack.storage == Storage()
        assert stack.orientation_known
        assert any("true pose" in note for note in all_words(stack.notes))  # the header's axes are the scanner's


@pytest.mark.parametrize(
    ("case", "shape", "spacing"),
    [("P100", (7, 258, 248), (13.0, 1.40625, 1.40625)), ("N006", (9, 246, 148), (10.0, 1.4583334, 1.4583334))],
)
def test_native_files_keep_their_true_lengths(shared_data, capfd, case, shape, spacing) -> None:
    path = next((shared_data / "emidec_native").glob(f"{case}/*_img.nii*"))
    stack = read_lge(path)
    assert stack.voxels.shape == shape
    assert stack.spacing == pytest.approx(spacing, rel=1e-6)  # their sform says 1 mm each way, pixdim is right
    assert any("pixdim" in note for note in all_words(stack.notes))
    assert stack.storage == Storage()
    assert capfd.readouterr().err == ""


# ---------------------------------------------------------------- what is refused


def test_missing_empty_and_foreign_files(tmp_path, refused) -> None:
    refused(tmp_path / "none.nii", "not found")
    (tmp_path / "empty.nii.gz").touch()
    refused(tmp_path / "empty.nii.gz", "empty")
    (tmp_path / "text.nii").write_text("this is not an image " * 100)
    refused(tmp_path / "text.nii", "not an image")
    (tmp_path / "zip.nii.gz").write_bytes(gzip.compress(b"neither is this " * 1000))
    refused(tmp_path / "zip.nii.gz", "not an image")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    refused(tmp_path / "picture.png", "not an image")
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder", "no DICOM MR images")
    (tmp_path / "short.nii").write_bytes(b"\x5c\x01\0\0" + bytes(100))
    refused(tmp_path / "short.nii", "cut off")


def test_unreadable_file(tmp_path, monkeypatch, refused) -> None:
    (tmp_path / "a.nii").write_bytes(b"x" * 400)

    def forbidden(*_args: object, **_keys: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    refused(tmp_path / "a.nii", "cannot be read")


@pytest.mark.parametrize("kept", [200, 349, 400, 5000, -1])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated_nifti(tmp_path, picture, write_nifti, refused, kept, compressed) -> None:
    path = write_nifti(tmp_path / ("a.nii.gz" if compressed else "a.nii"), picture)
    whole = gzip.compress(path.read_bytes()) if compressed else path.read_bytes()
    path.write_bytes(whole[:kept])
    refused(path, "cut off or damaged")


def test_damaged_compressed_nifti(tmp_path, picture, write_nifti, refused) -> None:
    path = write_nifti(tmp_path / "a.nii.gz", picture)
    packed = bytearray(gzip.compress(path.read_bytes()))
    packed[-6] ^= 0xFF  # the checksum
    path.write_bytes(packed)
    refused(path, "cut off or damaged")


def test_truncated_nrrd(tmp_path, picture, refused) -> None:
    for encoding, data in (("raw", picture.tobytes()), ("gzip", gzip.compress(picture.tobytes()))):
        path = tmp_path / f"{encoding}.nrrd"
        path.write_bytes(nrrd_text("spacings: 1.5 1.5 8", f"encoding: {encoding}") + data[: len(data) // 2])
        refused(path, "cut off or damaged")
    (tmp_path / "bad.nrrd").write_bytes(b"NRRD0004\nnonsense\n")
    refused(tmp_path / "bad.nrrd", "damaged")


def test_wrong_dimensions(tmp_path, picture, write_nifti, refused) -> None:
    refused(write_nifti(tmp_path / "2d.nii", picture[0], spacing=(1.5, 1.5)), "two-dimensional")
    refused(write_nifti(tmp_path / "4d.nii", np.stack([picture, picture])), "more than three dimensions")
    refused(write_nifti(tmp_path / "few.nii", picture[:2]), "2 slice", "at least 3")
    refused(write_nifti(tmp_path / "small.nii", picture[:, :20]), "at least 32")
    for dimension, sizes, words in ((2, "36 40", "two-dimensional"), (4, "36 40 3 2", "more than three dimensions")):
        path = tmp_path / f"{dimension}.nrrd"
        path.write_bytes(nrrd_text("encoding: raw", sizes=sizes, dimension=dimension) + picture.tobytes())
        refused(path, words)


def test_header_promising_too_much_is_refused_before_memory_is_taken(tmp_path, picture, write_nifti, refused) -> None:
    refused(write_nifti(tmp_path / "big.nii", picture, sizes=(30000, 30000, 30000)), "million voxels")
    refused(write_nifti(tmp_path / "zero.nii", picture, sizes=(36, -5, 6)), "header is damaged")
    path = tmp_path / "big.nrrd"
    path.write_bytes(nrrd_text("encoding: raw", "spacings: 1 1 8", sizes="30000 30000 30000") + picture.tobytes())
    refused(path, "million voxels")


def test_useless_values(tmp_path, picture, write_nifti, refused) -> None:
    values = picture.astype(np.float32)
    for bad in (np.nan, np.inf, -np.inf):
        spoilt = values.copy()
        spoilt[2, 3, 4] = bad
        refused(write_nifti(tmp_path / "a.nii", spoilt), "not numbers")
    refused(write_nifti(tmp_path / "a.nii", np.full_like(values, 7)), "constant")
    refused(write_nifti(tmp_path / "a.nii", values.astype(np.complex64)), "complex")
    refused(write_nifti(tmp_path / "a.nii", picture, datatype=999), "number format")


def test_colour(tmp_path, picture, write_nifti, refused) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, size=(6, 40, 36, 3)).astype(np.uint8)
    for name in ("rgb.nrrd", "rgb.nii"):
        sitk.WriteImage(sitk.GetImageFromArray(rgb, isVector=True), str(tmp_path / name))
        refused(tmp_path / name, "colour")


@pytest.mark.parametrize(
    ("spacing", "words"),
    [
        ((0.2, 0.2, 8.0), "pixel size"),
        ((6.0, 6.0, 10.0), "pixel size"),
        ((1.5, 1.5, 26.0), "apart"),
        ((0.0015, 0.0015, 0.008), "pixel size"),
    ],
)
def test_absurd_spacing(tmp_path, picture, write_nifti, refused, spacing, words) -> None:
    refused(write_nifti(tmp_path / "a.nii", picture, spacing=spacing), words)


def test_sheared_axes(tmp_path, picture, write_nifti, refused) -> None:
    sheared = np.diag([-1.5, -1.5, 8.0, 1.0])
    sheared[0, 2] = 1.5
    refused(write_nifti(tmp_path / "a.nii", picture, sform=sheared), "right angles")
    path = write_nifti(tmp_path / "b.nii", picture, sform=sheared)
    data = bytearray(path.read_bytes())
    data[252:254] = (1).to_bytes(2, "little")  # a sound qform beside it must not hide the sheared sform
    path.write_bytes(data)
    refused(path, "right angles")
    path = tmp_path / "a.nrrd"
    text = nrrd_text("space: RAS", "space directions: (-1.5,0,0) (-0.3,-1.5,0) (0,0,8)", "encoding: raw")
    path.write_bytes(text + picture.tobytes())
    refused(path, "right angles")


def test_other_nifti_kinds(tmp_path, picture, write_nifti, refused) -> None:
    refused(write_nifti(tmp_path / "a.hdr", picture, magic=b"ni1\0"), "pair of files")


def test_nrrd_data_stays_in_its_folder(tmp_path, picture, refused) -> None:
    (tmp_path / "outside.raw").write_bytes(picture.tobytes())
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "link.raw").symlink_to(tmp_path / "outside.raw")
    header = folder / "a.nhdr"
    for name in ("../outside.raw", str(tmp_path / "outside.raw"), "link.raw"):
        header.write_bytes(nrrd_text("spacings: 1.5 1.5 8", "encoding: raw", f"data file: {name}"))
        refused(header, "outside its own folder")
    (folder / "circle.raw").symlink_to(folder / "circle.raw")
    for name in ("none.raw", "circle.raw", "1" * 300):
        header.write_bytes(nrrd_text("spacings: 1.5 1.5 8", "encoding: raw", f"data file: {name}"))
        refused(header, "missing")
    for name in ("LIST\na.raw", "a%02d.raw 0 5 1"):
        header.write_bytes(nrrd_text("spacings: 1.5 1.5 8", "encoding: raw", f"data file: {name}"))
        refused(header, "several data files")


def test_random_damage_never_ends_in_anything_but_a_clear_line(tmp_path, picture, write_nifti, capfd) -> None:
    rng = np.random.default_rng(11)
    sitk.WriteImage(sitk.GetImageFromArray(picture), str(tmp_path / "ok.nrrd"))
    sources = [write_nifti(tmp_path / "ok.nii", picture), tmp_path / "ok.nrrd"]
    for source in sources:
        whole = source.read_bytes()
        for turn in range(40):
            spoilt = bytearray(whole)
            for _ in range(3):
                spoilt[rng.integers(0, 352)] = rng.integers(0, 256)
            path = tmp_path / f"spoilt{turn}{source.suffix}"
            path.write_bytes(spoilt)
            try:
                read_lge(path)
            except InputError as error:
                assert "\n" not in str(error)
    assert capfd.readouterr().err == ""
