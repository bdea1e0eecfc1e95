"""The packets of the last seconds, kept as the ring's blocks were, within a budget of bytes; and those that come.

A worker adds a copy of each block; the oldest go. A follower reads from a place of its own and is told of what went
before it came by. Left out: what a ring dropped, which nobody has.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SECOND = 1_000_000_000
_BLOCK = Struct("=12xII")
"""Of tpacket_block_desc: how many packets, and where the first is."""
_PACKET = Struct("=IIIIIIHHIIHxx")
"""tpacket3_hdr: next, sec, nsec, snaplen, len, status, mac, net, rxhash, vlan_tci, vlan_tpid."""
_LAST_AT = 40
_TIME = Struct("=II")
_ADDRESS_AT, _OUTGOING = 48 + 10, 4
_VLAN_VALID, _TPID_VALID = 0x10, 0x40
_MACS = 12
_VLAN = 0x8100


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a ring, as it was."""

    number: int
    """Rises by one from block to block."""
    data: bytes
    interface: str
    link: int
    """LINKTYPE_ number."""
    loopback: bool
    """Whether outgoing copies are to be passed over."""

    @property
    def last(self) -> int:
        """When its last packet came, in nanoseconds."""
        found: tuple[int, int] = _TIME.unpack_from(self.data, _LAST_AT)
        return found[0] * SECOND + found[1]


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet out of a block."""

    time: int
    """Nanoseconds since 1970."""
    wire: int
    """Bytes on the wire."""
    data: bytes
    """What was captured; a VLAN tag that the card took out is in its place again."""


class Recent:
    """Shared by all workers and followers."""

    def __init__(self, budget: int) -> None:
        """`budget` in bytes; 0: nothing is kept, and only who follows sees packets."""
        self._budget = budget
        self._blocks: deque[Block] = deque()
        self._changed = threading.Condition()
        self._next = 0
        self._followers = 0
        self.size = 0
        """Bytes that are kept."""
        self.skipped = 0
        """Blocks that were not kept because their worker was behind."""

    @property
    def wanted(self) -> bool:
        """Whether a copy of a block is of use."""
        return self._budget > 0 or self._followers > 0

    def add(self, data: bytes, interface: str, link: int, loopback: bool) -> None:
        """A block that was walked."""
        with self._changed:
            self._blocks.append(Block(self._next, data, interface, link, loopback))
            self._next += 1
            self.size += len(data)
            most = max(self._budget, FOLLOWED) if self._followers else self._budget
            while self.size > most and self._blocks:
                self.size -= len(self._blocks.popleft().data)
            self._changed.notify_all()

    def interfaces(self) -> set[str]:
        """Of which packets are kept."""
        with self._changed:
            return {block.interface for block in self._blocks}

    def begin(self, since: int | None) -> int:
        """The place of a new follower: from the first block with a packet after `since` (nanoseconds); None: now."""
        with self._changed:
            self._followers += 1
            found = next((one.number for one in self._blocks if one.last >= since), None) if since is not None else None
            return self._next if found is None else found

    def end(self) -> None:
        """A follower leaves."""
        with self._changed:
            self._followers -= 1

    def after(self, place: int, seconds: float) -> tuple[list[Block], int]:
        """Blocks from a place on, as many as there are; waits for the first. And how many went before it came by."""
        with self._changed:
            self._changed.wait_for(lambda: self._next > place, seconds)
            if not self._blocks or self._next <= place:
                return [], max(0, self._next - place)
            first = self._blocks[0].number
            found = [one for one in self._blocks if one.number >= place]
            return found, max(0, first - place)


FOLLOWED = 16 << 20
"""Bytes that are kept for who follows, at least."""


def packets(block: Block) -> Iterator[Seen]:
    """The packets of a block, without the outgoing copies of a loopback interface."""
    data, size = block.data, len(block.data)
    count, at = _BLOCK.unpack_from(data)
    for _ in range(count):
        if at + _PACKET.size + 20 > size:
            return
        following, seconds, rest, have, wire, status, mac, _, _, tag, kind = _PACKET.unpack_from(data, at)
        start = at + mac
        if start + have > size:
            return
        if not (block.loopback and data[at + _ADDRESS_AT] == _OUTGOING):
            packet = data[start : start + have]
            if status & _VLAN_VALID and have >= _MACS and block.link == 1:
                label = (kind if status & _TPID_VALID and kind else _VLAN).to_bytes(2, "big") + tag.to_bytes(2, "big")
                packet, wire = packet[:_MACS] + label + packet[_MACS:], wire + 4
            yield Seen(seconds * SECOND + rest, wire, packet)
        if following == 0:
            return
        at += following
