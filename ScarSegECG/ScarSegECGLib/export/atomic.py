"""A result folder, or a file, that appears whole or not at all, whatever ends the program on the way."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import secrets
import shutil
import stat
import sys
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from ScarSegECGLib.errors import InputError

MARKER = "result.json"
RESULT_KIND = "ScarSegECG result"

_LARGEST_MARKER_BYTES = 16 * 2**20
_OURS = ".scarsegecg-"
_LONG_AGO_S = 3600.0  # what was not written to for so long is no run's any more
_OTHER_FOLDER = "choose another folder"
_FULL = "The disk is full: free some space or choose a folder on another disk."
_FORBIDDEN = "No permission to write the output folder: choose one that is yours, and close programs that have it open."
_IN_WORDS: dict[int | None, str] = {
    **dict.fromkeys((errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)), _FULL),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), _FORBIDDEN),
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), f"The output folder would lie inside a file: {_OTHER_FOLDER}."),
}


class LeftBehind(UserWarning):
    """Something of ours lies beside the output that should not; the text names it."""


def is_previous_result(folder: Path) -> bool:
    """Whether ``folder`` holds a ``result.json`` that this software wrote."""
    marker = folder / MARKER
    try:
        if marker.is_symlink() or not marker.is_file() or marker.stat().st_size > _LARGEST_MARKER_BYTES:
            return False
        content = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("kind") == RESULT_KIND


@contextmanager
def staged_folder(
    out: Path, overwrite: bool, own: Collection[str] = (), previous: Callable[[Path], bool] = is_previous_result
) -> Iterator[Path]:
    """Yield a fresh folder that becomes ``out`` when the block ends well; its missing parents are made then.

    If the block raises or is interrupted, all is as it was. A program that is killed leaves ``out`` as it was or as it
    was to be, and what it leaves beside it is named by the next run from an hour on (:class:`LeftBehind`). A folder
    that did not exist before is its owner's alone to read, and its files too; in one that did they are as open as it.

    ``out``, ``overwrite`` and ``previous`` are as :func:`check_output` has them; a previous result is replaced at the
    moment of success and not before. ``own`` is what it may hold and is to go with it: names, paths such as
    "dicom/report.dcm", or patterns. InputError as :func:`check_output`; or the disk cannot take the result.
    """
    check_output(out, overwrite, previous)
    out = _without_dots(out)
    home = next((parent for parent in out.parents if parent.exists()), out.parent)
    staged = _fresh_name(home)
    with _os_errors_in_words():
        _tell_of_stale(home)
        staged.mkdir(mode=0o700)  # what is in it names the patient
        try:
            yield staged
            check_output(out, overwrite, previous)  # it may have changed while the result was being written
            new = (path.relative_to(staged).as_posix() for path in staged.rglob("*") if not path.is_dir())
            going = frozenset({*new, *(own if previous(out) else ())})
            before = _publish(staged, out, going)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    if before is not None:
        _put_away(before, out, going)


def check_output(out: Path, overwrite: bool, previous: Callable[[Path], bool] = is_previous_result) -> None:
    """Insist that a result can go to ``out``: it is absent, empty, or with ``overwrite`` not another program's.

    ``previous`` says whether a folder holds a previous result, which is replaced; files that are not the result's stay.
    InputError where it cannot; the message names no path, because a folder is often named after a patient.
    """
    out = _without_dots(out)
    with _os_errors_in_words():
        if not out.name:
            raise InputError(f"The output cannot be the top of a disk: {_OTHER_FOLDER}.")
        if out.is_symlink() or getattr(out, "is_junction", bool)():
            raise InputError("The output folder is a link to another place: give the folder itself.")
        if not out.exists():
            return
        if os.path.ismount(out):
            raise InputError("The output folder is a disk's or a container's own: give a folder inside it.")
        if not out.is_dir():
            raise InputError(f"The output is a file, not a folder: {_OTHER_FOLDER}.")
        if not any(out.iterdir()):
            return
        replaces = previous(out)
        if not overwrite:
            held = "already holds a result: add --overwrite to replace it"
            if not replaces:
                held = "holds other files: add --overwrite to write beside them"
            raise InputError(f"The output folder {held}, or {_OTHER_FOLDER}.")
        if not (replaces or is_previous_result(out)) and (out / MARKER).exists():
            raise InputError(f"The output folder holds a {MARKER} of another program: {_OTHER_FOLDER}.")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield the name of a fresh file beside ``path`` that takes its place when the block ends well.

    A file that did not exist before is its owner's alone to read; one that did keeps its permissions. Of a link, the
    file that it leads to is replaced. InputError: the file cannot be written, or is a folder, a pipe or a device.
    """
    if path.is_dir() or not path.name:
        raise InputError("The output is a folder, not a file: give a file's name.")
    if path.exists() and not path.is_file():
        raise InputError("The output is a pipe or a device, not a file: give a file's name.")
    path = path.resolve()
    partial = _fresh_name(path.parent, path.suffix)
    try:
        with _os_errors_in_words():
            mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            yield partial
            partial.chmod(mode)
            partial.replace(path)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; as :func:`whole_file`."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")  # a name may be no UTF-8


