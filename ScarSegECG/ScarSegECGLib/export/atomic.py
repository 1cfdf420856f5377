"""A result folder that appears whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export.text import RESULT_KIND

MARKER = "result.json"

_OTHER_FOLDER = "choose another folder"
_LARGEST_MARKER_BYTES = 16 * 2**20


@contextmanager
def staged_folder(
    out: Path, overwrite: bool, own: Collection[str] = (), previous: Callable[[Path], bool] | None = None
) -> Iterator[Path]:
    """Yield a fresh folder beside ``out`` that becomes ``out`` when the block ends well.

    Missing parents of ``out`` are made. If the block raises or is interrupted, the fresh folder (and any parent that
    was made for it) is removed and ``out`` is as it was. Messages name no path, because a folder is often named after
    a patient. A folder that did not exist before is its owner's alone to read; one that did keeps its permissions.

    Parameters
    ----------
    out : Path
        The folder to make. It may exist if it is empty, or, with ``overwrite``, if it holds something.
    overwrite : bool
        Replace a previous result, at the moment of success and not before. Files that are not the result's stay.
    own : names
        What a previous result may hold and is to go with it.
    previous : callable
        Whether a folder holds such a previous result; :func:`is_previous_result` when absent.

    Raises
    ------
    InputError
        ``out`` cannot be used (a file, a link, other people's content, no permission), or the disk cannot take the
        result.
    """
    out = Path(os.path.normpath(Path.cwd() / out))  # not resolve(): a link must be seen as one
    previous = previous or is_previous_result
    _refuse_unless_free(out, overwrite, previous)
    parents = _missing_parents(out)
    staged = out.parent / f".scarsegecg-{secrets.token_hex(8)}"
    try:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            staged.mkdir(mode=0o700)  # what is in it names the patient
            yield staged
            _refuse_unless_free(out, overwrite, previous)  # it may have changed while the result was being written
            _publish(staged, out, own if previous(out) else ())
        except OSError as error:
            raise InputError(_in_words(error)) from None
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        _remove_if_empty(parents)
        raise


def check_output(out: Path, overwrite: bool, previous: Callable[[Path], bool] | None = None) -> None:
    """Say before any work is done that a result could not be written to ``out``.

    Raises
    ------
    InputError
        As :func:`staged_folder` would raise it.
    """
    _refuse_unless_free(Path(os.path.normpath(Path.cwd() / out)), overwrite, previous or is_previous_result)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Raises
    ------
    InputError
        The file cannot be written, or is a folder.
    """
    if path.is_dir() or not path.name:
        raise InputError("The output is a folder, not a file: give a file's name.")
    partial = path.with_name(f".scarsegecg-{secrets.token_hex(8)}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(_in_words(error)) from None


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


def _refuse_unless_free(out: Path, overwrite: bool, is_previous: Callable[[Path], bool]) -> None:
    """Raise InputError unless ``out`` is absent, an empty folder, or a previous result that may be replaced."""
    try:
        if not out.name:
            raise InputError(f"The output cannot be the top of a disk: {_OTHER_FOLDER}.")
        if out.is_symlink() or getattr(out, "is_junction", bool)():
            raise InputError("The output folder is a link to another place: give the folder itself.")
        if not out.exists():
            return
        if not out.is_dir():
            raise InputError(f"The output is a file, not a folder: {_OTHER_FOLDER}.")
        if not any(out.iterdir()):
            return
        previous = is_previous(out)
        if not overwrite and previous:
            raise InputError(
                f"The output folder already holds a result: add --overwrite to replace it, or {_OTHER_FOLDER}."
            )
        if not overwrite:
            raise InputError(
                f"The output folder holds other files: add --overwrite to write beside them, or {_OTHER_FOLDER}."
            )
        if not (previous or is_previous_result(out)) and (out / MARKER).exists():
            raise InputError(f"The output folder holds a {MARKER} of another program: {_OTHER_FOLDER}.")
    except OSError as error:
        raise InputError(_in_words(error)) from None


def _publish(staged: Path, out: Path, own: Collection[str]) -> None:
    """Put ``staged`` in the place of ``out``; a previous result goes only once the new one stands.

    Everything else that lay in ``out`` is moved along, and moved back should the last step fail.
    """
    if not out.exists():
        staged.rename(out)
        return
    # Windows cannot rename onto an existing folder, even an empty one: move the old one aside on every system.
    aside = out.parent / f".scarsegecg-{secrets.token_hex(8)}"
    leaving = {path.name for path in staged.iterdir()} | set(own)
    staged.chmod(stat.S_IMODE(out.stat().st_mode))  # who made the folder has said who may look into it
    out.rename(aside)
    moved: list[str] = []
    try:
        for guest in [path for path in aside.iterdir() if path.name not in leaving]:
            guest.rename(staged / guest.name)
            moved.append(guest.name)
        staged.rename(out)
    except BaseException:
        for name in moved:
            (staged / name).rename(aside / name)
        aside.rename(out)
        raise
    shutil.rmtree(aside, ignore_errors=True)
    if aside.exists():
        warnings.warn(
            f"The new result is in place, but parts of the previous one could not be removed: delete {aside.name} "
            "beside the output folder.",
            stacklevel=4,
        )


def _missing_parents(out: Path) -> list[Path]:
    """The parents of ``out`` that do not exist yet, deepest first."""
    missing = []
    for parent in out.parents:
        if parent.exists():
            break
        missing.append(parent)
    return missing


def _remove_if_empty(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:
            return


def _in_words(error: OSError) -> str:
    """One line for the user; never the path, which may hold a patient's name."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return "The disk is full: free some space or choose a folder on another disk."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            "No permission to write the output folder: choose a folder that is yours, and close programs that have "
            "it open."
        )
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return f"The output folder would lie inside a file: {_OTHER_FOLDER}."
    if error.errno == errno.ENAMETOOLONG:
        return "The output folder's name is too long: choose a shorter one."
    return f"The result could not be written ({error.strerror or type(error).__name__}): {_OTHER_FOLDER}."
