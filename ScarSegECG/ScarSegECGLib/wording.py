"""Every sentence that is said of a result, made from its facts; nothing is ever decided by one.

:func:`words` tells any fact of :mod:`ScarSegECGLib.facts`. The panel gives its own ``tr`` (a gettext function), which
is handed whole sentences with the places of their numbers, and of parts that are not always said, in braces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from ScarSegECGLib import facts
from ScarSegECGLib.case import Burden, EcgUse, Interval
from ScarSegECGLib.facts_ecg import Agreement, AgreementReason, Conduction, ScoreRemark
from ScarSegECGLib.wording_texts import TEXTS

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
# The words of a closed list that are not their value itself; by list, as words of two lists may be equal as text.
_WORDS: dict[tuple[type[facts.Word], facts.Word], str] = {
    (type(word), word): text
    for word, text in (
        (facts.AhaMode.FIXED, "fixed 60 degrees"),
        (Agreement.CANNOT_TELL, "ECG cannot tell"),
        (facts.Contrast.PSIR, "phase-sensitive (PSIR)"),
        (facts.Contrast.UNKNOWN, "of unknown reconstruction"),
        (Conduction.RBBB, "right bundle branch block"),
        (Conduction.LBBB, "left bundle branch block"),
        (Conduction.LBBB_USUAL, "left bundle branch block by the usual criteria"),
        (Conduction.PACED_SUSPECTED, "paced rhythm suspected"),
        (Conduction.PREEXCITED_SUSPECTED, "pre-excitation suspected"),
        (Conduction.TACHYCARDIA, "tachycardia that may be ventricular"),
        (Conduction.LAFB, "left anterior fascicular block"),
        (Conduction.LVH, "voltage criteria of LV hypertrophy"),
        (facts.Shown.WITH_ECG, "with ECG (investigational)"),
        (facts.Shown.IMAGE_ONLY, "image only"),
        (facts.Shown.BY_HAND, "corrected by hand"),
        (facts.Grade.GOOD, "no doubt by the networks' own checks"),
        (facts.Grade.CHECK, "check the result on the images"),
        (facts.Grade.DO_NOT_USE, "do not use the result"),
        (facts.ScarSource.OTSU, "Otsu"),
        (facts.ScarSource.MIXTURE, "two-Gaussian mixture"),
        (
            facts.ScarSource.EWA,
            "expectation maximisation with neighbour, depth and partial-volume weights (MVO counted)",
        ),
        (facts.ScarSource.MANUAL, "manual contours"),
    )
}


def words(fact: Any, tr: Translate = str) -> str:
    """Any of :mod:`ScarSegECGLib.facts`, EcgUse, Burden or Interval in words; None is "", text stays as it is.

    ``tr`` translates a sentence whose numbers are still in braces. TypeError: there are no words for it.
    """
    match fact:
        case None:
            return ""
        case facts.Word():
            return tr(_WORDS.get((type(fact), fact), str(fact)))
        case str():
            return fact
        case facts.Code():
            return words(facts.Fact(fact), tr)
        case facts.Fact():
            values = _values(fact, tr)
            return tr(TEXTS[fact.code]).format(**values | _parts(fact, values, tr))
        case EcgUse():
            return str(_value(fact.reasons, tr))
        case facts.Confidence():
            reasons = _value(fact.reasons, tr)
            return words(fact.grade, tr) + (f": {reasons}" if reasons else "")
        case facts.Division():
            return tr("{mode}, {segments} segments").format(mode=words(fact.mode, tr), segments=fact.segments)
        case facts.RemoteRegion():
            text = tr("remote region {region}").format(region=_region(fact, tr))
            return text + _lent(fact.held, fact.shown, "mean and SD", tr)
        case facts.Method():
            text = rule_words(fact, tr)
            return f"{text}; {words(fact.remote, tr)}" if fact.remote else text
        case facts.PartsRule():
            magnitude = fact.contrast is facts.Contrast.MAGNITUDE
            above = "the maximum" if magnitude else "the way from remote mean to the maximum"
            text = tr(
                f"core above {{share:g}} % of {above}, grey zone from remote mean + {{rule.n_sd:g}} SD to the core, "
                "per slice, contrast {rule.contrast}; {remote}"
            )
            return text.format(rule=fact, share=100 * fact.core_fraction, remote=words(fact.remote, tr))
        case Burden():
            return tr("{0.grams:.1f} g ({0.ml:.1f} ml, {0.percent_of_lv:.1f} % of LV)").format(fact)
        case Interval():
            text = tr("{:.0f} % interval {:.1f} to {:.1f} ml, {:.1f} to {:.1f} % of LV")
            return text.format(100 * fact.level, *fact.ml, *fact.percent_of_lv)
    raise TypeError(f"no words for {type(fact).__name__}")


def all_words(several: Iterable[Any], tr: Translate = str) -> tuple[str, ...]:
    """Facts in words, each once, in their order."""
    return tuple(dict.fromkeys(words(fact, tr) for fact in several))


def _values(fact: facts.Fact, tr: Translate) -> dict[str, Any]:
    """What every sentence may name: the fact's parameters, and what follows from them."""
    values = {name: _value(value, tr) for name, value in fact.parameters}
    if "days" in values:  # before or after
        known = fact["days"] is not None
        text = "{days:.0f} day" if known and round(abs(fact["days"])) == 1 else "{days:.0f} days"
        values["when"] = tr(text).format(days=abs(fact["days"])) if known else tr("at an unknown time")
    if "slices" in values and "mm" in values:  # "1 (6 mm, confidence 0.97), 4 (5 mm, ...)"
        off = zip(fact["slices"], fact["mm"], fact["confidence"], strict=True)
        values["displaced"] = ", ".join(f"{number} ({mm:.0f} mm, confidence {sure:.2f})" for number, mm, sure in off)
    if "held" in values and "shown" in values:
        values["lent"] = fact["shown"] - fact["held"]
    if "meant" in values:
        values["meant"] = ", ".join(f"{value} {name}" for value, name in fact["meant"])
    if "others" in values:
        told = [f"{name}, {kind}, {n} slices" + ", not readable" * unfit for name, kind, n, unfit in fact["others"]]
        values["others"] = "; ".join([*told[:6], *(["..."] if told[6:] else [])])
    return values


