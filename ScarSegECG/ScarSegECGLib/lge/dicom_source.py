"""Lead from a stack back to the DICOM images it was read from, for whatever refers to them (SEG, SR, PDF)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ScarSegECGLib.case import LgeStack, SourceSlice
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.archive import opened_archive
from ScarSegECGLib.lge.dicom_files import DicomFile, quiet, read_dataset

_GONE = "The LGE's DICOM images are gone or have changed since they were read: give them again."


@dataclass(frozen=True)
class DicomSource:
    """The DICOM images behind a stack.

    ``datasets[k]`` holds canonical slice k (apex first), with file meta information, and pixel data only where asked
    for. A multi-frame image stands there as one and the same object for every slice; ``frames[k]`` is then the frame's
    number in it, from 1 as DICOM counts, and ``None`` for a single-frame image.
    """

    datasets: tuple[Dataset, ...]
    frames: tuple[int | None, ...]

    @property
    def images(self) -> tuple[Dataset, ...]:
        """Every data set once, in canonical slice order: one for a multi-frame image."""
        return tuple({id(dataset): dataset for dataset in self.datasets}.values())


def find_source(stack: LgeStack, *, pixels: bool = False) -> DicomSource | None:
    """Read the source images of a stack again, with or without their pixel data.

    ``None`` for a stack that did not come from DICOM (no :attr:`LgeStack.sources`).

    Raises
    ------
    InputError
        A source file is gone or has changed since it was read, or several images carry one SOP Instance UID.
    """
    if not stack.sources or stack.storage.axes[0] != 0:
        return None
    if len({(source.sop_instance_uid, source.frame) for source in stack.sources}) < len(stack.sources):
        raise InputError("Several images carry one SOP Instance UID, so nothing can refer to them: export them again.")
    with quiet():
        try:
            read = dict(_datasets(stack.sources, pixels))
        except OSError:
            raise InputError(_GONE) from None
    for source in stack.sources:
        if str(read[source.path, source.member].get("SOPInstanceUID") or "") != source.sop_instance_uid:
            raise InputError(_GONE)
    ordered = stack.sources[::-1] if stack.storage.flips[0] else stack.sources
    return DicomSource(
        datasets=tuple(read[source.path, source.member] for source in ordered),
        frames=tuple(source.frame for source in ordered),
    )


def _datasets(sources: tuple[SourceSlice, ...], pixels: bool) -> Iterator[tuple[tuple[Path, str], Dataset]]:
    """Each file's data set by path and member; an archive is opened once."""
    for path in dict.fromkeys(source.path for source in sources):
        members = dict.fromkeys(source.member for source in sources if source.path == path)
        with opened_archive(path) if any(members) else nullcontext() as archive:
            for member in members:
                yield (path, member), read_dataset(DicomFile(path, archive, member), pixels=pixels)


def planes(canonical: NDArray, stack: LgeStack) -> NDArray:
    """An array of the stack's canonical storage, [slice, row, column], as planes of its source images.

    Plane k belongs to ``find_source(stack).datasets[k]`` and has that image's own rows and columns.
    """
    stored = stack.storage.to_stored(canonical)
    return np.ascontiguousarray(stored[::-1]) if stack.storage.flips[0] else stored
