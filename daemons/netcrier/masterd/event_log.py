"""masterd's messages.log: what was sent, each receipt, each completion. One JSON object a line."""

from __future__ import annotations

import time

import msgspec

from netcrier.core.delivery import Receipt
from netcrier.core.roster import Roster
from netcrier.core.speaker import Composed
from netcrier.ids import MessageId
from netcrier.runtime.logs import Clock, JsonLog, stamp


class EventLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of the master's messages.log. `ts` is epoch seconds, or RFC 3339 as `log.time` says."""

    ts: float | str
    """When it happened."""
    event: str
    """`broadcast`, `receipt` or `complete`."""
    id: str
    """The message."""
    size: int | None = None
    """Bytes of the body (broadcast)."""
    expected: int | None = None
    """Nodes that are to receive it (broadcast, complete)."""
    node: str | None = None
    """Hex id (receipt)."""
    name: str | None = None
    """The node's name (receipt)."""
    state: str | None = None
    """`received` or `delivered` (receipt)."""
    after_ms: float | None = None
    """Milliseconds since it was sent (receipt, complete)."""


class EventLog:
    """Writes them; what a full disk refuses is counted by the log."""

    def __init__(self, log: JsonLog, roster: Roster, clock: Clock) -> None:
        self.log, self._roster, self._clock = log, roster, clock

    def sent(self, composed: Composed, size: int) -> None:
        """A message has left."""
        self._write("broadcast", composed.id, size=size, expected=len(composed.expected))

    def receipt(self, receipt: Receipt) -> None:
        """A node has told of a message."""
        node = self._roster.at(receipt.index)
        line = EventLine(
            self._now(), "receipt", str(receipt.message), node=node.row.id.hex() if node else None,
            name=node.row.name if node else None, state=receipt.state.name.lower(), after_ms=_ms(receipt.after),
        )  # fmt: skip
        self._append(line)

    def completed(self, message: MessageId, expected: int, after: float) -> None:
        """Every expected node has the message."""
        self._write("complete", message, expected=expected, after_ms=_ms(after))

    def reopen(self) -> None:
        """Write to a new file of the same name."""
        self.log.reopen()

    def _now(self) -> float | str:
        return stamp(time.time(), self._clock)

    def close(self) -> None:
        """No more lines."""
        self.log.close()

    def _write(
        self, event: str, message: MessageId, *, size: int | None = None, expected: int | None = None,
        after_ms: float | None = None,
    ) -> None:  # fmt: skip
        line = EventLine(self._now(), event, str(message), size=size, expected=expected, after_ms=after_ms)
        self._append(line)

    def _append(self, line: EventLine) -> None:
        self.log.tick()
        self.log.append(msgspec.json.encode(line))


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
