"""The tables of a report, from the result itself."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, Burden, IslandPattern, ScarResult, SegmentRow
from ScarSegECGLib.facts import Shown
from ScarSegECGLib.facts_ecg import Agreement
from ScarSegECGLib.measure.segments import TerritoryRow, rests_on_little, territory_table
from ScarSegECGLib.report.blocks import UNKNOWN, Table
from ScarSegECGLib.report.captions import LITTLE_SCAR, SMALL_SIGN
from ScarSegECGLib.report.plain import number
from ScarSegECGLib.wording import CORE, ECG_IS_NO_FINDING, GREY, MVO, REST, words

_MOST_ISLANDS = 8
_told = partial(number, unknown=UNKNOWN)
_WHOSE = {Shown.WITH_ECG: " with ECG", Shown.BY_HAND: " by hand", Shown.IMAGE_ONLY: ""}


def added_ml(result: ScarResult) -> float | None:
    """What the ECG added to the images' scar; ``None`` for scar of a rule or a reader."""
    return result.scar.ml - result.scar_image_only.ml if result.shown is Shown.WITH_ECG else None


def burdens(result: ScarResult) -> tuple[tuple[str, Burden], ...]:
    """How much scar, with its name, the primary first: what a reader corrected, the images alone, what the ECG adds."""
    if result.method.corrected:
        return ("Corrected by hand", result.scar), ("Before, image only", result.scar_image_only)
    if not result.method.by_network:
        return (("Scar", result.scar),)
    if result.shown is Shown.IMAGE_ONLY:
        return (("Image only", result.scar),)
    added = f"With ECG (investigational): {number(added_ml(result), 1)} ml added"
    return ("Image only", result.scar_image_only), (added, result.scar)


def burden_table(named: Iterable[tuple[str, Burden | None]], caption: str = "", *, large: bool = False) -> Table:
    """How much there is of each, by its name; of ``None`` that it cannot be told."""

    def line(name: str, burden: Burden | None) -> dict[str, str]:
        figures = ["not determinable", "", ""]  # no room between its two limits says nothing of the tissue
        if burden is not None:
            figures = [f"{value:.1f}" for value in (burden.grams, burden.percent_of_lv, burden.ml)]
        headings = "", "Scar mass, g", "% of LV myocardium", "Scar volume, ml"
        return dict(zip(headings, (name, *figures), strict=True))

    return Table.of(caption, (line(*pair) for pair in named), large=large)


def parts_table(result: ScarResult) -> Table | None:
    """Core, grey zone, what lies below it and MVO; ``None`` without scar or where nobody looked."""
    parts = result.parts
    if parts is None or result.scar.ml == 0:
        return None
    said = [f"Of the scar {words(result.shown)}", *filter(None, (words(parts.rule), words(parts.remark)))]
    caption = ". ".join(sentence(text) for text in said) + "."
    named: list[tuple[str, Burden | None]] = [(MVO, parts.mvo)]
    if parts.core is not None:
        named = [(CORE, parts.core), (GREY, parts.grey), (REST, parts.rest), *named]
        named.append(("Together: the scar", result.scar))
    return burden_table(named, caption)


def territories_table(result: ScarResult) -> Table:
    """Scar per usual coronary territory."""
    whose = _WHOSE[result.shown]

    def line(row: TerritoryRow) -> dict[str, str]:
        return {
            "Usual territory": row.name,
            "AHA segments": ", ".join(map(str, row.segments)) or UNKNOWN,
            "Wall, ml": _told(row.myocardium_ml, 1),
            **_image_only("Scar image only, % of territory", row, result),
            f"Scar{whose}, ml": _told(row.scar_ml, 1),
            f"Scar{whose}, g": _told(row.scar_grams, 1),
            f"Scar{whose}, % of territory": _told(row.scar_percent, 0),
        }

    caption = "Sums of segments. About a quarter of infarcted segments belong to another artery than the usual one."
    return Table.of(caption, map(line, territory_table(result.segments)))


