"""The `scarsegecg` command: one verb per job, one file per verb."""

from __future__ import annotations

import argparse
import errno
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import NoReturn

from ScarSegECGLib import __version__
from ScarSegECGLib.cli.terminal import heard
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.shown_text import printable

# Verbs are imported when they are called: `scarsegecg --help` does not wait for torch.
VERBS = {
    "segment": "segment the scar of one patient and write masks, bullseye, tables and report",
    "cohort": "segment many patients: manifest, tables for statistics, and a page to review them on",
    "measure": "measure the scar inside contours that are already there, by one rule or by all",
    "export": "write a result as DICOM objects beside the images it was made from",
    "pacs": "find, pull and push studies of an image archive over DICOMweb",
    "ecg": "say what is understood of an ECG file, what is measured in it, and draw it",
    "lge": "list the series of a DICOM study, what each was taken for and why",
    "demo": "segment the sample patient, which is simulated, and compare with its known truth",
    "evaluate": "segment a folder of cases with expert masks and write how well they agree",
    "train": "train or fine-tune on your own cases and pairs, cross-validated by patient, and assemble the weights",
    "bench": "time every stage of one case",
}
# Packages that a plain installation leaves out, by the extra that brings them.
EXTRAS = {
    "pacs": ("dicomweb_client", "keyring", "requests", "urllib3"),
    "cohort": ("cryptography", "dask", "distributed", "locket", "psutil", "pyarrow"),
}
# Their result is in files: it stands even where nothing can be printed.
WRITERS = ("segment", "export", "demo", "cohort", "evaluate", "train")


def build_parser(verbs: Sequence[str] = tuple(VERBS)) -> argparse.ArgumentParser:
    """The parser of the whole command, or of some of its verbs."""
    about = "Myocardial scar in LGE MRI with the help of the 12-lead ECG. Research use; not a medical device."
    parser = _Parser(prog="scarsegecg", description=about)
    parser.add_argument("--version", action="version", version=f"scarsegecg {__version__}")
    subparsers = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, summary in VERBS.items():
        verb = subparsers.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        jobs: Sequence[argparse.ArgumentParser] = ()
        if name in verbs:
            module = import_module(f"ScarSegECGLib.cli.{name}")
            jobs = module.add_arguments(verb) or ()
            for one in (verb, *jobs):
                one.set_defaults(run=module.run, parser=one)
        volume = verb.add_mutually_exclusive_group()
        for short, long, said in (
            ("-q", "--quiet", "no progress, no summary; warnings and errors only"),
            ("-v", "--verbose", "explain what was assumed and how long it took"),
        ):
            volume.add_argument(short, long, action="store_true", help=said)
            for job in jobs:  # behind a job's name as well as before it
                job.add_argument(short, long, action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 done, 2 something in the input is to be put right, 1 a fault of ours, 130 stopped.

    When the system ends it (SIGTERM, SIGHUP), it cleans up and exits with 128 + the signal's number.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    called = [verb for verb in VERBS if verb in given[:1]]
    name = " ".join(["scarsegecg", *called])
    with heard() as out:
        code = _run(given, called, name)
        out.flush()
        if out.failed is None or code or out.failed.errno == errno.EPIPE:  # a reader who closes it has seen enough
            return code
        why = "the disk is full" if out.failed.errno == errno.ENOSPC else (out.failed.strerror or "it is closed")
        print(f"{name}: not everything could be printed on standard output ({why})", file=sys.stderr)
        return 0 if called[0] in WRITERS else 2


def _run(given: list[str], called: list[str], name: str) -> int:
    try:
        with ExitStack() as loaded:
            if called and not {"-h", "--help", "-q", "--quiet"} & set(given) and sys.stderr.isatty():
                print("loading ...", end="", file=sys.stderr, flush=True)
                loaded.callback(print, "\r           \r", end="", file=sys.stderr, flush=True)
            parser = build_parser(called)  # imports the verb, which takes seconds
        args, unknown = parser.parse_known_args(given)
        if unknown:  # said by the verb or its job, beside its own options
            getattr(args, "parser", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
        with _tidy_end():
            args.run(args)
        return 0
    except InputError as error:
        code, said = 2, "\n".join(map(printable, getattr(error, "lines", (str(error),))))
    except KeyboardInterrupt:
        code, said = 130, "stopped; nothing was left half-written"
    except Exception as error:
        missing = (error.name or "").split(".")[0] if isinstance(error, ModuleNotFoundError) else ""
        extra = next((extra for extra, packages in EXTRAS.items() if missing in packages), None)
        if extra is not None:
            code, said = 2, f"this needs more packages: pip install 'scarsegecg[{extra}]'"
        elif {"-v", "--verbose"} & set(given):
            raise
        else:  # the error's own text may quote a path or a header: only its kind is shown
            code, said = 1, f"internal error ({type(error).__name__}); run again with -v for details"
    print(f"{name}: {said}", file=sys.stderr)
    return code


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an option in one line, whatever was typed."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


@contextmanager
def _tidy_end() -> Iterator[None]:
    """Let a closed terminal, a batch system or a logout end the command as a key does: nothing is left behind."""

    def end(number: int, _frame: object) -> None:
        for name in taken:
            signal.signal(name, signal.SIG_IGN)  # the cleaning up is not to be ended too
        raise SystemExit(128 + number)

    names = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    may = threading.current_thread() is threading.main_thread()
    taken = [name for name in names if may and signal.getsignal(name) is signal.SIG_DFL]  # nohup ignores SIGHUP
    for name in taken:
        signal.signal(name, end)
    try:
        yield
    finally:
        for name in taken:
            signal.signal(name, signal.SIG_DFL)
