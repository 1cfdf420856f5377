"""What a folder, a zip archive or a DICOMDIR holds, sorted into sets of images, and which of them is the LGE stack.

The rule, in this order: what the headers call LGE before what they do not name; stacks that can be read before those
that cannot; stacks that reach over at least 70 % of the longest one's length; PSIR before magnitude, because it depends
less on the inversion time that was chosen by hand; the one acquired last; the higher series number. What no rule
decides is refused.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from itertools import compress
from pathlib import Path
from typing import TypeVar

import numpy as np

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Fact, LgeNote
from ScarSegECGLib.lge.checks import MIN_SLICES
from ScarSegECGLib.lge.dicom_files import files_in, quiet
from ScarSegECGLib.lge.dicom_frames import Frame, Kind, Told, acquired, frames_of, image_kind, number_of, vector_of
from ScarSegECGLib.lge.dicom_source import ORIENTATION_TOLERANCE_DEG, angles_deg, stack_pose
from ScarSegECGLib.lge.files import readable
from ScarSegECGLib.lge.orientation import LONG_AXIS_VIEW_DEG, SHORT_AXIS_LIMIT_DEG, short_axis_angle_deg
from ScarSegECGLib.lge.series_kind import SeriesKind, plain_text, series_kind
from ScarSegECGLib.lge.shown_text import printable, some_of, without_patient

_OF_A_SERIES = ("StudyInstanceUID", "SeriesInstanceUID")
_MOST_ORIENTATIONS = 500
_COMPLETE = 0.7
_LIST = "`scarsegecg lge` lists them"
_Item = TypeVar("_Item")
_Key = TypeVar("_Key")


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of a study that belong together: one series (or several of one slice each), one kind, one orientation."""

    frames: tuple[Frame, ...]  # in no order
    series_uids: tuple[str, ...]  # of the series the images are from, in the study's order
    series_numbers: tuple[str, ...]
    number: float  # of the first of them, -1 without one
    study_uid: str
    kind: Kind
    judged: SeriesKind  # by the headers' words and numbers and by where the slices lie
    unfit: str  # what keeps the set from being read as a stack, as the error would say it; "" if nothing does
    slices: int  # different positions
    extent_mm: float  # from the first position to the last
    acquired: datetime | None

    @property
    def name(self) -> str:
        """How the set is called in messages: by its numbers, never by its text."""
        numbers = [n for n in self.series_numbers if n]
        return f"series {some_of(numbers, 3)}" if numbers else "a series without a number"

    @property
    def description(self) -> str:
        """The series description for the eyes of the person at the screen; the patient's own words are taken out."""
        shown, *who = map(self.frames[0].text, ("SeriesDescription", "PatientName", "PatientID", "PatientBirthDate"))
        return without_patient(shown, *who)[:48]


@contextmanager
def opened_study(path: Path, told: Told = lambda done, of: None) -> Iterator[tuple[ImageSet, ...]]:
    """A study's sets by series number, while its files are open and pydicom keeps silent; InputError: damaged ones."""
    with readable(path), quiet(), files_in(path) as files:
        series = _grouped(_without_copies(frames_of(files, told)), key=lambda f: tuple(map(f.text, _OF_A_SERIES)))
        sets = _joined([_image_set(part, kind) for whole in series.values() for part, kind in _parts(whole)])
        if not sets:
            what = "folder" if path.is_dir() else "file"
            raise InputError(f"The {what} holds no DICOM MR images: choose the folder of the LGE series.")
        sets.sort(key=lambda s: (s.study_uid, s.number < 0, s.number, s.series_numbers[0], s.series_uids, s.kind))
        yield tuple(sets)


