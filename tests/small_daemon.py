"""`python -m tests.small_daemon`: the smallest App, run as masterd is. `NETCRIER_FAIL` makes its start fail."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import msgspec
from netcrier.control.methods import AnyMethod, table
from netcrier.control.types.shared import Reloaded
from netcrier.errors import CapabilityError, StoreError
from netcrier.runtime.config import LogSection
from netcrier.runtime.program import Place, run


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Two keys."""

    fail: str = ""
    group: str = "default"
    log: LogSection = LogSection()


FAILURES: Mapping[str, Exception] = {
    "capability": CapabilityError("no CAP_NET_RAW: setcap cap_net_raw+ep FILE"),
    "store": StoreError("the store is corrupt"),
    "temporary": OSError(98, "Address already in use"),
    "fault": ZeroDivisionError("ours"),
}


class App:
    """Does nothing, properly."""

    methods: Mapping[str, AnyMethod] = table()
    handlers: Mapping[str, Any] = {}

    def __init__(self, config: Config, place: Place) -> None:
        self.config, self.place = config, place

    async def start(self) -> None:
        """Fail as asked, or leave a file that shows the umask."""
        if self.config.fail:
            raise FAILURES[self.config.fail]
        (self.place.state_dir / "started").write_text(str(os.getpid()))

    async def stop(self) -> None:
        """Leave a file that shows a clean stop."""
        (self.place.state_dir / "stopped").touch()

    def reload(self, config: Config) -> Reloaded:
        """The group may change."""
        changed = ["group"] if config.group != self.config.group else []
        self.config = config
        return Reloaded(changed=changed, needs_restart=[])

    def reopen_logs(self) -> None:
        """There are none."""

    def summary(self) -> str:
        """A line."""
        return f"group {self.config.group}"


if __name__ == "__main__":
    sys.exit(run("masterd", Config, App))
