"""What to send for one block once several nodes have said what they lack of it. A pure decision.

Rules:
- The BLOCK goes first: without it nothing of the block is verified.
- Parity where several nodes that can use it lack different fragments: to all, as many pieces as the worst of them
  needs, if these are fewer than the fragments that they lack together; and for the share of the block that this node
  has lost, as many more: it will lose of these as well.
- Else each fragment again: to all where several lack it, to the one that lacks it.
- Where the path is known to lose, spare parity besides, in either case: a round more costs more than a datagram.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from netcrier.core.master.provision import spare
from netcrier.wire.fetch import Lack, bitmap_of
from netcrier.wire.limits import FRAGMENTS_MAX


class Ask(msgspec.Struct, frozen=True):
    """What one node lacks of the block, whether parity is of use to it, and when it said so: µs since 1970."""

    lack: Lack
    parity: bool
    at_us: int = 0


class Mending(msgspec.Struct, frozen=True):
    """What to send: the BLOCK, parity, fragments by place. To None: all, else a node index.

    `spare`: how many of the pieces of parity stand for no fragment, but for what will be lost.
    """

    header: bool
    header_to: int | None
    parity: int
    fragments: tuple[tuple[int, int | None], ...]
    parity_to: int | None = None
    spare: int = 0


def remaining(ask: Ask, sent: Mending, left_us: int) -> Ask | None:
    """What the node lacks still, of what it said before this was sent to all: it asks again for what it has lost."""
    if ask.at_us >= left_us:
        return ask
    lack = ask.lack
    header = lack.header and not (sent.header and sent.header_to is None)
    bitmap = lack.bitmap & ~bitmap_of([place for place, to in sent.fragments if to is None])
    need = min(lack.need - (sent.parity if ask.parity and sent.parity_to is None else 0), bitmap.bit_count())
    if need <= 0:
        bitmap = need = 0
    return replace(ask, lack=Lack(lack.block, header, need, bitmap)) if header or need else None


def sent_for(ask: Ask, sent: Mending) -> int:
    """How many of these datagrams a node has asked for: what only others lack is not for it."""
    lack = ask.lack
    able = ask.parity and lack.need
    if able and sent.parity > sent.spare:
        pieces = min(sent.parity, lack.need + sent.spare)
    else:
        pieces = lack.bitmap.bit_count() + (sent.parity if able else 0)
    return int(lack.header) + pieces


def _only(askers: list[int]) -> int | None:
    return askers[0] if len(askers) == 1 else None


def mending(asks: Mapping[int, Ask], *, parity: bool, loss: float = 0.0) -> Mending:
    """The decision for `asks` by node index; `parity` whether the master can make it, `loss` the share that is lost."""
    headless = [index for index, ask in asks.items() if ask.lack.header]
    able = [index for index, ask in asks.items() if ask.parity and ask.lack.need]
    pieces = max((asks[index].lack.need for index in able), default=0)
    together = 0
    for index in able:
        together |= asks[index].lack.bitmap
    by_parity = parity and len(able) > 1 and pieces < together.bit_count()
    rest = [index for index in asks if not (by_parity and index in able)]
    fragments = []
    for place in range(FRAGMENTS_MAX):
        askers = [index for index in rest if asks[index].lack.lacks(place)]
        if askers:
            fragments.append((place, _only(askers)))
    more = max(spare(pieces, loss), round(pieces * pieces / FRAGMENTS_MAX) if by_parity else 0) if parity else 0
    count, to = (pieces + more, None) if by_parity else (more, _only(able) if more else None)
    return Mending(bool(headless), _only(headless), count, tuple(fragments), to, more)
