"""Messages for repair: as the store has them, and told where it cannot be read."""

from __future__ import annotations

from pathlib import Path

from netcrier.errors import StoreError
from netcrier.ids import MessageId
from netcrier.masterd.store.shelf import Shelf
from netcrier.masterd.store.store import Store

from tests.network import Network, enrolled


def kept(path: Path) -> tuple[Network, Store, MessageId]:
    """A network of one node, and a store with one message in blocks of its master."""
    net, store = enrolled(1, seed=1), Store(path / "store.sqlite")
    message = net.master.compose(0, bytes(5000), net.now_us)
    store.messages.add(message, "request")
    return net, store, message.id


def test_a_message_is_found_with_its_body_and_another_is_not(tmp_path: Path) -> None:
    _, store, message = kept(tmp_path)
    told: list[StoreError] = []
    shelf = Shelf(store.messages, told.append)
    assert shelf.signed_message(message)
    assert shelf.body(message) == bytes(5000)
    assert shelf.signed_message(MessageId(1, 0, 9)) is None
    store.close()
    assert told == []


def test_a_store_that_cannot_be_read_is_told_and_ends_no_repair(tmp_path: Path) -> None:
    _, store, message = kept(tmp_path)
    told: list[StoreError] = []
    shelf = Shelf(store.messages, told.append)
    store.close()
    assert (shelf.signed_message(message), shelf.body(message)) == (None, None)
    assert ["cannot be read" in str(error) for error in told] == [True, True]
