"""Pieces are put together in any order, what is not the master's is refused, and the memory has an end."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from msgspec.structs import replace
from netcrier.core.master.cutting import Cut
from netcrier.core.node.assembly import Assembly
from netcrier.core.node.batch import Arrival, Lane
from netcrier.core.pacing import QUIET, QUIET_REPAIR
from netcrier.core.parity import Parity
from netcrier.errors import DecodeError
from netcrier.ids import MasterId, MessageId
from netcrier.wire.block import Block, decode_block
from netcrier.wire.envelope import Digest
from netcrier.wire.fetch import Lack, bitmap_of
from netcrier.wire.fragment import Fragment, decode_fragment
from netcrier.wire.kinds import Kind
from netcrier.wire.limits import ASSEMBLY_MAX, FRAGMENT_SIZE, FRAGMENTS_MAX, MESSAGE_MAX
from netcrier.wire.message import Message
from netcrier.wire.signed import Head

BODY = random.Random(1).randbytes(FRAGMENT_SIZE * 40 + 5)


class Parts:
    """A message in blocks, as its pieces."""

    def __init__(self, sequence: int = 1, body: bytes = BODY, lane: int = 0) -> None:
        self.id, self.body, self.cut = MessageId(1, lane, sequence), body, Cut(body)
        message = Message(
            Head(MasterId(b"m" * 16), 1, 1, 1), lane, sequence, 2000, 5, b"", size=len(body), blocks=self.cut.digests
        )
        self.arrival = Arrival(message, Digest(bytes([sequence]) * 16), 7)
        self.blocks: list[Block] = []
        self.fragments: list[Fragment] = []
        for kind, plaintext in self.cut.plaintexts(self.id):
            if kind is Kind.BLOCK:
                self.blocks.append(decode_block(plaintext))
            else:
                self.fragments.append(decode_fragment(plaintext))

    def feed(self, assembly: Assembly, piece: Arrival | Block | Fragment, now: float = 0.0) -> Arrival | None:
        match piece:
            case Arrival():
                return assembly.message(piece, now)
            case Block():
                return assembly.block(piece, now)
            case _:
                return assembly.fragment(piece, now)

    @property
    def pieces(self) -> list[Arrival | Block | Fragment]:
        return [self.arrival, *self.blocks, *self.fragments]


def assembly(*, parity: bool = False) -> Assembly:
    return Assembly(lambda: 0.5, Parity() if parity else None)


@pytest.mark.parametrize("seed", range(20))
def test_pieces_in_any_order_give_the_body_once(seed: int) -> None:
    parts, one = Parts(), assembly()
    pieces = parts.pieces
    random.Random(seed).shuffle(pieces)
    whole = [done for piece in pieces if (done := parts.feed(one, piece))]
    assert [done.message.body for done in whole] == [BODY]
    assert whole[0].digest == parts.arrival.digest
    assert one.held == len(BODY), "until it is committed"
    one.settled([parts.id], [Lane(0, 1, 1)])
    assert (one.held, one.coming, one.due(99.0)) == (0, set(), [])


def test_a_piece_that_is_there_is_a_duplicate() -> None:
    parts, one = Parts(), assembly()
    for piece in parts.pieces[:5]:
        parts.feed(one, piece)
    for piece in (parts.blocks[0], parts.fragments[0]):
        with pytest.raises(DecodeError, match="duplicate"):
            parts.feed(one, piece)


def test_a_fragment_that_is_not_the_blocks_is_refused() -> None:
    parts, one = Parts(), assembly()
    for piece in parts.pieces[:3]:
        parts.feed(one, piece)
    with pytest.raises(DecodeError, match="bad fragment"):
        one.fragment(replace(parts.fragments[0], data=b"forged"), 0.0)
    with pytest.raises(DecodeError, match="bad fragment"):
        one.fragment(replace(parts.fragments[0], block=1, place=31), 0.0)


def test_a_block_that_is_not_the_messages_is_refused() -> None:
    parts, one = Parts(), assembly()
    parts.feed(one, parts.arrival)
    with pytest.raises(DecodeError, match="bad block"):
        one.block(replace(parts.blocks[0], number=1), 0.0)
    with pytest.raises(DecodeError, match="bad block"):
        one.block(replace(parts.blocks[0], number=2), 0.0)


def test_forged_pieces_that_came_first_give_way_to_the_true_ones() -> None:
    parts, one = Parts(), assembly()
    one.fragment(replace(parts.fragments[0], data=b"forged"), 0.0)
    one.fragment(Fragment(parts.id, 9, 0, b"of no block"), 0.0)
    one.block(replace(parts.blocks[0], hashes=(Digest(bytes(16)),)), 0.0)
    one.message(parts.arrival, 0.0)
    one.block(parts.blocks[0], 0.0)
    assert one.held == 0
    done = [parts.feed(one, piece) for piece in parts.pieces[2:]]
    assert done[-1]
    assert done[-1].message.body == BODY


def test_forged_pieces_of_a_block_that_the_message_does_not_have_keep_it_from_nothing() -> None:
    parts, one = Parts(), assembly(parity=True)
    one.message(parts.arrival, 0.0)
    with pytest.raises(DecodeError, match="bad block"):
        one.block(replace(parts.blocks[0], number=2), 0.0)
    with pytest.raises(DecodeError, match="bad block"):
        one.fragment(replace(parts.fragments[0], block=2), 0.0)
    with pytest.raises(DecodeError, match="bad block"):
        one.parity(Fragment(parts.id, 2, FRAGMENTS_MAX, bytes(FRAGMENT_SIZE)), 0.0)
    *_, whole = [parts.feed(one, piece, 0.0) for piece in parts.pieces[1:]]
    assert whole
    assert whole.message.body == BODY


def test_forged_parity_that_came_first_keeps_no_other_block_from_the_message() -> None:
    parts, one = Parts(), assembly(parity=True)
    for piece in parts.pieces[1:]:
        if piece is not parts.fragments[0]:
            parts.feed(one, piece)
    one.parity(Fragment(parts.id, 0, FRAGMENTS_MAX, bytes(FRAGMENT_SIZE)), 0.0)
    one.message(parts.arrival, 0.0)
    assert one.timer is not None
    assert one.due(one.timer) == [(parts.id, (Lack(0, False, 1, bitmap_of([0])),))]
    whole = one.fragment(parts.fragments[0], 1.0)
    assert whole
    assert whole.message.body == BODY


def test_parity_restores_what_lacks() -> None:
    parts, one = Parts(), assembly(parity=True)
    for piece in parts.pieces:
        if piece not in (parts.fragments[3], parts.fragments[4], parts.fragments[-1]):
            parts.feed(one, piece)
    found = []
    for number, count in ((0, 2), (1, 1)):
        places = list(range(FRAGMENTS_MAX, FRAGMENTS_MAX + count))
        for place, data in zip(places, Parity().encoded(parts.cut.fragments_in(number), places), strict=True):
            found.append(one.parity(Fragment(parts.id, number, place, data), 0.0))
    assert found[:2] == [None, None]
    assert found[2]
    assert found[2].message.body == BODY


def test_forged_parity_is_refused_and_the_block_is_fetched() -> None:
    parts, one = Parts(), assembly(parity=True)
    for piece in parts.pieces:
        if piece != parts.fragments[3]:
            parts.feed(one, piece)
    held = one.held
    with pytest.raises(DecodeError, match="bad parity"):
        one.parity(Fragment(parts.id, 0, 40, bytes(FRAGMENT_SIZE)), 0.0)
    assert one.held == held
    ((_, (lack,)),) = one.due(1.0)
    assert (lack.block, lack.header, lack.need, lack.lacks(3)) == (0, False, 1, True)


def test_parity_is_of_no_use_without_the_code() -> None:
    parts, one = Parts(), assembly()
    one.message(parts.arrival, 0.0)
    with pytest.raises(DecodeError, match="no use"):
        one.parity(Fragment(parts.id, 0, 40, bytes(FRAGMENT_SIZE)), 0.0)


def test_a_node_with_parity_at_hand_needs_that_much_less() -> None:
    parts, one = Parts(), assembly(parity=True)
    for piece in [*parts.pieces[:3], *parts.pieces[7:]]:
        parts.feed(one, piece)
    (data,) = Parity().encoded(parts.cut.fragments_in(0), [32])
    one.parity(Fragment(parts.id, 0, 32, data), 0.0)
    ((_, (lack,)),) = one.due(1.0)
    assert (lack.need, lack.bitmap) == (3, 0xF000_0000)


def test_nothing_is_fetched_while_pieces_flow_and_all_that_lacks_once_they_stop() -> None:
    parts, one = Parts(), assembly()
    one.message(parts.arrival, 0.0)
    for at, piece in enumerate(parts.fragments[:20], 1):
        one.fragment(piece, at * QUIET / 2)
        assert one.due(at * QUIET / 2) == []
    last = 10 * QUIET
    assert one.due(last + QUIET * 0.9) == []
    ((identity, lacks),) = one.due(last + QUIET * 2)
    assert identity == parts.id
    assert [lack.header for lack in lacks] == [True, True]
    assert [lack.need for lack in lacks] == [12, 9]


def test_the_message_that_comes_again_ends_the_waiting() -> None:
    parts, one = Parts(), assembly()
    one.message(parts.arrival, 1.0)
    one.fragment(parts.fragments[0], 1.0)
    one.ended(parts.id, 1.0)
    assert one.timer
    assert one.timer < 1.0 + QUIET_REPAIR
    assert one.due(one.timer)


def test_fetches_back_off_until_a_piece_comes() -> None:
    parts, one = Parts(), assembly()
    one.message(parts.arrival, 0.0)
    times: list[float] = []
    while len(times) < 7:
        assert one.timer is not None
        now = one.timer
        times += [now] * len(one.due(now))
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses == pytest.approx([0.03, 0.06, 0.12, 0.24, 0.48, 0.96])
    one.fragment(parts.fragments[0], times[-1])
    one.due(times[-1] + 5)
    assert one.timer == pytest.approx(times[-1] + 5.03)


def test_the_memory_ends_at_its_limit_and_what_goes_before_finds_room() -> None:
    one = assembly()
    many = [Parts(sequence, bytes(MESSAGE_MAX)) for sequence in (2, 3, 4, 5)]
    for parts in many:
        one.message(parts.arrival, 0.0)
        for piece in parts.fragments:
            one.fragment(piece, 0.0)
    assert one.held == 4 * MESSAGE_MAX == ASSEMBLY_MAX
    late = Parts(6, bytes(MESSAGE_MAX))
    one.message(late.arrival, 0.0)
    with pytest.raises(DecodeError, match="no room"):
        one.fragment(late.fragments[0], 0.0)
    first = Parts(1, bytes(MESSAGE_MAX))
    assert [first.feed(one, piece) for piece in first.pieces][-1]
    assert one.held <= ASSEMBLY_MAX
    fetched = [identity.sequence for identity, _ in one.due(9.0)]
    assert fetched == [2, 3, 4], "as many as there is room for beside the one that is being committed"
    urgent = Parts(9, bytes(MESSAGE_MAX), lane=1)
    one.message(urgent.arrival, 0.0)
    one.fragment(urgent.fragments[0], 0.0)
    assert one.held <= ASSEMBLY_MAX


def test_pieces_of_a_message_that_nobody_has_signed_keep_no_room_from_one_that_is_signed() -> None:
    forged, parts, one = Parts(lane=1), Parts(), assembly()
    for number in range(ASSEMBLY_MAX // FRAGMENT_SIZE):
        one.fragment(Fragment(forged.id, *divmod(number, FRAGMENTS_MAX), bytes(FRAGMENT_SIZE)), 0.0)
    with pytest.raises(DecodeError, match="no room"):
        one.fragment(Fragment(forged.id, 200, 0, bytes(FRAGMENT_SIZE)), 0.0)
    *_, whole = [parts.feed(one, piece) for piece in parts.pieces]
    assert whole
    assert whole.message.body == BODY
    assert one.held <= ASSEMBLY_MAX


def test_what_a_lane_has_passed_is_forgotten() -> None:
    one = assembly()
    for parts in (Parts(1), Parts(2)):
        one.message(parts.arrival, 0.0)
        one.fragment(parts.fragments[0], 0.0)
    one.settled([], [Lane(0, 1, 1)])
    assert one.coming == {MessageId(1, 0, 2)}
    one.settled([], [Lane(0, 2, 0)])
    assert (one.coming, one.held) == (set(), 0)


def with_parity(parts: Parts, one: Assembly, *lost: int) -> list[Arrival]:
    """The message without these fragments of its first block, and as much parity along."""
    found: list[Arrival | None] = [parts.feed(one, piece) for piece in parts.pieces[: 1 + len(parts.blocks)]]
    found += [parts.feed(one, piece) for at, piece in enumerate(parts.fragments) if at not in lost]
    places = range(FRAGMENTS_MAX, FRAGMENTS_MAX + len(lost))
    for place, data in zip(places, Parity().encoded(parts.cut.fragments_in(0), places), strict=True):
        found.append(one.parity(Fragment(parts.id, 0, place, data), 5.0))
    return [done for done in found if done]


def test_what_parity_has_restored_is_told_once_and_nothing_is_asked_for() -> None:
    parts, one = Parts(), assembly(parity=True)
    (done,) = with_parity(parts, one, 3, 9)
    assert (done.message.body, done.mended) == (BODY, True)
    assert one.timer is not None
    assert one.timer <= 5.0
    assert one.due(5.0) == [(parts.id, (Lack(0, False, 0, bitmap_of([3, 9])),))]
    assert one.due(99.0) == []
    assert one.timer is None


def test_without_loss_nothing_is_told() -> None:
    parts, one = Parts(), assembly(parity=True)
    (done,) = [done for piece in parts.pieces if (done := parts.feed(one, piece))]
    assert not done.mended
    assert one.due(99.0) == []


def test_a_node_that_has_fetched_tells_in_the_same_what_was_restored() -> None:
    parts, one = Parts(), assembly(parity=True)
    last = parts.fragments.pop()
    assert not with_parity(parts, one, 3, 9)
    one.ended(parts.id, 5.1)
    ((_, lacks),) = one.due(5.2)
    assert lacks == (Lack(0, False, 0, bitmap_of([3, 9])), Lack(1, False, 1, bitmap_of([8])))
    done = parts.feed(one, last, 5.3)
    assert done
    assert done.mended
    assert one.due(99.0) == []


def test_a_block_that_comes_shortens_the_next_pause_as_a_fragment_does() -> None:
    parts, one = Parts(), assembly()
    parts.feed(one, parts.arrival)
    one.ended(parts.id, 1.0)
    times = [1.0]
    for _ in range(6):
        times.append(one.timer or 0.0)
        one.due(times[-1])
    pause = times[-1] - times[-2]
    now = one.timer or 0.0
    parts.feed(one, parts.blocks[0], now - QUIET_REPAIR)
    assert one.due(now)
    assert (one.timer or 0.0) - now < pause / 4