def _parts(fact: facts.Fact, values: dict[str, Any], tr: Translate) -> dict[str, str]:
    """Parts of a sentence that are not always said, by their place in it."""

    def part(text: str, said: Any) -> str:
        return tr(text).format(**values) if said else ""

    match fact.code:
        case AgreementReason():
            figures = part(": image {image:.0f} %, ECG {ecg:.0f} %", "image" in values)
            return {"figures": figures, "caution": part("; caution: {caution}", fact.get("caution"))}
        case ScoreRemark.WEAKENED:
            said = [
                part("Criteria for normal conduction were used; this ECG's class: {conduction}.", fact["conduction"]),
                part("R waves in V1 and V2 were left out.", fact["conduction"] is Conduction.RBBB),
                part("Missing leads scored nothing: {missing}.", fact["missing"]),
            ]
            return {"weakened": " ".join(filter(None, said))}
        case facts.Doubt.THRESHOLD_LOW:
            said = [
                part("{scar_percent:.0f} % of the LV would be scar", fact["scar_percent"]),
                part("{remote_percent:.0f} % of the remote region itself would be", fact["remote_percent"]),
                part("the limit is below remote mean + 2 SD in {low} of {slices} slices", fact["low"]),
            ]
            return {"why": "; ".join(filter(None, said))}
        case facts.LgeNote.TAKEN:
            alone = "; nothing says that it is LGE, but it is the only short-axis stack that is nothing else: check it"
            also = part(" Also there, not taken: {others}.", fact["others"])
            return {"alone": part(alone, fact["only_possible"]), "also": also}
        case facts.AnatomyNote.INSERTIONS_GIVEN:
            where = part(" on slices, counted from the apex: {slices}", fact["slices"])
            return {"alone": part(" (the {which} one alone)", fact["which"]), "where": where}
        case facts.AnatomyNote.INSERTIONS_UNCERTAIN:
            where = part(" on slices, counted from the apex: {slices};", fact["slices"])
            return {"where": where or part(" (confidence {confidence:.2f}):", True)}
    return {}


