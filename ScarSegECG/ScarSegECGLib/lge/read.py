"""Read an LGE stack from whatever holds it: the one door into the project for images, and what its pixels show."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import Contrast, LgeStack, SourceSlice
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Fact, LgeNote
from ScarSegECGLib.lge.checks import check_stack
from ScarSegECGLib.lge.dicom_files import looks_like_dicom
from ScarSegECGLib.lge.dicom_frames import GE_RAW_DATA_TYPE, Told, acquired, text_of, texts_of
from ScarSegECGLib.lge.dicom_source import stack_pose, voxels_of
from ScarSegECGLib.lge.files import StudyFile, looks_like_zip, readable, sha256_of_file, sha256_of_set
from ScarSegECGLib.lge.orientation import canonical
from ScarSegECGLib.lge.study import ImageSet, choose, opened_study
from ScarSegECGLib.lge.volume_file import looks_like_labels, read_volume

UNMARKED = Fact(LgeNote.CONTRAST_UNMARKED)
# In a PSIR image nulled tissue and the noise of air lie on both sides of zero. A few dark voxels below it, or shallow
# ones, are what interpolation, denoising and padding leave in a magnitude image.
_REAL_SHARE = 0.05
_REAL_DEPTH = 0.05  # of the bright end, the 99th percentile of the absolute values
_PADDING_SHARE = 0.005


def read_lge(
    path: str | os.PathLike[str],
    *,
    series: str | None = None,
    image: Contrast | None = None,
    told: Told = lambda done, of: None,
) -> LgeStack:
    """Read a short-axis LGE stack and bring it to canonical storage.

    Parameters
    ----------
    path : path-like
        A NIfTI file (.nii, .nii.gz), a NRRD file (.nrrd, .nhdr), a folder or zip archive with DICOM images of one
        series or of a whole study, a DICOMDIR, or one multi-frame DICOM file. The content decides, not the name.
        Among several series the short-axis LGE is looked for; a note says what was taken and what else there was.
    series : str, optional
        UID or number of the DICOM series to take.
    image : {"magnitude", "psir"}, optional
        Which image to take of a study that holds both; default PSIR.
    told : callable
        Called with how many files of a study were looked into, and how many there are.

    Returns
    -------
    LgeStack
        Of a NIfTI or NRRD file, ``contrast`` is "psir" if a real share of the values is negative, else "unknown", and
        there is no date.

    Raises
    ------
    InputError
        Whatever makes the input unfit: one line that says what is wrong and what to do, without names.
    """
    source = Path(path)
    with readable(source):
        start = b"" if source.is_dir() else StudyFile(source).read(256)
        if source.is_dir() or looks_like_dicom(start) or looks_like_zip(start):
            return check_stack(_read_dicom(source, series, image, told))
        if not start:
            raise InputError("The image file is empty: copy or export it again.")
        if series is not None or image is not None:
            raise InputError("A series or image can be chosen in DICOM only, and this is another format: leave it out.")
        volume = read_volume(source)
        if looks_like_labels(volume.voxels):
            raise InputError("The file is a label map, not images: give the LGE images it was drawn on.")
        stack = canonical(
            volume.voxels,
            volume.ijk_to_ras,
            orientation_known=volume.orientation_known,
            contrast=contrast_of_values(volume.voxels),
            sha256=sha256_of_set(map(sha256_of_file, volume.files)),
            notes=volume.notes,
        )
        return check_stack(stack)


def _read_dicom(path: Path, series: str | None, image: Contrast | None, told: Told) -> LgeStack:
    """The stack of a study, slices in the order in which they lie in the patient, never of number or file name."""
    with opened_study(path, told) as sets:
        if path.is_file() and len(sets) == 1 and len(sets[0].frames) == 1 and sets[0].frames[0].file.path == path:
            raise InputError("The file is one single DICOM slice: give the folder that holds all slices of the series.")
        images, notes = choose(sets, series=series, image=image)
        order, ijk_to_ras = stack_pose(images.frames)
        frames = [images.frames[k] for k in order]
        voxels, padding, hashes = voxels_of(frames)
    when, date_notes = acquired([frame.header for frame in frames])
    contrast, contrast_notes = _contrast(images, voxels[~padding] if padding.any() else voxels)
    voxels[padding] = 0.0
    commas = (Fact(LgeNote.DECIMAL_COMMAS),) if any(frame.mended for frame in frames) else ()
    return canonical(
        voxels,
        ijk_to_ras,
        notes=(*notes, *date_notes, *contrast_notes, *commas),
        acquired=when,
        contrast=contrast,
        sha256=sha256_of_set(hashes),
        sources=tuple(SourceSlice(f.file.path, f.file.member, f.number, f.text("SOPInstanceUID")) for f in frames),
    )


def _contrast(images: ImageSet, voxels: NDArray[np.float32]) -> tuple[Contrast, tuple[Fact, ...]]:
    """What the header says the pixels show; where it is silent, what they tell; and what does not fit together."""
    if images.kind == "psir":
        return Contrast.PSIR, ()
    share = _negative_share(voxels)
    said = all(says_magnitude(frame.header) for frame in images.frames)
    if share < _REAL_SHARE:
        return Contrast.MAGNITUDE, () if said or images.frames[0].number is not None else (UNMARKED,)
    note = LgeNote.CONTRAST_DISPUTED if said else LgeNote.CONTRAST_FROM_VALUES
    return Contrast.MAGNITUDE if said else Contrast.PSIR, (Fact(note, percent=100 * share),)


def says_magnitude(header: Dataset) -> bool:
    """Whether a single-frame image says by itself that it is a magnitude image; GE says the kind of each."""
    told = {*texts_of(header, "ImageType"), text_of(header, "ComplexImageComponent").upper()}
    return bool(told & {"M", "MAGNITUDE"}) or GE_RAW_DATA_TYPE in header


def with_contrast(stack: LgeStack, contrast: Contrast) -> LgeStack:
    """The stack with the contrast that somebody states."""
    notes = tuple(note for note in stack.notes if note != UNMARKED)
    return dataclasses.replace(stack, contrast=Contrast(contrast), notes=notes)


def contrast_of_values(voxels: NDArray) -> Contrast:
    """PSIR where a real share of the values is clearly negative; values alone cannot tell a magnitude image."""
    return Contrast.PSIR if _negative_share(voxels) >= _REAL_SHARE else Contrast.UNKNOWN


def _negative_share(voxels: NDArray) -> float:
    """Share of the values that are clearly negative, 0..1; a lowest value that many share is padding and no value."""
    lowest = voxels.min()
    if lowest >= 0:
        return 0.0
    kept = voxels[voxels != lowest]
    if kept.size > (1 - _PADDING_SHARE) * voxels.size:
        kept = voxels.ravel()
    if not kept.size:
        return 0.0
    bright = float(np.percentile(np.abs(kept[:: max(1, kept.size // 10**6)]), 99))
    return float(np.count_nonzero(kept < -_REAL_DEPTH * bright)) / kept.size
