"""What the tests of a cohort share."""

from __future__ import annotations

import pytest

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'scarsegecg[cohort]'")
pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'scarsegecg[cohort]'")
