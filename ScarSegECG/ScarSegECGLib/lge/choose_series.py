"""Choose the short-axis LGE stack among the series of a study, and say why.

The rule, in this order: what the headers call LGE before what they do not name; stacks that can be read before those
that cannot; stacks that reach over at least 70 % of the longest one's length; PSIR before magnitude, because it depends
less on the inversion time that was chosen by hand; the one acquired last; the higher series number. What no rule
decides is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from ScarSegECGLib.errors import InputError
from ScarSegECGLib.facts import Contrast, Fact, LgeNote
from ScarSegECGLib.lge.study import ImageSet

_COMPLETE = 0.7
_LIST = "`scarsegecg lge` lists them"


def choose(
    sets: Sequence[ImageSet], *, series: str | None = None, image: Contrast | None = None
) -> tuple[ImageSet, tuple[Fact, ...]]:
    """The set of a study to read, and notes on what was chosen and what else there was.

    What is asked for by name, a ``series`` UID or number, is taken whatever it looks like, with a note. ``image`` is
    "magnitude" or "psir". Where nothing fits, or the rule does not decide, that is an :class:`InputError`.
    """
    asked = series is not None
    found = sets if series is None else _called(sets, series.strip())
    if asked and image is not None:
        found = _of_kind(found, image)
    fitting = [s for s in found if s.verdict == "lge"] or [s for s in found if s.verdict == "possible"]
    if asked and not fitting:
        chosen = _best(found)
        return chosen, (Fact(LgeNote.TAKEN_AS_ASKED, name=chosen.name, taken_for=chosen.taken_for),)
    if not fitting:
        raise InputError(_none_fits(sets))
    if not asked and image is not None:
        fitting = _of_kind(fitting, image)
    chosen = _best(fitting)
    there_was_a_choice = len(fitting if asked else sets) > 1
    return chosen, (_said(chosen, fitting, sets),) if there_was_a_choice else ()


def _called(sets: Sequence[ImageSet], series: str) -> list[ImageSet]:
    found = [s for s in sets if series in (*s.series_uids, *s.series_numbers)]
    if not found:
        there = list(dict.fromkeys(n for s in sets for n in s.series_numbers if n))
        shown = f" (there are {', '.join(there[:12])}{' ...' if len(there) > 12 else ''})" if there else ""
        raise InputError(f"The study has no series of that UID or number{shown}: {_LIST}.")
    return found


def _of_kind(sets: Sequence[ImageSet], image: Contrast) -> list[ImageSet]:
    of_kind = [s for s in sets if s.kind == image]
    if not of_kind:
        there = ", ".join(f"{s.name}: {s.kind}" for s in sets[:4])
        raise InputError(f"There is no {image} LGE short-axis stack (found {there}): choose another image or series.")
    return of_kind


def _best(fitting: Sequence[ImageSet]) -> ImageSet:
    studies = len({s.study_uid for s in fitting})
    if studies > 1 and all(s.verdict == "lge" for s in fitting):
        raise InputError(
            f"LGE short-axis stacks of {studies} studies lie together: give one study alone, or choose a series "
            f"({_LIST})."
        )
    if len(fitting) > 1 and all(s.verdict == "possible" for s in fitting):
        sizes = ", ".join(str(len(s.frames)) for s in fitting[:8])
        raise InputError(
            f"There are {len(fitting)} series ({sizes}{' ...' if len(fitting) > 8 else ''} images) that may be the "
            f"short-axis LGE, and nothing says which: choose one ({_LIST}), or give its folder alone."
        )
    longest = max(s.extent_mm for s in fitting)
    best, *others = sorted(fitting, key=lambda s: _rank(s, longest), reverse=True)
    if others and _rank(best, longest) == _rank(others[0], longest):
        raise InputError(
            f"Two LGE short-axis stacks ({best.name} and {others[0].name}) are alike in kind, length, time and "
            f"number: choose one by its UID ({_LIST})."
        )
    return best


def _rank(images: ImageSet, longest_mm: float) -> tuple[object, ...]:
    return (
        not images.unfit,
        images.extent_mm >= _COMPLETE * longest_mm,
        images.kind == "psir",
        images.acquired or datetime.min,
        images.number,
    )


def _said(chosen: ImageSet, fitting: Sequence[ImageSet], sets: Sequence[ImageSet]) -> Fact:
    """What was taken, why, and what else would have done."""
    return Fact(
        LgeNote.TAKEN,
        name=chosen.name,
        sets=len(sets),
        taken_for=chosen.taken_for,
        kind=str(chosen.kind),
        slices=chosen.slices,
        only_possible=chosen.verdict == "possible",
        others=tuple((s.name, str(s.kind), s.slices, bool(s.unfit)) for s in fitting if s is not chosen),
    )


def _none_fits(sets: Sequence[ImageSet]) -> str:
    """Why there is nothing to read: of one series its own reason, of many how many were what."""
    number = len({uid for s in sets for uid in s.series_uids})
    if number > 1 or len(sets) > 1:
        shown = ", ".join(f"{n} {name}" for name, n in Counter(s.taken_for for s in sets).most_common(5))
        return (
            f"None of the {number} series is a short-axis LGE stack (taken for: {shown}): `scarsegecg lge` says why; "
            "choose one by number if that is wrong."
        )
    (only,) = sets
    if only.unfit and only.may_be_lge:
        return only.unfit
    return (
        f"The series is not a short-axis LGE stack but was taken for {only.taken_for} "
        f"({'; '.join(only.reasons[:3])}): choose the LGE series."
    )
