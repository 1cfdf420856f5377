"""Sphinx makes the pages from docs/: ``make docs``."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "ScarSegECG")]

import generate  # noqa: E402

from ScarSegECGLib import __version__  # noqa: E402

generate.write_pages(HERE / "generated")

project, author, release = "ScarSegECG", "ScarSegECG contributors", __version__
copyright = "ScarSegECG contributors; Apache-2.0, networks CC BY-NC-SA 4.0"
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxarg.ext",
]
exclude_patterns = ["_build", "generated"]
# Pages link to files of the repository; these become copies beside the pages.
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # a test executes the notebook; here it is shown as it lies
autodoc_mock_imports = ["qt", "slicer"]
autodoc_typehints = "none"  # the docstrings name types and shapes
napoleon_google_docstring = False
html_theme = "furo"
html_title = f"ScarSegECG {release}"
html_show_sphinx = False
html_theme_options = {"footer_icons": []}
