"""The manifest as spreadsheets save it, and every mistake in it at once."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from ScarSegECGLib.cli import main
from ScarSegECGLib.cohort.cells import guarded, unguarded
from ScarSegECGLib.cohort.manifest import COLUMNS, ManifestError, read_manifest, write_manifest
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast

NOW = datetime(2026, 1, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("a.nii.gz", "b.nii.gz", "a.hea", "a_seg.nii.gz"):
        (tmp_path / "data" / name).write_bytes(b"x")
    return tmp_path


def _written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "cohort.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_as_spreadsheets_save_it(folder: Path, separator: str, encoding: str) -> None:
    age = "61,5" if separator != "," else '"61,5"'
    rows = [
        "case,LGE,ecg,mri_date,ecg_date,event_between,sex,age,expert".replace(",", separator),
        separator.join(
            ["c1", "data/a.nii.gz", "data/a.hea", "14.03.2024", "2024-03-12", "WAHR", "F", age, "data/a_seg.nii.gz"]
        ),
        separator.join(["c2", "data/b.nii.gz", "", "", "", "", "", "", ""]),
        separator * 8,
    ]
    one, two = read_manifest(_written(folder, "\r\n".join(rows), encoding), now=NOW)
    assert (one.name, one.lge, one.ecg) == ("c1", folder / "data/a.nii.gz", folder / "data/a.hea")
    assert (one.mri_date, one.ecg_date) == (datetime(2024, 3, 14), datetime(2024, 3, 12))
    assert (one.event_between, one.female, one.age, one.expert) == (True, True, 61.5, folder / "data/a_seg.nii.gz")
    assert (two.ecg, two.mri_date, two.event_between, two.female, two.age, two.expert) == (
        None,
        None,
        False,
        None,
        None,
        None,
    )


def test_every_mistake_is_told_at_once_with_its_line(folder: Path) -> None:
    text = """case,lge,ecg,mri_date,ecg_date,event_between,sex,age,expert
c1,data/a.nii.gz,,,,,,,
C1,data/b.nii.gz,data/a.hea,2024-03-14,03/12/2024,maybe,other,210,
../c3,data/none.nii.gz,,,,,,,
c4,,,,,,,,
c5,../outside.nii.gz,,2024-01-01,2024-01-01,,,,
c6,data/a.nii.gz,data/a.hea,2024-01-01,1999-01-01,,,,
c7,data/a.nii.gz,data/a.hea,2031-01-01,,,,,
c8,data/a.nii.gz,data/a.xml,,,,,,
"""
    (folder.parent / "outside.nii.gz").write_bytes(b"x")
    with pytest.raises(ManifestError) as raised:
        read_manifest(_written(folder, text), now=NOW)
    told = "\n".join(raised.value.mistakes)
    for line, column in ((3, "case"), (3, "ecg_date"), (3, "event_between"), (3, "sex"), (3, "age"), (4, "case"),
                         (4, "lge"), (5, "lge"), (6, "lge"), (6, "ecg_date"), (7, "mri_date and ecg_date"),
                         (8, "mri_date and ecg_date"), (9, "ecg")):  # fmt: skip
        assert f"line {line}, {column}:" in told, (line, column, told)
    assert "line 8, mri_date and ecg_date: the dates cannot be right: the MRI date lies in the future" in told
    assert "line 2" not in "\n".join(one for one in raised.value.mistakes if one.startswith("line 2"))
    assert str(raised.value).startswith(f"cohort.csv: {len(raised.value.mistakes)} mistakes, nothing was started")


def test_contrast_is_told_by_line(folder: Path) -> None:
    (case,) = read_manifest(_written(folder, "case,lge,contrast\nc1,data/a.nii.gz,PSIR\n"), now=NOW)
    assert case.contrast is Contrast.PSIR
    (case,) = read_manifest(_written(folder, "case,lge,contrast\nc1,data/a.nii.gz,unknown\n"), now=NOW)
    assert case.contrast is None  # as patients.csv has it
    with pytest.raises(ManifestError, match="line 2, contrast: 'bright' is neither"):
        read_manifest(_written(folder, "case,lge,contrast\nc1,data/a.nii.gz,bright\n"), now=NOW)


def test_the_command_tells_each_mistake_in_a_line_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _written(folder, "case,lge\n../c1,data/a.nii.gz\nc2,none\n")
    assert main(["cohort", "run", str(path), "--out", str(folder / "out")]) == 2
    told = [line.strip() for line in capsys.readouterr().err.strip().splitlines()]
    assert len(told) == 3 and told[1].startswith("line 2, case:") and told[2].startswith("line 3, lge:")


def test_a_wrong_column_is_named_with_what_may_be_meant(folder: Path) -> None:
    with pytest.raises(ManifestError) as raised:
        read_manifest(_written(folder, "case,lge,mri_datum,lge\nc1,data/a.nii.gz,,\n"), now=NOW)
    assert "'mri_datum' is not known; is 'mri_date' meant?" in str(raised.value)
    assert "'lge' stands twice" in str(raised.value)
    with pytest.raises(ManifestError, match="'lge' is missing"):
        read_manifest(_written(folder, "case\nc1\n"), now=NOW)


def test_paths_stay_in_the_folders_that_were_named(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "a.nii").write_bytes(b"x")
    (folder / "link.nii").symlink_to(elsewhere / "a.nii")
    path = _written(folder, f"case,lge\nc1,{elsewhere / 'a.nii'}\nc2,link.nii\n")
    with pytest.raises(ManifestError) as raised:
        read_manifest(path, now=NOW)
    assert len(raised.value.mistakes) == 2
    assert len(read_manifest(path, [elsewhere], now=NOW)) == 2


@pytest.mark.parametrize("content", [b"", b"\0\0\0\0", b"\x89PNG\r\n", b"\xff\xfe"])
def test_what_is_no_table_is_refused(folder: Path, content: bytes) -> None:
    (folder / "cohort.csv").write_bytes(content)
    with pytest.raises(InputError):
        read_manifest(folder / "cohort.csv", now=NOW)


@pytest.mark.parametrize("text", ["=1+1", "+x", "-2", "@SUM(A1)", "plain", "'quoted", "two\nlines"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert guarded(text)[:1] not in ("=", "+", "-", "@")
    assert unguarded(guarded(text)) == " ".join(text.split())


def test_what_is_written_is_read_again(folder: Path) -> None:
    (folder / "=data.nii").write_bytes(b"x")
    write_manifest(folder / "made.csv", [{"case": "c1", "lge": "=data.nii", "remark": "=cmd|x"}])
    assert (folder / "made.csv").read_text().splitlines() == [",".join(COLUMNS), "c1,'=data.nii,,,,,,,,,'=cmd|x"]
    (case,) = read_manifest(folder / "made.csv", now=NOW)
    assert case.lge == folder / "=data.nii"
