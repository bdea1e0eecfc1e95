"""Whom a join token says to trust."""

from __future__ import annotations

from netcrier.core.events import Pin
from netcrier.wire.token import decode_token


def pin_of(text: str) -> Pin:
    """The token's master; UsageError where the text is no token."""
    token = decode_token(text)
    return Pin(token.group, token.signing_key, token.agreement_key, token.group_name, "token", (token.id, token.secret))
