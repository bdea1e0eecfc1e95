"""Whoever has stolen a node has its keys, the group's, and all traffic recorded: what that is good for, and what not.

In memory; the same with real processes in tests/integration/test_attacks.py.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from netcrier.core.delivery import State
from netcrier.core.events import Received
from netcrier.core.master.admission import Grant
from netcrier.core.pacing import ANNOUNCED
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.masterd.store import Store
from netcrier.wire import signed
from netcrier.wire.beacon import Beacon, LaneSpan, Marks, encode_beacon
from netcrier.wire.block import encode_block
from netcrier.wire.catch_up import CatchUp, encode_catch_up
from netcrier.wire.envelope import AgreementKey, SealKey, Signer, node_id
from netcrier.wire.fetch import Fetch, encode_fetch
from netcrier.wire.fragment import encode_fragment
from netcrier.wire.handshake import Asker, KnownAnswerer, KnownAsker
from netcrier.wire.header import (
    UP_SIZE,
    UpHeader,
    open_down,
    read_front,
    seal_down,
    seal_up,
    single_front,
    up_front,
    up_key,
)
from netcrier.wire.heard import Entry, Heard, encode_heard
from netcrier.wire.hello import Hello, encode_hello, enrolment_proof, hello_front
from netcrier.wire.kinds import Kind
from netcrier.wire.message import Message, encode_message
from netcrier.wire.rekey import Rekey, Renew, encode_rekey, encode_renew
from netcrier.wire.report import LaneReport, Report, Request, encode_report, encode_request
from netcrier.wire.signed import Head
from netcrier.wire.skip import Cause, Skip, encode_skip
from netcrier.wire.solicit import Solicit, encode_solicit
from netcrier.wire.turn import Stand, Turn, encode_turn

from tests import datagrams
from tests.network import Network, Node

THIEF_SIGNER = Signer(b"thief".ljust(32))


class Theft:
    """Three nodes; the first is stolen. `sent` and `risen` of the network are the recording."""

    def __init__(self, seed: int, is_open: bool = True) -> None:
        self.net = net = Network(3, seed, is_open=is_open)
        net.run(30, until=lambda: all(node.listener.enrolled for node in net.nodes))
        self.told = net.broadcast(b"told")
        net.run(2)
        self.thief, self.victim = net.nodes[0], net.nodes[1]
        assert self.victim.log == [self.told.id]

    @property
    def head(self) -> Head:
        """The master's, with a counter that it has not come to."""
        return Head(self.net.master.id, 1, self.net.boot, 1 << 40)

    def sealed(self, kind: Kind, content: bytes) -> bytes:
        """Signed by the thief, under the true group key."""
        epoch, secret = self.thief.membership.keys[0]
        plaintext = signed.signed(kind, self.net.group, content, THIEF_SIGNER)
        return seal_down(kind, self.net.group, epoch, SealKey(secret), plaintext)

    def beacon(self, next_epoch: int = 0, signing_key: bytes = b"") -> bytes:
        """As the master's, signed by the thief."""
        net, (epoch, secret) = self.net, self.thief.membership.keys[0]
        beacon = Beacon(
            net.group, epoch, signing_key or net.signer.public, net.agreement.public, 1, net.boot, 1 << 40, True,
            12346, ("10.9.9.9",),
        )  # fmt: skip
        marks = Marks((LaneSpan(0, 99, 1),), 2000, 10_000, net.now_us, "lab", next_epoch, 5000 if next_epoch else 0)
        return encode_beacon(beacon, marks, SealKey(secret), THIEF_SIGNER)

    def up(self, kind: Kind, content: bytes, node: bytes | None = None, boot: int | None = None) -> bytes:
        """Upward, in the victim's name, sealed with what the thief can agree on with the master."""
        name = self.victim.listener.id if node is None else node_id(node)
        boot = self.victim.boot if boot is None else boot
        key = up_key(
            self.thief.key.agree(self.net.agreement.public), kind, self.net.group, self.net.master.id,
            (1, self.net.boot, boot), name,
        )  # fmt: skip
        return seal_up(UpHeader(kind, self.net.group, name, boot), key, content)


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


