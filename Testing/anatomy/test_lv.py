from __future__ import annotations

import numpy as np
import pytest
from lv_phantom import lv_phantom

from ScarSegECGLib.anatomy.lv import clean, why_no_left_ventricle


def test_clean_removes_islands_and_fills_holes():
    p = lv_phantom()
    cavity, myocardium = p.cavity.copy(), p.myocardium.copy()
    cavity[4, 64, 60], cavity[4, 62:64, 62] = False, False
    myocardium[4, 62:64, 62] = True  # a papillary muscle
    hole = tuple(np.argwhere(p.myocardium[5])[400])
    myocardium[5][hole] = False
    myocardium[2, 3:9, 3:9], cavity[7, 120:124, 3:6] = True, True
    got = clean(cavity, myocardium)
    assert np.array_equal(got[0], p.cavity) and np.array_equal(got[1], p.myocardium)


def test_clean_leaves_nothing_from_nothing_and_separates_overlap():
    p = lv_phantom()
    nothing = np.zeros_like(p.cavity)
    assert not clean(nothing, nothing)[0].any()
    cavity, myocardium = clean(p.cavity | p.myocardium, p.myocardium)
    assert not (cavity & myocardium).any() and np.array_equal(myocardium, p.myocardium)


def test_what_is_no_left_ventricle_is_refused_with_the_reason():
    p = lv_phantom()
    assert not why_no_left_ventricle(p.cavity, p.myocardium, p.spacing)
    nothing = np.zeros_like(p.cavity)
    assert "0 ml" in why_no_left_ventricle(nothing, nothing, p.spacing)
    assert "at most" in why_no_left_ventricle(p.cavity, p.myocardium, (10.0, 4.0, 4.0))
    few = np.arange(9)[:, None, None] >= 7
    assert "slice(s)" in why_no_left_ventricle(p.cavity & few, p.myocardium & few, p.spacing)
    bare = p.myocardium & (np.arange(p.cavity.shape[2]) > 70)
    assert "surrounds" in why_no_left_ventricle(p.cavity, bare, p.spacing)


def test_no_expert_mask_is_refused_or_changed_much(shared_data):
    nibabel = pytest.importorskip("nibabel")
    files = sorted((shared_data / "emidec" / "cases").glob("*/*_seg.nii.gz"))
    assert files
    for file in files:
        seg = nibabel.load(file)
        labels = np.asarray(seg.dataobj).T
        spacing = tuple(float(z) for z in seg.header.get_zooms()[::-1])
        cavity, myocardium = labels == 1, labels >= 2
        why = why_no_left_ventricle(cavity, myocardium, spacing)
        assert not why, why
        cleaned = clean(cavity, myocardium)
        assert (cleaned[1] != myocardium).sum() <= 0.01 * myocardium.sum()
