"""How far the network's scar may be off, said beside its number: read from the table shipped with the weights."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.facts import Doubt, Fact

_LIMITS_OF_AGREEMENT = 1.96  # Bland and Altman, Lancet 1986; 1: 307
SCOPE = (
    "Learned and tested on acute infarcts of one centre alone: chronic and non-ischaemic scar untested. Scar means "
    "late enhancement here, which in the first days is larger than the scar that stays."
)


def accuracy_line(weights_sha256: str | None) -> str:
    """Accuracy and scope of these weights' networks in one line, no figures for unknown weights; "" without any."""
    if not weights_sha256:
        return ""
    known = _cross_validated(weights_sha256)
    if known is None:
        return f"Accuracy of these weights: see their own card. {SCOPE}"
    infarct, without = known
    errors = infarct["scar_volume_error_ml"]
    mean, spread = errors.mean(), _LIMITS_OF_AGREEMENT * errors.std(ddof=1)
    low, high = (f"{value:+.0f}".replace("-", "−") for value in (mean - spread, mean + spread))
    return (
        f"Cross-validated against experts in {len(infarct)} patients with infarct: Dice "
        f"{infarct['scar_dice'].mean():.2f}, 95 % of the volumes {low} to {high} ml off; in {len(without)} without "
        f"infarct up to {without['scar_ml'].max():.1f} ml of false scar. {SCOPE}"
    )


def doubt_of(result: ScarResult) -> Fact | None:
    """That the whole scar is no more than what these networks found in hearts without infarct, or may be none.

    ``None`` where it is more, for other weights than the shipped ones, a rule's scar, or one that a reader corrected.
    """
    known, ml = _cross_validated(result.weights_sha256), result.scar_image_only.ml
    if known is None or not result.method.by_network or result.method.corrected:
        return None
    infarct, without = known
    most = float(without["scar_ml"].max())
    if not 0 < ml <= most:
        low, high = result.interval.ml if result.interval else (ml, ml)
        return Fact(Doubt.FROM_NO_SCAR_ON, ml=ml, high=high) if ml > 0 and round(low, 1) <= 0 else None
    as_little = int((infarct["scar_ml"] <= most).sum())
    return Fact(Doubt.MAY_BE_NO_SCAR, ml=ml, most=most, without=len(without), as_little=as_little, infarct=len(infarct))


@cache
def _cross_validated(weights_sha256: str | None) -> tuple[NDArray, NDArray] | None:
    """The shipped table's patients with and without infarct, its columns by name; None for other weights' networks."""
    folder = resources.files("ScarSegECGLib") / "weights"
    try:
        digest = hashlib.sha256((folder / "scarseg.safetensors").read_bytes()).hexdigest()
        lines = (folder / "cross_validation.csv").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    if (weights_sha256 or "").lower() != digest:
        return None
    rows = np.genfromtxt(lines, delimiter=",", names=True, dtype=None, encoding="utf-8")
    return rows[rows["pathological"] == 1], rows[rows["pathological"] != 1]
