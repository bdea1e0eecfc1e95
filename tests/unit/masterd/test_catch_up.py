"""The catch-up port on the loopback: who gets how far, and that nobody can hold it up."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import cast

import pytest
from netcrier.core.events import Received
from netcrier.core.master.speaker import Speaker
from netcrier.errors import ConfigError, DecodeError
from netcrier.masterd import catch_up
from netcrier.masterd.catch_up import CatchUpPort
from netcrier.noded.catch_up import fetch
from netcrier.wire.catch_up import frame
from netcrier.wire.limits import CATCH_UP_CHUNK, CATCH_UP_CLIENTS, CATCH_UP_STRANGERS

HOST = "127.0.0.1"


class Told:
    """A speaker that answers by the first byte of what it is asked: the node; `none` of it is known."""

    def __init__(self, datagrams: list[bytes]) -> None:
        self.refused: Counter[str] = Counter()
        self.datagrams = datagrams

    def catch_up(self, got: Received) -> tuple[int, Iterator[bytes]]:
        if got.data == b"none":
            raise DecodeError("unknown node")
        return got.data[0], map(frame, self.datagrams)


async def listening(told: Told) -> tuple[CatchUpPort, int]:
    port = CatchUpPort(cast(Speaker, told), lambda: None)
    await port.start(0)
    assert port._server
    (ipv4,) = [one for one in port._server.sockets if one.family == socket.AF_INET]  # 0 is another port for IPv6
    return port, ipv4.getsockname()[1]


async def fetched(number: int, ask: bytes = b"\1") -> list[bytes]:
    """What comes; a connection that is closed with the question unread is reset."""
    found: list[bytes] = []
    with suppress(ConnectionResetError):
        async for datagrams in fetch((HOST, number), ask):
            found += datagrams
    return found


def test_what_is_sent_arrives_in_order_and_the_connection_ends() -> None:
    async def scenario() -> None:
        sent = [bytes([size % 251]) * (size % 1233) for size in range(3000)]
        assert sum(map(len, sent)) > 2 * CATCH_UP_CHUNK
        port, number = await listening(Told(sent))
        assert await fetched(number) == sent
        await asyncio.sleep(0)
        assert port.served == 1
        await port.close()

    asyncio.run(scenario())


def test_a_node_that_is_refused_gets_nothing_and_is_counted() -> None:
    async def scenario() -> None:
        told = Told([b"secret"])
        port, number = await listening(told)
        assert await fetched(number, b"none") == []
        assert told.refused["unknown node"] == 1
        await port.close()

    asyncio.run(scenario())


def test_strangers_have_16_places_and_5_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(catch_up, "ASK_WITHIN", 0.3)
        told = Told([b"x"])
        port, number = await listening(told)
        silent = [await asyncio.open_connection(HOST, number) for _ in range(CATCH_UP_STRANGERS)]
        assert await fetched(number) == [], "no place for one more"
        assert told.refused["too many connections"] == 1
        assert [await reader.read() for reader, _ in silent] == [b""] * CATCH_UP_STRANGERS
        assert await fetched(number) == [b"x"], "their time is over"
        for _, writer in silent:
            writer.close()
        await port.close()

    asyncio.run(scenario())


def test_64_nodes_are_served_at_a_time() -> None:
    async def scenario() -> None:
        told = Told([bytes(1232)] * 20_000)
        port, number = await listening(told)
        streams = []
        for index in range(CATCH_UP_CLIENTS):
            stream = fetch((HOST, number), bytes([index]))
            await anext(stream)
            streams.append(stream)
        assert await fetched(number, b"\xff") == []
        assert told.refused["too many connections"] == 1
        for stream in streams:
            await stream.aclose()
        await port.close()

    asyncio.run(scenario())


def test_a_node_that_comes_again_ends_its_older_connection() -> None:
    async def scenario() -> None:
        port, number = await listening(Told([bytes(1232)] * 20_000))
        older = fetch((HOST, number), b"\1")
        await anext(older)
        newer = fetch((HOST, number), b"\1")
        await anext(newer)
        got = 0
        async for datagrams in older:
            got += len(datagrams)
        assert got < 20_000
        assert len(port._clients) == 1
        await newer.aclose()
        await port.close()

    asyncio.run(scenario())


async def come_and_gone(port: CatchUpPort) -> None:
    """Until a connection was taken and is gone."""
    async with asyncio.timeout(10):
        while not port._clients:
            await asyncio.sleep(0.01)
        while port._clients:
            await asyncio.sleep(0.01)


def test_a_node_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(catch_up, "STALL_WITHIN", 0.2)
        port, number = await listening(Told([bytes(1232)] * 50_000))
        reader, writer = await asyncio.open_connection(HOST, number, limit=1)
        writer.write(frame(b"\1"))
        await come_and_gone(port)
        assert port.served == 0
        writer.close()
        await port.close()
        assert reader is not None

    asyncio.run(scenario())


class Slow:
    """A writer that takes down how much it is given between two looks whether the other side follows."""

    def __init__(self) -> None:
        self.given = [0]
        self.high: list[int] = []
        self.transport = self

    def set_write_buffer_limits(self, high: int) -> None:
        self.high.append(high)

    def writelines(self, chunk: list[bytes]) -> None:
        self.given[-1] += sum(map(len, chunk))

    def write_eof(self) -> None:
        """Nothing more comes."""

    async def drain(self) -> None:
        self.given.append(0)


def test_a_node_that_does_not_take_the_last_of_it_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(catch_up, "STALL_WITHIN", 0.2)
        port, number = await listening(Told([bytes(1232)] * (CATCH_UP_CHUNK // 1300)))
        assert port._server
        for one in port._server.sockets:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        ear = socket.socket()
        ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ear.connect((HOST, number))
        ear.sendall(frame(b"\1"))
        await come_and_gone(port)
        assert port.served == 0
        got = 0
        while data := ear.recv(65536):
            got += len(data)
        assert got < CATCH_UP_CHUNK // 2, "what it did not take is dropped"
        ear.close()
        await port.close()

    asyncio.run(scenario())


def test_no_more_than_64_kib_are_given_before_the_master_looks_whether_the_node_follows() -> None:
    slow, sent = Slow(), [bytes(1232)] * 1000
    asyncio.run(CatchUpPort._send(cast(asyncio.StreamWriter, slow), sent))
    *chunks, rest, nothing = slow.given
    assert sum(slow.given) == 1000 * 1232
    assert (slow.high, nothing) == ([CATCH_UP_CHUNK, 0], 0), "at the end it waits for all to have left"
    assert rest < CATCH_UP_CHUNK
    assert all(CATCH_UP_CHUNK <= size < CATCH_UP_CHUNK + 1232 for size in chunks)


def test_a_port_that_is_taken_is_said_to_be() -> None:
    async def scenario() -> None:
        port, number = await listening(Told([]))
        with pytest.raises(ConfigError, match=f"TCP port {number} is taken"):
            await CatchUpPort(cast(Speaker, Told([])), lambda: None).start(number)
        await port.close()

    asyncio.run(scenario())
