"""How far the network's scar may be off, said beside its number: read from the table shipped with the weights."""

from __future__ import annotations

import csv
import hashlib
import statistics
from functools import cache
from importlib import resources

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.facts import Doubt, Fact

_LIMITS_OF_AGREEMENT = 1.96  # Bland and Altman, Lancet 1986; 1: 307
SCOPE = (
    "Learned and tested on acute infarcts of one centre alone: chronic and non-ischaemic scar untested. Scar means "
    "late enhancement here, which in the first days is larger than the scar that stays."
)


def accuracy_line(weights_sha256: str | None) -> str:
    """Accuracy and scope in one line, for the networks of these weights.

    "" where no network took part; for weights other than the shipped ones, that their accuracy is not known here.
    """
    if not weights_sha256:
        return ""
    infarct, without = _cross_validated(weights_sha256)
    if not infarct:
        return f"Accuracy of these weights: see their own card. {SCOPE}"
    errors = _figures(infarct, "scar_volume_error_ml")
    mean, spread = statistics.fmean(errors), _LIMITS_OF_AGREEMENT * statistics.stdev(errors)
    low, high = (f"{value:+.0f}".replace("-", "−") for value in (mean - spread, mean + spread))
    dice = statistics.fmean(_figures(infarct, "scar_dice"))
    return (
        f"Cross-validated against experts in {len(infarct)} patients with infarct: Dice {dice:.2f}, 95 % of the "
        f"volumes {low} to {high} ml off; in {len(without)} without infarct up to "
        f"{max(_figures(without, 'scar_ml')):.1f} ml of false scar. {SCOPE}"
    )


def doubt_of(result: ScarResult) -> Fact | None:
    """That the whole scar is no more than what these networks found in hearts without infarct.

    ``None`` where it is more, for other weights than the shipped ones, for a rule's scar, and for one that a reader
    corrected, which answers it.
    """
    if not result.method.by_network or result.method.corrected:
        return None
    infarct, without = _cross_validated(result.weights_sha256)
    ml, most = result.scar_image_only.ml, max(_figures(without, "scar_ml"), default=0.0)
    if not 0 < ml <= most:
        return None
    as_little = sum(found <= most for found in _figures(infarct, "scar_ml"))
    return Fact(Doubt.MAY_BE_NO_SCAR, ml=ml, most=most, without=len(without), as_little=as_little, infarct=len(infarct))


Rows = list[dict[str, str]]


@cache
def _cross_validated(weights_sha256: str | None) -> tuple[Rows, Rows]:
    """The shipped table's rows of patients with and without infarct; none for other weights than the shipped."""
    folder = resources.files("ScarSegECGLib") / "weights"
    try:
        digest = hashlib.sha256((folder / "scarseg.safetensors").read_bytes()).hexdigest()
        rows = list(csv.DictReader((folder / "cross_validation.csv").read_text(encoding="utf-8").splitlines()))
    except OSError:
        return [], []
    if (weights_sha256 or "").lower() != digest:
        return [], []
    return [row for row in rows if row["pathological"] == "1"], [row for row in rows if row["pathological"] != "1"]


def _figures(rows: Rows, name: str) -> list[float]:
    return [float(row[name]) for row in rows]
