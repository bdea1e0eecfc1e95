"""The master's side of messages in blocks: order, pace, repair, memory."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
from netcrier.core.delivery import Delivery, State
from netcrier.core.master.deliveries import Deliveries
from netcrier.core.master.provision import TELLING
from netcrier.core.master.rate import RATE_START, RATE_STEP
from netcrier.core.master.transfer import IDLE_AFTER, MEASURE_AFTER, Send, Transfers
from netcrier.core.parity import Parity
from netcrier.errors import DecodeError
from netcrier.ids import MessageId
from netcrier.wire.fetch import Fetch, Lack, bitmap_of
from netcrier.wire.fragment import decode_parity
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import FETCHED_MAX, FRAGMENT_SIZE, FRAGMENTS_MAX, MESSAGE_MAX, PLACES_MAX, TRANSFERS_MAX

SMALL = FRAGMENT_SIZE * 40


class Shelf:
    def __init__(self, **bodies: int) -> None:
        self.bodies = {MessageId.parse(name.strip("_")): bytes(size) for name, size in bodies.items()}

    def signed_message(self, identity: MessageId) -> bytes | None:
        return b"signed" if identity in self.bodies else None

    def body(self, identity: MessageId) -> bytes | None:
        return self.bodies.get(identity)


def transfers(shelf: Shelf, parity: Parity | None = None) -> tuple[Transfers, Deliveries]:
    deliveries = Deliveries()
    return Transfers(shelf, deliveries, parity, Counter()), deliveries


def run(one: Transfers, start: float, end: float) -> list[tuple[float, Send]]:
    """All that leaves, when its time comes."""
    found, now, turns = [], start, 0
    while one.timer is not None and one.timer <= end:
        now = max(now, one.timer)
        found += [(now, send) for send in one.due(now)]
        turns += 1
        assert turns < 5000, "due and does nothing"
    return found


def fetch(name: str, *lacks: Lack, parity: bool = True) -> Fetch:
    return Fetch(1, MessageId.parse(name), parity, lacks)


def lack(block: int, *places: int, header: bool = False) -> Lack:
    return Lack(block, header, len(places), bitmap_of(list(places)))


def test_a_message_is_sent_once_to_all_and_named_again_at_its_end() -> None:
    one, _ = transfers(Shelf(_1=SMALL))
    one.begin(MessageId(1, 0, 1), 10.0)
    assert one.coming(MessageId(1, 0, 1))
    sent = [send for _, send in run(one, 10.0, 11.0)]
    assert not one.coming(MessageId(1, 0, 1))
    kinds = [send.kind for send in sent]
    assert kinds == [
        Kind.MESSAGE, Kind.BLOCK, *[Kind.FRAGMENT] * 32, Kind.BLOCK, *[Kind.FRAGMENT] * 8, Kind.MESSAGE,
    ]  # fmt: skip
    assert {send.to for send in sent} == {None}


def test_a_mebibyte_leaves_at_the_rate() -> None:
    one, _ = transfers(Shelf(_1=MESSAGE_MAX))
    one.begin(MessageId(1, 0, 1), 10.0)
    times = [at for at, _ in run(one, 10.0, 11.0)]
    assert 0.06 < times[-1] - times[0] < 0.1


def test_messages_of_a_lane_go_one_after_the_other_and_the_urgent_lane_overtakes() -> None:
    one, _ = transfers(Shelf(_1=MESSAGE_MAX, _2=SMALL, _u1=SMALL))
    one.begin(MessageId(1, 0, 1), 10.0)
    one.begin(MessageId(1, 0, 2), 10.0)
    before = [send.message for _, send in run(one, 10.0, 10.02)]
    one.begin(MessageId(1, 1, 1), 10.02)
    after = [send.message for _, send in run(one, 10.02, 12.0)]
    assert set(before) == {MessageId(1, 0, 1)}
    assert [name for name, last in zip(after, [None, *after], strict=False) if name != last] == [
        MessageId(1, 1, 1), MessageId(1, 0, 1), MessageId(1, 0, 2),
    ]  # fmt: skip


def test_fetches_are_gathered_and_served_by_parity() -> None:
    one, _ = transfers(Shelf(_1=SMALL), Parity())
    one.begin(MessageId(1, 0, 1), 10.0)
    run(one, 10.0, 10.1)
    for index, place in ((4, 3), (5, 9), (6, 20)):
        one.fetch(fetch("1", lack(0, place)), index, 10.1)
    sent = run(one, 10.1, 10.15)
    assert [(send.kind, send.to) for _, send in sent] == [(Kind.PARITY, None)]
    assert sent[0][0] > 10.1
    assert one.repaired == 1


def test_what_a_node_said_before_the_last_repair_left_is_not_answered_again() -> None:
    one, _ = transfers(Shelf(_1=SMALL), Parity())
    one.begin(MessageId(1, 0, 1), 10.0)
    run(one, 10.0, 10.1)
    for index, place in ((4, 3), (5, 9)):
        one.fetch(fetch("1", lack(0, place)), index, 10.1, 1_000)
    assert [send.kind for send in one.due(10.12, 2_000)] == [Kind.PARITY]
    for index, place in ((6, 20), (7, 21)):
        one.fetch(fetch("1", lack(0, place)), index, 10.13, 1_500)
    assert not [*one.due(10.15, 3_000)]
    for index, place in ((6, 20), (7, 21)):
        one.fetch(fetch("1", lack(0, place)), index, 10.16, 2_500)
    assert [send.kind for send in one.due(10.18, 4_000)] == [Kind.PARITY]


def test_parity_of_a_block_has_another_place_each_time_and_begins_anew_at_the_end() -> None:
    one, _ = transfers(Shelf(_1=SMALL), Parity())
    places, now = [], 10.0
    for _ in range((PLACES_MAX - FRAGMENTS_MAX) // 32 + 1):
        for index in (4, 5):
            one.fetch(fetch("1", Lack(0, False, 31, 2**32 - 1)), index, now)
        places += [send.plaintext[15] for _, send in run(one, now, now + 0.1)]
        now += 0.1
    around = [*range(FRAGMENTS_MAX, PLACES_MAX)] * 3
    assert places == around[: len(places)]
    assert len(places) > PLACES_MAX - FRAGMENTS_MAX


def test_a_single_node_is_served_alone_and_a_lost_block_first() -> None:
    one, _ = transfers(Shelf(_1=SMALL), Parity())
    one.fetch(fetch("1", lack(1, 2, header=True)), 4, 10.0)
    assert [(send.kind, send.to) for _, send in run(one, 10.0, 10.1)] == [(Kind.BLOCK, 4), (Kind.FRAGMENT, 4)]


def test_what_is_still_to_be_sent_is_not_repaired() -> None:
    one, _ = transfers(Shelf(_1=MESSAGE_MAX, _2=SMALL))
    one.begin(MessageId(1, 0, 1), 10.0)
    one.begin(MessageId(1, 0, 2), 10.0)
    run(one, 10.0, 10.02)
    one.fetch(fetch("1", lack(0, 1)), 4, 10.02)
    one.fetch(fetch("2", lack(0, 1)), 4, 10.02)
    run(one, 10.02, 12.0)
    assert one.repaired == 0


def test_a_block_that_the_message_does_not_have_is_malformed() -> None:
    one, _ = transfers(Shelf(_1=SMALL))
    with pytest.raises(DecodeError, match="malformed"):
        one.fetch(fetch("1", lack(2, 0)), 4, 10.0)


def test_a_message_that_is_no_longer_kept_is_said() -> None:
    one, _ = transfers(Shelf())
    one.begin(MessageId(1, 0, 1), 10.0)
    assert run(one, 10.0, 20.0) == []
    with pytest.raises(DecodeError, match="no longer kept"):
        one.fetch(fetch("1", lack(0, 0)), 4, 20.0)


def test_a_body_leaves_the_memory_when_nobody_fetches_and_comes_back_when_one_does() -> None:
    shelf = Shelf(_1=SMALL)
    one, _ = transfers(shelf)
    one.begin(MessageId(1, 0, 1), 10.0)
    run(one, 10.0, 10.1 + IDLE_AFTER + MEASURE_AFTER)
    run(one, 13.0, 20.0)
    assert one.timer is None
    one.fetch(fetch("1", lack(0, 7)), 4, 20.0)
    assert [send.to for _, send in run(one, 20.0, 20.1)] == [4]


def test_more_messages_than_fit_the_memory_are_not_repaired_at_once() -> None:
    names = {f"_{number}": SMALL for number in range(1, TRANSFERS_MAX + 2)}
    one, _ = transfers(Shelf(**names))
    for number in range(1, TRANSFERS_MAX + 1):
        one.fetch(fetch(str(number), lack(0, 0)), 4, 10.0)
    with pytest.raises(DecodeError, match="too many repairs"):
        one.fetch(fetch(str(TRANSFERS_MAX + 1), lack(0, 0)), 4, 10.0)
    assert len(run(one, 10.0, 10.5)) == TRANSFERS_MAX
    one.fetch(fetch(str(TRANSFERS_MAX + 1), lack(0, 0)), 4, 10.5)
    assert len(run(one, 10.5, 11.0)) == 1


def all_of_it(blocks: int = 28) -> list[Lack]:
    return [Lack(block, True, 32, 2**32 - 1) for block in range(blocks)]


def flood(one: Transfers, start: float, end: float) -> list[Send]:
    """What leaves while node 4 fetches two messages without end, every 5 ms."""
    found, now = [], start
    while now < end:
        for name in ("1", "2"):
            with suppress(DecodeError):
                one.fetch(fetch(name, *all_of_it()), 4, now)
        now += 0.005
        found += list(one.due(now))
    return found


def test_a_node_that_fetches_without_end_has_its_share_and_others_all_that_they_lack() -> None:
    one, _ = transfers(Shelf(_1=MESSAGE_MAX, _2=MESSAGE_MAX, _3=SMALL))
    one.rate.bits = 40e6
    first = flood(one, 10.0, 12.5)
    half = 40e6 / (8 * 1260) / 2
    assert FETCHED_MAX + 2.3 * half < len(first) < FETCHED_MAX + 2.5 * half + 33
    one.begin(MessageId(1, 0, 3), 12.5)
    later = flood(one, 12.5, 13.5)
    assert len([send for send in later if send.message.sequence == 3]) == 1 + 2 + 40 + 1
    assert len(later) < half + 33 + 44
    one.fetch(fetch("3", lack(0, 1, 2)), 5, 13.5)
    assert [send.to for send in flood(one, 13.5, 13.6) if send.message.sequence == 3] == [5, 5]


@pytest.mark.parametrize(("lost", "bits"), [(0, RATE_START + RATE_STEP), (10, RATE_START * 0.75)])
def test_the_loss_of_a_message_sets_the_rate(lost: int, bits: float) -> None:
    one, deliveries = transfers(Shelf(_1=SMALL))
    delivery = Delivery(MessageId(1, 0, 1), range(10), 10.0)
    deliveries.track(delivery)
    one.begin(delivery.message, 10.0)
    run(one, 10.0, 10.05)
    for index in range(8):
        delivery.move(index, State.RECEIVED, 10.06)
    if lost:
        for index in (8, 9):
            one.fetch(fetch("1", lack(0, *range(lost))), index, 10.06)
    run(one, 10.06, 10.2 + MEASURE_AFTER)
    assert one.rate.bits == bits


def told(block: int, *places: int) -> Lack:
    """What a node has lost and does not need any more."""
    return Lack(block, False, 0, bitmap_of(list(places)))


def test_where_the_path_loses_parity_goes_along_with_each_block() -> None:
    one, _ = transfers(Shelf(_1=SMALL), Parity())
    one.provision.measured([0.06], TELLING)
    one.begin(MessageId(1, 0, 1), 10.0)
    sent = [send for _, send in run(one, 10.0, 11.0)]
    assert [send.kind for send in sent] == [
        Kind.MESSAGE,
        *[Kind.BLOCK, *[Kind.FRAGMENT] * 32, Kind.BLOCK, *[Kind.PARITY] * 6],
        *[Kind.BLOCK, *[Kind.FRAGMENT] * 8, Kind.BLOCK, *[Kind.PARITY] * 3],
        Kind.MESSAGE,
    ]  # fmt: skip
    assert {send.to for send in sent} == {None}
    assert one.repaired == 0
    for index, place in ((4, 3), (5, 9)):
        one.fetch(fetch("1", lack(0, place)), index, 11.0)
    places = [decode_parity(send.plaintext).place for _, send in run(one, 11.0, 11.1)]
    assert places == [FRAGMENTS_MAX + 6, FRAGMENTS_MAX + 7], "other pieces than those that went along"


def test_a_master_without_the_code_sends_none_along() -> None:
    one, _ = transfers(Shelf(_1=SMALL))
    one.provision.measured([0.06], TELLING)
    one.begin(MessageId(1, 0, 1), 10.0)
    assert Kind.PARITY not in {send.kind for _, send in run(one, 10.0, 11.0)}


@pytest.mark.parametrize("at", [10.01, 10.2])
def test_what_parity_has_restored_sets_the_rate_and_is_not_sent_again(at: float) -> None:
    one, deliveries = transfers(Shelf(_1=MESSAGE_MAX), Parity())
    deliveries.track(Delivery(MessageId(1, 0, 1), range(2), 10.0))
    one.begin(MessageId(1, 0, 1), 10.0)
    run(one, 10.0, at)
    for index in range(2):
        one.fetch(fetch("1", *[told(block, 1, 2) for block in range(20)]), index, at)
    run(one, at, 10.6)
    lost = 40 / 895
    assert one.repaired == 0
    assert one.rate.bits == pytest.approx(RATE_START * (1 - lost))
    assert one.provision.loss == pytest.approx(lost)


def test_a_node_that_cannot_use_parity_brings_none_along() -> None:
    one, deliveries = transfers(Shelf(_1=MESSAGE_MAX), Parity())
    delivery = Delivery(MessageId(1, 0, 1), range(2), 10.0)
    deliveries.track(delivery)
    one.begin(delivery.message, 10.0)
    run(one, 10.0, 10.1)
    delivery.move(0, State.RECEIVED, 10.1)
    one.fetch(fetch("1", *[lack(block, 1, 2) for block in range(20)], parity=False), 1, 10.1)
    run(one, 10.1, 10.6)
    assert one.rate.loss == pytest.approx(40 / 895)
    assert one.provision.loss == 0.0


def test_what_a_node_has_lost_of_a_message_that_is_gone_is_let_be() -> None:
    one, _ = transfers(Shelf(_1=SMALL))
    one.fetch(fetch("1", told(0, 3)), 4, 10.0)
    one.fetch(fetch("2", told(0, 3)), 4, 10.0)
    assert (run(one, 10.0, 20.0), one.timer) == ([], None)
