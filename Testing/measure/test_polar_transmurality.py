"""The polar map's table: scar where the segments have it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measure_phantoms import annulus, divided

from ScarSegECGLib.anatomy.polar import wrap
from ScarSegECGLib.facts import AhaMode, Division
from ScarSegECGLib.measure.transmurality import MAP_BINS as BINS
from ScarSegECGLib.measure.transmurality import transmurality_map

MIDDLE = (np.arange(BINS) + 0.5) * 360 / BINS
LANDMARK = Division(AhaMode.LANDMARK)


def _map(p, insertions):
    anatomy = divided(p.cavity, p.myocardium, None, p.spacing, insertions_deg=np.array(insertions))
    return transmurality_map(p.scar, anatomy, p.spacing), anatomy


@settings(max_examples=12, deadline=None)
@given(st.floats(0, 359), st.floats(0.3, 0.9))
def test_a_sector_of_scar_lies_on_its_segment_wherever_the_heart_is_turned(turn, depth):
    p = annulus(slices=3, start_deg=60 + turn, stop_deg=120 + turn, depth=(0.0, depth))
    table, _ = _map(p, ((120.0 + turn) % 360, (240.0 + turn) % 360))
    inside, outside = np.abs(wrap(MIDDLE - 90)) < 22, np.abs(wrap(MIDDLE - 90)) > 38
    axis = (np.arange(p.scar.shape[1]) - p.scar.shape[1] // 2) * 1.4
    y, x = np.meshgrid(-(axis - 0.31 * 1.4), axis + 0.23 * 1.4, indexing="ij")
    there = p.myocardium[0] & (np.abs(wrap(np.degrees(np.arctan2(y, x)) - turn - 90)) < 22)
    share = np.average(p.scar[0][there], weights=1 / np.hypot(x, y)[there])
    # Against the same voxels, and against the shape they were drawn from, whose wall a pixel is 13 % of.
    assert np.abs(table[:, inside].mean() - 100 * share) < 2.5
    assert np.abs(table[:, inside].mean() - 100 * depth) < 5
    assert table[:, outside].max() == pytest.approx(0, abs=2)


def test_landmark_mode_puts_scar_of_a_segment_between_its_borders():
    for number, plot in ((8, 150.0), (11, 330.0), (14, 180.0), (2, 150.0)):
        p = annulus(slices=6)
        anatomy = divided(
            p.cavity,
            p.myocardium,
            None,
            p.spacing,
            insertions_deg=np.array([140.0, 230.0]),
            division=LANDMARK,
        )
        scar = anatomy.aha == number
        table = transmurality_map(scar, anatomy, p.spacing)
        ring = scar.any(axis=(1, 2))
        half = 45 if number == 14 else 30
        assert table[ring][:, np.abs(wrap(MIDDLE - plot)) < half - 8].min() > 90
        assert table[ring][:, np.abs(wrap(MIDDLE - plot)) > half + 8].max() < 5
        assert table[~ring].max() == 0


def test_where_there_is_no_wall_nothing_is_known():
    p = annulus(slices=3)
    p.myocardium[1], p.cavity[1] = False, False
    table, _ = _map(p, (120.0, 240.0))
    assert np.isnan(table[1]).all() and np.isfinite(table[[0, 2]]).all()


@pytest.mark.parametrize("division", [Division(), LANDMARK])
def test_a_gap_in_the_wall_is_shown_no_wider_than_it_is(division):
    p = annulus(slices=3, start_deg=0.0, stop_deg=360.0)
    axis = np.arange(p.scar.shape[1]) - p.scar.shape[1] // 2
    angle = np.degrees(np.arctan2(-axis[:, None], axis[None]))
    p.myocardium[1] &= np.abs(wrap(angle - 180.0)) > 8
    p.scar[1] &= p.myocardium[1]
    anatomy = divided(
        p.cavity, p.myocardium, None, p.spacing, insertions_deg=np.array([150.0, 210.0]), division=division
    )
    unknown = np.isnan(transmurality_map(p.scar, anatomy, p.spacing)[1])
    stretch, middle = (2, 180.0) if division is LANDMARK else (1, 150.0)
    assert unknown[np.abs(wrap(MIDDLE - middle)) < 4 * stretch].all()
    assert not unknown[np.abs(wrap(MIDDLE - middle)) > 8 * stretch].any()
