"""Two processes of the journal's test: one draws until it is killed, the next restores what it drew."""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from panel_tools import hand_over, wait_until
from standin_slicer import Desktop, desktop


def result_of(desk: Desktop):
    """A made-up case: a ring of wall with a scar; no network is needed to draw on it."""
    import slicer

    from ScarSegECGLib.anatomy.aha import divide
    from ScarSegECGLib.case import SCAR, Burden, EcgUse, ScarResult, SegmentRow, TimeGap
    from ScarSegECGLib.facts import Fact, Method
    from ScarSegECGLib.facts_ecg import Conduction, EcgReason
    from ScarSegECGLib.measure.measurements import measured_again
    from ScarSegECGLib.measure.rules import FoundScar
    from ScarSegECGPanel.masks import Masks
    from ScarSegECGPanel.nodes import stackReader

    voxels = np.random.default_rng(0).normal(100, 10, (6, 64, 64)).astype(np.float32)
    volume = slicer.util.addVolumeFromArray(voxels, np.diag([1.4, -1.4, -8, 1.0]), "made up")
    desk.panel.parameterNode.inputVolume = volume
    stack = stackReader(volume)()
    row, column = np.mgrid[:64, :64]
    radius = np.hypot(row - 32, column - 32)
    cavity, wall = np.zeros(voxels.shape, bool), np.zeros(voxels.shape, bool)
    cavity[:], wall[:] = radius < 12, (radius >= 12) & (radius < 19)
    masks = Masks(cavity, wall, wall & (column > 44))
    anatomy = divide(stack, cavity, wall)
    probability = (0.9 * masks.scar).astype(np.float32)
    use, none = EcgUse(0.0, (Fact(EcgReason.NOT_GIVEN),), TimeGap(None)), Burden(0, 0, 0)
    labels = masks.scar * np.uint8(SCAR)
    segments = tuple(
        SegmentRow(n, f"segment {n}", "LAD", n < 17, 4.0, 0.0, 0.0, 0.0, None, None, "") for n in range(1, 18)
    )
    bare = ScarResult(
        stack, None, use, anatomy, labels, probability, probability, 0.0, 0.0, none, none, segments, Method()
    )
    return measured_again(bare, anatomy, FoundScar(masks.scar, Method()), masks.scar, Conduction.UNKNOWN)


def edit(folder: Path) -> None:
    from ScarSegECGPanel.study import Study

    with desktop(folder) as desk:
        hand_over(desk.panel, Study(result_of(desk)))
        case = desk.module.ScarSegECGTest()
        study = desk.panel.logic.study
        for number in range(1, 1000):
            free = np.argwhere(study.masks.wall & ~study.masks.scar)
            k, i, j = (int(at) for at in free[37 * number % len(free)])
            case.paint((k, i, j), size=1)
            np.save(folder / f"expected_{number}.npy", study.bits)
            print("stroke", number, flush=True)


def recover(folder: Path) -> None:
    import slicer

    from ScarSegECGPanel.journal import UNDO

    saved = {int(path.stem.partition("_")[2]): path for path in folder.glob("expected_*.npy")}
    del saved[max(saved)]  # the process may have been killed while it wrote this one
    expected = {number: np.load(path, allow_pickle=False) for number, path in saved.items()}
    with desktop(folder) as desk:
        assert desk.panel.ui.recoverFrame.visible or not desk.parent.isVisible()
        assert "corrections" in desk.panel.ui.recoverLabel.text
        wrong = slicer.util.addVolumeFromArray(np.zeros((6, 64, 64), np.float32), np.diag([1, 1, 8, 1]), "wrong")
        desk.panel.parameterNode.inputVolume = wrong
        desk.panel.ui.recoverButton.click()
        wait_until(lambda: not desk.panel.apply.busy)
        assert "another LGE stack" in desk.panel.ui.recoverLabel.text
        result_of(desk)  # the same images
        desk.panel.ui.recoverButton.click()
        wait_until(lambda: desk.panel.logic.study is not None and not desk.panel.apply.busy)
        study = desk.panel.logic.study
        states = [study.bits.copy()]
        while study.go(UNDO):
            states.append(study.bits.copy())
        # Backwards from what was restored: at most the strokes that were not noted any more, then the last noted one.
        last = max(expected)
        found = [back for back, bits in enumerate(states) if np.array_equal(bits, expected[last])]
        assert found and len(states) - 1 - found[0] == last, f"{len(states) - 1} steps, {last} strokes"
        for number, bits in expected.items():
            np.testing.assert_array_equal(states[len(states) - 1 - number], bits)
        journals = list((folder / "settings" / "ScarSegECG").glob("*"))
        assert len(journals) == 1, journals  # the new session's own
        print("all strokes are back:", len(states) - 1)


if __name__ == "__main__":
    {"edit": edit, "recover": recover}[sys.argv[1]](Path(sys.argv[2]))
