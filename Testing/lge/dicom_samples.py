"""Write DICOM MR series, enhanced images, DICOMDIRs and archives for tests; every patient's name is made up."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    MRImageStorage,
    generate_uid,
)

from ScarSegECGLib.lge.study import ImageSet, opened_study

Change = Callable[[int, Dataset], None]
SHORT_AXIS = (0.792067, 0.0, 0.610434, 0.377686, 0.785613, -0.490067)  # a real oblique one, LPS
FOUR_CHAMBER = (0.9954, 0.0, 0.0958042, 0.0787602, -0.569348, -0.818315)


def list_series(path: Path) -> tuple[ImageSet, ...]:
    """What a study holds; without pixels to be read from an archive, which is closed by then."""
    with opened_study(path) as sets:
        return sets


@dataclass(frozen=True)
class Pose:
    """Where a series lies, LPS, mm: directions along a row and a column, first pixel, steps."""

    orientation: Sequence[float] = SHORT_AXIS
    origin: Sequence[float] = (-159.772, -134.36, -125.574)
    step_mm: float = 10.0
    pixel_mm: tuple[float, float] = (1.40625, 1.40625)

    @property
    def row(self) -> NDArray[np.float64]:
        return np.array(self.orientation[:3]) / np.linalg.norm(self.orientation[:3])

    @property
    def column(self) -> NDArray[np.float64]:
        return np.array(self.orientation[3:]) / np.linalg.norm(self.orientation[3:])

    @property
    def normal(self) -> NDArray[np.float64]:
        normal = np.cross(self.row, self.column)
        return normal / np.linalg.norm(normal)

    def position(self, k: float) -> list[float]:
        """First pixel of slice k."""
        return [round(float(x), 4) for x in np.array(self.origin) + k * self.step_mm * self.normal]

    def ras(self, index: NDArray) -> NDArray[np.float64]:
        """Where voxels (slice, row, column) lie in the patient, RAS; shape (n, 3)."""
        k, r, c = np.asarray(index, float).T[:, :, None]
        lps = np.array(self.origin) + k * self.step_mm * self.normal
        lps = lps + r * self.pixel_mm[0] * self.column + c * self.pixel_mm[1] * self.row
        return lps * [-1, -1, 1]


@dataclass(frozen=True)
class Study:
    """The identifiers that one exam's series share."""

    uid: str = field(default_factory=generate_uid)
    frame: str = field(default_factory=generate_uid)
    name: str = "SECRET^NAME"

    def header(self, kind: str, series: str, number: int, text: str, uid: str) -> FileDataset:
        """An MR header without pixels and place."""
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, kind
        meta.MediaStorageSOPInstanceUID = uid
        d = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        d.SOPClassUID, d.SOPInstanceUID = kind, uid
        d.StudyInstanceUID, d.SeriesInstanceUID, d.FrameOfReferenceUID = self.uid, series, self.frame
        d.PatientName, d.PatientID, d.PatientBirthDate, d.PatientSex = self.name, "SECRET", "19500101", "O"
        d.Modality, d.Manufacturer, d.StudyID, d.AccessionNumber = "MR", "Nobody", "1", ""
        d.StudyDate, d.StudyTime, d.ReferringPhysicianName = "20200303", "080000", ""
        d.SeriesNumber, d.SeriesDescription, d.PositionReferenceIndicator = number, text, ""
        d.SamplesPerPixel, d.PhotometricInterpretation, d.PixelRepresentation = 1, "MONOCHROME2", 0
        d.BitsAllocated, d.BitsStored, d.HighBit = 16, 16, 15
        return d


