"""A stack that shows too little is told how much it has to show."""

from __future__ import annotations

import numpy as np
import pytest

from ScarSegECGLib.errors import NoLeftVentricle
from ScarSegECGLib.lge.checks import refuse_without_ventricle
from ScarSegECGLib.lge.orientation import canonical


@pytest.mark.parametrize(("pixels", "said"), [(64, "90 x 90 mm"), (74, "104 x 104 mm"), (75, "")])
def test_the_field_of_view_is_named_where_it_is_small(pixels, said) -> None:
    voxels = np.random.default_rng(0).integers(0, 900, (5, pixels, pixels)).astype(np.int16)
    stack = canonical(voxels, np.diag([-1.4, -1.4, 8.0, 1.0]))
    with pytest.raises(NoLeftVentricle) as caught:
        refuse_without_ventricle(stack, "none found")
    more = f"; the field of view of {said} is small: give 105 mm a side or more" if said else ""
    assert str(caught.value) == f"none found{more}"
