"""The tables of the reports for people, in words, from what ``result.json`` holds: the same in HTML and in PDF."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ScarSegECGLib.export.text import number
from ScarSegECGLib.measure.segments import LITTLE_SCAR_ML
from ScarSegECGLib.wording import CORE, ECG_IS_NO_FINDING, GREY, MVO, REST

UNKNOWN = "–"
VERDICTS = {None: UNKNOWN, "agree": "agree", "disagree": "disagree", "ecg cannot tell": "ECG cannot tell"}
_PARTS = (("core", CORE), ("grey_zone", GREY), ("below_grey_zone", REST), ("mvo", MVO))
_MOST_ISLANDS = 8
_LITTLE = "*"
_WHOSE = {"with ECG (investigational)": "with ECG", "corrected by hand": "by hand"}


@dataclass(frozen=True)
class Column:
    """One column: its heading with the unit and what a per cent is of, its width (parts of the whole), its text.

    ``measured`` says that a segment which is not imaged has none; ``whole`` that the text stays on one line.
    """

    heading: str
    width: float
    cell: Callable[[dict[str, Any]], str]
    right: bool = True
    measured: bool = True
    whole: bool = True


@dataclass(frozen=True)
class Table:
    """A table and what has to be said of it; ``right`` and ``whole`` tell of each column what it holds."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    whole: tuple[bool, ...]
    widths: tuple[float, ...]


def parts_table(content: dict[str, Any]) -> Table | None:
    """Core, grey zone, what lies below it and MVO; ``None`` without scar or where nobody looked.

    Parameters
    ----------
    content : dict
        As :func:`ScarSegECGLib.export.result_json.as_json` gives it.
    """
    scar = content["scar"]
    parts, mvo = scar["parts"], scar["mvo"]
    if (parts is None and mvo is None) or scar["with_ecg"]["ml"] == 0:
        return None
    known = parts or {"mvo": mvo, "rule": None, "remark": None}
    apart = known.get("core") is not None
    rows = [_burden_row(name, known[key], apart) for key, name in _PARTS if apart or key == "mvo"]
    if apart:
        rows.append(_burden_row("Together: the scar", scar["with_ecg"], True))
    said = [f"Of the scar {content['method']['scar_shown']}"]
    said += [_sentence(text) for text in (known["rule"], known["remark"]) if text]
    head = ("", "g", "% of LV myocardium", "ml")
    return Table(". ".join(said) + ".", head, tuple(rows), (False, True, True, True), (True,) * 4, (60, 35, 50, 35))


def territory_table(content: dict[str, Any]) -> Table | None:
    """Scar per usual coronary territory; ``None`` where it is not in the result."""
    if not content["territories"]:
        return None
    whose, alone = _which(content)
    columns = (
        Column("Usual territory", 28, lambda row: row["usual_territory"], right=False),
        Column("AHA segments", 46, lambda row: ", ".join(map(str, row["aha_segments"])) or UNKNOWN, right=False),
        Column("Wall, ml", 22, lambda row: number(row["myocardium_ml"], 1, UNKNOWN)),
        *_alone("Scar image only, % of territory", 32, alone),
        Column(f"Scar{whose}, ml", 24, lambda row: number(row["scar_ml"], 1, UNKNOWN)),
        Column(f"Scar{whose}, g", 24, lambda row: number(row["scar_g"], 1, UNKNOWN)),
        Column(f"Scar{whose}, % of territory", 32, lambda row: number(row["scar_percent"], 0, UNKNOWN)),
    )
    caption = (
        f"Sums of segments. Scar: {_how(content)}. Segments: {content['method']['aha']}. About a quarter of infarcted "
        "segments belong to another artery than the usual one."
    )
    return _table(caption, columns, content["territories"])


def pattern_table(content: dict[str, Any]) -> Table | None:
    """Where in the wall each connected piece of scar lies, the largest first; ``None`` without any."""
    islands = content["patterns"]
    if not islands:
        return None
    columns: tuple[Column, ...] = (
        Column("Island", 14, lambda row: str(row["island"])),
        Column("Pattern", 30, lambda row: row["pattern"], right=False),
        Column("Scar, ml", 18, lambda row: number(row["ml"], 1, UNKNOWN)),
        Column("Slices from apex", 22, _slices),
        Column("Scar in inner / middle / outer third, % of it", 40, _coverage),
        Column("Touches the endocardium", 26, lambda row: "yes" if row["touches_endocardium"] else "no", right=False),
    )
    if any(row["remark"] for row in islands[:_MOST_ISLANDS]):
        columns += (Column("Remark", 56, lambda row: row["remark"] or "", right=False, whole=False),)
    left = len(islands) - _MOST_ISLANDS
    more = f" {left} smaller ones, {sum(row['ml'] or 0.0 for row in islands[_MOST_ISLANDS:]):.1f} ml, are not listed."
    caption = f"Connected pieces of the scar {content['method']['scar_shown']}.{more if left > 0 else ''}"
    return _table(caption, columns, islands[:_MOST_ISLANDS])


