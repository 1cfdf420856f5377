"""ECG paper: to scale, complete, readable."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import wfdb
from label_boxes import label_box, labels_of

from ScarSegECGLib.case import LEADS, Ecg
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.view.paint import save
from ScarSegECGLib.view.shapes import Drawing, Mark
from ScarSegECGLib.wording import RESEARCH_USE

RATE = 500.0


def synthetic(seconds: float = 10.0, tall: float = 1.0, missing: tuple[str, ...] = ()) -> Ecg:
    """One 1 mV (or ``tall``) spike a second in every lead."""
    mv = np.zeros((12, int(seconds * RATE)), np.float32)
    mv[:, int(0.5 * RATE) :: int(RATE)] = tall
    mask = np.array([lead not in missing for lead in LEADS])
    mv[~mask] = 0
    return Ecg(mv, mask, RATE, datetime(2020, 1, 2, 3, 4))


def lines(drawing: Drawing) -> list[np.ndarray]:
    """What is drawn without lifting the pen."""
    return [s.path.vertices for s in drawing.shapes if isinstance(s, Mark) and s.path.codes is None]


def traces(drawing: Drawing) -> list[np.ndarray]:
    return [at for at in lines(drawing) if len(at) > 100]


def test_one_millivolt_is_ten_millimetres_and_one_second_twenty_five() -> None:
    drawing = ecg_paper(synthetic())
    assert len(traces(drawing)) == 13
    for trace in traces(drawing):
        assert np.ptp(trace[:, 1]) == pytest.approx(10.0, abs=1e-4)
        peaks = trace[trace[:, 1] > trace[:, 1].min() + 9.9, 0]
        assert np.diff(peaks) == pytest.approx(25.0, abs=1e-6)
    pulse = [at for at in lines(drawing) if len(at) == 6]
    assert len(pulse) == 4
    assert all(np.ptp(p[:, 1]) == 10.0 and p[3, 0] - p[2, 0] == 5.0 for p in pulse)


def test_grid_is_one_and_five_millimetres() -> None:
    shapes = ecg_paper(synthetic()).shapes
    fine, bold = (
        s.path.vertices.reshape(-1, 2, 2)
        for s in shapes
        if isinstance(s, Mark) and len(s.path.vertices) > 100 and s.path.codes is not None
    )
    xs = np.unique(
        np.round(np.concatenate([fine, bold])[:, :, 0][np.ptp(np.concatenate([fine, bold])[:, :, 0], axis=1) == 0], 6)
    )
    assert np.diff(xs) == pytest.approx(1.0)
    upright = np.sort(bold[np.ptp(bold[:, :, 0], axis=1) == 0][:, 0, 0])
    assert np.diff(upright) == pytest.approx(5.0)


def test_columns_follow_one_another_in_time() -> None:
    ecg = synthetic()
    ecg.millivolts[:] = np.linspace(0, 1, ecg.millivolts.shape[1])
    lead_i, avr, v1, v4 = (traces(ecg_paper(ecg))[i] for i in range(4))
    for left, right in itertools.pairwise((lead_i, avr, v1, v4)):
        assert left[-1] == pytest.approx(right[0], abs=1e-3)
    assert v4[-1, 1] - lead_i[0, 1] == pytest.approx(10.0, abs=1e-3)


def overlaps(drawing: Drawing) -> list[tuple[str, str]]:
    boxes = [(label.text, np.array(label_box(label))) for label in labels_of(drawing)]
    return [
        (s, t) for (s, a), (t, b) in itertools.combinations(boxes, 2) if (a[:2] < b[2:]).all() and (b[:2] < a[2:]).all()
    ]


@pytest.mark.parametrize("tall", [0.5, 2.0, 3.9, 9.0, -6.0])
def test_tall_waves_reach_no_neighbour_and_no_label(tall: float) -> None:
    ecg = synthetic(tall=1.0)
    ecg.millivolts[[1, 4, 7]] *= tall
    ecg.millivolts[8] *= -tall
    drawing = ecg_paper(ecg)
    assert overlaps(drawing) == []
    rows = traces(drawing)
    for upper, lower in itertools.pairwise([rows[0:4], rows[4:8], rows[8:12], rows[12:]]):
        assert min(t[:, 1].min() for t in upper) > max(t[:, 1].max() for t in lower)
    for label in labels_of(drawing):
        left, bottom, right, top = np.array(label_box(label)) + (0.3, 0.3, -0.3, -0.3)
        assert top <= drawing.height
        if label.text in LEADS:
            for x, y in (t.T for t in rows):
                # Samples are closer than 0.1 mm: the line enters the box only if a sample or a crossing does.
                low, high = np.minimum(y[:-1], y[1:]), np.maximum(y[:-1], y[1:])
                assert not ((x[:-1] > left) & (x[:-1] < right) & (low < top) & (high > bottom)).any(), label.text
    cut = [label.text for label in labels_of(drawing) if label.text.endswith(" mV")]
    assert bool(cut) == (abs(tall) > 4)


def test_missing_leads_are_named_and_not_drawn() -> None:
    drawing = ecg_paper(synthetic(missing=("V3", "II")))
    texts = [label.text for label in labels_of(drawing)]
    assert "Leads not recorded: II, V3" in texts
    assert texts.count("not recorded") == 2
    assert texts.count("I") == 2  # the rhythm strip takes the first lead there is
    assert len(traces(drawing)) == 11


def test_text_says_scale_and_hides_the_date() -> None:
    hidden = " ".join(label.text for label in labels_of(ecg_paper(synthetic(), median_features=["QRS 100 ms"])))
    assert "25 mm/s" in hidden
    assert "10 mm/mV" in hidden
    assert "QRS 100 ms" in hidden
    assert "2020" not in hidden


@pytest.mark.parametrize("seconds", [1.0, 2.5, 7.0, 10.0, 30.0])
def test_any_length_fits_the_page(seconds: float) -> None:
    drawing = ecg_paper(synthetic(seconds))
    assert (drawing.width, drawing.height) == (297.0, 210.0)
    for trace in traces(drawing):
        assert trace[:, 0].max() <= 26.0 + 250.0 + 1e-6
        assert trace[:, 1].min() > 0
    short = any("each column starts at 0 s" in label.text for label in labels_of(drawing))
    assert short == (seconds < 10)


def test_files_are_true_to_size(tmp_path: Path) -> None:
    from PIL import Image

    drawing = ecg_paper(synthetic())
    with Image.open(save(drawing, tmp_path / "ecg.png", dpi=100)) as picture:
        assert picture.size == (round(297 / 25.4 * 100), round(210 / 25.4 * 100)) or picture.size == (1169, 826)
        assert picture.info["dpi"] == pytest.approx((100, 100), abs=0.1)
    box = save(drawing, tmp_path / "ecg.pdf").read_bytes().split(b"/MediaBox [", 1)[1].split(b"]", 1)[0].split()
    assert [float(v) * 25.4 / 72 for v in box[2:]] == pytest.approx([297.0, 210.0], abs=0.05)


def test_real_record(shared_data: Path) -> None:
    record = wfdb.rdrecord(str(shared_data / "ecg" / "ptb" / "s0010_re"))
    names = [name.lower() for name in record.sig_name]
    mv = np.stack([record.p_signal[:, names.index(lead.lower())] for lead in LEADS]).astype(np.float32)
    drawing = ecg_paper(Ecg(mv, np.ones(12, bool), float(record.fs)))
    assert overlaps(drawing) == []
    lead_ii = traces(drawing)[12]
    assert np.ptp(lead_ii[:, 1]) == pytest.approx(10 * np.ptp(mv[1, :10001]), rel=0.01)


@pytest.mark.parametrize("missing", [(), ("V3", "II")])
def test_says_what_it_is_for_and_keeps_its_page(missing: tuple[str, ...]) -> None:
    drawing = ecg_paper(synthetic(missing=missing), median_features=["rate 72 /min", "QRS 100 ms"])
    assert [label.text for label in labels_of(drawing)].count(RESEARCH_USE) == 1
    assert overlaps(drawing) == []
    assert drawing.height == 210.0
