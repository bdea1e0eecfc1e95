"""Where captures come from: packed, piped, several in the order of time; damage costs what follows it and no more."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from netcrier.analyzerd import engine, progress, reading
from netcrier.analyzerd.capture import source, walking
from netcrier.errors import DecodeError

from . import frames
from .frames import CLIENT, SECOND, SERVER

START = 1_700_000_000 * SECOND


def datagram(number: int, seconds: int = 0) -> tuple[int, bytes]:
    """The one packet of a conversation of its own."""
    return START + seconds * SECOND, frames.udp(CLIENT, 4000 + number, SERVER, 9999, os.urandom(200))


CAPTURE = frames.pcap([datagram(number, number) for number in range(40)])
PCAPNG = (
    frames.section()
    + frames.interface()
    + b"".join(frames.enhanced(at // 1000, data) for at, data in map(datagram, range(20)))
    + frames.section(">")
    + frames.interface(">")
    + b"".join(frames.enhanced(at // 1000, data, ">") for at, data in map(datagram, range(20, 40)))
)
PACKERS = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor(write_checksum=True).compress}


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "conn.log").read_text().splitlines()]


def read(folder: Path, *paths: Path | str) -> int:
    return reading.main(["--read", *map(str, paths), "--log-dir", str(folder)])


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("data", [CAPTURE, PCAPNG], ids=["pcap", "pcapng"])
def test_packed_captures_are_told_by_their_first_bytes(tmp_path: Path, kind: str, data: bytes) -> None:
    pack = PACKERS[kind]
    for packed in (pack(data), pack(data[:1000]) + pack(data[1000:]), pack(data) + bytes(512)):
        (tmp_path / "capture").write_bytes(packed)
        assert read(tmp_path, tmp_path / "capture") == 0
        assert len(rows(tmp_path)) == 40


@pytest.mark.parametrize("kind", PACKERS)
def test_of_a_packed_capture_cut_short_what_is_whole_is_analysed(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    large = frames.pcap([datagram(number) for number in range(2000)])
    packed = PACKERS[kind](large)
    (tmp_path / "capture").write_bytes(packed[: len(packed) // 2])
    assert read(tmp_path, tmp_path / "capture") == 1
    assert 500 < len(rows(tmp_path)) < 1500
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("kind", PACKERS)
def test_damaged_compressed_data_gives_one_line_and_status_1(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = bytearray(PACKERS[kind](CAPTURE))
    packed[len(packed) // 2] ^= 0xFF
    for damaged in (bytes(packed), PACKERS[kind](CAPTURE) + b"junk", packed[:3] + b"\xff" * 40):
        (tmp_path / "capture").write_bytes(damaged)
        assert read(tmp_path, tmp_path / "capture") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "compressed" in line


def test_zstd_without_zstandard_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "zstandard", None)
    (tmp_path / "capture").write_bytes(PACKERS["zst"](CAPTURE))
    assert read(tmp_path, tmp_path / "capture") == 78
    assert "pip install 'netcrier[compress]'" in capsys.readouterr().err


@pytest.mark.parametrize("data", [CAPTURE, PACKERS["gz"](PCAPNG)], ids=["plain", "packed"])
def test_standard_input_is_read_as_it_comes(tmp_path: Path, data: bytes) -> None:
    command = [sys.executable, "-m", "netcrier.analyzerd", "--read", "-", "--log-dir", str(tmp_path)]
    done = subprocess.run(command, input=data, capture_output=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert len(rows(tmp_path)) == 40


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(CAPTURE))
    writer.start()
    assert read(tmp_path, pipe) == 0
    writer.join()
    assert len(rows(tmp_path)) == 40


def test_several_captures_are_one_wire_in_the_order_of_time(tmp_path: Path) -> None:
    """The answer lies in the file that is named first, and in time after the question."""
    question = (START, frames.udp(CLIENT, 4000, SERVER, 53, b"question"))
    answer = (START + SECOND, frames.udp(SERVER, 53, CLIENT, 4000, b"answer"))
    (tmp_path / "a.pcap").write_bytes(frames.pcap([answer]))
    packed = gzip.compress(frames.section() + frames.interface() + frames.enhanced(question[0] // 1000, question[1]))
    (tmp_path / "b.pcapng.gz").write_bytes(packed)
    assert read(tmp_path / "out", tmp_path / "a.pcap", tmp_path / "b.pcapng.gz") == 0
    (row,) = rows(tmp_path / "out")
    assert (row["id.orig_h"], row["orig_pkts"], row["resp_pkts"], row["duration"]) == (CLIENT, 1, 1, 1.0)


def test_of_a_folder_the_captures_are_read_and_the_rest_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "captures"
    folder.mkdir()
    (folder / "b.pcap").write_bytes(CAPTURE)
    (folder / "a.zst").write_bytes(PACKERS["zst"](frames.pcap([datagram(100)])))
    (folder / "notes.txt").write_text("not one")
    assert read(tmp_path, folder) == 0
    assert len(rows(tmp_path)) == 41
    assert capsys.readouterr().err == f"analyzerd: {folder / 'notes.txt'}: passed over: no capture\n"


def test_a_capture_that_is_broken_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cut").write_bytes(CAPTURE[:-10])
    (tmp_path / "bad").write_bytes(b"hello")
    (tmp_path / "good").write_bytes(frames.pcap([datagram(100)]))
    assert read(tmp_path, tmp_path / "cut", tmp_path / "bad", tmp_path / "absent", tmp_path / "good") == 1
    assert len(rows(tmp_path)) == 40
    assert len(capsys.readouterr().err.splitlines()) == 3


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([CAPTURE, PCAPNG]), st.integers(0, 200), st.lists(st.integers(1, 3000), max_size=8))
def test_a_stream_in_any_pieces_gives_what_the_whole_gives(data: bytes, cut: int, sizes: list[int]) -> None:
    data = data[: len(data) - cut]
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    pieces.append(data[at:])

    def outcome(streamed: bool) -> tuple[int, str]:
        kernel, failure = engine.new_kernel(), ""
        try:
            for _ in frames.walk(kernel, *(pieces if streamed else [data])):
                pass
        except DecodeError as error:
            failure = error.reason
        return kernel.counters["received"], failure

    assert outcome(True) == outcome(False)


@pytest.mark.parametrize(
    "data",
    [
        frames.pcap([])[:24] + bytes(8) + b"\xff\xff\x04\x00" * 2,
        frames.section() + b"\x06\0\0\0" + b"\xf0\xff\xff\x01" + bytes(100),
    ],
    ids=["pcap", "pcapng"],
)
def test_a_record_larger_than_any_is_broken_and_not_waited_for(data: bytes) -> None:
    kernel = engine.new_kernel()
    with pytest.raises(DecodeError) as caught:
        list(frames.walk(kernel, data, b"more"))
    assert caught.value.reason == "bad-block"


@pytest.mark.parametrize("size", [1, 100, 3000])
def test_portions_smaller_than_the_file_or_a_record_change_nothing(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(walking, "PORTION", size)
    for data in (CAPTURE, PCAPNG):
        kernel = engine.new_kernel()
        assert len(list(frames.walk(kernel, data))) > len(data) / max(size, 300)
        assert kernel.counters["received"] == 40


def test_a_portion_full_of_small_packets_does_not_grow() -> None:
    data = frames.pcap([(START, b"x")])
    data += data[24:] * 59_999
    kernel, fulls = engine.new_kernel(), 0
    for portion in walking.portions(kernel, source.filling([data])):
        fulls += portion.full
        assert len(portion.data) + len(portion.room) <= walking.PORTION
        assert not kernel.follow(portion)
    assert fulls > 5
    assert kernel.counters["received"] == 60_000


def test_a_packet_block_that_contradicts_itself_is_broken() -> None:
    kernel = engine.new_kernel()
    with pytest.raises(DecodeError) as caught:
        list(frames.walk(kernel, frames.section() + frames.enhanced(0, b"x" * 20)))  # no interface was described
    assert caught.value.reason == "bad-block"


def test_a_bomb_is_unpacked_by_and_by(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(PACKERS["zst"](bytes(500 << 20)))
    opened = source.Source(path)
    assert max(map(len, opened.chunks())) < 200 << 20
    opened.close()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_progress_is_shown_and_taken_away() -> None:
    out = Terminal()
    now = [0.0]
    shown = progress.Progress(out, 1000, lambda: now[0])
    shown.show("a.pcap", 10, 1)
    assert out.getvalue() == ""
    now[0] = 2.0
    shown.show("a.pcap", 500, 1_000_000)
    assert "[############------------]  50 %   1,000,000 packets   0.5 M/s   a.pcap" in out.getvalue()
    shown.clear()
    assert out.getvalue().endswith("\r\x1b[K")


def test_elsewhere_there_is_no_progress_and_a_size_that_is_not_known_has_no_bar() -> None:
    out = io.StringIO()
    progress.Progress(out, 1000, lambda: 0.0).clear()
    progress.Progress(out, 1000, iter([0.0, 9.0]).__next__).show("a", 1, 1)
    assert out.getvalue() == ""
    assert progress.line("standard input", None, 5, 0) == "5 packets   0.0 M/s   standard input"
