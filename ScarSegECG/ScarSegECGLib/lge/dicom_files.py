"""The files of a folder, a zip archive or a DICOMDIR that may be DICOM, read within bounds."""

from __future__ import annotations

import io
import logging
import os
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VM, dictionary_VR
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, MediaStorageDirectoryStorage

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.files import StudyFile, intact, looks_like_zip, opened_archive

_MAX_DEPTH = 6
_MAX_FILES = 20000
_NO_INDEX = "The DICOMDIR lists no images or is damaged: give the folder with the images instead."
_NOT_THERE = "The DICOMDIR lists images that are not in its folder: copy the whole disc, or give the images' folder."
DAMAGED = "A DICOM image is cut off or damaged: copy or export the series again."
_START_BYTES = 256
_MAX_READS = 200_000  # a header of nothing but tiny elements would keep the reader busy for minutes
_NUMERIC = ("US", "IS", "DS", "FD", "FL", "UL")


@contextmanager
def bounded(file: StudyFile) -> Iterator[_Bounded]:
    """A stream for pydicom that never allocates more than there is, whatever length the file declares."""
    with file.path.open("rb") if file.opened is None else io.BytesIO(file.read()) as stream:
        yield _Bounded(stream)


class _Bounded:
    """What pydicom needs of a stream, cut to its true size and to a number of reads."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._size = stream.seek(0, os.SEEK_END)
        self._reads = 0
        self.seek, self.tell = stream.seek, stream.tell
        stream.seek(0)

    def read(self, count: int | None = None) -> bytes:
        self._reads += 1
        if self._reads > _MAX_READS:
            raise ValueError("too many elements")
        if count is None or count < 0:  # pydicom does this to inflate a deflated file at once, without a bound
            raise InputError("A DICOM file is deflated, which is not read: export it as Explicit VR Little Endian.")
        return self._stream.read(max(0, min(count, self._size - self._stream.tell())))


def looks_like_dicom(start: bytes) -> bool:
    """Whether a file's first bytes are DICOM: the usual prefix, or a bare data set that opens with group 2 or 8."""
    if start[128:132] == b"DICM":
        return True
    explicit = start[4:6] in (b"UL", b"OB", b"UI", b"CS", b"SH", b"LO", b"DA", b"TM")
    opens = start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00"
    return opens and (explicit or start[6:8] == b"\x00\x00")


@contextmanager
def files_in(path: Path) -> Iterator[tuple[StudyFile, ...]]:
    """The one file given, those of a folder or zip archive, or the images inside its folder that a DICOMDIR lists."""
    start = b"" if path.is_dir() else StudyFile(path).read(_START_BYTES)
    if looks_like_zip(start):
        with opened_archive(path) as members:
            yield tuple(members[name] for name in sorted(members) if name.rpartition("/")[2].upper() != "DICOMDIR")
    elif path.is_dir():
        yield tuple(map(StudyFile, _walk(path)))
    else:
        listed = _listed_in_dicomdir(path) if looks_like_dicom(start) else None
        yield tuple(map(StudyFile, listed or [path]))


def _walk(folder: Path) -> Iterator[Path]:
    """Regular files down to six sub-folders, in a fixed order; links are not followed."""

    def refuse(_error: OSError) -> None:  # slices of the stack may lie there
        raise InputError("A sub-folder may not be read: check that you may open it, or give the LGE series' folder.")

    root, count = str(folder.resolve()), 0
    for parent, folders, names in os.walk(root, onerror=refuse):
        depth = parent[len(root) :].count(os.sep)
        folders[:] = sorted(folders) if depth < _MAX_DEPTH else []
        for name in sorted(names):
            path = f"{parent}{os.sep}{name}"
            if name.upper() == "DICOMDIR" or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            count += 1
            if count > _MAX_FILES:
                raise InputError(f"The folder holds over {_MAX_FILES} files: choose the folder of the LGE series.")
            yield Path(path)


