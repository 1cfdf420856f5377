"""The module's own self-test, as Slicer runs it."""

from __future__ import annotations


def test_self_test_runs_as_one_call(desk, capsys) -> None:
    from ScarSegECGPanel.selftest import STORY

    desk.module.ScarSegECGTest().runTest()
    told = capsys.readouterr().out
    assert [name for name in STORY if f"self-test: {name}: passed" not in told] == []
    assert "all passed" in told
    assert desk.said == []
