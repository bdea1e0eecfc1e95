"""The captures that lie beside the repository: where they are."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(os.environ.get("NETCRIER_SHARED", Path(__file__).resolve().parents[2] / "shared"))
TRACES = sorted((SHARED / "goldens/traces").glob("*.pcap*")) if SHARED.is_dir() else []