def choose(
    sets: Sequence[ImageSet], *, series: str | None = None, image: Contrast | None = None
) -> tuple[ImageSet, tuple[Fact, ...]]:
    """The set of a study to read, and notes on what was chosen and what else there was.

    What is asked for by name, a ``series`` UID or number, is taken whatever it looks like, with a note. ``image`` is
    "magnitude" or "psir". Where nothing fits, or the rule does not decide, that is an :class:`InputError`.
    """
    asked = list(sets)
    if series is not None:
        asked = [s for s in sets if series.strip() in (*s.series_uids, *s.series_numbers)]
        if not asked:
            there = list(dict.fromkeys(n for s in sets for n in s.series_numbers if n))
            shown = f" (there are {some_of(there, 12)})" if there else ""
            raise InputError(f"The study has no series of that UID or number{shown}: {_LIST}.")
        asked = _of_kind(asked, image)
    by_verdict = _grouped(asked, lambda s: s.judged.verdict)
    fitting = by_verdict.get("lge") or by_verdict.get("possible")
    if fitting is None:
        if series is None:
            raise InputError(_none_fits(sets))
        chosen = _best(asked)
        return chosen, (Fact(LgeNote.TAKEN_AS_ASKED, name=chosen.name, taken_for=chosen.judged.taken_for),)
    fitting = _of_kind(fitting, image)
    chosen = _best(fitting)
    if len(sets if series is None else fitting) == 1:  # there was no choice
        return chosen, ()
    note = Fact(
        LgeNote.TAKEN,
        name=chosen.name,
        sets=len(sets),
        taken_for=chosen.judged.taken_for,
        kind=str(chosen.kind),
        slices=chosen.slices,
        only_possible=chosen.judged.verdict == "possible",
        others=tuple((s.name, str(s.kind), s.slices, bool(s.unfit)) for s in fitting if s is not chosen),
    )
    return chosen, (note,)


def _of_kind(sets: Sequence[ImageSet], image: Contrast | None) -> list[ImageSet]:
    of_kind = [s for s in sets if image in (None, s.kind)]
    if not of_kind:
        there = ", ".join(f"{s.name}: {s.kind}" for s in sets[:4])
        raise InputError(f"There is no {image} LGE short-axis stack (found {there}): choose another image or series.")
    return of_kind


def _best(fitting: Sequence[ImageSet]) -> ImageSet:
    studies, verdicts = len({s.study_uid for s in fitting}), {s.judged.verdict for s in fitting}
    if studies > 1 and verdicts == {"lge"}:
        raise InputError(f"LGE stacks of {studies} studies lie together: give one alone, or choose a series ({_LIST}).")
    if len(fitting) > 1 and verdicts == {"possible"}:
        sizes = some_of([len(s.frames) for s in fitting], 8)
        raise InputError(f"Any of {len(fitting)} series ({sizes} images) may be the LGE stack: choose one ({_LIST}).")
    longest = max(s.extent_mm for s in fitting)

    def rank(images: ImageSet) -> tuple[object, ...]:
        complete, latest = images.extent_mm >= _COMPLETE * longest, images.acquired or datetime.min
        return not images.unfit, complete, images.kind == "psir", latest, images.number

    best, *others = sorted(fitting, key=rank, reverse=True)
    if others and rank(best) == rank(others[0]):
        both = f"{best.name} and {others[0].name} are alike in kind, length, time and number"
        raise InputError(f"The LGE short-axis stacks {both}: choose one by its UID ({_LIST}).")
    return best


def _none_fits(sets: Sequence[ImageSet]) -> str:
    """Why there is nothing to read: of one series its own reason, of many how many were what."""
    number = len({uid for s in sets for uid in s.series_uids})
    if number > 1 or len(sets) > 1:
        shown = ", ".join(f"{n} {name}" for name, n in Counter(s.judged.taken_for for s in sets).most_common(5))
        return f"None of the {number} series is a short-axis LGE stack (taken for: {shown}): choose one ({_LIST})."
    (only,) = sets
    if only.unfit and only.judged.verdict != "other":
        return only.unfit
    why = "; ".join(only.judged.reasons[:3])
    return f"The series was taken for {only.judged.taken_for} ({why}): choose the short-axis LGE series."


def _without_copies(frames: Sequence[Frame]) -> list[Frame]:
    """Leave out files that are there twice, byte for byte; the same UID with other content stays and is refused."""
    kept: list[Frame] = []
    for same in _grouped(frames, lambda f: (f.text("SOPInstanceUID"), f.number)).values():
        if len(same) > 1 and same[0].text("SOPInstanceUID"):
            same = list({sha256(f.file.read()).digest(): f for f in reversed(same)}.values())
        kept += same
    return kept


def _parts(series: list[Frame]) -> Iterator[tuple[list[Frame], Kind]]:
    """A series by image kind, and by orientation where that leaves whole stacks."""
    by_text = not any(image_kind(f.header, by_text=False) == "psir" for f in series)
    for kind, of_kind in _grouped(series, lambda f: image_kind(f.header, by_text=by_text)).items():
        clusters = _by_orientation(of_kind)
        if _places(clusters[0]) < MIN_SLICES:
            clusters = [of_kind]
        yield from ((cluster, kind) for cluster in clusters)


