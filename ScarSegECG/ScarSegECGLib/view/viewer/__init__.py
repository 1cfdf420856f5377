"""A result to walk through in a browser: every slice with what was found over it, and both bullseyes."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from importlib import resources
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.image import imsave
from numpy.typing import NDArray

from ScarSegECGLib.case import PART_MVO, SCAR, ScarResult, SegmentRow
from ScarSegECGLib.measure.trust import image_only_scar
from ScarSegECGLib.view.paint import to_png
from ScarSegECGLib.view.palette import colour_of
from ScarSegECGLib.view.panels import FIELD_MM, Frame, frame_for, levels
from ScarSegECGLib.view.shapes import Drawing, Mark, RasterImage, Stroke

UNITS = 1000  # width of a slice in its outlines
# Less scar, more scar: lightness falls alike to both sides, so that they are told apart by hue and read in grey.
_CHANGE = LinearSegmentedColormap.from_list(
    "change", ("#174a94", "#3f86cf", "#a3cbec", "#f7f7f5", "#fbbf85", "#e17d24", "#983f05")
)
_LEAST_END, _THUMBNAIL_MM = 0.05, 80.0


def viewer_file(name: str) -> str:
    """A file of the viewer: ``viewer.js``, ``viewer.css``, and ``begin.js``, which starts it in a page of its own."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def viewer_block(data: dict[str, Any]) -> tuple[str, str]:
    """HTML that shows what :func:`result_data` gives, for a page that allows inline styles and one script, and the hash
    by which a content security policy names that script. Hidden in print.
    """
    told = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    script = f"{viewer_file('viewer.js')}\n{viewer_file('begin.js')}"
    html = (
        f"<style>{viewer_file('viewer.css')}</style>"
        '<section class="viewer"><h2>Slices to walk through</h2><div id="scar-viewer"></div></section>'
        f'<script type="application/json" id="scar-viewer-data">{told}</script>'
        f"<script>{script}</script>"
    )
    return html, f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def result_data(result: ScarResult) -> dict[str, Any]:
    """Slices, outlines and segments of one result, as the viewer's script takes them.

    ``units`` and ``field_mm`` of the square that is shown, centred on the LV; ``slices``, apex first, each with its
    ``level``, its image and the ECG's ``influence`` (PNG as data URI, ``None`` where nothing changed) and SVG paths of
    ``endo``, ``epi``, ``scar``, ``alone`` (scar without the ECG) and ``mvo``; ``segments`` with the ``slice`` (from 1)
    that shows most of each; ``shades``: the colour of 0, 5, ... 100 %; ``influence_end``: the largest change in
    probability, rounded up to 0.05, where its colour scale ends; ``first``: the slice with most scar.
    """
    heard = result.ecg_use.amplitude > 0
    change = heard * (result.scar_probability - result.scar_probability_image_only)
    end = max(_LEAST_END, float(np.ceil(round(20 * float(np.abs(change).max(initial=0.0)), 4)) / 20))
    return {
        "units": UNITS,
        "field_mm": FIELD_MM,
        "with_ecg": heard,
        "influence_end": end,
        "slices": _slices(result, change / end, heard),
        "segments": [_segment(result, row, heard) for row in result.segments],
        "shades": [to_hex(colour_of(percent, 0, 100)) for percent in range(0, 101, 5)],
        "first": _fullest(result.labels == SCAR) + 1,
    }


def thumbnail(result: ScarResult) -> bytes:
    """PNG of the slice with most scar, the scar tinted: the middle 80 mm of what the viewer shows."""
    frame, scar = frame_for(result.stack, result.anatomy), result.labels == SCAR
    k, margin = _fullest(scar), (FIELD_MM - _THUMBNAIL_MM) / 2
    box = (-margin, -margin, FIELD_MM - margin, FIELD_MM - margin)
    colour = colour_of(35, 0, 100)
    tint = Mark(frame.outline(scar[k], box), colour, 0.4, Stroke(colour, 1.6))
    shapes = RasterImage(box, frame.grey(result.stack.voxels[k])), tint
    return to_png(Drawing(_THUMBNAIL_MM, _THUMBNAIL_MM, shapes), width_px=96)


def _fullest(scar: NDArray[np.bool_]) -> int:
    return int(np.argmax(scar.sum(axis=(1, 2)))) if scar.any() else len(scar) // 2


def _slices(result: ScarResult, change: NDArray, heard: bool) -> list[dict[str, Any]]:
    stack, anatomy = result.stack, result.anatomy
    frame = frame_for(stack, anatomy)
    layers = {
        "endo": anatomy.cavity,
        "epi": anatomy.cavity | anatomy.myocardium,
        "scar": result.labels == SCAR,
        "alone": image_only_scar(result) if heard else np.zeros(result.labels.shape, bool),
    }
    parts = np.zeros(result.labels.shape) if result.parts is None else result.parts.labels
    return [
        {
            "level": level,
            "grey": _uri(frame.grey(stack.voxels[k])),
            "influence": _influence(frame.crop(change[k], 1)),
            **{name: _path(frame, mask[k]) for name, mask in layers.items()},
            "mvo": _path(frame, parts[k] == PART_MVO, smoothing=0.0),
        }
        for k, level in enumerate(levels(anatomy))
    ]


def _influence(share: NDArray) -> str | None:
    """A picture of the change in parts of its scale's end, the clearer the less of it."""
    strength = np.clip(np.abs(share), 0.0, 1.0)
    alpha = np.where(strength > 0.02, np.sqrt(strength), 0.0)
    return _uri(_CHANGE((share + 1) / 2, alpha, bytes=True)) if alpha.any() else None


def _path(frame: Frame, mask: NDArray[np.bool_], smoothing: float = 1.2) -> str:
    """The mask's outlines as an SVG path in :data:`UNITS`, y downwards."""
    outline = frame.outline(mask, (0, 0, UNITS, UNITS), smoothing)
    loops = (np.rint(np.asarray(loop)[:-1]).astype(int) for loop in outline.to_polygons(closed_only=False))
    return "".join("M" + "L".join(f"{x} {UNITS - y}" for x, y in loop) + "Z" for loop in loops)


def _segment(result: ScarResult, row: SegmentRow, heard: bool) -> dict[str, Any]:
    inside = result.anatomy.aha == row.number
    scarred = inside & (result.labels == SCAR)
    shown = scarred if scarred.any() else inside
    return {
        "number": row.number,
        "name": row.name,
        "imaged": row.imaged,
        "scar": row.scar_percent,
        "alone": row.scar_percent_image_only,
        "ecg": row.ecg_percent if heard else None,
        "verdict": row.agreement if heard else None,
        "transmurality": row.transmurality_mean_percent,
        "slice": _fullest(shown) + 1 if shown.any() else None,
    }


def _uri(pixels: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