@intact(_NO_INDEX)
def _listed_in_dicomdir(path: Path) -> list[Path] | None:
    """Paths of the images that a DICOMDIR lists; ``None`` if the file is no DICOMDIR."""
    with bounded(StudyFile(path)) as stream:
        index = pydicom.dcmread(stream, force=True, specific_tags=["DirectoryRecordSequence"])
        if index.file_meta.get("MediaStorageSOPClassUID") != MediaStorageDirectoryStorage:
            return None
        records = [r for r in index.get("DirectoryRecordSequence") or [] if r.get("DirectoryRecordType") == "IMAGE"]
        names = [record.get("ReferencedFileID") or "" for record in records]
        listed = ["/".join([name] if isinstance(name, str) else map(str, name)) for name in names]
    if not listed:
        raise InputError(_NO_INDEX)
    folder = path.resolve().parent
    images: dict[Path, None] = {}
    for name in listed:  # media copied by hand often come out in lower case
        spelt = (os.path.realpath(folder / spelling) for spelling in (name, name.lower()))
        image = next((Path(file) for file in spelt if os.path.isfile(file)), None)  # noqa: PTH113  (bears long names)
        if image is None or not image.is_relative_to(folder):
            raise InputError(_NOT_THERE)
        images[image] = None
    return list(images)


@intact(DAMAGED)
def read_dataset(file: StudyFile, *, pixels: bool) -> FileDataset:
    """A file's data set, with or without pixels, its texts in Unicode whatever the file has. InputError: damaged."""
    with bounded(file) as stream:
        dataset = pydicom.dcmread(stream, force=True, stop_before_pixels=not pixels)
    dataset.buffer = None  # closed by now; pydicom would warn whenever the data set is copied
    mend_commas(dataset)
    if dataset.get("SpecificCharacterSet"):
        dataset.decode()
        dataset.SpecificCharacterSet = "ISO_IR 192"
    return dataset


def mend_commas(dataset: Dataset) -> bool:
    """Turn decimal commas into points, which is all that they can be in a decimal string; True where there were any."""
    mended = False
    for tag in list(dataset.keys()):
        raw = dataset.get_item(tag)
        kind = raw.VR or (dictionary_VR(tag) if dictionary_has_tag(tag) else "")
        if kind == "DS" and isinstance(raw.value, bytes) and b"," in raw.value:
            dataset[tag] = raw._replace(value=raw.value.replace(b",", b"."))  # type: ignore[attr-defined]
            mended = True
        elif kind == "SQ":
            for item in dataset[tag].value:
                mended |= mend_commas(item)
    return mended


@intact(DAMAGED)
def read_header(file: StudyFile, tags: list[str]) -> tuple[Dataset | None, bool]:
    """The wanted elements of an MR image's header, and whether commas were mended in it; ``None`` for anything else."""
    start = file.read(_START_BYTES)  # a viewer on the same disc is not unpacked
    if not looks_like_dicom(start):
        return None, False
    with bounded(file) as stream:
        header = pydicom.dcmread(stream, force=True, stop_before_pixels=True, specific_tags=tags)
    kind = UID(str(header.get("SOPClassUID", "")))
    is_index = header.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    without_kind = not kind and start[128:132] == b"DICM" and not is_index
    damaged = without_kind or ("MR Image" in kind.name and "Modality" not in header)
    mended = mend_commas(header)
    clean = _without_nonsense(header)
    is_image = bool(kind) and clean.get("Modality") == "MR" and "Spectroscopy" not in kind.name
    if damaged or (is_image and not (clean.get("Rows") and clean.get("Columns"))):
        raise InputError(DAMAGED)
    return clean if is_image else None, mended


def _without_nonsense(header: Dataset) -> Dataset:
    """Elements whose value is nonsense are left out as if they were missing."""
    clean = Dataset()
    for tag in list(header.keys()):
        with suppress(Exception):  # pydicom reads the value only now
            element = header[tag]
            known = dictionary_has_tag(tag)
            of_another_kind = known and element.VR not in dictionary_VR(tag)  # which may be "US or SS"
            too_many = known and element.VR in _NUMERIC and element.VM > 1 and dictionary_VM(tag) == "1"
            if not of_another_kind and not too_many:
                clean.add(element)
    return clean


@contextmanager
def quiet(*others: str) -> Iterator[None]:
    """Neither pydicom's warnings nor its log, or those of others, reach the user: they quote the patient's header."""
    before = {logger: logger.level for logger in map(logging.getLogger, ("pydicom", "highdicom", *others))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in before:
            logger.setLevel(logging.CRITICAL + 1)
        try:
            yield
        finally:
            for logger, level in before.items():
                logger.setLevel(level)
