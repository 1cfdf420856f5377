"""What of a header is shown to the person at the screen."""

from __future__ import annotations

import pytest

from ScarSegECGLib.cli import main
from ScarSegECGLib.lge.shown_text import printable, shown_uid, without_patient


@pytest.mark.parametrize(
    ("text", "name", "shown"),
    [
        ("LGE SAX", "Li^Wei", "LGE SAX"),
        ("LGE Li WEI", "Li^Wei", "LGE *** ***"),
        ("LGE light", "Li^Wei", "LGE light"),
        ("LGE MUELLER JOERG", "Müller^Jörg", "LGE *** ***"),
        ("LGE MULLER JORG", "Müller^Jörg", "LGE *** ***"),
        ("LGE Müller Jörg", "Mueller^Joerg", "LGE *** ***"),
        ("LGE WEISS", "Weiß^Eva", "LGE ***"),
        ("LGE garcia", "García^Ana", "LGE ***"),
        ("LGE ZZID7", "A^B", "LGE ***"),
        ("LGE a.b SAX", "A^B", "LGE a.b SAX"),
    ],
)
def test_names_in_their_spellings(text, name, shown) -> None:
    assert without_patient(text, name, "ZZID7", "") == shown


@pytest.mark.parametrize(
    "date",
    ["19500201", "1950-02-01", "1950/2/1", "01.02.1950", "1.2.1950", "1.2.50", "01/02/50", "02/01/1950", "01021950",
     "010250", "500201"],
)  # fmt: skip
def test_dates_of_birth_in_their_spellings(date) -> None:
    assert without_patient(f"LGE geb {date} SAX", "", "", "19500201") == "LGE geb *** SAX"


@pytest.mark.parametrize("text", ["LGE 10min TE 1.2", "TI 250 1950201", "series 1195002011"])
def test_other_numbers_stay(text) -> None:
    assert without_patient(text, "", "", "19500201") == text


def test_nothing_that_a_terminal_obeys() -> None:
    assert printable("a\x1b[2J\x07 \u202e\x9b b\n\tc") == "a [2J b c"
    assert shown_uid("1.2.3") == "1.2.3"
    for uid in ("1.2.3\x1b[2J", "", "1" * 65, "1.2.3\n"):
        assert shown_uid(uid) == "(no valid UID)"


def test_the_list_of_series_is_clean(tmp_path, write_series, capsys) -> None:
    def spoil(_k, dataset) -> None:
        dataset.SeriesDescription = "LGE \x1b[31m Li 01.02.1950"
        dataset.PatientName, dataset.PatientBirthDate = "Li^Wei", "19500201"

    for path in write_series(tmp_path / "series", series="1.2.3456789", change=spoil):
        path.write_bytes(path.read_bytes().replace(b"1.2.3456789", b"1.2.3\x1b[2J\x1b["))
    main(["lge", str(tmp_path / "series"), "-v"])
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert "no valid UID" in text and "LGE" in text
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "1950" not in text and " Li " not in text
