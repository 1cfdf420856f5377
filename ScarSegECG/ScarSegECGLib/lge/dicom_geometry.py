"""From a stack's images to their order and their matrix, where they lie evenly spaced in short axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import RAS_LPS
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.lge.checks import check_size, check_slices
from ScarSegECGLib.lge.dicom_frames import Frame
from ScarSegECGLib.lge.dicom_tags import vector_of
from ScarSegECGLib.lge.orientation import SHORT_AXIS_LIMIT_DEG, short_axis_angle_deg

ORIENTATION_TOLERANCE_DEG = 1.0
_SPACING_TOLERANCE = 0.10
_OFF_LINE_MM = 1.0


def stack_pose(frames: Sequence[Frame]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Order and matrix of images that form one evenly spaced short-axis stack.

    The order sorts the images along their normal (row x column direction). The matrix, shape (4, 4), takes (column,
    row, slice, 1) of the sorted stack to patient space, RAS, mm. Images that form none (too few, no position, not
    parallel, not short axis, gaps, doubles, colour, two patients) are refused by an :class:`InputError`.
    """
    check_slices(len(frames), "series")
    _check_one_patient(frames)
    _check_pixels(frames)
    orientations = np.array([frame.orientation for frame in frames])
    positions = np.array([frame.position for frame in frames])
    spacings = np.array([vector_of(frame.header, "PixelSpacing", 2) for frame in frames])
    if not (spacings > 0).all():
        raise InputError("The DICOM images' pixel spacing is missing, not positive or no number: export them again.")
    upright = np.linalg.norm(np.cross(orientations[:, :3], orientations[:, 3:]), axis=1) >= 0.5
    if not upright.all() or np.isnan(positions).any():
        raise InputError("The DICOM images do not say where they lie in the patient: export the original series.")
    worst = float(angles_deg(orientations).max())
    if worst > ORIENTATION_TOLERANCE_DEG:
        raise InputError(
            f"The slices are not parallel (up to {worst:.0f} degrees apart): give the short-axis slices only, "
            "without long-axis or radial views."
        )
    if len({(f.header.Rows, f.header.Columns) for f in frames}) > 1 or np.ptp(spacings, axis=0).max() > 1e-3:
        raise InputError("The slices differ in size or pixel spacing: give the LGE short-axis series only.")

    mean = orientations.mean(axis=0).reshape(2, 3)
    along_row, along_column = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    normal = np.cross(along_row, along_column)
    normal /= np.linalg.norm(normal)
    angle = short_axis_angle_deg(RAS_LPS[:3, :3] @ normal)
    if angle > SHORT_AXIS_LIMIT_DEG:
        raise InputError(
            f"The slices do not look like a short-axis stack ({angle:.0f} degrees from the usual direction, at most "
            f"{SHORT_AXIS_LIMIT_DEG:.0f}): choose the short-axis LGE series, not a long-axis or axial one."
        )
    order = np.argsort(positions @ normal, kind="stable")
    step = _slice_step(positions[order], normal)
    row_mm, column_mm = spacings[0]
    lps = np.eye(4)
    lps[:3, :3] = np.column_stack([along_row * column_mm, along_column * row_mm, step])
    lps[:3, 3] = positions[order[0]]
    return order, RAS_LPS @ lps


def angles_deg(orientations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Larger of the angles by which the first image's row and column directions differ from each image's own.

    ``orientations`` are direction cosines, shape (n, 6); degrees, shape (n,).
    """
    pairs = orientations.reshape(-1, 2, 3)
    lengths = np.linalg.norm(pairs, axis=2)
    pairs = pairs / np.where(lengths < 1e-6, np.inf, lengths)[:, :, None]
    return np.degrees(np.arccos(np.clip((pairs * pairs[0]).sum(axis=2).min(axis=1), -1.0, 1.0)))


def _check_one_patient(frames: Sequence[Frame]) -> None:
    """Refuse images that name several patients; what an image leaves empty speaks against none."""
    for keyword in ("PatientID", "PatientName", "PatientBirthDate"):
        written = (frame.text(keyword).partition("=")[0].strip(" ^\0").casefold() for frame in frames)
        if len(set(filter(None, written))) > 1:
            raise InputError(
                "The images are of several patients (identifier, name or date of birth differ): give one patient's "
                "series."
            )


def _check_pixels(frames: Sequence[Frame]) -> None:
    headers = [frame.header for frame in frames]
    shown = {str(h.get("PhotometricInterpretation") or "") for h in headers}
    if any(int(h.get("SamplesPerPixel") or 1) != 1 for h in headers) or not shown <= {"", "MONOCHROME1", "MONOCHROME2"}:
        raise InputError("The images are in colour (a screenshot or a map): choose the LGE series in grey values.")
    if "MONOCHROME1" in shown:
        raise InputError("The images are stored inverted (MONOCHROME1): export the original LGE series.")
    check_size(sum(int(h.Rows) * int(h.Columns) for h in headers))
    pixels = {(h.get("BitsAllocated"), h.get("BitsStored"), h.get("HighBit")) for h in headers}
    if any(None not in bits and not (bits[1] <= bits[0] and bits[2] == bits[1] - 1) for bits in pixels):
        raise InputError("The images contradict themselves on how many bits a pixel has: export the series again.")


def _slice_step(positions: NDArray[np.float64], normal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean vector, mm, from one slice to the next, for positions already in order along ``normal``.

    Refused: two slices at one place, a missing slice, uneven distances (over 10 %), slices that lie on no line.
    """
    gaps = np.diff(positions @ normal)
    usual = float(np.median(gaps))
    distinct = 1 + int((gaps > max(0.01, 0.05 * usual)).sum())
    if distinct < len(positions):
        raise InputError(
            f"Several images share a position ({len(positions)} images at {distinct} positions): magnitude and PSIR, "
            "or several phases, are mixed; give one image per slice."
        )
    off = np.abs(gaps - usual) / usual
    worst = int(np.argmax(off))
    if off[worst] > _SPACING_TOLERANCE:
        times = gaps[worst] / usual
        if times > 1.5 and abs(times - round(times)) <= _SPACING_TOLERANCE * times:
            raise InputError(
                f"{round(times) - 1} slice(s) missing after slice {worst + 1} of {len(positions)} (a gap of "
                f"{gaps[worst]:.1f} mm instead of {usual:.1f} mm): export the whole series."
            )
        raise InputError(
            f"The slices are not evenly spaced ({gaps.min():.1f} to {gaps.max():.1f} mm): "
            "give an evenly spaced short-axis stack."
        )
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    line = positions[0] + np.arange(len(positions))[:, None] * step
    drift = np.linalg.norm(positions - line - ((positions - line) @ normal)[:, None] * normal, axis=1).max()
    if drift > _OFF_LINE_MM:
        raise InputError(
            f"The slices are shifted against each other in the header (up to {drift:.1f} mm off a straight line): "
            "resample the stack onto a rectangular grid first."
        )
    return step
