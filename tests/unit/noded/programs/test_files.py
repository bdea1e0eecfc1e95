"""Which file of handlers.d may run under a name, and which names messages start."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from netcrier.noded.programs.files import HandlerFiles, named
from netcrier.wire.handled import Code

from tests.handlers import ROOT, handler


@ROOT
@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "../probe", "a/b", "a b", "x\0y", "absent"])
def test_a_name_that_is_no_file_of_the_folder_is_no_handler(tmp_path: Path, name: str) -> None:
    handler(tmp_path, "exit 0")
    assert named(tmp_path, name) is Code.NO_HANDLER


@ROOT
def test_only_what_root_alone_can_have_put_there_runs(tmp_path: Path) -> None:
    place = tmp_path / "handlers.d"
    path = handler(place, "exit 0")
    assert named(place, "probe") == path
    handler(place, "exit 0", "others", 0o757)
    handler(place, "exit 0", "group", 0o775)
    handler(place, "exit 0", "owned")
    os.chown(place / "owned", 65534, 65534)
    assert {named(place, name) for name in ("others", "group", "owned")} == {Code.UNSAFE}
    handler(place, "exit 0", "plain", 0o644)
    (place / "link").symlink_to(path)
    (place / "dir").mkdir()
    assert [named(place, name) for name in ("plain", "dir")] == [Code.NO_HANDLER] * 2
    assert named(place, "link") in (Code.UNSAFE, Code.NO_HANDLER), "a link is not followed"
    place.chmod(0o777)
    assert named(place, "probe") is Code.UNSAFE


@ROOT
def test_a_folder_above_that_others_may_change_makes_all_in_it_unsafe(tmp_path: Path) -> None:
    place = tmp_path / "etc" / "handlers.d"
    (tmp_path / "etc").mkdir(mode=0o755)
    path = handler(place, "exit 0")
    assert named(place, "probe") == path
    (tmp_path / "etc").chmod(0o777)
    assert named(place, "probe") is Code.UNSAFE
    (tmp_path / "etc").chmod(0o1777)
    assert named(place, "probe") == path, "each removes only what is its own there"
    (tmp_path / "etc").chmod(0o755)
    (tmp_path / "link").symlink_to("etc")
    assert named(tmp_path / "link" / "handlers.d", "probe") == tmp_path / "link" / "handlers.d" / "probe"
    os.chown(tmp_path / "etc", 65534, 65534)
    assert named(place, "probe") is Code.UNSAFE
    assert named(tmp_path / "link" / "handlers.d", "probe") is Code.UNSAFE


def test_messages_start_what_is_named_for_them_and_may_run_by_name(tmp_path: Path) -> None:
    files = HandlerFiles(tmp_path / "handlers.d")
    assert files.messages() == ()
    for name in ("message-20", "message-10", "message", "disk", "message~", ".message", "README"):
        handler(tmp_path / "handlers.d", "exit 0", name)
    handler(tmp_path / "handlers.d", "exit 0", "message-plain", 0o644)
    (tmp_path / "handlers.d" / "message-folder").mkdir()
    assert files.messages() == ("message", "message-10", "message-20")


def test_what_comes_goes_or_changes_its_mode_is_seen_at_the_next_message(tmp_path: Path) -> None:
    place = tmp_path / "handlers.d"
    files = HandlerFiles(place)
    path = handler(place, "exit 0", "message", 0o644)
    past = time.time() - 100
    os.utime(place, (past, past))
    assert files.messages() == ()
    path.chmod(0o755)
    assert files.messages() == ("message",)
    path.unlink()
    assert files.messages() == ()


def test_a_folder_without_message_handlers_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "handlers.d"
    handler(place, "exit 0", "disk")
    past = time.time() - 100
    os.utime(place, (past, past))
    files = HandlerFiles(place)
    assert files.messages() == ()
    monkeypatch.setattr(Path, "iterdir", lambda _: pytest.fail("read"))
    assert files.messages() == ()


@ROOT
def test_files_that_will_not_run_are_named_with_what_to_do(tmp_path: Path) -> None:
    place = tmp_path / "handlers.d"
    files = HandlerFiles(place)
    assert files.warnings() == []
    handler(place, "exit 0", "message")
    assert files.warnings() == []
    for number in range(5):
        handler(place, "exit 0", f"message-{number}", 0o777)
    [warning] = files.warnings()
    assert "message-0, message-1, message-2 and 2 more will not run" in warning
    assert "chmod go-w" in warning
    assert files.messages()[1:] == tuple(f"message-{number}" for number in range(5)), "a refusal is to be seen"
