"""The nodes that the master knows: who they are, when they were heard, and how far each lane has come.

A node's identity is its key; name, address and tags are what it says of itself. Rows are for the disk
(`events.NodeRow`), `Node` is the living side.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from netcrier.core.events import Address, NodeRow
from netcrier.core.pacing import SILENCES, presence_interval
from netcrier.core.replay import CounterWindow
from netcrier.ids import NodeId
from netcrier.wire.envelope import SealKey
from netcrier.wire.kinds import Kind
from netcrier.wire.report import LaneReport


@dataclass(slots=True)
class Node:
    """A node as the master sees it now. `solicited` counts solicitations since it was last heard."""

    row: NodeRow
    shared: bytes
    address: Address | None = None
    heard_at: float | None = None
    rtt: float | None = None
    drops: int = 0
    lanes: dict[int, LaneReport] = field(default_factory=dict)
    settled: dict[tuple[int, int], int] = field(default_factory=dict)
    """By term and lane: up to which number its reports have said all."""
    counters: CounterWindow = field(default_factory=CounterWindow)
    calls: CounterWindow = field(default_factory=CounterWindow)
    """Of what came by TCP, which UDP may overtake: its first counter says nothing of these."""
    keys: dict[Kind, SealKey] = field(default_factory=dict)
    solicited: int = 0
    solicited_at: float = 0.0
    requested_at: float = 0.0
    solicit_at: float = 0.0
    answered: int = 0
    """The newest beacon that an accepted report of this run has answered."""
    twin_at: float | None = None
    """When another machine with this identity was last heard."""
    doubted: int = 0
    """The newest beacon that a report with a refused counter has answered."""
    missed: int = 0
    """Reports in a row that show that the shared carriers did not reach it; `found`: that they did."""
    found: int = 0
    called: int = 0
    """How often it was called at the address in the store, since the master's start."""
    epoch: int = 0
    """The newest epoch of which a report has shown that the node has the key."""

    def take(self, row: NodeRow) -> None:
        """The row has changed; in a higher boot the node counts anew, and boots do not go back."""
        if row.boot > self.row.boot:
            self.counters, self.calls = CounterWindow(), CounterWindow()
            self.keys.clear()
        self.row = replace(row, boot=max(row.boot, self.row.boot))


class Roster:
    """Nodes by identity and by index."""

    def __init__(self) -> None:
        self._by_id: dict[NodeId, Node] = {}
        self._by_index: dict[int, Node] = {}
        self._highest = -1
        self._members: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._by_id.values())

    def get(self, identity: NodeId) -> Node | None:
        """The node with this identity."""
        return self._by_id.get(identity)

    def at(self, index: int) -> Node | None:
        """The node with this roster index."""
        return self._by_index.get(index)

    def find(self, name: str) -> list[Node]:
        """Nodes by host name, or by the beginning of their identity in hex (at least 4 digits)."""
        return [
            node
            for node in self
            if node.row.name == name or (len(name) >= 4 and node.row.id.hex().startswith(name.lower()))
        ]

    def before(self, node: Node) -> str | None:
        """The hex id of the node that had this one's name before, under another key."""
        same = [
            other
            for other in self
            if other.row.name == node.row.name and other.row.index < node.row.index and node.row.name
        ]
        return max(same, key=lambda other: other.row.index).row.id.hex() if same else None

    def put(self, node: Node) -> None:
        """Add or replace."""
        self._by_id[node.row.id] = node
        self._by_index[node.row.index] = node
        self._highest = max(self._highest, node.row.index)
        self.changed()

    def changed(self) -> None:
        """A node's row may say something else about whether it may take part."""
        self._members = None

    def remove(self, node: Node) -> None:
        """Forget the node."""
        del self._by_id[node.row.id]
        del self._by_index[node.row.index]
        self.changed()

    def next_index(self, reserved: Iterable[int]) -> int:
        """An index that no node of this run has had: what is said of one never reaches another."""
        return max((self._highest, *reserved)) + 1

    def members(self) -> tuple[int, ...]:
        """Indexes of the nodes that may take part: the same object until one changes."""
        if self._members is None:
            self._members = tuple(index for index, node in self._by_index.items() if node.row.approved)
        return self._members

    def waiting(self) -> int:
        """How many nodes wait for approval."""
        return sum(node.row.trust == "waiting" for node in self)

    @property
    def presence(self) -> float:
        """Seconds between two words of a node, at most."""
        return presence_interval(len(self))

    def double(self, node: Node, now: float) -> bool:
        """Whether two machines have used this identity within the last three presence intervals."""
        return node.twin_at is not None and now - node.twin_at <= SILENCES * self.presence

    def here(self, node: Node, now: float) -> bool:
        """Whether the node spoke within the last three presence intervals."""
        return node.heard_at is not None and now - node.heard_at <= SILENCES * self.presence
