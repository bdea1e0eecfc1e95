"""What a control client may use up, with the unit, the reason, and what happens beyond it."""

from __future__ import annotations

REQUEST_SIZE = 1024 * 1024 + 64 * 1024
"""Bytes of one message to a daemon: the largest body and its envelope. Beyond: `malformed`, closed."""

READER_REQUEST_SIZE = 64 * 1024
"""The same for a caller who may not change: only changes carry bodies, and strangers must not hold memory."""

REPLY_SIZE = 16 * 1024 * 1024
"""Bytes of one message to a client: 10,000 nodes need 4 MiB. Beyond: the client gives up."""

DEPTH = 16
"""Nested arrays and maps; recursion in a decoder must end. Beyond: `malformed`, closed."""

REQUEST_ITEMS = 4096
"""Values in one message to a daemon: 1 MiB of empty maps would take 70 MB. Beyond: `malformed`, closed."""

REPLY_ITEMS = 4_000_000
"""Values in one message to a client."""

CLIENTS = 64
"""Connections; a forgotten loop of clients must not starve the daemon of descriptors. Beyond: `busy`, closed."""

RESERVED = 8
"""Of these, kept for callers who may change: a reader cannot lock out the administrator."""

CLIENTS_PER_UID = 16
"""Connections of one user other than root and the daemon's own. Beyond: `busy`, closed."""

OPEN_REQUESTS = 32
"""Unanswered requests and streams of one client. Beyond: `busy` for the request."""

CREDIT = 4096
"""Items that a client may have granted and not received. Beyond: `usage`, the stream ends."""

IDLE = 60.0
"""Seconds without a whole message while no request or stream is open. Then closed."""

STALLED = 30.0
"""Seconds in which a client must take what was written to it. Then closed."""
