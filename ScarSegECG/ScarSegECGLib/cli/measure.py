"""``scarsegecg measure``: scar inside contours that are already there, without the network."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ScarSegECGLib.anatomy.aha import divide
from ScarSegECGLib.anatomy.polar import Mask
from ScarSegECGLib.case import Anatomy, LabelArray, LgeStack
from ScarSegECGLib.cli import options
from ScarSegECGLib.cli.crew import done_in_order
from ScarSegECGLib.cli.outputs import check_files, save_picture, write_json, write_table
from ScarSegECGLib.cli.terminal import explain, say, warn
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import AhaMode, Division, RemoteRegion, RemoteSource, ScarSource
from ScarSegECGLib.lge.labels import LabelMap, parse_label_map, read_contours, read_mask
from ScarSegECGLib.lge.read import read_lge, with_contrast
from ScarSegECGLib.lge.slice_shift import corrected, estimate_shifts, move, native_anatomy
from ScarSegECGLib.measure.compare import RULES as COMPARED
from ScarSegECGLib.measure.compare import CaseScores, MethodScore, case_scores, combined, rules_left_out
from ScarSegECGLib.measure.expert import case_folders, load_case
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML
from ScarSegECGLib.measure.measurements import Measurements, contours_of, drawn_scar, measure
from ScarSegECGLib.measure.remote import remote_myocardium
from ScarSegECGLib.measure.rules import RULES, ThresholdRule
from ScarSegECGLib.report.measured import as_plain, doubts, patient_report, printed, score_rows, segment_rows
from ScarSegECGLib.report.plain import finite
from ScarSegECGLib.view import pictures
from ScarSegECGLib.view.shapes import Drawing
from ScarSegECGLib.wording import CASES_COMPARED, all_words, words

ALL, MANUAL = "all", ScarSource.MANUAL
METHODS = tuple(map(str, (MANUAL, *RULES)))
_OF_ONE_PATIENT = (
    *("--labels", "--remote", "--remote-segments", "--fwhm-region", "--series", "--image", "--leave-out-slices"),
    *("--aha", "--segments", "--insertions", "--correct-shifts"),
)

PICTURES: dict[str, tuple[str, Callable[[Measurements, Anatomy, LgeStack], Drawing]]] = {
    "--bullseye": (
        "picture of the segments (.png, .svg, .pdf); may be given more than once",
        lambda found, *_: pictures.scar_bullseye(found),
    ),
    "--montage": ("picture of all slices with contours, scar, MVO and RV insertions", pictures.scar_montage),
    "--polar-map": ("picture of the transmurality at every angle", pictures.measured_polar_map),
    "--transmurality": (
        "bullseye of the mean transmurality in the usual bins",
        lambda found, *_: pictures.transmurality_bullseye(found.segments, pictures.how_of(found)),
    ),
    "--transmurality-max": (
        "bullseye of the maximum transmurality in the usual bins",
        lambda found, *_: pictures.transmurality_bullseye(found.segments, pictures.how_of(found), maximum=True),
    ),
}
"""Help, and how each is drawn, with its rule, remote region and AHA mode in words."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--lge", type=Path, metavar="PATH", help="NIfTI, NRRD or DICOM, with --labels")
    many = "in place of one patient, a folder of Case_*/Case_*_{img,seg}.nii.gz: hold the rules against the experts"
    what.add_argument("--cases", type=Path, metavar="DIR", help=many)
    options.add_shared(parser, *options.CREW, *options.CHOICE)
    option("--labels", type=Path, metavar="PATH", help="1 cavity, 2 myocardium, 3 scar, 4 MVO; same grid")
    meant = "what the labels' values mean, such as 1=scar,2=myocardium,3=cavity (none, cavity, myocardium, scar, mvo)"
    option("--label-map", metavar="N=CLASS,...", help=meant)
    rule = parser.add_argument_group("the rule")
    rule.add_argument("--method", choices=(*METHODS, ALL), default=MANUAL, help="default: the scar of the labels")
    options.add_shared(rule, "--n-sd", "--contrast")
    per = "one threshold per slice (default), or one for the stack where all slices share one intensity scale"
    rule.add_argument("--per", choices=("slice", "stack"), default="slice", help=per)
    remote = rule.add_mutually_exclusive_group()
    mask = "mask of remote (healthy) myocardium on the image's grid, for n_sd, fwhm on PSIR and ewa; default: "
    mask += "the darkest 60 degree sector of each slice"
    remote.add_argument("--remote", type=Path, metavar="PATH", help=mask)
    seen = "AHA segments in which you see no scar, taken for remote myocardium; one of each third, such as 6,12,16"
    remote.add_argument("--remote-segments", metavar="N,N", help=seen)
    peak = "mask in which fwhm looks for the maximum, such as one drawn in the scar; default: the whole wall"
    rule.add_argument("--fwhm-region", type=Path, metavar="PATH", help=peak)
    small = "smaller islands of a rule's scar, each with the MVO it encloses, are left out (default "
    small += f"{SMALLEST_ISLAND_ML:g}, as in segment; 0: none)"
    rule.add_argument("--smallest-island-ml", type=float, default=SMALLEST_ISLAND_ML, metavar="ML", help=small)
    wall = parser.add_argument_group("the AHA segments")
    options.add_shared(wall, "--aha", "--segments", "--insertions")
    left_out = "slices that count in nothing, from 1 at the apex; the thirds run from the first to the last that stays"
    wall.add_argument("--leave-out-slices", metavar="N,N", help=left_out)
    options.add_shared(wall, "--correct-shifts")
    for name, (said, _) in PICTURES.items():
        names = (name, "--picture") if name == "--bullseye" else (name,)
        option(*names, type=Path, action="append", default=[], metavar="OUT", help=said)
    option("--json", type=Path, metavar="OUT", help="file for everything that was measured")
    option("--table", type=Path, metavar="OUT", help="CSV or Markdown: segments, or with --cases the rules compared")