def state(node: Node) -> tuple[object, ...]:
    """All that the network could change on a node."""
    listener = node.listener
    return (
        listener.membership, listener.pin, listener.inbox.lanes, list(node.log), listener._joining._renewal.timer,
        listener._joining._greeting.timer, listener._upward.to, listener.behind,
    )  # fmt: skip


def strike(theft: Theft, data: bytes) -> None:
    """One datagram, delivered to the victim at this instant; it must be counted and change nothing."""
    listener = theft.victim.listener
    before, refused = state(theft.victim), listener.refused.total()
    listener.receive(Received(data, ("10.0.1.1", 12345), theft.net.now, theft.net.now_us))
    assert state(theft.victim) == before
    assert listener.refused.total() == refused + 1
    assert listener.take_batch() is None


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


def rekey(theft: Theft, static: AgreementKey, signer: Signer, question: bytes) -> bytes:
    """A key for the victim, as whoever has `static` and `signer` for the master's would give it."""
    victim, net = theft.victim, theft.net
    clear = up_front(UpHeader(Kind.RENEW, net.group, victim.listener.id, victim.boot))
    shared = static.agree(victim.key.public)
    try:
        exchange = KnownAnswerer(clear, static, victim.key.public, shared, question)
    except DecodeError:  # the question is for another: guess its transcript
        asker = KnownAsker(clear, victim.key, AgreementKey(b"g" * 32), static.public)
        exchange = KnownAnswerer(clear, static, victim.key.public, shared, asker.ask(b""))
    payload = encode_rekey(Rekey(1, net.boot, ((2, b"t" * 32),)), exchange.transcript, signer)
    return single_front(Kind.REKEY, net.group, victim.listener.id) + exchange.answer(AgreementKey(b"e" * 32), payload)


@pytest.mark.parametrize(
    ("stolen", "reason"),
    [("nothing of the master", "bad handshake"), ("the master's X25519 key", "bad signature")],
)
def test_a_group_key_comes_from_the_signing_master_alone(stolen: str, reason: str) -> None:
    theft = Theft(seed=82)
    net, victim = theft.net, theft.victim
    static = net.agreement if "X25519" in stolen else theft.thief.key
    strike(theft, rekey(theft, static, THIEF_SIGNER, bytes(48)))
    assert victim.listener.refused["unasked key"] == 1
    net.lose = lambda data, _up: read_front(data).kind is Kind.REKEY
    net.take_keys(net.master.keyring.replaced(b"N" * 32, net.now_us))
    net.run(2)
    clear = up_front(UpHeader(Kind.RENEW, net.group, victim.listener.id, victim.boot))
    renews = [data for data in net.risen if data.startswith(clear)]
    shared, boots = net.agreement.agree(victim.key.public), (1, net.boot, victim.boot)
    key = up_key(shared, Kind.RENEW, net.group, net.master.id, boots, victim.listener.id)
    question = key.open(renews[-1], UP_SIZE)[12:60]
    strike(theft, rekey(theft, static, THIEF_SIGNER, question))
    assert victim.listener.refused[reason] == 1
    net.lose = lambda _data, _up: False
    net.run(20, until=lambda: victim.membership.keys[0][0] == 2)
    assert victim.membership.keys == ((2, b"N" * 32),)


def test_a_key_that_another_node_got_is_for_that_node() -> None:
    theft = Theft(seed=83)
    net = theft.net
    net.take_keys(net.master.keyring.replaced(b"N" * 32, net.now_us))
    net.run(3)
    others = [data for data in net.sent if read_front(data).kind is Kind.REKEY]
    assert len(others) == 3
    for data in others:
        strike(theft, data)
    assert theft.victim.listener.refused["unasked key"] == 3


