"""``scarsegecg cohort init|run|review``: many patients, from folders to tables and a page to review them on."""

from __future__ import annotations

import argparse
import shlex
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from tqdm import tqdm

from ScarSegECGLib.cli.crew import case_bar, crew_of, networks_of, tell_trouble
from ScarSegECGLib.cli.options import CREW, NETWORKS, add_shared, refuse_unless
from ScarSegECGLib.cli.outputs import check_files
from ScarSegECGLib.cli.terminal import say, warn
from ScarSegECGLib.cohort.discover import look_through, manifest_rows
from ScarSegECGLib.cohort.manifest import COLUMNS, read_manifest, write_manifest
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import AhaMode, Contrast, ScarSource
from ScarSegECGLib.lge.labels import parse_label_map
from ScarSegECGLib.lge.shown_text import printable

_MOST_NAMED = 8


def add_arguments(parser: argparse.ArgumentParser) -> tuple[argparse.ArgumentParser, ...]:
    jobs = parser.add_subparsers(dest="job", required=True, metavar="init|run|review")
    init = jobs.add_parser("init", help="look through a folder and write the manifest, to be corrected by hand")
    init.add_argument("folder", type=Path, metavar="FOLDER", help="holds images and ECGs, in whatever sub-folders")
    init.add_argument("--out", required=True, type=Path, metavar="CSV", help="the manifest")
    init.add_argument("--overwrite", action="store_true", help="replace an earlier manifest")
    init.add_argument("--names-of-folders", action="store_true", help="name cases after their folders, not case001 ...")
    every = jobs.add_parser("run", help="segment every case of a manifest; again: what is missing, failed or changed")
    every.add_argument("manifest", type=Path, metavar="CSV", help=f"columns {', '.join(COLUMNS)}")
    every.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for results, tables and the page")
    every.add_argument("--overwrite", action="store_true", help="take a DIR that holds another cohort's results")
    every.add_argument("--no-ecg", action="store_true", help="leave the ECGs out")
    every.add_argument("--dicom", action="store_true", help="also write DICOM objects where the images are DICOM")
    add_shared(every, *CREW, "--method", "--n-sd", "--contrast", "--aha", "--segments", "--correct-shifts", *NETWORKS)
    meant = "what the values of the experts' masks mean, such as 1=scar,2=myocardium,3=cavity"
    every.add_argument("--label-map", metavar="N=CLASS,...", help=meant)
    review = jobs.add_parser("review", help="bring the page's review.csv into the tables")
    review.add_argument("dir", type=Path, metavar="DIR", help="folder that cohort run wrote")
    review.add_argument("review", type=Path, metavar="CSV", help="review.csv, as the page saved it")
    review.add_argument("--manifest", type=Path, metavar="CSV", help="adds image paths to the cases to open in Slicer")
    root = "folder that may hold data beside the manifest's own; may be given more than once"
    for job in (every, review):
        job.add_argument("--root", action="append", default=[], type=Path, metavar="DIR", help=root)
    return init, every, review


def run(args: argparse.Namespace) -> None:
    {"init": _init, "run": _run, "review": _review}[args.job](args)


def _init(args: argparse.Namespace) -> None:
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
    lge, ecg, expert, remark = (sum(bool(row.get(name)) for row in rows) for name in ("lge", "ecg", "expert", "remark"))
    say(args, f"{lge} stacks, {ecg} ECGs, {expert} expert masks; {remark} lines with a remark")
    if found.unread:
        some = ", ".join(path.relative_to(args.folder).as_posix() for path in found.unread[:_MOST_NAMED])
        more = f" and {len(found.unread) - _MOST_NAMED} more" if len(found.unread) > _MOST_NAMED else ""
        warn(printable(f"files that look like images or ECGs and cannot be read, not listed: {some}{more}"))
    outside = not args.folder.resolve().is_relative_to(base.resolve())
    root = f" --root {shlex.quote(str(args.folder))}" if outside else ""
    say(args, f"correct {args.out}, then: scarsegecg cohort run {shlex.quote(str(args.out))}{root} --out results")


def _run(args: argparse.Namespace) -> None:
    refuse_unless(args, "--n-sd", ScarSource.N_SD)
    cases = read_manifest(args.manifest, args.root, now=datetime.now())
    from ScarSegECGLib.cohort.options import CohortOptions
    from ScarSegECGLib.cohort.run import run_cohort

    how = ScarSource(args.method), args.n_sd, AhaMode(args.aha), args.segments, args.correct_shifts
    contrast = Contrast(args.contrast) if args.contrast else None
    label_map = tuple(parse_label_map(args.label_map).items()) if args.label_map else ()
    options = CohortOptions(*how, not args.no_ecg, args.dicom, contrast, label_map)
    bars: list[tqdm] = []
    with ExitStack() as until_done:
        finished = run_cohort(
            cases,
            args.out.absolute(),
            options,
            networks_of(args),
            crew_of(args),
            overwrite=args.overwrite,
            begun=lambda *counts: bars.append(until_done.enter_context(case_bar("cohort", args.quiet, *counts))),
            told=lambda outcome: tell_trouble(outcome, bars[0]),
        )
    made = f"{finished.done_now} made now, {finished.already} as they were"
    say(args, f"{finished.cases} of {len(cases)} cases have a result: {made}")
    if finished.agreement:
        dice = {name: value for name, value in finished.agreement["scar_dice"].items() if value is not None}
        told = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in dice.items())
        say(args, f"scar Dice, images alone, against the experts of {finished.agreement['patients']} patients: {told}")
    for remark in finished.remarks:
        warn(remark)
    say(args, f"open {args.out / 'index.html'}")
    if not finished.cases:
        raise InputError("no case has a result: put right what is said of each, and run again")


def _review(args: argparse.Namespace) -> None:
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
    decided = [row["decision"] for row in reviews.values() if row["decision"]]
    told = ", ".join(f"{decided.count(one)} {one}" for one in ("accept", "correct", "reject"))
    reviewed = f"{told}; {len(names) - len(decided)} not reviewed"
    say(args, reviewed, f"{count} cases to open in Slicer: {args.dir / TO_OPEN}")
