"""Who may be at the other end of a daemon's socket."""

from __future__ import annotations

import os
import pwd
import socket
from pathlib import Path

import pytest
from netcrier.control import peer
from netcrier.control.client import Client
from netcrier.control.failures import Impostor

MALLORY = os.geteuid() + 4001
"""Nobody who runs these tests."""
NAMES = {991: "netcrier-masterd", 992: "netcrier-noded", 993: "netcrier", MALLORY: "mallory", 65534: "nobody"}


class Entry:
    def __init__(self, name: str) -> None:
        self.pw_name = name


@pytest.fixture(autouse=True)
def users(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's users."""
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: Entry(NAMES[uid]))


@pytest.mark.parametrize(
    ("name", "uid", "own", "refused"),
    [
        ("noded.sock", 0, 1000, False),
        ("noded.sock", 1000, 1000, False),
        ("noded.sock", 992, 1000, False),
        ("noded@node2.sock", 992, 1000, False),
        ("noded.sock", 991, 1000, True),
        ("masterd.sock", 991, 1000, False),
        ("masterd.sock", 992, 0, True),
        ("other.sock", 992, 1000, False),
        ("noded.sock", 993, 1000, False),
        ("noded.sock", MALLORY, 1000, True),
        ("noded.sock", MALLORY, 0, True),
        ("noded.sock", 1002, 1000, True),
        ("noded.sock", 65534, 1000, True),
    ],
)
def test_only_root_oneself_and_the_daemons_user_are_believed(
    tmp_path: Path, name: str, uid: int, own: int, refused: bool
) -> None:
    assert peer.impostor(tmp_path / name, uid, own, owner=0) is refused


def test_the_owner_of_the_directory_is_believed_unless_nobody_can_tell_who_it_is(tmp_path: Path) -> None:
    path = tmp_path / "noded.sock"
    assert not peer.impostor(path, MALLORY, own=0, owner=MALLORY)
    assert peer.impostor(path, 1002, own=0, owner=MALLORY)
    assert peer.impostor(path, peer.OVERFLOW, own=0, owner=peer.OVERFLOW)


def test_an_impostor_hears_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "noded.sock"
    monkeypatch.setattr(peer, "listener_uid", lambda _sock: MALLORY)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(Impostor, match=rf"noded.sock belongs to user mallory \(uid {MALLORY}\)") as caught:
            Client(path, timeout=2)
        with listener.accept()[0] as heard:
            assert heard.recv(100) == b""
    assert caught.value.hint is not None
    assert "root, you, the owner of" in caught.value.hint
    assert "netcrier-noded, netcrier" in caught.value.hint


def test_the_kernel_names_who_listens(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as sock:
        listener.bind(str(tmp_path / "x.sock"))
        listener.listen()
        sock.connect(str(tmp_path / "x.sock"))
        assert peer.listener_uid(sock) == os.geteuid()