def segment_table(content: dict[str, Any]) -> Table:
    """The AHA segments."""
    whose, alone = _which(content)

    def depth(row: dict[str, Any]) -> str:
        mean, most = (number(row[f"transmurality_{name}_percent"], 0, UNKNOWN) for name in ("mean", "max"))
        return f"{mean} / {most}{_LITTLE if row['transmurality_max_on_little_scar'] else ''}"

    columns = (
        Column("No.", 8, lambda row: str(row["aha_segment"]), measured=False),
        Column("Segment", 27, lambda row: row["name"], right=False, measured=False),
        Column("Usual territory", 16, lambda row: row["usual_territory"], right=False, measured=False),
        Column("Wall, ml", 10, lambda row: number(row["myocardium_ml"], 1, UNKNOWN)),
        Column("Wall, mm", 10, lambda row: number(row["wall_thickness_mm"], 1, UNKNOWN)),
        *_alone("Scar image only, % of segment volume", 16, alone),
        Column(f"Scar{whose}, % of segment volume", 16, lambda row: number(row["scar_percent"], 0, UNKNOWN)),
        Column(f"Scar{whose}, ml", 12, lambda row: number(row["scar_ml"], 1, UNKNOWN)),
        Column("MVO in it, ml", 11, lambda row: number(row["mvo_ml"], 1, UNKNOWN)),
        Column(f"Transmurality{whose}, mean / max, % of wall thickness", 23, depth),
        Column("Bin of mean, %", 12, lambda row: row["transmurality_bin"] or UNKNOWN),
        Column("ECG alone, % of segment", 17, _estimate, measured=False),
        Column("ECG against image", 18, _verdict, right=False, measured=False),
    )
    other = ' "Image only" is the same method without the ECG.' if alone else ""
    if whose == " by hand":
        other = ' "Image only" is what the method gave without the ECG, before the correction.'
    caption = (
        f"Scar: {_how(content)}. Segments: {content['method']['aha']}.{other} Scar % is of the segment's volume; "
        "transmurality is of the wall's thickness, averaged along the wall, scar-free wall included, and the bin is "
        f"that mean's. {_LITTLE} The maximum rests on less than {LITTLE_SCAR_ML:g} ml of scar. {ECG_IS_NO_FINDING}"
    )
    return _table(caption, columns, content["segments"])


def _table(caption: str, columns: tuple[Column, ...], rows: Iterable[dict[str, Any]]) -> Table:
    return Table(
        caption=caption,
        head=tuple(column.heading for column in columns),
        rows=tuple(tuple(_cell(column, row, columns) for column in columns) for row in rows),
        right=tuple(column.right for column in columns),
        whole=tuple(column.whole for column in columns),
        widths=tuple(column.width for column in columns),
    )


def _cell(column: Column, row: dict[str, Any], columns: tuple[Column, ...]) -> str:
    """Its text; of a segment that is not imaged the widest measured cell says so."""
    if row.get("imaged", True) or not column.measured:
        return column.cell(row)
    return "not imaged" if column is max((one for one in columns if one.measured), key=lambda one: one.width) else ""


def _alone(heading: str, width: float, wanted: bool) -> tuple[Column, ...]:
    """The image-only column, first, where it differs from the other one."""
    if not wanted:
        return ()
    return (Column(heading, width, lambda row: number(row["scar_percent_image_only"], 0, UNKNOWN)),)


def _which(content: dict[str, Any]) -> tuple[str, bool]:
    """What a heading says of the scar that is shown (" with ECG", " by hand", ""), and whether image-only differs."""
    whose = _WHOSE.get(content["method"]["scar_shown"], "")
    return f" {whose}" if whose else "", bool(whose)


def _how(content: dict[str, Any]) -> str:
    method, shown = content["method"]["scar"].rstrip("."), content["method"]["scar_shown"]
    return method if shown in method else f"{method}; {shown}"


def _burden_row(name: str, burden: dict[str, Any] | None, apart: bool) -> tuple[str, ...]:
    if burden is None:  # no room between its two limits says nothing of the tissue
        return name, "not determinable" if apart else UNKNOWN, "", ""
    return name, *(number(burden[key], 1, UNKNOWN) for key in ("g", "percent_of_lv", "ml"))


def _slices(row: dict[str, Any]) -> str:
    first, last = row["slices_from_apex"]
    return f"{first} to {last}" if last > first else f"{first}"


def _coverage(row: dict[str, Any]) -> str:
    shares = row["coverage_inner_middle_outer"]
    return " / ".join(UNKNOWN if share is None else number(100 * share, 0) for share in shares)


def _estimate(row: dict[str, Any]) -> str:
    return number(row["ecg_scar_percent"] if row["imaged"] else None, 0, UNKNOWN)


def _verdict(row: dict[str, Any]) -> str:
    return VERDICTS[row["ecg_agreement"]].removeprefix("ECG ")  # which the heading says


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}"
