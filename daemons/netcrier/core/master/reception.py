"""What nodes say to the master, opened: by an approved node, in its present boot, for the first time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeVar

from msgspec.structs import replace

from netcrier.core.events import MasterEvent, NodeChanged, Received
from netcrier.core.master.reach import Reach
from netcrier.core.master.roster import Node, Roster
from netcrier.core.master.solicitor import Solicitor
from netcrier.core.master.twins import OLD_BOOT
from netcrier.core.master.voice import Voice
from netcrier.errors import DecodeError
from netcrier.wire.envelope import SealKey
from netcrier.wire.header import UP_SIZE, UpHeader, read_up, up_key


class Counted(Protocol):
    """What a node says: with a counter that rises with each."""

    @property
    def counter(self) -> int: ...


_T = TypeVar("_T")
_Said = TypeVar("_Said", bound=Counted)


class Reception:
    """See the module. What has to be kept of a node goes to `events`."""

    def __init__(
        self, voice: Voice, roster: Roster, solicitor: Solicitor, reach: Reach, events: deque[MasterEvent]
    ) -> None:
        self._voice, self._roster, self._solicitor, self._reach = voice, roster, solicitor, reach
        self._events = events

    def open(self, data: bytes, decode: Callable[[bytes], _T]) -> tuple[Node, _T]:
        """The approved node that sealed this, and what it says."""
        header = read_up(data)
        node = self._roster.get(header.node)
        if node is not None and node.row.trust == "revoked":
            raise DecodeError("revoked node")
        if node is None or not node.row.approved:
            raise DecodeError("unknown node")
        if header.boot < node.row.boot:
            raise DecodeError(OLD_BOOT)
        key = node.keys.get(header.kind) if header.boot == node.row.boot else None
        if key is None:
            key = self.up_key(node, header)
        content = decode(key.open(data, UP_SIZE))
        if header.boot > node.row.boot:
            node.take(replace(node.row, boot=header.boot))
            self._events.append(NodeChanged(node.row))
        node.keys[header.kind] = key
        return node, content

    def read(self, got: Received, decode: Callable[[bytes], _Said]) -> tuple[Node, _Said]:
        """As `open` and `fresh`."""
        node, said = self.open(got.data, decode)
        self.fresh(node, said.counter, got)
        return node, said

    def fresh(self, node: Node, counter: int, got: Received) -> None:
        """Refuse what is replayed; take note of where and when the node spoke."""
        if not node.counters.accept(counter):
            raise DecodeError("replayed")
        address = got.source
        if node.address != address:
            node.address = address
            node.row = replace(node.row, address=address[0], port=address[1], seen_us=got.now_us)
            if node.row.single_us:
                self._reach.settle()
            self._events.append(NodeChanged(node.row))
        self._heard(node, got)

    def called(self, node: Node, counter: int, got: Received) -> None:
        """As `fresh`, by TCP: that does not say where the node listens."""
        if not node.calls.accept(counter):
            raise DecodeError("replayed")
        self._heard(node, got)

    def _heard(self, node: Node, got: Received) -> None:
        node.row = replace(node.row, seen_us=got.now_us)
        node.heard_at = got.now
        self._solicitor.heard(node, got.now)

    def up_key(self, node: Node, header: UpHeader) -> SealKey:
        """What opens this node's datagrams of a kind and boot."""
        me = self._voice.me
        boots = (me.term, me.boot, header.boot)
        return up_key(node.shared, header.kind, me.group, self._voice.id, boots, header.node)
