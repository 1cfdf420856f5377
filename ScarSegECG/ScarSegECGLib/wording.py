"""Every sentence that is said of a result, made from its facts; nothing is ever decided by one.

:func:`words` tells any fact of :mod:`ScarSegECGLib.facts`. The panel gives its own ``tr`` (a gettext function), which
is handed whole sentences with the places of their numbers in braces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import singledispatch
from itertools import groupby
from typing import Any

from ScarSegECGLib.case import Burden, EcgUse, Interval, ScarResult
from ScarSegECGLib.facts import (
    Code,
    Confidence,
    Contrast,
    Division,
    Fact,
    Method,
    PartsRule,
    RemoteRegion,
    RemoteSource,
    ScarSource,
    Shown,
    Word,
)
from ScarSegECGLib.facts_ecg import AgreementReason
from ScarSegECGLib.wording_texts import TEXTS, WORDS

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


@singledispatch
def words(fact: Any, tr: Translate = str) -> str:
    """Any of :mod:`ScarSegECGLib.facts`, EcgUse, Burden or Interval in words; None is "", text stays as it is.

    ``tr`` translates a sentence whose numbers are still in braces. TypeError: there are no words for it.
    """
    if fact is None:
        return ""
    if isinstance(fact, str):
        return fact
    raise TypeError(f"no words for {type(fact).__name__}")


def all_words(facts: Iterable[Any], tr: Translate = str) -> tuple[str, ...]:
    """Facts in words, each once, in their order."""
    return tuple(dict.fromkeys(words(fact, tr) for fact in facts))


@words.register
def _(word: Word, tr: Translate = str) -> str:
    return tr(WORDS.get(type(word), {}).get(word, str(word)))


@words.register
def _(code: Code, tr: Translate = str) -> str:
    return words(Fact(code), tr)


@words.register
def _(fact: Fact, tr: Translate = str) -> str:
    text = TEXTS[fact.code]
    return tr(text if isinstance(text, str) else text(fact)).format(**_values(fact, tr))


def _values(fact: Fact, tr: Translate) -> dict[str, Any]:
    """What the sentence of a fact may name."""
    values = {name: _value(value, tr) for name, value in fact.parameters}
    if "days" in values:  # before or after
        known = fact["days"] is not None
        values["when"] = tr("{days:.0f} days").format(days=abs(fact["days"])) if known else tr("at an unknown time")
    if isinstance(fact.code, AgreementReason):
        weighed, caution = "image" in values, fact.get("caution")
        values["figures"] = tr(": image {image:.0f} %, ECG {ecg:.0f} %").format(**values) if weighed else ""
        values["caution"] = tr("; caution: {caution}").format(caution=words(caution, tr)) if caution else ""
    if "slices" in values and "mm" in values:
        values["displaced"] = _displaced(fact)
    if "held" in values and "shown" in values:
        values["lent"] = fact["shown"] - fact["held"]
    if "meant" in values:
        values["meant"] = ", ".join(f"{value} {name}" for value, name in fact["meant"])
    if "others" in values:
        told = [
            f"{name}, {kind}, {slices} slices{', not readable' * bool(unfit)}"
            for name, kind, slices, unfit in fact["others"]
        ]
        values["listed"] = "; ".join([*told[:6], *(["..."] if told[6:] else [])])
    return values


def _value(value: Any, tr: Translate) -> Any:
    """A parameter as a sentence takes it: numbers as they are, the rest in words."""
    if isinstance(value, tuple):
        between = "; " if any(isinstance(entry, Fact) for entry in value) else ", "
        return between.join(str(_value(entry, tr)) for entry in value)
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
def _(use: EcgUse, tr: Translate = str) -> str:
    return str(_value(use.reasons, tr))


def agreement_reason(fact: Fact | None, tr: Translate = str, *, figures: bool = True) -> str:
    """Why the ECG agrees with the image in one segment, with or without the figures of both."""
    if fact is not None and not figures:
        fact = Fact(fact.code, **{name: value for name, value in fact.parameters if name not in ("image", "ecg")})
    return words(fact, tr)


# How the wall was divided and scar was found


@words.register
def _(division: Division, tr: Translate = str) -> str:
    return tr("{mode}, {segments} segments").format(mode=words(division.mode, tr), segments=division.segments)


def _region(region: RemoteRegion, tr: Translate) -> str:
    """Whose the remote region is, without the slices that borrow."""
    if region.source is RemoteSource.AUTOMATIC:
        return tr("found automatically: darkest 60 degree sector of each slice")
    if region.source is RemoteSource.SEGMENTS:
        return tr("segments {segments}, chosen by the reader").format(segments=", ".join(map(str, region.segments)))
    return tr("drawn by the reader")


def _lent(held: int, shown: int, what: str, tr: Translate) -> str:
    """Where only some slices hold a region of the reader's."""
    text = tr(f", in {{held}} of {{shown}} slices (the other {{lent}} take its pooled {what})")
    return text.format(held=held, shown=shown, lent=shown - held) if held < shown else ""


