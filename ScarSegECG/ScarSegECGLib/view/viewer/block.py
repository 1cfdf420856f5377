"""The viewer as a piece of a page that stands alone: data, script and style within it, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from ScarSegECGLib.view.viewer.data import viewer_file


def viewer_block(data: dict[str, Any]) -> str:
    """HTML for a page that allows :func:`script_hash` and inline styles; hidden in print.

    Parameters
    ----------
    data : dict
        As :func:`ScarSegECGLib.view.viewer.data.viewer_data` gives it.
    """
    told = json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return (
        f"<style>{viewer_file('viewer.css')}</style>"
        '<div class="viewer" id="scar-viewer"></div>'
        f'<script type="application/json" id="scar-viewer-data">{told}</script>'
        f"<script>{_script()}</script>"
    )


def script_hash() -> str:
    """The script's hash as a content security policy names it."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode("ascii")
    return f"'sha256-{digest}'"


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
