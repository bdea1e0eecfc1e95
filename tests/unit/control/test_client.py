"""The client against sockets that are no daemon."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest
from netcrier.control.client import Client
from netcrier.control.failures import Broken, Deadline, NotRunning, VersionMismatch


def _once(path: Path, reply: bytes) -> threading.Thread:
    """A server that answers the first bytes of one client with `reply`."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as sock:
            sock.recv(65536)
            sock.sendall(reply)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_a_missing_socket_means_not_running(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        Client(tmp_path / "noded.sock")


def test_a_socket_left_by_a_dead_process_means_not_running(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "noded.sock"))
    with pytest.raises(NotRunning):
        Client(tmp_path / "noded.sock")


def test_a_daemon_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(tmp_path / "noded.sock"))
        mute.listen()
        with pytest.raises(Deadline):
            Client(tmp_path / "noded.sock", timeout=0.05)


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xc1", b"", b"\x94\x01\x01\xc0\x01"])
def test_another_program_on_the_socket_is_said_to_be_one(tmp_path: Path, reply: bytes) -> None:
    thread = _once(tmp_path / "noded.sock", reply)
    with pytest.raises(Broken):
        Client(tmp_path / "noded.sock", timeout=2)
    thread.join(5)


def test_a_daemon_of_another_protocol_is_a_version_mismatch(tmp_path: Path) -> None:
    reply = b"\x94\x01\x01\xc0\x85\xa8protocol\x02\xa6daemon\xa5noded\xa7version\xa19\xa3pid\x01\xa3may\x90"
    thread = _once(tmp_path / "noded.sock", reply)
    with pytest.raises(VersionMismatch):
        Client(tmp_path / "noded.sock", timeout=2)
    thread.join(5)
