"""``scarsegecg pacs find|pull|push``: from an image archive and back, over DICOMweb."""

from __future__ import annotations

import argparse
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ScarSegECGLib.cli.crew import add_crew, case_bar, crew_of, tell_trouble
from ScarSegECGLib.cli.progress import progress_bar
from ScarSegECGLib.cohort.engine import Crew, run_here, run_jobs
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
    studies = get.add_mutually_exclusive_group(required=True)
    studies.add_argument("--study", metavar="UID")
    studies.add_argument(
        "--studies", type=Path, metavar="FILE", help="a UID a line: each into DIR/study0001 ...; again: what is missing"
    )
    add_crew(get)
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
    elif args.job == "pull" and args.studies:
        return pull_studies(args, url, ca)
    elif args.job == "pull":
        if crew_of(args) != Crew():
            raise InputError("--workers, --memory and --scheduler are for many studies: give --studies")
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


@dataclass(frozen=True)
class _Study:
    uid: str
    out: Path
    url: str
    ca: Path | None


def _pulled(study: _Study) -> int:
    """One study into a folder of its own, in whatever process; how many files."""
    with staged_folder(study.out, False, _PULLED, _is_pull) as folder:
        return pull(connect(study.url, study.ca), study.uid, [], folder).count


def pull_studies(args: argparse.Namespace, url: str, ca: Path | None) -> int:
    """Fetch every study of a list that is not there yet; what cannot be fetched is told and the others are.

    Raises
    ------
    InputError
        The list cannot be read, or holds something else than UIDs.
    """
    if args.series:
        raise InputError("--series belongs to one study: leave it out with --studies")
    uids = _listed_uids(args.studies)
    args.out.mkdir(parents=True, exist_ok=True, mode=0o700)
    folders = {uid: args.out.absolute() / f"study{place:04d}" for place, uid in enumerate(uids, 1)}
    todo = [
        (f"study{uids.index(uid) + 1:04d}", _Study(uid, out, url, ca))
        for uid, out in folders.items()
        if not _is_pull(out)
    ]
    crew = crew_of(args)
    outcomes = run_here(_pulled, todo) if crew == Crew() else run_jobs(_pulled, todo, crew)
    lost = 0
    with case_bar("pull", args.quiet) as begin:
        bar = begin(len(todo), len(uids))
        for outcome in outcomes:
            lost += outcome.trouble is not None
            tell_trouble(outcome, bar)
    if not args.quiet:
        print(f"{len(uids) - lost} of {len(uids)} studies in {args.out}, in the list's order")
    if lost:
        raise InputError(f"{lost} studies are missing: see above; the same command tries them again")
    return 0


def _listed_uids(path: Path) -> list[str]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name}: cannot be read; give a text file with a study UID a line") from None
    uids = list(dict.fromkeys(line for line in lines if line))
    wrong = [number for number, line in enumerate(lines, 1) if line and not re.fullmatch(r"[0-9.]{1,64}", line)]
    if wrong or not uids:
        raise InputError(f"{path.name}: " + (f"line {wrong[0]} is no UID" if wrong else "holds no UID"))
    return uids


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