def run(args: argparse.Namespace) -> None:
    """Measure one patient by one rule or by all, or hold the rules against the experts of many."""
    drawn = [path for option in PICTURES for path in options.value_of(args, option)]
    check_files(args.json, table=args.table, pictures=drawn)
    options.refuse_unless(args, "--n-sd", ScarSource.N_SD, ALL)
    options.refuse_unless(args, "--fwhm-region", ScarSource.FWHM, ALL)
    options.refuse_unless(args, "--per", *RULES, ALL)
    options.refuse_unless(args, "--smallest-island-ml", *RULES, ALL)
    if not 0 <= args.smallest_island_ml < np.inf:
        raise InputError(f"--smallest-island-ml {args.smallest_island_ml:g}: give a volume in ml, 0 or more")
    if args.cases:
        options.refuse(args, *_OF_ONE_PATIENT, *PICTURES, why="belongs to one patient: leave it out with --cases")
        _compare(args)
        return
    options.refuse(args, *options.CREW, why="is for many cases: give --cases")
    if args.method == ALL:
        options.refuse(args, *PICTURES, why="shows one rule: choose one with --method")
    _measure(args)


def _measure(args: argparse.Namespace) -> None:
    acquired, drawn, left_out, masks = _read(args)
    shifts = estimate_shifts(*contours_of(drawn), acquired.spacing)
    stack, labels = acquired, drawn
    if args.correct_shifts:
        stack, labels = corrected(acquired, shifts), move(drawn, shifts.pixels)
        masks = {name: move(mask, shifts.pixels) for name, mask in masks.items()}
    given = options.insertions_of(args.insertions, len(labels))
    anatomy = divide(stack, *contours_of(labels), given, Division(AhaMode(args.aha), args.segments))
    measured = {
        name: replace(found, method=replace(found.method, without_slices=left_out))
        for name, found in _by_rules(args, stack, labels, anatomy, masks).items()
    }
    report = patient_report(anatomy, measured, shifts, corrected=args.correct_shifts)
    if args.correct_shifts:  # back on the images as they were acquired
        anatomy = native_anatomy(anatomy, shifts, stack.spacing)
        for name, found in measured.items():
            parts = replace(found.parts, labels=move(found.parts.labels, -shifts.pixels))
            measured[name] = replace(found, labels=move(found.labels, -shifts.pixels), parts=parts)
    warnings = doubts(stack, anatomy, measured, None if args.correct_shifts else shifts)
    for option, (_, picture) in PICTURES.items():
        for path in options.value_of(args, option):
            save_picture(picture(next(iter(measured.values())), anatomy, acquired), path)
    notes = [*stack.notes, *anatomy.notes]
    if args.json:
        write_json(args.json, report | {"notes": all_words(notes), "warnings": [told for told, _ in warnings]})
    if args.table:
        write_table(args.table, *segment_rows(measured))
    told_of = shifts if args.correct_shifts or not shifts.moved.any() else None  # else it is a warning
    say(args, *printed(measured, told_of))
    for line, fact in warnings:
        if fact.code not in options.TAKEN:  # said before the work
            warn(line)
    shown = {fact for _, fact in warnings}
    explain(args, *(f"note: {words(note)}" for note in notes if note not in shown))
    remarks = {name: found.parts.remark for name, found in measured.items()}
    explain(args, *(f"note: {name}: {words(remark)}" for name, remark in remarks.items() if remark))


