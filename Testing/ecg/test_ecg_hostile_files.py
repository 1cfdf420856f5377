"""Small ECG files made to stop the program or to fill the memory, and errors that name no patient."""

from __future__ import annotations

from pathlib import Path

import pytest

from ScarSegECGLib.ecg.device_export import read_bounded_xml
from ScarSegECGLib.ecg.leads import lead_name
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.errors import InputError


def refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_ecg(path)


# ---------------------------------------------------------------- tables and labels


def table(path: Path, names: str) -> Path:
    columns = names.count(",") + 1
    rows = "\n".join(",".join(["0.1"] * columns) for _ in range(2000))
    path.write_text(f"# rate_hz: 500\n# unit: mV\n{names}\n{rows}\n")
    return path


LEAD_NAMES = "I,II,V1,V2,V3,V4,V5,V6"


@pytest.mark.parametrize("name", ["t" + " " * 1500 + "x", "t" + "[(_" * 500, "(" * 400_000, "((" * 20_000 + ")"])
def test_column_names_that_nothing_matches(tmp_path, name) -> None:
    refused(table(tmp_path / "a.csv", f"{LEAD_NAMES},{name}"), "flat")


@pytest.mark.parametrize("name", ["time", "t", "Time (s)", "t[s]", "t_s", " TIME [ sec ] ", "time seconds"])
def test_a_column_of_times_is_still_known(tmp_path, name) -> None:
    path = table(tmp_path / "a.csv", f"{name},{LEAD_NAMES}")
    refused(path, "contradict the stated 500 Hz")


def test_a_long_label_is_no_lead() -> None:
    assert lead_name("Lead I (" + "Einthoven " * 5 + ")") == "I"
    assert lead_name("I" + " " * 64) is None


# ---------------------------------------------------------------- WFDB


def wfdb_record(folder: Path, first: str, signal: str) -> Path:
    lines = [first, *(f"rec.dat 16 {signal} {lead}" for lead in LEAD_NAMES.split(","))]
    (folder / "rec.hea").write_text("\n".join(lines) + "\n")
    return folder / "rec.hea"


@pytest.mark.parametrize("line", ["a" * 80_000, "a" * 5000, "1" * 60_000])
def test_header_lines_are_bounded(tmp_path, line) -> None:
    (tmp_path / "rec.hea").write_text("rec 12 500 5000\n" + f"{line}\n" * 12)
    refused(tmp_path / "rec.hea", "too large")


@pytest.mark.parametrize("line", ["a" * 1000, "1" * 1000, "rec.dat 16" + "1" * 900, "a." + "a" * 900])
def test_the_longest_header_takes_no_time(tmp_path, line) -> None:
    (tmp_path / "rec.hea").write_text("rec 60 500 5000\n" + f"{line}\n" * 60)
    refused(tmp_path / "rec.hea", "WFDB header|damaged")


def test_a_long_remark_is_no_fault(tmp_path) -> None:
    path = wfdb_record(tmp_path, "rec 8 500 5000", "1000 16 0 0 0 0")
    (tmp_path / "rec.dat").write_bytes(bytes(2 * 8 * 5000))
    path.write_text(path.read_text() + "# " + "x" * 5000 + "\n")
    refused(path, "flat")


def test_a_header_without_a_number_of_samples_does_not_read_for_ever(tmp_path) -> None:
    path = wfdb_record(tmp_path, "rec 8 500", "1000 16 0 0 0 0")
    data = tmp_path / "rec.dat"
    data.write_bytes(bytes(2 * 8 * 5000))
    refused(path, "flat")  # it is read
    with data.open("r+b") as file:
        file.truncate(200_000_000)  # nothing on the disk
    refused(path, "how many samples")
    with data.open("r+b") as file:
        file.truncate(6_000_000_000)
    refused(path, "too large")


# ---------------------------------------------------------------- errors name nobody


@pytest.mark.parametrize("suffix", [".xml", ".pdf", ".csv", ".edf", ".scp", ".dcm", ".hea", ".dat", ".none", ""])
@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"nothing known",
        b"%PDF-1.4\n",
        b"<a/>",
        b"<a",
        b"I,II\n1,2\n",
        b"0       " + b"1" * 300,
        b"\0" * 128 + b"DICM",
        b"rec 12 500 5000\n",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
    ],
)
def test_errors_do_not_quote_the_name_of_the_file(tmp_path, suffix, content) -> None:
    path = tmp_path / f"Mustermann_Max_19500201{suffix}"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as error:
        read_ecg(path)
    assert "Mustermann" not in str(error.value) and "1950" not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("inner", ["99999", "<a/>99999"])
def test_a_count_stands_wherever_a_parser_may_read_it(tmp_path, inner: str) -> None:
    path = tmp_path / "ecg.xml"
    path.write_text(f"<RestingECG><NumberOfChannels>{inner}</NumberOfChannels></RestingECG>")
    with pytest.raises(InputError, match="declares a count"):
        read_bounded_xml(path)
