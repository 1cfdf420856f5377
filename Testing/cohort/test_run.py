"""A cohort's folder: what is done, what is done again, what is refused; with cheap cases on two local workers."""

from __future__ import annotations

import csv
import json
import os
import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from cheap import cheap_case, write_cases

from ScarSegECGLib.cohort import run as cohort_run
from ScarSegECGLib.cohort.engine import Crew, run_here
from ScarSegECGLib.cohort.flags import Flag
from ScarSegECGLib.cohort.options import CohortOptions, Networks
from ScarSegECGLib.cohort.records import CASES, FAILED, at_work
from ScarSegECGLib.cohort.review import keep_reviews, read_review, write_cases_to_open
from ScarSegECGLib.cohort.run import names_of, run_cohort, write_outputs
from ScarSegECGLib.cohort.tables import TABLES, columns
from ScarSegECGLib.errors import InputError


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers are what test_engine.py and test_killed.py start; here the same cases are done in this process."""
    monkeypatch.setattr(cohort_run, "run_jobs", lambda work, jobs, crew: run_here(work, jobs))
    monkeypatch.setattr(cohort_run, "write_group_pictures", lambda out, patients: ())


def _run(cases, out: Path, options: CohortOptions | None = None, networks: Networks | None = None, **more):
    return run_cohort(cases, out, options or CohortOptions(), networks or Networks(), Crew(), work=cheap_case, **more)


def _table(out: Path, name: str = "patients") -> list[dict[str, str]]:
    with (out / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_only_what_is_missing_failed_or_changed_is_done(tmp_path: Path) -> None:
    cases, out = write_cases(tmp_path / "data", 6, contents={2: "no lv", 3: "fault"}), tmp_path / "out"
    first = _run(cases, out)
    assert (first.cases, first.done_now, first.already, len(first.failed)) == (4, 4, 0, 2)
    again = _run(cases, out)
    assert (again.cases, again.done_now, again.already, len(again.failed)) == (4, 0, 4, 2)
    cases[2].lge.write_text("scar 7.5")
    cases[4].ecg.write_text("another ECG")
    os.utime(cases[5].lge, ns=(1, 1))  # another time, the same content
    third = _run(cases, out)
    assert (third.cases, third.done_now, third.already, len(third.failed)) == (5, 2, 3, 1)
    assert _table(out)[2]["scar_ml_image_only"] == "7.5"
    assert [p.name for p in (out / FAILED).iterdir()] == ["case0003.json"]
    assert _run(cases, out, CohortOptions(use_ecg=False)).done_now == 5
    assert _run(cases, out, CohortOptions(use_ecg=False), Networks(sha256="f" * 64)).done_now == 5
    dated = [replace(cases[0], event_between=True), *cases[1:]]
    assert _run(dated, out, CohortOptions(use_ecg=False), Networks(sha256="f" * 64)).done_now == 1


def test_what_fails_is_in_the_table_with_its_reason_and_no_path(tmp_path: Path) -> None:
    cases, out = write_cases(tmp_path / "data", 3, contents={0: "no lv", 1: "fault"}), tmp_path / "out"
    told: list[str] = []
    _run(cases, out, told=lambda outcome: told.append(outcome.name))
    assert told == ["case0000", "case0001", "case0002"]
    rows = _table(out)
    assert [row["status"] for row in rows] == ["no result", "no result", "done"]
    assert rows[0]["flags"].split() == [Flag.NO_RESULT.value, Flag.LV_MISSED.value]
    assert rows[0]["why_no_result"] == "No left ventricle was found."
    assert rows[1]["why_no_result"].startswith("internal error (RuntimeError at cheap.py:")
    for file in out.rglob("*"):
        if file.is_file():
            assert str(tmp_path).encode() not in file.read_bytes(), file


def test_after_a_failure_an_earlier_result_stays_and_does_not_count(tmp_path: Path) -> None:
    cases, out = write_cases(tmp_path / "data", 2), tmp_path / "out"
    before = cases[0].lge.read_text()
    _run(cases, out)
    cases[0].lge.write_text("no lv")
    _run(cases, out)
    assert (out / CASES / "case0000" / "result.json").is_file() and _table(out)[0]["status"] == "no result"
    cases[0].lge.write_text(before)
    assert _run(cases, out).already == 2
    assert _table(out)[0]["status"] == "done"


def test_csv_and_parquet_hold_the_same_and_the_dictionary_names_every_column(tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(write_cases(tmp_path / "data", 4, contents={3: "no lv"}), out)
    dictionary = _table(out, "data_dictionary")
    for name in TABLES:
        read, stored = _table(out, name), pq.read_table(out / f"{name}.parquet")
        assert len(read) == stored.num_rows == {"patients": 4, "segments": 51, "ecg": 3}[name]
        listed = [row for row in dictionary if row["table"] == name]
        assert [row["column"] for row in listed] == stored.column_names == list(read[0])
        assert all(row["meaning"] and row["source"] for row in listed)
        for column in stored.column_names:
            for text, value in zip((row[column] for row in read), stored[column].to_pylist(), strict=True):
                if isinstance(value, bool):
                    value = "yes" if value else "no"
                shown = "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
                assert text == shown, column
    assert stored.schema.field("rate_bpm").metadata[b"unit"] == b"beats/min"
    assert {column.kind for column in columns()} == {"text", "number", "integer", "yes/no"}


def test_provenance_says_how_and_by_what(tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(write_cases(tmp_path / "data", 2), out, CohortOptions(segments=16), Networks(sha256="ab"))
    told = json.loads((out / "provenance.json").read_text())
    assert told["weights_sha256"] == "ab" and told["options"]["segments"] == 16 and told["software"]["scarsegecg"]


def test_the_same_images_or_ecg_in_two_cases_are_flagged(tmp_path: Path) -> None:
    cases, out = write_cases(tmp_path / "data", 4), tmp_path / "out"
    cases[1].ecg.write_bytes(cases[0].ecg.read_bytes())
    cases[3].lge.write_bytes(cases[2].lge.read_bytes())
    _run(cases, out)
    assert [row["flags"] for row in _table(out)] == ["same_ecg", "same_ecg", "same_images", "same_images"]


def test_folders_that_are_not_to_be_touched(tmp_path: Path) -> None:
    cases = write_cases(tmp_path / "data", 2)
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="holds other files"):
        _run(cases, other)
    with pytest.raises(InputError, match="is a file"):
        _run(cases, other / "mine.txt")
    out = tmp_path / "out"
    _run(cases, out)
    strangers = write_cases(tmp_path / "strangers", 2, contents={0: "scar 1 x", 1: "scar 2 y"})
    with pytest.raises(InputError, match="none of them of this manifest"):
        _run(strangers, out)
    assert _run(cases, out).done_now == 0
    assert _run(strangers, out, overwrite=True).done_now == 2


def test_two_runs_do_not_work_in_one_folder(tmp_path: Path) -> None:
    cases, out = write_cases(tmp_path / "data", 1), tmp_path / "out"
    _run(cases, out)
    with at_work(out), pytest.raises(InputError, match="another run is at work"):
        _run(cases, out)


def test_a_full_disk_stops_the_run_and_finished_cases_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, out = write_cases(tmp_path / "data", 3, contents={1: "fault"}), tmp_path / "out"
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(cohort_run.shutil, "disk_usage", lambda path: usage(1, 1, 0))
    with pytest.raises(InputError, match="the disk is full"):
        _run(cases, out)
    assert [p.name for p in (out / CASES).iterdir()] == ["case0000"]
    monkeypatch.undo()
    monkeypatch.setattr(cohort_run, "run_jobs", lambda work, jobs, crew: run_here(work, jobs))
    assert _run(cases, out).already == 1


def test_the_review_comes_into_the_tables_and_lists_what_to_open(tmp_path: Path) -> None:
    cases, out = write_cases(tmp_path / "data", 4), tmp_path / "out"
    _run(cases, out)
    saved = tmp_path / "review.csv"
    saved.write_text(
        "\ufeffcase,decision,comment,reviewed_utc\n"
        "case0001,correct,'=scar in RCA wall,2026-01-01T00:00:00Z\n"
        "case0002,accept,,2026-01-01T00:00:00Z\ncase0003,,only a comment,\n"
    )
    reviews = read_review(saved, names_of(out))
    keep_reviews(out, reviews)
    assert write_cases_to_open(out, reviews, {case.name: case for case in cases}) == 1
    write_outputs(out, names_of(out))
    assert [row["review"] for row in _table(out)] == ["", "correct", "accept", ""]
    assert _table(out)[1]["review_comment"] == "'=scar in RCA wall"
    (listed,) = _table(out, "open_in_slicer")
    assert (listed["case"], listed["lge"]) == ("case0001", str(cases[1].lge))
    assert listed["segmentation"] == "cases/case0001/segmentation.seg.nrrd"
    saved.write_text("case;decision\ncase0001;reject\n")  # a later review, saved by a spreadsheet
    keep_reviews(out, read_review(saved, names_of(out)))
    assert _run(cases, out).done_now == 0  # and a run of the cohort keeps them
    assert [row["review"] for row in _table(out)] == ["", "reject", "accept", ""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("case,decision\nnobody,accept\n", "line 2: the cohort has no case 'nobody'"),
        ("case,decision\ncase0000,perhaps\n", "line 2: 'perhaps' is none of accept, correct, reject"),
        ("case,decision\ncase0000,accept\ncase0000,reject\n", "line 3: 'case0000' stands twice"),
        ("name,verdict\n", "no review"),
    ],
)
def test_a_review_that_is_none_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "review.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        read_review(tmp_path / "review.csv", ["case0000"])


@pytest.mark.parametrize("link", [".lock", "patients.csv", "page", "group", "failed", "page/rows.js"])
def test_nothing_outside_is_written_through_a_link(tmp_path: Path, link: str) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    cases = write_cases(tmp_path / "data", 1)
    _run(cases, out)
    outside.mkdir()
    (outside / "file").write_text("somebody's")
    place = out / link
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)
    place.symlink_to(outside if link in ("page", "group", "failed") else outside / "file")
    with pytest.raises(InputError, match="link to another place"):
        _run(cases, out)
    assert [path.name for path in outside.iterdir()] == ["file"] and (outside / "file").read_text() == "somebody's"


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("result.json", lambda told: told.pop("scar")),
        ("result.json", lambda told: told.update(scar="none")),
        ("result.json", lambda told: told["scar"]["image_only"].update(ml="many")),
        ("result.json", lambda told: told.update(segments=[5])),
        ("case.json", lambda told: told.update(facts={})),
        ("case.json", lambda told: told.update(facts=[])),
        ("case.json", lambda told: told.update(words=5)),
    ],
)
def test_a_case_that_was_changed_by_hand_is_done_again(tmp_path: Path, file: str, change) -> None:
    out, cases = tmp_path / "out", write_cases(tmp_path / "data", 2)
    _run(cases, out)
    path = out / CASES / "case0001" / file
    told = json.loads(path.read_text())
    change(told)
    path.write_text(json.dumps(told))
    write_outputs(out, [case.name for case in cases])  # as a review does: the other case stands
    assert [row["status"] for row in _table(out)] == ["done", "no result"]
    assert _run(cases, out).done_now == 1
    assert [row["status"] for row in _table(out)] == ["done", "done"]


def test_a_case_that_was_taken_out_is_told(tmp_path: Path) -> None:
    out, cases = tmp_path / "out", write_cases(tmp_path / "data", 3)
    assert not _run(cases, out).remarks
    assert _run(cases[:2], out).remarks == ("not in this manifest and in no table, but still in cases/: case0002",)


def test_agreement_of_an_earlier_run_goes(tmp_path: Path) -> None:
    out, cases = tmp_path / "out", write_cases(tmp_path / "data", 1)
    _run(cases, out)
    (out / "agreement.json").write_text('{"patients": 2}')
    _run(cases, out)
    assert not (out / "agreement.json").exists()


def test_a_full_disk_during_the_tables_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args):
        raise InputError("The disk is full: free some space or choose a folder on another disk.")

    monkeypatch.setattr(cohort_run, "write_tables", full)
    with pytest.raises(InputError, match="The disk is full"):
        _run(write_cases(tmp_path / "data", 1), tmp_path / "out")


def test_a_cohort_of_an_earlier_version_is_told_and_done_again(tmp_path: Path) -> None:
    """Its agreement is of another scar."""
    out, cases = tmp_path / "out", write_cases(tmp_path / "data", 1)
    _run(cases, out)
    path = out / CASES / "case0000" / "case.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"expert": {"scar": {"dice": 0.5}, "segments": []}}))
    write_outputs(out, ["case0000"])
    assert "earlier version" in _table(out)[0]["why_no_result"]
    assert _run(cases, out).done_now == 1 and _table(out)[0]["status"] == "done"


def test_tables_and_reviews_that_are_none_are_told_in_a_line(tmp_path: Path) -> None:
    out = tmp_path / "out"
    _run(write_cases(tmp_path / "data", 1), out)
    long = f"case,decision,comment\ncase0000,accept,{'x' * 200_000}\n"
    (tmp_path / "review.csv").write_text(long)
    os.mkfifo(tmp_path / "pipe")
    for review in ("review.csv", "pipe"):
        with pytest.raises(InputError, match="review"):
            read_review(tmp_path / review, ["case0000"])
    for content in (b"case\n\xff\n", long.encode()):
        (out / "patients.csv").write_bytes(content)
        with pytest.raises(InputError, match="did not come to an end"):
            names_of(out)
