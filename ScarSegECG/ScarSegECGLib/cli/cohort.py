"""``scarsegecg cohort init|run|review``: many patients, from folders to tables and a page to review them on."""

from __future__ import annotations

import argparse
import shlex
import sys
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from ScarSegECGLib.cli.crew import add_crew, case_bar, crew_of, tell_trouble
from ScarSegECGLib.cli.outputs import check_files
from ScarSegECGLib.cohort.discover import look_through, manifest_rows
from ScarSegECGLib.cohort.manifest import COLUMNS, read_manifest, write_manifest
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import AhaMode, ScarSource

METHODS = tuple(source.value for source in ScarSource if source is not ScarSource.MANUAL)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's jobs and their options."""
    jobs = parser.add_subparsers(dest="job", required=True, metavar="init|run|review")
    init = jobs.add_parser("init", help="look through a folder and write the manifest, to be corrected by hand")
    init.add_argument("folder", type=Path, metavar="FOLDER", help="holds images and ECGs, in whatever sub-folders")
    init.add_argument("--out", required=True, type=Path, metavar="CSV", help="the manifest")
    init.add_argument("--overwrite", action="store_true", help="replace an earlier manifest")
    init.add_argument(
        "--names-of-folders", action="store_true", help="name cases after their folders; default: case001, case002 ..."
    )
    run_ = jobs.add_parser("run", help="segment every case of a manifest; again: what is missing, failed or changed")
    run_.add_argument("manifest", type=Path, metavar="CSV", help=f"columns {', '.join(COLUMNS)}")
    run_.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for results, tables and the page")
    run_.add_argument("--overwrite", action="store_true", help="take a DIR that holds another cohort's results")
    run_.add_argument(
        "--root", action="append", default=[], type=Path, metavar="DIR",
        help="folder that may hold data beside the manifest's own; may be given more than once",
    )  # fmt: skip
    add_crew(run_)
    run_.add_argument("--no-ecg", action="store_true", help="leave the ECGs out")
    run_.add_argument(
        "--method", choices=METHODS, default=ScarSource.NETWORK.value, help="how scar is told from myocardium"
    )
    run_.add_argument("--n-sd", type=float, metavar="N", help="for n_sd: 2 to 6 (default 3 on magnitude images)")
    run_.add_argument("--aha", choices=("fixed", "landmark"), default="fixed", help="how the wall is divided")
    run_.add_argument("--segments", type=int, choices=(16, 17), default=17, help="with or without the apical cap")
    run_.add_argument("--correct-shifts", action="store_true", help="put displaced slices in line first")
    run_.add_argument("--dicom", action="store_true", help="also write DICOM objects where the images are DICOM")
    run_.add_argument("--device", default="auto", metavar="auto|cpu|cuda[:N]", help="where the networks run")
    run_.add_argument("--weights", type=Path, metavar="FILE", help="weights made by train; default: shipped")
    review = jobs.add_parser("review", help="bring the page's review.csv into the tables")
    review.add_argument("dir", type=Path, metavar="DIR", help="folder that cohort run wrote")
    review.add_argument("review", type=Path, metavar="CSV", help="review.csv, as the page saved it")
    review.add_argument(
        "--manifest", type=Path, metavar="CSV", help="adds the images' paths to the list of cases to open in Slicer"
    )
    review.add_argument("--root", action="append", default=[], type=Path, metavar="DIR", help="as for cohort run")
    for job in (init, run_, review):
        for short, long in (("-q", "--quiet"), ("-v", "--verbose")):  # as before the job's name
            job.add_argument(short, long, action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Do one job."""
    return {"init": _init, "run": _run, "review": _review}[args.job](args)


def _init(args: argparse.Namespace) -> int:
    if args.out.exists() and not args.overwrite:
        raise InputError(f"{args.out.name}: is there already; add --overwrite to replace it, or choose another name")
    check_files(args.out)
    with tqdm(desc="looking through", unit="file", disable=args.quiet) as bar:
        found = look_through(
            args.folder,
            lambda files: bar.update(files - bar.n),
            lambda done, of: bar.set_postfix_str(f"{done} of {of} studies", refresh=done % 10 == 0),
        )
        bar.update(found.files - bar.n)
    base = args.out.absolute().parent
    rows = manifest_rows(found, base, names_of_folders=args.names_of_folders)
    if not rows:
        raise InputError(f"{args.folder.name}: holds neither LGE images nor ECGs that can be read")
    write_manifest(args.out, rows)
    if not args.quiet:
        count = {name: sum(bool(row.get(name)) for row in rows) for name in ("lge", "ecg", "expert", "remark")}
        print(
            f"{count['lge']} stacks, {count['ecg']} ECGs, {count['expert']} expert masks; "
            f"{count['remark']} lines with a remark"
        )
        if found.unread:
            print(f"{found.unread} files that look like images or ECGs cannot be read; scarsegecg lge and ecg say why")
        outside = not args.folder.resolve().is_relative_to(base.resolve())
        root = f" --root {shlex.quote(str(args.folder))}" if outside else ""
        print(f"correct {args.out}, then: scarsegecg cohort run {shlex.quote(str(args.out))}{root} --out results")
    return 0


def _run(args: argparse.Namespace) -> int:
    if args.n_sd is not None and args.method != "n_sd":
        raise InputError(f"--n-sd has no effect with --method {args.method}: leave it out, or choose --method n_sd")
    cases = read_manifest(args.manifest, args.root, now=datetime.now())
    from ScarSegECGLib.cohort.options import CohortOptions, Networks, weights_sha256
    from ScarSegECGLib.cohort.run import run_cohort

    weights = args.weights.absolute() if args.weights else None
    networks = Networks(weights, args.device, weights_sha256(weights))
    options = CohortOptions(
        ScarSource(args.method),
        args.n_sd,
        AhaMode(args.aha),
        args.segments,
        args.correct_shifts,
        not args.no_ecg,
        args.dicom,
    )
    out = args.out.absolute()
    with case_bar("cohort", args.quiet) as begin:
        bars: list[tqdm] = []
        finished = run_cohort(
            cases,
            out,
            options,
            networks,
            crew_of(args),
            overwrite=args.overwrite,
            begun=lambda todo, total: bars.append(begin(todo, total)),
            told=lambda outcome: tell_trouble(outcome, bars[0]),
        )
    if not args.quiet:
        print(
            f"{finished.cases} of {len(cases)} cases have a result: {finished.done_now} made now, "
            f"{finished.already} as they were"
        )
        if finished.flagged:
            print(f"{finished.flagged} are flagged: look at them before using their figures")
        if finished.agreement:
            dice = finished.agreement["scar_dice"]
            told = ", ".join(
                f"{name.replace('_', ' ')} {value:.3f}" for name, value in dice.items() if value is not None
            )
            print(f"scar Dice against the experts of {finished.agreement['patients']} patients: {told}")
        print(f"open {args.out / 'index.html'}")
    if finished.failed:
        print(f"warning: {len(finished.failed)} without a result; the same command tries them again", file=sys.stderr)
    return 0


def _review(args: argparse.Namespace) -> int:
    from ScarSegECGLib.cohort.records import at_work
    from ScarSegECGLib.cohort.review import TO_OPEN, keep_reviews, read_review, write_cases_to_open
    from ScarSegECGLib.cohort.run import names_of, write_outputs

    names = names_of(args.dir)
    cases = read_manifest(args.manifest, args.root, now=datetime.now()) if args.manifest else ()
    reviews = read_review(args.review, names)
    with at_work(args.dir):
        keep_reviews(args.dir, reviews)
        count = write_cases_to_open(args.dir, reviews, {case.name: case for case in cases})
        write_outputs(args.dir, names)
    if not args.quiet:
        decided = [row["decision"] for row in reviews.values()]
        told = ", ".join(f"{decided.count(one)} {one}" for one in ("accept", "correct", "reject"))
        print(f"{told}; {len(names) - len([one for one in decided if one])} not reviewed")
        print(f"{count} cases to open in Slicer: {args.dir / TO_OPEN}")
    return 0
