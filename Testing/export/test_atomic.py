"""The result folder appears whole or not at all, and destroys nothing that is not its own."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.export import atomic
from ScarSegECGLib.export.atomic import RESULT_KIND, is_previous_result, staged_folder, write_text

OWN = ("result.json", "old.txt", "new.txt")


def fill(out: Path, words: str = "new", overwrite: bool = False) -> None:
    with staged_folder(out, overwrite, OWN) as folder:
        (folder / "result.json").write_text(json.dumps({"kind": RESULT_KIND, "words": words}))
        (folder / f"{words}.txt").write_text(words)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_new_folder_appears_whole(tmp_path):
    with staged_folder(tmp_path / "out", False) as folder:
        (folder / "a.txt").write_text("a")
        assert not (tmp_path / "out").exists()
        assert folder.parent == tmp_path
    assert names(tmp_path) == ["out", "out/a.txt"]


def test_the_temporary_name_holds_nothing_of_the_output_name(tmp_path):
    with staged_folder(tmp_path / "DOE_JOHN", False) as folder:
        assert "doe" not in folder.name.lower()


def test_missing_parents_are_made_and_an_empty_folder_is_filled(tmp_path):
    fill(tmp_path / "a" / "b" / "out")
    assert (tmp_path / "a/b/out/new.txt").exists()
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "empty")
    assert names(tmp_path / "empty") == ["new.txt", "result.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "empty"]


@pytest.mark.parametrize("failure", [RuntimeError("no"), KeyboardInterrupt(), SystemExit(3), InputError("no")])
def test_a_failure_leaves_nothing_behind(tmp_path, failure):
    with pytest.raises(type(failure)), staged_folder(tmp_path / "new" / "parent" / "out", False) as folder:
        (folder / "half.txt").write_text("half")
        raise failure
    assert names(tmp_path) == []


def test_a_failure_leaves_the_previous_result_as_it_was(tmp_path):
    fill(tmp_path / "out", "old")
    before = names(tmp_path)
    with pytest.raises(KeyboardInterrupt), staged_folder(tmp_path / "out", True) as folder:
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt
    assert names(tmp_path) == before
    assert (tmp_path / "out/old.txt").read_text() == "old"


def test_a_previous_result_is_replaced_only_with_overwrite(tmp_path):
    fill(tmp_path / "out", "old")
    with pytest.raises(InputError, match="--overwrite"):
        fill(tmp_path / "out")
    assert (tmp_path / "out/old.txt").exists()
    fill(tmp_path / "out", overwrite=True)
    assert names(tmp_path) == ["out", "out/new.txt", "out/result.json"]


@pytest.mark.parametrize(
    "foreign",
    [
        {"result.json": '{"kind": "another programme"}'},
        {"result.json": "[1, 2]"},
        {"result.json": "not JSON"},
        {"result.json": "[" * 100_000},
    ],
)
def test_another_programs_result_is_refused_even_with_overwrite(tmp_path, foreign):
    (tmp_path / "out").mkdir()
    for name, words in foreign.items():
        (tmp_path / "out" / name).write_text(words)
    with pytest.raises(InputError, match="of another program: choose another folder"):
        fill(tmp_path / "out", overwrite=True)
    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == foreign
    assert names(tmp_path) == ["out", *(f"out/{name}" for name in foreign)]


def test_other_files_need_overwrite_and_stay(tmp_path):
    (tmp_path / "out" / "notes").mkdir(parents=True)
    (tmp_path / "out" / "notes" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other files: add --overwrite"):
        fill(tmp_path / "out")
    assert names(tmp_path / "out") == ["notes", "notes/thesis.txt"]
    fill(tmp_path / "out", "old", overwrite=True)
    fill(tmp_path / "out", overwrite=True)
    assert names(tmp_path / "out") == ["new.txt", "notes", "notes/thesis.txt", "result.json"]


def test_other_files_come_back_if_the_last_rename_fails(tmp_path, monkeypatch):
    fill(tmp_path / "out", "old")
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    monkeypatch.setattr(atomic, "_exchanged_at_once", lambda one, other: False)
    rename = Path.rename

    def staged_fails(self, target):
        if Path(target).name == "out" and (self / "new.txt").exists():
            raise PermissionError(errno.EACCES, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", staged_fails)
    with pytest.raises(InputError, match="No permission"):
        fill(tmp_path / "out", overwrite=True)
    assert names(tmp_path) == ["out", "out/old.txt", "out/result.json", "out/thesis.txt"]


def test_text_is_written_whole(tmp_path):
    write_text(tmp_path / "a.json", "{}")
    assert (tmp_path / "a.json").read_text() == "{}"
    with pytest.raises(InputError):
        write_text(tmp_path / "none" / "a.json", "{}")
    assert names(tmp_path) == ["a.json"]


def test_content_that_came_while_writing_is_not_lost(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match="holds other files"), staged_folder(out, False):
        out.mkdir()
        (out / "came-later.txt").write_text("precious")
    assert names(tmp_path) == ["out", "out/came-later.txt"]


def test_a_marker_that_is_a_link_does_not_make_a_result(tmp_path):
    fill(tmp_path / "real")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "result.json").symlink_to(tmp_path / "real" / "result.json")
    assert is_previous_result(tmp_path / "real")
    assert not is_previous_result(tmp_path / "other")


@pytest.mark.parametrize("target", ["real", "nowhere"])
def test_a_linked_output_is_never_followed(tmp_path, target):
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / target)
    with pytest.raises(InputError, match="link"):
        fill(tmp_path / "out", overwrite=True)
    assert names(tmp_path) == ["out", "real"]


def test_a_file_in_the_way_is_refused_and_kept(tmp_path):
    (tmp_path / "out").write_text("precious")
    with pytest.raises(InputError, match="is a file"):
        fill(tmp_path / "out", overwrite=True)
    with pytest.raises(InputError, match="inside a file"):
        fill(tmp_path / "out" / "deeper")
    assert (tmp_path / "out").read_text() == "precious"
    assert names(tmp_path) == ["out"]


def test_the_top_of_a_disk_is_refused():
    with pytest.raises(InputError, match="top of a disk"):
        fill(Path("/"), overwrite=True)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_an_unwritable_parent_is_said_in_one_line(tmp_path, monkeypatch, number):
    def refuse(self, *_, **__):
        raise OSError(number, "refused", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InputError, match="No permission") as caught:
        fill(tmp_path / "DOE_JOHN")
    assert "DOE" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_full_disk_is_said_in_one_line_without_the_path(tmp_path):
    with pytest.raises(InputError, match="disk is full") as caught, staged_folder(tmp_path / "DOE_JOHN", False):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "DOE_JOHN"))
    assert "DOE" not in str(caught.value)
    assert names(tmp_path) == []


def test_the_previous_result_comes_back_if_the_last_rename_fails(tmp_path, monkeypatch):
    fill(tmp_path / "out", "old")
    monkeypatch.setattr(atomic, "_exchanged_at_once", lambda one, other: False)
    rename, calls = Path.rename, []

    def second_fails(self, target):
        calls.append(self)
        if len(calls) == 2:
            raise PermissionError(errno.EACCES, "in use")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(InputError, match="No permission"):
        fill(tmp_path / "out", overwrite=True)
    assert len(calls) == 3
    assert names(tmp_path) == ["out", "out/old.txt", "out/result.json"]


def test_leftovers_of_the_previous_result_are_reported_not_hidden(tmp_path, monkeypatch):
    fill(tmp_path / "out", "old")

    def in_use(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr(atomic.shutil, "rmtree", in_use)
    with pytest.warns(atomic.LeftBehind, match="could be removed: look into .scarsegecg-"):
        fill(tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/new.txt").exists()


def test_paths_with_dots_end_where_the_shell_would_put_them(tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    fill(Path("../work/./out"))
    assert names(tmp_path / "work") == ["out", "out/new.txt", "out/result.json"]


def test_an_exchange_that_may_not_be_is_said_and_undone(tmp_path, monkeypatch):
    fill(tmp_path / "out", "old")

    def refused(one, other):
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr(atomic, "_exchanged_at_once", refused)
    with pytest.raises(InputError, match="No permission"):
        fill(tmp_path / "out", overwrite=True)
    assert names(tmp_path) == ["out", "out/old.txt", "out/result.json"]


def test_a_file_behind_a_link_is_replaced_and_a_pipe_is_not(tmp_path):
    (tmp_path / "a.json").write_text("old")
    (tmp_path / "link").symlink_to("a.json")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "a.json").read_text() == "new"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a pipe or a device"):
        write_text(tmp_path / "pipe", "new")


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_files_are_their_owners_alone_or_as_open_as_they_were(tmp_path):
    before = os.umask(0)
    try:
        write_text(tmp_path / "a.json", "{}")
        (tmp_path / "b.json").touch(0o644)
        write_text(tmp_path / "b.json", "{}")
        fill(tmp_path / "new")
        (tmp_path / "shared").mkdir(0o750)
        fill(tmp_path / "shared")
    finally:
        os.umask(before)
    found = {path.relative_to(tmp_path).as_posix(): oct(path.stat().st_mode & 0o777) for path in tmp_path.rglob("*")}
    assert found == {
        "a.json": "0o600",
        "b.json": "0o644",
        "new": "0o700",
        "new/new.txt": "0o600",
        "new/result.json": "0o600",
        "shared": "0o750",
        "shared/new.txt": "0o640",
        "shared/result.json": "0o640",
    }
