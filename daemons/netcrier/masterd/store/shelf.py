"""The messages of the store as the speaker takes them for repair. What cannot be read is told, and meanwhile lacks: the
node that asked for it asks again."""

from __future__ import annotations

from collections.abc import Callable

from netcrier.errors import StoreError
from netcrier.ids import MessageId
from netcrier.masterd.store.messages import Messages


class Shelf:
    """See the module. `said(error)` is told what the store says."""

    def __init__(self, messages: Messages, said: Callable[[StoreError], None]) -> None:
        self._messages, self._said = messages, said

    def signed_message(self, identity: MessageId) -> bytes | None:
        """The signed plaintext, where it is there."""
        return self._read(self._messages.signed_message, identity)

    def body(self, identity: MessageId) -> bytes | None:
        """The body of a message in blocks, where it is there."""
        return self._read(self._messages.body, identity)

    def _read(self, one: Callable[[MessageId], bytes | None], identity: MessageId) -> bytes | None:
        try:
            return one(identity)
        except StoreError as error:
            self._said(error)
            return None
