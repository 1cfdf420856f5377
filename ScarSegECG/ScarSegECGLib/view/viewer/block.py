"""The viewer as a piece of a page that stands alone: data, script and style within it, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from ScarSegECGLib.case import ScarResult
from ScarSegECGLib.view.viewer.data import result_data, viewer_file


def result_viewer(result: ScarResult) -> tuple[str, str]:
    """:func:`viewer_block` of a result."""
    return viewer_block(result_data(result))


def viewer_block(data: dict[str, Any]) -> tuple[str, str]:
    """HTML for a page that allows inline styles and one script, and the hash by which a content security policy names
    that script. Hidden in print.

    Parameters
    ----------
    data : dict
        As :func:`ScarSegECGLib.view.viewer.data.viewer_data` gives it.
    """
    told = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode("ascii")
    html = (
        f"<style>{viewer_file('viewer.css')}</style>"
        '<section class="viewer"><h2>Slices to walk through</h2><div id="scar-viewer"></div></section>'
        f'<script type="application/json" id="scar-viewer-data">{told}</script>'
        f"<script>{_script()}</script>"
    )
    return html, f"'sha256-{digest}'"


def _script() -> str:
    """The viewer and the line that begins it; arrow keys walk through the slices."""
    begin = (
        'const view=ScarViewer(document.getElementById("scar-viewer"),'
        'JSON.parse(document.getElementById("scar-viewer-data").textContent));'
        'document.addEventListener("keydown",(event)=>{if(/^(INPUT|SELECT)$/.test(event.target.tagName))return;'
        'if(event.key==="ArrowRight")view.step(1);if(event.key==="ArrowLeft")view.step(-1);'
        'if(event.key==="o")view.toggle("overlay");if(event.key==="e")view.toggle("ecg");'
        'if(event.key==="i")view.toggle("influence");});'
    )
    return f"{viewer_file('viewer.js')}\n{begin}"
