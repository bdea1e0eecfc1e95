"""The caller's side of `forks`: start a daemon on a host in a few milliseconds instead of a quarter of a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from netcrier.errors import NetcrierError

if TYPE_CHECKING:
    from netcrier_ctl.lab.network import Lab


class Nursery:
    """Forks daemons into a lab's hosts. Their end is the lab's: it kills what runs in it."""

    def __init__(self, lab: Lab, modules: Sequence[str], host: str) -> None:
        """`modules` have a `main()` that gives an exit status; they are imported once, by a process on `host`."""
        self._lab = lab
        words = [*lab.enter(host), sys.executable, "-m", "netcrier_ctl.lab.forks", *modules]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ), start_new_session=True
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def start(self, host: str, module: str, environ: Mapping[str, str], stderr: Path) -> int:
        """Run `module.main()` on a host; its pid in the caller's number space. Raises NetcrierError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"module": module, "net": self._lab.namespace(host), "environ": dict(environ), "stderr": str(stderr)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise NetcrierError(f"{module} could not be started on {host}")
        return int(json.loads(answer)["pid"])
