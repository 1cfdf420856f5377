"""Everything at once on a ventricle known on paper: a cone on a half sphere."""

from __future__ import annotations

import numpy as np
import pytest
from measure_phantoms import capped_cone, divided

from ScarSegECGLib.case import burden_of
from ScarSegECGLib.measure.segments import segment_table

INSERTIONS = np.array([120.0, 240.0])


def _table(cone):
    p = cone.phantom
    anatomy = divided(p.cavity, p.myocardium, None, p.spacing, insertions_deg=INSERTIONS)
    return anatomy, segment_table(anatomy, p.scar, p.spacing)


CENTRES = np.random.default_rng(0).uniform(-0.5, 0.5, (8, 2))


@pytest.mark.parametrize("depth", [0.5, 0.75])
def test_ml_and_percent_are_within_2_percent_at_clinical_resolution(depth):
    """On average over places on the grid; one place alone may be 5 % off, because half of an 8 mm wall is 3 pixels."""
    wall, ml, percent = [], [], []
    for centre in CENTRES:
        cone = capped_cone(depth=depth, centre=centre)
        p = cone.phantom
        voxel_ml = float(np.prod(p.spacing)) / 1000
        got = burden_of(p.scar.sum(), p.myocardium.sum(), voxel_ml)
        wall.append(p.myocardium.sum() * voxel_ml / cone.wall_ml - 1)
        ml.append(got.ml / cone.scar_ml - 1)
        percent.append(got.percent_of_lv / (100 * cone.scar_ml / cone.wall_ml) - 1)
    for off, one in ((wall, 0.01), (ml, 0.05), (percent, 0.05)):
        assert abs(np.mean(off)) < 0.02 and np.abs(off).max() < one


@pytest.mark.parametrize("depth", [0.35, 0.5, 0.75])
def test_transmurality_of_the_scarred_segments(depth):
    """Mean and maximum within 1 point on average over places; one place alone within 2.5."""
    mean, highest = [], []
    for centre in CENTRES:
        _, table = _table(capped_cone(depth=depth, centre=centre))
        for number in (1, 7):
            mean.append(table[number - 1].transmurality_mean_percent - 100 * depth)
            highest.append(table[number - 1].transmurality_max_percent - 100 * depth)
        assert all(table[number - 1].transmurality_max_percent == 0 for number in (3, 4, 5, 9, 10, 11, 15, 17))
    assert abs(np.mean(mean)) < 1.0 and np.abs(mean).max() < 2.5
    assert abs(np.mean(highest)) < 1.0 and np.abs(highest).max() < 2.5


def test_the_partition_of_the_cone_is_that_of_its_shape():
    """Cavity from 8 mm above the tip: one slice of cap, eleven with cavity; apical 3, mid 4, basal 4."""
    anatomy, table = _table(capped_cone())
    rings = [int(np.unique(plane[plane > 0]).max()) for plane in anatomy.aha]
    assert [sum(low <= r <= high for r in rings) for low, high in ((17, 17), (13, 16), (7, 12), (1, 6))] == [1, 3, 4, 4]
    assert np.array_equal(anatomy.aha > 0, anatomy.myocardium)
    for numbers in (range(1, 7), range(7, 13), range(13, 17)):
        shares = [table[n - 1].myocardium_ml for n in numbers]
        assert shares == pytest.approx([np.mean(shares)] * len(shares), rel=0.04)


def test_errors_shrink_as_the_grid_is_refined():
    volume, depth = [], []
    for pixel, slice_mm in ((2.0, 8.0), (1.0, 4.0), (0.5, 2.0)):
        off, deep = [], []
        for centre in ((0.31, -0.23), (0.0, 0.0), (0.45, 0.1)):
            cone = capped_cone(pixel, slice_mm, 0.5, centre)
            voxel_ml = float(np.prod(cone.phantom.spacing)) / 1000
            off.append(abs(cone.phantom.scar.sum() * voxel_ml / cone.scar_ml - 1))
            row = _table(cone)[1][6]
            deep.append(abs(row.transmurality_mean_percent - 50) + abs(row.transmurality_max_percent - 50))
        volume.append(np.mean(off))
        depth.append(np.mean(deep))
    assert volume[2] < max(0.5 * volume[0], 0.003)
    assert depth[2] < depth[1] < depth[0]
