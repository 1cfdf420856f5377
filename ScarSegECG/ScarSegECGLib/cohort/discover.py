"""What lies in a folder: images, ECGs and expert masks, told by their content and paired into a manifest."""

from __future__ import annotations

import math
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import pydicom

from ScarSegECGLib.case import Subject
from ScarSegECGLib.cohort.manifest import case_name_mistake
from ScarSegECGLib.ecg.read import START, read_ecg, told_by_content
from ScarSegECGLib.ecg.subject import subject_of_dicom
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import MARKER
from ScarSegECGLib.lge.checks import check_three_dimensional
from ScarSegECGLib.lge.dicom_files import bounded, looks_like_dicom, quiet, read_dataset
from ScarSegECGLib.lge.files import StudyFile, intact, looks_like_zip
from ScarSegECGLib.lge.study import choose, opened_study
from ScarSegECGLib.lge.volume_file import (
    NRRD_MAGIC,
    few_whole_numbers,
    looks_like_labels,
    looks_like_nifti,
    read_volume,
    unpacked_start,
)

MOST_FILES, MOST_VOXELS, DEEPEST = 500_000, 2**26, 12
FAR_DAYS = 365
_MIXED = "several studies lie together: give each a folder of its own"
_TAGS = ("SOPClassUID", "Modality", "StudyInstanceUID")
_IMAGES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".dcm")
_ECG_CLASSES = "1.2.840.10008.5.1.4.1.1.9."  # waveforms


@dataclass(frozen=True)
class FoundImages:
    """A short-axis LGE stack, or what may be one; ``remark`` says what is in doubt, ``folder`` where it belongs."""

    path: Path
    folder: Path
    subject: Subject = Subject()
    acquired: datetime | None = None
    shape: tuple[int, ...] = ()
    remark: str = ""


@dataclass(frozen=True)
class FoundEcg:
    """An ECG that can be read."""

    path: Path
    subject: Subject
    acquired: datetime | None


@dataclass
class Found:
    """Everything that was found, and files that looked like something and could not be read."""

    images: list[FoundImages] = field(default_factory=list)
    ecgs: list[FoundEcg] = field(default_factory=list)
    masks: list[tuple[Path, tuple[int, ...]]] = field(default_factory=list)
    unread: list[Path] = field(default_factory=list)
    files: int = 0


def look_through(
    folder: Path,
    told: Callable[[int], None] = lambda files: None,
    judged: Callable[[int, int], None] = lambda done, of: None,
) -> Found:
    """Find images, ECGs and masks below a folder; results of this program are passed over.

    Parameters
    ----------
    folder : Path
    told : callable
        Called now and then with the number of files that were looked at.
    judged : callable
        Called with how many DICOM studies were looked into after that, and how many there are.

    Raises
    ------
    InputError
        No such folder, one that may not be read, or too many files.
    """
    if not folder.is_dir():
        raise InputError(f"{folder.name}: no such folder")
    found = Found()
    studies: dict[str, list[Path]] = defaultdict(list)
    for path in _files(folder):
        found.files += 1
        if found.files > MOST_FILES:
            raise InputError(f"{folder.name}: more than {MOST_FILES} files; give a folder with the cohort alone")
        if found.files % 50 == 0:
            told(found.files)
        try:
            _sort(path, found, studies)
        except (InputError, OSError, MemoryError):
            found.unread.append(path)
    told(found.files)
    here: dict[Path, set[str]] = defaultdict(set)  # the studies of the files in a folder, and of those somewhere below
    below: dict[Path, set[str]] = defaultdict(set)
    for uid, paths in studies.items():
        for folder_of_files in {path.parent for path in paths}:
            here[folder_of_files].add(uid)
            for above in (folder_of_files, *folder_of_files.parents):
                below[above].add(uid)
    for number, paths in enumerate(studies.values(), 1):
        own = {path.parent for path in paths}
        common = Path(os.path.commonpath(own))
        alone = len(below[common]) == 1 or (len(own) == 1 and len(here[common]) == 1)
        found.images.append(
            _judged(FoundImages(common, common)) if alone else FoundImages(common, common, remark=_MIXED)
        )
        judged(number, len(studies))
    return found


