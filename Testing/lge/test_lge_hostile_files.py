"""Volume and label files that are cut off, name other files, or unpack to far more than an image."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.lge.read import read_lge

HEADER = (
    *("NRRD0004", "type: uint8", "dimension: 3", "sizes: 36 40 6", "encoding: raw"),
    *("space: left-posterior-superior", "space directions: (1.5,0,0) (0,1.5,0) (0,0,8)", "space origin: (0,0,0)"),
)
SECRET = bytes(range(1, 217)) * 40  # 36 x 40 x 6 voxels of another file


@pytest.fixture
def stack(tmp_path, picture) -> LgeStack:
    image = sitk.GetImageFromArray(picture)
    image.SetSpacing((1.5, 1.5, 8.0))
    sitk.WriteImage(image, str(tmp_path / "lge.nrrd"))
    return read_lge(tmp_path / "lge.nrrd")


def labels_file(path: Path, stack: LgeStack) -> Path:
    labels = np.random.default_rng(0).integers(1, 4, stack.voxels.shape).astype(np.uint8)
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing((1.5, 1.5, 8.0))
    sitk.WriteImage(image, str(path), useCompression=path.suffix != ".nii")
    return path


# ---------------------------------------------------------------- cut off


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.nrrd"])
@pytest.mark.parametrize("kept", [0.4, 0.6, 0.95])
def test_labels_that_are_cut_off_are_refused(tmp_path, stack, capfd, name, kept) -> None:
    path = labels_file(tmp_path / name, stack)
    assert read_labels(path, stack).min() > 0
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(InputError, match="cut off or damaged"):
        read_labels(path, stack)
    assert capfd.readouterr().err == ""


def test_labels_are_known_by_their_content(tmp_path, stack) -> None:
    path = labels_file(tmp_path / "a.nii", stack)
    expected = read_labels(path, stack)
    for name in ("odd", "a.nrrd", "b.nii.gz"):
        np.testing.assert_array_equal(read_labels(path.rename(tmp_path / name), stack), expected)
        path = tmp_path / name
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    with pytest.raises(InputError, match="neither NIfTI nor NRRD"):
        read_labels(path, stack)


def test_values_that_are_no_numbers_are_no_labels(tmp_path, stack, write_nifti) -> None:
    labels = np.ones(stack.voxels.shape, np.float32)
    labels[2, 3, 4] = np.nan
    with pytest.raises(InputError, match="not numbers"):
        read_labels(write_nifti(tmp_path / "a.nii", labels), stack)


# ---------------------------------------------------------------- other people's files


def other_file(tmp_path: Path) -> Path:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(SECRET)
    (folder / "good.raw").write_bytes(SECRET[::-1])
    return folder / "a.nhdr"


OTHER = "data file: ../secret.bin"
GOOD = "data file: good.raw"
DISGUISES = {
    "after 64 kB of comments": "\n".join([*HEADER, *["# " + "x" * 70] * 1000, OTHER]),
    "after one comment of 64 kB": "\n".join([*HEADER, "# " + "x" * 2**16, OTHER]),
    "hidden by another line end": "\n".join([*HEADER, OTHER, "# \x85" + GOOD]),
    "hidden by a form feed": "\n".join([*HEADER, OTHER, "# \x0c" + GOOD]),
    "hidden by a carriage return": "\n".join([*HEADER, OTHER, "# \r" + GOOD]),
    "in a comment that ends early": "\n".join([*HEADER, GOOD, "# \r" + OTHER]),
    "twice": "\n".join([*HEADER, OTHER, GOOD]),
    "twice, the other way round": "\n".join([*HEADER, GOOD, OTHER]),
    "in two spellings": "\n".join([*HEADER, OTHER, "datafile: good.raw"]),
    "in capitals": "\n".join([*HEADER, "Data File: ../secret.bin", GOOD]),
    "with two blanks": "\n".join([*HEADER, "data  file: ../secret.bin", GOOD]),
    "with a zero byte": "\n".join([*HEADER, "data file: good.raw\0/../../secret.bin"]),
}


@pytest.mark.parametrize("how", DISGUISES)
@pytest.mark.parametrize("end", ["", "\n", "\n\n"])
def test_a_header_cannot_name_a_file_elsewhere(tmp_path, refused, stack, how, end) -> None:
    path = other_file(tmp_path)
    path.write_bytes((DISGUISES[how] + end).encode("latin-1"))
    refused(path)
    with pytest.raises(InputError):
        read_labels(path, stack)


def test_a_link_to_a_header_does_not_move_its_folder(tmp_path) -> None:
    path = other_file(tmp_path)
    path.write_bytes(("\n".join([*HEADER, GOOD]) + "\n").encode())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "good.raw").symlink_to(tmp_path / "secret.bin")
    (elsewhere / "a.nhdr").symlink_to(path)
    assert bytes(read_lge(elsewhere / "a.nhdr").voxels.astype(np.uint8).ravel()[:3]) in (SECRET[::-1][:3], SECRET[:3])
    np.testing.assert_array_equal(read_lge(elsewhere / "a.nhdr").voxels, read_lge(path).voxels)


def test_labels_hold_their_own_voxels(tmp_path, stack) -> None:
    path = other_file(tmp_path)
    for line in (GOOD, OTHER, "data file: /etc/passwd", f"data file: {tmp_path / 'secret.bin'}"):
        path.write_bytes(("\n".join([*HEADER, line]) + "\n").encode())
        with pytest.raises(InputError, match="another file|outside its own folder"):
            read_labels(path, stack)


# ---------------------------------------------------------------- bombs


def bomb(path: Path, write_nifti, sizes: tuple[int, ...], kind: type) -> Path:
    """A compressed NIfTI file of zeros; one packed block is used again and again, so its checksum is wrong."""
    head = write_nifti(path.with_suffix(".head"), np.zeros((1, 1, 1), kind), sizes=sizes).read_bytes()[:352]
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    count = math.ceil(math.prod(sizes) * np.dtype(kind).itemsize / 2**20)
    path.write_bytes(start + block * count + packer.flush())
    return path


@pytest.mark.parametrize(
    ("sizes", "kind", "words"),
    [((4096, 4096, 5), np.uint8, "million voxels"), ((4096, 4096, 3), np.int16, "far more than images do")],
)
def test_a_small_file_that_unpacks_to_much_is_refused_unread(
    tmp_path, write_nifti, refused, at_most_mb, sizes, kind, words
) -> None:
    path = bomb(tmp_path / "a.nii.gz", write_nifti, sizes, kind)
    assert path.stat().st_size < 2**20
    with at_most_mb(5):
        refused(path, words)


def test_a_nrrd_bomb_is_refused_unread(tmp_path, refused) -> None:
    head = [*HEADER[:3], "sizes: 4096 4096 3", "encoding: gzip", *HEADER[5:]]
    head[1] = "type: double\nendian: little"
    (tmp_path / "a.nrrd").write_bytes(("\n".join(head) + "\n\n").encode() + gzip.compress(bytes(2**20)))
    refused(tmp_path / "a.nrrd", "far more than images do")


def test_labels_of_another_grid_are_refused_unread(tmp_path, stack, write_nifti, at_most_mb) -> None:
    path = bomb(tmp_path / "a.nii.gz", write_nifti, (4096, 4096, 3), np.int16)
    with at_most_mb(5), pytest.raises(InputError, match="give labels on the image's grid"):
        read_labels(path, stack)


def test_empty_labels_may_be_packed_as_tightly_as_they_like(tmp_path, stack, write_nifti) -> None:
    path = write_nifti(tmp_path / "a.nii", np.zeros(stack.voxels.shape, np.uint8))
    packed = gzip.compress(path.read_bytes())
    path = tmp_path / "a.nii.gz"
    path.write_bytes(packed)
    image = np.arange(stack.voxels.size, dtype=np.int32).reshape(stack.voxels.shape)
    stack = read_lge(write_nifti(tmp_path / "lge.nii", image))
    assert not read_labels(path, stack).any()
    assert struct.unpack("<I", packed[-4:])[0] > 20 * len(packed)