@words.register
def _(region: RemoteRegion, tr: Translate = str) -> str:
    text = tr("remote region {region}").format(region=_region(region, tr))
    return text + _lent(region.held, region.shown, "mean and SD", tr)


def rule_words(method: Method, tr: Translate = str) -> str:
    """The method and its parameters without its remote region."""
    text = words(method.source, tr)
    if method.by_network:
        text += (tr(", image only") if method.image_only else "") + f", p > {method.above:g}"
    elif method.source is ScarSource.N_SD:
        text = tr("remote mean + {n_sd:g} SD").format(n_sd=method.n_sd)
    elif method.source is ScarSource.FWHM:
        psir = method.contrast is Contrast.PSIR
        text = tr(f"FWHM ({'half-way from remote mean to' if psir else 'half of'} the maximum)")
        if method.peak_slices:
            text += tr(" in the region drawn by the reader") + _lent(*method.peak_slices, "maximum", tr)
    if method.per:
        one = "scale" if method.source is ScarSource.EWA else "threshold"
        text += tr(f", one {one} per {{per}}, contrast {{contrast}}").format(per=method.per, contrast=method.contrast)
    text += tr(", enclosed MVO counted in") if method.encloses_mvo else ""
    if method.smallest_island_ml:
        text += tr(", islands below {ml:g} ml left out").format(ml=method.smallest_island_ml)
    if method.without_slices:
        text += tr(", slices {slices} from the apex left out").format(slices=spans(method.without_slices))
    return text + (tr(", corrected by hand") if method.corrected else "")


@words.register
def _(method: Method, tr: Translate = str) -> str:
    text = rule_words(method, tr)
    return f"{text}; {words(method.remote, tr)}" if method.remote else text


@words.register
def _(rule: PartsRule, tr: Translate = str) -> str:
    above = "the maximum" if rule.contrast is Contrast.MAGNITUDE else "the way from remote mean to the maximum"
    text = tr(
        f"core above {{share:g}} % of {above}, grey zone from remote mean + {{rule.n_sd:g}} SD to the core, per slice, "
        "contrast {rule.contrast}; {remote}"
    )
    return text.format(rule=rule, share=100 * rule.core_fraction, remote=words(rule.remote, tr))


def described(method: Method, shown: Shown, tr: Translate = str) -> str:
    """The method and which scar it is, as it stands beside a figure; nothing is said twice."""
    said_already = method.corrected or (method.image_only and shown is Shown.IMAGE_ONLY)
    return words(method, tr) if said_already else f"{words(method, tr)}; {words(shown, tr)}"


# Figures


@words.register
def _(burden: Burden, tr: Translate = str) -> str:
    return tr("{0.grams:.1f} g ({0.ml:.1f} ml, {0.percent_of_lv:.1f} % of LV)").format(burden)


@words.register
def _(interval: Interval, tr: Translate = str) -> str:
    text = tr("{low:.1f} to {high:.1f} ml, {least:.1f} to {most:.1f} % of LV ({level:.0f} % of such intervals hold it)")
    (low, high), (least, most) = interval.ml, interval.percent_of_lv
    return text.format(low=low, high=high, least=least, most=most, level=100 * interval.level)


@words.register
def _(confidence: Confidence, tr: Translate = str) -> str:
    reasons = _value(confidence.reasons, tr)
    return words(confidence.grade, tr) + (f": {reasons}" if reasons else "")


def result_lines(result: ScarResult, tr: Translate = str) -> tuple[str, ...]:
    """A result in three lines: the scar and how sure it is, how it was found, and how the ECG counted."""
    scar = tr("scar {burden}, images alone").format(burden=words(result.scar_image_only, tr))
    if result.shown is not Shown.IMAGE_ONLY:
        scar += tr("; {burden} {shown}").format(burden=words(result.scar, tr), shown=words(result.shown, tr))
    judged = (result.interval, result.confidence) if result.method.by_network and not result.method.corrected else ()
    scar += "".join(f"; {words(one, tr)}" for one in judged if one is not None)
    how = f"{words(result.method, tr)}; AHA: {words(result.anatomy.division, tr)}"
    return scar, how, words(result.ecg_use, tr)


def spans(values: Iterable[int]) -> str:
    """Whole numbers in words: "1 to 6, 8, 9"."""
    runs: list[str] = []
    for _, numbered in groupby(enumerate(sorted(set(values))), key=lambda pair: pair[1] - pair[0]):
        run = [value for _, value in numbered]
        runs += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return ", ".join(runs)
