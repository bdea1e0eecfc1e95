"""The bytes of version 1 never change: every datagram kind against a frozen vector, both ways (vectors.json)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import pytest
from netcrier.wire.beacon import decode_beacon, open_marks, verify_beacon
from netcrier.wire.block import decode_block
from netcrier.wire.catch_up import decode_catch_up
from netcrier.wire.envelope import Verifier
from netcrier.wire.fetch import decode_fetch
from netcrier.wire.fragment import decode_fragment, decode_parity
from netcrier.wire.handshake import Answerer
from netcrier.wire.header import FRONT_SIZE, UP_SIZE, UpHeader, open_down, read_front, read_single, read_up
from netcrier.wire.heard import decode_heard
from netcrier.wire.hello import decode_hello, decode_welcome, read_welcome_front
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import RENEW_SIZE
from netcrier.wire.message import decode_message
from netcrier.wire.question import decode_answer, decode_question
from netcrier.wire.rekey import decode_rekey, decode_renew
from netcrier.wire.report import decode_report, decode_request
from netcrier.wire.signed import verify
from netcrier.wire.skip import decode_skip
from netcrier.wire.solicit import decode_solicit
from netcrier.wire.tally import open_tally, read_teller
from netcrier.wire.token import decode_token
from netcrier.wire.turn import decode_turn

from tests import datagrams

FROZEN: Final[dict[str, str]] = json.loads((Path(__file__).parent / "vectors.json").read_text())
VERIFIER: Final = Verifier(datagrams.SIGNER.public)
KEYS: Final = {datagrams.EPOCH: datagrams.SEAL}


def frozen(kind: Kind) -> bytes:
    return bytes.fromhex(FROZEN[kind.name])


def test_every_kind_of_this_version_has_a_vector() -> None:
    more = {
        "TOKEN",
        "MESSAGE in blocks",
        "REPORT with outcomes",
        "REPORT of an earlier term",
        "SKIP of an earlier term",
    }
    assert set(FROZEN) == {kind.name for kind in Kind} | more


@pytest.mark.parametrize("kind", datagrams.BUILDERS)
def test_the_same_keys_and_values_give_the_frozen_bytes(kind: Kind) -> None:
    assert datagrams.BUILDERS[kind]().hex() == FROZEN[kind.name]


@pytest.mark.parametrize("kind", datagrams.BUILDERS)
def test_the_front_names_kind_and_group(kind: Kind) -> None:
    front = read_front(frozen(kind))
    assert (front.kind, front.group) == (kind, datagrams.GROUP)


def test_the_token_is_frozen_both_ways() -> None:
    assert datagrams.token() == FROZEN["TOKEN"]
    assert decode_token(FROZEN["TOKEN"]) == datagrams.TOKEN


def test_the_frozen_beacon_is_read() -> None:
    data = frozen(Kind.BEACON)
    verify_beacon(data, VERIFIER)
    assert decode_beacon(data) == datagrams.BEACON
    assert open_marks(data, KEYS) == datagrams.MARKS


def test_the_frozen_message_is_read() -> None:
    plaintext = open_down(frozen(Kind.MESSAGE), KEYS)
    verify(Kind.MESSAGE, datagrams.GROUP, plaintext, VERIFIER)
    assert decode_message(plaintext) == datagrams.MESSAGE


def test_the_frozen_message_in_blocks_is_read() -> None:
    data = bytes.fromhex(FROZEN["MESSAGE in blocks"])
    assert data == datagrams.in_blocks()
    plaintext = open_down(data, KEYS)
    verify(Kind.MESSAGE, datagrams.GROUP, plaintext, VERIFIER)
    assert decode_message(plaintext) == datagrams.IN_BLOCKS


def test_the_frozen_block_and_its_pieces_are_read() -> None:
    assert decode_block(open_down(frozen(Kind.BLOCK), KEYS)) == datagrams.BLOCK
    assert decode_fragment(open_down(frozen(Kind.FRAGMENT), KEYS)) == datagrams.FRAGMENT
    assert decode_parity(open_down(frozen(Kind.PARITY), KEYS)) == datagrams.PARITY


def test_the_frozen_fetch_is_read() -> None:
    data = frozen(Kind.FETCH)
    assert read_up(data) == UpHeader(Kind.FETCH, datagrams.GROUP, datagrams.NODE, datagrams.NODE_BOOT)
    assert decode_fetch(datagrams.upward_key(Kind.FETCH).open(data, UP_SIZE)) == datagrams.FETCH


def test_the_frozen_solicitation_is_read() -> None:
    plaintext = open_down(frozen(Kind.SOLICIT), KEYS)
    verify(Kind.SOLICIT, datagrams.GROUP, plaintext, VERIFIER)
    assert decode_solicit(plaintext) == datagrams.SOLICIT


def test_the_frozen_skip_is_read() -> None:
    plaintext = open_down(frozen(Kind.SKIP), KEYS)
    verify(Kind.SKIP, datagrams.GROUP, plaintext, VERIFIER)
    assert decode_skip(plaintext) == datagrams.SKIP


def test_the_frozen_skip_of_an_earlier_term_is_read() -> None:
    data = bytes.fromhex(FROZEN["SKIP of an earlier term"])
    assert data == datagrams.earlier_skip()
    plaintext = open_down(data, KEYS)
    verify(Kind.SKIP, datagrams.GROUP, plaintext, VERIFIER)
    assert decode_skip(plaintext) == datagrams.EARLIER_SKIP


def test_the_frozen_turn_is_read() -> None:
    plaintext = open_down(frozen(Kind.TURN), KEYS)
    verify(Kind.TURN, datagrams.GROUP, plaintext, VERIFIER)
    assert decode_turn(plaintext) == datagrams.TURN


def test_the_frozen_heard_is_read() -> None:
    plaintext = open_down(frozen(Kind.HEARD), KEYS)
    verify(Kind.HEARD, datagrams.GROUP, plaintext, VERIFIER)
    assert decode_heard(plaintext) == datagrams.HEARD


def test_the_frozen_report_with_outcomes_is_read() -> None:
    assert datagrams.outcomes().hex() == FROZEN["REPORT with outcomes"]
    data = bytes.fromhex(FROZEN["REPORT with outcomes"])
    assert decode_report(datagrams.upward_key(Kind.REPORT).open(data, UP_SIZE)) == datagrams.OUTCOMES


def test_the_frozen_report_of_an_earlier_term_is_read() -> None:
    assert datagrams.results().hex() == FROZEN["REPORT of an earlier term"]
    data = bytes.fromhex(FROZEN["REPORT of an earlier term"])
    assert decode_report(datagrams.upward_key(Kind.REPORT).open(data, UP_SIZE)) == datagrams.RESULTS


def test_the_frozen_hello_is_read() -> None:
    data = frozen(Kind.HELLO)
    exchange = Answerer(data[:FRONT_SIZE], datagrams.MASTER_KEY, data[FRONT_SIZE:])
    assert exchange.node_public == datagrams.NODE_KEY.public
    assert decode_hello(exchange.payload) == datagrams.HELLO


def test_the_frozen_welcome_is_read() -> None:
    exchange, _ = datagrams.asker()
    node, answer = read_welcome_front(frozen(Kind.WELCOME))
    payload = exchange.read_answer(answer)
    assert node == datagrams.NODE
    assert decode_welcome(payload, exchange.transcript, VERIFIER) == datagrams.WELCOME


def test_the_frozen_report_is_read() -> None:
    data = frozen(Kind.REPORT)
    assert read_up(data) == UpHeader(Kind.REPORT, datagrams.GROUP, datagrams.NODE, datagrams.NODE_BOOT)
    assert decode_report(datagrams.upward_key(Kind.REPORT).open(data, UP_SIZE)) == datagrams.REPORT


def test_the_frozen_request_is_read() -> None:
    data = frozen(Kind.REQUEST)
    assert read_up(data) == UpHeader(Kind.REQUEST, datagrams.GROUP, datagrams.NODE, datagrams.NODE_BOOT)
    assert decode_request(datagrams.upward_key(Kind.REQUEST).open(data, UP_SIZE)) == datagrams.REQUEST


def test_the_frozen_request_for_a_key_is_read() -> None:
    data = frozen(Kind.RENEW)
    assert read_up(data) == datagrams.RENEW_HEADER
    assert decode_renew(datagrams.upward_key(Kind.RENEW).open(data, UP_SIZE)) == datagrams.member()[1]


def test_the_frozen_group_key_is_read() -> None:
    exchange, _ = datagrams.member()
    node, answer = read_single(frozen(Kind.REKEY))
    payload = exchange.read_answer(answer)
    assert node == datagrams.NODE
    assert decode_rekey(payload, exchange.transcript, VERIFIER) == datagrams.REKEY


def test_the_frozen_catch_up_is_read() -> None:
    data = frozen(Kind.CATCH_UP)
    assert read_up(data) == UpHeader(Kind.CATCH_UP, datagrams.GROUP, datagrams.NODE, datagrams.NODE_BOOT)
    assert decode_catch_up(datagrams.upward_key(Kind.CATCH_UP).open(data, UP_SIZE)) == datagrams.CATCH_UP


def test_the_frozen_question_is_read() -> None:
    plaintext = open_down(frozen(Kind.QUESTION), KEYS)
    verify(Kind.QUESTION, datagrams.GROUP, plaintext, VERIFIER)
    assert decode_question(plaintext) == datagrams.QUESTION


def test_the_frozen_answer_is_read() -> None:
    data = frozen(Kind.ANSWER)
    assert read_up(data) == UpHeader(Kind.ANSWER, datagrams.GROUP, datagrams.NODE, datagrams.NODE_BOOT)
    assert decode_answer(datagrams.upward_key(Kind.ANSWER).open(data, UP_SIZE)) == datagrams.ANSWER


def test_the_frozen_tally_is_read() -> None:
    data = frozen(Kind.TALLY)
    assert read_teller(data) == (datagrams.NODE, datagrams.NODE_BOOT, datagrams.NODE_KEY.public)
    assert open_tally(data, datagrams.upward_key(Kind.TALLY)) == datagrams.TALLY


def test_no_answer_is_longer_than_its_question() -> None:
    assert len(frozen(Kind.WELCOME)) <= len(frozen(Kind.HELLO))
    assert len(frozen(Kind.REKEY)) <= len(frozen(Kind.RENEW)) == RENEW_SIZE
