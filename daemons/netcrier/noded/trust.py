"""Whom a join token says to trust, and where the token comes from."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from netcrier.core.events import Pin
from netcrier.errors import ConfigError
from netcrier.wire.token import decode_token

_log = logging.getLogger("netcrier.noded")

CREDENTIAL: Final = "netcrier.token"
"""The name of the systemd credential (systemd.exec(5), LoadCredential=): a file that the unit alone can read."""


def pin_of(text: str) -> Pin:
    """The token's master; UsageError where the text is no token."""
    token = decode_token(text)
    return Pin(token.group, token.signing_key, token.agreement_key, token.group_name, "token", (token.id, token.secret))


def token_of(text: str, file: str, environ: Mapping[str, str]) -> str:
    """The token's text: of the file, else as it is configured, else the credential; empty without any.

    ConfigError where the file cannot be read. A file that others may read is told in the log.
    """
    if file:
        return _read(Path(file))
    if text:
        return text
    directory = environ.get("CREDENTIALS_DIRECTORY")
    credential = Path(directory) / CREDENTIAL if directory else None
    return _read(credential) if credential and credential.exists() else ""


def _read(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o007:
            _log.warning("%s is a secret that every user of this machine can read: chmod 600", path)
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"the token file {path} cannot be read: {reason}") from error
