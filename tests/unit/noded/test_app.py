"""noded's application: what it keeps is of the master that said it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from netcrier.core.events import KeysRenewed, Settled
from netcrier.core.node.batch import Batch, Lane
from netcrier.core.node.hearing import Membership
from netcrier.core.outcomes import Untold
from netcrier.ids import MasterId
from netcrier.noded.app import App
from netcrier.noded.config import Config
from netcrier.noded.journal.journal import Journal
from netcrier.runtime.program import Place
from netcrier.wire.report import Outcome, Told

BEFORE, AFTER = MasterId(b"b" * 16), MasterId(b"a" * 16)


def listener(master: MasterId, epoch: int, term: int) -> Any:
    """As far as it is asked."""
    lanes = (Lane(0, term, 0),)
    membership = Membership(keys=((epoch, b"k" * 32),))
    return SimpleNamespace(pin=object(), master=master, membership=membership, inbox=SimpleNamespace(lanes=lanes))


def test_what_a_master_gave_is_kept_as_its_own_though_a_token_names_another_before_it_is_on_disk(
    tmp_path: Path,
) -> None:
    told = Untold(1, Outcome(0, 1, Told.HANDLED, 0))

    async def scenario() -> None:
        app = App(Config(), Place("noded", None, tmp_path, tmp_path, tmp_path))
        app.journal = Journal(tmp_path / "journal.sqlite")
        for master in (BEFORE, AFTER):
            app.journal.commit(Batch((), (), (), (told,)), master, "token")
        app.listener = cast(Any, listener(BEFORE, 7, 3))
        app._carry_out(KeysRenewed(7))
        app._carry_out(Settled((told,)))
        app.listener = cast(Any, listener(AFTER, 2, 1))
        await app._tasks.ended()
        app.writer.close()
        assert app.journal.membership(BEFORE).keys == ((7, b"k" * 32),)
        assert app.journal.membership(AFTER) == Membership()
        assert ([lane.term for lane in app.journal.lanes(BEFORE)], app.journal.lanes(AFTER)) == ([3], ())
        assert (app.journal.untold(BEFORE), app.journal.untold(AFTER)) == ([], [told])
        app.journal.close()

    asyncio.run(scenario())
