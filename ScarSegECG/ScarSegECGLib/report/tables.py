"""The tables of a report, from the result itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ScarSegECGLib.case import MYOCARDIAL_DENSITY_G_PER_ML, Burden, IslandPattern, ScarResult, SegmentRow
from ScarSegECGLib.facts import Shown
from ScarSegECGLib.facts_ecg import Agreement
from ScarSegECGLib.measure.segments import rests_on_little, territory_table
from ScarSegECGLib.report.blocks import UNKNOWN, Column, Table, table_of
from ScarSegECGLib.report.captions import LITTLE_SCAR, SMALL_SIGN
from ScarSegECGLib.report.numbers import number
from ScarSegECGLib.wording import CORE, ECG_IS_NO_FINDING, GREY, MVO, REST, words

_MOST_ISLANDS = 8
_WHOSE = {Shown.WITH_ECG: " with ECG", Shown.BY_HAND: " by hand", Shown.IMAGE_ONLY: ""}


def added_ml(result: ScarResult) -> float | None:
    """What the ECG added to the images' scar; ``None`` for scar of a rule or a reader."""
    return result.scar.ml - result.scar_image_only.ml if result.shown is Shown.WITH_ECG else None


def burdens(result: ScarResult) -> tuple[tuple[str, Burden], ...]:
    """How much scar, the primary figure first, each with its name.

    The images alone come before what the ECG adds, and what a reader corrected before both.
    """
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

    def cells(burden: Burden | None) -> tuple[str, ...]:
        if burden is None:  # no room between its two limits says nothing of the tissue
            return "not determinable", "", ""
        return tuple(number(value, 1, UNKNOWN) for value in (burden.grams, burden.percent_of_lv, burden.ml))

    figures = Column("Scar mass, g", 33), Column("% of LV myocardium", 48), Column("Scar volume, ml", 33)
    rows = tuple((name, *cells(burden)) for name, burden in named)
    return Table(caption, (Column("", 66, right=False), *figures), rows, large)


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
    columns = (
        Column("Usual territory", 28, lambda row: row.name, right=False),
        Column("AHA segments", 46, lambda row: ", ".join(map(str, row.segments)) or UNKNOWN, right=False),
        Column("Wall, ml", 22, _figure("myocardium_ml", 1)),
        *_image_only("Scar image only, % of territory", 32, result),
        Column(f"Scar{whose}, ml", 24, _figure("scar_ml", 1)),
        Column(f"Scar{whose}, g", 24, _figure("scar_grams", 1)),
        Column(f"Scar{whose}, % of territory", 32, _figure("scar_percent", 0)),
    )
    caption = "Sums of segments. About a quarter of infarcted segments belong to another artery than the usual one."
    return table_of(caption, columns, territory_table(result.segments))


def patterns_table(result: ScarResult) -> Table | None:
    """Where in the wall each connected piece of scar lies, the largest first; ``None`` without any."""
    listed, left = result.patterns[:_MOST_ISLANDS], result.patterns[_MOST_ISLANDS:]
    if not listed:
        return None

    def slices(row: IslandPattern) -> str:
        first, last = (k + 1 for k in row.slices)
        return f"{first} to {last}" if last > first else f"{first}"

    def thirds(row: IslandPattern) -> str:
        return " / ".join(number(100 * share, 0, UNKNOWN) for share in row.coverage)

    columns = [
        Column("Island", 14, lambda row: str(row.number)),
        Column("Pattern", 30, lambda row: words(row.pattern), right=False),
        Column("Scar, ml", 18, _figure("ml", 1)),
        Column("Slices from apex", 22, slices),
        Column("Scar in inner / middle / outer third, % of it", 40, thirds),
        Column("Touches the endocardium", 26, lambda row: "yes" if row.touches_endocardium else "no", right=False),
    ]
    if any(row.remark for row in listed):
        columns.append(Column("Remark", 56, lambda row: words(row.remark), right=False, whole=False))
    more = f" {len(left)} smaller ones, {sum(row.ml for row in left):.1f} ml, are not listed." if left else ""
    return table_of(f"Connected pieces of the scar {words(result.shown)}.{more}", columns, listed)


def segments_table(result: ScarResult) -> Table:
    """The AHA segments."""
    whose = _WHOSE[result.shown]

    def depth(row: SegmentRow) -> str:
        mean, most = row.transmurality_mean_percent, row.transmurality_max_percent
        return f"{number(mean, 0, UNKNOWN)} / {number(most, 0, UNKNOWN)}{SMALL_SIGN if rests_on_little(row) else ''}"

    def estimate(row: SegmentRow) -> str:
        return number(row.ecg_percent if row.imaged else None, 0, UNKNOWN)

    def verdict(row: SegmentRow) -> str:
        if row.agreement is Agreement.CANNOT_TELL:
            return "cannot tell"  # the heading says that it is the ECG
        return words(row.agreement) or UNKNOWN

    columns = (
        Column("No.", 8, lambda row: str(row.number), measured=False),
        Column("Segment", 27, lambda row: row.name, right=False, measured=False),
        Column("Usual territory", 16, lambda row: row.territory, right=False, measured=False),
        Column("Wall, ml", 10, _figure("myocardium_ml", 1)),
        Column("Wall, mm", 10, _figure("wall_thickness_mm", 1)),
        *_image_only("Scar image only, % of segment volume", 16, result),
        Column(f"Scar{whose}, % of segment volume", 16, _figure("scar_percent", 0)),
        Column(f"Scar{whose}, ml", 12, _figure("scar_ml", 1)),
        Column("MVO in it, ml", 11, _figure("mvo_ml", 1)),
        Column(f"Transmurality{whose}, mean / max, % of wall thickness", 23, depth),
        Column("Bin of mean, %", 12, lambda row: row.transmurality_bin or UNKNOWN),
        Column("ECG alone, % of segment", 17, estimate, measured=False),
        Column("ECG against image", 18, verdict, right=False, measured=False),
    )
    other = {
        Shown.WITH_ECG: '"Image only" is the same method without the ECG. ',
        Shown.BY_HAND: '"Image only" is what the method gave without the ECG, before the correction. ',
        Shown.IMAGE_ONLY: "",
    }[result.shown]
    caption = (
        f"{other}Scar % is of the segment's volume; transmurality is of the wall's thickness, averaged along the wall, "
        f"scar-free wall included, and the bin is that mean's. {SMALL_SIGN} {LITTLE_SCAR} {ECG_IS_NO_FINDING}"
    )
    return table_of(caption, columns, result.segments)


def segment_cells(row: SegmentRow) -> dict[str, str]:
    """A segment's line in a file of segments, by column; units stand in their names, and "" is "not known".

    The parts of the scar add up to it where all are known. The bin carries a percent sign so that a spreadsheet does
    not read "1-25" as a date.
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


def _figure(name: str, decimals: int) -> Callable[[Any], str]:
    """The cell that tells a number of a row."""
    return lambda row: number(getattr(row, name), decimals, UNKNOWN)


def _image_only(heading: str, width: float, result: ScarResult) -> tuple[Column, ...]:
    """The image-only column, first, where it differs from the other one."""
    if result.shown is Shown.IMAGE_ONLY:
        return ()
    return (Column(heading, width, _figure("scar_percent_image_only", 0)),)
