from __future__ import annotations

import numpy as np
import pytest
from lv_phantom import CENTRE_MM, divided, lv_phantom

from ScarSegECGLib.anatomy.lv import circle_coverage, full_circle
from ScarSegECGLib.anatomy.polar import slice_centres
from ScarSegECGLib.facts import AnatomyNote, has
from ScarSegECGLib.lge.slice_shift import off_straight_line


def test_centres_are_those_of_the_circles_with_and_without_a_cavity():
    p = lv_phantom(spacing=(8.0, 1.2, 1.7), cap=2)
    centres = slice_centres(p.cavity, p.myocardium, p.spacing)
    assert np.abs(centres - CENTRE_MM).max() < 0.6


def test_a_slice_without_lv_has_no_centre():
    p = lv_phantom()
    p.cavity[4], p.myocardium[4] = False, False
    centres = slice_centres(p.cavity, p.myocardium, p.spacing)
    assert np.isnan(centres[4]).all() and np.isfinite(np.delete(centres, 4, 0)).all()


def test_displaced_slices_do_not_move_the_line_and_the_cap_is_told_too():
    k = np.arange(10)
    centres = np.stack([50 + 0.2 * 8.0 * k, 60 - 0.1 * 8.0 * k], axis=1)
    moved = centres.copy()
    moved[3] += (9.0, 0.0)
    moved[7] += (0.0, -12.0)
    off = off_straight_line(k.astype(float), moved)
    assert off[3] == pytest.approx((9.0, 0.0), abs=0.5) and off[7] == pytest.approx((0.0, -12.0), abs=0.5)
    assert np.abs(np.delete(off, (3, 7), axis=0)).max() < 0.5


@pytest.mark.parametrize(("shown", "displaced"), [(4, 1), (5, 0), (10, 0)])  # 0 is the apical cap
def test_a_slice_off_the_axis_is_told(shown, displaced):
    p = lv_phantom(cap=1)
    keep = slice(0, shown)
    cavity, wall = (np.copy(mask[keep]) for mask in (p.cavity, p.myocardium))
    straight = divided(cavity, wall, p.image[keep], p.spacing)
    for mask in (cavity, wall):
        mask[displaced] = np.roll(mask[displaced], 16, axis=1)
    told = [note for note in divided(cavity, wall, p.image[keep], p.spacing).notes if note.code is AnatomyNote.OFF_AXIS]
    assert not has(straight.notes, AnatomyNote.OFF_AXIS) and [note["slices"] for note in told] == [(displaced + 1,)]
    assert told[0]["most"] == pytest.approx(16 * p.spacing[2], abs=2.0)


def test_an_open_slice_is_no_full_circle_and_nor_is_the_cap():
    p = lv_phantom()
    x = np.arange(p.cavity.shape[2]) * p.spacing[2]
    p.myocardium[-1] &= ~((x > CENTRE_MM[1])[None, :] & (np.abs(np.arange(p.cavity.shape[1]) * 1.5 - 96) < 8)[:, None])
    centres = slice_centres(p.cavity, p.myocardium, p.spacing)
    assert full_circle(p.cavity, p.myocardium, centres, p.spacing).tolist() == [False] + [True] * 7 + [False]
    assert 0.75 < circle_coverage(p.myocardium, centres, p.spacing)[-1] < 0.95
