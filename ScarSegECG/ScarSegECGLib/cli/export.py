"""``scarsegecg export``: a result folder as DICOM objects beside the images it was made from."""

from __future__ import annotations

import argparse
from pathlib import Path

from ScarSegECGLib.cli.options import CHOICE, add_shared
from ScarSegECGLib.cli.terminal import explain, say, warn
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import check_output, staged_folder
from ScarSegECGLib.export.dicom.source import read_source
from ScarSegECGLib.export.dicom.structured_report import person_name
from ScarSegECGLib.export.dicom.write import FILES, write_dicom
from ScarSegECGLib.export.result_folder import read_pictures, read_result
from ScarSegECGLib.lge.read import read_lge

_OTHER_FILE = "The result was made from another file than these images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("result", type=Path, metavar="RESULT_DIR", help="folder that scarsegecg segment wrote")
    option("--dicom", "--lge", required=True, type=Path, metavar="SOURCE", help="the DICOM images it was made from")
    add_shared(parser, *CHOICE)
    option("--out", required=True, type=Path, metavar="DIR", help="folder for the DICOM objects")
    option("--overwrite", action="store_true", help="replace earlier DICOM objects in DIR")
    option("--labelmap", action="store_true", help="segmentations of the newer LABELMAP type")
    option("--verified-by", metavar="NAME", help="the reader who signs, Family^Given: report VERIFIED")
    option("--show-patient", action="store_true", help="print who the patient is on the PDF's pages")
    other = "the result was made from another file of these images (a NIfTI copy), and you made sure that they are the "
    other += "same patient's: nothing in the files can tell"
    option("--other-file", action="store_true", help=other)


def run(args: argparse.Namespace) -> None:
    """Read the result and its images, write, compare."""
    check_output(args.out, args.overwrite, _is_export)
    signed = person_name(args.verified_by) if args.verified_by is not None else None
    stack = read_lge(args.dicom, series=args.series, image=args.image)
    source = read_source(stack)
    result, pictures = read_result(args.result, stack), read_pictures(args.result)
    # The objects carry the patient of these images: a result of somebody else's would become theirs.
    other_file = result.stack.sha256.lower() != stack.sha256.lower()
    if other_file and not args.other_file:
        raise InputError(f"{_OTHER_FILE}. Make sure that both are the same patient's, then add --other-file.")
    with staged_folder(args.out, args.overwrite, FILES, _is_export) as folder:
        how = {"labelmap": args.labelmap, "verified_by": signed, "show_patient": args.show_patient}
        names = write_dicom(result, pictures, source, folder, **how)
    if other_file:
        warn(f"{_OTHER_FILE}; both lie on the same grid. Make sure that they are the same patient's.")
    state = "FINAL, VERIFIED" if signed else "PRELIMINARY, UNVERIFIED"
    say(args, f"{len(names)} DICOM objects written to {args.out} and read back; the report is {state}")
    explain(args, *(f"note: {name}" for name in names))


def _is_export(folder: Path) -> bool:
    return all((folder / name).is_file() for name in ("segmentation.dcm", "report.dcm", "report_pdf.dcm"))
