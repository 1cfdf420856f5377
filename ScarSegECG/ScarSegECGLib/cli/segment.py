"""``scarsegecg segment``: one patient, from files to a result folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.cli.crew import progress_bar
from ScarSegECGLib.cli.options import CHOICE, NETWORKS, add_shared, insertions_of, refuse_unused_n_sd, value_of
from ScarSegECGLib.cli.terminal import say, warn
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import check_output
from ScarSegECGLib.export.write import DICOM_FOLDER, write_dicom_beside, write_result
from ScarSegECGLib.face import read_ecg, read_lge, segment
from ScarSegECGLib.facts import AhaMode, Division, Fact, LgeNote, has
from ScarSegECGLib.facts_ecg import EcgReason, GapProblem
from ScarSegECGLib.lge.dicom_source import find_source
from ScarSegECGLib.report.blocks import Patient
from ScarSegECGLib.report.present import summary
from ScarSegECGLib.view.pictures import pictures
from ScarSegECGLib.view.viewer import result_data, viewer_block
from ScarSegECGLib.wording import all_words, words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument(
        "--lge", required=True, type=Path, metavar="PATH", help="NIfTI, NRRD, or DICOM: a folder, zip or DICOMDIR"
    )
    add_shared(parser, *CHOICE)
    parser.add_argument("--ecg", type=Path, metavar="PATH", help="12-lead ECG, any format that `scarsegecg ecg` reads")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier result in DIR")
    add_shared(parser, "--mri-date", "--ecg-date", "--sex", "--age")
    parser.add_argument(
        "--event-between", action="store_true", help="an infarct or a revascularisation lies between ECG and MRI"
    )
    parser.add_argument("--no-ecg", action="store_true", help="leave the ECG out, even if --ecg is given")
    add_shared(parser, "--method", "--n-sd", "--contrast")
    wall = parser.add_argument_group("the AHA segments")
    add_shared(wall, "--aha", "--segments", "--insertions")
    add_shared(parser, "--correct-shifts", *NETWORKS)
    parser.add_argument(
        "--show-patient", action="store_true", help="show in the report who the patient is (DICOM images only)"
    )


def _patient(stack: LgeStack) -> Patient:
    source = find_source(stack)
    if source is None:
        raise InputError("--show-patient: the images are not DICOM, so they do not say who the patient is.")
    return Patient.of_image(source.images[0])


def _refuse_what_has_no_effect(args: argparse.Namespace) -> None:
    refuse_unused_n_sd(args)
    for option in ("--ecg-date", "--event-between", "--sex", "--age"):
        if value_of(args, option) and args.ecg is None:
            raise InputError(f"{option} has no effect without an ECG: give --ecg, or leave it out")


_DATE_OPTIONS = {
    GapProblem.NO_ECG_DATE: "--ecg-date",
    GapProblem.NO_MRI_DATE: "--mri-date",
    GapProblem.NO_DATES: "--ecg-date and --mri-date",
    GapProblem.ECG_DATE_NOT_TRUSTED: "--ecg-date",
}


def run(args: argparse.Namespace) -> None:
    """Read, segment, write."""
    _refuse_what_has_no_effect(args)
    check_output(args.out, overwrite=args.overwrite)
    if args.ecg is None and not args.no_ecg and not args.quiet:
        print("no --ecg given: the result will be the image-only one", file=sys.stderr)
    with progress_bar("segment", args.quiet) as tell:
        tell(0.0, "reading")
        stack = read_lge(
            args.lge,
            series=args.series,
            image=args.image,
            told=lambda done, of: tell(0.1 * done / of, f"reading {done} of {of} files"),
        )
        options: dict[str, Any] = {"insertions_deg": insertions_of(args.insertions, len(stack.voxels))}
        if args.sex:
            options["female"] = args.sex == "female"
        if args.age is not None:
            options["age"] = args.age
        patient = _patient(stack) if args.show_patient else None
        result = segment(
            stack,
            None if args.no_ecg or args.ecg is None else read_ecg(args.ecg),
            # empty, as a list of patients has it where it is not known, is none
            mri_date=(args.mri_date or "").strip() or None,
            ecg_date=(args.ecg_date or "").strip() or None,
            event_between=args.event_between,
            contrast=args.contrast,
            weights=args.weights,
            device=args.device,
            method=args.method,
            n_sd=args.n_sd,
            progress=lambda fraction, text: tell(0.1 + 0.7 * fraction, text),
            why_no_ecg=Fact(EcgReason.SWITCHED_OFF if args.no_ecg else EcgReason.NOT_GIVEN),
            correct_shifts=args.correct_shifts,
            division=Division(AhaMode(args.aha), args.segments),
            **options,
        )
        tell(0.8, "pictures and files")
        painted, viewer = pictures(result), viewer_block(result_data(result))
        said: list[str] = []
        refused: list[str] = []

        def add_dicom(staged: Path) -> None:
            if stack.sources:
                try:
                    names = write_dicom_beside(result, painted, staged, show_patient=args.show_patient)
                    state = "their report is PRELIMINARY, UNVERIFIED"
                    said.append(f"{len(names)} DICOM objects in {DICOM_FOLDER}/, read back; {state}")
                except InputError as error:
                    refused.append(f"no DICOM objects were written: {error}")

        folder = write_result(
            result, painted, args.out, overwrite=args.overwrite, patient=patient, viewer=viewer, beside=add_dicom
        )
    say(args, *summary(result), *said, f"written to {folder}; open report.html first")
    for note in result.stack.notes:
        if has((note,), LgeNote.TAKEN, LgeNote.TAKEN_AS_ASKED):
            warn(words(note))
    problem = result.ecg_use.gap.problem
    if result.ecg_use.amplitude > 0 and problem in _DATE_OPTIONS:
        warn(f"{words(problem)}: give {_DATE_OPTIONS[problem]}, or the ECG counts less")
    for warning in (*all_words(result.warnings), *refused):
        warn(warning)
    if args.verbose:
        for note in (*result.stack.notes, *(result.ecg.notes if result.ecg else ()), *result.anatomy.notes):
            print(f"note: {words(note)}")
        for stage, seconds in result.timings.items():
            print(f"{stage}: {seconds:.2f} s")
