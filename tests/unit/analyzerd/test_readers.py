"""The readers of pcap and pcapng, and `analyzerd --read` around them."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from netcrier.analyzerd import engine, reading
from netcrier.analyzerd.progress import Progress
from netcrier.errors import DecodeError

from . import frames
from .frames import CLIENT, SECOND, SERVER

TIME = 1_700_000_000 * SECOND + 123_456_000
FRAME = frames.udp(CLIENT, 4000, SERVER, 9999, b"data")


def read(data: bytes) -> list[float]:
    """Times of the conn records of a file's bytes."""
    kernel = engine.new_kernel()
    lines = b"".join(lines for written in frames.walk(kernel, data) for _, lines in written)
    kernel.flush()
    return [json.loads(line)["ts"] for line in (lines + kernel.take()).splitlines()]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_pcap_is_read_in_both_byte_orders_and_resolutions(order: str, nanoseconds: bool) -> None:
    assert read(frames.pcap([(TIME, FRAME)], order=order, nanoseconds=nanoseconds)) == [1700000000.123456]


@pytest.mark.parametrize("order", ["<", ">"])
def test_pcapng_is_read_in_both_byte_orders(order: str) -> None:
    data = frames.section(order) + frames.interface(order) + frames.enhanced(TIME // 1000, FRAME, order)
    assert read(data) == [1700000000.123456]


@pytest.mark.parametrize(
    ("resolution", "ticks"), [(9, TIME), (3, TIME // 1_000_000), (0x80 | 10, (TIME * 1024) // SECOND)]
)
def test_a_pcapng_clock_is_obeyed(resolution: int, ticks: int) -> None:
    options = struct.pack("<HHBxxx", 9, 1, resolution)
    data = frames.section() + frames.interface(options=options) + frames.enhanced(ticks, FRAME)
    assert read(data) == [pytest.approx(TIME / SECOND, abs=0.002)]


def test_pcapng_sections_each_have_their_own_interfaces() -> None:
    raw = frames.udp("10.1.1.1", 1, "10.1.1.2", 2)[14:]
    data = frames.section() + frames.interface() + frames.enhanced(TIME // 1000, FRAME)
    data += frames.block("<", 0x0BAD, b"of another kind")
    data += frames.section(">") + frames.interface(">", link=101) + frames.enhanced(TIME // 1000, raw, ">")
    assert len(read(data)) == 2


def test_simple_and_obsolete_blocks_are_read() -> None:
    other = frames.udp("10.1.1.1", 1, "10.1.1.2", 2)
    head = struct.pack("<HHIIII", 0, 0, 0, 1000, len(FRAME), len(FRAME))
    data = frames.section() + frames.interface() + frames.block("<", 2, head + FRAME)
    data += frames.block("<", 3, struct.pack("<I", len(other)) + other)
    assert len(read(data)) == 2


@pytest.mark.parametrize(
    "data", [b"", b"x", b"not a capture file at all", b"\xd4\xc3", frames.section()[:8] + bytes(20)]
)
def test_what_is_no_capture_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        read(data)
    assert caught.value.reason == "not-a-capture"


@pytest.mark.parametrize("cut", [1, 10, 15, 16, 17, 40])
def test_of_a_file_cut_short_what_is_whole_is_analysed(
    tmp_path: Path, cut: int, capsys: pytest.CaptureFixture[str]
) -> None:
    second = frames.udp(CLIENT, 4001, SERVER, 9999, b"data")
    path = tmp_path / "cut.pcap"
    path.write_bytes(frames.pcap([(TIME, FRAME), (TIME, second)])[:-cut])
    assert reading.main(["--read", str(path), "--log-dir", str(tmp_path)]) == 1
    assert len((tmp_path / "conn.log").read_text().splitlines()) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_progress_is_that_of_all_captures_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / name for name in ("a.pcap", "b.pcap")]
    for path in paths:
        path.write_bytes(frames.pcap([(TIME, FRAME)]))
    sizes, shown = list[int](), list[tuple[str, int, int]]()
    monkeypatch.setattr(Progress, "__init__", lambda _self, _out, total: sizes.append(total))
    monkeypatch.setattr(Progress, "show", lambda _self, *what: shown.append(what))
    monkeypatch.setattr(Progress, "clear", lambda _self: None)
    assert reading.main(["--read", *map(str, paths), "--log-dir", str(tmp_path)]) == 0
    size = paths[0].stat().st_size
    assert sizes[-1] == 2 * size
    assert [shown[0], shown[-1]] == [(f"{paths[0]}, 1 more to come", size, 1), (str(paths[1]), 2 * size, 2)]


def test_help_is_there_in_front_of_the_first_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert reading.main(["--read", "--help"]) == 0
    assert "exit status: 0; 1 where" in capsys.readouterr().out


def test_a_log_begins_empty_and_where_a_link_points(tmp_path: Path) -> None:
    path, log, elsewhere = tmp_path / "a.pcap", tmp_path / "conn.log", tmp_path / "elsewhere"
    path.write_bytes(frames.pcap([(TIME, FRAME)]))
    for _ in range(2):
        assert reading.main(["--read", str(path), "--log-dir", str(tmp_path)]) == 0
        assert len(log.read_text().splitlines()) == 1
    elsewhere.write_text("old\n" * 1000)
    log.unlink()
    log.symlink_to(elsewhere)
    assert reading.main(["--read", str(path), "--log-dir", str(tmp_path)]) == 0
    assert log.is_symlink()
    assert len(elsewhere.read_text().splitlines()) == 1


def test_a_file_that_is_no_capture_gives_one_line_and_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in (b"", b"hello"):
        (tmp_path / "x").write_bytes(content)
        assert reading.main(["--read", str(tmp_path / "x"), "--log-dir", str(tmp_path)]) == 1
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert reading.main(["--read", str(tmp_path / "absent"), "--log-dir", str(tmp_path)]) == 1


def test_reading_loads_no_event_loop_store_or_crypto_library(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(frames.pcap([(TIME, FRAME)]))
    code = (
        "import sys; from netcrier.analyzerd.__main__ import main; status = main(sys.argv[1:]);"
        "print(status, sorted({'asyncio', 'sqlite3', 'nacl', 'msgspec'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "--read", str(path), "--log-dir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "0 []\n"


def test_without_the_engine_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "netcrier.analyzerd.engine.kernel", None)
    assert reading.main(["--read", "any", "--log-dir", str(tmp_path)]) == 78
    assert "built without the engine: install gcc and python3-dev, then reinstall" in capsys.readouterr().err
