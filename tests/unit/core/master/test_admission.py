"""Who may join: first use, tokens, waiting, and the budgets that keep strangers cheap."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.events import Enrolling, Waiting
from netcrier.core.master.admission import Admission, Grant
from netcrier.core.master.keyring import GroupKeys, Keyring
from netcrier.core.master.outbox import OutLane
from netcrier.core.master.roster import Node, Roster
from netcrier.errors import DecodeError
from netcrier.ids import GroupId, MessageId, NodeId
from netcrier.wire.envelope import NO_CHAIN, AgreementKey, Signer, Verifier, digest, node_id
from netcrier.wire.handshake import Asker
from netcrier.wire.hello import (
    Hello,
    LaneStart,
    Welcome,
    decode_welcome,
    encode_hello,
    enrolment_proof,
    hello_front,
    read_welcome_front,
)
from netcrier.wire.limits import HELLO_SIZE, STRANGERS_PER_SECOND, WAITING_MAX, WAITING_PER_SECOND

GROUP = GroupId(b"groupgrp")
SIGNER = Signer(b"s" * 32)
MASTER = AgreementKey(b"m" * 32)
TOKEN, SECRET = b"token id", b"t" * 32


class Applicant:
    """A node that says hello."""

    def __init__(self, number: int) -> None:
        self.key = AgreementKey(number.to_bytes(32, "big"))
        self.id = node_id(self.key.public)
        self.number = number
        self.asker: Asker | None = None

    def hello(
        self,
        secret: bytes | None = None,
        token: bytes = TOKEN,
        boot: int = 1,
        lanes: tuple[tuple[int, int, int], ...] = (),
    ) -> bytes:
        """With a token where a secret is given."""
        hello = Hello(boot, bytes(16), f"node{self.number}", (), lanes)
        if secret:
            hello = replace(hello, token=token, proof=enrolment_proof(secret, self.id, boot))
        self.asker = Asker(hello_front(GROUP), self.key, AgreementKey(b"e" * 32), MASTER.public)
        return hello_front(GROUP) + self.asker.ask(encode_hello(hello))

    def read(self, event: Enrolling | Waiting) -> Welcome:
        """What the welcome says."""
        assert isinstance(event, Enrolling)
        assert self.asker
        answer = read_welcome_front(event.welcome.data)[1]
        return decode_welcome(self.asker.read_answer(answer), self.asker.transcript, Verifier(SIGNER.public))


class Desk:
    """An admission with its roster; `ask` judges a hello, `settle` commits what it says."""

    def __init__(self, is_open: bool = False) -> None:
        self.roster = Roster()
        self.lane = OutLane(0)
        self.now = 100.0
        self.keyring = Keyring(GroupKeys(5, b"g" * 32, is_open))
        self.owed: MessageId | None = None
        self.admission = Admission(
            GROUP, "lab", SIGNER, MASTER, self.keyring, self.roster, lambda size: b"E" * size,
            lambda _index, _lane: self.owed, lambda _term, _lane: self.lane,
        )  # fmt: skip

    def ask(self, data: bytes) -> Enrolling | Waiting:
        self.now += 1.0
        return self.judge(data)

    def judge(self, data: bytes) -> Enrolling | Waiting:
        """At the same instant as before."""
        now_us = int(self.now * 1e6)
        return self.admission.hello(data, ("10.0.0.2", 12345), self.now, now_us, (1, 3), (self.lane,))

    def settle(self, event: Enrolling | Waiting) -> None:
        if isinstance(event, Enrolling) and event.token:
            self.admission.grants[event.token] = replace(self.admission.grants[event.token], used_by=event.row.id)
        self.roster.put(Node(event.row, bytes(32)))
        self.admission.settled(event.row.id)

    def admit(self, data: bytes) -> Enrolling | Waiting:
        event = self.ask(data)
        self.settle(event)
        return event

    def grant(self, expires_us: int | None = None, once: bool = True, used_by: NodeId | None = None) -> None:
        self.admission.grants[TOKEN] = Grant(TOKEN, SECRET, expires_us, once, used_by)


def reason(desk: Desk, data: bytes) -> str:
    with pytest.raises(DecodeError) as error:
        desk.ask(data)
    return error.value.reason


def test_an_open_group_admits_on_first_use_from_the_newest_message_on() -> None:
    desk, node = Desk(is_open=True), Applicant(1)
    for number in range(3):
        desk.lane.append(digest(b"%d" % number))
    event = desk.ask(node.hello())
    welcome = node.read(event)
    chain = desk.lane.chain_at(3)
    assert chain
    assert (event.row.trust, event.row.approved, event.row.index) == ("first-use", True, 0)
    assert welcome.keys == ((5, b"g" * 32),)
    assert (welcome.term, welcome.boot, welcome.index, welcome.group_name) == (1, 3, 0, "lab")
    assert welcome.lanes == (LaneStart(0, 1, 3, chain),)


def test_a_closed_group_lets_a_node_wait_and_gives_it_the_key_once_approved() -> None:
    desk, node = Desk(), Applicant(1)
    event = desk.admit(node.hello())
    assert isinstance(event, Waiting)
    assert (event.row.trust, event.row.approved) == ("waiting", False)
    desk.roster.put(Node(replace(event.row, trust="approved", approved=True), bytes(32)))
    assert node.read(desk.ask(node.hello())).keys == ((5, b"g" * 32),)


def test_a_token_that_is_for_one_node_admits_one_node_as_often_as_it_asks() -> None:
    desk, node = Desk(), Applicant(1)
    desk.grant()
    event = desk.admit(node.hello(SECRET))
    assert isinstance(event, Enrolling)
    assert (event.row.trust, event.token) == ("token", TOKEN)
    assert reason(desk, Applicant(2).hello(SECRET)) == "token used up"
    again = desk.admit(node.hello(SECRET, boot=2))
    assert node.read(again).index == event.row.index


def test_a_token_in_the_middle_of_its_commit_admits_nobody_else() -> None:
    desk, first = Desk(), Applicant(1)
    desk.grant()
    desk.ask(first.hello(SECRET))
    assert reason(desk, Applicant(2).hello(SECRET)) == "token used up"
    desk.admission.settled(first.id)
    assert isinstance(desk.ask(Applicant(2).hello(SECRET)), Enrolling)


def test_a_token_for_many_admits_many() -> None:
    desk = Desk()
    desk.grant(once=False)
    events = [desk.admit(Applicant(number).hello(SECRET)) for number in range(1, 4)]
    assert [event.row.index for event in events] == [0, 1, 2]


def test_a_token_ends_when_it_expires() -> None:
    desk = Desk()
    desk.grant(expires_us=int(101.5e6), once=False)
    assert isinstance(desk.ask(Applicant(1).hello(SECRET)), Enrolling)
    assert reason(desk, Applicant(2).hello(SECRET)) == "token expired"


def test_a_node_admitted_by_token_gets_the_new_key_after_the_token_has_expired_or_gone() -> None:
    desk, first, second = Desk(), Applicant(1), Applicant(2)
    desk.grant(expires_us=int(102.5e6), once=False)
    for node in (first, second):
        desk.admit(node.hello(SECRET))
    desk.keyring.take(GroupKeys(6, b"h" * 32, open=False))
    assert first.read(desk.admit(first.hello(SECRET, boot=2))).keys == ((6, b"h" * 32),)
    assert second.read(desk.admit(second.hello(SECRET, boot=2))).keys == ((6, b"h" * 32),)
    desk.admission.grants.clear()
    assert second.read(desk.ask(second.hello(SECRET, boot=3))).keys == ((6, b"h" * 32),)


def test_a_wrong_or_unknown_token_is_refused() -> None:
    desk = Desk(is_open=True)
    desk.grant()
    assert reason(desk, Applicant(1).hello(b"w" * 32)) == "bad token"
    assert reason(desk, Applicant(1).hello(SECRET, token=b"unknown!")) == "bad token"


def test_a_token_raises_the_trust_of_a_waiting_node() -> None:
    desk, node = Desk(), Applicant(1)
    desk.admit(node.hello())
    desk.grant()
    assert desk.ask(node.hello(SECRET)).row.trust == "token"


def test_a_hello_is_judged_once_at_a_time_and_nobody_else_gets_its_index() -> None:
    desk, node = Desk(is_open=True), Applicant(1)
    event = desk.ask(node.hello())
    assert reason(desk, node.hello()) == "hello in progress"
    assert desk.ask(Applicant(2).hello()).row.index == event.row.index + 1


def test_a_node_without_lanes_begins_before_what_it_owes_a_receipt_for_else_at_the_newest() -> None:
    desk, node = Desk(is_open=True), Applicant(1)
    desk.admit(node.hello())
    for number in range(3):
        desk.lane.append(digest(b"%d" % number))
    chains = [desk.lane.chain_at(number) for number in range(4)]
    newest = node.read(desk.admit(node.hello())).lanes
    assert newest == (LaneStart(0, 1, 3, chains[3] or NO_CHAIN),)
    desk.owed = MessageId(1, 0, 2)
    assert node.read(desk.ask(node.hello())).lanes == (LaneStart(0, 1, 1, chains[1] or NO_CHAIN),)


def test_a_hello_of_another_size_is_refused_before_it_costs_anything() -> None:
    desk = Desk(is_open=True)
    for _ in range(2 * STRANGERS_PER_SECOND):
        with pytest.raises(DecodeError, match="malformed"):
            desk.judge(bytes(HELLO_SIZE - 1))
    assert isinstance(desk.judge(Applicant(1).hello()), Enrolling)


def test_twenty_hellos_a_second_are_tried_and_no_more() -> None:
    desk = Desk(is_open=True)
    forged = hello_front(GROUP).ljust(HELLO_SIZE, b"\7")
    reasons = []
    for _ in range(STRANGERS_PER_SECOND + 1):
        with pytest.raises(DecodeError) as error:
            desk.judge(forged)
        reasons.append(error.value.reason)
    assert reasons == ["bad handshake"] * STRANGERS_PER_SECOND + ["too many strangers"]
    assert isinstance(desk.ask(Applicant(1).hello()), Enrolling)


def test_five_nodes_a_second_begin_to_wait_and_those_that_wait_may_ask_again() -> None:
    desk = Desk()
    nodes = [Applicant(number) for number in range(1, WAITING_PER_SECOND + 2)]
    for node in nodes[:-1]:
        desk.settle(desk.judge(node.hello()))
    with pytest.raises(DecodeError, match="too many waiting"):
        desk.judge(nodes[-1].hello())
    assert isinstance(desk.judge(nodes[0].hello()), Waiting)


def test_a_thousand_nodes_wait_and_no_more() -> None:
    desk = Desk()
    row = desk.admit(Applicant(1).hello()).row
    for number in range(1, WAITING_MAX - 1):
        desk.roster.put(Node(replace(row, index=number, id=NodeId(number.to_bytes(16, "big"))), bytes(32)))
    assert isinstance(desk.admit(Applicant(2).hello()), Waiting)
    assert desk.roster.waiting() == WAITING_MAX
    assert reason(desk, Applicant(3).hello()) == "too many waiting"
    assert isinstance(desk.ask(Applicant(2).hello()), Waiting)


def test_a_revoked_node_is_refused_with_a_token_too_and_does_not_count_as_waiting() -> None:
    desk, node = Desk(), Applicant(1)
    row = desk.admit(node.hello()).row
    desk.grant(once=False)
    desk.roster.put(Node(replace(row, trust="revoked", approved=False), bytes(32)))
    assert desk.roster.waiting() == 0
    assert reason(desk, node.hello()) == "revoked node"
    assert reason(desk, node.hello(SECRET)) == "revoked node"
    desk.roster.put(Node(replace(row, trust="approved", approved=True), bytes(32)))
    assert isinstance(desk.ask(node.hello()), Enrolling)


def test_where_tokens_alone_admit_a_node_without_one_does_not_even_wait() -> None:
    desk = Desk()
    desk.admission.tokens_only = True
    assert reason(desk, Applicant(1).hello()) == "no token"
    desk.grant(once=False)
    assert isinstance(desk.ask(Applicant(1).hello(SECRET)), Enrolling)


def test_a_row_tells_by_which_token_the_node_came() -> None:
    desk, node = Desk(), Applicant(1)
    desk.grant(once=False)
    assert desk.admit(node.hello(SECRET)).row.token == TOKEN
    desk.admission.grants.clear()
    assert desk.ask(node.hello(boot=2)).row.token == TOKEN
