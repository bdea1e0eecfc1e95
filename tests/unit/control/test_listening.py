"""Taking the socket's path from the dead, never from the living."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest
from netcrier.control.listening import Listening, answers
from netcrier.errors import ConfigError


def test_a_path_left_by_a_dead_process_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "noded.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listening = Listening(path)
    assert answers(path)
    listening.close()
    assert not path.exists()


def test_a_living_daemon_keeps_its_path(tmp_path: Path) -> None:
    first = Listening(tmp_path / "noded.sock")
    with pytest.raises(OSError, match="another daemon") as error:
        Listening(tmp_path / "noded.sock")
    assert error.value.errno == errno.EADDRINUSE
    assert answers(tmp_path / "noded.sock")
    first.close()


def test_only_its_own_socket_is_unlinked(tmp_path: Path) -> None:
    path = tmp_path / "noded.sock"
    first = Listening(path)
    path.unlink()
    second = Listening(path)
    first.close()
    assert answers(path)
    second.close()
    assert list(tmp_path.iterdir()) == []


def test_a_path_too_long_is_the_operators_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--runtime-dir"):
        Listening(tmp_path / ("x" * 120))
