"""Standard output and error as they really are: closed, full, or obeying every control character."""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ScarSegECGLib.export.atomic import LeftBehind


class Said(io.TextIOBase):
    """A stream (None where the system gave none) that shows text alone, and remembers its first failure in ``failed``
    instead of raising it.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream
        self.failed: OSError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Of the stream: tqdm asks whether its bar can be drawn."""
        return getattr(self.stream, "encoding", None) or "ascii"

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return self.stream is not None and self.stream.isatty()

    def fileno(self) -> int:
        """The system's number of the stream."""
        if self.stream is None:
            raise io.UnsupportedOperation("fileno")
        return self.stream.fileno()

    def write(self, text: str) -> int:
        """Write it; what would move a terminal's cursor or cannot be encoded is shown as "?"."""
        if self.stream is not None and self.failed is None:
            plain = _plain(text).encode(self.encoding, "replace").decode(self.encoding)
            self._try(lambda stream: stream.write(plain))
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        if self.stream is not None and self.failed is None:
            self._try(lambda stream: stream.flush())

    def _try(self, act) -> None:
        try:
            act(self.stream)
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self.failed = error if isinstance(error, OSError) else OSError(errno.EBADF, "closed")


def _plain(text: str) -> str:
    """Without what a terminal obeys, but for the return that begins or ends a line of progress."""
    inner = text.strip("\r")
    if inner.isprintable():
        return text
    shown = "".join(c if c.isprintable() or c in "\n\t" else "?" for c in inner)
    start = len(text) - len(text.lstrip("\r"))
    return text[:start] + shown + text[start + len(inner) :]


@contextmanager
def heard() -> Iterator[Said]:
    """Let all that is printed go through :class:`Said`; yields standard output's."""
    for number in range(3):  # a file opened under such a number would be written into by whatever prints natively
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    out, err = Said(sys.stdout), Said(sys.stderr)
    tell = warnings.showwarning

    def show(message, category, *place, **more) -> None:
        if issubclass(category, LeftBehind):
            warn(str(message))
        else:
            tell(message, category, *place, **more)

    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("always", LeftBehind)
        warnings.showwarning = show
        try:
            yield out
        finally:
            for said in (out, err):
                said.flush()
                if said.failed is not None:
                    _let_go(said)


def say(args: argparse.Namespace, *lines: str) -> None:
    """Print what a verb has done, unless -q says that it is to be quiet."""
    if not args.quiet:
        print("\n".join(lines), flush=True)


def warn(text: str) -> None:
    """Say on stderr what the user has to know, whatever -q says."""
    print(f"warning: {text}", file=sys.stderr)


def why_unheard(failed: OSError) -> str:
    """What became of what was printed, "" where the reader has closed the pipe because he has seen enough."""
    if failed.errno == errno.EPIPE:
        return ""
    why = "the disk is full" if failed.errno == errno.ENOSPC else (failed.strerror or "it is closed")
    return f"not everything could be printed on standard output ({why})"


def _let_go(said: Said) -> None:
    """Send to nowhere what the stream still holds, or the interpreter would fail on it once more when it ends."""
    with contextlib.suppress(OSError, ValueError, io.UnsupportedOperation):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, said.fileno())
        os.close(nowhere)
        if said.stream is not None:
            said.stream.flush()
