"""Pictures of a result and of a measurement: they say how they came about, show MVO, and stay legible in grey."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from label_boxes import labels_of
from PIL import Image
from test_view_montage import marks, panels, patient, result

from ScarSegECGLib.case import PART_MVO, Anatomy, EcgUse, LgeStack, TimeGap
from ScarSegECGLib.facts import AhaMode, Contrast, Division, Fact, Method, RemoteRegion, RemoteSource, ScarSource
from ScarSegECGLib.facts_ecg import Agreement, EcgReason
from ScarSegECGLib.measure.measurements import figures, measure
from ScarSegECGLib.measure.parts import scar_parts
from ScarSegECGLib.measure.rules import FoundScar, ThresholdRule
from ScarSegECGLib.report.captions import MVO_SIGN
from ScarSegECGLib.view import palette
from ScarSegECGLib.view.montage import montage
from ScarSegECGLib.view.paint import to_png
from ScarSegECGLib.view.pictures import (
    how_of,
    measured_polar_map,
    scar_bullseye,
    scar_montage,
    transmurality_bullseye,
)
from ScarSegECGLib.view.shapes import Drawing, Mark, wrap
from ScarSegECGLib.wording import words

MODE = "landmark, 17 segments"
USED = (Fact(EcgReason.USED, days=3.0, weight=0.6),)


def infarct_with_mvo() -> tuple[LgeStack, np.ndarray, Anatomy]:
    """The synthetic ring; a dark core lies in the middle of the bright scar of its basal half."""
    stack, labels, anatomy = patient(9)
    rng = np.random.default_rng(5)
    voxels = stack.voxels + rng.normal(0, 4, stack.voxels.shape).astype(np.float32)
    for k in range(4, 9):
        at = np.argwhere(labels[k] == 3)
        row, column = at.mean(axis=0)
        rows, columns = np.mgrid[: labels.shape[1], : labels.shape[2]]
        core = (labels[k] == 3) & (abs(rows - row) <= 1) & (abs(columns - column) <= 3)
        voxels[k][core] = 45.0
    return (
        replace(stack, voxels=voxels, contrast=Contrast.MAGNITUDE),
        labels,
        replace(anatomy, division=Division(AhaMode.LANDMARK)),
    )


def with_mvo():
    stack, labels, anatomy = infarct_with_mvo()
    scar = labels == 3
    use = EcgUse(0.0, (Fact(EcgReason.NOT_GIVEN),), TimeGap(None))
    return replace(
        result(), stack=stack, anatomy=anatomy, **figures(stack, anatomy, FoundScar(scar, Method()), scar, scar, use)
    )


def text_of(drawing: Drawing) -> str:
    return " ".join(label.text for label in labels_of(drawing))


def hatched(drawing: Drawing, fill: palette.Colour = palette.INK) -> list[Mark]:
    """The dark grounds of MVO (or what else is filled so), those of the legend left out."""
    found = [s for s in marks(drawing) if s.fill == fill and s.alpha < 1]
    low = min(panel.box[1] for panel in panels(drawing))
    return [s for s in found if s.path.vertices[:, 1].min() > low]


def test_every_voxel_of_mvo_is_hatched_and_no_other() -> None:
    case = with_mvo()
    stack, anatomy = case.stack, case.anatomy
    mvo = scar_parts(stack, anatomy.cavity, anatomy.myocardium, case.labels == 3).labels == PART_MVO
    assert case.mvo is not None and case.mvo.ml == pytest.approx(mvo.sum() * stack.voxel_ml)
    assert mvo.sum() > 50
    drawing = scar_montage(case, case.anatomy, case.stack)
    grounds = hatched(drawing)
    right = panels(drawing)[1::2]  # the second panel of a slice is the overlay
    for k in np.flatnonzero(anatomy.myocardium.any(axis=(1, 2))):
        panel = right[k]
        scale = (panel.box[2] - panel.box[0]) / 120.0
        middle = np.array([(panel.box[0] + panel.box[2]) / 2, (panel.box[1] + panel.box[3]) / 2])
        wall = np.argwhere(anatomy.myocardium[k])
        mm = wall * stack.spacing[1:] - (84.0, 75.0)
        at = middle + scale * np.column_stack([mm[:, 1], -mm[:, 0]])
        drawn = np.zeros(len(at), bool)
        for ground in grounds:
            drawn |= ground.path.contains_points(at)
        assert (drawn == mvo[k][tuple(wall.T)]).all(), f"slice {k + 1}"
    assert "MVO, part of the scar" in text_of(drawing)
    assert f"{case.mvo.ml:.1f} ml of it MVO" in text_of(drawing)
    assert hatched(scar_montage(replace(case, parts=None), case.anatomy, case.stack)) == []
    bare = result()
    assert "MVO" not in text_of(scar_montage(bare, bare.anatomy, bare.stack))


def test_drawn_mvo_is_part_of_the_scar_and_hatched() -> None:
    stack, labels, anatomy = patient(5)
    labels[3][(labels[3] == 3) & (np.arange(labels.shape[2]) < 76)] = 4
    drawing = montage(stack, labels, anatomy)
    assert len(hatched(drawing)) == 1
    plain = montage(stack, np.where(labels == 4, 3, labels).astype(np.uint8), anatomy)
    tints = [
        [scar.path.vertices - panels(one)[0].box[:2] for scar in hatched(one, palette.SCAR)] for one in (drawing, plain)
    ]
    assert len(tints[0]) == len(tints[1]) > 0
    assert all(np.allclose(with_core, without) for with_core, without in zip(*tints, strict=True))


def test_segments_with_mvo_get_a_sign_on_the_bullseye() -> None:
    case = with_mvo()
    assert case.parts is not None
    inside = np.unique(case.anatomy.aha[case.parts.labels == PART_MVO])
    drawing = scar_bullseye(case)
    shown = [label.text for label in labels_of(drawing) if label.text.endswith(MVO_SIGN) and len(label.text) > 1]
    assert len(shown) == len(inside) > 0
    assert "MVO in the segment" in text_of(drawing)
    assert "MVO" not in text_of(scar_bullseye(result()))
    for ml, signed in ((None, False), (0.0, False), (0.04, False), (0.05, True)):
        rows = tuple(replace(row, mvo_ml=ml) for row in case.segments)
        said = text_of(scar_bullseye(replace(case, segments=rows)))
        assert (MVO_SIGN in said) is signed, "the rows say it, nothing is counted again"


@pytest.mark.parametrize("heard", [0.0, 0.6])
def test_every_picture_of_a_result_names_method_ecg_and_aha_mode(heard: float) -> None:
    case = replace(with_mvo(), ecg_use=EcgUse(heard, USED, TimeGap(3.0)))
    for drawing in (
        scar_bullseye(case),
        transmurality_bullseye(case.segments, how_of(case)),
        scar_montage(case, case.anatomy, case.stack),
    ):
        said = text_of(drawing)
        assert "network, p > 0.5" in said
        assert ("with ECG (investigational)" if heard else "image only") in said
        assert MODE in said
    rule = replace(case, method=Method(ScarSource.N_SD, n_sd=5, remote=RemoteRegion(RemoteSource.DRAWN)))
    assert "Remote region drawn by the reader" in [label.text for label in labels_of(scar_bullseye(rule))]


@pytest.mark.parametrize("division", [Division(), Division(AhaMode.LANDMARK, 16)])
def test_every_picture_of_a_measurement_names_rule_remote_region_and_aha_mode(division: Division) -> None:
    stack, _, anatomy = infarct_with_mvo()
    imaged = anatomy.imaged[: division.segments]
    anatomy = replace(anatomy, division=division, imaged=imaged)
    measured = measure(stack, anatomy, ThresholdRule(ScarSource.N_SD, 4))
    drawings = (
        scar_bullseye(measured),
        transmurality_bullseye(measured.segments, how_of(measured)),
        measured_polar_map(measured, anatomy, stack),
        scar_montage(measured, anatomy, stack),
    )
    for drawing in drawings:
        said = text_of(drawing)
        assert all(text in said for text in ("remote mean + 4 SD", "region found automatically", words(division)))
    assert "% of the segment's volume" in text_of(drawings[0])
    assert "% of the wall's thickness" in text_of(drawings[1])
    assert "% of the wall's thickness" in text_of(drawings[2])
    assert MVO_SIGN in text_of(drawings[0])
    assert len(hatched(drawings[3])) > 0
    for drawing in drawings[:2]:
        assert {w.key for w in marks(drawing) if w.key} == set(range(1, division.segments + 1))


def test_a_caption_leaves_out_what_is_not_known() -> None:
    case = result()
    by_hand = replace(case, method=Method(ScarSource.MANUAL))
    assert how_of(by_hand) == "manual contours\nAHA segments: fixed 60 degrees, 17 segments"
    assert how_of(replace(case, method=Method(image_only=True))).startswith("network, image only, p > 0.5\n")


def test_the_marks_judge_the_scar_that_is_named() -> None:
    case = with_mvo()
    rows = tuple(replace(row, ecg_percent=20.0, agreement=Agreement.AGREE) for row in case.segments)
    case = replace(case, segments=rows, ecg_use=EcgUse(1.0, USED, TimeGap(3.0)))
    assert "ECG against the image-only scar:" in text_of(scar_bullseye(case))
    by_hand = replace(case, method=Method(corrected=True))
    assert "ECG against the corrected scar:" in text_of(scar_bullseye(by_hand))


def grey(drawing: Drawing, dpi: float = 150.0) -> np.ndarray:
    """Luminance as a monochrome printer has it, 0..1, rows from the top."""
    rgb = np.asarray(Image.open(io.BytesIO(to_png(drawing, dpi=dpi))).convert("RGB")) / 255
    return rgb @ (0.2126, 0.7152, 0.0722)


def test_outlines_differ_by_their_line_and_scar_by_a_dark_edge() -> None:
    stack, labels, anatomy = patient(5)
    drawing = montage(stack, labels, anatomy)
    kinds = {
        colour: {bool(s.stroke.dashes) for s in marks(drawing) if s.stroke and s.stroke.colour == colour}
        for colour in (palette.CAVITY, palette.MYOCARDIUM, palette.SCAR)
    }
    assert kinds == {palette.CAVITY: {False}, palette.MYOCARDIUM: {True}, palette.SCAR: {False}}
    edges = [s for s in marks(drawing) if s.stroke and s.path.codes is not None]
    for scar in (s for s in edges if s.stroke.colour == palette.SCAR):
        under = [
            s for s in edges if s.stroke.colour == palette.INK and np.array_equal(s.path.vertices, scar.path.vertices)
        ]
        assert len(under) == 1 and under[0].stroke.width > 2 * scar.stroke.width


def test_scar_beside_blood_of_its_own_brightness_is_seen_in_grey() -> None:
    """The dark edge, not the colour, parts the two on a monochrome printer."""
    stack, labels, anatomy = patient(2)
    stack = replace(stack, voxels=np.where(labels > 0, 200.0, 0.0).astype(np.float32))
    drawing = montage(stack, labels, anatomy)
    panel = panels(drawing)[-1]
    shades, scale = grey(drawing), 150 / 25.4
    x, y = (panel.box[0] + panel.box[2]) / 2, (panel.box[1] + panel.box[3]) / 2
    column = shades[
        round((drawing.height - y) * scale) : round((drawing.height - panel.box[1]) * scale), round(x * scale)
    ]
    inside = column[: int(26 * (panel.box[2] - panel.box[0]) / 120 * scale)]
    assert inside.min() < 0.55 * np.median(inside)


def test_the_keys_are_seen_on_white_paper_and_differ_in_grey() -> None:
    stack, labels, anatomy = patient(5)
    drawing = montage(stack, np.where(labels == 3, 4, labels), anatomy)
    shades, scale = grey(drawing, 300.0), 300 / 25.4
    seen = {}
    for name in ("endocardium", "epicardium", "scar", "MVO, part of the scar", "anterior RV insertion",
                  "inferior RV insertion", "hollow: uncertain"):  # fmt: skip
        label = next(one for one in labels_of(drawing) if one.text == name)
        left, right = (round((label.x - off) * scale) for off in (5.8, 1.2))
        top, bottom = (round((drawing.height - label.y + off) * scale) for off in (-1.3, 1.3))
        seen[name] = shades[top : top + 30, left : left + 54]
        assert np.ptp(seen[name]) > 0.25, name
        assert bottom > top and right > left
    for (one, a), (other, b) in itertools.combinations(seen.items(), 2):
        assert np.abs(a - b).mean() > 0.01, (one, other)


def test_a_number_keeps_its_per_cent_sign() -> None:
    assert wrap("rule EWA 30 % of it", 22.0, 3.2) == ["rule EWA", "30 % of it"]
