"""``scarsegecg export``: a result folder as DICOM objects beside the images it was made from."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from ScarSegECGLib.case import LgeStack
from ScarSegECGLib.cli.lge import add_choice
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import check_output, staged_folder
from ScarSegECGLib.export.dicom.findings import read_findings
from ScarSegECGLib.export.dicom.source import read_source
from ScarSegECGLib.export.dicom.structured_report import person_name
from ScarSegECGLib.export.dicom.write import FILES, write_dicom
from ScarSegECGLib.export.write import DICOM_FOLDER
from ScarSegECGLib.lge.read import read_lge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's options."""
    parser.add_argument("result", type=Path, metavar="RESULT_DIR", help="folder that scarsegecg segment wrote")
    parser.add_argument("--dicom", required=True, type=Path, metavar="SOURCE", help="the DICOM images it was made from")
    add_choice(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the DICOM objects")
    parser.add_argument("--overwrite", action="store_true", help="replace earlier DICOM objects in DIR")
    parser.add_argument("--labelmap", action="store_true", help="segmentations of the newer LABELMAP type")
    parser.add_argument("--verified-by", metavar="NAME", help="the reader who signs, Family^Given: report VERIFIED")
    parser.add_argument("--show-patient", action="store_true", help="print who the patient is on the PDF's pages")


def run(args: argparse.Namespace) -> int:
    """Read the result and its images, write, compare."""
    check_output(args.out, overwrite=args.overwrite)
    signed = person_name(args.verified_by) if args.verified_by is not None else None
    stack = read_lge(args.dicom, series=args.series, image=args.image)
    source = read_source(stack)
    findings = read_findings(args.result, stack)
    with staged_folder(args.out, args.overwrite) as folder:
        names = write_dicom(
            findings,
            source,
            folder,
            labelmap=args.labelmap,
            verified_by=signed,
            show_patient=args.show_patient,
        )
    for name in set(FILES) - set(names):  # of an earlier export: they would say something else
        (args.out / name).unlink(missing_ok=True)
    if not args.quiet:
        for warning in findings.warnings:
            print(f"warning: {warning}")
        state = "FINAL, VERIFIED" if signed else "PRELIMINARY, UNVERIFIED"
        print(f"{len(names)} DICOM objects written to {args.out} and read back; the report is {state}")
    if args.verbose:
        for name in names:
            print(f"note: {name}")
    return 0


def export_beside(result: Path, stack: LgeStack, *, show_patient: bool) -> str:
    """Write the DICOM objects of a result that is being written, into a folder of its own in it.

    Returns what the user is told: where they are, or why there are none; the rest of the result stands either way.
    """
    folder = result / DICOM_FOLDER
    try:
        source = read_source(stack)
        findings = read_findings(result, stack)
        folder.mkdir()
        names = write_dicom(findings, source, folder, show_patient=show_patient)
    except InputError as error:
        shutil.rmtree(folder, ignore_errors=True)
        return f"warning: no DICOM objects were written: {error}"
    return f"{len(names)} DICOM objects in {DICOM_FOLDER}/, read back; their report is PRELIMINARY, UNVERIFIED"
