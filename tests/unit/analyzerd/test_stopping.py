"""Signals that end a reading: the first in order, the second at once; in a file of many, the rest is named."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from netcrier.analyzerd import reading
from netcrier.analyzerd.progress import Progress
from netcrier.analyzerd.stopping import Stopped, Stopping, leave

from . import frames
from .frames import CLIENT, SECOND, SERVER


def test_the_first_signal_calls_the_end_and_the_second_is_the_systems() -> None:
    calls: list[str] = []
    before = signal.getsignal(signal.SIGTERM)
    with Stopping() as stopping:
        with stopping.by(lambda: calls.append("end")):
            os.kill(os.getpid(), signal.SIGTERM)
        assert calls == ["end"]
        assert (stopping.signal, stopping.status) == (signal.SIGTERM, 143)
        assert {signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)} == {signal.SIG_DFL}
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_begins_after_a_signal_ends_at_once() -> None:
    with Stopping() as stopping:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped), stopping.by(leave):
            pass


def test_what_is_ignored_when_it_starts_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stopping() as stopping:
            os.kill(os.getpid(), signal.SIGHUP)
            assert stopping.signal is None
            assert stopping.status == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_it_says_how_far_it_came_and_what_was_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    count = 40_000
    times = [(SECOND + at, frames.udp(CLIENT, at % 60_000, SERVER, 53, bytes(200))) for at in range(count)]
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.pcap").write_bytes(frames.pcap(times))
    signals = iter([signal.SIGINT])

    def interrupt(*_: object) -> None:
        for number in signals:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Progress, "show", interrupt)
    paths = [str(tmp_path / f"{name}.pcap") for name in ("a", "b", "c")]
    assert reading.main(["--read", *paths, "--log-dir", str(tmp_path)]) == 130
    (said,) = capsys.readouterr().err.splitlines()
    before, _, after = said.partition(f"{tmp_path}/a.pcap at ")
    share, _, rest = after.partition("%, 2 more captures were not begun; ")
    packets = int(rest.removesuffix(" packets read are logged").replace(",", ""))
    assert before == "analyzerd: SIGINT: stopped in "
    assert 0 < int(share) < 100
    assert 0 < packets < count
    logged = [json.loads(line) for line in (tmp_path / "conn.log").read_text().splitlines()]
    assert sum(row["orig_pkts"] for row in logged) == packets
