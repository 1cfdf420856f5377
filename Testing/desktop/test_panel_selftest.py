"""The module's own self-test, as Slicer runs it."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "test_masks_lie_on_the_volume",
        "test_run_can_be_cancelled",
        "test_nothing_can_be_applied_without_images",
        "test_apply_shows_segments_table_and_bullseye",
        "test_cancel_leaves_the_scene_as_it_was",
        "test_strokes_and_rules_are_undone_in_order",
        "test_other_segments_are_never_touched",
    ],
)
def test_self_test(desk, name: str) -> None:
    case = desk.module.ScarSegECGTest()
    case.setUp()
    try:
        getattr(case, name)()
    finally:
        assert desk.said == []
