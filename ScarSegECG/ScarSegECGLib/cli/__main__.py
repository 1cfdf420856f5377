"""``python -m ScarSegECGLib.cli``: the same as ``scarsegecg``."""

from ScarSegECGLib.cli import main

raise SystemExit(main())