def _read(args: argparse.Namespace) -> tuple[LgeStack, LabelArray, tuple[int, ...], dict[str, Mask]]:
    """The images, the labels without the slices left out, which these are, and the masks that were drawn."""
    if args.labels is None:
        raise InputError("--labels is missing: give the contours of --lge")
    stack = read_lge(args.lge, series=args.series, image=args.image)
    options.tell_choice(stack)
    if args.contrast:
        stack = with_contrast(stack, args.contrast)
    # without a threshold from remote myocardium it is for core and grey zone alone
    if args.method in (MANUAL, ScarSource.OTSU, ScarSource.MIXTURE) and stack.contrast == "unknown":
        why = f"has no effect with --method {args.method} unless --contrast is known: add it"
        options.refuse(args, "--remote", "--remote-segments", why=why)
    contours, notes = read_contours(args.labels, stack, args.label_map and parse_label_map(args.label_map))
    labels = contours.copy()
    left_out = options.chosen(args, "--leave-out-slices", range(1, len(labels) + 1), "there is no slice")
    labels[[number - 1 for number in left_out]] = 0
    if not all(mask.any() for mask in contours_of(labels)):
        where = " outside the slices left out." if left_out else ": give contours of both."
        raise InputError(f"The labels hold no LV cavity (1) with myocardium (2){where}")
    masks = {}
    for option in ("--remote", "--fwhm-region"):
        if (path := options.value_of(args, option)) is not None:
            masks[option], more = read_mask(path, stack)
            notes = (*notes, *more)
    return replace(stack, notes=tuple(dict.fromkeys((*stack.notes, *notes)))), labels, left_out, masks


def _by_rules(
    args: argparse.Namespace, stack: LgeStack, labels: LabelArray, anatomy: Anatomy, masks: dict[str, Mask]
) -> dict[str, Measurements]:
    """What each chosen rule measures, by its name; of "all", those that cannot be used are left out and named."""
    known = np.unique(anatomy.aha[anatomy.aha > 0]).tolist()
    segments = options.chosen(args, "--remote-segments", known, "these contours have no segment")
    given = np.isin(anatomy.aha, segments) if segments else masks.get("--remote")
    region = RemoteRegion(RemoteSource.SEGMENTS if segments else RemoteSource.DRAWN, segments)
    remote = remote_myocardium(stack, *contours_of(labels), given, of=region)
    (scar, mvo), peak = drawn_scar(labels), masks.get("--fwhm-region")
    measured: dict[str, Measurements] = {}
    for name, method, n_sd in _rules(args.method, args.n_sd):
        manual = method == MANUAL
        try:
            found_by = scar if manual else ThresholdRule(method, n_sd, args.per, remote, peak, args.smallest_island_ml)
            measured[name] = measure(stack, anatomy, found_by, mvo if manual else None, remote=remote, drawn=scar)
        except InputError as error:
            if args.method != ALL:
                raise
            warn(f"{name} left out: {error}")
    return measured


def _rules(asked: str, n_sd: float | None) -> Iterator[tuple[str, str, float | None]]:
    """Name, method and number of SD of each rule asked for; "all" has 2 to 6 SD unless a number was given."""
    for method in METHODS if asked == ALL else (asked,):
        if method == ScarSource.N_SD and asked == ALL and n_sd is None:
            yield from ((f"n_sd_{rule.n_sd:g}", method, rule.n_sd) for rule in COMPARED.values() if rule.n_sd)
        else:
            yield str(method), method, n_sd if method == ScarSource.N_SD else None


def _scores(folder: Path, label_map: LabelMap | None, strict: bool, how: dict[str, Any]) -> CaseScores:
    """One case, in whatever process; where a single rule was asked for, what it does not allow is refused."""
    found = case_scores(load_case(folder, label_map), **how)
    for error in found.errors.values() if strict else ():
        raise error
    return found


def _compare(args: argparse.Namespace) -> None:
    if args.method == MANUAL:
        raise InputError("--cases compares rules with the manual contours: choose --method all, or one rule")
    several = args.method == ALL
    if several:
        options.refuse(args, "--n-sd", why="has no effect with --cases --method all, which has 2 to 6 SD: leave it out")
    of_all = {"per": args.per, "smallest_island_ml": args.smallest_island_ml}
    rules = COMPARED if several else {args.method: ThresholdRule(args.method, args.n_sd)}
    how = {"rules": {name: replace(rule, **of_all) for name, rule in rules.items()}, "contrast": args.contrast}
    folders = case_folders(args.cases)
    label_map = args.label_map and parse_label_map(args.label_map)
    found = done_in_order(args, partial(_scores, label_map=label_map, strict=not several, how=how), folders)
    for name, error in rules_left_out(found).items():
        warn(f"{name} left out: {error}")
    scores = combined(found)
    columns, rows = score_rows(scores)
    if args.table:
        write_table(args.table, columns, rows)
    if args.json:
        write_json(args.json, {"cases": [folder.name for folder in folders], "rules": [*map(_as_plain, scores)]})
    shown = len(columns) if args.verbose else -1  # the rules in full words are long
    said = CASES_COMPARED.format(cases=len(folders), scarred=scores[0].scarred)
    say(args, said, as_plain(columns[:shown], [row[:shown] for row in rows]))


def _as_plain(score: MethodScore) -> dict[str, Any]:
    """As JSON holds it; no number where there is none."""
    told = {name: finite(value) if isinstance(value, float) else value for name, value in vars(score).items()}
    told["behind_best"] = [finite(value) for value in score.behind_best]
    told["described"] = words(told.pop("method"))
    return told
