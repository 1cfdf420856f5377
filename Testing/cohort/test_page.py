"""The page in a real browser: sorting, filtering, keys, slices, wedges, the review; and nothing leaves the folder."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, DRIVER, browser, requested
from cheap import cheap_case, write_cases

from ScarSegECGLib.cohort import run as cohort_run
from ScarSegECGLib.cohort.engine import Crew, run_here
from ScarSegECGLib.cohort.flags import Flag
from ScarSegECGLib.cohort.options import CohortOptions, Networks
from ScarSegECGLib.cohort.page import _own
from ScarSegECGLib.cohort.review import read_review
from ScarSegECGLib.cohort.run import names_of, run_cohort

in_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver (Debian: chromium, chromium-driver)"
)
COUNT = 30
PLANTED = {3: "no lv", 11: "scar 4.0 other_patients_ecg", 20: "scar 9.0 shifted_slices"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty cases, three of them bad; the comment-like content of a case name is the manifest's to refuse."""
    home = tmp_path_factory.mktemp("cohort")
    contents = {k: f"scar {k}.5 n{k}{' may_be_no_scar' if k < 3 else ''}" for k in range(COUNT)} | PLANTED
    cases = write_cases(home / "data", COUNT, contents=contents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cohort_run, "run_jobs", lambda work, jobs, crew: run_here(work, jobs))
        patch.setattr(cohort_run, "write_group_pictures", lambda out, patients: ())
        run_cohort(cases, home / "out", CohortOptions(), Networks(), Crew(), work=cheap_case)
    return home / "out"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def driver(folder: Path, downloads: Path) -> Iterator:
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    with browser(1366, 768, downloads) as window:
        window.get((folder / "index.html").as_uri())
        yield window


@pytest.fixture
def page(driver):
    driver.execute_script("localStorage.clear()")
    driver.refresh()
    return driver


def _find(page, selector: str):
    return page.find_element("css selector", selector)


def _cases(page) -> list[str]:
    return page.execute_script("return [...document.querySelectorAll('#rows tr')].map((row) => row.dataset.case)")


def _press(page, *keys: str) -> None:
    for key in keys:
        page.find_element("tag name", "body").send_keys(key)


def _chosen(page) -> str:
    return page.execute_script("return document.querySelector('#rows [aria-selected=true]')?.dataset.case || ''")


def _until(page, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page, 60).until(lambda window: window.execute_script(f"return {script}"))


def _viewer(page) -> None:
    _until(page, "Boolean(document.querySelector('.sv-label')?.textContent)")


def test_every_flag_has_words() -> None:
    words = json.loads(_own("words.json"))
    assert set(words["flags"]) == {flag.value for flag in Flag}


@in_browser
def test_a_reader_finds_the_planted_cases_by_flags_alone(page) -> None:
    assert len(_cases(page)) == COUNT
    assert set(_cases(page)[:3]) == {f"case{k:04d}" for k in PLANTED}  # sorted by what to look at first
    for flag, k in (("lv_missed", 3), ("other_patients_ecg", 11), ("shifted_slices", 20)):
        _find(page, f"#flags [data-flag={flag}]").click()
        assert _cases(page) == [f"case{k:04d}"]
        _find(page, f"#flags [data-flag={flag}]").click()
    page.execute_script("document.getElementById('confidence').value = 'bad'")
    page.execute_script("document.getElementById('confidence').dispatchEvent(new Event('change'))")
    assert set(_cases(page)) == {f"case{k:04d}" for k in PLANTED}


@in_browser
def test_sorting_and_search(page) -> None:
    head = "#head [data-key=ml]"
    _find(page, f"{head} button").click()
    assert _find(page, head).get_attribute("aria-sort") == "descending"
    assert _cases(page)[0] == "case0029" and _cases(page)[-1] == "case0003"  # what has no figure stands last
    _find(page, f"{head} button").click()
    assert _find(page, head).get_attribute("aria-sort") == "ascending"
    assert _cases(page)[0] == "case0000" and _cases(page)[-1] == "case0003"
    _find(page, "#search").send_keys("may be no")
    assert set(_cases(page)) == {"case0000", "case0001", "case0002"}


