"""The simulated ECG behaves as cardiology expects: normal, scarred, with conduction defects, and with age."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from phantom import simulate_ecg

from ScarSegECGLib.case import LEADS
from ScarSegECGLib.ecg.findings import qrs_score
from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts_ecg import EcgNote
from ScarSegECGLib.training.ecg_simulation.heart import SITES, activation_ms, standard_heart
from ScarSegECGLib.training.ecg_simulation.simulate import (
    WINDOW_ONSET,
    Body,
    drawn_bodies,
    noise_bank,
    simulate_beats,
    synthetic_noise,
)
from ScarSegECGLib.training.pairs import INFARCT_AGE_DAYS, aged_scar_for_ecg, measure, non_diagnostic, relative_mass

ONSET, MS_PER_SAMPLE = 100, 2.0
NONE = np.zeros(17)


def scar_in(*segments: int, fraction: float = 0.9) -> NDArray:
    scar = np.zeros(17)
    scar[np.array(segments) - 1] = fraction
    return scar


ANTERIOR, SEPTAL = scar_in(1, 7, 8, 13, 14, 17), scar_in(2, 8, 9, 14)
LATERAL, INFERIOR = scar_in(5, 6, 11, 12, 16), scar_in(3, 4, 9, 10, 15)


def textbook(n: int = 1) -> Body:
    """``n`` times the same textbook person: PR 160 ms, P 0.12 mV in lead II."""
    nought, one = np.zeros((n, 3)), np.ones(n)
    return Body(nought, nought, one, np.zeros((n, 9, 3)), one, one, one, 160.0 * one, 0.12 * one)


def beats_of(scar: NDArray, bodies: Body | None = None, conduction: str = "normal", rate: float = 70.0) -> NDArray:
    """Beats as the network reads them, [n, 12, 300] with the QRS at ONSET."""
    n = len(scar)
    windows = simulate_beats(scar, textbook(n) if bodies is None else bodies, [conduction] * n, np.full(n, rate))
    return windows[:, :, WINDOW_ONSET - ONSET :][:, :, :300]


def lead(beat: NDArray, name: str) -> NDArray:
    """The QRS of one lead, 120 ms from its onset."""
    return beat[LEADS.index(name), ONSET : ONSET + 60]


def r_mv(beat: NDArray, name: str) -> float:
    return max(0.0, float(lead(beat, name).max()))


def s_mv(beat: NDArray, name: str) -> float:
    """Depth of the negative wave that follows the R wave."""
    qrs = lead(beat, name)
    return max(0.0, -float(qrs[int(qrs.argmax()) :].min()))


def q_mv(beat: NDArray, name: str) -> float:
    """Depth of the negative wave before any r wave of 0.05 mV; the whole of a QS complex."""
    qrs = lead(beat, name)
    first_r = np.flatnonzero(qrs > 0.05)
    until = int(first_r[0]) if len(first_r) else len(qrs)
    return max(0.0, -float(qrs[: until + 1].min()))


def qrs_ms(beat: NDArray) -> float:
    """From the onset to the last sample as steep as 4 % of the steepest, all leads together."""
    steep = np.sqrt((np.gradient(beat, axis=1) ** 2).sum(axis=0))[ONSET - 5 : ONSET + 110]
    return float(np.flatnonzero(steep > 0.04 * steep.max())[-1] - 5) * MS_PER_SAMPLE


def axis_deg(beat: NDArray) -> float:
    net = beat[:, ONSET : ONSET + 60].sum(axis=1)
    return float(np.degrees(np.arctan2(2.0 / np.sqrt(3.0) * net[LEADS.index("aVF")], net[LEADS.index("I")])))


def t_mv(beat: NDArray, name: str) -> float:
    wave = beat[LEADS.index(name), ONSET + 80 :]
    return float(wave[np.abs(wave).argmax()])


@pytest.fixture(scope="module")
def people() -> dict[str, NDArray]:
    """The same 80 people without scar, with each scar, and with each conduction defect."""
    bodies = drawn_bodies(80, np.random.default_rng(7))
    scars = {"normal": NONE, "anterior": ANTERIOR, "septal": SEPTAL, "lateral": LATERAL, "inferior": INFERIOR}
    beats = {name: beats_of(np.tile(scar, (80, 1)), bodies) for name, scar in scars.items()}
    for name in ("lbbb", "rbbb", "lafb"):
        beats[name] = beats_of(np.zeros((80, 17)), bodies, name)
    return beats


@pytest.fixture(scope="module")
def normal() -> NDArray:
    return beats_of(NONE[None])[0]


def test_beats_have_the_common_form(normal: NDArray) -> None:
    assert normal.shape == (12, 300) and normal.dtype == np.float32
    limb = dict(zip(LEADS[:6], normal[:6].astype(float), strict=True))
    np.testing.assert_allclose(limb["II"], limb["I"] + limb["III"], atol=1e-5)
    np.testing.assert_allclose(limb["aVR"] + limb["aVL"] + limb["aVF"], 0.0, atol=1e-5)
    assert np.abs(normal[:, :5]).max() < 0.02 and np.abs(normal[:, ONSET - 12 : ONSET - 4]).max() < 0.04


def test_qrs_begins_at_sample_100(people: dict[str, NDArray]) -> None:
    for beat in people["normal"]:
        steep = np.sqrt((np.gradient(beat, axis=1) ** 2).sum(axis=0))
        onset = np.flatnonzero(steep[80:] > 0.06 * steep.max())[0] + 80
        assert abs(onset - ONSET) <= 4


def test_a_typical_normal_ecg(normal: NDArray) -> None:
    r = [r_mv(normal, f"V{k}") for k in range(1, 6)]
    assert r[0] < r[1] < r[3] and r[0] < r[2] < r[3] < r[4] * 1.05, "R grows from V1 to V5"
    assert s_mv(normal, "V1") > r[0] and s_mv(normal, "V2") > r[1], "V1 and V2 are rS"
    assert r[4] > 5.0 * s_mv(normal, "V5")
    assert -30.0 <= axis_deg(normal) <= 90.0
    assert 70.0 <= qrs_ms(normal) <= 110.0
    assert all(t_mv(normal, name) > 0.05 for name in ("I", "II", "V2", "V3", "V4", "V5", "V6"))
    assert t_mv(normal, "aVR") < -0.05 and lead(normal, "aVR").min() < -0.4
    assert 0.05 < normal[1, :ONSET].max() < 0.2, "P upright in II"
    assert 1.0 < max(r_mv(normal, name) for name in LEADS) < 2.8
    assert normal[1, ONSET + 45 : ONSET + 60].std() < 0.03, "ST is flat"


def test_a_population_of_normal_ecgs(people: dict[str, NDArray]) -> None:
    beats = people["normal"]
    axis = np.array([axis_deg(b) for b in beats])
    width = np.array([qrs_ms(b) for b in beats])
    assert np.mean((axis > -30) & (axis < 90)) >= 0.9
    assert np.mean((width >= 68) & (width <= 110)) >= 0.95
    assert np.mean([r_mv(b, "V5") > 2.0 * r_mv(b, "V1") for b in beats]) >= 0.75
    assert np.mean([t_mv(b, "V4") > 0 and t_mv(b, "II") > 0 and t_mv(b, "V6") > 0 for b in beats]) >= 0.95


def test_anterior_scar_takes_the_r_wave_of_v2_to_v4(people: dict[str, NDArray]) -> None:
    for name in ("V2", "V3", "V4"):
        lost = [r_mv(s, name) < 0.6 * r_mv(n, name) for s, n in zip(people["anterior"], people["normal"], strict=True)]
        assert np.mean(lost) >= 0.85, name
    assert np.median([q_mv(b, "V3") for b in people["anterior"]]) > 0.2


def test_septal_scar_takes_the_first_r_of_v1_and_v2(people: dict[str, NDArray]) -> None:
    first = slice(0, 14)  # the first 28 ms
    for name in ("V1", "V2"):
        before = np.array([lead(b, name)[first].max() for b in people["normal"]])
        after = np.array([lead(b, name)[first].max() for b in people["septal"]])
        assert np.mean(after < 0.5 * before) >= 0.9, name


def test_lateral_scar_shows_in_i_avl_v5_v6(people: dict[str, NDArray]) -> None:
    for name in ("I", "V5", "V6"):
        lost = [r_mv(s, name) < 0.6 * r_mv(n, name) for s, n in zip(people["lateral"], people["normal"], strict=True)]
        assert np.mean(lost) >= 0.9, name
    kept = [r_mv(s, "aVL") / r_mv(n, "aVL") for s, n in zip(people["lateral"], people["normal"], strict=True)]
    assert np.median(kept) < 0.7, "aVL, which looks more at the mid-anterior wall, loses less"
    assert np.median([q_mv(b, "V6") for b in people["lateral"]]) > 0.2


def test_inferior_scar_makes_q_in_ii_iii_avf(people: dict[str, NDArray]) -> None:
    for name, share in (("II", 0.65), ("III", 0.9), ("aVF", 0.9)):
        more = [q_mv(s, name) > q_mv(n, name) + 0.08 for s, n in zip(people["inferior"], people["normal"], strict=True)]
        assert np.mean(more) >= share, name


def test_mid_anterior_scar_makes_q_in_avl(people: dict[str, NDArray]) -> None:
    bodies = drawn_bodies(80, np.random.default_rng(7))
    beats = beats_of(np.tile(scar_in(7, 12, 13), (80, 1)), bodies)
    more = [q_mv(s, "aVL") > q_mv(n, "aVL") + 0.08 for s, n in zip(beats, people["normal"], strict=True)]
    assert np.mean(more) >= 0.6


def test_more_scar_changes_the_ecg_more() -> None:
    steps = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    beats = beats_of(np.stack([scar_in(7, 8, 13, 14, fraction=f) for f in steps]))
    change = np.abs(beats - beats[:1])[:, :, ONSET : ONSET + 60].sum(axis=(1, 2))
    # A wholly dead wall lacks the late forces of its slow remnant, so the last step need not be the greatest.
    assert (np.diff(change[:4]) > 0).all() and change[4:].min() > change[2]


def test_lbbb(people: dict[str, NDArray]) -> None:
    beats = people["lbbb"]
    assert min(qrs_ms(b) for b in beats) > 120.0
    assert np.mean([r_mv(b, "V1") < 0.15 * s_mv(b, "V1") for b in beats]) >= 0.95, "QS or rS in V1"
    for name in ("I", "V6"):
        positive = np.array([(lead(b, name) > 0.1).sum() * MS_PER_SAMPLE for b in beats])
        assert np.mean(positive > 60.0) >= 0.85, f"broad R in {name}"
        assert np.mean([q_mv(b, name) < 0.05 for b in beats]) >= 0.85, f"no septal q in {name}"
    assert np.mean([t_mv(b, "V2") > 0 for b in beats]) >= 0.95, "secondary T in V2"


def test_rbbb(people: dict[str, NDArray]) -> None:
    beats = people["rbbb"]
    assert min(qrs_ms(b) for b in beats) > 118.0
    shape = []
    for b in beats:
        v1 = b[LEADS.index("V1"), ONSET : ONSET + 80]
        trough = 8 + int(v1[8:35].argmin())
        shape.append(v1[:trough].max() > 0.05 and v1[trough] < -0.05 and v1[trough:].max() > 0.2)
    assert np.mean(shape) >= 0.85, "rSR' in V1"
    for name in ("I", "V6"):
        wide = [(b[LEADS.index(name), ONSET + 25 : ONSET + 80] < -0.03).sum() * MS_PER_SAMPLE > 40.0 for b in beats]
        assert np.mean(wide) >= 0.85, f"wide S in {name}"


# Where cardiology looks for an old infarct: leads that lose R, and leads that gain a Q wave of 0.08 mV or more.
LOOKED_FOR = {
    "anterior": (("V2", "V3", "V4"), ("V3",)),
    "septal": (("V1", "V2"), ("V1",)),
    "lateral": (("I", "V5", "V6"), ("V6",)),
    "inferior": (("III", "aVF"), ("III", "aVF")),
}


@pytest.mark.parametrize("wall", LOOKED_FOR)
def test_scars_show_where_cardiology_looks_for_them(people: dict[str, NDArray], wall: str) -> None:
    lose_r, gain_q = LOOKED_FOR[wall]
    both = list(zip(people[wall], people["normal"], strict=True))
    for name in lose_r:
        assert np.mean([r_mv(s, name) < 0.75 * r_mv(n, name) for s, n in both]) >= 0.6, f"R of {name}"
    for name in gain_q:
        assert np.mean([q_mv(s, name) > q_mv(n, name) + 0.08 for s, n in both]) >= 0.5, f"Q of {name}"


def test_the_qrs_score_follows_the_size_of_anterior_scars() -> None:
    rng = np.random.default_rng(3)
    anterior = np.array([1, 2, 7, 8, 13, 14, 17]) - 1
    scar = np.zeros((90, 17))
    for row in scar[10:]:
        some = rng.permutation(anterior)[: rng.integers(1, len(anterior) + 1)]
        row[some] = rng.uniform(0.3, 1.0) * rng.uniform(0.7, 1.0, len(some))
    windows = simulate_beats(scar, drawn_bodies(90, rng), ["normal"] * 90, np.full(90, 70.0))
    every = np.ones(12, dtype=bool)
    scored = [qrs_score(measure(window.astype(float), every, 70.0))[0] for window in windows]
    points = [sum(criterion.points for criterion in met) for met in scored]
    assert np.corrcoef(points, scar.sum(axis=1))[0, 1] >= 0.6
    assert np.mean(points[:10]) <= 2.0, "hearts without scar score hardly anything"


def test_lafb_axis_lies_beyond_minus_45(people: dict[str, NDArray]) -> None:
    axis = np.array([axis_deg(beat) for beat in people["lafb"]])
    typical = beats_of(NONE[None], conduction="lafb")[0]
    assert -90.0 < axis_deg(typical) <= -45.0
    assert np.median(axis) <= -45.0 and axis.max() < -25.0
    assert np.median([s_mv(beat, "III") / max(r_mv(beat, "III"), 0.05) for beat in people["lafb"]]) > 2.0, "rS in III"


def test_lafb_turns_the_axis_to_the_left(people: dict[str, NDArray]) -> None:
    turn = [axis_deg(n) - axis_deg(d) for d, n in zip(people["lafb"], people["normal"], strict=True)]
    assert np.median(turn) > 40.0
    assert np.median([qrs_ms(b) for b in people["lafb"]]) < 122.0


def test_one_seed_gives_one_ecg() -> None:
    draws = [np.random.default_rng(seed) for seed in (3, 3, 4)]
    first, again, other = (simulate_ecg(ANTERIOR, drawn_bodies(1, rng), rng).millivolts for rng in draws)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(list(SITES)), st.floats(45.0, 120.0))
def test_every_heart_gives_a_plausible_ecg(seed: int, conduction: str, rate: float) -> None:
    rng = np.random.default_rng(seed)
    scar = rng.random((2, 17)) * (rng.random((2, 17)) < 0.4)
    beats = beats_of(scar, drawn_bodies(2, rng), conduction, rate)
    assert np.isfinite(beats).all() and np.abs(beats).max() < 9.0
    np.testing.assert_allclose(beats[:, 1], beats[:, 0] + beats[:, 2], atol=1e-4)


def test_excitation_reaches_every_node_and_scar_delays_it() -> None:
    heart = standard_heart()
    scar = np.zeros((2, len(heart.nodes_mm)))
    scar[1, heart.segment == 12] = 1.0
    free, slowed = activation_ms(["normal", "normal"], scar, np.ones(2))
    assert np.isfinite(free).all() and free.min() < 0.01
    assert (slowed >= free - 1e-9).all() and slowed[heart.segment == 12].mean() > free[heart.segment == 12].mean() + 5.0


def test_the_heart_has_17_segments_of_sensible_place() -> None:
    heart = standard_heart()
    assert set(heart.segment.tolist()) == set(range(18))
    centre = {k: heart.nodes_mm[heart.segment == k].mean(axis=0) for k in range(1, 18)}
    assert centre[1][1] > 15 and centre[4][1] < -15, "anterior and inferior"
    assert centre[2][0] < -10 and centre[3][0] < -10 and centre[5][0] > 10 and centre[6][0] > 10
    assert centre[13][1] > 5 and centre[14][0] < -5 and centre[15][1] < -5 and centre[16][0] > 5
    assert centre[17][2] > centre[13][2] > centre[7][2] > centre[1][2], "apex ahead"


def test_a_record_has_its_rate_and_says_that_it_is_simulated() -> None:
    ecg = simulate_ecg(NONE, textbook())
    assert ecg.millivolts.shape == (12, 5000) and ecg.rate == 500.0 and ecg.notes[0].code == EcgNote.SIMULATED
    v5 = ecg.millivolts[LEADS.index("V5")]
    beats = np.flatnonzero((v5[1:-1] > 1.0) & (v5[1:-1] >= v5[:-2]) & (v5[1:-1] > v5[2:]))
    assert 11 <= len(beats) <= 12 and np.allclose(np.diff(beats), 500 * 60 / 70, atol=3)


def test_noise_is_small_and_keeps_the_limb_leads_laws() -> None:
    noise = synthetic_noise(np.random.default_rng(0))
    np.testing.assert_allclose(noise[1], noise[0] + noise[2], atol=1e-9)
    assert 0.005 < noise.std() < 0.2


def test_a_folder_without_records_gives_no_noise() -> None:
    with pytest.raises(InputError, match="No 12-lead record") as told:
        noise_bank(Path(__file__).parent / "no such folder")
    assert "\n" not in str(told.value)


def test_noise_of_real_records_holds_no_beat(shared_data: Path) -> None:
    bank = noise_bank(shared_data / "ecg" / "cinc2021")
    assert bank.shape[0] >= 10 and bank.shape[1:] == (12, 5000) and np.isfinite(bank).all()
    assert np.median(bank.std(axis=2)) < 0.12
    assert np.abs(bank).max() < 8.0


def test_published_rates_of_ageing() -> None:
    assert non_diagnostic(7.0) == pytest.approx(0.23) and non_diagnostic(5 * 365.0) == pytest.approx(0.44, abs=0.005)
    assert non_diagnostic(365.0) > 0.23 + 0.9 * 0.21
    assert relative_mass(120.0) == pytest.approx(0.68) and relative_mass(425.0) == pytest.approx(0.68 * 0.88)
    draws = [np.random.default_rng(seed) for seed in range(800)]
    gone = [aged_scar_for_ecg(ANTERIOR, 5 * 365.0, 7.0, rng).max() for rng in draws]
    # 44 % of all, 23 % of whom never had it: 27 % of the others. New infarcts hide a few.
    assert np.mean(np.array(gone) < 0.25) == pytest.approx(0.27 * 0.9, abs=0.07)


def test_no_gap_changes_nothing_and_a_long_one_informs_less() -> None:
    def likeness(days: float) -> float:
        draws = [np.random.default_rng(seed) for seed in range(300)]
        ages = [float(np.exp(rng.uniform(*np.log(INFARCT_AGE_DAYS)))) for rng in draws]
        kept = [aged_scar_for_ecg(INFERIOR, days, age, rng) for age, rng in zip(ages, draws, strict=True)]
        return float(np.mean([np.abs(k - INFERIOR).sum() for k in kept]))

    assert likeness(0.0) == 0.0
    assert 0.0 < likeness(30.0) < likeness(300.0) < likeness(2000.0)
    assert 0.0 < likeness(-30.0) < likeness(-300.0) < likeness(-2000.0)


def test_an_ecg_from_before_the_infarct_shows_none_of_it() -> None:
    assert not aged_scar_for_ecg(SEPTAL, -10.0, 4.0, np.random.default_rng(0)).any()
