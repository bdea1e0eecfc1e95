"""The daemons' end: rights, limits, errors, streams, broken clients; spoken to with our client and with plain bytes."""

from __future__ import annotations

import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from netcrier.control import framing, limits
from netcrier.control.client import Client
from netcrier.control.failures import Broken, ControlError, Deadline, NotFound, NotPermitted, Refused
from netcrier.control.methods import API_DESCRIBE, API_LIST
from netcrier.control.types.shared import INITIAL_CREDIT, DescribeRequest, StreamCredit, StreamEnd, StreamItem

from tests.control_daemon import (
    CHANGERS_GID,
    COUNT,
    ECHO,
    FAIL,
    HANG,
    RACE,
    READERS_GID,
    SET,
    ControlDaemon,
    Number,
    Text,
)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[ControlDaemon]:
    with ControlDaemon(tmp_path / "masterd.sock") as running:
        yield running


PROBE = framing.encode_request(99, "echo", Text("probe"))
PROBED = framing.encode_response(99, Text("probe"))


def _connected(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(10)
    sock.connect(str(path))
    return sock


def _said(sock: socket.socket, end: bytes = b"") -> bytes:
    """What the daemon says until it closes, or until `end`, which is left out."""
    said = b""
    while not (end and end in said):
        part = sock.recv(65536)
        if not part:
            assert not end, f"closed after {said!r}"
            return said
        said += part
    return said.removesuffix(end)


def _until_closed(path: Path, data: bytes) -> bytes:
    """The answer to `data` by a daemon that then closes."""
    with _connected(path) as sock:
        sock.sendall(data)
        return _said(sock)


def _answer(path: Path, data: bytes) -> bytes:
    """The answer to `data` by a daemon that then goes on."""
    with _connected(path) as sock:
        sock.sendall(data + PROBE)
        return _said(sock, PROBED)


def test_hello_says_who_and_what_the_caller_may(daemon: ControlDaemon) -> None:
    with Client(daemon.path) as client:
        welcome = client.welcome
    assert (welcome.protocol, welcome.daemon, welcome.version) == (1, "masterd", "1.2.3")
    assert welcome.may == ["read", "change"]


def test_anybody_may_connect_and_rights_are_the_daemons_decision(daemon: ControlDaemon) -> None:
    assert stat.S_IMODE(daemon.path.stat().st_mode) == 0o666


@pytest.mark.parametrize(
    ("groups", "may", "echo", "change"),
    [
        (frozenset(), [], False, False),
        (frozenset({READERS_GID}), ["read"], True, False),
        (frozenset({CHANGERS_GID}), ["read", "change"], True, True),
    ],
)
def test_a_caller_gets_what_its_groups_allow(
    daemon: ControlDaemon, groups: frozenset[int], may: list[str], echo: bool, change: bool
) -> None:
    daemon.uid, daemon.groups = 1000, groups
    with Client(daemon.path) as client:
        assert client.welcome.may == may
        calls: list[tuple[Callable[[], object], bool]] = [
            (lambda: client.call(ECHO, Text("x")), echo),
            (lambda: client.call(SET), change),
        ]
        for call, allowed in calls:
            if allowed:
                call()
                continue
            with pytest.raises(NotPermitted) as error:
                call()
            assert "usermod" in str(error.value.hint)


def test_every_change_is_told_with_its_caller_before_it_is_made(daemon: ControlDaemon) -> None:
    with Client(daemon.path) as client:
        client.call(ECHO, Text("x"))
        client.call(SET)
    assert daemon.changes == [(0, "set")]


@pytest.mark.parametrize("code", ["usage", "not-found", "config", "store", "failed"])
def test_a_failure_has_its_code_and_the_connection_goes_on(
    daemon: ControlDaemon, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(daemon.path) as client:
        with pytest.raises(Refused) as error:
            client.call(FAIL, Text(code))
        assert error.value.code == code
        assert "secret" not in str(error.value)
        assert client.call(ECHO, Text("still here")) == Text("still here")
    assert ("a fault in fail" in caplog.text) == (code == "failed")


def test_not_found_has_a_type_of_its_own(daemon: ControlDaemon) -> None:
    with Client(daemon.path) as client, pytest.raises(NotFound, match="no such thing"):
        client.call(FAIL, Text("not-found"))


def test_the_api_describes_itself(daemon: ControlDaemon) -> None:
    with Client(daemon.path) as client:
        rows = {row.name: row for row in client.call(API_LIST).rows}
        assert rows["count"].stream
        assert rows["set"].right == "change"
        for name in rows:
            described = client.call(API_DESCRIBE, DescribeRequest(name))
            assert described.params["type" if "type" in described.params else "$ref"]
            assert (described.item is not None) == rows[name].stream


def test_a_stream_gives_every_item_and_says_its_end(daemon: ControlDaemon) -> None:
    with Client(daemon.path) as client:
        numbers = [item.number for item in client.stream(COUNT, Number(1000))]
        assert numbers == list(range(1000))
        assert client.end is not None
        assert (client.end.items, client.end.lost, client.end.cancelled) == (1000, 0, False)


def _messages(data: bytes) -> list[framing.Message]:
    return [framing.decode(part) for part in framing.Framer(limits.REPLY_SIZE, limits.REPLY_ITEMS).feed(data)]


def test_a_lossless_stream_without_credit_waits_at_its_source(daemon: ControlDaemon) -> None:
    with _connected(daemon.path) as sock:
        sock.sendall(framing.encode_request(5, "count", Number(500)))
        last = framing.encode_notification("stream.item", StreamItem(5, Number(INITIAL_CREDIT - 1)))
        assert len(_messages(_said(sock, last))) == INITIAL_CREDIT - 1
        sock.sendall(PROBE)
        assert _said(sock, PROBED) == b""
        assert daemon.pulled == INITIAL_CREDIT
        sock.sendall(framing.encode_notification("stream.credit", StreamCredit(5, 10)))
        last = framing.encode_notification("stream.item", StreamItem(5, Number(INITIAL_CREDIT + 9)))
        assert len(_messages(_said(sock, last))) == 9


def test_a_lossy_stream_without_credit_drops_and_says_how_many(daemon: ControlDaemon) -> None:
    with _connected(daemon.path) as sock:
        sock.sendall(framing.encode_request(5, "race", Number(500)))
        end = framing.encode_response(5, StreamEnd(items=INITIAL_CREDIT, lost=500 - INITIAL_CREDIT))
        assert len(_messages(_said(sock, end))) == INITIAL_CREDIT
    assert RACE.lossless is False


def test_a_stream_that_is_left_is_ended_at_its_source(daemon: ControlDaemon) -> None:
    with Client(daemon.path) as client:
        stream = client.stream(COUNT, Number(10**9))
        assert next(stream) == Number(0)
        stream.close()  # type: ignore[attr-defined]  # a generator, typed as an iterator
        assert daemon.closed.wait(5)
        assert client.call(ECHO, Text("after")) == Text("after")


def test_a_client_that_goes_ends_its_stream(daemon: ControlDaemon) -> None:
    client = Client(daemon.path)
    next(client.stream(COUNT, Number(10**9)))
    client.close()
    assert daemon.closed.wait(5)


def test_too_much_credit_ends_the_connection(daemon: ControlDaemon) -> None:
    request = framing.encode_request(5, "count", Number(10**6))
    assert b"malformed" in _until_closed(
        daemon.path, request + framing.encode_notification("stream.credit", StreamCredit(5, limits.CREDIT + 1))
    )


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xc1",
        b"\x91" * 100,
        b"\xdd\xff\xff\xff\xff",
        b"\x94\x00\x01\xa1\xff\x90",
        b"\x94\x01\x01\xc0\xc0",
        b"\xc6\x7f\xff\xff\xff",
        framing.encode_request(1, "hang", None) * 2,
    ],
)
def test_a_broken_client_is_told_so_and_closed_and_the_daemon_goes_on(daemon: ControlDaemon, data: bytes) -> None:
    assert b"malformed" in _until_closed(daemon.path, data)
    with Client(daemon.path) as client:
        assert client.call(ECHO, Text("x")) == Text("x")