def write_lge(
    folder: Path,
    voxels: NDArray[np.uint16],
    *,
    pose: Pose | None = None,
    study: Study | None = None,
    series: str | None = None,
    number: int = 20,
    text: str = "LGE sax psir MAG",
    image_type: Sequence[str] = ("ORIGINAL", "PRIMARY", "M", "ND"),
    change: Change = lambda k, d: None,
    seed: int = 0,
) -> list[Path]:
    """Write one single-frame series with shuffled instance numbers; voxels are (slice, row, column)."""
    pose, study, series = pose or Pose(), study or Study(), series or generate_uid()
    folder.mkdir(parents=True, exist_ok=True)
    numbers = np.random.default_rng(seed).permutation(len(voxels))
    paths = []
    for k, pixels in enumerate(voxels):
        uid = _uid(study.uid, series, number, image_type, k, seed)
        d = study.header(MRImageStorage, series, number, text, uid)
        d.ImageType, d.InstanceNumber = list(image_type), int(numbers[k]) + 1
        d.ImageOrientationPatient, d.ImagePositionPatient = list(pose.orientation), pose.position(k)
        d.PixelSpacing, d.SliceThickness = list(pose.pixel_mm), 8
        d.Rows, d.Columns = pixels.shape
        d.PixelData = np.ascontiguousarray(pixels, dtype="<u2").tobytes()
        change(k, d)
        path = folder / f"S{d.get('SeriesNumber')}I{numbers[k]:04d}"
        d.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def write_enhanced(
    path: Path,
    voxels: NDArray[np.uint16],
    positions: Sequence[float],
    frame_types: Sequence[Sequence[str]],
    *,
    pose: Pose | None = None,
    study: Study | None = None,
    number: int = 30,
    text: str = "LGE sax",
    trigger_ms: Sequence[float] | None = None,
    slope: float = 1.0,
    intercept: Sequence[float] | None = None,
) -> Path:
    """Write one Enhanced MR image; frame j lies at slice ``positions[j]`` and is of type ``frame_types[j]``."""
    pose, study = pose or Pose(), study or Study()
    series, uid = _uid(study.uid, number), _uid(study.uid, number, "image")
    d = study.header(EnhancedMRImageStorage, series, number, text, uid)
    d.ImageType, d.NumberOfFrames = ["ORIGINAL", "PRIMARY", "OTHER", "NONE"], len(voxels)
    d.InstanceNumber, d.AcquisitionDateTime = 1, "20240704104513.955"
    d.Rows, d.Columns = voxels.shape[1:]
    shared = Dataset()
    shared.PixelMeasuresSequence = [_item(PixelSpacing=list(pose.pixel_mm), SliceThickness=8)]
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(pose.orientation))]
    shared.MRModifierSequence = [_item(InversionRecovery="YES", InversionTimes=[300.0])]
    d.SharedFunctionalGroupsSequence = [shared]
    d.PerFrameFunctionalGroupsSequence = []
    for j, k in enumerate(positions):
        groups = Dataset()
        groups.FrameContentSequence = [_item(FrameAcquisitionNumber=j + 1)]
        groups.PlanePositionSequence = [_item(ImagePositionPatient=pose.position(k))]
        groups.MRImageFrameTypeSequence = [_item(FrameType=list(frame_types[j]))]
        low = 0.0 if intercept is None else intercept[j]
        groups.PixelValueTransformationSequence = [_item(RescaleSlope=slope, RescaleIntercept=low, RescaleType="US")]
        if trigger_ms is not None:
            groups.CardiacSynchronizationSequence = [_item(NominalCardiacTriggerDelayTime=trigger_ms[j])]
        d.PerFrameFunctionalGroupsSequence.append(groups)
    d.PixelData = np.ascontiguousarray(voxels, dtype="<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    d.save_as(path, enforce_file_format=True)
    return path


def _item(**values: object) -> Dataset:
    item = Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def _uid(*parts: object) -> str:
    """The same UID for the same parts, so that the same bytes are written again."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


def write_dicomdir(folder: Path, file_ids: Sequence[Sequence[str]]) -> Path:
    """A bare DICOMDIR in ``folder`` that lists images by their file IDs, whatever these are."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = MediaStorageDirectoryStorage
    meta.MediaStorageSOPInstanceUID = _uid(file_ids)
    d = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    d.FileSetID = "TEST"
    d.DirectoryRecordSequence = [_item(DirectoryRecordType="PATIENT", PatientName="SECRET^NAME")]
    for parts in file_ids:
        d.DirectoryRecordSequence.append(_item(DirectoryRecordType="IMAGE", ReferencedFileID=list(parts)))
    d.save_as(folder / "DICOMDIR", enforce_file_format=True)
    return folder / "DICOMDIR"


def write_zip(path: Path, folder: Path) -> Path:
    """Everything in a folder, as an archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(folder.parent).as_posix())
    return path
