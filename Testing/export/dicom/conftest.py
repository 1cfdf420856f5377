"""Cases, validators and the readers of other projects."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_case import DicomCase, make_case
from numpy.typing import NDArray

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.export.dicom.write import write_dicom


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> DicomCase:
    return make_case(tmp_path_factory.mktemp("case"), turn=(False, True, False))


@pytest.fixture(scope="session")
def objects(case: DicomCase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with every object of the case."""
    folder = tmp_path_factory.mktemp("objects")
    write_dicom(case.result, case.pictures, case.source, folder)
    return folder


@pytest.fixture(scope="session")
def validate() -> Callable[..., None]:
    """Insist that dicom3tools finds no error in the files, each for itself and all together."""
    if shutil.which("dciodvfy") is None or shutil.which("dcentvfy") is None:
        pytest.skip("dicom3tools (dciodvfy, dcentvfy) is not installed")

    def check(*files: Path, beside: tuple[Path, ...] = ()) -> None:
        assert files
        for file in files:
            run = subprocess.run(["dciodvfy", "-new", str(file)], capture_output=True, text=True, timeout=60)
            said = run.stdout + run.stderr
            assert [line for line in said.splitlines() if line.startswith("Error")] == [], file.name
            assert "Abort" not in said
        everything = [str(file) for file in (*files, *beside)]
        run = subprocess.run(["dcentvfy", *everything], capture_output=True, text=True, timeout=60)
        assert "Error" not in run.stdout + run.stderr

    return check


@pytest.fixture(scope="session")
def dcmqi() -> Callable[..., str]:
    """Run a command of dcmqi (the reader inside Slicer)."""
    folder = Path(sys.executable).parent

    def run(name: str, *arguments: str | Path) -> str:
        program = folder / name
        if not program.exists():
            pytest.skip("dcmqi is not installed: pip install '.[test]'")
        done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def on_stack() -> Callable[[Path, LgeStack], NDArray]:
    """An image file of another program on the stack's grid, voxel by voxel through patient space; else 0."""
    import SimpleITK as sitk

    def read(path: Path, stack: LgeStack) -> NDArray:
        image = sitk.ReadImage(str(path))
        voxels = sitk.GetArrayFromImage(image)
        index = np.argwhere(np.ones(voxels.shape, bool))[:, ::-1]
        spaced = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
        lps = index @ spaced.T + image.GetOrigin()
        ras = np.c_[lps * (-1, -1, 1), np.ones(len(lps))]
        there = np.linalg.solve(stack.ijk_to_ras, ras.T)[:3].T
        whole = np.rint(there).astype(int)
        flat = voxels.reshape(len(index))
        filled = flat != 0
        assert np.abs(there - whole)[filled].max(initial=0) < 0.02, "voxels lie between those of the stack"
        found = np.zeros(stack.voxels.shape, voxels.dtype)
        found[tuple(whole[filled, ::-1].T)] = flat[filled]
        return found

    return read


@pytest.fixture(scope="session")
def slicer_segments() -> Callable[[Path, str, LgeStack], list[tuple[str, NDArray]]]:
    """What Slicer makes of dcmqi's files: names and voxels of the segments, in MRML's own order.

    Slicer reads DICOM-SEG through dcmqi: each merged label map is imported into a segmentation node by MRML's own
    logic, and its n-th segment takes the n-th entry of the group's descriptions.
    """
    slicer = pytest.importorskip(
        "slicer", reason="Slicer's MRML core (slicer-core) is not importable", exc_type=ImportError
    )
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    def voxels_of(segment: object, stack: LgeStack) -> NDArray:
        image = segment.GetRepresentation("Binary labelmap")
        matrix = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(matrix)
        to_ras = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
        extent = image.GetExtent()
        array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
        inside = np.argwhere(array == segment.GetLabelValue())[:, ::-1] + (extent[0], extent[2], extent[4])
        ras = np.c_[inside, np.ones(len(inside))] @ to_ras.T
        there = np.linalg.solve(stack.ijk_to_ras, ras.T)[:3].T
        whole = np.rint(there).astype(int)
        assert np.abs(there - whole).max(initial=0) < 0.02
        found = np.zeros(stack.voxels.shape, bool)
        found[tuple(whole[:, ::-1].T)] = True
        return found

    def load(folder: Path, prefix: str, stack: LgeStack) -> list[tuple[str, NDArray]]:
        scene = slicer.vtkMRMLScene()
        logic = slicer.vtkSlicerSegmentationsModuleLogic()
        logic.SetMRMLScene(scene)
        shown = []
        for number, group in enumerate(
            json.loads((folder / f"{prefix}-meta.json").read_text())["segmentAttributes"], 1
        ):
            volume = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
            storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
            storage.SetFileName(str(folder / f"{prefix}-{number}.nrrd"))
            assert storage.ReadData(volume) == 1
            node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
            assert logic.ImportLabelmapToSegmentationNode(volume, node)
            segmentation = node.GetSegmentation()
            assert segmentation.GetNumberOfSegments() == len(group)
            for index, described in enumerate(group):
                segment = segmentation.GetNthSegment(index)
                segment.SetName(described["SegmentLabel"])
                shown.append((segment.GetName(), voxels_of(segment, stack)))
        return shown

    return load
