"""What the structured report says, group by group, before it becomes DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.sr.coding import Code

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, Burden, IslandPattern, ScarParts, ScarResult, SegmentRow
from ScarSegECGLib.export.dicom import codes
from ScarSegECGLib.facts import Shown
from ScarSegECGLib.measure.segments import TerritoryRow, rests_on_little, territory_table
from ScarSegECGLib.report.accuracy import doubt_of
from ScarSegECGLib.report.numbers import finite
from ScarSegECGLib.report.present import ecg_counts, headline
from ScarSegECGLib.report.private import without_paths
from ScarSegECGLib.report.tables import LITTLE_SCAR, sentence
from ScarSegECGLib.wording import ECG_IS_NO_FINDING, RESEARCH_USE, agreement_reason, all_words, words

SCAR_FLOOR_PERCENT, SCAR_FLOOR_ML = 1.0, 0.1
"""Scar below both in a segment is a border's spill-over, not a finding."""


@dataclass(frozen=True)
class Value:
    """One number: what, how much, in which unit."""

    name: Code
    value: float
    unit: Code


@dataclass(frozen=True)
class Group:
    """One measurement group.

    ``segment`` is (key of the segmentation, label in it) where the group measures exactly one segment's voxels.
    ``answers`` are coded questions with their coded answers, ``comments`` sentences that belong beside the numbers.
    """

    title: str
    finding: Code
    site: Code | None
    values: tuple[Value, ...]
    answers: tuple[tuple[Code, Code], ...] = ()
    segment: tuple[str, int] | None = None
    comments: tuple[str, ...] = ()


SCAR, ALONE = "Scar", "Scar, image only"
MAIN, AHA, PARTS = "segmentation", "aha17", "scar_parts"


def groups(result: ScarResult) -> tuple[Group, ...]:
    """Left ventricle, scar without and with the ECG, its parts, the 17 segments, territories, islands, the ECG."""
    doubt = tuple(filter(None, [words(doubt_of(result))]))
    return (
        *_ventricle(result),
        *_scar(result, doubt),
        *(_parts(result.parts) if result.parts else ()),
        *(_aha(row, doubt) for row in result.segments),
        *(_territory(row, result.shown) for row in territory_table(result.segments)),
        *(_island(island) for island in result.patterns),
        _ecg(result),
    )


def _ventricle(result: ScarResult) -> Iterator[Group]:
    cavity = _values((codes.VOLUME, result.cavity_ml, codes.MILLILITRE))
    yield Group("LV cavity", codes.BLOOD, codes.LEFT_VENTRICLE, cavity, segment=(MAIN, 1))
    wall = _values(
        (codes.VOLUME, result.myocardium_ml, codes.MILLILITRE),
        (codes.MASS, result.myocardium_ml * MYOCARDIAL_DENSITY_G_PER_ML, codes.GRAM),
    )
    yield Group("LV myocardium, scar included", codes.LV_MYOCARDIUM, codes.LEFT_VENTRICLE, wall)


def _scar(result: ScarResult, doubt: tuple[str, ...]) -> Iterator[Group]:
    """Both scars, the primary one with headline and interval, and what the report for people says beside them."""
    with_ecg = result.shown is Shown.WITH_ECG
    whose = (f"With the ECG (investigational); the primary figures are those of '{ALONE}'.",) if with_ecg else ()
    warnings = (without_paths(text) for text in all_words(result.warnings))
    for title, burden, segment, comments, primary in (
        (ALONE, result.scar_image_only, None, doubt, with_ecg),
        (SCAR, result.scar, (MAIN, 3), (RESEARCH_USE, *whose, *warnings, *doubt), not with_ecg),
    ):
        values = _three(burden, codes.PERCENT_OF_LV)
        if primary:
            comments = (f"{headline(result)}.", *comments)
            values += _interval(result)
        yield Group(title, codes.SCAR_TISSUE, codes.LV_MYOCARDIUM, values, segment=segment, comments=comments)


def _interval(result: ScarResult) -> tuple[Value, ...]:
    if result.interval is None or result.method.corrected:
        return ()
    low, high = result.interval.ml
    return _values((codes.LOWER_END, low, codes.MILLILITRE), (codes.UPPER_END, high, codes.MILLILITRE))


def _three(burden: Burden, share: Code) -> tuple[Value, ...]:
    return _values(
        (codes.VOLUME, burden.ml, codes.MILLILITRE),
        (codes.MASS, burden.grams, codes.GRAM),
        (share, burden.percent_of_lv, codes.PERCENT),
    )


def _parts(parts: ScarParts) -> Iterator[Group]:
    """Core, grey zone, what lies below it, and MVO, each with its share of the LV wall.

    A part that could not be told is left out, and what holds no scar too. A grey zone without a voxel is left out as
    well: its two limits left no room, which says nothing of the tissue.
    """
    comments = tuple(f"{sentence(text)}." for text in (words(parts.rule), words(parts.remark)) if text)
    for part, burden in zip(codes.SCAR_PARTS, (parts.core, parts.grey, parts.rest, parts.mvo), strict=True):
        if burden is not None and burden.ml:
            values, segment = _three(burden, codes.PARTS_OF_LV[part.label]), (PARTS, part.label)
            yield Group(part.name, part.kind, codes.LV_MYOCARDIUM, values, segment=segment, comments=comments)


