"""What is sent again for a block: parity where it is less, else each fragment, to as many as need it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from netcrier.core.master.block_repair import Ask, Mending, mending, remaining, sent_for
from netcrier.wire.fetch import Lack, bitmap_of


def lacks(*places: int, header: bool = False, parity: bool = True, need: int | None = None) -> Ask:
    return Ask(Lack(0, header, len(places) if need is None else need, bitmap_of(list(places))), parity)


@pytest.mark.parametrize(
    ("asks", "sent"),
    [
        ({7: lacks(3, 4)}, Mending(False, None, 0, ((3, 7), (4, 7)))),
        ({7: lacks(3), 8: lacks(3)}, Mending(False, None, 0, ((3, None),))),
        ({7: lacks(3), 8: lacks(4)}, Mending(False, None, 1, ())),
        ({7: lacks(3), 8: lacks(4, 5)}, Mending(False, None, 2, ())),
        ({7: lacks(*range(5)), 8: lacks(9)}, Mending(False, None, 5 + 1, (), spare=1)),
        ({7: lacks(*range(16)), 8: lacks(20)}, Mending(False, None, 16 + 8, (), spare=8)),
        ({7: lacks(3), 8: lacks(4, parity=False)}, Mending(False, None, 0, ((3, 7), (4, 8)))),
        ({7: lacks(3), 8: lacks(4), 9: lacks(4, parity=False)}, Mending(False, None, 1, ((4, 9),))),
        ({7: lacks(1, 2, 3, need=1), 8: lacks(1, 2, 3)}, Mending(False, None, 0, ((1, None), (2, None), (3, None)))),
        ({7: lacks(header=True)}, Mending(True, 7, 0, ())),
        ({7: lacks(header=True), 8: lacks(header=True)}, Mending(True, None, 0, ())),
    ],
)
def test_the_least_that_serves_all_is_sent(asks: dict[int, Ask], sent: Mending) -> None:
    assert mending(asks, parity=True) == sent


@pytest.mark.parametrize(
    ("asks", "sent"),
    [
        ({7: lacks(3, 4)}, Mending(False, None, 1, ((3, 7), (4, 7)), parity_to=7, spare=1)),
        ({7: lacks(3), 8: lacks(3)}, Mending(False, None, 1, ((3, None),), spare=1)),
        ({7: lacks(3), 8: lacks(4)}, Mending(False, None, 1 + 1, (), spare=1)),
        ({7: lacks(*range(8)), 8: lacks(20)}, Mending(False, None, 8 + 2, (), spare=2)),
        ({7: lacks(*range(16)), 8: lacks(20)}, Mending(False, None, 16 + 8, (), spare=8)),
        ({7: lacks(3, parity=False)}, Mending(False, None, 0, ((3, 7),))),
        ({7: lacks(header=True)}, Mending(True, 7, 0, ())),
    ],
)
def test_where_the_path_loses_there_is_spare_parity_for_who_can_use_it(asks: dict[int, Ask], sent: Mending) -> None:
    assert mending(asks, parity=True, loss=0.2) == sent


def test_a_master_without_the_code_repeats_fragments() -> None:
    assert mending({7: lacks(3), 8: lacks(4)}, parity=False) == Mending(False, None, 0, ((3, 7), (4, 8)))


@pytest.mark.parametrize(
    ("mine", "others", "pieces"),
    [
        (lacks(3, 4), [], 2),
        (lacks(3, 4, header=True), [], 3),
        (lacks(3, 4, header=True), [lacks(3, header=True)], 3),
        (lacks(3), [lacks(*range(16))], 1),
        (lacks(3), [lacks(4, header=True)], 1),
        (lacks(*range(16)), [lacks(3), lacks(20)], 16 + 8),
        (lacks(*range(16), parity=False), [lacks(3), lacks(20)], 16),
        (lacks(*range(32), need=1), [], 32),
        (lacks(*range(32), need=0), [lacks(3), lacks(20)], 32),
        (lacks(*range(32), need=1), [lacks(3), lacks(20)], 1),
    ],
)
def test_a_node_is_charged_for_what_is_sent_for_it_and_not_for_what_others_lack(
    mine: Ask, others: list[Ask], pieces: int
) -> None:
    sent = mending({7: mine, **dict(enumerate(others, 8))}, parity=True)
    assert sent_for(mine, sent) == pieces


@pytest.mark.parametrize(
    ("mine", "others", "pieces"),
    [(lacks(3, 4), [], 2 + 1), (lacks(3, 4, parity=False), [], 2), (lacks(3), [lacks(*range(4, 12))], 1 + 2)],
)
def test_spare_parity_is_charged(mine: Ask, others: list[Ask], pieces: int) -> None:
    assert sent_for(mine, mending({7: mine, **dict(enumerate(others, 8))}, parity=True, loss=0.2)) == pieces


@pytest.mark.parametrize(
    ("ask", "sent", "left"),
    [
        (lacks(3, 4), Mending(False, None, 2, ()), None),
        (lacks(3, 4, 5), Mending(False, None, 1, ()), lacks(3, 4, 5, need=2)),
        (lacks(3, 4, parity=False), Mending(False, None, 2, ()), lacks(3, 4, parity=False)),
        (lacks(3, 4), Mending(False, None, 0, ((3, None), (4, None), (5, None))), None),
        (lacks(3, 4), Mending(False, None, 0, ((3, None),)), lacks(4)),
        (lacks(3), Mending(False, None, 0, ((3, 7),)), lacks(3)),
        (lacks(3), Mending(False, None, 1, ((3, 7),), parity_to=7, spare=1), lacks(3)),
        (lacks(header=True), Mending(True, None, 0, ()), None),
        (lacks(header=True), Mending(True, 7, 0, ()), lacks(header=True)),
        (lacks(3, header=True), Mending(False, None, 5, ()), lacks(header=True)),
    ],
)
def test_an_ask_is_answered_in_part_by_what_was_sent_to_all_after_it(ask: Ask, sent: Mending, left: Ask | None) -> None:
    early = replace(ask, at_us=1)
    assert remaining(early, sent, 2) == (replace(left, at_us=1) if left else None)
    assert remaining(early, sent, 1) == early
