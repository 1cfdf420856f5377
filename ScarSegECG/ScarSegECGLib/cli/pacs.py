"""``scarsegecg pacs find|pull|push``: from an image archive and back, over DICOMweb."""

from __future__ import annotations

import argparse
import os
import re
from functools import partial
from pathlib import Path

from ScarSegECGLib.cli.crew import case_bar, counted, crew_of, outcomes_of, progress_bar, tell_trouble
from ScarSegECGLib.cli.options import CREW, add_shared, refuse, value_of
from ScarSegECGLib.cli.terminal import say, warn
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.atomic import staged_folder
from ScarSegECGLib.pacs.archive import Found, find_series, find_studies, pull, push
from ScarSegECGLib.pacs.connection import connect

_PULLED = ("series[0-9][0-9][0-9]/image*.dcm",)
FILTERS = {
    "--date": ("StudyDate", "YYYYMMDD[-YYYYMMDD]", "of the study"),
    "--modality": ("ModalitiesInStudy", None, "in the study; default: MR"),
    "--description": ("StudyDescription", "TEXT", "of the study; * stands for anything"),
    "--accession": ("AccessionNumber", "NUMBER", "accession number"),
    "--patient-id": ("PatientID", "ID", "the command line is seen by other users of the machine"),
}
"""What a study is found by: DICOM attribute, metavar, help."""
URL, CA = "SCARSEGECG_PACS_URL", "SCARSEGECG_PACS_CA"


def add_arguments(parser: argparse.ArgumentParser) -> tuple[argparse.ArgumentParser, ...]:
    jobs = parser.add_subparsers(dest="job", required=True, metavar="find|pull|push")
    find = jobs.add_parser("find", help="list studies, or the series of one study")
    find.add_argument("--study", metavar="UID", help="list the series of this study")
    for option, (_, metavar, said) in FILTERS.items():
        find.add_argument(option, metavar=metavar, help=said)
    find.add_argument("--limit", type=int, default=50, metavar="N", help="the most that are listed (default 50)")
    find.add_argument("--show-patient", action="store_true", help="list who the patients are")
    get = jobs.add_parser("pull", help="fetch a study, or some of its series")
    studies = get.add_mutually_exclusive_group(required=True)
    studies.add_argument("--study", metavar="UID")
    listed = "a UID a line: each into DIR/study0001 ...; again: what is missing"
    studies.add_argument("--studies", type=Path, metavar="FILE", help=listed)
    add_shared(get, *CREW)
    get.add_argument("--series", action="append", default=[], metavar="UID", help="may be given more than once")
    get.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the images")
    get.add_argument("--overwrite", action="store_true", help="replace an earlier pull in DIR; other files in it stay")
    put = jobs.add_parser("push", help="store DICOM files, fetch each again and compare")
    put.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files or folders")
    for job in (find, get, put):
        url, ca = os.environ.get(URL), os.environ.get(CA) or None
        job.add_argument("--url", default=url, metavar="URL", help=f"root of the archive's DICOMweb; default: {URL}")
        job.add_argument("--ca", default=ca, type=Path, metavar="FILE", help=f"its certificates (PEM); default: {CA}")
    return find, get, put


def run(args: argparse.Namespace) -> None:
    """Connect and do one job."""
    if not args.url:
        raise InputError(f"No archive was named: give --url or set {URL}.")
    client = connect(args.url, args.ca)
    if args.job == "find":
        given = {keyword: value_of(args, option) for option, (keyword, *_) in FILTERS.items()}
        asked = {"ModalitiesInStudy": "MR"} | {keyword: value for keyword, value in given.items() if value}
        found = find_series(client, args.study) if args.study else find_studies(client, asked, args.limit)
        print("\n".join(_line(entry, args.show_patient) for entry in found) or "nothing was found")
    elif args.job == "pull" and args.studies:
        _pull_studies(args)
    elif args.job == "pull":
        refuse(args, *CREW, why="is for many studies: give --studies")
        staged = staged_folder(args.out, args.overwrite, _PULLED, _is_pull)
        with staged as folder, progress_bar("pull", args.quiet) as tell:
            pulled = pull(client, args.study, args.series, folder, counted(tell, "{done} objects"))
        say(args, f"{pulled.count} DICOM files written to {args.out}")
        if not pulled.counted:
            warn("the archive does not say how many objects there are: compare by yourself")
    else:
        with progress_bar("push", args.quiet) as tell:
            pushed = push(client, args.paths, counted(tell, "{done} objects"))
        say(args, f"{pushed.count} DICOM objects stored, fetched again and compared")
        if pushed.changed:
            warn(f"the archive changed {', '.join(pushed.changed)}")


def _pulled(study: tuple[str, Path], url: str, ca: Path | None) -> int:
    """One study (UID, folder) into a folder of its own, in whatever process; how many files."""
    uid, out = study
    with staged_folder(out, False, _PULLED, _is_pull) as folder:
        return pull(connect(url, ca), uid, [], folder).count


def _pull_studies(args: argparse.Namespace) -> None:
    """Fetch every study of a list that is not there yet; what cannot be fetched is told and the others are."""
    refuse(args, "--series", why="belongs to one study: leave it out with --studies")
    uids = _listed_uids(args.studies)
    args.out.mkdir(parents=True, exist_ok=True, mode=0o700)
    folders = [args.out.absolute() / f"study{place:04d}" for place in range(1, len(uids) + 1)]
    todo = [(out.name, (uid, out)) for uid, out in zip(uids, folders, strict=True) if not _is_pull(out)]
    work, lost = partial(_pulled, url=args.url, ca=args.ca), 0
    with case_bar("pull", args.quiet, len(todo), len(uids)) as bar:
        for outcome in outcomes_of(crew_of(args), work, todo):
            lost += outcome.trouble is not None
            tell_trouble(outcome, bar)
    say(args, f"{len(uids) - lost} of {len(uids)} studies in {args.out}, in the list's order")
    if lost:
        raise InputError(f"{lost} studies are missing: see above; the same command tries them again")


def _listed_uids(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            lines = [line.strip() for line in stream.read(2**24).splitlines()]
            if stream.read(1):  # a list that is cut might end in another study's UID
                raise OSError
    except (OSError, UnicodeDecodeError):
        raise InputError(f"{path.name}: cannot be read; give a text file with a study UID a line") from None
    for number, line in enumerate(lines, 1):
        if line and not re.fullmatch(r"[0-9.]{1,64}", line):
            raise InputError(f"{path.name}: line {number} is no UID")
    if not any(lines):
        raise InputError(f"{path.name}: holds no UID")
    return list(dict.fromkeys(filter(None, lines)))


def _is_pull(folder: Path) -> bool:
    return (folder / "series001" / "image00001.dcm").is_file()


def _line(entry: Found, show_patient: bool) -> str:
    number = f"{entry.number:>5}" if entry.number else ""
    what = (number, entry.date or "-" * 8, f"{entry.modalities:<8}", f"{entry.instances:>5} images", entry.uid)
    return "  ".join(filter(None, (*what, entry.description, entry.patient if show_patient else "")))
