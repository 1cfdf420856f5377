from __future__ import annotations

import numpy as np
from lv_phantom import CENTRE_MM, lv_phantom

from ScarSegECGLib.anatomy.lv import circle_coverage, full_circle
from ScarSegECGLib.anatomy.polar import slice_centres


def test_centres_are_those_of_the_circles_with_and_without_a_cavity():
    p = lv_phantom(spacing=(8.0, 1.2, 1.7), cap=2)
    centres = slice_centres(p.cavity, p.myocardium, p.spacing)
    assert np.abs(centres - CENTRE_MM).max() < 0.6


def test_a_slice_without_lv_has_no_centre():
    p = lv_phantom()
    p.cavity[4], p.myocardium[4] = False, False
    centres = slice_centres(p.cavity, p.myocardium, p.spacing)
    assert np.isnan(centres[4]).all() and np.isfinite(np.delete(centres, 4, 0)).all()


def test_an_open_slice_is_no_full_circle_and_nor_is_the_cap():
    p = lv_phantom()
    x = np.arange(p.cavity.shape[2]) * p.spacing[2]
    p.myocardium[-1] &= ~((x > CENTRE_MM[1])[None, :] & (np.abs(np.arange(p.cavity.shape[1]) * 1.5 - 96) < 8)[:, None])
    centres = slice_centres(p.cavity, p.myocardium, p.spacing)
    assert full_circle(p.cavity, p.myocardium, centres, p.spacing).tolist() == [False] + [True] * 7 + [False]
    assert 0.75 < circle_coverage(p.myocardium, centres, p.spacing)[-1] < 0.95
