"""The report: self-contained, escaped, and honest about what was used."""

from __future__ import annotations

import csv
import hashlib
import re
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from importlib import resources

import numpy as np
import pytest
from example_results import PICTURES, make_result

from ScarSegECGLib.case import Burden, EcgUse, Interval, IslandPattern, ScarParts, TimeGap
from ScarSegECGLib.facts import (
    Confidence,
    ConfidenceReason,
    Contrast,
    Doubt,
    Fact,
    Grade,
    Method,
    PartsRemark,
    PartsRule,
    Pattern,
    RemoteRegion,
    ScarRemark,
    ScarSource,
)
from ScarSegECGLib.facts_ecg import Agreement, AgreementReason, EcgReason, GapProblem
from ScarSegECGLib.report.accuracy import accuracy_line
from ScarSegECGLib.report.html import as_html
from ScarSegECGLib.report.present import headline, present, summary
from ScarSegECGLib.wording import words

NOW = datetime(2031, 2, 3, 4, 5, tzinfo=timezone.utc)
RULE = Method(ScarSource.N_SD, n_sd=3.0, per="slice", contrast=Contrast.PSIR)
UNUSED = EcgUse(0.0, (Fact(EcgReason.NOT_GIVEN),), TimeGap(None))
HOSTILE = "<script>alert(1)</script><img src=x onerror='go()'>\" & ${method} $method {0} %s"