def manifest_rows(found: Found, base: Path, *, names_of_folders: bool = False) -> list[dict[str, str]]:
    """One row per stack, with its ECG and its expert mask as far as they can be told.

    An ECG belongs to the stack of the same patient identifier where both have one, the nearest in time among several;
    else to the only stack of its folder. Identifiers are compared in memory and never written.

    Parameters
    ----------
    found : Found
    base : Path
        What paths are relative to where they lie below it.
    names_of_folders : bool
        Name a case after its folder, which may hold a patient's name; else case001, case002 ...
    """
    images = sorted(found.images, key=lambda one: one.path.as_posix())
    by_folder: dict[Path, list[FoundImages]] = defaultdict(list)
    for one in images:
        by_folder[one.folder].append(one)
    alike: dict[tuple[Path, tuple[int, ...]], list[Path]] = defaultdict(list)
    for path, shape in found.masks:
        alike[path.parent, shape].append(path)
    ecgs, unused = _paired(images, by_folder, found.ecgs)
    taken: set[str] = set()
    rows = []
    for place, one in enumerate(images, 1):
        remarks = [one.remark] if one.remark else []
        row = {"case": _name(one, place, len(images), names_of_folders, taken), "lge": _relative(one.path, base)}
        row["mri_date"] = one.acquired.date().isoformat() if one.acquired else ""
        subject = one.subject
        if own := ecgs.get(one.path):
            chosen, doubts = _nearest(own, one)
            row |= {"ecg": _relative(chosen.path, base), "ecg_date": _day(chosen.acquired)}
            remarks += doubts
            subject = replace(
                subject,
                female=chosen.subject.female if subject.female is None else subject.female,
                age=chosen.subject.age if subject.age is None else subject.age,
            )
        else:
            remarks.append("no ECG found")
        masks = alike[one.path.parent, one.shape]
        if len(masks) == 1 and len([o for o in by_folder[one.folder] if o.shape == one.shape]) == 1:
            row["expert"] = _relative(masks[0], base)
        elif len(masks) == 1 and (named := _alike(one.path, masks)):
            row["expert"] = _relative(named, base)
        elif masks:
            named = _alike(one.path, masks)
            row |= {"expert": _relative(named, base)} if named else {}
            how = "the one called alike is taken" if named else "choose the expert's"
            remarks.append(f"{len(masks)} label maps: {how}")
        row["sex"] = {True: "female", False: "male", None: ""}[subject.female]
        row["age"] = "" if subject.age is None else f"{subject.age:.0f}"
        if not all(cell.isprintable() for cell in row.values()):
            remarks.append("a name holds what no table can: rename the file or folder")
        row["remark"] = "; ".join(remarks)
        rows.append(row)
    for number, ecg in enumerate(unused, 1):
        rows.append(
            {
                "case": f"ecg-without-images{number:03d}",
                "ecg": _relative(ecg.path, base),
                "remark": "no images found for this ECG",
            }
        )
    return rows


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder in a fixed order; links are not followed, hidden and finished results are passed over."""

    def refuse(error: OSError) -> None:
        raise InputError("a sub-folder may not be read; open it to you or take it away") from error

    for at, folders, names in os.walk(folder, onerror=refuse):
        here = Path(at)
        done = MARKER in names or "cohort.json" in names
        deep = len(here.relative_to(folder).parts) >= DEEPEST
        folders[:] = [] if done or deep else sorted(name for name in folders if not name.startswith("."))
        seen = (here / name for name in sorted(names) if not (done or name.startswith(".")))
        yield from (path for path in seen if stat.S_ISREG(os.lstat(path).st_mode))


def _sort(path: Path, found: Found, studies: dict[str, list[Path]]) -> None:
    with path.open("rb") as stream:
        start = stream.read(START)
    if looks_like_dicom(start):
        with quiet(), intact("damaged"), bounded(StudyFile(path)) as stream:
            header = pydicom.dcmread(stream, stop_before_pixels=True, specific_tags=list(_TAGS), force=True)
            kind, modality, study = (str(header.get(tag, "")) for tag in _TAGS)
        if kind.startswith(_ECG_CLASSES):
            _ecg(path, found)
        elif modality == "MR":
            studies[study].append(path)
    elif looks_like_zip(start):
        found.images.append(_judged(FoundImages(path, path.parent)))
    elif start.startswith(NRRD_MAGIC) or looks_like_nifti(unpacked_start(path)):
        _volume(path, found)
    elif told_by_content(start):
        _ecg(path, found)
    elif path.name.lower().endswith(_IMAGES):  # damaged from its first byte on
        found.unread.append(path)


def _ecg(path: Path, found: Found) -> None:
    ecg = read_ecg(path)
    found.ecgs.append(FoundEcg(path, ecg.subject, ecg.acquired if ecg.date_trusted else None))


def _volume(path: Path, found: Found) -> None:
    """An image or a label map; a cropped map, not mostly 0, is neither."""
    voxels = read_volume(path, _of_a_stack).voxels
    if min(voxels.shape) < 2:
        return
    if looks_like_labels(voxels):
        found.masks.append((path, voxels.shape))
    elif voxels.dtype.kind in "iuf" and not few_whole_numbers(voxels):
        found.images.append(FoundImages(path, path.parent, shape=voxels.shape))


def _of_a_stack(shape: tuple[int, ...]) -> None:
    """Label maps may be packed as tightly as they like, but are no larger than a stack."""
    check_three_dimensional(shape)
    if math.prod(shape) > MOST_VOXELS:
        raise InputError("The volume is larger than an LGE stack.")


def _judged(found: FoundImages) -> FoundImages:
    """With what the study's headers say, or why it cannot be used."""
    try:
        with opened_study(found.path) as sets:
            chosen, _ = choose(sets)
            header = read_dataset(chosen.frames[0].file, pixels=False)
            sure = "" if chosen.judged.verdict == "lge" else f"taken for LGE with doubt ({chosen.name})"
            unfit = f"cannot be read: {chosen.unfit}" if chosen.unfit else sure
            return replace(found, subject=subject_of_dicom(header), acquired=chosen.acquired, remark=unfit)
    except InputError as error:
        return replace(found, remark=f"not used: {error}")


