"""Assemble panels, captions and legend into one page of slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.view.legend import PURPOSE_ROOM, Key, flow, key_rows, purpose_line
from ScarSegECGLib.view.palette import INK, MUTED
from ScarSegECGLib.view.panels import PAGE_WIDTH, Frame, caption, frame_for, levels, orientation_marks, sheet_for
from ScarSegECGLib.view.shapes import Box, Drawing, Label, Shape, wrap, wrapped

Painter = Callable[[Frame, int, Box], Sequence[Shape]]
"""Draws one panel: the frame, the slice's index (0 = apex) and the panel's box."""

_MARGIN, _TEXT, _TITLE, _SUBTITLE = 2.0, 3.0, 3.9, 3.2


def slice_sheet(
    stack: LgeStack,
    anatomy: Anatomy,
    painters: Sequence[tuple[str, Painter]],
    keys: Sequence[Key],
    *,
    title: str,
    field_mm: float,
    subtitle: str = "",
    page_width: float = PAGE_WIDTH,
    bar: Callable[[float, float], Sequence[Shape]] | None = None,
) -> Drawing:
    """Lay out every slice, apex first, with one panel per painter.

    Parameters
    ----------
    stack, anatomy
        On the same grid.
    painters : sequence of (words, painter)
        Panels of each slice from left to right; the words name them in the footer.
    keys : sequence of Key
        The legend.
    title : str
    field_mm : float
        Side of the square shown, mm.
    subtitle : str
        Smaller, below the title; each of its lines is wrapped.
    page_width : float
        Width for the panels, mm. Less than an A4 page's gives fewer columns, on a sheet as long as it needs.
    bar : callable, optional
        Draws a colour bar, given its centre x and its top (mm); 9 mm high.

    Raises
    ------
    InputError
        When stack and anatomy are not on the same grid.
    """
    if anatomy.aha.shape != stack.voxels.shape:
        raise InputError(
            f"The anatomy's grid {anatomy.aha.shape} is not the image's {stack.voxels.shape}: find it anew"
        )
    count = len(stack.voxels)
    sheet, frame = sheet_for(count, len(painters), width=page_width), frame_for(stack, anatomy, field_mm)
    width = max(sheet.width, min(page_width, 120.0)) + 2 * _MARGIN
    rows = flow(keys, width - 2 * _MARGIN)
    heading = [
        Label(0.0, 0.0, line, _TITLE, INK, bold=True) for line in wrap(title, width - 2 * _MARGIN, _TITLE, bold=True)
    ]
    heading += [Label(0.0, 0.0, line, _SUBTITLE, MUTED) for line in wrapped(subtitle, width - 2 * _MARGIN, _SUBTITLE)]
    side = "anterior up, septum left"
    if not stack.orientation_known:
        side = f"orientation assumed: {side}"
    elif any("may not hold the true pose" in note for note in stack.notes):
        side = f"orientation unconfirmed: {side}"
    names = " | ".join(words for words, _ in painters)
    foot = wrap(f"Slice 1 is the apex; {side}. Panels: {names}.", width - 2 * _MARGIN, _TEXT)
    below = 2.0 + PURPOSE_ROOM + 4.6 * len(foot) + 4.8 * len(rows) + (10.0 if bar else 0.0)
    height = below + sheet.height + (2.0 + 5.2 * len(heading) if heading else 0.0) + 1.0
    left, top = (width - sheet.width) / 2, below + sheet.height

    shapes: list[Shape] = []
    for index, level in enumerate(levels(anatomy)):
        shapes.append(caption(index, level, sheet.box(index, 0, left, top)))
        for which, (_, painter) in enumerate(painters):
            box = sheet.box(index, which, left, top)
            shapes += painter(frame, index, box)
            if index == 0 and which == 0:
                shapes += orientation_marks(frame, box)
    middle = width / 2
    shapes += [replace(line, x=middle, y=height - 3.6 - 5.2 * i) for i, line in enumerate(heading)]
    y = below - 3.6
    if bar is not None:
        shapes += bar(middle, y + 1.0)
        y -= 10.0
    shapes += key_rows(rows, middle, y)
    y -= 4.8 * len(rows)
    shapes += [Label(middle, y - 4.6 * i, line, _TEXT, MUTED) for i, line in enumerate(foot)]
    shapes.append(purpose_line(middle))
    return Drawing(
        width, height, tuple(shapes), "slice", ", ".join(filter(None, (title, *subtitle.split("\n")))) or "Slices"
    )
