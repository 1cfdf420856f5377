"""The images a result refers to, fit to be referred to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import highdicom
import numpy as np
from highdicom.spatial import PixelToReferenceTransformer
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM

from ScarSegECGLib.case import RAS_LPS, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import quiet
from ScarSegECGLib.lge.dicom_source import find_source
from ScarSegECGLib.lge.files import intact

# Readers know one slice distance and lay all slices on one line, whatever each one's own position. How far off that it
# may be: of the slice distance, so that two of them differ by 1 % at most, and of rows and columns.
_OFF_GRID_VOXELS = np.array([0.005, 0.05, 0.05])
_IRREGULAR = (
    "The DICOM images are not one stack of parallel slices, evenly spaced to 1 % and not shifted against each other: "
    "no DICOM segmentation can be placed on it; resample it onto a regular grid, or give the series that was segmented."
)
# What the objects copy, and the standard lets be empty.
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "ReferringPhysicianName"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime"),
)


@dataclass(frozen=True)
class Source:
    """The images behind a stack: one per canonical slice, or a multi-frame image alone.

    ``positions`` are those of each canonical slice; a multi-frame image's own frames may stand in another order.
    """

    stack: LgeStack
    images: tuple[Dataset, ...]
    positions: list[highdicom.PlanePositionSequence]

    @property
    def first(self) -> Dataset:
        """An image that stands for all where patient and study are copied."""
        return self.images[0]

    @property
    def as_one_series(self) -> tuple[Dataset, ...]:
        """The images as highdicom takes them, which knows one series alone; :meth:`refer` puts the true ones back."""
        return tuple(_in_series(image, self.first.SeriesInstanceUID) for image in self.images)

    def refer(self, made: Dataset) -> None:
        """Let an object made from :attr:`as_one_series` name the series that each image is truly of."""
        made.ReferencedSeriesSequence = []
        for uid in dict.fromkeys(image.SeriesInstanceUID for image in self.images):
            of_series = [image for image in self.images if image.SeriesInstanceUID == uid]
            item = Dataset()
            item.SeriesInstanceUID, item.ReferencedInstanceSequence = uid, highdicom.ReferencedImageSequence(of_series)
            made.ReferencedSeriesSequence.append(item)

    def frames(self, canonical: NDArray) -> NDArray:
        """A canonical array, [slice, row, column], with the images' own rows and columns, slice by slice."""
        stored = self.stack.storage.to_stored(canonical)
        return np.ascontiguousarray(stored[::-1]) if self.stack.storage.flips[0] else stored


def _in_series(image: Dataset, uid: str) -> Dataset:
    other = Dataset()
    other.update(image)
    other.file_meta = image.file_meta
    other.add_new("SeriesInstanceUID", "UI", uid)  # a new element: the old one stays the image's
    return other


def read_source(stack: LgeStack) -> Source:
    """Find the images of a stack again and make sure that objects can refer to them.

    InputError: not from DICOM, uneven slices, or images that lack what a DICOM object has to copy.
    """
    with quiet():
        found = find_source(stack, pixels=True)
        if not found:
            raise InputError("The images are not DICOM: give the folder of the DICOM series that was segmented.")
        images = tuple({id(image): image for image, _ in found}.values())
        for image in images:
            _complete(image)
        if len({image.FrameOfReferenceUID for image in images}) > 1:
            raise InputError("The DICOM images do not share one frame of reference: export one examination's series.")
        return Source(stack, images, _positions(found, stack))


def _complete(image: Dataset) -> None:
    """Fill in, empty, what older files leave out, and drop values that the standard does not know.

    Some write the gap, or a rounded number, as the spacing between slices: highdicom finds it by their positions where
    nothing is said.
    """
    if not all(image.get(keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")):
        raise InputError(
            "The DICOM images lack a study, a series or a frame of reference, so nothing can refer to them: export the "
            "original series."
        )
    for keyword in _MAY_BE_EMPTY:
        if keyword not in image:
            setattr(image, keyword, "")
    if image.PatientSex not in ("M", "F", "O", ""):
        image.PatientSex = ""
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            kind(image.get(keyword) or None)
        except (ValueError, TypeError):
            setattr(image, keyword, "")
    shared = image.get("SharedFunctionalGroupsSequence") or []
    for said in (image, *(item for group in shared for item in group.get("PixelMeasuresSequence") or [])):
        said.pop("SpacingBetweenSlices", None)


@intact(_IRREGULAR)
def _positions(slices: Sequence[tuple[Dataset, int | None]], stack: LgeStack) -> list[highdicom.PlanePositionSequence]:
    """Where each slice lies, after making sure that it is a slice of one even stack, the one that was read."""
    rows, columns = stack.voxels.shape[1:]
    of_lps = np.linalg.inv(stack.ijk_to_ras) @ RAS_LPS
    positions = []
    for k, (image, frame) in enumerate(slices):
        to_lps = PixelToReferenceTransformer.for_image(image, frame).affine
        corners = np.array(list(product((0, image.Columns - 1), (0, image.Rows - 1), (0,), (1,)))).T
        found = (of_lps @ to_lps @ corners)[2::-1].T  # (slice, row, column) of the stack
        places, of_the_slice = np.rint(found), set(product((k,), (0, rows - 1), (0, columns - 1)))
        if (np.abs(found - places) > _OFF_GRID_VOXELS).any() or set(map(tuple, places)) != of_the_slice:
            raise InputError(_IRREGULAR)
        positions.append(highdicom.PlanePositionSequence("PATIENT", to_lps[:3, 3].tolist()))
    return positions
