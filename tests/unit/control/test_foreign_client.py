"""The control protocol is MessagePack-RPC: pynvim's client, written by others, speaks it."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pynvim.msgpack_rpc import socket_session

from tests.control_daemon import ControlDaemon


@pytest.fixture
def _leaking() -> Iterator[None]:
    """pynvim closes its event loop and leaves the transport to the collector, which would warn in another test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("_leaking")
def test_pynvims_client_calls_lists_fails_and_streams(tmp_path: Path) -> None:
    with ControlDaemon(tmp_path / "masterd.sock") as daemon:
        session = socket_session(str(daemon.path))
        try:
            welcome = session.request("hello", {"protocol": 1, "client": "pynvim", "version": "0"})
            assert welcome["daemon"] == "masterd"
            names = [row["name"] for row in session.request("api.list")["rows"]]
            assert names == sorted(names)
            assert session.request("echo", {"text": "grüße"}) == {"text": "grüße"}
            with pytest.raises(Exception, match="not so"):
                session.request("fail", {"text": "usage"})

            items: list[Any] = []
            ends: list[Any] = []

            def ask() -> None:
                ends.append(session.request("count", {"number": 5}))
                session.stop()

            session.run(lambda *_: None, lambda name, args: items.append((name, args[0]["item"])), setup_cb=ask)
            assert ends == [{"items": 5, "lost": 0, "cancelled": False}]
            assert items == [("stream.item", {"number": number}) for number in range(5)]
        finally:
            session.close()