class Page(HTMLParser):
    """Tags, attributes and visible text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"unclosed: {self.open}"

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data)


def report_html(result, pictures, created) -> str:
    return as_html(present(result, pictures, created))


def page_of(pictures=PICTURES, **changes) -> Page:
    return Page(report_html(make_result(**changes), pictures, NOW))


def test_the_page_is_self_contained_and_fetches_nothing():
    html = report_html(make_result(), PICTURES, NOW)
    page = Page(html)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "embed", "a", "form", "base", "svg"}
    assert re.search(r"https?:|//|@import|url\(", re.sub(r"base64,[^\"]*", "", html)) is None
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 3
    assert all(image["src"].startswith("data:image/png;base64,iVBOR") and image["alt"] for image in images)
    policies = [a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and "default-src 'none'" in policies[0] and "script" not in policies[0]
    assert not any(name.startswith("on") or name == "style" for _, attributes in page.tags for name in attributes)


def test_hostile_text_stays_text():
    reason = Fact(EcgReason.UNREADABLE, error=HOSTILE)
    result = make_result(warnings=(reason,), ecg_use=EcgUse(0.5, (reason,), TimeGap(None)))
    taken = Fact(AgreementReason.ECG_NOT_USED, use=(reason,))
    result = replace(
        result,
        stack=replace(result.stack, notes=(reason,), sha256=HOSTILE),
        timings={HOSTILE: 1.0},
        segments=tuple(
            replace(row, name=HOSTILE, territory=HOSTILE, transmurality_bin=HOSTILE, agreement_reason=taken)
            for row in result.segments
        ),
    )
    page = Page(report_html(result, PICTURES, NOW))
    assert sum(tag == "script" for tag, _ in page.tags) == 0
    assert sum(tag == "img" for tag, _ in page.tags) == 3
    assert "alert(1)" in page.text and "${method} $method {0} %s" in page.text


def test_both_burdens_stand_beside_the_method_and_the_weight():
    text = page_of().text
    result = make_result()
    for burden in (result.scar, result.scar_image_only):
        assert f"{burden.grams:.1f}" in text and f"{burden.percent_of_lv:.1f}" in text
    assert text.count("network, p > 0.5") == 1, "the method is said once"
    assert text.count("fixed 60 degrees, 17 segments") == 1
    assert "The ECG's weight by time and conduction is 0.83 of 1;" in text
    assert text.count("41 days before the MRI") == 1
    assert text.count("For research use; not a medical device.") == 2
    assert words(Fact(Doubt.WIDER_APEX)) in text
    for digest in ("a1" * 32, "b2" * 32, "c3" * 32):
        assert digest in text


@pytest.mark.parametrize("changes", [{"with_ecg": False}, {"amplitude": 0.0}], ids=["no ECG", "weight zero"])
def test_an_unused_ecg_is_said_at_the_headline(changes):
    pictures = PICTURES if changes.get("with_ecg", True) else {k: v for k, v in PICTURES.items() if k != "ecg.png"}
    page = page_of(pictures, **changes)
    headline = page.text.split("What was used")[0]
    assert "With ECG: the image-only result stands. ECG not used: no ECG was given." in headline
    assert headline.count("Image only") == 2  # the first line and its table
    if "with_ecg" in changes:
        assert "No ECG: the result rests on the images alone." in page.text
        assert sum(tag == "img" for tag, _ in page.tags) == 2


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (-41.0, "ECG 41 days before the MRI."),
        (12.0, "ECG 12 days after the MRI."),
        (-1.2, "ECG 1 day before the MRI."),
        (0.2, "ECG and MRI on the same day."),
        (-1825.0, "ECG 1825 days (5.0 years) before the MRI."),
        (None, "unknown: the ECG's dates were removed or modified"),
    ],
)
def test_the_gap_is_said_once_with_its_direction_and_in_years(days, said):
    gap = TimeGap(days, problem=None if days is not None else GapProblem.ECG_DATE_NOT_TRUSTED)
    use = EcgUse(0.5, (Fact(EcgReason.USED, days=days, weight=0.5),), gap)
    assert page_of(ecg_use=use).text.count(said) == 1


def test_segments_that_were_not_imaged_say_so_and_carry_no_number():
    page = page_of()
    line = page.text.split("17 apex", 1)[1]
    assert line.startswith(" LAD not imaged")
    assert page.text.count("not imaged") == 1


def test_each_reason_of_the_ecg_is_given_once_with_its_segments():
    text = page_of().text
    reason = words(Fact(AgreementReason.POOR_WALL))
    assert text.count(reason) == 1
    assert f"ECG cannot tell, segments 2, 5, 8, 11, 14, 17: {reason}." in text


def test_no_scar_is_a_number_not_a_gap():
    text = page_of(scar=False).text
    assert "With ECG (investigational): 0.0 ml added 0.0 0.0 0.0" in text
    assert "nan" not in text.lower() and "None" not in text


def test_missing_pictures_are_said_and_others_than_png_refused():
    assert page_of({}).text.count("no picture was made") == 4
    with pytest.raises(ValueError, match="not a PNG"):
        page_of({"montage.png": b"<svg onload='x'/>"})


def test_the_ecg_says_that_it_is_not_to_scale():
    assert "count squares, 0.04 s and 0.1 mV each" in page_of().text
    assert "count squares" not in page_of({}).text


def test_assumed_orientation_is_said():
    result = make_result()
    html = report_html(replace(result, stack=replace(result.stack, orientation_known=False)), PICTURES, NOW)
    assert "may be wrong" in html and "may be wrong" not in report_html(result, PICTURES, NOW)


def test_the_images_alone_come_first_and_bold():
    result = replace(make_result(), scar_image_only=Burden(11.0, 11.5, 9.0), scar=Burden(12.5, 13.1, 10.2))
    html = report_html(result, PICTURES, NOW)
    table = html.split('<table class="large">')[1].split("</table>")[0]
    assert table.index("Image only") < table.index("With ECG (investigational): 1.5 ml added")
    assert ".large tr:first-child td { font-weight: 700; }" in html


def test_what_a_reader_corrected_comes_before_what_the_network_said():
    result = replace(make_result(), scar_image_only=Burden(11.0, 11.5, 9.0), scar=Burden(8.0, 8.4, 6.5))
    html = report_html(replace(result, method=Method(corrected=True)), PICTURES, NOW)
    headline = Page(html).text.split("Scar volume, ml")[1].split("LV myocardium (scar")[0]
    assert headline.split()[:6] == ["Corrected", "by", "hand", "8.4", "6.5", "8.0"]
    assert "Before, image only 11.5 9.0 11.0" in headline and "added" not in headline


def table_of(page: str, title: str) -> str:
    """The words of the table under a heading."""
    return Page(page.split(f"<h2>{title}</h2>")[1].split("</section>")[0]).text


def test_the_headings_of_the_segments_say_which_scar_and_per_cent_of_what():
    result = make_result()

    def told(**changes) -> str:
        return table_of(report_html(replace(result, **changes), PICTURES, NOW), "AHA segments")

    heard = told()
    for heading in (
        "Scar image only, % of segment volume",
        "Scar with ECG, % of segment volume",
        "Scar with ECG, ml",
        "MVO in it, ml",
        "Transmurality with ECG, mean / max, % of wall thickness",
        "ECG alone, % of segment",
    ):
        assert heading in heard, heading
    assert heard.index("Scar image only") < heard.index("Scar with ECG")
    by_hand = told(method=Method(corrected=True))
    assert "Scar by hand, ml" in by_hand and "with ECG" not in by_hand and "before the correction" in by_hand
    for alone in (told(method=RULE), told(ecg_use=UNUSED)):
        assert "Scar, % of segment volume" in alone
        assert "with ECG" not in alone and "Scar image only" not in alone


def test_a_maximum_on_little_scar_is_marked():
    result = make_result()
    little = replace(result.segments[3], scar_ml=0.49, transmurality_mean_percent=7.0, transmurality_max_percent=100.0)
    rows = (*result.segments[:3], little, *result.segments[4:])
    told = table_of(report_html(replace(result, segments=rows), PICTURES, NOW), "AHA segments")
    assert "7 / 100*" in told and "rests on less than 0.5 ml of scar" in told
    assert "25 / 38 " in told  # 1.4 ml


def test_what_the_scar_is_made_of_adds_up_and_says_what_could_not_be_told():
    result = make_result()
    whole = result.scar

    def burden(share: float) -> Burden:
        return Burden(share * whole.ml, share * whole.grams, share * whole.percent_of_lv)

    labels = np.zeros(result.labels.shape, np.uint8)
    rule, remark = PartsRule(Contrast.PSIR, RemoteRegion()), Fact(PartsRemark.NO_ROOM, lost=4, among=4)
    parts = ScarParts(labels, burden(0.1), burden(0.6), None, burden(0.3), rule, remark)
    page = report_html(replace(result, parts=parts, mvo=parts.mvo), PICTURES, NOW)
    told = table_of(page, "What the scar is made of")
    assert words(rule)[1:] in told and words(remark)[1:] in told and "Grey zone not determinable" in told
    for name, share in (("Core, without MVO", 0.6), ("Below the grey zone's limit", 0.3), ("MVO", 0.1)):
        one = burden(share)
        assert f"{name} {one.grams:.1f} {one.percent_of_lv:.1f} {one.ml:.1f}" in told
    assert f"Together: the scar {whole.grams:.1f} {whole.percent_of_lv:.1f} {whole.ml:.1f}" in told
    unknown = ScarParts(labels, burden(0.1), remark=Fact(PartsRemark.CONTRAST_UNKNOWN))
    told = table_of(report_html(replace(result, parts=unknown), PICTURES, NOW), "What the scar is made of")
    assert "choose the contrast." in told and "MVO" in told and "Core," not in told
    assert "What the scar is made of" not in report_html(result, PICTURES, NOW)  # nobody looked


def test_the_smallest_islands_are_counted_but_not_listed():
    islands = tuple(
        IslandPattern(
            n, Pattern.MID_WALL, (0.1, 0.6, 0.2), False, ScarRemark.NON_ISCHAEMIC, ml=1 / n, slices=(n, n + 1)
        )
        for n in range(1, 12)
    )
    told = table_of(
        report_html(replace(make_result(), patterns=islands), PICTURES, NOW), "Where in the wall the scar lies"
    )
    assert "1 mid-wall 1.0 2 to 3 10 / 60 / 20 no non-ischaemic pattern or false positive" in told
    assert told.count("mid-wall") == 8 and "3 smaller ones, 0.3 ml, are not listed" in told


def test_scar_as_little_as_in_hearts_without_infarct_is_said_beside_the_figure():
    folder = resources.files("ScarSegECGLib") / "weights"
    digest = hashlib.sha256((folder / "scarseg.safetensors").read_bytes()).hexdigest()
    rows = list(csv.DictReader((folder / "cross_validation.csv").read_text().splitlines()))
    most = max(float(row["scar_ml"]) for row in rows if row["pathological"] != "1")
    as_little = sum(float(row["scar_ml"]) <= most for row in rows if row["pathological"] == "1")

    def headline(ml: float, **changes) -> str:
        scar = Burden(ml, ml * 1.05, 1.0)
        told = {"scar": scar, "scar_image_only": scar, "weights_sha256": digest, "method": Method()} | changes
        return page_of(**told).text.split("What was used")[0]

    assert f"({most:.1f} ml) lies within what these networks found in hearts without infarct" in headline(most)
    assert f"up to {most:.1f} ml in" in headline(most) and f"; {as_little} of " in headline(most)
    doubt = "found in hearts without infarct"
    assert doubt not in headline(most + 0.01) and doubt not in headline(0.0)
    assert doubt not in headline(most, method=Method(corrected=True))
    assert doubt not in headline(most, method=RULE)
    assert doubt not in headline(most, weights_sha256="0" * 64)
    from_none = Interval((0.04, most + 9), (0.0, 9.0), 0.8)
    assert f"begins at 0 and ends at {most + 9:.1f} ml" in headline(most + 0.5, interval=from_none)
    assert "begins at 0" not in headline(most, interval=from_none)  # the more telling doubt stands alone
    assert "begins at 0" not in headline(most + 0.5, interval=replace(from_none, ml=(0.06, most + 9)))
    assert doubt in headline(most + 5, scar_image_only=Burden(most, most, 1.0))  # the images alone are the figure


def test_what_segmented_is_named_and_not_what_writes():
    assert "scarsegecg 0.1.9, torch 2.9" in page_of(software={"scarsegecg": "0.1.9", "torch": "2.9"}).text


def test_mvo_stands_with_the_scar():
    assert "MVO, within the scar 7.7 5.5 7.3" in page_of(mvo=Burden(7.3, 7.7, 5.5)).text
    assert "MVO" not in page_of(mvo=None).text.split("What was used")[0]


def test_accuracy_is_read_from_the_shipped_table():
    folder = resources.files("ScarSegECGLib") / "weights"
    digest = hashlib.sha256((folder / "scarseg.safetensors").read_bytes()).hexdigest()
    line = accuracy_line(digest)
    rows = list(csv.DictReader((folder / "cross_validation.csv").read_text().splitlines()))
    infarct = [row for row in rows if row["pathological"] == "1"]
    errors = np.array([float(row["scar_volume_error_ml"]) for row in infarct])
    low, high = errors.mean() - 1.96 * errors.std(ddof=1), errors.mean() + 1.96 * errors.std(ddof=1)
    assert f"{low:+.0f} to {high:+.0f} ml".replace("-", "\u2212") in line
    assert f"Dice {np.mean([float(row['scar_dice']) for row in infarct]):.2f}" in line
    assert f"{len(infarct)} patients" in line and f"{len(rows) - len(infarct)} without" in line
    worst = max(float(row["scar_ml"]) for row in rows if row["pathological"] != "1")
    assert f"up to {worst:.1f} ml of false scar" in line and "one centre" in line
    assert line in page_of(weights_sha256=digest).text.replace("\n", " ")
    assert "Dice" not in accuracy_line("0" * 64) and accuracy_line("") == ""
    assert "Cross-validated" not in page_of(weights_sha256=digest, method=RULE).text


def test_reasons_that_differ_in_figures_alone_are_one():
    result = make_result()
    rows = tuple(
        replace(
            row,
            agreement=Agreement.CANNOT_TELL,
            agreement_reason=Fact(AgreementReason.POOR_WALL, image=float(row.number), ecg=3.0, caution=None),
        )
        for row in result.segments
    )
    text = Page(report_html(replace(result, segments=rows), PICTURES, NOW)).text
    assert text.count(words(AgreementReason.POOR_WALL)) == 1


def test_interval_and_confidence_stand_in_the_first_line_of_every_teller():
    result = make_result(
        interval=Interval((1.25, 3.75), (2.0, 6.0), 0.9),
        confidence=Confidence(Grade.CHECK, (Fact(ConfidenceReason.LITTLE_SCAR, ml=2.0),)),
    )
    told = headline(result)
    assert "1.2 to 3.8 ml" in told and "90 %" in told and "check the result on the images: 2.0 ml of scar" in told
    assert summary(result)[0] == f"scar: {told}"
    lead = re.search(r'<p class="lead">(.*?)</p>', report_html(result, PICTURES, NOW))
    assert lead and lead.group(1) == f"{told}."