def _paired(
    images: Sequence[FoundImages], by_folder: dict[Path, list[FoundImages]], ecgs: Iterable[FoundEcg]
) -> tuple[dict[Path, list[FoundEcg]], list[FoundEcg]]:
    """ECGs by the path of the images they belong to, and those that belong to none."""
    known: dict[str, list[FoundImages]] = defaultdict(list)
    for one in images:
        if one.subject.digest:
            known[one.subject.digest].append(one)
    deeper: dict[Path, list[FoundImages]] = defaultdict(list)  # by the folder that holds the images' own
    for folder, some in by_folder.items():
        deeper[folder.parent] += some
    pairs: dict[Path, list[FoundEcg]] = defaultdict(list)
    unused = []
    for ecg in ecgs:
        same = known.get(ecg.subject.digest, []) if ecg.subject.digest else []
        near = [one for one in _beside(ecg.path, by_folder, deeper) if not (one.subject.digest and ecg.subject.digest)]
        for one in same or near:
            pairs[one.path].append(ecg)
        if not same and not near:
            unused.append(ecg)
    return pairs, unused


def _beside(
    path: Path, by_folder: dict[Path, list[FoundImages]], deeper: dict[Path, list[FoundImages]]
) -> list[FoundImages]:
    """The images of an ECG's folder: those that are called alike, or the only ones there, also one folder deeper."""
    here = by_folder.get(path.parent, [])
    alike = [one for one in here if one.path.name.partition(".")[0] == path.name.partition(".")[0]]
    if alike or len(here) == 1:
        return alike or here
    below = deeper.get(path.parent, [])
    above = by_folder.get(path.parent.parent, [])
    return below if len(below) == 1 and not here else above if len(above) == 1 and not here else []


def _nearest(ecgs: Sequence[FoundEcg], images: FoundImages) -> tuple[FoundEcg, list[str]]:
    """The ECG nearest in time, and what is in doubt about it."""
    days = [
        abs((ecg.acquired.replace(tzinfo=None) - images.acquired.replace(tzinfo=None)).days)
        if ecg.acquired and images.acquired
        else None
        for ecg in ecgs
    ]
    at = min(range(len(ecgs)), key=lambda k: (days[k] is None, days[k] or 0))
    how = "the first is taken, choose" if days[at] is None else "the nearest in time is taken"
    doubts = [f"{len(ecgs)} ECGs: {how}"] if len(ecgs) > 1 else []
    if days[at] is not None and days[at] > FAR_DAYS:  # type: ignore[operator]
        doubts.append("ECG over a year from the MRI")
    missing = [what for what, date in (("MRI", images.acquired), ("ECG", ecgs[at].acquired)) if date is None]
    return ecgs[at], doubts + ([f"{' and '.join(missing)} date missing"] if missing else [])


def _alike(image: Path, masks: Sequence[Path]) -> Path | None:
    """The one label map whose name shares most of its beginning with the image's, if it is one."""
    shared = [len(os.path.commonprefix([image.name, mask.name])) for mask in masks]
    best = max(shared)
    return masks[shared.index(best)] if best >= 3 and shared.count(best) == 1 else None


def _name(one: FoundImages, place: int, count: int, names_of_folders: bool, taken: set[str]) -> str:
    name = f"case{place:0{max(3, len(str(count)))}d}"
    own = one.folder.name
    if names_of_folders and not case_name_mistake(own) and own.casefold() not in taken:
        name = own
    taken.add(name.casefold())
    return name


def _day(date: datetime | None) -> str:
    return date.date().isoformat() if date else ""


def _relative(path: Path, base: Path) -> str:
    path, base = path.absolute(), base.absolute()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
