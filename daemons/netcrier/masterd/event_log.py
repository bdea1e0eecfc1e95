"""masterd's messages.log: what was sent, each receipt, each completion. One JSON object a line."""

from __future__ import annotations

import msgspec

from netcrier.core.delivery import Receipt
from netcrier.core.events import Completed
from netcrier.core.master.composer import Composed
from netcrier.core.master.roster import Roster
from netcrier.runtime.logs import Clock, JsonLog, stamp
from netcrier.runtime.udp import clock_us


class EventLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the master's messages.log. `ts` is epoch seconds, or RFC 3339 as `log.time` says."""

    ts: float | str
    """When it happened."""
    event: str
    """`broadcast`, `receipt`, `complete` (every expected node has it) or `settled` (the others never will)."""
    id: str
    """The message."""
    size: int | None = None
    """Bytes of the body (broadcast)."""
    expected: int | None = None
    """Nodes that are to receive it (broadcast, complete, settled)."""
    received: int | None = None
    """Nodes that have it (complete, settled)."""
    to: str | None = None
    """The selector, where there is one (broadcast)."""
    expires: float | str | None = None
    """When its age limit ends, where there is one (broadcast)."""
    node: str | None = None
    """Hex id (receipt)."""
    name: str | None = None
    """The node's name (receipt)."""
    state: str | None = None
    """`received`, `delivered`, `handled`, `refused`, `expired`, `missed` or `gap` (receipt)."""
    code: int | None = None
    """Exit status of the handler, or the reason of a refusal (receipt)."""
    unexpected: bool = False
    """The node was not expected to have it (receipt)."""
    after_ms: float | None = None
    """Milliseconds since it was sent (receipt, complete, settled)."""


class EventLog:
    """Gathers them until `flush`; what a full disk refuses is counted by the log."""

    def __init__(self, log: JsonLog, roster: Roster, clock: Clock) -> None:
        self.log, self._roster, self._clock = log, roster, clock
        self._lines: list[bytes] = []

    def sent(self, composed: Composed) -> None:
        """A message has left."""
        until = composed.condition.expires_us if composed.condition else None
        line = EventLine(
            self._now(), "broadcast", str(composed.id), size=composed.size, expected=len(composed.expected),
            to=composed.selector or None, expires=None if until is None else stamp(until, self._clock),
        )  # fmt: skip
        self._append(line)

    def receipt(self, receipt: Receipt) -> None:
        """A node has told of a message."""
        node = self._roster.at(receipt.index)
        line = EventLine(
            self._now(), "receipt", str(receipt.message), node=node.row.id.hex() if node else None,
            name=node.row.name if node else None, state=receipt.state.name.lower(), after_ms=_ms(receipt.after),
            code=receipt.code or None, unexpected=receipt.unexpected,
        )  # fmt: skip
        self._append(line)

    def completed(self, done: Completed) -> None:
        """Nothing is outstanding."""
        event = "complete" if done.received == done.expected else "settled"
        line = EventLine(
            self._now(), event, str(done.message), expected=done.expected, received=done.received,
            after_ms=_ms(done.after),
        )  # fmt: skip
        self._append(line)

    def reopen(self) -> None:
        """Write to a new file of the same name."""
        self.flush()
        self.log.reopen()

    def flush(self) -> None:
        """Write what has gathered: receipts come many at a time."""
        if not self._lines:
            return
        lines, self._lines = b"".join(self._lines), []
        self.log.tick()
        for line in lines[self.log.append_lines(lines) :].splitlines():
            self.log.append(line)  # is counted as lost, and said where it also goes to standard output

    def _now(self) -> float | str:
        return stamp(clock_us(), self._clock)

    def close(self) -> None:
        """No more lines."""
        self.flush()
        self.log.close()

    def _append(self, line: EventLine) -> None:
        self._lines.append(msgspec.json.encode(line) + b"\n")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