def test_a_foreign_notification_is_passed_over(daemon: ControlDaemon) -> None:
    assert _answer(daemon.path, b"\x93\x02\xc4\x04nope\x93\x01\x02\x03") == b""


def test_wrong_parameters_are_the_callers_fault_and_are_named(daemon: ControlDaemon) -> None:
    said = _answer(daemon.path, framing.encode_request(9, "echo", Number(1)))
    assert b"usage" in said
    assert b"number" in said


def test_an_unknown_method_is_named(daemon: ControlDaemon) -> None:
    said = _answer(daemon.path, framing.encode_request(9, "broadcsat", None))
    assert b"unknown-method" in said
    assert b"broadcsat" in said


def test_a_hello_of_no_version_is_a_version_mismatch(daemon: ControlDaemon) -> None:
    assert b"\xa7version" in _answer(daemon.path, b"\x94\x00\x01\xa5hello\x91\x81\xa8protocol\x00")


def test_one_client_has_a_bounded_number_of_open_requests(daemon: ControlDaemon) -> None:
    requests = [framing.encode_request(number, "hang", None) for number in range(limits.OPEN_REQUESTS)]
    with _connected(daemon.path) as sock:
        sock.sendall(b"".join(requests) + PROBE)
        said = _said(sock, b"await an answer\xc0")
    assert said.startswith(b"\x94\x01\x63\x93\xa4busy")


