"""`masterd`: the master's daemon."""

from __future__ import annotations

import sys

from netcrier.runtime.lean import bar_openssl


def main() -> int:
    """Exit status: 0, 75 temporary, 77 missing capability, 78 bad configuration."""
    bar_openssl()
    from netcrier.masterd.app import App
    from netcrier.masterd.config import Config
    from netcrier.masterd.store.recovery import recover
    from netcrier.runtime.program import run

    return run("masterd", Config, App, repair=recover)


if __name__ == "__main__":
    sys.exit(main())
