"""Where the real tables and pictures are: the folder ``SHOAL_DATA``, by default ``shared/data`` beside the project."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("SHOAL_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