def write_whole(path: Path, content: bytes) -> None:
    """Write a file into a staged folder and read it again; OSError where the disk gives back something else."""
    path.write_bytes(content)
    if path.read_bytes() != content:
        raise OSError(errno.EIO, "a file did not read back as written; is the disk full?")


@contextmanager
def _os_errors_in_words() -> Iterator[None]:
    """One line for the user; never the path, which may hold a patient's name."""
    try:
        yield
    except OSError as error:
        told = f"The result could not be written ({error.strerror or type(error).__name__}): {_OTHER_FOLDER}."
        raise InputError(_IN_WORDS.get(error.errno, told)) from None


def _without_dots(out: Path) -> Path:
    return Path(os.path.normpath(Path.cwd() / out))  # not resolve(): a link must be seen as one


def _fresh_name(folder: Path, suffix: str = "") -> Path:
    return folder / f"{_OURS}{secrets.token_hex(8)}{suffix}"


def _goes(path: Path, out: Path, going: Collection[str]) -> bool:
    """Whether something below ``out`` makes room: a file of that name, or a folder that holds such and nothing else."""
    if path.is_dir() and not path.is_symlink():
        inside = list(path.iterdir())
        return bool(inside) and all(_goes(inner, out, going) for inner in inside)
    return any(fnmatch(path.relative_to(out).as_posix(), name) for name in going)


def _publish(staged: Path, out: Path, going: Collection[str]) -> Path | None:
    """Put ``staged`` in the place of ``out``, in one step where the system can; what the folder there is called now."""
    mode = stat.S_IMODE(out.stat().st_mode) if out.exists() else 0o700
    for path in staged.rglob("*"):  # who made the folder has said who may look into it
        path.chmod(mode | 0o700 if path.is_dir() else mode & 0o666 | 0o600)
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(out)
        return None

    def left_out(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if _goes(Path(folder, name), out, going)]

    # What else lies there has two names, here and there, at the moment of the exchange.
    shutil.copytree(out, staged, symlinks=True, ignore=left_out, copy_function=_second_name, dirs_exist_ok=True)
    if _exchanged_at_once(staged, out):
        return staged
    aside = _fresh_name(out.parent)
    out.rename(aside)
    try:
        staged.rename(out)
    except BaseException:
        aside.rename(out)
        raise
    return aside


def _put_away(before: Path, out: Path, going: Collection[str]) -> None:
    """Remove the folder that ``out`` was; what came into it or was saved anew in the last moment goes to ``out``."""
    try:
        for path in [path for path in before.rglob("*") if path.is_symlink() or not path.is_dir()]:
            if not _goes(path, before, going):
                home = out / path.relative_to(before)
                home.parent.mkdir(parents=True, exist_ok=True)
                path.replace(home)  # nothing happens where both are one file
        shutil.rmtree(before)
    except OSError:
        told = f"The new result is in place, but not all of the previous one could be removed: look into {before.name} "
        warnings.warn(told + "beside the output folder.", LeftBehind, stacklevel=4)


def _second_name(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a disk without links, or a file of somebody else's
        shutil.copy2(source, target)


def _exchanged_at_once(one: Path, other: Path) -> bool:
    """Linux: renameat2(RENAME_EXCHANGE); macOS: renamex_np(RENAME_SWAP). ``False``: not here, nothing was done."""
    names, here = (os.fsencode(one), os.fsencode(other)), -100  # AT_FDCWD
    try:
        library = ctypes.CDLL(None)
        if sys.platform == "darwin":
            return not library.renamex_np(*names, 2)
        return not library.renameat2(here, names[0], here, names[1], 2)
    except (AttributeError, OSError, TypeError):  # another system, or an old one
        return False


def _tell_of_stale(parent: Path) -> None:
    """Name what an earlier run left here when it was killed, where it is the user's to delete."""
    names = []
    for path in parent.glob(_OURS + "*"):
        with suppress(OSError):  # another run's may be gone by now
            newest = max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
            if time.time() - newest > _LONG_AGO_S and os.access(path, os.W_OK):
                names.append(path.name)
    if names:
        left = f"An earlier run was killed and left {', '.join(sorted(names)[:5])}{' ...' if names[5:] else ''} beside "
        warnings.warn(f"{left}the output folder: look into it and delete it.", LeftBehind, stacklevel=4)
