"""``scarsegecg pacs find|pull|push``: from an image archive and back, over DICOMweb."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ScarSegECGLib.cli.progress import progress_bar
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import check_output, staged_folder
from ScarSegECGLib.pacs.archive import Found, find_series, find_studies, pull, push
from ScarSegECGLib.pacs.connection import connect

_PULLED = ("series[0-9][0-9][0-9]/image*.dcm",)
URL, CA = "SCARSEGECG_PACS_URL", "SCARSEGECG_PACS_CA"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's jobs and their options."""
    jobs = parser.add_subparsers(dest="job", required=True, metavar="find|pull|push")
    find = jobs.add_parser("find", help="list studies, or the series of one study")
    find.add_argument("--study", metavar="UID", help="list the series of this study")
    find.add_argument("--date", metavar="YYYYMMDD[-YYYYMMDD]", help="of the study")
    find.add_argument("--modality", help="in the study; default: MR")
    find.add_argument("--description", metavar="TEXT", help="of the study; * stands for anything")
    find.add_argument("--accession", metavar="NUMBER", help="accession number")
    find.add_argument("--patient-id", metavar="ID", help="the command line is seen by other users of the machine")
    find.add_argument("--limit", type=int, default=50, metavar="N", help="the most that are listed (default 50)")
    find.add_argument("--show-patient", action="store_true", help="list who the patients are")
    get = jobs.add_parser("pull", help="fetch a study, or some of its series")
    get.add_argument("--study", required=True, metavar="UID")
    get.add_argument("--series", action="append", default=[], metavar="UID", help="may be given more than once")
    get.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the images")
    get.add_argument("--overwrite", action="store_true", help="replace an earlier pull in DIR; other files in it stay")
    put = jobs.add_parser("push", help="store DICOM files, fetch each again and compare")
    put.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    for job in (find, get, put):
        for short, long in (("-q", "--quiet"), ("-v", "--verbose")):  # as before the job's name
            job.add_argument(short, long, action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
        job.add_argument("--url", metavar="URL", help=f"root of the archive's DICOMweb; default: {URL}")
        job.add_argument("--ca", type=Path, metavar="FILE", help=f"certificates (PEM) to trust; default: {CA}")


def run(args: argparse.Namespace) -> int:
    """Connect and do one job."""
    url = args.url or os.environ.get(URL)
    if not url:
        raise InputError(f"No archive was named: give --url or set {URL}.")
    ca = args.ca or (Path(os.environ[CA]) if os.environ.get(CA) else None)
    client = connect(url, ca)
    if args.job == "find":
        found = find_series(client, args.study) if args.study else find_studies(client, _filters(args), args.limit)
        for line in _table(found, args.show_patient):
            print(line)
    elif args.job == "pull":
        check_output(args.out, args.overwrite, _is_pull)
        with (
            staged_folder(args.out, args.overwrite, _PULLED, _is_pull) as folder,
            progress_bar("pull", args.quiet) as tell,
        ):
            pulled = pull(
                client, args.study, args.series, folder, lambda done, of: tell(done / max(done, of), f"{done} objects")
            )
        if not args.quiet:
            print(f"{pulled.count} DICOM files written to {args.out}")
        if not pulled.counted:
            print("warning: the archive does not say how many objects there are: compare by yourself", file=sys.stderr)
    else:
        with progress_bar("push", args.quiet) as tell:
            pushed = push(client, args.paths, lambda done, of: tell(done / of, f"{done} objects"))
        if not args.quiet:
            print(f"{pushed.count} DICOM objects stored, fetched again and compared")
        if pushed.changed:
            print(f"warning: the archive changed {', '.join(pushed.changed)}", file=sys.stderr)
    return 0


def _is_pull(folder: Path) -> bool:
    """Whether a folder holds what an earlier pull wrote."""
    return (folder / "series001" / "image00001.dcm").is_file()


def _filters(args: argparse.Namespace) -> dict[str, str]:
    given = {
        "StudyDate": args.date,
        "ModalitiesInStudy": args.modality or "MR",
        "StudyDescription": args.description,
        "AccessionNumber": args.accession,
        "PatientID": args.patient_id,
    }
    return {keyword: value for keyword, value in given.items() if value}


def _table(found: tuple[Found, ...], show_patient: bool) -> list[str]:
    if not found:
        return ["nothing was found"]
    lines = [
        "  ".join(
            part
            for part in (
                f"{entry.number:>5}" if entry.number else "",
                entry.date or "-" * 8,
                f"{entry.modalities:<8}",
                f"{entry.instances:>5} images",
                entry.uid,
                entry.description,
                entry.patient if show_patient else "",
            )
            if part
        )
        for entry in found
    ]
    return lines
