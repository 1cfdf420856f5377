"""Standard output and error as they really are: closed, full, or obeying every control character."""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

from tqdm import tqdm

from ScarSegECGLib.export.atomic import LeftBehind


class Said:
    """A stream that shows text alone, and remembers its first failure in ``failed`` instead of raising it."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.failed: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        """Whether it is a terminal, its encoding and its number are the stream's."""
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write it, with "?" for what moves a cursor (but the return around a progress line) or cannot be encoded."""
        inner = text.strip("\r")
        plain = text.replace(inner, "".join(c if c.isprintable() or c in "\n\t" else "?" for c in inner))
        encoding = getattr(self.stream, "encoding", None) or "ascii"
        self._try(lambda: self.stream.write(plain.encode(encoding, "replace").decode(encoding)))
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        self._try(self.stream.flush)

    def _try(self, act: Callable[[], object]) -> None:
        if self.failed is None:
            try:
                act()
            except (OSError, ValueError) as error:  # ValueError: it was closed
                self.failed = error if isinstance(error, OSError) else OSError(errno.EBADF, "closed")


@contextmanager
def heard() -> Iterator[Said]:
    """Let all that is printed go through :class:`Said`; yields standard output's."""
    for number in range(3):  # a file opened under such a number would be written into by whatever prints natively
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    out, err = Said(sys.stdout or io.StringIO()), Said(sys.stderr or io.StringIO())  # None: the system gave none
    with redirect_stdout(cast(TextIO, out)), redirect_stderr(cast(TextIO, err)), warnings.catch_warnings():
        warnings.simplefilter("always", LeftBehind)
        warnings.filterwarnings("always", category=UserWarning, module="ScarSegECGLib")
        warnings.showwarning = lambda message, *_, **__: warn(str(message))
        try:
            yield out
        finally:
            for said in (out, err):
                said.flush()
                if said.failed is not None:
                    _let_go(said.stream)


def _let_go(stream: TextIO) -> None:
    """Send to nowhere what the stream still holds, or the interpreter would fail on it once more when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


def say(args: argparse.Namespace, *lines: str) -> None:
    """Print what a verb has done, unless -q says that it is to be quiet."""
    if lines and not args.quiet:
        print("\n".join(lines), flush=True)


def explain(args: argparse.Namespace, *lines: str) -> None:
    """Print what was assumed and how long it took, where -v asks for it."""
    if lines and args.verbose:
        print("\n".join(lines), flush=True)


def warn(text: str) -> None:
    """Say on stderr what the user has to know, whatever -q says; a bar of progress makes room for it."""
    tqdm.write(f"warning: {text}", file=sys.stderr)
