#!/usr/bin/env python3
"""`python tools/flash.py ACT ...`: the technician's tool, a thin skin; what each act does and means
stands in docs/flash.md, its parts in tools/technician/.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from tools.technician.command import main

if __name__ == "__main__":
    sys.exit(main())
