"""The master's group keys: numbers, announcements, and how long a key is used."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.events import NodeRow, Received
from netcrier.core.master.keyring import GroupKeys, Keyring
from netcrier.core.master.rekeying import Rekeying
from netcrier.core.master.roster import Node
from netcrier.core.pacing import ANNOUNCED
from netcrier.errors import DecodeError
from netcrier.wire.envelope import AgreementKey, Verifier
from netcrier.wire.handshake import KnownAsker
from netcrier.wire.header import read_single
from netcrier.wire.limits import KEY_DATAGRAMS_MAX, RENEW_SIZE, RENEWALS_PER_SECOND
from netcrier.wire.rekey import Rekey, decode_rekey

from tests import datagrams

KEYS = GroupKeys(5, b"g" * 32, open=False, since_us=7)
NEXT = b"n" * 32


def announced() -> Keyring:
    keyring = Keyring(KEYS)
    keyring.take(keyring.announced(NEXT))
    return keyring


def test_an_announced_key_holds_after_its_time_and_not_before() -> None:
    keyring = announced()
    assert keyring.announcement(100.0) == (6, int(ANNOUNCED * 1000))
    assert keyring.announcement(104.0) == (6, int(ANNOUNCED * 1000) - 4000)
    assert keyring.timer == 100.0 + ANNOUNCED
    assert not keyring.asks(109.9)
    assert keyring.asks(110.0)
    assert keyring.due(110.0, 1000, b"") == GroupKeys(6, NEXT, open=False, since_us=1000)


def test_a_change_that_is_not_committed_is_due_again_after_a_second() -> None:
    keyring = announced()
    keyring.announcement(100.0)
    assert keyring.asks(110.0)
    assert not keyring.asks(110.5)
    assert keyring.timer == 111.0
    assert keyring.asks(111.0)
    assert keyring.keys.epoch == 5


def test_a_key_that_replaces_at_once_never_takes_an_announced_number() -> None:
    assert Keyring(KEYS).replaced(b"r" * 32, 9) == GroupKeys(6, b"r" * 32, open=False, since_us=9)
    assert announced().replaced(b"r" * 32, 9) == GroupKeys(7, b"r" * 32, open=False, since_us=9)


def test_members_get_the_announced_key_besides_the_current_one() -> None:
    assert KEYS.given == ((5, b"g" * 32),)
    assert announced().keys.given == ((5, b"g" * 32), (6, NEXT))


@pytest.mark.parametrize("limit", [10, 4096, KEY_DATAGRAMS_MAX])
def test_at_its_limit_of_datagrams_a_key_is_worn_and_before_it_is_not(limit: int) -> None:
    block = max(1, limit // 2048)
    keyring = Keyring(GroupKeys(5, b"g" * 32, open=False, sealed=limit - block - 2), limit)
    keyring.sealing()
    assert keyring.sealed == limit - 1
    keys = keyring.due(0.0, 0, NEXT)
    assert keys is None or keys.next_secret == b""
    keyring.sealing()
    assert keyring.asks(0.0)
    worn = keyring.due(0.0, 0, NEXT)
    assert worn
    assert (worn.epoch, worn.next_secret, worn.sealed) == (5, NEXT, limit)


def test_without_another_word_the_limit_of_datagrams_holds() -> None:
    fresh, worn = (
        Keyring(GroupKeys(5, b"g" * 32, open=False, sealed=KEY_DATAGRAMS_MAX - left)) for left in (1 << 22, 1)
    )
    for keyring in (fresh, worn):
        keyring.sealing()
    assert (fresh.asks(0.0), worn.asks(0.0)) == (False, True)


def test_the_limit_leaves_the_time_of_an_announcement_before_nonces_could_meet() -> None:
    fastest = 20_000  # datagrams a second that a master can send
    assert KEY_DATAGRAMS_MAX + KEY_DATAGRAMS_MAX // 2048 + ANNOUNCED * fastest < 2**32


def test_a_killed_run_never_lowers_the_count() -> None:
    keyring, kept, sealed = Keyring(KEYS, 4096), KEYS, 0
    for _ in range(5):
        keyring = Keyring(kept, 4096)
        for _ in range(100):
            keyring.sealing()
            sealed += 1
            if keyring.asks(float(sealed * 2)) and (keys := keyring.due(float(sealed * 2), 0, NEXT)):
                kept = keys
                keyring.take(keys)
        assert keyring.sealed >= sealed


def test_a_new_key_is_counted_from_nothing() -> None:
    keyring = Keyring(KEYS)
    keyring.sealing()
    keyring.take(keyring.replaced(b"r" * 32, 9))
    assert keyring.sealed == 0


def member() -> Node:
    """The node of tests/datagrams.py as its master sees it."""
    row = NodeRow(
        0, datagrams.NODE, datagrams.NODE_KEY.public, "node1", bytes(16), (), "token", True, datagrams.NODE_BOOT,
        "10.0.0.9", 0, (),
    )  # fmt: skip
    return Node(row, datagrams.MASTER_KEY.agree(datagrams.NODE_KEY.public))


def rekeying(keyring: Keyring) -> Rekeying:
    return Rekeying(datagrams.GROUP, datagrams.SIGNER, datagrams.MASTER_KEY, keyring, lambda size: b"E" * size)


GOT = Received(datagrams.renew(), ("10.0.0.9", 12345), 50.0, 0)


def test_a_thousand_members_a_second_are_answered_and_no_more() -> None:
    answering, node, (_, question) = rekeying(Keyring(KEYS)), member(), datagrams.member()
    for _ in range(RENEWALS_PER_SECOND):
        answering.answer(GOT, node, question, (2, 3))
    with pytest.raises(DecodeError, match="too many renewals"):
        answering.answer(GOT, node, question, (2, 3))
    answering.answer(replace(GOT, now=50.1), node, question, (2, 3))


def test_an_answer_goes_to_who_asked_holds_all_keys_and_is_not_longer_than_its_question() -> None:
    asker, question = datagrams.member()
    answer = rekeying(announced()).answer(GOT, member(), question, (2, 3))
    assert answer.to == GOT.source
    assert len(answer.data) <= len(GOT.data) == RENEW_SIZE
    payload = asker.read_answer(read_single(answer.data)[1])
    rekey = decode_rekey(payload, asker.transcript, Verifier(datagrams.SIGNER.public))
    assert rekey == Rekey(2, 3, ((5, b"g" * 32), (6, NEXT)))


def test_an_answer_is_of_no_use_to_another_node() -> None:
    other = KnownAsker(b"", AgreementKey(b"t" * 32), AgreementKey(b"u" * 32), datagrams.MASTER_KEY.public)
    other.ask(b"")
    answer = rekeying(Keyring(KEYS)).answer(GOT, member(), datagrams.member()[1], (2, 3))
    with pytest.raises(DecodeError, match="bad handshake"):
        other.read_answer(read_single(answer.data)[1])
