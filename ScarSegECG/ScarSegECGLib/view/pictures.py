"""The pictures of one result, as files' bytes, by the names the report knows them under."""

from __future__ import annotations

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.ecg.findings import findings_lines
from ScarSegECGLib.measure.result import BY_HAND, ecg_in
from ScarSegECGLib.view.bullseye import bullseye
from ScarSegECGLib.view.ecg_paper import ecg_paper
from ScarSegECGLib.view.montage import montage
from ScarSegECGLib.view.paint_matplotlib import to_png
from ScarSegECGLib.view.shapes import Drawing


def pictures(result: ScarResult, *, dpi: float = 150.0) -> dict[str, bytes]:
    """Paint "bullseye.png", "montage.png" and, where there is an ECG, "ecg.png".

    Parameters
    ----------
    result : ScarResult
    dpi : float
        Dots per inch; all pictures carry it, so that they print at true size.
    """
    drawings = {"bullseye.png": result_bullseye(result), "montage.png": result_montage(result)}
    if result.ecg is not None:
        drawings["ecg.png"] = ecg_paper(result.ecg, median_features=ecg_lines(result))
    return {name: to_png(drawing, dpi=dpi) for name, drawing in drawings.items()}


def ecg_lines(result: ScarResult) -> list[str]:
    """What was found in the ECG and how much it counted, as it stands above the traces."""
    found = findings_lines(result.ecg_findings) if result.ecg_findings else []
    return [line for line in (*found, result.ecg_use.reason) if line]


def bullseye_png(result: ScarResult, *, width_px: int = 600) -> bytes:
    """Paint the bullseye alone."""
    return to_png(result_bullseye(result), width_px=width_px)


def result_bullseye(result: ScarResult, *, selected: int | None = None, territories: bool = False) -> Drawing:
    """Lay out the scar per segment, with the ECG's estimate as rim and its agreement where they are known."""
    rows = sorted(result.segments, key=lambda row: row.number)
    heard = result.ecg_use.amplitude > 0
    ecg = [row.ecg_percent if heard else None for row in rows]
    agreement = [row.agreement if heard else None for row in rows]
    return bullseye(
        [row.scar_percent for row in rows],
        title="Scar, % of segment volume",
        subtitle=_how(result),
        imaged=[row.imaged for row in rows],
        outer_ring=ecg if any(value is not None for value in ecg) else None,
        agreement=agreement if any(agreement) else None,
        territories=territories,
        selected=selected,
    )


def _how(result: ScarResult) -> str:
    """The method, and whether the ECG took part in what is shown."""
    if BY_HAND in result.method or "image only" in result.method:
        return result.method
    heard = "with ECG (investigational)" if ecg_in(result.method, result.ecg_use) else "image only"
    return f"{result.method}; {heard}"


def result_montage(result: ScarResult, *, influence: bool = False, aha_borders: bool = True) -> Drawing:
    """Lay out all slices with outlines and scar; with the change the ECG made where that is asked for."""
    change = result.scar_probability - result.scar_probability_image_only if influence else None
    scar = f"Scar {result.scar.ml:.1f} ml, {result.scar.percent_of_lv:.1f} % of the LV"
    title = f"{scar}, {_how(result)}"
    return montage(result.stack, result.labels, result.anatomy, influence=change, aha_borders=aha_borders, title=title)
