"""How far the network's scar may be off, said beside its number: read from the table shipped with the weights."""

from __future__ import annotations

import csv
import hashlib
import math
import statistics
from functools import cache
from importlib import resources

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.facts import Doubt, Fact

_WEIGHTS, _TABLE = "scarseg.safetensors", "cross_validation.csv"
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
    errors = _column(weights_sha256, "scar_volume_error_ml", infarct=True)
    if not errors:
        return f"Accuracy of these weights: see their own card. {SCOPE}"
    mean, spread = statistics.fmean(errors), _LIMITS_OF_AGREEMENT * statistics.stdev(errors)
    low, high = (f"{value:+.0f}".replace("-", "−") for value in (mean - spread, mean + spread))
    dice = statistics.fmean(_column(weights_sha256, "scar_dice", infarct=True))
    false = _column(weights_sha256, "scar_ml", infarct=False)
    return (
        f"Cross-validated against experts in {len(errors)} patients with infarct: Dice {dice:.2f}, 95 % of the "
        f"volumes {low} to {high} ml off; in {len(false)} without infarct up to "
        f"{max(false, default=math.nan):.1f} ml of false scar. {SCOPE}"
    )


def doubt_of(result: ScarResult) -> Fact | None:
    """That the whole scar is no more than what these networks found in hearts without infarct.

    ``None`` where it is more, for other weights than the shipped ones, for a rule's scar, and for one that a reader
    corrected, which answers it.
    """
    if not result.method.by_network or result.method.corrected:
        return None
    false, infarct = (_column(result.weights_sha256, "scar_ml", infarct=kind) for kind in (False, True))
    ml, most = result.scar_image_only.ml, max(false, default=0.0)
    if not 0 < ml <= most:
        return None
    as_little = sum(found <= most for found in infarct)
    return Fact(Doubt.MAY_BE_NO_SCAR, ml=ml, most=most, without=len(false), as_little=as_little, infarct=len(infarct))


def _column(weights_sha256: str | None, name: str, *, infarct: bool) -> list[float]:
    """A figure of the cross-validation in all patients with or without infarct; empty for other weights."""
    digest, table = _shipped()
    if not weights_sha256 or weights_sha256.lower() != digest:
        return []
    return [float(row[name]) for row in table if (row["pathological"] == "1") is infarct]


@cache
def _shipped() -> tuple[str, tuple[dict[str, str], ...]]:
    """SHA-256 of the shipped weights and their table's rows; nothing where they are not there."""
    folder = resources.files("ScarSegECGLib") / "weights"
    try:
        digest = hashlib.sha256((folder / _WEIGHTS).read_bytes()).hexdigest()
        text = (folder / _TABLE).read_text(encoding="utf-8")
    except OSError:
        return "", ()
    return digest, tuple(csv.DictReader(text.splitlines()))