def test_what_is_recorded_under_an_older_key_gives_no_orders_after_a_rotation_nor_after_a_restart() -> None:
    theft = Theft(seed=84)
    net = theft.net
    orders = [data for data in net.sent if read_front(data).kind in (Kind.BEACON, Kind.SOLICIT)]
    net.rotate()
    net.run(ANNOUNCED + 3)
    theft.victim.start()
    net.run(2)
    for data in orders:
        strike(theft, data)
    assert theft.victim.listener.refused["old epoch"] == len(orders)
    assert theft.victim.membership.keys[0][0] == 2


@pytest.mark.parametrize("side", ["master", "node", "both"])
def test_a_whole_recording_sent_again_after_a_restart_changes_nothing(side: str) -> None:
    theft = Theft(seed=85)
    net, victim = theft.net, theft.victim
    down, up = list(net.sent), list(net.risen)
    if side != "node":
        net.start_master()
    if side != "master":
        victim.start()
    net.run(3)
    log, rows = list(victim.log), dict(net.rows)
    for data in down:
        if read_front(data).kind in (Kind.WELCOME, Kind.BEACON, Kind.MESSAGE, Kind.SOLICIT):
            strike(theft, data)
    before = net.master.refused.total()
    hellos = 0
    for data in up:
        hellos += read_front(data).kind is Kind.HELLO
        net.inject(data, None, ("10.9.9.9", 4444))
    net.run(2)
    assert victim.log == log
    assert net.master.refused.total() - before >= len(up) - hellos
    for identity, row in rows.items():
        assert (net.rows[identity].address, net.rows[identity].boot) == (row.address, row.boot)
    sent = net.broadcast(b"goes on")
    net.run(2)
    assert victim.log == [*log, sent.id]


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


@pytest.mark.parametrize("wait", [0.0, 2.0])
def test_a_recorded_hello_of_an_earlier_start_does_not_bring_its_tags_back(wait: float) -> None:
    net = Network(1, seed=86)
    node = net.nodes[0]
    node.tags = (("role", "web"),)
    node.start()
    net.run(5, until=lambda: node.listener.enrolled)
    net.run(1)
    node.tags = (("role", "db"),)
    node.start()
    said = [data for data in net.risen if read_front(data).kind is Kind.HELLO]
    net.lose = lambda data, up: up and read_front(data).kind is Kind.REPORT  # whoever replays is quicker than it
    net.run(5, until=lambda: net.rows[node.listener.id].tags == node.tags)
    net.lose = lambda _data, _up: False
    net.run(wait)
    for data in said:
        net.inject(data, None)
    net.run(2)
    assert net.rows[node.listener.id].tags == node.tags
    sent = net.broadcast(b"for it", to="role=db")
    net.run(1)
    assert node.log == [sent.id]
    assert [receipt.message for receipt in net.receipts if receipt.state is State.DELIVERED] == [sent.id]


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


def test_a_hello_in_anothers_name_is_the_hello_of_a_stranger() -> None:
    theft = Theft(seed=88)
    net = theft.net
    before = dict(net.rows)
    key = AgreementKey(b"n" * 32)
    asker = Asker(hello_front(net.group), key, AgreementKey(b"o" * 32), net.agreement.public)
    named = Hello(1, bytes(16), "node1")
    net.inject(hello_front(net.group) + asker.ask(encode_hello(named)), None, ("10.9.9.9", 4444))
    net.run(0.01)
    new = [row for identity, row in net.rows.items() if identity not in before]
    assert [(row.id, row.name) for row in new] == [(node_id(key.public), "node1")]
    assert net.rows[theft.victim.listener.id].public == theft.victim.key.public
    assert len(net.master.roster.find("node1")) == 2  # a command by name asks which


def hello_of(theft: Theft, node: Node, token: tuple[bytes, bytes] | None = None) -> bytes:
    hello = Hello(node.boot + 1, bytes(16), "again")
    if token:
        proof = enrolment_proof(token[1], node.listener.id, hello.boot)
        hello = replace(hello, token=token[0], proof=proof)
    front = hello_front(theft.net.group)
    asker = Asker(front, node.key, AgreementKey(b"o" * 32), theft.net.agreement.public)
    return front + asker.ask(encode_hello(hello))


