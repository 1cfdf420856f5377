"""``scarsegecg lge``: what a folder, archive or DICOMDIR holds, what each series was taken for, and why."""

from __future__ import annotations

import argparse
from pathlib import Path

from ScarSegECGLib.cli.crew import READING, counted, progress_bar
from ScarSegECGLib.cli.options import CHOICE, add_shared
from ScarSegECGLib.cli.terminal import say
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.shown_text import shown_uid, some_of
from ScarSegECGLib.lge.study import ImageSet, choose, opened_study
from ScarSegECGLib.wording import words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=Path, metavar="PATH", help="DICOM: a folder, a zip archive, a DICOMDIR or a file")
    add_shared(parser, *CHOICE)


def _line(images: ImageSet, mark: str, with_uid: bool) -> str:
    number = some_of([n for n in images.series_numbers if n], 3) or "-"
    fits = images.judged.verdict in ("lge", "possible")
    taken_for = images.judged.taken_for + (f", {images.kind}" if fits else "")
    head = f"{mark:<2}{number:<12}{len(images.frames):>5} images  {taken_for:<34}{images.description}"
    when = f"taken {images.acquired:%Y-%m-%d %H:%M}" if images.acquired else "date unknown"
    lines = [head.rstrip(), f"{'':<27}{'; '.join((*images.judged.reasons, when))}"]
    if images.unfit and fits:
        lines.append(f"{'':<27}cannot be read: {images.unfit}")
    if with_uid:
        lines += [f"{'':<27}{shown_uid(uid)}" for uid in images.series_uids]
    return "\n".join(lines)


def run(args: argparse.Namespace) -> None:
    """List every series; an asterisk marks the one that would be read."""
    with progress_bar("lge", args.quiet, delay_s=1) as tell, opened_study(args.path, counted(tell, READING)) as sets:
        numbers = [n for images in sets for n in images.series_numbers]
    chosen: ImageSet | None = None
    try:
        chosen, notes = choose(sets, series=args.series, image=args.image)
    finally:  # they are listed too where none can be chosen
        for images in sets:
            ambiguous = any(numbers.count(n) > 1 for n in images.series_numbers)
            say(args, _line(images, "*" if images is chosen else "", args.verbose or ambiguous))
    say(args, *map(words, notes))
    if chosen.unfit:
        raise InputError(chosen.unfit)