@in_browser
def test_keys_walk_through_patients_and_slices(page) -> None:
    order = _cases(page)
    _press(page, "j", "j", "k", "j", "\ue015")  # arrow down
    assert _chosen(page) == order[2]
    _press(page, "j")
    _viewer(page)
    assert _find(page, ".sv-label").text == "slice 2 of 3, mid"
    _press(page, "\ue014")
    assert _find(page, ".sv-label").text == "slice 3 of 3, basal"
    _press(page, "\ue012", "\ue012", "\ue012")
    assert _find(page, ".sv-label").text == "slice 1 of 3, apical"
    shown = "getComputedStyle(document.querySelector('.sv-endo')).display"
    _press(page, "o")
    assert page.execute_script(f"return {shown}") == "none"
    _press(page, "o", "i")
    assert page.execute_script(f"return {shown}") != "none"
    assert page.execute_script("return document.querySelectorAll('.sv-slice image')[1].hasAttribute('href')")
    _press(page, "\ue014", "e")
    assert page.execute_script("return document.querySelector('.sv-scar').getAttribute('d')") == ""  # of images alone
    assert "images alone" in _find(page, ".sv-eyes figcaption").text


@in_browser
def test_a_wedge_shows_its_slice_and_opacity_is_the_readers(page) -> None:
    _press(page, "j", "j", "j", "j")
    _viewer(page)
    for segment, slice_ in ((14, 1), (7, 2), (1, 3)):
        page.execute_script(
            "document.querySelector(`.sv-wedge[data-segment='${arguments[0]}']`)"
            ".dispatchEvent(new MouseEvent('click', {bubbles: true}))",
            segment,
        )
        assert _find(page, ".sv-label").text.startswith(f"slice {slice_} of 3")
    page.execute_script(
        "const box = document.querySelector('.sv-opacity'); box.value = 90; box.dispatchEvent(new Event('input'))"
    )
    assert page.execute_script("return document.querySelector('.sv-scar').style.fillOpacity") == "0.9"


@in_browser
def test_the_review_is_kept_saved_and_read_back(page, folder: Path, downloads: Path) -> None:
    order = _cases(page)
    _press(page, "j", "r", "j", "c", "m")
    _find(page, "#comment").send_keys('=1+1 "scar", wall; <b>')
    _find(page, "#comment").send_keys("\ue00c")
    _press(page, "j", "a")
    page.refresh()
    assert _find(page, "#save").text == "Save review (3)"
    _find(page, "#save").click()
    _until(page, "true")
    saved = downloads / "review.csv"
    for _ in range(600):
        if saved.exists():
            break
        page.execute_async_script("setTimeout(arguments[0], 100)")
    told = read_review(saved, names_of(folder))
    assert {case: row["decision"] for case, row in told.items()} == {
        order[0]: "reject",
        order[1]: "correct",
        order[2]: "accept",
    }
    assert told[order[1]]["comment"] == '=1+1 "scar", wall; <b>'
    with saved.open(encoding="utf-8-sig", newline="") as file:
        assert all(row["comment"][:1] not in ("=", "+", "-", "@") for row in csv.DictReader(file))


@in_browser
def test_nothing_leaves_the_folder_and_nothing_is_complained_of(page, folder: Path) -> None:
    _press(page, "j", "j", "j", "j", "i", "e")
    _viewer(page)
    for name in ("group", "help", "patients"):
        _find(page, f"#show-{name}").click()
    home = folder.as_uri() + "/"
    asked = requested(page)
    assert any("view.js" in address for address in asked)
    assert [a for a in asked if not a.startswith((home, "data:image/png;base64,", "blob:"))] == []
    assert [entry["message"] for entry in page.get_log("browser")] == []
    for name in ("index.html", "page/cohort.js", "page/viewer.js", "page/cohort.css", "page/viewer.css"):
        text = (folder / name).read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "fetch(" not in text
