"""The images a result refers to, fit to be referred to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import highdicom
import numpy as np
from highdicom.spatial import PixelToReferenceTransformer, get_series_volume_positions
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM

from ScarSegECGLib.case import RAS_LPS, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.dicom_files import quiet
from ScarSegECGLib.lge.dicom_source import find_source

# Uneven slices are squashed by readers that know one slice distance only: at 1 % over 12 slices of 8 mm the outermost
# voxel is less than 1 mm off.
_UNEVEN = 0.01
# Readers lay all slices on one line, whatever each one's own position.
_OFF_GRID_VOXELS = 0.05
# What the objects copy, and the standard lets be empty.
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "ReferringPhysicianName"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime"),
)


@dataclass(frozen=True)
class Source:
    """The images behind a stack: one per canonical slice, or a multi-frame image alone.

    ``positions`` are those of each canonical slice in a multi-frame image, whose own frames may stand in another order;
    else ``None``.
    """

    stack: LgeStack
    images: tuple[Dataset, ...]
    positions: list[highdicom.PlanePositionSequence] | None = None

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
        series = {image.SOPInstanceUID: image.SeriesInstanceUID for image in self.images}
        named: dict[str, list[Dataset]] = {}
        for item in made.ReferencedSeriesSequence:
            for instance in item.ReferencedInstanceSequence:
                named.setdefault(series[instance.ReferencedSOPInstanceUID], []).append(instance)
        made.ReferencedSeriesSequence = []
        for uid, instances in named.items():
            item = Dataset()
            item.SeriesInstanceUID, item.ReferencedInstanceSequence = uid, instances
            made.ReferencedSeriesSequence.append(item)

    def frames(self, canonical: NDArray) -> NDArray:
        """A canonical array, [slice, row, column], with the images' own rows and columns, slice by slice."""
        stored = self.stack.storage.to_stored(canonical)
        return np.ascontiguousarray(stored[::-1]) if self.stack.storage.flips[0] else stored


def _in_series(image: Dataset, uid: str) -> Dataset:
    if image.SeriesInstanceUID == uid:
        return image
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
        _check_regular(images, stack)
        if found[0][1] is None:
            return Source(stack, images)
        return Source(stack, images, [_position(image, frame or 1) for image, frame in found])


def places_on(stack: LgeStack, to_lps: NDArray, indices: NDArray) -> tuple[NDArray[np.int64], float]:
    """Where voxels lie on the stack's grid: (slice, row, column), shape (3, n), and by how much the worst is beside it.

    ``indices``, shape (3, n), are of an array that the 4x4 ``to_lps`` takes to patient space, LPS, mm.
    """
    voxels = np.vstack([indices, np.ones(indices.shape[1])])
    found = (np.linalg.inv(stack.ijk_to_ras) @ RAS_LPS @ to_lps @ voxels)[2::-1]
    whole = np.rint(found).astype(int)
    return whole, float(np.abs(found - whole).max())


def _position(image: Dataset, frame: int) -> highdicom.PlanePositionSequence:
    groups = image.PerFrameFunctionalGroupsSequence[frame - 1], image.SharedFunctionalGroupsSequence[0]
    plane = next(group.PlanePositionSequence[0] for group in groups if "PlanePositionSequence" in group)
    return highdicom.PlanePositionSequence("PATIENT", plane.ImagePositionPatient)


def _complete(image: Dataset) -> None:
    """Fill in, empty, what older files leave out, and drop values that the standard does not know."""
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


def _check_regular(images: tuple[Dataset, ...], stack: LgeStack) -> None:
    """Refuse what is not one evenly spaced stack, or not the one that was read."""
    try:
        if len(images) == 1:
            highdicom.Image.from_dataset(images[0], copy=False).get_volume(rtol=_UNEVEN)
            return
        # of several series too: some scanners make one of every breath-hold
        spacing, _ = get_series_volume_positions(images, rtol=_UNEVEN, orientation_tol=1e-4)
        even = spacing is not None
    except Exception:  # highdicom's reasons are for programmers; its readers are many and so are its exceptions
        even = False
    if not even:
        raise InputError(
            "The DICOM images are not one stack of parallel slices, evenly spaced to 1 %: no DICOM segmentation can "
            "be placed on them."
        )
    if len({image.FrameOfReferenceUID for image in images}) > 1:
        raise InputError("The DICOM images do not share one frame of reference: export the series of one examination.")
    rows, columns = stack.voxels.shape[1:]
    for k, image in enumerate(images):
        pose = image.ImagePositionPatient, image.ImageOrientationPatient, image.PixelSpacing
        corners = np.array(list(product((0, image.Columns - 1), (0, image.Rows - 1), (0,)))).T
        places, off = places_on(stack, PixelToReferenceTransformer(*pose).affine, corners)
        of_the_slice = set(product((k,), (0, rows - 1), (0, columns - 1)))
        if off > _OFF_GRID_VOXELS or set(zip(*places, strict=True)) != of_the_slice:
            raise InputError(
                "The DICOM images are shifted against each other, so no DICOM segmentation can be placed on them: "
                "resample the stack onto a regular grid, or give the series that was segmented."
            )
