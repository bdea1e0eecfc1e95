"""A node's lanes: in order, once, only what is committed; against a model in random sequences."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from netcrier.core.node.batch import Arrival, Batch, Lane, Passed
from netcrier.core.node.inbox import Inbox, Verdict
from netcrier.core.outcomes import Untold
from netcrier.ids import MasterId, MessageId
from netcrier.wire.envelope import NO_CHAIN, Digest, chained, digest
from netcrier.wire.limits import BIG_AHEAD_MAX, HELD_MAX, RANGES_MAX, REQUEST_MESSAGES_MAX, SKIPS_HELD_MAX
from netcrier.wire.message import Message
from netcrier.wire.report import Outcome, Told
from netcrier.wire.signed import Head
from netcrier.wire.skip import ANY_NODE, Cause, Skip

HEAD = Head(MasterId(bytes(16)), 1, 1, 1)


def digest_of(sequence: int) -> Digest:
    return digest(b"%d" % sequence)


def chain_at(sequence: int) -> Digest:
    chain = NO_CHAIN
    for number in range(1, sequence + 1):
        chain = chained(chain, digest_of(number))
    return chain


def offer(inbox: Inbox, sequence: int, lane: int = 0) -> Verdict:
    verdict = inbox.check(MessageId(1, lane, sequence), digest_of(sequence))
    if verdict is Verdict.NEW:
        inbox.offer(Arrival(Message(HEAD, lane, sequence, 0, 0, b""), digest_of(sequence), 0))
    return verdict


def commit(inbox: Inbox) -> list[int]:
    """The numbers that the next batch releases."""
    batch = inbox.take_batch()
    assert batch
    inbox.committed(batch)
    return [step.sequence for step in batch.released if isinstance(step, MessageId)]


def fresh(mark: int = 0) -> Inbox:
    return Inbox([Lane(0, 1, mark, chain_at(mark))])


def test_messages_are_released_in_order() -> None:
    inbox = fresh()
    for sequence in (3, 1, 5):
        offer(inbox, sequence)
    assert commit(inbox) == [1]
    assert inbox.lanes[0].held == ((3, digest_of(3)), (5, digest_of(5)))
    offer(inbox, 2)
    assert commit(inbox) == [2, 3]
    assert (inbox.lanes[0].mark, inbox.lanes[0].chain) == (3, chain_at(3))


def test_nothing_counts_before_it_is_committed() -> None:
    inbox = fresh()
    offer(inbox, 1)
    assert inbox.take_batch()
    assert (inbox.lanes[0].mark, offer(inbox, 1), inbox.missing(0, 1)) == (0, Verdict.KNOWN, ())


def test_one_batch_is_in_flight_at_a_time() -> None:
    inbox = fresh()
    offer(inbox, 1)
    first = inbox.take_batch()
    offer(inbox, 2)
    assert first
    assert inbox.take_batch() is None
    inbox.committed(first)
    assert commit(inbox) == [2]


def test_a_failed_batch_lacks_again_and_what_came_meanwhile_does_not() -> None:
    inbox = fresh()
    offer(inbox, 1)
    batch = inbox.take_batch()
    offer(inbox, 2)
    assert batch
    inbox.failed(batch)
    assert inbox.missing(0, 3) == ((1, 1), (3, 1))
    assert offer(inbox, 1) is Verdict.NEW
    assert commit(inbox) == [1, 2]


def test_each_verdict() -> None:
    inbox = fresh(mark=5)
    offer(inbox, 7)
    assert inbox.check(MessageId(1, 0, 6), digest_of(6)) is Verdict.NEW
    assert inbox.check(MessageId(1, 0, 5), digest_of(5)) is Verdict.KNOWN
    assert inbox.check(MessageId(1, 0, 7), digest_of(7)) is Verdict.KNOWN
    assert inbox.check(MessageId(1, 0, 7), digest_of(8)) is Verdict.CONFLICT
    assert inbox.check(MessageId(1, 1, 1), digest_of(1)) is Verdict.NO_LANE
    assert inbox.check(MessageId(2, 0, 1), digest_of(1)) is Verdict.OTHER_TERM
    commit(inbox)
    assert inbox.check(MessageId(1, 0, 7), digest_of(8)) is Verdict.CONFLICT


def test_what_lies_too_far_beyond_the_mark_waits_and_the_gap_can_always_be_filled() -> None:
    inbox = fresh()
    assert {offer(inbox, sequence) for sequence in range(2, HELD_MAX + 1)} == {Verdict.NEW}
    assert offer(inbox, HELD_MAX + 1) is Verdict.TOO_FAR
    commit(inbox)
    assert len(inbox.lanes[0].held) == HELD_MAX - 1
    assert offer(inbox, 1) is Verdict.NEW
    assert commit(inbox) == list(range(1, HELD_MAX + 1))
    assert offer(inbox, HELD_MAX + 1) is Verdict.NEW


def test_a_message_in_blocks_is_put_together_up_to_64_numbers_beyond_the_mark() -> None:
    inbox = fresh()
    assert inbox.takes(MessageId(1, 0, BIG_AHEAD_MAX))
    assert not inbox.takes(MessageId(1, 0, BIG_AHEAD_MAX + 1))
    offer(inbox, 1)
    commit(inbox)
    assert inbox.takes(MessageId(1, 0, BIG_AHEAD_MAX + 1))
    assert not inbox.takes(MessageId(1, 0, 1))


def test_a_lane_begins_once_and_changes_its_term_by_a_turn_alone() -> None:
    inbox = Inbox()
    assert offer(inbox, 1) is Verdict.NO_LANE
    assert inbox.begin(Lane(0, 1, 9))
    assert not inbox.begin(Lane(0, 1, 0))
    assert not inbox.begin(Lane(0, 2, 0))
    assert (inbox.lanes[0].term, inbox.lanes[0].mark) == (1, 9)
    inbox.turn(0, 9, 3)
    assert commit(inbox) == []
    assert inbox.lanes == (Lane(0, 3, 0),)
    assert offer(inbox, 10) is Verdict.OTHER_TERM
    assert inbox.take_batch() is None


def test_a_turn_releases_what_is_held_and_names_what_lacks_below_the_last_that_is_known() -> None:
    inbox = fresh(1)
    for sequence in (4, 6):
        offer(inbox, sequence)
    commit(inbox)
    inbox.turn(0, 8, 2)
    batch = inbox.take_batch()
    assert batch
    assert batch.released == (
        Passed(MessageId(1, 0, 2), 3, Told.GAP), MessageId(1, 0, 4), Passed(MessageId(1, 0, 5), 5, Told.GAP),
        MessageId(1, 0, 6), Passed(MessageId(1, 0, 7), 8, Told.GAP),
    )  # fmt: skip
    assert (batch.lanes, batch.untold) == ((Lane(0, 2, 0),), ())
    inbox.failed(batch)
    assert inbox.lanes[0].mark == 1
    assert inbox.take_batch() is None  # a journal that refuses is not asked again at once: the next answer begins it
    inbox.turn(0, 8, 2)
    again = inbox.take_batch()
    assert again == batch
    inbox.committed(again)
    assert inbox.lanes == (Lane(0, 2, 0),)


def test_what_comes_while_the_turn_is_committed_goes_with_the_term() -> None:
    inbox = fresh(1)
    inbox.turn(0, 1, 2)
    batch = inbox.take_batch()
    assert batch
    assert offer(inbox, 2) is Verdict.NEW
    inbox.committed(batch)
    assert inbox.take_batch() is None
    assert inbox.missing(0, 1) == ((1, 1),)


def test_a_request_names_at_most_256_messages_in_48_ranges() -> None:
    inbox = fresh()
    assert inbox.missing(0, 10_000) == ((1, REQUEST_MESSAGES_MAX),)
    for sequence in range(2, 400, 2):
        offer(inbox, sequence)
    assert inbox.missing(0, 400) == tuple((2 * at + 1, 1) for at in range(RANGES_MAX))
    assert inbox.missing(7, 400) == ()


STEPS = st.lists(st.integers(1, 12) | st.sampled_from(["take", "commit", "fail"]), max_size=80)


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_any_sequence_releases_each_message_once_and_in_order(steps: list[int | str]) -> None:
    inbox, flying = fresh(), None
    journal: set[int] = set()
    log: list[int] = []

    def landed(batch: Batch) -> None:
        numbers = {arrival.message.sequence for arrival in batch.arrivals}
        assert not numbers & journal
        journal.update(numbers)
        log.extend(step.sequence for step in batch.released if isinstance(step, MessageId))
        inbox.committed(batch)

    for step in steps:
        if isinstance(step, int):
            offer(inbox, step)
        elif step == "take":
            flying = inbox.take_batch() or flying
        elif flying:
            if step == "commit":
                landed(flying)
            else:
                inbox.failed(flying)
            flying = None
        mark = len(log)
        assert log == list(range(1, mark + 1))
        assert (inbox.lanes[0].mark, inbox.lanes[0].chain) == (mark, chain_at(mark))
        assert {sequence for sequence, _ in inbox.lanes[0].held} == journal - set(log)
    if flying:
        landed(flying)
    for first, count in inbox.missing(0, 12):
        assert [offer(inbox, sequence) for sequence in range(first, first + count)] == [Verdict.NEW] * count
    while batch := inbox.take_batch():
        landed(batch)
    assert log == list(range(1, 13))


def skip(first: int, last: int, cause: Cause = Cause.EXPIRED) -> Skip:
    return Skip(HEAD, 0, first, last - first + 1, cause, ANY_NODE, chain_at(last))


def steps(inbox: Inbox) -> list[MessageId | Passed]:
    """What the next batch does, in order."""
    batch = inbox.take_batch()
    assert batch
    inbox.committed(batch)
    return list(batch.released)


def test_a_skip_takes_effect_when_all_before_it_is_there() -> None:
    inbox = fresh()
    offer(inbox, 4)
    assert inbox.skip(skip(2, 3)) is Verdict.NEW
    assert commit(inbox) == []
    assert inbox.missing(0, 6) == ((1, 1), (5, 2))
    offer(inbox, 1)
    assert steps(inbox) == [MessageId(1, 0, 1), Passed(MessageId(1, 0, 2), 3, Told.MISSED), MessageId(1, 0, 4)]
    assert (inbox.lanes[0].mark, inbox.lanes[0].chain) == (4, chain_at(4))
    assert inbox.skip(skip(2, 3)) is Verdict.KNOWN


def test_what_is_there_of_skipped_numbers_is_released_in_its_place() -> None:
    inbox = fresh()
    for sequence in (2, 5):
        offer(inbox, sequence)
    inbox.skip(skip(1, 6, Cause.NO_LONGER_KEPT))
    assert steps(inbox) == [
        Passed(MessageId(1, 0, 1), 1, Told.GAP),
        MessageId(1, 0, 2),
        Passed(MessageId(1, 0, 3), 4, Told.GAP),
        MessageId(1, 0, 5),
        Passed(MessageId(1, 0, 6), 6, Told.GAP),
    ]
    assert inbox.lanes[0].held == ()


def test_what_is_not_for_this_node_leaves_nothing_to_log_or_tell() -> None:
    inbox = fresh()
    inbox.skip(skip(1, 9, Cause.NOT_FOR_YOU))
    batch = inbox.take_batch()
    assert batch
    assert (batch.released, batch.untold, batch.lanes[0].mark) == ((), (), 9)


def test_a_long_run_is_told_in_outcomes_of_65536_numbers() -> None:
    inbox = fresh()
    last = 0x10000 + 2
    inbox.skip(Skip(HEAD, 0, 1, last, Cause.NO_LONGER_KEPT, ANY_NODE, digest(b"")))
    batch = inbox.take_batch()
    assert batch
    assert batch.released == (Passed(MessageId(1, 0, 1), last, Told.GAP),)
    first, second = Outcome(0, 1, Told.GAP, 0xFFFF), Outcome(0, 0x10001, Told.GAP, 1)
    assert batch.untold == (Untold(1, first), Untold(1, second))


def test_a_withheld_message_takes_its_number_and_is_not_listed_as_held() -> None:
    inbox = fresh()
    message = Message(HEAD, 0, 2, 0, 0, b"")
    inbox.offer(Arrival(message, digest_of(2), 0, Told.REFUSED, Told.REFUSED, 1))
    batch = inbox.take_batch()
    assert batch
    inbox.committed(batch)
    assert batch.untold == (Untold(1, Outcome(0, 2, Told.REFUSED, 1)),)
    assert (inbox.lanes[0].extras, len(inbox.lanes[0].held)) == ((), 1)
    offer(inbox, 1)
    assert steps(inbox) == [MessageId(1, 0, 1)]
    assert (inbox.lanes[0].mark, inbox.lanes[0].chain, inbox.lanes[0].withheld) == (2, chain_at(2), ())


def test_a_lane_holds_so_many_skips_and_no_more() -> None:
    inbox = fresh()
    verdicts = {inbox.skip(skip(2 * number, 2 * number)) for number in range(1, SKIPS_HELD_MAX + 1)}
    assert verdicts == {Verdict.NEW}
    assert inbox.skip(skip(1000, 1000)) is Verdict.TOO_FAR
    assert inbox.take_batch() is None


def test_a_skip_of_another_term_or_lane_is_refused() -> None:
    assert fresh().skip(replace(skip(1, 1), head=replace(HEAD, term=2))) is Verdict.OTHER_TERM
    assert Inbox().skip(skip(1, 1)) is Verdict.NO_LANE


def test_skips_of_a_failed_batch_are_asked_for_again() -> None:
    inbox = fresh()
    inbox.skip(skip(1, 2))
    batch = inbox.take_batch()
    assert batch
    inbox.failed(batch)
    assert inbox.take_batch() is None
    assert inbox.missing(0, 2) == ((1, 2),)
