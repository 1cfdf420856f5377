"""Every sentence that is said of a result, made from its facts; nothing is ever decided by one.

:func:`words` tells any fact of :mod:`ScarSegECGLib.facts`. The panel gives its own ``tr`` (a gettext function), which
is handed whole sentences with the places of their numbers in braces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import singledispatch
from typing import Any

from ScarSegECGLib.case import Burden, EcgUse, Interval, ScarResult
from ScarSegECGLib.facts import (
    AhaMode,
    Code,
    Confidence,
    Contrast,
    Division,
    Doubt,
    Fact,
    LgeNote,
    Method,
    PartsRule,
    RemoteRegion,
    RemoteSource,
    ScarSource,
    Shown,
    Word,
)
from ScarSegECGLib.facts_ecg import AgreementReason, Conduction, ScoreRemark
from ScarSegECGLib.wording_texts import BY_PARAMETERS, SILENT, TEXTS, WORDS

Translate = Callable[[str], str]

RESEARCH_USE = "For research use; not a medical device."
ECG_IS_NO_FINDING = (
    "The ECG estimate per segment was learned from simulated scars alone and sees scar in ECGs of healthy people too: "
    "it is no finding."
)
"""Said wherever an estimate or a verdict of the ECG stands."""
CASES_COMPARED = "{cases} cases inside the expert's contours, {scarred} with expert scar"
CORE, GREY, REST, MVO = "Core, without MVO", "Grey zone", "Below the grey zone's limit", "MVO"
"""The parts of a scar; in this order they add up to it."""


def _as_is(text: str) -> str:
    return text


@singledispatch
def words(fact: Any, tr: Translate = _as_is) -> str:
    """A fact in words.

    Parameters
    ----------
    fact : any of :mod:`ScarSegECGLib.facts`, EcgUse, Burden, Interval, or None (which is "")
        Text, such as a file's own, is returned as it is.
    tr : callable
        Translates a sentence whose numbers are still in braces.

    Raises
    ------
    TypeError
        There are no words for it.
    """
    if fact is None:
        return ""
    if isinstance(fact, str):
        return fact
    raise TypeError(f"no words for {type(fact).__name__}")


def all_words(facts: Iterable[Any], tr: Translate = _as_is) -> tuple[str, ...]:
    """Facts in words, each once, in their order."""
    return tuple(dict.fromkeys(words(fact, tr) for fact in facts))


@words.register(Word)
@words.register(Code)
def _(fact: Word | Code, tr: Translate = _as_is) -> str:
    return tr(TEXTS[fact] if isinstance(fact, Code) else WORDS.get(type(fact), {}).get(fact, str(fact)))


@words.register
def _(fact: Fact, tr: Translate = _as_is) -> str:
    if fact.code in _SPECIAL:
        return _SPECIAL[fact.code](fact, tr)
    chosen = BY_PARAMETERS.get(fact.code)
    return tr(chosen(fact) if chosen else TEXTS[fact.code]).format(**_values(fact, tr))


def _values(fact: Fact, tr: Translate) -> dict[str, Any]:
    """What the sentence of a fact may name."""
    values = {name: _value(value, tr) for name, value in fact.parameters}
    if fact.get("days") is not None:
        values["days"] = abs(fact["days"])  # before or after
    if "slices" in values and "mm" in values:
        values["displaced"] = _displaced(fact)
    if "held" in values and "shown" in values:
        values["lent"] = fact["shown"] - fact["held"]
    return values


def _value(value: Any, tr: Translate) -> Any:
    """A parameter as a sentence takes it: numbers as they are, the rest in words."""
    if isinstance(value, tuple):
        return ", ".join(str(_value(entry, tr)) for entry in value)
    if isinstance(value, RemoteRegion):
        return _region(value, tr)
    return value if isinstance(value, (int, float)) else words(value, tr)


def _displaced(fact: Fact) -> str:
    """Slices with how far they lie off: "1 (6 mm, confidence 0.97), 4 (5 mm, ...)"."""
    sure = fact.get("confidence") or (None,) * len(fact["slices"])
    return ", ".join(
        f"{number} ({mm:.0f} mm{'' if of is None else f', confidence {of:.2f}'})"
        for number, mm, of in zip(fact["slices"], fact["mm"], sure, strict=True)
    )


@words.register
def _(use: EcgUse, tr: Translate = _as_is) -> str:
    return "; ".join(words(reason, tr) for reason in use.reasons)


def _score_weakened(fact: Fact, tr: Translate) -> str:
    said = []
    if fact["conduction"] is not None:
        said.append(tr("Criteria for normal conduction were used; this ECG's class: {kind}."))
    if fact["conduction"] is Conduction.RBBB:
        said.append(tr("R waves in V1 and V2 were left out."))
    if fact["missing"]:
        said.append(tr("Missing leads scored nothing: {leads}."))
    return " ".join(said).format(kind=words(fact["conduction"], tr), leads=", ".join(fact["missing"]))


def agreement_reason(fact: Fact | None, tr: Translate = _as_is, *, figures: bool = True) -> str:
    """Why the ECG agrees with the image in one segment, with or without the figures of both."""
    if not isinstance(fact, Fact):
        return words(fact, tr)
    if fact.code is AgreementReason.ECG_NOT_USED:
        return "; ".join(words(reason, tr) for reason in fact["use"])
    if fact.code is AgreementReason.SILENT:
        return tr(SILENT[fact["conduction"]])
    text = tr(TEXTS[fact.code])
    if fact.get("image") is not None and figures:
        text += tr(": image {image:.0f} %, ECG {ecg:.0f} %")
    if fact.code is AgreementReason.IMAGE_ALONE:
        text += tr("; a normal ECG does not rule it out")
    if fact.get("caution") is not None:
        text += tr("; caution: {caution}")
    return text.format(**_values(fact, tr))


def _taken(fact: Fact, tr: Translate) -> str:
    """What was taken from a study, why, and what else would have done."""
    text = tr(BY_PARAMETERS[fact.code](fact)).format(**_values(fact, tr))
    if fact["others"]:
        listed = "; ".join(
            f"{name}, {kind}, {slices} slices" + (", not readable" if unfit else "")
            for name, kind, slices, unfit in fact["others"][:6]
        )
        text += f" Also there, not taken: {listed}{'; ...' * (len(fact['others']) > 6)}."
    return text


def _labels_by_name(fact: Fact, tr: Translate) -> str:
    """Which value of a label map was read as which class."""
    meant = ", ".join(f"{value} {name}" for value, name in fact["meant"])
    return tr("The labels were read by the names of their segments: {meant}.").format(meant=meant)


def _threshold_low(fact: Fact, tr: Translate) -> str:
    said = []
    if fact["scar_percent"]:
        said.append(tr("{scar_percent:.0f} % of the LV would be scar"))
    if fact["remote_percent"]:
        said.append(tr("{remote_percent:.0f} % of the remote region itself would be"))
    if fact["low"]:
        said.append(tr("the limit is below remote mean + 2 SD in {low} of {slices} slices"))
    text = tr("The threshold lies within healthy myocardium ({said}): check contrast and remote region.")
    return text.format(said="; ".join(said).format(**_values(fact, tr)))


_SPECIAL: dict[Code, Callable[[Fact, Translate], str]] = {
    ScoreRemark.WEAKENED: _score_weakened,
    **dict.fromkeys(AgreementReason, agreement_reason),
    LgeNote.TAKEN: _taken,
    LgeNote.LABELS_BY_NAME: _labels_by_name,
    Doubt.THRESHOLD_LOW: _threshold_low,
}


# How the wall was divided and scar was found


@words.register
def _(division: Division, tr: Translate = _as_is) -> str:
    named = {AhaMode.FIXED: "fixed 60 degrees", AhaMode.LANDMARK: "landmark"}[division.mode]
    return tr(f"{named}, {{segments}} segments").format(segments=division.segments)


def _region(region: RemoteRegion, tr: Translate) -> str:
    """Whose the remote region is, without the slices that borrow."""
    if region.source is RemoteSource.AUTOMATIC:
        return tr("found automatically: darkest 60 degree sector of each slice")
    if region.source is RemoteSource.SEGMENTS:
        return tr("segments {segments}, chosen by the reader").format(segments=", ".join(map(str, region.segments)))
    return tr("drawn by the reader")


@words.register
def _(region: RemoteRegion, tr: Translate = _as_is) -> str:
    text = tr("remote region {region}").format(region=_region(region, tr))
    if region.held < region.shown:
        more = tr(", in {held} of {shown} slices (the other {lent} take its pooled mean and SD)")
        text += more.format(held=region.held, shown=region.shown, lent=region.shown - region.held)
    return text


def rule_words(method: Method, tr: Translate = _as_is) -> str:
    """The method and its parameters without its remote region."""
    if method.source is ScarSource.NETWORK:
        text = tr("network")
        text += tr(", image only") if method.image_only else ""
        text += f", p > {method.above:g}"
    elif method.source is ScarSource.MANUAL:
        text = words(method.source, tr)
    else:
        text = _threshold(method, tr)
    if method.without_slices:
        slices = spans(method.without_slices)
        text += tr(", slices {slices} from the apex left out").format(slices=slices)
    return text + (tr(", corrected by hand") if method.corrected else "")


def _threshold(method: Method, tr: Translate) -> str:
    psir = method.contrast is Contrast.PSIR
    if method.source is ScarSource.N_SD:
        text = tr("remote mean + {n_sd:g} SD").format(n_sd=method.n_sd)
    elif method.source is ScarSource.FWHM:
        half = "half-way from remote mean to the maximum" if psir else "half of the maximum"
        text = tr(f"FWHM ({half})")
        if method.peak_slices:
            held, shown = method.peak_slices
            text += tr(" in the region drawn by the reader")
            if held < shown:
                more = tr(", in {held} of {shown} slices (the other {lent} take its pooled maximum)")
                text += more.format(held=held, shown=shown, lent=shown - held)
    else:
        text = words(method.source, tr)
    one = "scale" if method.source is ScarSource.EWA else "threshold"
    text += tr(f", one {one} per {{per}}, contrast {{contrast}}").format(per=method.per, contrast=str(method.contrast))
    text += tr(", enclosed MVO counted in") if method.encloses_mvo else ""
    if method.smallest_island_ml:
        text += tr(", islands below {ml:g} ml left out").format(ml=method.smallest_island_ml)
    return text


@words.register
def _(method: Method, tr: Translate = _as_is) -> str:
    text = rule_words(method, tr)
    return f"{text}; {words(method.remote, tr)}" if method.remote else text


@words.register
def _(rule: PartsRule, tr: Translate = _as_is) -> str:
    above = "the maximum" if rule.contrast is Contrast.MAGNITUDE else "the way from remote mean to the maximum"
    text = tr(
        f"core above {{share:g}} % of {above}, grey zone from remote mean + {{n_sd:g}} SD to the core, per slice, "
        "contrast {contrast}; {remote}"
    )
    share, remote = 100 * rule.core_fraction, words(rule.remote, tr)
    return text.format(share=share, n_sd=rule.n_sd, contrast=str(rule.contrast), remote=remote)


def described(method: Method, shown: Shown, tr: Translate = _as_is) -> str:
    """The method and which scar it is, as it stands beside a figure; nothing is said twice."""
    said_already = method.corrected or (method.image_only and shown is Shown.IMAGE_ONLY)
    return words(method, tr) if said_already else f"{words(method, tr)}; {words(shown, tr)}"


# Figures


@words.register
def _(burden: Burden, tr: Translate = _as_is) -> str:
    text = tr("{grams:.1f} g ({ml:.1f} ml, {percent:.1f} % of LV)")
    return text.format(grams=burden.grams, ml=burden.ml, percent=burden.percent_of_lv)


@words.register
def _(interval: Interval, tr: Translate = _as_is) -> str:
    text = tr("{low:.1f} to {high:.1f} ml, {least:.1f} to {most:.1f} % of LV ({level:.0f} % of such intervals hold it)")
    low, high = interval.ml
    least, most = interval.percent_of_lv
    return text.format(low=low, high=high, least=least, most=most, level=100 * interval.level)


@words.register
def _(confidence: Confidence, tr: Translate = _as_is) -> str:
    reasons = "; ".join(words(reason, tr) for reason in confidence.reasons)
    return words(confidence.grade, tr) + (f": {reasons}" if reasons else "")


def result_lines(result: ScarResult, tr: Translate = _as_is) -> tuple[str, ...]:
    """A result in three lines: the scar and how sure it is, how it was found, and how the ECG counted."""
    scar = tr("scar {burden}, images alone").format(burden=words(result.scar_image_only, tr))
    if result.shown is not Shown.IMAGE_ONLY:
        scar += tr("; {burden} {shown}").format(burden=words(result.scar, tr), shown=words(result.shown, tr))
    judged = result.method.by_network and not result.method.corrected
    if result.interval is not None and judged:
        scar += f"; {words(result.interval, tr)}"
    if result.confidence is not None and judged:
        scar += f"; {words(result.confidence, tr)}"
    how = f"{words(result.method, tr)}; AHA: {words(result.anatomy.division, tr)}"
    return scar, how, words(result.ecg_use, tr)


def spans(values: Iterable[int]) -> str:
    """Whole numbers in words: "1 to 6, 8, 9"."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(
        f"{first} to {last}" if last > first + 1 else ", ".join(map(str, sorted({first, last}))) for first, last in runs
    )
