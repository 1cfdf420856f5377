"""``scarsegecg measure``: scar inside contours that are already there, without the network."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from ScarSegECGLib.anatomy.aha import partition
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import write_text
from ScarSegECGLib.lge.labels import read_labels
from ScarSegECGLib.lge.read import read_lge
from ScarSegECGLib.measure.contours import MANUAL, METHODS, ContourMeasures, contours_of, measure_contours


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("--lge", required=True, type=Path, metavar="PATH", help="NIfTI, NRRD or a DICOM folder")
    parser.add_argument(
        "--labels", required=True, type=Path, metavar="PATH", help="1 cavity, 2 myocardium, 3 scar, 4 MVO; same grid"
    )
    parser.add_argument("--method", choices=(*METHODS, "all"), default=MANUAL, help="default: the scar of the labels")
    parser.add_argument("--n-sd", type=float, metavar="N", help="for n_sd: 2 to 6 (default 3 on magnitude images)")
    parser.add_argument("--contrast", choices=("magnitude", "psir"), help="default: what the file says")
    parser.add_argument("--aha", choices=("fixed", "landmark"), default="fixed", help="how sectors are placed")
    parser.add_argument("--segments", type=int, choices=(16, 17), default=17, help="with or without the apex")
    parser.add_argument("--smallest-island-ml", type=float, default=0.0, metavar="ML", help="leave out smaller islands")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for everything that was measured")


def _line(name: str, measured: ContourMeasures) -> str:
    scar = measured.scar
    return f"{name:<8}{scar.ml:>8.2f} ml{scar.grams:>8.2f} g{scar.percent_of_lv:>7.1f} %   {measured.method}"


def as_json(measured: ContourMeasures) -> dict:
    """Everything but the mask."""
    named = {field.name: getattr(measured, field.name) for field in dataclasses.fields(measured)}
    named.pop("mask")
    for key in ("patterns", "segments"):
        named[key] = [dataclasses.asdict(entry) for entry in named[key]]
    return named | {"scar": dataclasses.asdict(measured.scar)}


def run(args: argparse.Namespace) -> int:
    """Read, divide, measure by one rule or by all."""
    stack = read_lge(args.lge)
    if args.contrast:
        stack = dataclasses.replace(stack, contrast=args.contrast)
    labels = read_labels(args.labels, stack)
    cavity, wall = contours_of(labels)
    if not (cavity.any() and wall.any()):
        raise InputError("The labels hold no LV cavity (1) with myocardium (2): give contours of both.")
    known = stack.orientation_known
    anatomy = partition(
        cavity, wall, stack.voxels, stack.spacing, mode=args.aha, segments=args.segments, orientation_known=known
    )
    measured: dict[str, ContourMeasures] = {}
    for method in METHODS if args.method == "all" else (args.method,):
        try:
            measured[method] = measure_contours(
                stack, labels, anatomy, method, n_sd=args.n_sd, smallest_island_ml=args.smallest_island_ml
            )
        except InputError as error:
            if args.method != "all":
                raise
            print(f"scarsegecg measure: {method} left out: {error}", file=sys.stderr)
    if args.json:
        report = {
            "contrast": stack.contrast,
            "aha": anatomy.mode,
            "myocardium_ml": float(wall.sum()) * stack.voxel_ml,
            "cavity_ml": float(cavity.sum()) * stack.voxel_ml,
            "methods": {name: as_json(entry) for name, entry in measured.items()},
            "notes": [*stack.notes, *anatomy.notes],
        }
        write_text(args.json, json.dumps(report, indent=1, allow_nan=False) + "\n")
    if not args.quiet:
        print(f"myocardium {wall.sum() * stack.voxel_ml:.2f} ml, cavity {cavity.sum() * stack.voxel_ml:.2f} ml")
        for name, entry in measured.items():
            print(_line(name, entry))
    if args.verbose:
        for note in (*stack.notes, *anatomy.notes):
            print(f"note: {note}")
    return 0
