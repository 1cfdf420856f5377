"""Written images lie on the input's own grid, whatever its voxel order and handedness."""

from __future__ import annotations

import gzip
import itertools

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from example_results import SHAPE, make_result, pose, world_points
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from ScarSegECGLib.case import Storage
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export import images
from ScarSegECGLib.export.images import stored, write_nifti

STORAGES = st.builds(
    Storage,
    axes=st.sampled_from(list(itertools.permutations(range(3)))),
    flips=st.tuples(st.booleans(), st.booleans(), st.booleans()),
)


def header_affine(path) -> np.ndarray:
    """The sform of a NIfTI-1 file, straight from its bytes."""
    head = gzip.decompress(path.read_bytes())[:348]
    assert head[344:348] == b"n+1\0"
    assert int.from_bytes(head[254:256], "little") > 0, "no sform"
    return np.vstack([np.frombuffer(head, "<f4", 12, 280).reshape(3, 4), [0, 0, 0, 1]])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(storage=STORAGES, seed=st.integers(0, 1000), mirrored=st.booleans())
def test_every_image_has_the_inputs_grid_and_the_right_places(tmp_path, storage, seed, mirrored):
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    if (np.linalg.det(rotation) < 0) != mirrored:
        rotation[:, 2] *= -1
    result = make_result(storage, rotation)
    write_nifti(result, tmp_path)
    expected = {
        "labels": result.labels,
        "aha17": result.anatomy.aha,
        "scar_probability": result.scar_probability,
        "scar_probability_image_only": result.scar_probability_image_only,
    }
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.nii.gz" for name in expected}
    for name, canonical in expected.items():
        path = tmp_path / f"{name}.nii.gz"
        affine = header_affine(path)
        np.testing.assert_allclose(affine, result.stack.stored_ijk_to_ras, atol=1e-4)
        voxels = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        assert voxels.dtype == canonical.dtype
        np.testing.assert_array_equal(result.stack.storage.to_canonical(voxels), canonical)
        if name == "labels":
            for label in (1, 2, 3):
                written = world_points(voxels == label, affine)
                true = world_points(canonical == label, result.stack.ijk_to_ras)
                distance, partner = cKDTree(true).query(written)
                assert sorted(partner) == list(range(len(true)))
                assert distance.max() < 2e-3


def test_left_handed_files_stay_left_handed(tmp_path):
    right = make_result(rotation=np.eye(3))
    left = make_result(Storage(flips=(True, False, False)), np.eye(3))
    signs = []
    for result in (right, left):
        write_nifti(result, tmp_path)
        signs.append(np.sign(np.linalg.det(header_affine(tmp_path / "labels.nii.gz")[:3, :3])))
    assert signs == [1, -1]


def test_a_slanted_stack_is_refused_not_straightened():
    slanted = pose(np.eye(3))
    slanted[:3, 2] += slanted[:3, 0]
    result = make_result()
    object.__setattr__(result.stack, "stored_ijk_to_ras", slanted)
    with pytest.raises(InputError, match="not perpendicular"):
        stored(result.labels, result.stack)


def test_slices_whose_places_were_rounded_are_no_slanted_stack(tmp_path):
    """Positions rounded to 0.01 mm, of eight slices of 8 mm: the axes are off by up to 0.02 degrees."""
    rounded = pose(np.eye(3))
    along = rounded[:3, 2] / np.linalg.norm(rounded[:3, 2])
    rounded[:3, 2] += np.linalg.norm(rounded[:3, 2]) * 3e-4 * rounded[:3, 0] / np.linalg.norm(rounded[:3, 0])
    assert np.degrees(np.arccos(rounded[:3, 2] @ along / np.linalg.norm(rounded[:3, 2]))) > 0.01
    result = make_result(rotation=np.eye(3))
    object.__setattr__(result.stack, "stored_ijk_to_ras", rounded)
    write_nifti(result, tmp_path)
    corner = np.array([*SHAPE[::-1], 1.0])
    assert np.linalg.norm((header_affine(tmp_path / "labels.nii.gz") @ corner - rounded @ corner)[:3]) < 0.1


def test_an_array_of_another_shape_is_refused():
    result = make_result()
    with pytest.raises(ValueError, match="shape"):
        stored(result.labels[1:], result.stack)
    assert stored(result.labels, result.stack).shape == SHAPE


def test_both_forms_of_the_pose_are_written_and_say_the_same(tmp_path):
    result = make_result(Storage((1, 2, 0), (False, True, False)))
    write_nifti(result, tmp_path)
    image = nibabel.load(tmp_path / "labels.nii.gz")
    for matrix, code in (image.get_sform(coded=True), image.get_qform(coded=True)):
        assert code == 1
        np.testing.assert_allclose(matrix, result.stack.stored_ijk_to_ras, atol=1e-3)
    assert image.header.get_xyzt_units()[0] == "mm"


def test_a_full_disk_is_noticed(tmp_path):
    resource = pytest.importorskip("resource", reason="limits on file size need POSIX")
    result = make_result()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
        with pytest.raises(OSError):
            write_nifti(result, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    write_nifti(result, tmp_path)


def test_a_file_that_holds_something_else_is_noticed(tmp_path, monkeypatch):
    result = make_result()
    monkeypatch.setattr(images.Path, "write_bytes", lambda path, content: path.open("wb").write(content[:-9]))
    with pytest.raises(OSError, match="did not read back as written"):
        write_nifti(result, tmp_path)