def _aha(row: SegmentRow, doubt: tuple[str, ...]) -> Group:
    structure = codes.AHA_SEGMENTS[row.number - 1]
    estimate = (codes.PERCENT_ECG_ONLY, row.ecg_percent, codes.PERCENT)
    comments: tuple[str, ...] = (ECG_IS_NO_FINDING,) if finite(row.ecg_percent) is not None else ()
    answers: tuple[tuple[Code, Code], ...] = ((codes.COVERAGE, codes.NOT_IMAGED),)
    if not row.imaged:
        return Group(structure.name, codes.LV_MYOCARDIUM, structure.kind, _values(estimate), answers, None, comments)
    values = _values(
        (codes.VOLUME, row.myocardium_ml, codes.MILLILITRE),
        (codes.PERCENT_IMAGE_ONLY, row.scar_percent_image_only, codes.PERCENT),
        (codes.SCAR_VOLUME, row.scar_ml, codes.MILLILITRE),
        (codes.PERCENT_OF_SEGMENT, row.scar_percent, codes.PERCENT),
        (codes.MVO_VOLUME, row.mvo_ml, codes.MILLILITRE),
        (codes.TRANSMURALITY_MEAN, row.transmurality_mean_percent, codes.PERCENT),
        (codes.TRANSMURALITY_MAXIMUM, row.transmurality_max_percent, codes.PERCENT),
        (codes.WALL_THICKNESS, row.wall_thickness_mm, codes.MILLIMETRE),
        estimate,
    )
    seen = (row.scar_percent or 0) >= SCAR_FLOOR_PERCENT or (row.scar_ml or 0) >= SCAR_FLOOR_ML
    answers = ((codes.MYOCARDIAL_FINDING, codes.SCARRED if seen else codes.NO_SCAR),)
    comments += doubt if seen else ()
    if rests_on_little(row):
        comments += (LITTLE_SCAR,)
    if row.agreement:
        answers += ((codes.ECG_VERDICT, codes.VERDICTS[row.agreement]),)
        comments += tuple(filter(None, [without_paths(agreement_reason(row.agreement_reason))]))
    site = (AHA, row.number)
    return Group(structure.name, codes.LV_MYOCARDIUM, structure.kind, values, answers, site, comments)


def _territory(row: TerritoryRow, shown: Shown) -> Group:
    """The segments of one usual coronary territory together."""
    values = _values(
        (codes.VOLUME, row.myocardium_ml, codes.MILLILITRE),
        (codes.SCAR_VOLUME, row.scar_ml, codes.MILLILITRE),
        (codes.PERCENT_OF_TERRITORY_IMAGE_ONLY, row.scar_percent_image_only, codes.PERCENT),
        (codes.PERCENT_OF_TERRITORY, row.scar_percent, codes.PERCENT),
    )
    segments = ", ".join(map(str, row.segments)) or "none imaged"
    comment = f"Usual territory, segments {segments}; scar {words(shown)}."
    title = f"Usual territory {row.name}"
    return Group(title, codes.LV_MYOCARDIUM, codes.LEFT_VENTRICLE, values, comments=(comment,))


def _island(island: IslandPattern) -> Group:
    """One connected piece of scar and where in the wall it lies."""
    first, last = (k + 1 for k in island.slices)
    where = f"Slices {first} to {last}" if last > first else f"Slice {first}"
    remark = [f"Remark: {words(island.remark)}."] if island.remark else []
    volume = _values((codes.VOLUME, island.ml, codes.MILLILITRE))
    answers = ((codes.PATTERN, codes.PATTERNS[island.pattern]),)
    title, comments = f"Scar island {island.number}", (f"{where} from the apex.", *remark)
    return Group(title, codes.SCAR_TISSUE, codes.LV_MYOCARDIUM, volume, answers, comments=comments)


def _ecg(result: ScarResult) -> Group:
    use = result.ecg_use
    values = _values((codes.ECG_GAP, use.gap.days, codes.DAY), (codes.ECG_AMPLITUDE, use.amplitude, codes.UNITY))
    answers = ((codes.ECG_USE, codes.ECG_COUNTED if ecg_counts(result) else codes.ECG_NOT_COUNTED),)
    return Group("ECG", codes.ECG_USE, None, values, answers)


def _values(*given: tuple[Code, float | None, Code]) -> tuple[Value, ...]:
    """What is known; an absent number is left out, never written as 0. One decimal, two for the ECG's weight."""
    known = ((name, finite(value), unit) for name, value, unit in given)
    return tuple(
        Value(name, round(value, 2 if unit is codes.UNITY else 1), unit)
        for name, value, unit in known
        if value is not None
    )
