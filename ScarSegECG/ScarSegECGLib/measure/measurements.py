"""One way to measure a scar, whoever or whatever found it, and what a patient's result takes from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ScarSegECGLib import case
from ScarSegECGLib.anatomy.polar import Mask
from ScarSegECGLib.case import Anatomy, Burden, IslandPattern, LabelArray, LgeStack, ScarParts, SegmentRow, burden_of
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import AnatomyNote, Contrast, Division, Doubt, Fact, Method, Pattern, ScarRemark, ScarSource
from ScarSegECGLib.facts_ecg import Conduction
from ScarSegECGLib.measure.agreement import agreement_table
from ScarSegECGLib.measure.islands import island_patterns
from ScarSegECGLib.measure.parts import scar_parts
from ScarSegECGLib.measure.remote import Region, Remote, remote_doubts, remote_myocardium
from ScarSegECGLib.measure.rules import RULES, FoundScar, ThresholdRule, find_scar
from ScarSegECGLib.measure.segments import segment_percent, segment_table
from ScarSegECGLib.measure.trust import of_contours

# What the division notes and no figure suffers from, or what is said of the input already.
HARMLESS = (AnatomyNote.INSERTIONS_GIVEN, AnatomyNote.NO_APEX, AnatomyNote.ORIENTATION_ASSUMED, AnatomyNote.OFF_AXIS)
_WIDER_APEX = 1.5


@dataclass(frozen=True)
class Measurements:
    """What is measured of one scar inside one patient's contours."""

    method: Method
    contrast: Contrast
    division: Division
    labels: LabelArray  # 0 background, 1 LV cavity, 2 myocardium without scar, 3 scar (MVO in)
    cavity_ml: float
    myocardium_ml: float
    scar: Burden  # MVO counted in
    parts: ScarParts
    patterns: tuple[IslandPattern, ...]
    segments: tuple[SegmentRow, ...]  # 16 or 17, as the wall was divided
    thresholds: tuple[float | None, ...] = ()  # of a rule, by slice
    remote: Remote | None = None  # the region that rule or parts rest on
    warnings: tuple[Fact, ...] = ()  # what speaks against the threshold or the remote region
    doubts: tuple[Fact, ...] = ()  # what speaks against the contours, their division, and the scar's islands

    @property
    def mask(self) -> Mask:
        """The scar, MVO in."""
        return self.labels == case.SCAR

    @property
    def mvo(self) -> Mask:
        return self.parts.labels == case.PART_MVO


def contours_of(labels: LabelArray) -> tuple[Mask, Mask]:
    """Cavity and myocardium (scar and MVO in) of a label map: 1 cavity, 2 myocardium, 3 scar, 4 MVO."""
    return labels == case.CAVITY, (labels >= case.MYOCARDIUM) & (labels <= case.MVO)


def drawn_scar(labels: LabelArray) -> tuple[Mask, Mask]:
    """The scar (MVO in) of a reader's label map, and the MVO."""
    return (labels == case.SCAR) | (labels == case.MVO), labels == case.MVO


def measure(
    stack: LgeStack,
    contours: Anatomy,
    scar: Mask | FoundScar | ThresholdRule,
    mvo: Mask | None = None,
    *,
    remote: Region = None,
    drawn: Mask | None = None,
) -> Measurements:
    """Measure a scar inside contours: the network's, a rule's or a reader's, all alike.

    ``contours`` are those of :func:`ScarSegECGLib.anatomy.aha.divide`. A mask counts as drawn by a reader; a rule is
    looked for inside the contours. What lies outside the wall does not count. ``mvo`` is taken as it is, or looked for
    in the scar; ``remote``, for core, grey zone and MVO, is as of :func:`remote_myocardium`; ``drawn`` is a scar, a
    reader's or the networks', in which remote myocardium should not lie. InputError for masks of another shape than
    the stack, or a rule that cannot be used on it.
    """
    cavity, wall = contours.cavity, contours.myocardium
    if isinstance(scar, ThresholdRule):
        asked, scar = scar.remote, find_scar(stack, cavity, wall, scar)
        remote = scar.remote if asked is remote else remote  # not looked for again
    elif not isinstance(scar, FoundScar):
        scar = FoundScar(scar, Method(ScarSource.MANUAL, contrast=Contrast(stack.contrast)))
    if scar.mask.shape != wall.shape or wall.shape != stack.voxels.shape:
        raise InputError(f"scar of shape {scar.mask.shape} does not fit the images of shape {stack.voxels.shape}")
    held = scar.mask & wall
    healthy = remote_myocardium(stack, cavity, wall, remote) if wall.any() else None
    parts = scar_parts(stack, cavity, wall, held, mvo=mvo, remote=healthy)
    warnings, seen = scar.warnings, (scar.remote if scar.remote and scar.method.remote else healthy)
    if seen is not None and (parts.rule or scar.method.remote):
        doubted = remote_doubts(stack, cavity, wall, seen, drawn)
        warnings = tuple(dict.fromkeys(warnings + doubted))
    labels = np.zeros(wall.shape, np.uint8)
    labels[cavity], labels[wall], labels[held] = case.CAVITY, case.MYOCARDIUM, case.SCAR
    patterns = island_patterns(held, cavity, wall, stack.spacing)
    voxels = int(np.count_nonzero(wall))
    return Measurements(
        scar.method,
        Contrast(stack.contrast),
        contours.division,
        labels,
        cavity_ml=float(cavity.sum()) * stack.voxel_ml,
        myocardium_ml=voxels * stack.voxel_ml,
        scar=burden_of(int(np.count_nonzero(held)), voxels, stack.voxel_ml),
        parts=parts,
        patterns=patterns,
        segments=segment_table(contours, held, stack.spacing, parts),
        thresholds=scar.thresholds,
        remote=seen,
        warnings=warnings,
        doubts=(*contour_doubts(contours), *_unusual(patterns)),
    )


def figures(
    stack: LgeStack,
    anatomy: Anatomy,
    scar: FoundScar,
    image_only: Mask,
    seen: Mask,
    use: case.EcgUse,
    conduction: Conduction = Conduction.UNKNOWN,
    ecg_percent: Sequence[float | None] | None = None,
    input_warnings: tuple[Fact, ...] = (),
) -> dict[str, Any]:
    """The fields of a :class:`ScarSegECGLib.case.ScarResult` that follow from masks; without a wall all figures are 0.

    ``scar`` is the one with the ECG, where it counted, ``image_only`` the one without, ``seen`` the one that the ECG is
    held against. ``ecg_percent``, of 17 segments, is the scar from the ECG alone, 0..100. ``input_warnings``, which no
    mask changes, come first.
    """
    measured = measure(stack, anatomy, scar, drawn=scar.mask if scar.method.source not in RULES else None)
    wall, count = anatomy.myocardium, len(anatomy.imaged)
    alone, shown = (segment_percent(anatomy.aha, mask & wall, count) for mask in (image_only, seen))
    percent = [None if np.isnan(p) else float(p) for p in shown]
    verdicts = agreement_table(percent, ecg_percent, conduction, use)
    rows = tuple(
        replace(
            row,
            scar_percent_image_only=float(alone[i]) if row.imaged else None,
            ecg_percent=None if ecg_percent is None else ecg_percent[i],
            agreement=verdicts[i][0],
            agreement_reason=verdicts[i][1],
        )
        for i, row in enumerate(measured.segments)
    )
    same = ("method", "labels", "cavity_ml", "myocardium_ml", "scar", "parts", "patterns")
    alone_voxels, voxels = (int(np.count_nonzero(mask)) for mask in (image_only & wall, wall))
    return {name: getattr(measured, name) for name in same} | {
        "scar_image_only": burden_of(alone_voxels, voxels, stack.voxel_ml),
        "mvo": measured.parts.mvo,
        "segments": rows,
        "input_warnings": input_warnings,
        "warnings": (*input_warnings, *measured.warnings, *measured.doubts),
    }


def measured_again(
    result: case.ScarResult, anatomy: Anatomy, scar: FoundScar, image_only: Mask, conduction: Conduction
) -> case.ScarResult:
    """The case measured again with this anatomy and this scar, which is what somebody now says the images show.

    What the ECG itself says stays; it, with its ``conduction`` (unknown without one), is held against the new scar.
    """
    said = [row.ecg_percent for row in result.segments]
    said += [None] * (len(anatomy.imaged) - len(said))  # 16 segments have no apex
    percent = said if any(value is not None for value in said) else None
    changed = figures(
        result.stack, anatomy, scar, image_only, scar.mask, result.ecg_use, conduction, percent, result.input_warnings
    )
    if replace(scar.method, image_only=False) != result.method:  # no longer the networks' own scar
        changed |= {"interval": None, "confidence": of_contours(result.confidence)}
    return replace(result, anatomy=anatomy, **changed)


def contour_doubts(contours: Anatomy) -> tuple[Fact, ...]:
    """What speaks against contours and their division, however they were made."""
    area = contours.cavity.sum(axis=(1, 2))
    lv = np.flatnonzero(area)
    half = len(lv) // 2
    wider = half and area[lv[:half]].mean() > _WIDER_APEX * area[lv[-half:]].mean()
    said = (note for note in contours.notes if note.code not in HARMLESS)
    return (*((Fact(Doubt.WIDER_APEX),) if wider else ()), *said)


def _unusual(patterns: tuple[IslandPattern, ...]) -> tuple[Fact, ...]:
    """Islands that are no ischaemic scar, those of one kind together."""
    kinds: dict[tuple[Pattern, ScarRemark], list[float]] = {}
    for island in patterns:
        if island.remark:
            kinds.setdefault((island.pattern, island.remark), []).append(island.ml)
    return tuple(
        Fact(Doubt.UNUSUAL_SCAR, pattern=pattern, remark=remark, count=len(ml), ml=sum(ml))
        for (pattern, remark), ml in kinds.items()
    )