def patterns_table(result: ScarResult) -> Table | None:
    """Where in the wall each connected piece of scar lies, the largest first; ``None`` without any."""
    listed, left = result.patterns[:_MOST_ISLANDS], result.patterns[_MOST_ISLANDS:]
    if not listed:
        return None

    def line(row: IslandPattern) -> dict[str, str]:
        told = {
            "Island": str(row.number),
            "Pattern": words(row.pattern),
            "Scar, ml": _told(row.ml, 1),
            "Slices from apex": " to ".join(dict.fromkeys(str(k + 1) for k in row.slices)),
            "Scar in inner / middle / outer third, % of it": " / ".join(_told(100 * one, 0) for one in row.coverage),
            "Touches the endocardium": "yes" if row.touches_endocardium else "no",
        }
        return told | ({"Remark": words(row.remark)} if any(row.remark for row in listed) else {})

    more = f" {len(left)} smaller ones, {sum(row.ml for row in left):.1f} ml, are not listed." if left else ""
    return Table.of(f"Connected pieces of the scar {words(result.shown)}.{more}", map(line, listed))


def segments_table(result: ScarResult) -> Table:
    whose = _WHOSE[result.shown]

    def line(row: SegmentRow) -> dict[str, str]:
        depth = f"Transmurality{whose}, mean / max, % of wall thickness"
        mean, most = _told(row.transmurality_mean_percent, 0), _told(row.transmurality_max_percent, 0)
        measured = {
            "Wall, ml": _told(row.myocardium_ml, 1),
            "Wall, mm": _told(row.wall_thickness_mm, 1),
            **_image_only("Scar image only, % of segment volume", row, result),
            f"Scar{whose}, % of segment volume": _told(row.scar_percent, 0),
            f"Scar{whose}, ml": _told(row.scar_ml, 1),
            "MVO in it, ml": _told(row.mvo_ml, 1),
            depth: f"{mean} / {most}{SMALL_SIGN if rests_on_little(row) else ''}",
            "Bin of mean, %": row.transmurality_bin or UNKNOWN,
        }
        if not row.imaged:
            measured = dict.fromkeys(measured, "") | {depth: "not imaged"}
        verdict = words(row.agreement) or UNKNOWN
        if row.agreement is Agreement.CANNOT_TELL:
            verdict = "cannot tell"  # the heading says that it is the ECG
        return {
            **{"No.": str(row.number), "Segment": row.name, "Usual territory": row.territory},
            **measured,
            "ECG alone, % of segment": _told(row.ecg_percent, 0),
            "ECG against image": verdict,
        }

    other = {
        Shown.WITH_ECG: '"Image only" is the same method without the ECG. ',
        Shown.BY_HAND: '"Image only" is what the method gave without the ECG, before the correction. ',
        Shown.IMAGE_ONLY: "",
    }[result.shown]
    caption = (
        f"{other}Scar % is of the segment's volume; transmurality is of the wall's thickness, averaged along the wall, "
        f"scar-free wall included, and the bin is that mean's. {SMALL_SIGN} {LITTLE_SCAR} {ECG_IS_NO_FINDING}"
    )
    return Table.of(caption, map(line, result.segments))


def segment_cells(row: SegmentRow) -> dict[str, str]:
    """A segment's line in a file of segments, by column; units stand in their names, and "" is "not known".

    The parts of the scar add up to it where all are known. The bin's percent sign keeps it from being read as a date.
    """
    depth = row.transmurality_bin.strip()
    return {
        "aha_segment": str(row.number),
        "name": row.name,
        "usual_territory": row.territory,
        "imaged": "yes" if row.imaged else "no",
        "myocardium_ml": number(row.myocardium_ml, 3),
        "scar_ml": number(row.scar_ml, 3),
        "scar_g": number(row.scar_ml * MYOCARDIAL_DENSITY_G_PER_ML, 3),
        "mvo_ml": number(row.mvo_ml, 3),
        "core_ml": number(row.core_ml, 3),
        "grey_zone_ml": number(row.grey_ml, 3),
        "below_grey_zone_ml": number(row.rest_ml, 3),
        "scar_percent_of_segment": number(row.scar_percent, 2),
        "transmurality_mean_percent": number(row.transmurality_mean_percent, 2),
        "transmurality_max_percent": number(row.transmurality_max_percent, 2),
        "transmurality_max_on_little_scar": ("yes" if rests_on_little(row) else "no") if row.imaged else "",
        "transmurality_bin_percent": f"{depth} %" if depth[-1:].isdigit() else depth,
        "wall_thickness_mm": number(row.wall_thickness_mm, 2),
    }


def sentence(text: str) -> str:
    """With a capital and without the full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}"


def _image_only(heading: str, row: SegmentRow | TerritoryRow, result: ScarResult) -> dict[str, str]:
    """The image-only cell, first, where it differs from the other one."""
    return {} if result.shown is Shown.IMAGE_ONLY else {heading: _told(row.scar_percent_image_only, 0)}
