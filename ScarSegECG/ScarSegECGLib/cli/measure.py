"""``scarsegecg measure``: scar inside contours that are already there, without the network."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.case import Anatomy, LabelArray, LgeStack
from ScarSegECGLib.cli.crew import add_crew, crew_of
from ScarSegECGLib.cli.division import add_division, insertions_of
from ScarSegECGLib.cli.lge import add_choice
from ScarSegECGLib.cli.measure_cases import compare
from ScarSegECGLib.cli.measure_inputs import hint, segments_mask, without_slices
from ScarSegECGLib.cli.outputs import check_files, check_pictures, check_table, save_picture, write_table
from ScarSegECGLib.cohort.engine import Crew
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.facts import AhaMode, Division, LgeNote, RemoteRegion, RemoteSource, ScarSource, has
from ScarSegECGLib.lge.contrast import with_contrast
from ScarSegECGLib.lge.labels import parse_label_map, read_contours, read_mask
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.lge.slice_shift import corrected, estimate_shifts, move, native_anatomy
from ScarSegECGLib.measure.compare import RULES as COMPARED
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML
from ScarSegECGLib.measure.measurements import Measurements, MeasureOptions, contours_of, drawn_scar, measure
from ScarSegECGLib.measure.remote import remote_myocardium
from ScarSegECGLib.measure.rules import RULES, ThresholdRule
from ScarSegECGLib.report.measured import doubts, patient_report, printed, segment_rows
from ScarSegECGLib.view.pictures import (
    how_of,
    measured_montage,
    measured_polar_map,
    scar_bullseye,
    transmurality_bullseye,
)
from ScarSegECGLib.wording import all_words, words

ALL, MANUAL = "all", ScarSource.MANUAL
METHODS = (MANUAL, *RULES)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--lge", type=Path, metavar="PATH", help="NIfTI, NRRD or DICOM, with --labels")
    what.add_argument(
        "--cases",
        type=Path,
        metavar="DIR",
        help="in place of one patient, a folder of Case_*/Case_*_{img,seg}.nii.gz: hold the rules against the experts",
    )
    add_crew(parser)
    add_choice(parser)
    parser.add_argument("--labels", type=Path, metavar="PATH", help="1 cavity, 2 myocardium, 3 scar, 4 MVO; same grid")
    parser.add_argument(
        "--label-map",
        metavar="N=CLASS,...",
        help="what the labels' values mean, such as 1=scar,2=myocardium,3=cavity (none, cavity, myocardium, scar, mvo)",
    )
    rule = parser.add_argument_group("the rule")
    rule.add_argument("--method", choices=(*METHODS, ALL), default=MANUAL, help="default: the scar of the labels")
    rule.add_argument("--n-sd", type=float, metavar="N", help="for n_sd: 2 to 6 (default 3 on magnitude images)")
    rule.add_argument(
        "--per",
        choices=("slice", "stack"),
        default="slice",
        help="one threshold per slice (default), or one for the stack where all slices share one intensity scale",
    )
    rule.add_argument("--contrast", choices=("magnitude", "psir"), help="default: what the file says")
    remote = rule.add_mutually_exclusive_group()
    remote.add_argument(
        "--remote",
        type=Path,
        metavar="PATH",
        help="mask of remote (healthy) myocardium on the image's grid, for n_sd, fwhm on PSIR and ewa; default: the "
        "darkest 60 degree sector of each slice",
    )
    remote.add_argument(
        "--remote-segments",
        metavar="N,N",
        help="AHA segments in which you see no scar, taken for remote myocardium; one of each third, such as 6,12,16",
    )
    rule.add_argument(
        "--fwhm-region",
        type=Path,
        metavar="PATH",
        help="mask in which fwhm looks for the maximum, such as one drawn in the scar; default: the whole wall",
    )
    rule.add_argument(
        "--smallest-island-ml",
        type=float,
        metavar="ML",
        help="smaller islands of a rule's scar, each with the MVO it encloses, are left out (default "
        f"{SMALLEST_ISLAND_ML:g}, as in segment; 0: none)",
    )
    wall = add_division(parser)
    wall.add_argument(
        "--leave-out-slices",
        metavar="N,N",
        help="slices that count in nothing, from 1 at the apex; the thirds run from the first to the last that stays",
    )
    wall.add_argument(
        "--correct-shifts",
        action="store_true",
        help="move slices displaced between breath-holds in line before measuring; results lie on the input's pixels",
    )
    parser.add_argument(
        "--bullseye",
        "--picture",
        type=Path,
        action="append",
        metavar="OUT",
        help="picture of the segments (.png, .svg, .pdf); may be given more than once",
    )
    parser.add_argument(
        "--montage", type=Path, metavar="OUT", help="picture of all slices with contours, scar, MVO and RV insertions"
    )
    parser.add_argument("--polar-map", type=Path, metavar="OUT", help="picture of the transmurality at every angle")
    parser.add_argument(
        "--transmurality", type=Path, metavar="OUT", help="bullseye of the mean transmurality in the usual bins"
    )
    parser.add_argument(
        "--transmurality-max", type=Path, metavar="OUT", help="bullseye of the maximum transmurality in the usual bins"
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for everything that was measured")
    parser.add_argument(
        "--table", type=Path, metavar="OUT", help="CSV or Markdown: the segments, or with --cases the rules compared"
    )


def run(args: argparse.Namespace) -> int:
    """Measure one patient by one rule or by all, or hold the rules against the experts of many."""
    if args.table:
        check_table(args.table)
    pictures = *(args.bullseye or ()), args.polar_map, args.montage, args.transmurality, args.transmurality_max
    check_pictures(*pictures)
    check_files(args.json, args.table, *pictures)
    if any(pictures) and args.method == ALL and not args.cases:
        raise InputError("pictures such as --bullseye and --montage show one rule: choose one with --method")
    _refuse_what_has_no_effect(args)
    if not args.cases and crew_of(args) != Crew():
        raise InputError("--workers, --memory and --scheduler are for many cases: give --cases")
    return compare(args) if args.cases else _measure(args)


def _refuse_what_has_no_effect(args: argparse.Namespace) -> None:
    rules = tuple(method for method in METHODS if method != MANUAL)
    used_by = {
        "--n-sd": (args.n_sd is not None, ("n_sd",)),
        "--fwhm-region": (args.fwhm_region is not None, ("fwhm",)),
        "--per stack": (args.per == "stack", rules),
        "--smallest-island-ml": (args.smallest_island_ml is not None, rules),
    }
    for option, (given, methods) in used_by.items():
        if given and args.method not in (*methods, ALL):
            raise InputError(f"{option} has no effect with --method {args.method}: leave it out")
    if args.smallest_island_ml is not None and not 0 <= args.smallest_island_ml < np.inf:
        raise InputError(f"--smallest-island-ml {args.smallest_island_ml:g}: give a volume in ml, 0 or more")


def _measure(args: argparse.Namespace) -> int:
    if args.labels is None:
        raise InputError("--labels is missing: give the contours of --lge")
    acquired = read_lge(args.lge, series=args.series, image=args.image)
    for note in acquired.notes:
        if has((note,), LgeNote.TAKEN, LgeNote.TAKEN_AS_ASKED):
            print(f"warning: {words(note)}", file=sys.stderr)
    if args.contrast:
        acquired = with_contrast(acquired, args.contrast)
    # without a threshold from remote myocardium it is for core and grey zone alone
    only_zones = args.method in (MANUAL, "otsu", "mixture") and acquired.contrast == "unknown"
    for option, given in (("--remote", args.remote), ("--remote-segments", args.remote_segments)):
        if only_zones and given is not None:
            raise InputError(f"{option} has no effect with --method {args.method} unless --contrast is known: add it")
    contours, of_labels = read_contours(args.labels, acquired, args.label_map and parse_label_map(args.label_map))
    drawn, left_out = without_slices(contours, args.leave_out_slices)
    cavity, wall = contours_of(drawn)
    if not (cavity.any() and wall.any()):
        if left_out:
            raise InputError("The labels hold no LV cavity (1) with myocardium (2) outside the slices left out.")
        raise InputError("The labels hold no LV cavity (1) with myocardium (2): give contours of both.")
    shifts = estimate_shifts(cavity, wall, acquired.spacing)
    masks = {}
    for name, path in (("remote", args.remote), ("fwhm_region", args.fwhm_region)):
        if path is not None:
            masks[name], of_mask = read_mask(path, acquired)
            of_labels = (*of_labels, *of_mask)
    acquired = dataclasses.replace(acquired, notes=tuple(dict.fromkeys((*acquired.notes, *of_labels))))
    stack, labels = acquired, drawn
    if args.correct_shifts:
        stack, labels = corrected(acquired, shifts), move(drawn, shifts.pixels)
        masks = {name: move(mask, shifts.pixels) for name, mask in masks.items()}
    given = insertions_of(args.insertions, len(labels)) if args.insertions is not None else None
    anatomy = divide(stack, *contours_of(labels), given, Division(AhaMode(args.aha), args.segments))
    measured = _by_rules(args, stack, labels, anatomy, masks, left_out)
    report: dict = {}
    if args.json:
        report = patient_report(stack, anatomy, measured, shifts, corrected=args.correct_shifts, left_out=left_out)
    if args.correct_shifts:
        anatomy = native_anatomy(anatomy, shifts, stack.spacing)
        measured = {
            name: dataclasses.replace(
                entry,
                labels=move(entry.labels, -shifts.pixels),
                parts=dataclasses.replace(entry.parts, labels=move(entry.parts.labels, -shifts.pixels)),
            )
            for name, entry in measured.items()
        }
    warnings = doubts(stack, anatomy, measured, None if args.correct_shifts else shifts)
    _draw(args, next(iter(measured.values())), anatomy, acquired)
    notes = [*stack.notes, *anatomy.notes]
    if args.json:
        told = report | {"notes": list(all_words(notes)), "warnings": [told for told, _ in warnings]}
        write_text(args.json, json.dumps(told, indent=1, allow_nan=False) + "\n")
    if args.table:
        write_table(args.table, *segment_rows(measured))
    if not args.quiet:
        told_of = shifts if args.correct_shifts or not shifts.moved.any() else None  # else it is a warning
        print("\n".join(printed(anatomy, stack.voxel_ml, measured, told_of, left_out)))
    for line, fact in warnings:
        if not has((fact,), LgeNote.TAKEN, LgeNote.TAKEN_AS_ASKED):  # said before the work
            print(f"warning: {line}", file=sys.stderr)  # whatever -q says
    if args.verbose:
        for note in notes:
            if all(note != fact for _, fact in warnings):
                print(f"note: {words(note)}")
        for name, entry in measured.items():
            if entry.parts.remark:
                print(f"note: {name}: {words(entry.parts.remark)}")
    return 0


def _draw(args: argparse.Namespace, measured: Measurements, anatomy: Anatomy, stack: LgeStack) -> None:
    """Write the pictures that are asked for, each with its rule, remote region and AHA mode in words."""
    for path in args.bullseye or ():
        save_picture(scar_bullseye(measured), path)
    if args.polar_map:
        save_picture(measured_polar_map(measured, anatomy, stack.spacing), args.polar_map)
    if args.montage:
        save_picture(measured_montage(measured, anatomy, stack), args.montage)
    if args.transmurality:
        save_picture(transmurality_bullseye(measured.segments, how_of(measured)), args.transmurality)
    if args.transmurality_max:
        deepest = transmurality_bullseye(measured.segments, how_of(measured), maximum=True)
        save_picture(deepest, args.transmurality_max)


def smallest_island(args: argparse.Namespace) -> float:
    """Below which volume islands of a rule do not count, ml."""
    return SMALLEST_ISLAND_ML if args.smallest_island_ml is None else args.smallest_island_ml


def _by_rules(
    args: argparse.Namespace,
    stack: LgeStack,
    labels: LabelArray,
    anatomy: Anatomy,
    masks: dict[str, NDArray[np.bool_]],
    left_out: tuple[int, ...],
) -> dict[str, Measurements]:
    """What each chosen rule measures, by its name; of "all", those that cannot be used are left out and named."""
    given, region = masks.get("remote"), RemoteRegion(RemoteSource.DRAWN)
    if args.remote_segments is not None:
        given, region = segments_mask(anatomy.aha, args.remote_segments)
    remote = remote_myocardium(stack.voxels, *contours_of(labels), stack.spacing, given, of=region)
    chosen: list[tuple[str, str, float | None]] = [(args.method, args.method, args.n_sd)]
    if args.method == ALL:
        several = [(f"n_sd_{n:g}", rule, n) for _, rule, n in COMPARED if n is not None and args.n_sd is None]
        several = several or [("n_sd", "n_sd", args.n_sd)]
        at = METHODS.index(ScarSource.N_SD)
        before, after = ([(str(m), str(m), None) for m in part] for part in (METHODS[:at], METHODS[at + 1 :]))
        chosen = [*before, *several, *after]
    scar, options = drawn_scar(labels)
    measured: dict[str, Measurements] = {}
    for name, method, n_sd in chosen:
        try:
            if method == MANUAL:
                found = measure(stack, anatomy, scar, dataclasses.replace(options, remote=remote))
            else:
                rule = ThresholdRule(method, n_sd, args.per, remote, masks.get("fwhm_region"), smallest_island(args))
                found = measure(stack, anatomy, rule, MeasureOptions(remote, drawn_scar=options.drawn_scar))
        except InputError as error:
            if args.method != ALL:
                raise InputError(f"{error}{hint(error)}") from None
            print(f"warning: {name} left out: {error}{hint(error)}", file=sys.stderr)
            continue
        if left_out:
            found = dataclasses.replace(found, method=dataclasses.replace(found.method, without_slices=left_out))
        measured[name] = found
    return measured