def _by_orientation(frames: list[Frame]) -> list[list[Frame]]:
    """Frames of one orientation together, the largest number of positions first, those without one last."""
    left = [frame for frame in frames if not np.isnan(frame.orientation).any()]
    clusters = []
    while left:
        near = angles_deg(np.array([frame.orientation for frame in left])) <= ORIENTATION_TOLERANCE_DEG
        near[0] = True
        clusters.append(list(compress(left, near)))
        left = list(compress(left, ~near))
        if len(clusters) > _MOST_ORIENTATIONS:
            raise InputError(f"A series has over {_MOST_ORIENTATIONS} orientations: give the LGE short-axis series.")
    rest = [frame for frame in frames if np.isnan(frame.orientation).any()]
    return [*sorted(clusters, key=_places, reverse=True), *([rest] if rest else [])]


def _image_set(frames: list[Frame], kind: Kind) -> ImageSet:
    normal = np.cross(frames[0].orientation[:3], frames[0].orientation[3:])
    length = float(np.linalg.norm(normal))
    angle, extent, places = None, 0.0, _places(frames)
    if length >= 0.5:
        angle = short_axis_angle_deg(normal * [-1, -1, 1])
        extent = float(np.ptp([float(f.position @ normal) / length for f in frames if f.place] or [0.0]))
    number, unfit = number_of(frames[0].header, "SeriesNumber"), ""
    try:
        stack_pose(frames)
    except InputError as error:
        unfit = str(error)
    return ImageSet(
        frames=tuple(frames),
        series_uids=tuple(dict.fromkeys(f.text("SeriesInstanceUID") for f in frames)),
        series_numbers=tuple(dict.fromkeys(printable(f.text("SeriesNumber")) for f in frames)),
        number=-1.0 if number is None else number,
        study_uid=frames[0].text("StudyInstanceUID"),
        kind=kind,
        judged=_with_geometry(series_kind(frames, kind), angle, places, extent),
        unfit=unfit,
        slices=places,
        extent_mm=extent,
        acquired=acquired([f.header for f in frames])[0],
    )


def _with_geometry(made_for: SeriesKind, angle: float | None, places: int, extent: float) -> SeriesKind:
    """What images were made for by their headers' words and numbers, judged by where the slices lie too."""
    verdict, name, reasons = made_for.verdict, made_for.taken_for, made_for.reasons
    if angle is None:
        return replace(made_for, reasons=(*reasons, "no orientation"))
    away = f"{angle:.0f} degrees from usual short-axis slices"
    if angle > SHORT_AXIS_LIMIT_DEG:
        view = "long axis" if angle > LONG_AXIS_VIEW_DEG else "not short axis"
        if verdict == "other":
            return replace(made_for, reasons=(*reasons, f"{view}, {away}"))
        return SeriesKind("misplaced", f"LGE {view}" if verdict == "lge" else view, (away, *reasons))
    if verdict == "other":
        return made_for
    if places < MIN_SLICES:
        return SeriesKind("few", f"{name}, too few slices", (f"{places} slice(s)", *reasons))
    step = f"{places} slices, {extent / (places - 1):.1f} mm apart"
    return SeriesKind(verdict, f"{name} short axis", (*reasons, step, away))


def _joined(sets: list[ImageSet]) -> list[ImageSet]:
    """Series of one or two slices each, as some scanners make of every breath-hold, put together to stacks."""
    groups = _grouped((s for s in sets if s.judged.verdict == "few"), _belonging).values()
    joined = []
    for group in groups:
        clusters = _by_orientation([f for s in group for f in s.frames])
        joined += [_image_set(cluster, group[0].kind) for cluster in clusters if _places(cluster) >= MIN_SLICES]
    taken = {f for s in joined for f in s.frames}
    return [s for s in sets if taken.isdisjoint(s.frames)] + joined


def _belonging(images: ImageSet) -> Hashable:
    """What slices of one stack share even if each is a series: all but the numbers in their names."""
    first = images.frames[0]
    spacing = np.round(vector_of(first.header, "PixelSpacing", 2), 3)
    name = re.sub(r"\d+", "", plain_text(first))
    alike = map(first.text, ("FrameOfReferenceUID", "Rows", "Columns"))
    return images.study_uid, images.kind, name, str(spacing), *alike


def _places(frames: Iterable[Frame]) -> int:
    return len({f.place for f in frames if f.place})


def _grouped(items: Iterable[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    groups: dict[_Key, list[_Item]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups
