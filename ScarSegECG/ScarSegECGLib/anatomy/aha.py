"""The AHA-17 partition of the LV myocardium (16 segments too), in fixed or landmark mode, and as a soft prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ScarSegECGLib.anatomy import insertion, polar
from ScarSegECGLib.anatomy.insertion import ARC_LIMITS_DEG, DISPUTED_DEG, STANDARD_DEG, UNSURE, Insertions
from ScarSegECGLib.anatomy.lv import full_circle
from ScarSegECGLib.anatomy.polar import MOST_TURNED_DEG, Floats, Mask, Spacing
from ScarSegECGLib.anatomy.segments import APICAL, BASAL, CAP, MID, RING_SEGMENTS
from ScarSegECGLib.case import Anatomy, LgeStack
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import AhaMode, AnatomyNote, Division, Fact
from ScarSegECGLib.lge.slice_shift import off_straight_line

NO_RING = -1
OFF_AXIS_MM = 8.0  # ventricles are bent: less is usual
MARGIN_MM = 16.0  # round the LV, enough to hold the RV's part that is looked at


def divide(
    stack: LgeStack,
    cavity: Mask,
    myocardium: Mask,
    insertions_deg: NDArray | None = None,
    division: Division = Division(),  # noqa: B008 (frozen)
) -> Anatomy:
    """Divide the LV myocardium into the AHA segments (Cerqueira MD et al. Circulation 2002;105:539-42).

    Thirds are counted over the slices whose cavity the myocardium surrounds; open slices above belong to the basal
    third, slices beyond the cavity's end are segment 17 (in 16-segment mode, apical). A remainder of one slice goes
    to the mid third, of two to the mid and the basal one; this and where open slices go is this project's own rule. The
    anterior insertion is the border 1|2, the inferior one 3|4: in fixed mode six sectors of 60 degrees are counted
    from the anterior insertion; in landmark mode the septal arc is halved and the free wall's arc quartered. The four
    apical sectors have 90 degrees, segment 14 centred on the mid of the septum. Nothing is labelled where there is no
    myocardium with a cavity.

    Where ``cavity`` and ``myocardium``, masks on the stack's grid, overlap, the voxel is myocardium. RV insertions are
    looked for in the images; where these show nothing, they are where they usually lie in the stack's pose.
    ``insertions_deg``, (2,) or (slice, 2), are anterior and inferior insertion as given by the reader, degrees in the
    bullseye's frame; what is NaN, even one of the two, has to be found. InputError for masks of another shape, and for
    a mode or insertions that cannot be used.
    """
    given = _checked(stack, cavity, myocardium, insertions_deg, division)
    spacing, cavity = stack.spacing, cavity & ~myocardium
    labels = np.zeros(cavity.shape, np.uint8)
    if not (cavity.any() and myocardium.any()):
        unknown, confidence, why = np.full((len(cavity), 2), np.nan), np.zeros(len(cavity)), Fact(AnatomyNote.NO_LV)
        return Anatomy(cavity, myocardium, labels, unknown, unknown, confidence, division, (False,) * 17, (why,))

    # everything below sees only the LV's own part of the image, and enough around it to hold the RV
    box = polar.heart_box(cavity | myocardium, int(np.ceil(MARGIN_MM / min(spacing[1:]))))
    inside = (slice(None), *box[1:])
    blood, muscle = cavity[inside], myocardium[inside]
    centres = polar.slice_centres(blood, muscle, spacing)
    border = polar.trace_border(muscle, centres, spacing)
    usual = insertion.usual_insertions_deg(stack.ijk_to_ras) if stack.orientation_known else STANDARD_DEG
    points = insertion.insertion_points(stack.voxels[inside], blood, border, centres, spacing, given, usual)
    rings, notes = slice_rings(blood, muscle, centres, spacing, division.segments)
    labels[inside] = _label(muscle, rings, centres, points.degrees, spacing, division.mode)
    imaged = tuple(bool(n) for n in np.bincount(labels[inside].ravel(), minlength=18)[1:18])

    if not stack.orientation_known:
        notes += (Fact(AnatomyNote.ORIENTATION_ASSUMED),)
    lv = np.asarray(np.isfinite(centres).all(axis=1))
    notes += _insertion_notes(points, given, lv, division.mode) + _off_axis(lv, centres)
    if division.segments == 17 and not imaged[16]:
        notes += (Fact(AnatomyNote.NO_APEX),)
    return Anatomy(
        cavity=cavity,
        myocardium=myocardium,
        aha=labels,
        centres_mm=centres + np.array([box[1].start, box[2].start]) * np.array(spacing[1:]),
        insertions_deg=points.degrees,
        insertion_confidence=points.confidence,
        division=division,
        imaged=imaged,
        notes=notes,
        insertions_raw_deg=points.raw,
    )


def slice_rings(
    cavity: Mask, myocardium: Mask, centres_mm: Floats, spacing: Spacing, segments: int = 17
) -> tuple[NDArray[np.int8], tuple[Fact, ...]]:
    """Ring of each slice (basal 0, mid 1, apical 2, cap 3, -1 without LV), shape (slice,), and remarks."""
    has_cavity = cavity.any(axis=(1, 2))
    closed = np.flatnonzero(full_circle(cavity, myocardium, centres_mm, spacing))
    notes: tuple[Fact, ...] = ()
    if not closed.size:
        closed = np.flatnonzero(has_cavity)
        notes += (Fact(AnatomyNote.NOT_SURROUNDED),)
    first, last = int(closed[0]), int(closed[-1])
    count = last - first + 1
    if count < 3:
        notes += (Fact(AnatomyNote.FEW_SLICES, count=count),)
    third, rest = divmod(count, 3)
    mid_from = first + third
    basal_from = mid_from + third + (rest > 0)
    rings = np.full(len(cavity), MID, np.int8)
    rings[:mid_from], rings[basal_from:] = APICAL, BASAL
    if segments == 17:
        rings[: int(has_cavity.argmax())] = CAP
    rings[~(has_cavity | myocardium.any(axis=(1, 2)))] = NO_RING
    return rings, notes


def sector_starts(insertions_deg: Floats, mode: AhaMode) -> tuple[Floats, Floats]:
    """Where each sector begins, degrees, counter-clockwise to the next one's beginning: segments 1 to 6 (7 to 12
    likewise), shape (slice, 6), and 13 to 16, shape (slice, 4)."""
    anterior, inferior = insertions_deg.T
    septum = (inferior - anterior) % 360.0
    if mode == AhaMode.FIXED:
        septum = np.full(len(anterior), STANDARD_DEG[1] - STANDARD_DEG[0])
    free = 360.0 - septum
    steps = np.stack([-free / 4, 0 * free, septum / 2, septum, septum + free / 4, septum + free / 2], axis=1)
    return anterior[:, None] + steps, (anterior + septum / 2)[:, None] + np.array([-135.0, -45.0, 45.0, 135.0])


def _label(
    myocardium: Mask, rings: NDArray, centres_mm: Floats, insertions_deg: Floats, spacing: Spacing, mode: AhaMode
) -> NDArray[np.uint8]:
    k, i, j = np.nonzero(myocardium)
    angle = polar.voxel_directions_deg((k, i, j), centres_mm, spacing)
    six, four = sector_starts(insertions_deg, mode)
    ring = rings[k]
    number = np.full(k.shape, RING_SEGMENTS[CAP][0], np.uint8)
    for one, sectors in ((BASAL, six), (MID, six), (APICAL, four)):
        chosen = ring == one
        starts = sectors[k[chosen]]
        turned = (angle[chosen] - starts[:, 0]) % 360.0
        passed = (turned[:, None] >= starts[:, 1:] - starts[:, :1]).sum(axis=1)
        number[chosen] = RING_SEGMENTS[one][0] + passed
    labels = np.zeros(myocardium.shape, np.uint8)
    labels[k, i, j] = number
    return labels


def _of_slices(code: AnatomyNote, slices: Mask, **more) -> tuple[Fact, ...]:
    """A note of slices, which a reader counts from 1 at the apex; none without any."""
    numbers = tuple(int(k) + 1 for k in np.flatnonzero(slices))
    return (Fact(code, slices=numbers, **more),) if numbers else ()


def _off_axis(lv: Mask, centres_mm: Floats) -> tuple[Fact, ...]:
    """Slices far off the straight long axis, the cap too, where four or more show it."""
    off = np.zeros(len(lv))
    if np.count_nonzero(lv) >= 4:
        off[lv] = np.linalg.norm(off_straight_line(np.flatnonzero(lv).astype(float), centres_mm[lv]), axis=1)
    return _of_slices(AnatomyNote.OFF_AXIS, off > OFF_AXIS_MM, most=float(off.max()))


def _insertion_notes(points: Insertions, given: Floats, lv: Mask, mode: AhaMode) -> tuple[Fact, ...]:
    """What the reader has to know of the insertions, of which the anterior alone counts in fixed mode; ``given``,
    (slice, 2), is NaN where nothing was, ``lv``, (slice,), are the slices that have any."""
    notes: tuple[Fact, ...] = ()
    known = np.isfinite(given) & lv[:, None]
    if not np.array_equal(given, np.broadcast_to(given[0], given.shape), equal_nan=True):  # not for the whole stack
        notes += _of_slices(AnatomyNote.INSERTIONS_UNUSED, np.isfinite(given).any(axis=1) & ~lv)
    notes += _of_slices(AnatomyNote.INSERTIONS_DISPUTED, np.asarray(points.disputed.any(axis=1)), degrees=DISPUTED_DEG)
    anterior, inferior = known.T
    ways = {"": anterior & inferior, "anterior": anterior & ~inferior, "inferior": inferior & ~anterior}
    for which, here in ways.items():
        if here[lv].all():
            notes += (Fact(AnatomyNote.INSERTIONS_GIVEN, which=which, slices=()),)
        else:
            notes += _of_slices(AnatomyNote.INSERTIONS_GIVEN, here, which=which)
    left = lv & ~(anterior if mode == AhaMode.FIXED else ways[""])
    if not known.any() and (sure := float(np.median(points.confidence[lv]))) < UNSURE:
        return (*notes, Fact(AnatomyNote.INSERTIONS_UNCERTAIN, slices=(), confidence=sure))
    return notes + _of_slices(AnatomyNote.INSERTIONS_UNCERTAIN, left & (points.confidence < UNSURE))


def _checked(
    stack: LgeStack, cavity: Mask, myocardium: Mask, insertions_deg: NDArray | None, division: Division
) -> Floats:
    """Refuse what cannot be used; the given insertions, shape (slice, 2), NaN where there is none."""
    if not cavity.shape == myocardium.shape == stack.voxels.shape:
        raise InputError("Images and masks differ in size: give LV cavity and myocardium on the images' own grid.")
    if division.mode not in tuple(AhaMode) or division.segments not in (16, 17):
        raise InputError("Choose mode 'fixed' or 'landmark' and 16 or 17 segments.")
    given = np.asarray((np.nan, np.nan) if insertions_deg is None else insertions_deg, float)
    if given.shape not in ((2,), (len(cavity), 2)):
        raise InputError("Give RV insertions as two angles for the stack, or two for each slice.")
    given = np.broadcast_to(given, (len(cavity), 2))
    if (np.abs(given) > MOST_TURNED_DEG).any():
        raise InputError(f"RV insertions are angles from {-MOST_TURNED_DEG:.0f} to {MOST_TURNED_DEG:.0f} degrees.")
    arc = (given[:, 1] - given[:, 0]) % 360.0
    if ((arc < ARC_LIMITS_DEG[0]) | (arc > ARC_LIMITS_DEG[1])).any():
        raise InputError(
            f"RV insertions must enclose a septum of {ARC_LIMITS_DEG[0]:.0f} to {ARC_LIMITS_DEG[1]:.0f} degrees, "
            "counter-clockwise from the anterior to the inferior one: move them, or swap the two."
        )
    return given


@dataclass(frozen=True)
class SoftPrior:
    """Probability of each AHA segment, float32 ``values`` [slice, 17, row, column], of the part of the slices with
    myocardium; ``corner`` is its first (row, column). A large image has a hundred times as many voxels outside.
    """

    values: NDArray[np.float32]
    corner: tuple[int, int]


def soft_prior(
    anatomy: Anatomy,
    spacing: Spacing,
    sigma_deg: float = 10.0,
    sigma_slice: float = 0.5,
    *,
    rotate_deg: float = 0.0,
    shift_slices: int = 0,
) -> SoftPrior:
    """Probability of each AHA segment for every myocardial voxel, after :func:`divide`.

    Borders between sectors are blurred by a Gaussian in angle, borders between rings by one along the slices:
    ``sigma_deg`` and ``sigma_slice`` are their SD in degrees and slices, not 0. ``rotate_deg`` turns all sectors
    counter-clockwise and ``shift_slices`` moves the rings towards the base: jitter for training. It sums to 1 over the
    segments inside the labelled myocardium and is 0 elsewhere, and wherever the geometry is unknown.
    """
    n = len(anatomy.aha)
    known = np.isfinite(anatomy.insertions_deg).all(axis=1) & np.isfinite(anatomy.centres_mm).all(axis=1)
    k, i, j = np.nonzero((anatomy.aha > 0) & np.asarray(known)[:, None, None])
    if not k.size:
        return SoftPrior(np.zeros((n, 17, 1, 1), np.float32), (0, 0))
    angle = polar.voxel_directions_deg((k, i, j), anatomy.centres_mm, spacing)
    six, four = sector_starts(anatomy.insertions_deg + rotate_deg, anatomy.division.mode)
    in_six = _sectors(angle, six[k], sigma_deg)
    in_four = _sectors(angle, four[k], sigma_deg)
    ring = _ring_weights(rings_of(anatomy), sigma_slice, shift_slices)[k]
    corner = (max(0, int(i.min()) - 1), max(0, int(j.min()) - 1))  # with a border of 0
    rows, columns = int(i.max()) + 2 - corner[0], int(j.max()) + 2 - corner[1]
    voxel = ((i - corner[0]) * columns + j - corner[1]).astype(np.intp)
    parts = [ring[:, BASAL, None] * in_six, ring[:, MID, None] * in_six, ring[:, APICAL, None] * in_four, ring[:, CAP:]]
    flat = np.zeros((n, rows * columns, 17), np.float32)
    flat[k, voxel] = np.concatenate(parts, axis=1)
    return SoftPrior(flat.reshape(n, rows, columns, 17).transpose(0, 3, 1, 2), corner)


def rings_of(anatomy: Anatomy) -> NDArray[np.int8]:
    """Ring of each slice as its labels say (basal 0, mid 1, apical 2, cap 3, -1 none), shape (slice,)."""
    highest = anatomy.aha.reshape(len(anatomy.aha), -1).max(axis=1)
    last = [numbers[-1] for numbers in RING_SEGMENTS]
    return np.where(highest > 0, np.searchsorted(last, highest), NO_RING).astype(np.int8)


def _sectors(angle: Floats, starts: Floats, sigma: float) -> Floats:
    """Wrapped Gaussian mass of each sector about each angle, shape (voxel, sector)."""
    borders = np.concatenate([starts - starts[:, :1], np.full((len(starts), 1), 360.0)], axis=1)
    borders -= ((angle - starts[:, 0]) % 360.0)[:, None]  # seen from the voxel
    below = sum(ndtr((borders + turn) / sigma) for turn in (-360.0, 0.0, 360.0))
    mass = np.diff(below, axis=1)
    return mass / mass.sum(axis=1, keepdims=True)


def _ring_weights(rings: NDArray, sigma: float, shift: int) -> Floats:
    """Weight of each ring in each slice, shape (slice, 4), rows summing to 1."""
    order = np.flatnonzero(rings != NO_RING)
    moved = rings[order[np.clip(np.arange(len(order)) - shift, 0, len(order) - 1)]]
    distance = np.subtract.outer(order, order).astype(float)
    blur = np.exp(-0.5 * (distance / sigma) ** 2)
    weights = np.zeros((len(rings), 4))
    weights[order] = blur @ np.eye(4)[moved] / blur.sum(axis=1, keepdims=True)
    return weights
