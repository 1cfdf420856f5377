"""Small ECG files made to stop the program or to fill the memory, and errors that name no patient."""

from __future__ import annotations

import threading
import time
import zlib
from contextlib import suppress
from pathlib import Path

import pytest

from ScarSegECGLib.ecg import pdf_guard
from ScarSegECGLib.ecg.leads import canonical_name
from ScarSegECGLib.ecg.read import read_ecg
from ScarSegECGLib.ecg.time_limit import TooLong, time_limit
from ScarSegECGLib.errors import InputError


def refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_ecg(path)


# ---------------------------------------------------------------- PDF


def pdf(path: Path, *objects: bytes, content: bytes = b"BT /F1 12 Tf 10 10 Td <0001> Tj ET") -> Path:
    """One page; ``objects`` are its font F1 (object 5) and what that refers to."""
    page = b"/MediaBox [0 0 500 500] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >>"
    bodies = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R " + page + b" >>",
        stream(content),
        *objects,
    )
    written = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(bodies, start=1):
        places.append(len(written))
        written += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(bodies) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(bodies) + 1, len(written))
    path.write_bytes(written + table + end)
    return path


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n" % (len(data), more) + data + b"\nendstream"


def font(more: bytes = b"") -> bytes:
    identity = b"/Encoding /Identity-H /DescendantFonts [6 0 R]"
    return b"<< /Type /Font /Subtype /Type0 /BaseFont /X " + identity + more + b" >>"


def descendant(more: bytes = b"") -> bytes:
    system = b"/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
    descriptor = b"/FontDescriptor << /Type /FontDescriptor /FontName /X >>"
    return b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /X " + system + descriptor + more + b" >>"


def character_map(*ranges: bytes) -> bytes:
    return stream(b"/CIDInit /ProcSet findresource begin begincmap " + b" ".join(ranges) + b" endcmap")


def test_a_font_of_usual_size_is_read(tmp_path) -> None:
    ranges = b"1 beginbfrange <0000> <00ff> <0041> endbfrange"
    path = pdf(tmp_path / "a.pdf", font(b" /ToUnicode 7 0 R"), descendant(b" /W [0 255 500]"), character_map(ranges))
    refused(path, "no drawn ECG")


@pytest.mark.parametrize("widths", [b"[0 2000000000 500]", b"[-2000000000 5 500]", b"[0 2e9 500 0 2000000000 500]"])
def test_font_widths_are_bounded(tmp_path, widths) -> None:
    refused(pdf(tmp_path / "a.pdf", font(), descendant(b" /W " + widths)), "too complicated")


@pytest.mark.parametrize(
    "ranges",
    [
        (b"1 beginbfrange <00000000> <7fffffff> <0041> endbfrange",),
        (b"1 begincidrange <00000000> <7fffffff> 0 endcidrange",),
        (b"1 beginbfrange <0000> <7fff> <0041> endbfrange",) * 50,
    ],
)
def test_character_maps_are_bounded(tmp_path, ranges) -> None:
    path = pdf(tmp_path / "a.pdf", font(b" /ToUnicode 7 0 R"), descendant(), character_map(*ranges))
    refused(path, "too complicated")


def test_a_pdf_has_its_time_wherever_it_is_spent(tmp_path, monkeypatch) -> None:
    """Rows of one byte under a predictor are undone in Python, outside of any operator."""
    monkeypatch.setattr(pdf_guard, "LONGEST_S", 0.2)
    packed = zlib.compress(bytes(6_000_000))
    predicted = b"/Filter /FlateDecode /DecodeParms << /Predictor 15 /Columns 1 >>"
    path = pdf(tmp_path / "a.pdf", font(b" /ToUnicode 7 0 R"), descendant(), stream(packed, predicted))
    refused(path, "too complicated")


def test_many_beginnings_of_streams(tmp_path) -> None:
    path = tmp_path / "a.pdf"
    path.write_bytes(b"%PDF-1.4\n" + b"stream\n" * 1_000_000)
    refused(path, "too complicated")


def test_every_stream_is_told_from_its_own_bytes() -> None:
    """Many streams that begin inside one another, each of which goes on to the end."""
    one = b"stream\n" + zlib.compress(bytes(100), 0)[:2]
    data = one * 1500 + b"\0\0\0\xff\xff" * 1_000_000
    pdf_guard._unpacks_too_much(data)
    large = b"1 0 obj << /Filter /FlateDecode >> stream\n" + zlib.compress(bytes(pdf_guard.LARGEST_UNPACKED + 1))
    assert pdf_guard._unpacks_too_much(large)
    assert not pdf_guard._unpacks_too_much(b"1 0 obj << /Filter /FlateDecode >> stream\n" + zlib.compress(bytes(10**6)))


def test_the_time_limit_ends_a_loop_and_leaves_nothing_behind() -> None:
    with pytest.raises(TooLong), time_limit(0.1):
        while True:
            pass
    for _ in range(200):
        with suppress(TooLong), time_limit(1e-4):
            pass
    sum(range(10**6))  # whatever had been on its way would arrive here


def test_the_time_limit_counts_its_own_thread_alone() -> None:
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            sum(range(1000))

    other = threading.Thread(target=work)
    other.start()
    try:
        with time_limit(0.2):
            time.sleep(0.5)
    finally:
        stop.set()
        other.join()


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
    assert canonical_name("Lead I (" + "Einthoven " * 5 + ")") == "I"
    assert canonical_name("I" + " " * 64) is None


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
    refused(tmp_path / "rec.hea", "WFDB header|signal")


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