def test_a_revoked_node_is_refused_whatever_it_says_and_reads_nothing_with_all_keys_it_had() -> None:
    theft = Theft(seed=89)
    net, out = theft.net, theft.thief
    net.rotate()
    net.run(ANNOUNCED - 1)
    keys = {epoch: SealKey(secret) for epoch, secret in out.membership.keys}
    assert set(keys) == {1, 2}
    net.master.admission.grants[b"token id"] = Grant(b"token id", b"s" * 32, None, once=False)
    net.revoke(out)
    mark = len(net.sent)
    secret = net.broadcast(b"the safe opens with swordfish")
    theft.victim.start()  # a repair, too
    net.run(5)
    said = [hello_of(theft, out), hello_of(theft, out, (b"token id", b"s" * 32))]
    said.append(out.listener._upward.sealed(Kind.REPORT, encode_report(Report(1 << 41, (LANE,)))))
    said.append(out.listener._upward.sealed(Kind.RENEW, encode_renew(Renew(1 << 42, 1, bytes(48)))))
    for data in said:
        before = net.master.refused["revoked node"]
        net.inject(data, None, out.address)
        net.run(0.0001)
        assert net.master.refused["revoked node"] >= before + 1
    assert secret.id in net.nodes[2].log
    assert secret.id not in out.log
    later = [data for data in net.sent[mark:] if read_front(data).kind is Kind.MESSAGE]
    assert later
    for data in later:
        with pytest.raises(DecodeError):
            open_down(data, keys)


def test_a_used_token_is_worth_nothing_to_another_key() -> None:
    theft = Theft(seed=90)
    net = theft.net
    net.master.admission.grants[b"token id"] = Grant(
        b"token id", b"s" * 32, None, once=True, used_by=theft.victim.listener.id
    )
    stranger = Node(9, net.chance)
    net.inject(hello_of(theft, stranger, (b"token id", b"s" * 32)), None, ("10.9.9.9", 4444))
    net.run(0.01)
    assert net.master.refused["token used up"] == 1
    assert net.master.roster.get(stranger.listener.id) is None


def test_two_machines_with_one_identity_are_told_from_a_replay() -> None:
    theft = Theft(seed=91)
    net, victim = theft.net, theft.victim
    known = net.master.roster.get(victim.listener.id)
    assert known
    old = [data for data in net.risen if read_front(data).kind is Kind.REPORT]
    copy = Node(1, net.chance)
    copy.key, copy.boot, copy.pin, copy.membership, copy.lanes = (
        victim.key, victim.boot, victim.pin, victim.membership, victim.lanes,
    )  # fmt: skip
    copy.address = ("10.0.7.7", 12345)
    copy.start()
    for data in old:
        net.inject(data, None)
    net.run(1)
    assert known.twin_at is None, "a recording is no second machine"
    net.nodes.append(copy)
    net.run(30, until=lambda: known.twin_at is not None)
    assert known.twin_at is not None
    assert net.master.roster.double(known, net.now)
    assert net.master.refused["old boot"] >= 1

    sent = net.broadcast(b"which of them has it?").id
    net.nodes.remove(victim)  # the true one has it not
    solicited = sum(read_front(data).kind is Kind.SOLICIT for data in net.sent)
    net.run(5)
    net.nodes.insert(0, victim)
    delivery = net.master.deliveries.get(sent)
    assert delivery
    assert known.row.index in delivery.outstanding, "a receipt of either is not the node's"
    assert sum(read_front(data).kind is Kind.SOLICIT for data in net.sent) - solicited <= 3
    assert sent in copy.journal

    net.nodes.remove(copy)
    victim.start()
    net.run(31 + 3 * net.master.roster.presence)
    assert not net.master.roster.double(known, net.now)
    assert known.row.index not in delivery.outstanding, "there is one again, and it has it"
    assert sent in victim.journal
