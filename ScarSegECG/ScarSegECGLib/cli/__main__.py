"""``python -m ScarSegECGLib.cli``: the same as ``scarsegecg``."""

import sys

from ScarSegECGLib.cli import main

sys.exit(main())
