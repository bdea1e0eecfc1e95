"""Whoever has stolen a node cannot speak for the master, nor for another node.

In memory; the same with real processes in tests/integration/test_attacks.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from netcrier.core.events import Received
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.masterd.store.store import Store
from netcrier.wire.block import encode_block
from netcrier.wire.catch_up import CatchUp, encode_catch_up
from netcrier.wire.envelope import SealKey
from netcrier.wire.fetch import Fetch, encode_fetch
from netcrier.wire.fragment import encode_fragment
from netcrier.wire.header import (
    read_front,
    seal_down,
)
from netcrier.wire.heard import Entry, Heard, encode_heard
from netcrier.wire.kinds import Kind
from netcrier.wire.message import Message, encode_message
from netcrier.wire.rekey import Renew, encode_renew
from netcrier.wire.report import LaneReport, Report, Request, encode_report, encode_request
from netcrier.wire.skip import Cause, Skip, encode_skip
from netcrier.wire.solicit import Solicit, encode_solicit
from netcrier.wire.turn import Stand, Turn, encode_turn

from tests import datagrams
from tests.theft import THIEF_SIGNER, Theft, strike

Forgery = Callable[[Theft], bytes]

MASTERS_WORD: dict[str, Forgery] = {
    "message": lambda it: it.sealed(Kind.MESSAGE, encode_message(Message(it.head, 0, 2, 2000, 1, b"forged"))),
    "another content": lambda it: it.sealed(Kind.MESSAGE, encode_message(Message(it.head, 0, 1, 2000, 1, b"forged"))),
    "beacon": lambda it: it.beacon(),
    "beacon of its own key": lambda it: it.beacon(signing_key=THIEF_SIGNER.public),
    "announced rotation": lambda it: it.beacon(next_epoch=2),
    "solicitation": lambda it: it.sealed(Kind.SOLICIT, encode_solicit(Solicit(it.head, 0, 99, 2000, 0, b"\xff"))),
    "skip": lambda it: it.sealed(Kind.SKIP, encode_skip(Skip(it.head, 0, 2, 1, Cause.NOT_FOR_YOU, 1, datagrams.CHAIN))),
    "heard": lambda it: it.sealed(Kind.HEARD, encode_heard(Heard(it.head, (Entry(1, 1, 99),)))),
    "turn": lambda it: it.sealed(
        Kind.TURN,
        encode_turn(Turn(replace(it.head, term=2), 0, 1, 0, 99, 2, (Stand(it.victim.number, it.victim.boot, 1),))),
    ),
    "block": lambda it: seal_down(
        Kind.BLOCK, it.net.group, 1, SealKey(it.thief.membership.keys[0][1]), encode_block(datagrams.BLOCK)
    ),
    "fragment": lambda it: seal_down(
        Kind.FRAGMENT, it.net.group, 1, SealKey(it.thief.membership.keys[0][1]), encode_fragment(datagrams.FRAGMENT)
    ),
}


@pytest.mark.parametrize("what", MASTERS_WORD)
def test_a_stolen_node_cannot_speak_for_the_master(what: str) -> None:
    theft = Theft(seed=80)
    strike(theft, MASTERS_WORD[what](theft))
    sent = theft.net.broadcast(b"true")
    theft.net.run(2)
    assert theft.victim.log == [theft.told.id, sent.id]


def test_a_forged_announcement_makes_nobody_ask() -> None:
    theft = Theft(seed=81)
    theft.net.risen.clear()
    for node in theft.net.nodes:
        theft.net.inject(theft.beacon(next_epoch=2), node)
    theft.net.run(12)
    assert not [data for data in theft.net.risen if read_front(data).kind is Kind.RENEW]
    assert all(node.listener.refused["bad signature"] == 1 for node in theft.net.nodes)


LANE = LaneReport(0, 1, 2, 2, datagrams.CHAIN)

NODES_WORD: dict[str, Forgery] = {
    "report": lambda it: it.up(Kind.REPORT, encode_report(Report(1 << 40, (LANE,)))),
    "report of a next boot": lambda it: it.up(Kind.REPORT, encode_report(Report(1, (LANE,))), boot=99),
    "request": lambda it: it.up(Kind.REQUEST, encode_request(Request(1 << 40, 1, 0, ((1, 1),)))),
    "request for a key": lambda it: it.up(Kind.RENEW, encode_renew(Renew(1 << 40, 0, bytes(48)))),
}


@pytest.mark.parametrize("what", NODES_WORD)
def test_a_stolen_node_cannot_speak_for_another(what: str) -> None:
    theft = Theft(seed=86)
    net = theft.net
    row = net.rows[theft.victim.listener.id]
    net.inject(NODES_WORD[what](theft), None, ("10.9.9.9", 4444))
    net.run(0.001)
    assert net.master.refused["bad seal"] == 1
    known = net.master.roster.get(row.id)
    assert known
    assert (known.row.address, known.row.boot) == (row.address, row.boot)


def test_a_stolen_node_cannot_ask_for_anothers_backlog() -> None:
    theft = Theft(seed=87)
    ask = theft.up(Kind.CATCH_UP, encode_catch_up(CatchUp(1 << 40, ((0, 1, 0),))))
    with pytest.raises(DecodeError, match="bad seal"):
        theft.net.master.catch_up(Received(ask, ("10.9.9.9", 4444), theft.net.now, theft.net.now_us))


@pytest.mark.parametrize("sequence", [0, 2, 1 << 63, (1 << 64) - 1])
def test_pieces_of_what_was_never_sent_are_not_looked_for_in_the_store(sequence: int, tmp_path: Path) -> None:
    """SQLite has no place for the largest numbers that a datagram can name."""
    net, store = Theft(seed=85).net, Store(tmp_path / "store.sqlite")
    net.master.repair.transfers._shelf = store.messages
    fetch = Fetch(1 << 40, MessageId(1, 0, sequence), False, ())
    ask = net.nodes[0].listener._upward.sealed(Kind.FETCH, encode_fetch(fetch))
    before = net.master.refused["number not in this store"]
    net.master.receive(Received(ask, net.nodes[0].address, net.now, net.now_us))
    assert net.master.refused["number not in this store"] == before + 1
    store.close()
