"""``scarsegecg segment``: one patient, from files to a result folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ScarSegECGLib.cli import options
from ScarSegECGLib.cli.crew import READING, counted, progress_bar
from ScarSegECGLib.cli.terminal import explain, say, warn
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import check_output
from ScarSegECGLib.export.dicom.write import FILES as DICOM_FILES
from ScarSegECGLib.export.write import DICOM_FOLDER
from ScarSegECGLib.face import export, read_ecg, read_lge, segment
from ScarSegECGLib.facts import AhaMode, Division, Fact, ScarSource
from ScarSegECGLib.facts_ecg import EcgReason, GapProblem
from ScarSegECGLib.lge.dicom_source import find_source
from ScarSegECGLib.report.present import summary
from ScarSegECGLib.wording import all_words, words

# Options that are handed on to :func:`ScarSegECGLib.face.segment` as they are.
_AS_TYPED = (
    *("mri_date", "ecg_date", "event_between", "contrast", "age"),
    *("method", "n_sd", "correct_shifts", "weights", "device"),
)
_DATE_OPTIONS = {
    GapProblem.NO_ECG_DATE: "--ecg-date",
    GapProblem.NO_MRI_DATE: "--mri-date",
    GapProblem.NO_DATES: "--ecg-date and --mri-date",
    GapProblem.ECG_DATE_NOT_TRUSTED: "--ecg-date",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--lge", required=True, type=Path, metavar="PATH", help="NIfTI, NRRD, or DICOM: a folder, zip or DICOMDIR")
    options.add_shared(parser, *options.CHOICE)
    option("--ecg", type=Path, metavar="PATH", help="12-lead ECG, any format that `scarsegecg ecg` reads")
    option("--out", required=True, type=Path, metavar="DIR", help="folder for the results")
    option("--overwrite", action="store_true", help="replace an earlier result in DIR")
    options.add_shared(parser, "--mri-date", "--ecg-date", "--sex", "--age")
    option("--event-between", action="store_true", help="an infarct or a revascularisation lies between ECG and MRI")
    option("--no-ecg", action="store_true", help="leave the ECG out, even if --ecg is given")
    options.add_shared(parser, "--method", "--n-sd", "--contrast")
    options.add_shared(parser.add_argument_group("the AHA segments"), "--aha", "--segments", "--insertions")
    options.add_shared(parser, "--correct-shifts", *options.NETWORKS)
    option("--show-patient", action="store_true", help="show in the report who the patient is (DICOM images only)")


def run(args: argparse.Namespace) -> None:
    options.refuse_unless(args, "--n-sd", ScarSource.N_SD)
    if args.ecg is None or args.no_ecg:
        why = "has no effect without an ECG: give --ecg, or leave it out"
        options.refuse(args, "--mri-date", "--ecg-date", "--event-between", "--sex", "--age", why=why)
    check_output(args.out, overwrite=args.overwrite)
    if args.ecg is None and not args.no_ecg and not args.quiet:
        print("no --ecg given: the result will be the image-only one", file=sys.stderr)
    with progress_bar("segment", args.quiet) as tell:
        tell(0.0, "reading")
        stack = read_lge(args.lge, series=args.series, image=args.image, told=counted(tell, READING, share=0.1))
        if args.show_patient and not find_source(stack):
            raise InputError("--show-patient: the images are not DICOM, so they do not say who the patient is.")
        result = segment(
            stack,
            None if args.no_ecg or args.ecg is None else read_ecg(args.ecg),
            **{name: getattr(args, name) for name in _AS_TYPED},
            progress=lambda fraction, text: tell(0.1 + 0.7 * fraction, text),
            why_no_ecg=Fact(EcgReason.SWITCHED_OFF if args.no_ecg else EcgReason.NOT_GIVEN),
            insertions_deg=options.insertions_of(args.insertions, len(stack.voxels)),
            division=Division(AhaMode(args.aha), args.segments),
            female=None if args.sex is None else args.sex == "female",
        )
        tell(0.8, "pictures and files")
        folder = export(result, args.out, overwrite=args.overwrite, show_patient=args.show_patient)
    objects = sum((folder / DICOM_FOLDER / name).is_file() for name in DICOM_FILES) if stack.sources else 0
    said = f"{objects} DICOM objects in {DICOM_FOLDER}/, read back; their report is PRELIMINARY, UNVERIFIED"
    say(args, *summary(result), *[said] * bool(objects), f"written to {folder}; open report.html first")
    options.tell_choice(stack)
    problem = result.ecg_use.gap.problem
    if result.ecg_use.amplitude > 0 and problem in _DATE_OPTIONS:
        warn(f"{words(problem)}: give {_DATE_OPTIONS[problem]}, or the ECG counts less")
    for warning in all_words(result.warnings):
        warn(warning)
    notes = (*result.stack.notes, *(result.ecg.notes if result.ecg else ()), *result.anatomy.notes)
    explain(args, *(f"note: {words(note)}" for note in notes))
    explain(args, *(f"{stage}: {seconds:.2f} s" for stage, seconds in result.timings.items()))
