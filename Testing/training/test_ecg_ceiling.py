"""The most that an ECG could bring, held against every choice there is."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Research"))
from ecg_ceiling import best_rises, dice

voxels = st.lists(st.tuples(st.booleans(), st.integers(1, 3)), max_size=9)


@given(voxels, st.integers(0, 5), st.integers(0, 5), st.integers(0, 3))
def test_the_best_rises_are_the_best_of_all(voxels: list[tuple[bool, int]], hit: int, false: int, lost: int) -> None:
    """``lost``: scar that no rise reaches."""
    scar = np.array([one for one, _ in voxels], dtype=bool)
    segment = np.array([number for _, number in voxels], dtype=int)
    real = hit + int(scar.sum()) + lost
    if real == 0:
        return
    taken = [np.flatnonzero(segment == number) for number in (1, 2, 3)]
    every = itertools.product(*(range(len(of) + 1) for of in taken))
    chosen = (np.concatenate([of[:n] for of, n in zip(taken, counts, strict=True)]) for counts in every)
    best = max(dice(hit + int(scar[here].sum()), hit + false + len(here), real) for here in chosen)
    found = best_rises(np.arange(len(scar), dtype=float), scar, segment, hit, hit + false, real)
    assert abs(found - best) < 1e-12