def _value(value: Any, tr: Translate) -> Any:
    """A parameter as a sentence takes it: numbers as they are, the rest in words."""
    if isinstance(value, tuple):
        between = "; " if any(isinstance(entry, facts.Fact) for entry in value) else ", "
        return between.join(str(_value(entry, tr)) for entry in value)
    if isinstance(value, facts.RemoteRegion):
        return _region(value, tr)
    return value if isinstance(value, (int, float)) else words(value, tr)


def agreement_reason(fact: facts.Fact | None, tr: Translate = str, *, figures: bool = True) -> str:
    """Why the ECG agrees with the image in one segment, with or without the figures of both."""
    if fact is not None and not figures:
        fact = facts.Fact(fact.code, **{name: value for name, value in fact.parameters if name not in ("image", "ecg")})
    return words(fact, tr)


def _region(region: facts.RemoteRegion, tr: Translate) -> str:
    if region.source is facts.RemoteSource.AUTOMATIC:
        return tr("found automatically: darkest 60 degree sector of each slice")
    if region.source is facts.RemoteSource.SEGMENTS:
        return tr("segments {segments}, chosen by the reader").format(segments=", ".join(map(str, region.segments)))
    return tr("drawn by the reader")


def _lent(held: int, shown: int, what: str, tr: Translate) -> str:
    text = tr(f", in {{held}} of {{shown}} slices (the other {{lent}} take its pooled {what})")
    return text.format(held=held, shown=shown, lent=shown - held) if held < shown else ""


def rule_words(method: facts.Method, tr: Translate = str) -> str:
    """The method and its parameters without its remote region."""
    text = words(method.source, tr)
    if method.by_network:
        text += (tr(", image only") if method.image_only else "") + f", p > {method.above:g}"
    elif method.source is facts.ScarSource.N_SD:
        text = tr("remote mean + {n_sd:g} SD").format(n_sd=method.n_sd)
    elif method.source is facts.ScarSource.FWHM:
        psir = method.contrast is facts.Contrast.PSIR
        text = tr(f"FWHM ({'half-way from remote mean to' if psir else 'half of'} the maximum)")
        if method.peak_slices:
            text += tr(" in the region drawn by the reader") + _lent(*method.peak_slices, "maximum", tr)
    if method.per:
        one = "scale" if method.source is facts.ScarSource.EWA else "threshold"
        text += tr(f", one {one} per {{per}}, contrast {{contrast}}").format(per=method.per, contrast=method.contrast)
    text += tr(", enclosed MVO counted in") if method.encloses_mvo else ""
    if method.smallest_island_ml:
        text += tr(", islands below {ml:g} ml left out").format(ml=method.smallest_island_ml)
    if method.without_slices:
        text += tr(", slices {slices} from the apex left out").format(slices=spans(method.without_slices))
    return text + (tr(", corrected by hand") if method.corrected else "")


def described(method: facts.Method, shown: facts.Shown, tr: Translate = str) -> str:
    """The method and which scar it is, as it stands beside a figure; nothing is said twice."""
    said_already = method.corrected or (method.image_only and shown is facts.Shown.IMAGE_ONLY)
    return words(method, tr) if said_already else f"{words(method, tr)}; {words(shown, tr)}"


def spans(values: Iterable[int]) -> str:
    """Whole numbers in words: "1 to 6, 8, 9"."""
    runs: list[str] = []
    for _, numbered in groupby(enumerate(sorted(set(values))), key=lambda pair: pair[1] - pair[0]):
        run = [value for _, value in numbered]
        runs += [f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run)
    return ", ".join(runs)
