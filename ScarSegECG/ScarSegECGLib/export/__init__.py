"""Files for people and for other software; called, :func:`ScarSegECGLib.face.export`.

>>> export(result, "result")  # doctest: +SKIP
"""

import sys

from ScarSegECGLib import Room

sys.modules[__name__].__class__ = Room