@pytest.mark.parametrize(
    ("groups", "size", "taken"),
    [
        (frozenset({CHANGERS_GID}), 1024 * 1024, True),
        (frozenset({CHANGERS_GID}), limits.REQUEST_SIZE, False),
        (frozenset({READERS_GID}), 60 * 1024, True),
        (frozenset({READERS_GID}), 1024 * 1024, False),
    ],
)
def test_the_size_of_a_request_is_bounded_by_what_its_caller_may(
    daemon: ControlDaemon, groups: frozenset[int], size: int, taken: bool
) -> None:
    daemon.uid, daemon.groups = 1000, groups
    with Client(daemon.path) as client:
        if taken:
            assert client.call(ECHO, Text("x" * size)) == Text("x" * size)
            return
        with pytest.raises(ControlError):
            client.call(ECHO, Text("x" * size))
    with Client(daemon.path) as client:
        assert client.call(ECHO, Text("x")) == Text("x")


def test_one_user_has_a_bounded_number_of_connections(daemon: ControlDaemon) -> None:
    daemon.uid, daemon.groups = 1000, frozenset({READERS_GID})
    with ExitStack() as stack:
        for _ in range(limits.CLIENTS_PER_UID):
            stack.enter_context(Client(daemon.path))
        with pytest.raises(ControlError, match="too many"):
            Client(daemon.path)
        daemon.uid = 1001
        stack.enter_context(Client(daemon.path))


def test_readers_cannot_lock_out_those_who_may_change(daemon: ControlDaemon) -> None:
    daemon.groups = frozenset({READERS_GID})
    with ExitStack() as stack:
        for number in range(limits.CLIENTS - limits.RESERVED):
            daemon.uid = 1000 + number
            stack.enter_context(Client(daemon.path))
        daemon.uid = 2000
        with pytest.raises(ControlError, match="too many"):
            Client(daemon.path)
        daemon.uid = 0
        for _ in range(limits.RESERVED):
            stack.enter_context(Client(daemon.path))
        with pytest.raises(ControlError, match="too many"):
            Client(daemon.path)


def test_idle_connections_are_closed_but_not_those_that_wait(
    daemon: ControlDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IDLE", 0.05)
    with _connected(daemon.path) as waiting:
        waiting.sendall(framing.encode_request(1, "hang", None) + PROBE)
        assert _said(waiting, PROBED) == b""
        assert _until_closed(daemon.path, b"") == b""
        assert _until_closed(daemon.path, b"\x94\x00") == b""
        waiting.sendall(PROBE)
        assert _said(waiting, PROBED) == b""


def test_a_call_never_outlasts_its_time(daemon: ControlDaemon) -> None:
    with Client(daemon.path, timeout=0.1) as client, pytest.raises(Deadline):
        client.call(HANG)


def test_a_daemon_that_stops_ends_its_clients(tmp_path: Path) -> None:
    with ControlDaemon(tmp_path / "masterd.sock") as daemon:
        client = Client(daemon.path)
    with client, pytest.raises(Broken):
        client.call(ECHO, Text("x"))
