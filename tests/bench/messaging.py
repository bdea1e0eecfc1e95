"""The messaging benchmark: `make bench-messaging`, or `python -m tests.bench.messaging [ROW ...]`.

Prints a table with the peers beside us, all on private networks of this machine. It is no test: it fails only where
something could not be measured. Figures depend on the machine; ratios are taken in one run.
"""

from __future__ import annotations

import os
import sys

from netcrier.errors import NetcrierError

from tests.bench.rows import ROWS, Row

TITLES = Row("WHAT", "OURS", "BESIDE IT", "REACH")


def main(names: list[str]) -> int:
    """Measure the named rows, or all; 1 where one could not be measured, 2 for a name that is none."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        print(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    print(f"{os.cpu_count()} cores; load {os.getloadavg()[0]:.1f} before the start", flush=True)
    _print(TITLES)
    status = 0
    for name in names or ROWS:
        try:
            for row in ROWS[name]():
                _print(row)
        except NetcrierError as error:
            print(f"{name}: not measured: {error}", flush=True)
            status = 1
    return status


def _print(row: Row) -> None:
    verdict = {None: "", True: "yes", False: "NO"}[row.reached]
    print(f"{row.what:<42}  {row.ours:<44}  {row.beside:<44}  {row.target:<26}  {verdict}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
