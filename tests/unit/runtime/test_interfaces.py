"""The kernel's own list of interfaces."""

from __future__ import annotations

from netcrier.runtime.interfaces import interfaces


def test_the_loopback_is_there_and_cannot_broadcast() -> None:
    (loopback,) = [found for found in interfaces() if found.address == "127.0.0.1"]
    assert (loopback.name, loopback.broadcast, loopback.loopback) == ("lo", None, True)
