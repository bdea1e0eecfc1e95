"""How a node comes to ask for nothing by UDP, and to ask again."""

from __future__ import annotations

from typing import cast

from msgspec.structs import replace
from netcrier.core.node.asking import Asking
from netcrier.core.node.batch import Lane
from netcrier.core.node.catch_up import PROGRESS_WITHIN
from netcrier.core.node.intake import Intake
from netcrier.core.node.upward import Upward
from netcrier.wire.limits import CATCH_UP_LAG

from tests import datagrams


def far_behind() -> tuple[Asking, Intake]:
    """A node that lacks CATCH_UP_LAG numbers and hears of it at 10.0, in a group that waits up to 2 s to connect."""
    intake = Intake((Lane(0, 1, 0), Lane(1, 1, 0)), lambda: 0.5, None)
    asking = Asking(intake, cast(Upward, None), lambda: 0.5)
    asking.known(0, CATCH_UP_LAG, 10.0)
    asking.look_behind(100.0, 10.0)
    return asking, intake


def passes(intake: Intake, count: int) -> None:
    """The lane goes on by so many numbers."""
    intake.skip(replace(datagrams.SKIP, earlier=1, lane=0, first=1, count=count))
    batch = intake.inbox.take_batch()
    assert batch
    intake.committed(batch)


def test_until_it_connects_a_node_asks_for_nothing_by_udp() -> None:
    asking, _ = far_behind()
    assert asking.timer == 11.0
    asking.look_behind(100.0, 10.5)
    assert asking.timer == 11.0
    assert asking._gaps.timer == 10.0 + PROGRESS_WITHIN


def test_what_lacks_is_asked_for_at_once_where_so_much_came_meanwhile_that_it_connects_no_more() -> None:
    asking, intake = far_behind()
    passes(intake, 1)
    asking.look_behind(100.0, 10.5)
    assert asking.timer == 10.5
    assert asking._backlog.timer is None
