"""What makes a node a member cannot be had by others: its keys, its token, its place, its name."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.master.admission import Grant
from netcrier.core.pacing import ANNOUNCED
from netcrier.errors import DecodeError
from netcrier.wire.envelope import AgreementKey, SealKey, Signer, node_id
from netcrier.wire.handshake import Asker, KnownAnswerer, KnownAsker
from netcrier.wire.header import (
    UP_SIZE,
    UpHeader,
    open_down,
    read_front,
    single_front,
    up_front,
    up_key,
)
from netcrier.wire.hello import Hello, encode_hello, enrolment_proof, hello_front
from netcrier.wire.kinds import Kind
from netcrier.wire.rekey import Rekey, Renew, encode_rekey, encode_renew
from netcrier.wire.report import LaneReport, Report, encode_report

from tests import datagrams
from tests.network_node import Node
from tests.theft import THIEF_SIGNER, Theft, strike


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


LANE = LaneReport(0, 1, 2, 2, datagrams.CHAIN)


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
