"""Scar by every rule, and what it amounts to; called, :func:`ScarSegECGLib.face.measure`.

>>> measure(result, "n_sd", n_sd=5).scar.percent_of_lv  # doctest: +SKIP
"""

import sys

from ScarSegECGLib import Room

sys.modules[__name__].__class__ = Room
