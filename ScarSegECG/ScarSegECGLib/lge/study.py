"""What a folder, a zip archive or a DICOMDIR holds: its MR images sorted into sets that could each be a stack."""

from __future__ import annotations

import os
import re
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import MIN_SLICES, ORIENTATION_TOLERANCE_DEG
from ScarSegECGLib.lge.dicom_files import DicomFile, files_in, quiet, read_header
from ScarSegECGLib.lge.dicom_geometry import angles_deg, stack_pose
from ScarSegECGLib.lge.dicom_tags import GE_RAW_DATA_TYPE, Kind, acquired, image_kind
from ScarSegECGLib.lge.enhanced_mr import frame_headers
from ScarSegECGLib.lge.hashing import sha256_of_bytes
from ScarSegECGLib.lge.orientation import LONG_AXIS_VIEW_DEG, SHORT_AXIS_LIMIT_DEG, short_axis_angle_deg
from ScarSegECGLib.lge.series_kind import SeriesKind, Verdict, plain_text, series_kind, vector
from ScarSegECGLib.lge.shown_text import printable, without_patient

_TAGS = (
    *("SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "Manufacturer"),
    *("AcquisitionDateTime", "AcquisitionDate", "AcquisitionTime", "ContentDate", "ContentTime"),
    *("StudyDate", "StudyTime", "SeriesDescription", "ProtocolName", "SequenceName", "ScanningSequence"),
    *("PatientName", "PatientID", "PatientBirthDate"),
    *("DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified"),
    *("StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "FrameOfReferenceUID", "ComplexImageComponent"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "RescaleSlope", "RescaleIntercept", "EchoTime"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("InversionTime", "TriggerTime", "CardiacNumberOfImages", "TemporalPositionIdentifier"),
    *("ContrastBolusAgent", "ContrastBolusVolume", "ContrastBolusAgentSequence"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
_MOST_ORIENTATIONS = 500
Told = Callable[[int, int], object]
_NO_IMAGES = "The {what} holds no DICOM MR images: choose the folder of the LGE series."
_NOT_MR = "The file is not an MR image in DICOM: choose the LGE series."


@dataclass(frozen=True, eq=False)
class Frame:
    """One single-frame image, or one frame (from 1) of a multi-frame image, with its header, and whether decimal
    commas were mended in it.
    """

    file: DicomFile
    number: int | None
    header: Dataset
    mended: bool = False


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of a study that belong together: one series (or several of one slice each), one kind, one orientation.

    Attributes
    ----------
    frames : tuple of Frame
        In no order.
    series_uids, series_numbers : tuple of str
        Of the series the images are from, in the study's order.
    study_uid : str
    kind : {"magnitude", "psir", "phase"}
    verdict : {"lge", "possible", "other"}
        Whether this is, may be, or is not a short-axis LGE stack.
    taken_for : str
        In words: "LGE short axis", "cine", "LGE long axis", "localiser", ...
    reasons : tuple of str
        Why; none quotes the header.
    may_be_lge : bool
        Whether the headers' words and numbers speak for LGE, or at least not against it, wherever the slices lie.
    unfit : str
        What keeps the set from being read as a stack, as the error would say it; "" if nothing does.
    slices : int
        Different positions.
    extent_mm : float
        From the first position to the last.
    angle_deg : float or None
        Between the slices' normal and that of usual short-axis slices; ``None`` without an orientation.
    acquired : datetime or None
    """

    frames: tuple[Frame, ...]
    series_uids: tuple[str, ...]
    series_numbers: tuple[str, ...]
    study_uid: str
    kind: Kind
    verdict: Verdict
    taken_for: str
    reasons: tuple[str, ...]
    may_be_lge: bool
    unfit: str
    slices: int
    extent_mm: float
    angle_deg: float | None
    acquired: datetime | None

    @property
    def name(self) -> str:
        """How the set is called in messages: by its numbers, never by its text."""
        numbers = [n for n in self.series_numbers if n]
        if not numbers:
            return "a series without a number"
        shown = ", ".join(numbers[:3]) + (" ..." if len(numbers) > 3 else "")
        return f"series {shown}"

    @property
    def description(self) -> str:
        """The series description for the eyes of the person at the screen; the patient's own words are taken out."""
        header = self.frames[0].header
        who = (_text(header, keyword) for keyword in ("PatientName", "PatientID", "PatientBirthDate"))
        return without_patient(_text(header, "SeriesDescription"), *who)[:48]


def list_series(path: str | os.PathLike[str]) -> tuple[ImageSet, ...]:
    """What a study holds and what each part of it was taken for.

    Parameters
    ----------
    path : path-like
        A folder, a zip archive, a DICOMDIR, or one DICOM file.

    Returns
    -------
    tuple of ImageSet
        In the order of their series numbers. Their pixels can be read from a folder, but not from an archive, which
        is closed by now.

    Raises
    ------
    InputError
    """
    with opened_study(Path(path)) as sets:
        return sets


@contextmanager
def opened_study(path: Path, told: Told = lambda done, of: None) -> Iterator[tuple[ImageSet, ...]]:
    """The sets of a study, while its files can be read; pydicom keeps silent meanwhile.

    Raises
    ------
    InputError
    """
    try:
        if not (stat.S_ISDIR(mode := path.stat().st_mode) or stat.S_ISREG(mode)):
            raise InputError("The path is neither a file nor a folder: give a folder of DICOM images.")
        with quiet(), files_in(path) as files:
            what = "folder" if path.is_dir() else "file" if files and files[0].archive is None else "archive"
            yield image_sets(frames_of(files, told), what)
    except FileNotFoundError:
        raise InputError("The LGE image was not found: check the path.") from None
    except OSError:
        raise InputError("The study cannot be read: check that you may open it and that the disk is sound.") from None
    except MemoryError:
        raise InputError("The study does not fit into memory: export the LGE short-axis series only.") from None


def frames_of(files: Sequence[DicomFile], told: Told = lambda done, of: None) -> list[Frame]:
    """Every MR image among the files, multi-frame images taken apart.

    Raises
    ------
    InputError
        A DICOM file is damaged.
    """
    tags = [*(tag for keyword in _TAGS if (tag := tag_for_keyword(keyword)) is not None), GE_RAW_DATA_TYPE]
    frames = []
    for number, file in enumerate(files, 1):
        told(number, len(files))
        found = read_header(file, tags)
        if found is None:
            continue
        header, mended = found
        if "PerFrameFunctionalGroupsSequence" in header or _count(header) > 1:
            frames += [Frame(file, k, flat, mended) for k, flat in enumerate(frame_headers(header), start=1)]
        else:
            frames.append(Frame(file, None, header, mended))
    return frames


def image_sets(frames: Sequence[Frame], what: str = "folder") -> tuple[ImageSet, ...]:
    """Sort images into sets and judge each.

    Raises
    ------
    InputError
        There are none.
    """
    if not frames:
        raise InputError(_NOT_MR if what == "file" else _NO_IMAGES.format(what=what))
    series = _grouped(_without_copies(frames), lambda f: (_uid(f, "StudyInstanceUID"), _uid(f, "SeriesInstanceUID")))
    sets = [_image_set(part, kind) for whole in series for part, kind in _parts(whole)]
    sets = _joined(sets)
    return tuple(sorted(sets, key=lambda s: (s.study_uid, _order(s.series_numbers), s.series_uids, s.kind)))


def _without_copies(frames: Sequence[Frame]) -> list[Frame]:
    """Leave out files that are there twice, byte for byte; the same UID with other content stays and is refused."""
    by_uid = _grouped(frames, lambda f: (_uid(f, "SOPInstanceUID"), f.number))
    kept = []
    for same in by_uid:
        if len(same) == 1 or not _uid(same[0], "SOPInstanceUID"):
            kept += same
        else:
            kept += list({sha256_of_bytes(f.file.read_bytes()): f for f in reversed(same)}.values())
    return kept


def _parts(series: list[Frame]) -> Iterator[tuple[list[Frame], Kind]]:
    """A series by image kind, and by orientation where that leaves whole stacks."""
    by_type = any(image_kind(f.header, by_text=False) == "psir" for f in series)
    for of_kind in _grouped(series, lambda f: image_kind(f.header, by_text=not by_type)):
        kind = image_kind(of_kind[0].header, by_text=not by_type)
        clusters = _by_orientation(of_kind)
        if len(clusters) > 1 and all(len(_places(cluster)) >= MIN_SLICES for cluster in clusters[:1]):
            yield from ((cluster, kind) for cluster in clusters)
        else:
            yield of_kind, kind


def _by_orientation(frames: list[Frame]) -> list[list[Frame]]:
    """Frames of one orientation together, the largest number of positions first."""
    poses = [vector(frame.header, "ImageOrientationPatient", 6) for frame in frames]
    rest = [frame for frame, pose in zip(frames, poses, strict=True) if pose is None]
    left = [(frame, pose) for frame, pose in zip(frames, poses, strict=True) if pose is not None]
    clusters = []
    while left:
        near = angles_deg(left[0][1], np.array([pose for _, pose in left])) <= ORIENTATION_TOLERANCE_DEG
        near[0] = True
        clusters.append([frame for (frame, _), here in zip(left, near, strict=True) if here])
        left = [pair for pair, here in zip(left, near, strict=True) if not here]
        if len(clusters) > _MOST_ORIENTATIONS:
            raise InputError(
                f"The images of a series have over {_MOST_ORIENTATIONS} orientations: give the LGE short-axis series."
            )
    found = sorted(clusters, key=lambda members: -len(_places(members)))
    return [*found, rest] if rest else found


def _image_set(frames: list[Frame], kind: Kind) -> ImageSet:
    headers = [f.header for f in frames]
    judged = series_kind(headers, kind)
    unfit, angle, extent = "", None, 0.0
    try:
        angle, extent = _angle_and_extent(frames)
        stack_pose(headers)
    except InputError as error:
        unfit = str(error)
    places = len(_places(frames))
    verdict, taken_for, reasons = _with_geometry(judged, angle, places, extent)
    numbers = dict.fromkeys(printable(_text(h, "SeriesNumber")) for h in headers)
    return ImageSet(
        frames=tuple(frames),
        series_uids=tuple(dict.fromkeys(_uid(f, "SeriesInstanceUID") for f in frames)),
        series_numbers=tuple(numbers),
        study_uid=_uid(frames[0], "StudyInstanceUID"),
        kind=kind,
        verdict=verdict,
        taken_for=taken_for,
        reasons=reasons,
        may_be_lge=judged.verdict != "other",
        unfit=unfit,
        slices=places,
        extent_mm=extent,
        angle_deg=angle,
        acquired=acquired(headers)[0],
    )


def _with_geometry(
    judged: SeriesKind, angle: float | None, places: int, extent: float
) -> tuple[Verdict, str, tuple[str, ...]]:
    """The judgement of the header's words and numbers, and of where the slices lie."""
    if angle is None:
        return judged.verdict, judged.name, (*judged.reasons, "no orientation")
    away = f"{angle:.0f} degrees from usual short-axis slices"
    if angle > SHORT_AXIS_LIMIT_DEG:
        view = "long axis" if angle > LONG_AXIS_VIEW_DEG else "not short axis"
        if judged.verdict == "other":
            return "other", judged.name, (*judged.reasons, f"{view}, {away}")
        return "other", f"LGE {view}" if judged.verdict == "lge" else view, (away, *judged.reasons)
    if judged.verdict == "other":
        return "other", judged.name, judged.reasons
    if places < MIN_SLICES:
        return "other", f"{judged.name}, too few slices", (f"{places} slice(s)", *judged.reasons)
    step = f"{places} slices, {extent / (places - 1):.1f} mm apart"
    return judged.verdict, f"{judged.name} short axis", (*judged.reasons, step, away)


def _joined(sets: list[ImageSet]) -> list[ImageSet]:
    """Series of one or two slices each, as some scanners make of every breath-hold, put together to stacks."""
    angled = [s for s in sets if s.angle_deg is not None and s.angle_deg <= SHORT_AXIS_LIMIT_DEG]
    few = [s for s in angled if s.may_be_lge and s.slices < MIN_SLICES]
    joined = []
    for group in _grouped(few, _belonging):
        for cluster in _by_orientation([f for s in group for f in s.frames]):
            uids = {_uid(f, "SeriesInstanceUID") for f in cluster}
            if len(uids) > 1 and len(_places(cluster)) >= MIN_SLICES:
                joined.append(_image_set(cluster, group[0].kind))
    taken = {id(f) for s in joined for f in s.frames}
    return [s for s in sets if not any(id(f) in taken for f in s.frames)] + joined


def _belonging(images: ImageSet) -> tuple[object, ...]:
    """What slices of one stack share even if each is a series: all but the numbers in their names."""
    header = images.frames[0].header
    spacing = vector(header, "PixelSpacing", 2)
    return (
        *(images.study_uid, images.kind, _uid(images.frames[0], "FrameOfReferenceUID")),
        *(_text(header, "Rows"), _text(header, "Columns"), None if spacing is None else tuple(np.round(spacing, 3))),
        re.sub(r"\d+", "", plain_text(header)),
    )


def _angle_and_extent(frames: Sequence[Frame]) -> tuple[float | None, float]:
    """Degrees between the first image's normal and usual short-axis slices', and mm from first to last image."""
    pose = vector(frames[0].header, "ImageOrientationPatient", 6)
    if pose is None:
        return None, 0.0
    normal = np.cross(pose[:3], pose[3:])
    length = float(np.linalg.norm(normal))
    if length < 0.5:
        return None, 0.0
    positions = [p for f in frames if (p := vector(f.header, "ImagePositionPatient", 3)) is not None]
    along = np.array(positions).reshape(-1, 3) @ (normal / length)
    return short_axis_angle_deg(normal * [-1, -1, 1]), float(np.ptp(along)) if len(along) else 0.0


def _places(frames: Iterable[Frame]) -> set[tuple[float, ...]]:
    positions = (vector(f.header, "ImagePositionPatient", 3) for f in frames)
    return {tuple(np.round(p, 1)) for p in positions if p is not None}


def _grouped(items: Iterable, key: Callable) -> list[list]:
    groups: dict[object, list] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return list(groups.values())


def _uid(frame: Frame, keyword: str) -> str:
    return _text(frame.header, keyword)


def _text(header: Dataset, keyword: str) -> str:
    value = header.get(keyword)
    return "" if value is None else str(value).strip()


def _count(header: Dataset) -> int:
    try:
        return int(header.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        return 1


def _order(numbers: Sequence[str]) -> tuple[int, str]:
    first = numbers[0] if numbers else ""
    return (int(first) if re.fullmatch(r"\d{1,12}", first) else 10**12, first)
