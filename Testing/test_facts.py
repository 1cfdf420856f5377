"""Facts are told by wording alone, kept in JSON without loss, and no two of them are told alike by mistake."""

from __future__ import annotations

import json

import pytest

from ScarSegECGLib import facts
from ScarSegECGLib.case import Burden, EcgFeatures, EcgFindings, EcgUse, Interval, TimeGap
from ScarSegECGLib.facts import (
    Code,
    Confidence,
    ConfidenceReason,
    Contrast,
    Doubt,
    Fact,
    Grade,
    Method,
    PartsRule,
    RemoteRegion,
    RemoteSource,
    ScarSource,
    Word,
    has,
)
from ScarSegECGLib.facts_ecg import Conduction, EcgReason, Hindrance, QWaveRemark
from ScarSegECGLib.facts_json import from_plain, to_plain
from ScarSegECGLib.wording import all_words, rule_words, spans, words
from ScarSegECGLib.wording_texts import TEXTS

REGION = RemoteRegion(RemoteSource.SEGMENTS, (4, 10), held=3, shown=4)
WITHOUT_ARRAYS = EcgFeatures(70.0, 150.0, 160.0, 380.0, 400.0, 30.0, Conduction.LBBB, *[None] * 6)
KEPT = [
    Fact(Doubt.REMOTE_LENT, region=REGION, held=3, shown=4, low=1.5, high=2.0),
    Fact(EcgReason.COUNTS_LESS, why=Fact(Hindrance.WIDE, qrs=132.0)),
    Method(ScarSource.N_SD, n_sd=3.0, per="slice", contrast=Contrast.PSIR, remote=REGION, without_slices=(1, 9)),
    Confidence(Grade.CHECK, (Fact(ConfidenceReason.LITTLE_SCAR, ml=1.2),)),
    PartsRule(Contrast.MAGNITUDE, RemoteRegion()),
    None,
    (),
    EcgFindings(WITHOUT_ARRAYS, None, Fact(QWaveRemark.SILENT, conduction=Conduction.LBBB), None, None, None),
]


@pytest.mark.parametrize("fact", KEPT, ids=str)
def test_a_fact_survives_json_and_can_be_a_key(fact) -> None:
    again = from_plain(json.loads(json.dumps(to_plain(fact))))
    assert again == fact and hash(again) == hash(fact) and type(again) is type(fact)


@pytest.mark.parametrize(
    "kept",
    [{"word": "Grade", "is": "fine"}, {"record": "os.system", "of": {}}, {"record": "Method", "of": {"a": 1}}, {}],
)
def test_what_is_no_fact_is_refused(kept) -> None:
    with pytest.raises(ValueError, match="another version"):
        from_plain(kept)


def test_every_code_has_words() -> None:
    codes = [code for kind in Code.__subclasses__() for code in kind]
    assert len(codes) > 100 and [code for code in codes if code not in TEXTS] == []


def test_words_of_two_lists_are_not_mixed_up() -> None:
    assert Contrast.UNKNOWN == Conduction.UNKNOWN  # as text in a file
    assert words(Contrast.UNKNOWN) != words(Conduction.UNKNOWN)
    assert f"{Contrast.PSIR:>6}|{Contrast.PSIR!s}" == "  psir|psir"
    assert all(isinstance(words(word), str) for kind in Word.__subclasses__() for word in kind)


def test_a_translation_sees_whole_sentences_with_the_places_of_their_numbers() -> None:
    seen: list[str] = []
    german = {
        "ECG {when} from MRI: not used": "EKG {when} vom MRT: nicht verwendet",
        "{days:.0f} days": "{days:.0f} Tage",
    }

    def tr(text: str) -> str:
        seen.append(text)
        return german.get(text, text)

    use = EcgUse(0.0, (Fact(EcgReason.TOO_FAR, days=-900.0),), TimeGap(-900.0))
    assert words(use, tr) == "EKG 900 Tage vom MRT: nicht verwendet" and seen


def test_what_has_no_words_is_no_silence() -> None:
    assert words(None) == "" and words("a file's own text") == "a file's own text"
    with pytest.raises(TypeError, match="no words"):
        words(3.5)


def test_methods_figures_and_doubts_in_words() -> None:
    told = words(KEPT[2])
    assert told.startswith(
        "remote mean + 3 SD, one threshold per slice, contrast psir, slices 1, 9 from the apex left out; "
    )
    assert told.endswith("in 3 of 4 slices (the other 1 take its pooled mean and SD)")
    assert rule_words(Method(image_only=True, corrected=True)) == "network, image only, p > 0.5, corrected by hand"
    assert words(Burden(10.0, 10.5, 8.0)) == "10.5 g (10.0 ml, 8.0 % of LV)"
    assert "4.0 to 9.0 ml" in words(Interval((4.0, 9.0), (3.0, 7.0), 0.9))
    assert words(KEPT[3]).startswith("check the result on the images: 1.2 ml of scar")
    low = Fact(Doubt.THRESHOLD_LOW, scar_percent=70.0, remote_percent=0.0, low=3, slices=5)
    assert "70 % of the LV would be scar; the limit is below remote mean + 2 SD in 3 of 5 slices" in words(low)
    assert all_words((low, low)) == (words(low),) and has((low,), Doubt.THRESHOLD_LOW) and not has((), Doubt.WIDER_APEX)
    assert spans((1, 2, 3, 4, 6, 8, 9)) == "1 to 4, 6, 8, 9"


def test_the_lists_of_facts_import_nothing_of_the_library() -> None:
    assert [name for name in vars(facts) if name.startswith("ScarSegECGLib")] == []
