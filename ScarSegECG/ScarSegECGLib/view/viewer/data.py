"""What ``viewer.js`` shows of one result, as plain data."""

from __future__ import annotations

import base64
import io
from importlib import resources
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.image import imsave
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from ScarSegECGLib.case import PART_MVO, SCAR, ScarResult
from ScarSegECGLib.measure.islands import SMALLEST_ISLAND_ML, drop_small_islands
from ScarSegECGLib.view.contours import outlines
from ScarSegECGLib.view.palette import colour_of
from ScarSegECGLib.view.panels import FIELD_MM, Frame, frame_for, levels

UNITS = 1000
"""Width of a slice in the units of its outlines."""
_PIXELS = 288
_SHADES = 21
# Less scar, more scar: lightness falls alike to both sides, so that they are told apart by hue and read in grey.
_CHANGE = LinearSegmentedColormap.from_list(
    "change", ("#174a94", "#3f86cf", "#a3cbec", "#f7f7f5", "#fbbf85", "#e17d24", "#983f05")
)
_LEAST_END = 0.05


def viewer_data(result: ScarResult, scar_image_only: NDArray[np.bool_] | None = None) -> dict[str, Any]:
    """Slices, outlines and segments of one result.

    Parameters
    ----------
    result : ScarResult
    scar_image_only : bool array, shape (slice, row, column), optional
        The scar without the ECG, where the ECG counted.

    Returns
    -------
    dict
        ``units`` and ``field_mm`` of the square that is shown, centred on the LV; ``slices``, apex first, each with
        its ``level``, its image and the ECG's ``influence`` (PNG as data URI, ``None`` where nothing changed) and SVG
        paths of ``endo``, ``epi``, ``scar``, ``alone`` (scar without the ECG) and ``mvo``; ``segments`` with number,
        name, per cent of scar with and without the ECG, the ECG's own estimate, verdict, mean transmurality and the
        ``slice`` (from 1) that shows most of it; ``shades``: the colour of 0, 5, ... 100 %; ``influence_end``: the
        change in probability at the end of its colour scale; ``first``: the slice with most scar.
    """
    frame = frame_for(result.stack, result.anatomy)
    heard = result.ecg_use.amplitude > 0
    scar = result.labels == SCAR
    alone = scar if scar_image_only is None else scar_image_only
    change = result.scar_probability - result.scar_probability_image_only if heard else None
    end = 0.0 if change is None else _scale_end(change)
    named = levels(result.anatomy)
    return {
        "units": UNITS,
        "field_mm": FIELD_MM,
        "with_ecg": heard,
        "influence_end": end,
        "slices": [
            {
                "level": named[k],
                "grey": _grey(frame, result.stack.voxels[k]),
                "influence": None if change is None else _influence(frame, change[k], end),
                **_outlines(frame, result, k, scar[k], alone[k]),
            }
            for k in range(len(scar))
        ],
        "segments": _segments(result, scar),
        "shades": [_code(colour_of(value, 0, 100)) for value in np.linspace(0, 100, _SHADES)],
        "first": int(np.argmax(scar.sum(axis=(1, 2)))) + 1 if scar.any() else len(scar) // 2 + 1,
    }


def result_data(result: ScarResult) -> dict[str, Any]:
    """:func:`viewer_data` with the networks' scar of the images alone, as the pipeline tells it."""
    if result.ecg_use.amplitude == 0:
        return viewer_data(result)
    mask = result.scar_probability_image_only > result.method.above
    return viewer_data(result, drop_small_islands(mask, result.stack.spacing, minimum_ml=SMALLEST_ISLAND_ML))


