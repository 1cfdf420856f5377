"""``scarsegecg measure``: scar inside contours that are already there, without the network."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.anatomy.insertion import neighbour_spread_deg
from ScarSegECGLib.case import Anatomy, LabelArray, LgeStack
from ScarSegECGLib.cli.lge import add_choice
from ScarSegECGLib.cli.measure_cases import compare
from ScarSegECGLib.cli.measure_pictures import draw
from ScarSegECGLib.cli.method_table import SEGMENT_COLUMNS, check_table, segment_rows, write_table
from ScarSegECGLib.cli.outputs import check_files, check_pictures
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.lge.choose_series import TAKEN
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.lge.slice_shift import SliceShifts, corrected, estimate_shifts, move, native_anatomy
from ScarSegECGLib.measure.compare import RULES
from ScarSegECGLib.measure.contours import MANUAL, METHODS, ContourMeasures, contours_of, measure_contours
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML

ALL = "all"


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
    add_choice(parser)
    parser.add_argument("--labels", type=Path, metavar="PATH", help="1 cavity, 2 myocardium, 3 scar, 4 MVO; same grid")
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
        "--remote-segments", metavar="N,N", help="AHA segments taken for remote myocardium, such as 5,11"
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
        help=f"smaller islands of a rule's scar are left out (default {SMALLEST_ISLAND_ML:g}, as in segment; 0: none); "
        "with --cases all count",
    )
    wall = parser.add_argument_group("the AHA segments")
    wall.add_argument("--aha", choices=("fixed", "landmark"), default="fixed", help="how sectors are placed")
    wall.add_argument("--segments", type=int, choices=(16, 17), default=17, help="with or without the apex")
    wall.add_argument(
        "--insertions",
        metavar="DEG,DEG",
        help="anterior and inferior RV insertion, degrees counter-clockwise from the image right, such as 120,240; "
        "default: found in the image",
    )
    wall.add_argument(
        "--correct-shifts",
        action="store_true",
        help="move slices displaced between breath-holds in line before measuring; results lie on the input's pixels",
    )
    parser.add_argument(
        "--bullseye", "--picture", type=Path, metavar="OUT", help="picture of the segments (.png, .svg, .pdf)"
    )
    parser.add_argument("--polar-map", type=Path, metavar="OUT", help="picture of the transmurality at every angle")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for everything that was measured")
    parser.add_argument(
        "--table", type=Path, metavar="OUT", help="CSV or Markdown: the segments, or with --cases the rules compared"
    )


def run(args: argparse.Namespace) -> int:
    """Measure one patient by one rule or by all, or hold the rules against the experts of many."""
    if args.table:
        check_table(args.table)
    check_pictures(args.bullseye, args.polar_map)
    check_files(args.json)
    if (args.bullseye or args.polar_map) and args.method == ALL:
        raise InputError("--bullseye and --polar-map show one rule: choose one with --method")
    _refuse_what_has_no_effect(args)
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
        if note.startswith(TAKEN):
            print(f"warning: {note}", file=sys.stderr)
    if args.contrast:
        acquired = dataclasses.replace(acquired, contrast=args.contrast)
    # without a threshold from remote myocardium it is for core and grey zone alone
    only_zones = args.method in (MANUAL, "otsu", "mixture") and acquired.contrast == "unknown"
    if only_zones and (args.remote or args.remote_segments):
        raise InputError(f"--remote has no effect with --method {args.method} unless --contrast is known: add it")
    drawn = read_labels(args.labels, acquired)
    cavity, wall = contours_of(drawn)
    if not (cavity.any() and wall.any()):
        raise InputError("The labels hold no LV cavity (1) with myocardium (2): give contours of both.")
    shifts = estimate_shifts(cavity, wall, acquired.spacing)
    masks = {
        name: read_labels(path, acquired) > 0
        for name, path in (("remote", args.remote), ("fwhm_region", args.fwhm_region))
        if path is not None
    }
    stack, labels = acquired, drawn
    if args.correct_shifts:
        stack, labels = corrected(acquired, shifts), move(drawn, shifts.pixels)
        masks = {name: move(mask, shifts.pixels) for name, mask in masks.items()}
    anatomy = partition(
        *contours_of(labels),
        stack.voxels,
        stack.spacing,
        insertions_deg=_numbers(args.insertions, "--insertions", 2) if args.insertions else None,
        mode=args.aha,
        segments=args.segments,
        orientation_known=stack.orientation_known,
    )
    if args.remote_segments:
        masks["remote"] = np.isin(anatomy.aha, _numbers(args.remote_segments, "--remote-segments"))
    measured = _by_rules(args, stack, labels, anatomy, masks)
    if args.correct_shifts:
        anatomy = native_anatomy(anatomy, shifts, stack.spacing)
        measured = {
            name: dataclasses.replace(entry, mask=move(entry.mask, -shifts.pixels)) for name, entry in measured.items()
        }
    notes = [*stack.notes, *anatomy.notes]
    if args.bullseye or args.polar_map:
        draw(next(iter(measured.values())), anatomy, acquired, args.bullseye, args.polar_map)
    if args.json:
        report = _report(stack, anatomy, measured, shifts, args.correct_shifts)
        write_text(args.json, json.dumps(report | {"notes": notes}, indent=1, allow_nan=False) + "\n")
    if args.table:
        write_table(args.table, SEGMENT_COLUMNS, segment_rows(measured))
    if not args.quiet:
        print(f"myocardium {wall.sum() * stack.voxel_ml:.2f} ml, cavity {cavity.sum() * stack.voxel_ml:.2f} ml")
        print(f"AHA partition: {anatomy.mode}")
        done = "moved in line" if args.correct_shifts else "left where they are; --correct-shifts moves them"
        print(f"slices {shifts.sentence()}" + (f": {done}" if shifts.moved.any() else ""))
        for name, entry in measured.items():
            print(_line(name, entry))
    for name, entry in measured.items():
        if entry.warning:
            print(f"warning: {name}: {entry.warning}", file=sys.stderr)  # whatever -q says
    for name, entry in measured.items():
        if entry.warning:
            print(f"warning: {name}: {entry.warning}", file=sys.stderr)
    if args.verbose:
        for note in notes:
            print(f"note: {note}")
        for name, entry in measured.items():
            if entry.grey_remark:
                print(f"note: {name}: {entry.grey_remark}")
    return 0


def _by_rules(
    args: argparse.Namespace,
    stack: LgeStack,
    labels: LabelArray,
    anatomy: Anatomy,
    masks: dict[str, NDArray[np.bool_]],
) -> dict[str, ContourMeasures]:
    """What each chosen rule measures, by its name; of "all", those that cannot be used are left out and named."""
    chosen: list[tuple[str, str, float | None]] = [(args.method, args.method, args.n_sd)]
    if args.method == ALL:
        several = [(f"n_sd_{n:g}", "n_sd", n) for _, rule, n in RULES if rule == "n_sd"]
        one = [("n_sd", "n_sd", args.n_sd)]
        chosen = []
        for method in METHODS:
            plain: list[tuple[str, str, float | None]] = [(method, method, None)]
            chosen += plain if method != "n_sd" else one if args.n_sd is not None else several
    measured: dict[str, ContourMeasures] = {}
    for name, method, n_sd in chosen:
        try:
            measured[name] = measure_contours(
                stack,
                labels,
                anatomy,
                method,
                n_sd=n_sd,
                per=args.per,
                remote=masks.get("remote"),
                fwhm_region=masks.get("fwhm_region"),
                smallest_island_ml=SMALLEST_ISLAND_ML if args.smallest_island_ml is None else args.smallest_island_ml,
            )
        except InputError as error:
            if args.method != ALL:
                raise
            print(f"scarsegecg measure: {name} left out: {error}", file=sys.stderr)
    return measured


def _report(
    stack: LgeStack,
    anatomy: Anatomy,
    measured: dict[str, ContourMeasures],
    shifts: SliceShifts,
    moved: bool,
) -> dict:
    spread = neighbour_spread_deg(anatomy.insertions_deg)
    return {
        "contrast": stack.contrast,
        "aha": anatomy.mode,
        "insertions": {
            "anterior_inferior_deg": [_known(pair) for pair in anatomy.insertions_deg],
            "confidence": [round(float(value), 3) for value in anatomy.insertion_confidence],
            "mean_step_between_slices_deg": _known(spread),
        },
        "slice_shifts": {
            "row_column_mm": [_known(pair) for pair in shifts.mm],
            "confidence": [round(float(value), 3) for value in shifts.confidence],
            "displaced_slices_from_apex": [int(k) + 1 for k in np.flatnonzero(shifts.moved)],
            "corrected": moved,
        },
        "myocardium_ml": float(anatomy.myocardium.sum()) * stack.voxel_ml,
        "cavity_ml": float(anatomy.cavity.sum()) * stack.voxel_ml,
        "methods": {name: as_json(entry) for name, entry in measured.items()},
    }


def as_json(measured: ContourMeasures) -> dict:
    """Everything but the mask."""
    named = {field.name: getattr(measured, field.name) for field in dataclasses.fields(measured)}
    named.pop("mask")
    for key in ("patterns", "segments"):
        named[key] = [dataclasses.asdict(entry) for entry in named[key]]
    return named | {"scar": dataclasses.asdict(measured.scar)}


def _known(values: NDArray[np.float64]) -> list[float] | None:
    return [round(float(value), 2) for value in values] if np.isfinite(values).all() else None


def _line(name: str, measured: ContourMeasures) -> str:
    scar = measured.scar
    said = f"{measured.method}; remote region {measured.remote.removeprefix('remote region ')}"
    mvo = f"MVO {measured.mvo_ml:.2f} ml in it; " if measured.mvo_ml else ""
    return f"{name:<8}{scar.ml:>8.2f} ml{scar.grams:>8.2f} g{scar.percent_of_lv:>7.1f} %   {mvo}{said}"


def _numbers(text: str, option: str, count: int | None = None) -> NDArray[np.float64]:
    try:
        values = np.array([float(part) for part in text.split(",")])
    except ValueError:
        values = np.empty(0)
    if not values.size or (count is not None and values.size != count) or not np.isfinite(values).all():
        raise InputError(f"{option} {text}: give numbers with commas between them, such as the help shows")
    return values