def viewer_file(name: str) -> str:
    """``viewer.js`` or ``viewer.css``."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def thumbnail(result: ScarResult, pixels: int = 96) -> bytes:
    """PNG of the slice with most scar, the scar tinted."""
    frame, scar = frame_for(result.stack, result.anatomy), result.labels == SCAR
    k = int(np.argmax(scar.sum(axis=(1, 2)))) if scar.any() else len(scar) // 2
    grey = np.repeat(_levelled(frame, result.stack.voxels[k])[..., None], 3, axis=2)
    inside = _crop(frame, scar[k], 1) >= 0.5
    edge = inside & ~(np.roll(inside, 2, 0) & np.roll(inside, -2, 0) & np.roll(inside, 2, 1) & np.roll(inside, -2, 1))
    tint = np.array(colour_of(35, 0, 100), np.float32)
    grey[inside] = 0.6 * grey[inside] + 0.4 * tint
    grey[edge] = tint
    edge_px = _PIXELS // 6  # the middle two thirds: 80 mm
    grey = grey[edge_px:-edge_px, edge_px:-edge_px]
    step = max(1, len(grey) // pixels)
    return _png(grey[: pixels * step, : pixels * step].reshape(pixels, step, pixels, step, 3).mean(axis=(1, 3)))


def _scale_end(change: NDArray) -> float:
    """The largest change, rounded up to 0.05."""
    return max(_LEAST_END, float(np.ceil(round(float(np.abs(change).max(initial=0.0)) * 20, 4)) / 20))


def _crop(frame: Frame, plane: NDArray, order: int) -> NDArray[np.float32]:
    """The framed square of a slice, resampled; the image's own edge value is never repeated outside it."""
    mm = ((np.arange(_PIXELS) + 0.5) / _PIXELS - 0.5) * FIELD_MM
    grid = np.meshgrid(*((c + mm) / s for c, s in zip(frame.centre, frame.spacing, strict=True)), indexing="ij")
    return map_coordinates(np.asarray(plane, np.float32), grid, order=order, cval=float(np.min(plane)))


def _levelled(frame: Frame, plane: NDArray) -> NDArray[np.float32]:
    low, high = frame.window
    return np.clip((_crop(frame, plane, 3) - low) / (high - low), 0.0, 1.0).astype(np.float32)


def _grey(frame: Frame, plane: NDArray) -> str:
    return _uri(_png(np.repeat(_levelled(frame, plane)[..., None], 3, axis=2)))


def _influence(frame: Frame, change: NDArray, end: float) -> str | None:
    crop = _crop(frame, change, 1)
    strength = np.clip(np.abs(crop) / end, 0.0, 1.0)
    alpha = np.where(strength > 0.02, np.sqrt(strength), 0.0)
    if not alpha.any():
        return None
    colours = _CHANGE((np.clip(crop / end, -1.0, 1.0) + 1) / 2)[..., :3]
    return _uri(_png(np.dstack([colours, alpha])))


def _outlines(
    frame: Frame, result: ScarResult, k: int, scar: NDArray[np.bool_], alone: NDArray[np.bool_]
) -> dict[str, str]:
    cavity, wall = result.anatomy.cavity[k], result.anatomy.myocardium[k]
    mvo = result.parts.labels[k] == PART_MVO if result.parts is not None else np.zeros_like(wall)
    return {
        "endo": _path(frame, cavity),
        "epi": _path(frame, cavity | wall),
        "scar": _path(frame, scar),
        "alone": _path(frame, alone) if alone is not scar else "",
        "mvo": _path(frame, mvo, smoothing=0.0),
    }


def _path(frame: Frame, mask: NDArray[np.bool_], smoothing: float = 1.2) -> str:
    """The mask's outlines as an SVG path in :data:`UNITS`, y downwards."""
    loops = []
    for loop in outlines(mask, smoothing):
        mm = (np.asarray(loop) * frame.spacing - frame.centre)[:, ::-1] + FIELD_MM / 2
        at = np.rint(np.clip(mm / FIELD_MM, 0, 1) * UNITS).astype(int)
        loops.append("M" + "L".join(f"{x} {y}" for x, y in at) + "Z")
    return "".join(loops)


def _segments(result: ScarResult, scar: NDArray[np.bool_]) -> list[dict[str, Any]]:
    aha = result.anatomy.aha
    heard = result.ecg_use.amplitude > 0
    told = []
    for row in result.segments:
        inside = aha == row.number
        shown = (inside & scar).sum(axis=(1, 2))
        shown = shown if shown.any() else inside.sum(axis=(1, 2))
        told.append(
            {
                "number": row.number,
                "name": row.name,
                "imaged": row.imaged,
                "scar": row.scar_percent,
                "alone": row.scar_percent_image_only,
                "ecg": row.ecg_percent if heard else None,
                "verdict": row.agreement if heard else None,
                "transmurality": row.transmurality_mean_percent,
                "slice": int(np.argmax(shown)) + 1 if shown.any() else None,
            }
        )
    return told


def _png(pixels: NDArray) -> bytes:
    buffer = io.BytesIO()
    imsave(buffer, np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8), format="png")
    return buffer.getvalue()


def _uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def _code(colour: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colour)
